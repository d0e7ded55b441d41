//! A grant is held until somebody completes it; otherwise it is forgotten, and revoked where that ends nobody else's.

use std::time::Duration;

use axum::http::StatusCode;
use keeper::Round;
use local::demo::provider::Endpoint;
use serde_json::{Value, json};

use crate::world::{Attempt, Browser, Shape, USER, World};

/// Acme under another id, where a revocation ends everything that the account granted.
pub async fn acme_by_grant(world: &World) {
    let mut acme = world.acme();
    acme["revoke"]["effect"] = json!("grant");
    world.custom("acme-grant", &acme, true).await;
}

/// A grant of this connector, held.
pub async fn hold(world: &World, connector: &str, user: &str, browser: &Browser) -> Attempt {
    let path = format!("/connectors/{connector}/oauth/authorize?userId={user}");
    let attempt = Attempt::of(&world.get(&path).await.member("authorizationUrl"));
    let callback = world.consent(browser, &attempt, "alice").await;
    assert_eq!(browser.open(&callback).await.location(), attempt.path("confirm"));
    attempt
}

/// A live connection of this connector; its key.
pub async fn connect(world: &World, connector: &str, user: &str) -> String {
    let browser = world.browser();
    let attempt = hold(world, connector, user, &browser).await;
    world.confirm(&browser, &attempt).await;
    let rows = world.connections().await;
    let own = rows.iter().find(|row| row["identity"] == user).unwrap();
    own["key"].as_str().unwrap().to_owned()
}

async fn revocation(world: &World, key: &str) -> Value {
    world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json()["revocation"].take()
}

#[tokio::test]
async fn a_held_grant_is_neither_listed_nor_usable() {
    let world = World::new().await;
    for vouches in [false, true] {
        if vouches {
            world.vouch().await;
        }
        let body = json!({ "credentialType": "oauth2", "redirectUri": world.redirect_uri(), "userId": USER });
        let created = world.post("/connectors/acme/credentials", &body).await;
        let credential = created.member("credentialId");
        let (browser, attempt) = (world.browser(), Attempt::of(&created.member("oauthUrl")));
        assert_eq!(browser.open(&world.consent(&browser, &attempt, "alice").await).await.status, 302);

        assert_eq!(world.connections().await, [] as [Value; 0]);
        assert_eq!(world.get(&format!("/users/{USER}/credentials")).await.json()["data"], json!([]));
        let read = world.get(&format!("/credentials/{credential}")).await;
        assert_eq!((read.status, read.member("code").as_str()), (404, "AUTHENTICATION_NOT_FOUND"));
        let key = credential.replace("cred_", "conn_");
        assert_eq!(world.me(&key).await.refusal(), (404, "connection_not_found".to_owned()));
        for path in [format!("/v1/vault/connections/{key}"), format!("/v1/vault/connections/held%23{}", attempt.id)] {
            assert_eq!(world.get(&path).await.refusal(), (404, "connection_not_found".to_owned()));
        }
        let held = format!("held#{}", attempt.id);
        assert_eq!(world.me(&held).await.refusal(), (404, "connection_not_found".to_owned()));
    }
}

#[tokio::test]
async fn cancelling_forgets_the_grant_and_revokes_it() {
    for shape in [Shape::OneTimeLink, Shape::SessionLink, Shape::FrontEnd, Shape::Credentials] {
        let world = World::new().await;
        let browser = world.browser();
        let (attempt, _) = world.hold(shape, &browser).await;
        let page = browser.open(&attempt.path("confirm")).await;
        assert_eq!(world.decide(&browser, &attempt, "cancel").await.status, 303);
        assert_eq!(world.grants(), ["alice revoked"], "{shape:?}");
        assert!(world.dump_of(&["connections", "journal"]).await.is_empty(), "{shape:?}");

        // the page from before does nothing any more
        browser.submit(page.form("/connect/confirm/").with("decision", "confirm")).await;
        assert_eq!(world.connections().await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn an_unclaimed_grant_is_forgotten_and_revoked_after_ten_minutes_and_not_before() {
    for vouches in [false, true] {
        let world = World::new().await;
        if vouches {
            world.vouch().await;
        }
        let browser = world.browser();
        let (attempt, _) = world.hold(Shape::Credentials, &browser).await;
        world.turn(Duration::from_millis(599_999));
        assert_eq!((world.keep().await, world.grants()), (Round::default(), vec!["alice active".to_owned()]));
        world.turn(Duration::from_millis(1));
        let round = Round { forgotten: 1, ..Round::default() };
        assert_eq!((world.keep().await, world.grants()), (round, vec!["alice revoked".to_owned()]));
        assert!(world.dump_of(&["connections", "journal"]).await.is_empty());
        assert_eq!(world.keep().await, Round::default(), "once");
        let page = browser.open(&attempt.path("outcome")).await;
        assert!(page.text().contains("This took too long"), "{}", page.text());
    }
}

#[tokio::test]
async fn what_is_overdue_can_no_longer_be_completed_even_before_the_keeper_comes() {
    let world = World::new().await;
    let browser = world.browser();
    let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
    let page = browser.open(&attempt.path("confirm")).await;
    world.turn(Duration::from_mins(10));
    browser.submit(page.form("/connect/confirm/").with("decision", "confirm")).await;
    assert_eq!(world.connections().await, [] as [Value; 0]);
    assert_eq!(world.keep().await.forgotten, 1);
}

#[tokio::test]
async fn a_grant_that_a_live_connection_shares_is_kept() {
    let world = World::new().await;
    acme_by_grant(&world).await;
    let live = connect(&world, "acme-grant", "first").await;

    // by the person, and by the keeper
    let browser = world.browser();
    let attempt = hold(&world, "acme-grant", "second", &browser).await;
    world.decide(&browser, &attempt, "cancel").await;
    hold(&world, "acme-grant", "third", &world.browser()).await;
    world.turn(Duration::from_mins(10));
    assert_eq!(world.keep().await, Round { forgotten: 1, ..Round::default() });
    assert_eq!((world.grants(), world.server.provider.counts().revocations), (vec!["alice active".to_owned(); 3], 0));
    let items = world.dump_of(&["connections", "journal"]).await;
    assert_eq!(items.len(), 1, "forgotten here all the same");

    // of two live ones the last to go takes the grant along
    let other = connect(&world, "acme-grant", "fourth").await;
    assert_eq!(revocation(&world, &live).await, json!("kept_shared_grant"));
    assert_eq!(world.server.provider.counts().revocations, 0);
    assert_eq!(revocation(&world, &other).await, json!("revoked"));
    assert_eq!(world.server.provider.counts().revocations, 1);
}

#[tokio::test]
async fn a_held_grant_counts_as_one_that_shares() {
    let world = World::new().await;
    acme_by_grant(&world).await;
    let live = connect(&world, "acme-grant", "first").await;
    let browser = world.browser();
    let attempt = hold(&world, "acme-grant", "second", &browser).await;
    assert_eq!(revocation(&world, &live).await, json!("kept_shared_grant"));
    world.confirm(&browser, &attempt).await;
    assert_eq!(world.connections().await.len(), 1);
    assert_eq!(world.server.provider.counts().revocations, 0);
}

#[tokio::test]
async fn a_grant_of_an_unknown_account_is_only_forgotten_unless_it_is_deleted() {
    let world = World::new().await;
    let fail = || world.server.provider.fail_next(Endpoint::Profile, StatusCode::INTERNAL_SERVER_ERROR);
    for how in ["cancel", "keep"] {
        let browser = world.browser();
        fail();
        let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
        let page = browser.open(&attempt.path("confirm")).await;
        assert!(page.text().contains("not told by the provider"), "{}", page.text());
        if how == "cancel" {
            world.decide(&browser, &attempt, "cancel").await;
        } else {
            world.turn(Duration::from_mins(10));
            assert_eq!(world.keep().await.forgotten, 1);
        }
        assert!(world.dump_of(&["connections", "journal"]).await.is_empty(), "{how}");
    }
    assert_eq!((world.grants(), world.server.provider.counts().revocations), (vec!["alice active".to_owned(); 2], 0));

    fail();
    let key = world.connect_account(Shape::OneTimeLink).await;
    assert_eq!(revocation(&world, &key).await, json!("revoked"));
}

#[tokio::test]
async fn an_abandoned_reconnect_leaves_the_live_connection_its_grant() {
    for connector in ["acme", "acme-grant"] {
        let world = World::new().await;
        acme_by_grant(&world).await;
        let key = connect(&world, connector, USER).await;
        for how in ["cancel", "keep"] {
            let link = format!("/org/{}/generateOneTimeConnectorToken", world.project());
            let body = json!({ "user_id": USER, "connector_id": connector });
            let token = world.post(&link, &body).await.member("token");
            let browser = world.browser();
            let page = browser.enter(&format!("{}/connect/{connector}/edit?token={token}", world.base())).await;
            let attempt = Attempt::of(&browser.submit(page.form("/connect/")).await.location());
            browser.open(&world.consent(&browser, &attempt, "alice").await).await;
            if how == "cancel" {
                world.decide(&browser, &attempt, "cancel").await;
            } else {
                world.turn(Duration::from_mins(10));
                assert_eq!(world.keep().await.forgotten, 1);
            }
            let path = format!("/v1/passthrough/{connector}/me");
            let me = world.api("GET", &path).header("x-one-connection-key", &key).send().await;
            assert_eq!(me.json()["id"], "usr_alice", "{connector} {how}");
        }
        let active = world.grants().iter().filter(|grant| *grant == "alice active").count();
        // where each consent is a grant of its own, the abandoned ones are over
        assert_eq!(active, if connector == "acme" { 1 } else { 3 });
    }
}

#[tokio::test]
async fn a_revocation_that_fails_is_queued_and_tried_again() {
    let world = World::new().await;
    let key = world.connect_account(Shape::OneTimeLink).await;
    let fail = || world.server.provider.fail_next(Endpoint::Revoke, StatusCode::SERVICE_UNAVAILABLE);
    fail();
    assert_eq!(revocation(&world, &key).await, json!("queued"));
    assert_eq!((world.connections().await.len(), world.grants()), (0, vec!["alice active".to_owned()]));

    fail();
    let tried = Round { tried: 1, ..Round::default() };
    for (after, expected, grants) in [
        (29, Round::default(), "alice active"),
        (1, tried, "alice active"),
        (59, Round::default(), "alice active"),
        (1, tried, "alice revoked"),
    ] {
        world.turn(Duration::from_secs(after));
        assert_eq!((world.keep().await, world.grants()), (expected, vec![grants.to_owned()]), "{after}");
    }
    assert!(world.dump_of(&["connections", "journal"]).await.is_empty());
}

#[tokio::test]
async fn a_revocation_that_never_works_is_given_up_after_two_days() {
    let world = World::new().await;
    let key = world.connect_account(Shape::OneTimeLink).await;
    for _ in 0..16 {
        world.server.provider.fail_next(Endpoint::Revoke, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(revocation(&world, &key).await, json!("queued"));
    let mut rounds = 0;
    while !world.dump_of(&["journal"]).await.is_empty() {
        world.turn(Duration::from_hours(6));
        assert_eq!(world.keep().await, Round { tried: 1, ..Round::default() });
        rounds += 1;
    }
    assert_eq!((rounds, world.grants()), (15, vec!["alice active".to_owned()]));
}
