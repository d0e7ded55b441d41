//! The deployment that the recorded events are about: invented, on `.example` hosts, with secrets that are none.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, response::IntoResponse};
use serde_json::json;
use shared::{
    app::{Ahead, App},
    aws,
    clock::Timestamp,
    config::Config,
    id::{AttemptId, ClientId, ConnectionKey, ConnectorId, Environment, Identity, IdentityType, ProjectId, Role},
    protocol::{connector::Connector, credentials::Credentials},
    secret::{Bearer, digest},
    store::{
        attempts::{Attempt, Callback, Completion, Departure, Issuer, Shape, State, VERIFIER},
        connections::{Account, CREDENTIALS, Connection, Times},
        links::Link,
        settings::{AppClient, Project},
    },
    vault::Belongs,
};

use crate::world::{Fake, Seen, World};

/// Where it stands.
pub const BASE_URL: &str = "https://connect.example/prod";

/// The deployment, and the provider behind its connector `notes`.
pub struct Invented {
    pub app: Arc<App>,
    pub provider: Fake,
    _world: World,
}

impl Invented {
    pub async fn new() -> Self {
        let world = World::new().await;
        let provider = Fake::start(|seen: &Seen| {
            let told = |name: &&(String, String)| name.0.starts_with("x-") || name.0 == "cookie" || name.0 == "accept";
            let headers: Vec<_> = seen.headers.iter().filter(told).collect();
            let answer =
                json!({ "method": seen.method, "target": seen.target, "headers": headers, "body": seen.body.to_vec() });
            ([("etag", "\"1\""), ("set-cookie", "provider=1"), ("link", "<2>; rel=next")], Json(answer)).into_response()
        })
        .await;
        let local = &world.server.app;
        let config = Config { public_url: None, ..local.config.clone() };
        let mut acme: Connector =
            toml::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/local/acme.toml"))).unwrap();
        acme.id = "acme".into();
        let app = Arc::new(App::new(config, local.catalog.clone().with(acme), local.clock.clone()).unwrap());
        app.settings.set_base_url(BASE_URL).await.unwrap();
        let secrets = aws::secrets_manager(&app.config.aws, &aws::http_client(aws::tls()).unwrap());
        secrets.put_secret_value().secret_id("root-key").secret_string("an-invented-root-key").send().await.unwrap();
        let mut invented = Self { app, provider, _world: world };
        invented.plant_project().await;
        invented.plant_attempts().await;
        invented.plant_connections().await;
        // an instance as there are many: not the first one ever, and prefetched as in every `main`
        invented.app.prefetch(&[Ahead::Ring, Ahead::SigningKey]).await;
        invented.app = invented.cold();
        invented.app.prefetch(&[Ahead::Ring, Ahead::SigningKey]).await;
        invented
    }

    /// A further instance, whose prefetch failed.
    pub fn cold(&self) -> Arc<App> {
        let App { config, catalog, clock, .. } = &*self.app;
        Arc::new(App::new(config.clone(), catalog.clone(), clock.clone()).unwrap())
    }

    fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    async fn plant_project(&self) {
        let project = Project {
            id: project(),
            name: "Orbit CRM".to_owned(),
            allowed_origins: vec!["https://app.example".to_owned()],
            redirect_uris: vec!["https://app.example/connected".to_owned()],
            vouches_for_users: false,
            reconnect_other_account: shared::store::settings::OtherAccount::default(),
            brand: shared::brand::Brand::default(),
            created_at: self.now(),
        };
        self.app.settings.create_project(&project).await.unwrap();
        let client = AppClient {
            id: ClientId::parse("porbit-tbackend").unwrap(),
            name: "Back end".to_owned(),
            description: String::new(),
            roles: Role::ALL.to_vec(),
            created_at: self.now(),
            revoked_at: None,
        };
        self.app.settings.create_client(&client, &digest("an-invented-secret-of-an-invented-client")).await.unwrap();
        let link = Link {
            project: project.id,
            environment: Environment::Test,
            identity: ada(),
            identity_label: Some("Ada Lovelace".to_owned()),
            connectors: vec![connector("acme")],
            return_to: None,
            session: None,
            led_by: shared::store::links::LedBy::Address,
            upgrade: None,
            created_at: self.now(),
        };
        self.app.links.put(&Bearer::from("an-invented-one-time-token".to_owned()), &link).await.unwrap();
        let opened = Bearer::from("an-invented-opened-token".to_owned());
        self.app.links.put(&opened, &link).await.unwrap();
        self.app.links.claim(&opened.digest(), &digest("an-invented-cookie"), self.now()).await.unwrap();
    }

    /// One that nobody started, one that a browser did, and one that has ended.
    async fn plant_attempts(&self) {
        for id in ["att_invented", "att_started", "att_ended"] {
            let attempt = Attempt {
                id: AttemptId::parse(id).unwrap(),
                project: project(),
                environment: Environment::Test,
                connector: connector("acme"),
                identity: ada(),
                identity_label: None,
                connector_name: "Acme".to_owned(),
                app_name: "Orbit CRM".to_owned(),
                shape: Shape::FrontEnd { base_url: Some("https://app.example/settings?tab=apps".to_owned()) },
                completion: Completion::PersonConfirms,
                connection: ConnectionKey::parse("conn_planned").unwrap(),
                name: None,
                reconnect: false,
                client: None,
                client_id: None,
                authorization_url: "https://provider.example/oauth/authorize?response_type=code&client_id=invented"
                    .to_owned(),
                redirect_uri: format!("{BASE_URL}/connectors/acme/oauth/callback"),
                callback: Callback::Own,
                issuer: Some(Issuer { identifier: "https://provider.example".to_owned(), is_told: true }),
                code_parameter: None,
                departure: Departure::default(),
                lifetime: None,
                scopes: Vec::new(),
                session: None,
                values: BTreeMap::new(),
                created_at: self.now(),
            };
            let state = State::parse(&format!("acme.{id}.an-invented-proof")).unwrap();
            let verifier = self.app.seal(&attempt.belongs(VERIFIER), b"an-invented-verifier").await.unwrap();
            self.app.attempts.put(&attempt, &state, &verifier).await.unwrap();
            if id != "att_invented" {
                self.app.attempts.start(&state, &digest("an-invented-cookie"), self.now()).await.unwrap();
            }
            if id == "att_ended" {
                let proof = shared::store::attempts::Proof {
                    browser: digest("an-invented-cookie"),
                    connector: Some(connector("acme")),
                    issuer: Some("https://provider.example".to_owned()),
                    claimer: shared::store::Claimer::random(&self.app.random),
                };
                self.app.attempts.claim(&state, &proof, self.now()).await.unwrap();
                self.app.attempts.deny(&attempt.id, "access_denied").await.unwrap();
            }
        }
    }

    async fn plant_connections(&self) {
        let notes: Connector = serde_json::from_value(json!({
            "id": "notes", "name": "Notes", "inputs": [{ "name": "api_key", "label": "API key", "secret": true }],
            "api": { "base_url": format!("{}/v1", self.provider.url), "credential": { "in": "header", "name": "X-API-Key", "value": "{api_key}" } },
        }))
        .unwrap();
        self.app.settings.put_custom(&project(), &notes).await.unwrap();
        let connection = Connection {
            key: ConnectionKey::parse("conn_invented").unwrap(),
            project: project(),
            environment: Environment::Test,
            connector: connector("notes"),
            identity: ada(),
            identity_label: None,
            name: None,
            account: Account {
                id: Some("7".to_owned()),
                tenant: None,
                label: Some("Ada's notes".to_owned()),
                email: None,
            },
            client: None,
            client_id: None,
            scopes: Vec::new(),
            slots: Vec::new(),
            requested: Vec::new(),
            values: BTreeMap::new(),
            tags: Vec::new(),
            active: true,
            created_at: self.now(),
            updated_at: self.now(),
            version: 1,
        };
        let belongs = Belongs {
            project: &connection.project,
            environment: connection.environment,
            connector: &connection.connector,
            connection: &connection.key,
            content: CREDENTIALS,
        };
        let key = BTreeMap::from([("api_key".to_owned(), "an-invented-api-key".to_owned())]);
        let sealed = self.app.seal(&belongs, &Credentials::typed(key).plaintext()).await.unwrap();
        self.app.connections.create(&self.app.settings, &connection, &sealed, Times::default()).await.unwrap();
    }
}

fn project() -> ProjectId {
    ProjectId::parse("porbit").unwrap()
}

fn connector(id: &str) -> ConnectorId {
    ConnectorId::parse(id).unwrap()
}

fn ada() -> Option<Identity> {
    Identity::parse("ada", IdentityType::User).ok()
}
