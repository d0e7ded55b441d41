//! How a provider of a class is set up, and a person's way to it and back.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use zoo::Client;

use crate::{
    world::{Answer, Attempt, Browser},
    zoo::Stage,
};

const RSA: &str = include_str!("../../../shared/tests/keys/rsa.pkcs8.pem");
const P256: &str = include_str!("../../../shared/tests/keys/p256.pkcs8.pem");

const TEAM: &str = "ZOOTEAM123";
const KEY_ID: &str = "ZOOKEY4567";

/// How a provider of a class is connected.
#[derive(Clone, Copy)]
pub struct Class {
    /// What the zoo calls it.
    pub id: &'static str,
    /// What the operator has in place of a secret.
    secret: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// A call of its API.
    pub call: &'static str,
}

pub const BLUESKY: Class =
    Class { id: "bluesky", secret: "", settings: &[], call: "app.bsky.feed.getTimeline?limit=1" };
pub const APPLE: Class =
    Class { id: "apple", secret: P256, settings: &[("team_id", TEAM), ("key_id", KEY_ID)], call: "auth/keys" };
pub const REVOLUT: Class =
    Class { id: "revolut-business", secret: RSA, settings: &[("issuer_domain", "127.0.0.1")], call: "accounts" };
pub const GITHUB_APP: Class = Class {
    id: "github-app",
    secret: "zoo-secret",
    settings: &[("private_key", RSA)],
    call: "installation/repositories",
};
/// The same where people install the app on the way.
pub const GITHUB_INSTALL: Class =
    Class { settings: &[("entrance", "apps/zoo-app/installations/new"), ("private_key", RSA)], ..GITHUB_APP };
pub const BANK: Class = Class { id: "example-bank", secret: P256, settings: &[], call: "me" };
pub const SHA256: Class = Class { id: "example-oauth1", secret: "zoo-secret", settings: &[], call: "me?a=1&b=x%20y" };
pub const PLAIN: Class = Class { call: "me?c=PLAINTEXT", ..SHA256 };
pub const CLOCK: Class = Class { id: "example-clock", secret: "zoo-secret", settings: &[], call: "me" };

fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(lines).unwrap()
}

/// The public half of a client's key (RFC 7517).
fn public(pem: &str) -> Value {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    if pem == RSA {
        let pair = rsa::KeyPair::from_pkcs8(&der(pem)).unwrap();
        let parts = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
        return json!({ "kty": "RSA", "n": encode(&parts.n), "e": encode(&parts.e) });
    }
    #[expect(clippy::disallowed_methods, reason = "a key of a test is read with it")]
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der(pem), &SystemRandom::new()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
}

/// What the zoo knows of the client.
fn client(class: Class) -> Client {
    let known = Client { id: "zoo-client".to_owned(), ..Client::default() };
    let keyed = |key: Value| Client { public_keys: vec![key], ..known.clone() };
    match class.id {
        "bluesky" => known,
        "apple" => {
            let mut key = public(P256);
            key["kid"] = KEY_ID.into();
            Client { issuer: Some(TEAM.to_owned()), ..keyed(key) }
        }
        "revolut-business" => Client { issuer: Some("127.0.0.1".to_owned()), ..keyed(public(RSA)) },
        "github-app" => Client { secret: Some(class.secret.to_owned()), ..keyed(public(RSA)) },
        "example-bank" => keyed(public(P256)),
        _ => Client { secret: Some(class.secret.to_owned()), ..known },
    }
}

/// The definition as it ships; of a class without a provider, its own.
fn definition(stage: &Stage, class: Class) -> Value {
    if let Some(connector) = stage.world.server.app.catalog.connector(class.id) {
        let mut definition = serde_json::to_value(connector).unwrap();
        definition.as_object_mut().unwrap().remove("id");
        return definition;
    }
    if class.id == BANK.id {
        return json!({
            "name": "Bank",
            "oauth2": {
                "authorization_endpoint": "https://bank.example/authorize",
                "token_endpoint": "https://bank.example/token",
                "pushed_authorization_request_endpoint": "https://bank.example/par",
                "issuer": "https://bank.example",
                "authorization_response_iss_parameter_supported": true,
                "token_endpoint_auth_method": "private_key_jwt",
                "client_assertion": {
                    "algorithm": "ES256", "key": "{client_secret}",
                    "claims": { "iss": "{client_id}", "sub": "{client_id}", "aud": "https://bank.example" },
                },
                "scopes": ["accounts"],
            },
            "api": { "base_url": "https://bank.example" },
            "profile": { "url": "https://bank.example/me", "account_id": "id" },
            "revoke": {
                "url": "https://bank.example/revoke", "params": { "token": "{refresh_token}" }, "effect": "token",
            },
        });
    }
    if class.id == CLOCK.id {
        return json!({
            "name": "Clock",
            "oauth2": {
                "authorization_endpoint": "https://clock.example/authorize",
                "token_endpoint": "https://clock.example/token",
                "token_response": { "expires_in": "expires_at", "expiry": "unix_seconds" },
            },
            "api": { "base_url": "https://clock.example" },
            "profile": { "url": "https://clock.example/me", "account_id": "id" },
        });
    }
    let (host, method) = if class.call == PLAIN.call { ("plain", "PLAINTEXT") } else { ("sha256", "HMAC-SHA256") };
    let url = format!("https://{host}.oauth1.example");
    json!({
        "name": "Signed",
        "oauth1": {
            "temporary_credential_endpoint": format!("{url}/initiate"),
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "signature_method": method,
        },
        "api": { "base_url": url, "credential": { "in": "oauth1" } },
        "profile": { "url": format!("{url}/me"), "account_id": "id" },
    })
}

/// What became of an attempt to connect.
pub struct Went {
    pub browser: Browser,
    pub attempt: Attempt,
    /// Where the browser was sent back to, if it was.
    pub back: Option<String>,
    /// What our callback said.
    pub landed: Option<Answer>,
    /// How the attempt stands.
    pub told: String,
}

impl Stage {
    /// A stage on which the operator has set up this class of provider; what the connector is called there. One that ships is
    /// used as it is, unless something is changed.
    pub async fn of(class: Class, change: Option<Change>) -> (Self, &'static str) {
        let stage = Self::new().await;
        stage.zoo.register_client(class.id, client(class)).unwrap();
        let ships = stage.world.server.app.catalog.connector(class.id).is_some();
        let name = if ships && change.is_none() { class.id } else { "class" };
        if name == "class" {
            let mut definition = definition(&stage, class);
            if let Some(change) = change {
                changed(&mut definition, change);
            }
            stage.world.custom(name, &definition, false).await;
        }
        let settings: serde_json::Map<String, Value> =
            class.settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let mut body = json!({ "client_id": "zoo-client", "settings": settings });
        if !class.secret.is_empty() {
            body["client_secret"] = class.secret.into();
        }
        let path = format!("/v1/admin/projects/{}/environments/test/connectors/{name}", stage.world.project());
        stage.world.root("PUT", &path, Some(&body)).await;
        (stage, name)
    }

    /// As a person with a browser, to the provider and back.
    pub async fn go(&self, name: &str) -> Went {
        let (browser, attempt) = (self.world.browser(), self.world.begin_at(name).await);
        let started = browser.open(&attempt.start_url).await;
        let leaves = started.status == 302 && !started.text().contains("/connect/outcome/");
        let (mut back, mut landed) = (None, None);
        if leaves {
            let there = self.http.get(started.location()).send().await.unwrap();
            let location = there.headers().get("location").map(|location| location.to_str().unwrap().to_owned());
            let page = Answer {
                status: there.status().as_u16(),
                url: there.url().clone(),
                headers: Vec::new(),
                body: there.bytes().await.unwrap(),
            };
            if let Some(location) = location {
                landed = Some(browser.open(&location).await);
                back = Some(location);
            } else if page.text().contains("<form ") {
                // across sites, so without the cookie: we send the browser on to fetch what it brought
                let form = page.form("/callback");
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
                let parked = browser.post(form.action.as_str(), &body).await;
                assert_eq!(parked.status, 303, "{}", parked.text());
                landed = Some(browser.open(&parked.location()).await);
            }
        }
        let (status, error) = self.world.told(&browser, &attempt).await;
        Went { browser, attempt, back, landed, told: format!("{status} {error}") }
    }

    /// The key of a connection that the person has confirmed.
    pub async fn kept(&self, went: &Went) -> String {
        assert_eq!(went.told, "held -", "{:?}", self.refused());
        self.world.confirmed(&went.browser, &went.attempt, went.landed.as_ref().unwrap()).await
    }

    pub async fn api(&self, class: Class, name: &str, key: &str) -> u16 {
        self.world.passthrough("GET", &format!("{name}/{}", class.call), key).send().await.status
    }

    /// What was refused, but for nonces, which are only told so.
    pub fn missed(&self) -> Vec<String> {
        let refusals = self.zoo.refusals();
        let told = refusals.iter().filter(|refusal| refusal.case != "use_dpop_nonce");
        told.map(|refusal| format!("{}: {}", refusal.endpoint, refusal.words)).collect()
    }
}

/// A change of a definition: a value at a place, or none.
pub type Change = (&'static str, Option<&'static str>);

fn changed(definition: &mut Value, (place, value): Change) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = definition.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), serde_json::from_str(value).unwrap()),
        None => parent.remove(name),
    };
}
