//! Documents for the promises.

use chrono::{DateTime, TimeDelta, Utc};
use domain::content::ContentKind;
use domain::document::{Document, DocumentFacts, compose, markdown_hash};
use domain::query::{Filters, RetrievalQuery};
use domain::{DocumentId, IndexId, PageId, SpaceKey};

/// A page to be made a document of.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    /// The page's id.
    pub id: &'a str,
    /// The title.
    pub title: &'a str,
    /// The Markdown.
    pub markdown: &'a str,
    /// The space's key.
    pub space: &'a str,
    /// Labels.
    pub labels: &'a [&'a str],
    /// Days after the epoch on which it was modified.
    pub day: i64,
    /// The version.
    pub version: i32,
}

impl<'a> Sample<'a> {
    /// A page of space `ENG`, modified on day 100, version 1, without labels.
    #[must_use]
    pub const fn new(id: &'a str, title: &'a str, markdown: &'a str) -> Self {
        Self {
            id,
            title,
            markdown,
            space: "ENG",
            labels: &[],
            day: 100,
            version: 1,
        }
    }

    /// Its document id.
    #[must_use]
    pub fn document_id(&self) -> DocumentId {
        DocumentId::of(ContentKind::Page, &PageId::from(self.id))
    }

    /// The document for an index.
    #[must_use]
    pub fn document(&self, index: IndexId) -> Document {
        let labels: Vec<String> = self.labels.iter().map(|&label| label.to_owned()).collect();
        let url = format!(
            "https://example.atlassian.net/wiki/spaces/{}/pages/{}",
            self.space, self.id
        );
        let facts = DocumentFacts {
            index,
            page_id: &PageId::from(self.id),
            kind: ContentKind::Page,
            title: self.title,
            url: &url,
            space: &SpaceKey::from(self.space),
            space_name: "Sample space",
            version: self.version,
            modified: day(self.day),
            labels: &labels,
            breadcrumb: &["Handbook".to_owned()],
        };
        compose(&facts, self.markdown, &markdown_hash(self.markdown))
    }
}

/// That many days after the epoch.
#[must_use]
pub fn day(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(number)
}

/// A question without filters for ten passages.
#[must_use]
pub fn question(text: &str) -> RetrievalQuery {
    RetrievalQuery {
        text: text.to_owned(),
        top_k: 10,
        filters: Filters::default(),
        room: 0,
    }
}
