//! An index moves to another store object from what is kept: without a question to Confluence, answering throughout, from
//! wherever it was stopped.

use std::time::Duration;

use actors::{FailAction, Failpoints, MOVE_FAILPOINTS};
use domain::IndexId;
use domain::index::{BackendKind, Index, IndexStatus};
use domain::moving::OnChange;
use domain::page::PageState;
use domain::ports::store::SyncStore;
use domain::run::{RunKind, RunStatus};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::retrieval::StoreFault;
use crate::supervision::unanswered;
use crate::truth::held_by;

async fn pages(bench: &Bench, number: usize) -> Vec<ContentId> {
    (0..number)
        .map(|n| {
            let (title, body) = (format!("P{n}"), format!("<p>zebra t{n}</p>"));
            bench.site.create_page("ENG", None, &title, &body)
        })
        .collect()
}

/// Waits until the index moves no more.
async fn settled(bench: &Bench, index: IndexId) -> Index {
    for _ in 0..20_000 {
        let now = bench.index(index).await;
        if now.moving.is_none() && bench.store.open_run_of(index).await.unwrap().is_none() {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the move did not end: {:?}", bench.index(index).await);
}

fn is_true(bench: &Bench, index: &Index) {
    let shelf = match index.settings.backend {
        BackendKind::Local => &bench.shelf,
        BackendKind::LlamaCloud => &bench.cloud,
    };
    assert_eq!(held_by(shelf), bench.truth(&index.settings));
}

#[test]
fn there_and_back_without_a_question_to_confluence() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 300).await;
        let index = bench.synced().await.id;
        bench
            .cloud
            .with(|shelf| shelf.latency = Duration::from_secs(1));
        for (target, other) in [
            (BackendKind::LlamaCloud, &bench.shelf),
            (BackendKind::Local, &bench.cloud),
        ] {
            let before = bench.index(index).await;
            let as_of = bench.ask(index, "zebra").await.as_of;
            let run = bench
                .engine
                .move_index(index, target)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(run.kind, RunKind::Move);
            // It answers from where it is until the other is complete.
            let mut asked = 0;
            loop {
                let now = bench.index(index).await;
                let answer = bench.ask(index, "zebra").await;
                assert!(
                    answer.results.len() >= 8 && answer.as_of == as_of,
                    "{answer:?}"
                );
                if now.moving.is_none() {
                    break;
                }
                assert_eq!(now.remote, before.remote);
                asked += 1;
                bench.wait(1).await;
            }
            assert!(asked > 3 || target == BackendKind::Local, "{asked}");
            let run = bench.ended(run.id).await;
            assert_eq!(
                (run.status, run.counts.seen, run.counts.failed),
                (RunStatus::Succeeded, 300, 0)
            );
            assert_eq!((run.counts.searchable, run.requests.confluence), (300, 0));
            assert_eq!(
                bench.site.take_log().len(),
                0,
                "Confluence was asked for nothing"
            );
            let now = settled(&bench, index).await;
            assert_eq!((now.settings.backend, now.document_count), (target, 300));
            assert_eq!(now.status, IndexStatus::Ok);
            is_true(&bench, &now);
            bench.wait(400).await;
            assert!(
                other.documents().is_empty(),
                "what was left behind is removed"
            );

            // Nothing is stored again, and what changes afterwards goes to the new one.
            let (page, title) = (
                bench.site.create_page("ENG", None, "New", "<p>new</p>"),
                "New again",
            );
            let run = bench.sweep(index).await;
            assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 1));
            bench.site.rename(page, title);
            bench.site.purge(page);
            bench.sweep(index).await;
            bench.wait(120).await;
            bench.sweep(index).await;
            is_true(&bench, &bench.index(index).await);
            bench.site.take_log();
        }
    });
}

#[test]
fn a_move_that_dies_at_any_place_goes_on_from_its_rows() {
    for place in MOVE_FAILPOINTS {
        for hit in [1, 2] {
            bench::run(move || async move {
                let mut bench = Bench::new().await;
                pages(&bench, 250).await;
                let index = bench.synced().await.id;
                // The action of a place is a panic here; the process dies at it in the tests of the service.
                bench.settings.failpoints = Failpoints::at(place, FailAction::Panic, hit);
                bench.restart().await;
                bench
                    .engine
                    .move_index(index, BackendKind::LlamaCloud)
                    .await
                    .unwrap();
                let now = settled(&bench, index).await;
                assert_eq!(now.settings.backend, BackendKind::LlamaCloud, "{place}");
                is_true(&bench, &now);
                assert_eq!(bench.site.take_log().len(), 0, "{place}");
                let doubles = bench.cloud.uploads() - 250;
                assert!(
                    doubles <= unanswered(place),
                    "{place}: {doubles} uploads too many"
                );
                bench.wait(400).await;
                assert!(bench.shelf.documents().is_empty(), "{place}");
            });
        }
    }
}

#[test]
fn a_store_that_is_down_holds_a_move_up_and_syncs_go_on_in_the_old() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        let pages = pages(&bench, 120).await;
        let index = bench.synced().await.id;
        // The object is made and the first batches arrive; then nothing does.
        for _ in 0..3 {
            bench.cloud.fail(1, StoreFault::LostAnswer);
        }
        bench.cloud.fail(100_000, StoreFault::Unavailable);
        let run = bench
            .engine
            .move_index(index, BackendKind::LlamaCloud)
            .await
            .unwrap()
            .unwrap();
        let run = bench.ended(run.id).await;
        assert_eq!(run.error.unwrap().code, "store_unreachable");
        let now = bench.index(index).await;
        assert_eq!(
            (now.status, now.settings.backend),
            (IndexStatus::Degraded, BackendKind::Local)
        );
        assert!(now.status_reason.unwrap().contains("the old store answers"));
        assert_eq!(now.moving.unwrap().backend, BackendKind::LlamaCloud);

        bench.site.edit(pages[3], "<p>zebra edited</p>");
        bench.site.trash(pages[4]);
        let new = bench.site.create_page("ENG", None, "New", "<p>new</p>");
        bench.sweep(index).await;
        bench.assert_true(index).await;
        assert_eq!(bench.finds(index, "new").await, [new.to_string()]);
        bench.restart().await;
        bench.cloud.with(|shelf| shelf.faults.clear());
        let now = settled(&bench, index).await;
        assert_eq!(now.settings.backend, BackendKind::LlamaCloud);
        bench.sweep(index).await;
        is_true(&bench, &now);
        assert_eq!(bench.index(index).await.status, IndexStatus::Ok);
    });
}

#[test]
fn documents_that_the_new_store_refuses_do_not_hold_it_up_for_ever() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 40).await;
        let index = bench.synced().await.id;
        let bad = format!("confluence-page-{}", pages[7]);
        bench
            .cloud
            .with(|shelf| shelf.refuse.insert(bad, "too odd".to_owned()));
        let run = bench
            .engine
            .move_index(index, BackendKind::LlamaCloud)
            .await
            .unwrap()
            .unwrap();
        let run = bench.ended(run.id).await;
        assert_eq!(
            (run.status, run.error.unwrap().code),
            (RunStatus::Partial, "move_incomplete".to_owned())
        );
        let moving = bench.index(index).await.moving.unwrap();
        assert_eq!(
            (moving.documents, moving.searchable, moving.failed),
            (40, 39, 1)
        );
        assert_eq!(bench.finds(index, "t7").await, [pages[7].to_string()]);

        let now = settled(&bench, index).await;
        assert_eq!(
            (now.settings.backend, now.document_count),
            (BackendKind::LlamaCloud, 39)
        );
        let page = bench.page(index, pages[7]).await;
        assert_eq!(page.state, PageState::Failed);
        assert!(page.reason.unwrap().contains("too odd"));
        bench.cloud.with(|shelf| shelf.refuse.clear());
        bench.wait(3600).await;
        bench.sweep(index).await;
        is_true(&bench, &bench.index(index).await);
    });
}

#[test]
fn the_settings_ask_for_another_kind_of_object() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        pages(&bench, 30).await;
        let index = bench.synced().await.id;
        let first = bench.index(index).await.remote.unwrap().kind;
        bench
            .shelf
            .with(|shelf| shelf.object = Some("second_generation"));
        // Nobody has agreed yet: it stays where it is.
        bench.restart().await;
        bench.wait(400).await;
        let asks = bench.index(index).await;
        assert_eq!((asks.moving, asks.remote.unwrap().kind), (None, first));
        assert_eq!(bench.shelf.with(|shelf| shelf.documents.len()), 1);

        bench.site.take_log();
        bench.settings.on_change = OnChange::Rebuild;
        bench.restart().await;
        let now = settled(&bench, index).await;
        assert_eq!(now.remote.unwrap().kind, "second_generation");
        assert_eq!(bench.site.take_log().len(), 0);
        bench.wait(400).await;
        assert_eq!(
            bench.shelf.with(|shelf| shelf.documents.len()),
            1,
            "the old object is gone"
        );
        bench.assert_true(index).await;

        // Asked for again it fills the same object anew, and removes nothing.
        let uploads = bench.shelf.uploads();
        bench
            .engine
            .move_index(index, BackendKind::Local)
            .await
            .unwrap();
        settled(&bench, index).await;
        assert_eq!(bench.shelf.uploads(), uploads + 30);
        bench.wait(400).await;
        bench.assert_true(index).await;
    });
}

#[test]
fn a_move_that_is_given_up_leaves_nothing_behind() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 200).await;
        let index = bench.synced().await.id;
        bench
            .cloud
            .with(|shelf| shelf.latency = Duration::from_secs(2));
        let run = bench
            .engine
            .move_index(index, BackendKind::LlamaCloud)
            .await
            .unwrap()
            .unwrap();
        bench.wait(7).await;
        bench.engine.abandon_move(index).await.unwrap();
        assert_eq!(bench.ended(run.id).await.status, RunStatus::Canceled);
        bench.wait(400).await;
        let now = settled(&bench, index).await;
        assert_eq!(
            (now.settings.backend, now.status),
            (BackendKind::Local, IndexStatus::Ok)
        );
        assert!(bench.cloud.with(|shelf| shelf.documents.is_empty()));
        bench.assert_true(index).await;
    });
}
