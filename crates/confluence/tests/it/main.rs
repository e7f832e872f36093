//! The client against servers on loopback: canned answers for every shape of error, and the simulator for whole walks.

#![allow(clippy::unwrap_used)] // what unwraps in a test fails the test, as it should

mod answers;
mod downloads;
mod errors;
mod limits;
mod oauth;
mod official;
mod paging;
mod permissions;
mod probe;
mod simulated;
mod support;
