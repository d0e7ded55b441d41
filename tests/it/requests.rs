//! A good request for every route, from the table of routes: what the tests of roles and of bad input vary.

use axum::response::IntoResponse;
use serde_json::{Value, json};
use shared::{
    http::Method,
    id::{Environment, Role},
    routes::{Operation, Route},
};

use crate::world::{Answer, AuthorizationServer, Call, Fake, Seen, USER, World};

/// What good requests name.
pub struct Fixture {
    /// Where calls through passthrough arrive.
    pub provider: Fake,
    /// An authorization server that says what it is.
    pub server: AuthorizationServer,
    /// A connection of the user's.
    pub connection: String,
    /// An attempt, and the session that it was made with.
    pub attempt: String,
    pub session: String,
    /// An app client to be revoked.
    pub client: String,
}

/// A request to be sent, perhaps after something was broken in it.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<(&'static str, String)>,
}

impl Fixture {
    pub async fn new(world: &World) -> Self {
        let provider = Fake::start(|_: &Seen| axum::Json(json!({ "said": "hello" })).into_response()).await;
        world.custom("own-key", &keyed(&provider.url), false).await;
        let body = json!({ "identity": USER, "connectors": ["acme"] });
        let answer = world.post("/v1/connect/sessions", &body).await;
        let browser = world.browser();
        let page = browser.enter(&answer.member("url")).await;
        let start_url = browser.submit(page.form("/connect/acme")).await.location();
        Self {
            connection: connection(world).await,
            attempt: crate::world::Attempt::of(&start_url).id,
            session: answer.member("session"),
            client: world.client(Environment::Test, &[Role::Read]).await.id,
            provider,
            server: AuthorizationServer::new().await,
        }
    }

    /// Puts back what a request may have taken away.
    pub async fn renew(&mut self, world: &World, operation: Operation) {
        match operation {
            Operation::DeleteConnection | Operation::ReadCredential => self.connection = connection(world).await,
            Operation::ReadCustomConnector | Operation::DeleteCustomConnector => {
                world.custom("spare-key", &keyed(&self.provider.url), false).await;
            }
            _ => {}
        }
    }

    /// A request that this route grants to whoever may ask.
    pub fn good(&self, route: &Route, world: &World) -> Wanted {
        let mut path = route.path.to_owned();
        for (name, value) in self.params(route.operation, world.project()) {
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        let mut wanted = Wanted {
            method: route.method,
            path,
            query: String::new(),
            headers: Vec::new(),
            body: body(route.operation, &self.provider.url, world).map(|body| ("application/json", body.to_string())),
        };
        if route.operation == Operation::DiscoverConnector {
            let body = json!({ "issuer": self.server.url(), "id": "found", "project": world.project() });
            wanted.body = Some(("application/json", body.to_string()));
        }
        if route.operation == Operation::Passthrough {
            wanted.headers.push(("x-one-connection-key".to_owned(), self.connection.clone()));
        }
        wanted
    }

    fn params(&self, operation: Operation, project: &str) -> Vec<(&'static str, String)> {
        let document = format!("own-key-{project}");
        let connector = match operation {
            Operation::ReadProjectConnector
            | Operation::PutProjectConnector
            | Operation::DeleteProjectConnector
            | Operation::ExamineProjectConnector
            | Operation::ReadDefaultClient
            | Operation::ExamineDefaultConnector
            | Operation::PutDefaultClient
            | Operation::DeleteDefaultClient => "github",
            Operation::ReadCustomConnector | Operation::PutCustomConnector | Operation::DeleteCustomConnector => {
                "spare-key"
            }
            Operation::ClientDocument => &document,
            _ => "acme",
        };
        let id = match operation {
            Operation::AttemptStatus => self.attempt.clone(),
            Operation::ReadCredential => self.connection.replace("conn_", "cred_"),
            _ => self.connection.clone(),
        };
        let user = if operation == Operation::DeleteUser { "gone" } else { USER };
        let texts = [
            ("org", project),
            ("project", project),
            ("connector", connector),
            ("userId", user),
            ("handle", &self.attempt),
            ("attempt", &self.attempt),
            ("client", &self.client),
            ("environment", "test"),
            ("path+", "own-key/things"),
        ];
        texts.map(|(name, value)| (name, value.to_owned())).into_iter().chain([("id", id)]).collect()
    }
}

async fn connection(world: &World) -> String {
    let body = json!({ "credentialType": "apiKey", "userId": USER, "credentials": { "api_key": "k" } });
    world.post("/connectors/own-key/credentials", &body).await.member("connectionId")
}

fn keyed(url: &str) -> Value {
    json!({
        "name": "Own key",
        "inputs": [{ "name": "api_key", "label": "API key", "secret": true }],
        "api": { "base_url": url, "credential": { "in": "header", "name": "X-API-Key", "value": "{api_key}" } },
    })
}

fn body(operation: Operation, url: &str, world: &World) -> Option<Value> {
    Some(match operation {
        Operation::IssueToken => {
            json!({ "grant_type": "client_credentials", "client_id": world.server.demo.client, "client_secret": world.server.demo.client_secret() })
        }
        Operation::GenerateOneTimeToken => json!({ "user_id": USER, "connector_id": "acme" }),
        Operation::CreateSession | Operation::ListWidgetConnectors => {
            json!({ "identity": USER, "identityType": "user" })
        }
        Operation::CreateAttempt => json!({ "connector": "acme", "opener": world.app_origin() }),
        Operation::BeginDevice => json!({ "connector": "acme", "userId": USER }),
        Operation::CollectDevice => json!({ "userId": USER }),
        Operation::OpenFrame => json!({ "parent": world.app_origin() }),
        Operation::CreateCredential => {
            json!({ "credentialType": "oauth2", "redirectUri": world.redirect_uri(), "userId": USER })
        }
        Operation::CompleteCredential => json!({ "code": "unknown", "state": "acme.att_unknown.unknown" }),
        Operation::UpdateConnection => json!({ "name": "Another name" }),
        Operation::UpgradeConnection => json!({ "scopes": [] }),
        Operation::CreateProject => json!({ "name": "Another project" }),
        Operation::UpdateProject => json!({ "name": "Orbit CRM" }),
        Operation::CreateClient => json!({ "name": "A back end", "roles": ["read"], "environment": "test" }),
        Operation::PutProjectConnector | Operation::PutDefaultClient => {
            json!({ "client_id": "id", "client_secret": "secret", "order": 3 })
        }
        Operation::PutCustomConnector => keyed(url),
        _ => return None,
    })
}

/// What a good request of somebody who may ask gets. A completion needs a code, which here is unknown; an upgrade a connection by
/// consent, which a key is not.
pub fn is_granted(operation: Operation, answer: &Answer) -> bool {
    match operation {
        Operation::CompleteCredential => answer.refusal() == (400, "invalid_grant".to_owned()),
        // the project does not vouch, and the attempt is none on another device
        Operation::BeginDevice => answer.refusal() == (403, "vouching_required".to_owned()),
        Operation::CollectDevice => answer.refusal() == (404, "attempt_not_found".to_owned()),
        Operation::UpgradeConnection => answer.refusal() == (400, "unsupported_credential_type".to_owned()),
        _ => matches!(answer.status, 200 | 201),
    }
}

impl Wanted {
    pub fn call(&self, world: &World) -> Call {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let mut call = world.call(self.method.as_str(), &format!("{}{query}", self.path));
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        match &self.body {
            Some((content_type, body)) => call.body(content_type, body.clone()),
            None => call,
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
