//! Why a request failed, in the vocabulary of the flow.
//!
//! What becomes of an error (status, code, page or JSON) is decided in [`crate::http`] alone.

use std::time::Duration;

use crate::{
    http::Method,
    id::{ConnectorId, Role},
    protocol::{assertion::KeyError, callback_signature},
    store::{attempts::State, connections::Choices},
};

/// Why a request failed.
///
/// A variant exists where a caller or an operator would act differently. Messages are for people and name no secret; the
/// sources are for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter is missing, malformed, repeated or too long. The sentence says which and what is expected.
    #[error("{0}")]
    InvalidRequest(String),
    /// A request that is well-formed and still can't be granted, with a code of its own.
    #[error("{why}")]
    Refused {
        /// The stable code.
        code: Refusal,
        /// A sentence for people.
        why: String,
    },
    /// No credential, an unknown one, or one that was revoked.
    #[error("{why}")]
    Unauthenticated {
        /// A sentence for people.
        why: &'static str,
        /// Whether the client tried HTTP Basic, and so may be challenged (RFC 6749 §5.2).
        challenge: bool,
    },
    /// The app client lacks a role for this route.
    #[error("this route needs the role {}", join(.0))]
    RoleMissing(&'static [Role]),
    /// An app client asks for what only the deployment's operator may do.
    #[error("this route needs the root key")]
    RootKeyMissing,
    /// The app client is one of the test environment, and what it wants to change is live too.
    #[error("this changes the live environment too: it takes the root key, or an app client of the live environment")]
    LiveKeyMissing,
    /// What was named does not exist, or belongs to another project or environment, which is not told apart.
    #[error("{0}")]
    NotFound(Missing),
    /// The path exists and has no such method.
    #[error("this address answers {}", join(.0))]
    MethodNotAllowed(Vec<Method>),
    /// The body is larger than the route reads.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is of a type that the route does not read.
    #[error("send the body as {0}")]
    UnsupportedMediaType(&'static str),
    /// The link, state or token was used before, by somebody else or for another answer.
    #[error("this link was already used")]
    AlreadyUsed,
    /// The link, state or token outlived its time.
    #[error("this link has expired")]
    Expired,
    /// The state or link was never issued, or came back through another browser, path or issuer.
    #[error("this authorization is unknown here")]
    UnknownState,
    /// An answer reached the browser that waits for one, but on another provider's path or in another issuer's name. The
    /// attempt stands as it was and can be started again.
    #[error("this answer is not from the provider that was asked")]
    AnswerNotBelieved(Box<State>),
    /// A form came from another page than ours, or without its token.
    #[error("this form was not sent from our page; go back, reload the page and try again")]
    ForgedForm,
    /// The stored thing changed between read and write, again and again.
    #[error("{0} was changed at the same time; read it again and repeat")]
    Conflict(&'static str),
    /// The deployment does not know its own address yet.
    #[error(
        "the service does not know its public address yet: make one admin call through the gateway, or deploy with the parameter PublicUrl"
    )]
    BaseUrlUnknown,
    /// Nobody has given Mooring a client at this provider.
    #[error(
        "no client is configured for {0}: register one at the provider and store it with PUT /v1/admin/…/connectors/{0}"
    )]
    ClientNotConfigured(ConnectorId),
    /// The operator has left out what the connector needs besides a client, or in its place: secrets and settings.
    #[error("{connector} lacks {missing}: store it with PUT {place}/connectors/{connector}")]
    NotConfigured {
        /// Which connector.
        connector: ConnectorId,
        /// Their names, with commas.
        missing: String,
        /// Where what counts is decided: see [`crate::secrets::ClientSource::admin_path`].
        place: &'static str,
    },
    /// What a person typed as a key is none.
    #[error("{label} ({input}): {cause}")]
    NoKey {
        /// The input's name.
        input: String,
        /// Its label.
        label: String,
        /// What is wrong with it.
        #[source]
        cause: KeyError,
    },
    /// A look-up found several things, and nobody has said which one is meant.
    #[error("several can be connected: choose one of them, and send its value as choose.{}", .0.name)]
    ChoiceRequired(Box<Choices>),
    /// The provider no longer honours the connection; the person has to connect again.
    #[error("the provider no longer honours this connection; let the user connect again")]
    NeedsReauth,
    /// It can't be done now without risking a credential; nothing was changed.
    #[error("{why}")]
    RetryLater {
        /// A sentence for people.
        why: &'static str,
        /// When to try again.
        after: Duration,
    },
    /// The provider failed or answered what it does not document.
    #[error("{connector}: {cause}")]
    Provider {
        /// Whose provider.
        connector: ConnectorId,
        /// What happened.
        #[source]
        cause: ProviderError,
    },
    /// A server that is asked about itself failed, or does not answer as it should: a metadata document, a registration.
    #[error("{address}: {cause}")]
    Server {
        /// What was called.
        address: String,
        /// What happened.
        #[source]
        cause: ProviderError,
    },
    /// Storage did not answer. The cause is for the log, never for the caller.
    #[error("internal error")]
    Storage(#[from] StoreError),
    /// A secret could not be read, written or opened. The cause is for the log, never for the caller.
    #[error("internal error")]
    Vault(#[from] VaultError),
}

/// What was named and does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such route.
    #[error("there is nothing at this address")]
    Route,
    /// No such connector, or it is not enabled for this project.
    #[error("this connector is unknown, or not enabled for this project")]
    Connector,
    /// No such connection.
    #[error("there is no such connection in this project and environment")]
    Connection,
    /// No such credential.
    #[error("there is no such credential in this project and environment")]
    Credential,
    /// No such project.
    #[error("there is no such project")]
    Project,
    /// No such environment, or not the app client's own.
    #[error("there is no such environment in this project")]
    Environment,
    /// No such app client.
    #[error("there is no such app client in this project")]
    Client,
    /// No such attempt.
    #[error("there is no such attempt")]
    Attempt,
    /// The user was deleted.
    #[error("this user was deleted")]
    User,
}

impl Missing {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Route => "not_found",
            Self::Connector => "connector_not_found",
            Self::Connection => "connection_not_found",
            Self::Credential => "credential_not_found",
            Self::Project => "project_not_found",
            Self::Environment => "environment_not_found",
            Self::Client => "client_not_found",
            Self::Attempt => "attempt_not_found",
            Self::User => "user_not_found",
        }
    }
}

/// Codes of requests that are well-formed and still can't be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// RFC 6749 §5.2: the grant type is not `client_credentials`.
    UnsupportedGrantType,
    /// RFC 6749 §5.2: a scope is not one of the client's roles.
    InvalidScope,
    /// RFC 6749 §5.2: the completion code is unknown, used, expired or another attempt's.
    InvalidGrant,
    /// The redirect URI is not one of the project's.
    InvalidRedirectUri,
    /// The front end's address is not of an allowed origin.
    InvalidBaseUrl,
    /// The page that asks is not of an allowed origin.
    OriginNotAllowed,
    /// The app vouches for its users and named none.
    UserIdRequired,
    /// The user named is not the one who started.
    IdentityMismatch,
    /// A connection would be renewed with another account than its own.
    WrongAccount,
    /// The same, where the project leaves it to the person, who has not said so.
    AccountNotConfirmed,
    /// What was chosen is not what the provider offers.
    InvalidChoice,
    /// The API version is not one of the three.
    UnsupportedApiVersion,
    /// The credential type is not what this connector takes.
    UnsupportedCredentialType,
    /// The connector asks the person for something, and nothing was given.
    InputsRequired,
    /// What the person typed is not what the connector asks for.
    InvalidInputs,
    /// The provider does not accept the credentials.
    InvalidCredentials,
    /// The connector's definition has a fault.
    InvalidConnector,
    /// The connector can't be changed or taken away while something hangs on it.
    ConnectorInUse,
    /// The address would leave what the connector may call.
    AddressNotAllowed,
    /// The app switched the connection off.
    ConnectionInactive,
    /// Only an app that vouches for its users may ask so.
    VouchingRequired,
    /// RFC 8628 §3.5: the person has not decided yet.
    AuthorizationPending,
    /// RFC 8628 §3.5: the same, and the interval is longer than was kept to.
    SlowDown,
    /// RFC 8628 §3.5: the person said no.
    AccessDenied,
    /// RFC 8628 §3.5: nobody typed the code in time.
    ExpiredToken,
    /// There is no metadata where it should stand.
    MetadataNotFound,
    /// A metadata document was read and is not one to act upon.
    InvalidMetadata,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidBaseUrl => "invalid_base_url",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::UserIdRequired => "user_id_required",
            Self::IdentityMismatch => "identity_mismatch",
            Self::WrongAccount => "wrong_account",
            Self::AccountNotConfirmed => "account_not_confirmed",
            Self::InvalidChoice => "invalid_choice",
            Self::UnsupportedApiVersion => "unsupported_api_version",
            Self::UnsupportedCredentialType => "unsupported_credential_type",
            Self::InputsRequired => "inputs_required",
            Self::InvalidInputs => "invalid_inputs",
            Self::InvalidCredentials => "invalid_credentials",
            Self::InvalidConnector => "invalid_connector",
            Self::ConnectorInUse => "connector_in_use",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::ConnectionInactive => "connection_inactive",
            Self::VouchingRequired => "vouching_required",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::AccessDenied => "access_denied",
            Self::ExpiredToken => "expired_token",
            Self::MetadataNotFound => "metadata_not_found",
            Self::InvalidMetadata => "invalid_metadata",
        }
    }
}

/// What went wrong at a provider. Never holds a body of its answer: there could be a token in it.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No answer within the time limit.
    #[error("the provider did not answer in time")]
    Timeout,
    /// The name does not resolve, the connection is refused or breaks.
    #[error("the provider can't be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The address is not one that this connector may call, or not a public one.
    #[error("the provider's address is not one that may be called")]
    AddressRefused,
    /// An OAuth error response (RFC 6749 §5.2), or a status that means refusal.
    #[error("the provider refused with {0}")]
    Refused(String),
    /// The status by which it says that what was connected is no more
    /// ([`Login::grant_ended_status`](crate::protocol::connector::Login::grant_ended_status)).
    #[error("the provider says with status {0} that what was connected is no more")]
    Ended(u16),
    /// A list to choose from that is empty: the account has nothing that could be connected.
    #[error("the account has nothing that could be connected")]
    NothingFound,
    /// Something else than its documentation says.
    #[error("the provider's answer is not what it documents: {0}")]
    InvalidResponse(&'static str),
    /// An authorization response whose signature is missing or wrong: not the provider's word.
    #[error("the authorization response is not believed: {0}")]
    CallbackSignature(#[source] callback_signature::Refusal),
    /// A server error.
    #[error("the provider failed with status {0}")]
    Failed(u16),
}

impl ProviderError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout => "provider_timeout",
            Self::Unreachable(_) => "provider_unreachable",
            Self::AddressRefused => "provider_address_refused",
            Self::Refused(_) | Self::Ended(_) => "provider_refused",
            Self::NothingFound => "nothing_to_connect",
            Self::InvalidResponse(_) => "provider_invalid_response",
            Self::CallbackSignature(_) => "invalid_callback_signature",
            Self::Failed(_) => "provider_failed",
        }
    }

    /// As an error of the flow.
    #[must_use]
    pub fn of(self, connector: &ConnectorId) -> Error {
        Error::Provider { connector: connector.clone(), cause: self }
    }
}

/// Why storage failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB could not be reached.
    #[error("no connection to DynamoDB: {0}")]
    Connect(String),
    /// DynamoDB refused or did not answer.
    #[error("{operation} on {table} failed: {cause}")]
    Call {
        /// The API call.
        operation: &'static str,
        /// The table.
        table: String,
        /// What the SDK said.
        cause: String,
    },
    /// An item is not what this version writes.
    #[error("an item of {table} is malformed: {what}")]
    Malformed {
        /// The table.
        table: String,
        /// Which attribute, and why.
        what: String,
    },
}

/// Why a secret could not be read, written or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Secrets Manager refused or did not answer.
    #[error("{operation} of secret {name} failed: {cause}")]
    Secret {
        /// The API call.
        operation: &'static str,
        /// The secret.
        name: String,
        /// What the SDK said.
        cause: String,
    },
    /// The secret's content has another form.
    #[error("secret {name} is malformed: {why}")]
    Malformed {
        /// The secret.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The ring is not the one that this deployment's data was sealed with. Restore the ring secrets; sealing anything
    /// with this one would split the data in two.
    #[error(
        "the ring in Secrets Manager is not the one that this deployment's data was sealed with: restore the ring secrets"
    )]
    ForeignRing,
    /// The item names a ring version that is not in the ring.
    #[error("ring version {0} is not in the ring")]
    UnknownRingVersion(u32),
    /// The item does not open: it was changed, or belongs to another connection.
    #[error("a sealed item does not open: it was changed, or copied from another connection")]
    DoesNotOpen,
}

impl Error {
    /// A parameter is missing, malformed, repeated or too long.
    pub fn invalid(why: impl Into<String>) -> Self {
        Self::InvalidRequest(why.into())
    }

    /// A request that is well-formed and still can't be granted.
    pub fn refused(code: Refusal, why: impl Into<String>) -> Self {
        Self::Refused { code, why: why.into() }
    }
}

fn join<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// An error with all its causes, in one line. SDK errors say little by themselves; ours end in their cause, which is said once.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}
