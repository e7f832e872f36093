//! The store object of an index: found, or made where there is none.

use std::sync::Arc;
use std::time::Duration;

use domain::index::Remote;
use domain::ports::retrieval::{BackendError, RetrievalBackend, StoreSpec};
use domain::ports::store::StoreError;

use super::RunCtx;
use crate::leaving;
use crate::stop::RunError;

/// Makes or finds the store object, in a task of its own: an index that is deleted meanwhile takes its actor with it, and
/// somebody has to remember, or to remove, what the store is making at that moment.
pub(super) async fn ensure(ctx: &Arc<RunCtx>) -> Result<Remote, RunError> {
    let own = Arc::clone(ctx);
    match actix_rt::spawn(async move { make(&own).await }).await {
        Ok(made) => made,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(RunError::Stopped),
        },
    }
}

/// Another object than before holds nothing of ours: everything is stored anew.
async fn make(ctx: &RunCtx) -> Result<Remote, RunError> {
    let index = &ctx.state.index;
    let backend = ctx.shared.backend_of(index.id, index.settings.backend)?;
    let spec = StoreSpec {
        index: index.id,
        agent: index.settings.agent_id.clone(),
    };
    if index.remote.is_none() {
        leaving::remove_of_agent(&ctx.shared, &spec.agent).await?;
    }
    let remote = ensured(ctx, backend.as_ref(), &spec, index.remote.as_ref()).await?;
    if index.remote.as_ref() == Some(&remote) {
        return Ok(remote);
    }
    if index.remote.as_ref().is_some_and(|old| old.id != remote.id) {
        tracing::warn!(index = %index.id, object = %remote.name, "the store object is another one than before; everything is stored anew");
    }
    ctx.shared.fail_point("after_object_made");
    if let Err(error) = ctx.store().set_remote(ctx.state.serving, &remote).await {
        if matches!(error, StoreError::NotFound { .. }) {
            // Deleted meanwhile: nobody else would remove what was just made.
            let _ = backend.remove(&spec, &remote).await;
        }
        return Err(error.into());
    }
    Ok(remote)
}

/// The store object, made where there is none. A store that limits requests is waited for as long as an upload may take.
pub(super) async fn ensured(
    ctx: &RunCtx,
    backend: &dyn RetrievalBackend,
    spec: &StoreSpec,
    known: Option<&Remote>,
) -> Result<Remote, RunError> {
    let mut waited = Duration::ZERO;
    loop {
        ctx.counters.request_to_store();
        match backend.ensure(spec, known).await {
            Err(BackendError::RateLimited { retry_after })
                if waited + retry_after <= ctx.shared.settings.upload_deadline =>
            {
                let wait = retry_after.max(Duration::from_secs(1));
                waited += wait;
                ctx.stop.sleep(wait).await?;
            }
            ensured => return Ok(ensured?),
        }
    }
}
