//! Good requests, to be broken one after the other.

use shared::{
    http::Method,
    routes::{Access, Operation, ROUTES, Route, Voice, find},
};

use crate::{
    requests::{Fixture, Wanted},
    world::{Answer, World},
};

/// A world with what good requests name, and everything that is stored in it.
pub struct Scene {
    pub world: World,
    pub fixture: Fixture,
}

impl Scene {
    pub async fn new() -> Self {
        let world = World::new().await;
        let mut fixture = Fixture::new(&world).await;
        fixture.renew(&world, Operation::ReadCustomConnector).await;
        Self { world, fixture }
    }

    /// A good request with the credential of somebody who may ask.
    pub fn good(&self, route: &Route) -> Wanted {
        let wanted = self.fixture.good(route, &self.world);
        match self.bearer(route) {
            Some(bearer) => wanted.with("authorization", &format!("Bearer {bearer}")),
            None => wanted,
        }
    }

    pub fn bearer(&self, route: &Route) -> Option<String> {
        match route.access {
            Access::Public => None,
            Access::Roles(_) => Some(self.world.key()),
            Access::Root | Access::RootOr(_) => Some(self.world.server.root_key.clone()),
            Access::Session => Some(self.fixture.session.clone()),
        }
    }

    /// Sends what `break_it` makes of each route's good request, and expects a refusal with one of these statuses.
    pub async fn refuses(&self, statuses: &[u16], break_it: impl Fn(&Route, Wanted) -> Vec<Wanted>) {
        let before = self.world.dump().await;
        for route in ROUTES {
            for wanted in break_it(route, self.good(route)) {
                let answer = wanted.call(&self.world).send().await;
                let short: String = format!("{wanted:?}").chars().take(300).collect();
                assert!(statuses.contains(&answer.status), "{short}: {} {}", answer.status, answer.text());
                if wanted.method != Method::Head {
                    is_told(&answer, voice(&wanted.path), &short);
                }
            }
        }
        assert_eq!(self.world.dump().await, before, "something was stored or lost");
        assert_eq!(self.fixture.provider.seen().len(), 0, "something went out");
    }
}

/// The voice of whatever is at this address.
fn voice(path: &str) -> Voice {
    find(path).map_or(Voice::Api, |found| found.routes[0].voice)
}

/// A failure is told as its route tells failures.
pub fn is_told(answer: &Answer, voice: Voice, case: &str) {
    let id = answer.header("x-request-id").unwrap_or_else(|| panic!("{case}: no request id"));
    let text = answer.text();
    if voice == Voice::Page {
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{case}");
        assert!(text.contains(&format!("Request {id}")) && text.contains("<h1>"), "{case}: {text}");
        return;
    }
    assert_eq!(answer.header("content-type"), Some("application/json"), "{case}");
    let json = answer.json();
    let members = |names: &[&str]| names.iter().all(|name| json[*name].as_str().is_some_and(|text| !text.is_empty()));
    assert!(members(&["error", "error_description", "requestId"]), "{case}: {text}");
    assert_eq!(json["requestId"], id, "{case}");
    let code = json["error"].as_str().unwrap();
    assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{case}: {code}");
    assert_eq!(voice == Voice::Credentials, members(&["message", "code"]), "{case}: {text}");
    assert_eq!(voice == Voice::Passthrough, answer.header("x-mooring-error") == Some(code), "{case}");
}
