//! Orbit CRM, a product whose users connect their Acme accounts: it plays the customer who uses Mooring.
//!
//! Its own back end holds the project's secret key and decides, from its own login, on whose behalf it calls. It
//! leaves out what a real product has besides: registration, passwords and a database.

mod backend;
mod home;
mod mooring;
mod people;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use url::Url;

use self::mooring::Mooring;
use super::{
    Clock, Random, Secret,
    page::asset,
    refusal::{method_not_allowed, not_found},
    sessions::Sessions,
};

/// The connector that Orbit's users connect.
const CONNECTOR: &str = "acme";
/// The longest form that is taken.
const BODY_LIMIT: usize = 16 * 1024;

/// What the app needs to know and to use.
pub struct Config {
    /// Where Mooring is, with its path prefix if it has one.
    pub base_url: Url,
    /// Where the app is.
    pub app_url: Url,
    /// The app's project.
    pub project_id: String,
    /// The project's secret key. It stays on the server.
    pub secret_key: Secret,
    /// Follows no redirects and uses no proxy.
    pub http: reqwest::Client,
    /// For the logins' ends.
    pub clock: Clock,
    /// For sessions.
    pub random: Random,
}

/// The app as its handlers see it.
struct App {
    url: Url,
    mooring: Mooring,
    sessions: Sessions,
}

/// Every route of the app.
pub fn router(config: Config) -> Router {
    let Config { base_url, app_url, project_id, secret_key, http, clock, random } = config;
    let secure = app_url.scheme() == "https";
    let sessions = Sessions::new("orbit_session", secure, clock, random);
    let mooring = Mooring { base_url, project_id, secret_key, http };
    Router::new()
        .route("/", get(home::home))
        .route("/login", post(home::log_in))
        .route("/logout", post(home::log_out))
        .route("/connect", post(home::connect))
        .route("/call", post(home::call))
        .route("/disconnect", post(home::disconnect))
        .route("/api/get-one-time-connector-token", get(backend::one_time_token))
        .route("/api/connect-session", post(backend::connect_session))
        .route("/api/one-auth", post(backend::widget_token).options(backend::preflight))
        .route("/assets/orbit.css", get(async || asset("text/css", include_str!("../../../templates/orbit.css"))))
        .route("/assets/orbit.js", get(async || asset("text/javascript", include_str!("../../../templates/orbit.js"))))
        .route("/assets/orbit.svg", get(async || asset("image/svg+xml", include_str!("../../../templates/orbit.svg"))))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(App { url: app_url, mooring, sessions }))
}
