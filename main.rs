//! The handlers and the flow, end to end, against everything running in the process on loopback.
//!
//! Each test has a world of its own, so there is no order between them; time is turned, never waited for.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod calls;
mod emulator;
mod refresh;
mod store_*;
