//! A secret key arrives five ways, and on every route it means the same in each.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use shared::{
    id::{Environment, Role},
    routes::{Access, Operation, ROUTES, Route},
};

use crate::{
    requests::{Fixture, Wanted, is_granted},
    world::{NewClient, World},
};

const FORM: &str = "application/x-www-form-urlencoded";

fn basic(client: &NewClient) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", client.id, client.secret)))
}

fn in_form(good: &Wanted, client: &NewClient) -> Wanted {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    if let Some((_, body)) = &good.body {
        let members: serde_json::Map<String, Value> = serde_json::from_str(body).unwrap();
        for (name, value) in members {
            form.append_pair(&name, value.as_str().unwrap());
        }
    }
    form.append_pair("client_id", &client.id).append_pair("client_secret", &client.secret);
    Wanted { body: Some((FORM, form.finish())), ..good.clone() }
}

fn in_json(good: &Wanted, client: &NewClient) -> Wanted {
    let body = good.body.as_ref().map_or("{}", |(_, body)| body);
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["client_id"] = client.id.clone().into();
    body["client_secret"] = client.secret.clone().into();
    Wanted { body: Some(("application/json", body.to_string())), ..good.clone() }
}

/// What reads its body as JSON alone.
fn reads_no_form(route: &Route) -> bool {
    matches!(
        route.operation,
        Operation::CreateSession
            | Operation::CreateCredential
            | Operation::ListWidgetConnectors
            | Operation::UpdateConnection
            | Operation::UpgradeConnection
            | Operation::UpdateProject
            | Operation::CreateClient
            | Operation::PutCustomConnector
            | Operation::BeginDevice
            | Operation::CollectDevice
            | Operation::DiscoverConnector
    )
}

/// Where the two members in the body are somebody else's: the provider's own request, the client that Mooring has there.
fn has_a_body_of_its_own(route: &Route) -> bool {
    matches!(route.operation, Operation::Passthrough | Operation::PutProjectConnector | Operation::PutDefaultClient)
}

/// Every way that there is on this route.
fn ways(route: &Route, good: &Wanted, client: &NewClient) -> Vec<(&'static str, Wanted)> {
    let mut ways = vec![
        ("Bearer", good.clone().with("authorization", &format!("Bearer {}", client.key))),
        ("X-One-Secret", good.clone().with("x-one-secret", &client.key)),
        ("X-Pica-Secret", good.clone().with("x-pica-secret", &client.key)),
        ("Basic", good.clone().with("authorization", &basic(client))),
    ];
    if has_a_body_of_its_own(route) {
        return ways;
    }
    ways.push(("JSON", in_json(good, client)));
    if !reads_no_form(route) {
        ways.push(("form", in_form(good, client)));
    }
    ways
}

#[tokio::test]
async fn every_route_takes_a_key_in_every_way() {
    let world = World::new().await;
    let mut fixture = Fixture::new(&world).await;
    let client = world.client(Environment::Live, &Role::ALL).await;
    let test = world.client(Environment::Test, &Role::ALL).await;
    for route in ROUTES.iter().filter(|route| matches!(route.access, Access::Roles(_) | Access::RootOr(_))) {
        // what both environments share takes a live key, all else is of the test environment here
        let shared = matches!(
            route.operation,
            Operation::UpdateProject
                | Operation::PutCustomConnector
                | Operation::DeleteCustomConnector
                | Operation::DiscoverConnector
        );
        let client = if shared { &client } else { &test };
        let number = ways(route, &fixture.good(route, &world), client).len();
        for at in 0..number {
            fixture.renew(&world, route.operation).await;
            let (way, wanted) = ways(route, &fixture.good(route, &world), client).swap_remove(at);
            let answer = wanted.call(&world).send().await;
            assert!(
                is_granted(route.operation, &answer),
                "{way} {} {}: {} {}",
                route.method,
                route.path,
                answer.status,
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn a_body_of_somebody_else_presents_nothing() {
    let world = World::new().await;
    let fixture = Fixture::new(&world).await;
    let client = world.client(Environment::Test, &Role::ALL).await;
    for route in ROUTES.iter().filter(|route| has_a_body_of_its_own(route)) {
        for wanted in [
            in_json(&fixture.good(route, &world), &client),
            in_form(&Wanted { body: None, ..fixture.good(route, &world) }, &client),
        ] {
            let answer = wanted.call(&world).send().await;
            assert_eq!(answer.status, 401, "{} {}: {}", route.method, route.path, answer.text());
        }
    }
    assert_eq!(fixture.provider.seen().len(), 0);

    // and what the provider is told in it arrives as it was sent
    let body = r#"{"client_id":"theirs","client_secret":"theirs too"}"#;
    let call = world.api("POST", "/v1/passthrough/own-key/things").header("x-one-connection-key", &fixture.connection);
    assert_eq!(call.body("application/json", body).send().await.status, 200);
    assert_eq!(fixture.provider.seen()[0].body, body);
}

#[tokio::test]
async fn two_different_credentials_are_refused_in_whatever_ways_they_come() {
    let world = World::new().await;
    let (one, other) =
        (world.client(Environment::Test, &Role::ALL).await, world.client(Environment::Test, &Role::ALL).await);
    let jwt = world.jwt(&one).await;
    let body = |client: &NewClient| json!({ "client_id": client.id, "client_secret": client.secret });
    let ask = || world.call("GET", "/v1/vault/connections");
    let wrong = json!({ "client_id": one.id, "client_secret": "wrong" });
    let table = [
        ("a header and the body", ask().bearer(&one.key).json(&body(&other))),
        ("a header and another secret in the body", ask().bearer(&one.key).json(&wrong)),
        ("Basic and the body", ask().header("authorization", &basic(&one)).json(&body(&other))),
        ("Basic and a header", ask().header("authorization", &basic(&one)).header("x-one-secret", &other.key)),
        ("a token and a key of the same client", ask().bearer(&jwt).header("x-one-secret", &one.key)),
        ("a token and the body", ask().bearer(&jwt).json(&body(&one))),
        (
            "a form that names two",
            ask().body(FORM, format!("client_id={}&client_id={}&client_secret=x", one.id, other.id)),
        ),
        (
            "the root key and a header",
            world.call("GET", "/v1/admin/projects").bearer(&world.server.root_key).header("x-one-secret", &one.key),
        ),
        (
            "the root key and the body",
            world.call("GET", "/v1/admin/projects").bearer(&world.server.root_key).json(&body(&one)),
        ),
    ];
    for (case, call) in table {
        let answer = call.send().await;
        assert_eq!(answer.refusal(), (400, "invalid_request".to_owned()), "{case}: {}", answer.text());
    }
    let same = [
        ("a header and the body", ask().bearer(&one.key).json(&body(&one))),
        ("all of them", ask().header("authorization", &basic(&one)).header("x-one-secret", &one.key).json(&body(&one))),
        ("half of one in the body", ask().bearer(&one.key).json(&json!({ "client_id": other.id }))),
        ("a body that nobody reads", ask().bearer(&one.key).body("application/json", "{")),
        ("a body of another type", ask().bearer(&one.key).body("text/plain", body(&other).to_string())),
    ];
    for (case, call) in same {
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{case}: {}", answer.text());
    }
    let alone = [
        ("a wrong secret", ask().json(&wrong), 401),
        ("no id of ours", ask().json(&json!({ "client_id": "somebody", "client_secret": "x" })), 401),
        ("half of one", ask().json(&json!({ "client_id": one.id })), 401),
        ("a secret that is no text", ask().json(&json!({ "client_id": one.id, "client_secret": [one.secret] })), 400),
    ];
    for (case, call, status) in alone {
        let answer = call.send().await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (status, None), "{case}: {}", answer.text());
    }
}
