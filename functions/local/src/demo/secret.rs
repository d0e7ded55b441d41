//! Values that must not be printed, and the hashes that may be stored in their place.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::Random;

/// A bearer value: a token, a code, a client secret, a session. Reading it takes a visible call.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret that was made elsewhere.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// A new secret of 256 bits, safe in a URL, a header and a cookie.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        let mut bytes = [0; 32];
        random(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored in the secret's place.
    #[must_use]
    pub(super) fn hash(&self) -> Hash {
        Hash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 of a secret of 256 random bits, which no dictionary finds: salt and stretching would add nothing.
/// Comparing hashes also tells an attacker who measures time nothing about the secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(String);

impl Hash {
    /// Hashes what a caller presents.
    pub fn of(presented: &str) -> Self {
        Self(s256(presented))
    }
}

/// The base64url-encoded SHA-256, which is also the code challenge of a verifier (RFC 7636 §4.6).
pub fn s256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "Secret(…)");
    }

    #[test]
    fn a_challenge_is_made_as_in_rfc_7636_appendix_b() {
        assert_eq!(s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
