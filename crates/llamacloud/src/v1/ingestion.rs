//! What states of ingestion mean, and what this process remembers between two looks at them. Pure.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use domain::DocumentId;
use serde_json::Value;
use tokio::time::Instant;

/// A state, reduced to what we do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Not over yet; every word we do not know, too.
    Working,
    /// Searchable.
    Done,
    /// Over, and not as it should be.
    Failed,
}

impl Stage {
    pub(super) fn of(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => Self::Done,
            "ERROR" | "FAILED" | "CANCELLED" | "CANCELED" | "PARTIAL_SUCCESS" => Self::Failed,
            _ => Self::Working,
        }
    }

    /// The stage in a status answer.
    pub(super) fn read(status: &Value) -> Self {
        status
            .get("status")
            .and_then(Value::as_str)
            .map_or(Self::Working, Self::of)
    }
}

/// Why a document failed, in the service's words.
pub(super) fn reason(status: &Value) -> String {
    let word = status
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or("unknown state");
    let messages: Vec<String> = status
        .get("error")
        .and_then(Value::as_array)
        .map(|list| {
            let told = |error: &Value| {
                let message = error.get("message").and_then(Value::as_str)?;
                let step = error
                    .get("step")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                Some(if step.is_empty() {
                    message.to_owned()
                } else {
                    format!("{message} (at {step})")
                })
            };
            list.iter().filter_map(told).collect()
        })
        .unwrap_or_default();
    if messages.is_empty() {
        format!("the store says {word} and no reason")
    } else {
        messages.join("; ")
    }
}

/// How many documents of a pipeline stand where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    pub working: u64,
    pub done: u64,
    pub failed: u64,
}

impl Counts {
    /// Reads `documents/status-counts`; `None` when the answer has no counts.
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let counts: BTreeMap<&str, u64> = answer
            .get("counts")?
            .as_object()?
            .iter()
            .filter_map(|(word, count)| Some((word.as_str(), count.as_u64()?)))
            .collect();
        let mut read = Self::default();
        for (word, count) in counts {
            match Stage::of(word) {
                Stage::Working => read.working += count,
                Stage::Done => read.done += count,
                Stage::Failed => read.failed += count,
            }
        }
        Some(read)
    }
}

/// What the counts say about uploads that this process made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// All of them are searchable.
    AllDone,
    /// Wait; single reads would tell little for their price.
    Wait,
    /// Counts and expectation disagree: read these one by one, until the given numbers of working and of failed
    /// documents are found; the rest is searchable then.
    Read {
        /// Working documents to be found.
        working: u64,
        /// Failed documents to be found.
        failed: u64,
    },
}

/// What this process remembers of one pipeline.
#[derive(Debug, Default)]
pub(super) struct Ingestion {
    /// Accepted here since the start, so that the counts count them.
    accepted: HashSet<DocumentId>,
    /// Told as failed before; they stay in the counts.
    failed: HashSet<DocumentId>,
    /// Deleted, and no status of theirs is left.
    vanished: HashSet<DocumentId>,
    /// When the last deletion was made.
    deleted_at: Option<Instant>,
    working_before: Option<u64>,
    /// When failed documents were asked to be ingested again, once between two commits.
    retried_at: Option<Instant>,
    /// The service has no `status-counts`.
    pub no_counts: bool,
}

impl Ingestion {
    pub(super) fn accepted(&mut self, id: &DocumentId) {
        self.accepted.insert(id.clone());
        self.failed.remove(id);
        self.vanished.remove(id);
    }

    pub(super) fn deleted(&mut self, id: &DocumentId) {
        self.accepted.remove(id);
        self.failed.remove(id);
        self.deleted_at = Some(Instant::now());
    }

    /// Whether a pipeline that says this is at work. `NOT_STARTED` right after a deletion says that the job for it waits; later it
    /// may stand for a pipeline that has nothing to do.
    pub(super) fn is_at_work(&self, word: &str, not_started: Duration) -> bool {
        let waits = || self.deleted_at.is_some_and(|at| at.elapsed() < not_started);
        match word {
            "IN_PROGRESS" => true,
            "NOT_STARTED" => waits(),
            _ => false,
        }
    }

    pub(super) fn committed(&mut self) {
        self.retried_at = None;
        self.working_before = None;
    }

    pub(super) fn has_accepted(&self, id: &DocumentId) -> bool {
        self.accepted.contains(id)
    }

    /// An upload whose end was told; it is not asked for again.
    pub(super) fn settled(&mut self, id: &DocumentId, failed: bool) {
        self.accepted.remove(id);
        if failed {
            self.failed.insert(id.clone());
        }
    }

    pub(super) fn has_vanished(&self, id: &DocumentId) -> bool {
        self.vanished.contains(id)
    }

    pub(super) fn vanished(&mut self, id: &DocumentId, vanished: bool) {
        if vanished {
            self.vanished.insert(id.clone());
        } else {
            self.vanished.remove(id);
        }
    }

    /// Whether failed documents should now be asked to be ingested again; true once between two commits.
    pub(super) fn may_retry(&mut self) -> bool {
        let first = self.retried_at.is_none();
        self.retried_at.get_or_insert_with(Instant::now);
        first
    }

    /// Whether a failure told now may still be the one from before the retry.
    pub(super) fn in_grace(&self, grace: Duration) -> bool {
        self.retried_at.is_some_and(|at| at.elapsed() < grace)
    }

    /// What the counts mean for `uploads` open uploads, all accepted here.
    pub(super) fn judge(&mut self, counts: Counts, uploads: &[DocumentId]) -> Verdict {
        let open = uploads.len() as u64;
        let old_failures = self
            .failed
            .iter()
            .filter(|id| !uploads.contains(id))
            .count() as u64;
        let failed = counts.failed.saturating_sub(old_failures);
        let stalled = self.working_before.replace(counts.working) == Some(counts.working);
        if counts.working == 0 && failed == 0 && counts.done >= open {
            Verdict::AllDone
        } else if counts.working == 0 || (stalled && counts.working < open) {
            Verdict::Read {
                working: counts.working,
                failed: counts.failed,
            }
        } else {
            Verdict::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ids(numbers: std::ops::Range<u32>) -> Vec<DocumentId> {
        numbers.map(|n| DocumentId::new(n.to_string())).collect()
    }

    fn counts(working: u64, done: u64, failed: u64) -> Counts {
        Counts {
            working,
            done,
            failed,
        }
    }

    #[test]
    fn unknown_words_are_work_in_progress() {
        let answer = json!({"counts": {"SUCCESS": 4, "QUEUED": 2, "IN_PROGRESS": 1, "ERROR": 3, "CANCELLED": 1, "odd": "x"}});
        assert_eq!(Counts::read(&answer), Some(counts(3, 4, 4)));
        assert_eq!(Counts::read(&json!({"total_count": 3})), None);
        assert_eq!(Stage::read(&json!({})), Stage::Working);
    }

    #[test]
    fn counts_alone_decide_where_they_agree() {
        let mut ingestion = Ingestion::default();
        assert_eq!(ingestion.judge(counts(5, 0, 0), &ids(0..5)), Verdict::Wait);
        assert_eq!(ingestion.judge(counts(2, 3, 0), &ids(0..5)), Verdict::Wait);
        assert_eq!(
            ingestion.judge(counts(0, 5, 0), &ids(0..5)),
            Verdict::AllDone
        );
    }

    #[test]
    fn single_reads_where_they_disagree() {
        let mut ingestion = Ingestion::default();
        let uploads = ids(0..5);
        assert_eq!(
            ingestion.judge(counts(0, 4, 1), &uploads),
            Verdict::Read {
                working: 0,
                failed: 1
            }
        );
        assert_eq!(
            ingestion.judge(counts(0, 3, 0), &uploads),
            Verdict::Read {
                working: 0,
                failed: 0
            }
        );
        let mut ingestion = Ingestion::default();
        assert_eq!(ingestion.judge(counts(1, 4, 0), &uploads), Verdict::Wait);
        assert_eq!(
            ingestion.judge(counts(1, 4, 0), &uploads),
            Verdict::Read {
                working: 1,
                failed: 0
            },
            "stalled"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn not_started_right_after_a_deletion_is_work_to_come() {
        let grace = Duration::from_secs(60);
        let mut ingestion = Ingestion::default();
        assert!(!ingestion.is_at_work("NOT_STARTED", grace));
        ingestion.deleted(&DocumentId::from("a"));
        assert!(ingestion.is_at_work("NOT_STARTED", grace));
        assert!(!ingestion.is_at_work("SUCCESS", grace));
        tokio::time::advance(grace).await;
        assert!(!ingestion.is_at_work("NOT_STARTED", grace));
        assert!(ingestion.is_at_work("IN_PROGRESS", grace));
    }

    #[test]
    fn failures_told_before_do_not_disturb() {
        let mut ingestion = Ingestion::default();
        ingestion.settled(&DocumentId::from("old"), true);
        assert_eq!(
            ingestion.judge(counts(0, 5, 1), &ids(0..5)),
            Verdict::AllDone
        );
        assert!(matches!(
            ingestion.judge(counts(0, 4, 2), &ids(0..5)),
            Verdict::Read { .. }
        ));
        ingestion.accepted(&DocumentId::from("old"));
        assert!(matches!(
            ingestion.judge(counts(0, 5, 1), &ids(0..5)),
            Verdict::Read { .. }
        ));
    }

    #[test]
    fn reasons_are_told_in_words() {
        let status = json!({"status": "ERROR", "error": [{"job_id": "j", "message": "no embedding", "step": "INGESTION"}]});
        assert_eq!(reason(&status), "no embedding (at INGESTION)");
        assert_eq!(
            reason(&json!({"status": "CANCELLED", "error": null})),
            "the store says CANCELLED and no reason"
        );
    }
}
