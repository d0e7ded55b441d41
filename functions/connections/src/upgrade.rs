//! `POST /v1/vault/connections/{id}/upgrade`: a link by which the person gives a connection further scopes.

use serde::Deserialize;
use serde_json::json;
use shared::{
    app::App,
    caller::connector_keys,
    error::{Error, Refusal},
    flow::connector_in_use::ConnectorInUse,
    http::{Request, Response},
    id::Role,
    protocol::connector::Consent,
    secret::Bearer,
    store::{
        connections::{Chosen, Connection},
        links::{LIFETIME, LedBy, Link, Upgrade},
        settings::{Key, Project},
    },
};

use crate::connection::named;

/// What the app wants.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Scopes besides those that were asked for before, whether they were granted or not.
    #[serde(default)]
    scopes: Vec<String>,
    redirect_uri: Option<String>,
}

/// Answers `{"url", "expires_at"}`. Whoever opens the link renews this very connection and confirms: it may be forwarded. Asked for is
/// all that was asked for before, what the operator asks for by now, and what the app names here of what the operator allows.
pub async fn link(app: &App, request: &Request) -> Result<Response, Error> {
    let connection = named(app, request, &[Role::Connect]).await?.connection;
    let wanted: Wanted = if request.body.is_empty() { Wanted::default() } else { request.json()? };
    let Connection { project: id, environment, connector, .. } = &connection;
    // the project and the address too, which are needed next: one round of reads
    let mut keys = connector_keys(id, *environment, connector).to_vec();
    keys.extend([Key::Project(id.clone()), Key::Deployment]);
    let now = app.clock.now();
    let read = app.settings.read(&keys, now).await?;
    let in_use = app.connector_from(&read, id, *environment, connector)?;
    in_use.must_be_ready()?;
    must_take(&in_use, &wanted.scopes, &connection.values)?;
    let project = read.project(id)?;
    let return_to = wanted.redirect_uri.map(|uri| allowed(project.as_ref(), uri)).transpose()?;
    let base_url = app.base_url(now).await?;

    let Connection { key, project, environment, connector, identity, identity_label, .. } = connection;
    let link = Link {
        project,
        environment,
        identity,
        identity_label,
        connectors: vec![connector],
        return_to,
        session: None,
        led_by: LedBy::Address,
        upgrade: Some(Upgrade { connection: key, scopes: wanted.scopes }),
        created_at: now,
    };
    let token = Bearer::random(&app.random);
    app.links.put(&token, &link).await?;
    let page = format!("{base_url}/connect/{}/edit", link.connectors[0]);
    let url = format!("{page}?token={}&organizationId={}", token.expose(), link.project);
    Ok(Response::json(&json!({ "url": url, "expires_at": now.after(LIFETIME).secs() })))
}

/// Fails if the provider asks nobody, or the operator allows one of these scopes to no app.
fn must_take(connector: &ConnectorInUse<'_>, scopes: &[String], values: &Chosen) -> Result<(), Error> {
    if connector.data.consent() != Some(Consent::OAuth2) {
        let why = format!("{} is connected without a consent to scopes", connector.data.name);
        return Err(Error::refused(Refusal::UnsupportedCredentialType, why));
    }
    let values = values.clone().into();
    match scopes.iter().find(|scope| !connector.may_be_asked(scope, &values)) {
        None => Ok(()),
        Some(_) => Err(Error::refused(
            Refusal::InvalidScope,
            format!(
                "one of scopes is not allowed: name it among optional_scopes with PUT /v1/admin/projects/{{project}}/environments/{{environment}}/connectors/{}",
                connector.id
            ),
        )),
    }
}

/// Where the browser goes afterwards, compared exactly (RFC 9700 §4.1.3).
fn allowed(project: Option<&Project>, uri: String) -> Result<String, Error> {
    if project.is_some_and(|project| project.redirect_uris.contains(&uri)) {
        return Ok(uri);
    }
    Err(Error::refused(
        Refusal::InvalidRedirectUri,
        "redirect_uri is not one of the project's; add it with PATCH /v1/admin/projects/{project}",
    ))
}
