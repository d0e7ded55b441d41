//! The authorization endpoint (RFC 6749 §3.1) with the login and the consent that it leads through.
//!
//! The request waits on the server while the person logs in and decides. Forms carry only its handle, which works
//! in the browser that brought the request, so that no hidden field has to be believed.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use url::Url;

use super::{
    Provider,
    people::{PASSWORD, Person, person},
    scope::Scope,
};
use crate::demo::{
    page::{page, see_other},
    parameters::Parameters,
    secret::{Hash, Secret},
    sessions::{Forged, Visitor},
};

/// How long a person may take to log in and decide.
const PENDING_SECONDS: u64 = 10 * 60;
/// How long a code works (RFC 6749 §4.1.2 recommends ten minutes at most).
const CODE_SECONDS: u64 = 60;
/// How long a code is remembered, so that a second use is noticed.
const CODE_MEMORY_SECONDS: u64 = 60 * 60;

/// An authorization request that is valid in every part.
#[derive(Clone)]
pub struct AuthorizationRequest {
    pub client_id: String,
    pub redirect_uri: String,
    pub scopes: Vec<Scope>,
    pub state: Option<String>,
    pub code_challenge: String,
}

/// A request that waits for its person.
pub struct Pending {
    request: AuthorizationRequest,
    browser: Hash,
    expires_at: u64,
}

/// A code, and what it became.
pub struct Code {
    pub request: AuthorizationRequest,
    pub user: String,
    pub expires_at: u64,
    /// The grant it was redeemed as.
    pub redeemed_as: Option<String>,
}

/// `GET /oauth/authorize`: takes a request in and shows the first form. Until client and redirect URI are known to
/// belong together, nothing is redirected anywhere (RFC 6749 §4.1.2.1).
pub async fn authorize(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Stop> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let client_id = parameters.get("client_id").ok_or(Stop::UnknownClient)?;
    let redirect_uri = parameters.get("redirect_uri").ok_or(Stop::UnknownRedirectUri)?;
    provider.check_redirect_uri(client_id, redirect_uri)?;

    let request = match AuthorizationRequest::new(client_id, redirect_uri, &parameters) {
        Ok(request) => request,
        Err(error) => return Ok(provider.send_back(redirect_uri, parameters.get("state"), &error.parameters())),
    };
    let visitor = provider.sessions.visitor(&headers);
    let handle = provider.park(request.clone(), &visitor);
    let form = provider.next_form(&handle, &request, &visitor, None);
    Ok(provider.sessions.remember(&visitor, form))
}

/// `GET /oauth/continue`: the form that a waiting request needs next.
pub async fn resume(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Stop> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let visitor = provider.sessions.visitor(&headers);
    let (handle, request) = provider.waiting(&parameters, &visitor)?;
    Ok(provider.next_form(&handle, &request, &visitor, None))
}

/// `POST /oauth/login`: logs the person in and goes on to the consent.
pub async fn log_in(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    form: Parameters,
) -> Result<Response, Stop> {
    let visitor = provider.sessions.submitted(&headers, form.get("csrf"))?;
    let (handle, request) = provider.waiting(&form, &visitor)?;
    let password = form.get("password").is_some_and(|password| password == PASSWORD);
    let Some(person) = form.get("username").and_then(person).filter(|_| password) else {
        return Ok(provider.next_form(&handle, &request, &visitor, Some("That user name or password is not right.")));
    };

    let visitor = provider.sessions.log_in(&visitor, person.user);
    provider.rebind(&handle, &visitor);
    Ok(provider.sessions.remember(&visitor, go_on(&handle)))
}

/// `POST /oauth/switch`: logs out, so that somebody else can decide about the same request.
pub async fn switch(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    form: Parameters,
) -> Result<Response, Stop> {
    let visitor = provider.sessions.submitted(&headers, form.get("csrf"))?;
    let (handle, _) = provider.waiting(&form, &visitor)?;
    provider.sessions.log_out(&visitor);
    Ok(go_on(&handle))
}

/// `POST /oauth/consent`: takes the decision back to the client. The request is used up by it.
pub async fn consent(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    form: Parameters,
) -> Result<Response, Stop> {
    let visitor = provider.sessions.submitted(&headers, form.get("csrf"))?;
    let (handle, request) = provider.waiting(&form, &visitor)?;
    let Some(user) = visitor.user else { return Ok(go_on(&handle)) };
    let allowed = match form.get("decision") {
        Some("allow") => true,
        Some("deny") => false,
        _ => return Err(Stop::NoDecision),
    };

    // Of two clicks at once, one decides.
    provider.pending().remove(&handle.hash()).ok_or(Stop::NothingWaiting)?;
    let (redirect_uri, state) = (request.redirect_uri.clone(), request.state.clone());
    let outcome = if allowed {
        vec![("code", provider.issue_code(request, user).expose().to_owned())]
    } else {
        RequestError::ACCESS_DENIED.parameters()
    };
    Ok(provider.send_back(&redirect_uri, state.as_deref(), &outcome))
}

impl Provider {
    fn check_redirect_uri(&self, client_id: &str, redirect_uri: &str) -> Result<(), Stop> {
        let allows = self.records.read(|kept| kept.clients.get(client_id).map(|client| client.allows(redirect_uri)));
        match allows {
            Some(true) => Ok(()),
            Some(false) => Err(Stop::UnknownRedirectUri),
            None => Err(Stop::UnknownClient),
        }
    }

    /// Keeps a request for the browser that brought it.
    fn park(&self, request: AuthorizationRequest, visitor: &Visitor) -> Secret {
        let (handle, now) = (Secret::random(&self.random), self.now());
        let mut pending = self.pending();
        pending.retain(|_, waiting| now < waiting.expires_at);
        let waiting = Pending { request, browser: visitor.binding(), expires_at: now + PENDING_SECONDS };
        pending.insert(handle.hash(), waiting);
        handle
    }

    /// The request that a form or link means, if this browser brought it.
    fn waiting(&self, parameters: &Parameters, visitor: &Visitor) -> Result<(Secret, AuthorizationRequest), Stop> {
        let handle = Secret::new(parameters.get("request").ok_or(Stop::NothingWaiting)?);
        let now = self.now();
        let pending = self.pending();
        let waiting = pending
            .get(&handle.hash())
            .filter(|waiting| waiting.browser == visitor.binding() && now < waiting.expires_at)
            .ok_or(Stop::NothingWaiting)?;
        Ok((handle, waiting.request.clone()))
    }

    /// A login renews the session; the request moves along.
    fn rebind(&self, handle: &Secret, visitor: &Visitor) {
        if let Some(waiting) = self.pending().get_mut(&handle.hash()) {
            waiting.browser = visitor.binding();
        }
    }

    fn issue_code(&self, request: AuthorizationRequest, user: String) -> Secret {
        let (code, now) = (Secret::random(&self.random), self.now());
        let mut codes = self.codes();
        codes.retain(|_, code| now < code.expires_at + CODE_MEMORY_SECONDS);
        codes.insert(code.hash(), Code { request, user, expires_at: now + CODE_SECONDS, redeemed_as: None });
        code
    }

    /// The login for a stranger, the consent for somebody known. Consent is asked every time: an earlier one was
    /// for another attempt (RFC 6749 §10.2).
    fn next_form(
        &self,
        handle: &Secret,
        request: &AuthorizationRequest,
        visitor: &Visitor,
        complaint: Option<&str>,
    ) -> Response {
        let client = self.records.read(|kept| kept.clients.get(&request.client_id).map(|client| client.name.clone()));
        let client = client.unwrap_or_default();
        let (csrf, request_handle) = (visitor.csrf.as_str(), handle.expose());
        let Some(person) = visitor.user.as_deref().and_then(person) else {
            let status = if complaint.is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK };
            return page(status, &LoginPage { csrf, request_handle, client, complaint, password: PASSWORD });
        };
        let destination = destination(&request.redirect_uri);
        let scopes = &request.scopes;
        page(StatusCode::OK, &ConsentPage { csrf, request_handle, client, person, scopes, destination })
    }

    /// Answers the client through the browser, naming the issuer each time (RFC 6749 §4.1.2, RFC 9207 §2).
    fn send_back(&self, redirect_uri: &str, state: Option<&str>, outcome: &[(&str, String)]) -> Response {
        let Ok(mut location) = Url::parse(redirect_uri) else { return Stop::UnknownRedirectUri.into_response() };
        {
            let mut query = location.query_pairs_mut();
            query.extend_pairs(outcome).extend_pairs(state.map(|state| ("state", state)));
            query.append_pair("iss", &self.issuer);
        }
        see_other(location.as_str())
    }
}

impl AuthorizationRequest {
    /// Reads all that the client may have got wrong and is told by redirect.
    fn new(client_id: &str, redirect_uri: &str, parameters: &Parameters) -> Result<Self, RequestError> {
        if parameters.repeat() {
            return Err(RequestError::invalid("a parameter was sent more than once"));
        }
        match parameters.get("response_type") {
            Some("code") => {}
            Some(_) => return Err(RequestError::UNSUPPORTED_RESPONSE_TYPE),
            None => return Err(RequestError::invalid("response_type is missing")),
        }
        if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(RequestError::invalid("response_mode must be query"));
        }
        Ok(Self {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            code_challenge: code_challenge(parameters)?,
            scopes: Scope::parse(parameters.get("scope")).ok_or(RequestError::INVALID_SCOPE)?,
            state: parameters.get("state").map(str::to_owned),
        })
    }
}

/// RFC 7636 §4.3 and §4.4.1. Without a method the challenge would be a plain verifier, which is refused.
fn code_challenge(parameters: &Parameters) -> Result<String, RequestError> {
    let challenge = parameters.get("code_challenge").ok_or(RequestError::invalid("code challenge required"))?;
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(RequestError::invalid("transform algorithm not supported"));
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err(RequestError::invalid("the code challenge is not a SHA-256"));
    }
    Ok(challenge.to_owned())
}

/// An error that the client learns by redirect (RFC 6749 §4.1.2.1).
struct RequestError {
    error: &'static str,
    description: &'static str,
}

impl RequestError {
    const ACCESS_DENIED: Self = Self { error: "access_denied", description: "the request was denied" };
    const INVALID_SCOPE: Self = Self { error: "invalid_scope", description: "a scope is unknown" };
    const UNSUPPORTED_RESPONSE_TYPE: Self =
        Self { error: "unsupported_response_type", description: "response_type must be code" };

    const fn invalid(description: &'static str) -> Self {
        Self { error: "invalid_request", description }
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        vec![("error", self.error.to_owned()), ("error_description", self.description.to_owned())]
    }
}

fn go_on(handle: &Secret) -> Response {
    see_other(&format!("/oauth/continue?request={}", handle.expose()))
}

/// The host that the person will be sent to, as the consent page names it.
fn destination(redirect_uri: &str) -> String {
    Url::parse(redirect_uri).ok().and_then(|uri| uri.host_str().map(str::to_owned)).unwrap_or_default()
}

/// A request that ends at a page here, because no client can be told.
#[derive(Debug)]
pub enum Stop {
    /// The form is not one that this browser was shown.
    Forged,
    /// Neither allow nor deny.
    NoDecision,
    /// The request has expired, was decided already, or belongs to another browser.
    NothingWaiting,
    /// The client is not registered.
    UnknownClient,
    /// The redirect URI is absent or not one of the client's.
    UnknownRedirectUri,
}

impl Stop {
    fn words(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "This form did not come from here",
                "It was not shown to this browser, or the browser did not keep our cookie. Start again from the app.",
            ),
            Self::NoDecision => (
                StatusCode::BAD_REQUEST,
                "Please decide",
                "Nothing was allowed and nothing was denied. Go back and choose one.",
            ),
            Self::NothingWaiting => (
                StatusCode::BAD_REQUEST,
                "This request is over",
                "It was decided already, has expired, or was started in another browser. Start again from the app.",
            ),
            Self::UnknownClient => (
                StatusCode::BAD_REQUEST,
                "Acme does not know this app",
                "The client_id is not registered here. You were not sent back, since nobody knows where to.",
            ),
            Self::UnknownRedirectUri => (
                StatusCode::BAD_REQUEST,
                "This link leads to the wrong place",
                "The redirect_uri is not one that the app has registered, so you were not sent there.",
            ),
        }
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        let (status, title, message) = self.words();
        page(status, &StopPage { title, message })
    }
}

impl From<Forged> for Stop {
    fn from(_: Forged) -> Self {
        Self::Forged
    }
}

#[derive(Template)]
#[template(path = "acme_login.html")]
struct LoginPage<'a> {
    csrf: &'a str,
    request_handle: &'a str,
    client: String,
    complaint: Option<&'a str>,
    password: &'a str,
}

#[derive(Template)]
#[template(path = "acme_consent.html")]
struct ConsentPage<'a> {
    csrf: &'a str,
    request_handle: &'a str,
    client: String,
    person: &'a Person,
    scopes: &'a [Scope],
    destination: String,
}

#[derive(Template)]
#[template(path = "acme_stop.html")]
struct StopPage<'a> {
    title: &'a str,
    message: &'a str,
}
