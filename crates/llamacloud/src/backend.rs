//! The port: which generation an index lives in, and what they have in common.

use async_trait::async_trait;
use domain::DocumentId;
use domain::document::Document;
use domain::index::{BackendKind, Remote};
use domain::ports::retrieval::{
    BackendError, BackendHealth, Capabilities, IngestionReport, ItemOutcome, RetrievalBackend,
    StoreSpec, StoredDocument,
};
use domain::query::{Passage, RetrievalQuery};

use crate::config::{ConfigError, IndexApi, LlamaCloudConfig};
use crate::http::Http;
use crate::v1::Pipelines;

/// A LlamaCloud account as a retrieval backend.
pub struct LlamaCloud {
    http: Http,
    index_api: IndexApi,
    pipelines: Pipelines,
}

impl LlamaCloud {
    /// A client; makes no request. A process-wide rustls provider must be installed.
    ///
    /// # Errors
    /// When a setting cannot be used; it is named.
    pub fn new(config: LlamaCloudConfig) -> Result<Self, ConfigError> {
        let http = Http::new(&config)?;
        let pipelines = Pipelines::new(http.clone(), config.openai_api_key);
        Ok(Self {
            http,
            index_api: config.index_api,
            pipelines,
        })
    }
}

#[async_trait]
impl RetrievalBackend for LlamaCloud {
    fn kind(&self) -> BackendKind {
        BackendKind::LlamaCloud
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_batch_documents: 50,
            max_batch_bytes: 4 << 20,
            max_batch_deletes: 50,
            immediate: false,
            filters_labels: false,
            knows_sections: false,
        }
    }

    async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        self.pipelines.ensure(spec, known).await
    }

    async fn remove(&self, spec: &StoreSpec, remote: &Remote) -> Result<(), BackendError> {
        self.pipelines.remove(spec, remote).await
    }

    async fn upsert(
        &self,
        remote: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        self.pipelines.upsert(remote, documents).await
    }

    async fn delete(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        self.pipelines.delete(remote, ids).await
    }

    async fn commit(&self, remote: &Remote) -> Result<(), BackendError> {
        self.pipelines.commit(remote).await
    }

    async fn progress(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError> {
        self.pipelines.progress(remote, uploads, deletes).await
    }

    async fn search(
        &self,
        remote: &Remote,
        query: &RetrievalQuery,
    ) -> Result<Vec<Passage>, BackendError> {
        self.pipelines.search(remote, query).await
    }

    async fn list(
        &self,
        remote: &Remote,
        cursor: Option<&str>,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError> {
        self.pipelines.list(remote, cursor).await
    }

    fn health(&self) -> BackendHealth {
        BackendHealth {
            requests: self.http.requests(),
            trouble: self.http.trouble(),
            description: format!("LlamaCloud at {}", self.http.host()),
        }
    }
}
