//! `GET /v1/connect/attempts/{id}`: how far an attempt is, to the session that started it and to its browser.

use std::time::Duration;

use axum::http::StatusCode;
use local::demo::provider::Endpoint;
use serde_json::{Value, json};

use crate::world::{Attempt, Browser, LABEL, USER, World, query};

/// A session, its browser, and the attempt that it began.
struct Watched {
    world: World,
    session: String,
    browser: Browser,
    attempt: Attempt,
}

impl Watched {
    async fn new() -> Self {
        let world = World::new().await;
        let body = json!({ "identity": USER, "identityLabel": LABEL, "connectors": ["acme"] });
        let answer = world.post("/v1/connect/sessions", &body).await;
        let browser = world.browser();
        let page = browser.enter(&answer.member("url")).await;
        let attempt = Attempt::of(&browser.submit(page.form("/connect/acme")).await.location());
        Self { session: answer.member("session"), world, browser, attempt }
    }

    /// What the session and the cookie are told, which is the same.
    async fn status(&self) -> Value {
        let path = format!("/v1/connect/attempts/{}", self.attempt.id);
        let told = self.world.call("GET", &path).bearer(&self.session).send().await;
        let url = format!("{}{path}", self.world.base());
        let seen = self.browser.fetch(&url).await;
        if self.browser.cookies().iter().any(|(name, _)| name.ends_with(&self.attempt.id)) {
            assert_eq!((seen.status, seen.json()), (told.status, told.json()));
        } else {
            assert_eq!(seen.refusal(), (401, "invalid_client".to_owned()));
        }
        assert_eq!(told.status, 200, "{}", told.text());
        told.json()
    }
}

#[tokio::test]
async fn each_step_is_told_and_connected_only_once_it_is() {
    let watched = Watched::new().await;
    let Watched { world, browser, attempt, .. } = &watched;
    assert_eq!(watched.status().await, json!({ "status": "pending" }), "made");
    let callback = world.consent(browser, attempt, "alice").await;
    assert_eq!(watched.status().await, json!({ "status": "pending" }), "started and consented");
    browser.open(&callback).await;
    assert_eq!(watched.status().await, json!({ "status": "held" }));
    world.confirm(browser, attempt).await;
    // a page is told what people know of an account, and nothing that only the app's back end is
    let mut connection = world.connections().await.remove(0);
    connection["account"] = json!({ "label": "Alice Archer", "email": "alice@acme.example" });
    connection.as_object_mut().unwrap().remove("values").unwrap();
    assert_eq!(watched.status().await, json!({ "status": "connected", "connection": connection }));
}

#[tokio::test]
async fn a_refusal_a_failure_and_the_end_of_the_time_are_told_apart() {
    let watched = Watched::new().await;
    let url = watched.browser.open(&watched.attempt.start_url).await.location();
    let callback = watched.world.decide_at_acme(&watched.browser, &url, "alice", "deny").await;
    watched.browser.open(&callback).await;
    assert_eq!(watched.status().await, json!({ "status": "denied", "error": "access_denied" }));

    let watched = Watched::new().await;
    let callback = watched.world.consent(&watched.browser, &watched.attempt, "alice").await;
    watched.browser.open(&callback).await;
    watched.world.decide(&watched.browser, &watched.attempt, "cancel").await;
    assert_eq!(watched.status().await, json!({ "status": "denied", "error": "access_denied" }));

    let watched = Watched::new().await;
    let callback = watched.world.consent(&watched.browser, &watched.attempt, "alice").await;
    watched.world.server.provider.fail_next(Endpoint::Token, StatusCode::BAD_GATEWAY);
    watched.browser.open(&callback).await;
    assert_eq!(watched.status().await, json!({ "status": "failed", "error": "provider_failed" }));

    let watched = Watched::new().await;
    watched.world.turn(Duration::from_mins(10));
    assert_eq!(watched.status().await, json!({ "status": "expired" }), "never started");

    let watched = Watched::new().await;
    let callback = watched.world.consent(&watched.browser, &watched.attempt, "alice").await;
    watched.browser.open(&callback).await;
    watched.world.turn(Duration::from_mins(10));
    assert_eq!(watched.status().await, json!({ "status": "expired" }), "never confirmed");
    watched.world.keep().await;
    assert_eq!(watched.status().await, json!({ "status": "expired" }), "and forgotten");
}

#[tokio::test]
async fn to_everybody_else_the_attempt_is_unknown() {
    let watched = Watched::new().await;
    let Watched { world, browser, attempt, .. } = &watched;
    browser.open(&world.consent(browser, attempt, "alice").await).await;
    let other = world.post("/v1/connect/sessions", &json!({ "identity": "bob" })).await.member("session");
    let path = format!("/v1/connect/attempts/{}", attempt.id);
    let told = [
        (world.call("GET", &path).bearer(&other).send().await, 404, "attempt_not_found"),
        (world.call("GET", &path).bearer("nobodys").send().await, 401, "invalid_client"),
        (world.get(&path).await, 401, "invalid_client"),
        (world.call("GET", &path).send().await, 401, "invalid_client"),
        (world.call("GET", &format!("{path}x")).bearer(&watched.session).send().await, 404, "attempt_not_found"),
        (world.call("GET", "/v1/connect/attempts/nonsense").bearer(&other).send().await, 404, "attempt_not_found"),
    ];
    for (answer, status, error) in told {
        assert_eq!(answer.refusal(), (status, error.to_owned()), "{}", answer.url);
    }
    // a page that was come back to has a new session of the same person
    let same = world.post("/v1/connect/sessions", &json!({ "identity": USER })).await.member("session");
    assert_eq!(world.call("GET", &path).bearer(&same).send().await.json(), json!({ "status": "held" }));
    let stranger = world.browser();
    let name = format!("__Host-mooring_{}", attempt.id);
    for value in ["", "guess", &"x".repeat(5000)] {
        stranger.plant(&name, value);
        let answer = stranger.fetch(&format!("{}{path}", world.base())).await;
        assert_eq!(answer.refusal(), (404, "attempt_not_found".to_owned()));
    }
}

#[tokio::test]
async fn a_code_is_never_told() {
    let world = World::new().await;
    world.vouch().await;
    let browser = world.browser();
    let (attempt, landed) = world.hold(crate::world::Shape::Credentials, &browser).await;
    let answer = browser.fetch(&format!("{}/v1/connect/attempts/{}", world.base(), attempt.id)).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "held" })));
    let code = query(&landed.location(), "code").unwrap();
    // nor does the browser get it a second time
    let again = browser.open(&attempt.path("outcome")).await;
    assert!(again.status == 200 && !again.text().contains(&code));
}

#[tokio::test]
async fn a_page_of_the_project_may_read_the_status_and_no_other() {
    let watched = Watched::new().await;
    let path = format!("/v1/connect/attempts/{}", watched.attempt.id);
    let own = watched.world.app_origin();
    for (origin, allowed) in [(own.as_str(), Some(own.as_str())), ("https://evil.example", None), ("null", None)] {
        let call = watched.world.call("GET", &path).bearer(&watched.session).header("origin", origin);
        assert_eq!(call.send().await.header("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn a_session_may_ask_until_its_attempt_has_ended() {
    let watched = Watched::new().await;
    // the session itself lasts five minutes, an attempt ten, and a held grant ten more
    watched.world.turn(Duration::from_secs(299 + 600));
    assert_eq!(watched.status().await, json!({ "status": "expired" }));
    watched.world.turn(Duration::from_secs(601));
    let path = format!("/v1/connect/attempts/{}", watched.attempt.id);
    let told = watched.world.call("GET", &path).bearer(&watched.session).send().await;
    assert_eq!(told.refusal(), (401, "invalid_client".to_owned()));
}
