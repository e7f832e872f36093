//! What refusals for rate without a word of how long (a bare 429) teach: how long to pause, and the rate that the service allows.

use std::collections::VecDeque;
use std::time::Duration;

/// The time over which small plans count requests.
pub const MINUTE: Duration = Duration::from_secs(60);
/// How much slower than what was seen to pass requests go out, in parts of a hundred.
const MARGIN: u32 = 5;
/// How long a rate that was learned is held to; it may have been another client that used it up.
const HOLDS: Duration = Duration::from_secs(3600);

/// How long everything pauses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pauses {
    /// After a first refusal: a burst is over by then.
    pub burst: Duration,
    /// After a second one in a row: the time over which a plan counts requests.
    pub minute: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            burst: Duration::from_secs(2),
            minute: MINUTE,
        }
    }
}

/// What follows from a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lesson {
    /// Nothing goes out for so long.
    pub pause: Duration,
    /// From then on so much time lies between two requests, where a rate was learned.
    pub between: Option<Duration>,
}

/// Remembers what passed. Times are counted from any fixed moment.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    pauses: Pauses,
    /// When requests that passed within the last minute were answered.
    passed: VecDeque<Duration>,
    /// When the last pause ends.
    paused_until: Option<Duration>,
    /// The refusals since one passed.
    row: Option<Row>,
    learned: Option<Learned>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    began: Duration,
    /// How many had passed in the minute before.
    passed_before: u32,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    between: Duration,
    until: Duration,
    /// When the pause that came with it began, and how many requests have passed since.
    at: Duration,
    passed: u32,
}

impl Learned {
    /// The time between two requests where this one turned out to be too short at `refused`. A service that lets a rest be made up
    /// for lets more than its rate pass after a pause: over the pause and what came after it, it does not.
    fn too_short(&self, refused: Duration) -> Duration {
        let over = refused.saturating_sub(self.at);
        with_margin(over, self.passed).max(self.between)
    }
}

/// The time between two requests of so many that passed in this time, with the margin.
fn with_margin(over: Duration, passed: u32) -> Duration {
    over * (100 + MARGIN) / 100 / passed.max(1)
}

impl Refusals {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(pauses: Pauses) -> Self {
        Self {
            pauses,
            ..Self::default()
        }
    }

    /// A request passed.
    pub fn passed(&mut self, now: Duration) {
        self.row = None;
        if let Some(learned) = &mut self.learned {
            learned.passed += 1;
        }
        self.passed.push_back(now);
        self.forget(now);
    }

    /// A request that was sent at `sent` was refused without a word of how long. `None`: it was sent before the pause that is being
    /// kept already, and teaches nothing new.
    pub fn refused(&mut self, sent: Duration, now: Duration) -> Option<Lesson> {
        self.forget(now);
        if self.paused_until.is_some_and(|until| sent < until) {
            return None;
        }
        let minute = self.pauses.minute;
        let count = u32::try_from(self.passed.len()).unwrap_or(u32::MAX);
        let again = self.paused_until.is_some_and(|ended| now < ended + minute);
        let held = self.held(now);
        let (pause, between) = match self.row {
            // Waiting for a burst to end was not enough: it is the minute that is full.
            Some(row) => {
                let plain = with_margin(minute, row.passed_before);
                let between = held.map_or(plain, |held| held.too_short(row.began));
                (minute, Some(between))
            }
            // Some pass after each wait, and no more: their rate is too high.
            None if again => {
                let over = self.passed.front().map_or(minute, |first| now - *first);
                let plain = with_margin(over, count);
                let between = held.map_or(plain, |held| held.too_short(now));
                (self.pauses.burst, Some(between))
            }
            None => (self.pauses.burst, None),
        };
        if let Some(between) = between {
            self.learned = Some(Learned {
                between,
                until: now + HOLDS,
                at: now,
                passed: 0,
            });
        }
        self.row.get_or_insert(Row {
            began: now,
            passed_before: count,
        });
        self.paused_until = Some(now + pause);
        Some(Lesson { pause, between })
    }

    /// The time between two requests that was learned, as long as it is held to.
    #[must_use]
    pub fn between(&self, now: Duration) -> Option<Duration> {
        Some(self.held(now)?.between)
    }

    fn held(&self, now: Duration) -> Option<Learned> {
        self.learned.filter(|learned| now < learned.until)
    }

    fn forget(&mut self, now: Duration) {
        let period = self.pauses.minute;
        let old = |at: &Duration| now.saturating_sub(*at) > period;
        while self.passed.front().is_some_and(old) {
            self.passed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_refusal_is_a_burst_and_two_in_a_row_are_a_full_minute() {
        let mut seen = Refusals::default();
        (0..20).for_each(|_| seen.passed(at(1)));
        let burst = seen.refused(at(1), at(2)).unwrap();
        assert_eq!((burst.pause, burst.between), (at(2), None));
        assert_eq!(seen.refused(at(1), at(2)), None, "sent before the pause");
        let full = seen.refused(at(4), at(4)).unwrap();
        let between = Duration::from_millis(3150);
        assert_eq!((full.pause, full.between), (MINUTE, Some(between)));
        assert_eq!(seen.refused(at(5), at(5)), None);
        seen.passed(at(65));
        assert_eq!(seen.between(at(70)), Some(between));
        let later = seen.refused(at(200), at(200)).unwrap();
        assert_eq!((later.pause, later.between), (at(2), None));
        assert_eq!(seen.between(at(4 + 3600)), None, "held for an hour");
    }

    /// Refusals, and the rate a minute in the end, of one who sends 300 requests to a service that lets 20 a minute pass: one at a
    /// time, and no sooner than `natural` after the one before. `refill` says how many more it takes after so long.
    fn sent(natural: Duration, refill: impl Fn(f64, Duration, Duration) -> f64) -> (u32, f64) {
        let mut seen = Refusals::default();
        let (mut now, mut before, mut left) = (Duration::ZERO, Duration::ZERO, 20.0_f64);
        let (mut passed, mut refused) = (0, 0);
        while passed < 300 {
            left = refill(left, before, now);
            before = now;
            if left >= 1.0 {
                left -= 1.0;
                passed += 1;
                seen.passed(now);
                now += natural.max(seen.between(now).unwrap_or_default());
            } else {
                refused += 1;
                now += seen.refused(now, now).unwrap().pause;
            }
        }
        let between = seen.between(now).unwrap();
        (refused, MINUTE.as_secs_f64() / between.as_secs_f64())
    }

    #[test]
    fn the_rate_of_a_small_plan_is_learned_from_few_refusals() {
        let bucket = |left: f64, before: Duration, now: Duration| {
            ((now - before).as_secs_f64() / 3.0 + left).min(20.0)
        };
        let window = |left: f64, before: Duration, now: Duration| {
            let is_next = before.as_secs() / 60 < now.as_secs() / 60;
            if is_next { 20.0 } else { left }
        };
        for natural in [100, 300, 800, 1500, 2500] {
            let natural = Duration::from_millis(natural);
            let (refused, rate) = sent(natural, bucket);
            assert!(
                refused <= 6 && (15.0..21.0).contains(&rate),
                "{natural:?}: {refused}, {rate}"
            );
            let (refused, rate) = sent(natural, window);
            assert!(
                refused <= 2 && (19.0..19.1).contains(&rate),
                "{natural:?}: {refused}, {rate}"
            );
        }
    }

    #[test]
    fn what_passed_long_ago_says_nothing() {
        let mut seen = Refusals::default();
        (0..500).for_each(|_| seen.passed(at(1)));
        (0..6).for_each(|_| seen.passed(at(100)));
        seen.refused(at(101), at(101));
        let full = seen.refused(at(103), at(103)).unwrap();
        assert_eq!(full.between, Some(Duration::from_millis(10_500)));
        // Nothing passed at all: one a minute.
        let mut seen = Refusals::default();
        seen.refused(at(0), at(0));
        let full = seen.refused(at(2), at(2)).unwrap();
        assert_eq!(full.between, Some(at(63)));
    }
}
