//! The environment, read once.
//!
//! | variable | set by | meaning |
//! |---|---|---|
//! | `TABLE_SETTINGS`, `TABLE_FLOWS`, `TABLE_CONNECTIONS`, `TABLE_JOURNAL` | template | table names |
//! | `SECRET_RING_SEED`, `SECRET_RING_VERSIONS`, `SECRET_SIGNING_SEED`, `SECRET_ROOT_KEY` | template | secret names or ARNs; each function has those it reads |
//! | `SECRET_CLIENTS_PREFIX` | template | what the names of the provider clients' secrets begin with |
//! | `DEPLOYMENT_ID` | template | `aud` of our JWTs |
//! | `PUBLIC_URL` | template | the public address, where it is known before deployment |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | Lambda | as everywhere |
//! | `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SECRETS_MANAGER` | a local run | local endpoints in place of AWS |
//! | `MOORING_EGRESS` | a local run | `allow-loopback`: providers on this machine may be called. Never set where customers' tokens are |

use std::fmt;

use url::Url;

/// What a function is told by its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// Table names.
    pub tables: Tables,
    /// Secret names.
    pub secrets: SecretNames,
    /// `aud` of our JWTs.
    pub deployment_id: String,
    /// The public address, where it is known before deployment.
    pub public_url: Option<Url>,
    /// Whether providers on this machine may be called: local mode.
    pub loopback_egress: bool,
    /// Where AWS is and who we are there.
    pub aws: Aws,
}

/// The tables' names.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Projects, app clients, connector settings.
    pub settings: String,
    /// What is under way.
    pub flows: String,
    /// Held grants and connections.
    pub connections: String,
    /// The revoke queue.
    pub journal: String,
}

/// The secrets' names. A function that does not read one has it empty.
#[derive(Clone, Debug)]
pub struct SecretNames {
    /// Ring version 1 is derived from it.
    pub ring_seed: String,
    /// Later ring versions.
    pub ring_versions: String,
    /// The signing key is derived from it.
    pub signing_seed: String,
    /// Who has it may administer everything.
    pub root_key: String,
    /// What the names of the provider clients' secrets begin with.
    pub clients_prefix: String,
}

/// Where AWS is and who we are there.
#[derive(Clone)]
pub struct Aws {
    /// The region.
    pub region: String,
    /// The access key's id.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: String,
    /// The session's token.
    pub session_token: Option<String>,
    /// In place of DynamoDB's own address.
    pub dynamodb_endpoint: Option<String>,
    /// In place of Secrets Manager's own address.
    pub secrets_manager_endpoint: Option<String>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("region", &self.region).finish_non_exhaustive()
    }
}

/// A setting without which nothing can start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not there.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// It has another form.
    #[error("the environment variable {0} is not {1}")]
    Malformed(&'static str, &'static str),
}

impl Config {
    /// From the environment. The first missing variable is named.
    pub fn from_env() -> Result<Self, ConfigError> {
        let required = |name| optional(name).ok_or(ConfigError::Missing(name));
        let endpoint = |name| optional(name).or_else(|| optional("AWS_ENDPOINT_URL"));
        Ok(Self {
            tables: Tables {
                settings: required("TABLE_SETTINGS")?,
                flows: required("TABLE_FLOWS")?,
                connections: required("TABLE_CONNECTIONS")?,
                journal: required("TABLE_JOURNAL")?,
            },
            secrets: SecretNames {
                ring_seed: optional("SECRET_RING_SEED").unwrap_or_default(),
                ring_versions: optional("SECRET_RING_VERSIONS").unwrap_or_default(),
                signing_seed: optional("SECRET_SIGNING_SEED").unwrap_or_default(),
                root_key: optional("SECRET_ROOT_KEY").unwrap_or_default(),
                clients_prefix: optional("SECRET_CLIENTS_PREFIX").unwrap_or_default(),
            },
            deployment_id: required("DEPLOYMENT_ID")?,
            public_url: optional("PUBLIC_URL").map(|text| public_url(&text)).transpose()?,
            loopback_egress: optional("MOORING_EGRESS").as_deref() == Some("allow-loopback"),
            aws: Aws {
                region: required("AWS_REGION")?,
                access_key_id: required("AWS_ACCESS_KEY_ID")?,
                secret_access_key: required("AWS_SECRET_ACCESS_KEY")?,
                session_token: optional("AWS_SESSION_TOKEN"),
                dynamodb_endpoint: endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
                secrets_manager_endpoint: endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            },
        })
    }
}

/// A base URL: http or https, without query, fragment, credentials or trailing slash.
pub fn public_url(text: &str) -> Result<Url, ConfigError> {
    let malformed = ConfigError::Malformed("PUBLIC_URL", "an address like https://connect.example.com");
    let Ok(url) = Url::parse(text.trim_end_matches('/')) else { return Err(malformed) };
    let plain = url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if plain && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(malformed) }
}

fn optional(name: &'static str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
