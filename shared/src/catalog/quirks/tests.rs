//! The sentences, whole.

use serde_json::{Value, json};

use super::time;
use crate::{catalog::Catalog, protocol::connector::Connector};

fn connector(further: &Value) -> Connector {
    let mut all = json!({
        "id": "acme", "name": "Acme", "api": { "base_url": "https://api.acme.example" },
        "profile": { "url": "https://api.acme.example/me", "account_id": "id" }
    });
    all.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn oauth2(further: &Value) -> Connector {
    let mut all =
        json!({ "authorization_endpoint": "https://acme.example/a", "token_endpoint": "https://acme.example/t" });
    all.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let revoke = json!({ "url": "https://acme.example/r", "effect": "token" });
    connector(&json!({ "oauth2": all, "revoke": revoke }))
}

#[test]
fn what_every_provider_shares_is_no_quirk() {
    assert_eq!(oauth2(&json!({})).quirks(&[]), Vec::<String>::new());
    assert_eq!(
        oauth2(&json!({ "token_endpoint_auth_method": "client_secret_post" })).quirks(&[]),
        Vec::<String>::new()
    );
}

#[test]
fn what_departs_from_the_standard_is_a_sentence() {
    let table = [
        (json!({ "scope_separator": "," }), "Scopes are separated by commas."),
        (json!({ "scopes": ["crm:{org}"] }), "The scopes name what was typed or chosen, and are filled with it."),
        (json!({ "scope_parameter": "" }), "There are no scopes in the request."),
        (json!({ "token_request_body": "json" }), "The token request is JSON."),
        (json!({ "refresh_token_rotates": true }), "Refresh tokens rotate."),
        (json!({ "refresh": "none" }), "Access tokens live until they are revoked."),
        (
            json!({ "error_signal": { "path": "ok", "equals": "false", "code": "error" } }),
            "A refused token request is answered with status 200: `ok` is `false` then.",
        ),
        (json!({ "token_params": { "a": "1", "b": "2" } }), "The token request needs `a=1` and `b=2`."),
        (
            json!({ "parameter_names": { "authorization_request": { "client_id": "appid" } } }),
            "In the authorization request `client_id` is called `appid`.",
        ),
        (
            json!({ "token_response": { "access_token": "data.token", "expiry": "rfc3339" } }),
            "The token response has the access token as `data.token`. A token's lifetime is told as its end, a date.",
        ),
        (json!({ "refresh_token_expires_in": 7_776_000 }), "A refresh token dies after 90 days without use."),
        (
            json!({ "token_endpoint_auth_method": "client_secret_query" }),
            "At the token endpoint the client's secret stands in the query.",
        ),
        (json!({ "response_mode": "form_post" }), "The answer comes back by POST."),
        (json!({ "pkce": "none" }), "PKCE is off: the provider refuses it, or takes it from public clients alone."),
    ];
    for (data, expected) in table {
        assert_eq!(oauth2(&data).quirks(&[]).join(" "), expected, "{data}");
    }
}

#[test]
fn a_choice_a_login_and_the_providers_own_notes_are_told() {
    let data = json!({
        "notes": ["It is slow."],
        "inputs": [{ "name": "key", "label": "Key", "secret": true }],
        "login": { "url": "https://api.acme.example/login", "params": { "key": "{key}" }, "token": "token" },
        "lookups": [{ "name": "site", "title": "Site", "url": "https://api.acme.example/sites", "list": ".", "path": "id" }],
        "api": { "base_url": "https://api.acme.example", "credential": { "in": "header", "name": "X-Session", "value": "{session_token}" } }
    });
    let expected = [
        "A login changes what was typed into a session's token, again whenever that ends.",
        "An account may have several: the person chooses one (“Site”).",
        "The credential travels in a header, `X-Session: {session_token}`.",
        "It is slow.",
    ];
    assert_eq!(
        {
            let connector = connector(&data);
            connector.quirks(&connector.notes)
        },
        expected
    );
}

#[test]
fn the_ways_to_connect_are_named() {
    let typed = |credential: Value| {
        connector(&json!({ "api": { "base_url": "https://api.acme.example", "credential": credential } }))
    };
    let oauth1 = json!({
        "temporary_credential_endpoint": "https://acme.example/1", "authorization_endpoint": "https://acme.example/2",
        "token_endpoint": "https://acme.example/3"
    });
    let table = vec![
        (oauth2(&json!({})), "authorization_code"),
        (oauth2(&json!({ "grant": "client_credentials" })), "client_credentials"),
        (oauth2(&json!({ "grant": "jwt_bearer" })), "jwt_bearer"),
        (oauth2(&json!({ "grant": "device_code" })), "device_code"),
        (
            oauth2(&json!({ "device_authorization_endpoint": "https://acme.example/d" })),
            "authorization_code device_code",
        ),
        (connector(&json!({ "oauth1": oauth1 })), "oauth1"),
        (connector(&json!({ "login": { "url": "https://acme.example/l", "token": "t" } })), "login"),
        (typed(json!({ "in": "header" })), "api_key"),
        (typed(json!({ "in": "basic", "username": "{key}" })), "basic"),
        (typed(json!({ "in": "path" })), "api_key"),
        (
            typed(
                json!({ "in": "aws_sigv4", "service": "s3", "region": "r", "access_key_id": "a", "secret_access_key": "s" }),
            ),
            "signature",
        ),
    ];
    for (connector, expected) in table {
        assert_eq!(connector.grants().join(" "), expected);
    }
}

#[test]
fn every_sentence_is_one() {
    let catalog = Catalog::builtin();
    for connector in catalog.iter() {
        for sentence in connector.quirks(&catalog.notes(connector)) {
            assert!(sentence.ends_with(['.', '!', ')']) && !sentence.contains('\n'), "{}: {sentence}", connector.id);
        }
    }
}

#[test]
fn a_time_is_told_in_its_largest_unit() {
    for (seconds, expected) in [
        (1, "1 second"),
        (90, "90 seconds"),
        (120, "2 minutes"),
        (3600, "1 hour"),
        (7200, "2 hours"),
        (86_400, "1 day"),
    ] {
        assert_eq!(time(seconds), expected);
    }
}
