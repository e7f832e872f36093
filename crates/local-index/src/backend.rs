//! The port: async calls onto the blocking store.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::DocumentId;
use domain::document::Document;
use domain::index::{BackendKind, Remote};
use domain::ports::retrieval::{
    BackendError, BackendHealth, Capabilities, IngestionReport, ItemOutcome, RetrievalBackend,
    StoreSpec, StoredDocument, StoredPassage,
};
use domain::query::{Found, RetrievalQuery};

use crate::error::LocalIndexError;
use crate::language::Languages;
use crate::options::{LocalIndexOptions, Place};
use crate::search;
use crate::spelling::Vocabularies;
use crate::store::Store;
use crate::write::{self, Collection};

/// `Remote::kind` of a collection.
const KIND: &str = "local";
/// Documents on one page of `list`.
const LIST_PAGE: i64 = 1000;

/// The embedded index. Cheap to clone; clones share the file's connections.
#[derive(Clone)]
pub struct LocalIndex(Arc<Inner>);

struct Inner {
    store: Store,
    place: Place,
    options: LocalIndexOptions,
    languages: Languages,
    vocabularies: Vocabularies,
    /// One writer at a time; the rest wait here without a thread.
    gate: tokio::sync::Mutex<()>,
    trouble: Mutex<Option<String>>,
}

impl LocalIndex {
    /// Opens or makes the index. Blocks: the first opening after a change of language, or of a file of the first format, reads
    /// all text anew, which takes about as long as storing it did (`docs/benchmarks/search.md`).
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
        Ok(Self(Arc::new(Inner {
            store,
            place,
            options,
            languages,
            vocabularies: Vocabularies::default(),
            gate: tokio::sync::Mutex::new(()),
            trouble: Mutex::new(None),
        })))
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
        *self
            .0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = trouble;
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
            write::ensure(
                &mut *inner.store.writer()?,
                &spec,
                known.as_deref(),
                &inner.languages,
            )
            .map(|found| remote(&found))
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
        self.writing(move |inner| {
            write::upsert(
                &mut *inner.store.writer()?,
                &id,
                &documents,
                &inner.languages,
            )
        })
        .await
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
        let (id, query) = (remote.id.clone(), query.clone());
        self.blocking(move |inner| {
            let mut connection = inner.store.reader()?;
            search::search(&mut connection, &inner.vocabularies, &id, &query)
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
        let trouble = self
            .0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        BackendHealth {
            requests: 0,
            trouble,
            description,
        }
    }
}
