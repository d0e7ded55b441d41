//! What the tests of the store and of refresh stand on: tables of their own, seeds, a project, a clock with hands.
//!
//! The tables are in an emulator inside the process, or wherever `MOORING_TEST_DYNAMODB` (an address) says, under names that
//! begin with `MOORING_TEST_TABLE_PREFIX`; the secrets likewise by `MOORING_TEST_SECRETS_MANAGER`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    operation::create_table::builders::CreateTableFluentBuilder,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType, TableStatus,
    },
};
use serde_json::Value;
use shared::{
    app::{Ahead, App},
    aws,
    caller::secret_key,
    catalog::Catalog,
    clock::{Clock, Random, Timestamp},
    config::{Aws, Config, SecretNames, Tables},
    id::{ClientId, ConnectorId, Environment, ProjectId, Role},
    secret::{AppSecret, Bearer, ClientSecret},
    secrets::{ClientsSecret, ProviderClient},
    store::settings::{AppClient, ConnectorSettings, Key, Project},
};

use crate::{
    emulator::{Proxy, embedded, serve},
    refresh::provider::Provider,
};

/// A clock whose hands a test turns.
#[derive(Clone)]
pub struct Hands(Arc<AtomicU64>);

impl Hands {
    fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(now.millis())))
    }

    /// Turns them forward.
    pub fn turn(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Turns them to the last moment before that.
    pub fn turn_almost(&self, by: Duration) {
        self.turn(by);
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    /// What they show.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::new(move || hands.now())
    }
}

/// Everything that a test of the store stands on.
pub struct World {
    /// One process of Mooring.
    pub app: Arc<App>,
    /// The clock.
    pub hands: Hands,
    /// What stands before DynamoDB.
    pub dynamodb: Proxy,
    /// What stands before Secrets Manager.
    pub secrets: Proxy,
    /// The provider, in the catalogue as `vendor` (and as `pushed`, `typed` and `signed`, which begin otherwise) and among the project's own connectors as `custom`.
    pub provider: Provider,
    /// A project, in whose environment `test` everything happens.
    pub project: ProjectId,
    /// An app client that has every role.
    pub client: ClientId,
    /// Its key.
    pub key: String,
}

impl World {
    /// A new one, with nothing in it but a project, an app client and the provider's client.
    pub async fn new() -> Self {
        let hands = Hands::at(Clock::system().now());
        let random = Random::system();
        let unique = Bearer::random(&random).digest().as_str()[..12].replace(['_', '-'], "x");
        let unique = format!("{}{unique}", variable("MOORING_TEST_TABLE_PREFIX").unwrap_or_default());
        let dynamodb = Proxy::before(&endpoint("MOORING_TEST_DYNAMODB", embedded).await).await;
        let secrets = Proxy::before(&endpoint("MOORING_TEST_SECRETS_MANAGER", embedded_secrets).await).await;
        let config = config(&unique, &dynamodb, &secrets);
        plant(&config, &random).await;

        let provider = Provider::start().await;
        let app = process(&config, &provider, &hands);
        let project = ProjectId::random(&random);
        let client = ClientId::random(&project, Environment::Test, &random);
        let secret = AppSecret::from(Bearer::random(&random).expose().to_owned());
        let key = secret_key(&client, &secret);
        let world = Self { app, hands, dynamodb, secrets, provider, project, client, key };
        world.populate(&secret).await;
        world
    }

    async fn populate(&self, secret: &AppSecret) {
        let (app, now) = (&self.app, self.hands.now());
        app.settings.set_base_url("https://mooring.example").await.unwrap();
        let project = Project {
            id: self.project.clone(),
            name: "Orbit".to_owned(),
            allowed_origins: vec!["https://orbit.example".to_owned()],
            redirect_uris: vec!["https://orbit.example/connected".to_owned()],
            vouches_for_users: true,
            reconnect_other_account: shared::store::settings::OtherAccount::Allow,
            brand: shared::brand::Brand::default(),
            created_at: now,
        };
        app.settings.create_project(&project).await.unwrap();
        let client = AppClient {
            id: self.client.clone(),
            name: "back end".to_owned(),
            description: String::new(),
            roles: Role::ALL.to_vec(),
            created_at: now,
            revoked_at: None,
        };
        app.settings.create_client(&client, &shared::secret::digest(secret.expose())).await.unwrap();
        app.settings.put_custom(&self.project, &self.provider.connector("custom")).await.unwrap();
        let own = ClientsSecret::Project(self.project.clone(), Environment::Test);
        for connector in ["vendor", "custom", "pushed", "typed", "signed"].map(|id| ConnectorId::parse(id).unwrap()) {
            let secret = ClientSecret::from("provider-client-secret".to_owned());
            let client_id = "mooring".to_owned();
            let client = ProviderClient { client_id, client_secret: Some(secret), ..ProviderClient::default() };
            app.secrets.put_provider_client(&own, &connector, Some(&client), || self.token()).await.unwrap();
            let settings = ConnectorSettings { client_id: Some(client.client_id), ..ConnectorSettings::default() };
            let key = Key::Connector(self.project.clone(), Environment::Test, connector);
            app.settings.put_connector(&key, &settings).await.unwrap();
        }
    }

    /// Another process of the same deployment: the same tables and secrets, caches of its own.
    pub fn another_process(&self) -> Arc<App> {
        process(&self.app.config, &self.provider, &self.hands)
    }

    /// Another process that speaks to the endpoints directly, with settings already read: for tests in which hundreds call.
    pub async fn quick_process(&self) -> Arc<App> {
        let mut config = self.app.config.clone();
        config.aws.dynamodb_endpoint = Some(self.dynamodb.upstream().to_owned());
        config.aws.secrets_manager_endpoint = Some(self.secrets.upstream().to_owned());
        let app = process(&config, &self.provider, &self.hands);
        app.prefetch(&[Ahead::Ring]).await;
        let project = [Key::Project(self.project.clone()), Key::Client(self.client.clone()), Key::Deployment];
        app.settings.read(&project, self.hands.now()).await.unwrap();
        app
    }

    /// A name for a new version of a secret.
    pub fn token(&self) -> String {
        Bearer::random(&self.app.random).expose().to_owned()
    }

    /// A client of DynamoDB, to look into the tables with.
    pub fn client(&self) -> Client {
        aws::dynamodb(&self.app.config.aws, &aws::http_client(aws::tls()).unwrap())
    }
}

fn process(config: &Config, provider: &Provider, hands: &Hands) -> Arc<App> {
    let catalog = Catalog::builtin().with(provider.connector("vendor"));
    let catalog = provider.other_beginnings().into_iter().fold(catalog, Catalog::with);
    Arc::new(App::new(config.clone(), catalog, hands.clock()).unwrap())
}

async fn endpoint(variable_name: &str, embedded: impl AsyncFn() -> String) -> String {
    if let Some(endpoint) = variable(variable_name) { endpoint } else { embedded().await }
}

async fn embedded_secrets() -> String {
    let secrets = local::secrets::Secrets::open(None).unwrap();
    serve(local::secrets::router(secrets)).await
}

fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the tests' endpoint is named, and nothing else reads the environment"
    )]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Names with a dot: what stands before it tells this test's tables from another's.
fn config(unique: &str, dynamodb: &Proxy, secrets: &Proxy) -> Config {
    let named = |name: &str| format!("{unique}.{name}");
    Config {
        tables: Tables {
            settings: named("settings"),
            flows: named("flows"),
            connections: named("connections"),
            journal: named("journal"),
        },
        secrets: SecretNames {
            ring_seed: named("ring-seed"),
            ring_versions: named("ring-versions"),
            signing_seed: named("signing-seed"),
            root_key: named("root-key"),
            clients_prefix: named("clients/"),
        },
        deployment_id: "test".to_owned(),
        public_url: None, // as where it is learnt from the first admin call
        loopback_egress: true,
        aws: Aws {
            region: "us-east-1".to_owned(),
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
            session_token: None,
            dynamodb_endpoint: Some(dynamodb.url.clone()),
            secrets_manager_endpoint: Some(secrets.url.clone()),
        },
    }
}

async fn plant(config: &Config, random: &Random) {
    let http = aws::http_client(aws::tls()).unwrap();
    let client = aws::dynamodb(&config.aws, &http);
    let Tables { settings, flows, connections, journal } = &config.tables;
    for definition in local::tables::definitions() {
        let suffix = definition["TableName"].as_str().unwrap();
        let name = [settings, flows, connections, journal]
            .into_iter()
            .find(|name| name.ends_with(&format!(".{suffix}")))
            .unwrap();
        create(&client, name, &definition).send().await.unwrap();
        while client.describe_table().table_name(name).send().await.unwrap().table.unwrap().table_status
            != Some(TableStatus::Active)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let secrets = aws::secrets_manager(&config.aws, &http);
    let SecretNames { ring_seed, ring_versions, signing_seed, root_key, .. } = &config.secrets;
    let long = || Bearer::random(random).expose().to_owned();
    for (name, text) in
        [(ring_seed, long()), (signing_seed, long()), (root_key, long()), (ring_versions, "{}".to_owned())]
    {
        secrets.create_secret().name(name).secret_string(text).send().await.unwrap();
    }
}

/// A table from its definition, under another name.
fn create(client: &Client, name: &str, definition: &Value) -> CreateTableFluentBuilder {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let keys = |value: &Value| -> Vec<KeySchemaElement> {
        let key = |key: &Value| {
            KeySchemaElement::builder()
                .attribute_name(text(&key["AttributeName"]))
                .key_type(KeyType::from(text(&key["KeyType"]).as_str()))
                .build()
                .unwrap()
        };
        list(value).iter().map(key).collect()
    };
    let attribute = |attribute: &Value| {
        let kind = ScalarAttributeType::from(text(&attribute["AttributeType"]).as_str());
        AttributeDefinition::builder()
            .attribute_name(text(&attribute["AttributeName"]))
            .attribute_type(kind)
            .build()
            .unwrap()
    };
    let index = |index: &Value| {
        let projection = &index["Projection"];
        let kind = ProjectionType::from(text(&projection["ProjectionType"]).as_str());
        let projected = list(&projection["NonKeyAttributes"]).iter().map(text).collect();
        let projection = Projection::builder().projection_type(kind).set_non_key_attributes(Some(projected)).build();
        GlobalSecondaryIndex::builder()
            .index_name(text(&index["IndexName"]))
            .set_key_schema(Some(keys(&index["KeySchema"])))
            .projection(projection)
            .build()
            .unwrap()
    };
    let indexes: Vec<_> = list(&definition["GlobalSecondaryIndexes"]).iter().map(index).collect();
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys(&definition["KeySchema"])))
        .set_attribute_definitions(Some(list(&definition["AttributeDefinitions"]).iter().map(attribute).collect()))
        .set_global_secondary_indexes(Some(indexes).filter(|indexes| !indexes.is_empty()))
}
