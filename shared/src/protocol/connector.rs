//! What a connector is: the schema of `shared/catalog/*.toml` and of a project's custom connectors.
//!
//! One type serves three readers: `build.rs` parses the catalogue's TOML into it and writes it out as a static
//! table, the admin API parses a custom connector's JSON into it, and the flow reads it. It holds data only: what
//! is done with it stands beside it, and `Connector::check` says whether it may be acted upon.
//! Field names come from RFC 8414 where it has one. What every provider shares is the default and is left out of a file;
//! an unknown field is an error, so that a misspelt quirk can't be silently ignored.
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
/// connecting), or from the closed set `{client_id}`, `{access_token}`, `{refresh_token}`, `{app_name}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
    /// What the person who connects is asked for besides a consent: a subdomain, a region, a key.
    #[serde(default)]
    pub inputs: List<Input>,
    /// What the operator chooses once per deployment or project: a tenant, a sandbox host.
    #[serde(default)]
    pub settings: List<Input>,
    /// The authorization code grant (RFC 6749 §4.1); absent where the provider takes keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
    /// Values kept from the authorization response and the token response, for use in addresses and headers.
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
}

/// How well the facts of a connector are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
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

/// The authorization code grant as this provider runs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Where the browser is sent (RFC 6749 §3.1).
    pub authorization_endpoint: Text,
    /// Where codes and refresh tokens are redeemed (RFC 6749 §3.2).
    pub token_endpoint: Text,
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
    /// How the answer comes back, where the provider's own default is not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_mode: Option<ResponseMode>,
    /// Proof Key for Code Exchange (RFC 7636).
    #[serde(default)]
    pub pkce: Pkce,
    /// Fixed extra parameters of the authorization request.
    #[serde(default)]
    pub authorization_params: Pairs,
    /// How the client proves itself at the token endpoint.
    #[serde(default)]
    pub token_endpoint_auth_method: ClientAuthentication,
    /// How the body of a token request is written.
    #[serde(default)]
    pub token_request_body: BodyFormat,
    /// Fixed extra parameters of the code exchange.
    #[serde(default)]
    pub token_params: Pairs,
    /// Fixed extra headers of every token request.
    #[serde(default)]
    pub token_headers: Pairs,
    /// Fixed extra parameters of a refresh.
    #[serde(default)]
    pub refresh_params: Pairs,
    /// Where a refresh token is redeemed, if not at the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_endpoint: Option<Text>,
    /// Whether and how an access token is renewed.
    #[serde(default)]
    pub refresh: RefreshKind,
    /// Seconds after which an unused refresh token dies, where it does; it is used before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_in: Option<u64>,
    /// Seconds an access token lives when the answer does not say (RFC 6749 §5.1 only recommends `expires_in`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_expires_in: Option<u64>,
    /// Where the members of a token response stand.
    #[serde(default)]
    pub token_response: TokenResponsePaths,
    /// A refusal that comes with status 200: this member has this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_signal: Option<ErrorSignal>,
}

fn space() -> Text {
    Text::Borrowed(" ")
}

fn scope() -> Text {
    Text::Borrowed("scope")
}

/// How an authorization response comes back (OAuth 2.0 Multiple Response Type Encoding Practices §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
pub enum Pkce {
    /// The SHA-256 of the verifier: the default, since a server without PKCE ignores the parameter (RFC 6749 §3.1).
    #[default]
    S256,
    /// Nothing, for a provider that refuses the parameter.
    #[serde(rename = "none")]
    None,
}

/// How the client proves itself at the token endpoint (RFC 8414 `token_endpoint_auth_methods_supported`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// HTTP Basic, both halves form-encoded first (RFC 6749 §2.3.1). RFC 8414's default.
    #[default]
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the body.
    ClientSecretPost,
    /// `client_id` in the body and no secret: a public client.
    None,
}

/// How the body of a request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as RFC 6749 §4.1.3 says.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// Whether and how an access token is renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshKind {
    /// By the refresh token (RFC 6749 §6), if the answer carried one. A new one in the answer replaces it.
    #[default]
    RefreshToken,
    /// Not at all: the token lives until it is revoked.
    None,
}

/// Where the members of a token response stand, as dotted paths.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenResponsePaths {
    /// The access token.
    pub access_token: Text,
    /// The refresh token.
    pub refresh_token: Text,
    /// Its lifetime in seconds; a number or a string of digits.
    pub expires_in: Text,
    /// The granted scopes: one text, or a list.
    pub scope: Text,
}

impl Default for TokenResponsePaths {
    fn default() -> Self {
        Self {
            access_token: Text::Borrowed("access_token"),
            refresh_token: Text::Borrowed("refresh_token"),
            expires_in: Text::Borrowed("expires_in"),
            scope: Text::Borrowed("scope"),
        }
    }
}

/// A refusal that comes with status 200.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorSignal {
    /// A dotted path into the answer.
    pub path: Text,
    /// The value that means refusal, as text (`false`); absent means that the member's presence does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Text>,
    /// Where the error's code stands.
    pub code: Text,
}

/// Values kept while connecting: the placeholder's name, and where the value is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Captures {
    /// Parameters of the authorization response.
    pub authorization_response: Pairs,
    /// Dotted paths into the token response.
    pub token_response: Pairs,
    /// What a captured value has to match before it is believed; every captured name that stands in a host has one.
    pub patterns: Pairs,
}

/// A call made once after connecting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The placeholder that the answer fills.
    pub name: Text,
    /// What is asked, with GET and the connection's credential.
    pub url: Text,
    /// A dotted path into the answer; a number is an index (`0.id`: of several the first).
    pub path: Text,
    /// Where a name for people stands, shown in the connection's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    /// What the value has to match before it is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Text>,
}

/// The provider's API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
}

/// How a credential travels with an API call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "in", rename_all = "snake_case", deny_unknown_fields)]
pub enum Placement {
    /// In a header.
    Header {
        /// The header's name.
        #[serde(default = "authorization")]
        name: Text,
        /// What stands before the value, its space included.
        #[serde(default = "bearer")]
        prefix: Text,
        /// The placeholder that holds it.
        #[serde(default = "access_token")]
        value: Text,
    },
    /// In the query.
    Query {
        /// The parameter's name.
        name: Text,
        /// The placeholder that holds it.
        #[serde(default = "access_token")]
        value: Text,
    },
    /// By HTTP Basic (RFC 7617).
    Basic {
        /// The placeholder that is the user name.
        username: Text,
        /// The placeholder that is the password; absent means an empty one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<Text>,
    },
}

fn authorization() -> Text {
    Text::Borrowed("Authorization")
}

fn bearer() -> Text {
    Text::Borrowed("Bearer ")
}

fn access_token() -> Text {
    Text::Borrowed("access_token")
}

impl Default for Placement {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    fn default() -> Self {
        Self::Header { name: authorization(), prefix: bearer(), value: access_token() }
    }
}

/// The call that tells whose account was connected.
///
/// Each field below is a dotted path into the answer, or a placeholder in braces, like `{realm_id}`, where the
/// value was learnt before.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// GET unless the provider wants another.
    #[serde(default)]
    pub method: ProfileMethod,
    /// Where.
    pub url: Text,
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

/// How a profile is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProfileMethod {
    /// A plain read.
    #[default]
    Get,
    /// A call with an empty body.
    Post,
}

/// How consent is withdrawn at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// The revocation endpoint (RFC 7009), or what the provider has in its place.
    pub url: Text,
    /// How the request is made.
    #[serde(default)]
    pub method: RevokeMethod,
    /// How the body is written.
    #[serde(default)]
    pub body: BodyFormat,
    /// The parameters, usually `token = "{refresh_token}"`; without any there is no body. Where a connection has no
    /// refresh token, its access token stands in for it.
    #[serde(default)]
    pub params: Pairs,
    /// How the caller proves itself.
    #[serde(default)]
    pub authentication: RevokeAuthentication,
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

/// How a revocation request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RevokeMethod {
    /// RFC 7009 §2.1.
    #[default]
    Post,
    /// Some providers delete the token as a resource.
    Delete,
    /// Some providers take a plain read.
    Get,
}

/// How the caller of a revocation proves itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeAuthentication {
    /// As at the token endpoint (RFC 7009 §2.1).
    #[default]
    Client,
    /// HTTP Basic with the client's id and secret, whatever the token endpoint takes.
    ClientSecretBasic,
    /// With the access token itself, as a Bearer header.
    Token,
    /// Not at all: possession of the token is the proof.
    None,
}

/// What a revocation ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeEffect {
    /// Everything that this account granted to this client, other connections included. Assumed when unknown.
    #[default]
    Grant,
    /// This token and what was made from it.
    Token,
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
