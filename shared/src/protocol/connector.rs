//! What a connector is: the schema of `shared/catalog/*.toml` and of a project's custom connectors.
//!
//! One type serves three readers: `build.rs` parses the catalogue's TOML into it and writes it out as a static
//! table, the admin API parses a custom connector's JSON into it, and the flow reads it. It holds data only: what
//! is done with it stands beside it, and `Connector::check` says whether it may be acted upon.
//! Field names come from RFC 8414 where it has one. What every provider shares is the default and is left out of a file;
//! an unknown field is an error, so that a misspelt quirk can't be silently ignored. The JSON Schema that is generated from it,
//! `shared/catalog/connector.schema.json`, carries these very sentences into an editor.
//!
//! This file is compiled into the build script too and therefore uses nothing but serde.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A string that is static in the catalogue and owned in a custom connector.
pub type Text = Cow<'static, str>;

/// A list that is static in the catalogue and owned in a custom connector.
pub type List<T> = Cow<'static, [T]>;

/// Names with values, written as a TOML table or JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub List<(Text, Text)>);

/// A provider, as data: how an account there is connected and how its API is called.
///
/// Everything in braces, like `{tenant}`, is a placeholder. It is filled from [`Connector::inputs`] (typed by the person),
/// [`Connector::settings`] (chosen by the operator), [`Connector::captures`] and [`Connector::lookups`] (learnt while
/// connecting), or from a closed set, each where it makes sense: `{client_id}`, `{client_secret}`, `{app_name}`,
/// `{access_token}`, `{refresh_token}`, `{session_token}`, `{scope}`, `{state}` and `{random}`. A header or parameter whose
/// placeholder stands for an [optional](Input::optional) input that was not given is left out.
///
/// How a connection comes to be is said by which of [`oauth2`](Connector::oauth2), [`oauth1`](Connector::oauth1) and
/// [`login`](Connector::login) is there; with none of them the person types a key that is used as it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// The connector's name in every address: lower-case letters, digits and hyphens. A catalogue file's name.
    #[serde(default)]
    pub id: Text,
    /// The provider's name for people, as the provider writes it.
    pub name: Text,
    /// What kind of product it is, most fitting first.
    #[serde(default)]
    pub categories: List<Text>,
    /// The provider's own page on authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs_url: Option<Text>,
    /// How the facts below are known.
    #[serde(default)]
    pub evidence: Evidence,
    /// What surprises a developer there, in sentences for the documentation.
    #[serde(default)]
    pub notes: List<Text>,
    /// What the person who connects is asked for besides a consent: a subdomain, a region, a key.
    #[serde(default)]
    pub inputs: List<Input>,
    /// What the operator chooses once per deployment or project: a tenant, a sandbox host, the host of an own instance. One that
    /// is secret is kept beside the provider client.
    #[serde(default)]
    pub settings: List<Input>,
    /// OAuth 2.0 (RFC 6749); absent where the provider takes keys or speaks OAuth 1.0a.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
    /// OAuth 1.0a (RFC 5849).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth1: Option<OAuth1>,
    /// A call that changes what is known into a `{session_token}`: made after connecting, and again when that token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// Values kept from the provider's answers, for use in addresses and headers.
    #[serde(default)]
    pub captures: Captures,
    /// Calls made once after connecting whose answers fill placeholders, in order.
    #[serde(default)]
    pub lookups: List<Lookup>,
    /// The provider's API, as passthrough calls it.
    pub api: Api,
    /// The call that tells whose account was connected; it also proves that a credential works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// How consent is withdrawn at the provider; absent where it offers no such call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<Revoke>,
}

/// How the facts of a connector are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// How well.
    pub level: EvidenceLevel,
    /// Which sources say so.
    #[serde(default)]
    pub sources: List<Text>,
    /// The day they were read, `YYYY-MM-DD`.
    #[serde(default)]
    pub read: Text,
    /// What is not settled, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Text>,
}

/// How well the facts of a connector are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EvidenceLevel {
    /// The documented exchange was exercised against a server that plays it.
    Verified,
    /// Two or more independent sources agree.
    Agreed,
    /// One source says so and nothing contradicts it.
    Single,
    /// The operator's own word: a custom connector.
    #[default]
    Custom,
}

/// A value that somebody has to type or choose.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The placeholder it fills: lower snake case.
    pub name: Text,
    /// What a person reads beside the field.
    pub label: Text,
    /// A sentence on where to find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Text>,
    /// Whether it is a credential: sealed, never shown again, never logged.
    #[serde(default)]
    pub secret: bool,
    /// Whether it may be left empty; what names it is left out then.
    #[serde(default)]
    pub optional: bool,
    /// Whether it may have several lines, as a private key does.
    #[serde(default)]
    pub multiline: bool,
    /// The whole value has to match this regular expression. Required for an input that stands in a host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Text>,
    /// The only values allowed; none means any that match the pattern.
    #[serde(default)]
    pub values: List<Text>,
    /// Used when nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Text>,
}

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
    /// How a client is registered, where each server has its own (RFC 7591); absent where the operator registers one by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
    /// Who answers (RFC 8414 §2): an `iss` in the answer has to be this (RFC 9207).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Text>,
    /// Whether every authorization response carries `iss` (RFC 9207 §3). An answer without it is then refused.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// What is asked for unless the operator chooses otherwise: a small, read-only start.
    #[serde(default)]
    pub scopes: List<Text>,
    /// Put between scopes; RFC 6749 §3.3 says a space.
    #[serde(default = "space")]
    pub scope_separator: Text,
    /// Between the scopes of an answer, where that differs from the request.
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
    /// Fixed extra parameters of a refresh; one called `grant_type` takes the standard's place.
    #[serde(default)]
    pub refresh_params: Pairs,
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

/// A method of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// A plain read.
    Get,
    /// A call with a body, which may be empty.
    Post,
    /// Takes a resource away.
    Delete,
}

impl Method {
    fn get() -> Self {
        Self::Get
    }

    fn post() -> Self {
        Self::Post
    }

    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
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

fn json() -> BodyFormat {
    BodyFormat::Json
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
    /// Seconds it is good for.
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

/// How the parameters of a request are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as RFC 6749 §4.1.3 says.
    #[default]
    Form,
    /// `application/json`.
    Json,
    /// In the query, with no body.
    Query,
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

/// What a number or text that tells an end means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// Seconds from now, as a number or as digits (RFC 6749 §5.1).
    #[default]
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since the epoch.
    UnixSeconds,
    /// Milliseconds since the epoch.
    UnixMilliseconds,
    /// A date and time as of RFC 3339.
    Rfc3339,
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

/// A refusal that comes with status 200.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ErrorSignal {
    /// A dotted path into the answer.
    pub path: Text,
    /// The value that means refusal, as text (`false`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Text>,
    /// The only value that means none (`0`). With neither, the member's presence means refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<Text>,
    /// Where the error's code stands.
    pub code: Text,
}

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

/// A call that changes typed credentials, or a token, into a `{session_token}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Where.
    pub url: Text,
    /// With which method.
    #[serde(default = "Method::post")]
    pub method: Method,
    /// How the parameters are written.
    #[serde(default = "json")]
    pub body: BodyFormat,
    /// The parameters.
    #[serde(default)]
    pub params: Pairs,
    /// Further headers.
    #[serde(default)]
    pub headers: Pairs,
    /// How the caller proves itself, where that is not in the parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Placement>,
    /// A JWT that is made for this call, as `{assertion}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
    /// Where the session's token stands in the answer.
    pub token: Text,
    /// Where its end stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Text>,
    /// What that member means.
    #[serde(default)]
    pub expiry: Expiry,
    /// Seconds it lives when the answer does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_expires_in: Option<u64>,
    /// A refusal that comes with status 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_signal: Option<ErrorSignal>,
}

/// Values kept while connecting: the placeholder's name, and where the value is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Captures {
    /// Parameters of the authorization response.
    pub authorization_response: Pairs,
    /// Dotted paths into the token response.
    pub token_response: Pairs,
    /// Dotted paths into the claims of the token response's `id_token`.
    pub id_token: Pairs,
    /// Dotted paths into the answer of the login.
    pub login_response: Pairs,
    /// What a captured value has to match before it is believed; every captured name that stands in a host has one.
    pub patterns: Pairs,
    /// What stands for a captured value that an answer does not carry.
    pub defaults: Pairs,
}

/// A call made once after connecting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The placeholder that the answer fills.
    pub name: Text,
    /// What a person calls the thing that is looked up, where they have to choose one: `Site`, `Organisation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// What is asked, with the connection's credential.
    pub url: Text,
    /// With which method.
    #[serde(default = "Method::get")]
    pub method: Method,
    /// Further headers.
    #[serde(default)]
    pub headers: Pairs,
    /// The body, JSON, of a call that needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Text>,
    /// Where the list stands from which one is chosen: a dotted path, or `.` where the answer itself is the list. Of several the
    /// person chooses; without it there is one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Text>,
    /// Of a list only the elements where each of these paths has this value.
    #[serde(default)]
    pub only: Pairs,
    /// A dotted path into the answer, or into an element of the list.
    pub path: Text,
    /// Where a name for people stands, shown in the connection's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    /// Further placeholders that the same answer, or the chosen element, fills, each with its path.
    #[serde(default)]
    pub also: Pairs,
    /// What the values have to match before they are believed, by placeholder.
    #[serde(default)]
    pub patterns: Pairs,
}

/// The provider's API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// What passthrough puts in front of a path.
    pub base_url: Text,
    /// Where a base URL that the provider names itself may point: `https://*.example.com`. Required when
    /// `base_url` is a placeholder for a whole address. `*` stands for one or more labels at the start of the host.
    #[serde(default)]
    pub base_url_patterns: List<Text>,
    /// Further origins of the same API that a call may name in full, like `https://content.dropboxapi.com`.
    #[serde(default)]
    pub origins: List<Text>,
    /// How the credential travels.
    #[serde(default)]
    pub credential: Placement,
    /// Headers that every call needs; the caller's own value wins.
    #[serde(default)]
    pub headers: Pairs,
    /// Query parameters that every call needs; the caller's own value wins.
    #[serde(default)]
    pub query: Pairs,
}

/// How a credential travels with a call. Each value is a template that names what is secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "in", rename_all = "snake_case", deny_unknown_fields)]
pub enum Placement {
    /// In a header.
    Header {
        /// The header's name.
        #[serde(default = "authorization")]
        name: Text,
        /// Its value.
        #[serde(default = "bearer")]
        value: Text,
    },
    /// In the query.
    Query {
        /// The parameter's name.
        name: Text,
        /// Its value.
        #[serde(default = "access_token")]
        value: Text,
    },
    /// By HTTP Basic (RFC 7617).
    Basic {
        /// The user name.
        username: Text,
        /// The password; empty unless it is there.
        #[serde(default)]
        password: Text,
    },
    /// In the path of the base URL, which names it.
    Path,
    /// By a signature of OAuth 1.0a (RFC 5849 §3), under the connector's [`OAuth1`].
    Oauth1,
    /// By AWS Signature Version 4.
    AwsSigv4 {
        /// The service that is signed for.
        service: Text,
        /// The region that is signed for.
        region: Text,
        /// Who signs.
        access_key_id: Text,
        /// What with.
        secret_access_key: Text,
        /// The token of temporary credentials.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_token: Option<Text>,
    },
    /// By a signature over the call's parameters, in one of them.
    SignedParameters {
        /// The parameter that carries the token.
        token_parameter: Text,
        /// The parameter that carries the signature.
        parameter: Text,
        /// How it is made.
        recipe: ParameterSignature,
        /// The secret that signs.
        secret: Text,
        /// The parameter that carries the time in seconds, where one has to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timestamp_parameter: Option<Text>,
    },
}

/// How a signature over a call's parameters is made. All of them take the parameters sorted by name, without the signature and
/// the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ParameterSignature {
    /// MD5 of `name=value` of each, one behind the other, followed by the MD5 of token and secret, both in hexadecimal.
    Md5TokenSecret,
    /// HMAC-SHA256 in hexadecimal over the path, name and value of each and the body, between two copies of the secret.
    HmacSha256PathBody,
}

fn authorization() -> Text {
    Text::Borrowed("Authorization")
}

fn bearer() -> Text {
    Text::Borrowed("Bearer {access_token}")
}

fn access_token() -> Text {
    Text::Borrowed("{access_token}")
}

impl Default for Placement {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    fn default() -> Self {
        Self::Header { name: authorization(), value: bearer() }
    }
}

/// The call that tells whose account was connected.
///
/// Each field below is a dotted path into the answer, or a placeholder in braces, like `{realm_id}`, where the
/// value was learnt before.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// GET unless the provider wants another.
    #[serde(default = "Method::get")]
    pub method: Method,
    /// Where.
    pub url: Text,
    /// Further headers.
    #[serde(default)]
    pub headers: Pairs,
    /// The body, JSON, of a call that needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Text>,
    /// An id that never changes and is never given to another account: the fingerprint.
    /// Absent where the provider tells none; the connection then has no known account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
    /// The workspace, site or company, where one `account_id` can be connected to several. Part of the fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Text>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    /// The account's address, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Text>,
    /// A refusal that comes with status 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_signal: Option<ErrorSignal>,
}

/// How consent is withdrawn at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// The revocation endpoint (RFC 7009), or what the provider has in its place.
    pub url: Text,
    /// How the request is made; RFC 7009 §2.1 says POST.
    #[serde(default = "Method::post")]
    pub method: Method,
    /// How the parameters are written.
    #[serde(default)]
    pub body: BodyFormat,
    /// The parameters, usually `token = "{refresh_token}"`; without any there is no body. Where a connection has no
    /// refresh token, its access token stands in for it.
    #[serde(default)]
    pub params: Pairs,
    /// How the caller proves itself.
    #[serde(default)]
    pub authentication: RevokeAuthentication,
    /// A proof that is none of those, with `{client_secret}` in a header, say. It takes the place of `authentication`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Placement>,
    /// Further headers.
    #[serde(default)]
    pub headers: Pairs,
    /// A refusal that comes with status 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_signal: Option<ErrorSignal>,
    /// What ends: this token, or everything that the account granted to this client.
    #[serde(default)]
    pub effect: RevokeEffect,
}

/// How the caller of a revocation proves itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RevokeAuthentication {
    /// As at the token endpoint (RFC 7009 §2.1).
    #[default]
    Client,
    /// HTTP Basic with the client's id and secret, whatever the token endpoint takes.
    ClientSecretBasic,
    /// The client's id and secret among the parameters, whatever the token endpoint takes.
    ClientSecretPost,
    /// With the access token itself, as a Bearer header.
    Token,
    /// As an API call proves itself.
    Api,
    /// Not at all: possession of the token is the proof.
    None,
}

/// What a revocation ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RevokeEffect {
    /// Everything that this account granted to this client, other connections included. Assumed when unknown.
    #[default]
    Grant,
    /// This token and what was made from it.
    Token,
}

/// How a person consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// By the authorization code grant or on another device.
    OAuth2,
    /// By OAuth 1.0a.
    OAuth1,
}

impl Connector {
    /// How a person consents; `None` where they type what the provider gave them, be it a key, a client or a private key.
    #[must_use]
    pub fn consent(&self) -> Option<Consent> {
        let oauth2 = self.oauth2.as_ref().map(|oauth2| oauth2.grant);
        match (oauth2, &self.oauth1) {
            (Some(Grant::AuthorizationCode | Grant::DeviceCode), _) => Some(Consent::OAuth2),
            (Some(Grant::ClientCredentials | Grant::JwtBearer), _) | (None, None) => None,
            (None, Some(_)) => Some(Consent::OAuth1),
        }
    }
}

impl Pairs {
    /// The pairs, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The value under a name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("names with text values")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    pairs.push((Text::Owned(name), Text::Owned(value)));
                }
                Ok(Pairs(List::Owned(pairs)))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl Serialize for Pairs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Pairs {
    fn schema_name() -> Cow<'static, str> {
        "Pairs".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, String>::json_schema(generator)
    }
}
