//! One class of provider after the other, by requests as they go over the wire: good ones, and those that lack
//! something.

#![cfg(test)] // for clippy, which else does not know that these are tests

mod classes;
mod client;
mod faults;
mod listeners;
mod proofs;
mod usual;
