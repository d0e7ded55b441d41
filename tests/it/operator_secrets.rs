//! Secrets of the operator's besides a client: written, never read back, and filled into calls.

use serde_json::{Value, json};

use crate::{
    client_credentials::said,
    world::{Answer, Fake, Log, USER, World},
};

/// A provider that wants the app's key with each call.
async fn provider() -> Fake {
    Fake::start(|seen| {
        let lines = ["x-app-key", "x-more", "authorization", "x-client"]
            .map(|name| seen.header(name).unwrap_or_default().to_owned());
        match (seen.target.as_str(), lines[0].as_str()) {
            ("/token", _) => said(200, &json!({ "access_token": "canary-access", "expires_in": 3600 })),
            (_, key) if key.starts_with("canary-app-key") => {
                said(200, &json!({ "id": "u1", "lines": lines, "asked": seen.target }))
            }
            _ => said(401, &json!({ "error": "no_app_key" })),
        }
    })
    .await
}

fn keyed(url: &str) -> Value {
    json!({
        "name": "Keyed",
        "inputs": [{ "name": "api_key", "label": "Key", "secret": true }],
        "settings": [
            { "name": "app_key", "label": "App key", "secret": true, "pattern": "[a-z0-9-]+" },
            { "name": "more", "label": "More", "secret": true, "optional": true },
            { "name": "region", "label": "Region", "default": "eu" },
        ],
        "api": {
            "base_url": format!("{url}/v1/{{region}}"), "credential": { "in": "header", "value": "Bearer {api_key}" },
            "headers": { "X-App-Key": "{app_key}", "X-More": "{more}" },
        },
        "profile": { "url": format!("{url}/v1/me"), "account_id": "id" },
    })
}

async fn put(world: &World, connector: &str, body: &Value) -> Answer {
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/{connector}", world.project());
    world.call("PUT", &path).bearer(&world.server.root_key).json(body).send().await
}

async fn connect(world: &World) -> Answer {
    world.type_in("keyed", &json!({ "api_key": "canary-typed" })).await
}

#[tokio::test]
async fn a_secret_setting_is_written_and_used_and_never_shown() {
    let (log, _logging) = Log::start();
    let (world, provider) = (World::new().await, provider().await);
    world.custom("keyed", &keyed(&provider.url), false).await;
    let refused = connect(&world).await;
    assert_eq!(refused.refusal(), (409, "client_not_configured".to_owned()), "{}", refused.text());
    assert!(refused.json()["error_description"].as_str().unwrap().starts_with("keyed lacks app_key: "));
    let read = world
        .root("GET", &format!("/v1/admin/projects/{}/environments/test/connectors/keyed", world.project()), None)
        .await
        .json();
    assert_eq!(
        (&read["ready"], &read["secret_settings"]),
        (&json!(false), &json!({ "app_key": false, "more": false }))
    );

    let body = json!({ "settings": { "app_key": "canary-app-key-1", "region": "us" } });
    let stored = put(&world, "keyed", &body).await;
    assert_eq!(stored.status, 200, "{}", stored.text());
    let said = ["ready", "settings", "secret_settings"].map(|name| stored.json()[name].clone());
    assert_eq!(said, [json!(true), json!({ "region": "us" }), json!({ "app_key": true, "more": false })]);
    assert!(!stored.text().contains("canary-"));

    let connected = connect(&world).await;
    assert_eq!(connected.status, 201, "{}", connected.text());
    let key = connected.member("connectionId");
    let called = world.through("keyed", "things", &key).await.json();
    assert_eq!(called["lines"], json!(["canary-app-key-1", "", "Bearer canary-typed", ""]));
    assert_eq!(called["asked"], "/v1/us/things");

    // what is left out stays, what is given takes its place, null takes it away
    put(&world, "keyed", &json!({ "settings": { "more": "canary-more" } })).await;
    world.turn(std::time::Duration::from_secs(31));
    let called = world.through("keyed", "things", &key).await.json();
    assert_eq!(called["lines"], json!(["canary-app-key-1", "canary-more", "Bearer canary-typed", ""]));
    let cleared = put(&world, "keyed", &json!({ "settings": { "app_key": null } })).await.json();
    assert_eq!(
        (&cleared["ready"], &cleared["secret_settings"]),
        (&json!(false), &json!({ "app_key": false, "more": true }))
    );
    world.turn(std::time::Duration::from_secs(31));
    assert_eq!(world.through("keyed", "things", &key).await.refusal(), (409, "client_not_configured".to_owned()));

    for (body, why) in [
        (json!({ "settings": { "app_key": "canary NOT" } }), "of the form"),
        (json!({ "settings": { "app_key": "" } }), "app_key"),
        (json!({ "settings": { "region": null } }), "`region` is no secret"),
    ] {
        let refused = put(&world, "keyed", &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()));
        assert!(refused.text().contains(why) && !refused.text().contains("canary"), "{}", refused.text());
    }
    for text in world.dump().await.into_values().chain(log.lines()) {
        assert!(!text.contains("canary-"), "{text}");
    }
}

#[tokio::test]
async fn admins_who_save_at_once_lose_nothing() {
    let (world, provider) = (World::new().await, provider().await);
    let mut definition = keyed(&provider.url);
    let names: Vec<String> = (0..6).map(|number| format!("key_{number}")).collect();
    definition["settings"] = names.iter().map(|name| json!({ "name": name, "label": name, "secret": true })).collect();
    definition["api"].as_object_mut().unwrap().remove("headers");
    definition["api"]["base_url"] = json!(format!("{}/v1", provider.url));
    world.custom("keyed", &definition, false).await;
    let bodies: Vec<Value> = names.iter().map(|name| json!({ "settings": { name: "canary-value" } })).collect();
    let puts = bodies.iter().map(|body| put(&world, "keyed", body));
    for answer in futures_util::future::join_all(puts).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let read = world
        .root("GET", &format!("/v1/admin/projects/{}/environments/test/connectors/keyed", world.project()), None)
        .await
        .json();
    let all: serde_json::Map<String, Value> = names.iter().map(|name| (name.clone(), json!(true))).collect();
    assert_eq!((&read["ready"], &read["secret_settings"]), (&json!(true), &Value::Object(all)));
}

#[tokio::test]
async fn a_client_and_its_secret_settings_stand_together_and_go_into_calls() {
    let (world, provider) = (World::new().await, provider().await);
    let url = &provider.url;
    let definition = json!({
        "name": "Ads",
        "settings": [{ "name": "app_key", "label": "App key", "secret": true }],
        "oauth2": { "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token") },
        "api": { "base_url": format!("{url}/v1"), "headers": { "X-App-Key": "{app_key}", "X-Client": "{client_secret}" } },
        "profile": { "url": format!("{url}/v1/me"), "account_id": "id" },
    });
    world.custom("ads", &definition, true).await;
    let session = json!({ "identity": USER, "connectors": ["ads"] });
    let refused = world.post("/v1/connect/sessions", &session).await;
    assert_eq!(refused.refusal(), (409, "client_not_configured".to_owned()));
    let why =
        "ads lacks app_key: store it with PUT /v1/admin/projects/{project}/environments/{environment}/connectors/ads";
    assert_eq!(refused.json()["error_description"], why);

    put(&world, "ads", &json!({ "settings": { "app_key": "canary-app-key-2" } })).await;
    let key = world.allow("ads").await;
    let secret = world.server.demo.acme_client_secret();
    let called = world.through("ads", "things", &key).await.json();
    assert_eq!(called["lines"], json!(["canary-app-key-2", "", "Bearer canary-access", secret]));

    // another client secret leaves the setting as it is, and another setting the client
    let client = &world.server.demo.acme_client_id;
    let stored =
        put(&world, "ads", &json!({ "client_id": client, "client_secret": "canary-client-secret" })).await.json();
    assert_eq!((&stored["secret_settings"], &stored["client_id"]), (&json!({ "app_key": true }), &json!(client)));
    world.turn(std::time::Duration::from_secs(31));
    let called = world.through("ads", "things", &key).await.json();
    assert_eq!(called["lines"], json!(["canary-app-key-2", "", "Bearer canary-access", "canary-client-secret"]));
}
