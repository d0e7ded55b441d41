//! The ledger of scopes: what was asked for, what was granted, what is missing; and a link by which a person grants more.

use std::time::Duration;

use axum::{Json, response::IntoResponse};
use serde_json::{Value, json};
use shared::id::ConnectionKey;

use crate::{
    held::connect,
    world::{Answer, Attempt, Browser, Fake, Seen, USER, World, query},
};

/// Grants what it is told to by the code: `none` says nothing of scopes (RFC 6749 §5.1).
async fn provider() -> Fake {
    Fake::start(|seen: &Seen| {
        let code = query(&format!("http://x/?{}", String::from_utf8_lossy(&seen.body)), "code").unwrap_or_default();
        let mut answer = json!({ "access_token": "a", "token_type": "Bearer" });
        if code != "none" {
            answer["scope"] = json!(code.replace('-', " "));
        }
        Json(answer).into_response()
    })
    .await
}

async fn ledgers(optional: &[&str]) -> (World, Fake) {
    let (world, provider) = (World::new().await, provider().await);
    define(&world, &provider, optional).await;
    (world, provider)
}

async fn define(world: &World, provider: &Fake, optional: &[&str]) {
    let url = &provider.url;
    let definition = json!({
        "name": "Ledger",
        "oauth2": { "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"), "scopes": ["read", "list"] },
        "api": { "base_url": format!("{url}/v1") },
    });
    world.custom("ledger", &definition, false).await;
    allow(world, optional).await;
}

async fn allow(world: &World, optional: &[&str]) {
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/ledger", world.project());
    let body = json!({ "client_id": "invented", "client_secret": "invented", "optional_scopes": optional });
    let stored = world.root("PUT", &path, Some(&body)).await.json();
    assert_eq!(stored["optional_scopes"], json!(optional));
}

/// Goes on from a start URL and back from the provider with this code, and confirms; what the provider was asked for.
async fn consent(world: &World, browser: &Browser, start_url: &str, code: &str) -> String {
    let attempt = Attempt::of(start_url);
    let url = browser.open(start_url).await.location();
    let [redirect_uri, state] = ["redirect_uri", "state"].map(|name| query(&url, name).unwrap());
    browser.open(&format!("{redirect_uri}?code={code}&state={state}")).await;
    assert_eq!(world.confirm(browser, &attempt).await.status, 303);
    query(&url, "scope").unwrap()
}

async fn connected(world: &World, code: &str) -> String {
    let path = format!("/connectors/ledger/oauth/authorize?userId={USER}");
    let start_url = world.get(&path).await.member("authorizationUrl");
    consent(world, &world.browser(), &start_url, code).await;
    let rows = world.connections().await;
    rows.last().unwrap()["key"].as_str().unwrap().to_owned()
}

async fn scopes(world: &World, key: &str) -> Value {
    world.get(&format!("/v1/vault/connections/{key}")).await.json()["scopes"].take()
}

async fn upgrade(world: &World, key: &str, body: &Value) -> Answer {
    world.post(&format!("/v1/vault/connections/{key}/upgrade"), body).await
}

#[tokio::test]
async fn a_connection_says_what_was_asked_granted_and_is_missing() {
    let table = [
        ("read-list", json!(["read", "list"]), json!([])),
        ("read", json!(["read"]), json!(["list"])),
        ("none", json!(["read", "list"]), json!([])),
        ("read-more", json!(["read", "more"]), json!(["list"])),
    ];
    for (code, granted, missing) in table {
        let (world, _provider) = ledgers(&[]).await;
        let key = connected(&world, code).await;
        let expected = json!({ "requested": ["read", "list"], "granted": granted, "missing": missing });
        assert_eq!(scopes(&world, &key).await, expected, "{code}");
        assert_eq!(world.connections().await[0]["scopes"], expected, "{code}");
        let credential = world.get(&format!("/credentials/{}", key.replace("conn_", "cred_"))).await.json();
        assert_eq!(credential["scopes"], expected, "{code}");
    }
}

#[tokio::test]
async fn one_call_makes_a_link_that_asks_for_all_that_is_to_be_there() {
    let (world, _provider) = ledgers(&["write", "pay"]).await;
    let key = connected(&world, "read").await;
    connected(&world, "read-list").await; // a newer one, which the link does not mean
    let answer = upgrade(&world, &key, &json!({ "scopes": ["write"] })).await;
    assert_eq!((answer.status, &answer.json()["expires_at"]), (200, &json!(world.now() / 1000 + 300)));

    let browser = world.browser();
    let page = browser.enter(&answer.member("url")).await;
    let start_url = browser.submit(page.form("/connect/ledger")).await.location();
    assert_eq!(consent(&world, &browser, &start_url, "read-list-write").await, "read list write");
    let all = json!(["read", "list", "write"]);
    assert_eq!(scopes(&world, &key).await, json!({ "requested": all, "granted": all, "missing": [] }));
    assert_eq!(world.connections().await.len(), 2, "the very connection");

    // who renews it later loses nothing
    let link = upgrade(&world, &key, &json!({})).await.member("url");
    let page = browser.enter(&link).await;
    let start_url = browser.submit(page.form("/connect/ledger")).await.location();
    assert_eq!(consent(&world, &browser, &start_url, "read-list-write").await, "read list write");
    // unless the operator took it back
    allow(&world, &[]).await;
    world.turn(shared::store::settings::KEPT);
    let link = upgrade(&world, &key, &json!({})).await.member("url");
    let page = browser.enter(&link).await;
    let start_url = browser.submit(page.form("/connect/ledger")).await.location();
    assert_eq!(consent(&world, &browser, &start_url, "none").await, "read list");
}

#[tokio::test]
async fn an_app_asks_for_nothing_that_the_operator_does_not_allow() {
    let (world, _provider) = ledgers(&["write"]).await;
    let key = connected(&world, "read").await;
    let table = [
        (json!({ "scopes": ["pay"] }), 400, "invalid_scope"),
        (json!({ "scopes": ["write", "pay"] }), 400, "invalid_scope"),
        (json!({ "scopes": ["write pay"] }), 400, "invalid_scope"),
        (json!({ "scopes": "write" }), 400, "invalid_request"),
        (json!({ "more": 1 }), 400, "invalid_request"),
        (json!({ "redirect_uri": "https://elsewhere.example/" }), 400, "invalid_redirect_uri"),
    ];
    for (body, status, code) in table {
        assert_eq!(upgrade(&world, &key, &body).await.refusal(), (status, code.to_owned()), "{body}");
    }
    let allowed = json!({ "scopes": ["list", "write"], "redirect_uri": world.redirect_uri() });
    assert_eq!(upgrade(&world, &key, &allowed).await.status, 200);
    assert_eq!(upgrade(&world, "conn_nobody", &json!({})).await.refusal(), (404, "connection_not_found".to_owned()));
}

/// The link may be forwarded, so its page is a link's: claimed once, and the person confirms.
#[tokio::test]
async fn the_link_renews_one_connection_and_makes_none() {
    let (world, _provider) = ledgers(&[]).await;
    let key = connected(&world, "read").await;
    let link = upgrade(&world, &key, &json!({})).await.member("url");
    let browser = world.browser();
    // also where somebody takes the word off that says so
    let page = browser.enter(&link.replace("/edit?", "?")).await;
    let start_url = browser.submit(page.form("/connect/ledger").without("edit")).await.location();
    consent(&world, &browser, &start_url, "none").await;
    assert_eq!(world.connections().await.len(), 1);
    assert_eq!(world.browser().open(&link).await.refusal(), (409, "already_used".to_owned()));

    let link = upgrade(&world, &key, &json!({})).await.member("url");
    world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await;
    let gone = world.browser().enter(&link).await;
    assert_eq!(gone.refusal(), (404, "connection_not_found".to_owned()));
}

#[tokio::test]
async fn a_receipt_says_how_much_ends_at_the_provider() {
    for (effect, expected) in [("token", json!("token")), ("grant", json!("grant"))] {
        let world = World::new().await;
        let mut acme = world.acme();
        acme["revoke"]["effect"] = json!(effect);
        world.custom("acme-too", &acme, true).await;
        let key = connect(&world, "acme-too", USER).await;
        let receipt = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json();
        assert_eq!((&receipt["revocation"], &receipt["ends"]), (&json!("revoked"), &expected));
    }
    let (world, _provider) = ledgers(&[]).await;
    let key = connected(&world, "read").await;
    let receipt = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json();
    assert_eq!((&receipt["revocation"], &receipt["ends"]), (&json!("not_supported"), &Value::Null));
}

/// Grants both scopes, and with each renewal what the table says.
async fn changing(renewals: &'static [Option<&'static str>]) -> Fake {
    Fake::start(move |seen: &Seen| {
        if seen.target != "/token" {
            return Json(json!({})).into_response();
        }
        let body = format!("http://x/?{}", String::from_utf8_lossy(&seen.body));
        let turn: Option<usize> = query(&body, "refresh_token").map(|token| token.parse().unwrap());
        let next = turn.map_or(0, |turn| turn + 1).to_string();
        let mut answer =
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": next });
        if let Some(scope) = turn.map_or(Some("read list"), |turn| renewals[turn]) {
            answer["scope"] = json!(scope);
        }
        Json(answer).into_response()
    })
    .await
}

#[tokio::test]
async fn a_renewal_that_brings_less_or_more_is_in_the_ledger() {
    let renewals = &[Some("read"), None, Some(""), Some("list read")];
    let ledgers = [json!(["read"]), json!(["read"]), json!(["read"]), json!(["list", "read"])];
    let missing = [json!(["list"]), json!(["list"]), json!(["list"]), json!([])];
    let (world, provider) = (World::new().await, changing(renewals).await);
    define(&world, &provider, &[]).await;
    let key = connected(&world, "good").await;
    let before = world.get(&format!("/v1/vault/connections/{key}")).await.json();
    for (granted, missing) in ledgers.iter().zip(&missing) {
        world.turn(Duration::from_hours(2));
        let call = world.api("GET", "/v1/passthrough/ledger/me").header("x-one-connection-key", &key).send().await;
        assert_eq!(call.status, 200, "{}", call.text());
        let ledger = scopes(&world, &key).await;
        assert_eq!((&ledger["granted"], &ledger["missing"]), (granted, missing));
        assert_eq!(world.connections().await[0]["scopes"], ledger, "the list says the same");
    }
    let after = world.get(&format!("/v1/vault/connections/{key}")).await.json();
    assert_eq!((&before["version"], &after["version"]), (&json!("1.0.1"), &json!("1.0.3")), "it changed twice");
    // an answer that comes when the person has connected again is not of the grant that stands there by then
    let connections = &world.server.app.connections;
    let mut stored = connections.find(&ConnectionKey::parse(&key).unwrap()).await.unwrap().unwrap();
    stored.generation -= 1;
    let late = connections.granted(&stored, &["late".to_owned()], world.server.app.clock.now()).await.unwrap();
    assert!(late.is_none());
    assert_eq!(scopes(&world, &key).await["granted"], json!(["list", "read"]));
}

#[tokio::test]
async fn what_is_chosen_with_a_token_that_brought_other_scopes_stands() {
    let world = World::new().await;
    let provider = Fake::start(|seen: &Seen| {
        let renews = String::from_utf8_lossy(&seen.body).contains("refresh_token=");
        let tokens = |scope: &str, tenants: &str| {
            json!({ "access_token": tenants, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r", "scope": scope })
        };
        let one = seen.header("authorization") == Some("Bearer one");
        Json(match (seen.target.as_str(), renews) {
            ("/token", false) => tokens("read list", "one"),
            ("/token", true) => tokens("read", "two"),
            ("/tenants", _) if one => json!({ "found": [{ "id": "t1" }] }),
            ("/tenants", _) => json!({ "found": [{ "id": "t1" }, { "id": "t2" }] }),
            _ => json!({}),
        })
        .into_response()
    })
    .await;
    let url = &provider.url;
    let definition = json!({
        "name": "Ledger",
        "oauth2": { "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"), "scopes": ["read", "list"] },
        "lookups": [{ "name": "tenant", "url": format!("{url}/tenants"), "list": "found", "path": "id" }],
        "api": { "base_url": format!("{url}/v1/{{tenant}}") },
    });
    world.custom("ledger", &definition, false).await;
    allow(&world, &[]).await;
    let key = connected(&world, "good").await;
    world.turn(Duration::from_hours(2));
    let path = format!("/v1/vault/connections/{key}");
    let chosen = world.api("PATCH", &path).json(&json!({ "choose": { "tenant": "t2" } })).send().await;
    assert_eq!(chosen.status, 200, "{}", chosen.text());
    let now = world.get(&path).await.json();
    assert_eq!((&now["values"]["tenant"], &now["scopes"]["granted"]), (&json!("t2"), &json!(["read"])), "{now}");
}
