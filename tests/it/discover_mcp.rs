//! A connector by an MCP server's address alone, and calls to it through passthrough.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Redirect},
};
use serde_json::{Value, json};

use crate::{
    discover::connected,
    world::{AuthorizationServer, World, in_form, query},
};

fn mcp(server: &AuthorizationServer) -> Value {
    json!({ "mcp": format!("{}/mcp", server.url()), "id": "tools" })
}

#[tokio::test]
async fn an_address_alone_makes_a_connector_whose_tokens_are_for_that_server() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    let made = world.discover(&mcp(&server)).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let said = made.json();
    let resource = format!("{}/mcp", server.url());
    assert_eq!(said["name"], "Tools of the test");
    assert_eq!(said["definition"]["oauth2"]["resource"], resource);
    assert_eq!(said["definition"]["oauth2"]["scopes"], json!(["tools", "offline_access"]));
    assert_eq!(said["definition"]["api"]["base_url"], resource);
    let asked = server.asked();
    let expected = [
        "POST /mcp",
        "GET /.well-known/oauth-protected-resource/mcp",
        "GET /.well-known/oauth-authorization-server",
        "POST /register",
        "POST /register",
    ];
    assert_eq!(asked, expected);

    let key = connected(&world, &server, "tools").await;
    // RFC 8707: in the authorization request and the token request
    assert_eq!(in_form(&server.last("/token"), "resource").as_deref(), Some(resource.as_str()));

    let call = world.api("POST", "/v1/passthrough/tools").header("x-one-connection-key", &key);
    let call = call
        .header("accept", "application/json, text/event-stream")
        .header("mcp-session-id", "session-of-the-client")
        .header("mcp-protocol-version", "2025-06-18")
        .header("last-event-id", "6");
    let answer = call.json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = server.last("/mcp");
    assert_eq!((seen.target.as_str(), seen.method.as_str()), ("/mcp", "POST"), "the very address");
    for (name, value) in [
        ("accept", "application/json, text/event-stream"),
        ("mcp-session-id", "session-of-the-client"),
        ("mcp-protocol-version", "2025-06-18"),
        ("last-event-id", "6"),
        ("authorization", "Bearer canary-access-token"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("mcp-session-id", "session-of-the-server"),
        ("mcp-protocol-version", "2025-06-18"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.text().starts_with("id: 7\nevent: message\ndata: "), "{}", answer.text());
    for method in ["GET", "DELETE"] {
        let call = world.api(method, "/v1/passthrough/tools").header("x-one-connection-key", &key);
        let answer = call.header("mcp-session-id", "session-of-the-client").send().await;
        assert!(answer.text().contains(&format!("\"method\":\"{method}\"")), "{}", answer.text());
    }
}

#[tokio::test]
async fn the_authorization_request_names_the_resource_and_binds_its_code() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    world.discover(&mcp(&server)).await;
    let url = world.get("/connectors/tools/oauth/authorize?userId=ada").await.member("authorizationUrl");
    let started = world.browser().open(&url).await.location();
    assert_eq!(query(&started, "resource"), Some(format!("{}/mcp", server.url())));
    assert_eq!(query(&started, "code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(query(&started, "client_id").as_deref(), Some("client-1"));
}

#[tokio::test]
async fn a_server_that_fetches_documents_gets_one_about_us() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    server.say(|metadata| metadata["client_id_metadata_document_supported"] = true.into());
    let made = world.discover(&mcp(&server)).await.json();
    let address = format!("{}/connectors/tools-{}/client.json", world.base(), world.project());
    assert_eq!(made["clients"]["test"], json!({ "is": "document", "client_id": address }));
    let document = world.browser().fetch(&address).await;
    let expected = json!({
        "client_id": address,
        "client_name": "Orbit CRM",
        "redirect_uris": [made["redirect_uri"]],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": "tools offline_access",
    });
    assert_eq!((document.status, document.json()), (200, expected));
    assert_eq!(server.turn(|knobs| knobs.registered), 0);
    connected(&world, &server, "tools").await;
    assert_eq!(in_form(&server.last("/token"), "client_id"), Some(address));
    for name in ["acme", "tools", &format!("none-{}", world.project()), "tools-p0"] {
        let answer = world.browser().fetch(&format!("{}/connectors/{name}/client.json", world.base())).await;
        assert_eq!(answer.status, 404, "{name}");
    }
}

#[tokio::test]
async fn what_an_mcp_server_must_have_is_asked_of_it() {
    let world = World::new().await;
    let refused = async |change: &dyn Fn(&AuthorizationServer), code: &str, why: &str| {
        let server = AuthorizationServer::new().await;
        change(&server);
        let answer = world.discover(&mcp(&server)).await;
        assert_eq!(answer.refusal().1, code, "{}", answer.text());
        assert!(answer.member("error_description").contains(why), "{}", answer.text());
        assert_eq!(server.turn(|knobs| knobs.registered), 0);
    };
    let no_pkce = |server: &AuthorizationServer| {
        server.say(|metadata| drop(metadata.as_object_mut().unwrap().remove("code_challenge_methods_supported")));
    };
    refused(&no_pkce, "invalid_metadata", "S256").await;
    let open = |server: &AuthorizationServer| server.instead("/mcp", || "{}".into_response());
    refused(&open, "invalid_metadata", "answers without a token").await;
    let moved = |server: &AuthorizationServer| {
        server.instead("/mcp", || Redirect::permanent("http://169.254.169.254/").into_response());
    };
    refused(&moved, "invalid_metadata", "redirect to http://169.254.169.254").await;
    let another = |server: &AuthorizationServer| {
        server.instead("/.well-known/oauth-protected-resource/mcp", || {
            let elsewhere =
                json!({ "resource": "https://other.example/mcp", "authorization_servers": ["https://as.example.com"] });
            Json(elsewhere).into_response()
        });
    };
    refused(&another, "invalid_metadata", "its resource is \"https://other.example/mcp\"").await;
    let inside = |server: &AuthorizationServer| {
        server.instead("/mcp", || {
            let challenge = "Bearer resource_metadata=\"http://169.254.169.254/latest\"";
            (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
        });
    };
    refused(&inside, "invalid_metadata", "is not called: it does not begin with https://").await;
    let mixed_up = |server: &AuthorizationServer| {
        server.say(|metadata| metadata["issuer"] = "https://honest.example".into());
    };
    refused(&mixed_up, "invalid_metadata", "its issuer is \"https://honest.example\"").await;
    let failing = |server: &AuthorizationServer| {
        server.instead("/mcp", || StatusCode::INTERNAL_SERVER_ERROR.into_response());
    };
    refused(&failing, "provider_failed", "/mcp").await;
}

#[tokio::test]
async fn a_server_without_a_document_of_its_own_is_its_own_authorization_server() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    server.instead("/mcp", || StatusCode::UNAUTHORIZED.into_response());
    server.instead("/.well-known/oauth-protected-resource/mcp", || StatusCode::NOT_FOUND.into_response());
    let made = world.discover(&mcp(&server)).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let asked = server.asked();
    let expected = [
        "POST /mcp",
        "GET /.well-known/oauth-protected-resource/mcp",
        "GET /.well-known/oauth-protected-resource",
        "GET /.well-known/oauth-authorization-server",
    ];
    assert_eq!(asked[..4], expected);
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_not_waited_for() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    server.instead("/mcp", || {
        let endless = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
        ([("content-type", "text/event-stream")], axum::body::Body::from_stream(endless)).into_response()
    });
    let refused = world.discover(&mcp(&server)).await;
    assert_eq!(refused.refusal(), (422, "invalid_metadata".to_owned()), "{}", refused.text());
}
