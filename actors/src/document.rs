//! From a page's row and its kept body to the document that a store gets.

use std::collections::HashMap;

use domain::document::{self, Document, DocumentFacts};
use domain::index::Index;
use domain::page::{CachedBody, PageRecord};
use domain::{SpaceId, SpaceKey};

/// Present keys and names of an index's spaces, by identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpaceNames(HashMap<SpaceId, (SpaceKey, String)>);

impl SpaceNames {
    pub(crate) fn of(index: &Index) -> Self {
        Self(
            index
                .spaces
                .iter()
                .filter_map(|space| {
                    let key = space
                        .current_key
                        .clone()
                        .unwrap_or_else(|| space.key.clone());
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
        Some(document::document_hash(&self.facts(record)?, markdown_hash))
    }

    /// The document of a page; `None` while its newest body is not kept.
    pub(crate) fn document(&self, record: &PageRecord, body: &CachedBody) -> Option<Document> {
        let fits = record.body_version == Some(record.facts.version)
            && record.markdown_hash.as_deref() == Some(body.markdown_hash.as_str());
        if !fits {
            return None;
        }
        let facts = self.facts(record)?;
        Some(document::compose(
            &facts,
            &body.markdown,
            &body.markdown_hash,
        ))
    }
}
