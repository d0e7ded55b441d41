//! How a link is opened: nothing that may not be a person uses it up, and its token leaves the address before anything else
//! is loaded.
//!
//! A token in an address stands in the browser's history and in whatever is told the address, so it is exchanged at once for a
//! cookie and the link's name, which is worth nothing without it (RFC 9700 §4.2.4 says the same of codes).

use askama::Template;
use shared::{
    app::App,
    error::{Error, Missing},
    http::{Request, Response},
    id::{ConnectorId, ProjectId},
    page::{self, Frame, Tone},
    secret::digest,
    store::settings::Key,
};

use crate::visit::Visit;

/// Who comes, and with what.
pub enum Arrival {
    /// A page inside a customer's page, where no cookie of ours is kept.
    Framed,
    /// A browser that goes where a person sent it, with a token.
    Token(String),
    /// The same from a prefetch, a link's preview, or a browser too old to say what it does.
    Unattended(String),
    /// A browser that opened the link before and comes by its name, or by mistake without one.
    Name,
}

impl Arrival {
    /// What the request says of itself (Fetch Metadata §2.1, §2.5).
    pub fn of(request: &Request) -> Result<Self, Error> {
        let destination = request.header("sec-fetch-dest");
        if destination.is_some_and(|dest| matches!(dest, "iframe" | "frame" | "embed" | "object" | "fencedframe")) {
            return Ok(Self::Framed);
        }
        let query = request.query()?;
        let Some(token) = query.one("token")?.map(str::to_owned) else { return Ok(Self::Name) };
        let ahead = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
        let ahead = ahead.iter().filter_map(|name| request.header(name)).any(is_ahead_of_time);
        Ok(if destination == Some("document") && !ahead { Self::Token(token) } else { Self::Unattended(token) })
    }
}

fn is_ahead_of_time(purpose: &str) -> bool {
    let purpose = purpose.to_ascii_lowercase();
    ["prefetch", "prerender", "preview"].iter().any(|word| purpose.contains(word))
}

/// Claims the link for this browser and sends it to the same page by the link's name. A reload claims again.
pub async fn claim(app: &App, request: &Request, token: &str) -> Result<Response, Error> {
    let visit = Visit::claim(app, request, digest(token)).await?;
    let query = request.query()?;
    let onward = onward(app, &visit, query.one("organizationId")?, &request.path).await;
    Ok(visit.answer(app, request, onward))
}

/// Claims the link by the button that a person pressed.
pub async fn claim_by_button(app: &App, request: &Request) -> Result<Response, Error> {
    let form = request.form()?;
    let visit = Visit::claim(app, request, digest(form.required("token")?)).await?;
    let path = page_path(form.one("connector")?, form.one("edit")?.is_some());
    let onward = onward(app, &visit, form.one("organizationId")?, &path).await;
    Ok(visit.answer(app, request, onward))
}

async fn onward(app: &App, visit: &Visit, organization: Option<&str>, path: &str) -> Result<Response, Error> {
    visit.must_fit(organization)?;
    let base_url = app.base_url(app.clock.now()).await?;
    Ok(Response::see_other(&format!("{base_url}{path}?link={}", visit.name.as_str())))
}

/// The path of a link's page. What is no connector's id leads to the list.
fn page_path(connector: Option<&str>, edit: bool) -> String {
    match connector.and_then(ConnectorId::parse) {
        Some(connector) if edit => format!("/connect/{connector}/edit"),
        Some(connector) => format!("/connect/{connector}"),
        None => "/connect".to_owned(),
    }
}

#[derive(Template)]
#[template(path = "continue.html")]
struct Continue<'a> {
    frame: &'a Frame,
    token: &'a str,
    connector: Option<&'a str>,
    organization: Option<&'a str>,
    edit: bool,
}

/// A page with one button, which only a person presses. It is the same for every token, and reads nothing.
pub async fn ask(app: &App, request: &Request, token: &str, edit: bool) -> Result<Response, Error> {
    app.base_url(app.clock.now()).await?; // known from here on, so that the form leads where it should
    let query = request.query()?;
    let connector = request.param("connector").ok();
    if connector.is_some_and(|named| ConnectorId::parse(named).is_none()) {
        return Err(Error::NotFound(Missing::Connector));
    }
    let frame = Frame::of(app, request);
    let template = Continue { frame: &frame, token, connector, organization: query.one("organizationId")?, edit };
    Ok(frame.show(&template, page::NOBODY))
}

#[derive(Template)]
#[template(path = "framed.html")]
struct Framed<'a> {
    frame: &'a Frame,
    app_name: &'a str,
    address: &'a str,
    origins: &'a str,
}

/// The page inside a customer's page: framable by the project's own origins alone, and without authority. The token is left
/// untouched for the window that it opens.
pub async fn framed(app: &App, request: &Request) -> Result<Response, Error> {
    let query = request.query()?;
    let project = query.one("organizationId")?.and_then(ProjectId::parse);
    let project = project.ok_or_else(|| Error::invalid("the parameter organizationId is missing"))?;
    let read = app.settings.read(&[Key::Project(project.clone())], app.clock.now()).await?;
    let project = read.project(&project)?.ok_or(Error::NotFound(Missing::Project))?;
    let own = format!("{}{}?{}", app.base_url(app.clock.now()).await?, request.path, request.query);
    let frame = Frame::of(app, request).dressed(&project);
    let origins = project.allowed_origins.join(" ");
    let template = Framed { frame: &frame, app_name: &project.name, address: &own, origins: &origins };
    Ok(frame.show(&template, if origins.is_empty() { page::NOBODY } else { &origins }))
}
