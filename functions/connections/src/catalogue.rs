//! What a project offers, and a picture for each.

use serde_json::{Value, json};
use shared::{
    app::App,
    error::{Error, Missing},
    flow::connector_in_use::ConnectorInUse,
    http::{Request, Response},
    id::{ConnectorId, Role},
    protocol::connector::Evidence,
    record::{credential_type, definition_id},
};

use crate::{monogram, paging::Paging};

/// The most rows of a page: what the clients ask for.
const MOST: usize = 300;

/// Every connector that is enabled and visible in the caller's project and environment, in the project's order. Those that
/// still lack a provider client are among them, with `ready` false. `authkit` is accepted and means nothing here.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    let caller = app.caller(request, &[Role::Read, Role::Connect]).await?;
    let paging = Paging::of(&request.query()?, MOST)?;
    let base_url = app.base_url(app.clock.now()).await?;
    let mut connectors = app.connectors_in_use(&caller.project.id, caller.environment).await?;
    connectors.retain(|connector| connector.settings().enabled && connector.settings().visible);
    Ok(Response::json(&paging.answer(&connectors, |connector| row(app, connector, &base_url), request)))
}

fn row(app: &App, connector: &ConnectorInUse<'_>, base_url: &str) -> Value {
    let ConnectorInUse { id, data, .. } = connector;
    json!({
        "id": definition_id(id),
        "key": id,
        "platform": id,
        "name": data.name,
        "category": data.categories.first().map_or("", AsRef::as_ref),
        "image": image_url(base_url, id),
        "description": description(connector),
        "type": credential_type(data),
        "ready": connector.is_ready(),
        "categories": data.categories,
        "grants": data.grants(),
        "docs_url": data.docs_url,
        "evidence": evidence(&data.evidence),
        "quirks": data.quirks(&app.catalog.notes(data)),
    })
}

/// How well its facts are known, and what is not settled about them.
fn evidence(evidence: &Evidence) -> Value {
    match &evidence.doubt {
        Some(doubt) => json!({ "level": evidence.level, "doubt": doubt }),
        None => json!({ "level": evidence.level }),
    }
}

fn description(connector: &ConnectorInUse<'_>) -> String {
    let name = &connector.data.name;
    if connector.data.consent().is_some() {
        format!("Connect {name} with the consent of an account there")
    } else {
        format!("Connect {name} with a key of an account there")
    }
}

/// Where a connector's picture is.
pub fn image_url(base_url: &str, connector: &ConnectorId) -> String {
    format!("{base_url}/v1/connectors/{connector}/image")
}

/// A connector's picture. It needs no credential, so it tells nothing about projects: any valid id has one.
pub fn image(app: &App, request: &Request) -> Result<Response, Error> {
    let id = ConnectorId::parse(request.param("connector")?).ok_or(Error::NotFound(Missing::Connector))?;
    let name = app.catalog.connector(id.as_str()).map_or(id.as_str(), |connector| connector.name.as_ref());
    Ok(Response::full(200, "image/svg+xml", monogram::svg(&id, name))
        .with("cache-control", "public, max-age=86400")
        .with("content-security-policy", "default-src 'none'; sandbox") // it may be opened by itself, and has no script
        .with("cross-origin-resource-policy", "cross-origin")) // it stands on the pages of customers
}
