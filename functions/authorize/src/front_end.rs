//! `GET /connectors/{connector}/oauth/authorize`: an authorization URL for a front end.

use serde_json::json;
use shared::{
    app::App,
    caller::Caller,
    error::{Error, Missing, Refusal},
    flow::begin::Asked,
    http::{Request, Response},
    id::{ConnectorId, Role},
    store::attempts::Shape,
    subject::Subject,
};
use url::Url;

/// Answers `{"success": true, "authorizationUrl", "state"}`. The URL is ours, and the same `state` stands in it.
pub async fn authorize(app: &App, request: &Request) -> Result<Response, Error> {
    let query = request.query()?;
    let subject = Subject::from_params(&query)?;
    let caller = app.caller_for(request, &[Role::Connect], &subject).await?;
    let base_url = query.one("baseUrl")?.map(|text| front_end(&caller, text)).transpose()?;
    let id = ConnectorId::parse(request.param("connector")?).ok_or(Error::NotFound(Missing::Connector))?;
    let connector = app.connector_from(&caller.read, &caller.project.id, caller.environment, &id)?;
    connector.must_be_enabled()?;

    let asked = Asked {
        project: &caller.project,
        environment: caller.environment,
        identity: subject.identity,
        identity_label: subject.label,
        shape: Shape::FrontEnd { base_url },
        reconnect: None,
        session: None,
        name: None,
        given: inputs(&connector.data, &query),
    };
    let begun = app.begin(&connector, asked).await?;
    let answer = json!({ "success": true, "authorizationUrl": begun.start_url, "state": begun.state.expose() });
    Ok(Response::json(&answer))
}

/// What the connector asks a person for may be given along, under the input's own name.
fn inputs(
    connector: &shared::protocol::connector::Connector,
    query: &shared::http::Params,
) -> std::collections::BTreeMap<String, String> {
    let asked_for = |name: &str| connector.inputs.iter().any(|input| input.name == name);
    query.iter().filter(|(name, _)| asked_for(name)).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// The front end to go back to: its origin has to be one of the project's (RFC 9700 §4.11).
fn front_end(caller: &Caller, text: &str) -> Result<String, Error> {
    let refused = || {
        Error::refused(
            Refusal::InvalidBaseUrl,
            "baseUrl is not of an allowed origin; add it with PATCH /v1/admin/projects/{project}",
        )
    };
    let url = Url::parse(text).map_err(|_| refused())?;
    // a blob: URL has the origin of the page that made it, and is no place to go to
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    let origin = url.origin().ascii_serialization();
    if plain && caller.project.allowed_origins.contains(&origin) {
        return Ok(url.into());
    }
    Err(refused())
}
