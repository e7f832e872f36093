//! Restricted pages stay out, by their own restriction or any ancestor's; what is not known fails closed.

use domain::index::{IndexStatus, RestrictedPages};
use domain::page::PageState;
use domain::ports::store::SyncStore;
use domain::run::RunStatus;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::Fault;

#[test]
fn a_restriction_counts_through_any_depth() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let mut chain: Vec<ContentId> = Vec::new();
        for n in 0..200 {
            let body = format!("<p>deep words {n}</p>");
            let parent = chain.last().copied();
            chain.push(
                bench
                    .site
                    .create_page("ENG", parent, &format!("P{n}"), &body),
            );
        }
        bench.site.close(chain[0]);
        let index = bench.synced().await;
        assert_eq!(bench.held().len(), 0);
        assert!(bench.finds(index.id, "deep words").await.is_empty());
        bench.site.unrestrict(chain[0]);
        bench.sweep(index.id).await;
        assert_eq!(bench.held().len(), 200);
        bench.site.close(chain[99]);
        bench.sweep(index.id).await;
        let states = |ids: Vec<ContentId>| async {
            let mut states = Vec::new();
            for id in ids {
                states.push(bench.state(index.id, id).await);
            }
            states
        };
        let skipped = states(chain[99..].to_vec()).await;
        assert_eq!(skipped, [PageState::Skipped; 101]);
        assert_eq!(
            states(chain[..99].to_vec()).await,
            [PageState::Searchable; 99]
        );
    });
}

#[test]
fn folders_restrict_what_stands_in_them_whether_search_names_them_or_not() {
    for named in [true, false] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            bench.site.with(|site| site.folders_unnamed = !named);
            let outer = bench.site.create_folder("ENG", None, "Outer");
            let inner = bench.site.create_folder("ENG", Some(outer), "Inner");
            bench
                .site
                .create_page("ENG", Some(inner), "Deep", "<p>deep</p>");
            let open = bench.site.create_folder("ENG", None, "Open");
            bench
                .site
                .create_page("ENG", Some(open), "Shallow", "<p>shallow</p>");
            bench.site.close(outer);
            let index = bench.synced().await;
            bench.assert_true(index.id).await;
            assert_eq!(bench.held().len(), 1, "named: {named}");
        });
    }
}

/// A draft restricts nobody, and hides nothing of what is above it.
#[test]
fn what_hangs_on_a_draft_stands_behind_what_is_above_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let secret = bench
            .site
            .create_page("ENG", None, "Takeover", "<p>secret</p>");
        bench.site.close(secret);
        let draft = bench.site.create_draft("ENG", Some(secret), "Draft");
        let page = bench
            .site
            .create_page("ENG", Some(draft), "Below", "<p>below</p>");
        let index = bench.synced().await;
        assert_eq!(bench.state(index.id, page).await, PageState::Skipped);
        assert!(bench.ask(index.id, "below").await.results.is_empty());

        bench.site.unrestrict(secret);
        bench.wait(60).await;
        bench.sweep(index.id).await;
        assert_eq!(bench.page(index.id, page).await.breadcrumb, ["Takeover"]);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_draft_above_a_page_restricts_nobody() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let draft = bench.site.create_draft("ENG", None, "Draft");
        bench
            .site
            .create_page("ENG", Some(draft), "Below", "<p>below</p>");
        let index = bench.synced().await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 1);
    });
}

#[test]
fn what_search_does_not_know_yet_stays_out_until_it_is_known() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..60)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), "<p>x</p>")
            })
            .collect();
        for id in &pages {
            bench.site.lag(*id, true);
        }
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        assert_eq!(
            bench.held().len(),
            25,
            "as many as may be asked for one by one"
        );
        let waiting = bench.page(index.id, pages[59]).await;
        assert_eq!(waiting.state, PageState::Pending);
        assert!(waiting.reason.unwrap().contains("who may read it"));
        for id in &pages {
            bench.site.lag(*id, false);
        }
        bench.delta(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 60);
    });
}

#[test]
fn when_restrictions_cannot_be_read_new_pages_wait_and_stored_ones_stay() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let old = bench.site.create_page("ENG", None, "Old", "<p>old</p>");
        let index = bench.synced().await;
        let new = bench.site.create_page("ENG", None, "New", "<p>new</p>");
        bench.site.fail("facts", 100, Fault::Unavailable);
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::Partial, "{run:?}");
        assert_eq!(bench.state(index.id, new).await, PageState::Pending);
        assert_eq!(bench.state(index.id, old).await, PageState::Searchable);
        assert_eq!(bench.held().len(), 1);
        bench.site.heal();
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_path_through_a_page_whose_readers_are_not_known_is_not_shown() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Open", "<p>open words</p>");
        let index = bench.synced().await;
        bench.wait(60).await;
        let secret = bench
            .site
            .create_page("ENG", None, "Takeover", "<p>secret</p>");
        bench.site.close(secret);
        bench.site.lag(secret, true);
        bench.site.move_under(page, Some(secret));
        bench.site.fail("facts of one", 100, Fault::Unavailable);
        bench.sweep(index.id).await;
        assert_eq!(bench.state(index.id, secret).await, PageState::Pending);
        let moved = bench.page(index.id, page).await;
        assert_eq!(
            (moved.state, moved.breadcrumb),
            (PageState::Pending, Vec::<String>::new()),
            "what is stored stays, under the path that it was stored with"
        );
        let found = bench.ask(index.id, "open words").await.results;
        assert_eq!(found.len(), 1);
        assert!(found[0].page.page.breadcrumb.is_empty());

        // Once the readers are known to be everybody, the path is the new one.
        bench.site.heal();
        bench.site.unrestrict(secret);
        bench.site.lag(secret, false);
        bench.sweep(index.id).await;
        assert_eq!(bench.page(index.id, page).await.breadcrumb, ["Takeover"]);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn an_administrator_may_vouch_for_everyone() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Secret", "<p>secret</p>");
        bench.site.close(page);
        bench.site.label(page, "l");
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.restricted_pages = RestrictedPages::Include;
        let index = bench.create(settings).await;
        bench.over(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 1);
        bench
            .patch(index.id, |s| s.restricted_pages = RestrictedPages::Skip)
            .await;
        bench.sweep(index.id).await;
        assert!(bench.held().is_empty());
    });
}

#[test]
fn a_page_restricted_between_polls_leaves_with_the_poll_that_sees_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "A", "<p>a</p>");
        let below = bench.site.create_page("ENG", Some(page), "B", "<p>b</p>");
        let index = bench.synced().await;
        bench.wait(60).await;
        bench.site.edit(page, "<p>now secret</p>");
        bench.site.close(page);
        bench.delta(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.state(index.id, below).await, PageState::Skipped);
        let log = bench.site.take_log();
        assert!(
            !log.iter().any(|l| l.contains("bodies=true")),
            "no body of a page that stays out: {log:#?}"
        );
    });
}

#[test]
fn a_folder_that_is_restricted_later_takes_its_pages_out_with_the_next_sweep() {
    for named in [true, false] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            bench.site.with(|site| site.folders_unnamed = !named);
            let folder = bench.site.create_folder("ENG", None, "Folder");
            bench
                .site
                .create_page("ENG", Some(folder), "Inside", "<p>inside</p>");
            bench
                .site
                .create_page("ENG", None, "Outside", "<p>outside</p>");
            let index = bench.synced().await;
            assert_eq!(bench.held().len(), 2);
            bench.site.close(folder);
            bench.sweep(index.id).await;
            bench.assert_true(index.id).await;
            assert_eq!(bench.held().len(), 1, "named: {named}");
        });
    }
}

#[test]
fn a_folder_that_answers_404_publishes_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.with(|site| site.folders_unnamed = true);
        let folder = bench.site.create_folder("ENG", None, "Folder");
        bench.site.close(folder);
        let inside = bench
            .site
            .create_page("ENG", Some(folder), "Inside", "<p>secret words</p>");
        bench
            .site
            .create_page("ENG", None, "Outside", "<p>outside</p>");
        let index = bench.synced().await;
        assert_eq!(bench.held().len(), 1);

        // Once, a moment later, and a good while later: what was known stands, then nothing is known.
        for (seconds, state) in [
            (3600, PageState::Skipped),
            (10, PageState::Skipped),
            (120, PageState::Pending),
            (120, PageState::Pending),
        ] {
            bench.wait(seconds).await;
            bench.site.fail("facts of one container", 100, Fault::Empty);
            bench.sweep(index.id).await;
            assert_eq!(bench.held().len(), 1, "after {seconds} s");
            assert_eq!(bench.state(index.id, inside).await, state);
            bench.delta(index.id).await;
            assert_eq!(bench.held().len(), 1, "after {seconds} s");
            bench.site.heal();
        }
        bench.sweep(index.id).await;
        assert_eq!(bench.state(index.id, inside).await, PageState::Skipped);
        bench.site.unrestrict(folder);
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 2);
    });
}

#[test]
fn a_new_folder_that_answers_404_keeps_its_pages_out_until_it_is_known() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.with(|site| site.folders_unnamed = true);
        let folder = bench.site.create_folder("ENG", None, "Folder");
        bench.site.close(folder);
        bench
            .site
            .create_page("ENG", Some(folder), "Inside", "<p>secret words</p>");
        bench.site.fail("facts of one container", 100, Fault::Empty);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Partial);
        assert_eq!(bench.held().len(), 0);
        bench.site.heal();
        bench.site.unrestrict(folder);
        bench.delta(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 1);
    });
}

#[test]
fn many_folders_that_search_does_not_name_hold_back_nothing_and_are_all_read_again() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.with(|site| site.folders_unnamed = true);
        let add = |n: usize| {
            let title = format!("Folder {n}");
            let folder = bench.site.create_folder("ENG", None, &title);
            bench
                .site
                .create_page("ENG", Some(folder), &format!("Page {n}"), "<p>inside</p>");
            folder
        };
        let folders: Vec<ContentId> = (0..70).map(add).collect();
        let index = bench.synced().await;
        assert_eq!(bench.held().len(), 70);
        bench.assert_true(index.id).await;

        bench.wait(60).await;
        add(70);
        bench.sweep(index.id).await;
        assert_eq!(
            bench.held().len(),
            71,
            "a new folder waits for no known one"
        );

        // Whichever was asked for last is asked for again within two sweeps.
        for folder in [folders[0], folders[35], folders[69]] {
            bench.wait(60).await;
            bench.site.close(folder);
            let held = bench.held().len();
            bench.site.take_log();
            bench.sweep(index.id).await;
            let log = bench.site.take_log();
            let asked = log.iter().filter(|l| l.contains("facts of one")).count();
            assert!(asked <= 50, "{asked} questions for single folders");
            bench.wait(60).await;
            bench.sweep(index.id).await;
            assert_eq!(bench.held().len(), held - 1);
            bench.assert_true(index.id).await;
        }
    });
}

#[test]
fn pages_below_an_item_that_cannot_be_asked_for_make_the_run_partial_and_it_is_named() {
    for fault in [
        Fault::Empty,
        Fault::NotFound,
        Fault::Forbidden,
        Fault::Unavailable,
    ] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            bench.site.with(|site| site.folders_unnamed = true);
            let folder = bench.site.create_folder("ENG", None, "Folder");
            let inside = bench
                .site
                .create_page("ENG", Some(folder), "Inside", "<p>inside</p>");
            for n in 0..13 {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), "<p>x</p>");
            }
            let asking = format!("facts of one container {folder}");
            bench.site.fail(&asking, 1_000, fault.clone());
            let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
            let first = bench.over(index.id).await;
            assert_eq!((first.counts.uploaded, first.counts.failed), (13, 0));
            let mut runs = vec![first];
            for _ in 0..2 {
                bench.wait(60).await;
                runs.push(bench.delta(index.id).await);
                bench.wait(60).await;
                runs.push(bench.sweep(index.id).await);
            }
            for run in runs {
                assert_eq!(run.status, RunStatus::Partial, "{fault:?}: {run:?}");
                let error = run.error.unwrap();
                assert_eq!(error.code, "incomplete");
                let expected = format!(
                    "1 page(s) stay out, because Confluence does not say who may read {folder} (1 below it)"
                );
                assert_eq!(error.detail, expected);
            }
            let now = bench.index(index.id).await;
            assert_eq!(now.status, IndexStatus::Degraded);
            assert!(now.status_reason.unwrap().contains(&folder.to_string()));
            let page = bench.page(index.id, inside).await;
            assert_eq!(page.state, PageState::Pending);
            assert!(page.reason.unwrap().contains(&format!("below {folder}")));
            let unsettled = bench.store.unsettled_pages(index.id).await.unwrap();
            assert_eq!(unsettled, (1, 0), "folders are no pages");

            bench.site.heal();
            let run = bench.delta(index.id).await;
            assert_eq!((run.status, run.error), (RunStatus::Succeeded, None));
            bench.assert_true(index.id).await;
            assert_eq!(bench.held().len(), 14);
            let unsettled = bench.store.unsettled_pages(index.id).await.unwrap();
            assert_eq!(unsettled, (0, 0));
        });
    }
}

#[test]
fn a_page_whose_own_restrictions_cannot_be_asked_for_makes_the_run_partial() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>a</p>");
        let page = bench.site.create_page("ENG", None, "B", "<p>b</p>");
        bench.site.lag(page, true);
        bench
            .site
            .fail(&format!("facts of one page {page}"), 100, Fault::Empty);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.counts.uploaded), (RunStatus::Partial, 1));
        assert!(run.error.unwrap().detail.ends_with(&page.to_string()));
        bench.site.heal();
        assert_eq!(bench.delta(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
    });
}

/// What was away may have been restricted meanwhile: met again, it is not shown by its old text before that is known.
#[test]
fn what_was_away_is_not_shown_before_it_is_known_who_may_read_it() {
    for restricted in [true, false] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            let away = bench
                .site
                .create_page("ENG", None, "Away", "<p>secret words</p>");
            let stays = bench
                .site
                .create_page("ENG", None, "Stays", "<p>other words</p>");
            let index = bench.synced().await.id;
            bench.site.trash(away);
            bench.sweep(index).await;
            bench.site.restore(away);
            if restricted {
                bench.site.hide(away);
            }
            // Both are met with nothing known of who may read them: the one that was there all along is shown as before.
            bench.site.fail("facts", 99, Fault::Unavailable);
            bench.site.edit(stays, "<p>other words, edited</p>");
            let run = bench.sweep(index).await;
            assert_eq!(run.status, RunStatus::Partial);
            assert_eq!(bench.finds(index, "words").await, [stays.to_string()]);
            bench.site.heal();
            bench.wait(3600).await;
            bench.sweep(index).await;
            let found = bench.finds(index, "secret").await;
            assert_eq!(found.is_empty(), restricted);
            bench.assert_true(index).await;
        });
    }
}
