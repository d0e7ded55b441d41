//! Logins: typed credentials, or a token, that become a session's token.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::response::Response;
use serde_json::{Value, json};

use crate::{
    client_credentials::said,
    world::{Fake, Log, Seen, World},
};

/// A provider with sessions: the newest counts, and the login says where the API is.
struct Sessions {
    fake: Fake,
    begun: Arc<AtomicU64>,
    over: Arc<AtomicU64>,
    tokens: Arc<AtomicU64>,
    locked: Arc<Mutex<bool>>,
}

fn login(seen: &Seen, number: u64) -> Response {
    let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let typed = body == json!({ "user": "ada", "password": "canary-password" });
    let token = seen.header("authorization").is_some_and(|line| line.starts_with("Bearer canary-token-"));
    if typed || token {
        return said(
            200,
            &json!({ "session": { "id": format!("canary-session-{number}"), "ttl": 600 }, "pod": format!("pod{number}") }),
        );
    }
    said(200, &json!({ "ok": false, "why": "bad_login" }))
}

impl Sessions {
    async fn start() -> Self {
        let (begun, over, tokens) = <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let locked = Arc::<Mutex<bool>>::default();
        let (count, least, given, closed) =
            (Arc::clone(&begun), Arc::clone(&over), Arc::clone(&tokens), Arc::clone(&locked));
        let fake = Fake::start(move |seen| match seen.target.as_str() {
            "/token" => {
                let number = given.fetch_add(1, Ordering::SeqCst) + 1;
                said(200, &json!({ "access_token": format!("canary-token-{number}"), "refresh_token": format!("canary-refresh-{number}"), "expires_in": 300 }))
            }
            "/login" if *closed.lock().unwrap() => said(403, &json!({})),
            "/login" => login(seen, count.fetch_add(1, Ordering::SeqCst) + 1),
            _ => {
                let number = seen.header("x-session").and_then(|line| line.strip_prefix("canary-session-"));
                match number.and_then(|number| number.parse::<u64>().ok()) {
                    Some(number) if number > least.load(Ordering::SeqCst) => {
                        said(200, &json!({ "id": "u1", "session": number, "asked": seen.target }))
                    }
                    _ => said(401, &json!({})),
                }
            }
        })
        .await;
        Self { fake, begun, over, tokens, locked }
    }

    fn definition(&self, login: &Value) -> Value {
        let url = &self.fake.url;
        let mut all = json!({
            "url": format!("{url}/login"), "token": "session.id", "expires_in": "session.ttl",
            "error_signal": { "path": "ok", "equals": "false", "code": "why" },
        });
        all.as_object_mut().unwrap().extend(login.as_object().unwrap().clone());
        json!({
            "name": "Sessions", "login": all,
            "captures": { "login_response": { "pod": "pod", "zone": "zone" }, "patterns": { "pod": "[a-z0-9]+", "zone": "[a-z]+" }, "defaults": { "zone": "main" } },
            "api": { "base_url": format!("{url}/v1/{{zone}}/{{pod}}"), "credential": { "in": "header", "name": "X-Session", "value": "{session_token}" } },
            "profile": { "url": format!("{url}/v1/me"), "account_id": "id" },
        })
    }

    fn typed(&self) -> Value {
        let mut definition = self.definition(&json!({ "params": { "user": "{user}", "password": "{password}" } }));
        definition["inputs"] = json!([
            { "name": "user", "label": "User" }, { "name": "password", "label": "Password", "secret": true },
        ]);
        definition
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// Ends every session.
    fn end(&self) {
        self.over.store(self.begun(), Ordering::SeqCst);
    }
}

fn password(text: &str) -> Value {
    json!({ "user": "ada", "password": text })
}

#[tokio::test]
async fn typed_credentials_become_a_session_and_another_when_that_ends() {
    let (world, provider) = (World::new().await, Sessions::start().await);
    world.custom("sessions", &provider.typed(), false).await;
    let connected = world.type_in("sessions", &password("canary-password")).await;
    assert_eq!(connected.status, 201, "{}", connected.text());
    let key = connected.member("connectionId");
    let called = world.through("sessions", "things", &key).await.json();
    assert_eq!((&called["session"], &called["asked"]), (&json!(1), &json!("/v1/main/pod1/things")));
    world.turn(Duration::from_secs(590));
    let called = world.through("sessions", "things", &key).await.json();
    assert_eq!(
        (&called["session"], &called["asked"]),
        (&json!(2), &json!("/v1/main/pod2/things")),
        "and where it leads"
    );
    provider.end();
    let calls = (0..8).map(|_| world.through("sessions", "things", &key));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!((answer.status, &answer.json()["session"]), (200, &json!(3)));
    }
    assert_eq!(provider.begun(), 3, "one login for all of them");
}

#[tokio::test]
async fn a_password_that_is_refused_is_told_and_one_that_was_changed_needs_the_person() {
    let (log, _logging) = Log::start();
    let (world, provider) = (World::new().await, Sessions::start().await);
    world.custom("sessions", &provider.typed(), false).await;
    let refused = world.type_in("sessions", &password("canary-wrong")).await;
    assert_eq!(refused.refusal(), (422, "invalid_credentials".to_owned()));
    assert!(world.connections().await.is_empty());

    let key = world.type_in("sessions", &password("canary-password")).await.member("connectionId");
    *provider.locked.lock().unwrap() = true;
    world.turn(Duration::from_mins(10));
    for _ in 0..2 {
        assert_eq!(world.through("sessions", "things", &key).await.refusal(), (409, "needs_reauth".to_owned()));
    }
    for text in world.dump().await.into_values().chain(log.lines()) {
        assert!(!text.contains("canary-"), "{text}");
    }
}

#[tokio::test]
async fn a_token_behind_a_session_is_renewed_first_when_it_has_ended_too() {
    let (world, provider) = (World::new().await, Sessions::start().await);
    let mut definition = provider.definition(&json!({ "credential": { "in": "header" } }));
    let url = &provider.fake.url;
    definition["oauth2"] =
        json!({ "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token") });
    world.custom("sessions", &definition, true).await;
    let key = world.allow("sessions").await;
    world.turn(Duration::from_secs(400));
    assert_eq!(
        world.through("sessions", "things", &key).await.json()["session"],
        1,
        "the session lives on without its token"
    );
    assert_eq!(provider.tokens.load(Ordering::SeqCst), 1);
    world.turn(Duration::from_secs(200));
    assert_eq!(world.through("sessions", "things", &key).await.json()["session"], 2);
    assert_eq!(provider.tokens.load(Ordering::SeqCst), 2);
    provider.end();
    assert_eq!(world.through("sessions", "things", &key).await.json()["session"], 3);
    assert_eq!(provider.tokens.load(Ordering::SeqCst), 2, "the token behind it is still good");
}
