//! Tokens that are exchanged for longer-lived ones, and what is renewed before it dies unused.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use keeper::Round;
use serde_json::{Value, json};

use crate::{
    client_credentials::said,
    world::{Attempt, Fake, Log, USER, World},
};

const DAY: Duration = Duration::from_hours(24);

impl World {
    /// Connects by consent at a provider that takes any code, and answers the connection's key.
    pub async fn allow(&self, connector: &str) -> String {
        let session = json!({ "identity": USER, "connectors": [connector] });
        let link = self.post("/v1/connect/sessions", &session).await.member("url");
        let browser = self.browser();
        let page = browser.enter(&link).await;
        let begun = browser.submit(page.form(&format!("/connect/{connector}"))).await;
        let attempt = Attempt::of(&begun.location());
        browser.open(&attempt.start_url).await;
        let (base, project) = (self.base(), self.project());
        let callback = format!("{base}/connectors/{connector}-{project}/oauth/callback?code=c&state={}", attempt.state);
        let landed = browser.open(&callback).await;
        assert_eq!(landed.status, 302, "{}", landed.text());
        self.confirm(&browser, &attempt).await;
        let rows = self.connections().await;
        rows.last().unwrap()["key"].as_str().unwrap().to_owned()
    }
}

/// A provider whose short token becomes a long one, which is renewed by itself.
struct LongLived {
    fake: Fake,
    renewals: Arc<AtomicU64>,
    refuses: Arc<Mutex<bool>>,
}

impl LongLived {
    async fn start() -> Self {
        let (renewals, refuses) = <(Arc<AtomicU64>, Arc<Mutex<bool>>)>::default();
        let (count, no) = (Arc::clone(&renewals), Arc::clone(&refuses));
        let fake = Fake::start(move |seen| {
            let long =
                |number: u64| json!({ "access_token": format!("canary-long-{number}"), "expires_in": 60 * 24 * 3600 });
            match seen.target.split('?').next().unwrap() {
                "/token" => said(200, &json!({ "access_token": "canary-short", "expires_in": 3600, "user": "u1" })),
                "/long" if seen.target.contains("token=canary-short") && seen.target.contains("client_secret=") => {
                    said(200, &long(0))
                }
                "/renew" if *no.lock().unwrap() => said(400, &json!({ "error": { "message": "no", "code": 190 } })),
                "/renew" if seen.target.contains("token=canary-long-") => {
                    said(200, &long(count.fetch_add(1, Ordering::SeqCst) + 1))
                }
                _ => match seen.header("authorization") {
                    Some(line) if line.starts_with("Bearer canary-long-") => {
                        said(200, &json!({ "id": "u1", "token": line.rsplit('-').next() }))
                    }
                    _ => said(401, &json!({ "error": "invalid_token" })),
                },
            }
        })
        .await;
        Self { fake, renewals, refuses }
    }

    fn definition(&self) -> Value {
        let url = &self.fake.url;
        json!({
            "name": "Long",
            "oauth2": {
                "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
                "token_endpoint_auth_method": "client_secret_post",
                "exchange": {
                    "endpoint": format!("{url}/long"), "method": "GET", "authentication": "client_secret_query",
                    "params": { "grant": "long", "token": "{access_token}" },
                },
                "refresh": "access_token", "refresh_endpoint": format!("{url}/renew"), "refresh_method": "GET",
                "refresh_endpoint_auth_method": "none", "refresh_params": { "token": "{access_token}" },
            },
            "api": { "base_url": format!("{url}/v1") },
            "profile": { "url": format!("{url}/v1/me"), "account_id": "id" },
        })
    }

    fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_short_token_becomes_a_long_one_that_is_renewed_before_its_end() {
    let (world, provider) = (World::new().await, LongLived::start().await);
    world.custom("long", &provider.definition(), true).await;
    let key = world.allow("long").await;
    assert_eq!(world.through("long", "things", &key).await.json()["token"], "0");
    world.turn(47 * DAY + Duration::from_mins(24 * 60 - 1));
    assert_eq!(world.through("long", "things", &key).await.json()["token"], "0", "more than a fifth is left");
    world.turn(Duration::from_mins(1));
    assert_eq!(world.through("long", "things", &key).await.json()["token"], "1");
    assert_eq!(world.through("long", "things", &key).await.json()["token"], "1");
    let renewed = provider.fake.seen().into_iter().find(|seen| seen.target.starts_with("/renew")).unwrap();
    assert_eq!(renewed.method, "GET");
    assert!(!renewed.target.contains("client_secret"), "{}", renewed.target);
}

#[tokio::test]
async fn a_token_that_nobody_uses_is_renewed_by_the_keeper() {
    let (world, provider) = (World::new().await, LongLived::start().await);
    world.custom("long", &provider.definition(), true).await;
    let key = world.allow("long").await;
    let renewed = Round { renewed: 1, ..Round::default() };
    for expected in 1..4 {
        world.turn(47 * DAY);
        assert_eq!(world.keep().await, Round::default());
        world.turn(DAY);
        assert_eq!(world.keep().await, renewed);
        assert_eq!(world.keep().await, Round::default(), "the next time is far away");
        assert_eq!(provider.renewals(), expected);
    }
    // used in between, it is only looked at: its day is a lower bound
    world.turn(48 * DAY);
    assert_eq!(world.through("long", "things", &key).await.json()["token"], "4");
    assert_eq!(world.keep().await, Round::default());
    assert_eq!(provider.renewals(), 4);
    world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await;
    world.turn(60 * DAY);
    assert_eq!(world.keep().await, Round::default(), "what was deleted is not looked for");
}

#[tokio::test]
async fn a_renewal_that_fails_in_time_costs_nobody_a_call() {
    let (world, provider) = (World::new().await, LongLived::start().await);
    world.custom("long", &provider.definition(), true).await;
    let key = world.allow("long").await;
    *provider.refuses.lock().unwrap() = true;
    world.turn(50 * DAY);
    let asked = || provider.fake.seen().iter().filter(|seen| seen.target.starts_with("/renew")).count();
    for _ in 0..3 {
        assert_eq!(world.through("long", "things", &key).await.json()["token"], "0", "the old one still does");
    }
    assert_eq!(asked(), 1, "and the provider is not asked with each call");
    assert_eq!(world.keep().await, Round::default());
    world.turn(11 * DAY);
    assert_eq!(world.through("long", "things", &key).await.refusal(), (409, "needs_reauth".to_owned()));
    assert_eq!(world.keep().await, Round::default());
}

#[tokio::test]
async fn a_refresh_token_that_dies_unused_is_used_before_that() {
    let world = World::new().await;
    let count = Arc::new(AtomicU64::new(0));
    let given = Arc::clone(&count);
    let provider = Fake::start(move |seen| match seen.target.as_str() {
        "/token" => {
            let number = given.fetch_add(1, Ordering::SeqCst);
            let tokens = [format!("canary-access-{number}"), format!("canary-refresh-{number}")];
            said(200, &json!({ "access_token": tokens[0], "refresh_token": tokens[1], "expires_in": 3600 }))
        }
        _ => said(200, &json!({ "id": "u1" })),
    })
    .await;
    let url = &provider.url;
    let definition = json!({
        "name": "Month",
        "oauth2": {
            "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
            "refresh_token_expires_in": 30 * 24 * 3600,
        },
        "api": { "base_url": format!("{url}/v1") },
    });
    world.custom("month", &definition, true).await;
    world.allow("month").await;
    world.turn(23 * DAY + Duration::from_millis(86_399_999));
    assert_eq!(world.keep().await, Round::default());
    world.turn(Duration::from_millis(1));
    assert_eq!(world.keep().await, Round { renewed: 1, ..Round::default() });
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_an_id_token_says_is_kept_and_the_state_goes_along_with_the_code() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let world = World::new().await;
    let id_token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(r#"{"realm":{"id":"r7"}}"#));
    let provider = Fake::start(move |seen| match seen.target.as_str() {
        "/token" => said(200, &json!({ "access_token": "canary-access", "id_token": id_token })),
        _ => said(200, &json!({ "asked": seen.target })),
    })
    .await;
    let url = &provider.url;
    let definition = json!({
        "name": "Realms",
        "oauth2": {
            "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
            "scopes": ["a", "b"], "token_params": { "state": "{state}", "asked": "{scope}" },
        },
        "captures": { "id_token": { "realm": "realm.id", "zone": "zone" }, "defaults": { "zone": "eu" }, "patterns": { "zone": "[a-z]+" } },
        "api": { "base_url": format!("{url}/{{zone}}/{{realm}}") },
    });
    world.custom("realms", &definition, true).await;
    let key = world.allow("realms").await;
    assert_eq!(world.through("realms", "me", &key).await.json()["asked"], "/eu/r7/me");
    let asked = provider.seen().into_iter().find(|seen| seen.target == "/token").unwrap();
    let form: std::collections::BTreeMap<String, String> =
        url::form_urlencoded::parse(&asked.body).into_owned().collect();
    assert_eq!(form["asked"], "a b");
    assert!(form["state"].starts_with("realms.att_"), "{form:?}");
    let row = world.dump_of(&["connections"]).await;
    assert!(row.values().all(|item| !item.contains(&form["state"])), "it is not kept");
}

#[tokio::test]
async fn a_short_token_that_is_not_exchanged_makes_no_connection() {
    let (log, _logging) = Log::start();
    let (world, provider) = (World::new().await, LongLived::start().await);
    let mut definition = provider.definition();
    definition["oauth2"]["exchange"]["authentication"] = json!("none");
    world.custom("long", &definition, true).await;
    let session = json!({ "identity": USER, "connectors": ["long"] });
    let link = world.post("/v1/connect/sessions", &session).await.member("url");
    let browser = world.browser();
    let page = browser.enter(&link).await;
    let attempt = Attempt::of(&browser.submit(page.form("/connect/long")).await.location());
    browser.open(&attempt.start_url).await;
    let (base, project) = (world.base(), world.project());
    let callback = format!("{base}/connectors/long-{project}/oauth/callback?code=c&state={}", attempt.state);
    browser.end_at(&callback).await;
    assert!(world.connections().await.is_empty());
    for line in log.lines() {
        assert!(!line.contains("canary-"), "{line}");
    }
}
