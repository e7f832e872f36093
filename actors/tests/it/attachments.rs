//! Attached files: documents of their own that follow their page, few requests, and reasons where there is no text.

use actors::{FailAction, Failpoints};
use domain::content::ContentKind;
use domain::index::Index;
use domain::page::{Page, PageState};
use domain::run::RunStatus;
use domain::{DocumentId, PageId};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::Fault;

async fn with_files(bench: &Bench) -> Index {
    let mut settings = bench.index_settings("agent", &["ENG"]);
    settings.include_attachments = true;
    let index = bench.create(settings).await;
    let run = bench.over(index.id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
    index
}

async fn file(bench: &Bench, index: &Index, id: ContentId) -> Page {
    let id = PageId::from(format!("att{id}"));
    use domain::ports::store::AdminStore;
    bench.store.page(index.id, &id).await.unwrap().page()
}

/// The text that the store holds of a file.
fn text(bench: &Bench, id: ContentId) -> Option<String> {
    let id = DocumentId::from(format!("confluence-attachment-att{id}"));
    let document = bench.shelf.documents().get(&id).cloned()?;
    assert_eq!(document.metadata.kind, ContentKind::Attachment);
    Some(document.text)
}

#[test]
fn files_enter_under_their_page_and_cost_one_download_each() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let mut files = Vec::new();
        let mut ago = chrono::TimeDelta::minutes(15 * 800);
        let mut site = || {
            ago -= chrono::TimeDelta::minutes(15);
            bench.site.at(bench.clock.true_now() - ago)
        };
        for n in 0..1_000 {
            let page = bench
                .site
                .create_page("ENG", None, &format!("Page {n}"), "<p>text</p>");
            if n < 300 {
                let data = format!("words of file {n}");
                files.push(site().attach(page, &format!("{n}.txt"), "text/plain", data.as_bytes()));
            }
            if n % 2 == 0 {
                site().attach(page, "photo.png", "image/png", b"\x89PNG");
            }
        }
        let index = with_files(&bench).await;
        let log = bench.site.take_log();
        let downloads = log.iter().filter(|l| l.contains("download")).count();
        let listings = log.iter().filter(|l| l.contains("files")).count();
        // 800 files, 200 an answer, and where the poll begins; pictures are not fetched.
        assert_eq!((downloads, listings), (300, 5), "{log:#?}");
        assert_eq!(bench.shelf.uploads(), 1_300);
        assert_eq!(
            text(&bench, files[7]).unwrap().trim_end(),
            "# 7.txt\n\nSpace ENG > Page 7\n\nwords of file 7"
        );

        let run = bench.sweep(index.id).await;
        assert_eq!((run.counts.uploaded, run.counts.deleted), (0, 0), "{run:?}");
        let log = bench.site.take_log();
        let of_files = log.iter().filter(|l| l.contains("file")).count();
        assert_eq!(of_files, 1 + 4, "{log:#?}");
        bench.wait(3600).await;
        bench.delta(index.id).await;
        let log = bench.site.take_log();
        let of_files = log.iter().filter(|l| l.contains("file")).count();
        assert_eq!(of_files, 1, "{log:#?}");
        assert_eq!(bench.shelf.uploads(), 1_300);
    });
}

#[test]
fn a_file_is_replaced_renamed_trashed_and_follows_its_page() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Plans", "<p>see below</p>");
        bench.site.label(page, "ops");
        let plan = bench
            .site
            .attach(page, "plan.txt", "text/plain", b"the first plan");
        let notes = bench
            .site
            .attach(page, "notes.md", "text/markdown", b"# Notes\n\nkept");
        let index = with_files(&bench).await;
        assert_eq!(
            bench.finds(index.id, "the first plan").await,
            [format!("att{plan}")]
        );
        let told = file(&bench, &index, plan).await;
        assert_eq!(
            (told.kind, told.state, told.labels, told.breadcrumb),
            (
                ContentKind::Attachment,
                PageState::Searchable,
                vec!["ops".to_owned()],
                vec!["Plans".to_owned()]
            )
        );

        // A poll finds a new version and a new file; the page's own change of title reaches them, too.
        bench.wait(3600).await;
        bench.site.replace_attachment(plan, b"the second plan");
        bench.site.rename(page, "Better plans");
        let run = bench.delta(index.id).await;
        assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 3));
        assert!(
            text(&bench, plan)
                .unwrap()
                .trim_end()
                .ends_with("the second plan")
        );
        assert!(text(&bench, notes).unwrap().contains("> Better plans\n"));

        // Trashed: positive evidence, gone in that sweep.
        bench.site.trash_attachment(notes);
        let run = bench.sweep(index.id).await;
        assert_eq!(run.counts.deleted, 1, "{run:?}");
        assert_eq!(text(&bench, notes), None);
        assert!(text(&bench, plan).is_some());

        // Its page is restricted, and free again; trashed, and restored.
        bench.site.close(page);
        bench.sweep(index.id).await;
        assert!(bench.shelf.documents().is_empty());
        let told = file(&bench, &index, plan).await;
        assert_eq!(told.state, PageState::Skipped);
        assert!(told.reason.unwrap().starts_with("its page stays out: "));
        bench.site.unrestrict(page);
        bench.sweep(index.id).await;
        assert!(text(&bench, plan).is_some());
        bench.site.trash(page);
        bench.sweep(index.id).await;
        assert!(bench.shelf.documents().is_empty());
        bench.site.restore(page);
        bench.sweep(index.id).await;
        assert!(text(&bench, plan).is_some());

        // The choice goes: files leave, pages stay.
        bench
            .patch(index.id, |s| s.include_attachments = false)
            .await;
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 1));
        assert_eq!(bench.shelf.documents().len(), 1);
        bench
            .patch(index.id, |s| s.include_attachments = true)
            .await;
        bench.sweep(index.id).await;
        assert!(text(&bench, plan).is_some());
    });
}

#[test]
fn what_has_no_text_says_why_and_is_fetched_at_most_once() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "Files", "<p>files</p>");
        let picture = bench.site.attach(page, "a.png", "image/png", b"\x89PNG");
        let words = vec![b'w'; 21 << 20];
        let huge = bench.site.attach(page, "b.txt", "text/plain", &words);
        let broken = bench
            .site
            .attach(page, "c.pdf", "application/pdf", b"not a pdf at all");
        let empty = bench.site.attach(page, "d.txt", "text/plain", b"  \n");
        let index = with_files(&bench).await;
        let log = bench.site.take_log();
        let downloads: Vec<_> = log.iter().filter(|l| l.contains("download")).collect();
        assert_eq!(downloads.len(), 2, "{downloads:?}");
        for (id, words) in [
            (picture, "image/png"),
            (huge, "over 20"),
            (broken, "PDF"),
            (empty, "holds no text"),
        ] {
            let told = file(&bench, &index, id).await;
            assert_eq!(told.state, PageState::Skipped, "{told:?}");
            let reason = told.reason.unwrap();
            assert!(reason.contains(words), "{reason}");
        }
        assert_eq!(bench.shelf.documents().len(), 1);
        bench.sweep(index.id).await;
        let log = bench.site.take_log();
        assert!(!log.iter().any(|l| l.contains("download")), "{log:#?}");
        // A version that can be read comes in; one that cannot goes out again.
        bench.site.replace_attachment(broken, b"%PDF broken still");
        bench.site.replace_attachment(empty, b"words at last");
        bench.sweep(index.id).await;
        assert!(
            text(&bench, empty)
                .unwrap()
                .trim_end()
                .ends_with("words at last")
        );
        bench.site.replace_attachment(empty, b"");
        bench.sweep(index.id).await;
        assert_eq!(text(&bench, empty), None);
        assert_eq!(file(&bench, &index, empty).await.state, PageState::Skipped);
    });
}

#[test]
fn a_listing_that_fails_or_lags_removes_no_file() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "Files", "<p>files</p>");
        let files: Vec<ContentId> = (0..30)
            .map(|n| {
                let data = format!("words {n}");
                bench
                    .site
                    .attach(page, &format!("{n}.txt"), "text/plain", data.as_bytes())
            })
            .collect();
        let index = with_files(&bench).await;
        assert_eq!(bench.shelf.documents().len(), 31);
        bench.site.fail("files of space", 9, Fault::Forbidden);
        assert_eq!(bench.sweep(index.id).await.status, RunStatus::Partial);
        assert_eq!(bench.shelf.documents().len(), 31);
        bench.site.heal();
        for _ in 0..2 {
            bench.site.fail("files of space", 1, Fault::Empty);
            bench.sweep(index.id).await;
            bench.wait(120).await;
            assert_eq!(bench.shelf.documents().len(), 31);
        }
        bench.site.heal();
        for id in &files[1..20] {
            bench.site.lag(*id, true);
        }
        let run = bench.sweep(index.id).await;
        assert_eq!((run.counts.deleted, run.counts.uploaded), (0, 0), "{run:?}");
        assert_eq!(
            bench.finds(index.id, "words 5").await,
            [format!("att{}", files[5])]
        );
    });
}

#[test]
fn a_download_that_fails_is_tried_again_and_stops_nothing_else() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "Files", "<p>files</p>");
        let one = bench
            .site
            .attach(page, "one.txt", "text/plain", b"first words");
        let two = bench
            .site
            .attach(page, "two.txt", "text/plain", b"second words");
        bench
            .site
            .fail(&format!("download att{one}"), 1, Fault::Unavailable);
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_attachments = true;
        let index = bench.create(settings).await;
        let run = bench.over(index.id).await;
        assert_eq!((run.status, run.counts.failed), (RunStatus::Partial, 1));
        assert!(text(&bench, two).is_some() && text(&bench, one).is_none());
        bench.wait(3600).await;
        bench.sweep(index.id).await;
        assert!(text(&bench, one).is_some());
    });
}

#[test]
fn a_file_trashed_after_its_page_moved_to_another_space_is_gone() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        bench.site.create_page("ENG", None, "Kept", "<p>kept</p>");
        bench
            .site
            .create_page("OPS", None, "Kept too", "<p>kept</p>");
        let page = bench
            .site
            .create_page("ENG", None, "Plans", "<p>see below</p>");
        let plan = bench
            .site
            .attach(page, "plan.txt", "text/plain", b"the first plan");
        let mut settings = bench.index_settings("agent", &["ENG", "OPS"]);
        settings.include_attachments = true;
        let index = bench.create(settings).await;
        bench.over(index.id).await;
        assert!(text(&bench, plan).is_some());
        bench.site.move_to_space(page, "OPS", None);
        bench.site.trash_attachment(plan);
        bench.sweep(index.id).await;
        assert_eq!(text(&bench, plan), None);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_file_that_lost_its_text_leaves_even_if_the_run_that_saw_it_does_not_end() {
    bench::run(|| async {
        let mut bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "Page", "<p>text</p>");
        let id = bench.site.attach(page, "a.txt", "text/plain", b"words");
        let index = with_files(&bench).await;
        assert!(text(&bench, id).is_some());
        bench.engine.drain(std::time::Duration::from_secs(5)).await;
        bench.site.replace_attachment(id, b"\x89PNG");
        bench.site.rename_attachment(id, "a.png");
        bench.site.set_media_type(id, "image/png");
        bench.settings.failpoints = Failpoints::at("after_files_recorded", FailAction::Panic, 1);
        bench.restart().await;
        bench.sweep(index.id).await;
        bench.over(index.id).await;
        assert_eq!(file(&bench, &index, id).await.state, PageState::Skipped);
        assert_eq!(text(&bench, id), None);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_file_that_was_moved_to_a_post_that_the_index_does_not_hold_is_gone() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Plans", "<p>see below</p>");
        let post = bench.site.create_blog_post("ENG", "News", "<p>new</p>");
        let plan = bench
            .site
            .attach(page, "plan.txt", "text/plain", b"the first plan");
        let index = with_files(&bench).await;
        bench.site.move_attachment(plan, post);
        bench.sweep(index.id).await;
        bench.wait(120).await;
        bench.sweep(index.id).await;
        assert_eq!(text(&bench, plan), None);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_file_that_cannot_be_asked_for_keeps_no_other_in_the_index() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Plans", "<p>see below</p>");
        for n in 0..20 {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), "<p>x</p>");
        }
        let files: Vec<ContentId> = (0..4)
            .map(|n| {
                let name = format!("{n}.txt");
                bench.site.attach(page, &name, "text/plain", b"some words")
            })
            .collect();
        let index = with_files(&bench).await;
        for file in &files[..3] {
            bench.site.trash_attachment(*file);
        }
        let first = format!("one file att{}", files[0]);
        bench.site.fail(&first, 9, Fault::Forbidden);
        let run = bench.sweep(index.id).await;
        assert_eq!(run.counts.deleted, 2, "{run:?}");
        bench.site.heal();
        assert_eq!(bench.sweep(index.id).await.counts.deleted, 1);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_download_refused_as_too_large_is_tried_again_where_the_file_is_not() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "P", "<p>text</p>");
        let small = bench.site.attach(page, "a.txt", "text/plain", b"small");
        bench
            .site
            .fail(&format!("download att{small}"), 2, Fault::TooLarge);
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_attachments = true;
        let index = bench.create(settings).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Partial);
        let failed = file(&bench, &index, small).await;
        assert_eq!(failed.state, PageState::Failed);
        assert!(failed.reason.unwrap().contains("announced size"));
        for _ in 0..3 {
            bench.wait(600).await;
            bench.delta(index.id).await;
        }
        assert!(text(&bench, small).unwrap().contains("small"));
    });
}
