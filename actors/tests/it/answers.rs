//! Answers: only what may be shown, from Confluence itself where the index cannot answer, and without waiting for a sync.

use std::time::Duration;

use actors::{EngineSettings, VerifyOnRead};
use domain::content::{ContentKind, ContentStatus};
use domain::query::{AnswerSource, Filters, RetrievalQuery};
use tokio::time::Instant;

use crate::bench::{self, Bench};
use crate::fakes::retrieval::StoreFault;
use crate::fakes::{FakeRetrieval, Fault};

fn query(text: &str) -> RetrievalQuery {
    RetrievalQuery {
        text: text.to_owned(),
        top_k: 8,
        filters: Filters::default(),
    }
}

#[test]
fn before_the_first_sync_the_index_answers_nothing_and_live_search_may() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let open = bench.site.add("10", None, "A", "<p>words</p>");
        let closed = bench.site.add("10", None, "B", "<p>words too</p>");
        bench
            .site
            .add("10", Some(closed), "C", "<p>words below</p>");
        bench.site.change(closed, |page| page.restricted = true);
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.enabled = false;
        let index = bench.create(settings).await;
        bench.wait(1).await;
        let answer = bench.ask(index.id, "words").await;
        assert!(answer.results.is_empty() && answer.as_of.is_none());
        let answer = bench
            .engine
            .search_or_live(index.id, query("words"))
            .await
            .unwrap();
        assert_eq!(answer.source, AnswerSource::Live);
        let ids: Vec<_> = answer
            .results
            .iter()
            .map(|r| r.page.page.id.to_string())
            .collect();
        assert_eq!(
            ids,
            [open.to_string()],
            "neither the restricted page nor the one below it"
        );
    });
}

#[test]
fn a_store_that_is_down_is_replaced_by_live_search() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.add("10", None, "A", "<p>words</p>");
        let gone = bench.site.add("10", None, "B", "<p>words gone</p>");
        let index = bench.synced().await;
        bench
            .site
            .change(gone, |page| page.status = ContentStatus::Trashed);
        bench.sweep(index.id).await;
        bench.shelf.fail(1, StoreFault::Unavailable);
        let answer = bench.ask(index.id, "words").await;
        assert_eq!(answer.source, AnswerSource::Live);
        assert_eq!(answer.results.len(), 1);
        assert_eq!(answer.results[0].page.page.id.as_str(), page.to_string());
        bench.shelf.fail(1, StoreFault::Unavailable);
        bench.site.fail("search", 1, Fault::Unavailable);
        let error = bench
            .engine
            .search(index.id, query("words"))
            .await
            .unwrap_err();
        assert_eq!(error.problem().code, "store_unreachable");
    });
}

#[test]
fn a_stale_index_answers_with_what_confluence_finds_beside() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..9 {
            let body = format!("<p>words {n}</p>");
            bench.site.add("10", None, &format!("A{n}"), &body);
        }
        let index = bench.synced().await;
        bench.patch(index.id, |s| s.enabled = false).await;
        let answer = bench.ask(index.id, "words").await;
        assert_eq!((answer.stale, answer.source), (false, AnswerSource::Index));
        let finished = bench.index(index.id).await.last_run.unwrap().finished_at;
        assert_eq!(answer.as_of, finished);
        bench.wait(3 * 3600).await;
        let answer = bench.ask(index.id, "words").await;
        assert_eq!((answer.stale, answer.source), (true, AnswerSource::Index));
        let new = bench.site.add("10", None, "B", "<p>words since</p>");
        let answer = bench.ask(index.id, "words").await;
        assert_eq!((answer.stale, answer.source), (true, AnswerSource::Both));
        assert_eq!(answer.results.len(), 8);
        assert_eq!(
            answer.results[1].page.page.id.as_str(),
            new.to_string(),
            "told, however much the index has to say"
        );
    });
}

#[test]
fn a_question_does_not_wait_for_a_sync() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.add("10", None, "A", "<p>words</p>");
        let index = bench.synced().await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(30));
        bench
            .engine
            .sync(index.id, actors::SyncOrder::default())
            .await
            .unwrap();
        bench.wait(5).await;
        let asked = Instant::now();
        assert_eq!(bench.finds(index.id, "words").await.len(), 1);
        assert!(asked.elapsed() < Duration::from_secs(1));
    });
}

#[test]
fn answers_are_checked_at_the_source_where_the_operator_asks_for_it() {
    for how in [VerifyOnRead::Hits, VerifyOnRead::Strict] {
        bench::run(move || async move {
            let settings = EngineSettings {
                verify_on_read: how,
                ..EngineSettings::default()
            };
            let bench = Bench::with(FakeRetrieval::immediate(), settings).await;
            let kept = bench.site.add("10", None, "A", "<p>words</p>");
            let gone = bench.site.add("10", None, "B", "<p>words</p>");
            let index = bench.synced().await;
            bench.site.change(gone, |page| page.hidden = true);
            assert_eq!(bench.finds(index.id, "words").await, [kept.to_string()]);
            let named = [kept, gone].map(|id| (ContentKind::Page, id.to_string().as_str().into()));
            let checked = bench.engine.verify(index.id, named.into()).await.unwrap();
            assert_eq!(checked, [kept.to_string().as_str().into()].into());
            bench.site.fail("by ids", 1, Fault::Unavailable);
            let answer = bench.engine.search(index.id, query("words")).await;
            match how {
                VerifyOnRead::Strict => assert!(answer.is_err()),
                _ => assert_eq!(answer.unwrap().results.len(), 2),
            }
        });
    }
}

#[test]
fn what_was_restricted_since_the_sync_is_caught_by_the_check() {
    bench::run(|| async {
        let settings = EngineSettings {
            verify_on_read: VerifyOnRead::Hits,
            ..EngineSettings::default()
        };
        let bench = Bench::with(FakeRetrieval::immediate(), settings).await;
        let kept = bench.site.add("10", None, "A", "<p>words</p>");
        let closed = bench.site.add("10", None, "B", "<p>words of few</p>");
        let above = bench.site.add("10", None, "C", "<p>other</p>");
        bench.site.add("10", Some(above), "D", "<p>words below</p>");
        let index = bench.synced().await;
        assert_eq!(bench.finds(index.id, "words").await.len(), 3);
        bench.site.change(closed, |page| page.restricted = true);
        bench.site.change(above, |page| page.restricted = true);
        assert_eq!(
            bench.finds(index.id, "words").await,
            [kept.to_string()],
            "neither the page nor what stands below one"
        );
    });
}

#[test]
fn in_strict_only_what_the_source_says_now_lets_a_page_out() {
    for how in [VerifyOnRead::Hits, VerifyOnRead::Strict] {
        bench::run(move || async move {
            let settings = EngineSettings {
                verify_on_read: how,
                ..EngineSettings::default()
            };
            let bench = Bench::with(FakeRetrieval::immediate(), settings).await;
            let kept = bench.site.add("10", None, "A", "<p>words</p>");
            // Search does not name the one any more, nor what stands above the others: of the first of these the source can be
            // asked by itself, of the second not.
            let lagging = bench.site.add("10", None, "B", "<p>words of few</p>");
            let asked = bench.site.add("10", None, "C", "<p>other</p>");
            let below = bench.site.add("10", Some(asked), "D", "<p>words below</p>");
            let silent = bench.site.add("10", None, "E", "<p>other</p>");
            let hidden = bench
                .site
                .add("10", Some(silent), "F", "<p>words hidden</p>");
            let index = bench.synced().await;
            let mut all = [kept, lagging, below, hidden].map(|id| id.to_string());
            all.sort_unstable();
            let found = async || {
                let mut found = bench.finds(index.id, "words").await;
                found.sort_unstable();
                found
            };
            assert_eq!(found().await, all);
            bench.site.change(lagging, |page| page.lags = true);
            bench.site.change(asked, |page| page.lags = true);
            bench.site.with(|site| site.unseen.insert(silent));
            match how {
                VerifyOnRead::Strict => {
                    let mut open = [kept, below].map(|id| id.to_string());
                    open.sort_unstable();
                    assert_eq!(found().await, open);
                    // What is asked by itself says no, too.
                    bench.site.change(asked, |page| page.restricted = true);
                    assert_eq!(found().await, [kept.to_string()]);
                }
                _ => assert_eq!(found().await, all),
            }
        });
    }
}

#[test]
fn sections_are_found_in_the_kept_text() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.add(
            "10",
            None,
            "A",
            "<h1>Restart</h1><h2>By hand</h2><p>Press the large green button.</p>",
        );
        let index = bench.synced().await;
        let answer = bench.ask(index.id, "green button").await;
        let page = &answer.results[0].page;
        assert!(page.section.is_some(), "{page:?}");
    });
}
