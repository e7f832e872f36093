//! `serve`: the service, until it is told to stop.

use metastore::LockError;

use super::{CliResult, FAILED, settings};
use crate::settings::{Need, Settings};
use crate::shutdown::{Signal, Signals};
use crate::wiring::{App, StartError, listen};

pub(super) async fn run(signals: &mut Signals) -> CliResult {
    let settings = settings(Need::Serve)?;
    // A taken port is most likely a first `serve` with the same settings: its name says more than the port does.
    let listener =
        listen(&settings).map_err(|taken| first_on_database(&settings).unwrap_or(taken))?;
    let app = tokio::select! {
        app = App::start(settings, listener) => app?,
        // Nothing has begun that would have to end in order.
        signal = signals.next() => return Ok(signal.exit_code()),
    };
    tracing::info!(
        address = %app.address, url = %app.state.base_url, database = %app.state.settings.database,
        version = crate::version(), "mcp-confluence serves at {}", app.state.base_url
    );
    until_told(app, signals).await
}

/// Who works on the same database already, as the error that it is.
fn first_on_database(settings: &Settings) -> Option<StartError> {
    let holder = metastore::lock_holder(&settings.database)?;
    Some(StartError::Locked(LockError::Held {
        database: settings.database.place(),
        holder: Some(holder),
    }))
}

/// Serves until a signal, then stops in order.
pub(super) async fn until_told(mut app: App, signals: &mut Signals) -> CliResult {
    let told = tokio::select! {
        signal = signals.next() => signal,
        () = app.ended() => {
            app.stop().await;
            return Ok(FAILED);
        }
    };
    Ok(stop(app, told, signals).await)
}

/// Stops in order; a second signal ends the process at once. The exit code.
pub(super) async fn stop(app: App, told: Signal, signals: &mut Signals) -> u8 {
    tracing::info!("stopping; once more to stop at once");
    tokio::select! {
        () = app.stop() => {}
        _ = signals.next() => tracing::warn!("stopped at once; the next start goes on from the database"),
    }
    told.exit_code()
}
