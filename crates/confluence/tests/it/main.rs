//! The client against servers on loopback: canned answers for every shape of error, and the simulator for whole walks.

#![allow(clippy::unwrap_used)] // a helper that unwraps fails its test, which is what it is for

mod answers;
mod downloads;
mod errors;
mod limits;
mod official;
mod paging;
mod simulated;
mod support;
