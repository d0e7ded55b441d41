//! A code that is typed on another device (RFC 8628).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{http::StatusCode, response::IntoResponse};
use serde_json::{Value, json};
use shared::id::{Environment, Role};

use crate::world::{Answer, Fake, Log, Seen, USER, World};

/// What the token endpoint says next; `pending` when nothing is planned.
type Plan = Arc<Mutex<VecDeque<(u16, Value)>>>;

async fn provider(plan: &Plan) -> Fake {
    let plan = Arc::clone(plan);
    Fake::start(move |seen: &Seen| match seen.target.as_str() {
        "/device" => axum::Json(json!({
            "device_code": "canary-device-code", "user_code": "WDJB-MJHT", "verification_uri": "https://tv.example/device",
            "verification_uri_complete": "https://tv.example/device?user_code=WDJB-MJHT", "expires_in": 1800, "interval": 5,
        }))
        .into_response(),
        "/token" => {
            let pending = || (400, json!({ "error": "authorization_pending" }));
            let (status, body) = plan.lock().unwrap().pop_front().unwrap_or_else(pending);
            (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
        }
        "/sets" => axum::Json(json!([{ "id": "den", "name": "Den" }, { "id": "attic", "name": "Attic" }])).into_response(),
        _ => axum::Json(json!({ "id": "7", "said": seen.header("authorization") })).into_response(),
    })
    .await
}

fn definition(url: &str) -> Value {
    json!({
        "name": "Television",
        "oauth2": {
            "grant": "device_code",
            "token_endpoint": format!("{url}/token"),
            "device_authorization_endpoint": format!("{url}/device"),
            "token_endpoint_auth_method": "client_secret_post",
            "scopes": ["watch", "pause"],
            "refresh": "none",
        },
        "api": { "base_url": format!("{url}/v1") },
        "profile": { "url": format!("{url}/me"), "account_id": "id" },
    })
}

async fn world(plan: &Plan) -> (World, Fake) {
    let (world, provider) = (World::new().await, provider(plan).await);
    world.custom_with_client("tv", &definition(&provider.url), "id-1", "canary-client-secret").await;
    world.vouch().await;
    (world, provider)
}

async fn begin(world: &World) -> String {
    world.post("/v1/connect/device", &json!({ "connector": "tv", "userId": USER })).await.member("attempt")
}

async fn collect(world: &World, attempt: &str) -> Answer {
    world.post(&format!("/v1/connect/device/{attempt}"), &json!({ "userId": USER })).await
}

fn polls(provider: &Fake) -> usize {
    provider.seen().iter().filter(|seen| seen.target == "/token").count()
}

#[tokio::test]
async fn a_code_that_was_typed_becomes_a_connection() {
    let (log, _logging) = Log::start();
    let plan = Plan::default();
    let (world, provider) = world(&plan).await;
    let begun = world.post("/v1/connect/device", &json!({ "connector": "tv", "userId": USER })).await;
    let attempt = begun.member("attempt");
    let expected = json!({
        "attempt": attempt, "user_code": "WDJB-MJHT", "verification_uri": "https://tv.example/device",
        "verification_uri_complete": "https://tv.example/device?user_code=WDJB-MJHT", "expires_in": 1800, "interval": 5,
    });
    assert_eq!((begun.status, begun.json()), (201, expected));
    let asked = String::from_utf8(provider.seen()[0].body.to_vec()).unwrap();
    assert_eq!(asked, "scope=watch+pause&client_id=id-1&client_secret=canary-client-secret");
    assert!(!format!("{:?}", world.dump().await).contains("canary"), "the device code is sealed");

    world.turn(Duration::from_secs(5));
    assert_eq!(collect(&world, &attempt).await.refusal(), (400, "authorization_pending".to_owned()));
    world.turn(Duration::from_secs(5));
    plan.lock().unwrap().push_back((200, json!({ "access_token": "canary-token", "scope": "watch" })));
    let connected = collect(&world, &attempt).await;
    let key = connected.member("connectionId");
    let expected = json!({ "connectionId": key, "credentialId": key.replace("conn_", "cred_"), "status": "connected" });
    assert_eq!((connected.status, connected.json()), (200, expected.clone()));
    // who did not hear the answer hears it again, and nobody asks the provider for it
    assert_eq!((collect(&world, &attempt).await.json(), polls(&provider)), (expected, 2));
    let poll = provider.seen().into_iter().find(|seen| seen.target == "/token").unwrap();
    let poll = String::from_utf8(poll.body.to_vec()).unwrap();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=canary-device-code";
    assert_eq!(poll, format!("{grant}&client_id=id-1&client_secret=canary-client-secret"));

    let rows = world.connections().await;
    let said = ["key", "identity", "name"].map(|name| rows[0][name].clone());
    assert_eq!(said, [json!(key), json!(USER), json!("7")]);
    let answer = world.passthrough("GET", "tv/x", &key).send().await;
    assert_eq!(answer.json()["said"], "Bearer canary-token");
    assert!(log.lines().iter().all(|line| !line.contains("canary") && !line.contains("WDJB")));
}

/// RFC 8628 §3.5: the provider is asked once an interval, however often we are, and less often when it says so.
#[tokio::test]
async fn the_provider_is_asked_no_more_often_than_it_allows() {
    let plan = Plan::default();
    let (world, provider) = world(&plan).await;
    let attempt = begin(&world).await;
    let too_soon = (400, "slow_down".to_owned());
    let pending = (400, "authorization_pending".to_owned());
    assert_eq!((collect(&world, &attempt).await.refusal(), polls(&provider)), (too_soon.clone(), 0));
    world.turn(Duration::from_secs(5));
    let all = futures_util::future::join_all((0..20).map(|_| collect(&world, &attempt))).await;
    let told: Vec<_> = all.iter().map(Answer::refusal).collect();
    assert_eq!(told.iter().filter(|refusal| **refusal == pending).count(), 1, "{told:?}");
    assert_eq!((told.iter().filter(|refusal| **refusal == too_soon).count(), polls(&provider)), (19, 1));

    world.turn(Duration::from_secs(5));
    plan.lock().unwrap().push_back((400, json!({ "error": "slow_down" })));
    assert_eq!((collect(&world, &attempt).await.refusal(), polls(&provider)), (too_soon.clone(), 2));
    // ten seconds from now on, to the last
    for (seconds, refusal, asked) in [(9, &too_soon, 2), (1, &pending, 3), (5, &too_soon, 3), (5, &pending, 4)] {
        world.turn(Duration::from_secs(seconds));
        assert_eq!((&collect(&world, &attempt).await.refusal(), polls(&provider)), (refusal, asked), "{seconds}");
    }
    // a provider that is down is asked half as often
    world.turn(Duration::from_secs(10));
    plan.lock().unwrap().push_back((503, Value::Null));
    assert_eq!((collect(&world, &attempt).await.refusal(), polls(&provider)), (too_soon.clone(), 5));
    for (seconds, refusal, asked) in [(19, &too_soon, 5), (1, &pending, 6)] {
        world.turn(Duration::from_secs(seconds));
        assert_eq!((&collect(&world, &attempt).await.refusal(), polls(&provider)), (refusal, asked), "{seconds}");
    }
}

#[tokio::test]
async fn an_end_without_a_connection_is_told_in_the_rfcs_words() {
    let plan = Plan::default();
    let (world, provider) = world(&plan).await;
    let refusal = |status: u16, code: &str| (status, code.to_owned());
    let table = [
        (400, json!({ "error": "access_denied" }), refusal(400, "access_denied"), refusal(400, "access_denied")),
        (400, json!({ "error": "expired_token" }), refusal(400, "expired_token"), refusal(400, "expired_token")),
        (401, json!({ "error": "invalid_client" }), refusal(502, "provider_refused"), refusal(400, "invalid_grant")),
        (200, json!({ "no": "token" }), refusal(502, "provider_invalid_response"), refusal(400, "invalid_grant")),
    ];
    for (status, body, first, later) in table {
        let attempt = begin(&world).await;
        world.turn(Duration::from_secs(5));
        plan.lock().unwrap().push_back((status, body.clone()));
        assert_eq!(collect(&world, &attempt).await.refusal(), first, "{body}");
        let asked = polls(&provider);
        world.turn(Duration::from_mins(1));
        assert_eq!((collect(&world, &attempt).await.refusal(), polls(&provider)), (later, asked), "{body}");
    }
    let attempt = begin(&world).await;
    world.turn(Duration::from_mins(30));
    let asked = polls(&provider);
    assert_eq!((collect(&world, &attempt).await.refusal(), polls(&provider)), (refusal(400, "expired_token"), asked));
    assert_eq!(world.connections().await.len(), 0);
}

/// RFC 8628 §5.4 can't be prevented by who never sees the browser; that one user's code is collected for another can.
#[tokio::test]
async fn only_the_app_that_began_collects_and_only_for_the_same_user() {
    let plan = Plan::default();
    let (world, provider) = world(&plan).await;
    let attempt = begin(&world).await;
    world.turn(Duration::from_secs(5));
    plan.lock().unwrap().push_back((200, json!({ "access_token": "canary-token" })));
    let path = format!("/v1/connect/device/{attempt}");
    let user = |user: &str| json!({ "userId": user });
    let live = world.client(Environment::Live, &Role::ALL).await.key;
    let beside = world.project_beside().await;
    let foreign = world.client_of(&beside, Environment::Test, &Role::ALL).await.key;
    let caller = world.client(Environment::Test, &[Role::Use, Role::Read]).await.key;
    let before = world.dump().await;
    let table = [
        ("another user", world.api("POST", &path).json(&user("user-2")), 403, "identity_mismatch"),
        (
            "a team of that name",
            world.api("POST", &path).json(&json!({ "identity": USER, "identityType": "team" })),
            403,
            "identity_mismatch",
        ),
        ("nobody", world.api("POST", &path).json(&json!({})), 400, "user_id_required"),
        ("the other environment", world.call("POST", &path).bearer(&live).json(&user(USER)), 404, "attempt_not_found"),
        ("a foreign project", world.call("POST", &path).bearer(&foreign).json(&user(USER)), 404, "attempt_not_found"),
        ("without the role", world.call("POST", &path).bearer(&caller).json(&user(USER)), 403, "insufficient_role"),
        ("without a key", world.call("POST", &path).json(&user(USER)), 401, "unauthenticated"),
        (
            "an attempt of another kind",
            world.api("POST", "/v1/connect/device/att_unknown").json(&user(USER)),
            404,
            "attempt_not_found",
        ),
    ];
    for (case, call, status, code) in table {
        let answer = call.send().await;
        let (told, said) = answer.refusal();
        assert_eq!(told, status, "{case} {said}");
        assert!(said == code || matches!(status, 401 | 403), "{case} {said}");
    }
    assert_eq!((world.dump().await, polls(&provider)), (before, 0));
    assert_eq!(collect(&world, &attempt).await.status, 200);
    let browser = world.begin(crate::world::Shape::FrontEnd, &world.browser()).await;
    let other = collect(&world, &browser.id).await;
    assert_eq!(other.refusal(), (404, "attempt_not_found".to_owned()), "an attempt of a browser is not collected so");
}

#[tokio::test]
async fn it_is_begun_only_where_the_app_vouches_for_somebody() {
    let plan = Plan::default();
    let (world, provider) = (World::new().await, provider(&plan).await);
    world.custom_with_client("tv", &definition(&provider.url), "id-1", "canary-client-secret").await;
    let begin = async |body: Value| world.post("/v1/connect/device", &body).await;
    let good = json!({ "connector": "tv", "userId": USER });
    assert_eq!(begin(good.clone()).await.refusal(), (403, "vouching_required".to_owned()));
    world.vouch().await;
    world.turn(Duration::from_mins(1));
    let table = [
        (json!({ "connector": "tv" }), 400, "user_id_required"),
        (json!({ "connector": "acme", "userId": USER }), 400, "unsupported_credential_type"),
        (json!({ "connector": "unknown", "userId": USER }), 404, "connector_not_found"),
        (json!({ "connector": "tv", "userId": USER, "inputs": { "x": "y" } }), 400, "invalid_request"),
        (json!({ "userId": USER }), 400, "invalid_request"),
    ];
    for (body, status, code) in table {
        assert_eq!(begin(body.clone()).await.refusal(), (status, code.to_owned()), "{body}");
    }
    assert!(provider.seen().is_empty());
    assert_eq!(begin(good).await.status, 201);
    // no browser begins what no browser can finish, and none can take such an attempt
    let front_end = world.get(&format!("/connectors/tv/oauth/authorize?userId={USER}")).await;
    assert_eq!(front_end.refusal(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn what_has_to_be_chosen_is_told_to_who_collects_and_waits() {
    let plan = Plan::default();
    let (world, provider) = (World::new().await, provider(&plan).await);
    let mut definition = definition(&provider.url);
    let sets = json!([{ "name": "set", "title": "Set", "url": format!("{}/sets", provider.url), "list": ".", "path": "id", "label": "name" }]);
    definition["lookups"] = sets;
    world.custom_with_client("tv", &definition, "id-1", "canary-client-secret").await;
    world.vouch().await;
    let attempt = begin(&world).await;
    world.turn(Duration::from_secs(5));
    plan.lock().unwrap().push_back((200, json!({ "access_token": "canary-token", "scope": "watch" })));

    let choose = async |choice: &str| {
        let body = json!({ "userId": USER, "choose": { "set": choice } });
        world.post(&format!("/v1/connect/device/{attempt}"), &body).await
    };
    let choices = json!({ "set": [{ "value": "den", "label": "Den" }, { "value": "attic", "label": "Attic" }] });
    for _ in 0..2 {
        let open = collect(&world, &attempt).await;
        assert_eq!(open.refusal(), (409, "choice_required".to_owned()));
        assert_eq!(open.json()["choices"], choices);
    }
    assert_eq!(choose("cellar").await.refusal(), (400, "invalid_choice".to_owned()));
    assert_eq!(world.connections().await, [] as [Value; 0]);
    let connected = choose("attic").await;
    assert_eq!((connected.status, connected.member("status")), (200, "connected".to_owned()));
    assert_eq!(world.connections().await[0]["values"], json!({ "set": "attic" }));
    assert_eq!(polls(&provider), 1, "the code is redeemed once");
}
