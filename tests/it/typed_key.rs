//! Connectors that take a key: brought by the app's back end, or typed by the person on our page.

use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::world::{Fake, Seen, USER, World, query};

/// A provider that knows one key, and who it belongs to.
pub async fn provider() -> Fake {
    Fake::start(|seen: &Seen| match (seen.target.as_str(), seen.header("x-api-key")) {
        ("/v1/me", Some("good-key")) => axum::Json(json!({ "id": 7, "mail": "ada@keyed.example" })).into_response(),
        ("/v1/broken", _) => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        (_, Some("good-key")) => axum::Json(json!({ "asked": seen.target })).into_response(),
        _ => (axum::http::StatusCode::UNAUTHORIZED, axum::Json(json!({ "error": "bad_key" }))).into_response(),
    })
    .await
}

pub fn definition(url: &str, profile: &str) -> Value {
    json!({
        "name": "Keyed",
        "inputs": [
            { "name": "api_key", "label": "API key", "secret": true, "pattern": "[a-z-]{3,40}" },
            { "name": "workspace", "label": "Workspace", "pattern": "[a-z]{1,20}", "default": "main" },
        ],
        "api": { "base_url": format!("{url}/v1"), "credential": { "in": "header", "name": "X-API-Key", "value": "{api_key}" } },
        "profile": { "url": format!("{url}/v1/{profile}"), "account_id": "id", "email": "mail" },
    })
}

fn body(credentials: &Value) -> Value {
    json!({ "connectorId": "keyed", "credentialType": "apiKey", "userId": USER, "credentials": credentials })
}

#[tokio::test]
async fn a_key_that_works_connects_at_once() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("keyed", &definition(&provider.url, "me"), false).await;
    for prefix in ["", "/api/v1"] {
        let path = format!("{prefix}/connectors/keyed/credentials");
        let created = world.post(&path, &body(&json!({ "api_key": "good-key" }))).await;
        let key = created.member("connectionId");
        let expected =
            json!({ "connectionId": key, "credentialId": key.replace("conn_", "cred_"), "status": "connected" });
        assert_eq!((created.status, created.json(), created.header("x-api-version")), (201, expected, Some("2025-09")));

        let rows = world.connections().await;
        let said = ["key", "name", "platform", "identity"].map(|name| rows[0][name].clone());
        assert_eq!(said, [json!(key), json!("ada@keyed.example"), json!("keyed"), json!(USER)]);
        let call = world.api("GET", "/v1/passthrough/keyed/things?a=1").header("x-one-connection-key", &key);
        assert_eq!(call.send().await.json(), json!({ "asked": "/v1/things?a=1" }));
        let deleted = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await;
        assert_eq!(deleted.json()["revocation"], "not_supported");
    }
}

#[tokio::test]
async fn a_key_that_does_not_work_is_not_stored() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("keyed", &definition(&provider.url, "me"), false).await;
    let before = world.dump_of(&["flows", "connections", "journal"]).await;
    let table = [
        (json!({ "api_key": "bad-key" }), 422, "invalid_credentials"),
        (json!({ "api_key": "NOT ALLOWED" }), 400, "invalid_request"),
        (json!({ "api_key": "" }), 400, "invalid_request"),
        (json!({ "api_key": 7 }), 400, "invalid_request"),
        (json!({ "api_key": "good-key", "extra": "x" }), 400, "invalid_request"),
        (json!({ "api_key": "good-key", "workspace": "../x" }), 400, "invalid_request"),
        (json!({}), 400, "invalid_request"),
    ];
    for (credentials, status, error) in table {
        let answer = world.post("/connectors/keyed/credentials", &body(&credentials)).await;
        assert_eq!(answer.refusal(), (status, error.to_owned()), "{credentials}");
        assert!(!answer.text().contains("bad-key") && !answer.text().contains("NOT ALLOWED"), "{}", answer.text());
    }
    assert_eq!(world.dump_of(&["flows", "connections", "journal"]).await, before);
}

#[tokio::test]
async fn a_value_that_can_not_stand_in_its_address_is_refused_by_its_label() {
    let world = World::new().await;
    let inputs = json!([
        { "name": "shop", "label": "Shop name", "pattern": "[a-z0-9-]+" },
        { "name": "branch", "label": "Branch", "pattern": "[a-z0-9.-]+", "default": "main" },
    ]);
    let mut keyed = inputs.clone();
    keyed
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "api_key", "label": "API key", "secret": true, "default": "k" }));
    let by_key = json!({
        "name": "Keyed", "inputs": keyed,
        "api": { "base_url": "https://eu-{shop}.vendor.example/{branch}", "credential": { "in": "header", "value": "Bearer {api_key}" } },
        "profile": { "url": "https://eu-{shop}.vendor.example/me", "account_id": "id" },
    });
    let mut by_consent = world.acme();
    by_consent["inputs"] = inputs;
    let oauth2 = &mut by_consent["oauth2"];
    oauth2["authorization_endpoint"] = json!("https://eu-{shop}.vendor.example/{branch}/authorize");
    oauth2["token_endpoint"] = json!("https://eu-{shop}.vendor.example/token");
    world.custom("keyed", &by_key, false).await;
    world.custom("consented", &by_consent, true).await;

    let label = "has to be a part of a host name: lower-case letters, digits and hyphens, none of these at an end, of \
                 at most 63 characters with what stands beside it";
    let table = [
        ("shop", "-acme".to_owned(), format!("Shop name (shop) {label}")),
        ("shop", "acme-".to_owned(), format!("Shop name (shop) {label}")),
        ("shop", "a".repeat(61), format!("Shop name (shop) {label}")),
        ("branch", "..".to_owned(), "Branch (branch) can't be . or ..".to_owned()),
        ("shop", String::new(), "Shop name (shop) is missing".to_owned()),
        ("shop", "ACME".to_owned(), "Shop name (shop) has to be of the form [a-z0-9-]+".to_owned()),
    ];
    for (name, value, why) in table {
        let mut credentials = json!({ "shop": "acme" });
        credentials[name] = json!(value);
        for (connector, credential_type) in [("keyed", "apiKey"), ("consented", "oauth2")] {
            let body = json!({ "credentialType": credential_type, "redirectUri": world.redirect_uri(), "credentials": credentials });
            let answer = world.post(&format!("/connectors/{connector}/credentials"), &body).await;
            assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()), "{connector} {credentials}");
            let said = answer.member("error_description");
            assert_eq!(said.trim_start_matches("credentials: "), why, "{connector} {credentials}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_fails_is_told_apart_from_one_that_refuses() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("keyed", &definition(&provider.url, "broken"), false).await;
    let answer = world.post("/connectors/keyed/credentials", &body(&json!({ "api_key": "good-key" }))).await;
    assert_eq!(answer.refusal(), (502, "provider_failed".to_owned()));
    let gone = definition("http://127.0.0.1:1", "me");
    world.custom("keyed", &gone, false).await;
    let answer = world.post("/connectors/keyed/credentials", &body(&json!({ "api_key": "good-key" }))).await;
    assert_eq!(answer.refusal(), (502, "provider_unreachable".to_owned()));
    assert_eq!(world.connections().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_person_types_a_key_on_our_page_mends_it_and_confirms() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("keyed", &definition(&provider.url, "me"), false).await;
    let request = json!({ "identity": USER, "connectors": ["keyed"], "redirect_uri": world.redirect_uri() });
    let answer = world.post("/v1/connect/sessions", &request).await;
    let browser = world.browser();
    let page = browser.enter(&answer.member("url")).await;
    assert!(page.text().contains("type=\"password\""), "{}", page.text());

    let typed = page.form("/connect/keyed").with("input_workspace", "side").with("input_api_key", "bad-key");
    let mended = browser.submit(typed).await;
    assert_eq!(mended.status, 422);
    let text = mended.text();
    assert!(
        text.contains("Keyed does not accept this.")
            && text.contains("The answer was: bad_key")
            && text.contains("value=\"side\"")
            && !text.contains("bad-key")
    );

    let held = browser
        .submit(mended.form("/connect/keyed").with("input_workspace", "side").with("input_api_key", "good-key"))
        .await;
    assert_eq!(held.status, 303);
    assert_eq!(world.connections().await, [] as [Value; 0], "only held so far");
    let confirm = browser.open(&held.location()).await;
    assert!(confirm.text().contains("ada@keyed.example") && confirm.text().contains("Keyed"));
    let done = browser.submit(confirm.form("/connect/confirm/").with("decision", "confirm")).await;
    assert_eq!(query(&done.location(), "status").as_deref(), Some("connected"), "{}", done.text());
    assert_eq!(world.connections().await.len(), 1);

    let attempt = held.location().rsplit('/').next().unwrap().to_owned();
    let status =
        world.call("GET", &format!("/v1/connect/attempts/{attempt}")).bearer(&answer.member("session")).send().await;
    assert_eq!(status.json()["status"], "connected");
}

/// What the browser is told of a field, in its order.
fn field<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<label for=\"input_{name}\"")).unwrap();
    rest.split("<div class=\"field\">").next().unwrap()
}

#[tokio::test]
async fn a_form_says_beside_each_field_what_is_wrong_and_keeps_what_is_no_secret() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("keyed", &definition(&provider.url, "me"), false).await;
    let link =
        world.post("/v1/connect/sessions", &json!({ "identity": USER, "connectors": ["keyed"] })).await.member("url");
    let browser = world.browser();
    let page = browser.enter(&link).await;
    let text = page.text();
    assert!(field(&text, "api_key").contains("pattern=\"\\s*(?:[a-z\\-]{3,40})\\s*\""), "{text}");
    assert!(field(&text, "api_key").contains(" required"), "{text}");
    assert!(!field(&text, "workspace").contains(" required"), "it has a default: {text}");
    assert!(!text.contains("aria-invalid"), "{text}");

    let before = world.dump_of(&["flows", "connections", "journal"]).await;
    let table = [
        ("", "side", "api_key", "Please fill this in."),
        ("NOT ALLOWED", "side", "api_key", "Keyed writes this differently."),
        ("good-key", "NOT A WORKSPACE", "workspace", "Keyed writes this differently."),
        ("good-key", "NOT A WORKSPACE", "api_key", "Please enter it again"),
    ];
    for (key, workspace, name, fault) in table {
        let form = page.form("/connect/keyed").with("input_api_key", key).with("input_workspace", workspace);
        let answer = browser.submit(form).await;
        let text = answer.text();
        assert_eq!(answer.status, 422, "{text}");
        let said = field(&text, name);
        assert!(
            said.contains("aria-invalid=\"true\"") && said.contains(&format!("aria-describedby=\"fault_{name}\"")),
            "{said}"
        );
        assert!(said.contains(&format!("<p class=\"fault\" id=\"fault_{name}\">{fault}")), "{said}");
        assert!(text.contains("role=\"alert\"") && text.matches(" autofocus").count() == 1, "{text}");
        assert!(text.contains(&format!("value=\"{workspace}\"")), "{text}");
        assert!(key.is_empty() || !text.contains(key), "{text}");
    }
    assert_eq!(world.dump_of(&["flows", "connections", "journal"]).await, before);
}

#[tokio::test]
async fn what_a_provider_answers_to_a_typed_key_is_told_in_words() {
    let world = World::new().await;
    let provider = Fake::start(|seen: &Seen| {
        let (status, body) = match seen.header("x-api-key") {
            Some("small-key") => (403, json!({ "error": "insufficient_scope" })),
            Some("lost-key") => (404, json!({})),
            Some("busy-key") => (429, json!({})),
            Some("down-key") => (503, json!({})),
            _ => (401, json!({})),
        };
        (axum::http::StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
    })
    .await;
    world.custom("keyed", &definition(&provider.url, "me"), false).await;
    let link =
        world.post("/v1/connect/sessions", &json!({ "identity": USER, "connectors": ["keyed"] })).await.member("url");
    let browser = world.browser();
    let page = browser.enter(&link).await;
    let table = [
        ("bad-key", 422, "invalid_credentials", "Keyed does not accept this."),
        ("small-key", 422, "invalid_credentials", "Keyed knows this, but does not let it read the account."),
        ("lost-key", 422, "invalid_credentials", "Keyed finds no such account."),
        ("busy-key", 502, "provider_failed", "Keyed has been asked too often just now."),
        ("down-key", 502, "provider_failed", "Keyed does not answer at the moment."),
    ];
    for (key, status, code, words) in table {
        let form = page.form("/connect/keyed").with("input_api_key", key).with("input_workspace", "side");
        let answer = browser.submit(form).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{key}");
        let text = answer.text();
        assert!(text.contains(words) && text.contains("value=\"side\"") && !text.contains(key), "{key}: {text}");
        assert!(!text.contains("status 4"), "{text}");
    }
    assert_eq!(world.connections().await, [] as [Value; 0]);
}
