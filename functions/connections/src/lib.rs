//! What can be connected, and what is.
//!
//! Lists come in pages: `{"rows", "total", "pages", "page", "requestId"}`. Times whose names are in camel case are
//! milliseconds since the epoch. Lists of connections are eventually consistent: a connection of the last second may be
//! missing, and a deleted one still there; a single record is not.

use std::sync::Arc;

mod catalogue;
mod connection;
mod credentials;
mod monogram;
mod paging;
mod upgrade;
mod users;
mod widget;

use shared::{
    app::App,
    error::{Error, Missing},
    http::{Handler, Request, Response},
    routes::{Function, Operation},
};

/// The function `connections`.
pub struct Connections;

impl Handler for Connections {
    const FUNCTION: Function = Function::Connections;

    async fn handle(&self, app: &Arc<App>, request: &Request, operation: Operation) -> Result<Response, Error> {
        match operation {
            Operation::ListAvailableConnectors => catalogue::list(app, request).await,
            Operation::ConnectorImage => catalogue::image(app, request),
            Operation::ListWidgetConnectors => widget::list(app, request).await,
            Operation::ListConnections => connection::list(app, request).await,
            Operation::ReadConnection => connection::read(app, request).await,
            Operation::UpdateConnection => connection::update(app, request).await,
            Operation::ListChoices => connection::choices(app, request).await,
            Operation::UpgradeConnection => upgrade::link(app, request).await,
            Operation::DeleteConnection => connection::delete(app, request).await,
            Operation::ListUserCredentials => credentials::list(app, request).await,
            Operation::ReadCredential => credentials::read(app, request).await,
            Operation::DeleteUser => users::delete(app, request).await,
            _ => Err(Error::NotFound(Missing::Route)),
        }
    }
}
