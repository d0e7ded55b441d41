//! What a connector wants of the operator: a client at the provider, settings that are secret, and where they are used.

use super::{
    connector::{Api, Connector, Input, Pairs, Placement, RevokeAuthentication},
    template::{RANDOM, Values, placeholders},
};
use crate::secrets::ProviderClient;

impl Connector {
    /// Whether the client is the person's own and not the operator's.
    #[must_use]
    pub fn client_is_typed(&self) -> bool {
        self.oauth2.as_ref().is_some_and(|oauth2| oauth2.grant.needs_nobody())
    }

    /// Whether each server that a person names has a client of ours of its own: where it is registered is theirs to say.
    #[must_use]
    pub fn registers_where_named(&self) -> bool {
        let registration = self.oauth2.as_ref().and_then(|oauth2| oauth2.registration.as_ref());
        let typed = |name: &str| self.inputs.iter().any(|input| input.name == name || input.also.of(name).is_some());
        registration.is_some_and(|registration| placeholders(&registration.endpoint).any(typed))
    }

    /// Whether it takes a client of the operator's: to ask a person with, or since its calls carry one.
    #[must_use]
    pub fn takes_client(&self) -> bool {
        let named = || calls(self).any(|template| names(template, "client_secret") || names(template, "client_id"));
        let signs =
            || self.login.iter().flat_map(|login| &login.assertion).any(|made| names(&made.key, "client_secret"));
        !self.client_is_typed() && (self.consent().is_some() || named() || signs())
    }

    /// The settings that are kept as secrets.
    pub fn secret_settings(&self) -> impl Iterator<Item = &Input> {
        self.settings.iter().filter(|setting| setting.secret)
    }

    /// Whether calls of the API carry a secret of the operator's.
    #[must_use]
    pub fn calls_carry_operator_secrets(&self) -> bool {
        let client = !self.client_is_typed();
        let secret = |template: &str| {
            client && names(template, "client_secret")
                || self.secret_settings().any(|setting| names(template, &setting.name))
        };
        self.api.carried().any(secret)
    }

    /// Whether the access token is for more than what comes ahead of the login: for the login itself, for calls, or to be revoked.
    #[must_use]
    pub fn needs_token_beside_session(&self) -> bool {
        let token = |template: &str| names(template, "access_token") || names(template, "refresh_token");
        let bearer = self.revoke.as_ref().is_some_and(|revoke| revoke.authentication == RevokeAuthentication::Token);
        bearer || revocation(self).chain(behind_consent(self)).any(token)
    }

    /// Whether what a login gave is needed to revoke it.
    #[must_use]
    pub fn revokes_by_session(&self) -> bool {
        let api = self.revoke.as_ref().is_some_and(|revoke| revoke.authentication == RevokeAuthentication::Api);
        self.login.is_some() && (api || revocation(self).any(|template| names(template, "session_token")))
    }

    /// Whether calls of the API carry something that is new with each of them.
    #[must_use]
    pub fn calls_carry_random(&self) -> bool {
        self.api.carried().any(|template| names(template, RANDOM))
    }

    /// The operator's part of what fills the templates. An optional secret that is not set stands there empty, so that what
    /// names it is left out.
    #[must_use]
    pub fn operator_values(&self, client: &ProviderClient) -> Values {
        let optional = self.secret_settings().filter(|setting| setting.optional);
        let mut values: Values = optional.map(|setting| (setting.name.to_string(), String::new())).collect();
        client.fill(&mut values);
        values
    }

    /// What is missing of the operator's secrets that a connection needs, by name.
    #[must_use]
    pub fn missing_secrets(&self, is_set: impl Fn(&str) -> bool) -> Vec<String> {
        let needed = self.secret_settings().filter(|setting| !setting.optional && !is_set(&setting.name));
        needed.map(|setting| setting.name.to_string()).collect()
    }
}

/// Every template of the calls that are made with a connection's credential.
fn calls(connector: &Connector) -> impl Iterator<Item = &str> {
    let Connector { lookups, profile, login, .. } = connector;
    let lookups = lookups.iter().flat_map(|lookup| values(&lookup.headers));
    let profile = profile.iter().flat_map(|profile| values(&profile.headers));
    let login = login.iter().flat_map(|login| {
        let credential = login.credential.iter().flat_map(placed);
        values(&login.params).chain(values(&login.headers)).chain(credential)
    });
    connector.api.carried().chain(lookups).chain(profile).chain(login)
}

/// Every template of the login and of what follows it.
fn behind_consent(connector: &Connector) -> impl Iterator<Item = &str> {
    let Connector { login, lookups, profile, api, .. } = connector;
    let login = login.iter().flat_map(|login| {
        let signed = login.assertion.iter().flat_map(|assertion| {
            values(&assertion.claims).chain([assertion.key.as_ref()]).chain(assertion.key_id.as_deref())
        });
        let credential = login.credential.iter().flat_map(placed);
        values(&login.params).chain(values(&login.headers)).chain(credential).chain(signed).chain([login.url.as_ref()])
    });
    let lookups = lookups.iter().filter(|lookup| !lookup.before_login);
    let lookups = lookups.flat_map(|lookup| values(&lookup.headers).chain([lookup.url.as_ref()]));
    let profile = profile.iter().flat_map(|profile| values(&profile.headers).chain(profile.url.as_deref()));
    connector.api.carried().chain([api.base_url.as_ref()]).chain(login).chain(lookups).chain(profile)
}

/// Every template of a revocation, but for how its caller proves itself usually.
fn revocation(connector: &Connector) -> impl Iterator<Item = &str> {
    connector.revoke.iter().flat_map(|revoke| {
        let credential = revoke.credential.iter().flat_map(placed);
        values(&revoke.params).chain(values(&revoke.headers)).chain(credential).chain([revoke.url.as_ref()])
    })
}

impl Api {
    /// Every template of what each call carries.
    pub(crate) fn carried(&self) -> impl Iterator<Item = &str> {
        values(&self.headers).chain(values(&self.query)).chain(placed(&self.credential))
    }
}

fn values(pairs: &Pairs) -> impl Iterator<Item = &str> {
    pairs.iter().map(|(_, value)| value)
}

/// The templates that a credential is made of.
fn placed(placement: &Placement) -> impl Iterator<Item = &str> {
    let templates: [Option<&str>; 5] = match placement {
        Placement::Header { value, .. } | Placement::Query { value, .. } => [Some(value), None, None, None, None],
        Placement::Basic { username, password } => [Some(username), Some(password), None, None, None],
        Placement::Path {} | Placement::Oauth1 {} => [None; 5],
        Placement::AwsSigv4 { service, region, access_key_id, secret_access_key, session_token } => {
            [Some(service), Some(region), Some(access_key_id), Some(secret_access_key), session_token.as_deref()]
        }
        Placement::SignedParameters { secret, .. } => [Some(secret), None, None, None, None],
    };
    templates.into_iter().flatten()
}

/// Whether a template has this placeholder.
fn names(template: &str, name: &str) -> bool {
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('{') {
        match after.strip_prefix(name) {
            Some(behind) if behind.starts_with('}') => return true,
            _ => rest = after,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn connector(more: &Value) -> Connector {
        let mut connector = json!({
            "name": "A", "settings": [{ "name": "app_key", "label": "Key", "secret": true }, { "name": "extra", "label": "Extra", "secret": true, "optional": true }],
            "api": { "base_url": "https://a.example" },
        });
        connector.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(connector).unwrap()
    }

    #[test]
    fn what_a_connector_wants_of_the_operator_is_told_by_its_templates() {
        let consent =
            json!({ "authorization_endpoint": "https://a.example/a", "token_endpoint": "https://a.example/t" });
        let typed = json!({ "grant": "client_credentials", "token_endpoint": "https://a.example/t" });
        let api = |header: &str| json!({ "base_url": "https://a.example", "headers": { "X": header } });
        let login = json!({ "url": "https://a.example/l", "token": "t", "params": { "app": "{client_secret}" } });
        let table = [
            ("a key", json!({}), false, false),
            ("a key and a secret setting", json!({ "api": api("k {app_key}") }), false, true),
            ("a key and a client", json!({ "api": api("{client_secret}") }), true, true),
            ("a key and a client's id", json!({ "api": api("{client_id}") }), true, false),
            ("a login with a client", json!({ "login": login }), true, false),
            ("consent", json!({ "oauth2": consent }), true, false),
            ("consent and a secret setting", json!({ "oauth2": consent, "api": api("{app_key}") }), true, true),
            ("a typed client", json!({ "oauth2": typed, "api": api("{client_secret}") }), false, false),
            ("another name", json!({ "api": api("{app_keys} {app} app_key}") }), false, false),
        ];
        for (case, more, takes_client, carries) in table {
            let connector = connector(&more);
            assert_eq!(
                (connector.takes_client(), connector.calls_carry_operator_secrets()),
                (takes_client, carries),
                "{case}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_optional_is_empty() {
        let connector = connector(&json!({}));
        assert_eq!(connector.missing_secrets(|_| false), ["app_key"]);
        assert_eq!(connector.missing_secrets(|name| name == "app_key"), [] as [String; 0]);
        let values = connector.operator_values(&ProviderClient::default());
        assert_eq!((values.get("extra"), values.get("app_key"), values.get("client_id")), (Some(""), None, None));
    }

    #[test]
    fn a_token_that_nothing_asks_with_is_not_kept_beside_a_session() {
        let signed = json!({ "algorithm": "RS256", "key": "{app_key}", "claims": { "sub": "{access_token}" } });
        let revoke = |more: Value| {
            let mut revoke = json!({ "url": "https://a.example/r" });
            revoke.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "revoke": revoke })
        };
        let table = [
            (json!({}), false),
            (
                json!({ "login": { "url": "https://a.example/l", "token": "t", "params": { "a": "{access_token}" } } }),
                true,
            ),
            (
                json!({ "login": { "url": "https://a.example/l", "token": "t", "headers": { "A": "{refresh_token}" } } }),
                true,
            ),
            (
                json!({ "login": { "url": "https://a.example/l", "token": "t", "credential": { "in": "header" } } }),
                true,
            ),
            (json!({ "login": { "url": "https://a.example/l", "token": "t", "assertion": signed } }), true),
            (json!({ "login": { "url": "https://a.example/l/{access_token}", "token": "t" } }), true),
            (
                json!({ "login": { "url": "https://a.example/l", "token": "t", "assertion": { "algorithm": "RS256", "key": "{app_key}", "key_id": "{access_token}" } } }),
                true,
            ),
            (json!({ "profile": { "url": "https://a.example/{access_token}/me" } }), true),
            (json!({ "lookups": [{ "name": "a", "url": "https://a.example/{access_token}", "path": "a" }] }), true),
            (
                json!({ "lookups": [{ "name": "a", "url": "https://a.example/a", "path": "a", "before_login": true, "headers": { "X": "{access_token}" } }] }),
                false,
            ),
            (revoke(json!({ "url": "https://a.example/r/{access_token}" })), true),
            (revoke(json!({ "authentication": "api" })), false),
            (revoke(json!({ "authentication": "token" })), true),
            (revoke(json!({ "params": { "token": "{access_token}" } })), true),
        ];
        for (more, needed) in table {
            let api = json!({ "base_url": "https://a.example", "credential": { "in": "header", "value": "{session_token}" } });
            let mut all = json!({ "login": { "url": "https://a.example/l", "token": "t" }, "api": api });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(connector(&all).needs_token_beside_session(), needed, "{more}");
        }
    }
}
