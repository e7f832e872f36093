//! Remote objects of deleted indexes: removed, and tried again until that is done.

use std::time::Duration;

use domain::IndexId;
use domain::backoff::Backoff;
use domain::ports::retrieval::{BackendError, StoreSpec};
use domain::ports::store::StoreError;

use crate::shared::Shared;

/// Tries every removal that is due, or only those of one index; answers how many remain.
pub(crate) async fn remove_due(
    shared: &Shared,
    only: Option<IndexId>,
) -> Result<usize, StoreError> {
    // Who waits here finds nothing left to do, instead of removing what was made anew meanwhile.
    let _one_at_a_time = shared.removals.lock().await;
    let mut remaining = 0;
    let mut due = shared.store.tombstones_due(shared.now()).await?;
    due.retain(|tombstone| only.is_none_or(|index| tombstone.index_id == index));
    for tombstone in due {
        let spec = StoreSpec {
            index: tombstone.index_id,
            agent: tombstone.agent_id.clone(),
        };
        let outcome = match shared.backend(tombstone.backend) {
            Some(backend) => match backend.remove(&spec, &tombstone.remote).await {
                // Already gone is what we want.
                Ok(()) | Err(BackendError::ObjectGone { .. }) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            None => Err(format!("{} is not set up", tombstone.backend)),
        };
        let retry_at = match outcome {
            Ok(()) => None,
            Err(cause) => {
                remaining += 1;
                tracing::warn!(index = %tombstone.index_id, object = %tombstone.remote.name, cause, "the remote object of a deleted or moved index could not be removed; it is tried again");
                let failures = u32::try_from(tombstone.attempts + 1).unwrap_or(1);
                let wait = Backoff::PAGE.wait(failures, rand::random(), Duration::ZERO);
                Some(shared.now() + wait)
            }
        };
        shared.store.settle_tombstone(&tombstone, retry_at).await?;
    }
    Ok(remaining)
}
