//! Clients that Mooring registers itself, where a connector's server lets it (RFC 7591).

use serde_json::{Value, json};
use shared::{
    app::App,
    caller::connector_keys,
    clock::Timestamp,
    error::Error,
    flow::{
        begin::redirect_uri,
        registration::{GivenUp, Wanted},
    },
    id::{ConnectorId, Environment, ProjectId},
    protocol::{connector::Connector, template::Values},
    store::{
        attempts::Callback,
        settings::{Key, Project, Registration},
    },
};

use crate::{authority::Authority, customs::ENVIRONMENTS};

/// Registers a client for a connector of this project and environment, or finds the one that is.
pub async fn client(
    app: &App,
    project: &Project,
    environment: Environment,
    connector: &Connector,
) -> Result<Registration, Error> {
    let id = ConnectorId::of(connector);
    let base_url = app.base_url(app.clock.now()).await?;
    let redirect_uri = redirect_uri(&base_url, &id.within(&project.id), Callback::Own);
    let scopes: Vec<String> =
        connector.oauth2.iter().flat_map(|oauth2| oauth2.scopes.iter()).map(ToString::to_string).collect();
    let values = Values::default();
    app.registered(&Wanted {
        project: &project.id,
        app_name: &project.name,
        environment,
        connector: &id,
        data: connector,
        values: &values,
        redirect_uri: &redirect_uri,
        scopes: &scopes,
        takes_any_method: true,
    })
    .await
}

/// Registers a client where the server takes registrations and the operator brought none: what was decided says with which
/// server, where that is the operator's choice. Whether the connector uses a registered client now.
pub async fn where_offered(
    app: &App,
    project: &ProjectId,
    environment: Environment,
    id: &ConnectorId,
    decided: Option<&str>,
) -> Result<bool, Error> {
    let record = Key::Registration(project.clone(), environment, id.clone());
    let mut keys = vec![record.clone(), Key::Project(project.clone()), Key::Deployment];
    keys.extend(connector_keys(project, environment, id));
    let read = app.settings.read_fresh(&keys).await?;
    let connector = app.connector_from(&read, project, environment, id)?;
    let registers = connector.data.oauth2.as_ref().is_some_and(|oauth2| oauth2.registration.is_some());
    let known = read.registration(&record)?;
    // a client that the operator brought is theirs
    let own = decided.is_some_and(|decided| known.as_ref().is_none_or(|known| known.client_id != decided));
    let (Some(owner), true, false) = (read.project(project)?, registers, own) else { return Ok(false) };
    if connector.data.registers_where_named() {
        return Ok(true); // with whom is for the person to say
    }
    if !connector.settings().enabled {
        return Ok(known.is_some()); // nobody connects it, so no server is asked for a client
    }
    let values = connector.chosen().map_err(|error| Error::invalid(format!("settings: {error}")))?;
    let base_url = app.base_url(app.clock.now()).await?;
    let wanted = Wanted {
        project,
        app_name: &owner.name,
        environment,
        connector: id,
        data: &connector.data,
        values: &values,
        redirect_uri: &connector.redirect_uri(&base_url),
        scopes: &connector.scopes().0,
        takes_any_method: false,
    };
    app.registered(&wanted).await.map(|_| true)
}

/// Gives up what was registered for a connector that goes.
pub async fn give_up(
    app: &App,
    project: &Project,
    environment: Environment,
    connector: &Connector,
) -> Result<GivenUp, Error> {
    let values = Values::default();
    app.give_up_registration(&Wanted {
        project: &project.id,
        app_name: &project.name,
        environment,
        connector: &ConnectorId::of(connector),
        data: connector,
        values: &values,
        redirect_uri: "",
        scopes: &[],
        takes_any_method: false,
    })
    .await
}

/// What was registered for a connector, by environment: those that the caller may act in.
pub async fn records(app: &App, authority: &Authority, id: &ConnectorId) -> Result<Value, Error> {
    let covered = ENVIRONMENTS.into_iter().filter(|environment| authority.covers(*environment));
    let key = |environment| Key::Registration(authority.project.id.clone(), environment, id.clone());
    let keys: Vec<(Environment, Key)> = covered.map(|environment| (environment, key(environment))).collect();
    let read = app.settings.read_fresh(&keys.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>()).await?;
    let mut records = serde_json::Map::new();
    for (environment, key) in keys {
        if let Some(registration) = read.registration(&key)? {
            records.insert(environment.to_string(), record(&registration));
        }
    }
    Ok(Value::Object(records))
}

/// A registration without what looks after it.
fn record(registration: &Registration) -> Value {
    json!({
        "client_id": registration.client_id,
        "issuer": registration.issuer,
        "registration_endpoint": registration.endpoint,
        "redirect_uri": registration.redirect_uri,
        "token_endpoint_auth_method": registration.token_endpoint_auth_method,
        "client_secret_expires_at": registration.secret_expires_at.map(Timestamp::secs),
        "registered_at": registration.registered_at.secs(),
        "replaced": registration.replaced.as_ref().map(|old| json!({ "client_id": old.client_id, "at": old.at.secs() })),
    })
}
