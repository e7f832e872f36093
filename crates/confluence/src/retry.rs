//! How passing trouble is met: how often, how long apart, and when waiting is no longer ours to do.

use std::time::Duration;

use domain::backoff::Backoff;

/// Bounds on retries and waits. The default follows Atlassian's advice; tests use milliseconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RetryPolicy {
    /// Further tries after the first, for trouble that does not depend on the size of the answer.
    pub retries: u32,
    /// Further tries after the first when a smaller request may help (500, 502, 504, time-out on many items).
    pub retries_before_split: u32,
    /// The wait between tries.
    pub backoff: Backoff,
    /// No wait that the site asks for is shorter than this (a `Retry-After: 0` once made clients spin).
    pub floor: Duration,
    /// No wait that the site asks for is longer than this: the quota is refilled at the full hour.
    pub cap: Duration,
    /// A request that would have to wait longer than this is given back as `RateLimited`.
    pub patience: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 4,
            retries_before_split: 1,
            backoff: Backoff::REQUEST,
            floor: Duration::from_secs(1),
            cap: Duration::from_secs(3660),
            patience: Duration::from_secs(90),
        }
    }
}

impl RetryPolicy {
    /// For requests that somebody waits for: one more try, soon.
    #[must_use]
    pub(crate) fn for_waiting(self) -> Self {
        let soon = Duration::from_millis(500);
        Self {
            retries: self.retries.min(1),
            retries_before_split: self.retries_before_split.min(1),
            backoff: Backoff {
                base: self.backoff.base.min(soon),
                cap: self.backoff.cap.min(soon),
            },
            patience: self.patience.min(Duration::from_secs(5)),
            ..self
        }
    }

    /// The wait that the site asked for, within bounds, and a little later each time (`luck` in `0.0..1.0`), so that
    /// clients do not come back all at once. Never earlier than asked for.
    #[must_use]
    pub(crate) fn pause(&self, asked: Duration, luck: f64) -> Duration {
        let late = asked
            .mul_f64(0.1 * luck.clamp(0.0, 1.0))
            .min(Duration::from_secs(10));
        asked.max(self.floor).saturating_add(late).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_have_a_floor_a_cap_and_are_never_early() {
        let policy = RetryPolicy::default();
        let pause = |asked, luck| {
            policy
                .pause(Duration::from_secs_f64(asked), luck)
                .as_secs_f64()
        };
        for (asked, luck, low, high) in [
            (0.0, 0.0, 1.0, 1.0),
            (0.0, 0.9, 1.0, 1.2),
            (30.0, 0.0, 30.0, 30.0),
            (30.0, 0.5, 31.0, 32.0),
            (1e6, 0.5, 3660.0, 3660.0),
        ] {
            let got = pause(asked, luck);
            assert!((low..=high).contains(&got), "{asked} {luck}: {got}");
        }
    }
}
