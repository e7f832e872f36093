//! The port: async calls onto the blocking store.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use diesel::sqlite::SqliteConnection;
use domain::DocumentId;
use domain::document::Document;
use domain::index::{BackendKind, Remote};
use domain::moving::Outgrown;
use domain::ports::clock::{Clock, SystemClock};
use domain::ports::embedding::Embedder;
use domain::ports::retrieval::{
    BackendError, BackendHealth, Background, Capabilities, IngestionReport, ItemOutcome,
    RetrievalBackend, StoreSpec, StoredDocument, StoredPassage, VectorsHealth,
};
use domain::query::{Found, Meaning, RetrievalQuery};
use tokio::sync::Notify;

use crate::chunking;
use crate::error::LocalIndexError;
use crate::filling;
use crate::freshness::Decay;
use crate::language::Languages;
use crate::options::{LocalIndexOptions, Place};
use crate::quantised::Quantised;
use crate::schema;
use crate::search::{self, Meant};
use crate::spelling::Vocabularies;
use crate::store::Store;
use crate::vectors::{self, Model};
use crate::write::{self, Collection};

/// `Remote::kind` of a collection.
const KIND: &str = "local";
/// Documents on one page of `list`.
const LIST_PAGE: i64 = 1000;
/// Questions whose vectors are remembered: one question is often asked of several indexes, or anew for more passages.
const QUESTIONS: usize = 128;

/// The embedded index. Cheap to clone; clones share the file's connections.
#[derive(Clone)]
pub struct LocalIndex(Arc<Inner>);

struct Inner {
    store: Store,
    place: Place,
    options: LocalIndexOptions,
    languages: Languages,
    /// The languages of collections that have others than the settings ask for.
    otherwise: Mutex<HashMap<i64, Languages>>,
    vocabularies: Vocabularies,
    /// One writer at a time; the rest wait here without a thread.
    gate: tokio::sync::Mutex<()>,
    trouble: Mutex<Option<String>>,
    embedder: OnceLock<Arc<dyn Embedder>>,
    /// Told whenever there may be passages without a vector.
    changed: Notify,
    progress: Mutex<VectorsHealth>,
    unanswered: AtomicU64,
    questions: Mutex<VecDeque<(String, i64, Quantised)>>,
}

impl LocalIndex {
    /// Opens or makes the index. Blocks: the first opening of a file of the first format reads all text anew, which takes about as
    /// long as storing it did (`docs/benchmarks/search.md`).
    ///
    /// # Errors
    /// When the file cannot be made, opened or read, or is of a newer release.
    pub fn open(
        place: impl Into<Place>,
        options: LocalIndexOptions,
    ) -> Result<Self, LocalIndexError> {
        let place = place.into();
        let languages = Languages::of(&options.language);
        let store = Store::open(&place, &options, &languages)?;
        Self::over(store, place, options, languages)
    }

    /// Opens an index that is there for somebody who only looks: nothing is made or changed, and whatever would write fails.
    ///
    /// # Errors
    /// [`LocalIndexError::Missing`] without such a file, [`LocalIndexError::Older`] and [`LocalIndexError::Newer`] for one of another
    /// format; when it cannot be read.
    pub fn open_existing(path: &Path, options: LocalIndexOptions) -> Result<Self, LocalIndexError> {
        let languages = Languages::of(&options.language);
        let store = Store::open_existing(path, &options)?;
        Self::over(store, path.into(), options, languages)
    }

    fn over(
        store: Store,
        place: Place,
        options: LocalIndexOptions,
        languages: Languages,
    ) -> Result<Self, LocalIndexError> {
        let otherwise = schema::read_otherwise(&mut *store.reader()?, &languages)?;
        Ok(Self(Arc::new(Inner {
            store,
            place,
            options,
            languages,
            otherwise: Mutex::new(otherwise),
            vocabularies: Vocabularies::default(),
            gate: tokio::sync::Mutex::new(()),
            trouble: Mutex::new(None),
            embedder: OnceLock::new(),
            changed: Notify::new(),
            progress: Mutex::default(),
            unanswered: AtomicU64::new(0),
            questions: Mutex::default(),
        })))
    }

    /// Looks for meaning too, by the vectors of this embedder; the first one counts. They are made by
    /// [`background`](RetrievalBackend::background), which whoever owns the file has to run.
    #[must_use]
    pub fn with_embedder(self, embedder: Arc<dyn Embedder>) -> Self {
        _ = self.0.embedder.set(embedder);
        self
    }

    /// Waits until there may be passages without a vector.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    pub(crate) fn note_progress(&self, (embedded, waiting, refused): (i64, i64, i64)) {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        *lock(&self.0.progress) = VectorsHealth {
            embedded: count(embedded),
            waiting: count(waiting),
            refused: count(refused),
            ..VectorsHealth::default()
        };
    }

    /// What is known of a question's meaning, within the embedder's deadline.
    async fn meant(&self, remote_id: &str, text: &str) -> Result<Meant, BackendError> {
        let Some(embedder) = self.0.embedder.get().cloned() else {
            return Ok(Meant::default());
        };
        let (id, recipe) = (remote_id.to_owned(), embedder.recipe().clone());
        let serving = self
            .read(move |connection| {
                let collection = write::collection(connection, &id)?.id;
                Ok(vectors::serving(connection, collection, &recipe)?)
            })
            .await?;
        let Some(model) = serving else {
            return Ok(Meant {
                meaning: Some(Meaning::Filling),
                ..Meant::default()
            });
        };
        let weights = self.0.options.meaning;
        Ok(
            match self.vector_of(embedder.as_ref(), text, &model).await {
                Some(vector) => Meant {
                    meaning: Some(Meaning::Used),
                    vector: Some((model, vector)),
                    weights,
                },
                None => Meant {
                    meaning: Some(Meaning::Unavailable),
                    ..Meant::default()
                },
            },
        )
    }

    async fn vector_of(
        &self,
        embedder: &dyn Embedder,
        text: &str,
        model: &Model,
    ) -> Option<Quantised> {
        let is_it = |known: &&(String, i64, Quantised)| known.0 == text && known.1 == model.id;
        if let Some(known) = lock(&self.0.questions).iter().find(is_it) {
            return Some(known.2.clone());
        }
        let detail = match embedder.question(text, &model.recipe).await {
            Ok(vector) if vector.len() == model.dimensions => {
                let vector = Quantised::of(&vector);
                let mut questions = lock(&self.0.questions);
                questions.truncate(QUESTIONS - 1);
                questions.push_front((text.to_owned(), model.id, vector.clone()));
                return Some(vector);
            }
            Ok(vector) => format!(
                "{} gives {} dimensions, and gave {} for the passages",
                model.recipe.model,
                vector.len(),
                model.dimensions
            ),
            Err(error) => error.to_string(),
        };
        self.0.unanswered.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(detail, "a question is answered by words alone");
        None
    }

    /// Reads on a thread where that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, LocalIndexError> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.blocking(move |inner| work(&mut *inner.store.reader()?))
            .await
    }

    /// Writes in its turn, on a thread where that may block.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, LocalIndexError> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.writing(move |inner| work(&mut *inner.store.writer()?))
            .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, LocalIndexError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let inner = Arc::clone(&self.0);
        let result = tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| BackendError::Unavailable {
                detail: format!("the embedded index stopped in the middle: {error}"),
            })?;
        let trouble = match &result {
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        *lock(&self.0.trouble) = trouble;
        result.map_err(BackendError::from)
    }

    async fn writing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, LocalIndexError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let _turn = self.0.gate.lock().await;
        self.blocking(work).await
    }
}

impl Inner {
    /// The languages of a collection, where it has others than the settings ask for.
    fn otherwise(&self, remote_id: &str) -> Option<Languages> {
        lock(&self.otherwise).get(&remote_id.parse().ok()?).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remote(collection: &Collection) -> Remote {
    Remote {
        kind: KIND.to_owned(),
        id: collection.id.to_string(),
        name: collection.name.clone(),
        extra: None,
    }
}

#[async_trait]
impl RetrievalBackend for LocalIndex {
    fn kind(&self) -> BackendKind {
        BackendKind::Local
    }

    fn outgrown(&self, remote: &Remote) -> Option<Outgrown> {
        let present = self
            .0
            .otherwise(&remote.id)
            .filter(|_| remote.kind == KIND)?;
        Some(Outgrown {
            setting: "SEARCH_LANGUAGE",
            present: present.signature,
            wanted: self.0.languages.signature.clone(),
        })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_batch_documents: 200,
            max_batch_bytes: 4 << 20,
            max_batch_deletes: 1000,
            immediate: true,
            filters_labels: true,
            knows_sections: true,
        }
    }

    fn embedder(&self) -> Option<Arc<dyn Embedder>> {
        self.0.embedder.get().cloned()
    }

    async fn passages_to_embed(&self, documents: &[Document]) -> Result<u64, BackendError> {
        let Some(embedder) = self.embedder() else {
            return Ok(0);
        };
        let documents = documents.to_vec();
        self.read(move |connection| {
            let mut hashes = HashSet::new();
            for document in &documents {
                let title = &document.metadata.title;
                hashes.extend(chunking::pieces(document).iter().map(|piece| {
                    vectors::hash_of(&chunking::meant(title, &piece.headings, &piece.text))
                }));
            }
            let unknown = vectors::count_unknown(connection, embedder.recipe(), &hashes)?;
            Ok(u64::try_from(unknown).unwrap_or(u64::MAX))
        })
        .await
    }

    async fn languages(&self, remote: &Remote) -> Result<Vec<String>, BackendError> {
        let id = remote.id.clone();
        self.read(move |connection| search::languages(connection, &id))
            .await
    }

    fn background(&self) -> Option<Background> {
        let embedder = self.embedder()?;
        Some(Box::pin(filling::fill(self.clone(), embedder)))
    }

    async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        let spec = spec.clone();
        let known = known
            .filter(|remote| remote.kind == KIND)
            .map(|remote| remote.id.clone());
        self.writing(move |inner| {
            let (connection, languages) = (&mut *inner.store.writer()?, &inner.languages);
            let found = write::ensure(connection, &spec, known.as_deref(), languages)?;
            let otherwise = || lock(&inner.otherwise);
            if known.is_none() && otherwise().contains_key(&found.id) {
                schema::read_anew(connection, found.id, languages)?;
                otherwise().remove(&found.id);
            }
            Ok(remote(&found))
        })
        .await
    }

    async fn remove(&self, spec: &StoreSpec, remote: &Remote) -> Result<(), BackendError> {
        let (spec, id) = (spec.clone(), remote.id.clone());
        self.writing(move |inner| write::remove(&mut *inner.store.writer()?, &spec, &id))
            .await
    }

    async fn upsert(
        &self,
        remote: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let (id, documents) = (remote.id.clone(), documents.to_vec());
        let outcomes = self
            .writing(move |inner| {
                let otherwise = inner.otherwise(&id);
                let languages = otherwise.as_ref().unwrap_or(&inner.languages);
                write::upsert(&mut *inner.store.writer()?, &id, &documents, languages)
            })
            .await;
        self.0.changed.notify_one();
        outcomes
    }

    async fn delete(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let (id, ids) = (remote.id.clone(), ids.to_vec());
        self.writing(move |inner| {
            write::delete(&mut *inner.store.writer()?, &id, &ids)?;
            Ok(vec![ItemOutcome::Accepted; ids.len()])
        })
        .await
    }

    /// Everything is searchable already; this is the moment to tidy the file up.
    async fn commit(&self, remote: &Remote) -> Result<(), BackendError> {
        let id = remote.id.clone();
        self.writing(move |inner| write::tidy(&mut *inner.store.writer()?, &id))
            .await
    }

    async fn progress(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError> {
        let (id, uploads, deletes) = (remote.id.clone(), uploads.to_vec(), deletes.to_vec());
        self.blocking(move |inner| {
            let mut connection = inner.store.reader()?;
            let mut report = IngestionReport::default();
            let there = write::present(&mut connection, &id, &uploads)?;
            for upload in uploads {
                if there.contains(upload.as_str()) {
                    report.searchable.push(upload);
                } else {
                    report
                        .failed
                        .push((upload, "it is not in the embedded index".to_owned()));
                }
            }
            let there = write::present(&mut connection, &id, &deletes)?;
            let (still, gone) = deletes
                .into_iter()
                .partition(|id| there.contains(id.as_str()));
            report.gone = gone;
            report.working = still;
            Ok(report)
        })
        .await
    }

    async fn search(&self, remote: &Remote, query: &RetrievalQuery) -> Result<Found, BackendError> {
        let meant = self.meant(&remote.id, &query.text).await?;
        let (id, query) = (remote.id.clone(), query.clone());
        self.blocking(move |inner| {
            let mut connection = inner.store.reader()?;
            let decay = inner.options.decay_years.map(|years| Decay {
                now: SystemClock.now().timestamp(),
                years,
            });
            search::search(
                &mut connection,
                &inner.vocabularies,
                &id,
                &query,
                (&meant, decay),
            )
        })
        .await
    }

    async fn passages(
        &self,
        remote: &Remote,
        document: &DocumentId,
    ) -> Result<Option<Vec<StoredPassage>>, BackendError> {
        let (id, document) = (remote.id.clone(), document.clone());
        self.blocking(move |inner| {
            write::passages(&mut *inner.store.reader()?, &id, &document).map(Some)
        })
        .await
    }

    async fn list(
        &self,
        remote: &Remote,
        cursor: Option<&str>,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError> {
        let (id, cursor) = (remote.id.clone(), cursor.map(str::to_owned));
        self.blocking(move |inner| {
            let page = write::list(
                &mut *inner.store.reader()?,
                &id,
                cursor.as_deref(),
                LIST_PAGE,
            )?;
            let full = page.len() as i64 == LIST_PAGE;
            let next = page
                .last()
                .filter(|_| full)
                .map(|last| last.id.as_str().to_owned());
            Ok((page, next))
        })
        .await
    }

    fn health(&self) -> BackendHealth {
        let language = &self.0.options.language;
        let description = match &self.0.place {
            Place::Memory => format!("embedded index in memory, language {language}"),
            Place::File(path) => {
                let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
                format!(
                    "embedded index {} ({} KB), language {language}",
                    path.display(),
                    bytes / 1024
                )
            }
        };
        let vectors = self.0.embedder.get().map(|embedder| VectorsHealth {
            requests: embedder.health().requests,
            unanswered: self.0.unanswered.load(Ordering::Relaxed),
            ..*lock(&self.0.progress)
        });
        BackendHealth {
            requests: 0,
            trouble: lock(&self.0.trouble).clone(),
            description,
            vectors,
        }
    }
}
