//! What every function of Mooring shares.
//!
//! | module | holds |
//! |---|---|
//! | [`protocol`] | OAuth and the connectors' variations of it: pure |
//! | [`store`] | the four tables, one module per aggregate |
//! | [`flow`] | the steps between the two that several functions share |
//! | [`http`], [`routes`] | requests, answers, errors; what answers where, for whom |
//! | [`json`] | texts of JSON as our shapes |
//! | [`record`] | a connection as answers show it |
//! | [`vault`], [`secrets`], [`secret`] | sealing; Secrets Manager; secrets as types |
//! | [`egress`], [`aws`] | calls to providers; calls to AWS |
//! | [`app`], [`caller`], [`lambda`] | what a handler has at hand; who is asking; the loop |

pub mod app;
pub mod aws;
pub mod brand;
pub mod caller;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod egress;
pub mod error;
pub mod flow;
pub mod http;
pub mod id;
pub mod json;
pub mod label;
pub mod lambda;
pub mod page;
pub mod protocol;
pub mod record;
pub mod routes;
pub mod secret;
pub mod secrets;
pub mod store;
pub mod subject;
pub mod telemetry;
pub mod vault;
