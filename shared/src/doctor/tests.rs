//! What is found, by its code; whole reports stand in `tools/doctor/tests`.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;

use super::{
    live::{Probe, Seen, judge},
    *,
};
use crate::{
    catalog::Catalog, error::ProviderError, id::ConnectorId, protocol::connector::Connector,
    store::settings::ConnectorSettings,
};

const BASE_URL: &str = "https://connect.example.com";

/// Ten past nine on 21 November 2026.
const NOW: Timestamp = Timestamp::from_secs(1_795_252_200);

fn oauth2(further: &Value) -> Connector {
    let mut oauth2 = json!({
        "authorization_endpoint": "https://acme.example/authorize", "token_endpoint": "https://acme.example/token",
        "issuer": "https://acme.example", "scopes": ["read", "offline_access"],
        "authorization_params": { "access_type": "offline" }
    });
    oauth2.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let all =
        json!({ "id": "acme", "name": "Acme", "oauth2": oauth2, "api": { "base_url": "https://api.acme.example" } });
    serde_json::from_value(all).unwrap()
}

fn decided(settings: &Value) -> ConnectorSettings {
    let text = |name: &str| settings[name].as_str().map(str::to_owned);
    let list = |name: &str| {
        settings[name].as_array().map(|all| all.iter().map(|one| one.as_str().unwrap().to_owned()).collect())
    };
    let params = settings["authorization_params"].as_object().cloned().unwrap_or_default();
    ConnectorSettings {
        client_id: text("client_id"),
        enabled: settings["enabled"] != json!(false),
        scopes: list("scopes"),
        second_scopes: list("second_scopes"),
        authorization_params: params
            .into_iter()
            .map(|(name, value)| (name, value.as_str().unwrap().to_owned()))
            .collect(),
        ..ConnectorSettings::default()
    }
}

/// Looks at a connector, and at what was seen at its provider.
fn report(data: &Connector, settings: &Value, base_url: Option<&str>, seen: &[Seen]) -> Report {
    let connector = ConnectorInUse::new(ConnectorId::of(data), Cow::Borrowed(data), None, Some(decided(settings)));
    let (given, random) = (BTreeMap::new(), Random::system());
    let case = Case {
        connector: &connector,
        notes: &data.notes,
        base_url,
        app_name: "Orbit",
        given: &given,
        deployed: true,
        now: NOW,
        random: &random,
    };
    let report = examine(&case);
    if seen.is_empty() { report } else { judge(report, &case, seen) }
}

/// Codes of findings; notes in brackets.
fn codes(report: &Report) -> String {
    let code = |finding: &Finding| match finding.severity {
        Severity::Error => format!("{}!", finding.code),
        Severity::Warning => finding.code.to_owned(),
        Severity::Note => format!("({})", finding.code),
    };
    report.findings.iter().map(code).collect::<Vec<_>>().join(" ")
}

#[test]
fn usual_failures_are_told() {
    let client = json!({ "client_id": "id" });
    let with = |name: &str, value: Value| json!({ "client_id": "id", name: value });
    let plain = json!({});
    let table = [
        (plain.clone(), client.clone(), BASE_URL, "(redirect_uri_is_own)"),
        (plain.clone(), json!({}), BASE_URL, "no_client! (redirect_uri_is_own)"),
        (plain.clone(), with("enabled", json!(false)), BASE_URL, "not_enabled! (redirect_uri_is_own)"),
        (
            plain.clone(),
            client.clone(),
            "http://connect.example.com",
            "redirect_uri_is_not_https! (redirect_uri_is_own)",
        ),
        (plain.clone(), client.clone(), "http://localhost:4400", "redirect_uri_is_local (redirect_uri_is_own)"),
        (
            plain.clone(),
            client.clone(),
            "http://127.0.0.1:4400",
            "redirect_uri_is_local redirect_uri_in_numbers (redirect_uri_is_own)",
        ),
        (plain.clone(), with("scopes", json!(["read"])), BASE_URL, "offline_scope_missing (redirect_uri_is_own)"),
        (
            plain.clone(),
            with("scopes", json!(["read,write", "offline_access"])),
            BASE_URL,
            "scope_separator! (redirect_uri_is_own)",
        ),
        (
            plain.clone(),
            with("authorization_params", json!({ "access_type": "online", "state": "x", "hd": "y" })),
            BASE_URL,
            "parameter_reserved offline_parameter_replaced (redirect_uri_is_own) (parameter_replaced)",
        ),
        (plain.clone(), with("second_scopes", json!(["x"])), BASE_URL, "second_scopes_not_sent (redirect_uri_is_own)"),
        (json!({ "pkce": "none" }), client.clone(), BASE_URL, "(redirect_uri_is_own) (pkce_off)"),
        (
            json!({ "token_params": { "site": "{site}" } }),
            client.clone(),
            BASE_URL,
            "request_impossible! (redirect_uri_is_own)",
        ),
    ];
    for (data, settings, base_url, expected) in table {
        let report = report(&oauth2(&data), &settings, Some(base_url), &[]);
        assert_eq!(codes(&report), expected, "{data} {settings} {base_url}");
    }
}

#[test]
fn every_shipped_connector_can_be_looked_at_and_every_request_made() {
    for data in Catalog::builtin().iter() {
        let report = report(data, &json!({ "client_id": "id" }), Some(BASE_URL), &[]);
        let impossible: Vec<_> =
            report.findings.iter().filter(|finding| finding.code == "request_impossible").collect();
        assert!(impossible.is_empty(), "{}: {impossible:?}", data.id);
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains("standin"), "{}: {text}", data.id);
    }
}

fn seen(url: &str, answer: Result<(u16, &str, Value), ProviderError>) -> Seen {
    let is_metadata = url.contains(".well-known");
    let answer = answer.map(|(status, date, body)| {
        let answer = http::Response::builder().status(status).header("date", date);
        answer.body(Bytes::from(body.to_string())).unwrap()
    });
    Seen { probe: Probe { what: "endpoint", url: Url::parse(url).unwrap(), is_metadata }, answer, at: NOW }
}

const METADATA: &str = "https://acme.example/.well-known/oauth-authorization-server";
const TOKEN: &str = "https://acme.example/token";
const DATE: &str = "Sat, 21 Nov 2026 09:10:00 GMT";

#[test]
fn what_a_provider_answers_is_compared_with_the_data() {
    let agreeing = json!({
        "issuer": "https://acme.example", "authorization_endpoint": "https://acme.example/authorize",
        "token_endpoint": "https://acme.example/token", "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"], "scopes_supported": ["read", "offline_access"]
    });
    let differing = json!({
        "issuer": "https://login.acme.example", "token_endpoint": "https://acme.example/v2/token",
        "code_challenge_methods_supported": ["plain"], "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "scopes_supported": ["read"]
    });
    let fine = || seen(TOKEN, Ok((405, DATE, json!({}))));
    let table = [
        (vec![seen(METADATA, Ok((200, DATE, agreeing))), fine()], ""),
        (
            vec![seen(METADATA, Ok((200, DATE, differing))), fine()],
            "issuer_differs! endpoint_differs pkce_is_not_taken authentication_is_not_offered (scopes_not_published)",
        ),
        (vec![seen(METADATA, Ok((404, DATE, json!({})))), fine()], "no_metadata"),
        (vec![seen(METADATA, Ok((500, DATE, json!({})))), fine()], "metadata_unreadable"),
        (vec![seen(METADATA, Ok((503, DATE, json!({})))), fine()], "metadata_unreadable"),
        (vec![seen(METADATA, Ok((302, DATE, json!({})))), fine()], "metadata_unreadable"),
        (vec![seen(METADATA, Ok((200, DATE, json!("<html>")))), fine()], "metadata_unreadable"),
        (vec![fine()], "(no_issuer)"),
        (vec![seen(TOKEN, Err(ProviderError::Timeout))], "unreachable! (no_issuer)"),
        (vec![seen(TOKEN, Err(ProviderError::AddressRefused))], "unreachable! (no_issuer)"),
        (vec![seen(TOKEN, Err(ProviderError::Unreachable("dns error".into())))], "unreachable! (no_issuer)"),
        (vec![seen(TOKEN, Ok((503, DATE, json!({}))))], "provider_fails (no_issuer)"),
        (vec![seen(TOKEN, Ok((405, "Sat, 21 Nov 2026 09:05:00 GMT", json!({}))))], "clock_skew (no_issuer)"),
        (vec![seen(TOKEN, Ok((405, "Sat, 21 Nov 2026 09:10:29 GMT", json!({}))))], "(no_issuer)"),
        (vec![seen(TOKEN, Ok((405, "yesterday", json!({}))))], "(no_issuer)"),
    ];
    for (seen, expected) in table {
        let what = format!("{seen:?}");
        let report = report(&oauth2(&json!({})), &json!({ "client_id": "id" }), Some(BASE_URL), &seen);
        assert_eq!(codes(&report).replace("(redirect_uri_is_own)", "").replace("  ", " ").trim(), expected, "{what}");
    }
}

#[test]
fn a_clock_that_is_off_is_an_error_where_requests_are_signed_with_the_time() {
    let late = [seen(TOKEN, Ok((405, "Sat, 21 Nov 2026 09:12:00 GMT", json!({}))))];
    let report = report(&oauth2(&json!({ "dpop": true })), &json!({ "client_id": "id" }), Some(BASE_URL), &late);
    let found = report.findings.iter().find(|finding| finding.code == "clock_skew").unwrap();
    assert_eq!(found.severity, Severity::Error);
    assert!(found.what.starts_with("Our clock is 120 seconds behind the provider's"), "{}", found.what);
}
