//! Completing a held grant: the last check, and the connection.

use crate::{
    app::App,
    error::{Error, Missing},
    flow::finish::{Ending, completion_code},
    id::{Environment, Identity, ProjectId},
    secret::Bearer,
    store::{
        attempts::{Attempt, Status},
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

    /// Completes a held grant in the browser that it is held for. What it comes to if somebody was faster, by a second click or in
    /// another tab, or if the keeper was, is told as it stands.
    pub async fn complete_in_browser(&self, attempt: &Attempt, cookie: &Bearer) -> Result<Ending, Error> {
        let held = self.connections.held(&attempt.id).await?;
        let code = completion_code(attempt, cookie);
        if let Some(held) = held {
            let by = Completer::Person { browser: cookie.digest(), code: code.as_ref() };
            match self.complete(&held, attempt.reconnect, &by).await {
                Ok(_) => return Ok(Ending::Connected(code)),
                Err(Error::AlreadyUsed) => {}
                Err(error) => return Err(error),
            }
        }
        let progress = self.attempts.progress_of(&attempt.id, self.clock.now()).await?;
        if progress.status == Status::Held { Err(Error::AlreadyUsed) } else { Ok(Ending::of(&progress, cookie)) }
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
