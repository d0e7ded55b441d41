//! An app of the operator's that a person installs at the provider: whose installation it is, is asked with the person's own token, and
//! what calls carry is a token of the app's for that installation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde_json::{Value, json};
use shared::{error::Error, id::AttemptId};

use crate::world::{Answer, Attempt, Browser, Fake, Seen, World, query};

const KEY: &str = include_str!("../../shared/tests/keys/rsa.pkcs8.pem");

/// A provider where people install an app. The code that comes back is the person's name.
struct Provider {
    fake: Fake,
    /// What a login is refused with; 0 for not at all.
    refuses: Arc<AtomicU16>,
}

impl Provider {
    async fn start() -> Self {
        let refuses = Arc::<AtomicU16>::default();
        let refusing = Arc::clone(&refuses);
        let fake = Fake::start(move |seen: &Seen| {
            let bearer = seen.header("authorization").and_then(|it| it.strip_prefix("Bearer ")).unwrap_or_default();
            let refusal = StatusCode::from_u16(refusing.load(Ordering::SeqCst)).ok();
            let path = seen.target.split('?').next().unwrap().to_owned();
            let installation = path.strip_prefix("/app/installations/").and_then(|it| it.strip_suffix("/tokens"));
            match (path.as_str(), installation) {
                ("/token", _) => {
                    let form = format!("http://x/?{}", String::from_utf8_lossy(&seen.body));
                    let token = format!("canary-of-{}", query(&form, "code").unwrap());
                    let answer =
                        json!({ "access_token": token, "refresh_token": "canary-refresh", "expires_in": 28800 });
                    Json(answer).into_response()
                }
                ("/user/installations", _) => {
                    let owned: &[u32] = match bearer {
                        "canary-of-ada" => &[71, 72],
                        "canary-of-ben" => &[73],
                        _ => &[],
                    };
                    let one = |id: &u32| json!({ "id": id, "account": { "id": id * 10, "login": format!("org{id}") } });
                    Json(json!({ "installations": owned.iter().map(one).collect::<Value>() })).into_response()
                }
                (_, Some(_)) if refusal.is_some() => {
                    // in words that would end a grant, from a token endpoint
                    (refusal.unwrap(), Json(json!({ "error": "invalid_grant" }))).into_response()
                }
                (_, Some(id)) if bearer.split('.').count() == 3 => {
                    let answer = json!({ "token": format!("canary-session-{id}"), "ttl": 3600 });
                    (StatusCode::CREATED, Json(answer)).into_response()
                }
                (_, None) if bearer.starts_with("canary-session-") => {
                    Json(json!({ "asked": path, "with": bearer.trim_start_matches("canary-") })).into_response()
                }
                _ => (StatusCode::UNAUTHORIZED, Json(json!({ "message": "who" }))).into_response(),
            }
        })
        .await;
        Self { fake, refuses }
    }

    fn definition(&self) -> Value {
        let url = &self.fake.url;
        json!({
            "name": "Forge",
            "settings": [{ "name": "private_key", "label": "Private key", "secret": true, "multiline": true }],
            "oauth2": {
                "authorization_endpoint": format!("{url}/install"), "token_endpoint": format!("{url}/token"), "pkce": "none",
            },
            "lookups": [{
                "name": "installation", "title": "Installation", "url": format!("{url}/user/installations?per_page=100"),
                "before_login": true, "chosen_by": "installation_id", "list": "installations", "path": "id",
                "label": "account.login", "also": { "owner": "account.id" }, "patterns": { "installation": "[0-9]+" },
            }],
            "login": {
                "url": format!("{url}/app/installations/{{installation}}/tokens"), "token": "token", "expires_in": "ttl",
                "credential": { "in": "header", "value": "Bearer {assertion}" },
                "assertion": { "algorithm": "RS256", "key": "{private_key}", "claims": { "iss": "{client_id}" } },
                "grant_ended_status": 404,
            },
            "api": { "base_url": url, "credential": { "in": "header", "value": "Bearer {session_token}" } },
            "profile": { "account_id": "{owner}" },
            "revoke": { "url": format!("{url}/session"), "method": "DELETE", "authentication": "api", "effect": "token" },
        })
    }

    /// The sessions that were ended.
    fn ended(&self) -> Vec<String> {
        let seen = self.fake.seen().into_iter().filter(|seen| seen.target == "/session");
        seen.map(|seen| seen.header("authorization").unwrap().replace("Bearer canary-", "")).collect()
    }

    /// Which installations were logged in to.
    fn logins(&self) -> Vec<String> {
        let seen = self.fake.seen().into_iter().map(|seen| seen.target);
        seen.filter_map(|path| Some(path.strip_prefix("/app/installations/")?.replace("/tokens", ""))).collect()
    }
}

async fn forge() -> (World, Provider) {
    let (world, provider) = (World::new().await, Provider::start().await);
    world.custom("forge", &provider.definition(), false).await;
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/forge", world.project());
    let client = json!({ "client_id": "invented", "client_secret": "invented", "settings": { "private_key": KEY } });
    world.root("PUT", &path, Some(&client)).await;
    (world, provider)
}

/// To the provider and back: what the callback answered.
async fn back(world: &World, browser: &Browser, person: &str, installation: Option<&str>) -> (Attempt, Answer) {
    let attempt = world.begin_at("forge").await;
    let there = browser.open(&attempt.start_url).await.location();
    let [redirect_uri, state] = ["redirect_uri", "state"].map(|name| query(&there, name).unwrap());
    let said = installation.map(|id| format!("&installation_id={id}&setup_action=install")).unwrap_or_default();
    let landed = browser.open(&format!("{redirect_uri}?code={person}&state={state}{said}")).await;
    (attempt, landed)
}

async fn confirm(browser: &Browser, page: &Answer, choice: Option<&str>) -> Answer {
    let form = page.form("/connect/confirm/").with("decision", "confirm");
    browser.submit(choice.into_iter().fold(form, |form, choice| form.with("choice", choice))).await
}

async fn only_connection(world: &World) -> Value {
    let rows = world.connections().await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

async fn called(world: &World, key: &str) -> Value {
    world.through("forge", "repos", key).await.json()["with"].take()
}

#[tokio::test]
async fn what_was_installed_just_now_is_connected_without_asking_again() {
    let (world, provider) = forge().await;
    let browser = world.browser();
    let (_, landed) = back(&world, &browser, "ada", Some("72")).await;
    let page = browser.open(&landed.location()).await;
    assert!(!page.text().contains("name=\"choice\"") && page.text().contains("org72"), "{}", page.text());
    confirm(&browser, &page, None).await;
    let connection = only_connection(&world).await;
    assert_eq!(connection["values"], json!({ "installation": "72", "owner": "720" }));
    assert_eq!((&connection["account"]["id"], &connection["account"]["label"]), (&json!("720"), &json!("org72")));
    let key = connection["key"].as_str().unwrap();
    assert_eq!(called(&world, key).await, "session-72");

    // an hour later the app logs in again, and the person's own token is not there any more
    world.turn(Duration::from_hours(1));
    assert_eq!(called(&world, key).await, "session-72");
    assert_eq!(provider.logins(), ["72", "72"]);
    let app = &world.server.app;
    let stored = app.connections.find(&shared::id::ConnectionKey::parse(key).unwrap()).await.unwrap().unwrap();
    let credentials = app.open_stored(stored).await.unwrap().credentials;
    assert!(credentials.access_token.is_none() && credentials.refresh_token.is_none());

    // which one it is takes a consent
    let path = format!("/v1/vault/connections/{key}");
    assert_eq!(world.get(&format!("{path}/choices")).await.json()["choices"], json!({}));
    let refused = world.api("PATCH", &path).json(&json!({ "choose": { "installation": "71" } })).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_choice".to_owned()));
    assert!(refused.text().contains("another is had by connecting again"), "{}", refused.text());
}

#[tokio::test]
async fn another_s_installation_is_not_taken_on_the_browser_s_word() {
    let strange = "provider_invalid_response";
    for (person, said, code) in [
        ("ben", "72", strange),
        ("ada", "73", strange),
        ("ada", "../71", strange),
        ("ada", "71%00", strange),
        ("eve", "72", "nothing_to_connect"),
    ] {
        let (world, provider) = forge().await;
        let browser = world.browser();
        let (attempt, landed) = back(&world, &browser, person, Some(said)).await;
        assert!(landed.text().contains("/connect/outcome/"), "{person} {said}: {}", landed.text());
        let (status, error) = world.told(&browser, &attempt).await;
        assert_eq!((status.as_str(), error.as_str()), ("failed", code), "{person} {said}");
        assert_eq!(provider.logins(), [] as [String; 0], "{person} {said}: nobody logs in to it");
        assert_eq!(world.connections().await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn of_several_the_person_chooses_and_the_login_follows() {
    for silent in [None, Some("")] {
        let (world, provider) = forge().await;
        let browser = world.browser();
        let (_, landed) = back(&world, &browser, "ada", silent).await;
        let page = browser.open(&landed.location()).await;
        assert!(page.text().contains("<legend>Which installation?</legend>"), "{}", page.text());
        assert_eq!(provider.logins(), [] as [String; 0]);
        assert_eq!(confirm(&browser, &page, Some("73")).await.status, 422);

        // a key that can't be used now can be later: the choice stands open
        provider.refuses.store(401, Ordering::SeqCst);
        let failed = confirm(&browser, &page, Some("71")).await;
        assert_eq!(failed.status, 502);
        let said = "Forge could not take this choice. Choose another, or try again in a few minutes.";
        assert!(failed.text().contains(said) && failed.text().contains("Which installation?"), "{}", failed.text());
        provider.refuses.store(0, Ordering::SeqCst);
        let asked = confirm(&browser, &page, Some("71")).await;
        assert_eq!(asked.status, 303, "{}", asked.text());
        // whose account it is hung on the choice, and is confirmed with its name
        let page = browser.open(&asked.location()).await;
        assert!(page.text().contains("org71") && !page.text().contains("name=\"choice\""), "{}", page.text());
        confirm(&browser, &page, None).await;
        let connection = only_connection(&world).await;
        assert_eq!(connection["account"]["id"], "710");
        assert_eq!(called(&world, connection["key"].as_str().unwrap()).await, "session-71");
        for text in world.dump().await.into_values() {
            assert!(!text.contains("canary-"), "{text}");
        }
    }
}

/// A session is made for each choice, and one alone is kept.
#[tokio::test]
async fn a_session_that_comes_to_nothing_is_ended() {
    let other = vec!["session-71"];
    for (case, login, first, then, ended) in [
        ("another choice was faster", json!({}), "72", "71", other.clone()),
        ("the token stands beside the session", json!({ "token": "{access_token}" }), "72", "71", other),
        ("the same was chosen, and the session is the same", json!({}), "71", "71", vec![]),
    ] {
        for completed in [false, true] {
            let (world, provider) = forge().await;
            let mut definition = provider.definition();
            definition["login"]["params"] = login.clone();
            world.custom("forge", &definition, false).await;
            world.turn(Duration::from_secs(31));
            let browser = world.browser();
            let (attempt, landed) = back(&world, &browser, "ada", None).await;
            let page = browser.open(&landed.location()).await;
            let app = &world.server.app;
            let stale = app.connections.held(&AttemptId::parse(&attempt.id).unwrap()).await.unwrap().unwrap();
            let asked = confirm(&browser, &page, Some(first)).await;
            if completed {
                confirm(&browser, &browser.open(&asked.location()).await, None).await;
            }
            let chosen = [("installation".to_owned(), then.to_owned())].into();
            let lost = app.choose(stale, &chosen).await.unwrap_err();
            assert!(matches!(lost, Error::Conflict(_)), "{case}: {lost:?}");
            keeper::keep(app, None).await.unwrap();
            assert_eq!(provider.ended(), ended, "{case}, completed: {completed}");
            assert_eq!(world.dump_of(&["journal"]).await.len(), 0, "{case}");
        }
    }
}

/// Where what follows the login fails, its session is ended, and the choice stands open.
#[tokio::test]
async fn a_session_is_ended_where_what_follows_it_fails() {
    let (world, provider) = forge().await;
    let mut definition = provider.definition();
    let url = &provider.fake.url;
    let plan =
        json!({ "name": "plan", "url": format!("{url}/plan"), "path": "plan", "patterns": { "plan": "[a-z]+" } });
    definition["lookups"].as_array_mut().unwrap().push(plan);
    world.custom("forge", &definition, false).await;
    world.turn(Duration::from_secs(31));
    let browser = world.browser();
    let (_, landed) = back(&world, &browser, "ada", None).await;
    let page = browser.open(&landed.location()).await;
    assert_eq!(confirm(&browser, &page, Some("71")).await.status, 502);
    keeper::keep(&world.server.app, None).await.unwrap();
    assert_eq!((provider.logins(), provider.ended()), (vec!["71".to_owned()], vec!["session-71".to_owned()]));
    let again = browser.open(&landed.location()).await;
    assert!(again.text().contains("<legend>Which installation?</legend>"), "{}", again.text());
}

/// A session that has ended by itself can't be ended, and need not be.
#[tokio::test]
async fn a_session_is_ended_with_its_connection_while_it_lives() {
    for (hours, ended) in [(0, vec!["session-73"]), (2, vec![])] {
        let (world, provider) = forge().await;
        let browser = world.browser();
        let (_, landed) = back(&world, &browser, "ben", None).await;
        confirm(&browser, &browser.open(&landed.location()).await, None).await;
        let key = only_connection(&world).await["key"].as_str().unwrap().to_owned();
        world.turn(Duration::from_hours(hours));
        let deleted = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await.json();
        assert_eq!(
            (&deleted["revocation"], provider.ended()),
            (&json!("revoked"), ended.iter().map(ToString::to_string).collect()),
            "{hours} hours"
        );
    }
}

/// Where the login is for the token of the person, that is renewed with it; what was uninstalled is over all the same.
#[tokio::test]
async fn a_token_that_logs_in_does_not_hide_that_it_is_over() {
    let (world, provider) = forge().await;
    let mut definition = provider.definition();
    definition["login"]["params"] = json!({ "token": "{access_token}" });
    world.custom("forge", &definition, false).await;
    world.turn(Duration::from_secs(31));
    let browser = world.browser();
    let (_, landed) = back(&world, &browser, "ben", None).await;
    confirm(&browser, &browser.open(&landed.location()).await, None).await;
    let key = only_connection(&world).await["key"].as_str().unwrap().to_owned();
    provider.refuses.store(404, Ordering::SeqCst);
    world.turn(Duration::from_hours(1));
    assert_eq!(world.through("forge", "repos", &key).await.refusal(), (409, "needs_reauth".to_owned()));
    let tokens = provider.fake.seen().iter().filter(|seen| seen.target == "/token").count();
    assert_eq!(tokens, 1, "nothing was renewed for it");
}

#[tokio::test]
async fn what_is_installed_no_more_is_over_and_a_wrong_key_is_not() {
    let (world, provider) = forge().await;
    let browser = world.browser();
    let (_, landed) = back(&world, &browser, "ben", None).await;
    confirm(&browser, &browser.open(&landed.location()).await, None).await;
    let connection = only_connection(&world).await;
    let key = connection["key"].as_str().unwrap();
    for (refusal, status, code) in
        [(401, 502, "provider_refused"), (403, 502, "provider_refused"), (404, 409, "needs_reauth")]
    {
        provider.refuses.store(refusal, Ordering::SeqCst);
        world.turn(Duration::from_hours(1));
        assert_eq!(world.through("forge", "repos", key).await.refusal(), (status, code.to_owned()), "{refusal}");
    }

    // installed again, it is the same account
    provider.refuses.store(0, Ordering::SeqCst);
    let link = world.post(&format!("/v1/vault/connections/{key}/upgrade"), &json!({})).await;
    let browser = world.browser();
    let page = browser.enter(&link.member("url")).await;
    let attempt = Attempt::of(&browser.submit(page.form("/connect/forge")).await.location());
    let there = browser.open(&attempt.start_url).await.location();
    let [redirect_uri, state] = ["redirect_uri", "state"].map(|name| query(&there, name).unwrap());
    let landed = browser.open(&format!("{redirect_uri}?code=ben&state={state}&installation_id=73")).await;
    confirm(&browser, &browser.open(&landed.location()).await, None).await;
    assert_eq!(only_connection(&world).await["key"], key);
    assert_eq!(called(&world, key).await, "session-73");
}
