//! Expiry is checked on read: `DynamoDB` removes expired items days late, and here not at all.

use std::time::Duration;

use shared::{
    error::Error,
    id::Environment,
    secret::Bearer,
    store::{
        Claimer,
        attempts::{Claim, Proof, Status},
        codes,
        connections::{Completer, HELD_FOR},
        links::{self, Link, Session},
    },
};

use crate::store_world::World;

const MOMENT: Duration = Duration::from_millis(1);

fn link(world: &World) -> Link {
    Link {
        project: world.project.clone(),
        environment: Environment::Test,
        identity: None,
        identity_label: None,
        connectors: Vec::new(),
        return_to: None,
        session: None,
        led_by: shared::store::links::LedBy::Address,
        upgrade: None,
        created_at: world.hands.now(),
    }
}

#[tokio::test]
async fn a_link_opens_for_five_minutes_and_its_page_for_a_quarter_of_an_hour_more() {
    let world = World::new().await;
    let (links, hands, random) = (&world.app.links, &world.hands, &world.app.random);
    let (used, unused, browser) = (Bearer::random(random), Bearer::random(random), Bearer::random(random).digest());
    for token in [&used, &unused] {
        links.put(token, &link(&world)).await.unwrap();
    }
    hands.turn_almost(links::LIFETIME);
    assert!(links.claim(&used.digest(), &browser, hands.now()).await.is_ok());
    hands.turn(MOMENT);
    assert!(matches!(links.claim(&unused.digest(), &browser, hands.now()).await, Err(Error::Expired)));

    hands.turn_almost(links::PAGE_LIFETIME);
    assert!(links.reopen(&used.digest(), &browser, hands.now()).await.is_ok());
    assert!(links.claim(&used.digest(), &browser, hands.now()).await.is_ok(), "a reload of the link itself");
    hands.turn(MOMENT);
    assert!(matches!(links.reopen(&used.digest(), &browser, hands.now()).await, Err(Error::Expired)));
    assert!(matches!(links.claim(&used.digest(), &browser, hands.now()).await, Err(Error::Expired)));
}

#[tokio::test]
async fn a_session_may_ask_for_the_outcome_until_the_attempt_can_have_none() {
    let world = World::new().await;
    let session = Bearer::random(&world.app.random);
    let Link { project, environment, identity, identity_label, connectors, created_at, .. } = link(&world);
    let content = Session { project, environment, identity, identity_label, connectors, created_at };
    world.app.links.put_session(&session, &content).await.unwrap();
    world.hands.turn_almost(Duration::from_mins(5 + 10 + 10));
    assert!(world.app.links.session(&session, world.hands.now()).await.unwrap().is_some());
    world.hands.turn(MOMENT);
    assert!(world.app.links.session(&session, world.hands.now()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_attempt_is_started_and_answered_within_ten_minutes() {
    let world = World::new().await;
    let (app, hands) = (&world.app, &world.hands);
    let browser = Bearer::random(&app.random).digest();
    let (early, late) = (world.attempt("vendor"), world.attempt("vendor"));
    let (early_state, late_state) = (world.put(&early).await, world.put(&late).await);
    app.attempts.start(&late_state, &browser, hands.now()).await.unwrap();

    hands.turn_almost(Duration::from_mins(10));
    app.attempts.start(&early_state, &browser, hands.now()).await.unwrap();
    let proof =
        Proof { browser: browser.clone(), connector: None, issuer: None, claimer: Claimer::random(&world.app.random) };
    assert!(matches!(app.attempts.claim(&early_state, &proof, hands.now()).await, Ok(Claim::Won(_))));
    assert_eq!(app.attempts.progress_of(&late.id, hands.now()).await.unwrap().status, Status::Pending);

    hands.turn(MOMENT);
    assert!(matches!(app.attempts.start(&late_state, &browser, hands.now()).await, Err(Error::Expired)));
    assert!(matches!(app.attempts.claim(&late_state, &proof, hands.now()).await, Err(Error::Expired)));
    let again = app
        .attempts
        .claim(&early_state, &Proof { claimer: Claimer::random(&world.app.random), ..proof }, hands.now())
        .await
        .unwrap();
    let Claim::Before(progress) = again else { panic!("a reload claimed once more") };
    assert_eq!(progress.status, Status::Expired, "the answer was never made into a grant");
    assert_eq!(app.attempts.progress_of(&late.id, hands.now()).await.unwrap().status, Status::Expired);
}

#[tokio::test]
async fn a_held_grant_is_completed_within_ten_minutes() {
    let world = World::new().await;
    let (app, hands) = (&world.app, &world.hands);
    let attempt = world.attempt("vendor");
    let (held, browser) = world.held(&attempt, None).await;
    hands.turn_almost(HELD_FOR);
    assert_eq!(app.attempts.progress_of(&attempt.id, hands.now()).await.unwrap().status, Status::Held);
    hands.turn(MOMENT);
    assert_eq!(app.attempts.progress_of(&attempt.id, hands.now()).await.unwrap().status, Status::Expired);
    let by = Completer::Person { browser: browser.digest(), code: None };
    let completed = app.connections.complete(app.beside(), &held, None, &by, hands.now()).await;
    assert!(matches!(completed, Err(Error::AlreadyUsed)));
    assert!(app.connections.find(&attempt.connection).await.unwrap().is_none());
}

#[tokio::test]
async fn a_code_is_redeemed_within_five_minutes() {
    let world = World::new().await;
    let (app, hands) = (&world.app, &world.hands);
    let (first, second) = (Bearer::random(&app.random), Bearer::random(&app.random));
    let attempt = world.attempt("vendor");
    world.held(&world.attempt("vendor"), Some(&first)).await;
    let (held, _) = world.held(&attempt, Some(&second)).await;
    hands.turn_almost(codes::LIFETIME);
    assert!(app.codes.claim(&first.digest(), &Claimer::random(&app.random), hands.now()).await.unwrap());
    hands.turn(MOMENT);
    assert!(!app.codes.claim(&second.digest(), &Claimer::random(&app.random), hands.now()).await.unwrap());
    let by = Completer::App { code: second.digest(), claimer: &Claimer::random(&app.random) };
    let completed = app.connections.complete(app.beside(), &held, None, &by, hands.now()).await;
    assert!(matches!(completed, Err(Error::AlreadyUsed)), "the grant is still held, the code is not");
    assert!(app.connections.find(&attempt.connection).await.unwrap().is_none());
}
