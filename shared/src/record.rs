//! A connection as every answer shows it, and what its fields are made of.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    clock::Timestamp,
    id::{ConnectionKey, ConnectorId, Environment, IdentityType},
    protocol::{
        account::Found,
        connector::{Connector, Consent, Placement},
        scope, template,
    },
    store::connections::{Account, Choices, Connection, Health},
};

/// The record of a connection. No secret is in it, and none can be reached by it without an app client's key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "clients expect these fields")]
pub struct Record<'a> {
    /// The key once more, under the name that some clients read.
    #[serde(rename = "_id")]
    underscore_id: &'a ConnectionKey,
    /// The same.
    id: &'a ConnectionKey,
    /// The same: a connection's key is its id.
    key: &'a ConnectionKey,
    platform_version: &'static str,
    /// [`definition_id`] as text.
    connection_definition_id: String,
    /// The name it was given, else its account's, else its connector.
    name: &'a str,
    environment: Environment,
    /// The connector's id.
    platform: &'a ConnectorId,
    /// The credential's id, which is public: the secret behind it is sealed and has no name.
    secrets_service_id: String,
    /// Absent means the project itself.
    identity: Option<&'a str>,
    identity_type: IdentityType,
    settings: Settings,
    throughput: Throughput<'a>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Whether a person or app changed it since it was made.
    updated: bool,
    version: String,
    last_modified_by: &'static str,
    /// A deleted connection has no record.
    deleted: bool,
    tags: &'a [String],
    active: bool,
    deprecated: bool,
    /// `connected` or `needs_reauth`.
    state: &'static str,
    /// Why it has to be connected again, where that is not the provider's word on the grant: `client_replaced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<&'static str>,
    account: AccountRecord<'a>,
    scopes: Scopes<'a>,
    /// The further tokens that it has: a call chooses one by `x-mooring-token-slot`.
    token_slots: &'a [String],
    /// What was learnt or typed for it and is no secret: for the app's back end alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<BTreeMap<&'a str, &'a str>>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "clients expect these fields")]
struct Settings {
    parse_webhook_body: bool,
    show_secret: bool,
    allow_custom_events: bool,
    #[serde(rename = "oauth")]
    is_oauth: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Throughput<'a> {
    key: &'a ConnectionKey,
    /// Calls a second that Mooring itself allows; 0 says that it sets no limit and the provider's own holds.
    limit: u32,
}

/// An account as people know it; and to the app's back end as the provider knows it.
#[derive(Clone, Debug, Serialize)]
pub struct AccountRecord<'a> {
    #[serde(flatten)]
    ids: Option<Ids<'a>>,
    label: Option<&'a str>,
    email: Option<&'a str>,
}

#[derive(Clone, Debug, Serialize)]
struct Ids<'a> {
    /// Stable, and never given to another account of this provider, or of this tenant.
    id: Option<&'a str>,
    /// The workspace, site or company.
    tenant: Option<&'a str>,
}

/// What was asked for, and what came of it (RFC 6749 §3.3, §5.1).
#[derive(Clone, Debug, Serialize)]
pub struct Scopes<'a> {
    requested: &'a [String],
    granted: &'a [String],
    missing: Vec<&'a str>,
}

impl<'a> Record<'a> {
    /// The record of this connection.
    #[must_use]
    pub fn of(connection: &'a Connection, health: Health) -> Self {
        let Connection { key, connector, identity, .. } = connection;
        Self {
            underscore_id: key,
            id: key,
            key,
            platform_version: "1.0.0",
            connection_definition_id: definition_id(connector).to_string(),
            name: name(connection),
            environment: connection.environment,
            platform: connector,
            secrets_service_id: key.credential_id(),
            identity: identity.as_ref().map(|identity| identity.identity.as_str()),
            identity_type: identity.as_ref().map_or(IdentityType::Project, |identity| identity.identity_type),
            settings: Settings {
                parse_webhook_body: false,
                show_secret: false,
                allow_custom_events: false,
                is_oauth: connection.client_id.is_some(),
            },
            throughput: Throughput { key, limit: 0 },
            created_at: connection.created_at,
            updated_at: connection.updated_at,
            updated: connection.version > 1,
            version: format!("1.0.{}", connection.version),
            last_modified_by: "system",
            deleted: false,
            tags: &connection.tags,
            active: connection.active,
            deprecated: false,
            state: health.as_str(),
            state_reason: health.reason(),
            account: AccountRecord::of(&connection.account),
            scopes: Scopes::of(connection),
            token_slots: &connection.slots,
            values: None,
        }
    }

    /// The same for the app's back end: with the account's ids and the connection's values. Without its connector, which a project
    /// may have taken away, nothing tells which of them are public.
    #[must_use]
    pub fn for_app(connection: &'a Connection, health: Health, connector: Option<&Connector>) -> Self {
        let told = |name: &str| connector.is_some_and(|connector| is_public(connector, name));
        let values = connection.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Self {
            account: AccountRecord::for_app(&connection.account),
            values: Some(values.filter(|(name, _)| told(name)).collect()),
            ..Self::of(connection, health)
        }
    }
}

impl<'a> Scopes<'a> {
    /// Of this connection.
    #[must_use]
    pub fn of(connection: &'a Connection) -> Self {
        let Connection { requested, scopes: granted, .. } = connection;
        Self { requested, granted, missing: scope::missing(requested, granted) }
    }
}

/// Whether an app may be told a connection's value: what the person typed or the provider told, unless it is a secret or what a
/// call proves itself with. What the operator chose is the operator's.
fn is_public(connector: &Connector, name: &str) -> bool {
    let typed =
        connector.inputs.iter().any(|input| (input.name == name || input.also.of(name).is_some()) && !input.secret);
    let told = connector.captures.source(name).is_some()
        || connector.lookups.iter().any(|lookup| lookup.name == name || lookup.also.value(name).is_some());
    (typed || told) && !proves(&connector.api.credential, name)
}

/// Whether a credential is made of this value.
fn proves(credential: &Placement, name: &str) -> bool {
    let templates: Vec<&str> = match credential {
        Placement::Header { value, .. } | Placement::Query { value, .. } => vec![value],
        Placement::Basic { password, .. } => vec![password],
        Placement::AwsSigv4 { secret_access_key, session_token, .. } => {
            std::iter::once(secret_access_key).chain(session_token).map(AsRef::as_ref).collect()
        }
        Placement::SignedParameters { secret, .. } => vec![secret],
        Placement::Path {} | Placement::Oauth1 {} => Vec::new(),
    };
    templates.into_iter().flat_map(template::placeholders).any(|placeholder| placeholder == name)
}

impl<'a> AccountRecord<'a> {
    /// What may be shown of an account.
    #[must_use]
    pub fn of(account: &'a Account) -> Self {
        Self { ids: None, label: account.label.as_deref(), email: account.email.as_deref() }
    }

    /// The same for the app's back end.
    #[must_use]
    pub fn for_app(account: &'a Account) -> Self {
        Self { ids: Some(Ids { id: account.own_id(), tenant: account.tenant.as_deref() }), ..Self::of(account) }
    }
}

/// What there is to choose from, by placeholder: `{"cloud_id": [{"value", "label"}…]}`.
pub fn choices<'a>(lists: impl Iterator<Item = &'a Choices>) -> Value {
    let one = |found: &Found| json!({ "value": found.value(), "label": found.label });
    let list = |choices: &Choices| (choices.name.clone(), choices.found.iter().map(one).collect());
    let mut all = Map::new();
    all.extend(lists.map(list));
    Value::Object(all)
}

/// What to call a connection.
#[must_use]
pub fn name(connection: &Connection) -> &str {
    connection.name.as_deref().or(connection.account.name()).unwrap_or(connection.connector.as_str())
}

/// A connector's id for clients that want a number: stable, and exact in a JSON number (RFC 8259 §6).
///
/// FNV-1a, folded to 48 bits: it tells connectors apart and protects nothing.
#[must_use]
pub fn definition_id(connector: &ConnectorId) -> u64 {
    let hash = connector
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 48) ^ (hash & 0xffff_ffff_ffff)
}

/// What a connector is connected with: `oauth2`, `oauth1`, `basic` or `apiKey`. A client or a private key that the person types
/// counts as a key: nobody is sent anywhere.
#[must_use]
pub fn credential_type(connector: &Connector) -> &'static str {
    match (connector.consent(), &connector.api.credential) {
        (Some(Consent::OAuth2), _) => "oauth2",
        (Some(Consent::OAuth1), _) => "oauth1",
        (None, Placement::Basic { .. }) => "basic",
        (
            None,
            Placement::Header { .. }
            | Placement::Query { .. }
            | Placement::Path {}
            | Placement::Oauth1 {}
            | Placement::AwsSigv4 { .. }
            | Placement::SignedParameters { .. },
        ) => "apiKey",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        id::{Identity, ProjectId},
        secrets::ClientSource,
    };

    fn connection() -> Connection {
        Connection {
            key: ConnectionKey::parse("conn_a1").unwrap(),
            project: ProjectId::parse("p1").unwrap(),
            environment: Environment::Test,
            connector: ConnectorId::parse("gmail").unwrap(),
            identity: Identity::parse("u1", IdentityType::User).ok(),
            identity_label: None,
            name: None,
            account: Account {
                id: Some("t1/sub-1".to_owned()),
                tenant: Some("t1".to_owned()),
                label: None,
                email: Some("ada@example.com".to_owned()),
            },
            client: Some(ClientSource::Project),
            client_id: Some("client".to_owned()),
            scopes: vec!["email".to_owned()],
            slots: Vec::new(),
            requested: vec!["email".to_owned(), "files".to_owned()],
            values: BTreeMap::from([("learnt".to_owned(), "value".to_owned())]),
            tags: vec!["blue".to_owned()],
            active: true,
            created_at: Timestamp::from_millis(1000),
            updated_at: Timestamp::from_millis(2000),
            version: 2,
        }
    }

    #[test]
    fn a_record_has_exactly_these_fields() {
        let record = serde_json::to_value(Record::of(&connection(), Health::Connected)).unwrap();
        let expected = json!({
            "_id": "conn_a1", "id": "conn_a1", "key": "conn_a1",
            "platformVersion": "1.0.0", "connectionDefinitionId": definition_id(&connection().connector).to_string(),
            "name": "ada@example.com", "environment": "test", "platform": "gmail", "secretsServiceId": "cred_a1",
            "identity": "u1", "identityType": "user",
            "settings": { "parseWebhookBody": false, "showSecret": false, "allowCustomEvents": false, "oauth": true },
            "throughput": { "key": "conn_a1", "limit": 0 },
            "createdAt": 1000, "updatedAt": 2000, "updated": true, "version": "1.0.2", "lastModifiedBy": "system",
            "deleted": false, "tags": ["blue"], "active": true, "deprecated": false, "state": "connected",
            "account": { "label": null, "email": "ada@example.com" },
            "scopes": { "requested": ["email", "files"], "granted": ["email"], "missing": ["files"] }, "tokenSlots": [],
        });
        assert_eq!(record, expected);
    }

    #[test]
    fn an_apps_back_end_is_told_ids_and_public_values_besides() {
        let connector: Connector = serde_json::from_value(json!({
            "name": "Acme",
            "inputs": [
                { "name": "site", "label": "Site" },
                { "name": "user", "label": "User" },
                { "name": "key", "label": "Key", "secret": true },
            ],
            "settings": [{ "name": "host", "label": "Host" }],
            "captures": { "token_response": { "realm_id": "realm" } },
            "lookups": [{ "name": "cloud_id", "url": "https://acme.example", "path": "id", "also": { "cloud_url": "url" } }],
            "api": {
                "base_url": "https://acme.example",
                "credential": { "in": "basic", "username": "{user}", "password": "{pass}{key}" },
            },
        }))
        .unwrap();
        let names =
            ["site", "user", "key", "host", "pass", "realm_id", "cloud_id", "cloud_url", "client_id", "app_name"];
        let values = names.map(|name| (name.to_owned(), "v".to_owned()));
        let connection = Connection { values: BTreeMap::from(values), ..connection() };
        let told =
            |connector| serde_json::to_value(Record::for_app(&connection, Health::Connected, connector)).unwrap();
        let record = told(Some(&connector));
        assert_eq!(
            record["account"],
            json!({ "id": "sub-1", "tenant": "t1", "label": null, "email": "ada@example.com" })
        );
        let expected = json!({ "site": "v", "user": "v", "realm_id": "v", "cloud_id": "v", "cloud_url": "v" });
        assert_eq!(record["values"], expected);
        assert_eq!(told(None)["values"], json!({}));
    }

    #[test]
    fn a_connection_without_identity_is_the_projects() {
        let own = Connection { identity: None, name: Some("Ours".to_owned()), ..connection() };
        let record = serde_json::to_value(Record::of(&own, Health::NeedsReauth)).unwrap();
        let said = ["identity", "identityType", "name", "state"].map(|name| record[name].clone());
        assert_eq!(said, [json!(null), json!("project"), json!("Ours"), json!("needs_reauth")]);
    }

    #[test]
    fn a_definition_id_is_stable_and_exact_in_json() {
        let catalog = crate::catalog::Catalog::builtin();
        let ids: std::collections::BTreeSet<u64> =
            catalog.iter().map(|connector| definition_id(&ConnectorId::of(connector))).collect();
        assert_eq!(ids.len(), catalog.iter().count());
        assert!(ids.iter().all(|id| *id < 1 << 53));
        assert_eq!(definition_id(&ConnectorId::parse("a").unwrap()), 0xdc4c_8601_43ef);
    }
}
