//! What a client may be allowed (RFC 6749 §3.3).

use serde::{Deserialize, Serialize};

/// One permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Name and address.
    #[serde(rename = "profile")]
    Profile,
    /// Reading notes.
    #[serde(rename = "notes:read")]
    NotesRead,
    /// Writing notes.
    #[serde(rename = "notes:write")]
    NotesWrite,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 3] = [Self::Profile, Self::NotesRead, Self::NotesWrite];

    /// The scope as on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::NotesRead => "notes:read",
            Self::NotesWrite => "notes:write",
        }
    }

    /// What the person who consents is told.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Profile => "See your name and email address",
            Self::NotesRead => "Read your notes",
            Self::NotesWrite => "Create, change and delete your notes",
        }
    }

    /// Reads a `scope` parameter; None if it names a scope that does not exist. Absent, it means the profile
    /// alone (RFC 6749 §3.3: a server without a default must refuse).
    pub fn parse(parameter: Option<&str>) -> Option<Vec<Self>> {
        let Some(list) = parameter else { return Some(vec![Self::Profile]) };
        let named = |name| Self::ALL.into_iter().find(|scope| scope.name() == name);
        let mut scopes: Vec<Self> = list.split(' ').map(named).collect::<Option<_>>()?;
        scopes.sort_unstable();
        scopes.dedup();
        Some(scopes)
    }

    /// Scopes as one parameter.
    pub fn join(scopes: &[Self]) -> String {
        scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
    }
}
