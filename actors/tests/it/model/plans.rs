//! Dry runs: in between they look, and change nothing; and what one says is what the run after it does (§7.9).

use std::collections::BTreeMap;
use std::time::Duration;

use actors::{EngineSettings, SyncOrder};
use domain::document::Document;
use domain::index::IndexSettings;
use domain::ports::clock::Clock;
use domain::ports::store::{AdminStore, NewIndex, SyncStore};
use domain::run::{Run, RunStatus};
use domain::{DocumentId, IndexId};
use simulators::confluence::COVERED;

use super::{begin, disturb, wanted, wish};
use crate::bench::{self, Bench};
use crate::fakes::FakeRetrieval;
use crate::luck::{Luck, each_seed};
use crate::untouched::{Untouched, keep_house, newest_runs};

#[test]
fn a_plan_is_what_the_run_after_it_does() {
    each_seed("PLAN", 30, 2, |seed| {
        bench::run(move || plans_and_runs(seed));
    });
}

/// Nothing goes wrong here, and nothing runs by itself: what happens between a plan and its run is nothing.
async fn plans_and_runs(seed: u64) {
    let mut luck = Luck::of(seed);
    let shelf = if luck.once_in(2) {
        FakeRetrieval::immediate()
    } else {
        FakeRetrieval::slow()
    };
    let settings = EngineSettings {
        scheduled: false,
        check_interval: Duration::from_secs(365 * 24 * 3600),
        ..EngineSettings::default()
    };
    let bench = Bench::with(shelf, settings).await;
    let mut life = begin(&bench, seed);
    let wish = wish(&bench, &mut life, &mut luck);
    let index = IndexSettings {
        // Switched off, so that nothing but what is ordered here looks at it.
        enabled: false,
        ..wanted(&wish, &bench.index_settings("agent", &COVERED))
    };
    let spaces = bench.spaces_of(&index);
    let index = NewIndex {
        settings: index,
        spaces,
    };
    let index = bench.store.create_index(&index).await.unwrap().id;
    let mut indexes = [(index, wish)];
    for _ in 0..2 + luck.next(5) {
        let full = luck.pick(&[None, None, Some(true), Some(false)]).unwrap();
        let ordered = async |dry_run| {
            let order = SyncOrder { full, dry_run };
            let run = bench.engine.sync(index, order).await.unwrap();
            bench.ended(run.id).await
        };
        let planned = ordered(true).await;
        let before = bench.shelf.documents();
        let done = ordered(false).await;
        let changes = changes_between(&before, &bench.shelf.documents());
        assert_plan_is_true(&planned, &done, changes, &format!("seed {seed}"));
        if done.status == RunStatus::NeedsConfirmation {
            let accepted = luck.once_in(2);
            bench.store.answer_guard(done.id, accepted).await.unwrap();
        }
        for _ in 0..luck.next(12) {
            disturb(&bench, &mut life, &mut luck, &mut indexes).await;
        }
        bench.wait(luck.next(7200) as u64).await;
    }
}

/// Documents that were added, replaced, removed.
fn changes_between(
    before: &BTreeMap<DocumentId, Document>,
    after: &BTreeMap<DocumentId, Document>,
) -> [i64; 3] {
    let count = |of: &BTreeMap<DocumentId, Document>, is: &dyn Fn(&DocumentId) -> bool| {
        i64::try_from(of.keys().filter(|id| is(id)).count()).unwrap()
    };
    let replaced = |id: &DocumentId| {
        let hash = |of: &BTreeMap<DocumentId, Document>| Some(of.get(id)?.metadata.hash.clone());
        hash(before).is_some_and(|old| hash(after) != Some(old))
    };
    [
        count(after, &|id| !before.contains_key(id)),
        count(after, &|id| replaced(id)),
        count(before, &|id| !after.contains_key(id)),
    ]
}

fn assert_plan_is_true(planned: &Run, done: &Run, changes: [i64; 3], what: &str) {
    let plan = planned
        .plan
        .as_ref()
        .unwrap_or_else(|| panic!("{what}: {planned:?}"));
    let what = format!("{what}: {planned:#?} and {done:#?}");
    let asks = done.status == RunStatus::NeedsConfirmation;
    assert_eq!(plan.needs_confirmation, asks, "{what}");
    if !asks {
        assert_eq!(planned.status, done.status, "{what}");
    }
    let counts = &done.counts;
    assert_eq!([plan.add, plan.update, plan.remove], changes, "{what}");
    assert_eq!(plan.unchanged, counts.unchanged, "{what}");
    assert_eq!(plan.confluence_requests, planned.requests.confluence);
    // That both ask the same is shown where nothing is walked side by side (`runs`): here the order of answers is luck.
    assert_eq!(planned.requests.store, 0, "{what}");
    let seen = |run: &Run| {
        (
            run.counts.seen,
            run.counts.fetched,
            run.counts.skipped,
            run.counts.failed,
        )
    };
    assert_eq!(seen(planned), seen(done), "{what}");
}

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
