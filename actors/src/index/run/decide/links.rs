//! Documents that follow when it changed which pages they may name.

use std::collections::HashSet;

use domain::PageId;
use domain::links::Naming;

use super::namings::Namings;
use super::reconcile;
use crate::index::run::RunCtx;
use crate::index::run::text::convert::Links;
use crate::stop::RunError;

/// Rows looked at in one step.
const CHUNK: usize = 250;

/// At the end of a run, when every page is decided: documents that waited for that, and those that point at pages that may be
/// named since, or not any more.
pub(crate) async fn settle(ctx: &RunCtx) -> Result<(), RunError> {
    let mut pages = ctx.find(|f| std::mem::take(&mut f.unnamed));
    pages.extend(following(ctx).await?);
    reconcile::these(ctx, &HashSet::new(), &pages, Links::Resolve).await
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
