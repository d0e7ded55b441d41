//! Identifiers, each its own type: swapping two arguments does not compile.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    clock::Random,
    label::{Unfit, must_be_identity},
};

/// Letters of a generated id: lower case, without the four that are misread.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Random letters, five bits each.
fn letters<const N: usize>(random: &Random) -> String {
    random.bytes::<N>().iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident, $valid:expr;)+) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id, if the text has its form.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let valid: fn(&str) -> bool = $valid;
                valid(text).then(|| Self(text.to_owned()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("not a ", stringify!($name))))
            }
        }
    )+ };
}

fn alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn prefixed(text: &str, prefix: &str) -> bool {
    text.len() <= 64 && text.strip_prefix(prefix).is_some_and(alphanumeric)
}

id! {
    /// A connector: `[a-z0-9][a-z0-9-]*`, at most 64 characters.
    ConnectorId, |text| {
        text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    /// A project: `p` and letters or digits. The contracts call it an organization.
    ProjectId, |text| text.len() <= 32 && text.starts_with('p') && alphanumeric(text);
    /// An app client: the project, a hyphen, `t` or `l` for the environment, and letters or digits. Since both stand in the
    /// id, all that a request needs to know of its caller is read in one round.
    ClientId, |text| {
        let parts = text.split_once('-');
        text.len() <= 64 && parts.is_some_and(|(project, rest)| {
            ProjectId::parse(project).is_some() && rest.starts_with(['t', 'l']) && alphanumeric(rest)
        })
    };
    /// A connection: `conn_…`. Its credential is `cred_…` with the same letters.
    ConnectionKey, |text| prefixed(text, "conn_");
    /// An attempt to connect: `att_…`. It names the attempt and authorises nothing.
    AttemptId, |text| prefixed(text, "att_");
}

impl ConnectorId {
    /// The id of an entry whose form was checked when the catalogue was compiled.
    #[must_use]
    pub fn of(connector: &crate::protocol::connector::Connector) -> Self {
        Self(connector.id.clone().into_owned())
    }

    /// The name of a project's own connector where those of all projects stand beside each other: two projects may choose one
    /// id. No built-in connector's id ends with a project's, nor does another project's.
    #[must_use]
    pub fn within(&self, project: &ProjectId) -> Self {
        Self(format!("{self}-{project}"))
    }
}

impl ProjectId {
    /// A new one: 80 random bits.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self(format!("p{}", letters::<16>(random)))
    }
}

impl ClientId {
    /// A new one in this project and environment.
    #[must_use]
    pub fn random(project: &ProjectId, environment: Environment, random: &Random) -> Self {
        let letter = match environment {
            Environment::Test => 't',
            Environment::Live => 'l',
        };
        Self(format!("{project}-{letter}{}", letters::<16>(random)))
    }

    /// The project that it belongs to.
    #[must_use]
    pub fn project(&self) -> ProjectId {
        ProjectId(self.0.split_once('-').map(|(project, _)| project).unwrap_or_default().to_owned())
    }

    /// The environment that it belongs to.
    #[must_use]
    pub fn environment(&self) -> Environment {
        if self.0.split_once('-').is_some_and(|(_, rest)| rest.starts_with('l')) {
            Environment::Live
        } else {
            Environment::Test
        }
    }
}

impl ConnectionKey {
    /// A new one: 130 random bits.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self(format!("conn_{}", letters::<26>(random)))
    }

    /// The id of the connection's credential.
    #[must_use]
    pub fn credential_id(&self) -> String {
        self.0.replacen("conn_", "cred_", 1)
    }

    /// The connection whose credential this is.
    #[must_use]
    pub fn of_credential(text: &str) -> Option<Self> {
        text.strip_prefix("cred_").and_then(|rest| Self::parse(&format!("conn_{rest}")))
    }
}

impl AttemptId {
    /// A new one: 130 random bits.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self(format!("att_{}", letters::<26>(random)))
    }
}

/// A project's two worlds, which share nothing but its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// For development.
    Test,
    /// For customers.
    Live,
}

impl Environment {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// From the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "test" => Some(Self::Test),
            "live" => Some(Self::Live),
            _ => None,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an app client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Change the project's settings.
    Admin,
    /// Start and complete flows, list and change the connections.
    Connect,
    /// Call APIs through passthrough.
    Use,
    /// Read lists.
    Read,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Connect, Self::Use, Self::Read];

    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Connect => "connect",
            Self::Use => "use",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who a connection belongs to, in the app's own words: users need no registration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The app's own id.
    pub identity: String,
    /// What kind of thing it names.
    pub identity_type: IdentityType,
}

/// What an identity names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityType {
    /// A person.
    #[default]
    User,
    /// A group of persons.
    Team,
    /// A customer of the app.
    Organization,
    /// The app's project itself.
    Project,
}

impl IdentityType {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Team => "team",
            Self::Organization => "organization",
            Self::Project => "project",
        }
    }

    /// From the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Team, Self::Organization, Self::Project].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Identity {
    /// An identity, if the text can be one.
    pub fn parse(identity: &str, identity_type: IdentityType) -> Result<Self, Unfit> {
        must_be_identity(identity).map(|()| Self { identity: identity.to_owned(), identity_type })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_parse_and_name_their_project() {
        let random = Random::system();
        let project = ProjectId::random(&random);
        let client = ClientId::random(&project, Environment::Live, &random);
        assert_eq!(ClientId::parse(client.as_str()), Some(client.clone()));
        assert_eq!((client.project(), client.environment()), (project, Environment::Live));
        let connection = ConnectionKey::random(&random);
        assert_eq!(ConnectionKey::of_credential(&connection.credential_id()), Some(connection));
    }

    #[test]
    fn what_is_no_id_does_not_parse() {
        for text in ["", "-a", "A", "a/b", "a b", "a_b", "é", &"a".repeat(65)] {
            assert_eq!(ConnectorId::parse(text), None, "{text}");
        }
        for text in ["", "conn_", "conn_A", "conn_a#b", "cred_a", "conn_a/../b"] {
            assert_eq!(ConnectionKey::parse(text), None, "{text}");
        }
        for text in ["", "p1", "p1-", "p1-x1", "p1-t_1", "x1-t1", "p1-t1-t2"] {
            assert_eq!(ClientId::parse(text), None, "{text}");
        }
    }
}
