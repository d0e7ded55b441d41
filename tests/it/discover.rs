//! A connector by an issuer alone: what an authorization server says of itself, good and bad.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};
use shared::id::{Environment, Role};

use crate::world::{AuthorizationServer, USER, World};

/// What is done to a metadata document.
type Change = fn(&mut Value);

/// The whole flow with a discovered connector, up to the connection; its key.
pub async fn connected(world: &World, server: &AuthorizationServer, id: &str) -> String {
    let body = json!({ "identity": USER, "connectors": [id] });
    let link = world.post("/v1/connect/sessions", &body).await.member("url");
    let browser = world.browser();
    let page = browser.enter(&link).await;
    let begun = browser.submit(page.form(&format!("/connect/{id}"))).await;
    let attempt = crate::world::Attempt::of(&begun.location());
    let started = browser.open(&attempt.start_url).await;
    assert!(started.location().starts_with(server.url()), "{}", started.location());
    let callback = crate::world::query(&started.location(), "redirect_uri").unwrap();
    let answer = format!("{callback}?code=canary-code-good&state={}&iss={}", attempt.state, server.url());
    let held = browser.open(&answer).await;
    assert_eq!(held.status, 302, "{}", held.text());
    let confirmed = world.confirm(&browser, &attempt).await;
    assert_eq!(confirmed.status, 303, "{}", confirmed.text());
    let status = browser.fetch(&format!("{}/v1/connect/attempts/{}", world.base(), attempt.id)).await.json();
    status["connection"]["key"].as_str().unwrap_or_else(|| panic!("{status}")).to_owned()
}

#[tokio::test]
async fn an_issuer_alone_makes_a_connector_that_works() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    let made = world.discover(&json!({ "issuer": server.url(), "id": "unknown", "name": "Unknown" })).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let said = made.json();
    assert_eq!((&said["outcome"], &said["id"], &said["name"]), (&json!("made"), &json!("unknown"), &json!("Unknown")));
    assert_eq!(said["hosts"], json!([server.url()]));
    assert_eq!(said["clients"]["test"]["is"], "registered");
    assert_eq!(said["clients"]["live"]["is"], "registered");
    assert_ne!(said["clients"]["test"]["client_id"], said["clients"]["live"]["client_id"]);
    assert_eq!(said["documents"], json!([format!("{}/.well-known/openid-configuration", server.url())]));
    assert_eq!(said["definition"]["oauth2"]["scopes"], json!(["openid", "email", "offline_access"]));
    assert!(!made.text().contains("canary"), "{}", made.text());

    connected(&world, &server, "unknown").await;
    let rows = world.connections().await;
    assert_eq!(rows[0]["account"]["email"], "alice@as.example");
}

#[tokio::test]
async fn again_finds_the_same_connector() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    let body = json!({ "issuer": server.url(), "id": "unknown" });
    let first = world.discover(&body).await.json();
    let again = world.discover(&body).await;
    assert_eq!((again.status, &again.json()["outcome"]), (200, &json!("unchanged")));
    assert_eq!(again.json()["clients"], first["clients"]);
    assert_eq!(server.turn(|knobs| knobs.registered), 2, "one for each environment");

    // what is new is taken over while nothing hangs on it
    server.say(|metadata| metadata["scopes_supported"] = json!(["openid"]));
    let changed = world.discover(&body).await;
    assert_eq!((changed.status, &changed.json()["outcome"]), (200, &json!("updated")));
    assert_eq!(changed.json()["definition"]["oauth2"]["scopes"], json!(["openid"]));

    connected(&world, &server, "unknown").await;
    assert_eq!(world.discover(&body).await.json()["outcome"], "unchanged");
    server.say(|metadata| {
        let token = metadata["token_endpoint"].as_str().unwrap().replace("/token", "/elsewhere");
        metadata["token_endpoint"] = token.into();
    });
    let refused = world.discover(&body).await;
    assert_eq!(refused.refusal(), (409, "connector_in_use".to_owned()));
    let said = refused.member("error_description");
    assert!(said.contains("oauth2.token_endpoint") && said.contains("oauth2.scopes"), "{said}");
}

#[tokio::test]
async fn a_document_that_is_not_to_be_acted_upon_is_named_with_the_reason() {
    let world = World::new().await;
    let table: [(&str, Change, u16, &str, &str); 8] = [
        (
            "another issuer",
            |d| d["issuer"] = "https://evil.example".into(),
            422,
            "invalid_metadata",
            "its issuer is \"https://evil.example\"",
        ),
        (
            "an http endpoint",
            |d| d["token_endpoint"] = "http://tokens.example.com/token".into(),
            422,
            "invalid_metadata",
            "names a token_endpoint that can't be used: it does not begin with https://",
        ),
        (
            "the host of instance metadata",
            |d| d["registration_endpoint"] = "http://169.254.169.254/latest/meta-data".into(),
            422,
            "invalid_metadata",
            "names a registration_endpoint that can't be used",
        ),
        (
            "a placeholder",
            |d| d["authorization_endpoint"] = "https://as.example.com/{client_secret}".into(),
            422,
            "invalid_metadata",
            "names a authorization_endpoint that can't be used",
        ),
        (
            "no S256",
            |d| d["code_challenge_methods_supported"] = json!(["plain"]),
            422,
            "invalid_metadata",
            "offers [\"plain\"] as code_challenge_methods_supported",
        ),
        (
            "no way to prove oneself",
            |d| d["token_endpoint_auth_methods_supported"] = json!(["tls_client_auth"]),
            422,
            "invalid_metadata",
            "offers [\"tls_client_auth\"] as token_endpoint_auth_methods_supported",
        ),
        (
            "a list for a text",
            |d| d["token_endpoint"] = json!([]),
            422,
            "invalid_metadata",
            "token_endpoint: another type is expected",
        ),
        ("huge", |d| d["x"] = "x".repeat(200 * 1024).into(), 502, "provider_invalid_response", "longer than is read"),
    ];
    for (case, change, status, code, why) in table {
        let server = AuthorizationServer::new().await;
        server.say(change);
        let refused = world.discover(&json!({ "issuer": server.url(), "id": "unknown" })).await;
        assert_eq!(refused.refusal(), (status, code.to_owned()), "{case}: {}", refused.text());
        let said = refused.member("error_description");
        assert!(said.contains("/.well-known/openid-configuration") && said.contains(why), "{case}: {said}");
        assert_eq!(server.asked().len(), 1, "{case}: nothing further was called");
    }
    assert_eq!(
        world.root("GET", &format!("/v1/admin/projects/{}/connectors", world.project()), None).await.json()["total"],
        0
    );
}

#[tokio::test]
async fn no_redirect_is_followed_wherever_it_leads() {
    let world = World::new().await;
    for target in ["http://169.254.169.254/latest/meta-data/", "/elsewhere?a=b", "http://10.0.0.1/"] {
        let server = AuthorizationServer::new().await;
        server.instead("/.well-known/openid-configuration", move || Redirect::temporary(target).into_response());
        let refused = world.discover(&json!({ "issuer": server.url() })).await;
        assert_eq!(refused.refusal(), (422, "invalid_metadata".to_owned()), "{}", refused.text());
        let said = refused.member("error_description");
        let led = if target.starts_with('/') { format!("{}/elsewhere,", server.url()) } else { format!("{target},") };
        assert!(said.contains(&format!("answers with a redirect to {led}")), "{said}");
        assert!(said.ends_with("the document has to be there itself (RFC 8414 §3, RFC 9728 §3)"), "{said}");
        assert_eq!(server.asked(), ["GET /.well-known/openid-configuration"]);
    }
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_asked() {
    let world = World::new().await;
    for (issuer, why) in [
        ("http://169.254.169.254", "does not begin with https://"),
        ("https://169.254.169.254/", "its host is not a public name"),
        ("https://10.1.2.3", "its host is not a public name"),
        ("https://[fd00:ec2::254]/", "its host is not a public name"),
        ("http://accounts.example.com", "does not begin with https://"),
        ("https://accounts.example.com?x=1", "it is not a plain absolute URL"),
        ("https://u:p@accounts.example.com", "it is not a plain absolute URL"),
        ("accounts.example.com", "it is not a plain absolute URL"),
    ] {
        let refused = world.discover(&json!({ "issuer": issuer })).await;
        assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()), "{issuer}: {}", refused.text());
        assert!(refused.member("error_description").contains(why), "{issuer}: {}", refused.text());
    }
}

#[tokio::test]
async fn what_fails_is_told_from_what_is_not_there() {
    let world = World::new().await;
    let failing = |status: StatusCode| move || -> Response { status.into_response() };
    let server = AuthorizationServer::new().await;
    server.instead("/.well-known/openid-configuration", failing(StatusCode::NOT_FOUND));
    let made = world.discover(&json!({ "issuer": server.url(), "id": "other-place" })).await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(made.json()["documents"], json!([format!("{}/.well-known/oauth-authorization-server", server.url())]));

    server.instead("/.well-known/oauth-authorization-server", failing(StatusCode::NOT_FOUND));
    let refused = world.discover(&json!({ "issuer": server.url() })).await;
    assert_eq!(refused.refusal(), (422, "metadata_not_found".to_owned()));
    server.instead("/.well-known/openid-configuration", failing(StatusCode::BAD_GATEWAY));
    let refused = world.discover(&json!({ "issuer": server.url() })).await;
    assert_eq!(refused.refusal(), (502, "provider_failed".to_owned()));
    let refused = world.discover(&json!({ "issuer": "http://127.0.0.1:1" })).await;
    assert_eq!(refused.refusal(), (502, "provider_unreachable".to_owned()));
    assert!(refused.member("error_description").contains("http://127.0.0.1:1/.well-known/openid-configuration"));
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_not_believed() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    world.discover(&json!({ "issuer": server.url(), "id": "unknown" })).await;
    let body = json!({ "identity": USER, "connectors": ["unknown"] });
    let browser = world.browser();
    let page = browser.enter(&world.post("/v1/connect/sessions", &body).await.member("url")).await;
    let begun = browser.submit(page.form("/connect/unknown")).await;
    let attempt = crate::world::Attempt::of(&begun.location());
    let started = browser.open(&attempt.start_url).await.location();
    let callback = crate::world::query(&started, "redirect_uri").unwrap();
    for iss in ["&iss=https://evil.example", ""] {
        let answer = browser.open(&format!("{callback}?code=canary-code-good&state={}{iss}", attempt.state)).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert!(!server.asked().contains(&"POST /token".to_owned()), "no code was sent anywhere");
}

#[tokio::test]
async fn a_server_that_registers_nobody_leaves_the_client_to_the_operator() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    server.say(|metadata| drop(metadata.as_object_mut().unwrap().remove("registration_endpoint")));
    let body = json!({ "issuer": server.url(), "id": "unknown", "scopes": ["openid"] });
    let made = world.discover(&body).await.json();
    assert_eq!(made["clients"]["test"]["is"], "missing");
    let next = made["clients"]["test"]["next"].as_str().unwrap();
    assert!(next.contains("/environments/test/connectors/unknown"), "{next}");
    server.turn(|knobs| knobs.clients.push(("by-hand".to_owned(), "canary-by-hand-1".to_owned())));
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/unknown", world.project());
    world.root("PUT", &path, Some(&json!({ "client_id": "by-hand", "client_secret": "canary-by-hand-1" }))).await;
    let again = world.discover(&body).await.json();
    assert_eq!(again["clients"]["test"], json!({ "is": "own", "client_id": "by-hand" }));
    connected(&world, &server, "unknown").await;
}

#[tokio::test]
async fn an_app_client_discovers_for_its_own_project_and_half() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    let live = world.client(Environment::Live, &[Role::Admin]).await;
    let test = world.client(Environment::Test, &[Role::Admin]).await;
    let beside = world.project_beside().await;
    let ask = |key: &str, body: Value| world.call("POST", "/v1/connectors/discover").bearer(key).json(&body).send();
    let body = json!({ "issuer": server.url(), "id": "unknown" });
    assert_eq!(ask(&test.key, body.clone()).await.refusal(), (403, "insufficient_role".to_owned()));
    let foreign = json!({ "issuer": server.url(), "project": beside });
    assert_eq!(ask(&live.key, foreign).await.refusal(), (404, "project_not_found".to_owned()));
    let root = world.server.root_key.clone();
    assert_eq!(ask(&root, body.clone()).await.refusal(), (400, "invalid_request".to_owned()), "whose?");
    assert_eq!(server.asked(), Vec::<String>::new(), "nothing was asked for any of them");

    let made = ask(&live.key, body).await.json();
    assert_eq!(made["clients"].as_object().unwrap().keys().collect::<Vec<_>>(), ["live"]);
    // the other half registers its own, when its admin decides about the connector
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/unknown", world.project());
    let put = world.call("PUT", &path).bearer(&test.key).json(&json!({})).send().await;
    assert_eq!((put.status, put.json()["ready"].clone()), (200, json!(true)), "{}", put.text());
    assert_eq!(server.turn(|knobs| knobs.registered), 2);
}

#[tokio::test]
async fn an_id_that_is_taken_is_refused_before_anybody_is_asked() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    for id in ["github", "frame", "A", &"x".repeat(64)] {
        let refused = world.discover(&json!({ "issuer": server.url(), "id": id })).await;
        assert_eq!(refused.status, 400, "{id}: {}", refused.text());
    }
    assert_eq!(server.asked(), Vec::<String>::new());
}
