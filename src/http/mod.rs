//! REST, events, health, metrics and the API's description. [`configure`] is the one place where routes come together.
//!
//! Handlers are thin: they read and check a request ([`fields`]), know who asks ([`auth`]), ask the database or the engine,
//! and answer; whatever goes wrong leaves as a problem ([`problem`]).

mod answer;
pub mod audit;
pub mod auth;
mod bodies;
pub mod changes;
pub mod confluence;
mod connection;
pub mod doctor;
pub mod evaluation;
pub mod events;
pub mod fairness;
pub mod fields;
pub mod guard;
pub mod health;
pub mod hooks;
pub mod indexes;
pub mod keys;
pub mod limit;
pub mod list;
pub mod metrics;
pub mod notices;
pub mod openapi;
pub mod pages;
pub mod people;
pub mod placeholder;
pub mod problem;
pub mod query;
pub mod questions;
pub mod routes;
pub mod runs;
pub mod server;
pub mod spaces;
mod span;
pub mod tokens;

use actix_web::web;

/// Registers every route. MCP comes first: its own paths must not be shadowed by a scope.
pub fn configure(config: &mut web::ServiceConfig, mcp: impl FnOnce(&mut web::ServiceConfig)) {
    config
        .configure(mcp)
        .configure(auth::configure)
        .configure(events::configure)
        .configure(runs::configure)
        .configure(query::configure)
        .configure(questions::configure)
        .configure(evaluation::configure)
        .configure(pages::configure)
        .configure(changes::configure)
        .configure(tokens::configure)
        .configure(keys::configure)
        .configure(people::configure)
        .configure(audit::configure)
        .configure(indexes::configure)
        .configure(spaces::configure)
        .configure(hooks::configure)
        .configure(confluence::configure)
        .configure(notices::configure)
        .configure(doctor::configure)
        .configure(health::configure)
        .configure(metrics::configure)
        .configure(openapi::configure)
        .configure(crate::web::configure)
        .default_service(web::to(problem::no_such_path));
}
