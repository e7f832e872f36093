//! What the audit log tells counts with the next poll, and decides nothing by itself.

use std::time::Duration;

use actors::EngineSettings;
use domain::IndexId;
use domain::page::PageState;
use domain::run::RunStatus;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};
use crate::fakes::{FakeRetrieval, Fault};

async fn following() -> Bench {
    let settings = EngineSettings {
        audit_log: true,
        ..EngineSettings::default()
    };
    Bench::with(FakeRetrieval::immediate(), settings).await
}

/// Ten pages, the second to fourth in a folder below the first.
async fn ten(bench: &Bench) -> (ContentId, Vec<ContentId>) {
    let page = |parent: Option<ContentId>, n: usize| {
        let (title, body) = (format!("P{n}"), format!("<p>text{n}.</p>"));
        bench.site.create_page("ENG", parent, &title, &body)
    };
    let mut pages = vec![page(None, 0)];
    let folder = bench.site.create_folder("ENG", Some(pages[0]), "Plans");
    pages.extend((1..4).map(|n| page(Some(folder), n)));
    pages.extend((4..10).map(|n| page(None, n)));
    (folder, pages)
}

/// An index of these, up to date with the log.
async fn followed() -> (Bench, ContentId, Vec<ContentId>, IndexId) {
    let bench = following().await;
    let (folder, pages) = ten(&bench).await;
    let index = bench.synced().await.id;
    bench.delta(index).await;
    (bench, folder, pages, index)
}

#[test]
fn a_restriction_counts_with_the_next_poll_for_a_page_and_for_a_folder() {
    bench::run(|| async {
        let (bench, folder, pages, index) = followed().await;
        for (restricted, left) in [(pages[5], 9), (folder, 6), (pages[0], 5)] {
            // A record is behind what it tells of.
            bench.wait(30).await;
            bench.site.close(restricted);
            bench.delta(index).await;
            assert_eq!(bench.held().len(), left);
            bench.assert_true(index).await;
        }
        for (opened, left) in [(folder, 5), (pages[0], 9), (pages[5], 10)] {
            bench.wait(30).await;
            bench.site.unrestrict(opened);
            bench.delta(index).await;
            assert_eq!(bench.held().len(), left);
            bench.assert_true(index).await;
        }
    });
}

#[test]
fn a_quiet_poll_asks_once_more_and_a_record_once_more_for_what_it_names() {
    bench::run(|| async {
        let quiet = {
            let bench = Bench::new().await;
            ten(&bench).await;
            let index = bench.synced().await.id;
            bench.wait(3600).await;
            bench.site.take_log();
            bench.delta(index).await;
            bench.site.take_log()
        };
        assert!(!quiet.iter().any(|words| words == "audited"), "{quiet:?}");
        let bench = following().await;
        let (_, pages) = ten(&bench).await;
        let index = bench.synced().await.id;
        bench.wait(3600).await;
        bench.site.take_log();
        bench.delta(index).await;
        assert_eq!(bench.site.take_log().len(), quiet.len() + 1);
        bench.site.close(pages[5]);
        bench.delta(index).await;
        let log = bench.site.take_log();
        assert_eq!(log.len(), quiet.len() + 2, "{log:?}");
        // What was read once is read again for as long as later records may come to light, and then no more.
        for again in [1, 1, 0] {
            bench.wait(3600).await;
            bench.delta(index).await;
            let log = bench.site.take_log();
            assert_eq!(log.len(), quiet.len() + 1 + again, "{log:?}");
        }
    });
}

#[test]
fn a_log_that_lags_or_that_goes_on_and_on_loses_nothing() {
    bench::run(|| async {
        let bench = following().await;
        bench.site.set_switches(|switches| {
            switches.audit_lag = Duration::from_secs(300);
            switches.audit_cap = 3;
        });
        let (_, pages) = ten(&bench).await;
        let index = bench.synced().await.id;
        bench.delta(index).await;
        for (n, page) in pages[4..].iter().enumerate() {
            bench.site.close(*page);
            bench.wait(60).await;
            // Later ones are known before earlier ones only if these were seen late.
            bench.delta(index).await;
            assert!(bench.held().len() >= 9 - n);
        }
        bench.wait(300).await;
        bench.delta(index).await;
        assert_eq!(bench.held().len(), 4);
        bench.assert_true(index).await;
    });
}

#[test]
fn a_log_that_is_refused_fails_alone_and_is_caught_up_with() {
    bench::run(|| async {
        let (bench, _, pages, index) = followed().await;
        for fault in [Fault::Forbidden, Fault::Unavailable] {
            bench.site.fail("audited", 9, fault);
            bench.site.close(pages[5]);
            bench.site.edit(pages[6], "<p>anew</p>");
            bench.wait(60).await;
            let run = bench.delta(index).await;
            assert_eq!(run.status, RunStatus::Partial);
            let told = run.error.unwrap().detail;
            assert!(told.contains("the audit log could not be read"), "{told}");
            assert_eq!(run.counts.uploaded, 1, "pages go on");
            assert_eq!(bench.held().len(), 10);
            bench.site.heal();
            let run = bench.delta(index).await;
            assert_eq!(run.status, RunStatus::Succeeded);
            assert_eq!(bench.state(index, pages[5]).await, PageState::Skipped);
            bench.site.unrestrict(pages[5]);
            bench.wait(60).await;
            bench.delta(index).await;
            bench.assert_true(index).await;
        }
    });
}
