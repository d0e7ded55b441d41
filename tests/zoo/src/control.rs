//! `/_zoo/…` of the plain listener: what a test in another language needs of the library.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    client_auth::keys_of,
    engine::{Engine, Reply},
    fault::{Fault, Planned},
    request::Request,
    state::Client,
};

/// How many faults and keys are kept at once.
const PLANNED: usize = 1000;

/// Answers a control call; none, if it is not one.
#[must_use]
pub fn answer(engine: &Engine, request: &Request) -> Option<Reply> {
    let what = request.path.strip_prefix("/_zoo/")?;
    let done = match (request.method.as_str(), what) {
        ("GET", "providers") => Ok(providers(engine)),
        ("GET", "log") => Ok(json!(engine.refusals())),
        ("DELETE", "log") => {
            engine.clear_refusals();
            Ok(json!({}))
        }
        ("GET", "calls") => Ok(calls(engine)),
        ("POST", "faults") => read(request)
            .and_then(|asked: AskedFault| fault(engine, &asked.provider, &asked.endpoint, asked.calls, asked.fault)),
        ("DELETE", "faults") => {
            for provider in &engine.providers {
                if let Some((_, mut state)) = provider.ids.first().and_then(|id| engine.state(id)) {
                    state.planned.clear();
                }
            }
            Ok(json!({}))
        }
        ("POST", "clients") => read(request).and_then(|asked: AskedClient| {
            let client = Client {
                id: asked.client_id,
                secret: asked.client_secret,
                public_keys: keys_of(&asked.public_key),
                redirect_uris: asked.redirect_uris,
                settings: asked.settings,
                issuer: asked.issuer,
            };
            register_client(engine, &asked.provider, client)
        }),
        ("POST", "keys") => read(request).and_then(|asked: AskedKey| register_key(engine, &asked.provider, asked.key)),
        ("POST", "account") => {
            read(request).and_then(|asked: AskedAccount| consent_as(engine, &asked.provider, &asked.account))
        }
        ("POST", "withdrawal") => read(request).and_then(|asked: AskedProvider| withdraw(engine, &asked.provider)),
        ("POST", "clock") => read(request).map(|asked: AskedClock| {
            engine.clock.advance(asked.advance);
            json!({ "now": engine.clock.now() })
        }),
        _ => Err("there is no such control".to_owned()),
    };
    Some(match done {
        Ok(body) => Reply::new(200, "application/json", body.to_string()),
        Err(words) => Reply::new(400, "application/json", json!({ "error": words }).to_string()),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedFault {
    provider: String,
    endpoint: String,
    #[serde(default = "one")]
    calls: u32,
    fault: Fault,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedClient {
    provider: String,
    client_id: String,
    client_secret: Option<String>,
    #[serde(default)]
    public_key: Value,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    settings: Vec<String>,
    issuer: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedKey {
    provider: String,
    key: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedAccount {
    provider: String,
    account: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedProvider {
    provider: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedClock {
    advance: i64,
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, String> {
    serde_json::from_slice(&request.body).map_err(|error| error.to_string())
}

fn providers(engine: &Engine) -> Value {
    engine
        .providers
        .iter()
        .map(|provider| {
            let hosts: Vec<&str> = provider.hosts.iter().map(crate::pattern::Pattern::as_str).collect();
            let endpoints: Vec<&str> = provider.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
            json!({ "ids": provider.ids, "name": provider.name, "hosts": hosts, "endpoints": endpoints })
        })
        .collect()
}

fn calls(engine: &Engine) -> Value {
    let ids = engine.providers.iter().filter_map(|provider| provider.ids.first());
    ids.filter_map(|id| engine.state(id).map(|(_, state)| (id.clone(), json!(state.calls)))).collect()
}

/// Plans a fault.
pub fn fault(engine: &Engine, id: &str, endpoint: &str, calls: u32, fault: Fault) -> Result<Value, String> {
    let (provider, mut state) = engine.state(id).ok_or_else(|| unknown(id))?;
    if !provider.endpoints.iter().any(|known| known.name == endpoint) {
        return Err(format!("{id} has no endpoint {endpoint}"));
    }
    if state.planned.len() >= PLANNED {
        return Err("too many faults are planned".to_owned());
    }
    if calls > 0 {
        state.planned.push(Planned { endpoint: endpoint.to_owned(), calls, fault });
    }
    Ok(json!({}))
}

/// Registers a client, or replaces what was registered under its id.
pub fn register_client(engine: &Engine, id: &str, client: Client) -> Result<Value, String> {
    let (_, mut state) = engine.state(id).ok_or_else(|| unknown(id))?;
    if state.clients.len() >= PLANNED && !state.clients.contains_key(&client.id) {
        return Err("too many clients are registered".to_owned());
    }
    state.clients.insert(client.id.clone(), client);
    Ok(json!({}))
}

/// Registers a key.
pub fn register_key(engine: &Engine, id: &str, key: BTreeMap<String, String>) -> Result<Value, String> {
    let (_, mut state) = engine.state(id).ok_or_else(|| unknown(id))?;
    if state.keys.len() >= PLANNED {
        return Err("too many keys are registered".to_owned());
    }
    state.keys.push(key);
    Ok(json!({}))
}

/// Says who consents from now on.
pub fn consent_as(engine: &Engine, id: &str, account: &str) -> Result<Value, String> {
    let (provider, mut state) = engine.state(id).ok_or_else(|| unknown(id))?;
    if !provider.accounts.contains_key(account) {
        return Err(format!("{id} has no account {account}"));
    }
    account.clone_into(&mut state.account);
    Ok(json!({}))
}

/// Ends every grant.
pub fn withdraw(engine: &Engine, id: &str) -> Result<Value, String> {
    let (_, mut state) = engine.state(id).ok_or_else(|| unknown(id))?;
    state.grants.values_mut().for_each(|granted| granted.ended = true);
    Ok(json!({}))
}

/// What is said of an id that no file has.
#[must_use]
pub fn unknown(id: &str) -> String {
    format!("there is no provider {id}")
}
