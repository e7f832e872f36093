//! Moving an index to another store object: which documents go there, when it may take over, and whether a changed setting moves it.
//!
//! The object that answers now keeps answering until the new one finds everything that it could quote. The new one has
//! holdings of its own, so that a move goes on where it stopped.

use std::fmt;

use serde::Serialize;

use crate::content::ContentKind;
use crate::cost::{self, CostEstimate, Price};
use crate::holding::Have;
use crate::index::{BackendKind, Index, Remote};
use crate::page::{PageRecord, Standing};
use crate::ports::retrieval::RetrievalBackend;

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

/// A setting that asks for another store object than the one an index lives in. Following it stores every document anew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outgrown {
    /// The setting: `LLAMA_CLOUD_INDEX_API`, `SEARCH_LANGUAGE`.
    pub setting: &'static str,
    /// The value by which the object was made.
    pub present: String,
    /// The value that is set now.
    pub wanted: String,
}

/// What is done at a start about an index that a changed setting asks to rebuild (`REBUILD_ON_CHANGE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnChange {
    /// It stays as it is, and the administrator is told what a rebuild would take.
    #[default]
    Ask,
    /// It is rebuilt.
    Rebuild,
}

/// A rebuild that waits for the administrator's word, and what it would take. Confluence is not asked for anything.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingRebuild {
    /// Why.
    #[serde(flatten)]
    pub outgrown: Outgrown,
    /// Documents that would be stored anew.
    pub documents: i64,
    /// Requests to the store, at least; 0 for the embedded one.
    pub store_requests: i64,
    /// What the store would bill, where that is known; null for one that bills nothing.
    pub cost: Option<CostEstimate>,
}

impl PendingRebuild {
    /// What storing so many documents would take, in a store with this price and so many documents a request (0: it needs none).
    #[must_use]
    pub fn new(outgrown: Outgrown, documents: i64, price: Option<&Price>, batch: i64) -> Self {
        Self {
            outgrown,
            documents,
            store_requests: match batch {
                0 => 0,
                batch => (documents + batch - 1) / batch,
            },
            cost: price.map(|price| cost::estimate(price, documents, 0)),
        }
    }
}

impl fmt::Display for PendingRebuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outgrown {
            setting,
            present,
            wanted,
        } = &self.outgrown;
        write!(
            f,
            "{setting} asks for {wanted}, and the index was made with {present}: it goes on with that until you rebuild it, which stores \
             {} documents anew",
            self.documents
        )?;
        if self.store_requests > 0 {
            let s = if self.store_requests == 1 { "" } else { "s" };
            write!(f, " with {} request{s} to the store", self.store_requests)?;
        }
        if let Some(cost) = &self.cost {
            write!(
                f,
                " for about {} credits (${}, {}, prices of {})",
                cost.credits, cost.dollars, cost.product, cost.prices_as_of
            )?;
        }
        f.write_str(" and asks Confluence for nothing")
    }
}

/// How one agrees to a [`PendingRebuild`], and how one does not.
#[must_use]
pub fn how_to_agree(index: &Index, pending: &PendingRebuild) -> String {
    format!(
        "to agree, rebuild it on the page, by `mcp-confluence sync --rebuild --agent {}` or by POST /api/indexes/{}/sync {{\"rebuild\": true}}; \
         REBUILD_ON_CHANGE=yes agrees for all indexes. {}={} keeps all as it is",
        index.settings.agent_id, index.id, pending.outgrown.setting, pending.outgrown.present
    )
}

/// The rebuild that the settings of its store ask for of an index; none of one that moves already, or is paused.
#[must_use]
pub fn pending_rebuild(index: &Index, backend: &dyn RetrievalBackend) -> Option<PendingRebuild> {
    if index.moving.is_some() || !index.settings.enabled {
        return None;
    }
    let outgrown = backend.outgrown(index.remote.as_ref()?)?;
    let capabilities = backend.capabilities();
    // An embedded store is at hand: what it takes is searchable at once, and nothing is sent.
    let batch = if capabilities.immediate {
        0
    } else {
        i64::try_from(capabilities.max_batch_documents).unwrap_or(i64::MAX)
    };
    let price = backend.price(None);
    let documents = index.document_count;
    Some(PendingRebuild::new(
        outgrown,
        documents,
        price.as_ref(),
        batch,
    ))
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
    }

    #[test]
    fn a_rebuild_tells_what_it_takes() {
        let outgrown = |setting, present: &str, wanted: &str| Outgrown {
            setting,
            present: present.to_owned(),
            wanted: wanted.to_owned(),
        };
        let price = Price {
            product: "directories".to_owned(),
            credits_per_document: 3.0,
            dollars_per_credit: 0.00125,
            as_of: "2026-11-01".to_owned(),
            basis: String::new(),
        };
        let cloud = outgrown("LLAMA_CLOUD_INDEX_API", "v1", "v2");
        let told = PendingRebuild::new(cloud, 101, Some(&price), 50);
        assert_eq!(
            told.to_string(),
            "LLAMA_CLOUD_INDEX_API asks for v2, and the index was made with v1: it goes on with that until you rebuild it, which stores \
             101 documents anew with 3 requests to the store for about 303 credits ($0.3788, directories, prices of 2026-11-01) and asks \
             Confluence for nothing"
        );
        let local = outgrown("SEARCH_LANGUAGE", "auto", "german");
        let told = PendingRebuild::new(local, 7, None, 0);
        assert_eq!((told.store_requests, &told.cost), (0, &None));
        assert!(
            told.to_string()
                .ends_with("stores 7 documents anew and asks Confluence for nothing"),
            "{told}"
        );
    }
}
