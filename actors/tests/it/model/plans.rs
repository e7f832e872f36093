//! Dry runs in between: they look, and change nothing.

use std::collections::BTreeMap;

use actors::SyncOrder;
use domain::comments::CachedComment;
use domain::page::PageRecord;
use domain::ports::store::{AdminStore, IndexState, OutboxCounts, RunFilter, SyncStore};
use domain::{DocumentId, IndexId, RunId};

use crate::bench::Bench;
use crate::luck::Luck;
use crate::truth::held_under;

/// What an index and its store hold.
#[derive(PartialEq, Debug)]
struct Held {
    state: IndexState,
    pages: Vec<PageRecord>,
    comments: Vec<CachedComment>,
    outbox: OutboxCounts,
    documents: BTreeMap<DocumentId, String>,
    /// Uploads, deletions and commits that the store has seen.
    asked: [usize; 3],
}

/// Asks for a plan, and compares what is held before and after. `alone`: no other index has a part in it.
pub(super) async fn plan(bench: &Bench, luck: &mut Luck, index: IndexId, alone: bool, seed: u64) {
    bench.over(index).await;
    let last = newest(bench, index).await;
    let before = held(bench, index, alone).await;
    let order = SyncOrder {
        full: luck.pick(&[None, Some(true), Some(false)]).unwrap(),
        dry_run: true,
    };
    let run = bench.engine.sync(index, order).await.unwrap();
    let run = bench.ended(run.id).await;
    let after = held(bench, index, alone).await;
    // The schedule may have put another before it, or behind it.
    if run.dry_run && newest(bench, index).await == [run.id, last[0]] {
        assert_eq!(before, after, "seed {seed}: {run:?}");
    }
}

/// The last runs of an index, the newest first.
async fn newest(bench: &Bench, index: IndexId) -> Vec<RunId> {
    let filter = RunFilter {
        index: Some(index),
        limit: 2,
        ..RunFilter::default()
    };
    let runs = bench.store.runs(&filter).await.unwrap().items;
    runs.iter().map(|run| run.id).collect()
}

async fn held(bench: &Bench, index: IndexId, alone: bool) -> Held {
    let store = &bench.store;
    let ids = bench.all_ids();
    let mut state = store.index_state(index).await.unwrap();
    // When the next one is due follows the clock.
    state.index.next_run_at = None;
    let object = state.index.remote.as_ref().map(|remote| remote.id.clone());
    let documents = object.map(|object| held_under(&bench.shelf, &object));
    let asked = bench
        .shelf
        .with(|shelf| [shelf.uploads.len(), shelf.deletes.len(), shelf.commits]);
    Held {
        state,
        pages: store.pages_by_id(index, &ids).await.unwrap(),
        // Kept once for all indexes.
        comments: match alone {
            true => store.comments_of(&ids).await.unwrap(),
            false => Vec::new(),
        },
        outbox: store.outbox_counts(index).await.unwrap(),
        documents: documents.unwrap_or_default(),
        asked: if alone { asked } else { [0; 3] },
    }
}
