//! Tokens for apps: our own access tokens, one-time tokens, connect sessions.

mod client_credentials;
mod links;
mod metadata;

use std::sync::Arc;

use shared::{
    app::App,
    error::{Error, Missing},
    http::{Handler, Request, Response},
    routes::{Function, Operation},
};

/// The function `token`.
pub struct Token;

impl Handler for Token {
    const FUNCTION: Function = Function::Token;

    async fn handle(&self, app: &Arc<App>, request: &Request, operation: Operation) -> Result<Response, Error> {
        match operation {
            Operation::IssueToken => client_credentials::issue(app, request).await,
            Operation::AuthorizationServerMetadata => metadata::authorization_server(app).await,
            Operation::PublicKeys => metadata::public_keys(app).await,
            Operation::GenerateOneTimeToken => links::one_time_token(app, request).await,
            Operation::CreateSession => links::session(app, request).await,
            _ => Err(Error::NotFound(Missing::Route)),
        }
    }
}
