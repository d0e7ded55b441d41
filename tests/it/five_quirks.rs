//! A new provider is a TOML file: five quirks of one that nobody has seen, and no line of code.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::world::{Answer, Attempt, Browser, Fake, Seen, World, definition_in, query};

/// The provider: it answers nothing but what its documentation would ask for.
async fn oddity(now: u64) -> Fake {
    Fake::start(move |seen| answer(seen, now)).await
}

fn answer(seen: &Seen, now: u64) -> Response {
    let path = seen.target.split('?').next().unwrap();
    match (seen.method.as_str(), path) {
        ("POST", "/token") => json_of(&token(seen, now)),
        ("GET", "/api/s7/me") if seen.header("x-version") == Some("7") => match seen.header("x-access-token") {
            Some("first" | "second") => json_of(&json!({ "id": 17, "name": "Ada" })),
            _ => (http::StatusCode::UNAUTHORIZED, "no").into_response(),
        },
        _ => (http::StatusCode::NOT_FOUND, "no such thing").into_response(),
    }
}

fn token(seen: &Seen, now: u64) -> Value {
    let refused = |message: &str| json!({ "code": 40_001, "message": message });
    let Ok(body) = serde_json::from_slice::<Value>(&seen.body) else { return refused("no_json") };
    if body["client_key"].as_str().is_none() || body["secret"].as_str().is_none() || !body["client_id"].is_null() {
        return refused("no_client");
    }
    let token = match (body["grant_type"].as_str(), body["code"].as_str(), body["refresh_token"].as_str()) {
        (Some("authorization_code"), Some("good"), _) => "first",
        (Some("refresh_token"), _, Some("renewal")) => "second",
        _ => return refused("bad_code"),
    };
    let data = json!({ "token": token, "renewal": "renewal", "ends": now + 60_000, "scopes": ["read", "profile"], "shard": "s7" });
    json!({ "code": 0, "data": data })
}

fn json_of(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

/// Begins at our side and comes back with a code; where the browser is sent then.
async fn come_back(world: &World, browser: &Browser, code: &str) -> (Attempt, Answer) {
    let start = world.get("/connectors/oddity/oauth/authorize?userId=user-1").await.member("authorizationUrl");
    let attempt = Attempt::of(&start);
    let there = browser.open(&start).await.location();
    for (name, value) in [
        ("client_key", Some("odd-client")),
        ("scope", Some("read,profile")),
        ("access_type", Some("offline")),
        ("client_id", None),
    ] {
        assert_eq!(query(&there, name).as_deref(), value, "{name} in {there}");
    }
    let back = query(&there, "redirect_uri").unwrap();
    let landed = browser.open(&format!("{back}?code={code}&state={}", query(&there, "state").unwrap())).await;
    (attempt, landed)
}

#[tokio::test]
async fn a_provider_with_five_quirks_is_a_file() {
    let world = World::new().await;
    let provider = oddity(world.now()).await;
    let definition = definition_in("it/five_quirks.toml", &provider.url);
    world.custom_with_client("oddity", &definition, "odd-client", "odd-secret").await;

    let browser = world.browser();
    let (_, refused) = come_back(&world, &browser, "bad").await;
    assert!(refused.text().contains("/connect/outcome/"), "{}", refused.text());
    assert_eq!(world.connections().await.len(), 0, "a refusal with status 200 is one");

    let (attempt, held) = come_back(&world, &browser, "good").await;
    assert!(browser.open(&held.location()).await.text().contains("Ada"));
    world.confirm(&browser, &attempt).await;
    let key = world.connections().await[0]["key"].as_str().unwrap().to_owned();
    let me =
        || async { world.api("GET", "/v1/passthrough/oddity/me").header("x-one-connection-key", &key).send().await };
    assert_eq!(me().await.json()["name"], "Ada");
    world.turn(Duration::from_secs(55));
    assert_eq!(me().await.json()["name"], "Ada");
    let used: Vec<_> =
        provider.seen().iter().filter_map(|seen| seen.header("x-access-token").map(str::to_owned)).collect();
    assert_eq!(used, ["first", "first", "second"], "the profile, a call, and one with the renewed token");
}
