//! Dry runs in between: they look, and change nothing.

use actors::SyncOrder;
use domain::IndexId;
use domain::ports::clock::Clock;
use domain::ports::store::SyncStore;

use crate::bench::Bench;
use crate::luck::Luck;
use crate::untouched::{Untouched, keep_house, newest_runs};

/// Asks for a plan, and compares what is held before and after. `alone`: no other index has a part in it.
pub(super) async fn plan(bench: &Bench, luck: &mut Luck, index: IndexId, alone: bool, seed: u64) {
    let ids = bench.all_ids();
    let now = async || {
        let mut now = Untouched::now(&bench.store, &bench.shelf, index, &ids).await;
        if !alone {
            now.comments.clear();
            now.asked = [0; 3];
        }
        now
    };
    bench.over(index).await;
    keep_house(&bench.store, bench.clock.now()).await;
    let last = newest_runs(&bench.store, index).await;
    let quiet = bench.store.open_run_of(index).await.unwrap().is_none();
    let before = now().await;
    let order = SyncOrder {
        full: luck.pick(&[None, Some(true), Some(false)]).unwrap(),
        dry_run: true,
    };
    let run = bench.engine.sync(index, order).await.unwrap();
    let run = bench.ended(run.id).await;
    let after = now().await;
    // The schedule may have put another before it, or behind it.
    if quiet && run.dry_run && newest_runs(&bench.store, index).await == [run.id, last[0]] {
        assert_eq!(before, after, "seed {seed}: {run:?}");
    }
}
