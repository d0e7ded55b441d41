//! What a connector is: the schema of `shared/catalog/*.toml` and of a project's custom connectors.
//!
//! One type serves three readers: `build.rs` parses the catalogue's TOML into it and writes it out as a static
//! table, the admin API parses a custom connector's JSON into it, and the flow reads it. It holds data only: what
//! is done with it stands beside it, and `Connector::check` says whether it may be acted upon.
//! Field names come from RFC 8414 where it has one. What every provider shares is the default and is left out of a file;
//! an unknown field is an error, so that a misspelt quirk can't be silently ignored. The JSON Schema that is generated from it,
//! `shared/catalog/connector.schema.json`, carries these very sentences into an editor.
//!
//! This folder is compiled into the build script too and therefore uses nothing but serde.

mod call;
mod oauth1;
mod oauth2;
mod pairs;
mod wire;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use call::{
    Api, Login, Lookup, ParameterSignature, Placement, Profile, Revoke, RevokeAuthentication, RevokeEffect,
};
pub use oauth1::{OAuth1, SignatureMethod};
pub use oauth2::{
    Assertion, CallbackSignature, CallbackSignatureAlgorithm, ClientAuthentication, Exchange, Grant, JwtAlgorithm,
    OAuth2, ParameterNames, Pkce, RefreshKind, Registration, ResponseFormat, ResponseMode, TokenResponsePaths,
    TokenSlot,
};
pub use pairs::{Derived, Pairs};
pub use wire::{BodyFormat, ErrorSignal, Expiry, Method};

/// A string that is static in the catalogue and owned in a custom connector.
pub type Text = Cow<'static, str>;

/// A list that is static in the catalogue and owned in a custom connector.
pub type List<T> = Cow<'static, [T]>;

/// A provider, as data: how an account there is connected and how its API is called.
///
/// Everything in braces, like `{tenant}`, is a placeholder. It is filled from [`Connector::inputs`] (typed by the person),
/// [`Connector::settings`] (chosen by the operator), [`Connector::captures`] and [`Connector::lookups`] (learnt while
/// connecting), or from a closed set, each where it makes sense: `{client_id}`, `{client_secret}`, `{app_name}`,
/// `{access_token}`, `{refresh_token}`, `{session_token}`, `{redirect_uri}`, `{scope}`, `{state}` and `{random}`, which stands in headers and parameters
/// and is a UUID of each request's own. A header or parameter whose placeholder stands for an [optional](Input::optional) input that was not given is left out.
///
/// In the path of an address `{+folder}` stands for several segments, `tools/ci`, or for none: where a server is below a path of its
/// host (as in RFC 6570 §3.2.3, whose `+` leaves slashes alone).
///
/// A dotted path like `user.id` leads to a member of an answer, `0.id` into the first of a list. A dot that belongs to a name is
/// written `\.`, as in `https://example\.com/claims/tenant`; in TOML that wants a literal string, in single quotes.
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
    /// What surprises a developer there, in sentences for the documentation. A connector that is looked up among those that ship
    /// comes without them.
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
    /// What tells whose account was connected. Where that is a call, it also proves that a credential works.
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
    /// Two or more independent sources have the same addresses.
    Agreed,
    /// One source has them.
    Single,
    /// The operator's own word: a custom connector.
    #[default]
    Custom,
}

/// A value that somebody has to type or choose.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the data's own, and none depends on another")]
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
    /// Of a setting: whether connections go by what is chosen now, as by a version of the API or a contact. By any other they stay with
    /// what they were made with, as with the tenant that issued their credentials. What is secret is always the one of now.
    #[serde(default)]
    pub live: bool,
    /// The whole value has to match this regular expression. Required for an input that stands in a host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Text>,
    /// The only values allowed; none means any that match the pattern.
    #[serde(default)]
    pub values: List<Text>,
    /// Used when nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Text>,
    /// Further placeholders that the choice of one of the [`values`](Input::values) fills, each with a text for every one of them:
    /// where one region has one host for the sign-in and another for the API.
    #[serde(default, skip_serializing_if = "Derived::is_empty")]
    pub also: Derived,
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
    /// Dotted paths into the claims of the access token, where the provider documents it as a JWT (RFC 9068 forbids to look into any
    /// other: it may change its form from one day to the next).
    pub access_token: Pairs,
    /// Dotted paths into the answer of the login.
    pub login_response: Pairs,
    /// What a captured value has to match before it is believed; every captured name that stands in a host has one. Of a value that
    /// says more than is wanted, what a group `(?<value>…)` matches is kept: `stores/(?<value>[a-z0-9]+)` keeps `abc` of `stores/abc`.
    pub patterns: Pairs,
    /// What stands for a captured value that an answer does not carry.
    pub defaults: Pairs,
}

/// How a person consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// By the authorization code grant or on another device.
    OAuth2,
    /// By OAuth 1.0a.
    OAuth1,
}

impl Captures {
    /// What is kept of each answer, by the field that says so.
    pub fn answers(&self) -> impl Iterator<Item = (&'static str, &Pairs)> {
        let Self {
            authorization_response,
            token_response,
            id_token,
            access_token,
            login_response,
            patterns: _,
            defaults: _,
        } = self;
        [
            ("captures.authorization_response", authorization_response),
            ("captures.token_response", token_response),
            ("captures.id_token", id_token),
            ("captures.access_token", access_token),
            ("captures.login_response", login_response),
        ]
        .into_iter()
    }

    /// Where an answer carries what is kept under this name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&str> {
        self.answers().find_map(|(_, pairs)| pairs.value(name))
    }

    /// Every name under which something is kept.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.answers().flat_map(|(_, pairs)| pairs.iter().map(|(name, _)| name))
    }
}

impl Connector {
    /// Whether the provider tells whose account is connected, by an id that stays.
    #[must_use]
    pub fn tells_account(&self) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.account_id.is_some())
    }

    /// How many of the look-ups come ahead of the login: they stand first.
    #[must_use]
    pub fn lookups_before_login(&self) -> usize {
        self.lookups.iter().filter(|lookup| lookup.before_login).count()
    }

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
