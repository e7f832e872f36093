//! What questions and answers of both generations have in common.

use domain::content::ContentKind;
use domain::document::keys;
use domain::query::{Filters, RetrievalQuery};
use domain::{DocumentId, PageId, SpaceKey};
use serde_json::Value;

/// The most passages that are asked for at once.
pub(crate) const MOST: u32 = 100;

/// How many passages to ask for: more where we filter ourselves afterwards.
pub(crate) fn wanted(query: &RetrievalQuery) -> u32 {
    let top_k = query.top_k.clamp(1, MOST);
    let filters = &query.filters;
    if filters.label.is_some() || filters.under.is_some() || filters.readable.is_some() {
        (top_k * 5).clamp(30, MOST)
    } else {
        top_k
    }
}

/// Pages that a question names to the store at most; of more it asks for more passages, and the rest is left out by us.
const NAMED: usize = 200;

/// Ids of the pages to which an answer is to keep, as texts and, since some stores turn digits into numbers, as numbers.
pub(crate) fn only_pages(filters: &Filters) -> Option<(Vec<&str>, Vec<i64>)> {
    let pages = &filters.under.as_ref()?.pages;
    if pages.len() > NAMED {
        return None;
    }
    let mut texts: Vec<&str> = pages.iter().map(PageId::as_str).collect();
    texts.sort_unstable();
    let numbers = texts.iter().filter_map(|id| id.parse().ok()).collect();
    Some((texts, numbers))
}

/// The spaces to which an answer is to keep, where these are not all.
pub(crate) fn only_spaces(filters: &Filters) -> Option<Vec<&str>> {
    let readable = filters.readable.as_ref()?;
    let fewer = readable.sees_fewer_spaces() && filters.space.is_none();
    fewer.then(|| readable.spaces.iter().map(SpaceKey::as_str).collect())
}

/// Ids of pages that an answer is to leave out, as texts and as numbers, as many as are named to the store at most.
pub(crate) fn hidden_pages(filters: &Filters) -> Option<(Vec<&str>, Vec<i64>)> {
    let hidden = &filters.readable.as_ref()?.hidden;
    if hidden.is_empty() || filters.under.is_some() {
        return None;
    }
    let mut texts: Vec<&str> = hidden.iter().map(PageId::as_str).collect();
    texts.sort_unstable();
    texts.truncate(NAMED);
    let numbers = texts.iter().filter_map(|id| id.parse().ok()).collect();
    Some((texts, numbers))
}

/// The document that a passage's metadata leads back to; `None` when it is none of ours.
pub(crate) fn document(metadata: &Value) -> Option<DocumentId> {
    let kind = ContentKind::parse(metadata.get(keys::KIND)?.as_str()?)?;
    let page = metadata.get(keys::PAGE_ID)?;
    // Some stores turn digits into numbers.
    let page = page
        .as_str()
        .map_or_else(|| page.to_string(), str::to_owned);
    Some(DocumentId::of(kind, &PageId::from(page)))
}
