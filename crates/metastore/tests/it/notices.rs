//! What the webhook is told: there with the end of the run, until it is delivered or given up.

use chrono::TimeDelta;
use domain::index::IndexStatus;
use domain::notice::Delivery;
use domain::ports::store::{AdminStore, RunEnd, SyncStore};
use domain::run::{Run, RunKind, RunStatus};
use domain::{IndexId, RunId};

use crate::bed::{Bed, end};

async fn over(bed: &Bed, index: IndexId, status: RunStatus, notify: bool) -> Run {
    let run = bed.running(index, RunKind::Delta).await.run_id;
    let end = RunEnd {
        notify,
        ..end(status, IndexStatus::Ok)
    };
    bed.store.finish_run(run, &end).await.unwrap()
}

/// The runs whose notices are due, as another process sees them.
async fn due(bed: &Bed) -> Vec<RunId> {
    let due = bed.second().notices_due(10).await.unwrap();
    due.into_iter().map(|notice| notice.run.id).collect()
}

fn failed(reason: &str, again: Option<domain::Timestamp>) -> Delivery {
    let reason = reason.to_owned();
    Delivery::Failed { reason, again }
}

#[tokio::test]
async fn a_run_in_trouble_leaves_one_notice_that_waits_until_it_is_delivered() {
    let bed = Bed::new();
    let index = bed.index("agent").await;
    for (status, notify) in [
        (RunStatus::Succeeded, true),
        (RunStatus::Canceled, true),
        (RunStatus::Failed, false),
    ] {
        over(&bed, index.id, status, notify).await;
    }
    assert_eq!(bed.store.next_notice().await.unwrap(), None);
    let partial = over(&bed, index.id, RunStatus::Partial, true).await;
    let first = bed.now();
    bed.clock.advance(TimeDelta::seconds(1));
    let run = over(&bed, index.id, RunStatus::Failed, true).await;
    assert_eq!(due(&bed).await, [partial.id, run.id]);

    let again = bed.now() + TimeDelta::minutes(1);
    let settle = async |run, delivery| bed.store.settle_notice(run, &delivery).await.unwrap();
    settle(partial.id, failed("status 503", Some(again))).await;
    assert_eq!(due(&bed).await, [run.id]);
    settle(run.id, Delivery::Delivered).await;
    assert!(due(&bed).await.is_empty());
    assert_eq!(bed.store.next_notice().await.unwrap(), Some(again));

    // The index is gone before it is told.
    bed.store.delete_index(index.id).await.unwrap();
    bed.clock.advance(TimeDelta::minutes(1));
    let waiting = bed.store.notices_due(10).await.unwrap();
    let [notice] = waiting.as_slice() else {
        panic!("{waiting:?}");
    };
    assert_eq!(
        (&notice.run, notice.at, notice.attempts),
        (&partial, first, 1)
    );
    assert_eq!(
        (notice.index_name.as_str(), &notice.agent_id),
        (index.settings.name.as_str(), &index.settings.agent_id)
    );
    settle(partial.id, failed("status 503", None)).await;
    assert_eq!(bed.store.next_notice().await.unwrap(), None, "given up");
}

#[tokio::test]
async fn notices_are_forgotten_like_runs_and_wait_for_no_clock_that_was_ahead() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let old = over(&bed, index, RunStatus::Failed, true).await;
    bed.clock.advance(TimeDelta::days(10));
    // The same trouble once more is no news, also after so long.
    over(&bed, index, RunStatus::Failed, true).await;
    let new = over(&bed, index, RunStatus::Partial, true).await;
    let far = bed.now() + TimeDelta::days(3);
    let ahead = failed("status 503", Some(far));
    bed.store.settle_notice(new.id, &ahead).await.unwrap();
    assert_eq!(due(&bed).await, [old.id]);
    bed.store.reset_future_dates(bed.now()).await.unwrap();
    assert_eq!(due(&bed).await, [old.id, new.id]);
    bed.store
        .prune(bed.now() - TimeDelta::days(5))
        .await
        .unwrap();
    assert_eq!(due(&bed).await, [new.id]);
}

#[tokio::test]
async fn trouble_is_told_once_and_its_end_once() {
    let bed = Bed::new();
    let (index, other) = (bed.index("agent").await.id, bed.index("other").await.id);
    let mut told = Vec::new();
    for status in [
        RunStatus::Succeeded,
        RunStatus::Failed,
        RunStatus::Failed,
        RunStatus::Canceled,
        RunStatus::Failed,
        RunStatus::Succeeded,
        RunStatus::Succeeded,
        RunStatus::Failed,
    ] {
        bed.clock.advance(TimeDelta::seconds(1));
        let run = over(&bed, index, status, true).await;
        if due(&bed).await.contains(&run.id) {
            told.push(status);
        }
    }
    let (failed, good) = (RunStatus::Failed, RunStatus::Succeeded);
    assert_eq!(told, [failed, good, failed]);
    let run = over(&bed, other, RunStatus::Failed, true).await;
    assert!(due(&bed).await.contains(&run.id), "each index by itself");
}
