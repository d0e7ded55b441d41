//! Attacks on what completes a grant. Each test names the section of RFC 9700 that describes what it tries.

use serde_json::{Value, json};
use shared::id::{Environment, Role};

use crate::world::{Answer, Attempt, Shape, USER, World, query};

/// A held grant whose code came back to the app that vouches.
async fn with_code(world: &World) -> (Attempt, String) {
    let browser = world.browser();
    let (attempt, landed) = world.hold(Shape::Credentials, &browser).await;
    (attempt, query(&landed.location(), "code").unwrap())
}

fn invalid_grant(answer: &Answer) -> bool {
    answer.refusal() == (400, "invalid_grant".to_owned())
}

/// RFC 9700 §4.5 and RFC 6749 §4.1.2: a code works once.
#[tokio::test]
async fn a_completion_code_works_once() {
    for vouches in [true, false] {
        let world = World::new().await;
        let (attempt, code) = if vouches {
            world.vouch().await;
            with_code(&world).await
        } else {
            let browser = world.browser();
            let (attempt, _) = world.hold(Shape::Credentials, &browser).await;
            let code = query(&world.confirm(&browser, &attempt).await.location(), "code").unwrap();
            (attempt, code)
        };
        assert_eq!(world.redeem(&code, &attempt.state, Some(USER)).await.status, 200);
        for _ in 0..2 {
            assert!(invalid_grant(&world.redeem(&code, &attempt.state, Some(USER)).await), "vouches: {vouches}");
        }
        assert_eq!(world.connections().await.len(), 1, "what was connected stays");
    }
}

/// RFC 9700 §4.5: a code counts for its own state, connector, project and environment alone, and a try elsewhere costs nothing.
#[tokio::test]
async fn a_completion_code_counts_for_its_own_attempt_alone() {
    let world = World::new().await;
    world.vouch().await;
    let (attempt, code) = with_code(&world).await;
    let (other, other_code) = with_code(&world).await;
    let before = world.dump().await;

    for (code, state) in [
        (code.as_str(), other.state.as_str()),
        (&other_code, &attempt.state),
        (&code, "acme.att_unknown.x"),
        (&code, "nonsense"),
        (&code, &attempt.state.replace("acme.", "slack.")),
        (&code, &format!("{}x", attempt.state)),
        ("guess", &attempt.state),
        (&attempt.state, &code),
    ] {
        assert!(invalid_grant(&world.redeem(code, state, Some(USER)).await), "{code} {state}");
    }
    let body = json!({ "code": code, "state": attempt.state, "userId": USER });
    for connector in ["slack", "nobodys", "acme%2Fx"] {
        let answer = world.post(&format!("/connectors/{connector}/credentials/callback"), &body).await;
        assert!(invalid_grant(&answer), "{connector}: {}", answer.text());
    }
    assert_eq!(world.dump().await, before);

    let beside = world.project_beside().await;
    let strangers = [
        world.client_of(&beside, Environment::Test, &[Role::Connect]).await,
        world.client(Environment::Live, &[Role::Connect]).await,
    ];
    let before = world.dump().await;
    for stranger in strangers {
        let call = world.call("POST", "/connectors/acme/credentials/callback").bearer(&stranger.key);
        assert!(invalid_grant(&call.json(&body).send().await), "{}", stranger.id);
    }
    assert_eq!(world.dump().await, before);
    assert_eq!(world.connections().await, [] as [Value; 0]);
    for (attempt, code) in [(attempt, code), (other, other_code)] {
        assert_eq!(world.redeem(&code, &attempt.state, Some(USER)).await.status, 200);
    }
}

/// RFC 9700 §4.5: what is wrong with the user is said only to who has the code, the state and the right connector.
#[tokio::test]
async fn a_wrong_user_leaves_the_code_as_it_was() {
    let world = World::new().await;
    world.vouch().await;
    let (attempt, code) = with_code(&world).await;
    let long = "x".repeat(10_000);
    let table = [
        ("mallory", 403, "identity_mismatch"),
        ("USER-1", 403, "identity_mismatch"),
        (" user-1", 403, "identity_mismatch"),
        ("user-1\u{0}", 400, "invalid_request"),
        (&long, 400, "invalid_request"),
        ("", 400, "invalid_request"),
    ];
    for (user, status, error) in table {
        let answer = world.redeem(&code, &attempt.state, Some(user)).await;
        assert_eq!(answer.refusal(), (status, error.to_owned()), "{user}");
    }
    let team = json!({ "code": code, "state": attempt.state, "identity": USER, "identityType": "team" });
    let answer = world.post("/connectors/acme/credentials/callback", &team).await;
    assert_eq!(answer.refusal(), (403, "identity_mismatch".to_owned()), "a team of the user's name");
    assert_eq!(world.redeem(&code, &attempt.state, None).await.refusal(), (400, "user_id_required".to_owned()));
    assert_eq!(world.redeem(&code, &attempt.state, Some(USER)).await.status, 200);
}

/// RFC 9700 §4.7: where the app vouches, the person's page can not be used to complete, nor is there one.
#[tokio::test]
async fn a_person_can_not_complete_what_the_app_vouches_for() {
    let world = World::new().await;
    world.vouch().await;
    let browser = world.browser();
    let (attempt, landed) = world.hold(Shape::Credentials, &browser).await;
    let code = query(&landed.location(), "code").unwrap();
    let page = browser.open(&attempt.path("confirm")).await;
    assert_eq!((page.status, page.location()), (302, landed.location()), "back to the app, which has to ask");
    let cookie = browser.cookies().into_iter().find(|(name, _)| name.ends_with(&attempt.id)).unwrap().1;
    let token = shared::http::form::token(&cookie, &format!("confirm {}", attempt.id));
    let url = format!("{}/connect/confirm/{}", world.base(), attempt.id);
    let form = crate::world::Form {
        action: url.parse().unwrap(),
        fields: vec![("form_token".to_owned(), token), ("decision".to_owned(), "confirm".to_owned())],
    };
    browser.submit(form).await;
    assert_eq!(world.connections().await, [] as [Value; 0]);
    assert_eq!(world.redeem(&code, &attempt.state, Some(USER)).await.status, 200);
}

/// RFC 9700 §4.5: of twenty confirmations at once one connects, and none breaks it.
#[tokio::test]
async fn twenty_confirmations_at_once_make_one_connection() {
    for shape in [Shape::OneTimeLink, Shape::Credentials] {
        let world = World::new().await;
        let browser = world.browser();
        let (attempt, _) = world.hold(shape, &browser).await;
        let page = browser.open(&attempt.path("confirm")).await;
        let submit = || browser.submit(page.form("/connect/confirm/").with("decision", "confirm"));
        let all = futures_util::future::join_all((0..20).map(|_| submit())).await;
        let codes: Vec<_> = all.iter().filter_map(|answer| query(&answer.location(), "code")).collect();
        assert!(all.iter().all(|answer| answer.status == 303), "to the others it is connected too");
        assert_eq!(world.connections().await.len(), 1, "{shape:?}");
        let expected = if shape == Shape::Credentials { vec![codes[0].clone(); 20] } else { Vec::new() };
        assert_eq!(codes, expected, "whichever answer the browser goes on with, it brings the app the one code");
        assert_eq!((world.grants(), world.server.provider.counts().revocations), (vec!["alice active".to_owned()], 0));
    }
}

/// RFC 9700 §4.5: of twenty redemptions at once one gets the connection.
#[tokio::test]
async fn twenty_redemptions_at_once_make_one_connection() {
    let world = World::new().await;
    world.vouch().await;
    let (attempt, code) = with_code(&world).await;
    let all = (0..20).map(|_| world.redeem(&code, &attempt.state, Some(USER)));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(all.iter().filter(|answer| answer.status != 200).all(invalid_grant));
    assert_eq!(world.connections().await.len(), 1);
}

/// RFC 9700 §4.5: confirmed in one tab and cancelled in another, it ends one way, whole.
#[tokio::test]
async fn a_confirmation_and_a_cancellation_at_once_end_one_way() {
    for _ in 0..5 {
        let world = World::new().await;
        let browser = world.browser();
        let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
        let page = browser.open(&attempt.path("confirm")).await;
        let submit = |decision| browser.submit(page.form("/connect/confirm/").with("decision", decision));
        tokio::join!(submit("confirm"), submit("cancel"));
        let status = browser.fetch(&format!("{}/v1/connect/attempts/{}", world.base(), attempt.id)).await.json();
        let (connections, grants) = (world.connections().await.len(), world.grants());
        match status["status"].as_str().unwrap() {
            "connected" => assert_eq!((connections, grants), (1, vec!["alice active".to_owned()])),
            "denied" => assert_eq!((connections, grants), (0, vec!["alice revoked".to_owned()])),
            other => panic!("{other}"),
        }
    }
}
