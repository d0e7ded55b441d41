//! The front page: what this is, and who has allowed what. Open to everybody, as only a demo on a laptop may be;
//! there is no token in it.

use std::{cmp::Reverse, sync::Arc};

use askama::Template;
use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Provider,
    grant::{Cause, Grant},
    records::Kept,
    scope::Scope,
};
use crate::demo::{calendar::utc, page::page as render};

/// A grant as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct GrantSummary {
    /// Who allowed it.
    pub user: String,
    /// The id of the client that was allowed.
    pub client_id: String,
    /// The client's name.
    pub client: String,
    /// What was allowed, separated by spaces.
    pub scope: String,
    /// `active` or `revoked`.
    pub state: &'static str,
    /// When it was allowed, in seconds since the epoch.
    pub granted_at: u64,
    /// When it ended.
    pub revoked_at: Option<u64>,
    /// Why it ended: `revoked_by_client`, `code_reused` or `refresh_token_reused`.
    pub cause: Option<&'static str>,
}

/// `GET /`
pub async fn page(State(provider): State<Arc<Provider>>) -> Response {
    let (issuer, grants) = (provider.issuer.as_str(), provider.grants());
    render(StatusCode::OK, &GrantsPage { issuer, grants })
}

/// `GET /grants`
pub async fn list(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(json!({ "grants": provider.grants() }))
}

/// Every grant, the newest first.
pub fn summaries(kept: &Kept) -> Vec<GrantSummary> {
    let mut grants: Vec<_> = kept.grants.values().map(|grant| summary(grant, kept)).collect();
    grants.sort_by_key(|grant| Reverse(grant.granted_at));
    grants
}

fn summary(grant: &Grant, kept: &Kept) -> GrantSummary {
    let client = kept.clients.get(&grant.client_id).map_or(&grant.client_id, |client| &client.name);
    GrantSummary {
        user: grant.user.clone(),
        client_id: grant.client_id.clone(),
        client: client.clone(),
        scope: Scope::join(&grant.scopes),
        state: if grant.is_active() { "active" } else { "revoked" },
        granted_at: grant.granted_at,
        revoked_at: grant.ended.as_ref().map(|end| end.at),
        cause: grant.ended.as_ref().map(|end| end.cause.name()),
    }
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::RevokedByClient => "revoked_by_client",
            Self::CodeReused => "code_reused",
            Self::RefreshTokenReused => "refresh_token_reused",
        }
    }
}

impl GrantSummary {
    fn granted(&self) -> String {
        utc(self.granted_at)
    }

    fn revoked(&self) -> String {
        self.revoked_at.map(utc).unwrap_or_default()
    }

    fn reason(&self) -> &'static str {
        match self.cause {
            Some("revoked_by_client") => "the app gave it back",
            Some("code_reused") => "its code came twice",
            Some("refresh_token_reused") => "a spent refresh token came again",
            _ => "",
        }
    }
}

#[derive(Template)]
#[template(path = "acme_grants.html")]
struct GrantsPage<'a> {
    issuer: &'a str,
    grants: Vec<GrantSummary>,
}
