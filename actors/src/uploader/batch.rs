//! One batch: sent, split where it is too large or one of it is bad, acknowledged row by row.

use std::sync::Arc;
use std::time::Duration;

use domain::backoff::Backoff;
use domain::document::Document;
use domain::failure::FailureCause;
use domain::holding::{Change, HoldingChange, Outcome};
use domain::ports::retrieval::{BackendError, ItemOutcome};
use domain::ports::store::OpenHolding;
use domain::{Disposition, DocumentId};

use super::worker::{Worker, of_row};
use crate::EngineError;
use crate::memory::Held;
use crate::stop::RunError;

pub(super) enum Batch {
    /// Rows, and their documents in the same order, with the right to have those in memory.
    Upsert(Vec<OpenHolding>, Vec<Document>, Arc<Held>),
    Delete(Vec<OpenHolding>),
}

/// What came of a batch and of the pieces that it was sent in; every row that is not told of here is settled, or waits as it
/// did.
#[derive(Default)]
pub(super) struct BatchEnd {
    /// The store said something about documents, be it that it does not want them.
    pub(super) answered: bool,
    /// Rows that went by themselves and were not answered.
    pub(super) alone: Vec<(OpenHolding, String)>,
    /// Passing trouble, and how long to wait at least.
    pub(super) trouble: Option<(EngineError, Duration)>,
    /// Some of that trouble is not only about rows that went by themselves.
    pub(super) together: bool,
}

impl Batch {
    fn len(&self) -> usize {
        match self {
            Self::Upsert(rows, ..) | Self::Delete(rows) => rows.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn halves(self) -> [Self; 2] {
        let half = self.len().div_ceil(2);
        match self {
            Self::Upsert(mut rows, mut documents, held) => {
                let (rest, others) = (rows.split_off(half), documents.split_off(half));
                [
                    Self::Upsert(rows, documents, Arc::clone(&held)),
                    Self::Upsert(rest, others, held),
                ]
            }
            Self::Delete(mut rows) => {
                let rest = rows.split_off(half);
                [Self::Delete(rows), Self::Delete(rest)]
            }
        }
    }

    fn rows(&self) -> &[OpenHolding] {
        match self {
            Self::Upsert(rows, ..) | Self::Delete(rows) => rows,
        }
    }

    fn into_rows(self) -> Vec<OpenHolding> {
        match self {
            Self::Upsert(rows, ..) | Self::Delete(rows) => rows,
        }
    }

    /// Only those of which this is said.
    fn keep(&mut self, keep: &[bool]) {
        let mut kept = keep.iter().copied().chain(std::iter::repeat(false));
        let mut next = || kept.next().unwrap_or(false);
        match self {
            Self::Upsert(rows, documents, _) => {
                let mut told = Vec::with_capacity(rows.len());
                rows.retain(|_| {
                    told.push(next());
                    told.last().copied().unwrap_or(false)
                });
                let mut told = told.into_iter();
                documents.retain(|_| told.next().unwrap_or(false));
            }
            Self::Delete(rows) => rows.retain(|_| next()),
        }
    }
}

impl Worker {
    /// Sends a batch, and its halves where the store takes it only in smaller pieces or refuses one of it.
    pub(super) async fn send(&self, batch: Batch) -> Result<BatchEnd, RunError> {
        let mut stack = vec![batch];
        let mut end = BatchEnd::default();
        while let Some(mut batch) = stack.pop() {
            let Some(answer) = self.ask(&mut batch).await? else {
                continue;
            };
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
                        self.change_each(batch.rows(), |_| Change::Release).await?;
                    }
                    let so_far = end.trouble.map_or(Duration::ZERO, |(_, wait)| wait);
                    end.trouble = Some((error.into(), after.max(so_far)));
                }
                Disposition::FailRun | Disposition::Fatal => {
                    self.change_each(batch.rows(), |_| Change::Release).await?;
                    return Err(RunError::Fatal(error.into()));
                }
            }
        }
        Ok(end)
    }

    /// Claims the rows of a batch and sends them; what another worker has claimed, or what is to be something else by now, is
    /// left out. `None`: that was all of it.
    async fn ask(
        &self,
        batch: &mut Batch,
    ) -> Result<Option<Result<Vec<ItemOutcome>, BackendError>>, RunError> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await.ok();
        self.job.stop.check()?;
        self.shared.fail_point("before_upload");
        let claimed = self
            .change_each(batch.rows(), |row| Change::Claim {
                worker: self.id(),
                sent: row.holding.want().map(str::to_owned),
            })
            .await?;
        batch.keep(&claimed);
        if batch.is_empty() {
            return Ok(None);
        }
        self.job.counters.request_to_store();
        let remote = &self.job.remote;
        let answer = match batch {
            Batch::Upsert(_, documents, _) => self.backend.upsert(remote, documents).await,
            Batch::Delete(rows) => {
                let ids: Vec<DocumentId> = rows.iter().map(id_of).collect();
                self.backend.delete(remote, &ids).await
            }
        };
        self.shared.fail_point("after_upload_before_ack");
        Ok(Some(answer))
    }

    async fn acknowledge(
        &self,
        rows: Vec<OpenHolding>,
        outcomes: Vec<ItemOutcome>,
    ) -> Result<(), RunError> {
        let immediate = self.backend.capabilities().immediate;
        let mut outcomes = outcomes.into_iter();
        let changes = rows
            .into_iter()
            .map(|row| {
                let outcome = match outcomes.next() {
                    Some(ItemOutcome::Accepted) if immediate => Outcome::Settled,
                    Some(ItemOutcome::Accepted) => Outcome::Accepted,
                    Some(ItemOutcome::Refused(reason)) => {
                        self.failed(&row, FailureCause::StoreRefused, reason)
                    }
                    // A short answer says nothing about the rest: those rows are sent again.
                    None => return of_row(&row, Change::Release),
                };
                self.outcome(&row, outcome)
            })
            .collect();
        self.settle(changes).await?;
        self.shared.fail_point("after_ack");
        Ok(())
    }

    pub(super) fn outcome(&self, row: &OpenHolding, outcome: Outcome) -> HoldingChange {
        let change = Change::Outcome {
            worker: self.id(),
            sent: row.holding.want().map(str::to_owned),
            outcome,
        };
        of_row(row, change)
    }

    /// Applies what the store said in one transaction, counts what applied, and names what failed.
    pub(super) async fn settle(&self, changes: Vec<HoldingChange>) -> Result<(), RunError> {
        let applied = self.change(&changes).await?;
        let immediate = self.backend.capabilities().immediate;
        let mut failed = Vec::new();
        for (change, _) in changes.iter().zip(applied).filter(|(_, applied)| *applied) {
            self.job.counters.outcome(change, immediate);
            let outcome = matches!(&change.change, Change::Outcome { outcome, .. } if matches!(outcome, Outcome::Failed { .. }));
            if outcome && self.job.answers {
                failed.push(change.page_id.clone());
            }
        }
        self.shared
            .publish_failed((self.job.index, self.job.run), &self.job.counters, &failed)
            .await;
        Ok(())
    }

    /// A row that failed is tried again by a later run.
    pub(super) fn failed(&self, row: &OpenHolding, cause: FailureCause, reason: String) -> Outcome {
        let failures = u32::try_from(row.holding.attempts() + 1).unwrap_or(1);
        let wait = Backoff::PAGE.wait(failures, rand::random(), Duration::ZERO);
        Outcome::Failed {
            cause,
            reason,
            next_try: self.shared.now() + wait,
        }
    }
}

/// The document that a row is about.
pub(super) fn id_of(row: &OpenHolding) -> DocumentId {
    DocumentId::of(row.kind, &row.page_id)
}
