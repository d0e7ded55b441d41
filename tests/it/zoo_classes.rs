//! Classes of provider that the connectors of `zoo.rs` are not: requests that are pushed, answers by POST and with an issuer, clients
//! with keys, signed secrets, proofs of possession, signatures of OAuth 1.0a and of AWS, a code on another device.
//!
//! Each definition runs as it ships. Then it lacks something, and the server that plays the provider says in words what that is: so
//! neither of the two merely lets pass what the other does.

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
use zoo::{Client, Fault};

use crate::{
    world::{Answer, Attempt, Browser, USER, query},
    zoo::{DAY, Stage},
};

const RSA: &str = include_str!("../../shared/tests/keys/rsa.pkcs8.pem");
const P256: &str = include_str!("../../shared/tests/keys/p256.pkcs8.pem");

const TEAM: &str = "ZOOTEAM123";
const KEY_ID: &str = "ZOOKEY4567";

/// How a provider of a class is connected.
#[derive(Clone, Copy)]
struct Class {
    /// What the zoo calls it.
    id: &'static str,
    /// What the operator has in place of a secret.
    secret: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// A call of its API.
    call: &'static str,
}

const BLUESKY: Class = Class { id: "bluesky", secret: "", settings: &[], call: "app.bsky.feed.getTimeline?limit=1" };
const APPLE: Class =
    Class { id: "apple", secret: P256, settings: &[("team_id", TEAM), ("key_id", KEY_ID)], call: "auth/keys" };
const REVOLUT: Class =
    Class { id: "revolut-business", secret: RSA, settings: &[("issuer_domain", "127.0.0.1")], call: "accounts" };
const BANK: Class = Class { id: "example-bank", secret: P256, settings: &[], call: "me" };
const SHA256: Class = Class { id: "example-oauth1", secret: "zoo-secret", settings: &[], call: "me?a=1&b=x%20y" };
const PLAIN: Class = Class { call: "me?c=PLAINTEXT", ..SHA256 };

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
struct Went {
    browser: Browser,
    attempt: Attempt,
    /// Where the browser was sent back to, if it was.
    back: Option<String>,
    /// What our callback said.
    landed: Option<Answer>,
    /// How the attempt stands.
    told: String,
}

impl Stage {
    /// A stage on which the operator has set up this class of provider; what the connector is called there. One that ships is
    /// used as it is, unless something is changed.
    async fn of(class: Class, change: Option<Change>) -> (Self, &'static str) {
        let stage = Self::new().await;
        stage.zoo.register_client(class.id, client(class)).unwrap();
        let ships = stage.world.server.app.catalog.connector(class.id).is_some();
        let name = if ships && change.is_none() { class.id } else { "class" };
        if name == "class" {
            let mut definition = definition(&stage, class);
            change.into_iter().for_each(|change| changed(&mut definition, change));
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
    async fn go(&self, name: &str) -> Went {
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
    async fn kept(&self, went: &Went) -> String {
        assert_eq!(went.told, "held -", "{:?}", self.refused());
        self.world.confirmed(&went.browser, &went.attempt, went.landed.as_ref().unwrap()).await
    }

    async fn api(&self, class: Class, name: &str, key: &str) -> u16 {
        self.world.passthrough("GET", &format!("{name}/{}", class.call), key).send().await.status
    }

    /// What was refused, but for nonces, which are only told so.
    fn missed(&self) -> Vec<String> {
        let refusals = self.zoo.refusals();
        let told = refusals.iter().filter(|refusal| refusal.case != "use_dpop_nonce");
        told.map(|refusal| format!("{}: {}", refusal.endpoint, refusal.words)).collect()
    }
}

#[tokio::test]
async fn each_class_is_connected_called_renewed_and_revoked() {
    // Apple's tokens open no API
    for (class, calls, renews, revokes) in [
        (BLUESKY, true, true, true),
        (APPLE, false, false, true),
        (REVOLUT, true, true, false),
        (BANK, true, true, true),
        (SHA256, true, false, false),
        (PLAIN, true, false, false),
    ] {
        let id = class.id;
        let (stage, name) = Stage::of(class, None).await;
        let went = stage.go(name).await;
        let key = stage.kept(&went).await;
        if calls {
            assert_eq!(stage.api(class, name, &key).await, 200, "{id} {:?}", stage.refused());
            let before = stage.zoo.calls(id, "token");
            stage.turn(DAY);
            assert_eq!(stage.api(class, name, &key).await, 200, "{id}, a day later {:?}", stage.refused());
            assert_eq!(stage.zoo.calls(id, "token") > before, renews, "{id}");
        }
        let deleted = stage.world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json();
        let expected = if revokes { "revoked" } else { "not_supported" };
        assert_eq!(deleted["revocation"], expected, "{id} {:?}", stage.refused());
        assert_eq!(stage.missed(), Vec::<String>::new(), "{id}");
    }
}

/// A change of a definition: a value at a place, or none.
type Change = (&'static str, Option<&'static str>);

fn changed(definition: &mut Value, (place, value): Change) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = definition.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), serde_json::from_str(value).unwrap()),
        None => parent.remove(name),
    };
}

#[tokio::test]
async fn what_a_definition_lacks_is_refused() {
    let aud = "/oauth2/client_assertion/claims/aud";
    let iss = "/oauth2/client_assertion/claims/iss";
    let sub = "/oauth2/client_assertion/claims/sub";
    let method = "/oauth2/token_endpoint_auth_method";
    let pushed = "/oauth2/pushed_authorization_request_endpoint";
    let table: &[(Class, Change, &str)] = &[
        (BLUESKY, (pushed, None), "authorize: the request has to be pushed in advance"),
        (BLUESKY, ("/oauth2/dpop", Some("false")), "push: header DPoP has to stand once"),
        (BLUESKY, ("/oauth2/pkce", Some("\"none\"")), "push: parameter code_challenge is missing"),
        (BLUESKY, ("/oauth2/scopes", Some("[\"transition:generic\"]")), "push: parameter scope has to contain atproto"),
        (
            BLUESKY,
            ("/api/credential/value", Some("\"Bearer {access_token}\"")),
            "session: header Authorization has to be DPoP ${access_token}",
        ),
        (APPLE, ("/oauth2/response_mode", None), "authorize: parameter response_mode has to be form_post, was absent"),
        (APPLE, (aud, Some("\"x\"")), "token: the client's secret has to have aud https://appleid.apple.com"),
        (APPLE, (iss, Some("\"x\"")), "token: the client's secret has to have iss ZOOTEAM123"),
        (APPLE, (sub, Some("\"x\"")), "token: the client's secret has to have sub zoo-client"),
        (
            APPLE,
            ("/oauth2/client_assertion/key_id", Some("\"x\"")),
            "token: the client's secret is not signed by a registered key",
        ),
        (APPLE, (method, Some("\"client_secret_post\"")), "token: the client's secret is not a JWT"),
        (REVOLUT, (aud, Some("\"x\"")), "token: client_assertion has to have aud https://revolut.com"),
        (REVOLUT, (iss, Some("\"x\"")), "token: client_assertion has to have iss 127.0.0.1"),
        (REVOLUT, (sub, Some("\"x\"")), "token: no client is registered under this id"),
        (
            REVOLUT,
            (method, Some("\"client_secret_post\"")),
            "token: the client has to authenticate by PrivateKeyJwt, was a secret in the parameters",
        ),
        (BANK, (pushed, None), "authorize: the request has to be pushed in advance"),
        (
            BANK,
            (method, Some("\"client_secret_basic\"")),
            "push: the client has to authenticate by PrivateKeyJwt, was an Authorization header with Basic",
        ),
        (
            BANK,
            (aud, Some("\"https://bank.example/elsewhere\"")),
            "push: client_assertion has to have aud https://bank.example/par or https://bank.example",
        ),
        (BANK, ("/oauth2/scopes", Some("[\"other\"]")), "push: scope other is none of those that are documented"),
        (
            SHA256,
            ("/oauth1/signature_method", Some("\"HMAC-SHA1\"")),
            "sha256_request_token: oauth_signature_method has to be HMAC-SHA256",
        ),
        (
            PLAIN,
            ("/oauth1/signature_method", Some("\"HMAC-SHA256\"")),
            "plain_request_token: oauth_signature_method has to be PLAINTEXT",
        ),
    ];
    for (class, change, words) in table {
        let (stage, name) = Stage::of(*class, Some(*change)).await;
        let went = stage.go(name).await;
        assert_eq!(stage.missed().first().map(String::as_str), Some(*words), "{} {change:?} {}", class.id, went.told);
    }
}

/// RFC 9207 §2.4: whose answer it is, is compared before anything in it is believed.
#[tokio::test]
async fn an_answer_in_another_issuer_s_name_is_not_believed() {
    let table = [Fault::Issuer("https://attacker.example".to_owned()), Fault::Without("iss".to_owned())];
    for class in [BLUESKY, BANK] {
        for fault in &table {
            let (stage, name) = Stage::of(class, None).await;
            stage.zoo.fault(class.id, "authorize", 1, fault.clone()).unwrap();
            let went = stage.go(name).await;
            assert_eq!(went.landed.unwrap().status, 400, "{} {fault:?}", class.id);
            assert_eq!(went.told, "pending -", "{} {fault:?}: the attempt stands as it was", class.id);
            assert_eq!(stage.zoo.calls(class.id, "token"), 0, "{} {fault:?}", class.id);
            // the right answer still counts
            let back = went.back.unwrap();
            let issuer = if class.id == BANK.id { "https://bank.example" } else { "https://bsky.social" };
            let mut right = url::Url::parse(&back).unwrap();
            let kept: Vec<_> = right.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
            right.query_pairs_mut().clear().extend_pairs(kept).append_pair("iss", issuer);
            let landed = went.browser.open(right.as_str()).await;
            stage.world.confirmed(&went.browser, &went.attempt, &landed).await;
        }
    }
}

/// RFC 9449 §8: a server hands out nonces, and changes them when it likes.
#[tokio::test]
async fn nonces_are_learnt_and_learnt_again() {
    let (stage, name) = Stage::of(BLUESKY, None).await;
    let went = stage.go(name).await;
    let key = stage.kept(&went).await;
    let demanded = || stage.zoo.refusals().iter().filter(|refusal| refusal.case == "use_dpop_nonce").count();
    assert_eq!(demanded(), 1, "the first request alone knows none");
    for minutes in [1, 4, 4] {
        stage.turn(minutes * 60);
        assert_eq!(stage.api(BLUESKY, name, &key).await, 200);
    }
    assert_eq!(demanded(), 3, "after three minutes the old one is not taken any more");
    // our clock and the server's need not be one
    for seconds in [50, -50] {
        stage.turn(DAY);
        stage.zoo.fault(BLUESKY.id, "token", 2, Fault::ClockAhead(seconds)).unwrap();
        assert_eq!(stage.api(BLUESKY, name, &key).await, 200, "{seconds} {:?}", stage.missed());
    }
    assert_eq!(stage.missed(), Vec::<String>::new());
}

/// A client's assertion and a signed secret say when they were made: a provider's clock need not agree to the second.
#[tokio::test]
async fn an_assertion_bears_a_clock_that_is_wrong() {
    for class in [APPLE, REVOLUT, BANK] {
        for seconds in [100, -50] {
            let (stage, name) = Stage::of(class, None).await;
            stage.zoo.fault(class.id, "token", 1, Fault::ClockAhead(seconds)).unwrap();
            if class.id == BANK.id {
                stage.zoo.fault(class.id, "push", 1, Fault::ClockAhead(seconds)).unwrap();
                stage.zoo.fault(class.id, "authorize", 1, Fault::ClockAhead(seconds)).unwrap();
            }
            let went = stage.go(name).await;
            assert_eq!(went.told, "held -", "{} {seconds} {:?}", class.id, stage.missed());
        }
    }
}

/// A pushed request's reference works for a minute or so: the browser that comes again pushes again.
#[tokio::test]
async fn a_reference_that_has_expired_is_pushed_again() {
    let (stage, name) = Stage::of(BANK, None).await;
    let (browser, attempt) = (stage.world.browser(), stage.world.begin_at(name).await);
    let first = browser.open(&attempt.start_url).await.location();
    stage.turn(61);
    let late = stage.http.get(&first).send().await.unwrap();
    assert_eq!(late.status(), 400);
    assert_eq!(stage.missed(), ["authorize: request_uri is unknown, has expired or was used"]);
    let second = browser.open(&attempt.start_url).await.location();
    assert_ne!(query(&first, "request_uri"), query(&second, "request_uri"));
    assert_eq!(stage.http.get(&second).send().await.unwrap().status(), 302);
}

/// Keys of AWS, each as a person types it.
#[tokio::test]
async fn calls_of_aws_are_signed_for_service_and_region() {
    let stage = Stage::new().await;
    let lasting = json!({ "access_key_id": "AKIAZOOZOOZOOZOOZOO2", "secret_access_key": "zoo/secret+access/key" });
    let temporary = json!({
        "access_key_id": "ASIAZOOZOOZOOZOOZOO2", "secret_access_key": "zoo/temporary+key", "sts_token": "zoo-session//token==",
    });
    let wrong = json!({ "access_key_id": "AKIAZOOZOOZOOZOOZOO2", "secret_access_key": "another" });
    let ended = json!({ "access_key_id": "ASIAZOOZOOZOOZOOZOO2", "secret_access_key": "zoo/temporary+key" });
    let table: [(Value, u16, &[&str]); 4] = [
        (lasting, 200, &[]),
        (temporary, 200, &[]),
        (wrong, 403, &["call: the signature is not that of the request by this key"]),
        (ended, 403, &["call: X-Amz-Security-Token is not that of the key"]),
    ];
    let connect = async |credentials: &Value, service: &str, region: &str| {
        let mut credentials = credentials.clone();
        (credentials["service"], credentials["region"]) = (service.into(), region.into());
        let body = json!({ "credentialType": "apiKey", "credentials": credentials, "userId": USER });
        stage.world.post("/connectors/aws/credentials", &body).await.member("connectionId")
    };
    stage.world.root("PUT", "/v1/admin/connectors/aws", Some(&json!({}))).await;
    for (credentials, status, words) in &table {
        for (service, region) in [("sts", "eu-central-1"), ("dynamodb", "us-gov-west-1")] {
            let key = connect(credentials, service, region).await;
            let calls = [
                stage.world.passthrough(
                    "GET",
                    "aws/a%20b/c+d?Action=GetCallerIdentity&Version=2011-06-15&x=%C3%A9%2F&empty",
                    &key,
                ),
                stage
                    .world
                    .passthrough("POST", "aws/x", &key)
                    .header("x-amz-target", "DynamoDB_20120810.ListTables")
                    .json(&json!({})),
                stage
                    .world
                    .passthrough("PUT", "aws/x/y", &key)
                    .body("application/octet-stream", vec![0_u8, 255, 13, 10]),
            ];
            for call in calls {
                let answer = call.send().await;
                assert_eq!(answer.status, *status, "{service} {} {:?}", answer.text(), stage.refused());
                if *status == 200 {
                    assert_eq!(
                        (answer.json()["service"].as_str(), answer.json()["region"].as_str()),
                        (Some(service), Some(region))
                    );
                }
            }
        }
        let mut missed = stage.refused();
        missed.dedup();
        assert_eq!(missed, *words);
        stage.zoo.clear_refusals();
    }
    // a clock that is wrong by some minutes does no harm
    let key = connect(&table[0].0, "sts", "eu-central-1").await;
    for seconds in [800, -800] {
        stage.zoo.fault("aws", "call", 1, Fault::ClockAhead(seconds)).unwrap();
        assert_eq!(stage.world.passthrough("GET", "aws/x", &key).send().await.status, 200, "{:?}", stage.refused());
    }
    stage.zoo.fault("aws", "call", 1, Fault::ClockAhead(1000)).unwrap();
    assert_eq!(stage.world.passthrough("GET", "aws/x", &key).send().await.status, 403);
    assert_eq!(stage.refused(), ["call: the signature is too far from the provider's time"]);
}

/// GitHub's device flow (RFC 8628), through the routes of ours.
#[tokio::test]
async fn a_code_that_is_typed_at_github_becomes_a_connection() {
    let stage = Stage::new().await;
    let Stage { world, zoo, .. } = &stage;
    let client = json!({ "client_id": "zoo-client", "client_secret": "zoo-secret" });
    world.root("PUT", "/v1/admin/connectors/github", Some(&client)).await;
    world.vouch().await;
    let begin = async || world.post("/v1/connect/device", &json!({ "connector": "github", "userId": USER })).await;
    let collect =
        async |attempt: &str| world.post(&format!("/v1/connect/device/{attempt}"), &json!({ "userId": USER })).await;
    let begun = begin().await;
    assert_eq!((begun.status, begun.member("verification_uri").as_str()), (201, "https://github.com/login/device"));
    assert_eq!(begun.json()["interval"], 5);
    let attempt = begun.member("attempt");
    stage.turn(5);
    assert_eq!(collect(&attempt).await.refusal(), (400, "authorization_pending".to_owned()));
    stage.turn(5);
    let key = collect(&attempt).await.member("connectionId");
    let user = world.passthrough("GET", "github/user", &key).send().await.json();
    assert_eq!((user["login"].as_str(), zoo.calls("github", "token")), (Some("alice"), 2));
    assert_eq!(stage.refused(), ["token: the person has not consented yet"]);

    // a provider that is down in between costs a wait; one that is slow to forgive says so
    let attempt = begin().await.member("attempt");
    stage.turn(5);
    zoo.fault("github", "token", 1, Fault::HtmlPage(502)).unwrap();
    assert_eq!(collect(&attempt).await.refusal(), (400, "slow_down".to_owned()));
    stage.turn(20);
    zoo.fault("github", "token", 1, Fault::LostReply).unwrap();
    let lost = collect(&attempt).await.refusal();
    assert_eq!(lost, (400, "slow_down".to_owned()), "{lost:?}");
    let late = begin().await.member("attempt");
    stage.turn(901);
    assert_eq!(collect(&late).await.refusal(), (400, "expired_token".to_owned()));
    assert_eq!(world.connections().await.len(), 1);
}
