//! What a person sees: the page that connects, the page that confirms, and how it ended; and the same in a frame of the app's page.

mod arrival;
mod catalogue;
mod client_document;
mod confirmation;
mod connecting;
mod frame;
mod outcome;
mod picker;
mod status;
mod visit;

use std::sync::Arc;

use bytes::Bytes;
use shared::{
    app::App,
    brand::Colour,
    error::{Error, Missing},
    http::{Handler, Request, Response},
    page,
    routes::{Function, Operation},
};

/// The function `connect`.
pub struct Connect;

/// The script of every page that has one.
const SCRIPT: &str = include_str!("../assets/page.js");

/// The description of every route.
const OPENAPI: &str = include_str!("../../../openapi.yaml");

impl Handler for Connect {
    const FUNCTION: Function = Function::Connect;

    async fn handle(&self, app: &Arc<App>, request: &Request, operation: Operation) -> Result<Response, Error> {
        match operation {
            Operation::ChoosePage => catalogue::page(app, request).await,
            Operation::ClaimLink => arrival::claim_by_button(app, request).await,
            Operation::ConnectPage => connecting::page(app, request, false).await,
            Operation::EditPage => connecting::page(app, request, true).await,
            Operation::SubmitConnect => connecting::submit(app, request).await,
            Operation::ConfirmPage => confirmation::page(app, request).await,
            Operation::Confirm => confirmation::decide(app, request).await,
            Operation::OutcomePage => outcome::page(app, request).await,
            Operation::FrameShell => frame::shell(app, request).await,
            Operation::FrameShellAtRoot => frame::shell_at_root(app, request).await,
            Operation::OpenFrame => frame::open(app, request).await,
            Operation::AttemptStatus => status::read(app, request).await,
            Operation::Stylesheet => stylesheet(request),
            Operation::StartScript => Ok(script(include_str!("../assets/start.js"))),
            Operation::FrameScript => Ok(script(include_str!("../assets/frame.js"))),
            Operation::FormScript => Ok(script(include_str!("../assets/form.js"))),
            // a module is fetched by the customer's page, which may be isolated
            Operation::ConnectScript => Ok(script(include_str!("../assets/connect.js"))
                .with("access-control-allow-origin", "*")
                .with("cross-origin-resource-policy", "cross-origin")),
            Operation::Script => Ok(script(SCRIPT)),
            Operation::ClientDocument => client_document::read(app, request).await,
            Operation::OpenApi => Ok(asset("application/yaml", OPENAPI)),
            _ => Err(Error::NotFound(Missing::Route)),
        }
    }
}

/// The stylesheet, in the colour that its address names.
fn stylesheet(request: &Request) -> Result<Response, Error> {
    let query = request.query()?;
    let colour = query.one("colour")?.and_then(|digits| Colour::parse(&format!("#{digits}")));
    Ok(asset("text/css; charset=utf-8", page::stylesheet(colour)))
}

fn script(text: &'static str) -> Response {
    asset("text/javascript; charset=utf-8", text)
}

fn asset(content_type: &str, text: impl Into<Bytes>) -> Response {
    Response::full(200, content_type, text).with("cache-control", "public, max-age=300")
}
