//! `GET /v1/connect/attempts/{id}`: how far an attempt is.

use serde_json::json;
use shared::{
    app::App,
    error::{Error, Missing},
    http::{Request, Response, bearer_token},
    id::AttemptId,
    record::Record,
    secret::{Bearer, digest},
    store::{
        attempts::{Attempt, Progress, Status, cookie_name},
        links::Session,
        settings::Key,
    },
};

/// Answers `{"status", "error"?, "connection"?}` to the session that started the attempt or another one of the same person, or
/// to the browser that it belongs to. There is never a code in it, and `connected` is said only once there is a connection.
pub async fn read(app: &App, request: &Request) -> Result<Response, Error> {
    let id = AttemptId::parse(request.param("id")?).ok_or(Error::NotFound(Missing::Attempt))?;
    let now = app.clock.now();
    let progress = if let Some(token) = request.single_header("authorization")?.and_then(bearer_token) {
        let token = Bearer::from(token.to_owned());
        let session = app.links.session(&token, now).await?;
        let session =
            session.ok_or(Error::Unauthenticated { why: "the session is unknown or has expired", challenge: false })?;
        reflect(app, request, &session).await?;
        let progress = app.attempts.progress_of(&id, now).await?;
        // a page that was come back to has a new session, of the same person or as much the project's own
        let own = is_of(&progress.attempt, &session) && progress.attempt.session.is_some();
        Some(progress).filter(|_| own)
    } else {
        let cookie = request.cookie(&cookie_name(&id));
        let cookie = cookie.ok_or(Error::Unauthenticated {
            why: "send the session that started the attempt as a Bearer token",
            challenge: false,
        })?;
        let progress = app.attempts.progress_of(&id, now).await?;
        let own = progress.browser.as_deref() == Some(digest(cookie).as_str());
        Some(progress).filter(|_| own)
    };
    answer(app, &progress.ok_or(Error::NotFound(Missing::Attempt))?).await
}

fn is_of(attempt: &Attempt, session: &Session) -> bool {
    attempt.project == session.project
        && attempt.environment == session.environment
        && attempt.identity == session.identity
}

/// Lets a page of one of the project's own origins read the answer.
async fn reflect(app: &App, request: &Request, session: &Session) -> Result<(), Error> {
    let Some(origin) = request.header("origin") else { return Ok(()) };
    let read = app.settings.read(&[Key::Project(session.project.clone())], app.clock.now()).await?;
    let project = read.project(&session.project)?;
    if project.is_some_and(|project| project.allowed_origins.iter().any(|allowed| allowed == origin)) {
        request.reflect_origin(origin);
    }
    Ok(())
}

async fn answer(app: &App, progress: &Progress) -> Result<Response, Error> {
    let mut body = json!({ "status": progress.status.as_str() });
    if let Some(error) = progress.error.as_ref().filter(|_| matches!(progress.status, Status::Denied | Status::Failed))
    {
        body["error"] = json!(error);
    }
    if progress.status == Status::Connected
        && let Some(stored) = app.connections.find(&progress.attempt.connection).await?
    {
        body["connection"] = json!(Record::of(&stored.connection, stored.health));
    }
    Ok(Response::json(&body))
}
