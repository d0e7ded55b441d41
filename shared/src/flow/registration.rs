//! Clients that we register ourselves (RFC 7591): made once, given up when their connector goes, and made anew when their
//! server has forgotten them.
//!
//! ```text
//!  refused with invalid_client ──▶ noted ──▶ the keeper asks the server itself: does it know the client?
//!                                              │no                              │yes
//!                                              ▼                                ▼
//!                             lease ──▶ register ──▶ secret, setting, record    the note goes
//! ```
//!
//! What the old client was given is bound to it (RFC 6749 §6), so its connections have to be made again, and say why.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::Url;

use super::{begin::Asked, connector_in_use::ConnectorInUse, no_origin, unusable};
use crate::{
    app::App,
    caller::connector_keys,
    egress::PROVIDER_LIMIT,
    error::{Error, ProviderError, VaultError, chain},
    id::{ConnectionKey, ConnectorId, Environment, ProjectId},
    protocol::{
        connector::{ClientAuthentication, Connector, OAuth2},
        origins::Origins,
        registration::{self, ClientMetadata, Management},
        scope,
        template::{self, Values},
        token::TokenRequest,
    },
    secret::{Bearer, ClientSecret},
    secrets::{ClientSource, ClientsSecret, ProviderClient},
    store::{
        attempts::{REPLACED_REMEMBERED, SERVER_REMEMBERED, ServerClient},
        connections::{Connection, Leasing, Stored},
        journal::Forgotten,
        settings::{Key, Registration, RegistrationLease, Replaced},
    },
    vault::Sealed,
};

/// How long the right to register lasts: longer than the server's limit and the writes after it.
const LEASE: Duration = Duration::from_mins(1);

/// For whom and for what a client is registered.
pub struct Wanted<'a> {
    /// Whose.
    pub project: &'a ProjectId,
    /// What the project is called.
    pub app_name: &'a str,
    /// In which environment.
    pub environment: Environment,
    /// For which connector.
    pub connector: &'a ConnectorId,
    /// Its data.
    pub data: &'a Connector,
    /// What the operator chose: the host of an instance.
    pub values: &'a Values,
    /// Where answers go.
    pub redirect_uri: &'a str,
    /// What is asked for.
    pub scopes: &'a [String],
    /// Whether the connector is made by what the server says, so that it takes over how the client proves itself.
    pub takes_any_method: bool,
}

/// What became of a client that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Another one is in its place.
    Replaced,
    /// Another one takes its place when somebody names its server again.
    Forgotten,
    /// Its server knows it, or it is not in use any more.
    Kept,
}

/// What became of a registration that is not needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// There was none.
    None,
    /// The server was told (RFC 7592 §2.3).
    Deleted,
    /// The server offers no way to tell it.
    NotOffered,
    /// The server did not take it.
    Failed,
}

impl GivenUp {
    /// As in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Deleted => "deleted",
            Self::NotOffered => "not_offered",
            Self::Failed => "failed",
        }
    }
}

impl Wanted<'_> {
    fn key(&self) -> Key {
        Key::Registration(self.project.clone(), self.environment, self.connector.clone())
    }

    fn secret(&self) -> ClientsSecret {
        ClientsSecret::Project(self.project.clone(), self.environment)
    }

    fn oauth2(&self) -> Result<&OAuth2, Error> {
        self.data.oauth2.as_ref().ok_or_else(|| Error::ClientNotConfigured(self.connector.clone()))
    }

    fn registration(&self) -> Result<&crate::protocol::connector::Registration, Error> {
        let registration = self.oauth2()?.registration.as_ref();
        registration.ok_or_else(|| Error::ClientNotConfigured(self.connector.clone()))
    }

    /// The scopes as they are sent. What a person types may not be known yet: a scope that names it is asked for when it is.
    fn known_scopes(&self) -> Result<Vec<String>, Error> {
        let oauth2 = self.oauth2()?;
        Ok(self.scopes.iter().filter_map(|scope| scope::fill(scope, oauth2, self.values).ok()).collect())
    }

    fn endpoint(&self) -> Result<Url, Error> {
        template::url(&self.registration()?.endpoint, self.values).map_err(unusable(self.connector))
    }

    fn origins(&self) -> Result<Origins, Error> {
        Origins::of(self.data, self.values).map_err(no_origin(self.connector))
    }
}

impl App {
    /// The client that is registered for this, made if there is none or if the server has forgotten it.
    pub async fn registered(&self, wanted: &Wanted<'_>) -> Result<Registration, Error> {
        let key = wanted.key();
        let known = self.settings.read_fresh(std::slice::from_ref(&key)).await?.registration(&key)?;
        let Some(known) = known else { return self.register(wanted, None).await };
        let same = known.endpoint == wanted.endpoint()?.as_str() && known.redirect_uri == wanted.redirect_uri;
        if !same {
            // of another server, or for another address of ours: that one is of no use any more
            self.tell_server(wanted, &known).await;
            return self.register(wanted, Some(&known)).await;
        }
        if self.is_forgotten(wanted, &known).await? {
            return self.register(wanted, Some(&known)).await;
        }
        let place = Key::Connector(wanted.project.clone(), wanted.environment, wanted.connector.clone());
        self.settings.use_client(&place, &known.client_id).await?;
        Ok(known)
    }

    /// Registers a client in the place of the known one. Of many that want to, one does.
    async fn register(&self, wanted: &Wanted<'_>, known: Option<&Registration>) -> Result<Registration, Error> {
        let owner = Bearer::random(&self.random).digest().as_str().to_owned();
        let now = self.clock.now();
        let place = (wanted.project, wanted.environment, wanted.connector);
        let known_id = known.map(|known| known.client_id.as_str());
        let lease = self.settings.lease_registration(place, known_id, &owner, (now, now.after(LEASE))).await?;
        let lease = lease.ok_or(MEANWHILE)?;
        let registered = self.register_under(wanted, known, &lease).await;
        if registered.is_err()
            && let Err(error) = self.settings.release_registration(&lease).await
        {
            tracing::warn!(cause = chain(&error), "a lease could not be given back and runs out by itself");
        }
        registered
    }

    /// A connector with the client of ours at the server that the person named: the one that is registered there, or a new one. None
    /// where servers are not for persons to name.
    ///
    /// Whoever names a server of their own gets a client of that server and nothing else: it is kept under the server's address, and
    /// sent there alone.
    pub(super) async fn client_where_named<'a>(
        &self,
        connector: &'a ConnectorInUse<'_>,
        asked: &Asked<'_>,
    ) -> Result<Option<ConnectorInUse<'a>>, Error> {
        if !connector.data.registers_where_named() {
            return Ok(None);
        }
        let (values, _) =
            connector.values(&asked.given, &asked.project.name).map_err(|error| Error::invalid(error.to_string()))?;
        // what an app may ask for later too: registering once more for that would ask for another consent
        let optional = connector.settings().optional_scopes.clone().unwrap_or_default();
        let base_url = self.base_url(self.clock.now()).await?;
        let wanted = Wanted {
            project: &asked.project.id,
            app_name: &asked.project.name,
            environment: asked.environment,
            connector: &connector.id,
            data: &connector.data,
            values: &values,
            redirect_uri: &connector.redirect_uri(&base_url),
            scopes: &[connector.scopes().0, optional].concat(),
            takes_any_method: false,
        };
        let (name, client_id) = self.client_of_server(&wanted).await?;
        Ok(Some(connector.with_client((ClientSource::Server(name), client_id))))
    }

    /// The record and the id of the client at a server.
    async fn client_of_server(&self, wanted: &Wanted<'_>) -> Result<(String, String), Error> {
        let endpoint = wanted.endpoint()?;
        let name = ServerClient::name(wanted.project, wanted.environment, wanted.connector, endpoint.as_str());
        let scopes = wanted.known_scopes()?;
        let known = self.attempts.server_client(&name).await?;
        let now = self.clock.now();
        let serves = |known: &ServerClient| {
            known.redirect_uri == wanted.redirect_uri
                && known.secret_expires_at.is_none_or(|end| now < end)
                && now < known.kept_until
                && scopes.iter().all(|scope| known.scopes.contains(scope))
        };
        let known = match known {
            Some((known, sealed)) if serves(&known) => return self.remember(name, known, &sealed).await,
            known => known,
        };
        let (registered, _, _) = self.ask_for_a_client(wanted, &scopes).await?;
        let client = ServerClient {
            project: wanted.project.clone(),
            environment: wanted.environment,
            connector: wanted.connector.clone(),
            endpoint: endpoint.to_string(),
            redirect_uri: wanted.redirect_uri.to_owned(),
            scopes,
            client_id: registered.client_id,
            secret_expires_at: registered.secret_expires_at,
            seal: ConnectionKey::random(&self.random),
            registered_at: now,
            kept_until: now.after(SERVER_REMEMBERED),
        };
        let secret = registered.client_secret.as_ref().map(ClientSecret::expose).unwrap_or_default();
        let sealed = self.seal(&client.belongs(), secret.as_bytes()).await?;
        if let Some((replaced, sealed)) = &known {
            // whoever is at the server with it has yet to come back
            let kept = ServerClient { kept_until: now.after(REPLACED_REMEMBERED), ..replaced.clone() };
            let aside = ServerClient::replaced(&name, &kept.client_id);
            self.attempts.put_server_client(&aside, &kept, sealed, None).await?;
        }
        let before = known.as_ref().map(|(known, _)| known.client_id.as_str());
        if self.attempts.put_server_client(&name, &client, &sealed, before).await? {
            tracing::info!(project = %wanted.project, connector = %wanted.connector, client = client.client_id, "registered a client at a server that a person named");
            return Ok((name, client.client_id));
        }
        self.client_of_others(name).await
    }

    /// Keeps a client that is used for longer: not at each use, since that would be a write for every attempt.
    async fn remember(&self, name: String, known: ServerClient, sealed: &Sealed) -> Result<(String, String), Error> {
        let now = self.clock.now();
        if now.after(SERVER_REMEMBERED / 2) < known.kept_until {
            return Ok((name, known.client_id));
        }
        let kept = ServerClient { kept_until: now.after(SERVER_REMEMBERED), ..known };
        if self.attempts.put_server_client(&name, &kept, sealed, Some(&kept.client_id)).await? {
            return Ok((name, kept.client_id));
        }
        self.client_of_others(name).await
    }

    /// The client of whoever named the server in the same moment: it is the one that all use.
    async fn client_of_others(&self, name: String) -> Result<(String, String), Error> {
        let (theirs, _) = self.attempts.server_client(&name).await?.ok_or(MEANWHILE)?;
        Ok((name, theirs.client_id))
    }

    /// The client at a server, under this id: one that took its place since is another.
    pub(super) async fn named_client(
        &self,
        name: &str,
        connector: &ConnectorId,
        client_id: &str,
    ) -> Result<ProviderClient, Error> {
        let is_it = |(client, _): &(ServerClient, Sealed)| client.client_id == client_id;
        let found = match self.attempts.server_client(name).await?.filter(is_it) {
            None => self.attempts.server_client(&ServerClient::replaced(name, client_id)).await?.filter(is_it),
            found => found,
        };
        let (client, sealed) = found.ok_or_else(|| Error::ClientNotConfigured(connector.clone()))?;
        let secret = self.open(&client.belongs(), &sealed).await?;
        let secret = String::from_utf8(secret).map_err(|_| Error::Vault(VaultError::DoesNotOpen))?;
        let client_secret = Some(ClientSecret::from(secret)).filter(|secret| !secret.expose().is_empty());
        Ok(ProviderClient { client_id: client.client_id, client_secret, ..ProviderClient::default() })
    }

    /// Asks a server for a client; what it gave, how that proves itself, and to whom it may be sent.
    async fn ask_for_a_client(
        &self,
        wanted: &Wanted<'_>,
        scopes: &[String],
    ) -> Result<(registration::Registered, String, Origins), Error> {
        let oauth2 = wanted.oauth2()?;
        let client = ClientMetadata {
            client_name: wanted.app_name,
            redirect_uri: wanted.redirect_uri,
            token_endpoint_auth_method: oauth2.token_endpoint_auth_method,
            scopes,
            grant_types: &GRANT_TYPES,
        };
        let request = registration::request(wanted.registration()?, &client, wanted.values);
        let request = request.map_err(unusable(wanted.connector))?;
        let (endpoint, origins) = (wanted.endpoint()?, wanted.origins()?);
        let response = self.egress.send(request, &origins).await.map_err(at(&endpoint))?;
        let registered = registration::read(&response).map_err(at(&endpoint))?;
        let asked = match registered.client_secret {
            Some(_) => oauth2.token_endpoint_auth_method,
            None => ClientAuthentication::None,
        };
        let method = registered.token_endpoint_auth_method.clone();
        let method = method.unwrap_or_else(|| registration::name_of(asked).to_owned());
        let unusable = |why| at(&endpoint)(ProviderError::InvalidResponse(why));
        if registered.client_secret.is_none() && method.starts_with("client_secret_") {
            return Err(unusable("the client was registered to prove itself by a secret, and none came with it"));
        }
        if !wanted.takes_any_method && method != registration::name_of(oauth2.token_endpoint_auth_method) {
            return Err(unusable("the client was registered with another way to prove itself than the connector's"));
        }
        if registered.redirect_uris.as_ref().is_some_and(|uris| !uris.iter().any(|uri| uri == wanted.redirect_uri)) {
            return Err(unusable("the client was registered without the redirect URI that was asked for"));
        }
        Ok((registered, method, origins))
    }

    /// Secret, setting and record are written in this order: what a setting names is there, and a record that is missing is
    /// one more registration at worst.
    async fn register_under(
        &self,
        wanted: &Wanted<'_>,
        known: Option<&Registration>,
        lease: &RegistrationLease,
    ) -> Result<Registration, Error> {
        let (oauth2, endpoint) = (wanted.oauth2()?, wanted.endpoint()?);
        let (registered, method, origins) = self.ask_for_a_client(wanted, &wanted.known_scopes()?).await?;
        if registration::method_of(&method).is_none() {
            let unusable =
                ProviderError::InvalidResponse("the client was registered with a way to prove itself that it has not");
            return Err(at(&endpoint)(unusable));
        }
        // what looks after the client is sent nowhere but to the server that gave it
        let management = registered.management.filter(|management| {
            Url::parse(&management.uri).is_ok_and(|uri| origins.permits(&uri) && uri.origin() == endpoint.origin())
        });

        let client = ProviderClient {
            client_id: registered.client_id,
            client_secret: registered.client_secret,
            ..ProviderClient::default()
        };
        let version = || format!("{:032x}", u128::from_be_bytes(self.random.bytes()));
        let token = management.as_ref().map(|management| &management.token);
        self.secrets.put_registered_client(&wanted.secret(), wanted.connector, &client, token, version).await?;
        let place = Key::Connector(wanted.project.clone(), wanted.environment, wanted.connector.clone());
        self.settings.use_client(&place, &client.client_id).await?;
        let now = self.clock.now();
        let registration = Registration {
            connector: wanted.connector.clone(),
            issuer: oauth2.issuer.as_ref().map(ToString::to_string),
            endpoint: endpoint.to_string(),
            redirect_uri: wanted.redirect_uri.to_owned(),
            client_id: client.client_id,
            token_endpoint_auth_method: method,
            secret_expires_at: registered.secret_expires_at,
            management_uri: management.map(|management| management.uri),
            registered_at: now,
            replaced: known.map(|known| Replaced { client_id: known.client_id.clone(), at: now }),
        };
        if !self.settings.put_registration(lease, &registration).await? {
            return Err(MEANWHILE);
        }
        let Wanted { project, environment, connector, .. } = wanted;
        let replaced = known.map(|known| known.client_id.as_str()).unwrap_or_default();
        tracing::info!(%project, %environment, %connector, client = registration.client_id, replaced, "registered a client");
        Ok(registration)
    }

    /// Whether the server has forgotten a client: its own word on the registration, where that can be asked (RFC 7592 §2.1), else
    /// on a refresh token that never was. A server that knows the client refuses the token, one that does not the client
    /// (RFC 6749 §5.2). What is no answer to that tells nothing.
    async fn is_forgotten(&self, wanted: &Wanted<'_>, known: &Registration) -> Result<bool, Error> {
        if let Some(management) = self.management(wanted, known).await? {
            let request = registration::read_request(&management).map_err(unusable(wanted.connector))?;
            let answer = self.egress.send(request, &wanted.origins()?).await.map_err(at(&wanted.endpoint()?))?;
            if answer.status().is_success() || registration::is_gone(answer.status()) {
                return Ok(!answer.status().is_success());
            }
        }
        let oauth2 = wanted.oauth2()?;
        let client = self.secrets.stored_client(&wanted.secret(), wanted.connector).await?;
        let Some(client) = client.filter(|client| client.client_id == known.client_id) else { return Ok(true) };
        let now = self.clock.now();
        let asking = TokenRequest { oauth2, client: &client, values: wanted.values, now, random: &self.random };
        let never = URL_SAFE_NO_PAD.encode(self.random.bytes::<32>());
        let params = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", never)];
        let request = asking.beside(&oauth2.token_endpoint, params).map_err(unusable(wanted.connector))?;
        let answer = self.egress.send(request, &wanted.origins()?).await;
        let answer = answer.map_err(|cause| cause.of(wanted.connector))?;
        match crate::protocol::token::read(oauth2, &answer, now) {
            Err(ProviderError::Failed(status)) => Err(ProviderError::Failed(status).of(wanted.connector)),
            Err(cause) => Ok(registration::is_unknown_client(&cause)),
            Ok(_) => Ok(false),
        }
    }

    async fn management(&self, wanted: &Wanted<'_>, known: &Registration) -> Result<Option<Management>, Error> {
        let Some(uri) = known.management_uri.clone() else { return Ok(None) };
        let token = self.secrets.registration_token(&wanted.secret(), wanted.connector).await?;
        Ok(token.map(|token| Management { uri, token }))
    }

    /// Gives a registration up: the server is told where it offers that, and whatever it says, the record goes.
    pub async fn give_up_registration(&self, wanted: &Wanted<'_>) -> Result<GivenUp, Error> {
        let key = wanted.key();
        let read = self.settings.read_fresh(std::slice::from_ref(&key)).await?;
        let told = match read.registration(&key)? {
            Some(known) => self.tell_server(wanted, &known).await,
            None => GivenUp::None,
        };
        self.settings.delete(&key).await?;
        let version = || format!("{:032x}", u128::from_be_bytes(self.random.bytes()));
        self.secrets.forget_registration_token(&wanted.secret(), wanted.connector, version).await?;
        Ok(told)
    }

    async fn tell_server(&self, wanted: &Wanted<'_>, known: &Registration) -> GivenUp {
        let told = async {
            let Some(management) = self.management(wanted, known).await? else { return Ok(GivenUp::NotOffered) };
            let request = registration::delete_request(&management).map_err(unusable(wanted.connector))?;
            let uri = Url::parse(&management.uri).map_err(|_| ProviderError::AddressRefused.of(wanted.connector))?;
            let answer = self.egress.send(request, &Origins::at(&uri)).await.map_err(at(&uri))?;
            let gone = answer.status().is_success() || registration::is_gone(answer.status());
            Ok::<_, Error>(if gone { GivenUp::Deleted } else { GivenUp::Failed })
        };
        told.await.unwrap_or_else(|error| {
            tracing::warn!(connector = %wanted.connector, cause = chain(&error), "a registration could not be given up at its server");
            GivenUp::Failed
        })
    }

    /// Notes that a server does not know the client that was registered there: the keeper looks into it. One that the
    /// operator registered by hand is theirs to mend.
    pub async fn note_refused_client(
        &self,
        connector: &Connector,
        (project, environment, id): (&ProjectId, Environment, &ConnectorId),
        client: (Option<&ClientSource>, Option<&str>),
        error: &Error,
    ) {
        let registers = connector.oauth2.as_ref().is_some_and(|oauth2| oauth2.registration.is_some());
        let (Some(source), Some(client_id)) = client else { return };
        if !registers || !is_client_refused(error) {
            return;
        }
        let server = match source {
            ClientSource::Default => return,
            ClientSource::Project => None,
            ClientSource::Server(name) => Some(name.clone()),
        };
        let (project, connector) = (project.clone(), id.clone());
        tracing::warn!(%project, %connector, client = client_id, "the server does not know the registered client");
        let forgotten = Forgotten { project, environment, connector, client_id: client_id.to_owned(), server };
        if let Err(error) = self.journal.note_forgotten(&forgotten, self.clock.now()).await {
            tracing::warn!(cause = chain(&error), "a forgotten client could not be noted; the next refusal notes it");
        }
    }

    /// Looks into a client that its server refused, and registers another one if it is really forgotten.
    pub async fn look_into(&self, forgotten: &Forgotten) -> Result<Looked, Error> {
        let Forgotten { project, environment, connector: id, client_id, server } = forgotten;
        if let Some(server) = server {
            self.attempts.forget_server_client(server, client_id).await?;
            return Ok(Looked::Forgotten);
        }
        let place = Key::Registration(project.clone(), *environment, id.clone());
        let mut keys = vec![place.clone(), Key::Project(project.clone()), Key::Deployment];
        keys.extend(connector_keys(project, *environment, id));
        let read = self.settings.read_fresh(&keys).await?;
        let (Some(known), Some(owner)) = (read.registration(&place)?, read.project(project)?) else {
            return Ok(Looked::Kept);
        };
        let connector = match self.connector_from(&read, project, *environment, id) {
            Ok(connector) => connector,
            Err(Error::NotFound(_)) => return Ok(Looked::Kept),
            Err(error) => return Err(error),
        };
        let in_use = connector.client.as_ref().is_some_and(|(_, in_use)| in_use == client_id);
        if known.client_id != *client_id || !in_use {
            return Ok(Looked::Kept);
        }
        let base_url = self.base_url(self.clock.now()).await?;
        let (values, scopes) =
            (connector.chosen().map_err(|error| Error::invalid(error.to_string()))?, connector.scopes().0);
        let wanted = Wanted {
            project,
            app_name: &owner.name,
            environment: *environment,
            connector: id,
            data: &connector.data,
            values: &values,
            redirect_uri: &connector.redirect_uri(&base_url),
            scopes: &scopes,
            takes_any_method: false,
        };
        if !self.is_forgotten(&wanted, &known).await? {
            return Ok(Looked::Kept);
        }
        match self.register(&wanted, Some(&known)).await {
            Ok(_) => Ok(Looked::Replaced),
            Err(Error::RetryLater { .. }) => Ok(Looked::Kept), // another process has it in hand
            Err(error) => Err(error),
        }
    }

    /// Whether a connection's client was registered by us and is no more: another has taken its place.
    async fn is_client_replaced(&self, connection: &Connection) -> Result<bool, Error> {
        let place = (connection.project.clone(), connection.environment, connection.connector.clone());
        let key = Key::Registration(place.0, place.1, place.2);
        let known = self.settings.read_fresh(std::slice::from_ref(&key)).await?.registration(&key)?;
        let own = connection.client == Some(ClientSource::Project);
        Ok(own && known.is_some_and(|known| Some(&known.client_id) != connection.client_id.as_ref()))
    }

    /// What is said of a connection whose client is not there: where another was registered in its place, the person has to
    /// connect again, and the connection says why.
    pub(super) async fn without_client(&self, stored: &Stored, error: Error) -> Error {
        let replaced = match &error {
            Error::ClientNotConfigured(_) => self.is_client_replaced(&stored.connection).await,
            _ => Ok(false),
        };
        match replaced {
            Ok(true) => {}
            Ok(false) => return error,
            Err(error) => return error,
        }
        let now = self.clock.now();
        let owner = Bearer::random(&self.random).digest().as_str().to_owned();
        let written = async {
            if let Leasing::Ours(lease) = self.connections.lease(stored, &owner, now.after(PROVIDER_LIMIT), now).await?
            {
                self.connections.client_replaced(&lease).await?;
            }
            Ok::<_, Error>(())
        };
        tracing::info!(connection = %stored.connection.key, "the client that the refresh token was given to is no more");
        match written.await {
            Ok(()) => Error::NeedsReauth,
            Err(error) => error,
        }
    }
}

/// What is asked for tokens with.
pub const GRANT_TYPES: [&str; 2] = ["authorization_code", "refresh_token"];

const MEANWHILE: Error = Error::RetryLater {
    why: "a client is being registered for this connector at this moment; try again",
    after: Duration::from_secs(2),
};

/// A failure of the server at this address. What stands in a query is left out.
pub fn at(url: &Url) -> impl Fn(ProviderError) -> Error {
    let mut url = url.clone();
    url.set_query(None);
    move |cause| Error::Server { address: url.to_string(), cause }
}

/// Whether the server does not know our client, or not by this secret.
pub(super) fn is_client_refused(error: &Error) -> bool {
    matches!(error, Error::Provider { cause, .. } if registration::is_unknown_client(cause))
}
