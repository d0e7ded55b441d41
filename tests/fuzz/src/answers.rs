//! What providers answer, and what people paste.
//!
//! No reader panics; no token comes out that is longer than 16 KiB or has other than printable ASCII in it, no end beyond a
//! year, no code of an error that a log could not take; and where an answer names an address, it lies where it may.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use shared::{
    clock::{Random, Timestamp},
    error::ProviderError,
    protocol::{
        account,
        assertion::{self, Algorithm, Claims, Key, SecretEncoding},
        callback_signature::{self, Encoding},
        connector::Connector,
        device, dpop, jwt, oauth1, pushed, revocation,
        template::{self, Values},
        token,
    },
    secret::{AccessToken, ClientSecret, RefreshToken},
};

use url::Url;

use crate::{
    case::Case,
    fill::{self, NOW},
    reach::admits,
};

/// The bounds that the readers promise.
const LONGEST_TOKEN: usize = 16 * 1024;
const LATEST: Duration = Duration::from_hours(8784);

/// What signs the callbacks of the corpus.
const SECRET: &str = "hush";

/// Has every reader read a case's body, as its connector says.
///
/// # Panics
/// If one of them gives out what it must not: that is a finding.
pub fn run(data: &[u8]) {
    let case = Case::read(data);
    let Some(response) = response(&case) else { return };
    if let Some((json, connector)) = case.connector().filter(|(_, connector)| connector.check(false).is_ok()) {
        tokens(&json, &connector, &case, &response);
        accounts(&connector, &response);
    }
    exchanges(&response);
    if let Ok(text) = std::str::from_utf8(case.body) {
        callbacks(text);
        keys(text);
        let _ = jwt::verify(text, r#"{"keys":[]}"#, "known", NOW);
        let _ = jwt::named_client(text);
    }
}

/// The answer: status and type are the second and third word, further headers are what is given.
fn response(case: &Case<'_>) -> Option<http::Response<Bytes>> {
    let status: u16 = case.word(1).parse().unwrap_or(200);
    let content_type = if case.words.len() > 2 { case.word(2) } else { "application/json" };
    let mut response = http::Response::builder().status(status).header("content-type", content_type);
    for (name, value) in &case.given {
        if let (Ok(name), Ok(value)) =
            (http::HeaderName::try_from(name.replace('_', "-")), http::HeaderValue::try_from(value))
        {
            response = response.header(name, value);
        }
    }
    response.body(Bytes::copy_from_slice(case.body)).ok()
}

fn tokens(json: &Value, connector: &Connector, case: &Case<'_>, response: &http::Response<Bytes>) {
    let Some(oauth2) = &connector.oauth2 else { return };
    let mut tokens = match token::read(oauth2, response, NOW) {
        Ok(tokens) => tokens,
        Err(error) => return refusal(&error),
    };
    token(tokens.access_token.expose());
    tokens.refresh_token.iter().map(RefreshToken::expose).for_each(token);
    end(tokens.expires_at);
    for slot in tokens.slots.values() {
        token(slot.access_token.expose());
        slot.refresh_token.iter().map(RefreshToken::expose).for_each(token);
        end(slot.expires_at);
    }
    // scopes are no secret, so a token may be called as one
    tokens.scopes = None;
    tokens.slots.values_mut().for_each(|slot| slot.scopes = None);
    let secret = tokens.access_token.expose();
    assert!(!secret.contains("canary0-") || !format!("{tokens:?}").contains(secret), "Debug shows a token");

    // a base URL from the answer leads where it may, or nowhere
    let Some(mut values) = fill::values(connector, &case.given) else { return };
    for (name, path) in connector.captures.token_response.iter() {
        let said = template::pluck_text(&tokens.answer, path);
        if let Some(kept) = said.and_then(|said| template::believe(connector, name, &said).ok()) {
            values.insert(name, kept);
        }
    }
    if let Ok(base) = template::base_url(connector, &values) {
        assert!(admits(json, &values, &base), "the API is at {base}");
    }
}

fn accounts(connector: &Connector, response: &http::Response<Bytes>) {
    if let Some(profile) = &connector.profile {
        match account::read_profile(profile, response, &Values::default()) {
            Ok(found) => {
                let mut shown = [&found.id, &found.label, &found.email].into_iter().flatten();
                assert!(
                    shown.all(|text| !text.is_empty() && !text.contains(char::is_control)),
                    "an account that can't be shown"
                );
            }
            Err(error) => refusal(&error),
        }
    }
    for lookup in connector.lookups.iter() {
        match account::read_lookup(lookup, response) {
            Ok(found) => {
                assert!((1..=200).contains(&found.len()), "{} were found", found.len());
                let mut labels = found.iter().filter_map(|one| one.label.as_ref());
                assert!(labels.all(|label| !label.contains(char::is_control)), "a label that can't be shown");
            }
            Err(error) => refusal(&error),
        }
    }
    if let Some(Err(error)) = connector.revoke.as_ref().map(|revoke| revocation::read(revoke, response)) {
        refusal(&error);
    }
}

/// The readers that need nothing of a connector.
fn exchanges(response: &http::Response<Bytes>) {
    for credentials in [oauth1::read_token(response), oauth1::read_temporary_credentials(response)] {
        match credentials {
            Ok(credentials) => {
                token(credentials.token.expose());
                token(credentials.secret.expose());
                assert!(credentials.further.len() <= 64, "members beyond the bound");
                let url = Url::parse("https://vendor.com/authorize?a=b");
                let authorization = url.map(|url| oauth1::authorization_url(&url, &credentials.token));
                assert!(authorization.is_ok_and(|url| url.host_str() == Some("vendor.com")));
            }
            Err(error) => refusal(&error),
        }
    }
    match device::read(response) {
        Ok(device) => {
            token(device.device_code.expose());
            let mut addresses = std::iter::once(&device.verification_uri).chain(&device.verification_uri_complete);
            assert!(addresses.all(|url| url.scheme() == "https" && url.username().is_empty()));
            assert!(device.user_code.len() <= 64 && !device.user_code.contains(char::is_control));
            assert!(device.expires_in <= Duration::from_hours(24) && device.interval <= Duration::from_mins(5));
            assert!(device.interval >= Duration::from_secs(1), "polled without a pause");
        }
        Err(error) => {
            let _ = device::next(&error, Duration::from_secs(5));
            refusal(&error);
        }
    }
    match pushed::read(response) {
        Ok(pushed) => {
            assert!(pushed.expires_in() <= Duration::from_hours(1));
            let url = Url::parse("https://vendor.com/authorize").map(|url| pushed.authorization_url(&url, "known"));
            assert!(url.is_ok_and(|url| url.host_str() == Some("vendor.com") && url.as_str().len() < 8192));
        }
        Err(error) => refusal(&error),
    }
    let nonce = dpop::nonce_demanded(response).unwrap_or_default();
    assert!(nonce.len() <= 1024 && nonce.bytes().all(|byte| byte.is_ascii_graphic()));
    let _ = dpop::authorization(&AccessToken::from("known".to_owned()));
}

fn callbacks(query: &str) {
    let secret = ClientSecret::from(SECRET.to_owned());
    for encoding in [Encoding::Separators, Encoding::Form] {
        if callback_signature::verify(query, "hmac", encoding, &secret).is_ok() {
            let other = ClientSecret::from("another".to_owned());
            assert!(callback_signature::verify(query, "hmac", encoding, &other).is_err(), "any secret does");
            for added in ["&hmac=00", "&code=other", "&x0=1"] {
                let changed = callback_signature::verify(&format!("{query}{added}"), "hmac", encoding, &secret);
                assert!(changed.is_err(), "{added} was not signed");
            }
        }
    }
}

fn keys(pasted: &str) {
    let random = Random::system();
    let parsed = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Hs256, Algorithm::EdDsa]
        .map(|algorithm| Key::parse(algorithm, pasted, &random));
    let shared = [SecretEncoding::Text, SecretEncoding::Hex, SecretEncoding::Base64]
        .map(|encoding| Key::shared(pasted, encoding));
    for key in parsed.into_iter().chain(shared).flatten() {
        let claims = Claims { members: &Map::new(), issued_at: NOW, expires_at: NOW, jti: None };
        // a key whose numbers do not belong together is found out when it signs
        let Ok(signed) = assertion::sign(&key, &Map::new(), &claims, &random) else { continue };
        let parts: Vec<&str> = signed.expose().split('.').collect();
        assert!(parts.len() == 3 && parts.iter().all(|part| !part.is_empty()), "not three parts");
    }
}

fn token(token: &str) {
    assert!(!token.is_empty() && token.len() <= LONGEST_TOKEN, "a token of {} bytes", token.len());
    assert!(token.bytes().all(|byte| matches!(byte, b' '..=b'~')), "a token that no header can carry");
}

fn end(at: Option<Timestamp>) {
    assert!(at.is_none_or(|at| at <= NOW.after(LATEST)), "an end beyond a year: {at:?}");
}

/// An error may be logged: what the provider put into it is short and harmless.
fn refusal(error: &ProviderError) {
    if let ProviderError::Refused(code) = error {
        let harmless = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
        assert!(code.len() <= 64 && code.chars().all(harmless), "a code that no log can take: {code}");
    }
}
