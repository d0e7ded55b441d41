//! Parameters of a query or a form, read as RFC 6749 §3.1 and §3.2 say: each at most once, an empty one is absent.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use url::form_urlencoded;

use super::refusal::Refusal;

/// Parameters by name. One that was sent twice has no value.
#[derive(Default)]
pub struct Parameters {
    values: BTreeMap<String, Option<String>>,
}

impl Parameters {
    /// Reads what stands in a query or a form body.
    pub fn parse(encoded: &[u8]) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded).filter(|(_, value)| !value.is_empty()) {
            let value = if values.contains_key(&*name) { None } else { Some(value.into_owned()) };
            values.insert(name.into_owned(), value);
        }
        Self { values }
    }

    /// The value, unless the parameter is absent, empty or repeated.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_deref()
    }

    /// The value, or a refusal that says what is missing.
    pub fn require(&self, name: &str, missing: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::invalid_request(missing))
    }

    /// Whether any parameter was sent more than once.
    pub fn repeat(&self) -> bool {
        self.values.values().any(Option::is_none)
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let form = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_form);
        let body = body(request, state).await?;
        if !form && !body.is_empty() {
            return Err(Refusal::invalid_request("the body must be application/x-www-form-urlencoded"));
        }

        let parameters = Self::parse(&body);
        if parameters.repeat() {
            return Err(Refusal::invalid_request("a parameter was sent more than once"));
        }
        Ok(parameters)
    }
}

/// The whole body, unless it is longer than the route's limit.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is longer than is taken here")
        }
        _ => Refusal::invalid_request("the body could not be read"),
    })
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_counts_once_and_only_with_a_value() {
        let table = [
            ("one", "a=1", Some("1"), false),
            ("encoded", "a=x+y%26z", Some("x y&z"), false),
            ("empty", "a=", None, false),
            ("repeated", "a=1&b=2&a=1", None, true),
            ("absent", "b=1", None, false),
        ];
        for (case, query, value, repeat) in table {
            let parameters = Parameters::parse(query.as_bytes());
            assert_eq!((parameters.get("a"), parameters.repeat()), (value, repeat), "{case}");
        }
    }
}
