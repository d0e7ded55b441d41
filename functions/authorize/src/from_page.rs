//! An attempt that a page of the app's asks for with a connect session, bound to the browser before it leaves.
//!
//! | asked by | what proves the page |
//! |---|---|
//! | `POST /v1/connect/attempts`, by our own start page in a window of its own, or by our frame | who handed it the session (`event.origin`), in the word of our page; no other page can send that word (`Sec-Fetch-Site`, `Origin`) |
//! | `POST /connect/start`, by a form of the app's page in the same window | `Origin`, which the browser writes |
//! | `POST /v1/connect/attempts` with `window: same`, by our frame for the published widget | nothing: that client takes the browser away by itself, so the person confirms at the end |
//!
//! The answer sets the attempt's cookie at once, so that neither the address it names nor the `state` in it is worth anything in
//! another browser. A session comes from the app's back end; a token in an address is a link and opens none of this. Where the page
//! can't be proven, because its policy hides its origin, the person confirms at the end.

use std::collections::BTreeMap;

use askama::Template;
use serde::Deserialize;
use serde_json::json;
use shared::{
    app::App,
    caller::connector_keys,
    error::{Error, Missing, ProviderError, Refusal},
    flow::{
        begin::{Asked, Begun},
        connector_in_use::ConnectorInUse,
        page_session::{PageSession, must_be_allowed, page_origin},
    },
    http::{Form, Request, Response, cookie, failure_with_form},
    id::ConnectorId,
    label::{LONGEST, must_be_label},
    page::{
        self, Frame, OPENER,
        fields::{self, Problem, Typed},
    },
    record::Record,
    secret::Bearer,
    store::{
        attempts::{LIFETIME, Shape},
        connections::Health,
        links::{self, LedBy, Link, PAGE_LIFETIME},
        settings::{Key, Project},
    },
};
use url::Url;

/// The window that the app's page opens. It is the same for everybody and has no authority: the session comes by message.
#[derive(Template)]
#[template(path = "start.html")]
struct Start<'a> {
    frame: &'a Frame,
}

/// What our start page and our frame say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    connector: String,
    /// The origin of the page that handed the session to our start page.
    opener: Option<String>,
    /// The origin of the page around our frame.
    parent: Option<String>,
    /// What the person typed, by the inputs' names. Without it a connector that asks for something answers with its form.
    inputs: Option<BTreeMap<String, String>>,
    /// How the person wants the connection to be called.
    name: Option<String>,
    #[serde(default)]
    window: Window,
}

/// Where the provider is shown.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Window {
    /// In the window that asks: this browser has the attempt from now on.
    #[default]
    Own,
    /// In the window of the app's page, which goes to our start by itself.
    Same,
}

/// A page of an app's with its session.
struct Page<'a> {
    session: PageSession,
    project: Project,
    connector: ConnectorInUse<'a>,
}

/// `GET /connect/start`: our start page. It keeps its opener, to ask it for the session.
pub async fn page(app: &App, request: &Request) -> Result<Response, Error> {
    app.base_url(app.clock.now()).await?; // known from here on, so that the page finds its script
    let page = page::render(&Start { frame: &Frame::of(app, request) });
    Ok(Response::html(page)
        .with(OPENER.0, OPENER.1)
        .with("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"))
}

/// `POST /v1/connect/attempts`, to our own start page and frame alone. Answers `{"attempt", "url"}`, with `state` where the window
/// is the app's page's own; for a connector that takes a key `{"attempt", "status", "connection"}`; and where the person has to be
/// asked first, or again, 422 with the form.
pub async fn create(app: &App, request: &Request) -> Result<Response, Error> {
    let session = app.session_of_our_page(request).await?;
    let mut wanted: Wanted = request.json()?;
    wanted.must_fit()?;
    let page = Page::asking(app, session, &wanted.connector).await?;
    let base_url = app.base_url(app.clock.now()).await?;
    must_be_allowed(&page.project, page_origin(&base_url, wanted.opener.as_deref(), wanted.parent.as_deref())?)?;

    let given = match (wanted.inputs.take(), page.connector.data.inputs.is_empty()) {
        (Some(given), _) => trimmed(given),
        (None, true) => BTreeMap::new(),
        (None, false) => return Ok(page.ask(app, request)),
    };
    if !fields::are_whole(&page.connector, &given) {
        return Ok(page.ask_again(app, request, given));
    }
    if page.connector.data.consent().is_none() {
        return page.connect(app, request, wanted.name, given).await;
    }
    match wanted.window {
        Window::Own => page.leave_in_own_window(app, wanted.name, given).await,
        Window::Same => page.leave_in_same_window(app, wanted.name, given).await,
    }
}

/// `POST /connect/start`: a form with `session`, `connector` and `return_to`; the browser goes on to the provider, or to the
/// connector's page where something has to be typed first.
pub async fn submit(app: &App, request: &Request) -> Result<Response, Error> {
    let form = request.form()?;
    let session = app.page_session(form.required("session")?).await?;
    let page = Page::asking(app, session, form.required("connector")?).await?;
    let origin = request.single_header("origin")?.filter(|origin| *origin != "null");
    if let Some(origin) = origin {
        must_be_allowed(&page.project, origin)?;
    }
    let return_to = form.one("return_to")?.map(|text| return_to(&page.project, origin, text)).transpose()?;
    if page.connector.data.consent().is_none() || !page.connector.data.inputs.is_empty() {
        return page.lead_to_the_form(app, origin.is_some(), return_to).await;
    }

    let browser = Bearer::random(&app.random);
    let asked = page.asked(Shape::Page { return_to }, None, BTreeMap::new());
    let begun = app.begin_in(&browser.digest(), origin.is_some(), &page.connector, asked).await?;
    Ok(started(Response::see_other(&begun.onward()?), &begun, &browser))
}

impl Wanted {
    fn must_fit(&self) -> Result<(), Error> {
        let Some(name) = &self.name else { return Ok(()) };
        must_be_label(name, LONGEST).map_err(|unfit| Error::invalid(format!("name {unfit}")))
    }
}

impl<'a> Page<'a> {
    /// What the session may connect, read in one round.
    async fn asking(app: &'a App, session: PageSession, connector: &str) -> Result<Self, Error> {
        let PageSession { session: content, .. } = &session;
        let id = ConnectorId::parse(connector).ok_or(Error::NotFound(Missing::Connector))?;
        if !content.connectors.is_empty() && !content.connectors.contains(&id) {
            return Err(Error::NotFound(Missing::Connector));
        }
        let (project, environment) = (&content.project, content.environment);
        let user = content.identity.iter().map(|user| Key::DeletedUser(project.clone(), environment, user.clone()));
        let mut keys = connector_keys(project, environment, &id).to_vec();
        keys.extend([Key::Project(project.clone()), Key::Deployment].into_iter().chain(user));
        let read = app.settings.read(&keys, app.clock.now()).await?;
        let connector = app.connector_from(&read, project, environment, &id)?;
        connector.must_be_ready()?;
        app.must_not_be_deleted(project, environment, content.identity.as_ref()).await?;
        let project = read.project(project)?.ok_or(Error::NotFound(Missing::Project))?;
        Ok(Self { session, project, connector })
    }

    /// The connector's form, before anything was typed.
    fn ask(&self, app: &App, request: &Request) -> Response {
        let why = format!("{} asks for something first: show the form, and send what was typed as inputs", self.name());
        self.form(app, request, &Error::refused(Refusal::InputsRequired, why), &Typed::default())
    }

    /// The form with what is wrong beside its fields.
    fn ask_again(&self, app: &App, request: &Request, values: BTreeMap<String, String>) -> Response {
        let error = Error::refused(Refusal::InvalidInputs, "an input is missing or not of the form asked for");
        let problem = Some(Problem::in_fields(Frame::of(app, request).t));
        self.form(app, request, &error, &Typed { values, problem })
    }

    fn form(&self, app: &App, request: &Request, error: &Error, typed: &Typed) -> Response {
        let frame = Frame::of(app, request);
        let (session, app_name) = (&self.session.session, &self.project.name);
        let (label, identity) = (session.identity_label.as_deref(), session.identity.as_ref());
        let form = Form {
            connector_name: self.name().to_owned(),
            app_name: app_name.clone(),
            for_whom: page::for_whom(frame.t, label, identity, app_name),
            markup: fields::markup(&frame, &self.connector, typed),
        };
        failure_with_form(request, error, &form)
    }

    fn name(&self) -> &str {
        &self.connector.data.name
    }

    /// Bound to this browser: it goes on to the provider from here.
    async fn leave_in_own_window(
        &self,
        app: &App,
        name: Option<String>,
        given: BTreeMap<String, String>,
    ) -> Result<Response, Error> {
        let browser = Bearer::random(&app.random);
        let asked = self.asked(Shape::Page { return_to: None }, name, given);
        let begun = app.begin_in(&browser.digest(), true, &self.connector, asked).await?;
        let body = json!({ "attempt": begun.attempt.id, "url": begun.onward()? });
        Ok(started(Response::created(&body), &begun, &browser))
    }

    /// Bound to nobody: whoever opens the address first has it, and confirms.
    async fn leave_in_same_window(
        &self,
        app: &App,
        name: Option<String>,
        given: BTreeMap<String, String>,
    ) -> Result<Response, Error> {
        let begun = app.begin(&self.connector, self.asked(Shape::Widget, name, given)).await?;
        let Begun { attempt, state, start_url } = &begun;
        Ok(Response::created(&json!({ "attempt": attempt.id, "url": start_url, "state": state.expose() })))
    }

    /// What the connector asks for is typed on its page, in this browser: a link that was never in an address leads there.
    async fn lead_to_the_form(&self, app: &App, proven: bool, return_to: Option<String>) -> Result<Response, Error> {
        let PageSession { bearer, session } = &self.session;
        let now = app.clock.now();
        let link = Link {
            project: session.project.clone(),
            environment: session.environment,
            identity: session.identity.clone(),
            identity_label: session.identity_label.clone(),
            connectors: vec![self.connector.id.clone()],
            return_to,
            session: Some(bearer.digest().as_str().to_owned()),
            led_by: LedBy::Page { proven },
            upgrade: None,
            created_at: now,
        };
        let (token, browser) = (Bearer::random(&app.random), Bearer::random(&app.random));
        app.links.put_claimed(&token, &link, &browser.digest()).await?;
        let (name, base_url) = (token.digest(), app.base_url(now).await?);
        let form = format!("{base_url}/connect/{}?link={}", self.connector.id, name.as_str());
        let cookie = cookie(&links::cookie_name(&name), browser.expose(), PAGE_LIFETIME.as_secs());
        Ok(Response::see_other(&form).with("set-cookie", &cookie))
    }

    /// A key that was typed in our page, in front of its person: verified and connected. The provider's refusal is said on the form.
    async fn connect(
        &self,
        app: &App,
        request: &Request,
        name: Option<String>,
        given: BTreeMap<String, String>,
    ) -> Result<Response, Error> {
        let asked = self.asked(Shape::Page { return_to: None }, name, given.clone());
        let (attempt, connection) = match app.connect_typed(&self.connector, asked).await {
            Ok(connected) => connected,
            Err(error) => return self.refused(app, request, given, error),
        };
        let record = Record::of(&connection, Health::Connected);
        Ok(Response::created(&json!({ "attempt": attempt.id, "status": "connected", "connection": record })))
    }

    /// What was typed can be mended, or sent again.
    fn refused(
        &self,
        app: &App,
        request: &Request,
        values: BTreeMap<String, String>,
        error: Error,
    ) -> Result<Response, Error> {
        let Some(problem) = Problem::of(Frame::of(app, request).t, &self.connector.data, &error) else {
            return Err(error);
        };
        let error = match error {
            Error::Provider { cause: ProviderError::Refused(code), .. } => Error::refused(
                Refusal::InvalidCredentials,
                format!("{} does not accept these credentials ({code})", self.name()),
            ),
            error => error,
        };
        Ok(self.form(app, request, &error, &Typed { values, problem: Some(problem) }))
    }

    fn asked(&self, shape: Shape, name: Option<String>, given: BTreeMap<String, String>) -> Asked<'_> {
        let PageSession { bearer, session } = &self.session;
        Asked {
            project: &self.project,
            environment: session.environment,
            identity: session.identity.clone(),
            identity_label: session.identity_label.clone(),
            shape,
            reconnect: None,
            session: Some(bearer.digest().as_str().to_owned()),
            name,
            given,
        }
    }
}

fn trimmed(given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    given.into_iter().map(|(name, value)| (name, value.trim().to_owned())).collect()
}

/// Back to the page that asked, or, where its origin is hidden, to one of an allowed origin (RFC 9700 §4.11).
fn return_to(project: &Project, origin: Option<&str>, text: &str) -> Result<String, Error> {
    let refused =
        || Error::refused(Refusal::InvalidRedirectUri, "return_to is not an address of the page's own origin");
    let url = Url::parse(text).map_err(|_| refused())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let own = url.origin().ascii_serialization();
    let fits = match origin {
        Some(origin) => origin == own,
        None => project.allowed_origins.contains(&own),
    };
    if plain && fits { Ok(url.into()) } else { Err(refused()) }
}

/// With the cookie that tells this browser when it comes back.
fn started(response: Response, begun: &Begun, browser: &Bearer) -> Response {
    response.with("set-cookie", &cookie(&begun.attempt.cookie_name(), browser.expose(), 3 * LIFETIME.as_secs()))
}
