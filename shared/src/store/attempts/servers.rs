//! Clients of ours at servers that persons named (RFC 7591): one for each project, environment, connector and server, registered when
//! the first person names it and used by the next.
//!
//! They stand with the attempts, since it is an attempt that makes one, and each is sealed by itself: however many servers are named,
//! none takes the room of another, or of a client of the operator's. A connection carries its client's secret among its own
//! credentials, so that a record serves those who come after alone, and goes when nobody has named its server for a while: whoever
//! names servers without end fills no table.

use std::time::Duration;

use aws_sdk_dynamodb::operation::{delete_item::DeleteItemError, put_item::PutItemError};
use serde::{Deserialize, Serialize};

use super::Attempts;
use crate::{
    clock::Timestamp,
    error::StoreError,
    id::{ConnectionKey, ConnectorId, Environment, ProjectId},
    secret::digest,
    store::{Item, string},
    vault::{Belongs, Sealed},
};

/// What the secret of such a client is sealed as.
pub const CLIENT_SECRET: &str = "client_secret";

/// How long a client is remembered after its server was named last; it may be half as long.
pub const SERVER_REMEMBERED: Duration = Duration::from_hours(90 * 24);

/// How long one is remembered that another has taken the place of: longer than an attempt that began with it.
pub const REPLACED_REMEMBERED: Duration = Duration::from_hours(24);

/// A client at a server, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ServerClient {
    /// Whose.
    pub project: ProjectId,
    /// In which environment.
    pub environment: Environment,
    /// For which connector.
    pub connector: ConnectorId,
    /// Where it was registered: that says which server it is of.
    pub endpoint: String,
    /// Where its answers go.
    pub redirect_uri: String,
    /// What it may ask for.
    pub scopes: Vec<String>,
    /// Its public half.
    pub client_id: String,
    /// When its secret ends; absent where it does not.
    pub secret_expires_at: Option<Timestamp>,
    /// What its secret is sealed for, besides the above.
    pub seal: ConnectionKey,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// Until when it is remembered; a record that says nothing of it is registered anew.
    #[serde(default)]
    pub kept_until: Timestamp,
}

impl ServerClient {
    /// The name of the record for a server.
    #[must_use]
    pub fn name(project: &ProjectId, environment: Environment, connector: &ConnectorId, endpoint: &str) -> String {
        digest(&format!("{project}#{environment}#{connector}#{endpoint}")).as_str().to_owned()
    }

    /// The name of the record for a client that another one has taken the place of.
    #[must_use]
    pub fn replaced(name: &str, client_id: &str) -> String {
        digest(&format!("{name}#{client_id}")).as_str().to_owned()
    }

    /// What its secret belongs to.
    #[must_use]
    pub fn belongs(&self) -> Belongs<'_> {
        Belongs {
            project: &self.project,
            environment: self.environment,
            connector: &self.connector,
            connection: &self.seal,
            content: CLIENT_SECRET,
        }
    }
}

impl Attempts {
    /// The client at a server, with its sealed secret.
    pub async fn server_client(&self, name: &str) -> Result<Option<(ServerClient, Sealed)>, StoreError> {
        let get = self.table.client.get_item().table_name(&self.table.name).key("pk", string(key(name)));
        let output = get.consistent_read(true).send().await.map_err(self.table.failed("GetItem"))?;
        let Some(item) = output.item.map(Item) else { return Ok(None) };
        let Some(sealed) = item.get_sealed(CLIENT_SECRET) else { return Ok(None) };
        Ok(Some((item.get_doc(&self.table)?, sealed)))
    }

    /// Forgets a client that its server does not know any more. One that took its place stays.
    pub async fn forget_server_client(&self, name: &str, client_id: &str) -> Result<(), StoreError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name).key("pk", string(key(name)));
        let delete =
            delete.condition_expression("client_id = :known").expression_attribute_values(":known", string(client_id));
        match self.table.write(delete).await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(self.table.failed("DeleteItem")(error)),
        }
    }

    /// Remembers a client at a server, in the place of the known one or where there is none. False if another came before.
    pub async fn put_server_client(
        &self,
        name: &str,
        client: &ServerClient,
        sealed: &Sealed,
        known: Option<&str>,
    ) -> Result<bool, StoreError> {
        let item = Item::new().text("pk", key(name)).doc(client);
        let item = item.text("client_id", &client.client_id).sealed(CLIENT_SECRET, sealed);
        let item = item.number("ttl", client.kept_until.secs());
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item.0));
        let put = match known {
            // the second try of one that landed finds its own client
            Some(known) => put
                .condition_expression("client_id = :known OR client_id = :own")
                .expression_attribute_values(":known", string(known)),
            None => put.condition_expression("attribute_not_exists(pk) OR client_id = :own"),
        };
        let put = put.expression_attribute_values(":own", string(&client.client_id));
        match self.table.write(put).await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(false)
            }
            Err(error) => Err(self.table.failed("PutItem")(error)),
        }
    }
}

fn key(name: &str) -> String {
    format!("server#{name}")
}
