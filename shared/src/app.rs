//! What a function has at hand: its clients, made once, before the first request.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use crate::{
    aws,
    catalog::Catalog,
    clock::{Clock, Random, Timestamp},
    config::{Config, ConfigError},
    egress::Egress,
    error::{Error, VaultError},
    flow::proof::Nonces,
    protocol::{credentials::Credentials, jwt::SigningKey},
    secret::Digest,
    secrets::Secrets,
    store::{
        Table, attempts::Attempts, codes::Codes, connections::Connections, journal::Journal, links::Links,
        settings::Settings,
    },
    vault::{Belongs, Once, Ring, Sealed},
};

/// How long the start waits for what could be fetched ahead.
const PREFETCH_LIMIT: Duration = Duration::from_secs(1);

/// Everything a handler needs. Clients are made once; nothing below reads the environment.
pub struct App {
    /// What the environment said.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// Random bits.
    pub random: Random,
    /// The connectors there are.
    pub catalog: Catalog,
    /// What the operator decided.
    pub settings: Settings,
    /// One-time tokens and sessions.
    pub links: Links,
    /// Authorizations under way.
    pub attempts: Attempts,
    /// Completion codes.
    pub codes: Codes,
    /// Held grants and connections.
    pub connections: Connections,
    /// The revoke queue.
    pub journal: Journal,
    /// Secrets Manager.
    pub secrets: Secrets,
    /// The way to providers.
    pub egress: Egress,
    /// What servers want in the proofs that are sent to them.
    pub nonces: Nonces,
    http: reqwest::Client,
    ring: Once<Ring>,
    signing_key: Once<SigningKey>,
    /// The root key's digest, if there is a root key, and since when it is kept.
    pub(crate) root_key: Mutex<Option<(Timestamp, Option<Digest>)>>,
}

/// What can be fetched before the first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// The ring, for functions that seal or open.
    Ring,
    /// The signing key, for the one that signs.
    SigningKey,
    /// Another connection to DynamoDB, for those that read two items at once.
    SecondConnection,
}

/// Why a function can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client could not be made.
    #[error("the HTTP client can't be made")]
    Http(#[from] reqwest::Error),
}

impl App {
    /// As the environment says. A missing setting stops the start and is named.
    pub fn from_env() -> Result<Self, StartError> {
        Self::new(Config::from_env()?, Catalog::builtin(), Clock::system())
    }

    /// From its parts.
    pub fn new(config: Config, catalog: Catalog, clock: Clock) -> Result<Self, StartError> {
        let tls = aws::tls();
        let http = aws::http_client(tls.clone())?;
        let dynamodb = aws::dynamodb(&config.aws, &http);
        let random = Random::system();
        let table = |name: &str| Table { client: dynamodb.clone(), name: name.to_owned(), random: random.clone() };
        if config.loopback_egress {
            tracing::warn!(
                "local mode: providers on this machine may be called; never run so where customers' tokens are"
            );
        }
        Ok(Self {
            settings: Settings::new(table(&config.tables.settings)),
            links: Links::new(table(&config.tables.flows)),
            attempts: Attempts::new(table(&config.tables.flows)),
            codes: Codes::new(table(&config.tables.flows)),
            connections: Connections::new(table(&config.tables.connections)),
            journal: Journal::new(table(&config.tables.journal)),
            secrets: Secrets::new(&config.aws, &http, clock.clone(), config.secrets.clients_prefix.clone()),
            egress: Egress::new(tls, config.loopback_egress)?,
            nonces: Nonces::default(),
            http,
            ring: Once::new(),
            signing_key: Once::new(),
            root_key: Mutex::default(),
            random: random.clone(),
            config,
            catalog,
            clock,
        })
    }

    /// With another way to the providers.
    #[cfg(feature = "zoo")]
    #[must_use]
    pub fn with_egress(self, egress: Egress) -> Self {
        Self { egress, ..self }
    }

    /// Connects and fetches what every request needs, so that the first one meets no TLS handshake: at most a second, and
    /// a failure is only logged, since each is tried again at first use.
    pub async fn prefetch(&self, ahead: &[Ahead]) {
        let now = self.clock.now();
        // on the heap: calls to AWS are large futures, and this one is awaited in every `main`
        let ring = Box::pin(async { if ahead.contains(&Ahead::Ring) { self.ring().await.map(drop) } else { Ok(()) } });
        let key = Box::pin(async {
            if ahead.contains(&Ahead::SigningKey) { self.signing_key().await.map(drop) } else { Ok(()) }
        });
        let second = Box::pin(async {
            if ahead.contains(&Ahead::SecondConnection) { self.second_connection().await } else { Ok(()) }
        });
        // ring and key read the settings themselves
        let settings = Box::pin(async {
            if ahead.iter().any(|ahead| matches!(ahead, Ahead::Ring | Ahead::SigningKey)) {
                return Ok(());
            }
            self.settings.deployment(now).await.map(drop).map_err(Error::from)
        });
        let all = async { tokio::join!(settings, ring, key, second) };
        if let Ok((settings, ring, key, second)) = tokio::time::timeout(PREFETCH_LIMIT, all).await {
            for error in [settings.err(), ring.err(), key.err(), second.err()].into_iter().flatten() {
                tracing::warn!(
                    cause = crate::error::chain(&error),
                    "a prefetch failed and is tried again at first use"
                );
            }
        } else {
            tracing::warn!("the prefetch took longer than a second and is tried again at first use");
        }
    }

    /// Of two reads at once the second would have to connect, TLS included: this makes the connection beforehand.
    async fn second_connection(&self) -> Result<(), Error> {
        Ok(aws::connect_to_dynamodb(&self.config.aws, &self.http).await?)
    }

    /// The public address, without a trailing slash.
    pub async fn base_url(&self, now: Timestamp) -> Result<String, Error> {
        if let Some(url) = &self.config.public_url {
            return Ok(url.as_str().trim_end_matches('/').to_owned());
        }
        self.settings.deployment(now).await?.base_url.ok_or(Error::BaseUrlUnknown)
    }

    /// The path of the public address as far as it is known without asking anybody: pages are shown also while the store
    /// is away.
    #[must_use]
    pub fn base_path(&self) -> String {
        let known = self.config.public_url.clone().or_else(|| url::Url::parse(&self.settings.known_base_url()?).ok());
        known.map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
    }

    /// Seals credentials or a verifier.
    pub async fn seal(&self, belongs: &Belongs<'_>, plaintext: &[u8]) -> Result<Sealed, Error> {
        Ok(self.ring().await?.seal(belongs, plaintext, &self.random)?)
    }

    /// Opens what was sealed.
    pub async fn open(&self, belongs: &Belongs<'_>, sealed: &Sealed) -> Result<Vec<u8>, Error> {
        match self.ring().await?.open(belongs, sealed) {
            // a rotation added a version since the ring was read
            Err(VaultError::UnknownRingVersion(_)) => {
                Ok(self.ring.set(self.fetch_ring().await?).open(belongs, sealed)?)
            }
            opened => Ok(opened?),
        }
    }

    /// Opens a connection's credentials.
    pub async fn open_credentials(&self, belongs: &Belongs<'_>, sealed: &Sealed) -> Result<Credentials, Error> {
        let plaintext = self.open(belongs, sealed).await?;
        Credentials::from_plaintext(&plaintext).ok_or(Error::Vault(VaultError::DoesNotOpen))
    }

    /// The ring, once it is known to be the one that this deployment's data was sealed with. The first ring that is used
    /// writes its check value down; a foreign one is refused from then on.
    async fn ring(&self) -> Result<Arc<Ring>, Error> {
        if let Some(ring) = self.ring.get() {
            return Ok(ring);
        }
        let fetched = self.fetch_ring().await?;
        Ok(self.ring.set(fetched))
    }

    async fn fetch_ring(&self) -> Result<Ring, Error> {
        let names = &self.config.secrets;
        let (seed, later, deployment) = tokio::try_join!(
            async { Ok(self.secrets.text(&names.ring_seed).await?) },
            async { Ok(self.secrets.text(&names.ring_versions).await?) },
            async { Ok::<_, Error>(self.settings.deployment(self.clock.now()).await?) },
        )?;
        let ring = Ring::new(&seed, &later)?;
        let check = ring.check_value();
        let known = match deployment.ring_check {
            Some(known) => known,
            None => self.settings.claim_ring(&check).await?,
        };
        if known == check { Ok(ring) } else { Err(VaultError::ForeignRing.into()) }
    }

    /// The key that signs our own access tokens.
    pub async fn signing_key(&self) -> Result<Arc<SigningKey>, Error> {
        match self.signing_key.get() {
            Some(key) => Ok(key),
            None => Ok(self.signing_key.set(self.fetch_signing_key().await?)),
        }
    }

    /// The signing key, once its public half is published where every function reads it.
    async fn fetch_signing_key(&self) -> Result<SigningKey, Error> {
        let (seed, deployment) =
            tokio::try_join!(async { Ok(self.secrets.text(&self.config.secrets.signing_seed).await?) }, async {
                Ok::<_, Error>(self.settings.deployment(self.clock.now()).await?)
            },)?;
        let key = SigningKey::of_seed(&seed)?;
        if deployment.jwks.as_deref() != Some(key.jwks().as_str()) {
            self.settings.publish_keys(&key.jwks()).await?;
        }
        Ok(key)
    }
}
