//! The outgoing call: where it goes, and what it carries.

use bytes::Bytes;
use shared::{
    error::{Error, ProviderError, Refusal},
    http::Request,
    id::ConnectorId,
    protocol::{
        account::{self, SignError, Signing},
        connector::Connector,
        origins::Origins,
        template::{self, Values},
    },
    store::connections::Connection,
};
use url::Url;

use crate::headers;

/// The provider's part of the path, still as it was sent: what follows the platform segment, where there is one. A platform
/// without anything behind it, not even a slash, means the base URL itself: an MCP server is one address.
pub fn path<'a>(connection: &Connection, raw: &'a str) -> Option<&'a str> {
    match raw.split_once('/') {
        Some((first, rest)) if first == connection.connector.as_str() => Some(rest),
        None if raw == connection.connector.as_str() => None,
        _ => Some(raw),
    }
}

/// The request to the provider, and where it may go.
pub fn build(
    connector: &Connector,
    id: &ConnectorId,
    values: &Values,
    request: &Request,
    path: Option<&str>,
) -> Result<(http::Request<Bytes>, Origins), Error> {
    let base = template::base_url(connector, values).map_err(|error| {
        tracing::warn!(connector = %id, %error, "the connection has no usable base URL");
        ProviderError::AddressRefused.of(id)
    })?;
    let origins = Origins::of_api(connector, values).map_err(|_| ProviderError::AddressRefused.of(id))?;
    let mut url = address(&base, path, &request.query)?;
    if !origins.permits(&url) {
        return Err(not_allowed("the address is not one of this connector's"));
    }
    let mut headers = headers::out(&request.headers);
    account::authorize(connector, values, &mut url, &mut headers).map_err(|error| {
        tracing::warn!(connector = %id, %error, "the credential could not be put into the call");
        Error::NeedsReauth
    })?;
    let mut outgoing = http::Request::new(request.body.clone());
    let method = request.method.map_or("GET", shared::http::Method::as_str);
    *outgoing.method_mut() = http::Method::from_bytes(method.as_bytes()).unwrap_or_default();
    *outgoing.uri_mut() = url.as_str().parse().map_err(|_| not_allowed("the path is not one that a URL can have"))?;
    *outgoing.headers_mut() = headers;
    Ok((outgoing, origins))
}

/// The request with its signature, where that is how its credential travels.
pub fn signed(
    connector: &Connector,
    id: &ConnectorId,
    request: http::Request<Bytes>,
    signing: &Signing<'_>,
) -> Result<http::Request<Bytes>, Error> {
    account::sign(connector, request, signing).map_err(|error| match error {
        SignError::Header => Error::invalid(error.to_string()),
        SignError::Missing(_) | SignError::Template(_) => {
            tracing::warn!(connector = %id, %error, "the call could not be signed");
            Error::NeedsReauth
        }
    })
}

/// The provider's address for this path and query: below the base URL, or another origin of the same API named in full.
fn address(base: &Url, path: Option<&str>, query: &str) -> Result<Url, Error> {
    let base = base.as_str().trim_end_matches('/');
    let Some(path) = path else { return below(base.to_owned(), query) };
    must_be_plain(path, "path")?;
    if has_dot_segment(path) {
        return Err(not_allowed("the path holds a segment . or .., which would lead out of the API"));
    }
    let full = ["https://", "http://"].iter().any(|scheme| path.starts_with(scheme));
    below(if full { path.to_owned() } else { format!("{base}/{path}") }, query)
}

fn below(mut text: String, query: &str) -> Result<Url, Error> {
    must_be_plain(query, "query")?;
    if !query.is_empty() {
        text.push('?');
        text.push_str(query);
    }
    Url::parse(&text).map_err(|_| not_allowed("the path is not one that a URL can have"))
}

/// Only what a URL can hold as it is. Anything else a parser would strip, fold or re-encode, and each in its own way.
fn must_be_plain(text: &str, part: &str) -> Result<(), Error> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b'"' | b'<' | b'>'));
    if plain { Ok(()) } else { Err(not_allowed(&format!("percent-encode the {part}"))) }
}

/// `.` and `..`, also half or wholly percent-encoded: a URL parser resolves them all.
fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

fn not_allowed(why: &str) -> Error {
    Error::refused(Refusal::AddressNotAllowed, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_base_as_it_was_sent() {
        let table = [
            ("me", "", Some("https://api.acme.example/v2/me")),
            ("", "", Some("https://api.acme.example/v2/")),
            ("a%2Fb//c;d=1/", "b=2&a=%zz&b=1+", Some("https://api.acme.example/v2/a%2Fb//c;d=1/?b=2&a=%zz&b=1+")),
            ("https://files.acme.example/x", "", Some("https://files.acme.example/x")),
            ("../admin", "", None),
            ("a/%2E%2e/b", "", None),
            ("a/.%2e", "", None),
            ("a\\..\\b", "", None),
            ("a b", "", None),
            ("a\u{9}b", "", None),
            ("é", "", None),
            ("a", "x=\u{a}", None),
            ("a#b", "", None),
        ];
        let base = Url::parse("https://api.acme.example/v2").unwrap();
        for (path, query, expected) in table {
            let found = address(&base, Some(path), query).ok();
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{path}?{query}");
        }
        assert_eq!(
            address(&base, None, "a=1").unwrap().as_str(),
            "https://api.acme.example/v2?a=1",
            "the base URL itself"
        );
    }

    #[test]
    fn a_path_that_looks_like_another_host_stays_a_path() {
        let base = Url::parse("https://api.acme.example/v2").unwrap();
        for path in ["//evil.example/x", "@evil.example", ":443@evil.example/", "evil.example", "https:/evil.example"] {
            assert_eq!(address(&base, Some(path), "").unwrap().host_str(), Some("api.acme.example"), "{path}");
        }
    }
}
