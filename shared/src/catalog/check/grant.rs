//! How a connection comes to be: the token endpoints, OAuth 1.0a, the login.

use url::Url;

use super::{
    Check, Checked, Moment, SECRET, filled_in_address,
    parameters::{header_name, unique},
    require,
    text::{path, signal},
};
use crate::protocol::{
    connector::{
        Assertion, BodyFormat, ClientAuthentication, Grant, Login, Method, OAuth1, OAuth2, Pairs, RefreshKind,
    },
    scope::is_scope,
    template::{self, is_name, leading, placeholders, split, whole},
};

impl Check<'_> {
    pub(super) fn oauth2(&self) -> Checked {
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
            let plain = split(issuer).is_ok() && !issuer.contains(['?', '#']);
            require(plain, "oauth2.issuer", "has to be an address without a query (RFC 8414 §2)")?;
            self.segments("oauth2.issuer", issuer)?;
            // it is compared with the answer to the browser, and so filled when they are sent there
            filled_in_address("oauth2.issuer", issuer, &self.known(Moment::Authorization))?;
        }
        if let Some(resource) = &oauth2.resource {
            self.filled("oauth2.resource", resource, Moment::Authorization)?;
            let absolute = Url::parse(&resource.replace(['{', '}'], "")).is_ok() && !resource.contains('#');
            require(absolute, "oauth2.resource", "has to be an absolute address without a fragment (RFC 8707 §2)")?;
        }
        if let Some(redirect_uri) = &oauth2.redirect_uri {
            self.filled("oauth2.redirect_uri", redirect_uri, Moment::Authorization)?;
        }
        self.scopes(oauth2)?;
        self.requests(oauth2)?;
        Self::authorization(oauth2)?;
        Self::token_response(oauth2)?;
        signal("oauth2.error_signal", oauth2.error_signal.as_ref())
    }

    /// What is sent besides what the standard says, and under other names.
    fn requests(&self, oauth2: &OAuth2) -> Checked {
        self.params("oauth2.authorization_params", &oauth2.authorization_params, Moment::Authorization)?;
        self.params("oauth2.token_params", &oauth2.token_params, Moment::Code)?;
        self.params("oauth2.refresh_params", &oauth2.refresh_params, Moment::Refresh)?;
        let proof = oauth2.refresh_endpoint_auth_method.unwrap_or(oauth2.token_endpoint_auth_method);
        let is_free = proof != ClientAuthentication::ClientSecretBasic && !oauth2.dpop;
        require(
            !oauth2.refresh_bears_access_token || is_free && oauth2.refresh == RefreshKind::RefreshToken,
            "oauth2.refresh_bears_access_token",
            "takes the header in which the client would prove itself, or a DPoP token: set `token_endpoint_auth_method` to another way \
             like `client_secret_post`, and neither `dpop` nor another `refresh` than by refresh token",
        )?;
        self.headers("oauth2.token_headers", &oauth2.token_headers, Moment::Token)?;
        let names = &oauth2.parameter_names;
        Self::renames("oauth2.parameter_names.authorization_request", &names.authorization_request)?;
        Self::renames("oauth2.parameter_names.authorization_response", &names.authorization_response)?;
        Self::renames("oauth2.parameter_names.token_request", &names.token_request)?;
        oauth2
            .exchange
            .iter()
            .try_for_each(|exchange| self.values("oauth2.exchange.params", &exchange.params, Moment::Exchange))
    }

    /// What the address of the provider's page ends in and says.
    fn authorization(oauth2: &OAuth2) -> Checked {
        let response_type = oauth2.response_type.as_deref().unwrap_or("code");
        let is_word = response_type.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'); // RFC 6749 appendix A.3
        require(
            is_word && !["", "token", "id_token", "none"].contains(&response_type),
            "oauth2.response_type",
            "has to be one word by which a code is asked for: a token in an address is seen by others (RFC 9700 §2.1.2)",
        )?;
        let fragment = oauth2.authorization_fragment.as_deref().unwrap_or("x");
        let plain = !fragment.is_empty() && fragment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        require(
            plain,
            "oauth2.authorization_fragment",
            "has to be letters, digits, hyphens, dots, underscores or tildes",
        )
    }

    /// Where tokens and refusals stand in answers.
    fn token_response(oauth2: &OAuth2) -> Checked {
        let members = &oauth2.token_response;
        members.root.iter().try_for_each(|member| path("oauth2.token_response.root", member))?;
        path("oauth2.token_response.access_token", &members.access_token)?;
        path("oauth2.token_response.refresh_token", &members.refresh_token)?;
        path("oauth2.token_response.expires_in", &members.expires_in)?;
        path("oauth2.token_response.scope", &members.scope)?;
        for (at, slot) in oauth2.token_slots.iter().enumerate() {
            let twice = oauth2.token_slots.iter().take(at).any(|other| other.name == slot.name);
            require(!twice, "oauth2.token_slots", &format!("`{}` stands there twice", slot.name))?;
            require(is_name(&slot.name), "oauth2.token_slots", &format!("`{}` has to be lower snake case", slot.name))?;
            let paths = [&slot.refresh_token, &slot.expires_in, &slot.scope].into_iter().flatten();
            std::iter::once(&slot.access_token)
                .chain(paths)
                .try_for_each(|member| path("oauth2.token_slots", member))?;
        }
        oauth2.grant_ended.iter().try_for_each(|(member, _)| path("oauth2.grant_ended", member))
    }

    /// A scope stays one whatever is put into it.
    fn scopes(&self, oauth2: &OAuth2) -> Checked {
        let field = "oauth2.scopes";
        let separator = oauth2.scope_separator.as_ref();
        require(!separator.is_empty(), "oauth2.scope_separator", "can't be empty")?;
        for scope in oauth2.scopes.iter() {
            let one = "a scope is printable ASCII without spaces or the separator (RFC 6749 §3.3)";
            require(is_scope(scope, oauth2), field, one)?;
            self.filled(field, scope, Moment::Authorization)?;
            for name in placeholders(scope) {
                let not_scopes = ["", " ", "a b", "é", "a\u{7f}b", separator, &format!("a{separator}b")];
                let fits = match self.listed(name) {
                    Some(list) => list.into_iter().all(|text| is_scope(text, oauth2)),
                    None => self
                        .pattern_of(name)
                        .and_then(|pattern| whole(pattern).ok())
                        .is_some_and(|regex| not_scopes.iter().all(|text| !regex.is_match(text))),
                };
                require(
                    fits,
                    field,
                    &format!(
                        "`{{{name}}}` stands in a scope: give it `values`, or a `pattern` without spaces or the separator"
                    ),
                )?;
            }
        }
        require(
            oauth2.scopes.is_empty() || !oauth2.scope_parameter.is_empty(),
            field,
            "there is no `scope_parameter` to carry them",
        )
    }

    /// What the grant and the ways to prove oneself need.
    pub(super) fn client(&self, oauth2: &OAuth2) -> Checked {
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
        require(
            oauth2.refresh != RefreshKind::AccessToken
                || oauth2.exchange.is_some()
                || !oauth2.refresh_params.0.is_empty(),
            "oauth2.refresh",
            "renews a token by itself, and neither `refresh_params` nor an `exchange` says how",
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

    pub(super) fn assertion(&self, field: &str, assertion: Option<&Assertion>, moment: Moment) -> Checked {
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

    pub(super) fn oauth1(&self) -> Checked {
        let Some(OAuth1 { authorization_params, .. }) = &self.connector.oauth1 else { return Ok(()) };
        for (field, endpoint) in template::endpoints(self.connector).filter(|(field, _)| field.starts_with("oauth1.")) {
            let seen = field == "oauth1.authorization_endpoint";
            self.address(field, endpoint, if seen { Moment::Authorization } else { Moment::Token })?;
        }
        let own = authorization_params.iter().all(|(name, _)| !name.starts_with("oauth_"));
        require(own, "oauth1.authorization_params", "a parameter that begins with oauth_ is set by the protocol")?;
        self.values("oauth1.authorization_params", authorization_params, Moment::Authorization)
    }

    pub(super) fn login(&self) -> Checked {
        let Some(login) = &self.connector.login else { return Ok(()) };
        let Login { url, method, body, params, headers, credential, assertion, token, expires_in, .. } = login;
        self.address("login.url", url, Moment::Login)?;
        self.values("login.params", params, Moment::Login)?;
        self.shown("login.params", params, *method, *body)?;
        let secret_header = |(name, value): (&str, &str)| {
            header_name("login.headers", name)?;
            self.filled_anew("login.headers", value, Moment::Login)
        };
        headers.iter().try_for_each(secret_header)?;
        unique("login.headers", headers)?;
        if let Some(placement) = credential {
            self.placement("login.credential", placement, Moment::Login)?;
        }
        self.assertion("login.assertion", assertion.as_ref(), Moment::Login)?;
        path("login.token", token)?;
        expires_in.iter().try_for_each(|member| path("login.expires_in", member))?;
        // 401 is the key's, and these others mean not now
        let lasting = |status: u16| (400..500).contains(&status) && ![401, 408, 425, 429].contains(&status);
        require(
            login.grant_ended_status.is_none_or(lasting),
            "login.grant_ended_status",
            "has to be a status of refusal that lasts, like 404 or 410; 401 may be of the key that logs in",
        )?;
        signal("login.error_signal", login.error_signal.as_ref())
    }

    /// A secret is no parameter of an address, unless the provider takes it nowhere else: a login by GET.
    pub(super) fn shown(&self, field: &str, params: &Pairs, method: Method, body: BodyFormat) -> Checked {
        let secret = params.iter().any(|(_, value)| placeholders(value).any(|name| self.is_secret(name)));
        let shown = secret && body == BodyFormat::Query && method != Method::Get;
        require(!shown, field, "puts a secret into the query of a call that has a body")
    }
}
