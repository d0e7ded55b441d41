//! Names of the provider's own, and answers that it signs. RFC 9700 §4.5: an answer is believed only from who was asked.

use axum::response::IntoResponse;
use ring::hmac;
use serde_json::{Value, json};

use crate::world::{Browser, Fake, Log, Seen, World, query};

const SECRET: &str = "canary-client-secret";

async fn provider() -> Fake {
    Fake::start(|seen: &Seen| match seen.target.as_str() {
        "/token" => axum::Json(json!({ "access_token": "canary-token" })).into_response(),
        _ => axum::Json(json!({ "id": "7" })).into_response(),
    })
    .await
}

fn definition(url: &str) -> Value {
    json!({
        "name": "Shop",
        "oauth2": {
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "token_endpoint_auth_method": "client_secret_post",
            "callback_signature": { "parameter": "hmac", "algorithm": "hmac_sha256_sorted_query" },
            "refresh": "none",
        },
        "api": { "base_url": format!("{url}/v1") },
        "profile": { "url": format!("{url}/me"), "account_id": "id" },
    })
}

/// Signs as the provider does: the parameters as they are, sorted by name.
fn signed(params: &[(&str, &str)], secret: &str) -> String {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let text = sorted.iter().map(|(name, value)| format!("{name}={}", value.replace('%', "%25").replace('&', "%26")));
    let text: Vec<String> = text.collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, text.join("&").as_bytes());
    let hex = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).append_pair("hmac", &hex).finish()
}

/// An attempt whose browser is about to come back, and the parameters that come with it.
async fn before_the_callback(world: &World) -> (Browser, crate::world::Attempt) {
    let (browser, attempt) = (world.browser(), world.begin_at("shop").await);
    assert_eq!(browser.open(&attempt.start_url).await.status, 302);
    (browser, attempt)
}

#[tokio::test]
async fn an_answer_that_the_provider_signed_connects() {
    let (log, _logging) = Log::start();
    for by_post in [false, true] {
        let (world, provider) = (World::new().await, provider().await);
        world.custom_with_client("shop", &definition(&provider.url), "id", SECRET).await;
        let (browser, attempt) = before_the_callback(&world).await;
        let query = signed(&[("code", "canary-code"), ("state", &attempt.state), ("shop", "a&b c"), ("t", "")], SECRET);
        let callback = world.callback_of("shop");
        let landed = if by_post {
            browser.open(&browser.post(&callback, &query).await.location()).await
        } else {
            browser.open(&format!("{callback}?{query}")).await
        };
        let key = world.confirmed(&browser, &attempt, &landed).await;
        assert_eq!(world.passthrough("GET", "shop/x", &key).send().await.status, 200);
    }
    assert!(log.lines().iter().all(|line| !line.contains("canary")));
}

#[tokio::test]
async fn an_answer_that_nobody_signed_ends_the_attempt_and_redeems_nothing() {
    type Forge = fn(&str) -> String;
    let table: [(&str, Forge); 6] = [
        ("not signed", |state| format!("code=c&state={state}")),
        ("signed by somebody else", |state| signed(&[("code", "c"), ("state", state)], "another")),
        ("another code", |state| signed(&[("code", "c"), ("state", state)], SECRET).replace("code=c", "code=d")),
        ("a parameter more", |state| format!("{}&shop=a", signed(&[("code", "c"), ("state", state)], SECRET))),
        ("an empty signature", |state| format!("code=c&state={state}&hmac=")),
        ("two signatures", |state| format!("{}&hmac=00", signed(&[("code", "c"), ("state", state)], SECRET))),
    ];
    let (world, provider) = (World::new().await, provider().await);
    world.custom_with_client("shop", &definition(&provider.url), "id", SECRET).await;
    for (case, forge) in table {
        let (browser, attempt) = before_the_callback(&world).await;
        let callback = world.callback_of("shop");
        browser.open(&format!("{callback}?{}", forge(&attempt.state))).await;
        let failed = ("failed".to_owned(), "invalid_callback_signature".to_owned());
        assert_eq!(world.told(&browser, &attempt).await, failed, "{case}");
        // what is signed right comes too late, and neither does a stranger change anything
        let right = signed(&[("code", "c"), ("state", &attempt.state)], SECRET);
        browser.open(&format!("{callback}?{right}")).await;
        let stranger = world.browser().open(&format!("{callback}?{right}")).await;
        assert_eq!(stranger.refusal(), (400, "unknown_state".to_owned()), "{case}");
        assert_eq!(world.told(&browser, &attempt).await, failed, "{case}");
    }
    assert!(provider.seen().is_empty(), "nothing was redeemed");
    assert_eq!(world.connections().await.len(), 0);
}

/// A stranger who knows the state but has no cookie can't end somebody's attempt with a wrong signature.
#[tokio::test]
async fn a_forged_answer_in_another_browser_changes_nothing() {
    let (world, provider) = (World::new().await, provider().await);
    world.custom_with_client("shop", &definition(&provider.url), "id", SECRET).await;
    let (browser, attempt) = before_the_callback(&world).await;
    let before = world.dump().await;
    let callback = world.callback_of("shop");
    for query in [format!("code=c&state={}", attempt.state), signed(&[("state", &attempt.state)], "another")] {
        let refused = world.browser().open(&format!("{callback}?{query}")).await;
        assert_eq!(refused.refusal(), (400, "unknown_state".to_owned()));
    }
    assert_eq!(world.dump().await, before);
    let right = signed(&[("code", "c"), ("state", &attempt.state)], SECRET);
    let landed = browser.open(&format!("{callback}?{right}")).await;
    world.confirmed(&browser, &attempt, &landed).await;
}

#[tokio::test]
async fn the_flow_speaks_with_the_providers_own_names() {
    let (world, provider) = (World::new().await, provider().await);
    let mut definition = definition(&provider.url);
    let oauth2 = definition["oauth2"].as_object_mut().unwrap();
    oauth2.remove("callback_signature");
    oauth2.extend(
        json!({
            "parameter_names": {
                "authorization_request": { "client_id": "app_id" },
                "authorization_response": { "code": "auth_code" },
                "token_request": { "client_id": "app_id", "client_secret": "secret", "code": "auth_code" },
            },
            "redirect_uri": "The-Name-Of-It",
            "code_suffix": "#_",
            "authorization_fragment": "consent",
            "pkce": "plain",
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    world.custom_with_client("shop", &definition, "id", SECRET).await;
    let (browser, attempt) = (world.browser(), world.begin_at("shop").await);
    let asked = browser.open(&attempt.start_url).await.location();
    let of = |name: &str| query(&asked, name).unwrap_or_default();
    assert!(asked.ends_with("#consent"), "{asked}");
    let said = ["app_id", "client_id", "redirect_uri", "code_challenge_method", "state"].map(of);
    assert_eq!(said, ["id", "", "The-Name-Of-It", "plain", &attempt.state]);

    let callback = world.callback_of("shop");
    let landed = browser.open(&format!("{callback}?auth_code=canary%23_&state={}", attempt.state)).await;
    world.confirmed(&browser, &attempt, &landed).await;
    let token = provider.seen().into_iter().find(|seen| seen.target == "/token").unwrap();
    let form = format!("http://x.example/?{}", String::from_utf8_lossy(&token.body));
    let of = |name: &str| query(&form, name).unwrap_or_default();
    let said = ["app_id", "secret", "auth_code", "code", "redirect_uri"].map(of);
    assert_eq!(said, ["id", SECRET, "canary", "", "The-Name-Of-It"]);
    assert_eq!(of("code_verifier"), query(&asked, "code_challenge").unwrap());

    // under the standard's name there is no code
    let (browser, attempt) = (world.browser(), world.begin_at("shop").await);
    browser.open(&attempt.start_url).await;
    browser.open(&format!("{callback}?code=c&state={}", attempt.state)).await;
    assert_eq!(world.told(&browser, &attempt).await, ("denied".to_owned(), "invalid_response".to_owned()));
}
