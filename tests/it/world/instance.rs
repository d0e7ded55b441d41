//! Another instance of the functions on the same data, as Lambda has many.

use std::sync::Arc;

use bytes::Bytes;
use connections::Connections;
use shared::{
    app::App,
    http::{Request, answer},
};

use super::World;

/// An instance of its own: it shares the tables and nothing else.
pub fn instance(world: &World) -> Arc<App> {
    let app = &world.server.app;
    Arc::new(App::new(app.config.clone(), app.catalog.clone(), app.clock.clone()).unwrap())
}

/// The status that a list of connections gets there.
pub async fn list_connections(app: &Arc<App>, bearer: &str) -> u16 {
    let headers = vec![("authorization".to_owned(), format!("Bearer {bearer}"))];
    let path = "/v1/vault/connections".to_owned();
    let request = Request::new("GET", path, String::new(), headers, Bytes::new(), "r".to_owned());
    answer(app, request, &Connections).await.status
}
