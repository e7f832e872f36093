//! Remote objects of deleted indexes: removed, and tried again until that is done.

use std::time::Duration;

use domain::backoff::Backoff;
use domain::ports::retrieval::{BackendError, StoreSpec};
use domain::ports::store::StoreError;

use crate::shared::Shared;

/// Tries every removal that is due; answers how many remain.
pub(super) async fn remove_due(shared: &Shared) -> Result<usize, StoreError> {
    let mut remaining = 0;
    for tombstone in shared.store.tombstones_due(shared.now()).await? {
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
                tracing::warn!(index = %tombstone.index_id, object = %tombstone.remote.name, cause, "the remote object of a deleted index could not be removed; it is tried again");
                let failures = u32::try_from(tombstone.attempts + 1).unwrap_or(1);
                let wait = Backoff::PAGE.wait(failures, rand::random(), Duration::ZERO);
                Some(shared.now() + wait)
            }
        };
        shared
            .store
            .settle_tombstone(tombstone.index_id, retry_at)
            .await?;
    }
    Ok(remaining)
}
