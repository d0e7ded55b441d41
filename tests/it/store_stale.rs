//! Indexes lag. What is listed may be gone and what is there may not be listed, and nothing breaks by it.

use std::{sync::Arc, time::Duration};

use connect::Connect;
use connections::Connections;
use passthrough::Passthrough;
use shared::{
    flow::revoke::Revocation,
    http::{Handler, Request, answer},
    id::ConnectionKey,
    store::{
        attempts::{Status, cookie_name},
        connections::{Completer, Stored},
    },
};

use crate::{refresh::Told, store_world::World};

impl World {
    /// What the app's back end is answered.
    pub async fn asks<H: Handler>(&self, handler: &H, method: &str, path: &str, headers: &[(&str, &str)]) -> Told {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut lines = vec![("authorization".to_owned(), format!("Bearer {}", self.key))];
        lines.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let request = Request::new(method, path.to_owned(), query.to_owned(), lines, "".into(), self.token());
        Told::of(answer(&Arc::clone(&self.app), request, handler).await).await
    }

    async fn freeze(&self) {
        self.dynamodb.freeze_indexes(&self.app.config.tables.connections).await;
    }

    async fn delete(&self, stored: &Stored) -> Revocation {
        self.app.delete_connection(stored.clone(), None).await.unwrap().unwrap()
    }

    async fn listed(&self) -> Vec<String> {
        let told = self.asks(&Connections, "GET", "/v1/vault/connections", &[]).await;
        assert_eq!((told.status, told.body["consistency"].as_str()), (200, Some("eventual")));
        told.body["rows"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn path(key: &ConnectionKey) -> String {
    format!("/v1/vault/connections/{key}")
}

#[tokio::test]
async fn a_list_may_be_stale_and_a_record_is_not() {
    let world = World::new().await;
    let old = world.connection("vendor").await.connection.key;
    world.freeze().await;
    let new = world.connection("vendor").await.connection.key;
    assert_eq!(world.listed().await, [old.to_string()]);
    assert_eq!(world.asks(&Connections, "GET", &path(&new), &[]).await.status, 200);
    let call = [("x-one-connection-key", new.as_str())];
    assert_eq!(world.asks(&Passthrough, "GET", "/v1/passthrough/things", &call).await.status, 200);

    assert_eq!(world.asks(&Connections, "DELETE", &path(&old), &[]).await.status, 200);
    assert_eq!(world.listed().await, [old.to_string()], "gone, and still listed");
    for method in ["GET", "DELETE"] {
        assert_eq!(world.asks(&Connections, method, &path(&old), &[]).await.status, 404);
    }
    let call = [("x-one-connection-key", old.as_str())];
    assert_eq!(world.asks(&Passthrough, "GET", "/v1/passthrough/things", &call).await.status, 404);
    world.dynamodb.thaw_indexes();
    assert_eq!(world.listed().await, [new.to_string()]);
}

#[tokio::test]
async fn the_answer_that_says_connected_carries_the_record() {
    let world = World::new().await;
    world.freeze().await;
    let attempt = world.attempt("vendor");
    let (held, browser) = world.held(&attempt, None).await;
    let cookie = format!("{}={}", cookie_name(&attempt.id), browser.expose());
    let status = async || {
        let path = format!("/v1/connect/attempts/{}", attempt.id);
        let headers = vec![("cookie".to_owned(), cookie.clone())];
        let request = Request::new("GET", path, String::new(), headers, "".into(), "r".to_owned());
        Told::of(answer(&world.app, request, &Connect).await).await.body
    };
    assert_eq!(
        (status().await["status"].as_str(), &status().await["connection"]),
        (Some("held"), &serde_json::Value::Null)
    );
    let by = Completer::Person { browser: browser.digest(), code: None };
    let app = &world.app;
    let record = app.connections.complete(app.beside(), &held, None, &by, world.hands.now()).await.unwrap();
    assert_eq!(record.key, attempt.connection);
    let connected = status().await;
    assert_eq!(connected["status"], "connected");
    assert_eq!(connected["connection"]["id"], attempt.connection.as_str());
    assert!(world.listed().await.is_empty());
}

#[tokio::test]
async fn the_last_connection_of_a_grant_revokes_it_although_the_index_still_shows_the_others() {
    let world = World::new().await;
    let (first, second) = (world.connection("vendor").await, world.connection("vendor").await);
    world.freeze().await;
    assert_eq!(world.delete(&first).await, Revocation::KeptSharedGrant);
    assert_eq!(world.delete(&second).await, Revocation::Revoked);
    assert_eq!(world.provider.revocations(), ["rt-1-0"]);
}

#[tokio::test]
async fn a_user_who_is_deleted_leaves_no_grant_behind_although_the_index_lags() {
    let world = World::new().await;
    for _ in 0..2 {
        world.connection("vendor").await;
        world.hands.turn(Duration::from_millis(1));
    }
    world.freeze().await;
    let told = world.asks(&Connections, "DELETE", "/users/ada", &[]).await;
    let said: Vec<_> = told.body["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|receipt| receipt["revocation"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["kept_shared_grant", "revoked"]);
    let again = world.asks(&Connections, "DELETE", "/users/ada", &[]).await;
    assert_eq!((again.status, again.body["connections"].as_array().map(Vec::len)), (200, Some(0)));
}

#[tokio::test]
async fn a_grant_that_others_live_on_is_kept_as_soon_as_it_was_held_in_the_index() {
    let world = World::new().await;
    let app = &world.app;
    let old = world.connection("vendor").await;
    let attempt = world.attempt("vendor");
    let (held, browser) = world.held(&attempt, None).await;
    world.freeze().await;
    // in the index it is held, in truth it is a connection by now
    let by = Completer::Person { browser: browser.digest(), code: None };
    app.connections.complete(app.beside(), &held, None, &by, world.hands.now()).await.unwrap();
    assert_eq!(world.delete(&old).await, Revocation::KeptSharedGrant);
    assert!(world.provider.revocations().is_empty());
    let live = app.connections.find(&attempt.connection).await.unwrap().unwrap();
    assert_eq!(world.delete(&live).await, Revocation::Revoked);
}

/// What can't be known: documented at `Connections::shares_grant`.
#[tokio::test]
async fn a_grant_that_was_held_within_the_index_s_lag_is_not_seen() {
    let world = World::new().await;
    let old = world.connection("vendor").await;
    world.freeze().await;
    world.held(&world.attempt("vendor"), None).await;
    assert_eq!(world.delete(&old).await, Revocation::Revoked);
}

#[tokio::test]
async fn the_keeper_forgets_what_nobody_claimed_and_nothing_else() {
    let world = World::new().await;
    let app = &world.app;
    let (claimed, unclaimed) = (world.attempt("vendor"), world.attempt("vendor"));
    let (held, browser) = world.held(&claimed, None).await;
    world.freeze().await;
    world.held(&unclaimed, None).await;
    let by = Completer::Person { browser: browser.digest(), code: None };
    app.connections.complete(app.beside(), &held, None, &by, world.hands.now()).await.unwrap();
    world.hands.turn(Duration::from_mins(10));

    // the index still shows the one that was completed, and not yet the one that was not
    keeper::keep(app, None).await.unwrap();
    assert!(app.connections.find(&claimed.connection).await.unwrap().is_some());
    assert!(app.connections.held(&unclaimed.id).await.unwrap().is_some());
    assert_eq!(app.attempts.progress_of(&claimed.id, world.hands.now()).await.unwrap().status, Status::Connected);

    world.dynamodb.thaw_indexes();
    assert_eq!(keeper::keep(app, None).await.unwrap().forgotten, 1);
    assert!(app.connections.held(&unclaimed.id).await.unwrap().is_none());
    assert!(world.provider.revocations().is_empty(), "the grant that the live connection shares");
    assert_eq!(keeper::keep(app, None).await.unwrap(), keeper::Round::default());
}
