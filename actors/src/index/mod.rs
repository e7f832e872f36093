//! `IndexActor`: one per index. It works on the index's open run, one at a time.
//!
//! The run itself is the async code of [`run`]: it lists, compares, fetches, decides and writes rows, with credits for every
//! request; uploads are the uploader's. Everything that a run knows it can read again from the database, so an actor that died
//! is replaced by a new one that goes on with the same run.

mod actor;
mod handlers;
pub(crate) mod run;

pub(crate) use actor::IndexActor;

use std::time::Duration;

use domain::IndexId;
use domain::event::{EventKind, NewEvent};
use domain::index::IndexStatus;
use domain::ports::store::{IndexState, RunEnd, StoreError};
use domain::problem::Problem;
use domain::run::RunStatus;

use crate::shared::Shared;

/// What the status of an index says whose actor died too often.
const GIVEN_UP: &str = "its run died too often within a minute; the log of the service says where. Ask for a sync to try again";

/// Tells those who watch that rows of an index changed, and puts its due time right. `false`: the index is deleted.
pub(crate) async fn announce(shared: &Shared, index: IndexId) -> bool {
    let (lives, data) = match shared.store.index_state(index).await {
        Ok(state) => {
            if let Err(error) = put_schedule_right(shared, &state).await {
                tracing::warn!(%index, %error, "the due time could not be written");
            }
            (true, serde_json::to_value(&state.index).unwrap_or_default())
        }
        Err(StoreError::NotFound { .. }) => {
            (false, serde_json::json!({ "id": index, "deleted": true }))
        }
        Err(error) => {
            tracing::warn!(%index, %error, "a change cannot be looked at now");
            return true;
        }
    };
    let event = NewEvent {
        kind: EventKind::IndexChanged,
        index_id: index,
        run_id: None,
        data,
    };
    shared.hub.publish(event).await;
    lives
}

/// A shorter interval and other quiet hours take effect at once; a disabled index has no due time.
async fn put_schedule_right(shared: &Shared, state: &IndexState) -> Result<(), StoreError> {
    let index = &state.index;
    let now = shared.now();
    let right = if !index.settings.enabled {
        None
    } else if state.progress.last_sweep_at.is_none() && index.next_run_at.is_none() {
        // Never synced: the run that is opened now sets it.
        None
    } else {
        let timetable = shared.timetable(index);
        let next = timetable.next(now);
        let due = index.next_run_at.map_or(next, |due| due.min(next));
        Some(timetable.start(due, now))
    };
    if right != index.next_run_at {
        shared.store.set_next_run(index.id, right).await?;
    }
    Ok(())
}

/// Ends the open run of an index whose actor died too often.
pub(crate) async fn give_up(shared: &Shared, index: IndexId) {
    let ended = async {
        if let Some(run) = shared.store.open_run_of(index).await? {
            let state = shared.store.index_state(index).await?;
            let (counts, requests) = shared.counters_of(&run).told(run.dry_run);
            // A dry run changes nothing, however it ends.
            let (index_status, index_reason, next_run_at) = if run.dry_run {
                let before = state.index;
                (before.status, before.status_reason, before.next_run_at)
            } else {
                let again = next_after_failure(shared, &state, None);
                (IndexStatus::Failed, Some(GIVEN_UP.to_owned()), again)
            };
            let end = RunEnd {
                status: RunStatus::Failed,
                counts,
                requests,
                error: Some(Problem::new("internal", GIVEN_UP)),
                plan: None,
                index_status,
                index_reason,
                progress: None,
                next_run_at,
                then: None,
                notify: shared.settings.notify,
            };
            let run = shared.store.finish_run(run.id, &end).await?;
            shared.forget_counters(run.id);
            shared.hub.run_finished(&run).await;
        } else {
            shared
                .store
                .set_index_status(index, IndexStatus::Failed, Some(GIVEN_UP))
                .await?;
        }
        Ok::<_, StoreError>(())
    };
    if let Err(error) = ended.await {
        tracing::error!(%index, %error, "a given-up run could not be ended");
    }
    announce(shared, index).await;
}

/// A failed run is tried again within ten minutes, or at its interval if that is shorter; later where the other side asked for that.
pub(crate) fn next_after_failure(
    shared: &Shared,
    state: &IndexState,
    asked: Option<Duration>,
) -> Option<domain::Timestamp> {
    let settings = &state.index.settings;
    settings.enabled.then(|| {
        let timetable = shared.timetable(&state.index);
        let now = shared.now();
        let due = timetable.at_most_every(10).next(now);
        timetable.no_sooner(due, now + asked.unwrap_or_default(), now)
    })
}
