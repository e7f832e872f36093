//! What the operator's webhook is told: that an index is in trouble, once, and that it is well again. A notice is kept until it is
//! delivered or given up.

use std::time::Duration;

use chrono::TimeDelta;

use crate::backoff::Backoff;
use crate::run::{Run, RunKind, RunStatus};
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

/// What the operator has been told of an index once a run of it has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct After {
    /// The trouble that he was told last, in a word; `None`: none, or that it is over.
    pub told: Option<String>,
    /// Whether the end of this run is to be told.
    pub is_news: bool,
}

/// Begins the word of a trouble with a move: only a move ends it, since it asks nothing of Confluence, and the others nothing of the
/// new store.
const OF_A_MOVE: &str = "move ";

/// What the end of a run changes in what the operator has been told: trouble is told when it is another than before, and that it is
/// over when a run succeeds. Whoever asked for a dry run, or ended one, knows.
#[must_use]
pub fn after(told: Option<&str>, run: &Run) -> After {
    let told = told.map(str::to_owned);
    let is_move = run.kind == RunKind::Move;
    let trouble = match run.status {
        _ if run.dry_run => None,
        RunStatus::Failed | RunStatus::Partial | RunStatus::NeedsConfirmation => {
            let of = if is_move { OF_A_MOVE } else { "" };
            let code = run.error.as_ref().map_or("", |error| error.code.as_str());
            Some(format!("{of}{} {code}", run.status.as_str()))
        }
        _ => None,
    };
    if trouble.is_some() {
        let is_news = trouble != told;
        return After {
            told: trouble,
            is_news,
        };
    }
    let ends_it = run.status == RunStatus::Succeeded
        && !run.dry_run
        && told
            .as_ref()
            .is_some_and(|told| told.starts_with(OF_A_MOVE) == is_move);
    After {
        told: told.filter(|_| !ends_it),
        is_news: ends_it,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;
    use crate::run::{Counts, Requests};
    use crate::{IndexId, RunId};

    fn some_run() -> Run {
        let at: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        let id = RunId::generate();
        Run {
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
        }
    }

    #[test]
    fn a_notice_is_tried_for_a_day_ever_less_often() {
        let at: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        let mut notice = Notice {
            run: some_run(),
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
    fn only_what_is_new_is_told() {
        use RunKind::{Delta, Move};
        use RunStatus::*;
        let run = |kind, status, code: &str| Run {
            kind,
            status,
            error: (!code.is_empty()).then(|| Problem::new(code, "why")),
            ..some_run()
        };
        let mut told = None;
        for (run, is_news, now) in [
            (run(Delta, Succeeded, ""), false, None),
            (run(Delta, Partial, ""), true, Some("partial ")),
            (run(Delta, Partial, ""), false, Some("partial ")),
            (run(Delta, Interrupted, ""), false, Some("partial ")),
            (
                run(Delta, Failed, "store_credits"),
                true,
                Some("failed store_credits"),
            ),
            (
                run(Delta, Failed, "internal"),
                true,
                Some("failed internal"),
            ),
            // A move says nothing of Confluence.
            (run(Move, Succeeded, ""), false, Some("failed internal")),
            (run(Delta, Succeeded, ""), true, None),
            (
                run(Move, Failed, "move_incomplete"),
                true,
                Some("move failed move_incomplete"),
            ),
            (
                run(Delta, Succeeded, ""),
                false,
                Some("move failed move_incomplete"),
            ),
            (run(Move, Succeeded, ""), true, None),
            (
                Run {
                    dry_run: true,
                    ..run(Delta, Failed, "internal")
                },
                false,
                None,
            ),
        ] {
            let after = after(told.as_deref(), &run);
            assert_eq!((after.is_news, after.told.as_deref()), (is_news, now));
            told = after.told;
        }
    }
}
