//! The store fails before, while and after a token is redeemed.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use shared::store::connections::Health;
use tokio::sync::Semaphore;

use super::{provider::Answer, until};
use crate::{emulator::Fault, store_world::World};

/// What only the write of renewed credentials says, and what only that of a lease.
const RENEWAL: &str = "previous = :old";
const LEASE: &str = "ADD fence";

#[tokio::test]
async fn a_store_that_can_not_be_written_is_found_out_before_anything_is_redeemed() {
    let world = World::new().await;
    let key = world.expired().await;
    world.dynamodb.plan("UpdateItem", LEASE, 1, Fault::Denied);
    let told = world.call(&world.app, &key).await;
    assert_eq!((told.status, told.error()), (500, "server_error"));
    assert_eq!(world.provider.asked(), 0);
    assert_eq!(world.call(&world.app, &key).await.status, 200);
    assert_eq!(world.provider.redeemed(), 1);
}

#[tokio::test]
async fn a_lease_whose_answer_is_lost_is_still_ours() {
    let world = World::new().await;
    let key = world.expired().await;
    world.dynamodb.plan("UpdateItem", LEASE, 1, Fault::LostAnswer);
    assert_eq!(world.call(&world.app, &key).await.status, 200);
    assert_eq!((world.provider.redeemed(), world.stands(&key).await), (1, ("at-0-1".to_owned(), 2)));
}

#[tokio::test]
async fn what_was_redeemed_is_written_however_the_store_stumbles() {
    let table = [
        ("throttled", 3, Fault::Throttled),
        ("broken", 3, Fault::Broken),
        ("refused", 3, Fault::Denied),
        ("one lost answer", 1, Fault::LostAnswer),
        ("several lost answers", 3, Fault::LostAnswer),
    ];
    let cases = table.map(|(case, times, fault)| async move {
        let world = World::new().await;
        let key = world.expired().await;
        world.dynamodb.plan("UpdateItem", RENEWAL, times, fault);
        let told = world.call(&world.app, &key).await;
        assert_eq!((told.status, told.token()), (200, "at-0-1"), "{case}");
        assert_eq!(world.stands(&key).await, ("at-0-1".to_owned(), 2), "{case}");
        assert!(!world.is_leased(&key).await, "{case}");
        assert_eq!(world.call(&world.app, &key).await.status, 200, "{case}");
        assert_eq!((world.provider.redeemed(), world.provider.asked()), (1, 1), "{case}");
    });
    join_all(cases).await;
}

#[tokio::test]
async fn time_that_runs_out_while_the_lease_is_taken_redeems_nothing() {
    let world = World::new().await;
    let (key, gate) = (world.expired().await, Arc::new(Semaphore::new(0)));
    world.dynamodb.plan("UpdateItem", LEASE, 1, Fault::HeldAnswer(Arc::clone(&gate)));
    let deadline = world.hands.now().after(Duration::from_secs(25));
    let caller = tokio::spawn(world.call_until(&world.app, &key, Some(deadline)));
    until(async || world.is_leased(&key).await).await;
    world.hands.turn(Duration::from_secs(6));
    gate.add_permits(1);
    let told = caller.await.unwrap();
    assert_eq!((told.status, told.error(), world.provider.asked()), (503, "retry_later", 0));
    assert!(!world.is_leased(&key).await, "the next caller need not wait");
}

#[tokio::test]
async fn a_crash_between_redemption_and_write_leaves_no_connection_stuck() {
    for (lenient, status, health) in [(true, 200, Health::Connected), (false, 409, Health::NeedsReauth)] {
        let world = World::new().await;
        if lenient {
            world.provider.be_lenient();
        }
        let key = world.expired().await;
        world.dynamodb.plan("UpdateItem", RENEWAL, usize::MAX, Fault::Denied);
        let told = world.call(&world.app, &key).await;
        assert_eq!((told.status, told.error()), (500, "server_error"));
        assert!(world.is_leased(&key).await, "nobody redeems the spent token while its holder may still be at work");
        world.dynamodb.heal();

        let waiting = tokio::spawn(world.call(&world.another_process(), &key));
        world.hands.turn(Duration::from_secs(30));
        let told = waiting.await.unwrap();
        assert_eq!((told.status, world.stored(&key).await.health), (status, health), "lenient: {lenient}");
        assert_eq!(world.provider.asked(), 2);
    }
}

#[tokio::test]
async fn a_wait_for_a_holder_that_crashed_ends_with_the_invocation() {
    let world = World::new().await;
    let key = world.expired().await;
    world.dynamodb.plan("UpdateItem", RENEWAL, usize::MAX, Fault::Denied);
    world.call(&world.app, &key).await;
    let deadline = world.hands.now().after(Duration::from_secs(29));
    let waiting = tokio::spawn(world.call_until(&world.app, &key, Some(deadline)));
    world.hands.turn(Duration::from_secs(29));
    let told = waiting.await.unwrap();
    assert_eq!((told.status, told.error(), world.provider.asked()), (503, "retry_later", 1));
}

#[tokio::test]
async fn a_lease_outlives_its_holder_s_work() {
    let world = World::new().await;
    let (key, gate) = (world.expired().await, Arc::new(Semaphore::new(0)));
    // the write hangs: its holder has to give up before the lease runs out, or another would redeem the same token
    world.dynamodb.plan("UpdateItem", RENEWAL, usize::MAX, Fault::Held(Arc::clone(&gate)));
    let caller = tokio::spawn(world.call(&world.app, &key));
    until(async || world.provider.redeemed() == 1).await;
    let started = tokio::time::Instant::now();
    tokio::time::pause();
    for _ in 0..60 {
        tokio::time::advance(Duration::from_millis(500)).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        if caller.is_finished() {
            break;
        }
    }
    tokio::time::resume();
    assert!(caller.is_finished(), "still writing after the lease has run out");
    assert!(started.elapsed() <= Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(caller.await.unwrap().status, 500);
}

#[tokio::test]
async fn a_refusal_that_can_not_be_written_is_found_again() {
    let world = World::new().await;
    let key = world.expired().await;
    world.provider.answer_next([Answer::Refuse("invalid_grant"), Answer::Refuse("invalid_grant")]);
    world.dynamodb.plan("UpdateItem", ":needs_reauth", 5, Fault::Denied);
    assert_eq!(world.call(&world.app, &key).await.status, 500);
    world.hands.turn(Duration::from_secs(30));
    let told = world.call(&world.app, &key).await;
    assert_eq!((told.status, told.error()), (409, "needs_reauth"));
    assert_eq!(world.stored(&key).await.health, Health::NeedsReauth);
}
