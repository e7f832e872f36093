//! Whose rows a lane works on: the outbox of the object that answers, or that of an object which is still to take over.

use domain::ports::store::{OutboxEntry, OutboxOutcome, StoreResult, SyncStore};
use domain::{IndexId, Timestamp};

/// Which rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ledger {
    /// The outbox; what becomes of a row becomes of its page.
    Serving,
    /// The rows of a move; pages stay as they are until the new object takes over.
    Moving,
}

impl Ledger {
    pub(super) async fn due(
        self,
        store: &dyn SyncStore,
        index: IndexId,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<OutboxEntry>> {
        match self {
            Self::Serving => store.outbox_due(index, now, limit).await,
            Self::Moving => store.move_due(index, now, limit).await,
        }
    }

    pub(super) async fn accepted(
        self,
        store: &dyn SyncStore,
        index: IndexId,
        limit: usize,
    ) -> StoreResult<Vec<OutboxEntry>> {
        match self {
            Self::Serving => store.outbox_accepted(index, limit).await,
            Self::Moving => store.move_accepted(index, limit).await,
        }
    }

    pub(super) async fn next_due(
        self,
        store: &dyn SyncStore,
        index: IndexId,
    ) -> StoreResult<Option<Timestamp>> {
        match self {
            Self::Serving => store.outbox_next_due(index).await,
            Self::Moving => store.move_next_due(index).await,
        }
    }

    pub(super) async fn settle(
        self,
        store: &dyn SyncStore,
        outcomes: &[(OutboxEntry, OutboxOutcome)],
        now: Timestamp,
    ) -> StoreResult<()> {
        match self {
            Self::Serving => store.settle_outbox(outcomes, now).await,
            Self::Moving => store.settle_move(outcomes, now).await,
        }
    }

    /// Writes rows as they should be.
    pub(super) async fn correct(
        self,
        store: &dyn SyncStore,
        entries: &[OutboxEntry],
    ) -> StoreResult<()> {
        match self {
            Self::Serving => store.save_pages(&[], entries, &[]).await,
            Self::Moving => store.stage_move(entries).await,
        }
    }
}
