//! The service: settings, wiring, HTTP, MCP, command line; thin over the engine in `actors`.
//!
//! * [`settings`]: what the environment says, checked as a whole.
//! * [`http`]: REST, events, health, metrics; [`http::auth`] says who may.
//! * [`state`]: what handlers and tools work with.
#![warn(missing_docs)]

pub mod http;
pub mod settings;
pub mod state;
