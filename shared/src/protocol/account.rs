//! Calls with a connection's credential: the profile, the look-ups, and what passthrough adds to a request.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use url::Url;

use super::{
    connector::{Connector, Lookup, Placement, Profile, ProfileMethod},
    template::{self, TemplateError, Values},
    token::{USER_AGENT, answer, sensitive, set_headers, signalled, uri},
};
use crate::{error::ProviderError, store::connections::Account};

/// Puts the credential into a request, and the headers that every call needs where the caller gave none.
pub fn authorize(
    connector: &Connector,
    values: &Values,
    url: &mut Url,
    headers: &mut http::HeaderMap,
) -> Result<(), TemplateError> {
    let value =
        |name: &str| values.get(name).ok_or_else(|| TemplateError::Broken(format!("the connection has no {name}")));
    match &connector.api.credential {
        Placement::Header { name, prefix, value: placeholder } => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| TemplateError::Broken("the credential's header has no valid name".to_owned()))?;
            headers.insert(name, checked(&format!("{prefix}{}", value(placeholder)?))?);
        }
        Placement::Query { name, value: placeholder } => {
            let secret = value(placeholder)?.to_owned();
            let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(n, _)| n != name).collect();
            url.query_pairs_mut().clear().extend_pairs(kept).append_pair(name, &secret);
        }
        Placement::Basic { username, password } => {
            let password = password.as_ref().map_or(Ok(""), |name| value(name))?;
            // RFC 7617 §2: the user-id is sent as it is; only OAuth clients form-encode theirs
            headers.insert(
                header::AUTHORIZATION,
                sensitive(&format!("Basic {}", STANDARD.encode(format!("{}:{password}", value(username)?)))),
            );
        }
    }
    for (name, template) in connector.api.headers.iter() {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| TemplateError::Broken(format!("the header {name} has no valid name")))?;
        if !headers.contains_key(&name) {
            headers.insert(name, checked(&template::text(template, values)?)?);
        }
    }
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    Ok(())
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
    let method = match profile.method {
        ProfileMethod::Get => Method::GET,
        ProfileMethod::Post => Method::POST,
    };
    call(connector, method, &profile.url, values)
}

/// The request of a look-up.
pub fn lookup_request(
    connector: &Connector,
    lookup: &Lookup,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    call(connector, Method::GET, &lookup.url, values)
}

fn call(
    connector: &Connector,
    method: Method,
    template: &str,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    let mut url = template::url(template, values)?;
    let mut request = http::Request::new(Bytes::new());
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    set_headers(request.headers_mut(), &connector.api.headers, values)?;
    authorize(connector, values, &mut url, request.headers_mut())?;
    *request.method_mut() = method;
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

/// What a look-up found: the value and, where there is one, its name for people.
pub fn read_lookup(
    lookup: &Lookup,
    response: &http::Response<Bytes>,
) -> Result<(String, Option<String>), ProviderError> {
    let answer = answer(response)?;
    let value = template::pluck_text(&answer, &lookup.path)
        .ok_or(ProviderError::InvalidResponse("the look-up found nothing"))?;
    let label = lookup
        .label
        .as_ref()
        .and_then(|path| template::pluck_text(&answer, path))
        .filter(|text| crate::label::is_label(text));
    Ok((value, label))
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
        let (_, headers) =
            authorized(serde_json::json!({"in": "header", "name": "X-Key", "prefix": "", "value": "key"}), &[]);
        assert_eq!((headers["x-key"].to_str().unwrap(), headers["x-version"].to_str().unwrap()), ("k&", "1"));
        let (url, _) = authorized(serde_json::json!({"in": "query", "name": "api_key", "value": "key"}), &[]);
        assert_eq!(url, "https://api.acme.example/x?a=1&api_key=k%26");
        let (_, headers) = authorized(serde_json::json!({"in": "basic", "username": "user", "password": "key"}), &[]);
        assert_eq!(headers["authorization"], format!("Basic {}", STANDARD.encode("u:1:k&")));
    }
}
