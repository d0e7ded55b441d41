//! Client credentials (RFC 6749 §4.4): the person types a client of their own, and a token is asked for as often as it is needed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::world::{Answer, Fake, Log, Seen, USER, World};

/// A provider that counts the tokens it gives, and takes the newest alone.
pub struct Issuer {
    pub fake: Fake,
    given: Arc<AtomicU64>,
    /// From this one on it honours them.
    honoured: Arc<AtomicU64>,
}

pub fn said(status: u16, body: &Value) -> Response {
    (axum::http::StatusCode::from_u16(status).unwrap(), axum::Json(body.clone())).into_response()
}

impl Issuer {
    /// `right` says whether a token request is one that is granted, and else with which code it is refused.
    pub async fn start(right: impl Fn(&Seen) -> Result<(), &'static str> + Send + Sync + 'static) -> Self {
        let (given, honoured) = <(Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let (count, least) = (Arc::clone(&given), Arc::clone(&honoured));
        let fake = Fake::start(move |seen| {
            if seen.target.starts_with("/token") {
                return match right(seen) {
                    Ok(()) => {
                        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                        let token = format!("canary-minted-{number}");
                        said(200, &json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }))
                    }
                    Err(code) => said(401, &json!({ "error": code })),
                };
            }
            let token = seen.header("authorization").and_then(|line| line.strip_prefix("Bearer canary-minted-"));
            match token.and_then(|number| number.parse::<u64>().ok()) {
                Some(number) if number > least.load(Ordering::SeqCst) => said(
                    200,
                    &json!({ "id": "account-1", "mail": "ada@minted.example", "token": number, "asked": seen.target }),
                ),
                _ => said(401, &json!({ "error": "invalid_token" })),
            }
        })
        .await;
        Self { fake, given, honoured }
    }

    pub fn url(&self) -> &str {
        &self.fake.url
    }

    pub fn given(&self) -> u64 {
        self.given.load(Ordering::SeqCst)
    }

    /// No longer honours what it has given.
    pub fn forget(&self) {
        self.honoured.store(self.given(), Ordering::SeqCst);
    }

    /// The forms that were sent to the token endpoint.
    pub fn forms(&self) -> Vec<Vec<(String, String)>> {
        let asked = self.fake.seen().into_iter().filter(|seen| seen.target.starts_with("/token"));
        asked.map(|seen| url::form_urlencoded::parse(&seen.body).into_owned().collect()).collect()
    }
}

impl World {
    /// Connects with typed credentials, by the app's back end.
    pub async fn type_in(&self, connector: &str, credentials: &Value) -> Answer {
        let body = json!({ "credentialType": "apiKey", "userId": USER, "credentials": credentials });
        self.post(&format!("/connectors/{connector}/credentials"), &body).await
    }

    /// A call through a connection.
    pub async fn through(&self, connector: &str, path: &str, key: &str) -> Answer {
        let call = self.api("GET", &format!("/v1/passthrough/{connector}/{path}"));
        call.header("x-one-connection-key", key).send().await
    }
}

async fn issuer() -> Issuer {
    Issuer::start(|seen| match seen.header("authorization") {
        Some("Basic bXktaWQ6Y2FuYXJ5LW15LXNlY3JldA==") => Ok(()), // my-id:canary-my-secret
        _ => Err("invalid_client"),
    })
    .await
}

fn definition(url: &str) -> Value {
    json!({
        "name": "Minted",
        "inputs": [
            { "name": "client_id", "label": "Client id" },
            { "name": "client_secret", "label": "Client secret", "secret": true },
            { "name": "audience", "label": "Audience", "optional": true },
        ],
        "oauth2": {
            "grant": "client_credentials", "token_endpoint": format!("{url}/token"), "refresh": "remint",
            "scopes": ["read", "write"], "token_params": { "audience": "{audience}", "for": "{scope}" },
        },
        "api": { "base_url": format!("{url}/v1") },
        "profile": { "url": format!("{url}/v1/me"), "account_id": "id", "email": "mail" },
    })
}

fn typed(secret: &str) -> Value {
    json!({ "client_id": "my-id", "client_secret": secret })
}

#[tokio::test]
async fn a_typed_client_gets_a_token_and_another_when_that_ends() {
    let (world, issuer) = (World::new().await, issuer().await);
    world.custom("minted", &definition(issuer.url()), false).await;
    let connected = world.type_in("minted", &typed("canary-my-secret")).await;
    assert_eq!(connected.status, 201, "{}", connected.text());
    let key = connected.member("connectionId");
    let expected = [("grant_type", "client_credentials"), ("scope", "read write"), ("for", "read write")];
    assert_eq!(issuer.forms(), [expected.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec()]);
    let row = &world.connections().await[0];
    assert_eq!(
        (&row["name"], &row["scopes"]),
        (
            &json!("ada@minted.example"),
            &json!({ "requested": ["read", "write"], "granted": ["read", "write"], "missing": [] })
        )
    );

    assert_eq!(world.through("minted", "things", &key).await.json()["token"], 1);
    world.turn(Duration::from_secs(3589));
    assert_eq!(world.through("minted", "things", &key).await.json()["token"], 1, "eleven seconds are left");
    world.turn(Duration::from_secs(1));
    assert_eq!(world.through("minted", "things", &key).await.json()["token"], 2);
    issuer.forget();
    assert_eq!(world.through("minted", "things", &key).await.json()["token"], 3, "renewed at a 401");
    assert_eq!(issuer.given(), 3);
}

#[tokio::test]
async fn many_calls_at_once_ask_for_one_token() {
    let (world, issuer) = (World::new().await, issuer().await);
    world.custom("minted", &definition(issuer.url()), false).await;
    let key = world.type_in("minted", &typed("canary-my-secret")).await.member("connectionId");
    world.turn(Duration::from_hours(1));
    let calls = (0..16).map(|_| world.through("minted", "things", &key));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!((answer.status, &answer.json()["token"]), (200, &json!(2)));
    }
    assert_eq!(issuer.given(), 2);
}

#[tokio::test]
async fn a_client_that_is_refused_is_told_and_not_stored() {
    let (world, issuer) = (World::new().await, issuer().await);
    world.custom("minted", &definition(issuer.url()), false).await;
    let refused = world.type_in("minted", &typed("canary-wrong-secret")).await;
    assert_eq!(refused.refusal(), (422, "invalid_credentials".to_owned()));
    assert!(world.connections().await.is_empty());

    // on our page beside the field that is wrong
    let session = json!({ "identity": USER, "connectors": ["minted"] });
    let link = world.post("/v1/connect/sessions", &session).await.member("url");
    let browser = world.browser();
    let page = browser.enter(&link).await;
    assert!(page.text().contains("Audience <span class=\"optional\">(optional)</span>"), "{}", page.text());
    let form = page.form("/connect/minted").with("input_client_id", "my-id").with("input_audience", "");
    let again = browser.submit(form.with("input_client_secret", "canary-wrong-secret")).await;
    assert_eq!(again.refusal(), (422, "invalid_credentials".to_owned()));
    let text = again.text();
    assert!(text.contains("id=\"fault_client_secret\">Minted does not accept this."), "{text}");
    assert!(!text.contains("fault_client_id") && !text.contains("canary-wrong-secret"), "{text}");
}

#[tokio::test]
async fn a_client_that_was_taken_back_needs_the_person_again() {
    let (world, issuer) = (World::new().await, issuer().await);
    let mut definition = definition(issuer.url());
    world.custom("minted", &definition, false).await;
    let key = world.type_in("minted", &typed("canary-my-secret")).await.member("connectionId");
    world.turn(Duration::from_hours(1));
    definition["oauth2"]["token_endpoint_auth_method"] = json!("client_secret_post");
    world.custom("minted", &definition, false).await; // which this provider refuses
    world.turn(Duration::from_mins(1));
    for _ in 0..2 {
        assert_eq!(world.through("minted", "things", &key).await.refusal(), (409, "needs_reauth".to_owned()));
    }
    assert_eq!(issuer.forms().len(), 2, "asked once and then no more");
}

#[tokio::test]
async fn nothing_secret_is_written_down() {
    let (log, _logging) = Log::start();
    let (world, issuer) = (World::new().await, issuer().await);
    world.custom("minted", &definition(issuer.url()), false).await;
    world.type_in("minted", &typed("canary-wrong-secret")).await;
    let key = world.type_in("minted", &typed("canary-my-secret")).await.member("connectionId");
    world.turn(Duration::from_hours(1));
    assert_eq!(world.through("minted", "things", &key).await.status, 200);
    for (item, text) in world.dump().await {
        assert!(!text.contains("canary-"), "{item:?}: {text}");
    }
    for line in log.lines() {
        assert!(!line.contains("canary-"), "{line}");
    }
}
