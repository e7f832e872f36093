//! When a run is likely over: what is left of each stage at the pace of late. Pure: whoever follows a run hands in what is so now.
//!
//! A run lists, reads, sends, and waits until the store finds what it was sent. The stages overlap but for the first and the last:
//! while pages are still being listed nobody knows how many there are (a run that compares knows how many there were), and a store
//! that is asked at the end only says nothing before. What it took after the last upload of an earlier run is the best guess then.

use std::time::Duration;

/// What is so of a run at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// Since the run began, or was taken up.
    pub elapsed: Duration,
    /// Whether everything is listed.
    pub is_listed: bool,
    /// Pages listed so far.
    pub seen: i64,
    /// Pages that a listing is likely to name: those of the last one; 0: not known.
    pub expected: i64,
    /// Documents that the store has accepted, removed or refused so far.
    pub sent: i64,
    /// Pages that are still to be read, decided or sent.
    pub to_send: i64,
    /// Documents that it has accepted and does not find yet.
    pub to_confirm: i64,
}

/// How long a store took after the last document was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tail {
    /// How many documents were sent.
    pub documents: i64,
    /// How long it took until it found all of them.
    pub took: Duration,
}

impl Tail {
    /// As long as then, in proportion to the documents; a store that takes many at once takes not a tenth of the time for a tenth.
    fn expected(self, documents: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let share = documents as f64 / self.documents.max(1) as f64;
        self.took.as_secs_f64() * share.clamp(0.2, 5.0)
    }
}

/// A counter that grows, with the times at which it was seen to have grown.
#[derive(Clone, Debug, Default)]
struct Growth(Vec<(Duration, i64)>);

/// Times kept of one counter.
const KEPT: usize = 256;

impl Growth {
    fn note(&mut self, at: Duration, value: i64) {
        if self.0.last().is_some_and(|(_, last)| *last == value) {
            return;
        }
        self.0.push((at, value));
        if self.0.len() > KEPT {
            // Every other one; their number is odd, so that the first and the last stay.
            let mut stays = false;
            self.0.retain(|_| {
                stays = !stays;
                stays
            });
        }
    }

    /// How much a second over the later half of the time, and when it grew last; `None` before it has grown twice. What comes in
    /// batches is measured from one to another.
    fn pace(&self) -> Option<(f64, Duration)> {
        let (first, _) = *self.0.first()?;
        let (last, now) = *self.0.last()?;
        let half = first + last.saturating_sub(first) / 2;
        let (from, before) = *self.0.iter().rev().find(|(at, _)| *at <= half)?;
        let took = (last - from).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let grown = (now - before) as f64;
        (took > 0.0 && grown > 0.0).then(|| (grown / took, last))
    }

    /// Seconds until it has grown by so much more, seen at this moment.
    fn until(&self, more: i64, at: Duration) -> Option<f64> {
        if more <= 0 {
            return Some(0.0);
        }
        let (pace, last) = self.pace()?;
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let from_last = more as f64 / pace;
        Some((from_last - at.saturating_sub(last).as_secs_f64()).max(0.0))
    }
}

/// Follows a run and says when it is likely over.
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    seen: Growth,
    sent: Growth,
    confirmed: Growth,
    tail: Option<Tail>,
    /// When the last document had been sent, as far as is known.
    all_sent: Option<Duration>,
    latest: Moment,
}

impl Forecast {
    /// Of a run whose store took so long at the end of an earlier one.
    #[must_use]
    pub fn after(tail: Option<Tail>) -> Self {
        let mut forecast = Self {
            tail,
            ..Self::default()
        };
        forecast.sent.note(Duration::ZERO, 0);
        forecast
    }

    /// Takes what is so now; answers how much longer the run likely takes, `None` while that cannot be said.
    pub fn take(&mut self, now: Moment) -> Option<Duration> {
        self.latest = now;
        self.seen.note(now.elapsed, now.seen);
        self.sent.note(now.elapsed, now.sent);
        let all_sent = now.is_listed && now.to_send <= 0;
        if !all_sent {
            self.all_sent = None;
        } else if self.all_sent.is_none() {
            self.all_sent = Some(now.elapsed);
        }
        if all_sent {
            self.confirmed.note(now.elapsed, now.sent - now.to_confirm);
        }
        let listing = self.until_listed(&now)?;
        let sending = match (all_sent, now.to_send) {
            (true, _) | (_, 0) => 0.0,
            (false, left) => self.sent.until(left, now.elapsed)?,
        };
        // Both go on at once.
        let left = listing.max(sending) + self.until_found(&now)?;
        left.is_finite()
            .then(|| Duration::from_secs_f64(left.min(1e9)))
    }

    fn until_listed(&self, now: &Moment) -> Option<f64> {
        if now.is_listed {
            return Some(0.0);
        }
        if now.expected == 0 {
            return None;
        }
        self.seen.until(now.expected - now.seen, now.elapsed)
    }

    fn until_found(&self, now: &Moment) -> Option<f64> {
        let documents = now.sent + now.to_send;
        let guess = self.tail.map(|tail| tail.expected(documents));
        let Some(since) = self.all_sent else {
            // Nothing is known of this store: then all that is known is said.
            return Some(guess.unwrap_or(0.0));
        };
        if now.to_confirm <= 0 {
            return Some(0.0);
        }
        if let Some(left) = self.confirmed.until(now.to_confirm, now.elapsed) {
            return Some(left);
        }
        let waited = now.elapsed.saturating_sub(since).as_secs_f64();
        guess.map(|guess| guess - waited).filter(|left| *left > 0.0)
    }

    /// How long the store took at the end of this run, which is over after `elapsed`; `None` of one that sent nothing.
    #[must_use]
    pub fn tail(&self, elapsed: Duration) -> Option<Tail> {
        // What was sent after the last look and found before the end took no longer than that.
        let since = self.all_sent.unwrap_or(self.latest.elapsed);
        (self.latest.sent > 0).then(|| Tail {
            documents: self.latest.sent,
            took: elapsed.saturating_sub(since),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that is simulated second by second.
    struct Run {
        pages: i64,
        /// Pages listed a second.
        lists: f64,
        /// Documents that go out in one batch, and the seconds between two.
        batch: (i64, u64),
        /// Seconds that the store takes after the last batch; it says nothing before the end.
        tail: u64,
        /// Of the pages, so many go to the store.
        changed: i64,
        expected: i64,
    }

    impl Run {
        fn moment(&self, second: u64) -> Moment {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "a simulation"
            )]
            let seen = ((second as f64 * self.lists) as i64).min(self.pages);
            let batches = i64::try_from(second / self.batch.1).unwrap();
            let sent = (batches * self.batch.0)
                .min(self.changed)
                .min(seen * self.changed / self.pages);
            Moment {
                elapsed: Duration::from_secs(second),
                is_listed: seen == self.pages,
                seen,
                expected: self.expected,
                sent,
                to_send: seen * self.changed / self.pages - sent,
                to_confirm: sent,
            }
        }

        fn ends(&self) -> u64 {
            let sends = |second: &u64| {
                let moment = self.moment(*second);
                moment.is_listed && moment.to_send == 0
            };
            (1..).find(sends).unwrap() + self.tail
        }

        /// From a third of the run on, the seconds at which the forecast is more than a quarter off, and more than 2 s.
        fn misses(&self, tail: Option<Tail>) -> Vec<(u64, Option<u64>, u64)> {
            let mut forecast = Forecast::after(tail);
            let ends = self.ends();
            let mut misses = Vec::new();
            for second in 1..ends {
                let left = forecast.take(self.moment(second));
                let truly = ends - second;
                // Of a store that has not said anything, nothing is known in the end.
                if second * 3 < ends || truly <= 2 {
                    continue;
                }
                let said = left.map(|left| left.as_secs());
                let good = said.is_some_and(|said| {
                    let off = said.abs_diff(truly);
                    off <= 2 || off * 4 <= truly
                });
                if !good {
                    misses.push((second, said, truly));
                }
            }
            misses
        }
    }

    /// As LlamaCloud's second generation takes 600 pages: all are listed soon, batches of 50 go out every 5 s, and the store is
    /// asked at the end only.
    const SLOW_STORE: Run = Run {
        pages: 600,
        lists: 200.0,
        batch: (50, 5),
        tail: 2,
        changed: 600,
        expected: 0,
    };

    #[test]
    fn a_slow_store_that_is_asked_at_the_end_only_is_foretold_from_a_third_on() {
        assert_eq!(SLOW_STORE.ends(), 62);
        assert_eq!(SLOW_STORE.misses(None), []);
    }

    #[test]
    fn what_the_store_took_at_the_end_of_an_earlier_run_is_foretold_too() {
        let earlier = Tail {
            documents: 300,
            took: Duration::from_secs(20),
        };
        let run = Run {
            tail: 40,
            ..SLOW_STORE
        };
        assert_eq!(run.misses(Some(earlier)), []);
        assert!(!run.misses(None).is_empty(), "nobody could know");
    }

    #[test]
    fn a_sweep_that_finds_little_is_foretold_by_the_pages_that_were_there() {
        let sweep = Run {
            pages: 10_000,
            lists: 100.0,
            batch: (20, 5),
            tail: 0,
            changed: 50,
            expected: 9_900,
        };
        assert_eq!(sweep.ends(), 100);
        assert_eq!(sweep.misses(None), []);
    }

    #[test]
    fn a_first_listing_says_nothing_until_it_is_known_how_many_there_are() {
        let mut forecast = Forecast::after(None);
        for second in 1..10 {
            let moment = Moment {
                elapsed: Duration::from_secs(second),
                seen: i64::try_from(second).unwrap() * 100,
                sent: i64::try_from(second).unwrap() * 90,
                to_send: 10,
                ..Moment::default()
            };
            assert_eq!(forecast.take(moment), None);
        }
    }

    #[test]
    fn a_store_that_slows_down_is_followed() {
        let mut forecast = Forecast::after(None);
        let mut said = None;
        let mut sent = 0;
        for second in 1..=300 {
            // Ten a second, then two.
            sent += if second <= 100 { 10 } else { 2 };
            said = forecast.take(Moment {
                elapsed: Duration::from_secs(second),
                is_listed: true,
                seen: 2_000,
                sent,
                to_send: 2_000 - sent,
                to_confirm: sent,
                ..Moment::default()
            });
        }
        assert_eq!(
            said,
            Some(Duration::from_secs(300)),
            "600 left at 2 a second"
        );
    }

    #[test]
    fn what_the_store_took_is_measured_from_the_last_document() {
        let mut forecast = Forecast::after(None);
        for second in 1..SLOW_STORE.ends() {
            forecast.take(SLOW_STORE.moment(second));
        }
        let tail = forecast.tail(Duration::from_secs(SLOW_STORE.ends()));
        let took = Duration::from_secs(2);
        assert_eq!(
            tail,
            Some(Tail {
                documents: 600,
                took
            })
        );
        assert_eq!(Forecast::after(None).tail(took), None);
    }

    #[test]
    fn a_long_run_keeps_few_times_and_the_last_of_them() {
        let mut growth = Growth::default();
        for second in 0..10_000_u64 {
            growth.note(
                Duration::from_secs(second),
                i64::try_from(second).unwrap() * 3,
            );
        }
        assert!(growth.0.len() <= KEPT);
        assert_eq!(growth.0.last().unwrap().0, Duration::from_secs(9_999));
        let (pace, _) = growth.pace().unwrap();
        assert!((pace - 3.0).abs() < 0.01, "{pace}");
    }
}
