//! LlamaCloud on loopback: Index v1 (pipelines of documents) and Index v2 (directories, indexes, retrieval).
//!
//! It promises the shapes, strict filter types, asynchronous jobs and oddities that are documented or were reported;
//! what is unclear about the real one is a [switch](Switches). Scores come from a small BM25, so that answers to real
//! questions are meaningful; they are not the service's numbers.

mod call;
mod directories;
mod documents;
mod files;
mod filters;
mod indexes;
mod model;
mod multipart;
mod pipelines;
mod ranking;
mod retrieval;
mod retrieve;
mod service;
mod sim;
mod switches;

pub use model::{IngestionStatus, TrueDocument, TrueFile};
pub use sim::{Builder, LlamaCloudSim};
pub use switches::{DuplicateId, IndexIds, NodeMetadata, Serving, Switches};
