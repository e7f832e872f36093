//! The actor: the lanes of one store, and the permits that they share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{
    Actor, ActorFutureExt, Context, Handler, MessageResult, ResponseActFuture, WrapFuture,
};
use domain::index::{BackendKind, Remote};
use domain::{IndexId, RunId};
use tokio::sync::{Notify, Semaphore};

use super::lane::Lane;
use super::ledger::Ledger;
use crate::EngineError;
use crate::index::run::{Stop, Tally};
use crate::messages::{CloseLane, DrainOutbox, GetInFlight, OpenLane};
use crate::shared::Shared;
use crate::supervise::ChildGuard;

/// What a run hands to the uploader: whose outbox, where to, and where to count.
#[derive(Clone)]
pub(crate) struct UploadJob {
    pub(crate) index: IndexId,
    pub(crate) run: RunId,
    pub(crate) backend: BackendKind,
    pub(crate) ledger: Ledger,
    pub(crate) remote: Remote,
    pub(crate) tally: Arc<Tally>,
    pub(crate) stop: Stop,
}

/// How a lane ended.
#[derive(Debug)]
pub(crate) enum LaneReport {
    /// Everything that could be sent was sent, and is searchable or has failed.
    Settled,
    /// It was asked to stop; the rest waits in rows.
    Stopped,
    /// The store does not take it; the rest waits in rows.
    Trouble(EngineError),
}

/// The worker for one store.
pub(crate) struct LlamaUploader {
    shared: Arc<Shared>,
    kind: BackendKind,
    permits: Arc<Semaphore>,
    lanes: HashMap<IndexId, LaneHandle>,
    _guard: ChildGuard,
}

/// How the actor reaches a lane.
#[derive(Clone, Default)]
pub(super) struct LaneHandle {
    pub(super) wake: Arc<Notify>,
    pub(super) closing: Arc<AtomicBool>,
}

impl LlamaUploader {
    pub(crate) fn new(shared: Arc<Shared>, kind: BackendKind, guard: ChildGuard) -> Self {
        let permits = Arc::new(Semaphore::new(shared.settings.upload_batches.max(1)));
        Self {
            shared,
            kind,
            permits,
            lanes: HashMap::new(),
            _guard: guard,
        }
    }
}

impl Actor for LlamaUploader {
    type Context = Context<Self>;
}

impl Handler<OpenLane> for LlamaUploader {
    type Result = ResponseActFuture<Self, LaneReport>;

    fn handle(&mut self, OpenLane(job): OpenLane, _: &mut Context<Self>) -> Self::Result {
        let index = job.index;
        let Some(backend) = self.shared.backend(self.kind) else {
            let error = EngineError::BackendMissing {
                index,
                backend: self.kind,
            };
            return Box::pin(async move { LaneReport::Trouble(error) }.into_actor(self));
        };
        let handle = LaneHandle::default();
        self.lanes.insert(index, handle.clone());
        let lane = Lane::new(
            Arc::clone(&self.shared),
            backend,
            job,
            handle.clone(),
            Arc::clone(&self.permits),
        );
        Box::pin(lane.work().into_actor(self).map(move |report, this, _| {
            // A newer lane of the same index stays.
            let own = this
                .lanes
                .get(&index)
                .is_some_and(|lane| Arc::ptr_eq(&lane.wake, &handle.wake));
            if own {
                this.lanes.remove(&index);
            }
            report
        }))
    }
}

impl Handler<DrainOutbox> for LlamaUploader {
    type Result = ();
    fn handle(&mut self, DrainOutbox(index): DrainOutbox, _: &mut Context<Self>) {
        if let Some(lane) = self.lanes.get(&index) {
            lane.wake.notify_one();
        }
    }
}

impl Handler<CloseLane> for LlamaUploader {
    type Result = ();
    fn handle(&mut self, CloseLane(index): CloseLane, _: &mut Context<Self>) {
        if let Some(lane) = self.lanes.get(&index) {
            lane.closing.store(true, Ordering::SeqCst);
            lane.wake.notify_one();
        }
    }
}

impl Handler<GetInFlight> for LlamaUploader {
    type Result = MessageResult<GetInFlight>;
    fn handle(&mut self, _: GetInFlight, _: &mut Context<Self>) -> Self::Result {
        let all = self.shared.settings.upload_batches.max(1);
        MessageResult(all - self.permits.available_permits().min(all))
    }
}
