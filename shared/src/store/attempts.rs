//! Authorizations under way, between the start and the outcome.

mod attempt;
mod kept;
mod progress;
mod servers;
mod state;

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem};

use super::{Claimer, Item, Table, bytes, number, string};
use crate::{
    clock::Timestamp,
    error::{Error, Missing, StoreError},
    id::{AttemptId, ConnectorId},
    secret::Digest,
    vault::Sealed,
};
use attempt::COMMON;

pub use attempt::{Attempt, Callback, Completion, Departure, Issuer, LIFETIME, Shape, cookie_name};
pub use kept::{Kept, VERIFIER};
pub use progress::{Progress, Status};
pub use servers::{CLIENT_SECRET, REPLACED_REMEMBERED, SERVER_REMEMBERED, ServerClient};
pub use state::State;

/// How long the outcome can be asked for afterwards.
const REMEMBERED: Duration = Duration::from_hours(1);

/// What an answer has to bring besides its `state` to be believed.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The digest of the cookie that the start set.
    pub browser: Digest,
    /// `iss`, where the answer has one.
    pub issuer: Option<String>,
    /// The connector in the path of our redirect URI at which it arrived; none at the common one.
    pub connector: Option<ConnectorId>,
    /// Who claims, and may again when the SDK repeats its call.
    pub claimer: Claimer,
}

/// An attempt that this request claimed: the only thing that tokens are asked for.
#[derive(Debug)]
pub struct Claimed {
    /// The attempt and how far it is.
    pub progress: Progress,
    kept: Sealed,
}

impl Claimed {
    /// The attempt.
    #[must_use]
    pub fn attempt(&self) -> &Attempt {
        &self.progress.attempt
    }

    /// What it kept sealed.
    #[must_use]
    pub fn sealed(&self) -> &Sealed {
        &self.kept
    }
}

/// What became of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The attempt is this request's.
    Won(Box<Claimed>),
    /// The same browser came back: this is the outcome.
    Before(Box<Progress>),
}

/// How long nobody else asks the provider while one request does: longer than a function runs.
const POLLING: Duration = Duration::from_secs(30);

/// The right to ask the provider once how a device authorization went.
#[derive(Debug)]
pub struct Polling {
    /// What the attempt keeps sealed.
    pub kept: Sealed,
    /// How long the provider wants to be left alone between two times.
    pub interval: Duration,
}

/// The attempts, in the flows table.
pub struct Attempts {
    table: Table,
}

impl Attempts {
    /// Attempts in this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Remembers an attempt until it expires.
    pub async fn put(&self, attempt: &Attempt, state: &State, kept: &Sealed) -> Result<(), StoreError> {
        self.put_new(new_item(attempt, state, kept)).await
    }

    /// Remembers an attempt that its browser has started already: no other ever can.
    pub async fn put_started(
        &self,
        attempt: &Attempt,
        state: &State,
        kept: &Sealed,
        browser: &Digest,
    ) -> Result<(), StoreError> {
        self.put_new(new_item(attempt, state, kept).text("browser", browser.as_str())).await
    }

    /// Remembers an attempt that asks no provider: its browser typed the credentials, and only completion is left.
    pub async fn put_claimed(&self, attempt: &Attempt, browser: &Digest) -> Result<(), StoreError> {
        self.put_new(item_of(attempt, &Status::Claimed).text("browser", browser.as_str())).await
    }

    /// Remembers an attempt that no browser starts: a person types its code elsewhere, and the provider is asked from an interval on
    /// (RFC 8628 §3.3).
    pub async fn put_device(
        &self,
        attempt: &Attempt,
        kept: &Sealed,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = item_of(attempt, &Status::Pending).sealed("verifier", kept);
        let item = item.number("interval", interval.as_secs()).number("poll_at", now.after(interval).millis());
        self.put_new(item).await
    }

    /// Takes the right to ask the provider how it went, which one request has at a time and not before the interval is over. The
    /// same claimer may take it again (the SDK retries).
    pub async fn claim_poll(
        &self,
        id: &AttemptId,
        claimer: &Claimer,
        now: Timestamp,
    ) -> Result<Option<Polling>, StoreError> {
        let update = self.update(id).update_expression("SET poll_at = :busy, polled_by = :claimer");
        let update = update
            .condition_expression(
                "#status = :pending AND expires_at > :now AND (poll_at <= :now OR polled_by = :claimer)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()))
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":busy", number(now.after(POLLING).millis()))
            .expression_attribute_values(":claimer", string(claimer.as_str()));
        match self.table.write(update).await {
            Ok(output) => {
                let item = Item(output.attributes.unwrap_or_default());
                let kept = item.get_sealed("verifier").ok_or_else(|| self.table.malformed("verifier"))?;
                let interval = item.get_number("interval").ok_or_else(|| self.table.malformed("interval"))?;
                Ok(Some(Polling { kept, interval: Duration::from_secs(interval) }))
            }
            Err(error) if error.as_service_error().and_then(condition_failed).is_some() => Ok(None),
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// Gives that right back: the provider is left alone until then, and for this long each time from now on.
    pub async fn poll_later(
        &self,
        id: &AttemptId,
        claimer: &Claimer,
        interval: Duration,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self.update(id).update_expression("SET poll_at = :at, #interval = :interval");
        let update = update
            .condition_expression("polled_by = :claimer")
            .expression_attribute_names("#interval", "interval")
            .expression_attribute_values(":claimer", string(claimer.as_str()))
            .expression_attribute_values(":at", number(at.millis()))
            .expression_attribute_values(":interval", number(interval.as_secs()));
        match self.table.write(update).await {
            Ok(_) => Ok(()),
            // somebody else has it by now
            Err(error) if error.as_service_error().and_then(condition_failed).is_some() => Ok(()),
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// The write of an attempt that is over when it is made: what was typed was verified, and the connection stands beside it in
    /// one transaction.
    pub(super) fn connected(&self, attempt: &Attempt) -> Result<TransactWriteItem, StoreError> {
        let item = item_of(attempt, &Status::Connected);
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item.0));
        let put = put.condition_expression("attribute_not_exists(pk)").build();
        let put = put.map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    async fn put_new(&self, item: Item) -> Result<(), StoreError> {
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item.0));
        let put = put.condition_expression("attribute_not_exists(pk)");
        self.table.write(put).await.map(drop).map_err(self.table.failed("PutItem"))
    }

    /// Gives an attempt to the browser that starts it. The first one has it; the same one may start again; to any other it
    /// is used. What came behind the state is remembered with it.
    pub async fn start(&self, state: &State, browser: &Digest, now: Timestamp) -> Result<Attempt, Error> {
        let update = self.update(&state.attempt);
        let update = match &state.came_from {
            Some(text) => update
                .update_expression("SET browser = :browser, came_from = :came_from")
                .expression_attribute_values(":came_from", string(text)),
            None => update.update_expression("SET browser = :browser"),
        };
        let update = update
            .condition_expression("state_hash = :state AND expires_at > :now AND #status = :pending AND (attribute_not_exists(browser) OR browser = :browser)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()))
            .expression_attribute_values(":state", string(state.digest().as_str()))
            .expression_attribute_values(":browser", string(browser.as_str()))
            .expression_attribute_values(":now", number(now.millis()));
        match self.table.write(update).await {
            Ok(output) => Ok(self.progress(&Item(output.attributes.unwrap_or_default()), now)?.attempt),
            Err(error) => {
                let found = error.as_service_error().and_then(condition_failed).map(Item);
                match found {
                    None => Err(self.table.failed("UpdateItem")(error).into()),
                    Some(item) if !is(&item, "state_hash", &state.digest()) => Err(Error::UnknownState),
                    Some(item) if item.get_number("expires_at") <= Some(now.millis()) => Err(Error::Expired),
                    Some(_) => Err(Error::AlreadyUsed),
                }
            }
        }
    }

    /// Keeps what a provider gave the browser to leave with, in place of what was kept before: only its own browser takes it along,
    /// and only while nobody has answered.
    pub async fn keep(&self, id: &AttemptId, browser: &Digest, kept: &Sealed) -> Result<(), Error> {
        let update = self.update(id).update_expression("SET verifier = :kept");
        let update = update
            .condition_expression("#status = :pending AND browser = :browser")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()))
            .expression_attribute_values(":browser", string(browser.as_str()))
            .expression_attribute_values(":kept", bytes(kept));
        match self.table.write(update).await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().and_then(condition_failed).is_some() => Err(Error::AlreadyUsed),
            Err(error) => Err(self.table.failed("UpdateItem")(error).into()),
        }
    }

    /// What an attempt keeps sealed, while it does.
    pub async fn kept(&self, id: &AttemptId) -> Result<Sealed, Error> {
        let item = self.item(id).await?.ok_or(Error::NotFound(Missing::Attempt))?;
        item.get_sealed("verifier").ok_or(Error::AlreadyUsed)
    }

    /// Claims an attempt, so that a `state` works once. State, cookie, callback path and issuer are part of the condition: a
    /// wrong one changes nothing. An `iss` is compared wherever the issuer is known, and has to be there where the provider
    /// announced it (RFC 9207 §2.4). The same claimer may claim again (the SDK retries); the same browser later gets the outcome.
    pub async fn claim(&self, state: &State, proof: &Proof, now: Timestamp) -> Result<Claim, Error> {
        let issuer = match proof.issuer {
            Some(_) => "(attribute_not_exists(issuer) OR issuer = :issuer)",
            None => "attribute_not_exists(issuer_is_told)",
        };
        let update = self
            .update(&state.attempt)
            .update_expression("SET claimed_by = :claimer, #status = :claimed, spent_state = :spent");
        let update = update
            .condition_expression(
                format!(
                    "state_hash = :state AND browser = :browser AND callback = :callback AND {issuer} AND expires_at > :now \
                     AND (attribute_not_exists(claimed_by) OR claimed_by = :claimer)"
                ),
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":claimed", string(Status::Claimed.as_stored()))
            .expression_attribute_values(":spent", string(state.expose()))
            .expression_attribute_values(":state", string(state.digest().as_str()))
            .expression_attribute_values(":browser", string(proof.browser.as_str()))
            .expression_attribute_values(":callback", string(proof.connector.as_ref().map_or(COMMON, ConnectorId::as_str)))
            .expression_attribute_values(":claimer", string(proof.claimer.as_str()))
            .expression_attribute_values(":now", number(now.millis()));
        let update = match &proof.issuer {
            Some(issuer) => update.expression_attribute_values(":issuer", string(issuer)),
            None => update,
        };
        match self.table.write(update).await {
            Ok(output) => {
                let item = Item(output.attributes.unwrap_or_default());
                let kept = item.get_sealed("verifier").ok_or_else(|| self.table.malformed("verifier"))?;
                let progress = self.progress(&item, now)?;
                Ok(Claim::Won(Box::new(Claimed { progress, kept })))
            }
            Err(error) => {
                let Some(item) = error.as_service_error().and_then(condition_failed).map(Item) else {
                    return Err(self.table.failed("UpdateItem")(error).into());
                };
                self.not_claimed(&item, state, proof, now)
            }
        }
    }

    /// Why a claim failed. What a stranger learns does not depend on what became of the attempt.
    fn not_claimed(&self, item: &Item, state: &State, proof: &Proof, now: Timestamp) -> Result<Claim, Error> {
        if !is(item, "state_hash", &state.digest()) || !is(item, "browser", &proof.browser) {
            return Err(Error::UnknownState);
        }
        if item.get_text("claimed_by").is_some() {
            return Ok(Claim::Before(Box::new(self.progress(item, now)?)));
        }
        if item.get_number("expires_at") <= Some(now.millis()) {
            return Err(Error::Expired);
        }
        // the right browser with an answer of somebody else: it may start again
        Err(Error::AnswerNotBelieved(Box::new(state.clone())))
    }

    /// Writes down a refusal, by the provider or the person.
    pub async fn deny(&self, id: &AttemptId, reason: &str) -> Result<(), StoreError> {
        self.end(id, &Status::Denied, reason).await.map(drop)
    }

    /// Writes down a failure after the claim: from then on no grant can be held or completed. False if there is a
    /// connection already, which stays.
    pub async fn fail(&self, id: &AttemptId, reason: &str) -> Result<bool, StoreError> {
        self.end(id, &Status::Failed, reason).await
    }

    /// Writes down a failure before anybody has answered, and takes no answer from then on. False if somebody has answered: what
    /// they bring counts.
    pub async fn fail_to_leave(&self, id: &AttemptId, reason: &str) -> Result<bool, StoreError> {
        let update = self.update(id).update_expression("SET #status = :status, #error = :error, claimed_by = :nobody");
        let update = update
            .expression_attribute_values(":nobody", string("nobody"))
            .condition_expression("#status = :pending")
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()));
        self.end_by(update, &Status::Failed, reason).await
    }

    async fn end(&self, id: &AttemptId, status: &Status, reason: &str) -> Result<bool, StoreError> {
        let update = self.update(id).update_expression("SET #status = :status, #error = :error");
        let update = update
            .condition_expression("attribute_exists(pk) AND #status <> :connected")
            .expression_attribute_values(":connected", string(Status::Connected.as_stored()));
        self.end_by(update, status, reason).await
    }

    async fn end_by(&self, update: UpdateItemFluentBuilder, status: &Status, reason: &str) -> Result<bool, StoreError> {
        let update = update
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":status", string(status.as_stored()))
            .expression_attribute_values(":error", string(reason));
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

    /// An attempt and how far it is.
    pub async fn progress_of(&self, id: &AttemptId, now: Timestamp) -> Result<Progress, Error> {
        let item = self.item(id).await?.ok_or(Error::NotFound(Missing::Attempt))?;
        Ok(self.progress(&item, now)?)
    }

    pub(super) async fn item(&self, id: &AttemptId) -> Result<Option<Item>, StoreError> {
        let get = self
            .table
            .client
            .get_item()
            .table_name(&self.table.name)
            .key("pk", string(id.as_str()))
            .consistent_read(true);
        let output = get.send().await.map_err(self.table.failed("GetItem"))?;
        Ok(output.item.map(Item))
    }

    fn progress(&self, item: &Item, now: Timestamp) -> Result<Progress, StoreError> {
        let attempt: Attempt = item.get_doc(&self.table)?;
        let stored = item.get_text("status").and_then(Status::parse).ok_or_else(|| self.table.malformed("status"))?;
        let held_until = item.get_number("held_until").map(Timestamp::from_millis);
        let status = match stored {
            Status::Pending | Status::Claimed if attempt.expires_at() <= now => Status::Expired,
            Status::Held if held_until.is_some_and(|until| until <= now) => Status::Expired,
            stored => stored,
        };
        let text = |name| item.get_text(name).map(str::to_owned);
        Ok(Progress {
            attempt,
            status,
            error: text("error"),
            account: text("account"),
            browser: text("browser"),
            came_from: text("came_from"),
            state: text("spent_state"),
        })
    }

    pub(super) fn update(
        &self,
        id: &AttemptId,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(id.as_str()));
        update
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn item_of(attempt: &Attempt, status: &Status) -> Item {
    Item::new()
        .text("pk", attempt.id.as_str())
        .doc(attempt)
        .text("status", status.as_stored())
        .number("expires_at", attempt.expires_at().millis())
        .number("ttl", attempt.expires_at().after(REMEMBERED).secs())
}

/// An attempt that waits for its provider's answer.
fn new_item(attempt: &Attempt, state: &State, kept: &Sealed) -> Item {
    item_of(attempt, &Status::Pending)
        .text("state_hash", state.digest().as_str())
        .text("callback", attempt.callback_name())
        .text_if("issuer", attempt.issuer.as_ref().map(|issuer| issuer.identifier.as_str()))
        .text_if("issuer_is_told", attempt.issuer.as_ref().filter(|issuer| issuer.is_told).map(|_| "yes"))
        .sealed("verifier", kept)
}

/// The item that failed the condition; empty if there is none.
pub(crate) fn condition_failed(
    error: &aws_sdk_dynamodb::operation::update_item::UpdateItemError,
) -> Option<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
    match error {
        aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(failed) => {
            Some(failed.item.clone().unwrap_or_default())
        }
        _ => None,
    }
}

fn is(item: &Item, name: &str, expected: &Digest) -> bool {
    item.get_text(name) == Some(expected.as_str())
}
