//! Questions that found little (`QUESTIONS_KEPT_DAYS`): noted in memory while they are answered, and written together every few
//! seconds, so that no answer waits for it and a flood costs no rows.
//!
//! What counts is decided in [`domain::questions`]. Questions that an administrator asks over REST are trials and evaluations, and
//! are not noted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::IndexId;
use domain::ports::clock::{Clock, SystemClock};
use domain::ports::store::{AdminStore, StoreResult};
use domain::query::Answer;
use domain::questions::Waiting;
use tokio_util::sync::CancellationToken;

/// How often what was asked is written.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);
/// How often what is old is forgotten.
const PRUNED_EVERY: Duration = Duration::from_secs(3_600);

/// Notes questions, if the operator wants that.
pub struct Questions {
    store: Arc<dyn AdminStore>,
    /// For how many days they are kept; `None`: nothing is noted.
    kept_days: Option<u32>,
    waiting: Mutex<Waiting>,
}

impl Questions {
    /// Into this database.
    #[must_use]
    pub fn new(store: Arc<dyn AdminStore>, kept_days: Option<u32>) -> Self {
        Self {
            store,
            kept_days,
            waiting: Mutex::default(),
        }
    }

    /// For how many days questions are kept; `None`: none are.
    #[must_use]
    pub const fn kept_days(&self) -> Option<u32> {
        self.kept_days
    }

    /// Notes a question of these indexes if its answer says that it found little. Takes no time.
    pub fn note(&self, indexes: &[IndexId], question: &str, answer: &Answer) {
        if self.kept_days.is_none() {
            return;
        }
        let now = SystemClock.now();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for index in indexes {
            waiting.note(*index, question, answer, now);
        }
    }

    /// Writes what was noted.
    ///
    /// # Errors
    /// When the database cannot be written; what was noted is lost then.
    pub async fn write(&self) -> StoreResult<()> {
        let (asked, left_out) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.take()
        };
        if left_out > 0 {
            tracing::info!(
                left_out,
                "more questions found little than are noted at once"
            );
        }
        if asked.is_empty() {
            return Ok(());
        }
        self.store.note_questions(&asked).await
    }

    /// Writes and forgets until the service stops. Where nothing is to be kept, what was kept before goes at once.
    pub async fn follow(&self, shutdown: CancellationToken) {
        let mut pruned: Option<Instant> = None;
        loop {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNED_EVERY) {
                let kept = TimeDelta::days(i64::from(self.kept_days.unwrap_or(0)));
                let before = SystemClock.now() - kept;
                warn(self.store.prune_questions(before).await);
                pruned = Some(Instant::now());
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(WRITTEN_EVERY) => {}
            }
            warn(self.write().await);
        }
    }
}

fn warn(done: StoreResult<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the questions that found little were not written");
    }
}
