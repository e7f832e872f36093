//! Comments: folded into their page's document where the index wants them, in bulk, and nothing unchanged uploaded again.

use domain::DocumentId;
use domain::run::{RunKind, RunStatus};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::Fault;

async fn commented(bench: &Bench, agent: &str) -> domain::index::Index {
    let mut settings = bench.index_settings(agent, &["ENG"]);
    settings.include_comments = true;
    let index = bench.create(settings).await;
    let run = bench.over(index.id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
    index
}

/// What the store object of one index holds of a page.
async fn text_in(bench: &Bench, index: domain::IndexId, page: ContentId) -> String {
    let remote = bench.index(index).await.remote.unwrap().id;
    let id = DocumentId::from(format!("confluence-page-{page}"));
    bench
        .shelf
        .with(|shelf| shelf.documents[&remote][&id].text.clone())
}

/// The text that the store holds of a page.
fn text(bench: &Bench, page: ContentId) -> String {
    let id = DocumentId::from(format!("confluence-page-{page}"));
    bench.shelf.documents()[&id].text.clone()
}

#[test]
fn a_thousand_pages_with_three_hundred_comments_cost_few_requests_and_nothing_is_uploaded_twice() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let mut pages = Vec::new();
        for n in 0..1_000 {
            pages.push(
                bench
                    .site
                    .create_page("ENG", None, &format!("Page {n}"), "<p>text</p>"),
            );
        }
        // Said over the last days.
        let mut ago = chrono::TimeDelta::minutes(15 * 800);
        let mut site = || {
            ago -= chrono::TimeDelta::minutes(15);
            bench.site.at(bench.clock.true_now() - ago)
        };
        for n in 0..100 {
            let comment = site().comment(pages[n * 7], &format!("<p>first {n}</p>"));
            site().reply(comment, &format!("<p>second {n}</p>"));
            site().inline_comment(pages[n * 3], "text", &format!("<p>third {n}</p>"));
        }
        // Comments elsewhere on the site cost nothing.
        bench.site.space("ELSE");
        let other = bench.site.create_page("ELSE", None, "Other", "<p>x</p>");
        for n in 0..500 {
            site().comment(other, &format!("<p>elsewhere {n}</p>"));
        }
        let index = commented(&bench, "agent").await;
        let log = bench.site.take_log();
        let of_comments = |log: &[String]| log.iter().filter(|l| l.contains("comment")).count();
        // Where the poll begins (2), and 300 comments with their texts, 50 an answer.
        assert_eq!(of_comments(&log), 2 + 6, "{log:#?}");
        assert!(log.len() <= 28, "{} requests: {log:#?}", log.len());
        assert_eq!(
            bench.shelf.uploads(),
            1_000,
            "each page once, comments included"
        );
        assert!(text(&bench, pages[0]).contains("# Comments\n\n**Robin Author**, "));

        let run = bench.sweep(index.id).await;
        let log = bench.site.take_log();
        assert_eq!(of_comments(&log), 2 + 2, "{log:#?}");
        assert_eq!((run.counts.uploaded, run.counts.unchanged), (0, 1_000));

        bench.wait(3600).await;
        bench.delta(index.id).await;
        let log = bench.site.take_log();
        assert_eq!(of_comments(&log), 2, "{log:#?}");
        assert_eq!(bench.shelf.uploads(), 1_000);
    });
}

#[test]
fn what_is_said_edited_settled_and_deleted_reaches_the_document() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Runbook", "<p>restart it</p>");
        let quiet = bench
            .site
            .create_page("ENG", None, "Quiet", "<p>nothing</p>");
        let first = bench.site.comment(page, "<p>which one?</p>");
        let index = commented(&bench, "agent").await;
        let head = "# Runbook\n\nSpace ENG\n\nrestart it\n\n# Comments\n\n**Robin Author**, ";
        let before = text(&bench, page);
        assert!(before.starts_with(head), "{before}");
        assert!(before.ends_with(":\n\n> which one?\n"), "{before}");
        assert!(!text(&bench, quiet).contains("# Comments"));
        assert_eq!(bench.finds(index.id, "which one").await, [page.to_string()]);

        // A poll finds what is said and edited.
        bench.wait(3600).await;
        let reply = bench.site.reply(first, "<p>the gateway</p>");
        bench.site.edit_comment(first, "<p>which one, please?</p>");
        let inline = bench
            .site
            .inline_comment(quiet, "nothing", "<p>really?</p>");
        let run = bench.delta(index.id).await;
        assert_eq!(
            (run.kind, run.counts.uploaded),
            (RunKind::Delta, 2),
            "{run:?}"
        );
        let now = text(&bench, page);
        assert!(now.contains("> which one, please?\n>\n> **Robin"), "{now}");
        assert!(now.ends_with("\n> > the gateway\n"), "{now}");
        assert!(text(&bench, quiet).contains("** on “nothing”, "));
        assert_eq!(bench.delta(index.id).await.counts.uploaded, 0);

        // What is settled or deleted is seen by a sweep.
        bench.site.resolve_comment(inline, "resolved");
        bench.site.delete_comment(reply);
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 1);
        assert!(text(&bench, quiet).contains(" (resolved):"));
        // The page was edited, and what the comment was made on is not in it any more.
        bench.site.resolve_comment(inline, "dangling");
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 1);
        assert!(text(&bench, quiet).contains(" (that text is no longer on the page):"));
        // That it answers 404 counts when it does so twice.
        bench.wait(60).await;
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 1);
        assert!(!text(&bench, page).contains("the gateway"));
        bench.site.delete_comment(first);
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 0);
        bench.wait(60).await;
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 1);
        assert_eq!(text(&bench, page), "# Runbook\n\nSpace ENG\n\nrestart it\n");
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 0);
    });
}

#[test]
fn each_index_has_its_own_choice_and_may_change_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Runbook", "<p>restart it</p>");
        bench.site.comment(page, "<p>which one?</p>");
        let index = commented(&bench, "with").await;
        let plain = bench
            .create(bench.index_settings("without", &["ENG"]))
            .await;
        bench.over(plain.id).await;
        assert!(text_in(&bench, index.id, page).await.contains("# Comments"));
        assert!(!text_in(&bench, plain.id, page).await.contains("# Comments"));
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 0);
        assert_eq!(bench.sweep(plain.id).await.counts.uploaded, 0);

        bench.patch(plain.id, |s| s.include_comments = true).await;
        assert_eq!(bench.sweep(plain.id).await.counts.uploaded, 1);
        assert!(text_in(&bench, plain.id, page).await.contains("which one?"));
        bench.patch(plain.id, |s| s.include_comments = false).await;
        let run = bench.sweep(plain.id).await;
        assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 1));
        assert!(!text_in(&bench, plain.id, page).await.contains("which one?"));
        // The other index goes on with what is kept for both.
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 0);
    });
}

#[test]
fn comments_of_a_page_that_becomes_restricted_go_with_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Secret", "<p>plans</p>");
        bench.site.comment(page, "<p>confidential words</p>");
        let index = commented(&bench, "agent").await;
        assert_eq!(bench.finds(index.id, "confidential").await.len(), 1);
        bench.site.close(page);
        bench.sweep(index.id).await;
        assert!(bench.finds(index.id, "confidential").await.is_empty());
        assert!(bench.shelf.documents().is_empty());
        // A comment made meanwhile brings nothing back.
        bench.site.comment(page, "<p>confidential too</p>");
        bench.delta(index.id).await;
        bench.sweep(index.id).await;
        assert!(bench.shelf.documents().is_empty());
    });
}

#[test]
fn an_answer_that_fails_or_is_empty_takes_no_comment_away() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Runbook", "<p>restart it</p>");
        let comments: Vec<ContentId> = (0..40)
            .map(|n| bench.site.comment(page, &format!("<p>word {n}</p>")))
            .collect();
        let index = commented(&bench, "agent").await;
        let before = text(&bench, page);

        bench.site.fail("comments of space", 9, Fault::Forbidden);
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::Partial);
        assert_eq!(text(&bench, page), before);
        bench.site.heal();

        // Search answers nothing, and a few of the comments answer 404 for a moment: twice in a row.
        for _ in 0..2 {
            bench.site.fail("comments of space", 1, Fault::Empty);
            bench.sweep(index.id).await;
            bench.wait(120).await;
        }
        assert_eq!(text(&bench, page), before);
        bench.site.heal();

        // Search does not know some of them: they are asked for, the rest is waited for.
        for id in &comments {
            bench.site.lag(*id, true);
        }
        bench.site.lag(comments[0], false);
        bench.sweep(index.id).await;
        assert_eq!(text(&bench, page), before);
        for id in &comments {
            bench.site.lag(*id, false);
        }
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 0);
    });
}

#[test]
fn a_name_that_could_not_be_had_is_told_later() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Runbook", "<p>restart it</p>");
        bench.site.comment(page, "<p>which one?</p>");
        bench.site.fail("people", 1, Fault::Unavailable);
        let index = commented(&bench, "agent").await;
        assert!(text(&bench, page).contains("**Somebody**, "));
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 1);
        assert!(text(&bench, page).contains("**Robin Author**, "));
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 0);
    });
}

#[test]
fn a_deleted_comment_is_gone_with_the_poll_after_the_sweep_that_missed_it() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Runbook", "<p>restart it</p>");
        let comments: Vec<ContentId> = (0..3)
            .map(|n| bench.site.comment(page, &format!("<p>word {n}</p>")))
            .collect();
        let index = commented(&bench, "agent").await;
        bench.site.delete_comment(comments[1]);
        bench.sweep(index.id).await;
        assert!(text(&bench, page).contains("word 1"));
        bench.wait(120).await;
        bench.delta(index.id).await;
        assert!(!text(&bench, page).contains("word 1"));
        bench.assert_true(index.id).await;
        // Nobody asks for it again.
        bench.wait(120).await;
        bench.site.take_log();
        bench.delta(index.id).await;
        let asked = bench.site.take_log();
        assert!(
            asked
                .iter()
                .all(|words| !words.contains("one footer comment"))
        );
    });
}

#[test]
fn a_comment_that_was_missed_by_a_clock_that_was_ahead_goes_when_that_is_set_back() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Runbook", "<p>restart it</p>");
        bench.site.comment(page, "<p>still there</p>");
        let gone = bench.site.comment(page, "<p>soon gone</p>");
        let index = commented(&bench, "agent").await;
        bench.clock.set_ahead(chrono::TimeDelta::days(400));
        bench.site.delete_comment(gone);
        bench.sweep(index.id).await;
        bench.clock.set_ahead(chrono::TimeDelta::zero());
        bench.sweep(index.id).await;
        assert!(text(&bench, page).contains("soon gone"), "seen once");
        bench.wait(120).await;
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
        assert!(!text(&bench, page).contains("soon gone"));
    });
}

#[test]
fn a_comment_that_answers_404_is_asked_for_a_second_time_before_it_goes() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Runbook", "<p>restart it</p>");
        for n in 0..3 {
            bench.site.comment(page, &format!("<p>word {n}</p>"));
        }
        let index = commented(&bench, "agent").await;
        let before = text(&bench, page);
        // For a moment search names none of them, and each answers 404.
        bench.site.fail("comments of space", 1, Fault::Empty);
        bench.site.fail("one footer comment", 3, Fault::Empty);
        bench.sweep(index.id).await;
        assert_eq!(text(&bench, page), before);
        bench.wait(120).await;
        bench.sweep(index.id).await;
        assert_eq!(text(&bench, page), before);
        // That they were missed once says nothing any more.
        bench.wait(120).await;
        bench.site.fail("comments of space", 1, Fault::Empty);
        bench.site.fail("one footer comment", 3, Fault::Empty);
        bench.sweep(index.id).await;
        assert_eq!(text(&bench, page), before);
    });
}
