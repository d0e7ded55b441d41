//! How a client proves at the token endpoint that it is one (RFC 6749 §2.3, RFC 7523 §2.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest;
use serde_json::Value;

use crate::{
    data::ClientAuth,
    engine::Exchange,
    jwt::{self, Expected},
    refusal::Refused,
    request::{Pairs, get},
    state::{Client, State},
};

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that a client's assertion may be valid where the provider sets no limit of its own.
const LONGEST: i64 = 3600;
/// Apple's limit for a signed secret, six months: the longest of any.
const LONGEST_SECRET: i64 = 15_777_000;
/// GitHub's limit for a JWT in the header.
const LONGEST_BEARER: i64 = 600;

/// The client that sent the request; none, where the endpoint asks for no client.
pub fn authenticate(exchange: &Exchange<'_>, state: &State, parameters: &Pairs) -> Result<Option<Client>, Refused> {
    by(exchange, state, parameters, &exchange.endpoint.client_auth)
}

/// The same, by other ways than the endpoint's.
pub fn by(
    exchange: &Exchange<'_>,
    state: &State,
    parameters: &Pairs,
    ways: &[ClientAuth],
) -> Result<Option<Client>, Refused> {
    if ways.is_empty() {
        return Ok(None);
    }
    for way in ways {
        if let Some(judged) = judge(exchange, state, parameters, *way, ways.len() == 1) {
            return judged.map(Some);
        }
    }
    let seen = if exchange.request.authorization("Basic").is_some() {
        "an Authorization header with Basic"
    } else if exchange.parameter(parameters, "client_secret").is_some() {
        "a secret in the parameters"
    } else {
        "none of them"
    };
    let names: Vec<String> = ways.iter().map(|way| format!("{way:?}")).collect();
    Err(wrong(format!("the client has to authenticate by {}, was {seen}", names.join(" or "))))
}

/// Whether the client used this way, and if so, whether it is right.
fn judge(
    exchange: &Exchange<'_>,
    state: &State,
    parameters: &Pairs,
    way: ClientAuth,
    alone: bool,
) -> Option<Result<Client, Refused>> {
    let request = exchange.request;
    let named = exchange.parameter(parameters, "client_id");
    match way {
        ClientAuth::ClientSecretBasic => {
            let (id, secret) = halves(request.authorization("Basic")?)?;
            Some(by_secret(state, &id, &secret).or_else(|refused| {
                // RFC 6749 §2.3.1 encodes both halves before they are joined; not everybody does
                by_secret(state, &form_decode(&id), &form_decode(&secret)).map_err(|_| refused)
            }))
        }
        ClientAuth::ClientSecretPost => {
            let secret = exchange.parameter(parameters, "client_secret")?;
            let in_query = get(&request.query, exchange.name("client_secret")).is_some() && request.method != "GET";
            (!in_query).then(|| by_secret(state, named.unwrap_or_default(), secret))
        }
        ClientAuth::ClientSecretQuery => {
            let secret = get(&request.query, exchange.name("client_secret"))?;
            let id = get(&request.query, exchange.name("client_id")).or(named).unwrap_or_default();
            Some(by_secret(state, id, secret))
        }
        ClientAuth::SecretAlone => {
            let secret = exchange.parameter(parameters, "client_secret")?;
            let is_its = |client: &&Client| client.secret.as_deref().is_some_and(|known| same(known, secret));
            Some(state.clients.values().find(is_its).cloned().ok_or_else(|| wrong("the client's secret is wrong")))
        }
        ClientAuth::None => {
            if exchange.parameter(parameters, "client_secret").is_some() && !alone {
                return None;
            }
            let client = known(state, named?);
            Some(client.and_then(|client| match (&client.secret, alone) {
                (Some(_), false) => Err(wrong("the client has a secret and did not prove it")),
                _ => Ok(client),
            }))
        }
        ClientAuth::PrivateKeyJwt => {
            let assertion = get(parameters, "client_assertion")?;
            if get(parameters, "client_assertion_type") != Some(ASSERTION_TYPE) {
                return Some(Err(wrong(format!("client_assertion_type has to be {ASSERTION_TYPE}"))));
            }
            let audiences = audiences(exchange);
            Some(by_signature(exchange, state, assertion, "client_assertion", &audiences, LONGEST, true))
        }
        ClientAuth::SignedSecret => {
            let secret = exchange.parameter(parameters, "client_secret")?;
            Some(by_signed_secret(exchange, state, named.unwrap_or_default(), secret))
        }
        ClientAuth::BearerJwt => {
            let token = request.authorization("Bearer")?;
            Some(by_signature(exchange, state, token, "the JWT", &[], LONGEST_BEARER, false))
        }
    }
}

fn audiences(exchange: &Exchange<'_>) -> Vec<String> {
    if !exchange.provider.assertion_audience.is_empty() {
        return exchange.provider.assertion_audience.clone();
    }
    std::iter::once(exchange.request.url()).chain(exchange.provider.issuer.clone()).collect()
}

fn by_secret(state: &State, id: &str, secret: &str) -> Result<Client, Refused> {
    let client = known(state, id)?;
    match &client.secret {
        Some(known) if same(known, secret) => Ok(client),
        _ => Err(wrong("the client's secret is wrong")),
    }
}

fn by_signature(
    exchange: &Exchange<'_>,
    state: &State,
    token: &str,
    what: &str,
    audiences: &[String],
    longest: i64,
    is_own_subject: bool,
) -> Result<Client, Refused> {
    let claims = jwt::claims(token);
    let claim = |name: &str| claims.as_ref().and_then(|claims| claims.get(name).map(crate::template::plain));
    let issuer = claim("iss").ok_or_else(|| wrong(format!("{what} is not a JWT with iss")))?;
    // where clients have issuers beside their ids, the subject is the client
    let id = claim("sub").filter(|id| state.clients.get(id).is_some_and(|client| client.issuer.is_some()));
    let client = known(state, &id.unwrap_or(issuer))?;
    let issuer = client.issuer.as_ref().unwrap_or(&client.id);
    let subject = is_own_subject.then_some(client.id.as_str());
    let expected = Expected { issuer, subject, audiences, now: exchange.now, longest };
    jwt::check(token, &client.public_keys, &expected).map_err(|words| wrong(format!("{what} {words}")))?;
    Ok(client)
}

/// The secret names its client in `sub`; `iss` is the account that the client belongs to.
fn by_signed_secret(exchange: &Exchange<'_>, state: &State, id: &str, secret: &str) -> Result<Client, Refused> {
    let client = known(state, id)?;
    let issuer = jwt::claims(secret).and_then(|claims| claims["iss"].as_str().map(str::to_owned)).unwrap_or_default();
    let issuer = client.issuer.clone().unwrap_or(issuer);
    let audiences: Vec<String> = exchange.provider.issuer.clone().into_iter().collect();
    let expected = Expected {
        issuer: &issuer,
        subject: Some(id),
        audiences: &audiences,
        now: exchange.now,
        longest: LONGEST_SECRET,
    };
    jwt::check(secret, &client.public_keys, &expected)
        .map_err(|words| wrong(format!("the client's secret {words}")))?;
    Ok(client)
}

fn known(state: &State, id: &str) -> Result<Client, Refused> {
    state.clients.get(id).cloned().ok_or_else(|| wrong("no client is registered under this id"))
}

fn wrong(words: impl Into<String>) -> Refused {
    Refused::new("invalid_client", words)
}

fn halves(encoded: &str) -> Option<(String, String)> {
    let joined = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    joined.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}

/// The two halves of HTTP's Basic.
#[must_use]
pub fn basic(exchange: &Exchange<'_>) -> Option<(String, String)> {
    halves(exchange.request.authorization("Basic")?)
}

fn form_decode(half: &str) -> String {
    percent_encoding::percent_decode_str(&half.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn same(a: &str, b: &str) -> bool {
    let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    hash(a).as_ref() == hash(b).as_ref()
}

/// Public keys in any form that names them.
#[must_use]
pub fn keys_of(published: &Value) -> Vec<Value> {
    match published.get("keys").and_then(Value::as_array) {
        Some(keys) => keys.clone(),
        None if published.is_object() => vec![published.clone()],
        None => Vec::new(),
    }
}
