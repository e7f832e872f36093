//! The place where documents go and answers come from: a retrieval store.
//!
//! Speaks of documents and passages, never in a store's own words; differences between stores are data
//! ([`Capabilities`]). Every backend passes one conformance suite.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::cost::Price;
use crate::document::Document;
use crate::index::{BackendKind, Remote};
use crate::moving::Outgrown;
use crate::ports::embedding::Embedder;
use crate::query::{Found, RetrievalQuery};
use crate::{AgentId, Disposition, DocumentId, IndexId};

/// What a store can do, as far as callers behave differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Documents that one `upsert` may hold at most; batches shrink on [`Disposition::Split`].
    pub max_batch_documents: usize,
    /// Bytes of text that one `upsert` may hold at most.
    pub max_batch_bytes: usize,
    /// Documents that one `delete` may name at most.
    pub max_batch_deletes: usize,
    /// Whether what `upsert` accepted is searchable at once, so that nothing has to be awaited.
    pub immediate: bool,
    /// Whether the store filters by label; otherwise we do.
    pub filters_labels: bool,
    /// Whether passages come with their headings and anchors; otherwise we find them in the cached Markdown.
    pub knows_sections: bool,
}

/// The store object that an index wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreSpec {
    /// Our index; the mark by which we know our own objects again.
    pub index: IndexId,
    /// Gives the name: `confluence-<agent_id>`.
    pub agent: AgentId,
}

impl StoreSpec {
    /// The name of the object in the store.
    #[must_use]
    pub fn name(&self) -> String {
        format!("confluence-{}", self.agent)
    }
}

/// What became of one document of an `upsert` or `delete`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ItemOutcome {
    /// Accepted. Not yet searchable, unless the store is `immediate`.
    Accepted,
    /// Refused for good; in words.
    Refused(String),
}

/// How far the store has come with documents it accepted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IngestionReport {
    /// Searchable now.
    pub searchable: Vec<DocumentId>,
    /// Failed in the store, with the reason.
    pub failed: Vec<(DocumentId, String)>,
    /// Deleted for good (asked for as deleted, and gone).
    pub gone: Vec<DocumentId>,
    /// Still at work (or not known yet).
    pub working: Vec<DocumentId>,
}

/// One document as the store's own list names it, for reconciliation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredDocument {
    /// The id.
    pub id: DocumentId,
    /// The hash in its metadata, if it has one of ours.
    pub hash: Option<String>,
    /// The index in its metadata, if it has one of ours.
    pub index: Option<IndexId>,
}

/// The store's present state, for readiness, `doctor` and the web page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BackendHealth {
    /// Requests made since the start (0 for an embedded store).
    pub requests: u64,
    /// The last trouble, in words; cleared by a success.
    pub trouble: Option<String>,
    /// What it is, in words: host and generation, or file and size.
    pub description: String,
    /// How far it is with vectors, where it makes them by an endpoint.
    pub vectors: Option<VectorsHealth>,
}

/// One passage of a document as a store has cut it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredPassage {
    /// Headings above it, from the top.
    pub headings: Vec<String>,
    /// The anchor of the nearest heading.
    pub anchor: Option<String>,
    /// Its text.
    pub text: String,
}

/// How far a store is with the vectors of its passages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VectorsHealth {
    /// Requests made to the endpoint since the start.
    pub requests: u64,
    /// Passages that are looked up by meaning.
    pub embedded: u64,
    /// Passages that wait for their vector.
    pub waiting: u64,
    /// Passages that the endpoint refused; found by words alone.
    pub refused: u64,
    /// Questions that were answered by words alone, since the endpoint gave no vector.
    pub unanswered: u64,
}

/// Work without an end.
pub type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where documents go.
#[async_trait]
pub trait RetrievalBackend: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> BackendKind;

    /// The setting, if there is one, that asks for another object than this one. The object serves and takes documents all the same,
    /// as it was made; [`ensure`](Self::ensure) without a known object makes what the settings ask for. Makes no request.
    fn outgrown(&self, remote: &Remote) -> Option<Outgrown> {
        let _ = remote;
        None
    }

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// What storing in an object costs, or in the one that a new index would get; `None`: nothing.
    fn price(&self, remote: Option<&Remote>) -> Option<Price> {
        let _ = remote;
        None
    }

    /// Where it gets vectors from, if it looks for meaning by an endpoint.
    fn embedder(&self) -> Option<Arc<dyn Embedder>> {
        None
    }

    /// How many passages of these documents have no vector yet; 0 where nothing is to be embedded.
    async fn passages_to_embed(&self, documents: &[Document]) -> Result<u64, BackendError> {
        let _ = documents;
        Ok(0)
    }

    /// The languages in which most of an object's text is written, the most frequent first; none where the store does not know.
    async fn languages(&self, remote: &Remote) -> Result<Vec<String>, BackendError> {
        let _ = remote;
        Ok(Vec::new())
    }

    /// What the store does by itself as long as the service runs, beside all that is asked of it.
    fn background(&self) -> Option<Background> {
        None
    }

    /// Asks the store for something that changes nothing; answers what it is and what it offers, in words.
    async fn probe(&self) -> Result<String, BackendError> {
        let health = self.health();
        match health.trouble {
            Some(detail) => Err(BackendError::Unavailable { detail }),
            None => Ok(health.description),
        }
    }

    /// Makes the store object of an index, or finds the one we made before. An object of that name that does not bear
    /// our mark is not adopted: [`BackendError::NotOurs`]. A known object stays as it was made; without one, what is answered is as
    /// the settings ask for now.
    async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError>;

    /// Removes the store object; one that is gone already is a success, one that is not ours an error.
    async fn remove(&self, spec: &StoreSpec, remote: &Remote) -> Result<(), BackendError>;

    /// Stores documents under their ids, replacing older revisions: new content is stored before the old is dropped.
    /// One outcome per document, in order. An error means that none is known to be accepted.
    async fn upsert(
        &self,
        remote: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError>;

    /// Removes documents; ids that are not there count as accepted.
    async fn delete(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError>;

    /// Tells the store that the uploads of a run are complete, so that it begins (or goes on) to ingest. Once per run.
    async fn commit(&self, remote: &Remote) -> Result<(), BackendError>;

    /// How far it has come with these accepted uploads and deletions: by counts first, single reads where they disagree.
    async fn progress(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError>;

    /// Best passages first. Passages of documents that are not ours are left out.
    async fn search(&self, remote: &Remote, query: &RetrievalQuery) -> Result<Found, BackendError>;

    /// The passages into which it has cut a document, in the order of the text; `None`: it does not say.
    async fn passages(
        &self,
        remote: &Remote,
        document: &DocumentId,
    ) -> Result<Option<Vec<StoredPassage>>, BackendError> {
        let _ = (remote, document);
        Ok(None)
    }

    /// Everything that the store holds for this index, page by page; `cursor` from the answer before.
    async fn list(
        &self,
        remote: &Remote,
        cursor: Option<&str>,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError>;

    /// The state of the client; makes no request.
    fn health(&self) -> BackendHealth;
}

/// Why the store did not do it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BackendError {
    /// 401, 403: key wrong, expired, of another region or project.
    #[error("the store refuses the credentials at {host}: {detail}")]
    Unauthorized {
        /// The host that was asked.
        host: String,
        /// Cause and remedy, never the secret.
        detail: String,
    },
    /// 402: no credits left.
    #[error("the store has no credits left: {detail}")]
    NoCredits {
        /// What the answer said.
        detail: String,
    },
    /// An object of the wanted name exists and is not ours.
    #[error(
        "{name} exists in the store and was not made by this service: rename or remove it, or choose another agent id"
    )]
    NotOurs {
        /// The object's name.
        name: String,
    },
    /// The store object of the index is gone.
    #[error("the store object {id} is gone")]
    ObjectGone {
        /// Its id.
        id: String,
    },
    /// 429 beyond what the client waits for by itself.
    #[error("the store limits requests; it takes them again in {} s", retry_after.as_secs())]
    RateLimited {
        /// How long from now.
        retry_after: Duration,
    },
    /// No connection, a time-out, 5xx, HTML or a cut answer, again and again.
    #[error("the store cannot be reached: {detail}")]
    Unavailable {
        /// The last cause.
        detail: String,
    },
    /// 413, or 5xx on a large batch.
    #[error("the batch is too large for the store: {detail}")]
    TooLarge {
        /// What the answer said.
        detail: String,
    },
    /// The request is refused as wrong.
    #[error("the store refuses the request: {detail}")]
    Rejected {
        /// What the answer said.
        detail: String,
    },
}

impl BackendError {
    /// What to do about it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Unauthorized { .. }
            | Self::NoCredits { .. }
            | Self::NotOurs { .. }
            | Self::ObjectGone { .. } => Disposition::FailRun,
            Self::RateLimited { retry_after } => Disposition::Retry {
                after: *retry_after,
            },
            Self::Unavailable { .. } => Disposition::RETRY,
            Self::TooLarge { .. } => Disposition::Split,
            Self::Rejected { .. } => Disposition::SkipItem,
        }
    }

    /// The problem code that REST answers with.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "store_unauthorized",
            Self::NoCredits { .. } => "store_credits",
            Self::NotOurs { .. } => "conflict",
            Self::RateLimited { .. } => "store_rate_limited",
            _ => "store_unreachable",
        }
    }
}
