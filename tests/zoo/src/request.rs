//! A request as the zoo reads it, whichever way it came.

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{data::Body, refusal::Refused, template::plain};

/// Names and values, in the order in which they came.
pub type Pairs = Vec<(String, String)>;

/// A request to one of the providers.
pub struct Request {
    /// The method.
    pub method: String,
    /// The host name without a port.
    pub host: String,
    /// The path as it was sent.
    pub path: String,
    /// The query, decoded.
    pub query: Pairs,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What stands in `Authorization` after a scheme.
    #[must_use]
    pub fn authorization(&self, scheme: &str) -> Option<&str> {
        let (named, rest) = self.header(AUTHORIZATION.as_str())?.split_once(' ')?;
        named.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// The address that was meant, whichever listener took it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }

    /// The media type of the body.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        let written = self.header(CONTENT_TYPE.as_str())?;
        Some(written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// The parameters, if they travel in one of these ways. None given: in any.
    pub fn parameters(&self, ways: &[Body]) -> Result<Pairs, Refused> {
        let takes = |way| ways.is_empty() || ways.contains(&way);
        if self.body.is_empty() {
            if takes(Body::Query) || self.method == "GET" {
                return once(self.query.clone());
            }
            return Err(Refused::new("parameter", "the body is empty, and parameters in the query are not read"));
        }
        match self.content_type().as_deref() {
            Some("application/x-www-form-urlencoded") if takes(Body::Form) => {
                let mut pairs = decode(std::str::from_utf8(&self.body).map_err(|_| not("UTF-8"))?);
                if ways.contains(&Body::Query) || ways.is_empty() {
                    pairs.extend(self.query.clone());
                }
                once(pairs)
            }
            Some("application/json") if takes(Body::Json) => {
                let body: Map<String, Value> = serde_json::from_slice(&self.body).map_err(|_| not("a JSON object"))?;
                let mut pairs = Pairs::new();
                flatten("", &body, &mut pairs);
                Ok(pairs)
            }
            _ if ways.is_empty() => once(self.query.clone()),
            other => Err(Refused::new("content_type", wrong_type(ways, other))),
        }
    }
}

fn wrong_type(ways: &[Body], sent: Option<&str>) -> String {
    let wanted: Vec<&str> = ways
        .iter()
        .map(|way| match way {
            Body::Form => "application/x-www-form-urlencoded",
            Body::Json => "application/json",
            Body::Query => "absent, with the parameters in the query",
        })
        .collect();
    format!("Content-Type has to be {}, was {}", wanted.join(" or "), sent.unwrap_or("absent"))
}

fn not(what: &str) -> Refused {
    Refused::new("body", format!("the body is not {what}"))
}

/// RFC 6749 §3.1 and §3.2: no parameter stands twice.
fn once(pairs: Pairs) -> Result<Pairs, Refused> {
    let twice = pairs
        .iter()
        .enumerate()
        .find(|(i, (name, _))| !name.ends_with("[]") && pairs.iter().take(*i).any(|(earlier, _)| earlier == name));
    match twice {
        Some((_, (name, _))) => Err(Refused::new("parameter", format!("parameter {name} stands twice"))),
        None => Ok(pairs),
    }
}

/// Names and values of a query or form.
#[must_use]
pub fn decode(text: &str) -> Pairs {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// The value of a name.
#[must_use]
pub fn get<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Members of inner objects are called `outer.inner`; lists stay as they are.
fn flatten(prefix: &str, members: &Map<String, Value>, pairs: &mut Pairs) {
    for (name, value) in members {
        let name = format!("{prefix}{name}");
        match value {
            Value::Object(inner) => flatten(&format!("{name}."), inner, pairs),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => pairs.push((name, plain(value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, content_type: Option<&str>, query: &str, body: &'static str) -> Request {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        Request {
            method: method.to_owned(),
            host: "a.example".to_owned(),
            path: "/".to_owned(),
            query: decode(query),
            headers,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn parameters_are_read_where_they_may_stand() {
        let form = Some("application/x-www-form-urlencoded; charset=utf-8");
        let json = Some("application/json");
        let table = [
            ("a form", form, "", "a=1", vec![Body::Form], "a=1"),
            ("a query beside a form is not read", form, "b=2", "a=1", vec![Body::Form], "a=1"),
            ("unless it may be", form, "b=2", "a=1", vec![Body::Form, Body::Query], "a=1&b=2"),
            ("twice", form, "", "a=1&a=2", vec![Body::Form], "parameter a stands twice"),
            ("JSON", json, "", r#"{"a":{"b":1},"c":true}"#, vec![Body::Json], "a.b=1&c=true"),
            ("a list of names is no object", json, "", "[]", vec![Body::Json], "the body is not a JSON object"),
            (
                "the wrong one",
                json,
                "",
                "{}",
                vec![Body::Form],
                "Content-Type has to be application/x-www-form-urlencoded, was application/json",
            ),
        ];
        for (case, content_type, query, body, ways, expected) in table {
            let read = match request("POST", content_type, query, body).parameters(&ways) {
                Ok(pairs) => pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"),
                Err(refused) => refused.words,
            };
            assert_eq!(read, expected, "{case}");
        }
    }
}
