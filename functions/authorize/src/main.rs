//! The authorization request (RFC 6749 §4.1.1): an attempt and a URL of ours, and the redirect to the provider.
use std::sync::Arc;

use authorize::Authorize;
use shared::{
    app::{Ahead, App},
    lambda, telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let app = Arc::new(App::from_env()?); // settings only; a missing one stops the start and is named
    app.prefetch(&[Ahead::Ring]).await; // at most a second; a failure is logged and retried at first use
    lambda::serve(&app, Authorize).await
}
