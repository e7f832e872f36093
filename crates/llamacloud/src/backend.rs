//! The port: which generation an index lives in, and what they have in common.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::DocumentId;
use domain::cost::Price;
use domain::document::Document;
use domain::index::{BackendKind, Remote};
use domain::moving::Outgrown;
use domain::ports::retrieval::{
    BackendError, BackendHealth, Capabilities, IngestionReport, ItemOutcome, RetrievalBackend,
    StoreSpec, StoredDocument,
};
use domain::query::{Found, Passage, RetrievalQuery};
use upstream::{Circuit, CircuitBreaker};

use crate::config::{ConfigError, IndexApi, LlamaCloudConfig};
use crate::http::Http;
use crate::offers::{self, Generation, Offer};
use crate::prices::Prices;
use crate::v1::Pipelines;
use crate::v2::Directories;

/// A LlamaCloud account as a retrieval backend.
pub struct LlamaCloud {
    pub(crate) http: Http,
    index_api: IndexApi,
    /// What the account offers, once asked, or as an earlier process remembered.
    offered: Mutex<Option<Offered>>,
    /// One question at a time.
    asking: tokio::sync::Mutex<()>,
    on_found_out: Option<FoundOut>,
    generations: Arc<Generations>,
    /// Whether the account's indexes answer questions.
    breaker: CircuitBreaker,
    prices: Prices,
}

/// Both generations of the index API.
struct Generations {
    pipelines: Pipelines,
    directories: Directories,
    /// How long a question may take.
    search: Duration,
}

impl Generations {
    async fn search(
        &self,
        remote: &Remote,
        query: &RetrievalQuery,
    ) -> Result<Vec<Passage>, BackendError> {
        let asked = async {
            match LlamaCloud::holder(remote)? {
                Generation::Pipelines => self.pipelines.search(remote, query).await,
                Generation::Directories => self.directories.search(remote, query).await,
            }
        };
        match tokio::time::timeout(self.search, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(BackendError::Unavailable {
                detail: format!("no answer to a question within {} s", self.search.as_secs()),
            }),
        }
    }

    /// [`search`](Self::search); the breaker hears whether the store answered, be it that it limits requests.
    async fn ask(
        &self,
        breaker: &CircuitBreaker,
        remote: &Remote,
        query: &RetrievalQuery,
    ) -> Result<Vec<Passage>, BackendError> {
        let answer = self.search(remote, query).await;
        breaker.ended(!matches!(answer, Err(BackendError::Unavailable { .. })));
        answer
    }
}

/// What an account was found to offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Offered {
    generation: Generation,
    /// By an earlier process: asked again when it does not hold.
    remembered: bool,
}

/// Told what the account offers when that was found out, to be remembered over a restart.
pub type FoundOut = Arc<dyn Fn(IndexApi) + Send + Sync>;

impl LlamaCloud {
    /// Requests that are under way now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.http.in_flight()
    }

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
            offered: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            on_found_out: None,
            generations: Arc::new(Generations {
                pipelines,
                directories,
                search: config.timeouts.search,
            }),
            breaker: CircuitBreaker::default(),
            prices: config.prices,
        })
    }

    /// With what an earlier process found out about this host and project, and who is told when that changes. Only for
    /// [`IndexApi::Auto`].
    #[must_use]
    pub fn remembering(self, found: Option<IndexApi>, on_found_out: FoundOut) -> Self {
        let generation = match found {
            Some(IndexApi::V1) => Some(Generation::Pipelines),
            Some(IndexApi::V2) => Some(Generation::Directories),
            Some(IndexApi::Auto) | None => None,
        };
        let offered = generation.map(|generation| Offered {
            generation,
            remembered: true,
        });
        Self {
            offered: Mutex::new(offered),
            on_found_out: Some(on_found_out),
            ..self
        }
    }

    fn offered(&self) -> Option<Offered> {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The generation that a new index gets, as far as that is known without a request.
    fn known_generation(&self) -> Option<Generation> {
        match self.index_api {
            IndexApi::V1 => Some(Generation::Pipelines),
            IndexApi::V2 => Some(Generation::Directories),
            IndexApi::Auto => self.offered().map(|offered| offered.generation),
        }
    }

    /// The generation that a new index gets. With [`IndexApi::Auto`] the account is asked once.
    async fn generation(&self) -> Result<Generation, BackendError> {
        match self.known_generation() {
            Some(generation) => Ok(generation),
            None => self.find_out(None).await,
        }
    }

    /// Whether a generation is served to the account.
    async fn ask(&self, generation: Generation) -> Offer {
        let said = match generation {
            Generation::Pipelines => self.generations.pipelines.is_offered().await,
            Generation::Directories => self.generations.directories.is_offered().await,
        };
        Offer { generation, said }
    }

    /// Asks the account for each generation in turn, until one is offered. One that is refused is not offered; one that does
    /// not answer now ends the question, since where an index is made must not hang on a bad moment. `doubted` is an answer
    /// that turned out not to hold.
    async fn find_out(&self, doubted: Option<Offered>) -> Result<Generation, BackendError> {
        let _one_at_a_time = self.asking.lock().await;
        if let Some(found) = self.offered()
            && Some(found) != doubted
        {
            return Ok(found.generation);
        }
        let mut asked = Vec::new();
        for generation in Generation::BOTH {
            let offer = self.ask(generation).await;
            let (is_made, is_open) = (offer.is_made(), offer.is_open());
            asked.push(offer);
            if is_made {
                self.found(generation);
                return Ok(generation);
            }
            if is_open {
                break;
            }
        }
        Err(offers::refusal(self.http.host(), &asked))
    }

    fn found(&self, generation: Generation) {
        tracing::info!(
            host = self.http.host(),
            generation = generation.name(),
            "LlamaCloud offers"
        );
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Offered {
            generation,
            remembered: false,
        });
        if let Some(tell) = &self.on_found_out {
            tell(match generation {
                Generation::Pipelines => IndexApi::V1,
                Generation::Directories => IndexApi::V2,
            });
        }
    }

    async fn ensure_in(
        &self,
        generation: Generation,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        match generation {
            Generation::Pipelines => self.generations.pipelines.ensure(spec, known).await,
            Generation::Directories => self.generations.directories.ensure(spec, known).await,
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

    fn outgrown(&self, remote: &Remote) -> Option<Outgrown> {
        let wanted = match self.index_api {
            IndexApi::V1 => Generation::Pipelines,
            IndexApi::V2 => Generation::Directories,
            // Indexes stay where they are; only new ones follow what the account offers.
            IndexApi::Auto => return None,
        };
        let present = Generation::of(remote).filter(|present| *present != wanted)?;
        Some(Outgrown {
            setting: "LLAMA_CLOUD_INDEX_API",
            present: present.setting().to_owned(),
            wanted: wanted.setting().to_owned(),
        })
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

    fn price(&self, remote: Option<&Remote>) -> Option<Price> {
        let generation = remote
            .and_then(Generation::of)
            .or_else(|| self.known_generation())
            .unwrap_or(Generation::Pipelines);
        Some(match generation {
            Generation::Pipelines => self.prices.of_pipelines(generation.name()),
            Generation::Directories => self.prices.of_directories(generation.name()),
        })
    }

    /// Asks for each generation that the settings allow; the answer says what each of them said.
    async fn probe(&self) -> Result<String, BackendError> {
        let wanted: &[Generation] = match self.index_api {
            IndexApi::V1 => &[Generation::Pipelines],
            IndexApi::V2 => &[Generation::Directories],
            IndexApi::Auto => &Generation::BOTH,
        };
        let mut asked = Vec::new();
        for generation in wanted {
            asked.push(self.ask(*generation).await);
        }
        offers::summary(self.http.host(), &asked)
    }

    async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        // An index stays in its generation until it is moved.
        if let Some(generation) = known.and_then(Generation::of) {
            return self.ensure_in(generation, spec, known).await;
        }
        let generation = self.generation().await?;
        let made = self.ensure_in(generation, spec, known).await;
        let doubted = self.offered().filter(|offered| offered.remembered);
        match made {
            // 404, 403 and the like: what an earlier process found out may hold no more.
            Err(
                BackendError::Rejected { .. }
                | BackendError::ObjectGone { .. }
                | BackendError::Unauthorized { .. },
            ) if self.index_api == IndexApi::Auto && doubted.is_some() => {
                let generation = self.find_out(doubted).await?;
                self.ensure_in(generation, spec, known).await
            }
            made => made,
        }
    }

    async fn remove(&self, spec: &StoreSpec, remote: &Remote) -> Result<(), BackendError> {
        match Generation::of(remote) {
            Some(Generation::Pipelines) => self.generations.pipelines.remove(spec, remote).await,
            Some(Generation::Directories) => {
                self.generations.directories.remove(spec, remote).await
            }
            None => Ok(()),
        }
    }

    async fn upsert(
        &self,
        remote: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.generations.pipelines.upsert(remote, documents).await,
            Generation::Directories => self.generations.directories.upsert(remote, documents).await,
        }
    }

    async fn delete(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.generations.pipelines.delete(remote, ids).await,
            Generation::Directories => self.generations.directories.delete(remote, ids).await,
        }
    }

    async fn commit(&self, remote: &Remote) -> Result<(), BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.generations.pipelines.commit(remote).await,
            Generation::Directories => self.generations.directories.commit(remote).await,
        }
    }

    async fn progress(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => {
                self.generations
                    .pipelines
                    .progress(remote, uploads, deletes)
                    .await
            }
            Generation::Directories => {
                self.generations
                    .directories
                    .progress(remote, uploads, deletes)
                    .await
            }
        }
    }

    async fn search(&self, remote: &Remote, query: &RetrievalQuery) -> Result<Found, BackendError> {
        let Circuit::Open { failures, probe } = self.breaker.state() else {
            let answer = self.generations.ask(&self.breaker, remote, query).await;
            return answer.map(Found::from);
        };
        if probe {
            let (generations, breaker) = (Arc::clone(&self.generations), self.breaker.clone());
            let (remote, query) = (remote.clone(), query.clone());
            tokio::spawn(async move { generations.ask(&breaker, &remote, &query).await });
        }
        Err(BackendError::Unavailable {
            detail: format!(
                "{}: the last {failures} questions were not answered. It is asked again beside the coming ones; asking again now \
                 changes nothing",
                self.http.host()
            ),
        })
    }

    async fn list(
        &self,
        remote: &Remote,
        cursor: Option<&str>,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError> {
        match Self::holder(remote)? {
            Generation::Pipelines => self.generations.pipelines.list(remote, cursor).await,
            Generation::Directories => self.generations.directories.list(remote).await,
        }
    }

    fn health(&self) -> BackendHealth {
        let generation = self.known_generation();
        let generation = generation.map_or("generation not asked for yet", Generation::name);
        BackendHealth {
            requests: self.http.requests(),
            trouble: self.http.trouble(),
            description: format!("LlamaCloud at {}, {generation}", self.http.host()),
            vectors: None,
        }
    }
}
