//! How many requests may be in flight at once: rises by one while all goes well, falls by a factor on trouble.
//!
//! A small state machine without clock or I/O: the caller says what happened and when. It decides at most once per round
//! trip, so that many failures inside one window count as one, and a burst of successes does not run away.

use std::time::Duration;

/// What became of one request, as far as the limit is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Answered in this time.
    Answered(Duration),
    /// 429, 503, a time-out, a broken connection, or an answer that was unusually slow.
    PushedBack,
}

/// The bounds and the pace of an [`AdaptiveLimit`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LimitSettings {
    /// Where it starts, and never below 1.
    pub start: usize,
    /// The ceiling.
    pub ceiling: usize,
    /// What it is multiplied by on trouble; above 0 and below 1.
    pub decrease: f64,
}

impl LimitSettings {
    /// Starts at half the ceiling (2 at least), falls to 0.7.
    #[must_use]
    pub fn up_to(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        Self {
            start: (ceiling / 2).max(2).min(ceiling),
            ceiling,
            decrease: 0.7,
        }
    }
}

/// Additive increase, multiplicative decrease.
#[derive(Clone, Debug)]
pub struct AdaptiveLimit {
    settings: LimitSettings,
    limit: f64,
    smoothed: Option<Duration>,
    reached: bool,
    troubled: bool,
    decided_at: Duration,
}

impl AdaptiveLimit {
    /// A limit at its start.
    #[must_use]
    pub fn new(settings: LimitSettings) -> Self {
        let limit = settings.start.clamp(1, settings.ceiling.max(1)) as f64;
        Self {
            settings,
            limit,
            smoothed: None,
            reached: false,
            troubled: false,
            decided_at: Duration::ZERO,
        }
    }

    /// How many requests may be in flight now; at least 1.
    #[must_use]
    pub fn limit(&self) -> usize {
        (self.limit as usize).max(1)
    }

    /// Says that a request began, with this many in flight, itself included: only a limit that was reached may rise.
    pub fn began(&mut self, in_flight: usize) {
        self.reached |= in_flight >= self.limit();
    }

    /// Says what became of a request at `now` (time since any fixed moment). Answers whether the limit changed.
    pub fn ended(&mut self, signal: Signal, now: Duration) -> bool {
        let round_trip = self.smoothed.unwrap_or(Duration::from_millis(100));
        match signal {
            Signal::PushedBack => self.troubled = true,
            Signal::Answered(latency) => {
                self.smoothed = Some(
                    self.smoothed
                        .map_or(latency, |usual| usual.mul_f64(0.8) + latency.mul_f64(0.2)),
                );
            }
        }
        if now.saturating_sub(self.decided_at) < round_trip {
            return false;
        }
        self.decided_at = now;
        let before = self.limit();
        if self.troubled {
            self.limit = (self.limit * self.settings.decrease).max(1.0);
        } else if self.reached {
            self.limit = (self.limit + 1.0).min(self.settings.ceiling.max(1) as f64);
        }
        self.troubled = false;
        self.reached = false;
        before != self.limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn limit(start: usize, ceiling: usize) -> AdaptiveLimit {
        AdaptiveLimit::new(LimitSettings {
            start,
            ..LimitSettings::up_to(ceiling)
        })
    }

    #[test]
    fn it_rises_by_one_a_round_trip_and_only_when_reached() {
        let mut it = limit(2, 8);
        it.ended(Signal::Answered(40 * MS), 1000 * MS);
        assert_eq!(it.limit(), 2, "not reached, no rise");
        for step in 0..20_u32 {
            it.began(it.limit());
            it.ended(Signal::Answered(40 * MS), (2000 + step * 50) * MS);
            it.ended(Signal::Answered(40 * MS), (2000 + step * 50 + 1) * MS);
        }
        assert_eq!(it.limit(), 8, "up to the ceiling and no further");
    }

    #[test]
    fn many_failures_in_one_window_count_once() {
        let mut it = limit(8, 8);
        it.ended(Signal::Answered(100 * MS), 1000 * MS);
        for step in 0..10_u32 {
            it.ended(Signal::PushedBack, (1200 + step) * MS);
        }
        assert_eq!(it.limit(), 5, "8 x 0.7, once");
    }

    #[test]
    fn it_never_falls_below_one() {
        let mut it = limit(2, 8);
        for step in 0..50_u32 {
            it.ended(Signal::PushedBack, (step * 1000) * MS);
        }
        assert_eq!(it.limit(), 1);
    }
}
