//! What lets a browser start: one-time tokens and connect sessions.

use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use serde::{Deserialize, Serialize};

use super::{Item, Table, attempts::condition_failed, number, string};
use crate::{
    clock::Timestamp,
    error::{Error, StoreError},
    id::{ConnectionKey, ConnectorId, Environment, Identity, ProjectId},
    secret::{Bearer, Digest},
};

/// How long a one-time token and a connect session can be used.
pub const LIFETIME: Duration = Duration::from_mins(5);

/// How long the page of a claimed link can be used by the browser that claimed it: somebody has to find an API key first.
pub const PAGE_LIFETIME: Duration = Duration::from_mins(15);

/// Unclaimed and in time, or claimed by this browser before.
const CLAIMABLE: &str = "attribute_exists(pk) AND ((attribute_not_exists(claimed_by) AND expires_at > :now) OR (claimed_by = :browser AND page_until > :now))";

/// Who leads to the connect page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LedBy {
    /// A token in an address, which anybody may have sent: the person confirms at the end.
    #[default]
    Address,
    /// A page of the app's with its session, in the browser that is here. `proven` says that its origin was named and is one of the
    /// project's, so that nobody is asked again.
    Page {
        /// Whether the page was proven.
        proven: bool,
    },
}

/// What a one-time token opens: the connect page, once, for exactly this.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Link {
    /// Whose.
    pub project: ProjectId,
    /// In which environment.
    pub environment: Environment,
    /// For whom; absent means for the project itself.
    pub identity: Option<Identity>,
    /// How the app's back end calls them.
    pub identity_label: Option<String>,
    /// What may be connected; empty means all that the project shows.
    pub connectors: Vec<ConnectorId>,
    /// Where the browser goes afterwards.
    pub return_to: Option<String>,
    /// The digest of the connect session that it was made with; that session may ask for the outcome.
    pub session: Option<String>,
    /// Who leads here.
    #[serde(default)]
    pub led_by: LedBy,
    /// The one connection that it renews, where it was made for that.
    #[serde(default)]
    pub upgrade: Option<Upgrade>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A connection that a link renews, and what is asked for besides.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Upgrade {
    /// The connection.
    pub connection: ConnectionKey,
    /// The scopes that it is to have.
    pub scopes: Vec<String>,
}

/// What a connect session is good for: the connect routes, for exactly this.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Session {
    /// Whose.
    pub project: ProjectId,
    /// In which environment.
    pub environment: Environment,
    /// For whom; absent means for the project itself.
    pub identity: Option<Identity>,
    /// How the app's back end calls them.
    pub identity_label: Option<String>,
    /// What may be connected; empty means all that the project shows.
    pub connectors: Vec<ConnectorId>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Session {
    /// Until when something can be started with it.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.after(LIFETIME)
    }
}

/// The name of the cookie of a browser that opened a link.
#[must_use]
pub fn cookie_name(link: &Digest) -> String {
    format!("__Host-mooring_link_{}", link.as_str())
}

/// One-time tokens and connect sessions, in the flows table.
pub struct Links {
    table: Table,
}

impl Links {
    /// Links in this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Remembers a one-time token.
    pub async fn put(&self, token: &Bearer, link: &Link) -> Result<(), StoreError> {
        self.put_item(link_item(token, link)).await
    }

    /// Remembers a link that was never in an address: this browser has it from the beginning, by the name of its page.
    pub async fn put_claimed(&self, token: &Bearer, link: &Link, browser: &Digest) -> Result<(), StoreError> {
        self.put_item(link_item(token, link).text("claimed_by", browser.as_str())).await
    }

    /// Remembers a session.
    pub async fn put_session(&self, session: &Bearer, content: &Session) -> Result<(), StoreError> {
        self.put_item(session_item(session, content)).await
    }

    /// Remembers a session and its link, both or neither.
    pub async fn put_both(
        &self,
        session: &Bearer,
        content: &Session,
        token: &Bearer,
        link: &Link,
    ) -> Result<(), StoreError> {
        let mut transaction = self.table.client.transact_write_items();
        for item in [session_item(session, content), link_item(token, link)] {
            let put = Put::builder().table_name(&self.table.name).set_item(Some(item.0)).build();
            let put = put.map_err(|error| self.table.malformed(error.to_string()))?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        self.table.write(transaction).await.map(drop).map_err(self.table.failed("TransactWriteItems"))
    }

    async fn put_item(&self, item: Item) -> Result<(), StoreError> {
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item.0));
        self.table.write(put).await.map(drop).map_err(self.table.failed("PutItem"))
    }

    /// Claims a one-time token for a browser. The first one has it and may come back for [`PAGE_LIFETIME`]; to any other
    /// it is used.
    pub async fn claim(&self, token: &Digest, browser: &Digest, now: Timestamp) -> Result<Link, Error> {
        let update = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key("pk", string(format!("link#{}", token.as_str())));
        let update = update
            .update_expression("SET claimed_by = :browser")
            .condition_expression(CLAIMABLE)
            .expression_attribute_values(":browser", string(browser.as_str()))
            .expression_attribute_values(":now", number(now.millis()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match self.table.write(update).await {
            Ok(output) => Ok(Item(output.attributes.unwrap_or_default()).get_doc(&self.table)?),
            Err(error) => match error.as_service_error().and_then(condition_failed).map(Item) {
                None => Err(self.table.failed("UpdateItem")(error).into()),
                Some(item) if item.0.is_empty() => Err(Error::UnknownState),
                Some(item) if item.get_text("claimed_by").is_some_and(|by| by != browser.as_str()) => {
                    Err(Error::AlreadyUsed)
                }
                Some(_) => Err(Error::Expired),
            },
        }
    }

    /// A link that this browser claimed before.
    pub async fn reopen(&self, token: &Digest, browser: &Digest, now: Timestamp) -> Result<Link, Error> {
        let key = string(format!("link#{}", token.as_str()));
        let get = self.table.client.get_item().table_name(&self.table.name).key("pk", key).consistent_read(true);
        let output = get.send().await.map_err(self.table.failed("GetItem"))?;
        let item = output.item.map(Item).ok_or(Error::UnknownState)?;
        if item.get_text("claimed_by") != Some(browser.as_str()) {
            return Err(Error::UnknownState);
        }
        if item.get_number("page_until") <= Some(now.millis()) {
            return Err(Error::Expired);
        }
        Ok(item.get_doc(&self.table)?)
    }

    /// The session that somebody bears.
    pub async fn session(&self, session: &Bearer, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let key = string(format!("session#{}", session.digest().as_str()));
        let get = self.table.client.get_item().table_name(&self.table.name).key("pk", key).consistent_read(true);
        let Some(item) = get.send().await.map_err(self.table.failed("GetItem"))?.item.map(Item) else {
            return Ok(None);
        };
        let readable = item.get_number("readable_until") > Some(now.millis());
        if readable { item.get_doc(&self.table).map(Some) } else { Ok(None) }
    }
}

fn link_item(token: &Bearer, link: &Link) -> Item {
    let page_until = link.created_at.after(LIFETIME).after(PAGE_LIFETIME);
    Item::new()
        .text("pk", format!("link#{}", token.digest().as_str()))
        .doc(link)
        .number("expires_at", link.created_at.after(LIFETIME).millis())
        .number("page_until", page_until.millis())
        .number("ttl", page_until.secs())
}

fn session_item(session: &Bearer, content: &Session) -> Item {
    let expires_at = content.created_at.after(LIFETIME);
    // the session that started an attempt may ask for its status until the attempt's own end
    let readable_until = expires_at.after(super::attempts::LIFETIME).after(super::connections::HELD_FOR);
    Item::new()
        .text("pk", format!("session#{}", session.digest().as_str()))
        .doc(content)
        .number("expires_at", expires_at.millis())
        .number("readable_until", readable_until.millis())
        .number("ttl", readable_until.secs())
}
