//! One worker's way: the holdings of one object during one run, from the first row to the last confirmation.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::store::OpenHolding;
use domain::{Timestamp, upload};
use futures_util::StreamExt;
use futures_util::stream;

use super::batch::{Batch, BatchEnd};
use super::compose::compose;
use super::confirm::Confirmation;
use super::job::UploadReport;
use super::trouble::FailureTracker;
use super::worker::Worker;
use crate::stop::RunError;

/// Rows that one round takes at most.
const LARGEST_ROUND: usize = 1000;
/// How often a worker that has nothing left to do looks whether another of the same object has ended.
const OTHERS: Duration = Duration::from_millis(50);

/// Brings the object in line until no more rows come and everything is confirmed.
pub(super) async fn work(worker: Worker) -> UploadReport {
    let ended = worker.drain().await;
    let (shared, index) = (Arc::clone(&worker.shared), worker.job.index);
    drop(worker);
    // What it had claimed and did not send to its end is another's from now on.
    if let Err(error) = shared.release_claims().await {
        tracing::warn!(%index, %error, "rows of an upload worker that ended could not be released; the next one does");
    }
    match ended {
        Ok(()) => UploadReport::Settled,
        Err(RunError::Stopped) => UploadReport::Stopped,
        Err(failure) => UploadReport::Trouble(failure.into_error()),
    }
}

impl Worker {
    async fn drain(&self) -> Result<(), RunError> {
        let capabilities = self.backend.capabilities();
        let most = capabilities.max_batch_documents.max(1);
        let mut batch_size = most;
        let mut failures = FailureTracker::default();
        let mut confirmation = Confirmation::default();
        self.shared.release_claims().await?;
        loop {
            self.job.stop.check()?;
            // Before the rows are read: rows that were written before it was closed are seen.
            let closing = self.job.signal.is_closing();
            let window =
                (batch_size * self.shared.settings.upload_batches.max(1)).clamp(1, LARGEST_ROUND);
            let look = if failures.spread() {
                LARGEST_ROUND
            } else {
                window
            };
            let now = self.shared.now();
            let due = self
                .store()
                .holdings_due(self.job.object, now, self.job.began, look)
                .await?;
            let suspected = |row: &OpenHolding| failures.suspects(row);
            let due = upload::next_rows(due, suspected, window, rand::random());
            if due.is_empty() {
                if !closing {
                    self.wait_for_rows().await?;
                } else if self.rows_come_due(failures.rest_until()).await? {
                    // Looked for again at once.
                } else if confirmation.step(self).await? && !self.others_are_at_work().await? {
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
            failures.tolerate(self, round).await?;
        }
    }

    async fn wait_for_rows(&self) -> Result<(), RunError> {
        tokio::select! {
            biased;
            () = self.job.stop.asked() => Err(RunError::Stopped),
            () = self.job.signal.woken() => Ok(()),
        }
    }

    /// Waits where another worker of this object has not ended, and takes back what one has claimed that died: there may be more
    /// to do then.
    async fn others_are_at_work(&self) -> Result<bool, RunError> {
        if self.living.is_alone() {
            return Ok(self.shared.release_claims().await? > 0);
        }
        self.job.stop.sleep(OTHERS).await?;
        Ok(true)
    }

    /// Waits for rows that rest within this run; `false` when there are none. Others belong to a later run.
    async fn rows_come_due(&self, rest_until: Option<Timestamp>) -> Result<bool, RunError> {
        let Some(until) = rest_until.filter(|until| *until >= self.shared.now()) else {
            return Ok(false);
        };
        let next = self.store().next_holding_due(self.job.object).await?;
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
    async fn round(&self, due: Vec<OpenHolding>, batch_size: usize) -> Result<BatchEnd, RunError> {
        let batches = compose(self, due, batch_size).await?;
        let ends: Vec<Result<BatchEnd, RunError>> = stream::iter(batches)
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
