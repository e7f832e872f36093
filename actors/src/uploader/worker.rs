//! What the parts of a worker share: the object that it brings in line, and how rows of it are changed.

use std::sync::Arc;

use domain::WorkerId;
use domain::holding::{Change, HoldingChange};
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::store::{OpenHolding, SyncStore};
use tokio::sync::Semaphore;

use super::job::UploadJob;
use crate::shared::{LivingWorker, RowsLock, Shared};
use crate::stop::RunError;

pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) backend: Arc<dyn RetrievalBackend>,
    pub(super) job: UploadJob,
    pub(super) rows: RowsLock,
    pub(super) permits: Arc<Semaphore>,
    pub(super) living: LivingWorker,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        backend: Arc<dyn RetrievalBackend>,
        job: UploadJob,
        permits: Arc<Semaphore>,
    ) -> Self {
        let rows = shared.rows_of(job.index);
        let living = shared.worker_of(job.object);
        Self {
            shared,
            backend,
            job,
            rows,
            permits,
            living,
        }
    }

    pub(super) fn store(&self) -> &dyn SyncStore {
        self.shared.store.as_ref()
    }

    pub(super) const fn id(&self) -> WorkerId {
        self.living.id()
    }

    /// Applies changes to rows of the object; answers of each whether it applied.
    pub(super) async fn change(&self, changes: &[HoldingChange]) -> Result<Vec<bool>, RunError> {
        let applied = self.store().change_holdings(self.job.object, changes);
        Ok(applied.await?)
    }

    /// Changes all of these rows in the same way.
    pub(super) async fn change_each(
        &self,
        rows: &[OpenHolding],
        change: impl Fn(&OpenHolding) -> Change,
    ) -> Result<Vec<bool>, RunError> {
        let changes: Vec<HoldingChange> = rows.iter().map(|row| of_row(row, change(row))).collect();
        self.change(&changes).await
    }
}

/// A change of a row.
pub(super) fn of_row(row: &OpenHolding, change: Change) -> HoldingChange {
    HoldingChange {
        page_id: row.page_id.clone(),
        kind: row.kind,
        change,
    }
}
