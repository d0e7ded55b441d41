//! Classes of provider that the connectors of `zoo.rs` are not: requests that are pushed, answers by POST and with an issuer, clients
//! with keys, signed secrets, proofs of possession, signatures of OAuth 1.0a and of AWS, a code on another device.
//!
//! Each definition runs as it ships. Then it lacks something, and the server that plays the provider says in words what that is: so
//! neither of the two merely lets pass what the other does.

mod class;

use serde_json::{Value, json};
use zoo::Fault;

use self::class::{APPLE, BANK, BLUESKY, CLOCK, Change, Class, GITHUB_APP, GITHUB_INSTALL, PLAIN, REVOLUT, SHA256};
use crate::{
    world::{USER, query},
    zoo::{DAY, Stage},
};

#[tokio::test]
async fn each_class_is_connected_called_renewed_and_revoked() {
    // Apple's tokens open no API
    for (class, calls, renews, revokes) in [
        (BLUESKY, true, true, true),
        (APPLE, false, false, true),
        (REVOLUT, true, true, false),
        (GITHUB_INSTALL, true, false, true), // the person's token has served; the app logs in again
        (BANK, true, true, true),
        (SHA256, true, false, false),
        (PLAIN, true, false, false),
    ] {
        let id = class.id;
        let (stage, name) = Stage::of(class, None).await;
        let went = stage.go(name).await;
        let key = stage.kept(&went).await;
        if calls {
            assert_eq!(stage.api(class, name, &key).await, 200, "{id} {:?}", stage.refused());
            let before = stage.zoo.calls(id, "token");
            stage.turn(DAY);
            assert_eq!(stage.api(class, name, &key).await, 200, "{id}, a day later {:?}", stage.refused());
            assert_eq!(stage.zoo.calls(id, "token") > before, renews, "{id}");
        }
        let deleted = stage.world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json();
        let expected = if revokes { "revoked" } else { "not_supported" };
        assert_eq!(deleted["revocation"], expected, "{id} {:?}", stage.refused());
        assert_eq!(stage.missed(), Vec::<String>::new(), "{id}");
    }
}

#[tokio::test]
async fn what_a_definition_lacks_is_refused() {
    let aud = "/oauth2/client_assertion/claims/aud";
    let iss = "/oauth2/client_assertion/claims/iss";
    let sub = "/oauth2/client_assertion/claims/sub";
    let method = "/oauth2/token_endpoint_auth_method";
    let pushed = "/oauth2/pushed_authorization_request_endpoint";
    let table: &[(Class, Change, &str)] = &[
        (BLUESKY, (pushed, None), "authorize: the request has to be pushed in advance"),
        (BLUESKY, ("/oauth2/dpop", Some("false")), "push: header DPoP has to stand once"),
        (BLUESKY, ("/oauth2/pkce", Some("\"none\"")), "push: parameter code_challenge is missing"),
        (BLUESKY, ("/oauth2/scopes", Some("[\"transition:generic\"]")), "push: parameter scope has to contain atproto"),
        (
            BLUESKY,
            ("/api/credential/value", Some("\"Bearer {access_token}\"")),
            "session: header Authorization has to be DPoP ${access_token}",
        ),
        (APPLE, ("/oauth2/response_mode", None), "authorize: parameter response_mode has to be form_post, was absent"),
        (APPLE, (aud, Some("\"x\"")), "token: the client's secret has to have aud https://appleid.apple.com"),
        (APPLE, (iss, Some("\"x\"")), "token: the client's secret has to have iss ZOOTEAM123"),
        (APPLE, (sub, Some("\"x\"")), "token: the client's secret has to have sub zoo-client"),
        (
            APPLE,
            ("/oauth2/client_assertion/key_id", Some("\"x\"")),
            "token: the client's secret is not signed by a registered key",
        ),
        (APPLE, (method, Some("\"client_secret_post\"")), "token: the client's secret is not a JWT"),
        (REVOLUT, (aud, Some("\"x\"")), "token: client_assertion has to have aud https://revolut.com"),
        (REVOLUT, (iss, Some("\"x\"")), "token: client_assertion has to have iss 127.0.0.1"),
        (REVOLUT, (sub, Some("\"x\"")), "token: no client is registered under this id"),
        (
            REVOLUT,
            (method, Some("\"client_secret_post\"")),
            "token: the client has to authenticate by PrivateKeyJwt, was a secret in the parameters",
        ),
        (
            GITHUB_INSTALL,
            ("/login/assertion/claims/iss", Some("\"x\"")),
            "installation_token: no client is registered under this id",
        ),
        (GITHUB_APP, ("/lookups/0/headers/User-Agent", Some("\"\"")), "installations: header User-Agent is missing"),
        (BANK, (pushed, None), "authorize: the request has to be pushed in advance"),
        (
            BANK,
            (method, Some("\"client_secret_basic\"")),
            "push: the client has to authenticate by PrivateKeyJwt, was an Authorization header with Basic",
        ),
        (
            BANK,
            (aud, Some("\"https://bank.example/elsewhere\"")),
            "push: client_assertion has to have aud https://bank.example/par or https://bank.example",
        ),
        (BANK, ("/oauth2/scopes", Some("[\"other\"]")), "push: scope other is none of those that are documented"),
        (
            SHA256,
            ("/oauth1/signature_method", Some("\"HMAC-SHA1\"")),
            "sha256_request_token: oauth_signature_method has to be HMAC-SHA256",
        ),
        (
            PLAIN,
            ("/oauth1/signature_method", Some("\"HMAC-SHA256\"")),
            "plain_request_token: oauth_signature_method has to be PLAINTEXT",
        ),
    ];
    for (class, change, words) in table {
        let (stage, name) = Stage::of(*class, Some(*change)).await;
        let went = stage.go(name).await;
        assert_eq!(stage.missed().first().map(String::as_str), Some(*words), "{} {change:?} {}", class.id, went.told);
    }
}

/// RFC 9207 §2.4: whose answer it is, is compared before anything in it is believed.
#[tokio::test]
async fn an_answer_in_another_issuer_s_name_is_not_believed() {
    let table = [Fault::Issuer("https://attacker.example".to_owned()), Fault::Without("iss".to_owned())];
    for class in [BLUESKY, BANK] {
        for fault in &table {
            let (stage, name) = Stage::of(class, None).await;
            stage.zoo.fault(class.id, "authorize", 1, fault.clone()).unwrap();
            let went = stage.go(name).await;
            assert_eq!(went.landed.unwrap().status, 400, "{} {fault:?}", class.id);
            assert_eq!(went.told, "pending -", "{} {fault:?}: the attempt stands as it was", class.id);
            assert_eq!(stage.zoo.calls(class.id, "token"), 0, "{} {fault:?}", class.id);
            // the right answer still counts
            let back = went.back.unwrap();
            let issuer = if class.id == BANK.id { "https://bank.example" } else { "https://bsky.social" };
            let mut right = url::Url::parse(&back).unwrap();
            let kept: Vec<_> = right.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
            right.query_pairs_mut().clear().extend_pairs(kept).append_pair("iss", issuer);
            let landed = went.browser.open(right.as_str()).await;
            stage.world.confirmed(&went.browser, &went.attempt, &landed).await;
        }
    }
}

/// RFC 9449 §8: a server hands out nonces, and changes them when it likes.
#[tokio::test]
async fn nonces_are_learnt_and_learnt_again() {
    let (stage, name) = Stage::of(BLUESKY, None).await;
    let went = stage.go(name).await;
    let key = stage.kept(&went).await;
    let demanded = || stage.zoo.refusals().iter().filter(|refusal| refusal.case == "use_dpop_nonce").count();
    assert_eq!(demanded(), 1, "the first request alone knows none");
    for minutes in [1, 4, 4] {
        stage.turn(minutes * 60);
        assert_eq!(stage.api(BLUESKY, name, &key).await, 200);
    }
    assert_eq!(demanded(), 3, "after three minutes the old one is not taken any more");
    // our clock and the server's need not be one
    for seconds in [50, -50] {
        stage.turn(DAY);
        stage.zoo.fault(BLUESKY.id, "token", 2, Fault::ClockAhead(seconds)).unwrap();
        assert_eq!(stage.api(BLUESKY, name, &key).await, 200, "{seconds} {:?}", stage.missed());
    }
    assert_eq!(stage.missed(), Vec::<String>::new());
}

/// A client's assertion and a signed secret say when they were made: a provider's clock need not agree to the second.
#[tokio::test]
async fn an_assertion_bears_a_clock_that_is_wrong() {
    for class in [APPLE, REVOLUT, BANK] {
        for seconds in [100, -50] {
            let (stage, name) = Stage::of(class, None).await;
            stage.zoo.fault(class.id, "token", 1, Fault::ClockAhead(seconds)).unwrap();
            if class.id == BANK.id {
                stage.zoo.fault(class.id, "push", 1, Fault::ClockAhead(seconds)).unwrap();
                stage.zoo.fault(class.id, "authorize", 1, Fault::ClockAhead(seconds)).unwrap();
            }
            let went = stage.go(name).await;
            assert_eq!(went.told, "held -", "{} {seconds} {:?}", class.id, stage.missed());
        }
    }
}

/// What is asked ahead of the browser may fail and be asked again; a refusal is one, by POST too.
#[tokio::test]
async fn a_push_that_fails_does_not_use_up_the_attempt() {
    for class in [BLUESKY, BANK] {
        let (stage, name) = Stage::of(class, None).await;
        let (browser, attempt) = (stage.world.browser(), stage.world.begin_at(name).await);
        for (fault, code) in [
            (Fault::HtmlPage(502), "provider_failed"),
            (Fault::LostReply, "provider_unreachable"),
            (Fault::Cut, "provider_unreachable"),
            (Fault::HtmlPage(200), "provider_invalid_response"),
            (Fault::Without("request_uri".to_owned()), "provider_invalid_response"),
        ] {
            stage.zoo.fault(class.id, "push", 1, fault.clone()).unwrap();
            let started = browser.open(&attempt.start_url).await;
            assert_eq!(started.refusal(), (502, code.to_owned()), "{} {fault:?}", class.id);
            assert_eq!(stage.world.told(&browser, &attempt).await.0, "pending", "{} {fault:?}", class.id);
        }
        assert_eq!(browser.open(&attempt.start_url).await.status, 302, "{}", class.id);
        stage.zoo.fault(class.id, "push", 1, Fault::Refuse("invalid_client".to_owned())).unwrap();
        assert_eq!(stage.go(name).await.told, "failed provider_refused", "{}", class.id);
    }
    for (class, told) in [
        (BLUESKY, "denied access_denied"),
        (APPLE, "denied user_cancelled_authorize"),
        (REVOLUT, "denied access_denied"),
        (BANK, "denied access_denied"),
        (SHA256, "denied access_denied"),
    ] {
        let (stage, name) = Stage::of(class, None).await;
        stage.zoo.fault(class.id, "authorize", 1, Fault::Deny).unwrap();
        assert_eq!(stage.go(name).await.told, told, "{}", class.id);
    }
}

/// Tokens that are bound, or whose client has a key, are renewed by the same rules as any.
#[tokio::test]
async fn a_lost_renewal_ends_where_the_family_does() {
    for (class, next) in [(BLUESKY, 409), (BANK, 409), (REVOLUT, 200)] {
        let (stage, name) = Stage::of(class, None).await;
        let went = stage.go(name).await;
        let key = stage.kept(&went).await;
        stage.turn(DAY);
        // a failure tells the nonce too, so that the next request is the one that counts
        for fault in [Fault::HtmlPage(502), Fault::LostReply] {
            stage.zoo.fault(class.id, "token", 1, fault).unwrap();
            assert_eq!(stage.api(class, name, &key).await, 502, "{}", class.id);
        }
        assert_eq!(stage.api(class, name, &key).await, next, "{} {:?}", class.id, stage.missed());
    }
}

/// Who tells an end by a clock that is wrong makes a token end too early or too late for us: either way the caller is answered.
#[tokio::test]
async fn an_end_that_is_told_by_a_wrong_clock_costs_renewals_and_no_call() {
    // an hour ahead, an ended token is used and refused, and renewed then; an hour behind, it is renewed before each call
    for (seconds, renewals) in [(3600, 1), (0, 1), (-3600, 3)] {
        let (stage, name) = Stage::of(CLOCK, None).await;
        for endpoint in ["authorize", "token", "me"] {
            stage.zoo.fault(CLOCK.id, endpoint, 100, Fault::ClockAhead(seconds)).unwrap();
        }
        let went = stage.go(name).await;
        let key = stage.kept(&went).await;
        let before = stage.zoo.calls(CLOCK.id, "token");
        assert_eq!(stage.api(CLOCK, name, &key).await, 200, "{seconds}");
        stage.turn(3601);
        for _ in 0..2 {
            assert_eq!(stage.api(CLOCK, name, &key).await, 200, "{seconds}");
        }
        assert_eq!(stage.zoo.calls(CLOCK.id, "token") - before, renewals, "{seconds} {:?}", stage.refused());
    }
}

/// A pushed request's reference works for a minute or so: the browser that comes again pushes again.
#[tokio::test]
async fn a_reference_that_has_expired_is_pushed_again() {
    let (stage, name) = Stage::of(BANK, None).await;
    let (browser, attempt) = (stage.world.browser(), stage.world.begin_at(name).await);
    let first = browser.open(&attempt.start_url).await.location();
    stage.turn(61);
    let late = stage.http.get(&first).send().await.unwrap();
    assert_eq!(late.status(), 400);
    assert_eq!(stage.missed(), ["authorize: request_uri is unknown, has expired or was used"]);
    let second = browser.open(&attempt.start_url).await.location();
    assert_ne!(query(&first, "request_uri"), query(&second, "request_uri"));
    assert_eq!(stage.http.get(&second).send().await.unwrap().status(), 302);
}

/// Keys of AWS, each as a person types it.
#[tokio::test]
async fn calls_of_aws_are_signed_for_service_and_region() {
    let stage = Stage::new().await;
    let lasting = json!({ "access_key_id": "AKIAZOOZOOZOOZOOZOO2", "secret_access_key": "zoo/secret+access/key" });
    let temporary = json!({
        "access_key_id": "ASIAZOOZOOZOOZOOZOO2", "secret_access_key": "zoo/temporary+key", "sts_token": "zoo-session//token==",
    });
    let wrong = json!({ "access_key_id": "AKIAZOOZOOZOOZOOZOO2", "secret_access_key": "another" });
    let ended = json!({ "access_key_id": "ASIAZOOZOOZOOZOOZOO2", "secret_access_key": "zoo/temporary+key" });
    let table: [(Value, u16, &[&str]); 4] = [
        (lasting, 200, &[]),
        (temporary, 200, &[]),
        (wrong, 403, &["call: the signature is not that of the request by this key"]),
        (ended, 403, &["call: X-Amz-Security-Token is not that of the key"]),
    ];
    let connect = async |credentials: &Value, service: &str, region: &str| {
        let mut credentials = credentials.clone();
        (credentials["service"], credentials["region"]) = (service.into(), region.into());
        let body = json!({ "credentialType": "apiKey", "credentials": credentials, "userId": USER });
        stage.world.post("/connectors/aws/credentials", &body).await.member("connectionId")
    };
    stage.world.root("PUT", "/v1/admin/connectors/aws", Some(&json!({}))).await;
    for (credentials, status, words) in &table {
        for (service, region) in [("sts", "eu-central-1"), ("dynamodb", "us-gov-west-1")] {
            let key = connect(credentials, service, region).await;
            let calls = [
                stage.world.passthrough(
                    "GET",
                    "aws/a%20b/c+d?Action=GetCallerIdentity&Version=2011-06-15&x=%C3%A9%2F&empty",
                    &key,
                ),
                stage
                    .world
                    .passthrough("POST", "aws/x", &key)
                    .header("x-amz-target", "DynamoDB_20120810.ListTables")
                    .json(&json!({})),
                stage
                    .world
                    .passthrough("PUT", "aws/x/y", &key)
                    .body("application/octet-stream", vec![0_u8, 255, 13, 10]),
            ];
            for call in calls {
                let answer = call.send().await;
                assert_eq!(answer.status, *status, "{service} {} {:?}", answer.text(), stage.refused());
                if *status == 200 {
                    assert_eq!(
                        (answer.json()["service"].as_str(), answer.json()["region"].as_str()),
                        (Some(service), Some(region))
                    );
                }
            }
        }
        let mut missed = stage.refused();
        missed.dedup();
        assert_eq!(missed, *words);
        stage.zoo.clear_refusals();
    }
    // a clock that is wrong by some minutes does no harm
    let key = connect(&table[0].0, "sts", "eu-central-1").await;
    for seconds in [800, -800] {
        stage.zoo.fault("aws", "call", 1, Fault::ClockAhead(seconds)).unwrap();
        assert_eq!(stage.world.passthrough("GET", "aws/x", &key).send().await.status, 200, "{:?}", stage.refused());
    }
    stage.zoo.fault("aws", "call", 1, Fault::ClockAhead(1000)).unwrap();
    assert_eq!(stage.world.passthrough("GET", "aws/x", &key).send().await.status, 403);
    assert_eq!(stage.refused(), ["call: the signature is too far from the provider's time"]);
}

/// GitHub's device flow (RFC 8628), through the routes of ours.
#[tokio::test]
async fn a_code_that_is_typed_at_github_becomes_a_connection() {
    let stage = Stage::new().await;
    let Stage { world, zoo, .. } = &stage;
    let client = json!({ "client_id": "zoo-client", "client_secret": "zoo-secret" });
    world.root("PUT", "/v1/admin/connectors/github", Some(&client)).await;
    world.vouch().await;
    let begin = async || world.post("/v1/connect/device", &json!({ "connector": "github", "userId": USER })).await;
    let collect =
        async |attempt: &str| world.post(&format!("/v1/connect/device/{attempt}"), &json!({ "userId": USER })).await;
    let started = begin().await;
    assert_eq!((started.status, started.member("verification_uri").as_str()), (201, "https://github.com/login/device"));
    assert_eq!(started.json()["interval"], 5);
    let attempt = started.member("attempt");
    stage.turn(5);
    assert_eq!(collect(&attempt).await.refusal(), (400, "authorization_pending".to_owned()));
    stage.turn(5);
    let key = collect(&attempt).await.member("connectionId");
    let user = world.passthrough("GET", "github/user", &key).send().await.json();
    assert_eq!((user["login"].as_str(), zoo.calls("github", "token")), (Some("alice"), 2));
    assert_eq!(stage.refused(), ["token: the person has not consented yet"]);

    // a provider that is down in between costs a wait; one that is slow to forgive says so
    let attempt = begin().await.member("attempt");
    stage.turn(5);
    zoo.fault("github", "token", 1, Fault::HtmlPage(502)).unwrap();
    assert_eq!(collect(&attempt).await.refusal(), (400, "slow_down".to_owned()));
    stage.turn(20);
    zoo.fault("github", "token", 1, Fault::LostReply).unwrap();
    let lost = collect(&attempt).await.refusal();
    assert_eq!(lost, (400, "slow_down".to_owned()), "{lost:?}");
    let late = begin().await.member("attempt");
    stage.turn(901);
    assert_eq!(collect(&late).await.refusal(), (400, "expired_token".to_owned()));
    assert_eq!(world.connections().await.len(), 1);
}

/// Where people let the app act for them, and choose among what it is installed in.
#[tokio::test]
async fn an_installation_is_chosen_where_it_was_made_before() {
    let (stage, name) = Stage::of(GITHUB_APP, None).await;
    let went = stage.go(name).await;
    assert_eq!((went.told.as_str(), stage.missed()), ("held -", Vec::new()));
    assert_eq!(stage.zoo.calls(GITHUB_APP.id, "installation_token"), 0);
    let page = went.browser.open(&went.landed.unwrap().location()).await;
    let choose = |page: &crate::world::Answer, choice: Option<&str>| {
        let form = page.form("/connect/confirm/").with("decision", "confirm");
        choice.into_iter().fold(form, |form, choice| form.with("choice", choice))
    };
    let asked = went.browser.submit(choose(&page, Some("72"))).await;
    let page = went.browser.open(&asked.location()).await;
    assert!(page.text().contains("zoo-org"), "{}", page.text());
    went.browser.submit(choose(&page, None)).await;
    let rows = stage.world.connections().await;
    assert_eq!((rows.len(), &rows[0]["account"]["id"]), (1, &json!("5001")));
    assert_eq!(stage.api(GITHUB_APP, name, rows[0]["key"].as_str().unwrap()).await, 200, "{:?}", stage.refused());
    assert_eq!(stage.zoo.calls(GITHUB_APP.id, "installation_token"), 1);
}
