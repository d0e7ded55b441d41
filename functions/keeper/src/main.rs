//! The keeper: a schedule calls it every minute.
use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::IgnoredAny;
use shared::{
    app::{Ahead, App},
    clock::Timestamp,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let app = &Arc::new(App::from_env()?); // settings only; a missing one stops the start and is named
    app.prefetch(&[Ahead::Ring]).await; // at most a second; a failure is logged and retried at first use
    lambda_runtime::run(service_fn(|event: LambdaEvent<IgnoredAny>| async move {
        let deadline = Timestamp::from_millis(event.context.deadline);
        Ok::<_, Error>(keeper::keep(app, Some(deadline)).await.map(drop)?)
    }))
    .await
}
