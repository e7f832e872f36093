//! Tests of the embedded index through its port.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod asking;
mod conformance;
mod file;
mod formats;
mod segments;
