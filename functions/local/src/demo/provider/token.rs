//! The token endpoint (RFC 6749 §3.2) and the revocation endpoint (RFC 7009).

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header::CACHE_CONTROL, header::PRAGMA},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Provider,
    faults::{Endpoint, tally},
    grant::{ACCESS_SECONDS, Cause, Grant, Standing, Tokens, grant_of},
    records::Kept,
    scope::Scope,
};
use crate::demo::{
    parameters::Parameters,
    refusal::Refusal,
    secret::{Hash, Secret, s256},
};

/// Redeems a code or a refresh token.
pub async fn token(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    form: Parameters,
) -> Result<Response, Refusal> {
    provider.faults.strike(Endpoint::Token)?;
    let client_id = provider.authenticate(&headers, &form)?;
    let tokens = match form.require("grant_type", "grant_type is missing")? {
        "authorization_code" => provider.redeem_code(&client_id, &form)?,
        "refresh_token" => provider.refresh(&client_id, &form)?,
        _ => return Err(UNSUPPORTED_GRANT_TYPE),
    };
    Ok(token_response(&tokens))
}

/// Ends a token, or with a refresh token the whole grant (RFC 7009 §2.1). One that is unknown here needs no
/// revocation any more, so the answer is the same (§2.2). `token_type_hint` is not needed to find a token.
pub async fn revoke(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    form: Parameters,
) -> Result<StatusCode, Refusal> {
    provider.faults.strike(Endpoint::Revoke)?;
    let client_id = provider.authenticate(&headers, &form)?;
    let token = form.require("token", "token is missing")?;

    let now = provider.now();
    provider.records.change(|kept| {
        let Some(grant) = named_grant(kept, token) else { return Ok(()) };
        if grant.client_id != client_id {
            return Err(FOREIGN_TOKEN);
        }
        if grant.knows_refresh_token(token) {
            grant.end(Cause::RevokedByClient, now);
        }
        grant.drop_access_token(token);
        Ok(())
    })??;
    tally(&provider.counters.revocations);
    Ok(StatusCode::OK)
}

const INVALID_CODE: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_grant", "the code is unknown, used, expired or another client's");
const INVALID_REFRESH_TOKEN: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_grant", "the refresh token is unknown, used, expired or revoked");
const INVALID_SCOPE: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", "the scope is unknown or more than was granted");
const UNSUPPORTED_GRANT_TYPE: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", "only authorization_code and refresh_token");
const FOREIGN_TOKEN: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_grant", "the token was issued to another client");
const WRONG_VERIFIER: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_grant", "the code_verifier does not match the code_challenge");
const WRONG_REDIRECT_URI: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_grant", "the redirect_uri is not that of the authorization request");

impl Provider {
    /// Turns a code into a grant (RFC 6749 §4.1.3, RFC 7636 §4.6). A request that is wrong leaves the code as it
    /// is; a code that comes a second time ends the grant that it became.
    fn redeem_code(&self, client_id: &str, form: &Parameters) -> Result<Tokens, Refusal> {
        let presented = form.require("code", "code is missing")?;
        let redirect_uri = form.require("redirect_uri", "redirect_uri is missing")?;
        let verifier = form.require("code_verifier", "code_verifier is missing")?;

        let now = self.now();
        let mut codes = self.codes();
        let code = codes
            .get_mut(&Hash::of(presented))
            .filter(|code| code.request.client_id == client_id)
            .ok_or(INVALID_CODE)?;
        if let Some(grant) = &code.redeemed_as {
            self.end_grant(grant, Cause::CodeReused)?;
            return Err(INVALID_CODE);
        }
        if code.expires_at <= now {
            return Err(INVALID_CODE);
        }
        if code.request.redirect_uri != redirect_uri {
            return Err(WRONG_REDIRECT_URI);
        }
        if s256(verifier) != code.request.code_challenge {
            return Err(WRONG_VERIFIER);
        }

        let id = Secret::random(&self.random).expose().to_owned();
        let tokens = Tokens::mint(&id, code.request.scopes.clone(), &self.random);
        let grant = Grant::new(client_id, &code.user, &tokens, now);
        self.records.change(|kept| kept.grants.insert(id.clone(), grant))?;
        code.redeemed_as = Some(id);
        tally(&self.counters.code_redemptions);
        Ok(tokens)
    }

    /// Turns a refresh token into the next one (RFC 6749 §6). Whoever brings a spent one may have stolen it, or
    /// been stolen from; nobody can tell, so the grant ends for both (RFC 9700 §4.14.2).
    fn refresh(&self, client_id: &str, form: &Parameters) -> Result<Tokens, Refusal> {
        let presented = form.require("refresh_token", "refresh_token is missing")?;
        let now = self.now();
        let tokens = self.records.change(|kept| {
            let grant = named_grant(kept, presented)
                .filter(|grant| grant.client_id == client_id)
                .ok_or(INVALID_REFRESH_TOKEN)?;
            match grant.standing(presented, now) {
                Standing::Unknown => return Err(INVALID_REFRESH_TOKEN),
                Standing::Spent => {
                    grant.end(Cause::RefreshTokenReused, now);
                    return Err(INVALID_REFRESH_TOKEN);
                }
                Standing::Current => {}
            }

            let scopes = narrowed(&grant.scopes, form.get("scope"))?;
            let tokens = Tokens::mint(grant_of(presented).unwrap_or_default(), scopes, &self.random);
            grant.rotate(&tokens, now);
            Ok(tokens)
        })??;
        tally(&self.counters.refresh_redemptions);
        Ok(tokens)
    }

    fn end_grant(&self, id: &str, cause: Cause) -> Result<(), Refusal> {
        let now = self.now();
        self.records.change(|kept| {
            if let Some(grant) = kept.grants.get_mut(id) {
                grant.end(cause, now);
            }
        })?;
        Ok(())
    }
}

fn named_grant<'a>(kept: &'a mut Kept, token: &str) -> Option<&'a mut Grant> {
    kept.grants.get_mut(grant_of(token)?)
}

/// A refresh may ask for less than was granted, never for more; without a wish it gets all (RFC 6749 §6).
fn narrowed(granted: &[Scope], wish: Option<&str>) -> Result<Vec<Scope>, Refusal> {
    if wish.is_none() {
        return Ok(granted.to_vec());
    }
    Scope::parse(wish).filter(|scopes| scopes.iter().all(|scope| granted.contains(scope))).ok_or(INVALID_SCOPE)
}

/// RFC 6749 §5.1.
fn token_response(tokens: &Tokens) -> Response {
    let body = Json(json!({
        "access_token": tokens.access.expose(),
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "refresh_token": tokens.refresh.expose(),
        "scope": Scope::join(&tokens.scopes),
    }));
    ([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], body).into_response()
}
