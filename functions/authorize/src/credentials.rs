//! `POST /connectors/{connector}/credentials`: an authorization URL with a code at its end, or a key that connects at once.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use shared::{
    app::App,
    caller::Caller,
    error::{Error, Missing, Refusal},
    flow::{begin::Asked, connector_in_use::ConnectorInUse},
    http::{Params, Request, Response},
    id::{AttemptId, ConnectorId, Role},
    record::credential_type,
    store::{attempts::Shape, connections::Chosen},
    subject::Subject,
};

/// The part of the request that is not flat, and what it has besides the subject.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    connector_id: Option<String>,
    #[serde(alias = "authenticationType")]
    credential_type: Option<String>,
    redirect_uri: Option<String>,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    /// Which of several is meant that a key reaches, by placeholder.
    #[serde(default)]
    choose: Chosen,
}

/// For `oauth2` and `oauth1` answers `{"oauthUrl", "credentialId"}`; for any other type verifies the credentials, connects at once and
/// answers `{"connectionId", "credentialId", "status"}`.
pub async fn create(app: &App, request: &Request) -> Result<Response, Error> {
    let wanted: Wanted = request.json()?;
    let subject = Subject::from_params(&Params::from_json(&request.body)?)?;
    let caller = app.caller_for(request, &[Role::Connect], &subject).await?;
    let id = ConnectorId::parse(request.param("connector")?).ok_or(Error::NotFound(Missing::Connector))?;
    if wanted.connector_id.as_deref().is_some_and(|said| said != id.as_str()) {
        return Err(Error::invalid("connectorId differs from the connector in the path"));
    }
    let connector = app.connector_from(&caller.read, &caller.project.id, caller.environment, &id)?;
    connector.must_be_enabled()?;

    let credential_type =
        wanted.credential_type.as_deref().ok_or_else(|| Error::invalid("credentialType is missing"))?;
    if ["oauth2", "oauth1"].contains(&credential_type) {
        must_be(credential_type, &connector)?;
        return authorize(app, &caller, &connector, subject, wanted).await;
    }
    must_fit(credential_type, &connector)?;
    connect(app, &caller, &connector, subject, wanted).await
}

async fn authorize(
    app: &App,
    caller: &Caller,
    connector: &ConnectorInUse<'_>,
    subject: Subject,
    wanted: Wanted,
) -> Result<Response, Error> {
    let redirect_uri = wanted.redirect_uri.ok_or_else(|| Error::invalid("redirectUri is missing"))?;
    if !caller.project.redirect_uris.contains(&redirect_uri) {
        return Err(Error::refused(
            Refusal::InvalidRedirectUri,
            "redirectUri is not one of the project's; add it with PATCH /v1/admin/projects/{project}",
        ));
    }
    let shape = Shape::Credentials { redirect_uri };
    let begun = app.begin(connector, asked(caller, subject, shape, wanted.credentials)).await?;
    let credential_id = begun.attempt.connection.credential_id();
    Ok(Response::created(&json!({ "oauthUrl": begun.start_url, "credentialId": credential_id })))
}

/// Connects with credentials that the app's own back end brought: there is no browser, and nobody else to ask.
async fn connect(
    app: &App,
    caller: &Caller,
    connector: &ConnectorInUse<'_>,
    subject: Subject,
    Wanted { credentials: given, choose, .. }: Wanted,
) -> Result<Response, Error> {
    let (values, secrets) = connector
        .values(&given, &caller.project.name)
        .map_err(|error| Error::invalid(format!("credentials: {error}")))?;
    let shape = Shape::Credentials { redirect_uri: String::new() };
    let now = app.clock.now();
    let attempt =
        app.attempt(connector, asked(caller, subject, shape, given), AttemptId::random(&app.random), &values, now);
    let grant = app.typed_grant(connector, &attempt, secrets, &choose).await?;
    grant.must_wait_for_nothing()?;
    app.connections.create(&app.settings, &grant.connection, &grant.sealed, grant.times()).await?;
    let key = &grant.connection.key;
    let answer = json!({ "connectionId": key, "credentialId": key.credential_id(), "status": "connected" });
    Ok(Response::created(&answer))
}

fn asked(caller: &Caller, subject: Subject, shape: Shape, given: BTreeMap<String, String>) -> Asked<'_> {
    Asked {
        project: &caller.project,
        environment: caller.environment,
        identity: subject.identity,
        identity_label: subject.label,
        shape,
        reconnect: None,
        session: None,
        name: None,
        given,
    }
}

/// Any type but `oauth2` means the same here, the connector's own inputs; a type that contradicts them is a mistake.
fn must_fit(said: &str, connector: &ConnectorInUse<'_>) -> Result<(), Error> {
    let known = ["apiKey", "api_key", "basic", "token"].contains(&said);
    if known && connector.data.consent().is_none() { Ok(()) } else { Err(unsupported(connector)) }
}

/// A consent is asked for by the name of its protocol.
fn must_be(said: &str, connector: &ConnectorInUse<'_>) -> Result<(), Error> {
    if said == credential_type(&connector.data) { Ok(()) } else { Err(unsupported(connector)) }
}

fn unsupported(connector: &ConnectorInUse<'_>) -> Error {
    let why = format!("{} is connected with credentialType {}", connector.data.name, credential_type(&connector.data));
    Error::refused(Refusal::UnsupportedCredentialType, why)
}
