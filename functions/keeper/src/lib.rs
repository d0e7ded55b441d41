//! Scheduled work: every minute, forget what nobody claimed and send what could not be sent.

use shared::{app::App, error::Error};

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Held grants that were forgotten; revoked too, where it is known whose they are.
    pub forgotten: usize,
    /// Queued revocations that were tried.
    pub tried: usize,
    /// What failed and is left to the next round.
    pub failed: usize,
}

/// One round: held grants whose ten minutes are over, then the revoke queue. One that fails does not stop the others.
pub async fn keep(app: &App) -> Result<Round, Error> {
    let now = app.clock.now();
    let mut round = Round::default();
    for attempt in app.connections.overdue(now).await? {
        match app.abandon(&attempt).await {
            // completed in its last moment, while the index still showed it
            Ok(None) => {}
            Ok(Some(_)) => round.forgotten += 1,
            Err(error) => {
                round.failed += 1;
                tracing::error!(%attempt, cause = shared::error::chain(&error), "a held grant could not be forgotten");
            }
        }
    }
    for queued in app.journal.due(app.clock.now()).await? {
        match app.work_off(&queued).await {
            Ok(_) => round.tried += 1,
            Err(error) => {
                round.failed += 1;
                tracing::error!(cause = shared::error::chain(&error), "a queued revocation could not be worked off");
            }
        }
    }
    if round != Round::default() {
        tracing::info!(forgotten = round.forgotten, tried = round.tried, failed = round.failed, "kept");
    }
    Ok(round)
}
