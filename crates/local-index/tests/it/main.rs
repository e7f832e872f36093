//! Tests of the embedded index through its port.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod asking;
mod conformance;
mod file;
mod formats;
mod meaning;
mod segments;

use backend_conformance::samples::question;
use domain::index::Remote;
use domain::ports::retrieval::RetrievalBackend;
use local_index::LocalIndex;

/// How many passages a question finds.
async fn hits(index: &LocalIndex, remote: &Remote, text: &str) -> usize {
    let found = index.search(remote, &question(text)).await.unwrap();
    found.passages.len()
}
