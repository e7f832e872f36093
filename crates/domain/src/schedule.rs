//! When an index runs next, and what kind of run that is.

use std::time::Duration;

use chrono::TimeDelta;

use crate::index::IndexProgress;
use crate::quiet::QuietHours;
use crate::run::RunKind;
use crate::{IndexId, Timestamp};

/// When scheduled runs of an index may start: its interval, and hours in which none does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timetable {
    /// Whose; each index has a jitter of its own, so that many do not start together.
    pub index: IndexId,
    /// Minutes between runs.
    pub interval_minutes: u32,
    /// Scheduled runs do not start inside of these; runs asked for by hand do.
    pub quiet_hours: Option<QuietHours>,
}

impl Timetable {
    /// The same with a shorter interval: for trying again.
    #[must_use]
    pub fn at_most_every(self, minutes: u32) -> Self {
        Self {
            interval_minutes: self.interval_minutes.min(minutes),
            ..self
        }
    }

    /// When the next scheduled run starts: the interval after `from`, and up to a tenth of it (10 minutes at most) later by
    /// a jitter that is the same for an index each time; where that is quiet, when the quiet is over.
    #[must_use]
    pub fn next(&self, from: Timestamp) -> Timestamp {
        self.put_off(from + self.interval() + self.jitter())
    }

    /// Whether no run that nobody asked for by hand is to start now.
    #[must_use]
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        self.quiet_hours.is_some_and(|quiet| quiet.contains(now))
    }

    /// Whether a scheduled run is to start now. A due time further ahead than this timetable could have put it means that
    /// the clock was set back: then it is due too, rather than not for hours.
    #[must_use]
    pub fn is_due(&self, next_run_at: Option<Timestamp>, now: Timestamp) -> bool {
        !self.is_quiet(now) && next_run_at.is_some_and(|due| due <= now || due > self.latest(now))
    }

    /// When a run that is due at `due` really starts: then, or now if that has passed, or when the quiet around that is over.
    #[must_use]
    pub fn start(&self, due: Timestamp, now: Timestamp) -> Timestamp {
        let put_off = self.put_off(due.max(now));
        // Not quiet: what was due stays due at its own time.
        if put_off == due.max(now) {
            due
        } else {
            put_off
        }
    }

    /// `due`, put off to what the other side has asked for; but no further than a due time of this timetable can be ahead.
    #[must_use]
    pub fn no_sooner(&self, due: Timestamp, asked: Timestamp, now: Timestamp) -> Timestamp {
        due.max(asked.min(self.latest(now)))
    }

    fn interval(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.interval_minutes.max(1)))
    }

    fn jitter(&self) -> TimeDelta {
        let spread_ms = (self.interval() / 10)
            .min(LARGEST_JITTER)
            .num_milliseconds()
            .max(1);
        let luck = self
            .index
            .0
            .as_bytes()
            .iter()
            .rev()
            .fold(0_i64, |sum, byte| (sum * 31 + i64::from(*byte)) % spread_ms);
        TimeDelta::milliseconds(luck)
    }

    /// `at`, or where that is quiet the end of the quiet: with the jitter, unless the next quiet has begun by then.
    fn put_off(&self, at: Timestamp) -> Timestamp {
        let Some(quiet) = self.quiet_hours else {
            return at;
        };
        let end = quiet.end_after(at);
        if end == at || quiet.contains(end + self.jitter()) {
            end
        } else {
            end + self.jitter()
        }
    }

    /// Nothing that was put down at `now` or before is due later than this.
    fn latest(&self, now: Timestamp) -> Timestamp {
        let latest = now + self.interval() + LARGEST_JITTER + TimeDelta::minutes(1);
        match self.quiet_hours {
            Some(quiet) => quiet.end_after(latest) + LARGEST_JITTER,
            None => latest,
        }
    }
}

const LARGEST_JITTER: TimeDelta = TimeDelta::minutes(10);

/// The kind of a scheduled run.
#[must_use]
pub fn scheduled_kind(
    progress: &IndexProgress,
    sweep_interval: Duration,
    now: Timestamp,
) -> RunKind {
    let Some(swept) = progress.last_sweep_at else {
        return RunKind::First;
    };
    let old = (now - swept)
        .to_std()
        .map_or(true, |age| age >= sweep_interval);
    let scope_changed = progress.scope_revision != progress.applied_scope_revision;
    if old || scope_changed || progress.deletions_accepted {
        RunKind::Sweep
    } else {
        RunKind::Delta
    }
}

/// The kind of a run asked for by hand: it sweeps unless `full` is `false`; `true` re-checks by id.
#[must_use]
pub fn manual_kind(progress: &IndexProgress, full: Option<bool>) -> RunKind {
    match (progress.last_sweep_at, full) {
        (None, _) => RunKind::First,
        (Some(_), Some(true)) => RunKind::Full,
        (Some(_), None) => RunKind::Sweep,
        (Some(_), Some(false)) => RunKind::Delta,
    }
}

/// The run that the administrator asked for while another went on that did not know it when it began: another scope of an index
/// that is enabled, or that the guard's removals be done.
#[must_use]
pub fn called_for(known: &IndexProgress, now: &IndexProgress, enabled: bool) -> Option<RunKind> {
    let other_scope = now.scope_revision != known.scope_revision && enabled;
    let accepted = now.deletions_accepted && !known.deletions_accepted;
    (other_scope || accepted).then(|| manual_kind(now, None))
}

/// No run starts for a next try sooner than this after the end of the run before: pages that failed together are tried together.
const BETWEEN_TRIES: TimeDelta = TimeDelta::minutes(1);

/// When a run starts for what waits for its `next_try`, which was told for later than the beginning of the last run. What was due
/// before that has had its turn, and is left to the next scheduled run: so no page is tried without end.
#[must_use]
pub fn retry_at(next_try: Timestamp, last_ended: Option<Timestamp>) -> Timestamp {
    last_ended.map_or(next_try, |ended| next_try.max(ended + BETWEEN_TRIES))
}

/// Whether an answer made from a sync of `synced_at` is stale: older than twice the interval, or never synced.
#[must_use]
pub fn is_stale(synced_at: Option<Timestamp>, interval_minutes: u32, now: Timestamp) -> bool {
    synced_at.is_none_or(|at| now - at > TimeDelta::minutes(2 * i64::from(interval_minutes.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        chrono::DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn hourly(quiet_hours: Option<&str>) -> Timetable {
        Timetable {
            index: IndexId::generate(),
            interval_minutes: 60,
            quiet_hours: quiet_hours.map(|text| text.parse().unwrap()),
        }
    }

    #[test]
    fn jitter_is_small_steady_and_differs_between_indexes() {
        let (a, b) = (hourly(None), hourly(None));
        let next = a.next(at(0));
        assert!(next >= at(60) && next <= at(66));
        assert_eq!(next, a.next(at(0)));
        assert_ne!(next, b.next(at(0)));
        assert!(a.at_most_every(10).next(at(0)) <= at(11));
    }

    #[test]
    fn what_was_asked_for_is_kept_as_far_as_the_timetable_reaches() {
        let hourly = hourly(None);
        assert_eq!(hourly.no_sooner(at(10), at(60), at(0)), at(60));
        assert_eq!(hourly.no_sooner(at(10), at(5), at(0)), at(10));
        let far = hourly.no_sooner(at(10), at(10_000), at(0));
        assert!(
            !hourly.is_due(Some(far), at(0)),
            "{far} is no clock set back"
        );
    }

    #[test]
    fn a_clock_set_back_does_no_harm() {
        let plain = hourly(None);
        assert!(
            plain.is_due(Some(at(100_000)), at(0)),
            "far ahead: the clock jumped"
        );
        assert!(!plain.is_due(Some(at(60)), at(0)));
        assert!(plain.is_due(Some(at(60)), at(60)));
        assert!(!plain.is_due(None, at(60)));
        // The end of a night is not far ahead, and the one after it is.
        let nightly = hourly(Some("22:00-06:00 UTC"));
        let (evening, morning) = (at(21 * 60 + 30), at(30 * 60));
        assert!(!nightly.is_due(Some(morning), evening));
        assert!(nightly.is_due(Some(morning + TimeDelta::days(2)), evening));
        assert!(
            !nightly.is_due(Some(morning + TimeDelta::days(2)), at(23 * 60)),
            "quiet all the same"
        );
    }

    #[test]
    fn nothing_starts_in_quiet_hours_and_what_was_due_starts_after_them() {
        let nightly = hourly(Some("22:00-06:00 UTC"));
        let (before, inside, end) = (at(21 * 60 + 10), at(23 * 60), at(30 * 60));
        let next = nightly.next(before);
        assert!(next >= end && next <= end + TimeDelta::minutes(6), "{next}");
        assert!(!nightly.is_due(Some(before), inside) && !nightly.is_due(Some(inside), inside));
        assert!(nightly.is_due(Some(before), end));
        // Due while nobody looked, or before the hours were set: shown when it really starts.
        for due in [before, inside, at(0)] {
            let start = nightly.start(due, inside);
            assert!(
                start >= end && start <= end + TimeDelta::minutes(6),
                "{start}"
            );
            assert_eq!(nightly.start(start, inside), start, "once is enough");
        }
        assert_eq!(
            nightly.start(at(10), at(700)),
            at(10),
            "overdue in the day: at once"
        );
        assert_eq!(nightly.start(at(800), at(700)), at(800));
        assert_eq!(hourly(None).start(at(10), inside), at(10));
    }

    #[test]
    fn a_gap_shorter_than_the_jitter_is_used() {
        // A weekly index has a jitter of up to ten minutes, and this day has one minute for it.
        for _ in 0..50 {
            let weekly = Timetable {
                interval_minutes: 7 * 24 * 60,
                ..hourly(Some("06:01-06:00 UTC"))
            };
            let next = weekly.next(at(0));
            assert!(weekly.is_due(Some(next), next), "{next}");
        }
    }

    proptest::proptest! {
        /// Whatever the hours: the next start is not quiet, is due when it comes and not before, and stays where it is.
        #[test]
        fn the_next_start_is_one(
            from in 0_u32..1440, length in 1_u32..1430, interval in 1_u32..20_000, minute in 29_000_000_i64..31_000_000,
        ) {
            let to = (from + length) % 1440;
            let clock = |m: u32| format!("{:02}:{:02}", m / 60, m % 60);
            let table = Timetable {
                interval_minutes: interval,
                ..hourly(Some(&format!("{}-{} Europe/Berlin", clock(from), clock(to))))
            };
            let now = at(minute);
            let next = table.next(now);
            proptest::prop_assert!(table.is_due(Some(next), next));
            proptest::prop_assert!(!table.is_due(Some(next), now));
            proptest::prop_assert!(!table.is_due(Some(next), next - TimeDelta::seconds(1)));
            proptest::prop_assert_eq!(table.start(next, now), next);
            proptest::prop_assert!(next - now >= TimeDelta::minutes(i64::from(interval)));
        }
    }

    #[test]
    fn what_is_asked_for_during_a_run_is_done_after_it() {
        let known = IndexProgress {
            last_sweep_at: Some(at(0)),
            ..IndexProgress::default()
        };
        let rescoped = IndexProgress {
            scope_revision: 1,
            ..known.clone()
        };
        let accepted = IndexProgress {
            deletions_accepted: true,
            ..known.clone()
        };
        let sweep = Some(RunKind::Sweep);
        let table = [
            (&known, &known, true, None),
            (&known, &rescoped, true, sweep),
            (&known, &rescoped, false, None),
            (&rescoped, &rescoped, true, None),
            (&known, &accepted, false, sweep),
            (&accepted, &accepted, true, None),
        ];
        for (known, now, enabled, want) in table {
            assert_eq!(called_for(known, now, enabled), want);
        }
    }

    #[test]
    fn a_told_try_is_kept_and_tries_are_no_closer_than_a_minute() {
        for (next_try, ended, starts) in [
            (at(10), None, at(10)),
            (at(10), Some(at(3)), at(10)),
            (at(10), Some(at(9)), at(10)),
            (at(10), Some(at(10)), at(11)),
            (at(10), Some(at(12)), at(13)),
        ] {
            assert_eq!(retry_at(next_try, ended), starts, "{next_try} {ended:?}");
        }
    }

    #[test]
    fn kinds_follow_the_last_sweep() {
        let hour = Duration::from_secs(3600);
        let fresh = IndexProgress {
            last_sweep_at: Some(at(0)),
            ..IndexProgress::default()
        };
        assert_eq!(
            scheduled_kind(&IndexProgress::default(), hour, at(0)),
            RunKind::First
        );
        assert_eq!(scheduled_kind(&fresh, hour, at(59)), RunKind::Delta);
        assert_eq!(scheduled_kind(&fresh, hour, at(60)), RunKind::Sweep);
        assert_eq!(
            scheduled_kind(
                &IndexProgress {
                    scope_revision: 1,
                    ..fresh.clone()
                },
                hour,
                at(1)
            ),
            RunKind::Sweep
        );
        assert_eq!(manual_kind(&fresh, None), RunKind::Sweep);
        assert_eq!(manual_kind(&fresh, Some(true)), RunKind::Full);
        assert_eq!(manual_kind(&fresh, Some(false)), RunKind::Delta);
    }
}
