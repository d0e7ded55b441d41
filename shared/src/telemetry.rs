//! Logs: one JSON object a line on standard output, which Lambda hands to `CloudWatch`.
//!
//! What is logged are routes, ids, codes and causes. Paths, queries, headers and bodies are not: codes, states and
//! tokens stand there, and secrets are types that can't be formatted.

use tracing_subscriber::filter::LevelFilter;

/// Starts logging. Called once, first in `main`.
pub fn init() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(LevelFilter::INFO)
        .without_time() // Lambda stamps each line
        .init();
}
