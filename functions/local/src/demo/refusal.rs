//! A refusal in JSON: `{"error", "error_description"}`, as RFC 6749 §5.2 and RFC 6750 §3.1 write it.

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why a request was refused. Nothing in it repeats what the caller sent.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
    challenge: Option<&'static str>,
}

impl Refusal {
    /// A refusal with a stable code for programs and a sentence for people.
    pub const fn new(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self { status, error, description, challenge: None }
    }

    /// The request itself is wrong: something is missing, repeated or malformed.
    pub const fn invalid_request(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// Storage did not take the change; nothing happened, and the same request may be sent again.
    pub const fn not_stored() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "the change could not be stored")
    }

    /// Names the scheme a 401 asks for (RFC 9110 §15.5.2 requires it).
    pub const fn challenge(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.error, "error_description": self.description }));
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// The answer for a path that leads nowhere.
pub async fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

/// The answer for a method that the path does not take; the router adds `Allow`.
pub async fn method_not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the path does not take this method")
}
