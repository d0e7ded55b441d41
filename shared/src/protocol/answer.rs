//! A provider's JSON answer where nothing of it is taken on trust.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::token;
use crate::{error::ProviderError, http::json};

/// The longest answer that is read.
const LIMIT: usize = 64 * 1024;

/// The members of an answer whose status says that there are some. A refusal and a failure are told apart as in
/// [`token`]; a name that stands twice could be read either way, so such an answer is not read.
pub(super) fn members(response: &http::Response<Bytes>) -> Result<Map<String, Value>, ProviderError> {
    if response.status().is_success() && response.body().len() > LIMIT {
        return Err(ProviderError::InvalidResponse("the answer is longer than 64 KiB"));
    }
    let Value::Object(members) = token::answer(response)? else {
        return Err(ProviderError::InvalidResponse("the answer is not a JSON object"));
    };
    json::object(response.body())
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
