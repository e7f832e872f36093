//! Questions to an index and what comes back.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::Hidden;
use crate::index::{IndexSettings, IndexSpace, Remote};
use crate::page::{Page, PageState, Shown};
use crate::sections::SectionChanges;
use crate::{DocumentId, IndexId, PageId, SpaceKey, Timestamp};

/// How many results are given when nobody says.
pub const DEFAULT_TOP_K: u32 = 8;
/// Bytes that a passage of an answer takes with what stands around it, where nobody says.
pub const DEFAULT_ROOM: usize = 1_900;
/// How many results are given at most.
pub const MAX_TOP_K: u32 = 50;

/// Which pages may answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filters {
    /// Only this space (its present key).
    pub space: Option<SpaceKey>,
    /// Only pages with this label, as Confluence keeps it (see [`label_filter`]).
    pub label: Option<String>,
    /// Only pages modified after this moment.
    pub updated_after: Option<DateTime<Utc>>,
    /// Only a page and what is below it.
    pub under: Option<Under>,
    /// Only what the person who asks may read; `None`: all of the index.
    pub readable: Option<Readable>,
}

/// What of an index one person may read, for a store to filter by before it ranks. What leaves is judged again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Readable {
    /// The spaces, by their present keys.
    pub spaces: BTreeSet<SpaceKey>,
    /// How many spaces the index has.
    pub all_spaces: usize,
    /// Pages of these that are left out.
    pub hidden: Arc<Hidden>,
}

impl Readable {
    /// Whether some spaces of the index are none of them.
    #[must_use]
    pub fn sees_fewer_spaces(&self) -> bool {
        self.spaces.len() < self.all_spaces
    }

    /// Whether anything of the index is left out.
    #[must_use]
    pub fn leaves_out(&self) -> bool {
        self.sees_fewer_spaces() || !self.hidden.is_empty()
    }

    /// Whether nothing may answer.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.spaces.is_empty()
    }
}

/// A page, and what is below it: pages, and the files that hang on them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Under {
    /// The page by its id, or by its title: all of that title are meant.
    pub page: String,
    /// What that is in the index that is asked; before somebody has looked, nothing.
    pub pages: Arc<HashSet<PageId>>,
}

impl Under {
    /// Below the page of this id or title, wherever it is.
    #[must_use]
    pub fn page(named: impl Into<String>) -> Self {
        Self {
            page: named.into(),
            pages: Arc::default(),
        }
    }

    /// Whether the page is that page, or below it.
    #[must_use]
    pub fn holds(&self, page: &PageId) -> bool {
        self.pages.contains(page)
    }
}

/// The label that somebody means who writes `#How-To`: Confluence keeps labels in lower case and without the mark. `None` for a
/// text that names none, which filters nothing.
#[must_use]
pub fn label_filter(text: &str) -> Option<String> {
    let label = text.trim().trim_start_matches('#').trim_start();
    (!label.is_empty()).then(|| label.to_lowercase())
}

/// A question to a retrieval store.
#[derive(Clone, PartialEq, Debug)]
pub struct RetrievalQuery {
    /// The words; never empty.
    pub text: String,
    /// How many passages at most.
    pub top_k: u32,
    /// What the store shall filter by, as far as it can; the rest is filtered by us.
    pub filters: Filters,
    /// Bytes that a passage may take with what stands around it, where the store knows that; 0: passages alone.
    pub room: usize,
}

/// An index as a question needs it: where to ask, what may be quoted, how current it is.
#[derive(Clone, PartialEq, Debug)]
pub struct QueryTarget {
    /// The identity.
    pub id: IndexId,
    /// What the administrator chose.
    pub settings: IndexSettings,
    /// The store object that answers; `None` until it exists.
    pub remote: Option<Remote>,
    /// Its spaces one by one.
    pub spaces: Vec<IndexSpace>,
    /// `finished_at` of the last succeeded or partial run; `None` before the first.
    pub as_of: Option<Timestamp>,
    /// Up to when the source's changes are in the index, by the source's clock.
    pub watermark: Option<Timestamp>,
}

impl QueryTarget {
    /// Documents that an answer may quote.
    #[must_use]
    pub fn document_count(&self) -> i64 {
        self.spaces.iter().map(|space| space.pages).sum()
    }
}

/// Which page is to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageQuery {
    /// The page with this id.
    Id(PageId),
    /// The page with this title in a space; case does not matter.
    Title {
        /// The space, by its key.
        space: SpaceKey,
        /// The title.
        title: String,
    },
}

/// A page that may be quoted, with its text.
#[derive(Clone, PartialEq, Debug)]
pub struct PageText {
    /// The page, in the version of the text.
    pub page: Shown<Page>,
    /// Its Markdown, without title line and breadcrumb.
    pub markdown: String,
}

/// The first of some pages.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Few {
    /// These.
    pub pages: Vec<Shown<Page>>,
    /// Whether there are more, which nobody counted.
    pub cut: bool,
}

/// What stands around a page, as far as it may be shown.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Neighbourhood {
    /// The page above it; folders between them are passed over.
    pub parent: Option<Shown<Page>>,
    /// The pages right below it, or in folders there, and its files, by title.
    pub children: Few,
    /// The pages that point at it, by title.
    pub linked_from: Few,
}

/// A page that was added, edited or removed.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedPage {
    /// The page; `state` tells a removed one.
    pub page: Shown<Page>,
    /// When the index took notice.
    pub changed_at: Timestamp,
    /// What changed by heading, as far as versions of it were kept since the moment that was asked about; of a page that is gone
    /// nothing.
    pub sections: SectionChanges,
}

/// Changes of an index that are counted at most; where there are more, no total is told.
pub const COUNTED_CHANGES: usize = 1_000;

/// What became of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its text, place, title or labels are others.
    Edited,
    /// It is gone.
    Removed,
}

impl ChangeKind {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Edited => "edited",
            Self::Removed => "removed",
        }
    }
}

impl ChangedPage {
    /// What became of it since a moment: also a move or other labels are an edit, though they make no version.
    #[must_use]
    pub fn kind(&self, since: Timestamp) -> ChangeKind {
        match self.page.state {
            PageState::Removed => ChangeKind::Removed,
            _ if self.page.version == 1 && self.page.last_modified > since => ChangeKind::Added,
            _ => ChangeKind::Edited,
        }
    }

    /// When that was: an edit happened when its author made it; a removal, a move, other labels when we took notice.
    #[must_use]
    pub fn moment(&self, since: Timestamp) -> Timestamp {
        let edited = self.page.last_modified;
        match self.page.state {
            PageState::Removed => self.changed_at,
            _ if edited > since => edited,
            _ => self.changed_at,
        }
    }
}

/// A passage as a store returns it.
#[derive(Clone, PartialEq, Debug)]
pub struct Passage {
    /// The document it belongs to: by our own metadata, never by the store's file ids.
    pub document: DocumentId,
    /// The text of the passage.
    pub text: String,
    /// Higher is better; comparable within one answer only.
    pub score: f64,
    /// Headings above it, where the store knows them.
    pub heading_path: Vec<String>,
    /// The anchor of the nearest heading, where the store knows it.
    pub anchor: Option<String>,
}

/// What a store has found, and what it can say of how well.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Found {
    /// Best first.
    pub passages: Vec<Passage>,
    /// How well the question was met.
    pub diagnostics: Diagnostics,
}

impl From<Vec<Passage>> for Found {
    /// Of a store that says no more than its passages.
    fn from(passages: Vec<Passage>) -> Self {
        Self {
            passages,
            diagnostics: Diagnostics::default(),
        }
    }
}

/// How well a question was met, so that whoever asks knows when to ask again.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Diagnostics {
    /// How surely the best passages answer.
    pub confidence: Confidence,
    /// Passages that hold a word of the question and pass the filters; null where the store does not say.
    pub candidates: Option<u64>,
    /// The score of the best passage; null without one.
    pub best_score: Option<f64>,
    /// Words of the question that stand in no indexed page.
    pub unknown_words: Vec<UnknownWord>,
    /// Words of the question that the best passage does not hold.
    pub missing_words: Vec<String>,
    /// The filters that left nothing of what was found without them.
    pub emptied_by: Vec<String>,
    /// Languages of the indexed pages, the most frequent first; empty where the store does not say.
    pub languages: Vec<String>,
    /// Whether passages were looked for by meaning too; null where that is not set up.
    #[serde(default)]
    pub meaning: Option<Meaning>,
    /// How many pages and files the filter `under` holds; 0: no page of that id or title can be quoted. Null without it.
    #[serde(default)]
    pub pages_under: Option<u64>,
}

/// Whether passages were looked for by meaning beside words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// They were.
    Used,
    /// Not yet: too few passages have a vector.
    Filling,
    /// Not this time: the endpoint gave no vector of the question.
    Unavailable,
}

impl Diagnostics {
    /// What is left to say once the answer is made: what the store says of its passages says nothing of those that
    /// Confluence's own search found, and an answer without a passage is sure of nothing.
    #[must_use]
    pub fn of_answer(self, source: AnswerSource, empty: bool) -> Self {
        let confidence = match (source, empty) {
            (_, true) => Confidence::None,
            (AnswerSource::Live, false) => Confidence::Unknown,
            (_, false) => self.confidence,
        };
        Self { confidence, ..self }
    }

    /// What may be told where the answer is one person's: nothing that counts or names what others may read.
    #[must_use]
    pub fn of_one_person(self) -> Self {
        Self {
            confidence: self.confidence,
            best_score: self.best_score,
            meaning: self.meaning,
            ..Self::default()
        }
    }

    /// What two indexes say of one question: a word is unknown that neither knows, and the surer of the two decides the rest.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let (mut surer, less) = match other.confidence > self.confidence {
            true => (other, self),
            false => (self, other),
        };
        let unknown = |word: &UnknownWord| less.unknown_words.iter().any(|w| w.word == word.word);
        surer.unknown_words.retain(unknown);
        surer.candidates = match (surer.candidates, less.candidates) {
            (Some(a), Some(b)) => Some(a + b),
            _ => None,
        };
        surer.pages_under = match (surer.pages_under, less.pages_under) {
            (Some(a), Some(b)) => Some(a + b),
            (one, other) => one.or(other),
        };
        surer.meaning = surer.meaning.max(less.meaning);
        for language in less.languages {
            if !surer.languages.contains(&language) {
                surer.languages.push(language);
            }
        }
        surer
    }
}

/// A word that stands in no indexed page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnknownWord {
    /// The word, in lower case.
    pub word: String,
    /// The word that was searched for in its place.
    pub searched_for: Option<String>,
    /// The closest words of the index, where none was plainly meant.
    pub closest: Vec<String>,
}

/// How surely passages answer a question, by its words.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Nothing was found.
    None,
    /// Words that tell most are missing: likely something else was found.
    Low,
    /// The store does not say.
    #[default]
    Unknown,
    /// Some telling words are missing.
    Medium,
    /// Nearly all that the question asks for stands together.
    High,
}

impl Confidence {
    /// By the share of a question that stands together in the best passage: each word weighs what it tells, and what no page
    /// holds weighs most.
    #[must_use]
    pub fn of_share(share: f64) -> Self {
        match share {
            s if s >= 0.8 => Self::High,
            s if s >= 0.5 => Self::Medium,
            _ => Self::Low,
        }
    }
}

/// One result of an answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryResult {
    /// The passage.
    pub text: String,
    /// Higher is better.
    pub score: f64,
    /// The page it stands on.
    pub page: ResultPage,
}

/// The page of a result, with the place on it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResultPage {
    /// The page.
    #[serde(flatten)]
    pub page: Page,
    /// The heading under which the passage stands.
    pub section: Option<String>,
    /// The anchor of that heading; `url#anchor` opens the place.
    pub anchor: Option<String>,
}

/// Where an answer came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AnswerSource {
    /// The index.
    Index,
    /// Confluence's own search.
    Live,
    /// The index, and Confluence for what changed since.
    Both,
}

/// The answer to a query.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Answer {
    /// Best first.
    pub results: Vec<QueryResult>,
    /// `finished_at` of the last succeeded or partial run; null before the first.
    pub as_of: Option<DateTime<Utc>>,
    /// Whether that is longer ago than twice the interval.
    pub stale: bool,
    /// Where it came from.
    pub source: AnswerSource,
    /// How well the question was met.
    #[serde(default)]
    pub diagnostics: Diagnostics,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_meant_however_they_are_written() {
        for (text, label) in [
            ("runbook", Some("runbook")),
            (" #Run-Book ", Some("run-book")),
            ("## ÜBER", Some("über")),
            ("c#", Some("c#")),
            (" # ", None),
            ("", None),
        ] {
            assert_eq!(label_filter(text).as_deref(), label, "{text:?}");
        }
    }
}
