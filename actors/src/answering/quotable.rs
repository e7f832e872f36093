//! Which pages an answer may quote: the one place where rows and settings are read to judge that.

use std::collections::HashMap;

use domain::page::PageRecord;
use domain::query::QueryTarget;
use domain::{IndexId, PageId, SpaceKey};

use super::Sources;
use crate::EngineError;
use crate::document::SpaceNames;

/// An index and rows of it, as they stood at one moment.
pub(super) struct Quotable {
    pub(super) target: QueryTarget,
    names: SpaceNames,
    records: HashMap<PageId, PageRecord>,
}

impl Quotable {
    /// Reads both, to be judged by after everything that takes long. "Not found" when the index was deleted meanwhile.
    pub(super) async fn read(
        sources: &Sources,
        index: IndexId,
        mut ids: Vec<PageId>,
    ) -> Result<Self, EngineError> {
        ids.sort_unstable();
        ids.dedup();
        let (target, records) = sources.store.target_with_pages(index, &ids).await?;
        Ok(Self {
            names: SpaceNames::of_spaces(&target.spaces),
            target,
            records: records
                .into_iter()
                .map(|record| (record.page_id.clone(), record))
                .collect(),
        })
    }

    /// The row of a page that is in a space of the index, with the present key of that space. A page of a space that the index
    /// no longer has is on its way out.
    pub(super) fn row(&self, id: &PageId) -> Option<(&PageRecord, &SpaceKey)> {
        let record = self.records.get(id)?;
        Some((record, self.names.key(&record.facts.space_id)?))
    }

    /// Every row that [`row`](Self::row) would find.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&PageRecord, &SpaceKey)> {
        self.records.keys().filter_map(|id| self.row(id))
    }

    /// What is known of a page, whatever space it is in.
    pub(super) fn record(&self, id: &PageId) -> Option<&PageRecord> {
        self.records.get(id)
    }
}
