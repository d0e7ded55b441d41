//! `POST /connectors/{connector}/credentials/callback`: the app redeems the code that came through the browser.

use serde::Deserialize;
use serde_json::json;
use shared::{
    app::App,
    caller::Caller,
    error::{Error, Missing, Refusal},
    http::{Request, Response},
    id::{Identity, Role},
    secret::digest,
    store::{
        Claimer,
        attempts::{Completion, Progress, State, Status},
        connections::{Chosen, Completer},
    },
    subject::Subject,
};

/// The part of the request that is not flat.
#[derive(Default, Deserialize)]
struct Wanted {
    /// What the app chose of several that the account reaches, by placeholder.
    #[serde(default)]
    choose: Chosen,
}

/// Redeems a completion code: `{"code", "state", "userId"}` in, the connection out. Everything is checked before the code is
/// used up, so a mistake costs nothing; the claim is one transaction with the connection. Where something has to be chosen first,
/// the answer names what there is, and the same code goes with the choice.
pub async fn redeem(app: &App, request: &Request) -> Result<Response, Error> {
    let form = request.form()?;
    let wanted: Wanted = if request.has_json() { request.json()? } else { Wanted::default() };
    let code = digest(form.required("code")?);
    let state = State::parse(form.required("state")?).ok_or_else(unknown)?;
    let named = Subject::from_params(&form)?.identity;

    let now = app.clock.now();
    // two rounds, of two reads each
    let caller = app.caller_reading(request, &[Role::Connect], |_, _| Vec::new());
    let (caller, found) = tokio::join!(caller, app.codes.find(&code));
    let caller = caller?;
    let found = found?.filter(|found| found.expires_at > now).ok_or_else(unknown)?;
    if found.attempt != state.attempt {
        return Err(unknown());
    }
    let (progress, held) =
        tokio::join!(app.attempts.progress_of(&found.attempt, now), app.connections.held(&found.attempt));
    let progress = progress.map_err(gone)?;
    if !belongs(&progress, &caller, request.param("connector")?, &state) {
        return Err(unknown());
    }
    same_identity(&progress, named.as_ref())?;
    if found.claimed_by.is_some() {
        return Err(unknown());
    }
    let claimer = Claimer::random(&app.random);

    let attempt = &progress.attempt;
    if progress.status == Status::Connected {
        // the person confirmed on our page before the browser came here
        if !app.codes.claim(&code, &claimer, now).await? {
            return Err(unknown());
        }
        app.connections.find(&attempt.connection).await?.ok_or(Error::NotFound(Missing::Connection))?;
    } else {
        let held = app.choose(held?.ok_or_else(unknown)?, &wanted.choose).await?;
        let by = Completer::App { code, claimer: &claimer };
        let completed = app.complete(&held, attempt.reconnect, &by).await;
        completed.map_err(|error| if matches!(error, Error::AlreadyUsed) { unknown() } else { error })?;
    }
    let key = &attempt.connection;
    let answer = json!({ "connectionId": key, "credentialId": key.credential_id(), "status": "connected" });
    Ok(Response::json(&answer))
}

/// RFC 6749 §5.2: one answer for every code that can't be redeemed, whatever the reason.
fn unknown() -> Error {
    Error::refused(
        Refusal::InvalidGrant,
        "the code is unknown, used, expired or not of this connector and state; start again",
    )
}

fn gone(error: Error) -> Error {
    if matches!(error, Error::NotFound(_)) { unknown() } else { error }
}

/// Whether the attempt is the caller's, of this connector and this state.
fn belongs(progress: &Progress, caller: &Caller, connector: &str, state: &State) -> bool {
    let attempt = &progress.attempt;
    attempt.project == caller.project.id
        && attempt.environment == caller.environment
        && attempt.connector.as_str() == connector
        && progress.state.as_deref() == Some(state.expose().as_str())
}

/// An app that vouches has to say who its own session says is logged in, and that has to be who started. Any other may leave
/// it out, but never name somebody else.
pub fn same_identity(progress: &Progress, named: Option<&Identity>) -> Result<(), Error> {
    let attempt = &progress.attempt;
    match (named, &attempt.identity) {
        (None, _) if attempt.completion == Completion::AppVouches => Err(Error::refused(
            Refusal::UserIdRequired,
            "this project vouches for its users: send the userId that your own session says is logged in",
        )),
        (None, _) => Ok(()),
        (Some(named), Some(identity)) if identity == named => Ok(()),
        (Some(_), _) => Err(Error::refused(
            Refusal::IdentityMismatch,
            "userId is not the user for whom this connection was started",
        )),
    }
}
