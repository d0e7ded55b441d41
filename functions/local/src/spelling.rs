//! Loopback has many spellings, and each server here has printed one: cookies and links belong to that.

use axum::{
    Router,
    body::Body as HttpBody,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    middleware::{Next, from_fn_with_state},
};
use url::{Host, Url};

/// How the host of a request is spelled.
#[derive(Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As printed, or by a program that may spell loopback as it likes.
    Printed,
    /// Another loopback spelling, asked for by a browser that wants a page, and where that page is under the printed one.
    Other(String),
    /// No loopback name: somebody's DNS points here (rebinding).
    Foreign,
}

impl Spelling {
    /// Of this request to the server whose address was printed. What is named in [`Self::Other`] is always of that server:
    /// of the request, only path and query are in it.
    #[must_use]
    pub fn of(printed: &Url, request: &Request) -> Self {
        let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let own = printed.host_str().map(|name| match printed.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        });
        if own.as_deref() == Some(host) {
            return Self::Printed;
        }
        if !is_loopback(host) {
            return Self::Foreign;
        }
        if request.method() == "GET" && wants_page(request.headers()) {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            return Self::Other(format!("{}{path}", printed.origin().ascii_serialization()));
        }
        Self::Printed
    }
}

fn is_loopback(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}")) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// These routes under the printed spelling: a login's cookie belongs to it, and so does the redirect URI that a browser is sent
/// back to.
pub fn as_printed(printed: &Url, routes: Router) -> Router {
    routes.layer(from_fn_with_state(printed.clone(), admit))
}

async fn admit(State(printed): State<Url>, request: Request, next: Next) -> Response<HttpBody> {
    match Spelling::of(&printed, &request) {
        Spelling::Printed => next.run(request).await,
        Spelling::Other(page) => redirect(&page),
        Spelling::Foreign => misdirected(),
    }
}

/// The answer under a name that is not this machine's (RFC 9110 §15.5.20).
#[must_use]
pub fn misdirected() -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::from("this server answers under its loopback address only"));
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Whether somebody wants to look at the answer.
#[must_use]
pub fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// On to another address.
#[must_use]
pub fn redirect(location: &str) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "text/html,application/xhtml+xml";

    fn spelled(method: &str, host: &str, target: &str, accept: &str) -> Spelling {
        let request = Request::builder().method(method).uri(target).header("host", host).header("accept", accept);
        Spelling::of(&Url::parse("http://127.0.0.1:4401").unwrap(), &request.body(HttpBody::empty()).unwrap())
    }

    #[test]
    fn a_page_under_another_spelling_is_at_the_printed_one() {
        let other = |path: &str| Spelling::Other(format!("http://127.0.0.1:4401{path}"));
        let table = [
            ("127.0.0.1:4401", "/", Spelling::Printed),
            ("localhost:4401", "/", other("/")),
            ("LOCALHOST:4401", "/connect?a=1&b=%2F", other("/connect?a=1&b=%2F")),
            ("orbit.localhost:4401", "/", other("/")),
            ("127.1:4401", "/", other("/")),
            ("127.0.0.2:4401", "/", other("/")),
            ("[::1]:4401", "/", other("/")),
            ("localhost", "/", other("/")),
            ("localhost:4401", "//evil.example/", other("//evil.example/")),
            ("localhost:4401", "/@evil.example", other("/@evil.example")),
            ("localhost:4401", "http://evil.example/x", other("/x")),
            ("localhost@evil.example", "/", Spelling::Foreign),
            ("evil.example@localhost:4401", "/", other("/")),
            ("localhost.evil.example:4401", "/", Spelling::Foreign),
            ("evil.example", "/", Spelling::Foreign),
            ("192.168.0.1:4401", "/", Spelling::Foreign),
            ("", "/", Spelling::Foreign),
        ];
        for (host, target, expected) in table {
            assert_eq!(spelled("GET", host, target, PAGE), expected, "{host} {target}");
        }
    }

    #[test]
    fn a_program_may_spell_loopback_as_it_likes() {
        for (method, accept) in [("GET", "*/*"), ("GET", "text/css,*/*"), ("POST", PAGE), ("HEAD", PAGE)] {
            assert_eq!(spelled(method, "localhost:4401", "/", accept), Spelling::Printed, "{method} {accept}");
        }
    }
}
