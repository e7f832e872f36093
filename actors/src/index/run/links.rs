//! Which pages the documents of this run may name ([`domain::links`]): of the space that is decided from what its rows said and
//! what was decided since, of other spaces from their rows; and the documents that follow when that changed.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::PageId;
use domain::links::{Links as PageLinks, Naming};
use domain::page::PageRecord;
use domain::ports::store::PageBrief;

use super::convert::Links;
use super::{RunCtx, stages};
use crate::stop::RunError;

/// Rows looked at in one step.
const CHUNK: usize = 250;

/// What is known of pages that texts point at.
#[derive(Default)]
pub(super) struct Namings(HashMap<PageId, Naming>);

impl Namings {
    /// Of the pages of a space.
    pub(super) fn of(briefs: &[PageBrief]) -> Self {
        let known = briefs.iter().map(|b| (b.page_id.clone(), b.naming));
        Self(known.collect())
    }

    /// A page was decided.
    pub(super) fn note(&mut self, page: &PageRecord) {
        self.0.insert(page.page_id.clone(), page.naming());
    }

    /// Looks up what these texts point at and is not of the space.
    pub(super) async fn elsewhere<'a>(
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
    pub(super) fn get(&self, id: &PageId) -> Option<Naming> {
        self.0.get(id).copied()
    }
}

/// At the end of a run, when every page is decided: documents that waited for that, and those that point at pages that may be
/// named since, or not any more.
pub(super) async fn settle(ctx: &RunCtx) -> Result<(), RunError> {
    let mut pages = ctx.find(|f| std::mem::take(&mut f.unnamed));
    pages.extend(following(ctx).await?);
    stages::decide(ctx, &HashSet::new(), &pages, Links::Resolve).await
}

/// Pages whose documents name others than they should, since what may be named changed.
async fn following(ctx: &RunCtx) -> Result<Vec<PageId>, RunError> {
    let renamed = ctx.find(|f| std::mem::take(&mut f.renamed));
    if renamed.is_empty() {
        return Ok(Vec::new());
    }
    let pointing = ctx.store().pages_pointing_at(ctx.index(), &renamed).await?;
    let mut following = Vec::new();
    for ids in pointing.chunks(CHUNK) {
        ctx.stop.check()?;
        let records = ctx.store().pages_by_id(ctx.index(), ids).await?;
        let namings = Namings::default()
            .elsewhere(ctx, records.iter().map(|record| &record.links))
            .await?;
        following.extend(
            records
                .into_iter()
                .filter(|record| {
                    let mut links = record.links.clone();
                    links.name(|id| namings.get(id).unwrap_or(Naming::Hidden));
                    links != record.links
                })
                .map(|record| record.page_id),
        );
    }
    Ok(following)
}
