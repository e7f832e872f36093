//! One look at the database: which indexes live, which runs are due, when to look again.

use std::collections::HashSet;
use std::time::Duration;

use domain::ports::store::{OpenedRun, StoreError};
use domain::{IndexId, Timestamp, schedule};

use crate::index::announce;
use crate::shared::Shared;

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Outlook {
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
pub(super) async fn look(shared: &Shared) -> Result<Outlook, StoreError> {
    let now = shared.now();
    let mut outlook = Outlook {
        next: shared.settings.check_interval,
        ..Outlook::default()
    };
    let running: HashSet<IndexId> = shared
        .store
        .indexes_with_open_run()
        .await?
        .into_iter()
        .collect();
    for state in shared.store.index_states().await? {
        let index = &state.index;
        outlook.living.insert(index.id);
        if running.contains(&index.id) {
            // An engine that carries out one order leaves the runs of other indexes to the service.
            if shared.settings.scheduled {
                outlook.activate.push(index.id);
            }
            continue;
        }
        if !index.settings.enabled || !shared.settings.scheduled {
            continue;
        }
        let timetable = shared.timetable(index);
        if timetable.is_due(index.next_run_at, now) {
            let kind =
                schedule::scheduled_kind(&state.progress, shared.settings.sweep_interval, now);
            if let OpenedRun::New(run) = shared.store.open_run(index.id, kind, false, false).await?
            {
                tracing::info!(index = %index.id, name = %index.settings.name, run = %run.id, kind = kind.as_str(), "a scheduled run is due");
            }
            outlook.activate.push(index.id);
        } else if let Some(due) = index.next_run_at {
            let start = timetable.start(due, now);
            if start != due {
                // Due in quiet hours: puts it off, and tells those who watch.
                announce(shared, index.id).await;
            }
            outlook.next = outlook.next.min(until(start, now));
        }
    }
    outlook.next = outlook.next.max(SHORTEST);
    Ok(outlook)
}

fn until(due: Timestamp, now: Timestamp) -> Duration {
    (due - now).to_std().unwrap_or_default()
}
