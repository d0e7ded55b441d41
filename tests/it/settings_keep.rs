//! What an operator changes takes nothing away from connections that are there.

use serde_json::json;

use crate::world::{Shape, World};

const ACME: &str = "/v1/admin/connectors/acme";

/// A change of scopes names no client: that stays, and what hangs on it goes on working.
#[tokio::test]
async fn a_change_that_names_no_client_keeps_it() {
    let world = World::new().await;
    let key = world.connect_account(Shape::FrontEnd).await;
    let before = world.root("GET", ACME, None).await.json();
    let changed = world.root("PUT", ACME, Some(&json!({ "scopes": ["profile"] }))).await.json();
    assert_eq!(changed["client_id"], before["client_id"]);
    assert_eq!((&changed["client_source"], &changed["scopes"]), (&json!("default"), &json!(["profile"])));
    let deleted = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json();
    assert_eq!(deleted["revocation"], "revoked");
    assert_eq!(world.grants(), ["alice revoked"]);
}

/// Only null takes a client away. What it could have revoked waits in the queue until it is back.
#[tokio::test]
async fn what_can_not_be_revoked_without_a_client_waits_for_it() {
    let world = World::new().await;
    let key = world.connect_account(Shape::FrontEnd).await;
    let gone = world.root("PUT", ACME, Some(&json!({ "client_id": null }))).await.json();
    assert_eq!(gone["client_source"], "none");
    world.turn(std::time::Duration::from_secs(31));
    let deleted = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json();
    assert_eq!(deleted["revocation"], "queued", "{deleted}");

    let demo = &world.server.demo;
    let back = json!({ "client_id": demo.acme_client_id, "client_secret": demo.acme_client_secret() });
    assert_eq!(world.root("PUT", ACME, Some(&back)).await.status, 200);
    world.turn(std::time::Duration::from_mins(5));
    keeper::keep(&world.server.app, None).await.unwrap();
    assert_eq!(world.grants(), ["alice revoked"]);
}

/// Where credentials go stays while there are connections; a name or a default scope may change.
#[tokio::test]
async fn a_connector_with_connections_leads_nowhere_else() {
    let world = World::new().await;
    let acme = world.acme();
    world.custom("mine", &acme, true).await;
    let attempt = world.get("/connectors/mine/oauth/authorize?userId=alice").await.member("authorizationUrl");
    let (browser, attempt) = (world.browser(), crate::world::Attempt::of(&attempt));
    browser.open(&world.consent(&browser, &attempt, "alice").await).await;
    world.confirm(&browser, &attempt).await;

    let path = format!("/v1/admin/projects/{}/connectors/mine", world.project());
    let elsewhere = format!("{}/elsewhere", acme["api"]["base_url"].as_str().unwrap());
    let places = ["/api/base_url", "/oauth2/token_endpoint", "/profile/url", "/revoke/url"];
    for place in places {
        let mut changed = acme.clone();
        *changed.pointer_mut(place).unwrap() = json!(elsewhere);
        let refused = world.call("PUT", &path).bearer(&world.server.root_key).json(&changed).send().await;
        assert_eq!(refused.refusal(), (409, "connector_in_use".to_owned()), "{place}");
    }
    let mut renamed = acme.clone();
    renamed["name"] = json!("Acme of ours");
    assert_eq!(world.root("PUT", &path, Some(&renamed)).await.status, 200);
}

#[tokio::test]
async fn a_connector_has_no_id_whose_page_is_another() {
    let world = World::new().await;
    let before = world.dump().await;
    for id in ["frame", "start", "confirm", "outcome", "github"] {
        let path = format!("/v1/admin/projects/{}/connectors/{id}", world.project());
        let refused = world.call("PUT", &path).bearer(&world.server.root_key).json(&world.acme()).send().await;
        assert_eq!(refused.refusal(), (400, "invalid_connector".to_owned()), "{id}");
    }
    assert_eq!(world.dump().await, before);
}
