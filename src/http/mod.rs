//! REST, events, health, metrics and the API's description.

pub mod auth;
pub mod fields;
pub mod problem;
pub mod routes;
