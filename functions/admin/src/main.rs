//! The settings: who may ask for what, and which providers are offered to whom.
use std::sync::Arc;

use admin::Admin;
use shared::{app::App, lambda, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let app = Arc::new(App::from_env()?); // settings only; a missing one stops the start and is named
    app.prefetch(&[]).await; // nothing is sealed or signed here; at most a second, a failure is logged
    lambda::serve(&app, Admin).await
}
