//! How the browser gets to the provider, and what is got there ahead of it.
//!
//! | provider | ahead of the browser | the browser carries |
//! |---|---|---|
//! | most | nothing | the request (RFC 6749 §4.1.1) |
//! | with a pushed authorization request endpoint | the request, with the client's authentication | its client's id and a reference (RFC 9126 §4) |
//! | of OAuth 1.0a | temporary credentials, for our redirect URI with the `state` in it | their name (RFC 5849 §2.2) |
//!
//! What is got lives about a minute, so it is got when the browser arrives at our start, and again when it comes again. An
//! attempt that could not leave stands as it was, unless the provider has said no.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::Url;

use super::{connector_in_use::ConnectorInUse, finish::Ending, no_origin, unusable};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, ProviderError, VaultError, chain},
    id::ConnectorId,
    protocol::{
        authorization::{AuthorizationRequest, with_state},
        connector::{Connector, OAuth1, OAuth2},
        dpop,
        oauth1::{self, Consumer, Signer},
        origins::Origins,
        pushed, scope,
        template::{self, Values},
        token::TokenRequest,
    },
    secret::{CodeVerifier, Digest, ProofKey},
    secrets::{ClientSource, ClientsSecret, ProviderClient},
    store::attempts::{Attempt, Departure, Issuer, Kept, State, VERIFIER},
    vault::Sealed,
};

/// The way to a provider, but for the `state`.
pub(super) struct Way {
    pub(super) address: Url,
    pub(super) departure: Departure,
    pub(super) code_parameter: Option<String>,
    pub(super) issuer: Option<Issuer>,
    pub(super) scopes: Vec<String>,
    pub(super) kept: Kept,
}

impl App {
    /// The way to the provider of a connector to which a person consents in a browser.
    pub(super) fn way(
        &self,
        connector: &ConnectorInUse<'_>,
        client_id: &str,
        redirect_uri: &str,
        values: &Values,
        further: &[String],
    ) -> Result<Way, Error> {
        match (&connector.data.oauth2, &connector.data.oauth1) {
            (Some(oauth2), _) => self.way_by_code(connector, oauth2, client_id, redirect_uri, values, further),
            (None, Some(oauth1)) => way_by_verifier(connector, oauth1, &values.with_random(&self.random)),
            (None, None) => {
                Err(Error::invalid(format!("{} is connected with a key, not by authorization", connector.data.name)))
            }
        }
    }

    fn way_by_code(
        &self,
        connector: &ConnectorInUse<'_>,
        oauth2: &OAuth2,
        client_id: &str,
        redirect_uri: &str,
        values: &Values,
        further: &[String],
    ) -> Result<Way, Error> {
        if oauth2.authorization_endpoint.is_none() {
            return Err(Error::invalid(format!(
                "{} is connected by a code that is typed on another device: POST /v1/connect/device",
                connector.data.name
            )));
        }
        let verifier = CodeVerifier::random(&self.random);
        let unusable = unusable(&connector.id);
        let (mut scopes, second_scopes) = connector.scopes();
        scopes.extend(further.iter().filter(|scope| connector.may_be_asked(scope, values)).cloned());
        let mut seen = BTreeSet::new();
        let mut scopes = scope::filled(&scopes, oauth2, values).map_err(&unusable)?;
        scopes.retain(|scope| seen.insert(scope.clone())); // what is asked for again may be written both ways
        let second_scopes = scope::filled(&second_scopes, oauth2, values).map_err(&unusable)?;
        let request = AuthorizationRequest {
            client_id,
            redirect_uri,
            scopes: &scopes,
            second_scopes: &second_scopes,
            extra: &connector.settings().authorization_params,
            verifier: &verifier,
            random: &self.random.uuid(),
        };
        let proof_key = self.proof_key(oauth2, &connector.id)?;
        let (address, departure) = if oauth2.pushed_authorization_request_endpoint.is_some() {
            let params = request.params(oauth2, values).map_err(&unusable)?;
            (AuthorizationRequest::endpoint(oauth2, values).map_err(&unusable)?, Departure::Pushed { params })
        } else {
            (request.url(oauth2, values).map_err(&unusable)?, Departure::Direct)
        };
        let issuer = oauth2.issuer.as_ref().map(|issuer| template::address(issuer, values)).transpose();
        Ok(Way {
            address,
            departure,
            code_parameter: oauth2.parameter_names.authorization_response.value("code").map(str::to_owned),
            issuer: issuer.map_err(&unusable)?.map(|identifier| Issuer {
                identifier,
                is_told: oauth2.authorization_response_iss_parameter_supported,
            }),
            scopes,
            kept: Kept { proof_key, ..Kept::verifier(verifier) },
        })
    }

    /// The key that the tokens of an attempt will be bound to (RFC 9449), where the provider binds them.
    pub(super) fn proof_key(&self, oauth2: &OAuth2, id: &ConnectorId) -> Result<Option<ProofKey>, Error> {
        let key = oauth2.dpop.then(|| dpop::generate(&self.random)).transpose();
        key.map_err(|error| unusable(id)(error.into()))
    }

    /// The provider's page for the browser that has this attempt.
    pub async fn depart(&self, attempt: &Attempt, state: &State, browser: &Digest) -> Result<Url, Error> {
        match &attempt.departure {
            Departure::Direct => with_state(&attempt.authorization_url, state).map_err(|_| Error::UnknownState),
            Departure::Pushed { params } => self.push(attempt, state, params).await,
            Departure::Temporary => self.ask_for_temporary_credentials(attempt, state, browser).await,
            Departure::Device => Err(Error::UnknownState),
        }
    }

    /// Pushes the request (RFC 9126 §2.1); the browser carries the reference alone.
    async fn push(&self, attempt: &Attempt, state: &State, params: &[(String, String)]) -> Result<Url, Error> {
        let id = &attempt.connector;
        let (connector, client, values) = self.at_the_provider(attempt).await?;
        let (Some(oauth2), Ok(address)) = (&connector.oauth2, Url::parse(&attempt.authorization_url)) else {
            return Err(Error::UnknownState);
        };
        let endpoint = oauth2.pushed_authorization_request_endpoint.as_deref().ok_or(Error::UnknownState)?;
        let state = state.expose();
        let params = params.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let params: Vec<_> = params.chain([("state", state)]).collect();
        let asking =
            TokenRequest { oauth2, client: &client, values: &values, now: self.clock.now(), random: &self.random };
        let kept = if oauth2.dpop {
            self.open_kept(attempt, &self.attempts.kept(&attempt.id).await?).await?
        } else {
            Kept::default()
        };
        let origins = Origins::of(&connector, &values).map_err(no_origin(id))?;
        let key = kept.proof_key.as_ref(); // RFC 9449 §10.1: the code is bound to it too
        let build = || asking.beside(endpoint, params.clone()).map_err(unusable(id));
        let response = self.send_proven(id, &origins, key, build).await?;
        let pushed = pushed::read(&response).map_err(|cause| cause.of(id))?;
        Ok(pushed.authorization_url(&address, &client.client_id))
    }

    /// Gets temporary credentials (RFC 5849 §2.1) and keeps their secret for the browser that takes their name along.
    async fn ask_for_temporary_credentials(
        &self,
        attempt: &Attempt,
        state: &State,
        browser: &Digest,
    ) -> Result<Url, Error> {
        let id = &attempt.connector;
        let (connector, client, values) = self.at_the_provider(attempt).await?;
        let (Some(oauth1), Ok(page)) = (&connector.oauth1, Url::parse(&attempt.authorization_url)) else {
            return Err(Error::UnknownState);
        };
        let callback = with_state(&attempt.redirect_uri, state).map_err(|_| Error::UnknownState)?;
        let endpoint = template::url(&oauth1.temporary_credential_endpoint, &values).map_err(unusable(id))?;
        let signer = signer(oauth1, &client)?;
        let request = signer
            .temporary_credential_request(
                &http::Method::POST,
                &endpoint,
                callback.as_str(),
                self.clock.now(),
                &self.nonce(),
            )
            .map_err(unusable(id))?;
        let origins = Origins::of(&connector, &values).map_err(no_origin(id))?;
        let response = self.egress.send(request, &origins).await.map_err(|cause| cause.of(id))?;
        let temporary = oauth1::read_temporary_credentials(&response).map_err(|cause| cause.of(id))?;
        let page = oauth1::authorization_url(&page, &temporary.token);
        let kept = Kept { temporary: Some(temporary.token), token_secret: Some(temporary.secret), ..Kept::default() };
        let sealed = self.seal_kept(attempt, &kept).await?;
        self.attempts.keep(&attempt.id, browser, &sealed).await?;
        Ok(page)
    }

    /// What a request to the provider takes before anybody has answered: the connector, the client and what fills the templates.
    pub(super) async fn at_the_provider(
        &self,
        attempt: &Attempt,
    ) -> Result<(Connector, ProviderClient, Values), Error> {
        let now = self.clock.now();
        let (connector, client) = tokio::try_join!(
            Box::pin(self.connector_data(&attempt.project, attempt.environment, &attempt.connector)),
            Box::pin(self.client_of_attempt(attempt, now)),
        )?;
        Ok((connector.into_owned(), client, attempt.values.clone().into()))
    }

    /// The provider client that an attempt began with, and none that took its place since.
    pub(super) async fn client_of_attempt(&self, attempt: &Attempt, now: Timestamp) -> Result<ProviderClient, Error> {
        let source = attempt.client.as_ref().ok_or_else(|| Error::ClientNotConfigured(attempt.connector.clone()))?;
        let client_id = attempt.client_id.as_deref().unwrap_or_default();
        if let ClientSource::Server(name) = source {
            return self.named_client(name, &attempt.connector, client_id).await;
        }
        let secret = ClientsSecret::of(source, &attempt.project, attempt.environment);
        let secret = secret.ok_or_else(|| Error::ClientNotConfigured(attempt.connector.clone()))?;
        self.secrets.provider_client(&secret, &attempt.connector, client_id, now).await
    }

    /// What becomes of an attempt whose browser could not leave. The provider's refusal ends it, unless the same browser has gone
    /// and answered before; after anything else it may start again.
    pub async fn stay(&self, attempt: &Attempt, error: Error) -> Result<Ending, Error> {
        let refusal = match &error {
            Error::Provider { cause: cause @ ProviderError::Refused(_), .. } => cause.code(),
            _ => return Err(error),
        };
        tracing::warn!(attempt = %attempt.id, connector = %attempt.connector, cause = chain(&error), "the provider refused what has to be asked ahead of the browser");
        if self.attempts.fail_to_leave(&attempt.id, refusal).await? {
            return Ok(Ending::Failed(refusal.to_owned()));
        }
        Err(error)
    }

    /// Seals what an attempt keeps until its answer comes.
    pub(super) async fn seal_kept(&self, attempt: &Attempt, kept: &Kept) -> Result<Sealed, Error> {
        self.seal(&attempt.belongs(VERIFIER), &kept.plaintext()).await
    }

    /// Opens it.
    pub(super) async fn open_kept(&self, attempt: &Attempt, sealed: &Sealed) -> Result<Kept, Error> {
        let plaintext = self.open(&attempt.belongs(VERIFIER), sealed).await?;
        Kept::from_plaintext(plaintext).ok_or(Error::Vault(VaultError::DoesNotOpen))
    }

    /// Never the same twice (RFC 5849 §3.3).
    pub(super) fn nonce(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random.bytes::<16>()).replace(['-', '_'], "0")
    }
}

/// By OAuth 1.0a: the scopes are the provider's affair.
fn way_by_verifier(connector: &ConnectorInUse<'_>, oauth1: &OAuth1, values: &Values) -> Result<Way, Error> {
    let unusable = unusable(&connector.id);
    let mut address = template::url(&oauth1.authorization_endpoint, values).map_err(&unusable)?;
    let params = template::pairs(&oauth1.authorization_params, values).map_err(&unusable)?;
    if !params.is_empty() {
        address.query_pairs_mut().extend_pairs(params);
    }
    Ok(Way {
        address,
        departure: Departure::Temporary,
        code_parameter: None,
        issuer: None,
        scopes: Vec::new(),
        kept: Kept::default(),
    })
}

/// Who signs as the client alone.
pub(super) fn signer<'a>(oauth1: &OAuth1, client: &'a ProviderClient) -> Result<Signer<'a>, Error> {
    let secret = client.client_secret.as_ref();
    let secret = secret.ok_or_else(|| Error::invalid("the provider client has no secret to sign with"))?;
    let consumer = Consumer { key: &client.client_id, secret };
    Ok(Signer { consumer, token: None, method: oauth1.signature_method, realm: None })
}
