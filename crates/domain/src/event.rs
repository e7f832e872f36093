//! What is told to those who watch: numbered events of indexes, runs and pages.

use serde::{Deserialize, Serialize};

use crate::page::Page;
use crate::{IndexId, RunId, Timestamp};

/// The name of an event on the stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A run began; the data is the run.
    RunStarted,
    /// Counters moved; the data is the run.
    Progress,
    /// A page failed; the data is the page (with `index_id` and `run_id`) as the administrator sees it. At most
    /// [`NAMED_IN_A_RUN`] a run.
    PageFailed,
    /// A run is over; the data is the run.
    RunFinished,
    /// An index was created, changed or deleted; the data is the index (`{"id", "deleted": true}` when deleted).
    IndexChanged,
}

impl EventKind {
    /// The word of the stream and of rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunStarted => "run_started",
            Self::Progress => "progress",
            Self::PageFailed => "page_failed",
            Self::RunFinished => "run_finished",
            Self::IndexChanged => "index_changed",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::RunStarted,
            Self::Progress,
            Self::PageFailed,
            Self::RunFinished,
            Self::IndexChanged,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// So many pages of a run are named as failed, one event each. How many failed is in the counts of the run, and each page of the
/// index says why.
pub const NAMED_IN_A_RUN: usize = 100;

/// How many of `failing` pages are still to be named, when a run has named so many.
#[must_use]
pub fn to_be_named(named: usize, failing: usize) -> usize {
    failing.min(NAMED_IN_A_RUN.saturating_sub(named))
}

/// One event before it has its number.
#[derive(Clone, PartialEq, Debug)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The index it is about.
    pub index_id: IndexId,
    /// The run it is about.
    pub run_id: Option<RunId>,
    /// The JSON of what it is about.
    pub data: serde_json::Value,
}

impl NewEvent {
    /// A page failed in a run.
    #[must_use]
    pub fn page_failed(page: &Page, index: IndexId, run: RunId) -> Self {
        let mut data = serde_json::to_value(page).unwrap_or_default();
        data["index_id"] = serde_json::json!(index);
        data["run_id"] = serde_json::json!(run);
        Self {
            kind: EventKind::PageFailed,
            index_id: index,
            run_id: Some(run),
            data,
        }
    }
}

/// One event with its number.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Global, rising, kept in the database: the `id:` of the stream.
    pub seq: i64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: NewEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_names_a_bounded_number_of_pages() {
        let table = [
            (0, 0, 0),
            (0, 7, 7),
            (0, 101, 100),
            (98, 7, 2),
            (100, 7, 0),
            (200, 7, 0),
        ];
        for (named, failing, more) in table {
            assert_eq!(to_be_named(named, failing), more, "{failing} after {named}");
        }
    }
}
