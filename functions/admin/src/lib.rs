//! What the operator decides: projects, app clients, provider clients, custom connectors.
//!
//! Lists here are whole and up to date: `{"rows", "total"}`. Times whose names are in snake case are seconds since the
//! epoch, as in OAuth. A provider client's secret goes in and never comes back.

mod addresses;
mod authority;
mod clients;
mod connectors;
mod customs;
mod decision;
mod discover;
mod doctor;
mod overview;
mod projects;
mod registering;

use std::sync::Arc;

use shared::{
    app::App,
    error::{Error, Missing},
    http::{Handler, Request, Response},
    routes::{Function, Operation},
};

/// The function `admin`.
pub struct Admin;

impl Handler for Admin {
    const FUNCTION: Function = Function::Admin;

    async fn handle(&self, app: &Arc<App>, request: &Request, operation: Operation) -> Result<Response, Error> {
        match operation {
            Operation::ListProjects => projects::list(app, request).await,
            Operation::CreateProject => projects::create(app, request).await,
            Operation::ReadProject => projects::read(app, request).await,
            Operation::UpdateProject => projects::update(app, request).await,
            Operation::ListClients => clients::list(app, request).await,
            Operation::CreateClient => clients::create(app, request).await,
            Operation::RevokeClient => clients::revoke(app, request).await,
            Operation::ListProjectConnectors => connectors::list(app, request).await,
            Operation::ReadProjectConnector => connectors::read(app, request).await,
            Operation::PutProjectConnector => connectors::put(app, request).await,
            Operation::DeleteProjectConnector => connectors::delete(app, request).await,
            Operation::ListDefaultClients => connectors::list_defaults(app, request).await,
            Operation::ReadDefaultClient => connectors::read_default(app, request).await,
            Operation::PutDefaultClient => connectors::put_default(app, request).await,
            Operation::DeleteDefaultClient => connectors::delete_default(app, request).await,
            Operation::ExamineProjectConnector => doctor::of_project(app, request).await,
            Operation::ExamineDefaultConnector => doctor::of_deployment(app, request).await,
            Operation::ListCustomConnectors => customs::list(app, request).await,
            Operation::ReadCustomConnector => customs::read(app, request).await,
            Operation::PutCustomConnector => customs::put(app, request).await,
            Operation::DeleteCustomConnector => customs::delete(app, request).await,
            Operation::DiscoverConnector => discover::discover(app, request).await,
            _ => Err(Error::NotFound(Missing::Route)),
        }
    }
}
