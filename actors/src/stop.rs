//! Why a run does not go on: it was asked to stop, or something failed for all of it.

use std::time::Duration;

use domain::part::Part;
use domain::ports;
use domain::ports::retrieval::BackendError;
use domain::ports::source::SourceError;
use domain::ports::store::StoreError;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::EngineError;

/// The signal that ends a run early: a cancel, or the engine's own stop. Work in flight settles; nothing new begins.
#[derive(Clone)]
pub(crate) struct Stop {
    any: CancellationToken,
    draining: CancellationToken,
}

impl Stop {
    pub(crate) fn new(draining: &CancellationToken) -> Self {
        Self {
            any: draining.child_token(),
            draining: draining.clone(),
        }
    }

    /// A signal that is raised with this one, and by itself when the guard is dropped: for work that must not outlive the scope
    /// that began it.
    pub(crate) fn until_dropped(&self) -> (Self, DropGuard) {
        let any = self.any.child_token();
        let guard = any.clone().drop_guard();
        let draining = self.draining.clone();
        (Self { any, draining }, guard)
    }

    pub(crate) fn cancel(&self) {
        self.any.cancel();
    }

    /// Whether the whole engine stops: then the run's row stays open for the next start.
    pub(crate) fn is_drain(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub(crate) fn check(&self) -> Result<(), RunError> {
        if self.any.is_cancelled() {
            Err(RunError::Stopped)
        } else {
            Ok(())
        }
    }

    pub(crate) async fn asked(&self) {
        self.any.cancelled().await;
    }

    /// The outcome of this work, unless the run is asked to stop before.
    pub(crate) async fn unless_asked<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, RunError> {
        let done = self.any.run_until_cancelled(work).await;
        done.ok_or(RunError::Stopped)
    }

    pub(crate) async fn sleep(&self, wait: Duration) -> Result<(), RunError> {
        self.unless_asked(tokio::time::sleep(wait)).await
    }
}

/// Why a piece of work did not come to its end.
#[derive(Debug)]
pub(crate) enum RunError {
    /// It was asked to stop.
    Stopped,
    /// One request failed for now; what that means depends on what it was for.
    Source(SourceError),
    /// Nothing of the run can succeed.
    Fatal(EngineError),
}

impl RunError {
    /// What remains after the failure of one part (a space, a batch) has been noted: `Err` when the whole run must end.
    pub(crate) fn recoverable(self) -> Result<SourceError, Self> {
        self.unless_fatal(None)
    }

    /// As [`recoverable`](Self::recoverable), after the failure of something optional.
    pub(crate) fn recoverable_for(self, part: Part) -> Result<SourceError, Self> {
        self.unless_fatal(Some(part))
    }

    fn unless_fatal(self, part: Option<Part>) -> Result<SourceError, Self> {
        match self {
            Self::Source(error) if !error.disposition().ends_run(part) => Ok(error),
            other => Err(other),
        }
    }

    pub(crate) fn into_error(self) -> EngineError {
        match self {
            Self::Stopped => EngineError::Busy {
                detail: "the run was stopped".to_owned(),
            },
            Self::Source(error) => error.into(),
            Self::Fatal(error) => error,
        }
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Fatal(error.into())
    }
}

impl From<EngineError> for RunError {
    fn from(error: EngineError) -> Self {
        Self::Fatal(error)
    }
}

impl From<BackendError> for RunError {
    fn from(error: ports::retrieval::BackendError) -> Self {
        Self::Fatal(error.into())
    }
}
