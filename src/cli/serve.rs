//! `serve`: the service, until it is told to stop.

use super::{CliError, CliResult, FAILED, settings};
use crate::settings::Need;
use crate::shutdown::Signals;
use crate::wiring::{App, listen};

pub(super) async fn run() -> CliResult {
    let settings = settings(Need::Serve)?;
    let listener = listen(&settings)?;
    let app = App::start(settings, listener).await?;
    tracing::info!(
        address = %app.address, url = %app.state.base_url, database = %app.state.settings.database,
        version = env!("CARGO_PKG_VERSION"), "mcp-confluence serves at {}", app.state.base_url
    );
    until_told(app).await
}

/// Serves until a signal, then stops in order; a second signal ends the process at once.
pub(super) async fn until_told(mut app: App) -> CliResult {
    let mut signals = Signals::take_over().map_err(CliError::failed)?;
    let told = tokio::select! {
        signal = signals.next() => signal,
        () = app.ended() => {
            app.stop().await;
            return Ok(FAILED);
        }
    };
    tracing::info!("stopping; once more to stop at once");
    tokio::select! {
        () = app.stop() => {}
        _ = signals.next() => tracing::warn!("stopped at once; the next start goes on from the database"),
    }
    Ok(told.exit_code())
}
