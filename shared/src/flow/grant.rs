//! From a code, or a key that somebody typed, to a grant that can be held.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;
use url::form_urlencoded::Serializer;

use super::{
    choose::{Learnt, Wanted},
    connector_in_use::ConnectorInUse,
    making::Making,
    unusable,
};
use crate::{
    app::App,
    egress::PROVIDER_LIMIT,
    error::{Error, ProviderError, Refusal},
    http::Params,
    protocol::{
        account::{captured_profile, profile_request, read_profile},
        authorization::ClaimedCode,
        callback_signature::{self, Encoding},
        connector::{CallbackSignature, CallbackSignatureAlgorithm, Connector},
        credentials::Credentials,
        renewal, scope,
        template::{self, Values},
        token::{TokenRequest, Tokens},
    },
    secret::ProofKey,
    secrets::{ClientSource, ProviderClient},
    store::{
        attempts::{Attempt, Claimed},
        connections::{Account, CREDENTIALS, Chosen, Connection, HELD_FOR, Held},
    },
};

/// What the exchange, the login and all look-ups together may take, and the profile. The callback's function ends after 29 seconds, and what it learnt has
/// to be written by then: 10 for the token ([`PROVIDER_LIMIT`]), 6 and 4 for these, 8 for the write ([`crate::aws::CALL_LIMIT`])
/// leave one for the claim and the reads, which take some milliseconds.
///
/// [`PROVIDER_LIMIT`]: crate::egress::PROVIDER_LIMIT
pub(super) const LOOKUPS_LIMIT: Duration = Duration::from_secs(6);
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
    /// Redeems a code (RFC 6749 §4.1.3) or a verifier (RFC 5849 §2.3), learns what the connector needs and whose account it is, and
    /// seals the tokens.
    pub async fn redeem(&self, claimed: &Claimed, code: &ClaimedCode, response: &Params) -> Result<Held, NoGrant> {
        let attempt = claimed.attempt();
        let id = &attempt.connector;
        let now = self.clock.now();
        // one round: the address is for the answer at the end, and read again then if it fails here
        let (connector, client, kept, _) = tokio::try_join!(
            Box::pin(self.connector_data(&attempt.project, attempt.environment, id)),
            Box::pin(self.client_of_attempt(attempt, now)),
            Box::pin(self.open_kept(attempt, claimed.sealed())),
            Box::pin(async { Ok(self.base_url(now).await.ok()) }),
        )?;
        must_be_signed(&connector, &client, response).map_err(|cause| cause.of(id))?;

        let mut making = making_of(&connector, attempt, client, kept.proof_key.clone());
        let answered = |from: &str| response.one(from).ok().flatten().map(str::to_owned);
        making.capture(&connector.captures.authorization_response, answered)?;
        let tokens = match (&connector.oauth2, &connector.oauth1) {
            (Some(oauth2), _) => {
                let renewal =
                    oauth2.refresh_params.iter().map(|(_, value)| value).chain(oauth2.refresh_endpoint.as_deref());
                if renewal.flat_map(template::placeholders).any(|name| name == "redirect_uri") {
                    making.values.insert("redirect_uri", &attempt.redirect_uri);
                }
                let verifier = kept.code_verifier.ok_or(Error::UnknownState)?;
                let mut all = making.all();
                all.insert("state", answered("state").unwrap_or_default());
                let asking = TokenRequest { oauth2, client: &making.client, values: &all, now, random: &self.random };
                match self.ask(&making, oauth2, || asking.code(code, &verifier, &attempt.redirect_uri)).await {
                    Ok(tokens) => tokens,
                    Err(error) => {
                        let place = (&attempt.project, attempt.environment, id);
                        let client = (attempt.client.as_ref(), attempt.client_id.as_deref());
                        self.note_refused_client(&connector, place, client, &error).await;
                        return Err(error.into());
                    }
                }
            }
            (None, Some(oauth1)) => self.redeem_verifier(&mut making, oauth1, &kept, code, response).await?,
            (None, None) => return Err(Error::UnknownState.into()),
        };
        self.granted(attempt, making, &tokens, &meant(&connector, response)).await
    }

    /// Makes a grant of the first tokens: learns what the connector needs and whose account it is, and seals it. `meant` is what the
    /// authorization response says was chosen at the provider.
    pub(super) async fn granted(
        &self,
        attempt: &Attempt,
        mut making: Making<'_>,
        tokens: &Tokens,
        meant: &Chosen,
    ) -> Result<Held, NoGrant> {
        let scopes = tokens.scopes.clone().unwrap_or_else(|| attempt.scopes.clone());
        let learnt = match making.take(tokens, self.clock.now()) {
            Ok(()) => self.finish_new(&mut making, attempt, meant).await,
            Err(error) => Err(error),
        };
        // also where something is missing that the connector needs: whose the tokens are decides whether they may be revoked
        let (learnt, failure) = match learnt {
            Ok(learnt) => (learnt, None),
            Err(error) => (Learnt::default(), Some(error)),
        };
        let mut account = self.account_so_far(&making, &learnt).await;
        account.label = account.label.or(learnt.label);
        let mut held = self.held(attempt, making, account, scopes).await?;
        held.choices = learnt.open;
        match failure {
            None => Ok(held),
            Some(error) => Err(NoGrant { error, issued: Some(Box::new(held)) }),
        }
    }

    /// The same for a new grant: one that renews a connection takes what was chosen for that, where it is still offered.
    async fn finish_new(&self, making: &mut Making<'_>, attempt: &Attempt, meant: &Chosen) -> Result<Learnt, Error> {
        let lists = making.connector.lookups.iter().any(|lookup| lookup.list.is_some());
        let renewed = if lists && attempt.reconnect { self.connections.find(&attempt.connection).await? } else { None };
        let before = renewed.map(|renewed| renewed.connection.values).unwrap_or_default();
        let learnt = self.finish_in_time(making, Wanted { chosen: meant, before: &before }).await;
        learnt.map_err(|error| match error {
            // nobody typed it: the browser brought it
            Error::Refused { code: Refusal::InvalidChoice, .. } => {
                ProviderError::InvalidResponse("it names something that is not among what the account has")
                    .of(making.id)
            }
            error => error,
        })
    }

    /// What follows the first token: the exchange, the login and the look-ups. One that fails or takes too long fails the
    /// connection, since calls and addresses hang on it.
    async fn finish_in_time(&self, making: &mut Making<'_>, wanted: Wanted<'_>) -> Result<Learnt, Error> {
        let id = making.id;
        let finish = async {
            self.exchange(making).await?;
            let learnt = self.learn_each(making, 0, wanted).await?;
            if learnt.open.is_none() {
                making.must_be_usable()?;
            }
            Ok(learnt)
        };
        timeout(LOOKUPS_LIMIT, finish).await.map_err(|_| ProviderError::Timeout.of(id)).flatten()
    }

    /// A profile that fails or takes too long leaves the account unknown.
    pub(super) async fn account(&self, making: &Making<'_>) -> Account {
        match self.profile_in_time(making).await {
            Ok(account) => account.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(connector = %making.id, cause = crate::error::chain(&error), "the profile call failed; the account stays unknown");
                Account::default()
            }
        }
    }

    pub(super) async fn profile_in_time(&self, making: &Making<'_>) -> Result<Option<Account>, Error> {
        let profile = timeout(PROFILE_LIMIT, self.profile(making)).await;
        profile.map_err(|_| ProviderError::Timeout.of(making.id)).flatten()
    }

    async fn profile(&self, making: &Making<'_>) -> Result<Option<Account>, Error> {
        let (connector, id) = (making.connector, making.id);
        let Some(profile) = &connector.profile else { return Ok(None) };
        let all = making.all();
        let Some(url) = &profile.url else { return Ok(Some(captured_profile(profile, &all))) };
        let response = self.call(making, |all| profile_request(connector, profile, url, all)).await?;
        read_profile(profile, &response, &all).map(Some).map_err(|cause| cause.of(id))
    }

    /// A grant from what somebody typed: verified by the first token, the login or the profile call, as the connector has them,
    /// and not stored when the provider refuses it.
    pub async fn typed_grant(
        &self,
        connector: &ConnectorInUse<'_>,
        attempt: &Attempt,
        secrets: BTreeMap<String, String>,
        chosen: &Chosen,
    ) -> Result<Held, Error> {
        self.verified_grant(connector, attempt, secrets, chosen).await.map_err(|error| match error {
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
        chosen: &Chosen,
    ) -> Result<Held, Error> {
        connector.must_be_configured()?;
        let (data, id) = (connector.data.as_ref(), &connector.id);
        let belongs = (&attempt.project, attempt.environment);
        let operator =
            self.operator_of(data, id, attempt.client.as_ref(), attempt.client_id.as_deref(), belongs).await?;
        let mut values = Values::from(attempt.values.clone());
        let mut scopes = Vec::new();
        if let Some(oauth2) = &data.oauth2 {
            scopes = scope::filled(&connector.scopes().0, oauth2, &values).map_err(unusable(id))?;
            values.insert("scope", scopes.join(&oauth2.scope_separator));
        }
        let mut making = Making::new(data, id, operator, values, Credentials::typed(secrets));
        let requested = scopes.clone();
        scopes = self.mint(&mut making).await?.unwrap_or(scopes);
        let none = Chosen::new();
        let learnt = self.finish_in_time(&mut making, Wanted { chosen, before: &none }).await?;
        // a key that is used as it is was sent nowhere yet, and may take its time
        let limit = if data.oauth2.is_some() || data.login.is_some() { PROFILE_LIMIT } else { PROVIDER_LIMIT };
        let mut account = if learnt.waits(&making) {
            Account::default()
        } else {
            let profile = timeout(limit, self.profile(&making)).await;
            profile.map_err(|_| ProviderError::Timeout.of(id)).flatten()?.unwrap_or_default()
        };
        account.label = account.label.or(learnt.label);
        let held = self.held(attempt, making, account, scopes).await?;
        Ok(Held { choices: learnt.open, connection: Connection { requested, ..held.connection }, ..held })
    }

    async fn held(
        &self,
        attempt: &Attempt,
        making: Making<'_>,
        account: Account,
        scopes: Vec<String>,
    ) -> Result<Held, Error> {
        let now = self.clock.now();
        let Making { connector, values, credentials, .. } = making;
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
            requested: attempt.scopes.clone(),
            slots: credentials.slots.keys().cloned().collect(),
            values: values.clone().into(),
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
            token_expires_at: credentials.ends_at(),
            renew_at: renewal::due(connector, &credentials),
            held_until: now.after(HELD_FOR),
            choices: None,
        })
    }
}

/// Credentials in the making of an attempt that somebody consented to.
pub(super) fn making_of<'a>(
    connector: &'a Connector,
    attempt: &'a Attempt,
    client: ProviderClient,
    proof_key: Option<ProofKey>,
) -> Making<'a> {
    let mut values = Values::from(attempt.values.clone());
    if let Some(oauth2) = &connector.oauth2 {
        values.insert("scope", attempt.scopes.join(&oauth2.scope_separator));
    }
    let server = matches!(attempt.client, Some(ClientSource::Server(_)));
    let client_secret = client.client_secret.clone().filter(|_| server);
    let credentials = Credentials { proof_key, client_secret, ..Credentials::default() };
    Making::new(connector, &attempt.connector, client, values, credentials)
}

/// What the authorization response says was chosen at the provider.
fn meant(connector: &Connector, response: &Params) -> Chosen {
    let said = |parameter: &str| response.one(parameter).ok().flatten().filter(|value| !value.is_empty());
    let lookups = connector.lookups.iter();
    lookups
        .filter_map(|lookup| Some((lookup.name.to_string(), said(lookup.chosen_by.as_deref()?)?.to_owned())))
        .collect()
}

/// An answer that has to be signed is believed only if it is. It was claimed before: it is this attempt's answer, right or wrong.
fn must_be_signed(connector: &Connector, client: &ProviderClient, response: &Params) -> Result<(), ProviderError> {
    let signature = connector.oauth2.as_ref().and_then(|oauth2| oauth2.callback_signature.as_ref());
    let Some(CallbackSignature { parameter, algorithm }) = signature else { return Ok(()) };
    let Some(secret) = &client.client_secret else {
        return Err(ProviderError::CallbackSignature(callback_signature::Refusal::Wrong));
    };
    let encoding = match algorithm {
        CallbackSignatureAlgorithm::HmacSha256SortedQuery => Encoding::Separators,
    };
    // decoded and written anew: how the browser brought it does not count, by GET or by POST
    let query = Serializer::new(String::new()).extend_pairs(response.iter()).finish();
    callback_signature::verify(&query, parameter, encoding, secret).map_err(ProviderError::CallbackSignature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::CALL_LIMIT;

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
