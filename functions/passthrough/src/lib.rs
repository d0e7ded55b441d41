//! API calls with a connection's credentials: `{method} /v1/passthrough/{platform}/{path…}`.
//!
//! What goes out is what came in, less what was meant for us; what comes back is what the provider answered, less what would
//! act on our own origin. Bytes are passed on as they come.

mod call;
mod headers;

use std::sync::Arc;

use futures_util::StreamExt;
use shared::{
    app::App,
    egress,
    error::{Error, Missing, Refusal},
    flow::refresh::Open,
    http::{Body, Handler, Request, Response},
    id::{ConnectionKey, ConnectorId, Role},
    protocol::{
        account::{self, Signing},
        connector::Connector,
        dpop,
    },
    routes::{Function, Operation},
    store::{connections::Connection, settings::Key},
};

/// The function `passthrough`.
pub struct Passthrough;

impl Handler for Passthrough {
    const FUNCTION: Function = Function::Passthrough;

    async fn handle(&self, app: &Arc<App>, request: &Request, operation: Operation) -> Result<Response, Error> {
        match operation {
            Operation::Passthrough => pass(app, request).await,
            _ => Err(Error::NotFound(Missing::Route)),
        }
    }
}

/// Calls the provider with a token that is good, and once more with a renewed one if the provider says 401.
async fn pass(app: &Arc<App>, request: &Request) -> Result<Response, Error> {
    let key = connection_key(request)?;
    let raw = request.param("path")?;
    // whether the first segment names one of the project's own connectors is read in the same round
    let first = ConnectorId::parse(raw.split('/').next().unwrap_or_default());
    let caller = app.caller_reading(request, &[Role::Use], |project, _| {
        first.iter().map(|id| Key::Custom(project.clone(), id.clone())).collect()
    });
    let (caller, stored) = tokio::join!(caller, app.connections.find(&key));
    let caller = caller?;
    let stored = stored?.filter(|stored| {
        stored.connection.project == caller.project.id && stored.connection.environment == caller.environment
    });
    let stored = stored.ok_or(Error::NotFound(Missing::Connection))?;
    if !stored.connection.active {
        return Err(Error::refused(Refusal::ConnectionInactive, "this connection is switched off; PATCH it to active"));
    }
    let connector = app.connector_of(&stored.connection).await?;
    let is_connector = |id: &ConnectorId| {
        let custom = caller.read.custom(&caller.project.id, id);
        Ok::<_, Error>(app.catalog.connector(id.as_str()).is_some() || custom?.is_some())
    };
    let other = first.filter(|id| *id != stored.connection.connector);
    if other.as_ref().map(is_connector).transpose()?.unwrap_or_default() {
        return Err(Error::NotFound(Missing::Connection));
    }
    let path = call::path(&stored.connection, raw);

    let slot = slot(request, &stored.connection)?;
    let open = app.fresh(stored, &connector, slot, request.deadline).await?;
    let response = send(app, &connector, &open, slot, request, path).await?;
    if response.status() != http::StatusCode::UNAUTHORIZED {
        return Ok(answer(request, response));
    }
    let Some(renewed) = renewed(app, &open, slot, request).await? else { return Ok(answer(request, response)) };
    let response = send(app, &connector, &renewed, slot, request, path).await?;
    Ok(answer(request, response))
}

/// The connection that the call is made with, in any of its three headers.
fn connection_key(request: &Request) -> Result<ConnectionKey, Error> {
    let mut keys = Vec::new();
    for name in headers::CONNECTION_KEYS {
        keys.extend(request.single_header(name)?);
    }
    match keys.as_slice() {
        [] => Err(Error::invalid("the header x-one-connection-key is missing")),
        [first, rest @ ..] if rest.iter().all(|other| other == first) => {
            ConnectionKey::parse(first).ok_or(Error::NotFound(Missing::Connection))
        }
        _ => Err(Error::invalid("the request names two different connections; send one")),
    }
}

/// The further token that the call wants in place of the usual one, if any.
fn slot<'a>(request: &'a Request, connection: &Connection) -> Result<Option<&'a str>, Error> {
    let Some(wanted) = request.single_header(headers::TOKEN_SLOT)? else { return Ok(None) };
    if connection.slots.iter().any(|slot| slot == wanted) {
        return Ok(Some(wanted));
    }
    let slots = if connection.slots.is_empty() { "none".to_owned() } else { connection.slots.join(", ") };
    Err(Error::invalid(format!("{} names no token of this connection, which has: {slots}", headers::TOKEN_SLOT)))
}

async fn send(
    app: &App,
    connector: &Connector,
    open: &Open,
    slot: Option<&str>,
    request: &Request,
    path: Option<&str>,
) -> Result<reqwest::Response, Error> {
    let id = &open.stored.connection.connector;
    let values = app.values_of(open, connector, slot).await?;
    let client = if account::signs_with_a_client(connector) {
        Some(app.client_of(connector, &open.stored.connection).await?)
    } else {
        None
    };
    let build = || {
        let fresh = connector.calls_carry_random().then(|| values.with_random(&app.random));
        let (outgoing, origins) = call::build(connector, id, fresh.as_ref().unwrap_or(&values), request, path)?;
        let nonce = open.credentials.proof_key.as_ref().and_then(|_| app.nonces.of(outgoing.uri()));
        let signing = Signing {
            values: &values,
            credentials: &open.credentials,
            client: client.as_ref(),
            nonce: nonce.as_deref(),
            now: app.clock.now(),
            random: &app.random,
        };
        Ok::<_, Error>((call::signed(connector, id, outgoing, &signing)?, origins))
    };
    let (outgoing, origins) = build()?;
    let uri = outgoing.uri().clone();
    let response = app.egress.open(outgoing, &origins).await.map_err(|cause| cause.of(id))?;
    if open.credentials.proof_key.is_none() {
        return Ok(response);
    }
    app.nonces.keep(&uri, response.headers());
    if !lacks_nonce(&response) {
        return Ok(response);
    }
    // RFC 9449 §9: the same call with the nonce that the answer brought, once
    let (outgoing, origins) = build()?;
    app.egress.open(outgoing, &origins).await.map_err(|cause| cause.of(id))
}

/// Whether the provider refused only for want of its nonce; that stands in the head of the answer.
fn lacks_nonce(response: &reqwest::Response) -> bool {
    let mut head = http::Response::new(bytes::Bytes::new());
    *head.status_mut() = response.status();
    head.headers_mut().clone_from(response.headers());
    dpop::nonce_demanded(&head).is_some()
}

/// The same connection with another access token, if there is one to be had.
async fn renewed(app: &Arc<App>, open: &Open, slot: Option<&str>, request: &Request) -> Result<Option<Open>, Error> {
    let stored = open.stored.clone();
    let generation = stored.generation;
    let renewed = app.renewed(stored, slot, request.deadline).await?;
    Ok(Some(renewed).filter(|renewed| renewed.stored.generation != generation))
}

/// The provider's answer, as it comes.
fn answer(request: &Request, response: reqwest::Response) -> Response {
    let status = response.status().as_u16();
    let head = request.method == Some(shared::http::Method::Head);
    let headers = headers::back(response.headers(), head);
    let stream = response.bytes_stream().map(|chunk| chunk.map_err(|error| egress::classify(error).into()));
    Response { status, headers, body: Body::Stream(stream.boxed()) }
}
