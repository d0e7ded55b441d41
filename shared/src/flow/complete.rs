//! Completing a held grant: the last check, and the connection.

use crate::{
    app::App,
    error::{Error, Missing, Refusal},
    flow::finish::{Ending, completion_code},
    id::{Environment, Identity, ProjectId},
    secret::Bearer,
    store::{
        attempts::{Attempt, Status},
        connections::{Beside, Completer, Connection, Held, Renewal},
        settings::Key,
    },
};

/// How often a renewal is tried anew when the connection was changed in between.
const RENEWALS: usize = 5;

impl App {
    /// Completes a held grant. One that can't become a connection, since its user was deleted while it was on its way or it would
    /// renew a connection with another account, is treated as one that nobody claims: forgotten and revoked, and the attempt
    /// says why.
    pub async fn complete(&self, held: &Held, reconnect: bool, by: &Completer<'_>) -> Result<Connection, Error> {
        let completed = if reconnect {
            self.reconnect(held, by).await
        } else {
            self.connections.complete(self.beside(), held, None, by, self.clock.now()).await
        };
        self.or_give_back(held, completed).await
    }

    /// Fails if a held grant would renew a connection with another account, and gives it back.
    pub async fn must_be_completable(&self, held: &Held, reconnect: bool) -> Result<(), Error> {
        if !reconnect {
            return Ok(());
        }
        let old = self.connections.find(&held.connection.key).await?;
        let checked = old.map_or(Ok(()), |old| must_be_the_same_account(&old.connection, &held.connection));
        self.or_give_back(held, checked).await
    }

    /// What can never become a connection is treated as what nobody claims.
    async fn or_give_back<T>(&self, held: &Held, result: Result<T, Error>) -> Result<T, Error> {
        let reason = match &result {
            Err(Error::NotFound(missing @ Missing::User)) => missing.code(),
            Err(Error::Refused { code: code @ Refusal::WrongAccount, .. }) => code.code(),
            Ok(_) | Err(_) => return result,
        };
        self.abandon(&held.attempt).await?;
        self.attempts.fail(&held.attempt, reason).await?;
        result
    }

    /// Completes a held grant that renews a connection, and has the grant that was there revoked where that ends nothing else.
    /// What was changed or refreshed since it was read is not written over: it is read again.
    async fn reconnect(&self, held: &Held, by: &Completer<'_>) -> Result<Connection, Error> {
        for _ in 0..RENEWALS {
            let old = self.connections.find(&held.connection.key).await?;
            let old = old.ok_or(Error::NotFound(Missing::Connection))?;
            must_be_the_same_account(&old.connection, &held.connection)?;
            let queued = self.replaced(&old, held).await?;
            let renewal = Renewal { old: &old, revoke: queued.as_ref() };
            match self.connections.complete(self.beside(), held, Some(renewal), by, self.clock.now()).await {
                Err(Error::Conflict(_)) => {}
                completed => return completed,
            }
        }
        Err(Error::Conflict("the connection"))
    }

    /// What a completion is written to, or conditioned on, besides the connections.
    #[must_use]
    pub fn beside(&self) -> Beside<'_> {
        let Self { attempts, codes, settings, journal, .. } = self;
        Beside { attempts, codes, settings, journal }
    }

    /// Completes a held grant in the browser that it is held for. What it comes to if somebody was faster, by a second click or in
    /// another tab, or if the keeper was, is told as it stands.
    pub async fn complete_in_browser(
        &self,
        attempt: &Attempt,
        held: Option<Held>,
        cookie: &Bearer,
    ) -> Result<Ending, Error> {
        let code = completion_code(attempt, cookie);
        if let Some(held) = held {
            let by = Completer::Person { browser: cookie.digest(), code: code.as_ref() };
            match self.complete(&held, attempt.reconnect, &by).await {
                Ok(_) => return Ok(Ending::Connected(code)),
                // an outcome, which the page of it tells
                Err(Error::AlreadyUsed | Error::Refused { code: Refusal::WrongAccount, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let progress = self.attempts.progress_of(&attempt.id, self.clock.now()).await?;
        if progress.status == Status::Held { Err(Error::AlreadyUsed) } else { Ok(Ending::of(&progress, cookie)) }
    }

    /// Fails if this process knows that the user was deleted, which it may learn half a minute late: for the beginning of a way
    /// at whose end the connection is not made.
    pub async fn must_not_be_deleted(
        &self,
        project: &ProjectId,
        environment: Environment,
        identity: Option<&Identity>,
    ) -> Result<(), Error> {
        let Some(identity) = identity else { return Ok(()) };
        let key = Key::DeletedUser(project.clone(), environment, identity.clone());
        let read = self.settings.read(std::slice::from_ref(&key), self.clock.now()).await?;
        if read.is_deleted(&key) { Err(Error::NotFound(Missing::User)) } else { Ok(()) }
    }
}

/// Fails if the connection that would be renewed is to another account: who has access through it would be exchanged without the
/// app's noticing. Where either account is unknown there is nothing to compare.
fn must_be_the_same_account(old: &Connection, renewed: &Connection) -> Result<(), Error> {
    match (&old.account.id, &renewed.account.id) {
        (Some(old), Some(new)) if old != new => Err(Error::refused(
            Refusal::WrongAccount,
            "the connection is to another account than the one consented with, and stays as it was",
        )),
        _ => Ok(()),
    }
}
