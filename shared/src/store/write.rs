//! Sending writes.
//!
//! A write that meets a transaction on the same item is refused before anything was decided (`TransactionConflictException`,
//! and of transactions the one that came later, for the reason `TransactionConflict`). The SDK does not try again by itself,
//! and the other is over in a moment, so every write of the store goes through here and is tried again.

use std::time::Duration;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::SdkError,
    operation::{
        delete_item::{DeleteItemError, DeleteItemOutput, builders::DeleteItemFluentBuilder},
        put_item::{PutItemError, PutItemOutput, builders::PutItemFluentBuilder},
        transact_write_items::{
            TransactWriteItemsError, TransactWriteItemsOutput, builders::TransactWriteItemsFluentBuilder,
        },
        update_item::{UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder},
    },
};

use super::Table;

/// The longest waits between two tries, in milliseconds: about two thirds of a second in all.
const WAITS: [u64; 5] = [20, 40, 80, 160, 320];

/// A write that can be sent again.
pub(super) trait Write: Clone {
    /// What it answers.
    type Output;
    /// How it fails.
    type Error;

    /// Sends it, with the SDK's own retries.
    fn once(self) -> impl Future<Output = Result<Self::Output, SdkError<Self::Error, HttpResponse>>> + Send;

    /// Whether it met another write, and nothing was decided.
    fn met_another(error: &Self::Error) -> bool;
}

macro_rules! write {
    ($builder:ty, $output:ty, $error:ty, $met_another:expr) => {
        impl Write for $builder {
            type Output = $output;
            type Error = $error;

            async fn once(self) -> Result<$output, SdkError<$error, HttpResponse>> {
                self.send().await
            }

            fn met_another(error: &$error) -> bool {
                $met_another(error)
            }
        }
    };
}

write!(PutItemFluentBuilder, PutItemOutput, PutItemError, PutItemError::is_transaction_conflict_exception);
write!(UpdateItemFluentBuilder, UpdateItemOutput, UpdateItemError, UpdateItemError::is_transaction_conflict_exception);
write!(DeleteItemFluentBuilder, DeleteItemOutput, DeleteItemError, DeleteItemError::is_transaction_conflict_exception);
write!(TransactWriteItemsFluentBuilder, TransactWriteItemsOutput, TransactWriteItemsError, transaction_met_another);

impl Table {
    /// Sends a write, again and again while it meets another one.
    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Output, SdkError<W::Error, HttpResponse>> {
        for wait in WAITS {
            match write.clone().once().await {
                Err(error) if error.as_service_error().is_some_and(W::met_another) => {
                    tokio::time::sleep(self.jittered(Duration::from_millis(wait))).await;
                }
                result => return result,
            }
        }
        write.once().await
    }

    /// Between half of a wait and the whole of it, so that two that met do not meet again.
    fn jittered(&self, wait: Duration) -> Duration {
        let [byte] = self.random.bytes::<1>();
        wait / 2 + wait / 2 * u32::from(byte) / 255
    }
}

/// Whose condition failed, by the places of the writes in the transaction. Empty if it failed for another reason.
pub(super) fn failed_conditions(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> Vec<usize> {
    error.as_service_error().map(|error| canceled_for(error, "ConditionalCheckFailed")).unwrap_or_default()
}

/// Whether it failed because it met another write, and no condition did.
fn transaction_met_another(error: &TransactWriteItemsError) -> bool {
    !canceled_for(error, "TransactionConflict").is_empty() && canceled_for(error, "ConditionalCheckFailed").is_empty()
}

fn canceled_for(error: &TransactWriteItemsError, code: &str) -> Vec<usize> {
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error else { return Vec::new() };
    let reasons = canceled.cancellation_reasons().iter().enumerate();
    reasons.filter(|(_, reason)| reason.code() == Some(code)).map(|(at, _)| at).collect()
}
