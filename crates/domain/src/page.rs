//! What is kept of a page of an index: the facts of the source, and how far it has come into the store.

mod shown;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::content::{ContentKind, ContentStatus, FileFacts, Restriction};
use crate::links::{Links, Naming};
use crate::{IndexId, PageId, RunId, SpaceId, SpaceKey};

pub use shown::{PlacedPage, Shown};

/// How far a page has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum PageState {
    /// Known; its body, its restrictions or its upload are still to come.
    Pending,
    /// The store accepted it.
    Uploaded,
    /// The store finds it.
    Searchable,
    /// It could not be fetched, converted or stored; `reason` says why.
    Failed,
    /// It stays out by restriction, label or root page; `reason` says which.
    Skipped,
    /// Absent at the source once: hidden from answers, not yet removed.
    Vanishing,
    /// It was in the store and is no more; kept for `recent_changes`.
    Removed,
}

impl PageState {
    /// Every state, for parsing and documentation.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Uploaded,
        Self::Searchable,
        Self::Failed,
        Self::Skipped,
        Self::Vanishing,
        Self::Removed,
    ];

    /// The word used in rows and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Uploaded => "uploaded",
            Self::Searchable => "searchable",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Vanishing => "vanishing",
            Self::Removed => "removed",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A page as REST, events and answers show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page {
    /// The id in Confluence.
    pub id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// Its title.
    pub title: String,
    /// Absolute address.
    pub url: String,
    /// The space's present key.
    pub space_key: SpaceKey,
    /// `version.number` at the source.
    pub version: i32,
    /// `version.createdAt` at the source.
    pub last_modified: DateTime<Utc>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Titles from the top of the space down to its parent.
    pub breadcrumb: Vec<String>,
    /// How far it has come.
    pub state: PageState,
    /// Why it stands so, in words; null when there is nothing to say.
    pub reason: Option<String>,
    /// Tries that failed in a row.
    pub attempts: i32,
    /// When it is tried again; null when it is not waiting for that.
    pub next_try_at: Option<DateTime<Utc>>,
}

/// The whole row of a page in an index: what the engine decides from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRecord {
    /// The index.
    pub index_id: IndexId,
    /// The id in Confluence.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// Source facts as the newest listing said them.
    pub facts: PageFacts,
    /// Labels as the newest bulk answer said them, sorted.
    pub labels: Vec<String>,
    /// Own read restriction as the newest bulk answer said it.
    pub restriction: Restriction,
    /// Titles from the top of the space down to its parent, as last composed.
    pub breadcrumb: Vec<String>,
    /// Version whose body is kept (in `bodies`); `None` before the first fetch.
    pub body_version: Option<i32>,
    /// Hash of that body's Markdown, as 64 hex digits.
    pub markdown_hash: Option<String>,
    /// Hash of the comments that its document holds, folded into Markdown, as 64 hex digits; `None`: none, or the index
    /// does not want them.
    pub comments_hash: Option<String>,
    /// The pages that the kept text points at, and those that the document names.
    pub links: Links,
    /// What is known of the file, of attachments only.
    pub file: Option<FileFacts>,
    /// Whether it was decided last that it belongs in the index.
    pub belongs: bool,
    /// Hash of the document that the store accepted last, as 64 hex digits; `None`: the store does not hold it. Empty: the
    /// store accepted a document and then failed with it, so it may hold something under this id, but nothing to rely on:
    /// it equals no document's hash, and a removal still has to ask the store.
    pub stored_hash: Option<String>,
    /// How far it has come.
    pub state: PageState,
    /// Why it stands so, in words.
    pub reason: Option<String>,
    /// Tries that failed in a row.
    pub attempts: i32,
    /// When it is tried again.
    pub next_try_at: Option<DateTime<Utc>>,
    /// The newest run whose listing named it.
    pub seen_in_run: Option<RunId>,
    /// When it was first found absent, while [`PageState::Vanishing`].
    pub vanished_at: Option<DateTime<Utc>>,
    /// When the page last changed in a way that a reader of the index would notice: for one that was met for the first time,
    /// when its author last did; then when we took notice of an edit, a move, other labels, a removal.
    pub changed_at: DateTime<Utc>,
}

/// The part of a [`PageRecord`] that a listing tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageFacts {
    /// Life-cycle state.
    pub status: ContentStatus,
    /// Its title.
    pub title: String,
    /// The space it stands in.
    pub space_id: SpaceId,
    /// The item above it.
    pub parent_id: Option<PageId>,
    /// What that is.
    pub parent_kind: Option<ContentKind>,
    /// `version.number`.
    pub version: i32,
    /// `version.createdAt`.
    pub modified: DateTime<Utc>,
    /// Absolute address.
    pub url: String,
}

impl From<&crate::content::SourcePage> for PageFacts {
    fn from(page: &crate::content::SourcePage) -> Self {
        Self {
            status: page.status,
            title: page.title.clone(),
            space_id: page.space_id.clone(),
            parent_id: page.parent_id.clone(),
            parent_kind: page.parent_kind,
            version: page.version,
            modified: page.modified,
            url: page.url.clone(),
        }
    }
}

/// Stands between why a page left and why its document is still in the store.
const STILL_STORED: &str = "; its document is still in the store: ";

impl PageRecord {
    /// A page met for the first time.
    #[must_use]
    pub fn new(index_id: IndexId, source: &crate::content::SourcePage, now: DateTime<Utc>) -> Self {
        Self {
            index_id,
            page_id: source.id.clone(),
            kind: source.kind,
            facts: PageFacts::from(source),
            labels: Vec::new(),
            restriction: Restriction::Unknown,
            breadcrumb: Vec::new(),
            body_version: None,
            markdown_hash: None,
            comments_hash: None,
            links: Links::default(),
            file: None,
            belongs: false,
            stored_hash: None,
            state: PageState::Pending,
            reason: None,
            attempts: 0,
            next_try_at: None,
            seen_in_run: None,
            vanished_at: None,
            // Whatever was in Confluence long before is no news when an index begins.
            changed_at: source.modified.min(now),
        }
    }

    /// The reason of a page that left, while the store does not let go of its document.
    #[must_use]
    pub fn reason_while_it_stays(why: Option<&str>, trouble: &str) -> String {
        let why = Self::reason_it_left(why).unwrap_or("it left");
        format!("{why}{STILL_STORED}{trouble}")
    }

    /// Why a page left, without what is said of its document.
    #[must_use]
    pub fn reason_it_left(reason: Option<&str>) -> Option<&str> {
        reason.map(|reason| {
            reason
                .split_once(STILL_STORED)
                .map_or(reason, |(why, _)| why)
        })
    }

    /// Whether it is a file whose newest version was looked at and gives no text: `reason` says why.
    #[must_use]
    pub fn has_no_text(&self) -> bool {
        self.kind == ContentKind::Attachment
            && self.markdown_hash.is_none()
            && self.body_version == Some(self.facts.version)
    }

    /// Whether the store is to hold nothing of it, by what is known here: it is out, and no removal of it waits for anybody.
    #[must_use]
    pub fn is_out_of_the_store(&self) -> bool {
        match self.state {
            PageState::Removed => true,
            PageState::Skipped => self.stored_hash.is_none(),
            _ => false,
        }
    }

    /// Whether documents of the index may name it.
    #[must_use]
    pub const fn naming(&self) -> Naming {
        Naming::of(
            self.kind,
            self.state,
            self.stored_hash.is_some(),
            self.belongs,
        )
    }

    /// The row as REST shows it to the administrator.
    #[must_use]
    pub fn to_page(&self, space_key: SpaceKey) -> Page {
        Page {
            id: self.page_id.clone(),
            kind: self.kind,
            title: self.facts.title.clone(),
            url: self.facts.url.clone(),
            space_key,
            version: self.facts.version,
            last_modified: self.facts.modified,
            labels: self.labels.clone(),
            breadcrumb: self.breadcrumb.clone(),
            state: self.state,
            reason: self.reason.clone(),
            attempts: self.attempts,
            next_try_at: self.next_try_at,
        }
    }
}

/// A body as it is kept, once for all indexes of the site: what conversion and upload need again without a crawl.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachedBody {
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// The version that the body belongs to.
    pub version: i32,
    /// The body in storage format.
    pub storage: String,
    /// Its Markdown, without title line and breadcrumb; links to pages are left open (see [`crate::links`]).
    pub markdown: String,
    /// blake3 of `markdown`, 64 hex digits.
    pub markdown_hash: String,
    /// The converter's version that made the Markdown; a lower one is converted anew from `storage`.
    pub converter: i32,
}
