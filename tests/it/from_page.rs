//! A connect session in an app's page: the browser is bound before it leaves, and nobody is asked afterwards.

use serde_json::{Value, json};

use crate::{
    link::works_until_it_is_deleted,
    typed_key::{definition, provider},
    world::{Answer, Browser, USER, World, query},
};

async fn session(world: &World) -> String {
    world.post("/v1/connect/sessions", &json!({ "identity": USER, "identityType": "user" })).await.member("session")
}

/// What our start page sends, in this browser, in the name of this opener.
async fn ask(world: &World, browser: &Browser, session: &str, opener: &str, said: &[(&str, &str)]) -> Answer {
    let mut call = world.call("POST", "/v1/connect/attempts").bearer(session);
    call = call.json(&json!({ "connector": "acme", "opener": opener }));
    for (name, value) in said {
        call = call.header(name, value);
    }
    browser.send(call).await
}

const OUR_PAGE: [(&str, &str); 1] = [("sec-fetch-site", "same-origin")];

/// What a page's form in the same window sends.
async fn leave(world: &World, browser: &Browser, session: &str, origin: &str, return_to: Option<&str>) -> Answer {
    let mut fields = vec![("session", session), ("connector", "acme")];
    fields.extend(return_to.map(|address| ("return_to", address)));
    let call = world.call("POST", "/connect/start").form(&fields);
    browser
        .send(call.header("origin", origin).header("sec-fetch-site", "cross-site").header("accept", "text/html"))
        .await
}

async fn status(world: &World, attempt: &str, session: &str) -> Value {
    world.call("GET", &format!("/v1/connect/attempts/{attempt}")).bearer(session).send().await.json()
}

#[tokio::test]
async fn a_page_in_front_of_its_person_connects_without_another_question() {
    let world = World::new().await;
    let (browser, session) = (world.browser(), session(&world).await);
    let begun = ask(&world, &browser, &session, &world.app_origin(), &OUR_PAGE).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let (attempt, url) = (begun.member("attempt"), begun.member("url"));
    assert!(url.starts_with(world.server.provider_url.as_str()), "the browser goes on to the provider: {url}");
    assert_eq!(status(&world, &attempt, &session).await, json!({ "status": "pending" }));

    let callback = world.decide_at_acme(&browser, &url, "alice", "allow").await;
    let landed = browser.open(&browser.open(&callback).await.location()).await;
    assert!(landed.text().contains("<h1>Connected</h1>"), "{}", landed.text());
    assert_eq!(landed.header("cross-origin-opener-policy"), Some("unsafe-none"), "the page that opened it closes it");
    let told = status(&world, &attempt, &session).await;
    assert_eq!(told["status"], "connected");
    assert_eq!(browser.open(&callback).await.location(), landed.url.as_str(), "a reload");
    works_until_it_is_deleted(&world, told["connection"]["key"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_page_that_leaves_in_its_own_window_is_come_back_to() {
    let world = World::new().await;
    let (browser, session) = (world.browser(), session(&world).await);
    let home = format!("{}/settings?tab=apps", world.app_origin());
    let left = leave(&world, &browser, &session, &world.app_origin(), Some(&home)).await;
    assert_eq!(left.status, 303, "{}", left.text());
    let callback = world.decide_at_acme(&browser, &left.location(), "alice", "allow").await;
    let back = browser.open(&callback).await.location();
    let attempt = query(&back, "mooring_attempt").unwrap();
    assert_eq!(back, format!("{home}&mooring_attempt={attempt}"));
    assert_eq!(status(&world, &attempt, &session).await["status"], "connected");

    let refused = leave(&world, &browser, &session, &world.app_origin(), Some(&home)).await;
    let callback = world.decide_at_acme(&browser, &refused.location(), "alice", "deny").await;
    let back = browser.open(&callback).await.location();
    let attempt = query(&back, "mooring_attempt").unwrap();
    assert_eq!(status(&world, &attempt, &session).await, json!({ "status": "denied", "error": "access_denied" }));
}

/// Where a page's policy hides its origin nothing is proven, and so the person confirms.
#[tokio::test]
async fn a_page_without_an_origin_is_not_bound() {
    let world = World::new().await;
    let (browser, session) = (world.browser(), session(&world).await);
    let left = leave(&world, &browser, &session, "null", None).await;
    let callback = world.decide_at_acme(&browser, &left.location(), "alice", "allow").await;
    let landed = browser.open(&callback).await.location();
    assert!(landed.starts_with(&format!("{}/connect/confirm/att_", world.base())), "{landed}");
    assert_eq!(world.connections().await, [] as [Value; 0]);
}

/// Cross-user session fixation: what an attacker begins with his own session can't be finished by a victim's browser.
#[tokio::test]
async fn what_was_bound_in_one_browser_is_worth_nothing_in_another() {
    let world = World::new().await;
    let (attacker, victim, session) = (world.browser(), world.browser(), session(&world).await);
    // a program says of its opener what it likes; the cookie is then its own
    let begun = ask(&world, &attacker, &session, &world.app_origin(), &[]).await;
    let (attempt, url) = (begun.member("attempt"), begun.member("url"));
    let state = query(&url, "state").unwrap();
    let forwarded = victim.open(&format!("{}/connect/start/{attempt}?state={state}", world.base())).await;
    assert_eq!(forwarded.refusal(), (409, "already_used".to_owned()));
    let callback = world.decide_at_acme(&victim, &url, "alice", "allow").await;
    assert_eq!(victim.open(&callback).await.refusal(), (400, "unknown_state".to_owned()));
    assert_eq!(status(&world, &attempt, &session).await["status"], "pending");
    assert_eq!((world.grants().len(), world.connections().await), (0, Vec::<Value>::new()));
}

/// Who asks, what its browser says of it, and the opener that is named.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[tokio::test]
async fn only_our_own_page_says_who_opened_it() {
    let world = World::new().await;
    let (browser, session, app) = (world.browser(), session(&world).await, world.app_origin());
    let before = world.dump().await;
    let evil = "https://evil.example";
    let table: [Row<'_>; 6] = [
        ("a page of another site", &[("sec-fetch-site", "cross-site"), ("origin", evil)], &app),
        ("a page of the app itself", &[("sec-fetch-site", "same-site"), ("origin", &app)], &app),
        ("an old browser", &[("origin", evil)], &app),
        ("an opener that is not allowed", &OUR_PAGE, evil),
        ("no opener", &OUR_PAGE, ""),
        ("a hidden opener", &OUR_PAGE, "null"),
    ];
    for (case, said, opener) in table {
        assert_eq!(ask(&world, &browser, &session, opener, said).await.status, 403, "{case}");
    }
    for origin in [evil, &format!("{app}.evil.example"), &world.base()] {
        let left = leave(&world, &browser, &session, origin, None).await;
        assert_eq!(left.refusal(), (403, "origin_not_allowed".to_owned()), "{origin}");
    }
    for elsewhere in [evil, "javascript:alert(1)", "//evil.example", "not an address", &format!("{app}@evil.example/")]
    {
        for origin in [app.as_str(), "null"] {
            let left = leave(&world, &browser, &session, origin, Some(elsewhere)).await;
            assert_eq!(left.refusal(), (400, "invalid_redirect_uri".to_owned()), "{origin} {elsewhere}");
        }
    }
    assert_eq!(world.dump().await, before);
}

/// A token in an address is a link: it can be forwarded, and opens nothing here. A session opens only what it is for, in its time.
#[tokio::test]
async fn a_start_takes_a_session_in_time_and_nothing_else() {
    let world = World::new().await;
    let made = world
        .post("/v1/connect/sessions", &json!({ "identity": USER, "identityType": "user", "connectors": ["acme"] }))
        .await;
    let (session, link) = (made.member("session"), query(&made.member("url"), "token").unwrap());
    let app = world.app_origin();
    let key = world.key();
    for other in [link.as_str(), "", "guess", key.as_str()] {
        let asked = ask(&world, &world.browser(), other, &app, &OUR_PAGE).await;
        assert_eq!(asked.refusal(), (401, "invalid_client".to_owned()), "{other}");
    }
    let github = world
        .call("POST", "/v1/connect/attempts")
        .bearer(&session)
        .json(&json!({ "connector": "github", "opener": app }));
    assert_eq!(github.send().await.refusal(), (404, "connector_not_found".to_owned()));
    world.api("DELETE", &format!("/users/{USER}")).send().await;
    world.turn(std::time::Duration::from_secs(31));
    assert_eq!(
        ask(&world, &world.browser(), &session, &app, &OUR_PAGE).await.refusal(),
        (404, "user_not_found".to_owned())
    );

    let world = World::new().await;
    let session = self::session(&world).await;
    world.turn(std::time::Duration::from_mins(5));
    let late = ask(&world, &world.browser(), &session, &world.app_origin(), &OUR_PAGE).await;
    assert_eq!(late.refusal(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn the_start_page_keeps_its_opener_and_can_not_be_framed() {
    let world = World::new().await;
    let page = world.browser().open(&format!("{}/connect/start?connector=acme", world.base())).await;
    assert_eq!((page.status, page.header("cross-origin-opener-policy")), (200, Some("unsafe-none")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(
        !page.text().contains("<script>") && page.text().contains("/connect/start.js\""),
        "no script in the page itself"
    );
    let widget = world.browser().open(&format!("{}/connect.js", world.base())).await;
    assert_eq!(widget.header("access-control-allow-origin"), Some("*"));
    assert_eq!(widget.header("content-type"), Some("text/javascript; charset=utf-8"));
}

/// Where something has to be typed first, the same window shows the connector's page, in this browser alone, and goes back afterwards.
#[tokio::test]
async fn what_a_connector_asks_for_is_typed_on_its_page_on_the_way() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("keyed", &definition(&provider.url, "me"), false).await;
    let home = format!("{}/settings?tab=apps", world.app_origin());
    for proven in [true, false] {
        let (browser, session) = (world.browser(), session(&world).await);
        let origin = if proven { world.app_origin() } else { "null".to_owned() };
        let fields = [("session", session.as_str()), ("connector", "keyed"), ("return_to", home.as_str())];
        let call = world.call("POST", "/connect/start").form(&fields).header("origin", &origin);
        let led = browser.send(call.header("sec-fetch-site", "cross-site")).await;
        assert_eq!(led.status, 303, "{}", led.text());
        assert!(!led.location().contains("token"), "{}", led.location());
        assert_eq!(world.browser().open(&led.location()).await.refusal(), (400, "unknown_state".to_owned()));

        let page = browser.open(&led.location()).await;
        let typed = |key: &str| page.form("/connect/keyed").with("input_workspace", "side").with("input_api_key", key);
        assert_eq!(browser.submit(typed("bad-key")).await.status, 422);
        let mut done = browser.submit(typed("good-key")).await;
        assert_eq!(done.status, 303, "{}", done.text());
        if !proven {
            let confirm = browser.open(&done.location()).await;
            done = browser.submit(confirm.form("/connect/confirm/").with("decision", "confirm")).await;
        }
        let attempt = query(&done.location(), "mooring_attempt").unwrap();
        assert_eq!(done.location(), format!("{home}&mooring_attempt={attempt}"));
        assert_eq!(status(&world, &attempt, &session).await["status"], "connected");
    }
    assert_eq!(world.connections().await.len(), 2);
}

/// The same for a provider that is asked in the person's own name space.
#[tokio::test]
async fn a_connector_that_asks_for_a_subdomain_is_left_for_from_its_page() {
    let world = World::new().await;
    let mut acme = world.acme();
    acme["inputs"] = json!([{ "name": "shop", "label": "Shop", "pattern": "[a-z]{3,40}" }]);
    acme["oauth2"]["authorization_params"] = json!({ "shop": "{shop}" });
    world.custom("shop", &acme, true).await;
    world.custom("unready", &acme, false).await;
    let (browser, session, app) = (world.browser(), session(&world).await, world.app_origin());

    let fields = [("session", session.as_str()), ("connector", "shop"), ("return_to", app.as_str())];
    let call = world.call("POST", "/connect/start").form(&fields).header("origin", &app);
    let led = browser.send(call).await;
    let page = browser.open(&led.location()).await;
    let left = browser.submit(page.form("/connect/shop").with("input_shop", "orbit")).await;
    assert_eq!(query(&left.location(), "shop").as_deref(), Some("orbit"), "{}", left.location());
    assert!(
        left.location().starts_with(world.server.provider_url.as_str()),
        "no question of ours is left: {}",
        left.location()
    );

    let body = json!({ "connector": "shop", "opener": app });
    let asking = |body: &Value| {
        let call = world.call("POST", "/v1/connect/attempts").bearer(&session).json(body);
        browser.send(call.header(OUR_PAGE[0].0, OUR_PAGE[0].1))
    };
    assert_eq!(asking(&body).await.refusal(), (422, "inputs_required".to_owned()));
    // nobody is asked for what can't be connected
    let unready = asking(&json!({ "connector": "unready", "opener": app })).await;
    assert_eq!(unready.refusal(), (409, "client_not_configured".to_owned()));
    let begun = asking(&json!({ "connector": "shop", "opener": app, "inputs": { "shop": "orbit" } })).await;
    assert_eq!(query(&begun.member("url"), "shop").as_deref(), Some("orbit"));
}
