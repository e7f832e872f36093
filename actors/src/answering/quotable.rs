//! Which pages an answer may quote: the one place where rows and settings are read to judge that.

use std::collections::HashMap;

use domain::access::{Asker, Viewer};
use domain::page::{PageRecord, PlacedPage};
use domain::query::QueryTarget;
use domain::{IndexId, PageId};

use super::Sources;
use super::viewer::viewer;
use crate::EngineError;
use crate::document::SpaceNames;

/// An index and rows of it, as they stood at one moment.
pub(super) struct Quotable {
    pub(super) target: QueryTarget,
    names: SpaceNames,
    records: HashMap<PageId, PageRecord>,
    pub(super) viewer: Viewer,
}

impl Quotable {
    /// Reads both, and what the asker may see, to be judged by after everything that takes long. "Not found" when the index was
    /// deleted meanwhile.
    pub(super) async fn read(
        sources: &Sources,
        (index, asker): (IndexId, &Asker),
        mut ids: Vec<PageId>,
    ) -> Result<Self, EngineError> {
        ids.sort_unstable();
        ids.dedup();
        let (target, records) = sources.store.target_with_pages(index, &ids).await?;
        Ok(Self {
            viewer: viewer(sources, &target, asker).await?,
            names: SpaceNames::of_spaces(&target.spaces),
            target,
            records: records
                .into_iter()
                .map(|record| (record.page_id.clone(), record))
                .collect(),
        })
    }

    /// Takes out the row of a page that the asker may read, with the present key of its space. A page of a space that the index no
    /// longer has is on its way out.
    pub(super) fn take(&mut self, id: &PageId) -> Option<PlacedPage> {
        let record = self.records.remove(id)?;
        if !self.viewer.may_read(&record) {
            return None;
        }
        let space_key = self.names.key(&record.facts.space_id)?.clone();
        Some(PlacedPage { record, space_key })
    }

    /// Every row that [`take`](Self::take) would find.
    pub(super) fn take_all(mut self) -> HashMap<PageId, PlacedPage> {
        let ids: Vec<PageId> = self.records.keys().cloned().collect();
        ids.into_iter()
            .filter_map(|id| Some((id.clone(), self.take(&id)?)))
            .collect()
    }

    /// What is known of a page, whatever space it is in.
    pub(super) fn record(&self, id: &PageId) -> Option<&PageRecord> {
        self.records.get(id)
    }
}
