//! Completing a held grant: the last check, and the connection.

use crate::{
    app::App,
    error::{Error, Missing},
    id::{Environment, Identity, ProjectId},
    store::{
        connections::{Completer, Connection, Held},
        settings::Key,
    },
};

impl App {
    /// Completes a held grant. A user who was deleted while it was on its way gets no connection any more; the grant is then
    /// forgotten and revoked.
    pub async fn complete(&self, held: &Held, reconnect: bool, by: &Completer<'_>) -> Result<Connection, Error> {
        let Connection { project, environment, identity, .. } = &held.connection;
        if let Err(error) = self.must_not_be_deleted(project, *environment, identity.as_ref()).await {
            self.abandon(&held.attempt).await?;
            self.attempts.fail(&held.attempt, "user_not_found").await?;
            return Err(error);
        }
        self.connections.complete(&self.attempts, &self.codes, held, reconnect, by, self.clock.now()).await
    }

    /// Fails if this user was deleted.
    pub async fn must_not_be_deleted(
        &self,
        project: &ProjectId,
        environment: Environment,
        identity: Option<&Identity>,
    ) -> Result<(), Error> {
        let Some(identity) = identity else { return Ok(()) };
        let key = Key::DeletedUser(project.clone(), environment, identity.clone());
        let read = self.settings.read(std::slice::from_ref(&key), self.clock.now()).await?;
        if read.is_deleted(&key) { Err(Error::NotFound(Missing::User)) } else { Ok(()) }
    }
}
