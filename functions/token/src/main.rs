//! The token endpoint (RFC 6749 §3.2), its metadata, and what lets a browser start.
use std::sync::Arc;

use shared::{
    app::{Ahead, App},
    lambda, telemetry,
};
use token::Token;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let app = Arc::new(App::from_env()?); // settings only; a missing one stops the start and is named
    app.prefetch(&[Ahead::SigningKey]).await; // at most a second; a failure is logged and retried at first use
    lambda::serve(&app, Token).await
}
