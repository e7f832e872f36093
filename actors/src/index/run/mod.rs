//! One run of an index, from its row to its end.
//!
//! ```text
//! spaces ─► walks (list: with bodies the first time, else compare) ─► facts (labels, restrictions) ─► reconcile ─► holdings
//!           one per space, side by side                                per space, while facts come
//!        └► comments and attachments of the space, in bulk, before its pages are decided
//!        └► bodies of new versions, by id in bulk ─► convert ─► reconcile ─► holdings
//!        └► vanished: confirmed, hidden or removed, guarded
//! the uploader brings the store in line all along; the run ends when that is settled
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
mod sweep;
mod vanish;
mod walk;

pub(crate) use context::{RunCtx, reach_of};
pub(crate) use retry::something_is_due;
pub(crate) use stages::{Ended, execute};
