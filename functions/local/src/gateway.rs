//! One address for every function: what API Gateway is in a deployment.

use std::sync::Arc;

use admin::Admin;
use authorize::Authorize;
use axum::{
    Router,
    body::{Body as HttpBody, to_bytes},
    extract::State,
    http::{HeaderValue, Request as HttpRequest, Response as HttpResponse, StatusCode, header},
};
use callback::Callback;
use connect::Connect;
use connections::Connections;
use passthrough::Passthrough;
use shared::{
    app::App,
    http::{Body, EVENT_LIMIT, Request, Response, answer},
    routes::{self, Function},
    secret::Bearer,
};
use token::Token;
use url::Url;

use crate::spelling::{Spelling, misdirected, redirect, wants_page};

/// What the gateway needs to know.
pub struct Gateway {
    /// What the handlers need.
    pub app: Arc<App>,
    /// The address that was printed.
    pub base_url: Url,
    /// Where the demo app is: a person who opens the bare address wants to go there.
    pub app_url: Url,
}

/// The gateway's routes: everything goes to the function that answers there.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().fallback(serve).with_state(gateway)
}

async fn serve(State(gateway): State<Arc<Gateway>>, request: HttpRequest<HttpBody>) -> HttpResponse<HttpBody> {
    match Spelling::of(&gateway.base_url, &request) {
        Spelling::Printed => {}
        Spelling::Other(printed) => return redirect(&printed),
        Spelling::Foreign => return misdirected(),
    }
    let (parts, body) = request.into_parts();
    let base_path = gateway.base_url.path().trim_end_matches('/');
    let full = parts.uri.path();
    let path = match full.strip_prefix(base_path) {
        Some("") => "/", // the address as it was printed, without a slash at its end
        Some(path) if path.starts_with('/') => path,
        _ => return plain(StatusCode::NOT_FOUND, &format!("everything here stands below {}", gateway.base_url)),
    };
    let bare = path == "/" && parts.uri.query().is_none();
    if bare && parts.method == "GET" && wants_page(&parts.headers) {
        return redirect(gateway.app_url.as_str());
    }
    // a body that no event could hold is refused by its route, in the route's own voice
    let body = to_bytes(body, EVENT_LIMIT).await.unwrap_or_else(|_| vec![0; EVENT_LIMIT + 1].into());
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().iter().map(|b| char::from(*b)).collect()));
    let request_id = Bearer::random(&gateway.app.random).digest().as_str()[..22].to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let mut request = Request::new(parts.method.as_str(), path.to_owned(), query, headers.collect(), body, request_id);
    request.gateway = Some(gateway.base_url.clone());
    // A task of its own: like Lambda, the local server lets a handler finish whose client has gone away
    let app = Arc::clone(&gateway.app);
    let response = tokio::spawn(async move { dispatch(&app, request).await }).await;
    response.map_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "{\"error\":\"server_error\"}"), into_http)
}

/// To the function whose route it is; what is nobody's goes to `connect`, which has the well-formed 404.
async fn dispatch(app: &Arc<App>, request: Request) -> Response {
    let function = routes::find(&request.path).and_then(|matched| matched.routes.first().map(|route| route.function));
    match function.unwrap_or(Function::Connect) {
        Function::Token => answer(app, request, &Token).await,
        Function::Authorize => answer(app, request, &Authorize).await,
        Function::Callback => answer(app, request, &Callback).await,
        Function::Passthrough => answer(app, request, &Passthrough).await,
        Function::Connections => answer(app, request, &Connections).await,
        Function::Connect => answer(app, request, &Connect).await,
        Function::Admin => answer(app, request, &Admin).await,
    }
}

fn into_http(response: Response) -> HttpResponse<HttpBody> {
    let body = match response.body {
        Body::Full(bytes) => HttpBody::from(bytes),
        Body::Stream(stream) => HttpBody::from_stream(stream),
    };
    let mut http = HttpResponse::new(body);
    *http.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        let bytes: Vec<u8> = value.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect();
        if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(name), HeaderValue::from_bytes(&bytes)) {
            http.headers_mut().append(name, value);
        }
    }
    http
}

fn plain(status: StatusCode, text: &str) -> HttpResponse<HttpBody> {
    let mut response = HttpResponse::new(HttpBody::from(text.to_owned()));
    *response.status_mut() = status;
    let content_type = if text.starts_with('{') { "application/json" } else { "text/plain; charset=utf-8" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
