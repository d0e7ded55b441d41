//! Acme, a provider: a small but strict OAuth 2.0 authorization server (RFC 6749) with an API behind it.
//!
//! PKCE S256 is required (RFC 7636), every authorization response names its issuer (RFC 9207), refresh tokens rotate
//! and a spent one ends its grant (RFC 9700 §4.14.2), tokens can be revoked (RFC 7009), and metadata say all that
//! (RFC 8414). It leaves out OpenID Connect, public clients and every other grant type.

mod api;
mod authorize;
mod client;
mod faults;
mod grant;
mod overview;
mod people;
mod records;
mod scope;
mod token;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    routing::{any, get, post},
};
use serde_json::{Value, json};
use url::Url;

use self::{
    authorize::{Code, Pending},
    client::Client,
    faults::{Counters, Faults},
    records::Records,
    scope::Scope,
};
pub use self::{
    faults::{Counts, Endpoint},
    overview::GrantSummary,
};
use super::{
    Clock, Random, Secret,
    page::asset,
    refusal::{Refusal, method_not_allowed, not_found},
    secret::Hash,
    sessions::Sessions,
};

/// The longest form or note that is taken.
const BODY_LIMIT: usize = 64 * 1024;
/// The longest body that is echoed.
const ECHO_LIMIT: usize = 8 * 1024 * 1024;

/// The authorization server and its resources.
pub struct Provider {
    issuer: String,
    clock: Clock,
    random: Random,
    records: Records,
    sessions: Sessions,
    /// Authorizations that wait for a login or a consent, by the hash of their handle.
    pending: Mutex<BTreeMap<Hash, Pending>>,
    codes: Mutex<BTreeMap<Hash, Code>>,
    faults: Faults,
    counters: Counters,
}

impl Provider {
    /// Opens the provider that is reached at `url`. With a file, clients, grants and notes outlive a restart;
    /// logins and codes never do.
    pub fn open(file: Option<PathBuf>, url: &Url, clock: Clock, random: Random) -> io::Result<Arc<Self>> {
        let secure = url.scheme() == "https";
        Ok(Arc::new(Self {
            issuer: url.as_str().trim_end_matches('/').to_owned(),
            records: Records::open(file)?,
            sessions: Sessions::new("acme_session", secure, clock.clone(), random.clone()),
            clock,
            random,
            pending: Mutex::default(),
            codes: Mutex::default(),
            faults: Faults::default(),
            counters: Counters::default(),
        }))
    }

    /// Registers a client, or replaces what was registered under its id. Each redirect URI is compared exactly.
    pub fn register_client(
        &self,
        client_id: &str,
        client_secret: &Secret,
        name: &str,
        redirect_uris: &[String],
    ) -> io::Result<()> {
        let client = Client::new(client_secret, name, redirect_uris)?;
        self.records.change(|kept| kept.clients.insert(client_id.to_owned(), client))?;
        Ok(())
    }

    /// Makes the next request to an endpoint fail with this status, before it changes anything. Several pile up.
    pub fn fail_next(&self, endpoint: Endpoint, status: StatusCode) {
        self.faults.plan(endpoint, status);
    }

    /// What has happened since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Whether the user has a grant that still works.
    #[must_use]
    pub fn grant_is_active(&self, user: &str) -> bool {
        self.grants().iter().any(|grant| grant.user == user && grant.state == "active")
    }

    /// Every grant, the newest first.
    #[must_use]
    pub fn grants(&self) -> Vec<GrantSummary> {
        self.records.read(overview::summaries)
    }

    fn now(&self) -> u64 {
        (self.clock)()
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<Hash, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn codes(&self) -> MutexGuard<'_, BTreeMap<Hash, Code>> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every route of the provider.
pub fn router(provider: Arc<Provider>) -> Router {
    Router::new()
        .route("/", get(overview::page))
        .route("/grants", get(overview::list))
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/oauth/authorize", get(authorize::authorize))
        .route("/oauth/continue", get(authorize::resume))
        .route("/oauth/login", post(authorize::log_in))
        .route("/oauth/switch", post(authorize::switch))
        .route("/oauth/consent", post(authorize::consent))
        .route("/oauth/token", post(token::token))
        .route("/oauth/revoke", post(token::revoke))
        .route("/api/me", get(api::me))
        .route("/api/notes", get(api::list_notes).post(api::add_note))
        .route("/api/notes/{id}", get(api::note).put(api::replace_note).patch(api::amend_note).delete(api::delete_note))
        .route("/assets/acme.css", get(async || asset("text/css", include_str!("../../../templates/acme.css"))))
        .route("/assets/acme.svg", get(async || asset("image/svg+xml", include_str!("../../../templates/acme.svg"))))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .merge(echo())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(provider)
}

/// The echo takes any method and any path, and bodies long enough to try limits with.
fn echo() -> Router<Arc<Provider>> {
    Router::new()
        .route("/api/echo", any(api::echo))
        .route("/api/echo/{*rest}", any(api::echo))
        .layer(DefaultBodyLimit::max(ECHO_LIMIT))
}

/// What a client can know without asking (RFC 8414 §2).
async fn metadata(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "scopes_supported": Scope::ALL.map(Scope::name),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": client::AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": client::AUTH_METHODS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

impl From<io::Error> for Refusal {
    fn from(_: io::Error) -> Self {
        Self::not_stored()
    }
}
