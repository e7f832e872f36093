//! The service: settings, wiring, HTTP, MCP, command line; thin over the engine in `actors`.
//!
//! * [`cli`]: the commands; `main` only hands over to it.
//! * [`settings`]: what the environment says, checked as a whole.
//! * [`wiring`]: brings database, Confluence, retrieval stores, engine and HTTP together; [`App`] is what runs.
//! * [`http`]: REST, events, health, metrics; [`http::auth`] says who may. [`mcp`]: the agents' side. [`web`]: the page.
//! * [`diagnosis`]: what `doctor` looks at. [`indexes_file`]: indexes as code; [`people_file`]: whose addresses are;
//!   [`watched`]: how such files are followed.
//! * [`connection`]: Confluence by OAuth, its tokens sealed with [`secrets`].
//! * [`state`]: what handlers and tools work with. [`backups`], [`notify`], [`outgoing`], [`telemetry`], [`shutdown`], [`questions`],
//!   [`evaluations`]: what their names say.
#![warn(missing_docs)]

pub mod backups;
pub mod cli;
pub mod connection;
pub mod diagnosis;
pub mod evaluations;
pub mod http;
pub mod indexes_file;
pub mod mcp;
pub mod notify;
pub mod outgoing;
pub mod people_file;
pub mod questions;
pub mod reading;
pub mod secrets;
pub mod settings;
pub mod shutdown;
pub mod state;
pub mod telemetry;
pub mod watched;
pub mod web;
pub mod wiring;

use std::sync::LazyLock;

pub use wiring::App;

/// Which program this is: its version, and the commit where the build was told it (`MCP_CONFLUENCE_COMMIT`, as images are).
#[must_use]
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("MCP_CONFLUENCE_COMMIT").filter(|commit| !commit.is_empty());
        let commit = commit.map(|commit| format!(" ({commit})"));
        env!("CARGO_PKG_VERSION").to_owned() + &commit.unwrap_or_default()
    });
    &VERSION
}
