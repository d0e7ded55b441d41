//! `GET /connectors/{connector}/oauth/callback`: the authorization response (RFC 6749 §4.1.2).

use std::sync::Arc;

use shared::{
    app::App,
    error::Error,
    flow::finish::{Ending, completion_code},
    http::{Request, Response},
    id::ConnectorId,
    protocol::authorization::{AuthorizationResponse, Verdict},
    secret::Bearer,
    store::{
        Claimer,
        attempts::{Claim, Completion, Progress, Proof, Status, cookie_name},
    },
};

use crate::form_post;

/// Turns an authorization response into a held grant (RFC 6749 §4.1.2 to §4.1.4). It is usable only once it is completed:
/// by the app, which redeems the code that goes with the browser, or by the person, who is sent to confirm.
pub async fn receive(app: &Arc<App>, request: &Request) -> Result<Response, Error> {
    let params = form_post::answer(app, request).await?;
    let answer = AuthorizationResponse::from_params(&params)?;
    let cookie = request.cookie(&cookie_name(&answer.state.attempt)).ok_or(Error::UnknownState)?;
    let cookie = Bearer::from(cookie.to_owned());
    let proof = Proof {
        browser: cookie.digest(),
        connector: connector_in_path(request)?,
        issuer: answer.issuer.clone(),
        claimer: Claimer::random(&app.random),
    };
    let claimed = match app.attempts.claim(&answer.state, &proof, app.clock.now()).await? {
        Claim::Won(claimed) => claimed,
        Claim::Before(progress) => return again(app, &progress, &cookie).await,
    };

    let (progress, attempt) = (&claimed.progress, claimed.attempt());
    let code = match answer.verdict(&claimed) {
        Verdict::Denied(reason) => return app.end(progress, app.refuse(attempt, reason).await?).await,
        Verdict::Code(code) => code,
    };
    let held = match app.redeem(&claimed, &code, &params).await {
        Ok(held) => held,
        Err(failure) => return app.end(progress, app.give_up_grant(attempt, failure).await?).await,
    };

    let vouched = attempt.completion == Completion::AppVouches;
    let code = completion_code(attempt, &cookie).filter(|_| vouched);
    app.hold(held.clone(), code.as_ref()).await?;
    match attempt.completion {
        Completion::BoundAtStart => {
            app.end(progress, app.complete_in_browser(attempt, Some(held), &cookie).await?).await
        }
        Completion::AppVouches | Completion::PersonConfirms => app.end(progress, Ending::Held(code)).await,
    }
}

/// The same browser came again: it is told how it ended. What was bound at its start and held, but not completed, is completed now.
async fn again(app: &App, progress: &Progress, cookie: &Bearer) -> Result<Response, Error> {
    let attempt = &progress.attempt;
    if progress.status == Status::Held && attempt.completion == Completion::BoundAtStart {
        let held = app.connections.held(&attempt.id).await?;
        return app.end(progress, app.complete_in_browser(attempt, held, cookie).await?).await;
    }
    app.end(progress, Ending::of(progress, cookie)).await
}

/// The connector whose own redirect URI this is; none at the common one.
fn connector_in_path(request: &Request) -> Result<Option<ConnectorId>, Error> {
    let Ok(named) = request.param("connector") else { return Ok(None) };
    ConnectorId::parse(named).map(Some).ok_or(Error::UnknownState)
}
