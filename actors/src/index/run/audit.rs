//! A full run also compares the store's own list with the rows: what the store lost is stored anew, what it holds of ours
//! without a row is removed.

use std::collections::HashMap;

use domain::page::{PageRecord, PageState};
use domain::ports::store::{OutboxEntry, OutboxOp, OutboxState};
use domain::{DocumentId, PageId};

use domain::index::Remote;

use super::{Halt, RunCtx};

const CHUNK: usize = 500;

/// Compares, and puts right.
pub(super) async fn audit(ctx: &RunCtx, remote: &Remote) -> Result<(), Halt> {
    let Some(held) = list(ctx, remote).await? else {
        return Ok(());
    };
    let stored = ctx.store().stored_pages(ctx.index()).await?;
    let lists_late = !ctx
        .shared
        .backend(ctx.settings().backend)
        .is_some_and(|backend| backend.capabilities().immediate);
    if lists_late && i64::try_from(held.len()).unwrap_or(i64::MAX) < stored / 2 {
        // The list of a store that ingests later may lag: one that misses most of what was confirmed is not believed, since
        // single pages are lost, not half an index. What a store holds at once it lists at once; a lost file is stored anew.
        tracing::warn!(index = %ctx.index(), listed = held.len(), stored, "the store's list is much shorter than what it confirmed; it is not compared");
        return Ok(());
    }
    forget_lost(ctx, &held).await?;
    remove_orphans(ctx, &held).await
}

/// Every document of ours by id, with its hash where the store tells it; `None` when it could not be listed.
async fn list(
    ctx: &RunCtx,
    remote: &Remote,
) -> Result<Option<HashMap<DocumentId, Option<String>>>, Halt> {
    let Some(backend) = ctx.shared.backend(ctx.settings().backend) else {
        return Ok(None);
    };
    let mut held = HashMap::new();
    let mut cursor: Option<String> = None;
    loop {
        ctx.stop.check()?;
        ctx.tally.request_to_store();
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

async fn forget_lost(ctx: &RunCtx, held: &HashMap<DocumentId, Option<String>>) -> Result<(), Halt> {
    let mut after: Option<PageId> = None;
    loop {
        let ids = ctx
            .store()
            .pages_in_states(ctx.index(), &[PageState::Searchable], after.as_ref(), CHUNK)
            .await?;
        let Some(last) = ids.last().cloned() else {
            return Ok(());
        };
        after = Some(last);
        let _rows = ctx.rows.lock().await;
        let mut lost = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        lost.retain(|page| {
            let id = DocumentId::of(page.kind, &page.page_id);
            let right = match held.get(&id) {
                Some(Some(hash)) => page.stored_hash.as_ref() == Some(hash),
                Some(None) => true,
                None => false,
            };
            page.state == PageState::Searchable && page.stored_hash.is_some() && !right
        });
        for page in &mut lost {
            tracing::info!(index = %ctx.index(), page = %page.page_id, "the store does not hold what it confirmed; the page is stored anew");
            page.stored_hash = None;
            page.state = PageState::Pending;
        }
        ctx.store().save_pages(&lost, &[], &[]).await?;
    }
}

async fn remove_orphans(
    ctx: &RunCtx,
    held: &HashMap<DocumentId, Option<String>>,
) -> Result<(), Halt> {
    let pages: Vec<_> = held.keys().filter_map(DocumentId::page).collect();
    for chunk in pages.chunks(CHUNK) {
        let ids: Vec<PageId> = chunk.iter().map(|(_, id)| id.clone()).collect();
        let _rows = ctx.rows.lock().await;
        let known: HashMap<PageId, PageRecord> = ctx
            .store()
            .pages_by_id(ctx.index(), &ids)
            .await?
            .into_iter()
            .map(|page| (page.page_id.clone(), page))
            .collect();
        let now = ctx.now();
        let orphans: Vec<OutboxEntry> = chunk
            .iter()
            .filter(|(_, id)| known.get(id).is_none_or(PageRecord::is_out_of_the_store))
            .map(|(kind, id)| OutboxEntry {
                index_id: ctx.index(),
                page_id: id.clone(),
                kind: *kind,
                op: OutboxOp::Delete,
                hash: String::new(),
                state: OutboxState::Waiting,
                attempts: 0,
                next_attempt_at: now,
                last_error: None,
            })
            .collect();
        if !orphans.is_empty() {
            tracing::info!(index = %ctx.index(), count = orphans.len(), "the store holds documents without a page; they are removed");
            ctx.store().save_pages(&[], &orphans, &[]).await?;
        }
    }
    Ok(())
}
