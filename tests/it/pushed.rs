//! Pushed authorization requests (RFC 9126).

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use axum::{http::StatusCode, response::IntoResponse};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::world::{Fake, Log, Seen, World, query};

const KEY: &str = "canary-shared-secret-of-some-length";

/// A provider whose next answers to a push have this status.
async fn provider(status: Arc<AtomicU16>) -> Fake {
    Fake::start(move |seen: &Seen| match seen.target.as_str() {
        "/par" => {
            let status = StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap();
            let body = json!({ "request_uri": "urn:ietf:params:oauth:request_uri:r1", "expires_in": 60, "error": "invalid_request" });
            (status, axum::Json(body)).into_response()
        }
        "/token" => axum::Json(json!({ "access_token": "canary-token" })).into_response(),
        _ => axum::Json(json!({ "id": "7" })).into_response(),
    })
    .await
}

fn definition(url: &str) -> Value {
    json!({
        "name": "Bank",
        "oauth2": {
            "authorization_endpoint": format!("{url}/authorize?tenant=1"),
            "token_endpoint": format!("{url}/token"),
            "pushed_authorization_request_endpoint": format!("{url}/par"),
            "token_endpoint_auth_method": "private_key_jwt",
            "client_assertion": {
                "algorithm": "HS256", "key": "{client_secret}",
                "claims": { "iss": "{client_id}", "sub": "{client_id}", "aud": format!("{url}/token") },
            },
            "scopes": ["accounts"],
            "resource": "https://api.bank.example",
            "refresh": "none",
        },
        "api": { "base_url": format!("{url}/v1") },
        "profile": { "url": format!("{url}/me"), "account_id": "id" },
    })
}

fn form(seen: &Seen) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&seen.body).into_owned().collect()
}

fn one<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    let values: Vec<&str> = form.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect();
    let [value] = values.as_slice() else { panic!("{name}: {values:?}") };
    value
}

/// The claims of a JWT whose signature was checked.
fn claims(jwt: &str) -> Value {
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY.as_bytes());
    ring::hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn the_browser_carries_a_reference_alone() {
    let (log, _logging) = Log::start();
    let (world, provider) = (World::new().await, provider(Arc::new(AtomicU16::new(201))).await);
    world.custom_with_client("bank", &definition(&provider.url), "id-1", KEY).await;
    let (browser, attempt) = (world.browser(), world.begin_at("bank").await);
    assert!(provider.seen().is_empty(), "a reference lives a minute: nothing is pushed before the browser is there");
    let started = browser.open(&attempt.start_url).await;
    let expected = format!(
        "{}/authorize?tenant=1&client_id=id-1&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ar1",
        provider.url
    );
    assert_eq!((started.status, started.location()), (302, expected.clone()));

    let pushed = form(&provider.seen()[0]);
    let said = ["response_type", "client_id", "scope", "state", "redirect_uri", "code_challenge_method", "resource"]
        .map(|name| one(&pushed, name));
    let callback = world.callback_of("bank");
    let resource = "https://api.bank.example";
    assert_eq!(said, ["code", "id-1", "accounts", &attempt.state, &callback, "S256", resource]);
    let assertion = claims(one(&pushed, "client_assertion"));
    assert_eq!((&assertion["iss"], &assertion["sub"]), (&json!("id-1"), &json!("id-1")));

    // the same browser may start again, and pushes again; to another the link is used, and nothing is pushed for it
    assert_eq!(browser.open(&attempt.start_url).await.location(), expected);
    assert_eq!(world.browser().open(&attempt.start_url).await.refusal(), (409, "already_used".to_owned()));
    assert_eq!(provider.seen().len(), 2);
    assert_ne!(claims(one(&form(&provider.seen()[1]), "client_assertion"))["jti"], assertion["jti"]);

    let landed = browser.open(&format!("{callback}?code=canary-code&state={}", attempt.state)).await;
    world.confirmed(&browser, &attempt, &landed).await;
    let token = provider.seen().into_iter().find(|seen| seen.target == "/token").unwrap();
    assert_eq!(claims(one(&form(&token), "client_assertion"))["iss"], "id-1");
    assert!(log.lines().iter().all(|line| !line.contains("canary") && !line.contains(one(&pushed, "code_challenge"))));
}

#[tokio::test]
async fn a_provider_that_fails_does_not_use_up_the_attempt() {
    let status = Arc::new(AtomicU16::new(503));
    let (world, provider) = (World::new().await, provider(Arc::clone(&status)).await);
    world.custom_with_client("bank", &definition(&provider.url), "id-1", KEY).await;
    let (browser, attempt) = (world.browser(), world.begin_at("bank").await);
    for _ in 0..2 {
        assert_eq!(browser.open(&attempt.start_url).await.refusal(), (502, "provider_failed".to_owned()));
        assert_eq!(world.told(&browser, &attempt).await.0, "pending");
    }
    status.store(201, Ordering::Relaxed);
    assert!(query(&browser.open(&attempt.start_url).await.location(), "request_uri").is_some());
    // not even a late failure of a second tab takes it from who is at the provider by now
    status.store(503, Ordering::Relaxed);
    browser.open(&attempt.start_url).await;
    let callback = format!("{}?code=c&state={}", world.callback_of("bank"), attempt.state);
    let landed = browser.open(&callback).await;
    world.confirmed(&browser, &attempt, &landed).await;
}

#[tokio::test]
async fn a_refusal_ends_the_attempt_as_any_other_does() {
    let (world, provider) = (World::new().await, provider(Arc::new(AtomicU16::new(400))).await);
    world.custom_with_client("bank", &definition(&provider.url), "id-1", KEY).await;
    let (browser, attempt) = (world.browser(), world.begin_at("bank").await);
    let ended = browser.end_at(&attempt.start_url).await;
    assert!(ended.text().contains("provider_refused"), "{}", ended.text());
    assert_eq!(world.told(&browser, &attempt).await, ("failed".to_owned(), "provider_refused".to_owned()));
    let callback = format!("{}?code=c&state={}", world.callback_of("bank"), attempt.state);
    browser.open(&callback).await;
    assert_eq!(world.told(&browser, &attempt).await.0, "failed");
    assert_eq!(provider.seen().len(), 1, "no code is redeemed afterwards");
}

/// A page that was proven leads on to our own start, which pushes with the cookie that is there already.
#[tokio::test]
async fn a_page_with_a_session_leaves_by_our_start() {
    let (world, provider) = (World::new().await, provider(Arc::new(AtomicU16::new(201))).await);
    world.custom_with_client("bank", &definition(&provider.url), "id-1", KEY).await;
    let session = world.post("/v1/connect/sessions", &json!({ "identity": "user-1", "connectors": ["bank"] })).await;
    let browser = world.browser();
    let call = world.call("POST", "/connect/start").header("origin", &world.app_origin());
    let return_to = format!("{}/connected", world.app_origin());
    let fields = [("session", session.member("session")), ("connector", "bank".to_owned()), ("return_to", return_to)];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let left = browser.send(call.form(&fields)).await;
    assert_eq!(left.status, 303, "{}", left.text());
    let start = left.location();
    assert!(start.contains("/connect/start/att_"), "{start}");
    assert_eq!(world.browser().open(&start).await.refusal(), (409, "already_used".to_owned()));
    assert!(query(&browser.open(&start).await.location(), "request_uri").is_some());
    let state = query(&start, "state").unwrap();
    let landed = browser.open(&format!("{}?code=c&state={state}", world.callback_of("bank"))).await;
    assert!(query(&landed.location(), "mooring_attempt").is_some(), "{}", landed.location());
    assert_eq!(world.connections().await.len(), 1);
}
