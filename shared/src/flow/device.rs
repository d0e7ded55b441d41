//! A consent on another device (RFC 8628): the app shows a code, a person types it at the provider, the app asks how it went.
//!
//! There is no browser of ours in it, so nothing can prove who typed the code. The app vouches: its back end begins and collects
//! for one named user, and a project has to have turned that on. How often the provider is asked is for the provider to say, and
//! nobody who calls here can make it more.

use std::{sync::Arc, time::Duration};

use super::{
    begin::Asked, connector_in_use::ConnectorInUse, finish::Ending, grant::making_of, making::Making, no_origin,
    unusable,
};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, ProviderError, Refusal},
    id::AttemptId,
    protocol::{
        connector::OAuth2,
        device::{self, DeviceAuthorization, Next},
        origins::Origins,
        scope,
        template::Values,
        token::{TokenRequest, Tokens},
    },
    secrets::ProviderClient,
    store::{
        Claimer,
        attempts::{Attempt, Completion, Departure, Kept, Polling},
        connections::{Chosen, Completer},
    },
};

/// The longest that a person is waited for, whatever the provider allows.
const LONGEST: Duration = Duration::from_hours(1);

/// What the app shows to the person.
pub struct DeviceBegun {
    /// The attempt, by which the app asks how it went.
    pub attempt: AttemptId,
    /// What the provider answered, the device code excepted, which stays here.
    pub shown: DeviceAuthorization,
    /// How long it may take.
    pub expires_in: Duration,
}

impl App {
    /// Asks the provider for a code to show (RFC 8628 §3.1): one provider call, one write.
    pub async fn begin_device(&self, connector: &ConnectorInUse<'_>, asked: Asked<'_>) -> Result<DeviceBegun, Error> {
        let now = self.clock.now();
        let oauth2 = connector.data.oauth2.as_ref();
        let endpoint = oauth2.and_then(|oauth2| Some((oauth2, oauth2.device_authorization_endpoint.as_deref()?)));
        let (oauth2, endpoint) = endpoint.ok_or_else(|| {
            let why = format!("{} has no codes to type on another device", connector.data.name);
            Error::refused(Refusal::UnsupportedCredentialType, why)
        })?;
        let named = self.client_where_named(connector, &asked).await?;
        let connector = named.as_ref().unwrap_or(connector);
        let (values, _) =
            connector.values(&asked.given, &asked.project.name).map_err(|error| Error::invalid(error.to_string()))?;
        let mut attempt = self.attempt(connector, asked, AttemptId::random(&self.random), &values, now);
        let client = self.client_of_attempt(&attempt, now).await?;

        let scopes = scope::filled(&connector.scopes().0, oauth2, &values).map_err(unusable(&connector.id))?;
        let shown = self.ask_for_a_code(connector, oauth2, endpoint, &client, &values, &scopes).await?;
        let expires_in = shown.expires_in.min(LONGEST);
        attempt.scopes = scopes;
        attempt.departure = Departure::Device;
        attempt.completion = Completion::AppVouches;
        attempt.lifetime = Some(expires_in.as_secs());
        let proof_key = self.proof_key(oauth2, &connector.id)?;
        let kept = Kept { device_code: Some(shown.device_code.clone()), proof_key, ..Kept::default() };
        let sealed = self.seal_kept(&attempt, &kept).await?;
        self.attempts.put_device(&attempt, &sealed, shown.interval, now).await?;
        Ok(DeviceBegun { attempt: attempt.id, shown, expires_in })
    }

    async fn ask_for_a_code(
        &self,
        connector: &ConnectorInUse<'_>,
        oauth2: &OAuth2,
        endpoint: &str,
        client: &ProviderClient,
        values: &Values,
        scopes: &[String],
    ) -> Result<DeviceAuthorization, Error> {
        let id = &connector.id;
        let scope = (!scopes.is_empty()).then(|| scopes.join(&oauth2.scope_separator));
        let params = device::authorization_params(&client.client_id, scope.as_deref());
        let asking = TokenRequest { oauth2, client, values, now: self.clock.now(), random: &self.random };
        let request = asking.beside(endpoint, params).map_err(unusable(id))?;
        let origins = Origins::of(&connector.data, values).map_err(no_origin(id))?;
        let response = self.egress.send(request, &origins).await.map_err(|cause| cause.of(id))?;
        device::read(&response).map_err(|cause| cause.of(id))
    }

    /// Asks the provider how it went (RFC 8628 §3.4), unless it was asked too short a time ago, and connects what it gives.
    pub async fn poll_device(self: &Arc<Self>, attempt: &Attempt) -> Result<(), Error> {
        let (now, claimer) = (self.clock.now(), Claimer::random(&self.random));
        let Some(polling) = self.attempts.claim_poll(&attempt.id, &claimer, now).await? else {
            return Err(Error::refused(
                Refusal::SlowDown,
                "asked again before the interval was over; the provider was not asked",
            ));
        };
        let (connector, client, _) = self.at_the_provider(attempt).await?;
        let kept = self.open_kept(attempt, &polling.kept).await?;
        let making = making_of(&connector, attempt, client, kept.proof_key.clone());
        match self.ask_how_it_went(&making, &kept).await {
            Ok(tokens) => self.connect_device(attempt, making, &tokens).await,
            Err(Error::Provider { cause, .. }) => self.not_yet(attempt, &polling, &claimer, now, cause).await,
            Err(error) => {
                self.attempts.poll_later(&attempt.id, &claimer, polling.interval, now.after(polling.interval)).await?;
                Err(error)
            }
        }
    }

    async fn ask_how_it_went(&self, making: &Making<'_>, kept: &Kept) -> Result<Tokens, Error> {
        let (Some(oauth2), Some(code)) = (&making.connector.oauth2, &kept.device_code) else {
            return Err(Error::UnknownState);
        };
        let (all, now) = (making.all(), self.clock.now());
        let asking = TokenRequest { oauth2, client: &making.client, values: &all, now, random: &self.random };
        self.ask(making, oauth2, || asking.device_code(code.expose())).await
    }

    /// What a poll without tokens comes to (RFC 8628 §3.5).
    async fn not_yet(
        &self,
        attempt: &Attempt,
        polling: &Polling,
        claimer: &Claimer,
        asked_at: Timestamp,
        cause: ProviderError,
    ) -> Result<(), Error> {
        match device::next(&cause, polling.interval) {
            Next::Wait(interval) => {
                self.attempts.poll_later(&attempt.id, claimer, interval, asked_at.after(interval)).await?;
                if interval > polling.interval {
                    return Err(Error::refused(Refusal::SlowDown, "the provider wants to be asked less often"));
                }
                Err(Error::refused(Refusal::AuthorizationPending, "the person has not decided yet"))
            }
            Next::Denied => {
                self.attempts.deny(&attempt.id, Refusal::AccessDenied.code()).await?;
                Err(denied())
            }
            Next::Expired => {
                self.attempts.fail(&attempt.id, Refusal::ExpiredToken.code()).await?;
                Err(expired())
            }
            Next::Over => {
                self.attempts.fail(&attempt.id, cause.code()).await?;
                Err(cause.of(&attempt.connector))
            }
        }
    }

    async fn connect_device(
        self: &Arc<Self>,
        attempt: &Attempt,
        making: Making<'_>,
        tokens: &Tokens,
    ) -> Result<(), Error> {
        let held = match self.granted(attempt, making, tokens, &Chosen::new()).await {
            Ok(held) => held,
            Err(failure) => {
                return match self.give_up_grant(attempt, failure).await? {
                    Ending::Failed(code) => Err(over(&code)),
                    Ending::Held(_) | Ending::Connected(_) | Ending::Denied(_) | Ending::Before(..) => Err(over("-")),
                };
            }
        };
        self.hold(held, None).await?;
        self.complete_device(attempt, &Chosen::new()).await
    }

    /// Connects what is held for an app that vouches and named for whom: also what a request before this one could not finish.
    /// Where something has to be chosen first it says what there is.
    pub async fn complete_device(&self, attempt: &Attempt, chosen: &Chosen) -> Result<(), Error> {
        let held = self.connections.held(&attempt.id).await?.ok_or_else(expired)?;
        let held = self.choose(held, chosen).await?;
        self.complete(&held, attempt.reconnect, &Completer::Vouched).await.map(drop)
    }
}

/// The person said no.
#[must_use]
pub fn denied() -> Error {
    Error::refused(Refusal::AccessDenied, "the person or the provider said no")
}

/// Nobody typed the code in time.
#[must_use]
pub fn expired() -> Error {
    Error::refused(Refusal::ExpiredToken, "the code has expired; begin anew")
}

/// It failed, and can only be begun anew.
#[must_use]
pub fn over(code: &str) -> Error {
    Error::refused(Refusal::InvalidGrant, format!("nothing will come of this any more ({code}); begin anew"))
}
