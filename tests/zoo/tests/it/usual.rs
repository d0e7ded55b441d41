//! Providers whose exchange is nearly the usual one: each is gone through as documented, and nothing is refused. What
//! is peculiar to one is tried on its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::client::{Answer, BACK, World, basic, encode};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const STATE: &str = "a-state-of-more-than-sixteen-characters";

type Pairs = &'static [(&'static str, &'static str)];

/// How the client proves itself, and how the body is written.
#[derive(Clone, Copy)]
enum Way {
    Basic,
    Post,
    Json,
}

/// What a refresh does with the refresh token.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Refresh {
    Never,
    Keeps,
    Rotates,
}

struct Usual {
    provider: &'static str,
    client_id: &'static str,
    authorize: &'static str,
    asked: Pairs,
    pkce: bool,
    token: &'static str,
    way: Way,
    refresh: Refresh,
    refresh_at: Option<&'static str>,
    scheme: &'static str,
    call: &'static str,
    headers: Pairs,
    query: Option<&'static str>,
    proof: (&'static str, &'static str),
}

const USUAL: Usual = Usual {
    provider: "",
    client_id: "client_id",
    authorize: "",
    asked: &[],
    pkce: true,
    token: "",
    way: Way::Post,
    refresh: Refresh::Rotates,
    refresh_at: None,
    scheme: "Bearer",
    call: "",
    headers: &[],
    query: None,
    proof: ("", ""),
};

const ALL: [Usual; 16] = [
    Usual {
        provider: "gitlab",
        authorize: "https://gitlab.com/oauth/authorize",
        asked: &[("response_type", "code"), ("scope", "read_user openid")],
        token: "https://gitlab.com/oauth/token",
        call: "https://gitlab.com/api/v4/user",
        proof: ("/username", "alice"),
        ..USUAL
    },
    Usual {
        provider: "xero",
        authorize: "https://login.xero.com/identity/connect/authorize",
        asked: &[("response_type", "code"), ("scope", "openid offline_access accounting.settings.read")],
        token: "https://identity.xero.com/connect/token",
        way: Way::Basic,
        call: "https://api.xero.com/connections",
        proof: ("/0/tenantType", "ORGANISATION"),
        ..USUAL
    },
    Usual {
        provider: "zendesk",
        authorize: "https://zoo.zendesk.com/oauth/authorizations/new",
        asked: &[("response_type", "code"), ("scope", "read write")],
        token: "https://zoo.zendesk.com/oauth/tokens",
        way: Way::Json,
        call: "https://zoo.zendesk.com/api/v2/users/me.json",
        proof: ("/user/email", "alice@zoo.example"),
        ..USUAL
    },
    Usual {
        provider: "intercom",
        authorize: "https://app.intercom.com/oauth",
        token: "https://api.intercom.io/auth/eagle/token",
        refresh: Refresh::Never,
        call: "https://api.intercom.io/me",
        headers: &[("intercom-version", "2.11")],
        proof: ("/app/id_code", "kd6v5n8e"),
        ..USUAL
    },
    Usual {
        provider: "linear",
        authorize: "https://linear.app/oauth/authorize",
        asked: &[("response_type", "code"), ("scope", "read,issues:create")],
        token: "https://api.linear.app/oauth/token",
        call: "https://api.linear.app/graphql",
        query: Some("{ viewer { id } }"),
        proof: ("/data/viewer/email", "alice@zoo.example"),
        ..USUAL
    },
    Usual {
        provider: "asana",
        authorize: "https://app.asana.com/-/oauth_authorize",
        asked: &[("response_type", "code"), ("scope", "users:read")],
        token: "https://app.asana.com/-/oauth_token",
        refresh: Refresh::Keeps,
        call: "https://app.asana.com/api/1.0/users/me",
        proof: ("/data/gid", "4673218951"),
        ..USUAL
    },
    Usual {
        provider: "monday",
        authorize: "https://auth.monday.com/oauth2/authorize",
        asked: &[("scope", "me:read boards:read")],
        token: "https://auth.monday.com/oauth_ms/oauth/token",
        way: Way::Json,
        call: "https://api.monday.com/v2",
        query: Some("{ me { id } }"),
        proof: ("/data/me/id", "4012689"),
        ..USUAL
    },
    Usual {
        provider: "clickup",
        authorize: "https://app.clickup.com/api",
        token: "https://api.clickup.com/api/v2/oauth/token",
        way: Way::Json,
        refresh: Refresh::Never,
        call: "https://api.clickup.com/api/v2/user",
        proof: ("/user/id", "1001"),
        ..USUAL
    },
    Usual {
        provider: "airtable",
        authorize: "https://airtable.com/oauth2/v1/authorize",
        asked: &[("response_type", "code"), ("scope", "user.email:read data.records:read")],
        token: "https://airtable.com/oauth2/v1/token",
        way: Way::Basic,
        call: "https://api.airtable.com/v0/meta/whoami",
        proof: ("/id", "usrZOOALICE00001"),
        ..USUAL
    },
    Usual {
        provider: "figma",
        authorize: "https://www.figma.com/oauth",
        asked: &[("response_type", "code"), ("scope", "current_user:read")],
        token: "https://api.figma.com/v1/oauth/token",
        way: Way::Basic,
        refresh: Refresh::Keeps,
        refresh_at: Some("https://api.figma.com/v1/oauth/refresh"),
        call: "https://api.figma.com/v1/me",
        proof: ("/handle", "Alice Zoo"),
        ..USUAL
    },
    Usual {
        provider: "mailchimp",
        authorize: "https://login.mailchimp.com/oauth2/authorize",
        asked: &[("response_type", "code")],
        token: "https://login.mailchimp.com/oauth2/token",
        refresh: Refresh::Never,
        scheme: "OAuth",
        call: "https://login.mailchimp.com/oauth2/metadata",
        proof: ("/dc", "us6"),
        ..USUAL
    },
    Usual {
        provider: "discord",
        authorize: "https://discord.com/oauth2/authorize",
        asked: &[("response_type", "code"), ("scope", "identify email")],
        token: "https://discord.com/api/oauth2/token",
        way: Way::Basic,
        call: "https://discord.com/api/v10/users/@me",
        headers: &[("user-agent", "DiscordBot (https://app.example, 1)")],
        proof: ("/username", "alice"),
        ..USUAL
    },
    Usual {
        provider: "x",
        authorize: "https://x.com/i/oauth2/authorize",
        asked: &[("response_type", "code"), ("scope", "tweet.read users.read offline.access")],
        token: "https://api.x.com/2/oauth2/token",
        way: Way::Basic,
        call: "https://api.x.com/2/users/me",
        proof: ("/data/username", "alicezoo"),
        ..USUAL
    },
    Usual {
        provider: "linkedin",
        authorize: "https://www.linkedin.com/oauth/v2/authorization",
        asked: &[("response_type", "code"), ("scope", "openid profile email")],
        pkce: false,
        token: "https://www.linkedin.com/oauth/v2/accessToken",
        refresh: Refresh::Never,
        call: "https://api.linkedin.com/v2/userinfo",
        proof: ("/sub", "782bbtaQ01"),
        ..USUAL
    },
    Usual {
        provider: "facebook",
        authorize: "https://www.facebook.com/v25.0/dialog/oauth",
        asked: &[("scope", "public_profile,email")],
        token: "https://graph.facebook.com/v25.0/oauth/access_token",
        refresh: Refresh::Never,
        call: "https://graph.facebook.com/v25.0/me?fields=id,name,email",
        proof: ("/id", "10200000000000001"),
        ..USUAL
    },
    Usual {
        provider: "tiktok",
        client_id: "client_key",
        authorize: "https://www.tiktok.com/v2/auth/authorize/",
        asked: &[("response_type", "code"), ("scope", "user.info.basic,video.list")],
        token: "https://open.tiktokapis.com/v2/oauth/token/",
        call: "https://open.tiktokapis.com/v2/user/info/?fields=open_id",
        proof: ("/error/code", "ok"),
        ..USUAL
    },
];

fn usual(provider: &str) -> &'static Usual {
    ALL.iter().find(|usual| usual.provider == provider).unwrap()
}

impl Usual {
    async fn code(&self, world: &World) -> String {
        let mut pairs = vec![(self.client_id, "zoo-client"), ("redirect_uri", BACK), ("state", STATE)];
        pairs.extend(self.asked);
        if self.pkce {
            pairs.extend([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        }
        let back = world.get(&format!("{}?{}", self.authorize, encode(&pairs)), &[]).await.back();
        assert_eq!(back["state"], STATE, "{}", self.provider);
        back["code"].clone()
    }

    async fn ask(&self, world: &World, url: &str, pairs: &[(&str, &str)]) -> Answer {
        let own = [(self.client_id, "zoo-client"), ("client_secret", "zoo-secret")];
        let all = [&own[..], pairs].concat();
        match self.way {
            Way::Basic => world.form(url, &[("authorization", &basic())], pairs).await,
            Way::Post => world.form(url, &[], &all).await,
            Way::Json => {
                let members = all.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
                world.post_json(url, &[], &Value::Object(members.collect())).await
            }
        }
    }

    async fn redeem(&self, world: &World) -> Answer {
        let code = self.code(world).await;
        let mut pairs = vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", BACK)];
        pairs.extend(self.pkce.then_some(("code_verifier", VERIFIER)));
        self.ask(world, self.token, &pairs).await
    }

    async fn renew(&self, world: &World, refresh_token: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.ask(world, self.refresh_at.unwrap_or(self.token), &pairs).await
    }

    async fn prove(&self, world: &World, access_token: &str) -> Answer {
        let bearer = format!("{} {access_token}", self.scheme);
        let headers = [&[("authorization", bearer.as_str())], self.headers].concat();
        match self.query {
            Some(query) => world.post_json(self.call, &headers, &json!({ "query": query })).await,
            None => world.get(self.call, &headers).await,
        }
    }
}

#[tokio::test]
async fn who_does_as_documented_is_never_refused() {
    let world = World::new().await;
    for usual in &ALL {
        let (pointer, expected) = usual.proof;
        let tokens = usual.redeem(&world).await;
        assert_eq!(world.log(), [""; 0], "{}", usual.provider);
        let mut access_token = tokens.at("/access_token");
        assert_eq!(usual.prove(&world, &access_token).await.at(pointer), expected, "{}", usual.provider);

        let refresh_token = tokens.at("/refresh_token");
        assert_eq!(refresh_token.is_empty(), usual.refresh == Refresh::Never, "{}", usual.provider);
        if usual.refresh != Refresh::Never {
            let renewed = usual.renew(&world, &refresh_token).await;
            let another = renewed.at("/refresh_token");
            let rotated = !another.is_empty() && another != refresh_token;
            assert_eq!(rotated, usual.refresh == Refresh::Rotates, "{}", usual.provider);
            access_token = renewed.at("/access_token");
            assert_eq!(usual.prove(&world, &access_token).await.at(pointer), expected, "{}", usual.provider);
        }
        assert_eq!(world.log(), [""; 0], "{}", usual.provider);
    }
}

#[tokio::test]
async fn linear_takes_the_token_to_be_revoked_in_several_places_and_says_scopes_with_spaces() {
    let linear = usual("linear");
    let world = World::new().await;
    let revoke = "https://api.linear.app/oauth/revoke";
    let tokens = linear.redeem(&world).await;
    assert_eq!(tokens.at("/scope"), "read issues:create");
    for place in ["token", "refresh_token"] {
        let tokens = linear.redeem(&world).await;
        let answer = world.form(revoke, &[], &[(place, &tokens.at("/refresh_token"))]).await;
        assert_eq!(answer.status, 200, "{place}");
        assert_eq!(linear.prove(&world, &tokens.at("/access_token")).await.status, 401, "{place}");
    }
    assert_eq!(world.form(revoke, &[], &[("token", "unknown")]).await.status, 400);
    assert_eq!(world.form(revoke, &[], &[("other", "x")]).await.status, 401);
}

#[tokio::test]
async fn airtable_wants_pkce_and_a_long_state_and_ends_a_grant_whose_refresh_token_came_twice() {
    let airtable = usual("airtable");
    let world = World::new().await;
    let asked = [("response_type", "code"), ("scope", "data.records:read")];
    let back = world.consent(airtable.authorize, &asked).await;
    assert_eq!(back["error"], "invalid_request");
    assert!(world.log()[0].starts_with("authorize: parameter state has to match"));

    let tokens = airtable.redeem(&world).await;
    let old = tokens.at("/refresh_token");
    let renewed = airtable.renew(&world, &old).await;
    assert_eq!(airtable.renew(&world, &old).await.at("/error"), "invalid_grant");
    assert_eq!(airtable.renew(&world, &renewed.at("/refresh_token")).await.at("/error"), "invalid_grant");
}

#[tokio::test]
async fn linkedin_takes_a_code_verifier_for_a_client_that_is_not_known() {
    let linkedin = usual("linkedin");
    let world = World::new().await;
    let code = linkedin.code(&world).await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let refused = linkedin.ask(&world, linkedin.token, &pairs).await;
    assert_eq!((refused.status, refused.at("/error").as_str()), (401, "invalid_client"));
    assert_eq!(world.log(), ["token: parameter code_verifier is not taken here"]);
}

#[tokio::test]
async fn an_organisation_at_xero_is_named_in_a_header_and_a_lost_answer_can_be_asked_for_again() {
    let xero = usual("xero");
    let world = World::new().await;
    let tokens = xero.redeem(&world).await;
    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let organisation = "https://api.xero.com/api.xro/2.0/Organisation";
    let tenant = xero.prove(&world, &tokens.at("/access_token")).await.at("/0/tenantId");
    let named = [("authorization", bearer.as_str()), ("xero-tenant-id", tenant.as_str())];
    assert_eq!(world.get(organisation, &named).await.at("/Organisations/0/OrganisationID"), tenant);
    assert_eq!(world.get(organisation, &named[..1]).await.at("/Detail"), "AuthenticationUnsuccessful");

    let old = tokens.at("/refresh_token");
    xero.renew(&world, &old).await;
    world.zoo.advance(1700);
    assert_eq!(xero.renew(&world, &old).await.status, 200);
    world.zoo.advance(200);
    assert_eq!(xero.renew(&world, &old).await.at("/error"), "invalid_grant");
}

#[tokio::test]
async fn mailchimps_api_is_where_the_metadata_say() {
    let mailchimp = usual("mailchimp");
    let world = World::new().await;
    let tokens = mailchimp.redeem(&world).await;
    assert_eq!(tokens.at("/expires_in"), "0");
    let metadata = mailchimp.prove(&world, &tokens.at("/access_token")).await;
    let bearer = format!("Bearer {}", tokens.at("/access_token"));
    let ping = |endpoint: String| format!("{endpoint}/3.0/ping");
    let there = world.get(&ping(metadata.at("/api_endpoint")), &[("authorization", &bearer)]).await;
    assert_eq!(there.status, 200);
    let elsewhere = world.get(&ping("https://us7.api.mailchimp.com".to_owned()), &[("authorization", &bearer)]).await;
    assert_eq!((elsewhere.status, elsewhere.at("/title").as_str()), (401, "API Key Invalid"));
    let unknown = mailchimp.prove(&world, "unknown").await;
    assert_eq!((unknown.status, unknown.at("/error").as_str()), (200, "invalid_token"));
}

#[tokio::test]
async fn facebooks_short_token_becomes_a_long_one_and_its_permissions_can_be_deleted() {
    let facebook = usual("facebook");
    let world = World::new().await;
    let short = facebook.redeem(&world).await;
    let own = [("client_id", "zoo-client"), ("client_secret", "zoo-secret"), ("grant_type", "fb_exchange_token")];
    let subject = short.at("/access_token");
    let query = encode(&[&own[..], &[("fb_exchange_token", subject.as_str())]].concat());
    let long = world.get(&format!("{}?{query}", facebook.token), &[]).await;
    assert_eq!(long.at("/expires_in"), "5183944");
    let revoke = format!("https://graph.facebook.com/v25.0/me/permissions?access_token={}", long.at("/access_token"));
    assert_eq!(world.send("DELETE", &revoke, &[], String::new()).await.at("/success"), "true");
    assert_eq!(facebook.prove(&world, &long.at("/access_token")).await.at("/error/code"), "190");
}

#[tokio::test]
async fn zendesk_takes_json_alone_and_no_lifetime_beyond_its_bounds() {
    let zendesk = usual("zendesk");
    let world = World::new().await;
    let code = zendesk.code(&world).await;
    let as_form = world.form(zendesk.token, &[], &[("grant_type", "authorization_code"), ("code", &code)]).await;
    assert_eq!(as_form.status, 400);
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let too_long = [&pairs[..], &[("expires_in", "172801")]].concat();
    assert_eq!(zendesk.ask(&world, zendesk.token, &too_long).await.at("/error"), "invalid_request");
    let fine = [&pairs[..], &[("expires_in", "172800")]].concat();
    let tokens = zendesk.ask(&world, zendesk.token, &fine).await;
    assert_eq!(tokens.at("/expires_in"), "172800");
    let unasked = zendesk.redeem(&world).await;
    assert_eq!(unasked.json().get("expires_in"), None);
    world.zoo.advance(1801);
    assert_eq!(zendesk.prove(&world, &tokens.at("/access_token")).await.status, 200);
    assert_eq!(zendesk.prove(&world, &unasked.at("/access_token")).await.status, 401);
}

#[tokio::test]
async fn mondays_tokens_say_themselves_when_they_expire() {
    let monday = usual("monday");
    let world = World::new().await;
    let tokens = monday.redeem(&world).await;
    assert_eq!(tokens.json().get("expires_in"), None);
    let token = tokens.at("/access_token");
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    world.zoo.advance(3601);
    assert_eq!(monday.prove(&world, &token).await.status, 401);
}
