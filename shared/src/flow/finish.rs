//! The end of a flow: where the browser goes, for each shape in which one can start.
//!
//! | started by | held | connected | denied or failed |
//! |---|---|---|---|
//! | one-time link, session link | our confirmation | `return_to?status=connected&connection=…`, else our page | `return_to?error=…`, else our page |
//! | authorization URL for a front end | our confirmation | `baseUrl?status=connected&connection=…`, else our page | `baseUrl?error=…`, else our page |
//! | page with a session, bound | — (completed at once) | `return_to?mooring_attempt=…`, else our page | the same |
//! | page with a session, otherwise | our confirmation | the same | the same |
//! | published widget, same window | our confirmation | the page that it left, with `one_auth_state`, else our page | the same with `one_auth_error` |
//! | code on another device | — (completed at once) | — (no browser) | — |
//! | credentials, the app vouches | `redirectUri?code=…&state=…` | — | `redirectUri?error=…&state=…` |
//! | credentials, otherwise | our confirmation | `redirectUri?code=…&state=…` | `redirectUri?error=…&state=…` |

use askama::Template;
use url::Url;

use crate::{
    app::App,
    error::Error,
    http::Response,
    page,
    protocol::return_address::ReturnAddress,
    secret::Bearer,
    store::{
        attempts::{Attempt, Completion, Progress, Shape, Status},
        settings::Key,
    },
};

/// The error of an attempt that failed on our side, in the words of RFC 6749 §4.1.2.1.
pub const SERVER_ERROR: &str = "server_error";

/// What names the attempt to a page that asks the server how it ended. It completes nothing and proves nothing.
const ATTEMPT: &str = "mooring_attempt";

/// How far an attempt came.
#[derive(Debug)]
pub enum Ending {
    /// A grant is held; the app completes it with this code, or the person on our page.
    Held(Option<Bearer>),
    /// There is a connection; in the credentials shape the app redeems this code for it.
    Connected(Option<Bearer>),
    /// The person or the provider said no.
    Denied(String),
    /// It went wrong.
    Failed(String),
    /// The same browser came again after the end.
    Before(Status, Option<String>),
}

/// What the app's back end redeems, in the shape that has it. It is derived from the attempt's cookie: a second click or a
/// reload brings the same code again, and nobody without the cookie can tell it.
#[must_use]
pub fn completion_code(attempt: &Attempt, cookie: &Bearer) -> Option<Bearer> {
    match attempt.shape {
        Shape::Credentials { .. } => Some(cookie.derived(&format!("completion code {}", attempt.id))),
        Shape::Link { .. } | Shape::FrontEnd { .. } | Shape::Page { .. } | Shape::Widget | Shape::Device => None,
    }
}

impl Ending {
    /// What became of an attempt, for its own browser when that comes again.
    #[must_use]
    pub fn of(progress: &Progress, cookie: &Bearer) -> Self {
        let code = || completion_code(&progress.attempt, cookie);
        let error = || progress.error.clone().unwrap_or_default();
        match (&progress.status, progress.attempt.completion) {
            (Status::Held, Completion::AppVouches) => Self::Held(code()),
            (Status::Held, Completion::PersonConfirms | Completion::BoundAtStart) => Self::Held(None),
            (Status::Connected, _) => Self::Connected(code()),
            (Status::Denied, _) => Self::Denied(error()),
            (Status::Failed, _) => Self::Failed(error()),
            (Status::Pending | Status::Claimed | Status::Expired, _) => {
                Self::Before(progress.status.clone(), progress.error.clone())
            }
        }
    }

    /// The code of a failure that is the provider's: an outcome of the flow. Ours are errors of the request.
    #[must_use]
    pub fn code_of(error: &Error) -> Option<&'static str> {
        match error {
            Error::Provider { cause, .. } => Some(cause.code()),
            Error::ClientNotConfigured(_) | Error::NotConfigured { .. } => Some("client_not_configured"),
            _ => None,
        }
    }
}

impl App {
    /// Sends the browser where this attempt's shape says.
    pub async fn end(&self, progress: &Progress, ending: Ending) -> Result<Response, Error> {
        let base_url = self.base_url(self.clock.now()).await?;
        let attempt = &progress.attempt;
        let response = match ending {
            Ending::Held(Some(code)) | Ending::Connected(Some(code)) => {
                Response::redirect(&with_code(progress, &code)?)
            }
            Ending::Held(None) => Response::redirect(&format!("{base_url}/connect/confirm/{}", attempt.id)),
            Ending::Connected(None) if attempt.shape == Shape::Widget => self.to_widget(progress, None).await?,
            Ending::Denied(reason) | Ending::Failed(reason) if attempt.shape == Shape::Widget => {
                self.to_widget(progress, Some(&reason)).await?
            }
            Ending::Denied(reason) => refused(progress, &Status::Denied, &reason, &base_url)?,
            Ending::Failed(reason) => refused(progress, &Status::Failed, &reason, &base_url)?,
            Ending::Connected(None) => connected(attempt, &base_url)?,
            Ending::Before(..) => to_outcome(attempt, &base_url),
        };
        Ok(response.with("referrer-policy", "no-referrer"))
    }

    /// Back to the page that the published widget left, if it is one of the project's: anybody can have written the address.
    async fn to_widget(&self, progress: &Progress, error: Option<&str>) -> Result<Response, Error> {
        let Progress { attempt, came_from, .. } = progress;
        let now = self.clock.now();
        let read = self.settings.read(&[Key::Project(attempt.project.clone()), Key::Deployment], now).await?;
        let allowed = read.project(&attempt.project)?.map(|project| project.allowed_origins).unwrap_or_default();
        let page = came_from.as_deref().and_then(ReturnAddress::parse).filter(|page| page.is_of(&allowed));
        Ok(match page {
            Some(page) => Response::redirect(&page.with(attempt.id.as_str(), error)),
            None => to_outcome(attempt, &self.base_url(now).await?),
        })
    }
}

fn connected(attempt: &Attempt, base_url: &str) -> Result<Response, Error> {
    let Some(target) = target(attempt) else { return Ok(to_outcome(attempt, base_url)) };
    let parameters = match attempt.shape {
        Shape::Page { .. } => vec![(ATTEMPT, attempt.id.as_str())],
        Shape::Link { .. } | Shape::FrontEnd { .. } | Shape::Credentials { .. } | Shape::Widget | Shape::Device => {
            vec![
                ("status", "connected"),
                ("connection", attempt.connection.as_str()),
                ("connector", attempt.connector.as_str()),
            ]
        }
    };
    Ok(Response::redirect(&with_parameters(target, &parameters)?))
}

fn refused(progress: &Progress, status: &Status, reason: &str, base_url: &str) -> Result<Response, Error> {
    let attempt = &progress.attempt;
    let Some(target) = target(attempt) else { return Ok(to_outcome(attempt, base_url)) };
    let mut parameters = vec![("error", reason), ("error_description", description(status, reason))];
    match attempt.shape {
        Shape::Page { .. } => parameters = vec![(ATTEMPT, attempt.id.as_str())],
        Shape::Credentials { .. } => parameters.extend(progress.state.as_deref().map(|state| ("state", state))),
        Shape::Link { .. } | Shape::FrontEnd { .. } | Shape::Widget | Shape::Device => {
            parameters.push(("connector", attempt.connector.as_str()));
        }
    }
    Ok(Response::redirect(&with_parameters(target, &parameters)?))
}

/// On to our own last page, which has an address of its own and so the language of who reads it. Clients of the front-end
/// shape accept only a final 302: they get one without `Location`, whose page goes on by itself.
fn to_outcome(attempt: &Attempt, base_url: &str) -> Response {
    let address = format!("{base_url}/connect/outcome/{}", attempt.id);
    match attempt.shape {
        Shape::FrontEnd { .. } => Response::found_page(page::render(&Onward { address: &address })),
        Shape::Link { .. } | Shape::Credentials { .. } | Shape::Page { .. } | Shape::Widget | Shape::Device => {
            Response::redirect(&address)
        }
    }
}

/// A page that leads on.
#[derive(Template)]
#[template(path = "onward.html")]
struct Onward<'a> {
    address: &'a str,
}

fn description(status: &Status, reason: &str) -> &'static str {
    match (status, reason) {
        (Status::Denied, "access_denied" | "not_confirmed") => "the person did not agree",
        (Status::Denied, _) | (_, "provider_refused") => "the provider refused",
        (_, SERVER_ERROR) => "the service failed",
        (_, "wrong_account") => "the connection is to another account",
        (_, "nothing_to_connect") => "the account has nothing that could be connected",
        (_, "provider_timeout" | "provider_unreachable") => "the provider did not answer",
        (_, "provider_failed") => "the provider failed",
        _ => "the provider did not answer as expected",
    }
}

/// The address in the customer's hands that was agreed when the attempt was made.
fn target(attempt: &Attempt) -> Option<&str> {
    match &attempt.shape {
        Shape::Link { return_to, .. } | Shape::Page { return_to } => return_to.as_deref(),
        Shape::FrontEnd { base_url } => base_url.as_deref(),
        Shape::Credentials { redirect_uri } => Some(redirect_uri),
        Shape::Widget | Shape::Device => None,
    }
}

/// `redirectUri?code=…&state=…`: the state is the one of the authorization URL, which the app may have remembered.
fn with_code(progress: &Progress, code: &Bearer) -> Result<String, Error> {
    let target = target(&progress.attempt).ok_or(Error::UnknownState)?;
    let state = progress.state.as_deref().unwrap_or_default();
    with_parameters(target, &[("code", code.expose()), ("state", state)])
}

/// Appends to the query that is there. The address was compared with the project's when the attempt was made.
fn with_parameters(target: &str, parameters: &[(&str, &str)]) -> Result<String, Error> {
    let mut url = Url::parse(target).map_err(|_| Error::UnknownState)?;
    url.query_pairs_mut().extend_pairs(parameters);
    Ok(url.into())
}
