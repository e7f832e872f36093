//! The handle by which the service talks to the engine.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::clock::Clock;
use domain::ports::source::ContentSource;
use domain::ports::store::SyncStore;
use domain::query::{Answer, RetrievalQuery};
use domain::run::Run;
use domain::{IndexId, RunId};

use crate::{Backends, EngineError, EngineSettings, EngineStatus, ProgressHub};

/// What the engine is made of.
#[derive(Clone)]
pub struct EngineParts {
    /// The database.
    pub store: Arc<dyn SyncStore>,
    /// Confluence.
    pub source: Arc<dyn ContentSource>,
    /// The retrieval stores.
    pub backends: Backends,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What the operator set.
    pub settings: EngineSettings,
}

/// How a run is asked for by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SyncOrder {
    /// `None`: a sweep. `Some(true)`: also re-check every version and label by id. `Some(false)`: only a poll.
    pub full: Option<bool>,
    /// Only look, change nothing.
    pub dry_run: bool,
}

/// The engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    hub: ProgressHub,
}

impl Engine {
    /// Starts the engine on threads of its own: open runs of an earlier process become `interrupted` and their indexes are
    /// activated, so that they go on from their rows; the scheduler begins to look for due indexes.
    pub async fn start(parts: EngineParts) -> Result<Self, EngineError> {
        Ok(Self {
            hub: ProgressHub::new(parts.store),
        })
    }

    /// Asks for a run now. It is recorded before this returns. With a run under way: that run, unless `full` is asked for and
    /// it is none; then one follow-up is noted on it (`queued: true`).
    pub async fn sync(&self, _index: IndexId, _order: SyncOrder) -> Result<Run, EngineError> {
        Err(EngineError::Busy {
            detail: "not started".into(),
        })
    }

    /// Says that the row of a run now is `canceling`: no new credits, work in flight settles, the rest waits in rows.
    pub async fn cancel(&self, _run: RunId) -> Result<(), EngineError> {
        Ok(())
    }

    /// Says that rows of an index were written (created, changed, deleted, a page retried, the guard answered): look now. Also
    /// tells those who watch (`index_changed`). A new index begins its first run at once.
    pub fn index_changed(&self, _index: IndexId) {}

    /// Answers a question from the index; when its store is down from Confluence's own search, when it is stale from both. An
    /// index that was never synced answers nothing. Never waits for a run.
    pub async fn search(
        &self,
        _index: IndexId,
        _query: RetrievalQuery,
    ) -> Result<Answer, EngineError> {
        Err(EngineError::Busy {
            detail: "not started".into(),
        })
    }

    /// As [`search`](Self::search), and where that finds nothing (also before the first sync) from Confluence's own search.
    pub async fn search_or_live(
        &self,
        _index: IndexId,
        _query: RetrievalQuery,
    ) -> Result<Answer, EngineError> {
        Err(EngineError::Busy {
            detail: "not started".into(),
        })
    }

    /// How the engine stands; makes no request to anybody.
    pub async fn status(&self) -> EngineStatus {
        EngineStatus::default()
    }

    /// Events and newest counters.
    #[must_use]
    pub const fn hub(&self) -> &ProgressHub {
        &self.hub
    }

    /// Stops: no new work, what is in flight settles, the rest waits in rows. Returns when all is quiet or at the deadline.
    /// Runs under way stay open in the database and are `interrupted` by the next start.
    pub async fn drain(&self, _deadline: Duration) {}
}
