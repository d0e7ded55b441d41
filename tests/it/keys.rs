//! The ways to present a key, our own access tokens, and what clients look up about both.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use shared::id::{Environment, Role};

use crate::world::{Answer, Call, START, World};

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// Percent-encodes everything, as one client does: even `-` becomes `%2D`.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[tokio::test]
async fn a_key_means_the_same_in_every_way_it_can_be_presented() {
    let world = World::new().await;
    let client = world.client(Environment::Test, &[Role::Read]).await;
    let (id, secret, key) = (client.id.as_str(), client.secret.as_str(), client.key.as_str());
    let ask = || world.call("GET", "/v1/vault/connections");
    let ways: [Call; 10] = [
        ask().bearer(key),
        ask().header("authorization", &format!("bearer   {key}")),
        ask().header("x-one-secret", key),
        ask().header("X-Pica-Secret", key),
        ask().header("x-one-secret", key).header("x-pica-secret", key).bearer(key),
        ask().header("authorization", &basic(id, secret)),
        ask().header("authorization", &basic(&encoded(id), &encoded(secret))),
        ask().header("authorization", &basic(id, secret).replace("Basic", "BASIC")),
        ask().bearer(&world.jwt(&client).await),
        ask().header("x-one-secret", &world.jwt(&client).await),
    ];
    for (at, call) in ways.into_iter().enumerate() {
        let answer = call.send().await;
        assert_eq!((answer.status, answer.json()["rows"].clone()), (200, json!([])), "way {at}");
    }
    let credentials = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let token = |call: Call| async { call.send().await.status };
    assert_eq!(token(world.call("POST", "/oauth2/token").json(&credentials)).await, 200);
    assert_eq!(token(world.call("POST", "/oauth2/token").form(&form)).await, 200);
}

#[tokio::test]
async fn a_key_that_is_wrong_in_any_part_is_refused_and_only_basic_is_challenged() {
    let world = World::new().await;
    let client = world.client(Environment::Test, &Role::ALL).await;
    let (id, secret, key) = (client.id.as_str(), client.secret.as_str(), client.key.as_str());
    let ask = || world.call("GET", "/v1/vault/connections");
    let table: [(Call, u16, bool); 12] = [
        (ask(), 401, false),
        (ask().bearer(&format!("{key}x")), 401, false),
        (ask().bearer(&key.replace("sk_test_", "sk_live_")), 401, false),
        (ask().bearer(&key.replace("sk_test_", "pk_test_")), 401, false),
        (ask().bearer(&key.replace(id, "pother-tother")), 401, false),
        (ask().bearer(secret), 401, false),
        (ask().header("x-one-secret", "x"), 401, false),
        (ask().header("authorization", &basic(id, "wrong")), 401, true),
        (ask().header("authorization", &basic("nobody", secret)), 401, true),
        (ask().header("authorization", "Basic !!"), 401, true),
        (ask().header("x-one-secret", key).header("x-pica-secret", "sk_test_p1-t1_x"), 400, false),
        (ask().header("x-one-secret", key).header("x-one-secret", key), 400, false),
    ];
    for (at, (call, status, challenged)) in table.into_iter().enumerate() {
        let answer = call.send().await;
        let challenge = challenged.then_some("Basic realm=\"mooring\", charset=\"UTF-8\"");
        assert_eq!((answer.status, answer.header("www-authenticate")), (status, challenge), "case {at}");
        assert!(!answer.text().contains(secret));
    }
}

/// The fields of a form.
type Fields<'a> = &'a [(&'a str, &'a str)];

async fn issued(world: &World, path: &str, fields: Fields<'_>) -> Answer {
    world.call("POST", path).form(fields).send().await
}

#[tokio::test]
async fn a_token_is_issued_as_rfc_6749_says() {
    let world = World::new().await;
    let client = world.client(Environment::Test, &[Role::Connect, Role::Use]).await;
    let own =
        [("grant_type", "client_credentials"), ("client_id", client.id.as_str()), ("client_secret", &client.secret)];
    for path in ["/oauth2/token", "/oauth2/token/", "/api/v1/oauth/token", "/api/v1/oauth2/token"] {
        let unknown = [own.as_slice(), &[("audience", "x"), ("resource", "y")]].concat();
        let answer = issued(&world, path, &unknown).await;
        let mut json = answer.json();
        assert_eq!(json["access_token"].take().as_str().map(|token| token.split('.').count()), Some(3));
        let expected =
            json!({ "access_token": null, "token_type": "Bearer", "expires_in": 1800, "scope": "connect use" });
        assert_eq!((answer.status, json), (200, expected), "{path}");
        let said = ["content-type", "cache-control", "pragma"].map(|name| answer.header(name));
        assert_eq!(said, [Some("application/json"), Some("no-store"), Some("no-cache")]);
    }
    let header = basic(&encoded(&client.id), &encoded(&client.secret));
    let by_basic = world.call("POST", "/oauth2/token").header("authorization", &header);
    assert_eq!(by_basic.form(&own[..1]).send().await.status, 200);
    // RFC 6749 §2.3.1 lets a client that uses Basic name itself in the body too
    let by_both = world.call("POST", "/oauth2/token").header("authorization", &header);
    assert_eq!(by_both.form(&own[..2]).send().await.status, 200);
}

#[tokio::test]
async fn a_token_request_is_refused_as_rfc_6749_says() {
    let world = World::new().await;
    let client = world.client(Environment::Test, &[Role::Read]).await;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    let grant = ("grant_type", "client_credentials");
    let table: [(Fields, u16, &str); 10] = [
        (&[("client_id", id), ("client_secret", secret)], 400, "invalid_request"),
        (&[("grant_type", "password"), ("client_id", id), ("client_secret", secret)], 400, "unsupported_grant_type"),
        (&[grant], 401, "invalid_client"),
        (&[grant, ("client_id", id)], 401, "invalid_client"),
        (&[grant, ("client_id", id), ("client_secret", "wrong")], 401, "invalid_client"),
        (&[grant, ("client_id", "p1-t1"), ("client_secret", secret)], 401, "invalid_client"),
        (&[grant, ("client_id", "not an id"), ("client_secret", secret)], 401, "invalid_client"),
        (&[grant, ("client_id", id), ("client_secret", secret), ("scope", "admin")], 400, "invalid_scope"),
        (&[grant, ("client_id", id), ("client_secret", secret), ("scope", "read telepathy")], 400, "invalid_scope"),
        (&[grant, grant, ("client_id", id), ("client_secret", secret)], 400, "invalid_request"),
    ];
    for (fields, status, error) in table {
        let answer = issued(&world, "/oauth2/token", fields).await;
        assert_eq!(answer.refusal(), (status, error.to_owned()), "{fields:?}");
        assert_eq!((answer.header("www-authenticate"), answer.header("cache-control")), (None, Some("no-store")));
    }
    let tried_basic = world.call("POST", "/oauth2/token").header("authorization", &basic(id, "wrong")).form(&[grant]);
    let answer = tried_basic.send().await;
    assert_eq!(answer.refusal(), (401, "invalid_client".to_owned()));
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"mooring\", charset=\"UTF-8\""));
    let both = world.call("POST", "/oauth2/token").header("authorization", &basic(id, secret));
    let both = both.form(&[grant, ("client_id", id), ("client_secret", secret)]).send().await;
    assert_eq!(both.refusal(), (400, "invalid_request".to_owned()), "RFC 6749 §2.3: one method for each request");
}

#[tokio::test]
async fn a_token_carries_no_more_roles_than_were_asked_for() {
    let world = World::new().await;
    let client = world.client(Environment::Test, &Role::ALL).await;
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client.id.as_str()),
        ("client_secret", &client.secret),
        ("scope", "read use"),
    ];
    let answer = issued(&world, "/oauth2/token", &fields).await;
    assert_eq!(answer.member("scope"), "read use");
    let token = answer.member("access_token");
    assert_eq!(world.call("GET", "/v1/vault/connections").bearer(&token).send().await.status, 200);
    let start = world.call("GET", "/connectors/acme/oauth/authorize").bearer(&token).send().await;
    assert_eq!(start.refusal(), (403, "insufficient_role".to_owned()));
}

#[tokio::test]
async fn the_metadata_name_the_base_url_as_issuer() {
    let world = World::with(|options| "/prod".clone_into(&mut options.base_path)).await;
    let base = world.base();
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let answer = world.call("GET", path).send().await;
        let expected = json!({
            "issuer": base, "token_endpoint": format!("{base}/oauth2/token"), "jwks_uri": format!("{base}/.well-known/jwks.json"),
            "grant_types_supported": ["client_credentials"], "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "token_endpoint_auth_signing_alg_values_supported": ["EdDSA"], "scopes_supported": ["admin", "connect", "use", "read"],
            "service_documentation": format!("{base}/openapi.yaml"),
        });
        assert_eq!((answer.status, answer.json()), (200, expected), "{path}");
    }
}

#[tokio::test]
async fn a_published_key_verifies_the_token() {
    let world = World::new().await;
    let client = world.client(Environment::Test, &[Role::Use]).await;
    let token = world.jwt(&client).await;
    let keys = world.call("GET", "/.well-known/jwks.json").send().await.json();
    let key = &keys["keys"][0];
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let read = |text: &str| serde_json::from_slice::<Value>(&decode(text)).unwrap();
    assert_eq!(read(header), json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": key["kid"] }));
    let public = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str().unwrap()));
    public.verify(signed.as_bytes(), &decode(signature)).unwrap();

    let mut claims = read(claims);
    assert_eq!(claims["jti"].take().as_str().map(str::len), Some(43));
    let expected = json!({
        "iss": world.base(), "sub": client.id, "client_id": client.id, "aud": "local", "iat": START / 1000,
        "exp": START / 1000 + 1800, "jti": null, "scope": "use",
    });
    assert_eq!(claims, expected);
    let expected =
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key["kid"], "x": key["x"] });
    assert_eq!(keys, json!({ "keys": [expected] }));
}
