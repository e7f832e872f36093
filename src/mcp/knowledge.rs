//! The port through which tools reach what is indexed. The service implements it over its store and engine; tests over
//! plain values. It knows no MCP.

use async_trait::async_trait;
use domain::index::Index;
use domain::page::{Page, Shown};
use domain::query::{Answer, RetrievalQuery};
use domain::{IndexId, PageId, SpaceKey, Timestamp};

use super::caller::Reader;

/// Why the service cannot answer now, in words that an agent can pass on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

/// A heading of a page's Markdown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    /// The text without markup.
    pub title: String,
    /// What follows `#` in a link to the place.
    pub anchor: String,
    /// Byte offset of the heading's line.
    pub start: usize,
}

/// A page that may be quoted, with its text.
#[derive(Clone, PartialEq, Debug)]
pub struct FoundPage {
    /// The page.
    pub page: Shown<Page>,
    /// Its Markdown, without title line and breadcrumb.
    pub markdown: String,
    /// The headings of that Markdown, in order.
    pub outline: Vec<Heading>,
}

/// A page that was added, edited or removed.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedPage {
    /// The page; `state` tells a removed one.
    pub page: Shown<Page>,
    /// When the index took notice.
    pub changed_at: Timestamp,
}

/// A part of a list of pages.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PageList {
    /// The pages.
    pub pages: Vec<Shown<Page>>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// What is indexed. Pages that are known to be gone, vanishing or kept out by a restriction are in no answer of it.
#[async_trait]
pub trait KnowledgeBase: Send + Sync {
    /// The indexes that these credentials may read, by name.
    async fn indexes(&self, reader: Reader) -> Result<Vec<Index>, Trouble>;

    /// The best passages of one index (or, where the index cannot answer, of Confluence itself).
    async fn search(&self, index: IndexId, query: RetrievalQuery) -> Result<Answer, Trouble>;

    /// A page with its text, if this index may quote it.
    async fn page(&self, index: &Index, id: &PageId) -> Result<Option<FoundPage>, Trouble>;

    /// The page of this title (ignoring case) in a space.
    async fn page_by_title(
        &self,
        index: &Index,
        space: &SpaceKey,
        title: &str,
    ) -> Result<Option<PageId>, Trouble>;

    /// Pages whose title contains some words, for "did you mean".
    async fn similar_titles(
        &self,
        index: &Index,
        space: Option<&SpaceKey>,
        title: &str,
        limit: usize,
    ) -> Result<Vec<Shown<Page>>, Trouble>;

    /// What was added, edited or removed after a moment, newest first.
    async fn changes(
        &self,
        index: &Index,
        since: Timestamp,
        space: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<ChangedPage>, Trouble>;

    /// Pages that may be quoted, in the order of their ids.
    async fn pages(
        &self,
        index: &Index,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<PageList, Trouble>;

    /// The time of day.
    fn now(&self) -> Timestamp;
}
