//! What is asked at the token endpoint, and how its answers are read.

use std::collections::BTreeMap;

use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::{error::ProviderError, secret::ClientSecret};

fn oauth2(json: serde_json::Value) -> OAuth2 {
    let mut all = serde_json::json!({"authorization_endpoint": "https://auth.acme.example/authorize", "token_endpoint": "https://auth.acme.example/token"});
    all.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn client() -> ProviderClient {
    ProviderClient {
        client_id: "id:1".to_owned(),
        client_secret: Some(ClientSecret::from("s-1 &".to_owned())),
        ..ProviderClient::default()
    }
}

fn refresh(data: serde_json::Value) -> http::Request<Bytes> {
    let asking = TokenRequest {
        oauth2: &oauth2(data),
        client: &client(),
        values: &BTreeMap::from([("access_token".to_owned(), "at".to_owned())]).into(),
        now: Timestamp::from_secs(1),
        random: &Random::system(),
    };
    asking.refresh(&RefreshToken::from("r".to_owned())).unwrap()
}

#[test]
fn a_client_proves_itself_as_the_data_says() {
    let basic = refresh(serde_json::json!({}));
    // both halves are form-encoded first, RFC 6749 §2.3.1
    assert_eq!(basic.headers()["authorization"], format!("Basic {}", STANDARD.encode("id%3A1:s-1+%26")));
    assert_eq!(basic.body(), "grant_type=refresh_token&refresh_token=r");
    let post = refresh(serde_json::json!({"token_endpoint_auth_method": "client_secret_post"}));
    assert_eq!(
        (post.headers().get("authorization"), &post.body()[..]),
        (None, &b"grant_type=refresh_token&refresh_token=r&client_id=id%3A1&client_secret=s-1+%26"[..])
    );
    let none = refresh(
        serde_json::json!({"token_endpoint_auth_method": "none", "token_request_body": "json", "refresh_params": {"a": "1"}}),
    );
    let body: Value = serde_json::from_slice(none.body()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"grant_type": "refresh_token", "refresh_token": "r", "a": "1", "client_id": "id:1"})
    );
    assert!(!format!("{basic:?}").contains("Basic "), "a sensitive header does not print");
}

#[test]
fn a_refresh_goes_its_own_way_where_the_data_says_so() {
    let renamed = serde_json::json!({ "token_request": { "refresh_token": "renewal" } });
    let table = [
        (
            serde_json::json!({ "refresh_method": "GET" }),
            "GET https://auth.acme.example/token?grant_type=refresh_token&refresh_token=r Basic ",
        ),
        (
            serde_json::json!({ "refresh_endpoint": "https://auth.acme.example/renew", "refresh_endpoint_auth_method": "none" }),
            "POST https://auth.acme.example/renew grant_type=refresh_token&refresh_token=r&client_id=id%3A1",
        ),
        (
            serde_json::json!({ "refresh_endpoint_auth_method": "client_secret_query" }),
            "POST https://auth.acme.example/token?grant_type=refresh_token&refresh_token=r&client_id=id%3A1&client_secret=s-1+%26 ",
        ),
        (
            serde_json::json!({ "refresh_params": { "grant_type": "renew" }, "parameter_names": renamed, "refresh_endpoint_auth_method": "none" }),
            "POST https://auth.acme.example/token renewal=r&grant_type=renew&client_id=id%3A1",
        ),
    ];
    let bears = refresh(
        serde_json::json!({ "token_endpoint_auth_method": "client_secret_post", "refresh_bears_access_token": true }),
    );
    assert_eq!(bears.headers()["authorization"], "Bearer at");
    for (data, expected) in table {
        let request = refresh(data.clone());
        let body = std::str::from_utf8(request.body()).unwrap();
        let basic = if request.headers().contains_key("authorization") { "Basic " } else { "" };
        assert_eq!(format!("{} {} {basic}{body}", request.method(), request.uri()), expected, "{data}");
    }
}

#[test]
fn a_further_token_is_read_where_it_stood_or_as_any() {
    let data = oauth2(
        serde_json::json!({ "token_slots": [{ "name": "user", "access_token": "user.token", "expires_in": "user.ttl" }] }),
    );
    let table = [
        (serde_json::json!({ "user": { "token": "u", "ttl": 9 }, "access_token": "b" }), "u 10"),
        (serde_json::json!({ "access_token": "u", "expires_in": 5 }), "u 6"),
        (serde_json::json!({ "error": "invalid_grant" }), "the provider refused with invalid_grant"),
    ];
    for (body, expected) in table {
        let response = http::Response::new(Bytes::from(body.to_string()));
        let said = match read_slot(&data, "user", &response, Timestamp::from_secs(1)) {
            Ok(slot) => format!("{} {}", slot.access_token.expose(), slot.expires_at.unwrap().secs()),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expected, "{body}");
    }
}

#[test]
fn an_assertion_alone_goes_without_a_client() {
    let data = serde_json::json!({ "grant": "client_credentials", "scopes": [] });
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let mut data = data.clone();
        data["token_endpoint_auth_method"] = method.into();
        let asking = TokenRequest {
            oauth2: &oauth2(data),
            client: &ProviderClient::default(),
            values: &Values::default(),
            now: Timestamp::from_secs(1),
            random: &Random::system(),
        };
        let request = asking.client_credentials(&["a b".to_owned()]).unwrap();
        assert_eq!(request.body(), "grant_type=client_credentials&scope=a+b", "{method}");
        assert!(!request.headers().contains_key("authorization"), "{method}");
    }
}

#[test]
fn a_token_response_is_read_with_its_known_tolerances() {
    let table = [
        (
            "the RFC's",
            200,
            r#"{"access_token":"a","expires_in":60,"refresh_token":"r","scope":"x y"}"#,
            "a r 61000 x,y",
        ),
        ("digits", 200, r#"{"access_token":"a","expires_in":"60"}"#, "a - 61000 -"),
        ("no expiry", 200, r#"{"access_token":"a"}"#, "a - - -"),
        ("an expiry beyond reason", 200, r#"{"access_token":"a","expires_in":1e300}"#, "a - 31622401000 -"),
        ("a negative expiry", 200, r#"{"access_token":"a","expires_in":-1}"#, "a - - -"),
        ("an error with 200", 200, r#"{"error":"bad_verification_code"}"#, "refused bad_verification_code"),
        ("an empty token", 200, r#"{"access_token":""}"#, "invalid no access token"),
        (
            "a token that no header can carry",
            200,
            "{\"access_token\":\"a\\r\\nb\"}",
            "invalid a token is longer than 16 KiB or holds other than printable ASCII",
        ),
        ("an error with 400", 400, r#"{"error":"invalid_grant","error_description":"x"}"#, "refused invalid_grant"),
        ("an error to print", 400, "{\"error\":\"a\\nb<c>\"}", "refused abc"),
        ("401 without JSON", 401, "<html>", "refused status 401"),
        ("a failure", 503, r#"{"error":"invalid_grant"}"#, "failed 503"),
        ("too many", 429, r#"{"error":"invalid_grant"}"#, "failed 429"),
        ("a page", 200, "<html>", "invalid the answer is not JSON"),
        ("a redirect", 302, "", "invalid a redirect where none is documented"),
    ];
    for (case, status, body, expected) in table {
        let response = http::Response::builder().status(status).body(Bytes::from(body)).unwrap();
        let said = match read(&oauth2(serde_json::json!({})), &response, Timestamp::from_millis(1000)) {
            Ok(tokens) => format!(
                "{} {} {} {}",
                tokens.access_token.expose(),
                tokens.refresh_token.as_ref().map_or("-", RefreshToken::expose),
                tokens.expires_at.map_or("-".to_owned(), |at| at.millis().to_string()),
                tokens.scopes.map_or("-".to_owned(), |scopes| scopes.join(",")),
            ),
            Err(ProviderError::Refused(code)) => format!("refused {code}"),
            Err(ProviderError::Failed(status)) => format!("failed {status}"),
            Err(ProviderError::InvalidResponse(why)) => format!("invalid {why}"),
            Err(other) => other.to_string(),
        };
        assert_eq!(said, expected, "{case}");
    }
}

#[test]
fn scopes_are_told_apart_as_they_are_answered() {
    let table = [
        (serde_json::json!({}), "a b", "a|b"),
        (serde_json::json!({}), "a,b", "a,b"), // a comma may stand in a scope
        (serde_json::json!({ "scope_separator": "," }), "a,b, c", "a|b|c"),
        (serde_json::json!({ "scope_separator": "," }), "a b", "a|b"),
        (serde_json::json!({ "response_scope_separator": "," }), "a,b", "a|b"),
        (serde_json::json!({ "scope_separator": "," , "response_scope_separator": ";" }), "a,1; b", "a,1|b"),
    ];
    for (data, answered, expected) in table {
        let body = serde_json::json!({ "access_token": "t", "scope": answered }).to_string();
        let response = http::Response::new(Bytes::from(body));
        let tokens = read(&oauth2(data.clone()), &response, Timestamp::from_millis(1000)).unwrap();
        assert_eq!(tokens.scopes.unwrap().join("|"), expected, "{data} {answered}");
    }
}

#[test]
fn an_answer_is_read_where_its_members_stand() {
    let data = oauth2(serde_json::json!({"token_response": {"root": "data.0"}}));
    let table = [
        (r#"{"data":[{"access_token":"a","user_id":1}]}"#, Some("a")),
        (r#"{"access_token":"b","user_id":1}"#, Some("b")),
        (r#"{"data":[]}"#, None),
        (r#"{"data":[{"user_id":1}],"access_token":"c"}"#, None),
    ];
    for (body, token) in table {
        let response = http::Response::builder().status(200).body(Bytes::from(body)).unwrap();
        let read = read(&data, &response, Timestamp::from_secs(1)).ok();
        assert_eq!(read.as_ref().map(|tokens| tokens.access_token.expose()), token, "{body}");
    }
}

#[test]
fn a_refusal_that_comes_with_200_is_one() {
    let data = oauth2(
        serde_json::json!({"error_signal": {"path": "ok", "equals": "false", "code": "error"}, "token_response": {"access_token": "authed_user.access_token"}}),
    );
    let read = |body: &'static str| {
        read(&data, &http::Response::new(Bytes::from_static(body.as_bytes())), Timestamp::default())
    };
    assert!(
        matches!(read(r#"{"ok":false,"error":"code_already_used"}"#), Err(ProviderError::Refused(code)) if code == "code_already_used")
    );
    assert_eq!(read(r#"{"ok":true,"authed_user":{"access_token":"a"}}"#).unwrap().access_token.expose(), "a");
}

#[test]
fn only_a_definite_refusal_ends_the_grant() {
    let ends = |code: &str| ends_the_grant(&ProviderError::Refused(code.to_owned()));
    assert!(["invalid_grant", "invalid_token", "token_expired", "token_revoked"].into_iter().all(ends));
    let others =
        ["invalid_client", "invalid_request", "unauthorized_client", "access_denied", "status 400", "status 401"];
    assert!(others.iter().all(|code| !ends(code)));
    assert!(!ends_the_grant(&ProviderError::Failed(503)) && !ends_the_grant(&ProviderError::Timeout));
}

#[test]
fn a_refusal_in_the_providers_own_words_is_told_in_the_standards() {
    let data = oauth2(serde_json::json!({
        "grant_ended": {"message": "Invalid refresh token", "status": "BAD_REFRESH_TOKEN"},
        "error_signal": {"path": "ok", "equals": "false", "code": "message"},
    }));
    let table = [
        (400, r#"{"status":400,"error":"Bad Request","message":"Invalid refresh token"}"#, "refused invalid_grant"),
        (400, r#"{"status":"BAD_REFRESH_TOKEN"}"#, "refused invalid_grant"),
        (200, r#"{"ok":false,"message":"Invalid refresh token"}"#, "refused invalid_grant"),
        (200, r#"{"error":"bad","status":"BAD_REFRESH_TOKEN"}"#, "refused invalid_grant"),
        (400, r#"{"status":400,"error":"Bad Request","message":"Invalid client"}"#, "refused Bad Request"),
        (400, "{}", "refused status 400"),
        (503, r#"{"status":"BAD_REFRESH_TOKEN"}"#, "failed"),
    ];
    for (status, body, expected) in table {
        let response = http::Response::builder().status(status).body(Bytes::from(body)).unwrap();
        let told = match read(&data, &response, Timestamp::default()) {
            Err(ProviderError::Refused(code)) => format!("refused {code}"),
            Err(ProviderError::Failed(_)) => "failed".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(told, expected, "{body}");
        if status != 503 {
            let slot = read_slot(&data, "user", &response, Timestamp::default());
            assert!(
                matches!(slot, Err(ProviderError::Refused(code)) if format!("refused {code}") == expected),
                "{body}"
            );
        }
    }
}

#[test]
fn debug_shows_no_token() {
    let data = oauth2(serde_json::json!({"token_slots": [{"name": "bot", "access_token": "bot"}]}));
    let body = r#"{"access_token":"canary-a","refresh_token":"canary-r","bot":"canary-b","id_token":"canary-i"}"#;
    let tokens = read(&data, &http::Response::new(Bytes::from_static(body.as_bytes())), Timestamp::default());
    let shown = format!("{:?}", tokens.unwrap());
    assert!(!shown.contains("canary"), "{shown}");
}
