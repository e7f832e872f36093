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
use tokio::sync::OnceCell;

use crate::config::{ConfigError, IndexApi, LlamaCloudConfig};
use crate::http::Http;
use crate::v1::{self, Pipelines};
use crate::v2::{self, Directories};

/// A LlamaCloud account as a retrieval backend.
pub struct LlamaCloud {
    http: Http,
    index_api: IndexApi,
    /// What the account offers, once asked.
    offered: OnceCell<Generation>,
    pipelines: Pipelines,
    directories: Directories,
}

/// A generation of the index API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Generation {
    Pipelines,
    Directories,
}

impl Generation {
    /// The generation of an object that exists.
    fn of(remote: &Remote) -> Option<Self> {
        match remote.kind.as_str() {
            v1::KIND => Some(Self::Pipelines),
            v2::KIND => Some(Self::Directories),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pipelines => "pipelines (v1)",
            Self::Directories => "directories and indexes (v2)",
        }
    }
}

impl LlamaCloud {
    /// A client; makes no request. A process-wide rustls provider must be installed.
    ///
    /// # Errors
    /// When a setting cannot be used; it is named.
    pub fn new(config: LlamaCloudConfig) -> Result<Self, ConfigError> {
        let http = Http::new(&config)?;
        let pipelines = Pipelines::new(http.clone(), config.openai_api_key);
        let directories = Directories::new(http.clone());
        Ok(Self {
            http,
            index_api: config.index_api,
            offered: OnceCell::new(),
            pipelines,
            directories,
        })
    }

    /// The generation that a new index gets. With [`IndexApi::Auto`] the account is asked once: pipelines, which take
    /// text as it is and tell the state of each document, where they are served; else directories and indexes.
    async fn generation(&self) -> Result<Generation, BackendError> {
        let find_out = || async {
            if self.pipelines.is_offered().await? {
                return Ok(Generation::Pipelines);
            }
            if self.directories.is_offered().await? {
                return Ok(Generation::Directories);
            }
            Err(BackendError::Rejected {
                detail: format!(
                    "{} serves neither pipelines nor indexes; check LLAMA_CLOUD_BASE_URL",
                    self.http.host()
                ),
            })
        };
        match self.index_api {
            IndexApi::V1 => Ok(Generation::Pipelines),
            IndexApi::V2 => Ok(Generation::Directories),
            IndexApi::Auto => {
                let offered = *self.offered.get_or_try_init(find_out).await?;
                tracing::info!(
                    host = self.http.host(),
                    generation = offered.name(),
                    "LlamaCloud offers"
                );
                Ok(offered)
            }
        }
    }

    /// The generation that holds an object.
    fn holder(remote: &Remote) -> Result<Generation, BackendError> {
        // An object of another backend is none of this one.
        Generation::of(remote).ok_or_else(|| BackendError::ObjectGone {
            id: remote.id.clone(),
        })
    }
}

#[async_trait]
impl RetrievalBackend for LlamaCloud {
    fn kind(&self) -> BackendKind {
        BackendKind::LlamaCloud
    }

    fn wanted_object(&self) -> Option<&'static str> {
        match self.index_api {
            IndexApi::V1 => Some(v1::KIND),
            IndexApi::V2 => Some(v2::KIND),
            // Indexes stay where they are; only new ones follow what the account offers.
            IndexApi::Auto => None,
        }
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

    async fn probe(&self) -> Result<String, BackendError> {
        let host = self.http.host();
        let (v1, v2) = match self.index_api {
            IndexApi::V1 => (Some(self.pipelines.is_offered().await?), None),
            IndexApi::V2 => (None, Some(self.directories.is_offered().await?)),
            IndexApi::Auto => (
                Some(self.pipelines.is_offered().await?),
                Some(self.directories.is_offered().await?),
            ),
        };
        let offers = |offered: Option<bool>, generation: Generation| match offered {
            Some(true) => Some(generation.name()),
            _ => None,
        };
        let offered: Vec<&str> = [
            offers(v1, Generation::Pipelines),
            offers(v2, Generation::Directories),
        ]
        .into_iter()
        .flatten()
        .collect();
        if offered.is_empty() {
            let asked = match self.index_api {
                IndexApi::V1 => "no pipelines (v1): LLAMA_CLOUD_INDEX_API=v2 or auto may be right",
                IndexApi::V2 => {
                    "no directories and indexes (v2): LLAMA_CLOUD_INDEX_API=v1 or auto may be right"
                }
                IndexApi::Auto => "neither pipelines (v1) nor directories and indexes (v2)",
            };
            return Err(BackendError::Rejected {
                detail: format!("{host} offers {asked}; check LLAMA_CLOUD_BASE_URL as well"),
            });
        }
        Ok(format!(
            "LlamaCloud at {host} offers {}",
            offered.join(" and ")
        ))
    }

    async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        // An index stays in its generation until it is moved.
        let generation = match known.and_then(Generation::of) {
            Some(generation) => generation,
            None => self.generation().await?,
        };
        match generation {
            Generation::Pipelines => self.pipelines.ensure(spec, known).await,
            Generation::Directories => self.directories.ensure(spec, known).await,
        }
    }

    async fn remove(&self, spec: &StoreSpec, remote: &Remote) -> Result<(), BackendError> {
        match Generation::of(remote) {
            Some(Generation::Pipelines) => self.pipelines.remove(spec, remote).await,
            Some(Generation::Directories) => self.directories.remove(spec, remote).await,
            None => Ok(()),
        }
    }

    async fn upsert(
        &self,
        remote: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.pipelines.upsert(remote, documents).await,
            Generation::Directories => self.directories.upsert(remote, documents).await,
        }
    }

    async fn delete(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.pipelines.delete(remote, ids).await,
            Generation::Directories => self.directories.delete(remote, ids).await,
        }
    }

    async fn commit(&self, remote: &Remote) -> Result<(), BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.pipelines.commit(remote).await,
            Generation::Directories => self.directories.commit(remote).await,
        }
    }

    async fn progress(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.pipelines.progress(remote, uploads, deletes).await,
            Generation::Directories => self.directories.progress(remote, uploads, deletes).await,
        }
    }

    async fn search(
        &self,
        remote: &Remote,
        query: &RetrievalQuery,
    ) -> Result<Vec<Passage>, BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.pipelines.search(remote, query).await,
            Generation::Directories => self.directories.search(remote, query).await,
        }
    }

    async fn list(
        &self,
        remote: &Remote,
        cursor: Option<&str>,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.pipelines.list(remote, cursor).await,
            Generation::Directories => self.directories.list(remote).await,
        }
    }

    fn health(&self) -> BackendHealth {
        let generation = match self.index_api {
            IndexApi::V1 => Some(Generation::Pipelines),
            IndexApi::V2 => Some(Generation::Directories),
            IndexApi::Auto => self.offered.get().copied(),
        };
        let generation = generation.map_or("generation not asked for yet", Generation::name);
        BackendHealth {
            requests: self.http.requests(),
            trouble: self.http.trouble(),
            description: format!("LlamaCloud at {}, {generation}", self.http.host()),
        }
    }
}
