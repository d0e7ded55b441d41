//! The authorization request (RFC 6749 §4.1.1) and its response (§4.1.2).

use std::collections::BTreeMap;

use url::Url;

use super::{
    connector::{OAuth2, Pkce},
    template::{self, TemplateError, Values},
};
use crate::{
    error::Error,
    http::Params,
    secret::{AuthorizationCode, CodeVerifier},
    store::attempts::{Claimed, Departure, State},
};

/// What an authorization request says besides what the connector's data fixes.
#[derive(Debug)]
pub struct AuthorizationRequest<'a> {
    /// The client's public half.
    pub client_id: &'a str,
    /// Where the answer goes, exactly as registered at the provider.
    pub redirect_uri: &'a str,
    /// What is asked for.
    pub scopes: &'a [String],
    /// What is asked for by the provider's second scope parameter.
    pub second_scopes: &'a [String],
    /// Further parameters of the operator's. None of those that carry the flow.
    pub extra: &'a BTreeMap<String, String>,
    /// What ties the code to the attempt (RFC 7636).
    pub verifier: &'a CodeVerifier,
    /// What `{random}` is, for a connector whose provider wants a `nonce`.
    pub random: &'a str,
}

/// Parameters of the protocol itself (RFC 6749 §4.1 and §6, RFC 7636 §4, RFC 9101), which carry the flow and its secrets: neither a
/// connector's data nor an operator's setting may set them. Scopes have fields of their own.
pub const RESERVED_PARAMS: [&str; 15] = [
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "nonce",
    "redirect_uri",
    "refresh_token",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "state",
];

impl AuthorizationRequest<'_> {
    /// The address that the browser is sent to, but for the `state`: that is kept as a digest, and comes with the browser
    /// ([`with_state`]).
    pub fn url(&self, oauth2: &OAuth2, values: &Values) -> Result<Url, TemplateError> {
        let mut url = Self::endpoint(oauth2, values)?;
        url.query_pairs_mut().extend_pairs(self.params(oauth2, values)?);
        Ok(url)
    }

    /// The same without parameters: those are pushed ahead of the browser (RFC 9126).
    pub fn endpoint(oauth2: &OAuth2, values: &Values) -> Result<Url, TemplateError> {
        let endpoint = oauth2.authorization_endpoint.as_deref();
        let endpoint = endpoint.ok_or_else(|| TemplateError::Broken("no authorization endpoint".to_owned()))?;
        let mut url = template::url(endpoint, values)?;
        url.set_fragment(oauth2.authorization_fragment.as_deref());
        Ok(url)
    }

    /// The parameters but for the `state`, in their order.
    pub fn params(&self, oauth2: &OAuth2, values: &Values) -> Result<Vec<(String, String)>, TemplateError> {
        let mut values = values.clone();
        values.insert("random", self.random);
        let redirect_uri = match &oauth2.redirect_uri {
            Some(name) => template::text(name, &values)?,
            None => self.redirect_uri.to_owned(),
        };
        let own = |name: &str| oauth2.parameter_names.authorization_request.value(name).unwrap_or(name).to_owned();
        let mut params = vec![
            (own("response_type"), oauth2.response_type.as_deref().unwrap_or("code").to_owned()),
            (own("client_id"), self.client_id.to_owned()),
            (own("redirect_uri"), redirect_uri),
        ];
        if !oauth2.scope_parameter.is_empty() && !self.scopes.is_empty() {
            params.push((oauth2.scope_parameter.to_string(), self.scopes.join(&oauth2.scope_separator)));
        }
        if let Some(name) = oauth2.second_scope_parameter.as_ref().filter(|_| !self.second_scopes.is_empty()) {
            params.push((name.to_string(), self.second_scopes.join(&oauth2.scope_separator)));
        }
        if let Some(mode) = oauth2.response_mode {
            params.push((own("response_mode"), mode.as_str().to_owned()));
        }
        let challenge = match oauth2.pkce {
            Pkce::S256 => Some((self.verifier.challenge(), "S256")),
            Pkce::Plain => Some((self.verifier.expose().to_owned(), "plain")),
            Pkce::None => None,
        };
        if let Some((challenge, method)) = challenge {
            params.push(("code_challenge".to_owned(), challenge));
            params.push(("code_challenge_method".to_owned(), method.to_owned()));
        }
        if let Some(resource) = &oauth2.resource {
            params.push(("resource".to_owned(), template::text(resource, &values)?));
        }
        let fixed = template::pairs(&oauth2.authorization_params, &values)?;
        let fixed = fixed.into_iter().filter(|(name, _)| !self.extra.contains_key(*name));
        params.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
        let extra = self.extra.iter().filter(|(name, _)| !RESERVED_PARAMS.contains(&name.as_str()));
        params.extend(extra.map(|(name, value)| (name.clone(), value.clone())));
        Ok(params)
    }
}

/// An authorization request's address with the `state` that ties the answer to the attempt (RFC 6749 §10.12).
pub fn with_state(authorization_url: &str, state: &State) -> Result<Url, TemplateError> {
    let mut url =
        Url::parse(authorization_url).map_err(|_| TemplateError::Broken("the address is no URL".to_owned()))?;
    url.query_pairs_mut().append_pair("state", &state.expose());
    Ok(url)
}

/// What came back to the redirection endpoint.
#[derive(Debug)]
pub struct AuthorizationResponse {
    /// Which attempt it answers.
    pub state: State,
    /// Who says it is speaking (RFC 9207).
    pub issuer: Option<String>,
    error: Option<String>,
    params: Params,
}

/// What the provider decided.
#[derive(Debug)]
pub enum Verdict {
    /// A refusal: a code of RFC 6749 §4.1.2.1.
    Denied(String),
    /// A code to redeem.
    Code(ClaimedCode),
}

/// A code, or a verifier of OAuth 1.0a, whose attempt was claimed by the browser that started it. The field is private, so a token request can't be built
/// from any other.
#[derive(Debug)]
pub struct ClaimedCode(AuthorizationCode);

/// What [`ClaimedCode::of_nobody`] says.
pub const CODE_OF_NOBODY: &str = "standincodez";

impl ClaimedCode {
    /// No code, but a word in its place: for showing what a token request looks like.
    #[must_use]
    pub fn of_nobody() -> Self {
        Self(AuthorizationCode::from(CODE_OF_NOBODY.to_owned()))
    }

    /// The code, for the token request.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl AuthorizationResponse {
    /// Reads the response. A repeated parameter is refused (RFC 6749 §3.1), as is a `state` that has not our form.
    pub fn from_params(params: &Params) -> Result<Self, Error> {
        let state = params.one("state")?.and_then(State::parse).ok_or(Error::UnknownState)?;
        params.one("code")?; // by whatever name the attempt awaits it
        Ok(Self {
            state,
            issuer: params.one("iss")?.map(str::to_owned),
            error: params.one("error")?.map(printable),
            params: params.clone(),
        })
    }

    /// What the provider decided. Who is speaking (`state`, cookie, `iss`) was settled by the claim, before `error` or `code`
    /// is believed (RFC 9207 §2.4). A refusal is believed before a code.
    #[must_use]
    pub fn verdict(self, claimed: &Claimed) -> Verdict {
        let attempt = claimed.attempt();
        match attempt.departure {
            Departure::Temporary => self.decide_on_verifier(),
            Departure::Direct | Departure::Pushed { .. } | Departure::Device => {
                self.decide(attempt.code_parameter.as_deref().unwrap_or("code"))
            }
        }
    }

    fn decide(self, code_parameter: &str) -> Verdict {
        match (self.error, self.params.one(code_parameter)) {
            (Some(error), _) => Verdict::Denied(error),
            (None, Ok(Some(code))) => Verdict::Code(ClaimedCode(AuthorizationCode::from(code.to_owned()))),
            (None, Ok(None) | Err(_)) => Verdict::Denied("invalid_response".to_owned()),
        }
    }

    /// In OAuth 1.0a the verifier is the consent (RFC 5849 §2.2). How a refusal looks no RFC says: most providers send the
    /// browser back with `denied`, the rest without a verifier.
    fn decide_on_verifier(self) -> Verdict {
        let denied = || self.params.iter().any(|(name, _)| matches!(name, "denied" | "oauth_problem"));
        match (&self.error, self.params.one("oauth_verifier")) {
            (Some(error), _) => Verdict::Denied(error.clone()),
            (None, Ok(Some(verifier))) if !denied() => {
                Verdict::Code(ClaimedCode(AuthorizationCode::from(verifier.to_owned())))
            }
            (None, Ok(_)) => Verdict::Denied("access_denied".to_owned()),
            (None, Err(_)) => Verdict::Denied("invalid_response".to_owned()),
        }
    }
}

/// An error code as it may be stored and passed on: RFC 6749 §4.1.2.1 allows printable ASCII without quote and backslash.
fn printable(error: &str) -> String {
    let allowed = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    let code: String = error.chars().filter(allowed).take(64).collect();
    if code.is_empty() { "invalid_response".to_owned() } else { code }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads better than a reference to it")]
mod tests {
    use super::*;
    use crate::{
        clock::Random,
        id::{AttemptId, ConnectorId},
    };

    fn oauth2(json: serde_json::Value) -> OAuth2 {
        let mut all = serde_json::json!({"authorization_endpoint": "https://auth.acme.example/authorize?tenant=1", "token_endpoint": "https://auth.acme.example/token"});
        all.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn the_request_is_what_the_rfc_says_and_the_data_varies() {
        let verifier = CodeVerifier::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        let scopes = ["a b".to_owned(), "c".to_owned()];
        let table = [
            (
                serde_json::json!({}),
                "scope=a+b+c&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
            ),
            (serde_json::json!({"scope_separator": ",", "pkce": "none"}), "scope=a+b%2Cc"),
            (
                serde_json::json!({"scope_parameter": ""}),
                "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
            ),
            (
                serde_json::json!({"pkce": "none", "authorization_params": {"access_type": "offline"}}),
                "scope=a+b+c&access_type=offline",
            ),
        ];
        for (data, expected) in table {
            let request = AuthorizationRequest {
                client_id: "id&1",
                redirect_uri: "https://m.example/connectors/oauth/callback",
                scopes: &scopes,
                second_scopes: &[],
                extra: &BTreeMap::new(),
                verifier: &verifier,
                random: "r",
            };
            let url = request.url(&oauth2(data.clone()), &Values::default()).unwrap();
            let expected = format!(
                "https://auth.acme.example/authorize?tenant=1&response_type=code&client_id=id%261&redirect_uri=https%3A%2F%2Fm.example%2Fconnectors%2Foauth%2Fcallback&{expected}"
            );
            assert_eq!(url.as_str(), expected, "{data}");
        }
    }

    #[test]
    fn the_state_comes_with_the_browser() {
        let state = State::parse("acme.att_1.secret").unwrap();
        let url = with_state("https://auth.acme.example/authorize?client_id=id", &state).unwrap();
        assert_eq!(url.as_str(), "https://auth.acme.example/authorize?client_id=id&state=acme.att_1.secret");
    }

    #[test]
    fn an_operator_can_replace_a_fixed_parameter_but_none_that_carries_the_flow() {
        let data = oauth2(serde_json::json!({"authorization_params": {"prompt": "consent"}, "pkce": "none"}));
        let extra = BTreeMap::from([
            ("prompt".to_owned(), "none".to_owned()),
            ("state".to_owned(), "mine".to_owned()),
            ("redirect_uri".to_owned(), "https://evil.example".to_owned()),
        ]);
        let verifier = CodeVerifier::from(String::new());
        let request = AuthorizationRequest {
            client_id: "id",
            redirect_uri: "https://m.example/cb",
            scopes: &[],
            second_scopes: &[],
            extra: &extra,
            verifier: &verifier,
            random: "r",
        };
        let url = request.url(&data, &Values::default()).unwrap();
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs.iter().filter(|(name, _)| name == "state").count(), 0);
        assert_eq!(pairs.iter().filter(|(name, _)| name == "redirect_uri").count(), 1);
        assert_eq!(pairs.iter().find(|(name, _)| name == "prompt").map(|(_, value)| value.as_str()), Some("none"));
    }

    #[test]
    fn a_refusal_is_believed_before_a_code() {
        let random = Random::system();
        let state = State::random(&ConnectorId::parse("acme").unwrap(), &AttemptId::random(&random), &random).expose();
        let table = [
            ("the happy path", "code=c", "code c"),
            ("a refusal", "error=access_denied", "denied access_denied"),
            ("both", "code=c&error=access_denied", "denied access_denied"),
            ("neither", "", "denied invalid_response"),
            ("an empty code", "code=", "denied invalid_response"),
            ("an error to print", "error=%3Cscript%3E%22%0a", "denied <script>"),
        ];
        for (case, query, expected) in table {
            let params = Params::from_form(format!("state={state}&{query}").as_bytes()).unwrap();
            assert_eq!(said(AuthorizationResponse::from_params(&params).unwrap().decide("code")), expected, "{case}");
        }
    }

    fn said(verdict: Verdict) -> String {
        match verdict {
            Verdict::Denied(error) => format!("denied {error}"),
            Verdict::Code(code) => format!("code {}", code.expose()),
        }
    }

    #[test]
    fn the_code_may_have_another_name() {
        let table = [
            ("auth_code=c", "code c"),
            ("code=c", "denied invalid_response"),
            ("auth_code=c&code=d", "code c"),
            ("auth_code=c&auth_code=d", "denied invalid_response"),
            ("auth_code=c&error=access_denied", "denied access_denied"),
        ];
        for (query, expected) in table {
            let params = Params::from_form(format!("state=acme.att_1.s&{query}").as_bytes()).unwrap();
            assert_eq!(said(AuthorizationResponse::from_params(&params).unwrap().decide("auth_code")), expected);
        }
    }

    #[test]
    fn without_a_verifier_nobody_consented() {
        let table = [
            ("oauth_token=t&oauth_verifier=v", "code v"),
            ("oauth_token=t", "denied access_denied"),
            ("denied=t", "denied access_denied"),
            ("oauth_token=t&oauth_verifier=v&denied=t", "denied access_denied"),
            ("oauth_token=t&oauth_verifier=v&oauth_problem=permission_denied", "denied access_denied"),
            ("oauth_token=t&oauth_verifier=", "denied access_denied"),
            ("oauth_verifier=v&oauth_verifier=w", "denied invalid_response"),
            ("oauth_token=t&oauth_verifier=v&error=server_error", "denied server_error"),
            ("code=c", "denied access_denied"),
        ];
        for (query, expected) in table {
            let params = Params::from_form(format!("state=acme.att_1.s&{query}").as_bytes()).unwrap();
            assert_eq!(said(AuthorizationResponse::from_params(&params).unwrap().decide_on_verifier()), expected);
        }
    }

    #[test]
    fn a_response_without_our_state_or_with_two_codes_is_refused() {
        for query in [
            "code=c",
            "code=c&state=",
            "code=c&state=foreign",
            "code=c&state=acme.att_1.s&code=d",
            "code=c&state=acme.att_1.s&state=acme.att_1.s",
            "code=c&state=acme.att_1.s&iss=a&iss=b",
        ] {
            let params = Params::from_form(query.as_bytes()).unwrap();
            assert!(AuthorizationResponse::from_params(&params).is_err(), "{query}");
        }
    }
}
