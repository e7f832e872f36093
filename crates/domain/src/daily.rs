//! A time of day at which something is done once a day, by the clock on the wall of some time zone.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, LocalResult, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::Timestamp;
use crate::quiet::{QuietHoursError, clock, minutes, time_zone};

/// `03:00 Europe/Berlin`; the zone may be left out and is UTC then. A time that a changed clock leaves out is that of the first
/// minute after, and of one that comes twice the first counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DailyAt {
    /// Minutes after midnight.
    minute: u32,
    time_zone: Tz,
}

impl FromStr for DailyAt {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, QuietHoursError> {
        let text = text.trim();
        let (time, zone) = text
            .split_once(char::is_whitespace)
            .unwrap_or((text, "UTC"));
        Ok(Self {
            minute: minutes(time)?,
            time_zone: time_zone(zone)?,
        })
    }
}

impl fmt::Display for DailyAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", clock(self.minute), self.time_zone.name())
    }
}

impl DailyAt {
    /// The newest of these instants that is not after `at`.
    #[must_use]
    pub fn last_before(&self, at: Timestamp) -> Timestamp {
        self.around(at)
            .into_iter()
            .rev()
            .find(|instant| *instant <= at)
            .unwrap_or(at)
    }

    /// The first of these instants after `at`.
    #[must_use]
    pub fn next_after(&self, at: Timestamp) -> Timestamp {
        self.around(at)
            .into_iter()
            .find(|instant| *instant > at)
            .unwrap_or(at + TimeDelta::days(1))
    }

    /// When to do it, when it was done last at `done`: at once where it was missed, such as while the program did not run.
    #[must_use]
    pub fn due(&self, done: Option<Timestamp>, now: Timestamp) -> Timestamp {
        match done {
            Some(done) if done >= self.last_before(now) => self.next_after(now),
            _ => now,
        }
    }

    /// These instants of two days before until two days after, in order.
    fn around(&self, at: Timestamp) -> Vec<Timestamp> {
        let today = at.with_timezone(&self.time_zone).date_naive();
        let Some(first) = today.checked_sub_days(Days::new(2)) else {
            return Vec::new();
        };
        let time = NaiveTime::MIN + TimeDelta::minutes(i64::from(self.minute));
        let mut instants: Vec<Timestamp> = (0..5)
            .filter_map(|days| first.checked_add_days(Days::new(days)))
            // No clock is put forward by more than a day (Samoa left one out).
            .filter_map(|day| {
                (0..=24 * 60).find_map(|late| {
                    let wall = day.and_time(time) + TimeDelta::minutes(late);
                    match self.time_zone.from_local_datetime(&wall) {
                        LocalResult::Single(one) | LocalResult::Ambiguous(one, _) => {
                            Some(one.to_utc())
                        }
                        LocalResult::None => None,
                    }
                })
            })
            .collect();
        instants.dedup();
        instants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn daily(text: &str) -> DailyAt {
        text.parse().unwrap()
    }

    #[test]
    fn it_comes_once_a_day_by_the_clock_on_the_wall() {
        for (text, now, last, next) in [
            (
                "03:00",
                "2026-05-01T02:59:59Z",
                "2026-04-30T03:00:00Z",
                "2026-05-01T03:00:00Z",
            ),
            (
                "03:00",
                "2026-05-01T03:00:00Z",
                "2026-05-01T03:00:00Z",
                "2026-05-02T03:00:00Z",
            ),
            (
                "03:00 Europe/Berlin",
                "2026-01-01T02:30:00Z",
                "2026-01-01T02:00:00Z",
                "2026-01-02T02:00:00Z",
            ),
            // Left out in spring; twice in autumn.
            (
                "02:30 Europe/Berlin",
                "2026-03-29T00:00:00Z",
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:00:00Z",
            ),
            (
                "02:30 Europe/Berlin",
                "2026-10-25T00:45:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ),
            (
                "00:15 Pacific/Kiritimati",
                "2026-05-01T12:00:00Z",
                "2026-05-01T10:15:00Z",
                "2026-05-02T10:15:00Z",
            ),
        ] {
            assert_eq!(
                daily(text).last_before(at(now)),
                at(last),
                "{text} before {now}"
            );
            assert_eq!(
                daily(text).next_after(at(now)),
                at(next),
                "{text} after {now}"
            );
        }
    }

    #[test]
    fn what_was_missed_is_due_at_once_and_only_once() {
        let daily = daily("03:00");
        let now = at("2026-05-02T10:00:00Z");
        assert_eq!(daily.due(None, now), now);
        assert_eq!(daily.due(Some(at("2026-05-02T02:59:00Z")), now), now);
        let next = at("2026-05-03T03:00:00Z");
        assert_eq!(daily.due(Some(at("2026-05-02T03:00:01Z")), now), next);
        assert_eq!(daily.due(Some(now), now), next);
    }

    #[test]
    fn what_is_no_time_or_zone_is_named() {
        for (text, said) in [
            ("3:00", "3:00"),
            ("24:00", "24:00"),
            ("03:00 Mars", "Mars"),
            ("", "\"\""),
        ] {
            let error = text.parse::<DailyAt>().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(
            daily(" 03:05 Europe/Berlin ").to_string(),
            "03:05 Europe/Berlin"
        );
    }
}
