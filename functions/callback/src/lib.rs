//! The end of an authorization: the provider's answer becomes a held grant, and a held grant a connection.

mod authorization;
mod completion;
mod device;
mod form_post;

use std::sync::Arc;

use shared::{
    app::App,
    error::{Error, Missing},
    http::{Handler, Request, Response},
    routes::{Function, Operation},
};

/// The function `callback`.
pub struct Callback;

impl Handler for Callback {
    const FUNCTION: Function = Function::Callback;

    async fn handle(&self, app: &Arc<App>, request: &Request, operation: Operation) -> Result<Response, Error> {
        match operation {
            Operation::Callback => authorization::receive(app, request).await,
            Operation::ParkCallback => form_post::park(app, request).await,
            Operation::CompleteCredential => completion::redeem(app, request).await,
            Operation::CollectDevice => device::collect(app, request).await,
            _ => Err(Error::NotFound(Missing::Route)),
        }
    }
}
