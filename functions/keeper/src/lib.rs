//! Scheduled work: every minute, forget what nobody claimed and send what could not be sent.

use std::time::Duration;

use shared::{app::App, clock::Timestamp, error::Error};

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

/// What one item can take: a revocation within the provider's limit, and the writes around it.
const ITEM: Duration = Duration::from_secs(20);

/// One round: held grants whose ten minutes are over, then the revoke queue. One that fails does not stop the
/// others; what no time is left for before the deadline is left to the next round.
pub async fn keep(app: &App, deadline: Option<Timestamp>) -> Result<Round, Error> {
    let now = app.clock.now();
    let mut round = Round::default();
    for attempt in app.connections.overdue(now).await? {
        if is_late(app, deadline) {
            break;
        }
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
        if is_late(app, deadline) {
            break;
        }
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

fn is_late(app: &App, deadline: Option<Timestamp>) -> bool {
    deadline.is_some_and(|deadline| app.clock.now().after(ITEM) > deadline)
}
