//! What is decided about connectors: for the deployment, and in its place for a project and environment.

use std::{borrow::Cow, collections::BTreeSet, slice};

use serde_json::json;
use shared::{
    app::App,
    caller::connector_keys,
    error::{Error, Missing},
    flow::connector_in_use::ConnectorInUse,
    http::{Request, Response},
    id::{ConnectorId, Environment, ProjectId},
    protocol::{
        connector::Input,
        template::{self, Values},
    },
    secrets::{ClientSource, ClientsSecret, ProviderClient},
    store::{
        attempts::Callback,
        settings::{ConnectorSettings, Key},
    },
};

use crate::{
    authority::{self, Authority},
    decision::{Client, Decision},
    overview::Overview,
    registering,
};

/// Where a decision stands.
pub enum Place {
    /// For every project that decides nothing itself.
    Deployment,
    /// For one project and environment.
    Project(ProjectId, Environment),
}

impl Place {
    /// The project and environment in the path, if the caller may act there.
    pub async fn in_path(app: &App, request: &Request) -> Result<Self, Error> {
        let authority = Authority::over_project(app, request).await?;
        let environment = authority.environment(request)?;
        Ok(Self::Project(authority.project.id, environment))
    }

    /// The deployment, if the caller has the root key.
    pub async fn deployment(app: &App, request: &Request) -> Result<Self, Error> {
        authority::root(app, request).await.map(|()| Self::Deployment)
    }

    fn key(&self, connector: &ConnectorId) -> Key {
        match self {
            Self::Deployment => Key::DefaultClient(connector.clone()),
            Self::Project(project, environment) => Key::Connector(project.clone(), *environment, connector.clone()),
        }
    }

    /// What stands here by now.
    fn decided<'a>(&self, connector: &'a ConnectorInUse<'_>) -> Option<&'a ConnectorSettings> {
        match self {
            Self::Deployment => connector.default.as_ref(),
            Self::Project(..) => connector.own.as_ref(),
        }
    }

    fn secret(&self) -> ClientsSecret {
        match self {
            Self::Deployment => ClientsSecret::Default,
            Self::Project(project, environment) => ClientsSecret::Project(project.clone(), *environment),
        }
    }
}

/// Every connector that a project has in an environment, its own ones included, in the order that its users see.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    let authority = Authority::over_project(app, request).await?;
    let environment = authority.environment(request)?;
    let connectors = app.connectors_in_use(&authority.project.id, environment).await?;
    rows(app, &connectors).await
}

/// Every built-in connector with the deployment's decision.
pub async fn list_defaults(app: &App, request: &Request) -> Result<Response, Error> {
    authority::root(app, request).await?;
    let mut decided = app.settings.default_clients().await?;
    let default = |data| {
        let id = ConnectorId::of(data);
        let decided = decided.remove(id.as_str());
        ConnectorInUse::new(id, Cow::Borrowed(data), None, decided)
    };
    let mut connectors: Vec<_> = app.catalog.iter().map(default).collect();
    connectors.sort_by_cached_key(ConnectorInUse::place);
    rows(app, &connectors).await
}

async fn rows(app: &App, connectors: &[ConnectorInUse<'_>]) -> Result<Response, Error> {
    let base_url = app.base_url(app.clock.now()).await?;
    let rows: Vec<_> = connectors.iter().map(|connector| Overview::of(connector, &base_url)).collect();
    Ok(Response::json(&json!({ "rows": rows, "total": rows.len() })))
}

/// One connector of a project and environment.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    let place = Place::in_path(app, request).await?;
    answer(app, &place, &named(request)?).await
}

/// One built-in connector with the deployment's decision.
pub async fn read_default(app: &App, request: &Request) -> Result<Response, Error> {
    let place = Place::deployment(app, request).await?;
    answer(app, &place, &named(request)?).await
}

/// Decides about a connector for a project and environment.
pub async fn put(app: &App, request: &Request) -> Result<Response, Error> {
    let place = Place::in_path(app, request).await?;
    decide(app, request, &place).await
}

/// Decides about a built-in connector for the deployment.
pub async fn put_default(app: &App, request: &Request) -> Result<Response, Error> {
    let place = Place::deployment(app, request).await?;
    decide(app, request, &place).await
}

/// Takes a project's decision away: what the deployment decided holds again. Connections that were made with the project's
/// own client can no longer be refreshed or revoked at the provider.
pub async fn delete(app: &App, request: &Request) -> Result<Response, Error> {
    let place = Place::in_path(app, request).await?;
    undecide(app, request, &place).await
}

/// Takes the deployment's decision away, for every project that has none of its own.
pub async fn delete_default(app: &App, request: &Request) -> Result<Response, Error> {
    let place = Place::deployment(app, request).await?;
    undecide(app, request, &place).await
}

pub fn named(request: &Request) -> Result<ConnectorId, Error> {
    ConnectorId::parse(request.param("connector")?).ok_or(Error::NotFound(Missing::Connector))
}

async fn answer(app: &App, place: &Place, id: &ConnectorId) -> Result<Response, Error> {
    let base_url = app.base_url(app.clock.now()).await?;
    let connector = connector_at(app, place, id).await?;
    Ok(Response::json(&Overview::of(&connector, &base_url)))
}

/// The connector as it is used there, as it is decided now.
pub async fn connector_at<'a>(app: &'a App, place: &Place, id: &ConnectorId) -> Result<ConnectorInUse<'a>, Error> {
    match place {
        Place::Deployment => {
            let data = app.catalog.connector(id.as_str()).ok_or(Error::NotFound(Missing::Connector))?;
            let key = place.key(id);
            let decided = app.settings.read_fresh(slice::from_ref(&key)).await?.connector(&key)?;
            Ok(ConnectorInUse::new(id.clone(), Cow::Borrowed(data), None, decided))
        }
        Place::Project(project, environment) => {
            let read = app.settings.read_fresh(&connector_keys(project, *environment, id)).await?;
            app.connector_from(&read, project, *environment, id)
        }
    }
}

/// Stores a decision. A new client's secret is there before anything names it, and gone only when nothing does any more.
async fn decide(app: &App, request: &Request, place: &Place) -> Result<Response, Error> {
    let id = named(request)?;
    app.base_url(app.clock.now()).await?; // before anything is written: the answer needs it
    let connector = connector_at(app, place, &id).await?;
    let mut decision = Decision::of(request.json()?, &connector.data)?;
    if is_shown_client(&decision, place, &connector) {
        decision.client = Client::Unsaid;
    }
    if connector.is_custom() && decision.callback == Some(Callback::Common) {
        return Err(Error::invalid("callback: a project's own connector has a redirect URI of its own alone"));
    }
    let before = place.decided(&connector);
    if matches!(decision.client, Client::Unsaid) {
        decision.settings.client_id = before.and_then(|decided| decided.client_id.clone());
    }
    let secrets_before = before.map(|decided| decided.secret_settings.clone()).unwrap_or_default();
    decision.settings.secret_settings = decision.secrets.names(secrets_before);
    must_count(&connector, place, &mut decision)?;
    let Decision { mut settings, client, secrets, .. } = decision;
    match &client {
        Client::Unsaid | Client::Absent => {}
        Client::New(new) => app.secrets.put_provider_client(&place.secret(), &id, Some(new), version(app)).await?,
        Client::Kept(client_id) => must_be_stored(app, place, &id, client_id).await?.ok_or_else(|| {
            Error::invalid("client_secret is missing: it can be left out only while client_id stays the same")
        })?,
    }
    if !secrets.is_empty() {
        let change = |stored: Option<ProviderClient>| {
            let mut client = stored.unwrap_or_default();
            secrets.apply(&mut client.secrets);
            Some(client)
        };
        app.secrets.change_provider_client(&place.secret(), &id, change, version(app)).await?;
    }
    store(app, place, &connector, &mut settings).await?;
    if let (Place::Project(project, environment), Client::Unsaid) = (place, &client) {
        // whose server registers clients needs none from the operator
        if registering::where_offered(app, project, *environment, &id, settings.client_id.as_deref()).await? {
            return answer(app, place, &id).await;
        }
    }
    match &settings.client_id {
        None => {
            app.secrets.change_provider_client(&place.secret(), &id, without_client, version(app)).await.map(drop)?;
        }
        // somebody else may have saved between the two writes
        Some(client_id) => {
            must_be_stored(app, place, &id, client_id).await?.ok_or(Error::Conflict("the connector's client"))?;
        }
    }
    answer(app, place, &id).await
}

/// Checks what was decided as it will count, and refuses what would be ignored.
fn must_count(connector: &ConnectorInUse<'_>, place: &Place, decision: &mut Decision) -> Result<(), Error> {
    let data = connector.data.as_ref();
    let (own, default) = match place {
        Place::Deployment => (None, Some(decision.settings.clone())),
        Place::Project(..) => (Some(decision.settings.clone()), connector.default.clone()),
    };
    let decided = ConnectorInUse::new(connector.id.clone(), Cow::Borrowed(data), own, default);
    let is_theirs = matches!((place, decided.operator()), (Place::Project(..), Some(ClientSource::Default)));
    let theirs: Vec<&str> = if is_theirs { template::free_servers(data).collect() } else { Vec::new() };
    let may_lack = |setting: &Input| !decision.settings.enabled || theirs.contains(&setting.name.as_ref());
    let shown = data.settings.iter().filter(|setting| !setting.secret);
    let shown: Vec<Input> =
        shown.map(|setting| Input { optional: setting.optional || may_lack(setting), ..setting.clone() }).collect();
    let counted = template::inputs(data, &shown, &decided.decided_settings())
        .map_err(|error| Error::invalid(format!("settings: {error}")))?;
    if is_theirs { leave_to_the_deployment(decision, &decided, &theirs, &counted) } else { Ok(()) }
}

/// Where the client is the deployment's, a project says nothing of what belongs to it: the hosts it is registered at, its redirect
/// URI, its secrets. Another word than the deployment's would be ignored and is refused; the same word is not stored a second time,
/// so that the deployment may change it.
fn leave_to_the_deployment(
    decision: &mut Decision,
    decided: &ConnectorInUse<'_>,
    hosts: &[&str],
    counted: &Values,
) -> Result<(), Error> {
    let refused = |what: &str, why: &str| {
        Err(Error::invalid(format!(
            "{what}: it {why}, and with the deployment's client the deployment's own is used; leave it out, or bring a client_id of \
             your own"
        )))
    };
    for name in hosts {
        let said = decision.settings.settings.remove(*name).filter(|value| !value.is_empty());
        if said.is_some_and(|value| counted.get(name) != Some(value.as_str())) {
            return refused(&format!("settings.{name}"), "says which server requests go to");
        }
    }
    if let Some(name) = decision.secrets.set().next() {
        return refused(&format!("settings.{name}"), "is a secret");
    }
    if decision.callback.is_some_and(|callback| decided.callback() != callback) {
        return refused("callback", "belongs to a client");
    }
    decision.settings.callback = Callback::default();
    Ok(())
}

/// Whether a project names the deployment's client, as a GET has shown it: that brings none of its own.
fn is_shown_client(decision: &Decision, place: &Place, connector: &ConnectorInUse<'_>) -> bool {
    match (place, &decision.client, &connector.client) {
        (Place::Project(..), Client::Kept(named), Some((ClientSource::Default, shown))) => named == shown,
        _ => false,
    }
}

/// Stores what is decided, with the names of the secret settings as they stand: where another admin saved one meanwhile, the
/// names are written again. Whoever writes last has looked last, so that none is missing in the end.
async fn store(
    app: &App,
    place: &Place,
    connector: &ConnectorInUse<'_>,
    settings: &mut ConnectorSettings,
) -> Result<(), Error> {
    let has_secrets = connector.data.secret_settings().next().is_some();
    for _ in 0..SAVED_AT_ONCE {
        if has_secrets {
            settings.secret_settings = stored_secrets(app, place, &connector.id).await?;
        }
        app.settings.put_connector(&place.key(&connector.id), settings).await?;
        if !has_secrets || settings.secret_settings == stored_secrets(app, place, &connector.id).await? {
            return Ok(());
        }
    }
    Err(Error::Conflict("the connector's settings"))
}

/// How many admins may save the secrets of one connector at once.
const SAVED_AT_ONCE: usize = 25;

async fn stored_secrets(app: &App, place: &Place, id: &ConnectorId) -> Result<BTreeSet<String>, Error> {
    let stored = app.secrets.stored_client(&place.secret(), id).await?;
    Ok(stored.map(|client| client.secrets.into_keys().collect()).unwrap_or_default())
}

/// The secret settings alone.
fn without_client(stored: Option<ProviderClient>) -> Option<ProviderClient> {
    stored.map(|stored| ProviderClient { secrets: stored.secrets, ..ProviderClient::default() })
}

/// Whether this is the client whose secret is stored.
async fn must_be_stored(app: &App, place: &Place, id: &ConnectorId, client_id: &str) -> Result<Option<()>, Error> {
    let stored = app.secrets.stored_client(&place.secret(), id).await?;
    Ok(stored.filter(|client| client.client_id == client_id).map(drop))
}

/// What makes a secret's version its own, so that a write that is repeated is one write.
fn version(app: &App) -> impl Fn() -> String + '_ {
    || format!("{:032x}", u128::from_be_bytes(app.random.bytes()))
}

async fn undecide(app: &App, request: &Request, place: &Place) -> Result<Response, Error> {
    let id = named(request)?;
    connector_at(app, place, &id).await?;
    forget(app, place, &id).await?;
    answer(app, place, &id).await
}

/// Forgets a decision and its client's secret. Again changes nothing, and finishes what broke off.
pub async fn forget(app: &App, place: &Place, id: &ConnectorId) -> Result<(), Error> {
    app.settings.delete(&place.key(id)).await?;
    app.secrets.put_provider_client(&place.secret(), id, None, version(app)).await
}
