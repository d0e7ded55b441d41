//! The two listeners, and what hyper has to be told of each call.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Response, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    control,
    engine::{Engine, Reply},
    request::{Request, decode},
};

/// The longest body that is taken.
const BODY_LIMIT: usize = 1024 * 1024;
/// How many connections are served at once.
const CONNECTIONS: usize = 1024;
/// How long a client may take to send its headers, and to shake hands.
const PATIENCE: Duration = Duration::from_secs(30);

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How a listener speaks, and how it knows whom a call is for.
#[derive(Clone)]
pub enum Speech {
    /// TLS; the host name is that of the request.
    Tls(TlsAcceptor),
    /// Plain; the path may begin with the host name, and `/_zoo/` is the control.
    Plain,
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, engine: Arc<Engine>, speech: Speech) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (engine, speech) = (engine.clone(), speech.clone());
        connections.spawn(async move {
            // a connection that fails is its client's to notice
            let _ = connection(stream, engine, speech).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, engine: Arc<Engine>, speech: Speech) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match speech {
        Speech::Tls(acceptor) => {
            let stream = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await??;
            http(stream, engine, false).await
        }
        Speech::Plain => http(stream, engine, true).await,
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    engine: Arc<Engine>,
    is_plain: bool,
) -> io::Result<()> {
    let service = service_fn(move |incoming| {
        let engine = engine.clone();
        async move { exchange(&engine, incoming, is_plain).await }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}

/// One call. An error ends the connection without an answer.
async fn exchange(
    engine: &Engine,
    incoming: http::Request<Incoming>,
    is_plain: bool,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = incoming.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(written(&Reply::new(413, "text/plain", "the body is too long")));
    };
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = head.uri.host().unwrap_or_else(|| named.rsplit_once(':').map_or(named, |(host, _)| host));
    let mut request = Request {
        method: head.method.as_str().to_owned(),
        host: host.to_ascii_lowercase(),
        path: head.uri.path().to_owned(),
        query: decode(head.uri.query().unwrap_or_default()),
        headers: head.headers,
        body: body.to_bytes(),
    };
    if is_plain {
        if let Some(reply) = control::answer(engine, &request) {
            return Ok(written(&reply));
        }
        prefixed(engine, &mut request);
    }

    let reply = engine.answer(&request);
    if reply.slow > 0 {
        tokio::time::sleep(Duration::from_millis(reply.slow)).await;
    }
    if reply.lost {
        return Err(io::Error::other("the answer is lost"));
    }
    Ok(written(&reply))
}

/// `/slack.com/api/auth.test` is `/api/auth.test` of slack.com.
fn prefixed(engine: &Engine, request: &mut Request) {
    let Some((host, path)) = request.path.get(1..).map(|rest| rest.split_once('/').unwrap_or((rest, ""))) else {
        return;
    };
    if engine.knows(host) {
        (request.host, request.path) = (host.to_ascii_lowercase(), format!("/{path}"));
    }
}

fn written(reply: &Reply) -> Response<Body> {
    let mut response = Response::new(body(reply));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    if reply.cut {
        response.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
    }
    response
}

fn body(reply: &Reply) -> Body {
    if !reply.cut {
        let whole = Full::new(Bytes::from(reply.body.clone()));
        return whole.map_err(|never: Infallible| match never {}).boxed_unsync();
    }
    let half = Bytes::copy_from_slice(&reply.body[..reply.body.len() / 2]);
    let pieces = stream::unfold(Some(half), async |half| {
        if let Some(half) = half {
            return Some((Ok(Frame::data(half)), None));
        }
        tokio::time::sleep(Duration::from_millis(20)).await; // so that the half is sent before the end
        Some((Err(io::Error::other("the connection is cut")), None))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// A listener on a free port of this machine.
pub async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
