//! The refresh lease: the right to redeem a connection's refresh token, and the writes that are made under it.

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{Connections, Health, Stored};
use crate::{
    clock::Timestamp,
    error::StoreError,
    id::ConnectionKey,
    store::{Item, attempts::condition_failed, bytes, number, string},
    vault::Sealed,
};

/// A fenced lease: the right to redeem a connection's refresh token.
#[derive(Clone, Debug)]
pub struct Lease {
    key: ConnectionKey,
    owner: String,
    fence: u64,
    generation: u64,
}

/// What became of asking for a lease.
#[derive(Debug)]
pub enum Leasing {
    /// It is ours.
    Ours(Lease),
    /// Somebody else has it, or has just finished.
    Theirs,
    /// The connection is gone.
    Gone,
}

/// Whether a fenced write landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// It did.
    Written,
    /// The lease had passed to another, who knows better.
    Lost,
    /// The connection was deleted meanwhile.
    Gone,
}

impl Connections {
    /// Asks for the right to renew the credentials of this generation. Writing the lease also proves that the store can be
    /// written before anything is redeemed.
    pub async fn lease(
        &self,
        stored: &Stored,
        owner: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Leasing, StoreError> {
        let key = &stored.connection.key;
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(key.as_str()));
        let update = update
            .update_expression("SET lease_owner = :owner, lease_until = :until ADD fence :one")
            .condition_expression("attribute_exists(pk) AND generation = :generation AND (attribute_not_exists(lease_until) OR lease_until <= :now)")
            .expression_attribute_values(":owner", string(owner))
            .expression_attribute_values(":until", number(until.millis()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":generation", number(stored.generation))
            .expression_attribute_values(":now", number(now.millis()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let lease = |item: &Item| Lease {
            key: key.clone(),
            owner: owner.to_owned(),
            fence: item.get_number("fence").unwrap_or_default(),
            generation: stored.generation,
        };
        match self.table.write(update).await {
            Ok(output) => Ok(Leasing::Ours(lease(&Item(output.attributes.unwrap_or_default())))),
            Err(error) => match error.as_service_error().and_then(condition_failed).map(Item) {
                None => Err(self.table.failed("UpdateItem")(error)),
                Some(item) if item.0.is_empty() => Ok(Leasing::Gone),
                // our own first try, whose answer was lost
                Some(item)
                    if item.get_text("lease_owner") == Some(owner)
                        && item.get_number("generation") == Some(stored.generation) =>
                {
                    Ok(Leasing::Ours(lease(&item)))
                }
                Some(_) => Ok(Leasing::Theirs),
            },
        }
    }

    /// Writes renewed credentials under the lease's fence and keeps the previous generation.
    pub async fn renew(
        &self,
        lease: &Lease,
        old: &Sealed,
        new: &Sealed,
        token_expires_at: Option<Timestamp>,
    ) -> Result<Fenced, StoreError> {
        let expression = match token_expires_at {
            Some(_) => {
                "SET sealed = :new, previous = :old, generation = :next, #status = :connected, token_expires_at = :expires REMOVE lease_owner, lease_until"
            }
            None => {
                "SET sealed = :new, previous = :old, generation = :next, #status = :connected REMOVE lease_owner, lease_until, token_expires_at"
            }
        };
        let update = self.fenced(lease).update_expression(expression);
        let mut update = update
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connected", string(Health::Connected.as_str()))
            .expression_attribute_values(":new", bytes(new))
            .expression_attribute_values(":old", bytes(old));
        if let Some(expires) = token_expires_at {
            update = update.expression_attribute_values(":expires", number(expires.millis()));
        }
        self.write_fenced(update).await
    }

    /// Writes down that the provider no longer honours the credentials.
    pub async fn needs_reauth(&self, lease: &Lease) -> Result<Fenced, StoreError> {
        self.is_over(lease, Health::NeedsReauth).await
    }

    /// Writes down that the client is no more that the credentials were given to (RFC 6749 §6: they are bound to it).
    pub async fn client_replaced(&self, lease: &Lease) -> Result<Fenced, StoreError> {
        self.is_over(lease, Health::ClientReplaced).await
    }

    async fn is_over(&self, lease: &Lease, health: Health) -> Result<Fenced, StoreError> {
        let update = self
            .fenced(lease)
            .update_expression("SET #status = :needs_reauth, generation = :next REMOVE lease_owner, lease_until");
        let update = update
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":needs_reauth", string(health.stored()));
        self.write_fenced(update).await
    }

    /// Gives a lease back without having changed anything, so that the next caller need not wait for its end.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(lease.key.as_str()));
        let update = update
            .update_expression("REMOVE lease_owner, lease_until")
            .condition_expression("fence = :fence AND lease_owner = :owner")
            .expression_attribute_values(":fence", number(lease.fence))
            .expression_attribute_values(":owner", string(&lease.owner));
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

    /// An update under a fence. It may be repeated: the second time it finds its own generation.
    fn fenced(&self, lease: &Lease) -> UpdateItemFluentBuilder {
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(lease.key.as_str()));
        update
            .condition_expression("fence = :fence AND (lease_owner = :owner OR generation = :next)")
            .expression_attribute_values(":fence", number(lease.fence))
            .expression_attribute_values(":owner", string(&lease.owner))
            .expression_attribute_values(":next", number(lease.generation + 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    async fn write_fenced(&self, update: UpdateItemFluentBuilder) -> Result<Fenced, StoreError> {
        match self.table.write(update).await {
            Ok(_) => Ok(Fenced::Written),
            Err(error) => match error.as_service_error().and_then(condition_failed) {
                None => Err(self.table.failed("UpdateItem")(error)),
                Some(item) if item.is_empty() => Ok(Fenced::Gone),
                Some(_) => Ok(Fenced::Lost),
            },
        }
    }
}
