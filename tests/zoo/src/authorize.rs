//! The authorization endpoint (RFC 6749 §3.1, RFC 7636 §4.3, RFC 9207, RFC 9126). Everybody consents at once.

use serde_json::{Value, json};
use url::Url;

use crate::{
    client_auth::authenticate,
    data::{Answer, Authorize, Body, Need, Pkce, Push, Sign, Wish},
    digest::{hex, hmac_sha256},
    dpop,
    engine::{Done, Exchange},
    fault::Fault,
    random,
    refusal::{self, Refused},
    request::{Pairs, get},
    rule::fits,
    state::{Client, Code, Granted, State},
    template::interpolate,
};

/// Sends the browser back with a code, or says what was wrong with the request.
pub fn authorize(exchange: &Exchange<'_>, state: &mut State, data: &Authorize) -> Result<Done, Refused> {
    let mut parameters = exchange.request.parameters(&[])?;
    if let Some(request_uri) = get(&parameters, "request_uri") {
        let client_id = exchange.required(&parameters, "client_id")?;
        parameters = pushed(exchange, state, request_uri, client_id)?;
    } else if data.pushed_only {
        return Err(Refused::new("parameter", "the request has to be pushed in advance"));
    }

    let client = known(exchange, state, &parameters)?;
    let redirect_uri = redirect_uri(exchange, &client, &parameters, data)?;
    let back = Back { exchange, data, client: &client, parameters: &parameters, redirect_uri: &redirect_uri };
    let scopes = match demands(exchange, &parameters, data) {
        Ok(scopes) => scopes,
        Err(refused) if data.refuses_on_page => return Err(refused),
        Err(refused) => return back.refused(&refused),
    };
    if let Some(answer) = unwilling(exchange, data) {
        return back.with(answer);
    }

    let code = consent(exchange, state, data, &client, &parameters, scopes);
    let account = account(exchange, state);
    let variables = exchange.variables(&parameters, json!({ "account": account, "client_id": client.id }));
    let mut answer = vec![(data.code_parameter.clone(), code)];
    answer.extend(data.callback.iter().map(|(name, value)| (name.clone(), interpolate(value, &variables))));
    back.with(answer)
}

/// Takes a request in advance (RFC 9126 §2).
pub fn push(exchange: &Exchange<'_>, state: &mut State, data: &Push) -> Result<Done, Refused> {
    let (parameters, _) = exchange.gate(&[Body::Form])?;
    let key = dpop::proven(exchange, state, None)?;
    let client = authenticate(exchange, state, &parameters)?;
    if let Some(client) = &client
        && exchange.parameter(&parameters, "client_id").is_some_and(|named| named != client.id)
    {
        return Err(Refused::new("invalid_client", "client_id is another than the client that authenticated"));
    }
    let client = match client {
        Some(client) => client,
        None => known(exchange, state, &parameters)?,
    };
    let endpoints = &exchange.provider.endpoints;
    if let Some(authorize) = endpoints.iter().find_map(|endpoint| endpoint.authorize.as_ref()) {
        redirect_uri(exchange, &client, &parameters, authorize)?;
        demands_of(exchange, &parameters, authorize)?;
    }
    let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", random::text());
    let mut kept = parameters;
    kept.retain(|(name, _)| name != "client_secret" && name != "client_assertion" && name != "dpop_jkt");
    kept.extend(key.map(|key| ("dpop_jkt".to_owned(), key))); // RFC 9449 §10.1
    if get(&kept, exchange.name("client_id")).is_none() {
        kept.push((exchange.name("client_id").to_owned(), client.id));
    }
    state.pushed.put(request_uri.clone(), (exchange.now + data.ttl, kept));
    let body = json!({ "request_uri": "${request_uri}", "expires_in": "${expires_in}" });
    let variables = json!({ "request_uri": request_uri, "expires_in": data.ttl });
    Ok(Done::Say(said(201, body), variables))
}

/// A JSON answer that the standard fixes.
#[must_use]
pub fn said(status: u16, json: Value) -> Answer {
    Answer { status, headers: std::collections::BTreeMap::new(), json: Some(json), form: None, text: None, html: None }
}

/// What was pushed, once and by this client (RFC 9126 §4, RFC 9700 §2.1.1).
fn pushed(exchange: &Exchange<'_>, state: &mut State, request_uri: &str, client_id: &str) -> Result<Pairs, Refused> {
    let unknown = || Refused::new("parameter", "request_uri is unknown, has expired or was used");
    let (until, parameters) = state.pushed.get_mut(request_uri).ok_or_else(unknown)?;
    if *until <= exchange.now {
        return Err(unknown());
    }
    if exchange.parameter(parameters, "client_id") != Some(client_id) {
        return Err(Refused::new("parameter", "client_id is another than that of the pushed request"));
    }
    *until = 0;
    Ok(parameters.clone())
}

fn known(exchange: &Exchange<'_>, state: &State, parameters: &Pairs) -> Result<Client, Refused> {
    let named = exchange.required(parameters, "client_id")?;
    let id = exchange.provider.applications.get(named).map_or(named, String::as_str);
    let unknown = || Refused::new("invalid_client", "no client is registered under this id");
    state.clients.get(id).cloned().ok_or_else(unknown)
}

/// RFC 9700 §2.1: compared character by character.
fn redirect_uri(
    exchange: &Exchange<'_>,
    client: &Client,
    parameters: &Pairs,
    data: &Authorize,
) -> Result<String, Refused> {
    let Some(named) = exchange.parameter(parameters, "redirect_uri") else {
        return match (data.redirect_uri, &client.redirect_uris[..]) {
            (Need::Optional | Need::Ignored, [only, ..]) => Ok(only.clone()),
            _ => Err(Refused::new("redirect_uri", format!("parameter {} is missing", exchange.name("redirect_uri")))),
        };
    };
    let registered = client.redirect_uris.is_empty() || client.redirect_uris.iter().any(|uri| uri == named);
    if !registered || Url::parse(named).is_err() {
        return Err(Refused::new("redirect_uri", "redirect_uri is not one that the client has registered"));
    }
    Ok(named.to_owned())
}

/// What the documentation asks of the request; gives the scopes.
fn demands(exchange: &Exchange<'_>, parameters: &Pairs, data: &Authorize) -> Result<Vec<String>, Refused> {
    exchange.rules(&exchange.endpoint.headers, &exchange.endpoint.parameters, parameters)?;
    demands_of(exchange, parameters, data)
}

fn demands_of(exchange: &Exchange<'_>, parameters: &Pairs, data: &Authorize) -> Result<Vec<String>, Refused> {
    let challenge = exchange.parameter(parameters, "code_challenge");
    let method = exchange.parameter(parameters, "code_challenge_method").unwrap_or("plain"); // RFC 7636 §4.3
    let wrong = |words: String| Err(Refused::new("parameter", words));
    match (data.pkce, challenge) {
        (Pkce::Required, None) => return wrong(format!("parameter {} is missing", exchange.name("code_challenge"))),
        (Pkce::Refused, Some(_)) => return wrong("PKCE is not taken here".to_owned()),
        (Pkce::Required | Pkce::Supported, Some(challenge)) => {
            if !data.pkce_methods.iter().any(|known| known == method) {
                return wrong(format!("code_challenge_method has to be {}", data.pkce_methods.join(" or ")));
            }
            if !(43..=128).contains(&challenge.len()) {
                return wrong("code_challenge has to have 43 to 128 characters".to_owned());
            }
        }
        (Pkce::Supported | Pkce::Refused, None) | (Pkce::Ignored, _) => {}
    }

    let written = exchange.parameter(parameters, "scope").unwrap_or_default();
    let scopes = split(written, &data.scope_separator);
    if let Some(pattern) = &data.scope_pattern
        && let Some(odd) = scopes.iter().find(|scope| !fits(pattern, scope))
    {
        return Err(Refused::new("invalid_scope", format!("scope {odd} is none of those that are documented")));
    }
    Ok(scopes.into_iter().chain(data.scope_granted_too.clone()).collect())
}

/// Scopes as they are written.
#[must_use]
pub fn split(written: &str, separator: &str) -> Vec<String> {
    written.split(separator).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

fn unwilling(exchange: &Exchange<'_>, data: &Authorize) -> Option<Pairs> {
    exchange.faults.pick(|fault| match fault {
        Fault::Deny => Some(data.denied.clone().into_iter().collect()),
        Fault::AuthorizationError(error) => Some(vec![("error".to_owned(), error.clone())]),
        Fault::Refuse(_)
        | Fault::RefuseWith200(_)
        | Fault::HtmlPage(_)
        | Fault::Status(..)
        | Fault::Slow(_)
        | Fault::Cut
        | Fault::LostReply
        | Fault::Without(_)
        | Fault::NumbersAsTexts
        | Fault::ClockAhead(_)
        | Fault::Rotates(_)
        | Fault::Grace(_)
        | Fault::ReuseEndsGrant
        | Fault::Issuer(_) => None,
    })
}

/// Who consents.
#[must_use]
pub fn account(exchange: &Exchange<'_>, state: &State) -> Value {
    exchange.provider.accounts.get(&state.account).cloned().unwrap_or_else(|| json!({}))
}

/// Whether one of the wishes is said, or none is needed.
#[must_use]
pub fn wished(wishes: &[Wish], scopes: &[String], parameters: &Pairs, settings: &[String]) -> bool {
    wishes.is_empty()
        || wishes.iter().any(|wish| match wish {
            Wish::Scope(wanted) => wanted.iter().any(|scope| scopes.contains(scope)),
            Wish::Parameter(name, value) => get(parameters, name) == Some(value),
            Wish::Client(setting) => settings.contains(setting),
        })
}

fn consent(
    exchange: &Exchange<'_>,
    state: &mut State,
    data: &Authorize,
    client: &Client,
    parameters: &Pairs,
    scopes: Vec<String>,
) -> String {
    let tokens = &exchange.provider.tokens;
    let is_again = state.grants.values().any(|g| g.client_id == client.id && g.account == state.account && !g.ended);
    let wants_refresh = wished(&tokens.refresh_if, &scopes, parameters, &client.settings)
        && (!is_again || wished(&tokens.refresh_again_if, &scopes, parameters, &client.settings));
    let method = exchange.parameter(parameters, "code_challenge_method").unwrap_or("plain");
    let challenge = exchange
        .parameter(parameters, "code_challenge")
        .filter(|_| data.pkce != Pkce::Ignored)
        .map(|challenge| (challenge.to_owned(), method.to_owned()));
    let account_data = account(exchange, state);
    let grant = state.grant(Granted {
        client_id: client.id.clone(),
        account: state.account.clone(),
        account_data,
        scopes,
        host: exchange.captures["host"].clone(),
        key: json!({}),
        ended: false,
    });
    let code = interpolate(&tokens.code, &json!({ "random": random::text(), "uuid": random::uuid() }));
    let kept = Code {
        grant,
        redirect_uri: exchange.parameter(parameters, "redirect_uri").map(str::to_owned),
        challenge,
        nonce: get(parameters, "nonce").map(str::to_owned),
        bound_to: get(parameters, "dpop_jkt").map(str::to_owned),
        expires_at: exchange.now + tokens.code_ttl,
        spent: false,
        wants_refresh,
    };
    state.codes.put(code.clone(), kept);
    code
}

/// The way back to the client.
struct Back<'b> {
    exchange: &'b Exchange<'b>,
    data: &'b Authorize,
    client: &'b Client,
    parameters: &'b Pairs,
    redirect_uri: &'b str,
}

impl Back<'_> {
    /// RFC 6749 §4.1.2.1. The log is told too, since whoever asked will only see a failed connection.
    fn refused(&self, refused: &Refused) -> Result<Done, Refused> {
        let answer = vec![
            ("error".to_owned(), refusal::error(&refused.case).to_owned()),
            ("error_description".to_owned(), refused.words.clone()),
        ];
        let back = Some(self.address(answer)?);
        Err(Refused { case: refused.case.clone(), words: refused.words.clone(), back })
    }

    fn with(&self, answer: Pairs) -> Result<Done, Refused> {
        let form_post = get(self.parameters, "response_mode") == Some("form_post");
        if form_post && !self.data.form_post {
            return Err(Refused::new("parameter", "response_mode form_post is not documented"));
        }
        if form_post {
            return Ok(Done::Page(self.page(&self.complete(answer))));
        }
        Ok(Done::Redirect(self.address(answer)?))
    }

    fn complete(&self, mut answer: Pairs) -> Pairs {
        let state = self.exchange.name("state");
        answer.extend(get(self.parameters, state).map(|value| (state.to_owned(), value.to_owned())));
        let faults = &self.exchange.faults;
        let another = faults.pick(|fault| if let Fault::Issuer(issuer) = fault { Some(issuer.clone()) } else { None });
        let own = self.exchange.provider.issuer.clone().filter(|_| self.data.iss);
        answer.extend(another.or(own).map(|issuer| ("iss".to_owned(), issuer)));
        answer.retain(|(name, _)| !faults.has(&Fault::Without(name.clone())));
        match &self.data.sign {
            Some(Sign::HmacSha256Hex(name)) => {
                let mut pairs: Vec<String> = answer.iter().map(|(name, value)| format!("{name}={value}")).collect();
                pairs.sort();
                let secret = self.client.secret.as_deref().unwrap_or_default();
                answer.push((name.clone(), hex(&hmac_sha256(secret, &pairs.join("&")))));
            }
            None => {}
        }
        answer
    }

    fn address(&self, answer: Pairs) -> Result<String, Refused> {
        let unusable = |_| Refused::new("redirect_uri", "redirect_uri is not an address");
        let mut url = Url::parse(self.redirect_uri).map_err(unusable)?;
        url.query_pairs_mut().extend_pairs(self.complete(answer));
        url.set_fragment(self.data.fragment.as_deref());
        Ok(url.into())
    }

    /// OAuth 2.0 Form Post Response Mode §2.
    fn page(&self, answer: &Pairs) -> String {
        let escape = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
        let input = |(name, value): &(String, String)| {
            format!(r#"<input type="hidden" name="{}" value="{}">"#, escape(name), escape(value))
        };
        let inputs = answer.iter().map(input).collect::<Vec<_>>().concat();
        let action = escape(self.redirect_uri);
        format!(
            "<!doctype html><title>Working…</title><body onload=\"document.forms[0].submit()\">\
             <form method=\"post\" action=\"{action}\">{inputs}<button>Go on</button></form>"
        )
    }
}
