//! OAuth 1.0a (RFC 5849) as a provider runs it.

use serde::{Deserialize, Serialize};

use super::{Pairs, Text};

/// OAuth 1.0a as this provider runs it (RFC 5849 §2). The client's id is the consumer key, its secret the consumer secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OAuth1 {
    /// Where temporary credentials are got (§2.1).
    pub temporary_credential_endpoint: Text,
    /// Where the browser is sent (§2.2).
    pub authorization_endpoint: Text,
    /// Where token credentials are got (§2.3).
    pub token_endpoint: Text,
    /// How requests are signed (§3.4).
    #[serde(default)]
    pub signature_method: SignatureMethod,
    /// Fixed extra parameters of the address that the browser is sent to.
    #[serde(default)]
    pub authorization_params: Pairs,
    /// Seconds a token lives, where it does not live until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// How a request is signed (RFC 5849 §3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum SignatureMethod {
    /// HMAC-SHA1, which most providers still demand.
    #[default]
    #[serde(rename = "HMAC-SHA1")]
    HmacSha1,
    /// HMAC-SHA256.
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    /// The secrets themselves, protected by TLS alone.
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
}
