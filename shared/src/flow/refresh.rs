//! Renewing an access token: a refresh token is redeemed once.
//!
//! One fenced lease for each connection, in DynamoDB. The winner redeems; everybody else waits and reads again. The work runs
//! detached from the caller, so that a client that hangs up does not leave a redeemed token unwritten, and is awaited
//! before the response ends. It starts only if the invocation's remaining time covers it.
//!
//! ```text
//!  read ──▶ expired? ──no──▶ use
//!            │yes
//!            ▼            lease taken by another
//!          lease ───────────────────────────────▶ wait, read again
//!            │ours (and the store is proven writable)
//!            ▼
//!          redeem ──refused──▶ needs_reauth (under the fence)
//!            │  └──failed──▶ lease given back; the old token stays
//!            ▼
//!          write under the fence, previous generation kept, with retries of its own
//! ```

use std::{sync::Arc, time::Duration};

use super::{
    making::{Making, NotRenewed},
    registration::is_client_refused,
};
use crate::{
    app::App,
    clock::Timestamp,
    egress::PROVIDER_LIMIT,
    error::{Error, Missing, ProviderError, StoreError},
    id::ConnectionKey,
    protocol::{
        connector::Connector,
        credentials::Credentials,
        renewal::{self, Need},
        template::{self, Values},
    },
    secret::Bearer,
    secrets::{ClientSource, ProviderClient},
    store::{
        connections::{Connection, Fenced, Lease, Leasing, Stored},
        journal::Revocation,
    },
    vault::Sealed,
};

/// What the writes after a redemption may take, their retries included.
const WRITE_BUDGET: Duration = Duration::from_secs(10);

/// How long a lease lasts: longer than the call that takes it, the provider's limit and the writes after it, so that it is
/// never taken from a holder that is still at work.
const LEASE: Duration = Duration::from_secs(30);

/// Between two reads of those who wait: soon at first, since most redemptions are quick, then every half second, for
/// longer than a lease lasts.
fn waits() -> impl Iterator<Item = Duration> {
    let quick = [25, 50, 75, 100, 150, 200, 300, 400].map(Duration::from_millis);
    quick.into_iter().chain(std::iter::repeat_n(Duration::from_millis(500), 80))
}

/// A connection with its credentials open.
#[derive(Clone)]
pub struct Open {
    /// The connection as stored.
    pub stored: Stored,
    /// Its credentials.
    pub credentials: Credentials,
}

/// What is to be renewed, and why.
#[derive(Clone)]
struct Wanted {
    /// A further token, by its slot; else what API calls usually carry.
    slot: Option<String>,
    /// Whether the old one still does: then nobody waits, and a failure is not the caller's.
    in_time: bool,
    /// Whether the provider said no to it, whatever its end.
    refused: bool,
}

impl App {
    /// A connection whose access token is good, renewed if it has expired; one that could not be renewed afterwards, well before
    /// that. `slot` names a further token.
    pub async fn fresh(
        self: &Arc<Self>,
        stored: Stored,
        connector: &Connector,
        slot: Option<&str>,
        deadline: Option<Timestamp>,
    ) -> Result<Open, Error> {
        if stored.health.is_over() {
            return Err(Error::NeedsReauth);
        }
        let open = self.open_stored(stored).await?;
        let in_time = match renewal::need(connector, &open.credentials, slot, self.clock.now()) {
            Need::Not => return Ok(open),
            Need::Soon => true,
            Need::Now => false,
        };
        let wanted = Wanted { slot: slot.map(str::to_owned), in_time, refused: false };
        self.renewed_open(open, connector, wanted, deadline).await
    }

    /// The same connection with a token that is not the given generation's: after the provider answered 401, say.
    pub async fn renewed(
        self: &Arc<Self>,
        stored: Stored,
        slot: Option<&str>,
        deadline: Option<Timestamp>,
    ) -> Result<Open, Error> {
        let open = self.open_stored(stored).await?;
        let connector = self.connector_of(&open.stored.connection).await?;
        let wanted = Wanted { slot: slot.map(str::to_owned), in_time: false, refused: true };
        self.renewed_open(open, &connector, wanted, deadline).await
    }

    async fn renewed_open(
        self: &Arc<Self>,
        open: Open,
        connector: &Connector,
        wanted: Wanted,
        deadline: Option<Timestamp>,
    ) -> Result<Open, Error> {
        if !renewal::can_renew(connector, &open.credentials, wanted.slot.as_deref()) {
            // nothing to redeem: the token is used until the provider says no
            return Ok(open);
        }
        if wanted.in_time {
            return self.renew_in_time(open, connector, wanted, deadline).await;
        }
        self.wait_or_redeem(open, connector.clone(), wanted, deadline).await
    }

    /// Renews what still does. Where another is at it, or it fails, the old token is used; the lease then runs out by itself, so
    /// that the provider is not asked again with each call.
    async fn renew_in_time(
        self: &Arc<Self>,
        open: Open,
        connector: &Connector,
        wanted: Wanted,
        deadline: Option<Timestamp>,
    ) -> Result<Open, Error> {
        let now = self.clock.now();
        let taken = open.stored.leased_until.is_some_and(|until| until > now);
        if taken || !is_affordable(now, deadline) {
            return Ok(open);
        }
        let old = open.clone();
        let renewed = async {
            let client = self.client_of(connector, &open.stored.connection).await?;
            let owner = Bearer::random(&self.random).digest().as_str().to_owned();
            match self.connections.lease(&open.stored, &owner, now.after(LEASE), now).await? {
                Leasing::Ours(lease) => {
                    self.redeem_detached(open, connector.clone(), wanted, client, lease).await.map(Some)
                }
                Leasing::Theirs | Leasing::Gone => Ok(None),
            }
        };
        match renewed.await {
            Ok(renewed) => Ok(renewed.unwrap_or(old)),
            Err(error) => {
                let (key, cause) = (&old.stored.connection.key, crate::error::chain(&error));
                tracing::warn!(connection = %key, cause, "a token that still does could not be renewed");
                Ok(old)
            }
        }
    }

    async fn wait_or_redeem(
        self: &Arc<Self>,
        mut open: Open,
        connector: Connector,
        wanted: Wanted,
        deadline: Option<Timestamp>,
    ) -> Result<Open, Error> {
        let mut client = None;
        // waits are counted and not timed, so that the loop ends whatever the clock does
        for wait in waits() {
            let now = self.clock.now();
            let affordable = is_affordable(now, deadline);
            // while a lease is seen to run, asking for it would only wear out the item
            let taken = open.stored.leased_until.is_some_and(|until| until > now);
            if affordable && !taken {
                // before the lease: under it every second counts
                let client = match &client {
                    Some(client) => client,
                    None => client.insert(match self.client_of(&connector, &open.stored.connection).await {
                        Ok(client) => client,
                        Err(error) => return Err(self.without_client(&open.stored, error).await),
                    }),
                };
                let owner = Bearer::random(&self.random).digest().as_str().to_owned();
                match self.connections.lease(&open.stored, &owner, now.after(LEASE), now).await? {
                    Leasing::Ours(lease) if !is_affordable(self.clock.now(), deadline) => {
                        self.give_back(&lease).await;
                        return Err(RETRY_LATER);
                    }
                    Leasing::Ours(lease) => {
                        return self.redeem_detached(open, connector, wanted, client.clone(), lease).await;
                    }
                    Leasing::Theirs => {}
                    Leasing::Gone => return Err(Error::NotFound(Missing::Connection)),
                }
            }
            if deadline.is_some_and(|deadline| deadline <= now.after(wait)) {
                return Err(RETRY_LATER);
            }
            tokio::time::sleep(wait).await;
            let key = open.stored.connection.key.clone();
            let stored = self.connections.find(&key).await?.ok_or(Error::NotFound(Missing::Connection))?;
            if stored.health.is_over() {
                return Err(Error::NeedsReauth);
            }
            if stored.generation != open.stored.generation {
                let renewed = self.open_stored(stored).await?;
                if self.will_do(&open, &renewed, &connector, &wanted) {
                    return Ok(renewed);
                }
                open = renewed; // somebody renewed another token of the same connection
                continue;
            }
            if !affordable {
                return Err(RETRY_LATER);
            }
            open.stored = stored;
        }
        Err(RETRY_LATER)
    }

    /// Whether what another renewed is what is wanted here.
    fn will_do(&self, before: &Open, renewed: &Open, connector: &Connector, wanted: &Wanted) -> bool {
        let slot = wanted.slot.as_deref();
        renewed.credentials.slots.is_empty()
            || !before.credentials.carry_the_same(&renewed.credentials, slot)
            || !wanted.refused && renewal::need(connector, &renewed.credentials, slot, self.clock.now()) != Need::Now
    }

    /// Redeems in a task of its own: the caller may go away, the redemption may not.
    async fn redeem_detached(
        self: &Arc<Self>,
        open: Open,
        connector: Connector,
        wanted: Wanted,
        client: ProviderClient,
        lease: Lease,
    ) -> Result<Open, Error> {
        let app = Arc::clone(self);
        let task = tokio::spawn(async move { app.redeem_under(open, &connector, &wanted, client, &lease).await });
        // a panic in there is a bug of ours; the lease then runs out by itself
        task.await.unwrap_or(Err(RETRY_LATER))
    }

    async fn redeem_under(
        &self,
        open: Open,
        connector: &Connector,
        wanted: &Wanted,
        client: ProviderClient,
        lease: &Lease,
    ) -> Result<Open, Error> {
        let connection = &open.stored.connection;
        let at_first = template::values_of(connector, &connection.values);
        let credentials = open.credentials.clone();
        let mut making = Making::new(connector, &connection.connector, client, at_first.clone(), credentials);
        let dying = wanted.refused || renewal::has_ended(open.credentials.ends_at(), self.clock.now());
        // a token and the login after it share the time of one call: the lease lasts no longer
        let renewed =
            tokio::time::timeout(PROVIDER_LIMIT, self.renew(&mut making, wanted.slot.as_deref(), dying)).await;
        let too_late = |_| NotRenewed { error: ProviderError::Timeout.of(&connection.connector), over: false };
        let failure = match renewed.map_err(too_late).flatten() {
            Ok(()) => None,
            Err(NotRenewed { error, over: true }) => {
                let cause = crate::error::chain(&error);
                tracing::info!(connection = %connection.key, cause, "the provider no longer honours the connection");
                let written = self.persist(|| self.connections.needs_reauth(lease)).await?;
                return self.over(&connection.key, written).await;
            }
            Err(NotRenewed { error, .. }) if !making.issued => {
                let client = (connection.client.as_ref(), connection.client_id.as_deref());
                let place = (&connection.project, connection.environment, &connection.connector);
                self.note_refused_client(connector, place, client, &error).await;
                // a client of the operator's can be mended; one at a server that a person named is replaced when it is named again
                if matches!(connection.client, Some(ClientSource::Server(_))) && is_client_refused(&error) {
                    let written = self.persist(|| self.connections.client_replaced(lease)).await?;
                    return self.over(&connection.key, written).await;
                }
                if !wanted.in_time {
                    self.give_back(lease).await;
                }
                return Err(error);
            }
            // a token was redeemed before it failed, and that exists nowhere else
            Err(NotRenewed { error, .. }) => Some(error),
        };
        let scopes = making.scopes.take().filter(|scopes| are_other(scopes, &connection.scopes));
        let credentials = making.with_what_it_learnt(&at_first);
        let ends_at = credentials.ends_at();
        let sealed = self.seal(&connection.belongs(), &credentials.plaintext()).await?;
        match self.persist(|| self.connections.renew(lease, &open.stored.sealed, &sealed, ends_at)).await? {
            Fenced::Written => {
                let stored = open.stored.with(sealed, ends_at);
                let stored = match scopes {
                    Some(scopes) => self.note_scopes(stored, &scopes).await,
                    None => stored,
                };
                match failure {
                    Some(error) => Err(error),
                    None => Ok(Open { stored, credentials }),
                }
            }
            Fenced::Lost | Fenced::Gone => self.outrun(&open.stored, &sealed).await,
        }
    }

    /// Notes that a renewed token may do more or less than the one before: a person has taken a part of the grant back, or given one
    /// elsewhere. Where that can't be written, the next renewal says it again.
    async fn note_scopes(&self, stored: Stored, scopes: &[String]) -> Stored {
        match self.connections.granted(&stored, scopes, self.clock.now()).await {
            Ok(noted) => noted.unwrap_or(stored),
            Err(error) => {
                let (key, cause) = (&stored.connection.key, crate::error::chain(&error));
                tracing::warn!(connection = %key, cause, "what the renewed token may do could not be noted");
                stored
            }
        }
    }

    /// What a caller is told of a connection that was written down as over, or was changed by another in between.
    async fn over(&self, key: &ConnectionKey, written: Fenced) -> Result<Open, Error> {
        match written {
            Fenced::Written => Err(Error::NeedsReauth),
            Fenced::Lost | Fenced::Gone => self.read_again(key).await,
        }
    }

    /// Renews a connection that nobody uses before it dies, and says when to look at it again. True if it was renewed.
    pub async fn keep_alive(self: &Arc<Self>, key: &ConnectionKey, deadline: Option<Timestamp>) -> Result<bool, Error> {
        let Some(stored) = self.connections.find(key).await? else { return Ok(false) };
        let connector = self.connector_of(&stored.connection).await?;
        let generation = stored.generation;
        let open = match self.fresh(stored, &connector, None, deadline).await {
            Ok(open) => open,
            Err(Error::NeedsReauth) => {
                // who connects again puts it on the index again
                self.connections.look_again(key, None).await?;
                return Ok(false);
            }
            Err(error) => {
                self.connections.look_again(key, Some(self.clock.now().after(LOOK_AGAIN))).await?;
                return Err(error);
            }
        };
        let now = self.clock.now();
        // one that is still due could not be renewed, and still does
        let due = renewal::due(&connector, &open.credentials);
        let due = due.map(|due| if due > now { due } else { now.after(LOOK_AGAIN) });
        self.connections.look_again(key, due).await?;
        Ok(open.stored.generation != generation)
    }

    /// Connected again or deleted meanwhile: what stands there is newer than what we hold, and what was just issued must not
    /// live on.
    async fn outrun(&self, was: &Stored, issued: &Sealed) -> Result<Open, Error> {
        let key = &was.connection.key;
        let is = self.connections.find(key).await?;
        let queued = match &is {
            Some(is) => self.issued_too_late(was, issued, is).await?,
            None => Some(self.queued(&was.connection, key.as_str(), issued)),
        };
        if let Some(queued) = queued {
            self.leave_to_the_keeper(&queued).await;
        }
        self.open_stored(is.ok_or(Error::NotFound(Missing::Connection))?).await
    }

    /// The operator's part of a connection: the client that it was made with, and secret settings.
    pub async fn client_of(&self, connector: &Connector, connection: &Connection) -> Result<ProviderClient, Error> {
        if connection.client.is_none() && connector.takes_client() {
            return Err(Error::NeedsReauth);
        }
        let Connection { connector: id, client, client_id, project, environment, .. } = connection;
        self.operator_of(connector, id, client.as_ref(), client_id.as_deref(), (project, *environment)).await
    }

    async fn give_back(&self, lease: &Lease) {
        if let Err(error) = self.connections.release(lease).await {
            tracing::warn!(
                cause = crate::error::chain(&error),
                "a lease could not be given back and runs out by itself"
            );
        }
    }

    /// What fills the placeholders of an API call with this connection, its secrets included. The operator's are read only where
    /// the connector's calls carry any. `slot` names a further token.
    pub async fn values_of(&self, open: &Open, connector: &Connector, slot: Option<&str>) -> Result<Values, Error> {
        let connection = &open.stored.connection;
        let mut values = template::values_of(connector, &connection.values);
        if connector.calls_carry_operator_secrets() {
            let mut operator = self.client_of(connector, connection).await?;
            operator.client_secret = open.credentials.client_secret.clone().or(operator.client_secret);
            values.extend(connector.operator_values(&operator));
        }
        open.credentials.fill(&mut values);
        if let Some(slot) = slot {
            open.credentials.fill_slot(slot, &mut values);
        }
        Ok(values)
    }

    /// The connection as it stands now.
    async fn read_again(&self, key: &ConnectionKey) -> Result<Open, Error> {
        let stored = self.connections.find(key).await?.ok_or(Error::NotFound(Missing::Connection))?;
        self.open_stored(stored).await
    }

    /// Opens a connection's credentials.
    pub async fn open_stored(&self, stored: Stored) -> Result<Open, Error> {
        let mut credentials = self.open_credentials(&stored.connection.belongs(), &stored.sealed).await?;
        if credentials.issued_at.is_none() {
            credentials.expires_at = stored.token_expires_at; // sealed before its end was sealed along
        }
        Ok(Open { stored, credentials })
    }

    /// A write after a redemption is worth more than one try: what it holds exists nowhere else. It ends with
    /// [`WRITE_BUDGET`], before the lease does: whoever has the lease next must not meet a holder that is still at work.
    async fn persist<F: Future<Output = Result<Fenced, StoreError>>>(
        &self,
        write: impl Fn() -> F,
    ) -> Result<Fenced, StoreError> {
        let tries = async {
            let mut wait = Duration::from_millis(50);
            let mut result = write().await;
            for _ in 0..4 {
                if result.is_ok() {
                    return result;
                }
                tokio::time::sleep(wait).await;
                wait *= 3;
                result = write().await;
            }
            result
        };
        tokio::time::timeout(WRITE_BUDGET, tries).await.unwrap_or_else(|_| {
            Err(StoreError::Call {
                operation: "UpdateItem",
                table: self.config.tables.connections.clone(),
                cause: "no answer within the time for the write after a redemption".to_owned(),
            })
        })
    }

    /// What has to be known to revoke a grant after the item that held it is gone.
    #[must_use]
    pub fn revocation_of(&self, connection: &Connection, item: &str, now: Timestamp) -> Revocation {
        Revocation {
            id: Bearer::random(&self.random).digest().as_str()[..22].to_owned(),
            project: connection.project.clone(),
            environment: connection.environment,
            connector: connection.connector.clone(),
            connection: connection.key.clone(),
            item: item.to_owned(),
            client: connection.client.clone(),
            grant_owner: connection.grant_owner(),
            values: connection.values.clone(),
            since: now,
        }
    }
}

/// Whether the invocation lasts long enough to redeem a token and to write what comes of it.
fn is_affordable(now: Timestamp, deadline: Option<Timestamp>) -> bool {
    deadline.is_none_or(|deadline| now.after(PROVIDER_LIMIT).after(WRITE_BUDGET) <= deadline)
}

/// When the keeper looks again at what it could not renew.
const LOOK_AGAIN: Duration = Duration::from_hours(1);

const RETRY_LATER: Error = Error::RetryLater {
    why: "the connection's token is being renewed, or there is too little time left to do so safely; nothing was redeemed, try again",
    after: Duration::from_secs(2),
};
/// Whether an answer names other scopes than are known. One that names none says nothing, and their order does not either.
fn are_other(scopes: &[String], known: &[String]) -> bool {
    !scopes.is_empty() && (scopes.len() != known.len() || scopes.iter().any(|scope| !known.contains(scope)))
}
