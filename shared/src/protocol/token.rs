//! The token request (RFC 6749 §4.1.3, §6) and its response (§5).

use std::{collections::BTreeMap, fmt, time::Duration};

use aws_smithy_types::{DateTime, date_time::Format};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    assertion::{self, Algorithm, Claims, Key, SecretEncoding},
    authorization::ClaimedCode,
    connector::{
        self, BodyFormat, ClientAuthentication, ErrorSignal, Expiry, Grant, JwtAlgorithm, OAuth2, Pairs, Pkce,
        ResponseFormat, TokenSlot,
    },
    template::{self, TemplateError, Values},
};
use crate::{
    clock::{Random, Timestamp},
    error::ProviderError,
    secret::{AccessToken, Assertion, CodeVerifier, RefreshToken},
    secrets::ProviderClient,
};

/// The longest lifetime that is believed: a year. Beyond lies a wrong unit.
pub(super) const LONGEST: Duration = Duration::from_hours(8784);

/// What a provider gave. `Debug` leaves the answer out, since the tokens stand in it.
pub struct Tokens {
    /// The access token.
    pub access_token: AccessToken,
    /// The refresh token; on a refresh its absence keeps the old one (RFC 6749 §6).
    pub refresh_token: Option<RefreshToken>,
    /// When the access token expires; `None` where it does not, or nobody knows.
    pub expires_at: Option<Timestamp>,
    /// The scopes granted, where the answer says (RFC 6749 §5.1: absent means as asked).
    pub scopes: Option<Vec<String>>,
    /// Further tokens, by the name of their slot.
    pub slots: BTreeMap<String, Slot>,
    /// The whole answer, for the captures.
    pub answer: Value,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("access_token", &self.access_token)
            .field("refresh_token", &self.refresh_token)
            .field("expires_at", &self.expires_at)
            .field("scopes", &self.scopes)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

/// A further token of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Slot {
    /// The access token.
    pub access_token: AccessToken,
    /// Its refresh token.
    pub refresh_token: Option<RefreshToken>,
    /// When the access token expires.
    pub expires_at: Option<Timestamp>,
    /// Its scopes, where the answer says.
    pub scopes: Option<Vec<String>>,
}

/// A request to the token endpoint, or to one of those that stand beside it, in the making.
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    /// How this provider wants it.
    pub oauth2: &'a OAuth2,
    /// Who asks: the operator's client, or the person's own.
    pub client: &'a ProviderClient,
    /// What fills the templates.
    pub values: &'a Values,
    /// When a JWT is made.
    pub now: Timestamp,
    /// What a JWT takes its id and signature from.
    pub random: &'a Random,
}

/// Where and how a request is sent.
#[derive(Clone, Copy)]
struct Route<'a> {
    endpoint: &'a str,
    method: connector::Method,
    body: BodyFormat,
    authentication: ClientAuthentication,
}

impl<'a> TokenRequest<'a> {
    /// Redeems a code (RFC 6749 §4.1.3).
    pub fn code(
        &self,
        code: &ClaimedCode,
        verifier: &CodeVerifier,
        redirect_uri: &str,
    ) -> Result<http::Request<Bytes>, TemplateError> {
        let oauth2 = self.oauth2;
        let suffix = oauth2.code_suffix.as_deref().unwrap_or_default();
        let code = code.expose().strip_suffix(suffix).unwrap_or(code.expose());
        let redirect_uri = match &oauth2.redirect_uri {
            Some(name) => template::text(name, self.values)?,
            None => redirect_uri.to_owned(),
        };
        let mut params =
            vec![self.grant_type("authorization_code"), ("code", code.to_owned()), ("redirect_uri", redirect_uri)];
        if oauth2.pkce != Pkce::None {
            params.push(("code_verifier", verifier.expose().to_owned()));
        }
        self.request(self.token_route(), params, &oauth2.token_params)
    }

    /// Asks for a token as this grant is first asked for one, where that needs nobody; `None` where a person has to consent.
    #[must_use]
    pub fn unattended(&self, scopes: &[String]) -> Option<Result<http::Request<Bytes>, TemplateError>> {
        match self.oauth2.grant {
            Grant::ClientCredentials => Some(self.client_credentials(scopes)),
            Grant::JwtBearer => Some(self.jwt_bearer(scopes)),
            Grant::AuthorizationCode | Grant::DeviceCode => None,
        }
    }

    /// Asks for a token as the client itself (RFC 6749 §4.4.2).
    pub fn client_credentials(&self, scopes: &[String]) -> Result<http::Request<Bytes>, TemplateError> {
        let mut params = vec![self.grant_type("client_credentials")];
        params.extend(self.scope(scopes));
        self.request(self.token_route(), params, &self.oauth2.token_params)
    }

    /// Asks for a token with an assertion (RFC 7523 §2.1).
    pub fn jwt_bearer(&self, scopes: &[String]) -> Result<http::Request<Bytes>, TemplateError> {
        let assertion = self.oauth2.assertion.as_ref();
        let assertion = assertion.ok_or_else(|| TemplateError::Broken("no assertion is described".to_owned()))?;
        let jwt = self.sign(assertion)?;
        let mut params = vec![
            self.grant_type("urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", jwt.expose().to_owned()),
        ];
        params.extend(self.scope(scopes).filter(|_| assertion.claims.value("scope").is_none()));
        self.request(self.token_route(), params, &self.oauth2.token_params)
    }

    /// Asks whether the person has allowed the device (RFC 8628 §3.4).
    pub fn device_code(&self, device_code: &str) -> Result<http::Request<Bytes>, TemplateError> {
        let grant_type = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned());
        let params = vec![grant_type, ("device_code", device_code.to_owned())];
        self.request(self.token_route(), params, &self.oauth2.token_params)
    }

    /// Redeems a refresh token (RFC 6749 §6).
    pub fn refresh(&self, refresh_token: &RefreshToken) -> Result<http::Request<Bytes>, TemplateError> {
        let own = self.oauth2.refresh_params.value("grant_type").is_some();
        let mut params = vec![("refresh_token", refresh_token.expose().to_owned())];
        if !own {
            params.insert(0, ("grant_type", "refresh_token".to_owned()));
        }
        self.request(self.refresh_route(), params, &self.oauth2.refresh_params)
    }

    /// Renews an access token by itself: as the refresh parameters say, else by the exchange once more. `values` has it.
    pub fn renew(&self) -> Result<http::Request<Bytes>, TemplateError> {
        if self.oauth2.refresh_params.0.is_empty() {
            return self.exchange();
        }
        self.request(self.refresh_route(), Vec::new(), &self.oauth2.refresh_params)
    }

    /// Changes an access token, which `values` has, into one that lives longer.
    pub fn exchange(&self) -> Result<http::Request<Bytes>, TemplateError> {
        let exchange = self.oauth2.exchange.as_ref();
        let exchange = exchange.ok_or_else(|| TemplateError::Broken("no exchange is described".to_owned()))?;
        let route = Route {
            endpoint: &exchange.endpoint,
            method: exchange.method,
            body: exchange.body,
            authentication: exchange.authentication,
        };
        self.request(route, Vec::new(), &exchange.params)
    }

    /// A further request of the client's to an endpoint of this authorization server, authenticated as at the token endpoint: a
    /// device authorization (RFC 8628 §3.1), a pushed authorization request (RFC 9126 §2.1).
    pub fn beside(
        &self,
        endpoint: &str,
        params: Vec<(&'a str, String)>,
    ) -> Result<http::Request<Bytes>, TemplateError> {
        let authentication = self.oauth2.token_endpoint_auth_method;
        // what proves the client names it, and what every request to this server carries is added below
        let again = |name: &str| match name {
            "client_id" => authentication != ClientAuthentication::ClientSecretBasic,
            name => name == "resource" && self.oauth2.resource.is_some(),
        };
        let params = params.into_iter().filter(|(name, _)| !again(name)).collect();
        let route = Route { endpoint, method: connector::Method::Post, body: BodyFormat::Form, authentication };
        self.request(route, params, &Pairs::default())
    }

    fn grant_type(&self, standard: &str) -> (&'a str, String) {
        ("grant_type", self.oauth2.grant_type.as_deref().unwrap_or(standard).to_owned())
    }

    fn scope(&self, scopes: &[String]) -> impl Iterator<Item = (&'a str, String)> {
        let OAuth2 { scope_parameter, scope_separator, .. } = self.oauth2;
        let asked = !scope_parameter.is_empty() && !scopes.is_empty();
        asked.then(|| (scope_parameter.as_ref(), scopes.join(scope_separator))).into_iter()
    }

    fn token_route(&self) -> Route<'a> {
        let OAuth2 { token_endpoint, token_request_method, token_request_body, token_endpoint_auth_method, .. } =
            self.oauth2;
        Route {
            endpoint: token_endpoint,
            method: *token_request_method,
            body: *token_request_body,
            authentication: *token_endpoint_auth_method,
        }
    }

    fn refresh_route(&self) -> Route<'a> {
        let OAuth2 { refresh_endpoint, refresh_method, refresh_endpoint_auth_method, .. } = self.oauth2;
        let token = self.token_route();
        Route {
            endpoint: refresh_endpoint.as_deref().unwrap_or(token.endpoint),
            method: refresh_method.unwrap_or(token.method),
            body: token.body,
            authentication: refresh_endpoint_auth_method.unwrap_or(token.authentication),
        }
    }

    fn request(
        &self,
        route: Route<'_>,
        mut params: Vec<(&'a str, String)>,
        extra: &'a Pairs,
    ) -> Result<http::Request<Bytes>, TemplateError> {
        let oauth2 = self.oauth2;
        if let Some(resource) = &oauth2.resource {
            params.push(("resource", template::text(resource, self.values)?));
        }
        params.extend(template::pairs(extra, self.values)?);
        let authorization = self.authenticate(route.authentication, &mut params)?;
        for (name, _) in &mut params {
            *name = oauth2.parameter_names.token_request.value(name).unwrap_or(name);
        }
        let url = template::url(route.endpoint, self.values)?;
        let in_query = route.authentication == ClientAuthentication::ClientSecretQuery;
        let mut request = call(route.method, route.body, url, &params, in_query)?;
        let headers = request.headers_mut();
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        set_headers(headers, &oauth2.token_headers, self.values)?;
        Ok(request)
    }

    /// How the client proves itself: the Basic header, or parameters that are added.
    pub(super) fn authenticate(
        &self,
        method: ClientAuthentication,
        params: &mut Vec<(&'a str, String)>,
    ) -> Result<Option<HeaderValue>, TemplateError> {
        let id = self.client.client_id.clone();
        if id.is_empty() {
            return Ok(None); // RFC 7523 §3.1: the assertion alone may do, without a client
        }
        let secret = self.client.client_secret.as_ref().map(|secret| secret.expose().to_owned());
        match method {
            ClientAuthentication::ClientSecretBasic => return Ok(Some(basic(&id, &secret.unwrap_or_default()))),
            ClientAuthentication::ClientSecretPost | ClientAuthentication::ClientSecretQuery => {
                params.push(("client_id", id));
                params.extend(secret.map(|secret| ("client_secret", secret)));
            }
            ClientAuthentication::PrivateKeyJwt => {
                params.push(("client_id", id));
                params.push(("client_assertion_type", CLIENT_ASSERTION.to_owned()));
                params.push(("client_assertion", self.client_assertion()?));
            }
            ClientAuthentication::SignedClientSecret => {
                params.push(("client_id", id));
                params.push(("client_secret", self.client_assertion()?));
            }
            ClientAuthentication::None => params.push(("client_id", id)),
        }
        Ok(None)
    }

    fn client_assertion(&self) -> Result<String, TemplateError> {
        let assertion = self.oauth2.client_assertion.as_ref();
        let assertion =
            assertion.ok_or_else(|| TemplateError::Broken("no client assertion is described".to_owned()))?;
        self.sign(assertion).map(|signed| signed.expose().to_owned())
    }

    /// The JWT that a connector's data describes, for this client.
    pub fn sign(&self, described: &connector::Assertion) -> Result<Assertion, TemplateError> {
        let mut values = self.values.clone();
        self.client.fill(&mut values);
        sign(described, &values, self.now, self.random)
    }
}

/// RFC 7523 §2.2.
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The JWT that a connector's data describes.
pub fn sign(
    described: &connector::Assertion,
    values: &Values,
    now: Timestamp,
    random: &Random,
) -> Result<Assertion, TemplateError> {
    let key = template::leading(&described.key).and_then(|name| values.get(name));
    let key = key.ok_or_else(|| TemplateError::Missing(described.key.to_string()))?;
    let key = match described.algorithm {
        JwtAlgorithm::Rs256 => Key::parse(Algorithm::Rs256, key, random)?,
        JwtAlgorithm::Es256 => Key::parse(Algorithm::Es256, key, random)?,
        JwtAlgorithm::Hs256 => Key::shared(key, SecretEncoding::Text)?,
    };
    let key_id = described.key_id.as_ref().map(|id| template::text(id, values)).transpose()?;
    let claims = template::pairs(&described.claims, values)?;
    let claims = claims.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let jti = URL_SAFE_NO_PAD.encode(random.bytes::<16>());
    let claims = Claims {
        members: &claims,
        issued_at: now,
        expires_at: now.after(Duration::from_secs(described.expires_in)),
        jti: Some(&jti),
    };
    let header = key_id.map(|id| ("kid".to_owned(), Value::from(id))).into_iter().collect();
    Ok(assertion::sign(&key, &header, &claims, random)?)
}

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

/// What providers see of us; several refuse a request without one.
pub const USER_AGENT: &str = concat!("mooring/", env!("CARGO_PKG_VERSION"));

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

/// Reads a token response. A refusal is told apart from a failure: the first is the provider's word, the second is not.
pub fn read(oauth2: &OAuth2, response: &http::Response<Bytes>, now: Timestamp) -> Result<Tokens, ProviderError> {
    let answer = rooted(oauth2, response)?;
    let paths = &oauth2.token_response;
    let text = |path: &str| template::pluck_text(&answer, path).filter(|text| !text.is_empty());
    // GitHub and others answer 200 with an `error` member; none sends one along with a token
    let Some(access_token) = text(&paths.access_token) else {
        return Err(text("error")
            .map_or(ProviderError::InvalidResponse("no access token"), |error| ProviderError::Refused(code(&error))));
    };
    let refresh_token = text(&paths.refresh_token);
    let slots = slots(oauth2, &answer, now);
    let further = slots.values().flat_map(|slot| {
        std::iter::once(slot.access_token.expose()).chain(slot.refresh_token.as_ref().map(RefreshToken::expose))
    });
    let all = std::iter::once(access_token.as_str()).chain(refresh_token.as_deref()).chain(further);
    if all.into_iter().any(|token| !is_token(token)) {
        return Err(ProviderError::InvalidResponse(NO_TOKEN));
    }
    let expires_at = ends(&answer, &paths.expires_in, paths.expiry, now)
        .or(oauth2.default_expires_in.map(|seconds| now.after(Duration::from_secs(seconds).min(LONGEST))));
    Ok(Tokens {
        access_token: AccessToken::from(access_token),
        refresh_token: refresh_token.map(RefreshToken::from),
        expires_at,
        scopes: scopes(oauth2, &paths.scope, &answer),
        slots,
        answer,
    })
}

/// Reads the answer that renewed a further token: where the slot stood in the first answer, or as any token response.
pub fn read_slot(
    oauth2: &OAuth2,
    slot: &str,
    response: &http::Response<Bytes>,
    now: Timestamp,
) -> Result<Slot, ProviderError> {
    let answer = rooted(oauth2, response)?;
    if let Some(found) = slots(oauth2, &answer, now).remove(slot) {
        let tokens = [Some(found.access_token.expose()), found.refresh_token.as_ref().map(RefreshToken::expose)];
        let whole = tokens.into_iter().flatten().all(is_token);
        return if whole { Ok(found) } else { Err(ProviderError::InvalidResponse(NO_TOKEN)) };
    }
    let Tokens { access_token, refresh_token, expires_at, scopes, .. } = read(oauth2, response, now)?;
    Ok(Slot { access_token, refresh_token, expires_at, scopes })
}

const NO_TOKEN: &str = "a token is longer than 16 KiB or holds other than printable ASCII";

/// The answer, or the place in it where the data says that its members stand. A refusal that came with status 200 is told.
fn rooted(oauth2: &OAuth2, response: &http::Response<Bytes>) -> Result<Value, ProviderError> {
    let answer = formatted(oauth2.token_response.format, response)?;
    if let Some(error) = signalled(oauth2.error_signal.as_ref(), &answer) {
        return Err(ProviderError::Refused(error));
    }
    let root = oauth2.token_response.root.as_ref().and_then(|path| template::pluck(&answer, path)).cloned();
    Ok(root.unwrap_or(answer))
}

/// The further tokens that an answer carries; a slot without a token is none.
fn slots(oauth2: &OAuth2, answer: &Value, now: Timestamp) -> BTreeMap<String, Slot> {
    let text = |path: &str| template::pluck_text(answer, path).filter(|text| !text.is_empty());
    let slot = |slot: &TokenSlot| {
        let found = Slot {
            access_token: AccessToken::from(text(&slot.access_token)?),
            refresh_token: slot.refresh_token.as_deref().and_then(text).map(RefreshToken::from),
            expires_at: slot.expires_in.as_deref().and_then(|path| ends(answer, path, Expiry::Seconds, now)),
            scopes: slot.scope.as_deref().and_then(|path| scopes(oauth2, path, answer)),
        };
        Some((slot.name.to_string(), found))
    };
    oauth2.token_slots.iter().filter_map(slot).collect()
}

/// An answer in the form that the data names. One that is refused is JSON everywhere, or has no form to speak of.
fn formatted(format: ResponseFormat, response: &http::Response<Bytes>) -> Result<Value, ProviderError> {
    let pairs = match format {
        ResponseFormat::Form if response.status().is_success() => url::form_urlencoded::parse(response.body()),
        ResponseFormat::Form | ResponseFormat::Json => return answer(response),
    };
    let members = pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())));
    Ok(Value::Object(members.collect()))
}

/// Printable ASCII (RFC 6749 Appendix A.12 and A.17), and not more than can be kept and sent in a header.
pub(super) fn is_token(text: &str) -> bool {
    text.len() <= 16 * 1024 && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// When what an answer tells of ends. Nothing is an end that never comes, and zero is one that has.
pub(super) fn ends(answer: &Value, path: &str, expiry: Expiry, now: Timestamp) -> Option<Timestamp> {
    let said = template::pluck_text(answer, path)?;
    let number = || said.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let since_the_epoch = |length: Duration| Timestamp::default().after(length);
    let ends = match expiry {
        Expiry::Seconds => now.after(Duration::from_secs_f64_saturating(number()?).min(LONGEST)),
        Expiry::Milliseconds => now.after(Duration::from_secs_f64_saturating(number()? / 1000.0).min(LONGEST)),
        Expiry::UnixSeconds => since_the_epoch(Duration::try_from_secs_f64(number()?).ok()?),
        Expiry::UnixMilliseconds => since_the_epoch(Duration::try_from_secs_f64(number()? / 1000.0).ok()?),
        Expiry::Rfc3339 => {
            let at = DateTime::from_str(&said, Format::DateTimeWithOffset).ok()?;
            since_the_epoch(Duration::from_secs(u64::try_from(at.secs()).ok()?))
        }
    };
    Some(ends.min(now.after(LONGEST)))
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
fn scopes(oauth2: &OAuth2, path: &str, answer: &Value) -> Option<Vec<String>> {
    let separator = oauth2.response_scope_separator.as_deref().unwrap_or(&oauth2.scope_separator);
    let parts: Vec<&str> = match template::pluck(answer, path)? {
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
    let refused = signal.equals.as_ref().is_none_or(|refusal| *refusal == found)
        && signal.not_equals.as_ref().is_none_or(|success| *success != found);
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
    use crate::secret::ClientSecret;

    fn oauth2(json: serde_json::Value) -> OAuth2 {
        let mut all = serde_json::json!({"authorization_endpoint": "https://auth.acme.example/authorize", "token_endpoint": "https://auth.acme.example/token"});
        all.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn client() -> ProviderClient {
        ProviderClient {
            client_id: "id:1".to_owned(),
            client_secret: Some(ClientSecret::from("s-1 &".to_owned())),
            ..ProviderClient::default()
        }
    }

    fn refresh(data: serde_json::Value) -> http::Request<Bytes> {
        let asking = TokenRequest {
            oauth2: &oauth2(data),
            client: &client(),
            values: &Values::default(),
            now: Timestamp::from_secs(1),
            random: &Random::system(),
        };
        asking.refresh(&RefreshToken::from("r".to_owned())).unwrap()
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
    fn a_refresh_goes_its_own_way_where_the_data_says_so() {
        let renamed = serde_json::json!({ "token_request": { "refresh_token": "renewal" } });
        let table = [
            (
                serde_json::json!({ "refresh_method": "GET" }),
                "GET https://auth.acme.example/token?grant_type=refresh_token&refresh_token=r Basic ",
            ),
            (
                serde_json::json!({ "refresh_endpoint": "https://auth.acme.example/renew", "refresh_endpoint_auth_method": "none" }),
                "POST https://auth.acme.example/renew grant_type=refresh_token&refresh_token=r&client_id=id%3A1",
            ),
            (
                serde_json::json!({ "refresh_endpoint_auth_method": "client_secret_query" }),
                "POST https://auth.acme.example/token?grant_type=refresh_token&refresh_token=r&client_id=id%3A1&client_secret=s-1+%26 ",
            ),
            (
                serde_json::json!({ "refresh_params": { "grant_type": "renew" }, "parameter_names": renamed, "refresh_endpoint_auth_method": "none" }),
                "POST https://auth.acme.example/token renewal=r&grant_type=renew&client_id=id%3A1",
            ),
        ];
        for (data, expected) in table {
            let request = refresh(data.clone());
            let body = std::str::from_utf8(request.body()).unwrap();
            let basic = if request.headers().contains_key("authorization") { "Basic " } else { "" };
            assert_eq!(format!("{} {} {basic}{body}", request.method(), request.uri()), expected, "{data}");
        }
    }

    #[test]
    fn a_further_token_is_read_where_it_stood_or_as_any() {
        let data = oauth2(
            serde_json::json!({ "token_slots": [{ "name": "user", "access_token": "user.token", "expires_in": "user.ttl" }] }),
        );
        let table = [
            (serde_json::json!({ "user": { "token": "u", "ttl": 9 }, "access_token": "b" }), "u 10"),
            (serde_json::json!({ "access_token": "u", "expires_in": 5 }), "u 6"),
            (serde_json::json!({ "error": "invalid_grant" }), "the provider refused with invalid_grant"),
        ];
        for (body, expected) in table {
            let response = http::Response::new(Bytes::from(body.to_string()));
            let said = match read_slot(&data, "user", &response, Timestamp::from_secs(1)) {
                Ok(slot) => format!("{} {}", slot.access_token.expose(), slot.expires_at.unwrap().secs()),
                Err(error) => error.to_string(),
            };
            assert_eq!(said, expected, "{body}");
        }
    }

    #[test]
    fn an_assertion_alone_goes_without_a_client() {
        let data = serde_json::json!({ "grant": "client_credentials", "scopes": [] });
        for method in ["client_secret_basic", "client_secret_post", "none"] {
            let mut data = data.clone();
            data["token_endpoint_auth_method"] = method.into();
            let asking = TokenRequest {
                oauth2: &oauth2(data),
                client: &ProviderClient::default(),
                values: &Values::default(),
                now: Timestamp::from_secs(1),
                random: &Random::system(),
            };
            let request = asking.client_credentials(&["a b".to_owned()]).unwrap();
            assert_eq!(request.body(), "grant_type=client_credentials&scope=a+b", "{method}");
            assert!(!request.headers().contains_key("authorization"), "{method}");
        }
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
    fn an_answer_is_read_where_its_members_stand() {
        let data = oauth2(serde_json::json!({"token_response": {"root": "data.0"}}));
        let table = [
            (r#"{"data":[{"access_token":"a","user_id":1}]}"#, Some("a")),
            (r#"{"access_token":"b","user_id":1}"#, Some("b")),
            (r#"{"data":[]}"#, None),
            (r#"{"data":[{"user_id":1}],"access_token":"c"}"#, None),
        ];
        for (body, token) in table {
            let response = http::Response::builder().status(200).body(Bytes::from(body)).unwrap();
            let read = read(&data, &response, Timestamp::from_secs(1)).ok();
            assert_eq!(read.as_ref().map(|tokens| tokens.access_token.expose()), token, "{body}");
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

    #[test]
    fn debug_shows_no_token() {
        let data = oauth2(serde_json::json!({"token_slots": [{"name": "bot", "access_token": "bot"}]}));
        let body = r#"{"access_token":"canary-a","refresh_token":"canary-r","bot":"canary-b","id_token":"canary-i"}"#;
        let tokens = read(&data, &http::Response::new(Bytes::from_static(body.as_bytes())), Timestamp::default());
        let shown = format!("{:?}", tokens.unwrap());
        assert!(!shown.contains("canary"), "{shown}");
    }
}
