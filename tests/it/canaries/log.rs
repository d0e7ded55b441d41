//! What is logged, and what of it counts.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

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
