//! Trouble that lasts: a quota that is used up, a space that fails for days or goes away and comes back, answers of the
//! administrator in the middle of a run. The rest goes on at its usual price, and nothing is missed afterwards.

use std::time::Duration;

use actors::{EngineSettings, SyncOrder};
use domain::index::{IndexStatus, SpaceState};
use domain::ports::store::{AdminStore, SyncStore};
use domain::run::{RunKind, RunStatus};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::retrieval::StoreFault;
use crate::fakes::{FakeRetrieval, Fault};

/// Two spaces, synced: pages of both.
async fn two_spaces(bench: &Bench) -> (domain::index::Index, ContentId, ContentId) {
    bench.site.space("OPS");
    let eng = bench.site.create_page("ENG", None, "E", "<p>e first</p>");
    let ops = bench.site.create_page("OPS", None, "O", "<p>o first</p>");
    let settings = bench.index_settings("agent", &["ENG", "OPS"]);
    let index = bench.create(settings).await;
    bench.over(index.id).await;
    bench.assert_true(index.id).await;
    bench.site.take_log();
    (index, eng, ops)
}

#[test]
fn a_used_up_quota_is_waited_for_by_the_run() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..30 {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), &format!("<p>t{n}</p>"));
        }
        // Each request is refused once, until the hour is full: whatever it asks for.
        for what in ["whoami", "spaces", "list", "facts"] {
            bench.site.fail(what, 1, Fault::RateLimited(15 * 60));
        }
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.error), (RunStatus::Succeeded, None));
        bench.assert_true(index.id).await;
        bench.site.fail("by ids", 1, Fault::RateLimited(15 * 60));
        let page = bench.site.every_page()[0].id;
        bench.site.edit(page, "<p>edited</p>");
        assert_eq!(bench.delta(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_run_that_waits_for_the_quota_can_be_canceled() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, ..) = two_spaces(&bench).await;
        bench.site.fail("list", 1, Fault::RateLimited(15 * 60));
        let run = bench
            .engine
            .sync(index.id, SyncOrder::default())
            .await
            .unwrap();
        bench.wait(60).await;
        assert_eq!(
            bench.store.run(run.id).await.unwrap().status,
            RunStatus::Running
        );
        bench.store.request_cancel(run.id).await.unwrap();
        bench.engine.cancel(run.id).await.unwrap();
        bench.wait(5).await;
        assert_eq!(
            bench.store.run(run.id).await.unwrap().status,
            RunStatus::Canceled
        );
    });
}

#[test]
fn a_space_that_fails_for_days_costs_the_others_nothing_and_misses_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, eng, ops) = two_spaces(&bench).await;
        bench
            .site
            .fail(&bench.listing("OPS"), 10_000, Fault::Forbidden);
        assert_eq!(bench.sweep(index.id).await.status, RunStatus::Partial);
        bench.site.edit(ops, "<p>o second</p>");
        // What came after the failure is polled: cheaply, and past the failing space.
        let mut kinds = Vec::new();
        for round in 0..20 {
            bench.site.edit(eng, &format!("<p>e round {round}</p>"));
            bench.wait(20 * 60).await;
            let run = bench.delta(index.id).await;
            assert_eq!(run.status, RunStatus::Partial);
            assert!(run.error.unwrap().detail.contains("OPS"));
            kinds.push(run.kind);
            assert_eq!(
                bench.finds(index.id, &format!("round {round}")).await.len(),
                1
            );
        }
        assert_eq!(kinds, [RunKind::Delta; 20]);
        let progress = bench.store.index_state(index.id).await.unwrap().progress;
        let behind = bench
            .index(index.id)
            .await
            .last_run
            .unwrap()
            .started_at
            .unwrap()
            - progress.watermark.unwrap();
        assert!(behind < chrono::TimeDelta::hours(1), "{behind}");
        let now = bench.index(index.id).await;
        assert_eq!(now.spaces[1].state, SpaceState::Failing);
        assert_eq!(now.status, IndexStatus::Degraded);

        bench.site.heal();
        let run = bench.delta(index.id).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
        bench.assert_true(index.id).await;
        let now = bench.index(index.id).await;
        assert_eq!(now.spaces[1].state, SpaceState::Current);
        bench.site.take_log();
        bench.delta(index.id).await;
        let log = bench.site.take_log();
        assert!(
            !log.iter().any(|line| line.contains(&bench.listing("OPS"))),
            "{log:?}"
        );
    });
}

#[test]
fn what_happened_in_a_space_while_it_was_away_enters_with_the_next_poll() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, eng, ops) = two_spaces(&bench).await;
        let seen = |seen: bool| match seen {
            true => bench.site.open_space("OPS"),
            false => bench.site.limit_space_to("OPS", &[]),
        };
        seen(false);
        bench.site.edit(ops, "<p>o while away</p>");
        bench.wait(30 * 60).await;
        bench.delta(index.id).await;
        // The other space moves the watermark on.
        bench.site.edit(eng, "<p>e later</p>");
        bench.wait(30 * 60).await;
        bench.delta(index.id).await;
        seen(true);
        let run = bench.delta(index.id).await;
        assert_eq!(
            (run.kind, run.status),
            (RunKind::Delta, RunStatus::Succeeded)
        );
        bench.assert_true(index.id).await;
    });
}

#[test]
fn an_interrupted_catching_up_is_done_by_the_next_run() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        let (index, eng, ops) = two_spaces(&bench).await;
        bench.site.fail(&bench.listing("OPS"), 1, Fault::Forbidden);
        bench.sweep(index.id).await;
        bench.site.edit(ops, "<p>o second</p>");
        bench.wait(30 * 60).await;
        bench.site.edit(eng, "<p>e later</p>");
        bench
            .site
            .fail(&bench.listing("OPS"), 1, Fault::RateLimited(600));
        let order = SyncOrder {
            full: Some(false),
            dry_run: false,
        };
        bench.engine.sync(index.id, order).await.unwrap();
        bench.wait(30).await;
        bench.restart().await;
        bench.over(index.id).await;
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_run_that_sees_none_of_its_spaces_has_failed() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, ..) = two_spaces(&bench).await;
        let as_of = bench.index(index.id).await.as_of;
        bench.wait(600).await;
        for key in bench.site.space_keys() {
            bench.site.limit_space_to(&key, &[]);
        }
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::Failed);
        assert_eq!(run.error.unwrap().code, "no_space_visible");
        let now = bench.index(index.id).await;
        assert_eq!((now.status, now.as_of), (IndexStatus::Failed, as_of));
        assert_eq!(bench.held().len(), 2);
    });
}

#[test]
fn an_answer_to_the_guard_in_the_middle_of_a_run_is_carried_out_after_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..30)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), "<p>x</p>")
            })
            .collect();
        let index = bench.synced().await;
        for id in &pages[..15] {
            bench.site.trash(*id);
        }
        let asks = bench.sweep(index.id).await;
        assert_eq!(asks.status, RunStatus::NeedsConfirmation);
        // Switched off: no schedule would ever come to it.
        bench
            .patch(index.id, |settings| settings.enabled = false)
            .await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(2));
        let order = SyncOrder {
            full: Some(false),
            dry_run: false,
        };
        let poll = bench.engine.sync(index.id, order).await.unwrap();
        bench.wait(1).await;
        bench.store.answer_guard(asks.id, true).await.unwrap();
        bench.engine.index_changed(index.id);
        let poll = bench.ended(poll.id).await;
        assert_eq!((poll.kind, poll.counts.deleted), (RunKind::Delta, 0));
        let next = bench.ended(poll.follow_up_run_id.unwrap()).await;
        assert_eq!((next.kind, next.counts.deleted), (RunKind::Sweep, 15));
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_scope_changed_in_the_middle_of_a_run_takes_effect_after_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, _, ops) = two_spaces(&bench).await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(2));
        let run = bench
            .engine
            .sync(index.id, SyncOrder::default())
            .await
            .unwrap();
        bench.wait(1).await;
        bench
            .patch(index.id, |settings| {
                settings.root_page_ids = vec![ops.to_string()];
            })
            .await;
        let run = bench.ended(run.id).await;
        let next = bench.ended(run.follow_up_run_id.unwrap()).await;
        assert_eq!(
            (next.status, next.counts.deleted),
            (RunStatus::Succeeded, 1)
        );
        assert_eq!(bench.held().len(), 1);
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Ok);
    });
}

#[test]
fn a_clock_that_was_ahead_and_is_set_back_holds_nothing_up() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..10)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), &format!("<p>t{n}</p>"))
            })
            .collect();
        let index = bench.synced().await;
        bench.clock.set_ahead(chrono::TimeDelta::days(400));
        // A page that fails, one that is gone for the first time, and one that the store does not take.
        bench.site.edit(pages[0], "<p>poison</p>");
        bench.site.with(|site| site.poison.insert(pages[0]));
        bench.sweep(index.id).await;
        bench.site.purge(pages[1]);
        bench.sweep(index.id).await;
        bench.site.edit(pages[2], "<p>new text</p>");
        bench.shelf.fail(50, StoreFault::Unavailable);
        bench.delta(index.id).await;

        bench.clock.set_ahead(chrono::TimeDelta::zero());
        bench.shelf.with(|shelf| shelf.faults.clear());
        bench.site.with(|site| site.poison.clear());
        for _ in 0..3 {
            bench.wait(120).await;
            bench.sweep(index.id).await;
        }
        bench.assert_true(index.id).await;
        // The schedule is not a year late either.
        bench.site.edit(pages[3], "<p>found by the schedule</p>");
        bench.wait(2 * 3600).await;
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_change_of_scope_is_carried_out_once_although_a_space_fails() {
    bench::run(|| async {
        let settings = EngineSettings {
            sweep_interval: Duration::from_secs(24 * 3600),
            ..EngineSettings::default()
        };
        let bench = Bench::with(FakeRetrieval::immediate(), settings).await;
        let (index, eng, _) = two_spaces(&bench).await;
        let more: Vec<ContentId> = (0..20)
            .map(|n| {
                bench
                    .site
                    .create_page("OPS", None, &format!("O{n}"), "<p>o</p>")
            })
            .collect();
        bench.sweep(index.id).await;
        bench.site.label(eng, "old");
        for id in &more {
            bench.site.label(*id, "old");
        }
        bench
            .site
            .fail(&bench.listing("OPS"), 10_000, Fault::Forbidden);
        bench
            .patch(index.id, |s| s.exclude_labels = vec!["old".to_owned()])
            .await;
        bench.wait(5).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Partial);
        assert!(bench.finds(index.id, "first").await.len() == 1);
        // Whatever runs by the timetable from now on asks for the failing space only.
        bench.site.take_log();
        for round in 0..5 {
            bench.wait(3600 + 600).await;
            let run = bench.over(index.id).await;
            assert_eq!(run.kind, RunKind::Delta, "round {round}");
            let log = bench.site.take_log();
            assert!(
                !log.iter().any(|line| line.contains(&bench.listing("ENG"))),
                "{log:#?}"
            );
        }
        // It heals: what leaves there leaves by the change of scope, and nobody is asked about it.
        bench.site.heal();
        let run = bench.delta(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 20));
        bench.assert_true(index.id).await;
        let progress = bench.store.index_state(index.id).await.unwrap().progress;
        let settings = bench.index(index.id).await.settings;
        assert_eq!(progress.applied_settings, Some(settings));
    });
}

#[test]
fn a_space_taken_out_leaves_although_no_other_can_be_seen() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, ..) = two_spaces(&bench).await;
        bench.site.limit_space_to("OPS", &[]);
        bench
            .patch(index.id, |s| s.confluence_spaces = vec!["OPS".into()])
            .await;
        bench.wait(5).await;
        let run = bench.over(index.id).await;
        assert_eq!(run.error.unwrap().code, "no_space_visible");
        let held = bench.held();
        assert_eq!(held.len(), 1, "what is only not seen stays: {held:?}");
    });
}
