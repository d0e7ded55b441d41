//! Renewing a connection with another account than its own: what the project decides about it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde_json::{Value, json};

use crate::{
    held::connect,
    world::{Answer, Attempt, Browser, Fake, Seen, USER, World, query},
};

async fn decide(world: &World, other: &str) {
    world.turn(Duration::from_secs(1)); // of the grants the newest stands first
    let path = format!("/v1/admin/projects/{}", world.project());
    let project = world.root("PATCH", &path, Some(&json!({ "reconnect_other_account": other }))).await;
    assert_eq!(project.member("reconnect_other_account"), other);
}

/// Consents again as this person, up to the page that confirms.
async fn consent(world: &World, browser: &Browser, account: &str) -> Answer {
    let link = format!("/org/{}/generateOneTimeConnectorToken", world.project());
    let token = world.post(&link, &json!({ "user_id": USER, "connector_id": "acme" })).await.member("token");
    let page = browser.enter(&format!("{}/connect/acme/edit?token={token}", world.base())).await;
    let attempt = Attempt::of(&browser.submit(page.form("/connect/acme")).await.location());
    let landed = browser.open(&world.consent(browser, &attempt, account).await).await;
    browser.open(&landed.location()).await
}

async fn account(world: &World) -> Value {
    world.connections().await[0]["account"]["email"].clone()
}

#[tokio::test]
async fn another_account_is_refused_unless_the_project_says_otherwise() {
    for (decided, asks, expected) in
        [("deny", None, "alice"), ("ask", Some(true), "bob"), ("allow", Some(false), "bob")]
    {
        let world = World::new().await;
        let key = connect(&world, "acme", USER).await;
        decide(&world, decided).await;
        world.turn(Duration::from_mins(1));
        let browser = world.browser();
        let page = consent(&world, &browser, "bob").await;
        match asks {
            None => assert!(page.location().contains("/connect/outcome/"), "{decided}"),
            Some(asks) => {
                assert_eq!(page.text().contains("Change to another account?"), asks, "{decided}: {}", page.text());
                let form = page.form("/connect/confirm/").with("decision", "confirm");
                assert_eq!(browser.submit(form).await.status, 303);
            }
        }
        let email = account(&world).await.as_str().unwrap().to_owned();
        assert!(email.starts_with(expected), "{decided}: {email}");
        let me = world.me(&key).await.json();
        assert_eq!(me["id"], format!("usr_{expected}"), "{decided}");

        // the grant that was given up goes, by the rules that there are
        world.keep().await;
        let (kept, gone) = if expected == "bob" { ("bob", "alice") } else { ("alice", "bob") };
        let mut grants = world.grants();
        grants.sort();
        let mut expected = [format!("{kept} active"), format!("{gone} revoked")];
        expected.sort();
        assert_eq!(grants, expected, "{decided}");
        let changed = world.connections().await[0]["updatedAt"] == world.now();
        assert_eq!(changed, decided != "deny", "{decided}");
    }
}

#[tokio::test]
async fn the_person_is_shown_both_accounts_and_agrees_to_those_alone() {
    let world = World::new().await;
    connect(&world, "acme", USER).await;
    decide(&world, "ask").await;
    let browser = world.browser();
    let page = consent(&world, &browser, "bob").await;
    let before = account(&world).await;
    for shown in [before.as_str().unwrap(), "bob@", "<dt>So far</dt>", "<dt>From now on</dt>"] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    let form = || page.form("/connect/confirm/").with("decision", "confirm");
    for forged in [form().without("exchange"), form().with("exchange", "another")] {
        let asked = browser.submit(forged).await;
        assert!(asked.location().contains("/connect/confirm/"), "the page asks again");
        assert_eq!(account(&world).await, before);
    }
    browser.submit(form()).await;
    assert_ne!(account(&world).await, before);
}

#[tokio::test]
async fn who_says_no_to_another_account_keeps_the_one_that_was() {
    let world = World::new().await;
    connect(&world, "acme", USER).await;
    decide(&world, "ask").await;
    let browser = world.browser();
    let page = consent(&world, &browser, "bob").await;
    let before = account(&world).await;
    browser.submit(page.form("/connect/confirm/").with("decision", "cancel")).await;
    assert_eq!(account(&world).await, before);
    assert_eq!(world.grants(), ["bob revoked", "alice active"]);
}

#[tokio::test]
async fn the_same_account_is_never_asked_about() {
    for decided in ["deny", "ask", "allow"] {
        let world = World::new().await;
        connect(&world, "acme", USER).await;
        decide(&world, decided).await;
        let browser = world.browser();
        let page = consent(&world, &browser, "alice").await;
        assert!(!page.text().contains("Change to another account?"), "{decided}");
        browser.submit(page.form("/connect/confirm/").with("decision", "confirm")).await;
        assert_eq!(world.connections().await[0]["version"], "1.0.2", "{decided}");
    }
}

#[tokio::test]
async fn a_project_is_refused_another_word() {
    let world = World::new().await;
    let path = format!("/v1/admin/projects/{}", world.project());
    let call = world.call("PATCH", &path).bearer(&world.server.root_key);
    let answer = call.json(&json!({ "reconnect_other_account": "perhaps" })).send().await;
    assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()));
}

/// A provider that tells once whose account it is, and no more; the API of an account lives on a shard, which the code names.
async fn forgetful() -> Fake {
    let asked = AtomicUsize::new(0);
    Fake::start(move |seen: &Seen| match seen.target.as_str() {
        "/token" => {
            let form = format!("http://x/?{}", String::from_utf8_lossy(&seen.body));
            let shard = query(&form, "code").filter(|code| code != "none");
            Json(json!({ "access_token": "at", "refresh_token": "rt", "shard": shard })).into_response()
        }
        "/me" if asked.fetch_add(1, Ordering::Relaxed) == 0 => Json(json!({ "id": "u1" })).into_response(),
        "/me" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => Json(json!({})).into_response(),
    })
    .await
}

fn sharded(url: &str) -> Value {
    json!({
        "name": "Shards",
        "oauth2": { "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token") },
        "captures": { "token_response": { "shard": "shard" }, "patterns": { "shard": "[a-z]+" } },
        "api": { "base_url": format!("{url}/{{shard}}") },
        "profile": { "url": format!("{url}/me"), "account_id": "id" },
    })
}

async fn back(world: &World, browser: &Browser, attempt: &Attempt, code: &str) -> Answer {
    let state = query(&browser.open(&attempt.start_url).await.location(), "state").unwrap();
    browser.open(&format!("{}?code={code}&state={state}", world.callback_of("shards"))).await
}

/// Who can see to it that the provider does not tell could have another account taken for the one that was.
#[tokio::test]
async fn an_account_that_is_not_told_any_more_may_be_another() {
    for (decided, expected) in [("deny", "u1"), ("ask", "asks"), ("allow", "taken")] {
        let (world, provider) = (World::new().await, forgetful().await);
        world.custom_with_client("shards", &sharded(&provider.url), "id", "canary").await;
        let (browser, attempt) = (world.browser(), world.begin_at("shards").await);
        let landed = back(&world, &browser, &attempt, "one").await;
        let key = world.confirmed(&browser, &attempt, &landed).await;
        decide(&world, decided).await;
        world.turn(Duration::from_mins(1));
        let link = world.post(&format!("/v1/vault/connections/{key}/upgrade"), &json!({})).await.member("url");
        let page = browser.enter(&link).await;
        let attempt = Attempt::of(&browser.submit(page.form("/connect/shards")).await.location());
        let page = browser.open(&back(&world, &browser, &attempt, "one").await.location()).await;
        let now = async || world.connections().await[0]["account"]["id"].clone();
        if decided == "deny" {
            assert!(page.location().contains("/connect/outcome/"), "{}", page.text());
            assert_eq!(now().await, "u1");
            continue;
        }
        assert_eq!(page.text().contains("Change to another account?"), expected == "asks", "{}", page.text());
        browser.submit(page.form("/connect/confirm/").with("decision", "confirm")).await;
        assert_eq!(now().await, Value::Null, "{decided}");
    }
}

#[tokio::test]
async fn an_answer_without_what_calls_or_renewals_are_made_of_connects_nothing() {
    let cases = [
        ("the API's address", "/api/base_url", None, true),
        ("a header of each call", "/api/headers", Some(json!({ "Shard": "{shard}" })), true),
        (
            "what calls are signed with",
            "/api/credential",
            Some(
                json!({ "in": "signed_parameters", "token_parameter": "t", "parameter": "s", "recipe": "md5_token_secret", "secret": "{shard}" }),
            ),
            true,
        ),
        ("a parameter of a renewal", "/oauth2/refresh_params", Some(json!({ "shard": "{shard}" })), true),
        ("where tokens are renewed", "/oauth2/refresh_endpoint", Some(json!("/{shard}/token")), true),
        (
            "a parameter of a renewal that there is not",
            "/oauth2/refresh_params",
            Some(json!({ "s": "{shard}" })),
            false,
        ),
        ("an address that only the revocation needs", "/revoke", Some(json!({ "url": "/{shard}/revoke" })), false),
    ];
    for (case, field, value, refused) in cases {
        let (world, provider) = (World::new().await, forgetful().await);
        let mut definition = sharded(&provider.url);
        if let Some(mut value) = value {
            definition["api"]["base_url"] = json!(provider.url);
            let address = if value.is_string() { Some(&mut value) } else { value.get_mut("url") };
            if let Some(address) = address {
                *address = json!(format!("{}{}", provider.url, address.as_str().unwrap()));
            }
            let (parent, name) = field.rsplit_once('/').unwrap();
            definition.pointer_mut(parent).unwrap()[name] = value;
        }
        if case.ends_with("there is not") {
            definition["oauth2"]["refresh"] = json!("none");
        }
        world.custom_with_client("shards", &definition, "id", "canary").await;
        let (browser, attempt) = (world.browser(), world.begin_at("shards").await);
        let landed = back(&world, &browser, &attempt, "none").await;
        if refused {
            let told = ("failed".to_owned(), "provider_invalid_response".to_owned());
            assert_eq!(world.told(&browser, &attempt).await, told, "{case}");
            assert_eq!(world.connections().await, [] as [Value; 0], "{case}");
        } else {
            world.confirmed(&browser, &attempt, &landed).await;
        }

        // and one that has it is connected
        let (browser, attempt) = (world.browser(), world.begin_at("shards").await);
        let landed = back(&world, &browser, &attempt, "one").await;
        world.confirmed(&browser, &attempt, &landed).await;
    }
}
