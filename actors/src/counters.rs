//! What a run did so far: counters and requests.
//!
//! A request is one call of a port, which is one request by contract; repeats that an adapter makes by itself after a 429
//! or a fault are not told to its caller and are not in here (`SourceHealth::requests` has them, for all runs together).

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use domain::event::to_be_named;
use domain::failure::FailureCause;
use domain::holding::{Change, HoldingChange, Outcome};
use domain::run::{Counts, Requests};

use crate::shared::lock;

/// Shared by a run's own code, its requests and its upload workers; outlives the actor that works on the run.
#[derive(Debug, Default)]
pub(crate) struct RunCounters {
    counts: Mutex<Counts>,
    confluence: AtomicI64,
    store: AtomicI64,
    /// Pages named as failed.
    named: Mutex<usize>,
    /// Whether the run has listed everything.
    is_listed: AtomicBool,
}

impl RunCounters {
    /// Goes on from what an earlier process counted.
    pub(crate) fn from(counts: Counts, requests: Requests) -> Self {
        Self {
            counts: Mutex::new(counts),
            confluence: AtomicI64::new(requests.confluence),
            store: AtomicI64::new(requests.store),
            named: Mutex::default(),
            is_listed: AtomicBool::default(),
        }
    }

    /// The run has listed everything: from now on it is known how much there is to do.
    pub(crate) fn all_listed(&self) {
        self.is_listed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.is_listed.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut lock(&self.counts));
    }

    pub(crate) fn counts(&self) -> Counts {
        *lock(&self.counts)
    }

    pub(crate) fn request_to_confluence(&self) {
        self.confluence.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn request_to_store(&self) {
        self.store.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> Requests {
        Requests {
            confluence: self.confluence.load(Ordering::Relaxed),
            store: self.store.load(Ordering::Relaxed),
        }
    }

    /// What is told of a run: a dry one stores and removes nothing, whatever it counts that a real one would.
    pub(crate) fn told(&self, dry_run: bool) -> (Counts, Requests) {
        let (mut counts, mut requests) = (self.counts(), self.requests());
        if dry_run {
            (counts.uploaded, counts.searchable, counts.deleted) = (0, 0, 0);
            requests.store = 0;
        }
        (counts, requests)
    }

    /// How many of so many failed pages are named to those who watch; they count as named.
    pub(crate) fn name_failed(&self, failing: usize) -> usize {
        let mut named = lock(&self.named);
        let more = to_be_named(*named, failing);
        *named += more;
        more
    }

    /// Counts what a store said of a document. Where it finds at once what it accepts, that is both.
    pub(crate) fn outcome(&self, change: &HoldingChange, immediate: bool) {
        let Change::Outcome { sent, outcome, .. } = &change.change else {
            return;
        };
        self.count(|counts| match (outcome, sent) {
            (Outcome::Accepted, Some(_)) => counts.uploaded += 1,
            (Outcome::Settled, Some(_)) => {
                counts.searchable += 1;
                counts.uploaded += i64::from(immediate);
            }
            (Outcome::Settled, None) => counts.deleted += 1,
            (Outcome::Failed { cause, .. }, _) => {
                counts.failed += 1;
                failed_by(*cause, 1);
            }
            (Outcome::Accepted, None) | (Outcome::Retry { .. }, _) => {}
        });
    }
}

/// Pages and documents that failed, by `reason`.
pub const PAGE_FAILURES: &str = "mcp_confluence_page_failures_total";

/// Counts failures of a cause, beside those of their run.
pub(crate) fn failed_by(cause: FailureCause, pages: usize) {
    let pages = u64::try_from(pages).unwrap_or(u64::MAX);
    metrics::counter!(PAGE_FAILURES, "reason" => cause.as_str()).increment(pages);
}
