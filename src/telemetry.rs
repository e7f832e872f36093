//! Logs: text for people, JSON for collectors. Every request has a span with an id of its own; credentials are in none.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogFormat, LogSettings, Warning};

/// Starts logging to standard error; a second start in the same process is ignored.
pub fn start(settings: &LogSettings) {
    let filter = filter(&settings.filter);
    let logs = tracing_subscriber::fmt()
        .compact()
        .with_target(false)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Tests start several services in one process; the first has set up what the others use.
    let _ = match settings.format {
        LogFormat::Json => json(std::io::stderr).with(filter).try_init(),
        LogFormat::Text => logs.with_env_filter(filter).finish().try_init(),
    };
}

/// Lines for collectors: the fields of the event, and those of the innermost span once.
pub(crate) fn json<W>(writer: W) -> impl tracing::Subscriber + Send + Sync + for<'a> LookupSpan<'a>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer);
    tracing_subscriber::registry().with(lines)
}

/// What is let through: what was asked for (`info` where that cannot be read), and of [`QUIET`] libraries only what stands there,
/// unless the filter names them. Of [`SECRETIVE`] nothing is, whatever is asked for.
fn filter(asked: &str) -> EnvFilter {
    let directives = asked.split(',').map(str::trim);
    let directives = directives.filter(|directive| !directive.starts_with(SECRETIVE));
    let mut all = directives.fold(format!("{SECRETIVE}=off"), |all, directive| {
        format!("{all},{directive}")
    });
    for (library, quiet) in QUIET {
        if !asked.contains(library) {
            all = format!("{library}={quiet},{all}");
        }
    }
    EnvFilter::try_new(all).unwrap_or_else(|_| filter("info"))
}

/// Libraries that tell too much, and what is let through of them. The server's calls errors what peers send that is no HTTP, though
/// that is no fault of ours: a stranger could fill the log with it. The MCP SDK tells of each session and message, with their ids.
const QUIET: [(&str, &str); 2] = [("actix_http", "off"), ("rmcp", "warn")];

/// The driver of PostgreSQL, which tells at `debug` each statement with its values, texts of pages and keys, and at `info` that a table is
/// there already. Its errors are returned.
const SECRETIVE: &str = "tokio_postgres";

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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(asked: &str) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(asked))
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "rmcp::service", "a session");
            tracing::warn!(target: "rmcp::service", "a fault");
            tracing::info!(target: "mcp_confluence", "ours");
            tracing::debug!(target: "mcp_confluence", "details");
            tracing::debug!(target: "tokio_postgres::query", "a key");
        });
        let bytes = log.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn the_sdk_warns_only_unless_more_is_asked_of_it_by_name() {
        assert_eq!(logged("info"), ["a fault", "ours"]);
        assert_eq!(logged("debug"), ["a fault", "ours", "details"]);
        assert_eq!(logged("rmcp=info,warn"), ["a session", "a fault"]);
    }

    #[test]
    fn no_filter_lets_the_databases_driver_tell_keys() {
        for asked in ["tokio_postgres=trace,warn", "warn, tokio_postgres::query"] {
            assert_eq!(logged(asked), ["a fault"], "{asked}");
        }
    }
}
