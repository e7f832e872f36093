//! The actor: starts the workers of one store, and holds the permits that they share. Its messages stand here, too.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, MessageResult, ResponseActFuture, WrapFuture};
use domain::index::BackendKind;
use tokio::sync::Semaphore;

use super::drain::work;
use super::job::{UploadJob, UploadReport};
use super::worker::Worker;
use crate::shared::Shared;
use crate::supervise::ChildGuard;

/// Send what an object is to hold, until told that no more will come; then confirm it.
#[derive(Message)]
#[rtype(result = "UploadReport")]
pub(crate) struct Upload(pub UploadJob);

/// How many batches are in flight?
#[derive(Clone, Copy, Message)]
#[rtype(result = "usize")]
pub(crate) struct GetInFlight;

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
        let backend = match self.shared.backend_of(job.index, self.kind) {
            Ok(backend) => backend,
            Err(error) => {
                return Box::pin(async move { UploadReport::Trouble(error) }.into_actor(self));
            }
        };
        let shared = Arc::clone(&self.shared);
        let worker = Worker::new(shared, backend, job, Arc::clone(&self.permits));
        Box::pin(work(worker).into_actor(self))
    }
}

impl Handler<GetInFlight> for LlamaUploader {
    type Result = MessageResult<GetInFlight>;
    fn handle(&mut self, _: GetInFlight, _: &mut Context<Self>) -> Self::Result {
        let all = self.shared.settings.upload_batches.max(1);
        MessageResult(all - self.permits.available_permits().min(all))
    }
}
