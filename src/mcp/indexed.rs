//! The knowledge base of the running service: its store and its engine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::{Backends, Engine, EngineError};
use async_trait::async_trait;
use domain::access::Asker;
use domain::audit::HandedOut;
use domain::page::{Page, Shown};
use domain::ports::store::{AdminStore, KnownSession, Listed, PageFilter, StoreError, StoreResult};
use domain::query::{
    Answer, ChangedPage, Neighbourhood, PageQuery, PageText, QueryTarget, RetrievalQuery,
};
use domain::{IndexId, PageId, SpaceKey, Timestamp};

use super::caller::{Caller, Reader};
use super::knowledge::{FoundPage, KnowledgeBase, Trouble};
use super::streamable::book::Notebook;
use super::text::headings::headings;
use crate::questions::Questions;
use crate::state::AppState;

/// How long the list of indexes may be used again. Pages are looked up anew each time, so nothing hidden gets out by this.
const FRESH: Duration = Duration::from_millis(500);

/// The list of indexes, and when it was read.
type Known = (Instant, Arc<[QueryTarget]>);

/// Over the service's state.
#[derive(Clone)]
pub struct Indexed {
    store: Arc<dyn AdminStore>,
    engine: Engine,
    backends: Backends,
    questions: Arc<Questions>,
    known: Arc<Mutex<Option<Known>>>,
}

impl Indexed {
    /// Over the service's state.
    #[must_use]
    pub fn new(state: &AppState) -> Self {
        Self {
            store: state.store.clone(),
            engine: state.engine.clone(),
            backends: state.backends.clone(),
            questions: state.questions.clone(),
            known: Arc::default(),
        }
    }

    async fn all(&self) -> Result<Arc<[QueryTarget]>, Trouble> {
        let fresh = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .filter(|(at, _)| at.elapsed() < FRESH)
            .map(|(_, all)| all.clone());
        if let Some(all) = fresh {
            return Ok(all);
        }
        let all: Arc<[QueryTarget]> = self.store.query_targets().await.map_err(store)?.into();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), all.clone()));
        Ok(all)
    }
}

/// What an index answers; nothing where it was deleted a moment ago.
fn unless_deleted<T: Default>(answered: Result<T, EngineError>) -> Result<T, Trouble> {
    match answered {
        Ok(answer) => Ok(answer),
        Err(error) if error.is_not_found() => Ok(T::default()),
        Err(error) => Err(engine(error)),
    }
}

fn engine(error: EngineError) -> Trouble {
    match error {
        EngineError::Store(error) => store(error),
        error => {
            tracing::warn!(%error, "the engine did not answer a tool");
            Trouble(error.to_string())
        }
    }
}

fn store(error: StoreError) -> Trouble {
    tracing::warn!(%error, "the store did not answer a tool");
    Trouble(match error {
        StoreError::NotFound { .. } => error.to_string(),
        StoreError::Busy { .. } => "the database is busy".to_owned(),
        _ => "the database cannot be read".to_owned(),
    })
}

#[async_trait]
impl KnowledgeBase for Indexed {
    fn asked_for(self: Arc<Self>, asker: &Asker) -> Arc<dyn KnowledgeBase> {
        Arc::new(Self {
            engine: self.engine.asked_for(asker.clone()),
            ..(*self).clone()
        })
    }

    async fn indexes(&self, reader: &Reader) -> Result<Vec<QueryTarget>, Trouble> {
        let all = self.all().await?;
        let mut readable = Vec::new();
        for index in all.iter().filter(|index| reader.may_read(index.id)) {
            if !index.settings.access.is_per_user() {
                readable.push(index.clone());
                continue;
            }
            match self.engine.look(index.id).await {
                Ok(seen) => readable.push(seen),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(engine(error)),
            }
        }
        Ok(readable)
    }

    async fn languages(&self, index: &QueryTarget) -> Vec<String> {
        if index.settings.access.is_per_user() {
            // They tell of pages that others may read.
            return Vec::new();
        }
        let backend = self.backends.get(&index.settings.backend);
        let (Some(backend), Some(remote)) = (backend, &index.remote) else {
            return Vec::new();
        };
        let languages = backend.languages(remote).await;
        languages
            .inspect_err(|error| tracing::debug!(%error, "the languages of an index are not known"))
            .unwrap_or_default()
    }

    async fn search(&self, index: IndexId, query: RetrievalQuery) -> Result<Answer, Trouble> {
        self.engine
            .search_or_live(index, query)
            .await
            .map_err(engine)
    }

    fn answered(&self, indexes: &[IndexId], question: &str, answer: &Answer) {
        self.questions.note(indexes, question, answer);
    }

    fn handed_out(&self, caller: &Caller, handed_out: &HandedOut) {
        if let Some(actor) = &caller.audited {
            let handed_out = handed_out.clone();
            self.questions.handed_out(actor, &caller.asker, handed_out);
        }
    }

    async fn page(&self, index: IndexId, wanted: &PageQuery) -> Result<Option<FoundPage>, Trouble> {
        let found = unless_deleted(self.engine.read_page(index, wanted.clone()).await)?;
        Ok(found.map(|PageText { page, markdown }| FoundPage {
            page,
            outline: headings(&markdown),
            markdown,
        }))
    }

    async fn around(&self, index: IndexId, page: &PageId) -> Result<Neighbourhood, Trouble> {
        unless_deleted(self.engine.around(index, page.clone()).await)
    }

    async fn similar_titles(
        &self,
        index: IndexId,
        space: Option<&SpaceKey>,
        title: &str,
        limit: usize,
    ) -> Result<Vec<Shown<Page>>, Trouble> {
        // The whole title first, then its longest word.
        let longest = title
            .split(|c: char| !c.is_alphanumeric())
            .max_by_key(|word| word.chars().count())
            .unwrap_or(title);
        for part in [title, longest] {
            if part.chars().count() < 3 {
                continue;
            }
            let filter = PageFilter {
                space: space.cloned(),
                title: Some(part.to_owned()),
                shown: true,
                limit,
                ..PageFilter::default()
            };
            let found = self.engine.list_pages(index, filter).await;
            let found = unless_deleted(found.map(|listed| listed.items))?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn changes(
        &self,
        index: IndexId,
        since: Timestamp,
        space: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<ChangedPage>, Trouble> {
        let changes = self
            .engine
            .recent_changes(index, since, space.cloned(), limit);
        unless_deleted(changes.await)
    }

    async fn pages(
        &self,
        index: IndexId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Shown<Page>>, Trouble> {
        let filter = PageFilter {
            shown: true,
            cursor: cursor.map(str::to_owned),
            limit,
            ..PageFilter::default()
        };
        self.engine.list_pages(index, filter).await.map_err(engine)
    }

    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }
}

/// What a notebook's page says, or the log why not.
fn noted<T>(result: StoreResult<T>) -> Option<T> {
    result
        .inspect_err(
            |error| tracing::warn!(%error, "the MCP sessions in the database were not reached"),
        )
        .ok()
}

#[async_trait]
impl Notebook for Indexed {
    async fn sessions(&self) -> Option<Vec<KnownSession>> {
        noted(self.store.sessions().await)
    }

    async fn keep(&self, session: &KnownSession, opening: &str) -> bool {
        noted(self.store.keep_session(session, opening).await).is_some()
    }

    async fn opening(&self, id: &str) -> Option<String> {
        noted(self.store.session_opening(id).await).flatten()
    }

    async fn used(&self, used: &[(String, Timestamp)]) {
        noted(self.store.sessions_used(used).await);
    }

    async fn forget(&self, ids: &[String]) {
        noted(self.store.forget_sessions(ids).await);
    }
}
