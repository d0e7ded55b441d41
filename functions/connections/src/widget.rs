//! What the widget shows, and the session it connects with.

use serde::de::IgnoredAny;
use serde_json::{Value, json};
use shared::{
    app::App,
    caller::Caller,
    error::{Error, Missing},
    flow::connector_in_use::ConnectorInUse,
    http::{Params, Request, Response},
    id::{Environment, Role},
    record::definition_id,
    secret::Bearer,
    store::{links::Session, settings::Key},
    subject::Subject,
};

use crate::{catalogue::image_url, paging::Paging};

/// The connectors that are offered, and a session of five minutes for exactly this project, environment and
/// identity: `{"identity", "identityType"}` in, a page of rows with `session` out. Without an identity it is the project's.
pub async fn list(app: &App, request: &Request) -> Result<Response, Error> {
    let subject = subject(request)?;
    let caller = app
        .caller_reading(request, &[Role::Connect], |project, environment| {
            let user = subject.identity.iter();
            user.map(|user| Key::DeletedUser(project.clone(), environment, user.clone())).collect()
        })
        .await?;
    let paging = Paging::of(&request.query()?, 100)?;
    must_be_there(&caller, &subject)?;
    let base_url = app.base_url(app.clock.now()).await?;
    let mut connectors = app.connectors_in_use(&caller.project.id, caller.environment).await?;
    connectors.retain(ConnectorInUse::is_offered);

    let session = Bearer::random(&app.random);
    let content = Session {
        project: caller.project.id,
        environment: caller.environment,
        identity: subject.identity,
        identity_label: subject.label,
        connectors: Vec::new(),
        created_at: app.clock.now(),
    };
    app.links.put_session(&session, &content).await?;

    let mut answer = paging.answer(&connectors, |connector| row(connector, caller.environment, &base_url), request);
    answer["session"] = session.expose().into();
    Ok(Response::json(&answer))
}

/// Some clients send no body where there is nothing to say.
fn subject(request: &Request) -> Result<Subject, Error> {
    if request.body.is_empty() {
        return Ok(Subject::default());
    }
    request.json::<IgnoredAny>()?; // the content type counts here too
    Subject::from_params(&Params::from_json(&request.body)?)
}

fn must_be_there(caller: &Caller, subject: &Subject) -> Result<(), Error> {
    let deleted = |user| Key::DeletedUser(caller.project.id.clone(), caller.environment, user);
    match &subject.identity {
        Some(user) if caller.read.is_deleted(&deleted(user.clone())) => Err(Error::NotFound(Missing::User)),
        _ => Ok(()),
    }
}

fn row(connector: &ConnectorInUse<'_>, environment: Environment, base_url: &str) -> Value {
    let ConnectorInUse { id, data, .. } = connector;
    json!({
        "id": definition_id(id),
        "connectionDefId": definition_id(id),
        "type": if data.consent().is_some() { "oauth" } else { "api" },
        "title": data.name,
        "image": image_url(base_url, id),
        "environment": environment,
        "tags": [],
        "active": true,
        "key": id,
        "platform": id,
    })
}
