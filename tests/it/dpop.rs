//! Tokens that are bound to a key (RFC 9449): a provider that checks every proof by itself and wants its nonces in them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{http::StatusCode, response::IntoResponse};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest,
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use serde_json::{Value, json};

use crate::world::{Fake, Log, Seen, World, query};

/// What the provider remembers of proofs, and of the client's assertions.
#[derive(Default)]
struct Books {
    jtis: Vec<String>,
    /// The keys that proved something, by the coordinate that differs.
    keys: Vec<String>,
    nonce: u32,
}

/// Whether the request carries a proof that is right but for the nonce; why not otherwise.
fn claims(seen: &Seen, url: &str, token: Option<&str>, books: &Mutex<Books>) -> Result<Value, &'static str> {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "no base64url");
    let proofs: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "dpop").collect();
    let [(_, proof)] = proofs.as_slice() else { return Err("not one proof") };
    let (signed, signature) = proof.rsplit_once('.').ok_or("no JWT")?;
    let (header, body) = signed.split_once('.').ok_or("no JWT")?;
    let header: Value = serde_json::from_slice(&decode(header)?).map_err(|_| "no header")?;
    let claims: Value = serde_json::from_slice(&decode(body)?).map_err(|_| "no claims")?;
    if (&header["typ"], &header["alg"]) != (&json!("dpop+jwt"), &json!("ES256")) || !header["jwk"]["d"].is_null() {
        return Err("another type, or a private key");
    }
    let coordinate = |name: &str| decode(header["jwk"][name].as_str().unwrap_or_default());
    let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), &decode(signature)?).map_err(|_| "a wrong signature")?;
    let target = format!("{url}{}", seen.target.split('?').next().unwrap());
    if (&claims["htm"], &claims["htu"]) != (&json!(seen.method), &json!(target)) || !claims["iat"].is_u64() {
        return Err("about another request");
    }
    let hash = |token: &str| URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()));
    if claims["ath"].as_str().map(str::to_owned) != token.map(hash) {
        return Err("about another token");
    }
    let mut books = books.lock().unwrap();
    let jti = claims["jti"].as_str().unwrap_or_default().to_owned();
    if jti.is_empty() || books.jtis.contains(&jti) {
        return Err("a proof that was used");
    }
    books.jtis.push(jti);
    books.keys.push(header["jwk"]["x"].as_str().unwrap().to_owned());
    Ok(claims)
}

async fn provider() -> (Fake, Arc<Mutex<Books>>) {
    let books = Arc::<Mutex<Books>>::default();
    let (kept, url) = (Arc::clone(&books), Arc::<Mutex<String>>::default());
    let own = Arc::clone(&url);
    let fake = Fake::start(move |seen: &Seen| {
        let url = own.lock().unwrap().clone();
        let path = seen.target.split('?').next().unwrap().to_owned();
        let api = !["/par", "/token"].contains(&path.as_str());
        let token = seen.header("authorization").and_then(|value| value.strip_prefix("DPoP "));
        let claims = match claims(seen, &url, token, &kept) {
            Ok(claims) => claims,
            Err(why) => return (StatusCode::FORBIDDEN, axum::Json(json!({ "error": why }))).into_response(),
        };
        let form = String::from_utf8_lossy(&seen.body).into_owned();
        if !api {
            let assertion = query(&format!("http://x/?{form}"), "client_assertion").unwrap_or_default();
            let mut books = kept.lock().unwrap();
            if assertion.is_empty() || books.jtis.contains(&assertion) {
                return (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": "invalid_client" }))).into_response();
            }
            books.jtis.push(assertion);
        }
        let nonce = format!("nonce-{}", kept.lock().unwrap().nonce);
        let said = [("dpop-nonce", nonce.clone())];
        if claims["nonce"] != nonce.as_str() {
            let body = axum::Json(json!({ "error": "use_dpop_nonce" }));
            return if api {
                let challenge = [("www-authenticate", "DPoP error=\"use_dpop_nonce\"")];
                (StatusCode::UNAUTHORIZED, said, challenge, body).into_response()
            } else {
                (StatusCode::BAD_REQUEST, said, body).into_response()
            };
        }
        let answer = match path.as_str() {
            "/par" => json!({ "request_uri": "urn:x:r1", "expires_in": 60 }),
            "/token" if form.contains("refresh_token=canary-refresh") => {
                json!({ "access_token": "canary-token-2", "token_type": "DPoP", "expires_in": 60 })
            }
            "/token" => {
                json!({ "access_token": "canary-token-1", "token_type": "DPoP", "expires_in": 60, "refresh_token": "canary-refresh" })
            }
            _ => json!({ "id": "7", "token": token }),
        };
        (said, axum::Json(answer)).into_response()
    })
    .await;
    url.lock().unwrap().clone_from(&fake.url);
    (fake, books)
}

fn definition(url: &str, pushed: bool) -> Value {
    let mut definition = json!({
        "name": "Sky",
        "oauth2": {
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "token_endpoint_auth_method": "private_key_jwt",
            "client_assertion": { "algorithm": "HS256", "key": "{client_secret}", "claims": { "iss": "{client_id}", "sub": "{client_id}", "aud": url } },
            "dpop": true,
        },
        "api": { "base_url": format!("{url}/v1"), "credential": { "in": "header", "value": "DPoP {access_token}" } },
        "profile": { "url": format!("{url}/me"), "account_id": "id" },
    });
    if pushed {
        definition["oauth2"]["pushed_authorization_request_endpoint"] = format!("{url}/par").into();
    }
    definition
}

#[tokio::test]
async fn every_request_proves_the_key_that_the_tokens_are_bound_to() {
    for pushed in [true, false] {
        let (log, _logging) = Log::start();
        let (world, (provider, books)) = (World::new().await, provider().await);
        world.custom("sky", &definition(&provider.url, pushed), false).await;
        let path = format!("/v1/admin/projects/{}/environments/test/connectors/sky", world.project());
        world.root("PUT", &path, Some(&json!({ "client_id": "https://sky.example/client.json", "client_secret": "canary-0123456789-0123456789-0123456789" }))).await;

        let (browser, attempt) = (world.browser(), world.begin_at("sky").await);
        let started = browser.open(&attempt.start_url).await.location();
        assert_eq!(query(&started, "request_uri").is_some(), pushed, "{started}");
        let callback = format!("{}?code=canary-code&state={}", world.callback_of("sky"), attempt.state);
        let landed = browser.open(&callback).await;
        let key = world.confirmed(&browser, &attempt, &landed).await;
        assert_eq!(world.connections().await[0]["name"], "7", "the profile was proven too");

        let call = async |path: &str| world.passthrough("POST", path, &key).json(&json!({ "a": 1 })).send().await;
        let answer = call("sky/things?x=1").await;
        assert_eq!(
            (answer.status, answer.json()["token"].as_str()),
            (200, Some("canary-token-1")),
            "{}",
            answer.text()
        );
        // the server changes its nonce: one more try, and it is known from then on
        books.lock().unwrap().nonce += 1;
        let asked = provider.seen().len();
        assert_eq!((call("sky/things").await.status, call("sky/things").await.status), (200, 200));
        assert_eq!(provider.seen().len(), asked + 3);
        // a caller's own proof is not sent on
        let own = world.passthrough("GET", "sky/things", &key).header("dpop", "mine").send().await;
        assert_eq!(own.status, 200, "{}", own.text());

        world.turn(Duration::from_mins(2));
        books.lock().unwrap().nonce += 1;
        assert_eq!(call("sky/things").await.json()["token"], "canary-token-2", "renewed with the same key");
        let keys = books.lock().unwrap().keys.clone();
        assert!(keys.iter().all(|other| *other == keys[0]) && keys.len() > 8, "{keys:?}");

        // another connection has another key
        let (browser, attempt) = (world.browser(), world.begin_at("sky").await);
        browser.open(&attempt.start_url).await;
        browser.open(&format!("{}?code=c&state={}", world.callback_of("sky"), attempt.state)).await;
        assert_ne!(books.lock().unwrap().keys.last(), keys.first());
        assert!(log.lines().iter().all(|line| !line.contains("canary")));
        assert!(!format!("{:?}", world.dump().await).contains("canary"));
    }
}

#[tokio::test]
async fn a_server_that_never_has_enough_of_its_nonces_is_asked_twice_and_no_more() {
    let endless = Fake::start(|seen: &Seen| {
        let nonce = [("dpop-nonce", "another".to_owned())];
        let challenge = [("www-authenticate", "DPoP error=\"use_dpop_nonce\"")];
        let status = if seen.target == "/token" { StatusCode::BAD_REQUEST } else { StatusCode::UNAUTHORIZED };
        (status, nonce, challenge, axum::Json(json!({ "error": "use_dpop_nonce" }))).into_response()
    })
    .await;
    let world = World::new().await;
    world.custom("sky", &definition(&endless.url, false), false).await;
    let path = format!("/v1/admin/projects/{}/environments/test/connectors/sky", world.project());
    world
        .root(
            "PUT",
            &path,
            Some(&json!({ "client_id": "id", "client_secret": "canary-0123456789-0123456789-0123456789" })),
        )
        .await;
    let (browser, attempt) = (world.browser(), world.begin_at("sky").await);
    browser.open(&attempt.start_url).await;
    browser.open(&format!("{}?code=c&state={}", world.callback_of("sky"), attempt.state)).await;
    assert_eq!(world.told(&browser, &attempt).await, ("failed".to_owned(), "provider_refused".to_owned()));
    assert_eq!(endless.seen().len(), 2);
}
