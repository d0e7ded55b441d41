//! The redirection endpoint (RFC 6749 §3.1.2), and the redemption of what it hands out.
use std::sync::Arc;

use callback::Callback;
use shared::{
    app::{Ahead, App},
    lambda, telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let app = Arc::new(App::from_env()?); // settings only; a missing one stops the start and is named
    app.prefetch(&[Ahead::Ring, Ahead::SecondConnection]).await; // at most a second; a failure is logged and retried at first use
    lambda::serve(&app, Callback).await
}
