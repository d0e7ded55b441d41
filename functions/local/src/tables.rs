//! The four tables, as `template.yaml` declares them: a test compares the two.

use dynoxide::Database;
use serde_json::{Value, json};

/// The tables' names here.
pub const NAMES: [&str; 4] = ["settings", "flows", "connections", "journal"];

/// What an index of `connections` carries besides its keys: never the sealed credentials.
const PROJECTED: [&str; 6] = ["doc", "status", "generation", "token_expires_at", "attempt", "expires_at"];

/// Creates the tables that are not there yet.
pub fn create(database: &Database) -> Result<(), String> {
    let existing = database.list_tables(request(json!({}))?).map_err(|error| error.to_string())?;
    for definition in definitions() {
        let name = definition["TableName"].as_str().unwrap_or_default().to_owned();
        if existing.table_names.contains(&name) {
            continue;
        }
        database.create_table(request(definition)?).map_err(|error| error.to_string())?;
        if name == "flows" {
            let ttl = json!({"TableName": name, "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": true}});
            database.update_time_to_live(request(ttl)?).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// The tables, as `CreateTable` takes them.
#[must_use]
pub fn definitions() -> Vec<Value> {
    let composite = json!([{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]);
    let simple = json!([{"AttributeName": "pk", "KeyType": "HASH"}]);
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let number = |name: &str| json!({"AttributeName": name, "AttributeType": "N"});
    let table = |name: &str, keys: &Value, attributes: Vec<Value>| json!({"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": keys, "AttributeDefinitions": attributes});
    let index = |name: &str, hash: &str, range: &str| {
        json!({
            "IndexName": name,
            "KeySchema": [{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": PROJECTED},
        })
    };
    let keyed = || vec![text("pk"), text("sk")];
    let mut connections = table(
        "connections",
        &simple,
        vec![
            text("pk"),
            text("owner"),
            text("project_shard"),
            text("account"),
            text("due"),
            number("created_at"),
            number("due_at"),
        ],
    );
    connections["GlobalSecondaryIndexes"] = json!([
        index("owner", "owner", "created_at"),
        index("project", "project_shard", "created_at"),
        index("account", "account", "pk"),
        index("due", "due", "due_at"),
    ]);
    vec![
        table("settings", &composite, keyed()),
        table("flows", &simple, vec![text("pk")]),
        connections,
        table("journal", &composite, keyed()),
    ]
}

fn request<T: serde::de::DeserializeOwned>(json: Value) -> Result<T, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}
