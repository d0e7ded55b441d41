//! The last page: what became of an attempt, and the one thing to do next.

use askama::Template;
use shared::{
    app::App,
    error::Error,
    flow::finish::SERVER_ERROR,
    http::{Request, Response},
    page::{self, Frame, Language, Tone},
    protocol::scope,
    store::{
        attempts::{Attempt, Progress, Shape, Status},
        connections::Connection,
        settings::{Key, Project},
    },
};

use crate::confirmation::Own;

#[derive(Template)]
#[template(path = "outcome.html")]
struct Outcome<'a> {
    frame: &'a Frame,
    app_name: &'a str,
    words: &'a Words,
    account: Option<&'a str>,
    missing: &'a [&'a str],
    again: Option<&'a str>,
    lack: &'a str,
    told: Option<Told<'a>>,
}

/// What the page that opened this one is told.
struct Told<'a> {
    status: &'static str,
    attempt: &'a str,
    also: &'static str,
    origins: String,
}

struct Words {
    heading: String,
    tone: Tone,
    text: String,
}

/// How it ended, for the browser whose attempt it was.
pub async fn page(app: &App, request: &Request) -> Result<Response, Error> {
    let Own { progress, .. } = Own::of(app, request).await?;
    let attempt = &progress.attempt;
    let keys = [Key::Project(attempt.project.clone()), Key::Deployment];
    let project = app.settings.read(&keys, app.clock.now()).await?.project(&attempt.project)?;
    let connection = connection(app, &progress).await?;

    let frame = match &project {
        Some(project) => Frame::of(app, request).dressed(project),
        None => Frame::of(app, request),
    };
    let granted = connection.as_ref().filter(|_| progress.status == Status::Connected);
    let again = again(&frame, &progress);
    let outcome = Outcome {
        frame: &frame,
        app_name: &attempt.app_name,
        words: &words(frame.t, &progress, connection.as_ref()),
        account: granted.and_then(|connection| connection.account.name()),
        missing: &granted.map(|connection| scope::missing(&attempt.scopes, &connection.scopes)).unwrap_or_default(),
        lack: &frame.t.outcome_scopes(&attempt.app_name, &attempt.connector_name),
        again: again.as_deref(),
        told: told(&progress, project.as_ref()),
    };
    Ok(frame.show(&outcome, page::NOBODY))
}

/// The connection that was made, or that another account would have taken.
async fn connection(app: &App, progress: &Progress) -> Result<Option<Connection>, Error> {
    if progress.status == Status::Connected || progress.error.as_deref() == Some("wrong_account") {
        let stored = app.connections.find(&progress.attempt.connection).await?;
        return Ok(stored.map(|stored| stored.connection));
    }
    Ok(None)
}

/// Where to try again: the link's own page, as long as it is open to this browser.
fn again(frame: &Frame, progress: &Progress) -> Option<String> {
    let Attempt { connector, shape, reconnect, .. } = &progress.attempt;
    let Shape::Link { link: Some(link), .. } = shape else { return None };
    let page = if *reconnect { "/edit" } else { "" };
    let ended = matches!(progress.status, Status::Denied | Status::Failed | Status::Expired);
    let helps = !matches!(progress.error.as_deref(), Some("user_not_found" | "client_not_configured"));
    (ended && helps).then(|| format!("{}/connect/{connector}{page}?link={link}", frame.base_path))
}

/// Only an end is told. `vectorize-…` is what existing pages of customers wait for, besides our own message.
fn told<'a>(progress: &'a Progress, project: Option<&Project>) -> Option<Told<'a>> {
    let Progress { attempt, status, .. } = progress;
    let also = match (status, &attempt.shape) {
        (Status::Connected, Shape::Link { .. }) if attempt.reconnect => "vectorize-edit-complete",
        (Status::Connected, Shape::Link { .. }) => "vectorize-connect-complete",
        (Status::Connected | Status::Denied | Status::Failed | Status::Expired, _) => "",
        (Status::Pending | Status::Claimed | Status::Held, _) => return None,
    };
    let origins = project.map(|project| project.allowed_origins.join(" ")).unwrap_or_default();
    Some(Told { status: status.as_str(), attempt: attempt.id.as_str(), also, origins })
}

fn words(t: Language, progress: &Progress, connection: Option<&Connection>) -> Words {
    let Attempt { app_name: app, connector_name: connector, .. } = &progress.attempt;
    let error = progress.error.as_deref().unwrap_or_default();
    let words = |tone, heading, text| Words { heading, tone, text };
    match (&progress.status, error) {
        (Status::Connected, _) => words(Tone::Good, t.outcome_connected(), t.outcome_connected_text(app, connector)),
        (Status::Denied, "access_denied" | "not_confirmed") => {
            words(Tone::Neutral, t.outcome_not_connected(), t.outcome_declined_text(app))
        }
        (Status::Denied, _) => {
            words(Tone::Bad, t.outcome_not_connected(), t.outcome_refused_text(app, connector, error))
        }
        (Status::Failed, "provider_timeout" | "provider_unreachable" | "provider_failed") => {
            words(Tone::Bad, t.outcome_down(), t.outcome_down_text(app, connector))
        }
        (Status::Failed, "wrong_account") => {
            let expected = connection.and_then(|connection| connection.account.name());
            let text = match expected {
                Some(expected) => t.outcome_other_account_text(expected, connector),
                None => t.outcome_other_account_unnamed_text(connector),
            };
            words(Tone::Neutral, t.outcome_other_account(), text)
        }
        (Status::Failed, "nothing_to_connect") => {
            words(Tone::Neutral, t.outcome_nothing(), t.outcome_nothing_text(connector))
        }
        (Status::Failed, "client_not_configured") => {
            words(Tone::Bad, t.outcome_failed(), t.outcome_unconfigured_text(app, connector))
        }
        (Status::Failed, SERVER_ERROR) => words(Tone::Bad, t.outcome_failed(), t.outcome_ours_text(app, error)),
        (Status::Failed, "user_not_found") => {
            words(Tone::Neutral, t.outcome_not_connected(), t.outcome_user_gone_text(app))
        }
        (Status::Failed, _) => words(Tone::Bad, t.outcome_failed(), t.outcome_failed_text(app, connector, error)),
        (Status::Expired, _) => words(Tone::Neutral, t.outcome_late(), t.outcome_late_text(app)),
        (Status::Held, _) => words(Tone::Neutral, t.outcome_held(), t.outcome_held_text(app)),
        (Status::Pending | Status::Claimed, _) => {
            words(Tone::Neutral, t.outcome_pending(), t.outcome_pending_text(app, connector))
        }
    }
}
