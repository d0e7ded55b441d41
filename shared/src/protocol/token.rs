//! The token request (RFC 6749 §4.1.3, §6) and its response (§5).

mod response;

use std::{collections::BTreeMap, fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::Value;

use super::{
    assertion::{self, Algorithm, Claims, Key, SecretEncoding},
    authorization::ClaimedCode,
    connector::{self, BodyFormat, ClientAuthentication, Grant, JwtAlgorithm, OAuth2, Pairs, Pkce},
    request::{basic, call, sensitive, set_headers},
    template::{self, TemplateError, Values},
};
use crate::{
    clock::{Random, Timestamp},
    secret::{AccessToken, Assertion, CodeVerifier, RefreshToken},
    secrets::ProviderClient,
};

pub(super) use response::{LONGEST, ends, is_token};
pub use response::{ends_the_grant, read, read_slot};

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

    /// Asks for a token as this grant is first asked for one, where that [needs nobody](Grant::needs_nobody).
    pub fn unattended(&self, scopes: &[String]) -> Result<http::Request<Bytes>, TemplateError> {
        match self.oauth2.grant {
            Grant::ClientCredentials => self.client_credentials(scopes),
            Grant::JwtBearer => self.jwt_bearer(scopes),
            Grant::AuthorizationCode | Grant::DeviceCode => {
                Err(TemplateError::Broken("a person has to consent first".to_owned()))
            }
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
        let mut request = self.request(self.refresh_route(), params, &self.oauth2.refresh_params)?;
        if self.oauth2.refresh_bears_access_token {
            let token = self.values.get("access_token");
            let token = token.ok_or_else(|| TemplateError::Missing("access_token".to_owned()))?;
            request.headers_mut().insert(header::AUTHORIZATION, sensitive(&format!("Bearer {token}")));
        }
        Ok(request)
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
        let values = self.values.with_random(self.random);
        if let Some(resource) = &oauth2.resource {
            params.push(("resource", template::text(resource, &values)?));
        }
        params.extend(template::pairs(extra, &values)?);
        let authorization = self.authenticate(route.authentication, &mut params)?;
        for (name, _) in &mut params {
            *name = oauth2.parameter_names.token_request.value(name).unwrap_or(name);
        }
        let url = template::url(route.endpoint, &values)?;
        let in_query = route.authentication == ClientAuthentication::ClientSecretQuery;
        let mut request = call(route.method, route.body, url, &params, in_query)?;
        let headers = request.headers_mut();
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        set_headers(headers, &oauth2.token_headers, &values)?;
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

/// How long ago a JWT says that it was made: a server whose clock is behind refuses what was made in its future
/// (<https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>).
const BACKDATED: Duration = Duration::from_mins(1);

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
    let lifetime = Duration::from_secs(described.expires_in);
    let issued_at = now.before(BACKDATED.min(lifetime / 2));
    let claims = Claims {
        members: &claims,
        issued_at,
        expires_at: issued_at.after(lifetime), // what is too long is measured from there (Google's hour)
        jti: Some(&jti),
    };
    let header = key_id.map(|id| ("kid".to_owned(), Value::from(id))).into_iter().collect();
    Ok(assertion::sign(&key, &header, &claims, random)?)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads better than a reference to it")]
mod tests;
