//! A provider that is careless with what it knows.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::world::{Fake, Seen};

/// A provider whose tokens are canaries, and that says them wherever a careless server does.
pub async fn provider() -> Fake {
    let issued = AtomicU64::new(1);
    Fake::start(move |seen: &Seen| match seen.target.split('?').next().unwrap() {
        "/token" => exchange(&String::from_utf8_lossy(&seen.body), issued.fetch_add(1, Ordering::Relaxed)),
        "/api/me" => Json(json!({ "id": "u7", "mail": "ada@canary.example" })).into_response(),
        "/api/things" if seen.header("authorization").is_some_and(|bearer| bearer.contains("canary-access-1-")) => {
            (StatusCode::UNAUTHORIZED, "expired").into_response()
        }
        "/revoke" => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("could not revoke {}", String::from_utf8_lossy(&seen.body)))
                .into_response()
        }
        _ => "fine".into_response(),
    })
    .await
}

fn exchange(body: &str, nth: u64) -> Response {
    let tokens = json!({ "access_token": format!("canary-access-{nth}-"), "refresh_token": format!("canary-refresh-{nth}-"), "expires_in": 3600 });
    if body.contains("canary-code-refused") {
        let refusal = json!({ "error": "invalid_grant", "error_description": format!("refused: {body}"), "refresh_token": "canary-refresh-refused" });
        return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
    }
    if body.contains("canary-code-broken") {
        return (StatusCode::INTERNAL_SERVER_ERROR, format!("broken: {body} {tokens}")).into_response();
    }
    if body.contains("canary-code-garbled") {
        return format!("access_token=canary-access-garbled&{body}").into_response();
    }
    Json(tokens).into_response()
}

/// Its definition.
pub fn definition(url: &str) -> Value {
    json!({
        "name": "Canary",
        "oauth2": { "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"), "token_endpoint_auth_method": "client_secret_post" },
        "api": { "base_url": format!("{url}/api") },
        "profile": { "url": format!("{url}/api/me"), "account_id": "id", "email": "mail" },
        "revoke": { "url": format!("{url}/revoke"), "params": { "token": "{refresh_token}" }, "effect": "token" },
    })
}
