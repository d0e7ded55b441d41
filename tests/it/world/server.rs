//! An authorization server and an MCP server of the test's own, which are as the test wants them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Fake, Seen, query};

type Change = Box<dyn Fn(&mut Value) + Send + Sync>;

/// An answer of the test's own.
type Say = Box<dyn Fn() -> Response + Send + Sync>;

/// What the test may turn.
#[derive(Default)]
pub struct Knobs {
    /// The clients that are known: id and secret.
    pub clients: Vec<(String, String)>,
    /// How many were ever registered.
    pub registered: usize,
    /// What is done to the metadata.
    pub change: Option<Change>,
    /// What is answered in place of anything else, by path.
    pub instead: Vec<(&'static str, Say)>,
    /// Whether a registration can be looked after (RFC 7592).
    pub managed: bool,
    /// What is said of a registration besides.
    pub answer: Value,
}

/// The servers, at one address: `/mcp` is the MCP server, the rest the authorization server.
pub struct AuthorizationServer {
    pub fake: Fake,
    knobs: Arc<Mutex<Knobs>>,
}

impl AuthorizationServer {
    pub async fn new() -> Self {
        let knobs = Arc::<Mutex<Knobs>>::default();
        let own = Arc::new(OnceLock::new());
        let (seen_by, address) = (Arc::clone(&knobs), Arc::clone(&own));
        let fake = Fake::start(move |seen: &Seen| {
            let url: &String = address.get().unwrap();
            answer(&mut seen_by.lock().unwrap_or_else(PoisonError::into_inner), url, seen)
        })
        .await;
        own.set(fake.url.clone()).unwrap();
        Self { fake, knobs }
    }

    pub fn url(&self) -> &str {
        &self.fake.url
    }

    pub fn turn<T>(&self, change: impl FnOnce(&mut Knobs) -> T) -> T {
        change(&mut self.knobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the metadata from now on.
    pub fn say(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.turn(|knobs| knobs.change = Some(Box::new(change)));
    }

    /// Answers a path otherwise from now on.
    pub fn instead(&self, path: &'static str, answer: impl Fn() -> Response + Send + Sync + 'static) {
        self.turn(|knobs| knobs.instead.insert(0, (path, Box::new(answer))));
    }

    /// The paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        let line = |seen: &Seen| format!("{} {}", seen.method, seen.target.split('?').next().unwrap());
        self.fake.seen().iter().map(line).collect()
    }

    /// What came to this path last.
    pub fn last(&self, path: &str) -> Seen {
        let seen = self.fake.seen();
        seen.into_iter().rev().find(|seen| seen.target.split('?').next() == Some(path)).unwrap()
    }
}

/// A parameter of a form.
pub fn in_form(seen: &Seen, name: &str) -> Option<String> {
    query(&format!("http://x.example/?{}", String::from_utf8_lossy(&seen.body)), name)
}

fn answer(knobs: &mut Knobs, url: &str, seen: &Seen) -> Response {
    let path = seen.target.split('?').next().unwrap();
    if let Some((_, answer)) = knobs.instead.iter().find(|(own, _)| *own == path) {
        return answer();
    }
    match (seen.method.as_str(), path) {
        ("GET", "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server") => {
            Json(metadata(knobs, url)).into_response()
        }
        ("GET", "/.well-known/oauth-protected-resource/mcp") => Json(json!({
            "resource": format!("{url}/mcp"), "authorization_servers": [url], "scopes_supported": ["tools"],
            "resource_name": "Tools of the test",
        }))
        .into_response(),
        ("POST", "/register") => register(knobs, url),
        ("GET" | "DELETE", _) if path.starts_with("/register/") => manage(knobs, seen, path),
        ("POST", "/token") => token(knobs, seen),
        ("GET", "/me") => Json(json!({ "sub": "alice", "email": "alice@as.example" })).into_response(),
        (_, "/mcp") => mcp(url, seen),
        _ => (StatusCode::NOT_FOUND, "nothing here").into_response(),
    }
}

fn metadata(knobs: &Knobs, url: &str) -> Value {
    let mut metadata = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "registration_endpoint": format!("{url}/register"),
        "userinfo_endpoint": format!("{url}/me"),
        "revocation_endpoint": format!("{url}/revoke"),
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "email", "offline_access"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "authorization_response_iss_parameter_supported": true,
    });
    if let Some(change) = &knobs.change {
        change(&mut metadata);
    }
    metadata
}

fn register(knobs: &mut Knobs, url: &str) -> Response {
    knobs.registered += 1;
    let (id, secret) = (format!("client-{}", knobs.registered), format!("canary-registered-{}", knobs.registered));
    knobs.clients.push((id.clone(), secret.clone()));
    let mut answer = json!({ "client_id": id, "client_secret": secret, "client_secret_expires_at": 0 });
    if knobs.managed {
        answer["registration_client_uri"] = format!("{url}/register/{id}").into();
        answer["registration_access_token"] = format!("canary-management-{id}").into();
    }
    for (name, value) in knobs.answer.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    (StatusCode::CREATED, Json(answer)).into_response()
}

fn manage(knobs: &mut Knobs, seen: &Seen, path: &str) -> Response {
    let id = path.trim_start_matches("/register/");
    let known = knobs.clients.iter().any(|(own, _)| own == id);
    if !known || seen.header("authorization") != Some(&format!("Bearer canary-management-{id}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if seen.method == "DELETE" {
        knobs.clients.retain(|(own, _)| own != id);
        return StatusCode::NO_CONTENT.into_response();
    }
    Json(json!({ "client_id": id })).into_response()
}

/// RFC 6749 §5.2: the client is looked at before what it brings.
fn token(knobs: &Knobs, seen: &Seen) -> Response {
    let refused = |status, code: &str| (status, Json(json!({ "error": code }))).into_response();
    let basic = seen.header("authorization").and_then(shared::http::basic_credentials);
    let posted = in_form(seen, "client_id").map(|id| (id, in_form(seen, "client_secret").unwrap_or_default()));
    let known = basic.or(posted).is_some_and(|(id, secret)| {
        knobs.clients.iter().any(|(own, own_secret)| *own == id && (*own_secret == secret || secret.is_empty()))
            || id.ends_with("/client.json")
    });
    if !known {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let good = match in_form(seen, "grant_type").as_deref() {
        Some("authorization_code") => in_form(seen, "code").is_some_and(|code| code == "canary-code-good"),
        Some("refresh_token") => in_form(seen, "refresh_token").is_some_and(|token| token == "canary-refresh-token"),
        _ => false,
    };
    if !good {
        return refused(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    Json(json!({
        "access_token": "canary-access-token", "refresh_token": "canary-refresh-token", "token_type": "Bearer", "expires_in": 3600,
    }))
    .into_response()
}

fn mcp(url: &str, seen: &Seen) -> Response {
    if seen.header("authorization") != Some("Bearer canary-access-token") {
        let challenge =
            format!("Bearer resource_metadata=\"{url}/.well-known/oauth-protected-resource/mcp\", scope=\"tools\"");
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)], "").into_response();
    }
    let told: Value = ["accept", "mcp-session-id", "mcp-protocol-version", "last-event-id"]
        .iter()
        .map(|name| ((*name).to_owned(), json!(seen.header(name))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let event = format!("id: 7\nevent: message\ndata: {}\n\n", json!({ "method": seen.method, "saw": told }));
    (
        [
            ("content-type", "text/event-stream"),
            ("mcp-session-id", "session-of-the-server"),
            ("mcp-protocol-version", "2025-06-18"),
        ],
        event,
    )
        .into_response()
}
