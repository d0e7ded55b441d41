//! Calls with a connection's credential: the profile, the look-ups, and what passthrough adds to a request.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{
    answer::{self, signalled},
    connector::{self, Connector, Lookup, Pairs, ParameterSignature, Placement, Profile, Text},
    credentials::Credentials,
    dpop,
    oauth1::{self, Consumer, Signer, Token},
    request::{USER_AGENT, method_of, sensitive, set_headers, uri},
    signing::{
        aws::{self, SigningError},
        sorted::{self, Digest, Pair, Recipe, Signed},
    },
    template::{self, LONGEST_VALUE, TemplateError, Values},
};
use crate::{
    clock::{Random, Timestamp},
    error::ProviderError,
    label::{is_label, must_be_label},
    secret::{AccessToken, ClientSecret},
    secrets::ProviderClient,
    store::connections::Account,
};

/// Puts the credential into a request, and the headers and parameters that every call needs where the caller gave none. A
/// credential that signs what is sent is no part of it: [`sign`] follows when the request is whole.
pub fn authorize(
    connector: &Connector,
    values: &Values,
    url: &mut Url,
    headers: &mut http::HeaderMap,
) -> Result<(), TemplateError> {
    place(&connector.api.credential, values, url, headers)?;
    accompany(connector, values, url, headers)
}

/// What every call needs besides the credential.
fn accompany(
    connector: &Connector,
    values: &Values,
    url: &mut Url,
    headers: &mut http::HeaderMap,
) -> Result<(), TemplateError> {
    let api = &connector.api;
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
        Placement::Path {} | Placement::Oauth1 {} | Placement::AwsSigv4 { .. } | Placement::SignedParameters { .. } => {
        }
    }
    Ok(())
}

/// What a signature is made of besides the request.
pub struct Signing<'a> {
    /// What fills the templates, secrets included.
    pub values: &'a Values,
    /// The connection's own secrets.
    pub credentials: &'a Credentials,
    /// The provider client, where that signs too ([`signs_with_a_client`]).
    pub client: Option<&'a ProviderClient>,
    /// What the server wants in a proof of possession, where it handed that out (RFC 9449 §9).
    pub nonce: Option<&'a str>,
    /// When.
    pub now: Timestamp,
    /// Where nonces come from.
    pub random: &'a Random,
}

/// Why a call can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A header that is signed is text.
    #[error("the call is signed together with its headers, and one of them holds other than visible ASCII")]
    Header,
    /// The connection lacks what signs.
    #[error("the connection has no {0} to sign with")]
    Missing(&'static str),
    /// What signs does not fit.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Whether calls are signed with the provider client's secret, beside the connection's own.
#[must_use]
pub fn signs_with_a_client(connector: &Connector) -> bool {
    match &connector.api.credential {
        Placement::Oauth1 {} => true,
        Placement::SignedParameters { secret, .. } => template::leading(secret) == Some("client_secret"),
        Placement::Header { .. }
        | Placement::Query { .. }
        | Placement::Basic { .. }
        | Placement::Path {}
        | Placement::AwsSigv4 { .. } => false,
    }
}

/// Signs a request, where that is how its credential travels. It has to be whole: what is changed afterwards breaks the signature.
/// The body is signed as it is sent.
pub fn sign(
    connector: &Connector,
    request: http::Request<Bytes>,
    signing: &Signing<'_>,
) -> Result<http::Request<Bytes>, SignError> {
    let mut request = sign_as_placed(connector, request, signing)?;
    let Credentials { proof_key, access_token, .. } = signing.credentials;
    if let Some(key) = proof_key {
        // RFC 9449 §7: the proof names the token that the request presents
        dpop::attach(&mut request, key, access_token.as_ref(), signing.nonce, signing.now, signing.random)?;
    }
    Ok(request)
}

fn sign_as_placed(
    connector: &Connector,
    request: http::Request<Bytes>,
    signing: &Signing<'_>,
) -> Result<http::Request<Bytes>, SignError> {
    match &connector.api.credential {
        Placement::Header { .. } | Placement::Query { .. } | Placement::Basic { .. } | Placement::Path {} => {
            Ok(request)
        }
        Placement::Oauth1 {} => sign_by_oauth1(connector, request, signing),
        Placement::AwsSigv4 { service, region, access_key_id, secret_access_key, session_token } => {
            let text = |template: &Text| template::text(template, signing.values);
            let (service, region, access_key_id) = (text(service)?, text(region)?, text(access_key_id)?);
            let secret = ClientSecret::from(text(secret_access_key)?);
            let token = session_token.as_ref().map(text).transpose()?.filter(|token| !token.is_empty());
            let token = token.map(AccessToken::from);
            let credentials = aws::Credentials {
                access_key_id: &access_key_id,
                secret_access_key: &secret,
                session_token: token.as_ref(),
            };
            let (mut parts, body) = request.into_parts();
            let scope = aws::Scope { region: &region, service: &service };
            aws::sign(&mut parts, &body, &credentials, &scope, signing.now).map_err(|error| match error {
                SigningError::Header => SignError::Header,
                SigningError::Malformed => SignError::Missing("well-formed key"),
            })?;
            Ok(http::Request::from_parts(parts, body))
        }
        Placement::SignedParameters { token_parameter, parameter, recipe, secret, timestamp_parameter } => {
            let mut values = signing.values.clone();
            if let Some(secret) = signing.client.and_then(|client| client.client_secret.as_ref()) {
                values.insert("client_secret", secret.expose());
            }
            let secret = ClientSecret::from(template::text(secret, &values)?);
            let signed = SignedParameters {
                token_parameter,
                parameter,
                recipe: *recipe,
                timestamp_parameter: timestamp_parameter.as_deref(),
            };
            sign_parameters(&signed, &secret, request, signing)
        }
    }
}

/// RFC 5849 §3: the header alone is added; a form is signed with its parameters.
fn sign_by_oauth1(
    connector: &Connector,
    request: http::Request<Bytes>,
    signing: &Signing<'_>,
) -> Result<http::Request<Bytes>, SignError> {
    let Credentials { access_token, token_secret, .. } = signing.credentials;
    let method = connector.oauth1.as_ref().ok_or(SignError::Missing("method"))?.signature_method;
    let client = signing.client.ok_or(SignError::Missing("provider client"))?;
    let secret = client.client_secret.as_ref().ok_or(SignError::Missing("client secret"))?;
    let token = access_token.as_ref().ok_or(SignError::Missing("token"))?;
    let token_secret = token_secret.as_ref().ok_or(SignError::Missing("token secret"))?;
    let signer = Signer {
        consumer: Consumer { key: &client.client_id, secret },
        token: Some(Token { token, secret: token_secret }),
        method,
        realm: None,
    };
    let nonce = format!("{:032x}", u128::from_be_bytes(signing.random.bytes()));
    let (mut parts, body) = request.into_parts();
    let url = address(&parts.uri)?;
    let form = oauth1::form_body(&parts.headers, &body);
    let header = signer.sign(&parts.method, &url, form, signing.now, &nonce);
    parts.headers.insert(header::AUTHORIZATION, header);
    Ok(http::Request::from_parts(parts, body))
}

/// A credential of [`Placement::SignedParameters`].
struct SignedParameters<'a> {
    token_parameter: &'a str,
    parameter: &'a str,
    recipe: ParameterSignature,
    timestamp_parameter: Option<&'a str>,
}

/// Token, time and signature are ours to say: a caller's own under these names are taken out.
fn sign_parameters(
    signed: &SignedParameters<'_>,
    secret: &ClientSecret,
    request: http::Request<Bytes>,
    signing: &Signing<'_>,
) -> Result<http::Request<Bytes>, SignError> {
    let token = signing.credentials.access_token.as_ref().ok_or(SignError::Missing("token"))?;
    let (mut parts, body) = request.into_parts();
    let mut url = address(&parts.uri)?;
    set_parameter(&mut url, signed.token_parameter, token.expose());
    if let Some(name) = signed.timestamp_parameter {
        set_parameter(&mut url, name, &signing.now.secs().to_string());
    }
    let left_out = [signed.token_parameter];
    let (pair, path, with_body, key, digest) = match signed.recipe {
        ParameterSignature::Md5TokenSecret => {
            (Pair::NameEqualsValue, false, false, sorted::Key::TokenAndSecret, Digest::Md5Behind)
        }
        ParameterSignature::HmacSha256PathBody => {
            (Pair::NameValue, true, true, sorted::Key::Secret, Digest::HmacSha256Around)
        }
    };
    let recipe = Recipe { parameter: signed.parameter, left_out: &left_out, pair, path, body: with_body, key, digest };
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed = match oauth1::form_body(&parts.headers, &body) {
        Some(form) if !with_body => Signed { form, body: b"" },
        // a file's parts are not signed: https://partner.tiktokshop.com/docv2/page/sign-your-api-request
        _ if media_type.starts_with("multipart/") => Signed::default(),
        _ => Signed { form: b"", body: &body },
    };
    recipe.sign(&mut url, signed, secret, Some(token));
    parts.uri = uri(&url)?;
    Ok(http::Request::from_parts(parts, body))
}

fn address(uri: &http::Uri) -> Result<Url, TemplateError> {
    Url::parse(&uri.to_string()).map_err(|_| TemplateError::Broken("the address is no URL".to_owned()))
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

/// The request that asks whose account it is, where somebody has to be asked.
pub fn profile_request(
    connector: &Connector,
    profile: &Profile,
    url: &str,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    let Profile { method, headers, body, .. } = profile;
    let credential = &connector.api.credential;
    call(connector, Call { method: *method, url, headers, body: body.as_deref(), credential }, values)
}

/// The request of a look-up.
pub fn lookup_request(
    connector: &Connector,
    lookup: &Lookup,
    values: &Values,
) -> Result<http::Request<Bytes>, TemplateError> {
    let Lookup { method, url, headers, body, before_login, .. } = lookup;
    let mut known = values.clone();
    // a header that every call needs can't name yet what this one, or what comes after it, will tell
    let login = connector.captures.login_response.iter().map(|(name, _)| name).filter(|_| *before_login);
    let learnt = connector.lookups.iter().flat_map(Lookup::fills).chain(login);
    for name in learnt.filter(|name| values.get(name).is_none()) {
        known.insert(name, "");
    }
    let bearer = Placement::default();
    let credential = if *before_login { &bearer } else { &connector.api.credential };
    call(connector, Call { method: *method, url, headers, body: body.as_deref(), credential }, &known)
}

/// A call that a connector's data describes.
#[derive(Clone, Copy)]
struct Call<'a> {
    method: connector::Method,
    url: &'a str,
    headers: &'a Pairs,
    body: Option<&'a str>,
    credential: &'a Placement,
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
    place(call.credential, values, &mut url, request.headers_mut())?;
    accompany(connector, values, &mut url, request.headers_mut())?;
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
    let answer = answer::json(response)?;
    if let Some(error) = signalled(profile.error_signal.as_ref(), &answer) {
        return Err(ProviderError::Refused(error));
    }
    Ok(account(profile, &answer, values))
}

/// Whose account it is, by what was captured: there is nobody to ask.
#[must_use]
pub fn captured_profile(profile: &Profile, values: &Values) -> Account {
    account(profile, &Value::Null, values)
}

fn account(profile: &Profile, answer: &Value, values: &Values) -> Account {
    let field = |expression: &Option<Text>| {
        let found = expression.as_ref().and_then(|expression| template::find(expression, answer, values));
        found.filter(|text| crate::label::is_label(text))
    };
    let tenant = field(&profile.tenant);
    // ids that are unique within a workspace only tell an account together with the workspace
    let id = match (&tenant, field(&profile.account_id)) {
        (Some(tenant), Some(id)) => Some(format!("{tenant}/{id}")),
        (None, id) if profile.tenant.is_none() => id,
        _ => None,
    };
    Account { id, tenant, label: field(&profile.label), email: field(&profile.email) }
}

/// One of the things that a look-up found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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

/// The most that a person is asked to choose from. One more is read, which tells that there are more.
pub const MOST_CHOICES: usize = 1000;

/// What a look-up found: one thing, or those of a list that the data wants. An element without the value is left out.
pub fn read_lookup(lookup: &Lookup, response: &http::Response<Bytes>) -> Result<Vec<Found>, ProviderError> {
    let answer = answer::json(response)?;
    let lacks = ProviderError::InvalidResponse("the look-up's answer lacks what is looked for");
    let Some(list) = lookup.list.as_deref() else {
        return found(lookup, &answer).map(|one| vec![one]).ok_or(lacks);
    };
    let list = if list == "." { Some(&answer) } else { template::pluck(&answer, list) };
    let elements = match list {
        Some(Value::Array(elements)) => elements.as_slice(),
        Some(Value::Null) => &[],
        Some(_) | None => return Err(ProviderError::InvalidResponse("the look-up's answer lacks its list")),
    };
    let is_wanted = |element: &&Value| {
        lookup.only.iter().all(|(path, value)| template::pluck_text(element, path).as_deref() == Some(value))
    };
    let mut wanted = elements.iter().filter(is_wanted).peekable();
    let nothing = if wanted.peek().is_none() { ProviderError::NothingFound } else { lacks };
    let found: Vec<Found> = wanted.filter_map(|element| found(lookup, element)).take(MOST_CHOICES + 1).collect();
    if found.is_empty() { Err(nothing) } else { Ok(found) }
}

fn found(lookup: &Lookup, element: &Value) -> Option<Found> {
    // it is shown where there is no label
    let own =
        template::pluck_text(element, &lookup.path).filter(|value| must_be_label(value, LONGEST_VALUE).is_ok())?;
    let own = (lookup.name.to_string(), own);
    let also =
        lookup.also.iter().filter_map(|(name, path)| Some((name.to_owned(), template::pluck_text(element, path)?)));
    let label = lookup.label.as_ref().and_then(|path| template::pluck_text(element, path));
    Some(Found { values: std::iter::once(own).chain(also).collect(), label: label.filter(|text| is_label(text)) })
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
    fn a_list_with_nothing_in_it_is_told_from_a_list_that_is_not_there() {
        let lookup: Lookup = serde_json::from_value(serde_json::json!({
            "name": "site", "url": "https://api.acme.example/sites", "list": "sites", "path": "id", "only": { "kind": "a" },
        }))
        .unwrap();
        let table = [
            (r#"{"sites": [{"id": 1, "kind": "a"}, {"id": "b\u202e", "kind": "a"}]}"#, "1"),
            (r#"{"sites": []}"#, "nothing"),
            (r#"{"sites": null}"#, "nothing"),
            (r#"{"sites": [{"id": 1, "kind": "b"}]}"#, "nothing"),
            (r#"{"sites": [{"ident": 1, "kind": "a"}]}"#, "the look-up's answer lacks what is looked for"),
            (r#"{"sites": {"1": {"id": 1, "kind": "a"}}}"#, "the look-up's answer lacks its list"),
            (r"{}", "the look-up's answer lacks its list"),
        ];
        for (body, expected) in table {
            let response = http::Response::builder().header("content-type", "application/json");
            let said = match read_lookup(&lookup, &response.body(Bytes::from_static(body.as_bytes())).unwrap()) {
                Ok(found) => found.iter().map(Found::value).collect::<Vec<_>>().join(" "),
                Err(ProviderError::NothingFound) => "nothing".to_owned(),
                Err(ProviderError::InvalidResponse(why)) => why.to_owned(),
                Err(other) => panic!("{body}: {other:?}"),
            };
            assert_eq!(said, expected, "{body}");
        }
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
