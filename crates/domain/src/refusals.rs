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
    /// The refusals since one passed: when the last pause ends, and how many had passed in the minute before the first.
    row: Option<Row>,
    learned: Option<Learned>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    paused_until: Duration,
    passed_before: u32,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    between: Duration,
    until: Duration,
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
        self.passed.push_back(now);
        self.forget(now);
    }

    /// A request that was sent at `sent` was refused without a word of how long. `None`: it was sent before the pause that is being
    /// kept already, and teaches nothing new.
    pub fn refused(&mut self, sent: Duration, now: Duration) -> Option<Lesson> {
        self.forget(now);
        let lesson = match self.row {
            Some(row) if sent < row.paused_until => return None,
            // Waiting for a burst to end was not enough: it is the minute that is full.
            Some(row) => {
                let between = self.pauses.minute * (100 + MARGIN) / 100 / row.passed_before.max(1);
                self.learned = Some(Learned {
                    between,
                    until: now + HOLDS,
                });
                Lesson {
                    pause: self.pauses.minute,
                    between: Some(between),
                }
            }
            None => Lesson {
                pause: self.pauses.burst,
                between: None,
            },
        };
        let count = u32::try_from(self.passed.len()).unwrap_or(u32::MAX);
        let passed_before = self.row.map_or(count, |row| row.passed_before);
        self.row = Some(Row {
            paused_until: now + lesson.pause,
            passed_before,
        });
        Some(lesson)
    }

    /// The time between two requests that was learned, as long as it is held to.
    #[must_use]
    pub fn between(&self, now: Duration) -> Option<Duration> {
        let learned = self.learned.filter(|learned| now < learned.until)?;
        Some(learned.between)
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
        assert_eq!(seen.refused(at(66), at(66)).unwrap().pause, at(2));
        assert_eq!(seen.between(at(70)), Some(between));
        assert_eq!(seen.between(at(4 + 3600)), None, "held for an hour");
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
