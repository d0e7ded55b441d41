//! The `state` that goes to the provider and comes back.

use crate::{
    clock::Random,
    id::{AttemptId, ConnectorId},
    secret::{Bearer, Digest, digest},
};

/// The longest return address that is remembered, encoded: a longer one is no page's own but carries data.
const LONGEST_RETURN: usize = 8192;

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

#[cfg(test)]
mod tests {
    use super::*;

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
