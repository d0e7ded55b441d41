//! What would be sent to a connector's provider and what usually goes wrong there: the report of `cargo run -p doctor`, of a
//! connector as this deployment has it.
//!
//! No secret is read for it. With `live=true` the provider is asked what can be asked without harm ([`shared::doctor::live`]).

use std::collections::BTreeMap;

use shared::{
    app::App,
    doctor::{Case, examine, live},
    error::Error,
    http::{Request, Response},
};

use crate::connectors::{Place, connector_at, named};

/// Of a connector as a project and environment has it.
pub async fn of_project(app: &App, request: &Request) -> Result<Response, Error> {
    let place = Place::in_path(app, request).await?;
    report(app, request, &place).await
}

/// Of a built-in connector with the deployment's decision.
pub async fn of_deployment(app: &App, request: &Request) -> Result<Response, Error> {
    let place = Place::deployment(app, request).await?;
    report(app, request, &place).await
}

async fn report(app: &App, request: &Request, place: &Place) -> Result<Response, Error> {
    let asks = match request.query()?.one("live")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid("live is true or false")),
    };
    let now = app.clock.now();
    let base_url = app.base_url(now).await?;
    let connector = connector_at(app, place, &named(request)?).await?;
    let given = BTreeMap::new();
    let notes = app.catalog.notes(&connector.data);
    let case = Case {
        connector: &connector,
        notes: &notes,
        base_url: Some(&base_url),
        app_name: "Mooring",
        given: &given,
        deployed: true,
        now,
        random: &app.random,
    };
    let report = examine(&case);
    let report = if asks { live::ask(report, &case, &app.egress, &app.clock).await } else { report };
    Ok(Response::json(&report))
}
