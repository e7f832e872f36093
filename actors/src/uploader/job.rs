//! What a run hands to the uploader, how it tells of new rows, and how the worker ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::index::{BackendKind, Remote};
use domain::{IndexId, ObjectId, RunId, Timestamp};
use tokio::sync::Notify;

use crate::EngineError;
use crate::counters::RunCounters;
use crate::stop::Stop;

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
