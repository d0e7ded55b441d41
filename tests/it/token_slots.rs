//! Further tokens of the same answer: sealed with the connection, renewed each by itself, and chosen by a header.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    client_credentials::said,
    world::{Answer, Fake, Log, World},
};

/// A provider that gives a token for a bot and one for the user, and says which was renewed how often.
async fn provider() -> (Fake, Arc<Mutex<BTreeMap<String, u64>>>) {
    let renewed = Arc::<Mutex<BTreeMap<String, u64>>>::default();
    let count = Arc::clone(&renewed);
    let fake = Fake::start(move |seen| {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&seen.body).into_owned().collect();
        match (seen.target.as_str(), form.get("refresh_token").map(String::as_str)) {
            ("/token", None) => said(
                200,
                &json!({
                    "access_token": "canary-bot-0", "refresh_token": "canary-refresh-bot", "expires_in": 3600,
                    "user": { "token": "canary-user-0", "refresh": "canary-refresh-user", "ttl": 600, "scope": "read" },
                }),
            ),
            ("/token", Some(token)) => {
                let kind = token.trim_start_matches("canary-refresh-").to_owned();
                let its_own = format!("Bearer canary-{kind}-");
                if !seen.header("authorization").is_some_and(|line| line.starts_with(&its_own)) {
                    return said(400, &json!({ "error": "invalid_request" })); // the token that it renews goes along
                }
                let mut count = count.lock().unwrap();
                let number = count.entry(kind.clone()).or_default();
                *number += 1;
                said(200, &json!({ "access_token": format!("canary-{kind}-{number}"), "expires_in": 3600 }))
            }
            ("/revoke", _) => said(200, &json!({})),
            _ => match seen.header("authorization").and_then(|line| line.strip_prefix("Bearer canary-")) {
                Some("user-1") if seen.target.ends_with("gone") => said(401, &json!({})),
                Some(token) => {
                    said(200, &json!({ "id": "u1", "token": token, "slot": seen.header("x-mooring-token-slot") }))
                }
                None => said(401, &json!({})),
            },
        }
    })
    .await;
    (fake, renewed)
}

fn definition(url: &str) -> Value {
    json!({
        "name": "Two",
        "oauth2": {
            "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
            "token_endpoint_auth_method": "client_secret_post", "refresh_bears_access_token": true,
            "token_slots": [{ "name": "user", "access_token": "user.token", "refresh_token": "user.refresh", "expires_in": "user.ttl", "scope": "user.scope" }],
        },
        "api": { "base_url": format!("{url}/v1") },
        "profile": { "url": format!("{url}/v1/me"), "account_id": "id" },
        "revoke": { "url": format!("{url}/revoke"), "params": { "token": "{refresh_token}" }, "authentication": "none", "effect": "token" },
    })
}

async fn with_slot(world: &World, key: &str, slot: &str, path: &str) -> Answer {
    let call = world.api("GET", &format!("/v1/passthrough/two/{path}")).header("x-one-connection-key", key);
    call.header("x-mooring-token-slot", slot).send().await
}

#[tokio::test]
async fn a_call_chooses_its_token_and_each_is_renewed_by_itself() {
    let (log, _logging) = Log::start();
    let (world, (provider, renewed)) = (World::new().await, provider().await);
    world.custom("two", &definition(&provider.url), true).await;
    let key = world.allow("two").await;
    assert_eq!(world.connections().await[0]["tokenSlots"], json!(["user"]));

    assert_eq!(world.through("two", "things", &key).await.json()["token"], "bot-0");
    let told = with_slot(&world, &key, "user", "things").await.json();
    assert_eq!((&told["token"], &told["slot"]), (&json!("user-0"), &Value::Null), "the header stays here");
    let unknown = with_slot(&world, &key, "admin", "things").await;
    assert_eq!(unknown.refusal(), (400, "invalid_request".to_owned()));
    assert_eq!(
        unknown.json()["error_description"],
        "x-mooring-token-slot names no token of this connection, which has: user"
    );

    world.turn(Duration::from_mins(10));
    let calls = (0..8).map(|_| with_slot(&world, &key, "user", "things"));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.json()["token"], "user-1");
    }
    assert_eq!(world.through("two", "things", &key).await.json()["token"], "bot-0", "the other lives on");
    assert_eq!(*renewed.lock().unwrap(), BTreeMap::from([("user".to_owned(), 1)]));
    assert_eq!(with_slot(&world, &key, "user", "gone").await.json()["token"], "user-2", "renewed at a 401");

    world.turn(Duration::from_hours(1));
    assert_eq!(world.through("two", "things", &key).await.json()["token"], "bot-1");
    assert_eq!(*renewed.lock().unwrap(), BTreeMap::from([("bot".to_owned(), 1), ("user".to_owned(), 2)]));
    for text in world.dump().await.into_values().chain(log.lines()) {
        assert!(!text.contains("canary-"), "{text}");
    }
}

#[tokio::test]
async fn a_connection_without_further_tokens_says_so() {
    let (world, (provider, _)) = (World::new().await, provider().await);
    let mut definition = definition(&provider.url);
    definition["oauth2"].as_object_mut().unwrap().remove("token_slots");
    world.custom("two", &definition, true).await;
    let key = world.allow("two").await;
    let refused = with_slot(&world, &key, "user", "things").await.json();
    assert_eq!(refused["error_description"], "x-mooring-token-slot names no token of this connection, which has: none");
}

#[tokio::test]
async fn with_a_connection_end_all_its_tokens() {
    let (world, (provider, _)) = (World::new().await, provider().await);
    world.custom("two", &definition(&provider.url), true).await;
    let key = world.allow("two").await;
    let deleted = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json();
    assert_eq!(deleted["revocation"], "revoked", "{deleted}");
    let revoked = provider.seen().into_iter().filter(|seen| seen.target == "/revoke");
    let revoked: Vec<_> = revoked.map(|seen| String::from_utf8(seen.body.to_vec()).unwrap()).collect();
    assert_eq!(revoked, ["token=canary-refresh-user", "token=canary-refresh-bot"]);
}
