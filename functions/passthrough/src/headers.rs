//! Which header lines go through, in both directions.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The names under which a connection's key may come.
pub const CONNECTION_KEYS: [&str; 3] = ["x-one-connection-key", "x-pica-connection-key", "x-connection-key"];

/// Which further token a call wants, by the name of its slot. As all that begins like it, it stays here.
pub const TOKEN_SLOT: &str = "x-mooring-token-slot";

/// Between two hops only (RFC 9110 §7.6.1).
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Meant for us, or added on the way to us.
const OURS: [&str; 13] = [
    "authorization",
    "cookie",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "origin",
    "referer",
    "via",
    "x-one-secret",
    "x-pica-secret",
    "x-real-ip",
    "x-request-id",
];

/// Families of the same.
const OUR_FAMILIES: [&str; 8] =
    ["access-control-", "cdn-", "cloudfront-", "sec-fetch-", "x-amz-cf-", "x-amzn-", "x-forwarded-", "x-mooring-"];

/// Of an answer: what would set or change something on our own origin, or speaks for it.
const ORIGIN_WIDE: [&str; 11] = [
    "alt-svc",
    "clear-site-data",
    "content-length",
    "nel",
    "public-key-pins",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
];

/// The caller's lines that go to the provider.
#[must_use]
pub fn out(lines: &[(String, String)]) -> HeaderMap {
    let listed: Vec<String> = listed(lines.iter().filter(|(name, _)| name == "connection").map(|(_, v)| v.as_str()));
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let dropped = HOP_BY_HOP.contains(&name.as_str())
            || OURS.contains(&name.as_str())
            || CONNECTION_KEYS.contains(&name.as_str())
            || OUR_FAMILIES.iter().any(|family| name.starts_with(family))
            || listed.contains(name);
        // a line that HTTP can't carry was never sent by a client
        if !dropped && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The provider's lines that go back. The length is that of a HEAD's answer only: what is streamed is framed anew.
#[must_use]
pub fn back(headers: &HeaderMap, head: bool) -> Vec<(String, String)> {
    let listed = listed(headers.get_all("connection").iter().filter_map(|value| value.to_str().ok()));
    let dropped = |name: &str| {
        HOP_BY_HOP.contains(&name)
            || (ORIGIN_WIDE.contains(&name) && !(head && name == "content-length"))
            || name.starts_with("access-control-")
            || name.starts_with("x-mooring-")
            || listed.iter().any(|other| other == name)
    };
    let lines = headers.iter().filter(|(name, _)| !dropped(name.as_str()));
    // ISO-8859-1 is what RFC 9110 §5.5 leaves for bytes beyond ASCII
    lines
        .map(|(name, value)| (name.to_string(), value.as_bytes().iter().map(|byte| char::from(*byte)).collect()))
        .collect()
}

/// Names that `Connection` lists are hop-by-hop too.
fn listed<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_meant_for_us_stays_here() {
        let sent = lines(&[
            ("authorization", "Bearer sk_test_x"),
            ("x-one-secret", "sk"),
            ("cookie", "a=1"),
            ("host", "m.example"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("x-one-connection-key", "conn_1"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-amzn-trace-id", "t"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("origin", "https://a.example"),
            ("content-type", "application/json"),
            ("x-custom", "1"),
            ("x-custom", "2"),
            ("accept-encoding", "gzip"),
            ("if-none-match", "\"e\""),
        ]);
        let out = out(&sent);
        let names: Vec<_> = out.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type", "x-custom", "accept-encoding", "if-none-match"]);
        assert_eq!(out.get_all("x-custom").iter().count(), 2);
    }

    #[test]
    fn what_would_act_on_our_origin_does_not_come_back() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "a=1"),
            ("strict-transport-security", "max-age=1"),
            ("clear-site-data", "*"),
            ("content-length", "5"),
            ("access-control-allow-origin", "*"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("etag", "\"e\""),
            ("x-request-id", "theirs"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        assert_eq!(back(&headers, false), lines(&[("etag", "\"e\""), ("x-request-id", "theirs")]));
        assert!(back(&headers, true).contains(&("content-length".to_owned(), "5".to_owned())));
    }
}
