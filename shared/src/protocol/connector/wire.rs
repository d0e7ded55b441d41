//! How requests and answers are written, whatever they are about.

use serde::{Deserialize, Serialize};

use super::Text;

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
    pub(super) fn get() -> Self {
        Self::Get
    }

    pub(super) fn post() -> Self {
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

pub(super) fn json() -> BodyFormat {
    BodyFormat::Json
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
