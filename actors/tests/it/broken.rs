//! A body, comment or file that breaks its converter: it fails by itself, each time again, and everything else enters.

use actors::{FailAction, Failpoints};
use domain::index::IndexStatus;
use domain::page::PageState;
use domain::ports::store::AdminStore;
use domain::run::RunStatus;
use domain::{DocumentId, PageId};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};

/// From now on the converter breaks on this page or comment, however often it is tried.
async fn break_at(bench: &mut Bench, id: ContentId) {
    let place = format!("converting/{id}");
    bench.settings.failpoints = Failpoints::always(&place, FailAction::Panic);
    bench.restart().await;
}

#[test]
fn a_page_whose_body_breaks_the_converter_fails_alone() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        let pages: Vec<ContentId> = (1..10)
            .map(|n| {
                let (title, body) = (format!("P{n}"), format!("<p>text of {n}</p>"));
                bench.site.create_page("ENG", None, &title, &body)
            })
            .collect();
        break_at(&mut bench, pages[2]).await;
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        let run = bench.over(index.id).await;
        assert_eq!(run.status, RunStatus::Partial, "{run:?}");
        assert_eq!(run.counts.uploaded, 8);
        let page = bench.page(index.id, pages[2]).await;
        assert_eq!(page.state, PageState::Failed);
        let reason = page.reason.unwrap();
        assert!(
            reason.contains(&format!("failpoint converting/{}", pages[2])),
            "{reason}"
        );
        let now = bench.index(index.id).await;
        assert_eq!(now.status, IndexStatus::Degraded);

        // Tried again, ever more seldom, while edits of others enter.
        for round in 0..12 {
            bench.wait(30 * 60).await;
            bench.site.edit(pages[3], &format!("<p>round {round}</p>"));
            let run = bench.delta(index.id).await;
            assert!(run.counts.uploaded > 0, "{run:?}");
            assert_eq!(bench.index(index.id).await.status, IndexStatus::Degraded);
            assert_eq!(bench.state(index.id, pages[2]).await, PageState::Failed);
        }
        let attempts = bench.page(index.id, pages[2]).await.attempts;
        assert!((4..10).contains(&attempts), "{attempts}");
        bench.sweep(index.id).await;
        assert_eq!(bench.index(index.id).await.status, IndexStatus::Degraded);

        bench.settings.failpoints = Failpoints::default();
        bench.restart().await;
        bench.wait(7 * 3600).await;
        bench.over(index.id).await;
        assert_eq!(bench.delta(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn an_edit_that_breaks_the_converter_leaves_what_was_there() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "P", "<p>first words</p>");
        let index = bench.synced().await;
        bench.settings.failpoints =
            Failpoints::always(&format!("converting/{page}"), FailAction::Panic);
        bench.restart().await;
        bench.wait(60).await;
        bench.site.edit(page, "<p>second words</p>");
        let run = bench.delta(index.id).await;
        assert_eq!(run.status, RunStatus::Partial, "{run:?}");
        assert_eq!(bench.state(index.id, page).await, PageState::Failed);
        assert_eq!(bench.finds(index.id, "first").await.len(), 1);
        // A next version is tried at once.
        bench.settings.failpoints = Failpoints::default();
        bench.restart().await;
        bench.site.edit(page, "<p>third words</p>");
        assert_eq!(bench.delta(index.id).await.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_file_whose_reader_is_lost_twice_is_left_alone_until_it_is_replaced() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "P", "<p>text</p>");
        let attach =
            |name, data: &str| bench.site.attach(page, name, "text/plain", data.as_bytes());
        let lost = attach("lost.txt", "poison");
        attach("good.txt", "words");
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_attachments = true;
        let index = bench.create(settings).await;
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.counts.uploaded), (RunStatus::Partial, 2));
        let id = PageId::from(format!("att{lost}"));
        let file = async || bench.store.page(index.id, &id).await.unwrap().page();
        let first = file().await;
        assert_eq!((first.state, first.attempts), (PageState::Failed, 1));
        assert!(first.reason.unwrap().contains(id.as_str()));

        bench.wait(30 * 60).await;
        bench.delta(index.id).await;
        let second = file().await;
        assert_eq!(second.state, PageState::Skipped);
        let reason = second.reason.unwrap();
        assert!(
            reason.contains("256 MiB") && reason.contains("left alone"),
            "{reason}"
        );
        for _ in 0..5 {
            bench.wait(24 * 3600).await;
            assert_eq!(bench.sweep(index.id).await.status, RunStatus::Succeeded);
        }
        // The good one once, the other twice.
        assert_eq!(bench.reader.asked(), 3);

        bench.site.replace_attachment(lost, b"wholesome");
        bench.sweep(index.id).await;
        assert_eq!(
            (file().await.state, bench.reader.asked()),
            (PageState::Searchable, 4)
        );
    });
}

#[test]
fn a_read_that_was_stopped_is_not_held_against_the_file() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "P", "<p>text</p>");
        bench.site.attach(page, "slow.txt", "text/plain", b"slow");
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_attachments = true;
        bench.create(settings).await;
        for starts in 1..5 {
            while bench.reader.asked() < starts {
                bench.wait(1).await;
            }
            bench.restart().await;
        }
    });
}

#[test]
fn a_comment_that_breaks_the_converter_is_left_out_alone() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "P", "<p>text</p>");
        let poison = bench.site.comment(page, "<p>poison</p>");
        break_at(&mut bench, poison).await;
        bench.site.comment(page, "<p>wholesome</p>");
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_comments = true;
        let index = bench.create(settings).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        let id = DocumentId::from(format!("confluence-page-{page}"));
        let text = bench.shelf.documents()[&id].text.clone();
        assert!(
            text.contains("wholesome") && !text.contains("poison"),
            "{text}"
        );
    });
}
