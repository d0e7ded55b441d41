//! The beginning of a connection: an app asks, and a browser starts.

mod credentials;
mod device;
mod from_page;
mod front_end;
mod start;

use std::sync::Arc;

use shared::{
    app::App,
    error::{Error, Missing},
    http::{Handler, Request, Response},
    routes::{Function, Operation},
};

/// The function `authorize`.
pub struct Authorize;

impl Handler for Authorize {
    const FUNCTION: Function = Function::Authorize;

    async fn handle(&self, app: &Arc<App>, request: &Request, operation: Operation) -> Result<Response, Error> {
        match operation {
            Operation::AuthorizeConnector => front_end::authorize(app, request).await,
            Operation::CreateCredential => credentials::create(app, request).await,
            Operation::StartPage => from_page::page(app, request).await,
            Operation::CreateAttempt => from_page::create(app, request).await,
            Operation::StartFromPage => from_page::submit(app, request).await,
            Operation::BeginDevice => device::begin(app, request).await,
            Operation::Start => start::start(app, request).await,
            _ => Err(Error::NotFound(Missing::Route)),
        }
    }
}
