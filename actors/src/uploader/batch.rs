//! One batch: sent, split where it is too large or one of it is bad, acknowledged row by row.

use std::collections::HashMap;
use std::time::Duration;

use domain::backoff::Backoff;
use domain::document::Document;
use domain::page::PageState;
use domain::ports::retrieval::{BackendError, ItemOutcome};
use domain::ports::store::{OutboxEntry, OutboxOp, OutboxOutcome};
use domain::{Disposition, DocumentId, PageId};

use super::lane::Lane;
use super::ledger::Ledger;
use crate::EngineError;
use crate::index::run::Halt;
use crate::index::tell_failed;

pub(super) enum Batch {
    Upsert(Vec<(OutboxEntry, Document)>),
    Delete(Vec<OutboxEntry>),
}

pub(super) enum BatchEnd {
    /// Every row of it is settled one way or another.
    Done,
    /// Passing trouble; its rows wait as they did.
    Trouble {
        error: EngineError,
        at_least: Duration,
        /// The row, if it was only one.
        single: Option<OutboxEntry>,
    },
}

impl Batch {
    fn len(&self) -> usize {
        match self {
            Self::Upsert(rows) => rows.len(),
            Self::Delete(rows) => rows.len(),
        }
    }

    fn halves(self) -> [Self; 2] {
        let half = self.len().div_ceil(2);
        match self {
            Self::Upsert(mut rows) => {
                let rest = rows.split_off(half);
                [Self::Upsert(rows), Self::Upsert(rest)]
            }
            Self::Delete(mut rows) => {
                let rest = rows.split_off(half);
                [Self::Delete(rows), Self::Delete(rest)]
            }
        }
    }

    fn into_rows(self) -> Vec<OutboxEntry> {
        match self {
            Self::Upsert(rows) => rows.into_iter().map(|(entry, _)| entry).collect(),
            Self::Delete(rows) => rows,
        }
    }
}

impl Lane {
    /// Sends a batch, and its halves where the store takes it only in smaller pieces or refuses one of it.
    pub(super) async fn send(&self, batch: Batch) -> Result<BatchEnd, Halt> {
        let mut stack = vec![batch];
        let mut trouble = None;
        while let Some(batch) = stack.pop() {
            let answer = self.ask(&batch).await?;
            let error = match answer {
                Ok(outcomes) => {
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
                        let refused = vec![ItemOutcome::Refused(error.to_string())];
                        self.acknowledge(batch.into_rows(), refused).await?;
                    }
                }
                Disposition::Retry { after } => {
                    let single = batch.len() == 1;
                    trouble = Some(BatchEnd::Trouble {
                        error: error.into(),
                        at_least: after,
                        single: batch.into_rows().pop().filter(|_| single),
                    });
                }
                Disposition::FailRun | Disposition::Fatal => {
                    return Err(Halt::Failed(error.into()));
                }
            }
        }
        Ok(trouble.unwrap_or(BatchEnd::Done))
    }

    async fn ask(&self, batch: &Batch) -> Result<Result<Vec<ItemOutcome>, BackendError>, Halt> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await.ok();
        self.job.stop.check()?;
        self.shared.pass("before_upload");
        self.job.tally.request_to_store();
        let remote = &self.job.remote;
        let answer = match batch {
            Batch::Upsert(rows) => {
                let documents: Vec<Document> = rows.iter().map(|(_, d)| d.clone()).collect();
                self.backend.upsert(remote, &documents).await
            }
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
                    settled.push((entry, OutboxOutcome::Failed { reason }));
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
            if self.job.ledger == Ledger::Serving {
                self.set_next_try(&outcomes).await?;
            }
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

    /// Pages that failed are tried again later; one that the store accepted and then could not ingest is not in the store.
    async fn set_next_try(&self, outcomes: &[(OutboxEntry, OutboxOutcome)]) -> Result<(), Halt> {
        let failed: HashMap<&PageId, &OutboxEntry> = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, OutboxOutcome::Failed { .. }))
            .map(|(entry, _)| (&entry.page_id, entry))
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        let ids: Vec<PageId> = failed.keys().map(|id| (*id).clone()).collect();
        let mut records = self.shared.store.pages_by_id(self.job.index, &ids).await?;
        records.retain(|record| record.state == PageState::Failed);
        for record in &mut records {
            let failures = u32::try_from(record.attempts).unwrap_or(1);
            let wait = Backoff::PAGE.wait(failures, rand::random(), Duration::ZERO);
            record.next_try_at = Some(self.shared.now() + wait);
            let entry = failed.get(&record.page_id);
            if entry.is_some_and(|entry| record.stored_hash.as_ref() == Some(&entry.hash)) {
                record.stored_hash = None;
            }
        }
        self.shared.store.save_pages(&records, &[], &[]).await?;
        Ok(())
    }

    /// Rows that the store does not take although it takes others: later, one by one.
    pub(super) async fn postpone(&self, rows: Vec<(OutboxEntry, String)>) -> Result<(), Halt> {
        let now = self.shared.now();
        let outcomes = rows
            .into_iter()
            .map(|(entry, reason)| {
                let failures = u32::try_from(entry.attempts + 1).unwrap_or(1);
                let wait = Backoff::PAGE.wait(failures, rand::random(), Duration::ZERO);
                let at = now + wait;
                (entry, OutboxOutcome::Retry { reason, at })
            })
            .collect();
        self.settle(outcomes).await
    }
}

/// The document that a row is about.
pub(super) fn id_of(entry: &OutboxEntry) -> DocumentId {
    DocumentId::of(entry.kind, &entry.page_id)
}
