//! How long to wait before another try: exponential, with a cap and jitter, and never below what the other side asked for.

use std::time::Duration;

/// An exponential back-off; jitter is a factor of 0.7 to 1.3, as Atlassian advises.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Backoff {
    /// The wait after the first failure.
    pub base: Duration,
    /// No computed wait is longer.
    pub cap: Duration,
}

impl Backoff {
    /// For requests: 2 s doubling to 30 s.
    pub const REQUEST: Self = Self {
        base: Duration::from_secs(2),
        cap: Duration::from_secs(30),
    };
    /// For pages that failed: a minute doubling to six hours.
    pub const PAGE: Self = Self {
        base: Duration::from_secs(60),
        cap: Duration::from_secs(6 * 3600),
    };
    /// For actors that died: a tenth of a second doubling to a minute.
    pub const RESPAWN: Self = Self {
        base: Duration::from_millis(100),
        cap: Duration::from_secs(60),
    };

    /// The wait after `failures` failures in a row (1 for the first), with `jitter` in `0.0..1.0` for the jitter, and not
    /// below `at_least`.
    #[must_use]
    pub fn wait(&self, failures: u32, jitter: f64, at_least: Duration) -> Duration {
        let doublings = failures.saturating_sub(1).min(24);
        let plain = self.base.saturating_mul(1 << doublings).min(self.cap);
        plain
            .mul_f64(0.7 + 0.6 * jitter.clamp(0.0, 1.0))
            .max(at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_to_the_cap_and_heeds_the_minimum() {
        let wait = |failures| {
            Backoff::REQUEST
                .wait(failures, 0.5, Duration::ZERO)
                .as_secs()
        };
        assert_eq!(
            [wait(1), wait(2), wait(3), wait(4), wait(5), wait(60)],
            [2, 4, 8, 16, 30, 30]
        );
        assert_eq!(
            Backoff::REQUEST
                .wait(1, 0.0, Duration::from_secs(90))
                .as_secs(),
            90
        );
    }
}
