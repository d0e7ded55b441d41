//! A JWT as the grant (RFC 7523 §2.1): a service account, whose private key the person types.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    client_credentials::Issuer,
    world::{Log, Seen, USER, World},
};

const KEY: &str = include_str!("../../shared/tests/keys/rsa.pkcs8.pem");
const ENCRYPTED: &str = include_str!("../../shared/tests/keys/rsa.encrypted.pem");
const OF_A_CURVE: &str = include_str!("../../shared/tests/keys/p256.pkcs8.pem");

/// The claims of the assertion in a token request.
fn claims(form: &[(String, String)]) -> Value {
    let (_, assertion) = form.iter().find(|(name, _)| name == "assertion").unwrap();
    let payload = assertion.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn issuer() -> Issuer {
    Issuer::start(|seen: &Seen| {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&seen.body).into_owned().collect();
        if claims(&form)["iss"] == "robot@project.example" { Ok(()) } else { Err("invalid_grant") }
    })
    .await
}

fn definition(url: &str) -> Value {
    json!({
        "name": "Robots",
        "inputs": [
            { "name": "client_email", "label": "Service account" },
            { "name": "private_key", "label": "Private key", "secret": true, "multiline": true },
            { "name": "subject", "label": "Acts for", "optional": true },
        ],
        "oauth2": {
            "grant": "jwt_bearer", "token_endpoint": format!("{url}/token"), "token_endpoint_auth_method": "none", "refresh": "remint",
            "scopes": ["https://scopes.example/read", "https://scopes.example/list"],
            "assertion": {
                "algorithm": "RS256", "key": "{private_key}", "expires_in": 3600,
                "claims": { "iss": "{client_email}", "sub": "{subject}", "scope": "{scope}", "aud": format!("{url}/token") },
            },
        },
        "api": { "base_url": format!("{url}/v1") },
        "profile": { "url": format!("{url}/v1/me"), "account_id": "{client_email}" },
    })
}

fn typed(email: &str, key: &str) -> Value {
    json!({ "client_email": email, "private_key": key })
}

#[tokio::test]
async fn a_service_account_acts_for_itself_or_for_somebody() {
    let (world, issuer) = (World::new().await, issuer().await);
    world.custom("robots", &definition(issuer.url()), false).await;
    for subject in ["", "ada@project.example"] {
        let mut typed = typed("robot@project.example", KEY);
        typed["subject"] = json!(subject);
        let connected = world.type_in("robots", &typed).await;
        assert_eq!(connected.status, 201, "{}", connected.text());
        let key = connected.member("connectionId");
        let form = issuer.forms().pop().unwrap();
        let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["grant_type", "assertion"], "no client and no scope beside the assertion");
        assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let mut claims = claims(&form);
        let since = claims["iat"].as_u64().unwrap();
        assert_eq!((since, claims["exp"].as_u64().unwrap()), (world.now() / 1000 - 60, since + 3600));
        for ours in ["iat", "exp", "jti"] {
            claims.as_object_mut().unwrap().remove(ours);
        }
        let mut expected = json!({
            "iss": "robot@project.example", "scope": "https://scopes.example/read https://scopes.example/list",
            "aud": format!("{}/token", issuer.url()),
        });
        if !subject.is_empty() {
            expected["sub"] = json!(subject);
        }
        assert_eq!(claims, expected);

        let given = issuer.given();
        world.turn(Duration::from_hours(1));
        assert_eq!(world.through("robots", "things", &key).await.json()["token"], given + 1);
        issuer.forget();
        assert_eq!(world.through("robots", "things", &key).await.json()["token"], given + 2);
    }
}

#[tokio::test]
async fn a_key_that_is_no_key_is_told_what_is_wrong_with_it() {
    let (world, issuer) = (World::new().await, issuer().await);
    world.custom("robots", &definition(issuer.url()), false).await;
    let table = [
        (
            "canary-hunter2",
            "Private key (private_key): the private key is no PEM: it begins with -----BEGIN PRIVATE KEY-----",
        ),
        (ENCRYPTED, "Private key (private_key): the private key is encrypted; give it without a passphrase"),
        (
            OF_A_CURVE,
            "Private key (private_key): wrong kind of key for RS256: it takes an RSA key, this is a key on the curve P-256",
        ),
    ];
    for (key, why) in table {
        let refused = world.type_in("robots", &typed("robot@project.example", key)).await;
        assert_eq!(refused.refusal(), (422, "invalid_credentials".to_owned()), "{}", refused.text());
        assert_eq!(refused.json()["error_description"], why);
    }
    let refused = world.type_in("robots", &typed("stranger@project.example", KEY)).await;
    assert_eq!(refused.refusal(), (422, "invalid_credentials".to_owned()));
    assert_eq!(issuer.forms().len(), 1, "a key that is none is not tried");

    let session = json!({ "identity": USER, "connectors": ["robots"] });
    let link = world.post("/v1/connect/sessions", &session).await.member("url");
    let browser = world.browser();
    let page = browser.enter(&link).await;
    assert!(page.text().contains("<textarea id=\"input_private_key\""), "{}", page.text());
    let form =
        || page.form("/connect/robots").with("input_client_email", "robot@project.example").with("input_subject", "");
    let again = browser.submit(form().with("input_private_key", ENCRYPTED)).await;
    assert_eq!(again.refusal(), (422, "invalid_credentials".to_owned()));
    let text = again.text();
    assert!(text.contains("id=\"fault_private_key\">This key is protected by a passphrase."), "{text}");
    assert!(!text.contains("BEGIN ENCRYPTED"), "{text}");
    let held = browser.submit(form().with("input_private_key", &KEY.replace('\n', "\r\n"))).await;
    assert_eq!(held.status, 303, "{}", held.text());
}

#[tokio::test]
async fn nothing_of_a_key_is_written_down() {
    let (log, _logging) = Log::start();
    let (world, issuer) = (World::new().await, issuer().await);
    world.custom("robots", &definition(issuer.url()), false).await;
    let key = world.type_in("robots", &typed("robot@project.example", KEY)).await.member("connectionId");
    world.type_in("robots", &typed("robot@project.example", "canary-hunter2")).await;
    world.turn(Duration::from_hours(1));
    assert_eq!(world.through("robots", "things", &key).await.status, 200);
    let secret = KEY.lines().nth(3).unwrap();
    let told = world.dump().await.into_values().chain(log.lines());
    for text in told {
        assert!(!text.contains(secret) && !text.contains("canary-"), "{text}");
    }
}
