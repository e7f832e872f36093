//! Nothing is deleted on doubt: positive evidence removes in that run, absence hides at once and removes later, errors remove
//! nothing, and the guard stops what is too much.

use domain::content::ContentStatus;
use domain::index::{IndexStatus, SpaceState};
use domain::page::PageState;
use domain::ports::store::AdminStore;
use domain::run::RunStatus;

use crate::bench::{self, Bench};
use crate::fakes::Fault;

async fn thirty(bench: &Bench) -> Vec<u64> {
    (0..30)
        .map(|n| {
            bench
                .site
                .add("10", None, &format!("P{n}"), &format!("<p>text{n}.</p>"))
        })
        .collect()
}

#[test]
fn a_trashed_page_is_gone_with_the_same_sweep() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        bench
            .site
            .change(pages[3], |page| page.status = ContentStatus::Trashed);
        bench
            .site
            .change(pages[4], |page| page.status = ContentStatus::Archived);
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 2));
        bench.assert_true(index.id).await;
        let page = bench.page(index.id, pages[3]).await;
        assert_eq!(
            (page.state, page.reason.as_deref()),
            (PageState::Removed, Some("in the trash"))
        );
    });
}

#[test]
fn a_purged_page_is_hidden_at_once_and_removed_by_the_next_sweep() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        bench.site.purge(pages[5]);
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 0));
        assert_eq!(bench.state(index.id, pages[5]).await, PageState::Vanishing);
        assert!(bench.finds(index.id, "text5.").await.is_empty(), "hidden");
        assert_eq!(bench.held().len(), 30, "not removed yet");
        // Too early to count as a second look.
        bench.wait(20).await;
        assert_eq!(bench.sweep(index.id).await.counts.deleted, 0);
        bench.wait(60).await;
        assert_eq!(bench.sweep(index.id).await.counts.deleted, 1);
        bench.assert_true(index.id).await;
        assert_eq!(bench.state(index.id, pages[5]).await, PageState::Removed);
    });
}

#[test]
fn a_page_that_was_only_away_comes_back_without_an_upload() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        bench.site.change(pages[5], |page| page.hidden = true);
        bench.sweep(index.id).await;
        assert_eq!(bench.state(index.id, pages[5]).await, PageState::Vanishing);
        bench.site.change(pages[5], |page| page.hidden = false);
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
        bench
            .site
            .change(pages[5], |page| page.status = ContentStatus::Trashed);
        bench.sweep(index.id).await;
        assert_eq!(bench.held().len(), 29);
        bench
            .site
            .change(pages[5], |page| page.status = ContentStatus::Current);
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
            bench.site.add("10", None, &format!("P{n}"), "<p>x</p>");
        }
        let index = bench.synced().await;
        // The first answer comes, the second never.
        bench.site.fail(
            "list page Id bodies=false limit=250 10",
            0,
            Fault::Unavailable,
        );
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
fn too_much_at_once_waits_for_the_administrator_and_accept_removes() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        for id in &pages[..15] {
            bench
                .site
                .change(*id, |page| page.status = ContentStatus::Trashed);
        }
        let new = bench.site.add("10", None, "New", "<p>new one</p>");
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::NeedsConfirmation);
        assert_eq!(run.error.as_ref().unwrap().code, "mass_deletion");
        assert_eq!(
            (run.counts.deleted, run.counts.uploaded),
            (0, 1),
            "additions go on"
        );
        assert_eq!(
            bench.index(index.id).await.status,
            IndexStatus::NeedsConfirmation
        );
        assert_eq!(bench.held().len(), 31);
        assert!(
            bench.finds(index.id, "text3.").await.is_empty(),
            "hidden meanwhile"
        );
        assert_eq!(bench.finds(index.id, "new one").await, [new.to_string()]);

        bench.store.answer_guard(run.id, true).await.unwrap();
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 15));
        bench.assert_true(index.id).await;
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Ok);
        // The permission was for once.
        for id in &pages[15..] {
            bench
                .site
                .change(*id, |page| page.status = ContentStatus::Trashed);
        }
        for n in 0..20 {
            bench.site.add("10", None, &format!("Q{n}"), "<p>q</p>");
        }
        bench.wait(60).await;
        let run = bench.sweep(index.id).await;
        assert_eq!(
            run.status,
            RunStatus::Succeeded,
            "fewer than twenty are not guarded"
        );
    });
}

#[test]
fn refused_removals_keep_the_pages_and_are_asked_about_again() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await;
        for id in &pages[..15] {
            bench
                .site
                .change(*id, |page| page.status = ContentStatus::Trashed);
        }
        let run = bench.sweep(index.id).await;
        bench.store.answer_guard(run.id, false).await.unwrap();
        assert_eq!(bench.held().len(), 30);
        // The pages come back: nothing is left to ask.
        for id in &pages[..15] {
            bench
                .site
                .change(*id, |page| page.status = ContentStatus::Current);
        }
        let run = bench.sweep(index.id).await;
        assert_eq!(
            (run.status, run.counts.uploaded, run.counts.deleted),
            (RunStatus::Succeeded, 0, 0)
        );
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_vanished_space_removes_nothing_at_first_and_its_pages_later() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("11", "OPS");
        for n in 0..10 {
            bench.site.add("10", None, &format!("E{n}"), "<p>e</p>");
        }
        bench.site.add("11", None, "O", "<p>ops page</p>");
        let index = bench
            .create(bench.index_settings("agent", &["ENG", "OPS"]))
            .await;
        bench.over(index.id).await;
        bench
            .site
            .with(|site| site.spaces.get_mut("11").unwrap().visible = false);
        let run = bench.sweep(index.id).await;
        assert_eq!(run.counts.deleted, 0);
        let now = bench.index(index.id).await;
        assert_eq!(now.spaces[1].state, SpaceState::Vanished);
        assert_eq!(now.status, IndexStatus::Degraded);
        assert_eq!(
            bench.finds(index.id, "ops page").await.len(),
            1,
            "still shown"
        );
        bench.wait(120).await;
        bench.sweep(index.id).await;
        assert!(bench.finds(index.id, "ops page").await.is_empty(), "hidden");
        bench.wait(120).await;
        let run = bench.sweep(index.id).await;
        assert_eq!(run.counts.deleted, 1);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn an_account_that_suddenly_sees_nothing_removes_and_hides_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        thirty(&bench).await;
        let index = bench.synced().await;
        for _ in 0..4 {
            bench
                .site
                .with(|site| site.spaces.get_mut("10").unwrap().visible = false);
            bench.sweep(index.id).await;
            bench.wait(600).await;
        }
        assert_eq!(bench.held().len(), 30);
        assert_eq!(bench.finds(index.id, "text5.").await.len(), 1);
    });
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
        let pages: Vec<u64> = (0..10)
            .map(|n| bench.site.add("10", None, &format!("P{n}"), "<p>x</p>"))
            .collect();
        let index = bench.synced().await;
        for id in &pages {
            bench
                .site
                .change(*id, |page| page.status = ContentStatus::Trashed);
        }
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 10));
        assert!(bench.held().is_empty());
    });
}
