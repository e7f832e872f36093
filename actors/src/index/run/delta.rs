//! Runs that only look at what was modified, and at what earlier runs left unsettled: pages, and whole spaces that could not be
//! read.

use std::collections::HashSet;

use domain::PageId;
use domain::content::{ContentKind, Restriction};
use domain::page::Standing;
use domain::part::Part;

use super::ask::poll::poll;
use super::ask::recent::remember;
use super::ask::{audited, comments, facts, files};
use super::context::SeenSpace;
use super::decide::reconcile;
use super::decide::vanish::{self, Absence};
use super::text::comments::render;
use super::text::convert::Links;
use super::{RunCtx, retry, sweep};
use crate::stop::RunError;

/// Pages of unknown restriction that one poll asks for in bulk.
const UNKNOWN_AT_ONCE: usize = 100;

/// Polls, and decides what changed.
pub(super) async fn delta(ctx: &RunCtx, spaces: &[SeenSpace]) -> Result<(), RunError> {
    let mut touched = HashSet::new();
    let mut moved = HashSet::new();
    if !spaces.is_empty() {
        for kind in ctx.kinds() {
            match poll(ctx, spaces, *kind).await {
                Ok(found) => {
                    touched.extend(found.touched);
                    moved.extend(found.moved);
                }
                Err(failure) => {
                    let error = failure.recoverable()?;
                    ctx.poll_failed(format!("what changed could not be listed: {error}"));
                }
            }
        }
    }
    if ctx.settings().include_comments && !spaces.is_empty() {
        touched.extend(poll_comments(ctx, &touched).await?);
    }
    let mut changed_files = Vec::new();
    if ctx.settings().include_attachments && !spaces.is_empty() {
        changed_files = poll_files(ctx).await?;
    }
    // After the poll: what changes in these spaces from now on is newer than what it saw.
    let mut suspects = sweep::each(ctx, &unlisted(ctx, spaces)).await?;
    let unsettled = retry::unsettled(ctx).await?;
    let unknown: Vec<(PageId, ContentKind)> = unsettled
        .iter()
        .filter(|page| page.restriction == Restriction::Unknown)
        .map(|page| (page.page_id.clone(), page.kind))
        .collect();
    if ctx.needs_facts() {
        moved.extend(learn(ctx, &touched, unknown).await?);
    }
    moved.extend(audited::follow(ctx, spaces).await?);
    touched.extend(changed_files);
    touched.extend(unsettled.into_iter().map(|page| page.page_id));

    suspects.extend(vanish::due_for_a_second_look(ctx).await?);
    let confirmed = vanish::confirm(ctx, suspects, Absence::Counts).await?;
    moved.extend(confirmed.back);
    reconcile::these(ctx, &moved, &touched, Links::AsKnown).await
}

/// Spaces that have to be read whole, since polls went on without them.
fn unlisted(ctx: &RunCtx, spaces: &[SeenSpace]) -> Vec<SeenSpace> {
    let unlisted = |space: &&SeenSpace| ctx.spaces_before.unlisted.contains(&space.id);
    spaces.iter().filter(unlisted).cloned().collect()
}

/// What was said since the last time, and what is kept of pages that were touched; answers the pages whose comments are others
/// than before.
async fn poll_comments(ctx: &RunCtx, touched: &HashSet<PageId>) -> Result<Vec<PageId>, RunError> {
    let polled = comments::poll(ctx).await;
    let polled = ctx.optional(Part::Comments, "new ones could not be read", polled)?;
    let Some((mut pages, newest)) = polled else {
        return Ok(Vec::new());
    };
    pages.extend(touched.iter().cloned());
    pages.extend(comments::look_again(ctx).await?);
    let pages: Vec<PageId> = pages.into_iter().collect();
    let changed = render(ctx, &pages).await?;
    remember(ctx, comments::WALK, newest).await?;
    Ok(changed)
}

/// Files that were attached or replaced since the last time.
async fn poll_files(ctx: &RunCtx) -> Result<Vec<PageId>, RunError> {
    let polled = files::poll(ctx).await;
    let polled = ctx.optional(Part::Files, "new ones could not be listed", polled)?;
    let Some((files, newest)) = polled else {
        return Ok(Vec::new());
    };
    remember(ctx, files::WALK, newest).await?;
    Ok(files)
}

/// Labels and restrictions of what was touched and of what is still unknown; answers those that are others than before.
async fn learn(
    ctx: &RunCtx,
    touched: &HashSet<PageId>,
    unknown: Vec<(PageId, ContentKind)>,
) -> Result<Vec<PageId>, RunError> {
    let mut ids: Vec<PageId> = touched.iter().cloned().collect();
    let waiting = unknown.into_iter().map(|(id, _)| id);
    ids.extend(
        waiting
            .filter(|id| !touched.contains(id))
            .take(UNKNOWN_AT_ONCE),
    );
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    ids.sort_unstable();
    let mut changed = match facts::of_ids(ctx, &ids).await {
        Ok(found) => found.changed,
        Err(failure) => {
            // New pages stay out until their restrictions are known.
            let error = failure.recoverable()?;
            tracing::warn!(index = %ctx.index(), %error, "labels and restrictions of changed pages could not be read");
            Vec::new()
        }
    };
    let still_unknown: Vec<(PageId, ContentKind)> = ctx
        .records(&ids)
        .await?
        .into_values()
        .filter(|record| {
            record.restriction == Restriction::Unknown && record.standing != Standing::Gone
        })
        .map(|record| (record.page_id, record.kind))
        .collect();
    changed.extend(facts::learn_unknown(ctx, still_unknown).await?);
    Ok(changed)
}
