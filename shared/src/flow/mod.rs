//! The steps of the flow that several functions share: between the protocol, which is pure, and the store.

pub mod begin;
pub mod choose;
pub mod complete;
pub mod connector_in_use;
pub mod depart;
pub mod device;
pub mod finish;
pub mod grant;
mod making;
mod oauth1;
pub mod page_session;
pub mod proof;
pub mod refresh;
pub mod registration;
pub mod revoke;
pub mod settle;
pub mod typed;

use crate::{
    error::{Error, ProviderError},
    id::ConnectorId,
    protocol::{
        account::SignError,
        origins::OriginError,
        template::{InputError, TemplateError},
    },
};

/// A connector whose data can't be acted upon with these values. The data was checked when it was stored, so what is
/// wrong is a value that the provider gave.
fn unusable(connector: &ConnectorId) -> impl Fn(TemplateError) -> Error + '_ {
    move |error| {
        tracing::warn!(%connector, %error, "a template could not be filled");
        ProviderError::InvalidResponse("a value that the connector needs is missing or has another form").of(connector)
    }
}

/// A call that can't be signed with these credentials.
fn not_signed(connector: &ConnectorId) -> impl Fn(SignError) -> Error + '_ {
    move |error| {
        tracing::warn!(%connector, %error, "a call could not be signed");
        ProviderError::InvalidResponse("a value that the connector needs is missing or has another form").of(connector)
    }
}

fn no_origin(connector: &ConnectorId) -> impl Fn(OriginError) -> Error + '_ {
    move |error| {
        tracing::warn!(%connector, %error, "the connector may speak to nobody");
        ProviderError::AddressRefused.of(connector)
    }
}

fn not_believed(connector: &ConnectorId) -> impl Fn(InputError) -> Error + '_ {
    move |error| {
        tracing::warn!(%connector, name = error.name, "a value that the provider gave is not believed");
        ProviderError::InvalidResponse("a value that the connector needs has another form").of(connector)
    }
}
