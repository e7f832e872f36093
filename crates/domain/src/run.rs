//! A run of an index: kinds, states, counters, and which state may follow which.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::cost::{CostEstimate, EmbeddingEstimate};
use crate::problem::Problem;
use crate::{IndexId, RunId};

/// What a run looks at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// The first of an index: lists with bodies.
    First,
    /// A poll: what was modified since the watermark.
    Delta,
    /// Every id, version, label and restriction is compared; what vanished is confirmed and removed.
    Sweep,
    /// A sweep that also re-checks every version and label by id.
    Full,
    /// The index goes to another store object from what is kept here; Confluence is not asked for anything.
    Move,
}

impl RunKind {
    /// The word used in rows and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Delta => "delta",
            Self::Sweep => "sweep",
            Self::Full => "full",
            Self::Move => "move",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::First,
            Self::Delta,
            Self::Sweep,
            Self::Full,
            Self::Move,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }

    /// How much a kind looks at: of two follow-ups the one that looks at more stays.
    #[must_use]
    pub const fn reach(self) -> u8 {
        match self {
            Self::Move => 0,
            Self::Delta => 1,
            Self::Sweep => 2,
            Self::First => 3,
            Self::Full => 4,
        }
    }

    /// What goes on after the process ended under a run of this kind. After a poll that was cut short that is a sweep, since
    /// what hangs on a half-read poll (pages below a renamed one) is only found by comparing everything.
    #[must_use]
    pub const fn resumed_as(self) -> Self {
        match self {
            Self::Delta => Self::Sweep,
            kind => kind,
        }
    }

    /// Whether the run lists every page of its spaces, and may therefore conclude that one is absent.
    #[must_use]
    pub const fn sweeps(self) -> bool {
        !matches!(self, Self::Delta | Self::Move)
    }
}

/// How a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Recorded, not begun.
    Pending,
    /// Under way.
    Running,
    /// Asked to stop; work in flight settles.
    Canceling,
    /// Over: everything done.
    Succeeded,
    /// Over: some pages failed, and are named.
    Partial,
    /// Over: with an error.
    Failed,
    /// Over: stopped on request.
    Canceled,
    /// Over: the process ended under it; the next run goes on from its rows.
    Interrupted,
    /// Over: additions are in, removals wait for the administrator.
    NeedsConfirmation,
}

impl RunStatus {
    /// Every status, for parsing and documentation.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Running,
        Self::Canceling,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
        Self::Canceled,
        Self::Interrupted,
        Self::NeedsConfirmation,
    ];

    /// The word used in rows and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Interrupted => "interrupted",
            Self::NeedsConfirmation => "needs_confirmation",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the run is still to be worked on.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::Canceling)
    }

    /// Whether a run in this state may go over to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => !matches!(
                next,
                Self::Pending | Self::Succeeded | Self::Partial | Self::NeedsConfirmation
            ),
            Self::Running => !matches!(next, Self::Pending | Self::Running),
            // What was settled before the request was seen stands: a run may end well while it is being canceled.
            Self::Canceling => !matches!(next, Self::Pending | Self::Running | Self::Canceling),
            _ => false,
        }
    }
}

/// What a run did, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counts {
    /// Named by a listing.
    pub seen: i64,
    /// Bodies fetched.
    pub fetched: i64,
    /// Documents that the store accepted.
    pub uploaded: i64,
    /// Documents of this run that are searchable.
    pub searchable: i64,
    /// Documents removed from the store.
    pub deleted: i64,
    /// Seen and left alone, since nothing changed.
    pub unchanged: i64,
    /// Seen and kept out (restricted, labels, root pages).
    pub skipped: i64,
    /// Pages that could not be fetched, converted or stored; each is named with its reason.
    pub failed: i64,
}

/// Requests made for a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Requests {
    /// To Confluence.
    pub confluence: i64,
    /// To the retrieval store.
    pub store: i64,
}

/// What a dry run found that a real one would do.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunPlan {
    /// Pages that would be added.
    pub add: i64,
    /// Pages that would be stored anew.
    pub update: i64,
    /// Pages that would be removed.
    pub remove: i64,
    /// Pages that would be hidden, since Confluence no longer shows them; a later run removes them.
    #[serde(default)]
    pub hide: i64,
    /// Whether so much would be removed that the administrator is asked first.
    #[serde(default)]
    pub needs_confirmation: bool,
    /// Pages that stay as they are.
    pub unchanged: i64,
    /// Confluence requests that it takes.
    pub confluence_requests: i64,
    /// Store requests that it takes, without those that ask how far the store has come.
    pub store_requests: i64,
    /// Minutes at the set quota.
    pub minutes: f64,
    /// What it would cost in the store; null where storing costs nothing.
    #[serde(default)]
    pub cost: Option<CostEstimate>,
    /// What would have to be embedded, by an endpoint (`EMBEDDINGS_URL`) or a model of the service (`EMBEDDINGS_MODEL_DIR`); null without one.
    #[serde(default)]
    pub embeddings: Option<EmbeddingEstimate>,
}

/// A run as REST and events show it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    /// The identity.
    pub run_id: RunId,
    /// The same, under the name that every other object uses.
    pub id: RunId,
    /// The index it belongs to.
    pub index_id: IndexId,
    /// What it looks at.
    pub kind: RunKind,
    /// How it stands.
    pub status: RunStatus,
    /// Whether it only looks and changes nothing.
    pub dry_run: bool,
    /// What it found, if it is a dry run that is over.
    pub plan: Option<RunPlan>,
    /// Whether a follow-up run waits for this one to end.
    pub queued: bool,
    /// The run that took over when this one was over: the queued order, or what went on after the process ended; null when
    /// none did.
    pub follow_up_run_id: Option<RunId>,
    /// When it began; null while pending.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over; null before.
    pub finished_at: Option<DateTime<Utc>>,
    /// What it did so far.
    pub counts: Counts,
    /// Requests it made so far.
    pub requests: Requests,
    /// Seconds until it is likely over; null when not known.
    pub eta_seconds: Option<i64>,
    /// What went wrong, if it ended so.
    pub error: Option<Problem>,
}

impl Run {
    /// When answers became as current as this run made them; `None`: it does not say. What ended later than `now` was written by
    /// a clock that was ahead, and is no truth about it.
    #[must_use]
    pub fn synced_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // A move changes where answers come from, not how current they are.
        let counts = !self.dry_run
            && self.kind != RunKind::Move
            && matches!(self.status, RunStatus::Succeeded | RunStatus::Partial);
        self.finished_at.filter(|at| counts && *at <= now)
    }
}

/// The state in which a run without an error of its own ends.
#[must_use]
pub const fn final_status(counts: &Counts, canceled: bool, awaits_confirmation: bool) -> RunStatus {
    if canceled {
        RunStatus::Canceled
    } else if awaits_confirmation {
        RunStatus::NeedsConfirmation
    } else if counts.failed > 0 {
        RunStatus::Partial
    } else {
        RunStatus::Succeeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_over_stays_so() {
        for over in RunStatus::ALL.into_iter().filter(|s| !s.is_open()) {
            assert!(
                RunStatus::ALL
                    .into_iter()
                    .all(|next| !over.may_become(next)),
                "{over:?}"
            );
        }
    }

    #[test]
    fn an_open_run_can_always_fail_or_be_interrupted() {
        for open in RunStatus::ALL.into_iter().filter(|s| s.is_open()) {
            assert!(
                open.may_become(RunStatus::Failed) && open.may_become(RunStatus::Interrupted),
                "{open:?}"
            );
        }
    }

    #[test]
    fn only_a_run_that_ended_well_and_not_ahead_of_now_says_how_current_answers_are() {
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(9);
        let ended = Run {
            run_id: RunId::generate(),
            id: RunId::generate(),
            index_id: IndexId::generate(),
            kind: RunKind::Sweep,
            status: RunStatus::Succeeded,
            dry_run: false,
            plan: None,
            queued: false,
            follow_up_run_id: None,
            started_at: None,
            finished_at: Some(now),
            counts: Counts::default(),
            requests: Requests::default(),
            eta_seconds: None,
            error: None,
        };
        assert_eq!(ended.synced_at(now), Some(now));
        let early = now - chrono::TimeDelta::seconds(1);
        assert_eq!(ended.synced_at(early), None, "the clock was ahead");
        let others = [
            Run {
                kind: RunKind::Move,
                ..ended.clone()
            },
            Run {
                dry_run: true,
                ..ended.clone()
            },
            Run {
                status: RunStatus::Failed,
                ..ended.clone()
            },
            Run {
                finished_at: None,
                ..ended
            },
        ];
        for run in others {
            assert_eq!(run.synced_at(now), None, "{run:?}");
        }
    }

    #[test]
    fn failures_make_a_run_partial_and_cancel_wins() {
        let failed = Counts {
            failed: 1,
            ..Counts::default()
        };
        assert_eq!(
            final_status(&Counts::default(), false, false),
            RunStatus::Succeeded
        );
        assert_eq!(final_status(&failed, false, false), RunStatus::Partial);
        assert_eq!(
            final_status(&failed, false, true),
            RunStatus::NeedsConfirmation
        );
        assert_eq!(final_status(&failed, true, true), RunStatus::Canceled);
    }
}
