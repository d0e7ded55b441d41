//! `GET /connectors/{connector}/oauth/callback`: the authorization response (RFC 6749 §4.1.2).

use shared::{
    app::App,
    error::{self, Error},
    flow::finish::{Ending, completion_code},
    http::{Request, Response},
    id::ConnectorId,
    protocol::authorization::{AuthorizationResponse, Verdict},
    secret::Bearer,
    store::attempts::{Claim, Claimed, Completion, Proof, cookie_name},
};

use crate::form_post;

/// Turns an authorization response into a held grant (RFC 6749 §4.1.2 to §4.1.4). It is usable only once it is completed:
/// by the app, which redeems the code that goes with the browser, or by the person, who is sent to confirm.
pub async fn receive(app: &App, request: &Request) -> Result<Response, Error> {
    let params = form_post::answer(app, request).await?;
    let answer = AuthorizationResponse::from_params(&params)?;
    let cookie = request.cookie(&cookie_name(&answer.state.attempt)).ok_or(Error::UnknownState)?;
    let cookie = Bearer::from(cookie.to_owned());
    let proof = Proof {
        browser: cookie.digest(),
        connector: connector_in_path(request)?,
        issuer: answer.issuer.clone(),
        request_id: request.request_id.clone(),
    };
    let claimed = match app.attempts.claim(&answer.state, &proof, app.clock.now()).await? {
        Claim::Won(claimed) => claimed,
        Claim::Before(progress) => return app.end(&progress, Ending::of(&progress, &cookie)).await,
    };

    let (progress, attempt) = (&claimed.progress, claimed.attempt());
    let code = match answer.verdict(&claimed) {
        Verdict::Denied(reason) => {
            app.attempts.deny(&attempt.id, &reason).await?;
            return app.end(progress, Ending::Denied(reason)).await;
        }
        Verdict::Code(code) => code,
    };
    let held = match app.redeem(&claimed, &code, &params).await {
        Ok(held) => held,
        Err(error) => return give_up(app, &claimed, error).await,
    };

    let vouched = attempt.completion == Completion::AppVouches;
    let code = completion_code(attempt, &cookie).filter(|_| vouched);
    app.connections.hold(&app.attempts, &app.codes, &held, code.as_ref(), app.clock.now()).await?;
    app.end(progress, Ending::Held(code)).await
}

/// The connector whose own redirect URI this is; none at the common one.
fn connector_in_path(request: &Request) -> Result<Option<ConnectorId>, Error> {
    let Ok(named) = request.param("connector") else { return Ok(None) };
    ConnectorId::parse(named).map(Some).ok_or(Error::UnknownState)
}

/// The provider's failure is an outcome of the attempt: it reaches the front end, and the log says why.
async fn give_up(app: &App, claimed: &Claimed, error: Error) -> Result<Response, Error> {
    let attempt = claimed.attempt();
    let Some(code) = Ending::code_of(&error) else { return Err(error) };
    tracing::warn!(
        attempt = %attempt.id,
        connector = %attempt.connector,
        code,
        cause = error::chain(&error),
        "the provider's answer could not be turned into a grant"
    );
    app.attempts.fail(&attempt.id, code).await?;
    app.end(&claimed.progress, Ending::Failed(code.to_owned())).await
}
