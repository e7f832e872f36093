//! `LlamaUploader`: one actor per retrieval store. For every run it opens a lane, which drains the index's outbox in batches
//! bounded by count and bytes, and then sees every accepted document to its end: searchable, failed, or past its deadline.
//!
//! The outbox is the queue; nothing here survives the process, and nothing needs to.

mod actor;
mod batch;
mod compose;
mod confirm;
mod lane;
mod ledger;
mod trouble;

pub(crate) use actor::{LaneReport, LlamaUploader, UploadJob};
pub(crate) use ledger::Ledger;
