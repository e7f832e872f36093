//! The knowledge base of the running service: its store and its engine.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::{Engine, EngineError, page_texts};
use async_trait::async_trait;
use domain::content::ContentKind;
use domain::index::Index;
use domain::page::{Page, PageRecord, PageState, PlacedPage, Shown};
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
/// Indexes that one look reads.
const INDEXES: usize = 200;
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
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let list = self.store.indexes(cursor.as_deref(), INDEXES).await;
            let list = list.map_err(store)?;
            all.extend(list.items);
            cursor = list.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        let all: Arc<[Index]> = all.into();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), all.clone()));
        Ok(all)
    }

    /// The row of a page that may be shown.
    async fn placed(&self, index: &Index, id: &PageId) -> Result<Option<PlacedPage>, Trouble> {
        let ids = std::slice::from_ref(id);
        let records = self.store.pages_by_id(index.id, ids).await.map_err(store)?;
        let Some(record) = records.into_iter().find(PageRecord::may_be_shown) else {
            return Ok(None);
        };
        let checked = self.verified(index, [(record.kind, id.clone())]).await?;
        Ok(checked.contains(id).then(|| PlacedPage {
            space_key: space_key(index, &record),
            record,
        }))
    }

    /// Those of these pages that may leave, checked at the source as far as the operator asks for it.
    async fn verified(
        &self,
        index: &Index,
        pages: impl IntoIterator<Item = (ContentKind, PageId)>,
    ) -> Result<HashSet<PageId>, Trouble> {
        let pages = pages.into_iter().collect();
        match self.engine.verify(index.id, pages).await {
            Ok(checked) => Ok(checked),
            // The index was deleted a moment ago.
            Err(EngineError::NotFound { .. }) => Ok(HashSet::new()),
            Err(error) => Err(engine(error)),
        }
    }

    /// The pages that may leave, in their order.
    async fn checked(
        &self,
        index: &Index,
        mut pages: Vec<Shown<Page>>,
    ) -> Result<Vec<Shown<Page>>, Trouble> {
        let named = pages.iter().map(|page| (page.kind, page.id.clone()));
        let checked = self.verified(index, named).await?;
        pages.retain(|page| checked.contains(&page.id));
        Ok(pages)
    }

    /// Which of the changed pages a reader may hear of.
    async fn noticeable(
        &self,
        index: &Index,
        pages: Vec<PlacedPage>,
    ) -> Result<Vec<ChangedPage>, Trouble> {
        let restricted = index.settings.restricted_pages;
        let mut changes: Vec<ChangedPage> = pages
            .iter()
            .filter_map(|placed| {
                Some(ChangedPage {
                    page: placed.shown_as_changed(restricted)?,
                    changed_at: placed.record.changed_at,
                })
            })
            .collect();
        let there = changes
            .iter()
            .filter(|change| change.page.state != PageState::Removed)
            .map(|change| (change.page.kind, change.page.id.clone()));
        let there = self.verified(index, there.collect::<Vec<_>>()).await?;
        changes.retain(|change| {
            change.page.state == PageState::Removed || there.contains(&change.page.id)
        });
        Ok(changes)
    }

    async fn listed(
        &self,
        index: &Index,
        filter: &PageFilter,
    ) -> Result<Vec<Shown<Page>>, Trouble> {
        match self.store.pages(index.id, filter).await {
            Ok(list) => Ok(list.items.iter().filter_map(PlacedPage::shown).collect()),
            // Deleted a moment ago.
            Err(StoreError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(store(error)),
        }
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

/// States in which a page may have a change to tell; `pending` and `failed` are also those whose newer text is on its way.
const CHANGED: [PageState; 5] = [
    PageState::Searchable,
    PageState::Uploaded,
    PageState::Pending,
    PageState::Failed,
    PageState::Removed,
];
/// Rows that one look for changes reads at least, and how many looks one question takes at most.
const LOOK: usize = 100;
const MAX_LOOKS: usize = 20;

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
        .map(|space| space.present_key().clone())
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
            .map_err(engine)
    }

    async fn page(&self, index: &Index, id: &PageId) -> Result<Option<FoundPage>, Trouble> {
        let Some(mut placed) = self.placed(index, id).await? else {
            return Ok(None);
        };
        let texts = page_texts(self.store.as_ref(), index.id, &[&placed.record])
            .await
            .map_err(store)?;
        let Some(text) = texts.into_values().next() else {
            return Ok(None);
        };
        // The text and the version that is told belong together, also while a newer one is on its way.
        placed.record.facts.version = text.version;
        Ok(placed.shown().map(|page| FoundPage {
            page,
            outline: headings(&text.markdown),
            markdown: text.markdown,
        }))
    }

    async fn page_by_title(
        &self,
        index: &Index,
        space: &SpaceKey,
        title: &str,
    ) -> Result<Option<PageId>, Trouble> {
        match self.store.page_by_title(index.id, space, title).await {
            Ok(found) => Ok(found
                .and_then(|placed| placed.shown())
                .map(|page| page.id.clone())),
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
            let found = self.listed(index, &filter).await?;
            let found = self.checked(index, found).await?;
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
        let mut filter = PageFilter {
            states: CHANGED.to_vec(),
            space: space.cloned(),
            changed_after: Some(since),
            limit: limit.max(LOOK),
            ..PageFilter::default()
        };
        let mut changes = Vec::new();
        // While a first sync goes on, most of what is newest is not in the index yet.
        for _ in 0..MAX_LOOKS {
            let list = match self.store.pages(index.id, &filter).await {
                Ok(list) => list,
                // Deleted a moment ago.
                Err(StoreError::NotFound { .. }) => break,
                Err(error) => return Err(store(error)),
            };
            changes.extend(self.noticeable(index, list.items).await?);
            filter.cursor = list.next_cursor;
            if changes.len() >= limit || filter.cursor.is_none() {
                break;
            }
        }
        changes.truncate(limit);
        Ok(changes)
    }

    async fn pages(
        &self,
        index: &Index,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<PageList, Trouble> {
        let filter = PageFilter {
            shown: true,
            cursor: cursor.map(str::to_owned),
            limit,
            ..PageFilter::default()
        };
        let list = self.store.pages(index.id, &filter).await.map_err(store)?;
        let shown = list.items.iter().filter_map(PlacedPage::shown).collect();
        Ok(PageList {
            pages: self.checked(index, shown).await?,
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
