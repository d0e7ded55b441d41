//! The look-ups of a grant, and what is chosen where one of them finds several things: for a held grant before it becomes a
//! connection, and for a connection later.
//!
//! Of a list with one element that is taken; of several one that was chosen before, where it is offered again, so that renewing
//! asks nothing new; else the person chooses, or the app's back end in their place. Look-ups run in order, since each may need
//! what the one before found. Nothing is taken that the provider did not offer at that moment.

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::timeout;

use super::{grant::LOOKUPS_LIMIT, making::Making, not_believed, refresh::Open};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, ProviderError, Refusal, chain},
    id::ConnectorId,
    protocol::{
        account::{Found, MOST_CHOICES, lookup_request, read_lookup},
        connector::{Connector, Lookup, Profile},
        credentials::Credentials,
        renewal,
        template::{self, Values},
    },
    store::connections::{Account, Choices, Chosen, Connection, Held, Stored},
};

/// How many bytes of choices are kept: an item of the table holds 400 KB in all.
const MOST_BYTES: usize = 128 * 1024;

/// What a look-up is refused with where the token is not taken any more (RFC 6750 §3.1), whatever the answer calls it.
const UNAUTHORIZED: &str = "status 401";

/// Which of several is taken.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// What was chosen just now.
    pub(super) chosen: &'a Chosen,
    /// What stands in the connection that is renewed or changed.
    pub(super) before: &'a Chosen,
}

/// How far the look-ups came.
#[derive(Default)]
pub(super) struct Learnt {
    /// The name for people that one of them told.
    pub(super) label: Option<String>,
    /// What has to be chosen before the next one can be made.
    pub(super) open: Option<Choices>,
}

/// A list to choose from, and what is chosen.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What there is.
    pub choices: Choices,
    /// The value that is taken, if it is still there.
    pub chosen: Option<String>,
}

impl App {
    /// The look-ups from the given one on, until all are made or something has to be chosen. One that fails or takes too long fails
    /// the whole, since addresses hang on it.
    async fn learn(&self, making: &mut Making<'_>, from: usize, wanted: Wanted<'_>) -> Result<Learnt, Error> {
        let id = making.id;
        let learnt = timeout(LOOKUPS_LIMIT, self.learn_each(making, from, wanted)).await;
        learnt.map_err(|_| ProviderError::Timeout.of(id)).flatten()
    }

    /// The same, for whoever counts the time. The login has its turn behind the look-ups that it is made for.
    pub(super) async fn learn_each(
        &self,
        making: &mut Making<'_>,
        from: usize,
        wanted: Wanted<'_>,
    ) -> Result<Learnt, Error> {
        let mut learnt = Learnt::default();
        for lookup in making.connector.lookups.iter().skip(from) {
            if !lookup.before_login {
                self.must_be_logged_in(making).await?;
            }
            let choices = self.found(making, lookup).await?;
            let Some(taken) = wanted.of(&choices)? else {
                learnt.open = Some(choices);
                return Ok(learnt);
            };
            take(lookup, taken, &mut making.values);
            learnt.label = learnt.label.or_else(|| taken.label.clone());
        }
        self.must_be_logged_in(making).await?;
        Ok(learnt)
    }

    /// What one look-up finds, of that what may be believed.
    async fn found(&self, making: &Making<'_>, lookup: &Lookup) -> Result<Choices, Error> {
        let (connector, id) = (making.connector, making.id);
        let response = self.call(making, |all| lookup_request(connector, lookup, all)).await?;
        if response.status() == http::StatusCode::UNAUTHORIZED {
            return Err(ProviderError::Refused(UNAUTHORIZED.to_owned()).of(id));
        }
        let found = read_lookup(lookup, &response).map_err(|cause| cause.of(id))?;
        let title = lookup.title.as_ref().map(ToString::to_string);
        Ok(Choices { name: lookup.name.to_string(), title, found: believed(connector, id, found)? })
    }

    /// A connection's credentials, to ask its provider with: look-ups may carry what calls of the API do not.
    async fn making_of<'a>(
        &self,
        connector: &'a Connector,
        connection: &'a Connection,
        credentials: Credentials,
    ) -> Result<Making<'a>, Error> {
        let operator = self.client_of(connector, connection).await?;
        let values = template::values_of(connector, &connection.values);
        Ok(Making::new(connector, &connection.connector, operator, values, credentials))
    }

    /// Settles what a held grant waits for: takes the chosen one, makes the look-ups that follow, asks whose account it is by that, and
    /// writes it down. What follows may have to be chosen in turn. A grant that waits for nothing is left as it is.
    pub async fn choose(&self, held: Held, chosen: &Chosen) -> Result<Held, Error> {
        let connector = self.connector_of(&held.connection).await?;
        must_be_lists(&connector, chosen)?;
        let Some(open) = &held.choices else {
            let stands = |(name, value): (&String, &String)| held.connection.values.get(name) == Some(value);
            return if chosen.iter().all(stands) { Ok(held) } else { Err(not_offered()) };
        };
        let none = Chosen::new();
        let wanted = Wanted { chosen, before: &none };
        let Some(taken) = wanted.of(open)? else { return Err(Error::ChoiceRequired(Box::new(open.clone()))) };
        let at = connector.lookups.iter().position(|lookup| lookup.name == open.name);
        let at = at.ok_or(Error::Conflict("the connector"))?; // changed meanwhile
        let credentials = self.open_credentials(&held.connection.belongs(), &held.sealed).await?;
        let mut making = self.making_of(&connector, &held.connection, credentials).await?;

        take(&connector.lookups[at], taken, &mut making.values);
        let learnt = self.learn_all(&mut making, at + 1, wanted).await;
        let mut settled = held.clone();
        settled.connection.values = plain(&making.values);
        if making.issued {
            let credentials = &making.credentials;
            let sealed = self.seal(&settled.connection.belongs(), &credentials.plaintext()).await;
            settled.sealed = sealed.inspect_err(|error| {
                tracing::error!(attempt = %held.attempt, cause = chain(error), "what a login issued can't be kept, and lives until it expires");
            })?;
            settled.token_expires_at = credentials.ends_at();
            settled.renew_at = renewal::due(&connector, credentials);
        }
        let written = match learnt {
            Ok(learnt) => {
                let mut account = self.account_so_far(&making, &learnt).await;
                account.label = account.label.or_else(|| taken.label.clone()).or(learnt.label);
                settled.connection.account = account;
                settled.choices = learnt.open;
                self.connections.settle(open, &settled, self.clock.now()).await
            }
            Err(error) => Err(error),
        };
        if written.is_err() && making.issued {
            self.end_unsettled(&settled).await; // a session that nobody will use
        }
        written.map(|()| settled)
    }

    /// What is left to learn for a held grant. One that has nothing more to be chosen can be used.
    async fn learn_all(&self, making: &mut Making<'_>, from: usize, wanted: Wanted<'_>) -> Result<Learnt, Error> {
        let learnt = self.learn(making, from, wanted).await?;
        if learnt.open.is_none() {
            making.must_be_usable()?;
        }
        Ok(learnt)
    }

    /// Whose account it is, unless the question itself needs what is still to be chosen.
    pub(super) async fn account_so_far(&self, making: &Making<'_>, learnt: &Learnt) -> Account {
        if learnt.waits(making) { Account::default() } else { self.account(making).await }
    }

    /// What can be chosen for a connection, with what is chosen: its look-ups made again, with a token that works.
    pub async fn offers(self: &Arc<Self>, stored: Stored, deadline: Option<Timestamp>) -> Result<Vec<Offer>, Error> {
        let connector = self.connector_of(&stored.connection).await?;
        if up_to_the_last_list(&connector) == 0 {
            return Ok(Vec::new());
        }
        let open = self.fresh(stored, &connector, None, deadline).await?;
        let offers = self.offers_to(&open, &connector).await;
        match self.renewed_after(open, &offers, deadline).await? {
            Some(renewed) => self.offers_to(&renewed, &connector).await,
            None => offers,
        }
    }

    /// The same connection with another token, where the provider takes this one no longer and there is another.
    async fn renewed_after<T>(
        self: &Arc<Self>,
        open: Open,
        answer: &Result<T, Error>,
        deadline: Option<Timestamp>,
    ) -> Result<Option<Open>, Error> {
        if !answer.as_ref().is_err_and(is_unauthorized) {
            return Ok(None);
        }
        let generation = open.stored.generation;
        let renewed = self.renewed(open.stored, None, deadline).await?;
        Ok((renewed.stored.generation != generation).then_some(renewed))
    }

    async fn offers_to(&self, open: &Open, connector: &Connector) -> Result<Vec<Offer>, Error> {
        let connection = &open.stored.connection;
        let mut making = self.making_of(connector, connection, open.credentials.clone()).await?;
        let offers = timeout(LOOKUPS_LIMIT, self.offers_of(&mut making, connection)).await;
        offers.map_err(|_| ProviderError::Timeout.of(&connection.connector)).flatten()
    }

    async fn offers_of(&self, making: &mut Making<'_>, connection: &Connection) -> Result<Vec<Offer>, Error> {
        let mut offers = Vec::new();
        let none = Chosen::new();
        let lookups = making.connector.lookups.iter().take(up_to_the_last_list(making.connector));
        for lookup in lookups.skip(making.connector.lookups_before_login()) {
            let choices = self.found(making, lookup).await?;
            let taken = Wanted { chosen: &none, before: &connection.values }.of(&choices)?.cloned();
            if lookup.list.is_some() {
                let chosen = taken.as_ref().map(|taken| taken.value().to_owned());
                offers.push(Offer { choices, chosen });
            }
            let Some(taken) = taken else { return Ok(offers) };
            take(lookup, &taken, &mut making.values);
        }
        Ok(offers)
    }

    /// Changes what is chosen for a connection. What is not named stays, where it is still offered.
    pub async fn switch(
        self: &Arc<Self>,
        stored: Stored,
        chosen: &Chosen,
        deadline: Option<Timestamp>,
    ) -> Result<Connection, Error> {
        let connector = self.connector_of(&stored.connection).await?;
        must_be_lists(&connector, chosen)?;
        must_be_behind_the_login(&connector, chosen, &stored.connection.values)?;
        let open = self.fresh(stored, &connector, None, deadline).await?;
        let switched = self.switch_to(&open, &connector, chosen).await;
        match self.renewed_after(open, &switched, deadline).await? {
            Some(renewed) => self.switch_to(&renewed, &connector, chosen).await,
            None => switched,
        }
    }

    async fn switch_to(&self, open: &Open, connector: &Connector, chosen: &Chosen) -> Result<Connection, Error> {
        let before = &open.stored.connection;
        let mut making = self.making_of(connector, before, open.credentials.clone()).await?;

        let from = connector.lookups_before_login();
        let learnt = self.learn(&mut making, from, Wanted { chosen, before: &before.values }).await?;
        if let Some(open) = learnt.open {
            return Err(Error::ChoiceRequired(Box::new(open)));
        }
        making.must_be_usable()?;
        // whose account it is by then decides what may be revoked, so here it has to be told
        let mut account = self.profile_in_time(&making).await?.unwrap_or_default();
        // what was looked up ahead of the login is not asked again, and neither is its name
        let known = (account.id == before.account.id).then(|| before.account.label.clone()).flatten();
        account.label = account.label.or(learnt.label).or(known);
        let connection = Connection {
            values: plain(&making.values),
            account,
            version: before.version + 1,
            updated_at: self.clock.now(),
            ..before.clone()
        };
        self.connections.switch(&open.stored, &connection).await?;
        Ok(connection)
    }
}

impl Learnt {
    /// Whether the question whose account it is needs what is still to be chosen, or the login that follows.
    pub(super) fn waits(&self, making: &Making<'_>) -> bool {
        match (&self.open, &making.connector.profile) {
            (Some(open), Some(profile)) => {
                profile.url.is_some() && !making.is_logged_in() || waits_for(making.connector, profile, &open.name)
            }
            (None, _) | (_, None) => false,
        }
    }
}

impl Wanted<'_> {
    /// The one to take; none if somebody has to choose.
    fn of<'a>(&self, choices: &'a Choices) -> Result<Option<&'a Found>, Error> {
        if let Some(value) = self.chosen.get(&choices.name) {
            return choices.with_value(value).map(Some).ok_or_else(not_offered);
        }
        if let [only] = choices.found.as_slice() {
            return Ok(Some(only));
        }
        Ok(self.before.get(&choices.name).and_then(|value| choices.with_value(value)))
    }
}

/// How many look-ups to make for all that can be chosen: up to the last list, since what comes after it is nobody's to choose, nor is
/// what the login was made for. None where there is no such list.
fn up_to_the_last_list(connector: &Connector) -> usize {
    let last = connector.lookups.iter().rposition(|lookup| lookup.list.is_some() && !lookup.before_login);
    last.map_or(0, |last| last + 1)
}

/// Puts what was taken in place of what stood there: also of what the new one lacks.
fn take(lookup: &Lookup, taken: &Found, values: &mut Values) {
    for name in lookup.fills() {
        values.remove(name);
    }
    for (name, value) in &taken.values {
        values.insert(name, value);
    }
}

/// What may be believed of what was found, each once. If nothing may be, that is why.
fn believed(connector: &Connector, id: &ConnectorId, found: Vec<Found>) -> Result<Vec<Found>, Error> {
    let (mut seen, mut bytes, mut believed, mut refused) = (BTreeSet::new(), 0, Vec::new(), None);
    let more = found.len() > MOST_CHOICES;
    for one in found.into_iter().take(MOST_CHOICES) {
        let kept = |(name, value): &(String, String)| {
            template::believe(connector, name, value).map(|kept| (name.clone(), kept))
        };
        let one = match one.values.iter().map(kept).collect() {
            Ok(values) => Found { values, ..one },
            Err(cause) => {
                refused = refused.or(Some(cause));
                continue;
            }
        };
        bytes += one.values.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        bytes += one.label.as_ref().map_or(0, String::len);
        if bytes <= MOST_BYTES && seen.insert(one.value().to_owned()) {
            believed.push(one);
        }
    }
    if more || bytes > MOST_BYTES {
        tracing::warn!(connector = %id, kept = believed.len(), "a look-up found more than is kept; what comes later can't be chosen");
    }
    match (believed.is_empty(), refused) {
        (true, Some(cause)) => Err(not_believed(id)(cause)),
        (true, None) => Err(ProviderError::InvalidResponse("the look-up found nothing").of(id)),
        (false, _) => Ok(believed),
    }
}

/// Fails unless all that was chosen is of a list.
fn must_be_lists(connector: &Connector, chosen: &Chosen) -> Result<(), Error> {
    let is_list = |name: &str| connector.lookups.iter().any(|lookup| lookup.list.is_some() && lookup.name == name);
    if chosen.keys().all(|name| is_list(name)) { Ok(()) } else { Err(not_offered()) }
}

/// Fails where what the login was made for would be another: that takes the person's consent.
fn must_be_behind_the_login(connector: &Connector, chosen: &Chosen, before: &Chosen) -> Result<(), Error> {
    let mut settled = connector.lookups.iter().take(connector.lookups_before_login());
    let is_other = |name: &str| chosen.get(name).is_some_and(|value| before.get(name) != Some(value));
    match settled.find(|lookup| is_other(&lookup.name)) {
        Some(lookup) => Err(Error::refused(
            Refusal::InvalidChoice,
            format!("{} was settled with the person's consent: another is had by connecting again", lookup.name),
        )),
        None => Ok(()),
    }
}

fn is_unauthorized(error: &Error) -> bool {
    matches!(error, Error::Provider { cause: ProviderError::Refused(code), .. } if code == UNAUTHORIZED)
}

fn not_offered() -> Error {
    Error::refused(Refusal::InvalidChoice, "choose names something that the provider does not offer")
}

/// Whether the question whose account it is needs what this look-up or a later one fills. What is only compared with the answer
/// does not matter: it is left open. Where nobody is asked, what was captured is the answer.
fn waits_for(connector: &Connector, profile: &Profile, open: &str) -> bool {
    let later = connector.lookups.iter().skip_while(|lookup| lookup.name != open);
    let unknown: Vec<&str> = later.flat_map(Lookup::fills).collect();
    let is_open = |text: &str| template::placeholders(text).any(|name| unknown.contains(&name));
    let Profile { url, headers, account_id, tenant, label, email, .. } = profile;
    match url {
        Some(url) => {
            connector.api.carried().chain(headers.iter().map(|(_, value)| value)).chain([url.as_ref()]).any(is_open)
        }
        None => [account_id, tenant, label, email].into_iter().flatten().any(|told| is_open(told)),
    }
}

fn plain(values: &Values) -> Chosen {
    values.clone().into()
}
