//! A world for each test: everything in process on loopback, a clock that the test turns, people with browsers.

mod answer;
mod browser;
mod dump;
mod fake;
mod flow;
mod instance;
mod log;
mod own;
mod raw;
mod server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use local::{
    Server,
    demo::Secret,
    options::{Options, loopback},
};
use serde_json::{Value, json};
use shared::{
    aws,
    clock::{Clock, Timestamp},
    id::{Environment, Role},
};

pub use self::{
    answer::{Answer, Call, Form},
    browser::Browser,
    fake::{Fake, Seen},
    flow::{Attempt, Shape, query},
    instance::{instance, list_connections},
    log::Log,
    own::definition_in,
    raw::Raw,
    server::{AuthorizationServer, in_form},
};

/// When every test begins: 2026-11-21, 12:25 UTC. Any moment would do.
pub const START: u64 = 1_795_263_900_000;

/// The user for whom the verbs of this world connect, and what the app's back end calls them.
pub const USER: &str = "user-1";
pub const LABEL: &str = "Ada of Orbit";

/// Everything, running.
pub struct World {
    pub server: Server,
    hands: Arc<AtomicU64>,
    http: reqwest::Client,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose options differ.
    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let hands = Arc::new(AtomicU64::new(START));
        let shown = Arc::clone(&hands);
        let mut options = Options::for_test(Clock::new(move || Timestamp::from_millis(shown.load(Ordering::Relaxed))));
        change(&mut options);
        let server = Server::start(options).await.unwrap();
        Self { server, hands, http: http() }
    }

    /// Turns the clock forward.
    pub fn turn(&self, by: Duration) {
        self.hands.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// What the clock shows, in milliseconds.
    pub fn now(&self) -> u64 {
        self.hands.load(Ordering::Relaxed)
    }

    /// Mooring's address, without a slash at its end.
    pub fn base(&self) -> String {
        self.server.base_url.as_str().trim_end_matches('/').to_owned()
    }

    /// The origin of the demo app, the one that the project allows.
    pub fn app_origin(&self) -> String {
        self.server.app_url.origin().ascii_serialization()
    }

    /// A redirect URI that the project allows.
    pub fn redirect_uri(&self) -> String {
        format!("{}/connected", self.app_origin())
    }

    /// The project of the demo.
    pub fn project(&self) -> &str {
        self.server.demo.project.as_str()
    }

    /// The demo's secret key: every role.
    pub fn key(&self) -> String {
        self.server.demo.secret_key()
    }

    /// A browser that was never used before.
    pub fn browser(&self) -> Browser {
        Browser::new(self.http.clone())
    }

    /// A request to Mooring without any credential.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(&self.http, method, &format!("{}{path}", self.base()))
    }

    /// A request with the demo's key.
    pub fn api(&self, method: &str, path: &str) -> Call {
        self.call(method, path).bearer(&self.key())
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.api("GET", path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.api("POST", path).json(body).send().await
    }

    /// A request with the root key.
    pub async fn root(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let call = self.call(method, path).bearer(&self.server.root_key);
        let answer = match body {
            Some(body) => call.json(body).send().await,
            None => call.send().await,
        };
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
        answer
    }

    /// A new app client of the demo's project.
    pub async fn client(&self, environment: Environment, roles: &[Role]) -> NewClient {
        self.client_of(self.project(), environment, roles).await
    }

    /// A new app client of a project.
    pub async fn client_of(&self, project: &str, environment: Environment, roles: &[Role]) -> NewClient {
        let body = json!({ "name": "A back end", "roles": roles, "environment": environment });
        let answer = self.root("POST", &format!("/v1/admin/projects/{project}/clients"), Some(&body)).await.json();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        NewClient { id: text("client_id"), secret: text("client_secret"), key: text("secret_key") }
    }

    /// A new project with the same addresses as the demo's.
    pub async fn project_beside(&self) -> String {
        let body =
            json!({ "name": "Beside", "allowed_origins": [self.app_origin()], "redirect_uris": [self.redirect_uri()] });
        self.root("POST", "/v1/admin/projects", Some(&body)).await.json()["id"].as_str().unwrap().to_owned()
    }

    /// Lets the demo's project vouch for its users.
    pub async fn vouch(&self) {
        let path = format!("/v1/admin/projects/{}", self.project());
        self.root("PATCH", &path, Some(&json!({ "vouches_for_users": true }))).await;
    }

    /// Puts a custom connector into the demo's project, and a provider client where it has one.
    pub async fn custom(&self, id: &str, definition: &Value, client: bool) {
        let project = self.project();
        self.root("PUT", &format!("/v1/admin/projects/{project}/connectors/{id}"), Some(definition)).await;
        if client {
            let (client, secret) = (&self.server.demo.acme_client_id, self.server.demo.acme_client_secret());
            self.register(id, client, secret).await;
            let body = json!({ "client_id": client, "client_secret": secret });
            let path = format!("/v1/admin/projects/{project}/environments/test/connectors/{id}");
            self.root("PUT", &path, Some(&body)).await;
        }
    }

    /// Lets Acme know the redirect URIs of the demo's own connectors beside those that it knows anyway.
    async fn register(&self, id: &str, client: &str, secret: &str) {
        let customs = self.root("GET", &format!("/v1/admin/projects/{}/connectors", self.project()), None).await.json();
        let customs = customs["rows"].as_array().unwrap();
        assert!(customs.iter().any(|custom| custom["id"] == id));
        let customs = customs.iter().map(|custom| custom["redirect_uri"].as_str().unwrap().to_owned());
        let base = self.base();
        let known = ["acme/oauth", "oauth"].map(|path| format!("{base}/connectors/{path}/callback"));
        let uris: Vec<String> = known.into_iter().chain(customs).collect();
        self.server.provider.register_client(client, &Secret::new(secret), "Orbit CRM", &uris).unwrap();
    }

    /// Acme's definition, to be varied.
    pub fn acme(&self) -> Value {
        let mut acme = serde_json::to_value(self.server.app.catalog.connector("acme").unwrap()).unwrap();
        acme.as_object_mut().unwrap().remove("id");
        acme
    }

    /// An access token from the token endpoint.
    pub async fn jwt(&self, client: &NewClient) -> String {
        let form = [("grant_type", "client_credentials"), ("client_id", &client.id), ("client_secret", &client.secret)];
        let answer = self.call("POST", "/oauth2/token").form(&form).send().await;
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
    }

    /// What the list of connections says.
    pub async fn connections(&self) -> Vec<Value> {
        let answer = self.get("/v1/vault/connections").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["rows"].as_array().unwrap().clone()
    }

    /// Asks for a connector by an address alone, with the root key.
    pub async fn discover(&self, body: &Value) -> Answer {
        let mut body = body.clone();
        body["project"] = self.project().into();
        self.call("POST", "/v1/connectors/discover").bearer(&self.server.root_key).json(&body).send().await
    }

    /// `GET /api/me` at Acme through a connection.
    pub async fn me(&self, connection: &str) -> Answer {
        self.api("GET", "/v1/passthrough/acme/me").header("x-one-connection-key", connection).send().await
    }

    /// Each grant at Acme, as `alice active`, the newest first.
    pub fn grants(&self) -> Vec<String> {
        self.server.provider.grants().iter().map(|grant| format!("{} {}", grant.user, grant.state)).collect()
    }

    /// The keeper's round of a minute.
    pub async fn keep(&self) -> keeper::Round {
        keeper::keep(&self.server.app, None).await.unwrap()
    }
}

/// An app client, as the answer that made it says.
#[derive(Clone)]
pub struct NewClient {
    pub id: String,
    pub secret: String,
    pub key: String,
}

/// A client that finds the names of the local server as a browser does, whatever DNS says.
fn http() -> reqwest::Client {
    let client = reqwest::Client::builder().tls_backend_preconfigured(aws::tls()).no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none());
    let names = ["mooring.localhost", "app.localhost", "provider.localhost"];
    names.iter().fold(client, |client, name| client.resolve(name, loopback(0))).build().unwrap()
}
