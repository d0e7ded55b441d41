//! Credentials in the making: the calls that turn what is known into what API calls carry, for a connection that begins and for
//! one that is renewed alike.
//!
//! ```text
//!  a code, a typed client, a typed key ──▶ token ──▶ exchange ──▶ look-ups for the login ──▶ login ──▶ look-ups
//!                                           (each only where the connector has it)
//! ```

use bytes::Bytes;

use super::{no_origin, not_believed, not_signed, unusable};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, ProviderError},
    id::{ConnectorId, Environment, ProjectId},
    protocol::{
        account::{self, Signing},
        connector::{Connector, OAuth2, Pairs, RefreshKind},
        credentials::Credentials,
        dpop, id_token, login,
        origins::Origins,
        renewal,
        template::{self, RANDOM, TemplateError, Values},
        token::{self, TokenRequest, Tokens},
    },
    secrets::{ClientSource, ClientsSecret, ProviderClient},
};

/// Credentials in the making.
pub(super) struct Making<'a> {
    /// What is connected.
    pub connector: &'a Connector,
    /// Its id.
    pub id: &'a ConnectorId,
    /// Who asks: the operator's client, or the person's own.
    pub client: ProviderClient,
    /// What is known besides the credentials, and kept with the connection.
    pub values: Values,
    /// The credentials so far.
    pub credentials: Credentials,
    /// Whether something was issued since it began, which exists nowhere else.
    pub issued: bool,
    /// What a token that was issued anew may do, where the answer says.
    pub scopes: Option<Vec<String>>,
}

/// Why credentials were not renewed.
pub(super) struct NotRenewed {
    /// What went wrong.
    pub error: Error,
    /// Whether that means that they will never be again.
    pub over: bool,
}

impl<'a> Making<'a> {
    /// With the operator's part. A client that the person typed takes the place of the operator's.
    pub fn new(
        connector: &'a Connector,
        id: &'a ConnectorId,
        operator: ProviderClient,
        values: Values,
        credentials: Credentials,
    ) -> Self {
        let (mut values, mut credentials) = (values, credentials);
        // what an earlier renewal learnt stands among the rest, so that this one may learn it anew
        values.extend(std::mem::take(&mut credentials.learnt).into());
        let mut making = Self { connector, id, client: operator, values, credentials, issued: false, scopes: None };
        if let Some(secret) = &making.credentials.client_secret {
            making.client.client_secret = Some(secret.clone()); // of the server that the person named
        }
        if connector.client_is_typed() {
            let all = making.all();
            let typed = |name: &str| all.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
            making.client.client_id = typed("client_id").unwrap_or_default();
            making.client.client_secret = typed("client_secret").map(Into::into);
        }
        making
    }

    /// Whether there is nothing to log in to, or that has been done.
    pub fn is_logged_in(&self) -> bool {
        self.connector.login.is_none() || self.credentials.session.is_some()
    }

    /// All that fills a template.
    pub fn all(&self) -> Values {
        let mut all = self.values.clone();
        all.extend(self.connector.operator_values(&self.client));
        self.credentials.fill(&mut all);
        all
    }

    /// Keeps what the connector's data names in one of the provider's answers, or what stands for it where it is not there.
    pub fn capture(&mut self, named: &Pairs, found: impl Fn(&str) -> Option<String>) -> Result<(), Error> {
        let defaults = &self.connector.captures.defaults;
        for (name, from) in named.iter() {
            let instead = || defaults.value(name).filter(|_| self.values.get(name).is_none()).map(str::to_owned);
            if let Some(value) = found(from).or_else(instead) {
                self.keep(name, &value)?;
            }
        }
        Ok(())
    }

    /// Fails where the answers lack what the API's address, each of its calls or a renewal is made of: such a connection would be of
    /// no use, now or from its first renewal on.
    pub fn must_be_usable(&self) -> Result<(), Error> {
        let mut all = self.all();
        all.insert(RANDOM, ""); // each request has its own
        let api = &self.connector.api;
        let renewal = self.is_renewed_by_request().then_some(self.connector.oauth2.as_ref()).flatten();
        let renewed = renewal.into_iter().flat_map(|oauth2| {
            oauth2.refresh_params.iter().map(|(_, value)| value).chain(oauth2.refresh_endpoint.as_deref())
        });
        let address = "it lacks what the API's address is made of";
        must_be_known(self.id, &all, [api.base_url.as_ref()], address)?;
        template::url(&api.base_url, &all).map_err(|_| ProviderError::InvalidResponse(address).of(self.id))?;
        must_be_known(self.id, &all, api.carried(), "it lacks what each call carries")?;
        must_be_known(self.id, &all, renewed, "it lacks what the token is renewed with")
    }

    /// Whether a token is renewed with parameters of its own, and not asked for anew.
    fn is_renewed_by_request(&self) -> bool {
        let Credentials { access_token, refresh_token, slots, .. } = &self.credentials;
        match self.connector.oauth2.as_ref().map(|oauth2| oauth2.refresh) {
            Some(RefreshKind::RefreshToken) => {
                refresh_token.is_some() || slots.values().any(|slot| slot.refresh_token.is_some())
            }
            Some(RefreshKind::AccessToken) => access_token.is_some(),
            Some(RefreshKind::Remint | RefreshKind::None) | None => false,
        }
    }

    /// Keeps a value that the provider gave, or the part of it that is meant, if it is one that may be believed.
    pub fn keep(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let kept = template::believe(self.connector, name, value).map_err(not_believed(self.id))?;
        self.values.insert(name, kept);
        Ok(())
    }

    /// Takes over the tokens of an answer, and then what else the connector wants of it.
    pub fn take(&mut self, tokens: &Tokens, now: Timestamp) -> Result<(), Error> {
        self.credentials = std::mem::take(&mut self.credentials).with(tokens, now);
        self.issued = true;
        let captures = &self.connector.captures;
        self.capture(&captures.token_response, |path| template::pluck_text(&tokens.answer, path))?;
        if !captures.id_token.0.is_empty() {
            let claims = id_token::claims(&tokens.answer).unwrap_or_default();
            self.capture(&captures.id_token, |path| template::pluck_text(&claims, path))?;
        }
        if !captures.access_token.0.is_empty() {
            let claims = id_token::claims_of(tokens.access_token.expose()).unwrap_or_default();
            self.capture(&captures.access_token, |path| template::pluck_text(&claims, path))?;
        }
        Ok(())
    }

    /// The credentials, with what differs by now from what was learnt at the beginning.
    pub fn with_what_it_learnt(self, at_first: &Values) -> Credentials {
        let differs = |(name, value): &(&str, &str)| at_first.get(name).is_none_or(|old| old != *value);
        let differing = self.values.iter().filter(differs);
        let learnt: Values = differing.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Credentials { learnt: learnt.into(), ..self.credentials }
    }

    /// A refusal of a key that the person typed says what is wrong with it; anything else is a value that does not fit.
    pub fn unusable(&self, error: TemplateError) -> Error {
        let oauth2 = self.connector.oauth2.as_ref();
        let assertions = oauth2.map(|oauth2| [&oauth2.assertion, &oauth2.client_assertion]);
        let made = assertions.into_iter().flatten().chain(self.connector.login.iter().map(|login| &login.assertion));
        let mut keys = made.flatten().filter_map(|assertion| template::leading(&assertion.key));
        let typed = keys.find_map(|key| self.connector.inputs.iter().find(|input| input.name == key));
        match (error, typed) {
            (TemplateError::Key(cause), Some(input)) => {
                Error::NoKey { input: input.name.to_string(), label: input.label.to_string(), cause }
            }
            (error, _) => unusable(self.id)(error),
        }
    }
}

impl App {
    /// The operator's part of a connection: its provider client and secret settings. Nothing where it has none.
    pub(super) async fn operator_of(
        &self,
        connector: &Connector,
        id: &ConnectorId,
        source: Option<&ClientSource>,
        client_id: Option<&str>,
        (project, environment): (&ProjectId, Environment),
    ) -> Result<ProviderClient, Error> {
        let operator = match source {
            Some(source) => {
                let client_id = client_id.unwrap_or_default();
                let named = ProviderClient { client_id: client_id.to_owned(), ..ProviderClient::default() };
                match ClientsSecret::of(source, project, environment) {
                    None => named, // its secret is sealed with the connection's credentials
                    Some(secret) => {
                        match self.secrets.provider_client(&secret, id, client_id, self.clock.now()).await {
                            Err(Error::ClientNotConfigured(_)) if client_id.is_empty() => ProviderClient::default(),
                            found => found?,
                        }
                    }
                }
            }
            None => ProviderClient::default(),
        };
        let missing = connector.missing_secrets(|name| operator.secrets.contains_key(name));
        if missing.is_empty() {
            return Ok(operator);
        }
        let place = ClientSource::admin_path(source);
        Err(Error::NotConfigured { connector: id.clone(), missing: missing.join(", "), place })
    }

    /// Asks for the first token where that needs nobody: client credentials (RFC 6749 §4.4), a JWT (RFC 7523 §2.1).
    pub(super) async fn mint(&self, making: &mut Making<'_>) -> Result<Option<Vec<String>>, Error> {
        let Some(oauth2) = making.connector.oauth2.as_ref().filter(|oauth2| oauth2.grant.needs_nobody()) else {
            return Ok(None);
        };
        let now = self.clock.now();
        let all = making.all();
        let asking = TokenRequest { oauth2, client: &making.client, values: &all, now, random: &self.random };
        let scope: Vec<String> =
            all.get("scope").filter(|scope| !scope.is_empty()).map(str::to_owned).into_iter().collect();
        let tokens = self.ask(making, oauth2, || asking.unattended(&scope)).await?;
        making.take(&tokens, now)?;
        Ok(tokens.scopes)
    }

    /// Exchanges the token for one that lives longer, where the connector says so.
    pub(super) async fn exchange(&self, making: &mut Making<'_>) -> Result<(), Error> {
        let Some(oauth2) = making.connector.oauth2.as_ref().filter(|oauth2| oauth2.exchange.is_some()) else {
            return Ok(());
        };
        let now = self.clock.now();
        let all = making.all();
        let asking = TokenRequest { oauth2, client: &making.client, values: &all, now, random: &self.random };
        let tokens = self.ask(making, oauth2, || asking.exchange()).await?;
        making.take(&tokens, now)
    }

    /// Logs in, where the connector says so.
    pub(super) async fn log_in(&self, making: &mut Making<'_>) -> Result<(), Error> {
        let Some(login) = &making.connector.login else { return Ok(()) };
        let now = self.clock.now();
        let request =
            login::request(login, &making.all(), now, &self.random).map_err(|error| making.unusable(error))?;
        let response = self.send(making, request).await?;
        let (session, answer) = login::read(login, &response, now).map_err(|cause| cause.of(making.id))?;
        making.credentials.session = Some(session);
        making.issued = true;
        if !making.connector.needs_token_beside_session() {
            making.credentials.forget_token(); // it is the person's own, and nothing asks with it any more
        }
        making.capture(&making.connector.captures.login_response, |path| template::pluck_text(&answer, path))
    }

    /// The same where nobody is logged in yet.
    pub(super) async fn must_be_logged_in(&self, making: &mut Making<'_>) -> Result<(), Error> {
        if making.is_logged_in() { Ok(()) } else { self.log_in(making).await }
    }

    /// Renews what API calls carry. `slot` names a further token; `dying` says that there is no using the old one.
    pub(super) async fn renew(
        &self,
        making: &mut Making<'_>,
        slot: Option<&str>,
        dying: bool,
    ) -> Result<(), NotRenewed> {
        match slot {
            Some(slot) => self.renew_slot(making, slot).await,
            None if making.connector.login.is_some() => self.renew_session(making).await,
            None => self.renew_token(making, dying).await,
        }
    }

    /// Logs in again. A token behind the session that has ended too, or that the login does not take, is renewed first.
    async fn renew_session(&self, making: &mut Making<'_>) -> Result<(), NotRenewed> {
        let connector = making.connector;
        let renewable = |credentials: &Credentials| {
            connector.oauth2.as_ref().is_some_and(|oauth2| renewal::is_renewable(oauth2, credentials))
        };
        let mut renewed = false;
        if renewal::has_ended(making.credentials.expires_at, self.clock.now()) && renewable(&making.credentials) {
            self.renew_token(making, true).await?;
            renewed = true;
        }
        let Err(error) = self.log_in(making).await else { return Ok(()) };
        // what was typed is the person's own, and is not taken any more; the operator's key may be mended
        let typed = connector.oauth2.is_none();
        let failed = |error| NotRenewed { over: is_ended(&error) || typed && is_refused(&error), error };
        if is_refused(&error) && !renewed && renewable(&making.credentials) {
            self.renew_token(making, true).await?;
            return self.log_in(making).await.map_err(failed);
        }
        Err(failed(error))
    }

    async fn renew_token(&self, making: &mut Making<'_>, dying: bool) -> Result<(), NotRenewed> {
        let Some(oauth2) = &making.connector.oauth2 else {
            return Err(NotRenewed { error: Error::NeedsReauth, over: true });
        };
        let renewed = match oauth2.refresh {
            RefreshKind::Remint => self.mint(making).await.map(|scopes| making.scopes = scopes),
            RefreshKind::RefreshToken | RefreshKind::AccessToken => self.redeem_again(making, oauth2).await,
            RefreshKind::None => Err(Error::NeedsReauth),
        };
        renewed.map_err(|error| NotRenewed { over: is_over(oauth2.refresh, &error, dying), error })
    }

    /// By the refresh token (RFC 6749 §6), or by the access token itself.
    async fn redeem_again(&self, making: &mut Making<'_>, oauth2: &OAuth2) -> Result<(), Error> {
        let now = self.clock.now();
        let all = making.all();
        let asking = TokenRequest { oauth2, client: &making.client, values: &all, now, random: &self.random };
        let tokens = match (oauth2.refresh, &making.credentials.refresh_token) {
            (RefreshKind::AccessToken, _) => self.ask(making, oauth2, || asking.renew()).await?,
            (_, Some(refresh_token)) => self.ask(making, oauth2, || asking.refresh(refresh_token)).await?,
            (_, None) => return Err(Error::NeedsReauth),
        };
        // only the tokens: what was learnt from the first answer is the connection's, and stands in its addresses
        making.credentials = std::mem::take(&mut making.credentials).with(&tokens, now);
        making.issued = true;
        making.scopes = tokens.scopes;
        Ok(())
    }

    /// A further token by its own refresh token, or with all others by asking once more.
    async fn renew_slot(&self, making: &mut Making<'_>, slot: &str) -> Result<(), NotRenewed> {
        let refresh_token = making.credentials.slots.get(slot).and_then(|slot| slot.refresh_token.clone());
        let (Some(oauth2), Some(refresh_token)) = (&making.connector.oauth2, refresh_token) else {
            return self.renew_token(making, true).await;
        };
        let renewed = async {
            let now = self.clock.now();
            let mut all = making.all();
            making.credentials.fill_slot(slot, &mut all);
            let asking = TokenRequest { oauth2, client: &making.client, values: &all, now, random: &self.random };
            let request = asking.refresh(&refresh_token).map_err(|error| making.unusable(error))?;
            let response = self.send(making, request).await?;
            token::read_slot(oauth2, slot, &response, now).map_err(|cause| cause.of(making.id))
        };
        match renewed.await {
            Ok(found) => {
                making.credentials = std::mem::take(&mut making.credentials).with_slot(slot, found);
                making.issued = true;
                Ok(())
            }
            // the other tokens of the connection are as good as they were
            Err(error) if is_over(RefreshKind::RefreshToken, &error, true) => {
                Err(NotRenewed { error: Error::NeedsReauth, over: false })
            }
            Err(error) => Err(NotRenewed { error, over: false }),
        }
    }

    /// What the token endpoint answers.
    pub(super) async fn ask(
        &self,
        making: &Making<'_>,
        oauth2: &OAuth2,
        build: impl Fn() -> Result<http::Request<Bytes>, TemplateError>,
    ) -> Result<Tokens, Error> {
        let origins = Origins::of(making.connector, &making.all()).map_err(no_origin(making.id))?;
        let key = making.credentials.proof_key.as_ref();
        let build = || build().map_err(|error| making.unusable(error));
        let response = self.send_proven(making.id, &origins, key, build).await?;
        token::read(oauth2, &response, self.clock.now()).map_err(|cause| cause.of(making.id))
    }

    /// What a call of the API answers, signed where that is how its credential travels. It is made once more where a proof of
    /// possession lacked the server's nonce.
    pub(super) async fn call(
        &self,
        making: &Making<'_>,
        build: impl Fn(&Values) -> Result<http::Request<Bytes>, TemplateError>,
    ) -> Result<http::Response<Bytes>, Error> {
        let (all, credentials) = (making.all(), &making.credentials);
        let mut tries = 0;
        loop {
            let request = build(&all.with_random(&self.random)).map_err(unusable(making.id))?;
            let uri = request.uri().clone();
            let nonce = credentials.proof_key.as_ref().and_then(|_| self.nonces.of(&uri));
            let signing = Signing {
                values: &all,
                credentials,
                client: Some(&making.client),
                nonce: nonce.as_deref(),
                now: self.clock.now(),
                random: &self.random,
            };
            let request = account::sign(making.connector, request, &signing).map_err(not_signed(making.id))?;
            let response = self.send(making, request).await?;
            tries += 1;
            if credentials.proof_key.is_none() {
                return Ok(response);
            }
            self.nonces.keep(&uri, response.headers());
            if tries > 1 || dpop::nonce_demanded(&response).is_none() {
                return Ok(response);
            }
        }
    }

    /// Sends a request to where this connector's may go.
    pub(super) async fn send(
        &self,
        making: &Making<'_>,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Error> {
        let origins = Origins::of(making.connector, &making.all()).map_err(no_origin(making.id))?;
        self.egress.send(request, &origins).await.map_err(|cause| cause.of(making.id))
    }
}

/// Fails where one of the templates names something that has no value; the log says what.
fn must_be_known<'t>(
    id: &ConnectorId,
    all: &Values,
    templates: impl IntoIterator<Item = &'t str>,
    otherwise: &'static str,
) -> Result<(), Error> {
    match templates.into_iter().flat_map(template::placeholders).find(|name| all.get(name).is_none()) {
        Some(name) => {
            tracing::warn!(connector = %id, name, "the provider's answers lack a value that the connector needs");
            Err(ProviderError::InvalidResponse(otherwise).of(id))
        }
        None => Ok(()),
    }
}

/// Whether a refusal means that it will never be otherwise.
fn is_over(refresh: RefreshKind, error: &Error, dying: bool) -> bool {
    let Error::Provider { cause, .. } = error else { return matches!(error, Error::NeedsReauth) };
    match refresh {
        RefreshKind::RefreshToken | RefreshKind::None => token::ends_the_grant(cause),
        // there is nothing else to renew it with, and once it has ended not even that
        RefreshKind::AccessToken => dying && is_refused(error),
        // the client or key is the person's own: nobody but they can mend it
        RefreshKind::Remint => is_refused(error),
    }
}

/// Whether the provider said no, and not merely not now (RFC 6749 §4.1.2.1).
fn is_refused(error: &Error) -> bool {
    match error {
        Error::Provider { cause: ProviderError::Refused(code), .. } => {
            !matches!(code.as_str(), "temporarily_unavailable" | "server_error" | "slow_down")
        }
        _ => false,
    }
}

/// Whether the provider said that what was connected is no more.
fn is_ended(error: &Error) -> bool {
    matches!(error, Error::Provider { cause: ProviderError::Ended(_), .. })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_learnt_again_as_at_first_is_as_it_was() {
        let connector = serde_json::json!({ "name": "Acme", "api": { "base_url": "https://api.acme.example" } });
        let connector: Connector = serde_json::from_value(connector).unwrap();
        let id = ConnectorId::parse("acme").unwrap();
        let at_first = BTreeMap::from([("pod".to_owned(), "one".to_owned())]);
        let learnt = BTreeMap::from([("pod".to_owned(), "two".to_owned())]);
        for (now, expected) in [(None, learnt.clone()), (Some("one"), BTreeMap::new())] {
            let credentials = Credentials { learnt: learnt.clone(), ..Credentials::default() };
            let values = Values::from(at_first.clone());
            let mut making = Making::new(&connector, &id, ProviderClient::default(), values, credentials);
            assert_eq!(making.all().get("pod"), Some("two"));
            if let Some(now) = now {
                making.values.insert("pod", now);
            }
            assert_eq!(making.with_what_it_learnt(&Values::from(at_first.clone())).learnt, expected);
        }
    }

    #[test]
    fn what_stands_for_a_value_takes_the_place_of_none() {
        let json = serde_json::json!({
            "name": "Acme", "api": { "base_url": "https://api.acme.example" },
            "oauth2": { "token_endpoint": "https://acme.example/token" },
            "captures": { "token_response": { "seat": "seat" }, "defaults": { "seat": "none" } },
        });
        let connector: Connector = serde_json::from_value(json).unwrap();
        let id = ConnectorId::parse("acme").unwrap();
        let credentials = Credentials::default();
        let mut making = Making::new(&connector, &id, ProviderClient::default(), Values::default(), credentials);
        for (told, expected) in [(None, "none"), (Some("a1"), "a1"), (None, "a1")] {
            making.capture(&connector.captures.token_response, |_| told.map(str::to_owned)).unwrap();
            assert_eq!(making.values.get("seat"), Some(expected));
        }
    }

    #[test]
    fn a_refusal_ends_what_only_the_person_can_mend() {
        let table = [
            (RefreshKind::RefreshToken, "invalid_grant", true, true),
            (RefreshKind::RefreshToken, "invalid_client", true, false),
            (RefreshKind::AccessToken, "status 400", true, true),
            (RefreshKind::AccessToken, "status 400", false, false),
            (RefreshKind::Remint, "invalid_client", true, true),
            (RefreshKind::Remint, "temporarily_unavailable", true, false),
        ];
        let id = ConnectorId::parse("acme").unwrap();
        for (refresh, code, dying, over) in table {
            let error = ProviderError::Refused(code.to_owned()).of(&id);
            assert_eq!(is_over(refresh, &error, dying), over, "{refresh:?} {code}");
            assert!(!is_over(refresh, &ProviderError::Timeout.of(&id), dying));
        }
    }
}
