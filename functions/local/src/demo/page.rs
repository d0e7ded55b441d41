//! Pages for people, and the headers that keep them safe.

use askama::Template;
use axum::{
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    response::{AppendHeaders, IntoResponse, Response},
};

use url::Url;

use super::refusal::Refusal;

/// No script, no foreign resource, no frame. `form-action` is left out on purpose: browsers apply it to every
/// redirect that follows a form, and the forms here end at a client or a provider that the page cannot name.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const SAFETY: AppendHeaders<[(HeaderName, &str); 5]> = AppendHeaders([
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
]);

/// Renders a page.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, SAFETY, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(_) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the page could not be made")
            .into_response(),
    }
}

/// Renders a page that runs scripts: its own, and those of another origin, to which it may speak. It sends its origin along when
/// it is left by a form, since that is what proves it there.
pub fn page_with_scripts(template: &impl Template, other: &Url) -> Response {
    let mut response = page(StatusCode::OK, template);
    let other = other.origin().ascii_serialization();
    let policy = format!("{POLICY}; script-src 'self' {other}; connect-src 'self' {other}; frame-src {other}");
    let headers = response.headers_mut();
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    // an origin is ASCII; were it not, the page would run no script
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Leads on with 303: the next request is a GET and carries nothing of this one's body (RFC 9700 §4.12).
pub fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, SAFETY, [(LOCATION, location)]).into_response(),
        Err(_) => Refusal::invalid_request("the address to go on to is not one").into_response(),
    }
}

/// A file that is part of the program.
pub fn asset(content_type: &'static str, content: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, content).into_response()
}
