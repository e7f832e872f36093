//! One bad page, space or answer stops nothing else: it is recorded with its reason, and tried again.

use std::collections::HashSet;
use std::time::Duration;

use domain::PageId;
use domain::event::EventKind;
use domain::index::{IndexStatus, SpaceState};
use domain::page::{PageState, Standing};
use domain::ports::store::{AdminStore, SyncStore};
use domain::run::RunStatus;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::Fault;

/// Whether these pages come with their bodies where those are asked for.
fn bodies_come(bench: &Bench, pages: &[ContentId], come: bool) {
    let fields = match come {
        true => serde_json::json!({}),
        false => serde_json::json!({"body": {}}),
    };
    for id in pages {
        bench.site.override_json(*id, fields.clone());
    }
}

#[test]
fn a_poison_page_among_edits_is_isolated_by_id_and_does_not_hold_the_watermark_back() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..60)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), &format!("<p>t{n}</p>"))
            })
            .collect();
        let index = bench.synced().await;
        bench.wait(3600 * 2).await;
        bench.over(index.id).await;
        for id in &pages[..40] {
            bench.site.edit(*id, &format!("<p>edited {id}</p>"));
        }
        bench.site.with(|site| site.poison.insert(pages[20]));
        let run = bench.delta(index.id).await;
        assert_eq!(
            (run.status, run.counts.fetched, run.counts.failed),
            (RunStatus::Partial, 39, 1)
        );
        bench.wait(3600).await;
        bench.site.edit(pages[50], "<p>later</p>");
        bench.delta(index.id).await;
        bench.site.take_log();
        bench.delta(index.id).await;
        let log = bench.site.take_log();
        let polls = log.iter().filter(|l| l.contains("NewestFirst")).count();
        assert_eq!(polls, 1, "{log:#?}");
        // Someone asks for it by hand.
        bench.site.with(|site| site.poison.clear());
        let id = PageId::from(pages[20].to_string());
        bench.wait(5).await;
        if bench.store.retry_page(index.id, &id).await.is_ok() {
            bench.engine.index_changed(index.id);
            bench.wait(30).await;
            bench.over(index.id).await;
        }
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_space_that_fails_does_not_stop_the_others() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        bench.site.create_page("ENG", None, "E", "<p>e</p>");
        bench.site.create_page("OPS", None, "O", "<p>o</p>");
        bench
            .site
            .fail(&bench.listing("OPS"), 100, Fault::Forbidden);
        let index = bench
            .create(bench.index_settings("agent", &["ENG", "OPS"]))
            .await;
        let run = bench.over(index.id).await;
        assert_eq!(run.status, RunStatus::Partial);
        assert!(run.error.as_ref().unwrap().detail.contains("OPS"));
        assert_eq!(bench.held().len(), 1);
        let now = bench.index(index.id).await;
        assert_eq!(now.spaces[1].state, SpaceState::Failing);
        assert_eq!(now.status, IndexStatus::Degraded);
        bench.site.heal();
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(
            bench.index(index.id).await.spaces[1].state,
            SpaceState::Current
        );
    });
}

#[test]
fn refused_credentials_end_the_run_at_once_and_say_so() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "E", "<p>e</p>");
        let index = bench.synced().await;
        bench.site.fail("whoami", 1, Fault::Unauthorized);
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::Failed);
        assert_eq!(run.error.unwrap().code, "confluence_unauthorized");
        assert_eq!(bench.site.take_log().len(), 1);
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Failed);
        // Tried again soon, without anybody's help.
        bench.wait(15 * 60).await;
        bench.over(index.id).await;
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Ok);
    });
}

#[test]
fn a_pause_longer_than_the_clients_patience_is_waited_out() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "E", "<p>e</p>");
        bench.site.fail("list", 2, Fault::RateLimited(120));
        bench.site.fail("facts", 1, Fault::RateLimited(30));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn answers_that_are_too_large_come_in_smaller_pieces() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..300 {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), "<p>x</p>");
        }
        bench.site.fail("limit=250", 1, Fault::TooLarge);
        bench.site.fail("limit=125", 1, Fault::TooLarge);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        assert_eq!(bench.held().len(), 300);
        let log = bench.site.take_log();
        assert!(log.iter().any(|l| l.contains("limit=62")), "{log:#?}");
    });
}

#[test]
fn a_refused_cursor_begins_the_walk_again() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..600 {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), "<p>x</p>");
        }
        bench
            .site
            .with(|site| site.latency = Duration::from_millis(5));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        for _ in 0..1000 {
            let listed = bench.site.with(|site| {
                site.log
                    .iter()
                    .filter(|l| l.contains("bodies=true"))
                    .count()
                    > 0
            });
            if listed {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bench.site.fail("bodies=true", 1, Fault::BadCursor);
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.counts.seen), (RunStatus::Succeeded, 600));
        assert_eq!(bench.shelf.uploads(), 600);
    });
}

#[test]
fn a_page_whose_body_never_comes_is_named_waits_and_enters_when_it_comes() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..5)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), "<p>x</p>")
            })
            .collect();
        bodies_come(&bench, &[pages[1], pages[3]], false);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.counts.failed), (RunStatus::Partial, 2));
        assert_eq!(bench.held().len(), 3);
        let page = bench.page(index.id, pages[1]).await;
        assert_eq!((page.state, page.attempts), (PageState::Failed, 1));
        assert!(page.reason.unwrap().contains("without its body"));
        assert!(page.next_try_at.is_some());

        // Not before its time, and later each time.
        bench.site.take_log();
        bench.delta(index.id).await;
        let log = bench.site.take_log();
        assert!(!log.iter().any(|l| l.contains("bodies=true")), "{log:#?}");
        bodies_come(&bench, &[pages[1], pages[3]], true);
        bench.wait(24 * 3600).await;
        bench.delta(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 5);
    });
}

#[test]
fn pages_without_bodies_starve_none_behind_them() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let first: Vec<ContentId> = (0..2_010)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), "<p>x</p>")
            })
            .collect();
        bodies_come(&bench, &first, false);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.over(index.id).await;
        bench.wait(60).await;
        // Edited pages are listed without bodies.
        let last = bench.site.create_page("ENG", None, "Last", "<p>last</p>");
        bench.delta(index.id).await;
        assert_eq!(bench.state(index.id, last).await, PageState::Searchable);
    });
}

/// Pages whose bodies cannot be fetched, after their first sync.
async fn failing(bench: &Bench, number: usize) -> (domain::IndexId, Vec<ContentId>) {
    let pages: Vec<ContentId> = (0..number)
        .map(|n| {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), "<p>t</p>")
        })
        .collect();
    bench.site.with(|site| site.poison.extend(&pages));
    let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
    bench.over(index.id).await;
    (index.id, pages)
}

#[test]
fn a_page_that_waits_for_its_facts_is_tried_when_asked_for_whatever_stands_before_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..502)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), "<p>t</p>")
            })
            .collect();
        let last = pages[501];
        bench.site.with(|site| site.poison.extend(&pages[..501]));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.over(index.id).await;
        // Five hundred and one that failed stand before it, and its body is there.
        let mut waits = bench.record(index.id, last).await;
        assert_eq!(waits.body_version, Some(1));
        waits.standing = Standing::Failed;
        waits.next_try_at = Some(bench.clock.true_now() + chrono::TimeDelta::hours(6));
        bench
            .store
            .save_pages(&[waits], &[], Vec::new())
            .await
            .unwrap();
        let before = bench.over(index.id).await;
        let page = PageId::from(last.to_string());
        bench.store.retry_page(index.id, &page).await.unwrap();
        bench.engine.index_changed(index.id);
        bench.wait(2).await;
        let run = bench.over(index.id).await;
        assert_ne!(run.id, before.id, "a run began for it");
        assert_eq!(bench.state(index.id, last).await, PageState::Searchable);
    });
}

#[test]
fn the_next_try_that_is_told_is_kept_and_two_runs_try_all_that_failed_together() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, pages) = failing(&bench, 40).await;
        let first = bench.over(index).await;
        let mut told = Vec::new();
        for page in &pages {
            told.push(bench.page(index, *page).await.next_try_at.unwrap());
        }
        let (earliest, latest) = (*told.iter().min().unwrap(), *told.iter().max().unwrap());
        bench.site.with(|site| site.poison.clear());
        let due_in = (latest - bench.clock.true_now()).num_seconds().max(0);
        bench.wait(u64::try_from(due_in).unwrap() + 80).await;
        let newest = bench.over(index).await;
        assert_eq!(newest.status, RunStatus::Succeeded);
        for page in &pages {
            assert_eq!(bench.state(index, *page).await, PageState::Searchable);
        }
        let retried = bench.runs_after(first.id).await;
        let began = retried.iter().filter_map(|run| run.started_at).min();
        let began = began.unwrap();
        assert!(began >= earliest.max(first.finished_at.unwrap() + chrono::TimeDelta::minutes(1)));
        assert!(
            began - earliest <= chrono::TimeDelta::seconds(62),
            "{began} {earliest}"
        );
        assert!(retried.len() <= 2, "{retried:?}");
        let uploaded: i64 = retried.iter().map(|run| run.counts.uploaded).sum();
        assert_eq!(uploaded, 40);
        // Nothing waits any more, and nothing begins.
        bench.wait(600).await;
        assert_eq!(bench.over(index).await.id, newest.id);
    });
}

#[test]
fn of_pages_that_fail_together_the_first_hundred_are_named_and_all_are_counted() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, pages) = failing(&bench, 230).await;
        let run = bench.over(index).await;
        assert_eq!((run.status, run.counts.failed), (RunStatus::Partial, 230));
        let events = bench
            .store
            .events_after(0, Some(index), 10_000)
            .await
            .unwrap();
        let named: HashSet<String> = events
            .iter()
            .filter(|event| event.event.kind == EventKind::PageFailed)
            .map(|event| event.event.data["id"].as_str().unwrap().to_owned())
            .collect();
        let of_run = events.iter().filter(|event| {
            event.event.kind == EventKind::PageFailed && event.event.run_id == Some(run.id)
        });
        assert_eq!((named.len(), of_run.count()), (100, 100));
        // The end of the run tells how many there are, and each page tells why.
        let over = events
            .iter()
            .find(|event| event.event.kind == EventKind::RunFinished);
        assert_eq!(over.unwrap().event.data["counts"]["failed"], 230);
        for page in &pages {
            assert!(bench.page(index, *page).await.reason.is_some());
        }
    });
}
