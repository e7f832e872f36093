//! One lane: the outbox of one index during one run, from its first row to its last confirmation.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::backoff::Backoff;
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::store::{OutboxEntry, SyncStore};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::Semaphore;

use super::actor::{LaneHandle, LaneReport, UploadJob};
use super::batch::{Batch, BatchEnd};
use super::compose::compose;
use super::confirm::Confirmation;
use crate::EngineError;
use crate::index::run::Halt;
use crate::shared::{RowsLock, Shared};

/// The store is given up for this run after so many rounds in a row without one success.
const TROUBLED_ROUNDS: u32 = 4;
/// Rows that come due within this long are waited for; others belong to a later run.
const WAIT_FOR_ROWS: Duration = Duration::from_secs(30);
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
        let mut troubled = 0;
        let mut confirmation = Confirmation::default();
        loop {
            self.job.stop.check()?;
            let window =
                (batch_size * self.shared.settings.upload_batches.max(1)).clamp(1, LARGEST_ROUND);
            let due = self
                .job
                .ledger
                .due(self.store(), self.job.index, self.shared.now(), window)
                .await?;
            if due.is_empty() {
                if !self.handle.closing.load(Ordering::SeqCst) {
                    self.wait_for_rows().await?;
                } else if self.rows_come_due_soon().await? {
                    // Looked for again at once.
                } else if confirmation.step(self).await? {
                    return Ok(());
                }
                continue;
            }
            confirmation.owes_commit();
            let round = self.round(due, batch_size).await?;
            match round.trouble {
                None => {
                    troubled = 0;
                    batch_size = (batch_size * 2).min(most);
                }
                Some(error) => {
                    // Smaller batches find out whether it is the store or one document.
                    batch_size = (batch_size / 4).max(1);
                    troubled = if round.any_success { 0 } else { troubled + 1 };
                    if troubled >= TROUBLED_ROUNDS {
                        return Err(Halt::Failed(error));
                    }
                    let after = round.at_least;
                    let wait = Backoff::REQUEST.wait(troubled.max(1), rand::random(), after);
                    self.job.stop.sleep(wait).await?;
                }
            }
        }
    }

    async fn wait_for_rows(&self) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = self.job.stop.asked() => Err(Halt::Stopped),
            () = self.handle.wake.notified() => Ok(()),
        }
    }

    /// Waits for rows that are due within a short while; `false` when there are none.
    async fn rows_come_due_soon(&self) -> Result<bool, Halt> {
        let next = self
            .job
            .ledger
            .next_due(self.store(), self.job.index)
            .await?;
        let Some(wait) = next.map(|at| (at - self.shared.now()).to_std().unwrap_or_default())
        else {
            return Ok(false);
        };
        if wait > WAIT_FOR_ROWS {
            return Ok(false);
        }
        self.job
            .stop
            .sleep(wait.max(Duration::from_millis(20)))
            .await?;
        Ok(true)
    }

    /// Sends one window of rows in batches, several at once.
    async fn round(&self, due: Vec<OutboxEntry>, batch_size: usize) -> Result<Round, Halt> {
        let batches = compose(self, due, batch_size).await?;
        let ends: Vec<Result<BatchEnd, Halt>> = stream::iter(batches)
            .map(|batch: Batch| self.send(batch))
            .buffer_unordered(self.shared.settings.upload_batches.max(1))
            .collect()
            .await;
        let mut round = Round::default();
        let mut lonely = Vec::new();
        for end in ends {
            match end? {
                BatchEnd::Done => round.any_success = true,
                BatchEnd::Trouble {
                    error,
                    at_least,
                    single,
                } => {
                    lonely.extend(single.map(|entry| (entry, error.to_string())));
                    round.at_least = round.at_least.max(at_least);
                    round.trouble = Some(error);
                }
            }
        }
        if round.any_success {
            // The store is well: it is these documents.
            self.postpone(lonely).await?;
        }
        Ok(round)
    }
}

#[derive(Default)]
struct Round {
    any_success: bool,
    trouble: Option<EngineError>,
    at_least: Duration,
}
