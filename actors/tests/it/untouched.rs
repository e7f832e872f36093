//! Everything that a dry run must leave as it is.

use std::collections::BTreeMap;

use actors::EngineSettings;
use chrono::TimeDelta;
use domain::comments::CachedComment;
use domain::page::PageRecord;
use domain::ports::store::{AdminStore, IndexState, OpenCounts, QueryStore, RunFilter, SyncStore};
use domain::{DocumentId, IndexId, PageId, RunId, Timestamp};
use metastore::Metastore;

use crate::fakes::FakeRetrieval;
use crate::truth::held_under;

/// What an index and its store hold.
#[derive(PartialEq, Debug)]
pub struct Untouched {
    state: IndexState,
    pages: Vec<PageRecord>,
    /// Kept once for all indexes.
    pub comments: Vec<CachedComment>,
    open: OpenCounts,
    documents: BTreeMap<DocumentId, String>,
    /// Uploads, deletions and commits that the store has seen, of all indexes.
    pub asked: [usize; 3],
}

impl Untouched {
    /// As it is now, with the rows of these ids.
    pub async fn now(
        store: &Metastore,
        shelf: &FakeRetrieval,
        index: IndexId,
        ids: &[PageId],
    ) -> Self {
        let mut state = store.index_state(index).await.unwrap();
        // When the next run is due follows the clock.
        state.index.next_run_at = None;
        let serving = state.serving;
        let object = state.index.remote.as_ref().map(|remote| remote.id.clone());
        let documents = object.map(|object| held_under(shelf, &object));
        Self {
            state,
            pages: store.pages_by_id(index, ids).await.unwrap(),
            comments: store.comments_of(ids).await.unwrap(),
            open: store.open_holdings(serving).await.unwrap(),
            documents: documents.unwrap_or_default(),
            asked: shelf.with(|shelf| [shelf.uploads.len(), shelf.deletes.len(), shelf.commits]),
        }
    }
}

/// What the engine does by itself, at any moment, where the clock was set: so that a dry run finds nothing of it to do.
pub async fn keep_house(store: &Metastore, now: Timestamp) {
    let retention = TimeDelta::from_std(EngineSettings::default().retention).unwrap();
    store.reset_future_dates(now).await.unwrap();
    store.prune(now - retention).await.unwrap();
}

/// The last two runs of an index, the newest first.
pub async fn newest_runs(store: &Metastore, index: IndexId) -> Vec<RunId> {
    let filter = RunFilter {
        indexes: Some(vec![index]),
        limit: 2,
        ..RunFilter::default()
    };
    let runs = store.runs(&filter).await.unwrap().items;
    runs.iter().map(|run| run.id).collect()
}
