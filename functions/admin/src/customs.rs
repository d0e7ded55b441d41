//! A project's own connectors, in the catalogue's schema.
//!
//! A definition serves both environments and says where credentials go, so an app client of the test environment may not
//! change it: else a key for development could send the customers' credentials elsewhere.

use serde_json::{Value, json};
use shared::{
    app::App,
    error::{Error, Missing, Refusal},
    flow::begin::redirect_uri,
    http::{Request, Response},
    id::{ConnectorId, Environment},
    protocol::connector::{Connector, Evidence},
    routes,
    store::{attempts::Callback, settings::Key},
};

use crate::{
    authority::Authority,
    connectors::{Place, forget},
    registering,
};

/// The environments that a definition serves.
pub const ENVIRONMENTS: [Environment; 2] = [Environment::Test, Environment::Live];

/// A project's own connectors.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    let base_url = app.base_url(app.clock.now()).await?;
    let connectors = app.settings.customs(&authority.project.id).await?;
    let rows: Vec<Value> = connectors.iter().map(|connector| record(connector, &authority, &base_url)).collect();
    Ok(Response::json(&json!({ "rows": rows, "total": rows.len() })))
}

/// One of them.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    let base_url = app.base_url(app.clock.now()).await?;
    let connector = find(app, &authority, &named(request)?).await?;
    let mut record = record(&connector, &authority, &base_url);
    record["registrations"] = registering::records(app, &authority, &ConnectorId::of(&connector)).await?;
    Ok(Response::json(&record))
}

/// Makes a connector, or puts it in the place of the one with its id.
pub async fn put(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    authority.must_cover_live()?;
    let base_url = app.base_url(app.clock.now()).await?;
    let id = ConnectorId::parse(request.param("connector")?).ok_or_else(|| {
        let why = "id: 1 to 64 lower-case letters, digits and hyphens, the first no hyphen";
        Error::refused(Refusal::InvalidConnector, why.to_owned())
    })?;
    let connector = definition(app, request, &authority, &id)?;
    must_not_lead_elsewhere(app, &authority, &connector).await?;
    app.settings.put_custom(&authority.project.id, &connector).await?;
    Ok(Response::json(&record(&connector, &authority, &base_url)))
}

/// Takes a connector away, with what was decided about it. While there are connections it stays: without it they could be
/// neither used nor revoked.
pub async fn delete(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    authority.must_cover_live()?;
    let id = named(request)?;
    let connector = find(app, &authority, &id).await?;
    for environment in ENVIRONMENTS {
        if is_connected(app, &authority, environment, &id).await? {
            return Err(Error::refused(
                Refusal::ConnectorInUse,
                format!("there are connections with {id} in {environment}: delete them first"),
            ));
        }
    }
    let mut registrations = serde_json::Map::new();
    for environment in ENVIRONMENTS {
        let told = registering::give_up(app, &authority.project, environment, &connector).await?;
        registrations.insert(environment.to_string(), told.as_str().into());
        forget(app, &Place::Project(authority.project.id.clone(), environment), &id).await?;
    }
    app.settings.delete(&Key::Custom(authority.project.id, id.clone())).await?;
    Ok(Response::json(&json!({ "id": id, "deleted": true, "registrations": registrations })))
}

fn named(request: &Request) -> Result<ConnectorId, Error> {
    ConnectorId::parse(request.param("connector")?).ok_or(Error::NotFound(Missing::Connector))
}

async fn find(app: &App, authority: &Authority, id: &ConnectorId) -> Result<Connector, Error> {
    let project = &authority.project.id;
    let read = app.settings.read_fresh(&[Key::Custom(project.clone(), id.clone())]).await?;
    read.custom(project, id)?.ok_or(Error::NotFound(Missing::Connector))
}

/// The definition in the body, if it may be acted upon. Its id is the path's.
fn definition(app: &App, request: &Request, authority: &Authority, id: &ConnectorId) -> Result<Connector, Error> {
    let refused = |why: String| Error::refused(Refusal::InvalidConnector, why);
    let mut connector: Connector = request.json()?;
    if !connector.id.is_empty() && connector.id != id.as_str() {
        return Err(refused(format!("id: it is {id} in the path; leave it out here")));
    }
    must_be_free(app, authority, id)?;
    connector.id = id.to_string().into();
    connector.evidence = Evidence::default(); // its facts are the operator's own word
    connector.check(app.config.loopback_egress).map_err(|error| refused(error.to_string()))?;
    Ok(connector)
}

/// Whether a project's own connector can have this id.
pub fn must_be_free(app: &App, authority: &Authority, id: &ConnectorId) -> Result<(), Error> {
    let refused = |why: String| Error::refused(Refusal::InvalidConnector, why);
    if app.catalog.connector(id.as_str()).is_some() {
        return Err(refused(format!("id: {id} is a built-in connector; choose another")));
    }
    if routes::is_a_page_of_ours(id.as_str()) {
        return Err(refused(format!("id: /connect/{id} is a page of Mooring's; choose another")));
    }
    if ConnectorId::parse(id.within(&authority.project.id).as_str()).is_none() {
        return Err(refused("id: it is too long, since the redirect URI names the project after it".to_owned()));
    }
    Ok(())
}

/// Where credentials go can't be changed while there are connections: else whoever keeps the settings could have every
/// customer's credentials sent to a host of theirs.
async fn must_not_lead_elsewhere(app: &App, authority: &Authority, new: &Connector) -> Result<(), Error> {
    let project = &authority.project.id;
    let id = ConnectorId::of(new);
    let read = app.settings.read_fresh(&[Key::Custom(project.clone(), id.clone())]).await?;
    let Some(old) = read.custom(project, &id)? else { return Ok(()) };
    if destinations(&old) == destinations(new) {
        return Ok(());
    }
    for environment in ENVIRONMENTS {
        if is_connected(app, authority, environment, &id).await? {
            return Err(Error::refused(
                Refusal::ConnectorInUse,
                format!(
                    "there are connections with {id} in {environment}, and this would send their credentials elsewhere: delete them first, or make a connector with another id"
                ),
            ));
        }
    }
    Ok(())
}

/// Every address that credentials are sent to, how they are put there, and what is taken for one.
fn destinations(connector: &Connector) -> Value {
    let Connector { oauth2, oauth1, captures, lookups, api, profile, revoke, login, .. } = connector;
    let mut oauth2 = json!(oauth2);
    if let Value::Object(members) = &mut oauth2 {
        members.retain(|name, _| !HARMLESS.contains(&name.as_str()));
    }
    let profile = profile.as_ref().map(|profile| &profile.url);
    json!({ "oauth2": oauth2, "oauth1": oauth1, "captures": captures, "lookups": lookups, "api": api, "profile": profile, "revoke": revoke, "login": login })
}

/// What of `oauth2` may change while there are connections: what the browser carries, and how answers are understood but for
/// where their tokens stand.
const HARMLESS: [&str; 17] = [
    "authorization_endpoint",
    "authorization_fragment",
    "authorization_params",
    "default_expires_in",
    "error_signal",
    "grant_ended",
    "pkce",
    "refresh_token_expires_in",
    "refresh_token_rotates",
    "response_mode",
    "response_scope_separator",
    "response_type",
    "scope_parameter",
    "scope_separator",
    "scopes",
    "second_scope_parameter",
    "token_endpoint_auth_method",
];

/// Whether there are connections. The list is eventually consistent: one of the last second may be overlooked.
pub async fn is_connected(
    app: &App,
    authority: &Authority,
    environment: Environment,
    id: &ConnectorId,
) -> Result<bool, Error> {
    let connections = app.connections.of_project(&authority.project.id, environment).await?;
    Ok(connections.iter().any(|(connection, _)| connection.connector == *id))
}

fn record(connector: &Connector, authority: &Authority, base_url: &str) -> Value {
    let name = ConnectorId::of(connector).within(&authority.project.id);
    let redirect_uri = redirect_uri(base_url, &name, Callback::Own);
    json!({ "id": connector.id, "name": connector.name, "redirect_uri": redirect_uri, "definition": connector })
}
