//! A request in the making, and its whole answer.

use bytes::Bytes;
use serde_json::Value;
use url::Url;

/// A request in the making.
#[must_use]
pub struct Call(reqwest::RequestBuilder);

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// What was asked.
    pub url: Url,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// A form of a page, with the fields that it hides.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: Url,
    pub fields: Vec<(String, String)>,
}

impl Call {
    pub fn new(http: &reqwest::Client, method: &str, url: &str) -> Self {
        Self(http.request(method.parse().unwrap(), Url::parse(url).unwrap()))
    }

    /// With one more header line: a name may be repeated.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    pub fn body(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self(self.0.header("content-type", content_type).body(body.into()))
    }

    pub async fn send(self) -> Answer {
        let response = self.0.send().await.unwrap();
        let (status, url) = (response.status().as_u16(), response.url().clone());
        let lines = response.headers().iter();
        let headers = lines.map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
        Answer { status, url, headers, body: response.bytes().await.unwrap() }
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} {}: {}", self.status, self.url, self.text()))
    }

    /// The text of a member of a JSON answer.
    pub fn member(&self, name: &str) -> String {
        let json = self.json();
        json[name].as_str().unwrap_or_else(|| panic!("no {name}: {} {json}", self.status)).to_owned()
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Where the browser is sent.
    pub fn location(&self) -> String {
        let location =
            self.header("location").unwrap_or_else(|| panic!("{}: {} {}", self.url, self.status, self.text()));
        self.url.join(location).unwrap().into()
    }

    /// Status and error code: of JSON its `error`, of a page its `x-mooring-error`.
    pub fn refusal(&self) -> (u16, String) {
        let code = self.header("x-mooring-error").map(str::to_owned);
        (self.status, code.unwrap_or_else(|| self.member("error")))
    }

    /// The form that goes to an address with this in it.
    pub fn form(&self, action: &str) -> Form {
        let page = self.text();
        let forms = page.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap_or(rest));
        let found = forms.map(str::to_owned).find(|form| attribute(form, "action").is_some_and(|a| a.contains(action)));
        let form = found.unwrap_or_else(|| panic!("no form to {action}: {} {page}", self.status));
        let inputs = form.split("<input ").skip(1).filter(|input| attribute(input, "type") == Some("hidden"));
        let field = |input: &str| Some((attribute(input, "name")?.to_owned(), attribute(input, "value")?.to_owned()));
        Form {
            action: self.url.join(attribute(&form, "action").unwrap()).unwrap(),
            fields: inputs.filter_map(field).collect(),
        }
    }
}

/// An attribute's value; none of those that are read here needs unescaping.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

impl Form {
    /// With a field filled in, or another value in its place.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a field.
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self
    }

    pub fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap()
    }
}
