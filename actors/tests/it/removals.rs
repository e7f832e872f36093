//! Nothing is deleted on doubt: positive evidence removes in that run, absence hides at once and removes later, errors remove
//! nothing, and the guard stops what is too much.

use domain::index::IndexStatus;
use domain::page::PageState;
use domain::ports::store::AdminStore;
use domain::run::RunStatus;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::Fault;

async fn thirty(bench: &Bench) -> Vec<ContentId> {
    (0..30)
        .map(|n| {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), &format!("<p>text{n}.</p>"))
        })
        .collect()
}

#[test]
fn a_page_that_was_only_away_comes_back_without_an_upload() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        bench.site.hide(pages[5]);
        bench.sweep(index.id).await;
        assert_eq!(bench.state(index.id, pages[5]).await, PageState::Vanishing);
        bench.site.unrestrict(pages[5]);
        let run = bench.sweep(index.id).await;
        assert_eq!((run.counts.uploaded, run.counts.deleted), (0, 0));
        assert_eq!(bench.state(index.id, pages[5]).await, PageState::Searchable);
        assert_eq!(
            bench.finds(index.id, "text5.").await,
            [pages[5].to_string()]
        );
    });
}

#[test]
fn a_removed_page_that_is_restored_enters_again() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        bench.site.trash(pages[5]);
        bench.sweep(index.id).await;
        assert_eq!(bench.held().len(), 29);
        bench.site.restore(pages[5]);
        let run = bench.sweep(index.id).await;
        assert_eq!((run.counts.uploaded, run.counts.fetched), (1, 0));
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_listing_that_fails_or_answers_nothing_removes_and_hides_nothing() {
    for fault in [
        Fault::Unavailable,
        Fault::Forbidden,
        Fault::NotFound,
        Fault::BadCursor,
        Fault::Empty,
    ] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            thirty(&bench).await;
            let index = bench.synced().await;
            for _ in 0..3 {
                bench.site.fail("list page Id", 20, fault.clone());
                let run = bench.sweep(index.id).await;
                assert!(
                    matches!(run.status, RunStatus::Failed | RunStatus::Partial),
                    "{fault:?}: {run:?}"
                );
                assert_eq!(run.counts.deleted, 0);
                bench.site.heal();
                bench.wait(120).await;
            }
            assert_eq!(bench.held().len(), 30, "{fault:?}");
            assert_eq!(bench.finds(index.id, "text5.").await.len(), 1, "{fault:?}");
            let run = bench.sweep(index.id).await;
            assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 0));
            assert_eq!(bench.index(index.id).await.status, IndexStatus::Ok);
        });
    }
}

#[test]
fn a_question_by_id_that_fails_concludes_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        bench.site.purge(pages[5]);
        bench.site.fail("by ids", 20, Fault::Unavailable);
        bench.sweep(index.id).await;
        assert_eq!(bench.state(index.id, pages[5]).await, PageState::Searchable);
    });
}

#[test]
fn a_walk_cut_in_the_middle_removes_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..600 {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), "<p>x</p>");
        }
        let index = bench.synced().await;
        // The first answer comes, the second never.
        bench
            .site
            .fail("list page Id bodies=false limit=250", 0, Fault::Unavailable);
        bench
            .site
            .with(|site| site.latency = std::time::Duration::from_millis(10));
        let order = actors::SyncOrder::default();
        let run = bench.engine.sync(index.id, order).await.unwrap();
        for _ in 0..10_000 {
            let listed = bench
                .site
                .with(|site| site.log.iter().any(|l| l.starts_with("list page Id")));
            if listed {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        bench.site.fail("list page Id", 50, Fault::Unavailable);
        let run = bench.ended(run.id).await;
        assert_ne!(run.status, RunStatus::Succeeded);
        assert_eq!(bench.held().len(), 600);
        assert_eq!(run.counts.deleted, 0);
    });
}

#[test]
fn a_refusal_holds_until_other_pages_vanish_and_a_full_run_asks_again() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        for id in &pages[..12] {
            bench.site.purge(*id);
        }
        bench.sweep(index.id).await;
        bench.wait(120).await;
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::NeedsConfirmation);
        bench.store.answer_guard(run.id, false).await.unwrap();
        bench.site.take_log();
        for _ in 0..3 {
            bench.wait(120).await;
            let poll = bench.delta(index.id).await;
            assert_eq!(poll.status, RunStatus::Succeeded, "{poll:?}");
            bench.wait(120).await;
            let sweep = bench.sweep(index.id).await;
            assert_eq!(
                (sweep.status, sweep.counts.deleted),
                (RunStatus::Succeeded, 0)
            );
        }
        let log = bench.site.take_log();
        let polled = log.iter().filter(|l| l.starts_with("by ids")).count();
        assert!(
            polled <= 3,
            "polls do not ask for what was refused: {log:#?}"
        );
        let now = bench.index(index.id).await;
        assert_eq!(now.status, IndexStatus::Degraded);
        assert!(now.status_reason.unwrap().contains("was refused"));
        assert_eq!(bench.held().len(), 30);
        let kept = pages[5].to_string();
        assert_eq!(bench.finds(index.id, "text5.").await, [kept]);

        // A single page more is within the share, and goes.
        let trash = async |ids: &[ContentId]| {
            for id in ids {
                bench.site.trash(*id);
            }
            bench.sweep(index.id).await
        };
        let run = trash(&pages[12..13]).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 1));
        // Many more are a new situation: all of it is asked about.
        let run = trash(&pages[13..25]).await;
        assert_eq!(
            (run.status, run.counts.deleted),
            (RunStatus::NeedsConfirmation, 0)
        );
        assert!(run.error.unwrap().detail.starts_with("24 of 29"));
        assert!(
            bench.finds(index.id, "text5.").await.is_empty(),
            "asked anew"
        );
        bench.store.answer_guard(run.id, false).await.unwrap();
        bench.wait(60).await;
        assert_eq!(bench.sweep(index.id).await.status, RunStatus::Succeeded);
        let full = bench.order(index.id, Some(true)).await;
        assert_eq!(
            full.status,
            RunStatus::NeedsConfirmation,
            "a full run asks again"
        );
        assert!(bench.finds(index.id, "text5.").await.is_empty());
        bench.store.answer_guard(full.id, true).await.unwrap();
        bench.wait(60).await;
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 24));
        bench.assert_true(index.id).await;
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Ok);
    });
}

#[test]
fn an_acceptance_is_for_the_pages_that_were_shown() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let mut pages = thirty(&bench).await;
        pages.extend(thirty(&bench).await);
        let index = bench.synced().await;
        let trash = async |ids: &[ContentId]| {
            for id in ids {
                bench.site.trash(*id);
            }
        };
        trash(&pages[..20]).await;
        let asked = bench.sweep(index.id).await;
        assert_eq!(asked.status, RunStatus::NeedsConfirmation);
        // Asked once more with nothing new: either of the two runs may be answered.
        bench.wait(60).await;
        let again = bench.sweep(index.id).await;
        assert_eq!(again.status, RunStatus::NeedsConfirmation);
        bench.store.answer_guard(again.id, true).await.unwrap();
        // Between the answer and the sweep more vanishes than was shown.
        trash(&pages[20..50]).await;
        let run = bench.sweep(index.id).await;
        assert_eq!(
            (run.status, run.counts.deleted),
            (RunStatus::NeedsConfirmation, 20),
            "what was accepted goes, the rest is asked about"
        );
        assert!(run.error.unwrap().detail.starts_with("30 of 60"));
        assert!(
            bench.store.answer_guard(asked.id, true).await.is_err(),
            "that run showed other pages"
        );
        assert_eq!(bench.held().len(), 40);
        bench.store.answer_guard(run.id, true).await.unwrap();
        bench.wait(60).await;
        assert_eq!(bench.sweep(index.id).await.counts.deleted, 30);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_change_of_scope_exempts_what_leaves_by_it_and_nothing_else() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        for id in &pages[..15] {
            bench.site.label(*id, "old");
        }
        let index = bench.synced().await;
        // At the source a third is restricted, while the administrator excludes a label that half of them carry.
        for id in &pages[15..27] {
            bench.site.close(*id);
        }
        bench
            .patch(index.id, |s| s.exclude_labels = vec!["old".into()])
            .await;
        bench.wait(5).await;
        let run = bench.over(index.id).await;
        assert_eq!(
            (run.status, run.counts.deleted),
            (RunStatus::NeedsConfirmation, 15),
            "{run:?}"
        );
        assert!(run.error.unwrap().detail.starts_with("12 of 30"));
        bench.store.answer_guard(run.id, true).await.unwrap();
        assert_eq!(bench.sweep(index.id).await.counts.deleted, 12);
        bench.assert_true(index.id).await;
    });
}

/// An index of two spaces with so many pages each, synced; the account sees a third one beside them.
async fn two_spaces(bench: &Bench, eng: usize, ops: usize) -> domain::IndexId {
    bench.site.space("OPS");
    bench.site.space("OTHER");
    bench
        .site
        .create_page("OTHER", None, "Elsewhere", "<p>elsewhere</p>");
    for n in 0..eng {
        bench
            .site
            .create_page("ENG", None, &format!("E{n}"), "<p>eng page</p>");
    }
    for n in 0..ops {
        bench
            .site
            .create_page("OPS", None, &format!("O{n}"), "<p>ops page</p>");
    }
    let settings = bench.index_settings("agent", &["ENG", "OPS"]);
    let index = bench.create(settings).await;
    bench.over(index.id).await;
    assert_eq!(bench.held().len(), eng + ops);
    index.id
}

fn show(bench: &Bench, spaces: &[&str], visible: bool) {
    for key in spaces {
        match visible {
            true => bench.site.open_space(key),
            false => bench.site.limit_space_to(key, &[]),
        }
    }
}

#[test]
fn a_vanished_space_of_a_small_index_leaves_when_the_administrator_has_accepted_that() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let index = two_spaces(&bench, 4, 4).await;
        let secret = bench
            .site
            .create_page("OPS", None, "Secret", "<p>secret</p>");
        bench.site.close(secret);
        bench.sweep(index).await;
        show(&bench, &["OPS"], false);
        bench.sweep(index).await;
        bench.wait(60).await;
        let plan = bench.plan(index).await;
        // Nothing is removed before the answer.
        let found = (plan.hide, plan.remove, plan.needs_confirmation);
        assert_eq!(found, (4, 0, true));
        let asks = bench.sweep(index).await;
        let is = (asks.status, asks.counts.deleted);
        assert_eq!(is, (RunStatus::NeedsConfirmation, 0));
        assert!(asks.error.unwrap().detail.starts_with("4 of 8"));
        assert_eq!(bench.held().len(), 8);
        assert!(bench.finds(index, "ops page").await.is_empty(), "hidden");
        assert_eq!(bench.finds(index, "eng page").await.len(), 4);
        for _ in 0..3 {
            bench.wait(3600).await;
            let again = bench.sweep(index).await;
            let is = (again.status, again.counts.deleted);
            assert_eq!(is, (RunStatus::NeedsConfirmation, 0));
        }
        bench.store.answer_guard(asks.id, true).await.unwrap();
        let run = bench.sweep(index).await;
        // The restricted page was never a document.
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 4));
        bench.assert_true(index).await;
    });
}

#[test]
fn a_vanished_space_that_the_administrator_keeps_is_quoted_until_it_is_asked_about_anew() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let index = two_spaces(&bench, 4, 4).await;
        show(&bench, &["OPS"], false);
        bench.sweep(index).await;
        bench.wait(60).await;
        let asks = bench.sweep(index).await;
        assert!(asks.error.unwrap().detail.starts_with("4 of 8"));
        assert!(bench.finds(index, "ops page").await.is_empty(), "hidden");
        bench.store.answer_guard(asks.id, false).await.unwrap();
        for _ in 0..3 {
            assert_eq!(bench.finds(index, "ops page").await.len(), 4);
            bench.wait(3600).await;
            bench.delta(index).await;
            let run = bench.sweep(index).await;
            let is = (run.status, run.counts.uploaded, run.counts.deleted);
            assert_eq!(is, (RunStatus::Succeeded, 0, 0));
        }
        let status = bench.index(index).await.status_reason.unwrap();
        assert!(status.contains("4 document(s) was refused"), "{status}");
        // Asked again, in an index as small as before.
        let full = bench.order(index, Some(true)).await;
        assert_eq!(full.status, RunStatus::NeedsConfirmation);
        assert!(full.error.unwrap().detail.starts_with("4 of 8"));
        assert!(bench.finds(index, "ops page").await.is_empty(), "hidden");
        bench.store.answer_guard(full.id, false).await.unwrap();
        assert_eq!(bench.finds(index, "ops page").await.len(), 4);
        show(&bench, &["OPS"], true);
        let run = bench.sweep(index).await;
        let is = (run.status, run.counts.uploaded, run.counts.deleted);
        assert_eq!(is, (RunStatus::Succeeded, 0, 0));
        assert_eq!(bench.index(index).await.status_reason, None);
        bench.assert_true(index).await;
    });
}

#[test]
fn a_space_that_comes_back_before_the_answer_loses_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let index = two_spaces(&bench, 4, 4).await;
        show(&bench, &["OPS"], false);
        for _ in 0..2 {
            bench.sweep(index).await;
            bench.wait(60).await;
        }
        show(&bench, &["OPS"], true);
        let run = bench.sweep(index).await;
        let is = (run.status, run.counts.uploaded, run.counts.deleted);
        assert_eq!(is, (RunStatus::Succeeded, 0, 0));
        assert_eq!(bench.finds(index, "ops page").await.len(), 4);
        bench.assert_true(index).await;
        // Its next absence is a new one.
        show(&bench, &["OPS"], false);
        bench.wait(3600).await;
        bench.sweep(index).await;
        assert_eq!(bench.finds(index, "ops page").await.len(), 4);
    });
}

#[test]
fn an_account_that_sees_none_of_an_indexs_spaces_removes_and_hides_nothing() {
    for others in [true, false] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            let index = two_spaces(&bench, 6, 2).await;
            let gone = bench.site.find("ENG", "E0").unwrap();
            // Hidden already, and due for its second look.
            bench.site.purge(gone);
            bench.sweep(index).await;
            assert_eq!(bench.state(index, gone).await, PageState::Vanishing);
            show(&bench, &["ENG", "OPS"], false);
            show(&bench, &["OTHER"], others);
            for round in 0..6 {
                bench.wait(600).await;
                let run = if round % 2 == 0 {
                    bench.sweep(index).await
                } else {
                    bench.delta(index).await
                };
                assert_eq!((run.status, run.counts.deleted), (RunStatus::Failed, 0));
                let error = run.error.unwrap();
                assert_eq!(error.code, "no_space_visible");
                assert!(error.detail.contains("nothing is removed"), "{error:?}");
                assert_eq!(bench.held().len(), 8, "round {round}");
                assert_eq!(bench.finds(index, "eng page").await.len(), 5);
                assert_eq!(bench.finds(index, "ops page").await.len(), 2);
            }
            // The other is seen again: that one was away meanwhile says nothing yet.
            show(&bench, &["ENG"], true);
            bench.sweep(index).await;
            assert_eq!(bench.finds(index, "ops page").await.len(), 2);
            show(&bench, &["OPS"], true);
            bench.wait(60).await;
            bench.sweep(index).await;
            bench.assert_true(index).await;
        });
    }
}

#[test]
fn a_hidden_page_gets_its_second_look_with_a_poll_too() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        bench.site.purge(pages[5]);
        bench.sweep(index.id).await;
        bench.wait(90).await;
        let run = bench.delta(index.id).await;
        assert_eq!(run.counts.deleted, 1);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_space_that_was_emptied_into_the_trash_is_believed_page_by_page() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..10)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), "<p>x</p>")
            })
            .collect();
        let index = bench.synced().await;
        for id in &pages {
            bench.site.trash(*id);
        }
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 10));
        assert!(bench.held().is_empty());
    });
}

#[test]
fn a_space_without_a_page_left_is_a_question_and_nothing_is_hidden_before_the_answer() {
    for returns in [false, true] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            bench.site.space("OPS");
            let pages = thirty(&bench).await;
            let few: Vec<ContentId> = (0..3)
                .map(|n| {
                    bench
                        .site
                        .create_page("OPS", None, &format!("O{n}"), "<p>ops page</p>")
                })
                .collect();
            let index = bench
                .create(bench.index_settings("agent", &["ENG", "OPS"]))
                .await;
            bench.over(index.id).await;
            // Far below the guard's share.
            for id in &few {
                bench.site.hide(*id);
            }
            let run = bench.sweep(index.id).await;
            assert_eq!(run.status, RunStatus::Partial, "noted, and asked for again");
            bench.wait(120).await;
            let asked = bench.sweep(index.id).await;
            assert_eq!(
                (asked.status, asked.counts.deleted),
                (RunStatus::NeedsConfirmation, 0),
                "{asked:?}"
            );
            assert!(asked.error.unwrap().detail.starts_with("3 of 33"));
            bench.wait(120).await;
            bench.delta(index.id).await;
            assert_eq!(bench.finds(index.id, "ops page").await.len(), 3, "shown");
            assert_eq!(bench.held().len(), 33);
            if returns {
                for id in &few {
                    bench.site.unrestrict(*id);
                }
                let run = bench.sweep(index.id).await;
                assert_eq!(
                    (run.status, run.counts.uploaded),
                    (RunStatus::Succeeded, 0),
                    "{run:?}"
                );
                assert_eq!(bench.index(index.id).await.status, IndexStatus::Ok);
                // An old absence does not count against a new one.
                bench.wait(120).await;
                for id in &few {
                    bench.site.hide(*id);
                }
                assert_eq!(bench.sweep(index.id).await.status, RunStatus::Partial);
                return;
            }
            // A single page elsewhere waits with them, and goes with them.
            bench.site.purge(pages[0]);
            bench.store.answer_guard(asked.id, true).await.unwrap();
            let run = bench.sweep(index.id).await;
            assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 3));
            bench.wait(120).await;
            bench.sweep(index.id).await;
            bench.assert_true(index.id).await;
        });
    }
}

#[test]
fn a_removal_that_the_store_refused_once_is_asked_for_again() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        bench.site.create_page("ENG", None, "Kept", "<p>kept</p>");
        let secret = bench
            .site
            .create_page("ENG", None, "Secret", "<p>plans</p>");
        let other = bench
            .site
            .create_page("OPS", None, "Other", "<p>elsewhere</p>");
        let index = bench
            .create(bench.index_settings("agent", &["ENG", "OPS"]))
            .await
            .id;
        bench.over(index).await;
        assert_eq!(bench.shelf.documents().len(), 3);
        bench.site.close(secret);
        bench
            .patch(index, |s| s.confluence_spaces = vec!["ENG".into()])
            .await;
        bench.shelf.with(|shelf| {
            for id in [secret, other] {
                let id = format!("confluence-page-{id}");
                shelf.refuse.insert(id, "not today".to_owned());
            }
        });
        bench.sweep(index).await;
        assert_eq!(
            bench.shelf.documents().len(),
            3,
            "both are hidden, and stored"
        );
        assert!(bench.finds(index, "plans").await.is_empty());
        assert!(bench.finds(index, "elsewhere").await.is_empty());
        bench.shelf.with(|shelf| shelf.refuse.clear());
        bench.wait(120).await;
        bench.sweep(index).await;
        bench.assert_true(index).await;
    });
}

#[test]
fn an_empty_listing_of_one_kind_removes_nothing_although_another_kind_is_listed() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        for n in 0..100 {
            let title = format!("B{n}");
            bench.site.create_blog_post("ENG", &title, "<p>post</p>");
        }
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_blog_posts = true;
        let index = bench.create(settings).await;
        bench.over(index.id).await;
        assert_eq!(bench.held().len(), 130);
        for what in ["list page", "by ids page"] {
            bench.site.fail(what, 1_000, Fault::Empty);
        }
        for _ in 0..3 {
            let run = bench.sweep(index.id).await;
            assert_eq!(run.status, RunStatus::Partial, "{run:?}");
            assert_eq!(bench.held().len(), 130);
            assert_eq!(bench.finds(index.id, "text7.").await.len(), 1, "hidden");
            for page in &pages {
                assert_eq!(bench.state(index.id, *page).await, PageState::Searchable);
            }
            bench.wait(120).await;
        }
        bench.site.heal();
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_page_that_cannot_be_asked_for_keeps_no_other_in_the_index() {
    for fault in [Fault::Unavailable, Fault::Forbidden] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            let pages = thirty(&bench).await;
            let index = bench.synced().await;
            for page in &pages[3..8] {
                bench.site.trash(*page);
            }
            bench.site.hide(pages[1]);
            bench
                .site
                .with(|site| site.refused.insert(pages[1], fault.clone()));
            let run = bench.sweep(index.id).await;
            assert_eq!(run.counts.deleted, 5, "{fault:?}: {run:?}");
            assert_eq!(
                bench.state(index.id, pages[1]).await,
                PageState::Searchable,
                "nothing is known of it"
            );
            bench.site.with(|site| site.refused.clear());
            bench.sweep(index.id).await;
            bench.wait(120).await;
            bench.sweep(index.id).await;
            bench.assert_true(index.id).await;
        });
    }
}

#[test]
fn pages_that_the_administrator_keeps_are_answers_again_and_say_so() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        for id in &pages[25..28] {
            bench.site.label(*id, "fine");
        }
        let settings = domain::index::IndexSettings {
            exclude_labels: vec!["old".into()],
            ..bench.index_settings("agent", &["ENG"])
        };
        let index = bench.create(settings).await;
        bench.over(index.id).await;
        // Twelve are in the trash, three carry a label that the index excludes, three are restricted.
        for id in &pages[..12] {
            bench.site.trash(*id);
        }
        for id in &pages[12..15] {
            bench.site.label(*id, "old");
        }
        for id in &pages[15..18] {
            bench.site.close(*id);
        }
        let asked = bench.sweep(index.id).await;
        assert!(asked.error.unwrap().detail.starts_with("18 of 30"));
        let shown = async || {
            let mut shown = Vec::new();
            for (n, id) in pages[..18].iter().enumerate() {
                let found = bench.finds(index.id, &format!("text{n}.")).await;
                if found == [id.to_string()] {
                    shown.push(n);
                }
            }
            shown
        };
        assert!(shown().await.is_empty(), "hidden until it is answered");
        bench.store.answer_guard(asked.id, false).await.unwrap();
        // What is absent at once; what a rule of the index keeps out with the next sweep; what is restricted never.
        assert_eq!(shown().await, (0..12).collect::<Vec<_>>());
        for _ in 0..3 {
            bench.wait(120).await;
            let sweep = bench.sweep(index.id).await;
            assert_eq!(
                (sweep.status, sweep.counts.deleted, sweep.counts.uploaded),
                (RunStatus::Succeeded, 0, 0)
            );
            bench.delta(index.id).await;
            assert_eq!(shown().await, (0..15).collect::<Vec<_>>());
        }
        bench.assert_consistent(index.id).await;
        assert_eq!(bench.index(index.id).await.document_count, 27);
        // Which, why, by whom and when.
        let page = bench.page(index.id, pages[3]).await;
        assert_eq!(page.state, PageState::Searchable);
        let said = "in the trash; kept by the administrator's answer of 2026-03-01 08:00 UTC";
        assert_eq!(page.reason.as_deref(), Some(said));
        let labelled = bench.page(index.id, pages[13]).await.reason.unwrap();
        assert!(labelled.starts_with("labelled old") && labelled.contains("2026-03-01 08:00"));
        let status = bench.index(index.id).await.status_reason.unwrap();
        let named: Vec<String> = pages[..5].iter().map(ToString::to_string).collect();
        assert!(
            status.contains(
                "18 document(s) was refused by the administrator on 2026-03-01 08:00 UTC"
            ),
            "{status}"
        );
        assert!(
            status.ends_with(&format!("Pages: {}, 13 more", named.join(", "))),
            "{status}"
        );
        // One of each kind comes back, and is a page like any other; the rest stays.
        bench.site.restore(pages[3]);
        for id in [pages[13], pages[16]] {
            bench.site.unlabel(id, "old");
            bench.site.unrestrict(id);
        }
        bench.wait(120).await;
        bench.sweep(index.id).await;
        for n in [3, 13, 16] {
            assert_eq!(bench.page(index.id, pages[n]).await.reason, None);
        }
        let status = bench.index(index.id).await.status_reason.unwrap();
        assert!(status.contains("15 document(s) was refused"), "{status}");
        // A page that could not be asked for once is no less kept.
        bench.site.fail("by ids", 20, Fault::Unavailable);
        bench.sweep(index.id).await;
        bench.site.heal();
        bench.wait(120).await;
        assert_eq!(bench.sweep(index.id).await.counts.deleted, 0);
        assert_eq!(bench.held().len(), 30);
        // Asked anew and accepted, they go.
        let full = bench.order(index.id, Some(true)).await;
        assert!(full.error.unwrap().detail.starts_with("15 of 30"));
        assert_eq!(shown().await, [3, 13, 16]);
        bench.store.answer_guard(full.id, true).await.unwrap();
        bench.wait(60).await;
        assert_eq!(bench.sweep(index.id).await.counts.deleted, 15);
        bench.assert_true(index.id).await;
    });
}

/// What is restricted, and then leaves the source as well, is no answer after a refusal either.
#[test]
fn a_refusal_shows_nothing_that_was_restricted_before_it_vanished() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        for id in &pages[..15] {
            bench.site.close(*id);
        }
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::NeedsConfirmation);
        bench.store.answer_guard(run.id, false).await.unwrap();
        // Eleven more: a question of its own.
        for id in &pages[..26] {
            bench.site.trash(*id);
        }
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::NeedsConfirmation);
        bench.store.answer_guard(run.id, false).await.unwrap();
        for _ in 0..3 {
            let (secret, absent) = (pages[3].to_string(), pages[16].to_string());
            assert_eq!(bench.held().len(), 30);
            assert_eq!(bench.finds(index.id, "text3.").await, [""; 0], "{secret}");
            assert_eq!(bench.finds(index.id, "text16.").await, [absent]);
            bench.wait(120).await;
            assert_eq!(bench.sweep(index.id).await.counts.deleted, 0);
        }
        bench.assert_consistent(index.id).await;
    });
}
