//! What a client is whose id is an address: the document that stands there (OAuth Client ID Metadata Document).
//!
//! A server that is asked for by such an id fetches it and shows the person what it says. It is the same for everybody and
//! names nothing that the authorization request does not.

use shared::{
    app::App,
    error::{Error, Missing},
    flow::{begin::redirect_uri, registration::GRANT_TYPES},
    http::{Request, Response},
    id::{ConnectorId, ProjectId},
    protocol::{connector::ClientAuthentication, registration::ClientMetadata},
    store::{attempts::Callback, settings::Key},
};

/// The document of a project's own connector.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    let missing = || Error::NotFound(Missing::Connector);
    let name = ConnectorId::parse(request.param("connector")?).ok_or_else(missing)?;
    let parts = name.as_str().rsplit_once('-');
    let parts = parts.and_then(|(id, project)| Some((ConnectorId::parse(id)?, ProjectId::parse(project)?)));
    let (id, project) = parts.ok_or_else(missing)?;
    let keys = [Key::Project(project.clone()), Key::Custom(project.clone(), id.clone()), Key::Deployment];
    let read = app.settings.read(&keys, app.clock.now()).await?;
    let (Some(owner), Some(connector)) = (read.project(&project)?, read.custom(&project, &id)?) else {
        return Err(missing());
    };
    let base_url = app.base_url(app.clock.now()).await?;
    let scopes: Vec<String> =
        connector.oauth2.iter().flat_map(|oauth2| oauth2.scopes.iter()).map(ToString::to_string).collect();
    let mut document = ClientMetadata {
        client_name: &owner.name,
        redirect_uri: &redirect_uri(&base_url, &name, Callback::Own),
        token_endpoint_auth_method: ClientAuthentication::None,
        scopes: &scopes,
        grant_types: &GRANT_TYPES,
    }
    .document();
    document["client_id"] = format!("{base_url}/connectors/{name}/client.json").into();
    Ok(Response::json(&document).with("cache-control", "public, max-age=300"))
}
