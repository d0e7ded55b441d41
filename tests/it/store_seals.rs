//! What is sealed opens in its own place alone, and stands nowhere else.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use shared::{
    error::{Error, VaultError},
    id::Environment,
    secret::Bearer,
};

use crate::{emulator::Fault, store_world::World};

#[tokio::test]
async fn sealed_bytes_copied_onto_another_connection_do_not_open() {
    let world = World::new().await;
    let (mine, yours) = (world.connection("vendor").await, world.connection("vendor").await);
    let copied = AttributeValue::B(mine.sealed.0.clone().into());
    let update = world.client().update_item().table_name(&world.app.config.tables.connections);
    let update =
        update.key("pk", AttributeValue::S(yours.connection.key.to_string())).update_expression("SET sealed = :sealed");
    update.expression_attribute_values(":sealed", copied).send().await.unwrap();

    let stored = world.app.connections.find(&yours.connection.key).await.unwrap().unwrap();
    assert_eq!(stored.sealed, mine.sealed);
    assert!(matches!(world.app.open_stored(stored).await, Err(Error::Vault(VaultError::DoesNotOpen))));
    assert!(world.app.open_stored(mine).await.is_ok());
}

#[tokio::test]
async fn a_foreign_ring_is_refused_before_it_seals_or_opens_anything() {
    let world = World::new().await;
    let stored = world.connection("vendor").await;
    let http = shared::aws::http_client(shared::aws::tls()).unwrap();
    let secrets = shared::aws::secrets_manager(&world.app.config.aws, &http);
    let seed = Bearer::random(&world.app.random).expose().to_owned();
    secrets.put_secret_value().secret_id(&world.app.config.secrets.ring_seed).secret_string(seed).send().await.unwrap();

    let started_later = world.another_process();
    let belongs = stored.connection.belongs();
    let foreign = |result: Result<(), Error>| matches!(result, Err(Error::Vault(VaultError::ForeignRing)));
    assert!(foreign(started_later.seal(&belongs, b"new").await.map(drop)));
    assert!(foreign(started_later.open(&belongs, &stored.sealed).await.map(drop)));
    assert!(world.app.open(&belongs, &stored.sealed).await.is_ok(), "who started with the right ring goes on");
}

#[tokio::test]
async fn the_ring_is_asked_for_again_while_secrets_manager_is_busy() {
    let world = World::new().await;
    let stored = world.connection("vendor").await;
    let belongs = stored.connection.belongs();
    for fault in [Fault::Broken, Fault::LostAnswer] {
        world.secrets.plan("GetSecretValue", "ring-seed", 2, fault);
        assert!(world.another_process().seal(&belongs, b"new").await.is_ok());
    }
    world.secrets.plan("GetSecretValue", "ring-seed", 9, Fault::Denied);
    let refused = world.another_process().seal(&belongs, b"new").await.unwrap_err();
    assert!(
        shared::error::chain(&refused).contains("AccessDeniedException (400)"),
        "{}",
        shared::error::chain(&refused)
    );
}

#[tokio::test]
async fn the_first_ring_is_the_only_one_however_many_start_at_once() {
    let world = World::new().await;
    let starts = crate::store_grants::race(20, |caller| {
        let app = world.another_process();
        async move { app.settings.claim_ring(&format!("ring {caller}")).await.unwrap() }
    })
    .await;
    assert!(starts.iter().all(|stands| *stands == starts[0]), "{starts:?}");
}

#[tokio::test]
async fn no_index_carries_what_is_sealed() {
    let world = World::new().await;
    let live = world.connection("vendor").await;
    let attempt = world.attempt("vendor");
    world.held(&attempt, None).await;
    let (client, table) = (world.client(), &world.app.config.tables.connections);
    let mut seen = BTreeMap::new();
    for index in ["owner", "project", "account", "due"] {
        let items = client.scan().table_name(table).index_name(index).send().await.unwrap().items.unwrap_or_default();
        for item in &items {
            for (name, value) in item {
                assert!(!matches!(value, AttributeValue::B(_)), "{index} carries the bytes {name}");
                assert!(!["sealed", "previous", "lease_owner"].contains(&name.as_str()), "{index} carries {name}");
            }
        }
        let mut keys: Vec<_> =
            items.iter().map(|item| item["pk"].as_s().unwrap().split('_').next().unwrap().to_owned()).collect();
        keys.sort();
        seen.insert(index, keys);
    }
    let expected = [
        ("account", vec!["conn", "held#att"]),
        ("due", vec!["held#att"]),
        ("owner", vec!["conn"]),
        ("project", vec!["conn"]),
    ];
    let expected: BTreeMap<_, Vec<String>> =
        expected.into_iter().map(|(i, k)| (i, k.into_iter().map(str::to_owned).collect())).collect();
    assert_eq!(seen, expected, "a held grant is in no list");

    let listed = world.app.connections.of_project(&world.project, Environment::Test).await.unwrap();
    assert_eq!(listed.into_iter().map(|(connection, _)| connection.key).collect::<Vec<_>>(), [live.connection.key]);
}
