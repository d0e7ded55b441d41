//! Many callers on one connection, and callers that go away.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{provider::Answer, until};
use crate::{store_grants::race, store_world::World};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_on_an_expired_connection_redeem_once_and_none_fails() {
    let world = World::new().await;
    let (key, app) = (world.expired().await, world.quick_process().await);
    let told = race(200, |_| world.call(&app, &key)).await;
    for told in &told {
        assert_eq!((told.status, told.token()), (200, "at-0-1"), "{told:?}");
    }
    assert_eq!((world.provider.redeemed(), world.provider.asked()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_with_a_hundred_calls_each_redeem_once_and_none_fails() {
    let world = World::new().await;
    let (key, one, other) = (world.expired().await, world.quick_process().await, world.quick_process().await);
    let told = race(200, |caller| world.call(if caller % 2 == 0 { &one } else { &other }, &key)).await;
    for told in &told {
        assert_eq!((told.status, told.token()), (200, "at-0-1"), "{told:?}");
    }
    assert_eq!((world.provider.redeemed(), world.provider.asked()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_slow_provider_writes_nothing_meanwhile() {
    let world = World::new().await;
    let key = world.expired().await;
    let gate = Arc::new(Semaphore::new(0));
    world.provider.answer_next([Answer::Held(Arc::clone(&gate))]);
    let winner = tokio::spawn(world.call(&world.app, &key));
    until(async || world.provider.asked() == 1).await;
    world.dynamodb.take_calls();
    let waiting: Vec<_> = (0..20).map(|_| tokio::spawn(world.call(&world.app, &key))).collect();
    // every waiter has read the connection several times
    let mut calls = Vec::new();
    until(async || {
        calls.extend(world.dynamodb.take_calls());
        calls.iter().filter(|call| *call == "GetItem connections").count() >= 80
    })
    .await;
    let writes = calls.iter().filter(|call| *call == "UpdateItem connections").count();
    assert!(writes <= 20, "{writes} writes by 20 callers who wait");
    gate.add_permits(1);
    for told in waiting.into_iter().chain([winner]) {
        assert_eq!(told.await.unwrap().status, 200);
    }
    assert_eq!(world.provider.redeemed(), 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_renewed_token_behind() {
    let world = World::new().await;
    for before_the_redemption in [true, false] {
        let (key, gate) = (world.expired().await, Arc::new(Semaphore::new(0)));
        let held =
            if before_the_redemption { Answer::Held(Arc::clone(&gate)) } else { Answer::HeldBack(Arc::clone(&gate)) };
        world.provider.answer_next([held]);
        let (asked, redeemed) = (world.provider.asked(), world.provider.redeemed());
        let caller = tokio::spawn(world.call(&world.app, &key));
        until(async || world.provider.asked() > asked).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        gate.add_permits(1);

        until(async || world.stored(&key).await.generation == 2).await;
        assert_eq!(world.call(&world.app, &key).await.status, 200);
        assert_eq!(world.provider.redeemed() - redeemed, 1, "held before: {before_the_redemption}");
    }
}
