//! `POST /v1/connect/device/{attempt}`: the app asks whether the person has typed the code (RFC 8628 §3.4).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use shared::{
    app::App,
    error::{Error, Missing},
    flow::device::{denied, expired, over},
    http::{Params, Request, Response},
    id::{AttemptId, Role},
    store::{
        attempts::{Progress, Shape, Status},
        connections::Chosen,
    },
    subject::Subject,
};

use crate::completion::same_identity;

/// A JSON object that names the user, and where the account reaches several, which one is meant.
#[derive(Deserialize)]
struct Collection {
    #[serde(default)]
    choose: Chosen,
}

/// Answers the connection once there is one; until then, and where there will be none, RFC 8628 §3.5's words with 400. The user
/// named has to be the one for whom it was begun.
pub async fn collect(app: &Arc<App>, request: &Request) -> Result<Response, Error> {
    let unknown = || Error::NotFound(Missing::Attempt);
    let id = AttemptId::parse(request.param("attempt")?).ok_or_else(unknown)?;
    let Collection { choose } = request.json()?;
    let named = Subject::from_params(&Params::from_json(&request.body)?)?.identity;
    let caller = app.caller_reading(request, &[Role::Connect], |_, _| Vec::new());
    let (caller, progress) = tokio::join!(caller, app.attempts.progress_of(&id, app.clock.now()));
    let (caller, progress) = (caller?, progress?);
    let Progress { attempt, status, error, .. } = &progress;
    if attempt.shape != Shape::Device
        || attempt.project != caller.project.id
        || attempt.environment != caller.environment
    {
        return Err(unknown());
    }
    same_identity(&progress, named.as_ref())?;

    match status {
        Status::Connected => {}
        Status::Held => app.complete_device(attempt, &choose).await?,
        Status::Pending | Status::Claimed => app.poll_device(attempt).await?,
        Status::Denied => return Err(denied()),
        Status::Expired => return Err(expired()),
        Status::Failed if error.as_deref() == Some("expired_token") => return Err(expired()),
        Status::Failed => return Err(over(error.as_deref().unwrap_or_default())),
    }
    let key = &attempt.connection;
    let answer = json!({ "connectionId": key, "credentialId": key.credential_id(), "status": "connected" });
    Ok(Response::json(&answer))
}
