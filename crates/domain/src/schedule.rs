//! When an index runs next, and what kind of run that is.

use std::time::Duration;

use chrono::TimeDelta;

use crate::index::IndexProgress;
use crate::run::RunKind;
use crate::{IndexId, Timestamp};

/// When the next scheduled run is due: the interval after `from`, and up to a tenth of it (10 minutes at most) later by a
/// jitter that is the same for an index each time, so that many indexes do not start together.
#[must_use]
pub fn next_run_at(index: IndexId, interval_minutes: u32, from: Timestamp) -> Timestamp {
    let interval = TimeDelta::minutes(i64::from(interval_minutes.max(1)));
    let spread_ms = (interval / 10)
        .min(TimeDelta::minutes(10))
        .num_milliseconds()
        .max(1);
    let luck = index
        .0
        .as_bytes()
        .iter()
        .rev()
        .fold(0_i64, |sum, byte| (sum * 31 + i64::from(*byte)) % spread_ms);
    from + interval + TimeDelta::milliseconds(luck)
}

/// Whether a scheduled run is due. A due time further ahead than any schedule could have put it means that the clock was set
/// back: then it is due too, rather than not for hours.
#[must_use]
pub fn is_due(next_run_at: Option<Timestamp>, interval_minutes: u32, now: Timestamp) -> bool {
    next_run_at.is_some_and(|due| {
        let longest =
            TimeDelta::minutes(i64::from(interval_minutes.max(1))) + TimeDelta::minutes(11);
        due <= now || due - now > longest
    })
}

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

    #[test]
    fn jitter_is_small_steady_and_differs_between_indexes() {
        let (a, b) = (IndexId::generate(), IndexId::generate());
        let next = next_run_at(a, 60, at(0));
        assert!(next >= at(60) && next <= at(66));
        assert_eq!(next, next_run_at(a, 60, at(0)));
        assert_ne!(next, next_run_at(b, 60, at(0)));
    }

    #[test]
    fn a_clock_set_back_does_no_harm() {
        assert!(
            is_due(Some(at(100_000)), 60, at(0)),
            "far ahead: the clock jumped"
        );
        assert!(!is_due(Some(at(60)), 60, at(0)));
        assert!(is_due(Some(at(60)), 60, at(60)));
        assert!(!is_due(None, 60, at(60)));
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
