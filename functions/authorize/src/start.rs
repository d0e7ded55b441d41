//! `GET /connect/start/{handle}`: the browser takes its attempt and is sent to the provider.

use shared::{
    app::App,
    error::Error,
    http::{Request, Response, cookie, failure},
    routes::Voice,
    secret::Bearer,
    store::attempts::{LIFETIME, Progress, State, cookie_name},
};

/// Gives the attempt to this browser by a cookie, and redirects to the provider. The handle works once for each browser: the
/// same one, known by its cookie, may start again; to any other the link is used.
pub async fn start(app: &App, request: &Request) -> Result<Response, Error> {
    let query = request.query()?;
    let state = query.one("state")?.and_then(State::parse).ok_or(Error::UnknownState)?;
    if state.attempt.as_str() != request.param("handle")? {
        return Err(Error::UnknownState);
    }
    let name = cookie_name(&state.attempt);
    let own = request.cookie(&name).filter(|value| value.len() <= 64).map(|value| Bearer::from(value.to_owned()));
    let (fresh, now) = (Bearer::random(&app.random), app.clock.now());
    // a cookie that is there already counts only for the attempt that it was given for: anybody could have planted another
    let (attempt, browser) = match (app.attempts.start(&state, &fresh.digest(), now).await, own) {
        (Err(Error::AlreadyUsed), Some(own)) => (app.attempts.start(&state, &own.digest(), now).await?, own),
        (started, _) => (started?, fresh),
    };
    // as long as the answer may take and the outcome be looked at
    let cookie = cookie(&name, browser.expose(), 3 * LIFETIME.as_secs());
    let provider = match app.depart(&attempt, &state, &browser.digest()).await {
        Ok(provider) => provider,
        Err(error) => return Ok(stay(app, request, &state, error).await?.with("set-cookie", &cookie)),
    };
    Ok(Response::redirect(provider.as_str())
        .with("set-cookie", &cookie)
        .with("referrer-policy", "no-referrer")
        .with("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
        .with("x-frame-options", "DENY"))
}

/// The provider did not take what has to be asked ahead of the browser. A refusal ends the attempt as any other does; else the
/// page says what is wrong, and this browser, which has the attempt by now, may load it again.
async fn stay(app: &App, request: &Request, state: &State, error: Error) -> Result<Response, Error> {
    let progress = app.attempts.progress_of(&state.attempt, app.clock.now()).await?;
    match app.stay(&progress.attempt, error).await {
        Ok(ending) => app.end(&Progress { state: Some(state.expose()), ..progress }, ending).await,
        Err(error) => Ok(failure(app, request, Voice::Page, &error)),
    }
}
