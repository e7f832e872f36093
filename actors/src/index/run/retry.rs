//! Failures are records: reason, attempts, next try. Every run takes up what is due.

use std::time::Duration;

use domain::backoff::Backoff;
use domain::failure::FailureCause;
use domain::page::{PageRecord, Standing};
use domain::ports::store::{DuePage, IndexState, StoreError};
use domain::{PageId, Timestamp};

use super::RunCtx;
use crate::counters::failed_by;
use crate::shared::Shared;
use crate::stop::RunError;

/// Rows read in one step.
const STEP: usize = 5_000;

/// When a page that failed so often in a row is tried again.
pub(super) fn next_try(ctx: &RunCtx, attempts: i32) -> Timestamp {
    let failures = u32::try_from(attempts).unwrap_or(1);
    ctx.now() + Backoff::PAGE.wait(failures, rand::random(), Duration::ZERO)
}

/// Whether some page or removal of an index waits for a try that is due.
pub(crate) async fn something_is_due(
    shared: &Shared,
    state: &IndexState,
) -> Result<bool, StoreError> {
    let (index, now) = (state.index.id, shared.now());
    if !shared
        .store
        .pages_needing_body(index, now, 1)
        .await?
        .is_empty()
    {
        return Ok(true);
    }
    let sending = shared.store.next_holding_due(state.serving).await?;
    if sending.is_some_and(|at| at <= now) {
        return Ok(true);
    }
    Ok(!shared
        .store
        .pages_due(index, now, None, 1)
        .await?
        .is_empty())
}

/// Pages that no run has settled yet and that are due: pending ones, and failed ones whose time has come.
pub(super) async fn unsettled(ctx: &RunCtx) -> Result<Vec<DuePage>, RunError> {
    let mut all = Vec::new();
    let mut after: Option<PageId> = None;
    loop {
        let due = ctx
            .store()
            .pages_due(ctx.index(), ctx.now(), after.as_ref(), STEP)
            .await?;
        let Some(last) = due.last() else {
            return Ok(all);
        };
        after = Some(last.page_id.clone());
        all.extend(due);
    }
}

/// Records that pages could not be had, counts and names them.
pub(super) async fn failed(
    ctx: &RunCtx,
    ids: &[PageId],
    cause: FailureCause,
    reason: &str,
) -> Result<(), RunError> {
    {
        let _rows = ctx.rows.lock().await;
        let mut records = ctx.store().pages_by_id(ctx.index(), ids).await?;
        for record in &mut records {
            fail(ctx, record, reason.to_owned());
        }
        ctx.store().save_pages(&records, &[], Vec::new()).await?;
    }
    tell(ctx, ids, cause).await;
    Ok(())
}

/// Says in its record that a page failed, and when it is tried again.
pub(super) fn fail(ctx: &RunCtx, record: &mut PageRecord, reason: String) {
    if record.standing != Standing::Retained {
        record.standing = Standing::Failed;
        record.reason = Some(reason);
    }
    record.attempts += 1;
    record.next_try_at = Some(next_try(ctx, record.attempts));
}

/// Counts and names pages whose failure is recorded.
pub(super) async fn tell(ctx: &RunCtx, ids: &[PageId], cause: FailureCause) {
    let count = i64::try_from(ids.len()).unwrap_or(0);
    ctx.counters.count(|counts| counts.failed += count);
    // A dry run leaves no trace.
    if !ctx.run.dry_run {
        failed_by(cause, ids.len());
    }
    ctx.shared
        .publish_failed((ctx.index(), ctx.run.id), &ctx.counters, ids)
        .await;
}

/// Notes why pages have to wait, without holding it against them.
pub(super) async fn postpone(ctx: &RunCtx, ids: &[PageId], reason: &str) -> Result<(), RunError> {
    let _rows = ctx.rows.lock().await;
    let mut records = ctx.store().pages_by_id(ctx.index(), ids).await?;
    for record in &mut records {
        record.reason = Some(reason.to_owned());
        record.attempts += 1;
        record.next_try_at = Some(next_try(ctx, record.attempts));
    }
    ctx.store().save_pages(&records, &[], Vec::new()).await?;
    Ok(())
}
