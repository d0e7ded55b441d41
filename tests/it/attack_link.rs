//! Attacks on links, forms and pages. Each test names the section of RFC 9700 that describes what it tries.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Attempt, LABEL, Shape, USER, World};

/// RFC 9700 §4.7, applied to our own start: a link is its first browser's, which may come back to it.
#[tokio::test]
async fn a_link_is_the_first_browsers() {
    let world = World::new().await;
    let (first, second) = (world.browser(), world.browser());
    let link = world.one_time_link().await;
    let page = first.enter(&link).await;
    assert_eq!(second.enter(&link).await.refusal(), (409, "already_used".to_owned()));
    let name = first.cookies()[0].0.clone();
    second.plant(&name, "guess");
    assert_eq!(second.enter(&link).await.refusal(), (409, "already_used".to_owned()));
    let by_name = format!("{}/connect/acme?link={}", world.base(), page.form("/connect/acme").value("link"));
    assert_eq!(second.open(&by_name).await.refusal(), (400, "unknown_state".to_owned()));
    assert_eq!(second.submit(page.form("/connect/acme")).await.refusal(), (400, "unknown_state".to_owned()));

    // the first one may reload it, and its page lives on when the token has expired
    world.turn(Duration::from_secs(301));
    assert_eq!(first.enter(&link).await.status, 200);
    assert_eq!(first.submit(page.form("/connect/acme")).await.status, 303);
    world.turn(Duration::from_mins(15));
    assert_eq!(first.enter(&link).await.refusal(), (410, "expired".to_owned()));
    assert_eq!(first.submit(page.form("/connect/acme")).await.refusal(), (410, "expired".to_owned()));
}

/// RFC 9700 §4.7: a link that nobody opened in time opens for nobody.
#[tokio::test]
async fn a_link_lasts_five_minutes() {
    let world = World::new().await;
    let link = world.one_time_link().await;
    world.turn(Duration::from_mins(5));
    assert_eq!(world.browser().enter(&link).await.refusal(), (410, "expired".to_owned()));
    let guessed = link.replace("token=", "token=x");
    assert_eq!(world.browser().enter(&guessed).await.refusal(), (400, "unknown_state".to_owned()));
}

/// RFC 9700 §4.7: a start URL works in one browser, which may reload it.
#[tokio::test]
async fn a_start_url_is_the_first_browsers() {
    let world = World::new().await;
    let (first, second) = (world.browser(), world.browser());
    let attempt = world.begin(Shape::FrontEnd, &first).await;
    let started = first.open(&attempt.start_url).await;
    let name = format!("__Host-mooring_{}", attempt.id);
    let cookie = started.header("set-cookie").unwrap().to_owned();
    assert!(
        cookie.starts_with(&format!("{name}="))
            && cookie.ends_with("; Path=/; Max-Age=1800; Secure; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );

    assert_eq!(second.open(&attempt.start_url).await.refusal(), (409, "already_used".to_owned()));
    second.plant(&name, "guess");
    assert_eq!(second.open(&attempt.start_url).await.refusal(), (409, "already_used".to_owned()));
    assert_eq!(first.open(&attempt.start_url).await.location(), started.location(), "a reload");

    let other = world.begin(Shape::FrontEnd, &first).await;
    let swapped = other.start_url.replace(&other.id, &attempt.id);
    assert_eq!(first.open(&swapped).await.refusal(), (400, "unknown_state".to_owned()));
    let elsewhere = format!("{}/connect/start/{}?state={}", world.base(), attempt.id, other.state);
    assert_eq!(first.open(&elsewhere).await.refusal(), (400, "unknown_state".to_owned()));
    world.turn(Duration::from_mins(10));
    assert_eq!(first.open(&attempt.start_url).await.refusal(), (410, "expired".to_owned()));
}

/// A cookie that somebody else's script planted before the start is not what the attempt is bound to by chance alone: the
/// attacker who knows it has no grant to gain, since the person's own word names for whom it is (RFC 9700 §4.7).
#[tokio::test]
async fn a_forwarded_start_url_names_whom_it_connects_for() {
    let world = World::new().await;
    let attempt = world.begin(Shape::Credentials, &world.browser()).await;
    let victim = world.browser();
    let callback = world.consent(&victim, &attempt, "alice").await;
    victim.open(&callback).await;
    let page = victim.open(&attempt.path("confirm")).await;
    for words in [LABEL, "If somebody sent you here and that is not you, cancel.", "alice@acme.example"] {
        assert!(page.text().contains(words), "{words}");
    }
    assert_eq!(world.connections().await, [] as [Value; 0]);
    world.decide(&victim, &attempt, "cancel").await;
    assert_eq!(world.grants(), ["alice revoked"]);
}

/// RFC 9700 §4.7: the person's own word comes from our page, in the browser that consented.
#[tokio::test]
async fn a_confirmation_from_elsewhere_is_refused() {
    let world = World::new().await;
    let browser = world.browser();
    let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
    let form =
        || async { browser.open(&attempt.path("confirm")).await.form("/connect/confirm/").with("decision", "confirm") };
    let (second, _) = world.hold(Shape::OneTimeLink, &browser).await;
    let foreign = browser.open(&second.path("confirm")).await.form("/connect/confirm/").value("form_token").to_owned();
    let before = world.dump().await;

    let forged = (403, "forged_form".to_owned());
    assert_eq!(browser.submit(form().await.without("form_token")).await.refusal(), forged);
    for token in ["", "x", "AAAA", foreign.as_str()] {
        assert_eq!(browser.submit(form().await.with("form_token", token)).await.refusal(), forged, "{token}");
    }
    let own = world.server.base_url.origin().ascii_serialization();
    let elsewhere: [&[(&str, &str)]; 8] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", &world.app_origin())],
        &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
    ];
    for said in elsewhere {
        assert_eq!(browser.submit_from(form().await, said).await.refusal(), forged, "{said:?}");
    }
    assert_eq!(world.browser().submit(form().await).await.refusal(), (400, "unknown_state".to_owned()));
    for decision in ["", "yes", "CONFIRM"] {
        let answer = browser.submit(form().await.with("decision", decision)).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()), "{decision}");
    }
    assert_eq!(
        browser.open(&format!("{}?decision=confirm", attempt.path("confirm"))).await.status,
        200,
        "a GET only shows"
    );

    assert_eq!(world.dump().await, before);
    assert_eq!(browser.submit(form().await).await.status, 303);
    assert_eq!(world.connections().await.len(), 1);
}

/// RFC 9700 §4.7: nor does the first page's form count from elsewhere.
#[tokio::test]
async fn a_connect_form_from_elsewhere_is_refused() {
    let world = World::new().await;
    let browser = world.browser();
    let page = browser.enter(&world.one_time_link().await).await;
    let before = world.dump().await;
    let form = || page.form("/connect/acme");
    let forged = (403, "forged_form".to_owned());
    assert_eq!(browser.submit(form().without("form_token")).await.refusal(), forged);
    assert_eq!(browser.submit_from(form(), &[("origin", "https://evil.example")]).await.refusal(), forged);
    assert_eq!(browser.submit_from(form(), &[("sec-fetch-site", "cross-site")]).await.refusal(), forged);
    assert_eq!(world.dump().await, before);
    assert_eq!(browser.submit(form()).await.status, 303);
}

/// RFC 9700 §4.11.1 and §4.1: a browser is sent nowhere but where the project said.
#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_the_projects() {
    let world = World::new().await;
    let (own, uri) = (world.app_origin(), world.redirect_uri());
    let host = own.trim_start_matches("http://");
    let elsewhere = [
        "https://evil.example".to_owned(),
        "//evil.example".to_owned(),
        "/connected".to_owned(),
        String::from("javascript:alert(1)"),
        "data:text/html,x".to_owned(),
        format!("{own}.evil.example"),
        format!("{own}@evil.example/"),
        format!("https://{host}/connected"),
        format!("http://user:secret@{host}/connected"),
        format!("http://evil.example\\@{host}/"),
        format!("http://{host}%2eevil.example/"),
        format!("http://evil.example#{own}"),
        format!("blob:{own}/x"),
        format!("view-source:{uri}"),
        format!("{uri}#x"),
        "null".to_owned(),
        "x".repeat(9000),
    ];
    for address in elsewhere {
        let encoded: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        let answer = world.get(&format!("/connectors/acme/oauth/authorize?baseUrl={encoded}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_base_url".to_owned()), "{address}");
        let body = json!({ "credentialType": "oauth2", "redirectUri": address });
        let answer = world.post("/connectors/acme/credentials", &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_redirect_uri".to_owned()), "{address}");
        let body = json!({ "identity": USER, "redirect_uri": address });
        let answer = world.post("/v1/connect/sessions", &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_redirect_uri".to_owned()), "{address}");
    }
    // nor by a parameter of a page, which is nobody's word
    let browser = world.browser();
    let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
    let page = browser.open(&format!("{}?redirect_uri=https://evil.example", attempt.path("confirm"))).await;
    let done = browser
        .submit(page.form("/connect/confirm/").with("decision", "confirm").with("return_to", "https://evil.example"))
        .await;
    assert_eq!(done.location(), attempt.path("outcome"));
}

/// RFC 9700 §4.16 (clickjacking), §4.2 (leaks by referrer) and §4.12 (307): what every page and redirect says.
#[tokio::test]
async fn pages_can_not_be_framed_and_name_no_referrer() {
    let world = World::new().await;
    let browser = world.browser();
    let first = browser.enter(&world.one_time_link().await).await;
    let begun = browser.submit(first.form("/connect/acme")).await;
    let attempt = Attempt::of(&begun.location());
    let started = browser.open(&attempt.start_url).await;
    let callback = world.decide_at_acme(&browser, &started.location(), "alice", "allow").await;
    let landed = browser.open(&callback).await;
    let confirm = browser.open(&landed.location()).await;
    let confirmed = browser.submit(confirm.form("/connect/confirm/").with("decision", "confirm")).await;
    let outcome = browser.open(&confirmed.location()).await;
    let lost = browser.open(&format!("{}/nowhere", world.base())).await;

    for page in [&first, &confirm, &outcome, &lost] {
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{} {policy}",
            page.url
        );
        let said = [
            "x-frame-options",
            "referrer-policy",
            "x-content-type-options",
            "cross-origin-opener-policy",
            "cache-control",
        ];
        // what leads to an outcome stays known to who opened it and waits for the end; a failure does not
        let opener = if page.url.path() == "/nowhere" { "same-origin" } else { "unsafe-none" };
        let expected = ["DENY", "no-referrer", "nosniff", opener, "no-store"];
        assert_eq!(said.map(|name| page.header(name).unwrap_or_default()), expected, "{}", page.url);
        let foreign = page.text().replace("<script type=\"module\" src=\"/connect/page.js\"></script>", "");
        assert!(!foreign.contains("<script") && !foreign.contains("javascript:"), "{}", page.url);
    }
    for (redirect, status) in [(&begun, 303), (&started, 302), (&landed, 302), (&confirmed, 303)] {
        assert_eq!((redirect.status, redirect.header("cache-control")), (status, Some("no-store")), "{}", redirect.url);
    }
    for redirect in [&started, &landed] {
        assert_eq!(redirect.header("referrer-policy"), Some("no-referrer"), "{}", redirect.url);
    }
}

/// What the app's back end calls its user is text, wherever it is shown (RFC 9700 §4.16 presumes an honest page).
#[tokio::test]
async fn a_label_can_not_become_markup() {
    let world = World::new().await;
    let label = "<script>alert(1)</script>\"'&";
    let body = json!({ "identity": USER, "identityLabel": label, "connectors": ["acme"] });
    let link = world.post("/v1/connect/sessions", &body).await.member("url");
    let page = world.browser().enter(&link).await.text();
    assert!(!page.contains("<script>") && page.contains("&#60;script&#62;"), "{page}");
}
