//! Pages that several functions show: the frame around each, and what a person is told when something ends.
//!
//! Templates escape by default. A page has no script and no style of its own: one stylesheet and one script are routes of ours.

pub mod fields;
mod language;
mod words;

use askama::Template;
use url::Url;

pub use self::language::Language;
use crate::{
    app::App,
    brand::{Brand, Colour},
    error::{Error, Missing, Refusal},
    http::{Request, Response},
    id::Identity,
    store::settings::Project,
};

/// The stylesheet of every page.
const STYLESHEET: &str = include_str!("../templates/style.css");

/// Nobody may frame a page.
pub const NOBODY: &str = "'none'";

/// What a page may load: our own files, and pictures of one further origin. A form leads to a provider, so where forms go stays
/// open.
#[must_use]
pub fn policy(images: &str, ancestors: &str) -> String {
    let images = if images.is_empty() { String::new() } else { format!(" {images}") };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{images}; base-uri 'none'; frame-ancestors {ancestors}"
    )
}

/// The stylesheet in a project's colour.
#[must_use]
pub fn stylesheet(colour: Option<Colour>) -> String {
    let Some(colour) = colour else { return STYLESHEET.to_owned() };
    let (accent, ink, light, dark) =
        (colour.css(), colour.ink().css(), colour.on_light().css(), colour.on_dark().css());
    format!("{STYLESHEET}:root {{ --accent: {accent}; --accent-ink: {ink}; --mark: light-dark({light}, {dark}); }}\n")
}

/// The header of a page on the way to the outcome: it stays known to the page that opened it, which may wait for the end. Nothing
/// of it can be read there all the same, and it can't be framed.
pub const OPENER: (&str, &str) = ("cross-origin-opener-policy", "unsafe-none");

/// What stands around a page and is the same for all: its language, where its files are, and which request it answers.
pub struct Frame {
    /// The language it is written in, and so every word of it.
    pub t: Language,
    /// What stands before the paths of ours.
    pub base_path: String,
    /// The request, to be named when asking for help.
    pub request_id: String,
    /// The project's own dress, where the project is known.
    pub brand: Brand,
}

impl Frame {
    /// The frame of a request's answer.
    #[must_use]
    pub fn of(app: &App, request: &Request) -> Self {
        Self {
            t: Language::of(request),
            base_path: app.base_path(),
            request_id: request.request_id.clone(),
            brand: Brand::default(),
        }
    }

    /// The same in a project's own dress.
    #[must_use]
    pub fn dressed(self, project: &Project) -> Self {
        Self { brand: project.brand.clone(), ..self }
    }

    /// The stylesheet's address. The colour stands in it, since a page may hold no style of its own.
    #[must_use]
    pub fn stylesheet(&self) -> String {
        let colour = self.brand.colour.map(|colour| format!("?colour={}", colour.css().trim_start_matches('#')));
        format!("{}/connect/style.css{}", self.base_path, colour.unwrap_or_default())
    }

    /// A page of the flow, which may be framed by these origins.
    #[must_use]
    pub fn show(&self, template: &impl Template, ancestors: &str) -> Response {
        let logo = self.brand.logo_url.as_deref().and_then(|url| Url::parse(url).ok());
        let images = logo.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let page = Response::html(render(template)).with("content-security-policy", &policy(&images, ancestors));
        page.with(OPENER.0, OPENER.1)
    }
}

/// A page: a heading, a sentence or two, and the one next step.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    /// What stands around it.
    pub frame: &'a Frame,
    /// How it ended, as a word for the stylesheet.
    pub tone: Tone,
    /// What the person reads first, and what the tab says.
    pub heading: &'a str,
    /// What happened, and what to do.
    pub text: &'a str,
    /// Where to go on: an address and what to call it.
    pub next: Option<(&'a str, &'a str)>,
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
pub fn failure(app: &App, request: &Request, status: u16, code: &str, error: &Error) -> Response {
    let frame = Frame::of(app, request);
    let (heading, text) = words(frame.t, error);
    let start_again = match error {
        Error::AnswerNotBelieved(state) => {
            Some(format!("{}/connect/start/{}?state={}", frame.base_path, state.attempt, state.expose()))
        }
        _ => None,
    };
    let again = frame.t.start_again();
    let message = Message {
        frame: &frame,
        tone: if status >= 500 { Tone::Bad } else { Tone::Neutral },
        heading: &heading,
        text: &text,
        next: start_again.as_deref().map(|address| (address, again.as_str())),
    };
    Response { status, ..Response::html(render(&message)) }.with("x-mooring-error", code)
}

/// For whom a connection is, as a person reads it: the label that the app's back end gave, else the raw identity, else
/// everyone in the app.
#[must_use]
pub fn for_whom(t: Language, label: Option<&str>, identity: Option<&Identity>, app_name: &str) -> String {
    match (label, identity) {
        (Some(label), _) => label.to_owned(),
        (None, Some(identity)) => identity.identity.clone(),
        (None, None) => t.everyone(app_name),
    }
}

/// What a person reads. Each text ends with what they can do; what only a developer can mend stands in the log.
fn words(t: Language, error: &Error) -> (String, String) {
    match error {
        Error::AlreadyUsed => (t.failure_used(), t.failure_used_text()),
        Error::Expired => (t.failure_expired(), t.failure_expired_text()),
        Error::UnknownState => (t.failure_unknown(), t.failure_unknown_text()),
        Error::AnswerNotBelieved(_) => (t.failure_not_believed(), t.failure_not_believed_text()),
        Error::ForgedForm => (t.failure_forged(), t.failure_forged_text()),
        Error::NotFound(missing) => (t.failure_nothing(), missing_words(t, *missing)),
        Error::Refused { code: Refusal::InvalidCredentials, .. } => {
            (t.failure_credentials(), t.failure_credentials_text())
        }
        Error::Refused { code: Refusal::OriginNotAllowed, .. } => (t.failure_origin(), t.failure_origin_text()),
        Error::InvalidRequest(_) | Error::Refused { .. } => (t.failure_incomplete(), t.failure_incomplete_text()),
        Error::NoKey { .. } => (t.failure_credentials(), t.failure_credentials_text()),
        Error::ClientNotConfigured(_) | Error::NotConfigured { .. } => {
            (t.failure_unconfigured(), t.failure_unconfigured_text())
        }
        Error::Provider { connector, .. } => (t.failure_provider(), t.failure_provider_text(connector.as_str())),
        Error::BaseUrlUnknown => (t.failure_not_now(), t.failure_unset_text()),
        Error::RetryLater { .. } => (t.failure_not_now(), t.failure_not_now_text()),
        Error::MethodNotAllowed(_) | Error::TooLarge(_) | Error::UnsupportedMediaType(_) => {
            (t.failure_unreadable(), t.failure_unreadable_text())
        }
        // pages have no other credential
        Error::Unauthenticated { .. } => (t.failure_session(), t.failure_session_text()),
        Error::RoleMissing(_)
        | Error::RootKeyMissing
        | Error::LiveKeyMissing
        | Error::Conflict(_)
        | Error::ChoiceRequired(_)
        | Error::NeedsReauth => (t.failure_impossible(), t.failure_impossible_text()),
        Error::Server { address, .. } => (t.failure_provider(), t.failure_provider_text(address)),
        Error::Storage(_) | Error::Vault(_) => (t.failure_ours(), t.failure_ours_text()),
    }
}

fn missing_words(t: Language, missing: Missing) -> String {
    match missing {
        Missing::Connector => t.failure_connector_text(),
        Missing::Connection => t.failure_connection_text(),
        Missing::User => t.failure_user_text(),
        Missing::Route
        | Missing::Credential
        | Missing::Project
        | Missing::Environment
        | Missing::Client
        | Missing::Attempt => t.failure_nothing_text(),
    }
}

/// With a capital letter in front.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
