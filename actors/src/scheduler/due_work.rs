//! One look at the database: which indexes live, which runs are due, when to look again.

use std::collections::HashSet;
use std::time::Duration;

use domain::ports::store::{IndexState, OpenedRun, StoreError, TriesOf};
use domain::run::RunStatus;
use domain::{IndexId, Timestamp, schedule};

use crate::index::announce;
use crate::shared::Shared;

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct DueWork {
    /// Every living index.
    pub(super) living: HashSet<IndexId>,
    /// Those with an open run.
    pub(super) activate: Vec<IndexId>,
    /// When to look again.
    pub(super) next: Duration,
}

/// No look follows another sooner, whatever is due.
const SHORTEST: Duration = Duration::from_millis(200);

/// Looks, and records the runs that are due.
pub(super) async fn look(shared: &Shared) -> Result<DueWork, StoreError> {
    let now = shared.now();
    let mut due_work = DueWork {
        next: shared.settings.check_interval,
        ..DueWork::default()
    };
    let states = shared.store.index_states().await?;
    let open = shared.store.open_runs().await?;
    let tries = shared
        .store
        .next_tries(&asked_for_tries(&states, now))
        .await?;
    for state in states {
        let index = &state.index;
        due_work.living.insert(index.id);
        if open.contains(&index.id) {
            // An engine that carries out one order leaves the runs of other indexes to the service.
            if shared.settings.scheduled {
                due_work.activate.push(index.id);
            }
            continue;
        }
        if !index.settings.enabled || !shared.settings.scheduled {
            continue;
        }
        let timetable = shared.timetable(index);
        let last_ended = index.last_run.as_ref().and_then(|run| run.finished_at);
        let tried = tries.get(&index.id).map(|next_try| {
            let at = schedule::retry_at(*next_try, last_ended.map(|ended| ended.min(now)));
            timetable.start(at, now)
        });
        if timetable.is_due(index.next_run_at, now) || tried.is_some_and(|at| at <= now) {
            let kind =
                schedule::scheduled_kind(&state.progress, shared.settings.sweep_interval, now);
            if let OpenedRun::New(run) = shared.store.open_run(index.id, kind, false, false).await?
            {
                tracing::info!(index = %index.id, name = %index.settings.name, run = %run.id, kind = kind.as_str(), "a run is due, by the schedule or for what is tried again");
            }
            due_work.activate.push(index.id);
            continue;
        }
        if let Some(at) = tried {
            due_work.next = due_work.next.min(until(at, now));
        }
        if let Some(due) = index.next_run_at {
            let start = timetable.start(due, now);
            if start != due {
                // Due in quiet hours: puts it off, and tells those who watch.
                announce(shared, index.id).await;
            }
            due_work.next = due_work.next.min(until(start, now));
        }
    }
    due_work.next = due_work.next.max(SHORTEST);
    Ok(due_work)
}

/// What became due before the last run began had its turn in it. After a run that failed as a whole the schedule's own next one
/// tries everything.
fn asked_for_tries(states: &[IndexState], now: Timestamp) -> Vec<TriesOf> {
    let of = |state: &IndexState| {
        let last = state.index.last_run.as_ref();
        let began = last
            .filter(|run| run.status != RunStatus::Failed)?
            .started_at?;
        Some(TriesOf {
            index: state.index.id,
            serving: state.serving,
            after: began.min(now),
        })
    };
    states.iter().filter_map(of).collect()
}

fn until(due: Timestamp, now: Timestamp) -> Duration {
    (due - now).to_std().unwrap_or_default()
}
