//! Transactions that meet another one, or whose answer is lost, and writes that meet a transaction: done once, and told so.

use std::time::Duration;

use shared::{
    error::Error,
    flow::revoke::Revocation,
    id::{ClientId, ConnectionKey, ConnectorId, Environment, Identity, IdentityType, ProjectId},
    secret::Bearer,
    store::{
        Claimer,
        attempts::{Claim, Proof, Status},
        connections::{Completer, Fenced, Held, Lease, Leasing, Times},
        links::{Link, Session},
        settings::{AppClient, ConnectorSettings, Key, Project},
    },
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
    let by = Completer::App { code: code.digest(), claimer: &Claimer::random(&app.random) };
    let completed = connections.complete(app.beside(), &held, None, &by, now).await.unwrap();
    assert_eq!(completed.key, attempt.connection);
    let by = Completer::App { code: code.digest(), claimer: &Claimer::random(&app.random) };
    let again = connections.complete(app.beside(), &held, None, &by, now).await;
    assert!(matches!(again, Err(Error::AlreadyUsed)));

    meet();
    let stored = connections.find(&attempt.connection).await.unwrap().unwrap();
    assert_eq!(app.delete_connection(stored, None).await.unwrap(), Some(Revocation::Revoked));
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

/// A world in which every write meets a transaction on the same item first.
async fn contended() -> World {
    let world = World::new().await;
    world.dynamodb.contend();
    world
}

#[tokio::test]
async fn a_flow_whose_every_write_meets_a_transaction_goes_on() {
    let world = contended().await;
    let (app, now) = (&world.app, world.hands.now());
    let (token, session, browser) =
        (Bearer::random(&app.random), Bearer::random(&app.random), Bearer::random(&app.random));
    let (project, environment, connectors) = (world.project.clone(), Environment::Test, Vec::new());
    let (identity, identity_label, created_at) = (None, None, now);
    let content = Session { project, environment, identity, identity_label, connectors, created_at };
    let Session { project, environment, identity, identity_label, connectors, created_at } = content.clone();
    let link = Link {
        project,
        environment,
        identity,
        identity_label,
        connectors,
        return_to: None,
        session: None,
        led_by: shared::store::links::LedBy::Address,
        upgrade: None,
        created_at,
    };
    app.links.put(&token, &link).await.unwrap();
    app.links.put_session(&session, &content).await.unwrap();
    app.links.put_both(&session, &content, &token, &link).await.unwrap();
    app.links.claim(&token.digest(), &browser.digest(), now).await.unwrap();

    let attempt = world.attempt("vendor");
    let state = world.put(&attempt).await;
    app.attempts.start(&state, &browser.digest(), now).await.unwrap();
    let proof =
        Proof { browser: browser.digest(), connector: None, issuer: None, claimer: Claimer::random(&world.app.random) };
    assert!(matches!(app.attempts.claim(&state, &proof, now).await.unwrap(), Claim::Won(_)));
    app.attempts.deny(&attempt.id, "access_denied").await.unwrap();
    assert_eq!(app.attempts.progress_of(&attempt.id, now).await.unwrap().status, Status::Denied);

    let (attempt, code) = (world.attempt("vendor"), Bearer::random(&app.random));
    let (held, browser) = world.held(&attempt, None).await;
    let by = Completer::Person { browser: browser.digest(), code: Some(&code) };
    app.connections.complete(app.beside(), &held, None, &by, now).await.unwrap();
    assert!(app.codes.claim(&code.digest(), &Claimer::random(&world.app.random), now).await.unwrap());
}

#[tokio::test]
async fn a_connection_whose_every_write_meets_a_transaction_is_kept_up() {
    let world = contended().await;
    let (app, now) = (&world.app, world.hands.now());
    let Held { connection, sealed, .. } = world.grant(&world.attempt("vendor"), &world.provider.consent(), None).await;
    app.connections.create(&app.settings, &connection, &sealed, Times::default()).await.unwrap();
    let renamed = app.connections.update(&connection.key, now, |connection| connection.name = Some("b".to_owned()));
    assert_eq!(renamed.await.unwrap().unwrap().0.name.as_deref(), Some("b"));

    let stored = app.connections.find(&connection.key).await.unwrap().unwrap();
    let lease = leased(&world, &connection.key).await;
    app.connections.release(&lease).await.unwrap();
    let lease = leased(&world, &connection.key).await;
    let renewed = app.connections.renew(&lease, &stored.sealed, &stored.sealed, None).await;
    assert_eq!(renewed.unwrap(), Fenced::Written);
    let lease = leased(&world, &connection.key).await;
    assert_eq!(app.connections.needs_reauth(&lease).await.unwrap(), Fenced::Written);

    world.provider.revocations_answer_next(&[axum::http::StatusCode::SERVICE_UNAVAILABLE]);
    let stored = app.connections.find(&connection.key).await.unwrap().unwrap();
    assert_eq!(app.delete_connection(stored, None).await.unwrap(), Some(Revocation::Queued));
}

async fn leased(world: &World, key: &ConnectionKey) -> Lease {
    let (stored, now) = (world.stored(key).await, world.hands.now());
    let owner = Bearer::random(&world.app.random).digest();
    match world.app.connections.lease(&stored, owner.as_str(), now.after(Duration::from_secs(30)), now).await.unwrap() {
        Leasing::Ours(lease) => lease,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn settings_whose_every_write_meets_a_transaction_are_stored() {
    let world = contended().await;
    let (settings, now) = (&world.app.settings, world.hands.now());
    settings.set_base_url("https://other.example").await.unwrap();
    let project = Project {
        id: ProjectId::random(&world.app.random),
        name: "Beside".to_owned(),
        allowed_origins: Vec::new(),
        redirect_uris: Vec::new(),
        vouches_for_users: false,
        reconnect_other_account: shared::store::settings::OtherAccount::default(),
        created_at: now,
        brand: shared::brand::Brand::default(),
    };
    settings.create_project(&project).await.unwrap();
    let changed = settings.update_project(&project.id, |project| project.name = "Aside".to_owned()).await.unwrap();
    assert_eq!(changed.unwrap().name, "Aside");
    let client = AppClient {
        id: ClientId::random(&project.id, Environment::Test, &world.app.random),
        name: "back end".to_owned(),
        description: String::new(),
        roles: Vec::new(),
        created_at: now,
        revoked_at: None,
    };
    settings.create_client(&client, &Bearer::random(&world.app.random).digest()).await.unwrap();
    assert!(settings.revoke_client(&client.id, now).await.unwrap());
    let key = Key::DefaultClient(ConnectorId::parse("vendor").unwrap());
    settings.put_connector(&key, &ConnectorSettings::default()).await.unwrap();
    assert!(settings.delete(&key).await.unwrap());
    let user = Identity::parse("ada", IdentityType::User).unwrap();
    settings.mark_user_deleted(&project.id, Environment::Test, &user, now).await.unwrap();
}

#[tokio::test]
async fn a_write_that_always_meets_another_is_given_up_after_six_tries() {
    let world = World::new().await;
    let attempt = world.attempt("vendor");
    let state = world.put(&attempt).await;
    world.dynamodb.plan("UpdateItem", "", usize::MAX, Fault::Conflict);
    world.dynamodb.take_calls();
    let started =
        world.app.attempts.start(&state, &Bearer::random(&world.app.random).digest(), world.hands.now()).await;
    assert!(matches!(started, Err(Error::Storage(_))));
    assert_eq!(world.dynamodb.take_calls(), ["UpdateItem flows"; 6]);
}
