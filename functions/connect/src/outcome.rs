//! The last page: what became of an attempt, and the one thing to do next.

use askama::Template;
use shared::{
    app::App,
    error::Error,
    http::{Request, Response},
    page::{self, Frame, Language, Tone},
    store::attempts::{Attempt, Progress, Status},
};

use crate::confirmation::Own;

#[derive(Template)]
#[template(path = "outcome.html")]
struct Outcome<'a> {
    frame: &'a Frame,
    words: &'a Words,
}

struct Words {
    heading: String,
    tone: Tone,
    text: String,
}

/// How it ended, for the browser whose attempt it was.
pub async fn page(app: &App, request: &Request) -> Result<Response, Error> {
    let Own { progress, .. } = Own::of(app, request).await?;
    let frame = Frame::of(app, request);
    let outcome = Outcome { frame: &frame, words: &words(frame.t, &progress) };
    Ok(Response::html(page::render(&outcome)))
}

fn words(t: Language, progress: &Progress) -> Words {
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
        (Status::Failed, "client_not_configured") => {
            words(Tone::Bad, t.outcome_failed(), t.outcome_unconfigured_text(app, connector))
        }
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
