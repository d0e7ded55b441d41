//! What runs until the server stops.

use std::time::Duration;

use axum::Router;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// Listeners and what happens every minute.
#[derive(Default)]
pub struct Tasks {
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

impl Tasks {
    /// Answers there.
    pub fn serve(&mut self, listener: TcpListener, router: Router) {
        let shutdown = until(self.stop.subscribe());
        self.running.spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(shutdown).await {
                tracing::error!(%error, "a listener stopped");
            }
        });
    }

    /// Does this now, and every minute from now on.
    pub fn every_minute<F>(&mut self, work: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stopped = self.stop.subscribe();
        self.running.spawn(async move {
            let mut minute = tokio::time::interval(Duration::from_mins(1));
            loop {
                tokio::select! {
                    () = until(stopped.clone()) => return,
                    _ = minute.tick() => work().await,
                }
            }
        });
    }

    /// Lets every request that is under way finish, for at most five seconds, and stops.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(5), all).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // an error means that the server itself is gone, which is as good
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
