//! What actors say to one another, grouped by receiver (those to the uploader stand beside it).
//!
//! Hints (`Activate`, `Look`…) carry no data and are idempotent: what is to be done stands in rows.

use actix::Message;
use domain::{IndexId, RunId};

use crate::status::{EngineStatus, IndexGauge};
use crate::supervise::Child;

// --- to the SchedulerActor

/// Look for due indexes, new and deleted ones, objects to be removed; then sleep until the next due time.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Tick;

/// An index has an open run: let its actor work on it.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct ActivateIndex(pub IndexId);

/// Rows of an index were written from outside.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct IndexChanged(pub IndexId);

/// A run is `canceling`.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct CancelRun(pub RunId);

/// A child ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ChildGone {
    pub who: Child,
    /// Which life of it: news of an earlier one are old.
    pub generation: u64,
}

/// Start a child again.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Respawn(pub Child);

/// Stop: no new work; answers when every run has put down what it had in hand.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct BeginDrain;

/// How does the engine stand?
#[derive(Clone, Copy, Message)]
#[rtype(result = "EngineStatus")]
pub(crate) struct GetStatus;

// --- to an IndexActor

/// Work on the open run, if there is one. Twice equals once.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Activate;

/// Rows changed: open a run if they call for one. Twice equals once.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Look;

/// Stop this run.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Cancel(pub RunId);

/// The index is gone: stop for good.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

/// Put down what is in hand and answer.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// How does the index stand?
#[derive(Clone, Copy, Message)]
#[rtype(result = "IndexGauge")]
pub(crate) struct GetIndexStatus;
