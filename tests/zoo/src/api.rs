//! API calls and revocation: where the credential stands, and what it opens.

use serde_json::{Value, json};

use crate::{
    client_auth::{self, authenticate},
    data::{Api, Ends, Place, Revoke},
    dpop,
    engine::{Done, Exchange},
    oauth1,
    refusal::Refused,
    request::{Pairs, get},
    rule::{Claim, check_account},
    sigv4,
    state::{Granted, State},
    template::{at, capture},
};

/// Whose call it is.
struct Holder {
    granted: Option<Granted>,
    key: Value,
}

/// Answers an API call.
pub fn call(exchange: &Exchange<'_>, state: &mut State, data: &Api) -> Result<Done, Refused> {
    let defaults = &exchange.provider.api;
    let reads_body = !exchange.endpoint.bodies.is_empty() || !exchange.endpoint.parameters.is_empty();
    let (parameters, mut claims) =
        if reads_body { exchange.gate(&[])? } else { (exchange.request.query.clone(), exchange.rules_of_captures()?) };
    if !reads_body {
        claims.extend(exchange.rules(&exchange.endpoint.headers, &exchange.endpoint.parameters, &parameters)?);
    }

    let places = if data.credential.is_empty() { &defaults.credential } else { &data.credential };
    let first = holder(exchange, state, &parameters, places, &claims);
    let holder = match first {
        Err(_) if data.credential.is_empty() && !defaults.or_credential.is_empty() => {
            let second = holder(exchange, state, &parameters, &defaults.or_credential, &claims);
            // what is not there at all says less than what is wrong
            match (first, second) {
                (Err(first), Err(second)) if second.case == "token_missing" => return Err(first),
                (_, second) => second?,
            }
        }
        first => first?,
    };
    let general = exchange.rules(&defaults.headers, &defaults.parameters, &parameters)?;
    let key = if general.is_empty() { holder.key.clone() } else { state.key(&general)? };

    let account = match &holder.granted {
        Some(granted) => granted.account_data.clone(),
        None => crate::authorize::account(exchange, state),
    };
    fits_account(exchange, &parameters, &account)?;
    let scopes = holder.granted.as_ref().map(|granted| granted.scopes.clone()).unwrap_or_default();
    if !data.scopes.is_empty() && !data.scopes.iter().any(|scope| scopes.contains(scope)) {
        return Err(Refused::new("insufficient_scope", format!("the token needs scope {}", data.scopes.join(" or "))));
    }
    let more = json!({
        "account": account,
        "key": if holder.key == json!({}) { key } else { holder.key },
        "client_id": holder.granted.as_ref().map(|granted| &granted.client_id),
        "scope": scopes.join(exchange.separator()),
        "scopes": scopes,
    });
    Ok(Done::Say(data.answer.clone(), exchange.variables(&parameters, more)))
}

impl Exchange<'_> {
    fn rules_of_captures(&self) -> Result<Vec<Claim>, Refused> {
        let taken = |name: &str| at(name, &self.captures).and_then(Value::as_str);
        crate::rule::check(&self.endpoint.captures, "capture", "parameter", taken)
    }
}

fn fits_account(exchange: &Exchange<'_>, parameters: &Pairs, account: &Value) -> Result<(), Refused> {
    let (endpoint, defaults) = (exchange.endpoint, &exchange.provider.api);
    let header = |name: &str| exchange.request.header(name);
    let parameter = |name: &str| get(parameters, name);
    let taken = |name: &str| at(name, &exchange.captures).and_then(Value::as_str);
    check_account(&endpoint.headers, "header", "header", account, header)?;
    check_account(&defaults.headers, "header", "header", account, header)?;
    check_account(&endpoint.parameters, "parameter", "parameter", account, parameter)?;
    check_account(&defaults.parameters, "parameter", "parameter", account, parameter)?;
    check_account(&endpoint.captures, "capture", "not_found", account, taken)
}

/// What a place takes of the request; what it holds is not told.
fn presented(exchange: &Exchange<'_>, parameters: &Pairs, place: &Place) -> Result<Pairs, Refused> {
    let missing = |what: &str, name: &str| Refused::new("token_missing", format!("{what} {name} is missing"));
    let taken = |what: &str, name: &str, template: &str, text: Option<&str>| {
        let text = text.filter(|text| !text.is_empty()).ok_or_else(|| missing(what, name))?;
        let wrong = || Refused::new("token_invalid", format!("{what} {name} has to be {template}"));
        capture(template, text).ok_or_else(wrong)
    };
    match place {
        Place::Header(name, template) => taken("header", name, template, exchange.request.header(name)),
        Place::Query(name, template) => taken("query parameter", name, template, get(&exchange.request.query, name)),
        Place::Parameter(name, template) => taken("parameter", name, template, get(parameters, name)),
        Place::Capture(name, template) => {
            taken("capture", name, template, at(name, &exchange.captures).and_then(Value::as_str))
        }
        Place::Basic(user, password) => {
            let (name, secret) = client_auth::basic(exchange)
                .ok_or_else(|| Refused::new("token_missing", "header Authorization has to be Basic"))?;
            // an empty half is what some providers document, so the template may be empty too
            let half = |what: &str, template: &str, text: &str| match (template, text) {
                ("", "") => Ok(Pairs::new()),
                _ => taken("half of Basic:", what, template, Some(text)),
            };
            let mut bound = half("user name", user, &name)?;
            bound.extend(half("password", password, &secret)?);
            Ok(bound)
        }
        Place::Oauth1(_) | Place::AwsSigv4(_) => Ok(Pairs::new()), // whoever asks checks the signature
    }
}

fn holder(
    exchange: &Exchange<'_>,
    state: &mut State,
    parameters: &Pairs,
    places: &[Place],
    claims: &[Claim],
) -> Result<Holder, Refused> {
    let mut granted = None;
    let mut client_id = None;
    let mut claims: Vec<Claim> = claims
        .iter()
        .map(|claim| Claim { field: claim.field.clone(), value: claim.value.clone(), case: claim.case.clone() })
        .collect();
    for place in places {
        if let Place::Oauth1(methods) = place {
            granted = Some(oauth1::holder(exchange, state, methods)?);
            continue;
        }
        if let Place::AwsSigv4(data) = place {
            let key = sigv4::holder(exchange, state, data)?;
            let fields = key.into_iter().map(|(field, value)| Claim { field, value, case: "key_unknown".to_owned() });
            claims.extend(fields);
            continue;
        }
        for (name, value) in presented(exchange, parameters, place)? {
            match name.split_once('.') {
                Some(("key", field)) => {
                    claims.push(Claim { field: field.to_owned(), value, case: "key_unknown".to_owned() });
                }
                _ if name == "client_id" => client_id = Some(value),
                _ => {
                    let bound_to = state.access.get(&value).and_then(|access| access.bound_to.clone());
                    granted = Some(of_token(exchange, state, &value)?);
                    let key = dpop::proven(exchange, state, Some(&value))?;
                    dpop::same_key(bound_to.as_ref(), key.as_ref(), "the token")?;
                }
            }
        }
    }
    if let (Some(client_id), Some(granted)) = (client_id, &granted)
        && granted.client_id != client_id
    {
        return Err(Refused::new("token_invalid", "the token was issued to another client than the call names"));
    }
    let key = state.key(&claims)?;
    Ok(Holder { granted, key })
}

/// What an access token opens.
fn of_token(exchange: &Exchange<'_>, state: &State, token: &str) -> Result<Granted, Refused> {
    let unknown = || Refused::new("token_invalid", "the access token is unknown or was revoked");
    let access = state.access.get(token).filter(|access| !access.ended).ok_or_else(unknown)?;
    let granted = state.grants.get(&access.grant).filter(|granted| !granted.ended).ok_or_else(unknown)?;
    if access.expires_at.is_some_and(|at| at <= exchange.now) {
        return Err(Refused::new("token_expired", "the access token has expired"));
    }
    Ok(granted.clone())
}

/// Ends a token or what it stands for (RFC 7009).
pub fn revoke(exchange: &Exchange<'_>, state: &mut State, data: &Revoke) -> Result<Done, Refused> {
    let (parameters, _) = exchange.gate(&[])?;
    let client = authenticate(exchange, state, &parameters)?;
    let first = presented(exchange, &parameters, &data.token);
    let bound = first.or_else(|refused| {
        let mut others = data.or_token.iter().map(|place| presented(exchange, &parameters, place));
        others.find_map(Result::ok).ok_or(refused)
    })?;
    let (_, token) =
        bound.into_iter().next().ok_or_else(|| Refused::new("token_missing", "the token to be revoked is missing"))?;

    let grant = state.refresh.get(&token).map(|refresh| refresh.grant);
    let is_refresh = grant.is_some();
    let grant = grant.or_else(|| state.access.get(&token).map(|access| access.grant));
    let live = state.is_live(&token, exchange.now);
    let Some(number) = grant.filter(|_| live || !data.refuses_unknown) else {
        if data.refuses_unknown {
            return Err(Refused::new("token_invalid", "the token to be revoked is unknown or has ended"));
        }
        return Ok(Done::Say(data.answer.clone(), exchange.variables(&parameters, json!({})))); // RFC 7009 §2.2
    };
    let granted = state.grants.get(&number).cloned();
    if let (Some(client), Some(granted)) = (&client, &granted)
        && client.id != granted.client_id
    {
        return Err(Refused::new("invalid_grant", "the token was issued to another client"));
    }
    match data.ends {
        Ends::Family if is_refresh => state.end_grant(number),
        Ends::Token | Ends::Family => {
            if let Some(refresh) = state.refresh.get_mut(&token) {
                refresh.ended = true;
            }
            if let Some(access) = state.access.get_mut(&token) {
                access.ended = true;
            }
        }
        Ends::Grant => {
            if let Some(granted) = granted {
                let is_same = |g: &&mut Granted| g.client_id == granted.client_id && g.account == granted.account;
                state.grants.values_mut().filter(is_same).for_each(|granted| granted.ended = true);
            }
        }
    }
    Ok(Done::Say(data.answer.clone(), exchange.variables(&parameters, json!({}))))
}
