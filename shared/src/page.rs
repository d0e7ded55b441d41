//! Pages that several functions show: the frame around each, and what a person is told when something ends.
//!
//! Templates escape by default. A page has no script and no style of its own; its one stylesheet is a route of ours.

use askama::Template;

use crate::{
    app::App,
    error::{Error, Refusal},
    http::Response,
    id::Identity,
};

/// The stylesheet of every page.
pub const STYLESHEET: &str = include_str!("../templates/style.css");

/// A page: a heading, a sentence or two, and the one next step.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    /// What the tab says.
    pub title: &'a str,
    /// How it ended, as a word for the stylesheet.
    pub tone: Tone,
    /// What the person reads first.
    pub heading: &'a str,
    /// What happened, and what to do.
    pub text: &'a str,
    /// Where to go on: an address and what to call it.
    pub next: Option<(&'a str, &'a str)>,
    /// Whether that opens a window of its own.
    pub new_window: bool,
    /// The request, to be named when asking for help.
    pub request_id: &'a str,
    /// What stands before the stylesheet's path.
    pub base_path: &'a str,
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As wished.
    Good,
    /// Not, and nothing is wrong.
    Neutral,
    /// Not, and something is wrong.
    Bad,
}

impl std::fmt::Display for Tone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Neutral => "neutral",
            Self::Bad => "bad",
        })
    }
}

/// Renders a page. The templates are compiled in and write to memory, so nothing can fail but a formatter of ours.
pub fn render(template: &impl Template) -> String {
    template.render().unwrap_or_else(|_| "This page could not be shown.".to_owned())
}

/// A failure, told to a person.
#[must_use]
pub fn failure(app: &App, request_id: &str, status: u16, code: &str, error: &Error) -> Response {
    let (heading, text) = words(error);
    let base_path = app.base_path();
    let start_again = match error {
        Error::AnswerNotBelieved(state) => {
            Some(format!("{base_path}/connect/start/{}?state={}", state.attempt, state.expose()))
        }
        _ => None,
    };
    let message = Message {
        title: heading,
        tone: if status >= 500 { Tone::Bad } else { Tone::Neutral },
        heading,
        text: &text,
        next: start_again.as_deref().map(|address| (address, "Start again")),
        new_window: false,
        request_id,
        base_path: &base_path,
    };
    Response { status, ..Response::html(render(&message)) }.with("x-mooring-error", code)
}

/// For whom a connection is, as a person reads it: the label that the app's back end gave, else the raw identity, else
/// everyone in the app.
#[must_use]
pub fn for_whom(label: Option<&str>, identity: Option<&Identity>, app_name: &str) -> String {
    match (label, identity) {
        (Some(label), _) => label.to_owned(),
        (None, Some(identity)) => identity.identity.clone(),
        (None, None) => format!("everyone in {app_name}"),
    }
}

/// What a person reads. Each sentence ends with what they can do.
fn words(error: &Error) -> (&'static str, String) {
    const AGAIN: &str = "Go back to the app and start again.";
    match error {
        Error::AlreadyUsed => ("This link was already used", format!("A link works once, in the browser that opened it first. {AGAIN}")),
        Error::Expired => ("This link has expired", format!("It was not used in time, so nothing was connected. {AGAIN}")),
        Error::UnknownState => (
            "We don't know this link",
            format!("It was not made here, or it was opened in another browser. Nothing was connected. {AGAIN}"),
        ),
        Error::AnswerNotBelieved(_) => (
            "This answer can't be trusted",
            "It did not come from the provider that you were sent to, so it was thrown away and nothing was connected. You can start again from here.".to_owned(),
        ),
        Error::ForgedForm => ("This form can't be accepted", "It was not sent from our page, or its page is too old. Go back, reload the page and try again.".to_owned()),
        Error::NotFound(missing) => ("Nothing here", format!("Sorry, {missing}. {AGAIN}")),
        Error::Refused { code: Refusal::InvalidCredentials, why } => ("That did not work", format!("{why}. Check them and try again.")),
        Error::InvalidRequest(why) | Error::Refused { why, .. } => ("This link is not complete", format!("{}. {AGAIN}", sentence(why))),
        Error::ClientNotConfigured(_) => (
            "This connection is not set up yet",
            "The app's developers have not registered it at the provider. Please tell them; there is nothing you can do here.".to_owned(),
        ),
        Error::Provider { connector, .. } => (
            "The provider did not answer as expected",
            format!("Something went wrong between us and {connector}, and nothing was connected. Please try again in a few minutes."),
        ),
        Error::BaseUrlUnknown | Error::RetryLater { .. } => ("Not just now", format!("{}.", sentence(&error.to_string()))),
        Error::MethodNotAllowed(_) | Error::TooLarge(_) | Error::UnsupportedMediaType(_) => ("This can't be read", format!("{}. {AGAIN}", sentence(&error.to_string()))),
        Error::Unauthenticated { .. } | Error::RoleMissing(_) | Error::RootKeyMissing
        | Error::LiveKeyMissing | Error::Conflict(_) | Error::NeedsReauth => ("That was not possible", format!("{}. {AGAIN}", sentence(&error.to_string()))),
        Error::Storage(_) | Error::Vault(_) => ("Something went wrong on our side", "Nothing was connected. Please try again in a few minutes; if it stays so, pass on the number below.".to_owned()),
    }
}

/// With a capital letter in front.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
