//! `POST /connectors/{connector}/credentials` by authorization, and the redemption of its code.

use serde_json::{Value, json};

use crate::{
    link::works_until_it_is_deleted,
    world::{Answer, Attempt, LABEL, Shape, USER, World, query},
};

/// The code and state that came back to the app.
fn code_and_state(landed: &Answer, world: &World) -> (String, String) {
    let location = landed.location();
    assert!(location.starts_with(&format!("{}?code=", world.redirect_uri())), "{location}");
    (query(&location, "code").unwrap(), query(&location, "state").unwrap())
}

fn refused(answer: &Answer) -> (u16, String, String, String) {
    let text = |name: &str| answer.member(name);
    assert_eq!(text("message"), text("error_description"));
    (answer.status, text("error"), text("code"), text("requestId")).clone()
}

#[tokio::test]
async fn an_app_that_vouches_redeems_the_code_for_its_own_user() {
    let world = World::new().await;
    world.vouch().await;
    let body = json!({ "connectorId": "acme", "credentialType": "oauth2", "redirectUri": world.redirect_uri(), "userId": USER });
    let created = world.post("/connectors/acme/credentials", &body).await;
    let (url, credential) = (created.member("oauthUrl"), created.member("credentialId"));
    assert_eq!((created.status, created.json()), (201, json!({ "oauthUrl": url, "credentialId": credential })));

    let (browser, attempt) = (world.browser(), Attempt::of(&url));
    let callback = world.consent(&browser, &attempt, "alice").await;
    let (code, state) = code_and_state(&browser.open(&callback).await, &world);
    assert_eq!(state, attempt.state, "the state that the app was given");

    // what is wrong is told, and costs nothing
    for (user, status, error) in [(None, 400, "user_id_required"), (Some("mallory"), 403, "identity_mismatch")] {
        let answer = world.redeem(&code, &state, user).await;
        let (said_status, said, upper, _) = refused(&answer);
        assert_eq!((said_status, said.as_str(), upper), (status, error, error.to_uppercase()), "{user:?}");
        assert_eq!(world.connections().await, [] as [Value; 0]);
    }

    let redeemed = world.redeem(&code, &state, Some(USER)).await;
    let key = redeemed.member("connectionId");
    let expected = json!({ "connectionId": key, "credentialId": credential, "status": "connected" });
    assert_eq!((redeemed.status, redeemed.json()), (200, expected));
    assert_eq!(redeemed.header("x-api-version"), Some("2025-09"));
    works_until_it_is_deleted(&world, &key).await;
}

#[tokio::test]
async fn where_the_app_vouches_for_nobody_the_person_confirms_all_the_same() {
    let world = World::new().await;
    world.vouch().await;
    let body = json!({ "credentialType": "oauth2", "redirectUri": world.redirect_uri() });
    let attempt = Attempt::of(&world.post("/connectors/acme/credentials", &body).await.member("oauthUrl"));
    let browser = world.browser();
    let landed = browser.open(&world.consent(&browser, &attempt, "alice").await).await;
    assert_eq!(landed.location(), attempt.path("confirm"));
    assert!(browser.open(&landed.location()).await.text().contains("everyone in Orbit CRM"));
}

#[tokio::test]
async fn in_any_other_project_the_person_confirms_and_then_the_app_has_its_code() {
    for user in [None, Some(USER)] {
        let world = World::new().await;
        let browser = world.browser();
        let (attempt, landed) = world.hold(Shape::Credentials, &browser).await;
        assert_eq!(landed.location(), attempt.path("confirm"));
        assert!(browser.open(&landed.location()).await.text().contains(LABEL));
        let confirmed = world.confirm(&browser, &attempt).await;
        assert_eq!(confirmed.status, 303);
        let (code, state) = code_and_state(&confirmed, &world);

        let other = world.redeem(&code, &state, Some("mallory")).await;
        assert_eq!(other.refusal(), (403, "identity_mismatch".to_owned()));
        let redeemed = world.redeem(&code, &state, user).await;
        assert_eq!(redeemed.status, 200, "{}", redeemed.text());
        works_until_it_is_deleted(&world, &redeemed.member("connectionId")).await;
    }
}

#[tokio::test]
async fn both_addresses_and_both_bodies_are_read() {
    let world = World::new().await;
    world.vouch().await;
    let body = json!({ "authenticationType": "oauth2", "redirectUri": world.redirect_uri(), "userId": USER });
    let url = world.post("/api/v1/connectors/acme/credentials/", &body).await.member("oauthUrl");
    let (browser, attempt) = (world.browser(), Attempt::of(&url));
    let callback = world.consent(&browser, &attempt, "alice").await;
    let (code, state) = code_and_state(&browser.open(&callback).await, &world);
    let form = [("code", code.as_str()), ("state", &state), ("userId", USER)];
    let redeemed = world.api("POST", "/api/v1/connectors/acme/credentials/callback").form(&form).send().await;
    assert_eq!((redeemed.status, redeemed.member("status").as_str()), (200, "connected"));
}

#[tokio::test]
async fn a_refusal_comes_back_with_the_state() {
    let world = World::new().await;
    for vouches in [false, true] {
        if vouches {
            world.vouch().await;
        }
        let browser = world.browser();
        let attempt = world.begin(Shape::Credentials, &browser).await;
        let url = browser.open(&attempt.start_url).await.location();
        let refused = browser.open(&world.decide_at_acme(&browser, &url, "alice", "deny").await).await;
        let state = url::form_urlencoded::byte_serialize(attempt.state.as_bytes()).collect::<String>();
        let expected = format!(
            "{}?error=access_denied&error_description=the+person+did+not+agree&state={state}",
            world.redirect_uri()
        );
        assert_eq!((refused.status, refused.location()), (302, expected), "vouches: {vouches}");
    }
}

#[tokio::test]
async fn a_deleted_connection_is_not_redeemed() {
    let world = World::new().await;
    let browser = world.browser();
    let (attempt, _) = world.hold(Shape::Credentials, &browser).await;
    let (code, state) = code_and_state(&world.confirm(&browser, &attempt).await, &world);
    let key = world.connections().await[0]["key"].as_str().unwrap().to_owned();
    world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await;
    let (status, error, code, _) = refused(&world.redeem(&code, &state, Some(USER)).await);
    let expected = (404, "connection_not_found".to_owned(), "CONNECTION_NOT_FOUND".to_owned());
    assert_eq!((status, error, code), expected);
}

#[tokio::test]
async fn a_code_works_for_five_minutes() {
    let world = World::new().await;
    world.vouch().await;
    let browser = world.browser();
    let (_, landed) = world.hold(Shape::Credentials, &browser).await;
    let (code, state) = code_and_state(&landed, &world);
    world.turn(std::time::Duration::from_mins(5));
    let (status, error, upper, _) = refused(&world.redeem(&code, &state, Some(USER)).await);
    assert_eq!((status, error.as_str(), upper.as_str()), (400, "invalid_grant", "INVALID_GRANT"));
    assert_eq!(world.connections().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_credential_is_refused_with_the_reason() {
    let world = World::new().await;
    let good = world.redirect_uri();
    let table = [
        ("acme", json!({ "redirectUri": good }), 400, "invalid_request"),
        ("acme", json!({ "credentialType": "oauth2" }), 400, "invalid_request"),
        ("acme", json!({ "credentialType": "oauth2", "redirectUri": format!("{good}/") }), 400, "invalid_redirect_uri"),
        (
            "acme",
            json!({ "credentialType": "oauth2", "redirectUri": format!("{good}?a=1") }),
            400,
            "invalid_redirect_uri",
        ),
        (
            "acme",
            json!({ "credentialType": "oauth2", "redirectUri": "https://evil.example" }),
            400,
            "invalid_redirect_uri",
        ),
        (
            "acme",
            json!({ "credentialType": "oauth2", "redirectUri": good, "connectorId": "slack" }),
            400,
            "invalid_request",
        ),
        ("acme", json!({ "credentialType": "apiKey", "credentials": {} }), 400, "unsupported_credential_type"),
        ("openai", json!({ "credentialType": "oauth2", "redirectUri": good }), 400, "unsupported_credential_type"),
        ("openai", json!({ "credentialType": "telepathy", "credentials": {} }), 400, "unsupported_credential_type"),
        ("openai", json!({ "credentialType": "apiKey", "credentials": {} }), 400, "invalid_request"),
        ("nobodys", json!({ "credentialType": "oauth2", "redirectUri": good }), 404, "connector_not_found"),
        ("slack", json!({ "credentialType": "oauth2", "redirectUri": good }), 409, "client_not_configured"),
    ];
    for (connector, body, status, error) in table {
        let answer = world.post(&format!("/connectors/{connector}/credentials"), &body).await;
        let (said_status, said, upper, _) = refused(&answer);
        assert_eq!((said_status, said.as_str(), upper), (status, error, error.to_uppercase()), "{connector} {body}");
    }
}
