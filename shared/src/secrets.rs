//! What lives in Secrets Manager: the seeds, the root key, and the provider clients.
//!
//! | secret | content | written by |
//! |---|---|---|
//! | ring seed, signing seed | random text | the template, once |
//! | root key | random text | the template; rotate by changing it there |
//! | ring versions | `{"versions": {"2": "<random text>"}}`, empty at first | a rotation |
//! | `{prefix}default` | `{"<connector>": {"client_id", "client_secret", "secrets": {"<setting>": "<text>"}}}` | the admin API |
//! | `{prefix}{project}/{environment}` | the same, for overrides; `"registration:<connector>": {"token"}` beside a registered one | the admin API; the keeper, where a server forgot a registered one |
//!
//! User tokens are not here: a secret each would cost $0.40 a month per user. They are sealed into the connection.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, OnceLock},
    time::Duration,
};

use aws_sdk_secretsmanager::Client;
use serde_json::{Map, Value, json};

use crate::{
    aws::{
        self,
        secret_values::{ReadError, SecretValues},
    },
    clock::{Clock, Timestamp},
    config::Aws,
    error::{Error, VaultError},
    id::{ConnectorId, Environment, ProjectId},
    protocol::template::Values,
    secret::{ClientSecret, RegistrationToken},
};

/// How long a provider client's secret is used before it is read again. A changed secret is in use everywhere after this.
const KEPT: Duration = Duration::from_secs(30);

/// How often a write is repeated when another admin saved in between. Each time one of them went through, so this many may
/// save at once.
const ATTEMPTS: usize = 25;

/// Whose client of a provider is used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientSource {
    /// The deployment's own, for every project that has none.
    Default,
    /// One that this project registered.
    Project,
    /// One of ours at a server that a person named: the name of its record ([`crate::store::attempts::ServerClient`]).
    Server(String),
}

/// Where the credentials of provider clients stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientsSecret {
    /// The deployment's defaults.
    Default,
    /// The overrides of a project and environment.
    Project(ProjectId, Environment),
}

impl ClientSource {
    /// Where in the admin API one decides about what belongs to a client of this source.
    #[must_use]
    pub fn admin_path(source: Option<&Self>) -> &'static str {
        match source {
            Some(Self::Default) => "/v1/admin",
            Some(Self::Project | Self::Server(_)) => "/v1/admin/projects/{project}/environments/{environment}",
            None => "/v1/admin/…",
        }
    }
}

impl ClientsSecret {
    /// Where a connection's client stands; none where it stands elsewhere, sealed.
    #[must_use]
    pub fn of(source: &ClientSource, project: &ProjectId, environment: Environment) -> Option<Self> {
        match source {
            ClientSource::Default => Some(Self::Default),
            ClientSource::Project => Some(Self::Project(project.clone(), environment)),
            ClientSource::Server(_) => None,
        }
    }

    fn name(&self, prefix: &str) -> String {
        match self {
            Self::Default => format!("{prefix}default"),
            Self::Project(project, environment) => format!("{prefix}{project}/{environment}"),
        }
    }
}

/// What a provider gave when the client was registered there (RFC 6749 §2.2), and the connector's settings that are secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderClient {
    /// Public. Empty where there is no client: a connector that takes keys has secret settings alone.
    pub client_id: String,
    /// Absent for a public client.
    pub client_secret: Option<ClientSecret>,
    /// Secret settings, by their names.
    pub secrets: BTreeMap<String, ClientSecret>,
}

impl ProviderClient {
    /// As placeholders: `{client_id}`, `{client_secret}` and the secret settings by name.
    pub fn fill(&self, values: &mut Values) {
        if !self.client_id.is_empty() {
            values.insert("client_id", self.client_id.clone());
        }
        if let Some(secret) = &self.client_secret {
            values.insert("client_secret", secret.expose());
        }
        for (name, secret) in &self.secrets {
            values.insert(name.clone(), secret.expose());
        }
    }

    /// Whether nothing is left of it.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.client_id.is_empty() && self.client_secret.is_none() && self.secrets.is_empty()
    }

    fn to_json(&self) -> Value {
        let secrets: Map<String, Value> =
            self.secrets.iter().map(|(name, secret)| (name.clone(), secret.expose().into())).collect();
        json!({
            "client_id": self.client_id,
            "client_secret": self.client_secret.as_ref().map(ClientSecret::expose),
            "secrets": secrets,
        })
    }
}

/// The clients of a secret, and since when they are kept.
type Kept = (Timestamp, Map<String, Value>);

/// Secrets Manager.
pub struct Secrets {
    values: SecretValues,
    aws: Aws,
    http: reqwest::Client,
    writing: OnceLock<Client>,
    prefix: String,
    kept: Mutex<HashMap<ClientsSecret, Kept>>,
}

impl Secrets {
    /// Secrets whose clients' names begin with this prefix.
    #[must_use]
    pub fn new(aws: &Aws, http: &reqwest::Client, clock: Clock, prefix: String) -> Self {
        Self {
            values: SecretValues::new(aws.clone(), http.clone(), clock),
            aws: aws.clone(),
            http: http.clone(),
            writing: OnceLock::new(),
            prefix,
            kept: Mutex::default(),
        }
    }

    /// The text of a secret.
    pub async fn text(&self, name: &str) -> Result<String, VaultError> {
        let value =
            self.current(name).await?.ok_or_else(|| failed("GetSecretValue", name, "there is no such secret"))?;
        Ok(value.0)
    }

    /// The client of this provider that has this id, with its secret. What one client was given is never redeemed with
    /// another: a client that was exchanged is not configured any more, and no grant is lost by asking with the wrong one.
    pub async fn provider_client(
        &self,
        secret: &ClientsSecret,
        connector: &ConnectorId,
        client_id: &str,
        now: Timestamp,
    ) -> Result<ProviderClient, Error> {
        let same =
            |clients: &Map<String, Value>| entry(clients, connector).filter(|client| client.client_id == client_id);
        if let Some(client) = self.kept(secret, now).as_ref().and_then(same) {
            return Ok(client);
        }
        // not kept, or exchanged since
        let (clients, _) = self.clients(secret).await?;
        self.keep(secret.clone(), clients.clone(), now);
        same(&clients).ok_or_else(|| Error::ClientNotConfigured(connector.clone()))
    }

    /// The client of this provider as it is stored now, past what is kept: whoever changes it wants to know.
    pub async fn stored_client(
        &self,
        secret: &ClientsSecret,
        connector: &ConnectorId,
    ) -> Result<Option<ProviderClient>, VaultError> {
        let (clients, _) = self.clients(secret).await?;
        Ok(entry(&clients, connector))
    }

    /// Stores a client of a provider, or takes it away with its secret settings. Secret settings that it does not name stay.
    pub async fn put_provider_client(
        &self,
        secret: &ClientsSecret,
        connector: &ConnectorId,
        client: Option<&ProviderClient>,
        token: impl Fn() -> String,
    ) -> Result<(), Error> {
        let put = |stored: Option<ProviderClient>| {
            let mut secrets = stored.map(|stored| stored.secrets).unwrap_or_default();
            let mut client = client?.clone();
            secrets.append(&mut client.secrets);
            Some(ProviderClient { secrets, ..client })
        };
        self.change_provider_client(secret, connector, put, token).await.map(drop)
    }

    /// Changes what is stored of a client, and answers what stands there then. Two admins who save at once lose nothing: the
    /// write names the version it was read from, and the change is made again on conflict.
    pub async fn change_provider_client(
        &self,
        secret: &ClientsSecret,
        connector: &ConnectorId,
        change: impl Fn(Option<ProviderClient>) -> Option<ProviderClient>,
        token: impl Fn() -> String,
    ) -> Result<Option<ProviderClient>, Error> {
        for _ in 0..ATTEMPTS {
            let (mut clients, version) = self.clients(secret).await?;
            let before = entry(&clients, connector);
            let after = change(before.clone()).filter(|entry| !entry.is_nothing());
            if after == before {
                return Ok(after);
            }
            match &after {
                Some(entry) => clients.insert(connector.to_string(), entry.to_json()),
                None => clients.remove(connector.as_str()),
            };
            if self.replace(secret, &clients, version.as_deref(), &token()).await? {
                self.forget(secret);
                return Ok(after);
            }
        }
        Err(Error::Conflict("the provider clients' secret"))
    }

    /// Stores a client that was registered by us, with what looks after it (RFC 7592), where the server gave that.
    pub async fn put_registered_client(
        &self,
        secret: &ClientsSecret,
        connector: &ConnectorId,
        registered: &ProviderClient,
        management: Option<&RegistrationToken>,
        token: impl Fn() -> String,
    ) -> Result<(), Error> {
        let change = |clients: &mut Map<String, Value>| {
            let secrets = entry(clients, connector).map(|stored| stored.secrets).unwrap_or_default();
            clients.insert(connector.to_string(), ProviderClient { secrets, ..registered.clone() }.to_json());
            match management {
                Some(token) => drop(clients.insert(managed(connector), json!({ "token": token.expose() }))),
                None => drop(clients.remove(&managed(connector))),
            }
        };
        self.change(secret, change, token).await
    }

    /// What looks after the client that was registered for this connector.
    pub async fn registration_token(
        &self,
        secret: &ClientsSecret,
        connector: &ConnectorId,
    ) -> Result<Option<RegistrationToken>, VaultError> {
        let (clients, _) = self.clients(secret).await?;
        let token = clients.get(&managed(connector)).and_then(|entry| entry.get("token")).and_then(Value::as_str);
        Ok(token.map(|token| RegistrationToken::from(token.to_owned())))
    }

    /// Forgets what looked after a registered client.
    pub async fn forget_registration_token(
        &self,
        secret: &ClientsSecret,
        connector: &ConnectorId,
        token: impl Fn() -> String,
    ) -> Result<(), Error> {
        self.change(secret, |clients| drop(clients.remove(&managed(connector))), token).await
    }

    async fn change(
        &self,
        secret: &ClientsSecret,
        change: impl Fn(&mut Map<String, Value>),
        token: impl Fn() -> String,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let (before, version) = self.clients(secret).await?;
            let mut clients = before.clone();
            change(&mut clients);
            if clients == before {
                return Ok(());
            }
            if self.replace(secret, &clients, version.as_deref(), &token()).await? {
                self.forget(secret);
                return Ok(());
            }
        }
        Err(Error::Conflict("the provider clients' secret"))
    }

    /// The clients as stored, and the version they were read from.
    async fn clients(&self, secret: &ClientsSecret) -> Result<(Map<String, Value>, Option<String>), VaultError> {
        let name = secret.name(&self.prefix);
        match self.current(&name).await? {
            None => Ok((Map::new(), None)),
            Some((text, version)) => match serde_json::from_str(&text) {
                Ok(Value::Object(clients)) => Ok((clients, Some(version))),
                _ => Err(VaultError::Malformed { name, why: "not a JSON object" }),
            },
        }
    }

    async fn current(&self, name: &str) -> Result<Option<(String, String)>, VaultError> {
        match self.values.get_secret_value(name).await {
            Ok(value) => {
                let text = value.secret_string.ok_or_else(|| failed("GetSecretValue", name, "it holds no text"))?;
                Ok(Some((text, value.version_id)))
            }
            Err(ReadError::NotFound) => Ok(None),
            Err(error) => Err(failed("GetSecretValue", name, &cause(&error))),
        }
    }

    /// Made when something is first written: most functions only read.
    fn writing(&self) -> &Client {
        self.writing.get_or_init(|| aws::secrets_manager(&self.aws, &self.http))
    }

    /// Writes the clients over the version they were read from. False if another version came between.
    ///
    /// Secrets Manager has no conditional put, but moving the stage `AWSCURRENT` names the version it is taken from: the
    /// new version is put under a stage of its own and made current only if the old one still is.
    async fn replace(
        &self,
        secret: &ClientsSecret,
        clients: &Map<String, Value>,
        read: Option<&str>,
        token: &str,
    ) -> Result<bool, VaultError> {
        let client = self.writing();
        let name = secret.name(&self.prefix);
        let text = Value::Object(clients.clone()).to_string();
        let Some(read) = read else {
            let created =
                client.create_secret().name(&name).secret_string(text).client_request_token(token).send().await;
            return match created {
                Ok(_) => Ok(true),
                Err(error) if error.as_service_error().is_some_and(aws_sdk_secretsmanager::operation::create_secret::CreateSecretError::is_resource_exists_exception) => Ok(false),
                Err(error) => Err(failed("CreateSecret", &name, &cause(&error))),
            };
        };
        let pending = format!("pending-{token}");
        let put = client
            .put_secret_value()
            .secret_id(&name)
            .secret_string(text)
            .client_request_token(token)
            .version_stages(&pending);
        let put = put.send().await.map_err(|error| failed("PutSecretValue", &name, &cause(&error)))?;
        let version = put.version_id.unwrap_or_else(|| token.to_owned());
        let staged = client
            .update_secret_version_stage()
            .secret_id(&name)
            .version_stage("AWSCURRENT")
            .move_to_version_id(&version)
            .remove_from_version_id(read);
        let moved = match staged.send().await {
            Ok(_) => true,
            // the stage is no longer on the version that was read
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_invalid_parameter_exception() || e.is_invalid_request_exception()) =>
            {
                false
            }
            Err(error) => return Err(failed("UpdateSecretVersionStage", &name, &cause(&error))),
        };
        // a version without a stage is one that Secrets Manager may remove
        let unstaged = client
            .update_secret_version_stage()
            .secret_id(&name)
            .version_stage(&pending)
            .remove_from_version_id(&version);
        if let Err(error) = unstaged.send().await {
            tracing::warn!(cause = cause(&error), "a pending stage stays on a secret's version");
        }
        Ok(moved)
    }

    fn kept(&self, secret: &ClientsSecret, now: Timestamp) -> Option<Map<String, Value>> {
        let kept = self.kept.lock().ok()?;
        kept.get(secret).filter(|(since, _)| since.until(now) < KEPT).map(|(_, clients)| clients.clone())
    }

    fn keep(&self, secret: ClientsSecret, clients: Map<String, Value>, now: Timestamp) {
        if let Ok(mut kept) = self.kept.lock() {
            if kept.len() >= 1024 {
                kept.clear();
            }
            kept.insert(secret, (now, clients));
        }
    }

    fn forget(&self, secret: &ClientsSecret) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.remove(secret);
        }
    }
}

/// The name under which stands what looks after a registered client: no connector's id has a colon.
fn managed(connector: &ConnectorId) -> String {
    format!("registration:{connector}")
}

fn entry(clients: &Map<String, Value>, connector: &ConnectorId) -> Option<ProviderClient> {
    let entry = clients.get(connector.as_str())?;
    let member = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let secret = |(name, text): (&String, &Value)| Some((name.clone(), ClientSecret::from(text.as_str()?.to_owned())));
    let secrets = entry.get("secrets").and_then(Value::as_object);
    Some(ProviderClient {
        client_id: member("client_id")?,
        client_secret: member("client_secret").map(ClientSecret::from),
        secrets: secrets.into_iter().flatten().filter_map(secret).collect(),
    })
}

fn failed(operation: &'static str, name: &str, cause: &str) -> VaultError {
    VaultError::Secret { operation, name: name.to_owned(), cause: cause.to_owned() }
}

fn cause<E: std::error::Error + 'static>(error: &E) -> String {
    crate::error::chain(error)
}
