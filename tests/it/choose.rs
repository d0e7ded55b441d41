//! An account that reaches several sites: the person chooses one, or the app's back end in their place, and nothing else is taken.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde_json::{Value, json};

use crate::world::{Answer, Attempt, Browser, Fake, Seen, USER, World, query};

/// A provider whose accounts reach sites, each with boards. The code that comes back is the account's name.
async fn provider() -> Fake {
    let asked = AtomicUsize::new(0);
    Fake::start(move |seen: &Seen| {
        let account = seen.header("authorization").and_then(|it| it.strip_prefix("Bearer ")).unwrap_or_default();
        match (seen.target.split('?').next().unwrap(), account) {
            ("/token", _) => {
                let form = format!("http://x/?{}", String::from_utf8_lossy(&seen.body));
                let token = query(&form, "code").unwrap_or_else(|| "renewed".to_owned());
                Json(json!({ "access_token": token, "token_type": "Bearer", "refresh_token": "r" })).into_response()
            }
            ("/sites", "brief") if asked.fetch_add(1, Ordering::Relaxed) > 0 => {
                (StatusCode::UNAUTHORIZED, Json(json!({ "error": "gone" }))).into_response()
            }
            ("/sites", "one") => Json(json!([site("a", "Alpha")])).into_response(),
            ("/sites", "moved") => Json(json!([site("b", "Beta"), site("d", "Delta")])).into_response(),
            ("/sites", "odd") => Json(json!([site("NOT ONE", "Odd"), site("a", "Alpha")])).into_response(),
            ("/sites", _) => {
                let chat = json!({ "id": "c", "name": "Chat", "type": "chat", "url": "https://c.example" });
                Json(json!([site("a", "Alpha"), site("b", "Beta"), chat, site("a", "Alpha again")])).into_response()
            }
            ("/sites/a/boards", _) => {
                Json(json!({ "boards": [{ "id": 1, "name": "First" }, { "id": 2, "name": "Second" }] })).into_response()
            }
            (path, _) if path.ends_with("/boards") => {
                Json(json!({ "boards": [{ "id": 3, "name": "Only" }] })).into_response()
            }
            (path, _) if path.ends_with("/me") => {
                Json(json!({ "id": "u1", "mail": format!("{account}@sites.example") })).into_response()
            }
            (path, _) => Json(json!({ "path": path })).into_response(),
        }
    })
    .await
}

fn site(id: &str, name: &str) -> Value {
    let region = (id == "a").then_some("north");
    json!({ "id": id, "name": name, "type": "tracker", "url": format!("https://{id}.sites.example"), "region": region })
}

fn definition(url: &str, more: &Value) -> Value {
    let mut definition = json!({
        "name": "Sites",
        "oauth2": { "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"), "scopes": ["read"] },
        "lookups": [{
            "name": "cloud_id", "title": "Site", "url": format!("{url}/sites"), "list": ".", "only": { "type": "tracker" },
            "path": "id", "label": "name", "also": { "cloud_url": "url" }, "patterns": { "cloud_id": "[a-z]" },
        }],
        "api": { "base_url": format!("{url}/ex/{{cloud_id}}") },
        "profile": { "url": format!("{url}/me"), "account_id": "id", "tenant": "{cloud_id}", "email": "mail" },
    });
    for (name, value) in more.as_object().unwrap() {
        definition[name] = value.clone();
    }
    definition
}

/// The same with boards, which hang on the site.
fn with_boards(url: &str) -> Value {
    let mut definition = definition(url, &json!({}));
    let boards = json!({ "name": "board", "title": "Board", "url": format!("{url}/sites/{{cloud_id}}/boards"), "list": "boards", "path": "id", "label": "name" });
    definition["lookups"].as_array_mut().unwrap().push(boards);
    definition
}

async fn custom(world: &World, definition: &Value) {
    world.custom("sites", definition, false).await;
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/sites", world.project());
    let client = json!({ "client_id": "invented", "client_secret": "invented" });
    world.root("PUT", &path, Some(&client)).await;
}

/// A world whose project has the connector `sites`.
async fn sites() -> (World, Fake) {
    let (world, provider) = (World::new().await, provider().await);
    custom(&world, &definition(&provider.url, &json!({}))).await;
    (world, provider)
}

/// What the provider sends the browser back to, for this account.
fn callback(authorization_url: &str, account: &str) -> String {
    let [redirect_uri, state] = ["redirect_uri", "state"].map(|name| query(authorization_url, name).unwrap());
    format!("{redirect_uri}?code={account}&state={state}")
}

/// An attempt by an authorization URL whose grant is held, and what the callback answered.
async fn held(world: &World, browser: &Browser, account: &str) -> (Attempt, Answer) {
    let path = format!("/connectors/sites/oauth/authorize?userId={USER}");
    let attempt = Attempt::of(&world.get(&path).await.member("authorizationUrl"));
    let authorization_url = browser.open(&attempt.start_url).await.location();
    (attempt, browser.open(&callback(&authorization_url, account)).await)
}

async fn submit(browser: &Browser, page: &Answer, choice: Option<&str>) -> Answer {
    let form = page.form("/connect/confirm/").with("decision", "confirm");
    browser.submit(choice.into_iter().fold(form, |form, choice| form.with("choice", choice))).await
}

/// What can be chosen on a page: the values of its radio buttons.
fn options(page: &Answer) -> Vec<String> {
    let page = page.text();
    let radios = page.split("<input type=\"radio\" name=\"choice\" value=\"").skip(1);
    radios.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

async fn only_connection(world: &World) -> Value {
    let rows = world.connections().await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

async fn called(world: &World, key: &str) -> Value {
    let call = world.api("GET", "/v1/passthrough/sites/things").header("x-one-connection-key", key);
    call.send().await.json()["path"].take()
}

#[tokio::test]
async fn of_several_the_person_chooses_and_nothing_else_is_taken() {
    let (world, _provider) = sites().await;
    let browser = world.browser();
    let (attempt, landed) = held(&world, &browser, "ada").await;
    assert_eq!(landed.location(), attempt.path("confirm"));
    let page = browser.open(&landed.location()).await;
    assert_eq!(options(&page), ["a", "b"], "once each, and those that the data wants");
    let text = page.text();
    for shown in ["<legend>Which site?</legend>", "Alpha", "b.sites.example", "ada@sites.example"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }

    for wrong in [None, Some("c"), Some("z"), Some(""), Some("b\u{0}")] {
        let answer = submit(&browser, &page, wrong).await;
        assert_eq!(answer.status, 422, "{wrong:?}");
        assert!(answer.text().contains("Choose one of these to go on."), "{wrong:?}");
        assert_eq!(world.connections().await, [] as [Value; 0], "{wrong:?}");
    }
    let done = submit(&browser, &page, Some("b")).await;
    assert_eq!(done.status, 303, "{}", done.text());
    let connection = only_connection(&world).await;
    assert_eq!(connection["values"], json!({ "cloud_id": "b", "cloud_url": "https://b.sites.example" }));
    let account = json!({ "id": "u1", "tenant": "b", "label": "Beta", "email": "ada@sites.example" });
    assert_eq!(connection["account"], account, "settled by what was chosen");
    assert_eq!(called(&world, connection["key"].as_str().unwrap()).await, "/ex/b/things");
    assert!(world.dump_of(&["connections"]).await.values().all(|item| !item.contains("Alpha")));
}

#[tokio::test]
async fn one_that_is_alone_is_taken_and_so_is_one_that_alone_may_be_believed() {
    for account in ["one", "odd"] {
        let (world, _provider) = sites().await;
        let browser = world.browser();
        let (_, landed) = held(&world, &browser, account).await;
        let page = browser.open(&landed.location()).await;
        assert_eq!(options(&page), [] as [String; 0]);
        submit(&browser, &page, None).await;
        assert_eq!(only_connection(&world).await["values"]["cloud_id"], "a");
    }
}

#[tokio::test]
async fn where_the_page_was_bound_at_the_start_only_the_choice_is_asked() {
    let (world, _provider) = sites().await;
    let browser = world.browser();
    let session = json!({ "identity": USER, "identityType": "user" });
    let session = world.post("/v1/connect/sessions", &session).await.member("session");
    let call = world.call("POST", "/v1/connect/attempts").bearer(&session).header("sec-fetch-site", "same-origin");
    let begun = browser.send(call.json(&json!({ "connector": "sites", "opener": world.app_origin() }))).await;
    let back = callback(&begun.member("url"), "ada");
    let landed = browser.open(&back).await;
    let page = browser.open(&landed.location()).await;
    assert_eq!(options(&page), ["a", "b"]);
    assert!(page.text().contains("<h1 class=\"centred\">Which site?</h1>"), "{}", page.text());
    assert!(!page.text().contains("data-sleeps"), "nothing is confirmed here");
    let status = || async {
        let path = format!("/v1/connect/attempts/{}", begun.member("attempt"));
        world.call("GET", &path).bearer(&session).send().await.json()
    };
    assert_eq!(status().await, json!({ "status": "held" }), "what there is to choose is told to nobody else");
    assert_eq!(browser.open(&back).await.location(), landed.location(), "a reload asks again");
    let stranger = world.browser().open(&landed.location()).await;
    assert_eq!(stranger.refusal(), (400, "unknown_state".to_owned()));

    let done = submit(&browser, &page, Some("a")).await;
    assert!(done.location().contains("/connect/outcome/"), "{}", done.location());
    let told = status().await;
    assert_eq!((&told["status"], &told["connection"]["account"]["id"]), (&json!("connected"), &Value::Null));
    assert_eq!(told["connection"]["values"], Value::Null, "a page is not told what only the back end is");
    assert_eq!(only_connection(&world).await["account"]["tenant"], "a");
}

#[tokio::test]
async fn what_hangs_on_a_choice_is_looked_up_after_it() {
    let (world, provider) = sites().await;
    custom(&world, &with_boards(&provider.url)).await;
    let browser = world.browser();
    let (_, landed) = held(&world, &browser, "ada").await;
    let first = browser.open(&landed.location()).await;
    let next = submit(&browser, &first, Some("a")).await;
    assert_eq!(next.location(), landed.location(), "there is more to choose");
    let second = browser.open(&next.location()).await;
    assert_eq!(options(&second), ["1", "2"]);
    assert!(second.text().contains("<legend>Which board?</legend>"));
    for again in [Some("b"), Some("2"), None] {
        let led = submit(&browser, &first, again).await;
        assert_eq!(led.location(), landed.location(), "{again:?}: of another list than the one that is open");
    }
    submit(&browser, &second, Some("2")).await;
    assert_eq!(only_connection(&world).await["values"]["board"], "2");
    let asked: Vec<_> = provider.seen().into_iter().map(|seen| seen.target).collect();
    assert!(!asked.iter().any(|path| path == "/sites/b/boards"), "{asked:?}");

    // where there is nothing to choose, nothing is asked
    let browser = world.browser();
    let (_, landed) = held(&world, &browser, "ada").await;
    let done = submit(&browser, &browser.open(&landed.location()).await, Some("b")).await;
    assert_ne!(done.location(), landed.location());
    assert!(world.connections().await.iter().any(|row| row["values"]["board"] == "3"));
}

#[tokio::test]
async fn an_app_that_vouches_chooses_in_the_completing_call() {
    let (world, _provider) = sites().await;
    world.vouch().await;
    let body = json!({ "credentialType": "oauth2", "redirectUri": world.redirect_uri(), "userId": USER });
    let created = world.post("/connectors/sites/credentials", &body).await;
    let browser = world.browser();
    let start_url = created.member("oauthUrl");
    let authorization_url = browser.open(&start_url).await.location();
    let back = browser.open(&callback(&authorization_url, "ada")).await.location();
    let [code, state] = ["code", "state"].map(|name| query(&back, name).unwrap());
    let redeem = async |choose: Value| {
        let body = json!({ "code": code, "state": state, "userId": USER, "choose": choose });
        world.post("/connectors/sites/credentials/callback", &body).await
    };

    let asked = redeem(json!({})).await;
    let told = asked.json();
    assert_eq!((asked.status, &told["error"], &told["status"]), (409, &json!("choice_required"), &json!("held")));
    let choices = json!([{ "value": "a", "label": "Alpha" }, { "value": "b", "label": "Beta" }]);
    assert_eq!(told["choices"], json!({ "cloud_id": choices }));
    for wrong in [json!({ "cloud_id": "c" }), json!({ "cloud_url": "https://b.sites.example" }), json!({ "no": "a" })] {
        assert_eq!(redeem(wrong).await.refusal(), (400, "invalid_choice".to_owned()));
    }
    assert_eq!(redeem(json!({ "cloud_id": "b" })).await.member("status"), "connected");
    assert_eq!(only_connection(&world).await["values"]["cloud_id"], "b");
    assert_eq!(redeem(json!({ "cloud_id": "b" })).await.refusal(), (400, "invalid_grant".to_owned()), "once");
}

/// What was chosen is taken once, and the account that hung on it is agreed to by its own page alone.
#[tokio::test]
async fn another_choice_of_a_page_that_was_answered_confirms_nothing() {
    let (world, provider) = sites().await;
    let profile = json!({ "url": format!("{}/{{cloud_id}}/me", provider.url), "account_id": "id", "email": "mail" });
    custom(&world, &definition(&provider.url, &json!({ "profile": profile }))).await;
    world.turn(Duration::from_secs(31));
    let browser = world.browser();
    let (_, landed) = held(&world, &browser, "ada").await;
    let page = browser.open(&landed.location()).await;
    assert!(!page.text().contains("ada@sites.example"), "it hangs on the choice");
    assert_eq!(submit(&browser, &page, Some("a")).await.location(), landed.location());
    for again in [Some("a"), Some("b"), Some("zzz"), None] {
        assert_eq!(submit(&browser, &page, again).await.location(), landed.location(), "{again:?}");
        assert_eq!(world.connections().await, [] as [Value; 0], "{again:?}");
    }
    let asked = browser.open(&landed.location()).await;
    assert!(asked.text().contains("ada@sites.example") && options(&asked).is_empty(), "{}", asked.text());
    submit(&browser, &asked, None).await;
    assert_eq!(only_connection(&world).await["values"]["cloud_id"], "a");
}

/// Look-ups, the question whose account it is and renewals may carry what calls of the API do not.
#[tokio::test]
async fn what_is_the_operators_is_there_after_a_choice_too() {
    let second = |url: &str, headers: Value| {
        let mut lookups = definition(url, &json!({}))["lookups"].clone();
        let plan = json!({ "name": "plan", "url": format!("{url}/plan"), "path": "path", "headers": headers });
        lookups.as_array_mut().unwrap().push(plan);
        lookups
    };
    for case in ["a renewal", "the profile", "a second look-up"] {
        let (world, provider) = (World::new().await, provider().await);
        let url = &provider.url;
        let mut definition = definition(url, &json!({}));
        definition["settings"] = json!([{ "name": "app_key", "label": "Key", "secret": true }]);
        match case {
            "a renewal" => definition["oauth2"]["refresh_params"] = json!({ "app": "{app_key}" }),
            "the profile" => definition["profile"]["headers"] = json!({ "X-App": "{client_secret}" }),
            _ => definition["lookups"] = second(url, json!({ "X-App": "{app_key}", "X-Client": "{client_secret}" })),
        }
        world.custom("sites", &definition, false).await;
        let path = format!("/v1/admin/projects/{}/environments/test/connectors/sites", world.project());
        let client = json!({ "client_id": "c", "client_secret": "s", "settings": { "app_key": "k" } });
        world.root("PUT", &path, Some(&client)).await;

        let key = connected(&world, "ada", "a").await;
        assert_eq!(only_connection(&world).await["account"]["id"], "u1", "{case}");
        let path = format!("/v1/vault/connections/{key}");
        assert_eq!(world.get(&format!("{path}/choices")).await.json()["chosen"]["cloud_id"], "a", "{case}");
        let switched = world.api("PATCH", &path).json(&json!({ "choose": { "cloud_id": "b" } })).send().await;
        assert_eq!(switched.status, 200, "{case}: {}", switched.text());
        assert_eq!(called(&world, &key).await, "/ex/b/things", "{case}");
    }
}

#[tokio::test]
async fn a_connection_is_not_switched_to_what_can_not_be_called() {
    let (world, provider) = (World::new().await, provider().await);
    let mut definition = definition(&provider.url, &json!({}));
    definition["lookups"][0]["also"]["region"] = json!("region"); // the first site alone has one
    definition["api"]["headers"] = json!({ "X-Region": "{region}" });
    custom(&world, &definition).await;
    let key = connected(&world, "ada", "a").await;
    let path = format!("/v1/vault/connections/{key}");
    let switched = world.api("PATCH", &path).json(&json!({ "choose": { "cloud_id": "b" } })).send().await;
    assert_eq!(switched.refusal(), (502, "provider_invalid_response".to_owned()));
    assert_eq!(called(&world, &key).await, "/ex/a/things");
}

/// Connected to this site, confirmed; its key.
async fn connected(world: &World, account: &str, site: &str) -> String {
    let browser = world.browser();
    let (_, landed) = held(world, &browser, account).await;
    let led = submit(&browser, &browser.open(&landed.location()).await, Some(site)).await;
    if led.location() == landed.location() {
        submit(&browser, &browser.open(&led.location()).await, None).await; // the account hung on the choice
    }
    only_connection(world).await["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_renewal_keeps_what_was_chosen_where_it_is_still_offered() {
    for (account, offered) in [("ada", vec![]), ("moved", vec!["b".to_owned(), "d".to_owned()])] {
        let (world, _provider) = sites().await;
        let key = connected(&world, "ada", "a").await;
        let link = world.post(&format!("/v1/vault/connections/{key}/upgrade"), &json!({})).await.member("url");
        let browser = world.browser();
        let page = browser.enter(&link).await;
        let attempt = Attempt::of(&browser.submit(page.form("/connect/sites")).await.location());
        let authorization_url = browser.open(&attempt.start_url).await.location();
        let landed = browser.open(&callback(&authorization_url, account)).await;
        let page = browser.open(&landed.location()).await;
        assert_eq!(options(&page), offered, "{account}");
        if offered.is_empty() {
            submit(&browser, &page, None).await;
            let renewed = only_connection(&world).await;
            assert_eq!((&renewed["values"]["cloud_id"], &renewed["version"]), (&json!("a"), &json!("1.0.2")));
        } else {
            // another site is another account
            let refused = submit(&browser, &page, Some("d")).await;
            let outcome = browser.open(&refused.location()).await;
            assert!(outcome.text().contains("That was another account"), "{}", outcome.text());
            assert_eq!(only_connection(&world).await["values"]["cloud_id"], "a");
        }
    }
}

#[tokio::test]
async fn a_connection_is_switched_to_another_of_those_that_there_are_now() {
    let (world, provider) = sites().await;
    custom(&world, &with_boards(&provider.url)).await;
    let key = connected(&world, "ada", "b").await;
    let path = format!("/v1/vault/connections/{key}");
    let change = async |body: Value| world.api("PATCH", &path).json(&body).send().await;

    let offered = world.get(&format!("{path}/choices")).await.json();
    let sites = json!([{ "value": "a", "label": "Alpha" }, { "value": "b", "label": "Beta" }]);
    assert_eq!(offered["choices"], json!({ "cloud_id": sites, "board": [{ "value": "3", "label": "Only" }] }));
    assert_eq!(offered["chosen"], json!({ "cloud_id": "b", "board": "3" }));
    assert_eq!(offered["titles"], json!({ "cloud_id": "Site", "board": "Board" }));

    for wrong in [json!({ "cloud_id": "z" }), json!({ "cloud_id": "a", "board": "3" }), json!({ "cloud_url": "x" })] {
        assert_eq!(change(json!({ "choose": wrong })).await.refusal(), (400, "invalid_choice".to_owned()));
    }
    let open = change(json!({ "choose": { "cloud_id": "a" }, "name": "Ours" })).await;
    assert_eq!(open.refusal(), (409, "choice_required".to_owned()));
    let boards = json!([{ "value": "1", "label": "First" }, { "value": "2", "label": "Second" }]);
    assert_eq!(open.json()["choices"], json!({ "board": boards }), "of the site that is meant");
    assert_eq!(called(&world, &key).await, "/ex/b/things", "nothing was changed");

    world.turn(std::time::Duration::from_mins(1));
    let switched = change(json!({ "choose": { "cloud_id": "a", "board": "2" }, "name": "Ours" })).await.json();
    assert_eq!(switched["values"], json!({ "cloud_id": "a", "cloud_url": "https://a.sites.example", "board": "2" }));
    let said = ["name", "updatedAt", "version"].map(|name| switched[name].clone());
    assert_eq!(said, [json!("Ours"), json!(world.now()), json!("1.0.3")]);
    assert_eq!(switched["account"]["tenant"], "a");
    assert_eq!(called(&world, &key).await, "/ex/a/things");
}

/// A token that ended before its time is renewed, as at an API call.
#[tokio::test]
async fn what_can_be_chosen_is_asked_with_a_token_that_works() {
    let (world, provider) = sites().await;
    let key = connected(&world, "brief", "b").await;
    let offered = world.get(&format!("/v1/vault/connections/{key}/choices")).await;
    assert_eq!((offered.status, &offered.json()["chosen"]), (200, &json!({ "cloud_id": "b" })), "{}", offered.text());
    let asked = provider.seen().into_iter().filter(|seen| seen.target == "/sites");
    let tokens: Vec<_> = asked.map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(tokens, ["Bearer brief", "Bearer brief", "Bearer renewed"]);
}

#[tokio::test]
async fn cancelling_a_choice_forgets_the_grant() {
    let (world, _provider) = sites().await;
    let browser = world.browser();
    let (_, landed) = held(&world, &browser, "ada").await;
    let page = browser.open(&landed.location()).await;
    browser.submit(page.form("/connect/confirm/").with("decision", "cancel")).await;
    assert!(world.dump_of(&["connections", "journal"]).await.is_empty());
    assert_eq!(submit(&browser, &page, Some("a")).await.status, 303);
    assert_eq!(world.connections().await, [] as [Value; 0]);
}

/// Sites that are reached with a key: the same, without anybody's consent.
async fn keyed() -> (World, Fake) {
    let (world, provider) = (World::new().await, provider().await);
    world.custom("sites", &with_a_key(&provider.url), false).await;
    (world, provider)
}

fn with_a_key(url: &str) -> Value {
    let mut definition = definition(url, &json!({}));
    definition.as_object_mut().unwrap().remove("oauth2");
    definition["inputs"] = json!([{ "name": "api_key", "label": "API key", "secret": true }]);
    definition["api"]["credential"] = json!({ "in": "header", "value": "Bearer {api_key}" });
    definition
}

#[tokio::test]
async fn whose_account_it_is_is_asked_when_all_that_the_question_carries_is_known() {
    let cases = [
        ("a header of the question", "/profile/headers", json!({ "Site": "{cloud_id}" })),
        ("a header of each call", "/api/headers", json!({ "Site": "{cloud_id}" })),
        ("a parameter of each call", "/api/query", json!({ "site": "{cloud_id}" })),
        ("its address", "/profile/url", json!("{cloud_id}/me")),
        ("a path in its address", "/profile/url", json!("{+cloud_id}/me")),
    ];
    for (case, field, value) in cases {
        let (world, provider) = (World::new().await, provider().await);
        let mut definition = with_a_key(&provider.url);
        let (parent, name) = field.rsplit_once('/').unwrap();
        let value = value.as_str().map_or(value.clone(), |below| format!("{}/{below}", provider.url).into());
        definition.pointer_mut(parent).unwrap()[name] = value;
        world.custom("sites", &definition, false).await;

        let connect = async |choose: Value| {
            let body = json!({ "credentialType": "apiKey", "userId": USER, "credentials": { "api_key": "ada" }, "choose": choose });
            world.post("/connectors/sites/credentials", &body).await
        };
        assert_eq!(connect(json!({})).await.refusal(), (409, "choice_required".to_owned()), "{case}");
        let is_profile = |seen: &Seen| seen.target.split('?').next().unwrap().ends_with("/me");
        assert!(!provider.seen().iter().any(is_profile), "{case}: asked before it was chosen");
        assert_eq!(connect(json!({ "cloud_id": "b" })).await.status, 201, "{case}");
        assert_eq!(only_connection(&world).await["account"]["id"], "u1", "{case}");
        let seen = provider.seen();
        let asked: Vec<_> = seen.iter().filter(|seen| is_profile(seen)).collect();
        assert_eq!(asked.len(), 1, "{case}");
        let told = [asked[0].header("site").unwrap_or_default(), &asked[0].target];
        assert!(told == ["b", "/me"] || told == ["", "/b/me"] || told == ["", "/me?site=b"], "{case}: {told:?}");
    }
}

#[tokio::test]
async fn a_key_that_reaches_several_is_connected_to_the_one_that_the_back_end_chooses() {
    let (world, _provider) = keyed().await;
    let connect = async |choose: Value| {
        let body = json!({ "credentialType": "apiKey", "userId": USER, "credentials": { "api_key": "ada" }, "choose": choose });
        world.post("/connectors/sites/credentials", &body).await
    };
    let asked = connect(json!({})).await;
    assert_eq!(asked.refusal(), (409, "choice_required".to_owned()));
    assert_eq!(asked.json()["choices"]["cloud_id"][1], json!({ "value": "b", "label": "Beta" }));
    assert_eq!(connect(json!({ "cloud_id": "c" })).await.refusal(), (400, "invalid_choice".to_owned()));
    assert_eq!(world.connections().await, [] as [Value; 0]);
    assert_eq!(connect(json!({ "cloud_id": "b" })).await.status, 201);
    assert_eq!(only_connection(&world).await["account"]["tenant"], "b");
}

#[tokio::test]
async fn a_key_that_reaches_several_is_typed_first_and_the_choice_follows() {
    let (world, _provider) = keyed().await;
    let link = json!({ "identity": USER, "connectors": ["sites"] });
    let link = world.post("/v1/connect/sessions", &link).await.member("url");
    let browser = world.browser();
    let page = browser.enter(&link).await;
    let typed = browser.submit(page.form("/connect/sites").with("input_api_key", "ada")).await;
    let page = browser.open(&typed.location()).await;
    assert_eq!(options(&page), ["a", "b"]);
    submit(&browser, &page, Some("a")).await;
    assert_eq!(only_connection(&world).await["values"]["cloud_id"], "a");
}
