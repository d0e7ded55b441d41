//! What has become of an attempt.

use super::Attempt;

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Made, perhaps started; the provider has not answered.
    Pending,
    /// The provider has answered and is being asked for tokens.
    Claimed,
    /// There is a grant, sealed and unusable, that waits to be completed.
    Held,
    /// There is a connection.
    Connected,
    /// The person or the provider said no.
    Denied,
    /// Something went wrong.
    Failed,
    /// It took too long.
    Expired,
}

impl Status {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "pending" => Self::Pending,
            "claimed" => Self::Claimed,
            "held" => Self::Held,
            "connected" => Self::Connected,
            "denied" => Self::Denied,
            "failed" => Self::Failed,
            "expired" => Self::Expired,
            _ => return None,
        })
    }

    pub(crate) fn as_stored(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Held => "held",
            Self::Connected => "connected",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// As the status route says it: how far the server is with an answer is its own affair.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Claimed => "pending",
            other => other.as_stored(),
        }
    }
}

/// An attempt with what has become of it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The attempt.
    pub attempt: Attempt,
    /// How far it is.
    pub status: Status,
    /// Why it was denied or failed: a stable code.
    pub error: Option<String>,
    /// The account consented with, for people.
    pub account: Option<String>,
    /// The digest of its browser's cookie, once it was started.
    pub browser: Option<String>,
    /// What the page that left for the start put behind the `state`: where it wants to be come back to.
    pub came_from: Option<String>,
    /// Its `state`, once it was claimed and so is spent: the app may compare it with the one it was given.
    pub state: Option<String>,
}
