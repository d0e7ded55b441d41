//! `GET /connect/start/{handle}`: the browser takes its attempt and is sent to the provider.

use shared::{
    app::App,
    error::Error,
    http::{Request, Response, cookie},
    protocol::authorization::with_state,
    secret::{Bearer, digest},
    store::attempts::{LIFETIME, State, cookie_name},
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
    let browser = match request.cookie(&name) {
        Some(value) if value.len() <= 64 => Bearer::from(value.to_owned()),
        _ => Bearer::random(&app.random),
    };
    let attempt = app.attempts.start(&state, &digest(browser.expose()), app.clock.now()).await?;
    // as long as the answer may take and the outcome be looked at
    let cookie = cookie(&name, browser.expose(), 3 * LIFETIME.as_secs());
    let provider = with_state(&attempt.authorization_url, &state).map_err(|_| Error::UnknownState)?;
    Ok(Response::redirect(provider.as_str())
        .with("set-cookie", &cookie)
        .with("referrer-policy", "no-referrer")
        .with("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
        .with("x-frame-options", "DENY"))
}
