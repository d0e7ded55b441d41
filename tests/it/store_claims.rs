//! What can happen once has one winner, however many try at once; what is wrong changes nothing.

use std::{sync::Arc, time::Duration};

use shared::{
    app::App,
    clock::Random,
    error::Error,
    id::{ConnectorId, Environment, ProjectId},
    secret::{Bearer, Digest},
    store::{
        Claimer,
        attempts::{Attempt, Callback, Claim, Issuer, Proof, State, Status},
        connections::{Completer, Leasing},
        links::Link,
    },
};

use crate::{store_grants::race, store_world::World};

const CALLERS: usize = 200;

fn browser(world: &World) -> Digest {
    Bearer::random(&world.app.random).digest()
}

/// The one index at which there is something, and that everything else is as it should be.
fn only<T, E>(results: Vec<Result<T, E>>, loser: impl Fn(&E) -> bool) -> T
where
    E: std::fmt::Debug,
{
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1, "winners; of the others, one got {:?}", lost.into_iter().next().and_then(Result::err));
    for error in lost.into_iter().filter_map(Result::err) {
        assert!(loser(&error), "{error:?}");
    }
    won.into_iter().next().and_then(Result::ok).unwrap()
}

fn already_used(error: &Error) -> bool {
    matches!(error, Error::AlreadyUsed)
}

fn link(project: &ProjectId, world: &World) -> Link {
    Link {
        project: project.clone(),
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

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_opened_by_one_of_two_hundred_browsers_and_by_that_one_again() {
    let world = World::new().await;
    let quick = world.quick_process().await;
    let token = Bearer::random(&world.app.random);
    world.app.links.put(&token, &link(&world.project, &world)).await.unwrap();

    let claims = race(CALLERS, |_| {
        let (app, name, browser, now) = (Arc::clone(&quick), token.digest(), browser(&world), world.hands.now());
        async move { app.links.claim(&name, &browser, now).await.map(|_| browser) }
    })
    .await;
    let winner = only(claims, already_used);

    let now = world.hands.now();
    assert!(world.app.links.claim(&token.digest(), &winner, now).await.is_ok());
    assert!(world.app.links.reopen(&token.digest(), &winner, now).await.is_ok());
    let stranger = browser(&world);
    assert!(matches!(world.app.links.reopen(&token.digest(), &stranger, now).await, Err(Error::UnknownState)));
    assert!(matches!(world.app.links.claim(&stranger, &stranger, now).await, Err(Error::UnknownState)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_started_by_one_of_two_hundred_browsers_and_by_that_one_again() {
    let world = World::new().await;
    let quick = world.quick_process().await;
    let state = world.put(&world.attempt("vendor")).await;
    let starts = race(CALLERS, |_| {
        let (app, state, browser, now) = (Arc::clone(&quick), state.clone(), browser(&world), world.hands.now());
        async move { app.attempts.start(&state, &browser, now).await.map(|_| browser) }
    })
    .await;
    let winner = only(starts, already_used);
    assert!(world.app.attempts.start(&state, &winner, world.hands.now()).await.is_ok());
}

/// An attempt that a browser has started.
async fn started(world: &World, attempt: &Attempt) -> (State, Digest) {
    let (state, browser) = (world.put(attempt).await, browser(world));
    world.app.attempts.start(&state, &browser, world.hands.now()).await.unwrap();
    (state, browser)
}

fn claimer() -> Claimer {
    Claimer::random(&Random::system())
}

fn proof(browser: &Digest, claimer: Claimer) -> Proof {
    Proof { browser: browser.clone(), connector: None, issuer: None, claimer }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_claimed_by_one_of_two_hundred_requests_and_by_that_one_again() {
    let world = World::new().await;
    let quick = world.quick_process().await;
    let (state, browser) = started(&world, &world.attempt("vendor")).await;
    let claims = race(CALLERS, |_| {
        let (app, state, proof, now) =
            (Arc::clone(&quick), state.clone(), proof(&browser, claimer()), world.hands.now());
        async move {
            match app.attempts.claim(&state, &proof, now).await.unwrap() {
                Claim::Won(_) => Ok(proof.claimer),
                Claim::Before(progress) => Err(progress),
            }
        }
    })
    .await;
    // the same browser is told how far it is: the answer is being worked on
    let winner = only(claims, |progress| progress.status == Status::Claimed);
    let again = world.app.attempts.claim(&state, &proof(&browser, winner), world.hands.now()).await.unwrap();
    assert!(matches!(again, Claim::Won(_)), "the SDK repeats a call whose answer was lost");
}

/// What a completer got.
async fn complete(
    app: Arc<App>,
    world: &World,
    attempt: Attempt,
    by: By,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let held = app.connections.held(&attempt.id).await.unwrap().unwrap();
    let now = world.hands.now();
    async move {
        let by = match &by {
            By::App(code, claimer) => Completer::App { code: code.clone(), claimer },
            By::Person(browser) => Completer::Person { browser: browser.clone(), code: None },
        };
        app.connections.complete(app.beside(), &held, None, &by, now).await.map(drop)
    }
}

enum By {
    App(Digest, Claimer),
    Person(Digest),
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_grant_is_completed_by_one_of_two_hundred_of_either_kind() {
    let world = World::new().await;
    let quick = world.quick_process().await;
    for persons in [0, CALLERS / 2, CALLERS] {
        let (attempt, code) = (world.attempt("vendor"), Bearer::random(&world.app.random));
        let (_, browser) = world.held(&attempt, Some(&code)).await;
        let mut calls = Vec::new();
        for caller in 0..CALLERS {
            let by = if caller < persons { By::Person(browser.digest()) } else { By::App(code.digest(), claimer()) };
            calls.push(complete(Arc::clone(&quick), &world, attempt.clone(), by).await);
        }
        let calls = std::sync::Mutex::new(calls);
        let results = race(CALLERS, |_| calls.lock().unwrap().pop().unwrap()).await;
        only(results, already_used);

        let stored = world.app.connections.find(&attempt.connection).await.unwrap();
        assert!(stored.is_some_and(|stored| stored.generation == 1), "{persons} persons");
        assert!(world.app.connections.held(&attempt.id).await.unwrap().is_none());
        let progress = world.app.attempts.progress_of(&attempt.id, world.hands.now()).await.unwrap();
        assert_eq!(progress.status, Status::Connected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_redeemed_by_one_of_two_hundred_requests_and_by_that_one_again() {
    let world = World::new().await;
    let quick = world.quick_process().await;
    let code = Bearer::random(&world.app.random);
    world.held(&world.attempt("vendor"), Some(&code)).await;
    let claims = race(CALLERS, |_| {
        let (app, code, claimer, now) = (Arc::clone(&quick), code.digest(), claimer(), world.hands.now());
        async move { if app.codes.claim(&code, &claimer, now).await.unwrap() { Ok(claimer) } else { Err(()) } }
    })
    .await;
    let winner = only(claims, |()| true);
    let (codes, now) = (&world.app.codes, world.hands.now());
    assert!(codes.claim(&code.digest(), &winner, now).await.unwrap());
    assert!(codes.find(&code.digest()).await.unwrap().unwrap().claimed_by.is_some());
    assert!(!codes.claim(&browser(&world), &claimer(), now).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_deleted_by_one_of_two_hundred_and_queued_for_revocation_once() {
    let world = World::new().await;
    let quick = world.quick_process().await;
    let stored = world.connection("vendor").await;
    let deletions = race(CALLERS, |_| {
        let (app, stored) = (Arc::clone(&quick), stored.clone());
        async move { app.delete_connection(stored, None).await.unwrap().ok_or(()) }
    })
    .await;
    only(deletions, |()| true);
    assert!(world.app.connections.find(&stored.connection.key).await.unwrap().is_none());
    assert_eq!(world.provider.revocations().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_had_by_one_of_two_hundred_processes_and_by_that_one_again() {
    let world = World::new().await;
    let quick = world.quick_process().await;
    let stored = world.connection("vendor").await;
    let (now, until) = (world.hands.now(), world.hands.now().after(Duration::from_secs(30)));
    let leases = race(CALLERS, |caller| {
        let (app, stored, owner) = (Arc::clone(&quick), stored.clone(), format!("process {caller}"));
        async move {
            match app.connections.lease(&stored, &owner, until, now).await.unwrap() {
                Leasing::Ours(_) => Ok(owner),
                other => Err(other),
            }
        }
    })
    .await;
    let winner = only(leases, |other| matches!(other, Leasing::Theirs));
    let again = world.app.connections.lease(&stored, &winner, until, now).await.unwrap();
    assert!(matches!(again, Leasing::Ours(_)), "the SDK repeats a call whose answer was lost");
    let later =
        world.app.connections.lease(&stored, "another", until.after(Duration::from_secs(30)), until).await.unwrap();
    assert!(matches!(later, Leasing::Ours(_)), "a lease that ran out is free");
}

#[tokio::test]
async fn a_wrong_cookie_state_path_or_issuer_changes_nothing() {
    let world = World::new().await;
    let issuer = Issuer { identifier: "https://vendor.example".to_owned(), is_told: true };
    let redirect_uri = "https://mooring.example/connectors/vendor/oauth/callback".to_owned();
    let attempt = Attempt { issuer: Some(issuer), callback: Callback::Own, redirect_uri, ..world.attempt("vendor") };
    let (state, own) = started(&world, &attempt).await;
    let other_state = State::random(&attempt.connector, &attempt.id, &world.app.random);
    let (stranger, right) = (browser(&world), Some("https://vendor.example".to_owned()));
    let wrong_issuer = Some("https://evil.example".to_owned());
    let (path, other_path) = (ConnectorId::parse("vendor"), ConnectorId::parse("another"));
    let table = [
        ("the cookie", &state, &stranger, right.clone(), &path, false),
        ("the state", &other_state, &own, right.clone(), &path, false),
        ("both", &other_state, &stranger, right.clone(), &path, false),
        ("the cookie and the path", &state, &stranger, right.clone(), &other_path, false),
        ("another connector's path", &state, &own, right.clone(), &other_path, true),
        ("the common path", &state, &own, right.clone(), &None, true),
        ("the issuer", &state, &own, wrong_issuer, &path, true),
        ("no issuer where one is announced", &state, &own, None, &path, true),
    ];
    let before = item(&world, attempt.id.as_str()).await;
    for (case, state, browser, issuer, connector, own) in table {
        let proof = Proof {
            browser: browser.clone(),
            issuer,
            connector: connector.clone(),
            claimer: Claimer::random(&world.app.random),
        };
        let claim = world.app.attempts.claim(state, &proof, world.hands.now()).await;
        // to its own browser an answer of somebody else is told as such; to any other the attempt is unknown
        let told = if own {
            matches!(claim, Err(Error::AnswerNotBelieved(_)))
        } else {
            matches!(claim, Err(Error::UnknownState))
        };
        assert!(told, "{case}");
        assert_eq!(item(&world, attempt.id.as_str()).await, before, "{case}");
    }
    let start = world.app.attempts.start(&other_state, &own, world.hands.now()).await;
    assert!(matches!(start, Err(Error::UnknownState)));
    assert_eq!(item(&world, attempt.id.as_str()).await, before);

    let proof = Proof { browser: own, issuer: right, connector: path, claimer: Claimer::random(&world.app.random) };
    assert!(matches!(world.app.attempts.claim(&state, &proof, world.hands.now()).await, Ok(Claim::Won(_))));
}

#[tokio::test]
async fn an_issuer_that_is_known_but_not_announced_counts_where_it_is_told() {
    let world = World::new().await;
    let issuer = Issuer { identifier: "https://vendor.example".to_owned(), is_told: false };
    for (told, believed) in
        [(None, true), (Some("https://vendor.example"), true), (Some("https://evil.example"), false)]
    {
        let (state, own) = started(&world, &Attempt { issuer: Some(issuer.clone()), ..world.attempt("vendor") }).await;
        let proof = Proof { issuer: told.map(str::to_owned), ..proof(&own, claimer()) };
        let claim = world.app.attempts.claim(&state, &proof, world.hands.now()).await;
        assert_eq!(matches!(claim, Ok(Claim::Won(_))), believed, "{told:?}");
    }
}

/// An item of the flows, as it stands.
async fn item(world: &World, pk: &str) -> shared::store::Item {
    let key = aws_sdk_dynamodb::types::AttributeValue::S(pk.to_owned());
    let get = world.client().get_item().table_name(&world.app.config.tables.flows).key("pk", key).consistent_read(true);
    shared::store::Item(get.send().await.unwrap().item.unwrap())
}
