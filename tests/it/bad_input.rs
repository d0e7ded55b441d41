//! Bad input on every route: a precise 4xx in the route's voice, and nothing is stored or lost.

mod scene;

use serde_json::{Value, json};
use shared::{
    http::{BODY_LIMIT, EVENT_LIMIT, Method},
    routes::{Access, Operation, ROUTES, Route, Voice, find},
};

use self::scene::{Scene, is_told};
use crate::{
    requests::{Wanted, is_granted},
    world::{Raw, World},
};

fn reads_a_body(route: &Route) -> bool {
    matches!(route.method, Method::Post | Method::Put | Method::Patch)
        && route.voice != Voice::Passthrough
        && route.voice != Voice::Page
}

/// What also reads a form, as OAuth does.
fn reads_a_form(route: &Route) -> bool {
    matches!(route.operation, Operation::IssueToken | Operation::GenerateOneTimeToken | Operation::CompleteCredential)
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let scene = Scene::new().await;
    let bodies = ["{", "nul", "[]", "\"text\"", "7", "null", "{\"a\":}", "{\"a\":1}}", "\u{feff}{}", &"[".repeat(1000)];
    scene
        .refuses(&[400], |route, good| {
            let broken = bodies
                .iter()
                .map(|body| Wanted { body: Some(("application/json", (*body).to_owned())), ..good.clone() });
            if reads_a_body(route) { broken.collect() } else { Vec::new() }
        })
        .await;
}

#[tokio::test]
async fn a_member_that_stands_twice_is_refused_and_named() {
    let scene = Scene::new().await;
    let twice = |good: &str, member: &str| format!("{}, {member}, {member}}}", good.strip_suffix('}').unwrap());
    scene
        .refuses(&[400], |route, good| {
            let Some((_, body)) = good.body.clone().filter(|_| reads_a_body(route)) else { return Vec::new() };
            let first: serde_json::Map<String, Value> = serde_json::from_str(&body).unwrap();
            let first =
                first.iter().next().map(|(name, value)| format!("{{\"{name}\": {value}, {}", &body[1..])).unwrap();
            let broken = [first, twice(&body, "\"unread\": 1"), twice(&body, "\"unread\": [{\"a\": 1, \"a\": 2}]")];
            broken.map(|body| Wanted { body: Some(("application/json", body)), ..good.clone() }).into()
        })
        .await;
    let body = r#"{"user_id": "ada", "connector_id": "acme", "user_id": "eve"}"#;
    let path = format!("/org/{}/generateOneTimeConnectorToken", scene.world.project());
    let answer = scene.world.api("POST", &path).body("application/json", body).send().await;
    let why = "the JSON body: the member `user_id` stands twice in an object at line 1 column 52";
    assert_eq!((answer.refusal(), answer.member("error_description")), ((400, "invalid_request".into()), why.into()));
}

/// serde would take its items for the fields, in the order in which our code happens to declare them.
#[tokio::test]
async fn a_list_in_the_place_of_an_object_is_refused_and_its_field_named() {
    let scene = Scene::new().await;
    let acme = scene.world.acme();
    let listed = |field: &str, list: Value| {
        let mut definition = acme.clone();
        let place = field.split('.').fold(&mut definition, |at, name| match name.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[name],
        });
        *place = list;
        definition
    };
    let oauth2 = json!(["https://a.example/authorize", "https://a.example/token"]);
    let table = [
        ("oauth2", oauth2),
        ("oauth2.token_response", json!(["a", "b", "c", "d"])),
        ("oauth2.authorization_params", json!([["a", "b"]])),
        ("api", json!(["https://a.example"])),
        ("api.credential", json!(["header", "Authorization", "Bearer ", "access_token"])),
        ("profile", json!(["GET", "https://a.example/me"])),
        ("revoke", json!(["https://a.example/revoke"])),
        ("captures", json!([])),
        ("evidence", json!(["custom", [], ""])),
        ("inputs", json!([["name", "Label"]])),
        ("settings", json!([{ "name": "a", "label": "A" }, ["b", "B"]])),
        ("lookups", json!([["name", "https://a.example/x", "id"]])),
    ];
    let before = scene.world.dump().await;
    let path = format!("/v1/admin/projects/{}/connectors/listed", scene.world.project());
    for (field, list) in table {
        let body = listed(field, list);
        let answer = scene.world.call("PUT", &path).bearer(&scene.world.server.root_key).json(&body).send().await;
        assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()), "{field}: {}", answer.text());
        let why = answer.member("error_description");
        assert!(why.starts_with(&format!("the JSON body does not fit: {field}")), "{field}: {why}");
    }
    assert_eq!(scene.world.dump().await, before);
}

/// The same object with each of its members, at any depth, replaced by each of these in turn.
fn spoilt(good: &Value, bad: &[Value]) -> Vec<Value> {
    let members: Vec<(String, &Value)> = match good {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    let replaced = |name: &str, value: Value| {
        let mut whole = good.clone();
        *whole.pointer_mut(&format!("/{name}")).unwrap() = value;
        whole
    };
    let spoil = |(name, value): (String, &Value)| {
        let all = bad.iter().cloned().chain(spoilt(value, bad));
        all.map(|value| replaced(&name, value)).collect::<Vec<_>>()
    };
    members.into_iter().flat_map(spoil).collect()
}

/// Bodies that name every member which an operator may send.
fn whole_bodies(world: &World) -> Vec<(&'static str, String, Value)> {
    let projects = "/v1/admin/projects".to_owned();
    let own = format!("{projects}/{}", world.project());
    let project = json!({
        "name": "Orbit", "allowed_origins": ["https://a.example"], "redirect_uris": ["https://a.example/b"],
        "vouches_for_users": true, "brand": { "colour": "#123456", "logo_url": "https://a.example/logo.svg" },
    });
    let client = json!({ "name": "Back end", "description": "d", "roles": ["read"], "environment": "test" });
    let decision = json!({
        "client_id": "a", "client_secret": "b", "enabled": true, "visible": true, "order": 1, "scopes": ["a"],
        "second_scopes": ["a"], "authorization_params": { "a": "b" }, "settings": { "a": "b" }, "callback": "own",
    });
    vec![
        ("POST", projects, project.clone()),
        ("PATCH", own.clone(), project),
        ("POST", format!("{own}/clients"), client),
        ("PUT", "/v1/admin/connectors/slack".to_owned(), decision.clone()),
        ("PUT", format!("{own}/environments/test/connectors/github"), decision),
        ("PUT", format!("{own}/connectors/spoilt"), world.acme()),
    ]
}

#[tokio::test]
async fn a_refusal_of_a_member_names_it_once_and_no_type_of_ours() {
    let scene = Scene::new().await;
    let bad = [
        json!(null),
        json!(-1),
        json!("a b\u{200b}"),
        json!("x".repeat(5000)),
        json!([""]),
        json!(["http://evil.example/"]),
        json!(vec!["https://a.example"; 200]),
        json!({ "a": 7 }),
    ];
    let sent = ROUTES.iter().filter(|route| reads_a_body(route)).filter_map(|route| {
        let Wanted { path, body, .. } = scene.good(route);
        Some((route.method.as_str(), path, serde_json::from_str(&body?.1).unwrap(), scene.bearer(route)))
    });
    let root = Some(scene.world.server.root_key.clone());
    let whole = whole_bodies(&scene.world).into_iter().map(|(method, path, good)| (method, path, good, root.clone()));
    for (method, path, good, bearer) in sent.chain(whole) {
        for body in spoilt(&good, &bad) {
            let call = scene.world.call(method, &path).bearer(bearer.as_deref().unwrap_or_default());
            let answer = call.json(&body).send().await;
            if answer.status < 300 {
                continue; // it fits there
            }
            assert!(answer.status < 500, "{method} {path} {body}: {}", answer.text());
            let why = answer.member("error_description");
            let words: Vec<&str> = why.split([' ', ':']).filter(|word| !word.is_empty()).collect();
            assert!(words.windows(2).all(|two| two[0] != two[1]), "{method} {path}: {why}");
            assert!(
                !words.iter().any(|word| ["struct", "enum", "variant", "u32"].contains(word)),
                "{method} {path}: {why}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_is_missing_is_refused() {
    let scene = Scene::new().await;
    let without = |route: &Route| route.operation != Operation::ListWidgetConnectors; // some clients send none there
    scene
        .refuses(&[400, 401], |route, good| {
            if reads_a_body(route) && without(route) { vec![Wanted { body: None, ..good }] } else { Vec::new() }
        })
        .await;
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let scene = Scene::new().await;
    scene
        .refuses(&[415], |route, good| {
            let types = [
                "text/plain",
                "application/xml",
                "multipart/form-data; boundary=x",
                "application/x-www-form-urlencoded",
            ];
            let read = |content_type: &str| content_type.ends_with("urlencoded") && reads_a_form(route);
            let text = good.body.clone().map(|(_, text)| text).unwrap_or_default();
            let broken = types.into_iter().filter(|content_type| !read(content_type));
            let broken = broken.map(|content_type| Wanted { body: Some((content_type, text.clone())), ..good.clone() });
            if reads_a_body(route) { broken.collect() } else { Vec::new() }
        })
        .await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let scene = Scene::new().await;
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_LIMIT));
    let larger = "x".repeat(EVENT_LIMIT + 1);
    scene
        .refuses(&[413], |route, good| {
            let passthrough = route.voice == Voice::Passthrough;
            // one is enough of what takes long to send
            if passthrough && route.method != Method::Post {
                return Vec::new();
            }
            let body = if passthrough { &larger } else { &large };
            vec![Wanted { body: Some(("application/json", body.clone())), ..good }]
        })
        .await;
}

#[tokio::test]
async fn a_character_that_nobody_sees_is_refused_and_named() {
    let scene = Scene::new().await;
    let project = scene.world.project().to_owned();
    let bare = |name: &str| json!({ "name": name, "inputs": [], "api": { "base_url": "https://api.example.com" } });
    let session = "/v1/connect/sessions";
    let table = [
        ("POST", session.to_owned(), json!({ "identity": "ad\u{ad}a" }), "identity holds U+00AD"),
        ("POST", session.to_owned(), json!({ "userId": "ada\u{200d}" }), "userId holds U+200D"),
        ("POST", session.to_owned(), json!({ "user_id": "ada\u{feff}" }), "user_id holds U+FEFF"),
        ("POST", session.to_owned(), json!({ "identityLabel": "Ada\u{2064}" }), "identityLabel holds U+2064"),
        ("POST", session.to_owned(), json!({ "userLabel": "Ada\u{e0041}" }), "userLabel holds U+E0041"),
        ("GET", "/v1/vault/connections?identity=ada%E2%80%8B".to_owned(), Value::Null, "identity holds U+200B"),
        ("GET", "/connectors/acme/oauth/authorize?userId=ada%D8%9C".to_owned(), Value::Null, "userId holds U+061C"),
        ("DELETE", "/users/ada%E2%81%A9".to_owned(), Value::Null, "userId holds U+2069"),
        (
            "PATCH",
            format!("/v1/vault/connections/{}", scene.fixture.connection),
            json!({ "name": "Mail\u{200b}" }),
            "name holds U+200B",
        ),
        (
            "POST",
            "/v1/admin/projects".to_owned(),
            json!({ "name": "Orbit\u{200b}" }),
            "the JSON body does not fit: name: holds U+200B",
        ),
        (
            "POST",
            format!("/v1/admin/projects/{project}/clients"),
            json!({ "name": "Back\u{202e}end", "roles": ["read"], "environment": "test" }),
            "name holds U+202E",
        ),
        (
            "PUT",
            format!("/v1/admin/projects/{project}/connectors/unseen"),
            bare("Intra\u{2060}net"),
            "name: holds U+2060",
        ),
    ];
    let before = scene.world.dump().await;
    for (method, path, body, why) in table {
        let key = if path.starts_with("/v1/admin") { scene.world.server.root_key.clone() } else { scene.world.key() };
        let call = scene.world.call(method, &path).bearer(&key);
        let answer = if body.is_null() { call.send().await } else { call.json(&body).send().await };
        let said = answer.member("error_description");
        assert_eq!((answer.status, said), (400, format!("{why}, a character that can't be seen")), "{method} {path}");
    }
    assert_eq!(scene.world.dump().await, before);
    // where a person's name needs them, the joiners stay
    let joined = json!({ "identity": "ada", "identityLabel": "👩\u{200d}💻 می\u{200c}خواهم" });
    assert_eq!(scene.world.post(session, &joined).await.status, 200);
}

#[tokio::test]
async fn a_method_that_the_address_does_not_have_is_refused_with_those_it_has() {
    let scene = Scene::new().await;
    let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "REPORT", "get"];
    let before = scene.world.dump().await;
    for route in ROUTES {
        let good = scene.good(route);
        let methods: Vec<&str> = find(&good.path).unwrap().routes.iter().map(|route| route.method.as_str()).collect();
        for method in all.into_iter().filter(|method| !methods.contains(method)) {
            let answer = scene.world.call(method, &good.path).send().await;
            let case = format!("{method} {}", good.path);
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(format!("{}, OPTIONS", methods.join(", ")).as_str())),
                "{case}"
            );
            if method != "HEAD" {
                is_told(&answer, route.voice, &case);
            }
        }
        let asked = scene.world.call("OPTIONS", &good.path).header("origin", "https://any.example");
        let asked = asked
            .header("access-control-request-method", route.method.as_str())
            .header("access-control-request-headers", "authorization, x-user-id");
        let preflight = asked.send().await;
        let said = [
            "access-control-allow-origin",
            "access-control-allow-methods",
            "access-control-allow-headers",
            "access-control-allow-credentials",
        ];
        let methods = methods.join(", ");
        let expected = [Some("*"), Some(methods.as_str()), Some("authorization, x-user-id"), None];
        assert_eq!((preflight.status, said.map(|name| preflight.header(name))), (204, expected), "{}", good.path);
    }
    assert_eq!(scene.world.dump().await, before);
}

#[tokio::test]
async fn a_path_segment_that_is_no_text_is_refused() {
    let scene = Scene::new().await;
    scene
        .refuses(&[400], |route, good| {
            let names: Vec<&str> = route.path.split('/').filter(|s| s.starts_with('{') && !s.ends_with("+}")).collect();
            let broken = names.iter().flat_map(|name| {
                let at = route.path.split('/').position(|segment| segment == *name).unwrap();
                ["%zz", "%", "%2", "a%ffb", "%C3%28", "%ED%A0%80"].map(|bad| {
                    let path: Vec<_> =
                        good.path.split('/').enumerate().map(|(i, s)| if i == at { bad } else { s }).collect();
                    Wanted { path: path.join("/"), ..good.clone() }
                })
            });
            broken.collect()
        })
        .await;
}

#[tokio::test]
async fn what_is_named_and_is_not_there_is_refused() {
    let scene = Scene::new().await;
    let long = "x".repeat(9000);
    scene
        .refuses(&[400, 401, 404], |route, good| {
            // where anybody's name is as good as another's
            if matches!(
                route.operation,
                Operation::ConnectorImage
                    | Operation::ListUserCredentials
                    | Operation::DeleteUser
                    | Operation::PutCustomConnector
            ) {
                return Vec::new();
            }
            let names: Vec<&str> = route.path.split('/').filter(|s| s.starts_with('{') && !s.ends_with("+}")).collect();
            let broken = names.iter().flat_map(|name| {
                let at = route.path.split('/').position(|segment| segment == *name).unwrap();
                ["nobodys", "A%20B", "..%2F..%2Fx", "%00", "%F0%9F%98%80", "conn_x%23y", long.as_str()].map(|other| {
                    let path: Vec<_> =
                        good.path.split('/').enumerate().map(|(i, s)| if i == at { other } else { s }).collect();
                    Wanted { path: path.join("/"), ..good.clone() }
                })
            });
            broken.collect()
        })
        .await;
}

#[tokio::test]
async fn a_credential_that_comes_twice_or_has_no_form_is_refused() {
    let scene = Scene::new().await;
    let key = scene.world.key();
    scene
        .refuses(&[400, 401], |route, good| {
            if matches!(route.access, Access::Public) {
                return Vec::new();
            }
            let bare = scene.fixture.good(route, &scene.world);
            let bearer = format!("Bearer {}", scene.bearer(route).unwrap());
            let twice = good.clone().with("authorization", &bearer);
            let other = good.with("authorization", "Bearer another");
            let malformed = [
                "",
                "Bearer",
                "Bearer ",
                "Basic",
                "Basic !!",
                "Basic eA==",
                "Digest x",
                "sk_test_x",
                "Bearer sk_",
                "Bearer sk_test_p1-t1",
                "Bearer ey.a.b",
                "Bearer \u{e9}",
            ];
            let malformed = malformed.map(|text| bare.clone().with("authorization", text));
            let long = bare.clone().with("authorization", &format!("Bearer {}", "x".repeat(20_000)));
            let two = bare.clone().with("x-one-secret", &key).with("x-pica-secret", "sk_test_p1-t1_x");
            [twice, other, long, two].into_iter().chain(malformed).collect()
        })
        .await;
}

#[tokio::test]
async fn a_malformed_or_repeated_parameter_is_refused_where_it_is_read() {
    let scene = Scene::new().await;
    let own = [
        (Operation::AuthorizeConnector, "userId"),
        (Operation::Start, "state"),
        (Operation::Callback, "state"),
        (Operation::ListAvailableConnectors, "page"),
        (Operation::ListWidgetConnectors, "limit"),
        (Operation::ListConnections, "identity"),
        (Operation::ConnectPage, "token"),
        (Operation::EditPage, "token"),
        (Operation::ChoosePage, "token"),
    ];
    scene
        .refuses(&[400], |route, good| {
            let Some((_, name)) = own.iter().find(|(operation, _)| *operation == route.operation) else {
                return Vec::new();
            };
            let queries = [
                format!("{name}=%zz"),
                format!("{name}=%"),
                format!("{name}=%ff"),
                format!("{name}=1&{name}=1"),
                "%zz=1".to_owned(),
                (0..101).map(|i| format!("a{i}=1")).collect::<Vec<_>>().join("&"),
            ];
            queries.map(|query| Wanted { query, ..good.clone() }).into()
        })
        .await;
}

#[tokio::test]
async fn a_trailing_slash_is_overlooked() {
    let mut scene = Scene::new().await;
    for route in ROUTES.iter().filter(|route| route.operation != Operation::Passthrough) {
        let mut said = Vec::new();
        for slash in ["", "/"] {
            scene.fixture.renew(&scene.world, route.operation).await;
            let mut wanted = scene.good(route);
            wanted.path.push_str(slash);
            let answer = wanted.call(&scene.world).send().await;
            if route.access != Access::Public {
                assert!(is_granted(route.operation, &answer), "{}{slash}: {}", route.path, answer.text());
            }
            said.push(answer.status);
        }
        assert_eq!(said[0], said[1], "{}", route.path);
    }
}

#[tokio::test]
async fn what_leads_nowhere_is_404_in_the_askers_voice() {
    let world = World::new().await;
    for path in [
        "/nowhere",
        "/connect//",
        "/v1/passthrough",
        "/v1/passthrough/",
        "/connectors/acme",
        "/v1/vault/connections/a/b",
        "/prod/connect",
        "/CONNECT",
        "/%2e%2e/",
        "/v1/./admin",
    ] {
        let raw = |accept| world.send_raw(Raw { method: "GET", target: path, headers: accept, body: b"" });
        let api = raw(&[("accept", "application/json")]).await;
        assert_eq!(api.status, 404, "{path}: {}", api.text());
        is_told(&api, Voice::Api, path);
        let page = world.browser().open(&format!("{}/nowhere", world.base())).await;
        is_told(&page, Voice::Page, path);
    }
    assert_eq!(world.get("/nowhere").await.json()["error"], Value::from("not_found"));
}
