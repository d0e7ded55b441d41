//! The one mapping of errors to HTTP: status, code, and the voice in which it is told.

use std::error::Error as _;

use serde_json::json;

use super::{Request, Response};
use crate::{
    app::App,
    error::{Error, Missing, ProviderError, Refusal, chain},
    page, record,
    routes::Voice,
};

/// The answer that tells a failure, logged once with its chain of causes.
pub fn failure(app: &App, request: &Request, voice: Voice, error: &Error) -> Response {
    let (status, code) = kind(error);
    log(request, status, code, error);
    let response = match voice {
        Voice::Page => page::failure(app, request, status, code, error),
        Voice::Api => api(request, status, code, error),
        Voice::Passthrough => api(request, status, code, error).with("x-mooring-error", code),
        Voice::Credentials => credentials(request, status, code, error),
    };
    with_hints(response, error)
}

/// What a page of ours asks a person for, in their language.
pub struct Form {
    /// Which connector it is of.
    pub connector_name: String,
    /// Which app wants it.
    pub app_name: String,
    /// For whom.
    pub for_whom: String,
    /// The fields, as markup.
    pub markup: String,
}

/// The same to a page of ours that can ask the person, or ask again.
pub fn failure_with_form(request: &Request, error: &Error, form: &Form) -> Response {
    let (status, code) = kind(error);
    log(request, status, code, error);
    let Form { connector_name, app_name, for_whom, markup } = form;
    let body = json!({
        "error": code, "error_description": error.to_string(), "requestId": request.request_id,
        "connector_name": connector_name, "app_name": app_name, "for_whom": for_whom, "form": markup,
    });
    with_hints(Response { status, ..Response::json(&body) }, error)
}

fn api(request: &Request, status: u16, code: &str, error: &Error) -> Response {
    let mut body = json!({ "error": code, "error_description": error.to_string(), "requestId": request.request_id });
    if let Error::ChoiceRequired(choices) = error {
        body["choices"] = record::choices(std::iter::once(choices.as_ref()));
    }
    Response { status, ..Response::json(&body) }
}

fn credentials(request: &Request, status: u16, code: &str, error: &Error) -> Response {
    let upper = match error {
        Error::NotFound(Missing::Credential) => "AUTHENTICATION_NOT_FOUND".to_owned(),
        _ => code.to_uppercase(),
    };
    let message = error.to_string();
    let mut body = json!({ "error": code, "error_description": message, "message": message, "code": upper, "requestId": request.request_id });
    if let Error::ChoiceRequired(choices) = error {
        body["status"] = json!("held");
        body["choices"] = record::choices(std::iter::once(choices.as_ref()));
    }
    Response { status, ..Response::json(&body) }
}

/// Headers that say what to do next.
fn with_hints(response: Response, error: &Error) -> Response {
    match error {
        Error::MethodNotAllowed(allowed) => {
            let methods = allowed.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
            response.with("allow", &format!("{methods}, OPTIONS"))
        }
        Error::Unauthenticated { challenge: true, .. } => {
            response.with("www-authenticate", "Basic realm=\"mooring\", charset=\"UTF-8\"")
        }
        Error::RetryLater { after, .. } => response.with("retry-after", &after.as_secs().max(1).to_string()),
        _ => response,
    }
}

fn log(request: &Request, status: u16, code: &str, error: &Error) {
    let causes = error.source().map(chain).unwrap_or_default();
    if status >= 500 {
        tracing::error!(request_id = request.request_id, code, %error, causes, "failed");
    } else {
        tracing::info!(request_id = request.request_id, code, %error, causes, "refused");
    }
}

/// Status and stable code.
fn kind(error: &Error) -> (u16, &'static str) {
    match error {
        Error::InvalidRequest(_) => (400, "invalid_request"),
        Error::Refused { code, .. } => (refusal_status(*code), code.code()),
        Error::Unauthenticated { .. } => (401, "invalid_client"),
        Error::RoleMissing(_) | Error::RootKeyMissing | Error::LiveKeyMissing => (403, "insufficient_role"),
        Error::NotFound(missing) => (404, missing.code()),
        Error::MethodNotAllowed(_) => (405, "method_not_allowed"),
        Error::TooLarge(_) => (413, "payload_too_large"),
        Error::UnsupportedMediaType(_) => (415, "unsupported_media_type"),
        Error::AlreadyUsed => (409, "already_used"),
        Error::Expired => (410, "expired"),
        Error::UnknownState => (400, "unknown_state"),
        Error::AnswerNotBelieved(_) => (400, "answer_not_believed"),
        Error::ForgedForm => (403, "forged_form"),
        Error::Conflict(_) => (409, "conflict"),
        Error::BaseUrlUnknown => (503, "base_url_unknown"),
        Error::ClientNotConfigured(_) | Error::NotConfigured { .. } => (409, "client_not_configured"),
        Error::NoKey { .. } => (422, Refusal::InvalidCredentials.code()),
        Error::ChoiceRequired(_) => (409, "choice_required"),
        Error::NeedsReauth => (409, "needs_reauth"),
        Error::RetryLater { .. } => (503, "retry_later"),
        Error::Provider { cause, .. } | Error::Server { cause, .. } => (provider_status(cause), cause.code()),
        Error::Storage(_) | Error::Vault(_) => (500, "server_error"),
    }
}

fn refusal_status(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::IdentityMismatch | Refusal::OriginNotAllowed | Refusal::VouchingRequired => 403,
        Refusal::ConnectorInUse
        | Refusal::ConnectionInactive
        | Refusal::WrongAccount
        | Refusal::AccountNotConfirmed => 409,
        Refusal::InputsRequired
        | Refusal::InvalidInputs
        | Refusal::InvalidCredentials
        | Refusal::MetadataNotFound
        | Refusal::InvalidMetadata => 422,
        Refusal::UnsupportedGrantType
        | Refusal::InvalidScope
        | Refusal::InvalidGrant
        | Refusal::InvalidRedirectUri
        | Refusal::InvalidBaseUrl
        | Refusal::UserIdRequired
        | Refusal::InvalidChoice
        | Refusal::UnsupportedApiVersion
        | Refusal::UnsupportedCredentialType
        | Refusal::InvalidConnector
        | Refusal::AddressNotAllowed
        | Refusal::AuthorizationPending
        | Refusal::SlowDown
        | Refusal::AccessDenied
        | Refusal::ExpiredToken => 400,
    }
}

fn provider_status(cause: &ProviderError) -> u16 {
    match cause {
        ProviderError::Timeout => 504,
        ProviderError::Unreachable(_)
        | ProviderError::AddressRefused
        | ProviderError::Refused(_)
        | ProviderError::Ended(_)
        | ProviderError::NothingFound
        | ProviderError::InvalidResponse(_)
        | ProviderError::CallbackSignature(_)
        | ProviderError::Failed(_) => 502,
    }
}
