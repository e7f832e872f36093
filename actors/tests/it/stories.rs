//! The main scenarios, each as what stands in the rows after every step of it (`snapshots/`).

use domain::IndexId;
use domain::index::BackendKind;
use domain::ports::store::AdminStore;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::printed::Story;

async fn thirty(bench: &Bench) -> Vec<ContentId> {
    (0..30)
        .map(|n| {
            let (title, body) = (format!("P{n}"), format!("<p>text{n}.</p>"));
            bench.site.create_page("ENG", None, &title, &body)
        })
        .collect()
}

fn trash(bench: &Bench, pages: &[ContentId]) {
    for id in pages {
        bench.site.trash(*id);
    }
}

#[test]
fn a_first_sync_brings_everything_in_once() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let top = bench
            .site
            .create_page("ENG", None, "Handbook", "<p>welcome all</p>");
        let child = bench
            .site
            .create_page("ENG", Some(top), "Runbook", "<p>restart it</p>");
        bench.site.label(child, "ops");
        bench.site.label(child, "a");
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.over(index.id).await;
        let mut story = Story::of(&bench, index.id);
        story.then("the first sync").await;
        bench.assert_true(index.id).await;
        assert!(bench.index(index.id).await.next_run_at.is_some());
        assert_eq!(
            bench.finds(index.id, "restart it").await,
            [child.to_string()]
        );
        bench.sweep(index.id).await;
        story.then("a sweep of the same").await;
        insta::assert_snapshot!("first_sync", story.told());
    });
}

#[test]
fn edits_moves_and_deletions_are_followed() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await.id;
        bench.wait(3600).await;
        let mut story = Story::of(&bench, index);
        bench.site.edit(pages[0], "<p>anew</p>");
        bench.delta(index).await;
        story.then("a page was edited: a poll").await;
        bench.site.move_under(pages[1], Some(pages[0]));
        trash(&bench, &pages[3..4]);
        bench.site.archive(pages[4]);
        bench.site.purge(pages[5]);
        bench.sweep(index).await;
        story
            .then("one was moved, one trashed, one archived, one purged: a sweep")
            .await;
        assert!(bench.finds(index, "text5.").await.is_empty(), "hidden");
        assert_eq!(bench.held().len(), 28, "the purged one is not removed yet");
        // Too early to count as a second look.
        bench.wait(20).await;
        assert_eq!(bench.sweep(index).await.counts.deleted, 0);
        bench.wait(60).await;
        bench.sweep(index).await;
        story.then("the purged one is missed again").await;
        bench.assert_true(index).await;
        insta::assert_snapshot!("edits_moves_deletions", story.told());
    });
}

/// Half of thirty pages are gone at once, and a new one is there.
async fn asked(bench: &Bench) -> (IndexId, domain::RunId, Vec<ContentId>) {
    let pages = thirty(bench).await;
    let index = bench.synced().await.id;
    trash(bench, &pages[..15]);
    let new = bench.site.create_page("ENG", None, "New", "<p>new one</p>");
    let run = bench.sweep(index).await;
    assert!(bench.finds(index, "text3.").await.is_empty(), "hidden");
    assert_eq!(bench.finds(index, "new one").await, [new.to_string()]);
    assert_eq!(bench.held().len(), 31);
    (index, run.id, pages)
}

#[test]
fn too_many_removals_wait_for_the_administrator_who_accepts() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, asks, pages) = asked(&bench).await;
        let mut story = Story::of(&bench, index);
        story.then("half of them are in the trash").await;
        bench.store.answer_guard(asks, true).await.unwrap();
        story.then("the administrator accepts").await;
        bench.sweep(index).await;
        story.then("the next sweep").await;
        bench.assert_true(index).await;
        // The permission was for once; fewer than twenty are not guarded.
        trash(&bench, &pages[15..]);
        bench.wait(60).await;
        bench.sweep(index).await;
        story.then("all but one of the rest are in the trash").await;
        insta::assert_snapshot!("guard_accepted", story.told());
    });
}

#[test]
fn too_many_removals_wait_for_the_administrator_who_refuses() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, asks, pages) = asked(&bench).await;
        bench.store.answer_guard(asks, false).await.unwrap();
        let mut story = Story::of(&bench, index);
        story.then("the administrator refuses").await;
        bench.sweep(index).await;
        story.then("the next sweep").await;
        assert_eq!(
            bench.finds(index, "text3.").await,
            [pages[3].to_string()],
            "what is kept is quoted"
        );
        for id in &pages[..15] {
            bench.site.restore(*id);
        }
        bench.sweep(index).await;
        story.then("the pages come back").await;
        bench.assert_true(index).await;
        insta::assert_snapshot!("guard_refused", story.told());
    });
}

#[test]
fn a_poison_page_fails_alone_and_is_tried_again() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..300)
            .map(|n| {
                let (title, body) = (format!("P{n}"), format!("<p>t{n}</p>"));
                bench.site.create_page("ENG", None, &title, &body)
            })
            .collect();
        bench.site.with(|site| site.poison.insert(pages[100]));
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.over(index.id).await;
        let mut story = Story::of(&bench, index.id);
        story.then("the body of one cannot be had").await;
        assert_eq!(bench.held().len(), 299);
        bench.site.with(|site| site.poison.clear());
        let run = bench.delta(index.id).await;
        assert_eq!(run.counts.uploaded, 0, "not due yet");
        bench.wait(120).await;
        bench.over(index.id).await;
        story.then("its next try").await;
        bench.assert_true(index.id).await;
        insta::assert_snapshot!("poison_page", story.told());
    });
}

#[test]
fn an_index_moves_to_another_store() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = thirty(&bench).await;
        let index = bench.synced().await.id;
        // Two documents are not searchable there at once.
        let late = [2, 3].map(|n| format!("confluence-page-{}", pages[n]));
        bench.cloud.with(|shelf| shelf.never_ingest.extend(late));
        bench.site.take_log();
        let run = bench.engine.move_index(index, BackendKind::LlamaCloud);
        let run = run.await.unwrap().unwrap();
        bench.ended(run.id).await;
        assert_eq!(bench.site.take_log(), Vec::<String>::new());
        let mut story = Story::of(&bench, index);
        story.then("two documents do not become searchable").await;
        bench.cloud.with(|shelf| shelf.never_ingest.clear());
        bench.wait(2 * 3600).await;
        bench.over(index).await;
        story.then("they do, later").await;
        assert!(bench.shelf.documents().is_empty());
        insta::assert_snapshot!("moved_store", story.told());
    });
}

#[test]
fn a_restriction_counts_for_everything_below_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let top = bench.site.create_page("ENG", None, "Top", "<p>top</p>");
        let middle = bench
            .site
            .create_page("ENG", Some(top), "Middle", "<p>middle</p>");
        bench
            .site
            .create_page("ENG", Some(middle), "Leaf", "<p>leaf words</p>");
        bench.site.close(middle);
        let index = bench.synced().await.id;
        let mut story = Story::of(&bench, index);
        story.then("the middle is restricted").await;
        bench.assert_true(index).await;
        bench.site.unrestrict(middle);
        bench.sweep(index).await;
        story.then("it is open: bodies were kept").await;
        bench.assert_true(index).await;
        bench.site.close(top);
        bench.sweep(index).await;
        story.then("the top is restricted").await;
        assert!(bench.finds(index, "leaf words").await.is_empty());
        bench.assert_true(index).await;
        insta::assert_snapshot!("restricted_branch", story.told());
    });
}

#[test]
fn a_space_that_vanished_leaves_in_three_steps() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        for n in 0..10 {
            let (title, body) = (format!("E{n}"), "<p>eng page</p>");
            bench.site.create_page("ENG", None, &title, body);
        }
        bench.site.create_page("OPS", None, "O", "<p>ops page</p>");
        let settings = bench.index_settings("agent", &["ENG", "OPS"]);
        let index = bench.create(settings).await.id;
        bench.over(index).await;
        let mut story = Story::of(&bench, index);
        bench.site.limit_space_to("OPS", &[]);
        bench.sweep(index).await;
        story.then("the account does not see OPS").await;
        assert_eq!(bench.finds(index, "ops page").await.len(), 1, "still shown");
        bench.wait(20).await;
        bench.sweep(index).await;
        story.then("nor a second time: too early to remove").await;
        assert!(bench.finds(index, "ops page").await.is_empty(), "hidden");
        bench.wait(60).await;
        bench.sweep(index).await;
        story.then("nor a minute later").await;
        bench.assert_true(index).await;
        insta::assert_snapshot!("space_vanished", story.told());
    });
}
