//! A provider that takes its time holds up nobody else's revocations, and a deadline that is near starts none.

use std::{sync::Arc, time::Duration};

use connections::Connections;
use keeper::Round;
use shared::{
    clock::Timestamp,
    http::{Request, answer},
    store::journal::Queued,
};
use tokio::sync::Semaphore;

use crate::{
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
    assert_eq!(round.await.unwrap(), Round { forgotten: 10, tried: 10, failed: 0 });
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
    assert_eq!(keeper::keep(&world.app, Some(far)).await.unwrap(), Round { forgotten: 1, tried: 1, failed: 0 });
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
