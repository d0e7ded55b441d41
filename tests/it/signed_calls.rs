//! Calls whose credential is a signature over what is sent. OAuth 1.0a has its own file.

use axum::{http::StatusCode, response::IntoResponse};
use ring::{digest, hmac};
use serde_json::{Value, json};

use crate::world::{Fake, Log, Raw, Seen, USER, World, query};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+canary";

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes))
}

fn hmac256(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// Whether a request is signed as AWS documents: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
fn is_signed(seen: &Seen) -> bool {
    let Some(authorization) = seen.header("authorization") else { return false };
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(&format!("{name}=")).unwrap();
        rest.split(',').next().unwrap().trim().to_owned()
    };
    let (credential, names, signature) = (part("Credential"), part("SignedHeaders"), part("Signature"));
    let (_, scope) = credential.split_once('/').unwrap();
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let mut query: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let headers = names.split(';').map(|name| format!("{name}:{}\n", seen.header(name).unwrap().trim()));
    let headers = headers.collect::<Vec<_>>().concat();
    let canonical = format!("{}\n{path}\n{}\n{headers}\n{names}\n{}", seen.method, query.join("&"), sha256(&seen.body));
    let text =
        format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", seen.header("x-amz-date").unwrap(), sha256(canonical.as_bytes()));
    let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| hmac256(&key, part));
    authorization.starts_with("AWS4-HMAC-SHA256 ") && hex(hmac256(&key, &text)) == signature
}

fn cloud(url: &str) -> Value {
    json!({
        "name": "Cloud",
        "inputs": [
            { "name": "key_id", "label": "Access key ID", "pattern": "AKIA[A-Z]+" },
            { "name": "secret_key", "label": "Secret access key", "secret": true },
            { "name": "session", "label": "Session token", "secret": true, "optional": true },
        ],
        "api": {
            "base_url": format!("{url}/v1"),
            "credential": {
                "in": "aws_sigv4", "service": "execute-api", "region": "eu-central-1", "access_key_id": "{key_id}",
                "secret_access_key": "{secret_key}", "session_token": "{session}",
            },
        },
        "profile": { "url": format!("{url}/v1/who"), "account_id": "id" },
    })
}

async fn signed_provider() -> Fake {
    Fake::start(|seen: &Seen| {
        if is_signed(seen) {
            axum::Json(json!({ "id": "7", "token": seen.header("x-amz-security-token") })).into_response()
        } else {
            (StatusCode::FORBIDDEN, axum::Json(json!({ "error": "SignatureDoesNotMatch" }))).into_response()
        }
    })
    .await
}

async fn connect(world: &World, credentials: &Value) -> crate::world::Answer {
    let body =
        json!({ "connectorId": "cloud", "credentialType": "apiKey", "userId": USER, "credentials": credentials });
    world.post("/connectors/cloud/credentials", &body).await
}

#[tokio::test]
async fn calls_are_signed_by_aws_signature_version_4() {
    let (log, _logging) = Log::start();
    let (world, provider) = (World::new().await, signed_provider().await);
    world.custom("cloud", &cloud(&provider.url), false).await;
    // the profile is signed too: it proves that the key works
    let refused = connect(&world, &json!({ "key_id": "AKIAX", "secret_key": "wrong" })).await;
    assert_eq!(refused.json()["code"], "INVALID_CREDENTIALS", "{}", refused.text());
    let key = connect(&world, &json!({ "key_id": "AKIAX", "secret_key": SECRET })).await.member("connectionId");
    let temporary = json!({ "key_id": "AKIAX", "secret_key": SECRET, "session": "canary-session" });
    let temporary = connect(&world, &temporary).await.member("connectionId");

    let calls = [
        (world.passthrough("GET", "cloud/items?b=2&a=1", &key), Value::Null),
        (world.passthrough("POST", "cloud/items", &key).json(&json!({ "a": 1 })), Value::Null),
        (world.passthrough("PUT", "cloud/file", &key).body("application/octet-stream", vec![0_u8, 255]), Value::Null),
        (world.passthrough("GET", "cloud/items", &temporary), json!("canary-session")),
        // the caller has no word in it
        (world.passthrough("GET", "cloud/items", &key).header("x-amz-security-token", "mine"), Value::Null),
    ];
    for (call, token) in calls {
        let answer = call.send().await;
        assert_eq!((answer.status, &answer.json()["token"]), (200, &token), "{}", answer.text());
    }
    assert!(log.lines().iter().all(|line| !line.contains("canary")));
}

#[tokio::test]
async fn what_can_not_be_signed_is_said_plainly() {
    let (world, provider) = (World::new().await, signed_provider().await);
    world.custom("cloud", &cloud(&provider.url), false).await;
    let key = connect(&world, &json!({ "key_id": "AKIAX", "secret_key": SECRET })).await.member("connectionId");
    let before = provider.seen().len();
    let bearer = format!("Bearer {}", world.key());
    let headers = [("authorization", bearer.as_str()), ("x-one-connection-key", &key), ("x-note", "é")];
    let raw = Raw { method: "GET", target: "/v1/passthrough/cloud/x", headers: &headers, body: b"" };
    let refused = world.send_raw(raw).await;
    assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()));
    assert!(refused.text().contains("other than visible ASCII"), "{}", refused.text());
    assert_eq!(provider.seen().len(), before);
}

fn shop(url: &str, recipe: &str) -> Value {
    json!({
        "name": "Shop",
        "oauth2": {
            "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
            "token_endpoint_auth_method": "client_secret_post", "refresh": "none",
        },
        "api": {
            "base_url": format!("{url}/v1"),
            "query": { "app_key": "{client_id}" },
            "credential": {
                "in": "signed_parameters", "token_parameter": "access_token", "parameter": "sign", "recipe": recipe,
                "secret": "{client_secret}", "timestamp_parameter": "timestamp",
            },
        },
        "profile": { "url": format!("{url}/v1/me"), "account_id": "id" },
    })
}

/// The parameters that are signed, decoded and sorted.
fn sorted(seen: &Seen) -> Vec<(String, String)> {
    let url = url::Url::parse(&format!("http://x.example{}", seen.target)).unwrap();
    let mut pairs: Vec<_> =
        url.query_pairs().into_owned().filter(|(name, _)| !["sign", "access_token"].contains(&name.as_str())).collect();
    pairs.sort();
    pairs
}

#[tokio::test]
async fn calls_are_signed_over_their_parameters() {
    for recipe in ["hmac_sha256_path_body", "md5_token_secret"] {
        let provider = Fake::start(move |seen: &Seen| {
            if seen.target == "/token" {
                return axum::Json(json!({ "access_token": "canary-token" })).into_response();
            }
            let pairs = sorted(seen).iter().map(|(name, value)| format!("{name}{value}")).collect::<Vec<_>>().concat();
            let path = seen.target.split('?').next().unwrap();
            let text = [SECRET.as_bytes(), path.as_bytes(), pairs.as_bytes(), &seen.body, SECRET.as_bytes()].concat();
            let expected = hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), &text));
            let target = format!("http://x.example{}", seen.target);
            let said = query(&target, "sign").unwrap_or_default();
            let right = if recipe == "md5_token_secret" { said.len() == 32 } else { said == expected };
            let token = query(&target, "access_token").unwrap_or_default();
            let known = sorted(seen).contains(&("app_key".to_owned(), "id".to_owned()));
            let timed = sorted(seen).iter().any(|(name, value)| name == "timestamp" && value.parse::<u64>().is_ok());
            if right && known && timed && token == "canary-token" {
                axum::Json(json!({ "id": "7" })).into_response()
            } else {
                (StatusCode::FORBIDDEN, axum::Json(json!({ "error": "bad sign" }))).into_response()
            }
        })
        .await;
        let world = World::new().await;
        world.custom_with_client("shop", &shop(&provider.url, recipe), "id", SECRET).await;
        let (browser, attempt) = (world.browser(), world.begin_at("shop").await);
        browser.open(&attempt.start_url).await;
        let landed = browser.open(&format!("{}?code=c&state={}", world.callback_of("shop"), attempt.state)).await;
        let key = world.confirmed(&browser, &attempt, &landed).await;
        assert_eq!(world.connections().await[0]["name"], "7", "the profile was signed");
        let calls = [
            world.passthrough("GET", "shop/orders?b=2&a=x%20y&sign=mine&access_token=mine&timestamp=1", &key),
            world.passthrough("POST", "shop/orders", &key).json(&json!({ "a": 1 })),
        ];
        for call in calls {
            let answer = call.send().await;
            assert_eq!(answer.status, 200, "{recipe} {}", answer.text());
        }
    }
}
