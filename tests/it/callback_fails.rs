//! We fail between the claim of an attempt and the hold of its grant: the attempt says so at once, and what was just issued is
//! revoked, unless that could end somebody else's grant.

use std::{sync::Arc, time::Duration};

use callback::Callback;
use serde_json::{Value, json};
use shared::{
    flow::revoke::Revocation,
    http::{Request, answer},
    protocol::connector::RevokeEffect,
    secret::Bearer,
    store::{
        attempts::{Attempt, Progress, Status},
        connections::Completer,
    },
};
use tokio::sync::Semaphore;

use crate::{
    emulator::Fault,
    refresh::{Told, until},
    store_world::World,
};

/// What only the writes of a claim, of a refusal, of a failure, and of a grant to be held say.
const CLAIM: &str = "spent_state";
const REFUSAL: &str = "access_denied";
const FAILURE: &str = "server_error";
const HOLD: &str = "held_until";

/// A callback under way: its attempt, and the request.
pub async fn coming_back(world: &World, connector: &str) -> (Attempt, Request) {
    let attempt = world.attempt(connector);
    let request = world.answer_of_the_provider(attempt.clone()).await;
    (attempt, request)
}

pub fn receive(world: &World, request: &Request) -> impl Future<Output = Told> + Send + use<> {
    let Request { path, query, headers, .. } = request;
    let request = Request::new("GET", path.clone(), query.clone(), headers.clone(), "".into(), world.token());
    let app = Arc::clone(&world.app);
    async move { Told::of(answer(&app, request, &Callback).await).await }
}

pub async fn progress(world: &World, attempt: &Attempt) -> Progress {
    world.app.attempts.progress_of(&attempt.id, world.hands.now()).await.unwrap()
}

/// The attempt has failed, and its browser is sent to the app with the reason when it comes again.
async fn has_failed(world: &World, attempt: &Attempt, request: &Request, case: &str) {
    let progress = progress(world, attempt).await;
    assert_eq!((progress.status, progress.error.as_deref()), (Status::Failed, Some("server_error")), "{case}");
    let again = receive(world, request).await;
    let location = again.headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value.as_str());
    let target = "https://orbit.example/connected?error=server_error&error_description=the+service+failed";
    assert!(location.unwrap().starts_with(target), "{case}: {location:?}");
}

/// The keeper's next round, and what was revoked by then.
async fn kept(world: &World) -> Vec<String> {
    keeper::keep(&world.app, None).await.unwrap();
    assert!(world.app.journal.due(world.hands.now()).await.unwrap().is_empty());
    world.provider.revocations()
}

#[tokio::test]
async fn a_claim_that_can_not_be_written_loses_nothing() {
    let world = World::new().await;
    let (attempt, request) = coming_back(&world, "vendor").await;
    world.dynamodb.plan("UpdateItem", CLAIM, 1, Fault::Denied);
    assert_eq!(receive(&world, &request).await.status, 500);
    assert_eq!(progress(&world, &attempt).await.status, Status::Pending);
    assert_eq!((receive(&world, &request).await.status, world.provider.asked()), (302, 1));
}

#[tokio::test]
async fn a_refusal_that_can_not_be_written_is_told_as_a_failure() {
    let world = World::new().await;
    let (attempt, mut request) = coming_back(&world, "vendor").await;
    request.query = request.query.replace("code=c", "error=access_denied");
    world.dynamodb.plan("UpdateItem", REFUSAL, 1, Fault::Denied);
    assert_eq!(receive(&world, &request).await.status, 500);
    has_failed(&world, &attempt, &request, "refusal").await;
}

#[tokio::test]
async fn a_failure_before_the_code_is_redeemed_is_told_at_once() {
    let world = World::new().await;
    let (attempt, request) = coming_back(&world, "vendor").await;
    world.secrets.plan("GetSecretValue", "clients/", 1, Fault::Denied);
    assert_eq!(receive(&world, &request).await.status, 500);
    has_failed(&world, &attempt, &request, "client").await;
    assert_eq!((world.provider.asked(), kept(&world).await), (0, vec![]));
}

#[tokio::test]
async fn a_grant_that_can_not_be_held_is_revoked_by_the_keeper() {
    let world = World::new().await;
    let (attempt, request) = coming_back(&world, "vendor").await;
    world.dynamodb.plan("TransactWriteItems", HOLD, 1, Fault::Denied);
    assert_eq!(receive(&world, &request).await.status, 500);
    has_failed(&world, &attempt, &request, "hold").await;
    assert!(world.provider.revocations().is_empty(), "the browser does not wait for that");
    assert_eq!(kept(&world).await, ["rt-0-0"]);
}

#[tokio::test]
async fn a_grant_that_was_held_without_a_word_of_it_is_taken_back() {
    let world = World::new().await;
    let (attempt, request) = coming_back(&world, "vendor").await;
    world.dynamodb.plan("TransactWriteItems", HOLD, 4, Fault::LostAnswer); // as often as the SDK tries
    assert_eq!(receive(&world, &request).await.status, 500);
    has_failed(&world, &attempt, &request, "lost answers").await;
    assert!(world.app.connections.held(&attempt.id).await.unwrap().is_none());
    assert_eq!(kept(&world).await, ["rt-0-0"]);
}

#[tokio::test]
async fn a_grant_that_was_held_and_completed_without_a_word_of_it_stays() {
    let world = World::new().await;
    let (attempt, request) = coming_back(&world, "vendor").await;
    let gate = Arc::new(Semaphore::new(0));
    world.dynamodb.plan("TransactWriteItems", HOLD, 4, Fault::LostAnswer);
    world.dynamodb.plan("UpdateItem", FAILURE, 1, Fault::Held(Arc::clone(&gate)));
    let told = tokio::spawn(receive(&world, &request));
    let app = &world.app;
    until(async || app.connections.held(&attempt.id).await.unwrap().is_some()).await;
    let held = app.connections.held(&attempt.id).await.unwrap().unwrap();
    let cookie =
        request.headers.iter().find(|(name, _)| name == "cookie").unwrap().1.split_once('=').unwrap().1.to_owned();
    let by = Completer::Person { browser: Bearer::from(cookie).digest(), code: None };
    app.connections.complete(app.beside(), &held, None, &by, world.hands.now()).await.unwrap();
    gate.add_permits(1);
    assert_eq!(told.await.unwrap().status, 500);
    assert_eq!(progress(&world, &attempt).await.status, Status::Connected);
    assert_eq!(kept(&world).await, [""; 0]);
    assert!(app.connections.find(&attempt.connection).await.unwrap().is_some());
}

#[tokio::test]
async fn what_can_not_even_be_queued_is_revoked_at_once() {
    for (case, operation, needle) in [("the failure", "UpdateItem", FAILURE), ("the queue", "PutItem", "journal")] {
        let world = World::new().await;
        let (attempt, request) = coming_back(&world, "vendor").await;
        world.dynamodb.plan("TransactWriteItems", HOLD, 1, Fault::Denied);
        world.dynamodb.plan(operation, needle, 1, Fault::Denied);
        assert_eq!(receive(&world, &request).await.status, 500, "{case}");
        assert_eq!(world.provider.revocations(), ["rt-0-0"], "{case}");
        if case == "the queue" {
            has_failed(&world, &attempt, &request, case).await;
        }
        assert_eq!(kept(&world).await, ["rt-0-0"], "{case}");
    }
}

/// Every write and every question of an index fails: whether somebody else lives on the grant can't be known.
#[tokio::test]
async fn while_the_store_is_down_tokens_are_revoked_only_where_that_ends_nothing_else() {
    for (effect, revoked) in [(RevokeEffect::Token, vec!["rt-0-0"]), (RevokeEffect::Grant, vec![])] {
        let world = World::new().await;
        let mut custom = world.provider.connector("custom");
        custom.revoke.as_mut().unwrap().effect = effect;
        world.app.settings.put_custom(&world.project, &custom).await.unwrap();
        let (_, request) = coming_back(&world, "custom").await;
        world.dynamodb.plan("TransactWriteItems", "", usize::MAX, Fault::Denied);
        world.dynamodb.plan("PutItem", "", usize::MAX, Fault::Denied);
        world.dynamodb.plan("UpdateItem", FAILURE, usize::MAX, Fault::Denied);
        world.dynamodb.plan("Query", "", usize::MAX, Fault::Denied);
        assert_eq!(receive(&world, &request).await.status, 500);
        assert_eq!(world.provider.revocations(), revoked, "{effect:?}");
    }
}

#[tokio::test]
async fn a_grant_that_a_live_connection_shares_is_not_revoked() {
    for queue_is_down in [false, true] {
        let world = World::new().await;
        let live = world.connection("vendor").await;
        let (_, request) = coming_back(&world, "vendor").await;
        world.dynamodb.plan("TransactWriteItems", HOLD, 1, Fault::Denied);
        if queue_is_down {
            world.dynamodb.plan("PutItem", "journal", 1, Fault::Denied);
        }
        assert_eq!(receive(&world, &request).await.status, 500);
        assert_eq!(kept(&world).await, [""; 0], "the queue is down: {queue_is_down}");
        assert_eq!(world.app.delete_connection(live, None).await.unwrap(), Some(Revocation::Revoked));
    }
}

#[tokio::test]
async fn a_grant_of_an_unknown_account_is_only_forgotten() {
    for queue_is_down in [false, true] {
        let world = World::new().await;
        let (attempt, request) = coming_back(&world, "vendor").await;
        world.provider.api_answers_next(&[500]);
        world.dynamodb.plan("TransactWriteItems", HOLD, 1, Fault::Denied);
        if queue_is_down {
            world.dynamodb.plan("UpdateItem", FAILURE, 1, Fault::Denied);
        }
        assert_eq!(receive(&world, &request).await.status, 500);
        let status = if queue_is_down { Status::Claimed } else { Status::Failed };
        assert_eq!(progress(&world, &attempt).await.status, status);
        world.hands.turn(Duration::from_mins(1));
        assert_eq!(kept(&world).await, [""; 0]);
    }
}

/// The provider under `custom`, with a fact that has to be learnt after the token call.
async fn learns(world: &World, member: &str, fact: Value) {
    let mut custom = serde_json::to_value(world.provider.connector("custom")).unwrap();
    custom[member] = fact;
    world.app.settings.put_custom(&world.project, &serde_json::from_value(custom).unwrap()).await.unwrap();
}

#[tokio::test]
async fn tokens_without_what_has_to_be_learnt_are_revoked_where_that_ends_nothing_else() {
    let answers_once = &[500][..];
    let never_answers = &[500, 500];
    let table = [
        ("alone", answers_once, &["rt-0-0"][..]),
        ("beside a live connection", answers_once, &[]),
        ("of nobody known", never_answers, &[]),
        ("with a queue that is down", answers_once, &["rt-0-0"]),
    ];
    for (case, answers, expected) in table {
        let world = World::new().await;
        let site = json!([{ "name": "site", "url": format!("{}/api/sites", world.provider.url), "path": "token" }]);
        learns(&world, "lookups", site).await;
        if case == "beside a live connection" {
            world.connection("custom").await;
        }
        if case == "with a queue that is down" {
            world.dynamodb.plan("PutItem", "journal", 1, Fault::Denied);
        }
        let (attempt, request) = coming_back(&world, "custom").await;
        world.provider.api_answers_next(answers);
        assert_eq!(receive(&world, &request).await.status, 302, "{case}");
        let progress = progress(&world, &attempt).await;
        assert_eq!((progress.status, progress.error.as_deref()), (Status::Failed, Some("provider_failed")), "{case}");
        assert_eq!(kept(&world).await, expected, "{case}");
    }
}

#[tokio::test]
async fn tokens_that_came_with_what_is_not_believed_are_revoked() {
    let world = World::new().await;
    let captures = json!({ "token_response": { "kind": "token_type" }, "patterns": { "kind": "[0-9]+" } });
    learns(&world, "captures", captures).await;
    let (attempt, request) = coming_back(&world, "custom").await;
    assert_eq!(receive(&world, &request).await.status, 302);
    assert_eq!(progress(&world, &attempt).await.error.as_deref(), Some("provider_invalid_response"));
    assert_eq!(kept(&world).await, ["rt-0-0"]);
}
