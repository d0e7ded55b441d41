//! Whether a connector's data may be acted upon: the rules for what ships and for what an operator adds.
//!
//! What a person types later can't break them: every host is fixed here up to a label, or is one of a closed list.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;
use url::{Host, Url};

use crate::{
    label::must_be_label,
    protocol::{
        connector::{Connector, ErrorSignal, Input, OAuth2, Pairs, Placement, Profile, Revoke, RevokeMethod, Text},
        origins::{Origin, Origins, Pattern, Scheme, is_own_suffix},
        template::{self, Part, accept, is_host, is_label, is_name, leading, placeholders, split, whole},
    },
};

/// Placeholders that need no declaration.
const GIVEN: [&str; 4] = ["access_token", "app_name", "client_id", "refresh_token"];

/// Those of them that are secrets.
const SECRET: [&str; 2] = ["access_token", "refresh_token"];

/// Parameters of the protocol itself (RFC 6749 §4.1, RFC 7636 §4): ours to set.
const PROTOCOL: [&str; 16] = [
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
    "scope",
    "state",
];

/// Headers that frame the message, name the host, or carry a credential: ours to set (RFC 9110 §7.6.1).
const HEADERS: [&str; 16] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// What a pattern for a host's label must not let through.
const NOT_LABELS: [&str; 16] = [
    "",
    "a.b",
    "evil.example",
    "evil.example/",
    "evil.example/.vendor.com",
    "vendor.com@evil",
    "a/b",
    "a\\b",
    "a@b",
    "a:1",
    "a b",
    "a%2eb",
    "a?b",
    "a#b",
    "A",
    "é",
];

const LONGEST_PATTERN: usize = 512;
const LONGEST_TEXT: usize = 2048;
const LARGEST: usize = 64 * 1024;
const MOST_ENTRIES: usize = 100;
/// They are made one after the other while a person waits, and share a few seconds.
const MOST_LOOKUPS: usize = 3;

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
        check.oauth2()?;
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

struct Check<'a> {
    connector: &'a Connector,
    local: bool,
}

/// When a template is filled, which decides what it may ask for.
#[derive(Clone, Copy)]
enum Moment {
    /// In the browser's address bar: nothing secret, nothing learnt.
    Authorization,
    /// At the token endpoint.
    Token,
    /// At a look-up, after those before it.
    Lookup(usize),
    /// At a call of the API.
    Call,
    /// At the revocation endpoint.
    Revocation,
}

impl<'a> Check<'a> {
    fn sizes(&self) -> Checked {
        let Ok(value) = serde_json::to_value(self.connector) else {
            return refuse("connector", "can't be written as JSON");
        };
        require(value.to_string().len() <= LARGEST, "connector", &format!("has to fit into {LARGEST} bytes of JSON"))?;
        sizes("", &value)
    }

    fn identity(&self) -> Checked {
        let id = self.connector.id.as_bytes();
        let valid = (1..=64).contains(&id.len())
            && id.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && id[0] != b'-';
        require(valid, "id", "1 to 64 lower-case letters, digits and hyphens, the first no hyphen")?;
        caption("name", &self.connector.name)?;
        match &self.connector.docs_url {
            Some(docs) => require(
                docs.starts_with("https://") && Url::parse(docs).is_ok(),
                "docs_url",
                "has to be an https address",
            ),
            None => Ok(()),
        }
    }

    /// Every placeholder has one meaning.
    fn names(&self) -> Checked {
        let mut seen: BTreeSet<&str> = GIVEN.into();
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
        let named = |field: &'static str, list: &'a [Input]| list.iter().map(move |input| (field, input.name.as_ref()));
        let captured = |field: &'static str, pairs: &'a Pairs| pairs.iter().map(move |(name, _)| (field, name));
        named("inputs", inputs)
            .chain(named("settings", settings))
            .chain(captured("captures.authorization_response", &captures.authorization_response))
            .chain(captured("captures.token_response", &captures.token_response))
            .chain(lookups.iter().map(|lookup| ("lookups", lookup.name.as_ref())))
    }

    fn inputs(&self) -> Checked {
        let Connector { inputs, settings, .. } = self.connector;
        require(
            !settings.iter().any(|setting| setting.secret),
            "settings",
            "none can be secret: settings are not kept sealed",
        )?;
        for (list, field) in [(inputs, "inputs"), (settings, "settings")] {
            for input in list.iter() {
                let field = format!("{field}.{}", input.name);
                caption(&format!("{field}.label"), &input.label)?;
                if let Some(pattern) = &input.pattern {
                    regex(&format!("{field}.pattern"), pattern)?;
                }
                for value in input.values.iter().chain(&input.default) {
                    accept(input, value)
                        .or_else(|error| refuse(&field, format!("its own value `{value}` {}", error.expected)))?;
                }
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
        for (_, member) in captures.token_response.iter() {
            path("captures.token_response", member)?;
        }
        for (name, pattern) in captures.patterns.iter() {
            let known = captures.authorization_response.value(name).or(captures.token_response.value(name)).is_some();
            require(known, "captures.patterns", &format!("`{name}` is not captured"))?;
            regex(&format!("captures.patterns.{name}"), pattern)?;
        }
        Ok(())
    }

    fn oauth2(&self) -> Checked {
        let Some(oauth2) = &self.connector.oauth2 else {
            let captured = &self.connector.captures;
            let none = captured.authorization_response.0.is_empty() && captured.token_response.0.is_empty();
            return require(none, "captures", "there is nothing to capture without oauth2");
        };
        let typed_secret = self.connector.inputs.iter().any(|input| input.secret);
        require(!typed_secret, "inputs", "with oauth2 a person consents and types no secret: leave it or oauth2 out")?;
        self.address("oauth2.authorization_endpoint", &oauth2.authorization_endpoint, Moment::Authorization)?;
        self.address("oauth2.token_endpoint", &oauth2.token_endpoint, Moment::Token)?;
        if let Some(refresh) = &oauth2.refresh_endpoint {
            self.address("oauth2.refresh_endpoint", refresh, Moment::Token)?;
        }
        if let Some(issuer) = &oauth2.issuer {
            self.filled("oauth2.issuer", issuer, Moment::Token)?;
        }
        scopes(oauth2)?;
        self.params("oauth2.authorization_params", &oauth2.authorization_params, Moment::Authorization)?;
        self.params("oauth2.token_params", &oauth2.token_params, Moment::Token)?;
        self.params("oauth2.refresh_params", &oauth2.refresh_params, Moment::Token)?;
        self.headers("oauth2.token_headers", &oauth2.token_headers, Moment::Token)?;
        let members = &oauth2.token_response;
        path("oauth2.token_response.access_token", &members.access_token)?;
        path("oauth2.token_response.refresh_token", &members.refresh_token)?;
        path("oauth2.token_response.expires_in", &members.expires_in)?;
        path("oauth2.token_response.scope", &members.scope)?;
        signal("oauth2.error_signal", oauth2.error_signal.as_ref())
    }

    fn api(&self) -> Checked {
        let api = &self.connector.api;
        for (field, patterns) in [("api.base_url_patterns", &api.base_url_patterns), ("api.origins", &api.origins)] {
            for pattern in patterns.iter() {
                self.pattern(field, pattern)?;
            }
        }
        self.address("api.base_url", &api.base_url, Moment::Call)?;
        require(
            !api.base_url.contains(['?', '#']),
            "api.base_url",
            "has to end with the path: a call's own path and query follow it",
        )?;
        self.headers("api.headers", &api.headers, Moment::Call)?;
        self.credential(&api.credential)
    }

    /// A credential is what the token endpoint gave, or what the person typed.
    fn credential(&self, placement: &Placement) -> Checked {
        let field = "api.credential";
        let values: Vec<&str> = match placement {
            Placement::Header { name, prefix, value } => {
                header_name(field, name)?;
                require(!prefix.contains(char::is_control), field, "its prefix has to be one line")?;
                vec![value]
            }
            Placement::Query { name, value } => {
                require(!name.is_empty(), field, "has to name a parameter")?;
                vec![value]
            }
            Placement::Basic { username, password } => {
                std::iter::once(username).chain(password).map(AsRef::as_ref).collect()
            }
        };
        let known = self.known(Moment::Call);
        if let Some(unknown) = values.iter().find(|value| !known.contains(*value)) {
            return refuse(
                field,
                format!("`{unknown}` is not known at a call: write the name of an input or of a token, without braces"),
            );
        }
        match &self.connector.oauth2 {
            Some(_) => require(
                values.contains(&"access_token"),
                field,
                "has to carry `access_token`: only that is kept sealed (`oauth2.token_response` says where it stands)",
            ),
            None => require(
                values.iter().any(|name| self.is_secret(name)),
                field,
                "has to carry an input that is marked `secret`",
            ),
        }
    }

    fn lookups(&self) -> Checked {
        if self.connector.lookups.len() > MOST_LOOKUPS {
            return refuse("lookups", format!("are more than {MOST_LOOKUPS}"));
        }
        for (at, lookup) in self.connector.lookups.iter().enumerate() {
            let field = format!("lookups.{}", lookup.name);
            let url = format!("{field}.url");
            self.address(&url, &lookup.url, Moment::Lookup(at))?;
            self.inside(&url, &lookup.url)?;
            for member in std::iter::once(&lookup.path).chain(&lookup.label) {
                path(&field, member)?;
            }
            if let Some(pattern) = &lookup.pattern {
                regex(&format!("{field}.pattern"), pattern)?;
            }
        }
        Ok(())
    }

    fn profile(&self) -> Checked {
        let Some(Profile { method: _, url, account_id, tenant, label, email, error_signal }) = &self.connector.profile
        else {
            return Ok(());
        };
        self.address("profile.url", url, Moment::Call)?;
        self.inside("profile.url", url)?;
        for (field, expression) in [
            ("profile.account_id", account_id),
            ("profile.tenant", tenant),
            ("profile.label", label),
            ("profile.email", email),
        ] {
            match expression.as_deref().map(|expression| (expression, leading(expression))) {
                Some((expression, Some(name))) => {
                    require(
                        expression.len() == name.len() + 2 && !self.is_secret(name),
                        field,
                        "has to be one placeholder, and no secret",
                    )?;
                    self.filled(field, expression, Moment::Call)?;
                }
                Some((expression, None)) => path(field, expression)?,
                None => {}
            }
        }
        require(tenant.is_none() || account_id.is_some(), "profile.tenant", "says nothing without `account_id`")?;
        signal("profile.error_signal", error_signal.as_ref())
    }

    fn revoke(&self) -> Checked {
        let Some(Revoke { url, method, params, headers, error_signal, .. }) = &self.connector.revoke else {
            return Ok(());
        };
        self.address("revoke.url", url, Moment::Revocation)?;
        self.inside("revoke.url", url)?;
        for (name, value) in params.iter() {
            require(!name.is_empty(), "revoke.params", "a parameter has a name")?;
            self.filled("revoke.params", value, Moment::Revocation)?;
            let shown = *method == RevokeMethod::Get && placeholders(value).any(|name| self.is_secret(name));
            require(
                !shown,
                "revoke.params",
                "a GET would put the secret into the query: use `authentication = \"token\"`, or POST",
            )?;
        }
        self.headers("revoke.headers", headers, Moment::Revocation)?;
        signal("revoke.error_signal", error_signal.as_ref())
    }

    /// The placeholders that have a value at a moment.
    fn known(&self, moment: Moment) -> BTreeSet<&'a str> {
        let Connector { inputs, settings, captures, lookups, .. } = self.connector;
        let names = |pairs: &'a Pairs| pairs.iter().map(|(name, _)| name);
        let mut known: BTreeSet<&str> = ["app_name", "client_id"].into();
        known.extend(inputs.iter().chain(settings.iter()).map(|input| input.name.as_ref()));
        if matches!(moment, Moment::Authorization) {
            known.retain(|name| !self.is_secret(name));
            return known;
        }
        known.extend(names(&captures.authorization_response));
        if matches!(moment, Moment::Token) {
            return known;
        }
        let looked_up = if let Moment::Lookup(at) = moment { at } else { lookups.len() };
        known.extend(names(&captures.token_response));
        known.extend(lookups.iter().take(looked_up).map(|lookup| lookup.name.as_ref()));
        if self.connector.oauth2.is_some() {
            known.extend(["access_token", "refresh_token"]);
        }
        known
    }

    fn is_secret(&self, name: &str) -> bool {
        let Connector { inputs, settings, .. } = self.connector;
        SECRET.contains(&name) || inputs.iter().chain(settings.iter()).any(|input| input.secret && input.name == name)
    }

    /// A template whose placeholders are all known when it is filled.
    fn filled(&self, field: &str, template: &str, moment: Moment) -> Checked {
        let Ok(parts) = template::parts(template) else {
            return refuse(field, "has a brace without its other half, or a placeholder that is not lower snake case");
        };
        let known = self.known(moment);
        for part in parts {
            match part {
                Part::Placeholder(name) if !known.contains(name) => {
                    return refuse(
                        field,
                        format!("`{{{name}}}` is not known here: declare it in inputs, settings, captures or lookups"),
                    );
                }
                Part::Literal(literal) => require(!literal.contains(char::is_control), field, "has to be one line")?,
                Part::Placeholder(_) => {}
            }
        }
        Ok(())
    }

    fn params(&self, field: &str, params: &Pairs, moment: Moment) -> Checked {
        for (name, value) in params.iter() {
            require(
                !name.is_empty() && !PROTOCOL.contains(&name),
                field,
                &format!("`{name}` is set by the protocol: leave it out"),
            )?;
            self.filled(field, value, moment)?;
        }
        unique(field, params)
    }

    fn headers(&self, field: &str, headers: &Pairs, moment: Moment) -> Checked {
        for (name, value) in headers.iter() {
            header_name(field, name)?;
            require(
                !name.eq_ignore_ascii_case("authorization"),
                field,
                "credentials go into `api.credential`, not into a header",
            )?;
            self.filled(field, value, moment)?;
        }
        unique(field, headers)
    }

    fn address(&self, field: &str, template: &str, moment: Moment) -> Checked {
        self.filled(field, template, moment)?;
        let Ok((start, rest)) = split(template) else {
            return refuse(field, "has to be an address like https://api.example.com/v1");
        };
        let shown =
            rest.split_once(['?', '#']).is_some_and(|(_, query)| placeholders(query).any(|name| self.is_secret(name)));
        require(
            !shown,
            field,
            "has a secret in its query, where logs keep it: use `api.credential`, or send it in a body",
        )?;
        match leading(template) {
            Some(name) => {
                let listed = !self.connector.api.base_url_patterns.is_empty() && !GIVEN.contains(&name);
                require(
                    listed,
                    field,
                    "has to have `api.base_url_patterns`, which say where such an address may point",
                )?;
            }
            None if start.contains('{') => self.open_host(field, start)?,
            None => self.fixed_host(field, start)?,
        }
        let sample = template::parts(template).unwrap_or_default().into_iter().map(|part| match part {
            Part::Literal(literal) => literal,
            Part::Placeholder(name) if leading(template) == Some(name) => "https://example.com",
            Part::Placeholder(_) => "x",
        });
        require(Url::parse(&sample.collect::<String>()).is_ok(), field, "is not an address")
    }

    /// A host that is written out.
    fn fixed_host(&self, field: &str, start: &str) -> Checked {
        match Origin::parse(start) {
            Ok(origin) => self.public(field, &origin),
            Err(_) => {
                refuse(field, "has to begin with a scheme and a host in lower case, without user name or port 443")
            }
        }
    }

    fn pattern(&self, field: &str, pattern: &str) -> Checked {
        match Origin::parse(pattern) {
            Ok(origin) => self.public(field, &origin),
            Err(error) => refuse(field, format!("{error}; a wildcard needs a domain of the provider's own after it")),
        }
    }

    /// https to a public name; locally also http, and only to this machine.
    fn public(&self, field: &str, origin: &Origin) -> Checked {
        let (name, loopback) = match &origin.host {
            Pattern::Under(suffix) => (is_host(suffix), suffix.ends_with(".localhost")),
            Pattern::Exactly(Host::Domain(name)) => {
                (is_host(name), name == "localhost" || name.ends_with(".localhost"))
            }
            Pattern::Exactly(Host::Ipv4(address)) => (false, address.is_loopback()),
            Pattern::Exactly(Host::Ipv6(address)) => (false, address.is_loopback()),
        };
        match (origin.scheme, loopback) {
            (_, true) if self.local => Ok(()),
            (Scheme::Https, false) if name => Ok(()),
            (Scheme::Https, _) => refuse(field, "has to name a public host like api.example.com"),
            (Scheme::Http, _) => refuse(field, "has to begin with https://"),
        }
    }

    /// A host with placeholders: one of a closed list, or labels before a suffix of the provider's own.
    fn open_host(&self, field: &str, start: &str) -> Checked {
        let Some(host) = start.strip_prefix("https://") else {
            return refuse(field, "has to begin with https://");
        };
        let name_of_all = leading(host).filter(|name| host.len() == name.len() + 2);
        if let Some(name) = name_of_all {
            let closed = self
                .input(name)
                .is_some_and(|input| !input.values.is_empty() && input.values.iter().all(|value| is_host(value)));
            return require(
                closed,
                field,
                &format!("`{{{name}}}` would be a free host, which is not supported: list its `values`"),
            );
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        let own = name
            .rsplit_once('}')
            .and_then(|(_, tail)| tail.split_once('.'))
            .is_some_and(|(_, suffix)| is_own_suffix(suffix));
        require(
            own,
            field,
            "a host's placeholders have to stand before a domain of the provider's own, like {shop}.example.com",
        )?;
        for name in placeholders(host) {
            let fits = match self.input(name) {
                Some(input) if !input.values.is_empty() => input.values.iter().all(|value| is_label(value)),
                _ => self
                    .pattern_of(name)
                    .and_then(|pattern| whole(pattern).ok())
                    .is_some_and(|regex| admits_labels_only(&regex)),
            };
            require(
                fits,
                field,
                &format!("`{{{name}}}` stands in a host: give it `values`, or a `pattern` like [a-z0-9-]+"),
            )?;
        }
        Ok(())
    }

    fn input(&self, name: &str) -> Option<&'a Input> {
        let Connector { inputs, settings, .. } = self.connector;
        inputs.iter().chain(settings.iter()).find(|input| input.name == name)
    }

    fn pattern_of(&self, name: &str) -> Option<&'a str> {
        let Connector { captures, lookups, .. } = self.connector;
        let looked_up =
            || lookups.iter().find(|lookup| lookup.name == name).and_then(|lookup| lookup.pattern.as_deref());
        match self.input(name) {
            Some(input) => input.pattern.as_deref(),
            None => captures.patterns.value(name).or_else(looked_up),
        }
    }

    /// An address that is called with the connection's credential belongs to the same provider.
    fn inside(&self, field: &str, template: &str) -> Checked {
        let api = &self.connector.api;
        let start = |template: &'a str| split(template).ok().map(|(start, _)| start);
        let oauth2 = self
            .connector
            .oauth2
            .iter()
            .flat_map(|oauth2| [Some(&oauth2.token_endpoint), oauth2.refresh_endpoint.as_ref()]);
        let mut known = oauth2.flatten().chain([&api.base_url]).filter_map(|template| start(template));
        let Ok((wanted, _)) = split(template) else {
            return refuse(field, "is not an address");
        };
        let listed = |patterns: &[Text]| Url::parse(wanted).is_ok_and(|url| Origins::within(patterns, &url));
        let learnt = leading(template).is_some(); // lies within the patterns, or is never believed
        let inside =
            learnt || known.any(|known| known == wanted) || listed(&api.origins) || listed(&api.base_url_patterns);
        require(inside, field, "its origin is neither the API's nor the token endpoint's: add it to `api.origins`")
    }
}

fn sizes(field: &str, value: &Value) -> Checked {
    let within = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
    let entries = format!("has more than {MOST_ENTRIES} entries");
    match value {
        Value::String(text) => {
            require(text.len() <= LONGEST_TEXT, field, &format!("is longer than {LONGEST_TEXT} bytes"))
        }
        Value::Array(items) => {
            require(items.len() <= MOST_ENTRIES, field, &entries)?;
            items.iter().enumerate().try_for_each(|(at, item)| sizes(&within(&at.to_string()), item))
        }
        Value::Object(members) => {
            require(members.len() <= MOST_ENTRIES, field, &entries)?;
            members.iter().try_for_each(|(name, member)| {
                require(name.len() <= LONGEST_TEXT, field, "has a name that is too long")?;
                sizes(&within(name), member)
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn caption(field: &str, text: &str) -> Checked {
    must_be_label(text, 100).or_else(|unfit| refuse(field, unfit.to_string()))?;
    require(text.trim() == text, field, "has a space at an end")
}

fn regex(field: &str, pattern: &str) -> Checked {
    // On its own as well: `a)|(b` would compile only between our parentheses, and mean something else there.
    let compiles = pattern.len() <= LONGEST_PATTERN && Regex::new(pattern).is_ok() && whole(pattern).is_ok();
    require(compiles, field, &format!("has to be a regular expression of at most {LONGEST_PATTERN} bytes"))
}

fn admits_labels_only(regex: &Regex) -> bool {
    NOT_LABELS.iter().all(|text| !regex.is_match(text))
}

fn scopes(oauth2: &OAuth2) -> Checked {
    let field = "oauth2.scopes";
    let separator = oauth2.scope_separator.as_ref();
    require(!separator.is_empty(), "oauth2.scope_separator", "can't be empty")?;
    for scope in oauth2.scopes.iter() {
        let plain = !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic()) && !scope.contains(separator);
        require(plain, field, "a scope is printable ASCII without spaces or the separator (RFC 6749 §3.3)")?;
    }
    require(
        oauth2.scopes.is_empty() || !oauth2.scope_parameter.is_empty(),
        field,
        "there is no `scope_parameter` to carry them",
    )
}

fn signal(field: &str, signal: Option<&ErrorSignal>) -> Checked {
    match signal {
        Some(signal) => path(field, &signal.path).and_then(|()| path(field, &signal.code)),
        None => Ok(()),
    }
}

fn path(field: &str, path: &str) -> Checked {
    let steps = !path.split('.').any(str::is_empty) && !path.contains(['{', '}']);
    require(steps, field, "has to be a dotted path like user.id, or 0.id for the first of a list")
}

/// RFC 9110 §5.6.2: a token.
fn header_name(field: &str, name: &str) -> Checked {
    let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    require(token, field, &format!("`{name}` is not a header's name"))?;
    let ours = HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header));
    require(!ours, field, &format!("`{name}` is set by the transport: leave it out"))
}

fn unique(field: &str, pairs: &Pairs) -> Checked {
    let mut seen = BTreeSet::new();
    match pairs.iter().find(|(name, _)| !seen.insert(name.to_ascii_lowercase())) {
        Some((name, _)) => refuse(field, format!("`{name}` stands there twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
