//! What an attempt keeps sealed.

use serde::Deserialize;

use crate::{
    json::shape,
    secret::{AccessToken, CodeVerifier, DeviceCode, ProofKey, TokenSecret},
};

/// The content name of what an attempt keeps sealed.
pub const VERIFIER: &str = "code_verifier";

/// What an attempt keeps sealed until its answer comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// What ties the code to it (RFC 7636).
    pub code_verifier: Option<CodeVerifier>,
    /// The key that its tokens are bound to (RFC 9449).
    pub proof_key: Option<ProofKey>,
    /// The temporary credentials that the browser left with (RFC 5849 §2.1).
    pub temporary: Option<AccessToken>,
    /// Their secret.
    pub token_secret: Option<TokenSecret>,
    /// What the provider is polled with (RFC 8628 §3.2).
    pub device_code: Option<DeviceCode>,
}

impl Kept {
    /// A code verifier and nothing else.
    #[must_use]
    pub fn verifier(verifier: CodeVerifier) -> Self {
        Self { code_verifier: Some(verifier), ..Self::default() }
    }

    /// What is sealed: a code verifier alone as it is.
    #[must_use]
    pub fn plaintext(&self) -> Vec<u8> {
        let Self { code_verifier, proof_key, temporary, token_secret, device_code } = self;
        match (code_verifier, proof_key, temporary, token_secret, device_code) {
            (Some(verifier), None, None, None, None) => verifier.expose().as_bytes().to_vec(),
            _ => serde_json::json!({
                "code_verifier": code_verifier.as_ref().map(CodeVerifier::expose),
                "proof_key": proof_key.as_ref().map(ProofKey::expose),
                "temporary": temporary.as_ref().map(AccessToken::expose),
                "token_secret": token_secret.as_ref().map(TokenSecret::expose),
                "device_code": device_code.as_ref().map(DeviceCode::expose),
            })
            .to_string()
            .into_bytes(),
        }
    }

    /// What was sealed.
    #[must_use]
    pub fn from_plaintext(plaintext: Vec<u8>) -> Option<Self> {
        if plaintext.starts_with(b"{") {
            return shape::read(&plaintext).ok();
        }
        String::from_utf8(plaintext).ok().map(|text| Self::verifier(CodeVerifier::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_never_printed() {
        let verifier = Kept::verifier(CodeVerifier::from("canary-1".to_owned()));
        assert_eq!(verifier.plaintext(), b"canary-1");
        let all = Kept {
            proof_key: Some(ProofKey::from("canary-2".to_owned())),
            temporary: Some(AccessToken::from("canary-3".to_owned())),
            token_secret: Some(TokenSecret::from("canary-4".to_owned())),
            device_code: Some(DeviceCode::from("canary-5".to_owned())),
            ..verifier.clone()
        };
        for kept in [verifier, all, Kept::default()] {
            assert_eq!(Kept::from_plaintext(kept.plaintext()), Some(kept.clone()));
            assert!(!format!("{kept:?}").contains("canary"));
        }
    }
}
