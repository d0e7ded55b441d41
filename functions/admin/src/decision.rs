//! What an operator may decide about a connector: the body of a PUT, and what of it fits the connector.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use shared::{
    error::Error,
    protocol::{
        authorization::RESERVED_PARAMS,
        connector::{ClientAuthentication, Connector, Input, OAuth2},
        scope, template,
    },
    secret::ClientSecret,
    secrets::ProviderClient,
    store::{attempts::Callback, settings::ConnectorSettings},
};

/// The body. It says all that is to stand; what it leaves out is the default again, but for the client: that stays unless
/// `client_id` is null, since connections hang on it, and for settings that are secret: each stays unless it is null.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    enabled: Option<bool>,
    visible: Option<bool>,
    order: Option<u32>,
    scopes: Option<Vec<String>>,
    second_scopes: Option<Vec<String>>,
    optional_scopes: Option<Vec<String>>,
    authorization_params: BTreeMap<String, String>,
    settings: BTreeMap<String, Option<ClientSecret>>,
    callback: Option<Callback>,
}

/// What is said of the provider client's id. A member that is null is told from one that is not there.
#[derive(Default)]
enum ClientId {
    #[default]
    Unsaid,
    Null,
    Is(String),
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Is))
    }
}

impl ClientId {
    fn stated(&self) -> Option<&String> {
        match self {
            Self::Is(id) => Some(id),
            Self::Unsaid | Self::Null => None,
        }
    }
}

/// A decision that fits its connector.
pub struct Decision {
    /// What is stored in the settings.
    pub settings: ConnectorSettings,
    /// What happens to the provider client's secret.
    pub client: Client,
    /// What happens to settings that are secret.
    pub secrets: SecretChanges,
    /// Which redirect URI the client is registered with, if that was said.
    pub callback: Option<Callback>,
}

/// Settings that are secret, by name: those that are set, and those that are cleared.
#[derive(Clone, Default)]
pub struct SecretChanges(BTreeMap<String, Option<ClientSecret>>);

impl SecretChanges {
    /// Whether nothing is said of any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names that are set.
    pub fn set(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, secret)| secret.is_some()).map(|(name, _)| name.as_str())
    }

    /// The names that are set after the changes, of those that were before.
    pub fn names(&self, before: BTreeSet<String>) -> BTreeSet<String> {
        let (set, cleared): (Vec<_>, Vec<_>) = self.0.iter().partition(|(_, secret)| secret.is_some());
        let kept = before.into_iter().filter(|name| cleared.iter().all(|(other, _)| *other != name));
        kept.chain(set.into_iter().map(|(name, _)| name.clone())).collect()
    }

    /// Makes the changes.
    pub fn apply(&self, secrets: &mut BTreeMap<String, ClientSecret>) {
        for (name, secret) in &self.0 {
            match secret {
                Some(secret) => drop(secrets.insert(name.clone(), secret.clone())),
                None => drop(secrets.remove(name)),
            }
        }
    }
}

/// What happens to the provider client.
pub enum Client {
    /// Nothing was said of it: what is there stays.
    Unsaid,
    /// There is none any more.
    Absent,
    /// This one is stored.
    New(ProviderClient),
    /// The one that is stored stays, if it has this id.
    Kept(String),
}

impl Decision {
    /// What was wanted, if this connector can do it. The sentence of a refusal names the field.
    pub fn of(wanted: Wanted, connector: &Connector) -> Result<Self, Error> {
        let usual = ConnectorSettings::default();
        let enabled = wanted.enabled.unwrap_or(usual.enabled);
        let (settings, secrets) = settings(connector, wanted.settings)?;
        let wanted = Wanted { settings: BTreeMap::new(), ..wanted };
        match &connector.oauth2 {
            Some(oauth2) => must_fit(&wanted, connector, oauth2)?,
            None => must_have_no_scopes(&wanted, connector)?,
        }
        if !connector.takes_client() {
            must_be_without_client(&wanted, connector)?;
        }
        if connector.registers_where_named() && wanted.client_id.stated().is_some() {
            return Err(Error::invalid(format!(
                "client_id: each server of {} gets a client of its own, which is registered when a person names it",
                connector.name
            )));
        }
        let settings = ConnectorSettings {
            client_id: wanted.client_id.stated().cloned(),
            enabled,
            visible: wanted.visible.unwrap_or(usual.visible),
            order: wanted.order.unwrap_or(usual.order),
            scopes: wanted.scopes,
            second_scopes: wanted.second_scopes,
            optional_scopes: wanted.optional_scopes,
            authorization_params: wanted.authorization_params,
            settings,
            secret_settings: BTreeSet::new(), // as they stand when they are stored
            callback: wanted.callback.unwrap_or(usual.callback),
        };
        let client = client(wanted.client_id, wanted.client_secret, connector.oauth2.as_ref())?;
        Ok(Self { settings, client, secrets, callback: wanted.callback })
    }
}

/// Settings that are shown, each of its form, and those that are secret. One that is left out stays; null clears it. Which have to be
/// there is known once it is known whose client is used.
fn settings(
    connector: &Connector,
    wanted: BTreeMap<String, Option<ClientSecret>>,
) -> Result<(BTreeMap<String, String>, SecretChanges), Error> {
    let told = |error: template::InputError| Error::invalid(format!("settings: {error}"));
    let (secret, shown): (BTreeMap<_, _>, BTreeMap<_, _>) =
        wanted.into_iter().partition(|(name, _)| connector.secret_settings().any(|setting| setting.name == *name));
    let shown = shown.into_iter().map(|(name, value)| match value {
        Some(value) => Ok((name, value.expose().to_owned())),
        None => Err(Error::invalid(format!("settings: `{name}` is no secret: leave it out to take it away"))),
    });
    let shown: BTreeMap<String, String> = shown.collect::<Result<_, _>>()?;
    let declared = connector.settings.iter().filter(|setting| !setting.secret).cloned();
    let declared: Vec<_> = declared.map(|setting| Input { optional: true, ..setting }).collect();
    template::inputs(connector, &declared, &shown).map_err(told)?;
    for setting in connector.secret_settings() {
        let Some(Some(value)) = secret.get(setting.name.as_ref()) else { continue };
        let given = BTreeMap::from([(setting.name.to_string(), value.expose().to_owned())]);
        if value.expose().is_empty() {
            return Err(Error::invalid(format!("settings: `{}` is empty: null takes it away", setting.name)));
        }
        template::judge(setting, &given).map_err(told)?;
    }
    Ok((shown, SecretChanges(secret)))
}

/// RFC 6749 Appendix A.1 and A.2: both halves are printable ASCII. A space at an end came along when it was copied.
fn client(id: ClientId, secret: Option<ClientSecret>, oauth2: Option<&OAuth2>) -> Result<Client, Error> {
    let client_id = match (id, &secret) {
        (ClientId::Is(client_id), _) => client_id,
        (ClientId::Unsaid, None) => return Ok(Client::Unsaid),
        (ClientId::Null, None) => return Ok(Client::Absent),
        (ClientId::Unsaid | ClientId::Null, Some(_)) => {
            return Err(Error::invalid("client_secret needs its client_id"));
        }
    };
    if !is_printable(&client_id, 512) {
        return Err(Error::invalid("client_id is 1 to 512 printable ASCII characters, without a space at either end"));
    }
    let signs = oauth2.is_some_and(|oauth2| oauth2.client_assertion.is_some());
    let fits = |secret: &ClientSecret| is_printable(secret.expose(), 2048) || signs && is_key(secret.expose());
    if secret.as_ref().is_some_and(|secret| !fits(secret)) {
        return Err(Error::invalid(
            "client_secret is 1 to 2048 printable ASCII characters, without a space at either end",
        ));
    }
    match secret {
        None if !oauth2.is_some_and(has_no_password) => Ok(Client::Kept(client_id)),
        client_secret => Ok(Client::New(ProviderClient { client_id, client_secret, ..ProviderClient::default() })),
    }
}

/// Whether a client proves itself by nothing, or by a key that stands among the settings.
fn has_no_password(oauth2: &OAuth2) -> bool {
    match oauth2.token_endpoint_auth_method {
        ClientAuthentication::None => true,
        ClientAuthentication::PrivateKeyJwt => {
            oauth2.client_assertion.as_ref().is_some_and(|assertion| assertion.key != "{client_secret}")
        }
        ClientAuthentication::ClientSecretBasic
        | ClientAuthentication::ClientSecretPost
        | ClientAuthentication::ClientSecretQuery
        | ClientAuthentication::SignedClientSecret => false,
    }
}

fn is_printable(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.trim() == text
}

/// A private key that signs in the secret's place: PEM, which has lines.
fn is_key(text: &str) -> bool {
    (1..=8192).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r'))
}

fn must_be_without_client(wanted: &Wanted, connector: &Connector) -> Result<(), Error> {
    let plain = wanted.client_id.stated().is_none()
        && wanted.client_secret.is_none()
        && wanted.authorization_params.is_empty()
        && wanted.callback.unwrap_or_default() == Callback::Own; // as it is shown
    if plain {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} is connected with a key: it has no client, scopes, authorization parameters or callback",
        connector.name
    )))
}

/// Without OAuth 2.0 there is nothing to ask for.
fn must_have_no_scopes(wanted: &Wanted, connector: &Connector) -> Result<(), Error> {
    let plain = wanted.scopes.is_none() && wanted.second_scopes.is_none() && wanted.authorization_params.is_empty();
    if plain {
        return Ok(());
    }
    Err(Error::invalid(format!("{} has no scopes or authorization parameters", connector.name)))
}

fn must_fit(wanted: &Wanted, connector: &Connector, oauth2: &OAuth2) -> Result<(), Error> {
    let separators = [Some(&oauth2.scope_separator), oauth2.response_scope_separator.as_ref()];
    let is_scope = |scope: &String| {
        is_printable(scope, 512)
            && !scope.contains(' ')
            && scope::is_template(connector, scope)
            && separators.iter().flatten().all(|separator| !scope.contains(separator.as_ref()))
    };
    let Wanted { scopes, second_scopes, optional_scopes, .. } = wanted;
    for (field, scopes) in [("scopes", scopes), ("second_scopes", second_scopes), ("optional_scopes", optional_scopes)]
    {
        if scopes.iter().any(|scopes| scopes.len() > 200 || !scopes.iter().all(is_scope)) {
            return Err(Error::invalid(format!(
                "{field} is a list of at most 200 scopes, each a text of its own without spaces or separators; what stands in \
                 braces is one of the connector's inputs or settings"
            )));
        }
    }
    if oauth2.scope_parameter.is_empty() && wanted.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty()) {
        return Err(Error::invalid("scopes: this provider takes none"));
    }
    if oauth2.second_scope_parameter.is_none() && wanted.second_scopes.is_some() {
        return Err(Error::invalid("second_scopes: this provider has no second scope parameter"));
    }
    must_be_free_parameters(&wanted.authorization_params, oauth2)
}

/// Parameters that carry the flow are ours, and scopes have fields of their own.
fn must_be_free_parameters(params: &BTreeMap<String, String>, oauth2: &OAuth2) -> Result<(), Error> {
    let second = oauth2.second_scope_parameter.as_deref();
    let taken =
        |name: &str| RESERVED_PARAMS.contains(&name) || name == oauth2.scope_parameter.as_ref() || Some(name) == second;
    if let Some(name) = params.keys().find(|name| taken(name)) {
        return Err(Error::invalid(format!("authorization_params: {name} is set by the flow itself")));
    }
    let fits = |(name, value): (&String, &String)| is_printable(name, 64) && is_printable(value, 1024);
    if params.len() > 20 || !params.iter().all(fits) {
        return Err(Error::invalid(
            "authorization_params has at most 20 parameters: names of up to 64, values of up to 1024 printable characters",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::{catalog::Catalog, http::Request};

    use super::*;

    fn decided(connector: &str, body: &serde_json::Value) -> String {
        let body = body.to_string().into_bytes().into();
        let request = Request::new("PUT", "/".to_owned(), String::new(), Vec::new(), body, "r".to_owned());
        let decision = request.json().and_then(|wanted| {
            Decision::of(wanted, Catalog::builtin().connector(connector).unwrap()).map(|decision| decision.client)
        });
        match decision {
            Ok(Client::Unsaid) => "as it is".to_owned(),
            Ok(Client::Absent) => "no client".to_owned(),
            Ok(Client::Kept(id)) => format!("kept {id}"),
            Ok(Client::New(client)) => format!("new {}", client.client_id),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_decision_fits_its_connector() {
        let table = [
            ("gmail", json!({}), "as it is"),
            ("gmail", json!({ "client_id": null }), "no client"),
            ("gmail", json!({ "client_id": null, "client_secret": "b" }), "client_secret needs its client_id"),
            ("gmail", json!({ "client_id": "a" }), "kept a"),
            ("gmail", json!({ "client_id": "a", "client_secret": "b", "scopes": ["email"], "order": 1 }), "new a"),
            ("gmail", json!({ "authorization_params": { "hd": "example.com" } }), "as it is"),
            ("gmail", json!({ "client_secret": "b" }), "client_secret needs its client_id"),
            (
                "gmail",
                json!({ "client_id": " a" }),
                "client_id is 1 to 512 printable ASCII characters, without a space at either end",
            ),
            (
                "gmail",
                json!({ "authorization_params": { "state": "x" } }),
                "authorization_params: state is set by the flow itself",
            ),
            (
                "gmail",
                json!({ "authorization_params": { "scope": "x" } }),
                "authorization_params: scope is set by the flow itself",
            ),
            (
                "gmail",
                json!({ "authorization_params": { "client_secret": "x" } }),
                "authorization_params: client_secret is set by the flow itself",
            ),
            ("gmail", json!({ "second_scopes": ["x"] }), "second_scopes: this provider has no second scope parameter"),
            (
                "gmail",
                json!({ "scopes": ["a b"] }),
                "scopes is a list of at most 200 scopes, each a text of its own without spaces or separators; what stands in braces is one of the connector's inputs or settings",
            ),
            ("gmail", json!({ "settings": { "x": "y" } }), "settings: `x` is not asked for"),
            ("gmail", json!({ "settings": { "x": null } }), "settings: `x` is no secret: leave it out to take it away"),
            ("auth0", json!({}), "as it is"),
            ("auth0", json!({ "enabled": false }), "as it is"),
            ("auth0", json!({ "enabled": false, "settings": { "x": "y" } }), "settings: `x` is not asked for"),
            (
                "openai",
                json!({ "client_id": "a" }),
                "OpenAI is connected with a key: it has no client, scopes, authorization parameters or callback",
            ),
        ];
        for (connector, body, expected) in table {
            assert_eq!(decided(connector, &body), expected, "{body}");
        }
    }

    #[test]
    fn an_unknown_field_is_named_and_a_secret_is_not() {
        let said = decided("gmail", &json!({ "clientSecret": "hunter2" }));
        assert!(said.contains("clientSecret") && !said.contains("hunter2"), "{said}");
        let said = decided("gmail", &json!({ "client_id": "a", "client_secret": "hunter2 " }));
        assert!(said.contains("client_secret") && !said.contains("hunter2"), "{said}");
    }
}
