//! The person's own word: the page that asks for it, and what became of the attempt.

use askama::Template;
use shared::{
    app::App,
    error::{Error, Missing, Refusal},
    flow::{complete::exchange, finish::Ending},
    http::{Params, Request, Response, form},
    id::AttemptId,
    page::{self, Frame},
    secret::{Bearer, digest},
    store::{
        attempts::{Attempt, Completion, Progress, Status, cookie_name},
        connections::{Account, CHOICE, Held},
        settings::Key,
    },
};

use crate::{
    connecting::failure_on,
    picker::{Picker, chosen},
};

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmForm<'a> {
    frame: &'a Frame,
    app_name: &'a str,
    id: &'a str,
    name: &'a str,
    /// Left out as long as it hangs on what is chosen.
    account: Option<&'a str>,
    /// The account in whose place it comes, and what says that the person saw both.
    exchanged: Option<(&'a str, &'a str)>,
    for_whom: &'a str,
    attempt: &'a str,
    form_token: &'a str,
    picker: Option<&'a Picker>,
}

/// What is asked where nothing has to be confirmed.
#[derive(Template)]
#[template(path = "pick.html")]
struct PickForm<'a> {
    frame: &'a Frame,
    app_name: &'a str,
    id: &'a str,
    name: &'a str,
    attempt: &'a str,
    form_token: &'a str,
    picker: &'a Picker,
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

    /// Whether it is this browser's to go on: nothing is asked here where the app completes it.
    fn waits_for_the_person(&self) -> bool {
        self.progress.status == Status::Held && self.progress.attempt.completion != Completion::AppVouches
    }
}

/// Asks the person: names app, connector, the account consented with, and for whom; and what is to be chosen. Where the attempt was
/// bound at its start only that is asked, or that another account is meant; if there is nothing of either, it is completed.
pub async fn page(app: &App, request: &Request) -> Result<Response, Error> {
    let own = Own::of(app, request).await?;
    let attempt = &own.progress.attempt;
    if !own.waits_for_the_person() {
        return app.end(&own.progress, Ending::of(&own.progress, &own.cookie)).await;
    }
    let held = app.connections.held(&attempt.id).await?;
    let exchanged = match &held {
        Some(held) => app.exchanged_account(held, attempt.reconnect).await,
        None => Ok(None),
    };
    let exchanged = match exchanged {
        Ok(exchanged) => exchanged,
        Err(error) => return app.end(&own.progress, refused(app, &own, error).await?).await,
    };
    let asks = exchanged.is_some() || held.as_ref().is_some_and(|held| held.choices.is_some());
    if attempt.completion == Completion::BoundAtStart && !asks {
        let ending = app.complete_in_browser(attempt, held, &own.cookie).await?;
        return app.end(&own.progress, ending).await;
    }
    ask(app, request, &own, (held.as_ref(), exchanged.as_ref()), None).await
}

/// The page, with why what was sent was not taken.
async fn ask(
    app: &App,
    request: &Request,
    own: &Own,
    (held, exchanged): (Option<&Held>, Option<&Account>),
    unfit: Option<&Unfit>,
) -> Result<Response, Error> {
    let attempt = &own.progress.attempt;
    let connector = app.connector_data(&attempt.project, attempt.environment, &attempt.connector).await?;
    // the address too, so that the form leads where it should
    let keys = [Key::Project(attempt.project.clone()), Key::Deployment];
    let project = app.settings.read(&keys, app.clock.now()).await?.project(&attempt.project)?;
    let frame = Frame::of(app, request).dressed(&project.ok_or(Error::NotFound(Missing::Project))?);
    let alone = attempt.completion == Completion::BoundAtStart;
    let fault = unfit.map(|unfit| match unfit {
        Unfit::Choice => frame.t.pick_fault(),
        Unfit::Provider(_) => frame.t.pick_failed(&connector.name),
    });
    let picker = Picker::of(frame.t, held, alone, fault);
    let form_token = form::token(own.cookie.expose(), &purpose(attempt));
    if let (true, Some(picker)) = (alone, &picker) {
        let template = PickForm {
            frame: &frame,
            app_name: &attempt.app_name,
            id: attempt.connector.as_str(),
            name: &connector.name,
            attempt: attempt.id.as_str(),
            form_token: &form_token,
            picker,
        };
        return Ok(frame.show(&template, page::NOBODY));
    }
    let granted = held.map(|held| &held.connection.account);
    let told = granted.and_then(Account::name).map(str::to_owned);
    let untold = || picker.is_none().then(|| frame.t.account_untold());
    let (label, identity) = (attempt.identity_label.as_deref(), attempt.identity.as_ref());
    let exchanged = exchanged.zip(granted).and_then(|(old, new)| Some((names(old, new), exchange(old, new)?)));
    let (before, account) = match &exchanged {
        Some(((old, new), word)) => (Some((old.as_str(), word.as_str())), Some(new.clone())),
        None => (None, told.or_else(untold)),
    };
    let template = ConfirmForm {
        frame: &frame,
        app_name: &attempt.app_name,
        id: attempt.connector.as_str(),
        name: &connector.name,
        account: account.as_deref(),
        exchanged: before,
        for_whom: &page::for_whom(frame.t, label, identity, &attempt.app_name),
        attempt: attempt.id.as_str(),
        form_token: &form_token,
        picker: picker.as_ref(),
    };
    Ok(frame.show(&template, page::NOBODY))
}

/// What to call two accounts: one person's at two tenants have one name.
fn names(old: &Account, new: &Account) -> (String, String) {
    let alike = old.name() == new.name();
    let name = |account: &Account| {
        let (name, tenant) = (account.name().unwrap_or_default(), account.tenant.as_deref().or(account.own_id()));
        tenant.filter(|_| alike).map_or_else(|| name.to_owned(), |tenant| format!("{name} ({tenant})"))
    };
    (name(old), name(new))
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
        "confirm" => match settled(app, held?, &form).await? {
            Settled::Whole(held) => {
                let agreed = form.one("exchange")?;
                app.complete_in_browser_agreeing(attempt, held, &own.cookie, agreed).await?
            }
            Settled::Further => Ending::Held(None),
            Settled::Not(held, unfit) => {
                let page = ask(app, request, &own, (Some(&held), None), Some(&unfit)).await?;
                return Ok(match unfit {
                    Unfit::Choice => Response { status: 422, ..page },
                    Unfit::Provider(error) => failure_on(app, request, &error, page),
                });
            }
        },
        "cancel" => cancel(app, &own).await?,
        _ => return Err(Error::invalid("decision is confirm or cancel")),
    };
    Ok(after_form(app.end(&own.progress, ending).await?, &base_url, attempt))
}

/// What became of a grant that waited for a choice.
enum Settled {
    /// It waits for nothing.
    Whole(Option<Held>),
    /// There is more to be asked, or the account to be shown that hung on the choice.
    Further,
    /// It waits as it did.
    Not(Held, Unfit),
}

/// Why a choice was not taken.
enum Unfit {
    /// Nothing was chosen, or nothing of what there is.
    Choice,
    /// The provider failed or refused what follows from it; another choice may do.
    Provider(Error),
}

async fn settled(app: &App, held: Option<Held>, form: &Params) -> Result<Settled, Error> {
    let Some(before) = held else { return Ok(Settled::Whole(None)) };
    let Some(chosen) = chosen(form, &before)? else { return Ok(Settled::Further) };
    if before.choices.is_none() {
        return Ok(Settled::Whole(Some(before)));
    }
    match app.choose(before.clone(), &chosen).await {
        Ok(after) if after.choices.is_some() => Ok(Settled::Further),
        Ok(after) if before.connection.account.name().is_none() && after.connection.account.id.is_some() => {
            Ok(Settled::Further)
        }
        Ok(after) => Ok(Settled::Whole(Some(after))),
        Err(Error::ChoiceRequired(_) | Error::Refused { code: Refusal::InvalidChoice, .. }) => {
            Ok(Settled::Not(before, Unfit::Choice))
        }
        Err(Error::Conflict(CHOICE)) => Ok(Settled::Further), // by another click, which may have been for another
        Err(error @ Error::Provider { .. }) => Ok(Settled::Not(before, Unfit::Provider(error))),
        Err(error) => Err(error),
    }
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
