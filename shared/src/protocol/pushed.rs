//! Pushed authorization requests (RFC 9126): the parameters go to the provider directly, and the browser carries no more
//! than a reference to them.
//!
//! The request is a form of the parameters that the authorization request would have, with the client's authentication
//! (§2.1): both are made where the other requests are.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::answer::{members, seconds};
use crate::error::ProviderError;

/// The longest reference that is kept.
const LIMIT: usize = 2048;

/// The longest life of a reference that is believed; the RFC thinks of a minute (§2.2).
const LONGEST_LIFE: Duration = Duration::from_hours(1);

/// A reference to a pushed request (§2.2). It can't be made but from an answer that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    request_uri: String,
    expires_in: Duration,
}

impl Pushed {
    /// How long the browser has to get there.
    #[must_use]
    pub const fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// The authorization request that is left for the browser (§4). Of the endpoint's own query nothing is lost
    /// (RFC 6749 §3.1).
    #[must_use]
    pub fn authorization_url(&self, endpoint: &Url, client_id: &str) -> Url {
        let mut url = endpoint.clone();
        url.query_pairs_mut().append_pair("client_id", client_id).append_pair("request_uri", &self.request_uri);
        url
    }
}

/// Reads the answer (§2.2). Some servers say 200 where the RFC says 201.
pub fn read(response: &http::Response<Bytes>) -> Result<Pushed, ProviderError> {
    let members = members(response)?;
    let request_uri = members.get("request_uri").and_then(Value::as_str).filter(|text| is_request_uri(text));
    let expires_in = members.get("expires_in").and_then(seconds).filter(|life| !life.is_zero());
    Ok(Pushed {
        request_uri: request_uri.ok_or(ProviderError::InvalidResponse("no usable request_uri"))?.to_owned(),
        expires_in: expires_in.ok_or(ProviderError::InvalidResponse("no usable expires_in"))?.min(LONGEST_LIFE),
    })
}

/// A URI as it can stand in a query: what it names is known to the provider alone.
fn is_request_uri(text: &str) -> bool {
    text.len() <= LIMIT && text.bytes().all(|byte| byte.is_ascii_graphic()) && Url::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> String {
        let response = http::Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        match read(&response) {
            Ok(pushed) => format!("{} {}", pushed.request_uri, pushed.expires_in.as_secs()),
            Err(ProviderError::Refused(code)) => format!("refused {code}"),
            Err(ProviderError::Failed(status)) => format!("failed {status}"),
            Err(ProviderError::InvalidResponse(why)) => format!("invalid {why}"),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn an_answer_is_a_reference_a_refusal_or_nothing_usable() {
        let huge = format!(r#"{{"request_uri":"urn:{}","expires_in":1}}"#, "a".repeat(1 << 20));
        let table = [
            // RFC 9126 §2.2
            (
                201,
                r#"{"request_uri":"urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c","expires_in":60}"#,
                "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c 60",
            ),
            (200, r#"{"request_uri":"https://a.example/r?x=1","expires_in":"90"}"#, "https://a.example/r?x=1 90"),
            (201, r#"{"request_uri":"urn:a","expires_in":1e12}"#, "urn:a 3600"),
            (201, r#"{"request_uri":"urn:a","expires_in":0}"#, "invalid no usable expires_in"),
            (201, r#"{"request_uri":"urn:a","expires_in":-5}"#, "invalid no usable expires_in"),
            (201, r#"{"request_uri":"urn:a"}"#, "invalid no usable expires_in"),
            (201, r#"{"expires_in":60}"#, "invalid no usable request_uri"),
            (201, r#"{"request_uri":"no uri","expires_in":60}"#, "invalid no usable request_uri"),
            (201, r#"{"request_uri":"urn:a\r\nb","expires_in":60}"#, "invalid no usable request_uri"),
            (201, r#"{"request_uri":["urn:a"],"expires_in":60}"#, "invalid no usable request_uri"),
            (
                201,
                r#"{"request_uri":"urn:a","request_uri":"urn:b","expires_in":60}"#,
                "invalid a member stands twice in the answer",
            ),
            (201, &huge, "invalid the answer is longer than 64 KiB"),
            (302, "", "invalid a redirect where none is documented"),
            (400, r#"{"error":"invalid_request","error_description":"x"}"#, "refused invalid_request"),
            (413, "", "refused status 413"),
            (503, &huge, "failed 503"),
            (429, "", "failed 429"),
            (500, r#"{"error":"server_error"}"#, "failed 500"),
        ];
        for (status, body, expected) in table {
            assert_eq!(said(status, body), expected, "{}", &body[..body.len().min(80)]);
        }
    }

    #[test]
    fn the_browser_carries_the_reference_alone() {
        let pushed = Pushed {
            request_uri: "urn:ietf:params:oauth:request_uri:a&b".to_owned(),
            expires_in: Duration::from_mins(1),
        };
        let url = pushed.authorization_url(&Url::parse("https://as.example/authorize?tenant=1").unwrap(), "s6BhdRkqt3");
        assert_eq!(
            url.as_str(),
            "https://as.example/authorize?tenant=1&client_id=s6BhdRkqt3&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aa%26b"
        );
    }
}
