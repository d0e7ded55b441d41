//! Every request of a connector's flow, made by the code that makes it there.

use std::collections::BTreeMap;

use bytes::Bytes;
use url::Url;

use super::{
    Case, Exchange, Finding, Sender,
    stand_ins::{StandIns, without_keys},
};
use crate::{
    protocol::{
        account,
        authorization::{AuthorizationRequest, CODE_OF_NOBODY, ClaimedCode},
        connector::{self, ClientAuthentication, Connector, Grant, OAuth1, OAuth2, Placement, RefreshKind},
        device, login, oauth1, revocation, scope,
        template::{self, TemplateError},
        token::TokenRequest,
    },
    secret::{AccessToken, ClientSecret, RefreshToken, TokenSecret},
    secrets::ProviderClient,
};

type Request = Result<http::Request<Bytes>, TemplateError>;

/// A request in the making: what it is, who sends it, and itself or why it can't be made.
type Made = (String, Sender, Request);

/// Whether it is connected without a browser being sent anywhere.
pub fn is_without_browser(connector: &Connector) -> bool {
    connector.oauth2.as_ref().is_some_and(|oauth2| oauth2.grant == Grant::DeviceCode)
}

/// Every request in the order of the flow, and those that can't be made.
pub fn all(case: &Case<'_>, stand_ins: &StandIns) -> (Vec<Exchange>, Vec<Finding>) {
    let connector = without_keys(&case.connector.data);
    let public =
        connector.oauth2.as_ref().is_some_and(|oauth2| oauth2.token_endpoint_auth_method == ClientAuthentication::None);
    let secret = ClientSecret::from(stand_ins.client_secret.clone());
    let client = ProviderClient {
        client_id: stand_ins.client_id.clone(),
        client_secret: (!public).then_some(secret),
        secrets: BTreeMap::new(),
    }; // secret settings are stand-ins already
    let flow = Flow { case, stand_ins, connector: &connector, client: &client };
    let (mut exchanges, mut broken) = (Vec::new(), Vec::new());
    for (title, sender, request) in flow.requests() {
        match request {
            Ok(request) => exchanges.push(flow.shown(title, sender, &request)),
            Err(error) => broken.push(Finding::error(
                "request_impossible",
                format!("{title}: {}", stand_ins.shown(&error.to_string())),
                "Look at the connector's data: what stands in braces has to be an input, a setting or something learnt before.",
            )),
        }
    }
    (exchanges, broken)
}

struct Flow<'a> {
    case: &'a Case<'a>,
    stand_ins: &'a StandIns,
    connector: &'a Connector,
    client: &'a ProviderClient,
}

impl Flow<'_> {
    fn requests(&self) -> Vec<Made> {
        let Connector { oauth2, oauth1, login, .. } = self.connector;
        let (case, values) = (self.case, &self.stand_ins.values);
        let mut made = Vec::new();
        made.extend(oauth2.iter().flat_map(|oauth2| self.oauth2(oauth2)));
        made.extend(oauth1.iter().flat_map(|oauth1| self.oauth1(oauth1)));
        made.extend(self.lookups(true));
        made.extend(login.iter().map(|typed| ours("Login", login::request(typed, values, case.now, case.random))));
        made.extend(self.lookups(false));
        made.extend(self.calls());
        made.extend(oauth2.iter().filter_map(|oauth2| self.refresh(oauth2)));
        made.extend(self.revocation());
        made
    }

    fn asking<'b>(&'b self, oauth2: &'b OAuth2) -> TokenRequest<'b> {
        let Self { case, stand_ins, client, .. } = self;
        TokenRequest { oauth2, client, values: &stand_ins.values, now: case.now, random: case.random }
    }

    /// The scopes as they are sent, and those of the second parameter.
    fn scopes(&self, oauth2: &OAuth2) -> (Vec<String>, Vec<String>) {
        let (scopes, second) = self.case.connector.scopes();
        let filled = |scopes: Vec<String>| scope::filled(&scopes, oauth2, &self.stand_ins.values).unwrap_or(scopes);
        (filled(scopes), filled(second))
    }

    fn oauth2(&self, oauth2: &OAuth2) -> Vec<Made> {
        let (scopes, _) = self.scopes(oauth2);
        let asking = self.asking(oauth2);
        let mut made = Vec::new();
        match oauth2.grant {
            Grant::AuthorizationCode => {
                made.extend(self.authorization(oauth2));
                let code = ClaimedCode::of_nobody();
                let token = asking.code(&code, &self.stand_ins.verifier, &self.stand_ins.redirect_uri);
                made.push(ours("Token request (RFC 6749 §4.1.3)", token));
            }
            Grant::ClientCredentials => {
                made.push(ours("Token request (RFC 6749 §4.4.2)", asking.client_credentials(&scopes)));
            }
            Grant::JwtBearer => made.push(ours("Token request (RFC 7523 §2.1)", asking.jwt_bearer(&scopes))),
            Grant::DeviceCode => {}
        }
        if let Some(endpoint) = &oauth2.device_authorization_endpoint {
            let scope = (!scopes.is_empty()).then(|| scopes.join(&oauth2.scope_separator));
            let params = device::authorization_params(&self.client.client_id, scope.as_deref());
            let begin = asking.beside(endpoint, besides_authentication(oauth2, params));
            made.push(ours("Device authorization request (RFC 8628 §3.1)", begin));
            made.push(ours("Device token request (RFC 8628 §3.4)", asking.device_code(&self.stand_ins.device_code)));
        }
        if oauth2.exchange.is_some() {
            made.push(ours("Exchange for a token that lives longer", asking.exchange()));
        }
        made
    }

    /// The authorization request, behind a pushed one where the provider wants that.
    fn authorization(&self, oauth2: &OAuth2) -> Vec<Made> {
        let (scopes, second_scopes) = self.scopes(oauth2);
        let settings = self.case.connector.settings();
        let values = &self.stand_ins.values;
        let request = AuthorizationRequest {
            client_id: &self.client.client_id,
            redirect_uri: &self.stand_ins.redirect_uri,
            scopes: &scopes,
            second_scopes: &second_scopes,
            extra: &settings.authorization_params,
            verifier: &self.stand_ins.verifier,
            random: values.get("random").unwrap_or_default(),
        };
        let own =
            |name: &'static str| oauth2.parameter_names.authorization_request.value(name).unwrap_or(name).to_owned();
        let Some(endpoint) = &oauth2.pushed_authorization_request_endpoint else {
            let url = request.url(oauth2, values).map(|mut url| {
                url.query_pairs_mut().append_pair(&own("state"), &self.stand_ins.state);
                url
            });
            return vec![opened("Authorization request (RFC 6749 §4.1.1)", url)];
        };
        let params = request.params(oauth2, values);
        let pushed = params.and_then(|mut params| {
            params.push((own("state"), self.stand_ins.state.clone()));
            let params = params.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            self.asking(oauth2).beside(endpoint, besides_authentication(oauth2, params))
        });
        let endpoint = oauth2.authorization_endpoint.as_deref().unwrap_or_default();
        let url = template::url(endpoint, values).map(|mut url| {
            url.query_pairs_mut()
                .append_pair("client_id", &self.client.client_id)
                .append_pair("request_uri", &self.stand_ins.request_uri);
            url
        });
        vec![
            ours("Pushed authorization request (RFC 9126 §2.1)", pushed),
            opened("Authorization request (RFC 9126 §4)", url),
        ]
    }

    fn oauth1(&self, oauth1: &OAuth1) -> Vec<Made> {
        let (stand_ins, at) = (self.stand_ins, self.case.now);
        let secret = ClientSecret::from(stand_ins.client_secret.clone());
        let (token, token_secret) =
            (AccessToken::from(stand_ins.temporary.clone()), TokenSecret::from(stand_ins.client_secret.clone()));
        let signer = |token| oauth1::Signer {
            consumer: oauth1::Consumer { key: &self.client.client_id, secret: &secret },
            token,
            method: match oauth1.signature_method {
                connector::SignatureMethod::HmacSha1 => oauth1::SignatureMethod::HmacSha1,
                connector::SignatureMethod::HmacSha256 => oauth1::SignatureMethod::HmacSha256,
                connector::SignatureMethod::Plaintext => oauth1::SignatureMethod::Plaintext,
            },
            realm: None,
        };
        let nonce = stand_ins.values.get("random").unwrap_or_default();
        let url = |endpoint: &str| template::url(endpoint, &stand_ins.values);
        let begin = url(&oauth1.temporary_credential_endpoint).and_then(|endpoint| {
            signer(None).temporary_credential_request(
                &http::Method::POST,
                &endpoint,
                &stand_ins.redirect_uri,
                at,
                nonce,
            )
        });
        let consent = url(&oauth1.authorization_endpoint).and_then(|endpoint| {
            let mut url = oauth1::authorization_url(&endpoint, &token);
            url.query_pairs_mut().extend_pairs(template::pairs(&oauth1.authorization_params, &stand_ins.values)?);
            Ok(url)
        });
        let redeem = url(&oauth1.token_endpoint).and_then(|endpoint| {
            let by = signer(Some(oauth1::Token { token: &token, secret: &token_secret }));
            by.token_request(&http::Method::POST, &endpoint, CODE_OF_NOBODY, at, nonce)
        });
        vec![
            ours("Temporary credential request (RFC 5849 §2.1)", begin),
            opened("The person's consent (RFC 5849 §2.2)", consent),
            ours("Token request (RFC 5849 §2.3)", redeem),
        ]
    }

    /// The look-ups ahead of the login, or those behind it.
    fn lookups(&self, before_login: bool) -> impl Iterator<Item = Made> {
        self.connector.lookups.iter().filter(move |lookup| lookup.before_login == before_login).map(|lookup| {
            let what = lookup.title.as_ref().unwrap_or(&lookup.name);
            ours(&format!("Look-up: {what}"), account::lookup_request(self.connector, lookup, &self.stand_ins.values))
        })
    }

    /// The profile, and what passthrough would send.
    fn calls(&self) -> Vec<Made> {
        let values = &self.stand_ins.values;
        let profile = self.connector.profile.iter().filter_map(|profile| {
            let request = account::profile_request(self.connector, profile, profile.url.as_deref()?, values);
            Some(ours("Profile: whose account it is", request))
        });
        let call = std::iter::once_with(|| ours("API call, by passthrough", self.call()));
        profile.chain(call).collect()
    }

    fn call(&self) -> Request {
        let mut url = template::url(&self.connector.api.base_url, &self.stand_ins.values)?;
        let mut request = http::Request::new(Bytes::new());
        account::authorize(self.connector, &self.stand_ins.values, &mut url, request.headers_mut())?;
        *request.uri_mut() = uri(&url)?;
        Ok(request)
    }

    fn refresh(&self, oauth2: &OAuth2) -> Option<Made> {
        let asking = self.asking(oauth2);
        match oauth2.refresh {
            RefreshKind::RefreshToken if matches!(oauth2.grant, Grant::AuthorizationCode | Grant::DeviceCode) => {
                let token = self.stand_ins.values.get("refresh_token").unwrap_or_default().to_owned();
                Some(ours("Refresh (RFC 6749 §6)", asking.refresh(&RefreshToken::from(token))))
            }
            RefreshKind::AccessToken => Some(ours("Renewal by the access token itself", asking.renew())),
            // asked for once more as at first: that request is shown
            RefreshKind::RefreshToken | RefreshKind::Remint | RefreshKind::None => None,
        }
    }

    fn revocation(&self) -> Option<Made> {
        let revoke = self.connector.revoke.as_ref()?;
        let (case, values) = (self.case, &self.stand_ins.values);
        let request = revocation::request(self.connector, revoke, Some(self.client), values, case.now, case.random);
        Some(ours("Revocation (RFC 7009 §2.1)", request))
    }

    /// A request as it is shown: with words for the stand-ins, and for what is only signed when it goes out.
    fn shown(&self, title: String, sender: Sender, request: &http::Request<Bytes>) -> Exchange {
        let shown = |text: &str| self.stand_ins.shown(text);
        let url = request.extensions().get::<Url>().map_or_else(|| request.uri().to_string(), Url::to_string);
        let host = request.uri().authority().map(|authority| ("host".to_owned(), shown(authority.as_str())));
        let mut headers: Vec<(String, String)> = host.into_iter().collect();
        headers.extend(request.headers().iter().map(|(name, value)| {
            let value = value.to_str().unwrap_or("‹not text›");
            (name.as_str().to_owned(), shown(&oauth1_masked(value)))
        }));
        let mut url = shown(&url);
        let is_call = ["Look-up", "Profile", "API call"].iter().any(|start| title.starts_with(start));
        let signing = is_call.then(|| signed(&self.connector.api.credential)).flatten();
        match signing {
            Some(Signed::Header(value)) => headers.push(("authorization".to_owned(), value)),
            Some(Signed::Parameter(pair)) => url = format!("{url}{}{pair}", if url.contains('?') { '&' } else { '?' }),
            None => {}
        }
        let proves = self.connector.oauth2.as_ref().is_some_and(|oauth2| oauth2.dpop) && sender == Sender::Mooring;
        if proves && (is_call || title.starts_with("Token") || title.starts_with("Refresh")) {
            headers.push(("dpop".to_owned(), "‹proof by the connection's key›".to_owned()));
            // RFC 9449 §7.1
            for (_, value) in
                headers.iter_mut().filter(|(name, value)| name == "authorization" && value.starts_with("Bearer "))
            {
                *value = value.replacen("Bearer", "DPoP", 1);
            }
        }
        let body = std::str::from_utf8(request.body()).unwrap_or_default();
        Exchange {
            title,
            sender,
            method: request.method().to_string(),
            url,
            headers: if sender == Sender::Browser { Vec::new() } else { headers },
            body: (!body.is_empty()).then(|| shown(body)),
        }
    }
}

/// A signature that is made over the whole request.
enum Signed {
    Header(String),
    Parameter(String),
}

fn signed(credential: &Placement) -> Option<Signed> {
    match credential {
        Placement::Header { .. } | Placement::Query { .. } | Placement::Basic { .. } | Placement::Path {} => None,
        Placement::Oauth1 {} => Some(Signed::Header("OAuth ‹signature over the request›".to_owned())),
        Placement::AwsSigv4 { .. } => Some(Signed::Header("AWS4-HMAC-SHA256 ‹signature over the request›".to_owned())),
        Placement::SignedParameters { token_parameter, parameter, timestamp_parameter, .. } => {
            let time = timestamp_parameter.as_ref().map(|name| format!("{name}=‹now›&")).unwrap_or_default();
            let pair = format!("{time}{token_parameter}=‹access token›&{parameter}=‹signature over the request›");
            Some(Signed::Parameter(pair))
        }
    }
}

/// A header of OAuth 1.0a without what changes each time.
fn oauth1_masked(value: &str) -> String {
    let masked = |text: String, name: &str, shown: &str| {
        let start = format!("{name}=\"");
        match text.split_once(&start) {
            Some((before, after)) => {
                let rest = after.split_once('"').map_or("", |(_, rest)| rest);
                format!("{before}{start}{shown}\"{rest}")
            }
            None => text,
        }
    };
    if !value.starts_with("OAuth ") {
        return value.to_owned();
    }
    masked(masked(value.to_owned(), "oauth_signature", "‹signature›"), "oauth_timestamp", "‹now›")
}

/// Parameters without the client's id, where its authentication brings that along.
fn besides_authentication<'a>(oauth2: &OAuth2, params: Vec<(&'a str, String)>) -> Vec<(&'a str, String)> {
    let brings_id = oauth2.token_endpoint_auth_method != ClientAuthentication::ClientSecretBasic;
    params.into_iter().filter(|(name, _)| !(brings_id && *name == "client_id")).collect()
}

fn ours(title: &str, request: Request) -> Made {
    (title.to_owned(), Sender::Mooring, request)
}

fn opened(title: &str, url: Result<Url, TemplateError>) -> Made {
    let request = url.and_then(|url| {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = uri(&url)?;
        request.extensions_mut().insert(url); // a URI on the wire has no fragment, an address in a browser may
        Ok(request)
    });
    (title.to_owned(), Sender::Browser, request)
}

fn uri(url: &Url) -> Result<http::Uri, TemplateError> {
    url.as_str().parse().map_err(|_| TemplateError::Broken("the address is not one that can be called".to_owned()))
}
