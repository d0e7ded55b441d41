//! `POST /connectors/{connector}/oauth/callback`: an answer by OAuth 2.0 Form Post Response Mode.
//! <https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html>

use shared::{
    app::App,
    error::{Error, Missing},
    http::{Params, Request, Response},
    store::{
        answers::{ANSWER, AnswerHandle},
        attempts::State,
    },
};
use url::form_urlencoded::Serializer;

/// An answer is a code, a state and perhaps an ID token and a name: a few kilobytes.
const LIMIT: usize = 16 * 1024;

/// Parks the answer and sends the browser to fetch it by GET, since only that brings the cookie (`SameSite=Lax`). Nothing is
/// believed yet, and who sends it need not be the provider.
pub async fn park(app: &App, request: &Request) -> Result<Response, Error> {
    if request.body.len() > LIMIT {
        return Err(Error::TooLarge(LIMIT));
    }
    let form = request.form()?;
    let state = form.one("state")?.and_then(State::parse).ok_or(Error::UnknownState)?;
    let now = app.clock.now();
    let base_url = app.base_url(now).await?;
    let progress = app.attempts.progress_of(&state.attempt, now).await.map_err(|error| match error {
        Error::NotFound(Missing::Attempt) => Error::UnknownState,
        other => other,
    })?;
    let answer = Serializer::new(String::new()).extend_pairs(form.iter()).finish();
    let sealed = app.seal(&progress.attempt.belongs(ANSWER), answer.as_bytes()).await?;
    let handle = AnswerHandle::random(&state.attempt, &app.random);
    app.attempts.park(&state, &handle, &sealed, now).await?;
    Ok(Response::see_other(&format!("{base_url}{}?answer={}", request.path, handle.expose())))
}

/// What the provider answered: in the query, or by a POST that the query leads back to.
pub async fn answer(app: &App, request: &Request) -> Result<Params, Error> {
    let query = request.query()?;
    let Some(handle) = query.one("answer")? else { return Ok(query) };
    let handle = AnswerHandle::parse(handle).ok_or(Error::UnknownState)?;
    let (attempt, sealed) = app.attempts.parked(&handle).await?;
    Params::from_form(&app.open(&attempt.belongs(ANSWER), &sealed).await?)
}
