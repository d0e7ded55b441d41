//! What the operator decides: projects, app clients, connectors, and the deployment's own facts.

mod registrations;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, KeysAndAttributes, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

pub use self::registrations::{Registration, RegistrationLease, Replaced};
use super::{Item, Table, attempts::Callback, connections::Connection, string};
use crate::{
    brand::Brand,
    clock::Timestamp,
    error::{Error, StoreError},
    id::{ClientId, ConnectorId, Environment, Identity, ProjectId, Role},
    protocol::connector::Connector,
    secret::{Digest, digest},
    secrets::ClientSource,
};

/// How long a setting is used before it is read again. A revoked app client stops working within this time.
pub const KEPT: Duration = Duration::from_secs(30);

/// How often a batch's unprocessed keys are asked for again.
const ROUNDS: u64 = 5;

/// How often a change is made anew when somebody else's came between. Each time one change went through, so this many admins
/// may save at once.
const CHANGES: usize = 25;

/// A customer's product: what app clients, settings and connections belong to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name for people: it stands on every page that asks for consent.
    pub name: String,
    /// Origins whose pages may hold our frame, read answers and receive the browser.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Where a browser may be sent back to, compared exactly.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Whether the app's back end vouches for its users: it names who is logged in when it redeems a completion code.
    #[serde(default)]
    pub vouches_for_users: bool,
    /// What happens when a connection is renewed with another account than its own.
    #[serde(default)]
    pub reconnect_other_account: OtherAccount,
    /// How its pages look.
    #[serde(default)]
    pub brand: Brand,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What happens when a connection is renewed with another account than its own. The app keeps using the same key, so whoever lets
/// that be has to expect another account's data behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherAccount {
    /// It is refused, and the connection stays as it was.
    #[default]
    Deny,
    /// The person is shown both accounts and says so.
    Ask,
    /// It is taken.
    Allow,
}

/// A program of the customer's that may ask for things.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AppClient {
    /// Its id; project and environment stand in it.
    pub id: ClientId,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing)]
    pub revoked_at: Option<Timestamp>,
}

/// What an operator decided about a connector, for the deployment or for a project and environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ConnectorSettings {
    /// The provider client's public half, where one is stored here.
    pub client_id: Option<String>,
    /// Whether it can be connected at all.
    pub enabled: bool,
    /// Whether lists show it.
    pub visible: bool,
    /// Its place in lists; smaller is earlier, equal ones by name.
    pub order: u32,
    /// The scopes asked for, in place of the connector's own.
    pub scopes: Option<Vec<String>>,
    /// The scopes of the second scope parameter.
    pub second_scopes: Option<Vec<String>>,
    /// Scopes that an app may ask for besides, when it upgrades a connection.
    pub optional_scopes: Option<Vec<String>>,
    /// Further authorization parameters.
    pub authorization_params: BTreeMap<String, String>,
    /// Values of the connector's settings that are no secrets.
    pub settings: BTreeMap<String, String>,
    /// The names of its settings that are secret and set here: their values stand beside the provider client.
    #[serde(default)]
    pub secret_settings: BTreeSet<String>,
    /// The redirect URI that the provider client is registered with.
    #[serde(default)]
    pub callback: Callback,
}

impl Default for ConnectorSettings {
    fn default() -> Self {
        Self {
            client_id: None,
            enabled: true,
            visible: true,
            order: 1000,
            scopes: None,
            second_scopes: None,
            optional_scopes: None,
            authorization_params: BTreeMap::new(),
            settings: BTreeMap::new(),
            secret_settings: BTreeSet::new(),
            callback: Callback::default(),
        }
    }
}

impl ConnectorSettings {
    /// The same, with what it leaves open taken from another.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        self.scopes = self.scopes.or_else(|| other.scopes.clone());
        self.second_scopes = self.second_scopes.or_else(|| other.second_scopes.clone());
        self.optional_scopes = self.optional_scopes.or_else(|| other.optional_scopes.clone());
        for (name, value) in &other.authorization_params {
            self.authorization_params.entry(name.clone()).or_insert_with(|| value.clone());
        }
        for (name, value) in &other.settings {
            self.settings.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }
}

/// What the deployment knows of itself.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// Its public address.
    pub base_url: Option<String>,
    /// Tells the ring that sealed the data from any other.
    pub ring_check: Option<String>,
    /// The published public keys.
    pub jwks: Option<String>,
}

/// The name of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// [`Deployment`].
    Deployment,
    /// A default provider client: [`ConnectorSettings`].
    DefaultClient(ConnectorId),
    /// [`Project`].
    Project(ProjectId),
    /// [`AppClient`].
    Client(ClientId),
    /// [`ConnectorSettings`] of a project and environment.
    Connector(ProjectId, Environment, ConnectorId),
    /// A custom connector: [`Connector`].
    Custom(ProjectId, ConnectorId),
    /// A client that was registered for a connector: [`Registration`].
    Registration(ProjectId, Environment, ConnectorId),
    /// The mark of a deleted user.
    DeletedUser(ProjectId, Environment, Identity),
}

impl Key {
    fn parts(&self) -> (String, String) {
        match self {
            Self::Deployment => ("deployment".to_owned(), "deployment".to_owned()),
            Self::DefaultClient(connector) => ("deployment".to_owned(), format!("client#{connector}")),
            Self::Project(project) => (partition(project), "project".to_owned()),
            Self::Client(client) => (partition(&client.project()), format!("client#{client}")),
            Self::Connector(project, environment, connector) => {
                (partition(project), format!("connector#{environment}#{connector}"))
            }
            Self::Custom(project, connector) => (partition(project), format!("custom#{connector}")),
            Self::Registration(project, environment, connector) => {
                (partition(project), format!("registration#{environment}#{connector}"))
            }
            Self::DeletedUser(project, environment, identity) => {
                // hashed: an identity may be longer than a sort key, and is somebody's name
                let name = digest(&format!("{}#{}", identity.identity_type.as_str(), identity.identity));
                (partition(project), format!("deleted_user#{environment}#{}", name.as_str()))
            }
        }
    }

    fn attributes(&self) -> HashMap<String, AttributeValue> {
        let (pk, sk) = self.parts();
        HashMap::from([("pk".to_owned(), string(pk)), ("sk".to_owned(), string(sk))])
    }
}

fn partition(project: &ProjectId) -> String {
    format!("project#{project}")
}

/// What a read found: that there is nothing is worth keeping too.
type Found = Option<Item>;

/// Settings that were read together.
#[derive(Default)]
pub struct Read {
    items: HashMap<Key, Option<Item>>,
    table: Option<Table>,
}

/// The settings table.
pub struct Settings {
    table: Table,
    kept: Mutex<HashMap<Key, (Timestamp, Found)>>,
}

impl Settings {
    /// Settings in this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table, kept: Mutex::default() }
    }

    /// Reads settings, at most [`KEPT`] old, with one call for all that are not kept. Reads are strongly consistent.
    pub async fn read(&self, keys: &[Key], now: Timestamp) -> Result<Read, StoreError> {
        let mut items = HashMap::new();
        let mut missing = Vec::new();
        for key in keys {
            match self.kept(key, now) {
                Some(item) => drop(items.insert(key.clone(), item)),
                None if missing.contains(key) => {}
                None => missing.push(key.clone()),
            }
        }
        if !missing.is_empty() {
            for (key, item) in self.fetch(missing).await? {
                self.keep(key.clone(), item.clone(), now);
                items.insert(key, item);
            }
        }
        Ok(Read { items, table: Some(self.table.clone()) })
    }

    /// Reads settings as they are now, past what is kept: whoever changes them wants to see what stands.
    pub async fn read_fresh(&self, keys: &[Key]) -> Result<Read, StoreError> {
        let items = self.fetch(keys.to_vec()).await?.into_iter().collect();
        Ok(Read { items, table: Some(self.table.clone()) })
    }

    async fn fetch(&self, keys: Vec<Key>) -> Result<Vec<(Key, Option<Item>)>, StoreError> {
        let mut found: HashMap<(String, String), Item> = HashMap::new();
        // DynamoDB refuses a batch that names a key twice
        let distinct: HashSet<&Key> = keys.iter().collect();
        let mut wanted: Vec<_> = distinct.into_iter().map(Key::attributes).collect();
        for round in 0..ROUNDS {
            if wanted.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25 * round)).await;
            let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
            let request = request.map_err(|error| self.table.malformed(error.to_string()))?;
            let output = self.table.client.batch_get_item().request_items(&self.table.name, request).send().await;
            let output = output.map_err(self.table.failed("BatchGetItem"))?;
            for item in
                output.responses.unwrap_or_default().remove(&self.table.name).unwrap_or_default().into_iter().map(Item)
            {
                let name = (
                    item.get_text("pk").unwrap_or_default().to_owned(),
                    item.get_text("sk").unwrap_or_default().to_owned(),
                );
                found.insert(name, item);
            }
            wanted = output
                .unprocessed_keys
                .unwrap_or_default()
                .remove(&self.table.name)
                .map(|rest| rest.keys)
                .unwrap_or_default();
        }
        if !wanted.is_empty() {
            return Err(StoreError::Call {
                operation: "BatchGetItem",
                table: self.table.name.clone(),
                cause: "keys stay unprocessed".to_owned(),
            });
        }
        Ok(keys.into_iter().map(|key| (key.clone(), found.get(&key.parts()).cloned())).collect())
    }

    /// Reads the deployment's facts.
    pub async fn deployment(&self, now: Timestamp) -> Result<Deployment, StoreError> {
        Ok(self.read(&[Key::Deployment], now).await?.deployment())
    }

    /// The public address, if it was read before: however long ago.
    #[must_use]
    pub fn known_base_url(&self) -> Option<String> {
        let kept = self.kept.lock().ok()?;
        let (_, item) = kept.get(&Key::Deployment)?;
        item.as_ref()?.get_text("base_url").map(str::to_owned)
    }

    /// Sets the public address, overwriting an older one.
    pub async fn set_base_url(&self, base_url: &str) -> Result<(), StoreError> {
        self.set_deployment("base_url", base_url, true).await.map(drop)
    }

    /// Writes down which ring seals this deployment's data; the first to do so wins. Returns the one that stands there.
    pub async fn claim_ring(&self, check: &str) -> Result<String, StoreError> {
        self.set_deployment("ring_check", check, false).await
    }

    /// Publishes the public keys, in place of those of an earlier seed.
    pub async fn publish_keys(&self, jwks: &str) -> Result<(), StoreError> {
        self.set_deployment("jwks", jwks, true).await.map(drop)
    }

    async fn set_deployment(&self, name: &str, value: &str, overwrite: bool) -> Result<String, StoreError> {
        let expression = if overwrite { "SET #name = :value" } else { "SET #name = if_not_exists(#name, :value)" };
        let update =
            self.table.client.update_item().table_name(&self.table.name).set_key(Some(Key::Deployment.attributes()));
        let update = update
            .update_expression(expression)
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", string(value));
        let update = update.return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew);
        let output = self.table.write(update).await.map_err(self.table.failed("UpdateItem"))?;
        self.forget(&Key::Deployment);
        let item = Item(output.attributes.unwrap_or_default());
        item.get_text(name).map(str::to_owned).ok_or_else(|| self.table.malformed(name))
    }

    /// Makes a project.
    pub async fn create_project(&self, project: &Project) -> Result<(), StoreError> {
        let listed = Item::new().text("pk", "projects").text("sk", project.id.as_str()).text("name", &project.name);
        let item = Item(Key::Project(project.id.clone()).attributes()).doc(project).number("version", 1);
        let writes = [listed, item].map(|item| put_new(&self.table, item));
        let mut transaction = self.table.client.transact_write_items();
        for write in writes {
            transaction = transaction.transact_items(write.map_err(|error| self.table.malformed(error.to_string()))?);
        }
        self.table.write(transaction).await.map_err(self.table.failed("TransactWriteItems"))?;
        self.forget(&Key::Project(project.id.clone()));
        Ok(())
    }

    /// Changes a project by a function of what stands there; repeated when somebody else changed it in between.
    pub async fn update_project(
        &self,
        id: &ProjectId,
        change: impl Fn(&mut Project),
    ) -> Result<Option<Project>, Error> {
        for _ in 0..CHANGES {
            let Some(item) = self.fetch(vec![Key::Project(id.clone())]).await?.pop().and_then(|(_, item)| item) else {
                return Ok(None);
            };
            let mut project: Project = item.get_doc(&self.table)?;
            let version = item.get_number("version").unwrap_or_default();
            change(&mut project);
            let changed = Item(Key::Project(id.clone()).attributes()).doc(&project).number("version", version + 1);
            let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(changed.0));
            let put = put
                .condition_expression("version = :version")
                .expression_attribute_values(":version", super::number(version));
            match self.table.write(put).await {
                Ok(_) => {
                    self.rename(&project).await?;
                    self.forget(&Key::Project(id.clone()));
                    return Ok(Some(project));
                }
                Err(error)
                    if error.as_service_error().is_some_and(
                        aws_sdk_dynamodb::operation::put_item::PutItemError::is_conditional_check_failed_exception,
                    ) => {}
                Err(error) => return Err(self.table.failed("PutItem")(error).into()),
            }
        }
        Err(Error::Conflict("the project"))
    }

    async fn rename(&self, project: &Project) -> Result<(), StoreError> {
        self.put(Item::new().text("pk", "projects").text("sk", project.id.as_str()).text("name", &project.name)).await
    }

    /// Every project's id and name.
    pub async fn projects(&self) -> Result<Vec<(ProjectId, String)>, StoreError> {
        let items = self.query("projects", "").await?;
        let entry = |item: &Item| Some((ProjectId::parse(item.get_text("sk")?)?, item.get_text("name")?.to_owned()));
        Ok(items.iter().filter_map(entry).collect())
    }

    /// Makes an app client. Its secret is stored as a digest: 256 random bits need no slow hash.
    pub async fn create_client(&self, client: &AppClient, secret: &Digest) -> Result<(), StoreError> {
        let item = Item(Key::Client(client.id.clone()).attributes()).doc(client).text("secret_hash", secret.as_str());
        self.put(item).await?;
        self.forget(&Key::Client(client.id.clone()));
        Ok(())
    }

    /// A project's app clients, revoked ones included.
    pub async fn clients(&self, project: &ProjectId) -> Result<Vec<AppClient>, StoreError> {
        let items = self.query(&partition(project), "client#").await?;
        items.iter().map(|item| client(item, &self.table)).collect()
    }

    /// Revokes an app client. False if there is none; revoking twice keeps the first time.
    pub async fn revoke_client(&self, id: &ClientId, now: Timestamp) -> Result<bool, StoreError> {
        let update = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(Key::Client(id.clone()).attributes()));
        let update = update
            .update_expression("SET revoked_at = if_not_exists(revoked_at, :now)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", super::number(now.millis()));
        self.forget(&Key::Client(id.clone()));
        match self.table.write(update).await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::update_item::UpdateItemError::is_conditional_check_failed_exception,
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// Stores what was decided about a connector, under [`Key::Connector`] or [`Key::DefaultClient`].
    pub async fn put_connector(&self, key: &Key, settings: &ConnectorSettings) -> Result<(), StoreError> {
        self.put(Item(key.attributes()).doc(settings)).await?;
        self.forget(key);
        Ok(())
    }

    /// Stores a custom connector.
    pub async fn put_custom(&self, project: &ProjectId, connector: &Connector) -> Result<(), StoreError> {
        let key = Key::Custom(project.clone(), ConnectorId::of(connector));
        self.put(Item(key.attributes()).doc(connector)).await?;
        self.forget(&key);
        Ok(())
    }

    /// Takes a setting away. False if there was none.
    pub async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name).set_key(Some(key.attributes()));
        self.forget(key);
        match self.table.write(delete.condition_expression("attribute_exists(pk)")).await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::delete_item::DeleteItemError::is_conditional_check_failed_exception,
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.table.failed("DeleteItem")(error)),
        }
    }

    /// What a project and environment decided about connectors.
    pub async fn connectors(
        &self,
        project: &ProjectId,
        environment: Environment,
    ) -> Result<BTreeMap<String, ConnectorSettings>, StoreError> {
        let prefix = format!("connector#{environment}#");
        self.listed(&partition(project), &prefix).await
    }

    /// The deployment's default provider clients, without their secrets.
    pub async fn default_clients(&self) -> Result<BTreeMap<String, ConnectorSettings>, StoreError> {
        self.listed("deployment", "client#").await
    }

    /// A project's custom connectors.
    pub async fn customs(&self, project: &ProjectId) -> Result<Vec<Connector>, StoreError> {
        let items = self.query(&partition(project), "custom#").await?;
        items.iter().map(|item| item.get_doc(&self.table)).collect()
    }

    async fn listed(&self, pk: &str, prefix: &str) -> Result<BTreeMap<String, ConnectorSettings>, StoreError> {
        let items = self.query(pk, prefix).await?;
        let entry = |item: &Item| {
            let name = item.get_text("sk").and_then(|sk| sk.strip_prefix(prefix)).unwrap_or_default().to_owned();
            Ok((name, item.get_doc(&self.table)?))
        };
        items.iter().map(entry).collect()
    }

    /// Remembers that a user was deleted, so that no new link is made for one who is gone.
    pub async fn mark_user_deleted(
        &self,
        project: &ProjectId,
        environment: Environment,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = Key::DeletedUser(project.clone(), environment, identity.clone());
        self.put(Item(key.attributes()).number("deleted_at", now.millis())).await?;
        self.forget(&key);
        Ok(())
    }

    /// That a connection's user was not deleted, as a condition in a transaction: what a read keeps may be [`KEPT`] old. None
    /// for the project's own connection, which is nobody's.
    pub(crate) fn not_deleted(&self, connection: &Connection) -> Result<Option<TransactWriteItem>, StoreError> {
        let Connection { project, environment, identity: Some(identity), .. } = connection else { return Ok(None) };
        let key = Key::DeletedUser(project.clone(), *environment, identity.clone());
        let check = ConditionCheck::builder()
            .table_name(&self.table.name)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(Some(TransactWriteItem::builder().condition_check(check).build()))
    }

    async fn put(&self, item: Item) -> Result<(), StoreError> {
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item.0));
        self.table.write(put).await.map(drop).map_err(self.table.failed("PutItem"))
    }

    async fn query(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let condition = if prefix.is_empty() { "pk = :pk" } else { "pk = :pk AND begins_with(sk, :prefix)" };
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let mut query = self
                .table
                .client
                .query()
                .table_name(&self.table.name)
                .key_condition_expression(condition)
                .expression_attribute_values(":pk", string(pk));
            if !prefix.is_empty() {
                query = query.expression_attribute_values(":prefix", string(prefix));
            }
            let output = query
                .consistent_read(true)
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(self.table.failed("Query"))?;
            items.extend(output.items.unwrap_or_default().into_iter().map(Item));
            from = output.last_evaluated_key;
            if from.is_none() || items.len() >= 10_000 {
                return Ok(items);
            }
        }
    }

    fn kept(&self, key: &Key, now: Timestamp) -> Option<Found> {
        let kept = self.kept.lock().ok()?;
        kept.get(key).filter(|(since, _)| since.until(now) < KEPT).map(|(_, item)| item.clone())
    }

    fn keep(&self, key: Key, item: Option<Item>, now: Timestamp) {
        if let Ok(mut kept) = self.kept.lock() {
            if kept.len() >= 4096 {
                kept.clear(); // bounded, and cheap to fill again
            }
            kept.insert(key, (now, item));
        }
    }

    fn forget(&self, key: &Key) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.remove(key);
        }
    }
}

fn put_new(table: &Table, item: Item) -> Result<TransactWriteItem, aws_sdk_dynamodb::error::BuildError> {
    let put = Put::builder()
        .table_name(&table.name)
        .set_item(Some(item.0))
        .condition_expression("attribute_not_exists(pk)")
        .build()?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn client(item: &Item, table: &Table) -> Result<AppClient, StoreError> {
    let mut client: AppClient = item.get_doc(table)?;
    client.revoked_at = item.get_number("revoked_at").map(Timestamp::from_millis);
    Ok(client)
}

impl Read {
    fn item(&self, key: &Key) -> Option<&Item> {
        self.items.get(key).and_then(Option::as_ref)
    }

    fn doc<T: serde::de::DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        match (self.item(key), &self.table) {
            (Some(item), Some(table)) => item.get_doc(table).map(Some),
            _ => Ok(None),
        }
    }

    /// The deployment's facts.
    #[must_use]
    pub fn deployment(&self) -> Deployment {
        let text = |name| self.item(&Key::Deployment).and_then(|item| item.get_text(name)).map(str::to_owned);
        Deployment { base_url: text("base_url"), ring_check: text("ring_check"), jwks: text("jwks") }
    }

    /// A project.
    pub fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        self.doc(&Key::Project(id.clone()))
    }

    /// An app client and the digest of its secret.
    pub fn client(&self, id: &ClientId) -> Result<Option<(AppClient, String)>, StoreError> {
        match (self.item(&Key::Client(id.clone())), &self.table) {
            (Some(item), Some(table)) => {
                Ok(Some((client(item, table)?, item.get_text("secret_hash").unwrap_or_default().to_owned())))
            }
            _ => Ok(None),
        }
    }

    /// What was decided about a connector.
    pub fn connector(&self, key: &Key) -> Result<Option<ConnectorSettings>, StoreError> {
        self.doc(key)
    }

    /// A custom connector.
    pub fn custom(&self, project: &ProjectId, connector: &ConnectorId) -> Result<Option<Connector>, StoreError> {
        self.doc(&Key::Custom(project.clone(), connector.clone()))
    }

    /// Whether a user was deleted.
    #[must_use]
    pub fn is_deleted(&self, key: &Key) -> bool {
        self.item(key).is_some()
    }
}

/// Whose provider client a connector in use has: the project's own before the deployment's.
#[must_use]
pub fn client_in_use(
    own: Option<&ConnectorSettings>,
    default: Option<&ConnectorSettings>,
) -> Option<(ClientSource, String)> {
    let id = |settings: Option<&ConnectorSettings>| settings.and_then(|settings| settings.client_id.clone());
    id(own).map(|id| (ClientSource::Project, id)).or_else(|| id(default).map(|id| (ClientSource::Default, id)))
}
