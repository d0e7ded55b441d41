//! Calls with a connection: what goes out is what came in, what comes back is what the provider said.

mod bodies;
mod headers;

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::world::{Answer, Call, Fake, Raw, Seen, Shape, World};

/// A connection to a provider of the test's own.
struct Scene {
    world: World,
    provider: Fake,
    key: String,
}

impl Scene {
    async fn new(say: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let (world, provider) = (World::new().await, Fake::start(say).await);
        let definition = json!({
            "name": "Fake", "inputs": [{ "name": "api_key", "label": "API key", "secret": true }],
            "api": { "base_url": format!("{}/v2", provider.url), "headers": { "X-Version": "7" }, "credential": { "in": "header", "name": "X-API-Key", "value": "{api_key}" } },
        });
        world.custom("fake", &definition, false).await;
        let body = json!({ "credentialType": "apiKey", "credentials": { "api_key": "the-key" } });
        let key = world.post("/connectors/fake/credentials", &body).await.member("connectionId");
        Self { world, provider, key }
    }

    fn call(&self, method: &str, path: &str) -> Call {
        self.world.api(method, &format!("/v1/passthrough/{path}")).header("x-one-connection-key", &self.key)
    }

    async fn raw(&self, method: &str, target: &str) -> Answer {
        let bearer = format!("Bearer {}", self.world.key());
        let headers = [("authorization", bearer.as_str()), ("x-one-connection-key", self.key.as_str())];
        let target = format!("/v1/passthrough/{target}");
        self.world.send_raw(Raw { method, target: &target, headers: &headers, body: b"" }).await
    }

    fn last(&self) -> Seen {
        self.provider.seen().pop().unwrap()
    }
}

fn hello(_: &Seen) -> Response {
    "hello".into_response()
}

#[tokio::test]
async fn a_path_and_its_query_go_out_as_they_were_sent() {
    let scene = Scene::new(hello).await;
    let table = [
        ("fake/things", "/v2/things"),
        ("things", "/v2/things"),
        ("fake", "/v2"), // the base URL itself
        ("fake/", "/v2/"),
        ("fake/things/", "/v2/things/"),
        ("fake/a%2Fb/%C3%A9/%2520", "/v2/a%2Fb/%C3%A9/%2520"),
        ("fake/a//b;c=1,d/@e:f/$g", "/v2/a//b;c=1,d/@e:f/$g"),
        ("fake/x?b=2&a=1&b=1&a", "/v2/x?b=2&a=1&b=1&a"),
        ("fake/x?q=a+b%20c&r=%zz&s=%ff&t=~()*!", "/v2/x?q=a+b%20c&r=%zz&s=%ff&t=~()*!"),
        // the URL standard escapes an apostrophe in a query, and braces in a path, which RFC 3986 lets nobody send
        ("fake/it's?q='x'", "/v2/it's?q=%27x%27"),
        ("fake/{id}?q={x}|y", "/v2/%7Bid%7D?q={x}|y"),
        ("fake/x?", "/v2/x"),
        ("fake/x??a=b?c", "/v2/x??a=b?c"),
        ("fake/...", "/v2/..."),
        ("fake/.hidden/..b", "/v2/.hidden/..b"),
    ];
    for (path, expected) in table {
        let answer = scene.raw("GET", path).await;
        assert_eq!((answer.status, scene.last().target.as_str()), (200, expected), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused_and_nothing_goes_out() {
    let scene = Scene::new(hello).await;
    let elsewhere = format!("fake/{}x", scene.world.server.provider_url);
    let paths = [
        "fake/../admin",
        "fake/a/../../b",
        "fake/a/%2e%2e/b",
        "fake/.%2E/x",
        "fake/%2E",
        "fake/./x",
        "..",
        "%2e%2e/fake/x",
        "fake/a\\b",
        "fake/a\\..\\b",
        "fake/http://evil.example/x",
        "fake/https://evil.example/x",
        "https://evil.example/x",
        "fake/http://127.0.0.1:1/x",
        "fake/http://169.254.169.254/latest/meta-data",
        "fake/http://[::1]/x",
        &elsewhere,
    ];
    for path in paths {
        let answer = scene.raw("GET", path).await;
        assert_eq!(answer.refusal(), (400, "address_not_allowed".to_owned()), "{path}");
        assert_eq!(answer.header("x-mooring-error"), Some("address_not_allowed"));
    }
    // what looks like another host and is none stays a path
    for (path, expected) in [
        ("fake/@evil.example", "/v2/@evil.example"),
        ("fake///evil.example/x", "/v2///evil.example/x"),
        ("fake/:80@evil.example", "/v2/:80@evil.example"),
    ] {
        assert_eq!((scene.raw("GET", path).await.status, scene.last().target.as_str()), (200, expected));
    }
    assert_eq!(scene.provider.seen().len(), 3);
}

#[tokio::test]
async fn every_method_does_what_it_does_at_the_provider() {
    let world = World::new().await;
    let key = world.connect_account(Shape::OneTimeLink).await;
    let call = |method: &str, path: &str| {
        world.api(method, &format!("/v1/passthrough/acme/{path}")).header("x-one-connection-key", &key)
    };
    let made = call("POST", "notes").json(&json!({ "title": "One", "text": "first" })).send().await;
    assert_eq!((made.status, made.header("location")), (201, Some("/api/notes/1")));
    let head = call("HEAD", "notes/1").send().await;
    let length = json!({ "id": "1", "title": "One", "text": "first" }).to_string().len().to_string();
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some(length.as_str())));
    let table = [
        ("GET", None, 200, json!({ "id": "1", "title": "One", "text": "first" })),
        ("PATCH", Some(json!({ "text": "changed" })), 200, json!({ "id": "1", "title": "One", "text": "changed" })),
        ("PUT", Some(json!({ "title": "Two" })), 200, json!({ "id": "1", "title": "Two", "text": "" })),
        ("DELETE", None, 204, Value::Null),
        ("GET", None, 404, json!({ "error": "not_found", "error_description": "there is no such note" })),
    ];
    for (method, body, status, expected) in table {
        let call = call(method, "notes/1");
        let answer = match body {
            Some(body) => call.json(&body).send().await,
            None => call.send().await,
        };
        let json = if answer.body.is_empty() { Value::Null } else { answer.json() };
        assert_eq!((answer.status, json), (status, expected), "{method}");
    }
    let echo = call("DELETE", "echo/a%2Fb?x=1&x=2&y=%20").body("text/plain", "with a body").send().await.json();
    let said = ["method", "path", "query", "body"].map(|name| echo[name].as_str().unwrap().to_owned());
    assert_eq!(said, ["DELETE", "/api/echo/a%2Fb", "x=1&x=2&y=%20", "with a body"]);
}

#[tokio::test]
async fn a_provider_that_switches_protocols_is_a_failure_of_ours() {
    let scene = Scene::new(|_: &Seen| {
        let head = [("upgrade", "websocket"), ("connection", "upgrade")];
        (axum::http::StatusCode::SWITCHING_PROTOCOLS, head).into_response()
    })
    .await;
    let answer = scene.call("GET", "fake/x").send().await;
    assert_eq!(answer.refusal(), (502, "provider_invalid_response".to_owned()));
    let why = "fake: the provider's answer is not what it documents: it switches protocols, which is not offered here";
    assert_eq!(answer.member("error_description"), why);
}

#[tokio::test]
async fn a_connection_is_named_in_one_of_three_headers() {
    let scene = Scene::new(hello).await;
    let bare = || scene.world.api("GET", "/v1/passthrough/fake/x");
    for name in ["x-one-connection-key", "x-pica-connection-key", "X-Connection-Key"] {
        assert_eq!(bare().header(name, &scene.key).send().await.status, 200, "{name}");
    }
    let both = bare().header("x-one-connection-key", &scene.key).header("x-connection-key", &scene.key);
    assert_eq!(both.send().await.status, 200);
    let table = [
        (bare(), 400, "invalid_request"),
        (bare().header("x-one-connection-key", ""), 400, "invalid_request"),
        (
            bare().header("x-one-connection-key", &scene.key).header("x-one-connection-key", &scene.key),
            400,
            "invalid_request",
        ),
        (
            bare().header("x-one-connection-key", &scene.key).header("x-connection-key", "conn_other"),
            400,
            "invalid_request",
        ),
        (bare().header("x-one-connection-key", "conn_unknown"), 404, "connection_not_found"),
        (bare().header("x-one-connection-key", "no key at all"), 404, "connection_not_found"),
    ];
    for (call, status, error) in table {
        let answer = call.send().await;
        assert_eq!((answer.refusal(), answer.member("error")), ((status, error.to_owned()), error.to_owned()));
    }
}

#[tokio::test]
async fn the_platform_in_the_path_is_the_connections_own() {
    let scene = Scene::new(hello).await;
    for other in ["acme", "slack", "gmail"] {
        let answer = scene.call("GET", &format!("{other}/x")).send().await;
        assert_eq!(answer.refusal(), (404, "connection_not_found".to_owned()), "{other}");
    }
    assert_eq!(scene.call("GET", "slacks/x").send().await.status, 200);
    assert_eq!(scene.last().target, "/v2/slacks/x", "what is no connector's name is the provider's path");
}

#[tokio::test]
async fn our_own_failures_are_marked_as_ours() {
    let scene = Scene::new(hello).await;
    let path = format!("/v1/vault/connections/{}", scene.key);
    scene.world.api("PATCH", &path).json(&json!({ "active": false })).send().await;
    let off = scene.call("GET", "fake/x").send().await;
    assert_eq!(
        (off.refusal(), off.member("error")),
        ((409, "connection_inactive".to_owned()), "connection_inactive".to_owned())
    );
    scene.world.api("PATCH", &path).json(&json!({ "active": true })).send().await;
    assert_eq!(scene.call("GET", "fake/x").send().await.status, 200);

    // as if the provider had gone: with connections there, the admin API would not let it move
    let gone = json!({
        "id": "fake", "name": "Fake", "inputs": [{ "name": "api_key", "label": "API key", "secret": true }],
        "api": { "base_url": "http://127.0.0.1:1", "credential": { "in": "header", "name": "X-API-Key", "value": "{api_key}" } },
    });
    let (server, gone) = (&scene.world.server, serde_json::from_value(gone).unwrap());
    server.app.settings.put_custom(&server.demo.project, &gone).await.unwrap();
    scene.world.turn(shared::store::settings::KEPT);
    let unreachable = scene.call("GET", "fake/x").send().await;
    assert_eq!(unreachable.refusal(), (502, "provider_unreachable".to_owned()));
    let mut told = unreachable.json();
    assert_eq!(told["requestId"].take().as_str(), unreachable.header("x-request-id"));
    let expected = json!({ "error": "provider_unreachable", "error_description": "fake: the provider can't be reached", "requestId": null });
    assert_eq!(told, expected);
}
