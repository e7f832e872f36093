//! One batch: sent, split where it is too large or one of it is bad, acknowledged row by row.

use std::time::Duration;

use domain::backoff::Backoff;
use domain::document::Document;
use domain::ports::retrieval::{BackendError, ItemOutcome};
use domain::ports::store::{OutboxEntry, OutboxOp, OutboxOutcome};
use domain::{Disposition, DocumentId};

use super::lane::Lane;
use super::ledger::Ledger;
use crate::EngineError;
use crate::index::run::Halt;
use crate::index::tell_failed;

pub(super) enum Batch {
    /// Rows, and their documents in the same order.
    Upsert(Vec<OutboxEntry>, Vec<Document>),
    Delete(Vec<OutboxEntry>),
}

/// What came of a batch and of the pieces that it was sent in; every row that is not told of here is settled, or waits as it
/// did.
#[derive(Default)]
pub(super) struct BatchEnd {
    /// The store said something about documents, be it that it does not want them.
    pub(super) answered: bool,
    /// Rows that went by themselves and were not answered.
    pub(super) alone: Vec<(OutboxEntry, String)>,
    /// Passing trouble, and how long to wait at least.
    pub(super) trouble: Option<(EngineError, Duration)>,
    /// Some of that trouble is not only about rows that went by themselves.
    pub(super) together: bool,
}

impl Batch {
    fn len(&self) -> usize {
        match self {
            Self::Upsert(rows, _) | Self::Delete(rows) => rows.len(),
        }
    }

    fn halves(self) -> [Self; 2] {
        let half = self.len().div_ceil(2);
        match self {
            Self::Upsert(mut rows, mut documents) => {
                let (rest, others) = (rows.split_off(half), documents.split_off(half));
                [Self::Upsert(rows, documents), Self::Upsert(rest, others)]
            }
            Self::Delete(mut rows) => {
                let rest = rows.split_off(half);
                [Self::Delete(rows), Self::Delete(rest)]
            }
        }
    }

    fn into_rows(self) -> Vec<OutboxEntry> {
        match self {
            Self::Upsert(rows, _) | Self::Delete(rows) => rows,
        }
    }
}

impl Lane {
    /// Sends a batch, and its halves where the store takes it only in smaller pieces or refuses one of it.
    pub(super) async fn send(&self, batch: Batch) -> Result<BatchEnd, Halt> {
        let mut stack = vec![batch];
        let mut end = BatchEnd::default();
        while let Some(batch) = stack.pop() {
            let answer = self.ask(&batch).await?;
            let error = match answer {
                Ok(outcomes) => {
                    end.answered = true;
                    self.acknowledge(batch.into_rows(), outcomes).await?;
                    continue;
                }
                Err(error) => error,
            };
            match error.disposition() {
                Disposition::Split | Disposition::SkipItem | Disposition::RestartWalk => {
                    if batch.len() > 1 {
                        stack.extend(batch.halves());
                    } else {
                        end.answered = true;
                        let refused = vec![ItemOutcome::Refused(error.to_string())];
                        self.acknowledge(batch.into_rows(), refused).await?;
                    }
                }
                Disposition::Retry { after } => {
                    // Where the store limits requests, it is no document's fault.
                    if batch.len() == 1 && !matches!(error, BackendError::RateLimited { .. }) {
                        let rows = batch.into_rows().into_iter();
                        end.alone.extend(rows.map(|row| (row, error.to_string())));
                    } else {
                        end.together = true;
                    }
                    let so_far = end.trouble.map_or(Duration::ZERO, |(_, wait)| wait);
                    end.trouble = Some((error.into(), after.max(so_far)));
                }
                Disposition::FailRun | Disposition::Fatal => {
                    return Err(Halt::Failed(error.into()));
                }
            }
        }
        Ok(end)
    }

    async fn ask(&self, batch: &Batch) -> Result<Result<Vec<ItemOutcome>, BackendError>, Halt> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await.ok();
        self.job.stop.check()?;
        self.shared.pass("before_upload");
        self.job.tally.request_to_store();
        let remote = &self.job.remote;
        let answer = match batch {
            Batch::Upsert(_, documents) => self.backend.upsert(remote, documents).await,
            Batch::Delete(rows) => {
                let ids: Vec<DocumentId> = rows.iter().map(id_of).collect();
                self.backend.delete(remote, &ids).await
            }
        };
        self.shared.pass("after_upload_before_ack");
        Ok(answer)
    }

    async fn acknowledge(
        &self,
        rows: Vec<OutboxEntry>,
        outcomes: Vec<ItemOutcome>,
    ) -> Result<(), Halt> {
        let immediate = self.backend.capabilities().immediate;
        let mut settled = Vec::with_capacity(rows.len());
        let mut accepted_at_once = 0;
        let mut outcomes = outcomes.into_iter();
        for entry in rows {
            match outcomes.next() {
                Some(ItemOutcome::Accepted) if immediate => {
                    accepted_at_once += i64::from(entry.op == OutboxOp::Upsert);
                    settled.push((entry, OutboxOutcome::Settled));
                }
                Some(ItemOutcome::Accepted) => settled.push((entry, OutboxOutcome::Accepted)),
                Some(ItemOutcome::Refused(reason)) => {
                    let failed = self.failed(&entry, reason);
                    settled.push((entry, failed));
                }
                // A short answer says nothing about the rest: those rows wait and are sent again.
                None => {}
            }
        }
        self.settle(settled).await?;
        self.job
            .tally
            .count(|counts| counts.uploaded += accepted_at_once);
        self.shared.pass("after_ack");
        Ok(())
    }

    /// Applies outcomes in one transaction, counts them, and names what failed.
    pub(super) async fn settle(
        &self,
        outcomes: Vec<(OutboxEntry, OutboxOutcome)>,
    ) -> Result<(), Halt> {
        if outcomes.is_empty() {
            return Ok(());
        }
        {
            let _rows = self.rows.lock().await;
            let now = self.shared.now();
            self.job.ledger.settle(self.store(), &outcomes, now).await?;
        }
        self.job.tally.outbox_settled(&outcomes);
        if self.job.ledger == Ledger::Moving {
            // Its pages stand as they do: the object that answers holds them.
            return Ok(());
        }
        let failed: Vec<_> = outcomes
            .into_iter()
            .filter(|(_, outcome)| matches!(outcome, OutboxOutcome::Failed { .. }))
            .map(|(entry, _)| entry.page_id)
            .collect();
        tell_failed(&self.shared, self.job.index, self.job.run, &failed).await;
        Ok(())
    }

    /// A row that failed is tried again by a later run.
    pub(super) fn failed(&self, entry: &OutboxEntry, reason: String) -> OutboxOutcome {
        let failures = u32::try_from(entry.attempts + 1).unwrap_or(1);
        let wait = Backoff::PAGE.wait(failures, rand::random(), Duration::ZERO);
        OutboxOutcome::Failed {
            reason,
            next_try: self.shared.now() + wait,
        }
    }
}

/// The document that a row is about.
pub(super) fn id_of(entry: &OutboxEntry) -> DocumentId {
    DocumentId::of(entry.kind, &entry.page_id)
}
