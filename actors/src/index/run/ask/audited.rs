//! What Confluence's audit log makes a poll look at: restrictions, permissions of spaces and members of groups change without a new
//! version, so no other listing tells of them before the next sweep.
//!
//! A record names things by title or name. What it says decides nothing: when there is one, pages of that title are read again as a sweep
//! reads them, with what stands between pages in the tree, and so are the permissions of an index that answers per person. What it
//! costs: one request a poll while nothing happens.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::PageId;
use domain::part::Part;
use domain::ports::source::Audited;

use super::recent::{remember, watermark};
use super::{facts, permissions};
use crate::index::run::RunCtx;
use crate::index::run::context::SeenSpace;
use crate::stop::RunError;

/// The checkpoint that remembers the newest record seen.
const WALK: &str = "audit_log";

/// Looks again at what records since the last time name; answers the pages whose labels or restriction are others than before.
pub(crate) async fn follow(ctx: &RunCtx, spaces: &[SeenSpace]) -> Result<Vec<PageId>, RunError> {
    let settings = &ctx.shared.settings;
    if !settings.audit_log || !ctx.needs_facts() {
        return Ok(Vec::new());
    }
    // The first time, since the last sweep at the latest.
    let known = watermark(ctx, WALK).await?;
    let since = known.unwrap_or_else(|| ctx.started_at - settings.sweep_interval);
    let window = ctx.window(WALK, Some(since));
    // What is settled was seen to the millisecond.
    let from = window.floor.unwrap_or(since) + TimeDelta::milliseconds(1);
    let read = ctx.source.audited(from).await;
    let Some(records) = ctx.optional(Part::AuditLog, "it could not be read", read)? else {
        return Ok(Vec::new());
    };
    let newest = records.iter().map(|record| record.at).max().max(known);
    let mut changed = Vec::new();
    if !records.is_empty() {
        let Some(others) = look_again(ctx, spaces, records).await? else {
            return Ok(Vec::new());
        };
        changed = others;
    }
    ctx.window_was_read(WALK, window);
    remember(ctx, WALK, newest.or(Some(since))).await?;
    Ok(changed)
}

/// `None`: what is named could not be read.
async fn look_again(
    ctx: &RunCtx,
    spaces: &[SeenSpace],
    records: Vec<Audited>,
) -> Result<Option<Vec<PageId>>, RunError> {
    let names: BTreeSet<String> = records.into_iter().flat_map(|r| r.names).collect();
    let (store, index) = (ctx.store(), ctx.index());
    let named = store.titled_and_containers(index, &names).await?;
    let ids: Vec<PageId> = named.iter().map(|(id, _)| id.clone()).collect();
    let told = facts::of_ids(ctx, &ids).await;
    let what = "what it names could not be read";
    let Some(told) = ctx.optional(Part::AuditLog, what, told)? else {
        return Ok(None);
    };
    let by_search: BTreeSet<PageId> = told.named.into_iter().map(|facts| facts.id).collect();
    let unknown = named.into_iter().filter(|(id, _)| !by_search.contains(id));
    let mut changed = told.changed;
    changed.extend(facts::learn_unknown(ctx, unknown).await?);
    for space in spaces {
        permissions::of_space(ctx, space).await?;
    }
    Ok(Some(changed))
}
