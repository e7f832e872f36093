//! Tests of the embedded index through its port.

#[path = "../support/mod.rs"]
mod support;

mod conformance;
mod file;
mod ranking;
