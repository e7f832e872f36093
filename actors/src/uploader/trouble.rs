//! Rows that were not taken: whether that is their fault or the store's, and what follows.

use std::collections::HashMap;
use std::time::Duration;

use domain::backoff::Backoff;
use domain::failure::FailureCause;
use domain::holding::Outcome;
use domain::ports::retrieval::BackendError;
use domain::ports::store::OpenHolding;
use domain::upload::{self, Alone, Next, Unanswered};
use domain::{PageId, Timestamp};

use super::batch::BatchEnd;
use super::worker::Worker;
use crate::EngineError;
use crate::stop::RunError;

/// What a worker remembers of its failures, from round to round.
#[derive(Default)]
pub(super) struct FailureTracker {
    /// Rounds in a row without one answer.
    silent: u32,
    /// Since when the store has only said that it limits requests.
    limited_since: Option<Timestamp>,
    /// Rows given up since the store answered last.
    given_up: usize,
    /// How often rows went by themselves in vain during this run.
    tries: HashMap<PageId, u32>,
    /// Something was not answered in the last round.
    spread: bool,
    /// Until when the last of those rests that go again in this run.
    rest_until: Option<Timestamp>,
}

impl FailureTracker {
    /// Whether the next round takes rows from everywhere in the queue.
    pub(super) const fn spread(&self) -> bool {
        self.spread
    }

    /// Whether a row went by itself in vain, in this run or in an earlier one.
    pub(super) fn suspects(&self, row: &OpenHolding) -> bool {
        let earlier = row.holding.attempts() > 0 || row.holding.last_error().is_some();
        earlier || self.tries.contains_key(&row.page_id)
    }

    /// Until when rows rest that belong to this run.
    pub(super) const fn rest_until(&self) -> Option<Timestamp> {
        self.rest_until
    }

    /// Settles what went by itself in vain, and waits where the store needs that. An error when it is given up for this run.
    pub(super) async fn tolerate(
        &mut self,
        worker: &Worker,
        round: BatchEnd,
    ) -> Result<(), RunError> {
        if round.answered {
            self.silent = 0;
            self.given_up = 0;
            self.limited_since = None;
        }
        self.spread = round.trouble.is_some();
        let Some((error, at_least)) = round.trouble else {
            return Ok(());
        };
        if let Some(wait) = limit(&error)
            && !round.answered
            && round.alone.is_empty()
        {
            // A limit is a reason to wait, for as long as an upload may take.
            let since = *self.limited_since.get_or_insert(worker.shared.now());
            return worker
                .wait_for_limit(since, wait.max(at_least), error)
                .await;
        }
        for (entry, _) in &round.alone {
            *self.tries.entry(entry.page_id.clone()).or_default() += 1;
        }
        if round.answered {
            self.settle_alone(worker, round.alone).await?;
            if !round.together {
                return Ok(());
            }
        } else {
            self.silent += 1;
            let seen = Unanswered {
                rounds: self.silent,
                alone: !round.alone.is_empty(),
                given_up: self.given_up,
            };
            match upload::after_silence(seen) {
                Next::Again => Self::note(worker, round.alone).await?,
                Next::AskTheStore => {
                    worker.job.counters.request_to_store();
                    if let Err(down) = worker.backend.probe().await {
                        tracing::warn!(index = %worker.job.index, %down, "the store does not answer at all");
                        return Err(RunError::Fatal(error));
                    }
                    tracing::warn!(index = %worker.job.index, %error, rows = round.alone.len(), "the store answers, but not about these documents; they are tried again later");
                    self.given_up += round.alone.len();
                    return self.give_up(worker, round.alone).await;
                }
                Next::GiveUpTheStore => {
                    Self::note(worker, round.alone).await?;
                    return Err(RunError::Fatal(error));
                }
            }
        }
        let wait = Backoff::REQUEST.wait(self.silent.max(1), rand::random(), at_least);
        worker.job.stop.sleep(wait).await
    }

    /// It may be the store or these rows: they are due again, and later runs know that they went by themselves in vain.
    async fn note(worker: &Worker, rows: Vec<(OpenHolding, String)>) -> Result<(), RunError> {
        let at = worker.shared.now();
        let noted = rows
            .into_iter()
            .map(|(row, reason)| worker.outcome(&row, Outcome::Retry { reason, at }))
            .collect();
        worker.settle(noted).await
    }

    /// The store is well: it is these documents.
    async fn settle_alone(
        &mut self,
        worker: &Worker,
        rows: Vec<(OpenHolding, String)>,
    ) -> Result<(), RunError> {
        let made = &self.tries;
        let tries = |entry: &OpenHolding| made.get(&entry.page_id).copied().unwrap_or(1);
        let (again, given_up): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .partition(|(entry, _)| upload::alone(tries(entry)) == Alone::Again);
        let now = worker.shared.now();
        let again = again
            .into_iter()
            .map(|(row, reason)| {
                let at = now + upload::rest(tries(&row), rand::random());
                self.rest_until = self.rest_until.max(Some(at));
                worker.outcome(&row, Outcome::Retry { reason, at })
            })
            .collect();
        worker.settle(again).await?;
        self.give_up(worker, given_up).await
    }

    async fn give_up(
        &mut self,
        worker: &Worker,
        rows: Vec<(OpenHolding, String)>,
    ) -> Result<(), RunError> {
        let outcomes = rows
            .into_iter()
            .map(|(row, reason)| {
                self.tries.remove(&row.page_id);
                let failed = worker.failed(&row, FailureCause::StoreUnavailable, reason);
                worker.outcome(&row, failed)
            })
            .collect();
        worker.settle(outcomes).await
    }
}

/// The wait that the store asks for, where it limits requests.
fn limit(error: &EngineError) -> Option<Duration> {
    match error {
        EngineError::Backend(BackendError::RateLimited { retry_after }) => Some(*retry_after),
        _ => None,
    }
}

impl Worker {
    /// Waits where the store limits requests since `since`; an error when that has lasted for longer than an upload may take.
    pub(super) async fn wait_for_limit(
        &self,
        since: Timestamp,
        wait: Duration,
        error: EngineError,
    ) -> Result<(), RunError> {
        let limited = (self.shared.now() - since).to_std().unwrap_or_default();
        if limited + wait > self.shared.settings.upload_deadline {
            return Err(RunError::Fatal(error));
        }
        tracing::info!(index = %self.job.index, seconds = wait.as_secs(), "the store limits requests; uploads wait");
        self.job
            .stop
            .sleep(Backoff::REQUEST.wait(1, 0.5, wait))
            .await
    }
}
