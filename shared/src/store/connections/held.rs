//! Held grants: what a provider's callback brought, until somebody completes it.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{TransactWriteItem, Update},
};

use super::{Choices, Connection, Connections, DUE_RENEWAL, Health, Stored, Times, choices::text_of, described, timed};
use crate::{
    clock::Timestamp,
    error::{Error, Missing, StoreError},
    id::{AttemptId, ConnectionKey},
    secret::{Bearer, Digest},
    store::{
        Claimer, Item,
        attempts::{Attempts, Status},
        codes::Codes,
        journal::{Journal, Queued},
        number,
        settings::Settings,
        string,
        write::failed_conditions,
    },
    vault::Sealed,
};

/// How long a held grant waits to be completed; then it is forgotten.
pub const HELD_FOR: Duration = Duration::from_mins(10);

/// A grant that waits to be completed.
#[derive(Clone, Debug)]
pub struct Held {
    /// The attempt it came from.
    pub attempt: AttemptId,
    /// The connection it would be.
    pub connection: Connection,
    /// Its credentials.
    pub sealed: Sealed,
    /// When the access token expires, where that is known.
    pub token_expires_at: Option<Timestamp>,
    /// When it has to be renewed although nobody uses it.
    pub renew_at: Option<Timestamp>,
    /// Until when it can be completed.
    pub held_until: Timestamp,
    /// What has to be chosen first, where a look-up found several.
    pub choices: Option<Choices>,
}

impl Held {
    /// What is written beside its credentials.
    #[must_use]
    pub fn times(&self) -> Times {
        Times { token_expires_at: self.token_expires_at, renew_at: self.renew_at }
    }
}

/// Who completes a held grant.
#[derive(Clone, Debug)]
pub enum Completer<'a> {
    /// The person, in the browser that consented; a code for the app's back end goes along where the shape has one.
    Person {
        /// The digest of the attempt's cookie.
        browser: Digest,
        /// What the app redeems afterwards.
        code: Option<&'a Bearer>,
    },
    /// The app's back end, which began it on another device for a user and named the same one again.
    Vouched,
    /// The app's back end, by the code that came through the browser.
    App {
        /// The code's digest.
        code: Digest,
        /// Who redeems it.
        claimer: &'a Claimer,
    },
}

/// What a completion is written to, or conditioned on, besides the connections.
#[derive(Clone, Copy)]
pub struct Beside<'a> {
    /// What became of the attempt.
    pub attempts: &'a Attempts,
    /// The code for the app's back end.
    pub codes: &'a Codes,
    /// Whether the user was deleted.
    pub settings: &'a Settings,
    /// What is to be revoked.
    pub journal: &'a Journal,
}

/// The connection that a completion renews.
#[derive(Clone, Copy, Debug)]
pub struct Renewal<'a> {
    /// The connection as it was read.
    pub old: &'a Stored,
    /// The revocation of the grant that is replaced, where that ends nothing else.
    pub revoke: Option<&'a Queued>,
}

impl Connections {
    /// Holds a grant: writes it down together with the attempt's state and, where the app will redeem one, its code.
    pub async fn hold(
        &self,
        attempts: &Attempts,
        codes: &Codes,
        held: &Held,
        code: Option<&Bearer>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = described(&held.connection)
            .text("pk", held_key(&held.attempt))
            .text("attempt", held.attempt.as_str())
            .text("status", Status::Held.as_stored())
            .text("due", "held")
            .number("due_at", held.held_until.millis())
            .number("expires_at", held.held_until.millis())
            .number_if("token_expires_at", held.token_expires_at.map(Timestamp::millis))
            .number_if("renew_at", held.renew_at.map(Timestamp::millis))
            .text_if("choices", held.choices.as_ref().map(text_of))
            .sealed("sealed", &held.sealed);
        let mut writes = vec![self.put(item, "attribute_not_exists(pk)")?];
        let update = Update::builder()
            .table_name(&attempts.table().name)
            .key("pk", string(held.attempt.as_str()))
            .update_expression("SET #status = :held, held_until = :until, account = :account REMOVE verifier")
            .condition_expression("#status IN (:claimed, :pending)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":held", string(Status::Held.as_stored()))
            .expression_attribute_values(":claimed", string(Status::Claimed.as_stored()))
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()))
            .expression_attribute_values(":until", number(held.held_until.millis()))
            .expression_attribute_values(":account", string(held.connection.account.name().unwrap_or_default()))
            .build()
            .map_err(|error| self.table.malformed(error.to_string()))?;
        writes.push(TransactWriteItem::builder().update(update).build());
        if let Some(code) = code {
            writes.push(codes.put_write(code, &held.attempt, now)?);
        }
        self.transact(writes).await.map_err(self.table.failed("TransactWriteItems"))
    }

    /// The grant that an attempt holds.
    pub async fn held(&self, attempt: &AttemptId) -> Result<Option<Held>, StoreError> {
        let Some(item) = self.get(&held_key(attempt)).await? else { return Ok(None) };
        self.read_held(&item).map(Some)
    }

    fn read_held(&self, item: &Item) -> Result<Held, StoreError> {
        Ok(Held {
            attempt: item
                .get_text("attempt")
                .and_then(AttemptId::parse)
                .ok_or_else(|| self.table.malformed("attempt"))?,
            connection: item.get_doc(&self.table)?,
            sealed: item.get_sealed("sealed").ok_or_else(|| self.table.malformed("sealed"))?,
            token_expires_at: item.get_number("token_expires_at").map(Timestamp::from_millis),
            renew_at: item.get_number("renew_at").map(Timestamp::from_millis),
            held_until: Timestamp::from_millis(item.get_number("expires_at").unwrap_or_default()),
            choices: self.read_choices(item)?,
        })
    }

    /// Completes a held grant: it becomes a connection, in one transaction with the attempt's outcome and the code. Of
    /// several that try, one wins; the others find the attempt connected or get [`Error::AlreadyUsed`]. A user who was deleted
    /// gets no connection. A connection that was changed or renewed since it was read is an [`Error::Conflict`]; one that is
    /// replaced leaves its revocation in the queue.
    pub async fn complete(
        &self,
        beside: Beside<'_>,
        held: &Held,
        renewal: Option<Renewal<'_>>,
        by: &Completer<'_>,
        now: Timestamp,
    ) -> Result<Connection, Error> {
        let Beside { attempts, codes, settings, journal } = beside;
        let (mut connection, mut generation) = (held.connection.clone(), 1);
        if let Some(Renewal { old, .. }) = renewal {
            connection = renewed(connection, &old.connection, now);
            // never one of the old grant's: whoever has read that and asks for the lease now must not get it
            generation = now.millis().max(old.generation + 1);
        }
        let mut item = timed(described(&connection), held.times())
            .text("pk", connection.key.as_str())
            .text("owner", connection.owner())
            .text("project_shard", connection.project_shard())
            .text("attempt", held.attempt.as_str())
            .number("created_at", connection.created_at.millis())
            .text("status", Health::Connected.as_str())
            .number("generation", generation)
            .sealed("sealed", &held.sealed);
        // a fence far above the old one: a refresh that is under way on the old credentials can't write over the new ones
        item = item.number("fence", now.millis());
        let put = match renewal {
            Some(Renewal { old, .. }) => self.put_over(item, old)?,
            None => self.put(item, "attribute_not_exists(pk)")?,
        };
        let mut writes = vec![put, self.drop_held(&held.attempt, now)?];
        writes.extend(self.outcome(attempts, codes, held, by, now)?);
        if let Some(queued) = renewal.and_then(|renewal| renewal.revoke) {
            writes.push(journal.put_write(queued)?);
        }
        let alive = writes.len();
        writes.extend(settings.not_deleted(&connection)?);
        let Err(error) = self.transact(writes).await else { return Ok(connection) };
        match failed_conditions(&error).as_slice() {
            [] => Err(self.table.failed("TransactWriteItems")(error).into()),
            failed if failed.contains(&alive) => Err(Error::NotFound(Missing::User)),
            [0] if renewal.is_some() => Err(Error::Conflict("the connection")),
            _ => Err(Error::AlreadyUsed),
        }
    }

    fn drop_held(&self, attempt: &AttemptId, now: Timestamp) -> Result<TransactWriteItem, StoreError> {
        // nor as long as something is to be chosen
        let mut delete = self.delete_if(&held_key(attempt), "expires_at > :now AND attribute_not_exists(choices)")?;
        delete.expression_attribute_values = Some([(":now".to_owned(), number(now.millis()))].into());
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    fn outcome(
        &self,
        attempts: &Attempts,
        codes: &Codes,
        held: &Held,
        by: &Completer<'_>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let update = Update::builder()
            .table_name(&attempts.table().name)
            .key("pk", string(held.attempt.as_str()))
            .update_expression("SET #status = :connected")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":held", string(Status::Held.as_stored()))
            .expression_attribute_values(":connected", string(Status::Connected.as_stored()));
        let (update, code) = match by {
            Completer::Person { browser, code } => {
                let update = update
                    .condition_expression("#status = :held AND browser = :browser")
                    .expression_attribute_values(":browser", string(browser.as_str()));
                (update, code.map(|code| codes.put_write(code, &held.attempt, now)).transpose()?)
            }
            Completer::Vouched => (update.condition_expression("#status = :held"), None),
            Completer::App { code, claimer } => {
                (update.condition_expression("#status = :held"), Some(codes.claim_write(code, claimer, now)?))
            }
        };
        let update = update.build().map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(std::iter::once(TransactWriteItem::builder().update(update).build()).chain(code).collect())
    }

    /// Forgets a held grant and queues its revocation, if it may be revoked. False if it was completed meanwhile.
    pub async fn forget_held(
        &self,
        attempt: &AttemptId,
        queue: Option<(&Journal, &Queued)>,
    ) -> Result<bool, StoreError> {
        self.remove(self.delete_if(&held_key(attempt), "attribute_exists(pk)")?, queue).await
    }

    /// Held grants whose time is over, the oldest hundred.
    pub async fn overdue(&self, now: Timestamp) -> Result<Vec<AttemptId>, StoreError> {
        let items = self.query("due", "due", "held", Some(now)).await?;
        Ok(items.iter().filter_map(|item| AttemptId::parse(item.get_text("pk")?.strip_prefix("held#")?)).collect())
    }

    /// Connections that may have to be renewed although nobody uses them, the longest due hundred.
    pub async fn due_renewals(&self, now: Timestamp) -> Result<Vec<ConnectionKey>, StoreError> {
        let items = self.query("due", "due", DUE_RENEWAL, Some(now)).await?;
        Ok(items.iter().filter_map(|item| ConnectionKey::parse(item.get_text("pk")?)).collect())
    }

    /// Moves the day on which a connection is looked at again, or takes it off the index. One that is gone stays gone.
    pub async fn look_again(&self, key: &ConnectionKey, at: Option<Timestamp>) -> Result<(), StoreError> {
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(key.as_str()));
        let update = update.condition_expression("attribute_exists(pk)");
        let update = match at {
            Some(at) => update
                .update_expression("SET due = :due, due_at = :at")
                .expression_attribute_values(":due", string(DUE_RENEWAL))
                .expression_attribute_values(":at", number(at.millis())),
            None => update.update_expression("REMOVE due, due_at"),
        };
        match self.table.write(update).await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }
}

/// A connection that is renewed keeps its age, its name, its labels, and that it was switched off.
fn renewed(new: Connection, old: &Connection, now: Timestamp) -> Connection {
    Connection {
        name: old.name.clone(),
        tags: old.tags.clone(),
        active: old.active,
        created_at: old.created_at,
        updated_at: now,
        version: old.version + 1,
        ..new
    }
}

/// The key of a held grant.
#[must_use]
pub fn held_key(attempt: &AttemptId) -> String {
    format!("held#{attempt}")
}
