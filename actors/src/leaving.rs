//! Store objects of deleted and moved indexes: removed, and tried again until that is done.

use std::time::Duration;

use domain::backoff::Backoff;
use domain::index::Remote;
use domain::ports::retrieval::{BackendError, RetrievalBackend, StoreSpec};
use domain::ports::store::{LeavingObject, StoreError};
use domain::{AgentId, IndexId};

use crate::shared::Shared;

/// Removes what is left of earlier indexes under an agent id, due or not: an object of that name would be in the way of the
/// one that a new index of the agent makes.
pub(crate) async fn remove_of_agent(shared: &Shared, agent: &AgentId) -> Result<(), StoreError> {
    let left = async || {
        let mut left = shared.store.leaving_objects().await?;
        left.retain(|object| object.agent_id == *agent);
        Ok::<_, StoreError>(left)
    };
    if left().await?.is_empty() {
        return Ok(());
    }
    let _one_at_a_time = shared.removals.lock().await;
    for object in left().await? {
        remove(shared, &object).await?;
    }
    Ok(())
}

/// Tries every removal that is due, or only those of one index; answers how many remain, due or not.
pub(crate) async fn remove_due(
    shared: &Shared,
    only: Option<IndexId>,
) -> Result<usize, StoreError> {
    // Who waits here finds nothing left to do, instead of removing what was made anew meanwhile.
    let _one_at_a_time = shared.removals.lock().await;
    let mut remaining = 0;
    let now = shared.now();
    let mut leaving = shared.store.leaving_objects().await?;
    leaving.retain(|object| only.is_none_or(|index| object.index_id == index));
    for object in leaving {
        let is_gone = object.next_try_at <= now && remove(shared, &object).await?;
        remaining += usize::from(!is_gone);
    }
    Ok(remaining)
}

/// What nobody remembers is found by its name and mark, as by an index that looks for its own; where there is none, one is
/// made and goes at once.
async fn remove_from(
    backend: &dyn RetrievalBackend,
    spec: &StoreSpec,
    remote: Option<&Remote>,
) -> Result<(), BackendError> {
    if let Some(remote) = remote {
        return backend.remove(spec, remote).await;
    }
    match backend.ensure(spec, None).await {
        Ok(found) => backend.remove(spec, &found).await,
        // Whatever has the name is another index's, or nobody's of ours.
        Err(BackendError::NotOurs { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Tries one removal; `false` when it is to be tried again.
async fn remove(shared: &Shared, object: &LeavingObject) -> Result<bool, StoreError> {
    let spec = StoreSpec {
        index: object.index_id,
        agent: object.agent_id.clone(),
    };
    let outcome = match shared.backend(object.backend) {
        Some(backend) => match remove_from(backend.as_ref(), &spec, object.remote.as_ref()).await {
            // Already gone is what we want.
            Ok(()) | Err(BackendError::ObjectGone { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
        None => Err(format!("{} is not set up", object.backend)),
    };
    let retry_at = match outcome {
        Ok(()) => None,
        Err(cause) => {
            tracing::warn!(index = %object.index_id, object = spec.name(), cause, "the store object of a deleted or moved index could not be removed; it is tried again");
            let failures = u32::try_from(object.attempts + 1).unwrap_or(1);
            let wait = Backoff::PAGE.wait(failures, rand::random(), Duration::ZERO);
            Some(shared.now() + wait)
        }
    };
    shared.store.settle_leaving(object.id, retry_at).await?;
    Ok(retry_at.is_none())
}
