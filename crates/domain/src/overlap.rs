//! How far back a poll reads, so that a lagging listing costs no edit and a quiet site costs nothing.
//!
//! What was modified may show in a listing up to [`POLL_OVERLAP`] later, so a poll reads that much of what lies behind the
//! watermark again. After so many pages were changed at once that is a lot, each time, for as long as nothing newer comes. But
//! what lies behind a watermark that was known for that long has all come to light: a poll that began then has read it, and
//! the next ones need not.
//!
//! Only durations are compared, by a clock that is never set: neither the source's clock nor ours has to be right.

use std::time::Duration;

use crate::Timestamp;
use crate::change::POLL_OVERLAP;

/// What is remembered between the polls of one feed.
#[derive(Clone, Debug, Default)]
pub struct Overlap {
    /// Nothing that was modified by then can still come to light.
    settled: Option<Timestamp>,
    /// The present watermark, and when a poll first began with it.
    waiting: Option<(Timestamp, Duration)>,
}

/// What one poll reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Everything from then on; `None`: everything.
    pub floor: Option<Timestamp>,
    /// What is settled when all of it was read.
    settles: Option<Timestamp>,
}

impl Overlap {
    /// The window of a poll that begins now, `now` by a clock that only goes forward.
    pub fn window(&mut self, watermark: Option<Timestamp>, now: Duration) -> Window {
        let Some(watermark) = watermark else {
            *self = Self::default();
            return Window {
                floor: None,
                settles: None,
            };
        };
        self.settled = self.settled.filter(|settled| *settled <= watermark);
        let since = match self.waiting {
            Some((known, since)) if known == watermark => since,
            _ => now,
        };
        self.waiting = Some((watermark, since));
        let known_for = chrono::TimeDelta::from_std(now.saturating_sub(since));
        let ripe = known_for.is_ok_and(|age| age >= POLL_OVERLAP);
        Window {
            floor: self.settled.max(Some(watermark - POLL_OVERLAP)),
            settles: ripe.then_some(watermark),
        }
    }

    /// The window was read to its end, and what it named is written down.
    pub fn was_read(&mut self, window: Window) {
        self.settled = self.settled.max(window.settles);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::UNIX_EPOCH + TimeDelta::days(1) + TimeDelta::seconds(second)
    }

    fn minute(minute: u64) -> Duration {
        Duration::from_secs(60 * minute)
    }

    #[test]
    fn what_was_known_for_long_and_read_is_not_read_again() {
        let mut overlap = Overlap::default();
        let mut floor = |watermark: i64, now| {
            let window = overlap.window(Some(at(watermark)), now);
            overlap.was_read(window);
            window.floor.unwrap()
        };
        assert_eq!(floor(0, minute(0)), at(-600));
        assert_eq!(floor(0, minute(9)), at(-600));
        assert_eq!(floor(0, minute(10)), at(-600), "this one settles it");
        assert_eq!(floor(0, minute(11)), at(0));
        assert_eq!(
            floor(30, minute(12)),
            at(0),
            "newer edits are read from there"
        );
        assert_eq!(floor(3600, minute(70)), at(3000));
        assert_eq!(
            floor(-60, minute(71)),
            at(-660),
            "a watermark that went back"
        );
    }

    #[test]
    fn a_poll_that_failed_settles_nothing() {
        let mut overlap = Overlap::default();
        for now in [0, 30, 60] {
            let window = overlap.window(Some(at(0)), minute(now));
            assert_eq!(window.floor, Some(at(-600)));
        }
        assert_eq!(overlap.window(None, minute(90)).floor, None);
    }

    proptest! {
        /// Whatever is modified, however late it shows (within the overlap), whenever polls come and whichever fail, and however
        /// wrong our clock is: nothing is missed; and when all is quiet a poll reads nothing but the newest.
        #[test]
        fn no_edit_is_missed(
            edits in prop::collection::vec((0_i64..20_000, 0_i64..=600), 1..60),
            polls in prop::collection::vec((1_i64..1_500, prop::bool::weighted(0.8)), 1..60),
        ) {
            let mut overlap = Overlap::default();
            let mut watermark: Option<Timestamp> = None;
            let mut found = vec![false; edits.len()];
            let mut now = 0;
            let quiet = [(25_000, true), (700, true), (700, true), (700, true)];
            let mut read = usize::MAX;
            for (wait, succeeds) in polls.into_iter().chain(quiet) {
                now += wait;
                let elapsed = Duration::from_secs(u64::try_from(now).unwrap());
                let window = overlap.window(watermark, elapsed);
                if !succeeds {
                    continue;
                }
                let mut newest = None;
                read = 0;
                for (n, (modified, lag)) in edits.iter().enumerate() {
                    let shows = modified + lag <= now;
                    if shows && window.floor.is_none_or(|floor| at(*modified) >= floor) {
                        found[n] = true;
                        newest = newest.max(Some(at(*modified)));
                        read += 1;
                    }
                }
                watermark = watermark.max(newest);
                overlap.was_read(window);
            }
            prop_assert!(found.iter().all(|found| *found), "{found:?}");
            let newest = edits.iter().map(|(modified, _)| modified).max().unwrap();
            let of_the_newest = edits.iter().filter(|(modified, _)| modified == newest);
            prop_assert_eq!(read, of_the_newest.count());
        }
    }
}
