//! Clients, and how one proves at the token and revocation endpoints that it is one (RFC 6749 §2).

use std::io;

use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use super::Provider;
use crate::demo::{Secret, parameters::Parameters, refusal::Refusal, secret::Hash};

/// The ways to authenticate (RFC 8414 §2).
pub const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// A confidential client.
#[derive(Clone, Serialize, Deserialize)]
pub struct Client {
    /// What the person who consents is shown.
    pub name: String,
    secret: Hash,
    redirect_uris: Vec<String>,
}

impl Client {
    /// A client, unless one of its redirect URIs can't be one (RFC 6749 §3.1.2: absolute, without a fragment).
    pub fn new(secret: &Secret, name: &str, redirect_uris: &[String]) -> io::Result<Self> {
        if let Some(bad) = redirect_uris.iter().find(|uri| !is_redirect_uri(uri)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("not a redirect URI: {bad}")));
        }
        Ok(Self { name: name.to_owned(), secret: secret.hash(), redirect_uris: redirect_uris.to_vec() })
    }

    /// Whether the URI is registered, character by character (RFC 9700 §2.1).
    pub fn allows(&self, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered == redirect_uri)
    }
}

fn is_redirect_uri(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| uri.has_host() && uri.fragment().is_none())
}

impl Provider {
    /// The id of the client that sent the request (RFC 6749 §2.3.1).
    pub(super) fn authenticate(&self, headers: &HeaderMap, form: &Parameters) -> Result<String, Refusal> {
        let (client_id, secret) = match headers.get(AUTHORIZATION) {
            Some(header) => {
                let (client_id, secret) = header.to_str().ok().and_then(basic).ok_or(INVALID_CLIENT)?;
                refuse_a_second_method(form, &client_id)?;
                (client_id, secret)
            }
            None => in_body(form).ok_or(INVALID_CLIENT)?,
        };

        let known = self.records.read(|kept| kept.clients.get(&client_id).is_some_and(|c| c.secret == secret.hash()));
        if known { Ok(client_id) } else { Err(INVALID_CLIENT) }
    }
}

/// RFC 6749 §5.2 asks for the challenge where the client tried the header, RFC 9110 §15.5.2 on every 401.
const INVALID_CLIENT: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", "the client could not be authenticated")
        .challenge("Basic realm=\"acme\"");

/// Both halves are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (client_id, secret) = joined.split_once(':')?;
    Some((form_decode(client_id), Secret::new(form_decode(secret))))
}

/// A text without `=` and `&` reads as one name without a value.
fn form_decode(half: &str) -> String {
    let escaped = half.replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(escaped.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

fn in_body(form: &Parameters) -> Option<(String, Secret)> {
    Some((form.get("client_id")?.to_owned(), Secret::new(form.get("client_secret")?)))
}

/// RFC 6749 §2.3: one method per request. A bare `client_id` is not a method, but it must not contradict.
fn refuse_a_second_method(form: &Parameters, client_id: &str) -> Result<(), Refusal> {
    if form.get("client_secret").is_some() || form.get("client_id").is_some_and(|named| named != client_id) {
        return Err(Refusal::invalid_request("the client authenticates in two ways"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_basic_are_form_decoded() {
        let table = [
            ("plain", "id:secret", Some(("id", "secret"))),
            ("escaped", "i%2Dd:s%3A%26+%25", Some(("i-d", "s:& %"))),
            ("unescaped padding", "id:abc=", Some(("id", "abc="))),
            ("a colon in the secret", "id:a:b", Some(("id", "a:b"))),
            ("no colon", "id", None),
        ];
        for (case, joined, expected) in table {
            let header = format!("Basic {}", STANDARD.encode(joined));
            let read = basic(&header);
            assert_eq!(read.as_ref().map(|(id, secret)| (id.as_str(), secret.expose())), expected, "{case}");
        }
    }
}
