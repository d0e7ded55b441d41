//! Loopback is no border: what a page in the developer's browser, or another program, gets from the local server.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use shared::aws;

use crate::world::{Shape, World};

/// A list of tables, signed with this id.
fn signed(world: &World, endpoint: &str, access_key_id: &str) -> RequestBuilder {
    let target =
        if endpoint == dynamodb(world) { "DynamoDB_20120810.ListTables" } else { "secretsmanager.GetSecretValue" };
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={access_key_id}/20261121/local/service/aws4_request, SignedHeaders=host, Signature=0"
    );
    let body = if endpoint == dynamodb(world) { "{}" } else { r#"{"SecretId":"root-key"}"# };
    let request = http().post(endpoint).header("x-amz-target", target).header("authorization", authorization);
    request.header("content-type", "application/x-amz-json-1.0").body(body)
}

fn http() -> reqwest::Client {
    aws::http_client(aws::tls()).unwrap()
}

fn dynamodb(world: &World) -> &str {
    world.server.app.config.aws.dynamodb_endpoint.as_deref().unwrap()
}

fn secrets(world: &World) -> &str {
    world.server.app.config.aws.secrets_manager_endpoint.as_deref().unwrap()
}

async fn told(request: RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.unwrap();
    assert!(!response.headers().contains_key("access-control-allow-origin"), "no page may read this");
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn nobody_reads_the_tables_or_the_secrets_without_the_servers_access_key_id() {
    let world = World::new().await;
    let id = &world.server.app.config.aws.access_key_id;
    for endpoint in [dynamodb(&world), secrets(&world)] {
        let (status, text) = told(signed(&world, endpoint, id)).await;
        assert_eq!(status, 200, "{text}");
        let refused = [
            ("another id", signed(&world, endpoint, "local")),
            ("a page", signed(&world, endpoint, id).header("origin", "https://evil.example")),
            ("a browser", signed(&world, endpoint, id).header("sec-fetch-site", "cross-site")),
            ("a foreign name", signed(&world, endpoint, id).header("host", "evil.example")),
            (
                "another spelling",
                signed(&world, endpoint, id).header("host", endpoint.replace("http://127.0.0.1", "localhost")),
            ),
            ("no signature", http().post(endpoint).header("x-amz-target", "DynamoDB_20120810.ListTables").body("{}")),
            ("a preflight", http().request(Method::OPTIONS, endpoint).header("origin", "https://evil.example")),
        ];
        for (case, request) in refused {
            let (status, text) = told(request).await;
            assert_eq!(status, 403, "{case}: {text}");
            assert!(text.contains("AccessDeniedException") && !text.contains("settings"), "{case}: {text}");
        }
        assert_eq!(told(http().get(endpoint)).await, (StatusCode::OK, "healthy".to_owned()));
    }
}

#[tokio::test]
async fn each_start_in_memory_has_an_access_key_id_of_its_own() {
    let (one, other) = (World::new().await, World::new().await);
    assert_ne!(one.server.app.config.aws.access_key_id, other.server.app.config.aws.access_key_id);
    let env = local::deployed::env(&one.server.app.config);
    let line = format!("export AWS_ACCESS_KEY_ID='{}'\n", one.server.app.config.aws.access_key_id);
    assert!(env.contains(&line), "{env}");
}

#[tokio::test]
async fn no_server_answers_under_a_foreign_name() {
    let world = World::new().await;
    let server = &world.server;
    for url in [&server.base_url, &server.app_url, &server.provider_url] {
        for (host, expected) in [("evil.example", 421), ("192.168.0.1", 421), ("localhost", 200)] {
            let host = format!("{host}:{}", url.port().unwrap());
            let path = if url == &server.base_url { "openapi.yaml" } else { "" };
            let response = http().get(url.join(path).unwrap()).header("host", &host).send().await.unwrap();
            assert_eq!(response.status(), expected, "{url} as {host}");
        }
    }
}

#[tokio::test]
async fn a_page_under_another_spelling_is_shown_under_the_printed_one() {
    for names in [false, true] {
        let world = World::with(|options| options.names = names).await;
        let server = &world.server;
        for printed in [&server.base_url, &server.app_url, &server.provider_url] {
            let port = printed.port().unwrap();
            let ask = async |host: &str, accept: &str| {
                let request = http().get(format!("http://127.0.0.1:{port}/openapi.yaml?a=1"));
                let request = request.header("host", format!("{host}:{port}")).header("accept", accept);
                let response = request.send().await.unwrap();
                let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
                (response.status().as_u16(), location)
            };
            let there = Some(format!("{printed}openapi.yaml?a=1"));
            let own = printed.host_str().unwrap();
            let spellings = ["127.0.0.1", "localhost", "[::1]", "mooring.localhost", "app.localhost"];
            for other in spellings.into_iter().filter(|spelling| *spelling != own) {
                assert_eq!(ask(other, "text/html").await, (307, there.clone()), "{printed} as {other}");
                assert_eq!(ask(other, "*/*").await.1, None, "{printed} as {other}, by a program");
            }
            assert_eq!(ask(own, "text/html").await.1, None, "{printed}");
            assert_eq!(ask("localhost.evil.example", "text/html").await, (421, None), "{printed}");
        }
    }
}

#[tokio::test]
async fn three_names_are_printed_where_they_are_asked_for_and_everything_follows_them() {
    let world = World::with(|options| options.names = true).await;
    let server = &world.server;
    let printed = [&server.base_url, &server.app_url, &server.provider_url];
    let [mooring, app, provider] = printed.map(|url| url.as_str().trim_end_matches('/'));
    for (address, name) in [(mooring, "mooring"), (app, "app"), (provider, "provider")] {
        assert!(address.starts_with(&format!("http://{name}.localhost:")), "{address}");
    }
    let metadata = world.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["issuer"], mooring);
    let project = world.root("GET", &format!("/v1/admin/projects/{}", world.project()), None).await.json();
    assert_eq!(project["allowed_origins"], json!([app]));
    assert_eq!(project["redirect_uris"], json!([format!("{app}/"), format!("{app}/connected")]));
    let acme = world.root("GET", "/v1/admin/connectors/acme", None).await.json();
    assert_eq!(acme["redirect_uri"], format!("{mooring}/connectors/acme/oauth/callback"));
}

#[tokio::test]
async fn an_account_is_connected_and_used_under_three_names() {
    let world = World::with(|options| options.names = true).await;
    // Mooring exchanges the code at provider.localhost, and calls its API there
    let connection = world.connect_account(Shape::OneTimeLink).await;
    let profile = world.api("GET", "/v1/passthrough/acme/me").header("x-one-connection-key", &connection).send().await;
    assert_eq!(profile.json()["id"], "usr_alice", "{}", profile.text());

    // the demo app's back end asks mooring.localhost for what its user has
    let (browser, app) = (world.browser(), world.server.app_url.as_str());
    let welcome = browser.open(app).await;
    browser.submit(welcome.form("/login").with("user", "alice")).await;
    let home = browser.open(app).await.text();
    assert!(home.contains("No account yet"), "{home}");
}

#[tokio::test]
async fn the_printed_address_with_a_prefix_answers_with_and_without_a_slash_at_its_end() {
    let world = World::with(|options| "/prod".clone_into(&mut options.base_path)).await;
    let base = world.base();
    assert!(base.ends_with("/prod"), "{base}");
    for url in [base.clone(), format!("{base}/")] {
        let page = http().get(&url).header("accept", "text/html").send().await.unwrap();
        assert_eq!(page.status(), 307, "{url}");
        assert_eq!(page.headers()["location"], world.server.app_url.as_str(), "{url}");
        let program = http().get(&url).send().await.unwrap();
        assert_eq!(program.status(), 404, "{url}");
        assert_eq!(program.headers()["content-type"], "text/html; charset=utf-8", "{url}");
    }
    let beside = http().get(format!("{base}uction/")).send().await.unwrap().text().await.unwrap();
    assert_eq!(beside, format!("everything here stands below {base}"));
}
