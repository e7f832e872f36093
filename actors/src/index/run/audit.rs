//! A full run also compares the store's own list with the holdings: what the store lost is stored anew, what it holds of ours
//! without a page is removed.

use std::collections::{HashMap, HashSet};

use domain::holding::{Change, HoldingChange};
use domain::index::Remote;
use domain::{DocumentId, PageId};

use super::RunCtx;
use crate::stop::RunError;

const CHUNK: usize = 500;

/// Compares, and puts right.
pub(super) async fn audit(ctx: &RunCtx, remote: &Remote) -> Result<(), RunError> {
    let Some(mut listed) = list(ctx, remote).await? else {
        return Ok(());
    };
    let stored = ctx.stored_before;
    let lists_late = !ctx
        .shared
        .backend(ctx.settings().backend)
        .is_some_and(|backend| backend.capabilities().immediate);
    if lists_late && i64::try_from(listed.len()).unwrap_or(i64::MAX) < stored / 2 {
        // The list of a store that ingests later may lag: one that misses most of what was confirmed is not believed, since
        // single pages are lost, not half an index. What a store holds at once it lists at once; a lost file is stored anew.
        tracing::warn!(index = %ctx.index(), listed = listed.len(), stored, "the store's list is much shorter than what it confirmed; it is not compared");
        return Ok(());
    }
    let object = ctx.state.serving;
    let mut after: Option<PageId> = None;
    loop {
        let rows = ctx.store().holdings(object, after.as_ref(), CHUNK).await?;
        let Some(last) = rows.last() else {
            break;
        };
        after = Some(last.page_id.clone());
        let changes: Vec<HoldingChange> = rows
            .into_iter()
            .map(|row| HoldingChange {
                change: Change::Listed(listed.remove(&DocumentId::of(row.kind, &row.page_id))),
                page_id: row.page_id,
                kind: row.kind,
            })
            .collect();
        let applied = ctx.store().change_holdings(object, &changes).await?;
        for (change, _) in changes.iter().zip(applied).filter(|(_, applied)| *applied) {
            tracing::info!(index = %ctx.index(), page = %change.page_id, "the store does not hold what it confirmed; the page is stored anew");
        }
    }
    remove_orphans(ctx, listed).await
}

/// Every document of ours by id, with its hash where the store tells it; `None` when it could not be listed.
async fn list(
    ctx: &RunCtx,
    remote: &Remote,
) -> Result<Option<HashMap<DocumentId, Option<String>>>, RunError> {
    let Some(backend) = ctx.shared.backend(ctx.settings().backend) else {
        return Ok(None);
    };
    let mut held = HashMap::new();
    let mut cursor: Option<String> = None;
    loop {
        ctx.stop.check()?;
        ctx.counters.request_to_store();
        let (documents, next) = match backend.list(remote, cursor.as_deref()).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(index = %ctx.index(), %error, "the store's own list is not to be had; it is not compared");
                return Ok(None);
            }
        };
        let ours = documents
            .into_iter()
            .filter(|document| document.index.is_none_or(|index| index == ctx.index()));
        held.extend(ours.map(|document| (document.id, document.hash)));
        if next.is_none() || next == cursor {
            return Ok(Some(held));
        }
        cursor = next;
    }
}

/// Documents of which nothing is known; not those of pages that are still to be decided.
async fn remove_orphans(
    ctx: &RunCtx,
    listed: HashMap<DocumentId, Option<String>>,
) -> Result<(), RunError> {
    let listed: Vec<_> = listed
        .into_iter()
        .filter_map(|(id, hash)| Some((id.page()?, hash)))
        .collect();
    for chunk in listed.chunks(CHUNK) {
        let ids: Vec<PageId> = chunk.iter().map(|((_, id), _)| id.clone()).collect();
        let pages = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        let standing = pages.into_iter().filter(|page| !page.standing.is_out());
        let standing: HashSet<PageId> = standing.map(|page| page.page_id).collect();
        let orphans: Vec<HoldingChange> = chunk
            .iter()
            .filter(|((_, id), _)| !standing.contains(id))
            .map(|((kind, id), hash)| HoldingChange {
                page_id: id.clone(),
                kind: *kind,
                change: Change::Listed(Some(hash.clone())),
            })
            .collect();
        if !orphans.is_empty() {
            tracing::info!(index = %ctx.index(), count = orphans.len(), "the store holds documents without a page; they are removed");
            ctx.store()
                .change_holdings(ctx.state.serving, &orphans)
                .await?;
        }
    }
    Ok(())
}
