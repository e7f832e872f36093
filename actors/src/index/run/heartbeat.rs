//! The heartbeat of a run: its numbers are written, its end is foretold, and its cancel is seen.

use std::sync::Arc;
use std::time::Duration;

use domain::ObjectId;
use domain::index::BackendKind;
use domain::pace::{Forecast, Moment};
use domain::ports::store::StoreError;
use domain::run::{Run, RunKind, RunStatus};
use tokio::time::Instant;

use super::execution::Execution;
use crate::counters::RunCounters;
use crate::shared::Shared;
use crate::stop::Stop;

/// How often a run's numbers are written and a cancel is looked for.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Writes a run's numbers while it goes on, and sees its cancel.
pub(super) struct Heartbeat {
    /// The object that the run fills, and the store that it is in.
    object: Option<ObjectId>,
    backend: BackendKind,
    /// Pages that its listings are likely to name.
    expected: i64,
    begun: Instant,
    forecast: Forecast,
    shared: Arc<Shared>,
    run: Run,
    counters: Arc<RunCounters>,
    stop: Stop,
}

impl Heartbeat {
    pub(super) fn new(execution: &Execution) -> Self {
        let before = &execution.before;
        let run = execution.run.clone();
        let (object, backend) = match (run.kind, &before.index.moving) {
            (RunKind::Move, Some(moving)) => (before.filling, moving.backend),
            _ => (Some(before.serving), before.index.settings.backend),
        };
        let expected = match run.kind {
            RunKind::Sweep | RunKind::Full => before.index.document_count,
            // A first one does not know, a poll cannot, a move lists nothing.
            RunKind::First | RunKind::Delta | RunKind::Move => 0,
        };
        Self {
            object,
            backend,
            expected,
            begun: Instant::now(),
            forecast: Forecast::after(execution.shared.tail_of(backend)),
            shared: Arc::clone(&execution.shared),
            run,
            counters: Arc::clone(&execution.counters),
            stop: execution.stop.clone(),
        }
    }

    pub(super) async fn go_on(&mut self) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let (counts, requests) = self.counters.told(self.run.dry_run);
            let eta = self.eta().await;
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

    /// Seconds until the run is likely over.
    async fn eta(&mut self) -> Option<i64> {
        // Nothing of a dry run is in these rows.
        if self.run.dry_run {
            return None;
        }
        let counts = self.counters.counts();
        let is_listed = self.run.kind == RunKind::Move || self.counters.is_listed();
        // While nobody knows how many pages there are, what is left of those that were listed is not counted either.
        let (to_send, to_confirm) = match is_listed || self.expected > 0 {
            true => self.left().await?,
            false => (0, 0),
        };
        let left = self.forecast.take(Moment {
            elapsed: self.begun.elapsed(),
            is_listed,
            seen: counts.seen,
            expected: self.expected,
            sent: counts.uploaded + counts.deleted + counts.failed,
            to_send,
            to_confirm,
        })?;
        // Under a second is one: it is not over.
        i64::try_from(left.as_secs().max(1)).ok()
    }

    /// What is still to be read or sent, and what is to be confirmed.
    async fn left(&self) -> Option<(i64, i64)> {
        let store = &self.shared.store;
        let open = store.open_holdings(self.object?).await.ok()?;
        // Pages that are still to be read have no holding that could be sent yet.
        let pending = match self.run.kind {
            RunKind::Move => 0,
            _ => store.unsettled_pages(self.run.index_id).await.ok()?.0,
        };
        Some((pending.max(open.waiting + open.claimed), open.accepted))
    }

    /// The run ended well: what its store took in the end is the guess for the next one.
    pub(super) fn learn(&self) {
        if let Some(tail) = self.forecast.tail(self.begun.elapsed()) {
            self.shared.remember_tail(self.backend, tail);
        }
    }
}
