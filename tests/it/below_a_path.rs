//! Servers that live below a path of their host, and issuers that have one.

use serde_json::{Value, json};

use crate::{
    client_credentials::said,
    world::{Fake, World, query},
};

async fn provider() -> Fake {
    Fake::start(|seen| match seen.target.as_str() {
        path if path.ends_with("/token") => said(200, &json!({ "access_token": "invented", "expires_in": 3600 })),
        path => said(200, &json!({ "id": "u1", "asked": path })),
    })
    .await
}

#[tokio::test]
async fn a_server_below_a_path_is_called_there_and_nowhere_else() {
    let (world, provider) = (World::new().await, provider().await);
    let definition = json!({
        "name": "Builds",
        "inputs": [
            { "name": "folder", "label": "Path", "optional": true },
            { "name": "api_key", "label": "Key", "secret": true },
        ],
        "api": { "base_url": format!("{}/{{+folder}}/api", provider.url), "credential": { "in": "header", "value": "Bearer {api_key}" } },
        "profile": { "url": format!("{}/{{+folder}}/me", provider.url), "account_id": "id" },
    });
    world.custom("builds", &definition, false).await;
    for (folder, asked) in [("", "/api/jobs"), ("tools/ci", "/tools/ci/api/jobs"), ("/ci/", "/ci/api/jobs")] {
        let connected = world.type_in("builds", &json!({ "folder": folder, "api_key": "invented" })).await;
        assert_eq!(connected.status, 201, "{folder}: {}", connected.text());
        let key = connected.member("connectionId");
        assert_eq!(world.through("builds", "jobs", &key).await.json()["asked"], asked, "{folder}");
        let outside = world.through("builds", "../../other", &key).await;
        assert_ne!(outside.status, 200, "{folder}: {}", outside.text());
    }
    for folder in ["..", "a/../b", "a//b", "./a"] {
        let refused = world.type_in("builds", &json!({ "folder": folder, "api_key": "invented" })).await;
        assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()), "{folder}");
        assert!(refused.text().contains("has to be a path like tools/ci"), "{}", refused.text());
    }
}

/// RFC 9207 §2.4: what an answer says is compared with the issuer as it is, and not as it is written down.
#[tokio::test]
async fn an_issuer_with_a_tenant_is_compared_as_it_is_filled() {
    let (world, provider) = (World::new().await, provider().await);
    let url = &provider.url;
    let definition = json!({
        "name": "Tenants",
        "settings": [
            { "name": "path", "label": "Path", "optional": true },
            { "name": "realm", "label": "Realm" },
        ],
        "oauth2": {
            "authorization_endpoint": format!("{url}/{{+path}}/realms/{{realm}}/authorize"),
            "token_endpoint": format!("{url}/{{+path}}/realms/{{realm}}/token"),
            "issuer": format!("{url}/{{+path}}/realms/{{realm}}"),
        },
        "api": { "base_url": url },
    });
    world.custom("tenants", &definition, false).await;
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/tenants", world.project());
    for (below, prefix) in [("auth", "/auth"), ("", "")] {
        let settings: Value = json!({ "path": below, "realm": "main" });
        let client = json!({ "client_id": "invented", "client_secret": "invented", "settings": settings });
        world.root("PUT", &path, Some(&client)).await;
        world.turn(std::time::Duration::from_secs(31));
        for (issuer, believed) in [
            (format!("{url}{prefix}/realms/main"), true),
            (format!("{url}{prefix}/realms/other"), false),
            (format!("{url}/{{+path}}/realms/{{realm}}"), false),
        ] {
            let (browser, attempt) = (world.browser(), world.begin_at("tenants").await);
            let there = browser.open(&attempt.start_url).await.location();
            assert!(there.starts_with(&format!("{url}{prefix}/realms/main/authorize?")), "{there}");
            let [redirect_uri, state] = ["redirect_uri", "state"].map(|name| query(&there, name).unwrap());
            let mut back = url::Url::parse(&redirect_uri).unwrap();
            back.query_pairs_mut().extend_pairs([("code", "c"), ("state", &state), ("iss", &issuer)]);
            let landed = browser.open(back.as_str()).await;
            assert_eq!(landed.status == 302, believed, "{issuer}: {}", landed.text());
        }
    }
}
