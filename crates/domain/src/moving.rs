//! Moving an index to another store object: which documents go there, and when it may take over.
//!
//! The object that answers now keeps answering until the new one finds everything that it could quote. What the new one is
//! asked to hold is recorded page by page, apart from what the old one holds, so that a move goes on where it stopped.

use crate::content::ContentKind;
use crate::index::{BackendKind, Remote};
use crate::page::{PageRecord, PageState};
use crate::ports::store::{OutboxEntry, OutboxOp, OutboxState};
use crate::{PageId, Timestamp};

/// How far the new object is with one page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MoveState {
    /// To be sent.
    Waiting,
    /// Accepted, not confirmed.
    Accepted,
    /// It finds the document.
    Searchable,
    /// It refused the document, or failed with it.
    Failed,
}

impl MoveState {
    /// The word used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Accepted => "accepted",
            Self::Searchable => "searchable",
            Self::Failed => "failed",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Waiting,
            Self::Accepted,
            Self::Searchable,
            Self::Failed,
        ]
        .into_iter()
        .find(|state| state.as_str() == word)
    }
}

/// What the new object is asked to hold of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MoveRow {
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// What is asked.
    pub op: OutboxOp,
    /// Hash of the document; empty for deletions.
    pub hash: String,
    /// How far it is.
    pub state: MoveState,
    /// Tries that could not be carried out.
    pub attempts: i32,
    /// Runs in which it was refused or failed.
    pub refusals: i32,
}

/// What is to be done about one page before the new object is filled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing: it is not to go there, or is on its way, or there.
    Leave,
    /// This is to be sent.
    Send(Box<OutboxEntry>),
}

/// Decides about one page: `hash` is that of its newest document, if what makes it is kept; `row` is what was asked before.
///
/// A document goes along when the old object holds it and an answer may quote it. Of a page whose newest body is not kept
/// (an edit came and was not fetched yet) the old hash stands in the row, which waits until a sync has fetched the body;
/// unless Confluence does not give it: then the page is left behind, and stored when it can be had again.
#[must_use]
pub fn step(
    record: &PageRecord,
    hash: Option<&str>,
    row: Option<&MoveRow>,
    now: Timestamp,
) -> Step {
    let held = record
        .stored_hash
        .as_deref()
        .filter(|held| !held.is_empty());
    let given_up = hash.is_none() && record.state == PageState::Failed;
    let wanted = record.kind != ContentKind::Container
        && record.may_be_shown()
        && held.is_some()
        && !given_up;
    let entry = |op, hash: &str| {
        Step::Send(Box::new(OutboxEntry {
            index_id: record.index_id,
            page_id: record.page_id.clone(),
            kind: record.kind,
            op,
            hash: hash.to_owned(),
            state: OutboxState::Waiting,
            attempts: row.map_or(0, |row| row.attempts),
            next_attempt_at: now,
            last_error: None,
        }))
    };
    match (row, wanted) {
        (None, false) => Step::Leave,
        // Whatever its state: a try whose answer was lost may have arrived.
        (Some(row), false) if row.op == OutboxOp::Upsert => entry(OutboxOp::Delete, ""),
        (Some(_), false) => Step::Leave,
        (row, true) => {
            let hash = hash.or(held).unwrap_or_default();
            let there = row.is_some_and(|row| {
                row.op == OutboxOp::Upsert
                    && row.hash == hash
                    && matches!(row.state, MoveState::Accepted | MoveState::Searchable)
            });
            if there {
                Step::Leave
            } else {
                entry(OutboxOp::Upsert, hash)
            }
        }
    }
}

/// How far a move is, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MoveCounts {
    /// Documents that are to go there.
    pub documents: i64,
    /// Of these: it finds them.
    pub searchable: i64,
    /// Of these: refused or failed, for the first time.
    pub failed: i64,
    /// Of these: refused or failed again.
    pub failed_again: i64,
}

impl MoveCounts {
    /// Documents that are still to be sent or confirmed.
    #[must_use]
    pub const fn open(&self) -> i64 {
        self.documents - self.searchable - self.failed - self.failed_again
    }
}

/// Whether the new object may take over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It may.
    Complete,
    /// Not yet, for this reason.
    Later(String),
}

/// Decides whether the new object may take over: everything is searchable there, but for documents that it refused twice,
/// as long as these are fewer than one in ten (or it is one document of several).
#[must_use]
pub fn verdict(counts: &MoveCounts) -> Verdict {
    let MoveCounts {
        documents,
        searchable,
        failed,
        failed_again,
    } = *counts;
    if counts.open() > 0 {
        return Verdict::Later(format!(
            "{searchable} of {documents} documents are searchable in the new store; {} wait to be fetched or sent",
            counts.open()
        ));
    }
    if failed > 0 {
        return Verdict::Later(format!(
            "the new store failed with {failed} of {documents} documents; they are sent once more"
        ));
    }
    if failed_again > 0 && (searchable == 0 || (failed_again > 1 && failed_again * 10 > documents))
    {
        return Verdict::Later(format!(
            "the new store failed with {failed_again} of {documents} documents twice: too many to let it take over"
        ));
    }
    Verdict::Complete
}

/// Whether the object that answered until now has to be removed when another takes over (or the other way round).
#[must_use]
pub fn is_another(one: (BackendKind, &Remote), other: (BackendKind, &Remote)) -> bool {
    one.0 != other.0 || one.1.kind != other.1.kind || one.1.id != other.1.id
}

/// Whether an index lives in another kind of object than the settings ask for by name.
#[must_use]
pub fn is_outgrown(remote: Option<&Remote>, wanted: Option<&str>) -> bool {
    matches!((remote, wanted), (Some(remote), Some(wanted)) if remote.kind != wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{ContentStatus, SourcePage};
    use crate::{IndexId, SpaceId};

    fn now() -> Timestamp {
        chrono::DateTime::UNIX_EPOCH
    }

    fn record(state: PageState, stored: Option<&str>) -> PageRecord {
        let source = SourcePage {
            id: PageId::from("1"),
            kind: ContentKind::Page,
            status: ContentStatus::Current,
            title: String::new(),
            space_id: SpaceId::from("10"),
            parent_id: None,
            parent_kind: None,
            version: 1,
            modified: now(),
            author: None,
            url: String::new(),
            body: None,
        };
        PageRecord {
            state,
            stored_hash: stored.map(str::to_owned),
            ..PageRecord::new(IndexId::generate(), &source, now())
        }
    }

    fn row(op: OutboxOp, hash: &str, state: MoveState, attempts: i32) -> MoveRow {
        MoveRow {
            page_id: PageId::from("1"),
            kind: ContentKind::Page,
            op,
            hash: hash.to_owned(),
            state,
            attempts,
            refusals: 0,
        }
    }

    #[test]
    fn what_the_old_object_may_quote_goes_along_once() {
        use MoveState::{Accepted, Failed, Searchable, Waiting};
        use OutboxOp::{Delete, Upsert};
        use PageState::{Pending, Removed, Skipped, Vanishing};
        #[derive(Debug, PartialEq)]
        enum Is {
            Leave,
            Send(OutboxOp, &'static str),
        }
        let table = [
            // The plain case, and the same again at every stage.
            (
                PageState::Searchable,
                Some("h"),
                Some("h"),
                None,
                Is::Send(Upsert, "h"),
            ),
            (
                PageState::Searchable,
                Some("h"),
                Some("h"),
                Some(row(Upsert, "h", Waiting, 0)),
                Is::Send(Upsert, "h"),
            ),
            (
                PageState::Searchable,
                Some("h"),
                Some("h"),
                Some(row(Upsert, "h", Accepted, 0)),
                Is::Leave,
            ),
            (
                PageState::Searchable,
                Some("h"),
                Some("h"),
                Some(row(Upsert, "h", Searchable, 0)),
                Is::Leave,
            ),
            (
                PageState::Searchable,
                Some("h"),
                Some("h"),
                Some(row(Upsert, "h", Failed, 1)),
                Is::Send(Upsert, "h"),
            ),
            // Edited since.
            (
                PageState::Searchable,
                Some("i"),
                Some("i"),
                Some(row(Upsert, "h", Searchable, 0)),
                Is::Send(Upsert, "i"),
            ),
            // The newest body is not kept: it waits, under what the old object holds.
            (Pending, Some("h"), None, None, Is::Send(Upsert, "h")),
            (PageState::Failed, Some("h"), None, None, Is::Leave),
            // Never stored, or not to be quoted.
            (Pending, None, Some("h"), None, Is::Leave),
            (PageState::Failed, Some(""), Some("h"), None, Is::Leave),
            (Vanishing, Some("h"), Some("h"), None, Is::Leave),
            // It left the index during the move.
            (
                Skipped,
                Some("h"),
                Some("h"),
                Some(row(Upsert, "h", Searchable, 0)),
                Is::Send(Delete, ""),
            ),
            (
                Removed,
                None,
                None,
                Some(row(Upsert, "h", Accepted, 0)),
                Is::Send(Delete, ""),
            ),
            (
                Removed,
                None,
                None,
                Some(row(Upsert, "h", Waiting, 0)),
                Is::Send(Delete, ""),
            ),
            (
                Removed,
                None,
                None,
                Some(row(Upsert, "h", Waiting, 1)),
                Is::Send(Delete, ""),
            ),
            (
                Removed,
                None,
                None,
                Some(row(Delete, "", Waiting, 1)),
                Is::Leave,
            ),
            // And came back.
            (
                PageState::Searchable,
                Some("h"),
                Some("h"),
                Some(row(Delete, "", Waiting, 0)),
                Is::Send(Upsert, "h"),
            ),
        ];
        for (state, stored, hash, row, expected) in table {
            let page = record(state, stored);
            let is = match step(&page, hash, row.as_ref(), now()) {
                Step::Leave => Is::Leave,
                Step::Send(entry) => {
                    let word = ["h", "i", ""].into_iter().find(|word| *word == entry.hash);
                    Is::Send(entry.op, word.unwrap())
                }
            };
            assert_eq!(is, expected, "{state:?} {stored:?} {hash:?} {row:?}");
        }
    }

    #[test]
    fn nothing_takes_over_before_it_is_complete() {
        let counts = |documents, searchable, failed, failed_again| MoveCounts {
            documents,
            searchable,
            failed,
            failed_again,
        };
        for (counts, complete) in [
            (counts(0, 0, 0, 0), true),
            (counts(10, 10, 0, 0), true),
            (counts(10, 9, 0, 0), false),
            (counts(10, 9, 1, 0), false),
            (counts(10, 9, 0, 1), true),
            (counts(100, 90, 0, 10), true),
            (counts(100, 89, 0, 11), false),
            (counts(1, 0, 0, 1), false),
            (counts(2, 1, 0, 1), true),
        ] {
            assert_eq!(
                verdict(&counts) == Verdict::Complete,
                complete,
                "{counts:?}"
            );
        }
    }

    #[test]
    fn only_another_object_is_removed() {
        let remote = |kind: &str, id: &str| Remote {
            kind: kind.to_owned(),
            id: id.to_owned(),
            name: String::new(),
            extra: None,
        };
        let (old, same, other) = (
            remote("pipeline", "1"),
            remote("pipeline", "1"),
            remote("directory_index", "1"),
        );
        let cloud = BackendKind::LlamaCloud;
        assert!(!is_another((cloud, &old), (cloud, &same)));
        assert!(is_another((cloud, &old), (cloud, &other)));
        assert!(is_another((cloud, &old), (BackendKind::Local, &same)));
        assert!(is_outgrown(Some(&old), Some("directory_index")));
        assert!(!is_outgrown(Some(&old), None) && !is_outgrown(None, Some("pipeline")));
    }
}
