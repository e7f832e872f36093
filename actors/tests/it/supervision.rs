//! Actors that die are replaced, and what they worked on goes on.

use std::time::Duration;

use actors::{EngineSettings, FAILPOINTS, FailAction, Failpoints};
use domain::index::IndexStatus;
use domain::ports::store::{OpenCounts, SyncStore};
use domain::run::RunStatus;

use crate::bench::{self, Bench};
use crate::fakes::{FakeRetrieval, Fault};

#[test]
fn a_fetcher_that_dies_is_replaced_and_the_run_goes_on() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>a</p>");
        bench.site.fail("list", 1, Fault::Panic);
        bench.site.fail("facts", 1, Fault::Panic);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
        bench.wait(5).await;
        let status = bench.engine.status().await;
        assert_eq!((status.respawns, status.fetchers), (2, 8));
    });
}

#[test]
fn a_run_that_dies_at_any_place_is_taken_up_and_ends_where_an_undisturbed_one_does() {
    for place in FAILPOINTS {
        for hit in [1, 2] {
            bench::run(move || die_once(place, hit));
        }
    }
}

/// 301 pages, on the first thirty of them a comment with a reply, on the first twenty a file, and so many more that no text can
/// be made of.
async fn die_once(place: &'static str, hit: u32) {
    let settings = EngineSettings {
        failpoints: Failpoints::at(place, FailAction::Panic, hit),
        ..EngineSettings::default()
    };
    let bench = Bench::with(FakeRetrieval::slow(), settings).await;
    let site = &bench.site;
    let top = site.create_page("ENG", None, "Top", "<p>top</p>");
    let mut pages = Vec::new();
    for n in 0..300 {
        let page = site.create_page("ENG", Some(top), &format!("P{n}"), &format!("<p>t{n}</p>"));
        if n < 30 {
            let comment = site.comment(page, &format!("<p>said {n}</p>"));
            site.reply(comment, &format!("<p>answered {n}</p>"));
        }
        if n < 20 {
            let words = format!("words of file {n}");
            site.attach(page, "a.txt", "text/plain", words.as_bytes());
            site.attach(page, "a.png", "image/png", b"pixels");
        }
        pages.push(page);
    }
    let mut wanted = bench.index_settings("agent", &["ENG"]);
    wanted.include_comments = true;
    wanted.include_attachments = true;
    let index = bench.create(wanted).await;
    let run = bench.over(index.id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{place}: {run:?}");
    bench.assert_true(index.id).await;

    site.purge(pages[7]);
    site.trash(pages[8]);
    site.comment(pages[9], "<p>said late</p>");
    site.attach(pages[10], "late.txt", "text/plain", b"late words");
    site.rename(top, "Summit");
    bench.sweep(index.id).await;
    bench.wait(120).await;
    let run = bench.sweep(index.id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{place}: {run:?}");
    bench.assert_true(index.id).await;
    let passed = bench.engine.status().await.respawns > 0;
    assert!(passed || hit > 1, "{place} was not passed");
    let repeated = bench.shelf.repeated().len();
    assert!(
        repeated <= unanswered(place),
        "{place}: {repeated} repeated"
    );
    // The two pages that left and their files may be renamed with all others before they are asked for.
    let more = bench.shelf.uploads() - repeated - (301 + 20) - (299 + 19);
    assert!(more <= 4, "{place}: {more} uploads too many");
}

/// So many documents may be on their way to the store when a run dies at a place, and never be answered, so that they are sent
/// again: where the uploader itself dies, its batches in flight; where the run does, none.
pub fn unanswered(place: &str) -> usize {
    match place {
        "before_upload" | "after_upload_before_ack" | "after_ack" => 4 * 50,
        _ => 0,
    }
}

/// The run dies while its upload worker has batches on their way, several times at several places.
#[test]
fn a_run_that_dies_leaves_no_worker_behind_and_counts_what_the_store_counted() {
    for (place, hit) in [
        ("after_holdings_written", 2),
        ("after_holdings_written", 5),
        ("after_facts_recorded", 20),
        ("after_page_saved", 9),
    ] {
        for immediate in [false, true] {
            bench::run(move || async move {
                let settings = EngineSettings {
                    failpoints: Failpoints::at(place, FailAction::Panic, hit),
                    ..EngineSettings::default()
                };
                let shelf = match immediate {
                    true => FakeRetrieval::immediate(),
                    false => FakeRetrieval::slow(),
                };
                let bench = Bench::with(shelf, settings).await;
                bench
                    .shelf
                    .with(|shelf| shelf.latency = Duration::from_secs(3));
                for n in 0..3_000 {
                    let body = format!("<p>t{n}</p>");
                    bench.site.create_page("ENG", None, &format!("P{n}"), &body);
                }
                let index = bench
                    .create(bench.index_settings("agent", &["ENG"]))
                    .await
                    .id;
                let run = bench.over(index).await;
                assert_eq!(run.status, RunStatus::Succeeded, "{place}: {run:?}");
                assert!(bench.engine.status().await.respawns > 0, "{place}");
                assert_eq!(bench.shelf.uploads(), 3_000, "{place} {hit}");
                assert_eq!(
                    (
                        run.counts.uploaded,
                        run.counts.searchable,
                        run.counts.failed
                    ),
                    (3_000, 3_000, 0),
                    "{place} {hit}"
                );
                bench.assert_true(index).await;
                // Nobody works on, and nothing is claimed.
                bench.wait(60).await;
                assert_eq!(bench.store.release_claims(&[]).await.unwrap(), 0);
                let serving = bench.store.index_state(index).await.unwrap().serving;
                let open = bench.store.open_holdings(serving).await.unwrap();
                assert_eq!(open, OpenCounts::default());
                assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
                assert_eq!(bench.shelf.uploads(), 3_000);
            });
        }
    }
}

#[test]
fn a_run_that_dies_again_and_again_is_given_up_and_an_order_tries_anew() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>a</p>");
        let index = bench.synced().await;
        // The uploader and the index's own actor are apart: here the run itself dies each time.
        let mut settings = bench.settings.clone();
        settings.failpoints = Failpoints::always("after_run_started", FailAction::Panic);
        let other = Bench::with(FakeRetrieval::immediate(), settings).await;
        other.site.create_page("ENG", None, "A", "<p>a</p>");
        let dying = other.create(other.index_settings("agent", &["ENG"])).await;
        let run = other.over(dying.id).await;
        assert_eq!(run.status, RunStatus::Failed);
        assert_eq!(run.error.unwrap().code, "internal");
        let now = other.index(dying.id).await;
        assert_eq!(now.status, IndexStatus::Failed);
        assert!(now.next_run_at.is_some());
        let status = other.engine.status().await;
        assert!(status.ready && status.indexes[0].given_up, "{status:?}");
        assert_eq!(bench.sweep(index.id).await.status, RunStatus::Succeeded);
    });
}

/// §7: a dry run changes nothing, however it ends.
#[test]
fn a_dry_run_that_is_given_up_leaves_the_index_as_it_stood() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>a</p>");
        let index = bench.synced().await;
        let before = bench.index(index.id).await;
        bench.settings.failpoints = Failpoints::always("after_run_started", FailAction::Panic);
        bench.restart().await;
        let dry = actors::SyncOrder {
            full: None,
            dry_run: true,
        };
        let run = bench.engine.sync(index.id, dry).await.unwrap();
        let run = bench.ended(run.id).await;
        assert_eq!(run.status, RunStatus::Failed);
        assert_eq!(run.error.unwrap().code, "internal");
        let after = bench.index(index.id).await;
        assert_eq!(
            (after.status, after.status_reason, after.next_run_at),
            (before.status, before.status_reason, before.next_run_at)
        );
    });
}
