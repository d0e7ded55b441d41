//! What an operator chooses later: connections follow it where the connector says so, and stay with what they were made with where
//! their credentials hang on it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    client_credentials::said,
    world::{Fake, World},
};

fn versioned(url: &str, default: &str) -> Value {
    json!({
        "name": "Versioned",
        "inputs": [{ "name": "api_key", "label": "Key", "secret": true }],
        "settings": [
            { "name": "version", "label": "Version", "default": default, "pattern": "[0-9]+", "live": true },
            { "name": "contact", "label": "Contact", "optional": true, "live": true },
            { "name": "tenant", "label": "Tenant", "default": "first" },
        ],
        "api": {
            "base_url": format!("{url}/{{tenant}}"), "credential": { "in": "header", "value": "Bearer {api_key}" },
            "headers": { "X-Version": "{version}", "X-Contact": "{contact}" },
        },
        "profile": { "url": format!("{url}/me"), "account_id": "id" },
    })
}

#[tokio::test]
async fn a_connection_follows_what_is_live_and_keeps_the_rest() {
    let provider = Fake::start(|seen| {
        let [version, contact] = ["x-version", "x-contact"].map(|name| seen.header(name).map(str::to_owned));
        said(200, &json!({ "id": "u1", "asked": seen.target, "version": version, "contact": contact }))
    })
    .await;
    let world = World::new().await;
    world.custom("versioned", &versioned(&provider.url, "1"), false).await;
    let connected = world.type_in("versioned", &json!({ "api_key": "invented" })).await;
    let key = connected.member("connectionId");
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/versioned", world.project());

    let decisions = [
        ("nobody decided", json!({}), json!({ "asked": "/first/it", "version": "1", "contact": null })),
        (
            "all of it is chosen",
            json!({ "version": "2", "contact": "ops@orbit.example", "tenant": "second" }),
            json!({ "asked": "/first/it", "version": "2", "contact": "ops@orbit.example" }),
        ),
        (
            "what is chosen no more",
            json!({ "version": "3", "contact": "", "tenant": "" }),
            json!({ "asked": "/first/it", "version": "3", "contact": null }),
        ),
        (
            "none of it",
            json!({ "version": "", "contact": "", "tenant": "" }),
            json!({ "asked": "/first/it", "version": "1", "contact": null }),
        ),
    ];
    for (case, settings, expected) in decisions {
        world.root("PUT", &path, Some(&json!({ "settings": settings }))).await;
        world.turn(Duration::from_secs(31));
        let mut called = world.through("versioned", "it", &key).await.json();
        called.as_object_mut().unwrap().remove("id");
        assert_eq!(called, expected, "{case}");
    }

    // a later definition has another default, and then refuses what was chosen
    world.custom("versioned", &versioned(&provider.url, "9"), false).await;
    world.turn(Duration::from_secs(31));
    assert_eq!(world.through("versioned", "it", &key).await.json()["version"], "9");
    world.root("PUT", &path, Some(&json!({ "settings": { "version": "4" } }))).await;
    let mut narrower = versioned(&provider.url, "10");
    narrower["settings"][0]["pattern"] = json!("1[0-9]");
    world.custom("versioned", &narrower, false).await;
    world.turn(Duration::from_secs(31));
    assert_eq!(world.through("versioned", "it", &key).await.json()["version"], "10");
}
