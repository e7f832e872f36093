//! Backups that the service makes by itself (`BACKUP_SCHEDULE`, `BACKUP_KEEP`): copies of the database beside it, each verified.
//! One that was missed, while the service did not run or the disk was full, is made as soon as it can be.

use std::time::Duration;

use domain::ports::clock::{Clock, SystemClock};
use metastore::Metastore;
use metrics::gauge;
use tokio_util::sync::CancellationToken;

use crate::http::metrics::BACKED_UP;
use crate::settings::BackupSettings;

/// After a failure the next try waits so long.
const TRY_AGAIN: Duration = Duration::from_secs(10 * 60);
/// The clock on the wall may be set meanwhile, so no sleep is longer.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Makes them until the service stops.
pub async fn follow(store: Metastore, settings: BackupSettings, shutdown: CancellationToken) {
    let mut done = store.backed_up_at();
    loop {
        if let Some(done) = done {
            gauge!(BACKED_UP).set(done.timestamp() as f64);
        }
        let now = SystemClock.now();
        let wait = (settings.at.due(done, now) - now)
            .to_std()
            .unwrap_or_default();
        let pause = if wait.is_zero() {
            match store.back_up_beside(settings.keep).await {
                Ok(file) => {
                    tracing::info!(file = %file.display(), "the database is backed up");
                    done = Some(now);
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "the backup failed; it is tried again in ten minutes");
                    TRY_AGAIN
                }
            }
        } else {
            wait.min(LOOK_AGAIN)
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
