//! What is logged, and what of it counts.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing::{Dispatch, subscriber::DefaultGuard};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

/// What is logged, a line each.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// All that this thread logs from now on, for as long as the guards live.
    pub fn start() -> (Self, (DefaultGuard, Dispatch)) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(LevelFilter::TRACE)
            .with_writer(log.clone());
        let logging = tracing::subscriber::set_default(subscriber.finish());
        // with a single subscriber alive, tracing asks the thread at hand, and what another test's thread meets first would be
        // switched off for this one too; with two it asks both
        (log, (logging, Dispatch::new(tracing::subscriber::NoSubscriber::default())))
    }

    /// All that a deployed function writes (`INFO` and above), and all that our own code says at any level.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let ours = [
            "shared",
            "token",
            "authorize",
            "callback",
            "connect",
            "passthrough",
            "connections",
            "admin",
            "keeper",
            "local",
        ];
        let told = |line: &&str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let level = line["level"].as_str().unwrap();
            let target = line["target"].as_str().unwrap().split("::").next().unwrap();
            !matches!(level, "DEBUG" | "TRACE") || ours.contains(&target)
        };
        text.lines().filter(told).map(str::to_owned).collect()
    }
}
