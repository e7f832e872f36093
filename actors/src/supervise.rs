//! How parents learn that a child is gone, and when they give up on it.
//!
//! A panic in a handler or in one of its futures closes an actor's mailbox for good, and nothing restarts it. So every child
//! holds a [`ChildGuard`], whose drop tells the parent; the parent starts another from stored state.

use std::collections::VecDeque;
use std::time::Duration;

use actix::Recipient;
use domain::IndexId;
use domain::backoff::Backoff;
use domain::index::BackendKind;
use tokio::time::Instant;

use crate::messages::ChildGone;

/// Which child.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Child {
    /// The actor of an index.
    Index(IndexId),
    /// The fetcher in this slot.
    Fetcher(usize),
    /// The uploader of this backend.
    Uploader(BackendKind),
}

/// Tells the parent when it is dropped, whatever the reason.
pub(crate) struct ChildGuard {
    parent: Option<Recipient<ChildGone>>,
    gone: ChildGone,
}

impl ChildGuard {
    pub(crate) const fn new(parent: Recipient<ChildGone>, who: Child, generation: u64) -> Self {
        Self {
            parent: Some(parent),
            gone: ChildGone { who, generation },
        }
    }

    /// Of a child whom nobody starts again.
    pub(crate) const fn without_parent(who: Child) -> Self {
        Self {
            parent: None,
            gone: ChildGone { who, generation: 0 },
        }
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent {
            parent.do_send(self.gone);
        }
    }
}

/// Restarts of one child within [`WINDOW`]; more than [`MOST`] and it is given up.
#[derive(Debug, Default)]
pub(crate) struct RestartLog {
    times: VecDeque<Instant>,
}

/// Restarts are counted over this long.
const WINDOW: Duration = Duration::from_secs(60);
/// So many restarts within the window are borne.
const MOST: usize = 5;

impl RestartLog {
    /// Notes a death; answers how long to wait before the next start, or `None` to give up.
    pub(crate) fn died(&mut self, now: Instant, jitter: f64) -> Option<Duration> {
        while self.times.front().is_some_and(|then| now - *then > WINDOW) {
            self.times.pop_front();
        }
        self.times.push_back(now);
        let deaths = self.times.len();
        (deaths <= MOST).then(|| {
            let failures = u32::try_from(deaths).unwrap_or(u32::MAX);
            Backoff::RESPAWN.wait(failures, jitter, Duration::ZERO)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_deaths_a_minute_are_borne_and_waits_grow() {
        let mut log = RestartLog::default();
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let waits: Vec<_> = (0..5).map(|s| log.died(at(s), 0.5)).collect();
        assert!(waits.iter().all(Option::is_some) && waits[4] > waits[0]);
        assert_eq!(log.died(at(6), 0.5), None);
        assert!(log.died(at(200), 0.5).is_some(), "the window moved on");
    }
}
