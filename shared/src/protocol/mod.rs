//! OAuth 2.0 and the connectors' variations of it: no I/O, no clock, no randomness.
//!
//! Each exchange has three steps and only the middle one touches the network: **build** an `http::Request`, send it
//! ([`crate::egress`]), **judge** the `http::Response`.

pub mod account;
mod answer;
pub mod assertion;
pub mod authorization;
pub mod callback_signature;
pub mod connector;
pub mod credentials;
pub mod device;
pub mod dpop;
pub mod id_token;
pub mod jwt;
pub mod login;
pub mod metadata;
pub mod oauth1;
pub mod operator;
pub mod origins;
mod place;
pub mod pushed;
pub mod registration;
pub mod renewal;
pub mod request;
pub mod return_address;
pub mod revocation;
pub mod scope;
pub mod signing;
pub mod template;
pub mod token;
