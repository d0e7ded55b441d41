//! One class of provider after the other, by requests as they go over the wire: good ones, and those that lack
//! something.

mod classes;
mod client;
mod faults;
mod listeners;
