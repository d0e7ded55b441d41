//! Clients that were registered by us (RFC 7591): which, where and when. Their secrets stand with the other provider clients'.
//!
//! Registering is a call that nobody can take back, so it is made under a lease: of many that find none, or find that the server
//! has forgotten it, one asks. What it got is written under the lease's fence.

use aws_sdk_dynamodb::operation::{put_item::PutItemError, update_item::UpdateItemError};
use serde::{Deserialize, Serialize};

use super::{CHANGES, ConnectorSettings, Key, Read, Settings};
use crate::{
    clock::Timestamp,
    error::{Error, StoreError},
    id::{ConnectorId, Environment, ProjectId},
    store::{Item, number, string},
};

/// A client that was registered for a connector of a project and environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Registration {
    /// Which connector's.
    pub connector: ConnectorId,
    /// With whom, where the connector's data says.
    pub issuer: Option<String>,
    /// Where it was registered.
    pub endpoint: String,
    /// Where its answers go.
    pub redirect_uri: String,
    /// Its public half.
    pub client_id: String,
    /// How it proves itself.
    pub token_endpoint_auth_method: String,
    /// When its secret ends; absent where it does not.
    pub secret_expires_at: Option<Timestamp>,
    /// Where it can be looked after (RFC 7592).
    pub management_uri: Option<String>,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// The one before, which the server forgot.
    pub replaced: Option<Replaced>,
}

/// A client that the server forgot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Replaced {
    /// Its public half.
    pub client_id: String,
    /// When another took its place.
    pub at: Timestamp,
}

/// The right to register a client.
#[derive(Clone, Debug)]
pub struct RegistrationLease {
    key: Key,
    owner: String,
    fence: u64,
}

impl Settings {
    /// Asks for the right to register a client in the place of the known one, or where there is none. `None` if somebody
    /// else has it, or another client stands there by now. It is one conditional write, so it has one winner.
    pub async fn lease_registration(
        &self,
        (project, environment, connector): (&ProjectId, Environment, &ConnectorId),
        known: Option<&str>,
        owner: &str,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<Option<RegistrationLease>, StoreError> {
        let key = Key::Registration(project.clone(), environment, connector.clone());
        let same = if known.is_some() { "client_id = :known" } else { "attribute_not_exists(client_id)" };
        let free = "attribute_not_exists(lease_until) OR lease_until <= :now OR lease_owner = :owner";
        let update = self.table.client.update_item().table_name(&self.table.name).set_key(Some(key.attributes()));
        let mut update = update
            .update_expression("SET lease_owner = :owner, lease_until = :until ADD fence :one")
            .condition_expression(format!("({free}) AND {same}"))
            .expression_attribute_values(":owner", string(owner))
            .expression_attribute_values(":until", number(until.millis()))
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":one", number(1))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew);
        if let Some(known) = known {
            update = update.expression_attribute_values(":known", string(known));
        }
        match self.table.write(update).await {
            Ok(output) => {
                let fence = Item(output.attributes.unwrap_or_default()).get_number("fence").unwrap_or_default();
                Ok(Some(RegistrationLease { key, owner: owner.to_owned(), fence }))
            }
            Err(error) if is_condition(error.as_service_error()) => Ok(None),
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// Writes down what was registered, under the lease's fence, and gives the lease back. False if it had passed to another.
    pub async fn put_registration(
        &self,
        lease: &RegistrationLease,
        registration: &Registration,
    ) -> Result<bool, StoreError> {
        let doc = Item::new().doc(registration).get_text("doc").unwrap_or_default().to_owned();
        let update = self.table.client.update_item().table_name(&self.table.name).set_key(Some(lease.key.attributes()));
        let update = update
            .update_expression("SET doc = :doc, client_id = :client_id REMOVE lease_owner, lease_until")
            // the second try of one that landed finds its own client
            .condition_expression("fence = :fence AND (lease_owner = :owner OR client_id = :client_id)")
            .expression_attribute_values(":doc", string(doc))
            .expression_attribute_values(":client_id", string(&registration.client_id))
            .expression_attribute_values(":fence", number(lease.fence))
            .expression_attribute_values(":owner", string(&lease.owner));
        self.forget(&lease.key);
        match self.table.write(update).await {
            Ok(_) => Ok(true),
            Err(error) if is_condition(error.as_service_error()) => Ok(false),
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// Gives the lease back when nothing was registered.
    pub async fn release_registration(&self, lease: &RegistrationLease) -> Result<(), StoreError> {
        let update = self.table.client.update_item().table_name(&self.table.name).set_key(Some(lease.key.attributes()));
        let update = update
            .update_expression("REMOVE lease_owner, lease_until")
            .condition_expression("fence = :fence AND lease_owner = :owner")
            .expression_attribute_values(":fence", number(lease.fence))
            .expression_attribute_values(":owner", string(&lease.owner));
        match self.table.write(update).await {
            Ok(_) => Ok(()),
            Err(error) if is_condition(error.as_service_error()) => Ok(()),
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// Lets a connector use this client, and changes nothing else of what was decided about it; repeated when somebody else
    /// decided in between.
    pub async fn use_client(&self, key: &Key, client_id: &str) -> Result<(), Error> {
        for _ in 0..CHANGES {
            let found = self.fetch(vec![key.clone()]).await?.pop().and_then(|(_, item)| item);
            let before = found.as_ref().and_then(|item| item.get_text("doc")).map(str::to_owned);
            let mut settings: ConnectorSettings =
                found.map(|item| item.get_doc(&self.table)).transpose()?.unwrap_or_default();
            if settings.client_id.as_deref() == Some(client_id) {
                return Ok(());
            }
            settings.client_id = Some(client_id.to_owned());
            let put = self.table.client.put_item().table_name(&self.table.name);
            let put = put.set_item(Some(Item(key.attributes()).doc(&settings).0));
            let put = match before {
                Some(before) => {
                    put.condition_expression("doc = :before").expression_attribute_values(":before", string(before))
                }
                None => put.condition_expression("attribute_not_exists(pk)"),
            };
            match self.table.write(put).await {
                Ok(_) => {
                    self.forget(key);
                    return Ok(());
                }
                Err(error)
                    if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {}
                Err(error) => return Err(self.table.failed("PutItem")(error).into()),
            }
        }
        Err(Error::Conflict("the connector's client"))
    }
}

fn is_condition(error: Option<&UpdateItemError>) -> bool {
    error.is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}

impl Read {
    /// A registered client; none while the first one is being registered.
    pub fn registration(&self, key: &Key) -> Result<Option<Registration>, StoreError> {
        match self.item(key).and_then(|item| item.get_text("doc")) {
            Some(_) => self.doc(key),
            None => Ok(None),
        }
    }
}
