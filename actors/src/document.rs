//! From a page's row and its kept body to the document that a store gets.

use std::collections::HashMap;

use domain::comments::{CachedComment, fold};
use domain::document::{self, Document, DocumentFacts};
use domain::index::{Index, IndexSpace};
use domain::page::{CachedBody, PageRecord};
use domain::ports::store::{QueryStore, StoreResult};
use domain::{AccountId, PageId, SpaceId, SpaceKey};

/// Present keys and names of an index's spaces, by identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpaceNames(HashMap<SpaceId, (SpaceKey, String)>);

impl SpaceNames {
    pub(crate) fn of(index: &Index) -> Self {
        Self::of_spaces(&index.spaces)
    }

    pub(crate) fn of_spaces(spaces: &[IndexSpace]) -> Self {
        Self(
            spaces
                .iter()
                .filter_map(|space| {
                    let key = space.present_key().clone();
                    let name = space.name.clone().unwrap_or_else(|| key.to_string());
                    Some((space.id.clone()?, (key, name)))
                })
                .collect(),
        )
    }

    pub(crate) fn key(&self, space: &SpaceId) -> Option<&SpaceKey> {
        self.0.get(space).map(|(key, _)| key)
    }

    /// Whether the space is one of the index's.
    pub(crate) fn contains(&self, space: &SpaceId) -> bool {
        self.0.contains_key(space)
    }

    fn facts<'a>(&'a self, record: &'a PageRecord) -> Option<DocumentFacts<'a>> {
        let (space, space_name) = self.0.get(&record.facts.space_id)?;
        Some(DocumentFacts {
            index: record.index_id,
            page_id: &record.page_id,
            kind: record.kind,
            title: &record.facts.title,
            url: &record.facts.url,
            space,
            space_name,
            version: record.facts.version,
            modified: record.facts.modified,
            labels: &record.labels,
            breadcrumb: &record.breadcrumb,
        })
    }

    /// The hash of a page's document; `None` while its newest body is not kept or its space is not the index's.
    pub(crate) fn hash(&self, record: &PageRecord) -> Option<String> {
        let markdown_hash = record.markdown_hash.as_ref()?;
        if domain::change::needs_body(record) {
            return None;
        }
        let hash = document::with_comments(markdown_hash, record.comments_hash.as_deref());
        Some(document::document_hash(&self.facts(record)?, &hash))
    }

    /// The document of a page with its folded comments; `None` while its newest body is not kept.
    pub(crate) fn document(
        &self,
        record: &PageRecord,
        body: &CachedBody,
        comments: Option<&str>,
    ) -> Option<Document> {
        let fits = record.body_version == Some(record.facts.version)
            && record.markdown_hash.as_deref() == Some(body.markdown_hash.as_str());
        if !fits {
            return None;
        }
        let facts = self.facts(record)?;
        let markdown = document::join_comments(body.markdown.clone(), comments);
        let comments_hash = comments.map(document::markdown_hash);
        let hash = document::with_comments(&body.markdown_hash, comments_hash.as_deref());
        Some(document::compose(&facts, &markdown, &hash))
    }
}

/// The kept comments of pages as Markdown; pages without any are left out.
pub(crate) async fn folded(
    store: &dyn QueryStore,
    pages: &[PageId],
) -> StoreResult<HashMap<PageId, String>> {
    let comments = store.comments_of(pages).await?;
    if comments.is_empty() {
        return Ok(HashMap::new());
    }
    let names = store.known_people(&authors(&comments)).await?;
    Ok(fold_each(comments, &names.into_iter().collect()))
}

/// Who wrote these comments, each once.
pub(crate) fn authors(comments: &[CachedComment]) -> Vec<AccountId> {
    let mut authors: Vec<AccountId> = comments.iter().filter_map(|c| c.author.clone()).collect();
    authors.sort_unstable();
    authors.dedup();
    authors
}

/// Comments of several pages as the Markdown of each.
pub(crate) fn fold_each(
    comments: Vec<CachedComment>,
    names: &HashMap<AccountId, String>,
) -> HashMap<PageId, String> {
    let mut of_page: HashMap<PageId, Vec<CachedComment>> = HashMap::new();
    for comment in comments {
        let page = of_page.entry(comment.page_id.clone()).or_default();
        page.push(comment);
    }
    of_page
        .into_iter()
        .filter_map(|(page, comments)| Some((page, fold(&comments, names)?)))
        .collect()
}

/// The Markdown of pages as their documents hold it, with the comments that belong to it; pages without a kept body are left
/// out. For whoever shows or searches the text of a page.
pub(crate) async fn page_texts(
    store: &dyn QueryStore,
    records: &[&PageRecord],
) -> StoreResult<HashMap<PageId, KeptText>> {
    let ids: Vec<PageId> = records.iter().map(|r| r.page_id.clone()).collect();
    let commented = records.iter().filter(|r| r.comments_hash.is_some());
    let commented: Vec<PageId> = commented.map(|r| r.page_id.clone()).collect();
    let comments = if commented.is_empty() {
        HashMap::new()
    } else {
        folded(store, &commented).await?
    };
    Ok(store
        .bodies(&ids)
        .await?
        .into_iter()
        .map(|body| {
            let comments = comments.get(&body.page_id).map(String::as_str);
            let text = KeptText {
                version: body.version,
                markdown: document::join_comments(body.markdown, comments),
            };
            (body.page_id, text)
        })
        .collect())
}

/// The text of a page as its document holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeptText {
    /// The version that the text belongs to.
    pub(crate) version: i32,
    /// Markdown, comments at its end where the index wants them.
    pub(crate) markdown: String,
}
