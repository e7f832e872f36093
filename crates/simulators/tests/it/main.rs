//! The simulators from outside: over HTTP, as a client meets them.

mod confluence;
mod conformance;
mod demo;
mod llamacloud;
mod support;
