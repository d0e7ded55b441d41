//! Connections, and the grants that are held until they become one.
//!
//! A grant that came back from a provider is **held** first: sealed, unlisted, unusable. Completing it is one transaction
//! that moves it to its connection key, so that a connection is there as a whole or not at all. Renewing its credentials takes
//! a **lease**. Lists are read from indexes.

mod choices;
mod held;
mod lease;
mod lists;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::SdkError,
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{Delete, Put, TransactWriteItem},
};
use serde::{Deserialize, Serialize};

pub use self::{
    choices::{CHOICE, Choices, Chosen},
    held::{Beside, Completer, HELD_FOR, Held, Renewal, held_key},
    lease::{Fenced, Lease, Leasing},
};
use super::{
    Item, Table,
    attempts::{Attempt, Attempts},
    journal::{Journal, Queued},
    number,
    settings::Settings,
    string,
    write::failed_conditions,
};
use crate::{
    clock::Timestamp,
    error::{Error, Missing, StoreError},
    id::{AttemptId, ConnectionKey, ConnectorId, Environment, Identity, ProjectId},
    protocol::connector::RevokeEffect,
    secret::digest,
    secrets::ClientSource,
    vault::{Belongs, Sealed},
};

/// The content name of sealed credentials.
pub const CREDENTIALS: &str = "credentials";

/// An account at a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Account {
    /// An id that never changes and is never given to another account: the fingerprint. Absent where the provider tells none. Where
    /// one account can be connected to several tenants, the tenant stands before it.
    pub id: Option<String>,
    /// The workspace, site or company, where one account can be connected to several.
    #[serde(default)]
    pub tenant: Option<String>,
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

    /// The provider's own id of it, without the tenant in front.
    #[must_use]
    pub fn own_id(&self) -> Option<&str> {
        let id = self.id.as_deref()?;
        let own = self.tenant.as_deref().and_then(|tenant| id.strip_prefix(tenant)?.strip_prefix('/'));
        Some(own.unwrap_or(id))
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
    /// The scopes granted, as the latest answer with a token says; those asked for where none did.
    pub scopes: Vec<String>,
    /// The further tokens that it has, by the name that a call chooses one by.
    #[serde(default)]
    pub slots: Vec<String>,
    /// The scopes asked for.
    #[serde(default)]
    pub requested: Vec<String>,
    /// What fills the connector's placeholders, secrets excepted.
    pub values: BTreeMap<String, String>,
    /// Labels of the app's own.
    pub tags: Vec<String>,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed by a person or app; refreshes do not count, unless they bring other scopes.
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
        // what a server that a person named calls our client and its accounts is its own word, and could be another's
        let at_server = match &self.client {
            Some(ClientSource::Server(server)) => Some(format!("{server}/{client}")),
            Some(ClientSource::Default | ClientSource::Project) | None => None,
        };
        Some(grant_owner(&self.connector, at_server.as_deref().unwrap_or(client), account))
    }
}

/// Which account at which client. Hashed, since an account id can be an e-mail address.
#[must_use]
pub fn grant_owner(connector: &ConnectorId, client_id: &str, account: &str) -> String {
    let parts = [connector.as_str(), client_id, account].map(|part| format!("{}:{part}", part.len()));
    digest(&parts.concat()).as_str().to_owned()
}

/// Whether a connection's credentials are still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// As far as is known.
    Connected,
    /// The provider no longer honours them.
    NeedsReauth,
    /// The same, since the client that they were given to is no more: its server forgot it, and another was registered.
    ClientReplaced,
}

impl Health {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::NeedsReauth | Self::ClientReplaced => "needs_reauth",
        }
    }

    /// Why it has to be connected again, where that is not the provider's own word on the grant.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Connected | Self::NeedsReauth => None,
            Self::ClientReplaced => Some("client_replaced"),
        }
    }

    /// Whether the person has to connect again.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Connected => false,
            Self::NeedsReauth | Self::ClientReplaced => true,
        }
    }

    /// As stored.
    fn stored(self) -> &'static str {
        self.reason().unwrap_or(self.as_str())
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
    /// The attempt that brought the grant: another one where the person connected again. Absent where the app's back end
    /// brought the credentials.
    pub attempt: Option<AttemptId>,
    /// The connection as it stood there, to tell whether it was changed since.
    doc: String,
}

impl Stored {
    /// The same connection with credentials that were just renewed.
    #[must_use]
    pub fn with(self, sealed: Sealed, token_expires_at: Option<Timestamp>) -> Self {
        Self { sealed, generation: self.generation + 1, token_expires_at, leased_until: None, ..self }
    }
}

/// What is written beside credentials of their time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When what API calls carry ends, where that is known.
    pub token_expires_at: Option<Timestamp>,
    /// When they have to be renewed although nobody uses them.
    pub renew_at: Option<Timestamp>,
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

    /// Makes a connection at once, from credentials that the app's own back end brought: none for a user who was deleted.
    pub async fn create(
        &self,
        settings: &Settings,
        connection: &Connection,
        sealed: &Sealed,
        times: Times,
    ) -> Result<(), Error> {
        self.create_with(settings, connection, (sealed, times), None).await
    }

    /// The same from credentials that a person typed in a page of the app's: with the attempt that the page asks after, which is
    /// connected from its beginning.
    pub async fn create_for(
        &self,
        attempts: &Attempts,
        attempt: &Attempt,
        settings: &Settings,
        held: &Held,
    ) -> Result<(), Error> {
        let connected = attempts.connected(attempt)?;
        self.create_with(settings, &held.connection, (&held.sealed, held.times()), Some(connected)).await
    }

    async fn create_with(
        &self,
        settings: &Settings,
        connection: &Connection,
        (sealed, times): (&Sealed, Times),
        beside: Option<TransactWriteItem>,
    ) -> Result<(), Error> {
        let item = timed(described(connection), times)
            .text("pk", connection.key.as_str())
            .text("owner", connection.owner())
            .text("project_shard", connection.project_shard())
            .number("created_at", connection.created_at.millis())
            .text("status", Health::Connected.as_str())
            .number("generation", 1)
            .number("fence", connection.created_at.millis())
            .sealed("sealed", sealed);
        let mut writes = vec![self.put(item, "attribute_not_exists(pk)")?];
        writes.extend(beside);
        let alive = writes.len();
        writes.extend(settings.not_deleted(connection)?);
        match self.transact(writes).await {
            Ok(()) => Ok(()),
            Err(error) if failed_conditions(&error).contains(&alive) => Err(Error::NotFound(Missing::User)),
            Err(error) => Err(self.table.failed("TransactWriteItems")(error).into()),
        }
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
            attempt: item.get_text("attempt").and_then(AttemptId::parse),
            doc: item.get_text("doc").unwrap_or_default().to_owned(),
        }))
    }

    async fn get(&self, pk: &str) -> Result<Option<Item>, StoreError> {
        let get = self.table.client.get_item().table_name(&self.table.name).key("pk", string(pk)).consistent_read(true);
        Ok(get.send().await.map_err(self.table.failed("GetItem"))?.item.map(Item))
    }

    /// Changes what an app may change: name, tags, whether it is active. Returns the record, or `None` if there is none.
    pub async fn update(
        &self,
        key: &ConnectionKey,
        now: Timestamp,
        change: impl Fn(&mut Connection),
    ) -> Result<Option<(Connection, Health)>, Error> {
        let changed = |_: &Item, connection: &mut Connection| {
            change(connection);
            connection.version += 1;
            connection.updated_at = now;
            true
        };
        self.rewrite(key, changed).await
    }

    /// Writes down what the token may do by now, as the answer said that brought it (RFC 6749 §5.1), and gives the connection as it
    /// stands then. None where it is gone, or where the person has connected again since: the newer grant's own scopes stand.
    pub async fn granted(&self, stored: &Stored, scopes: &[String], now: Timestamp) -> Result<Option<Stored>, Error> {
        let changed = |item: &Item, connection: &mut Connection| {
            scopes.clone_into(&mut connection.scopes);
            connection.version += 1;
            connection.updated_at = now;
            item.get_number("generation") == Some(stored.generation)
        };
        let rewritten = self.rewrite(&stored.connection.key, changed).await?;
        Ok(rewritten.map(|(connection, _)| Stored { doc: choices::text_of(&connection), connection, ..stored.clone() }))
    }

    /// Changes what is described of a connection, unless the change says that it is not to be.
    async fn rewrite(
        &self,
        key: &ConnectionKey,
        change: impl Fn(&Item, &mut Connection) -> bool,
    ) -> Result<Option<(Connection, Health)>, Error> {
        for _ in 0..5 {
            let Some(item) = self.get(key.as_str()).await? else { return Ok(None) };
            let before = item.get_text("doc").unwrap_or_default().to_owned();
            let mut connection: Connection = item.get_doc(&self.table)?;
            if !change(&item, &mut connection) {
                return Ok(None);
            }
            let doc = Item::new().doc(&connection).get_text("doc").unwrap_or_default().to_owned();
            let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(key.as_str()));
            let update = update
                .update_expression("SET doc = :doc")
                .condition_expression("doc = :before")
                .expression_attribute_values(":doc", string(doc))
                .expression_attribute_values(":before", string(before));
            match self.table.write(update).await {
                Ok(_) => return Ok(Some((connection, health(&item)))),
                Err(error)
                    if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) => {
                }
                Err(error) => return Err(self.table.failed("UpdateItem")(error).into()),
            }
        }
        Err(Error::Conflict("the connection"))
    }

    /// Deletes a connection as it was read and queues its revocation, in one transaction: a crash afterwards leaves the
    /// revocation to the keeper. False if it is gone, or its credentials were renewed meanwhile: those are the ones to
    /// revoke then. The item key goes with the item, so what was sealed under it can't be opened again.
    pub async fn delete(&self, stored: &Stored, queue: (&Journal, &Queued)) -> Result<bool, StoreError> {
        let key = stored.connection.key.as_str();
        let mut delete = self.delete_if(key, "generation = :generation")?;
        delete.expression_attribute_values = Some([(":generation".to_owned(), number(stored.generation))].into());
        self.remove(delete, Some(queue)).await
    }

    async fn remove(&self, delete: Delete, queue: Option<(&Journal, &Queued)>) -> Result<bool, StoreError> {
        let mut writes = vec![TransactWriteItem::builder().delete(delete).build()];
        if let Some((journal, queued)) = queue {
            writes.push(journal.put_write(queued)?);
        }
        match self.transact(writes).await {
            Ok(()) => Ok(true),
            Err(error) if !failed_conditions(&error).is_empty() => Ok(false),
            Err(error) => Err(self.table.failed("TransactWriteItems")(error)),
        }
    }

    fn delete_if(&self, pk: &str, condition: &str) -> Result<Delete, StoreError> {
        let delete =
            Delete::builder().table_name(&self.table.name).key("pk", string(pk)).condition_expression(condition);
        delete.build().map_err(|error| self.table.malformed(error.to_string()))
    }

    /// Writes all of it or nothing.
    async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<(), SdkError<TransactWriteItemsError, HttpResponse>> {
        let transaction = self.table.client.transact_write_items().set_transact_items(Some(writes));
        self.table.write(transaction).await.map(drop)
    }

    /// In place of a connection as it was read: neither a renewal nor a change of the app's is written over.
    fn put_over(&self, item: Item, old: &Stored) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item.0));
        let put = put
            .condition_expression("generation = :generation AND doc = :doc")
            .expression_attribute_values(":generation", number(old.generation))
            .expression_attribute_values(":doc", string(&old.doc))
            .build();
        let put = put.map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
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

/// A connection that has to be renewed although nobody uses it is in the index of what is due. The day there is a lower bound
/// that only the keeper moves: a renewal touches no index.
fn timed(item: Item, times: Times) -> Item {
    item.number_if("token_expires_at", times.token_expires_at.map(Timestamp::millis))
        .text_if("due", times.renew_at.map(|_| DUE_RENEWAL))
        .number_if("due_at", times.renew_at.map(Timestamp::millis))
}

/// The part of the index of what is due that has connections.
const DUE_RENEWAL: &str = "renewal";

fn health(item: &Item) -> Health {
    let over = [Health::NeedsReauth, Health::ClientReplaced];
    over.into_iter().find(|health| item.get_text("status") == Some(health.stored())).unwrap_or(Health::Connected)
}

/// Whether a grant with this effect of revocation may be shared by several connections.
#[must_use]
pub fn is_shared_by_account(effect: RevokeEffect) -> bool {
    match effect {
        RevokeEffect::Grant => true,
        RevokeEffect::Token => false,
    }
}
