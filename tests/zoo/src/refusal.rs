//! What is refused, and how a provider says so.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::data::{Answer, Endpoint, Provider};

/// A requirement that was not met.
#[derive(Debug)]
pub struct Refused {
    /// Which of the cases it is; providers have an answer for each.
    pub case: String,
    /// What was missing, in words and without secrets.
    pub words: String,
    /// Where the browser is sent with it, if it is.
    pub back: Option<String>,
}

impl Refused {
    /// A refusal of a case.
    #[must_use]
    pub fn new(case: &str, words: impl Into<String>) -> Self {
        Self { case: case.to_owned(), words: words.into(), back: None }
    }
}

/// A line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// The provider's first id; empty where no provider has the host name.
    pub provider: String,
    /// The endpoint's name; empty where no endpoint has the path.
    pub endpoint: String,
    /// Method, host and path, without the query.
    pub call: String,
    /// The case.
    pub case: String,
    /// What was missing, in words.
    pub words: String,
}

/// A case, the more general one that speaks for it where a provider does not tell them apart, the `error` of the
/// standard, and its status.
const CASES: [(&str, &str, &str, u16); 29] = [
    ("authorization_pending", "", "authorization_pending", 400),
    ("body", "parameter", "invalid_request", 400),
    ("code_expired", "invalid_grant", "invalid_grant", 400),
    ("code_spent", "invalid_grant", "invalid_grant", 400),
    ("content_type", "parameter", "invalid_request", 400),
    ("device_code_expired", "invalid_grant", "expired_token", 400),
    ("header", "parameter", "invalid_request", 400),
    ("insufficient_scope", "token_invalid", "insufficient_scope", 403),
    ("invalid_assertion", "invalid_grant", "invalid_grant", 400),
    ("invalid_client", "", "invalid_client", 401),
    ("invalid_dpop_proof", "", "invalid_dpop_proof", 400),
    ("invalid_grant", "", "invalid_grant", 400),
    ("invalid_scope", "parameter", "invalid_scope", 400),
    ("key_unknown", "token_invalid", "invalid_token", 401),
    ("method", "parameter", "invalid_request", 405),
    ("not_found", "", "not_found", 404),
    ("parameter", "", "invalid_request", 400),
    ("pkce", "invalid_grant", "invalid_grant", 400),
    ("redirect_uri", "invalid_grant", "invalid_grant", 400),
    ("refresh_expired", "invalid_grant", "invalid_grant", 400),
    ("refresh_spent", "invalid_grant", "invalid_grant", 400),
    ("signature", "token_invalid", "invalid_request", 401),
    ("slow_down", "authorization_pending", "slow_down", 400),
    ("temporarily_unavailable", "", "temporarily_unavailable", 503),
    ("token_expired", "token_invalid", "invalid_token", 401),
    ("token_invalid", "", "invalid_token", 401),
    ("token_missing", "token_invalid", "invalid_token", 401),
    ("unsupported_grant_type", "parameter", "unsupported_grant_type", 400),
    ("use_dpop_nonce", "", "use_dpop_nonce", 400),
];

/// Whether the engine knows the case; others have to be named by a rule.
#[must_use]
pub fn is_standard(case: &str) -> bool {
    case == "default" || CASES.iter().any(|(known, ..)| *known == case)
}

/// The `error` of RFC 6749 and its kin for a case.
#[must_use]
pub fn error(case: &str) -> &str {
    CASES.iter().find(|(known, ..)| *known == case).map_or(case, |(_, _, error, _)| error)
}

/// How the provider words the refusal: by the endpoint, then for API calls, then in general, then by the standard
/// (RFC 6749 §5.2). In each place the case itself comes before more general ones.
#[must_use]
pub fn answer(provider: &Provider, endpoint: Option<&Endpoint>, case: &str) -> Answer {
    let is_api = endpoint.is_some_and(|endpoint| endpoint.api.is_some());
    endpoint
        .and_then(|endpoint| find(&endpoint.refusals, case))
        .or_else(|| is_api.then(|| find(&provider.api.refusals, case)).flatten())
        .or_else(|| find(&provider.refusals, case))
        .cloned()
        .unwrap_or_else(|| standard(case))
}

fn find<'a>(answers: &'a BTreeMap<String, Answer>, case: &str) -> Option<&'a Answer> {
    let mut case = case;
    loop {
        if let Some(answer) = answers.get(case) {
            return Some(answer);
        }
        match CASES.iter().find(|(known, ..)| *known == case) {
            Some((_, general, ..)) if !general.is_empty() => case = general,
            Some(_) | None => return answers.get("default"),
        }
    }
}

fn standard(case: &str) -> Answer {
    let status = CASES.iter().find(|(known, ..)| *known == case).map_or(400, |(.., status)| *status);
    let body: Value = json!({ "error": "${error}", "error_description": "${words}" });
    Answer { status, headers: BTreeMap::new(), json: Some(body), form: None, text: None, html: None }
}
