//! The page that stands in a frame of the app's page: a shell that is the same for everybody, and what it is told once the page
//! around it is known.
//!
//! The shell has no authority. Any page may frame it, and it shows nothing that can be pressed before a message came from the page
//! around it (`window.parent`, `event.origin`) and that origin was found to be one of the project that the session belongs to.

use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    app::App,
    error::{Error, Missing},
    flow::page_session::{PageSession, must_be_allowed},
    http::{Request, Response},
    page::{self, Frame},
    store::{links::Session, settings::Key},
};

use crate::catalogue::{self, Entry};

/// What the shell may load. The app's own endpoint, which answers with a session, is of any origin, and so is the picture that the
/// app names.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src * data:; connect-src *; base-uri 'none'; form-action 'none'; frame-ancestors *";

#[derive(Template)]
#[template(path = "frame.html")]
struct Shell<'a> {
    frame: &'a Frame,
}

/// `GET /connect/frame`: the shell. What stands in its address is for its script.
pub async fn shell(app: &App, request: &Request) -> Result<Response, Error> {
    app.base_url(app.clock.now()).await?; // known from here on, so that the page finds its script
    let page = page::render(&Shell { frame: &Frame::of(app, request) });
    // a page that is isolated (COEP) may have it in a frame too
    Ok(Response::html(page)
        .with("content-security-policy", POLICY)
        .with("cross-origin-embedder-policy", "credentialless")
        .with("cross-origin-resource-policy", "cross-origin"))
}

/// `GET /?data=…`: the same, where the published widget is given the bare base URL.
pub async fn shell_at_root(app: &App, request: &Request) -> Result<Response, Error> {
    if request.query()?.one("data")?.is_none() {
        return Err(Error::NotFound(Missing::Route));
    }
    shell(app, request).await
}

/// What the shell says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    /// The origin of the page around it.
    parent: String,
}

/// `POST /v1/connect/frame`, by our shell alone: what it shows, to a page of the session's project.
pub async fn open(app: &App, request: &Request) -> Result<Response, Error> {
    let PageSession { session, .. } = app.session_of_our_page(request).await?;
    let opening: Opening = request.json()?;
    let keys = [Key::Project(session.project.clone()), Key::Deployment];
    let project = app.settings.read(&keys, app.clock.now()).await?.project(&session.project)?;
    let project = project.ok_or(Error::NotFound(Missing::Project))?;
    must_be_allowed(&project, &opening.parent)?;

    let frame = Frame::of(app, request).dressed(&project);
    let Session { project: id, environment, identity, identity_label, connectors, .. } = &session;
    let entries = catalogue::entries(app, frame.t, (id, *environment, identity.as_ref()), connectors).await?;
    Ok(Response::json(&json!({
        "app": {
            "name": project.name,
            "logo": frame.brand.logo_url,
            "colour": frame.brand.colour.map(|colour| colour.css().trim_start_matches('#').to_owned()),
        },
        "for_whom": page::for_whom(frame.t, identity_label.as_deref(), identity.as_ref(), &project.name),
        "connectors": entries.iter().map(|entry| connector(&frame, entry)).collect::<Vec<_>>(),
    })))
}

fn connector(frame: &Frame, entry: &Entry) -> Value {
    let category = |id: &String| json!({ "id": id, "name": frame.t.category_name(id) });
    json!({
        "id": entry.id,
        "name": entry.name,
        "image": format!("{}/v1/connectors/{}/image", frame.base_path, entry.id),
        "categories": entry.categories.iter().map(category).collect::<Vec<_>>(),
        "connected": entry.connected.as_ref().map(|connected| &connected.state),
        "works": entry.connected.as_ref().is_none_or(|connected| connected.works),
        "kind": if entry.by_authorization { "oauth" } else { "key" },
    })
}
