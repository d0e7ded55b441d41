//! Registered clients that their servers refuse: noted by whoever was refused, looked into by the keeper.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use serde::{Deserialize, Serialize};

use super::Journal;
use crate::{
    clock::Timestamp,
    error::StoreError,
    id::{ConnectorId, Environment, ProjectId},
    store::{Item, string},
};

/// After how many rounds it is left alone: with the waits between them, after about a day. The next refusal notes it anew.
const TRIES: u32 = 10;

/// A registered client that its server refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Forgotten {
    /// Whose.
    pub project: ProjectId,
    /// In which environment.
    pub environment: Environment,
    /// At which provider.
    pub connector: ConnectorId,
    /// The client's public half.
    pub client_id: String,
    /// The record of the server, where a person named it.
    #[serde(default)]
    pub server: Option<String>,
}

/// A note of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Which.
    pub forgotten: Forgotten,
    /// When to look into it (again).
    pub due: Timestamp,
    /// How often that was done.
    pub tries: u32,
}

const PK: &str = "forgotten";

fn sort_key(forgotten: &Forgotten) -> String {
    let Forgotten { project, environment, connector, client_id: _, server } = forgotten;
    let server = server.as_ref().map(|server| format!("#{server}")).unwrap_or_default();
    format!("{project}#{environment}#{connector}{server}")
}

impl Journal {
    /// Notes a client that its server refused. One note is enough, however many are refused.
    pub async fn note_forgotten(&self, forgotten: &Forgotten, now: Timestamp) -> Result<(), StoreError> {
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item(forgotten, now, 0).0));
        match self.table.write(put.condition_expression("attribute_not_exists(pk)")).await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(())
            }
            Err(error) => Err(self.table.failed("PutItem")(error)),
        }
    }

    /// The notes that are due. They are few, one for a connector that has stopped working altogether.
    pub async fn forgotten(&self, now: Timestamp) -> Result<Vec<Noted>, StoreError> {
        let query = self.table.client.query().table_name(&self.table.name).limit(super::PAGE.into());
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", string(PK));
        let output = query.send().await.map_err(self.table.failed("Query"))?;
        let items = output.items.unwrap_or_default().into_iter().map(Item);
        let noted = items.filter_map(|item| {
            let due = Timestamp::from_millis(item.get_number("due_at").unwrap_or_default());
            let tries = item.get_number("tries").and_then(|tries| tries.try_into().ok()).unwrap_or_default();
            Some(Noted { forgotten: item.get_doc(&self.table).ok()?, due, tries })
        });
        Ok(noted.filter(|noted| noted.due <= now).collect())
    }

    /// Takes a note away.
    pub async fn forgotten_done(&self, noted: &Noted) -> Result<(), StoreError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name);
        let delete = delete.key("pk", string(PK)).key("sk", string(sort_key(&noted.forgotten)));
        self.table.write(delete).await.map(drop).map_err(self.table.failed("DeleteItem"))
    }

    /// Leaves a note for later, ever longer, and not for ever.
    pub async fn forgotten_later(&self, noted: &Noted, now: Timestamp) -> Result<(), StoreError> {
        if noted.tries >= TRIES {
            return self.forgotten_done(noted).await;
        }
        let wait = Duration::from_secs(60 << noted.tries.min(10)).min(Duration::from_hours(6));
        let put = self.table.client.put_item().table_name(&self.table.name);
        let put = put.set_item(Some(item(&noted.forgotten, now.after(wait), noted.tries + 1).0));
        self.table.write(put).await.map(drop).map_err(self.table.failed("PutItem"))
    }
}

fn item(forgotten: &Forgotten, due: Timestamp, tries: u32) -> Item {
    let item = Item::new().text("pk", PK).text("sk", sort_key(forgotten)).doc(forgotten);
    item.number("due_at", due.millis()).number("tries", tries.into())
}
