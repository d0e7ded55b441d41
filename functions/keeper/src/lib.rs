//! Scheduled work: every minute, forget what nobody claimed, send what could not be sent, renew what would die unused, and
//! register anew what a server has forgotten.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use shared::{
    app::App,
    clock::Timestamp,
    error::Error,
    flow::{registration::Looked, revoke::AT_ONCE},
    id::{AttemptId, ConnectionKey},
    store::journal::{Noted, Queued},
};

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Held grants that were forgotten; revoked too, where it is known whose they are.
    pub forgotten: usize,
    /// Queued revocations that were tried.
    pub tried: usize,
    /// Connections that nobody used and that were renewed before they died of it.
    pub renewed: usize,
    /// Registered clients that their servers had forgotten, and that were registered anew.
    pub registered: usize,
    /// What failed and is left to the next round.
    pub failed: usize,
}

/// One thing to be done in a round.
enum Work<'a> {
    /// A held grant whose ten minutes are over.
    Forget(&'a AttemptId),
    /// A revocation whose time has come.
    Revoke(&'a Queued),
    /// A connection that may have to be renewed although nobody uses it.
    Renew(&'a ConnectionKey),
    /// A registered client that its server refused.
    LookInto(&'a Noted),
}

/// What became of it.
enum Done {
    Forgotten,
    Tried,
    Renewed,
    Registered,
    Failed,
    /// There was nothing to do any more, or no time left to do it.
    Left,
}

/// One round: held grants whose ten minutes are over, and the revoke queue. A few at once, so that a slow provider does not
/// hold up the rest; one that fails does not stop the others; what no time is left for before the deadline is left to the
/// next round.
pub async fn keep(app: &Arc<App>, deadline: Option<Timestamp>) -> Result<Round, Error> {
    let now = app.clock.now();
    let (overdue, due, renewals, noted) = tokio::join!(
        app.connections.overdue(now),
        app.journal.due(now),
        app.connections.due_renewals(now),
        app.journal.forgotten(now)
    );
    let forget = overdue.iter().flatten().map(Work::Forget);
    let work = forget.chain(due.iter().flatten().map(Work::Revoke));
    let work = work.chain(renewals.iter().flatten().map(Work::Renew)).chain(noted.iter().flatten().map(Work::LookInto));
    let work: Vec<_> = work.map(|work| work.done(app, deadline)).collect();
    let done: Vec<Done> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    let round = done.iter().fold(Round::default(), Round::with);
    if round != Round::default() {
        tracing::info!(
            forgotten = round.forgotten,
            tried = round.tried,
            renewed = round.renewed,
            registered = round.registered,
            failed = round.failed,
            "kept"
        );
    }
    // a list that can't be read does not stop the others
    overdue?;
    due?;
    renewals?;
    noted?;
    Ok(round)
}

impl Work<'_> {
    async fn done(self, app: &Arc<App>, deadline: Option<Timestamp>) -> Done {
        if !app.has_time_to_revoke(deadline) {
            return Done::Left;
        }
        match self {
            Self::Forget(attempt) => match app.abandon(attempt).await {
                // completed in its last moment, while the index still showed it
                Ok(None) => Done::Left,
                Ok(Some(_)) => Done::Forgotten,
                Err(error) => {
                    tracing::error!(%attempt, cause = shared::error::chain(&error), "a held grant could not be forgotten");
                    Done::Failed
                }
            },
            Self::Revoke(queued) => match app.work_off(queued).await {
                Ok(_) => Done::Tried,
                Err(error) => {
                    tracing::error!(
                        cause = shared::error::chain(&error),
                        "a queued revocation could not be worked off"
                    );
                    Done::Failed
                }
            },
            Self::Renew(key) => match app.keep_alive(key, deadline).await {
                Ok(true) => Done::Renewed,
                Ok(false) => Done::Left,
                Err(error) => {
                    let cause = shared::error::chain(&error);
                    tracing::error!(connection = %key, cause, "a connection could not be kept alive");
                    Done::Failed
                }
            },
            Self::LookInto(noted) => match look_into(app, noted).await {
                Ok(Looked::Replaced) => Done::Registered,
                Ok(Looked::Forgotten | Looked::Kept) => Done::Left,
                Err(error) => {
                    tracing::error!(
                        connector = %noted.forgotten.connector,
                        cause = shared::error::chain(&error),
                        "a forgotten client could not be registered anew"
                    );
                    Done::Failed
                }
            },
        }
    }
}

/// Registers another client where the server has really forgotten the one that it refused. What fails is tried again, ever
/// later.
async fn look_into(app: &App, noted: &Noted) -> Result<Looked, Error> {
    match app.look_into(&noted.forgotten).await {
        Ok(looked) => {
            app.journal.forgotten_done(noted).await?;
            Ok(looked)
        }
        Err(error) => {
            app.journal.forgotten_later(noted, app.clock.now()).await?;
            Err(error)
        }
    }
}

impl Round {
    fn with(mut self, done: &Done) -> Self {
        match done {
            Done::Forgotten => self.forgotten += 1,
            Done::Tried => self.tried += 1,
            Done::Renewed => self.renewed += 1,
            Done::Registered => self.registered += 1,
            Done::Failed => self.failed += 1,
            Done::Left => {}
        }
        self
    }
}
