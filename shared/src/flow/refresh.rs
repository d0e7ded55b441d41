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

use super::{no_origin, unusable};
use crate::{
    app::App,
    clock::Timestamp,
    egress::PROVIDER_LIMIT,
    error::{Error, Missing, StoreError},
    id::ConnectionKey,
    protocol::{
        connector::{Connector, RefreshKind},
        credentials::Credentials,
        origins::Origins,
        template::Values,
        token::{self, TokenRequest},
    },
    secret::Bearer,
    secrets::{ClientsSecret, ProviderClient},
    store::{
        connections::{Connection, Fenced, Health, Lease, Leasing, Stored},
        journal::Revocation,
    },
    vault::Sealed,
};

/// What the writes after a redemption may take, their retries included.
const WRITE_BUDGET: Duration = Duration::from_secs(10);

/// How long a lease lasts: longer than the call that takes it, the provider's limit and the writes after it, so that it is
/// never taken from a holder that is still at work.
const LEASE: Duration = Duration::from_secs(30);

/// A token that has this long to live is renewed before it is used.
const MARGIN: Duration = Duration::from_secs(10);

/// Between two reads of those who wait: soon at first, since most redemptions are quick, then every half second, for
/// longer than a lease lasts.
fn waits() -> impl Iterator<Item = Duration> {
    let quick = [25, 50, 75, 100, 150, 200, 300, 400].map(Duration::from_millis);
    quick.into_iter().chain(std::iter::repeat_n(Duration::from_millis(500), 80))
}

/// A connection with its credentials open.
pub struct Open {
    /// The connection as stored.
    pub stored: Stored,
    /// Its credentials.
    pub credentials: Credentials,
}

impl App {
    /// A connection whose access token is good, renewed if it has expired.
    pub async fn fresh(self: &Arc<Self>, stored: Stored, deadline: Option<Timestamp>) -> Result<Open, Error> {
        if stored.health == Health::NeedsReauth {
            return Err(Error::NeedsReauth);
        }
        let expired = stored.token_expires_at.is_some_and(|at| at <= self.clock.now().after(MARGIN));
        if !expired {
            return self.open_stored(stored).await;
        }
        self.renewed(stored, deadline).await
    }

    /// The same connection with a token that is not the given generation's: after the provider answered 401, say.
    pub async fn renewed(self: &Arc<Self>, stored: Stored, deadline: Option<Timestamp>) -> Result<Open, Error> {
        let open = self.open_stored(stored).await?;
        let connector = self.connector_data(&open.stored.connection.project, &open.stored.connection.connector).await?;
        let renewable = connector.oauth2.as_ref().is_some_and(|oauth2| oauth2.refresh == RefreshKind::RefreshToken);
        if !renewable || open.credentials.refresh_token.is_none() {
            // nothing to redeem: the token is used until the provider says no
            return Ok(open);
        }
        self.wait_or_redeem(open, connector.into_owned(), deadline).await
    }

    async fn wait_or_redeem(
        self: &Arc<Self>,
        mut open: Open,
        connector: Connector,
        deadline: Option<Timestamp>,
    ) -> Result<Open, Error> {
        let generation = open.stored.generation;
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
                    None => client.insert(self.client_of(&open.stored.connection).await?),
                };
                let owner = Bearer::random(&self.random).digest().as_str().to_owned();
                match self.connections.lease(&open.stored, &owner, now.after(LEASE), now).await? {
                    Leasing::Ours(lease) if !is_affordable(self.clock.now(), deadline) => {
                        self.give_back(&lease).await;
                        return Err(RETRY_LATER);
                    }
                    Leasing::Ours(lease) => {
                        return self.redeem_detached(open, connector, client.clone(), lease).await;
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
            if stored.health == Health::NeedsReauth {
                return Err(Error::NeedsReauth);
            }
            if stored.generation != generation {
                return self.open_stored(stored).await;
            }
            if !affordable {
                return Err(RETRY_LATER);
            }
            open.stored = stored;
        }
        Err(RETRY_LATER)
    }

    /// Redeems in a task of its own: the caller may go away, the redemption may not.
    async fn redeem_detached(
        self: &Arc<Self>,
        open: Open,
        connector: Connector,
        client: ProviderClient,
        lease: Lease,
    ) -> Result<Open, Error> {
        let app = Arc::clone(self);
        let task = tokio::spawn(async move { app.redeem_under(open, &connector, &client, &lease).await });
        // a panic in there is a bug of ours; the lease then runs out by itself
        task.await.unwrap_or(Err(RETRY_LATER))
    }

    async fn redeem_under(
        &self,
        open: Open,
        connector: &Connector,
        client: &ProviderClient,
        lease: &Lease,
    ) -> Result<Open, Error> {
        let redeemed = self.exchange(&open, connector, client).await;
        let (credentials, token_expires_at) = match redeemed {
            Ok(redeemed) => redeemed,
            Err(Error::Provider { cause, .. }) if token::ends_the_grant(&cause) => {
                tracing::info!(connection = %open.stored.connection.key, %cause, "the provider no longer honours the refresh token");
                return match self.persist(|| self.connections.needs_reauth(lease)).await? {
                    Fenced::Written => Err(Error::NeedsReauth),
                    Fenced::Lost | Fenced::Gone => self.read_again(&open.stored.connection.key).await,
                };
            }
            Err(error) => {
                self.give_back(lease).await;
                return Err(error);
            }
        };
        let connection = &open.stored.connection;
        let sealed = self.seal(&connection.belongs(), &credentials.plaintext()).await?;
        match self.persist(|| self.connections.renew(lease, &open.stored.sealed, &sealed, token_expires_at)).await? {
            Fenced::Written => Ok(Open { stored: open.stored.with(sealed, token_expires_at), credentials }),
            Fenced::Lost | Fenced::Gone => self.outrun(&open.stored, &sealed).await,
        }
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

    /// The exchange itself (RFC 6749 §6). An absent `refresh_token` keeps the old one.
    async fn exchange(
        &self,
        open: &Open,
        connector: &Connector,
        client: &ProviderClient,
    ) -> Result<(Credentials, Option<Timestamp>), Error> {
        let id = &open.stored.connection.connector;
        let (Some(oauth2), Some(refresh_token)) = (&connector.oauth2, &open.credentials.refresh_token) else {
            return Err(Error::NeedsReauth);
        };
        let values = self.values_of(open);
        let asking = TokenRequest { oauth2, client, values: &values, now: self.clock.now(), random: &self.random };
        let request = asking.refresh(refresh_token).map_err(unusable(id))?;
        let origins = Origins::of(connector, &values).map_err(no_origin(id))?;
        let response = self.egress.send(request, &origins).await.map_err(|cause| cause.of(id))?;
        let tokens = token::read(oauth2, &response, self.clock.now()).map_err(|cause| cause.of(id))?;
        let credentials = Credentials {
            access_token: Some(tokens.access_token),
            refresh_token: tokens.refresh_token.or_else(|| open.credentials.refresh_token.clone()),
            secrets: open.credentials.secrets.clone(),
        };
        Ok((credentials, tokens.expires_at))
    }

    /// The client that a connection was made with.
    async fn client_of(&self, connection: &Connection) -> Result<ProviderClient, Error> {
        let Some(source) = &connection.client else { return Err(Error::NeedsReauth) };
        let secret = ClientsSecret::of(source, &connection.project, connection.environment);
        let client_id = connection.client_id.as_deref().unwrap_or_default();
        self.secrets.provider_client(&secret, &connection.connector, client_id, self.clock.now()).await
    }

    async fn give_back(&self, lease: &Lease) {
        if let Err(error) = self.connections.release(lease).await {
            tracing::warn!(
                cause = crate::error::chain(&error),
                "a lease could not be given back and runs out by itself"
            );
        }
    }

    /// What fills a connector's placeholders for this connection, its secrets included.
    #[must_use]
    pub fn values_of(&self, open: &Open) -> Values {
        let mut values: Values = open.stored.connection.values.clone().into_iter().collect();
        open.credentials.fill(&mut values);
        values
    }

    /// The connection as it stands now.
    async fn read_again(&self, key: &ConnectionKey) -> Result<Open, Error> {
        let stored = self.connections.find(key).await?.ok_or(Error::NotFound(Missing::Connection))?;
        self.open_stored(stored).await
    }

    /// Opens a connection's credentials.
    pub async fn open_stored(&self, stored: Stored) -> Result<Open, Error> {
        let credentials = self.open_credentials(&stored.connection.belongs(), &stored.sealed).await?;
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

const RETRY_LATER: Error = Error::RetryLater {
    why: "the connection's token is being renewed, or there is too little time left to do so safely; nothing was redeemed, try again",
    after: Duration::from_secs(2),
};
