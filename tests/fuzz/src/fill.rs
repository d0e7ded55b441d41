//! What fills a connector's placeholders, taken in as the flow takes it in, and the requests that come of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use shared::{
    clock::{Random, Timestamp},
    protocol::{
        account::{self, lookup_request, profile_request},
        authorization::AuthorizationRequest,
        connector::{Connector, Input},
        revocation,
        template::{self, Values},
        token::TokenRequest,
    },
    secret::{ClientSecret, CodeVerifier, RefreshToken},
    secrets::ProviderClient,
};
use url::Url;

/// What every secret of ours has in it, and nothing that anybody says.
pub const CANARY: &str = "canary0";

/// The secrets that a connection may have, by placeholder.
const SECRETS: [(&str, &str); 5] = [
    ("access_token", "canary0-access"),
    ("refresh_token", "canary0-refresh"),
    ("session_token", "canary0-session"),
    ("assertion", "canary0-assertion"),
    ("client_secret", "canary0-client"),
];

/// What is said where the case says nothing that is taken: something for most patterns.
const FALLBACK: [&str; 10] = [
    "acme",
    "1",
    "us",
    "123456789",
    "https://eu.vendor.com",
    "login.vendor.com",
    "a@b.example",
    "abcdef0123456789abcdef0123456789",
    "b2c3d4e5-0000-4000-8000-000000000000",
    "AB12",
];

/// The moment at which everything happens: in November 2026.
pub const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

/// What the case says, as far as it is taken in, then something else that is. `None` where an input takes none of it.
///
/// # Panics
/// If inputs are taken one by one and refused together.
#[must_use]
pub fn values(connector: &Connector, given: &BTreeMap<String, String>) -> Option<Values> {
    let mut values = Values::default();
    for declared in [&connector.settings, &connector.inputs] {
        let taken: BTreeMap<String, String> =
            declared.iter().map(|input| input_value(connector, input, given)).collect::<Option<_>>()?;
        let judged = template::inputs(connector, declared, &taken);
        assert!(judged.is_ok(), "taken one by one, and refused together: {judged:?}");
        values.extend(judged.unwrap_or_default());
    }
    for name in learnt(connector) {
        if let Some(kept) = candidates(&name, given).find_map(|value| template::believe(connector, &name, value).ok()) {
            values.insert(name.clone(), kept);
        }
    }
    for (name, secret) in SECRETS {
        // where the client is the person's own, it was typed
        if values.get(name).is_none() {
            values.insert(name, secret);
        }
    }
    for name in ["client_id", "app_name", "scope", "state", "random"] {
        if values.get(name).is_none() {
            values.insert(name, "known");
        }
    }
    Some(values)
}

fn input_value(connector: &Connector, input: &Input, given: &BTreeMap<String, String>) -> Option<(String, String)> {
    let offered = input.values.iter().map(AsRef::as_ref);
    let mut candidates = candidates(&input.name, given).chain(offered).chain([""]);
    let taken = |value: &&str| {
        let one = BTreeMap::from([(input.name.to_string(), (*value).to_owned())]);
        template::judge_in(connector, input, &one).is_ok()
    };
    let value = candidates.find(taken)?;
    Some((input.name.to_string(), value.to_owned()))
}

fn candidates<'a>(name: &str, given: &'a BTreeMap<String, String>) -> impl Iterator<Item = &'a str> {
    given.get(name).map(String::as_str).into_iter().chain(FALLBACK)
}

/// The placeholders that answers fill.
fn learnt(connector: &Connector) -> Vec<String> {
    let captured = connector.captures.names().map(str::to_owned);
    let looked_up = connector.lookups.iter().flat_map(|lookup| {
        std::iter::once(lookup.name.to_string()).chain(lookup.also.iter().map(|(name, _)| name.to_owned()))
    });
    captured.chain(looked_up).collect()
}

/// Every request that is made for a connection of this connector, as far as it can be made.
#[must_use]
pub fn requests(connector: &Connector, values: &Values) -> Vec<http::Request<Bytes>> {
    let random = Random::system();
    let client = ProviderClient {
        client_id: "known".to_owned(),
        client_secret: Some(ClientSecret::from(format!("{CANARY}-client"))),
        secrets: BTreeMap::new(),
    };
    let mut requests = Vec::new();
    if let Some(oauth2) = &connector.oauth2 {
        let asking = TokenRequest { oauth2, client: &client, values, now: NOW, random: &random };
        let scopes = ["read".to_owned()];
        requests.extend(asking.client_credentials(&scopes));
        requests.extend(asking.jwt_bearer(&scopes));
        requests.extend(asking.device_code("known"));
        requests.extend(asking.refresh(&RefreshToken::from(format!("{CANARY}-refresh"))));
        requests.extend(asking.renew());
        requests.extend(asking.exchange());
    }
    if let Some((profile, url)) = connector.profile.as_ref().and_then(|profile| Some((profile, profile.url.as_ref()?)))
    {
        requests.extend(profile_request(connector, profile, url, values));
    }
    requests.extend(connector.lookups.iter().filter_map(|lookup| lookup_request(connector, lookup, values).ok()));
    if let Some(revoke) = &connector.revoke {
        requests.extend(revocation::request(connector, revoke, Some(&client), values, NOW, &random));
    }
    requests.extend(api_call(connector, values));
    requests
}

/// What passthrough sends.
fn api_call(connector: &Connector, values: &Values) -> Option<http::Request<Bytes>> {
    let mut url = template::base_url(connector, values).ok()?;
    let mut request = http::Request::new(Bytes::new());
    account::authorize(connector, values, &mut url, request.headers_mut()).ok()?;
    *request.uri_mut() = url.as_str().parse().ok()?;
    Some(request)
}

/// Where the browser is sent, but for the `state`.
#[must_use]
pub fn authorization_url(connector: &Connector, values: &Values) -> Option<Url> {
    let verifier = CodeVerifier::from("known".to_owned());
    let request = AuthorizationRequest {
        client_id: "known",
        redirect_uri: "https://mooring.example/callback",
        scopes: &["read".to_owned()],
        second_scopes: &[],
        extra: &BTreeMap::new(),
        verifier: &verifier,
        random: "known",
    };
    request.url(connector.oauth2.as_ref()?, values).ok()
}
