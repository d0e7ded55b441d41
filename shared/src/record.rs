//! A connection as every answer shows it, and what its fields are made of.

use serde::Serialize;

use crate::{
    clock::Timestamp,
    id::{ConnectionKey, ConnectorId, Environment, IdentityType},
    protocol::connector::{Connector, Consent, Placement},
    store::connections::{Account, Connection, Health},
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
    account: AccountRecord<'a>,
    scopes: &'a [String],
    /// The further tokens that it has: a call chooses one by `x-mooring-token-slot`.
    token_slots: &'a [String],
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

/// An account as people know it. Its fingerprint stays inside.
#[derive(Clone, Debug, Serialize)]
pub struct AccountRecord<'a> {
    label: Option<&'a str>,
    email: Option<&'a str>,
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
            account: AccountRecord::of(&connection.account),
            scopes: &connection.scopes,
            token_slots: &connection.slots,
        }
    }
}

impl<'a> AccountRecord<'a> {
    /// What may be shown of an account.
    #[must_use]
    pub fn of(account: &'a Account) -> Self {
        Self { label: account.label.as_deref(), email: account.email.as_deref() }
    }
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
            | Placement::Path
            | Placement::Oauth1
            | Placement::AwsSigv4 { .. }
            | Placement::SignedParameters { .. },
        ) => "apiKey",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
            account: Account { id: Some("sub-1".to_owned()), label: None, email: Some("ada@example.com".to_owned()) },
            client: Some(ClientSource::Project),
            client_id: Some("client".to_owned()),
            scopes: vec!["email".to_owned()],
            slots: Vec::new(),
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
            "account": { "label": null, "email": "ada@example.com" }, "scopes": ["email"], "tokenSlots": [],
        });
        assert_eq!(record, expected);
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
