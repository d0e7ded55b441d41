//! The login: a call that changes typed credentials, or a token, into a `{session_token}`.
//!
//! It is no protocol but what a hundred providers had before there was one: some parameters, and a token in the answer.

use std::time::Duration;

use bytes::Bytes;
use http::header;
use serde_json::Value;

use super::{
    account::place,
    answer::{self, signalled},
    connector::Login,
    credentials::Session,
    request::{call, set_headers, uri},
    template::{self, TemplateError, Values},
    token::{LONGEST, ends, is_token, sign},
};
use crate::{
    clock::{Random, Timestamp},
    error::ProviderError,
    secret::SessionToken,
};

/// The request, from all that is known.
pub fn request(
    login: &Login,
    values: &Values,
    now: Timestamp,
    random: &Random,
) -> Result<http::Request<Bytes>, TemplateError> {
    let mut values = values.with_random(random);
    if let Some(assertion) = &login.assertion {
        let assertion = sign(assertion, &values, now, random)?;
        values.insert("assertion", assertion.expose());
    }
    let mut url = template::url(&login.url, &values)?;
    let params = template::pairs(&login.params, &values)?;
    let mut request = call(login.method, login.body, url.clone(), &params, false)?;
    if params.is_empty() {
        *request.body_mut() = Bytes::new();
        request.headers_mut().remove(header::CONTENT_TYPE);
    }
    set_headers(request.headers_mut(), &login.headers, &values)?;
    if let Some(placement) = &login.credential {
        url.set_query(request.uri().query());
        place(placement, &values, &mut url, request.headers_mut())?;
        *request.uri_mut() = uri(&url)?;
    }
    Ok(request)
}

/// What a login gave: the session, and the answer for the captures.
pub fn read(
    login: &Login,
    response: &http::Response<Bytes>,
    now: Timestamp,
) -> Result<(Session, Value), ProviderError> {
    if login.grant_ended_status == Some(response.status().as_u16()) {
        return Err(ProviderError::Ended(response.status().as_u16()));
    }
    let answer = answer::json(response)?;
    if let Some(error) = signalled(login.error_signal.as_ref(), &answer) {
        return Err(ProviderError::Refused(error));
    }
    let token = template::pluck_text(&answer, &login.token).filter(|token| !token.is_empty());
    let token = token.ok_or(ProviderError::InvalidResponse("the login gave no token"))?;
    if !is_token(&token) {
        return Err(ProviderError::InvalidResponse(
            "a token is longer than 16 KiB or holds other than printable ASCII",
        ));
    }
    let said = login.expires_in.as_deref().and_then(|path| ends(&answer, path, login.expiry, now));
    let usual = || login.default_expires_in.map(|seconds| now.after(Duration::from_secs(seconds).min(LONGEST)));
    Ok((Session { token: SessionToken::from(token), expires_at: said.or_else(usual) }, answer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn login(more: &Value) -> Login {
        let mut login = json!({ "url": "https://api.acme.example/{shop}/login", "token": "data.token" });
        login.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(login).unwrap()
    }

    fn values() -> Values {
        let values = [("shop", "s1"), ("user", "ada"), ("password", "p&1"), ("otp", ""), ("access_token", "at")];
        values.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
    }

    #[test]
    fn the_request_is_made_as_the_data_says() {
        let params = json!({ "login": "{user}", "password": "{password}", "otp": "{otp}" });
        let basic = json!({ "in": "basic", "username": "{user}", "password": "{password}" });
        let query = json!({ "in": "query", "name": "key" });
        let table = [
            (json!({ "params": params }), "POST", "", r#"{"login":"ada","password":"p&1"}"#, None),
            (json!({ "params": params, "body": "form" }), "POST", "", "login=ada&password=p%261", None),
            (json!({ "params": { "a": "{user}" }, "method": "GET" }), "GET", "?a=ada", "", None),
            (json!({ "credential": basic }), "POST", "", "", Some("Basic YWRhOnAmMQ==")),
            (json!({ "credential": { "in": "header" } }), "POST", "", "", Some("Bearer at")),
            (json!({ "credential": query, "method": "GET", "params": { "a": "1" } }), "GET", "?a=1&key=at", "", None),
        ];
        for (more, method, query, body, authorization) in table {
            let request = request(&login(&more), &values(), Timestamp::from_secs(1), &Random::system()).unwrap();
            let said = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
            assert_eq!(
                (request.method().as_str(), &request.body()[..], said),
                (method, body.as_bytes(), authorization),
                "{more}"
            );
            assert_eq!(request.uri().to_string(), format!("https://api.acme.example/s1/login{query}"), "{more}");
        }
    }

    #[test]
    fn an_assertion_is_made_for_the_call() {
        let assertion = json!({ "algorithm": "HS256", "key": "{password}", "claims": { "iss": "{user}" } });
        let login = login(&json!({ "assertion": assertion, "params": { "jwt": "{assertion}" } }));
        let request = request(&login, &values(), Timestamp::from_secs(1), &Random::system()).unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body["jwt"].as_str().unwrap().split('.').count(), 3);
    }

    #[test]
    fn the_session_is_read_with_its_end() {
        let table = [
            (json!({}), 200, json!({ "data": { "token": "t" } }), "t -"),
            (json!({ "expires_in": "ttl" }), 200, json!({ "data": { "token": "t" }, "ttl": 60 }), "t 61"),
            (json!({ "expires_in": "ttl", "default_expires_in": 9 }), 200, json!({ "data": { "token": "t" } }), "t 10"),
            (
                json!({}),
                200,
                json!({ "data": { "token": "" } }),
                "the provider's answer is not what it documents: the login gave no token",
            ),
            (
                json!({}),
                200,
                json!({ "data": { "token": "a\nb" } }),
                "the provider's answer is not what it documents: a token is longer than 16 KiB or holds other than printable ASCII",
            ),
            (json!({}), 401, json!({}), "the provider refused with status 401"),
            (
                json!({ "error_signal": { "path": "ok", "equals": "false", "code": "why" } }),
                200,
                json!({ "ok": false, "why": "locked" }),
                "the provider refused with locked",
            ),
            (
                json!({ "grant_ended_status": 404 }),
                404,
                json!({}),
                "the provider says with status 404 that what was connected is no more",
            ),
            (json!({ "grant_ended_status": 404 }), 403, json!({}), "the provider refused with status 403"),
        ];
        for (more, status, body, expected) in table {
            let response = http::Response::builder().status(status).body(Bytes::from(body.to_string())).unwrap();
            let said = match read(&login(&more), &response, Timestamp::from_secs(1)) {
                Ok((session, _)) => {
                    let ends = session.expires_at.map_or("-".to_owned(), |at| at.secs().to_string());
                    format!("{} {ends}", session.token.expose())
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(said, expected, "{more} {body}");
        }
    }
}
