//! The forms in which a request reaches a Lambda function, and how an answer goes back.
//!
//! | form | from | path | query | repeated headers |
//! |---|---|---|---|---|
//! | payload 1.0 | REST API | `path`: as sent | decoded names and values; order across names is lost by the gateway | `multiValueHeaders` |
//! | payload 2.0 | function URL, `cargo lambda watch` | `rawPath`, the stage in front unless it is `$default` | `rawQueryString`: as sent | joined by commas; cookies apart |
//!
//! The forms are read here and not by `lambda_http`, because that crate normalises the path, re-encodes a 1.0 query in an
//! order that changes with each process, keeps only the last of repeated headers and panics on a `Host` that does not
//! parse. The recorded events in `events/` and the table below hold what is kept.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, de::MapAccess};
use url::Url;

use super::{Body, Request, Response};

/// An event that holds an HTTP request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    http_method: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    raw_path: Option<String>,
    #[serde(default)]
    raw_query_string: Option<String>,
    #[serde(default, deserialize_with = "pairs")]
    headers: Vec<(String, String)>,
    #[serde(default, deserialize_with = "multi_pairs")]
    multi_value_headers: Vec<(String, String)>,
    #[serde(default, deserialize_with = "pairs")]
    query_string_parameters: Vec<(String, String)>,
    #[serde(default, deserialize_with = "multi_pairs")]
    multi_value_query_string_parameters: Vec<(String, String)>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    #[serde(default)]
    request_context: Context,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default)]
    domain_name: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    http: Option<HttpContext>,
}

#[derive(Deserialize)]
struct HttpContext {
    method: String,
}

/// An event that no HTTP front end sends, or whose body is not the base64 that it says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event holds no HTTP request: {0}")]
pub struct NotHttp(&'static str);

impl Event {
    /// The request in it. `public_path` is the base path of a custom domain, which the gateway leaves in front of the path.
    pub fn into_request(self, public_path: &str, invocation_id: &str) -> Result<Request, NotHttp> {
        let second = self.version.as_deref() == Some("2.0") || self.raw_path.is_some();
        let (method, path, query, headers) = if second { self.second_form()? } else { self.first_form()? };
        let body = match &self.body {
            None => Bytes::new(),
            Some(text) if self.is_base64_encoded => {
                STANDARD.decode(text).map_err(|_| NotHttp("the body is not base64"))?.into()
            }
            Some(text) => Bytes::copy_from_slice(text.as_bytes()),
        };
        let path = below(&path, public_path);
        // a client may choose the gateway's, which is good for finding a request again and for nothing else
        let plain = |id: &String| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
        };
        let request_id = self.request_context.request_id.clone().filter(plain);
        let request_id = request_id.unwrap_or_else(|| invocation_id.to_owned());
        let mut request = Request::new(&method, path, query, headers, body, request_id);
        request.gateway = self.gateway(second);
        Ok(request)
    }

    fn first_form(&self) -> Result<Parts, NotHttp> {
        let method = self.http_method.clone().ok_or(NotHttp("no method"))?;
        let path = self.path.clone().ok_or(NotHttp("no path"))?;
        let parameters = longer(&self.multi_value_query_string_parameters, &self.query_string_parameters);
        let headers = longer(&self.multi_value_headers, &self.headers);
        Ok((method, path, encoded(parameters), lower(headers)))
    }

    fn second_form(&self) -> Result<Parts, NotHttp> {
        let method = self.request_context.http.as_ref().map(|http| http.method.clone()).ok_or(NotHttp("no method"))?;
        let raw = self.raw_path.clone().ok_or(NotHttp("no path"))?;
        let stage = self.request_context.stage.as_deref().filter(|stage| *stage != "$default");
        let path = stage.map_or_else(|| raw.clone(), |stage| below(&raw, &format!("/{stage}")));
        let mut headers = lower(&self.headers);
        if let Some(cookies) = &self.cookies {
            headers.retain(|(name, _)| name != "cookie");
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        Ok((method, path, self.raw_query_string.clone().unwrap_or_default(), headers))
    }

    /// Where the gateway was called, in its own words: the domain, and the stage or base path it puts before our paths.
    fn gateway(&self, second: bool) -> Option<Url> {
        let domain = self.request_context.domain_name.as_deref()?;
        let full = if second { None } else { self.request_context.path.as_deref() };
        let own = self.path.as_deref().unwrap_or_default();
        let prefix = full.and_then(|full| full.strip_suffix(own)).unwrap_or_default();
        Url::parse(&format!("https://{domain}{prefix}")).ok()
    }
}

type Parts = (String, String, String, Vec<(String, String)>);

/// The path below a prefix of whole segments; the path itself if it does not lie there.
fn below(path: &str, prefix: &str) -> String {
    let rest = path.strip_prefix(prefix.trim_end_matches('/')).filter(|rest| rest.starts_with('/'));
    rest.unwrap_or(path).to_owned()
}

/// The multi-value list, unless the front end fills only the simple one.
fn longer<'a>(multi: &'a [(String, String)], simple: &'a [(String, String)]) -> &'a [(String, String)] {
    if multi.is_empty() { simple } else { multi }
}

fn lower(headers: &[(String, String)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

/// A query again, from the decoded parameters of a 1.0 event.
fn encoded(parameters: &[(String, String)]) -> String {
    let mut query = String::new();
    for (name, value) in parameters {
        let separator = if query.is_empty() { "" } else { "&" };
        // writing to a string does not fail
        let _ = write!(query, "{separator}{}={}", escape(name), escape(value));
    }
    query
}

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn escape(text: &str) -> percent_encoding::PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// A JSON object in its own order, null as empty.
fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    Ok(entries::<D, Option<String>>(deserializer)?
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or_default()))
        .collect())
}

/// A JSON object of lists in its own order, a pair for each value.
fn multi_pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    let lists = entries::<D, Option<Vec<String>>>(deserializer)?;
    Ok(lists
        .into_iter()
        .flat_map(|(name, values)| values.unwrap_or_default().into_iter().map(move |value| (name.clone(), value)))
        .collect())
}

fn entries<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<(String, T)>, D::Error> {
    struct Visitor<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
        type Value = Vec<(String, T)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object or null")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_any(Visitor(std::marker::PhantomData))
}

/// A whole answer, in the one form that a REST API and a function URL both understand.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Buffered {
    status_code: u16,
    headers: serde_json::Map<String, serde_json::Value>,
    multi_value_headers: serde_json::Map<String, serde_json::Value>,
    /// Payload 2.0 has its cookies apart; a REST API overlooks the member.
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

impl Buffered {
    /// From an answer of ours, which is text. A streamed body is not meant for here and answers empty.
    #[must_use]
    pub fn of(response: Response) -> Self {
        let bytes = match response.body {
            Body::Full(bytes) => bytes,
            Body::Stream(_) => Bytes::new(),
        };
        let (body, is_base64_encoded) = match std::str::from_utf8(&bytes) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (STANDARD.encode(&bytes), true),
        };
        let mut buffered = Self {
            status_code: response.status,
            headers: serde_json::Map::new(),
            multi_value_headers: serde_json::Map::new(),
            cookies: Vec::new(),
            body,
            is_base64_encoded,
        };
        for (name, value) in response.headers {
            if name == "set-cookie" {
                buffered.cookies.push(value);
            } else {
                // RFC 9110 §5.3: lines of one name may be joined
                let entry = buffered.headers.entry(name).or_insert_with(|| serde_json::Value::String(String::new()));
                if let serde_json::Value::String(line) = entry {
                    line.push_str(if line.is_empty() { "" } else { ", " });
                    line.push_str(&value);
                }
            }
        }
        if !buffered.cookies.is_empty() {
            buffered.multi_value_headers.insert("set-cookie".to_owned(), buffered.cookies.clone().into());
        }
        buffered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From text: a `serde_json::Value` would sort the members.
    fn request(event: &str) -> Request {
        serde_json::from_str::<Event>(event).unwrap().into_request("", "invocation").unwrap()
    }

    #[test]
    fn a_rest_event_is_read_exactly() {
        let request = request(
            r#"{
            "httpMethod": "GET", "path": "/v1/passthrough/a%2Fb/%2e%2e//c;d", "headers": {"Host": "bad host\u0007", "X-A": "2"},
            "multiValueHeaders": {"X-A": ["1", "2"], "Host": ["bad host\u0007"], "Cookie": ["a=1; b=2"]},
            "queryStringParameters": {"z": "2"}, "multiValueQueryStringParameters": {"z": ["1 +", "2"], "a": ["&="]},
            "requestContext": {"requestId": "r1", "stage": "prod", "domainName": "api.example", "path": "/prod/v1/passthrough/a%2Fb/%2e%2e//c;d"},
            "body": null
        }"#,
        );
        assert_eq!(request.path, "/v1/passthrough/a%2Fb/%2e%2e//c;d");
        assert_eq!(request.query, "z=1%20%2B&z=2&a=%26%3D");
        assert_eq!(
            request.headers.iter().filter(|(name, _)| name == "x-a").map(|(_, v)| v.as_str()).collect::<Vec<_>>(),
            ["1", "2"]
        );
        assert_eq!(request.cookie("b"), Some("2"));
        assert_eq!(request.request_id, "r1");
        assert_eq!(request.gateway.unwrap().as_str(), "https://api.example/prod");
    }

    #[test]
    fn a_function_url_event_is_read_exactly() {
        let request = request(
            r#"{
            "version": "2.0", "rawPath": "/prod/a%2Fb/%2e%2e/", "rawQueryString": "b=2&a=%zz&b=1+", "cookies": ["x=1", "y=2"],
            "headers": {"content-type": "text/plain"}, "body": "aGk=", "isBase64Encoded": true,
            "requestContext": {"requestId": "r2", "stage": "prod", "http": {"method": "POST"}}
        }"#,
        );
        assert_eq!((request.path.as_str(), request.query.as_str()), ("/a%2Fb/%2e%2e/", "b=2&a=%zz&b=1+"));
        assert_eq!((request.cookie("y"), &request.body[..]), (Some("2"), &b"hi"[..]));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for event in
            [serde_json::json!({}), serde_json::json!({"httpMethod": "GET"}), serde_json::json!({"rawPath": "/"})]
        {
            assert!(serde_json::from_value::<Event>(event).unwrap().into_request("", "i").is_err());
        }
    }

    #[test]
    fn cookies_go_back_in_both_forms() {
        let response = Response::empty(302)
            .with("set-cookie", "a=1")
            .with("set-cookie", "b=2")
            .with("vary", "x")
            .with("vary", "y");
        let json = serde_json::to_value(Buffered::of(response)).unwrap();
        assert_eq!(json["multiValueHeaders"]["set-cookie"], serde_json::json!(["a=1", "b=2"]));
        assert_eq!(json["cookies"], serde_json::json!(["a=1", "b=2"]));
        assert_eq!(json["headers"]["vary"], "x, y");
    }

    #[test]
    fn a_base_path_is_taken_off_by_whole_segments() {
        assert_eq!(below("/api/x", "/api"), "/x");
        assert_eq!(below("/apix", "/api"), "/apix");
        assert_eq!(below("/x", ""), "/x");
        assert_eq!(below("/x", "/"), "/x");
    }
}
