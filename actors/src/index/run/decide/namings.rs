//! Which pages the documents of this run may name ([`domain::links`]): of the space that is decided from what its rows said and
//! what was decided since, of other spaces from their rows.

use std::collections::{BTreeSet, HashMap};

use domain::PageId;
use domain::links::{Links as PageLinks, Naming};
use domain::page::PageRecord;
use domain::ports::store::PageBrief;

use crate::index::run::RunCtx;
use crate::stop::RunError;

/// What is known of pages that texts point at.
#[derive(Default)]
pub(crate) struct Namings(HashMap<PageId, Naming>);

impl Namings {
    /// Of the pages of a space.
    pub(crate) fn of(briefs: &[PageBrief]) -> Self {
        let known = briefs.iter().map(|b| (b.page_id.clone(), b.naming));
        Self(known.collect())
    }

    /// A page was decided.
    pub(crate) fn note(&mut self, page: &PageRecord) {
        self.0.insert(page.page_id.clone(), page.naming());
    }

    /// Looks up what these texts point at and is not of the space.
    pub(crate) async fn elsewhere<'a>(
        &self,
        ctx: &RunCtx,
        links: impl Iterator<Item = &'a PageLinks>,
    ) -> Result<Self, RunError> {
        let unknown = links
            .flat_map(PageLinks::pages)
            .filter(|id| !self.0.contains_key(*id));
        let unknown: BTreeSet<&PageId> = unknown.collect();
        if unknown.is_empty() {
            return Ok(Self::default());
        }
        let unknown: Vec<PageId> = unknown.into_iter().cloned().collect();
        let found = ctx.store().naming(ctx.index(), &unknown).await?;
        Ok(Self(found.into_iter().collect()))
    }

    /// What is known of a page; one that has no row may still be listed.
    pub(crate) fn get(&self, id: &PageId) -> Option<Naming> {
        self.0.get(id).copied()
    }
}
