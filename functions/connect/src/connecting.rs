//! The page that connects: one connector's form, and its submission.

use std::collections::BTreeMap;

use askama::Template;
use shared::{
    app::App,
    caller::connector_keys,
    error::{Error, Missing, ProviderError, Refusal},
    flow::{begin::Asked, connector_in_use::ConnectorInUse, typed::HeldByHand},
    http::{Params, Request, Response, cookie, failure, form},
    id::ConnectorId,
    page::{
        self, Frame, Language,
        fields::{self, Field, Problem, Typed},
    },
    routes::Voice,
    secret::Bearer,
    store::{
        attempts::{Attempt, Completion, LIFETIME},
        connections::Connection,
        links::{LedBy, Link},
        settings::{Key, Project},
    },
};

use crate::{
    arrival::{self, Arrival},
    confirmation::after_form,
    visit::Visit,
};

#[derive(Template)]
#[template(path = "connect.html")]
struct ConnectForm<'a> {
    frame: &'a Frame,
    app_name: &'a str,
    id: &'a str,
    name: &'a str,
    for_whom: &'a str,
    docs_url: Option<&'a str>,
    by_authorization: bool,
    edit: bool,
    renewed: Option<&'a str>,
    fields: &'a [Field<'a>],
    problem: Option<&'a Problem>,
    link: &'a str,
    /// Whether there is a list to go back to.
    listed: bool,
    /// The page that led here in this window.
    back: Option<&'a str>,
    form_token: &'a str,
}

/// One connector's page. In a frame no cookie of ours is kept, so there it only leads to a window of its own.
pub async fn page(app: &App, request: &Request, edit: bool) -> Result<Response, Error> {
    match Arrival::of(request)? {
        Arrival::Framed => arrival::framed(app, request).await,
        Arrival::Token(token) => arrival::claim(app, request, &token).await,
        Arrival::Unattended(token) => arrival::ask(app, request, &token, edit).await,
        Arrival::Name => first_page(app, request, &Visit::of(app, request).await?, edit).await,
    }
}

async fn first_page(app: &App, request: &Request, visit: &Visit, edit: bool) -> Result<Response, Error> {
    let connector = connector(app, request, &visit.link).await?;
    let edit = edit || visit.link.upgrade.is_some();
    let renewed = if edit { Some(existing(app, &visit.link, &connector.id).await?) } else { None };
    form_page(app, request, visit, &connector, renewed.as_ref(), &Typed::default()).await
}

/// Takes the form: an authorization begins, or typed credentials are verified and held.
pub async fn submit(app: &App, request: &Request) -> Result<Response, Error> {
    let form = request.form()?;
    let (visit, base_url) = tokio::join!(Visit::again(app, request, form.one("link")?), app.base_url(app.clock.now()));
    let (visit, base_url) = (visit?, base_url?);
    form::must_be_ours(request, &form, visit.cookie.expose(), &visit.purpose(), &base_url)?;

    let connector = connector(app, request, &visit.link).await?;
    let edit = form.one("edit")?.is_some() || visit.link.upgrade.is_some();
    let renewed = if edit { Some(existing(app, &visit.link, &connector.id).await?) } else { None };
    let given = typed(&connector, &form)?;
    if !fields::are_whole(&connector, &given) {
        let problem = Some(Problem::in_fields(Language::of(request)));
        let page =
            form_page(app, request, &visit, &connector, renewed.as_ref(), &Typed { values: given, problem }).await?;
        return Ok(Response { status: 422, ..page });
    }
    let project = project(app, &visit.link).await?;
    let asked = visit.asked(&project, renewed.as_ref(), given.clone());
    let by = visit.completion();
    if connector.data.consent().is_some() {
        return leave(app, &connector, asked, by).await;
    }
    match app.hold_typed(&connector, asked, by).await {
        Ok(typed) => after_typing(app, typed, &base_url).await,
        // what was typed can be mended, or sent again, on the same page
        Err(error) => match Problem::of(Language::of(request), &connector.data, &error) {
            Some(problem) => {
                let typed = Typed { values: given, problem: Some(problem) };
                let page = form_page(app, request, &visit, &connector, renewed.as_ref(), &typed).await?;
                Ok(failure_on(app, request, &of_what_was_typed(error), page))
            }
            None => Err(error),
        },
    }
}

/// On to the provider: by our start, or at once in a browser that a proven page led here.
async fn leave(app: &App, connector: &ConnectorInUse<'_>, asked: Asked<'_>, by: Completion) -> Result<Response, Error> {
    if by == Completion::PersonConfirms {
        return app.begin(connector, asked).await.map(|begun| Response::see_other(&begun.start_url));
    }
    let browser = Bearer::random(&app.random);
    let begun = app.begin_in(&browser.digest(), true, connector, asked).await?;
    Ok(with_cookie(Response::see_other(&begun.onward()?), &begun.attempt, &browser))
}

/// The person confirms on the next page, which this browser alone may open; or it is connected, where a proven page led here.
async fn after_typing(app: &App, typed: HeldByHand, base_url: &str) -> Result<Response, Error> {
    let HeldByHand { attempt, held, browser } = typed;
    let response = if attempt.completion == Completion::PersonConfirms {
        Response::see_other(&format!("{base_url}/connect/confirm/{}", attempt.id))
    } else {
        let ending = app.complete_in_browser(&attempt, Some(held), &browser).await?;
        let progress = app.attempts.progress_of(&attempt.id, app.clock.now()).await?;
        after_form(app.end(&progress, ending).await?, base_url, &attempt)
    };
    Ok(with_cookie(response, &attempt, &browser))
}

fn with_cookie(response: Response, attempt: &Attempt, browser: &Bearer) -> Response {
    response.with("set-cookie", &cookie(&attempt.cookie_name(), browser.expose(), 3 * LIFETIME.as_secs()))
}

/// What a provider refuses of it is the person's to mend.
fn of_what_was_typed(error: Error) -> Error {
    match error {
        Error::Provider { cause: ProviderError::Refused(code), connector } => Error::refused(
            Refusal::InvalidCredentials,
            format!("{connector} does not accept these credentials ({code})"),
        ),
        error => error,
    }
}

/// A page in place of the one that tells a failure: with its status and its code, and in the log.
pub fn failure_on(app: &App, request: &Request, error: &Error, page: Response) -> Response {
    let told = failure(app, request, Voice::Page, error);
    let code = told.headers.iter().find(|(name, _)| name == "x-mooring-error").map(|(_, code)| code.clone());
    Response { status: told.status, ..page }.with("x-mooring-error", &code.unwrap_or_default())
}

async fn form_page(
    app: &App,
    request: &Request,
    visit: &Visit,
    connector: &ConnectorInUse<'_>,
    renewed: Option<&Connection>,
    typed: &Typed,
) -> Result<Response, Error> {
    let project = project(app, &visit.link).await?;
    let frame = Frame::of(app, request).dressed(&project);
    let (label, identity) = (visit.link.identity_label.as_deref(), visit.link.identity.as_ref());
    let template = ConnectForm {
        frame: &frame,
        app_name: &project.name,
        id: connector.id.as_str(),
        name: &connector.data.name,
        for_whom: &page::for_whom(frame.t, label, identity, &project.name),
        docs_url: connector.data.docs_url.as_deref(),
        by_authorization: connector.data.consent().is_some(),
        edit: renewed.is_some(),
        renewed: renewed.and_then(|renewed| renewed.account.name()),
        fields: &fields::fields(frame.t, connector, typed),
        problem: typed.problem.as_ref(),
        link: visit.name.as_str(),
        listed: visit.link.connectors.len() != 1,
        back: visit.link.return_to.as_deref().filter(|_| visit.link.led_by != LedBy::Address),
        form_token: &form::token(visit.cookie.expose(), &visit.purpose()),
    };
    Ok(frame.show(&template, page::NOBODY))
}

/// The connector that the path names, if this link may connect it.
async fn connector<'a>(app: &'a App, request: &Request, link: &Link) -> Result<ConnectorInUse<'a>, Error> {
    let id = ConnectorId::parse(request.param("connector")?).ok_or(Error::NotFound(Missing::Connector))?;
    if !link.connectors.is_empty() && !link.connectors.contains(&id) {
        return Err(Error::NotFound(Missing::Connector));
    }
    // the project and the address too, which the page needs next: one round of reads
    let mut keys = connector_keys(&link.project, link.environment, &id).to_vec();
    keys.extend([Key::Project(link.project.clone()), Key::Deployment]);
    let read = app.settings.read(&keys, app.clock.now()).await?;
    let connector = app.connector_from(&read, &link.project, link.environment, &id)?;
    connector.must_be_ready()?;
    Ok(connector)
}

/// The connection to renew: the one that the link was made for, else the owner's newest to this provider.
async fn existing(app: &App, link: &Link, connector: &ConnectorId) -> Result<Connection, Error> {
    if let Some(upgrade) = &link.upgrade {
        let stored = app.connections.find(&upgrade.connection).await?;
        return stored.map(|stored| stored.connection).ok_or(Error::NotFound(Missing::Connection));
    }
    let owned = app.connections.of_owner(&link.project, link.environment, link.identity.as_ref()).await?;
    let newest = owned.into_iter().rev().find(|(connection, _)| connection.connector == *connector);
    newest.map(|(connection, _)| connection).ok_or(Error::NotFound(Missing::Connection))
}

/// What the person typed into the connector's own fields.
fn typed(connector: &ConnectorInUse<'_>, form: &Params) -> Result<BTreeMap<String, String>, Error> {
    let mut given = BTreeMap::new();
    for input in connector.data.inputs.iter() {
        if let Some(value) = form.one(&format!("input_{}", input.name))? {
            given.insert(input.name.to_string(), value.trim().to_owned());
        }
    }
    Ok(given)
}

/// The project; and the address, so that the page's forms lead where they should.
pub async fn project(app: &App, link: &Link) -> Result<Project, Error> {
    let read = app.settings.read(&[Key::Project(link.project.clone()), Key::Deployment], app.clock.now()).await?;
    read.project(&link.project)?.ok_or(Error::NotFound(Missing::Project))
}
