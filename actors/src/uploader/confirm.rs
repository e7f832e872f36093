//! Uploads are confirmed: accepted, then searchable or failed, a passed deadline included.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use domain::backoff::Backoff;
use domain::ports::store::{OutboxEntry, OutboxOp, OutboxOutcome, OutboxState};
use domain::{Disposition, DocumentId};

use super::batch::id_of;
use super::lane::Lane;
use crate::index::run::Halt;

/// Rows that one question to the store is about at most.
const MOST: usize = 10_000;
/// How often the store is asked: soon at first, then at this pace.
const PACE: Backoff = Backoff {
    base: Duration::from_millis(500),
    cap: Duration::from_secs(15),
};
/// Questions in a row that may fail before the lane gives up; the rows wait for the next run.
const TROUBLED: u32 = 5;

/// How far the confirmation of a lane is.
#[derive(Default)]
pub(super) struct Confirmation {
    committed: bool,
    idle: u32,
    troubled: u32,
}

impl Confirmation {
    /// New rows go out: the store has to be told again when they are complete.
    pub(super) const fn owes_commit(&mut self) {
        self.committed = false;
    }

    /// One step: commit, or one question and what follows from its answer. `true` when nothing is left to confirm.
    pub(super) async fn step(&mut self, lane: &Lane) -> Result<bool, Halt> {
        let index = lane.job.index;
        let accepted = lane.job.ledger.accepted(lane.store(), index, MOST).await?;
        if accepted.is_empty() {
            return Ok(true);
        }
        let remote = &lane.job.remote;
        if !self.committed {
            lane.job.tally.request_to_store();
            match lane.backend.commit(remote).await {
                Ok(()) => self.committed = true,
                Err(error) => {
                    self.bear(&error)?;
                    return self.rest(lane).await;
                }
            }
        }
        let (uploads, deletes): (Vec<_>, Vec<_>) = accepted
            .iter()
            .partition(|entry| entry.op == OutboxOp::Upsert);
        let ids = |entries: &[&OutboxEntry]| entries.iter().map(|e| id_of(e)).collect::<Vec<_>>();
        let (uploads, deletes) = (ids(&uploads), ids(&deletes));
        lane.job.tally.request_to_store();
        let report = match lane.backend.progress(remote, &uploads, &deletes).await {
            Ok(report) => report,
            Err(error) => {
                self.bear(&error)?;
                return self.rest(lane).await;
            }
        };
        self.troubled = 0;
        let done: HashSet<DocumentId> = report.searchable.into_iter().chain(report.gone).collect();
        let mut failed: HashMap<DocumentId, String> = report.failed.into_iter().collect();
        let now = lane.shared.now();
        let deadline =
            TimeDelta::from_std(lane.shared.settings.upload_deadline).unwrap_or(TimeDelta::MAX);
        let outcomes: Vec<_> = accepted
            .into_iter()
            .filter_map(|entry| {
                let id = id_of(&entry);
                let outcome = if done.contains(&id) {
                    OutboxOutcome::Settled
                } else if let Some(reason) = failed.remove(&id) {
                    lane.failed(&entry, reason)
                } else if is_overdue(&entry, now, deadline) {
                    let what = match entry.op {
                        OutboxOp::Upsert => "it was not searchable",
                        OutboxOp::Delete => "it was still there",
                    };
                    let deadline = deadline.num_seconds();
                    let reason = format!("the store accepted it, but {what} after {deadline} s");
                    lane.failed(&entry, reason)
                } else {
                    return None;
                };
                Some((entry, outcome))
            })
            .collect();
        if outcomes.is_empty() {
            return self.rest(lane).await;
        }
        self.idle = 0;
        lane.settle(outcomes).await?;
        Ok(false)
    }

    fn bear(&mut self, error: &domain::ports::retrieval::BackendError) -> Result<(), Halt> {
        self.troubled += 1;
        if matches!(
            error.disposition(),
            Disposition::FailRun | Disposition::Fatal
        ) || self.troubled >= TROUBLED
        {
            return Err(Halt::Failed(error.clone().into()));
        }
        Ok(())
    }

    async fn rest(&mut self, lane: &Lane) -> Result<bool, Halt> {
        self.idle += 1;
        let wait = PACE.wait(self.idle, 0.5, Duration::ZERO);
        lane.job.stop.sleep(wait).await?;
        Ok(false)
    }
}

fn is_overdue(entry: &OutboxEntry, now: domain::Timestamp, deadline: TimeDelta) -> bool {
    matches!(entry.state, OutboxState::Accepted { at } if now - at > deadline)
}
