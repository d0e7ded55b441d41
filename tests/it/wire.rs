//! What answers say besides their bodies: versions, CORS, the credentials' errors, a line of the log, and a service that does not know its address.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use shared::{
    app::App,
    config::Config,
    http::{Body, Handler, Request, Response, answer},
    id::{Environment, Role},
};

use crate::world::{Log, Shape, USER, World};

#[tokio::test]
async fn the_credentials_routes_speak_three_versions() {
    let world = World::new().await;
    let key = world.connect_account(Shape::Credentials).await;
    let credential = key.replace("conn_", "cred_");
    for path in [format!("/users/{USER}/credentials"), format!("/credentials/{credential}")] {
        for (asked, echoed) in [
            (None, "2025-09"),
            (Some("2025-09"), "2025-09"),
            (Some("2024-02"), "2024-02"),
            (Some("2023-12"), "2023-12"),
        ] {
            let call = world.api("GET", &path);
            let call = match asked {
                Some(version) => call.header("x-api-version", version),
                None => call,
            };
            let answer = call.send().await;
            assert_eq!((answer.status, answer.header("x-api-version")), (200, Some(echoed)), "{path} {asked:?}");
        }
        let other = world.api("GET", &path).header("x-api-version", "2022-01").send().await;
        let mut told = other.json();
        told["requestId"].take();
        let why = "x-api-version is one of 2025-09, 2024-02, 2023-12";
        let expected = json!({ "error": "unsupported_api_version", "error_description": why, "message": why, "code": "UNSUPPORTED_API_VERSION", "requestId": null });
        assert_eq!((other.status, told), (400, expected));
        assert_eq!(other.header("x-api-version"), None, "there is none to name");
    }
    let elsewhere = world.api("GET", "/v1/vault/connections").header("x-api-version", "2022-01").send().await;
    assert_eq!(elsewhere.status, 200, "other routes have no versions");
}

#[tokio::test]
async fn a_refusal_of_the_credentials_routes_names_the_version_too() {
    let world = World::new().await;
    let path = "/credentials/cred_unknown";
    let table = [
        ("nobody asks", 401, world.call("GET", path)),
        ("nothing is there", 404, world.api("GET", path)),
        ("no such method", 405, world.api("PUT", path)),
        ("no text in the path", 400, world.api("GET", "/credentials/%ff")),
        ("no JSON", 400, world.api("POST", "/connectors/acme/credentials").body("application/json", "{")),
        ("too much", 413, world.api("POST", "/connectors/acme/credentials").body("text/plain", vec![b' '; 300_000])),
        ("no code", 400, world.api("POST", "/connectors/acme/credentials/callback").json(&json!({}))),
        ("a role is missing", 403, {
            let client = world.client(Environment::Test, &[Role::Use]).await;
            world.call("DELETE", "/users/gone").bearer(&client.key)
        }),
    ];
    for (case, status, call) in table {
        let answer = call.header("x-api-version", "2024-02").send().await;
        assert_eq!((answer.status, answer.header("x-api-version")), (status, Some("2024-02")), "{case}");
    }
    let twice =
        world.api("GET", path).header("x-api-version", "2025-09").header("x-api-version", "2025-09").send().await;
    assert_eq!((twice.status, twice.header("x-api-version")), (400, None));
}

#[tokio::test]
async fn a_credential_is_told_without_its_secret() {
    let world = World::new().await;
    let key = world.connect_account(Shape::Credentials).await;
    let credential = key.replace("conn_", "cred_");
    let read = world.get(&format!("/credentials/{credential}")).await.json();
    let scopes = ["profile", "notes:read", "notes:write"];
    let expected = json!({
        "credentialId": credential, "connectionId": key, "connectorId": "acme", "userId": USER, "type": "oauth2", "status": "connected",
        "name": "alice@acme.example", "environment": "test", "account": { "id": "usr_alice", "tenant": null, "label": "Alice Archer", "email": "alice@acme.example" },
        "scopes": { "requested": scopes, "granted": scopes, "missing": [] }, "createdAt": world.now(), "updatedAt": world.now(),
    });
    assert_eq!(read, expected);
    assert_eq!(world.get(&format!("/users/{USER}/credentials")).await.json()["data"], json!([expected]));
    let missing = world.get("/credentials/cred_unknown").await;
    let said = ["error", "message", "code"].map(|name| missing.member(name));
    let why = "there is no such credential in this project and environment";
    assert_eq!(
        (missing.status, said),
        (404, ["credential_not_found", why, "AUTHENTICATION_NOT_FOUND"].map(str::to_owned))
    );
}

#[tokio::test]
async fn an_answer_may_be_read_by_pages_of_the_projects_origins_alone() {
    let world = World::new().await;
    let own = world.app_origin();
    for (path, status) in [
        ("/v1/available-connectors", 200),
        ("/v1/vault/connections/conn_unknown", 404),
        ("/v1/vault/connections?page=0", 400),
    ] {
        let allowed = world.api("GET", path).header("origin", &own).send().await;
        let said = ["access-control-allow-origin", "access-control-allow-credentials", "vary"]
            .map(|name| allowed.header(name));
        assert_eq!((allowed.status, said), (status, [Some(own.as_str()), None, Some("origin")]), "{path}");
        let exposed = allowed.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("x-request-id") && exposed.contains("x-mooring-error"), "{exposed}");
        let upper = own.to_uppercase();
        for origin in ["https://evil.example", "null", "", &format!("{own}.evil.example"), &upper] {
            let other = world.api("GET", path).header("origin", origin).send().await;
            assert_eq!((other.status, other.header("access-control-allow-origin")), (status, None), "{path} {origin}");
        }
    }
    // a refusal is read too, so that the page can say which role its key lacks
    let reader = world.client(Environment::Test, &[Role::Read]).await.key;
    for (origin, read) in [(own.as_str(), Some(own.as_str())), ("https://evil.example", None)] {
        let refused = world.call("POST", "/v1/connect/sessions").bearer(&reader).header("origin", origin);
        let refused = refused.json(&json!({ "identity": USER })).send().await;
        let said = (refused.refusal(), refused.header("access-control-allow-origin"));
        assert_eq!(said, ((403, "insufficient_role".to_owned()), read), "{origin}");
    }
    // before anybody knows whose project it is, nobody is let in
    let nobody = world.call("GET", "/v1/available-connectors").header("origin", &own).send().await;
    assert_eq!((nobody.status, nobody.header("access-control-allow-origin")), (401, None));
}

/// The same deployment before it has learnt its address.
fn without_address(world: &World) -> Arc<App> {
    let app = &world.server.app;
    let config = Config { public_url: None, ..app.config.clone() };
    Arc::new(App::new(config, app.catalog.clone(), app.clock.clone()).unwrap())
}

async fn ask<H: Handler>(
    app: &Arc<App>,
    handler: &H,
    method: &str,
    path: &str,
    key: &str,
    body: &Value,
) -> (u16, Value) {
    let headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
    let body = if method == "GET" { Bytes::new() } else { body.to_string().into() };
    let request = Request::new(method, path.to_owned(), String::new(), headers, body, "r1".to_owned());
    let Response { status, body: Body::Full(bytes), .. } = answer(app, request, handler).await else {
        panic!("a stream")
    };
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn until_the_address_is_known_what_makes_urls_answers_503() {
    let world = World::new().await;
    let key = world.key();
    // what the local server wrote down at its start is taken away again
    let client =
        shared::aws::dynamodb(&world.server.app.config.aws, &shared::aws::http_client(shared::aws::tls()).unwrap());
    let name = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let update =
        client.update_item().table_name("settings").key("pk", name("deployment")).key("sk", name("deployment"));
    update.update_expression("REMOVE base_url").send().await.unwrap();

    let app = without_address(&world);
    let none = json!({});
    let user = json!({ "identity": USER });
    let answers = [
        ask(&app, &token::Token, "GET", "/.well-known/oauth-authorization-server", &key, &none).await,
        ask(&app, &token::Token, "POST", "/v1/connect/sessions", &key, &user).await,
        ask(&app, &authorize::Authorize, "GET", "/connectors/acme/oauth/authorize", &key, &none).await,
        ask(&app, &connections::Connections, "POST", "/v1/authkit/token", &key, &user).await,
        ask(&app, &connections::Connections, "GET", "/v1/available-connectors", &key, &none).await,
        ask(&app, &admin::Admin, "GET", "/v1/admin/connectors", &world.server.root_key, &none).await,
    ];
    for (status, answer) in answers {
        let why = "the service does not know its public address yet: make one admin call through the gateway, or deploy with the parameter PublicUrl";
        assert_eq!(
            (status, answer),
            (503, json!({ "error": "base_url_unknown", "error_description": why, "requestId": "r1" }))
        );
    }
    // what makes no URL works
    assert_eq!(ask(&app, &connections::Connections, "GET", "/v1/vault/connections", &key, &none).await.0, 200);

    // the first admin call through the gateway tells it, in the gateway's own words
    let headers = vec![
        ("authorization".to_owned(), format!("Bearer {}", world.server.root_key)),
        ("host".to_owned(), "evil.example".to_owned()),
        ("x-forwarded-host".to_owned(), "evil.example".to_owned()),
    ];
    let mut request =
        Request::new("GET", "/v1/admin/projects".to_owned(), String::new(), headers, Bytes::new(), "r2".to_owned());
    request.gateway = Some("https://abc.execute-api.eu-central-1.amazonaws.com/prod".parse().unwrap());
    assert_eq!(answer(&app, request, &admin::Admin).await.status, 200);
    let (status, metadata) =
        ask(&app, &token::Token, "GET", "/.well-known/oauth-authorization-server", &key, &none).await;
    assert_eq!((status, &metadata["issuer"]), (200, &json!("https://abc.execute-api.eu-central-1.amazonaws.com/prod")));
}

#[tokio::test]
async fn an_answer_is_one_line_of_the_log_and_its_time_a_number() {
    let (log, _logging) = Log::start();
    let world = World::new().await;
    world.get("/v1/vault/connections").await;
    let lines = log.lines();
    let mut lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut line = lines.find(|line| line["message"] == "answered").unwrap();
    assert!(line["request_id"].take().is_string() && line["timestamp"].take().is_string());
    let expected = json!({
        "timestamp": null, "level": "INFO", "message": "answered", "request_id": null, "route": "/v1/vault/connections", "method": "GET",
        "status": 200, "millis": 0, "target": "shared::http",
    });
    assert_eq!(line, expected, "sums and percentiles of it can be asked for");
}
