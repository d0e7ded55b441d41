//! Links: a one-time token or a connect session in an address, our page, the provider, and the person's own word.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Attempt, LABEL, START, Shape, USER, World, query};

/// What holds for every connection, however it was made: it is listed, it works, and deleting it ends the grant at Acme.
pub async fn works_until_it_is_deleted(world: &World, key: &str) {
    let listed: Vec<_> = world.connections().await.iter().map(|row| row["key"].clone()).collect();
    assert_eq!(listed, [json!(key)]);
    let me = world.me(key).await;
    let expected = json!({ "id": "usr_alice", "name": "Alice Archer", "email": "alice@acme.example" });
    assert_eq!((me.status, me.json()), (200, expected));
    assert_eq!(world.grants(), ["alice active"]);

    let deleted = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await;
    let mut receipt = deleted.json();
    assert_eq!(receipt["requestId"].take().as_str(), deleted.header("x-request-id"));
    let expected =
        json!({ "id": key, "key": key, "deleted": true, "revocation": "revoked", "ends": "token", "requestId": null });
    assert_eq!((deleted.status, receipt), (200, expected));
    assert_eq!(world.grants(), ["alice revoked"]);
    assert_eq!(world.connections().await, [] as [Value; 0]);
    assert_eq!(world.me(key).await.refusal(), (404, "connection_not_found".to_owned()));
}

#[tokio::test]
async fn a_one_time_link_connects_once_the_person_has_confirmed() {
    let world = World::new().await;
    let path = format!("/org/{}/generateOneTimeConnectorToken", world.project());
    let body = json!({ "user_id": USER, "connector_id": "acme", "userLabel": LABEL });
    let mut answer = world.post(&path, &body).await.json();
    let token = answer["token"].take();
    assert_eq!(answer, json!({ "token": null, "expires_at": START / 1000 + 300, "ttl": 300 }));

    let browser = world.browser();
    let url = format!("{}/connect/acme?token={}", world.base(), token.as_str().unwrap());
    let page = browser.enter(&format!("{url}&organizationId={}", world.project())).await;
    assert_eq!(page.status, 200);
    for words in ["Connect Acme to Orbit CRM", LABEL] {
        assert!(page.text().contains(words), "{words}");
    }
    let begun = browser.submit(page.form("/connect/acme")).await;
    let attempt = Attempt::of(&begun.location());
    assert_eq!((begun.status, begun.location()), (303, format!("{}?state={}", attempt.path("start"), attempt.state)));

    let callback = world.consent(&browser, &attempt, "alice").await;
    let landed = browser.open(&callback).await;
    assert_eq!((landed.status, landed.location()), (302, attempt.path("confirm")));
    let page = browser.open(&landed.location()).await;
    for words in ["Orbit CRM", "Acme", "alice@acme.example", LABEL] {
        assert!(page.text().contains(words), "{words}");
    }
    let confirmed = browser.submit(page.form("/connect/confirm/").with("decision", "confirm")).await;
    assert_eq!((confirmed.status, confirmed.location()), (303, attempt.path("outcome")));
    let outcome = browser.open(&confirmed.location()).await;
    assert_eq!((outcome.status, outcome.text().contains("<h1>Connected</h1>")), (200, true));

    let rows = world.connections().await;
    works_until_it_is_deleted(&world, rows[0]["key"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_connection_is_listed_with_every_field() {
    let world = World::new().await;
    let key = world.connect_account(Shape::OneTimeLink).await;
    let mut row = world.connections().await.remove(0);
    let definition = row["connectionDefinitionId"].take();
    assert!(definition.as_str().unwrap().parse::<u64>().is_ok());
    let scopes = ["profile", "notes:read", "notes:write"];
    let expected = json!({
        "_id": key, "id": key, "key": key, "platformVersion": "1.0.0", "connectionDefinitionId": null,
        "name": "alice@acme.example", "environment": "test", "platform": "acme",
        "secretsServiceId": key.replace("conn_", "cred_"), "identity": USER, "identityType": "user",
        "settings": { "parseWebhookBody": false, "showSecret": false, "allowCustomEvents": false, "oauth": true },
        "throughput": { "key": key, "limit": 0 }, "createdAt": START, "updatedAt": START, "updated": false,
        "version": "1.0.1", "lastModifiedBy": "system", "deleted": false, "tags": [], "active": true, "deprecated": false,
        "state": "connected", "account": { "id": "usr_alice", "tenant": null, "label": "Alice Archer", "email": "alice@acme.example" },
        "scopes": { "requested": scopes, "granted": scopes, "missing": [] }, "values": {}, "tokenSlots": [],
    });
    assert_eq!(row, expected);
}

#[tokio::test]
async fn a_session_link_connects_its_single_connector() {
    let world = World::new().await;
    let body = json!({ "identity": USER, "identityLabel": LABEL, "connectors": ["acme"] });
    let mut answer = world.post("/v1/connect/sessions", &body).await.json();
    let url = answer["url"].take();
    assert!(url.as_str().unwrap().starts_with(&format!("{}/connect/acme?token=", world.base())), "{url}");
    assert_eq!(answer["session"].take().as_str().map(str::len), Some(43));
    assert_eq!(answer, json!({ "session": null, "url": null, "expires_at": START / 1000 + 300 }));
    let key = world.connect_account(Shape::SessionLink).await;
    works_until_it_is_deleted(&world, &key).await;
}

#[tokio::test]
async fn a_session_link_without_connectors_offers_what_can_be_connected() {
    let world = World::new().await;
    world.root("PUT", "/v1/admin/connectors/openai", Some(&json!({ "enabled": true }))).await;
    let browser = world.browser();
    let link = world.post("/v1/connect/sessions", &json!({ "identity": USER })).await.member("url");
    let list = browser.enter(&link).await;
    let text = list.text();
    assert!(text.contains("What would you like to connect to Orbit CRM?"), "{text}");
    assert!(text.contains("OpenAI") && !text.contains("Slack"), "Slack has no client here");
    assert!(!text.contains("SendGrid"), "nobody has decided about it");
    let (_, rest) = text.split_once("href=\"/connect/acme?").unwrap();
    let address = format!("{}/connect/acme?{}", world.base(), rest.split('"').next().unwrap());

    let page = browser.open(&address).await;
    let attempt = Attempt::of(&browser.submit(page.form("/connect/acme")).await.location());
    browser.open(&world.consent(&browser, &attempt, "alice").await).await;
    world.confirm(&browser, &attempt).await;
    let rows = world.connections().await;
    works_until_it_is_deleted(&world, rows[0]["key"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_session_of_one_connector_opens_no_other() {
    let world = World::new().await;
    let browser = world.browser();
    let body = json!({ "identity": USER, "connectors": ["acme"] });
    let link = world.post("/v1/connect/sessions", &body).await.member("url");
    let other = browser.enter(&link.replace("/connect/acme", "/connect/openai")).await;
    assert_eq!(other.refusal(), (404, "connector_not_found".to_owned()));
    let page = browser.enter(&link).await;
    assert_eq!(page.status, 200, "the mistake cost nothing: {}", page.text());
    let mut form = page.form("/connect/acme");
    form.action = form.action.join("/connect/openai").unwrap();
    assert_eq!(browser.submit(form).await.refusal(), (404, "connector_not_found".to_owned()));
}

#[tokio::test]
async fn the_browser_goes_back_where_the_link_says() {
    let world = World::new().await;
    for (decision, expected) in [("confirm", "status=connected"), ("cancel", "error=access_denied")] {
        let browser = world.browser();
        let body = json!({ "identity": USER, "connectors": ["acme"], "redirect_uri": world.redirect_uri() });
        let link = world.post("/v1/connect/sessions", &body).await.member("url");
        let page = browser.enter(&link).await;
        let attempt = Attempt::of(&browser.submit(page.form("/connect/acme")).await.location());
        browser.open(&world.consent(&browser, &attempt, "alice").await).await;
        let decided = world.decide(&browser, &attempt, decision).await;
        assert_eq!(decided.status, 303);
        let location = decided.location();
        assert!(location.starts_with(&format!("{}?{expected}&", world.redirect_uri())), "{location}");
        assert_eq!(query(&location, "connector").as_deref(), Some("acme"));
    }
}

#[tokio::test]
async fn editing_renews_a_connection_and_keeps_its_key_name_and_tags() {
    let world = World::new().await;
    let key = world.connect_account(Shape::OneTimeLink).await;
    let body = json!({ "name": "Ada's notes", "tags": ["blue"] });
    let path = format!("/v1/vault/connections/{key}");
    assert_eq!(world.api("PATCH", &path).json(&body).send().await.status, 200);
    world.turn(Duration::from_mins(2));

    let browser = world.browser();
    let page = browser.enter(&world.one_time_link().await.replace("/connect/acme", "/connect/acme/edit")).await;
    assert!(page.text().contains("Renew the connection to Acme"), "{}", page.text());
    let attempt = Attempt::of(&browser.submit(page.form("/connect/acme")).await.location());
    browser.open(&world.consent(&browser, &attempt, "alice").await).await;
    assert_eq!(world.connections().await[0]["updatedAt"], json!(START), "until it is confirmed the old grant is used");
    assert_eq!(world.confirm(&browser, &attempt).await.status, 303);

    assert_eq!(world.me(&key).await.json()["id"], "usr_alice");
    let rows = world.connections().await;
    let said = ["key", "name", "tags", "createdAt", "updatedAt", "version"].map(|name| rows[0][name].clone());
    let expected =
        [json!(key), json!("Ada's notes"), json!(["blue"]), json!(START), json!(world.now()), json!("1.0.3")];
    assert_eq!((rows.len(), said), (1, expected));
}

#[tokio::test]
async fn editing_what_is_not_there_is_404_and_costs_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let link = world.one_time_link().await;
    let edit = browser.enter(&link.replace("/connect/acme", "/connect/acme/edit")).await;
    assert_eq!(edit.refusal(), (404, "connection_not_found".to_owned()));
    let foreign = link.replace("organizationId=", "organizationId=pother");
    assert_eq!(browser.enter(&foreign).await.refusal(), (400, "unknown_state".to_owned()));
    assert_eq!(browser.enter(&link).await.status, 200, "the same link still connects");
}

#[tokio::test]
async fn a_one_time_token_is_refused_with_the_reason() {
    let world = World::new().await;
    let own = world.project().to_owned();
    assert_eq!(world.api("DELETE", "/users/gone").send().await.status, 200);
    let table = [
        (own.as_str(), json!({ "connector_id": "acme" }), 400, "invalid_request"),
        (&own, json!({ "user_id": "u" }), 400, "invalid_request"),
        (&own, json!({ "user_id": "", "connector_id": "acme" }), 400, "invalid_request"),
        (&own, json!({ "user_id": "u", "connector_id": "nobodys" }), 404, "connector_not_found"),
        (&own, json!({ "user_id": "u", "connector_id": "Not An Id" }), 404, "connector_not_found"),
        (&own, json!({ "user_id": "gone", "connector_id": "acme" }), 404, "user_not_found"),
        ("pforeign", json!({ "user_id": "u", "connector_id": "acme" }), 404, "project_not_found"),
        (
            &own,
            json!({ "user_id": "u", "connector_id": "acme", "redirect_uri": "https://evil.example/" }),
            400,
            "invalid_redirect_uri",
        ),
    ];
    for (org, body, status, error) in table {
        for prefix in ["", "/v1"] {
            let path = format!("{prefix}/org/{org}/generateOneTimeConnectorToken/");
            assert_eq!(world.post(&path, &body).await.refusal(), (status, error.to_owned()), "{path} {body}");
        }
    }
}

#[tokio::test]
async fn in_a_frame_the_page_only_leads_to_a_window_of_its_own() {
    let world = World::new().await;
    let browser = world.browser();
    let link = world.one_time_link().await;
    let framed = browser.open_framed(&link).await;
    assert_eq!((framed.status, framed.header("x-frame-options"), framed.header("set-cookie")), (200, None, None));
    let policy = framed.header("content-security-policy").unwrap();
    assert!(policy.ends_with(&format!("frame-ancestors {}", world.app_origin())), "{policy}");
    assert!(framed.text().contains("target=\"_blank\""));

    let page = browser.enter(&link).await;
    assert_eq!(page.status, 200, "the frame left the token as it was");
    let policy = page.header("content-security-policy").unwrap();
    assert_eq!((policy.contains("frame-ancestors 'none'"), page.header("x-frame-options")), (true, Some("DENY")));
}

#[tokio::test]
async fn a_token_leaves_the_address_before_a_page_is_shown() {
    let world = World::new().await;
    let browser = world.browser();
    for page in ["acme", "acme/edit", ""] {
        let link =
            world.one_time_link().await.replace("/connect/acme", format!("/connect/{page}").trim_end_matches('/'));
        let claimed = browser.open(&link).await;
        assert_eq!((claimed.status, claimed.text().as_str()), (303, ""), "{page}");
        assert_eq!(claimed.header("referrer-policy"), Some("no-referrer"));
        let (address, _) = claimed.location().split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(address, format!("{}/connect/{page}", world.base()).trim_end_matches('/'));
        let names: Vec<_> =
            url::Url::parse(&claimed.location()).unwrap().query_pairs().map(|(n, _)| n.into_owned()).collect();
        assert_eq!(names, ["link"]);
        assert!(!browser.open(&claimed.location()).await.text().contains(&query(&link, "token").unwrap()));
    }
}

#[tokio::test]
async fn what_may_not_be_a_person_does_not_use_a_link_up() {
    let world = World::new().await;
    let said: [&[(&str, &str)]; 8] = [
        &[],
        &[("user-agent", "ExampleBot/1.0 (link preview)")],
        &[("sec-fetch-dest", "document"), ("sec-purpose", "prefetch")],
        &[("sec-fetch-dest", "document"), ("sec-purpose", "prefetch;prerender")],
        &[("sec-fetch-dest", "document"), ("purpose", "prefetch")],
        &[("sec-fetch-dest", "document"), ("x-purpose", "preview")],
        &[("sec-fetch-dest", "empty")],
        &[("sec-fetch-dest", "image")],
    ];
    for said in said {
        let (program, person) = (world.browser(), world.browser());
        let link = world.one_time_link().await;
        let shown = program.open_unsaid(&link, said).await;
        assert_eq!((shown.status, shown.header("set-cookie"), shown.header("location")), (200, None, None), "{said:?}");
        assert!(shown.text().contains("Continue"), "{said:?}");
        assert_eq!(person.enter(&link).await.status, 200, "{said:?}");
        // the button claims as a navigation does: here too late
        let pressed = program.submit(shown.form("/connect")).await;
        assert_eq!(pressed.refusal(), (409, "already_used".to_owned()));
    }
}

#[tokio::test]
async fn a_browser_that_says_nothing_of_itself_connects_by_the_button() {
    let world = World::new().await;
    let browser = world.browser();
    for page in ["acme", "acme/edit", ""] {
        let link =
            world.one_time_link().await.replace("/connect/acme", format!("/connect/{page}").trim_end_matches('/'));
        let shown = browser.open_unsaid(&link, &[]).await;
        let claimed = browser.submit(shown.form("/connect")).await;
        let wanted = format!("{}/connect/{page}", world.base());
        assert_eq!(claimed.status, 303);
        assert_eq!(claimed.location().split('?').next().unwrap(), wanted.trim_end_matches('/'));
    }
    let link = world.one_time_link().await;
    let foreign = browser.open_unsaid(&link, &[]).await.form("/connect").with("organizationId", "pother");
    assert_eq!(browser.submit(foreign).await.refusal(), (400, "unknown_state".to_owned()));
    let odd = browser.open_unsaid(&link, &[]).await.form("/connect").with("connector", "../../evil");
    assert_eq!(
        browser.submit(odd).await.location().split('?').next(),
        Some(format!("{}/connect", world.base()).as_str())
    );
    assert_eq!(
        world.browser().submit(browser.open_unsaid(&link, &[]).await.form("/connect").without("token")).await.status,
        400
    );
}

/// The page behind such a link could only say that nobody can connect there.
#[tokio::test]
async fn a_link_to_a_connector_without_a_client_is_refused_when_it_is_made() {
    let world = World::new().await;
    let keyed = json!({
        "name": "Keyed", "inputs": [{ "name": "api_key", "label": "API key", "secret": true }],
        "api": { "base_url": "https://api.keyed.example", "credential": { "in": "header", "value": "Bearer {api_key}" } },
    });
    world.custom("keyed", &keyed, false).await;
    let token = format!("/org/{}/generateOneTimeConnectorToken", world.project());
    let one = |connector: &str| (token.as_str(), json!({ "user_id": USER, "connector_id": connector }));
    let session = |connectors: &[&str]| ("/v1/connect/sessions", json!({ "identity": USER, "connectors": connectors }));
    let before = world.dump_of(&["flows"]).await;
    for (path, body) in [one("slack"), session(&["slack"]), session(&["acme", "slack"])] {
        let answer = world.post(path, &body).await;
        assert_eq!(answer.refusal(), (409, "client_not_configured".to_owned()), "{body}");
        assert!(answer.member("error_description").starts_with("no client is configured for slack"), "{body}");
    }
    assert_eq!(world.dump_of(&["flows"]).await, before);
    for (path, body) in [one("acme"), one("keyed"), session(&["acme", "keyed"]), session(&[])] {
        assert_eq!(world.post(path, &body).await.status, 200, "{body}");
    }
    let client = json!({ "client_id": "a", "client_secret": "b" });
    world.root("PUT", "/v1/admin/connectors/slack", Some(&client)).await;
    world.turn(Duration::from_secs(31)); // settings are kept for half a minute
    for (path, body) in [one("slack"), session(&["slack"])] {
        assert_eq!(world.post(path, &body).await.status, 200, "{body}");
    }
}
