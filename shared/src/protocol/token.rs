//! The token request (RFC 6749 §4.1.3, §6) and its response (§5).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;

use super::{
    authorization::ClaimedCode,
    connector::{BodyFormat, ClientAuthentication, ErrorSignal, OAuth2, Pairs, Pkce},
    template::{self, TemplateError, Values},
};
use crate::{
    clock::Timestamp,
    error::ProviderError,
    secret::{AccessToken, ClientSecret, CodeVerifier, RefreshToken},
    secrets::ProviderClient,
};

/// The longest lifetime that is believed: a year. Beyond lies a wrong unit.
const LONGEST: Duration = Duration::from_hours(8784);

/// What a provider gave.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access_token: AccessToken,
    /// The refresh token; on a refresh its absence keeps the old one (RFC 6749 §6).
    pub refresh_token: Option<RefreshToken>,
    /// When the access token expires; `None` where it does not, or nobody knows.
    pub expires_at: Option<Timestamp>,
    /// The scopes granted, where the answer says (RFC 6749 §5.1: absent means as asked).
    pub scopes: Option<Vec<String>>,
    /// The whole answer, for the captures.
    pub answer: Value,
}

/// The request that redeems a code.
pub fn code_request(
    oauth2: &OAuth2,
    client: &ProviderClient,
    code: &ClaimedCode,
    verifier: &CodeVerifier,
    redirect_uri: &str,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    let mut params = vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.expose().to_owned()),
        ("redirect_uri", redirect_uri.to_owned()),
    ];
    if oauth2.pkce != Pkce::None {
        params.push(("code_verifier", verifier.expose().to_owned()));
    }
    request(oauth2, &oauth2.token_endpoint, client, params, &oauth2.token_params, values)
}

/// The request that redeems a refresh token.
pub fn refresh_request(
    oauth2: &OAuth2,
    client: &ProviderClient,
    refresh_token: &RefreshToken,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    let params = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh_token.expose().to_owned())];
    let endpoint = oauth2.refresh_endpoint.as_ref().unwrap_or(&oauth2.token_endpoint);
    request(oauth2, endpoint, client, params, &oauth2.refresh_params, values)
}

fn request<'a>(
    oauth2: &'a OAuth2,
    endpoint: &str,
    client: &ProviderClient,
    mut params: Vec<(&'a str, String)>,
    extra: &'a Pairs,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    for (name, value) in extra.iter() {
        params.push((name, template::text(value, values)?));
    }
    let basic = authenticate(oauth2.token_endpoint_auth_method, client, &mut params);
    let mut request = http::Request::new(body(oauth2.token_request_body, &params));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri(&template::url(endpoint, values)?)?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(oauth2.token_request_body)));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    if let Some(basic) = basic {
        headers.insert(header::AUTHORIZATION, basic);
    }
    set_headers(headers, &oauth2.token_headers, values)?;
    Ok(request)
}

/// What providers see of us; several refuse a request without one.
pub const USER_AGENT: &str = concat!("mooring/", env!("CARGO_PKG_VERSION"));

/// How the client proves itself: the Basic header, or parameters added to the body.
pub(super) fn authenticate(
    method: ClientAuthentication,
    client: &ProviderClient,
    params: &mut Vec<(&str, String)>,
) -> Option<HeaderValue> {
    let secret = client.client_secret.as_ref().map(ClientSecret::expose);
    match method {
        ClientAuthentication::ClientSecretBasic => return Some(basic(&client.client_id, secret.unwrap_or_default())),
        ClientAuthentication::ClientSecretPost => {
            params.push(("client_id", client.client_id.clone()));
            params.extend(secret.map(|secret| ("client_secret", secret.to_owned())));
        }
        ClientAuthentication::None => params.push(("client_id", client.client_id.clone())),
    }
    None
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
        BodyFormat::Form => url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish().into(),
        BodyFormat::Json => {
            let object: serde_json::Map<String, Value> =
                params.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
            Value::Object(object).to_string().into()
        }
    }
}

pub(super) fn content_type(format: BodyFormat) -> &'static str {
    match format {
        BodyFormat::Form => "application/x-www-form-urlencoded",
        BodyFormat::Json => "application/json",
    }
}

pub(super) fn uri(url: &url::Url) -> Result<http::Uri, TemplateError> {
    url.as_str().parse().map_err(|_| TemplateError::Broken("the address is not one that can be called".to_owned()))
}

/// Sets fixed headers, in place of any that is there.
pub(super) fn set_headers(headers: &mut http::HeaderMap, fixed: &Pairs, values: &Values) -> Result<(), TemplateError> {
    for (name, value) in fixed.iter() {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| TemplateError::Broken(format!("the header {name} has no valid name")))?;
        headers.insert(header, sensitive(&template::text(value, values)?));
    }
    Ok(())
}

/// Reads a token response. A refusal is told apart from a failure: the first is the provider's word, the second is not.
pub fn read(oauth2: &OAuth2, response: &http::Response<Bytes>, now: Timestamp) -> Result<Tokens, ProviderError> {
    let answer = answer(response)?;
    if let Some(error) = signalled(oauth2.error_signal.as_ref(), &answer) {
        return Err(ProviderError::Refused(error));
    }
    let paths = &oauth2.token_response;
    let text = |path: &str| template::pluck_text(&answer, path).filter(|text| !text.is_empty());
    // GitHub and others answer 200 with an `error` member; none sends one along with a token
    let Some(access_token) = text(&paths.access_token) else {
        return Err(text("error")
            .map_or(ProviderError::InvalidResponse("no access token"), |error| ProviderError::Refused(code(&error))));
    };
    let refresh_token = text(&paths.refresh_token);
    if [Some(&access_token), refresh_token.as_ref()].into_iter().flatten().any(|token| !is_token(token)) {
        return Err(ProviderError::InvalidResponse(
            "a token is longer than 16 KiB or holds other than printable ASCII",
        ));
    }
    Ok(Tokens {
        access_token: AccessToken::from(access_token),
        refresh_token: refresh_token.map(RefreshToken::from),
        expires_at: lifetime(oauth2, &answer).map(|lifetime| now.after(lifetime)),
        scopes: scopes(oauth2, &answer),
        answer,
    })
}

/// Printable ASCII (RFC 6749 Appendix A.12 and A.17), and not more than can be kept and sent in a header.
fn is_token(text: &str) -> bool {
    text.len() <= 16 * 1024 && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Seconds as a number or as digits; nothing is an expiry that never comes, and zero is one that has.
fn lifetime(oauth2: &OAuth2, answer: &Value) -> Option<Duration> {
    let said = template::pluck_text(answer, &oauth2.token_response.expires_in);
    let seconds =
        said.and_then(|text| text.parse::<f64>().ok()).filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let lifetime =
        seconds.map(Duration::from_secs_f64_saturating).or(oauth2.default_expires_in.map(Duration::from_secs));
    lifetime.map(|lifetime| lifetime.min(LONGEST))
}

/// `Duration::from_secs_f64` panics on a number too large; this one does not.
trait Saturating {
    fn from_secs_f64_saturating(seconds: f64) -> Duration;
}

impl Saturating for Duration {
    fn from_secs_f64_saturating(seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST)
    }
}

/// The scopes as one text with separators, or as a list.
fn scopes(oauth2: &OAuth2, answer: &Value) -> Option<Vec<String>> {
    let separator = oauth2.response_scope_separator.as_deref().unwrap_or(&oauth2.scope_separator);
    let parts: Vec<&str> = match template::pluck(answer, &oauth2.token_response.scope)? {
        Value::String(text) => text.split(separator).collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let scopes: Vec<String> =
        parts.into_iter().map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    (!scopes.is_empty()).then_some(scopes)
}

/// The JSON of an answer whose status says that there is one; otherwise why not. An error response (RFC 6749 §5.2) is a
/// refusal whatever its 4xx status; a 5xx is a failure even with an `error` in it.
pub(super) fn answer(response: &http::Response<Bytes>) -> Result<Value, ProviderError> {
    let status = response.status();
    if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
        return Err(ProviderError::Failed(status.as_u16()));
    }
    let json: Option<Value> = serde_json::from_slice(response.body()).ok();
    if status.is_client_error() {
        let error = json
            .as_ref()
            .and_then(|json| template::pluck_text(json, "error"))
            .map_or_else(|| format!("status {}", status.as_u16()), |error| code(&error));
        return Err(ProviderError::Refused(error));
    }
    if !status.is_success() {
        return Err(ProviderError::InvalidResponse("a redirect where none is documented"));
    }
    json.ok_or(ProviderError::InvalidResponse("the answer is not JSON"))
}

/// A refusal that comes with status 200, as the connector's data describes it.
pub(super) fn signalled(signal: Option<&ErrorSignal>, answer: &Value) -> Option<String> {
    let signal = signal?;
    let found = template::pluck_text(answer, &signal.path)?;
    let refused = signal.equals.as_ref().is_none_or(|refusal| *refusal == found);
    refused.then(|| code(&template::pluck_text(answer, &signal.code).unwrap_or_else(|| "refused".to_owned())))
}

/// An error code as it may be logged: short and of harmless characters. A provider could put anything there.
pub(super) fn code(text: &str) -> String {
    let harmless = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    text.chars().filter(harmless).take(64).collect()
}

/// Whether a refusal of a refresh means that the grant is over. Other codes tell of our own client or request, which
/// another try after a mended setting can heal.
#[must_use]
pub fn ends_the_grant(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Refused(code) if matches!(code.as_str(), "invalid_grant" | "invalid_token" | "token_expired" | "token_revoked" | "access_denied" | "bad_refresh_token"))
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads better than a reference to it")]
mod tests {
    use super::*;

    fn oauth2(json: serde_json::Value) -> OAuth2 {
        let mut all = serde_json::json!({"authorization_endpoint": "https://auth.acme.example/authorize", "token_endpoint": "https://auth.acme.example/token"});
        all.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn client() -> ProviderClient {
        ProviderClient { client_id: "id:1".to_owned(), client_secret: Some(ClientSecret::from("s-1 &".to_owned())) }
    }

    fn refresh(data: serde_json::Value) -> http::Request<Bytes> {
        refresh_request(&oauth2(data), &client(), &RefreshToken::from("r".to_owned()), &Values::default()).unwrap()
    }

    #[test]
    fn a_client_proves_itself_as_the_data_says() {
        let basic = refresh(serde_json::json!({}));
        // both halves are form-encoded first, RFC 6749 §2.3.1
        assert_eq!(basic.headers()["authorization"], format!("Basic {}", STANDARD.encode("id%3A1:s-1+%26")));
        assert_eq!(basic.body(), "grant_type=refresh_token&refresh_token=r");
        let post = refresh(serde_json::json!({"token_endpoint_auth_method": "client_secret_post"}));
        assert_eq!(
            (post.headers().get("authorization"), &post.body()[..]),
            (None, &b"grant_type=refresh_token&refresh_token=r&client_id=id%3A1&client_secret=s-1+%26"[..])
        );
        let none = refresh(
            serde_json::json!({"token_endpoint_auth_method": "none", "token_request_body": "json", "refresh_params": {"a": "1"}}),
        );
        let body: Value = serde_json::from_slice(none.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"grant_type": "refresh_token", "refresh_token": "r", "a": "1", "client_id": "id:1"})
        );
        assert!(!format!("{basic:?}").contains("Basic "), "a sensitive header does not print");
    }

    #[test]
    fn a_token_response_is_read_with_its_known_tolerances() {
        let table = [
            (
                "the RFC's",
                200,
                r#"{"access_token":"a","expires_in":60,"refresh_token":"r","scope":"x y"}"#,
                "a r 61000 x,y",
            ),
            ("digits", 200, r#"{"access_token":"a","expires_in":"60"}"#, "a - 61000 -"),
            ("no expiry", 200, r#"{"access_token":"a"}"#, "a - - -"),
            ("an expiry beyond reason", 200, r#"{"access_token":"a","expires_in":1e300}"#, "a - 31622401000 -"),
            ("a negative expiry", 200, r#"{"access_token":"a","expires_in":-1}"#, "a - - -"),
            ("an error with 200", 200, r#"{"error":"bad_verification_code"}"#, "refused bad_verification_code"),
            ("an empty token", 200, r#"{"access_token":""}"#, "invalid no access token"),
            (
                "a token that no header can carry",
                200,
                "{\"access_token\":\"a\\r\\nb\"}",
                "invalid a token is longer than 16 KiB or holds other than printable ASCII",
            ),
            ("an error with 400", 400, r#"{"error":"invalid_grant","error_description":"x"}"#, "refused invalid_grant"),
            ("an error to print", 400, "{\"error\":\"a\\nb<c>\"}", "refused abc"),
            ("401 without JSON", 401, "<html>", "refused status 401"),
            ("a failure", 503, r#"{"error":"invalid_grant"}"#, "failed 503"),
            ("too many", 429, r#"{"error":"invalid_grant"}"#, "failed 429"),
            ("a page", 200, "<html>", "invalid the answer is not JSON"),
            ("a redirect", 302, "", "invalid a redirect where none is documented"),
        ];
        for (case, status, body, expected) in table {
            let response = http::Response::builder().status(status).body(Bytes::from(body)).unwrap();
            let said = match read(&oauth2(serde_json::json!({})), &response, Timestamp::from_millis(1000)) {
                Ok(tokens) => format!(
                    "{} {} {} {}",
                    tokens.access_token.expose(),
                    tokens.refresh_token.as_ref().map_or("-", RefreshToken::expose),
                    tokens.expires_at.map_or("-".to_owned(), |at| at.millis().to_string()),
                    tokens.scopes.map_or("-".to_owned(), |scopes| scopes.join(",")),
                ),
                Err(ProviderError::Refused(code)) => format!("refused {code}"),
                Err(ProviderError::Failed(status)) => format!("failed {status}"),
                Err(ProviderError::InvalidResponse(why)) => format!("invalid {why}"),
                Err(other) => other.to_string(),
            };
            assert_eq!(said, expected, "{case}");
        }
    }

    #[test]
    fn a_refusal_that_comes_with_200_is_one() {
        let data = oauth2(
            serde_json::json!({"error_signal": {"path": "ok", "equals": "false", "code": "error"}, "token_response": {"access_token": "authed_user.access_token"}}),
        );
        let read = |body: &'static str| {
            read(&data, &http::Response::new(Bytes::from_static(body.as_bytes())), Timestamp::default())
        };
        assert!(
            matches!(read(r#"{"ok":false,"error":"code_already_used"}"#), Err(ProviderError::Refused(code)) if code == "code_already_used")
        );
        assert_eq!(read(r#"{"ok":true,"authed_user":{"access_token":"a"}}"#).unwrap().access_token.expose(), "a");
    }
}
