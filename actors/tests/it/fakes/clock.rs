//! A time of day that follows tokio's clock, which tests pause and which then jumps to the next timer; and that tests may set.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::clock::Clock;
use tokio::time::Instant;

#[derive(Clone, Copy)]
pub struct TestClock {
    start: Instant,
    base: DateTime<Utc>,
    /// Seconds that it is ahead of the truth; copies are the same clock.
    ahead: &'static AtomicI64,
}

impl TestClock {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            base: "2026-03-01T08:00:00Z".parse().unwrap(),
            ahead: Box::leak(Box::default()),
        }
    }

    /// From now on it is ahead of the truth by so much.
    pub fn set_ahead(&self, by: TimeDelta) {
        self.ahead.store(by.num_seconds(), Ordering::SeqCst);
    }

    /// The truth.
    pub fn true_now(&self) -> DateTime<Utc> {
        self.base + TimeDelta::from_std(self.start.elapsed()).unwrap()
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        self.true_now() + TimeDelta::seconds(self.ahead.load(Ordering::SeqCst))
    }
}
