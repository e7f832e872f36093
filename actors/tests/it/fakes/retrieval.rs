//! A retrieval store in memory: immediate, or one that ingests only some questions after the commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::document::Document;
use domain::index::{BackendKind, Remote};
use domain::moving::Outgrown;
use domain::ports::retrieval::{
    BackendError, BackendHealth, Capabilities, IngestionReport, ItemOutcome, RetrievalBackend,
    StoreSpec, StoredDocument,
};
use domain::query::{Found, Passage, RetrievalQuery};
use domain::{DocumentId, IndexId};

#[derive(Clone, Debug)]
pub enum StoreFault {
    /// None yet: what comes behind it strikes later requests.
    None,
    Unavailable,
    TooLarge,
    NoCredits,
    /// It limits requests, and asks for a wait of so many seconds.
    Limited(u64),
    Panic,
    /// It stores the documents, and then the answer is lost.
    LostAnswer,
}

#[derive(Default)]
pub struct Shelf {
    /// What is stored, by remote object.
    pub documents: BTreeMap<String, BTreeMap<DocumentId, Document>>,
    /// What a question finds.
    pub searchable: BTreeMap<String, BTreeSet<DocumentId>>,
    /// Every document that was taken in, with its hash, in order.
    pub uploads: Vec<(DocumentId, String)>,
    pub deletes: Vec<DocumentId>,
    pub commits: usize,
    pub largest_batch: usize,
    /// Bytes of the documents that are being sent, and the most of them at once.
    pub text_in_flight: usize,
    pub most_text: usize,
    pub refuse: HashMap<String, String>,
    /// Documents that it never answers about: every batch with one of them comes to nothing.
    pub unanswered: HashSet<String>,
    /// Deletions that it refuses.
    pub refuse_delete: HashMap<String, String>,
    /// Documents whose deletion it accepts, and which stay.
    pub never_gone: HashSet<String>,
    /// Documents that the store accepts and then fails to ingest.
    pub fail_ingestion: HashSet<String>,
    /// Documents that it accepts and never ingests.
    pub never_ingest: HashSet<String>,
    pub faults: VecDeque<(usize, StoreFault)>,
    pub objects: BTreeMap<String, u32>,
    pub latency: Duration,
    /// How long the answer takes after an object was made.
    pub made_late: Duration,
    /// Whose each object is; one of another index is not adopted where `marks` says so.
    pub owners: BTreeMap<String, IndexId>,
    pub marks: bool,
    /// Removals of objects that are never answered.
    pub removal_hangs: bool,
    pub too_large_above: Option<usize>,
    /// The kind of object that is made, and whether the settings ask for it by name.
    pub object: Option<&'static str>,
}

#[derive(Clone)]
pub struct FakeRetrieval {
    pub shelf: Arc<Mutex<Shelf>>,
    pub immediate: bool,
    pub batch: usize,
    pub kind: BackendKind,
}

impl FakeRetrieval {
    pub fn immediate() -> Self {
        Self {
            shelf: Arc::default(),
            immediate: true,
            batch: 50,
            kind: BackendKind::Local,
        }
    }

    pub fn slow() -> Self {
        Self {
            immediate: false,
            ..Self::immediate()
        }
    }

    pub fn cloud() -> Self {
        Self {
            kind: BackendKind::LlamaCloud,
            ..Self::slow()
        }
    }

    pub fn with<T>(&self, change: impl FnOnce(&mut Shelf) -> T) -> T {
        change(&mut self.shelf.lock().unwrap())
    }

    /// Everything stored under the one object there is, or nothing.
    pub fn documents(&self) -> BTreeMap<DocumentId, Document> {
        self.with(|shelf| shelf.documents.values().next().cloned().unwrap_or_default())
    }

    pub fn uploads(&self) -> usize {
        self.with(|shelf| shelf.uploads.len())
    }

    /// Documents that were stored more than once with the same content.
    pub fn repeated(&self) -> Vec<(DocumentId, String)> {
        let mut all = self.with(|shelf| shelf.uploads.clone());
        all.sort_unstable();
        let mut seen: Option<(DocumentId, String)> = None;
        all.retain(|upload| seen.replace(upload.clone()).as_ref() == Some(upload));
        all
    }

    pub fn fail(&self, times: usize, fault: StoreFault) {
        self.with(|shelf| shelf.faults.push_back((times, fault)));
    }

    async fn request(&self) -> Result<bool, BackendError> {
        let (latency, fault) = self.with(|shelf| {
            let fault = shelf.faults.front_mut().map(|(left, fault)| {
                *left -= 1;
                fault.clone()
            });
            if shelf.faults.front().is_some_and(|(left, _)| *left == 0) {
                shelf.faults.pop_front();
            }
            (shelf.latency, fault)
        });
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let detail = "a fault of the test".to_owned();
        match fault {
            None | Some(StoreFault::None) => Ok(true),
            Some(StoreFault::LostAnswer) => Ok(false),
            Some(StoreFault::Unavailable) => Err(BackendError::Unavailable { detail }),
            Some(StoreFault::TooLarge) => Err(BackendError::TooLarge { detail }),
            Some(StoreFault::NoCredits) => Err(BackendError::NoCredits { detail }),
            Some(StoreFault::Limited(seconds)) => Err(BackendError::RateLimited {
                retry_after: Duration::from_secs(seconds),
            }),
            Some(StoreFault::Panic) => panic!("a bug in the backend"),
        }
    }
}

#[async_trait]
impl RetrievalBackend for FakeRetrieval {
    fn kind(&self) -> BackendKind {
        self.kind
    }

    fn outgrown(&self, remote: &Remote) -> Option<Outgrown> {
        let wanted = self.with(|shelf| shelf.object)?;
        (remote.kind != wanted).then(|| Outgrown {
            setting: "GENERATION",
            present: remote.kind.clone(),
            wanted: wanted.to_owned(),
        })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_batch_documents: self.batch,
            max_batch_bytes: 1_000_000,
            max_batch_deletes: self.batch,
            immediate: self.immediate,
            filters_labels: false,
            knows_sections: false,
        }
    }

    async fn probe(&self) -> Result<String, BackendError> {
        self.request().await?;
        Ok("a shelf".to_owned())
    }

    async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        self.request().await?;
        let (remote, late) = self.with(|shelf| {
            let name = spec.name();
            let kind = known
                .map(|known| known.kind.clone())
                .unwrap_or_else(|| shelf.object.unwrap_or("local").to_owned());
            // Found by its name as well, like an object that bears our mark.
            let there = |id: &String| shelf.documents.contains_key(id);
            let id = known
                .map(|known| known.id.clone())
                .filter(there)
                .or_else(|| {
                    let prefix = format!("{kind} {name}#");
                    let mut all = shelf.documents.keys();
                    all.find(|id| id.starts_with(&prefix)).cloned()
                });
            let id = id.unwrap_or_else(|| {
                let generation = shelf.objects.entry(name.clone()).or_default();
                *generation += 1;
                format!("{kind} {name}#{generation}")
            });
            shelf.documents.entry(id.clone()).or_default();
            let owner = *shelf.owners.entry(id.clone()).or_insert(spec.index);
            if shelf.marks && owner != spec.index {
                return (Err(BackendError::NotOurs { name }), Duration::ZERO);
            }
            let remote = Remote {
                kind,
                id,
                name,
                extra: None,
            };
            (Ok(remote), shelf.made_late)
        });
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        remote
    }

    async fn remove(&self, _: &StoreSpec, remote: &Remote) -> Result<(), BackendError> {
        if self.with(|shelf| shelf.removal_hangs) {
            std::future::pending::<()>().await;
        }
        self.request().await?;
        self.with(|shelf| shelf.owners.remove(&remote.id));
        self.with(|shelf| shelf.documents.remove(&remote.id));
        Ok(())
    }

    async fn upsert(
        &self,
        remote: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let bytes: usize = documents.iter().map(|document| document.text.len()).sum();
        self.with(|shelf| {
            shelf.text_in_flight += bytes;
            shelf.most_text = shelf.most_text.max(shelf.text_in_flight);
        });
        let answered = self.request().await;
        self.with(|shelf| shelf.text_in_flight -= bytes);
        let answered = answered?;
        let outcomes = self.with(|shelf| {
            let mut ids = documents.iter().map(|document| document.id.as_str());
            if ids.any(|id| shelf.unanswered.contains(id)) {
                let detail = "it answered 500".to_owned();
                return Err(BackendError::Unavailable { detail });
            }
            if shelf
                .too_large_above
                .is_some_and(|most| documents.len() > most)
            {
                return Err(BackendError::TooLarge {
                    detail: "too many".to_owned(),
                });
            }
            shelf.largest_batch = shelf.largest_batch.max(documents.len());
            Ok(documents
                .iter()
                .map(|document| {
                    if let Some(reason) = shelf.refuse.get(document.id.as_str()) {
                        return ItemOutcome::Refused(reason.clone());
                    }
                    shelf
                        .uploads
                        .push((document.id.clone(), document.metadata.hash.clone()));
                    let stored = shelf.documents.entry(remote.id.clone()).or_default();
                    stored.insert(document.id.clone(), document.clone());
                    ItemOutcome::Accepted
                })
                .collect())
        })?;
        if answered {
            Ok(outcomes)
        } else {
            Err(BackendError::Unavailable {
                detail: "the answer was lost".to_owned(),
            })
        }
    }

    async fn delete(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        self.request().await?;
        self.with(|shelf| {
            if ids.iter().any(|id| shelf.unanswered.contains(id.as_str())) {
                let detail = "it answered 500".to_owned();
                return Err(BackendError::Unavailable { detail });
            }
            let one = |id: &DocumentId| {
                let refused = shelf.refuse_delete.get(id.as_str());
                if let Some(reason) = refused.or_else(|| shelf.refuse.get(id.as_str())) {
                    return ItemOutcome::Refused(reason.clone());
                }
                shelf.deletes.push(id.clone());
                if !shelf.never_gone.contains(id.as_str())
                    && let Some(stored) = shelf.documents.get_mut(&remote.id)
                {
                    stored.remove(id);
                }
                ItemOutcome::Accepted
            };
            Ok(ids.iter().map(one).collect())
        })
    }

    async fn commit(&self, remote: &Remote) -> Result<(), BackendError> {
        self.request().await?;
        self.with(|shelf| {
            shelf.commits += 1;
            let stored = shelf.documents.get(&remote.id);
            let ids: BTreeSet<DocumentId> = stored
                .into_iter()
                .flat_map(|documents| documents.keys().cloned())
                .collect();
            shelf.searchable.insert(remote.id.clone(), ids);
        });
        Ok(())
    }

    async fn progress(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError> {
        self.request().await?;
        Ok(self.with(|shelf| {
            let mut report = IngestionReport::default();
            let searchable = shelf.searchable.get(&remote.id);
            for id in uploads {
                if shelf.fail_ingestion.contains(id.as_str()) {
                    report
                        .failed
                        .push((id.clone(), "cannot be parsed".to_owned()));
                } else if searchable.is_some_and(|ids| ids.contains(id))
                    && !shelf.never_ingest.contains(id.as_str())
                {
                    report.searchable.push(id.clone());
                } else {
                    report.working.push(id.clone());
                }
            }
            let stored = shelf.documents.get(&remote.id);
            let (kept, gone): (Vec<_>, Vec<_>) = deletes
                .iter()
                .cloned()
                .partition(|id| stored.is_some_and(|all| all.contains_key(id)));
            report.gone.extend(gone);
            report.working.extend(kept);
            report
        }))
    }

    async fn search(&self, remote: &Remote, query: &RetrievalQuery) -> Result<Found, BackendError> {
        self.request().await?;
        let passages: Vec<Passage> = self.with(|shelf| {
            let stored = shelf.documents.get(&remote.id);
            stored
                .into_iter()
                .flat_map(BTreeMap::values)
                .filter(|document| document.text.contains(&query.text))
                .take(query.top_k as usize)
                .map(|document| Passage {
                    document: document.id.clone(),
                    text: document.text.clone(),
                    score: 1.0,
                    heading_path: Vec::new(),
                    anchor: None,
                })
                .collect()
        });
        Ok(passages.into())
    }

    async fn list(
        &self,
        remote: &Remote,
        _: Option<&str>,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError> {
        self.request().await?;
        Ok(self.with(|shelf| {
            let stored = shelf.documents.get(&remote.id);
            let all = stored
                .into_iter()
                .flat_map(BTreeMap::values)
                .map(|document| StoredDocument {
                    id: document.id.clone(),
                    hash: Some(document.metadata.hash.clone()),
                    index: Some(document.metadata.index),
                })
                .collect();
            (all, None)
        }))
    }

    fn health(&self) -> BackendHealth {
        BackendHealth::default()
    }
}
