//! A connector as the operator sees it: what is in use, who decided it, and what to register at the provider.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{
    flow::connector_in_use::ConnectorInUse,
    id::ConnectorId,
    protocol::connector::{EvidenceLevel, Input},
    record::credential_type,
    secrets::ClientSource,
    store::attempts::Callback,
};

/// A connector and what is decided about it. The fields of a PUT have the same names and can be sent back; a secret is
/// neither shown nor hinted at.
#[derive(Serialize)]
pub struct Overview<'a> {
    id: &'a ConnectorId,
    name: &'a str,
    categories: Vec<&'a str>,
    docs_url: Option<&'a str>,
    /// `oauth2`, `apiKey` or `basic`.
    #[serde(rename = "type")]
    credential_type: &'static str,
    evidence: EvidenceLevel,
    /// Whether a person can connect it now.
    ready: bool,
    /// `project`, `default` or `none`: who decided the fields below.
    decided_by: &'static str,
    enabled: bool,
    visible: bool,
    order: u32,
    /// In place of the connector's own; null means those.
    scopes: Option<Vec<String>>,
    second_scopes: Option<Vec<String>>,
    optional_scopes: Option<Vec<String>>,
    authorization_params: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    /// Whether each of the settings that are secret is set, where they are taken from.
    secret_settings: BTreeMap<&'a str, bool>,
    /// Whose provider client is used: `project`, `default` or `none`.
    client_source: &'static str,
    client_id: Option<&'a str>,
    /// What a person is asked to consent to.
    scopes_in_use: Vec<String>,
    /// What can stand in `settings`.
    setting_fields: &'a [Input],
    /// `own`, or `common` for a provider client that was registered with the redirect URI that all connectors share.
    callback: Callback,
    /// The exact redirect URI to register at the provider.
    redirect_uri: String,
}

impl<'a> Overview<'a> {
    /// Of this connector, in a deployment at this address.
    #[must_use]
    pub fn of(connector: &'a ConnectorInUse<'_>, base_url: &str) -> Self {
        let settings = connector.settings().into_owned();
        let data = connector.data.as_ref();
        Self {
            id: &connector.id,
            name: &data.name,
            categories: data.categories.iter().map(AsRef::as_ref).collect(),
            docs_url: data.docs_url.as_deref(),
            credential_type: credential_type(data),
            evidence: data.evidence.level,
            ready: connector.is_ready(),
            decided_by: word(connector.decided_by().as_ref()),
            enabled: settings.enabled,
            visible: settings.visible,
            order: settings.order,
            scopes: settings.scopes,
            second_scopes: settings.second_scopes,
            optional_scopes: settings.optional_scopes,
            authorization_params: settings.authorization_params,
            settings: connector.decided_settings(),
            secret_settings: data
                .secret_settings()
                .map(|setting| (setting.name.as_ref(), connector.set_secrets().any(|set| set == setting.name)))
                .collect(),
            client_source: word(connector.client.as_ref().map(|(source, _)| source)),
            client_id: connector.client.as_ref().map(|(_, id)| id.as_str()),
            scopes_in_use: connector.scopes().0,
            setting_fields: &data.settings,
            callback: connector.callback(),
            redirect_uri: connector.redirect_uri(base_url),
        }
    }
}

fn word(source: Option<&ClientSource>) -> &'static str {
    match source {
        Some(ClientSource::Project) => "project",
        Some(ClientSource::Default) => "default",
        Some(ClientSource::Server(_)) => "server",
        None => "none",
    }
}
