//! Credentials that a person typed: verified at the provider, and not stored when it refuses them.

use super::{begin::Asked, connector_in_use::ConnectorInUse};
use crate::{
    app::App,
    error::Error,
    id::AttemptId,
    secret::Bearer,
    store::{
        attempts::{Attempt, Completion},
        connections::{Connection, Held},
    },
};

impl App {
    /// Verifies what a person typed on a page that a link led to, and holds it for the browser that has the answered cookie: there
    /// the person confirms. One provider call, two writes.
    pub async fn hold_typed(
        &self,
        connector: &ConnectorInUse<'_>,
        asked: Asked<'_>,
    ) -> Result<(Attempt, Bearer), Error> {
        let (attempt, held) = self.typed(connector, asked, Completion::PersonConfirms).await?;
        let browser = Bearer::random(&self.random);
        self.attempts.put_claimed(&attempt, &browser.digest()).await?;
        self.connections.hold(&self.attempts, &self.codes, &held, None, self.clock.now()).await?;
        Ok((attempt, browser))
    }

    /// Verifies what a person typed on a page that was proven to stand in one of the project's, and connects. One provider call,
    /// one write.
    pub async fn connect_typed(
        &self,
        connector: &ConnectorInUse<'_>,
        asked: Asked<'_>,
    ) -> Result<(Attempt, Connection), Error> {
        let (attempt, Held { connection, sealed, .. }) = self.typed(connector, asked, Completion::BoundAtStart).await?;
        self.connections.create_for(&self.attempts, &attempt, &self.settings, &connection, &sealed).await?;
        Ok((attempt, connection))
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
        let held = self.verified_grant(connector, &attempt, secrets).await?;
        Ok((attempt, held))
    }
}
