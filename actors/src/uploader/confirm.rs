//! Uploads are confirmed: accepted, then searchable or failed, a passed deadline included.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use domain::backoff::Backoff;
use domain::failure::FailureCause;
use domain::holding::{Flight, Outcome};
use domain::ports::retrieval::BackendError;
use domain::ports::store::OpenHolding;
use domain::{Disposition, DocumentId, Timestamp};

use super::batch::id_of;
use super::worker::Worker;
use crate::stop::RunError;

/// Rows that one question to the store is about at most.
const MOST: usize = 10_000;
/// How often the store is asked: soon at first, then at this pace.
const PACE: Backoff = Backoff {
    base: Duration::from_millis(500),
    cap: Duration::from_secs(15),
};
/// Questions in a row that may fail before the worker gives up; the rows wait for the next run.
const TROUBLED: u32 = 5;

/// How far the confirmation of a worker is.
#[derive(Default)]
pub(super) struct Confirmation {
    committed: bool,
    idle: u32,
    troubled: u32,
    /// Since when the store has only said that it limits requests.
    limited_since: Option<Timestamp>,
}

impl Confirmation {
    /// New rows go out: the store has to be told again when they are complete.
    pub(super) const fn owes_commit(&mut self) {
        self.committed = false;
    }

    /// One step: commit, or one question and what follows from its answer. `true` when nothing is left to confirm.
    pub(super) async fn step(&mut self, worker: &Worker) -> Result<bool, RunError> {
        let object = worker.job.object;
        let accepted = worker.store().holdings_accepted(object, MOST).await?;
        if accepted.is_empty() {
            return Ok(true);
        }
        let remote = &worker.job.remote;
        if !self.committed {
            worker.job.counters.request_to_store();
            match worker.backend.commit(remote).await {
                Ok(()) => self.committed = true,
                Err(error) => {
                    return self.tolerate(worker, error).await;
                }
            }
        }
        let (uploads, deletes): (Vec<_>, Vec<_>) = accepted
            .iter()
            .partition(|row| row.holding.want().is_some());
        let ids = |rows: &[&OpenHolding]| rows.iter().map(|row| id_of(row)).collect::<Vec<_>>();
        let (uploads, deletes) = (ids(&uploads), ids(&deletes));
        worker.job.counters.request_to_store();
        let report = match worker.backend.progress(remote, &uploads, &deletes).await {
            Ok(report) => report,
            Err(error) => {
                return self.tolerate(worker, error).await;
            }
        };
        self.troubled = 0;
        self.limited_since = None;
        let done: HashSet<DocumentId> = report.searchable.into_iter().chain(report.gone).collect();
        let mut failed: HashMap<DocumentId, String> = report.failed.into_iter().collect();
        let now = worker.shared.now();
        let deadline =
            TimeDelta::from_std(worker.shared.settings.upload_deadline).unwrap_or(TimeDelta::MAX);
        let outcomes: Vec<_> = accepted
            .into_iter()
            .filter_map(|row| {
                let id = id_of(&row);
                let outcome = if done.contains(&id) {
                    Outcome::Settled
                } else if let Some(reason) = failed.remove(&id) {
                    worker.failed(&row, FailureCause::StoreFailed, reason)
                } else if is_overdue(&row, now, deadline) {
                    let what = match row.holding.want() {
                        Some(_) => "it was not searchable",
                        None => "it was still there",
                    };
                    let deadline = deadline.num_seconds();
                    let reason = format!("the store accepted it, but {what} after {deadline} s");
                    worker.failed(&row, FailureCause::StoreLate, reason)
                } else {
                    return None;
                };
                Some(worker.outcome(&row, outcome))
            })
            .collect();
        if outcomes.is_empty() {
            return self.rest(worker).await;
        }
        self.idle = 0;
        worker.settle(outcomes).await?;
        Ok(false)
    }

    async fn tolerate(&mut self, worker: &Worker, error: BackendError) -> Result<bool, RunError> {
        if let BackendError::RateLimited { retry_after } = error {
            let since = *self.limited_since.get_or_insert(worker.shared.now());
            worker
                .wait_for_limit(since, retry_after, error.into())
                .await?;
            return Ok(false);
        }
        self.troubled += 1;
        if matches!(
            error.disposition(),
            Disposition::FailRun | Disposition::Fatal
        ) || self.troubled >= TROUBLED
        {
            return Err(RunError::Fatal(error.into()));
        }
        self.rest(worker).await
    }

    async fn rest(&mut self, worker: &Worker) -> Result<bool, RunError> {
        self.idle += 1;
        let wait = PACE.wait(self.idle, 0.5, Duration::ZERO);
        worker.job.stop.sleep(wait).await?;
        Ok(false)
    }
}

fn is_overdue(row: &OpenHolding, now: Timestamp, deadline: TimeDelta) -> bool {
    matches!(row.holding.flight(), Flight::Accepted(at) if now - *at > deadline)
}
