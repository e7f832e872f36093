//! What is kept of a page of an index: the facts of the source, and how far it has come into the store.

mod shown;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::{Grantee, Guards};
use crate::content::{ContentKind, ContentStatus, FileFacts, Restriction};
use crate::holding::{Holding, Wanted, page_state};
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

/// How a page stands by itself, whatever a store holds of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// What is known of it has changed, or is not all there: it is to be decided.
    Undecided,
    /// It belongs, and its newest document is wanted.
    Member,
    /// Its body could not be fetched or converted; `reason` says why.
    Failed,
    /// It stays out by restriction, label or root page; `reason` says which.
    Skipped,
    /// Absent at the source once: hidden from answers, not yet removed.
    Hidden,
    /// It was to leave, by what the source says, and the administrator decided that it stays: answers quote it until the question
    /// is asked anew.
    Retained,
    /// It has left.
    Gone,
}

impl Standing {
    /// The word used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Member => "member",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Hidden => "hidden",
            Self::Retained => "retained",
            Self::Gone => "gone",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Undecided,
            Self::Member,
            Self::Failed,
            Self::Skipped,
            Self::Hidden,
            Self::Retained,
            Self::Gone,
        ]
        .into_iter()
        .find(|standing| standing.as_str() == word)
    }

    /// Whether nothing of the page is to be shown or sent.
    #[must_use]
    pub const fn is_out(self) -> bool {
        matches!(self, Self::Skipped | Self::Hidden | Self::Gone)
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
    /// Whom that names, sorted; empty unless it is restricted.
    pub readers: Vec<Grantee>,
    /// The restricted items that it stands behind, as last decided.
    pub guards: Guards,
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
    /// How it stands, whatever a store holds of it.
    pub standing: Standing,
    /// Whether it was decided last that it belongs in the index.
    pub belongs: bool,
    /// Why it stands so, in words.
    pub reason: Option<String>,
    /// Times in a row that its body could not be had.
    pub attempts: i32,
    /// When its body is asked for again.
    pub next_try_at: Option<DateTime<Utc>>,
    /// Times that reading this version of the file began and did not come to its end; of attachments only.
    pub lost_reads: i32,
    /// What the object that answers holds of it. Read with the page; written as [`Change`](crate::holding::Change)s.
    pub holding: Holding,
    /// The newest run whose listing named it.
    pub seen_in_run: Option<RunId>,
    /// When it was first found absent, while [`Standing::Hidden`], or [`Standing::Retained`] for its absence.
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
            readers: Vec::new(),
            guards: Guards::Unknown,
            breadcrumb: Vec::new(),
            body_version: None,
            markdown_hash: None,
            comments_hash: None,
            links: Links::default(),
            file: None,
            standing: Standing::Undecided,
            belongs: false,
            reason: None,
            attempts: 0,
            next_try_at: None,
            lost_reads: 0,
            holding: Holding::default(),
            seen_in_run: None,
            vanished_at: None,
            // Whatever was in Confluence long before is no news when an index begins.
            changed_at: source.modified.min(now),
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn state(&self) -> PageState {
        page_state(self.standing, &self.holding)
    }

    /// Whether it was not there when it was last looked for.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.state() == PageState::Vanishing
            || self.standing == Standing::Retained && self.vanished_at.is_some()
    }

    /// It is where it was not: who may read it there has to be asked, however lately its space was read.
    pub fn forget_readers(&mut self) {
        self.restriction = Restriction::Unknown;
        self.readers.clear();
        self.guards = Guards::Unknown;
    }

    /// Why it stands as it does, with what the store says where that is why.
    fn shown_reason(&self) -> Option<String> {
        let trouble = self.holding.last_error();
        if !self.standing.is_out() {
            return self.reason.as_deref().or(trouble).map(str::to_owned);
        }
        // Why a page leaves says more than that its removal has to wait.
        match trouble.filter(|_| self.holding.want().is_none() && self.holding.has_failed()) {
            None => self.reason.clone(),
            Some(trouble) => {
                let why = self.reason.as_deref().unwrap_or("it left");
                Some(format!("{why}{STILL_STORED}{trouble}"))
            }
        }
    }

    /// Whether it is a file whose newest version was looked at and gives no text: `reason` says why.
    #[must_use]
    pub fn has_no_text(&self) -> bool {
        self.kind == ContentKind::Attachment
            && self.markdown_hash.is_none()
            && self.body_version == Some(self.facts.version)
    }

    /// Whether it counts as a document of its index: as [`may_be_shown`](Self::may_be_shown), and what the store holds is known.
    #[must_use]
    pub fn is_document(&self) -> bool {
        self.holding.is_document() && !self.standing.is_out()
    }

    /// What the object that answers is to hold of it from now on.
    #[must_use]
    pub fn wanted(&self, want: Option<String>) -> Wanted {
        Wanted {
            index_id: self.index_id,
            page_id: self.page_id.clone(),
            kind: self.kind,
            want,
        }
    }

    /// Whether documents of the index may name it.
    #[must_use]
    pub fn naming(&self) -> Naming {
        Naming::of(
            self.kind,
            self.state(),
            self.holding.is_kept(),
            self.belongs,
            &self.guards,
        )
    }

    /// The row as REST shows it to the administrator.
    #[must_use]
    pub fn to_page(&self, space_key: SpaceKey) -> Page {
        // Of one that left only its reason tells that the store does not let go of it.
        let out = Holding::default();
        let waits = self.holding.has_failed() && !self.standing.is_out();
        let stored = if waits { &self.holding } else { &out };
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
            state: self.state(),
            reason: self.shown_reason(),
            attempts: self.attempts.max(stored.attempts()),
            next_try_at: self.next_try_at.or(stored.next_try_at()),
        }
    }
}

/// The text of a page as it is kept, once for all indexes of the site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachedText {
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// The version that the text belongs to.
    pub version: i32,
    /// Markdown, without title line and breadcrumb; links to pages are left open (see [`crate::links`]).
    pub markdown: String,
    /// blake3 of `markdown`, 64 hex digits.
    pub markdown_hash: String,
    /// The converter's version that made the Markdown; a lower one is converted anew from the body.
    pub converter: i32,
}

/// A text with the body that it was made of: what conversion and upload need again without a crawl.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachedBody {
    /// What was made of it.
    pub text: CachedText,
    /// The body in storage format.
    pub storage: String,
    /// The rendered form (HTML) that macros which only Confluence can resolve were last taken from, if any: of this version, or
    /// of one before with the same macros.
    pub rendered: Option<String>,
}

impl CachedBody {
    /// Bytes of all its forms together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.markdown.len()
            + self.storage.len()
            + self.rendered.as_ref().map_or(0, String::len)
    }
}
