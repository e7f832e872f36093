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
//! [`steps`] numbers the steps and follows them. The rooms, of which each uses only those behind it: [`decide`] (what becomes of
//! pages) ─► [`ask`] (what Confluence says) ─► [`text`] (bodies, comments and files as text). [`sweep`] and [`delta`] drive them;
//! [`context`] and [`retry`] are what all share.
//!
//! Rows are the staging area: memory holds a few answers at a time and a small index of ids per space.

mod ask;
mod audit;
mod context;
mod decide;
mod delta;
mod dry;
mod execution;
mod finish;
mod heartbeat;
mod moving;
mod object;
mod pieces;
mod retry;
mod spaces;
mod steps;
mod sweep;
mod text;
mod uploading;

pub(crate) use context::{RunCtx, reach_of};
pub(crate) use execution::Ended;
pub(crate) use retry::something_is_due;
pub(crate) use steps::execute;
