//! The device authorization endpoint (RFC 8628 §3.1).

use serde_json::json;

use crate::{
    authorize::split,
    client_auth::authenticate,
    data::{Body, Device},
    engine::{Done, Exchange},
    random,
    refusal::Refused,
    state::{State, Waiting},
};

/// Starts a device's authorization.
pub fn start(exchange: &Exchange<'_>, state: &mut State, data: &Device) -> Result<Done, Refused> {
    let (parameters, _) = exchange.gate(&[Body::Form])?;
    let client = authenticate(exchange, state, &parameters)?;
    let client_id = match client {
        Some(client) => client.id,
        None => exchange.required(&parameters, "client_id")?.to_owned(),
    };
    if !state.clients.contains_key(&client_id) {
        return Err(Refused::new("invalid_client", "no client is registered under this id"));
    }
    let device_code = random::text();
    let user_code = random::text().to_ascii_uppercase()[..8].to_owned();
    let waiting = Waiting {
        client_id,
        scopes: split(exchange.parameter(&parameters, "scope").unwrap_or_default(), exchange.separator()),
        expires_at: exchange.now + data.ttl,
        pending: data.pending_polls,
        polled_at: exchange.now,
        interval: data.interval,
        spent: false,
    };
    state.devices.put(device_code.clone(), waiting);
    let more = json!({
        "device_code": device_code,
        "user_code": user_code,
        "interval": data.interval,
        "expires_in": data.ttl,
    });
    Ok(Done::Say(data.answer.clone(), exchange.variables(&parameters, more)))
}
