//! A connector as a project and environment uses it: its data, and what the operator decided about it.

use std::{borrow::Cow, collections::BTreeMap};

use super::begin::redirect_uri;
use crate::{
    app::App,
    caller::connector_keys,
    error::{Error, Missing},
    id::{ConnectorId, Environment, ProjectId},
    protocol::{
        connector::{Connector, Input},
        scope,
        template::{self, InputError, Values},
    },
    secrets::ClientSource,
    store::{
        attempts::Callback,
        connections::Connection,
        settings::{ConnectorSettings, Key, Read, client_in_use},
    },
};

/// A connector as a project and environment uses it.
pub struct ConnectorInUse<'a> {
    /// Its id.
    pub id: ConnectorId,
    /// Its data: built in, or the project's own.
    pub data: Cow<'a, Connector>,
    /// Whose provider client is used, and its public half.
    pub client: Option<(ClientSource, String)>,
    /// The project whose own it is; none for a built-in one.
    home: Option<ProjectId>,
    /// What is decided for this project and environment.
    pub own: Option<ConnectorSettings>,
    /// What is decided for the deployment.
    pub default: Option<ConnectorSettings>,
}

impl App {
    /// A connector as this project and environment uses it, whether or not it is enabled.
    pub async fn connector_in_use(
        &self,
        project: &ProjectId,
        environment: Environment,
        id: &ConnectorId,
    ) -> Result<ConnectorInUse<'_>, Error> {
        let read = self.settings.read(&connector_keys(project, environment, id), self.clock.now()).await?;
        self.connector_from(&read, project, environment, id)
    }

    /// The same from settings that were read already.
    pub fn connector_from(
        &self,
        read: &Read,
        project: &ProjectId,
        environment: Environment,
        id: &ConnectorId,
    ) -> Result<ConnectorInUse<'_>, Error> {
        let [own, _, default] = connector_keys(project, environment, id);
        let own = read.connector(&own)?;
        let Some(built_in) = self.catalog.connector(id.as_str()) else {
            // a default is for a built-in connector: its client must not go where a project's own definition points
            let custom = read.custom(project, id)?.ok_or(Error::NotFound(Missing::Connector))?;
            return Ok(ConnectorInUse::new(id.clone(), Cow::Owned(custom), own, None).at_home_in(project));
        };
        Ok(ConnectorInUse::new(id.clone(), Cow::Borrowed(built_in), own, read.connector(&default)?))
    }

    /// Every connector as this project and environment uses it, in the project's order: by number, equal ones by name.
    pub async fn connectors_in_use(
        &self,
        project: &ProjectId,
        environment: Environment,
    ) -> Result<Vec<ConnectorInUse<'_>>, Error> {
        let (mut own, mut default, customs) = tokio::try_join!(
            Box::pin(self.settings.connectors(project, environment)), // three large futures at once
            Box::pin(self.settings.default_clients()),
            Box::pin(self.settings.customs(project))
        )?;
        let customs = customs.into_iter().filter(|custom| self.catalog.connector(&custom.id).is_none());
        let mut all: Vec<ConnectorInUse<'_>> = (self.catalog.iter().map(Cow::Borrowed))
            .chain(customs.map(Cow::Owned))
            .map(|data| {
                let id = ConnectorId::of(&data);
                // a default is for a built-in connector, see above
                let default = default.remove(id.as_str()).filter(|_| matches!(data, Cow::Borrowed(_)));
                let own = own.remove(id.as_str());
                ConnectorInUse::new(id, data, own, default).at_home_in(project)
            })
            .collect();
        all.sort_by_cached_key(ConnectorInUse::place);
        Ok(all)
    }

    /// A connector's data for this connection.
    pub async fn connector_of(&self, connection: &Connection) -> Result<Cow<'_, Connector>, Error> {
        self.connector_data(&connection.project, connection.environment, &connection.connector).await
    }

    /// A connector's data for connections that exist. What the operator decided since matters to it in what is
    /// [`live`](Input::live) alone, and that stands as the default; it is read only where a connector has any.
    pub async fn connector_data(
        &self,
        project: &ProjectId,
        environment: Environment,
        id: &ConnectorId,
    ) -> Result<Cow<'_, Connector>, Error> {
        let data = if let Some(built_in) = self.catalog.connector(id.as_str()) {
            Cow::Borrowed(built_in)
        } else {
            let key = Key::Custom(project.clone(), id.clone());
            let read = self.settings.read(&[key], self.clock.now()).await?;
            Cow::Owned(read.custom(project, id)?.ok_or(Error::NotFound(Missing::Connector))?)
        };
        if data.settings.iter().all(|setting| !setting.live) {
            return Ok(data); // as most
        }
        Ok(self.connector_in_use(project, environment, id).await?.into_data_of_now())
    }
}

impl<'a> ConnectorInUse<'a> {
    /// From its parts.
    #[must_use]
    pub fn new(
        id: ConnectorId,
        data: Cow<'a, Connector>,
        own: Option<ConnectorSettings>,
        default: Option<ConnectorSettings>,
    ) -> Self {
        // a client that the person types is never the operator's, whatever was stored; nor is one at a server that they name,
        // which the operator's must not be sent to
        let operators = !data.client_is_typed() && !data.registers_where_named();
        let client = client_in_use(own.as_ref(), default.as_ref()).filter(|_| operators);
        Self { id, data, client, home: None, own, default }
    }

    /// As a project uses it, whose own it is unless it is built in.
    fn at_home_in(self, project: &ProjectId) -> Self {
        let home = matches!(self.data, Cow::Owned(_)).then(|| project.clone());
        Self { home, ..self }
    }

    /// The same with this client.
    #[must_use]
    pub fn with_client(&self, client: (ClientSource, String)) -> ConnectorInUse<'_> {
        ConnectorInUse {
            id: self.id.clone(),
            data: Cow::Borrowed(&self.data),
            client: Some(client),
            home: self.home.clone(),
            own: self.own.clone(),
            default: self.default.clone(),
        }
    }

    /// Whether it is a project's own.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.home.is_some()
    }

    /// The exact redirect URI to register at the provider. That of a project's own connector names the project: else an answer
    /// of one project's provider could be taken for that of another's, under the same id (RFC 9700 §4.4.2.2).
    #[must_use]
    pub fn redirect_uri(&self, base_url: &str) -> String {
        match &self.home {
            Some(project) => redirect_uri(base_url, &self.id.within(project), Callback::Own),
            None => redirect_uri(base_url, &self.id, self.callback()),
        }
    }

    /// What the operator decided: for this project and environment; what that leaves open, for the deployment.
    #[must_use]
    pub fn settings(&self) -> Cow<'_, ConnectorSettings> {
        match (&self.own, &self.default) {
            (Some(own), Some(default)) => Cow::Owned(own.clone().or(default)),
            (Some(one), None) | (None, Some(one)) => Cow::Borrowed(one),
            (None, None) => Cow::Owned(ConnectorSettings::default()),
        }
    }

    /// Which redirect URI the client in use is registered with: said where the client stands, or by whoever decided where none does.
    #[must_use]
    pub fn callback(&self) -> Callback {
        if self.is_custom() {
            return Callback::Own;
        }
        let decided = match self.client {
            Some((ClientSource::Default, _)) => self.default.as_ref(),
            Some((ClientSource::Project, _)) => self.own.as_ref(),
            Some((ClientSource::Server(_), _)) | None => self.own.as_ref().or(self.default.as_ref()),
        };
        decided.map(|settings| settings.callback).unwrap_or_default()
    }

    /// Who decided: the project for this environment, else the deployment, else nobody.
    #[must_use]
    pub fn decided_by(&self) -> Option<ClientSource> {
        let default = self.default.as_ref().map(|_| ClientSource::Default);
        self.own.as_ref().map(|_| ClientSource::Project).or(default)
    }

    /// Its place in lists: by the operator's order, then by name.
    #[must_use]
    pub fn place(&self) -> (u32, String, ConnectorId) {
        (self.settings().order, self.data.name.to_lowercase(), self.id.clone())
    }

    /// Fails if it can't be connected in this project and environment.
    pub fn must_be_enabled(&self) -> Result<(), Error> {
        if self.settings().enabled { Ok(()) } else { Err(Error::NotFound(Missing::Connector)) }
    }

    /// Fails if a person could not connect it now: where the provider wants a client, a secret or another word of the operator's,
    /// there has to be one.
    pub fn must_be_ready(&self) -> Result<(), Error> {
        self.must_be_enabled()?;
        self.must_be_configured()
    }

    /// The settings that nobody chose and that the connector can't do without.
    fn unsaid(&self) -> Vec<&str> {
        let wanted = self.data.settings.iter().filter(|setting| !setting.secret && !setting.optional);
        let wanted: Vec<&str> = wanted.filter(|setting| setting.default.is_none()).map(|s| s.name.as_ref()).collect();
        if wanted.is_empty() {
            return wanted; // as most
        }
        let decided = self.decided_settings();
        wanted.into_iter().filter(|name| decided.get(*name).is_none_or(String::is_empty)).collect()
    }

    /// Fails if the operator has left something out, and names it.
    pub fn must_be_configured(&self) -> Result<(), Error> {
        if self.data.takes_client() && self.client.is_none() && !self.data.registers_where_named() {
            return Err(Error::ClientNotConfigured(self.id.clone()));
        }
        let mut missing = self.missing_secrets();
        missing.extend(self.unsaid().into_iter().map(str::to_owned));
        if missing.is_empty() {
            return Ok(());
        }
        let source = self.operator().or(self.is_custom().then_some(ClientSource::Project));
        let place = ClientSource::admin_path(source.as_ref());
        Err(Error::NotConfigured { connector: self.id.clone(), missing: missing.join(", "), place })
    }

    /// The secret settings that the connector can't do without and that are not set where they are taken from.
    #[must_use]
    pub fn missing_secrets(&self) -> Vec<String> {
        self.data.missing_secrets(|name| self.set_secrets().any(|set| set == name))
    }

    /// Whether a person can connect it now: it is enabled, and the operator has left nothing out.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.must_be_ready().is_ok()
    }

    /// Whether a person who asks for nothing in particular is shown it: somebody decided about it. Of the hundreds that ship, many
    /// could be connected with a key by anybody, and an app wants to offer few of them.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.is_ready() && self.settings().visible && (self.decided_by().is_some() || self.is_custom())
    }

    /// Where the operator's secrets stand: all of them with the client that is used, else where some are set. They are never
    /// taken from two places: a project that brings a client of its own, or names hosts for it, does not get the deployment's.
    #[must_use]
    pub fn operator(&self) -> Option<ClientSource> {
        let has_secrets =
            |settings: &Option<ConnectorSettings>| settings.as_ref().is_some_and(|s| !s.secret_settings.is_empty());
        let own = || has_secrets(&self.own).then_some(ClientSource::Project);
        let default = || has_secrets(&self.default).then_some(ClientSource::Default);
        self.client.as_ref().map(|(source, _)| source.clone()).or_else(own).or_else(default)
    }

    /// The names of the secret settings that are set where they are taken from.
    pub fn set_secrets(&self) -> impl Iterator<Item = &str> {
        let place = match self.operator() {
            Some(ClientSource::Project) => self.own.as_ref(),
            Some(ClientSource::Default) => self.default.as_ref(),
            Some(ClientSource::Server(_)) | None => None,
        };
        place.into_iter().flat_map(|settings| settings.secret_settings.iter().map(String::as_str))
    }

    /// The scopes that are asked for, and those of the second parameter, as they are written: what stands in braces is filled when
    /// somebody is asked.
    #[must_use]
    pub fn scopes(&self) -> (Vec<String>, Vec<String>) {
        let settings = self.settings();
        let own = || {
            self.data
                .oauth2
                .iter()
                .flat_map(|oauth2| oauth2.scopes.iter())
                .map(|scope| scope.clone().into_owned())
                .collect()
        };
        (settings.scopes.clone().unwrap_or_else(own), settings.second_scopes.clone().unwrap_or_default())
    }

    /// Whether an app may ask for this scope: it is one of the usual ones, or the operator allows it besides. It may be written as
    /// they are, or filled as for this connection.
    #[must_use]
    pub fn may_be_asked(&self, scope: &str, values: &Values) -> bool {
        let Some(oauth2) = &self.data.oauth2 else { return false };
        let is_it = |allowed: &String| {
            allowed == scope || scope::fill(allowed, oauth2, values).is_ok_and(|filled| filled == scope)
        };
        self.settings().optional_scopes.as_ref().is_some_and(|optional| optional.iter().any(is_it))
            || self.scopes().0.iter().any(is_it)
    }

    /// What the operator chose, for the connector's placeholders, but for what is secret.
    pub fn chosen(&self) -> Result<Values, InputError> {
        let plain: Vec<_> = self.data.settings.iter().filter(|setting| !setting.secret).cloned().collect();
        template::inputs(&self.data, &plain, &self.decided_settings())
    }

    /// Its data, with what is chosen now as the default of what is live. Of a choice that a later version of the data refuses, and of
    /// none where there has to be one, nothing is made: a connection then stays with the default, or with what it was made with.
    fn into_data_of_now(self) -> Cow<'a, Connector> {
        let decided = self.decided_settings();
        let chosen = |setting: &Input| template::judge_in(&self.data, setting, &decided).ok();
        let now = |setting: &Input| setting.live.then(|| chosen(setting)).flatten().map(Cow::Owned);
        let settings: Vec<Input> = (self.data.settings.iter())
            .map(|setting| Input { default: now(setting).or_else(|| setting.default.clone()), ..setting.clone() })
            .collect();
        if settings == *self.data.settings {
            return self.data;
        }
        Cow::Owned(Connector { settings: settings.into(), ..self.data.into_owned() })
    }

    /// The settings as they were decided. Where the operator's secrets are the deployment's, a project does not say to which host
    /// they are sent: it would read them there, also at a tenant of its own before the provider's domain.
    #[must_use]
    pub fn decided_settings(&self) -> BTreeMap<String, String> {
        let mut decided = self.settings().settings.clone();
        if self.operator() == Some(ClientSource::Default) {
            for name in template::free_servers(&self.data) {
                decided.remove(name);
                let by_default = self.default.as_ref().and_then(|default| default.settings.get(name));
                decided.extend(by_default.map(|host| (name.to_owned(), host.clone())));
            }
        }
        decided
    }

    /// What fills the connector's placeholders before anything is learnt: what the person typed and the operator chose.
    /// Names and values of secrets are given apart.
    pub fn values(
        &self,
        given: &BTreeMap<String, String>,
        app_name: &str,
    ) -> Result<(Values, BTreeMap<String, String>), InputError> {
        let mut values = self.chosen()?;
        let typed = template::inputs(&self.data, &self.data.inputs, given)?;
        let secret = |name: &str| self.data.inputs.iter().any(|input| input.secret && input.name == name);
        let mut secrets = BTreeMap::new();
        for (name, value) in BTreeMap::from(typed) {
            if secret(&name) {
                secrets.insert(name, value);
            } else {
                values.insert(name, value);
            }
        }
        if let Some((_, client_id)) = &self.client {
            values.insert("client_id", client_id.clone());
        }
        values.insert("app_name", in_header(app_name));
        Ok((values, secrets))
    }
}

/// A name as a header can carry it: the ASCII in it, or our own name.
fn in_header(name: &str) -> String {
    let ascii: String = name.chars().filter(|c| matches!(c, ' '..='~')).collect();
    if ascii.trim().is_empty() { "Mooring".to_owned() } else { ascii.trim().to_owned() }
}
