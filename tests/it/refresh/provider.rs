//! A small provider that can be told how to answer. It rotates refresh tokens and ends a grant whose spent token comes again
//! (RFC 9700 §4.14.2), so a second redemption of one token never goes unnoticed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, Response, StatusCode, Uri, header::AUTHORIZATION},
    routing::{any, post},
};
use futures_util::stream;
use serde_json::{Value, json};
use shared::protocol::connector::Connector;
use tokio::sync::Semaphore;

use crate::emulator::serve;

/// How the token endpoint answers one request.
pub enum Answer {
    /// With this status, having done nothing.
    Status(u16),
    /// With this OAuth error (RFC 6749 §5.2), having done nothing.
    Refuse(&'static str),
    /// As it should, but without a refresh token: the old one stays (RFC 6749 §6).
    KeepingTheRefreshToken,
    /// It redeems, and the connection breaks before the answer is there.
    Lost,
    /// It waits for a permit before it looks at the request.
    Held(Arc<Semaphore>),
    /// It redeems, and its answer waits for a permit.
    HeldBack(Arc<Semaphore>),
}

/// One person's consent, and the tokens that came of it.
#[derive(Default)]
struct Grant {
    generation: usize,
    revoked: bool,
    access: Vec<String>,
}

#[derive(Default)]
struct Books {
    grants: Vec<Grant>,
    answers: VecDeque<Answer>,
    api_answers: VecDeque<u16>,
    /// Requests at the token endpoint.
    asked: usize,
    /// Refresh tokens that were redeemed.
    redeemed: usize,
    api_calls: usize,
    /// What the next API calls wait for.
    api_gates: VecDeque<Arc<Semaphore>>,
    revocations: Vec<String>,
    revocation_answers: VecDeque<StatusCode>,
    /// What the next revocations wait for.
    revocation_gates: VecDeque<Arc<Semaphore>>,
    /// Whether the last spent token is still honoured, as some providers do for a while.
    grace: bool,
}

/// The provider.
#[derive(Clone)]
pub struct Provider {
    /// Its address.
    pub url: String,
    books: Arc<Mutex<Books>>,
}

/// What a consent or a redemption gives.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Provider {
    /// A provider on loopback.
    pub async fn start() -> Self {
        let books = Arc::<Mutex<Books>>::default();
        let router = Router::new()
            .route("/token", post(token))
            .route("/before/{step}", post(before))
            .route("/revoke", post(revoke))
            .route("/api/{*path}", any(api))
            .with_state(Arc::clone(&books));
        Self { url: serve(router).await, books }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It as a connector's data.
    pub fn connector(&self, id: &str) -> Connector {
        let url = &self.url;
        serde_json::from_value(json!({
            "id": id, "name": "Vendor",
            "oauth2": { "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token") },
            "api": { "base_url": format!("{url}/api") },
            "profile": { "url": format!("{url}/api/me"), "account_id": "id", "label": "name" },
            "revoke": { "url": format!("{url}/revoke"), "params": { "token": "{refresh_token}" } },
        }))
        .unwrap()
    }

    /// It as the data of connectors whose consent begins otherwise: by a request that is pushed (RFC 9126), a code that is typed
    /// (RFC 8628), temporary credentials (RFC 5849).
    pub fn other_beginnings(&self) -> [Connector; 3] {
        let url = &self.url;
        let oauth2 = |more: Value| {
            let mut connector = json!({
                "name": "Vendor", "api": { "base_url": format!("{url}/api") },
                "profile": { "url": format!("{url}/api/me"), "account_id": "id", "label": "name" },
                "oauth2": { "token_endpoint": format!("{url}/token") },
            });
            connector["oauth2"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            connector
        };
        let pushed = oauth2(json!({
            "authorization_endpoint": format!("{url}/authorize"),
            "pushed_authorization_request_endpoint": format!("{url}/before/push"),
        }));
        let typed = oauth2(json!({
            "grant": "device_code", "device_authorization_endpoint": format!("{url}/before/code"), "refresh": "none",
        }));
        let signed = json!({
            "name": "Vendor", "api": { "base_url": format!("{url}/api"), "credential": { "in": "oauth1" } },
            "oauth1": {
                "temporary_credential_endpoint": format!("{url}/before/temporary"),
                "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/before/token"),
            },
        });
        [("pushed", pushed), ("typed", typed), ("signed", signed)].map(|(id, mut connector)| {
            connector["id"] = id.into();
            serde_json::from_value(connector).unwrap()
        })
    }

    /// Somebody consents.
    pub fn consent(&self) -> Tokens {
        self.books().consent()
    }

    /// How the next requests at the token endpoint are answered, in this order; then as they should be.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.books().answers.extend(answers);
    }

    /// The status codes of the next API calls, whatever token they bring.
    pub fn api_answers_next(&self, statuses: &[u16]) {
        self.books().api_answers.extend(statuses);
    }

    /// The status codes of the next revocations; one that is none of success revokes nothing.
    pub fn revocations_answer_next(&self, statuses: &[StatusCode]) {
        self.books().revocation_answers.extend(statuses);
    }

    /// The next API call waits for a permit before it is looked at.
    pub fn hold_next_api_call(&self, gate: &Arc<Semaphore>) {
        self.books().api_gates.push_back(Arc::clone(gate));
    }

    /// The next revocation waits for a permit before it is looked at.
    pub fn hold_next_revocation(&self, gate: &Arc<Semaphore>) {
        self.books().revocation_gates.push_back(Arc::clone(gate));
    }

    /// Every access token that was issued so far stops working.
    pub fn expire_access_tokens(&self) {
        self.books().grants.iter_mut().for_each(|grant| grant.access.clear());
    }

    /// The last spent refresh token is honoured once more.
    pub fn be_lenient(&self) {
        self.books().grace = true;
    }

    /// Requests at the token endpoint.
    pub fn asked(&self) -> usize {
        self.books().asked
    }

    /// Refresh tokens that were redeemed.
    pub fn redeemed(&self) -> usize {
        self.books().redeemed
    }

    /// Calls of the API.
    pub fn api_calls(&self) -> usize {
        self.books().api_calls
    }

    /// The tokens that were revoked.
    pub fn revocations(&self) -> Vec<String> {
        self.books().revocations.clone()
    }
}

impl Books {
    fn consent(&mut self) -> Tokens {
        self.grants.push(Grant::default());
        self.issue(self.grants.len() - 1)
    }

    fn issue(&mut self, at: usize) -> Tokens {
        let grant = &mut self.grants[at];
        let access = format!("at-{at}-{}", grant.generation);
        grant.access.push(access.clone());
        Tokens { access, refresh: format!("rt-{at}-{}", grant.generation) }
    }

    /// RFC 6749 §6, with rotation.
    fn refresh(&mut self, presented: &str) -> Result<Tokens, &'static str> {
        let mut parts = presented.strip_prefix("rt-").and_then(|rest| rest.split_once('-')).into_iter();
        let (at, generation) = parts.next().ok_or("invalid_grant")?;
        let (at, generation): (usize, usize) = (at.parse().unwrap(), generation.parse().unwrap());
        let grace = self.grace;
        let grant = self.grants.get_mut(at).filter(|grant| !grant.revoked).ok_or("invalid_grant")?;
        if generation == grant.generation {
            grant.generation += 1;
            self.redeemed += 1;
        } else if !(grace && generation + 1 == grant.generation) {
            grant.revoked = true;
            grant.access.clear();
            return Err("invalid_grant");
        }
        Ok(self.issue(at))
    }
}

fn json_answer(status: u16, body: &Value) -> Response<Body> {
    let builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    builder.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

async fn token(State(books): State<Arc<Mutex<Books>>>, form: String) -> Response<Body> {
    let field = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(form.as_bytes());
        pairs.find(|(n, _)| n == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let answer = {
        let mut books = books.lock().unwrap();
        books.asked += 1;
        books.answers.pop_front()
    };
    match &answer {
        Some(Answer::Status(status)) => return json_answer(*status, &json!({})),
        Some(Answer::Refuse(code)) => return json_answer(400, &json!({ "error": code })),
        Some(Answer::Held(gate)) => gate.acquire().await.unwrap().forget(),
        _ => {}
    }
    let issued = {
        let mut books = books.lock().unwrap();
        if field("grant_type") == "refresh_token" {
            books.refresh(&field("refresh_token"))
        } else {
            Ok(books.consent())
        }
    };
    let tokens = match issued {
        Ok(tokens) => tokens,
        Err(code) => return json_answer(400, &json!({ "error": code })),
    };
    let mut body = json!({ "access_token": tokens.access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": tokens.refresh });
    match answer {
        Some(Answer::KeepingTheRefreshToken) => {
            // such a provider does not rotate: the token that was presented stays the current one
            let at: usize = tokens.refresh.split('-').nth(1).unwrap().parse().unwrap();
            books.lock().unwrap().grants[at].generation -= 1;
            body.as_object_mut().unwrap().remove("refresh_token");
        }
        Some(Answer::Lost) => {
            let broken = stream::iter([Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
            return Response::new(Body::from_stream(broken));
        }
        Some(Answer::HeldBack(gate)) => gate.acquire().await.unwrap().forget(),
        _ => {}
    }
    json_answer(200, &body)
}

/// What a consent begins with elsewhere than at the authorization endpoint, and how OAuth 1.0a's goes on.
async fn before(State(books): State<Arc<Mutex<Books>>>, Path(step): Path<String>) -> Response<Body> {
    books.lock().unwrap().asked += 1;
    match step.as_str() {
        "push" => json_answer(201, &json!({ "request_uri": "urn:pushed", "expires_in": 60 })),
        "code" => {
            let code = json!({ "device_code": "d", "user_code": "U", "verification_uri": "https://vendor.example/code", "expires_in": 600 });
            json_answer(200, &code)
        }
        _ => {
            let pair = "oauth_token=t&oauth_token_secret=s&oauth_callback_confirmed=true";
            Response::builder()
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(pair))
                .unwrap()
        }
    }
}

async fn revoke(State(books): State<Arc<Mutex<Books>>>, form: String) -> StatusCode {
    let token = url::form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "token");
    let gate = books.lock().unwrap().revocation_gates.pop_front();
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    let mut books = books.lock().unwrap();
    if let Some(status) = books.revocation_answers.pop_front() {
        return status;
    }
    books.revocations.push(token.map(|(_, token)| token.into_owned()).unwrap_or_default());
    StatusCode::OK
}

async fn api(State(books): State<Arc<Mutex<Books>>>, uri: Uri, headers: HeaderMap, body: String) -> Response<Body> {
    let presented = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = presented.strip_prefix("Bearer ").unwrap_or_default().to_owned();
    let gate = {
        let mut books = books.lock().unwrap();
        books.api_calls += 1;
        books.api_gates.pop_front()
    };
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    let mut books = books.lock().unwrap();
    let known = books.grants.iter().any(|grant| grant.access.contains(&token));
    let status = books.api_answers.pop_front().unwrap_or(if known { 200 } else { 401 });
    if uri.path() == "/api/me" {
        return json_answer(status, &json!({ "id": "account-1", "name": "Ada" }));
    }
    json_answer(status, &json!({ "token": token, "body": body }))
}
