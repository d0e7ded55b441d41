//! The revoke queue: what has to be withdrawn at a provider and could not be yet. And registered clients that their servers
//! refuse, which are to be registered anew.

mod forgotten;

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

pub use self::forgotten::{Forgotten, Noted};
use super::{Item, Table, connections::CREDENTIALS, string};
use crate::{
    clock::Timestamp,
    error::{StoreError, chain},
    id::{ConnectionKey, ConnectorId, Environment, ProjectId},
    secrets::ClientSource,
    vault::{Belongs, Sealed},
};

/// After how many tries a revocation is given up: with the waits between them, after about two days.
pub const TRIES: u32 = 16;

/// How many are read at a time.
const PAGE: u16 = 50;

/// A revocation to be sent. It holds all that is needed, since the connection is gone by then.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Revocation {
    /// Its name in the queue.
    pub id: String,
    /// Whose.
    pub project: ProjectId,
    /// In which environment.
    pub environment: Environment,
    /// At which provider.
    pub connector: ConnectorId,
    /// What the credentials were sealed for.
    pub connection: ConnectionKey,
    /// The key of the item that is gone: an index may go on showing it for a moment, and it is no other connection.
    pub item: String,
    /// Whose client of the provider is used.
    pub client: Option<ClientSource>,
    /// Which account at which client, where it is known.
    pub grant_owner: Option<String>,
    /// What fills the connector's placeholders.
    pub values: BTreeMap<String, String>,
    /// Since when it is due.
    pub since: Timestamp,
}

impl Revocation {
    /// What its sealed credentials belong to.
    #[must_use]
    pub fn belongs(&self) -> Belongs<'_> {
        Belongs {
            project: &self.project,
            environment: self.environment,
            connector: &self.connector,
            connection: &self.connection,
            content: CREDENTIALS,
        }
    }
}

/// A revocation in the queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// What is to be done.
    pub revocation: Revocation,
    /// With which credentials.
    pub sealed: Sealed,
    /// When to try (again).
    pub due: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}

impl Queued {
    fn sort_key(&self) -> String {
        format!("{:016}#{}", self.due.millis(), self.revocation.id)
    }

    /// The same, to be tried later: after half a minute, then ever longer, at most six hours.
    #[must_use]
    pub fn later(&self, now: Timestamp) -> Self {
        let wait = Duration::from_secs(30 << self.tries.min(10)).min(Duration::from_hours(6));
        Self { due: now.after(wait), tries: self.tries + 1, ..self.clone() }
    }
}

/// The journal table.
pub struct Journal {
    table: Table,
}

impl Journal {
    /// A journal in this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Queues a revocation.
    pub async fn put(&self, queued: &Queued) -> Result<(), StoreError> {
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item(queued).0));
        self.table.write(put).await.map(drop).map_err(self.table.failed("PutItem"))
    }

    /// The same, as part of a transaction.
    pub(crate) fn put_write(&self, queued: &Queued) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item(queued).0)).build();
        let put = put.map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Revocations whose time has come, the oldest fifty or a few more. One that can't be read stays where it is, for somebody to
    /// look at, and holds up no other: the next ones are read in its place.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Queued>, StoreError> {
        let query = self.table.client.query().table_name(&self.table.name).limit(PAGE.into());
        let query = query
            .key_condition_expression("pk = :pk AND sk <= :now")
            .expression_attribute_values(":pk", string("revoke"))
            .expression_attribute_values(":now", string(format!("{:016}#~", now.millis())));
        let (mut due, mut from) = (Vec::new(), None);
        loop {
            let output =
                query.clone().set_exclusive_start_key(from).send().await.map_err(self.table.failed("Query"))?;
            due.extend(output.items.unwrap_or_default().into_iter().filter_map(|item| self.readable(&Item(item))));
            from = output.last_evaluated_key;
            if from.is_none() || due.len() >= PAGE.into() {
                return Ok(due);
            }
        }
    }

    fn readable(&self, item: &Item) -> Option<Queued> {
        let read = self.read(item);
        if let Err(error) = &read {
            let sk = item.get_text("sk").unwrap_or_default();
            tracing::error!(sk, cause = chain(error), "a queued revocation can't be read and is left out");
        }
        read.ok()
    }

    fn read(&self, item: &Item) -> Result<Queued, StoreError> {
        let due = item
            .get_text("sk")
            .and_then(|sk| sk.split('#').next()?.parse().ok())
            .ok_or_else(|| self.table.malformed("sk"))?;
        Ok(Queued {
            revocation: item.get_doc(&self.table)?,
            sealed: item.get_sealed("sealed").ok_or_else(|| self.table.malformed("sealed"))?,
            due: Timestamp::from_millis(due),
            tries: item.get_number("tries").and_then(|tries| tries.try_into().ok()).unwrap_or_default(),
        })
    }

    /// Takes a revocation off the queue.
    pub async fn done(&self, queued: &Queued) -> Result<(), StoreError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name);
        let delete = delete.key("pk", string("revoke")).key("sk", string(queued.sort_key()));
        self.table.write(delete).await.map(drop).map_err(self.table.failed("DeleteItem"))
    }

    /// Puts a revocation back for later: first the new entry, then the old one goes, so that a crash between loses nothing.
    pub async fn postpone(&self, queued: &Queued, now: Timestamp) -> Result<(), StoreError> {
        self.put(&queued.later(now)).await?;
        self.done(queued).await
    }
}

fn item(queued: &Queued) -> Item {
    Item::new()
        .text("pk", "revoke")
        .text("sk", queued.sort_key())
        .doc(&queued.revocation)
        .sealed("sealed", &queued.sealed)
        .number("tries", u64::from(queued.tries))
}
