//! Authorizations under way, between the start and the outcome.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use serde::{Deserialize, Serialize};

use super::{Claimer, Item, Table, bytes, number, string};
use crate::{
    clock::{Random, Timestamp},
    error::{Error, Missing, StoreError},
    id::{AttemptId, ConnectionKey, ConnectorId, Environment, Identity, ProjectId},
    secret::{AccessToken, Bearer, CodeVerifier, DeviceCode, Digest, ProofKey, TokenSecret, digest},
    secrets::ClientSource,
    vault::{Belongs, Sealed},
};

/// How long an authorization may take, from its making to the callback.
pub const LIFETIME: Duration = Duration::from_mins(10);

/// How long the outcome can be asked for afterwards.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The longest return address that is remembered, encoded: a longer one is no page's own but carries data.
const LONGEST_RETURN: usize = 8192;

/// One person's way to one connection: who asked for it, where it leads, and how it may be completed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Attempt {
    /// Its name, which authorises nothing.
    pub id: AttemptId,
    /// Whose.
    pub project: ProjectId,
    /// In which environment.
    pub environment: Environment,
    /// To which provider.
    pub connector: ConnectorId,
    /// How that provider is called.
    pub connector_name: String,
    /// For whom; absent means for the project itself.
    pub identity: Option<Identity>,
    /// How the app's back end calls them.
    pub identity_label: Option<String>,
    /// How the app is called, at the time of asking.
    pub app_name: String,
    /// How it was started, and so where the browser goes at the end.
    pub shape: Shape,
    /// Who may complete it.
    pub completion: Completion,
    /// How the person wants the connection to be called.
    #[serde(default)]
    pub name: Option<String>,
    /// The connection it will make, or renew.
    pub connection: ConnectionKey,
    /// Whether that connection exists already.
    pub reconnect: bool,
    /// Whose client of the provider is used.
    pub client: Option<ClientSource>,
    /// That client's public half.
    pub client_id: Option<String>,
    /// Where the provider is asked, but for the `state`: made once, so that starting reads nothing.
    pub authorization_url: String,
    /// The `redirect_uri` in it, which the token request repeats (RFC 6749 §4.1.3).
    pub redirect_uri: String,
    /// Which of our redirect URIs that is, and so where the answer has to arrive.
    pub callback: Callback,
    /// Who has to answer, where that is known (RFC 9207).
    pub issuer: Option<Issuer>,
    /// The parameter of the answer that carries the code, where that is not `code`.
    #[serde(default)]
    pub code_parameter: Option<String>,
    /// How the browser gets to the provider, and so what it comes back with.
    #[serde(default)]
    pub departure: Departure,
    /// How many seconds it may take, where that is not [`LIFETIME`].
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// The digest of the connect session that may ask for its status.
    pub session: Option<String>,
    /// What the person typed and the operator chose, secrets excepted.
    pub values: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Attempt {
    /// Until when the provider's answer is taken.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.after(self.lifetime.map_or(LIFETIME, Duration::from_secs))
    }

    /// What its sealed values belong to.
    #[must_use]
    pub fn belongs(&self, content: &'static str) -> Belongs<'_> {
        Belongs {
            project: &self.project,
            environment: self.environment,
            connector: &self.connector,
            connection: &self.connection,
            content,
        }
    }

    /// As compared by a claim: the connector in the path of our redirect URI, or none.
    fn callback_name(&self) -> &str {
        match self.callback {
            Callback::Own => self.redirect_uri.rsplit('/').nth(2).unwrap_or_default(),
            Callback::Common => COMMON,
        }
    }

    /// The name of the cookie that tells the browser of this attempt.
    #[must_use]
    pub fn cookie_name(&self) -> String {
        cookie_name(&self.id)
    }
}

/// How the browser gets to the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Departure {
    /// By an address that says all.
    #[default]
    Direct,
    /// By a reference to what is pushed ahead of it (RFC 9126).
    Pushed {
        /// The parameters, but for the `state`.
        params: Vec<(String, String)>,
    },
    /// With temporary credentials that are got ahead of it, and back with a verifier (RFC 5849 §2.1, §2.2).
    Temporary,
    /// Not at all: a person types a code elsewhere (RFC 8628).
    Device,
}

/// A redirect URI of ours. Each connector has its own, so that one provider's answer can't be taken for another's
/// (RFC 9700 §4.4.2.2); a provider client that was registered before may name the one that all share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Callback {
    /// The connector's own.
    #[default]
    Own,
    /// The common one.
    Common,
}

/// No connector's id.
const COMMON: &str = "*";

/// The authorization server that an attempt leads to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Issuer {
    /// Its identifier (RFC 8414 §2).
    pub identifier: String,
    /// Whether each of its answers names it. One that does not is then refused (RFC 9207 §2.4).
    pub is_told: bool,
}

/// The name of the cookie that tells an attempt's browser; one for each, so that two tabs do not disturb each other.
#[must_use]
pub fn cookie_name(id: &AttemptId) -> String {
    format!("__Host-mooring_{id}")
}

/// How a flow was started, and so where the browser goes at the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Shape {
    /// By a one-time token in a link.
    Link {
        /// Where the browser goes back to; without it, our own page is the end.
        return_to: Option<String>,
        /// The link's name, under which its page can be opened again.
        #[serde(default)]
        link: Option<String>,
    },
    /// By `GET /connectors/{connector}/oauth/authorize`.
    FrontEnd {
        /// The front end to go back to; without it, our own page is the end.
        base_url: Option<String>,
    },
    /// By a page of the app's with a connect session: `connect.js`.
    Page {
        /// The page to go back to; without it, ours is the end, in a window of its own.
        return_to: Option<String>,
    },
    /// By the published widget in the page's own window. That page adds its address to the `state` on the way out
    /// ([`crate::protocol::return_address`]), so that it stands beside the attempt ([`Progress::came_from`]) and not in it.
    Widget,
    /// By `POST /v1/connect/device`: no browser of ours has part in it.
    Device,
    /// By `POST /connectors/{connector}/credentials`.
    Credentials {
        /// Where the completion code goes.
        redirect_uri: String,
    },
}

/// What completes a held grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// The app's back end redeems the completion code and names the identity that its own session says is logged in.
    AppVouches,
    /// Nobody any more: the page that asked was proven before the browser left, and the browser that brings the answer is the
    /// one that left from it.
    BoundAtStart,
    /// The person confirms on our page.
    PersonConfirms,
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Made, perhaps started; the provider has not answered.
    Pending,
    /// The provider has answered and is being asked for tokens.
    Claimed,
    /// There is a grant, sealed and unusable, that waits to be completed.
    Held,
    /// There is a connection.
    Connected,
    /// The person or the provider said no.
    Denied,
    /// Something went wrong.
    Failed,
    /// It took too long.
    Expired,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "pending" => Self::Pending,
            "claimed" => Self::Claimed,
            "held" => Self::Held,
            "connected" => Self::Connected,
            "denied" => Self::Denied,
            "failed" => Self::Failed,
            "expired" => Self::Expired,
            _ => return None,
        })
    }

    pub(crate) fn as_stored(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Held => "held",
            Self::Connected => "connected",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// As the status route says it: how far the server is with an answer is its own affair.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Claimed => "pending",
            other => other.as_stored(),
        }
    }
}

/// An attempt with what has become of it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The attempt.
    pub attempt: Attempt,
    /// How far it is.
    pub status: Status,
    /// Why it was denied or failed: a stable code.
    pub error: Option<String>,
    /// The account consented with, for people.
    pub account: Option<String>,
    /// The digest of its browser's cookie, once it was started.
    pub browser: Option<String>,
    /// What the page that left for the start put behind the `state`: where it wants to be come back to.
    pub came_from: Option<String>,
    /// Its `state`, once it was claimed and so is spent: the app may compare it with the one it was given.
    pub state: Option<String>,
}

/// The `state` of an authorization request (RFC 6749 §10.12): it names connector and attempt for a look-up and proves
/// itself by 256 random bits that are stored as a digest.
#[derive(Clone, Debug)]
pub struct State {
    /// The connector it was made for.
    pub connector: ConnectorId,
    /// The attempt.
    pub attempt: AttemptId,
    /// What proves it.
    pub proof: Bearer,
    /// What a client put behind it on the way: no part of it, and not believed.
    pub came_from: Option<String>,
}

impl State {
    /// A new one.
    #[must_use]
    pub fn random(connector: &ConnectorId, attempt: &AttemptId, random: &Random) -> Self {
        Self { connector: connector.clone(), attempt: attempt.clone(), proof: Bearer::random(random), came_from: None }
    }

    /// From the wire. A client may have put `~` and an address of its own behind it ([`crate::protocol::return_address`]); that part is not ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (own, behind) = text.split_once('~').map_or((text, None), |(own, behind)| (own, Some(behind)));
        let mut parts = own.splitn(3, '.');
        let connector = ConnectorId::parse(parts.next()?)?;
        let attempt = AttemptId::parse(parts.next()?)?;
        let proof = parts.next().filter(|proof| !proof.is_empty() && proof.len() <= 64)?;
        let came_from = behind.filter(|behind| behind.len() <= LONGEST_RETURN).map(str::to_owned);
        Some(Self { connector, attempt, proof: Bearer::from(proof.to_owned()), came_from })
    }

    /// As on the wire.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}.{}.{}", self.connector, self.attempt, self.proof.expose())
    }

    /// What is stored in its place: of the whole, so that connector and attempt can't be exchanged.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest(&self.expose())
    }
}

/// What an answer has to bring besides its `state` to be believed.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The digest of the cookie that the start set.
    pub browser: Digest,
    /// `iss`, where the answer has one.
    pub issuer: Option<String>,
    /// The connector in the path of our redirect URI at which it arrived; none at the common one.
    pub connector: Option<ConnectorId>,
    /// Who claims, and may again when the SDK repeats its call.
    pub claimer: Claimer,
}

/// An attempt that this request claimed: the only thing that tokens are asked for.
#[derive(Debug)]
pub struct Claimed {
    /// The attempt and how far it is.
    pub progress: Progress,
    kept: Sealed,
}

impl Claimed {
    /// The attempt.
    #[must_use]
    pub fn attempt(&self) -> &Attempt {
        &self.progress.attempt
    }

    /// What it kept sealed.
    #[must_use]
    pub fn sealed(&self) -> &Sealed {
        &self.kept
    }
}

/// What became of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The attempt is this request's.
    Won(Box<Claimed>),
    /// The same browser came back: this is the outcome.
    Before(Box<Progress>),
}

/// How long nobody else asks the provider while one request does: longer than a function runs.
const POLLING: Duration = Duration::from_secs(30);

/// The right to ask the provider once how a device authorization went.
#[derive(Debug)]
pub struct Polling {
    /// What the attempt keeps sealed.
    pub kept: Sealed,
    /// How long the provider wants to be left alone between two times.
    pub interval: Duration,
}

/// The attempts, in the flows table.
pub struct Attempts {
    table: Table,
}

impl Attempts {
    /// Attempts in this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Remembers an attempt until it expires.
    pub async fn put(&self, attempt: &Attempt, state: &State, kept: &Sealed) -> Result<(), StoreError> {
        self.put_new(new_item(attempt, state, kept)).await
    }

    /// Remembers an attempt that its browser has started already: no other ever can.
    pub async fn put_started(
        &self,
        attempt: &Attempt,
        state: &State,
        kept: &Sealed,
        browser: &Digest,
    ) -> Result<(), StoreError> {
        self.put_new(new_item(attempt, state, kept).text("browser", browser.as_str())).await
    }

    /// Remembers an attempt that asks no provider: its browser typed the credentials, and only completion is left.
    pub async fn put_claimed(&self, attempt: &Attempt, browser: &Digest) -> Result<(), StoreError> {
        self.put_new(item_of(attempt, &Status::Claimed).text("browser", browser.as_str())).await
    }

    /// Remembers an attempt that no browser starts: a person types its code elsewhere, and the provider is asked from an interval on
    /// (RFC 8628 §3.3).
    pub async fn put_device(
        &self,
        attempt: &Attempt,
        kept: &Sealed,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = item_of(attempt, &Status::Pending).sealed("verifier", kept);
        let item = item.number("interval", interval.as_secs()).number("poll_at", now.after(interval).millis());
        self.put_new(item).await
    }

    /// Takes the right to ask the provider how it went, which one request has at a time and not before the interval is over. The
    /// same claimer may take it again (the SDK retries).
    pub async fn claim_poll(
        &self,
        id: &AttemptId,
        claimer: &Claimer,
        now: Timestamp,
    ) -> Result<Option<Polling>, StoreError> {
        let update = self.update(id).update_expression("SET poll_at = :busy, polled_by = :claimer");
        let update = update
            .condition_expression(
                "#status = :pending AND expires_at > :now AND (poll_at <= :now OR polled_by = :claimer)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()))
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":busy", number(now.after(POLLING).millis()))
            .expression_attribute_values(":claimer", string(claimer.as_str()));
        match self.table.write(update).await {
            Ok(output) => {
                let item = Item(output.attributes.unwrap_or_default());
                let kept = item.get_sealed("verifier").ok_or_else(|| self.table.malformed("verifier"))?;
                let interval = item.get_number("interval").ok_or_else(|| self.table.malformed("interval"))?;
                Ok(Some(Polling { kept, interval: Duration::from_secs(interval) }))
            }
            Err(error) if error.as_service_error().and_then(condition_failed).is_some() => Ok(None),
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// Gives that right back: the provider is left alone until then, and for this long each time from now on.
    pub async fn poll_later(
        &self,
        id: &AttemptId,
        claimer: &Claimer,
        interval: Duration,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self.update(id).update_expression("SET poll_at = :at, #interval = :interval");
        let update = update
            .condition_expression("polled_by = :claimer")
            .expression_attribute_names("#interval", "interval")
            .expression_attribute_values(":claimer", string(claimer.as_str()))
            .expression_attribute_values(":at", number(at.millis()))
            .expression_attribute_values(":interval", number(interval.as_secs()));
        match self.table.write(update).await {
            Ok(_) => Ok(()),
            // somebody else has it by now
            Err(error) if error.as_service_error().and_then(condition_failed).is_some() => Ok(()),
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// The write of an attempt that is over when it is made: what was typed was verified, and the connection stands beside it in
    /// one transaction.
    pub(super) fn connected(&self, attempt: &Attempt) -> Result<TransactWriteItem, StoreError> {
        let item = item_of(attempt, &Status::Connected);
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item.0));
        let put = put.condition_expression("attribute_not_exists(pk)").build();
        let put = put.map_err(|error| self.table.malformed(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    async fn put_new(&self, item: Item) -> Result<(), StoreError> {
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item.0));
        let put = put.condition_expression("attribute_not_exists(pk)");
        self.table.write(put).await.map(drop).map_err(self.table.failed("PutItem"))
    }

    /// Gives an attempt to the browser that starts it. The first one has it; the same one may start again; to any other it
    /// is used. What came behind the state is remembered with it.
    pub async fn start(&self, state: &State, browser: &Digest, now: Timestamp) -> Result<Attempt, Error> {
        let update = self.update(&state.attempt);
        let update = match &state.came_from {
            Some(text) => update
                .update_expression("SET browser = :browser, came_from = :came_from")
                .expression_attribute_values(":came_from", string(text)),
            None => update.update_expression("SET browser = :browser"),
        };
        let update = update
            .condition_expression("state_hash = :state AND expires_at > :now AND #status = :pending AND (attribute_not_exists(browser) OR browser = :browser)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()))
            .expression_attribute_values(":state", string(state.digest().as_str()))
            .expression_attribute_values(":browser", string(browser.as_str()))
            .expression_attribute_values(":now", number(now.millis()));
        match self.table.write(update).await {
            Ok(output) => Ok(self.progress(&Item(output.attributes.unwrap_or_default()), now)?.attempt),
            Err(error) => {
                let found = error.as_service_error().and_then(condition_failed).map(Item);
                match found {
                    None => Err(self.table.failed("UpdateItem")(error).into()),
                    Some(item) if !is(&item, "state_hash", &state.digest()) => Err(Error::UnknownState),
                    Some(item) if item.get_number("expires_at") <= Some(now.millis()) => Err(Error::Expired),
                    Some(_) => Err(Error::AlreadyUsed),
                }
            }
        }
    }

    /// Keeps what a provider gave the browser to leave with, in place of what was kept before: only its own browser takes it along,
    /// and only while nobody has answered.
    pub async fn keep(&self, id: &AttemptId, browser: &Digest, kept: &Sealed) -> Result<(), Error> {
        let update = self.update(id).update_expression("SET verifier = :kept");
        let update = update
            .condition_expression("#status = :pending AND browser = :browser")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()))
            .expression_attribute_values(":browser", string(browser.as_str()))
            .expression_attribute_values(":kept", bytes(kept));
        match self.table.write(update).await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().and_then(condition_failed).is_some() => Err(Error::AlreadyUsed),
            Err(error) => Err(self.table.failed("UpdateItem")(error).into()),
        }
    }

    /// What an attempt keeps sealed, while it does.
    pub async fn kept(&self, id: &AttemptId) -> Result<Sealed, Error> {
        let item = self.item(id).await?.ok_or(Error::NotFound(Missing::Attempt))?;
        item.get_sealed("verifier").ok_or(Error::AlreadyUsed)
    }

    /// Claims an attempt, so that a `state` works once. State, cookie, callback path and issuer are part of the condition: a
    /// wrong one changes nothing. An `iss` is compared wherever the issuer is known, and has to be there where the provider
    /// announced it (RFC 9207 §2.4). The same claimer may claim again (the SDK retries); the same browser later gets the outcome.
    pub async fn claim(&self, state: &State, proof: &Proof, now: Timestamp) -> Result<Claim, Error> {
        let issuer = match proof.issuer {
            Some(_) => "(attribute_not_exists(issuer) OR issuer = :issuer)",
            None => "attribute_not_exists(issuer_is_told)",
        };
        let update = self
            .update(&state.attempt)
            .update_expression("SET claimed_by = :claimer, #status = :claimed, spent_state = :spent");
        let update = update
            .condition_expression(
                format!(
                    "state_hash = :state AND browser = :browser AND callback = :callback AND {issuer} AND expires_at > :now \
                     AND (attribute_not_exists(claimed_by) OR claimed_by = :claimer)"
                ),
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":claimed", string(Status::Claimed.as_stored()))
            .expression_attribute_values(":spent", string(state.expose()))
            .expression_attribute_values(":state", string(state.digest().as_str()))
            .expression_attribute_values(":browser", string(proof.browser.as_str()))
            .expression_attribute_values(":callback", string(proof.connector.as_ref().map_or(COMMON, ConnectorId::as_str)))
            .expression_attribute_values(":claimer", string(proof.claimer.as_str()))
            .expression_attribute_values(":now", number(now.millis()));
        let update = match &proof.issuer {
            Some(issuer) => update.expression_attribute_values(":issuer", string(issuer)),
            None => update,
        };
        match self.table.write(update).await {
            Ok(output) => {
                let item = Item(output.attributes.unwrap_or_default());
                let kept = item.get_sealed("verifier").ok_or_else(|| self.table.malformed("verifier"))?;
                let progress = self.progress(&item, now)?;
                Ok(Claim::Won(Box::new(Claimed { progress, kept })))
            }
            Err(error) => {
                let Some(item) = error.as_service_error().and_then(condition_failed).map(Item) else {
                    return Err(self.table.failed("UpdateItem")(error).into());
                };
                self.not_claimed(&item, state, proof, now)
            }
        }
    }

    /// Why a claim failed. What a stranger learns does not depend on what became of the attempt.
    fn not_claimed(&self, item: &Item, state: &State, proof: &Proof, now: Timestamp) -> Result<Claim, Error> {
        if !is(item, "state_hash", &state.digest()) || !is(item, "browser", &proof.browser) {
            return Err(Error::UnknownState);
        }
        if item.get_text("claimed_by").is_some() {
            return Ok(Claim::Before(Box::new(self.progress(item, now)?)));
        }
        if item.get_number("expires_at") <= Some(now.millis()) {
            return Err(Error::Expired);
        }
        // the right browser with an answer of somebody else: it may start again
        Err(Error::AnswerNotBelieved(Box::new(state.clone())))
    }

    /// Writes down a refusal, by the provider or the person.
    pub async fn deny(&self, id: &AttemptId, reason: &str) -> Result<(), StoreError> {
        self.end(id, &Status::Denied, reason).await.map(drop)
    }

    /// Writes down a failure after the claim: from then on no grant can be held or completed. False if there is a
    /// connection already, which stays.
    pub async fn fail(&self, id: &AttemptId, reason: &str) -> Result<bool, StoreError> {
        self.end(id, &Status::Failed, reason).await
    }

    /// Writes down a failure before anybody has answered, and takes no answer from then on. False if somebody has answered: what
    /// they bring counts.
    pub async fn fail_to_leave(&self, id: &AttemptId, reason: &str) -> Result<bool, StoreError> {
        let update = self.update(id).update_expression("SET #status = :status, #error = :error, claimed_by = :nobody");
        let update = update
            .expression_attribute_values(":nobody", string("nobody"))
            .condition_expression("#status = :pending")
            .expression_attribute_values(":pending", string(Status::Pending.as_stored()));
        self.end_by(update, &Status::Failed, reason).await
    }

    async fn end(&self, id: &AttemptId, status: &Status, reason: &str) -> Result<bool, StoreError> {
        let update = self.update(id).update_expression("SET #status = :status, #error = :error");
        let update = update
            .condition_expression("attribute_exists(pk) AND #status <> :connected")
            .expression_attribute_values(":connected", string(Status::Connected.as_stored()));
        self.end_by(update, status, reason).await
    }

    async fn end_by(&self, update: UpdateItemFluentBuilder, status: &Status, reason: &str) -> Result<bool, StoreError> {
        let update = update
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":status", string(status.as_stored()))
            .expression_attribute_values(":error", string(reason));
        match self.table.write(update).await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::update_item::UpdateItemError::is_conditional_check_failed_exception,
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.table.failed("UpdateItem")(error)),
        }
    }

    /// An attempt and how far it is.
    pub async fn progress_of(&self, id: &AttemptId, now: Timestamp) -> Result<Progress, Error> {
        let item = self.item(id).await?.ok_or(Error::NotFound(Missing::Attempt))?;
        Ok(self.progress(&item, now)?)
    }

    pub(super) async fn item(&self, id: &AttemptId) -> Result<Option<Item>, StoreError> {
        let get = self
            .table
            .client
            .get_item()
            .table_name(&self.table.name)
            .key("pk", string(id.as_str()))
            .consistent_read(true);
        let output = get.send().await.map_err(self.table.failed("GetItem"))?;
        Ok(output.item.map(Item))
    }

    fn progress(&self, item: &Item, now: Timestamp) -> Result<Progress, StoreError> {
        let attempt: Attempt = item.get_doc(&self.table)?;
        let stored = item.get_text("status").and_then(Status::parse).ok_or_else(|| self.table.malformed("status"))?;
        let held_until = item.get_number("held_until").map(Timestamp::from_millis);
        let status = match stored {
            Status::Pending | Status::Claimed if attempt.expires_at() <= now => Status::Expired,
            Status::Held if held_until.is_some_and(|until| until <= now) => Status::Expired,
            stored => stored,
        };
        let text = |name| item.get_text(name).map(str::to_owned);
        Ok(Progress {
            attempt,
            status,
            error: text("error"),
            account: text("account"),
            browser: text("browser"),
            came_from: text("came_from"),
            state: text("spent_state"),
        })
    }

    pub(super) fn update(
        &self,
        id: &AttemptId,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let update = self.table.client.update_item().table_name(&self.table.name).key("pk", string(id.as_str()));
        update
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn item_of(attempt: &Attempt, status: &Status) -> Item {
    Item::new()
        .text("pk", attempt.id.as_str())
        .doc(attempt)
        .text("status", status.as_stored())
        .number("expires_at", attempt.expires_at().millis())
        .number("ttl", attempt.expires_at().after(REMEMBERED).secs())
}

/// An attempt that waits for its provider's answer.
fn new_item(attempt: &Attempt, state: &State, kept: &Sealed) -> Item {
    item_of(attempt, &Status::Pending)
        .text("state_hash", state.digest().as_str())
        .text("callback", attempt.callback_name())
        .text_if("issuer", attempt.issuer.as_ref().map(|issuer| issuer.identifier.as_str()))
        .text_if("issuer_is_told", attempt.issuer.as_ref().filter(|issuer| issuer.is_told).map(|_| "yes"))
        .sealed("verifier", kept)
}

/// The item that failed the condition; empty if there is none.
pub(crate) fn condition_failed(
    error: &aws_sdk_dynamodb::operation::update_item::UpdateItemError,
) -> Option<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
    match error {
        aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(failed) => {
            Some(failed.item.clone().unwrap_or_default())
        }
        _ => None,
    }
}

fn is(item: &Item, name: &str, expected: &Digest) -> bool {
    item.get_text(name) == Some(expected.as_str())
}

/// The content name of what an attempt keeps sealed.
pub const VERIFIER: &str = "code_verifier";

/// What an attempt keeps sealed until its answer comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// What ties the code to it (RFC 7636).
    pub code_verifier: Option<CodeVerifier>,
    /// The key that its tokens are bound to (RFC 9449).
    pub proof_key: Option<ProofKey>,
    /// The temporary credentials that the browser left with (RFC 5849 §2.1).
    pub temporary: Option<AccessToken>,
    /// Their secret.
    pub token_secret: Option<TokenSecret>,
    /// What the provider is polled with (RFC 8628 §3.2).
    pub device_code: Option<DeviceCode>,
}

impl Kept {
    /// A code verifier and nothing else.
    #[must_use]
    pub fn verifier(verifier: CodeVerifier) -> Self {
        Self { code_verifier: Some(verifier), ..Self::default() }
    }

    /// What is sealed: a code verifier alone as it is.
    #[must_use]
    pub fn plaintext(&self) -> Vec<u8> {
        let Self { code_verifier, proof_key, temporary, token_secret, device_code } = self;
        match (code_verifier, proof_key, temporary, token_secret, device_code) {
            (Some(verifier), None, None, None, None) => verifier.expose().as_bytes().to_vec(),
            _ => serde_json::json!({
                "code_verifier": code_verifier.as_ref().map(CodeVerifier::expose),
                "proof_key": proof_key.as_ref().map(ProofKey::expose),
                "temporary": temporary.as_ref().map(AccessToken::expose),
                "token_secret": token_secret.as_ref().map(TokenSecret::expose),
                "device_code": device_code.as_ref().map(DeviceCode::expose),
            })
            .to_string()
            .into_bytes(),
        }
    }

    /// What was sealed.
    #[must_use]
    pub fn from_plaintext(plaintext: Vec<u8>) -> Option<Self> {
        if plaintext.starts_with(b"{") {
            return serde_json::from_slice(&plaintext).ok();
        }
        String::from_utf8(plaintext).ok().map(|text| Self::verifier(CodeVerifier::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_never_printed() {
        let verifier = Kept::verifier(CodeVerifier::from("canary-1".to_owned()));
        assert_eq!(verifier.plaintext(), b"canary-1");
        let all = Kept {
            proof_key: Some(ProofKey::from("canary-2".to_owned())),
            temporary: Some(AccessToken::from("canary-3".to_owned())),
            token_secret: Some(TokenSecret::from("canary-4".to_owned())),
            device_code: Some(DeviceCode::from("canary-5".to_owned())),
            ..verifier.clone()
        };
        for kept in [verifier, all, Kept::default()] {
            assert_eq!(Kept::from_plaintext(kept.plaintext()), Some(kept.clone()));
            assert!(!format!("{kept:?}").contains("canary"));
        }
    }

    #[test]
    fn a_state_is_read_up_to_the_first_tilde() {
        let random = Random::system();
        let attempt = AttemptId::random(&random);
        let state = State::random(&ConnectorId::parse("google-drive").unwrap(), &attempt, &random);
        let wire = state.expose();
        for text in
            [wire.clone(), format!("{wire}~aHR0cHM6Ly94"), format!("{wire}~aHR0cHM6Ly94~v3"), format!("{wire}~")]
        {
            let read = State::parse(&text).unwrap();
            assert_eq!((read.expose(), read.attempt), (wire.clone(), attempt.clone()), "{text}");
        }
        for text in [
            "",
            "~",
            "acme",
            "acme.att_1",
            "acme.att_1.",
            "ACME.att_1.x",
            "acme.att-1.x",
            &format!("acme.att_1.{}", "x".repeat(65)),
        ] {
            assert!(State::parse(text).is_none(), "{text}");
        }
    }
}
