//! A run with what is needed to end it, and how it ended.

use std::sync::Arc;

use domain::history::RunPage;
use domain::ports::store::IndexState;
use domain::problem::Problem;
use domain::run::{Run, RunPlan, RunStatus};

use super::RunCtx;
use crate::counters::RunCounters;
use crate::shared::Shared;
use crate::stop::Stop;

/// What became of an open run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// Its row is closed.
    Over,
    /// The engine stops: the row stays open for the next start.
    LeftOpen,
}

/// A run with what is needed to end it, however it ends.
pub(super) struct Execution {
    /// The index before the run.
    pub(super) before: IndexState,
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    pub(super) counters: Arc<RunCounters>,
    pub(super) stop: Stop,
    /// There as soon as the run knows its spaces.
    pub(super) ctx: Option<Arc<RunCtx>>,
    /// What a dry run found.
    pub(super) rehearsed: Option<Rehearsed>,
    /// Why the move is not complete, if it is not.
    pub(super) move_blocked_because: Option<String>,
}

/// What a dry run found.
pub(super) struct Rehearsed {
    pub(super) plan: RunPlan,
    /// The same page by page, the first of each change.
    pub(super) pages: Vec<RunPage>,
    /// How the run would end; what the guard would ask stands in the plan.
    pub(super) status: RunStatus,
    pub(super) error: Option<Problem>,
}
