//! A new provider is a TOML file, once more: a scope that names what was typed, a choice that stands for two things, a part of what was
//! told, a claim with dots in its name, an access token that says something, an account without a call, what is new with each request,
//! and a refresh that carries the token which it renews.

use std::{collections::BTreeSet, time::Duration};

use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::world::{Answer, Browser, Fake, Seen, World, definition_in, query};

fn answer(seen: &Seen) -> Response {
    let json = |value: Value| ([("content-type", "application/json")], value.to_string()).into_response();
    match (seen.method.as_str(), seen.target.as_str()) {
        ("POST", "/token") => {
            let body = format!("http://x/?{}", String::from_utf8_lossy(&seen.body));
            let bearer = seen.header("authorization").map(str::to_owned);
            if query(&body, "refresh_token").is_some() && bearer != Some(format!("Bearer {}", access_token())) {
                return (http::StatusCode::BAD_REQUEST, "which token?").into_response();
            }
            let claims = json!({ "https://claims.peculiar.example/person": "p-7", "nick": "Ada" });
            json(json!({
                "access_token": access_token(), "refresh_token": "rt", "token_type": "Bearer", "expires_in": 3600,
                "id_token": signed(&claims),
            }))
        }
        ("GET", "/s2/abc/notes") => json(json!(["a note"])),
        _ => (http::StatusCode::NOT_FOUND, "no such thing").into_response(),
    }
}

fn signed(claims: &Value) -> String {
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn access_token() -> String {
    signed(&json!({ "sub": "SEAT:42" }))
}

/// Begins with what a person typed and comes back with a code and this context.
async fn come_back(world: &World, browser: &Browser, typed: &str, context: &str) -> (crate::world::Attempt, Answer) {
    let start = world.get(&format!("/connectors/peculiar/oauth/authorize?userId=user-1&{typed}")).await;
    let start = start.member("authorizationUrl");
    let attempt = crate::world::Attempt::of(&start);
    let there = browser.open(&start).await.location();
    assert_eq!(query(&there, "scope").as_deref(), Some("read crm:acme"), "{there}");
    let (back, state) = (query(&there, "redirect_uri").unwrap(), query(&there, "state").unwrap());
    (attempt, browser.open(&format!("{back}?code=c&state={state}&context={context}")).await)
}

async fn world() -> (World, Fake) {
    let world = World::new().await;
    let provider = Fake::start(|seen: &Seen| answer(seen)).await;
    let definition = definition_in("it/more_quirks.toml", &provider.url);
    world.custom_with_client("peculiar", &definition, "peculiar", "invented").await;
    (world, provider)
}

#[tokio::test]
async fn a_provider_with_eight_more_quirks_is_a_file() {
    let (world, provider) = world().await;
    let browser = world.browser();
    let (attempt, held) = come_back(&world, &browser, "org=acme&region=south", "stores/abc").await;
    assert!(browser.open(&held.location()).await.text().contains("Ada"), "the id_token tells whose account it is");
    world.confirm(&browser, &attempt).await;

    let connection = world.connections().await[0].clone();
    let key = connection["key"].as_str().unwrap().to_owned();
    assert_eq!(connection["scopes"]["requested"], json!(["read", "crm:acme"]), "the ledger has what was asked for");
    let shown = world.get(&format!("/v1/vault/connections/{key}")).await.text();
    for value in ["p-7", "\"shelf\":\"s2\"", "\"seat\":\"42\""] {
        assert!(shown.contains(value), "{value} {shown}");
    }
    for _ in 0..2 {
        let notes =
            world.api("GET", "/v1/passthrough/peculiar/notes").header("x-one-connection-key", &key).send().await;
        assert_eq!(notes.json(), json!(["a note"]), "the choice and the kept part stand in the address");
    }
    let ids: Vec<_> =
        provider.seen().iter().filter_map(|seen| seen.header("x-request-id").map(str::to_owned)).collect();
    assert_eq!(ids.len(), 3, "the token and two calls, and no profile");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3, "{ids:?}");

    world.turn(Duration::from_hours(2));
    let notes = world.api("GET", "/v1/passthrough/peculiar/notes").header("x-one-connection-key", &key).send().await;
    assert_eq!(notes.json(), json!(["a note"]), "it was renewed with the token that had ended");
}

#[tokio::test]
async fn a_context_of_another_form_connects_nothing_and_a_derived_value_is_nobodys_to_type() {
    let (world, provider) = world().await;
    let browser = world.browser();
    for context in
        ["abc", "stores/..", "stores/abc/..", "stores/evil.example", "stores/vendor.com@evil", "stores/a%0Ab"]
    {
        come_back(&world, &browser, "org=acme&region=south&shelf=evil.example", context).await;
    }
    assert_eq!(world.connections().await.len(), 0);
    assert!(provider.seen().is_empty(), "no code was redeemed");
}

#[tokio::test]
async fn an_operators_scope_names_what_there_is() {
    let (world, _provider) = world().await;
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/peculiar", world.project());
    let put = |scope: &str| json!({ "scopes": [scope], "client_id": "peculiar" });
    for (scope, expected) in [("crm:{org}:admin", 200), ("{shelf}", 200), ("crm:{person}", 400), ("crm:{", 400)] {
        let answer = world.call("PUT", &path).bearer(&world.server.root_key).json(&put(scope)).send().await;
        assert_eq!(answer.status, expected, "{scope} {}", answer.text());
    }
}
