use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use axum::{
    body::{Body, to_bytes},
    http::{
        HeaderMap, Method, Request,
        header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use tower::ServiceExt;
use url::form_urlencoded;

use super::*;

const ISSUER: &str = "http://provider.localhost:9";
const CALLBACK: &str = "http://mooring.localhost:8/connectors/acme/oauth/callback?from=acme";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const START: u64 = 1_795_269_900;

/// A provider whose time stands still until it is moved.
struct World {
    provider: Arc<Provider>,
    time: Arc<AtomicU64>,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

/// A browser with its one cookie.
#[derive(Default)]
struct Browser {
    cookie: Option<String>,
}

impl World {
    fn new() -> Self {
        Self::with_file(None)
    }

    fn with_file(file: Option<PathBuf>) -> Self {
        let time = Arc::new(AtomicU64::new(START));
        let clock: Clock = Arc::new({
            let time = time.clone();
            move || time.load(Ordering::Relaxed)
        });
        let next = AtomicU8::new(1);
        let random: Random = Arc::new(move |bytes| bytes.fill(next.fetch_add(1, Ordering::Relaxed)));
        let provider = Provider::open(file, &Url::parse(ISSUER).unwrap(), clock, random).unwrap();
        provider.register_client("mooring", &Secret::new("s3cret"), "Mooring", &[CALLBACK.to_owned()]).unwrap();
        provider.register_client("other", &Secret::new("0ther"), "Other", &["http://o.example/".to_owned()]).unwrap();
        Self { provider, time }
    }

    fn wait(&self, seconds: u64) {
        self.time.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = router(self.provider.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.client_post("/oauth/token", form).await
    }

    async fn client_post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let client = [("client_id", "mooring"), ("client_secret", "s3cret")];
        self.send(post(path, &[&client, form].concat(), &[])).await
    }

    async fn redeem(&self, code: &str) -> Answer {
        self.token(&redemption(code)).await
    }

    async fn refresh(&self, refresh_token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    async fn revoke(&self, token: &str) -> Answer {
        self.client_post("/oauth/revoke", &[("token", token)]).await
    }

    async fn api(&self, method: Method, path: &str, token: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn me(&self, token: &str) -> StatusCode {
        self.api(Method::GET, "/api/me", token, "").await.status
    }

    /// A code that alice allowed.
    async fn code(&self) -> String {
        let mut browser = Browser::default();
        let consent = browser.log_in(self, "alice").await;
        browser.decide(self, &consent, "allow").await.location("code").unwrap()
    }

    /// The tokens of a new grant of alice's.
    async fn tokens(&self) -> (String, String) {
        let answer = self.redeem(&self.code().await).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        (answer.member("access_token"), answer.member("refresh_token"))
    }

    fn grant(&self) -> (&'static str, Option<&'static str>) {
        let grant = self.provider.grants().remove(0);
        (grant.state, grant.cause)
    }
}

impl Browser {
    async fn get(&mut self, world: &World, uri: &str) -> Answer {
        let request = Request::builder().uri(uri).header(COOKIE, self.cookie.as_deref().unwrap_or("theme=dark"));
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        self.keep(answer)
    }

    async fn post(&mut self, world: &World, path: &str, form: &[(&str, &str)]) -> Answer {
        let cookie = self.cookie.clone().unwrap_or_default();
        let answer = world.send(post(path, form, &[(COOKIE.as_str(), &cookie)])).await;
        self.keep(answer)
    }

    fn keep(&mut self, answer: Answer) -> Answer {
        if let Some(cookie) = answer.headers.get(SET_COOKIE) {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        answer
    }

    /// The consent form that follows a login.
    async fn log_in(&mut self, world: &World, user: &str) -> Answer {
        let login = self.get(world, &authorize_uri(&[])).await;
        let (csrf, request) = (login.field("csrf"), login.field("request"));
        let form = [("csrf", csrf.as_str()), ("request", &request), ("username", user), ("password", "demo")];
        let answer = self.post(world, "/oauth/login", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        self.get(world, answer.headers[LOCATION].to_str().unwrap()).await
    }

    async fn decide(&mut self, world: &World, consent: &Answer, decision: &str) -> Answer {
        let (csrf, request) = (consent.field("csrf"), consent.field("request"));
        let form = [("csrf", csrf.as_str()), ("request", &request), ("decision", decision)];
        self.post(world, "/oauth/consent", &form).await
    }
}

impl Answer {
    /// The value of a hidden field.
    fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let after = self.body.split_once(&start).unwrap_or_else(|| panic!("no {name} in {}", self.body)).1;
        after.split_once('"').unwrap().0.to_owned()
    }

    /// A parameter of the address that the browser is sent to.
    fn location(&self, name: &str) -> Option<String> {
        let location = Url::parse(ISSUER).unwrap().join(self.headers.get(LOCATION)?.to_str().unwrap()).unwrap();
        location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }

    fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.member("error"))
    }
}

fn post(path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(Method::POST).uri(path);
    request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(encode(form))).unwrap()
}

fn encode(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A good authorization request, with some parameters changed, or left out where the new value is empty.
fn authorize_uri(changes: &[(&str, &str)]) -> String {
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", "mooring"),
        ("redirect_uri", CALLBACK),
        ("scope", "profile notes:read notes:write"),
        ("state", "s&1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    parameters.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    parameters.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    format!("/oauth/authorize?{}", encode(&parameters))
}

fn redemption(code: &str) -> [(&str, &str); 4] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
}

#[tokio::test]
async fn metadata_say_what_is_supported() {
    let request = Request::get("/.well-known/oauth-authorization-server").body(Body::empty()).unwrap();
    let metadata = World::new().send(request).await.json();
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["token_endpoint"], format!("{ISSUER}/oauth/token"));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
}

#[tokio::test]
async fn an_unregistered_client_or_redirect_uri_is_told_to_the_person_alone() {
    let world = World::new();
    let table = [
        ("unknown client", ("client_id", "nobody")),
        ("no client", ("client_id", "")),
        ("another path", ("redirect_uri", "http://mooring.localhost:8/elsewhere")),
        ("a suffix", ("redirect_uri", &format!("{CALLBACK}&more=1"))),
        ("another client's", ("redirect_uri", "http://o.example/")),
        ("no redirect_uri", ("redirect_uri", "")),
    ];
    for (case, change) in table {
        // The request is wrong in a second way, which must not lead to a redirect either.
        let answer = Browser::default().get(&world, &authorize_uri(&[change, ("response_type", "token")])).await;
        assert_eq!((answer.status, answer.headers.get(LOCATION)), (StatusCode::BAD_REQUEST, None), "{case}");
        assert!(answer.body.contains("<h1>"), "{case}");
    }
}

#[tokio::test]
async fn a_wrong_request_goes_back_to_the_client() {
    let world = World::new();
    let table = [
        ("no response_type", ("response_type", ""), "invalid_request"),
        ("implicit", ("response_type", "token"), "unsupported_response_type"),
        ("form_post", ("response_mode", "form_post"), "invalid_request"),
        ("no challenge", ("code_challenge", ""), "invalid_request"),
        ("a short challenge", ("code_challenge", "abc"), "invalid_request"),
        ("plain", ("code_challenge_method", "plain"), "invalid_request"),
        ("no method, which means plain", ("code_challenge_method", ""), "invalid_request"),
        ("an unknown scope", ("scope", "profile admin"), "invalid_scope"),
    ];
    for (case, change, error) in table {
        let answer = Browser::default().get(&world, &authorize_uri(&[change])).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{case}");
        assert_eq!(answer.location("error").as_deref(), Some(error), "{case}");
        assert_eq!(answer.location("state").as_deref(), Some("s&1"), "{case}");
        assert_eq!(answer.location("iss").as_deref(), Some(ISSUER), "{case}");
        assert_eq!(answer.location("code"), None, "{case}");
    }

    let repeated = format!("{}&scope=profile", authorize_uri(&[]));
    let answer = Browser::default().get(&world, &repeated).await;
    assert_eq!(answer.location("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn login_and_consent_lead_back_with_a_code() {
    let world = World::new();
    let mut browser = Browser::default();
    let consent = browser.log_in(&world, "alice").await;
    assert!(consent.body.contains("Alice Archer") && consent.body.contains("Read your notes"), "{}", consent.body);

    let answer = browser.decide(&world, &consent, "allow").await;
    let location = answer.headers[LOCATION].to_str().unwrap();
    assert!(location.starts_with(&format!("{CALLBACK}&code=")), "{location}");
    assert_eq!(answer.location("state").as_deref(), Some("s&1"));
    assert_eq!(answer.location("iss").as_deref(), Some(ISSUER));

    let tokens = world.redeem(&answer.location("code").unwrap()).await;
    assert_eq!(tokens.headers[CACHE_CONTROL], "no-store");
    assert_eq!(tokens.json()["expires_in"], 60);
    assert_eq!(tokens.json()["token_type"], "Bearer");
    assert_eq!(tokens.json()["scope"], "profile notes:read notes:write");
    let me = world.api(Method::GET, "/api/me", &tokens.member("access_token"), "").await.json();
    assert_eq!(me, json!({ "id": "usr_alice", "name": "Alice Archer", "email": "alice@acme.example" }));
    assert!(world.provider.grant_is_active("alice") && !world.provider.grant_is_active("bob"));
}

#[tokio::test]
async fn denying_leads_back_with_access_denied_and_decides_once() {
    let world = World::new();
    let mut browser = Browser::default();
    let consent = browser.log_in(&world, "bob").await;
    let answer = browser.decide(&world, &consent, "deny").await;
    assert_eq!(answer.location("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.location("iss").as_deref(), Some(ISSUER));
    assert_eq!(answer.location("state").as_deref(), Some("s&1"));

    let second = browser.decide(&world, &consent, "allow").await;
    assert_eq!((second.status, second.headers.get(LOCATION)), (StatusCode::BAD_REQUEST, None));
}

#[tokio::test]
async fn a_wrong_password_shows_the_login_again() {
    let world = World::new();
    let mut browser = Browser::default();
    let login = browser.get(&world, &authorize_uri(&[])).await;
    let (csrf, request) = (login.field("csrf"), login.field("request"));
    for (user, password) in [("alice", "wrong"), ("mallory", "demo"), ("alice", "")] {
        let form = [("csrf", csrf.as_str()), ("request", &request), ("username", user), ("password", password)];
        let answer = browser.post(&world, "/oauth/login", &form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("is not right"));
    }
}

#[tokio::test]
async fn somebody_else_can_take_over_before_the_decision() {
    let world = World::new();
    let mut browser = Browser::default();
    let consent = browser.log_in(&world, "alice").await;
    let form = [("csrf", consent.field("csrf")), ("request", consent.field("request"))];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = browser.post(&world, "/oauth/switch", &form).await;
    let login = browser.get(&world, answer.headers[LOCATION].to_str().unwrap()).await;
    assert!(login.body.contains("name=\"password\""));

    let undecided = browser.decide(&world, &consent, "allow").await;
    assert_eq!(undecided.location("code"), None, "nobody is logged in");
}

#[tokio::test]
async fn a_form_counts_only_from_the_browser_that_was_shown_it() {
    let world = World::new();
    let (mut alice, mut mallory) = (Browser::default(), Browser::default());
    let shown = alice.log_in(&world, "alice").await;
    let foreign = mallory.log_in(&world, "bob").await;
    let (csrf, request) = (shown.field("csrf"), shown.field("request"));

    let table = [
        ("no token", "", request.as_str(), 403),
        ("a made-up token", "AAAA", &request, 403),
        ("another session's token", &foreign.field("csrf"), &request, 403),
        ("another browser's request", &csrf, &foreign.field("request"), 400),
        ("no request", &csrf, "", 400),
    ];
    for (case, csrf, request, status) in table {
        let form = [("csrf", csrf), ("request", request), ("decision", "allow")];
        let answer = alice.post(&world, "/oauth/consent", &form).await;
        assert_eq!((answer.status.as_u16(), answer.headers.get(LOCATION)), (status, None), "{case}");
    }

    let undecided = [("csrf", csrf.as_str()), ("request", &request), ("decision", "maybe")];
    assert_eq!(alice.post(&world, "/oauth/consent", &undecided).await.status, StatusCode::BAD_REQUEST);
    assert!(alice.decide(&world, &shown, "allow").await.location("code").is_some(), "nothing was used up");
}

#[tokio::test]
async fn a_login_renews_the_session_and_a_request_waits_ten_minutes() {
    let world = World::new();
    let mut browser = Browser::default();
    browser.get(&world, &authorize_uri(&[])).await;
    let before = browser.cookie.clone();
    let consent = browser.log_in(&world, "alice").await;
    assert_ne!(browser.cookie, before);

    world.wait(600);
    assert_eq!(browser.decide(&world, &consent, "allow").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_client_proves_itself_in_one_way() {
    let world = World::new();
    let basic = |credentials: &str| format!("Basic {}", STANDARD.encode(credentials));
    let body = [("client_id", "mooring"), ("client_secret", "s3cret")];
    let wrong = [("client_id", "mooring"), ("client_secret", "wrong")];
    let none = [("unrelated", "1")];
    let table = [
        ("basic", basic("mooring:s3cret"), &none[..], 400, "invalid_grant"),
        ("basic, all encoded", basic("%6Dooring:s3%63ret"), &none[..], 400, "invalid_grant"),
        ("basic, with the same client_id", basic("mooring:s3cret"), &body[..1], 400, "invalid_grant"),
        ("body", String::new(), &body[..], 400, "invalid_grant"),
        ("both", basic("mooring:s3cret"), &body[..], 400, "invalid_request"),
        ("a wrong secret in the header", basic("mooring:wrong"), &none[..], 401, "invalid_client"),
        ("a wrong secret in the body", String::new(), &wrong[..], 401, "invalid_client"),
        ("none", String::new(), &none[..], 401, "invalid_client"),
    ];
    for (case, header, fields, status, error) in table {
        let form = [&[("grant_type", "refresh_token"), ("refresh_token", "x")], fields].concat();
        let headers = [("authorization", header.as_str())];
        let headers = if header.is_empty() { &headers[..0] } else { &headers };
        let answer = world.send(post("/oauth/token", &form, headers)).await;
        assert_eq!(answer.refusal(), (status, error.to_owned()), "{case}");
        assert_eq!(answer.headers[CACHE_CONTROL], "no-store", "{case}");
        assert_eq!(answer.headers.contains_key(WWW_AUTHENTICATE), status == 401, "{case}");
    }
}

#[tokio::test]
async fn a_wrong_redemption_is_refused_and_leaves_the_code() {
    let world = World::new();
    let code = world.code().await;
    let table = [
        ("another verifier", 3, "code_verifier", &"x".repeat(43)[..], "invalid_grant"),
        ("the challenge itself", 3, "code_verifier", CHALLENGE, "invalid_grant"),
        ("no verifier", 3, "code_verifier", "", "invalid_request"),
        ("another redirect_uri", 2, "redirect_uri", "http://o.example/", "invalid_grant"),
        ("no redirect_uri", 2, "redirect_uri", "", "invalid_request"),
        ("another code", 1, "code", "guess", "invalid_grant"),
        ("no code", 1, "code", "", "invalid_request"),
        ("another grant type", 0, "grant_type", "password", "unsupported_grant_type"),
        ("no grant type", 0, "grant_type", "", "invalid_request"),
    ];
    for (case, index, name, value, error) in table {
        let mut form = redemption(&code);
        form[index] = (name, value);
        assert_eq!(world.token(&form).await.refusal(), (400, error.to_owned()), "{case}");
    }

    let foreign = [&[("client_id", "other"), ("client_secret", "0ther")], &redemption(&code)[..]].concat();
    assert_eq!(world.send(post("/oauth/token", &foreign, &[])).await.refusal().1, "invalid_grant");
    assert_eq!(world.redeem(&code).await.status, StatusCode::OK);
    assert_eq!(world.provider.counts().code_redemptions, 1);
}

#[tokio::test]
async fn a_code_works_once_and_its_reuse_ends_the_grant() {
    let world = World::new();
    let code = world.code().await;
    let tokens = world.redeem(&code).await;
    assert_eq!(world.redeem(&code).await.refusal().1, "invalid_grant");
    assert_eq!(world.grant(), ("revoked", Some("code_reused")));
    assert_eq!(world.me(&tokens.member("access_token")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.refresh(&tokens.member("refresh_token")).await.refusal().1, "invalid_grant");
}

#[tokio::test]
async fn a_code_works_for_a_minute() {
    let world = World::new();
    let (early, late) = (world.code().await, world.code().await);
    world.wait(59);
    assert_eq!(world.redeem(&early).await.status, StatusCode::OK);
    world.wait(1);
    assert_eq!(world.redeem(&late).await.refusal().1, "invalid_grant");
}

#[tokio::test]
async fn an_access_token_works_for_a_minute() {
    let world = World::new();
    let (access, _) = world.tokens().await;
    world.wait(59);
    assert_eq!(world.me(&access).await, StatusCode::OK);
    world.wait(1);
    let answer = world.api(Method::GET, "/api/me", &access, "").await;
    assert_eq!(answer.refusal(), (401, "invalid_token".to_owned()));
    assert_eq!(answer.headers[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_spent_one_ends_the_grant() {
    let world = World::new();
    let (_, first) = world.tokens().await;
    world.wait(3600);
    let second = world.refresh(&first).await;
    let third = world.refresh(&second.member("refresh_token")).await;
    assert_eq!(world.me(&third.member("access_token")).await, StatusCode::OK);
    assert_eq!(world.provider.counts().refresh_redemptions, 2);

    assert_eq!(world.refresh(&first).await.refusal(), (400, "invalid_grant".to_owned()));
    assert_eq!(world.grant(), ("revoked", Some("refresh_token_reused")));
    assert_eq!(world.refresh(&third.member("refresh_token")).await.refusal().1, "invalid_grant");
    assert_eq!(world.me(&third.member("access_token")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.provider.counts().refresh_redemptions, 2);
}

#[tokio::test]
async fn a_made_up_or_foreign_refresh_token_changes_nothing() {
    let world = World::new();
    let (access, refresh) = world.tokens().await;
    let grant = refresh.split('.').nth(1).unwrap();
    for forged in ["x", "acme_rt", &format!("acme_rt.{grant}"), &format!("acme_rt.{grant}.guess"), &access] {
        assert_eq!(world.refresh(forged).await.refusal().1, "invalid_grant", "{forged}");
    }
    let other = [("client_id", "other"), ("client_secret", "0ther"), ("grant_type", "refresh_token")];
    let foreign = [&other[..], &[("refresh_token", refresh.as_str())]].concat();
    assert_eq!(world.send(post("/oauth/token", &foreign, &[])).await.refusal().1, "invalid_grant");
    assert_eq!(world.refresh(&refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_may_narrow_but_not_widen_the_scope() {
    let world = World::new();
    let (_, refresh) = world.tokens().await;
    let ask = async |refresh: &str, scope: &str| {
        world.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", scope)]).await
    };
    assert_eq!(ask(&refresh, "admin").await.refusal().1, "invalid_scope");
    let narrow = ask(&refresh, "profile").await;
    assert_eq!(narrow.member("scope"), "profile");
    let notes = world.api(Method::GET, "/api/notes", &narrow.member("access_token"), "").await;
    assert_eq!(notes.refusal(), (403, "insufficient_scope".to_owned()));
    let full = world.refresh(&narrow.member("refresh_token")).await;
    assert_eq!(full.member("scope"), "profile notes:read notes:write");
}

#[tokio::test]
async fn an_idle_refresh_token_expires() {
    let world = World::new();
    let (_, refresh) = world.tokens().await;
    world.wait(30 * 24 * 60 * 60);
    assert_eq!(world.refresh(&refresh).await.refusal().1, "invalid_grant");
    assert_eq!(world.grant(), ("active", None), "it is idle, not stolen");
}

#[tokio::test]
async fn revoking_ends_a_token_or_with_a_refresh_token_the_grant() {
    let world = World::new();
    let (access, refresh) = world.tokens().await;
    assert_eq!(world.revoke(&access).await.status, StatusCode::OK);
    assert_eq!(world.me(&access).await, StatusCode::UNAUTHORIZED);
    assert!(world.provider.grant_is_active("alice"), "only the access token is gone");

    let next = world.refresh(&refresh).await;
    assert_eq!(world.revoke(&next.member("refresh_token")).await.status, StatusCode::OK);
    assert_eq!(world.me(&next.member("access_token")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.refresh(&next.member("refresh_token")).await.refusal().1, "invalid_grant");
    assert_eq!(world.grant(), ("revoked", Some("revoked_by_client")));

    assert_eq!(world.revoke(&next.member("refresh_token")).await.status, StatusCode::OK, "again");
    assert_eq!(world.revoke("never issued").await.status, StatusCode::OK);
    assert_eq!(world.provider.counts().revocations, 4);
}

#[tokio::test]
async fn a_revocation_needs_the_token_and_its_own_client() {
    let world = World::new();
    let (_, refresh) = world.tokens().await;
    let other = [("client_id", "other"), ("client_secret", "0ther"), ("token", refresh.as_str())];
    assert_eq!(world.send(post("/oauth/revoke", &other, &[])).await.refusal().1, "invalid_grant");
    assert_eq!(world.send(post("/oauth/revoke", &other[2..], &[])).await.refusal().1, "invalid_client");
    assert_eq!(world.client_post("/oauth/revoke", &[]).await.refusal().1, "invalid_request");
    assert_eq!((world.grant().0, world.provider.counts().revocations), ("active", 0));
}

#[tokio::test]
async fn a_planned_failure_happens_once_and_changes_nothing() {
    let world = World::new();
    let (access, refresh) = world.tokens().await;
    for (endpoint, status) in [(Endpoint::Token, 503), (Endpoint::Revoke, 500), (Endpoint::Profile, 502)] {
        world.provider.fail_next(endpoint, StatusCode::from_u16(status).unwrap());
    }
    assert_eq!(world.refresh(&refresh).await.status.as_u16(), 503);
    assert_eq!(world.revoke(&refresh).await.status.as_u16(), 500);
    assert_eq!(world.me(&access).await.as_u16(), 502);

    assert_eq!(world.me(&access).await, StatusCode::OK);
    assert_eq!(world.refresh(&refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn notes_belong_to_their_user() {
    let world = World::new();
    let (token, _) = world.tokens().await;
    let made = world.api(Method::POST, "/api/notes", &token, r#"{"title":"One","text":"first"}"#).await;
    assert_eq!((made.status.as_u16(), made.headers[LOCATION].to_str().unwrap()), (201, "/api/notes/1"));

    let table = [
        (Method::GET, "", 200, r#"{"id":"1","text":"first","title":"One"}"#),
        (Method::HEAD, "", 200, ""),
        (Method::PATCH, r#"{"text":"changed"}"#, 200, r#"{"id":"1","text":"changed","title":"One"}"#),
        (Method::PUT, r#"{"title":"Two"}"#, 200, r#"{"id":"1","text":"","title":"Two"}"#),
        (Method::DELETE, "", 204, ""),
    ];
    for (method, body, status, expected) in table {
        let answer = world.api(method.clone(), "/api/notes/1", &token, body).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, expected), "{method}");
    }
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(world.api(method, "/api/notes/1", &token, "").await.refusal(), (404, "not_found".to_owned()));
    }
    assert_eq!(world.api(Method::GET, "/api/notes", &token, "").await.body, r#"{"notes":[]}"#);
}

#[tokio::test]
async fn an_echo_shows_everything_but_credentials() {
    let world = World::new();
    let (token, _) = world.tokens().await;
    let request = Request::builder().method("REPORT").uri("/api/echo/a%2Fb?x=1&x=2&y=%20");
    let request = request
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(COOKIE, "a=b")
        .header("x-test", "1")
        .header("x-test", "2");
    let echo = world.send(request.body(Body::from("hello")).unwrap()).await.json();
    let expected = json!({
        "method": "REPORT", "path": "/api/echo/a%2Fb", "query": "x=1&x=2&y=%20",
        "headers": { "x-test": "1, 2" }, "body": "hello",
    });
    assert_eq!(echo, expected);
}

#[tokio::test]
async fn bad_input_gets_a_precise_answer() {
    let world = World::new();
    let (token, _) = world.tokens().await;
    let long = "x".repeat(BODY_LIMIT + 1);
    let table = [
        (Method::GET, "/nowhere", "", 404, "not_found"),
        (Method::PUT, "/api/me", "", 405, "method_not_allowed"),
        (Method::GET, "/oauth/token", "", 405, "method_not_allowed"),
        (Method::POST, "/oauth/token", "{}", 400, "invalid_request"),
        (Method::POST, "/api/notes", "{", 400, "invalid_request"),
        (Method::POST, "/api/notes", "{}", 400, "invalid_request"),
        (Method::POST, "/api/notes", &long, 413, "body_too_large"),
        (Method::GET, "/api/notes/x", "", 404, "not_found"),
    ];
    for (method, path, body, status, error) in table {
        let answer = world.api(method.clone(), path, &token, body).await;
        assert_eq!(answer.refusal(), (status, error.to_owned()), "{method} {path}");
        assert_eq!(answer.headers.contains_key(ALLOW), status == 405, "{method} {path}");
    }

    let repeated = post("/oauth/token", &[("grant_type", "a"), ("grant_type", "b")], &[]);
    assert_eq!(world.send(repeated).await.refusal().1, "invalid_request");
    let bare = world.send(Request::get("/api/me").body(Body::empty()).unwrap()).await;
    assert_eq!((bare.status.as_u16(), bare.headers[WWW_AUTHENTICATE].to_str().unwrap()), (401, "Bearer"));
}

#[tokio::test]
async fn a_restart_keeps_grants_and_holds_no_token_in_clear() {
    let folder = std::env::temp_dir().join(format!("acme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("acme.json");
    let (access, refresh) = World::with_file(Some(file.clone())).tokens().await;

    let content = std::fs::read_to_string(&file).unwrap();
    for secret in [access.as_str(), &refresh, "s3cret"] {
        assert!(!content.contains(secret));
    }
    let restarted = World::with_file(Some(file));
    assert_eq!(restarted.me(&access).await, StatusCode::OK);
    assert_eq!(restarted.refresh(&refresh).await.status, StatusCode::OK);

    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(restarted.revoke(&refresh).await.refusal(), (503, "temporarily_unavailable".to_owned()));
    assert!(restarted.provider.grant_is_active("alice"), "what could not be written has not happened");
}

#[test]
fn a_redirect_uri_is_absolute_and_has_no_fragment() {
    let world = World::new();
    for uri in ["/callback", "http://a.example/#x", "mailto:a@b.example"] {
        assert!(world.provider.register_client("c", &Secret::new("s"), "C", &[uri.to_owned()]).is_err(), "{uri}");
    }
}

#[tokio::test]
async fn the_front_page_lists_grants() {
    let world = World::new();
    let (_, refresh) = world.tokens().await;
    world.revoke(&refresh).await;
    let page = Browser::default().get(&world, "/").await;
    assert!(page.body.contains("alice") && page.body.contains("revoked") && page.body.contains("2026-11-21 14:05 UTC"));
    let list = Browser::default().get(&world, "/grants").await.json();
    let expected = json!({ "grants": [{
        "user": "alice", "client_id": "mooring", "client": "Mooring", "scope": "profile notes:read notes:write",
        "state": "revoked", "granted_at": START, "revoked_at": START, "cause": "revoked_by_client",
    }]});
    assert_eq!(list, expected);
}
