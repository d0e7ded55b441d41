//! The doctor's report over the admin API: as the deployment decided, for who may see it, and without a secret.

use axum::response::IntoResponse;
use serde_json::{Value, json};
use shared::id::{Environment, Role};

use crate::world::{Fake, Seen, World};

/// A provider that publishes metadata, counts nothing and would be shocked by a POST.
async fn provider() -> Fake {
    Fake::start(|seen: &Seen| match seen.target.as_str() {
        "/.well-known/oauth-authorization-server" => axum::Json(
            json!({ "issuer": "https://elsewhere.example", "token_endpoint": "https://elsewhere.example/token" }),
        )
        .into_response(),
        _ => axum::http::StatusCode::METHOD_NOT_ALLOWED.into_response(),
    })
    .await
}

fn definition(url: &str) -> Value {
    json!({
        "name": "Canary",
        "oauth2": {
            "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"), "issuer": url,
            "scopes": ["read", "offline_access"]
        },
        "api": { "base_url": format!("{url}/api") },
    })
}

fn path(world: &World, connector: &str) -> String {
    format!("/v1/admin/projects/{}/environments/test/connectors/{connector}", world.project())
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_report_says_what_is_decided_and_holds_no_secret() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("canary", &definition(&provider.url), false).await;
    let decided = json!({ "client_id": "the-client", "client_secret": "canary-client-secret", "scopes": ["read"] });
    assert_eq!(world.root("PUT", &path(&world, "canary"), Some(&decided)).await.status, 200);

    let answer = world.root("GET", &format!("{}/doctor", path(&world, "canary")), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let report = answer.json();
    let redirect_uri = format!("{}/connectors/canary-{}/oauth/callback", world.base(), world.project());
    assert_eq!(report["redirect_uri"], redirect_uri);
    assert_eq!(codes(&report), ["redirect_uri_is_local", "redirect_uri_in_numbers", "offline_scope_missing"]);
    assert_eq!(report["verdict"], "doubtful");
    let text = answer.text();
    assert!(text.contains("the-client") && text.contains("‹client secret›"), "{text}");
    assert!(!text.contains("canary-client-secret"), "{text}");
    assert_eq!(provider.seen().len(), 0, "nobody was asked");
}

#[tokio::test]
async fn a_provider_is_asked_only_if_that_is_wanted_and_without_a_credential() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("canary", &definition(&provider.url), false).await;
    let decided = json!({ "client_id": "the-client", "client_secret": "canary-client-secret" });
    assert_eq!(world.root("PUT", &path(&world, "canary"), Some(&decided)).await.status, 200);

    let asking = format!("{}/doctor?live=true", path(&world, "canary"));
    let report = world.root("GET", &asking, None).await.json();
    for code in ["issuer_differs", "endpoint_differs"] {
        assert!(codes(&report).contains(&code), "{report}");
    }
    assert_eq!(report["verdict"], "broken");
    let mut seen: Vec<_> = provider.seen().iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
    seen.sort();
    let expected =
        ["GET /.well-known/oauth-authorization-server", "GET /.well-known/openid-configuration", "HEAD /token"];
    assert_eq!(seen, expected);
    for seen in provider.seen() {
        assert!(seen.body.is_empty() && seen.header("authorization").is_none(), "{seen:?}");
    }
    let odd = format!("{}/doctor?live=perhaps", path(&world, "canary"));
    assert_eq!(world.call("GET", &odd).bearer(&world.server.root_key).send().await.status, 400);
}

#[tokio::test]
async fn a_built_in_connector_without_a_client_is_told_what_to_register_where() {
    let world = World::new().await;
    let report = world.root("GET", "/v1/admin/connectors/github/doctor", None).await.json();
    assert_eq!(report["redirect_uri"], format!("{}/connectors/github/oauth/callback", world.base()));
    assert_eq!(report["findings"][0]["code"], "no_client");
    let remedy = report["findings"][0]["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("PUT /v1/admin/connectors/github") && remedy.contains(report["redirect_uri"].as_str().unwrap())
    );
    let unknown = world.call("GET", "/v1/admin/connectors/nothing/doctor").bearer(&world.server.root_key);
    assert_eq!(unknown.send().await.status, 404);
}

#[tokio::test]
async fn the_deployments_report_is_the_root_keys_alone() {
    let world = World::new().await;
    let admin = world.client(Environment::Test, &[Role::Admin]).await;
    let answer = world.call("GET", "/v1/admin/connectors/github/doctor").bearer(&admin.key).send().await;
    assert_eq!(answer.status, 403);
    let own = format!("{}/doctor", path(&world, "github"));
    assert_eq!(world.call("GET", &own).bearer(&admin.key).send().await.status, 200);
    let live = own.replace("/test/", "/live/");
    assert_eq!(world.call("GET", &live).bearer(&admin.key).send().await.status, 404);
}
