//! `POST /v1/connect/device`: a code that a person types on another device (RFC 8628).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use shared::{
    app::App,
    caller::connector_keys,
    error::{Error, Missing, Refusal},
    flow::begin::Asked,
    http::{Params, Request, Response},
    id::{ConnectorId, Role},
    store::{
        attempts::Shape,
        settings::{Key, Project},
    },
    subject::Subject,
};

/// The part of the request that is not the subject.
#[derive(Deserialize)]
struct Wanted {
    connector: String,
    #[serde(default)]
    inputs: BTreeMap<String, String>,
}

/// Answers as RFC 8628 §3.2 says, with `attempt` where the device code stood: that one stays here.
pub async fn begin(app: &App, request: &Request) -> Result<Response, Error> {
    let wanted: Wanted = request.json()?;
    let subject = Subject::from_params(&Params::from_json(&request.body)?)?;
    let id = ConnectorId::parse(&wanted.connector).ok_or(Error::NotFound(Missing::Connector))?;
    let caller = app
        .caller_reading(request, &[Role::Connect], |project, environment| {
            let user = subject.identity.iter();
            let user = user.map(|user| Key::DeletedUser(project.clone(), environment, user.clone()));
            user.chain(connector_keys(project, environment, &id)).collect()
        })
        .await?;
    app.must_not_be_deleted(&caller.project.id, caller.environment, subject.identity.as_ref()).await?;
    must_be_vouched_for(&caller.project, &subject)?;
    let connector = app.connector_from(&caller.read, &caller.project.id, caller.environment, &id)?;
    connector.must_be_ready()?;

    let asked = Asked {
        project: &caller.project,
        environment: caller.environment,
        identity: subject.identity,
        identity_label: subject.label,
        shape: Shape::Device,
        reconnect: None,
        session: None,
        name: None,
        given: wanted.inputs,
    };
    let begun = app.begin_device(&connector, asked).await?;
    let mut answer = json!({
        "attempt": begun.attempt,
        "user_code": begun.shown.user_code,
        "verification_uri": begun.shown.verification_uri.as_str(),
        "expires_in": begun.expires_in.as_secs(),
        "interval": begun.shown.interval.as_secs(),
    });
    if let Some(complete) = begun.shown.verification_uri_complete {
        answer["verification_uri_complete"] = complete.as_str().into();
    }
    Ok(Response::created(&answer))
}

/// No browser comes back from this, so only the app can say who asked, and only for somebody.
fn must_be_vouched_for(project: &Project, subject: &Subject) -> Result<(), Error> {
    if !project.vouches_for_users {
        return Err(Error::refused(
            Refusal::VouchingRequired,
            "nobody but the app can say who types the code: turn on vouches_for_users with PATCH /v1/admin/projects/{project}",
        ));
    }
    match subject.identity {
        Some(_) => Ok(()),
        None => Err(Error::refused(
            Refusal::UserIdRequired,
            "send the userId that your own session says is logged in: the connection is theirs",
        )),
    }
}
