//! The simulators from outside: over HTTP, as a client meets them.

mod confluence;
mod llamacloud;
mod support;
