//! The simulators from outside: over HTTP, as a client meets them.

// In a test, a failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

mod confluence;
mod conformance;
mod demo;
mod llamacloud;
mod model;
mod permissions;
mod support;
mod switches;
