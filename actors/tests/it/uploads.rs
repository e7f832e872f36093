//! Uploads are confirmed, batches shrink, one bad document stops nothing, and nothing is uploaded twice.

use std::collections::HashSet;
use std::time::Duration;

use actors::EngineSettings;
use domain::PageId;
use domain::holding::{Change, HoldingChange};
use domain::index::IndexStatus;
use domain::page::{PageState, Standing};
use domain::ports::store::SyncStore;
use domain::run::RunStatus;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::FakeRetrieval;
use crate::fakes::retrieval::StoreFault;

async fn hundred(bench: &Bench) -> Vec<ContentId> {
    (0..100)
        .map(|n| {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), &format!("<p>t{n}</p>"))
        })
        .collect()
}

#[test]
fn a_run_ends_when_its_documents_are_searchable_or_have_failed() {
    bench::run(|| async {
        let settings = EngineSettings {
            upload_deadline: Duration::from_secs(300),
            ..EngineSettings::default()
        };
        let bench = Bench::with(FakeRetrieval::slow(), settings).await;
        let pages = hundred(&bench).await;
        bench.shelf.with(|shelf| {
            shelf
                .fail_ingestion
                .insert(format!("confluence-page-{}", pages[3]));
            shelf
                .never_ingest
                .insert(format!("confluence-page-{}", pages[4]));
            shelf
                .refuse
                .insert(format!("confluence-page-{}", pages[5]), "no".to_owned());
        });
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let first = bench.over(index.id).await;
        assert_eq!(first.status, RunStatus::Partial);
        assert_eq!(
            (
                first.counts.uploaded,
                first.counts.searchable,
                first.counts.failed
            ),
            (99, 97, 3)
        );
        assert_eq!(bench.shelf.with(|shelf| shelf.commits), 1, "once per run");
        let reason = |page: domain::page::Page| page.reason.unwrap();
        assert!(reason(bench.page(index.id, pages[3]).await).contains("parsed"));
        assert!(reason(bench.page(index.id, pages[4]).await).contains("300 s"));
        assert!(reason(bench.page(index.id, pages[5]).await).contains("no"));

        bench.shelf.with(|shelf| {
            shelf.fail_ingestion.clear();
            shelf.never_ingest.clear();
            shelf.refuse.clear();
        });
        bench.wait(600).await;
        // Their tries are told with jitter: those that are due within a minute are tried in one run, the others in the next.
        let retried = bench.runs_after(first.id).await;
        assert!(matches!(retried.len(), 1..=2), "{retried:?}");
        assert!(retried.iter().all(|run| run.status == RunStatus::Succeeded));
        let searchable: i64 = retried.iter().map(|run| run.counts.searchable).sum();
        assert_eq!(searchable, 3);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn batches_halve_until_the_store_takes_them() {
    bench::run(|| async {
        let bench = Bench::new().await;
        hundred(&bench).await;
        bench.shelf.with(|shelf| shelf.too_large_above = Some(9));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        assert_eq!(bench.held().len(), 100);
        assert!(bench.shelf.with(|shelf| shelf.largest_batch) <= 9);
    });
}

#[test]
fn a_store_that_is_down_fails_the_run_and_the_rest_waits_in_rows() {
    bench::run(|| async {
        let bench = Bench::new().await;
        hundred(&bench).await;
        let index = bench.synced().await;
        let page = bench.site.create_page("ENG", None, "New", "<p>new</p>");
        bench.wait(1).await;
        // `ensure` works, and then nothing does.
        bench.shelf.fail(1, StoreFault::LostAnswer);
        bench.shelf.fail(1000, StoreFault::Unavailable);
        let run = bench.delta(index.id).await;
        assert_eq!(run.status, RunStatus::Failed, "{run:?}");
        assert_eq!(run.error.unwrap().code, "store_unreachable");
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Failed);
        assert_eq!(bench.state(index.id, page).await, PageState::Pending);
        bench.shelf.with(|shelf| shelf.faults.clear());
        let run = bench.delta(index.id).await;
        assert_eq!(
            (run.status, run.counts.uploaded, run.counts.fetched),
            (RunStatus::Succeeded, 1, 0)
        );
        bench.assert_true(index.id).await;
    });
}

#[test]
fn an_answer_that_was_lost_is_repeated_under_the_same_id() {
    bench::run(|| async {
        let bench = Bench::new().await;
        hundred(&bench).await;
        bench.shelf.fail(1, StoreFault::LostAnswer);
        bench.shelf.fail(1, StoreFault::LostAnswer);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
        let distinct: HashSet<_> = bench
            .shelf
            .with(|shelf| shelf.uploads.iter().cloned().collect());
        assert_eq!(distinct.len(), 100, "the same content under the same id");
    });
}

#[test]
fn no_credits_end_the_run_with_the_reason() {
    bench::run(|| async {
        let bench = Bench::new().await;
        hundred(&bench).await;
        bench.shelf.fail(1, StoreFault::LostAnswer);
        bench.shelf.fail(100, StoreFault::NoCredits);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!(run.status, RunStatus::Failed);
        assert_eq!(run.error.unwrap().code, "store_credits");
    });
}

#[test]
fn a_store_object_that_is_gone_is_made_and_filled_again() {
    bench::run(|| async {
        let bench = Bench::new().await;
        hundred(&bench).await;
        let index = bench.synced().await;
        bench.shelf.with(|shelf| shelf.documents.clear());
        let run = bench.sweep(index.id).await;
        assert_eq!(
            (run.status, run.counts.uploaded, run.counts.fetched),
            (RunStatus::Succeeded, 100, 0)
        );
        bench.assert_true(index.id).await;
    });
}

#[test]
fn an_uploader_that_dies_is_replaced_and_the_run_goes_on() {
    bench::run(|| async {
        let bench = Bench::new().await;
        hundred(&bench).await;
        bench.shelf.fail(1, StoreFault::LostAnswer);
        bench.shelf.fail(1, StoreFault::Panic);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
        assert!(bench.engine.status().await.respawns >= 1);
    });
}

#[test]
fn a_full_run_finds_what_the_store_lost_and_what_it_should_not_hold() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = hundred(&bench).await;
        let index = bench.synced().await;
        bench.shelf.with(|shelf| {
            let stored = shelf.documents.values_mut().next().unwrap();
            let lost = stored.remove(&format!("confluence-page-{}", pages[3]).as_str().into());
            let mut orphan = lost.unwrap();
            orphan.id = "confluence-page-77".into();
            stored.insert(orphan.id.clone(), orphan);
        });
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 0);
        let run = bench.order(index.id, Some(true)).await;
        assert_eq!(
            (run.status, run.counts.uploaded, run.counts.fetched),
            (RunStatus::Succeeded, 1, 0)
        );
        bench.assert_true(index.id).await;
    });
}

#[test]
fn two_indexes_that_sync_the_same_pages_at_once_both_come_to_their_end() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..300 {
            let link = format!(
                "<p>see <ac:link><ri:page ri:content-title=\"P{}\" /></ac:link></p>",
                299 - n
            );
            bench.site.create_page("ENG", None, &format!("P{n}"), &link);
        }
        bench
            .site
            .with(|site| site.latency = Duration::from_millis(700));
        let first = bench.create(bench.index_settings("one", &["ENG"])).await;
        bench.wait(1).await;
        let second = bench.create(bench.index_settings("two", &["ENG"])).await;
        for index in [first.id, second.id] {
            let run = bench.over(index).await;
            assert_eq!(
                (run.status, run.counts.searchable),
                (RunStatus::Succeeded, 300),
                "{run:?}"
            );
        }
        for index in [first.id, second.id] {
            assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
        }
    });
}

#[test]
fn what_a_killed_run_staged_does_not_keep_a_newer_version_waiting() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "A", "<p>first</p>");
        let index = bench.synced().await.id;
        bench.site.edit(page, "<p>second</p>");
        // As a run leaves it that dies after it listed the second version, with the first one staged.
        let id = PageId::from(page.to_string());
        let mut rows = bench.store.pages_by_id(index, &[id]).await.unwrap();
        let serving = bench.store.index_state(index).await.unwrap().serving;
        let lost = HoldingChange {
            page_id: rows[0].page_id.clone(),
            kind: rows[0].kind,
            change: Change::Lost,
        };
        let staged = bench.store.change_holdings(serving, &[lost]).await.unwrap();
        assert_eq!(staged, [true]);
        rows[0].facts.version = 2;
        rows[0].facts.modified = bench.site.true_page(page).unwrap().modified_at;
        rows[0].standing = Standing::Undecided;
        bench
            .store
            .save_pages(&rows, &[], Vec::new())
            .await
            .unwrap();
        // The store is asked for what is staged long before the listing answers.
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(2));
        assert_eq!(bench.sweep(index).await.status, RunStatus::Succeeded);
        bench.assert_true(index).await;
    });
}

#[test]
fn more_text_than_is_held_at_once_goes_out_bit_by_bit() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let text = "word ".repeat(200_000);
        for n in 0..24 {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), &format!("<p>{n} {text}</p>"));
        }
        let index = bench.create(bench.index_settings("large", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!(
            (run.status, run.counts.uploaded, run.counts.searchable),
            (RunStatus::Succeeded, 24, 24)
        );
        assert_eq!(bench.held().len(), 24);
    });
}
