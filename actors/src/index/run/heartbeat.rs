//! The heartbeat of a run: its numbers are written, and its cancel is seen.

use std::sync::Arc;
use std::time::Duration;

use domain::ObjectId;
use domain::ports::store::StoreError;
use domain::run::{Run, RunStatus};

use crate::counters::RunCounters;
use crate::shared::Shared;
use crate::stop::Stop;

/// How often a run's numbers are written and a cancel is looked for.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Writes a run's numbers while it goes on, and sees its cancel.
pub(super) struct Heartbeat {
    /// The object that the run fills.
    pub(super) object: Option<ObjectId>,
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    pub(super) counters: Arc<RunCounters>,
    pub(super) stop: Stop,
}

impl Heartbeat {
    pub(super) async fn go_on(&self) {
        let begun = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let (counts, requests) = self.counters.told(self.run.dry_run);
            let eta = self.eta(begun.elapsed()).await;
            let touched = self
                .shared
                .store
                .touch_run(self.run.id, &counts, &requests, eta)
                .await;
            match touched {
                Ok(run) => {
                    if run.status == RunStatus::Canceling {
                        self.stop.cancel();
                    }
                    self.shared.hub.run_progress(&run).await;
                }
                Err(StoreError::NotFound { .. }) => {
                    // The index was deleted under the run.
                    self.stop.cancel();
                }
                Err(error) => {
                    tracing::warn!(run = %self.run.id, %error, "the run's numbers could not be written");
                }
            }
        }
    }

    /// From the pace of uploads so far and what is still to be sent or confirmed.
    async fn eta(&self, elapsed: Duration) -> Option<i64> {
        let counts = self.counters.counts();
        let open = self.shared.store.open_holdings(self.object?).await.ok()?;
        let left = open.waiting + open.claimed + open.accepted;
        if counts.searchable == 0 || left == 0 {
            return None;
        }
        let elapsed = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
        Some(left.saturating_mul(elapsed.max(1)) / counts.searchable)
    }
}
