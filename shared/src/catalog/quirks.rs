//! What a developer would be surprised by at a provider, in words: every field of a connector's data that departs from what the
//! standards say becomes a short sentence.
//!
//! Each structure is taken apart in full, so that a new field does not compile until it is decided here what is said of it.

use crate::protocol::connector::{
    Api, BodyFormat, Captures, ClientAuthentication, Connector, Consent, ErrorSignal, Exchange, Expiry, Grant, Login,
    Lookup, Method, OAuth1, OAuth2, Pairs, ParameterNames, ParameterSignature, Pkce, Placement, Profile, RefreshKind,
    Registration, ResponseFormat, ResponseMode, Revoke, RevokeAuthentication, RevokeEffect, SignatureMethod, Text,
    TokenResponsePaths,
};

impl Connector {
    /// By which ways a connection comes to be, in the words of the list of connectors.
    #[must_use]
    pub fn grants(&self) -> Vec<&'static str> {
        let oauth2 = self.oauth2.as_ref().map(|oauth2| match oauth2.grant {
            Grant::AuthorizationCode => "authorization_code",
            Grant::ClientCredentials => "client_credentials",
            Grant::JwtBearer => "jwt_bearer",
            Grant::DeviceCode => "device_code",
        });
        // RFC 8628 beside the browser: the same authorization server takes both
        let device = self.oauth2.as_ref().filter(|oauth2| {
            oauth2.grant == Grant::AuthorizationCode && oauth2.device_authorization_endpoint.is_some()
        });
        let oauth1 = self.oauth1.as_ref().map(|_| "oauth1");
        let login = self.login.as_ref().map(|_| "login");
        let ways: Vec<_> = [oauth2, device.map(|_| "device_code"), oauth1, login].into_iter().flatten().collect();
        if ways.is_empty() { vec![typed(&self.api.credential)] } else { ways }
    }

    /// Its quirks, in sentences, and then its [notes](super::Catalog::notes).
    #[must_use]
    pub fn quirks(&self, notes: &[Text]) -> Vec<String> {
        let Self {
            id: _,
            name: _,
            categories: _,
            docs_url: _,
            evidence: _,
            notes: _,
            inputs: _,   // asked for, and said so elsewhere
            settings: _, // the same
            oauth2,
            oauth1,
            login,
            captures,
            lookups,
            api,
            profile,
            revoke,
        } = self;
        let mut said = Said::default();
        let token_is_kept = login.is_none() || self.needs_token_beside_session();
        if let Some(oauth2) = oauth2 {
            said.oauth2(oauth2, token_is_kept);
        }
        if let Some(oauth1) = oauth1 {
            said.oauth1(oauth1);
        }
        if let Some(login) = login {
            said.login(login, oauth2.is_some());
        }
        said.captures(captures);
        for lookup in lookups.iter() {
            said.lookup(lookup);
        }
        said.api(api);
        match profile {
            Some(profile) => said.profile(profile),
            None => said.add("No call tells whose account was connected."),
        }
        match revoke {
            Some(revoke) => said.revoke(revoke),
            None if self.consent() == Some(Consent::OAuth2) => {
                said.add("No call withdraws a consent: the person does it at the provider.");
            }
            None => {}
        }
        said.0.extend(notes.iter().map(ToString::to_string));
        said.0
    }
}

/// How a typed credential travels, as the name of a way to connect.
fn typed(credential: &Placement) -> &'static str {
    match credential {
        Placement::Basic { .. } => "basic",
        Placement::Header { .. } | Placement::Query { .. } | Placement::Path {} | Placement::Oauth1 {} => "api_key",
        Placement::AwsSigv4 { .. } | Placement::SignedParameters { .. } => "signature",
    }
}

/// Sentences so far.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn add(&mut self, sentence: impl Into<String>) {
        self.0.push(sentence.into());
    }

    fn when(&mut self, holds: bool, sentence: &str) {
        if holds {
            self.add(sentence);
        }
    }

    #[expect(clippy::too_many_lines, reason = "a line for each field, so that none is forgotten")]
    fn oauth2(&mut self, oauth2: &OAuth2, token_is_kept: bool) {
        let OAuth2 {
            grant,
            authorization_endpoint: _, // an address is no quirk
            token_endpoint: _,
            device_authorization_endpoint,
            pushed_authorization_request_endpoint,
            registration,
            issuer: _, // checked wherever it is known
            authorization_response_iss_parameter_supported: _,
            scopes,
            scope_separator,
            response_scope_separator,
            scope_parameter,
            second_scope_parameter,
            resource,
            response_type,
            response_mode,
            pkce,
            authorization_params,
            authorization_fragment,
            parameter_names,
            redirect_uri,
            code_suffix,
            callback_signature,
            token_endpoint_auth_method,
            client_assertion: _, // said by the method
            assertion: _,        // said by the grant
            token_request_method,
            token_request_body,
            grant_type,
            token_params,
            token_headers,
            dpop,
            exchange,
            refresh,
            refresh_token_rotates,
            refresh_endpoint,
            refresh_method,
            refresh_endpoint_auth_method,
            refresh_params,
            refresh_bears_access_token,
            grant_ended,
            refresh_token_expires_in,
            default_expires_in,
            token_response,
            token_slots,
            error_signal,
        } = oauth2;
        match grant {
            Grant::AuthorizationCode => {}
            Grant::ClientCredentials => self.add("The person types a client of their own (client credentials)."),
            Grant::JwtBearer => self.add("The person types a private key, which signs an assertion."),
            Grant::DeviceCode => self.add("The person types a code on another device; there is no browser redirect."),
        }
        let beside = *grant == Grant::AuthorizationCode && device_authorization_endpoint.is_some();
        self.when(beside, "A device without a browser can be connected by a code.");
        let pushed = pushed_authorization_request_endpoint.is_some();
        self.when(pushed, "The authorization request is pushed to the provider first.");
        if let Some(registration) = registration {
            self.registration(registration);
        }
        match (scope_parameter.as_ref(), scope_separator.as_ref()) {
            ("", _) => self.add("There are no scopes in the request."),
            ("scope", separator) => self.separated("Scopes are separated by", separator),
            (parameter, separator) => {
                self.add(format!("Scopes are sent as `{parameter}`."));
                self.separated("They are separated by", separator);
            }
        }
        let named = scopes.iter().any(|scope| scope.contains('{'));
        self.when(named, "The scopes name what was typed or chosen, and are filled with it.");
        if let Some(separator) = response_scope_separator.as_deref().filter(|other| *other != scope_separator.as_ref())
        {
            self.add(format!("The scopes of an answer are separated by {}.", character(separator)));
        }
        if let Some(second) = second_scope_parameter {
            self.add(format!("There is a second scope parameter, `{second}`."));
        }
        if let Some(resource) = resource {
            self.add(format!("What the token is for is named: `resource` is `{resource}`."));
        }
        if let Some(word) = response_type {
            self.add(format!("`response_type` is `{word}`."));
        }
        match response_mode {
            None => {}
            Some(ResponseMode::Query) => self.add("`response_mode=query` has to be asked for."),
            Some(ResponseMode::FormPost) => self.add("The answer comes back by POST."),
        }
        match pkce {
            Pkce::S256 => {}
            Pkce::Plain => self.add("PKCE is `plain`: the provider takes no S256."),
            Pkce::None => self.add("PKCE is off: the provider refuses it, or takes it from public clients alone."),
        }
        self.parameters("The authorization request needs", authorization_params);
        if let Some(fragment) = authorization_fragment {
            self.add(format!("The authorization address ends in `#{fragment}`."));
        }
        self.parameter_names(parameter_names);
        self.when(
            redirect_uri.is_some(),
            "The provider keeps the redirect URI under a name, which is sent in its place.",
        );
        if let Some(suffix) = code_suffix {
            self.add(format!("A code has `{suffix}` at its end that does not belong to it."));
        }
        if let Some(signature) = callback_signature {
            self.add(format!("The answer to the browser is signed, in `{}`.", signature.parameter));
        }
        match token_endpoint_auth_method {
            ClientAuthentication::ClientSecretBasic | ClientAuthentication::ClientSecretPost => {}
            other => self.add(format!("At the token endpoint {}.", proof(*other))),
        }
        self.when(*token_request_method == Method::Get, "A token is asked for by GET.");
        match token_request_body {
            BodyFormat::Form => {}
            BodyFormat::Json => self.add("The token request is JSON."),
            BodyFormat::Query => self.add("The token request's parameters stand in the query."),
        }
        match grant_type.as_deref() {
            None => {}
            Some("") => self.add("The token request has an empty `grant_type`."),
            Some(own) => self.add(format!("The first token request has `grant_type` `{own}`.")),
        }
        self.parameters("The token request needs", token_params);
        self.headers("The token request needs", token_headers);
        self.when(*dpop, "Tokens are bound to a key of the connection (DPoP).");
        if let Some(exchange) = exchange {
            self.exchange(exchange);
        }
        match refresh {
            RefreshKind::RefreshToken => {}
            RefreshKind::AccessToken => self.add("An access token is renewed by itself, while it lives."),
            RefreshKind::Remint => self.add("A new token is asked for as the first one was; nobody has to be there."),
            RefreshKind::None if token_is_kept => self.add("Access tokens live until they are revoked."),
            RefreshKind::None => self.add("The person's own token is let go of after the login, which makes another."),
        }
        match refresh_token_rotates {
            None => {}
            Some(true) => self.add("Refresh tokens rotate."),
            Some(false) => self.add("A refresh token stays the same."),
        }
        self.when(refresh_endpoint.is_some(), "Tokens are refreshed at an address of their own.");
        if let Some(method) = refresh_method.filter(|method| method != token_request_method) {
            self.add(format!("They are refreshed by {}.", method.as_str()));
        }
        if let Some(method) = refresh_endpoint_auth_method.filter(|method| method != token_endpoint_auth_method) {
            self.add(format!("When they are, {}.", proof(method)));
        }
        self.parameters("A refresh needs", refresh_params);
        self.when(*refresh_bears_access_token, "A refresh carries the access token that it renews.");
        for (member, text) in grant_ended.iter() {
            self.add(format!("That a grant is over is said by `{text}` in `{member}`, not by `invalid_grant`."));
        }
        if let Some(seconds) = refresh_token_expires_in {
            self.add(format!("A refresh token dies after {} without use.", time(*seconds)));
        }
        if let Some(seconds) = default_expires_in {
            self.add(format!(
                "Where the answer does not say when a token ends, it is taken to live {}.",
                time(*seconds)
            ));
        }
        self.token_response(token_response);
        for slot in token_slots.iter() {
            self.add(format!("The answer carries a further token, `{}`.", slot.name));
        }
        self.error_signal("A refused token request", error_signal.as_ref());
    }

    fn registration(&mut self, registration: &Registration) {
        let Registration { endpoint: _, body, parameter_names: _ } = registration;
        self.add("Each server has a client of its own, which is registered when it is first needed.");
        self.when(*body == BodyFormat::Form, "The registration is a form.");
    }

    fn separated(&mut self, what: &str, separator: &str) {
        if separator != " " {
            self.add(format!("{what} {}.", character(separator)));
        }
    }

    fn parameters(&mut self, what: &str, params: &Pairs) {
        let list: Vec<_> = params.iter().map(|(name, value)| format!("`{name}={value}`")).collect();
        if !list.is_empty() {
            self.add(format!("{what} {}.", all(&list)));
        }
    }

    fn headers(&mut self, what: &str, headers: &Pairs) {
        let list: Vec<_> = headers.iter().map(|(name, value)| format!("`{name}: {value}`")).collect();
        match list.len() {
            0 => {}
            1 => self.add(format!("{what} the header {}.", all(&list))),
            _ => self.add(format!("{what} the headers {}.", all(&list))),
        }
    }

    fn parameter_names(&mut self, names: &ParameterNames) {
        let ParameterNames { authorization_request, authorization_response, token_request } = names;
        for (place, names) in [
            ("the authorization request", authorization_request),
            ("the answer", authorization_response),
            ("the token request", token_request),
        ] {
            let list: Vec<_> = names.iter().map(|(name, own)| format!("`{name}` is called `{own}`")).collect();
            if !list.is_empty() {
                self.add(format!("In {place} {}.", all(&list)));
            }
        }
    }

    fn exchange(&mut self, exchange: &Exchange) {
        let Exchange { endpoint: _, method: _, body: _, params: _, authentication: _ } = exchange;
        self.add("The first token is exchanged at once for one that lives longer.");
    }

    fn token_response(&mut self, paths: &TokenResponsePaths) {
        let TokenResponsePaths { root, format, access_token, refresh_token, expires_in, expiry, scope } = paths;
        if let Some(root) = root {
            self.add(format!("The token response stands in `{root}`, or bare."));
        }
        self.when(*format == ResponseFormat::Form, "The token response is a form, not JSON.");
        let usual = TokenResponsePaths::default();
        let moved: Vec<_> = [
            ("the access token", access_token, &usual.access_token),
            ("the refresh token", refresh_token, &usual.refresh_token),
            ("the lifetime", expires_in, &usual.expires_in),
            ("the scopes", scope, &usual.scope),
        ]
        .into_iter()
        .filter(|(_, own, usual)| own != usual)
        .map(|(what, own, _)| format!("{what} as `{own}`"))
        .collect();
        if !moved.is_empty() {
            self.add(format!("The token response has {}.", all(&moved)));
        }
        self.expiry("A token's lifetime", *expiry);
    }

    fn expiry(&mut self, what: &str, expiry: Expiry) {
        match expiry {
            Expiry::Seconds => {}
            Expiry::Milliseconds => self.add(format!("{what} is told in milliseconds.")),
            Expiry::UnixSeconds => self.add(format!("{what} is told as its end, in seconds since 1970.")),
            Expiry::UnixMilliseconds => self.add(format!("{what} is told as its end, in milliseconds since 1970.")),
            Expiry::Rfc3339 => self.add(format!("{what} is told as its end, a date.")),
        }
    }

    fn error_signal(&mut self, what: &str, signal: Option<&ErrorSignal>) {
        let Some(ErrorSignal { path, equals, not_equals, code: _ }) = signal else { return };
        let sign = match (equals, not_equals) {
            (Some(value), _) => format!("`{path}` is `{value}` then"),
            (None, Some(value)) => format!("`{path}` is other than `{value}` then"),
            (None, None) => format!("there is an `{path}` then"),
        };
        self.add(format!("{what} is answered with status 200: {sign}."));
    }

    fn oauth1(&mut self, oauth1: &OAuth1) {
        let OAuth1 {
            temporary_credential_endpoint: _,
            authorization_endpoint: _,
            token_endpoint: _,
            signature_method,
            authorization_params,
            expires_in,
        } = oauth1;
        match signature_method {
            SignatureMethod::HmacSha1 => self.add("OAuth 1.0a: every request is signed with HMAC-SHA1."),
            SignatureMethod::HmacSha256 => self.add("OAuth 1.0a: every request is signed with HMAC-SHA256."),
            SignatureMethod::Plaintext => self.add("OAuth 1.0a, by PLAINTEXT: the secrets travel with every request."),
        }
        self.parameters("The address of the consent needs", authorization_params);
        if let Some(seconds) = expires_in {
            self.add(format!("A token lives {} and is not renewed.", time(*seconds)));
        }
    }

    fn login(&mut self, login: &Login, consented: bool) {
        let Login {
            url: _,
            method,
            body,
            params: _,
            headers: _,
            credential: _,
            assertion,
            token: _,
            expires_in: _,
            expiry,
            default_expires_in,
            error_signal,
            grant_ended_status,
        } = login;
        self.add(if consented {
            "A login follows the consent and gives a session's token, again whenever that ends."
        } else {
            "A login changes what was typed into a session's token, again whenever that ends."
        });
        self.when(*method == Method::Get, "The login is a GET.");
        self.when(*body == BodyFormat::Form, "The login is a form.");
        self.when(assertion.is_some(), "A signed JWT is made for the login.");
        self.expiry("The session's lifetime", *expiry);
        if let Some(seconds) = default_expires_in {
            self.add(format!("A session is taken to live {} unless the answer says when it ends.", time(*seconds)));
        }
        self.error_signal("A refused login", error_signal.as_ref());
        if let Some(status) = grant_ended_status {
            self.add(format!("That what was connected is no more is said by status {status} of the login."));
        }
    }

    fn captures(&mut self, captures: &Captures) {
        let Captures {
            authorization_response,
            token_response,
            id_token,
            access_token,
            login_response,
            patterns: _,
            defaults: _,
        } = captures;
        for (place, learnt) in [
            ("the answer to the browser", authorization_response),
            ("the token response", token_response),
            ("the `id_token`", id_token),
            ("the access token, a JWT", access_token),
            ("the answer of the login", login_response),
        ] {
            let names: Vec<_> = learnt.iter().map(|(name, _)| format!("`{name}`")).collect();
            if !names.is_empty() {
                self.add(format!(
                    "{} {} learnt from {place}.",
                    all(&names),
                    if names.len() > 1 { "are" } else { "is" }
                ));
            }
        }
    }

    fn lookup(&mut self, lookup: &Lookup) {
        let Lookup {
            name,
            title,
            url: _,
            method: _,
            headers: _,
            body: _,
            list,
            before_login,
            chosen_by,
            only: _,
            path: _,
            label: _,
            also: _,
            patterns: _,
        } = lookup;
        let what = title.as_ref().map_or_else(|| format!("`{name}`"), |title| format!("“{title}”"));
        match list {
            Some(_) => self.add(format!("An account may have several: the person chooses one ({what}).")),
            None => self.add(format!("{what} is looked up after connecting.")),
        }
        self.when(
            *before_login,
            "That is settled while connecting, and another needs a new consent: the login is made for it.",
        );
        if let Some(parameter) = chosen_by {
            self.add(format!(
                "The answer to the browser says which in `{parameter}`; it is taken only where the account has it."
            ));
        }
    }

    fn api(&mut self, api: &Api) {
        let Api { base_url: _, base_url_patterns, origins, credential, headers, query } = api;
        self.when(!base_url_patterns.is_empty(), "The API's address is one that the provider or the person names.");
        self.when(!origins.is_empty(), "The API has further hosts, which a call may name in full.");
        match credential {
            Placement::Header { name, value } if name == "Authorization" && value == "Bearer {access_token}" => {}
            Placement::Header { name, value } => {
                self.add(format!("The credential travels in a header, `{name}: {value}`."));
            }
            Placement::Query { name, .. } => self.add(format!("The credential travels in the query, as `{name}`.")),
            Placement::Basic { username, password } if password.is_empty() => {
                self.add(format!(
                    "The credential travels by HTTP Basic, as the user name `{username}` without a password."
                ));
            }
            Placement::Basic { username, password } => {
                self.add(format!("The credential travels by HTTP Basic, as `{username}:{password}`."));
            }
            Placement::Path {} => self.add("The credential stands in the path of every call."),
            Placement::Oauth1 {} => {} // said by OAuth 1.0a itself
            Placement::AwsSigv4 { .. } => self.add("Calls are signed by AWS Signature Version 4."),
            Placement::SignedParameters { parameter, recipe, .. } => {
                let by = match recipe {
                    ParameterSignature::Md5TokenSecret => "MD5",
                    ParameterSignature::HmacSha256PathBody => "HMAC-SHA256",
                };
                self.add(format!("Calls are signed over their parameters by {by}, in `{parameter}`."));
            }
        }
        self.headers("Every call needs", headers);
        self.parameters("Every call needs", query);
    }

    fn profile(&mut self, profile: &Profile) {
        let Profile { method: _, url, headers: _, body: _, account_id, tenant, label: _, email: _, error_signal } =
            profile;
        self.when(url.is_none(), "No call tells whose account was connected: what the provider sends along does.");
        self.when(account_id.is_none(), "An account's id is not told, so that the account stays unknown.");
        self.when(tenant.is_some(), "One account can be connected several times, once for each workspace or site.");
        self.error_signal("A refused call", error_signal.as_ref());
    }

    fn revoke(&mut self, revoke: &Revoke) {
        let Revoke {
            url: _,
            method: _,
            body: _,
            params: _,
            authentication,
            credential: _,
            headers: _,
            error_signal: _,
            effect,
        } = revoke;
        match authentication {
            RevokeAuthentication::Client
            | RevokeAuthentication::ClientSecretBasic
            | RevokeAuthentication::ClientSecretPost
            | RevokeAuthentication::None
            | RevokeAuthentication::Api => {}
            RevokeAuthentication::Token => self.add("A consent is withdrawn with the access token itself."),
        }
        match effect {
            RevokeEffect::Grant => self.add("Withdrawing ends everything that the account granted to the client."),
            RevokeEffect::Token => {}
        }
    }
}

/// How a client proves itself, as the end of a sentence.
fn proof(method: ClientAuthentication) -> &'static str {
    match method {
        ClientAuthentication::ClientSecretBasic => "the client proves itself by HTTP Basic",
        ClientAuthentication::ClientSecretPost => "the client's secret stands in the body",
        ClientAuthentication::ClientSecretQuery => "the client's secret stands in the query",
        ClientAuthentication::PrivateKeyJwt => "the client proves itself by a JWT that its private key signs",
        ClientAuthentication::SignedClientSecret => "the client's secret is a JWT that its private key signs",
        ClientAuthentication::None => "the client has no secret",
    }
}

fn character(separator: &str) -> String {
    match separator {
        "," => "commas".to_owned(),
        ";" => "semicolons".to_owned(),
        "+" => "plus signs".to_owned(),
        ":" => "colons".to_owned(),
        "|" => "bars".to_owned(),
        " " => "spaces".to_owned(),
        other => format!("`{other}`"),
    }
}

/// A list as people write it.
fn all(list: &[String]) -> String {
    match list.split_last() {
        Some((end, before)) if !before.is_empty() => format!("{} and {end}", before.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

/// Seconds as people say them, in the largest unit that tells them exactly.
fn time(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (length, unit) = units
        .into_iter()
        .find(|(length, _)| seconds >= *length && seconds.is_multiple_of(*length))
        .unwrap_or((1, "second"));
    let count = seconds / length;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
