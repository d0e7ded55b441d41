//! A provider's answer: a refusal told apart from a failure, and nothing of it taken on trust.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{connector::ErrorSignal, template};
use crate::{error::ProviderError, json::object};

/// The longest answer that is read.
const LIMIT: usize = 64 * 1024;

/// The JSON of an answer whose status says that there is one; otherwise why not. An error response (RFC 6749 §5.2) is a
/// refusal whatever its 4xx status; a 5xx is a failure even with an `error` in it.
pub(super) fn json(response: &http::Response<Bytes>) -> Result<Value, ProviderError> {
    let status = response.status();
    if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
        return Err(ProviderError::Failed(status.as_u16()));
    }
    let json: Option<Value> = serde_json::from_slice(response.body()).ok();
    if status.is_client_error() {
        let error = json
            .as_ref()
            .and_then(|json| template::pluck_text(json, "error"))
            .map_or_else(|| format!("status {}", status.as_u16()), |error| code(&error));
        return Err(ProviderError::Refused(error));
    }
    if !status.is_success() {
        return Err(ProviderError::InvalidResponse("a redirect where none is documented"));
    }
    json.ok_or(ProviderError::InvalidResponse("the answer is not JSON"))
}

/// A refusal that comes with status 200, as the connector's data describes it.
pub(super) fn signalled(signal: Option<&ErrorSignal>, answer: &Value) -> Option<String> {
    let signal = signal?;
    let found = template::pluck_text(answer, &signal.path)?;
    let refused = signal.equals.as_ref().is_none_or(|refusal| *refusal == found)
        && signal.not_equals.as_ref().is_none_or(|success| *success != found);
    refused.then(|| code(&template::pluck_text(answer, &signal.code).unwrap_or_else(|| "refused".to_owned())))
}

/// An error code as it may be logged: short and of harmless characters. A provider could put anything there.
pub(super) fn code(text: &str) -> String {
    let harmless = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    text.chars().filter(harmless).take(64).collect()
}

/// The members of an answer whose status says that there are some. A refusal and a failure are told apart as in
/// [`json`]; a name that stands twice could be read either way, so such an answer is not read.
pub(super) fn members(response: &http::Response<Bytes>) -> Result<Map<String, Value>, ProviderError> {
    if response.status().is_success() && response.body().len() > LIMIT {
        return Err(ProviderError::InvalidResponse("the answer is longer than 64 KiB"));
    }
    let Value::Object(members) = json(response)? else {
        return Err(ProviderError::InvalidResponse("the answer is not a JSON object"));
    };
    object(response.body())
        .map(|_| members)
        .map_err(|_| ProviderError::InvalidResponse("a member stands twice in the answer"))
}

/// Whole seconds, as a number or as digits.
pub(super) fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::String(text) => text.parse().ok()?,
        other => other.as_f64()?,
    };
    Duration::try_from_secs_f64(seconds.trunc()).ok()
}
