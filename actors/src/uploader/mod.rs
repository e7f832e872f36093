//! `LlamaUploader`: one actor per retrieval store. For every run it starts a worker, which brings the holdings of one store object
//! in line: what is to be sent goes out in batches bounded by count and bytes, and every accepted document is seen to its end:
//! searchable, failed, or past its deadline.
//!
//! Rows of holdings are the queue; nothing here survives the process, and nothing needs to. A row is claimed before it is sent,
//! so that another worker of the same object (its run died, and was taken up again) passes over it.

mod actor;
mod batch;
mod compose;
mod confirm;
mod drain;
mod job;
mod trouble;
mod worker;

pub(crate) use actor::{GetInFlight, LlamaUploader, Upload};
pub(crate) use job::{UploadJob, UploadReport, UploadSignal};
