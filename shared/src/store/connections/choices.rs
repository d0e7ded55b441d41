//! What a person still has to choose before a held grant can become a connection, and what is chosen for one later.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use serde::{Deserialize, Serialize};

use super::{Connection, Connections, Held, Stored, held::held_key};
use crate::{
    clock::Timestamp,
    error::{Error, StoreError},
    json::shape,
    protocol::account::Found,
    store::{Item, bytes, number, string},
};

/// A look-up that found several things, of which one is chosen. They name workspaces and companies, so they stand where the
/// connection's own values stand, in no index, and go with the held grant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Choices {
    /// The placeholder that the chosen one fills.
    pub name: String,
    /// What a person calls such a thing: `Site`.
    pub title: Option<String>,
    /// All there are to choose from.
    pub found: Vec<Found>,
}

impl Choices {
    /// The one with this value. Nothing else is ever taken.
    #[must_use]
    pub fn with_value(&self, value: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.value() == value)
    }
}

impl Held {
    /// Fails if something has to be chosen first.
    pub fn must_wait_for_nothing(&self) -> Result<(), Error> {
        match &self.choices {
            Some(open) => Err(Error::ChoiceRequired(Box::new(open.clone()))),
            None => Ok(()),
        }
    }
}

/// What [`Error::Conflict`] names where another choice was faster.
pub const CHOICE: &str = "what is chosen";

impl Connections {
    /// Writes down what was chosen for a held grant: the connection that it would be, and what is to be chosen next. The choice is
    /// part of the condition, so that of two that are made at once one is taken and the other finds an [`Error::Conflict`].
    pub async fn settle(&self, before: &Choices, held: &Held, now: Timestamp) -> Result<(), Error> {
        let pk = held_key(&held.attempt);
        let mut update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(pk));
        let time = |at: Option<Timestamp>| at.map(|at| number(at.millis()));
        let attributes = [
            ("doc", Some(string(text_of(&held.connection)))),
            ("sealed", Some(bytes(&held.sealed))), // a login may have followed the choice
            ("account", held.connection.grant_owner().map(string)),
            ("choices", held.choices.as_ref().map(|choices| string(text_of(choices)))),
            ("token_expires_at", time(held.token_expires_at)),
            ("renew_at", time(held.renew_at)),
        ];
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        for (name, value) in attributes {
            if let Some(value) = value {
                set.push(format!("{name} = :{name}"));
                update = update.expression_attribute_values(format!(":{name}"), value);
            } else {
                remove.push(name);
            }
        }
        let remove = if remove.is_empty() { String::new() } else { format!(" REMOVE {}", remove.join(", ")) };
        let update = update
            .update_expression(format!("SET {}{remove}", set.join(", ")))
            .condition_expression("choices = :before AND expires_at > :now")
            .expression_attribute_values(":before", string(text_of(before)))
            .expression_attribute_values(":now", number(now.millis()));
        match self.table.write(update).await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Err(Error::Conflict(CHOICE))
            }
            Err(error) => Err(self.table.failed("UpdateItem")(error).into()),
        }
    }

    /// Writes down what was chosen for a connection, and whose account it is to by that. One that was changed since it was read is
    /// an [`Error::Conflict`].
    pub async fn switch(&self, stored: &Stored, connection: &Connection) -> Result<(), Error> {
        let key = string(connection.key.as_str());
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", key);
        let mut update = update
            .condition_expression("doc = :before")
            .expression_attribute_values(":doc", string(text_of(connection)))
            .expression_attribute_values(":before", string(&stored.doc));
        update = match connection.grant_owner() {
            Some(owner) => update
                .update_expression("SET doc = :doc, account = :account")
                .expression_attribute_values(":account", string(owner)),
            None => update.update_expression("SET doc = :doc REMOVE account"),
        };
        match self.table.write(update).await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Err(Error::Conflict("the connection"))
            }
            Err(error) => Err(self.table.failed("UpdateItem")(error).into()),
        }
    }

    pub(super) fn read_choices(&self, item: &Item) -> Result<Option<Choices>, StoreError> {
        let read = |text: &str| shape::read(text.as_bytes()).map_err(|_| self.table.malformed("choices"));
        item.get_text("choices").map(read).transpose()
    }
}

/// As it stands in the item: the same text for the same thing, so that a condition can name it.
pub(super) fn text_of(doc: &impl Serialize) -> String {
    Item::new().doc(doc).get_text("doc").unwrap_or_default().to_owned()
}

/// What was chosen, by placeholder.
pub type Chosen = BTreeMap<String, String>;
