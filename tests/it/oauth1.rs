//! OAuth 1.0a (RFC 5849): a provider that checks every signature by itself, and what it makes of a flow.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use axum::{http::StatusCode, response::IntoResponse};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};

use crate::world::{Attempt, Browser, Fake, Log, Seen, World, query};

const KEY: &str = "consumer-1";
const SECRET: &str = "canary-consumer&secret";

/// What the provider knows: which token has which secret, and what it has seen before.
#[derive(Default)]
struct Books {
    callbacks: Vec<String>,
    nonces: Vec<String>,
    down: AtomicBool,
}

type Pairs = Vec<(String, String)>;

/// RFC 3986 §2.1, for RFC 5849 §3.6.
fn encode(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn decode(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes()).next().unwrap().1.into_owned()
}

fn form(text: &str) -> Pairs {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn one<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str())
}

/// The protocol's parameters of a request whose signature is right; why not otherwise.
fn checked(seen: &Seen, host: &str, books: &Mutex<Books>) -> Result<Pairs, &'static str> {
    let header = seen.header("authorization").ok_or("no header")?.strip_prefix("OAuth ").ok_or("no OAuth")?;
    let protocol: Pairs = header
        .split(", ")
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (decode(name), decode(value.trim_matches('"'))))
        .collect();
    let token_secret = match one(&protocol, "oauth_token") {
        "" => "",
        "temporary-1" => "canary-temporary-secret",
        "canary-token" => "canary token+secret",
        _ => return Err("an unknown token"),
    };
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let is_form = seen.header("content-type").is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"));
    let body = if is_form { form(std::str::from_utf8(&seen.body).unwrap()) } else { Pairs::new() };
    let signed = protocol.iter().filter(|(name, _)| name != "oauth_signature").cloned();
    let mut all: Vec<(String, String)> =
        signed.chain(form(query)).chain(body).map(|(name, value)| (encode(&name), encode(&value))).collect();
    all.sort();
    let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let base = format!("{}&{}&{}", seen.method, encode(&format!("{host}{path}")), encode(&all.join("&")));
    let key = format!("{}&{}", encode(SECRET), encode(token_secret));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let signature = STANDARD.decode(one(&protocol, "oauth_signature")).map_err(|_| "no signature")?;
    hmac::verify(&key, base.as_bytes(), &signature).map_err(|_| "a wrong signature")?;
    let nonce = one(&protocol, "oauth_nonce").to_owned();
    let mut books = books.lock().unwrap();
    if one(&protocol, "oauth_consumer_key") != KEY || nonce.is_empty() || books.nonces.contains(&nonce) {
        return Err("another consumer, or a nonce that was used");
    }
    books.nonces.push(nonce);
    Ok(protocol)
}

async fn provider() -> (Fake, Arc<Mutex<Books>>) {
    let books = Arc::<Mutex<Books>>::default();
    let (kept, host) = (Arc::clone(&books), Arc::<Mutex<String>>::default());
    let own = Arc::clone(&host);
    let fake = Fake::start(move |seen: &Seen| {
        if kept.lock().unwrap().down.load(Ordering::Relaxed) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let host = own.lock().unwrap().clone();
        let protocol = match checked(seen, &host, &kept) {
            Ok(protocol) => protocol,
            Err(why) => return (StatusCode::UNAUTHORIZED, format!("oauth_problem={why}")).into_response(),
        };
        match seen.target.as_str() {
            "/initiate" => {
                kept.lock().unwrap().callbacks.push(one(&protocol, "oauth_callback").to_owned());
                "oauth_token=temporary-1&oauth_token_secret=canary-temporary-secret&oauth_callback_confirmed=true"
                    .into_response()
            }
            "/token" if one(&protocol, "oauth_verifier") == "canary-verifier" => {
                "oauth_token=canary-token&oauth_token_secret=canary%20token%2Bsecret&user_id=7&screen_name=ada"
                    .into_response()
            }
            "/token" => (StatusCode::UNAUTHORIZED, "oauth_problem=verifier_invalid").into_response(),
            "/v1/me?include=email" => axum::Json(json!({ "id": "7", "site": "s-1" })).into_response(),
            _ => axum::Json(json!({ "asked": seen.target })).into_response(),
        }
    })
    .await;
    host.lock().unwrap().clone_from(&fake.url);
    (fake, books)
}

fn definition(url: &str) -> Value {
    json!({
        "name": "Birds",
        "oauth1": {
            "temporary_credential_endpoint": format!("{url}/initiate"),
            "authorization_endpoint": format!("{url}/authorize?lang=en"),
            "token_endpoint": format!("{url}/token"),
            "authorization_params": { "perms": "read", "name": "{app_name}" },
            "expires_in": 3600,
        },
        "captures": { "token_response": { "user_id": "user_id" } },
        "lookups": [{ "name": "site", "url": format!("{url}/v1/me?include=email"), "path": "site" }],
        "api": { "base_url": format!("{url}/v1"), "credential": { "in": "oauth1" } },
        "profile": { "url": format!("{url}/v1/me?include=email"), "account_id": "id", "label": "{user_id}" },
    })
}

async fn begun(world: &World) -> (Browser, Attempt, String) {
    let (browser, attempt) = (world.browser(), world.begin_at("birds").await);
    let started = browser.open(&attempt.start_url).await;
    assert_eq!(started.status, 302, "{}", started.text());
    (browser, attempt, started.location())
}

#[tokio::test]
async fn a_verifier_becomes_a_connection_whose_calls_are_signed() {
    let (log, _logging) = Log::start();
    let (world, (provider, books)) = (World::new().await, provider().await);
    world.custom_with_client("birds", &definition(&provider.url), KEY, SECRET).await;
    let (browser, attempt, page) = begun(&world).await;
    let base = format!("{}/authorize?lang=en&", provider.url);
    assert_eq!(page, format!("{base}name=Orbit+CRM&perms=read&oauth_token=temporary-1"));
    let callback = books.lock().unwrap().callbacks[0].clone();
    assert_eq!(callback, format!("{}?state={}", world.callback_of("birds"), attempt.state));
    let kept = format!("{:?}", world.dump().await);
    assert!(!kept.contains("canary-temporary-secret") && !kept.contains("temporary-1"), "they are sealed");

    let landed = browser.open(&format!("{callback}&oauth_token=temporary-1&oauth_verifier=canary-verifier")).await;
    let key = world.confirmed(&browser, &attempt, &landed).await;
    assert_eq!(world.connections().await[0]["name"], "7");

    let form = "application/x-www-form-urlencoded";
    let calls = [
        world.passthrough("GET", "birds/a%20b//c?q=x%20y&q=%C3%A9&a=1+2&empty", &key),
        world.passthrough("POST", "birds/statuses", &key).body(form, "status=Hello%20World%21&a=b%2Bc+d&status="),
        world.passthrough("POST", "birds/json?x=1", &key).json(&json!({ "a": "b" })),
        world.passthrough("POST", "birds/file", &key).body("application/octet-stream", vec![0_u8, 255, 13, 10]),
        world.passthrough("DELETE", "birds/1", &key).header("authorization-x", "OAuth oauth_token=\"mine\""),
    ];
    for call in calls {
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let kept = format!("{:?}", world.dump().await);
    assert!(!kept.contains("canary"), "what is sealed is not readable");
    assert!(log.lines().iter().all(|line| !line.contains("canary")), "{:?}", log.lines());
    // it lives as long as the data says and there is nothing to renew it by: the provider decides
    world.turn(std::time::Duration::from_hours(2));
    assert_eq!(world.passthrough("GET", "birds/x", &key).send().await.status, 200);
}

#[tokio::test]
async fn a_refusal_is_one_whatever_it_looks_like() {
    let (world, (provider, _)) = (World::new().await, provider().await);
    world.custom_with_client("birds", &definition(&provider.url), KEY, SECRET).await;
    let denied = |error: &str| ("denied".to_owned(), error.to_owned());
    let failed = |error: &str| ("failed".to_owned(), error.to_owned());
    let table = [
        ("denied=temporary-1", denied("access_denied")),
        ("oauth_token=temporary-1", denied("access_denied")),
        ("oauth_token=temporary-1&oauth_verifier=canary-verifier&denied=temporary-1", denied("access_denied")),
        ("oauth_problem=permission_denied", denied("access_denied")),
        ("error=access_denied&oauth_token=temporary-1&oauth_verifier=canary-verifier", denied("access_denied")),
        ("code=canary-verifier", denied("access_denied")),
        // somebody else's temporary credentials, and a verifier that is none
        ("oauth_token=temporary-2&oauth_verifier=canary-verifier", failed("provider_invalid_response")),
        ("oauth_verifier=canary-verifier", failed("provider_invalid_response")),
        ("oauth_token=temporary-1&oauth_verifier=guess", failed("provider_refused")),
    ];
    for (answer, expected) in table {
        let (browser, attempt, _) = begun(&world).await;
        let callback = format!("{}?state={}&{answer}", world.callback_of("birds"), attempt.state);
        browser.open(&callback).await;
        assert_eq!(world.told(&browser, &attempt).await, expected, "{answer}");
    }
    assert_eq!(world.connections().await.len(), 0);
}

#[tokio::test]
async fn a_provider_that_fails_at_the_start_does_not_use_up_the_attempt() {
    let (world, (provider, books)) = (World::new().await, provider().await);
    world.custom_with_client("birds", &definition(&provider.url), KEY, SECRET).await;
    books.lock().unwrap().down.store(true, Ordering::Relaxed);
    let (browser, attempt) = (world.browser(), world.begin_at("birds").await);
    assert_eq!(browser.open(&attempt.start_url).await.refusal(), (502, "provider_failed".to_owned()));
    books.lock().unwrap().down.store(false, Ordering::Relaxed);
    assert!(query(&browser.open(&attempt.start_url).await.location(), "oauth_token").is_some());

    // a secret that the provider does not know is a refusal
    world.custom_with_client("birds", &definition(&provider.url), KEY, "another").await;
    world.turn(std::time::Duration::from_mins(1));
    let (browser, attempt) = (world.browser(), world.begin_at("birds").await);
    browser.open(&attempt.start_url).await;
    assert_eq!(world.told(&browser, &attempt).await, ("failed".to_owned(), "provider_refused".to_owned()));
}

/// Temporary credentials are given to the browser that has the attempt, and to no other.
#[tokio::test]
async fn another_browser_neither_starts_nor_answers() {
    let (world, (provider, books)) = (World::new().await, provider().await);
    world.custom_with_client("birds", &definition(&provider.url), KEY, SECRET).await;
    let (browser, attempt, _) = begun(&world).await;
    let before = world.dump().await;
    let stranger = world.browser();
    assert_eq!(stranger.open(&attempt.start_url).await.refusal(), (409, "already_used".to_owned()));
    let callback = books.lock().unwrap().callbacks[0].clone();
    let answer = format!("{callback}&oauth_token=temporary-1&oauth_verifier=canary-verifier");
    assert_eq!(stranger.open(&answer).await.refusal(), (400, "unknown_state".to_owned()));
    assert_eq!((world.dump().await, provider.seen().len()), (before, 1));
    let landed = browser.open(&answer).await;
    world.confirmed(&browser, &attempt, &landed).await;
}
