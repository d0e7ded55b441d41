//! Connections as credentials: the same things under the names that some clients know. No secret is in them.

use serde::Serialize;
use serde_json::json;
use shared::{
    app::App,
    clock::Timestamp,
    error::{Error, Missing},
    http::{Request, Response},
    id::{ConnectionKey, ConnectorId, Environment, Identity, IdentityType, Role},
    protocol::connector::Connector,
    record::{self, AccountRecord, Scopes},
    store::connections::{Connection, Health},
};

use crate::connection::own;

/// A connection seen as a credential: their ids have the same letters.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credential<'a> {
    #[serde(rename = "credentialId")]
    id: String,
    connection_id: &'a ConnectionKey,
    connector_id: &'a ConnectorId,
    /// Absent where it is a team's, an organization's or the project's.
    user_id: Option<&'a str>,
    /// `oauth2`, `apiKey` or `basic`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `connected` or `needs_reauth`.
    status: &'static str,
    name: &'a str,
    environment: Environment,
    account: AccountRecord<'a>,
    scopes: Scopes<'a>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The credentials of a user, oldest first. The list is eventually consistent.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    let caller = app.caller(request, &[Role::Read, Role::Connect]).await?;
    let user = user(request)?;
    let (project, environment) = (&caller.project.id, caller.environment);
    let (connections, customs) =
        tokio::try_join!(app.connections.of_owner(project, environment, Some(&user)), app.settings.customs(project))?;
    let credential =
        |(connection, health): &'_ (Connection, Health)| json!(Credential::of(app, &customs, connection, *health));
    let data: Vec<_> = connections.iter().map(credential).collect();
    Ok(Response::json(&json!({ "data": data, "requestId": request.request_id })))
}

/// One credential, as it stands now.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    let caller = app.caller(request, &[Role::Read, Role::Connect]).await?;
    let key = ConnectionKey::of_credential(request.param("id")?);
    let stored = own(app, &caller, key).await?.ok_or(Error::NotFound(Missing::Credential))?;
    let customs = app.settings.customs(&caller.project.id).await?;
    let credential = Credential::of(app, &customs, &stored.connection, stored.health);
    Ok(Response::json(&credential))
}

impl<'a> Credential<'a> {
    fn of(app: &App, customs: &[Connector], connection: &'a Connection, health: Health) -> Self {
        let Connection { key, connector, identity, .. } = connection;
        let user = identity.as_ref().filter(|identity| identity.identity_type == IdentityType::User);
        Self {
            id: key.credential_id(),
            connection_id: key,
            connector_id: connector,
            user_id: user.map(|user| user.identity.as_str()),
            kind: kind(app, customs, connection),
            status: health.as_str(),
            name: record::name(connection),
            environment: connection.environment,
            account: AccountRecord::for_app(&connection.account),
            scopes: Scopes::of(connection),
            created_at: connection.created_at,
            updated_at: connection.updated_at,
        }
    }
}

/// As its connector says. A connection can outlive its connector by a moment; then what it was made with tells enough.
fn kind(app: &App, customs: &[Connector], connection: &Connection) -> &'static str {
    let id = connection.connector.as_str();
    let connector = app.catalog.connector(id).or_else(|| customs.iter().find(|custom| custom.id == id));
    let fallback = if connection.client_id.is_some() { "oauth2" } else { "apiKey" };
    connector.map_or(fallback, record::credential_type)
}

/// The user whom the path names.
pub fn user(request: &Request) -> Result<Identity, Error> {
    Identity::parse(request.param("userId")?, IdentityType::User)
        .map_err(|unfit| Error::invalid(format!("userId {unfit}")))
}
