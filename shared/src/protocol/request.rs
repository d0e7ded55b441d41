//! How a request to a provider is written, whatever it asks for.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use super::{
    connector::{self, BodyFormat, Pairs},
    template::{self, TemplateError, Values},
};

/// What providers see of us; several refuse a request without one.
pub const USER_AGENT: &str = concat!("mooring/", env!("CARGO_PKG_VERSION"));

/// A request with parameters, written as the provider wants them. `in_query` puts them there whatever the body's form.
pub(super) fn call(
    method: connector::Method,
    format: BodyFormat,
    mut url: Url,
    params: &[(&str, String)],
    in_query: bool,
) -> Result<http::Request<Bytes>, TemplateError> {
    let in_query = in_query || format == BodyFormat::Query || method == connector::Method::Get;
    let mut request = http::Request::new(Bytes::new());
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    if in_query {
        url.query_pairs_mut().extend_pairs(params);
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(format)));
        *request.body_mut() = body(format, params);
    }
    *request.method_mut() = method_of(method);
    *request.uri_mut() = uri(&url)?;
    Ok(request)
}

pub(super) fn method_of(method: connector::Method) -> Method {
    match method {
        connector::Method::Get => Method::GET,
        connector::Method::Post => Method::POST,
        connector::Method::Delete => Method::DELETE,
    }
}

/// HTTP Basic with both halves form-encoded first (RFC 6749 §2.3.1).
pub(super) fn basic(user: &str, password: &str) -> HeaderValue {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(user), encode(password)))))
}

/// A header value that is marked so that no library prints it. Base64 and checked templates fit a header by their form.
pub(super) fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

pub(super) fn body(format: BodyFormat, params: &[(&str, String)]) -> Bytes {
    match format {
        BodyFormat::Form | BodyFormat::Query => {
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish().into()
        }
        BodyFormat::Json => {
            let object: serde_json::Map<String, Value> =
                params.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
            Value::Object(object).to_string().into()
        }
    }
}

pub(super) fn content_type(format: BodyFormat) -> &'static str {
    match format {
        BodyFormat::Form | BodyFormat::Query => "application/x-www-form-urlencoded",
        BodyFormat::Json => "application/json",
    }
}

pub(super) fn uri(url: &url::Url) -> Result<http::Uri, TemplateError> {
    url.as_str().parse().map_err(|_| TemplateError::Broken("the address is not one that can be called".to_owned()))
}

/// Sets fixed headers, in place of any that is there.
pub(super) fn set_headers(headers: &mut http::HeaderMap, fixed: &Pairs, values: &Values) -> Result<(), TemplateError> {
    for (name, value) in template::pairs(fixed, values)? {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| TemplateError::Broken(format!("the header {name} has no valid name")))?;
        headers.insert(header, sensitive(&value));
    }
    Ok(())
}
