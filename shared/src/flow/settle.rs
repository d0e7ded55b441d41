//! What becomes of an attempt that was claimed: refused, held, or given up. A failure of ours is written down as well, so that
//! nobody waits for an attempt that is over, and tokens that were just issued do not live on where nobody knows of them.

use std::sync::Arc;

use super::{
    finish::{Ending, SERVER_ERROR},
    grant::NoGrant,
};
use crate::{
    app::App,
    error::{Error, chain},
    secret::Bearer,
    store::{attempts::Attempt, connections::Held},
};

impl App {
    /// Writes down that the person or the provider said no.
    pub async fn refuse(&self, attempt: &Attempt, reason: String) -> Result<Ending, Error> {
        match self.attempts.deny(&attempt.id, &reason).await {
            Ok(()) => Ok(Ending::Denied(reason)),
            Err(error) => self.give_up(attempt, error.into()).await,
        }
    }

    /// What a failure comes to. The provider's is an outcome of the attempt: it reaches the front end, and the log says why.
    /// Ours stays an error of the request; the attempt says only that there was one.
    pub async fn give_up(&self, attempt: &Attempt, error: Error) -> Result<Ending, Error> {
        let Some(code) = Ending::code_of(&error) else {
            if let Err(again) = self.attempts.fail(&attempt.id, SERVER_ERROR).await {
                tracing::warn!(attempt = %attempt.id, cause = chain(&again), "a failure could not be written down; the attempt expires");
            }
            return Err(error);
        };
        tracing::warn!(
            attempt = %attempt.id,
            connector = %attempt.connector,
            code,
            cause = chain(&error),
            "the provider's answer could not be turned into a grant"
        );
        self.attempts.fail(&attempt.id, code).await?;
        Ok(Ending::Failed(code.to_owned()))
    }

    /// The same for an attempt for which the provider may have issued tokens that can't be used: those are revoked, where that
    /// ends nothing else. Both are written at once, since the time after a slow provider is short.
    pub async fn give_up_grant(self: &Arc<Self>, attempt: &Attempt, failure: NoGrant) -> Result<Ending, Error> {
        let queued = failure.issued.and_then(|issued| self.unclaimed(&issued));
        let app = Arc::clone(self);
        let revocation = queued.map(|queued| tokio::spawn(async move { app.leave_to_the_keeper(&queued).await }));
        let ending = self.give_up(attempt, failure.error).await;
        if let Some(revocation) = revocation
            && revocation.await.is_err()
        {
            tracing::error!(attempt = %attempt.id, "tokens that can't be used could not be queued for revocation");
        }
        ending
    }

    /// Holds a grant, and the code that completes it where the app will redeem one. What can't be held is taken back, in a
    /// task of its own: the caller may go away, the tokens are there.
    pub async fn hold(self: &Arc<Self>, held: Held, code: Option<&Bearer>) -> Result<(), Error> {
        let now = self.clock.now();
        let Err(error) = self.connections.hold(&self.attempts, &self.codes, &held, code, now).await else {
            return Ok(());
        };
        let app = Arc::clone(self);
        let task = tokio::spawn(async move { app.take_back(&held).await });
        if let Ok(Err(again)) = task.await {
            tracing::error!(
                cause = chain(&again),
                "tokens that could not be held could not be revoked; they live until they expire"
            );
        }
        Err(error.into())
    }

    /// Ends an attempt whose grant could not be held, and has its tokens revoked: by the keeper, or at once and only once
    /// where even that can't be written down.
    async fn take_back(&self, held: &Held) -> Result<(), Error> {
        let Err(error) = self.call_off(held).await else { return Ok(()) };
        tracing::warn!(attempt = %held.attempt, cause = chain(&error), "what could not be held could not be queued for revocation");
        match self.unclaimed(held) {
            Some(queued) => self.try_revocation(&queued).await.map(drop),
            None => Ok(()),
        }
    }

    async fn call_off(&self, held: &Held) -> Result<(), Error> {
        // first: an attempt that has failed can't hold a grant any more, also when that write is still on its way
        if !self.attempts.fail(&held.attempt, SERVER_ERROR).await? {
            return Ok(()); // it was held, only the answer was lost, and is completed by now
        }
        // held after all, perhaps
        if self.abandon(&held.attempt).await?.is_some() {
            return Ok(());
        }
        match self.unclaimed(held) {
            Some(queued) => Ok(self.journal.put(&queued).await?),
            None => Ok(()),
        }
    }
}
