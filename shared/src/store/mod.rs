//! Four tables, one module per aggregate.
//!
//! Attributes that a condition, an index or an update names stand by themselves; the rest of an item is one JSON text,
//! `doc`, of the type named below. Times are seconds in `ttl` (DynamoDB removes such items, late) and milliseconds everywhere
//! else. Bearer values are stored as their SHA-256 alone.
//!
//! **settings** (`pk`, `sk`)
//!
//! | pk | sk | item |
//! |---|---|---|
//! | `deployment` | `deployment` | `base_url`, `ring_check`, `jwks` (JSON Web Key Set, text) |
//! | `deployment` | `client#<connector>` | `doc` [`settings::ConnectorSettings`]: a default provider client's public part |
//! | `projects` | `<project>` | `name`: the list of projects |
//! | `project#<project>` | `project` | `doc` [`settings::Project`], `version` |
//! | `project#<project>` | `client#<client>` | `doc` [`settings::AppClient`], `secret_hash`, `revoked_at` once revoked |
//! | `project#<project>` | `connector#<environment>#<connector>` | `doc` [`settings::ConnectorSettings`] |
//! | `project#<project>` | `custom#<connector>` | `doc` [`crate::protocol::connector::Connector`] |
//! | `project#<project>` | `registration#<environment>#<connector>` | `doc` [`settings::Registration`], `client_id`; while one is being made `lease_owner`, `lease_until`, `fence` |
//! | `project#<project>` | `deleted_user#<environment>#<identity>` | `deleted_at` |
//!
//! **flows** (`pk`; `ttl`)
//!
//! | pk | item |
//! |---|---|
//! | `link#<sha256>` | a one-time token: `doc` [`links::Link`], `expires_at`, `page_until`, `claimed_by` (sha256 of a cookie) |
//! | `session#<sha256>` | a connect session: `doc` [`links::Session`], `expires_at`, `readable_until` |
//! | `att_…` | an attempt: `doc` [`attempts::Attempt`], `state_hash`, `browser`, `claimed_by`, `spent_state`, `status`, `error`, `account`, `expires_at`, `held_until`, `callback`, `issuer`, `issuer_is_told`, `verifier` (sealed), `answer` (sealed), `answer_hash`; of one on another device `interval` (seconds), `poll_at`, `polled_by` |
//! | `code#<sha256>` | a completion code: `attempt`, `expires_at`, `claimed_by` |
//! | `server#<sha256>` | a client of ours at a server that a person named: `doc` [`attempts::ServerClient`], `client_id`, `client_secret` (sealed) |
//!
//! **connections** (`pk`)
//!
//! | pk | item |
//! |---|---|
//! | `conn_…` | a connection: `doc` [`connections::Connection`], `sealed`, `previous`, `attempt`, `generation`, `status`, `token_expires_at`, `lease_owner`, `lease_until`, `fence`, and index keys |
//! | `held#att_…` | a held grant: the same `doc` and `sealed`, `attempt`, `expires_at`, `renew_at`; no owner or project key, so that it is unlisted |
//!
//! Indexes, each with all attributes but the sealed ones: `owner` (`owner`, `created_at`), `project` (`project_shard` of 16,
//! `created_at`), `account` (`account`, `pk`), `due` (`due`, `due_at`; sparse: held grants, and connections
//! that die unused: their `due_at` is a lower bound that only the keeper moves).
//!
//! **journal** (`pk`, `sk`)
//!
//! | pk | sk | item |
//! |---|---|---|
//! | `revoke` | `<due, 16 digits>#<id>` | a revocation to be sent: `doc` [`journal::Revocation`], `sealed`, `tries` |
//! | `forgotten` | `<project>#<environment>#<connector>` | a registered client that its server refuses: `doc` [`journal::Forgotten`], `due_at`, `tries` |

pub mod answers;
pub mod attempts;
pub mod codes;
pub mod connections;
pub mod journal;
pub mod links;
pub mod settings;
mod write;

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, error::SdkError, primitives::Blob, types::AttributeValue};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    clock::Random,
    error::{StoreError, chain},
    json::shape,
    vault::Sealed,
};

/// Who claims what can be claimed once: a random value of one handling. When the SDK repeats a write, it is the same claim; any
/// other handling is another one. A request's id would not do, since a client may choose it (API Gateway takes it from
/// `x-amzn-RequestId`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimer(String);

impl Claimer {
    /// A new one.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(random.bytes())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A table and the client that speaks to it.
#[derive(Clone)]
pub struct Table {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub name: String,
    /// So that two writes that meet wait for different times.
    pub random: Random,
}

impl Table {
    /// As an error of this table.
    fn failed<E, R>(&self, operation: &'static str) -> impl Fn(SdkError<E, R>) -> StoreError
    where
        E: std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let table = self.name.clone();
        move |error| StoreError::Call { operation, table: table.clone(), cause: chain(&error) }
    }

    fn malformed(&self, what: impl Into<String>) -> StoreError {
        StoreError::Malformed { table: self.name.clone(), what: what.into() }
    }
}

/// An item, read or to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item(pub HashMap<String, AttributeValue>);

impl Item {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a text.
    #[must_use]
    pub fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::S(value.into()));
        self
    }

    /// With a text, if there is one.
    #[must_use]
    pub fn text_if(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// With a number.
    #[must_use]
    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.0.insert(name.to_owned(), number(value));
        self
    }

    /// With a number, if there is one.
    #[must_use]
    pub fn number_if(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    /// With sealed bytes.
    #[must_use]
    pub fn sealed(mut self, name: &str, value: &Sealed) -> Self {
        self.0.insert(name.to_owned(), bytes(value));
        self
    }

    /// With the rest of the item as JSON.
    #[must_use]
    pub fn doc(self, doc: &impl Serialize) -> Self {
        // our own types: maps have string keys and nothing else can fail
        self.text("doc", serde_json::to_string(doc).unwrap_or_default())
    }

    /// A text.
    #[must_use]
    pub fn get_text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
    }

    /// A number.
    #[must_use]
    pub fn get_number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok())
    }

    /// Sealed bytes.
    #[must_use]
    pub fn get_sealed(&self, name: &str) -> Option<Sealed> {
        self.0.get(name).and_then(|value| value.as_b().ok()).map(|blob| Sealed(blob.as_ref().to_vec()))
    }

    /// The rest of the item.
    fn get_doc<T: DeserializeOwned>(&self, table: &Table) -> Result<T, StoreError> {
        let text = self.get_text("doc").ok_or_else(|| table.malformed("no doc"))?;
        shape::read(text.as_bytes()).map_err(|misfit| table.malformed(format!("doc: {misfit}")))
    }
}

fn string(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn bytes(value: &Sealed) -> AttributeValue {
    AttributeValue::B(Blob::new(value.0.clone()))
}

/// A page of a list: what stands on it, and how to go on.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The entries.
    pub rows: Vec<T>,
    /// How many there are in all; above 10,000 possibly an estimate.
    pub total: usize,
}
