//! Each class of provider that the zoo plays.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    digest, hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use zoo::Client;

use crate::client::{BACK, World, basic, encode};

const SLACK: &str = "https://slack.com/oauth/v2/authorize";
const SLACK_TOKEN: &str = "https://slack.com/api/oauth.v2.access";

#[tokio::test]
async fn slack_refuses_with_status_200_and_nests_what_it_tells() {
    let world = World::new().await;
    let back = world.consent(SLACK, &[("scope", "channels:read,chat:write")]).await;
    assert_eq!(back["state"], "s1");
    let pairs =
        [("client_id", "zoo-client"), ("client_secret", "zoo-secret"), ("code", &back["code"]), ("redirect_uri", BACK)];
    let tokens = world.form(SLACK_TOKEN, &[], &pairs).await;
    assert_eq!(
        (tokens.at("/scope").as_str(), tokens.at("/authed_user/id").as_str()),
        ("channels:read,chat:write", "U0ZOOALICE")
    );
    assert_eq!(tokens.json().get("refresh_token"), None);
    assert_eq!(tokens.json().get("expires_in"), None);

    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let identity = world.form("https://slack.com/api/auth.test", &[("authorization", &bearer)], &[]).await;
    assert_eq!(identity.at("/team_id"), "T0ZOO");

    let again = world.form(SLACK_TOKEN, &[], &pairs).await;
    assert_eq!((again.status, again.at("/error").as_str()), (200, "code_already_used"));
    let ended = world.form("https://slack.com/api/auth.test", &[("authorization", &bearer)], &[]).await;
    assert_eq!(ended.at("/error"), "invalid_auth"); // RFC 6749 §4.1.2: the tokens of a code that came twice are revoked
    assert_eq!(
        world.log(),
        ["token: the code was used before", "auth.test: the access token is unknown or was revoked"]
    );

    let spaces = world
        .get(
            &format!("{SLACK}?{}", encode(&[("client_id", "zoo-client"), ("redirect_uri", BACK), ("scope", "a b")])),
            &[],
        )
        .await;
    assert_eq!(spaces.at("/ok"), "false");
    assert_eq!(world.log(), ["authorize: scope a b is none of those that are documented"]);
}

#[tokio::test]
async fn a_clients_setting_switches_slacks_rotation_on() {
    let world = World::new().await;
    let client = Client {
        id: "r".to_owned(),
        secret: Some("s".to_owned()),
        redirect_uris: vec![BACK.to_owned()],
        settings: vec!["token_rotation".to_owned()],
        ..Client::default()
    };
    world.zoo.register_client("slack", client).unwrap();
    let url = format!("{SLACK}?{}", encode(&[("client_id", "r"), ("redirect_uri", BACK), ("scope", "channels:read")]));
    let code = world.get(&url, &[]).await.back()["code"].clone();
    let own = [("client_id", "r"), ("client_secret", "s")];
    let first =
        world.form(SLACK_TOKEN, &[], &[&own[..], &[("code", code.as_str()), ("redirect_uri", BACK)]].concat()).await;
    assert_eq!(first.at("/expires_in"), "43200");
    let old = first.at("/refresh_token");
    let refresh = [&own[..], &[("grant_type", "refresh_token"), ("refresh_token", old.as_str())]].concat();
    let second = world.form(SLACK_TOKEN, &[], &refresh).await;
    assert_ne!(second.at("/refresh_token"), old);
    let third = world.form(SLACK_TOKEN, &[], &refresh).await;
    assert_eq!(third.at("/error"), "invalid_refresh_token");
    let unregistered =
        encode(&[("client_id", "r"), ("redirect_uri", "https://other.example/"), ("scope", "channels:read")]);
    assert_eq!(world.get(&format!("{SLACK}?{unregistered}"), &[]).await.at("/error"), "bad_redirect_uri");
}

#[tokio::test]
async fn hubspot_keeps_its_refresh_token_and_takes_forms_alone() {
    let world = World::new().await;
    let token = "https://api.hubapi.com/oauth/2026-03/token";
    let back =
        world.consent("https://app.hubspot.com/oauth/authorize", &[("scope", "oauth crm.objects.contacts.read")]).await;
    let own = [("client_id", "zoo-client"), ("client_secret", "zoo-secret")];
    let redeem =
        [&own[..], &[("grant_type", "authorization_code"), ("code", back["code"].as_str()), ("redirect_uri", BACK)]]
            .concat();

    let as_json = world.post_json(token, &[], &json!({ "grant_type": "authorization_code" })).await;
    assert_eq!((as_json.status, as_json.at("/category").as_str()), (400, "VALIDATION_ERROR"));
    let as_basic = world.form(token, &[("authorization", &basic())], &redeem[2..]).await;
    assert_eq!((as_basic.status, as_basic.at("/status").as_str()), (400, "BAD_CLIENT_SECRET"));
    assert_eq!(
        world.log(),
        [
            "token: Content-Type has to be application/x-www-form-urlencoded, was application/json",
            "token: the client has to authenticate by ClientSecretPost, was an Authorization header with Basic",
        ]
    );

    let tokens = world.form(token, &[], &redeem).await;
    assert_eq!(tokens.json()["scopes"], json!(["oauth", "crm.objects.contacts.read"]));
    let refresh_token = tokens.at("/refresh_token");
    let refresh = [&own[..], &[("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())]].concat();
    assert_eq!(world.form(token, &[], &refresh).await.at("/refresh_token"), refresh_token);

    world.zoo.advance(1801);
    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let details = world.get("https://api.hubapi.com/account-info/v3/details", &[("authorization", &bearer)]).await;
    assert_eq!((details.status, details.at("/category").as_str()), (401, "EXPIRED_AUTHENTICATION"));
    let in_path = world.form(token, &[], &refresh).await.at("/access_token");
    let metadata = world.get(&format!("https://api.hubapi.com/oauth/v1/access-tokens/{in_path}"), &[]).await;
    assert_eq!(metadata.at("/hub_id"), "62515");

    let revoke = "https://api.hubapi.com/oauth/2026-03/token/revoke";
    assert_eq!(world.form(revoke, &[], &[&own[..], &[("token", refresh_token.as_str())]].concat()).await.status, 200);
    assert!(!world.zoo.is_live("hubspot", &refresh_token));
    assert!(world.zoo.is_live("hubspot", &in_path)); // the refresh token alone is deleted
}

#[tokio::test]
async fn salesforce_tells_its_instance_and_no_expiry() {
    let world = World::new().await;
    let verifier = "v".repeat(50);
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    let pkce = [("response_type", "code"), ("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let url = "https://login.salesforce.com/services/oauth2/authorize";
    let token = "https://login.salesforce.com/services/oauth2/token";

    let without = world.consent(url, &[&pkce[..], &[("scope", "api")]].concat()).await;
    let redeem = |code: &str, verifier: &str| {
        encode(&[
            ("grant_type", "authorization_code"),
            ("client_id", "zoo-client"),
            ("client_secret", "zoo-secret"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", verifier),
        ])
    };
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let wrong = world.send("POST", token, &form, redeem(&without["code"], "other")).await;
    assert_eq!(wrong.at("/error"), "invalid_grant");
    assert_eq!(world.log(), ["token: code_verifier does not match code_challenge"]);
    let tokens = world.send("POST", token, &form, redeem(&without["code"], &verifier)).await;
    assert_eq!(tokens.json().get("refresh_token"), None);
    assert_eq!(tokens.json().get("expires_in"), None);
    assert!(tokens.json()["issued_at"].is_string());
    assert_eq!(tokens.at("/instance_url"), "https://zoo.my.salesforce.com");

    let offline = world.consent(url, &[&pkce[..], &[("scope", "api refresh_token")]].concat()).await;
    let tokens = world.send("POST", token, &form, redeem(&offline["code"], &verifier)).await;
    assert!(!tokens.at("/refresh_token").is_empty());
    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let data =
        world.get("https://zoo.my.salesforce.com/services/data/v60.0/query", &[("authorization", &bearer)]).await;
    assert_eq!(data.at("/done"), "true");
}

#[tokio::test]
async fn github_answers_by_a_form_unless_asked_for_json_and_wants_a_user_agent() {
    let world = World::new().await;
    let url = "https://github.com/login/oauth/authorize";
    let token = "https://github.com/login/oauth/access_token";
    let own = [("client_id", "zoo-client"), ("client_secret", "zoo-secret")];
    let back = world.consent(url, &[("scope", "read:user repo")]).await;
    let as_form = world.form(token, &[], &[&own[..], &[("code", back["code"].as_str())]].concat()).await;
    assert!(as_form.text.contains("scope=read%3Auser%2Crepo"), "{}", as_form.text);
    let back = world.consent(url, &[("scope", "read:user repo")]).await;
    let accept = [("accept", "application/json")];
    let tokens = world.form(token, &accept, &[&own[..], &[("code", back["code"].as_str())]].concat()).await;
    assert_eq!(tokens.at("/scope"), "read:user,repo");
    let unknown = world.form(token, &accept, &[&own[..], &[("code", "unknown")]].concat()).await;
    assert_eq!((unknown.status, unknown.at("/error").as_str()), (200, "bad_verification_code"));

    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let anonymous = world.get("https://api.github.com/user", &[("authorization", &bearer)]).await;
    assert_eq!(anonymous.status, 403);
    let user = world.get("https://api.github.com/user", &[("authorization", &bearer), ("user-agent", "tests")]).await;
    assert_eq!(user.at("/login"), "alice");

    let revoke = "https://api.github.com/applications/zoo-client/grant";
    let headers = [
        ("authorization", basic()),
        ("user-agent", "tests".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = json!({ "access_token": tokens.at("/access_token") }).to_string();
    assert_eq!(world.send("DELETE", revoke, &headers, body).await.status, 204);
    assert!(!world.zoo.is_live("github", &tokens.at("/access_token")));
}

#[tokio::test]
async fn githubs_device_is_told_to_wait_and_to_slow_down() {
    let world = World::new().await;
    let accept = [("accept", "application/json")];
    let started = world.form("https://github.com/login/device/code", &accept, &[("client_id", "zoo-client")]).await;
    let device_code = started.at("/device_code");
    let poll = [
        ("client_id", "zoo-client"),
        ("device_code", device_code.as_str()),
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
    ];
    let token = "https://github.com/login/oauth/access_token";
    let mut errors = Vec::new();
    for seconds in [0, 5, 5] {
        world.zoo.advance(seconds);
        let polled = world.form(token, &accept, &poll).await;
        errors.push(polled.json()["error"].as_str().unwrap_or("tokens").to_owned());
    }
    assert_eq!(errors, ["slow_down", "authorization_pending", "tokens"]);
}

#[tokio::test]
async fn githubs_app_signs_for_an_installation() {
    let world = World::new().await;
    let key = Key::new();
    let client = Client { id: "app".to_owned(), public_keys: vec![key.public()], ..Client::default() };
    world.zoo.register_client("github-app", client).unwrap();
    let url = "https://api.github.com/app/installations/7/access_tokens";
    let now = now();
    for (lifetime, status) in [(600, 201), (1200, 401)] {
        let bearer = format!("Bearer {}", key.sign(&json!({ "iss": "app", "iat": now, "exp": now + lifetime })));
        let issued =
            world.send("POST", url, &[("authorization", &bearer), ("user-agent", "tests")], String::new()).await;
        assert_eq!(issued.status, status, "{lifetime}");
    }
    assert_eq!(world.log(), ["installation_token: the JWT may be valid for 600 seconds at most"]);
}

#[tokio::test]
async fn notion_takes_json_and_basic_and_rotates() {
    let world = World::new().await;
    let url = "https://api.notion.com/v1/oauth/authorize";
    let token = "https://api.notion.com/v1/oauth/token";
    let without_owner = world.consent(url, &[("response_type", "code")]).await;
    assert_eq!(without_owner["error"], "invalid_request");
    assert_eq!(world.log(), ["authorize: parameter owner has to be user, was absent"]);

    let back = world.consent(url, &[("response_type", "code"), ("owner", "user")]).await;
    let redeem = json!({ "grant_type": "authorization_code", "code": back["code"], "redirect_uri": BACK });
    let in_body = world.post_json(token, &[], &redeem).await;
    assert_eq!((in_body.status, in_body.at("/error").as_str()), (401, "invalid_client"));
    let tokens = world.post_json(token, &[("authorization", &basic())], &redeem).await;
    assert_eq!(tokens.at("/owner/user/person/email"), "alice@zoo.example");

    let refresh = json!({ "grant_type": "refresh_token", "refresh_token": tokens.at("/refresh_token") });
    assert_eq!(world.post_json(token, &[("authorization", &basic())], &refresh).await.status, 200);
    assert_eq!(world.post_json(token, &[("authorization", &basic())], &refresh).await.at("/error"), "invalid_grant");

    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let me = "https://api.notion.com/v1/users/me";
    assert_eq!(world.get(me, &[("authorization", &bearer)]).await.at("/code"), "missing_version");
    let answer = world.get(me, &[("authorization", &bearer), ("notion-version", "2022-06-28")]).await;
    assert_eq!(answer.at("/bot/owner/user/person/email"), "alice@zoo.example");
}

#[tokio::test]
async fn shopify_signs_the_way_back_and_lives_at_the_shops_host() {
    let world = World::new().await;
    let back = world
        .consent("https://acme.myshopify.com/admin/oauth/authorize", &[("scope", "read_products,read_orders")])
        .await;
    assert_eq!(back["shop"], "acme.myshopify.com");
    let signed: Vec<String> =
        back.iter().filter(|(name, _)| *name != "hmac").map(|(name, value)| format!("{name}={value}")).collect();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"zoo-secret"), signed.join("&").as_bytes());
    let hex: Vec<String> = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(back["hmac"], hex.concat());

    let own = json!({ "client_id": "zoo-client", "client_secret": "zoo-secret", "code": back["code"] });
    let elsewhere = world.post_json("https://other.myshopify.com/admin/oauth/access_token", &[], &own).await;
    assert_eq!(elsewhere.at("/error"), "invalid_request");
    let tokens = world.post_json("https://acme.myshopify.com/admin/oauth/access_token", &[], &own).await;
    assert_eq!(tokens.json().as_object().unwrap().len(), 2, "{}", tokens.text);

    let header = [("x-shopify-access-token", tokens.at("/access_token"))];
    let header: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let shop = world.get("https://acme.myshopify.com/admin/api/2025-10/shop.json", &header).await;
    assert_eq!(shop.at("/shop/myshopify_domain"), "acme.myshopify.com");

    let back = world.consent("https://acme.myshopify.com/admin/oauth/authorize", &[("scope", "read_products")]).await;
    let expiring =
        json!({ "client_id": "zoo-client", "client_secret": "zoo-secret", "code": back["code"], "expiring": 1 });
    let tokens = world.post_json("https://acme.myshopify.com/admin/oauth/access_token", &[], &expiring).await;
    assert_eq!(
        (tokens.at("/expires_in").as_str(), tokens.at("/refresh_token_expires_in").as_str()),
        ("3600", "7776000")
    );
}

#[tokio::test]
async fn quickbooks_names_the_company_on_the_way_back_and_keeps_yesterdays_refresh_token() {
    let world = World::new().await;
    let token = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer";
    let wanted = [("response_type", "code"), ("scope", "com.intuit.quickbooks.accounting")];
    let back = world.consent("https://appcenter.intuit.com/connect/oauth2", &wanted).await;
    assert_eq!(back["realmId"], "4620816365000000001");
    let headers = [("authorization", basic()), ("accept", "application/json".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let redeem = [("grant_type", "authorization_code"), ("code", back["code"].as_str()), ("redirect_uri", BACK)];
    assert_eq!(world.form(token, &headers[..1], &redeem).await.status, 400);
    assert_eq!(world.log(), ["token: header Accept has to contain application/json"]);
    let tokens = world.form(token, &headers, &redeem).await;
    let first = tokens.at("/refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", first.as_str())];
    assert_ne!(world.form(token, &headers, &refresh).await.at("/refresh_token"), first);
    assert_eq!(world.form(token, &headers, &refresh).await.status, 200);
    world.zoo.advance(86_401);
    assert_eq!(world.form(token, &headers, &refresh).await.at("/error"), "invalid_grant");

    let back = world.consent("https://appcenter.intuit.com/connect/oauth2", &wanted).await;
    let redeem = [("grant_type", "authorization_code"), ("code", back["code"].as_str()), ("redirect_uri", BACK)];
    let tokens = world.form(token, &headers, &redeem).await;
    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let other = "https://quickbooks.api.intuit.com/v3/company/1/companyinfo/1";
    assert_eq!(world.get(other, &[("authorization", &bearer)]).await.status, 401);
    let own = "https://quickbooks.api.intuit.com/v3/company/4620816365000000001/companyinfo/1";
    assert_eq!(world.get(own, &[("authorization", &bearer)]).await.status, 200);
}

#[tokio::test]
async fn google_gives_a_refresh_token_once_unless_asked_again() {
    let world = World::new().await;
    let url = "https://accounts.google.com/o/oauth2/v2/auth";
    let token = "https://oauth2.googleapis.com/token";
    let scope = "openid https://www.googleapis.com/auth/gmail.readonly";
    let mut got = Vec::new();
    for more in [
        &[("access_type", "online")][..],
        &[("access_type", "offline")],
        &[("access_type", "offline"), ("prompt", "consent")],
    ] {
        let back = world.consent(url, &[&[("response_type", "code"), ("scope", scope)], more].concat()).await;
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", "zoo-client"),
            ("client_secret", "zoo-secret"),
            ("code", back["code"].as_str()),
            ("redirect_uri", BACK),
        ];
        let tokens = world.form(token, &[], &pairs).await;
        assert_eq!(tokens.at("/id_token").split('.').count(), 3);
        got.push(!tokens.at("/refresh_token").is_empty());
        let bearer = format!("Bearer {}", tokens.at("/access_token"));
        let drive =
            world.get("https://www.googleapis.com/drive/v3/about?fields=user", &[("authorization", &bearer)]).await;
        assert_eq!((drive.status, drive.at("/error/status").as_str()), (403, "PERMISSION_DENIED"));
        let gmail =
            world.get("https://gmail.googleapis.com/gmail/v1/users/me/profile", &[("authorization", &bearer)]).await;
        assert_eq!(gmail.at("/emailAddress"), "alice@zoo.example");
    }
    assert_eq!(got, [false, false, true]);
    world.zoo.consent_as("google-drive", "bob").unwrap(); // of the same family
    let back = world.consent(url, &[("response_type", "code"), ("scope", scope), ("access_type", "offline")]).await;
    assert_eq!(back["scope"], scope);
}

#[tokio::test]
async fn a_service_account_signs_its_assertion() {
    let world = World::new().await;
    let key = Key::new();
    let id = "robot@zoo.iam.gserviceaccount.com";
    let client = Client { id: id.to_owned(), public_keys: vec![key.public()], ..Client::default() };
    world.zoo.register_client("gmail", client).unwrap();
    let good = json!({ "iss": id, "aud": "https://oauth2.googleapis.com/token", "exp": now() + 3600, "scope": "a b" });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        key.sign(&claims)
    };
    let table = [
        (key.sign(&good), "fine"),
        (Key::new().sign(&good), "token: the assertion is not signed by a registered key"),
        (
            with("aud", "https://a.example".into()),
            "token: the assertion has to have aud https://oauth2.googleapis.com/token",
        ),
        (with("exp", (now() - 1).into()), "token: the assertion has expired"),
        (with("iss", "other".into()), "token: the assertion is of a client that is not known"),
    ];
    for (assertion, expected) in table {
        let pairs = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
        world.form("https://oauth2.googleapis.com/token", &[], &pairs).await;
        assert_eq!(world.log().pop().unwrap_or("fine".to_owned()), expected);
    }
}

#[tokio::test]
async fn instagrams_token_becomes_a_long_one_that_is_renewed_by_itself() {
    let world = World::new().await;
    let wanted = [("response_type", "code"), ("scope", "instagram_business_basic")];
    let pairs = [&[("client_id", "zoo-client"), ("redirect_uri", BACK)], &wanted[..]].concat();
    let answer = world.get(&format!("https://www.instagram.com/oauth/authorize?{}", encode(&pairs)), &[]).await;
    assert!(answer.headers["location"].ends_with("#_"));
    let pairs = [
        ("client_id", "zoo-client"),
        ("client_secret", "zoo-secret"),
        ("grant_type", "authorization_code"),
        ("redirect_uri", BACK),
        ("code", &answer.back()["code"]),
    ];
    let short =
        world.form("https://api.instagram.com/oauth/access_token", &[], &pairs).await.at("/data/0/access_token");
    let graph = "https://graph.instagram.com";
    let exchange = |token: &str| {
        let pairs = [("grant_type", "ig_exchange_token"), ("client_secret", "zoo-secret"), ("access_token", token)];
        format!("{graph}/access_token?{}", encode(&pairs))
    };
    let renew = |token: &str| {
        format!(
            "{graph}/refresh_access_token?{}",
            encode(&[("grant_type", "ig_refresh_token"), ("access_token", token)])
        )
    };
    let long = world.get(&exchange(&short), &[]).await;
    assert_eq!(long.at("/expires_in"), "5183944");
    let long = long.at("/access_token");
    assert_eq!(world.get(&renew(&short), &[]).await.status, 400);
    assert_eq!(world.get(&renew(&long), &[]).await.status, 400);
    assert_eq!(
        world.log(),
        [
            "refresh: access_token has to be a token of the kind long, was of the kind short",
            "refresh: access_token has to be 86400 seconds old",
        ]
    );
    world.zoo.advance(86_400);
    let renewed = world.get(&renew(&long), &[]).await.at("/access_token");
    assert_eq!(world.get(&format!("{graph}/me?access_token={renewed}"), &[]).await.at("/username"), "alice.zoo");
    assert_eq!(world.get(&exchange(&short), &[]).await.status, 400); // its hour is over
}

#[tokio::test]
async fn trello_goes_the_three_legs_and_checks_each_signature() {
    let world = World::new().await;
    let request = signed("https://trello.com/1/OAuthGetRequestToken", "n1", "", &[("oauth_callback", BACK)]);
    let temporary = pairs_of(&world.get(&request, &[]).await.text);
    assert_eq!(temporary["oauth_callback_confirmed"], "true");
    let (token, secret) = (temporary["oauth_token"].clone(), temporary["oauth_token_secret"].clone());
    let page = encode(&[("oauth_token", &token), ("scope", "read,write"), ("expiration", "never"), ("name", "Zoo")]);
    let back = world.get(&format!("https://trello.com/1/OAuthAuthorizeToken?{page}"), &[]).await.back();
    let own = [("oauth_token", token.as_str()), ("oauth_verifier", back["oauth_verifier"].as_str())];
    let access = "https://trello.com/1/OAuthGetAccessToken";
    assert_eq!(world.get(&signed(access, "n2", "wrong", &own), &[]).await.status, 400);
    let redeem = signed(access, "n3", &secret, &own);
    let granted = pairs_of(&world.get(&redeem, &[]).await.text);
    assert_eq!(world.get(&redeem, &[]).await.status, 400);
    assert_eq!(
        world.log(),
        ["access_token: oauth_signature is wrong", "access_token: oauth_token is unknown, has expired or was used"]
    );

    let me = "https://api.trello.com/1/members/me";
    let by_signature = signed(me, "n4", &granted["oauth_token_secret"], &[("oauth_token", &granted["oauth_token"])]);
    assert_eq!(world.get(&by_signature, &[]).await.at("/username"), "alicezoo");
    assert_eq!(world.get(&by_signature, &[]).await.status, 401); // the nonce was used
    let by_query = encode(&[("key", "zoo-client"), ("token", &granted["oauth_token"])]);
    assert_eq!(world.get(&format!("{me}?{by_query}"), &[]).await.at("/username"), "alicezoo");
    let by_other = encode(&[("key", "other"), ("token", &granted["oauth_token"])]);
    assert_eq!(world.get(&format!("{me}?{by_other}"), &[]).await.status, 401);
}

#[tokio::test]
async fn zoom_serves_its_own_account_without_a_person() {
    let world = World::new().await;
    let token = "https://zoom.us/oauth/token";
    let header = [("authorization", basic())];
    let header: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let good = encode(&[("grant_type", "account_credentials"), ("account_id", "zooAccount000000000000")]);
    let tokens = world.send("POST", &format!("{token}?{good}"), &header, String::new()).await;
    assert_eq!(tokens.at("/api_url"), "https://api.zoom.us");
    assert_eq!(tokens.json().get("refresh_token"), None);
    let other = world.form(token, &header, &[("grant_type", "account_credentials"), ("account_id", "other")]).await;
    assert_eq!((other.status, other.at("/reason").as_str()), (400, "Bad Request"));
    let standard = world.form(token, &header, &[("grant_type", "client_credentials")]).await;
    assert_eq!(standard.at("/error"), "unsupported_grant_type");
}

#[tokio::test]
async fn amazon_asks_for_consent_by_the_applications_id_and_names_its_code() {
    let world = World::new().await;
    let page = "https://sellercentral.amazon.com/apps/authorize/consent";
    let by_client = world.get(&format!("{page}?{}", encode(&[("client_id", "zoo-client"), ("state", "s")])), &[]).await;
    assert_eq!(by_client.status, 400);
    assert_eq!(world.log(), ["authorize: parameter application_id is missing"]);

    let asked = encode(&[("application_id", "amzn1.sp.solution.zoo"), ("redirect_uri", BACK), ("state", "s")]);
    let back = world.get(&format!("{page}?{asked}"), &[]).await.back();
    assert_eq!(back["selling_partner_id"], "A3FHZOOALICE");
    let own = [("client_id", "zoo-client"), ("client_secret", "zoo-secret"), ("redirect_uri", BACK)];
    let redeem = [&own[..], &[("grant_type", "authorization_code"), ("code", &back["spapi_oauth_code"])]].concat();
    let tokens = world.form("https://api.amazon.com/auth/o2/token", &[], &redeem).await;
    let call = "https://sellingpartnerapi-eu.amazon.com/sellers/v1/marketplaceParticipations";
    let access_token = tokens.at("/access_token");
    let headers = [("x-amz-access-token", access_token.as_str()), ("user-agent", "Zoo/1.0 (Language=Rust)")];
    assert_eq!(world.get(call, &headers).await.at("/payload/0/marketplace/id"), "ATVPDKIKX0DER");
    assert_eq!(world.get(call, &[("authorization", &format!("Bearer {access_token}"))]).await.status, 403);
}

#[tokio::test]
async fn bamboo_reads_what_is_asked_of_a_script_from_the_query() {
    let world = World::new().await;
    let consent = "https://zoo.bamboohr.com/authorize.php";
    let asked = [("request", "authorize"), ("response_type", "code"), ("scope", "employee offline_access")];
    let code = world.consent(consent, &asked).await["code"].clone();
    let own = [("client_id", "zoo-client"), ("client_secret", "zoo-secret"), ("redirect_uri", BACK)];
    let redeem =
        [&own[..], &[("grant_type", "authorization_code"), ("code", code.as_str()), ("request", "token")]].concat();
    assert_eq!(world.form("https://zoo.bamboohr.com/token.php", &[], &redeem).await.status, 400);
    assert_eq!(world.log(), ["token: query parameter request has to be token, was absent"]);
    let token = "https://zoo.bamboohr.com/token.php?request=token";
    let tokens = world.form(token, &[], &redeem[..5]).await;
    assert_eq!(tokens.at("/companyDomain"), "zoo");
    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let elsewhere = "https://otherzoo.bamboohr.com/api/v1/employees/0";
    assert_eq!(world.get(elsewhere, &[("authorization", &bearer)]).await.status, 403);
}

#[tokio::test]
async fn zohos_code_is_good_in_the_accounts_own_data_centre_alone() {
    let world = World::new().await;
    let asked = [
        ("response_type", "code"),
        ("scope", "ZohoCRM.users.READ,ZohoCRM.modules.READ"),
        ("access_type", "offline"),
        ("prompt", "consent"),
    ];
    let back = world.consent("https://accounts.zoho.com/oauth/v2/auth", &asked).await;
    let own = [("client_id", "zoo-client"), ("client_secret", "zoo-secret"), ("redirect_uri", BACK)];
    let redeem = [&own[..], &[("grant_type", "authorization_code"), ("code", &back["code"])]].concat();
    let elsewhere = world.form("https://accounts.zoho.com/oauth/v2/token", &[], &redeem).await;
    assert_eq!((elsewhere.status, elsewhere.at("/error").as_str()), (200, "invalid_code"));
    let tokens = world.form(&format!("{}/oauth/v2/token", back["accounts-server"]), &[], &redeem).await;
    assert_eq!(tokens.at("/scope"), "ZohoCRM.users.READ ZohoCRM.modules.READ");
    let users = format!("{}/crm/v8/users?type=CurrentUser", tokens.at("/api_domain"));
    let token = format!("Zoho-oauthtoken {}", tokens.at("/access_token"));
    assert_eq!(world.get(&users, &[("authorization", &token)]).await.at("/users/0/zuid"), "20070001");
}

#[tokio::test]
async fn square_revokes_with_the_secret_in_a_scheme_of_its_own() {
    let world = World::new().await;
    let asked = [("scope", "MERCHANT_PROFILE_READ"), ("session", "false")];
    let code = world.consent("https://connect.squareup.com/oauth2/authorize", &asked).await["code"].clone();
    let redeem = json!({
        "client_id": "zoo-client", "client_secret": "zoo-secret", "grant_type": "authorization_code", "code": code,
    });
    let tokens = world.post_json("https://connect.squareup.com/oauth2/token", &[], &redeem).await;
    assert_eq!(tokens.at("/merchant_id"), "QPTXM8PQNX3Q7");
    let access_token = tokens.at("/access_token");
    let revoke = "https://connect.squareup.com/oauth2/revoke";
    let body = json!({ "client_id": "zoo-client", "access_token": access_token });
    assert_eq!(world.post_json(revoke, &[("authorization", &basic())], &body).await.status, 401);
    let done = world.post_json(revoke, &[("authorization", "Client zoo-secret")], &body).await;
    assert_eq!(done.at("/success"), "true");
    assert!(!world.zoo.is_live("square", &access_token));
    assert!(!world.zoo.is_live("square", &tokens.at("/refresh_token")));
}

#[tokio::test]
async fn bill_logs_in_and_wants_both_headers() {
    let world = World::new().await;
    let login = "https://gateway.prod.bill.com/connect/v3/login";
    let body = |password: &str| json!({ "username": "alice@zoo.example", "password": password, "organizationId": "00801ZOO", "devKey": "zoo-dev-key" });
    let wrong = world.post_json(login, &[], &body("wrong")).await;
    assert_eq!((wrong.status, wrong.at("/0/code").as_str()), (401, "BDC_1101"));
    let session = world.post_json(login, &[], &body("zoo-password")).await.at("/sessionId");
    let check = "https://gateway.prod.bill.com/connect/v3/login/session";
    assert_eq!(world.get(check, &[("sessionid", &session)]).await.at("/0/code"), "BDC_1102");
    let headers = [("sessionid", session.as_str()), ("devkey", "zoo-dev-key")];
    assert_eq!(world.get(check, &headers).await.at("/organizationId"), "00801ZOO");
    world.zoo.advance(2101);
    assert_eq!(world.get(check, &headers).await.at("/0/code"), "BDC_1109");
}

#[tokio::test]
async fn keys_are_those_that_are_registered() {
    let world = World::new().await;
    let scopes = "https://api.sendgrid.com/v3/scopes";
    assert_eq!(world.get(scopes, &[("authorization", "Bearer SG.zoo.key")]).await.status, 200);
    assert_eq!(world.get(scopes, &[("authorization", "Bearer SG.other")]).await.status, 401);
    world.zoo.register_key("sendgrid", &[("api_key", "SG.other")]).unwrap();
    assert_eq!(world.get(scopes, &[("authorization", "Bearer SG.other")]).await.status, 200);
    assert_eq!(world.get(scopes, &[("authorization", "SG.other")]).await.status, 401);
    assert_eq!(
        world.log(),
        ["scopes: no registered key has this api_key", "scopes: header Authorization has to be Bearer ${key.api_key}"]
    );

    let account = "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000000.json";
    let with = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let table = [
        (with("AC00000000000000000000000000000000", "zoo-auth-token"), 200),
        (with("SK00000000000000000000000000000000", "zoo-key-secret"), 200),
        (with("AC00000000000000000000000000000000", "zoo-key-secret"), 401),
    ];
    for (header, status) in table {
        assert_eq!(world.get(account, &[("authorization", &header)]).await.status, status);
    }
}

/// A request that is signed in its query (RFC 5849 §3.4).
fn signed(url: &str, nonce: &str, token_secret: &str, more: &[(&str, &str)]) -> String {
    let timestamp = now().to_string();
    let mut pairs = vec![
        ("oauth_consumer_key", "zoo-client"),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &timestamp),
        ("oauth_version", "1.0"),
    ];
    pairs.extend(more);
    pairs.sort_unstable();
    let escape = |text: &str| {
        let encoded = url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        encoded.replace('+', "%20").replace('*', "%2A").replace("%7E", "~")
    };
    let joined: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    let base = format!("GET&{}&{}", escape(url), escape(&joined.join("&")));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, format!("zoo-secret&{token_secret}").as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, base.as_bytes()));
    format!("{url}?{}&oauth_signature={}", joined.join("&"), escape(&signature))
}

fn pairs_of(form: &str) -> std::collections::BTreeMap<String, String> {
    url::form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

#[expect(clippy::disallowed_methods, reason = "a signature carries the time, and the zoo starts at the system's")]
pub fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// A client's key.
struct Key(EcdsaKeyPair);

impl Key {
    #[expect(clippy::disallowed_methods, reason = "a key of a test")]
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
    }

    fn public(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    #[expect(clippy::disallowed_methods, reason = "a signature of a test")]
    fn sign(&self, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&json!({ "alg": "ES256" })), encode(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
