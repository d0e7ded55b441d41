//! A grant: what one person allowed one client, and the family of tokens that came of it.

use serde::{Deserialize, Serialize};

use super::scope::Scope;
use crate::demo::{
    Random,
    secret::{Hash, Secret},
};

/// How long an access token works. Short, so that a person who tries the demo sees a refresh.
pub const ACCESS_SECONDS: u64 = 60;
/// How long a refresh token may lie unused (RFC 9700 §4.14.2).
const IDLE_SECONDS: u64 = 30 * 24 * 60 * 60;
/// How many spent refresh tokens are remembered. An older one is refused like any other, but no longer taken as a
/// sign of theft; without an end the file would grow with every refresh.
const SPENT: usize = 1_000;

/// A grant, active until it has ended.
#[derive(Clone, Serialize, Deserialize)]
pub struct Grant {
    /// Who was allowed.
    pub client_id: String,
    /// Who allowed it.
    pub user: String,
    /// What was allowed.
    pub scopes: Vec<Scope>,
    /// When it was allowed.
    pub granted_at: u64,
    /// When and why it ended.
    pub ended: Option<End>,
    refresh_token: Hash,
    refreshed_at: u64,
    spent: Vec<Hash>,
    access_tokens: Vec<AccessToken>,
}

/// The end of a grant.
#[derive(Clone, Serialize, Deserialize)]
pub struct End {
    /// The moment.
    pub at: u64,
    /// The cause.
    pub cause: Cause,
}

/// Why a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The client revoked its refresh token (RFC 7009 §2.1).
    RevokedByClient,
    /// The authorization code came a second time (RFC 6749 §4.1.2).
    CodeReused,
    /// A spent refresh token came again (RFC 9700 §4.14.2).
    RefreshTokenReused,
}

/// An access token, which may be narrower than its grant (RFC 6749 §6).
#[derive(Clone, Serialize, Deserialize)]
struct AccessToken {
    hash: Hash,
    scopes: Vec<Scope>,
    expires_at: u64,
}

/// A new pair of tokens.
pub struct Tokens {
    pub access: Secret,
    pub refresh: Secret,
    pub scopes: Vec<Scope>,
}

/// What a presented refresh token is to its grant.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the one to use.
    Current,
    /// It was used before: somebody has a copy.
    Spent,
    /// It is none of this grant's, or the grant has ended or lain idle for too long.
    Unknown,
}

impl Tokens {
    /// New tokens for a grant. They name it, so that it is found without a search; the random half is the secret.
    pub fn mint(grant: &str, scopes: Vec<Scope>, random: &Random) -> Self {
        let token = |kind| Secret::new(format!("acme_{kind}.{grant}.{}", Secret::random(random).expose()));
        Self { access: token("at"), refresh: token("rt"), scopes }
    }
}

/// The id of the grant that a token names.
pub fn grant_of(token: &str) -> Option<&str> {
    let mut parts = token.split('.');
    let (_kind, grant) = (parts.next()?, parts.next()?);
    Some(grant)
}

impl Grant {
    /// A grant with its first tokens.
    pub fn new(client_id: &str, user: &str, tokens: &Tokens, now: u64) -> Self {
        let mut grant = Self {
            client_id: client_id.to_owned(),
            user: user.to_owned(),
            scopes: tokens.scopes.clone(),
            granted_at: now,
            ended: None,
            refresh_token: tokens.refresh.hash(),
            refreshed_at: now,
            spent: Vec::new(),
            access_tokens: Vec::new(),
        };
        grant.add_access_token(tokens, now);
        grant
    }

    /// Whether its tokens can still work.
    pub fn is_active(&self) -> bool {
        self.ended.is_none()
    }

    /// What the presented refresh token is.
    pub fn standing(&self, presented: &str, now: u64) -> Standing {
        let hash = Hash::of(presented);
        if self.spent.contains(&hash) {
            Standing::Spent
        } else if self.is_active() && hash == self.refresh_token && now < self.refreshed_at + IDLE_SECONDS {
            Standing::Current
        } else {
            Standing::Unknown
        }
    }

    /// Spends the current refresh token and puts new tokens in its place. Access tokens that were issued before
    /// keep working until they expire.
    pub fn rotate(&mut self, tokens: &Tokens, now: u64) {
        let spent = std::mem::replace(&mut self.refresh_token, tokens.refresh.hash());
        self.spent.push(spent);
        if self.spent.len() > SPENT {
            self.spent.remove(0);
        }
        self.refreshed_at = now;
        self.add_access_token(tokens, now);
    }

    /// Ends the grant and with it every token; the first cause stays.
    pub fn end(&mut self, cause: Cause, now: u64) {
        self.ended.get_or_insert(End { at: now, cause });
        self.access_tokens.clear();
        self.spent.clear();
    }

    /// Whether the token is this grant's refresh token, current or spent.
    pub fn knows_refresh_token(&self, presented: &str) -> bool {
        let hash = Hash::of(presented);
        hash == self.refresh_token || self.spent.contains(&hash)
    }

    /// Forgets one access token.
    pub fn drop_access_token(&mut self, presented: &str) {
        let hash = Hash::of(presented);
        self.access_tokens.retain(|token| token.hash != hash);
    }

    /// What the access token allows, if it still works.
    pub fn allowed(&self, presented: &str, now: u64) -> Option<&[Scope]> {
        let hash = Hash::of(presented);
        let token = self.access_tokens.iter().find(|token| token.hash == hash && now < token.expires_at)?;
        Some(&token.scopes)
    }

    fn add_access_token(&mut self, tokens: &Tokens, now: u64) {
        self.access_tokens.retain(|token| now < token.expires_at);
        self.access_tokens.push(AccessToken {
            hash: tokens.access.hash(),
            scopes: tokens.scopes.clone(),
            expires_at: now + ACCESS_SECONDS,
        });
    }
}
