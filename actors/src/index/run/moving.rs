//! A run of kind `move`: another store object is filled from what is kept here, and takes over when it is complete.
//!
//! Nothing is asked of Confluence. Syncs of the index wait meanwhile and keep the old object current between the runs of a
//! move that takes several; what they change is seen by the next one.

use std::sync::Arc;
use std::time::Duration;

use domain::holding::{Change, HoldingChange};
use domain::index::{BackendKind, Remote};
use domain::moving::{self, Verdict};
use domain::page::PageState;
use domain::ports::retrieval::StoreSpec;
use domain::ports::store::StoreError;
use domain::{ObjectId, PageId};

use super::RunCtx;
use super::object::ensured;
use super::uploading::{Target, while_uploading};
use crate::leaving;
use crate::stop::RunError;

/// Pages decided in one transaction.
const CHUNK: usize = 250;
/// How long questions that were asked of the old object may take.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Carries the move of an index on. `None`: the new object answers from now on. Else why it does not yet.
pub(super) async fn carry_on(ctx: &RunCtx) -> Result<Option<String>, RunError> {
    let (Some(moving), Some(object)) = (&ctx.state.index.moving, ctx.state.filling) else {
        // Completed, or given up, before this run began.
        return Ok(None);
    };
    let backend = moving.backend;
    let remote = ensure(ctx, object, backend, moving.remote.as_ref()).await?;
    let target = Target {
        backend,
        object,
        remote: &remote,
        answers: false,
    };
    while_uploading(ctx, target, stage(ctx, object)).await?;
    let counts = ctx.store().move_counts(object).await?;
    match moving::verdict(&counts) {
        Verdict::Complete => {
            ctx.shared.fail_point("before_take_over");
            let _rows = ctx.rows.lock().await;
            ctx.store().complete_move(ctx.index(), object).await?;
            ctx.shared.fail_point("after_take_over");
            tracing::info!(index = %ctx.index(), %backend, object = %remote.name, documents = counts.documents, "the index has moved; the new store answers from now on");
            remove_soon(ctx);
            Ok(None)
        }
        Verdict::Later(why) => Ok(Some(why)),
    }
}

/// What is being asked of the old object at this moment is still answered; then it goes. Should that fail, the scheduler
/// tries again.
fn remove_soon(ctx: &RunCtx) {
    let (shared, index) = (Arc::clone(&ctx.shared), ctx.index());
    actix_rt::spawn(async move {
        tokio::time::sleep(LAST_ANSWERS).await;
        if let Err(error) = leaving::remove_due(&shared, Some(index)).await {
            tracing::warn!(%index, %error, "the old store object could not be looked up for removal; the scheduler will");
        }
    });
}

/// Makes or finds the new object.
async fn ensure(
    ctx: &RunCtx,
    object: ObjectId,
    kind: BackendKind,
    known: Option<&Remote>,
) -> Result<Remote, RunError> {
    let index = &ctx.state.index;
    let backend = ctx.shared.backend_of(index.id, kind)?;
    // An object that an earlier move left behind could be the very one that is filled now.
    leaving::remove_due(&ctx.shared, Some(index.id)).await?;
    let spec = StoreSpec {
        index: index.id,
        agent: index.settings.agent_id.clone(),
    };
    let remote = ensured(ctx, backend.as_ref(), &spec, known).await?;
    match ctx.store().set_remote(object, &remote).await {
        Ok(()) => Ok(remote),
        Err(error) => {
            let given_up = matches!(error, StoreError::NotFound { .. });
            let answers = index.remote.as_ref().is_some_and(|serving| {
                !moving::is_another((index.settings.backend, serving), (kind, &remote))
            });
            if given_up && !answers {
                // Nobody else would remove what was just made.
                let _ = backend.remove(&spec, &remote).await;
            }
            Err(error.into())
        }
    }
}

/// Says what the new object is to hold, page by page; what an earlier run of the move did stands.
async fn stage(ctx: &RunCtx, object: ObjectId) -> Result<(), RunError> {
    let there = ctx.store().move_counts(object).await?.searchable;
    ctx.counters.count(|counts| counts.unchanged += there);
    let mut after: Option<PageId> = None;
    loop {
        ctx.stop.check()?;
        let ids = ctx
            .store()
            .pages_in_states(ctx.index(), &PageState::ALL, after.as_ref(), CHUNK)
            .await?;
        let Some(last) = ids.last().cloned() else {
            return Ok(());
        };
        after = Some(last);
        let _rows = ctx.rows.lock().await;
        let mut named = 0;
        let mut changes = Vec::new();
        for record in ctx.store().pages_by_id(ctx.index(), &ids).await? {
            let want = moving::wanted(&record, ctx.names.hash(&record));
            named += i64::from(want.is_some());
            // What failed in an earlier run is sent once more.
            for change in [Change::Want(want), Change::TryAgain] {
                changes.push(HoldingChange {
                    page_id: record.page_id.clone(),
                    kind: record.kind,
                    change,
                });
            }
        }
        ctx.store().change_holdings(object, &changes).await?;
        ctx.counters.count(|counts| counts.seen += named);
        ctx.uploads.wake();
    }
}
