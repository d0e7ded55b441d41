//! Secrets as types: they can be neither printed nor serialised by accident.
//!
//! `Debug` hides the value; `Display` and `Serialize` are absent. Reading, storing or sending one takes a visible
//! [`expose`](ClientSecret::expose). Comparing goes through [`digest`], so that no comparison tells how much was right.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest as ring_digest},
    hmac,
};
use serde::Deserialize;

use crate::clock::Random;

macro_rules! secret {
    ($($(#[$doc:meta])* $name:ident)+) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The value itself. Each use is a place to look at in a review.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(value)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+ };
}

secret! {
    /// What a provider accepts as proof of consent (RFC 6749 §1.4).
    AccessToken
    /// What a provider exchanges for a new access token (RFC 6749 §1.5).
    RefreshToken
    /// What a login gave, for calls that take neither a token of OAuth's nor what was typed.
    SessionToken
    /// The provider client's password (RFC 6749 §2.3.1).
    ClientSecret
    /// What a provider gave for one token request (RFC 6749 §4.1.2).
    AuthorizationCode
    /// The secret behind a code challenge (RFC 7636 §4.1).
    CodeVerifier
    /// The secret that belongs to an OAuth 1.0 token (RFC 5849 §1.1).
    TokenSecret
    /// A JWT that a client signed (RFC 7523): whoever has it may use it until it expires.
    Assertion
    /// The key that proofs of possession are signed with (RFC 9449): PKCS#8, base64url.
    ProofKey
    /// What looks after a client that was registered by us (RFC 7592 §3).
    RegistrationToken
    /// What a provider exchanges for tokens once the person has typed the other code (RFC 8628 §3.2).
    DeviceCode
    /// An app client's own secret, the last part of a secret key.
    AppSecret
    /// A 256-bit value of ours that authorises whoever bears it: one-time token, session, completion code, cookie, state.
    Bearer
    /// The deployment's root key: whoever has it may administer everything.
    RootKey
}

impl Bearer {
    /// A new one: 256 random bits, base64url.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random.bytes::<32>()))
    }

    /// Another one, made of this for a purpose: the same each time, and telling nothing of this one.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        Self(URL_SAFE_NO_PAD.encode(hmac::sign(&key, purpose.as_bytes())))
    }

    /// What is stored in its place.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest(&self.0)
    }
}

impl CodeVerifier {
    /// A new one: 256 random bits as 43 characters, the least RFC 7636 §4.1 allows and what it recommends.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random.bytes::<32>()))
    }

    /// `BASE64URL(SHA256(ASCII(code_verifier)))` (RFC 7636 §4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(ring_digest(&SHA256, self.0.as_bytes()))
    }
}

/// The SHA-256 of a bearer value, base64url: safe to store, log and compare, since the value behind it has 256 random bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// As stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Digest {
    /// A digest that came back to us, if it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let whole = text.len() == 43 && URL_SAFE_NO_PAD.decode(text).is_ok();
        whole.then(|| Self(text.to_owned()))
    }
}

/// The digest of a value that somebody presented.
#[must_use]
pub fn digest(value: &str) -> Digest {
    Digest(URL_SAFE_NO_PAD.encode(ring_digest(&SHA256, value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", ClientSecret::from("hunter2".to_owned())), "ClientSecret(…)");
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = CodeVerifier::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
