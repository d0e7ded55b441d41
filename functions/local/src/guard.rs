//! What stands before the endpoints that play AWS: only who knows the access key's id of this data folder gets in.
//!
//! Loopback is no border. Any page that a browser on this machine shows can send requests to it, under a foreign name too
//! once its DNS points here, and so can any program. AWS would check a signature; here the id itself is the credential, since
//! it is random and stands in files that only their owner can read.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use serde_json::json;
use shared::{
    clock::Random,
    secret::{Digest, digest},
};

/// The rule for one endpoint.
pub struct Guard {
    host: String,
    access_key_id: Digest,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The endpoint answers.
    Admitted,
    /// A connection that is made beforehand: it learns that somebody is here.
    Health,
    /// The endpoint never sees it.
    Refused(&'static str),
}

/// A new access key id, in the letters that AWS takes for one.
#[must_use]
pub fn access_key_id(random: &Random) -> String {
    format!("LOCAL{:032X}", u128::from_be_bytes(random.bytes()))
}

impl Guard {
    /// For an endpoint at this address, which this access key id opens.
    #[must_use]
    pub fn new(address: SocketAddr, access_key_id: &str) -> Self {
        Self { host: address.to_string(), access_key_id: digest(access_key_id) }
    }

    /// The endpoint behind the guard.
    pub fn before(self, endpoint: Router) -> Router {
        endpoint.layer(from_fn_with_state(Arc::new(self), admit))
    }

    fn judge(&self, request: &Request) -> Verdict {
        let headers = request.headers();
        if headers.keys().any(|name| name == header::ORIGIN || name.as_str().starts_with("sec-fetch-")) {
            return Verdict::Refused("no page may call this endpoint");
        }
        // an absolute target names a host as well, and counts above the header (RFC 9112 §3.2.2)
        let target = request.uri().authority().is_none_or(|authority| authority.as_str() == self.host);
        if !target || only(headers, &header::HOST) != Some(&self.host) {
            return Verdict::Refused("this endpoint answers under its printed address only");
        }
        if request.method() == Method::GET && request.uri() == "/" && !headers.contains_key(header::AUTHORIZATION) {
            return Verdict::Health;
        }
        // digests are compared, so that the time it takes tells nothing
        match only(headers, &header::AUTHORIZATION).and_then(credential).map(digest) {
            Some(presented) if presented == self.access_key_id => Verdict::Admitted,
            _ => Verdict::Refused("the access key id is not the one in lambda.env of this server"),
        }
    }
}

async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.judge(&request) {
        Verdict::Admitted => next.run(request).await,
        Verdict::Health => "healthy".into_response(),
        Verdict::Refused(why) => {
            let body = json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": why });
            (StatusCode::FORBIDDEN, Json(body)).into_response()
        }
    }
}

/// The header's value, if it stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The access key's id in `AWS4-HMAC-SHA256 Credential=<id>/<scope>, …`.
fn credential(authorization: &str) -> Option<&str> {
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let credential = parts.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
    credential.split_once('/').map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    type Headers = [(&'static str, &'static str)];

    const HOST: (&str, &str) = ("host", "127.0.0.1:9000");
    const SIGNED: (&str, &str) = (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=LOCAL1/20261121/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
    );

    fn judge(method: &str, target: &str, headers: &Headers) -> Verdict {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let guard = Guard::new(SocketAddr::from(([127, 0, 0, 1], 9000)), "LOCAL1");
        guard.judge(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn who_knows_the_id_and_the_address_and_is_no_page_gets_in() {
        let page = Verdict::Refused("no page may call this endpoint");
        let host = Verdict::Refused("this endpoint answers under its printed address only");
        let unknown = Verdict::Refused("the access key id is not the one in lambda.env of this server");
        let authorization = |value: &'static str| [HOST, ("authorization", value)];
        let table: [(&str, &Headers, &Verdict); 17] = [
            ("signed", &[HOST, SIGNED], &Verdict::Admitted),
            ("of a page", &[HOST, SIGNED, ("origin", "https://evil.example")], &page),
            ("of a page without an origin", &[HOST, SIGNED, ("origin", "null")], &page),
            ("of the same origin", &[HOST, SIGNED, ("origin", "http://127.0.0.1:9000")], &page),
            ("of a browser", &[HOST, SIGNED, ("sec-fetch-site", "none")], &page),
            ("of a browser that says it otherwise", &[HOST, SIGNED, ("Sec-Fetch-Mode", "no-cors")], &page),
            ("under a foreign name", &[SIGNED, ("host", "evil.example:9000")], &host),
            ("under another spelling", &[SIGNED, ("host", "localhost:9000")], &host),
            ("under another port", &[SIGNED, ("host", "127.0.0.1:90000")], &host),
            ("without a port", &[SIGNED, ("host", "127.0.0.1")], &host),
            ("under two names", &[SIGNED, HOST, ("host", "evil.example")], &host),
            ("without a name", &[SIGNED], &host),
            ("unsigned", &[HOST], &unknown),
            ("signed twice", &[HOST, SIGNED, SIGNED], &unknown),
            ("another id", &authorization("AWS4-HMAC-SHA256 Credential=local/20261121/local"), &unknown),
            ("the beginning of the id", &authorization("AWS4-HMAC-SHA256 Credential=LOCAL/1"), &unknown),
            ("another scheme", &authorization("Bearer LOCAL1"), &unknown),
        ];
        for (case, headers, expected) in table {
            assert_eq!(judge("POST", "/", headers), *expected, "{case}");
        }
        assert_eq!(judge("POST", "http://evil.example/", &[HOST, SIGNED]), host);
        assert_eq!(judge("POST", "http://127.0.0.1:9000/", &[HOST, SIGNED]), Verdict::Admitted);
    }

    #[test]
    fn a_connection_made_beforehand_learns_nothing_but_health() {
        assert_eq!(judge("GET", "/", &[HOST]), Verdict::Health);
        let strangers: [(&str, &str, &Headers); 5] = [
            ("GET", "/", &[("host", "evil.example")]),
            ("GET", "/", &[HOST, ("sec-fetch-mode", "navigate")]),
            ("GET", "/shell", &[HOST]),
            ("HEAD", "/", &[HOST]),
            ("OPTIONS", "/", &[HOST]),
        ];
        for (method, target, headers) in strangers {
            assert!(matches!(judge(method, target, headers), Verdict::Refused(_)), "{method} {target} {headers:?}");
        }
    }

    #[test]
    fn an_access_key_id_is_made_of_what_aws_takes_for_one() {
        let id = access_key_id(&Random::system());
        assert_eq!(id.len(), 37);
        assert!(id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()), "{id}");
        assert_ne!(id, access_key_id(&Random::system()));
    }
}
