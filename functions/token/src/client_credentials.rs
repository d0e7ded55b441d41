//! The client credentials grant (RFC 6749 §4.4).

use serde_json::json;
use shared::{
    app::App,
    caller::{Caller, Presented},
    error::{Error, Refusal},
    http::{Request, Response},
    id::Role,
    protocol::jwt::{Claims, LIFETIME_SECS},
    secret::Bearer,
};

/// Issues an access token to an app client that proves itself by HTTP Basic or in the body. Unknown parameters are ignored
/// (§3.2).
pub async fn issue(app: &App, request: &Request) -> Result<Response, Error> {
    let form = request.form()?;
    if form.required("grant_type")? != "client_credentials" {
        return Err(Error::refused(Refusal::UnsupportedGrantType, "grant_type has to be client_credentials"));
    }
    let caller = app.identify(&presented(request)?, |_, _| Vec::new()).await?;
    let roles = granted(&caller, form.one("scope")?)?;

    let now = app.clock.now();
    let claims = Claims {
        iss: app.base_url(now).await?,
        sub: caller.client.id.clone(),
        client_id: caller.client.id.clone(),
        aud: app.config.deployment_id.clone(),
        iat: now.secs(),
        exp: now.secs() + LIFETIME_SECS,
        jti: Bearer::random(&app.random).digest().as_str().to_owned(),
        scope: roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" "),
    };
    let token = app.signing_key().await?.sign(&claims);
    let answer =
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_SECS, "scope": claims.scope });
    Ok(Response::json(&answer).with("pragma", "no-cache"))
}

/// The client's proof: one of the header and the body, never both (§2.3), even where both are the same.
fn presented(request: &Request) -> Result<Presented, Error> {
    match (Presented::from_headers(request)?, Presented::from_body(request)?) {
        (Some(_), Some(_)) => Err(Error::invalid("the client proves itself in the header or in the body, not in both")),
        (Some(presented @ Presented::Secret { .. }), None) | (None, Some(presented)) => Ok(presented),
        (Some(Presented::Jwt(_)) | None, None) => Err(Error::Unauthenticated {
            why: "send client_id and client_secret in the body, or as HTTP Basic",
            challenge: false,
        }),
    }
}

/// The roles asked for by `scope`; all that the client has if it asks for none (§3.3).
fn granted(caller: &Caller, scope: Option<&str>) -> Result<Vec<Role>, Error> {
    let Some(scope) = scope else { return Ok(caller.roles().to_vec()) };
    let wanted = scope.split_ascii_whitespace().map(|name| caller.roles().iter().copied().find(|r| r.as_str() == name));
    wanted
        .collect::<Option<Vec<_>>>()
        .filter(|roles| !roles.is_empty())
        .ok_or_else(|| Error::refused(Refusal::InvalidScope, "a scope is not one of this client's roles"))
}
