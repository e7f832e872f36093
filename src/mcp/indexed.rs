//! The knowledge base of the running service: its store and its engine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::{Engine, EngineError};
use async_trait::async_trait;
use domain::index::Index;
use domain::page::{Page, PageRecord, PageState};
use domain::ports::store::{AdminStore, PageFilter, StoreError};
use domain::query::{Answer, RetrievalQuery};
use domain::{IndexId, PageId, SpaceKey, Timestamp};

use super::caller::Reader;
use super::knowledge::{ChangedPage, FoundPage, KnowledgeBase, PageList, Trouble};
use super::streamable::book::Notebook;
use super::text::headings::headings;
use crate::state::AppState;

/// How long the list of indexes may be used again. Pages are looked up anew each time, so nothing hidden gets out by this.
const FRESH: Duration = Duration::from_millis(500);
/// Indexes that one list holds at most.
const MAX_INDEXES: usize = 1_000;
/// Under which key the sessions are remembered.
const SESSIONS: &str = "mcp_sessions";

/// Over the service's state.
pub struct Indexed {
    store: Arc<dyn AdminStore>,
    engine: Engine,
    known: Mutex<Option<(Instant, Arc<[Index]>)>>,
}

impl Indexed {
    /// Over the service's state.
    #[must_use]
    pub fn new(state: &AppState) -> Self {
        Self {
            store: state.store.clone(),
            engine: state.engine.clone(),
            known: Mutex::new(None),
        }
    }

    async fn all(&self) -> Result<Arc<[Index]>, Trouble> {
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
        let all: Arc<[Index]> = self
            .store
            .indexes(None, MAX_INDEXES)
            .await
            .map_err(store)?
            .items
            .into();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), all.clone()));
        Ok(all)
    }

    async fn record(&self, index: &Index, id: &PageId) -> Result<Option<PageRecord>, Trouble> {
        let ids = std::slice::from_ref(id);
        let records = self.store.pages_by_id(index.id, ids).await.map_err(store)?;
        Ok(records.into_iter().find(PageRecord::may_be_shown))
    }

    async fn listed(&self, index: &Index, filter: &PageFilter) -> Result<Vec<Page>, Trouble> {
        match self.store.pages(index.id, filter).await {
            Ok(list) => Ok(list.items),
            // Deleted a moment ago.
            Err(StoreError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(store(error)),
        }
    }
}

/// States in which an answer may quote a page, as far as a state alone can say it.
const SHOWN: [PageState; 2] = [PageState::Searchable, PageState::Uploaded];

fn store(error: StoreError) -> Trouble {
    tracing::warn!(%error, "the store did not answer a tool");
    Trouble(match error {
        StoreError::Busy { .. } => "the database is busy".to_owned(),
        _ => "the database cannot be read".to_owned(),
    })
}

/// The present key of a page's space.
fn space_key(index: &Index, record: &PageRecord) -> SpaceKey {
    index
        .spaces
        .iter()
        .find(|space| space.id.as_ref() == Some(&record.facts.space_id))
        .map(|space| {
            space
                .current_key
                .clone()
                .unwrap_or_else(|| space.key.clone())
        })
        .unwrap_or_else(|| SpaceKey::new("?"))
}

#[async_trait]
impl KnowledgeBase for Indexed {
    async fn indexes(&self, reader: Reader) -> Result<Vec<Index>, Trouble> {
        let all = self.all().await?;
        Ok(match reader {
            Reader::Everything => all.to_vec(),
            Reader::Index(own) => all.iter().filter(|i| i.id == own).cloned().collect(),
        })
    }

    async fn search(&self, index: IndexId, query: RetrievalQuery) -> Result<Answer, Trouble> {
        self.engine
            .search_or_live(index, query)
            .await
            .map_err(|error| match error {
                EngineError::Store(error) => store(error),
                error => {
                    tracing::warn!(%error, "the engine did not answer a tool");
                    Trouble(error.to_string())
                }
            })
    }

    async fn page(&self, index: &Index, id: &PageId) -> Result<Option<FoundPage>, Trouble> {
        let Some(record) = self.record(index, id).await? else {
            return Ok(None);
        };
        let bodies = self
            .store
            .bodies(std::slice::from_ref(id))
            .await
            .map_err(store)?;
        let Some(body) = bodies.into_iter().next() else {
            return Ok(None);
        };
        let mut page = record.to_page(space_key(index, &record));
        // The text and the version that is told belong together, also while a newer one is on its way.
        page.version = body.version;
        Ok(Some(FoundPage {
            page,
            outline: headings(&body.markdown),
            markdown: body.markdown,
        }))
    }

    async fn page_by_title(
        &self,
        index: &Index,
        space: &SpaceKey,
        title: &str,
    ) -> Result<Option<PageId>, Trouble> {
        match self.store.page_by_title(index.id, space, title).await {
            Ok(found) => Ok(found.map(|page| page.id)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(store(error)),
        }
    }

    async fn similar_titles(
        &self,
        index: &Index,
        space: Option<&SpaceKey>,
        title: &str,
        limit: usize,
    ) -> Result<Vec<Page>, Trouble> {
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
                states: SHOWN.to_vec(),
                space: space.cloned(),
                title: Some(part.to_owned()),
                limit,
                ..PageFilter::default()
            };
            let found = self.listed(index, &filter).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn changes(
        &self,
        index: &Index,
        since: Timestamp,
        space: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<ChangedPage>, Trouble> {
        let filter = PageFilter {
            states: [SHOWN.as_slice(), &[PageState::Removed]].concat(),
            space: space.cloned(),
            changed_after: Some(since),
            limit,
            ..PageFilter::default()
        };
        let pages = self.listed(index, &filter).await?;
        let ids: Vec<PageId> = pages.iter().map(|page| page.id.clone()).collect();
        let records = self
            .store
            .pages_by_id(index.id, &ids)
            .await
            .map_err(store)?;
        Ok(pages
            .into_iter()
            .filter_map(|page| {
                let record = records.iter().find(|r| r.page_id == page.id)?;
                let removed = record.state == PageState::Removed;
                (removed || record.may_be_shown()).then_some(ChangedPage {
                    changed_at: record.changed_at,
                    page,
                })
            })
            // A first sync writes every row; what its author last touched before is no change to a reader.
            .filter(|change| {
                change.page.state == PageState::Removed || change.page.last_modified > since
            })
            .collect())
    }

    async fn pages(
        &self,
        index: &Index,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<PageList, Trouble> {
        let filter = PageFilter {
            states: SHOWN.to_vec(),
            cursor: cursor.map(str::to_owned),
            limit,
            ..PageFilter::default()
        };
        let list = self.store.pages(index.id, &filter).await.map_err(store)?;
        Ok(PageList {
            pages: list.items,
            next: list.next_cursor,
        })
    }

    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }
}

#[async_trait]
impl Notebook for Indexed {
    async fn read(&self) -> Option<String> {
        self.store.remembered(SESSIONS).await.ok().flatten()
    }

    async fn write(&self, text: String) {
        if let Err(error) = self.store.remember(SESSIONS, &text).await {
            tracing::warn!(%error, "MCP sessions could not be remembered");
        }
    }
}
