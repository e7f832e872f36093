//! The embedded retrieval backend: pages cut into chunks by heading, found by BM25 in one SQLite file.
//!
//! * [`LocalIndex`] implements [`domain::ports::retrieval::RetrievalBackend`]; it needs no account and no network.
//! * Each index of ours is a *collection* with lists of its own, so that word statistics and answers never mix.
//! * Where it is given an [`Embedder`](domain::ports::embedding::Embedder), passages are also found by what they mean.
//! * What `upsert` accepted is searchable when it returns; a document's chunks are replaced in one transaction.
//!
//! Layout: [`options`]; `store` (connections), `schema` (tables, and files of earlier formats), `backend` (the port). Writing: `write`
//! (documents in and out), `chunking`, `analysis` (text to terms), `language` (which one, and its stems), `postings` (a term's chunks),
//! `segments` (lists in rows, and their merging). Meaning: `filling` (asks for vectors, beside all else), `vectors` (in rows), `quantised`,
//! `fusion` (with what words find). Asking: `question` (words), `spelling`, `scoring`, `surroundings`, `freshness` (what age
//! takes, where it counts), `search` (all of it).
//!
//! It must not know Confluence, HTTP or the sync engine's tables.

mod analysis;
mod backend;
mod chunking;
mod error;
mod filling;
mod freshness;
mod fusion;
mod language;
pub mod options;
mod postings;
mod quantised;
mod question;
mod schema;
mod scoring;
mod search;
mod segments;
mod spelling;
mod store;
mod surroundings;
mod vectors;
mod write;

pub use backend::LocalIndex;
pub use error::LocalIndexError;
pub use options::{LocalIndexOptions, MeaningWeights, Place};
