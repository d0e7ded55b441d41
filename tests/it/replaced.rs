//! Who connects again replaces a grant: the old one is revoked where that ends nothing else, and nothing that happened in between
//! is written over.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use keeper::Round;
use local::demo::provider::Endpoint;
use serde_json::json;
use shared::{
    error::Error,
    protocol::connector::RevokeEffect,
    secret::Bearer,
    store::connections::{Completer, Fenced, Held, Leasing, Renewal, Stored},
    vault::Sealed,
};
use tokio::sync::Semaphore;

use crate::{
    emulator::Fault,
    held::{acme_by_grant, connect},
    refresh::until,
    store_world,
    world::{Attempt, USER, World},
};

/// Connects again, as this person at Acme.
async fn reconnect(world: &World, connector: &str, account: &str) {
    let link = format!("/org/{}/generateOneTimeConnectorToken", world.project());
    let body = json!({ "user_id": USER, "connector_id": connector });
    let token = world.post(&link, &body).await.member("token");
    let browser = world.browser();
    let page = browser.enter(&format!("{}/connect/{connector}/edit?token={token}", world.base())).await;
    let attempt = Attempt::of(&browser.submit(page.form(&format!("/connect/{connector}"))).await.location());
    browser.open(&world.consent(&browser, &attempt, account).await).await;
    assert_eq!(world.confirm(&browser, &attempt).await.status, 303);
}

/// Acme does not tell whose the next grant is.
fn hide_the_account(world: &World) {
    world.server.provider.fail_next(Endpoint::Profile, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn the_grant_that_was_replaced_is_revoked_where_that_ends_nothing_else() {
    let table = [
        // where revocation ends a token, the old one goes
        ("acme", "alice", "alice", "", &["alice active", "alice revoked"]),
        ("acme", "alice", "alice", "before", &["alice active", "alice revoked"]),
        ("acme", "alice", "bob", "after", &["bob active", "alice revoked"]),
        // where it ends all that the account granted, the new one would go with it, or may
        ("acme-grant", "alice", "alice", "", &["alice active", "alice active"]),
        ("acme-grant", "alice", "bob", "before", &["bob active", "alice active"]),
        ("acme-grant", "alice", "bob", "after", &["bob active", "alice active"]),
    ];
    for (connector, first, second, unknown, expected) in table {
        let case = format!("{connector}: {first}, then {second}, unknown {unknown}");
        let world = World::new().await;
        acme_by_grant(&world).await;
        if unknown == "before" {
            hide_the_account(&world);
        }
        let key = connect(&world, connector, USER).await;
        assert_eq!(world.grants(), [format!("{first} active")]);
        world.turn(Duration::from_secs(1)); // the newest stands first
        if unknown == "after" {
            hide_the_account(&world);
            let path = format!("/v1/admin/projects/{}", world.project());
            world.root("PATCH", &path, Some(&json!({ "reconnect_other_account": "allow" }))).await; // it may be another
        }
        reconnect(&world, connector, second).await;
        let revoked = usize::from(expected[1].ends_with("revoked"));
        assert_eq!(world.keep().await, Round { tried: revoked, ..Round::default() }, "{case}");
        assert_eq!(world.grants(), *expected, "{case}");
        assert!(world.dump_of(&["journal"]).await.is_empty(), "{case}");
        let path = format!("/v1/passthrough/{connector}/me");
        let me = world.api("GET", &path).header("x-one-connection-key", &key).send().await;
        assert_eq!(me.json()["id"], format!("usr_{second}"), "{case}");
    }
}

/// A connection of a connector at whose provider a revocation ends a token alone, so that the one that is replaced goes.
async fn connected(world: &store_world::World) -> Stored {
    let mut connector = world.provider.connector("by-token");
    connector.revoke.as_mut().unwrap().effect = RevokeEffect::Token;
    world.app.settings.put_custom(&world.project, &connector).await.unwrap();
    world.connection("by-token").await
}

/// A grant that is held to renew it.
async fn held_to_renew(world: &store_world::World, old: &Stored) -> (Held, Bearer) {
    let attempt = shared::store::attempts::Attempt {
        connection: old.connection.key.clone(),
        reconnect: true,
        ..world.attempt("by-token")
    };
    world.held(&attempt, None).await
}

/// What can happen to a connection meanwhile.
async fn happens(world: &store_world::World, what: &str, old: &Stored) {
    let (connections, now) = (&world.app.connections, world.hands.now());
    if what == "a change" {
        let key = &old.connection.key;
        connections.update(key, now, |connection| connection.name = Some("Ada's".to_owned())).await.unwrap();
        return;
    }
    let Leasing::Ours(lease) = connections.lease(old, "me", now.after(Duration::from_secs(30)), now).await.unwrap()
    else {
        panic!("nobody else is here");
    };
    let sealed = refreshed(world, old).await;
    assert_eq!(connections.renew(&lease, &old.sealed, &sealed, None).await.unwrap(), Fenced::Written);
}

async fn refreshed(world: &store_world::World, old: &Stored) -> Sealed {
    let mut credentials = world.app.open_credentials(&old.connection.belongs(), &old.sealed).await.unwrap();
    credentials.refresh_token = Some(shared::secret::RefreshToken::from("refreshed".to_owned()));
    world.app.seal(&old.connection.belongs(), &credentials.plaintext()).await.unwrap()
}

#[tokio::test]
async fn a_connection_that_was_changed_since_it_was_read_is_not_written_over() {
    for what in ["a change", "a refresh"] {
        let world = store_world::World::new().await;
        let app = &world.app;
        let old = connected(&world).await;
        let (held, browser) = held_to_renew(&world, &old).await;
        happens(&world, what, &old).await;
        let before = app.connections.find(&old.connection.key).await.unwrap().unwrap();
        let by = Completer::Person { browser: browser.digest(), code: None };
        let renewal = Some(Renewal { old: &old, revoke: None });
        let completed = app.connections.complete(app.beside(), &held, renewal, &by, world.hands.now()).await;
        assert!(matches!(completed, Err(Error::Conflict(_))), "{what}: {completed:?}");
        let after = app.connections.find(&old.connection.key).await.unwrap().unwrap();
        assert_eq!((after.connection, after.sealed), (before.connection, before.sealed), "{what}");
        assert!(app.connections.held(&held.attempt).await.unwrap().is_some(), "{what}");
    }
}

#[tokio::test]
async fn what_happens_between_reading_and_writing_is_kept_or_revoked_as_it_is_then() {
    for (what, name, revoked) in [("a change", Some("Ada's"), "rt-0-0"), ("a refresh", None, "refreshed")] {
        let world = store_world::World::new().await;
        let old = connected(&world).await;
        let (held, browser) = held_to_renew(&world, &old).await;
        let gate = Arc::new(Semaphore::new(0));
        world.dynamodb.plan("TransactWriteItems", "", 1, Fault::Held(Arc::clone(&gate)));
        let app = Arc::clone(&world.app);
        let (by, new) = (browser.digest(), held.clone());
        let completion =
            tokio::spawn(async move { app.complete(&new, true, &Completer::Person { browser: by, code: None }).await });
        until(async || world.dynamodb.has_met_all()).await;
        happens(&world, what, &old).await;
        gate.add_permits(1);
        completion.await.unwrap().unwrap();

        let stored = world.app.connections.find(&old.connection.key).await.unwrap().unwrap();
        assert_eq!((stored.connection.name.as_deref(), &stored.sealed), (name, &held.sealed), "{what}");
        let due = world.app.journal.due(world.hands.now()).await.unwrap();
        let [queued] = &due[..] else { panic!("{what}: {due:?}") };
        let credentials = world.app.open_credentials(&queued.revocation.belongs(), &queued.sealed).await.unwrap();
        assert_eq!(credentials.refresh_token.unwrap().expose(), revoked, "{what}");
    }
}

#[tokio::test]
async fn a_token_that_the_provider_gave_again_is_not_revoked() {
    let world = store_world::World::new().await;
    let old = connected(&world).await;
    let (mut held, browser) = held_to_renew(&world, &old).await;
    held.sealed = old.sealed.clone();
    world.app.complete(&held, true, &Completer::Person { browser: browser.digest(), code: None }).await.unwrap();
    assert!(world.app.journal.due(world.hands.now()).await.unwrap().is_empty());
}
