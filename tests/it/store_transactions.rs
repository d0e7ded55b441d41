//! Transactions that meet another one, or whose answer is lost: done once, and told so.

use std::time::Duration;

use shared::{
    error::Error,
    flow::revoke::Revocation,
    secret::Bearer,
    store::{attempts::Status, connections::Completer},
};

use crate::{emulator::Fault, store_world::World};

/// Does something to each kind of transaction, and sees it through.
async fn each_transaction_meets(fault: Fault, times: usize) {
    let world = World::new().await;
    let (app, now) = (&world.app, world.hands.now());
    let (attempts, codes, connections) = (&app.attempts, &app.codes, &app.connections);
    let meet = || world.dynamodb.plan("TransactWriteItems", "", times, fault.clone());
    let (attempt, code, browser) = (world.attempt("vendor"), Bearer::random(&app.random), Bearer::random(&app.random));
    attempts.put_claimed(&attempt, &browser.digest()).await.unwrap();
    let held = world.grant(&attempt, &world.provider.consent(), Some(Duration::from_hours(1))).await;

    meet();
    connections.hold(attempts, codes, &held, Some(&code), now).await.unwrap();
    assert_eq!(attempts.progress_of(&attempt.id, now).await.unwrap().status, Status::Held);
    assert!(codes.find(&code.digest()).await.unwrap().is_some());

    meet();
    let by = Completer::App { code: code.digest(), request_id: "r" };
    let completed = connections.complete(attempts, codes, &held, false, &by, now).await.unwrap();
    assert_eq!(completed.key, attempt.connection);
    let by = Completer::App { code: code.digest(), request_id: "another" };
    let again = connections.complete(attempts, codes, &held, false, &by, now).await;
    assert!(matches!(again, Err(Error::AlreadyUsed)));

    meet();
    let stored = connections.find(&attempt.connection).await.unwrap().unwrap();
    assert_eq!(app.delete_connection(stored).await.unwrap(), Some(Revocation::Revoked));
    assert!(app.journal.due(now).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_transaction_that_meets_another_is_tried_again() {
    each_transaction_meets(Fault::Conflict, 3).await;
}

#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_done_once() {
    each_transaction_meets(Fault::LostAnswer, 1).await;
}

#[tokio::test]
async fn a_transaction_that_the_store_stumbles_over_is_tried_again() {
    each_transaction_meets(Fault::Broken, 2).await;
}
