//! A user who is deleted while a connection is on its way gets none, although another process does not know it yet.

use std::sync::Arc;

use authorize::Authorize;
use callback::Callback;
use connect::Connect;
use serde_json::json;
use shared::{
    app::App,
    http::{Handler, Request, answer},
    id::{Environment, Identity, IdentityType},
};

use crate::{refresh::Told, store_world::World};

/// A process that has just seen that Ada was not deleted, which she is from now on.
async fn late_process(world: &World) -> Arc<App> {
    let (app, ada) = (world.another_process(), Identity::parse("ada", IdentityType::User).unwrap());
    let known = async || app.must_not_be_deleted(&world.project, Environment::Test, Some(&ada)).await;
    known().await.unwrap();
    let settings = &world.app.settings;
    settings.mark_user_deleted(&world.project, Environment::Test, &ada, world.hands.now()).await.unwrap();
    known().await.unwrap();
    app
}

async fn is_told(app: &Arc<App>, request: Request, handler: &impl Handler) {
    let path = request.path.clone();
    let told = Told::of(answer(app, request, handler).await).await;
    // on a page it stands in words alone
    let error = told.body.get("error").map_or("user_not_found", |error| error.as_str().unwrap());
    assert_eq!((told.status, error), (404, "user_not_found"), "{path}: {told:?}");
}

/// What is in the table of connections.
async fn stored(world: &World) -> usize {
    let scan = world.client().scan().table_name(&world.app.config.tables.connections).consistent_read(true);
    scan.send().await.unwrap().items().len()
}

#[tokio::test]
async fn a_grant_that_was_held_for_a_deleted_user_is_revoked_and_not_completed() {
    for route in ["the app completes", "the person confirms", "callback, bound at the start"] {
        let world = World::new().await;
        let request = world.request(route).await;
        let app = late_process(&world).await;
        match route {
            "the person confirms" => is_told(&app, request, &Connect).await,
            _ => is_told(&app, request, &Callback).await,
        }
        assert_eq!((stored(&world).await, world.provider.revocations()), (0, vec!["rt-0-0".to_owned()]), "{route}");
    }
}

#[tokio::test]
async fn a_key_that_the_app_brings_for_a_deleted_user_is_not_stored() {
    let world = World::new().await;
    let keyed = json!({
        "id": "keyed", "name": "Keyed", "inputs": [{ "name": "api_key", "label": "API key", "secret": true }],
        "api": { "base_url": "https://keyed.example", "credential": { "in": "header", "name": "X-API-Key", "value": "{api_key}" } },
    });
    world.app.settings.put_custom(&world.project, &serde_json::from_value(keyed).unwrap()).await.unwrap();
    let app = late_process(&world).await;
    let body = |user: &str| json!({ "credentialType": "apiKey", "userId": user, "credentials": { "api_key": "k" } });
    let request = |user: &str| world.posting_json("/connectors/keyed/credentials", &body(user));
    is_told(&app, request("ada"), &Authorize).await;
    assert_eq!(stored(&world).await, 0);
    let told = Told::of(answer(&app, request("bob"), &Authorize).await).await;
    assert_eq!((told.status, stored(&world).await), (201, 1), "{told:?}");
}
