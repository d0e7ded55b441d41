//! How often AWS and the provider are asked, per route: what the budgets of the design promise, counted.
//!
//! Each route is measured three times: as the first request of a process after its prefetch, again at once, and thirty seconds
//! later, when nothing that was kept is believed any more. A round is a set of reads none of which waited for another.

mod requests;

use std::{fmt, sync::Arc, time::Duration};

use authorize::Authorize;
use callback::Callback;
use connect::Connect;
use passthrough::Passthrough;
use shared::{
    app::{Ahead, App},
    http::{Request, answer},
    routes::{self, Function},
    store::settings::KEPT,
};
use token::Token;

use crate::{emulator::Call, refresh::Told, store_world::World};

/// How often what was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    reads: usize,
    writes: usize,
    secrets: usize,
    /// Reads of either kind that had to wait for each other.
    rounds: usize,
    provider: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, writes, secrets, rounds, provider } = self;
        write!(f, "{reads:>6}{writes:>7}{secrets:>8}{rounds:>7}{provider:>9}")
    }
}

const fn counts(reads: usize, writes: usize, secrets: usize, rounds: usize, provider: usize) -> Counts {
    Counts { reads, writes, secrets, rounds, provider }
}

/// A route, and what it may cost: at first, again, and later.
type Row = (&'static str, [Counts; 3]);

const TABLE: [Row; 32] = [
    ("token", [counts(1, 0, 0, 1, 0), counts(0, 0, 0, 0, 0), counts(1, 0, 0, 1, 0)]),
    ("one-time token", [counts(1, 1, 0, 1, 0), counts(0, 1, 0, 0, 0), counts(1, 1, 0, 1, 0)]),
    ("session", [counts(1, 1, 0, 1, 0), counts(0, 1, 0, 0, 0), counts(1, 1, 0, 1, 0)]),
    ("authorize", [counts(1, 1, 0, 1, 0), counts(0, 1, 0, 0, 0), counts(1, 1, 0, 1, 0)]),
    ("authorize, the project's own connector", [counts(1, 1, 0, 1, 0), counts(0, 1, 0, 0, 0), counts(1, 1, 0, 1, 0)]),
    ("credentials", [counts(1, 1, 0, 1, 0), counts(0, 1, 0, 0, 0), counts(1, 1, 0, 1, 0)]),
    // the one-time-token form: its token is claimed, its page read by name, its submission makes the attempt
    ("the link's token", [counts(0, 1, 0, 0, 0), counts(0, 1, 0, 0, 0), counts(1, 1, 0, 1, 0)]),
    ("the link's page", [counts(2, 0, 0, 2, 0), counts(1, 0, 0, 1, 0), counts(2, 0, 0, 2, 0)]),
    // the link says whose settings are to be read
    ("the link's form", [counts(2, 1, 0, 2, 0), counts(1, 1, 0, 1, 0), counts(3, 1, 0, 2, 0)]),
    ("start", [counts(0, 1, 0, 0, 0), counts(0, 1, 0, 0, 0), counts(0, 1, 0, 0, 0)]),
    // the client goes to the provider before the browser does; the secret that OAuth 1.0a brings back from there is kept
    ("start, the request is pushed", [counts(0, 1, 1, 1, 1), counts(0, 1, 0, 0, 1), counts(0, 1, 1, 1, 1)]),
    ("start, OAuth 1.0a", [counts(0, 2, 1, 1, 1), counts(0, 2, 0, 0, 1), counts(0, 2, 1, 1, 1)]),
    // a session in a page of the app's: our start page, what that asks for, and a form of the app's page in its own window
    ("the start page", [counts(0, 0, 0, 0, 0), counts(0, 0, 0, 0, 0), counts(1, 0, 0, 1, 0)]),
    // the session says whose settings are to be read; what is asked is ours only at our address
    ("our start page asks", [counts(2, 1, 0, 2, 0), counts(1, 1, 0, 1, 0), counts(3, 1, 0, 2, 0)]),
    ("the app's page leaves", [counts(2, 1, 0, 2, 0), counts(1, 1, 0, 1, 0), counts(2, 1, 0, 2, 0)]),
    ("callback, the app vouches", [counts(0, 2, 1, 1, 2), counts(0, 2, 0, 0, 2), counts(1, 2, 1, 1, 2)]),
    ("callback, the person confirms", [counts(0, 2, 1, 1, 2), counts(0, 2, 0, 0, 2), counts(1, 2, 1, 1, 2)]),
    // held and then completed, so that nothing is lost between the two
    ("callback, bound at the start", [counts(0, 3, 1, 1, 2), counts(0, 3, 0, 0, 2), counts(1, 3, 1, 1, 2)]),
    ("callback, the project's own connector", [counts(1, 2, 1, 1, 2), counts(0, 2, 0, 0, 2), counts(2, 2, 1, 1, 2)]),
    ("callback, OAuth 1.0a", [counts(0, 2, 1, 1, 1), counts(0, 2, 0, 0, 1), counts(1, 2, 1, 1, 1)]),
    ("a code to type", [counts(1, 1, 1, 2, 1), counts(0, 1, 0, 0, 1), counts(1, 1, 1, 2, 1)]),
    // claimed, held and completed in one request, since nobody else comes back
    ("the code was typed", [counts(3, 3, 1, 3, 2), counts(2, 3, 0, 2, 2), counts(3, 3, 1, 3, 2)]),
    // caller and code, then attempt and grant: all at once would take more connections than are made ahead
    ("the app completes", [counts(4, 1, 0, 2, 0), counts(3, 1, 0, 2, 0), counts(4, 1, 0, 2, 0)]),
    // that the user was not deleted is a condition of the one write
    ("the person confirms", [counts(2, 1, 0, 1, 0), counts(2, 1, 0, 1, 0), counts(3, 1, 0, 1, 0)]),
    ("status", [counts(1, 0, 0, 1, 0), counts(1, 0, 0, 1, 0), counts(1, 0, 0, 1, 0)]),
    ("passthrough", [counts(2, 0, 0, 1, 1), counts(1, 0, 0, 1, 1), counts(2, 0, 0, 1, 1)]),
    ("passthrough, the project's own connector", [counts(2, 0, 0, 1, 1), counts(1, 0, 0, 1, 1), counts(2, 0, 0, 1, 1)]),
    // whether the first segment names one of the project's own connectors is asked too
    ("passthrough, another path each time", [counts(2, 0, 0, 1, 1), counts(2, 0, 0, 1, 1), counts(2, 0, 0, 1, 1)]),
    // the connection says whose client's secret is to be read
    ("passthrough with a renewal", [counts(2, 2, 1, 2, 2), counts(1, 2, 0, 1, 2), counts(2, 2, 1, 2, 2)]),
    ("one connection", [counts(2, 0, 0, 1, 0), counts(1, 0, 0, 1, 0), counts(2, 0, 0, 1, 0)]),
    ("a connection's choices", [counts(2, 0, 0, 1, 0), counts(1, 0, 0, 1, 0), counts(2, 0, 0, 1, 0)]),
    // the connection says whose settings are to be read
    ("a connection's upgrade", [counts(3, 1, 0, 2, 0), counts(1, 1, 0, 1, 0), counts(3, 1, 0, 2, 0)]),
];

#[tokio::test]
async fn each_route_asks_as_often_as_its_budget_says() {
    let world = World::new().await;
    let mut found = Vec::new();
    for (route, expected) in TABLE {
        let mut counts = measure(&world, route).await;
        // a machine that stalls makes two reads at once look like one after the other, never the other way round
        for _ in 0..2 {
            if counts != expected {
                counts = measure(&world, route).await;
            }
        }
        found.push((route, counts));
    }
    println!("{:44} {:38}{:38}{:38}", "", "first", "again", "later");
    let heads = "reads writes secrets rounds provider ";
    println!("{:44} {heads:38}{heads:38}{heads:38}", "");
    for (route, [first, again, later]) in &found {
        println!("{route:44} {first} {again} {later}");
    }
    for ((route, found), (_, expected)) in found.iter().zip(&TABLE) {
        assert_eq!(found, expected, "{route}");
    }
}

async fn measure(world: &World, route: &'static str) -> [Counts; 3] {
    let app = world.another_process();
    let function = routes::find(&world.request(route).await.path).unwrap().routes[0].function;
    app.prefetch(ahead(function)).await;
    let first = once(world, &app, function, route).await;
    let again = once(world, &app, function, route).await;
    world.hands.turn(KEPT);
    [first, again, once(world, &app, function, route).await]
}

/// As the functions' `main.rs` do it.
fn ahead(function: Function) -> &'static [Ahead] {
    match function {
        Function::Token => &[Ahead::SigningKey],
        Function::Passthrough | Function::Callback | Function::Connect | Function::Connections => {
            &[Ahead::Ring, Ahead::SecondConnection]
        }
        Function::Admin => &[],
        Function::Authorize => &[Ahead::Ring],
    }
}

async fn once(world: &World, app: &Arc<App>, function: Function, route: &'static str) -> Counts {
    let request = world.request(route).await;
    let pace = Duration::from_millis(40);
    for proxy in [&world.dynamodb, &world.secrets] {
        proxy.take_timed_calls();
        proxy.pace(pace);
    }
    let provider = world.provider.asked() + world.provider.api_calls();
    let told = Told::of(ask(app, function, request).await).await;
    assert!(told.status < 400, "{route}: {told:?}");
    let (calls, secrets) = (world.dynamodb.take_timed_calls(), world.secrets.take_timed_calls());
    for proxy in [&world.dynamodb, &world.secrets] {
        proxy.pace(Duration::ZERO);
    }
    let (reads, writes): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| is_read(&call.name));
    Counts {
        reads: reads.len(),
        writes: writes.len(),
        secrets: secrets.len(),
        rounds: rounds(reads.into_iter().chain(secrets).collect()),
        provider: world.provider.asked() + world.provider.api_calls() - provider,
    }
}

async fn ask(app: &Arc<App>, function: Function, request: Request) -> shared::http::Response {
    match function {
        Function::Token => answer(app, request, &Token).await,
        Function::Authorize => answer(app, request, &Authorize).await,
        Function::Callback => answer(app, request, &Callback).await,
        Function::Passthrough => answer(app, request, &Passthrough).await,
        Function::Connect => answer(app, request, &Connect).await,
        Function::Connections => answer(app, request, &connections::Connections).await,
        Function::Admin => answer(app, request, &admin::Admin).await,
    }
}

fn is_read(name: &str) -> bool {
    ["GetItem", "BatchGetItem", "Query"].iter().any(|read| name.split(' ').next() == Some(read))
}

/// How many calls one after the other: the next round begins with the first call that came after the last one's end.
fn rounds(mut calls: Vec<Call>) -> usize {
    calls.sort_by_key(|call| call.from);
    let mut rounds = 0;
    let mut end = None;
    for call in calls {
        if end.is_none_or(|end| call.from >= end) {
            rounds += 1;
            end = Some(call.until);
        }
    }
    rounds
}
