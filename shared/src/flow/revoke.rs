//! Withdrawing consent: at the provider if that is safe, and never somebody else's.
//!
//! Where revocation ends everything that the account granted to the client, other connections hang on it: before anything is
//! sent, live and held connections of the same client and account are looked up, and if there is one nothing is sent.

use std::time::Duration;

use serde::Serialize;

use super::{making::Making, no_origin, not_signed, unusable};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, ProviderError, chain},
    id::AttemptId,
    protocol::{
        account::{self, Signing},
        connector::{Connector, Revoke, RevokeAuthentication, RevokeEffect},
        origins::Origins,
        renewal, revocation,
        template::{self, Values},
    },
    secrets::ProviderClient,
    store::{
        connections::{Connection, Held, Stored, held_key, is_shared_by_account},
        journal::{Queued, TRIES},
    },
    vault::Sealed,
};

/// What became of a grant at the provider: the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// The provider confirmed that it is over.
    Revoked,
    /// The provider could not be reached or failed, or there was no time left to ask it; it is tried again, for about two
    /// days.
    Queued,
    /// Another connection lives on the same grant, so nothing was sent.
    KeptSharedGrant,
    /// The provider has no way to revoke; the token lives until it expires or the person removes the app there.
    NotSupported,
    /// The account is not known, so a grant that was never completed is only forgotten: revoking it could end a stranger's.
    Forgotten,
    /// The provider refused for good. Somebody has to look.
    Failed,
}

/// Credentials, and what they are for.
#[derive(Clone, Copy)]
struct Grant<'a> {
    connection: &'a Connection,
    sealed: &'a Sealed,
}

/// How often a deletion is tried anew when the credentials were renewed in between.
const DELETIONS: usize = 5;

/// How many grants are ended at the same time: one slow provider does not hold up the rest, and none is overrun.
pub const AT_ONCE: usize = 8;

/// What ending a grant can take: a revocation within the provider's limit, and the writes around it.
const REVOCATION: Duration = Duration::from_secs(20);

impl App {
    /// Whether the invocation lasts long enough to end another grant.
    #[must_use]
    pub fn has_time_to_revoke(&self, deadline: Option<Timestamp>) -> bool {
        deadline.is_none_or(|deadline| self.clock.now().after(REVOCATION) <= deadline)
    }

    /// Deletes a connection and revokes its grant, or leaves that to the keeper where the deadline is near. `None` if there
    /// is no such connection any more.
    pub async fn delete_connection(
        &self,
        stored: Stored,
        deadline: Option<Timestamp>,
    ) -> Result<Option<Revocation>, Error> {
        let key = stored.connection.key.clone();
        let mut read = Some(stored);
        for _ in 0..DELETIONS {
            let Some(stored) = read else { return Ok(None) };
            let queued = self.queued(&stored.connection, key.as_str(), &stored.sealed);
            // first the queue and the deletion together, then the try: a crash between the two leaves the rest to the keeper
            if self.connections.delete(&stored, (&self.journal, &queued)).await? {
                if !self.has_time_to_revoke(deadline) {
                    return Ok(Some(Revocation::Queued));
                }
                return self.work_off(&queued).await.map(Some);
            }
            // renewed meanwhile: the tokens that were read are not the ones that live
            read = self.connections.find(&key).await?;
        }
        Err(Error::Conflict("the connection"))
    }

    /// Forgets a held grant and revokes it, if it is known whose it is. `None` if it was completed meanwhile.
    pub async fn abandon(&self, attempt: &AttemptId) -> Result<Option<Revocation>, Error> {
        let Some(held) = self.connections.held(attempt).await? else { return Ok(None) };
        let queued = self.unclaimed(&held);
        if !self.connections.forget_held(attempt, queued.as_ref().map(|queued| (&self.journal, queued))).await? {
            return Ok(None);
        }
        match queued {
            Some(queued) => self.work_off(&queued).await.map(Some),
            None => Ok(Some(Revocation::Forgotten)),
        }
    }

    /// How a grant that was never completed is revoked: not at all where it is not known whose it is.
    pub(super) fn unclaimed(&self, held: &Held) -> Option<Queued> {
        held.connection.account.id.as_ref()?;
        // it may be one to renew a live connection, so it is the held item that does not count, not the connection
        Some(self.queued(&held.connection, &held_key(&held.attempt), &held.sealed))
    }

    /// How the grant is revoked that a held one replaces: not at all where the renewed connection lives on it, or might.
    pub(super) async fn replaced(&self, old: &Stored, held: &Held) -> Result<Option<Queued>, Error> {
        let old = Grant { connection: &old.connection, sealed: &old.sealed };
        let new = Grant { connection: &held.connection, sealed: &held.sealed };
        self.given_up(old, new, &held.attempt).await
    }

    /// How the tokens are revoked that were issued for a connection as it was, while the person connected again: by the same
    /// rules. Not at all where the grant is still the same: another has renewed it since, and lives on it.
    pub(super) async fn issued_too_late(
        &self,
        was: &Stored,
        issued: &Sealed,
        is: &Stored,
    ) -> Result<Option<Queued>, Error> {
        let Some(attempt) = is.attempt.as_ref().filter(|attempt| was.attempt.as_ref() != Some(attempt)) else {
            return Ok(None);
        };
        let old = Grant { connection: &was.connection, sealed: issued };
        let new = Grant { connection: &is.connection, sealed: &is.sealed };
        self.given_up(old, new, attempt).await
    }

    /// Has ended what a login issued for a held grant, where that came to nothing or another choice was faster: by the same rules.
    pub(super) async fn end_unsettled(&self, unsettled: &Held) {
        match self.unsettled(unsettled).await {
            Ok(Some(queued)) => self.leave_to_the_keeper(&queued).await,
            Ok(None) => {}
            Err(error) => tracing::error!(
                attempt = %unsettled.attempt,
                cause = chain(&error),
                "what a login issued could not be queued for revocation; it lives until it expires"
            ),
        }
    }

    async fn unsettled(&self, unsettled: &Held) -> Result<Option<Queued>, Error> {
        let attempt = &unsettled.attempt;
        let old = Grant { connection: &unsettled.connection, sealed: &unsettled.sealed };
        if let Some(is) = self.connections.held(attempt).await? {
            let new = Grant { connection: &is.connection, sealed: &is.sealed };
            return self.given_up(old, new, attempt).await;
        }
        let completed = self.connections.find(&unsettled.connection.key).await?;
        match completed.filter(|is| is.attempt.as_ref() == Some(attempt)) {
            Some(is) => self.given_up(old, Grant { connection: &is.connection, sealed: &is.sealed }, attempt).await,
            None => Ok(self.unclaimed(unsettled)),
        }
    }

    /// How a grant is revoked in whose place the one of this attempt stands, or will.
    async fn given_up(&self, old: Grant<'_>, new: Grant<'_>, attempt: &AttemptId) -> Result<Option<Queued>, Error> {
        let connector = match self.connector_of(old.connection).await {
            Ok(connector) => connector,
            Err(Error::NotFound(_)) => return Ok(None), // with its data went the way to revoke
            Err(error) => return Err(error),
        };
        let Some(revoke) = &connector.revoke else { return Ok(None) };
        if is_shared_by_account(revoke.effect) && may_be_one_grant(old.connection, new.connection) {
            return Ok(None);
        }
        match self.is_the_same_token(&connector, old, new).await {
            Ok(true) => Ok(None),
            // the connection lives on, so it is the held item that does not count when others of its account are looked up
            Ok(false) => Ok(Some(self.queued(old.connection, &held_key(attempt), old.sealed))),
            Err(Error::Vault(cause)) => {
                // who connects again mends the connection; what can't be opened can't be revoked
                tracing::error!(connection = %old.connection.key, cause = chain(&cause), "the grant that was replaced can't be revoked");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Some providers answer each consent of an account with the token that is there already. Where a session is what is ended, that
    /// alone counts: what it was made of may be the same.
    async fn is_the_same_token(&self, connector: &Connector, old: Grant<'_>, new: Grant<'_>) -> Result<bool, Error> {
        let old = self.open_credentials(&old.connection.belongs(), old.sealed).await?;
        let new = self.open_credentials(&new.connection.belongs(), new.sealed).await?;
        Ok(if connector.revokes_by_session() { old.have_one_session(&new) } else { old.have_in_common(&new) })
    }

    /// Leaves a revocation to the keeper. Where even that can't be written down it is tried at once, and only once.
    pub(super) async fn leave_to_the_keeper(&self, queued: &Queued) {
        let Err(error) = self.journal.put(queued).await else { return };
        tracing::warn!(connector = %queued.revocation.connector, cause = chain(&error), "a revocation could not be queued");
        if let Err(error) = self.try_revocation(queued).await {
            tracing::error!(
                connector = %queued.revocation.connector,
                cause = chain(&error),
                "tokens could neither be revoked nor queued for it; they live until they expire"
            );
        }
    }

    /// Tries a queued revocation and takes it off the queue, or puts it back for later.
    pub async fn work_off(&self, queued: &Queued) -> Result<Revocation, Error> {
        let outcome = self.try_revocation(queued).await;
        match &outcome {
            Ok(_) => self.journal.done(queued).await?,
            Err(error) if queued.tries + 1 >= TRIES || is_final(error) => {
                tracing::error!(connector = %queued.revocation.connector, connection = %queued.revocation.connection, cause = chain(error), "a revocation was given up");
                self.journal.done(queued).await?;
                return Ok(Revocation::Failed);
            }
            Err(error) => {
                tracing::warn!(connector = %queued.revocation.connector, cause = chain(error), "a revocation failed and is tried again");
                self.journal.postpone(queued, self.clock.now()).await?;
                return Ok(Revocation::Queued);
            }
        }
        outcome
    }

    /// Revokes at the provider, where that is safe.
    pub(super) async fn try_revocation(&self, queued: &Queued) -> Result<Revocation, Error> {
        let job = &queued.revocation;
        let connector = self.connector_data(&job.project, job.environment, &job.connector).await?;
        let Some(revoke) = &connector.revoke else { return Ok(Revocation::NotSupported) };
        if self.is_shared(queued, revoke.effect).await? {
            return Ok(Revocation::KeptSharedGrant);
        }
        let credentials = self.open_credentials(&job.belongs(), &queued.sealed).await?;
        let values = template::values_of(&connector, &job.values);
        let client_id = job.values.get("client_id").map(String::as_str).filter(|_| connector.takes_client());
        let belongs = (&job.project, job.environment);
        let operator = self.operator_of(&connector, &job.connector, job.client.as_ref(), client_id, belongs).await?;
        let making = Making::new(&connector, &job.connector, operator, values, credentials);
        if connector.revokes_by_session() {
            let alone = revoke.effect == RevokeEffect::Token;
            match &making.credentials.session {
                None => return Ok(Revocation::NotSupported), // the login failed: there is nothing to end it with
                // what has ended by itself is as good (RFC 7009 §2.2), and proves nothing any more
                Some(session) if alone && renewal::has_ended(session.expires_at, self.clock.now()) => {
                    return Ok(Revocation::Revoked);
                }
                Some(_) => {}
            }
        }
        let client = (job.client.is_some() || connector.client_is_typed()).then_some(&making.client);
        // further tokens first: the usual one may stand for the whole grant, and then the provider knows none of them any more
        for slot in making.credentials.slots.keys() {
            let mut values = making.all();
            making.credentials.fill_slot(slot, &mut values);
            self.revoke_token(&making, revoke, client, &values).await?;
        }
        self.revoke_token(&making, revoke, client, &making.all()).await?;
        Ok(Revocation::Revoked)
    }

    /// Revokes the token that these values carry.
    async fn revoke_token(
        &self,
        making: &Making<'_>,
        revoke: &Revoke,
        client: Option<&ProviderClient>,
        values: &Values,
    ) -> Result<(), Error> {
        let (id, now) = (making.id, self.clock.now());
        let request = revocation::request(making.connector, revoke, client, values, now, &self.random);
        let request = request.map_err(unusable(id))?;
        let request = match revoke.authentication {
            RevokeAuthentication::Api => {
                let credentials = &making.credentials;
                let signing = Signing { values, credentials, client, nonce: None, now, random: &self.random };
                account::sign(making.connector, request, &signing).map_err(not_signed(id))?
            }
            RevokeAuthentication::Client
            | RevokeAuthentication::ClientSecretBasic
            | RevokeAuthentication::ClientSecretPost
            | RevokeAuthentication::Token
            | RevokeAuthentication::None => request,
        };
        let origins = Origins::of(making.connector, values).map_err(no_origin(id))?;
        let response = self.egress.send(request, &origins).await.map_err(|cause| cause.of(id))?;
        revocation::read(revoke, &response).map_err(|cause| cause.of(id))
    }

    async fn is_shared(&self, queued: &Queued, effect: RevokeEffect) -> Result<bool, Error> {
        let Some(owner) = queued.revocation.grant_owner.as_ref().filter(|_| is_shared_by_account(effect)) else {
            return Ok(false);
        };
        Ok(self.connections.shares_grant(owner, &queued.revocation.item).await?)
    }

    /// The revocation of a connection's credentials; the item that held them does not count as another connection.
    pub(super) fn queued(&self, connection: &Connection, item: &str, sealed: &Sealed) -> Queued {
        let now = self.clock.now();
        Queued { revocation: self.revocation_of(connection, item, now), sealed: sealed.clone(), due: now, tries: 0 }
    }
}

/// Whether two connections live on one grant, as far as is known: of an account that is not known nothing is.
fn may_be_one_grant(one: &Connection, other: &Connection) -> bool {
    let (one, other) = (one.grant_owner(), other.grant_owner());
    one.is_none() || other.is_none() || one == other
}

/// Whether another try can't help.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::NotFound(_) | Error::Provider { cause: ProviderError::AddressRefused, .. })
}
