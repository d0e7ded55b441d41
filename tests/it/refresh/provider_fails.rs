//! The provider fails: the old token stays, the lease is given back, and the next call tries again.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{provider::Answer, until};
use crate::store_world::World;

#[tokio::test]
async fn a_failure_of_the_provider_costs_nothing_but_the_call() {
    let world = World::new().await;
    let table = [
        (Answer::Status(500), 502, "provider_failed"),
        (Answer::Status(503), 502, "provider_failed"),
        (Answer::Status(429), 502, "provider_failed"),
        (Answer::Status(200), 502, "provider_invalid_response"),
        (Answer::Status(302), 502, "provider_invalid_response"),
        (Answer::Refuse("invalid_client"), 502, "provider_refused"),
        (Answer::Refuse("temporarily_unavailable"), 502, "provider_refused"),
    ];
    for (answer, status, code) in table {
        let key = world.expired().await;
        let before = world.stored(&key).await;
        world.provider.answer_next([answer]);
        let redeemed = world.provider.redeemed();
        let told = world.call(&world.app, &key).await;
        assert_eq!((told.status, told.error()), (status, code));
        let after = world.stored(&key).await;
        assert_eq!((after.sealed, after.generation, after.health), (before.sealed, 1, before.health), "{code}");
        assert!(!world.is_leased(&key).await, "{code}");
        assert_eq!(world.call(&world.app, &key).await.status, 200, "{code}");
        assert_eq!(world.provider.redeemed() - redeemed, 1, "{code}");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_told_apart() {
    let world = World::new().await;
    let (key, gate) = (world.expired().await, Arc::new(Semaphore::new(0)));
    world.provider.answer_next([Answer::Held(Arc::clone(&gate))]);
    let caller = tokio::spawn(world.call(&world.app, &key));
    until(async || world.provider.asked() == 1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let told = caller.await.unwrap();
    assert_eq!((told.status, told.error()), (504, "provider_timeout"));
    assert!(!world.is_leased(&key).await);
    assert_eq!(world.call(&world.app, &key).await.status, 200);
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_a_connection_that_works_or_says_that_it_does_not() {
    for (lenient, status, asked) in [(true, 200, 2), (false, 409, 2)] {
        let world = World::new().await;
        if lenient {
            world.provider.be_lenient();
        }
        let key = world.expired().await;
        world.provider.answer_next([Answer::Lost]);
        let told = world.call(&world.app, &key).await;
        assert_eq!((told.status, told.error()), (502, "provider_unreachable"));
        assert!(!world.is_leased(&key).await);
        let told = world.call(&world.app, &key).await;
        assert_eq!((told.status, world.provider.asked()), (status, asked), "lenient: {lenient}");
    }
}
