//! A store that has something against single documents: they are named, tried again, and stop nothing else; what has to
//! leave leaves in the end.

use std::time::Duration;

use actors::EngineSettings;
use domain::PageId;
use domain::document::DocumentMetadata;
use domain::holding::{Change, HoldingChange};
use domain::index::IndexStatus;
use domain::page::{PageRecord, PageState, Standing};
use domain::ports::store::{AdminStore, SyncStore};
use domain::run::RunStatus;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::FakeRetrieval;
use crate::fakes::retrieval::StoreFault;

fn document(page: ContentId) -> String {
    format!("confluence-page-{page}")
}

async fn pages(bench: &Bench, number: usize) -> Vec<ContentId> {
    (0..number)
        .map(|n| {
            let body = format!("<p>text{n}.</p>");
            bench.site.create_page("ENG", None, &format!("P{n}"), &body)
        })
        .collect()
}

#[test]
fn one_document_without_an_answer_is_named_and_stops_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 120).await;
        bench
            .shelf
            .with(|shelf| shelf.unanswered.insert(document(pages[7])));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!(
            (run.status, run.counts.failed, run.counts.searchable),
            (RunStatus::Partial, 1, 119),
            "{run:?}"
        );
        let page = bench.page(index.id, pages[7]).await;
        assert_eq!(page.state, PageState::Failed);
        assert!(page.reason.unwrap().contains("500"));
        assert!(page.next_try_at.is_some());
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Degraded);

        bench.shelf.with(|shelf| shelf.unanswered.clear());
        bench.wait(600).await;
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 1));
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_limit_is_waited_for_and_fails_neither_run_nor_document() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 30).await;
        // Many more rounds than a store may be silent, and within what an upload may take.
        bench.shelf.fail(20, StoreFault::Limited(30));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!(
            (run.status, run.counts.failed, run.counts.searchable),
            (RunStatus::Succeeded, 0, 30),
            "{run:?}"
        );
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_limit_that_lasts_longer_than_an_upload_may_take_ends_the_run_and_loses_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 30).await;
        bench.shelf.fail(100, StoreFault::Limited(30));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!(
            (run.status, run.counts.failed),
            (RunStatus::Failed, 0),
            "{run:?}"
        );
        bench.shelf.with(|shelf| shelf.faults.clear());
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_wait_longer_than_an_upload_may_take_is_kept_by_the_next_run() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let index = bench.synced().await;
        bench.wait(60).await;
        pages(&bench, 30).await;
        // The object is there. The uploads then: an hour, and an upload may take a quarter of one.
        bench.shelf.fail(1, StoreFault::None);
        bench.shelf.fail(1, StoreFault::Limited(3600));
        let run = bench.delta(index.id).await;
        assert_eq!((run.status, run.counts.failed), (RunStatus::Failed, 0));
        let error = run.error.unwrap();
        assert_eq!(error.code, "store_rate_limited");
        let said = "it takes them again in 3600 s; the next run goes on then";
        assert!(error.detail.ends_with(said), "{}", error.detail);
        let ended = run.finished_at.unwrap();
        let took = ended - run.started_at.unwrap();
        assert!(
            took.num_seconds() < 60,
            "nothing is gained by waiting for a part of it"
        );
        let next = bench.index(index.id).await.next_run_at.unwrap();
        assert_eq!((next - ended).num_seconds(), 3600);
        // It goes on by itself then, and asks Confluence for no text anew.
        bench.wait(3600 - 60).await;
        assert_eq!(bench.over(index.id).await.id, run.id);
        bench.wait(120).await;
        let run = bench.over(index.id).await;
        assert_eq!(
            (run.status, run.counts.fetched, run.counts.uploaded),
            (RunStatus::Succeeded, 0, 30),
            "{run:?}"
        );
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_document_without_an_answer_that_is_alone_fails_by_itself() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 40).await;
        let index = bench.synced().await;
        bench.wait(60).await;
        bench.site.edit(pages[3], "<p>poison</p>");
        bench
            .shelf
            .with(|shelf| shelf.unanswered.insert(document(pages[3])));
        let before = bench
            .store
            .index_state(index.id)
            .await
            .unwrap()
            .progress
            .watermark;
        let run = bench.delta(index.id).await;
        assert_eq!(
            (run.status, run.counts.failed),
            (RunStatus::Partial, 1),
            "{run:?}"
        );
        let after = bench
            .store
            .index_state(index.id)
            .await
            .unwrap()
            .progress
            .watermark;
        assert!(after > before, "the poll counts");
        let first = bench.page(index.id, pages[3]).await;
        assert_eq!(first.state, PageState::Failed);

        // It is not tried with every poll, and others are not held up.
        bench.site.edit(pages[4], "<p>fine</p>");
        let run = bench.delta(index.id).await;
        assert_eq!(
            (run.status, run.counts.uploaded, run.counts.failed),
            (RunStatus::Succeeded, 1, 0),
            "{run:?}"
        );
        bench.wait(120).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Partial);
        let second = bench.page(index.id, pages[3]).await;
        assert_eq!((first.attempts, second.attempts), (1, 2));

        bench.shelf.with(|shelf| shelf.unanswered.clear());
        bench.wait(600).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn many_documents_without_an_answer_fail_the_run_but_not_the_next_one() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 60).await;
        let index = bench.synced().await;
        for id in &pages[..30] {
            bench.site.edit(*id, "<p>poison</p>");
            bench
                .shelf
                .with(|shelf| shelf.unanswered.insert(document(*id)));
        }
        let run = bench.delta(index.id).await;
        assert_eq!(run.status, RunStatus::Failed, "it takes nothing at all");
        assert_eq!(run.error.unwrap().code, "store_unreachable");
        // Later ones get their turn although the same documents are still refused.
        bench.site.edit(pages[40], "<p>fine</p>");
        for _ in 0..40 {
            bench.wait(1200).await;
            bench.over(index.id).await;
        }
        assert_eq!(
            bench.state(index.id, pages[40]).await,
            PageState::Searchable
        );
        assert_eq!(bench.state(index.id, pages[20]).await, PageState::Failed);
        bench.shelf.with(|shelf| shelf.unanswered.clear());
        for _ in 0..20 {
            bench.wait(3600).await;
            bench.over(index.id).await;
        }
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_removal_that_the_store_refuses_is_tried_until_it_is_done() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 10).await;
        let index = bench.synced().await;
        for id in &pages[2..5] {
            bench.site.close(*id);
        }
        bench.shelf.with(|shelf| {
            let reason = "not now".to_owned();
            shelf.refuse_delete.insert(document(pages[2]), reason);
            shelf.unanswered.insert(document(pages[3]));
        });
        let run = bench.sweep(index.id).await;
        assert_eq!(
            (run.status, run.counts.deleted, run.counts.failed),
            (RunStatus::Partial, 1, 2),
            "{run:?}"
        );
        assert_eq!(bench.held().len(), 9);
        let page = bench.page(index.id, pages[2]).await;
        assert_eq!(page.state, PageState::Skipped);
        assert!(page.reason.unwrap().contains("not now"));
        // It is tried again by itself, however often that takes, and nobody is asked about it.
        bench.wait(4 * 3600).await;
        bench.over(index.id).await;
        assert_eq!(bench.held().len(), 9);
        bench.shelf.with(|shelf| {
            shelf.refuse_delete.clear();
            shelf.unanswered.clear();
        });
        bench.wait(8 * 3600).await;
        let run = bench.over(index.id).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
        bench.assert_true(index.id).await;
        let page = bench.page(index.id, pages[2]).await;
        assert!(!page.reason.unwrap().contains("not now"));
    });
}

#[test]
fn a_page_that_comes_back_while_its_removal_is_refused_is_stored() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 10).await;
        let index = bench.synced().await;
        bench.site.close(pages[2]);
        bench.shelf.with(|shelf| {
            let reason = "not now".to_owned();
            shelf.refuse_delete.insert(document(pages[2]), reason);
        });
        assert_eq!(bench.sweep(index.id).await.status, RunStatus::Partial);
        bench.site.unrestrict(pages[2]);
        bench.site.edit(pages[2], "<p>back again</p>");
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 1));
        bench.assert_true(index.id).await;
        bench.wait(8 * 3600).await;
        bench.over(index.id).await;
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_removal_that_is_accepted_and_not_done_is_asked_for_again() {
    bench::run(|| async {
        let settings = EngineSettings {
            upload_deadline: Duration::from_secs(300),
            ..EngineSettings::default()
        };
        let bench = Bench::with(FakeRetrieval::slow(), settings).await;
        let pages = pages(&bench, 10).await;
        let index = bench.synced().await;
        bench.site.close(pages[2]);
        bench
            .shelf
            .with(|shelf| shelf.never_gone.insert(document(pages[2])));
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.failed), (RunStatus::Partial, 1));
        bench.shelf.with(|shelf| shelf.never_gone.clear());
        bench.wait(600).await;
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 1));
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_full_run_removes_what_the_store_holds_of_pages_that_stay_out() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 10).await;
        bench.site.close(pages[2]);
        let index = bench.synced().await;
        bench.shelf.with(|shelf| {
            let stored = shelf.documents.values_mut().next().unwrap();
            let mut left = stored.values().next().unwrap().clone();
            left.id = document(pages[2]).as_str().into();
            left.metadata = DocumentMetadata {
                page_id: PageId::from(pages[2].to_string()),
                ..left.metadata
            };
            stored.insert(left.id.clone(), left);
        });
        let run = bench.order(index.id, Some(true)).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 1));
        assert_eq!(bench.state(index.id, pages[2]).await, PageState::Skipped);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_failed_page_without_a_next_try_is_due() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 10).await;
        let index = bench.synced().await;
        let ids = [2, 3].map(|n| PageId::from(pages[n].to_string()));
        // As a process that was killed between two writes left them: one without its document, one without its body.
        let mut records = bench.store.pages_by_id(index.id, &ids).await.unwrap();
        for record in &mut records {
            record.standing = Standing::Failed;
            record.next_try_at = None;
        }
        records[1].body_version = None;
        bench
            .store
            .save_pages(&records, &[], Vec::new())
            .await
            .unwrap();
        let serving = bench.store.index_state(index.id).await.unwrap().serving;
        let lost: Vec<HoldingChange> = [Change::Want(None), Change::Lost]
            .into_iter()
            .flat_map(|change| {
                let of = |record: &PageRecord| HoldingChange {
                    page_id: record.page_id.clone(),
                    kind: record.kind,
                    change: change.clone(),
                };
                records.iter().map(of).collect::<Vec<_>>()
            })
            .collect();
        bench.store.change_holdings(serving, &lost).await.unwrap();
        bench.shelf.with(|shelf| {
            for stored in shelf.documents.values_mut() {
                for id in &ids {
                    stored.remove(&format!("confluence-page-{id}").as_str().into());
                }
            }
        });
        let run = bench.delta(index.id).await;
        assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 2));
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_store_that_never_removes_an_object_holds_up_no_run() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 3).await;
        let gone = bench.synced().await;
        let stays = bench.create(bench.index_settings("other", &["ENG"])).await;
        bench.over(stays.id).await;
        bench.shelf.with(|shelf| shelf.removal_hangs = true);
        bench.store.delete_index(gone.id).await.unwrap();
        bench.engine.index_changed(gone.id);
        bench.wait(5).await;
        let before = bench.index(stays.id).await.last_run.unwrap().id;
        bench.wait(2 * 3600).await;
        let after = bench.over(stays.id).await;
        assert_ne!(before, after.id);
        assert_eq!(after.status, RunStatus::Succeeded);
    });
}

#[test]
fn an_index_that_is_deleted_while_its_object_is_made_leaves_none() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 3).await;
        bench
            .shelf
            .with(|shelf| shelf.made_late = Duration::from_secs(20));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.wait(10).await;
        assert_eq!(bench.shelf.with(|shelf| shelf.documents.len()), 1);
        bench.store.delete_index(index.id).await.unwrap();
        bench.engine.index_changed(index.id);
        bench.wait(60).await;
        assert_eq!(bench.shelf.with(|shelf| shelf.documents.len()), 0);
    });
}

#[test]
fn an_agent_id_is_free_although_the_old_object_is_still_there() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, 3).await;
        bench.shelf.with(|shelf| shelf.marks = true);
        let old = bench.synced().await;
        // The first tries fail, so that the next is a while off.
        bench.shelf.fail(1, StoreFault::Unavailable);
        bench.store.delete_index(old.id).await.unwrap();
        bench.engine.index_changed(old.id);
        bench.wait(5).await;
        assert_eq!(bench.shelf.with(|shelf| shelf.documents.len()), 1);
        bench.synced().await;
        assert_eq!(bench.shelf.with(|shelf| shelf.documents.len()), 1);
    });
}

#[test]
fn a_removal_that_stays_undone_is_told_by_later_runs_and_can_be_retried_by_hand() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 10).await;
        let index = bench.synced().await;
        bench.shelf.with(|shelf| {
            for id in &pages[2..4] {
                let reason = "locked by an export".to_owned();
                shelf.refuse_delete.insert(document(*id), reason);
            }
        });
        for id in &pages[2..4] {
            bench.site.close(*id);
        }
        bench.sweep(index.id).await;
        for _ in 0..6 {
            bench.wait(3600).await;
            bench.over(index.id).await;
        }
        // Its next try is hours off: this run has nothing to do with it.
        bench.delta(index.id).await;
        let now = bench.index(index.id).await;
        assert_eq!(now.status, IndexStatus::Degraded);
        let reason = now.status_reason.unwrap();
        assert!(
            reason.contains("2 document(s)") && reason.contains("locked by an export"),
            "{reason}"
        );

        bench.shelf.with(|shelf| shelf.refuse_delete.clear());
        for id in &pages[2..4] {
            let id = PageId::from(id.to_string());
            bench.store.retry_page(index.id, &id).await.unwrap();
        }
        bench.engine.index_changed(index.id);
        bench.wait(5).await;
        bench.over(index.id).await;
        bench.assert_true(index.id).await;
        let now = bench.index(index.id).await;
        assert_eq!((now.status, now.status_reason), (IndexStatus::Ok, None));
        let id = PageId::from(pages[2].to_string());
        assert!(bench.store.retry_page(index.id, &id).await.is_err());
    });
}

#[test]
fn many_documents_without_an_answer_hold_up_none_behind_them() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, 300).await;
        bench.shelf.with(|shelf| {
            for id in &pages[..100] {
                shelf.unanswered.insert(document(*id));
            }
        });
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.over(index.id).await;
        // All others, or all but the last few where nearly all that are left are not answered for.
        let held = bench.held().len();
        assert!(held > 190, "{held}");
        // A run that gives up knows more of them than the one before: the last is found after a few.
        for _ in 0..12 {
            if bench.held().len() < 200 {
                bench.wait(3600).await;
                bench.over(index.id).await;
            }
        }
        assert_eq!(bench.held().len(), 200);
        bench.shelf.with(|shelf| shelf.unanswered.clear());
        for _ in 0..8 {
            bench.wait(3600).await;
            bench.over(index.id).await;
        }
        bench.assert_true(index.id).await;
    });
}
