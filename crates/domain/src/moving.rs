//! Moving an index to another store object: which documents go there, and when it may take over.
//!
//! The object that answers now keeps answering until the new one finds everything that it could quote. The new one has
//! holdings of its own, so that a move goes on where it stopped.

use crate::content::ContentKind;
use crate::holding::Have;
use crate::index::{BackendKind, Remote};
use crate::page::{PageRecord, Standing};

/// What the new object is to hold of a page: the hash of its document, or nothing. `hash` is that of its newest document, if
/// what makes it is kept.
///
/// A document goes along when the old object holds it and an answer may quote it. Of a page whose newest body is not kept
/// (an edit came and was not fetched yet) the old hash is wanted, and waits until a sync has fetched the body; unless
/// Confluence does not give it: then the page is left behind, and stored when it can be had again.
#[must_use]
pub fn wanted(record: &PageRecord, hash: Option<String>) -> Option<String> {
    let Have::Document(held) = record.holding.have() else {
        return None;
    };
    let given_up = hash.is_none() && record.standing == Standing::Failed;
    if record.kind == ContentKind::Container || !record.may_be_shown() || given_up {
        return None;
    }
    Some(hash.unwrap_or_else(|| held.clone()))
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
    use crate::holding::{Flight, Holding};
    use crate::{IndexId, PageId, SpaceId};

    fn record(standing: Standing, have: Have) -> PageRecord {
        let source = SourcePage {
            id: PageId::from("1"),
            kind: ContentKind::Page,
            status: ContentStatus::Current,
            title: String::new(),
            space_id: SpaceId::from("10"),
            parent_id: None,
            parent_kind: None,
            version: 1,
            modified: chrono::DateTime::UNIX_EPOCH,
            author: None,
            url: String::new(),
            body: None,
        };
        let stored = (Some("h".to_owned()), have);
        PageRecord {
            standing,
            holding: Holding::restore(stored, (Flight::None, false), (0, None), None, None),
            ..PageRecord::new(IndexId::generate(), &source, chrono::DateTime::UNIX_EPOCH)
        }
    }

    #[test]
    fn what_the_old_object_may_quote_goes_along() {
        use Standing::{Failed, Gone, Hidden, Member, Skipped, Undecided};
        let h = || Have::Document("h".to_owned());
        for (standing, have, hash, expected) in [
            (Member, h(), Some("h"), Some("h")),
            // Edited since.
            (Undecided, h(), Some("i"), Some("i")),
            // The newest body is not kept: it waits, under what the old object holds.
            (Undecided, h(), None, Some("h")),
            (Failed, h(), None, None),
            (Failed, h(), Some("h"), Some("h")),
            // Never stored, or not to be quoted.
            (Undecided, Have::None, Some("h"), None),
            (Member, Have::Unknown, Some("h"), None),
            (Hidden, h(), Some("h"), None),
            (Skipped, h(), Some("h"), None),
            (Gone, h(), None, None),
        ] {
            let page = record(standing, have.clone());
            let is = wanted(&page, hash.map(str::to_owned));
            assert_eq!(is.as_deref(), expected, "{standing:?} {have:?} {hash:?}");
        }
        let container = PageRecord {
            kind: ContentKind::Container,
            ..record(Member, h())
        };
        assert_eq!(wanted(&container, Some("h".to_owned())), None);
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
