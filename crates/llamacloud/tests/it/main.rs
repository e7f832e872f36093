//! Tests of the LlamaCloud backend against a simulated service on loopback.

#![allow(clippy::unwrap_used)]

mod conformance;
mod contract;
mod directories;
mod mutations;
mod probe;
mod subject;
mod trouble;
