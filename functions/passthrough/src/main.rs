//! Calls a provider's API with a connection's credentials. The answer is streamed.
use std::sync::Arc;

use passthrough::Passthrough;
use shared::{
    app::{Ahead, App},
    lambda, telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let app = Arc::new(App::from_env()?); // settings only; a missing one stops the start and is named
    app.prefetch(&[Ahead::Ring]).await; // at most a second; a failure is logged and retried at first use
    lambda::serve_streaming(&app, Passthrough).await
}
