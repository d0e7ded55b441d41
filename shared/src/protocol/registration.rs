//! Registering a client with a server that has none of ours yet (RFC 7591), and what may be done with it afterwards (RFC 7592).
//!
//! Some servers registered clients before there was a standard, by a form and under other names
//! ([`super::connector::Registration`]); their answers have the standard's two names.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use super::{
    answer::{members, seconds},
    connector::{BodyFormat, ClientAuthentication, Registration},
    request::{USER_AGENT, body, content_type, sensitive, uri},
    template::{self, TemplateError, Values},
};
use crate::{
    clock::Timestamp,
    error::ProviderError,
    secret::{ClientSecret, RegistrationToken},
};

/// The longest id and secret that are kept.
const LONGEST: usize = 2048;

/// What a client is (RFC 7591 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMetadata<'a> {
    /// Its name for people, which stands on the page that asks for consent.
    pub client_name: &'a str,
    /// Where answers go.
    pub redirect_uri: &'a str,
    /// How it proves itself.
    pub token_endpoint_auth_method: ClientAuthentication,
    /// What it may ask for.
    pub scopes: &'a [String],
    /// What it asks for tokens with.
    pub grant_types: &'a [&'a str],
}

impl ClientMetadata<'_> {
    /// As a JSON document: the body of a request, or what stands at the address that is the client's id.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = json!({
            "client_name": self.client_name,
            "redirect_uris": [self.redirect_uri],
            "grant_types": self.grant_types,
            "response_types": ["code"],
            "token_endpoint_auth_method": name_of(self.token_endpoint_auth_method),
        });
        if !self.scopes.is_empty() {
            document["scope"] = self.scopes.join(" ").into();
        }
        document
    }
}

/// How a client proves itself, by the name in the registry (RFC 7591 §4.2); what has none there is sent in the body.
#[must_use]
pub fn name_of(method: ClientAuthentication) -> &'static str {
    match method {
        ClientAuthentication::ClientSecretBasic => "client_secret_basic",
        ClientAuthentication::ClientSecretPost
        | ClientAuthentication::ClientSecretQuery
        | ClientAuthentication::SignedClientSecret => "client_secret_post",
        ClientAuthentication::PrivateKeyJwt => "private_key_jwt",
        ClientAuthentication::None => "none",
    }
}

/// The way of this name, if it is one that a client with a password, or with nothing, can go.
#[must_use]
pub fn method_of(name: &str) -> Option<ClientAuthentication> {
    match name {
        "client_secret_basic" => Some(ClientAuthentication::ClientSecretBasic),
        "client_secret_post" => Some(ClientAuthentication::ClientSecretPost),
        "none" => Some(ClientAuthentication::None),
        _ => None,
    }
}

/// Asks for a client (RFC 7591 §3.1), as this connector's data says.
pub fn request(
    registration: &Registration,
    client: &ClientMetadata<'_>,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    let url = template::url(&registration.endpoint, values)?;
    let own = |name: &str| registration.parameter_names.value(name).unwrap_or(name).to_owned();
    let document = client.document();
    let members = document.as_object().into_iter().flatten().map(|(name, value)| (own(name), value.clone()));
    let mut request = match registration.body {
        BodyFormat::Json => {
            let document = Value::Object(members.collect());
            written(BodyFormat::Json, Bytes::from(document.to_string()))
        }
        // lists as texts: a space between, as between scopes
        BodyFormat::Form | BodyFormat::Query => {
            let pairs: Vec<(String, String)> = members.map(|(name, value)| (name, text(&value))).collect();
            let pairs: Vec<(&str, String)> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            written(BodyFormat::Form, body(BodyFormat::Form, &pairs))
        }
    };
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri(&url)?;
    Ok(request)
}

fn written(format: BodyFormat, body: Bytes) -> http::Request<Bytes> {
    let mut request = plain();
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(format)));
    *request.body_mut() = body;
    request
}

fn plain() -> http::Request<Bytes> {
    let mut request = http::Request::new(Bytes::new());
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    request
}

fn text(value: &Value) -> String {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A client, as the server registered it (RFC 7591 §3.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Public.
    pub client_id: String,
    /// Absent for a public client.
    pub client_secret: Option<ClientSecret>,
    /// When the secret ends; absent where it does not.
    pub secret_expires_at: Option<Timestamp>,
    /// How it proves itself, where the server chose another way than was asked for.
    pub token_endpoint_auth_method: Option<String>,
    /// Where its answers may go, where that is told (RFC 7591 §3.2.1: the server may have changed it).
    pub redirect_uris: Option<Vec<String>>,
    /// Where it can be looked after (RFC 7592 §3), and what with.
    pub management: Option<Management>,
}

/// Where a registration can be looked after (RFC 7592 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Management {
    /// Where.
    pub uri: String,
    /// What with.
    pub token: RegistrationToken,
}

/// Reads the answer. Some servers say 200 where the RFC says 201.
pub fn read(response: &http::Response<Bytes>) -> Result<Registered, ProviderError> {
    let members = members(response)?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kept = |text: &&str| text.len() <= LONGEST && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let client_id = text("client_id").filter(kept).ok_or(ProviderError::InvalidResponse("no usable client_id"))?;
    let client_secret = match text("client_secret") {
        Some(secret) if !kept(&secret) => return Err(ProviderError::InvalidResponse("no usable client_secret")),
        secret => secret.map(|secret| ClientSecret::from(secret.to_owned())),
    };
    let ends = members.get("client_secret_expires_at").and_then(seconds).filter(|ends| !ends.is_zero());
    let management = match (text("registration_client_uri"), text("registration_access_token")) {
        (Some(uri), Some(token)) if kept(&uri) && kept(&token) => {
            Some(Management { uri: uri.to_owned(), token: RegistrationToken::from(token.to_owned()) })
        }
        _ => None,
    };
    Ok(Registered {
        client_id: client_id.to_owned(),
        secret_expires_at: ends.filter(|_| client_secret.is_some()).map(since_the_epoch),
        client_secret,
        token_endpoint_auth_method: text("token_endpoint_auth_method").map(str::to_owned),
        redirect_uris: members
            .get("redirect_uris")
            .and_then(Value::as_array)
            .map(|uris| uris.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        management,
    })
}

fn since_the_epoch(length: Duration) -> Timestamp {
    Timestamp::default().after(length)
}

/// Reads the registration (RFC 7592 §2.1), which tells whether the server still knows it.
pub fn read_request(management: &Management) -> Result<http::Request<Bytes>, TemplateError> {
    managed(Method::GET, management)
}

/// Gives the registration up (RFC 7592 §2.3).
pub fn delete_request(management: &Management) -> Result<http::Request<Bytes>, TemplateError> {
    managed(Method::DELETE, management)
}

fn managed(method: Method, management: &Management) -> Result<http::Request<Bytes>, TemplateError> {
    let url = url::Url::parse(&management.uri).map_err(|_| TemplateError::Broken(management.uri.clone()))?;
    let mut request = plain();
    let bearer = format!("Bearer {}", management.token.expose());
    request.headers_mut().insert(header::AUTHORIZATION, sensitive(&bearer));
    *request.method_mut() = method;
    *request.uri_mut() = uri(&url)?;
    Ok(request)
}

/// Whether the answer to either says that the client is gone: the token is not known any more (RFC 7592 §2.1), or the address
/// is not.
#[must_use]
pub fn is_gone(status: http::StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 410)
}

/// Whether an error at the token endpoint means that the client is not known (RFC 6749 §5.2), or no longer by this secret.
#[must_use]
pub fn is_unknown_client(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Refused(code) if code == "invalid_client")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(scopes: &[String]) -> ClientMetadata<'_> {
        ClientMetadata {
            client_name: "Orbit CRM",
            redirect_uri: "https://connect.example/connectors/x-p1/oauth/callback",
            token_endpoint_auth_method: ClientAuthentication::ClientSecretBasic,
            scopes,
            grant_types: &["authorization_code", "refresh_token"],
        }
    }

    #[test]
    fn a_client_is_asked_for_as_json() {
        let registration: Registration =
            serde_json::from_value(json!({ "endpoint": "https://as.example.com/register" })).unwrap();
        let scopes = ["openid".to_owned(), "email".to_owned()];
        let request = request(&registration, &client(&scopes), &Values::default()).unwrap();
        assert_eq!(
            (request.method().as_str(), request.uri().to_string()),
            ("POST", "https://as.example.com/register".to_owned())
        );
        assert_eq!(request.headers()["content-type"], "application/json");
        let sent: Value = serde_json::from_slice(request.body()).unwrap();
        let expected = json!({
            "client_name": "Orbit CRM",
            "redirect_uris": ["https://connect.example/connectors/x-p1/oauth/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic",
            "scope": "openid email",
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_server_from_before_the_standard_gets_a_form_and_its_own_names() {
        let registration = json!({
            "endpoint": "https://{instance}/api/v1/apps", "body": "form", "parameter_names": { "scope": "scopes" },
        });
        let registration: Registration = serde_json::from_value(registration).unwrap();
        let mut values = Values::default();
        values.insert("instance", "mastodon.example");
        let scopes = ["read:accounts".to_owned(), "read:statuses".to_owned()];
        let request = request(&registration, &client(&scopes), &values).unwrap();
        assert_eq!(request.uri().to_string(), "https://mastodon.example/api/v1/apps");
        let mut sent: Vec<(String, String)> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        sent.sort();
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("client_name", "Orbit CRM"),
            ("grant_types", "authorization_code refresh_token"),
            ("redirect_uris", "https://connect.example/connectors/x-p1/oauth/callback"),
            ("response_types", "code"),
            ("scopes", "read:accounts read:statuses"),
            ("token_endpoint_auth_method", "client_secret_basic"),
        ];
        assert_eq!(sent, expected);
    }

    fn said(status: u16, body: &Value) -> String {
        let body = Bytes::from(body.to_string());
        let response = http::Response::builder().status(status).body(body).unwrap();
        match read(&response) {
            Ok(client) => format!(
                "{} secret {} until {} by {} managed {}",
                client.client_id,
                client.client_secret.is_some(),
                client.secret_expires_at.map_or_else(|| "ever".to_owned(), |at| at.secs().to_string()),
                client.token_endpoint_auth_method.as_deref().unwrap_or("what was asked for"),
                client.management.is_some(),
            ),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_answer_is_a_client_or_a_refusal() {
        let table = [
            (
                201,
                json!({"client_id": "s6", "client_secret": "cf", "client_secret_expires_at": 1_577_858_400, "registration_client_uri": "https://as.example.com/register/s6", "registration_access_token": "t", "token_endpoint_auth_method": "client_secret_post"}),
                "s6 secret true until 1577858400 by client_secret_post managed true",
            ),
            (
                201,
                json!({"client_id": "s6", "client_secret": "cf", "client_secret_expires_at": 0}),
                "s6 secret true until ever by what was asked for managed false",
            ),
            (
                200,
                json!({"id": "1", "client_id": "s6", "client_secret": "cf"}),
                "s6 secret true until ever by what was asked for managed false",
            ),
            (
                201,
                json!({"client_id": "s6", "client_secret_expires_at": 5, "registration_client_uri": "https://as.example.com/r"}),
                "s6 secret false until ever by what was asked for managed false",
            ),
            (
                201,
                json!({"client_secret": "cf"}),
                "the provider's answer is not what it documents: no usable client_id",
            ),
            (201, json!({"client_id": 6}), "the provider's answer is not what it documents: no usable client_id"),
            (201, json!({"client_id": "a\nb"}), "the provider's answer is not what it documents: no usable client_id"),
            (
                201,
                json!({"client_id": "a", "client_secret": "x".repeat(5000)}),
                "the provider's answer is not what it documents: no usable client_secret",
            ),
            (201, json!(["s6"]), "the provider's answer is not what it documents: the answer is not a JSON object"),
            (400, json!({"error": "invalid_redirect_uri"}), "the provider refused with invalid_redirect_uri"),
            (400, json!({"error": "invalid_client_metadata"}), "the provider refused with invalid_client_metadata"),
            (403, json!({}), "the provider refused with status 403"),
            (503, json!({}), "the provider failed with status 503"),
        ];
        for (status, body, expected) in table {
            assert_eq!(said(status, &body), expected, "{body}");
        }
    }

    #[test]
    fn a_registration_is_looked_after_with_its_own_token() {
        let management = Management {
            uri: "https://as.example.com/register/s6".to_owned(),
            token: RegistrationToken::from("canary".to_owned()),
        };
        let read = read_request(&management).unwrap();
        assert_eq!((read.method(), read.headers()["authorization"].to_str().unwrap()), (&Method::GET, "Bearer canary"));
        assert_eq!(delete_request(&management).unwrap().method(), Method::DELETE);
        assert!(!format!("{management:?} {read:?}").contains("canary"));
        let gone: Vec<bool> = [200, 204, 401, 403, 404, 405, 500]
            .map(|status| is_gone(http::StatusCode::from_u16(status).unwrap()))
            .to_vec();
        assert_eq!(gone, [false, false, true, true, true, false, false]);
    }
}
