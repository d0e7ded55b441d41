//! What a provider remembers. Nothing here grows without end: each shelf drops its oldest.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::Hash,
};

use serde_json::{Value, json};

use crate::{
    fault::{Faults, Planned},
    refusal::Refused,
    request::Pairs,
    rule::Claim,
};

/// How much each shelf holds.
const CAPACITY: usize = 20_000;

/// A map that drops its oldest entry when it is full.
pub struct Shelf<K, V> {
    entries: BTreeMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Ord + Clone + Hash, V> Shelf<K, V> {
    /// Puts an entry, in the place of another of the same name.
    pub fn put(&mut self, key: K, value: V) {
        if self.entries.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > CAPACITY {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    /// An entry.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get(key)
    }

    /// An entry, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get_mut(key)
    }

    /// Every entry.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values()
    }

    /// Every entry, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut()
    }
}

/// A client. `Client { id, secret: Some(…), ..Client::default() }` is a confidential one that may be answered anywhere.
#[derive(Clone, Default)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret, unless it has none.
    pub secret: Option<String>,
    /// Its public keys, as JSON Web Keys.
    pub public_keys: Vec<Value>,
    /// Where it may be answered; none given: anywhere.
    pub redirect_uris: Vec<String>,
    /// What is switched on for it at the provider.
    pub settings: Vec<String>,
    /// Who has to be the issuer of its assertions, where that is not its id: a team, a domain.
    pub issuer: Option<String>,
}

/// An authorization request that was consented to.
#[derive(Clone)]
pub struct Code {
    /// What was granted.
    pub grant: u64,
    /// The redirect URI of the request, if it named one.
    pub redirect_uri: Option<String>,
    /// The challenge and its method.
    pub challenge: Option<(String, String)>,
    /// The nonce of OpenID Connect.
    pub nonce: Option<String>,
    /// The key that it is bound to (RFC 9449 §10).
    pub bound_to: Option<String>,
    /// Until when it works.
    pub expires_at: i64,
    /// Whether it was redeemed.
    pub spent: bool,
    /// Whether the request asked for a refresh token as the provider wants it.
    pub wants_refresh: bool,
}

/// What an account granted to a client.
#[derive(Clone)]
pub struct Granted {
    /// The client.
    pub client_id: String,
    /// The name of the account.
    pub account: String,
    /// Its data.
    pub account_data: Value,
    /// The scopes.
    pub scopes: Vec<String>,
    /// What the host name's places took.
    pub host: Value,
    /// The key that it was got with.
    pub key: Value,
    /// Whether it has ended.
    pub ended: bool,
}

/// An access token.
#[derive(Clone)]
pub struct Access {
    /// What it is for.
    pub grant: u64,
    /// When it was issued.
    pub issued_at: i64,
    /// Until when it works; absent: for ever.
    pub expires_at: Option<i64>,
    /// Its kind.
    pub kind: String,
    /// Its secret (OAuth 1.0a).
    pub secret: Option<String>,
    /// The key that it is bound to (RFC 9449).
    pub bound_to: Option<String>,
    /// Whether it was revoked.
    pub ended: bool,
}

/// A refresh token.
#[derive(Clone)]
pub struct Refresh {
    /// What it is for.
    pub grant: u64,
    /// Until when it works; absent: for ever.
    pub expires_at: Option<i64>,
    /// When it was spent.
    pub spent_at: Option<i64>,
    /// The key that it is bound to (RFC 9449).
    pub bound_to: Option<String>,
    /// Whether it was revoked.
    pub ended: bool,
}

/// A device that waits.
#[derive(Clone)]
pub struct Waiting {
    /// Who asked.
    pub client_id: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// Until when it may.
    pub expires_at: i64,
    /// How often it is still told to wait.
    pub pending: u32,
    /// When it asked last.
    pub polled_at: i64,
    /// Seconds between two polls.
    pub interval: i64,
    /// Whether it has its tokens.
    pub spent: bool,
}

/// Temporary credentials (RFC 5849 §2.1).
#[derive(Clone)]
pub struct Temporary {
    /// The client.
    pub client_id: String,
    /// The secret.
    pub secret: String,
    /// Where to answer.
    pub callback: String,
    /// The verifier and the account, once the person has consented.
    pub consented: Option<(String, String, Vec<String>)>,
    /// Until when they work.
    pub expires_at: i64,
}

/// Everything that one provider remembers.
#[derive(Default)]
pub struct State {
    /// By id.
    pub clients: BTreeMap<String, Client>,
    /// Registered keys.
    pub keys: Vec<BTreeMap<String, String>>,
    /// Who consents next.
    pub account: String,
    /// By code.
    pub codes: Shelf<String, Code>,
    /// By number.
    pub grants: Shelf<u64, Granted>,
    /// By token.
    pub access: Shelf<String, Access>,
    /// By token.
    pub refresh: Shelf<String, Refresh>,
    /// Pushed requests by `request_uri`: until when they work, and what they ask.
    pub pushed: Shelf<String, (i64, Pairs)>,
    /// By device code.
    pub devices: Shelf<String, Waiting>,
    /// By token.
    pub temporary: Shelf<String, Temporary>,
    /// Nonces of OAuth 1.0a and `jti`s of assertions and proofs.
    pub nonces: Shelf<String, ()>,
    /// The nonces for proofs of possession, and when each was made.
    pub dpop_nonces: Shelf<String, i64>,
    /// The last of them.
    pub dpop_nonce: Option<(String, i64)>,
    /// What is to go wrong.
    pub planned: Vec<Planned>,
    /// Calls by endpoint.
    pub calls: BTreeMap<String, u64>,
    /// The number of the last grant.
    pub last: u64,
}

impl State {
    /// The faults of this call; they count down.
    pub fn faults(&mut self, endpoint: &str) -> Faults {
        let mut faults = Vec::new();
        for planned in self.planned.iter_mut().filter(|planned| planned.endpoint == endpoint) {
            planned.calls -= 1;
            faults.push(planned.fault.clone());
        }
        self.planned.retain(|planned| planned.calls > 0);
        Faults(faults)
    }

    /// The registered key of which all claims are fields.
    pub fn key(&self, claims: &[Claim]) -> Result<Value, Refused> {
        let Some(first) = claims.first() else { return Ok(json!({})) };
        let fits =
            |key: &&BTreeMap<String, String>| claims.iter().all(|claim| key.get(&claim.field) == Some(&claim.value));
        let key = self.keys.iter().find(fits).ok_or_else(|| {
            let fields: Vec<&str> = claims.iter().map(|claim| claim.field.as_str()).collect();
            let case = if first.case == "parameter" { "key_unknown" } else { &first.case };
            Refused::new(case, format!("no registered key has this {}", fields.join(" and ")))
        })?;
        Ok(json!(key))
    }

    /// Remembers a grant.
    pub fn grant(&mut self, granted: Granted) -> u64 {
        self.last += 1;
        self.grants.put(self.last, granted);
        self.last
    }

    /// Ends a grant and all that came of it.
    pub fn end_grant(&mut self, grant: u64) {
        if let Some(granted) = self.grants.get_mut(&grant) {
            granted.ended = true;
        }
    }

    /// Whether a token works: an access token or a refresh token.
    #[must_use]
    pub fn is_live(&self, token: &str, now: i64) -> bool {
        let stands = |grant: u64| self.grants.get(&grant).is_some_and(|granted| !granted.ended);
        let lasts = |expires_at: Option<i64>| expires_at.is_none_or(|at| at > now);
        let access = self.access.get(token).is_some_and(|a| !a.ended && lasts(a.expires_at) && stands(a.grant));
        let refresh = self
            .refresh
            .get(token)
            .is_some_and(|r| !r.ended && r.spent_at.is_none() && lasts(r.expires_at) && stands(r.grant));
        access || refresh
    }
}
