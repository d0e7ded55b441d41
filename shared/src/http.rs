//! HTTP as the handlers see it, and the only place that knows an event form, a status code or a header of ours.
//!
//! [`Request`] is read exactly from every form that API Gateway, a function URL and the local server have (see
//! [`event`]); [`answer`] finds the route, calls the handler, and turns its result or error into a [`Response`].
//! Handlers never meet an event form, and hold no status code for a failure.

pub mod event;
pub mod form;
pub mod params;

mod api_version;
mod failure;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::Stream;
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use self::api_version::ApiVersion;
pub use self::{
    failure::{Form, failure, failure_with_form},
    params::Params,
};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, Missing},
    json::{self, shape},
    page,
    routes::{self, Function, Operation, Route, Voice},
};

/// The largest body any route but passthrough reads: a custom connector's definition fits many times.
pub const BODY_LIMIT: usize = 256 * 1024;

/// The largest request event of Lambda, so of a passthrough body too.
pub const EVENT_LIMIT: usize = 6 * 1024 * 1024;

/// The members of a body that say who asks.
const CREDENTIALS: [&str; 2] = ["client_id", "client_secret"];

/// A request method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the methods of RFC 9110 §9 and RFC 5789")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    /// As on the wire. Methods are case-sensitive (RFC 9110 §9.1).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options]
            .into_iter()
            .find(|method| method.as_str() == text)
    }

    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request, exactly as it was sent, below the base URL.
#[derive(Debug)]
pub struct Request {
    /// The method; `None` for one that no route here has.
    pub method: Option<Method>,
    /// The path with its percent-escapes, without stage or base path.
    pub path: String,
    /// The query with its percent-escapes, without the question mark.
    pub query: String,
    /// Every header line, names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, decoded.
    pub body: Bytes,
    /// The API's own id of this request: in the logs, in every error and in `x-request-id`.
    pub request_id: String,
    /// The address under which the gateway itself says that it was called; never taken from a header.
    pub gateway: Option<Url>,
    /// When the invocation ends.
    pub deadline: Option<Timestamp>,
    /// What is asked for; set by [`answer`].
    pub operation: Option<Operation>,
    /// Path parameters, percent-decoded; set by [`answer`].
    params: Vec<(&'static str, String)>,
    /// The allowed origin that asked, once the caller's project is known.
    reflected_origin: OnceLock<String>,
}

impl Request {
    /// A request from its parts; [`event`] and the local server make one.
    #[must_use]
    pub fn new(
        method: &str,
        path: String,
        query: String,
        headers: Vec<(String, String)>,
        body: Bytes,
        request_id: String,
    ) -> Self {
        Self {
            method: Method::parse(method),
            path,
            query,
            headers,
            body,
            request_id,
            gateway: None,
            deadline: None,
            operation: None,
            params: Vec::new(),
            reflected_origin: OnceLock::new(),
        }
    }

    /// The first header of this name (lower case), if it is not empty.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A header that must not be repeated, since the answer hangs on it.
    pub fn single_header(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.trim());
        match (values.next(), values.next()) {
            (first, None) => Ok(first.filter(|value| !value.is_empty())),
            _ => Err(Error::invalid(format!("the header {name} was sent more than once"))),
        }
    }

    /// A segment of the path by its name in the route, percent-decoded.
    pub fn param(&self, name: &str) -> Result<&str, Error> {
        self.params
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
            .ok_or(Error::NotFound(Missing::Route))
    }

    /// The query's parameters, decoded. A malformed escape is an error.
    pub fn query(&self) -> Result<Params, Error> {
        Params::from_form(self.query.as_bytes())
    }

    /// The body as a form (RFC 6749 Appendix B) or, where the content type says so, as a flat JSON object.
    pub fn form(&self) -> Result<Params, Error> {
        match self.media_type().as_deref() {
            Some("application/json") => Params::from_json(&self.body),
            Some("application/x-www-form-urlencoded") | None => Params::from_form(&self.body),
            Some(_) => Err(Error::UnsupportedMediaType("application/x-www-form-urlencoded or application/json")),
        }
    }

    /// Whether the body is said to be JSON.
    #[must_use]
    pub fn has_json(&self) -> bool {
        self.media_type().as_deref() == Some("application/json")
    }

    /// The body as JSON of this shape. The error names the field.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        match self.media_type().as_deref() {
            Some("application/json") | None => {}
            Some(_) => return Err(Error::UnsupportedMediaType("application/json")),
        }
        let mut members = json::object(&self.body)?;
        if self.takes_credentials() {
            // they say who asks, and belong to no shape
            members.retain(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
        }
        shape::fit(members).map_err(|misfit| Error::invalid(format!("the JSON body does not fit: {misfit}")))
    }

    /// The body's parameters, where the caller's `client_id` and `client_secret` may stand among them (RFC 6749 §2.3.1). A body
    /// that can't be read presents nothing: who reads it for what else it says is the one to refuse it.
    #[must_use]
    pub fn credentials_form(&self) -> Option<Params> {
        if !self.takes_credentials() || self.body.is_empty() {
            return None;
        }
        let params = match self.media_type().as_deref() {
            Some("application/json") => Params::from_json(&self.body),
            Some("application/x-www-form-urlencoded") => Params::from_form(&self.body),
            None => Params::from_json(&self.body).or_else(|_| Params::from_form(&self.body)),
            Some(_) => return None,
        };
        params.ok()
    }

    fn takes_credentials(&self) -> bool {
        self.operation.is_some_and(Operation::takes_credentials_in_the_body)
    }

    fn media_type(&self) -> Option<String> {
        self.header("content-type").map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// The value of a cookie. A name set twice is treated as absent: one of the two came from elsewhere. Only the blanks that a
    /// browser puts there are taken away: another one before `__Host-` makes a name that any sibling host may set.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.iter().filter(|(n, _)| n == "cookie");
        let mut values = lines
            .flat_map(|(_, line)| line.split(';'))
            .filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='))
            .filter(|(n, _)| *n == name)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// Lets the page of this origin read the answer. Called once the caller's project is known, and only for an allowed one.
    pub fn reflect_origin(&self, origin: &str) {
        // set at most once a request: the caller is resolved once
        let _ = self.reflected_origin.set(origin.to_owned());
    }
}

/// Bytes that come as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

/// What an answer carries.
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// What comes from a provider, passed on as it comes. Only passthrough answers so.
    Stream(ByteStream),
}

/// An answer.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header lines; `set-cookie` may occur more than once.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Full(Bytes::new()) }
    }

    /// 200 with JSON.
    pub fn json(value: &impl Serialize) -> Self {
        Self::json_with(200, value)
    }

    /// 201 with JSON.
    pub fn created(value: &impl Serialize) -> Self {
        Self::json_with(201, value)
    }

    fn json_with(status: u16, value: &impl Serialize) -> Self {
        // our own types: maps have string keys and nothing else can fail
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::full(status, "application/json", body)
    }

    /// 200 with a page.
    #[must_use]
    pub fn html(page: String) -> Self {
        Self::full(200, "text/html; charset=utf-8", page.into_bytes())
    }

    /// 302 without `Location`: browsers show the page, and clients that accept nothing but a final 302 are content.
    #[must_use]
    pub fn found_page(page: String) -> Self {
        Self { status: 302, ..Self::html(page) }
    }

    /// Any status with a body of this type.
    #[must_use]
    pub fn full(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: Body::Full(body.into()),
        }
    }

    /// 302 to another address: the browser is sent on.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::empty(302).with("location", location)
    }

    /// 303 after a form: whatever the method was, the next is GET (RFC 9110 §15.4.4).
    #[must_use]
    pub fn see_other(location: &str) -> Self {
        Self::empty(303).with("location", location)
    }

    /// With one more header line.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether there is a header of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(n, _)| n == name)
    }

    /// With this header line unless there is one of its name.
    #[must_use]
    fn or(self, name: &str, value: &str) -> Self {
        if self.has(name) { self } else { self.with(name, value) }
    }
}

/// Which browser this is, for one attempt or link: a `__Host-` cookie that no other host can set, sent on top-level
/// navigation only, out of every script's reach.
#[must_use]
pub fn cookie(name: &str, value: &str, max_age_secs: u64) -> String {
    format!("{name}={value}; Path=/; Max-Age={max_age_secs}; Secure; HttpOnly; SameSite=Lax")
}

/// One function's answers. `main.rs` hands it to [`crate::lambda::serve`], the local server to [`answer`].
pub trait Handler: Send + Sync {
    /// Which function this is: it answers the routes of that function alone.
    const FUNCTION: Function;

    /// Answers a request that found its route. The app is shared, so that work can be finished that outlives its caller.
    fn handle(
        &self,
        app: &Arc<App>,
        request: &Request,
        operation: Operation,
    ) -> impl Future<Output = Result<Response, Error>> + Send;
}

/// Answers a request: finds its route, lets the handler answer, and tells failures in the route's voice.
pub async fn answer<H: Handler>(app: &Arc<App>, mut request: Request, handler: &H) -> Response {
    let started = app.clock.now();
    let (route, voice, result) = match enter(&mut request, H::FUNCTION) {
        Entered::Preflight(response) => return finish(&request, None, response),
        Entered::Lost(voice, error) => (None, voice, Err(error)),
        Entered::Found(route) => {
            // on the heap: a handler's future is as large as the largest of its calls to AWS
            (Some(route), route.voice, Box::pin(handler.handle(app, &request, route.operation)).await)
        }
    };
    let response = result.unwrap_or_else(|error| failure(app, &request, voice, &error));
    // JSON has no number of 128 bits: one would be written as a text
    let millis = u64::try_from(started.until(app.clock.now()).as_millis()).unwrap_or(u64::MAX);
    // routes and ids only: codes and states stand in paths and queries
    tracing::info!(
        request_id = request.request_id,
        route = route.map_or("", |route| route.path),
        method = request.method.map_or("", Method::as_str),
        status = response.status,
        millis,
        "answered"
    );
    finish(&request, Some(voice), response)
}

enum Entered {
    Preflight(Response),
    Lost(Voice, Error),
    Found(&'static Route),
}

/// Finds the route and checks what every route has in common.
fn enter(request: &mut Request, function: Function) -> Entered {
    let Some(matched) =
        routes::find(&request.path).filter(|matched| matched.routes.iter().any(|r| r.function == function))
    else {
        let page = request.header("accept").is_some_and(|accept| accept.contains("text/html"));
        return Entered::Lost(if page { Voice::Page } else { Voice::Api }, Error::NotFound(Missing::Route));
    };
    let allowed: Vec<Method> = matched.routes.iter().map(|route| route.method).collect();
    if request.method == Some(Method::Options) {
        return Entered::Preflight(preflight(request, &allowed));
    }
    let voice = matched.routes.first().map_or(Voice::Api, |route| route.voice);
    let Some(route) = matched.routes.iter().find(|route| Some(route.method) == request.method).copied() else {
        return Entered::Lost(voice, Error::MethodNotAllowed(allowed));
    };
    let limit = if route.voice == Voice::Passthrough { EVENT_LIMIT } else { BODY_LIMIT };
    if request.body.len() > limit {
        return Entered::Lost(route.voice, Error::TooLarge(limit));
    }
    if let Some(Err(error)) = ApiVersion::spoken(request, route.voice) {
        return Entered::Lost(route.voice, error);
    }
    let mut decoded = Vec::with_capacity(matched.params.len());
    for (name, raw) in matched.params {
        // the rest of a passthrough path goes to the provider as it came
        let value = if name == "path" { Some(raw) } else { params::decode(&raw) };
        match value {
            Some(value) => decoded.push((name, value)),
            None => {
                return Entered::Lost(
                    route.voice,
                    Error::invalid(format!("the path segment {name} is not valid percent-encoded UTF-8")),
                );
            }
        }
    }
    request.params = decoded;
    request.operation = Some(route.operation);
    Entered::Found(route)
}

/// Any origin may ask what is possible, without credentials; whether it may read an answer is decided with the answer.
fn preflight(request: &Request, allowed: &[Method]) -> Response {
    let methods = allowed.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
    let headers = request
        .header("access-control-request-headers")
        .filter(|value| value.len() <= 1024)
        .unwrap_or("authorization, content-type");
    Response::empty(204)
        .with("access-control-allow-origin", "*")
        .with("access-control-allow-methods", &methods)
        .with("access-control-allow-headers", headers)
        .with("access-control-max-age", "600")
        .with("allow", &format!("{methods}, OPTIONS"))
}

/// What every answer carries; that to a preflight has no voice.
fn finish(request: &Request, voice: Option<Voice>, mut response: Response) -> Response {
    if let Some(origin) = request.reflected_origin.get() {
        response = response
            .with("access-control-allow-origin", origin)
            .with("vary", "origin")
            .with("access-control-expose-headers", "x-request-id, x-mooring-request-id, retry-after, x-mooring-error");
    }
    if let Some(Ok(version)) = voice.and_then(|voice| ApiVersion::spoken(request, voice)) {
        response = version.echo(response);
    }
    if voice == Some(Voice::Passthrough) && !response.has("x-mooring-error") {
        // the provider's own answer: its caching, its types and its request id are its own
        return response.with("x-mooring-request-id", &request.request_id);
    }
    response = response.with("x-request-id", &request.request_id);
    response = response.or("cache-control", "no-store").or("x-content-type-options", "nosniff");
    if voice == Some(Voice::Page) {
        // a token or a state may stand in the address, of a redirect as of a page
        response = response.or("referrer-policy", "no-referrer");
    }
    if response.headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("text/html")) {
        response = response
            .or("content-security-policy", &page::policy("", page::NOBODY))
            .or("referrer-policy", "no-referrer")
            .or("cross-origin-opener-policy", "same-origin");
        if response.headers.iter().any(|(n, v)| n == "content-security-policy" && v.contains("frame-ancestors 'none'"))
        {
            response = response.or("x-frame-options", "DENY");
        }
    }
    response
}

/// The halves of an `Authorization: Basic` header, form-decoded (RFC 6749 §2.3.1).
#[must_use]
pub fn basic_credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((params::decode_form(id)?, params::decode_form(secret)?))
}

/// The token of an `Authorization: Bearer` header (RFC 6750 §2.1).
#[must_use]
pub fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
