//! Authorization responses that came by POST, until their browser comes for them.
//!
//! OAuth 2.0 Form Post Response Mode: the provider's page posts `code` and `state` across sites, and such a POST carries no
//! `SameSite=Lax` cookie. So the answer is sealed into its attempt under a handle of its own, and the browser is sent on by
//! 303 to fetch it: a top-level GET, which brings the cookie. Only then is anything believed or claimed.

use super::{
    Item,
    attempts::{Attempt, Attempts, State, condition_failed},
    bytes, number, string,
};
use crate::{
    clock::{Random, Timestamp},
    error::Error,
    id::AttemptId,
    secret::{Bearer, Digest, digest},
    vault::Sealed,
};

/// The content name of a sealed authorization response.
pub const ANSWER: &str = "authorization_response";

/// What a browser fetches a parked answer by: the attempt, for a look-up, and 256 random bits that prove it.
#[derive(Clone, Debug)]
pub struct AnswerHandle {
    attempt: AttemptId,
    proof: Bearer,
}

impl AnswerHandle {
    /// A new one.
    #[must_use]
    pub fn random(attempt: &AttemptId, random: &Random) -> Self {
        Self { attempt: attempt.clone(), proof: Bearer::random(random) }
    }

    /// From the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (attempt, proof) = text.split_once('.')?;
        let proof = Some(proof).filter(|proof| !proof.is_empty() && proof.len() <= 64)?;
        Some(Self { attempt: AttemptId::parse(attempt)?, proof: Bearer::from(proof.to_owned()) })
    }

    /// As on the wire.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}.{}", self.attempt, self.proof.expose())
    }

    fn digest(&self) -> Digest {
        digest(&self.expose())
    }
}

impl Attempts {
    /// Parks an answer in the attempt that its `state` proves, if that was started and waits for one. A second answer takes the
    /// first one's place: neither is believed yet.
    pub async fn park(
        &self,
        state: &State,
        handle: &AnswerHandle,
        answer: &Sealed,
        now: Timestamp,
    ) -> Result<(), Error> {
        let update = self
            .update(&state.attempt)
            .update_expression("SET answer = :answer, answer_hash = :handle")
            .condition_expression(
                "state_hash = :state AND expires_at > :now AND attribute_exists(browser) AND attribute_not_exists(claimed_by)",
            )
            .expression_attribute_values(":answer", bytes(answer))
            .expression_attribute_values(":handle", string(handle.digest().as_str()))
            .expression_attribute_values(":state", string(state.digest().as_str()))
            .expression_attribute_values(":now", number(now.millis()));
        let Err(error) = self.table().write(update).await else { return Ok(()) };
        let Some(item) = error.as_service_error().and_then(condition_failed).map(Item) else {
            return Err(self.table().failed("UpdateItem")(error).into());
        };
        if item.get_text("state_hash") != Some(state.digest().as_str()) || item.get_text("browser").is_none() {
            return Err(Error::UnknownState);
        }
        if item.get_text("claimed_by").is_some() { Err(Error::AlreadyUsed) } else { Err(Error::Expired) }
    }

    /// The parked answer of this handle, with its attempt.
    pub async fn parked(&self, handle: &AnswerHandle) -> Result<(Attempt, Sealed), Error> {
        let item = self.item(&handle.attempt).await?.ok_or(Error::UnknownState)?;
        if item.get_text("answer_hash") != Some(handle.digest().as_str()) {
            return Err(Error::UnknownState);
        }
        let answer = item.get_sealed("answer").ok_or_else(|| self.table().malformed("answer"))?;
        Ok((item.get_doc(self.table())?, answer))
    }
}
