//! A page as a store holds it: the text with its title line and breadcrumb, the flat metadata, and the hash that says
//! whether the store has it already.

use serde::Serialize;

use crate::content::ContentKind;
use crate::links::Links;
use crate::{DocumentId, IndexId, PageId, SpaceKey, Timestamp};

/// Names of metadata keys, the same in every store. Others filter by them: they do not change.
pub mod keys {
    /// Our index's id.
    pub const INDEX: &str = "cf_index";
    /// The page's id.
    pub const PAGE_ID: &str = "cf_page_id";
    /// `page`, `blogpost`, `attachment`.
    pub const KIND: &str = "cf_kind";
    /// The title.
    pub const TITLE: &str = "cf_title";
    /// The absolute address.
    pub const URL: &str = "cf_url";
    /// The space's present key.
    pub const SPACE: &str = "cf_space";
    /// The space's name.
    pub const SPACE_NAME: &str = "cf_space_name";
    /// The version, an integer.
    pub const VERSION: &str = "cf_version";
    /// Last modification, epoch seconds.
    pub const UPDATED: &str = "cf_updated";
    /// Labels in one string: `|a|b|`; empty without labels.
    pub const LABELS: &str = "cf_labels";
    /// Breadcrumb in one string: `Space > Parent > Page`'s parents.
    pub const BREADCRUMB: &str = "cf_breadcrumb";
    /// The document's hash.
    pub const HASH: &str = "cf_hash";
    /// Keys that say nothing about meaning: kept out of embeddings where the store allows it.
    pub const NOT_EMBEDDED: &[&str] = &[INDEX, PAGE_ID, VERSION, UPDATED, HASH, URL, KIND];
}

/// The metadata of a document: flat, strings and integers only, so that every store takes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DocumentMetadata {
    /// Our index.
    #[serde(rename = "cf_index")]
    pub index: IndexId,
    /// The page.
    #[serde(rename = "cf_page_id")]
    pub page_id: PageId,
    /// What it is.
    #[serde(rename = "cf_kind")]
    pub kind: ContentKind,
    /// The title.
    #[serde(rename = "cf_title")]
    pub title: String,
    /// The absolute address.
    #[serde(rename = "cf_url")]
    pub url: String,
    /// The space's present key.
    #[serde(rename = "cf_space")]
    pub space: SpaceKey,
    /// The space's name.
    #[serde(rename = "cf_space_name")]
    pub space_name: String,
    /// The version.
    #[serde(rename = "cf_version")]
    pub version: i32,
    /// Last modification, epoch seconds.
    #[serde(rename = "cf_updated")]
    pub updated: i64,
    /// `|a|b|`, or empty.
    #[serde(rename = "cf_labels")]
    pub labels: String,
    /// `Space > Parent`, joined.
    #[serde(rename = "cf_breadcrumb")]
    pub breadcrumb: String,
    /// [`document_hash`], 64 hex digits.
    #[serde(rename = "cf_hash")]
    pub hash: String,
}

/// A document ready for a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// The one id of this page in every store.
    pub id: DocumentId,
    /// Title line, breadcrumb, Markdown.
    pub text: String,
    /// The flat metadata.
    pub metadata: DocumentMetadata,
}

/// Everything about a page that goes into its document beside the Markdown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentFacts<'a> {
    /// The index it goes into.
    pub index: IndexId,
    /// The page.
    pub page_id: &'a PageId,
    /// What it is.
    pub kind: ContentKind,
    /// The title.
    pub title: &'a str,
    /// The absolute address.
    pub url: &'a str,
    /// The space's present key.
    pub space: &'a SpaceKey,
    /// The space's name.
    pub space_name: &'a str,
    /// The version.
    pub version: i32,
    /// Last modification.
    pub modified: Timestamp,
    /// Its labels, sorted.
    pub labels: &'a [String],
    /// Titles from the top of the space down to its parent, without the space's name.
    pub breadcrumb: &'a [String],
}

impl DocumentFacts<'_> {
    /// The breadcrumb as people read it: space first.
    #[must_use]
    pub fn breadcrumb_line(&self) -> String {
        let mut line = self.space_name.to_owned();
        for title in self.breadcrumb {
            line.push_str(" > ");
            line.push_str(title);
        }
        line
    }
}

/// Hash of a document, 64 hex digits: covers the Markdown (by its own hash, which says which pages it names) and everything else
/// that a store is told, so that equal hashes mean that an upload would change nothing, but for a newer title of a page that
/// it names.
#[must_use]
pub fn document_hash(facts: &DocumentFacts<'_>, markdown_hash: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(markdown_hash.as_bytes());
    field(facts.kind.as_str().as_bytes());
    field(facts.title.as_bytes());
    field(facts.url.as_bytes());
    field(facts.space.as_str().as_bytes());
    field(facts.space_name.as_bytes());
    field(&facts.version.to_le_bytes());
    field(&facts.modified.timestamp().to_le_bytes());
    for label in facts.labels {
        field(label.as_bytes());
    }
    field(b"");
    for title in facts.breadcrumb {
        field(title.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Hash of a page's Markdown, 64 hex digits.
#[must_use]
pub fn markdown_hash(markdown: &str) -> String {
    blake3::hash(markdown.as_bytes()).to_hex().to_string()
}

/// Hash of a page's Markdown together with the comments below it, from the hashes of both.
#[must_use]
pub fn with_comments(markdown_hash: &str, comments_hash: Option<&str>) -> String {
    match comments_hash {
        None => markdown_hash.to_owned(),
        Some(comments) => blake3::hash(format!("{markdown_hash}\n{comments}").as_bytes())
            .to_hex()
            .to_string(),
    }
}

/// Hash of a page's text together with the pages that it names, from the hash of the text with its links left open.
#[must_use]
pub fn with_links(text_hash: String, links: &Links) -> String {
    if links.named().is_empty() {
        return text_hash;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(text_hash.as_bytes());
    for page in links.named() {
        hasher.update(b"\n");
        hasher.update(page.as_str().as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// A page's Markdown with its comments below it.
#[must_use]
pub fn join_comments(mut markdown: String, comments: Option<&str>) -> String {
    if let Some(comments) = comments {
        if !markdown.is_empty() {
            markdown.push('\n');
        }
        markdown.push_str(comments);
    }
    markdown
}

/// Labels in one string for exact matching of one of them: `|a|b|`; empty without labels.
#[must_use]
pub fn joined_labels(labels: &[String]) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("|{}|", labels.join("|"))
    }
}

/// Makes the document of a page: `# Title`, the breadcrumb line, the Markdown.
#[must_use]
pub fn compose(facts: &DocumentFacts<'_>, markdown: &str, markdown_hash: &str) -> Document {
    let breadcrumb = facts.breadcrumb_line();
    let mut text = String::with_capacity(markdown.len() + facts.title.len() + breadcrumb.len() + 8);
    text.push_str("# ");
    text.push_str(facts.title);
    text.push_str("\n\n");
    text.push_str(&breadcrumb);
    text.push_str("\n\n");
    text.push_str(markdown);
    Document {
        id: DocumentId::of(facts.kind, facts.page_id),
        text,
        metadata: DocumentMetadata {
            index: facts.index,
            page_id: facts.page_id.clone(),
            kind: facts.kind,
            title: facts.title.to_owned(),
            url: facts.url.to_owned(),
            space: facts.space.clone(),
            space_name: facts.space_name.to_owned(),
            version: facts.version,
            updated: facts.modified.timestamp(),
            labels: joined_labels(facts.labels),
            breadcrumb,
            hash: document_hash(facts, markdown_hash),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(
        id: &'a PageId,
        space: &'a SpaceKey,
        labels: &'a [String],
        breadcrumb: &'a [String],
    ) -> DocumentFacts<'a> {
        DocumentFacts {
            index: IndexId(uuid::Uuid::nil()),
            page_id: id,
            kind: ContentKind::Page,
            title: "Runbook",
            url: "https://x.atlassian.net/wiki/spaces/ENG/pages/1/Runbook",
            space,
            space_name: "Engineering",
            version: 3,
            modified: chrono::DateTime::UNIX_EPOCH,
            labels,
            breadcrumb,
        }
    }

    #[test]
    fn the_text_begins_with_title_and_breadcrumb() {
        let (id, space) = (PageId::from("1"), SpaceKey::from("ENG"));
        let above = ["Operations".to_owned()];
        let document = compose(&facts(&id, &space, &[], &above), "Body.\n", "h");
        assert_eq!(
            document.text,
            "# Runbook\n\nEngineering > Operations\n\nBody.\n"
        );
        assert_eq!(document.metadata.breadcrumb, "Engineering > Operations");
    }

    #[test]
    fn the_hash_tells_which_pages_are_named() {
        let mut links = Links::default();
        links.set_body(["1", "2"].map(PageId::from).into());
        let hash = |links: &Links| with_links("h".to_owned(), links);
        assert_eq!(
            hash(&links),
            "h",
            "a document that names nobody is what it always was"
        );
        links.name(|_| crate::links::Naming::Named);
        let both = hash(&links);
        links.keep_named(|page| page.as_str() == "2");
        assert!(both != hash(&links) && hash(&links) != "h");
    }

    #[test]
    fn the_hash_tells_labels_and_breadcrumb_apart() {
        let (id, space) = (PageId::from("1"), SpaceKey::from("ENG"));
        let a = ["a".to_owned()];
        let with_label = document_hash(&facts(&id, &space, &a, &[]), "h");
        let with_crumb = document_hash(&facts(&id, &space, &[], &a), "h");
        let plain = document_hash(&facts(&id, &space, &[], &[]), "h");
        assert!(with_label != with_crumb && with_crumb != plain && plain != with_label);
    }
}
