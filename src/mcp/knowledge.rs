//! The port through which tools reach what is indexed. The service implements it over its store and engine; tests over
//! plain values. It knows no MCP.

use std::sync::Arc;

use async_trait::async_trait;
use domain::access::Asker;
use domain::audit::HandedOut;
use domain::page::{Page, Shown};
use domain::ports::store::Listed;
use domain::query::{Answer, ChangedPage, Neighbourhood, PageQuery, QueryTarget, RetrievalQuery};
use domain::{IndexId, PageId, SpaceKey, Timestamp};

use super::caller::{Caller, Reader};

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

/// What is indexed. Pages that are known to be gone, vanishing or kept out by a restriction are in no answer of it.
#[async_trait]
pub trait KnowledgeBase: Send + Sync {
    /// The same, of which everything is asked for this person.
    fn asked_for(self: Arc<Self>, asker: &Asker) -> Arc<dyn KnowledgeBase>;

    /// The indexes that these credentials may read, by name.
    async fn indexes(&self, reader: &Reader) -> Result<Vec<QueryTarget>, Trouble>;

    /// The main languages of an index's pages by their English names, the most frequent first; none where nobody knows.
    async fn languages(&self, index: &QueryTarget) -> Vec<String>;

    /// The best passages of one index (or, where the index cannot answer, of Confluence itself).
    async fn search(&self, index: IndexId, query: RetrievalQuery) -> Result<Answer, Trouble>;

    /// Takes note of a question that was answered from these indexes together, for those who look after the pages. Nobody waits.
    fn answered(&self, indexes: &[IndexId], question: &str, answer: &Answer);

    /// Takes note of what an answer hands out to a caller, for the audit. Nobody waits.
    fn handed_out(&self, caller: &Caller, handed_out: &HandedOut);

    /// A page with its text, if this index may quote it.
    async fn page(&self, index: IndexId, wanted: &PageQuery) -> Result<Option<FoundPage>, Trouble>;

    /// What stands around a page, as far as this index may quote it.
    async fn around(&self, index: IndexId, page: &PageId) -> Result<Neighbourhood, Trouble>;

    /// Pages whose title contains some words, for "did you mean".
    async fn similar_titles(
        &self,
        index: IndexId,
        space: Option<&SpaceKey>,
        title: &str,
        limit: usize,
    ) -> Result<Vec<Shown<Page>>, Trouble>;

    /// What was added, edited or removed after a moment, newest first.
    async fn changes(
        &self,
        index: IndexId,
        since: Timestamp,
        space: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<ChangedPage>, Trouble>;

    /// Pages that may be quoted, in the order of their ids.
    async fn pages(
        &self,
        index: IndexId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Shown<Page>>, Trouble>;

    /// The time of day.
    fn now(&self) -> Timestamp;
}
