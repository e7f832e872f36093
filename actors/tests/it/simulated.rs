//! The truth, at random, on the machine's own time: whatever people do to the simulated site, an administrator asks of the index, goes
//! wrong with answers as HTTP has them, unlike in `model`, and wherever runs die, after settling the index holds exactly what the site says.
//!
//! `SIMULATED_SEEDS=200` runs so many sequences, `SIMULATED_FROM` begins elsewhere; a failing seed is named.

use std::time::Duration;

use actors::{EngineSettings, FAILPOINTS, FailAction, Failpoints};
use domain::run::RunStatus;
use rand::Rng;
use simulators::confluence::{COVERED, Life, Orphans, Site, Wish};

use crate::luck::each_seed;
use crate::real::{Real, run};
use crate::truth::{assert_same, held_by};

#[test]
fn after_settling_the_index_equals_the_simulated_truth() {
    each_seed("SIMULATED", 12, 6, |seed| run(|| sequence(seed)));
}

async fn sequence(seed: u64) {
    let site = Site::new();
    let mut life = Life::begin(&site, seed);
    site.set_switches(|switches| {
        let luck = life.luck();
        switches.cql_cap = luck.random_range(3..60);
        switches.search_lag = Duration::from_millis(luck.random_range(0..2) * 100);
        switches.site_comments_without_replies = luck.random();
        switches.cql_empty_last_page = luck.random();
        switches.trashed_by_id = luck.random();
        switches.moves_bump_version = luck.random();
        switches.moves_keep_modified_date = luck.random();
        switches.status_changes_bump_version = luck.random();
        switches.unknown_fields = luck.random();
        switches.orphans =
            [Orphans::Archived, Orphans::MoveUp, Orphans::Trashed][luck.random_range(0..3)];
    });
    let mut wish = Wish::of(&site, &COVERED);
    for _ in 0..life.luck().random_range(0..4) {
        life.reconsider(&site, &mut wish);
    }
    let settings = EngineSettings {
        failpoints: somewhere(&mut life),
        ..EngineSettings::default()
    };
    let mut real = Real::with(site, settings).await;
    let index = real.index(&wish).await;
    if life.luck().random_bool(0.7) {
        real.over(index).await;
    }
    for _ in 0..life.luck().random_range(1..7) {
        for _ in 0..life.luck().random_range(0..7) {
            life.disturb(&real.sim);
        }
        if life.luck().random_bool(0.2) {
            life.reconsider(real.sim.site(), &mut wish);
            real.patch(index, &wish).await;
        }
        if life.luck().random_bool(0.03) {
            life.delete_a_space(real.sim.site(), &wish);
        }
        for _ in 0..life.luck().random_range(0..3) {
            life.fault(&real.sim, true);
        }
        match life.luck().random_range(0..8) {
            0 => {
                real.settings.failpoints = somewhere(&mut life);
                real.restart().await;
            }
            1 => real.ahead(life.luck().random_range(0..7200)),
            2 => {
                // Put down in the middle, wherever that is.
                let order = actors::SyncOrder::default();
                let run = real.engine.sync(index, order).await.unwrap();
                let wait = Duration::from_millis(life.luck().random_range(0..40));
                tokio::time::sleep(wait).await;
                real.restart().await;
                let run = real.ended(run.id).await;
                assert!(!run.status.is_open(), "{run:?}");
            }
            3 => drop(real.order(index, Some(true)).await),
            4 => drop(real.sweep(index).await),
            5 => real.plan(index).await,
            _ => drop(real.order(index, Some(false)).await),
        }
    }
    life.end(&real.sim, &wish);
    let last = real.settle(index).await;
    let (held, truth) = (held_by(&real.shelf), real.truth(&wish));
    assert_same(&held, &truth, &format!("seed {seed}, {wish:?}"));
    assert_eq!(
        (
            last.counts.uploaded,
            last.counts.fetched,
            last.counts.deleted
        ),
        (0, 0, 0),
        "seed {seed}: at rest, {last:?}"
    );
    assert!(
        matches!(last.status, RunStatus::Succeeded | RunStatus::Partial),
        "seed {seed}: {last:?}"
    );
    real.engine.drain(Duration::from_secs(10)).await;
}

/// Where runs die, if anywhere.
fn somewhere(life: &mut Life) -> Failpoints {
    let luck = life.luck();
    if luck.random_bool(0.5) {
        return Failpoints::default();
    }
    let place = FAILPOINTS[luck.random_range(0..FAILPOINTS.len())];
    Failpoints::at(place, FailAction::Panic, luck.random_range(1..7))
}

/// Whether the lists of the whole site name replies is not documented; where they do not, a sweep finds them by CQL.
#[test]
fn replies_that_the_lists_of_the_site_leave_out_are_found_by_the_sweep() {
    run(|| async {
        let site = Site::new();
        site.add_space("ENG", "Space ENG");
        site.set_switches(|switches| switches.site_comments_without_replies = true);
        let page = site.create_page("ENG", None, "Runbook", "<p>Restart it.</p>");
        let footer = site.comment(page, "<p>Which one?</p>");
        let inline = site.inline_comment(page, "it", "<p>The gateway?</p>");
        site.reply(footer, "<p>Said before the first sync.</p>");
        let wish = Wish {
            comments: true,
            ..Wish::of(&site, &["ENG"])
        };
        let real = Real::new(site.clone()).await;
        let index = real.index(&wish).await;
        assert_eq!(real.over(index).await.status, RunStatus::Succeeded);
        assert_same(&held_by(&real.shelf), &real.truth(&wish), "first sync");

        site.reply(footer, "<p>The gateway.</p>");
        site.reply(inline, "<p>Yes, that one.</p>");
        site.edit_comment(footer, "<p>Which one, please?</p>");
        // A poll sees what was edited, and what hangs on it not yet.
        let polled = real.order(index, Some(false)).await;
        assert_eq!(polled.counts.uploaded, 1, "{polled:?}");
        assert_ne!(held_by(&real.shelf), real.truth(&wish));
        let swept = real.sweep(index).await;
        assert_eq!(swept.counts.uploaded, 1, "{swept:?}");
        assert_same(&held_by(&real.shelf), &real.truth(&wish), "after a sweep");
        // Later polls lose nothing of it.
        site.edit_comment(inline, "<p>The gateway, then?</p>");
        real.order(index, Some(false)).await;
        assert_same(&held_by(&real.shelf), &real.truth(&wish), "after a poll");
        real.engine.drain(Duration::from_secs(10)).await;
    });
}
