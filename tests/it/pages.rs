//! What a person sees, as a person sees it: languages, the list, forms, outcomes and a project's own dress.

use std::time::Duration;

use axum::response::IntoResponse;
use serde_json::json;

use crate::world::{Attempt, Browser, Form, Shape, USER, World};

/// A page as a browser of this language gets it.
async fn in_language(browser: &Browser, url: &str, languages: &str) -> String {
    let said = [("sec-fetch-dest", "document"), ("accept-language", languages)];
    browser.open_unsaid(url, &said).await.text()
}

#[tokio::test]
async fn every_page_speaks_the_language_that_the_browser_prefers() {
    let world = World::new().await;
    let browser = world.browser();
    let link = world.one_time_link().await;
    let named = browser.open(&link).await.location();
    let list = named.replace("/connect/acme", "/connect");
    let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
    let nowhere = format!("{}/nowhere", world.base());
    let confirm = attempt.path("confirm");
    let pages = [
        (named.as_str(), "<h1>Connect Acme to Orbit CRM</h1>", "<h1>Acme mit Orbit CRM verbinden</h1>"),
        (&list, "What would you like to connect", "Was möchten Sie mit Orbit CRM verbinden?"),
        (&confirm, "Connect this account to Orbit CRM?", "Dieses Konto mit Orbit CRM verbinden?"),
        (&nowhere, "<h1>Nothing here</h1>", "<h1>Hier ist nichts</h1>"),
    ];
    for (url, english, german) in pages {
        for (languages, tag, words) in [
            ("de-AT,de;q=0.9,en;q=0.8", "de", german),
            ("en;q=0.2,de;q=0.9", "de", german),
            ("en,de;q=0.9", "en", english),
            ("fr", "en", english),
        ] {
            let page = in_language(&browser, url, languages).await;
            assert!(page.contains(&format!("<html lang=\"{tag}\" dir=\"ltr\">")), "{url} {languages}: {page}");
            assert!(page.contains(words), "{url} {languages}: {page}");
        }
    }
    world.decide(&browser, &attempt, "confirm").await;
    let outcome = in_language(&browser, &attempt.path("outcome"), "de").await;
    assert!(outcome.contains("<h1>Verbunden</h1>"), "{outcome}");
}

/// A few of the connectors that need no client of the project's.
const FEW: [&str; 5] = ["acme", "openai", "sendgrid", "stripe-api-key", "twilio"];

/// The names on a list's page that are shown, and the whole page.
async fn listed(browser: &Browser, url: &str) -> (Vec<String>, String) {
    let page = browser.open(url).await.text();
    let entries =
        page.split("<li data-entry=").skip(1).filter(|entry| !entry.split('>').next().unwrap().ends_with(" hidden"));
    let name = |entry: &str| Some(entry.split_once("<h2>")?.1.split_once("</h2>")?.0.to_owned());
    (entries.filter_map(name).collect(), page)
}

#[tokio::test]
async fn the_list_narrows_by_words_and_by_category() {
    let world = World::new().await;
    let browser = world.browser();
    let link = world.post("/v1/connect/sessions", &json!({ "identity": USER, "connectors": FEW })).await.member("url");
    let list = browser.open(&link).await.location();
    let table: [(&str, &[&str]); 8] = [
        ("", &["Acme", "OpenAI", "SendGrid", "Stripe (secret key)", "Twilio"]),
        ("&q=TWI", &["Twilio"]),
        ("&q=+stripe+", &["Stripe (secret key)"]),
        ("&q=e-mail", &[]),
        ("&q=email", &["SendGrid"]),
        ("&category=communication", &["Twilio"]),
        ("&category=email&q=send", &["SendGrid"]),
        ("&category=crm", &[]),
    ];
    for (asked, expected) in table {
        let (names, page) = listed(&browser, &format!("{list}{asked}")).await;
        assert_eq!(names, expected, "{asked}");
        let nothing = page.contains("<div class=\"empty\" data-empty>");
        assert_eq!(nothing, expected.is_empty(), "{asked}: {page}");
        assert!(page.contains(&format!("{} connector", expected.len())), "{asked}: {page}");
    }
    let (_, page) = listed(&browser, &format!("{list}&q=\"><script>")).await;
    assert!(page.contains("value=\"&#34;&#62;&#60;script&#62;\""), "{page}");
    let (_, page) = listed(&browser, &format!("{list}&category=payments")).await;
    assert!(page.contains("value=\"payments\" checked"), "{page}");
}

#[tokio::test]
async fn the_list_says_what_is_connected_and_leads_to_its_renewal() {
    let world = World::new().await;
    world.connect_account(Shape::OneTimeLink).await;
    let browser = world.browser();
    let link = world.post("/v1/connect/sessions", &json!({ "identity": USER })).await.member("url");
    let list = browser.open(&link).await.location();
    let (_, page) = listed(&browser, &list).await;
    assert!(page.contains("<p class=\"state\">Connected as alice@acme.example</p>"), "{page}");
    let edit = list.replace("/connect?", "/connect/acme/edit?");
    assert!(page.contains(&format!("href=\"{}\"", &edit[world.base().len()..])), "{page}");
    assert!(browser.open(&edit).await.text().contains("Renew the connection to Acme"));

    world.turn(Duration::from_mins(2));
    world.connect_account(Shape::OneTimeLink).await;
    let (_, page) = listed(&browser, &list).await;
    assert!(page.contains("Connected as alice@acme.example, and 1 more"), "{page}");

    // somebody else's are not shown
    let link = world.post("/v1/connect/sessions", &json!({ "identity": "another" })).await.member("url");
    assert!(!browser.enter(&link).await.text().contains("alice@acme.example"));
}

#[tokio::test]
async fn a_list_of_nothing_says_so() {
    let world = World::new().await;
    let project = world.project_beside().await;
    let client = world.client_of(&project, shared::id::Environment::Test, &[shared::id::Role::Connect]).await;
    // nobody has decided about any of those that need no client; Acme's is the deployment's
    let path = format!("/v1/admin/projects/{project}/environments/test/connectors/acme");
    world.root("PUT", &path, Some(&json!({ "enabled": false }))).await;
    let made =
        world.call("POST", "/v1/connect/sessions").bearer(&client.key).json(&json!({ "identity": USER })).send().await;
    let page = world.browser().enter(&made.member("url")).await.text();
    assert!(page.contains("Beside has nothing to connect yet.") && !page.contains("<form"), "{page}");
}

#[tokio::test]
async fn a_page_runs_no_script_but_ours() {
    let world = World::new().await;
    let browser = world.browser();
    let link = world.post("/v1/connect/sessions", &json!({ "identity": USER })).await.member("url");
    let page = browser.enter(&link).await;
    let scripts: Vec<_> = page.text().match_indices("<script").map(|(at, _)| at).collect();
    assert_eq!(scripts.len(), 1);
    assert!(page.text().contains("<script type=\"module\" src=\"/connect/page.js\"></script>"));
    assert!(!page.text().contains(" on") || !page.text().contains("onclick="));
    assert!(!page.text().contains("style=\""), "the policy lets no style in that stands on the page");
    let policy = page.header("content-security-policy").unwrap();
    let expected = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";
    assert_eq!(policy, expected);
    let script = world.call("GET", "/connect/page.js").send().await;
    let said = (script.status, script.header("content-type"), script.header("x-content-type-options"));
    assert_eq!(said, (200, Some("text/javascript; charset=utf-8"), Some("nosniff")));
}

/// Renews the user's connection at Acme with this account, up to the confirmation.
async fn renew(world: &World, browser: &Browser, account: &str) -> Attempt {
    let page = browser.enter(&world.one_time_link().await.replace("/connect/acme", "/connect/acme/edit")).await;
    assert!(page.text().contains("Use alice@acme.example again."), "{}", page.text());
    let attempt = Attempt::of(&browser.submit(page.form("/connect/acme")).await.location());
    browser.open(&world.consent(browser, &attempt, account).await).await;
    attempt
}

#[tokio::test]
async fn a_connection_is_not_renewed_with_another_account() {
    let world = World::new().await;
    let key = world.connect_account(Shape::OneTimeLink).await;
    world.turn(Duration::from_mins(2));
    let before = world.connections().await;

    let browser = world.browser();
    let attempt = renew(&world, &browser, "bob").await;
    let asked = browser.open(&attempt.path("confirm")).await;
    assert_eq!((asked.status, asked.location()), (302, attempt.path("outcome")), "nothing is asked");
    let outcome = browser.open(&asked.location()).await.text();
    assert!(
        outcome.contains("<h1>That was another account</h1>") && outcome.contains("log in as alice@acme.example"),
        "{outcome}"
    );
    assert!(outcome.contains("data-outcome=\"failed\""), "{outcome}");
    assert_eq!(world.connections().await, before);
    assert_eq!(world.me(&key).await.json()["id"], "usr_alice");
    let mut grants = world.grants();
    grants.sort();
    assert_eq!(grants, ["alice active", "bob revoked"]);

    // from there the right account is a click away
    let (_, rest) = outcome.split_once("<a class=\"button\" href=\"").unwrap();
    let again = format!("{}{}", world.base(), rest.split('"').next().unwrap());
    assert!(browser.open(&again).await.text().contains("Renew the connection to Acme"));
}

#[tokio::test]
async fn an_account_that_changed_between_page_and_click_is_refused_too() {
    let world = World::new().await;
    world.connect_account(Shape::OneTimeLink).await;
    let before = world.connections().await;
    let browser = world.browser();
    let attempt = renew(&world, &browser, "bob").await;
    // a page that was open before the rule could be asked: what counts is checked with the word itself
    let cookie = browser.cookies().into_iter().find(|(name, _)| name.ends_with(&attempt.id)).unwrap().1;
    let token = shared::http::form::token(&cookie, &format!("confirm {}", attempt.id));
    let fields = [("form_token".to_owned(), token), ("decision".to_owned(), "confirm".to_owned())];
    let own = Form { action: attempt.path("confirm").parse().unwrap(), fields: fields.to_vec() };
    let done = browser.submit(own).await;
    assert_eq!((done.status, done.location()), (303, attempt.path("outcome")));
    assert!(browser.open(&done.location()).await.text().contains("That was another account"));
    assert_eq!(world.connections().await, before);
}

#[tokio::test]
async fn the_outcome_says_as_whom_and_tells_the_page_that_waits() {
    let world = World::new().await;
    let browser = world.browser();
    let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
    world.confirm(&browser, &attempt).await;
    let outcome = browser.open(&attempt.path("outcome")).await;
    let text = outcome.text();
    let told = format!(
        "data-outcome=\"connected\" data-attempt=\"{}\" data-also=\"vectorize-connect-complete\" data-origins=\"{}\"",
        attempt.id,
        world.app_origin()
    );
    assert!(text.contains(&told) && text.contains("<dd>alice@acme.example</dd>"), "{text}");
    assert!(text.contains(&format!("Request {}", outcome.header("x-request-id").unwrap())), "{text}");
    assert!(!text.contains("class=\"notice\"") && !text.contains("Try again"), "{text}");

    let renewed = renew(&world, &browser, "alice").await;
    world.confirm(&browser, &renewed).await;
    assert!(browser.open(&renewed.path("outcome")).await.text().contains("data-also=\"vectorize-edit-complete\""));

    let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
    world.decide(&browser, &attempt, "cancel").await;
    let text = browser.open(&attempt.path("outcome")).await.text();
    assert!(
        text.contains("<h1>Not connected</h1>")
            && text.contains("data-outcome=\"denied\"")
            && text.contains("data-also=\"\""),
        "{text}"
    );
    assert!(text.contains("Try again</a>"), "{text}");
}

#[tokio::test]
async fn what_was_asked_for_and_not_granted_is_said() {
    let world = World::new().await;
    let provider = crate::world::Fake::start(|seen: &crate::world::Seen| match seen.target.as_str() {
        "/token" => {
            axum::Json(json!({ "access_token": "t", "token_type": "Bearer", "scope": "notes:read" })).into_response()
        }
        _ => axum::Json(json!({ "id": 7 })).into_response(),
    })
    .await;
    let definition = json!({
        "name": "Sparing",
        "oauth2": { "authorization_endpoint": format!("{}/authorize", provider.url), "token_endpoint": format!("{}/token", provider.url), "scopes": ["notes:read", "notes:write"] },
        "api": { "base_url": provider.url },
    });
    world.custom("sparing", &definition, true).await;
    let browser = world.browser();
    let link =
        world.post("/v1/connect/sessions", &json!({ "identity": USER, "connectors": ["sparing"] })).await.member("url");
    let page = browser.enter(&link).await;
    let attempt = Attempt::of(&browser.submit(page.form("/connect/sparing")).await.location());
    let provider = browser.open(&attempt.start_url).await.location();
    let callback = crate::world::query(&provider, "redirect_uri").unwrap();
    browser.open(&format!("{callback}?code=c&state={}", attempt.state)).await;
    world.confirm(&browser, &attempt).await;
    let outcome = browser.open(&attempt.path("outcome")).await.text();
    assert!(
        outcome.contains("<h1>Connected</h1>") && outcome.contains("<li><code>notes:write</code></li>"),
        "{outcome}"
    );
    assert!(!outcome.contains("<code>notes:read</code>"), "{outcome}");
}

#[tokio::test]
async fn the_button_that_counts_is_the_one_that_sleeps() {
    let world = World::new().await;
    let browser = world.browser();
    let (attempt, _) = world.hold(Shape::OneTimeLink, &browser).await;
    let page = browser.open(&attempt.path("confirm")).await;
    let text = page.text();
    assert!(text.contains("name=\"decision\" value=\"confirm\" data-sleeps>"), "{text}");
    assert!(text.contains("<script type=\"module\" src=\"/connect/page.js\"></script>"), "{text}");
    assert_eq!(text.matches("data-sleeps").count(), 1, "to cancel is always possible");
    // without a script it works at once: then what keeps a click from being stolen is that no page can hold ours
    assert!(
        !text.contains(" disabled")
            && page.header("content-security-policy").unwrap().ends_with("frame-ancestors 'none'")
    );
}

#[tokio::test]
async fn a_projects_colour_and_logo_dress_the_pages_that_know_it() {
    let world = World::new().await;
    let path = format!("/v1/admin/projects/{}", world.project());
    let brand = json!({ "colour": "#FFD400", "logo_url": "https://cdn.orbit.example/logo.svg" });
    let changed = world.root("PATCH", &path, Some(&json!({ "brand": brand }))).await.json();
    assert_eq!(changed["brand"], json!({ "colour": "#ffd400", "logo_url": "https://cdn.orbit.example/logo.svg" }));
    world.turn(Duration::from_secs(31));

    let browser = world.browser();
    let first = browser.enter(&world.one_time_link().await).await;
    let list = browser.open(&first.url.as_str().replace("/connect/acme", "/connect")).await;
    let attempt = Attempt::of(&browser.submit(first.form("/connect/acme")).await.location());
    browser.open(&world.consent(&browser, &attempt, "alice").await).await;
    let confirm = browser.open(&attempt.path("confirm")).await;
    world.confirm(&browser, &attempt).await;
    let outcome = browser.open(&attempt.path("outcome")).await;
    let framed = browser.open_framed(&world.one_time_link().await).await;
    for page in [&first, &list, &confirm, &outcome, &framed] {
        let text = page.text();
        assert!(text.contains("href=\"/connect/style.css?colour=ffd400\""), "{text}");
        assert!(text.contains("src=\"https://cdn.orbit.example/logo.svg\""), "{text}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("; img-src 'self' https://cdn.orbit.example; "), "{policy}");
    }
    let sheet = world.call("GET", "/connect/style.css?colour=ffd400").send().await.text();
    assert!(sheet.contains("--accent: #ffd400; --accent-ink: #000000;"), "{sheet}");
    for odd in ["", "?colour=", "?colour=red", "?colour=fff;}", "?colour=ffd400%7D"] {
        let sheet = world.call("GET", &format!("/connect/style.css{odd}")).send().await;
        assert!(
            sheet.status == 200 && sheet.text().trim_end().ends_with('}') && !sheet.text().contains("#ffd400"),
            "{odd}"
        );
    }

    for odd in [
        json!({ "colour": "yellow" }),
        json!({ "colour": "#fd0" }),
        json!({ "colour": 7 }),
        json!({ "logo_url": "http://cdn.orbit.example/logo.svg" }),
        json!({ "logo_url": "https://cdn.orbit.example; script-src */x" }),
        json!({ "color": "#ffd400" }),
        json!("#ffd400"),
    ] {
        let refused =
            world.call("PATCH", &path).bearer(&world.server.root_key).json(&json!({ "brand": odd })).send().await;
        assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()), "{odd}");
    }
    let bare = world.root("PATCH", &path, Some(&json!({ "brand": {} }))).await.json();
    assert_eq!(bare["brand"], json!({ "colour": null, "logo_url": null }));
}
