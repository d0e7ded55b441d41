//! A small world to try things in: Acme, a provider with accounts to connect, and Orbit CRM, a product that
//! connects them. Each is an HTTP service of its own origin and knows of Mooring only what the wire tells.
//! Neither is ever deployed.

pub mod app;
pub mod provider;

mod calendar;
mod page;
mod parameters;
mod refusal;
mod secret;
mod sessions;

use std::sync::Arc;

pub use secret::Secret;

/// Tells the time, in seconds since the epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Fills a buffer with random bytes, good enough for secrets.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;
