//! The catalogue, and what is connected.
use std::sync::Arc;

use connections::Connections;
use shared::{
    app::{Ahead, App},
    lambda, telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let app = Arc::new(App::from_env()?); // settings only; a missing one stops the start and is named
    app.prefetch(&[Ahead::Ring, Ahead::SecondConnection]).await; // deleting opens credentials; at most a second, a failure is logged
    lambda::serve(&app, Connections).await
}
