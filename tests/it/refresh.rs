//! Refresh.
pub mod provider;
