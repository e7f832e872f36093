//! Runs as orders: recorded first, one at a time, canceled, planned, followed up, resumed.

use std::time::Duration;

use actors::{EngineSettings, FailAction, Failpoints, SyncOrder};
use chrono::TimeDelta;
use domain::Timestamp;
use domain::event::EventKind;
use domain::index::{IndexSettings, IndexStatus};
use domain::ports::clock::Clock;
use domain::ports::store::{AdminStore, NewIndex, RunFilter, SyncStore};
use domain::quiet::QuietHours;
use domain::run::{RunKind, RunPlan, RunStatus};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::FakeRetrieval;
use crate::fakes::retrieval::StoreFault;

async fn pages(bench: &Bench, count: usize) {
    for n in 0..count {
        bench
            .site
            .create_page("ENG", None, &format!("P{n}"), &format!("<p>t{n}</p>"));
    }
}

#[test]
fn an_order_during_a_run_is_that_run_and_a_full_one_follows_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 10).await;
        let index = bench.synced().await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(1));
        let first = bench
            .engine
            .sync(index.id, SyncOrder::default())
            .await
            .unwrap();
        let same = bench
            .engine
            .sync(index.id, SyncOrder::default())
            .await
            .unwrap();
        assert_eq!((same.id, same.queued), (first.id, false));
        let full = SyncOrder {
            full: Some(true),
            dry_run: false,
        };
        let queued = bench.engine.sync(index.id, full).await.unwrap();
        assert_eq!((queued.id, queued.queued), (first.id, true));
        bench.ended(first.id).await;
        let last = bench.over(index.id).await;
        assert_eq!(
            (last.kind, last.status),
            (RunKind::Full, RunStatus::Succeeded)
        );
        assert_ne!(last.id, first.id);
        assert_eq!(last.counts.uploaded, 0);
        let all = bench
            .store
            .runs(&RunFilter {
                indexes: Some(vec![index.id]),
                limit: 50,
                ..RunFilter::default()
            })
            .await
            .unwrap();
        assert_eq!(all.items.len(), 3);
    });
}

#[test]
fn a_canceled_run_puts_its_work_down_and_the_next_takes_it_up() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 1000).await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(5));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.wait(17).await;
        let run = bench.store.open_run_of(index.id).await.unwrap().unwrap();
        bench.store.request_cancel(run.id).await.unwrap();
        bench.engine.cancel(run.id).await.unwrap();
        let run = bench.ended(run.id).await;
        assert_eq!(run.status, RunStatus::Canceled);
        let before = bench.site.take_log();
        assert!(before.len() < 8, "{before:#?}");
        bench.wait(60).await;
        assert!(bench.site.take_log().is_empty(), "nothing goes on");
        bench.site.with(|site| site.latency = Duration::ZERO);
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
        // What the canceled run listed was not listed again.
        let log = bench.site.take_log();
        let listed = log.iter().filter(|l| l.contains("bodies=true")).count();
        assert!(listed < 4, "{log:#?}");
    });
}

#[test]
fn a_dry_run_that_dies_leaves_the_index_as_it_stood() {
    bench::run(|| async {
        for place in ["after_run_started", "before_run_finished"] {
            let mut bench = Bench::new().await;
            pages(&bench, 3).await;
            let index = bench.synced().await;
            let before = bench.index(index.id).await;
            bench.settings.failpoints = Failpoints::at(place, FailAction::Panic, 1);
            bench.restart().await;
            let dry = SyncOrder {
                full: None,
                dry_run: true,
            };
            let run = bench.engine.sync(index.id, dry).await.unwrap();
            let run = bench.ended(run.id).await;
            assert_eq!(run.status, RunStatus::Succeeded, "{place}");
            assert_eq!(bench.index(index.id).await, before, "{place}");
        }
    });
}

#[test]
fn a_dry_run_plans_and_changes_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 30).await;
        let kept = bench.site.create_page("ENG", None, "Kept", "<p>kept</p>");
        let gone = bench.site.create_page("ENG", None, "Gone", "<p>gone</p>");
        let index = bench.synced().await;
        bench.wait(5).await;
        bench.site.edit(kept, "<p>kept anew</p>");
        bench.site.purge(gone);
        bench.site.create_page("ENG", None, "New", "<p>new</p>");
        let before = bench.index(index.id).await;
        let uploads = bench.shelf.uploads();
        let dry = SyncOrder {
            full: None,
            dry_run: true,
        };
        let run = bench.engine.sync(index.id, dry).await.unwrap();
        let run = bench.ended(run.id).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        let plan = run.plan.unwrap();
        assert_eq!(
            (plan.add, plan.update, plan.remove, plan.unchanged),
            (1, 1, 0, 31)
        );
        assert!(plan.confluence_requests > 0 && plan.store_requests > 0 && plan.minutes > 0.0);
        assert_eq!(plan.hide, 1, "the purged page waits to be confirmed");
        assert_eq!(bench.shelf.uploads(), uploads);
        let after = bench.index(index.id).await;
        assert_eq!(before, after);
        assert_eq!(bench.finds(index.id, "gone").await.len(), 1);
    });
}

/// A plan counts what hangs on pages, too, and what it costs is what the run costs.
#[test]
fn a_dry_run_foresees_files_comments_and_cost() {
    bench::run(|| async {
        let bench = Bench::with(
            FakeRetrieval::immediate(),
            EngineSettings {
                scheduled: false,
                ..EngineSettings::default()
            },
        )
        .await;
        for n in 0..20 {
            let title = format!("Page {n}");
            let page = bench.site.create_page("ENG", None, &title, "<p>text</p>");
            if n < 3 {
                bench.site.comment(page, "<p><p>said</p></p>");
                bench
                    .site
                    .attach(page, "notes.md", "text/markdown", b"# Notes");
            }
        }
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_comments = true;
        settings.include_attachments = true;
        // Switched off, so that nothing but what is ordered here looks at it.
        settings.enabled = false;
        let spaces = bench.spaces_of(&settings);
        let index = NewIndex { settings, spaces };
        let index = bench.store.create_index(&index).await.unwrap().id;
        let dry = SyncOrder {
            full: None,
            dry_run: true,
        };
        for (add, update) in [(23, 0), (0, 3), (0, 0)] {
            let run = bench.engine.sync(index, dry).await.unwrap();
            let planned = bench.ended(run.id).await;
            let plan = planned.plan.unwrap();
            assert_eq!((plan.add, plan.update, plan.remove), (add, update, 0));
            let done = bench.sweep(index).await;
            assert_eq!(done.counts.uploaded, add + update);
            assert_eq!(plan.unchanged, done.counts.unchanged);
            assert_eq!(plan.confluence_requests, done.requests.confluence);
            assert_eq!(plan.store_requests, done.requests.store);
            assert_eq!(planned.requests.confluence, plan.confluence_requests);
            assert_eq!(planned.requests.store, 0);
            bench.patch(index, |s| s.include_comments = false).await;
        }
        let left = std::fs::read_dir(bench.database.path()).unwrap().flatten();
        let left: Vec<_> = left
            .map(|file| file.file_name().into_string().unwrap())
            .filter(|name| name.contains(".copy-"))
            .collect();
        assert!(left.is_empty(), "copies go with their dry runs: {left:?}");
    });
}

#[test]
fn scheduled_runs_poll_between_sweeps_and_never_overlap() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 5).await;
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.interval_minutes = 20;
        let index = bench.create(settings).await;
        bench.over(index.id).await;
        bench.wait(3 * 3600).await;
        let filter = RunFilter {
            indexes: Some(vec![index.id]),
            limit: 50,
            ..RunFilter::default()
        };
        let runs = bench.store.runs(&filter).await.unwrap().items;
        let count = |kind| runs.iter().filter(|run| run.kind == kind).count();
        assert_eq!(count(RunKind::First), 1);
        assert!(
            (2..=3).contains(&count(RunKind::Sweep)),
            "{}",
            count(RunKind::Sweep)
        );
        assert!(
            (4..=7).contains(&count(RunKind::Delta)),
            "{}",
            count(RunKind::Delta)
        );
        assert!(runs.iter().all(|run| run.status == RunStatus::Succeeded));
    });
}

#[test]
fn a_disabled_index_does_not_run_by_itself() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 5).await;
        let index = bench.synced().await;
        bench.patch(index.id, |s| s.enabled = false).await;
        bench.wait(5 * 3600).await;
        assert!(bench.site.take_log().is_empty());
        assert_eq!(bench.index(index.id).await.next_run_at, None);
        assert_eq!(
            bench.sweep(index.id).await.status,
            RunStatus::Succeeded,
            "by hand it does"
        );
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Disabled);
    });
}

#[test]
fn a_restart_goes_on_where_the_first_sync_was() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        pages(&bench, 1000).await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(5));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.wait(22).await;
        let run = bench.store.open_run_of(index.id).await.unwrap().unwrap();
        bench.restart().await;
        bench.site.with(|site| site.latency = Duration::ZERO);
        assert_eq!(
            bench.store.run(run.id).await.unwrap().status,
            RunStatus::Interrupted
        );
        let last = bench.over(index.id).await;
        assert_eq!(
            (last.kind, last.status),
            (RunKind::First, RunStatus::Succeeded)
        );
        bench.assert_true(index.id).await;
        assert_eq!(bench.shelf.uploads(), 1000, "each page once");
        let log = bench.site.take_log();
        let listed = log.iter().filter(|l| l.contains("bodies=true")).count();
        assert!(listed <= 5, "the walk was resumed: {log:#?}");
    });
}

#[test]
fn a_deleted_index_leaves_a_tombstone_until_its_object_is_removed() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 5).await;
        let index = bench.synced().await;
        bench
            .shelf
            .fail(1, crate::fakes::retrieval::StoreFault::Unavailable);
        bench.store.delete_index(index.id).await.unwrap();
        bench.engine.index_changed(index.id);
        bench.wait(5).await;
        assert_eq!(bench.held().len(), 5, "the first try failed");
        assert_eq!(bench.engine.status().await.indexes.len(), 0);
        bench.wait(900).await;
        assert!(bench.held().is_empty());
        assert!(bench.shelf.with(|shelf| shelf.documents.is_empty()));
    });
}

#[test]
fn an_object_that_nobody_came_to_remember_goes_with_its_index() {
    bench::run(|| async {
        let settings = EngineSettings {
            failpoints: Failpoints::always("after_object_made", FailAction::Panic),
            ..EngineSettings::default()
        };
        let bench = Bench::with(FakeRetrieval::immediate(), settings).await;
        pages(&bench, 5).await;
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.wait(60).await;
        assert_eq!(bench.index(index.id).await.remote, None);
        assert_eq!(bench.shelf.with(|shelf| shelf.documents.len()), 1);
        bench.shelf.fail(1, StoreFault::Unavailable);
        bench.store.delete_index(index.id).await.unwrap();
        // Also looked at while its next try is not due.
        for _ in 0..2 {
            bench.engine.index_changed(index.id);
            bench.wait(1).await;
            assert_eq!(bench.engine.status().await.leaving, 1);
        }
        bench.wait(900).await;
        assert_eq!(bench.shelf.with(|shelf| shelf.documents.len()), 0);
        assert_eq!(bench.engine.status().await.leaving, 0);
        assert!(bench.store.leaving_objects().await.unwrap().is_empty());
    });
}

#[test]
fn deleting_an_index_stops_its_run() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 500).await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(5));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.wait(12).await;
        bench.store.delete_index(index.id).await.unwrap();
        bench.engine.index_changed(index.id);
        bench.wait(60).await;
        bench.site.take_log();
        bench.wait(600).await;
        assert!(bench.site.take_log().is_empty());
        assert!(bench.engine.status().await.ready);
    });
}

#[test]
fn events_are_numbered_and_kept() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 5).await;
        let mut events = bench.engine.hub().subscribe();
        let index = bench.synced().await;
        let mut kinds = Vec::new();
        let mut last = 0;
        while let Ok(event) = events.try_recv() {
            assert!(event.seq > last);
            last = event.seq;
            assert_eq!(event.event.index_id, index.id);
            kinds.push(event.event.kind);
        }
        // The scheduler may find the new row before it is told of it.
        for kind in [
            EventKind::IndexChanged,
            EventKind::RunStarted,
            EventKind::RunFinished,
        ] {
            assert!(kinds.contains(&kind), "{kind:?}");
        }
        let kept = bench
            .store
            .events_after(0, Some(index.id), 1000)
            .await
            .unwrap();
        assert_eq!(kept.len(), kinds.len());
        assert!(bench.engine.hub().live_run(index.id).is_none());
    });
}

#[test]
fn a_run_under_way_tells_its_counters() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 1500).await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(3));
        let mut events = bench.engine.hub().subscribe();
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.wait(20).await;
        let live = bench.engine.hub().live_run(index.id).unwrap();
        assert!(live.counts.seen > 0 && live.requests.confluence > 0);
        bench.over(index.id).await;
        let mut progress = 0;
        while let Ok(event) = events.try_recv() {
            progress += usize::from(event.event.kind == EventKind::Progress);
        }
        assert!(progress > 2);
    });
}

async fn until(bench: &Bench, time: &str) {
    let time: Timestamp = time.parse().unwrap();
    tokio::time::sleep((time - bench.clock.now()).to_std().unwrap()).await;
}

#[test]
fn scheduled_runs_keep_out_of_quiet_hours_and_orders_do_not() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 3).await;
        let quiet: QuietHours = "10:00-14:00 UTC".parse().unwrap();
        let index = bench
            .create(IndexSettings {
                quiet_hours: Some(quiet),
                ..bench.index_settings("agent", &["ENG"])
            })
            .await;
        bench.over(index.id).await;
        until(&bench, "2026-03-01T11:00:00Z").await;
        let end: Timestamp = "2026-03-01T14:00:00Z".parse().unwrap();
        let next = bench.index(index.id).await.next_run_at.unwrap();
        assert!(
            next >= end && next <= end + TimeDelta::minutes(6),
            "the real next start is shown: {next}"
        );
        let by_hand = bench.sweep(index.id).await;
        assert_eq!(by_hand.status, RunStatus::Succeeded);
        until(&bench, "2026-03-01T15:30:00Z").await;
        let runs = bench
            .store
            .runs(&RunFilter {
                indexes: Some(vec![index.id]),
                limit: 50,
                ..RunFilter::default()
            })
            .await
            .unwrap()
            .items;
        for run in &runs {
            assert!(
                run.id == by_hand.id || run.started_at.is_none_or(|at| !quiet.contains(at)),
                "{run:?}"
            );
        }
        assert!(
            runs.iter().any(|run| run.started_at >= Some(end)),
            "{runs:?}"
        );
    });
}

#[test]
fn a_change_of_quiet_hours_moves_the_next_start_at_once() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        pages(&bench, 3).await;
        let index = bench.synced().await;
        let quiet = |hours: &'static str| {
            move |settings: &mut IndexSettings| settings.quiet_hours = hours.parse().ok()
        };
        for (hours, earliest) in [
            ("08:00-20:00 UTC", "2026-03-01T20:00:00Z"),
            ("none", "2026-03-01T08:00:00Z"),
            ("08:00-12:00 UTC", "2026-03-01T12:00:00Z"),
        ] {
            bench.patch(index.id, quiet(hours)).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let earliest: Timestamp = earliest.parse().unwrap();
            let next = bench.index(index.id).await.next_run_at.unwrap();
            assert!(
                next >= earliest && next <= earliest + TimeDelta::minutes(70),
                "{hours}: {next}"
            );
        }
        // Those of the service hold where the index names none.
        bench.patch(index.id, quiet("none")).await;
        bench.settings.quiet_hours = "08:00-21:00 UTC".parse().ok();
        bench.restart().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        until(&bench, "2026-03-01T12:00:00Z").await;
        let next = bench.index(index.id).await.next_run_at.unwrap();
        assert!(
            next >= "2026-03-01T21:00:00Z".parse::<Timestamp>().unwrap(),
            "{next}"
        );
    });
}

#[test]
fn a_small_index_is_not_kept_waiting_by_a_large_one() {
    bench::run(|| async {
        let settings = actors::EngineSettings {
            fetchers: 2,
            ..actors::EngineSettings::default()
        };
        let bench = Bench::with(crate::fakes::FakeRetrieval::immediate(), settings).await;
        let keys: Vec<String> = (0..6).map(|n| format!("BIG{n}")).collect();
        for key in &keys {
            bench.site.space(key);
            for page in 0..1000 {
                bench
                    .site
                    .create_page(key, None, &format!("P{page}"), "<p>x</p>");
            }
        }
        pages(&bench, 5).await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(1));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let large = bench.create(bench.index_settings("large", &keys)).await;
        bench.wait(5).await;
        let began = tokio::time::Instant::now();
        let small = bench.create(bench.index_settings("small", &["ENG"])).await;
        assert_eq!(bench.over(small.id).await.status, RunStatus::Succeeded);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(30), "{took:?}");
        let still = bench.store.open_run_of(large.id).await.unwrap();
        assert!(still.is_some(), "the large one has far to go");
        assert_eq!(bench.over(large.id).await.status, RunStatus::Succeeded);
        assert!(began.elapsed() > took * 2, "{:?} in all", began.elapsed());
    });
}

#[test]
fn a_dry_run_foresees_what_a_change_of_scope_does() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let top = bench.site.create_page("ENG", None, "Top", "<p>top</p>");
        for n in 0..30 {
            let id =
                bench
                    .site
                    .create_page("ENG", Some(top), &format!("Below {n}"), "<p>below</p>");
            if n < 5 {
                bench.site.label(id, "keep");
            }
        }
        pages(&bench, 40).await;
        let index = bench.synced().await;
        let dry = SyncOrder {
            full: None,
            dry_run: true,
        };
        type Change = fn(&mut IndexSettings, ContentId);
        let steps: [(Change, (i64, i64, i64)); 4] = [
            (
                |s, top| s.root_page_ids = vec![top.to_string()],
                (0, 40, 31),
            ),
            (|s, _| s.labels = vec!["keep".into()], (0, 26, 5)),
            (|s, _| s.labels.clear(), (26, 0, 5)),
            (|s, _| s.root_page_ids.clear(), (40, 0, 31)),
        ];
        for (change, expected) in steps {
            // Switched off, so that nothing but the dry run looks at it.
            bench.patch(index.id, |s| s.enabled = false).await;
            bench.patch(index.id, |s| change(s, top)).await;
            let run = bench.engine.sync(index.id, dry).await.unwrap();
            let plan = bench.ended(run.id).await.plan.unwrap();
            let planned = (plan.add, plan.remove, plan.unchanged);
            assert_eq!(planned, expected);
            assert!(!plan.needs_confirmation, "the administrator's own change");
            let run = bench.sweep(index.id).await;
            let done = (run.counts.uploaded, run.counts.deleted);
            assert_eq!(done, (expected.0, expected.1), "the plan was true");
        }
    });
}

#[test]
fn a_dry_run_foresees_the_guard_and_believes_no_empty_listing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 30).await;
        let index = bench.synced().await;
        let dry = SyncOrder {
            full: None,
            dry_run: true,
        };
        bench.site.fail("limit=250", 1, crate::fakes::Fault::Empty);
        let run = bench.engine.sync(index.id, dry).await.unwrap();
        let plan = bench.ended(run.id).await.plan.unwrap();
        assert_eq!((plan.remove, plan.needs_confirmation), (0, false));
        for page in &bench.site.every_page()[..12] {
            bench.site.purge(page.id);
        }
        let run = bench.engine.sync(index.id, dry).await.unwrap();
        let plan = bench.ended(run.id).await.plan.unwrap();
        let found = |plan: RunPlan| (plan.hide, plan.remove, plan.needs_confirmation);
        assert_eq!(found(plan), (12, 0, false), "hidden first");
        bench.sweep(index.id).await;
        bench.wait(120).await;
        let run = bench.engine.sync(index.id, dry).await.unwrap();
        let plan = bench.ended(run.id).await.plan.unwrap();
        assert_eq!(found(plan), (0, 0, true), "and the guard asks");
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::NeedsConfirmation);
    });
}
