//! The revoke queue: the oldest first, put back for later when it fails, gone when it is done.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::http::StatusCode;
use shared::{
    flow::revoke::Revocation,
    id::ConnectionKey,
    store::journal::{Queued, TRIES},
};

use crate::{store_world::World, world::Log};

/// A revocation that is due so much later.
async fn queued(world: &World, later: Duration) -> Queued {
    let stored = world.connection("vendor").await;
    let now = world.hands.now();
    let revocation = world.app.revocation_of(&stored.connection, stored.connection.key.as_str(), now);
    let queued = Queued { revocation, sealed: stored.sealed.clone(), due: now.after(later), tries: 0 };
    assert!(world.app.connections.delete(&stored, (&world.app.journal, &queued)).await.unwrap());
    queued
}

async fn due(world: &World) -> Vec<ConnectionKey> {
    world
        .app
        .journal
        .due(world.hands.now())
        .await
        .unwrap()
        .into_iter()
        .map(|queued| queued.revocation.connection)
        .collect()
}

#[tokio::test]
async fn revocations_are_due_in_order_and_not_before_their_time() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for later in [90, 0, 60, 30] {
        expected.push((later, queued(&world, Duration::from_secs(later)).await.revocation.connection));
    }
    expected.sort_by_key(|(later, _)| *later);
    for turned in 0..4 {
        let so_far: Vec<_> = expected.iter().take(turned + 1).map(|(_, key)| key.clone()).collect();
        assert_eq!(due(&world).await, so_far, "after {turned} times thirty seconds");
        world.hands.turn(Duration::from_secs(30));
    }
}

#[tokio::test]
async fn a_revocation_that_is_done_is_gone_and_one_put_back_is_there_once() {
    let world = World::new().await;
    let (first, second) = (queued(&world, Duration::ZERO).await, queued(&world, Duration::from_millis(1)).await);
    world.hands.turn(Duration::from_secs(1));
    world.app.journal.done(&first).await.unwrap();
    world.app.journal.done(&first).await.unwrap();
    assert_eq!(due(&world).await, std::slice::from_ref(&second.revocation.connection));

    world.app.journal.postpone(&second, world.hands.now()).await.unwrap();
    assert_eq!(due(&world).await, []);
    world.hands.turn(Duration::from_secs(30));
    let back = world.app.journal.due(world.hands.now()).await.unwrap();
    assert_eq!(
        back.iter().map(|queued| (&queued.revocation.connection, queued.tries)).collect::<Vec<_>>(),
        [(&second.revocation.connection, 1)]
    );
    assert_eq!(back[0].sealed, second.sealed);
}

#[tokio::test]
async fn revocations_that_can_not_be_read_hold_up_no_other() {
    let world = World::new().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    // more than are read at once, all of them older than the good one
    for n in 0..60 {
        let put = world.client().put_item().table_name(&world.app.config.tables.journal);
        let put = put.item("pk", text("revoke")).item("sk", text(&format!("{n:016}#broken")));
        put.item("doc", text("{")).send().await.unwrap();
    }
    let good = queued(&world, Duration::ZERO).await;
    let (log, logging) = Log::start();
    assert_eq!(due(&world).await, [good.revocation.connection]);
    drop(logging);
    let lines = log.lines();
    let told = lines.iter().filter(|line| line.contains("\"ERROR\"") && line.contains("#broken"));
    assert_eq!(told.count(), 60, "{lines:?}");
    assert_eq!(keeper::keep(&world.app, None).await.unwrap(), keeper::Round { tried: 1, ..keeper::Round::default() });
    assert_eq!(world.provider.revocations().len(), 1);
}

#[tokio::test]
async fn the_waits_grow_to_six_hours_and_end_after_about_two_days() {
    let world = World::new().await;
    let mut queued = queued(&world, Duration::ZERO).await;
    let mut waits = Vec::new();
    while queued.tries < TRIES {
        let later = queued.later(queued.due);
        waits.push(queued.due.until(later.due).as_secs());
        queued = later;
    }
    assert_eq!(waits[..10], [30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15360]);
    assert!(waits[10..].iter().all(|wait| *wait == 6 * 3600), "{waits:?}");
    let hours = waits.iter().sum::<u64>() / 3600;
    assert!((36..=60).contains(&hours), "{hours} hours");
}

#[tokio::test]
async fn the_keeper_sends_what_is_due_once_and_leaves_a_failure_for_later() {
    let world = World::new().await;
    let job = queued(&world, Duration::ZERO).await;
    world.provider.revocations_answer_next(&[StatusCode::SERVICE_UNAVAILABLE]);
    assert_eq!(keeper::keep(&world.app, None).await.unwrap().tried, 1);
    assert_eq!(world.provider.revocations().len(), 0);
    assert_eq!(keeper::keep(&world.app, None).await.unwrap().tried, 0, "not before its time");
    world.hands.turn(Duration::from_secs(30));
    assert_eq!(keeper::keep(&world.app, None).await.unwrap().tried, 1);
    assert_eq!(world.provider.revocations().len(), 1);
    assert_eq!(world.app.work_off(&job).await.unwrap(), Revocation::Revoked, "two keepers at once do no harm");
    world.hands.turn(Duration::from_hours(24));
    assert_eq!(keeper::keep(&world.app, None).await.unwrap().tried, 0);
}
