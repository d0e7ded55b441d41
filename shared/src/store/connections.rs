//! Held grants and connections.
//!
//! A grant that came back from a provider is **held** first: sealed, unlisted, unusable. Completing it is one transaction
//! that moves it to its connection key, so that a connection is there as a whole or not at all.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{Delete, Put, ReturnValue, TransactWriteItem, Update},
};
use serde::{Deserialize, Serialize};

use super::{
    Item, Table,
    attempts::{Attempts, Status},
    bytes,
    codes::Codes,
    journal::Journal,
    number, string,
};
use crate::{
    clock::Timestamp,
    error::{Error, Missing, StoreError},
    id::{AttemptId, ConnectionKey, ConnectorId, Environment, Identity, ProjectId},
    protocol::connector::RevokeEffect,
    secret::{Bearer, Digest, digest},
    secrets::ClientSource,
    vault::{Belongs, Sealed},
};

/// How long a held grant waits to be completed; then it is forgotten.
pub const HELD_FOR: Duration = Duration::from_mins(10);

/// The content name of sealed credentials.
pub const CREDENTIALS: &str = "credentials";

/// Lists read at most this many entries; a total beyond is an estimate.
const LIST_LIMIT: usize = 10_000;

/// The longest wait after a transaction that met another one; the waits double up to it, about two thirds of a second in all.
const CONFLICT_LIMIT: Duration = Duration::from_millis(400);

/// Into how many parts a project's list is spread.
const SHARDS: u8 = 16;

/// An account at a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Account {
    /// An id that never changes and is never given to another account: the fingerprint. Absent where the provider tells none.
    pub id: Option<String>,
    /// A name for people.
    pub label: Option<String>,
    /// Its address.
    pub email: Option<String>,
}

impl Account {
    /// What to call it: the address before the name before the id.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.email.as_deref().or(self.label.as_deref()).or(self.id.as_deref())
    }
}

/// Everything about a connection but its credentials.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Connection {
    /// Its key, which is its id.
    pub key: ConnectionKey,
    /// Whose.
    pub project: ProjectId,
    /// In which environment.
    pub environment: Environment,
    /// To which provider.
    pub connector: ConnectorId,
    /// For whom; absent means for the project itself.
    pub identity: Option<Identity>,
    /// How the app's back end calls them.
    pub identity_label: Option<String>,
    /// The name it was given.
    pub name: Option<String>,
    /// The account it is to.
    pub account: Account,
    /// Whose client of the provider was used.
    pub client: Option<ClientSource>,
    /// That client's public half.
    pub client_id: Option<String>,
    /// The scopes granted, or asked for where the provider does not say.
    pub scopes: Vec<String>,
    /// What fills the connector's placeholders, secrets excepted.
    pub values: BTreeMap<String, String>,
    /// Labels of the app's own.
    pub tags: Vec<String>,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed by a person or app; refreshes do not count.
    pub updated_at: Timestamp,
    /// How often it was changed.
    pub version: u64,
}

impl Connection {
    /// What its sealed credentials belong to.
    #[must_use]
    pub fn belongs(&self) -> Belongs<'_> {
        Belongs {
            project: &self.project,
            environment: self.environment,
            connector: &self.connector,
            connection: &self.key,
            content: CREDENTIALS,
        }
    }

    /// Which account at which client: connections that share it share one grant at the provider.
    #[must_use]
    pub fn grant_owner(&self) -> Option<String> {
        let (account, client) = (self.account.id.as_ref()?, self.client_id.as_deref().unwrap_or_default());
        Some(grant_owner(&self.connector, client, account))
    }

    fn owner(&self) -> String {
        owner(&self.project, self.environment, self.identity.as_ref())
    }

    fn project_shard(&self) -> String {
        // the last letter of a random key, so that a busy project's writes spread
        let letter = self.key.as_str().bytes().next_back().unwrap_or_default();
        project_shard(&self.project, self.environment, letter % SHARDS)
    }
}

/// Which account at which client. Hashed, since an account id can be an e-mail address.
#[must_use]
pub fn grant_owner(connector: &ConnectorId, client_id: &str, account: &str) -> String {
    let parts = [connector.as_str(), client_id, account].map(|part| format!("{}:{part}", part.len()));
    digest(&parts.concat()).as_str().to_owned()
}

fn owner(project: &ProjectId, environment: Environment, identity: Option<&Identity>) -> String {
    let name = identity.map_or_else(
        || "project#".to_owned(),
        |identity| format!("{}#{}", identity.identity_type.as_str(), identity.identity),
    );
    format!("{project}#{environment}#{}", digest(&name).as_str())
}

fn project_shard(project: &ProjectId, environment: Environment, shard: u8) -> String {
    format!("{project}#{environment}#{shard}")
}

/// Whether a connection's credentials are still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// As far as is known.
    Connected,
    /// The provider no longer honours them.
    NeedsReauth,
}

impl Health {
    /// As stored and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::NeedsReauth => "needs_reauth",
        }
    }
}

/// A connection with its sealed credentials.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The connection.
    pub connection: Connection,
    /// Its credentials.
    pub sealed: Sealed,
    /// Another number for all that were ever here: one more with each renewal, and the time where the person connected again.
    pub generation: u64,
    /// When the access token expires, where that is known.
    pub token_expires_at: Option<Timestamp>,
    /// Whether they are still good.
    pub health: Health,
    /// Until when somebody has the right to renew them.
    pub leased_until: Option<Timestamp>,
}

/// A grant that waits to be completed.
#[derive(Clone, Debug)]
pub struct Held {
    /// The attempt it came from.
    pub attempt: AttemptId,
    /// The connection it would be.
    pub connection: Connection,
    /// Its credentials.
    pub sealed: Sealed,
    /// When the access token expires, where that is known.
    pub token_expires_at: Option<Timestamp>,
    /// Until when it can be completed.
    pub held_until: Timestamp,
}

/// Who completes a held grant.
#[derive(Clone, Debug)]
pub enum Completer<'a> {
    /// The person, in the browser that consented; a code for the app's back end goes along where the shape has one.
    Person {
        /// The digest of the attempt's cookie.
        browser: Digest,
        /// What the app redeems afterwards.
        code: Option<&'a Bearer>,
    },
    /// The app's back end, by the code that came through the browser.
    App {
        /// The code's digest.
        code: Digest,
        /// The request that redeems it.
        request_id: &'a str,
    },
}

/// A fenced lease: the right to redeem a connection's refresh token.
#[derive(Clone, Debug)]
pub struct Lease {
    key: ConnectionKey,
    owner: String,
    fence: u64,
    generation: u64,
}

/// What became of asking for a lease.
#[derive(Debug)]
pub enum Leasing {
    /// It is ours.
    Ours(Lease),
    /// Somebody else has it, or has just finished.
    Theirs,
    /// The connection is gone.
    Gone,
}

/// Whether a fenced write landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// It did.
    Written,
    /// The lease had passed to another, who knows better.
    Lost,
    /// The connection was deleted meanwhile.
    Gone,
}

/// The connections table.
pub struct Connections {
    table: Table,
}

impl Connections {
    /// Connections in this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Holds a grant: writes it down together with the attempt's state and, where the app will redeem one, its code.
    pub async fn hold(
        &self,
        attempts: &Attempts,
        codes: &Codes,
        held: &Held,
        code: Option<&Bearer>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = described(&held.connection)
            .text("pk", held_key(&held.attempt))
            .text("attempt", held.attempt.as_str())
            .text("status", Status::Held.as_stored())
            .text("due", "held")
            .number("due_at", held.held_until.millis())
            .number("expires_at", held.held_until.millis())
            .number_if("token_expires_at", held.token_expires_at.map(Timestamp::millis))
            .sealed("sealed", &held.sealed);
        let mut writes = vec![self.put(item, "attribute_not_exists(pk)")?];
        let update = Update::builder()
            .table_name(&attempts.table().name)
            .key("pk", string(held.attempt.as_str()))
            .update_expression("SET #status = :held, held_until = :until, account = :account REMOVE verifier")
            .condition_expression("#status IN (:claimed, :pending)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":held", string(Status::Held.as_stored()))
            .expression_attribute_values(":claimed", string(Status::Claimed.as_stored()))
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()))
            .expression_attribute_values(":until", number(held.held_until.millis()))
            .expression_attribute_values(":account", string(held.connection.account.name().unwrap_or_default()))
            .build()
            .map_err(|error| self.table.malformed(error.to_string()))?;
        writes.push(TransactWriteItem::builder().update(update).build());
        if let Some(code) = code {
            writes.push(codes.put_write(code, &held.attempt, now)?);
        }
        self.transact(writes).await.map_err(self.table.failed("TransactWriteItems"))
    }

    /// The grant that an attempt holds.
    pub async fn held(&self, attempt: &AttemptId) -> Result<Option<Held>, StoreError> {
        let Some(item) = self.get(&held_key(attempt)).await? else { return Ok(None) };
        self.read_held(&item).map(Some)
    }

    fn read_held(&self, item: &Item) -> Result<Held, StoreError> {
        Ok(Held {
            attempt: item
                .get_text("attempt")
                .and_then(AttemptId::parse)
                .ok_or_else(|| self.table.malformed("attempt"))?,
            connection: item.get_doc(&self.table)?,
            sealed: item.get_sealed("sealed").ok_or_else(|| self.table.malformed("sealed"))?,
            token_expires_at: item.get_number("token_expires_at").map(Timestamp::from_millis),
            held_until: Timestamp::from_millis(item.get_number("expires_at").unwrap_or_default()),
        })
    }

    /// Completes a held grant: it becomes a connection, in one transaction with the attempt's outcome and the code. Of
    /// several that try, one wins; the others find the attempt connected or get [`Error::AlreadyUsed`].
    pub async fn complete(
        &self,
        attempts: &Attempts,
        codes: &Codes,
        held: &Held,
        reconnect: bool,
        by: &Completer<'_>,
        now: Timestamp,
    ) -> Result<Connection, Error> {
        let (mut connection, mut generation) = (held.connection.clone(), 1);
        if reconnect {
            let Some(old) = self.find(&connection.key).await? else { return Err(Error::NotFound(Missing::Connection)) };
            connection = renewed(connection, &old.connection, now);
            // never one of the old grant's: whoever has read that and asks for the lease now must not get it
            generation = now.millis().max(old.generation + 1);
        }
        let mut item = described(&connection)
            .text("pk", connection.key.as_str())
            .text("owner", connection.owner())
            .text("project_shard", connection.project_shard())
            .number("created_at", connection.created_at.millis())
            .text("status", Health::Connected.as_str())
            .number("generation", generation)
            .number_if("token_expires_at", held.token_expires_at.map(Timestamp::millis))
            .sealed("sealed", &held.sealed);
        // a fence far above the old one: a refresh that is under way on the old credentials can't write over the new ones
        item = item.number("fence", now.millis());
        let condition = if reconnect { "attribute_exists(pk)" } else { "attribute_not_exists(pk)" };
        let mut writes = vec![self.put(item, condition)?, self.drop_held(&held.attempt, now)?];
        writes.extend(self.outcome(attempts, codes, held, by, now)?);
        match self.transact(writes).await {
            Ok(()) => Ok(connection),
            Err(error) if error.as_service_error().is_some_and(condition_canceled) => Err(Error::AlreadyUsed),
            Err(error) => Err(self.table.failed("TransactWriteItems")(error).into()),
        }
    }

    fn drop_held(&self, attempt: &AttemptId, now: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let mut delete = self.delete_if(&held_key(attempt), "expires_at > :now")?;
        delete.expression_attribute_values = Some([(":now".to_owned(), number(now.millis()))].into());
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    fn outcome(
        &self,
        attempts: &Attempts,
        codes: &Codes,
        held: &Held,
        by: &Completer<'_>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let update = Update::builder()
            .table_name(&attempts.table().name)
            .key("pk", string(held.attempt.as_str()))
            .update_expression("SET #status = :connected")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":held", string(Status::Held.as_stored()))
            .expression_attribute_values(":connected", string(Status::Connected.as_stored()));
        let (update, code) = match by {
            Completer::Person { browser, code } => {
                let update = update
                    .condition_expression("#status = :held AND browser = :browser")
                    .expression_attribute_values(":browser", string(browser.as_str()));
                (update, code.map(|code| codes.put_write(code, &held.attempt, now)).transpose()?)
            }
            Completer::App { code, request_id } => {
                (update.condition_expression("#status = :held"), Some(codes.claim_write(code, request_id, now)?))
            }
        };
        let update = update.build().map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(std::iter::once(TransactWriteItem::builder().update(update).build()).chain(code).collect())
    }

    /// Makes a connection at once, from credentials that the app's own back end brought.
    pub async fn create(&self, connection: &Connection, sealed: &Sealed) -> Result<(), StoreError> {
        let item = described(connection)
            .text("pk", connection.key.as_str())
            .text("owner", connection.owner())
            .text("project_shard", connection.project_shard())
            .number("created_at", connection.created_at.millis())
            .text("status", Health::Connected.as_str())
            .number("generation", 1)
            .number("fence", connection.created_at.millis())
            .sealed("sealed", sealed);
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item.0));
        put.condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map(drop)
            .map_err(self.table.failed("PutItem"))
    }

    /// A connection by its key.
    pub async fn find(&self, key: &ConnectionKey) -> Result<Option<Stored>, StoreError> {
        let Some(item) = self.get(key.as_str()).await? else { return Ok(None) };
        Ok(Some(Stored {
            connection: item.get_doc(&self.table)?,
            sealed: item.get_sealed("sealed").ok_or_else(|| self.table.malformed("sealed"))?,
            generation: item.get_number("generation").unwrap_or_default(),
            token_expires_at: item.get_number("token_expires_at").map(Timestamp::from_millis),
            health: health(&item),
            leased_until: item.get_number("lease_until").map(Timestamp::from_millis),
        }))
    }

    async fn get(&self, pk: &str) -> Result<Option<Item>, StoreError> {
        let get = self.table.client.get_item().table_name(&self.table.name).key("pk", string(pk)).consistent_read(true);
        Ok(get.send().await.map_err(self.table.failed("GetItem"))?.item.map(Item))
    }

    /// The connections of one owner, oldest first. The index is eventually consistent.
    pub async fn of_owner(
        &self,
        project: &ProjectId,
        environment: Environment,
        identity: Option<&Identity>,
    ) -> Result<Vec<(Connection, Health)>, StoreError> {
        self.listed("owner", "owner", &owner(project, environment, identity)).await
    }

    /// The connections of a project and environment, oldest first. The index is eventually consistent, and beyond 10,000
    /// the list is cut.
    pub async fn of_project(
        &self,
        project: &ProjectId,
        environment: Environment,
    ) -> Result<Vec<(Connection, Health)>, StoreError> {
        let shards = (0..SHARDS).map(|shard| project_shard(project, environment, shard));
        let lists = futures_util::future::try_join_all(
            shards.map(|shard| async move { self.listed("project", "project_shard", &shard).await }),
        )
        .await?;
        let mut all: Vec<_> = lists.into_iter().flatten().collect();
        all.sort_by(|(a, _), (b, _)| (a.created_at, &a.key).cmp(&(b.created_at, &b.key)));
        Ok(all)
    }

    async fn listed(&self, index: &str, attribute: &str, value: &str) -> Result<Vec<(Connection, Health)>, StoreError> {
        let items = self.query(index, attribute, value, None).await?;
        items.iter().map(|item| Ok((item.get_doc(&self.table)?, health(item)))).collect()
    }

    async fn query(
        &self,
        index: &str,
        attribute: &str,
        value: &str,
        before: Option<Timestamp>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let mut query = self.table.client.query().table_name(&self.table.name).index_name(index);
            query = query
                .expression_attribute_names("#key", attribute)
                .expression_attribute_values(":value", string(value));
            query = match before {
                Some(before) => query
                    .key_condition_expression("#key = :value AND due_at <= :before")
                    .expression_attribute_values(":before", number(before.millis()))
                    .limit(100),
                None => query.key_condition_expression("#key = :value"),
            };
            let output = query.set_exclusive_start_key(from).send().await.map_err(self.table.failed("Query"))?;
            items.extend(output.items.unwrap_or_default().into_iter().map(Item));
            from = output.last_evaluated_key;
            if from.is_none() || items.len() >= LIST_LIMIT || before.is_some() {
                return Ok(items);
            }
        }
    }

    /// Whether another connection, live or held, shares this grant at the provider; `gone` is the key of an item that was
    /// just deleted.
    ///
    /// The index is eventually consistent, so what it shows is looked up: an entry may be gone by now, or be a held grant
    /// that was completed since. What it does not show yet at all can't be known: a grant that was first held within the
    /// index's lag, usually less than a second, before this question.
    pub async fn shares_grant(&self, grant_owner: &str, gone: &str) -> Result<bool, StoreError> {
        for item in self.query("account", "account", grant_owner, None).await? {
            let shown: Connection = item.get_doc(&self.table)?;
            for pk in [item.get_text("pk").unwrap_or_default(), shown.key.as_str()] {
                if pk != gone && self.get(pk).await?.is_some_and(|item| item.get_text("account") == Some(grant_owner)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Changes what an app may change: name, tags, whether it is active. Returns the record, or `None` if there is none.
    pub async fn update(
        &self,
        key: &ConnectionKey,
        now: Timestamp,
        change: impl Fn(&mut Connection),
    ) -> Result<Option<(Connection, Health)>, Error> {
        for _ in 0..5 {
            let Some(item) = self.get(key.as_str()).await? else { return Ok(None) };
            let before = item.get_text("doc").unwrap_or_default().to_owned();
            let mut connection: Connection = item.get_doc(&self.table)?;
            change(&mut connection);
            connection.version += 1;
            connection.updated_at = now;
            let doc = Item::new().doc(&connection).get_text("doc").unwrap_or_default().to_owned();
            let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(key.as_str()));
            let update = update
                .update_expression("SET doc = :doc")
                .condition_expression("doc = :before")
                .expression_attribute_values(":doc", string(doc))
                .expression_attribute_values(":before", string(before));
            match update.send().await {
                Ok(_) => return Ok(Some((connection, health(&item)))),
                Err(error) if error.as_service_error().is_some_and(aws_sdk_dynamodb::operation::update_item::UpdateItemError::is_conditional_check_failed_exception) => {}
                Err(error) => return Err(self.table.failed("UpdateItem")(error).into()),
            }
        }
        Err(Error::Conflict("the connection"))
    }

    /// Deletes a connection as it was read and queues its revocation, in one transaction: a crash afterwards leaves the
    /// revocation to the keeper. False if it is gone, or its credentials were renewed meanwhile: those are the ones to
    /// revoke then. The item key goes with the item, so what was sealed under it can't be opened again.
    pub async fn delete(
        &self,
        stored: &Stored,
        queue: (&Journal, &super::journal::Queued),
    ) -> Result<bool, StoreError> {
        let key = stored.connection.key.as_str();
        let mut delete = self.delete_if(key, "generation = :generation")?;
        delete.expression_attribute_values = Some([(":generation".to_owned(), number(stored.generation))].into());
        self.remove(delete, Some(queue)).await
    }

    /// Forgets a held grant and queues its revocation, if it may be revoked. False if it was completed meanwhile.
    pub async fn forget_held(
        &self,
        attempt: &AttemptId,
        queue: Option<(&Journal, &super::journal::Queued)>,
    ) -> Result<bool, StoreError> {
        self.remove(self.delete_if(&held_key(attempt), "attribute_exists(pk)")?, queue).await
    }

    async fn remove(
        &self,
        delete: Delete,
        queue: Option<(&Journal, &super::journal::Queued)>,
    ) -> Result<bool, StoreError> {
        let mut writes = vec![TransactWriteItem::builder().delete(delete).build()];
        if let Some((journal, queued)) = queue {
            writes.push(journal.put_write(queued)?);
        }
        match self.transact(writes).await {
            Ok(()) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(condition_canceled) => Ok(false),
            Err(error) => Err(self.table.failed("TransactWriteItems")(error)),
        }
    }

    /// Held grants whose time is over, the oldest hundred.
    pub async fn overdue(&self, now: Timestamp) -> Result<Vec<AttemptId>, StoreError> {
        let items = self.query("due", "due", "held", Some(now)).await?;
        Ok(items.iter().filter_map(|item| AttemptId::parse(item.get_text("pk")?.strip_prefix("held#")?)).collect())
    }

    /// Asks for the right to renew the credentials of this generation. Writing the lease also proves that the store can be
    /// written before anything is redeemed.
    pub async fn lease(
        &self,
        stored: &Stored,
        owner: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Leasing, StoreError> {
        let key = &stored.connection.key;
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(key.as_str()));
        let update = update
            .update_expression("SET lease_owner = :owner, lease_until = :until ADD fence :one")
            .condition_expression("attribute_exists(pk) AND generation = :generation AND (attribute_not_exists(lease_until) OR lease_until <= :now)")
            .expression_attribute_values(":owner", string(owner))
            .expression_attribute_values(":until", number(until.millis()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":generation", number(stored.generation))
            .expression_attribute_values(":now", number(now.millis()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld);
        let lease = |item: &Item| Lease {
            key: key.clone(),
            owner: owner.to_owned(),
            fence: item.get_number("fence").unwrap_or_default(),
            generation: stored.generation,
        };
        match update.send().await {
            Ok(output) => Ok(Leasing::Ours(lease(&Item(output.attributes.unwrap_or_default())))),
            Err(error) => match error.as_service_error().and_then(super::attempts::condition_failed).map(Item) {
                None => Err(self.table.failed("UpdateItem")(error)),
                Some(item) if item.0.is_empty() => Ok(Leasing::Gone),
                // our own first try, whose answer was lost
                Some(item)
                    if item.get_text("lease_owner") == Some(owner)
                        && item.get_number("generation") == Some(stored.generation) =>
                {
                    Ok(Leasing::Ours(lease(&item)))
                }
                Some(_) => Ok(Leasing::Theirs),
            },
        }
    }

    /// Writes renewed credentials under the lease's fence and keeps the previous generation.
    pub async fn renew(
        &self,
        lease: &Lease,
        old: &Sealed,
        new: &Sealed,
        token_expires_at: Option<Timestamp>,
    ) -> Result<Fenced, StoreError> {
        let expression = match token_expires_at {
            Some(_) => {
                "SET sealed = :new, previous = :old, generation = :next, #status = :connected, token_expires_at = :expires REMOVE lease_owner, lease_until"
            }
            None => {
                "SET sealed = :new, previous = :old, generation = :next, #status = :connected REMOVE lease_owner, lease_until, token_expires_at"
            }
        };
        let update = self.fenced(lease).update_expression(expression);
        let mut update = update
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connected", string(Health::Connected.as_str()))
            .expression_attribute_values(":new", bytes(new))
            .expression_attribute_values(":old", bytes(old));
        if let Some(expires) = token_expires_at {
            update = update.expression_attribute_values(":expires", number(expires.millis()));
        }
        self.write_fenced(update).await
    }

    /// Writes down that the provider no longer honours the credentials.
    pub async fn needs_reauth(&self, lease: &Lease) -> Result<Fenced, StoreError> {
        let update = self
            .fenced(lease)
            .update_expression("SET #status = :needs_reauth, generation = :next REMOVE lease_owner, lease_until");
        let update = update
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":needs_reauth", string(Health::NeedsReauth.as_str()));
        self.write_fenced(update).await
    }

    /// Gives a lease back without having changed anything, so that the next caller need not wait for its end.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(lease.key.as_str()));
        let update = update
            .update_expression("REMOVE lease_owner, lease_until")
            .condition_expression("fence = :fence AND lease_owner = :owner")
            .expression_attribute_values(":fence", number(lease.fence))
            .expression_attribute_values(":owner", string(&lease.owner));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::update_item::UpdateItemError::is_conditional_check_failed_exception,
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// An update under a fence. It may be repeated: the second time it finds its own generation.
    fn fenced(&self, lease: &Lease) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(lease.key.as_str()));
        update
            .condition_expression("fence = :fence AND (lease_owner = :owner OR generation = :next)")
            .expression_attribute_values(":fence", number(lease.fence))
            .expression_attribute_values(":owner", string(&lease.owner))
            .expression_attribute_values(":next", number(lease.generation + 1))
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            )
    }

    async fn write_fenced(
        &self,
        update: aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder,
    ) -> Result<Fenced, StoreError> {
        match update.send().await {
            Ok(_) => Ok(Fenced::Written),
            Err(error) => match error.as_service_error().and_then(super::attempts::condition_failed) {
                None => Err(self.table.failed("UpdateItem")(error)),
                Some(item) if item.is_empty() => Ok(Fenced::Gone),
                Some(_) => Ok(Fenced::Lost),
            },
        }
    }

    fn delete_if(&self, pk: &str, condition: &str) -> Result<Delete, StoreError> {
        let delete =
            Delete::builder().table_name(&self.table.name).key("pk", string(pk)).condition_expression(condition);
        delete.build().map_err(|error| self.table.malformed(error.to_string()))
    }

    /// Writes all of it or nothing. Where it met another write to one of the items nothing was decided, and the SDK does not
    /// try again by itself.
    async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<(), SdkError<TransactWriteItemsError, HttpResponse>> {
        let mut wait = Duration::from_millis(20);
        loop {
            let transaction = self.table.client.transact_write_items().set_transact_items(Some(writes.clone()));
            match transaction.send().await {
                Ok(_) => return Ok(()),
                Err(error) if wait < CONFLICT_LIMIT && error.as_service_error().is_some_and(met_another) => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn put(&self, item: Item, condition: &str) -> Result<TransactWriteItem, StoreError> {
        let put =
            Put::builder().table_name(&self.table.name).set_item(Some(item.0)).condition_expression(condition).build();
        let put = put.map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// What held grants and connections have in common.
fn described(connection: &Connection) -> Item {
    Item::new().doc(connection).text_if("account", connection.grant_owner())
}

/// A connection that is renewed keeps its age, its name, its labels, and that it was switched off.
fn renewed(new: Connection, old: &Connection, now: Timestamp) -> Connection {
    Connection {
        name: old.name.clone(),
        tags: old.tags.clone(),
        active: old.active,
        created_at: old.created_at,
        updated_at: now,
        version: old.version + 1,
        ..new
    }
}

fn health(item: &Item) -> Health {
    if item.get_text("status") == Some(Health::NeedsReauth.as_str()) { Health::NeedsReauth } else { Health::Connected }
}

/// The key of a held grant.
#[must_use]
pub fn held_key(attempt: &AttemptId) -> String {
    format!("held#{attempt}")
}

/// Whether a transaction failed because a condition did, and not for another reason.
fn condition_canceled(error: &TransactWriteItemsError) -> bool {
    canceled_for(error, "ConditionalCheckFailed")
}

/// Whether it failed because it met another write, and no condition did.
fn met_another(error: &TransactWriteItemsError) -> bool {
    canceled_for(error, "TransactionConflict") && !condition_canceled(error)
}

fn canceled_for(error: &TransactWriteItemsError, code: &str) -> bool {
    match error {
        TransactWriteItemsError::TransactionCanceledException(canceled) => {
            canceled.cancellation_reasons().iter().any(|reason| reason.code() == Some(code))
        }
        _ => false,
    }
}

/// Whether a grant with this effect of revocation may be shared by several connections.
#[must_use]
pub fn is_shared_by_account(effect: RevokeEffect) -> bool {
    match effect {
        RevokeEffect::Grant => true,
        RevokeEffect::Token => false,
    }
}
