//! Optional parts fail alone (§7.10): the pages go on, the run is partial and says what is missing.

use actors::EngineSettings;
use domain::index::{IndexStatus, SpaceState};
use domain::page::PageState;
use domain::ports::store::{AdminStore, SyncStore};
use domain::run::{Run, RunStatus};
use domain::{DocumentId, IndexId, PageId};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::{FakeRetrieval, Fault};

const REFUSALS: [Fault; 4] = [
    Fault::Unauthorized,
    Fault::Withdrawn,
    Fault::Forbidden,
    Fault::Unavailable,
];

/// Twenty pages in two spaces, with a comment on the first and a file below it.
fn fill(bench: &Bench) -> Vec<ContentId> {
    bench.site.space("OPS");
    let pages: Vec<ContentId> = (0..20)
        .map(|n| {
            let space = if n % 2 == 0 { "ENG" } else { "OPS" };
            bench
                .site
                .create_page(space, None, &format!("P{n}"), &format!("<p>text{n}.</p>"))
        })
        .collect();
    bench.site.comment(pages[0], "<p>remark</p>");
    bench
        .site
        .attach(pages[0], "notes.txt", "text/plain", b"notes");
    pages
}

async fn everything(bench: &Bench) -> IndexId {
    let mut settings = bench.index_settings("agent", &["ENG", "OPS"]);
    settings.include_comments = true;
    settings.include_attachments = true;
    bench.create(settings).await.id
}

fn assert_incomplete(run: &Run, what: &str) {
    assert_eq!(run.status, RunStatus::Partial, "{run:?}");
    let error = run.error.as_ref().unwrap();
    assert_eq!(error.code, "incomplete");
    assert!(error.detail.contains(what), "{error:?}");
}

#[test]
fn comments_and_files_that_are_refused_fail_alone() {
    for fault in REFUSALS {
        for (requests, what, documents) in [
            (&["comment"][..], "comments", 21),
            (&["files", "file", "download"][..], "files", 20),
        ] {
            let fault = fault.clone();
            bench::run(move || async move {
                let bench = Bench::new().await;
                let pages = fill(&bench);
                for words in requests {
                    bench.site.fail(words, 1_000, fault.clone());
                }
                let index = everything(&bench).await;
                let run = bench.over(index).await;
                assert_incomplete(&run, what);
                assert_eq!((run.counts.uploaded, run.counts.failed), (documents, 0));
                let now = bench.index(index).await;
                assert_eq!(now.status, IndexStatus::Degraded);
                assert!(now.status_reason.unwrap().contains(what));
                let states = now.spaces.iter().map(|space| space.state);
                assert!(states.eq([SpaceState::Current; 2]), "{:?}", now.spaces);

                // What is new in the pages goes on entering, at the price of a poll.
                let watermark = async || {
                    bench
                        .store
                        .index_state(index)
                        .await
                        .unwrap()
                        .progress
                        .watermark
                };
                for round in 0..5 {
                    bench.wait(3600).await;
                    bench.over(index).await;
                    bench.site.edit(pages[3], &format!("<p>round {round}</p>"));
                    let before = watermark().await;
                    bench.site.take_log();
                    bench.delta(index).await;
                    let log = bench.site.take_log();
                    let walks = log
                        .iter()
                        .filter(|line| line.contains("list page Id"))
                        .count();
                    assert_eq!(walks, 0, "{log:#?}");
                    assert!(watermark().await > before);
                    assert_eq!(bench.finds(index, &format!("round {round}")).await.len(), 1);
                }
                bench.site.heal();
                let run = bench.sweep(index).await;
                assert_eq!((run.status, run.error), (RunStatus::Succeeded, None));
                bench.assert_true(index).await;
            });
        }
    }
}

#[test]
fn a_part_that_is_refused_as_such_is_asked_for_once_a_run() {
    bench::run(|| async {
        let bench = Bench::new().await;
        fill(&bench);
        bench.site.fail("comment", 1_000, Fault::Unauthorized);
        let index = everything(&bench).await;
        bench.over(index).await;
        let asked = |log: Vec<String>| log.iter().filter(|line| line.contains("comment")).count();
        assert_eq!(asked(bench.site.take_log()), 1);
        bench.sweep(index).await;
        assert_eq!(asked(bench.site.take_log()), 1);
    });
}

#[test]
fn what_was_there_of_a_part_stays_while_it_is_refused() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = fill(&bench);
        let index = everything(&bench).await;
        assert_eq!(bench.over(index).await.status, RunStatus::Succeeded);
        for words in ["comment", "file"] {
            bench.site.fail(words, 1_000, Fault::Unauthorized);
        }
        for _ in 0..3 {
            bench.wait(120).await;
            let run = bench.sweep(index).await;
            assert_incomplete(&run, "comments");
            assert_incomplete(&run, "files");
            assert_eq!((run.counts.uploaded, run.counts.deleted), (0, 0));
        }
        let id = DocumentId::from(format!("confluence-page-{}", pages[0]));
        assert!(bench.shelf.documents()[&id].text.contains("remark"));
        assert_eq!(bench.held().len(), 21);
        assert_eq!(bench.finds(index, "notes").await.len(), 1);
    });
}

#[test]
fn a_file_whose_download_is_refused_fails_alone() {
    for fault in [Fault::Unauthorized, Fault::Withdrawn] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            let pages = fill(&bench);
            for n in 0..3 {
                let name = format!("more{n}.txt");
                bench.site.attach(pages[1], &name, "text/plain", b"more");
            }
            let first = bench.site.every_file()[0].id;
            bench
                .site
                .fail(&format!("download att{first}"), 100, fault.clone());
            let index = everything(&bench).await;
            let run = bench.over(index).await;
            assert_incomplete(&run, &format!("att{first}"));
            assert_eq!((run.counts.uploaded, run.counts.failed), (23, 1));
            let file = PageId::from(format!("att{first}"));
            let file = bench.store.page(index, &file).await.unwrap().page();
            assert_eq!((file.state, file.attempts), (PageState::Failed, 1));
            bench.site.heal();
            bench.wait(120).await;
            assert_eq!(bench.delta(index).await.status, RunStatus::Succeeded);
            bench.assert_true(index).await;
        });
    }
}

#[test]
fn downloads_that_are_refused_as_such_are_not_tried_one_by_one() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = fill(&bench);
        for n in 0..40 {
            let name = format!("more{n}.txt");
            bench.site.attach(pages[1], &name, "text/plain", b"more");
        }
        bench.site.fail("download", 1_000, Fault::Unauthorized);
        let index = everything(&bench).await;
        let run = bench.over(index).await;
        assert_incomplete(&run, "files");
        assert_eq!((run.counts.uploaded, run.counts.failed), (20, 41));
        let log = bench.site.take_log();
        let tried = log.iter().filter(|line| line.contains("download")).count();
        assert!((5..=6).contains(&tried), "{tried}");
    });
}

#[test]
fn a_rendered_macro_that_is_refused_leaves_the_page_as_storage_has_it() {
    const MACRO: &str = r#"<p>before</p><ac:structured-macro ac:name="contentbylabel"><ac:parameter ac:name="cql">label = "a"</ac:parameter></ac:structured-macro>"#;
    for fault in REFUSALS {
        bench::run(move || async move {
            let settings = EngineSettings {
                rendered_pages_per_run: 10,
                ..EngineSettings::default()
            };
            let bench = Bench::with(FakeRetrieval::immediate(), settings).await;
            for n in 0..4 {
                bench.site.create_page("ENG", None, &format!("P{n}"), MACRO);
            }
            let refused = matches!(fault, Fault::Unauthorized | Fault::Withdrawn);
            bench.site.fail("rendered", 1_000, fault.clone());
            let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
            let run = bench.over(index.id).await;
            assert_incomplete(&run, "rendered macros");
            assert_eq!((run.counts.uploaded, run.counts.failed), (4, 0));
            assert_eq!(bench.finds(index.id, "before").await.len(), 4);
            let log = bench.site.take_log();
            let asked = log.iter().filter(|line| line.contains("rendered")).count();
            assert!(if refused { asked <= 2 } else { asked == 4 }, "{asked}");
            // Nothing is rendered anew, and nothing is missing of what was read.
            let run = bench.sweep(index.id).await;
            assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 0));
        });
    }
}

#[test]
fn names_that_are_refused_fail_alone() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages = fill(&bench);
        bench.site.fail("people", 1_000, Fault::Unauthorized);
        let index = everything(&bench).await;
        let run = bench.over(index).await;
        assert_incomplete(&run, "names of people");
        assert_eq!((run.counts.uploaded, run.counts.failed), (21, 0));
        let id = DocumentId::from(format!("confluence-page-{}", pages[0]));
        assert!(bench.shelf.documents()[&id].text.contains("remark"));
    });
}
