//! Attacks on the redirection endpoint. Each test names the section of RFC 9700 that describes what it tries.

use serde_json::{Value, json};
use shared::http::Request;

use crate::world::{Attempt, Browser, Shape, World, query};

/// An attempt whose browser is about to come back.
async fn before_the_callback(world: &World) -> (Browser, Attempt, String) {
    let browser = world.browser();
    let attempt = world.begin(Shape::FrontEnd, &browser).await;
    let callback = world.consent(&browser, &attempt, "alice").await;
    (browser, attempt, callback)
}

fn with(url: &str, name: &str, value: Option<&str>) -> String {
    let mut url = url::Url::parse(url).unwrap();
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(n, _)| n != name).collect();
    url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
    url.into()
}

/// The attempt's own browser finishes as if nothing had been.
async fn finishes(world: &World, browser: &Browser, attempt: &Attempt, callback: &str) {
    assert_eq!(browser.open(callback).await.location(), attempt.path("confirm"));
    assert_eq!(world.confirm(browser, attempt).await.status, 303);
    assert_eq!(world.connections().await.len(), 1);
}

/// RFC 9700 §4.7 (cross-site request forgery) and §4.5 (code injection): an answer counts in the browser that asked.
#[tokio::test]
async fn an_answer_in_another_browser_changes_nothing() {
    let world = World::new().await;
    let (browser, attempt, callback) = before_the_callback(&world).await;
    let before = world.dump().await;
    let name = format!("__Host-mooring_{}", attempt.id);
    let (other, other_attempt, _) = before_the_callback(&world).await;
    let own = other.cookies().into_iter().find(|(n, _)| n.ends_with(&other_attempt.id)).unwrap().1;
    let after = world.dump().await;

    let strangers = [None, Some(""), Some("guess"), Some(own.as_str())];
    for cookie in strangers {
        let stranger = world.browser();
        if let Some(value) = cookie {
            stranger.plant(&name, value);
        }
        assert_eq!(stranger.open(&callback).await.refusal(), (400, "unknown_state".to_owned()), "{cookie:?}");
    }
    // RFC 6265 has no way to tell who set a cookie: of two of one name, neither is believed
    let url = url::Url::parse(&callback).unwrap();
    let real = browser.cookies().into_iter().find(|(n, _)| *n == name).unwrap().1;
    let twice = world.call("GET", &format!("{}?{}", url.path(), url.query().unwrap()));
    let twice =
        twice.header("cookie", &format!("{name}={real}; {name}=planted")).header("accept", "text/html").send().await;
    assert_eq!(twice.refusal(), (400, "unknown_state".to_owned()));

    assert_eq!(world.dump().await, after);
    assert!(before.iter().all(|(key, item)| after.get(key) == Some(item)));
    assert_eq!(world.server.provider.counts().code_redemptions, 0);
    finishes(&world, &browser, &attempt, &callback).await;
}

/// RFC 6265bis §4.1.3.2: a browser guards names that begin with `__Host-`, and not those with a blank of Unicode before it.
#[test]
fn a_blank_before_a_cookies_name_belongs_to_the_name() {
    for (blank, expected) in [("", Some("v")), (" ", Some("v")), ("\t", Some("v")), ("\u{a0}", None), ("\u{85}", None)]
    {
        let headers = vec![("cookie".to_owned(), format!("a=b;{blank}__Host-mooring_x=v"))];
        let request = Request::new("GET", "/".to_owned(), String::new(), headers, "".into(), "r".to_owned());
        assert_eq!(request.cookie("__Host-mooring_x"), expected, "{blank:?}");
    }
}

/// RFC 9700 §4.5 and §2.1.1: a `state` works once; again it only tells how it ended.
#[tokio::test]
async fn a_state_works_once() {
    let world = World::new().await;
    let (browser, attempt, callback) = before_the_callback(&world).await;
    let first = browser.open(&callback).await;
    for again in
        [callback.clone(), with(&callback, "code", Some("another")), with(&callback, "error", Some("access_denied"))]
    {
        assert_eq!(browser.open(&again).await.location(), first.location(), "{again}");
    }
    assert_eq!(world.browser().open(&callback).await.refusal(), (400, "unknown_state".to_owned()));
    assert_eq!(world.server.provider.counts().code_redemptions, 1);
    finishes(&world, &browser, &attempt, &callback).await;
    let outcome = browser.end_at(&with(&callback, "code", Some("another"))).await;
    assert!(outcome.text().contains("<h1>Connected</h1>"), "{}", outcome.text());
    assert_eq!(world.server.provider.counts().code_redemptions, 1);
}

/// RFC 9700 §4.5: a code of one attempt, brought to another with its state, fails on the code verifier.
#[tokio::test]
async fn a_code_of_another_attempt_is_not_redeemed() {
    let world = World::new().await;
    let (browser, attempt, victims) = before_the_callback(&world).await;
    let attackers_attempt = world.begin(Shape::FrontEnd, &world.browser()).await;
    let attackers = world.consent(&world.browser(), &attackers_attempt, "bob").await;
    let injected = with(&victims, "code", query(&attackers, "code").as_deref());
    let failed = browser.end_at(&injected).await;
    assert!(failed.text().contains("provider_refused"), "{}", failed.text());
    assert_eq!(browser.open(&attempt.path("confirm")).await.header("location"), None);
    assert_eq!((world.grants().len(), world.connections().await), (0, Vec::<Value>::new()));
}

/// RFC 9700 §4.7: the state of one attempt does not open another, not even in the same browser.
#[tokio::test]
async fn a_swapped_state_changes_nothing() {
    let world = World::new().await;
    let (browser, attempt, callback) = before_the_callback(&world).await;
    let other = world.begin(Shape::FrontEnd, &browser).await;
    browser.open(&other.start_url).await;
    let before = world.dump().await;
    let (proof, others) = (attempt.state.rsplit('.').next().unwrap(), other.state.rsplit('.').next().unwrap());
    let states = [
        attempt.state.replace(proof, others),
        attempt.state.replace("acme.", "slack."),
        attempt.state.replace(&attempt.id, &other.id),
        attempt.state.replace(&attempt.id, "att_unknown"),
        attempt.state.to_uppercase(),
        format!("{}x", attempt.state),
        format!(" {}", attempt.state),
        format!("{}.x", attempt.state),
        attempt.state.replace(proof, ""),
        "x".repeat(10_000),
    ];
    for state in states {
        let answer = browser.open(&with(&callback, "state", Some(&state))).await;
        assert_eq!(answer.refusal(), (400, "unknown_state".to_owned()), "{state}");
    }
    let twice = format!("{callback}&state={}", attempt.state);
    assert_eq!(browser.open(&twice).await.refusal(), (400, "invalid_request".to_owned()));
    assert_eq!(browser.open(&with(&callback, "state", None)).await.refusal(), (400, "unknown_state".to_owned()));
    assert_eq!(world.dump().await, before);
    finishes(&world, &browser, &attempt, &callback).await;
}

/// RFC 9700 §4.4 (mix-up) and RFC 9207 §2.4: where the provider says who it is, nobody else's answer counts.
#[tokio::test]
async fn an_answer_of_another_issuer_changes_nothing() {
    let world = World::new().await;
    let (browser, attempt, callback) = before_the_callback(&world).await;
    let before = world.dump().await;
    let issuer = query(&callback, "iss").unwrap();
    let slash = format!("{issuer}/");
    for iss in [None, Some(""), Some("https://evil.example"), Some(slash.as_str()), Some("none")] {
        for extra in ["", "&error=access_denied"] {
            let answer = browser.open(&format!("{}{extra}", with(&callback, "iss", iss))).await;
            assert_eq!(answer.refusal(), (400, "answer_not_believed".to_owned()), "{iss:?}{extra}");
        }
    }
    let twice = browser.open(&format!("{callback}&iss=https://evil.example")).await;
    assert_eq!(twice.refusal(), (400, "invalid_request".to_owned()));
    assert_eq!(world.dump().await, before);
    finishes(&world, &browser, &attempt, &callback).await;
}

/// RFC 9700 §4.4.2.2: each provider answers at a redirect URI of its own, and an answer on another's changes nothing. The page
/// leads back to the start, which takes the same browser to the provider again.
#[tokio::test]
async fn an_answer_at_another_redirect_uri_changes_nothing() {
    let world = World::new().await;
    let (browser, attempt, callback) = before_the_callback(&world).await;
    let before = world.dump().await;
    for path in ["slack/oauth", "oauth", "unknown/oauth"] {
        let answer = browser.open(&callback.replace("acme/oauth", path)).await;
        assert_eq!(answer.refusal(), (400, "answer_not_believed".to_owned()), "{path}");
        assert!(answer.text().contains(&format!("/connect/start/{}?state=acme.", attempt.id)), "{}", answer.text());
        // who did not start it is not shown a way in
        let stranger = world.browser().open(&callback.replace("acme/oauth", path)).await;
        assert_eq!(stranger.refusal(), (400, "unknown_state".to_owned()), "{path}");
        assert!(!stranger.text().contains("/connect/start/"));
    }
    let unnamed = browser.open(&callback.replace("acme/oauth", "ACME!/oauth")).await;
    assert_eq!(unnamed.refusal(), (400, "unknown_state".to_owned()));
    assert_eq!(world.dump().await, before);
    let again = browser.open(&attempt.start_url).await.location();
    assert!(again.starts_with(&world.server.provider_url.to_string()), "{again}");
    finishes(&world, &browser, &attempt, &callback).await;
}

/// RFC 9700 §4.4.2.2: two projects may call their own connectors alike, and each has a redirect URI that names its project.
/// None of them can be registered with the one that all share.
#[tokio::test]
async fn connectors_of_two_projects_with_one_id_have_two_redirect_uris() {
    let world = World::new().await;
    let beside = world.project_beside().await;
    for project in [world.project(), &beside] {
        let definition = world.acme();
        let path = format!("/v1/admin/projects/{project}/connectors/crm");
        let put = world.root("PUT", &path, Some(&definition)).await;
        let expected = format!("{}/connectors/crm-{project}/oauth/callback", world.base());
        assert_eq!(put.member("redirect_uri"), expected);
        let path = format!("/v1/admin/projects/{project}/environments/test/connectors/crm");
        let client = json!({ "client_id": "id", "client_secret": "secret" });
        assert_eq!(world.root("PUT", &path, Some(&client)).await.member("redirect_uri"), expected);
        let common = json!({ "client_id": "id", "client_secret": "secret", "callback": "common" });
        let refused = world.call("PUT", &path).bearer(&world.server.root_key).json(&common).send().await;
        assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()));
    }
    let long = "x".repeat(64);
    let path = format!("/v1/admin/projects/{beside}/connectors/{long}");
    let refused = world.call("PUT", &path).bearer(&world.server.root_key).json(&world.acme()).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_connector".to_owned()));
}

/// OAuth 2.0 Form Post Response Mode: an answer by POST is fetched by the browser that waits for it, and believed only there.
#[tokio::test]
async fn an_answer_by_post_counts_in_the_browser_that_asked() {
    let world = World::new().await;
    let (browser, attempt, callback) = before_the_callback(&world).await;
    let (address, answer) = callback.split_once('?').unwrap();
    // the provider's page posts across sites, and so without any cookie
    let posted = world.browser().post(address, answer).await;
    assert_eq!(posted.status, 303);
    let fetched = posted.location();
    assert!(fetched.starts_with(&format!("{address}?answer={}.", attempt.id)), "{fetched}");
    let kept = format!("{:?}", world.dump().await);
    let code = query(&callback, "code").unwrap();
    assert!(
        !kept.contains(&code) && !kept.contains(fetched.rsplit('.').next().unwrap()),
        "neither code nor handle is readable"
    );

    assert_eq!(world.browser().open(&fetched).await.refusal(), (400, "unknown_state".to_owned()));
    for guess in ["", "x", "att_1.x", &format!("{}.x", attempt.id), &format!("{}.", attempt.id)] {
        let guessed = browser.open(&format!("{address}?answer={guess}")).await;
        assert_eq!(guessed.refusal(), (400, "unknown_state".to_owned()), "{guess}");
    }
    assert_eq!(world.server.provider.counts().code_redemptions, 0);
    finishes(&world, &browser, &attempt, &fetched).await;
    // a reload tells how it ended; a second answer comes too late
    assert!(browser.end_at(&fetched).await.text().contains("<h1>Connected</h1>"));
    assert_eq!(world.browser().post(address, answer).await.refusal(), (409, "already_used".to_owned()));
}

/// Who can post to us can't fill our tables, nor put an answer into an attempt without its state.
#[tokio::test]
async fn an_answer_by_post_without_a_state_of_ours_is_not_kept() {
    let world = World::new().await;
    let (_, attempt, callback) = before_the_callback(&world).await;
    let (address, answer) = callback.split_once('?').unwrap();
    let unstarted = world.begin(Shape::FrontEnd, &world.browser()).await;
    let before = world.dump().await;
    let state = &attempt.state;
    let table = [
        ("nothing", String::new(), (400, "unknown_state")),
        ("no state", answer.replace("state=", "stat="), (400, "unknown_state")),
        ("a guess", format!("code=x&state={}", state.replace(&attempt.id, "att_unknown")), (400, "unknown_state")),
        ("another proof", format!("code=x&state={state}x"), (400, "unknown_state")),
        ("two states", format!("code=x&state={state}&state={state}"), (400, "invalid_request")),
        ("not started", format!("code=x&state={}", unstarted.state), (400, "unknown_state")),
        ("too much", format!("state={state}&code={}", "x".repeat(16 * 1024)), (413, "payload_too_large")),
    ];
    for (case, body, (status, code)) in table {
        assert_eq!(world.browser().post(address, &body).await.refusal(), (status, code.to_owned()), "{case}");
        assert_eq!(world.dump().await, before, "{case}");
    }
    world.turn(std::time::Duration::from_mins(10));
    assert_eq!(world.browser().post(address, answer).await.refusal(), (410, "expired".to_owned()));
}

/// RFC 9700 §4.11.1: what a client hung onto the state is not ours, and is no address to go to.
#[tokio::test]
async fn a_state_with_something_behind_a_tilde_is_read_up_to_it() {
    for suffix in
        ["~aHR0cHM6Ly9ldmlsLmV4YW1wbGUv", "~aHR0cHM6Ly9ldmlsLmV4YW1wbGUv~v3", "~", "~~", "~https://evil.example"]
    {
        let world = World::new().await;
        let browser = world.browser();
        let attempt = world.begin(Shape::FrontEnd, &browser).await;
        let start = with(&attempt.start_url, "state", Some(&format!("{}{suffix}", attempt.state)));
        let url = browser.open(&start).await.location();
        assert_eq!(query(&url, "state").as_deref(), Some(attempt.state.as_str()), "the provider sees our part alone");
        let callback = world.decide_at_acme(&browser, &url, "alice", "allow").await;
        let landed = browser.open(&with(&callback, "state", Some(&format!("{}{suffix}", attempt.state)))).await;
        assert_eq!(landed.location(), attempt.path("confirm"), "{suffix}");
        assert_eq!(world.confirm(&browser, &attempt).await.location(), attempt.path("outcome"));
        assert_eq!(world.connections().await.len(), 1);
    }
}

/// RFC 9700 §4.5: once the answer was a refusal, no code follows it; with both at once the refusal counts.
#[tokio::test]
async fn after_a_refusal_no_code_is_taken() {
    for first in ["error", "both"] {
        let world = World::new().await;
        let (browser, attempt, callback) = before_the_callback(&world).await;
        let refusal = with(&callback, "error", Some("access_denied"));
        let refusal = if first == "error" { with(&refusal, "code", None) } else { refusal };
        assert!(browser.end_at(&refusal).await.text().contains("<h1>Not connected</h1>"));
        assert!(browser.end_at(&callback).await.text().contains("<h1>Not connected</h1>"), "{first}");
        assert!(browser.end_at(&attempt.path("confirm")).await.text().contains("<h1>Not connected</h1>"));
        assert_eq!(world.server.provider.counts().code_redemptions, 0);
    }
}

/// RFC 9700 §4.5: an answer after ten minutes is too late, and costs the provider no redemption.
#[tokio::test]
async fn an_answer_that_comes_too_late_is_not_taken() {
    let world = World::new().await;
    let (browser, _, callback) = before_the_callback(&world).await;
    world.turn(std::time::Duration::from_mins(10));
    assert_eq!(browser.open(&callback).await.refusal(), (410, "expired".to_owned()));
    assert_eq!(world.browser().open(&callback).await.refusal(), (400, "unknown_state".to_owned()));
    assert_eq!(world.server.provider.counts().code_redemptions, 0);
}

/// RFC 9700 §4.5: of twenty answers at once, one redeems the code.
#[tokio::test]
async fn an_answer_that_comes_twenty_times_at_once_is_redeemed_once() {
    let world = World::new().await;
    let (browser, attempt, callback) = before_the_callback(&world).await;
    let all = futures_util::future::join_all((0..20).map(|_| browser.open(&callback))).await;
    assert!(all.iter().all(|answer| answer.status < 400), "{:?}", all.iter().map(|a| a.status).collect::<Vec<_>>());
    assert_eq!((world.server.provider.counts().code_redemptions, world.grants()), (1, vec!["alice active".to_owned()]));
    finishes(&world, &browser, &attempt, &callback).await;
}
