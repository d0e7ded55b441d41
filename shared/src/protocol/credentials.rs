//! What a connection's secrets are, between the seal and the wire.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, json};

use super::{
    template::Values,
    token::{Slot, Tokens},
};
use crate::{
    clock::Timestamp,
    json::shape,
    secret::{AccessToken, ClientSecret, ProofKey, RefreshToken, SessionToken, TokenSecret},
};

/// The secrets of a connection. `Debug` shows none; the only way to bytes is [`Credentials::plaintext`], for the seal.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Credentials {
    /// OAuth's access token.
    #[serde(default)]
    pub access_token: Option<AccessToken>,
    /// OAuth's refresh token.
    #[serde(default)]
    pub refresh_token: Option<RefreshToken>,
    /// When the access token came: what dies unused is counted from here. Absent where nobody wrote it down.
    #[serde(default)]
    pub issued_at: Option<Timestamp>,
    /// When the access token ends, where that is known.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// What a login made of them.
    #[serde(default)]
    pub session: Option<Session>,
    /// Further tokens, by the name of their slot.
    #[serde(default)]
    pub slots: BTreeMap<String, Slot>,
    /// Keys and passwords that the person typed, by input.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// What a renewal learnt anew: it stands for what was learnt at the beginning.
    #[serde(default)]
    pub learnt: BTreeMap<String, String>,
    /// The secret that belongs to a token of OAuth 1.0a, whose name is the access token's (RFC 5849 §1.1).
    #[serde(default)]
    pub token_secret: Option<TokenSecret>,
    /// The key that the tokens are bound to (RFC 9449).
    #[serde(default)]
    pub proof_key: Option<ProofKey>,
    /// The secret of the client that asked, where it is of the server that the person named and of no other.
    #[serde(default)]
    pub client_secret: Option<ClientSecret>,
}

/// What a login gave.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Session {
    /// The session's token.
    pub token: SessionToken,
    /// When it ends, where that is known.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Credentials {
    /// Of an API key or another typed secret.
    #[must_use]
    pub fn typed(secrets: BTreeMap<String, String>) -> Self {
        Self { secrets, ..Self::default() }
    }

    /// The same with the tokens of an answer in their place. What the answer does not carry stays: a refresh token (RFC 6749 §6),
    /// a further token and its refresh token.
    #[must_use]
    pub fn with(mut self, tokens: &Tokens, now: Timestamp) -> Self {
        self.access_token = Some(tokens.access_token.clone());
        self.refresh_token = tokens.refresh_token.clone().or(self.refresh_token);
        self.issued_at = Some(now);
        self.expires_at = tokens.expires_at;
        for (name, slot) in &tokens.slots {
            self = self.with_slot(name, slot.clone());
        }
        self
    }

    /// The same with one further token in its place.
    #[must_use]
    pub fn with_slot(mut self, name: &str, slot: Slot) -> Self {
        let kept = self.slots.remove(name);
        let refresh_token = slot.refresh_token.or_else(|| kept.and_then(|kept| kept.refresh_token));
        self.slots.insert(name.to_owned(), Slot { refresh_token, ..slot });
        self
    }

    /// Lets go of the access token and what renews it.
    pub fn forget_token(&mut self) {
        (self.access_token, self.refresh_token, self.expires_at) = (None, None, None);
    }

    /// When what API calls carry ends, where that is known: the session where there is one, else the access token.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.session.as_ref().map_or(self.expires_at, |session| session.expires_at)
    }

    /// Whether API calls carry the same as with others: nothing was renewed in between. `slot` names a further token.
    #[must_use]
    pub fn carry_the_same(&self, other: &Self, slot: Option<&str>) -> bool {
        match slot {
            Some(slot) => self.slots.get(slot) == other.slots.get(slot),
            None => self.access_token == other.access_token && self.session == other.session,
        }
    }

    /// What is sealed.
    #[must_use]
    pub fn plaintext(&self) -> Vec<u8> {
        let slot = |slot: &Slot| {
            json!({
                "access_token": slot.access_token.expose(),
                "refresh_token": slot.refresh_token.as_ref().map(RefreshToken::expose),
                "expires_at": slot.expires_at,
                "scopes": slot.scopes,
            })
        };
        let mut slots = Map::new();
        slots.extend(self.slots.iter().map(|(name, further)| (name.clone(), slot(further))));
        let session = |session: &Session| json!({ "token": session.token.expose(), "expires_at": session.expires_at });
        json!({
            "access_token": self.access_token.as_ref().map(AccessToken::expose),
            "refresh_token": self.refresh_token.as_ref().map(RefreshToken::expose),
            "issued_at": self.issued_at,
            "expires_at": self.expires_at,
            "session": self.session.as_ref().map(session),
            "slots": slots,
            "secrets": self.secrets,
            "learnt": self.learnt,
            "token_secret": self.token_secret.as_ref().map(TokenSecret::expose),
            "proof_key": self.proof_key.as_ref().map(ProofKey::expose),
            "client_secret": self.client_secret.as_ref().map(ClientSecret::expose),
        })
        .to_string()
        .into_bytes()
    }

    /// What was sealed.
    #[must_use]
    pub fn from_plaintext(plaintext: &[u8]) -> Option<Self> {
        shape::read(plaintext).ok()
    }

    /// Whether one of the tokens, or what was typed, is the same: revoking one of the two would end the other.
    #[must_use]
    pub fn have_in_common(&self, other: &Self) -> bool {
        let others: BTreeSet<&str> = other.tokens().collect();
        self.tokens().any(|token| others.contains(token)) || (!self.secrets.is_empty() && self.secrets == other.secrets)
    }

    /// Whether the session is the same: ending one of the two would end the other.
    #[must_use]
    pub fn have_one_session(&self, other: &Self) -> bool {
        let [one, other] = [self, other].map(|it| it.session.as_ref().map(|session| session.token.expose()));
        one.is_some() && one == other
    }

    /// Every token, the further ones and the session's included.
    fn tokens(&self) -> impl Iterator<Item = &str> {
        let further = self.slots.values().map(|slot| (Some(&slot.access_token), slot.refresh_token.as_ref()));
        let all = std::iter::once((self.access_token.as_ref(), self.refresh_token.as_ref())).chain(further);
        let tokens = all.flat_map(|(access, refresh)| {
            access.map(AccessToken::expose).into_iter().chain(refresh.map(RefreshToken::expose))
        });
        tokens.chain(self.session.iter().map(|session| session.token.expose()))
    }

    /// As placeholders: `{access_token}`, `{refresh_token}`, `{session_token}` and the typed secrets by name.
    pub fn fill(&self, values: &mut Values) {
        for (name, value) in self.secrets.iter().chain(&self.learnt) {
            values.insert(name.clone(), value.clone());
        }
        if let Some(token) = &self.access_token {
            values.insert("access_token", token.expose());
        }
        if let Some(token) = &self.refresh_token {
            values.insert("refresh_token", token.expose());
        }
        if let Some(session) = &self.session {
            values.insert("session_token", session.token.expose());
        }
    }

    /// The same with a further token, and its refresh token, in the usual one's place. False if there is none under this name.
    pub fn fill_slot(&self, slot: &str, values: &mut Values) -> bool {
        let Some(further) = self.slots.get(slot) else { return false };
        self.fill(values);
        values.insert("access_token", further.access_token.expose());
        match &further.refresh_token {
            Some(token) => values.insert("refresh_token", token.expose()),
            None => values.remove("refresh_token"),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(access: &str, refresh: Option<&str>) -> Slot {
        Slot {
            access_token: AccessToken::from(access.to_owned()),
            refresh_token: refresh.map(|token| RefreshToken::from(token.to_owned())),
            expires_at: None,
            scopes: None,
        }
    }

    #[test]
    fn what_was_sealed_before_there_were_sessions_is_still_read() {
        let old = br#"{"access_token":"a","refresh_token":null,"secrets":{}}"#;
        let expected = Credentials { access_token: Some(AccessToken::from("a".to_owned())), ..Credentials::default() };
        assert_eq!(Credentials::from_plaintext(old), Some(expected));
    }

    #[test]
    fn a_renewed_slot_keeps_its_refresh_token_and_leaves_the_others() {
        let all = Credentials::default().with_slot("user", slot("u1", Some("r1"))).with_slot("page", slot("p1", None));
        let renewed = all.clone().with_slot("user", slot("u2", None));
        assert_eq!(renewed.slots["user"], slot("u2", Some("r1")));
        assert_eq!(renewed.slots["page"], slot("p1", None));
        assert!(!all.carry_the_same(&renewed, Some("user")) && all.carry_the_same(&renewed, Some("page")));
        assert!(all.carry_the_same(&renewed, None));
        let mut values = Values::default();
        assert!(renewed.fill_slot("user", &mut values) && !renewed.fill_slot("bot", &mut Values::default()));
        assert_eq!((values.get("access_token"), values.get("refresh_token")), (Some("u2"), Some("r1")));
        renewed.fill_slot("page", &mut values);
        assert_eq!((values.get("access_token"), values.get("refresh_token")), (Some("p1"), None));
    }

    #[test]
    fn a_call_ends_with_its_session_and_not_with_the_token_behind_it() {
        let at = |secs| Some(Timestamp::from_secs(secs));
        let token = Credentials { expires_at: at(5), ..Credentials::default() };
        assert_eq!(token.ends_at(), at(5));
        for ends in [None, at(9)] {
            let session = Session { token: SessionToken::from("s".to_owned()), expires_at: ends };
            assert_eq!(Credentials { session: Some(session), ..token.clone() }.ends_at(), ends);
        }
    }

    #[test]
    fn what_is_absent_is_nothing_in_common() {
        let of = |access: &str, refresh: &str, key: &str| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            Credentials {
                access_token: some(access).map(AccessToken::from),
                refresh_token: some(refresh).map(RefreshToken::from),
                secrets: some(key).map(|key| ("api_key".to_owned(), key)).into_iter().collect(),
                ..Credentials::default()
            }
        };
        let table = [
            (of("a", "r", ""), of("b", "s", ""), false),
            (of("a", "r", ""), of("b", "r", ""), true),
            (of("a", "", ""), of("a", "", ""), true),
            (of("a", "", ""), of("b", "", ""), false),
            (of("", "", "k"), of("", "", "k"), true),
            (of("", "", "k"), of("", "", "l"), false),
        ];
        for (at, (one, other, expected)) in table.iter().enumerate() {
            assert_eq!(one.have_in_common(other), *expected, "{at}");
        }
        let with = |name: &str| of("a", "", "").with_slot("user", slot(name, None));
        assert!(with("u").have_in_common(&of("u", "", "")) && !with("u").have_in_common(&of("b", "", "")));
        let session = |token: &str| Credentials {
            session: Some(Session { token: SessionToken::from(token.to_owned()), expires_at: None }),
            ..Credentials::default()
        };
        assert!(session("s").have_in_common(&session("s")) && !session("s").have_in_common(&session("t")));
        let of_a =
            |token: &str| Credentials { access_token: Some(AccessToken::from("a".to_owned())), ..session(token) };
        assert!(of_a("s").have_one_session(&of_a("s")) && !of_a("s").have_one_session(&of_a("t")));
        assert!(!Credentials::default().have_one_session(&Credentials::default()));
    }

    #[test]
    fn what_is_sealed_is_read_back_and_never_printed() {
        let credentials = Credentials {
            access_token: Some(AccessToken::from("at".to_owned())),
            issued_at: Some(Timestamp::from_secs(1)),
            expires_at: Some(Timestamp::from_secs(2)),
            session: Some(Session { token: SessionToken::from("st".to_owned()), expires_at: None }),
            slots: BTreeMap::from([("user".to_owned(), slot("u1", Some("r1")))]),
            secrets: BTreeMap::from([("api_key".to_owned(), "k".to_owned())]),
            token_secret: Some(TokenSecret::from("ts".to_owned())),
            proof_key: Some(ProofKey::from("pk".to_owned())),
            client_secret: Some(ClientSecret::from("cs".to_owned())),
            ..Credentials::default()
        };
        assert_eq!(Credentials::from_plaintext(&credentials.plaintext()), Some(credentials.clone()));
        assert_eq!(format!("{credentials:?}"), "Credentials(…)");
    }
}
