//! What a connection's secrets are, between the seal and the wire.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::template::Values;
use crate::secret::{AccessToken, RefreshToken};

/// The secrets of a connection. `Debug` shows none; the only way to bytes is [`Credentials::plaintext`], for the seal.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Credentials {
    /// OAuth's access token.
    #[serde(default)]
    pub access_token: Option<AccessToken>,
    /// OAuth's refresh token.
    #[serde(default)]
    pub refresh_token: Option<RefreshToken>,
    /// Keys and passwords that the person typed, by input.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
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
        Self { access_token: None, refresh_token: None, secrets }
    }

    /// What is sealed.
    #[must_use]
    pub fn plaintext(&self) -> Vec<u8> {
        json!({
            "access_token": self.access_token.as_ref().map(AccessToken::expose),
            "refresh_token": self.refresh_token.as_ref().map(RefreshToken::expose),
            "secrets": self.secrets,
        })
        .to_string()
        .into_bytes()
    }

    /// What was sealed.
    #[must_use]
    pub fn from_plaintext(plaintext: &[u8]) -> Option<Self> {
        serde_json::from_slice(plaintext).ok()
    }

    /// Whether one of the tokens, or what was typed, is the same: revoking one of the two would end the other.
    #[must_use]
    pub fn have_in_common(&self, other: &Self) -> bool {
        let access = self.access_token.is_some() && self.access_token == other.access_token;
        let refresh = self.refresh_token.is_some() && self.refresh_token == other.refresh_token;
        access || refresh || (!self.secrets.is_empty() && self.secrets == other.secrets)
    }

    /// As placeholders: `{access_token}`, `{refresh_token}` and the typed secrets by name.
    pub fn fill(&self, values: &mut Values) {
        for (name, value) in &self.secrets {
            values.insert(name.clone(), value.clone());
        }
        if let Some(token) = &self.access_token {
            values.insert("access_token", token.expose());
        }
        if let Some(token) = &self.refresh_token {
            values.insert("refresh_token", token.expose());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_nothing_in_common() {
        let of = |access: &str, refresh: &str, key: &str| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            Credentials {
                access_token: some(access).map(AccessToken::from),
                refresh_token: some(refresh).map(RefreshToken::from),
                secrets: some(key).map(|key| ("api_key".to_owned(), key)).into_iter().collect(),
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
    }

    #[test]
    fn what_is_sealed_is_read_back_and_never_printed() {
        let credentials = Credentials {
            access_token: Some(AccessToken::from("at".to_owned())),
            refresh_token: None,
            secrets: BTreeMap::from([("api_key".to_owned(), "k".to_owned())]),
        };
        assert_eq!(Credentials::from_plaintext(&credentials.plaintext()), Some(credentials.clone()));
        assert_eq!(format!("{credentials:?}"), "Credentials(…)");
    }
}
