//! The truth, at random: whatever people do to a site and an administrator asks of its indexes, whatever goes wrong with answers
//! and wherever runs die, after settling each index holds exactly what the rules say.
//!
//! `MODEL_SEEDS=3000` lives so many sequences, `MODEL_FROM` begins elsewhere; a failing seed is named.

mod choices;
mod faults;
mod folders;
mod marks;
mod pages;
mod plans;

use std::time::Duration;

use actors::{EngineSettings, FAILPOINTS, FailAction, Failpoints, SyncOrder};
use chrono::TimeDelta;
use domain::IndexId;
use domain::ports::store::{AdminStore, SyncStore};
use domain::run::RunStatus;

use crate::bench::{self, Bench};
use crate::fakes::FakeRetrieval;
use crate::fakes::confluence::FakeSpace;
use crate::luck::{Luck, each_seed};
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
    bench.site.space("11", "OPS");
    bench.site.space("99", "ELSE");
    bench.site.with(|site| {
        site.search_names_folders = luck.once_in(2);
        site.facts_limit = 3 + luck.next(10);
    });
    // An empty listing concludes nothing, so each space keeps one page.
    for space in ["10", "11", "99"] {
        bench.site.add(space, None, pages::KEPT, "<p>kept</p>");
    }
    for _ in 0..8 + luck.next(25) {
        pages::add(&bench, &mut luck);
    }
    for _ in 0..luck.next(20) {
        marks::comments(&bench, &mut luck);
        marks::files(&bench, &mut luck);
    }
    let mut indexes = Vec::new();
    for agent in ["agent", "second"]
        .iter()
        .take(1 + usize::from(luck.once_in(3)))
    {
        let settings = choices::at_first(&bench, &mut luck, agent);
        let index = bench.create(settings).await.id;
        indexes.push(index);
        if luck.next(3) > 0 {
            bench.over(index).await;
        }
    }
    for _ in 0..luck.next(8) + 1 {
        for _ in 0..luck.next(8) {
            disturb(&bench, &mut luck, &indexes).await;
        }
        for _ in 0..luck.next(3) {
            faults::fault(&bench, &mut luck);
        }
        let index = luck.pick(&indexes).unwrap();
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
    settle(&bench, &indexes, seed).await;
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

async fn disturb(bench: &Bench, luck: &mut Luck, indexes: &[IndexId]) {
    match luck.next(20) {
        0..=9 => pages::disturb(bench, luck),
        10 | 11 => folders::disturb(bench, luck),
        12..=15 => marks::comments(bench, luck),
        16..=18 => marks::files(bench, luck),
        _ => {
            let index = luck.pick(indexes).unwrap();
            choices::change_one(bench, luck, index).await;
        }
    }
}

/// No more faults, and the clock is right; sweeps until nothing is owed. The guard is answered as an administrator would who knows.
async fn settle(bench: &Bench, indexes: &[IndexId], seed: u64) {
    bench.site.heal();
    bench.clock.set_ahead(TimeDelta::zero());
    bench.site.with(|site| {
        site.poison.clear();
        site.unseen.clear();
        site.pages.values_mut().for_each(|page| page.lags = false);
        site.comments
            .values_mut()
            .for_each(|comment| comment.lags = false);
        site.files.values_mut().for_each(|file| file.lags = false);
    });
    bench.shelf.with(|shelf| {
        shelf.faults.clear();
        faults::accept_all(shelf);
    });
    for index in indexes {
        bench
            .patch(*index, |s| s.interval_minutes = 7 * 24 * 60)
            .await;
        // From an account that sees none of an index's spaces nothing is concluded, so that has no end to compare with.
        let wanted = bench.index(*index).await.settings.confluence_spaces;
        bench.site.with(|site| {
            let mut spaces = site.spaces.values_mut();
            let seen = |s: &FakeSpace| s.visible && wanted.iter().any(|k| k.as_str() == s.key);
            if !spaces.any(|space| seen(space)) {
                site.spaces.values_mut().for_each(|s| s.visible = true);
            }
        });
    }
    for round in 1..=6 {
        // Beyond every back-off of a page that failed once or twice.
        bench.wait(8 * 3600).await;
        for index in indexes {
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
    bench.site.with(|site| {
        for page in site.pages.values() {
            eprintln!("{}", bench.names_of(page));
        }
        for file in site.files.values() {
            eprintln!("att{} on {} trashed {}", file.id, file.page, file.trashed);
        }
    });
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
