//! The token endpoint: each documented way to get tokens.

use serde_json::{Value, json};

use crate::{
    authorize::{account, split, wished},
    client_auth,
    data::{Body, Grant, GrantKind, Need, Wish},
    digest::s256,
    dpop,
    engine::{Done, Exchange},
    fault::Fault,
    jwt::{self, Expected},
    random,
    refusal::Refused,
    request::{Pairs, get},
    rule::Claim,
    state::{Access, Client, Granted, Refresh, State},
    template::interpolate,
};

/// Issues tokens, or refuses.
pub fn token(exchange: &Exchange<'_>, state: &mut State) -> Result<Done, Refused> {
    let (parameters, mut claims) = exchange.gate(&[Body::Form])?;
    let key = dpop::proven(exchange, state, None)?;
    let grant = choose(exchange, &parameters)?;
    let client = match &grant.client_auth {
        Some(ways) => client_auth::by(exchange, state, &parameters, ways)?,
        None => client_auth::authenticate(exchange, state, &parameters)?,
    };
    claims.extend(exchange.rules(&grant.headers, &grant.parameters, &parameters)?);

    let call = Call { exchange, grant, parameters: &parameters, client: client.as_ref(), key };
    let issued = match grant.kind {
        GrantKind::AuthorizationCode => call.code(state)?,
        GrantKind::RefreshToken => call.refresh(state)?,
        GrantKind::ClientCredentials | GrantKind::Login => call.at_once(state, &claims)?,
        GrantKind::JwtBearer => call.assertion(state)?,
        GrantKind::DeviceCode => call.device(state)?,
        GrantKind::Exchange => call.exchange(state)?,
    };
    let variables = exchange.variables(&parameters, call.variables(state, &issued));
    Ok(Done::Say(grant.answer.clone(), variables))
}

/// The way that `grant_type` names.
fn choose<'e>(exchange: &Exchange<'e>, parameters: &Pairs) -> Result<&'e Grant, Refused> {
    let named = get(parameters, exchange.name("grant_type")).unwrap_or_default();
    let fits = |grant: &&Grant| match &grant.grant_types {
        Some(types) => types.iter().any(|known| known == named),
        None => grant.kind.grant_type() == named,
    };
    let grants: Vec<&Grant> = exchange.endpoint.grants.iter().filter(fits).collect();
    // where several have one name (or none), the parameters tell: a code is redeemed by what takes codes
    let tells = |grant: &&&Grant| match grant.kind {
        GrantKind::AuthorizationCode => exchange.parameter(parameters, "code").is_some(),
        GrantKind::RefreshToken => exchange.parameter(parameters, "refresh_token").is_some(),
        GrantKind::ClientCredentials
        | GrantKind::JwtBearer
        | GrantKind::DeviceCode
        | GrantKind::Exchange
        | GrantKind::Login => true,
    };
    if let Some(grant) = grants.iter().find(tells).or(grants.first()) {
        return Ok(grant);
    }
    let known: Vec<&str> = exchange
        .endpoint
        .grants
        .iter()
        .flat_map(|grant| match &grant.grant_types {
            Some(types) => types.iter().map(String::as_str).collect(),
            None => vec![grant.kind.grant_type()],
        })
        .collect();
    let words = format!(
        "grant_type has to be {}, was {}",
        known.join(" or "),
        if named.is_empty() { "absent" } else { "something else" }
    );
    Err(Refused::new("unsupported_grant_type", words))
}

struct Call<'c> {
    exchange: &'c Exchange<'c>,
    grant: &'c Grant,
    parameters: &'c Pairs,
    client: Option<&'c Client>,
    /// The key of which the request proved possession.
    key: Option<String>,
}

/// What was issued.
struct Issued {
    grant: u64,
    access: String,
    refresh: Option<String>,
    expires_in: Option<i64>,
    scopes: Vec<String>,
    nonce: Option<String>,
}

/// What to do about a refresh token.
enum Renewal {
    None,
    New,
    Same(String),
}

impl Call<'_> {
    fn client_id(&self) -> String {
        self.client.map(|client| client.id.clone()).unwrap_or_default()
    }

    /// RFC 6749 §4.1.3. A code that comes again ends what it became (§4.1.2).
    fn code(&self, state: &mut State) -> Result<Issued, Refused> {
        let exchange = self.exchange;
        let presented = exchange.required(self.parameters, "code")?;
        let unknown = || Refused::new("invalid_grant", "the code is unknown");
        let code = state.codes.get(presented).cloned().ok_or_else(unknown)?;
        let granted = state.grants.get(&code.grant).cloned().ok_or_else(unknown)?;
        if self.client.is_some() && granted.client_id != self.client_id() {
            return Err(Refused::new("invalid_grant", "the code was issued to another client"));
        }
        if code.spent {
            state.end_grant(code.grant);
            return Err(Refused::new("code_spent", "the code was used before"));
        }
        if code.expires_at <= exchange.now {
            return Err(Refused::new("code_expired", "the code has expired"));
        }
        if granted.host != exchange.captures["host"] && !same_places(&granted.host, &exchange.captures["host"]) {
            return Err(Refused::new("invalid_grant", "the code was issued at another host name"));
        }
        dpop::same_key(code.bound_to.as_ref(), self.key.as_ref(), "the code")?;
        self.same_redirect_uri(code.redirect_uri.as_deref())?;
        self.proves_possession(code.challenge.as_ref())?;

        if let Some(code) = state.codes.get_mut(presented) {
            code.spent = true;
        }
        let asked = code.wants_refresh || self.wishes(&granted.scopes);
        let renewal = if asked { Renewal::New } else { Renewal::None };
        Ok(Issued { nonce: code.nonce, ..self.issue(state, code.grant, renewal) })
    }

    fn wishes(&self, scopes: &[String]) -> bool {
        let settings = self.client.map(|client| &client.settings[..]).unwrap_or_default();
        let wishes = &self.exchange.provider.tokens.refresh_if;
        let by_parameter: Vec<&str> = wishes
            .iter()
            .filter_map(|wish| if let Wish::Parameter(name, _) = wish { Some(name.as_str()) } else { None })
            .collect();
        // what the authorization request decides is decided; only this request's own parameters are new
        by_parameter.iter().any(|name| get(self.parameters, name).is_some())
            && wished(wishes, scopes, self.parameters, settings)
    }

    /// RFC 6749 §4.1.3: identical, if the request for authorization named one.
    fn same_redirect_uri(&self, asked: Option<&str>) -> Result<(), Refused> {
        let named = self.exchange.parameter(self.parameters, "redirect_uri");
        match (self.grant.redirect_uri, named) {
            (Need::Ignored, _) | (Need::Optional, None) => Ok(()),
            (Need::Required, None) if asked.is_none() => Ok(()),
            (Need::Required, None) => Err(Refused::new(
                "redirect_uri",
                format!("parameter {} is missing", self.exchange.name("redirect_uri")),
            )),
            (Need::Required | Need::Optional, Some(named)) if asked.is_none_or(|asked| asked == named) => Ok(()),
            (Need::Required | Need::Optional, Some(_)) => {
                Err(Refused::new("redirect_uri", "redirect_uri is another than that of the authorization request"))
            }
        }
    }

    /// RFC 7636 §4.6.
    fn proves_possession(&self, challenge: Option<&(String, String)>) -> Result<(), Refused> {
        let verifier = self.exchange.parameter(self.parameters, "code_verifier");
        match (challenge, verifier) {
            (None, _) => Ok(()),
            (Some(_), None) => {
                Err(Refused::new("pkce", format!("parameter {} is missing", self.exchange.name("code_verifier"))))
            }
            (Some((challenge, method)), Some(verifier)) => {
                let computed = if method == "S256" { s256(verifier) } else { verifier.to_owned() };
                if computed == *challenge {
                    return Ok(());
                }
                Err(Refused::new("pkce", "code_verifier does not match code_challenge"))
            }
        }
    }

    /// RFC 6749 §6; a spent token as in RFC 9700 §4.14.2.
    fn refresh(&self, state: &mut State) -> Result<Issued, Refused> {
        let exchange = self.exchange;
        let presented = exchange.required(self.parameters, "refresh_token")?.to_owned();
        let unknown = || Refused::new("refresh_expired", "the refresh token is unknown or was revoked");
        let token = state.refresh.get(&presented).cloned().ok_or_else(unknown)?;
        let granted = state.grants.get(&token.grant).cloned().ok_or_else(unknown)?;
        if token.ended || granted.ended {
            return Err(unknown());
        }
        if self.client.is_some() && granted.client_id != self.client_id() {
            return Err(Refused::new("invalid_grant", "the refresh token was issued to another client"));
        }
        if token.expires_at.is_some_and(|at| at <= exchange.now) {
            return Err(Refused::new("refresh_expired", "the refresh token has expired"));
        }
        if let Some(spent_at) = token.spent_at.filter(|spent_at| exchange.now - spent_at >= self.grace()) {
            if self.reuse_ends_grant() {
                state.end_grant(token.grant);
            }
            let ago = exchange.now - spent_at;
            return Err(Refused::new("refresh_spent", format!("the refresh token was used {ago} seconds ago")));
        }
        dpop::same_key(token.bound_to.as_ref(), self.key.as_ref(), "the refresh token")?;
        let wish = exchange.parameter(self.parameters, "scope").unwrap_or_default();
        if split(wish, exchange.separator()).iter().any(|scope| !granted.scopes.contains(scope)) {
            return Err(Refused::new("invalid_scope", "scope is more than was granted"));
        }

        if !self.rotates() {
            return Ok(self.issue(state, token.grant, Renewal::Same(presented)));
        }
        if let Some(token) = state.refresh.get_mut(&presented) {
            token.spent_at = token.spent_at.or(Some(exchange.now));
        }
        Ok(self.issue(state, token.grant, Renewal::New))
    }

    fn rotates(&self) -> bool {
        let asked = |fault: &Fault| if let Fault::Rotates(rotates) = fault { Some(*rotates) } else { None };
        self.exchange.faults.pick(asked).unwrap_or(self.exchange.provider.tokens.rotates)
    }

    fn grace(&self) -> i64 {
        let asked = |fault: &Fault| if let Fault::Grace(seconds) = fault { Some(*seconds) } else { None };
        self.exchange.faults.pick(asked).unwrap_or(self.exchange.provider.tokens.grace)
    }

    fn reuse_ends_grant(&self) -> bool {
        self.exchange.faults.has(&Fault::ReuseEndsGrant) || self.exchange.provider.tokens.reuse_ends_grant
    }

    /// Where the client or the login is all that is needed (RFC 6749 §4.4.2).
    fn at_once(&self, state: &mut State, claims: &[Claim]) -> Result<Issued, Refused> {
        let key = state.key(claims)?;
        let written = self.exchange.parameter(self.parameters, "scope").unwrap_or_default();
        let scopes = split(written, self.exchange.separator());
        let grant = self.grant_to(state, self.client_id(), scopes, key);
        Ok(self.issue(state, grant, Renewal::New))
    }

    /// RFC 7523 §3.
    fn assertion(&self, state: &mut State) -> Result<Issued, Refused> {
        let wrong = |words: String| Refused::new("invalid_assertion", format!("the assertion {words}"));
        let assertion = self.exchange.required(self.parameters, "assertion")?;
        let claims = jwt::claims(assertion).ok_or_else(|| wrong("is not a JWT".to_owned()))?;
        let issuer = claims["iss"].as_str().unwrap_or_default().to_owned();
        let client = state.clients.get(&issuer).ok_or_else(|| wrong("is of a client that is not known".to_owned()))?;
        let expected = Expected {
            issuer: &issuer,
            subject: None,
            audiences: &self.grant.audience,
            now: self.exchange.now,
            longest: self.grant.assertion_ttl,
        };
        jwt::check(assertion, &client.public_keys, &expected).map_err(wrong)?;
        let scopes = split(claims["scope"].as_str().unwrap_or_default(), " ");
        let grant = self.grant_to(state, issuer, scopes, json!({}));
        Ok(self.issue(state, grant, Renewal::New))
    }

    /// RFC 8628 §3.5.
    fn device(&self, state: &mut State) -> Result<Issued, Refused> {
        let now = self.exchange.now;
        let presented = self.exchange.required(self.parameters, "device_code")?;
        let unknown = || Refused::new("invalid_grant", "the device code is unknown or was used");
        let waiting = state.devices.get_mut(presented).filter(|waiting| !waiting.spent).ok_or_else(unknown)?;
        if self.client.is_some() && waiting.client_id != self.client_id() {
            return Err(unknown());
        }
        if waiting.expires_at <= now {
            return Err(Refused::new("device_code_expired", "the device code has expired"));
        }
        if now - waiting.polled_at < waiting.interval {
            waiting.polled_at = now;
            return Err(Refused::new("slow_down", format!("polls have to be {} seconds apart", waiting.interval)));
        }
        waiting.polled_at = now;
        if waiting.pending > 0 {
            waiting.pending -= 1;
            return Err(Refused::new("authorization_pending", "the person has not consented yet"));
        }
        waiting.spent = true;
        let (client_id, scopes) = (waiting.client_id.clone(), waiting.scopes.clone());
        let grant = self.grant_to(state, client_id, scopes, json!({}));
        Ok(self.issue(state, grant, Renewal::New))
    }

    /// A token for another token.
    fn exchange(&self, state: &mut State) -> Result<Issued, Refused> {
        let Grant { subject, accepts, min_age, .. } = self.grant;
        let presented = get(self.parameters, subject)
            .or_else(|| self.exchange.request.authorization("Bearer"))
            .ok_or_else(|| Refused::new("parameter", format!("parameter {subject} is missing")))?;
        let wrong = |words: String| Err(Refused::new("invalid_grant", format!("{subject} {words}")));
        let now = self.exchange.now;
        let Some(access) = state.access.get(presented).cloned().filter(|_| state.is_live(presented, now)) else {
            return wrong("is unknown, has expired or was revoked".to_owned());
        };
        if !accepts.contains(&access.kind) {
            return wrong(format!(
                "has to be a token of the kind {}, was of the kind {}",
                accepts.join(" or "),
                access.kind
            ));
        }
        if now - access.issued_at < *min_age {
            return wrong(format!("has to be {min_age} seconds old"));
        }
        let is_anothers = |granted: &Granted| self.client.is_some() && granted.client_id != self.client_id();
        if state.grants.get(&access.grant).is_none_or(is_anothers) {
            return wrong("was issued to another client".to_owned());
        }
        Ok(self.issue(state, access.grant, Renewal::None))
    }

    fn grant_to(&self, state: &mut State, client_id: String, scopes: Vec<String>, key: Value) -> u64 {
        let account_data = account(self.exchange, state);
        state.grant(Granted {
            client_id,
            account: state.account.clone(),
            account_data,
            scopes,
            host: self.exchange.captures["host"].clone(),
            key,
            ended: false,
        })
    }

    fn issue(&self, state: &mut State, grant: u64, renewal: Renewal) -> Issued {
        let now = self.exchange.now;
        let formats = &self.exchange.provider.tokens;
        let mint = |format: &str| interpolate(format, &json!({ "random": random::text(), "uuid": random::uuid() }));
        let usual =
            matches!(self.grant.kind, GrantKind::AuthorizationCode | GrantKind::RefreshToken | GrantKind::DeviceCode);
        let refresh = match renewal {
            Renewal::Same(token) => Some(token),
            Renewal::New if self.grant.refresh.unwrap_or(usual) => formats.refresh.as_deref().map(mint),
            Renewal::New | Renewal::None => None,
        };
        let lasts = formats.lasts_without_refresh && refresh.is_none();
        let asked = self.grant.ttl_parameter.as_ref().and_then(|name| get(self.parameters, name)?.parse().ok());
        let expires_in = asked.or(self.grant.ttl).or(formats.access_ttl.filter(|_| !lasts));
        let claims = json!({ "iat": now, "exp": expires_in.map(|seconds| now + seconds), "jti": random::text() });
        let named =
            json!({ "random": random::text(), "uuid": random::uuid(), "jwt": self.exchange.signer.sign(&claims) });
        let access = interpolate(&formats.access, &named);
        state.access.put(
            access.clone(),
            Access {
                grant,
                issued_at: now,
                expires_at: expires_in.map(|seconds| now + seconds),
                kind: self.grant.issues.clone(),
                secret: None,
                bound_to: self.key.clone(),
                ended: false,
            },
        );
        if let Some(token) = refresh.clone().filter(|token| state.refresh.get(token).is_none()) {
            let expires_at = formats.refresh_ttl.map(|seconds| now + seconds);
            let bound_to = self.key.clone().filter(|_| self.client.is_none_or(|client| client.secret.is_none()));
            state.refresh.put(token, Refresh { grant, expires_at, spent_at: None, bound_to, ended: false });
        }
        let scopes = state.grants.get(&grant).map(|granted| granted.scopes.clone()).unwrap_or_default();
        Issued { grant, access, refresh, expires_in, scopes, nonce: None }
    }

    fn variables(&self, state: &State, issued: &Issued) -> Value {
        let now = self.exchange.now;
        let granted = state.grants.get(&issued.grant);
        let account = granted.map(|granted| granted.account_data.clone()).unwrap_or_default();
        let refresh_ttl = self.exchange.provider.tokens.refresh_ttl.filter(|_| issued.refresh.is_some());
        json!({
            "access_token": issued.access,
            "refresh_token": issued.refresh,
            "id_token": self.id_token(issued, granted),
            "expires_in": issued.expires_in,
            "expires_at": issued.expires_in.map(|seconds| now + seconds),
            "refresh_expires_in": refresh_ttl,
            "refresh_expires_at": refresh_ttl.map(|seconds| now + seconds),
            "scope": issued.scopes.join(self.exchange.separator()),
            "scopes": issued.scopes,
            "client_id": granted.map(|granted| &granted.client_id),
            "key": granted.map(|granted| &granted.key),
            "account": account,
        })
    }

    /// OpenID Connect Core §2: for those who asked for `openid`.
    fn id_token(&self, tokens: &Issued, granted: Option<&Granted>) -> Option<String> {
        let issuer = self.exchange.provider.issuer.as_ref()?;
        let granted = granted.filter(|_| tokens.scopes.iter().any(|scope| scope == "openid"))?;
        let now = self.exchange.now;
        let mut claims = json!({
            "iss": issuer,
            "aud": granted.client_id,
            "sub": granted.account,
            "iat": now,
            "exp": now + 3600,
        });
        if let (Some(nonce), Some(claims)) = (&tokens.nonce, claims.as_object_mut()) {
            claims.insert("nonce".to_owned(), nonce.clone().into());
        }
        // what the account's data say of its ID token, `sub` included
        if let (Some(more), Some(claims)) = (granted.account_data["id_token"].as_object(), claims.as_object_mut()) {
            claims.extend(more.clone());
        }
        Some(self.exchange.signer.sign(&claims))
    }
}

/// Two host names of one provider that take different places (`login` and `{shop}`) say nothing of each other.
fn same_places(a: &Value, b: &Value) -> bool {
    let empty = |value: &Value| value.as_object().is_none_or(serde_json::Map::is_empty);
    empty(a) || empty(b)
}
