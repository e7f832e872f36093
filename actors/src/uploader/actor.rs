//! The actor: starts the workers of one store, and holds the permits that they share. Its messages stand here, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{Actor, Context, Handler, Message, MessageResult, ResponseActFuture, WrapFuture};
use domain::index::{BackendKind, Remote};
use domain::{IndexId, ObjectId, RunId, Timestamp};
use tokio::sync::{Notify, Semaphore};

use super::worker::Worker;
use crate::EngineError;
use crate::counters::RunCounters;
use crate::shared::Shared;
use crate::stop::Stop;
use crate::supervise::ChildGuard;

/// Send what an object is to hold, until told that no more will come; then confirm it.
#[derive(Message)]
#[rtype(result = "UploadReport")]
pub(crate) struct Upload(pub UploadJob);

/// How many batches are in flight?
#[derive(Clone, Copy, Message)]
#[rtype(result = "usize")]
pub(crate) struct GetInFlight;

/// What a run hands to the uploader: which object, what it is in the store, and where to count.
#[derive(Clone)]
pub(crate) struct UploadJob {
    pub(crate) index: IndexId,
    pub(crate) run: RunId,
    pub(crate) backend: BackendKind,
    pub(crate) object: ObjectId,
    /// Whether it is the object that answers: pages that fail are named.
    pub(crate) answers: bool,
    pub(crate) remote: Remote,
    pub(crate) counters: Arc<RunCounters>,
    /// When the run began: what fails in it is tried again by a later one.
    pub(crate) began: Timestamp,
    /// Ends the worker, be it because the run is asked to stop or because the run is no more.
    pub(crate) stop: Stop,
    pub(crate) signal: UploadSignal,
}

/// How a run tells its worker that rows were written. Carries no data: what is to be done stands in rows.
#[derive(Clone, Default)]
pub(crate) struct UploadSignal {
    wake: Arc<Notify>,
    closing: Arc<AtomicBool>,
}

impl UploadSignal {
    /// Rows were written.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// No more rows will come.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// How a worker ended.
#[derive(Debug)]
pub(crate) enum UploadReport {
    /// Everything that could be sent was sent, and is searchable or has failed.
    Settled,
    /// It was asked to stop; the rest waits in rows.
    Stopped,
    /// The store does not take it; the rest waits in rows.
    Trouble(EngineError),
}

/// The parent of the workers for one store.
pub(crate) struct LlamaUploader {
    shared: Arc<Shared>,
    kind: BackendKind,
    permits: Arc<Semaphore>,
    _guard: ChildGuard,
}

impl LlamaUploader {
    pub(crate) fn new(shared: Arc<Shared>, kind: BackendKind, guard: ChildGuard) -> Self {
        let permits = Arc::new(Semaphore::new(shared.settings.upload_batches.max(1)));
        Self {
            shared,
            kind,
            permits,
            _guard: guard,
        }
    }
}

impl Actor for LlamaUploader {
    type Context = Context<Self>;
}

impl Handler<Upload> for LlamaUploader {
    type Result = ResponseActFuture<Self, UploadReport>;

    fn handle(&mut self, Upload(job): Upload, _: &mut Context<Self>) -> Self::Result {
        let Some(backend) = self.shared.backend(self.kind) else {
            let error = EngineError::BackendMissing {
                index: job.index,
                backend: self.kind,
            };
            return Box::pin(async move { UploadReport::Trouble(error) }.into_actor(self));
        };
        let shared = Arc::clone(&self.shared);
        let worker = Worker::new(shared, backend, job, Arc::clone(&self.permits));
        Box::pin(worker.work().into_actor(self))
    }
}

impl Handler<GetInFlight> for LlamaUploader {
    type Result = MessageResult<GetInFlight>;
    fn handle(&mut self, _: GetInFlight, _: &mut Context<Self>) -> Self::Result {
        let all = self.shared.settings.upload_batches.max(1);
        MessageResult(all - self.permits.available_permits().min(all))
    }
}
