//! The calls that are made with a credential, or for one: the API's own, login, look-ups, the profile, revocation.

use serde::{Deserialize, Serialize};

use super::{Assertion, BodyFormat, ErrorSignal, Expiry, List, Method, Pairs, Text, wire::json};

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
    /// The status that says that what was connected is no more, where the operator's key logs in: 404 for an app that was uninstalled.
    /// Any other refusal may be of that key, which the operator can mend, and ends no connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_ended_status: Option<u16>,
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
    /// Whether it is made ahead of the login, with the access token as a Bearer header (RFC 6750 §2.1): what it finds says as whom to log
    /// in. It is settled while connecting; another is had by connecting again, since that takes the person's consent.
    #[serde(default)]
    pub before_login: bool,
    /// The parameter of the authorization response that says which element of the list is meant, by its `path`. Nothing is taken that is
    /// not in the list: the parameter comes by way of the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_by: Option<Text>,
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
    /// What the values have to match before they are believed, by placeholder, and which part of them is kept: as
    /// [`Captures::patterns`](super::Captures::patterns).
    #[serde(default)]
    pub patterns: Pairs,
}

impl Lookup {
    /// The placeholders that it fills, its own first.
    pub fn fills(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_ref()).chain(self.also.iter().map(|(name, _)| name))
    }
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
    Path {}, // with braces: of a variant without, serde would take members that nobody has
    /// By a signature of OAuth 1.0a (RFC 5849 §3), under the connector's [`OAuth1`](super::OAuth1).
    Oauth1 {},
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

/// The call that tells whose account was connected, or what was captured that tells it without one.
///
/// Each field below is a dotted path into the answer, or a placeholder in braces, like `{realm_id}`, where the
/// value was learnt before. Without a call it is always the latter: a claim of the `id_token`, a parameter of the answer to the
/// browser.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// GET unless the provider wants another.
    #[serde(default = "Method::get")]
    pub method: Method,
    /// Where; absent where no call is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
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
