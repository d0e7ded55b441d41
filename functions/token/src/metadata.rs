//! What clients look up: RFC 8414 metadata and the public keys (RFC 7517).

use serde_json::json;
use shared::{app::App, error::Error, http::Response, id::Role};

/// The authorization server's metadata (RFC 8414 §3.2). It stands under the OpenID name too, since clients ask there.
pub async fn authorization_server(app: &App) -> Result<Response, Error> {
    let base_url = app.base_url(app.clock.now()).await?;
    let metadata = json!({
        "issuer": base_url,
        "token_endpoint": format!("{base_url}/oauth2/token"),
        "jwks_uri": format!("{base_url}/.well-known/jwks.json"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "token_endpoint_auth_signing_alg_values_supported": ["EdDSA"],
        "scopes_supported": Role::ALL.map(Role::as_str),
        "response_types_supported": [],
        "service_documentation": format!("{base_url}/openapi.yaml"),
    });
    Ok(Response::json(&metadata).with("cache-control", "public, max-age=300"))
}

/// The keys that verify our access tokens.
pub async fn public_keys(app: &App) -> Result<Response, Error> {
    let keys = app.signing_key().await?.jwks();
    Ok(Response::full(200, "application/json", keys).with("cache-control", "public, max-age=300"))
}
