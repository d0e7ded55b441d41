//! What is sound passes; what is not is named with its field.

use serde_json::{Value, json};

use super::*;

/// A connector that passes, with one member set to another value.
fn connector(member: &str, value: Value) -> Connector {
    let mut connector = json!({
        "id": "vendor", "name": "Vendor",
        "inputs": [{"name": "shop", "label": "Shop", "pattern": "[a-z0-9-]+"}],
        "settings": [
            {
                "name": "login_host", "label": "Host", "values": ["login.vendor.com", "test.vendor.com"],
                "also": {"api_host": {"login.vendor.com": "api.vendor.com", "test.vendor.com": "api.test.vendor.com"}},
            },
            {"name": "app_key", "label": "Key"},
        ],
        "oauth2": {
            "authorization_endpoint": "https://{login_host}/authorize",
            "token_endpoint": "https://{login_host}/token",
            "scopes": ["read"],
            "error_signal": {"path": "error", "code": "error"},
        },
        "captures": {
            "authorization_response": {"company": "companyId"},
            "token_response": {"instance_url": "instance_url"},
            "patterns": {"company": "[0-9]+"},
        },
        "lookups": [{"name": "site", "url": "https://api.vendor.com/sites", "path": "0.id", "patterns": {"site": "[a-z]+"}}],
        "api": {
            "base_url": "https://{shop}.vendor.com/v1/{company}",
            "base_url_patterns": ["https://*.vendor.com"],
            "headers": {"X-App-Key": "{app_key}"},
        },
        "profile": {"url": "{instance_url}/me", "account_id": "id", "tenant": "{site}"},
        "revoke": {"url": "https://{login_host}/revoke", "params": {"token": "{refresh_token}"}},
    });
    let (parent, name) = member.rsplit_once('/').unwrap();
    connector.pointer_mut(parent).unwrap()[name] = value;
    serde_json::from_value(connector).unwrap()
}

fn outcome(member: &str, value: Value, local: bool) -> String {
    connector(member, value).check(local).map_or_else(|error| error.to_string(), |()| "passes".to_owned())
}

#[test]
fn what_is_sound_passes() {
    let table = [
        ("/name", json!("Vendor")),
        ("/api/base_url", json!("https://api.vendor.com")),
        ("/api/base_url", json!("https://eu-{shop}.vendor.co.uk")),
        ("/api/base_url", json!("https://{shop}.vendor.com:8443")),
        ("/api/base_url", json!("{instance_url}/v1")),
        ("/api/base_url", json!("https://api.vendor.com/{site}")),
        ("/api/origins", json!(["https://files.vendor.net", "https://*.vendor.net"])),
        ("/api/credential", json!({"in": "query", "name": "key"})),
        ("/profile/url", json!("https://anything.vendor.com/me")),
        ("/profile/tenant", json!("team.id")),
        ("/profile", json!({"account_id": "{company}", "tenant": "{site}"})),
        ("/profile/tenant", json!(r"https://vendor\.com/claims/team.id")),
        ("/revoke/url", json!("https://{login_host}/tokens/{refresh_token}")),
        ("/revoke/params", json!({"token": "{access_token}", "key": "{app_key}"})),
        ("/oauth2/authorization_params", json!({"access_type": "offline"})),
        ("/oauth2/authorization_params", json!({"request": "authorize"})),
        ("/api/base_url", json!("https://{api_host}/v1")),
        ("/settings/0/also", json!({"cell": {"login.vendor.com": "a", "test.vendor.com": "b"}})),
        ("/oauth2/token_headers", json!({"X-Request-Id": "{random}"})),
        ("/oauth2/token_params", json!({"request_id": "{random}", "state": "{state}"})),
        ("/oauth2/refresh_params", json!({"redirect_uri": "{redirect_uri}", "back": "to {redirect_uri}"})),
        ("/api/headers", json!({"X-Request-Id": "{random}"})),
        ("/revoke/params", json!({"token": "{refresh_token}", "id": "{random}"})),
        ("/oauth2/scopes", json!(["read", "https://{shop}.vendor.com/user", "at:{login_host}"])),
        ("/oauth2/refresh_endpoint", json!("{instance_url}/token")),
        ("/oauth2/refresh_params", json!({"grant_type": "renew", "at": "{instance_url}", "token": "{access_token}"})),
    ];
    for (member, value) in table {
        assert_eq!(outcome(member, value.clone(), false), "passes", "{member} {value}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: a row for each rule")]
fn what_is_not_is_named_with_its_field() {
    let long = "a".repeat(2049);
    let table = [
        ("/id", json!("Vendor"), "id"),
        ("/id", json!(""), "id"),
        ("/id", json!("-vendor"), "id"),
        ("/id", json!("a".repeat(65)), "id"),
        ("/name", json!(""), "name"),
        ("/name", json!("Ven\ndor"), "name"),
        ("/name", json!(long), "name"),
        ("/docs_url", json!("javascript:alert(1)"), "docs_url"),
        ("/categories", json!(vec!["a"; 101]), "categories"),
        ("/inputs/0/name", json!("Shop"), "inputs"),
        ("/inputs/0/name", json!("client_id"), "inputs"),
        ("/inputs/0/name", json!("company"), "captures.authorization_response"),
        ("/inputs/0/label", json!(" "), "inputs.shop.label"),
        ("/inputs/0/secret", json!(true), "inputs"),
        ("/inputs/0/pattern", json!("("), "inputs.shop.pattern"),
        ("/inputs/0/pattern", json!("a)|(b"), "inputs.shop.pattern"),
        ("/inputs/0/pattern", json!("(?x)a #"), "inputs.shop.pattern"),
        ("/inputs/0/pattern", json!("(a{1000}){1000}"), "inputs.shop.pattern"),
        ("/inputs/0/pattern", json!("a".repeat(513)), "inputs.shop.pattern"),
        ("/inputs/0/default", json!("a.b"), "inputs.shop"),
        ("/inputs/0/optional", json!(true), "api.base_url"),
        ("/captures/authorization_response", json!({"company": "state"}), "captures.authorization_response"),
        ("/captures/token_response", json!({"instance_url": "a..b"}), "captures.token_response"),
        ("/captures/token_response", json!({"instance_url": r"a\b"}), "captures.token_response"),
        ("/captures/token_response", json!({"instance_url": r"a\\.b"}), "captures.token_response"),
        ("/captures/token_response", json!({"instance_url": r"a\"}), "captures.token_response"),
        ("/captures/patterns", json!({"site": "a"}), "captures.patterns"),
        ("/captures/patterns", json!({"company": "["}), "captures.patterns.company"),
        ("/captures/patterns", json!({"company": "a/(?<other>[0-9]+)"}), "captures.patterns.company"),
        ("/captures/patterns", json!({"company": "(?<value>[0-9]+)|(?<more>a)"}), "captures.patterns.company"),
        ("/captures/patterns", json!({"company": "(?P<value>[0-9]+)"}), "captures.patterns.company"),
        ("/lookups/0/patterns", json!({"site": "(?<site>[0-9]+)"}), "lookups.site.patterns.site"),
        ("/inputs/0/pattern", json!("(?<value>[a-z]+)/"), "inputs.shop.pattern"),
        ("/oauth2/token_endpoint", json!("http://login.vendor.com/token"), "oauth2.token_endpoint"),
        ("/oauth2/token_endpoint", json!("https://login.vendor.com/{token}"), "oauth2.token_endpoint"),
        ("/oauth2/token_endpoint", json!("https://login.vendor.com/{access_token}"), "oauth2.token_endpoint"),
        (
            "/oauth2/token_endpoint",
            json!("https://login.vendor.com/token?secret={client_secret}"),
            "oauth2.token_endpoint",
        ),
        ("/oauth2/token_endpoint", json!("{instance_url}/token"), "oauth2.token_endpoint"),
        (
            "/oauth2/authorization_endpoint",
            json!("https://login.vendor.com/{company}"),
            "oauth2.authorization_endpoint",
        ),
        ("/settings", json!([{"name": "app_key", "label": "Key", "secret": true, "default": "x"}]), "settings.app_key"),
        ("/settings/0/also", json!({"cell": {"login.vendor.com": "a"}}), "settings.login_host.also.cell"),
        (
            "/settings/0/also",
            json!({"cell": {"login.vendor.com": "a", "test.vendor.com": "b", "evil.example": "c"}}),
            "settings.login_host.also.cell",
        ),
        (
            "/settings/0/also",
            json!({"cell": {"login.vendor.com": "a", "test.vendor.com": ""}}),
            "settings.login_host.also.cell",
        ),
        (
            "/settings/0/also",
            json!({"cell": {"login.vendor.com": "a", "test.vendor.com": "b\nc"}}),
            "settings.login_host.also.cell",
        ),
        ("/settings/0/also", json!({"shop": {"login.vendor.com": "a", "test.vendor.com": "b"}}), "settings"),
        ("/settings/0/also", json!({"client_secret": {"login.vendor.com": "a", "test.vendor.com": "b"}}), "settings"),
        ("/settings/0/also", json!({"Cell": {"login.vendor.com": "a", "test.vendor.com": "b"}}), "settings"),
        ("/settings/1/also", json!({"cell": {"a": "b"}}), "settings.app_key.also"), // nothing to choose from
        (
            "/settings",
            json!([{"name": "app_key", "label": "Key", "optional": true, "default": "x"}]),
            "settings.app_key",
        ),
        (
            "/oauth1",
            json!({"temporary_credential_endpoint": "https://login.vendor.com/r", "authorization_endpoint": "https://login.vendor.com/a", "token_endpoint": "https://login.vendor.com/t"}),
            "oauth1",
        ),
        ("/oauth2/grant", json!("client_credentials"), "captures"),
        ("/oauth2/grant", json!("device_code"), "oauth2.device_authorization_endpoint"),
        ("/oauth2/authorization_endpoint", json!(null), "oauth2.authorization_endpoint"),
        ("/oauth2/refresh", json!("remint"), "oauth2.refresh"),
        ("/oauth2/token_endpoint_auth_method", json!("private_key_jwt"), "oauth2.client_assertion"),
        ("/oauth2/client_assertion", json!({"algorithm": "ES256", "key": "{shop}"}), "oauth2.client_assertion.key"),
        (
            "/oauth2/client_assertion",
            json!({"algorithm": "ES256", "key": "{client_secret}", "claims": {"exp": "1"}}),
            "oauth2.client_assertion.claims",
        ),
        (
            "/oauth2/client_assertion",
            json!({"algorithm": "ES256", "key": "{client_secret}", "expires_in": 86400}),
            "oauth2.client_assertion.expires_in",
        ),
        ("/oauth2/parameter_names", json!({"token_request": {"token": "t"}}), "oauth2.parameter_names.token_request"),
        ("/oauth2/authorization_fragment", json!("a b"), "oauth2.authorization_fragment"),
        ("/oauth2/response_type", json!("token"), "oauth2.response_type"),
        ("/captures", json!({ "token_response": { "tok": "access_token" } }), "captures.token_response"),
        ("/captures", json!({ "token_response": { "tok": "id_token" } }), "captures.token_response"),
        (
            "/oauth2/token_slots",
            json!([{ "name": "a", "access_token": "a" }, { "name": "a", "access_token": "b" }]),
            "oauth2.token_slots",
        ),
        ("/oauth2/response_type", json!("code token"), "oauth2.response_type"),
        ("/oauth2/grant_ended", json!({ "a..b": "x" }), "oauth2.grant_ended"),
        ("/oauth2/refresh_params", json!({ "redirect_uri": "https://evil.example" }), "oauth2.refresh_params"),
        ("/oauth2/refresh_bears_access_token", json!(true), "oauth2.refresh_bears_access_token"),
        ("/captures/access_token", json!({ "seat": "a..b" }), "captures.access_token"),
        ("/captures/access_token", json!({ "company": "sub" }), "captures.access_token"),
        ("/captures/token_response", json!({ "instance_url": "tokens.00" }), "captures.token_response"),
        ("/captures/token_response", json!({ "instance_url": "tokens.+1" }), "captures.token_response"),
        ("/oauth2/token_slots", json!([{"name": "User", "access_token": "a"}]), "oauth2.token_slots"),
        (
            "/oauth2/exchange",
            json!({"endpoint": "https://login.vendor.com/x", "params": {"t": "{site}"}}),
            "oauth2.exchange.params",
        ),
        ("/login", json!({"url": "https://login.vendor.com/login", "token": "a..b"}), "login.token"),
        ("/login", json!({"url": "https://login.vendor.com/login", "token": "t"}), "api.credential"),
        ("/captures/login_response", json!({"base": "base"}), "captures.login_response"),
        ("/captures/defaults", json!({"company": "a"}), "captures.defaults.company"),
        ("/captures/defaults", json!({"nothing": "a"}), "captures.defaults"),
        ("/lookups/0/list", json!("a..b"), "lookups.site.list"),
        ("/lookups/0/only", json!({"type": "x"}), "lookups.site.only"),
        ("/lookups/0/before_login", json!(true), "lookups.site.before_login"),
        ("/lookups/0/chosen_by", json!("site_id"), "lookups.site.chosen_by"),
        ("/lookups/0/body", json!("{"), "lookups.site.body"),
        ("/api/query", json!({"": "x"}), "api.query"),
        ("/api/base_url", json!("https://api.vendor.com/{random}"), "api.base_url"),
        ("/api/base_url", json!("https://{random}.vendor.com"), "api.base_url"),
        ("/api/credential", json!({"in": "header", "value": "{access_token}{random}"}), "api.credential"),
        ("/profile/account_id", json!("{random}"), "profile.account_id"),
        ("/oauth2/resource", json!("{random}"), "oauth2.resource"),
        ("/api/credential", json!({"in": "path"}), "api.credential"),
        ("/api/credential", json!({"in": "oauth1"}), "api.credential"),
        ("/oauth2/authorization_params", json!({"state": "mine"}), "oauth2.authorization_params"),
        ("/oauth2/authorization_params", json!({"request": "a.b.c"}), "oauth2.authorization_params"),
        ("/oauth2/authorization_params", json!({"request": "{shop}"}), "oauth2.authorization_params"),
        ("/oauth2/authorization_params", json!({"response_mode": "form_post"}), "oauth2.authorization_params"),
        ("/oauth2/token_params", json!({"secret": "{client_secret}"}), "oauth2.token_params"),
        ("/oauth2/token_params", json!({"grant_type": "password"}), "oauth2.token_params"),
        ("/oauth2/token_headers", json!({"Host": "evil.example"}), "oauth2.token_headers"),
        ("/oauth2/token_headers", json!({"X-State": "{state}"}), "oauth2.token_headers"), // nor at a refresh
        ("/oauth2/token_endpoint", json!("https://{login_host}/token?state={state}"), "oauth2.token_endpoint"),
        ("/oauth2/refresh", json!("access_token"), "oauth2.refresh"),
        ("/settings/1/multiline", json!(true), "api.headers"),
        (
            "/api/credential",
            json!({"in": "aws_sigv4", "service": "a", "region": "{site}", "access_key_id": "{access_token}", "secret_access_key": "{access_token}"}),
            "lookups.site (asked with api.credential)",
        ),
        ("/oauth2/scopes", json!(["read write"]), "oauth2.scopes"),
        ("/oauth2/scopes", json!([""]), "oauth2.scopes"),
        ("/oauth2/scopes", json!(["a:{nothing}"]), "oauth2.scopes"),
        ("/oauth2/scopes", json!(["a:{company}"]), "oauth2.scopes"), // learnt too late
        ("/oauth2/scopes", json!(["a:{random}"]), "oauth2.scopes"),
        ("/oauth2/scopes", json!(["a:{app_name}"]), "oauth2.scopes"),
        ("/oauth2/scopes", json!(["a:{app_key}"]), "oauth2.scopes"), // no pattern
        ("/oauth2/scopes", json!(["a:{shop"]), "oauth2.scopes"),
        ("/oauth2/issuer", json!("vendor.com"), "oauth2.issuer"),
        ("/oauth2/issuer", json!("https://vendor.com/?x=y"), "oauth2.issuer"),
        ("/oauth2/resource", json!("api"), "oauth2.resource"),
        ("/oauth2/resource", json!("https://api.vendor.com/#a"), "oauth2.resource"),
        ("/docs_url", json!("http://vendor.com/docs"), "docs_url"),
        ("/docs_url", json!("https://vendor.com@evil.example/docs"), "docs_url"),
        ("/docs_url", json!("https://vendor.com/do cs"), "docs_url"),
        ("/oauth2/scope_parameter", json!(""), "oauth2.scopes"),
        ("/oauth2/scope_separator", json!(""), "oauth2.scope_separator"),
        ("/oauth2/error_signal", json!({"path": "", "code": "error"}), "oauth2.error_signal"),
        ("/oauth2/token_response", json!({"access_token": ""}), "oauth2.token_response.access_token"),
        ("/oauth2", json!(null), "captures"),
        ("/api/base_url", json!("https://*.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://{shop}"), "api.base_url"),
        ("/api/base_url", json!("https://{shop}.com"), "api.base_url"),
        ("/api/base_url", json!("https://{shop}.co.uk"), "api.base_url"),
        ("/api/base_url", json!("https://vendor.com.{shop}"), "api.base_url"),
        ("/api/base_url", json!("https://vendor-{shop}"), "api.base_url"),
        ("/api/base_url", json!("https://{shop}@vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://user@{shop}.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://API-{shop}.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://%61-{shop}.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://{shop}.vendor.com:443"), "api.base_url"),
        ("/api/base_url", json!("https://{client_id}.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://{instance_url}.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("{instance_url}.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("{access_token}"), "api.base_url"),
        ("/api/base_url", json!("http://{shop}.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://user@api.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://API.vendor.com"), "api.base_url"),
        ("/api/base_url", json!("https://api.vendor.com."), "api.base_url"),
        ("/api/base_url", json!("https://localhost"), "api.base_url"),
        ("/api/base_url", json!("https://app.localhost"), "api.base_url"),
        ("/api/base_url", json!("https://127.0.0.1"), "api.base_url"),
        ("/api/base_url", json!("https://169.254.169.254"), "api.base_url"),
        ("/api/base_url", json!("https://intranet"), "api.base_url"),
        ("/api/base_url", json!("https://api.vendor.com?x=y"), "api.base_url"),
        ("/api/base_url", json!("https://api.vendor.com/{client_secret}"), "api.base_url"),
        ("/api/base_url_patterns", json!(["https://*.com"]), "api.base_url_patterns"),
        ("/api/base_url_patterns", json!([]), "lookups.site.url"),
        ("/api/origins", json!(["http://api.vendor.com"]), "api.origins"),
        ("/api/origins", json!(["https://api.vendor.com/v1"]), "api.origins"),
        ("/api/headers", json!({"Cookie": "a=b"}), "api.headers"),
        ("/api/headers", json!({"Content-Length": "1"}), "api.headers"),
        ("/api/headers", json!({"Authorization": "Bearer x"}), "api.headers"),
        ("/api/headers", json!({"X Y": "1"}), "api.headers"),
        ("/api/headers", json!({"X": "1\r\nY: 2"}), "api.headers"),
        ("/api/headers", json!({"X-A": "1", "x-a": "2"}), "api.headers"),
        ("/api/credential", json!({"in": "header", "value": "{token}"}), "api.credential"),
        ("/api/credential", json!({"in": "header", "value": "{shop}"}), "api.credential"),
        ("/api/credential", json!({"in": "header", "name": "Host"}), "api.credential"),
        ("/api/credential", json!({"in": "header", "value": "Bearer\n{access_token}"}), "api.credential"),
        (
            "/lookups",
            json!(
                ["site", "b", "c", "d"]
                    .map(|name| json!({ "name": name, "url": "https://api.vendor.com/", "path": "id" }))
            ),
            "lookups",
        ),
        ("/lookups/0/url", json!("https://evil.example/sites"), "lookups.site.url"),
        ("/lookups/0/url", json!("https://api.vendor.com/{site}"), "lookups.site.url"),
        ("/lookups/0/url", json!("https://api.vendor.com/?t={access_token}"), "lookups.site.url"),
        ("/lookups/0/path", json!("0..id"), "lookups.site"),
        ("/lookups/0/patterns", json!({"site": "["}), "lookups.site.patterns.site"),
        ("/profile/url", json!("https://evil.example/me"), "profile.url"),
        ("/profile/url", json!("https://vendor.com.evil.example/me"), "profile.url"),
        ("/profile/account_id", json!("{access_token}"), "profile.account_id"),
        ("/profile/account_id", json!("{nothing}"), "profile.account_id"),
        ("/profile", json!({}), "profile.url"),
        ("/profile", json!({"account_id": "id"}), "profile.account_id"),
        ("/profile", json!({"account_id": "{company}", "label": "name"}), "profile.label"),
        ("/profile", json!({"account_id": "{shop}"}), "profile.account_id"), // typed: anybody's
        ("/profile", json!({"account_id": "{login_host}"}), "profile.account_id"),
        ("/profile", json!({"account_id": "{client_id}"}), "profile.account_id"),
        ("/profile", json!({"account_id": "{company}", "method": "POST"}), "profile.url"),
        ("/profile", json!({"account_id": "{company}", "headers": {"X": "1"}}), "profile.url"),
        ("/profile/account_id", json!(null), "profile.tenant"),
        ("/revoke/url", json!("https://evil.example/revoke"), "revoke.url"),
        ("/revoke/params", json!({"token": "{nothing}"}), "revoke.params"),
        ("/revoke/method", json!("GET"), "revoke.params"),
    ];
    for (member, value, field) in table {
        let outcome = outcome(member, value.clone(), false);
        assert!(outcome.starts_with(&format!("{field}: ")), "{member} {value} gives {outcome}");
    }
}

/// A key alone may go to any host that the person names: their own. What the operator keeps secret goes to none of those.
#[test]
fn a_host_that_a_person_names_gets_nothing_of_the_operators() {
    let keyed = |settings: Value, headers: Value| {
        let connector: Connector = serde_json::from_value(json!({
            "id": "keyed", "name": "Keyed", "settings": settings,
            "inputs": [
                {"name": "host", "label": "Host", "pattern": "[a-z0-9-]+([.][a-z0-9-]+)+"},
                {"name": "api_key", "label": "Key", "secret": true},
            ],
            "api": {"base_url": "https://{host}/v1", "headers": headers, "credential": {"in": "header", "value": "{api_key}"}},
        }))
        .unwrap();
        connector.check(false).map_or_else(|error| error.field, |()| "passes".to_owned())
    };
    let secret = json!([{"name": "app_secret", "label": "Secret", "secret": true}]);
    assert_eq!(keyed(json!([]), json!({})), "passes");
    assert_eq!(keyed(json!([]), json!({"X-App": "{client_secret}"})), "api.base_url");
    assert_eq!(keyed(secret.clone(), json!({"X-App": "{app_secret}"})), "api.base_url");
    assert_eq!(keyed(secret, json!({})), "api.base_url");
}

#[test]
fn a_free_host_is_refused_in_words() {
    assert_eq!(
        outcome("/oauth2/token_endpoint", json!("https://{shop}/token"), false),
        "oauth2.token_endpoint: `{shop}` would be a free host, to which the operator's secrets would be sent: list its `values`, \
         make it one of the settings, or register a client for each host"
    );
}

#[test]
fn a_label_in_a_host_has_a_narrow_pattern() {
    let table = [
        ("[a-z0-9-]+", true),
        ("[a-z][a-z0-9-]{0,62}", true),
        ("eu|us", true),
        (".*", false),
        ("[^/]+", false),
        (r"[\w.-]+", false),
        ("[A-Za-z0-9-]+", false),
        ("[a-z0-9-]*", false),
        (r"[a-z]+\.example", false),
    ];
    for (pattern, expected) in table {
        let passes = outcome("/inputs/0/pattern", json!(pattern), false) == "passes";
        assert_eq!(passes, expected, "{pattern}");
    }
    assert!(outcome("/inputs/0/pattern", json!(null), false).starts_with("api.base_url: `{shop}` stands in a host"));
}

#[test]
fn a_key_has_to_be_an_input() {
    let keyed = |credential: Value| {
        let connector = json!({
            "id": "keyed", "name": "Keyed", "inputs": [{"name": "api_key", "label": "Key", "secret": true}, {"name": "user", "label": "User"}],
            "api": {"base_url": "https://api.vendor.com", "credential": credential},
        });
        serde_json::from_value::<Connector>(connector).unwrap().check(false).map_err(|error| error.field)
    };
    let refused = Err("api.credential".to_owned());
    assert_eq!(keyed(json!({"in": "header", "value": "Key {api_key}"})), Ok(()));
    assert_eq!(keyed(json!({"in": "query", "name": "key", "value": "{api_key}"})), Ok(()));
    assert_eq!(keyed(json!({"in": "basic", "username": "{user}/token", "password": "{api_key}"})), Ok(()));
    assert_eq!(keyed(json!({"in": "basic", "username": "{user}"})), refused);
    assert_eq!(keyed(json!({"in": "header"})), refused, "there is no access token without oauth2");
}

#[test]
fn loopback_is_for_local_use() {
    for base_url in [
        "http://127.0.0.1:9000/v1",
        "http://localhost:9000",
        "http://provider.localhost:9000",
        "https://127.0.0.1",
        "http://[::1]:9000",
    ] {
        assert_eq!(outcome("/api/base_url", json!(base_url), true), "passes", "{base_url}");
        assert_ne!(outcome("/api/base_url", json!(base_url), false), "passes", "{base_url}");
    }
    for base_url in
        ["http://api.vendor.com", "http://10.0.0.1", "https://169.254.169.254", "http://localhost.evil.example"]
    {
        assert_ne!(outcome("/api/base_url", json!(base_url), true), "passes", "{base_url}");
    }
}

#[test]
fn a_large_connector_is_refused() {
    let headers: serde_json::Map<_, _> = (0..60).map(|n| (format!("X-{n}"), json!("a".repeat(2000)))).collect();
    assert!(outcome("/api/headers", Value::Object(headers), false).starts_with("connector: "));
}

#[test]
fn what_a_choice_fills_in_a_host_is_a_host_for_each_value() {
    let hosts = |text: &str| {
        let mut connector = connector("/api/base_url", json!("https://{api_host}/v1"));
        let texts = json!({"api_host": {"login.vendor.com": "api.vendor.com", "test.vendor.com": text}});
        connector.settings.to_mut()[0].also = serde_json::from_value(texts).unwrap();
        connector.check(false).map_or_else(|error| error.field, |()| "passes".to_owned())
    };
    assert_eq!(hosts("api.test.vendor.com"), "passes");
    for text in
        ["api", "API.vendor.com", "vendor.com@evil", "evil.example/", "evil.example/.vendor.com", "a b", "127.0.0.1"]
    {
        assert_eq!(hosts(text), "settings.login_host.also.api_host", "{text}");
    }
    let label = |text: &str| {
        let mut connector = connector("/api/base_url", json!("https://{cell}.vendor.com/v1"));
        let texts = json!({"cell": {"login.vendor.com": "eu", "test.vendor.com": text}});
        connector.settings.to_mut()[0].also = serde_json::from_value(texts).unwrap();
        connector.check(false).is_ok()
    };
    assert!(label("us"));
    for text in ["", "a.b", "evil.example", "evil.example/", "evil.example/.vendor.com", "vendor.com@evil", "-a", "A"] {
        assert!(!label(text), "{text}");
    }
}

#[test]
fn the_part_of_a_value_that_stands_in_a_host_is_a_label_by_itself() {
    let passes = |pattern: &str| {
        let mut connector = connector("/api/base_url", json!("https://{company}.vendor.com"));
        connector.captures.patterns = serde_json::from_value(json!({"company": pattern})).unwrap();
        connector.check(false).is_ok()
    };
    let table = [
        ("stores/(?<value>[a-z0-9-]+)", true),
        (r"https://(?<value>[a-z0-9-]+)\.vendor\.com/?", true),
        ("[a-z]+/(?<value>.+)", false),
        ("[a-z]+/(?<value>[^/]+)", false),
        (r"https://(?<value>[a-z.]+)\.vendor\.com", false),
        ("(?<value>[a-z0-9]*)/x", false),
        (r"\(?<value>[a-z]+)|.*(?<value>.*)", false), // two groups, one of which is none
    ];
    for (pattern, expected) in table {
        assert_eq!(passes(pattern), expected, "{pattern}");
    }
}

#[test]
fn a_host_that_a_person_names_gets_the_client_that_was_registered_there_and_no_other() {
    let federated = |member: &str, value: Value| {
        let mut connector = json!({
            "id": "federated", "name": "Federated",
            "inputs": [
                {"name": "domain", "label": "Server", "pattern": "[a-z0-9-]+([.][a-z0-9-]+)+"},
                {"name": "other", "label": "Other", "pattern": "[a-z0-9-]+([.][a-z0-9-]+)+"},
            ],
            "settings": [{"name": "extra", "label": "Extra"}],
            "oauth2": {
                "authorization_endpoint": "https://{domain}/authorize", "token_endpoint": "https://{domain}/token",
                "registration": {"endpoint": "https://{domain}/apps"},
            },
            "api": {"base_url": "https://{domain}/api"},
            "revoke": {"url": "https://{domain}/revoke"},
        });
        let (parent, name) = member.rsplit_once('/').unwrap();
        connector.pointer_mut(parent).unwrap()[name] = value;
        let connector: Connector = serde_json::from_value(connector).unwrap();
        connector.check(false).map_or_else(|error| error.field, |()| "passes".to_owned())
    };
    let table = [
        ("/name", json!("Federated"), "passes"),
        ("/oauth2/token_endpoint", json!("https://{other}/token"), "oauth2.token_endpoint"),
        ("/oauth2/registration/endpoint", json!("https://apps.vendor.com/apps"), "oauth2.authorization_endpoint"),
        ("/oauth2/registration/endpoint", json!("https://{other}/apps"), "oauth2.authorization_endpoint"),
        ("/oauth2/registration", json!(null), "oauth2.authorization_endpoint"),
        ("/revoke/url", json!("https://{other}/revoke"), "revoke.url"),
        ("/api/base_url", json!("https://{other}/api"), "api.base_url"),
        ("/settings/0/secret", json!(true), "settings"),
    ];
    for (member, value, expected) in table {
        assert_eq!(federated(member, value.clone()), expected, "{member} {value}");
    }
}

#[test]
fn what_is_chosen_later_moves_no_credential() {
    let checked = |list: &str, base_url: &str, more: Value| {
        let mut input = json!({ "name": "choice", "label": "It", "live": true });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut connector = json!({
            "id": "live", "name": "Live", "inputs": [{ "name": "key", "label": "Key", "secret": true }],
            "api": { "base_url": base_url, "credential": { "in": "header", "value": "{key}" }, "headers": { "X-It": "{choice}" } },
        });
        match connector.get_mut(list) {
            Some(inputs) => inputs.as_array_mut().unwrap().push(input),
            None => connector[list] = json!([input]),
        }
        let connector = serde_json::from_value::<Connector>(connector).unwrap();
        connector.check(false).map_or_else(|error| error.to_string(), |()| "passes".to_owned())
    };
    let hosts = json!({ "values": ["a", "b"] });
    let also = json!({ "values": ["a", "b"], "also": { "host": { "a": "a", "b": "b" } } });
    let table = [
        ("settings", "https://api.vendor.com/{choice}", json!({}), "passes"),
        ("settings", "https://{choice}.vendor.com", hosts, "settings.choice.live: `choice` says which server"),
        ("settings", "https://{host}.vendor.com", also, "settings.choice.live: `host` says which server"),
        (
            "settings",
            "https://api.vendor.com",
            json!({ "secret": true }),
            "settings.choice.live: says nothing of a secret",
        ),
        ("inputs", "https://api.vendor.com", json!({}), "inputs.choice.live: is for `settings`"),
    ];
    for (list, base_url, more, expected) in table {
        let said = checked(list, base_url, more);
        assert!(said.starts_with(expected), "{list} {base_url}: {said}");
    }
}

#[test]
fn what_a_login_is_made_for_is_looked_up_ahead_of_it() {
    let checked = |changes: &[(&str, Value)]| {
        let mut connector = json!({
            "id": "forge", "name": "Forge",
            "settings": [{ "name": "private_key", "label": "Key", "secret": true, "multiline": true }],
            "oauth2": { "authorization_endpoint": "https://forge.example/install", "token_endpoint": "https://forge.example/token" },
            "lookups": [
                { "name": "place", "url": "https://api.forge.example/places", "before_login": true, "chosen_by": "place_id", "list": ".", "path": "id" },
                { "name": "room", "url": "https://api.forge.example/places/{place}/rooms", "path": "id" },
            ],
            "captures": { "login_response": { "pod": "pod" } },
            "login": {
                "url": "https://api.forge.example/places/{place}/tokens", "token": "token", "credential": { "in": "header", "value": "Bearer {assertion}" },
                "assertion": { "algorithm": "RS256", "key": "{private_key}", "claims": { "iss": "{client_id}" } },
            },
            "api": { "base_url": "https://api.forge.example/{pod}", "credential": { "in": "header", "value": "Bearer {session_token}" } },
            "profile": { "account_id": "{place}" },
        });
        for (place, value) in changes {
            let (parent, name) = place.rsplit_once('/').unwrap();
            let parent = connector.pointer_mut(parent).unwrap();
            match (name.parse::<usize>(), parent.as_array_mut()) {
                (Ok(at), Some(list)) => list[at] = value.clone(),
                _ => parent[name] = value.clone(),
            }
        }
        let connector = serde_json::from_value::<Connector>(connector).unwrap();
        connector.check(false).map_or_else(|error| error.to_string(), |()| "passes".to_owned())
    };
    let sigv4 = json!({
        "in": "aws_sigv4", "service": "s", "region": "r", "access_key_id": "{place}", "secret_access_key": "{session_token}",
    });
    let room = json!({ "name": "room", "url": "https://api.forge.example/rooms", "list": ".", "chosen_by": "room_id", "path": "id" });
    let named = json!({ "authorization_response": { "code": "place_id" } });
    let table: [(&[(&str, Value)], &str); 17] = [
        (&[], "passes"),
        (&[("/lookups/1", room)], "lookups.room.chosen_by: is known in the answer to the browser alone"),
        (&[("/oauth2/parameter_names", named)], "lookups.place.chosen_by: has to name a parameter that"),
        (&[("/lookups/0/chosen_by", json!("iss"))], "lookups.place.chosen_by: has to name a parameter that"),
        (&[("/oauth2/dpop", json!(true))], "lookups.place.before_login: asks with a Bearer header"),
        (
            &[("/api/query", json!({ "s": "{session_token}" }))],
            "lookups.place.before_login: is sent with `api.headers`",
        ),
        (&[("/login/grant_ended_status", json!(404))], "passes"),
        (&[("/login/grant_ended_status", json!(401))], "login.grant_ended_status: has to be"),
        (&[("/login/grant_ended_status", json!(503))], "login.grant_ended_status: has to be"),
        (&[("/lookups/0/before_login", json!(false))], "login.url: "),
        (
            &[("/lookups/0/before_login", json!(false)), ("/lookups/1/before_login", json!(true))],
            "lookups.room.before_login: comes after one",
        ),
        (&[("/lookups/0/headers", json!({ "X": "{session_token}" }))], "lookups.place.headers"),
        (&[("/lookups/0/url", json!("https://api.forge.example/{pod}"))], "lookups.place.url"),
        (&[("/lookups/1/headers", json!({ "X": "{pod}" }))], "passes"),
        (&[("/api/credential", sigv4)], "lookups.place.before_login: asks with a Bearer header"),
        (&[("/lookups/0/list", Value::Null)], "lookups.place.chosen_by: chooses among a `list`"),
        (&[("/lookups/0/chosen_by", json!("state"))], "lookups.place.chosen_by: has to name a parameter that"),
    ];
    for (changes, expected) in table {
        let said = checked(changes);
        assert!(said.starts_with(expected), "{changes:?}: {said}");
    }
}

#[test]
fn several_segments_stand_in_a_path_between_slashes() {
    let table = [
        ("/api/base_url", json!("https://api.vendor.com/{+branch}"), "passes"),
        ("/api/base_url", json!("https://api.vendor.com/{+branch}/v1"), "passes"),
        ("/api/base_url", json!("https://api.vendor.com/v1/{+branch}/{company}/{+branch}"), "passes"),
        ("/oauth2/issuer", json!("https://login.vendor.com/{+branch}"), "passes"),
        ("/oauth2/token_endpoint", json!("https://{login_host}/{+branch}/token"), "passes"),
        ("/api/base_url", json!("https://api.vendor.com{+branch}"), "api.base_url: has a `{+…}` outside"),
        ("/api/base_url", json!("https://{+branch}.vendor.com"), "api.base_url: has a `{+…}` outside"),
        ("/api/base_url", json!("{+branch}/v1"), "api.base_url: has to be an address"),
        ("/api/base_url", json!("https://api.vendor.com/v{+branch}"), "api.base_url: `{+branch}` stands for whole"),
        ("/api/base_url", json!("https://api.vendor.com/{+branch}s"), "api.base_url: `{+branch}` stands for whole"),
        (
            "/api/base_url",
            json!("https://api.vendor.com/{+branch}{company}"),
            "api.base_url: `{+branch}` stands for whole",
        ),
        ("/api/base_url", json!("https://api.vendor.com/{+unknown}"), "api.base_url: `{unknown}` is not known here"),
        ("/api/base_url", json!("https://api.vendor.com/{+}"), "api.base_url: has a brace"),
        (
            "/api/base_url",
            json!("https://api.vendor.com/{+access_token}"),
            "api.base_url: `{+access_token}` is a secret",
        ),
        (
            "/api/base_url",
            json!("https://api.vendor.com/{+shop}"),
            "api.base_url: `{+shop}` would lead the operator's secrets",
        ),
        ("/profile/url", json!("{instance_url}/me?a={+branch}"), "profile.url: has a `{+…}` outside"),
        ("/api/headers", json!({ "X-Branch": "{+branch}" }), "api.headers: has a `{+…}`"),
        ("/oauth2/token_params", json!({ "branch": "{+branch}" }), "oauth2.token_params: has a `{+…}`"),
        ("/oauth2/scopes", json!(["{+branch}"]), "oauth2.scopes"),
    ];
    for (member, value, expected) in table {
        let mut connector = connector(member, value.clone());
        let branch = json!({ "name": "branch", "label": "Branch", "optional": true });
        connector.settings.to_mut().push(serde_json::from_value(branch).unwrap());
        let said = connector.check(false).map_or_else(|error| error.to_string(), |()| "passes".to_owned());
        assert!(said.starts_with(expected), "{member} {value}: {said}");
    }
}
