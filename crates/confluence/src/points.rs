//! The share of the points quota that this service may use, where the operator names one: copies of an OAuth app have one quota
//! together, and none of them is told what the others need.
//!
//! Counts by the documented rules: one for a request, one for each page, space, comment or file in its answer, two for each user, group
//! or permission. Like the quota itself it is full again at each full hour of UTC.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use domain::quota::QuotaSeen;

/// What is spent of the hour that is counted.
#[derive(Debug)]
pub(crate) struct Budget {
    most: u64,
    spent: Mutex<(Option<DateTime<Utc>>, u64)>,
}

/// How long until quotas of an hour are full again.
pub(crate) fn to_full_hour(now: DateTime<Utc>) -> Duration {
    let left = hour(now) + TimeDelta::hours(1) - now;
    left.to_std().unwrap_or_default()
}

/// The full hour that `now` is in.
fn hour(now: DateTime<Utc>) -> DateTime<Utc> {
    // It fails only for moments centuries away.
    now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now)
}

impl Budget {
    /// Of so many points an hour.
    pub fn new(most: u64) -> Self {
        Self {
            most,
            spent: Mutex::default(),
        }
    }

    /// Counts points; answers what is left then.
    pub fn spend(&self, points: u64, now: DateTime<Utc>) -> QuotaSeen {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = hour(now);
        if spent.0 != Some(hour) {
            *spent = (Some(hour), 0);
        }
        spent.1 = spent.1.saturating_add(points);
        let remaining = self.most.saturating_sub(spent.1);
        QuotaSeen {
            remaining,
            refill_in: to_full_hour(now),
            near: remaining < self.most / 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_its_points_and_the_next_has_them_again() {
        let budget = Budget::new(100);
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (now, points, remaining, near, seconds) in [
            ("2026-03-26T15:10:00Z", 51, 49, false, 3000),
            ("2026-03-26T15:59:59Z", 30, 19, true, 1),
            ("2026-03-26T15:59:59Z", 30, 0, true, 1),
            ("2026-03-26T16:00:00Z", 1, 99, false, 3600),
        ] {
            let seen = budget.spend(points, at(now));
            assert_eq!((seen.remaining, seen.near), (remaining, near), "{now}");
            assert_eq!(seen.refill_in.as_secs(), seconds, "{now}");
        }
    }
}
