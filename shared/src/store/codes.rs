//! Completion codes: what the app's back end redeems for a connection (wire contract of the credentials callback).

use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};

use super::{Claimer, Item, Table, number, string};
use crate::{
    clock::Timestamp,
    error::StoreError,
    id::AttemptId,
    secret::{Bearer, Digest},
};

/// How long a completion code can be redeemed.
pub const LIFETIME: Duration = Duration::from_mins(5);

/// A completion code that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The attempt that it completes.
    pub attempt: AttemptId,
    /// Whether it can still be redeemed.
    pub expires_at: Timestamp,
    /// The request that redeemed it.
    pub claimed_by: Option<String>,
}

/// Completion codes, in the flows table.
pub struct Codes {
    table: Table,
}

impl Codes {
    /// Codes in this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// What a code stands for. Reading it does not use it up.
    pub async fn find(&self, code: &Digest) -> Result<Option<Found>, StoreError> {
        let get = self
            .table
            .client
            .get_item()
            .table_name(&self.table.name)
            .key("pk", string(key(code)))
            .consistent_read(true);
        let Some(item) = get.send().await.map_err(self.table.failed("GetItem"))?.item.map(Item) else {
            return Ok(None);
        };
        let attempt =
            item.get_text("attempt").and_then(AttemptId::parse).ok_or_else(|| self.table.malformed("attempt"))?;
        Ok(Some(Found {
            attempt,
            expires_at: Timestamp::from_millis(item.get_number("expires_at").unwrap_or_default()),
            claimed_by: item.get_text("claimed_by").map(str::to_owned),
        }))
    }

    /// Redeems the code of a connection that exists already. False if it was redeemed before or has expired.
    pub async fn claim(&self, code: &Digest, claimer: &Claimer, now: Timestamp) -> Result<bool, StoreError> {
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(key(code)));
        let update = update
            .update_expression("SET claimed_by = :claimer")
            .condition_expression(CLAIMABLE)
            .expression_attribute_values(":claimer", string(claimer.as_str()))
            .expression_attribute_values(":now", number(now.millis()));
        match self.table.write(update).await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::update_item::UpdateItemError::is_conditional_check_failed_exception,
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// The same, as part of a transaction.
    pub(crate) fn claim_write(
        &self,
        code: &Digest,
        claimer: &Claimer,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
            .key("pk", string(key(code)))
            .update_expression("SET claimed_by = :claimer")
            .condition_expression(CLAIMABLE)
            .expression_attribute_values(":claimer", string(claimer.as_str()))
            .expression_attribute_values(":now", number(now.millis()))
            .build()
            .map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Remembers a code, as part of a transaction.
    pub(crate) fn put_write(
        &self,
        code: &Bearer,
        attempt: &AttemptId,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let expires_at = now.after(LIFETIME);
        let item = Item::new()
            .text("pk", key(&code.digest()))
            .text("attempt", attempt.as_str())
            .number("expires_at", expires_at.millis())
            .number("ttl", expires_at.secs() + 3600);
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(item.0))
            .condition_expression("attribute_not_exists(pk)")
            .build();
        let put = put.map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// In time, and unclaimed or claimed by the same request (the SDK retries).
const CLAIMABLE: &str =
    "attribute_exists(pk) AND expires_at > :now AND (attribute_not_exists(claimed_by) OR claimed_by = :claimer)";

fn key(code: &Digest) -> String {
    format!("code#{}", code.as_str())
}
