//! Requests that carry a signature in place of a token, or beside one.

pub mod aws;
pub mod sorted;
