//! Settings: nobody's change is lost, and what is kept is at most thirty seconds old.

use std::{sync::Arc, time::Duration};

use admin::Admin;
use futures_util::future::join_all;
use shared::{
    app::App,
    aws,
    error::Error,
    http::{Request, answer},
    id::{ConnectorId, Environment, Role},
    secret::ClientSecret,
    secrets::{ClientsSecret, ProviderClient},
    store::settings::{KEPT, Key},
};

use crate::{store_grants::race, store_world::World};

const ADMINS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_admins_who_change_a_project_at_once_lose_nothing() {
    let world = World::new().await;
    let saved = race(ADMINS, |admin| {
        let (app, project) = (Arc::clone(&world.app), world.project.clone());
        async move {
            let origin = format!("https://{admin}.example");
            app.settings
                .update_project(&project, |project| project.allowed_origins.push(origin.clone()))
                .await
                .map(drop)
        }
    })
    .await;
    for (admin, saved) in saved.iter().enumerate() {
        assert!(saved.is_ok(), "admin {admin}: {saved:?}");
    }
    let key = Key::Project(world.project.clone());
    let project = world.app.settings.read_fresh(&[key]).await.unwrap().project(&world.project).unwrap().unwrap();
    let mut origins = project.allowed_origins;
    origins.sort();
    let mut expected: Vec<_> = (0..ADMINS).map(|admin| format!("https://{admin}.example")).collect();
    expected.push("https://orbit.example".to_owned());
    expected.sort();
    assert_eq!(origins, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_admins_who_store_provider_clients_at_once_lose_nothing() {
    let world = World::new().await;
    let live = ClientsSecret::Project(world.project.clone(), Environment::Live);
    let connector = |admin: usize| ConnectorId::parse(&format!("provider-{admin}")).unwrap();
    for secret in [live, ClientsSecret::Default] {
        // each in a process of its own, and the first ones find no secret there yet
        let saved = race(ADMINS, |admin| {
            let (app, secret, connector) = (world.another_process(), secret.clone(), connector(admin));
            async move {
                let client = ProviderClient {
                    client_id: format!("client {admin}"),
                    client_secret: Some(ClientSecret::from(format!("secret {admin}"))),
                    ..ProviderClient::default()
                };
                let token = || shared::secret::Bearer::random(&app.random).expose().to_owned();
                app.secrets.put_provider_client(&secret, &connector, Some(&client), token).await
            }
        })
        .await;
        for (admin, saved) in saved.iter().enumerate() {
            assert!(saved.is_ok(), "admin {admin}: {saved:?}");
        }
        for admin in 0..ADMINS {
            let client = world
                .app
                .secrets
                .provider_client(&secret, &connector(admin), &format!("client {admin}"), world.hands.now())
                .await
                .unwrap();
            assert_eq!(client.client_secret, Some(ClientSecret::from(format!("secret {admin}"))), "{secret:?}");
        }
    }
}

#[tokio::test]
async fn keys_that_repeat_are_read_once_and_all_that_is_missing_in_one_call() {
    let world = World::new().await;
    let app = world.another_process();
    let (project, client) = (Key::Project(world.project.clone()), Key::Client(world.client.clone()));
    world.dynamodb.take_calls();
    let keys = [project.clone(), client.clone(), project.clone(), Key::Deployment, project.clone(), client];
    let read = app.settings.read(&keys, world.hands.now()).await.unwrap();
    assert!(read.project(&world.project).unwrap().is_some());
    assert!(read.client(&world.client).unwrap().is_some());
    assert_eq!(read.deployment().base_url.as_deref(), Some("https://mooring.example"));
    assert_eq!(world.dynamodb.take_calls(), ["BatchGetItem settings"]);
    let fresh = app.settings.read_fresh(&[project.clone(), project]).await.unwrap();
    assert!(fresh.project(&world.project).unwrap().is_some());
}

/// A request with the world's key.
fn request(world: &World) -> Request {
    let headers = vec![("authorization".to_owned(), format!("Bearer {}", world.key))];
    Request::new("GET", "/".to_owned(), String::new(), headers, Vec::new().into(), "r".to_owned())
}

#[tokio::test]
async fn a_revoked_app_client_is_refused_within_thirty_seconds() {
    let world = World::new().await;
    let app = world.another_process();
    let refused = |result: Result<_, Error>| matches!(result.map(drop), Err(Error::Unauthenticated { .. }));
    assert!(app.caller(&request(&world), &[Role::Use]).await.is_ok());
    world.app.settings.revoke_client(&world.client, world.hands.now()).await.unwrap();
    assert!(refused(world.app.caller(&request(&world), &[Role::Use]).await), "at once where it was revoked");

    world.dynamodb.take_calls();
    world.hands.turn_almost(KEPT);
    assert!(app.caller(&request(&world), &[Role::Use]).await.is_ok(), "elsewhere what is kept is still believed");
    assert!(world.dynamodb.take_calls().is_empty());
    world.hands.turn(Duration::from_millis(1));
    assert!(refused(app.caller(&request(&world), &[Role::Use]).await));
    assert_eq!(world.dynamodb.take_calls(), ["BatchGetItem settings"]);
}

#[tokio::test]
async fn what_is_not_there_is_remembered_no_longer_than_what_is() {
    let world = World::new().await;
    let app = world.another_process();
    let key = Key::Connector(world.project.clone(), Environment::Live, ConnectorId::parse("vendor").unwrap());
    let found = async || {
        app.settings.read(std::slice::from_ref(&key), world.hands.now()).await.unwrap().connector(&key).unwrap()
    };
    assert_eq!(found().await, None);
    world.app.settings.put_connector(&key, &shared::store::settings::ConnectorSettings::default()).await.unwrap();
    assert_eq!(found().await, None);
    world.hands.turn(KEPT);
    assert!(found().await.is_some());
}

#[tokio::test]
async fn a_provider_client_s_secret_that_was_changed_is_in_use_within_thirty_seconds() {
    let world = World::new().await;
    let app = world.another_process();
    let (own, vendor) =
        (ClientsSecret::Project(world.project.clone(), Environment::Test), ConnectorId::parse("vendor").unwrap());
    let secret = async || {
        app.secrets.provider_client(&own, &vendor, "mooring", world.hands.now()).await.unwrap().client_secret.unwrap()
    };
    assert_eq!(secret().await.expose(), "provider-client-secret");
    let changed = ProviderClient {
        client_id: "mooring".to_owned(),
        client_secret: Some(ClientSecret::from("changed".to_owned())),
        ..ProviderClient::default()
    };
    world.app.secrets.put_provider_client(&own, &vendor, Some(&changed), || world.token()).await.unwrap();
    world.secrets.take_calls();
    assert_eq!(secret().await.expose(), "provider-client-secret");
    assert!(world.secrets.take_calls().is_empty());
    world.hands.turn(KEPT);
    assert_eq!(secret().await.expose(), "changed");
    assert_eq!(world.secrets.take_calls().len(), 1);
}

/// The status that a list of connectors gets with this key.
async fn list_connectors(app: &Arc<App>, key: &str) -> u16 {
    let headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
    let path = "/v1/admin/connectors".to_owned();
    let request = Request::new("GET", path, String::new(), headers, "".into(), "r".to_owned());
    answer(app, request, &Admin).await.status
}

#[tokio::test]
async fn whoever_guesses_at_the_root_key_costs_one_fetch_in_thirty_seconds() {
    let world = World::new().await;
    for _ in 0..2 {
        world.secrets.take_calls();
        let guesses: [_; 10] = std::array::from_fn(|guess| format!("guess-{guess}"));
        for status in join_all(guesses.iter().map(|guess| list_connectors(&world.app, guess))).await {
            assert_eq!(status, 401);
        }
        assert_eq!(world.secrets.take_calls(), ["GetSecretValue root-key"]);
        world.hands.turn_almost(KEPT);
        assert_eq!(list_connectors(&world.app, "guess").await, 401);
        assert_eq!(world.secrets.take_calls(), [""; 0]);
        world.hands.turn(Duration::from_millis(1));
    }
}

#[tokio::test]
async fn a_root_key_that_was_changed_works_everywhere_within_thirty_seconds_and_the_old_one_nowhere() {
    let world = World::new().await;
    let secrets = aws::secrets_manager(&world.app.config.aws, &aws::http_client(aws::tls()).unwrap());
    let name = &world.app.config.secrets.root_key;
    let set = async |text: &str| {
        secrets.put_secret_value().secret_id(name).secret_string(text).send().await.unwrap();
    };
    set("the old one").await;
    assert_eq!(list_connectors(&world.app, "the old one").await, 200);
    set("the new one").await;
    world.hands.turn(KEPT);
    assert_eq!(list_connectors(&world.app, "the new one").await, 200);
    assert_eq!(list_connectors(&world.app, "the old one").await, 401);
}
