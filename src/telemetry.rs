//! Logs: text for people, JSON for collectors. Every request has a span with an id of its own; credentials are in none.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::settings::{LogFormat, LogSettings, Warning};

/// Starts logging to standard error; a second start in the same process is ignored.
pub fn start(settings: &LogSettings) {
    let filter = filter(&settings.filter);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Tests start several services in one process; the first has set up what the others use.
    let _ = match settings.format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Text => logs.compact().with_target(false).try_init(),
    };
}

/// The filter of the settings. What peers send that is no HTTP the server's library calls errors, though it is none of ours: a
/// stranger could fill the log with them. Who wants to see them names `actix_http` in the filter.
fn filter(text: &str) -> EnvFilter {
    let quiet = format!("actix_http=off,{text}");
    EnvFilter::try_new(quiet).unwrap_or_else(|_| EnvFilter::new("actix_http=off,info"))
}

/// Tells warnings about settings.
pub fn warn_of(warnings: &[Warning]) {
    for warning in warnings {
        tracing::warn!(
            variable = warning.variable,
            "{}: {}",
            warning.variable,
            warning.message
        );
    }
}
