//! One lane: the outbox of one index during one run, from its first row to its last confirmation.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::Timestamp;
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::store::{OutboxEntry, SyncStore};
use domain::upload;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::Semaphore;

use super::actor::{LaneHandle, LaneReport, UploadJob};
use super::batch::{Batch, BatchEnd};
use super::compose::compose;
use super::confirm::Confirmation;
use super::trouble::Troubles;
use crate::index::run::Halt;
use crate::shared::{RowsLock, Shared};

/// Rows that one round takes at most.
const LARGEST_ROUND: usize = 1000;

pub(super) struct Lane {
    pub(super) shared: Arc<Shared>,
    pub(super) backend: Arc<dyn RetrievalBackend>,
    pub(super) job: UploadJob,
    pub(super) rows: RowsLock,
    pub(super) permits: Arc<Semaphore>,
    handle: LaneHandle,
}

impl Lane {
    pub(super) fn new(
        shared: Arc<Shared>,
        backend: Arc<dyn RetrievalBackend>,
        job: UploadJob,
        handle: LaneHandle,
        permits: Arc<Semaphore>,
    ) -> Self {
        let rows = shared.rows_of(job.index);
        Self {
            shared,
            backend,
            job,
            rows,
            permits,
            handle,
        }
    }

    pub(super) fn store(&self) -> &dyn SyncStore {
        self.shared.store.as_ref()
    }

    pub(super) async fn work(self) -> LaneReport {
        match self.drain().await {
            Ok(()) => LaneReport::Settled,
            Err(Halt::Stopped) => LaneReport::Stopped,
            Err(halt) => LaneReport::Trouble(halt.into_error()),
        }
    }

    async fn drain(&self) -> Result<(), Halt> {
        let capabilities = self.backend.capabilities();
        let most = capabilities.max_batch_documents.max(1);
        let mut batch_size = most;
        let mut troubles = Troubles::default();
        let mut confirmation = Confirmation::default();
        loop {
            self.job.stop.check()?;
            // Before the rows are read: rows that were written before it was closed are seen.
            let closing = self.handle.closing.load(Ordering::SeqCst);
            let window =
                (batch_size * self.shared.settings.upload_batches.max(1)).clamp(1, LARGEST_ROUND);
            let look = if troubles.spread() {
                LARGEST_ROUND
            } else {
                window
            };
            let due = self
                .job
                .ledger
                .due(self.store(), self.job.index, self.shared.now(), look)
                .await?;
            let suspected = |row: &OutboxEntry| troubles.suspects(row);
            let due = upload::next_rows(due, suspected, window, rand::random());
            if due.is_empty() {
                if !closing {
                    self.wait_for_rows().await?;
                } else if self.rows_come_due(troubles.rest_until()).await? {
                    // Looked for again at once.
                } else if confirmation.step(self).await? {
                    return Ok(());
                }
                continue;
            }
            confirmation.owes_commit();
            let round = self.round(due, batch_size).await?;
            if round.together {
                // Smaller batches find out whether it is the store or one document.
                batch_size = (batch_size / 4).max(1);
            } else if round.trouble.is_none() {
                batch_size = (batch_size * 2).min(most);
            }
            troubles.bear(self, round).await?;
        }
    }

    async fn wait_for_rows(&self) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = self.job.stop.asked() => Err(Halt::Stopped),
            () = self.handle.wake.notified() => Ok(()),
        }
    }

    /// Waits for rows that rest within this run; `false` when there are none. Others belong to a later run.
    async fn rows_come_due(&self, rest_until: Option<Timestamp>) -> Result<bool, Halt> {
        let Some(until) = rest_until else {
            return Ok(false);
        };
        let next = self
            .job
            .ledger
            .next_due(self.store(), self.job.index)
            .await?;
        let Some(next) = next.filter(|next| *next <= until) else {
            return Ok(false);
        };
        let wait = (next - self.shared.now()).to_std().unwrap_or_default();
        self.job
            .stop
            .sleep(wait.max(Duration::from_millis(20)))
            .await?;
        Ok(true)
    }

    /// Sends one window of rows in batches, several at once.
    async fn round(&self, due: Vec<OutboxEntry>, batch_size: usize) -> Result<BatchEnd, Halt> {
        let batches = compose(self, due, batch_size).await?;
        let ends: Vec<Result<BatchEnd, Halt>> = stream::iter(batches)
            .map(|batch: Batch| self.send(batch))
            .buffer_unordered(self.shared.settings.upload_batches.max(1))
            .collect()
            .await;
        let mut round = BatchEnd::default();
        for end in ends {
            let BatchEnd {
                answered,
                alone,
                trouble,
                together,
            } = end?;
            round.answered |= answered;
            round.together |= together;
            round.alone.extend(alone);
            if let Some((error, wait)) = trouble {
                let so_far = round.trouble.map_or(Duration::ZERO, |(_, wait)| wait);
                round.trouble = Some((error, wait.max(so_far)));
            }
        }
        Ok(round)
    }
}
