//! Answers: only what may be shown, from Confluence itself where the index cannot answer, and without waiting for a sync.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use actors::{EngineSettings, VerifyOnRead};
use domain::content::Restriction;
use domain::holding::{Change, HoldingChange};
use domain::index::BackendKind;
use domain::page::Standing;
use domain::ports::clock::Clock;
use domain::ports::store::{AdminStore, PageFilter, SyncStore};
use domain::query::{AnswerSource, Confidence, Filters, PageQuery, PageText, RetrievalQuery};
use domain::{IndexId, PageId, Timestamp};
use futures_util::future::{join, join_all};
use simulators::confluence::ContentId;
use tokio::time::Instant;

use crate::bench::{self, Bench};
use crate::fakes::retrieval::StoreFault;
use crate::fakes::{FakeRetrieval, Fault, TestClock};

fn query(text: &str) -> RetrievalQuery {
    RetrievalQuery {
        text: text.to_owned(),
        top_k: 8,
        filters: Filters::default(),
        room: 0,
    }
}

async fn read(bench: &Bench, index: IndexId, page: ContentId) -> Option<PageText> {
    let page = PageQuery::Id(page.to_string().into());
    bench.engine.read_page(index, page).await.unwrap()
}

#[test]
fn before_the_first_sync_the_index_answers_nothing_and_live_search_may() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let open = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let closed = bench.site.create_page("ENG", None, "B", "<p>words too</p>");
        bench
            .site
            .create_page("ENG", Some(closed), "C", "<p>words below</p>");
        bench.site.close(closed);
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.enabled = false;
        let index = bench.create(settings).await;
        bench.wait(1).await;
        let answer = bench.ask(index.id, "words").await;
        assert!(answer.results.is_empty() && answer.as_of.is_none());
        assert_eq!(answer.diagnostics.confidence, Confidence::None);
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
        let page = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let gone = bench
            .site
            .create_page("ENG", None, "B", "<p>words gone</p>");
        let index = bench.synced().await;
        bench.site.trash(gone);
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
            bench.site.create_page("ENG", None, &format!("A{n}"), &body);
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
        let new = bench
            .site
            .create_page("ENG", None, "B", "<p>words since</p>");
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
        bench.site.create_page("ENG", None, "A", "<p>words</p>");
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
            let kept = bench.site.create_page("ENG", None, "A", "<p>words</p>");
            let gone = bench.site.create_page("ENG", None, "B", "<p>words</p>");
            let index = bench.synced().await;
            bench.site.hide(gone);
            assert_eq!(bench.finds(index.id, "words").await, [kept.to_string()]);
            assert!(read(&bench, index.id, kept).await.is_some());
            assert_eq!(read(&bench, index.id, gone).await, None);
            let listed = bench.engine.list_pages(index.id, PageFilter::default());
            let listed: Vec<_> = listed.await.unwrap().items;
            assert_eq!(listed.len(), 1, "{listed:?}");
            assert_eq!(listed[0].id.as_str(), kept.to_string());
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
        let kept = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let closed = bench
            .site
            .create_page("ENG", None, "B", "<p>words of few</p>");
        let above = bench.site.create_page("ENG", None, "C", "<p>other</p>");
        bench
            .site
            .create_page("ENG", Some(above), "D", "<p>words below</p>");
        let index = bench.synced().await;
        assert_eq!(bench.finds(index.id, "words").await.len(), 3);
        bench.site.close(closed);
        bench.site.close(above);
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
            let kept = bench.site.create_page("ENG", None, "A", "<p>words</p>");
            // Search does not name the one any more, nor what stands above the others: of the first of these the source can be
            // asked by itself, of the second not.
            let lagging = bench
                .site
                .create_page("ENG", None, "B", "<p>words of few</p>");
            let asked = bench.site.create_page("ENG", None, "C", "<p>other</p>");
            let below = bench
                .site
                .create_page("ENG", Some(asked), "D", "<p>words below</p>");
            let silent = bench.site.create_page("ENG", None, "E", "<p>other</p>");
            let hidden = bench
                .site
                .create_page("ENG", Some(silent), "F", "<p>words hidden</p>");
            let index = bench.synced().await;
            let mut all = [kept, lagging, below, hidden].map(|id| id.to_string());
            all.sort_unstable();
            let found = async || {
                let mut found = bench.finds(index.id, "words").await;
                found.sort_unstable();
                found
            };
            assert_eq!(found().await, all);
            bench.site.lag(lagging, true);
            bench.site.lag(asked, true);
            bench.site.with(|site| site.unseen.insert(silent));
            match how {
                VerifyOnRead::Strict => {
                    let mut open = [kept, below].map(|id| id.to_string());
                    open.sort_unstable();
                    assert_eq!(found().await, open);
                    // What is asked by itself says no, too.
                    bench.site.close(asked);
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
        bench.site.create_page(
            "ENG",
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

#[test]
fn a_page_is_read_by_id_and_by_title_and_only_from_a_space_of_the_index() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        let page = bench
            .site
            .create_page("ENG", None, "Runbook", "<p>words</p>");
        let other = bench.site.create_page("OPS", None, "Other", "<p>words</p>");
        let index = bench
            .create(bench.index_settings("agent", &["ENG", "OPS"]))
            .await;
        bench.over(index.id).await;
        let found = read(&bench, index.id, page).await.unwrap();
        assert_eq!(found.page.title, "Runbook");
        assert!(found.markdown.contains("words"));
        let titled = PageQuery::Title {
            space: "ENG".into(),
            title: "RUNBOOK".to_owned(),
        };
        let by_title = bench.engine.read_page(index.id, titled).await.unwrap();
        assert_eq!(by_title, Some(found));
        let since = Timestamp::UNIX_EPOCH;
        let changes = async || bench.engine.recent_changes(index.id, since, None, 9).await;
        assert_eq!(changes().await.unwrap().len(), 2);
        // The space is taken out, and no run has come since.
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(3600));
        bench
            .patch(index.id, |s| s.confluence_spaces = vec!["ENG".into()])
            .await;
        assert_eq!(read(&bench, index.id, other).await, None);
        assert_eq!(bench.finds(index.id, "words").await, [page.to_string()]);
        assert_eq!(changes().await.unwrap().len(), 1);
        let listed = bench
            .engine
            .list_pages(index.id, PageFilter::default())
            .await;
        assert_eq!(listed.unwrap().items.len(), 1);
    });
}

#[test]
fn of_a_page_that_may_not_be_shown_no_question_learns_anything() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let kept = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let hidden = bench
            .site
            .create_page("ENG", None, "Takeover", "<p>words</p>");
        let index = bench.synced().await.id;
        bench.patch(index, |s| s.enabled = false).await;
        let ids = [PageId::from(hidden.to_string())];
        let row = bench
            .store
            .pages_by_id(index, &ids)
            .await
            .unwrap()
            .remove(0);
        let hash = row.holding.want().map(str::to_owned);
        let serving = bench.store.index_state(index).await.unwrap().serving;
        let titled = || PageQuery::Title {
            space: "ENG".into(),
            title: "Takeover".to_owned(),
        };
        for standing in [
            Standing::Undecided,
            Standing::Member,
            Standing::Failed,
            Standing::Skipped,
            Standing::Hidden,
            Standing::Retained,
            Standing::Gone,
        ] {
            for (stored, restriction) in [
                (true, Restriction::Open),
                (false, Restriction::Open),
                (false, Restriction::Unknown),
                (false, Restriction::Restricted),
            ] {
                let shown = stored && !standing.is_out();
                let gone = !stored && standing == Standing::Gone;
                let mut row = row.clone();
                (row.standing, row.restriction) = (standing, restriction);
                bench
                    .store
                    .save_pages(&[row.clone()], &[], Vec::new())
                    .await
                    .unwrap();
                let change = HoldingChange {
                    page_id: row.page_id,
                    kind: row.kind,
                    change: Change::Listed(stored.then(|| hash.clone())),
                };
                let changed = bench.store.change_holdings(serving, &[change]).await;
                changed.unwrap();
                let rows = bench.store.pages_by_id(index, &ids).await.unwrap();
                assert_eq!(rows[0].holding.is_quotable(), stored);
                let why = format!("{standing:?}, stored {stored}, {restriction:?}");
                let all = if shown { 2 } else { 1 };
                assert_eq!(bench.finds(index, "words").await.len(), all, "{why}");
                assert_eq!(read(&bench, index, hidden).await.is_some(), shown, "{why}");
                let by_title = bench.engine.read_page(index, titled()).await.unwrap();
                assert_eq!(by_title.is_some(), shown, "{why}");
                // Whatever the list was asked for.
                for filter in [true, false] {
                    let filter = PageFilter {
                        shown: filter,
                        ..PageFilter::default()
                    };
                    let listed = bench.engine.list_pages(index, filter).await.unwrap();
                    assert_eq!(listed.items.len(), all, "{why}");
                }
                // Of what left, only that it is gone, unless few could see it.
                let told = gone && restriction != Restriction::Restricted;
                let since = Timestamp::UNIX_EPOCH;
                let changes = bench.engine.recent_changes(index, since, None, 9).await;
                let ids: Vec<_> = changes
                    .unwrap()
                    .into_iter()
                    .map(|c| c.page.id.clone())
                    .collect();
                assert_eq!(
                    ids.contains(&hidden.to_string().into()),
                    shown || told,
                    "{why}"
                );
                assert!(ids.contains(&kept.to_string().into()), "{why}");
            }
        }
    });
}

#[test]
fn an_index_that_is_deleted_in_the_middle_of_a_question_answers_nothing_more() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>words</p>");
        // The store answers late, or fails late and Confluence is asked in its place.
        for fails in [false, true] {
            let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
            bench.over(index.id).await;
            bench
                .shelf
                .with(|shelf| shelf.latency = Duration::from_secs(5));
            if fails {
                bench.shelf.fail(1, StoreFault::Unavailable);
            }
            let asked = bench.engine.search_or_live(index.id, query("words"));
            let deleted = async {
                bench.wait(2).await;
                bench.store.delete_index(index.id).await.unwrap();
                bench.engine.index_changed(index.id);
            };
            let (answered, ()) = join(asked, deleted).await;
            let error = answered.unwrap_err();
            assert_eq!(error.code(), "not_found", "store fails: {fails}, {error}");
            bench.shelf.with(|shelf| shelf.latency = Duration::ZERO);
            bench.wait(600).await;
        }
    });
}

#[test]
fn what_an_administrator_takes_out_while_the_store_answers_is_left_out() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        let kept = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        bench.site.create_page("OPS", None, "B", "<p>words</p>");
        let index = bench
            .create(bench.index_settings("agent", &["ENG", "OPS"]))
            .await;
        bench.over(index.id).await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(3600));
        bench
            .shelf
            .with(|shelf| shelf.latency = Duration::from_secs(5));
        let asked = bench.finds(index.id, "words");
        let patched = async {
            bench.wait(2).await;
            bench
                .patch(index.id, |s| s.confluence_spaces = vec!["ENG".into()])
                .await;
        };
        let (found, ()) = join(asked, patched).await;
        assert_eq!(found, [kept.to_string()]);
    });
}

#[test]
fn a_panic_ends_one_question_and_no_actor() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let index = bench.synced().await;
        for _ in 0..10 {
            bench.shelf.fail(1, StoreFault::Panic);
            let error = bench.engine.search(index.id, query("words")).await;
            assert_eq!(error.unwrap_err().code(), "internal");
            assert_eq!(bench.finds(index.id, "words").await, [page.to_string()]);
        }
        assert_eq!(bench.engine.status().await.respawns, 0);
    });
}

#[test]
fn questions_beyond_the_share_of_an_index_are_refused_and_others_find_room() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let index = bench.synced().await;
        let other = bench.create(bench.index_settings("other", &["ENG"])).await;
        bench.over(other.id).await;
        bench
            .shelf
            .with(|shelf| shelf.latency = Duration::from_secs(15));
        let many = async |index: IndexId| {
            let asked = (0..200).map(|_| bench.engine.search(index, query("words")));
            join_all(asked).await
        };
        let late = async {
            bench.wait(1).await;
            many(other.id).await
        };
        let (first, second) = join(many(index.id), late).await;
        for (answers, room) in [(first, 128), (second, 64)] {
            let (answered, refused): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(Result::is_ok);
            assert_eq!((answered.len(), refused.len()), (room, 200 - room));
            for error in refused {
                let problem = error.unwrap_err().problem();
                assert_eq!(
                    (problem.code.as_str(), problem.status),
                    ("engine_busy", 503)
                );
                assert!(problem.detail.contains("ask again"), "{problem:?}");
            }
        }
    });
}

#[test]
fn a_question_that_nobody_waits_for_any_more_takes_no_room() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let index = bench.synced().await;
        bench
            .shelf
            .with(|shelf| shelf.latency = Duration::from_secs(15));
        for _ in 0..5 {
            let asked = (0..128).map(|_| bench.engine.search(index.id, query("words")));
            let gone = tokio::time::timeout(Duration::from_secs(1), join_all(asked)).await;
            assert!(gone.is_err(), "nobody was answered yet");
            // They are told in their own tasks.
            bench.wait(1).await;
        }
        bench.shelf.with(|shelf| shelf.latency = Duration::ZERO);
        assert_eq!(bench.finds(index.id, "words").await.len(), 1);
    });
}

#[test]
fn the_answer_that_never_comes_is_given_up_in_time() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let index = bench.synced().await;
        bench
            .shelf
            .with(|shelf| shelf.latency = Duration::from_secs(3600));
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(3600));
        let asked = Instant::now();
        let error = bench
            .engine
            .search(index.id, query("words"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "engine_busy");
        assert_eq!(asked.elapsed().as_secs(), 60);
    });
}

#[test]
fn what_a_stale_index_has_found_does_not_wait_for_confluence_without_end() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let index = bench.synced().await;
        bench.patch(index.id, |s| s.enabled = false).await;
        bench.wait(3 * 3600).await;
        bench
            .site
            .with(|site| site.latency = Duration::from_secs(3600));
        let asked = Instant::now();
        let answer = bench.ask(index.id, "words").await;
        assert_eq!(asked.elapsed().as_secs(), 10);
        assert_eq!((answer.stale, answer.source), (true, AnswerSource::Index));
        assert_eq!(answer.results[0].page.page.id.as_str(), page.to_string());
    });
}

#[test]
fn a_store_that_hangs_keeps_no_question_to_another_waiting() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let index = bench.synced().await;
        let mut of_cloud = bench.index_settings("other", &["ENG"]);
        of_cloud.backend = BackendKind::LlamaCloud;
        let other = bench.create(of_cloud).await;
        bench.over(other.id).await;
        bench
            .shelf
            .with(|shelf| shelf.latency = Duration::from_secs(3600));
        let hanging = (0..200).map(|_| bench.engine.search(index.id, query("words")));
        let others = async {
            bench.wait(1).await;
            let asked = Instant::now();
            for _ in 0..20 {
                assert_eq!(bench.finds(other.id, "words").await, [page.to_string()]);
            }
            assert!(asked.elapsed() < Duration::from_secs(1));
        };
        join(join_all(hanging), others).await;
    });
}

#[test]
fn looking_for_sections_in_a_long_page_does_not_hold_up_other_questions() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let lines: String = (0..4_000)
            .map(|n| format!("<p>words of the paragraph with the number {n}</p>"))
            .collect();
        bench.site.create_page("ENG", None, "A", &lines);
        let index = bench.synced().await;
        // What the store holds is older: none of its lines stands in the page any more.
        bench.shelf.with(|shelf| {
            let documents = shelf.documents.values_mut();
            for document in documents.flat_map(BTreeMap::values_mut) {
                document.text = "words that stood here before an edit\n".repeat(4_000);
            }
        });
        let over = Cell::new(false);
        let began = std::time::Instant::now();
        // The longest time for which nothing else on the thread went on.
        let others = async {
            let (mut longest, mut last) = (Duration::ZERO, std::time::Instant::now());
            loop {
                longest = longest.max(last.elapsed());
                last = std::time::Instant::now();
                if over.get() {
                    return longest;
                }
                tokio::task::yield_now().await;
            }
        };
        let asked = async {
            let answer = bench.engine.search(index.id, query("words")).await;
            over.set(true);
            answer
        };
        let (answer, longest) = join(asked, others).await;
        assert_eq!(answer.unwrap().results.len(), 1);
        let took = began.elapsed();
        assert!(longest * 2 < took, "{longest:?} of {took:?}");
    });
}

/// A clock at which the engine's own thread stands still when told to.
struct StandingClock {
    clock: TestClock,
    stands: Arc<Stands>,
}

#[derive(Default)]
struct Stands {
    still: Mutex<bool>,
    changed: Condvar,
}

impl Stands {
    fn set(&self, still: bool) {
        *self.still.lock().unwrap() = still;
        self.changed.notify_all();
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        if std::thread::current().name() == Some("sync-engine") {
            let still = self.stands.still.lock().unwrap();
            let _moved = self.stands.changed.wait_while(still, |still| *still);
        }
        self.clock.now()
    }
}

#[test]
fn questions_are_answered_while_the_thread_of_the_engine_stands_still() {
    actix_rt::System::new().block_on(async {
        let stands = Arc::new(Stands::default());
        let of_clock = Arc::clone(&stands);
        let bench = Bench::on_threads(|clock| {
            Arc::new(StandingClock {
                clock,
                stands: of_clock,
            })
        })
        .await;
        let page = bench.site.create_page("ENG", None, "A", "<p>words</p>");
        let index = bench.create(bench.index_settings("agent", &["ENG"])).await;
        bench.over(index.id).await;
        stands.set(true);
        bench.engine.index_changed(index.id);
        bench.wait(1).await;
        let status = tokio::time::timeout(Duration::from_millis(100), bench.engine.status());
        assert!(status.await.is_err(), "the scheduler answers nobody");
        let asked = async {
            assert_eq!(bench.finds(index.id, "words").await, [page.to_string()]);
            assert!(read(&bench, index.id, page).await.is_some());
        };
        let answered = tokio::time::timeout(Duration::from_secs(10), asked).await;
        stands.set(false);
        answered.unwrap();
        bench.engine.drain(Duration::from_secs(10)).await;
    });
}
