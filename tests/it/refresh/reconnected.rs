//! The connection changes while its token is being renewed.

use std::{sync::Arc, time::Duration};

use shared::protocol::connector::RevokeEffect;
use tokio::sync::Semaphore;

use super::{provider::Answer, until};
use crate::store_world::World;

#[tokio::test]
async fn what_is_deleted_while_it_is_renewed_is_revoked_with_the_new_token() {
    let world = World::new().await;
    let (key, gate) = (world.expired().await, Arc::new(Semaphore::new(0)));
    world.provider.answer_next([Answer::HeldBack(Arc::clone(&gate))]);
    let caller = tokio::spawn(world.call(&world.app, &key));
    until(async || world.provider.redeemed() == 1).await;
    let stored = world.stored(&key).await;
    world.app.delete_connection(stored, None).await.unwrap().unwrap();
    gate.add_permits(1);
    let told = caller.await.unwrap();
    assert_eq!((told.status, told.error()), (404, "connection_not_found"));
    assert_eq!(world.provider.revocations(), ["rt-0-0"], "so far the one that was stored");
    keeper::keep(&world.app, None).await.unwrap();
    assert_eq!(world.provider.revocations(), ["rt-0-0", "rt-0-1"]);
}

#[tokio::test]
async fn what_is_deleted_as_it_was_before_a_renewal_is_revoked_as_it_is_now() {
    let world = World::new().await;
    let key = world.expired().await;
    let stale = world.stored(&key).await;
    assert_eq!(world.call(&world.app, &key).await.status, 200);
    world.app.delete_connection(stale, None).await.unwrap().unwrap();
    assert_eq!(world.provider.revocations(), ["rt-0-1"]);
}

#[tokio::test]
async fn who_connects_again_while_the_old_token_is_renewed_keeps_the_new_grant() {
    let world = World::new().await;
    let (key, gate) = (world.expired().await, Arc::new(Semaphore::new(0)));
    world.provider.answer_next([Answer::HeldBack(Arc::clone(&gate))]);
    let caller = tokio::spawn(world.call(&world.app, &key));
    until(async || world.provider.redeemed() == 1).await;
    world.hands.turn(Duration::from_secs(1));
    world.reconnect(&key).await;
    gate.add_permits(1);
    let told = caller.await.unwrap();
    assert_eq!((told.status, told.token()), (200, "at-1-0"));
    assert_eq!(world.stands(&key).await.0, "at-1-0");
}

#[tokio::test]
async fn who_read_the_old_grant_does_not_renew_it_over_the_new_one() {
    let world = World::new().await;
    let key = world.expired().await;
    for renewals in [0, 1] {
        // a caller reads the connection, and before it asks for the lease the person has connected again
        let stale = world.stored(&key).await;
        assert!(stale.token_expires_at.is_some());
        world.hands.turn(Duration::from_secs(1));
        world.reconnect(&key).await;
        for _ in 0..renewals {
            let stored = world.stored(&key).await;
            world.app.renewed(stored, None, None).await.unwrap();
        }
        let (asked, stands) = (world.provider.asked(), world.stands(&key).await);
        let open = world.app.renewed(stale, None, None).await.unwrap();
        assert_eq!(open.credentials.access_token.unwrap().expose(), stands.0);
        assert_eq!(world.stands(&key).await, stands, "after {renewals} renewals");
        assert_eq!(world.provider.asked(), asked, "the old grant's token is not redeemed");
    }
}

/// What was revoked, once the keeper has worked off its queue.
async fn revoked(world: &World) -> Vec<String> {
    keeper::keep(&world.app, None).await.unwrap();
    assert!(world.app.journal.due(world.hands.now()).await.unwrap().is_empty());
    let mut revoked = world.provider.revocations();
    revoked.sort();
    revoked
}

#[tokio::test]
async fn what_was_renewed_for_a_grant_that_was_replaced_is_revoked_where_that_ends_nothing_else() {
    let known = Some("account-1");
    let table = [
        (RevokeEffect::Token, known, &["rt-0-0", "rt-0-1"][..]),
        (RevokeEffect::Token, None, &["rt-0-0", "rt-0-1"]),
        (RevokeEffect::Grant, known, &[]),
        (RevokeEffect::Grant, None, &[]),
    ];
    for (effect, account, expected) in table {
        let (world, gate) = (World::new().await, Arc::new(Semaphore::new(0)));
        let mut connector = world.provider.connector("custom");
        connector.revoke.as_mut().unwrap().effect = effect;
        world.app.settings.put_custom(&world.project, &connector).await.unwrap();
        let expired = world.connection_with("custom", &world.provider.consent(), Some(Duration::ZERO)).await;
        let key = expired.connection.key;
        world.provider.answer_next([Answer::HeldBack(Arc::clone(&gate))]);
        let caller = tokio::spawn(world.call(&world.app, &key));
        until(async || world.provider.redeemed() == 1).await;
        world.hands.turn(Duration::from_secs(1));
        world.reconnect_to(&key, account).await;
        gate.add_permits(1);
        assert_eq!(caller.await.unwrap().token(), "at-1-0");
        assert_eq!(revoked(&world).await, expected, "{effect:?} {account:?}");
    }
}

#[tokio::test]
async fn what_was_renewed_by_two_since_the_lease_ran_out_is_one_grant_and_is_not_revoked() {
    let world = World::new().await;
    world.provider.be_lenient();
    let mut connector = world.provider.connector("custom");
    connector.revoke.as_mut().unwrap().effect = RevokeEffect::Token;
    world.app.settings.put_custom(&world.project, &connector).await.unwrap();
    let expired = world.connection_with("custom", &world.provider.consent(), Some(Duration::ZERO)).await;
    let key = expired.connection.key;
    let (first, second) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    world.provider.answer_next([Answer::HeldBack(Arc::clone(&first)), Answer::Held(Arc::clone(&second))]);
    let slow = tokio::spawn(world.call(&world.app, &key));
    until(async || world.provider.redeemed() == 1).await;
    world.hands.turn(Duration::from_secs(31));
    let quick = tokio::spawn(world.call(&world.another_process(), &key));
    until(async || world.provider.asked() == 2).await;
    first.add_permits(1);
    slow.await.unwrap();
    second.add_permits(1);
    assert_eq!(quick.await.unwrap().token(), "at-0-1");
    assert_eq!(revoked(&world).await, [""; 0]);
}
