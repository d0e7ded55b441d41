//! Clients that were registered by us: kept once, given up with their connector, made anew when their server forgot them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use shared::flow::registration::Looked;

use crate::{
    discover::connected,
    world::{Attempt, AuthorizationServer, Fake, Log, Seen, World, in_form, query},
};

async fn discovered(world: &World, server: &AuthorizationServer) -> Value {
    let made = world.discover(&json!({ "issuer": server.url(), "id": "unknown" })).await;
    assert!(made.status < 300, "{}", made.text());
    made.json()
}

fn connector(world: &World) -> String {
    format!("/v1/admin/projects/{}/connectors/unknown", world.project())
}

async fn call(world: &World, key: &str) -> (u16, String) {
    let answer = world.api("GET", "/v1/passthrough/unknown/me").header("x-one-connection-key", key).send().await;
    let code =
        serde_json::from_slice::<Value>(&answer.body).ok().and_then(|body| body["error"].as_str().map(str::to_owned));
    (answer.status, code.unwrap_or_default())
}

#[tokio::test]
async fn a_registration_is_a_record_without_its_secrets() {
    let (log, _logging) = Log::start();
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    server.turn(|knobs| knobs.managed = true);
    discovered(&world, &server).await;
    let read = world.root("GET", &connector(&world), None).await;
    let record = &read.json()["registrations"]["test"];
    assert_eq!((&record["client_id"], &record["issuer"]), (&json!("client-1"), &json!(server.url())));
    assert_eq!(record["redirect_uri"], read.json()["redirect_uri"]);
    assert_eq!(record["registered_at"], world.now() / 1000);
    assert_eq!((&record["client_secret_expires_at"], &record["replaced"]), (&Value::Null, &Value::Null));
    for (place, text) in [("the answer", read.text()), ("the log", log.lines().concat())] {
        assert!(!text.contains("canary"), "a secret stands in {place}: {text}");
    }
    for ((table, key), item) in world.dump().await {
        assert!(!item.contains("canary"), "a secret stands in {table} {key}: {item}");
    }
}

#[tokio::test]
async fn a_connector_that_goes_gives_its_registration_up() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    server.turn(|knobs| knobs.managed = true);
    discovered(&world, &server).await;
    let gone = world.root("DELETE", &connector(&world), None).await.json();
    assert_eq!(gone["registrations"], json!({ "test": "deleted", "live": "deleted" }));
    assert_eq!(server.turn(|knobs| knobs.clients.len()), 0);
    assert!(!world.dump().await.iter().any(|((_, key), _)| key.contains("registration#")));

    server.turn(|knobs| knobs.managed = false);
    discovered(&world, &server).await;
    let gone = world.root("DELETE", &connector(&world), None).await.json();
    assert_eq!(gone["registrations"], json!({ "test": "not_offered", "live": "not_offered" }));
}

#[tokio::test]
async fn a_client_that_its_server_forgot_is_registered_anew_and_its_connections_say_why() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    discovered(&world, &server).await;
    let key = connected(&world, &server, "unknown").await;
    assert_eq!(call(&world, &key).await.0, 200);

    server.turn(|knobs| knobs.clients.clear());
    world.turn(Duration::from_hours(2)); // the access token has ended
    for _ in 0..3 {
        assert_eq!(call(&world, &key).await, (502, "provider_refused".to_owned()));
    }
    assert_eq!(world.keep().await.registered, 1);
    assert_eq!(world.keep().await.registered, 0);
    let record = world.root("GET", &connector(&world), None).await.json();
    let test = &record["registrations"]["test"];
    assert_eq!((&test["client_id"], &test["replaced"]["client_id"]), (&json!("client-3"), &json!("client-1")));

    world.turn(Duration::from_mins(1)); // what is kept of the old client is not believed any more
    assert_eq!(call(&world, &key).await, (409, "needs_reauth".to_owned()));
    let rows = world.connections().await;
    assert_eq!((&rows[0]["state"], &rows[0]["stateReason"]), (&json!("needs_reauth"), &json!("client_replaced")));

    // and whoever connects now is connected with the new one
    let again = connected(&world, &server, "unknown").await;
    let token = server.last("/token");
    let basic = shared::http::basic_credentials(token.header("authorization").unwrap()).unwrap();
    assert_eq!(basic.0, "client-3");
    assert_eq!(call(&world, &again).await.0, 200);
}

#[tokio::test]
async fn of_many_processes_one_registers() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    discovered(&world, &server).await;
    let key = connected(&world, &server, "unknown").await;
    server.turn(|knobs| knobs.clients.clear());
    world.turn(Duration::from_hours(2));
    call(&world, &key).await;
    let notes = world.server.app.journal.forgotten(world.server.app.clock.now()).await.unwrap();
    assert_eq!(notes.len(), 1);
    let apps: Vec<_> = (0..8).map(|_| crate::world::instance(&world)).collect();
    let looks = apps.iter().map(|app| app.look_into(&notes[0].forgotten));
    let looked = futures_util::future::join_all(looks).await;
    let replaced = looked.iter().filter(|looked| matches!(looked, Ok(Looked::Replaced))).count();
    assert_eq!(replaced, 1, "{looked:?}");
    assert_eq!(server.turn(|knobs| knobs.registered), 3, "two at first, and one more");
}

#[tokio::test]
async fn a_client_that_its_server_still_knows_stays() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    discovered(&world, &server).await;
    let key = connected(&world, &server, "unknown").await;
    world.turn(Duration::from_hours(2));
    let known = server.turn(|knobs| std::mem::take(&mut knobs.clients));
    assert_eq!(call(&world, &key).await, (502, "provider_refused".to_owned()));
    server.turn(|knobs| knobs.clients = known); // it was only out of its mind for a moment
    assert_eq!(world.keep().await.registered, 0);
    assert_eq!(server.turn(|knobs| knobs.registered), 2);
    assert_eq!(in_form(&server.last("/token"), "grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(call(&world, &key).await.0, 200, "nothing was lost");
}

#[tokio::test]
async fn discovering_again_finds_out_that_a_client_is_forgotten() {
    for managed in [true, false] {
        let (world, server) = (World::new().await, AuthorizationServer::new().await);
        server.turn(|knobs| knobs.managed = managed);
        discovered(&world, &server).await;
        server.turn(|knobs| knobs.clients.clear());
        let again = discovered(&world, &server).await;
        let ids = [&again["clients"]["test"]["client_id"], &again["clients"]["live"]["client_id"]];
        assert_eq!(ids, [&json!("client-3"), &json!("client-4")]);
        assert_eq!(discovered(&world, &server).await["clients"], again["clients"]);
    }
}

#[tokio::test]
async fn the_server_has_the_last_word_on_how_its_client_proves_itself() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    server.turn(|knobs| {
        knobs.answer = json!({ "token_endpoint_auth_method": "client_secret_post", "client_secret_expires_at": 1_900_000_000 });
    });
    let made = discovered(&world, &server).await;
    assert_eq!(made["definition"]["oauth2"]["token_endpoint_auth_method"], "client_secret_post");
    assert_eq!(made["registrations"]["test"]["client_secret_expires_at"], 1_900_000_000);
    connected(&world, &server, "unknown").await;
    assert_eq!(in_form(&server.last("/token"), "client_secret").as_deref(), Some("canary-registered-1"));
    assert_eq!(discovered(&world, &server).await["outcome"], "unchanged");
}

#[tokio::test]
async fn a_server_that_refuses_to_register_is_named_and_nothing_stays() {
    use axum::http::StatusCode;
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    server.instead("/register", || {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_redirect_uri" }))).into_response()
    });
    let refused = world.discover(&json!({ "issuer": server.url(), "id": "unknown" })).await;
    assert_eq!(refused.refusal(), (502, "provider_refused".to_owned()));
    let said = refused.member("error_description");
    assert!(said.contains("/register") && said.contains("invalid_redirect_uri"), "{said}");
    let path = format!("/v1/admin/projects/{}/connectors", world.project());
    assert_eq!(world.root("GET", &path, None).await.json()["total"], 0);
    server.turn(|knobs| knobs.instead.clear());
    discovered(&world, &server).await; // and the lease is free
}

/// RFC 7591 §3.2.1: a server may register something else than it was asked for.
#[tokio::test]
async fn a_registration_that_can_not_be_used_is_none() {
    let (world, server) = (World::new().await, AuthorizationServer::new().await);
    let without_secret = "the client was registered to prove itself by a secret, and none came with it";
    let elsewhere = "the client was registered without the redirect URI that was asked for";
    for (answer, why) in [
        (json!({ "client_secret": null, "token_endpoint_auth_method": "client_secret_basic" }), without_secret),
        (json!({ "redirect_uris": ["https://elsewhere.example/back"] }), elsewhere),
        (json!({ "redirect_uris": [] }), elsewhere),
    ] {
        server.turn(|knobs| knobs.answer = answer.clone());
        let refused = world.discover(&json!({ "issuer": server.url(), "id": "unknown" })).await;
        assert_eq!(refused.refusal(), (502, "provider_invalid_response".to_owned()), "{answer}");
        assert!(refused.member("error_description").contains(why), "{answer}: {}", refused.text());
    }
    // a client of whose secret nothing is said has none
    server.turn(|knobs| knobs.answer = json!({ "client_secret": null, "token_endpoint_auth_method": null }));
    let made = discovered(&world, &server).await;
    assert_eq!(made["definition"]["oauth2"]["token_endpoint_auth_method"], "none");
    assert_eq!(made["found"][0], "the client proves itself by none");
}

/// What an operator wrote is not overruled by a server that registers a client of another kind.
#[tokio::test]
async fn a_client_that_proves_itself_otherwise_than_its_connector_is_not_taken() {
    for answer in [json!({ "client_id": "x" }), json!({ "client_id": "x", "token_endpoint_auth_method": "none" })] {
        let server = Fake::start(move |_: &Seen| Json(answer.clone()).into_response()).await;
        let (world, url) = (World::new().await, &server.url);
        let definition = json!({
            "name": "By hand",
            "oauth2": {
                "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
                "registration": { "endpoint": format!("{url}/register") },
            },
            "api": { "base_url": url },
        });
        world.custom("by-hand", &definition, false).await;
        let path = format!("/v1/admin/projects/{}/environments/test/connectors/by-hand", world.project());
        let put = world.call("PUT", &path).bearer(&world.server.root_key).json(&json!({}));
        let refused = put.send().await;
        assert_eq!(refused.refusal(), (502, "provider_invalid_response".to_owned()));
        let why = "the client was registered with another way to prove itself than the connector's";
        assert!(refused.member("error_description").contains(why), "{}", refused.text());
    }
}

/// As Mastodon does it: a form, names of its own, and a host that the operator chooses.
#[tokio::test]
async fn a_server_whose_host_the_operator_chooses_gets_its_own_client() {
    let instance = Fake::start(|_: &Seen| {
        Json(json!({ "id": "1", "name": "x", "client_id": "app-1", "client_secret": "canary-app-secret" }))
            .into_response()
    })
    .await;
    let world = World::new().await;
    let host = instance.url.trim_start_matches("http://").to_owned();
    let definition = json!({
        "name": "Federated",
        "settings": [{ "name": "unused", "label": "Unused", "optional": true }],
        "oauth2": {
            "authorization_endpoint": format!("http://{host}/oauth/authorize"),
            "token_endpoint": format!("http://{host}/oauth/token"),
            "scopes": ["read:accounts", "profile"],
            "registration": { "endpoint": format!("http://{host}/api/v1/apps"), "body": "form", "parameter_names": { "scope": "scopes" } },
        },
        "api": { "base_url": format!("http://{host}") },
    });
    world.custom("federated", &definition, false).await;
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/federated", world.project());
    // switched off, it needs none
    let off = world.root("PUT", &path, Some(&json!({ "enabled": false }))).await.json();
    assert_eq!((&off["client_id"], instance.seen().len()), (&json!(null), 0));
    let put = world.root("PUT", &path, Some(&json!({}))).await.json();
    assert_eq!((&put["client_id"], &put["ready"]), (&json!("app-1"), &json!(true)));
    let seen = &instance.seen()[0];
    assert_eq!(
        (seen.target.as_str(), in_form(seen, "scopes").as_deref()),
        ("/api/v1/apps", Some("read:accounts profile"))
    );
    assert_eq!(in_form(seen, "redirect_uris"), put["redirect_uri"].as_str().map(str::to_owned));
    assert_eq!(in_form(seen, "client_name").as_deref(), Some("Orbit CRM"));
    // a client of the operator's own takes its place and stays
    world.root("PUT", &path, Some(&json!({ "client_id": "own", "client_secret": "canary-own-secret" }))).await;
    assert_eq!(world.root("PUT", &path, Some(&json!({ "order": 3 }))).await.json()["client_id"], "own");
    assert_eq!(instance.seen().len(), 1);
}

/// A federation: each name before `fedi.localhost` is a server of its own, with clients of its own.
fn server(seen: &Seen) -> Response {
    // one of them gives itself out for another
    let host = seen.header("host").unwrap().split('.').next().unwrap().replace("mimic", "one");
    let path = seen.target.split('?').next().unwrap();
    match path {
        "/apps" => Json(json!({ "client_id": format!("client-{host}"), "client_secret": format!("canary-{host}") })),
        // a server that was set up anew
        "/token" if host == "reborn" && String::from_utf8_lossy(&seen.body).contains("refresh_token=") => {
            return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
        }
        "/token" => Json(
            json!({ "access_token": format!("at-{host}"), "refresh_token": format!("rt-{host}"), "token_type": "Bearer", "expires_in": 3600 }),
        ),
        _ => Json(json!({ "id": format!("ada@{host}"), "name": "Ada" })),
    }
    .into_response()
}

async fn federation(effect: &str) -> (World, Fake, String) {
    federation_of(Fake::start(server).await, effect).await
}

/// One whose servers number their clients.
async fn numbered_federation() -> (World, Fake, String) {
    let clients = AtomicUsize::new(0);
    let fake = Fake::start(move |seen: &Seen| match seen.target.as_str() {
        "/apps" => {
            let number = clients.fetch_add(1, Ordering::Relaxed) + 1;
            let client =
                json!({ "client_id": format!("client-{number}"), "client_secret": format!("canary-{number}") });
            Json(client).into_response()
        }
        _ => server(seen),
    });
    federation_of(fake.await, "token").await
}

async fn federation_of(fake: Fake, effect: &str) -> (World, Fake, String) {
    let at = format!("http://{{instance}}.fedi.localhost:{}", fake.url.rsplit(':').next().unwrap());
    let definition = json!({
        "name": "Federation",
        "inputs": [{ "name": "instance", "label": "Server", "pattern": "[a-z]+" }],
        "oauth2": {
            "authorization_endpoint": format!("{at}/authorize"),
            "token_endpoint": format!("{at}/token"),
            "token_endpoint_auth_method": "client_secret_post",
            "scopes": ["read"],
            "registration": { "endpoint": format!("{at}/apps") },
        },
        "api": { "base_url": at, "headers": { "X-App": "{client_secret}" } }, // of the client at that server
        "profile": { "url": format!("{at}/me"), "account_id": "id", "label": "name" },
        "revoke": { "url": format!("{at}/revoke"), "params": { "token": "{refresh_token}" }, "effect": effect },
    });
    let world = World::new().await;
    world.custom("federation", &definition, false).await;
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/federation", world.project());
    let put = world.root("PUT", &path, Some(&json!({}))).await.json();
    assert_eq!((&put["client_id"], &put["ready"]), (&Value::Null, &json!(true)), "there is nothing to register yet");
    (world, fake, path)
}

/// A person names a server and consents there.
async fn named(world: &World, user: &str, instance: &str) -> String {
    let browser = world.browser();
    let begun = world.get(&format!("/connectors/federation/oauth/authorize?userId={user}&instance={instance}")).await;
    let start = begun.member("authorizationUrl");
    let there = browser.open(&start).await.location();
    assert!(there.starts_with(&format!("http://{instance}.fedi.localhost:")), "{there}");
    let client = format!("client-{}", instance.replace("mimic", "one"));
    assert_eq!(query(&there, "client_id"), Some(client), "{there}");
    let (back, state) = (query(&there, "redirect_uri").unwrap(), query(&there, "state").unwrap());
    browser.open(&format!("{back}?code=good&state={state}")).await;
    world.confirm(&browser, &Attempt::of(&start)).await;
    let rows = world.connections().await;
    let named = |row: &&Value| row["identity"] == user;
    rows.iter().find(named).unwrap_or_else(|| panic!("{user} has no connection in {rows:?}"))["key"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_server_that_a_person_names_gets_a_client_of_its_own_and_no_other() {
    let (world, fake, path) = federation("token").await;
    let first = named(&world, "user-1", "one").await;
    let second = named(&world, "user-2", "one").await;
    let evil = named(&world, "user-3", "evil").await;
    let asked = |path: &str| fake.seen().into_iter().filter(|seen| seen.target == path).collect::<Vec<_>>();
    let registered: Vec<_> =
        asked("/apps").iter().map(|seen| seen.header("host").unwrap().split('.').next().unwrap().to_owned()).collect();
    assert_eq!(registered, ["one", "evil"], "once for each server, whoever names it");

    world.turn(Duration::from_hours(2)); // the access tokens have ended
    for key in [&first, &second, &evil] {
        let call = world.api("GET", "/v1/passthrough/federation/me").header("x-one-connection-key", key).send().await;
        assert_eq!(call.status, 200, "{}", call.text());
        let gone = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await;
        assert_eq!(gone.json()["revocation"], "revoked", "{}", gone.text());
    }
    assert_eq!((asked("/token").len(), asked("/revoke").len()), (6, 3));
    for seen in asked("/token").iter().chain(&asked("/revoke")) {
        let host = seen.header("host").unwrap().split('.').next().unwrap();
        assert_eq!(in_form(seen, "client_id"), Some(format!("client-{host}")), "{}", seen.target);
        assert_eq!(in_form(seen, "client_secret"), Some(format!("canary-{host}")), "{}", seen.target);
    }
    for ((table, key), item) in world.dump().await {
        assert!(!item.contains("canary"), "a secret stands in {table} {key}: {item}");
    }

    // a client of the operator's would be sent to whatever a person names
    let own = json!({ "client_id": "own", "client_secret": "canary-own" });
    let refused = world.call("PUT", &path).bearer(&world.server.root_key).json(&own).send().await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    for instance in ["evil.example", "evil.example%2F.vendor.com", "vendor.com%40evil", "a:1", ""] {
        let path = format!("/connectors/federation/oauth/authorize?userId=user-1&instance={instance}");
        assert_eq!(world.get(&path).await.status, 400, "{instance}");
    }
    assert_eq!(asked("/apps").len(), 2);
}

#[tokio::test]
async fn a_client_at_a_named_server_is_made_anew_when_more_is_asked_for() {
    let (world, fake, path) = federation("token").await;
    named(&world, "user-1", "one").await;
    let registrations = || fake.seen().iter().filter(|seen| seen.target == "/apps").count();
    world.root("PUT", &path, Some(&json!({ "scopes": ["read", "write"] }))).await;
    world.turn(Duration::from_mins(1)); // settings are kept that long
    named(&world, "user-2", "one").await;
    assert_eq!(registrations(), 2, "it may not ask for what it was not registered for");
    world.root("PUT", &path, Some(&json!({ "scopes": ["write"] }))).await;
    world.turn(Duration::from_mins(1));
    named(&world, "user-3", "one").await;
    assert_eq!(registrations(), 2);
}

#[tokio::test]
async fn a_server_that_gives_itself_out_for_another_keeps_nobodys_grant_alive() {
    let (world, fake, _) = federation("grant").await;
    let real = named(&world, "user-1", "one").await;
    named(&world, "user-2", "mimic").await; // the same client and account, as it says
    let gone = world.api("DELETE", &format!("/v1/vault/connections/{real}")).send().await;
    assert_eq!(gone.json()["revocation"], "revoked", "{}", gone.text());
    let seen = fake.seen();
    let revoked: Vec<_> =
        seen.iter().filter(|seen| seen.target == "/revoke").filter_map(|seen| seen.header("host")).collect();
    assert!(revoked.len() == 1 && revoked[0].starts_with("one."), "{revoked:?}");
}

#[tokio::test]
async fn a_client_that_a_named_server_forgot_is_registered_anew_and_its_connections_say_so() {
    let (world, fake, _) = federation("token").await;
    let registrations = || fake.seen().iter().filter(|seen| seen.target == "/apps").count();
    let first = named(&world, "user-1", "reborn").await;
    world.turn(Duration::from_hours(2));
    let call = world.api("GET", "/v1/passthrough/federation/me").header("x-one-connection-key", &first);
    assert_eq!(call.send().await.refusal().1, "needs_reauth");
    let told = world.get(&format!("/v1/vault/connections/{first}")).await.json();
    assert_eq!((&told["state"], &told["stateReason"]), (&json!("needs_reauth"), &json!("client_replaced")), "{told}");
    assert_eq!((world.keep().await.failed, registrations()), (0, 1));
    named(&world, "user-2", "reborn").await;
    assert_eq!(registrations(), 2);
}

#[tokio::test]
async fn a_client_at_a_named_server_is_forgotten_when_nobody_names_it_and_its_connections_are_not() {
    let days = |count: u64| Duration::from_hours(24 * count);
    let (world, fake, _) = federation("token").await;
    let registrations = || fake.seen().iter().filter(|seen| seen.target == "/apps").count();
    let first = named(&world, "user-1", "one").await;
    world.turn(days(60));
    named(&world, "user-2", "one").await; // from here on it is kept for 90 days again
    world.turn(days(60));
    named(&world, "user-3", "one").await;
    assert_eq!(registrations(), 1);
    world.turn(days(100));
    named(&world, "user-4", "one").await;
    assert_eq!(registrations(), 2);
    let call = world.api("GET", "/v1/passthrough/federation/me").header("x-one-connection-key", &first).send().await;
    assert_eq!(call.status, 200, "a connection has the client that it was made with: {}", call.text());
    for ((table, key), item) in world.dump().await {
        let is_one = key.contains("server#");
        assert!(!is_one || item.contains("ttl"), "it has no end: {table} {key}");
    }
}

#[tokio::test]
async fn who_is_at_a_named_server_with_a_client_that_is_replaced_meanwhile_still_connects() {
    let (world, fake, path) = numbered_federation().await;
    let browser = world.browser();
    let begun = world.get("/connectors/federation/oauth/authorize?userId=user-1&instance=one").await;
    let start = begun.member("authorizationUrl");
    let there = browser.open(&start).await.location();
    assert_eq!(query(&there, "client_id").as_deref(), Some("client-1"));
    world.root("PUT", &path, Some(&json!({ "scopes": ["read", "write"] }))).await;
    world.turn(Duration::from_mins(1)); // settings are kept that long
    let other = world.get("/connectors/federation/oauth/authorize?userId=user-2&instance=one").await;
    let other = world.browser().open(&other.member("authorizationUrl")).await.location();
    assert_eq!(query(&other, "client_id").as_deref(), Some("client-2"));

    let (back, state) = (query(&there, "redirect_uri").unwrap(), query(&there, "state").unwrap());
    browser.open(&format!("{back}?code=good&state={state}")).await;
    world.confirm(&browser, &Attempt::of(&start)).await;
    assert_eq!(world.connections().await.len(), 1);
    let asked: Vec<_> = fake.seen().into_iter().filter(|seen| seen.target == "/token").collect();
    assert_eq!(in_form(&asked[0], "client_secret").as_deref(), Some("canary-1"), "its own");
}
