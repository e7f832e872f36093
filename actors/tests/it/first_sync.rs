//! The first sync: everything in, each page once, with few requests.

use domain::run::{RunKind, RunStatus};
use simulators::confluence::DEFAULT_AUTHOR;

use crate::bench::{self, Bench};

#[test]
fn six_hundred_pages_in_three_spaces_cost_few_requests_and_a_second_run_uploads_nothing() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        bench.site.space("HR");
        for key in ["ENG", "OPS", "HR"] {
            let top = bench.site.create_page(key, None, "Top", "<p>top</p>");
            for n in 1..200 {
                let page = bench.site.create_page(
                    key,
                    Some(top),
                    &format!("Page {n}"),
                    &format!("<p>text {n}</p>"),
                );
                bench.site.label(page, "l");
            }
        }
        let index = bench
            .create(bench.index_settings("agent", &["ENG", "OPS", "HR"]))
            .await;
        let run = bench.over(index.id).await;
        assert_eq!(
            (run.status, run.counts.searchable),
            (RunStatus::Succeeded, 600)
        );
        let log = bench.site.take_log();
        assert!(log.len() <= 25, "{} requests: {log:#?}", log.len());
        assert_eq!(run.requests.confluence, i64::try_from(log.len()).unwrap());
        bench.assert_true(index.id).await;
        assert_eq!(bench.shelf.uploads(), 600);

        let run = bench.sweep(index.id).await;
        assert_eq!(
            (run.kind, run.status),
            (RunKind::Sweep, RunStatus::Succeeded)
        );
        assert_eq!(
            (
                run.counts.uploaded,
                run.counts.fetched,
                run.counts.unchanged
            ),
            (0, 0, 600)
        );
        let log = bench.site.take_log();
        assert!(log.len() <= 15, "{} requests: {log:#?}", log.len());
        assert_eq!(bench.shelf.uploads(), 600);

        let run = bench.delta(index.id).await;
        assert_eq!(
            (run.kind, run.status),
            (RunKind::Delta, RunStatus::Succeeded)
        );
        // Pages made within the overlap of the poll are read again, in one more answer or two; nothing is asked of them.
        let log = bench.site.take_log();
        assert!(log.len() <= 6, "{log:#?}");
    });
}

#[test]
fn links_lead_to_pages_that_are_listed_later_and_people_have_names() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let first = bench.site.create_page(
            "ENG",
            None,
            "First",
            &format!("<p><ac:link><ri:page ri:content-title=\"Last\" /></ac:link> by <ac:link><ri:user ri:account-id=\"{DEFAULT_AUTHOR}\" /></ac:link></p>"),
        );
        for n in 0..300 {
            bench
                .site
                .create_page("ENG", None, &format!("Between {n}"), "<p>x</p>");
        }
        let last = bench
            .site
            .create_page("ENG", None, "Last", "<p>the end</p>");
        let index = bench.synced().await;
        let documents = bench.shelf.documents();
        let id = domain::DocumentId::from(format!("confluence-page-{first}"));
        let text = &documents[&id].text;
        assert!(
            text.contains(&format!(
                "https://wiki.example/wiki/spaces/ENG/pages/{last}/Last"
            )),
            "{text}"
        );
        assert!(text.contains("Robin Author"), "{text}");
        assert_eq!(bench.shelf.uploads(), 302, "each page once, links included");
        assert_eq!(bench.sweep(index.id).await.counts.uploaded, 0);
    });
}
