//! `GET /connectors/{connector}/oauth/authorize`: an authorization URL for a front end, and the way back to it.

use serde_json::json;

use crate::{
    link::works_until_it_is_deleted,
    world::{Attempt, Shape, USER, World, query},
};

const PREFIXES: [&str; 2] = ["", "/api/v1"];

#[tokio::test]
async fn an_authorization_url_leads_to_a_connection() {
    for prefix in PREFIXES {
        let world = World::new().await;
        let answer = world.get(&format!("{prefix}/connectors/acme/oauth/authorize?userId={USER}")).await;
        let url = answer.member("authorizationUrl");
        let attempt = Attempt::of(&url);
        let expected = json!({ "success": true, "authorizationUrl": url, "state": attempt.state });
        let content_type = answer.header("content-type");
        assert_eq!((answer.status, answer.json(), content_type), (200, expected, Some("application/json")), "{prefix}");
        assert!(url.starts_with(&format!("{}/connect/start/{}?state=acme.", world.base(), attempt.id)), "{url}");

        let browser = world.browser();
        let callback = world.consent(&browser, &attempt, "alice").await;
        assert!(callback.starts_with(&format!("{}/connectors/acme/oauth/callback?", world.base())), "{callback}");
        let landed = browser.open(&callback).await;
        assert_eq!((landed.status, landed.location()), (302, attempt.path("confirm")), "{prefix}");
        let confirmed = world.confirm(&browser, &attempt).await;
        assert_eq!((confirmed.status, confirmed.location()), (303, attempt.path("outcome")));
        assert!(browser.open(&confirmed.location()).await.text().contains("<h1>Connected</h1>"));

        let rows = world.connections().await;
        works_until_it_is_deleted(&world, rows[0]["key"].as_str().unwrap()).await;
    }
}

/// A provider client that was registered before names the redirect URI that all connectors share, under either address.
#[tokio::test]
async fn a_client_that_is_registered_with_the_common_redirect_uri_keeps_it() {
    for prefix in PREFIXES {
        let world = World::new().await;
        let path = "/v1/admin/connectors/acme";
        let decided = world.root("GET", path, None).await.json();
        assert_eq!(decided["redirect_uri"], json!(format!("{}/connectors/acme/oauth/callback", world.base())));
        let body = json!({ "client_id": decided["client_id"], "callback": "common" });
        let decided = world.root("PUT", path, Some(&body)).await;
        assert_eq!((decided.status, decided.member("callback")), (200, "common".to_owned()), "{}", decided.text());
        assert_eq!(decided.member("redirect_uri"), format!("{}/connectors/oauth/callback", world.base()));

        let browser = world.browser();
        let attempt = world.begin(Shape::FrontEnd, &browser).await;
        let callback = world.consent(&browser, &attempt, "alice").await;
        assert!(callback.starts_with(&format!("{}/connectors/oauth/callback?", world.base())), "{callback}");
        let own = browser.open(&callback.replace("/connectors/", "/connectors/acme/")).await;
        assert_eq!(own.refusal(), (400, "answer_not_believed".to_owned()));
        let landed = browser.open(&callback.replace("/connectors/", &format!("{prefix}/connectors/"))).await;
        assert_eq!((landed.status, landed.location()), (302, attempt.path("confirm")), "{prefix}");
    }
}

#[tokio::test]
async fn with_a_front_end_the_browser_goes_back_there() {
    for prefix in PREFIXES {
        let world = World::new().await;
        let home = format!("{}/settings?tab=apps", world.app_origin());
        let encoded: String = url::form_urlencoded::byte_serialize(home.as_bytes()).collect();
        let path = format!("{prefix}/connectors/acme/oauth/authorize?baseUrl={encoded}&userId={USER}");
        let attempt = Attempt::of(&world.get(&path).await.member("authorizationUrl"));
        let browser = world.browser();
        let callback = world.consent(&browser, &attempt, "alice").await;
        browser.open(&callback).await;
        let location = world.confirm(&browser, &attempt).await.location();

        let rows = world.connections().await;
        let key = rows[0]["key"].as_str().unwrap();
        assert_eq!(location, format!("{home}&status=connected&connection={key}&connector=acme"));
        assert_eq!(browser.open(&callback).await.location(), location, "a reload leads there again");
        works_until_it_is_deleted(&world, key).await;
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_front_end_as_an_error() {
    let world = World::new().await;
    let path = format!("/connectors/acme/oauth/authorize?baseUrl={}", world.app_origin());
    let attempt = Attempt::of(&world.get(&path).await.member("authorizationUrl"));
    let browser = world.browser();
    let url = browser.open(&attempt.start_url).await.location();
    let callback = world.decide_at_acme(&browser, &url, "alice", "deny").await;
    assert_eq!((query(&callback, "error").as_deref(), query(&callback, "code")), (Some("access_denied"), None));
    let refused = browser.open(&callback).await;
    let expected = format!(
        "{}/?error=access_denied&error_description=the+person+did+not+agree&connector=acme",
        world.app_origin()
    );
    assert_eq!((refused.status, refused.location()), (302, expected));
    assert_eq!(world.grants(), [] as [&str; 0]);
}

#[tokio::test]
async fn without_a_front_end_the_result_is_our_page_sent_as_302_without_location() {
    let world = World::new().await;
    let browser = world.browser();
    let attempt = world.begin(Shape::FrontEnd, &browser).await;
    let url = browser.open(&attempt.start_url).await.location();
    let callback = world.decide_at_acme(&browser, &url, "alice", "deny").await;
    let refused = browser.open(&callback).await;
    let said = (refused.status, refused.header("location"), refused.header("content-type"));
    assert_eq!(said, (302, None, Some("text/html; charset=utf-8")));
    assert!(browser.end_at(&callback).await.text().contains("<h1>Not connected</h1>"), "{}", refused.text());

    let attempt = world.begin(Shape::FrontEnd, &browser).await;
    let callback = world.consent(&browser, &attempt, "alice").await;
    browser.open(&callback).await;
    world.confirm(&browser, &attempt).await;
    let connected = browser.open(&callback).await;
    assert_eq!((connected.status, connected.header("location")), (302, None));
    assert!(browser.end_at(&callback).await.text().contains("<h1>Connected</h1>"), "{}", connected.text());
}

#[tokio::test]
async fn a_failure_of_the_provider_is_told_apart_from_a_refusal() {
    use local::demo::provider::Endpoint;
    let world = World::new().await;
    let path = format!("/connectors/acme/oauth/authorize?baseUrl={}", world.app_origin());
    let table = [(503, "provider_failed"), (400, "provider_refused")];
    for (status, error) in table {
        let attempt = Attempt::of(&world.get(&path).await.member("authorizationUrl"));
        let browser = world.browser();
        let callback = world.consent(&browser, &attempt, "alice").await;
        world.server.provider.fail_next(Endpoint::Token, axum::http::StatusCode::from_u16(status).unwrap());
        let failed = browser.open(&callback).await;
        assert_eq!((failed.status, query(&failed.location(), "error")), (302, Some(error.to_owned())), "{status}");
        assert_eq!(browser.open(&callback).await.location(), failed.location(), "and stays so");
    }
    assert_eq!((world.connections().await.len(), world.grants().len()), (0, 0));
}

#[tokio::test]
async fn an_authorization_url_is_refused_with_the_reason() {
    let world = World::new().await;
    let table = [
        ("/connectors/nobodys/oauth/authorize", 404, "connector_not_found"),
        ("/connectors/Not%20An%20Id/oauth/authorize", 404, "connector_not_found"),
        ("/connectors/slack/oauth/authorize", 409, "client_not_configured"),
        ("/connectors/openai/oauth/authorize", 400, "invalid_request"),
        ("/connectors/acme/oauth/authorize?baseUrl=https://evil.example", 400, "invalid_base_url"),
        ("/connectors/acme/oauth/authorize?userId=a&user_id=b", 400, "invalid_request"),
        ("/connectors/acme/oauth/authorize?userId=a%00", 400, "invalid_request"),
        ("/connectors/acme/oauth/authorize?identity=a&identityType=robot", 400, "invalid_request"),
    ];
    for (path, status, error) in table {
        for prefix in PREFIXES {
            let answer = world.get(&format!("{prefix}{path}")).await;
            assert_eq!(answer.refusal(), (status, error.to_owned()), "{prefix}{path}");
        }
    }
}

#[tokio::test]
async fn the_whole_flow_stands_under_a_stage_prefix() {
    let world = World::with(|options| "/prod".clone_into(&mut options.base_path)).await;
    assert!(world.base().ends_with("/prod"));
    for shape in [Shape::OneTimeLink, Shape::SessionLink, Shape::FrontEnd] {
        let key = world.connect_account(shape).await;
        assert_eq!(world.me(&key).await.json()["id"], "usr_alice");
    }
}
