//! A time of day that follows tokio's clock, which tests pause and which then jumps to the next timer.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::clock::Clock;
use tokio::time::Instant;

#[derive(Clone, Copy)]
pub struct TestClock {
    start: Instant,
    base: DateTime<Utc>,
}

impl TestClock {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            base: "2026-03-01T08:00:00Z".parse().unwrap(),
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        self.base + TimeDelta::from_std(self.start.elapsed()).unwrap()
    }
}
