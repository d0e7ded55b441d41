//! The catalogue against the zoo: each connector as it ships, through the real handlers, with a server that plays its provider as
//! the provider's documentation has it. Nothing is mapped but where the hosts' names lead.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use rustls::{RootCertStore, pki_types::CertificateDer};
use serde_json::json;
use shared::{
    aws,
    clock::Clock,
    protocol::connector::{Connector, EvidenceLevel},
};
use zoo::Zoo;

use crate::world::{Answer, Attempt, Browser, World};

/// A connector, what has to be said to connect it, and a call of its API.
#[derive(Clone, Copy)]
pub struct Visit {
    pub id: &'static str,
    /// What the person types; for a key, what the zoo knows.
    inputs: Pairs,
    /// What the operator chooses.
    settings: Pairs,
    /// The method and path that passthrough is asked for.
    call: (&'static str, &'static str),
    /// Its body, JSON, where it has one.
    body: Option<&'static str>,
    /// Whether a token ends within a day, and is renewed.
    pub renews: bool,
}

type Pairs = &'static [(&'static str, &'static str)];

/// A consent whose token ends and is renewed.
const fn renewed(id: &'static str, call: &'static str) -> Visit {
    Visit { id, inputs: &[], settings: &[], call: ("GET", call), body: None, renews: true }
}

/// A consent, or a key, that lasts until it is revoked.
const fn lasting(id: &'static str, call: &'static str) -> Visit {
    Visit { renews: false, ..renewed(id, call) }
}

impl Visit {
    const fn typing(self, inputs: Pairs) -> Self {
        Self { inputs, ..self }
    }

    const fn set(self, settings: Pairs) -> Self {
        Self { settings, ..self }
    }

    const fn posting(self) -> Self {
        Self { call: ("POST", self.call.1), ..self }
    }

    const fn sending(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self.posting() }
    }
}

pub const VISITS: &[Visit] = &[
    renewed("airtable", "meta/whoami"),
    renewed("amazon-selling-partner", "sellers/v1/marketplaceParticipations")
        .typing(&[("seller_central_host", "sellercentral-europe.amazon.com")])
        .set(&[("application_id", "amzn1.sp.solution.zoo")]),
    renewed("asana", "users/me"),
    renewed("bamboohr", "employees/0").typing(&[("subdomain", "zoo")]),
    lasting("bill-com", "vendors")
        .typing(&[("username", "alice@zoo.example"), ("password", "zoo-password"), ("organization_id", "00801ZOO")])
        .set(&[("dev_key", "zoo-dev-key")]),
    renewed("calendly", "users/me"),
    lasting("clickup", "user"),
    renewed("confluence", "wiki/rest/api/content"),
    lasting("discord", "users/@me"),
    renewed("docusign", "v2.1/accounts/a4ec37d6-0000-4000-8000-143885c220e1/users"),
    renewed("dropbox", "users/get_current_account").posting(),
    lasting("facebook", "me"),
    lasting("figma", "v1/me"),
    renewed("freshbooks", "auth/api/v1/users/me"),
    lasting("github", "user"),
    renewed("gitlab", "user"),
    renewed("gmail", "gmail/v1/users/me/profile"),
    renewed("google-calendar", "calendar/v3/users/me/calendarList"),
    renewed("google-drive", "drive/v3/about?fields=user"),
    renewed("google-sheets", "v4/spreadsheets/zoo"),
    renewed("gusto", "me"),
    renewed("hubspot", "account-info/2026-03/details"),
    lasting("instagram", "me?fields=user_id,username"),
    lasting("intercom", "me").typing(&[("app_host", "app.intercom.com")]),
    renewed("jira", "rest/api/3/project/search"),
    renewed("klaviyo", "accounts"),
    renewed("linear", "graphql").sending(r#"{"query":"{ viewer { id } }"}"#),
    lasting("linkedin", "v2/userinfo"),
    lasting("mailchimp", "ping"),
    renewed("microsoft-teams", "v1.0/me/joinedTeams"),
    renewed("monday", "").sending(r#"{"query":"{ me { id } }"}"#),
    lasting("notion", "users/me"),
    renewed("onedrive", "v1.0/me/drive"),
    lasting("openai", "models").typing(&[("api_key", "sk-zoo")]),
    renewed("outlook", "v1.0/me/messages"),
    renewed("paypal", "v1/identity/openidconnect/userinfo?schema=openid"),
    lasting("pinterest", "user_account"),
    renewed("pipedrive", "users/me"),
    renewed("quickbooks", "companyinfo/4620816365000000001"),
    renewed("reddit", "api/v1/me"),
    renewed("salesforce", "services/data/v65.0/limits"),
    renewed("salesforce-sandbox", "services/data/v65.0/limits"),
    lasting("sendgrid", "scopes").typing(&[("api_key", "SG.zoo.key")]),
    renewed("shopify", "shop.json").typing(&[("shop", "zoo")]),
    lasting("slack", "conversations.list"),
    renewed("spotify", "me"),
    lasting("square", "locations"),
    lasting("stripe", "balance"),
    lasting("stripe-api-key", "balance").typing(&[("api_key", "sk_test_zoo")]),
    renewed("tiktok", "user/info/?fields=open_id"),
    lasting("trello", "members/me"),
    lasting("twilio", "Accounts/AC00000000000000000000000000000000.json")
        .typing(&[("account_sid", "AC00000000000000000000000000000000"), ("auth_token", "zoo-auth-token")]),
    renewed("twitch", "users"),
    lasting("typeform", "forms"),
    renewed("x", "users/me"),
    renewed("xero", "api.xro/2.0/Organisation"),
    lasting("zendesk", "users/me.json").typing(&[("subdomain", "zoo")]),
    renewed("zoho-crm", "Leads?fields=Last_Name"),
    renewed("zoom", "users/me"),
    renewed("zoom-server-to-server", "users").typing(&[
        ("account_id", "zooAccount000000000000"),
        ("client_id", "zoo-client"),
        ("client_secret", "zoo-secret"),
    ]),
];

/// The server that plays the providers, and everything of ours.
pub struct Stage {
    pub zoo: Zoo,
    pub world: World,
    /// The person's browser at the provider.
    pub http: Client,
}

/// Every name is at the zoo.
struct Everywhere(SocketAddr);

impl Resolve for Everywhere {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(Zoo::start().await.unwrap()).await
    }

    /// With this zoo.
    pub async fn with(zoo: Zoo) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(zoo.root_certificate_der())).unwrap();
        let tls = aws::tls_under(roots);
        let http =
            Client::builder().tls_backend_preconfigured(tls.clone()).dns_resolver(Arc::new(Everywhere(zoo.address())));
        let http = http.redirect(Policy::none()).no_proxy().build().unwrap();
        let at = zoo.address();
        let world = World::with(|options| options.zoo = Some((at, tls))).await;
        // one time for both: a signature carries it
        let (here, there) = (i64::try_from(world.now() / 1000), i64::try_from(Clock::system().now().secs()));
        zoo.advance(here.unwrap() - there.unwrap());
        Self { zoo, world, http }
    }

    /// Time passes, here and there.
    pub fn turn(&self, seconds: u32) {
        self.world.turn(Duration::from_secs(u64::from(seconds)));
        self.zoo.advance(i64::from(seconds));
    }

    /// What the provider has not accepted, in its words.
    pub fn refused(&self) -> Vec<String> {
        self.zoo.refusals().iter().map(|refusal| format!("{}: {}", refusal.endpoint, refusal.words)).collect()
    }
}

/// What did not go as documented.
pub type Went = Result<(), String>;

fn require(holds: bool, what: impl FnOnce() -> String) -> Went {
    if holds { Ok(()) } else { Err(what()) }
}

/// Connects, calls, lets the token end, calls again, deletes.
async fn pay(visit: &Visit) -> Went {
    let stage = Stage::new().await;
    let went = stay(&stage, visit).await;
    let refused = stage.refused();
    match (went, refused.is_empty()) {
        (Ok(()), true) => Ok(()),
        (went, _) => Err(format!("{}: {} {}", visit.id, went.err().unwrap_or_default(), refused.join("; "))),
    }
}

async fn stay(stage: &Stage, visit: &Visit) -> Went {
    let Stage { world, .. } = stage;
    let connector = world.server.app.catalog.connector(visit.id).ok_or("is not in the catalogue")?.clone();
    let key = connect(stage, visit).await?;

    call(stage, visit, &key, "a call").await?;
    granted_whole(stage, &key, "connecting").await?;
    known(stage, &connector, &key).await?;
    let before = stage.zoo.calls(visit.id, "token");
    stage.turn(DAY);
    call(stage, visit, &key, "a call a day later").await?;
    let renewed = stage.zoo.calls(visit.id, "token") > before;
    require(renewed == visit.renews, || format!("the token was {}renewed", if renewed { "" } else { "not " }))?;
    granted_whole(stage, &key, "a day").await?;
    let deleted = world.api("DELETE", &format!("/v1/vault/connections/{key}")).send().await;
    require(deleted.status == 200, || format!("deleting: {} {}", deleted.status, deleted.text()))?;
    let receipt = deleted.json()["revocation"].clone();
    let expected = if connector.revoke.is_some() { "revoked" } else { "not_supported" };
    require(receipt == expected, || format!("deleting says {receipt}, not {expected}"))
}

/// The provider grants what is asked for, and says so in its own way.
async fn granted_whole(stage: &Stage, key: &str, after: &str) -> Went {
    let connection = stage.world.get(&format!("/v1/vault/connections/{key}")).await.json();
    let scopes = &connection["scopes"];
    let missing = scopes["missing"].as_array().is_some_and(|missing| !missing.is_empty());
    require(!missing, || format!("after {after} its scopes are {scopes}"))
}

/// What a provider does not tell with what is asked for by default.
const UNTOLD: [(&str, &str); 1] = [("trello", "email")]; // with the scope `account`

/// Whose account it is, and what to call it, is told where the connector asks for that.
async fn known(stage: &Stage, connector: &Connector, key: &str) -> Went {
    let account = stage.world.get(&format!("/v1/vault/connections/{key}")).await.json()["account"].take();
    let asked = connector.profile.as_ref().map(|profile| {
        [("id", &profile.account_id), ("label", &profile.label), ("email", &profile.email), ("tenant", &profile.tenant)]
    });
    let differs = |(name, asked): &(&str, &Option<_>)| {
        let expected = asked.is_some() && !UNTOLD.contains(&(connector.id.as_ref(), name));
        expected == account[name].is_null()
    };
    let differing = asked.into_iter().flatten().find(differs);
    require(differing.is_none(), || format!("its account is {account}"))
}

/// Connects; the new connection's key.
pub async fn connect(stage: &Stage, visit: &Visit) -> Result<String, String> {
    let known: Vec<_> = stage.world.connections().await.iter().map(|row| row["key"].clone()).collect();
    offer(stage, visit).await;
    if stage.world.server.app.catalog.connector(visit.id).is_some_and(|connector| connector.consent().is_some()) {
        consent(stage, visit).await?;
    } else {
        type_in(stage, visit).await?;
    }
    let rows = stage.world.connections().await;
    let new = rows.iter().map(|row| &row["key"]).find(|key| !known.contains(key));
    new.and_then(|key| key.as_str()).map(str::to_owned).ok_or_else(|| "there is no connection".to_owned())
}

/// What the operator says of a connector: a client where it takes one, and what else is chosen.
pub async fn offer(stage: &Stage, visit: &Visit) {
    let world = &stage.world;
    let settings: BTreeMap<_, _> = visit.settings.iter().copied().collect();
    let mut body = json!({ "settings": settings });
    if world.server.app.catalog.connector(visit.id).is_some_and(|connector| connector.consent().is_some()) {
        body["client_id"] = "zoo-client".into();
        body["client_secret"] = "zoo-secret".into();
    }
    world.root("PUT", &format!("/v1/admin/connectors/{}", visit.id), Some(&body)).await;
}

/// Longer than most access tokens live, and shorter than any refresh token does.
pub const DAY: u32 = 86_400;

async fn call(stage: &Stage, visit: &Visit, key: &str, what: &str) -> Went {
    let answer = ask(stage, visit, key).await;
    require(answer.status == 200, || format!("{what}: {} {}", answer.status, answer.text()))
}

/// The call of the provider's API.
pub async fn ask(stage: &Stage, visit: &Visit, key: &str) -> Answer {
    let path = format!("/v1/passthrough/{}/{}", visit.id, visit.call.1);
    let path = path.trim_end_matches('/');
    let call = stage.world.api(visit.call.0, path).header("x-one-connection-key", key);
    let call = match visit.body {
        Some(body) => call.json(&serde_json::from_str(body).unwrap()),
        None => call,
    };
    call.send().await
}

async fn type_in(stage: &Stage, visit: &Visit) -> Went {
    let answer = type_them(stage, visit).await;
    require(answer.status == 200 || answer.status == 201, || format!("typing: {} {}", answer.status, answer.text()))
}

/// What is answered to what the person typed.
pub async fn type_them(stage: &Stage, visit: &Visit) -> Answer {
    let credentials: BTreeMap<_, _> = visit.inputs.iter().copied().collect();
    let body = json!({ "credentialType": "apiKey", "credentials": credentials, "userId": "user-1" });
    stage.world.post(&format!("/connectors/{}/credentials", visit.id), &body).await
}

/// A browser that was at the provider, and the address that it is sent back to.
pub struct Journey {
    pub browser: Browser,
    pub attempt: Attempt,
    pub back: String,
}

/// As a person with a browser: to the provider, who sends them back.
pub async fn leave(stage: &Stage, visit: &Visit) -> Result<Journey, String> {
    let Stage { world, http, .. } = stage;
    let browser = world.browser();
    let inputs: Vec<String> = visit.inputs.iter().map(|(name, value)| format!("&{name}={value}")).collect();
    let inputs = inputs.concat();
    let begun = world.get(&format!("/connectors/{}/oauth/authorize?userId=user-1{inputs}", visit.id)).await;
    require(begun.status == 200, || format!("beginning: {} {}", begun.status, begun.text()))?;
    let attempt = Attempt::of(&begun.member("authorizationUrl"));
    let started = browser.open(&attempt.start_url).await;
    require(started.status == 302, || format!("starting: {} {}", started.status, started.text()))?;
    require(!started.text().contains("/connect/outcome/"), || "the flow ended at its start".to_owned())?;
    let there = http.get(started.location()).send().await.map_err(|error| format!("at the provider: {error:?}"))?;
    let status = there.status();
    let back = there.headers().get("location").and_then(|location| location.to_str().ok()).map(str::to_owned);
    match back {
        Some(back) => Ok(Journey { browser, attempt, back }),
        None => Err(format!("the provider answers {status} {}", there.text().await.unwrap_or_default())),
    }
}

/// To the provider, back, and confirmed.
async fn consent(stage: &Stage, visit: &Visit) -> Went {
    let Journey { browser, attempt, back } = leave(stage, visit).await?;
    let landed: Answer = browser.open(&back).await;
    require(landed.status == 302, || format!("coming back: {} {}", landed.status, landed.text()))?;
    require(!landed.text().contains("/connect/outcome/"), || "the flow ended at its callback".to_owned())?;
    let confirmed = stage.world.confirm(&browser, &attempt).await;
    require(confirmed.status == 303, || format!("confirming: {} {}", confirmed.status, confirmed.text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connector_that_the_zoo_plays_runs_as_it_ships() {
    let mut failed = Vec::new();
    for visit in VISITS {
        failed.extend(pay(visit).await.err());
    }
    assert!(failed.is_empty(), "{}\n{} of {}", failed.join("\n"), failed.len(), VISITS.len());
}

#[tokio::test]
async fn verified_means_that_it_runs_here() {
    let world = World::new().await;
    let visited: Vec<&str> = VISITS.iter().map(|visit| visit.id).collect();
    let verified =
        world.server.app.catalog.iter().filter(|connector| connector.evidence.level == EvidenceLevel::Verified);
    let strangers: Vec<&str> =
        verified.map(|connector| connector.id.as_ref()).filter(|id| !visited.contains(id)).collect();
    assert_eq!(strangers, Vec::<&str>::new());
}
