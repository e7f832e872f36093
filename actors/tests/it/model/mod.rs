//! The truth, at random: whatever people do to a site and an administrator asks of its indexes, whatever goes wrong with answers
//! and wherever runs die, after settling each index holds exactly what the rules say.
//!
//! `MODEL_SEEDS=3000` lives so many sequences, `MODEL_FROM` begins elsewhere; a failing seed is named.

mod faults;
mod plans;

use std::time::Duration;

use actors::{EngineSettings, FAILPOINTS, FailAction, Failpoints, SyncOrder};
use chrono::TimeDelta;
use domain::IndexId;
use domain::index::IndexSettings;
use domain::ports::store::{AdminStore, SyncStore};
use domain::run::RunStatus;
use simulators::confluence::{COVERED, Life, Wish};

use crate::bench::{self, Bench};
use crate::fakes::FakeRetrieval;
use crate::luck::{Luck, each_seed};
use crate::real::settings_of;
use crate::truth::{assert_same, held_under};

#[test]
fn after_settling_the_indexes_equal_the_truth() {
    each_seed("MODEL", 40, 2, |seed| {
        bench::run(move || sequence(seed));
    });
}

async fn sequence(seed: u64) {
    let mut luck = Luck::of(seed);
    let shelf = if luck.once_in(2) {
        FakeRetrieval::immediate()
    } else {
        FakeRetrieval::slow()
    };
    let settings = EngineSettings {
        check_interval: Duration::from_secs(8 * 3600),
        failpoints: somewhere(&mut luck),
        ..EngineSettings::default()
    };
    let mut bench = Bench::with(shelf, settings).await;
    let mut life = begin(&bench, seed);
    let named = luck.once_in(2);
    bench
        .site
        .with(|requests| requests.folders_unnamed = !named);
    let cap = u32::try_from(3 + luck.next(10)).unwrap();
    bench.site.set_switches(|switches| switches.cql_cap = cap);
    let mut indexes = Vec::new();
    for agent in ["agent", "second"]
        .iter()
        .take(1 + usize::from(luck.once_in(3)))
    {
        let wish = wish(&bench, &mut life, &mut luck);
        let before = IndexSettings {
            // Runs are ordered here; scheduled ones come rarely between.
            interval_minutes: luck.pick(&[60, 24 * 60]).unwrap(),
            ..bench.index_settings(agent, &COVERED)
        };
        let index = bench.create(wanted(&wish, &before)).await.id;
        indexes.push((index, wish));
        if luck.next(3) > 0 {
            bench.over(index).await;
        }
    }
    for _ in 0..luck.next(8) + 1 {
        for _ in 0..luck.next(8) {
            disturb(&bench, &mut life, &mut luck, &mut indexes).await;
        }
        for _ in 0..luck.next(3) {
            faults::fault(&bench, &mut luck);
        }
        let index = indexes[luck.next(indexes.len())].0;
        match luck.next(9) {
            0 => {
                bench.settings.failpoints = somewhere(&mut luck);
                bench.restart().await;
            }
            1 => bench.wait(luck.next(7200) as u64).await,
            2 => {
                let order = SyncOrder {
                    full: Some(false),
                    dry_run: false,
                };
                let run = bench.engine.sync(index, order).await.unwrap();
                bench.wait(luck.next(4) as u64).await;
                if bench.store.request_cancel(run.id).await.is_ok() {
                    bench.engine.cancel(run.id).await.unwrap();
                }
            }
            3 => drop(bench.sweep(index).await),
            4 => drop(bench.order(index, Some(true)).await),
            5 => bench.clock.set_ahead(off(&mut luck)),
            6 => plans::plan(&bench, &mut luck, index, indexes.len() == 1, seed).await,
            _ => drop(bench.delta(index).await),
        }
    }
    settle(&bench, &life, &indexes, seed).await;
}

/// By how much the machine's clock is ahead of the truth, or behind it, from now on.
fn off(luck: &mut Luck) -> TimeDelta {
    let longest = luck.pick(&[60, 3600, 24 * 3600, 400 * 24 * 3600]).unwrap();
    let seconds = TimeDelta::seconds(luck.next(longest) as i64);
    match luck.next(3) {
        0 => TimeDelta::zero(),
        1 => seconds,
        _ => -seconds,
    }
}

/// Where runs die, if anywhere.
fn somewhere(luck: &mut Luck) -> Failpoints {
    if luck.once_in(2) {
        return Failpoints::default();
    }
    let hit = u32::try_from(1 + luck.next(6)).unwrap();
    Failpoints::at(luck.pick(FAILPOINTS).unwrap(), FailAction::Panic, hit)
}

/// A site with spaces and pages, in a life that the seed names.
fn begin(bench: &Bench, seed: u64) -> Life {
    bench.site.delete_space("ENG");
    Life::begin(&bench.site, seed)
}

/// What an administrator wants at first.
fn wish(bench: &Bench, life: &mut Life, luck: &mut Luck) -> Wish {
    let mut wish = Wish::of(&bench.site, &COVERED);
    for _ in 0..luck.next(5) {
        life.reconsider(&bench.site, &mut wish);
    }
    wish
}

/// Settings of this wish; what it says nothing of stays.
fn wanted(wish: &Wish, before: &IndexSettings) -> IndexSettings {
    IndexSettings {
        agent_id: before.agent_id.clone(),
        enabled: before.enabled,
        interval_minutes: before.interval_minutes,
        ..settings_of(wish)
    }
}

/// People do something, an administrator changes a choice, or search is late.
async fn disturb(bench: &Bench, life: &mut Life, luck: &mut Luck, indexes: &mut [(IndexId, Wish)]) {
    match luck.next(20) {
        0 => {
            let (index, wish) = &mut indexes[luck.next(indexes.len())];
            life.reconsider(&bench.site, wish);
            let change = |settings: &mut IndexSettings| *settings = wanted(wish, settings);
            bench.patch(*index, change).await;
        }
        1 | 2 => faults::lag(bench, luck),
        _ => life.disturb(bench.site.sim()),
    }
}

/// No more faults, and the clock is right; sweeps until nothing is owed. The guard is answered as an administrator would who knows.
async fn settle(bench: &Bench, life: &Life, indexes: &[(IndexId, Wish)], seed: u64) {
    bench.site.heal();
    bench.clock.set_ahead(TimeDelta::zero());
    bench.site.with(|requests| {
        requests.poison.clear();
        requests.unseen.clear();
        requests.lagging.clear();
    });
    bench.shelf.with(|shelf| {
        shelf.faults.clear();
        faults::accept_all(shelf);
    });
    for (index, wish) in indexes {
        bench
            .patch(*index, |s| s.interval_minutes = 7 * 24 * 60)
            .await;
        life.end(bench.site.sim(), wish);
    }
    for round in 1..=6 {
        // Beyond every back-off of a page that failed once or twice.
        bench.wait(8 * 3600).await;
        for (index, _) in indexes {
            bench.over(*index).await;
            let run = bench.sweep(*index).await;
            if run.status == RunStatus::NeedsConfirmation {
                bench.store.answer_guard(run.id, true).await.unwrap();
            }
            bench.assert_consistent(*index).await;
            if round < 6 {
                continue;
            }
            let now = bench.index(*index).await;
            let object = now.remote.unwrap().id;
            let held = held_under(&bench.shelf, &object);
            let truth = bench.truth(&now.settings);
            if held != truth {
                tell_all(bench, *index).await;
            }
            assert_same(&held, &truth, &format!("seed {seed}, {:?}", now.settings));
            assert_eq!(run.status, RunStatus::Succeeded, "seed {seed}: {run:?}");
            assert_eq!(
                (run.counts.uploaded, run.counts.fetched),
                (0, 0),
                "seed {seed}: at rest"
            );
        }
    }
}

/// For a message: the site, and the rows of an index.
async fn tell_all(bench: &Bench, index: IndexId) {
    for page in bench.site.every_page() {
        eprintln!("{page:?}");
    }
    for file in bench.site.every_file() {
        eprintln!("att{} on {} trashed {}", file.id, file.on, file.trashed);
    }
    let rows = bench.store.pages_by_id(index, &bench.all_ids()).await;
    for page in rows.unwrap() {
        eprintln!(
            "{} {:?} v{} body {:?} {:?} in {} parent {:?} {:?} {:?} {:?}",
            page.page_id,
            page.kind,
            page.facts.version,
            page.body_version,
            page.standing,
            page.facts.space_id,
            page.facts.parent_id,
            page.restriction,
            page.reason,
            page.holding
        );
    }
}
