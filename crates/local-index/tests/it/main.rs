//! Tests of the embedded index through its port.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod conformance;
mod file;
