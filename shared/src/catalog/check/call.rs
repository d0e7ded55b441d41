//! The calls that are made with a credential: the API's own, look-ups, the profile, revocation.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Check, CheckError, Checked, Moment,
    parameters::header_name,
    refuse, require,
    text::{learnt_pattern, path, signal},
};
use crate::protocol::{
    connector::{BodyFormat, Connector, Method, Placement, Profile, Revoke, Text},
    template::{leading, placeholders},
};

/// They are made one after the other while a person waits, and share a few seconds.
const MOST_LOOKUPS: usize = 3;

impl<'a> Check<'a> {
    pub(super) fn api(&self) -> Checked {
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
    pub(super) fn credential(&self, placement: &Placement) -> Checked {
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
                require(*placement == Placement::Oauth1 {}, field, "has to be { in = \"oauth1\" }: calls are signed")
            }
            (None, None) => require(
                named.iter().any(|name| self.is_secret(name)),
                field,
                "has to carry an input that is marked `secret`",
            ),
        }
    }

    /// The placeholders that a credential is made of.
    pub(super) fn placement(
        &self,
        field: &str,
        placement: &'a Placement,
        moment: Moment,
    ) -> Result<BTreeSet<&'a str>, CheckError> {
        let templates: Vec<&'a Text> = match placement {
            Placement::Header { name, value } => {
                header_name(field, name)?;
                self.one_line(field, value)?;
                vec![value]
            }
            Placement::Query { name, value } => {
                require(!name.is_empty(), field, "has to name a parameter")?;
                vec![value]
            }
            Placement::Basic { username, password } => vec![username, password],
            Placement::Path {} => vec![&self.connector.api.base_url],
            Placement::Oauth1 {} => {
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

    pub(super) fn lookups(&self) -> Checked {
        if self.connector.lookups.len() > MOST_LOOKUPS {
            return refuse("lookups", format!("are more than {MOST_LOOKUPS}"));
        }
        for (at, lookup) in self.connector.lookups.iter().enumerate() {
            let field = format!("lookups.{}", lookup.name);
            self.before_login(&format!("{field}.before_login"), at)?;
            self.chosen_by(&format!("{field}.chosen_by"), at)?;
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
                learnt_pattern(&format!("{field}.patterns.{name}"), pattern)?;
            }
        }
        let credential = &self.connector.api.credential;
        let in_base_url = matches!(credential, Placement::Path {}); // a look-up has an address of its own
        let behind = self.connector.lookups.iter().enumerate();
        let behind = behind.filter(|(_, lookup)| !lookup.before_login && !in_base_url);
        for (at, lookup) in behind {
            let field = format!("lookups.{} (asked with api.credential)", lookup.name);
            self.placement(&field, credential, Moment::Lookup(at))?;
        }
        Ok(())
    }

    /// What is looked up ahead of the login is so with the token that a person's consent gave.
    fn before_login(&self, field: &str, at: usize) -> Checked {
        let Connector { lookups, login, oauth2, api, .. } = self.connector;
        if !lookups[at].before_login {
            return Ok(());
        }
        let consented = oauth2.is_some() && self.connector.consent().is_some();
        require(
            login.is_some() && consented,
            field,
            "needs oauth2 with a person's consent, which gives the token that asks, and a login that follows",
        )?;
        let signed = matches!(api.credential, Placement::AwsSigv4 { .. }) || oauth2.as_ref().is_some_and(|it| it.dpop);
        require(!signed, field, "asks with a Bearer header, and the connector's calls are signed")?;
        let accompanied = api.headers.iter().chain(api.query.iter());
        let by_session = |(_, template)| placeholders(template).any(|name| name == "session_token");
        require(
            !accompanied.into_iter().any(by_session),
            field,
            "is sent with `api.headers` and `api.query`, and `{session_token}` is not known there yet",
        )?;
        let ahead = lookups[..at].iter().all(|lookup| lookup.before_login);
        require(ahead, field, "comes after one that is made behind the login: put it ahead of that")
    }

    fn chosen_by(&self, field: &str, at: usize) -> Checked {
        let Connector { lookups, oauth2, oauth1, .. } = self.connector;
        let Some(parameter) = lookups[at].chosen_by.as_deref() else { return Ok(()) };
        require(lookups[at].list.is_some(), field, "chooses among a `list`, which is not there")?;
        let first = lookups[..at].iter().all(|lookup| lookup.list.is_none());
        require(first, field, "is known in the answer to the browser alone: no other `list` may come first")?;
        let browser = oauth1.is_some() || oauth2.as_ref().is_some_and(|it| it.authorization_endpoint.is_some());
        require(browser, field, "is a parameter of the authorization response, which there is none of")?;
        let renamed = oauth2.iter().flat_map(|it| it.parameter_names.authorization_response.iter());
        let taken = ["", "code", "error", "error_description", "error_uri", "iss", "response", "scope", "state"];
        let taken = taken.contains(&parameter) || renamed.into_iter().any(|(_, own)| own == parameter);
        require(!taken, field, "has to name a parameter that means nothing else (RFC 6749 §4.1.2)")
    }

    pub(super) fn profile(&self) -> Checked {
        let Some(Profile { method, url, headers, body, account_id, tenant, label, email, error_signal }) =
            &self.connector.profile
        else {
            return Ok(());
        };
        let members = [
            ("profile.account_id", account_id),
            ("profile.tenant", tenant),
            ("profile.label", label),
            ("profile.email", email),
        ];
        if let Some(url) = url {
            self.address("profile.url", url, Moment::Call)?;
            self.inside("profile.url", url)?;
        } else {
            let silent = headers.0.is_empty() && body.is_none() && error_signal.is_none();
            require(silent && *method == Method::Get, "profile.url", "is missing, and there is more of a call")?;
            let told = members.iter().any(|(_, expression)| expression.is_some());
            require(told, "profile.url", "is missing, and nothing else tells whose account it is")?;
        }
        self.headers("profile.headers", headers, Moment::Call)?;
        json_body("profile.body", body.as_ref())?;
        for (field, expression) in members {
            match expression.as_deref().map(|expression| (expression, leading(expression))) {
                Some((expression, Some(name))) => {
                    require(
                        expression.len() == name.len() + 2 && !self.is_secret(name),
                        field,
                        "has to be one placeholder, and no secret",
                    )?;
                    self.filled(field, expression, Moment::Call)?;
                    // what somebody typed tells nothing: it could be anybody's
                    require(
                        url.is_some() || self.learnt(name),
                        field,
                        "has to be captured or looked up, without a call",
                    )?;
                }
                Some((_, None)) if url.is_none() => {
                    refuse(field, "has to be one placeholder in braces: without `profile.url` there is no answer")?;
                }
                Some((expression, None)) => path(field, expression)?,
                None => {}
            }
        }
        require(tenant.is_none() || account_id.is_some(), "profile.tenant", "says nothing without `account_id`")?;
        signal("profile.error_signal", error_signal.as_ref())
    }

    pub(super) fn revoke(&self) -> Checked {
        let Some(Revoke { url, method, body, params, credential, headers, error_signal, .. }) = &self.connector.revoke
        else {
            return Ok(());
        };
        self.address("revoke.url", url, Moment::Revocation)?;
        self.inside("revoke.url", url)?;
        for (name, value) in params.iter() {
            require(!name.is_empty(), "revoke.params", "a parameter has a name")?;
            self.filled_anew("revoke.params", value, Moment::Revocation)?;
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
            self.placement("revoke.credential", placement, Moment::Revocation)?;
        }
        signal("revoke.error_signal", error_signal.as_ref())
    }
}

/// A body is fixed: nothing is put into it, so nothing can break out of it.
pub(super) fn json_body(field: &str, body: Option<&Text>) -> Checked {
    let json = body.is_none_or(|body| serde_json::from_str::<Value>(body).is_ok());
    require(json, field, "has to be JSON")
}
