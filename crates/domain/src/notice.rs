//! What the operator's webhook is told: runs that ended in trouble. A notice is kept until it is delivered or given up.

use std::time::Duration;

use chrono::TimeDelta;

use crate::backoff::Backoff;
use crate::run::{Run, RunStatus};
use crate::{AgentId, Timestamp};

/// Between the tries of one notice: a second doubling to an hour.
const TRIES: Backoff = Backoff {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(3600),
};
/// A notice that could not be delivered for so long is given up; its row says why until it is forgotten.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::hours(24);

/// A notice.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    /// The run as it ended; one notice a run.
    pub run: Run,
    /// The name that its index had then.
    pub index_name: String,
    /// The agent id that its index had then.
    pub agent_id: AgentId,
    /// When the run ended.
    pub at: Timestamp,
    /// Tries that failed.
    pub attempts: i32,
}

impl Notice {
    /// What a failed try leads to.
    #[must_use]
    pub fn failed(&self, reason: String, now: Timestamp, jitter: f64) -> Delivery {
        let failures = u32::try_from(self.attempts + 1).unwrap_or(u32::MAX);
        let again = now + TRIES.wait(failures, jitter, Duration::ZERO);
        Delivery::Failed {
            reason,
            again: (again - self.at <= GIVEN_UP_AFTER).then_some(again),
        }
    }
}

/// What came of a try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It was taken.
    Delivered,
    /// It was not.
    Failed {
        /// In words, without the address.
        reason: String,
        /// When it is tried again; `None`: never.
        again: Option<Timestamp>,
    },
}

/// Whether the operator is told of a run that ended so.
#[must_use]
pub const fn is_trouble(status: RunStatus) -> bool {
    matches!(
        status,
        RunStatus::Failed | RunStatus::Partial | RunStatus::NeedsConfirmation
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Counts, Requests, RunKind};
    use crate::{IndexId, RunId};

    #[test]
    fn a_notice_is_tried_for_a_day_ever_less_often() {
        let at: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        let id = RunId::generate();
        let mut notice = Notice {
            run: Run {
                run_id: id,
                id,
                index_id: IndexId::generate(),
                kind: RunKind::Delta,
                status: RunStatus::Failed,
                dry_run: false,
                plan: None,
                queued: false,
                started_at: Some(at),
                finished_at: Some(at),
                counts: Counts::default(),
                requests: Requests::default(),
                eta_seconds: None,
                error: None,
                follow_up_run_id: None,
            },
            index_name: "Handbook".into(),
            agent_id: "agent".parse().unwrap(),
            at,
            attempts: 0,
        };
        let (mut now, mut waits) = (at, Vec::new());
        loop {
            match notice.failed("refused".into(), now, 0.5) {
                Delivery::Failed {
                    again: Some(again), ..
                } => {
                    waits.push((again - now).num_seconds());
                    now = again;
                    notice.attempts += 1;
                }
                Delivery::Failed { again: None, .. } => break,
                Delivery::Delivered => unreachable!(),
            }
        }
        assert_eq!(&waits[..5], [1, 2, 4, 8, 16]);
        assert_eq!(&waits[12..14], [3600, 3600]);
        assert_eq!((waits.len(), (now - at).num_hours()), (34, 23));
    }

    #[test]
    fn only_trouble_is_told() {
        use RunStatus::*;
        for status in [Failed, Partial, NeedsConfirmation] {
            assert!(is_trouble(status));
        }
        for status in [
            Pending,
            Running,
            Canceling,
            Succeeded,
            Canceled,
            Interrupted,
        ] {
            assert!(!is_trouble(status));
        }
    }
}
