//! What goes wrong on demand, at a provider that rotates.

use serde_json::json;
use zoo::Fault;

use crate::client::{Answer, BACK, World, basic};

const TOKEN: &str = "https://api.notion.com/v1/oauth/token";

/// A connection to Notion: its refresh token.
async fn connected(world: &World) -> String {
    let wanted = [("response_type", "code"), ("owner", "user")];
    let back = world.consent("https://api.notion.com/v1/oauth/authorize", &wanted).await;
    let redeem = json!({ "grant_type": "authorization_code", "code": back["code"], "redirect_uri": BACK });
    world.post_json(TOKEN, &[("authorization", &basic())], &redeem).await.at("/refresh_token")
}

async fn refresh(world: &World, token: &str) -> Result<Answer, reqwest::Error> {
    let body = json!({ "grant_type": "refresh_token", "refresh_token": token }).to_string();
    let headers = [("authorization", basic()), ("content-type", "application/json".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.try_send("POST", TOKEN, &headers, body).await
}

#[tokio::test]
async fn a_fault_that_comes_before_everything_spends_nothing() {
    let world = World::new().await;
    let token = connected(&world).await;
    let table = [
        (Fault::Refuse("invalid_grant".to_owned()), 400, "invalid_grant"),
        (Fault::RefuseWith200("invalid_grant".to_owned()), 200, "invalid_grant"),
        (Fault::HtmlPage(502), 502, "<h1>"),
        (Fault::Status(429, Some(7)), 429, ""),
    ];
    for (fault, status, part) in table {
        world.zoo.fault("notion", "token", 1, fault.clone()).unwrap();
        let answer = refresh(&world, &token).await.unwrap();
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(answer.text.contains(part), "{fault:?}");
        assert!(world.zoo.is_live("notion", &token), "{fault:?}");
    }
    assert_eq!(refresh(&world, &token).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_lost_answer_has_spent_the_token() {
    for fault in [Fault::LostReply, Fault::Cut] {
        let world = World::new().await;
        let token = connected(&world).await;
        world.zoo.fault("notion", "token", 1, fault).unwrap();
        assert!(refresh(&world, &token).await.is_err());
        assert!(!world.zoo.is_live("notion", &token));
        assert_eq!(refresh(&world, &token).await.unwrap().at("/error"), "invalid_grant");
    }
}

#[tokio::test]
async fn an_answer_can_lack_a_member_or_bring_numbers_as_texts() {
    let world = World::new().await;
    let token = connected(&world).await;
    world.zoo.fault("notion", "token", 1, Fault::Without("refresh_token".to_owned())).unwrap();
    let answer = refresh(&world, &token).await.unwrap();
    assert_eq!((answer.status, answer.json().get("refresh_token")), (200, None));

    let own = [("client_id", "zoo-client"), ("client_secret", "zoo-secret"), ("redirect_uri", BACK)];
    let back = world.consent("https://app.hubspot.com/oauth/authorize", &[("scope", "oauth")]).await;
    world.zoo.fault("hubspot", "token", 1, Fault::NumbersAsTexts).unwrap();
    world.zoo.fault("hubspot", "token", 1, Fault::Without("hub_id".to_owned())).unwrap();
    let pairs = [&own[..], &[("grant_type", "authorization_code"), ("code", back["code"].as_str())]].concat();
    let answer = world.form("https://api.hubapi.com/oauth/v1/token", &[], &pairs).await.json();
    assert_eq!((&answer["expires_in"], answer.get("hub_id")), (&json!("1800"), None));
}

#[tokio::test]
async fn rotation_can_be_switched_off_softened_and_sharpened() {
    let world = World::new().await;
    let token = connected(&world).await;
    world.zoo.fault("notion", "token", 1, Fault::Rotates(false)).unwrap();
    assert_eq!(refresh(&world, &token).await.unwrap().at("/refresh_token"), token);

    let second = refresh(&world, &token).await.unwrap().at("/refresh_token");
    world.zoo.fault("notion", "token", 1, Fault::Grace(60)).unwrap();
    assert_eq!(refresh(&world, &token).await.unwrap().status, 200);
    assert!(world.zoo.is_live("notion", &second));

    world.zoo.fault("notion", "token", 1, Fault::ReuseEndsGrant).unwrap();
    assert_eq!(refresh(&world, &token).await.unwrap().at("/error"), "invalid_grant");
    assert!(!world.zoo.is_live("notion", &second));
}

#[tokio::test]
async fn a_providers_clock_can_be_wrong() {
    let world = World::new().await;
    let back = world.consent("https://app.hubspot.com/oauth/authorize", &[("scope", "oauth")]).await;
    let pairs = [
        ("client_id", "zoo-client"),
        ("client_secret", "zoo-secret"),
        ("redirect_uri", BACK),
        ("grant_type", "authorization_code"),
        ("code", back["code"].as_str()),
    ];
    world.zoo.fault("hubspot", "token", 1, Fault::ClockAhead(3600)).unwrap();
    let answer = world.form("https://api.hubapi.com/oauth/v1/token", &[], &pairs).await;
    assert_eq!(answer.at("/status"), "BAD_AUTH_CODE"); // to that clock the code has expired
    let usual = world.form("https://api.hubapi.com/oauth/v1/token", &[], &pairs).await;
    assert_ne!(answer.headers["date"], usual.headers["date"]);
    assert_eq!(usual.status, 200);
}

#[tokio::test]
async fn a_person_can_refuse() {
    let world = World::new().await;
    world.zoo.fault("instagram", "authorize", 1, Fault::Deny).unwrap();
    let wanted = [("response_type", "code"), ("scope", "instagram_business_basic")];
    let back = world.consent("https://www.instagram.com/oauth/authorize", &wanted).await;
    assert_eq!(
        (back["error"].as_str(), back["error_reason"].as_str(), back.get("code")),
        ("access_denied", "user_denied", None)
    );
    world.zoo.fault("instagram", "authorize", 1, Fault::AuthorizationError("server_error".to_owned())).unwrap();
    assert_eq!(world.consent("https://www.instagram.com/oauth/authorize", &wanted).await["error"], "server_error");
}

#[tokio::test]
async fn a_slow_answer_comes_whole() {
    let world = World::new().await;
    world.zoo.fault("sendgrid", "scopes", 1, Fault::Slow(50)).unwrap();
    let answer = world.get("https://api.sendgrid.com/v3/scopes", &[("authorization", "Bearer SG.zoo.key")]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_fault_needs_an_endpoint() {
    let world = World::new().await;
    let said =
        |id: &str, endpoint: &str| world.zoo.fault(id, endpoint, 1, Fault::Cut).map_err(|error| error.to_string());
    assert_eq!(said("notion", "nothing"), Err("notion has no endpoint nothing".to_owned()));
    assert_eq!(said("nobody", "token"), Err("there is no provider nobody".to_owned()));
}
