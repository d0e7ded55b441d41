//! From a request to a provider's answer: find the endpoint, hold the request against what is documented, act, answer.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::{
    api, authorize,
    clock::{Clock, http_date},
    data::{Answer, Body, Endpoint, Provider},
    device, dpop,
    fault::{Fault, Faults},
    jwt::Signer,
    load::LoadError,
    oauth1, random,
    refusal::{self, Refusal, Refused},
    request::{Pairs, Request, get},
    rule::{self, Claim},
    state::{Client, State},
    template::{fill, fill_members, interpolate, plain},
    token,
};

/// How many lines the log keeps.
const LOG_LINES: usize = 2000;

/// Every provider and what it remembers.
pub struct Engine {
    /// The providers.
    pub providers: Vec<Provider>,
    /// The time.
    pub clock: Clock,
    /// What signs ID tokens.
    pub signer: Signer,
    states: Vec<Mutex<State>>,
    log: Mutex<VecDeque<Refusal>>,
}

/// One call at one endpoint.
pub struct Exchange<'e> {
    /// What signs ID tokens.
    pub signer: &'e Signer,
    /// Who is played.
    pub provider: &'e Provider,
    /// Where the call goes.
    pub endpoint: &'e Endpoint,
    /// The call.
    pub request: &'e Request,
    /// What the places of host name and path took.
    pub captures: Value,
    /// What goes wrong.
    pub faults: Faults,
    /// The provider's time.
    pub now: i64,
}

/// What comes of a call that is as documented.
pub enum Done {
    /// An answer of the data, and what is filled in.
    Say(Answer, Value),
    /// The browser goes on.
    Redirect(String),
    /// A page.
    Page(String),
}

/// An answer as it is written.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Milliseconds that it takes.
    pub slow: u64,
    /// Whether the connection ends in the middle of the body.
    pub cut: bool,
    /// Whether the connection ends before any answer.
    pub lost: bool,
}

impl Reply {
    /// An answer without anything going wrong.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), slow: 0, cut: false, lost: false }
    }
}

impl Engine {
    /// An engine for these providers.
    pub fn new(providers: Vec<Provider>) -> Result<Self, LoadError> {
        let states = providers.iter().map(|provider| Mutex::new(fresh(provider))).collect();
        let signer = Signer::new().map_err(|_| LoadError::NoKey)?;
        Ok(Self { providers, clock: Clock::default(), signer, states, log: Mutex::default() })
    }

    /// A provider, by one of its ids.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.index(id).map(|index| &self.providers[index])
    }

    /// A provider and what it remembers, by one of its ids.
    #[must_use]
    pub fn state(&self, id: &str) -> Option<(&Provider, MutexGuard<'_, State>)> {
        self.index(id).map(|index| (&self.providers[index], self.lock(index)))
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.providers.iter().position(|provider| provider.ids.iter().any(|known| known == id))
    }

    fn lock(&self, index: usize) -> MutexGuard<'_, State> {
        self.states[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The refusals so far, the oldest first.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Forgets the refusals.
    pub fn clear_refusals(&self) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether one of the providers has the host name.
    #[must_use]
    pub fn knows(&self, host: &str) -> bool {
        self.providers.iter().any(|provider| provider.hosts.iter().any(|pattern| pattern.host(host).is_some()))
    }

    /// Answers a call.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Reply {
        let found = match self.find(request) {
            Ok(found) => found,
            Err((index, refused)) => {
                let provider = index.map(|index| &self.providers[index]);
                self.record(provider, None, request, &refused);
                let Some(provider) = provider else {
                    return Reply::new(421, "text/plain", "no provider has this host name");
                };
                return write_refusal(provider, None, request, &refused, None);
            }
        };
        let (provider, endpoint) =
            (&self.providers[found.provider], &self.providers[found.provider].endpoints[found.endpoint]);
        let mut state = self.lock(found.provider);
        *state.calls.entry(endpoint.name.clone()).or_default() += 1;
        let faults = state.faults(&endpoint.name);
        let now = self.clock.now() + faults.ahead();
        let exchange =
            Exchange { signer: &self.signer, provider, endpoint, request, captures: found.captures, faults, now };

        let mut reply = instead(&exchange).unwrap_or_else(|| match act(&exchange, &mut state) {
            Ok(done) => write(&exchange, done),
            Err(refused) => {
                self.record(Some(provider), Some(endpoint), request, &refused);
                match refused.back {
                    Some(url) => write(&exchange, Done::Redirect(url)),
                    None => write_refusal(provider, Some(endpoint), request, &refused, Some(&exchange)),
                }
            }
        });
        if let Some(nonce) = provider.dpop.as_ref().and_then(|data| dpop::nonce(data, &mut state, now)) {
            reply.headers.push(("dpop-nonce".to_owned(), nonce));
        }
        reply.slow = exchange.faults.slow();
        reply.cut = exchange.faults.has(&Fault::Cut);
        reply.lost = exchange.faults.has(&Fault::LostReply);
        if !reply.headers.iter().any(|(name, _)| name == "date") {
            reply.headers.push(("date".to_owned(), http_date(now)));
        }
        reply
    }

    fn record(&self, provider: Option<&Provider>, endpoint: Option<&Endpoint>, request: &Request, refused: &Refused) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        // A path may hold a token; where the endpoint is known its pattern says enough.
        let path = endpoint.map_or_else(|| without_long_pieces(&request.path), |e| e.path.as_str().to_owned());
        log.push_back(Refusal {
            provider: provider.and_then(|provider| provider.ids.first()).cloned().unwrap_or_default(),
            endpoint: endpoint.map(|endpoint| endpoint.name.clone()).unwrap_or_default(),
            call: format!("{} {}{}", request.method, request.host, path),
            case: refused.case.clone(),
            words: refused.words.clone(),
        });
    }

    /// The endpoint that a request is for: the most exact of those that take its host name, path and method.
    fn find(&self, request: &Request) -> Result<Found, (Option<usize>, Refused)> {
        let mut best: Option<(usize, Found)> = None;
        let (mut host_of, mut path_of) = (None, None);
        for (index, provider) in self.providers.iter().enumerate() {
            let Some(host) = first_host(&provider.hosts, &request.host) else { continue };
            host_of = host_of.or(Some(index));
            for (number, endpoint) in provider.endpoints.iter().enumerate() {
                let host = match &endpoint.hosts[..] {
                    [] => host.clone(),
                    hosts => match first_host(hosts, &request.host) {
                        Some(host) => host,
                        None => continue,
                    },
                };
                let Some(path) = endpoint.path.path(&request.path) else { continue };
                path_of = path_of.or(Some(index));
                if !methods(endpoint).iter().any(|method| *method == request.method) {
                    continue;
                }
                let weight = endpoint.path.weight();
                if best.as_ref().is_none_or(|(heaviest, _)| weight > *heaviest) {
                    let captures = json!({ "host": host, "path": path });
                    best = Some((weight, Found { provider: index, endpoint: number, captures }));
                }
            }
        }
        best.map(|(_, found)| found).ok_or_else(|| match (path_of, host_of) {
            (Some(index), _) => {
                (Some(index), Refused::new("method", format!("{} is not a method of this path", request.method)))
            }
            (None, Some(index)) => (Some(index), Refused::new("not_found", "nothing is documented at this path")),
            (None, None) => (None, Refused::new("not_found", "no provider has this host name")),
        })
    }
}

fn without_long_pieces(path: &str) -> String {
    let short = |piece: &str| if piece.len() > 24 { "…".to_owned() } else { piece.to_owned() };
    path.split('/').map(short).collect::<Vec<_>>().join("/")
}

struct Found {
    provider: usize,
    endpoint: usize,
    captures: Value,
}

fn first_host(patterns: &[crate::pattern::Pattern], host: &str) -> Option<Map<String, Value>> {
    patterns
        .iter()
        .filter_map(|pattern| Some((pattern.weight(), pattern.host(host)?)))
        .max_by_key(|(w, _)| *w)
        .map(|(_, taken)| taken)
}

/// The methods that an endpoint takes.
#[must_use]
pub fn methods(endpoint: &Endpoint) -> Vec<&str> {
    if !endpoint.methods.is_empty() {
        return endpoint.methods.iter().map(String::as_str).collect();
    }
    let leads_people = endpoint.authorize.is_some()
        || endpoint.oauth1.as_ref().is_some_and(|oauth1| oauth1.leg == crate::data::Leg::Authorize);
    if leads_people || endpoint.api.is_some() || endpoint.answer.is_some() || endpoint.jwks {
        vec!["GET"]
    } else {
        vec!["POST"]
    }
}

fn fresh(provider: &Provider) -> State {
    let client = Client { id: "zoo-client".to_owned(), secret: Some("zoo-secret".to_owned()), ..Client::default() };
    State {
        clients: BTreeMap::from([(client.id.clone(), client)]),
        keys: provider.keys.clone(),
        account: "alice".to_owned(),
        ..State::default()
    }
}

/// What is answered in place of acting.
fn instead(exchange: &Exchange<'_>) -> Option<Reply> {
    let Exchange { provider, endpoint, request, .. } = exchange;
    exchange.faults.pick(|fault| match fault {
        Fault::Refuse(case) => {
            let refused = Refused::new(case, "asked for by a fault");
            Some(write_refusal(provider, Some(endpoint), request, &refused, Some(exchange)))
        }
        Fault::RefuseWith200(case) => {
            let refused = Refused::new(case, "asked for by a fault");
            let reply = write_refusal(provider, Some(endpoint), request, &refused, Some(exchange));
            Some(Reply { status: 200, ..reply })
        }
        Fault::HtmlPage(status) => Some(Reply::new(
            *status,
            "text/html",
            format!("<!doctype html><title>{status}</title><h1>The service is not available</h1>"),
        )),
        Fault::Status(status, retry_after) => {
            let mut reply = Reply::new(*status, "text/plain", "");
            reply.headers.extend(retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
            Some(reply)
        }
        Fault::Slow(_)
        | Fault::Cut
        | Fault::LostReply
        | Fault::Without(_)
        | Fault::NumbersAsTexts
        | Fault::ClockAhead(_)
        | Fault::Rotates(_)
        | Fault::Grace(_)
        | Fault::ReuseEndsGrant
        | Fault::Deny
        | Fault::AuthorizationError(_)
        | Fault::Issuer(_) => None,
    })
}

fn act(exchange: &Exchange<'_>, state: &mut State) -> Result<Done, Refused> {
    let endpoint = exchange.endpoint;
    if let Some(data) = &endpoint.authorize {
        return authorize::authorize(exchange, state, data);
    }
    if let Some(data) = &endpoint.oauth1 {
        return oauth1::leg(exchange, state, data);
    }
    if let Some(data) = &endpoint.push {
        return authorize::push(exchange, state, data);
    }
    if let Some(data) = &endpoint.device {
        return device::start(exchange, state, data);
    }
    if let Some(data) = &endpoint.revoke {
        return api::revoke(exchange, state, data);
    }
    if let Some(data) = &endpoint.api {
        return api::call(exchange, state, data);
    }
    if endpoint.jwks {
        return Ok(Done::Page(exchange.signer.published().to_string()));
    }
    if let Some(answer) = &endpoint.answer {
        let (_, claims) = exchange.gate(&[])?;
        state.key(&claims)?;
        return Ok(Done::Say(answer.clone(), exchange.variables(&[], json!({}))));
    }
    token::token(exchange, state)
}

impl Exchange<'_> {
    /// What the provider calls a parameter of the standard.
    #[must_use]
    pub fn name<'n>(&'n self, standard: &'n str) -> &'n str {
        let named = self.endpoint.names.get(standard).or_else(|| self.provider.names.get(standard));
        named.map_or(standard, String::as_str)
    }

    /// A parameter of the standard.
    #[must_use]
    pub fn parameter<'p>(&self, parameters: &'p Pairs, standard: &str) -> Option<&'p str> {
        get(parameters, self.name(standard)).filter(|value| !value.is_empty())
    }

    /// A parameter of the standard that has to be there.
    pub fn required<'p>(&self, parameters: &'p Pairs, standard: &str) -> Result<&'p str, Refused> {
        let missing = || Refused::new("parameter", format!("parameter {} is missing", self.name(standard)));
        self.parameter(parameters, standard).ok_or_else(missing)
    }

    /// What stands between two scopes.
    #[must_use]
    pub fn separator(&self) -> &str {
        let endpoints = &self.provider.endpoints;
        endpoints.iter().find_map(|e| e.authorize.as_ref()).map_or(" ", |a| a.scope_separator.as_str())
    }

    /// Holds the request against the endpoint's rules; gives its parameters and what has to be a registered key's.
    pub fn gate(&self, ways: &[Body]) -> Result<(Pairs, Vec<Claim>), Refused> {
        let ways = if self.endpoint.bodies.is_empty() { ways } else { &self.endpoint.bodies[..] };
        let parameters = self.request.parameters(ways)?;
        let claims = self.rules(&self.endpoint.headers, &self.endpoint.parameters, &parameters)?;
        let captures = &self.captures;
        let taken = |name: &str| crate::template::at(name, captures).and_then(Value::as_str);
        let more = rule::check(&self.endpoint.captures, "capture", "parameter", taken)?;
        let in_query = |name: &str| get(&self.request.query, name);
        let last = rule::check(&self.endpoint.query, "query parameter", "parameter", in_query)?;
        Ok((parameters, claims.into_iter().chain(more).chain(last).collect()))
    }

    /// Holds headers and parameters against rules.
    pub fn rules(
        &self,
        headers: &BTreeMap<String, crate::data::Rule>,
        rules: &BTreeMap<String, crate::data::Rule>,
        parameters: &Pairs,
    ) -> Result<Vec<Claim>, Refused> {
        let mut claims = rule::check(headers, "header", "header", |name| self.request.header(name))?;
        claims.extend(rule::check(rules, "parameter", "parameter", |name| get(parameters, name))?);
        Ok(claims)
    }

    /// What answers may be filled with: what every call knows, and `more`.
    #[must_use]
    pub fn variables(&self, parameters: &[(String, String)], more: Value) -> Value {
        let mut request = json!({});
        for (name, value) in parameters {
            let mut place = &mut request;
            for part in name.split('.') {
                if !place.is_object() {
                    break;
                }
                place = &mut place[part];
            }
            *place = value.clone().into();
        }
        let mut variables = json!({
            "host": self.captures["host"],
            "path": self.captures["path"],
            "request": request,
            "issuer": self.provider.issuer,
            "issued_at": self.now,
            "random": random::text(),
            "uuid": random::uuid(),
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut variables, more) {
            all.extend(more);
        }
        variables
    }
}

fn write(exchange: &Exchange<'_>, done: Done) -> Reply {
    match done {
        Done::Say(answer, variables) => {
            write_answer(Some(exchange), exchange.endpoint, exchange.request, &answer, &variables)
        }
        Done::Redirect(url) => {
            let mut reply = Reply::new(302, "text/html", "");
            reply.headers.push(("location".to_owned(), url));
            reply
        }
        Done::Page(page) if page.starts_with('{') => Reply::new(200, "application/json", page),
        Done::Page(page) => Reply::new(200, "text/html; charset=utf-8", page),
    }
}

fn write_refusal(
    provider: &Provider,
    endpoint: Option<&Endpoint>,
    request: &Request,
    refused: &Refused,
    exchange: Option<&Exchange<'_>>,
) -> Reply {
    let answer = refusal::answer(provider, endpoint, &refused.case);
    let variables = json!({
        "error": refusal::error(&refused.case),
        "case": refused.case,
        "words": refused.words,
        "path": { "all": request.path },
        "random": random::text(),
        "uuid": random::uuid(),
    });
    let fallback = &provider.endpoints[0]; // only asked how it writes JSON, which a path that is not there does plainly
    match endpoint {
        Some(endpoint) => write_answer(exchange, endpoint, request, &answer, &variables),
        None => write_answer(None, fallback, request, &answer, &variables),
    }
}

fn write_answer(
    exchange: Option<&Exchange<'_>>,
    endpoint: &Endpoint,
    request: &Request,
    answer: &Answer,
    variables: &Value,
) -> Reply {
    let spoil = |body: Value| exchange.map_or(body.clone(), |exchange| exchange.faults.spoil(body));
    let as_form = |body: &Value| {
        let members = body.as_object().into_iter().flatten();
        form_urlencoded::Serializer::new(String::new()).extend_pairs(members.map(|(k, v)| (k, plain(v)))).finish()
    };
    let accepts_json = request.header("accept").is_some_and(|accept| accept.contains("json"));
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    let mut reply = if let Some(json) = &answer.json {
        let body = spoil(fill(json, variables).unwrap_or_default());
        if endpoint.form_unless_json_accepted && !accepts_json {
            Reply::new(answer.status, form, as_form(&body))
        } else {
            Reply::new(answer.status, "application/json; charset=utf-8", body.to_string())
        }
    } else if let Some(members) = &answer.form {
        let body = spoil(Value::Object(fill_members(members, variables)));
        Reply::new(answer.status, form, as_form(&body))
    } else if let Some(text) = &answer.text {
        Reply::new(answer.status, "text/plain; charset=utf-8", interpolate(text, variables))
    } else if let Some(html) = &answer.html {
        Reply::new(answer.status, "text/html; charset=utf-8", interpolate(html, variables))
    } else {
        Reply { headers: Vec::new(), ..Reply::new(answer.status, "", "") }
    };
    for (name, value) in &answer.headers {
        let name = name.to_ascii_lowercase();
        reply.headers.retain(|(known, _)| *known != name);
        reply.headers.push((name, interpolate(value, variables)));
    }
    reply
}
