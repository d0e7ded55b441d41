//! The indexes: connections by owner, by project, by account; held grants by the time they are due. All of them are
//! eventually consistent.

use super::{Connection, Connections, Health, health};
use crate::{
    clock::Timestamp,
    error::StoreError,
    id::{Environment, Identity, ProjectId},
    secret::digest,
    store::{Item, number, string},
};

/// How many entries of one owner, or of one part of a project's list, are read; what is beyond is not listed. All of them are read
/// for any page: its number and the total are asked for, and DynamoDB neither counts without reading nor skips.
const LIST_LIMIT: usize = 10_000;

/// Into how many parts a project's list is spread.
const SHARDS: u8 = 16;

impl Connection {
    pub(super) fn owner(&self) -> String {
        owner(&self.project, self.environment, self.identity.as_ref())
    }

    pub(super) fn project_shard(&self) -> String {
        // the last letter of a random key, so that a busy project's writes spread
        let letter = self.key.as_str().bytes().next_back().unwrap_or_default();
        project_shard(&self.project, self.environment, letter % SHARDS)
    }
}

impl Connections {
    /// The connections of one owner, oldest first. The index is eventually consistent.
    pub async fn of_owner(
        &self,
        project: &ProjectId,
        environment: Environment,
        identity: Option<&Identity>,
    ) -> Result<Vec<(Connection, Health)>, StoreError> {
        self.listed("owner", "owner", &owner(project, environment, identity)).await
    }

    /// The connections of a project and environment, oldest first. The index is eventually consistent, and each of
    /// the parts is cut beyond 10,000.
    pub async fn of_project(
        &self,
        project: &ProjectId,
        environment: Environment,
    ) -> Result<Vec<(Connection, Health)>, StoreError> {
        let shards = (0..SHARDS).map(|shard| project_shard(project, environment, shard));
        let lists = futures_util::future::try_join_all(
            shards.map(|shard| async move { self.listed("project", "project_shard", &shard).await }),
        )
        .await?;
        let mut all: Vec<_> = lists.into_iter().flatten().collect();
        all.sort_by(|(a, _), (b, _)| (a.created_at, &a.key).cmp(&(b.created_at, &b.key)));
        Ok(all)
    }

    async fn listed(&self, index: &str, attribute: &str, value: &str) -> Result<Vec<(Connection, Health)>, StoreError> {
        let items = self.query(index, attribute, value, None).await?;
        items.iter().map(|item| Ok((item.get_doc(&self.table)?, health(item)))).collect()
    }

    pub(super) async fn query(
        &self,
        index: &str,
        attribute: &str,
        value: &str,
        before: Option<Timestamp>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let mut query = self.table.client.query().table_name(&self.table.name).index_name(index);
            query = query
                .expression_attribute_names("#key", attribute)
                .expression_attribute_values(":value", string(value));
            query = match before {
                Some(before) => query
                    .key_condition_expression("#key = :value AND due_at <= :before")
                    .expression_attribute_values(":before", number(before.millis()))
                    .limit(100),
                None => query.key_condition_expression("#key = :value"),
            };
            let output = query.set_exclusive_start_key(from).send().await.map_err(self.table.failed("Query"))?;
            items.extend(output.items.unwrap_or_default().into_iter().map(Item));
            from = output.last_evaluated_key;
            if from.is_none() || items.len() >= LIST_LIMIT || before.is_some() {
                return Ok(items);
            }
        }
    }

    /// Whether another connection, live or held, shares this grant at the provider; `gone` is the key of an item that was
    /// just deleted.
    ///
    /// The index is eventually consistent, so what it shows is looked up: an entry may be gone by now, or be a held grant
    /// that was completed since. What it does not show yet at all can't be known: a grant that was first held within the
    /// index's lag, usually less than a second, before this question.
    pub async fn shares_grant(&self, grant_owner: &str, gone: &str) -> Result<bool, StoreError> {
        for item in self.query("account", "account", grant_owner, None).await? {
            let shown: Connection = item.get_doc(&self.table)?;
            for pk in [item.get_text("pk").unwrap_or_default(), shown.key.as_str()] {
                if pk != gone && self.get(pk).await?.is_some_and(|item| item.get_text("account") == Some(grant_owner)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn owner(project: &ProjectId, environment: Environment, identity: Option<&Identity>) -> String {
    let name = identity.map_or_else(
        || "project#".to_owned(),
        |identity| format!("{}#{}", identity.identity_type.as_str(), identity.identity),
    );
    format!("{project}#{environment}#{}", digest(&name).as_str())
}

fn project_shard(project: &ProjectId, environment: Environment, shard: u8) -> String {
    format!("{project}#{environment}#{shard}")
}
