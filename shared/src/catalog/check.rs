//! Whether a connector's data may be acted upon: the rules for what ships and for what an operator adds.
//!
//! What a person types later can't break them: every host is fixed here up to a label, or is one of a closed list.

mod address;
mod call;
mod grant;
mod parameters;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

use url::Url;

use crate::protocol::{
    connector::{Connector, Grant, Input, Lookup, Pairs},
    template::{self, Part, RANDOM, accept, is_name},
};
use parameters::unique;
use text::{caption, learnt_pattern, path, regex};

/// Placeholders that need no declaration.
const GIVEN: [&str; 11] = [
    "access_token",
    "app_name",
    "assertion",
    "client_id",
    "client_secret",
    "random",
    "redirect_uri",
    "refresh_token",
    "scope",
    "session_token",
    "state",
];

/// Those of them that are secrets.
const SECRET: [&str; 5] = ["access_token", "assertion", "client_secret", "refresh_token", "session_token"];

/// Why a connector's data is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct CheckError {
    /// The field, as a dotted path: `oauth2.token_endpoint`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

type Checked = Result<(), CheckError>;

impl Connector {
    /// Whether the data can be acted upon safely. `local` allows loopback hosts, and plain http to them.
    pub fn check(&self, local: bool) -> Result<(), CheckError> {
        let check = Check { connector: self, local };
        check.sizes()?;
        check.identity()?;
        check.names()?;
        check.inputs()?;
        check.captures()?;
        check.grant()?;
        check.oauth2()?;
        check.oauth1()?;
        check.login()?;
        check.api()?;
        check.lookups()?;
        check.profile()?;
        check.revoke()
    }
}

fn refuse<T>(field: impl Into<String>, message: impl Into<String>) -> Result<T, CheckError> {
    Err(CheckError { field: field.into(), message: message.into() })
}

fn require(holds: bool, field: &str, message: &str) -> Checked {
    if holds { Ok(()) } else { refuse(field, message) }
}

/// The placeholders that an input fills.
fn filled_by(input: &Input) -> impl Iterator<Item = &str> {
    std::iter::once(input.name.as_ref()).chain(input.also.iter().map(|(name, _)| name))
}

struct Check<'a> {
    connector: &'a Connector,
    local: bool,
}

/// When a template is filled, which decides what it may ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// In the browser's address bar: nothing secret, nothing learnt.
    Authorization,
    /// At the token endpoint.
    Token,
    /// In the parameters of the request for the first token, which may repeat the state.
    Code,
    /// At the exchange of a token for another.
    Exchange,
    /// At a refresh, when all that the token endpoint said is known.
    Refresh,
    /// At the login.
    Login,
    /// At a look-up, after those before it.
    Lookup(usize),
    /// At a call of the API.
    Call,
    /// At the revocation endpoint.
    Revocation,
}

impl<'a> Check<'a> {
    fn sizes(&self) -> Checked {
        match serde_json::to_value(self.connector) {
            Ok(value) => text::sized(&value),
            Err(_) => refuse("connector", "can't be written as JSON"),
        }
    }

    fn identity(&self) -> Checked {
        let id = self.connector.id.as_bytes();
        let valid = (1..=64).contains(&id.len())
            && id.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && id[0] != b'-';
        require(
            valid,
            "id",
            "has to be 1 to 64 lower-case letters, digits and hyphens, no hyphen first; a file's is its name",
        )?;
        caption("name", &self.connector.name)?;
        match &self.connector.docs_url {
            Some(docs) => {
                let plain = |url: Url| url.scheme() == "https" && Some(url.authority()) == url.host_str();
                let shown = docs.bytes().all(|byte| byte.is_ascii_graphic());
                require(
                    shown && Url::parse(docs).is_ok_and(plain),
                    "docs_url",
                    "has to be an https address, of a host alone and without spaces",
                )
            }
            None => Ok(()),
        }
    }

    /// Every placeholder has one meaning.
    fn names(&self) -> Checked {
        let mut seen: BTreeSet<&str> = GIVEN.into();
        if self.connector.client_is_typed() {
            seen.retain(|name| !["client_id", "client_secret"].contains(name));
        }
        for (field, name) in self.declared() {
            require(
                is_name(name),
                field,
                &format!("`{name}` has to be lower-case letters, digits and underscores, a letter first"),
            )?;
            require(seen.insert(name), field, &format!("`{name}` is declared already: choose another name"))?;
        }
        Ok(())
    }

    fn declared(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let Connector { inputs, settings, captures, lookups, .. } = self.connector;
        let named =
            |field: &'static str, list: &'a [Input]| list.iter().flat_map(filled_by).map(move |name| (field, name));
        let captured = captures.answers().flat_map(|(field, pairs)| pairs.iter().map(move |(name, _)| (field, name)));
        named("inputs", inputs)
            .chain(named("settings", settings))
            .chain(captured)
            .chain(lookups.iter().flat_map(Lookup::fills).map(|name| ("lookups", name)))
    }

    fn inputs(&self) -> Checked {
        let Connector { inputs, settings, .. } = self.connector;
        for (list, field) in [(inputs, "inputs"), (settings, "settings")] {
            for input in list.iter() {
                let field = format!("{field}.{}", input.name);
                caption(&format!("{field}.label"), &input.label)?;
                require(
                    !input.optional || input.default.is_none(),
                    &field,
                    "is never left empty where it has a default: take `optional` or `default` out",
                )?;
                self.live(&format!("{field}.live"), input)?;
                if let Some(pattern) = &input.pattern {
                    let field = format!("{field}.pattern");
                    regex(&field, pattern)?;
                    require(!pattern.contains("(?<"), &field, "has a named group: what a person types is not cut")?;
                }
                for value in input.values.iter().chain(&input.default) {
                    accept(input, value)
                        .or_else(|error| refuse(&field, format!("its own value `{value}` {}", error.expected)))?;
                }
                self.derived(&format!("{field}.also"), input)?;
            }
        }
        Ok(())
    }

    /// What is chosen later changes nothing about where credentials go, and the person who typed a value chooses once.
    fn live(&self, field: &str, input: &Input) -> Checked {
        if !input.live {
            return Ok(());
        }
        let Connector { inputs, .. } = self.connector;
        require(
            inputs.iter().all(|typed| typed.name != input.name),
            field,
            "is for `settings`: what a person types stays",
        )?;
        require(!input.secret, field, "says nothing of a secret, which is always the one of now: take it out")?;
        let server = filled_by(input).find(|name| template::says_which_server(self.connector, name));
        match server {
            Some(name) => refuse(
                field,
                format!("`{name}` says which server requests go to: connections stay with the one they were made with"),
            ),
            None => Ok(()),
        }
    }

    /// A choice fills what it fills for each value alike, with texts that can stand where the connector has them.
    fn derived(&self, field: &str, input: &Input) -> Checked {
        if input.also.is_empty() {
            return Ok(());
        }
        require(
            !input.values.is_empty() && !input.secret,
            field,
            "needs `values` to choose from, which are no secret",
        )?;
        for (name, texts) in input.also.iter() {
            let field = format!("{field}.{name}");
            let missing = input.values.iter().find(|value| texts.value(value).is_none());
            let unknown = texts.iter().find(|(value, _)| input.values.iter().all(|known| known != value));
            if let Some(value) = missing.map(AsRef::as_ref).or(unknown.map(|(value, _)| value)) {
                return refuse(field, format!("has to have one text for each of `values`: see `{value}`"));
            }
            unique(&field, texts)?;
            for (value, text) in texts.iter() {
                let believed = template::believe(self.connector, name, text);
                believed
                    .map(drop)
                    .or_else(|error| refuse(&field, format!("its text for `{value}` {}", error.expected)))?;
                require(
                    !text.is_empty() && !text.contains(char::is_control),
                    &field,
                    "its texts are one line each, and not empty",
                )?;
            }
        }
        Ok(())
    }

    fn captures(&self) -> Checked {
        let captures = &self.connector.captures;
        for (_, parameter) in captures.authorization_response.iter() {
            let ours = parameter.is_empty() || ["code", "state"].contains(&parameter);
            require(!ours, "captures.authorization_response", "has to name a parameter other than code and state")?;
        }
        for (field, pairs) in captures.answers().skip(1) {
            for (_, member) in pairs.iter() {
                path(field, member)?;
                require(
                    !self.secret_members(field).any(|secret| secret == member),
                    field,
                    &format!("`{member}` is a credential, which is sealed: what is captured is shown"),
                )?;
            }
        }
        let is_known = |name: &str| captures.source(name).is_some();
        for (name, pattern) in captures.patterns.iter() {
            require(is_known(name), "captures.patterns", &format!("`{name}` is not captured"))?;
            learnt_pattern(&format!("captures.patterns.{name}"), pattern)?;
        }
        for (name, value) in captures.defaults.iter() {
            require(is_known(name), "captures.defaults", &format!("`{name}` is not captured"))?;
            let believed = template::believe(self.connector, name, value);
            believed.map(drop).or_else(|error| refuse(format!("captures.defaults.{name}"), error.expected))?;
        }
        Ok(())
    }

    /// Where credentials stand in the answers that values are captured from.
    fn secret_members(&self, field: &str) -> impl Iterator<Item = &'a str> {
        let Connector { oauth2, login, .. } = self.connector;
        let of_tokens = oauth2.iter().filter(move |_| field == "captures.token_response").flat_map(|oauth2| {
            let usual = [&oauth2.token_response.access_token, &oauth2.token_response.refresh_token];
            let further = oauth2.token_slots.iter();
            let further = further.flat_map(|slot| std::iter::once(&slot.access_token).chain(&slot.refresh_token));
            usual.into_iter().chain(further).map(AsRef::as_ref).chain(["id_token"])
        });
        let of_login = login.iter().filter(move |_| field == "captures.login_response");
        of_tokens.chain(of_login.map(|login| login.token.as_ref()))
    }

    /// One way in which a connection comes to be, and nothing captured from an answer that there is not.
    fn grant(&self) -> Checked {
        let Connector { inputs, settings, oauth2, oauth1, login, captures, .. } = self.connector;
        require(oauth2.is_none() || oauth1.is_none(), "oauth1", "stands beside oauth2: a connector has one of them")?;
        let consents = oauth1.is_some() || oauth2.is_some() && !self.connector.client_is_typed();
        let typed_secret = inputs.iter().any(|input| input.secret);
        require(
            !consents || !typed_secret,
            "inputs",
            "with oauth2 a person consents and types no secret: leave it or oauth2 out",
        )?;
        require(
            consents || captures.authorization_response.0.is_empty(),
            "captures",
            "there is no answer to capture from",
        )?;
        let answered = oauth2.is_some() || oauth1.is_some();
        require(
            (answered || captures.token_response.0.is_empty())
                && (oauth2.is_some() || captures.id_token.0.is_empty() && captures.access_token.0.is_empty()),
            "captures",
            "there is nothing to capture without oauth2",
        )?;
        require(
            login.is_some() || captures.login_response.0.is_empty(),
            "captures.login_response",
            "there is nothing to capture without login",
        )?;
        require(
            !self.connector.registers_where_named() || self.connector.secret_settings().next().is_none(),
            "settings",
            "with a client at each server that a person names, no secret of the operator's would be safe there",
        )?;
        let held = settings.iter().find(|setting| setting.secret && setting.default.is_some());
        match held {
            Some(setting) => refuse(format!("settings.{}", setting.name), "is secret and has a default, which is none"),
            None => Ok(()),
        }
    }

    /// The placeholders that have a value at a moment.
    fn known(&self, moment: Moment) -> BTreeSet<&'a str> {
        let Connector { inputs, settings, captures, lookups, login, .. } = self.connector;
        let names = |pairs: &'a Pairs| pairs.iter().map(|(name, _)| name);
        let mut known: BTreeSet<&str> = ["app_name"].into();
        if !self.connector.client_is_typed() {
            known.insert("client_id");
        }
        known.extend(inputs.iter().chain(settings.iter()).flat_map(filled_by));
        if moment == Moment::Authorization {
            known.retain(|name| !self.is_secret(name));
            return known;
        }
        known.extend(["scope"]);
        known.extend(names(&captures.authorization_response));
        if moment == Moment::Code && self.in_a_browser() {
            known.insert("state");
        }
        if matches!(moment, Moment::Code | Moment::Token) {
            return known;
        }
        if self.connector.oauth2.is_some() {
            known.extend(["access_token", "refresh_token"]);
        }
        if moment == Moment::Exchange {
            return known;
        }
        known
            .extend([&captures.token_response, &captures.id_token, &captures.access_token].into_iter().flat_map(names));
        if moment == Moment::Refresh {
            if self.in_a_browser() && !self.by_a_device() {
                known.insert("redirect_uri");
            }
            return known;
        }
        let ahead = self.connector.lookups_before_login();
        let (looked_up, logged_in) = match moment {
            Moment::Lookup(at) => (at, at >= ahead),
            Moment::Login => (ahead, false),
            _ => (lookups.len(), true),
        };
        known.extend(lookups.iter().take(looked_up).flat_map(Lookup::fills));
        if let Some(login) = login {
            if moment == Moment::Login {
                known.extend(login.assertion.as_ref().map(|_| "assertion"));
                return known;
            }
            if logged_in {
                known.insert("session_token");
                known.extend(names(&captures.login_response));
            }
        }
        if !self.connector.client_is_typed() {
            known.insert("client_secret"); // a few APIs want the client's secret with each call
        }
        known
    }

    /// Whether a browser goes to the provider and comes back with a code.
    fn in_a_browser(&self) -> bool {
        self.connector.oauth2.as_ref().is_some_and(|oauth2| oauth2.grant == Grant::AuthorizationCode)
    }

    /// Whether a code may be typed on another device, where there is no redirect.
    fn by_a_device(&self) -> bool {
        self.connector.oauth2.as_ref().is_some_and(|oauth2| oauth2.device_authorization_endpoint.is_some())
    }

    fn is_secret(&self, name: &str) -> bool {
        let Connector { inputs, settings, .. } = self.connector;
        SECRET.contains(&name) || inputs.iter().chain(settings.iter()).any(|input| input.secret && input.name == name)
    }

    /// A template whose placeholders are all known when it is filled.
    fn filled(&self, field: &str, template: &str, moment: Moment) -> Checked {
        filled_with(field, template, &self.known(moment))
    }

    /// The same for a header or parameter, which may be new with each request.
    fn filled_anew(&self, field: &str, template: &str, moment: Moment) -> Checked {
        let mut known = self.known(moment);
        known.insert(RANDOM);
        filled_with(field, template, &known)
    }

    fn input(&self, name: &str) -> Option<&'a Input> {
        let Connector { inputs, settings, .. } = self.connector;
        inputs.iter().chain(settings.iter()).find(|input| input.name == name)
    }

    /// Whether a placeholder is filled by one of the provider's answers.
    fn learnt(&self, name: &str) -> bool {
        let Connector { captures, lookups, .. } = self.connector;
        captures.source(name).is_some() || lookups.iter().any(|lookup| lookup.fills().any(|filled| filled == name))
    }

    /// The closed list that a placeholder's value is of; none where it is open.
    fn listed(&self, name: &str) -> Option<Vec<&'a str>> {
        let values = self.input(name).map(|input| input.values.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        let texts = || template::texts(self.connector, name).map(|texts| texts.iter().map(|(_, text)| text).collect());
        values.or_else(texts).filter(|list| !list.is_empty())
    }

    /// Whether a placeholder may stand for nothing: of an optional input, or filled by the choice that one is.
    fn may_lack(&self, name: &str) -> bool {
        let Connector { inputs, settings, .. } = self.connector;
        let mut optional = inputs.iter().chain(settings.iter()).filter(|input| input.optional);
        optional.any(|input| filled_by(input).any(|filled| filled == name))
    }

    /// What a placeholder's value matches all of: of a value that is cut, what is kept of it.
    fn pattern_of(&self, name: &str) -> Option<&'a str> {
        let Connector { captures, lookups, .. } = self.connector;
        let looked_up = || lookups.iter().find_map(|lookup| lookup.patterns.value(name));
        match self.input(name) {
            Some(input) => input.pattern.as_deref(),
            None => captures.patterns.value(name).or_else(looked_up).map(template::pattern_of_kept),
        }
    }
}

/// A template whose placeholders are all among these.
fn filled_with(field: &str, template: &str, known: &BTreeSet<&str>) -> Checked {
    require(!template.contains("{+"), field, "has a `{+…}`, which is for the path of an address")?;
    filled_in_address(field, template, known)
}

/// The same for an address, whose path may have several segments of a value.
fn filled_in_address(field: &str, template: &str, known: &BTreeSet<&str>) -> Checked {
    let Ok(parts) = template::parts(template) else {
        return refuse(field, "has a brace without its other half, or a placeholder that is not lower snake case");
    };
    for part in parts {
        match part {
            Part::Placeholder(name) | Part::Segments(name) if !known.contains(name) => {
                return refuse(
                    field,
                    format!("`{{{name}}}` is not known here: declare it in inputs, settings, captures or lookups"),
                );
            }
            Part::Literal(literal) => require(!literal.contains(char::is_control), field, "has to be one line")?,
            Part::Placeholder(_) | Part::Segments(_) => {}
        }
    }
    Ok(())
}
