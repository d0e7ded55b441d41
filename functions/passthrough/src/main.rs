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
    // settings and connection are read at once; at most a second, a failure is logged and retried at first use
    app.prefetch(&[Ahead::Ring, Ahead::SecondConnection]).await;
    lambda::serve_streaming(&app, Passthrough).await
}
