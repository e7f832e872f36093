//! Macros that only Confluence can resolve: taken from the rendered form of their page as far as a run's budget goes, and kept as
//! they were rendered last beyond it.

use actors::EngineSettings;
use domain::PageId;
use domain::ports::store::{QueryStore, SyncStore};
use domain::run::{RunKind, RunStatus};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::FakeRetrieval;
use crate::reconverted::{WALK, made_by_an_older_one};

/// A page of this text, with a macro that asks for this.
fn body(text: &str, query: &str) -> String {
    format!(
        "<p>{text}</p><ac:structured-macro ac:name=\"contentbylabel\" ac:macro-id=\"m\"><ac:parameter ac:name=\"cql\">{query}</ac:parameter></ac:structured-macro>"
    )
}

/// What stands for the macro where nothing was rendered.
fn pointer(query: &str) -> String {
    format!("[Pages by label: {query}]")
}

/// A bench with an index of three such pages that have all been rendered, and a budget of one from here on.
async fn rendered() -> (Bench, domain::IndexId, Vec<ContentId>) {
    let settings = EngineSettings {
        rendered_pages_per_run: 3,
        ..EngineSettings::default()
    };
    let mut bench = Bench::with(FakeRetrieval::immediate(), settings).await;
    let pages: Vec<ContentId> = (0..3)
        .map(|n| {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), &body("text", "x"))
        })
        .collect();
    for page in &pages {
        render(&bench, *page, "first");
    }
    let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
    assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
    assert_eq!(requests(&bench), 3);
    assert_eq!(holding(&bench, &pages, "rendered first").await, 3);
    bench.settings.rendered_pages_per_run = 1;
    bench.restart().await;
    (bench, index.id, pages)
}

/// From now on Confluence renders the macro of a page so.
fn render(bench: &Bench, page: ContentId, words: &str) {
    let html = format!(
        "<ul class=\"conf-macro\" data-macro-name=\"contentbylabel\" data-macro-id=\"m\"><li>rendered {words}</li></ul>"
    );
    bench.site.with(|site| site.rendered.insert(page, html));
}

/// Rendered forms that were asked for since the last call.
fn requests(bench: &Bench) -> usize {
    let log = bench.site.take_log();
    log.iter().filter(|l| l.starts_with("rendered ")).count()
}

/// How many of these pages hold these words, in what is kept and in the store alike.
async fn holding(bench: &Bench, pages: &[ContentId], words: &str) -> usize {
    let ids: Vec<PageId> = pages.iter().map(|id| id.to_string().into()).collect();
    let kept = bench.store.texts(&ids).await.unwrap();
    let kept = kept.iter().filter(|text| text.markdown.contains(words));
    let held = bench.held();
    let held = held.values().filter(|text| text.contains(words)).count();
    assert_eq!(kept.count(), held, "{words}");
    held
}

#[test]
fn a_better_converter_keeps_what_a_run_may_not_render_anew() {
    bench::run(|| async {
        let (bench, index, pages) = rendered().await;
        for page in &pages {
            render(&bench, *page, "second");
            made_by_an_older_one(&bench, index, *page, Some("older words\n")).await;
        }
        bench.store.set_checkpoint(index, WALK, None).await.unwrap();
        let run = bench.delta(index).await;
        assert_eq!(
            (run.kind, run.status),
            (RunKind::Delta, RunStatus::Succeeded)
        );
        assert_eq!(requests(&bench), 1);
        assert_eq!(holding(&bench, &pages, "older words").await, 0);
        assert_eq!(holding(&bench, &pages, "rendered first").await, 2);
        assert_eq!(holding(&bench, &pages, "rendered second").await, 1);
    });
}

#[test]
fn an_edit_keeps_what_was_rendered_of_macros_that_are_the_same() {
    bench::run(|| async {
        let (bench, index, pages) = rendered().await;
        bench.wait(60).await;
        for page in &pages {
            bench.site.edit(*page, &body("other text", "x"));
        }
        assert_eq!(bench.delta(index).await.counts.uploaded, 3);
        assert_eq!(requests(&bench), 1);
        assert_eq!(holding(&bench, &pages, "other text").await, 3);
        assert_eq!(holding(&bench, &pages, "rendered first").await, 3);

        // What was rendered for another question is no answer to this one.
        bench.wait(60).await;
        for page in &pages {
            bench.site.edit(*page, &body("other text", "y"));
            render(&bench, *page, "second");
        }
        assert_eq!(bench.delta(index).await.counts.uploaded, 3);
        assert_eq!(requests(&bench), 1);
        assert_eq!(holding(&bench, &pages, "rendered first").await, 0);
        assert_eq!(holding(&bench, &pages, "rendered second").await, 1);
        assert_eq!(holding(&bench, &pages, &pointer("y")).await, 2);
    });
}

#[test]
fn a_changed_link_keeps_what_was_rendered() {
    bench::run(|| async {
        let (bench, index, pages) = rendered().await;
        bench.wait(60).await;
        let link = "<ac:link><ri:page ri:content-title=\"Later\"/></ac:link>";
        for page in &pages {
            bench.site.edit(*page, &body(link, "x"));
        }
        bench.delta(index).await;
        assert_eq!(requests(&bench), 1);
        bench.wait(60).await;
        bench.site.create_page("ENG", None, "Later", "<p>new</p>");
        let run = bench.sweep(index).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        assert_eq!(holding(&bench, &pages, "rendered first").await, 3);
    });
}

#[test]
fn without_a_budget_storage_alone_speaks() {
    bench::run(|| async {
        let (mut bench, index, pages) = rendered().await;
        bench.settings.rendered_pages_per_run = 0;
        bench.restart().await;
        for page in &pages {
            made_by_an_older_one(&bench, index, *page, None).await;
        }
        bench.store.set_checkpoint(index, WALK, None).await.unwrap();
        assert_eq!(bench.delta(index).await.counts.uploaded, 3);
        assert_eq!(requests(&bench), 0);
        assert_eq!(holding(&bench, &pages, &pointer("x")).await, 3);
    });
}

#[test]
fn a_listing_with_bodies_keeps_what_was_rendered() {
    bench::run(|| async {
        let (bench, _, pages) = rendered().await;
        // Nobody keeps the space that they are in now: another index lists it with bodies.
        bench.site.space("OPS");
        for page in &pages {
            bench.site.move_to_space(*page, "OPS", None);
        }
        let other = bench.create(bench.index_settings("other", &["OPS"])).await;
        assert_eq!(bench.over(other.id).await.status, RunStatus::Succeeded);
        let log = bench.site.take_log();
        assert!(log.iter().any(|l| l.contains("bodies=true")), "{log:#?}");
        assert_eq!(log.iter().filter(|l| l.starts_with("rendered ")).count(), 1);
        let ids: Vec<PageId> = pages.iter().map(|id| id.to_string().into()).collect();
        let kept = bench.store.texts(&ids).await.unwrap();
        let kept = kept
            .iter()
            .filter(|text| text.markdown.contains("rendered first"));
        assert_eq!(kept.count(), 3);
    });
}
