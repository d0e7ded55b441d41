//! The beginning of an authorization: an attempt, and a URL of ours that starts it.

use std::collections::BTreeMap;

use super::connector_in_use::ConnectorInUse;
use crate::{
    app::App,
    clock::Timestamp,
    error::Error,
    id::{AttemptId, ConnectionKey, ConnectorId, Environment, Identity},
    protocol::{authorization::with_state, template::Values},
    secret::Digest,
    store::{
        attempts::{Attempt, Callback, Completion, Departure, Shape, State},
        settings::Project,
    },
    vault::Sealed,
};

/// What is asked for.
pub struct Asked<'a> {
    /// By whose app.
    pub project: &'a Project,
    /// In which environment.
    pub environment: Environment,
    /// For whom.
    pub identity: Option<Identity>,
    /// How the app's back end calls them.
    pub identity_label: Option<String>,
    /// How it was started.
    pub shape: Shape,
    /// The connection to renew, where there is one.
    pub reconnect: Option<Reconnect>,
    /// The digest of the session that may ask for the outcome.
    pub session: Option<String>,
    /// How the person wants the connection to be called.
    pub name: Option<String>,
    /// What the person typed.
    pub given: BTreeMap<String, String>,
}

/// A connection that is renewed.
pub struct Reconnect {
    /// Its key.
    pub key: ConnectionKey,
    /// Scopes to ask for beside the usual ones, as far as the operator allows: what was asked for it before, and an upgrade's.
    pub scopes: Vec<String>,
}

/// An attempt that has begun.
pub struct Begun {
    /// The attempt.
    pub attempt: Attempt,
    /// Its state.
    pub state: State,
    /// What the browser opens: always ours.
    pub start_url: String,
}

impl Begun {
    /// Where a browser that has the attempt already goes on to: the provider, or our start where something has to be got there
    /// ahead of it.
    pub fn onward(&self) -> Result<String, Error> {
        match self.attempt.departure {
            Departure::Direct => with_state(&self.attempt.authorization_url, &self.state)
                .map(Into::into)
                .map_err(|_| Error::UnknownState),
            Departure::Pushed { .. } | Departure::Temporary | Departure::Device => Ok(self.start_url.clone()),
        }
    }
}

impl App {
    /// Begins an authorization: one write. The provider's address is made now, so that starting reads nothing
    /// but where something has to be got ahead of the browser ([`Departure`]).
    pub async fn begin(&self, connector: &ConnectorInUse<'_>, asked: Asked<'_>) -> Result<Begun, Error> {
        let (made, kept) = self.make(connector, asked, None).await?;
        self.attempts.put(&made.attempt, &made.state, &kept).await?;
        Ok(made)
    }

    /// Begins an authorization in this browser, which has it from now on: one write. `proven` says that the page which asks was
    /// proven to be one of the project's, so that the answer completes it without another question.
    pub async fn begin_in(
        &self,
        browser: &Digest,
        proven: bool,
        connector: &ConnectorInUse<'_>,
        asked: Asked<'_>,
    ) -> Result<Begun, Error> {
        let completion = if proven { Completion::BoundAtStart } else { Completion::PersonConfirms };
        let (made, kept) = self.make(connector, asked, Some(completion)).await?;
        self.attempts.put_started(&made.attempt, &made.state, &kept, browser).await?;
        Ok(made)
    }

    async fn make(
        &self,
        connector: &ConnectorInUse<'_>,
        asked: Asked<'_>,
        completion: Option<Completion>,
    ) -> Result<(Begun, Sealed), Error> {
        let now = self.clock.now();
        let base_url = self.base_url(now).await?;
        if connector.data.consent().is_none() {
            return Err(Error::invalid(format!(
                "{} is connected with a key, not by authorization",
                connector.data.name
            )));
        }
        connector.must_be_configured()?;
        let named = self.client_where_named(connector, &asked).await?;
        let connector = named.as_ref().unwrap_or(connector);
        let Some((_, client_id)) = &connector.client else {
            return Err(Error::ClientNotConfigured(connector.id.clone()));
        };
        let (values, _) =
            connector.values(&asked.given, &asked.project.name).map_err(|error| Error::invalid(error.to_string()))?;

        let id = AttemptId::random(&self.random);
        let state = State::random(&connector.id, &id, &self.random);
        let callback = connector.callback();
        let redirect_uri = connector.redirect_uri(&base_url);
        let further: Vec<String> = asked.reconnect.iter().flat_map(|renewed| renewed.scopes.clone()).collect();
        let way = self.way(connector, client_id, &redirect_uri, &values, &further)?;

        let mut attempt = self.attempt(connector, asked, id, &values, now);
        attempt.completion = completion.unwrap_or(attempt.completion);
        attempt.authorization_url = way.address.into();
        attempt.redirect_uri = redirect_uri;
        attempt.scopes = way.scopes;
        attempt.callback = callback;
        attempt.issuer = way.issuer;
        attempt.code_parameter = way.code_parameter;
        attempt.departure = way.departure;
        let sealed = self.seal_kept(&attempt, &way.kept).await?;
        let start_url = format!("{base_url}/connect/start/{}?state={}", attempt.id, state.expose());
        Ok((Begun { attempt, state, start_url }, sealed))
    }

    /// An attempt that asks nobody yet.
    #[must_use]
    pub fn attempt(
        &self,
        connector: &ConnectorInUse<'_>,
        asked: Asked<'_>,
        id: AttemptId,
        values: &Values,
        now: Timestamp,
    ) -> Attempt {
        Attempt {
            id,
            project: asked.project.id.clone(),
            environment: asked.environment,
            connector: connector.id.clone(),
            connector_name: connector.data.name.to_string(),
            completion: completion(asked.project, &asked),
            identity: asked.identity,
            identity_label: asked.identity_label,
            app_name: asked.project.name.clone(),
            shape: asked.shape,
            name: asked.name,
            reconnect: asked.reconnect.is_some(),
            connection: asked.reconnect.map_or_else(|| ConnectionKey::random(&self.random), |renewed| renewed.key),
            client: connector.operator(),
            client_id: connector.client.as_ref().map(|(_, client_id)| client_id.clone()),
            authorization_url: String::new(),
            redirect_uri: String::new(),
            callback: Callback::default(),
            issuer: None,
            code_parameter: None,
            departure: Departure::default(),
            lifetime: None,
            scopes: Vec::new(),
            session: asked.session,
            values: values.clone().into(),
            created_at: now,
        }
    }
}

/// The redirect URI of a connector, by its name among all.
#[must_use]
pub fn redirect_uri(base_url: &str, connector: &ConnectorId, callback: Callback) -> String {
    match callback {
        Callback::Own => format!("{base_url}/connectors/{connector}/oauth/callback"),
        Callback::Common => format!("{base_url}/connectors/oauth/callback"),
    }
}

/// Who may complete it. Only a shape whose code comes back through the browser lets the app vouch, only where the project
/// turned that on, and only for somebody: an attempt without identity is confirmed all the same.
fn completion(project: &Project, asked: &Asked<'_>) -> Completion {
    match asked.shape {
        Shape::Credentials { .. } if project.vouches_for_users && asked.identity.is_some() => Completion::AppVouches,
        Shape::Credentials { .. }
        | Shape::Link { .. }
        | Shape::FrontEnd { .. }
        | Shape::Page { .. }
        | Shape::Widget => Completion::PersonConfirms,
        // where it is begun it is refused to a project that does not, and to nobody in particular
        Shape::Device => Completion::AppVouches,
    }
}
