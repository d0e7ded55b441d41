//! The lease as a small machine, explored in every interleaving of three processes.
//!
//! What the item holds, what the provider knows, and where each process stands in `flow/refresh.rs`; between any two steps
//! another process may act, a process may crash, an answer may be lost, the person may connect again. A fence only grows and
//! is only compared for equality, so a process is told apart by whether its fence is still the item's.
//!
//! Time is the assumption that `flow/refresh.rs` has to keep: a lease ends only after its holder has stopped working. Each
//! property is shown to mean something by a mutation that breaks it.

mod state;

use std::collections::{HashMap, VecDeque};

use state::State;

/// What is left out or done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    None,
    /// Renewed credentials are written without comparing the fence.
    WriteWithoutFence,
    /// A lease is given whatever generation was read.
    LeaseWithoutGeneration,
    /// A lease can end while its holder is at work.
    LeaseShorterThanWork,
    /// A lease has no end.
    LeaseWithoutEnd,
    /// A connection that is made anew counts its generations from one again.
    ReconnectCountsFromOne,
}

/// What must never happen, and what must always stay possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    /// A refresh token is presented once, unless whoever presented it crashed or got no answer.
    RedeemedOnce,
    /// Nobody writes who is not the last to have been given the lease of this very grant.
    NoWriteUnderAnOldFence,
    /// From everywhere a connection that works, or plainly says that it does not, can be reached without the person.
    NeverStuck,
}

/// Every state there is, or the first property that is broken and how.
fn explore(mutation: Mutation) -> Result<usize, (Property, Vec<&'static str>)> {
    let mut known: HashMap<State, usize> = HashMap::from([(State::first(), 0)]);
    let mut cameby: Vec<(usize, &'static str)> = vec![(0, "start")];
    let mut backwards: Vec<Vec<usize>> = vec![Vec::new()];
    let mut settled: VecDeque<usize> = VecDeque::new();
    let mut queue = VecDeque::from([(State::first(), 0)]);
    while let Some((state, at)) = queue.pop_front() {
        if state.is_settled() {
            settled.push_back(at);
        }
        for (name, by_itself, next) in state.steps(mutation) {
            let next = next.map_err(|property| (property, path(&cameby, at, name)))?;
            let to = *known.entry(next.clone()).or_insert_with(|| {
                cameby.push((at, name));
                backwards.push(Vec::new());
                queue.push_back((next, cameby.len() - 1));
                cameby.len() - 1
            });
            if by_itself {
                backwards[to].push(at);
            }
        }
    }
    let mut reaches = vec![false; cameby.len()];
    while let Some(at) = settled.pop_front() {
        if !std::mem::replace(&mut reaches[at], true) {
            settled.extend(&backwards[at]);
        }
    }
    match reaches.iter().position(|reaches| !reaches) {
        Some(stuck) => Err((Property::NeverStuck, path(&cameby, stuck, "and nothing helps"))),
        None => Ok(cameby.len()),
    }
}

fn path(cameby: &[(usize, &'static str)], mut at: usize, last: &'static str) -> Vec<&'static str> {
    let mut path = vec![last];
    while at != 0 {
        path.push(cameby[at].1);
        at = cameby[at].0;
    }
    path.reverse();
    path
}

#[test]
fn a_lease_keeps_its_promises_in_every_interleaving() {
    match explore(Mutation::None) {
        Ok(states) => assert!(states > 10_000, "only {states} states: the model has lost something"),
        Err((property, path)) => panic!("{property:?} is broken: {path:#?}"),
    }
}

#[test]
fn each_promise_is_broken_when_what_it_rests_on_is_taken_away() {
    let table = [
        (Mutation::WriteWithoutFence, Property::NoWriteUnderAnOldFence),
        (Mutation::LeaseWithoutGeneration, Property::NoWriteUnderAnOldFence),
        (Mutation::LeaseShorterThanWork, Property::RedeemedOnce),
        (Mutation::LeaseWithoutEnd, Property::NeverStuck),
        (Mutation::ReconnectCountsFromOne, Property::NoWriteUnderAnOldFence),
    ];
    for (mutation, expected) in table {
        let broken = explore(mutation).err();
        assert_eq!(broken.as_ref().map(|(property, _)| *property), Some(expected), "{mutation:?}: {broken:?}");
    }
}
