//! One run of an index, from its row to its end.
//!
//! ```text
//! spaces ─► walks (list: with bodies the first time, else compare) ─► facts (labels, restrictions) ─► reconcile ─► outbox
//!           one per space, side by side                                per space, while facts come
//!        └► comments and attachments of the space, in bulk, before its pages are decided
//!        └► bodies of new versions, by id in bulk ─► convert ─► reconcile ─► outbox
//!        └► vanished: confirmed, hidden or removed, guarded
//! the uploader drains the outbox all along; the run ends when that is settled
//! ```
//!
//! A run of kind `move` does none of this: it fills another store object from what is kept (`moving`).
//!
//! Rows are the staging area: memory holds a few answers at a time and a small index of ids per space.

mod attachments;
mod audit;
mod bodies;
mod comments;
mod context;
mod convert;
mod delta;
mod dry;
mod facts;
mod finish;
mod links;
mod listed;
mod moving;
mod parents;
mod poll;
mod recent;
mod reconcile;
mod reconvert;
mod retry;
mod spaces;
mod stages;
mod stop;
mod sweep;
mod tally;
mod vanish;
mod walk;

pub(crate) use context::{RunCtx, reach_of};
pub(crate) use retry::something_is_due;
pub(crate) use stages::{Ended, execute};
pub(crate) use stop::{Halt, Stop};
pub(crate) use tally::Tally;
