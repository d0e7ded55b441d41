//! Completing a held grant: the last check, and the connection.

use crate::{
    app::App,
    error::{Error, Missing, Refusal},
    flow::finish::{Ending, completion_code},
    id::{Environment, Identity, ProjectId},
    secret::{Bearer, digest},
    store::{
        attempts::{Attempt, Status},
        connections::{Account, Beside, Completer, Connection, Held, Renewal},
        settings::{Key, OtherAccount},
    },
};

/// How often a renewal is tried anew when the connection was changed in between.
const RENEWALS: usize = 5;

impl App {
    /// Completes a held grant. One that can't become a connection, since its user was deleted while it was on its way or it would
    /// renew a connection with another account, is treated as one that nobody claims: forgotten and revoked, and the attempt
    /// says why.
    pub async fn complete(&self, held: &Held, reconnect: bool, by: &Completer<'_>) -> Result<Connection, Error> {
        self.complete_agreeing(held, reconnect, by, None).await
    }

    /// The same where the person may have agreed to an exchange of accounts: [`exchange`] names the two that were shown.
    pub async fn complete_agreeing(
        &self,
        held: &Held,
        reconnect: bool,
        by: &Completer<'_>,
        agreed: Option<&str>,
    ) -> Result<Connection, Error> {
        held.must_wait_for_nothing()?;
        let completed = if reconnect {
            self.reconnect(held, by, agreed).await
        } else {
            self.connections.complete(self.beside(), held, None, by, self.clock.now()).await
        };
        self.or_give_back(held, completed).await
    }

    /// The account that a held grant would put another one in place of, where the person has to agree to that. Fails where nobody may,
    /// and gives the grant back.
    pub async fn exchanged_account(&self, held: &Held, reconnect: bool) -> Result<Option<Account>, Error> {
        if !reconnect || held.choices.is_some() {
            return Ok(None);
        }
        let Some(old) = self.connections.find(&held.connection.key).await? else { return Ok(None) };
        match self.or_give_back(held, self.account_may_change(&old.connection, held, None).await).await {
            Ok(()) => Ok(None),
            Err(Error::Refused { code: Refusal::AccountNotConfirmed, .. }) => Ok(Some(old.connection.account)),
            Err(error) => Err(error),
        }
    }

    /// Fails if the connection that would be renewed is to another account, unless the project leaves that be or to the person:
    /// who has access through it would be exchanged without the app's noticing. Where it was to nobody known, or the connector tells
    /// nobody any more, there is nothing to compare.
    async fn account_may_change(&self, old: &Connection, held: &Held, agreed: Option<&str>) -> Result<(), Error> {
        let Some(exchange) = exchange(&old.account, &held.connection.account) else { return Ok(()) };
        let is_told = held.connection.account.id.is_some();
        if !is_told && !self.connector_of(old).await?.tells_account() {
            return Ok(());
        }
        let key = Key::Project(old.project.clone());
        let read = self.settings.read(std::slice::from_ref(&key), self.clock.now()).await?;
        let project = read.project(&old.project)?.ok_or(Error::NotFound(Missing::Project))?;
        match project.reconnect_other_account {
            OtherAccount::Allow => Ok(()),
            OtherAccount::Ask if agreed == Some(exchange.as_str()) => Ok(()),
            OtherAccount::Ask => Err(Error::refused(
                Refusal::AccountNotConfirmed,
                "the connection is to another account than the one consented with: the person has to say so on our page",
            )),
            OtherAccount::Deny if is_told => Err(Error::refused(
                Refusal::WrongAccount,
                "the connection is to another account than the one consented with, and stays as it was",
            )),
            OtherAccount::Deny => Err(Error::refused(
                Refusal::WrongAccount,
                "the provider does not tell whose account was consented with, so the connection stays as it was",
            )),
        }
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
    async fn reconnect(&self, held: &Held, by: &Completer<'_>, agreed: Option<&str>) -> Result<Connection, Error> {
        for _ in 0..RENEWALS {
            let old = self.connections.find(&held.connection.key).await?;
            let old = old.ok_or(Error::NotFound(Missing::Connection))?;
            self.account_may_change(&old.connection, held, agreed).await?;
            let queued = self.replaced(&old, held).await?;
            let renewal = Renewal { old: &old, revoke: queued.as_ref() };
            match self.connections.complete(self.beside(), held, Some(renewal), by, self.clock.now()).await {
                Err(Error::Conflict(_)) => {}
                Ok(renewed) => {
                    if exchange(&old.connection.account, &renewed.account).is_some() {
                        tracing::info!(connection = %renewed.key, attempt = %held.attempt, "a connection is to another account from now on");
                    }
                    return Ok(renewed);
                }
                failed => return failed,
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
        self.complete_in_browser_agreeing(attempt, held, cookie, None).await
    }

    /// The same where the person may have agreed to an exchange of accounts. Where they still have to, or to choose, the grant stays
    /// held, and our page asks.
    pub async fn complete_in_browser_agreeing(
        &self,
        attempt: &Attempt,
        held: Option<Held>,
        cookie: &Bearer,
        agreed: Option<&str>,
    ) -> Result<Ending, Error> {
        let code = completion_code(attempt, cookie);
        if let Some(held) = held {
            let by = Completer::Person { browser: cookie.digest(), code: code.as_ref() };
            match self.complete_agreeing(&held, attempt.reconnect, &by, agreed).await {
                Ok(_) => return Ok(Ending::Connected(code)),
                Err(Error::ChoiceRequired(_) | Error::Refused { code: Refusal::AccountNotConfirmed, .. }) => {
                    return Ok(Ending::Held(None));
                }
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

/// The two accounts of an exchange, in a word that a form carries: what the person agreed to is what they were shown. None where
/// they are the same, or nothing was known before. An account that is not told any more may be any: a person can see to it that the
/// provider does not tell.
#[must_use]
pub fn exchange(old: &Account, new: &Account) -> Option<String> {
    let (old, new) = (old.id.as_ref()?, new.id.as_deref());
    (Some(old.as_str()) != new)
        .then(|| digest(&format!("{}:{old}{}", old.len(), new.unwrap_or_default())).as_str().to_owned())
}
