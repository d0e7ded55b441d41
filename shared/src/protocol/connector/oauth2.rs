//! OAuth 2.0 (RFC 6749 and its family) as a provider runs it.

use serde::{Deserialize, Serialize};

use super::{BodyFormat, ErrorSignal, Expiry, List, Method, Pairs, Text, wire::json};

/// OAuth 2.0 as this provider runs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// How an access token is first got.
    #[serde(default)]
    pub grant: Grant,
    /// Where the browser is sent (RFC 6749 §3.1). The authorization code grant has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<Text>,
    /// Where codes and refresh tokens are redeemed (RFC 6749 §3.2).
    pub token_endpoint: Text,
    /// Where an authorization for a device without a browser begins (RFC 8628 §3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<Text>,
    /// Where the authorization request is pushed first (RFC 9126); used whenever it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<Text>,
    /// How a client is registered, where each server has its own (RFC 7591); absent where the operator registers one by hand. Where
    /// the person names the server, one is registered there when the first of them does, and is sent nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
    /// Who answers (RFC 8414 §2): an `iss` in the answer has to be this (RFC 9207).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Text>,
    /// Whether every authorization response carries `iss` (RFC 9207 §3). An answer without it is then refused.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// What is asked for unless the operator chooses otherwise: a small, read-only start. A scope may name inputs and settings, like
    /// `https://{org}.example.com/user`: it is filled when somebody is asked, and what is remembered of the request is the filled one.
    #[serde(default)]
    pub scopes: List<Text>,
    /// Put between scopes; RFC 6749 §3.3 says a space.
    #[serde(default = "space")]
    pub scope_separator: Text,
    /// Between the scopes of an answer, where that differs from the request and is no space, which is always read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_scope_separator: Option<Text>,
    /// The parameter that carries the scopes; empty where the provider has none.
    #[serde(default = "scope")]
    pub scope_parameter: Text,
    /// A second scope parameter, for a second kind of token or for scopes an account may lack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_scope_parameter: Option<Text>,
    /// What the token is for (RFC 8707): sent with the authorization request and every token request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Text>,
    /// What stands for `code` in the authorization request (RFC 6749 §3.1.1), where the provider has a word of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_type: Option<Text>,
    /// How the answer comes back, where the provider's own default is not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_mode: Option<ResponseMode>,
    /// Proof Key for Code Exchange (RFC 7636).
    #[serde(default)]
    pub pkce: Pkce,
    /// Fixed extra parameters of the authorization request.
    #[serde(default)]
    pub authorization_params: Pairs,
    /// A fixed fragment at the end of the authorization request, without `#`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_fragment: Option<Text>,
    /// What this provider calls the standard's parameters.
    #[serde(default)]
    pub parameter_names: ParameterNames,
    /// What is sent as `redirect_uri` where that is no address: a name under which the provider keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<Text>,
    /// Characters at the end of a code that do not belong to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_suffix: Option<Text>,
    /// How the provider signs its authorization response; one that is not signed right is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_signature: Option<CallbackSignature>,
    /// How the client proves itself at the token endpoint.
    #[serde(default)]
    pub token_endpoint_auth_method: ClientAuthentication,
    /// The JWT that a client proves itself with ([`ClientAuthentication::PrivateKeyJwt`], [`ClientAuthentication::SignedClientSecret`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_assertion: Option<Assertion>,
    /// The JWT that is the grant itself ([`Grant::JwtBearer`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
    /// With which method a token is asked for.
    #[serde(default = "Method::post")]
    pub token_request_method: Method,
    /// How the parameters of a token request are written.
    #[serde(default)]
    pub token_request_body: BodyFormat,
    /// The `grant_type` of the first token request, where it is not the standard's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_type: Option<Text>,
    /// Fixed extra parameters of the first token request.
    #[serde(default)]
    pub token_params: Pairs,
    /// Fixed extra headers of every token request.
    #[serde(default)]
    pub token_headers: Pairs,
    /// Whether tokens are bound to a key of the connection (RFC 9449).
    #[serde(default)]
    pub dpop: bool,
    /// A second exchange right after the first, by which a token becomes one that lives longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
    /// Whether and how an access token is renewed.
    #[serde(default)]
    pub refresh: RefreshKind,
    /// Whether a refresh brings another refresh token, as far as is documented. Either is handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_rotates: Option<bool>,
    /// Where a refresh token is redeemed, if not at the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_endpoint: Option<Text>,
    /// With which method, if not the token request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_method: Option<Method>,
    /// How the client proves itself there, if not as at the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_endpoint_auth_method: Option<ClientAuthentication>,
    /// Fixed extra parameters of a refresh; one called `grant_type` takes the standard's place. `{redirect_uri}` is the one of the
    /// authorization.
    #[serde(default)]
    pub refresh_params: Pairs,
    /// Whether a refresh carries the access token that it renews too, as `Authorization: Bearer`.
    #[serde(default)]
    pub refresh_bears_access_token: bool,
    /// How the token endpoint says that a grant is over, where that is not RFC 6749 §5.2's `invalid_grant`: members of its refusal as
    /// dotted paths, each with its text. One of them is enough.
    #[serde(default)]
    pub grant_ended: Pairs,
    /// Seconds after which an unused refresh token dies, where it does; it is used before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_in: Option<u64>,
    /// Seconds an access token lives when the answer does not say (RFC 6749 §5.1 only recommends `expires_in`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_expires_in: Option<u64>,
    /// Where the members of a token response stand.
    #[serde(default)]
    pub token_response: TokenResponsePaths,
    /// Further tokens in the same answer, each sealed and renewed by itself. An API call names the one it wants.
    #[serde(default)]
    pub token_slots: List<TokenSlot>,
    /// A refusal that comes with status 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_signal: Option<ErrorSignal>,
}

fn space() -> Text {
    Text::Borrowed(" ")
}

fn scope() -> Text {
    Text::Borrowed("scope")
}

/// What a provider calls the standard's parameters: the standard's name, and its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ParameterNames {
    /// Where the browser is sent with them.
    pub authorization_request: Pairs,
    /// Where it comes back with them; of these only `code` has a name of its own anywhere.
    pub authorization_response: Pairs,
    /// At the token endpoint.
    pub token_request: Pairs,
}

/// How an access token is first got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A person consents in a browser (RFC 6749 §4.1).
    #[default]
    AuthorizationCode,
    /// The person types a client of their own, `client_id` and `client_secret` (RFC 6749 §4.4).
    ClientCredentials,
    /// The person types a private key that signs an assertion (RFC 7523 §2.1).
    JwtBearer,
    /// A person types a code that is shown to them, on another device (RFC 8628).
    DeviceCode,
}

impl Grant {
    /// Whether a token is got without a person's consent, with what they typed: their own client, a key.
    #[must_use]
    pub fn needs_nobody(self) -> bool {
        match self {
            Self::ClientCredentials | Self::JwtBearer => true,
            Self::AuthorizationCode | Self::DeviceCode => false,
        }
    }
}

/// How a client is registered with a server that has none of ours yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Where (RFC 7591 §3).
    pub endpoint: Text,
    /// How the request is written: JSON as the RFC says, or a form.
    #[serde(default = "json")]
    pub body: BodyFormat,
    /// Standard names of the client's metadata, and what this server calls them.
    #[serde(default)]
    pub parameter_names: Pairs,
}

/// How an authorization response comes back (OAuth 2.0 Multiple Response Type Encoding Practices §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of our redirect URI.
    Query,
    /// By a POST to it: what a provider demands that tells a name or an e-mail address along with the code.
    FormPost,
}

impl ResponseMode {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
}

/// Which code challenge is sent (RFC 7636 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Pkce {
    /// The SHA-256 of the verifier: the default, since a server without PKCE ignores the parameter (RFC 6749 §3.1).
    #[default]
    S256,
    /// The verifier itself, for a provider that takes no other.
    #[serde(rename = "plain")]
    Plain,
    /// Nothing, for a provider that refuses the parameter.
    #[serde(rename = "none")]
    None,
}

/// How a signed authorization response is checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CallbackSignature {
    /// The parameter that carries the signature.
    pub parameter: Text,
    /// What it is made by.
    pub algorithm: CallbackSignatureAlgorithm,
}

/// What an authorization response is signed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallbackSignatureAlgorithm {
    /// HMAC-SHA256 under the client secret, in hexadecimal, over the other parameters sorted by name.
    HmacSha256SortedQuery,
}

/// How the client proves itself at the token endpoint (RFC 8414 `token_endpoint_auth_methods_supported`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// HTTP Basic, both halves form-encoded first (RFC 6749 §2.3.1). RFC 8414's default.
    #[default]
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the body.
    ClientSecretPost,
    /// `client_id` and `client_secret` in the query, for a provider that takes them nowhere else.
    ClientSecretQuery,
    /// A JWT that is signed with the client's private key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// As [`Self::ClientSecretPost`], with a signed JWT as the secret.
    SignedClientSecret,
    /// `client_id` in the body and no secret: a public client.
    None,
}

/// A JWT that is made for a request (RFC 7523 §3). `iat`, `exp` and `jti` are added to its claims.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// How it is signed (RFC 7518 §3.1).
    pub algorithm: JwtAlgorithm,
    /// The key: a placeholder for a typed secret, or `{client_secret}` for the operator's.
    pub key: Text,
    /// The key's name in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Text>,
    /// The claims that are texts, each a template.
    #[serde(default)]
    pub claims: Pairs,
    /// Seconds it is good for, from its `iat`, which is a minute ago, or half of that time: the provider's clock may be behind.
    #[serde(default = "five_minutes")]
    pub expires_in: u64,
}

fn five_minutes() -> u64 {
    300
}

/// How a JWT is signed (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// HMAC with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
}

/// A token that becomes another, longer-lived one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Where.
    pub endpoint: Text,
    /// With which method.
    #[serde(default = "Method::post")]
    pub method: Method,
    /// How the parameters are written.
    #[serde(default)]
    pub body: BodyFormat,
    /// The parameters; `{access_token}` is the token that was got.
    #[serde(default)]
    pub params: Pairs,
    /// How the client proves itself.
    #[serde(default)]
    pub authentication: ClientAuthentication,
}

/// Whether and how an access token is renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefreshKind {
    /// By the refresh token (RFC 6749 §6), if the answer carried one. A new one in the answer replaces it.
    #[default]
    RefreshToken,
    /// By the access token itself, while it lives: `refresh_params` are sent to the `refresh_endpoint`, or the exchange is made
    /// again.
    AccessToken,
    /// By asking once more as at first, which needs nobody: client credentials, a JWT.
    Remint,
    /// Not at all: the token lives until it is revoked.
    None,
}

/// Where the members of a token response stand, as dotted paths.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TokenResponsePaths {
    /// How the answer is written.
    pub format: ResponseFormat,
    /// Where the members stand together, as a dotted path: for a provider that documents an answer inside a list or an object,
    /// and is seen to send it bare. What the paths below and `captures.token_response` name is looked for there if the
    /// answer has such a place, else at its top.
    pub root: Option<Text>,
    /// The access token.
    pub access_token: Text,
    /// The refresh token.
    pub refresh_token: Text,
    /// When the access token ends.
    pub expires_in: Text,
    /// What that member means.
    pub expiry: Expiry,
    /// The granted scopes: one text, or a list.
    pub scope: Text,
}

impl Default for TokenResponsePaths {
    fn default() -> Self {
        Self {
            format: ResponseFormat::Json,
            root: None,
            access_token: Text::Borrowed("access_token"),
            refresh_token: Text::Borrowed("refresh_token"),
            expires_in: Text::Borrowed("expires_in"),
            expiry: Expiry::Seconds,
            scope: Text::Borrowed("scope"),
        }
    }
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    /// `application/json` (RFC 6749 §5.1).
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`, as some did before the RFC.
    Form,
}

/// A further token in the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenSlot {
    /// What an API call names it by.
    pub name: Text,
    /// The access token, as a dotted path into the token response.
    pub access_token: Text,
    /// Its refresh token, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Text>,
    /// Its lifetime in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Text>,
    /// Its scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Text>,
}
