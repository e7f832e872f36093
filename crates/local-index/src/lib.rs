//! The embedded retrieval backend: pages cut into chunks by heading, found by BM25 in one SQLite file.
//!
//! * [`LocalIndex`] implements [`domain::ports::retrieval::RetrievalBackend`]; it needs no account and no network.
//! * Each index of ours is a *collection* with a full-text table of its own, so that word statistics and answers never
//!   mix, and removing one is dropping a table.
//! * What `upsert` accepted is searchable when it returns; a document's chunks are replaced in one transaction.
//!
//! Layout: [`options`] (language and tokenizer), `store` (connections and schema), `write` (documents in and out),
//! `words` (question to terms), `plan` (which terms choose candidates), `search` (ranking), `backend` (the port).
//!
//! It must not know Confluence, HTTP or the sync engine's tables.
#![warn(missing_docs)]

mod backend;
mod chunking;
mod error;
pub mod options;
mod plan;
mod schema;
mod search;
mod store;
mod words;
mod write;

pub use backend::LocalIndex;
pub use error::LocalIndexError;
pub use options::{LocalIndexOptions, Place, Ranking};
