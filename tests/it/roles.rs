//! Every route with every role, with none, with a revoked one, from the other environment and from a foreign project.

use std::time::Duration;

use shared::{
    id::{Environment, Role},
    routes::{Access, Operation, ROUTES, Route},
};

use crate::{
    requests::{Fixture, is_granted},
    world::{Answer, NewClient, World, instance, list_connections},
};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Root,
    Session,
    /// An app client with this role alone.
    With(Role),
    /// One with every role, that was revoked.
    Revoked,
    /// One with every role in the other environment.
    OtherEnvironment,
    /// One with every role in a foreign project.
    Foreign,
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Granted,
    /// As to anybody: the route has no secret.
    AsToAnybody,
    Refused(u16),
}

const EVERYBODY: [Who; 10] = [
    Who::Nobody,
    Who::Root,
    Who::Session,
    Who::With(Role::Admin),
    Who::With(Role::Connect),
    Who::With(Role::Use),
    Who::With(Role::Read),
    Who::Revoked,
    Who::OtherEnvironment,
    Who::Foreign,
];

#[expect(clippy::match_same_arms, reason = "each arm is a rule of its own, in the order in which they hold")]
fn expected(route: &Route, who: Who) -> Expected {
    let names = |param: &str| route.path.contains(param);
    match (route.access, who) {
        (Access::Public, _) => Expected::AsToAnybody,
        (Access::Session, Who::Session) => Expected::Granted,
        (Access::Roles(_) | Access::RootOr(_) | Access::Root, Who::Session) | (Access::Session, _) => {
            Expected::Refused(401)
        }
        (_, Who::Nobody | Who::Revoked) | (Access::Roles(_), Who::Root) => Expected::Refused(401),
        (Access::Root | Access::RootOr(_), Who::Root) => Expected::Granted,
        (Access::Root, _) => Expected::Refused(403),
        // a key of the test environment, as all of one role are here, does not decide about the live one too
        (Access::RootOr(_), Who::With(Role::Admin)) if is_shared(route.operation) => Expected::Refused(403),
        (Access::Roles(roles) | Access::RootOr(roles), Who::With(role)) if roles.contains(&role) => Expected::Granted,
        (_, Who::With(_)) => Expected::Refused(403),
        // to who may ask at all, what is somebody else's is not there
        (Access::Roles(_), Who::Foreign) if names("{org}") || names("{id}") || names("{path+}") => {
            Expected::Refused(404)
        }
        (Access::Roles(_), Who::OtherEnvironment) if names("{id}") || names("{path+}") => Expected::Refused(404),
        (Access::RootOr(_), Who::Foreign) => Expected::Refused(404),
        (Access::RootOr(_), Who::OtherEnvironment) if names("{environment}") || names("{client}") => {
            Expected::Refused(404)
        }
        (Access::RootOr(_), Who::OtherEnvironment) if route.operation == Operation::CreateClient => {
            Expected::Refused(404)
        }
        (_, Who::OtherEnvironment | Who::Foreign) => Expected::Granted,
    }
}

/// Whether it changes what both environments share.
fn is_shared(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::UpdateProject
            | Operation::PutCustomConnector
            | Operation::DeleteCustomConnector
            | Operation::DiscoverConnector
    )
}

/// The credentials of everybody.
struct Credentials {
    roles: Vec<(Role, NewClient)>,
    revoked: NewClient,
    other: NewClient,
    foreign: NewClient,
}

impl Credentials {
    async fn new(world: &World) -> Self {
        let mut roles = Vec::new();
        for role in Role::ALL {
            roles.push((role, world.client(Environment::Test, &[role]).await));
        }
        let revoked = world.client(Environment::Test, &Role::ALL).await;
        let path = format!("/v1/admin/projects/{}/clients/{}", world.project(), revoked.id);
        world.root("DELETE", &path, None).await;
        let other = world.client(Environment::Live, &Role::ALL).await;
        let beside = world.project_beside().await;
        let foreign = world.client_of(&beside, Environment::Test, &Role::ALL).await;
        Self { roles, revoked, other, foreign }
    }

    fn client(&self, who: Who) -> Option<&NewClient> {
        match who {
            Who::Nobody | Who::Root | Who::Session => None,
            Who::With(role) => self.roles.iter().find(|(own, _)| *own == role).map(|(_, client)| client),
            Who::Revoked => Some(&self.revoked),
            Who::OtherEnvironment => Some(&self.other),
            Who::Foreign => Some(&self.foreign),
        }
    }
}

async fn ask(world: &World, fixture: &Fixture, route: &Route, bearer: Option<&str>) -> Answer {
    let call = fixture.good(route, world).call(world);
    match bearer {
        Some(bearer) => call.bearer(bearer).send().await,
        None => call.send().await,
    }
}

/// Asks every route as everybody: first all that must be refused, after which nothing may have changed, then the rest.
async fn every_route_as_everybody(jwts: bool) {
    let world = World::new().await;
    let mut fixture = Fixture::new(&world).await;
    let credentials = Credentials::new(&world).await;
    fixture.renew(&world, Operation::ReadCustomConnector).await;
    let mut everybody = Vec::new();
    for who in EVERYBODY {
        let bearer = match (who, credentials.client(who)) {
            (Who::Root, _) => Some(world.server.root_key.clone()),
            (Who::Session, _) => Some(fixture.session.clone()),
            (Who::Revoked, Some(client)) if jwts => {
                assert_eq!(token(&world, client).await.refusal(), (401, "invalid_client".to_owned()));
                continue;
            }
            (_, Some(client)) if jwts => Some(world.jwt(client).await),
            (_, Some(client)) => Some(client.key.clone()),
            _ => None,
        };
        everybody.push((who, bearer));
    }

    let tables = ["settings", "connections", "journal", "flows"];
    let before = world.dump_of(&tables).await;
    for route in ROUTES {
        for (who, bearer) in &everybody {
            let Expected::Refused(status) = expected(route, *who) else { continue };
            let answer = ask(&world, &fixture, route, bearer.as_deref()).await;
            assert_eq!(answer.status, status, "{who:?} {} {}: {}", route.method, route.path, answer.text());
        }
    }
    assert_eq!(world.dump_of(&tables).await, before, "a refused request changed something");
    let gone_out = fixture.provider.seen().len() + fixture.server.fake.seen().len();
    assert_eq!(gone_out, 0, "a refused call went out");

    for route in ROUTES.iter().filter(|route| route.operation != Operation::IssueToken) {
        let to_anybody = ask(&world, &fixture, route, None).await.status;
        for (who, bearer) in &everybody {
            let outcome = expected(route, *who);
            if let Expected::Refused(_) = outcome {
                continue;
            }
            fixture.renew(&world, route.operation).await;
            let answer = ask(&world, &fixture, route, bearer.as_deref()).await;
            let said = format!("{who:?} {} {}: {} {}", route.method, route.path, answer.status, answer.text());
            match outcome {
                Expected::AsToAnybody => assert_eq!(answer.status, to_anybody, "{said}"),
                _ => assert!(is_granted(route.operation, &answer), "{said}"),
            }
            if matches!(who, Who::OtherEnvironment | Who::Foreign) {
                assert!(!answer.text().contains(&fixture.connection), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn every_route_answers_the_keys_of_its_roles_and_nobody_elses() {
    every_route_as_everybody(false).await;
}

#[tokio::test]
async fn every_route_answers_the_tokens_of_its_roles_and_nobody_elses() {
    every_route_as_everybody(true).await;
}

async fn token(world: &World, client: &NewClient) -> Answer {
    let form = [("grant_type", "client_credentials"), ("client_id", &client.id), ("client_secret", &client.secret)];
    world.call("POST", "/oauth2/token").form(&form).send().await
}

/// Asks every route that needs an app client.
async fn is_dead_everywhere(world: &World, fixture: &Fixture, bearer: &str) {
    for route in ROUTES.iter().filter(|route| route.access != Access::Public) {
        let answer = ask(world, fixture, route, Some(bearer)).await;
        assert_eq!(answer.status, 401, "{} {}: {}", route.method, route.path, answer.text());
    }
}

#[tokio::test]
async fn an_expired_token_opens_nothing() {
    let world = World::new().await;
    let fixture = Fixture::new(&world).await;
    let client = world.client(Environment::Test, &Role::ALL).await;
    let jwt = world.jwt(&client).await;
    let lists = || world.call("GET", "/v1/vault/connections").bearer(&jwt);
    world.turn(Duration::from_secs(1799));
    assert_eq!(lists().send().await.status, 200, "to the last second");
    world.turn(Duration::from_secs(1));
    is_dead_everywhere(&world, &fixture, &jwt).await;
}

#[tokio::test]
async fn a_revoked_clients_key_and_token_open_nothing_within_a_minute() {
    let world = World::new().await;
    let fixture = Fixture::new(&world).await;
    let client = world.client(Environment::Test, &Role::ALL).await;
    let jwt = world.jwt(&client).await;
    // an instance that has just read the client knows nothing of what another one does
    let elsewhere = instance(&world);
    let lists =
        || async { (list_connections(&elsewhere, &jwt).await, list_connections(&elsewhere, &client.key).await) };
    assert_eq!(lists().await, (200, 200));
    let path = format!("/v1/admin/projects/{}/clients/{}", world.project(), client.id);
    world.root("DELETE", &path, None).await;
    world.turn(Duration::from_secs(59));
    assert_eq!(lists().await, (401, 401));
    is_dead_everywhere(&world, &fixture, &jwt).await;
    is_dead_everywhere(&world, &fixture, &client.key).await;
}
