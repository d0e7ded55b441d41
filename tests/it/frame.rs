//! The frame in an app's page: what it is told and to whom, keys that are typed in it, and the published widget's way through the
//! page's own window.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    link::works_until_it_is_deleted,
    typed_key::{definition, provider},
    world::{Answer, Browser, USER, World, query},
};

const OUR_PAGE: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn session(world: &World) -> String {
    world.post("/v1/connect/sessions", &json!({ "identity": USER, "identityType": "user" })).await.member("session")
}

/// What our frame sends.
async fn open(world: &World, session: &str, parent: &str) -> Answer {
    let call = world.call("POST", "/v1/connect/frame").bearer(session).json(&json!({ "parent": parent }));
    call.header(OUR_PAGE.0, OUR_PAGE.1).send().await
}

/// What our frame, or the window that it opened, sends.
async fn ask(world: &World, browser: &Browser, session: &str, body: &Value) -> Answer {
    let call = world.call("POST", "/v1/connect/attempts").bearer(session).json(body);
    browser.send(call.header(OUR_PAGE.0, OUR_PAGE.1)).await
}

async fn status(world: &World, attempt: &str, session: &str) -> Value {
    world.call("GET", &format!("/v1/connect/attempts/{attempt}")).bearer(session).send().await.json()
}

#[tokio::test]
async fn the_shell_is_the_same_for_everybody_and_framable_by_all() {
    let world = World::new().await;
    let page = world.browser().open(&format!("{}/connect/frame", world.base())).await;
    assert_eq!((page.status, page.header("x-frame-options")), (200, None));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors *") && policy.contains("script-src 'self'"), "{policy}");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text().contains("<script>") && page.text().contains("/connect/frame.js\""), "{}", page.text());

    let data = "eyJhcHBUaGVtZSI6ImRhcmsifQ%3D%3D";
    for path in [format!("/?data={data}"), format!("/connect/frame?data={data}"), "/connect/frame?data=%00".to_owned()]
    {
        let same = world.browser().open(&format!("{}{path}", world.base())).await;
        let without_id = |text: &str| text.lines().filter(|line| !line.contains("request")).collect::<String>();
        assert_eq!(without_id(&same.text()), without_id(&page.text()), "{path}");
    }
    assert_eq!(world.browser().open(&format!("{}/?date={data}", world.base())).await.status, 404);
}

#[tokio::test]
async fn what_a_frame_shows_is_told_to_a_page_of_the_project() {
    let world = World::new().await;
    let session = session(&world).await;
    let shown = open(&world, &session, &world.app_origin()).await.json();
    assert_eq!((&shown["app"]["name"], &shown["for_whom"]), (&json!("Orbit CRM"), &json!(USER)));
    let acme = &shown["connectors"].as_array().unwrap().iter().find(|one| one["id"] == "acme").unwrap().clone();
    assert_eq!(
        [&acme["name"], &acme["kind"], &acme["connected"], &acme["works"]],
        [&json!("Acme"), &json!("oauth"), &Value::Null, &json!(true)]
    );
    assert_eq!(world.get(acme["image"].as_str().unwrap()).await.status, 200);

    let (app, evil) = (world.app_origin(), "https://evil.example");
    for parent in [evil, "null", "", &format!("{app}.evil.example"), &world.base()] {
        assert_eq!(open(&world, &session, parent).await.refusal(), (403, "origin_not_allowed".to_owned()), "{parent}");
    }
    for said in [("sec-fetch-site", "cross-site"), ("origin", evil), ("origin", &app)] {
        let call = world.call("POST", "/v1/connect/frame").bearer(&session).json(&json!({ "parent": app }));
        assert_eq!(call.header(said.0, said.1).send().await.refusal(), (403, "forged_form".to_owned()), "{said:?}");
    }
    for other in ["", "guess", &world.key()] {
        assert_eq!(open(&world, other, &app).await.refusal(), (401, "invalid_client".to_owned()), "{other}");
    }
    world.turn(std::time::Duration::from_mins(5));
    assert_eq!(open(&world, &session, &app).await.refusal(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn a_window_that_the_frame_opened_is_bound_by_the_page_around_the_frame() {
    let world = World::new().await;
    let (browser, session, app, own) = (world.browser(), session(&world).await, world.app_origin(), world.base());
    for (body, expected) in [
        (json!({ "connector": "acme", "opener": own }), (400, "invalid_request")),
        (json!({ "connector": "acme" }), (400, "invalid_request")),
        (json!({ "connector": "acme", "opener": own, "parent": "https://evil.example" }), (403, "origin_not_allowed")),
        (json!({ "connector": "acme", "parent": "https://evil.example" }), (403, "origin_not_allowed")),
        (json!({ "connector": "acme", "opener": own, "parent": own }), (403, "origin_not_allowed")),
        // who opened the window counts, whatever it says of a frame
        (json!({ "connector": "acme", "opener": "https://evil.example", "parent": app }), (403, "origin_not_allowed")),
        (json!({ "connector": "acme", "parent": app, "name": "a\u{202e}b" }), (400, "invalid_request")),
        (json!({ "connector": "acme", "parent": app, "window": "other" }), (400, "invalid_request")),
        (json!({ "connector": "acme", "parent": app, "inputs": { "extra": "x" } }), (400, "invalid_request")),
    ] {
        assert_eq!(
            ask(&world, &browser, &session, &body).await.refusal(),
            (expected.0, expected.1.to_owned()),
            "{body}"
        );
    }
    let body = json!({ "connector": "acme", "opener": own, "parent": app, "name": "My Acme" });
    let begun = ask(&world, &browser, &session, &body).await;
    let callback = world.decide_at_acme(&browser, &begun.member("url"), "alice", "allow").await;
    browser.open(&callback).await;
    let told = status(&world, &begun.member("attempt"), &session).await;
    assert_eq!((&told["status"], &told["connection"]["name"]), (&json!("connected"), &json!("My Acme")));
    works_until_it_is_deleted(&world, told["connection"]["key"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_key_is_asked_for_mended_and_connected_in_the_page() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("keyed", &definition(&provider.url, "me"), false).await;
    let (browser, session, app) = (world.browser(), session(&world).await, world.app_origin());
    let body = |inputs: Value| json!({ "connector": "keyed", "parent": app, "inputs": inputs, "name": "Mine" });

    let asked = ask(&world, &browser, &session, &json!({ "connector": "keyed", "opener": app })).await;
    assert_eq!(asked.refusal(), (422, "inputs_required".to_owned()));
    let form = asked.member("form");
    assert!(
        form.contains("name=\"input_api_key\"") && form.contains("value=\"main\"") && !form.contains("<form"),
        "{form}"
    );

    let wrong = ask(&world, &browser, &session, &body(json!({ "api_key": "NOT ALLOWED", "workspace": "side" }))).await;
    assert_eq!(wrong.refusal(), (422, "invalid_inputs".to_owned()));
    let form = wrong.member("form");
    assert!(form.contains("id=\"fault_input_api_key\"") || form.contains("id=\"fault_api_key\""), "{form}");
    assert!(form.contains("value=\"side\"") && !wrong.text().contains("NOT ALLOWED"), "{form}");

    let refused = ask(&world, &browser, &session, &body(json!({ "api_key": "bad-key", "workspace": "side" }))).await;
    assert_eq!(refused.refusal(), (422, "invalid_credentials".to_owned()));
    let form = refused.member("form");
    assert!(form.contains("Keyed does not accept this.") && form.contains("bad_key"), "{form}");
    assert!(!refused.text().contains("bad-key"), "{form}");
    assert_eq!(world.connections().await, [] as [Value; 0]);

    let done = ask(&world, &browser, &session, &body(json!({ "api_key": " good-key ", "workspace": "side" }))).await;
    assert_eq!((done.status, done.header("set-cookie")), (201, None), "{}", done.text());
    let done = done.json();
    assert_eq!([&done["status"], &done["connection"]["name"]], [&json!("connected"), &json!("Mine")]);
    let told = status(&world, done["attempt"].as_str().unwrap(), &session).await;
    assert_eq!(told, json!({ "status": "connected", "connection": done["connection"] }));
    let key = done["connection"]["key"].as_str().unwrap();
    let call = world.api("GET", "/v1/passthrough/keyed/things").header("x-one-connection-key", key);
    assert_eq!(call.send().await.json(), json!({ "asked": "/v1/things" }));

    world.custom("silent", &definition(&provider.url, "broken"), false).await;
    let body = json!({ "connector": "silent", "parent": app, "inputs": { "api_key": "good-key" } });
    let failed = ask(&world, &browser, &session, &body).await;
    assert_eq!(failed.refusal(), (502, "provider_failed".to_owned()));
    assert!(failed.member("form").contains("name=\"input_api_key\""));

    world.api("DELETE", &format!("/users/{USER}")).send().await;
    world.turn(std::time::Duration::from_secs(31));
    let gone = ask(&world, &browser, &session, &body).await;
    assert_eq!(gone.refusal(), (404, "user_not_found".to_owned()));
    assert_eq!(world.connections().await, [] as [Value; 0]);
}

/// The published widget leaves by itself, with its page's address behind the `state`.
struct Left {
    attempt: String,
    landed: String,
}

async fn leave(world: &World, page: &str, suffix: &str, decision: &str) -> Left {
    let (browser, session) = (world.browser(), session(world).await);
    let body = json!({ "connector": "acme", "parent": world.app_origin(), "window": "same" });
    let begun = ask(world, &browser, &session, &body).await;
    let (url, state, attempt) = (begun.member("url"), begun.member("state"), begun.member("attempt"));
    assert_eq!(begun.header("set-cookie"), None, "nobody is bound by it");
    assert!(url.starts_with(&format!("{}/connect/start/{attempt}", world.base())), "{url}");

    let behind = format!("{state}~{}{suffix}", URL_SAFE_NO_PAD.encode(page));
    let mut start = url::Url::parse(&url).unwrap();
    start.query_pairs_mut().clear().append_pair("state", &behind);
    let provider = browser.open(start.as_str()).await.location();
    assert_eq!(query(&provider, "state"), Some(state), "the provider is asked with our own state");
    let callback = world.decide_at_acme(&browser, &provider, "alice", decision).await;
    let mut landed = browser.open(&callback).await.location();
    if landed.contains("/connect/confirm/") {
        assert_eq!(status(world, &attempt, &session).await["status"], "held", "the person is asked");
        let confirm = browser.open(&landed).await;
        landed = browser.submit(confirm.form("/connect/confirm/").with("decision", "confirm")).await.location();
    }
    Left { attempt, landed }
}

#[tokio::test]
async fn the_widget_in_the_pages_own_window_is_come_back_to() {
    let world = World::new().await;
    let home = format!("{}/settings?tab=apps#there", world.app_origin());
    let with = |more: &str| home.replace("#there", &format!("{more}#there"));

    let Left { attempt, landed } = leave(&world, &home, "", "allow").await;
    assert_eq!(landed, with(&format!("&one_auth_state={attempt}")));
    // the page has a new session by now
    let told = status(&world, &attempt, &session(&world).await).await;
    works_until_it_is_deleted(&world, told["connection"]["key"].as_str().unwrap()).await;

    let Left { attempt, landed } = leave(&world, &home, "", "deny").await;
    assert_eq!(landed, with(&format!("&one_auth_state={attempt}&one_auth_error=access_denied")));
    assert_eq!(leave(&world, &home, "~v3", "allow").await.landed, home);
    assert_eq!(leave(&world, &home, "~v3", "deny").await.landed, home);
}

/// RFC 9700 §4.11: the address behind the `state` is anybody's word.
#[tokio::test]
async fn the_widget_is_come_back_to_at_an_allowed_origin_alone() {
    let world = World::new().await;
    let app = world.app_origin();
    let elsewhere =
        ["https://evil.example/", "javascript:alert(1)", "//evil.example/", &format!("{app}.evil.example/")];
    for page in elsewhere.into_iter().chain([format!("{app}@evil.example/").as_str(), "", &"x".repeat(9_000)]) {
        for decision in ["allow", "deny"] {
            let Left { attempt, landed } = leave(&world, page, "", decision).await;
            assert_eq!(landed, format!("{}/connect/outcome/{attempt}", world.base()), "{page} {decision}");
        }
    }
}
