//! What others got wrong, one test each: old documents lost over a bad body, listings cut short, restrictions opened by a bad
//! answer, changes of a failed space skipped, empty runs called good, runs that never end.

use actors::{FAILPOINTS, FailAction, Failpoints};
use domain::page::PageState;
use domain::ports::store::{AdminStore, RunFilter, SyncStore};
use domain::run::RunStatus;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::Fault;

fn pages(bench: &Bench, space: &str, number: usize) -> Vec<ContentId> {
    (0..number)
        .map(|n| {
            let title = format!("{space} {n}");
            bench
                .site
                .create_page(space, None, &title, &format!("<p>old{n}.</p>"))
        })
        .collect()
}

#[test]
fn a_page_whose_body_or_conversion_fails_in_a_sweep_keeps_its_old_document() {
    for converts in [true, false] {
        bench::run(move || async move {
            let mut bench = Bench::new().await;
            let pages = pages(&bench, "ENG", 10);
            let index = bench.synced().await;
            let before = bench.held();
            bench.site.edit(pages[4], "<p>new words</p>");
            bench.site.edit(pages[5], "<p>other words</p>");
            if converts {
                bench.site.with(|site| site.poison.insert(pages[4]));
            } else {
                let place = format!("converting/{}", pages[4]);
                bench.settings.failpoints = Failpoints::always(&place, FailAction::Panic);
                bench.restart().await;
            }
            let run = bench.sweep(index.id).await;
            assert_eq!(run.status, RunStatus::Partial, "{run:?}");
            let counts = run.counts;
            assert_eq!((counts.failed, counts.uploaded, counts.deleted), (1, 1, 0));
            assert_eq!(bench.state(index.id, pages[4]).await, PageState::Failed);
            let found = bench.finds(index.id, "old4.").await;
            assert_eq!(found, [pages[4].to_string()]);
            let held = bench.held();
            let same = before
                .iter()
                .filter(|(id, text)| held.get(id) == Some(text));
            assert_eq!((held.len(), same.count()), (10, 9));
        });
    }
}

#[test]
fn a_short_answer_is_not_the_end_of_a_listing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.with(|site| {
            site.listing_limit = Some(7);
        });
        bench.site.set_switches(|switches| switches.cql_cap = 3);
        pages(&bench, "ENG", 100);
        let index = bench.synced().await;
        assert_eq!(bench.held().len(), 100);
        bench.site.with(|site| site.listing_limit = Some(9));
        let run = bench.sweep(index.id).await;
        let counts = (run.counts.seen, run.counts.uploaded, run.counts.deleted);
        assert_eq!((run.status, counts), (RunStatus::Succeeded, (100, 0, 0)));
        bench.assert_true(index.id).await;
    });
}

#[test]
fn an_endless_next_is_no_walk() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = pages(&bench, "ENG", 40);
        let index = bench.synced().await;
        bench.site.purge(pages[7]);
        bench.site.edit(pages[8], "<p>new words</p>");
        bench.site.with(|site| site.endless = true);
        for _ in 0..2 {
            bench.wait(120).await;
            bench.site.take_log();
            let run = bench.sweep(index.id).await;
            assert_eq!((run.status, run.counts.deleted), (RunStatus::Partial, 0));
            assert!(run.error.unwrap().detail.contains("lead back"));
            let asked = bench.site.take_log().len();
            assert!(asked < 300, "{asked}");
            assert_eq!(bench.state(index.id, pages[7]).await, PageState::Searchable);
        }
        bench.site.with(|site| site.endless = false);
        for _ in 0..2 {
            bench.wait(120).await;
            bench.sweep(index.id).await;
        }
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 39);
    });
}

#[test]
fn a_failed_or_cut_answer_about_restrictions_hides_and_never_opens() {
    for fault in [
        Fault::Unavailable,
        Fault::Forbidden,
        Fault::NotFound,
        Fault::BadCursor,
        Fault::Empty,
    ] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            let top = bench.site.create_page("ENG", None, "Top", "<p>top</p>");
            let secret = bench
                .site
                .create_page("ENG", None, "Secret", "<p>secret</p>");
            let below = bench
                .site
                .create_page("ENG", Some(secret), "Below", "<p>secret</p>");
            bench.site.close(secret);
            let index = bench.synced().await;
            assert_eq!(bench.held().len(), 1);
            // New pages, open and not, and an edit of one that is out.
            let open = bench
                .site
                .create_page("ENG", Some(top), "Open", "<p>open</p>");
            let new = bench
                .site
                .create_page("ENG", Some(secret), "New", "<p>secret</p>");
            let own = bench.site.create_page("ENG", None, "Own", "<p>secret</p>");
            bench.site.close(own);
            bench.site.edit(below, "<p>secret edited</p>");
            for round in 0..4 {
                bench.site.fail("facts", 10_000, fault.clone());
                bench.wait(600).await;
                if round % 2 == 0 {
                    bench.sweep(index.id).await;
                } else {
                    bench.delta(index.id).await;
                }
                assert_eq!(bench.held().len(), 1, "{fault:?} in round {round}");
                assert!(bench.finds(index.id, "secret").await.is_empty());
                for page in [open, new, own] {
                    let state = bench.state(index.id, page).await;
                    assert!(
                        matches!(state, PageState::Pending | PageState::Skipped),
                        "{state:?}"
                    );
                }
                bench.site.heal();
            }
            bench.sweep(index.id).await;
            bench.assert_true(index.id).await;
            assert_eq!(bench.held().len(), 2);
        });
    }
}

#[test]
fn one_failed_space_does_not_move_the_watermark_past_its_own_changes() {
    for first in [true, false] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            bench.site.space("OPS");
            let eng = pages(&bench, "ENG", 3);
            let ops = pages(&bench, "OPS", 3);
            let settings = bench.index_settings("agent", &["ENG", "OPS"]);
            let fail = || {
                bench
                    .site
                    .fail(&bench.listing("OPS"), 10_000, Fault::Forbidden)
            };
            if first {
                fail();
            }
            let index = bench.create(settings).await;
            bench.over(index.id).await;
            if !first {
                fail();
                bench.sweep(index.id).await;
            }
            bench.site.edit(ops[1], "<p>changed meanwhile</p>");
            bench.wait(3600).await;
            bench.over(index.id).await;
            bench.site.edit(eng[1], "<p>later</p>");
            bench.delta(index.id).await;
            let progress = bench.store.index_state(index.id).await.unwrap().progress;
            let changed = bench.site.true_page(ops[1]).unwrap().modified_at;
            assert!(progress.watermark.unwrap() > changed, "the other goes on");
            bench.site.heal();
            let run = bench.delta(index.id).await;
            assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
            bench.assert_true(index.id).await;
            assert_eq!(bench.held().len(), 6);
        });
    }
}

#[test]
fn a_run_that_fetched_nothing_from_spaces_that_are_not_empty_has_not_succeeded() {
    bench::run(|| async {
        let bench = Bench::new().await;
        pages(&bench, "ENG", 10);
        bench.site.fail("list page Id", 1_000, Fault::Empty);
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.counts.seen), (RunStatus::Failed, 0));
        let now = bench.index(index.id).await;
        assert_eq!(now.as_of, None);
        bench.site.heal();
        let run = bench.sweep(index.id).await;
        assert_eq!(
            (run.status, run.counts.uploaded),
            (RunStatus::Succeeded, 10)
        );
        bench.site.fail("list page Id", 1_000, Fault::Empty);
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Failed, 0));
        assert_eq!(bench.held().len(), 10);
    });
}

#[test]
fn every_run_ends_in_a_final_state_whatever_dies_again_and_again() {
    for place in FAILPOINTS {
        bench::run(move || async move {
            let mut bench = Bench::new().await;
            let pages = pages(&bench, "ENG", 30);
            bench.site.comment(pages[0], "<p>remark</p>");
            bench.site.attach(pages[0], "a.txt", "text/plain", b"words");
            bench.settings.failpoints = Failpoints::always(place, FailAction::Panic);
            bench.restart().await;
            let mut settings = bench.index_settings("agent", &["ENG"]);
            settings.include_comments = true;
            settings.include_attachments = true;
            let index = bench.create(settings).await.id;
            bench.over(index).await;
            bench.site.trash(pages[1]);
            bench.sweep(index).await;
            bench.settings.failpoints = Failpoints::default();
            bench.restart().await;
            bench.wait(24 * 3600).await;
            bench.over(index).await;
            bench.sweep(index).await;
            let filter = RunFilter {
                indexes: Some(vec![index]),
                limit: 200,
                ..RunFilter::default()
            };
            let runs = bench.store.runs(&filter).await.unwrap().items;
            for run in &runs {
                let over = !run.status.is_open() && run.finished_at.is_some();
                assert!(over, "{place}: {run:?}");
            }
            let last = &runs[0];
            assert_eq!(last.status, RunStatus::Succeeded, "{place}: {last:?}");
            bench.assert_true(index).await;
        });
    }
}
