//! Questions that found little (`QUESTIONS_KEPT_DAYS`), and who asked what and got which pages (`AUDIT_QUESTIONS`): noted in memory
//! while they are answered, and written together every few seconds, so that no answer waits for it and a flood is bounded.
//!
//! What counts as little is decided in [`domain::questions`], what an entry holds in [`domain::audit`]. Questions that an
//! administrator asks over REST are trials and evaluations: they found nothing little, but they do leave entries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::access::Asker;
use domain::audit::{Actor, HandedOut, KeptOfQuestions, NewEntry};
use domain::ports::clock::{Clock, SystemClock};
use domain::ports::store::{AdminStore, StoreResult};
use domain::query::Answer;
use domain::questions::Waiting;
use domain::{IndexId, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::http::metrics::ENTRIES_LOST;
use crate::settings::AuditSettings;

/// How often what was asked is written.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);
/// How often what is old is forgotten.
const PRUNED_EVERY: Duration = Duration::from_secs(3_600);

/// Entries that wait to be written at most: some 10 MB, where questions are long.
const ENTRIES: usize = 10_000;
/// So many are written without waiting for the time.
const MANY_ENTRIES: usize = 1_000;
/// Entries of one transaction: no other writer waits for long.
const ENTRIES_AT_ONCE: usize = 500;

/// Entries on their way into the audit.
#[derive(Default)]
struct Entries {
    waiting: VecDeque<(Timestamp, NewEntry)>,
    /// Found no room since some last were written.
    lost: u64,
}

impl Entries {
    /// Takes an entry in; without room it is lost. Answers how many wait, or `None` when it is the first that is lost.
    fn put(&mut self, at: Timestamp, entry: NewEntry) -> Option<usize> {
        if self.waiting.len() < ENTRIES {
            self.waiting.push_back((at, entry));
            return Some(self.waiting.len());
        }
        metrics::counter!(ENTRIES_LOST).increment(1);
        self.lost += 1;
        // So that the log tells it once.
        (self.lost > 1).then_some(self.waiting.len())
    }

    /// The oldest, for one transaction.
    fn take(&mut self) -> Vec<(Timestamp, NewEntry)> {
        let some = self.waiting.len().min(ENTRIES_AT_ONCE);
        self.waiting.drain(..some).collect()
    }

    /// Those that could not be written go first again.
    fn put_back(&mut self, entries: Vec<(Timestamp, NewEntry)>) {
        for entry in entries.into_iter().rev() {
            self.waiting.push_front(entry);
        }
    }
}

/// Notes questions, if the operator wants that.
pub struct Questions {
    store: Arc<dyn AdminStore>,
    /// For how many days they are kept; `None`: nothing is noted.
    kept_days: Option<u32>,
    waiting: Mutex<Waiting>,
    audit: AuditSettings,
    entries: Mutex<Entries>,
    /// Many entries wait.
    many: Notify,
    /// Entries are written by one at a time, so that who waits for it finds all of them in the database.
    writing: tokio::sync::Mutex<()>,
}

impl Questions {
    /// Into this database.
    #[must_use]
    pub fn new(store: Arc<dyn AdminStore>, kept_days: Option<u32>, audit: AuditSettings) -> Self {
        Self {
            store,
            kept_days,
            waiting: Mutex::default(),
            audit,
            entries: Mutex::default(),
            many: Notify::new(),
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// Whether questions leave entries in the audit.
    #[must_use]
    pub fn are_audited(&self) -> bool {
        self.audit.questions != KeptOfQuestions::Nothing
    }

    /// Notes who asked and what the answer handed out, if the operator wants that. Takes no time.
    pub fn handed_out(&self, actor: &Actor, asker: &Asker, handed_out: HandedOut) {
        let Some(entry) = handed_out.entry(actor, asker, self.audit.questions) else {
            return;
        };
        match self.entries().put(SystemClock.now(), entry) {
            Some(waiting) if waiting >= MANY_ENTRIES => self.many.notify_one(),
            Some(_) => {}
            None => tracing::warn!(
                waiting = ENTRIES,
                "questions come faster than their entries in the audit can be written: some are lost, as mcp_confluence_audit_questions_lost_total counts"
            ),
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the entries that wait.
    ///
    /// # Errors
    /// When the database cannot be written; what could not be written is tried again the next time.
    pub async fn write_entries(&self) -> StoreResult<()> {
        let _alone = self.writing.lock().await;
        // No more than wait now: others may go on to ask.
        let turns = self.entries().waiting.len().div_ceil(ENTRIES_AT_ONCE);
        for _ in 0..turns {
            let some = self.entries().take();
            if let Err(error) = self.store.note_all(&some).await {
                self.entries().put_back(some);
                return Err(error);
            }
        }
        let lost = std::mem::take(&mut self.entries().lost);
        if lost > 0 {
            tracing::warn!(
                lost,
                "entries of questions were lost, and are noted again from now on"
            );
        }
        Ok(())
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

    /// Writes and forgets until the service stops. Where questions that found little are not to be kept, what was kept before goes at
    /// once; entries of the audit go with their time.
    pub async fn follow(&self, shutdown: CancellationToken) {
        let mut pruned: Option<Instant> = None;
        loop {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNED_EVERY) {
                let before = |days: u32| SystemClock.now() - TimeDelta::days(i64::from(days));
                let kept = self.kept_days.unwrap_or(0);
                warn(self.store.prune_questions(before(kept)).await);
                warn(self.store.prune_asked(before(self.audit.kept_days)).await);
                pruned = Some(Instant::now());
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.many.notified() => {}
                () = tokio::time::sleep(WRITTEN_EVERY) => {}
            }
            self.write_all().await;
        }
    }

    /// Writes everything that waits; what cannot be written is told in the log.
    pub async fn write_all(&self) {
        warn(self.write().await);
        warn(self.write_entries().await);
    }
}

fn warn(done: StoreResult<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "what was asked was not written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_bounded_and_what_could_not_be_written_goes_first_again() {
        let at = |second| Timestamp::from_timestamp(second, 0).unwrap_or_default();
        let entry = || NewEntry::done("a", "query_index");
        let mut entries = Entries::default();
        for number in 0..ENTRIES {
            assert!(entries.put(at(number as i64), entry()).is_some());
        }
        // Told once.
        assert_eq!(entries.put(at(0), entry()), None);
        assert_eq!(entries.put(at(0), entry()), Some(ENTRIES));
        assert_eq!(entries.lost, 2);
        let first = entries.take();
        assert_eq!((first.len(), first[0].0), (ENTRIES_AT_ONCE, at(0)));
        entries.put_back(first);
        assert_eq!(entries.waiting.len(), ENTRIES);
        assert_eq!(entries.take()[1].0, at(1));
    }
}
