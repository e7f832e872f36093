//! Every fault that Confluence is known for, point by point, through the real client and the engine: during it nothing is
//! removed or hidden, requests stay bounded, and the run says what is the matter; after it one sweep brings the truth.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::page::PageState;
use domain::ports::store::{PageFilter, QueryStore};
use domain::run::{Run, RunStatus};
use simulators::confluence::{BadCredentials, ConfluenceSim, Site, Wish};
use simulators::{Fault, RetryAfter};

use crate::real::{Real, run};
use crate::truth::held_by;

const PAGES: usize = 60;
/// A sweep of this site makes fewer than ten requests when nothing goes wrong.
const BOUND: u64 = 130;

/// How runs under a fault may end.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    /// As if nothing were: the client deals with it.
    Well,
    /// With an error or with something missing, which the run names.
    Badly,
    /// Either, by how far it has come.
    Any,
}

struct Point {
    name: &'static str,
    strike: fn(&ConfluenceSim),
    end: End,
}

const LIST: &str = "/spaces/{id}/pages";

#[rustfmt::skip]
const POINTS: &[Point] = &[
    Point { name: "429 with Retry-After", end: End::Well, strike: |sim| sim.fail_next("*", 3, Fault::RateLimited(RetryAfter::Seconds(1))) },
    Point { name: "429 without Retry-After", end: End::Well, strike: |sim| sim.fail_next("*", 3, Fault::RateLimited(RetryAfter::Missing)) },
    Point { name: "429 with Retry-After: 0", end: End::Well, strike: |sim| sim.fail_next("*", 3, Fault::RateLimited(RetryAfter::Zero)) },
    Point { name: "429 with Retry-After: 0, without end", end: End::Badly, strike: |sim| sim.fail_always("*", Fault::RateLimited(RetryAfter::Zero)) },
    Point { name: "503 with Retry-After", end: End::Well, strike: |sim| sim.fail_next("*", 3, Fault::Unavailable(1)) },
    Point { name: "503 without end", end: End::Badly, strike: |sim| sim.fail_always(LIST, Fault::Status(503)) },
    Point { name: "500 with an HTML body", end: End::Well, strike: |sim| sim.fail_next("*", 2, Fault::HtmlStatus(500)) },
    Point { name: "504 with an empty body", end: End::Well, strike: |sim| sim.fail_next(LIST, 2, Fault::EmptyStatus(504)) },
    Point { name: "500 above a page size", end: End::Well, strike: |sim| sim.switches(|s| s.fails_above_limit = Some((20, 500))) },
    Point { name: "HTML with status 200", end: End::Well, strike: |sim| sim.fail_next(LIST, 2, Fault::Html200) },
    Point { name: "HTML with status 200, without end", end: End::Badly, strike: |sim| sim.fail_always(LIST, Fault::Html200) },
    Point { name: "cut JSON", end: End::Well, strike: |sim| sim.fail_next(LIST, 2, Fault::CutJson) },
    Point { name: "cut JSON without end", end: End::Badly, strike: |sim| sim.fail_always(LIST, Fault::CutJson) },
    Point { name: "cut body", end: End::Well, strike: |sim| sim.fail_next("*", 2, Fault::CutBody) },
    Point { name: "connection resets", end: End::Well, strike: |sim| sim.fail_next("*", 3, Fault::Reset) },
    Point { name: "connection resets without end", end: End::Badly, strike: |sim| sim.fail_always("*", Fault::Reset) },
    Point { name: "slow answers", end: End::Well, strike: |sim| sim.fail_next("*", 4, Fault::Slow(Duration::from_millis(300))) },
    Point { name: "an answer slower than the time-out", end: End::Well, strike: |sim| sim.fail_next(LIST, 1, Fault::Slow(Duration::from_secs(2))) },
    Point { name: "a short burst of 403", end: End::Any, strike: |sim| sim.fail_next("*", 2, Fault::TransientForbidden) },
    Point { name: "403 on every listing", end: End::Badly, strike: |sim| sim.fail_always(LIST, Fault::TransientForbidden) },
    Point { name: "a short burst of 404", end: End::Any, strike: |sim| sim.fail_next("*", 2, Fault::TransientNotFound) },
    Point { name: "404 on every listing", end: End::Badly, strike: |sim| sim.fail_always(LIST, Fault::TransientNotFound) },
    Point { name: "404 everywhere", end: End::Badly, strike: |sim| sim.fail_always("*", Fault::TransientNotFound) },
    Point { name: "the token expires in mid-walk: 401", end: End::Badly, strike: |sim| expire(sim, BadCredentials::Unauthorized) },
    Point { name: "the token expires in mid-walk: 401 and HTML", end: End::Badly, strike: |sim| expire(sim, BadCredentials::HtmlUnauthorized) },
    Point { name: "the token expires in mid-walk: 403 and 404", end: End::Badly, strike: |sim| expire(sim, BadCredentials::ForbiddenAndNotFound) },
    Point { name: "the token expires in mid-walk: taken for anonymous", end: End::Any, strike: |sim| expire(sim, BadCredentials::Anonymous) },
    Point { name: "a cursor that fails once", end: End::Well, strike: |sim| { small_pages(sim); sim.fail_next("*", 1, Fault::InvalidCursor); } },
    Point { name: "a cursor that always fails", end: End::Badly, strike: |sim| { small_pages(sim); sim.fail_always(LIST, Fault::InvalidCursor); } },
    Point { name: "next repeats itself", end: End::Badly, strike: |sim| { small_pages(sim); sim.fail_always(LIST, Fault::RepeatNext); } },
    Point { name: "an empty page with a next", end: End::Any, strike: |sim| { small_pages(sim); sim.fail_next(LIST, 1, Fault::EmptyPage); } },
    Point { name: "a listing that is suddenly empty", end: End::Badly, strike: |sim| sim.fail_always(LIST, Fault::EmptyListing) },
    Point { name: "search that is suddenly empty", end: End::Any, strike: |sim| sim.fail_always("/content/search", Fault::EmptyListing) },
    Point { name: "an account that suddenly sees nothing", end: End::Any, strike: |sim| sim.switches(|s| s.sees_nothing = true) },
    Point { name: "unknown enum values", end: End::Any, strike: |sim| sim.switches(|s| s.unknown_enums = true) },
    Point { name: "unknown fields", end: End::Well, strike: |sim| sim.switches(|s| s.unknown_fields = true) },
    Point { name: "pages without their bodies", end: End::Well, strike: |sim| sim.switches(|s| s.missing_body = true) },
    Point { name: "null parents and positions", end: End::Well, strike: |sim| sim.switches(|s| s.null_parents = true) },
];

fn expire(sim: &ConfluenceSim, how: BadCredentials) {
    small_pages(sim);
    let so_far = sim.request_count();
    sim.switches(|switches| {
        switches.bad_credentials = how;
        switches.token_expires_after = Some(so_far + 4);
    });
}

/// Listings of several answers.
fn small_pages(sim: &ConfluenceSim) {
    sim.switches(|switches| switches.fails_above_limit = Some((16, 500)));
}

fn site() -> Site {
    let site = Site::new();
    site.add_space("ENG", "Space ENG");
    let top = site.create_page("ENG", None, "Top", "<p>The top.</p>");
    for n in 0..PAGES {
        let page = site.create_page(
            "ENG",
            Some(top),
            &format!("Page {n}"),
            &format!("<p>Words {n}.</p>"),
        );
        if n % 5 == 0 {
            site.label(page, "fifth");
        }
    }
    site
}

fn heal(sim: &ConfluenceSim) {
    sim.clear_faults();
    sim.switches(|switches| *switches = simulators::confluence::Switches::default());
}

/// Every point of the table in a world of its own, some side by side since they mostly wait; all that fail are named.
fn each_point(check: fn(&Point)) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..6 {
            threads.spawn(|| {
                while let Some(point) = POINTS.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if std::panic::catch_unwind(|| check(point)).is_err() {
                        failed.lock().unwrap().push(point.name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn well(run: &Run) -> bool {
    run.status == RunStatus::Succeeded
}

fn check_end(name: &str, end: End, run: &Run) {
    match end {
        End::Well => assert!(well(run), "{name}: {run:?}"),
        End::Badly => {
            assert!(
                matches!(run.status, RunStatus::Failed | RunStatus::Partial),
                "{name}: {run:?}"
            );
            let error = run.error.as_ref();
            assert!(
                error.is_some_and(|error| !error.detail.is_empty()),
                "{name} says nothing: {run:?}"
            );
        }
        End::Any => assert!(
            matches!(
                run.status,
                RunStatus::Failed | RunStatus::Partial | RunStatus::Succeeded
            ),
            "{name}: {run:?}"
        ),
    }
}

async fn hidden(real: &Real, index: domain::IndexId) -> usize {
    let filter = PageFilter {
        states: vec![PageState::Vanishing, PageState::Removed],
        limit: 500,
        ..PageFilter::default()
    };
    real.store.pages(index, &filter).await.unwrap().items.len()
}

#[test]
fn no_fault_removes_or_hides_anything_and_each_passes() {
    each_point(|point| {
        run(|| async {
            let name = point.name;
            let site = site();
            let wish = Wish::of(&site, &["ENG"]);
            let real = Real::new(site).await;
            let index = real.index(&wish).await;
            assert!(well(&real.over(index).await), "{name}");
            let truth = real.truth(&wish);
            assert_eq!(truth.len(), PAGES + 2);
            assert_eq!(held_by(&real.shelf), truth, "{name}");

            for full in [None, Some(false), Some(true)] {
                (point.strike)(&real.sim);
                let before = real.sim.request_count();
                let run = real.order(index, full).await;
                let made = real.sim.request_count() - before;
                if full.is_none() {
                    check_end(name, point.end, &run);
                }
                assert!(made <= BOUND, "{name}, {full:?}: {made} requests");
                assert_eq!(run.counts.deleted, 0, "{name}: {run:?}");
                assert_eq!(held_by(&real.shelf).len(), truth.len(), "{name}: removed");
                assert_eq!(hidden(&real, index).await, 0, "{name}: hidden");
                heal(&real.sim);
                real.ahead(120);
            }
            let run = real.sweep(index).await;
            assert!(well(&run), "{name}, healed: {run:?}");
            assert_eq!(held_by(&real.shelf), truth, "{name}, healed");
            real.engine.drain(Duration::from_secs(5)).await;
        });
    });
}

#[test]
fn a_first_sync_under_any_fault_ends_with_the_truth_once_it_has_passed() {
    each_point(|point| {
        run(|| async {
            let name = point.name;
            let site = site();
            let wish = Wish::of(&site, &["ENG"]);
            let real = Real::new(site).await;
            (point.strike)(&real.sim);
            let index = real.index(&wish).await;
            let run = real.over(index).await;
            assert!(!run.status.is_open(), "{name}: {run:?}");
            heal(&real.sim);
            // What failed by itself is tried again after its back-off.
            real.ahead(3600);
            real.sweep(index).await;
            real.ahead(3600);
            let run = real.sweep(index).await;
            assert!(well(&run), "{name}, healed: {run:?}");
            assert_eq!(held_by(&real.shelf), real.truth(&wish), "{name}, healed");
            real.engine.drain(Duration::from_secs(5)).await;
        });
    });
}

#[test]
fn a_poison_page_costs_few_requests_and_no_other_page() {
    run(|| async {
        let site = site();
        let poison = site.find("ENG", "Page 33").unwrap();
        let wish = Wish::of(&site, &["ENG"]);
        site.set_switches(|switches| {
            switches.poison_pages.insert(poison);
        });
        let real = Real::new(site).await;
        let index = real.index(&wish).await;
        let run = real.over(index).await;
        assert_eq!((run.status, run.counts.failed), (RunStatus::Partial, 1));
        let truth = real.truth(&wish);
        assert_eq!(held_by(&real.shelf).len(), truth.len() - 1);
        let made = real.sim.request_count();
        assert!(made <= 60, "{made} requests: {:?}", real.sim.counts());

        // Alone, when its next try is due.
        real.sim.reset_log();
        real.ahead(3600);
        real.order(index, Some(false)).await;
        let made = real.sim.request_count();
        assert!(made <= 12, "{made} requests: {:?}", real.sim.counts());
        heal(&real.sim);
        real.ahead(24 * 3600);
        assert!(well(&real.sweep(index).await));
        assert_eq!(held_by(&real.shelf), truth);
    });
}

#[test]
fn a_page_with_three_hundred_children_loses_none() {
    run(|| async {
        let site = Site::new();
        site.add_space("ENG", "Space ENG");
        let top = site.create_page("ENG", None, "Top", "<p>The top.</p>");
        for n in 0..300 {
            let child =
                site.create_page("ENG", Some(top), &format!("Child {n}"), "<p>A child.</p>");
            site.set_position(child, None);
        }
        let wish = Wish::of(&site, &["ENG"]);
        let real = Real::new(site).await;
        let index = real.index(&wish).await;
        assert!(well(&real.over(index).await));
        assert_eq!(held_by(&real.shelf), real.truth(&wish));
    });
}
