//! For tests: failures on demand, and a count of what has happened.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::http::StatusCode;

use crate::demo::refusal::Refusal;

/// An endpoint that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /oauth/token`
    Token,
    /// `POST /oauth/revoke`
    Revoke,
    /// `GET /api/me`
    Profile,
}

/// Failures that are still to come.
#[derive(Default)]
pub struct Faults {
    planned: Mutex<VecDeque<(Endpoint, StatusCode)>>,
}

impl Faults {
    /// Adds a failure.
    pub fn plan(&self, endpoint: Endpoint, status: StatusCode) {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner).push_back((endpoint, status));
    }

    /// Fails if a failure is due, which uses it up.
    pub fn strike(&self, endpoint: Endpoint) -> Result<(), Refusal> {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        let due = planned.iter().position(|(at, _)| *at == endpoint).and_then(|index| planned.remove(index));
        match due {
            Some((_, status)) => Err(Refusal::new(status, "temporarily_unavailable", "this failure was asked for")),
            None => Ok(()),
        }
    }
}

/// How often something has happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Codes turned into tokens.
    pub code_redemptions: u64,
    /// Refresh tokens turned into new ones.
    pub refresh_redemptions: u64,
    /// Revocation requests answered with 200, also for tokens that were gone already.
    pub revocations: u64,
}

/// Counts as they grow.
#[derive(Default)]
pub struct Counters {
    pub code_redemptions: AtomicU64,
    pub refresh_redemptions: AtomicU64,
    pub revocations: AtomicU64,
}

impl Counters {
    /// The counts at this moment.
    pub fn read(&self) -> Counts {
        Counts {
            code_redemptions: self.code_redemptions.load(Ordering::Relaxed),
            refresh_redemptions: self.refresh_redemptions.load(Ordering::Relaxed),
            revocations: self.revocations.load(Ordering::Relaxed),
        }
    }
}

/// Counts one more.
pub fn tally(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
