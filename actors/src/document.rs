//! From a page's row and its kept body to the document that a store gets.

use std::collections::{BTreeSet, HashMap};

use domain::comments::{CachedComment, render_comments};
use domain::document::{self, Document, DocumentFacts};
use domain::index::{Index, IndexSpace};
use domain::links::{Links, PageName};
use domain::page::{CachedText, PageRecord};
use domain::ports::store::{QueryStore, StoreResult};
use domain::{AccountId, IndexId, PageId, SpaceId, SpaceKey};
use storage_markdown::{Target, close_links, linked_pages};

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
        let hash = document::with_links(hash, &record.links);
        Some(document::document_hash(&self.facts(record)?, &hash))
    }

    /// The document of a page with its comments and the names of pages that it may tell; `None` while its newest body is
    /// not kept.
    pub(crate) fn document(
        &self,
        record: &PageRecord,
        text: &CachedText,
        comments: Option<&str>,
        names: &Names,
    ) -> Option<Document> {
        let fits = record.body_version == Some(record.facts.version)
            && record.markdown_hash.as_deref() == Some(text.markdown_hash.as_str());
        if !fits {
            return None;
        }
        let facts = self.facts(record)?;
        let markdown = document::join_comments(text.markdown.clone(), comments);
        let markdown = names.told(markdown, &record.links);
        let comments_hash = comments.map(document::markdown_hash);
        let hash = document::with_comments(&text.markdown_hash, comments_hash.as_deref());
        let hash = document::with_links(hash, &record.links);
        Some(document::compose(&facts, &markdown, &hash))
    }
}

/// The pages that links of this Markdown point at.
pub(crate) fn points_at(markdown: &str) -> BTreeSet<PageId> {
    linked_pages(markdown).map(PageId::from).collect()
}

/// What a row remembers of the text that is kept of its page.
pub(crate) struct KeptText {
    version: i32,
    markdown_hash: String,
    points_at: BTreeSet<PageId>,
}

impl KeptText {
    pub(crate) fn of(text: &CachedText) -> Self {
        Self {
            version: text.version,
            markdown_hash: text.markdown_hash.clone(),
            points_at: points_at(&text.markdown),
        }
    }

    pub(crate) const fn version(&self) -> i32 {
        self.version
    }

    /// Whether the row remembers something else.
    pub(crate) fn differs_from(&self, record: &PageRecord) -> bool {
        record.markdown_hash.as_ref() != Some(&self.markdown_hash)
    }

    pub(crate) fn put_into(&self, record: &mut PageRecord) {
        record.body_version = Some(self.version);
        record.markdown_hash = Some(self.markdown_hash.clone());
        record.links.set_body(self.points_at.clone());
    }
}

/// What documents of an index may tell of pages.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<PageId, PageName>);

impl Names {
    /// Of the pages that these texts name, those that may still be named.
    pub(crate) async fn of<'a>(
        store: &dyn QueryStore,
        index: IndexId,
        links: impl Iterator<Item = &'a Links>,
    ) -> StoreResult<Self> {
        let named: BTreeSet<&PageId> = links.flat_map(Links::named).collect();
        if named.is_empty() {
            return Ok(Self::default());
        }
        let named: Vec<PageId> = named.into_iter().cloned().collect();
        let names = store.page_names(index, &named).await?;
        let by_id = names.into_iter().map(|name| (name.id.clone(), name));
        Ok(Self(by_id.collect()))
    }

    pub(crate) fn hold(&self, page: &PageId) -> bool {
        self.0.contains_key(page)
    }

    /// Markdown with its links closed: of the pages that its document names, those that may be named are.
    fn told(&self, markdown: String, links: &Links) -> String {
        let closed = close_links(&markdown, |id| {
            let id = PageId::from(id);
            let name = self.0.get(&id).filter(|_| links.named().contains(&id))?;
            Some(Target {
                url: name.url.clone(),
                title: name.title.clone(),
            })
        });
        match closed {
            std::borrow::Cow::Borrowed(_) => markdown,
            std::borrow::Cow::Owned(closed) => closed,
        }
    }
}

/// The kept comments of pages as Markdown; pages without any are left out.
pub(crate) async fn rendered_comments(
    store: &dyn QueryStore,
    pages: &[PageId],
) -> StoreResult<HashMap<PageId, String>> {
    let comments = store.comments_of(pages).await?;
    if comments.is_empty() {
        return Ok(HashMap::new());
    }
    let names = store.known_people(&authors(&comments)).await?;
    Ok(render_each(comments, &names.into_iter().collect()))
}

/// Who wrote these comments, each once.
pub(crate) fn authors(comments: &[CachedComment]) -> Vec<AccountId> {
    let mut authors: Vec<AccountId> = comments.iter().filter_map(|c| c.author.clone()).collect();
    authors.sort_unstable();
    authors.dedup();
    authors
}

/// Comments of several pages as the Markdown of each.
pub(crate) fn render_each(
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
        .filter_map(|(page, comments)| Some((page, render_comments(&comments, names)?)))
        .collect()
}

/// The Markdown of pages of an index as their documents hold it, with the comments that belong to it; pages without a kept body
/// are left out. For whoever shows or searches the text of a page. Other pages are named as far as they may be at this moment,
/// whatever the store still holds.
pub(crate) async fn page_texts(
    store: &dyn QueryStore,
    index: IndexId,
    records: &[&PageRecord],
) -> StoreResult<HashMap<PageId, DocumentText>> {
    let links: HashMap<&PageId, &Links> = records.iter().map(|r| (&r.page_id, &r.links)).collect();
    let names = Names::of(store, index, links.values().copied()).await?;
    let ids: Vec<PageId> = records.iter().map(|r| r.page_id.clone()).collect();
    let commented = records.iter().filter(|r| r.comments_hash.is_some());
    let commented: Vec<PageId> = commented.map(|r| r.page_id.clone()).collect();
    let comments = if commented.is_empty() {
        HashMap::new()
    } else {
        rendered_comments(store, &commented).await?
    };
    Ok(store
        .texts(&ids)
        .await?
        .into_iter()
        .map(|text| {
            let comments = comments.get(&text.page_id).map(String::as_str);
            let markdown = document::join_comments(text.markdown, comments);
            let links = links.get(&text.page_id).copied();
            let told = DocumentText {
                version: text.version,
                markdown: names.told(markdown, links.unwrap_or(&Links::default())),
            };
            (text.page_id, told)
        })
        .collect())
}

/// The text of a page as its document holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DocumentText {
    /// The version that the text belongs to.
    pub(crate) version: i32,
    /// Markdown, comments at its end where the index wants them.
    pub(crate) markdown: String,
}
