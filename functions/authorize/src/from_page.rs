//! An attempt that a page of the app's asks for with a connect session, bound to the browser before it leaves.
//!
//! | asked by | what proves the page |
//! |---|---|
//! | `POST /v1/connect/attempts`, by our own start page in a window of its own | who handed it the session (`event.origin`), in the word of our page; no other page can send that word (`Sec-Fetch-Site`, `Origin`) |
//! | `POST /connect/start`, by a form of the app's page in the same window | `Origin`, which the browser writes |
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
    error::{Error, Missing, Refusal},
    flow::{
        begin::{Asked, Begun},
        connector_in_use::ConnectorInUse,
    },
    http::{Request, Response, bearer_token, cookie, form},
    id::ConnectorId,
    page::{self, Frame, OPENER},
    protocol::authorization::with_state,
    secret::Bearer,
    store::{
        attempts::{LIFETIME, Shape},
        links::Session,
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

/// What our start page says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    connector: String,
    /// The origin of the page that handed over the session.
    opener: String,
}

/// A page of an app's with its session.
struct Page<'a> {
    bearer: Bearer,
    session: Session,
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

/// `POST /v1/connect/attempts`: `{"connector", "opener"}` in, `{"attempt", "url"}` out, to our own start page alone.
pub async fn create(app: &App, request: &Request) -> Result<Response, Error> {
    let bearer = request.single_header("authorization")?.and_then(bearer_token);
    let bearer =
        bearer.ok_or(Error::Unauthenticated { why: "send the session as a Bearer token", challenge: false })?;
    let session = Page::session(app, bearer).await?;
    let wanted: Wanted = request.json()?;
    if !form::is_ours(request, &app.base_url(app.clock.now()).await?)? {
        return Err(Error::ForgedForm);
    }
    let page = Page::asking(app, session, &wanted.connector).await?;
    must_be_allowed(&page.project, &wanted.opener)?;

    let browser = Bearer::random(&app.random);
    let begun = page.begin(app, &browser, true, None).await?;
    let body = json!({ "attempt": begun.attempt.id, "url": provider(&begun)? });
    Ok(started(Response::created(&body), &begun, &browser))
}

/// `POST /connect/start`: a form with `session`, `connector` and `return_to`; the browser goes on to the provider.
pub async fn submit(app: &App, request: &Request) -> Result<Response, Error> {
    let form = request.form()?;
    let session = Page::session(app, form.required("session")?).await?;
    let page = Page::asking(app, session, form.required("connector")?).await?;
    let origin = request.single_header("origin")?.filter(|origin| *origin != "null");
    if let Some(origin) = origin {
        must_be_allowed(&page.project, origin)?;
    }
    let return_to = form.one("return_to")?.map(|text| return_to(&page.project, origin, text)).transpose()?;

    let browser = Bearer::random(&app.random);
    let begun = page.begin(app, &browser, origin.is_some(), return_to).await?;
    Ok(started(Response::see_other(&provider(&begun)?), &begun, &browser))
}

impl<'a> Page<'a> {
    /// The session that the page bears, if something can be started with it.
    async fn session(app: &App, bearer: &str) -> Result<(Bearer, Session), Error> {
        let now = app.clock.now();
        let bearer = Bearer::from(bearer.to_owned());
        let session = app.links.session(&bearer, now).await?.filter(|session| session.expires_at() > now);
        let unknown = Error::Unauthenticated { why: "the session is unknown or has expired", challenge: false };
        session.map(|session| (bearer, session)).ok_or(unknown)
    }

    /// What the session may connect, read in one round.
    async fn asking(app: &'a App, (bearer, session): (Bearer, Session), connector: &str) -> Result<Self, Error> {
        let id = ConnectorId::parse(connector).ok_or(Error::NotFound(Missing::Connector))?;
        if !session.connectors.is_empty() && !session.connectors.contains(&id) {
            return Err(Error::NotFound(Missing::Connector));
        }
        let Session { project, environment, identity, .. } = &session;
        let user = identity.iter().map(|user| Key::DeletedUser(project.clone(), *environment, user.clone()));
        let mut keys = connector_keys(project, *environment, &id).to_vec();
        keys.extend([Key::Project(project.clone()), Key::Deployment].into_iter().chain(user));
        let read = app.settings.read(&keys, app.clock.now()).await?;
        let connector = app.connector_from(&read, project, *environment, &id)?;
        connector.must_be_enabled()?;
        let project = read.project(project)?.ok_or(Error::NotFound(Missing::Project))?;
        app.must_not_be_deleted(&session.project, session.environment, session.identity.as_ref()).await?;
        Ok(Self { bearer, session, project, connector })
    }

    async fn begin(
        &self,
        app: &App,
        browser: &Bearer,
        proven: bool,
        return_to: Option<String>,
    ) -> Result<Begun, Error> {
        let asked = Asked {
            project: &self.project,
            environment: self.session.environment,
            identity: self.session.identity.clone(),
            identity_label: self.session.identity_label.clone(),
            shape: Shape::Page { return_to },
            reconnect: None,
            session: Some(self.bearer.digest().as_str().to_owned()),
            given: BTreeMap::new(),
        };
        app.begin_in(&browser.digest(), proven, &self.connector, asked).await
    }
}

/// The page is one of the project's.
fn must_be_allowed(project: &Project, origin: &str) -> Result<(), Error> {
    if project.allowed_origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    Err(Error::refused(
        Refusal::OriginNotAllowed,
        "the page that asks is not of an allowed origin; add it with PATCH /v1/admin/projects/{project}",
    ))
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

fn provider(begun: &Begun) -> Result<String, Error> {
    with_state(&begun.attempt.authorization_url, &begun.state).map(Into::into).map_err(|_| Error::UnknownState)
}

/// With the cookie that tells this browser when it comes back.
fn started(response: Response, begun: &Begun, browser: &Bearer) -> Response {
    response.with("set-cookie", &cookie(&begun.attempt.cookie_name(), browser.expose(), 3 * LIFETIME.as_secs()))
}
