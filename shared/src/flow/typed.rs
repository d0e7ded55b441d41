//! Credentials that a person typed: verified at the provider, and not stored when it refuses them.

use super::{begin::Asked, connector_in_use::ConnectorInUse};
use crate::{
    app::App,
    error::Error,
    id::AttemptId,
    secret::Bearer,
    store::{
        attempts::{Attempt, Completion},
        connections::{Chosen, Connection, Held},
    },
};

/// A grant of typed credentials, held.
pub struct HeldByHand {
    /// Its attempt, which asked no provider for consent.
    pub attempt: Attempt,
    /// The grant.
    pub held: Held,
    /// What the attempt's cookie holds.
    pub browser: Bearer,
}

impl App {
    /// Verifies what a person typed on our page, and holds it for the browser that has the answered cookie, to be completed as the
    /// page was come to. One provider call, two writes.
    pub async fn hold_typed(
        &self,
        connector: &ConnectorInUse<'_>,
        asked: Asked<'_>,
        completion: Completion,
    ) -> Result<HeldByHand, Error> {
        let (attempt, held) = self.typed(connector, asked, completion).await?;
        let browser = Bearer::random(&self.random);
        self.attempts.put_claimed(&attempt, &browser.digest()).await?;
        self.connections.hold(&self.attempts, &self.codes, &held, None, self.clock.now()).await?;
        Ok(HeldByHand { attempt, held, browser })
    }

    /// Verifies what a person typed in a page that was proven to stand in one of the project's, and connects. One provider call,
    /// one write.
    pub async fn connect_typed(
        &self,
        connector: &ConnectorInUse<'_>,
        asked: Asked<'_>,
    ) -> Result<(Attempt, Connection), Error> {
        let (attempt, held) = self.typed(connector, asked, Completion::BoundAtStart).await?;
        held.must_wait_for_nothing()?; // there is no page yet that asks
        self.connections.create_for(&self.attempts, &attempt, &self.settings, &held).await?;
        Ok((attempt, held.connection))
    }

    /// The provider's refusal is told as it is, for who can say it in other words.
    async fn typed(
        &self,
        connector: &ConnectorInUse<'_>,
        asked: Asked<'_>,
        completion: Completion,
    ) -> Result<(Attempt, Held), Error> {
        let (values, secrets) =
            connector.values(&asked.given, &asked.project.name).map_err(|error| Error::invalid(error.to_string()))?;
        let id = AttemptId::random(&self.random);
        let attempt = Attempt { completion, ..self.attempt(connector, asked, id, &values, self.clock.now()) };
        let held = self.verified_grant(connector, &attempt, secrets, &Chosen::new()).await?;
        Ok((attempt, held))
    }
}
