use std::sync::{
    Mutex,
    atomic::{AtomicU8, Ordering},
};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Request as Incoming, State},
    http::{
        HeaderMap, Method, Request, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
            AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE, VARY,
        },
    },
    response::IntoResponse,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use url::form_urlencoded;

use super::*;

const APP: &str = "http://orbit.localhost:7";

/// What the stand-in for Mooring has been asked: method, path with query, and body.
type Log = Arc<Mutex<Vec<(String, String, Value)>>>;

/// The app, and a stand-in for Mooring that it talks to.
struct World {
    router: Router,
    base: Url,
    log: Log,
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
    cookie: String,
}

impl World {
    /// Mooring stands under a prefix, as it does behind a stage.
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}/prod", listener.local_addr().unwrap())).unwrap();
        let log = Log::default();
        let mooring = Router::new().fallback(mooring).with_state(log.clone());
        tokio::spawn(async move { axum::serve(listener, mooring).await });
        Self { router: app(base.clone()), base, log }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// The last request to Mooring.
    fn last(&self) -> (String, String, Value) {
        self.log.lock().unwrap().last().cloned().unwrap()
    }

    fn calls(&self) -> usize {
        self.log.lock().unwrap().len()
    }
}

fn app(base_url: Url) -> Router {
    let next = AtomicU8::new(1);
    router(Config {
        base_url,
        app_url: Url::parse(APP).unwrap(),
        project_id: "prj_1".to_owned(),
        secret_key: Secret::new("sk_test_key"),
        http: client(),
        clock: Arc::new(|| 1_795_269_900),
        random: Arc::new(move |bytes| bytes.fill(next.fetch_add(1, Ordering::Relaxed))),
    })
}

fn client() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
    builder.no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Answers in Mooring's shapes. Alice has one connection, on the second of two pages.
async fn mooring(State(log): State<Log>, request: Incoming) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    assert_eq!(parts.headers[AUTHORIZATION], "Bearer sk_test_key");
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let method = parts.method.to_string();
    log.lock().unwrap().push((method.clone(), path.clone(), serde_json::from_slice(&body).unwrap_or_default()));

    let identity_page = |identity, page| format!("identity={identity}&identityType=user&page={page}&limit=100");
    match (method.as_str(), path.strip_prefix("/prod").unwrap()) {
        ("POST", "/org/prj_1/generateOneTimeConnectorToken") => {
            Json(json!({ "token": "ott+1", "expires_at": 1, "ttl": 300 })).into_response()
        }
        ("POST", "/v1/authkit/token?page=2&limit=50") => {
            (StatusCode::CREATED, Json(json!({ "rows": [], "session": "s" }))).into_response()
        }
        ("GET", list) if list.ends_with(&identity_page("alice", 1)) => {
            Json(json!({ "rows": [], "pages": 2 })).into_response()
        }
        ("GET", list) if list.ends_with(&identity_page("alice", 2)) => {
            let row = json!({
                "key": "conn_1", "name": "<b>Acme</b>", "platform": "acme", "state": "connected",
                "createdAt": 1_795_269_900_000_u64,
            });
            Json(json!({ "rows": [row], "pages": 2 })).into_response()
        }
        ("GET", list) if list.ends_with(&identity_page("bob", 1)) => {
            Json(json!({ "rows": [], "pages": 1 })).into_response()
        }
        ("GET", "/v1/passthrough/acme/me") if parts.headers["x-one-connection-key"] == "conn_1" => {
            Json(json!({ "name": "Alice <Archer>" })).into_response()
        }
        ("DELETE", "/v1/vault/connections/conn_1") => Json(json!({ "revocation": "revoked" })).into_response(),
        _ => (StatusCode::NOT_FOUND, Json(json!({ "error": "not_found", "error_description": "no such thing" })))
            .into_response(),
    }
}

impl Browser {
    async fn logged_in(world: &World, user: &str) -> Self {
        let mut browser = Self::default();
        let welcome = browser.get(world, "/").await;
        let answer = browser.post(world, "/login", &[("csrf", &welcome.csrf()), ("user", user)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        browser
    }

    async fn get(&mut self, world: &World, uri: &str) -> Answer {
        self.send(world, Request::get(uri), "").await
    }

    async fn post(&mut self, world: &World, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(world, request, &body).await
    }

    /// Presses a button of the page.
    async fn click(&mut self, world: &World, path: &str, form: &[(&str, &str)]) -> Answer {
        let csrf = self.get(world, "/").await.csrf();
        self.post(world, path, &[&[("csrf", csrf.as_str())], form].concat()).await
    }

    async fn send(&mut self, world: &World, request: axum::http::request::Builder, body: &str) -> Answer {
        let request = request.header(COOKIE, &self.cookie).body(Body::from(body.to_owned())).unwrap();
        let answer = world.send(request).await;
        if let Some(cookie) = answer.headers.get(SET_COOKIE) {
            self.cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        answer
    }
}

impl Answer {
    fn csrf(&self) -> String {
        let after = self.body.split_once("name=\"csrf\" value=\"").unwrap().1;
        after.split_once('"').unwrap().0.to_owned()
    }

    fn summary(&self) -> (u16, &str) {
        (self.status.as_u16(), &self.body)
    }

    fn header(&self, name: &axum::http::HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[tokio::test]
async fn a_login_is_one_click_and_ends_with_the_logout() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "alice").await;
    assert!(browser.get(&world, "/").await.body.contains("Alice Adams"));
    let while_logged_in = browser.cookie.clone();
    browser.click(&world, "/logout", &[]).await;
    browser.cookie = while_logged_in;
    assert!(!browser.get(&world, "/").await.body.contains("Connected accounts"));
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let world = World::new().await;
    let welcome = Browser::default().get(&world, "/").await;
    let cookie = welcome.header(&SET_COOKIE).unwrap();
    assert!(cookie.starts_with("orbit_session=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
}

#[tokio::test]
async fn every_form_needs_its_token() {
    let world = World::new().await;
    let mut browser = Browser::logged_in(&world, "alice").await;
    for path in ["/login", "/logout", "/connect", "/call", "/disconnect"] {
        for form in [&[][..], &[("csrf", "AAAA")], &[("user", "bob"), ("key", "conn_1")]] {
            assert_eq!(browser.post(&world, path, form).await.status, StatusCode::FORBIDDEN, "{path} {form:?}");
        }
    }
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn a_one_time_token_is_for_the_user_who_is_logged_in() {
    let world = World::new().await;
    let mut alice = Browser::logged_in(&world, "alice").await;
    let route = "/api/get-one-time-connector-token";
    let table = [
        ("a stranger", &mut Browser::default(), "userId=alice&connectorId=acme", 401, r#"{"error":"Unauthorized"}"#),
        ("somebody else", &mut alice, "userId=bob&connectorId=acme", 403, r#"{"error":"Forbidden"}"#),
    ];
    for (case, browser, query, status, body) in table {
        assert_eq!(browser.get(&world, &format!("{route}?{query}")).await.summary(), (status, body), "{case}");
    }
    let incomplete = alice.get(&world, &format!("{route}?userId=alice")).await;
    assert_eq!(incomplete.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.calls(), 0);

    let answer = alice.get(&world, &format!("{route}?userId=alice&connectorId=acme")).await;
    assert_eq!(answer.summary(), (200, r#"{"expires_at":1,"token":"ott+1","ttl":300}"#));
    let sent = json!({
        "user_id": "alice", "connector_id": "acme", "user_label": "Alice Adams", "redirect_uri": format!("{APP}/"),
    });
    assert_eq!(world.last().2, sent);
}

#[tokio::test]
async fn the_widget_gets_its_page_for_the_user_who_is_logged_in() {
    let world = World::new().await;
    let mut alice = Browser::logged_in(&world, "alice").await;
    let ask = |user: &str| Request::post("/api/one-auth").header("x-user-id", user).header("limit", "50");

    let answer = alice.send(&world, ask("alice").header("page", "2"), "").await;
    assert_eq!(answer.summary(), (201, r#"{"rows":[],"session":"s"}"#));
    assert_eq!(world.last().2, json!({ "identity": "alice", "identityType": "user" }));

    let unauthorized = (401, r#"{"error":"Unauthorized"}"#);
    assert_eq!(alice.send(&world, Request::post("/api/one-auth"), "").await.summary(), unauthorized);
    assert_eq!(Browser::default().send(&world, ask("alice"), "").await.summary(), unauthorized);
    assert_eq!(alice.send(&world, ask("bob"), "").await.status, StatusCode::FORBIDDEN);
    for page in ["0", "-1", "x", "99999999999"] {
        let answer = alice.send(&world, ask("alice").header("page", page), "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{page}");
        let asked = Request::post(format!("/api/one-auth?page={page}&limit=50")).header("x-user-id", "alice");
        assert_eq!(alice.send(&world, asked, "").await.status, StatusCode::BAD_REQUEST, "{page}");
    }
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn only_our_own_origins_may_read_the_widget_answer() {
    let world = World::new().await;
    let mut alice = Browser::logged_in(&world, "alice").await;
    let frame = world.base.origin().ascii_serialization();
    let table = [(frame.as_str(), true), (APP, true), ("http://evil.example", false), ("null", false)];
    for method in [Method::OPTIONS, Method::POST] {
        for (origin, known) in table {
            let request = Request::builder().method(method.clone()).uri("/api/one-auth").header(ORIGIN, origin);
            let request = request.header("access-control-request-headers", "x-user-id, page, limit");
            let answer = alice.send(&world, request, "").await;
            let (allowed, credentials) =
                (answer.header(&ACCESS_CONTROL_ALLOW_ORIGIN), answer.header(&ACCESS_CONTROL_ALLOW_CREDENTIALS));
            assert_eq!((allowed, credentials), (known.then_some(origin), known.then_some("true")), "{method} {origin}");
            assert_eq!(answer.header(&VARY), Some("Origin"));
            if method == Method::OPTIONS {
                assert_eq!(answer.summary(), (204, ""));
                assert_eq!(answer.header(&ACCESS_CONTROL_ALLOW_HEADERS), Some("x-user-id, page, limit"));
            }
        }
    }
}

#[tokio::test]
async fn connecting_leaves_for_mooring_with_a_token() {
    let world = World::new().await;
    let answer = Browser::logged_in(&world, "alice").await.click(&world, "/connect", &[]).await;
    let expected = format!("{}/connect/acme?token=ott%2B1&organizationId=prj_1", world.base);
    assert_eq!((answer.status, answer.header(&LOCATION)), (StatusCode::SEE_OTHER, Some(expected.as_str())));
}

#[tokio::test]
async fn the_page_lists_all_connections_escaped() {
    let world = World::new().await;
    let page = Browser::logged_in(&world, "alice").await.get(&world, "/").await.body;
    assert!(page.contains("&#60;b&#62;Acme&#60;/b&#62;"), "{page}");
    assert!(page.contains("2026-11-21 14:05 UTC") && page.contains("conn_1"));
    assert!(Browser::logged_in(&world, "bob").await.get(&world, "/").await.body.contains("No account yet"));
}

#[tokio::test]
async fn a_connection_is_called_and_disconnected_by_its_owner_alone() {
    let world = World::new().await;
    let mut alice = Browser::logged_in(&world, "alice").await;
    let answer = alice.click(&world, "/call", &[("key", "conn_1")]).await;
    assert!(answer.body.contains("200 OK") && answer.body.contains("Alice &#60;Archer&#62;"), "{}", answer.body);
    let answer = alice.click(&world, "/disconnect", &[("key", "conn_1")]).await;
    assert!(answer.body.contains("&#34;revocation&#34;: &#34;revoked&#34;"), "{}", answer.body);

    let before = world.log.lock().unwrap().len();
    let mut bob = Browser::logged_in(&world, "bob").await;
    for (path, key) in [("/call", "conn_1"), ("/disconnect", "conn_1"), ("/call", "../../x"), ("/call", "")] {
        let answer = bob.click(&world, path, &[("key", key)]).await;
        assert!(answer.body.contains("not one of yours"), "{path} {key}");
    }
    assert!(world.log.lock().unwrap()[before..].iter().all(|(_, path, _)| path.contains("identity=bob")));
}

#[tokio::test]
async fn the_way_back_is_told_in_words() {
    let world = World::new().await;
    let mut alice = Browser::logged_in(&world, "alice").await;
    let table = [
        ("status=connected&connection=conn_1", "The account is connected."),
        ("error=access_denied&error_description=x", "because access was denied"),
        ("error=server_error", "not connected (server_error)"),
        ("error=e&error_description=%3Cscript%3E", "not connected: &#60;script&#62;"),
    ];
    for (query, expected) in table {
        let page = alice.get(&world, &format!("/?{query}")).await.body;
        assert!(page.contains(expected), "{query}: {page}");
    }
}

#[tokio::test]
async fn without_mooring_there_is_a_friendly_word() {
    // Nobody listens on port 1.
    let base = Url::parse("http://127.0.0.1:1").unwrap();
    let world = World { router: app(base.clone()), base, log: Log::default() };
    let mut alice = Browser::logged_in(&world, "alice").await;
    for path in ["/connect", "/call", "/disconnect"] {
        let answer = alice.click(&world, path, &[("key", "conn_1")]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.body.matches("reach Mooring right now").count(), 1, "{path}");
    }
    let answer = alice.get(&world, "/api/get-one-time-connector-token?userId=alice&connectorId=acme").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.body.starts_with(r#"{"error":"mooring_unavailable""#), "{}", answer.body);
}

#[tokio::test]
async fn a_wrong_path_or_method_is_named() {
    let world = World::new().await;
    let nowhere = Browser::default().get(&world, "/nowhere").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    let wrong = Browser::default().get(&world, "/login").await;
    assert_eq!((wrong.status, wrong.header(&ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, Some("POST")));
}
