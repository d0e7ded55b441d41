//! What stands in a request for a secret, a code or a value that is not known yet.
//!
//! A stand-in is letters and digits alone, so that no encoding changes it, and is found again in whatever was made of it. Where it
//! has to be a host or a whole address it is one under `.invalid` (RFC 2606 §2).

use std::collections::BTreeMap;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use regex_lite::{Captures as Match, Regex};
use serde_json::Value;

use super::Case;
use crate::{
    protocol::{
        connector::{Assertion, Connector, Input, JwtAlgorithm, List, Lookup, Text},
        scope,
        template::{self, InputError, Values},
    },
    secret::CodeVerifier,
};

/// What stands for a code that no provider issued.
pub use crate::protocol::authorization::CODE_OF_NOBODY;

/// Members of an unsigned JWT that say what it would be signed by; no provider has such claims.
const ALGORITHM: &str = "standin_algorithm";
const KEY: &str = "standin_key";

/// The stand-ins of a case, and what is known besides.
pub struct StandIns {
    /// Each with what is shown for it.
    shown: Shown,
    /// Everything that a template may ask for, at any moment of the flow.
    pub values: Values,
    /// The client's id, as the operator stored it.
    pub client_id: String,
    /// What stands for its secret.
    pub client_secret: String,
    /// What stands for the verifier.
    pub verifier: CodeVerifier,
    /// What stands for what a device polls with.
    pub device_code: String,
    /// What is registered at the provider.
    pub redirect_uri: String,
    /// What stands for the state.
    pub state: String,
    /// What stands for a pushed request.
    pub request_uri: String,
    /// What stands for OAuth 1.0a's temporary token.
    pub temporary: String,
    /// What a look-up in the catalogue of inputs and settings found wrong.
    pub refused: Vec<(Whose, InputError)>,
    /// Inputs that the person would be asked for and that were not given.
    pub open: Vec<String>,
}

/// Who has to give a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The person who connects.
    Person,
    /// The operator.
    Operator,
}

impl StandIns {
    /// For this connector and what is known of it.
    pub fn of(case: &Case<'_>) -> Self {
        let connector = case.connector.data.as_ref();
        let mut made = Self::of_every_case();
        if let Some((_, id)) = &case.connector.client {
            made.client_id.clone_from(id);
        }
        let base_url = match case.base_url {
            Some(base_url) => base_url.trim_end_matches('/').to_owned(),
            None => made.shown.address("base URL"),
        };
        made.redirect_uri = case.connector.redirect_uri(&base_url);
        for (name, value) in
            [("client_id", made.client_id.as_str()), ("redirect_uri", &made.redirect_uri), ("app_name", case.app_name)]
        {
            made.values.insert(name, value);
        }
        made.learnt(connector);
        made.given(connector, &connector.inputs, case.given, Whose::Person);
        made.given(connector, &connector.settings, &case.connector.decided_settings(), Whose::Operator);
        if let Some(oauth2) = &connector.oauth2 {
            let scopes = case.connector.scopes().0;
            let scopes = scope::filled(&scopes, oauth2, &made.values).unwrap_or(scopes);
            made.values.insert("scope", scopes.join(&oauth2.scope_separator));
        }
        // the person's own client, where the grant wants one, is typed under these names
        for (name, own) in [("client_id", &mut made.client_id), ("client_secret", &mut made.client_secret)] {
            if connector.inputs.iter().any(|input| input.name == name) {
                made.values.get(name).unwrap_or_default().clone_into(own);
            }
        }
        made
    }

    /// What is the same for every connector: what the flow itself makes, and what any provider issues.
    fn of_every_case() -> Self {
        let mut shown = Shown::default();
        shown.add(CODE_OF_NOBODY.to_owned(), "‹code›");
        let verifier = CodeVerifier::from(shown.stand_in("code_verifier"));
        shown.add(verifier.challenge(), "‹SHA-256 of the code verifier›");
        let (state, client_secret) = (shown.stand_in("state"), shown.stand_in("client secret"));
        let mut values = Values::default();
        for (name, words) in [
            ("access_token", "access token"),
            ("refresh_token", "refresh token"),
            ("session_token", "session token"),
            ("random", "random"),
        ] {
            values.insert(name, shown.stand_in(words));
        }
        values.insert("state", &state);
        values.insert("client_secret", &client_secret);
        Self {
            values,
            client_id: shown.stand_in("client id"),
            client_secret,
            verifier,
            device_code: shown.stand_in("device code"),
            redirect_uri: String::new(),
            state,
            request_uri: shown.stand_in("request_uri of the answer"),
            temporary: shown.stand_in("temporary token"),
            refused: Vec::new(),
            open: Vec::new(),
            shown,
        }
    }

    /// A value that only the provider's answers bring.
    fn learnt(&mut self, connector: &Connector) {
        let found = connector.lookups.iter().flat_map(Lookup::fills);
        let names: Vec<&str> = connector.captures.names().chain(found).collect();
        for name in names {
            let value = self.fitting(connector, name);
            self.values.insert(name, value);
        }
    }

    fn given(&mut self, connector: &Connector, inputs: &[Input], given: &BTreeMap<String, String>, whose: Whose) {
        for input in inputs {
            let name = input.name.as_ref();
            // the operator's secrets are kept beside the client, and never read here
            if input.secret && whose == Whose::Operator {
                let value = self.fitting(connector, name);
                self.values.insert(name, value);
                continue;
            }
            let is_given = given.get(name).is_some_and(|value| !value.is_empty());
            let value = match template::judge_in(connector, input, given) {
                Ok(value) if !input.secret && !value.is_empty() => value,
                Ok(value) if value.is_empty() && whose == Whose::Operator => value, // optional, and left out
                judged => {
                    let missing = !is_given && input.default.is_none();
                    match judged {
                        Err(error) if is_given || whose == Whose::Operator => self.refused.push((whose, error)),
                        Ok(_) | Err(_) if missing => self.open.push(name.to_owned()),
                        Ok(_) | Err(_) => {}
                    }
                    self.fitting(connector, name)
                }
            };
            self.values.extend(template::derived(input, &value));
            self.values.insert(name, value);
        }
        for name in given.keys().filter(|name| inputs.iter().all(|input| input.name != name.as_str())) {
            let error = template::inputs(connector, inputs, &BTreeMap::from([(name.clone(), String::new())]));
            self.refused.extend(error.err().map(|error| (whose, error)));
        }
    }

    /// A stand-in that can stand where the connector has the name: in a host it is one.
    fn fitting(&mut self, connector: &Connector, name: &str) -> String {
        let leads = template::urls(connector).any(|url| template::leading(url) == Some(name));
        let is_host = template::urls(connector)
            .any(|url| template::split(url).is_ok_and(|(start, _)| start.ends_with(&format!("://{{{name}}}"))));
        match (leads, is_host) {
            (true, _) => self.shown.address(name),
            (false, true) => self.shown.under(name, |token| format!("{token}.invalid")),
            (false, false) => self.shown.stand_in(name),
        }
    }

    /// A text with the words in place of their stand-ins; a credential of HTTP Basic and a JWT are opened for that.
    pub fn shown(&self, text: &str) -> String {
        let text = replace_all(r"Basic ([A-Za-z0-9+/]+=*)$", text, |found| {
            let halves = STANDARD.decode(&found[1]).ok().and_then(|halves| String::from_utf8(halves).ok());
            halves.map_or_else(|| "Basic ‹credential›".to_owned(), |halves| format!("Basic ‹base64 of {halves}›"))
        });
        let text = replace_all(r"(eyJ[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+", &text, |found| {
            jwt(&found[1], &found[2])
        });
        self.shown.in_place_of_stand_ins(text)
    }
}

/// The stand-ins, each with what is shown for it.
#[derive(Default)]
struct Shown(Vec<(String, String)>);

impl Shown {
    fn add(&mut self, token: String, shown: &str) {
        self.0.push((token, shown.to_owned()));
    }

    fn stand_in(&mut self, words: &str) -> String {
        self.under(words, |token| token)
    }

    fn address(&mut self, words: &str) -> String {
        let address = self.under(words, |token| format!("https://{token}.invalid"));
        let host = address.trim_start_matches("https://").to_owned();
        self.add(host, &format!("‹host of the {}›", words.replace('_', " ")));
        address
    }

    fn under(&mut self, words: &str, form: impl Fn(String) -> String) -> String {
        let letters: String = words.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        let token = form(format!("standin{}{}z", self.0.len(), letters.to_lowercase()));
        let shown = format!("‹{}›", words.replace('_', " "));
        let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        self.add(token.clone(), &shown);
        if encoded != token {
            self.add(encoded, &shown);
        }
        token
    }

    fn in_place_of_stand_ins(&self, text: String) -> String {
        let mut by_length: Vec<_> = self.0.iter().collect();
        by_length.sort_by_key(|(token, _)| std::cmp::Reverse(token.len())); // an address before the name within it
        by_length.into_iter().fold(text, |text, (token, shown)| text.replace(token.as_str(), shown))
    }
}

/// A JWT as its parts, with what it would be signed by.
fn jwt(header: &str, claims: &str) -> String {
    let object = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes).ok()
    };
    let (Some(mut header), Some(mut claims)) = (object(header), object(claims)) else { return "‹JWT›".to_owned() };
    let mut taken =
        |name: &str| claims.remove(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let (algorithm, key) = (taken(ALGORITHM), taken(KEY));
    header.insert("alg".to_owned(), algorithm.into());
    for (name, shown) in [("iat", "‹now›"), ("exp", "‹its end›"), ("jti", "‹random›")] {
        if let Some(value) = claims.get_mut(name) {
            *value = shown.into();
        }
    }
    format!("‹JWT of {} {}, signed with {key}›", Value::Object(header), Value::Object(claims))
}

fn replace_all(pattern: &str, text: &str, by: impl Fn(&Match<'_>) -> String) -> String {
    Regex::new(pattern)
        .map_or_else(|_| text.to_owned(), |regex| regex.replace_all(text, |found: &Match<'_>| by(found)).into_owned())
}

/// The connector with its JWTs signed by a stand-in, since there is no key: what they would be signed by stands among their claims.
pub fn without_keys(connector: &Connector) -> Connector {
    let mut connector = connector.clone();
    if let Some(oauth2) = &mut connector.oauth2 {
        oauth2.assertion.iter_mut().chain(&mut oauth2.client_assertion).for_each(unsign);
    }
    connector.login.iter_mut().filter_map(|login| login.assertion.as_mut()).for_each(unsign);
    connector
}

fn unsign(assertion: &mut Assertion) {
    let algorithm = match assertion.algorithm {
        JwtAlgorithm::Rs256 => "RS256",
        JwtAlgorithm::Es256 => "ES256",
        JwtAlgorithm::Hs256 => "HS256",
    };
    assertion.algorithm = JwtAlgorithm::Hs256;
    let mut claims = assertion.claims.0.to_vec();
    claims.push((Text::Borrowed(ALGORITHM), Text::Borrowed(algorithm)));
    claims.push((Text::Borrowed(KEY), assertion.key.clone()));
    assertion.claims.0 = List::Owned(claims);
}
