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
        connector::{
            Assertion, BodyFormat, ClientAuthentication, Connector, ErrorSignal, Grant, Input, Login, Lookup, Method,
            OAuth1, OAuth2, Pairs, Placement, Profile, RefreshKind, Revoke, Text,
        },
        origins::{Origin, Origins, Pattern, Scheme, is_own_suffix},
        template::{self, Part, accept, is_host, is_label, is_name, leading, placeholders, split, whole},
    },
};

/// Placeholders that need no declaration.
const GIVEN: [&str; 10] = [
    "access_token",
    "app_name",
    "assertion",
    "client_id",
    "client_secret",
    "random",
    "refresh_token",
    "scope",
    "session_token",
    "state",
];

/// Those of them that are secrets.
const SECRET: [&str; 5] = ["access_token", "assertion", "client_secret", "refresh_token", "session_token"];

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
        let named = |field: &'static str, list: &'a [Input]| list.iter().map(move |input| (field, input.name.as_ref()));
        let captured = |field: &'static str, pairs: &'a Pairs| pairs.iter().map(move |(name, _)| (field, name));
        let looked_up =
            |lookup: &'a Lookup| std::iter::once(lookup.name.as_ref()).chain(lookup.also.iter().map(|(name, _)| name));
        named("inputs", inputs)
            .chain(named("settings", settings))
            .chain(captured("captures.authorization_response", &captures.authorization_response))
            .chain(captured("captures.token_response", &captures.token_response))
            .chain(captured("captures.id_token", &captures.id_token))
            .chain(captured("captures.login_response", &captures.login_response))
            .chain(lookups.iter().flat_map(looked_up).map(|name| ("lookups", name)))
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
        let answers = [
            ("captures.token_response", &captures.token_response),
            ("captures.id_token", &captures.id_token),
            ("captures.login_response", &captures.login_response),
        ];
        for (field, pairs) in answers {
            pairs.iter().try_for_each(|(_, member)| path(field, member))?;
        }
        let is_known = |name: &str| {
            let answers = answers.iter().map(|(_, pairs)| *pairs);
            std::iter::once(&captures.authorization_response).chain(answers).any(|pairs| pairs.value(name).is_some())
        };
        for (name, pattern) in captures.patterns.iter() {
            require(is_known(name), "captures.patterns", &format!("`{name}` is not captured"))?;
            regex(&format!("captures.patterns.{name}"), pattern)?;
        }
        for (name, value) in captures.defaults.iter() {
            require(is_known(name), "captures.defaults", &format!("`{name}` is not captured"))?;
            let believed = template::believe(self.connector, name, value);
            believed.or_else(|error| refuse(format!("captures.defaults.{name}"), error.expected))?;
        }
        Ok(())
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
            answered || captures.token_response.0.is_empty() && captures.id_token.0.is_empty(),
            "captures",
            "there is nothing to capture without oauth2",
        )?;
        require(
            login.is_some() || captures.login_response.0.is_empty(),
            "captures.login_response",
            "there is nothing to capture without login",
        )?;
        let held = settings.iter().find(|setting| setting.secret && setting.default.is_some());
        match held {
            Some(setting) => refuse(format!("settings.{}", setting.name), "is secret and has a default, which is none"),
            None => Ok(()),
        }
    }

    fn oauth2(&self) -> Checked {
        let Some(oauth2) = &self.connector.oauth2 else { return Ok(()) };
        let moment = |field: &str| match field {
            "oauth2.authorization_endpoint" => Moment::Authorization,
            "oauth2.exchange.endpoint" => Moment::Exchange,
            "oauth2.refresh_endpoint" => Moment::Refresh,
            _ => Moment::Token,
        };
        for (field, endpoint) in template::endpoints(self.connector).filter(|(field, _)| field.starts_with("oauth2.")) {
            self.address(field, endpoint, moment(field))?;
        }
        self.client(oauth2)?;
        if let Some(issuer) = &oauth2.issuer {
            self.filled("oauth2.issuer", issuer, Moment::Token)?;
        }
        if let Some(resource) = &oauth2.resource {
            self.filled("oauth2.resource", resource, Moment::Authorization)?;
        }
        if let Some(redirect_uri) = &oauth2.redirect_uri {
            self.filled("oauth2.redirect_uri", redirect_uri, Moment::Authorization)?;
        }
        scopes(oauth2)?;
        self.params("oauth2.authorization_params", &oauth2.authorization_params, Moment::Authorization)?;
        self.params("oauth2.token_params", &oauth2.token_params, Moment::Token)?;
        self.params("oauth2.refresh_params", &oauth2.refresh_params, Moment::Refresh)?;
        self.headers("oauth2.token_headers", &oauth2.token_headers, Moment::Token)?;
        let names = &oauth2.parameter_names;
        Self::renames("oauth2.parameter_names.authorization_request", &names.authorization_request)?;
        Self::renames("oauth2.parameter_names.authorization_response", &names.authorization_response)?;
        Self::renames("oauth2.parameter_names.token_request", &names.token_request)?;
        if let Some(exchange) = &oauth2.exchange {
            self.values("oauth2.exchange.params", &exchange.params, Moment::Exchange)?;
        }
        let fragment = oauth2.authorization_fragment.as_deref().unwrap_or("x");
        let plain = !fragment.is_empty() && fragment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        require(
            plain,
            "oauth2.authorization_fragment",
            "has to be letters, digits, hyphens, dots, underscores or tildes",
        )?;
        let members = &oauth2.token_response;
        members.root.iter().try_for_each(|member| path("oauth2.token_response.root", member))?;
        path("oauth2.token_response.access_token", &members.access_token)?;
        path("oauth2.token_response.refresh_token", &members.refresh_token)?;
        path("oauth2.token_response.expires_in", &members.expires_in)?;
        path("oauth2.token_response.scope", &members.scope)?;
        for slot in oauth2.token_slots.iter() {
            require(is_name(&slot.name), "oauth2.token_slots", &format!("`{}` has to be lower snake case", slot.name))?;
            let paths = [&slot.refresh_token, &slot.expires_in, &slot.scope].into_iter().flatten();
            std::iter::once(&slot.access_token)
                .chain(paths)
                .try_for_each(|member| path("oauth2.token_slots", member))?;
        }
        signal("oauth2.error_signal", oauth2.error_signal.as_ref())
    }

    /// What the grant and the ways to prove oneself need.
    fn client(&self, oauth2: &OAuth2) -> Checked {
        let typed = |name: &str| self.connector.inputs.iter().any(|input| input.name == name);
        match oauth2.grant {
            Grant::AuthorizationCode => require(
                oauth2.authorization_endpoint.is_some(),
                "oauth2.authorization_endpoint",
                "is missing: a person has to be sent somewhere",
            )?,
            Grant::ClientCredentials => require(
                typed("client_id") && typed("client_secret"),
                "inputs",
                "have to ask for `client_id` and `client_secret`: the client is the person's own",
            )?,
            Grant::JwtBearer => {
                require(oauth2.assertion.is_some(), "oauth2.assertion", "is missing: it is the grant")?;
            }
            Grant::DeviceCode => require(
                oauth2.device_authorization_endpoint.is_some(),
                "oauth2.device_authorization_endpoint",
                "is missing: the code comes from there",
            )?,
        }
        let remint = oauth2.refresh == RefreshKind::Remint;
        require(
            !remint || self.connector.client_is_typed(),
            "oauth2.refresh",
            "asks a person again: that is no refresh",
        )?;
        let methods = [Some(oauth2.token_endpoint_auth_method), oauth2.refresh_endpoint_auth_method];
        let exchanged = oauth2.exchange.as_ref().map(|exchange| exchange.authentication);
        let signs = |method: &ClientAuthentication| {
            matches!(method, ClientAuthentication::PrivateKeyJwt | ClientAuthentication::SignedClientSecret)
        };
        require(
            oauth2.client_assertion.is_some() || !methods.iter().chain([&exchanged]).flatten().any(signs),
            "oauth2.client_assertion",
            "is missing: it says how the client signs",
        )?;
        self.assertion("oauth2.client_assertion", oauth2.client_assertion.as_ref(), Moment::Token)?;
        self.assertion("oauth2.assertion", oauth2.assertion.as_ref(), Moment::Token)
    }

    fn assertion(&self, field: &str, assertion: Option<&Assertion>, moment: Moment) -> Checked {
        let Some(Assertion { algorithm: _, key, key_id, claims, expires_in }) = assertion else { return Ok(()) };
        let held = leading(key)
            .filter(|name| key.len() == name.len() + 2)
            .is_some_and(|name| name == "client_secret" || self.is_secret(name) && !SECRET.contains(&name));
        require(
            held,
            &format!("{field}.key"),
            "has to be one placeholder for a secret input or setting, or {client_secret}",
        )?;
        key_id.iter().try_for_each(|id| self.filled(&format!("{field}.key_id"), id, moment))?;
        for (name, value) in claims.iter() {
            let ours = ["iat", "exp", "nbf", "jti"].contains(&name);
            require(!ours, &format!("{field}.claims"), &format!("`{name}` is set by us: leave it out"))?;
            self.filled(&format!("{field}.claims"), value, moment)?;
        }
        require((1..=3600).contains(expires_in), &format!("{field}.expires_in"), "has to be 1 to 3600 seconds")
    }

    fn oauth1(&self) -> Checked {
        let Some(OAuth1 { authorization_params, .. }) = &self.connector.oauth1 else { return Ok(()) };
        for (field, endpoint) in template::endpoints(self.connector).filter(|(field, _)| field.starts_with("oauth1.")) {
            let seen = field == "oauth1.authorization_endpoint";
            self.address(field, endpoint, if seen { Moment::Authorization } else { Moment::Token })?;
        }
        let own = authorization_params.iter().all(|(name, _)| !name.starts_with("oauth_"));
        require(own, "oauth1.authorization_params", "a parameter that begins with oauth_ is set by the protocol")?;
        self.values("oauth1.authorization_params", authorization_params, Moment::Authorization)
    }

    fn login(&self) -> Checked {
        let Some(login) = &self.connector.login else { return Ok(()) };
        let Login { url, method, body, params, headers, credential, assertion, token, expires_in, .. } = login;
        self.address("login.url", url, Moment::Login)?;
        self.values("login.params", params, Moment::Login)?;
        self.shown("login.params", params, *method, *body)?;
        let secret_header = |(name, value): (&str, &str)| {
            header_name("login.headers", name)?;
            self.filled("login.headers", value, Moment::Login)
        };
        headers.iter().try_for_each(secret_header)?;
        unique("login.headers", headers)?;
        if let Some(placement) = credential {
            self.placement("login.credential", placement, Moment::Login)?;
        }
        self.assertion("login.assertion", assertion.as_ref(), Moment::Login)?;
        path("login.token", token)?;
        expires_in.iter().try_for_each(|member| path("login.expires_in", member))?;
        signal("login.error_signal", login.error_signal.as_ref())
    }

    /// A secret is no parameter of an address, unless the provider takes it nowhere else: a login by GET.
    fn shown(&self, field: &str, params: &Pairs, method: Method, body: BodyFormat) -> Checked {
        let secret = params.iter().any(|(_, value)| placeholders(value).any(|name| self.is_secret(name)));
        let shown = secret && body == BodyFormat::Query && method != Method::Get;
        require(!shown, field, "puts a secret into the query of a call that has a body")
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
        self.values("api.query", &api.query, Moment::Call)?;
        self.credential(&api.credential)
    }

    /// A credential is what the token endpoint or the login gave, or what the person typed.
    fn credential(&self, placement: &Placement) -> Checked {
        let field = "api.credential";
        let named = self.placement(field, placement, Moment::Call)?;
        let Connector { oauth2, oauth1, login, .. } = self.connector;
        if login.is_some() {
            return require(
                named.contains("session_token"),
                field,
                "has to carry `{session_token}`, which the login gave",
            );
        }
        match (oauth2, oauth1) {
            (Some(_), _) => require(
                named.contains("access_token"),
                field,
                "has to carry `{access_token}`: only that is kept sealed (`oauth2.token_response` says where it stands)",
            ),
            (None, Some(_)) => {
                require(*placement == Placement::Oauth1, field, "has to be { in = \"oauth1\" }: calls are signed")
            }
            (None, None) => require(
                named.iter().any(|name| self.is_secret(name)),
                field,
                "has to carry an input that is marked `secret`",
            ),
        }
    }

    /// The placeholders that a credential is made of.
    fn placement(
        &self,
        field: &str,
        placement: &'a Placement,
        moment: Moment,
    ) -> Result<BTreeSet<&'a str>, CheckError> {
        let templates: Vec<&'a Text> = match placement {
            Placement::Header { name, value } => {
                header_name(field, name)?;
                vec![value]
            }
            Placement::Query { name, value } => {
                require(!name.is_empty(), field, "has to name a parameter")?;
                vec![value]
            }
            Placement::Basic { username, password } => vec![username, password],
            Placement::Path => vec![&self.connector.api.base_url],
            Placement::Oauth1 => {
                require(self.connector.oauth1.is_some(), field, "signs as `oauth1` says, which is not there")?;
                Vec::new()
            }
            Placement::AwsSigv4 { service, region, access_key_id, secret_access_key, session_token } => {
                let fixed = [service, region, access_key_id, secret_access_key];
                fixed.into_iter().chain(session_token).collect()
            }
            Placement::SignedParameters { token_parameter, parameter, secret, timestamp_parameter, recipe: _ } => {
                let mut names = [token_parameter, parameter].into_iter().chain(timestamp_parameter);
                require(names.all(|name| !name.is_empty()), field, "has to name its parameters")?;
                require(
                    self.connector.oauth2.is_some(),
                    field,
                    "carries an access token, which there is not without oauth2",
                )?;
                return self.filled(field, secret, moment).map(|()| BTreeSet::from(["access_token"]));
            }
        };
        templates.iter().try_for_each(|template| self.filled(field, template, moment))?;
        Ok(templates.into_iter().flat_map(|template| placeholders(template)).collect())
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
            self.headers(&format!("{field}.headers"), &lookup.headers, Moment::Lookup(at))?;
            json_body(&format!("{field}.body"), lookup.body.as_ref())?;
            let also = lookup.also.iter().map(|(_, member)| member);
            let paths = std::iter::once(&lookup.path).chain(&lookup.label).map(AsRef::as_ref).chain(also);
            paths.chain(lookup.only.iter().map(|(member, _)| member)).try_for_each(|member| path(&field, member))?;
            match lookup.list.as_deref() {
                Some(".") => {}
                Some(list) => path(&format!("{field}.list"), list)?,
                None => require(
                    lookup.only.0.is_empty(),
                    &format!("{field}.only"),
                    "chooses among a `list`, which is not there",
                )?,
            }
            for (name, pattern) in lookup.patterns.iter() {
                let filled = lookup.name == name || lookup.also.value(name).is_some();
                require(filled, &format!("{field}.patterns"), &format!("`{name}` is not looked up here"))?;
                regex(&format!("{field}.patterns.{name}"), pattern)?;
            }
        }
        Ok(())
    }

    fn profile(&self) -> Checked {
        let Some(Profile { method: _, url, headers, body, account_id, tenant, label, email, error_signal }) =
            &self.connector.profile
        else {
            return Ok(());
        };
        self.address("profile.url", url, Moment::Call)?;
        self.inside("profile.url", url)?;
        self.headers("profile.headers", headers, Moment::Call)?;
        json_body("profile.body", body.as_ref())?;
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
        let Some(Revoke { url, method, body, params, credential, headers, error_signal, .. }) = &self.connector.revoke
        else {
            return Ok(());
        };
        self.address("revoke.url", url, Moment::Revocation)?;
        self.inside("revoke.url", url)?;
        for (name, value) in params.iter() {
            require(!name.is_empty(), "revoke.params", "a parameter has a name")?;
            self.filled("revoke.params", value, Moment::Revocation)?;
            let in_query = *method == Method::Get || *body == BodyFormat::Query;
            let shown = in_query && placeholders(value).any(|name| self.is_secret(name));
            require(
                !shown,
                "revoke.params",
                "a GET would put the secret into the query: use `authentication = \"token\"`, or POST",
            )?;
        }
        self.headers("revoke.headers", headers, Moment::Revocation)?;
        if let Some(placement) = credential {
            self.placement("revoke.credential", placement, Moment::Call)?; // which may name the client's secret
        }
        signal("revoke.error_signal", error_signal.as_ref())
    }

    /// The placeholders that have a value at a moment.
    fn known(&self, moment: Moment) -> BTreeSet<&'a str> {
        let Connector { inputs, settings, captures, lookups, login, .. } = self.connector;
        let names = |pairs: &'a Pairs| pairs.iter().map(|(name, _)| name);
        let mut known: BTreeSet<&str> = ["app_name", "client_id"].into();
        known.extend(inputs.iter().chain(settings.iter()).map(|input| input.name.as_ref()));
        if moment == Moment::Authorization {
            known.retain(|name| !self.is_secret(name));
            known.insert("random");
            return known;
        }
        known.extend(["scope"]);
        known.extend(names(&captures.authorization_response));
        if moment == Moment::Token {
            known.insert("state");
            return known;
        }
        if self.connector.oauth2.is_some() {
            known.extend(["access_token", "refresh_token"]);
        }
        if moment == Moment::Exchange {
            return known;
        }
        known.extend(names(&captures.token_response).chain(names(&captures.id_token)));
        if moment == Moment::Refresh {
            return known;
        }
        if let Some(login) = login {
            known.extend(login.assertion.as_ref().map(|_| "assertion").filter(|_| moment == Moment::Login));
            if moment == Moment::Login {
                return known;
            }
            known.insert("session_token");
            known.extend(names(&captures.login_response));
        }
        let looked_up = if let Moment::Lookup(at) = moment { at } else { lookups.len() };
        let before = lookups.iter().take(looked_up);
        known.extend(before.flat_map(|lookup| std::iter::once(lookup.name.as_ref()).chain(names(&lookup.also))));
        if moment != Moment::Revocation && !self.connector.client_is_typed() {
            known.insert("client_secret"); // a few APIs want the client's secret with each call
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

    /// Further parameters of a request of the protocol.
    fn params(&self, field: &str, params: &Pairs, moment: Moment) -> Checked {
        let allowed = |name: &str, value: &str| match name {
            // a value of ours in the parameter that has its name, and what a provider calls its own refresh
            "scope" | "state" => moment != Moment::Authorization,
            "nonce" => value == "{random}",
            "grant_type" => field == "oauth2.refresh_params",
            "request" => !value.contains(['.', '{']), // a word of the provider's, and no request object (RFC 9101)
            _ => !PROTOCOL.contains(&name),
        };
        for (name, value) in params.iter() {
            require(allowed(name, value), field, &format!("`{name}` is set by the protocol: leave it out"))?;
        }
        self.values(field, params, moment)
    }

    /// Parameters of a call that is the provider's own.
    fn values(&self, field: &str, params: &Pairs, moment: Moment) -> Checked {
        for (name, value) in params.iter() {
            require(!name.is_empty(), field, "a parameter has a name")?;
            self.filled(field, value, moment)?;
        }
        unique(field, params)
    }

    /// Standard names and the provider's own.
    fn renames(field: &str, names: &Pairs) -> Checked {
        for (standard, own) in names.iter() {
            require(
                PROTOCOL.contains(&standard) && !own.is_empty() && !own.contains(char::is_control),
                field,
                &format!("`{standard}` is no parameter of the protocol"),
            )?;
        }
        unique(field, names)
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
        let secret = |text: &str| placeholders(text).any(|name| self.is_secret(name));
        let shown = rest.split_once(['?', '#']).is_some_and(|(_, query)| secret(query))
            || secret(start)
            || placeholders(rest).any(|name| name == "client_secret");
        require(!shown, field, "has a secret in it, where logs keep it: use `api.credential`, or send it in a body")?;
        let may_lack = |text: &str| placeholders(text).any(|name| self.input(name).is_some_and(|input| input.optional));
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        require(
            !may_lack(start) && !may_lack(path),
            field,
            "has an `optional` input in its host or path, which would be no address without it",
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
            Ok(origin) if matches!(origin.host, Pattern::Under(_)) => {
                refuse(field, "names many hosts: a `*` belongs into `api.base_url_patterns` or `api.origins`")
            }
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
        let sample = template::parts(start).unwrap_or_default().into_iter().map(|part| match part {
            Part::Literal(literal) => literal,
            Part::Placeholder(_) => "x",
        });
        require(
            Origin::parse(&sample.collect::<String>()).is_ok(),
            field,
            "has to have a host in lower case, without user name or port 443",
        )?;
        let name_of_all = leading(host).filter(|name| host.len() == name.len() + 2);
        if let Some(name) = name_of_all {
            return self.whole_host(field, name);
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

    /// A host that is all one placeholder: of a closed list, or free where no secret of the operator's can be led there.
    fn whole_host(&self, field: &str, name: &str) -> Checked {
        let Connector { inputs, settings, oauth2, oauth1, .. } = self.connector;
        let hosts = |input: &Input| !input.values.is_empty() && input.values.iter().all(|value| is_host(value));
        if self.input(name).is_some_and(hosts) {
            return Ok(());
        }
        // the operator's choice, for the client that they registered there; or no client of the operator's at all
        let registered = oauth2.as_ref().is_some_and(|oauth2| oauth2.registration.is_some());
        let shared = (oauth2.is_some() && !self.connector.client_is_typed() && !registered) || oauth1.is_some();
        let free = settings.iter().any(|setting| setting.name == name)
            || !shared && inputs.iter().any(|input| input.name == name);
        require(
            free,
            field,
            &format!(
                "`{{{name}}}` would be a free host, to which the client's secret would be sent: list its `values`, make it one \
                 of the settings, or register a client for each host"
            ),
        )?;
        require(
            self.pattern_of(name).is_some(),
            field,
            &format!("`{{{name}}}` stands for a host: give it a `pattern` like [a-z0-9-]+(\\.[a-z0-9-]+)+"),
        )
    }

    fn input(&self, name: &str) -> Option<&'a Input> {
        let Connector { inputs, settings, .. } = self.connector;
        inputs.iter().chain(settings.iter()).find(|input| input.name == name)
    }

    fn pattern_of(&self, name: &str) -> Option<&'a str> {
        let Connector { captures, lookups, .. } = self.connector;
        let looked_up = || lookups.iter().find_map(|lookup| lookup.patterns.value(name));
        match self.input(name) {
            Some(input) => input.pattern.as_deref(),
            None => captures.patterns.value(name).or_else(looked_up),
        }
    }

    /// An address that is called with the connection's credential belongs to the same provider.
    fn inside(&self, field: &str, template: &str) -> Checked {
        let api = &self.connector.api;
        let start = |template: &'a str| split(template).ok().map(|(start, _)| start);
        let token_endpoints =
            template::endpoints(self.connector).filter(|(field, _)| !field.ends_with("authorization_endpoint"));
        let mut known = token_endpoints.map(|(_, endpoint)| endpoint).chain([api.base_url.as_ref()]).filter_map(start);
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

/// A body is fixed: nothing is put into it, so nothing can break out of it.
fn json_body(field: &str, body: Option<&Text>) -> Checked {
    let json = body.is_none_or(|body| serde_json::from_str::<Value>(body).is_ok());
    require(json, field, "has to be JSON")
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
