//! OAuth 1.0a (RFC 5849): the three legs, and the check of a signature.

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::hmac;
use serde_json::json;
use url::Url;

use crate::{
    authorize::{account, split},
    data::{Leg, Oauth1},
    engine::{Done, Exchange},
    fault::Fault,
    random,
    refusal::Refused,
    request::{Pairs, decode, get},
    state::{Access, Granted, State, Temporary},
};

/// What is not encoded (§3.6).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How far a timestamp may be from the provider's time.
const TOLERANCE: i64 = 300;
/// How long temporary credentials work.
const TEMPORARY_SECONDS: i64 = 600;

/// One of the legs (§2).
pub fn leg(exchange: &Exchange<'_>, state: &mut State, data: &Oauth1) -> Result<Done, Refused> {
    match data.leg {
        Leg::RequestToken => request_token(exchange, state, data),
        Leg::Authorize => authorize(exchange, state),
        Leg::AccessToken => access_token(exchange, state, data),
    }
}

/// §2.1.
fn request_token(exchange: &Exchange<'_>, state: &mut State, data: &Oauth1) -> Result<Done, Refused> {
    let signed = Signed::of(exchange)?;
    let client_id = signed.verify(exchange, state, &data.methods, "")?;
    let callback = signed.get("oauth_callback").ok_or_else(|| wrong("oauth_callback is missing"))?;
    if callback != "oob" && Url::parse(callback).is_err() {
        return Err(wrong("oauth_callback is not an address"));
    }
    let registered = state.clients.get(&client_id).map(|client| client.redirect_uris.clone()).unwrap_or_default();
    if callback != "oob" && !registered.is_empty() && !registered.iter().any(|uri| uri == callback) {
        return Err(Refused::new("redirect_uri", "oauth_callback is not one that the client has registered"));
    }
    let (token, secret) = (random::text(), random::text());
    let temporary = Temporary {
        client_id,
        secret: secret.clone(),
        callback: callback.to_owned(),
        consented: None,
        expires_at: exchange.now + TEMPORARY_SECONDS,
    };
    state.temporary.put(token.clone(), temporary);
    say(exchange, data, json!({ "oauth_token": token, "oauth_token_secret": secret }))
}

/// §2.2.
fn authorize(exchange: &Exchange<'_>, state: &mut State) -> Result<Done, Refused> {
    let (parameters, _) = exchange.gate(&[])?;
    let token = get(&parameters, "oauth_token").ok_or_else(|| wrong("oauth_token is missing"))?;
    let account = state.account.clone();
    let unknown = || wrong("oauth_token is unknown, has expired or was used");
    let temporary = state.temporary.get_mut(token).filter(|t| t.expires_at > exchange.now).ok_or_else(unknown)?;
    if temporary.consented.is_some() {
        return Err(unknown());
    }
    let denied = exchange.faults.has(&Fault::Deny);
    let verifier = random::text();
    if !denied {
        let scopes = split(get(&parameters, "scope").unwrap_or_default(), ",");
        temporary.consented = Some((verifier.clone(), account, scopes));
    }
    if temporary.callback == "oob" {
        return Ok(Done::Page(format!("<!doctype html><title>Code</title><p>{verifier}</p>")));
    }
    let mut back = Url::parse(&temporary.callback).map_err(|_| wrong("oauth_callback is not an address"))?;
    if denied {
        back.query_pairs_mut().append_pair("denied", token);
    } else {
        back.query_pairs_mut().append_pair("oauth_token", token).append_pair("oauth_verifier", &verifier);
    }
    Ok(Done::Redirect(back.into()))
}

/// §2.3. Temporary credentials work once.
fn access_token(exchange: &Exchange<'_>, state: &mut State, data: &Oauth1) -> Result<Done, Refused> {
    let signed = Signed::of(exchange)?;
    let presented = signed.get("oauth_token").ok_or_else(|| wrong("oauth_token is missing"))?;
    let unknown = || wrong("oauth_token is unknown, has expired or was used");
    let temporary =
        state.temporary.get(presented).filter(|t| t.expires_at > exchange.now).cloned().ok_or_else(unknown)?;
    let client_id = signed.verify(exchange, state, &data.methods, &temporary.secret)?;
    if client_id != temporary.client_id {
        return Err(wrong("oauth_token was issued to another client"));
    }
    let (verifier, name, scopes) = temporary.consented.ok_or_else(|| wrong("nobody has consented"))?;
    if signed.get("oauth_verifier") != Some(&verifier) {
        return Err(wrong("oauth_verifier is missing or wrong"));
    }
    if let Some(temporary) = state.temporary.get_mut(presented) {
        temporary.expires_at = 0;
    }

    let account_data = account(exchange, state);
    let host = exchange.captures["host"].clone();
    let granted = Granted {
        client_id,
        account: name,
        account_data: account_data.clone(),
        scopes,
        host,
        key: json!({}),
        ended: false,
    };
    let grant = state.grant(granted);
    let (token, secret) = (random::text(), random::text());
    let ttl = exchange.provider.tokens.access_ttl;
    state.access.put(
        token.clone(),
        Access {
            grant,
            issued_at: exchange.now,
            expires_at: ttl.map(|seconds| exchange.now + seconds),
            kind: "access".to_owned(),
            secret: Some(secret.clone()),
            bound_to: None,
            ended: false,
        },
    );
    say(exchange, data, json!({ "oauth_token": token, "oauth_token_secret": secret, "account": account_data }))
}

fn say(exchange: &Exchange<'_>, data: &Oauth1, more: serde_json::Value) -> Result<Done, Refused> {
    let answer = data.answer.clone().ok_or_else(|| wrong("the data name no answer"))?;
    Ok(Done::Say(answer, exchange.variables(&[], more)))
}

/// Whose signed API call it is (§3).
pub fn holder(exchange: &Exchange<'_>, state: &mut State, methods: &[String]) -> Result<Granted, Refused> {
    let signed = Signed::of(exchange)?;
    let token = signed.get("oauth_token").ok_or_else(|| Refused::new("token_missing", "oauth_token is missing"))?;
    let unknown = || Refused::new("token_invalid", "the access token is unknown or was revoked");
    let access = state.access.get(token).filter(|access| !access.ended).cloned().ok_or_else(unknown)?;
    let secret = access.secret.as_deref().ok_or_else(unknown)?;
    let client_id = signed.verify(exchange, state, methods, secret)?;
    let granted = state.grants.get(&access.grant).filter(|granted| !granted.ended).cloned().ok_or_else(unknown)?;
    if granted.client_id != client_id {
        return Err(Refused::new("token_invalid", "the token was issued to another client"));
    }
    if access.expires_at.is_some_and(|at| at <= exchange.now) {
        return Err(Refused::new("token_expired", "the access token has expired"));
    }
    Ok(granted)
}

fn wrong(words: &str) -> Refused {
    Refused::new("signature", words)
}

/// A signed request: its protocol parameters, and all that is signed.
struct Signed {
    protocol: Pairs,
    all: Pairs,
}

impl Signed {
    /// §3.5: in the header, the body or the query.
    fn of(exchange: &Exchange<'_>) -> Result<Self, Refused> {
        let request = exchange.request;
        let mut all = request.query.clone();
        if request.content_type().as_deref() == Some("application/x-www-form-urlencoded") {
            all.extend(decode(&String::from_utf8_lossy(&request.body)));
        }
        let in_header = request.authorization("OAuth").map(header).unwrap_or_default();
        let is_protocol = |(name, _): &&(String, String)| name.starts_with("oauth_");
        let protocol: Pairs =
            if in_header.is_empty() { all.iter().filter(is_protocol).cloned().collect() } else { in_header.clone() };
        if protocol.is_empty() {
            let case = if exchange.endpoint.api.is_some() { "token_missing" } else { "signature" };
            return Err(Refused::new(case, "the request is not signed"));
        }
        all.extend(in_header.into_iter().filter(|(name, _)| name != "realm"));
        all.retain(|(name, _)| name != "oauth_signature");
        Ok(Self { protocol, all })
    }

    fn get(&self, name: &str) -> Option<&str> {
        get(&self.protocol, name).filter(|value| !value.is_empty())
    }

    /// Checks signature, timestamp and nonce; gives the client (§3.2).
    fn verify(
        &self,
        exchange: &Exchange<'_>,
        state: &mut State,
        methods: &[String],
        token_secret: &str,
    ) -> Result<String, Refused> {
        let need = |name: &str| self.get(name).ok_or_else(|| wrong(&format!("{name} is missing")));
        if self.get("oauth_version").is_some_and(|version| version != "1.0") {
            return Err(wrong("oauth_version has to be 1.0"));
        }
        let method = need("oauth_signature_method")?;
        if !methods.iter().any(|known| known == method) {
            return Err(wrong(&format!("oauth_signature_method has to be {}", methods.join(" or "))));
        }
        let client_id = need("oauth_consumer_key")?.to_owned();
        let client = state
            .clients
            .get(&client_id)
            .ok_or_else(|| Refused::new("invalid_client", "no client is registered under this oauth_consumer_key"))?;
        let secret = client.secret.as_deref().unwrap_or_default();
        let key = format!("{}&{}", encode(secret), encode(token_secret));
        let base = base_string(&exchange.request.method, &exchange.request.url(), &self.all);
        if sign(method, &key, &base).as_deref() != Some(need("oauth_signature")?) {
            return Err(wrong("oauth_signature is wrong"));
        }
        if method == "PLAINTEXT" {
            return Ok(client_id); // §3.3: neither timestamp nor nonce are needed
        }
        let timestamp: i64 = need("oauth_timestamp")?.parse().map_err(|_| wrong("oauth_timestamp is not a number"))?;
        if (timestamp - exchange.now).abs() > TOLERANCE {
            return Err(wrong("oauth_timestamp is too far from the provider's time"));
        }
        let nonce = format!("{client_id} {timestamp} {}", need("oauth_nonce")?);
        if state.nonces.get(&nonce).is_some() {
            return Err(wrong("oauth_nonce was used before"));
        }
        state.nonces.put(nonce, ());
        Ok(client_id)
    }
}

/// §3.5.1.
fn header(written: &str) -> Pairs {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    written
        .split(',')
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (decode(name), decode(value.trim_matches('"'))))
        .collect()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// §3.4.1. The address is without its default port already.
fn base_string(method: &str, url: &str, parameters: &Pairs) -> String {
    let mut encoded: Vec<(String, String)> =
        parameters.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    encoded.sort();
    let joined: Vec<String> = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}&{}&{}", method.to_ascii_uppercase(), encode(url), encode(&joined.join("&")))
}

/// §3.4.2 and §3.4.4; HMAC-SHA256 as several providers extend it.
fn sign(method: &str, key: &str, base: &str) -> Option<String> {
    let algorithm = match method {
        "PLAINTEXT" => return Some(key.to_owned()),
        "HMAC-SHA1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "HMAC-SHA256" => hmac::HMAC_SHA256,
        _ => return None,
    };
    let tag = hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), base.as_bytes());
    Some(STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_rfc() {
        // RFC 5849 §1.2, the request of a photo
        let parameters: Pairs = [
            ("file", "vacation.jpg"),
            ("size", "original"),
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131202"),
            ("oauth_nonce", "chapoH"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let base = base_string("GET", "http://photos.example.net/photos", &parameters);
        let signature = sign("HMAC-SHA1", "kd94hf93k423kf44&pfkkdhi9sl3r4s00", &base);
        assert_eq!(signature.as_deref(), Some("MdpQcU8iPSUjWoN/UDMsK2sui9I="));
    }
}
