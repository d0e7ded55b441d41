//! From a code, or a key that somebody typed, to a grant that can be held.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;

use super::{connector_in_use::ConnectorInUse, no_origin, not_believed, unusable};
use crate::{
    app::App,
    error::{Error, ProviderError, Refusal, VaultError},
    http::Params,
    id::ConnectorId,
    protocol::{
        account::{lookup_request, profile_request, read_lookup, read_profile},
        authorization::ClaimedCode,
        connector::{Connector, Pairs},
        credentials::Credentials,
        origins::Origins,
        template::{self, Values},
        token::{self, TokenRequest, Tokens},
    },
    secret::CodeVerifier,
    secrets::ClientsSecret,
    store::{
        attempts::{Attempt, Claimed, VERIFIER},
        connections::{Account, CREDENTIALS, Connection, HELD_FOR, Held},
    },
};

/// What all look-ups together may take, and the profile. The callback's function ends after 29 seconds, and what it learnt has
/// to be written by then: 10 for the token ([`PROVIDER_LIMIT`]), 6 and 4 for these, 8 for the write ([`crate::aws::CALL_LIMIT`])
/// leave one for the claim and the reads, which take some milliseconds.
///
/// [`PROVIDER_LIMIT`]: crate::egress::PROVIDER_LIMIT
const LOOKUPS_LIMIT: Duration = Duration::from_secs(6);
const PROFILE_LIMIT: Duration = Duration::from_secs(4);

/// Why there is no grant to hold.
#[derive(Debug)]
pub struct NoGrant {
    /// What went wrong.
    pub error: Error,
    /// What the provider had issued by then, which can't be used.
    pub issued: Option<Box<Held>>,
}

impl From<Error> for NoGrant {
    fn from(error: Error) -> Self {
        Self { error, issued: None }
    }
}

impl App {
    /// Redeems a code (RFC 6749 §4.1.3), learns what the connector needs and whose account it is, and seals the tokens.
    pub async fn redeem(&self, claimed: &Claimed, code: &ClaimedCode, response: &Params) -> Result<Held, NoGrant> {
        let attempt = claimed.attempt();
        let client_source =
            attempt.client.as_ref().ok_or_else(|| Error::ClientNotConfigured(attempt.connector.clone()))?;
        let client_id = attempt.client_id.as_deref().unwrap_or_default();
        let secret = ClientsSecret::of(client_source, &attempt.project, attempt.environment);
        let now = self.clock.now();
        // one round: the address is for the answer at the end, and read again then if it fails here
        let (connector, client, verifier, _) = tokio::try_join!(
            Box::pin(self.connector_data(&attempt.project, &attempt.connector)),
            Box::pin(self.secrets.provider_client(&secret, &attempt.connector, client_id, now)),
            Box::pin(self.verifier(claimed)),
            Box::pin(async { Ok(self.base_url(now).await.ok()) }),
        )?;
        let oauth2 = connector.oauth2.as_ref().ok_or(Error::UnknownState)?;

        let mut values: Values = attempt.values.clone().into_iter().collect();
        capture(&connector, &attempt.connector, &connector.captures.authorization_response, &mut values, |from| {
            response.one(from).ok().flatten().map(str::to_owned)
        })?;
        let asking = TokenRequest { oauth2, client: &client, values: &values, now, random: &self.random };
        let request = asking.code(code, &verifier, &attempt.redirect_uri).map_err(unusable(&attempt.connector))?;
        let origins = Origins::of(&connector, &values).map_err(no_origin(&attempt.connector))?;
        let response = self.egress.send(request, &origins).await.map_err(|cause| cause.of(&attempt.connector))?;
        let tokens = token::read(oauth2, &response, now).map_err(|cause| cause.of(&attempt.connector))?;

        let captured =
            capture(&connector, &attempt.connector, &connector.captures.token_response, &mut values, |path| {
                template::pluck_text(&tokens.answer, path)
            });
        let token_expires_at = tokens.expires_at;
        let scopes = tokens.scopes.clone().unwrap_or_else(|| attempt.scopes.clone());
        let credentials = credentials(tokens);
        let site = match captured {
            Ok(()) => self.look_up_in_time(&connector, &attempt.connector, &mut values, &credentials).await,
            Err(error) => Err(error),
        };
        // also where something is missing that the connector needs: whose the tokens are decides whether they may be revoked
        let mut account = self.account(&connector, &attempt.connector, &values, &credentials).await;
        account.label = account.label.or_else(|| site.as_ref().ok()?.clone());
        let mut held = self.held(attempt, values, account, &credentials, scopes).await?;
        held.token_expires_at = token_expires_at;
        match site {
            Ok(_) => Ok(held),
            Err(error) => Err(NoGrant { error, issued: Some(Box::new(held)) }),
        }
    }

    async fn verifier(&self, claimed: &Claimed) -> Result<CodeVerifier, Error> {
        let plaintext = self.open(&claimed.attempt().belongs(VERIFIER), claimed.sealed_verifier()).await?;
        String::from_utf8(plaintext).map(CodeVerifier::from).map_err(|_| Error::Vault(VaultError::DoesNotOpen))
    }

    /// A look-up that fails or takes too long fails the connection, since addresses hang on it.
    async fn look_up_in_time(
        &self,
        connector: &Connector,
        id: &ConnectorId,
        values: &mut Values,
        credentials: &Credentials,
    ) -> Result<Option<String>, Error> {
        let site = timeout(LOOKUPS_LIMIT, self.look_up(connector, id, values, credentials)).await;
        site.map_err(|_| ProviderError::Timeout.of(id)).flatten()
    }

    /// A profile that fails or takes too long leaves the account unknown.
    async fn account(
        &self,
        connector: &Connector,
        id: &ConnectorId,
        values: &Values,
        credentials: &Credentials,
    ) -> Account {
        let profile = timeout(PROFILE_LIMIT, self.profile(connector, id, values, credentials)).await;
        match profile.map_err(|_| ProviderError::Timeout.of(id)).flatten() {
            Ok(account) => account.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(connector = %id, cause = crate::error::chain(&error), "the profile call failed; the account stays unknown");
                Account::default()
            }
        }
    }

    /// The look-ups, in order: each may need what the one before found. The label that one of them told.
    async fn look_up(
        &self,
        connector: &Connector,
        id: &ConnectorId,
        values: &mut Values,
        credentials: &Credentials,
    ) -> Result<Option<String>, Error> {
        let mut site = None;
        for lookup in connector.lookups.iter() {
            let (request, origins) =
                with_credential(connector, id, values, credentials, |all| lookup_request(connector, lookup, all))?;
            let response = self.egress.send(request, &origins).await.map_err(|cause| cause.of(id))?;
            let found = read_lookup(lookup, &response).map_err(|cause| cause.of(id))?;
            let Some(first) = found.into_iter().next() else { continue };
            for (name, value) in &first.values {
                keep(connector, id, values, name, value)?;
            }
            site = site.or(first.label);
        }
        Ok(site)
    }

    async fn profile(
        &self,
        connector: &Connector,
        id: &ConnectorId,
        values: &Values,
        credentials: &Credentials,
    ) -> Result<Option<Account>, Error> {
        let Some(profile) = &connector.profile else { return Ok(None) };
        let (request, origins) =
            with_credential(connector, id, values, credentials, |all| profile_request(connector, profile, all))?;
        let response = self.egress.send(request, &origins).await.map_err(|cause| cause.of(id))?;
        let mut all = values.clone();
        credentials.fill(&mut all);
        read_profile(profile, &response, &all).map(Some).map_err(|cause| cause.of(id))
    }

    /// A grant from what somebody typed: verified by the profile call where the connector has one, and not stored when the
    /// provider refuses it.
    pub async fn typed_grant(
        &self,
        connector: &ConnectorInUse<'_>,
        attempt: &Attempt,
        secrets: BTreeMap<String, String>,
    ) -> Result<Held, Error> {
        self.verified_grant(connector, attempt, secrets).await.map_err(|error| match error {
            Error::Provider { cause: ProviderError::Refused(code), .. } => Error::refused(
                Refusal::InvalidCredentials,
                format!("{} does not accept these credentials ({code})", connector.data.name),
            ),
            error => error,
        })
    }

    /// The same with the provider's refusal as it is, for who can say it in other words.
    pub async fn verified_grant(
        &self,
        connector: &ConnectorInUse<'_>,
        attempt: &Attempt,
        secrets: BTreeMap<String, String>,
    ) -> Result<Held, Error> {
        let credentials = Credentials::typed(secrets);
        let values: Values = attempt.values.clone().into_iter().collect();
        let account = self.profile(&connector.data, &connector.id, &values, &credentials).await?.unwrap_or_default();
        self.held(attempt, values, account, &credentials, Vec::new()).await
    }

    async fn held(
        &self,
        attempt: &Attempt,
        values: Values,
        account: Account,
        credentials: &Credentials,
        scopes: Vec<String>,
    ) -> Result<Held, Error> {
        let now = self.clock.now();
        let connection = Connection {
            key: attempt.connection.clone(),
            project: attempt.project.clone(),
            environment: attempt.environment,
            connector: attempt.connector.clone(),
            identity: attempt.identity.clone(),
            identity_label: attempt.identity_label.clone(),
            name: attempt.name.clone(),
            account,
            client: attempt.client.clone(),
            client_id: attempt.client_id.clone(),
            scopes,
            values: values.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            tags: Vec::new(),
            active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let sealed = self.seal(&attempt.belongs(CREDENTIALS), &credentials.plaintext()).await?;
        Ok(Held {
            attempt: attempt.id.clone(),
            connection,
            sealed,
            token_expires_at: None,
            held_until: now.after(HELD_FOR),
        })
    }
}

/// A request that carries the credential, and where it may go.
fn with_credential(
    connector: &Connector,
    id: &ConnectorId,
    values: &Values,
    credentials: &Credentials,
    build: impl Fn(&Values) -> Result<http::Request<bytes::Bytes>, template::TemplateError>,
) -> Result<(http::Request<bytes::Bytes>, Origins), Error> {
    let mut all = values.clone();
    credentials.fill(&mut all);
    let request = build(&all).map_err(unusable(id))?;
    let origins = Origins::of(connector, &all).map_err(no_origin(id))?;
    Ok((request, origins))
}

fn credentials(tokens: Tokens) -> Credentials {
    Credentials {
        access_token: Some(tokens.access_token),
        refresh_token: tokens.refresh_token,
        secrets: BTreeMap::new(),
    }
}

/// Keeps what the connector's data names in one of the provider's answers.
fn capture(
    connector: &Connector,
    id: &ConnectorId,
    named: &Pairs,
    values: &mut Values,
    found: impl Fn(&str) -> Option<String>,
) -> Result<(), Error> {
    for (name, from) in named.iter() {
        if let Some(value) = found(from) {
            keep(connector, id, values, name, &value)?;
        }
    }
    Ok(())
}

/// Keeps a value that the provider gave, if it is one that may be believed.
fn keep(connector: &Connector, id: &ConnectorId, values: &mut Values, name: &str, value: &str) -> Result<(), Error> {
    template::believe(connector, name, value).map_err(not_believed(id))?;
    values.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aws::CALL_LIMIT, egress::PROVIDER_LIMIT};

    #[test]
    fn what_a_slow_provider_takes_leaves_time_to_write_it_down() {
        let template = include_str!("../../../template.yaml");
        let limit = |line: &str| line.trim().strip_prefix("Timeout: ")?.split(' ').next()?.parse().ok();
        let function = Duration::from_secs(template.lines().find_map(limit).unwrap());
        let (_, callback) = template.split_once("  CallbackFunction:").unwrap();
        let (callback, _) = callback.split_once("  CallbackLog:").unwrap();
        assert_eq!(callback.lines().find_map(limit), None, "it has the time that all have");
        assert!(PROVIDER_LIMIT + LOOKUPS_LIMIT + PROFILE_LIMIT + CALL_LIMIT < function, "{function:?}");
    }
}
