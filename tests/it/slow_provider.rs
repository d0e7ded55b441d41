//! A provider that takes its time holds up nobody else's revocations, and a deadline that is near starts none. In the callback
//! it has so much time that what it said before can still be written down.

use std::{sync::Arc, time::Duration};

use connections::Connections;
use keeper::Round;
use serde_json::json;
use shared::{
    clock::Timestamp,
    http::{Request, answer},
    store::{attempts::Status, journal::Queued},
};
use tokio::sync::Semaphore;

use crate::{
    callback_fails::{coming_back, progress, receive},
    refresh::{Told, until},
    store_world::World,
};

impl World {
    /// Deletes Ada in an invocation that ends at this time.
    fn delete_ada(&self, deadline: Option<Timestamp>) -> impl Future<Output = Told> + Send + use<> {
        let headers = vec![("authorization".to_owned(), format!("Bearer {}", self.key))];
        let path = "/users/ada".to_owned();
        let mut request = Request::new("DELETE", path, String::new(), headers, "".into(), self.token());
        request.deadline = deadline;
        let app = Arc::clone(&self.app);
        async move { Told::of(answer(&app, request, &Connections).await).await }
    }

    /// A revocation in the queue, of an account of its own.
    async fn queue(&self, account: &str) {
        let stored = self.connection_to(account).await;
        let (connection, now) = (&stored.connection, self.hands.now());
        let revocation = self.app.revocation_of(connection, connection.key.as_str(), now);
        let queued = Queued { revocation, sealed: stored.sealed.clone(), due: now, tries: 0 };
        assert!(self.app.connections.delete(&stored, (&self.app.journal, &queued)).await.unwrap());
    }
}

fn revocations(told: &Told) -> Vec<&str> {
    let receipts = told.body["connections"].as_array().unwrap();
    receipts.iter().map(|receipt| receipt["revocation"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_slow_provider_does_not_hold_up_the_keeper() {
    let (world, gate) = (World::new().await, Arc::new(Semaphore::new(0)));
    for n in 0..10 {
        world.held_of(&format!("held-{n}")).await;
        world.queue(&format!("queued-{n}")).await;
    }
    world.hands.turn(Duration::from_mins(10));
    world.provider.hold_next_revocation(&gate);
    let app = Arc::clone(&world.app);
    let round = tokio::spawn(async move { keeper::keep(&app, None).await.unwrap() });
    until(async || world.provider.revocations().len() == 19).await;
    assert!(!round.is_finished());
    gate.add_permits(1);
    assert_eq!(round.await.unwrap(), Round { forgotten: 10, tried: 10, ..Round::default() });
    assert_eq!(world.provider.revocations().len(), 20);
}

#[tokio::test]
async fn a_slow_provider_does_not_hold_up_the_end_of_a_user() {
    let (world, gate) = (World::new().await, Arc::new(Semaphore::new(0)));
    for n in 0..10 {
        world.connection_to(&format!("account-{n}")).await;
    }
    world.provider.hold_next_revocation(&gate);
    let told = tokio::spawn(world.delete_ada(None));
    until(async || world.provider.revocations().len() == 9).await;
    assert!(!told.is_finished());
    gate.add_permits(1);
    assert_eq!(revocations(&told.await.unwrap()), ["revoked"; 10]);
}

#[tokio::test]
async fn what_the_keeper_has_no_time_for_is_left_to_its_next_round() {
    let world = World::new().await;
    world.held_of("held").await;
    world.queue("queued").await;
    world.hands.turn(Duration::from_mins(10));
    let near = world.hands.now().after(Duration::from_millis(19_999));
    assert_eq!(keeper::keep(&world.app, Some(near)).await.unwrap(), Round::default());
    assert!(world.provider.revocations().is_empty());
    let far = world.hands.now().after(Duration::from_secs(20));
    assert_eq!(
        keeper::keep(&world.app, Some(far)).await.unwrap(),
        Round { forgotten: 1, tried: 1, ..Round::default() }
    );
}

#[tokio::test]
async fn a_user_goes_with_all_their_connections_although_the_time_is_short() {
    let world = World::new().await;
    for n in 0..10 {
        world.connection_to(&format!("account-{n}")).await;
    }
    let near = world.hands.now().after(Duration::from_millis(19_999));
    let told = world.delete_ada(Some(near)).await;
    assert_eq!((told.status, revocations(&told)), (200, vec!["queued"; 10]));
    assert!(world.provider.revocations().is_empty());
    assert_eq!(keeper::keep(&world.app, None).await.unwrap(), Round { tried: 10, ..Round::default() });
    assert_eq!(world.provider.revocations().len(), 10);
}

/// So much time passes at once, while a call waits.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_slow_profile_leaves_the_account_unknown() {
    let (world, gate) = (World::new().await, Arc::new(Semaphore::new(0)));
    let (attempt, request) = coming_back(&world, "vendor").await;
    world.provider.hold_next_api_call(&gate);
    let told = tokio::spawn(receive(&world, &request));
    until(async || world.provider.api_calls() == 1).await;
    pass(Duration::from_secs(4)).await;
    assert_eq!(told.await.unwrap().status, 302);
    let held = world.app.connections.held(&attempt.id).await.unwrap().unwrap();
    assert_eq!(held.connection.account.id, None);
}

#[tokio::test]
async fn slow_look_ups_are_a_timeout_of_the_provider_together() {
    let world = World::new().await;
    let mut custom = serde_json::to_value(world.provider.connector("custom")).unwrap();
    let lookup =
        |name: &str| json!({ "name": name, "url": format!("{}/api/{name}", world.provider.url), "path": "token" });
    custom["lookups"] = json!([lookup("site"), lookup("team")]);
    world.app.settings.put_custom(&world.project, &serde_json::from_value(custom).unwrap()).await.unwrap();
    for (second, status, error) in [(1, Status::Held, None), (3, Status::Failed, Some("provider_timeout"))] {
        let (attempt, request) = coming_back(&world, "custom").await;
        let (calls, gates) = (world.provider.api_calls(), [0, 1].map(|_| Arc::new(Semaphore::new(0))));
        for gate in &gates {
            world.provider.hold_next_api_call(gate);
        }
        let told = tokio::spawn(receive(&world, &request));
        for (at, (gate, takes)) in gates.iter().zip([3, second]).enumerate() {
            until(async || world.provider.api_calls() == calls + at + 1).await;
            pass(Duration::from_secs(takes)).await;
            gate.add_permits(1);
        }
        assert_eq!(told.await.unwrap().status, 302);
        let progress = progress(&world, &attempt).await;
        assert_eq!((progress.status, progress.error.as_deref()), (status, error), "3 and {second} seconds");
    }
}
