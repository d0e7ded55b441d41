//! The person's own word: the page that asks for it, and what became of the attempt.

use askama::Template;
use shared::{
    app::App,
    error::{Error, Missing, Refusal},
    flow::finish::Ending,
    http::{Request, Response, form},
    id::AttemptId,
    page::{self, Frame},
    secret::{Bearer, digest},
    store::{
        attempts::{Attempt, Completion, Progress, Status, cookie_name},
        connections::Held,
        settings::Key,
    },
};

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmForm<'a> {
    frame: &'a Frame,
    app_name: &'a str,
    id: &'a str,
    name: &'a str,
    account: &'a str,
    for_whom: &'a str,
    attempt: &'a str,
    form_token: &'a str,
}

/// An attempt in the browser that it belongs to.
pub struct Own {
    pub progress: Progress,
    cookie: Bearer,
}

impl Own {
    /// The attempt that the path names, if the cookie is its own. To any other browser it is unknown.
    pub async fn of(app: &App, request: &Request) -> Result<Self, Error> {
        let id = AttemptId::parse(request.param("attempt")?).ok_or(Error::UnknownState)?;
        let cookie = Bearer::from(request.cookie(&cookie_name(&id)).ok_or(Error::UnknownState)?.to_owned());
        let progress = app.attempts.progress_of(&id, app.clock.now()).await.map_err(|error| match error {
            Error::NotFound(_) => Error::UnknownState,
            other => other,
        })?;
        if progress.browser.as_deref() != Some(digest(cookie.expose()).as_str()) {
            return Err(Error::UnknownState);
        }
        Ok(Self { progress, cookie })
    }

    fn waits_for_the_person(&self) -> bool {
        self.progress.status == Status::Held && self.progress.attempt.completion == Completion::PersonConfirms
    }
}

/// Asks the person: names app, connector, the account consented with, and for whom.
pub async fn page(app: &App, request: &Request) -> Result<Response, Error> {
    let own = Own::of(app, request).await?;
    if !own.waits_for_the_person() {
        return app.end(&own.progress, Ending::of(&own.progress, &own.cookie)).await;
    }
    let attempt = &own.progress.attempt;
    if attempt.reconnect
        && let Some(held) = app.connections.held(&attempt.id).await?
        && let Err(error) = app.must_be_completable(&held, true).await
    {
        let ending = refused(app, &own, error).await?;
        return app.end(&own.progress, ending).await;
    }
    let connector = app.connector_data(&attempt.project, &attempt.connector).await?;
    // the address too, so that the form leads where it should
    let keys = [Key::Project(attempt.project.clone()), Key::Deployment];
    let project = app.settings.read(&keys, app.clock.now()).await?.project(&attempt.project)?;
    let frame = Frame::of(app, request).dressed(&project.ok_or(Error::NotFound(Missing::Project))?);
    let account = own.progress.account.clone().filter(|account| !account.is_empty());
    let (label, identity) = (attempt.identity_label.as_deref(), attempt.identity.as_ref());
    let template = ConfirmForm {
        frame: &frame,
        app_name: &attempt.app_name,
        id: attempt.connector.as_str(),
        name: &connector.name,
        account: &account.unwrap_or_else(|| frame.t.account_untold()),
        for_whom: &page::for_whom(frame.t, label, identity, &attempt.app_name),
        attempt: attempt.id.as_str(),
        form_token: &form::token(own.cookie.expose(), &purpose(attempt)),
    };
    Ok(frame.show(&template, page::NOBODY))
}

fn purpose(attempt: &Attempt) -> String {
    format!("confirm {}", attempt.id)
}

/// Takes the person's word: completes the connection, or forgets the grant.
pub async fn decide(app: &App, request: &Request) -> Result<Response, Error> {
    let form = request.form()?;
    // one round: the path names the attempt, and nothing is told of its grant to another browser
    let (own, held, base_url) = tokio::join!(Own::of(app, request), held(app, request), app.base_url(app.clock.now()));
    let (own, base_url) = (own?, base_url?);
    let attempt = &own.progress.attempt;
    form::must_be_ours(request, &form, own.cookie.expose(), &purpose(attempt), &base_url)?;
    if !own.waits_for_the_person() {
        return Ok(after_form(
            app.end(&own.progress, Ending::of(&own.progress, &own.cookie)).await?,
            &base_url,
            attempt,
        ));
    }
    let ending = match form.required("decision")? {
        "confirm" => app.complete_in_browser(attempt, held?, &own.cookie).await?,
        "cancel" => cancel(app, &own).await?,
        _ => return Err(Error::invalid("decision is confirm or cancel")),
    };
    Ok(after_form(app.end(&own.progress, ending).await?, &base_url, attempt))
}

/// The grant of the attempt that the path names.
async fn held(app: &App, request: &Request) -> Result<Option<Held>, Error> {
    let id = AttemptId::parse(request.param("attempt")?).ok_or(Error::UnknownState)?;
    Ok(app.connections.held(&id).await?)
}

/// A renewal with another account is an outcome, which tells the account that was expected.
async fn refused(app: &App, own: &Own, error: Error) -> Result<Ending, Error> {
    match error {
        Error::Refused { code: Refusal::WrongAccount, .. } => ended(app, own).await,
        error => Err(error),
    }
}

/// How it ended meanwhile: by a second click, in another tab, or by the keeper.
async fn ended(app: &App, own: &Own) -> Result<Ending, Error> {
    let progress = app.attempts.progress_of(&own.progress.attempt.id, app.clock.now()).await?;
    if progress.status == Status::Held { Err(Error::AlreadyUsed) } else { Ok(Ending::of(&progress, &own.cookie)) }
}

async fn cancel(app: &App, own: &Own) -> Result<Ending, Error> {
    let attempt = &own.progress.attempt;
    // confirmed in another tab a moment ago: then it is connected, and stays so
    if app.abandon(&attempt.id).await?.is_none() {
        return ended(app, own).await;
    }
    app.attempts.deny(&attempt.id, "access_denied").await?;
    Ok(Ending::Denied("access_denied".to_owned()))
}

/// After a form the browser is sent on by 303, also to our own last page, so that a reload sends nothing twice.
pub fn after_form(response: Response, base_url: &str, attempt: &Attempt) -> Response {
    if response.has("location") {
        return Response { status: 303, ..response };
    }
    Response::see_other(&format!("{base_url}/connect/outcome/{}", attempt.id))
}
