//! Calls with a connection's credential: the profile, the look-ups, and what passthrough adds to a request.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use url::Url;

use super::{
    connector::{self, Connector, Lookup, Pairs, Placement, Profile},
    template::{self, TemplateError, Values},
    token::{USER_AGENT, answer, method_of, sensitive, set_headers, signalled, uri},
};
use crate::{error::ProviderError, store::connections::Account};

/// Puts the credential into a request, and the headers and parameters that every call needs where the caller gave none. A
/// credential that signs what is sent is no part of it: [`sign`] follows when the request is whole.
pub fn authorize(
    connector: &Connector,
    values: &Values,
    url: &mut Url,
    headers: &mut http::HeaderMap,
) -> Result<(), TemplateError> {
    let api = &connector.api;
    place(&api.credential, values, url, headers)?;
    for (name, value) in template::pairs(&api.headers, values)? {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| TemplateError::Broken(format!("the header {name} has no valid name")))?;
        if !headers.contains_key(&name) {
            headers.insert(name, checked(&value)?);
        }
    }
    for (name, value) in template::pairs(&api.query, values)? {
        if url.query_pairs().all(|(given, _)| given != name) {
            url.query_pairs_mut().append_pair(name, &value);
        }
    }
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    Ok(())
}

/// Puts a credential where its placement says. One that signs is left for [`sign`].
pub(super) fn place(
    placement: &Placement,
    values: &Values,
    url: &mut Url,
    headers: &mut http::HeaderMap,
) -> Result<(), TemplateError> {
    match placement {
        Placement::Header { name, value } => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| TemplateError::Broken("the credential's header has no valid name".to_owned()))?;
            headers.insert(name, checked(&template::text(value, values)?)?);
        }
        Placement::Query { name, value } => {
            let secret = template::text(value, values)?;
            set_parameter(url, name, &secret);
        }
        Placement::Basic { username, password } => {
            let (username, password) = (template::text(username, values)?, template::text(password, values)?);
            // RFC 7617 §2: the user-id is sent as it is; only OAuth clients form-encode theirs
            let halves = STANDARD.encode(format!("{username}:{password}"));
            headers.insert(header::AUTHORIZATION, sensitive(&format!("Basic {halves}")));
        }
        Placement::Path | Placement::Oauth1 | Placement::AwsSigv4 { .. } | Placement::SignedParameters { .. } => {}
    }
    Ok(())
}

/// Sets a parameter in place of any that is there.
fn set_parameter(url: &mut Url, name: &str, value: &str) {
    let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(n, _)| n != name).collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair(name, value);
}

/// A secret that came from a person may hold what no header can.
fn checked(text: &str) -> Result<HeaderValue, TemplateError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| TemplateError::Broken("the credential holds characters that a header can't carry".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The request that asks whose account it is.
pub fn profile_request(
    connector: &Connector,
    profile: &Profile,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    let Profile { method, url, headers, body, .. } = profile;
    call(connector, Call { method: *method, url, headers, body: body.as_deref() }, values)
}

/// The request of a look-up.
pub fn lookup_request(
    connector: &Connector,
    lookup: &Lookup,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    let Lookup { method, url, headers, body, .. } = lookup;
    call(connector, Call { method: *method, url, headers, body: body.as_deref() }, values)
}

/// A call that a connector's data describes.
struct Call<'a> {
    method: connector::Method,
    url: &'a str,
    headers: &'a Pairs,
    body: Option<&'a str>,
}

fn call(connector: &Connector, call: Call<'_>, values: &Values) -> Result<http::Request<Bytes>, TemplateError> {
    let mut url = template::url(call.url, values)?;
    let mut request = http::Request::new(Bytes::new());
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    set_headers(request.headers_mut(), &connector.api.headers, values)?;
    set_headers(request.headers_mut(), call.headers, values)?;
    if let Some(body) = call.body {
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Bytes::copy_from_slice(body.as_bytes());
    }
    authorize(connector, values, &mut url, request.headers_mut())?;
    *request.method_mut() = method_of(call.method);
    *request.uri_mut() = uri(&url)?;
    Ok(request)
}

/// Whose account it is. A refusal means that the credential does not work.
pub fn read_profile(
    profile: &Profile,
    response: &http::Response<Bytes>,
    values: &Values,
) -> Result<Account, ProviderError> {
    let answer = answer(response)?;
    if let Some(error) = signalled(profile.error_signal.as_ref(), &answer) {
        return Err(ProviderError::Refused(error));
    }
    let field = |expression: &Option<super::connector::Text>| {
        let found = expression.as_ref().and_then(|expression| template::find(expression, &answer, values));
        found.filter(|text| crate::label::is_label(text))
    };
    // ids that are unique within a workspace only tell an account together with the workspace
    let id = match (field(&profile.tenant), field(&profile.account_id)) {
        (Some(tenant), Some(id)) => Some(format!("{tenant}/{id}")),
        (None, id) if profile.tenant.is_none() => id,
        _ => None,
    };
    Ok(Account { id, label: field(&profile.label), email: field(&profile.email) })
}

/// One of the things that a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The placeholders that it fills, the look-up's own first.
    pub values: Vec<(String, String)>,
    /// Its name for people.
    pub label: Option<String>,
}

impl Found {
    /// The value of the look-up's own placeholder.
    #[must_use]
    pub fn value(&self) -> &str {
        self.values.first().map_or("", |(_, value)| value)
    }
}

/// The most that a person is asked to choose from. More are not kept.
const MOST_CHOICES: usize = 200;

/// What a look-up found: one thing, or those of a list that the data wants. An element without the value is left out.
pub fn read_lookup(lookup: &Lookup, response: &http::Response<Bytes>) -> Result<Vec<Found>, ProviderError> {
    let answer = answer(response)?;
    let nothing = ProviderError::InvalidResponse("the look-up found nothing");
    let found: Vec<Found> = match lookup.list.as_deref() {
        None => found(lookup, &answer).into_iter().collect(),
        Some(list) => {
            let list = if list == "." { Some(&answer) } else { template::pluck(&answer, list) };
            let wanted = |element: &&Value| {
                lookup.only.iter().all(|(path, value)| template::pluck_text(element, path).as_deref() == Some(value))
            };
            let elements = list.and_then(Value::as_array).into_iter().flatten();
            elements.filter(wanted).filter_map(|element| found(lookup, element)).take(MOST_CHOICES).collect()
        }
    };
    if found.is_empty() { Err(nothing) } else { Ok(found) }
}

fn found(lookup: &Lookup, element: &Value) -> Option<Found> {
    let own = (lookup.name.to_string(), template::pluck_text(element, &lookup.path)?);
    let also =
        lookup.also.iter().filter_map(|(name, path)| Some((name.to_owned(), template::pluck_text(element, path)?)));
    let label = lookup.label.as_ref().and_then(|path| template::pluck_text(element, path));
    Some(Found {
        values: std::iter::once(own).chain(also).collect(),
        label: label.filter(|text| crate::label::is_label(text)),
    })
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads better than a reference to it")]
mod tests {
    use super::*;

    fn connector(credential: serde_json::Value) -> Connector {
        serde_json::from_value(serde_json::json!({
            "id": "acme", "name": "Acme",
            "api": {"base_url": "https://api.acme.example", "credential": credential, "headers": {"X-Version": "1"}}
        }))
        .unwrap()
    }

    fn authorized(credential: serde_json::Value, given: &[(&'static str, &'static str)]) -> (String, http::HeaderMap) {
        let values: Values = [("access_token", "t"), ("user", "u:1"), ("key", "k&")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into_iter()
            .collect();
        let mut url = Url::parse("https://api.acme.example/x?a=1&api_key=mine").unwrap();
        let mut headers: http::HeaderMap =
            given.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect();
        authorize(&connector(credential), &values, &mut url, &mut headers).unwrap();
        (url.to_string(), headers)
    }

    #[test]
    fn the_credential_travels_as_the_data_says() {
        let (_, headers) =
            authorized(serde_json::json!({"in": "header"}), &[("authorization", "Bearer callers"), ("x-version", "2")]);
        assert_eq!(
            (headers["authorization"].to_str().unwrap(), headers["x-version"].to_str().unwrap()),
            ("Bearer t", "2")
        );
        let (_, headers) = authorized(serde_json::json!({"in": "header", "name": "X-Key", "value": "{key}"}), &[]);
        assert_eq!((headers["x-key"].to_str().unwrap(), headers["x-version"].to_str().unwrap()), ("k&", "1"));
        let (url, _) = authorized(serde_json::json!({"in": "query", "name": "api_key", "value": "{key}"}), &[]);
        assert_eq!(url, "https://api.acme.example/x?a=1&api_key=k%26");
        let (_, headers) =
            authorized(serde_json::json!({"in": "basic", "username": "{user}", "password": "{key}"}), &[]);
        assert_eq!(headers["authorization"], format!("Basic {}", STANDARD.encode("u:1:k&")));
    }
}
