//! Runs: one open at a time, follow-ups, endings, cancels, the guard.

use chrono::TimeDelta;
use domain::index::{IndexProgress, IndexStatus};
use domain::ports::store::{
    AdminStore, OpenedRun, QueryStore, RunEnd, RunFilter, StoreError, SyncStore,
};
use domain::problem::Problem;
use domain::run::{Counts, Requests, Run, RunKind, RunPlan, RunStatus};
use domain::{IndexId, RunId};

use crate::bed::{Bed, end, ids, progress_at, settings};

async fn open(bed: &Bed, index: IndexId, kind: RunKind, queue: bool) -> OpenedRun {
    bed.store.open_run(index, kind, false, queue).await.unwrap()
}

#[tokio::test]
async fn one_run_at_a_time_and_the_wider_follow_up_stays() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let OpenedRun::New(first) = open(&bed, index, RunKind::Delta, false).await else {
        panic!("nothing was open");
    };
    assert_eq!(first.status, RunStatus::Pending);
    assert_eq!(
        bed.store.open_run_of(index).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(
        open(&bed, index, RunKind::Full, false).await,
        OpenedRun::AlreadyOpen(first.clone())
    );
    for kind in [RunKind::Sweep, RunKind::Full, RunKind::Delta] {
        let OpenedRun::Queued(run) = open(&bed, index, kind, true).await else {
            panic!("one is open");
        };
        assert!(run.queued && run.run_id == first.run_id);
    }
    bed.store.start_run(first.run_id).await.unwrap();
    let over = bed
        .store
        .finish_run(first.run_id, &end(RunStatus::Succeeded, IndexStatus::Ok))
        .await
        .unwrap();
    // The order is a run of its own as soon as the first is over: no process can die in between.
    let next = bed.store.open_run_of(index).await.unwrap().unwrap();
    assert_eq!(
        (next.kind, next.status, next.dry_run),
        (RunKind::Full, RunStatus::Pending, false)
    );
    assert_eq!((over.queued, over.follow_up_run_id), (false, Some(next.id)));
    bed.store.start_run(next.id).await.unwrap();
    let last = bed
        .store
        .finish_run(next.id, &end(RunStatus::Succeeded, IndexStatus::Ok))
        .await
        .unwrap();
    assert_eq!(last.follow_up_run_id, None);
    assert_eq!(bed.store.open_run_of(index).await.unwrap(), None);
    // Another index is not concerned.
    let other = bed.index("other").await.id;
    assert!(matches!(
        open(&bed, other, RunKind::First, false).await,
        OpenedRun::New(_)
    ));
}

#[tokio::test]
async fn only_allowed_transitions_happen() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let conflict =
        |result: Result<_, StoreError>| matches!(result, Err(StoreError::Conflict { .. }));
    let finish = async |run: RunId, status| {
        bed.store
            .finish_run(run, &end(status, IndexStatus::Ok))
            .await
    };
    let OpenedRun::New(run) = open(&bed, index, RunKind::First, false).await else {
        panic!("nothing was open");
    };
    assert!(
        conflict(finish(run.run_id, RunStatus::Succeeded).await),
        "it never ran"
    );
    assert!(
        conflict(finish(run.run_id, RunStatus::Running).await),
        "that is no end"
    );
    let started = bed.store.start_run(run.run_id).await.unwrap();
    assert_eq!(
        (started.status, started.started_at),
        (RunStatus::Running, Some(bed.now()))
    );
    assert!(
        conflict(bed.store.start_run(run.run_id).await),
        "it runs already"
    );
    finish(run.run_id, RunStatus::Partial).await.unwrap();
    assert!(
        conflict(finish(run.run_id, RunStatus::Failed).await),
        "it is over"
    );
    assert!(
        conflict(bed.store.request_cancel(run.run_id).await),
        "it is over"
    );
    let unknown = RunId::generate();
    assert!(matches!(
        bed.store.start_run(unknown).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(matches!(
        bed.store.run(unknown).await,
        Err(StoreError::NotFound { .. })
    ));
}

#[tokio::test]
async fn a_cancel_reaches_a_pending_and_a_running_run() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let OpenedRun::New(pending) = open(&bed, index, RunKind::First, false).await else {
        panic!("nothing was open");
    };
    for _ in 0..2 {
        let asked = bed.store.request_cancel(pending.run_id).await.unwrap();
        assert_eq!(asked.status, RunStatus::Canceling);
    }
    assert!(
        bed.store.start_run(pending.run_id).await.is_err(),
        "it must not begin any more"
    );
    bed.store
        .finish_run(pending.run_id, &end(RunStatus::Canceled, IndexStatus::New))
        .await
        .unwrap();

    let running = bed.running(index, RunKind::First).await;
    bed.store.request_cancel(running.run_id).await.unwrap();
    let seen = bed
        .store
        .touch_run(
            running.run_id,
            &Counts {
                seen: 7,
                ..Counts::default()
            },
            &Requests::default(),
            Some(5),
        )
        .await
        .unwrap();
    assert_eq!(
        (seen.status, seen.counts.seen, seen.eta_seconds),
        (RunStatus::Canceling, 7, Some(5))
    );
    let over = bed
        .store
        .finish_run(running.run_id, &end(RunStatus::Canceled, IndexStatus::New))
        .await
        .unwrap();
    assert_eq!(over.eta_seconds, None);
    // A late heartbeat changes nothing of what is over.
    let late = bed
        .store
        .touch_run(
            running.run_id,
            &Counts {
                seen: 9,
                ..Counts::default()
            },
            &Requests::default(),
            Some(1),
        )
        .await
        .unwrap();
    assert_eq!(late, over);
}

#[tokio::test]
async fn an_ending_is_recorded_whole() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let run = bed.running(index, RunKind::Sweep).await;
    bed.clock.advance(TimeDelta::microseconds(1));
    let ending = RunEnd {
        status: RunStatus::Failed,
        counts: Counts {
            seen: 1,
            fetched: 2,
            uploaded: 3,
            searchable: 4,
            deleted: 5,
            unchanged: 6,
            skipped: 7,
            failed: 8,
        },
        requests: Requests {
            confluence: 9,
            store: 10,
        },
        error: Some(Problem::new("run_failed", "The disk is full.").with_field("a", "b")),
        notify: false,
        plan: Some(RunPlan {
            add: 1,
            minutes: 0.5,
            ..RunPlan::default()
        }),
        index_status: IndexStatus::Failed,
        index_reason: Some("The disk is full.".into()),
        progress: None,
        next_run_at: Some(bed.now() + TimeDelta::minutes(60)),
        then: None,
    };
    let over = bed.store.finish_run(run.run_id, &ending).await.unwrap();
    assert_eq!(over, bed.store.run(run.run_id).await.unwrap());
    assert_eq!(
        (over.counts, over.requests),
        (ending.counts, ending.requests)
    );
    assert_eq!((&over.error, &over.plan), (&ending.error, &ending.plan));
    assert_eq!(over.finished_at, Some(bed.now()));
    let state = bed.store.index_state(index).await.unwrap();
    assert_eq!(state.index.status_reason, ending.index_reason);
    assert_eq!(
        state.progress,
        IndexProgress::default(),
        "nothing to remember leaves the old"
    );
}

#[tokio::test]
async fn what_the_administrator_did_meanwhile_survives_the_ending() {
    let bed = Bed::new();
    let created = bed.index("agent").await;
    let run = bed.running(created.id, RunKind::Sweep).await;
    let mut changed = settings("agent", &["ENG"]);
    changed.enabled = false;
    bed.store
        .update_index(created.id, &changed.clone().into(), &[])
        .await
        .unwrap();
    let ending = RunEnd {
        progress: Some(progress_at(bed.now())),
        next_run_at: Some(bed.now() + TimeDelta::minutes(60)),
        ..end(RunStatus::Succeeded, IndexStatus::Ok)
    };
    bed.store.finish_run(run.run_id, &ending).await.unwrap();
    let state = bed.store.index_state(created.id).await.unwrap();
    assert_eq!(state.index.status, IndexStatus::Disabled);
    assert_eq!(
        state.index.next_run_at, None,
        "an index that is switched off has no next run"
    );
    assert_eq!(
        state.progress.scope_revision, 1,
        "the run read 0 and may not write it back"
    );
    assert_eq!(state.progress.applied_scope_revision, 0);
}

#[tokio::test]
async fn a_restart_interrupts_what_was_open() {
    let bed = Bed::new();
    let never_synced = bed.index("a").await.id;
    let synced = bed.index("b").await.id;
    let idle = bed.index("c").await.id;
    let run = bed.running(synced, RunKind::First).await;
    let ending = RunEnd {
        progress: Some(progress_at(bed.now())),
        ..end(RunStatus::Succeeded, IndexStatus::Ok)
    };
    bed.store.finish_run(run.run_id, &ending).await.unwrap();

    let first = bed.running(never_synced, RunKind::First).await;
    let second = bed.running(synced, RunKind::Delta).await;
    open(&bed, synced, RunKind::Full, true).await;
    bed.clock.advance(TimeDelta::minutes(3));
    let again = bed.second();
    let interrupted = again.interrupt_open_runs().await.unwrap();
    assert_eq!(
        interrupted.iter().map(|r| r.run_id).collect::<Vec<_>>(),
        [first.run_id, second.run_id]
    );
    for (run, kind, queued) in [
        (&interrupted[0], RunKind::First, false),
        // What hangs on a half-read poll is only found by comparing everything; the order that waited still waits.
        (&interrupted[1], RunKind::Sweep, true),
    ] {
        assert_eq!(run.status, RunStatus::Interrupted);
        assert_eq!(run.finished_at, Some(bed.now()));
        assert_eq!(run.error.as_ref().unwrap().code, "run_stopped");
        let next = again.open_run_of(run.index_id).await.unwrap().unwrap();
        assert_eq!(run.follow_up_run_id, Some(next.id));
        assert_eq!(
            (next.kind, next.status, next.queued),
            (kind, RunStatus::Pending, queued)
        );
        assert!(!again.run(run.run_id).await.unwrap().queued);
    }
    for (index, status) in [
        (never_synced, IndexStatus::New),
        (synced, IndexStatus::Degraded),
        (idle, IndexStatus::New),
    ] {
        assert_eq!(again.index(index).await.unwrap().status, status);
    }
    assert_eq!(
        again.index(synced).await.unwrap().next_run_at,
        Some(bed.now())
    );
    // Runs that were not begun wait for whoever begins them, over any number of restarts.
    assert!(again.interrupt_open_runs().await.unwrap().is_empty());
    let next = again.open_run_of(synced).await.unwrap().unwrap();
    again.start_run(next.id).await.unwrap();
    let over = again
        .finish_run(next.id, &end(RunStatus::Succeeded, IndexStatus::Ok))
        .await
        .unwrap();
    let full = again.open_run_of(synced).await.unwrap().unwrap();
    assert_eq!(
        (full.kind, over.follow_up_run_id),
        (RunKind::Full, Some(full.id))
    );
}

#[tokio::test]
async fn after_a_restart_nothing_goes_on_but_what_was_ordered_behind_a_canceled_or_dry_run() {
    for queue in [false, true] {
        let bed = Bed::new();
        let canceled = bed.index("a").await.id;
        let run = bed.running(canceled, RunKind::Sweep).await;
        bed.store.request_cancel(run.id).await.unwrap();
        let looked = bed.index("b").await.id;
        let OpenedRun::New(dry) = bed
            .store
            .open_run(looked, RunKind::Sweep, true, false)
            .await
            .unwrap()
        else {
            panic!("nothing was open");
        };
        let before = bed.store.index(looked).await.unwrap();
        bed.store.start_run(dry.id).await.unwrap();
        if queue {
            open(&bed, canceled, RunKind::Full, true).await;
            open(&bed, looked, RunKind::Full, true).await;
        }
        let again = bed.second();
        for run in again.interrupt_open_runs().await.unwrap() {
            let next = again.open_run_of(run.index_id).await.unwrap();
            assert_eq!(run.follow_up_run_id, next.as_ref().map(|next| next.id));
            assert_eq!(
                next.map(|next| (next.kind, next.dry_run)),
                queue.then_some((RunKind::Full, false))
            );
        }
        // Whoever only looked leaves nothing to make up for.
        let after = again.index(looked).await.unwrap();
        assert_eq!(
            (after.status, after.next_run_at),
            (before.status, before.next_run_at)
        );
    }
}

async fn waiting_for_an_answer(bed: &Bed) -> (IndexId, RunId) {
    let index = bed.index("agent").await.id;
    let run = bed.running(index, RunKind::Sweep).await.run_id;
    let ending = RunEnd {
        progress: Some(IndexProgress {
            awaiting_confirmation: Some(run),
            ..progress_at(bed.now())
        }),
        ..end(RunStatus::NeedsConfirmation, IndexStatus::NeedsConfirmation)
    };
    bed.store.finish_run(run, &ending).await.unwrap();
    (index, run)
}

#[tokio::test]
async fn the_guard_is_answered_once() {
    for accept in [true, false] {
        let bed = Bed::new();
        let (index, run) = waiting_for_an_answer(&bed).await;
        let other = RunId::generate();
        assert!(matches!(
            bed.store.answer_guard(other, accept).await,
            Err(StoreError::NotFound { .. })
        ));
        bed.store.answer_guard(run, accept).await.unwrap();
        let state = bed.store.index_state(index).await.unwrap();
        assert_eq!(state.progress.deletions_accepted, accept);
        assert_eq!(state.progress.awaiting_confirmation, None);
        assert_eq!(state.index.status, IndexStatus::Degraded);
        assert!(matches!(
            bed.store.answer_guard(run, accept).await,
            Err(StoreError::Conflict { .. })
        ));
    }
}

#[tokio::test]
async fn an_answer_given_during_a_run_is_not_overwritten_by_it() {
    let bed = Bed::new();
    let (index, run) = waiting_for_an_answer(&bed).await;
    let read_before = bed.store.index_state(index).await.unwrap().progress;
    bed.clock.advance(TimeDelta::seconds(1));
    let delta = bed.running(index, RunKind::Delta).await;
    bed.clock.advance(TimeDelta::seconds(1));
    bed.store.answer_guard(run, true).await.unwrap();
    let ending = RunEnd {
        progress: Some(read_before),
        ..end(RunStatus::Succeeded, IndexStatus::Ok)
    };
    bed.store.finish_run(delta.run_id, &ending).await.unwrap();
    let progress = bed.store.index_state(index).await.unwrap().progress;
    assert!(progress.deletions_accepted);
    assert_eq!(progress.awaiting_confirmation, None);
    // The run that makes use of the answer began after it, and clears it.
    bed.clock.advance(TimeDelta::seconds(1));
    let sweep = bed.running(index, RunKind::Sweep).await;
    let ending = RunEnd {
        progress: Some(progress_at(bed.now())),
        ..end(RunStatus::Succeeded, IndexStatus::Ok)
    };
    bed.store.finish_run(sweep.run_id, &ending).await.unwrap();
    assert!(
        !bed.store
            .index_state(index)
            .await
            .unwrap()
            .progress
            .deletions_accepted
    );
}

#[tokio::test]
async fn runs_are_listed_newest_first_in_pages() {
    let bed = Bed::new();
    let (a, b) = (bed.index("a").await.id, bed.index("b").await.id);
    let mut made = Vec::new();
    for turn in 0..6 {
        let index = if turn % 2 == 0 { a } else { b };
        let run = bed.running(index, RunKind::Delta).await.run_id;
        let status = if turn < 4 {
            RunStatus::Succeeded
        } else {
            RunStatus::Failed
        };
        bed.store
            .finish_run(run, &end(status, IndexStatus::Ok))
            .await
            .unwrap();
        made.insert(0, run);
    }
    let mut seen = Vec::new();
    let mut filter = RunFilter {
        limit: 4,
        ..RunFilter::default()
    };
    loop {
        let page = bed.store.runs(&filter).await.unwrap();
        seen.extend(page.items.iter().map(|run| run.run_id));
        filter.cursor = page.next_cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
    let of_a = RunFilter {
        indexes: Some(vec![a]),
        status: Some(RunStatus::Failed),
        ..RunFilter::default()
    };
    let found = bed.store.runs(&of_a).await.unwrap().items;
    assert_eq!(
        found.iter().map(|run| run.run_id).collect::<Vec<_>>(),
        [made[1]]
    );
    let bad = RunFilter {
        cursor: Some("x".into()),
        ..RunFilter::default()
    };
    assert!(metastore::is_bad_cursor(
        &bed.store.runs(&bad).await.unwrap_err()
    ));
}

#[tokio::test]
async fn a_later_run_may_be_answered_for_the_one_that_asked_and_an_earlier_one_not() {
    let bed = Bed::new();
    let (index, asked) = waiting_for_an_answer(&bed).await;
    let stopped = RunEnd {
        progress: Some(IndexProgress {
            awaiting_confirmation: Some(asked),
            guarded_pages: ids(&["1", "2"]).into_iter().collect(),
            ..progress_at(bed.now())
        }),
        ..end(RunStatus::NeedsConfirmation, IndexStatus::NeedsConfirmation)
    };
    let again = bed.running(index, RunKind::Sweep).await.run_id;
    bed.store.finish_run(again, &stopped).await.unwrap();
    let quiet = bed.running(index, RunKind::Delta).await.run_id;
    let ended = RunEnd {
        status: RunStatus::Succeeded,
        ..stopped.clone()
    };
    bed.store.finish_run(quiet, &ended).await.unwrap();
    assert!(
        matches!(
            bed.store.answer_guard(quiet, true).await,
            Err(StoreError::Conflict { .. })
        ),
        "it asks nothing"
    );
    // Another question replaces the first: whoever saw only that may not answer this.
    let grown = bed.running(index, RunKind::Sweep).await.run_id;
    let more = RunEnd {
        progress: Some(IndexProgress {
            awaiting_confirmation: Some(grown),
            guarded_pages: ids(&["1", "2", "3"]).into_iter().collect(),
            ..progress_at(bed.now())
        }),
        ..stopped
    };
    bed.store.finish_run(grown, &more).await.unwrap();
    for earlier in [asked, again] {
        let Err(StoreError::Conflict { what }) = bed.store.answer_guard(earlier, true).await else {
            panic!("it showed less");
        };
        assert!(what.contains(&grown.to_string()), "{what}");
    }
    let last = bed.running(index, RunKind::Sweep).await.run_id;
    bed.store.finish_run(last, &more).await.unwrap();
    bed.store.answer_guard(last, false).await.unwrap();
    let progress = bed.store.index_state(index).await.unwrap().progress;
    assert!(progress.deletions_refused && !progress.deletions_accepted);
    assert_eq!(progress.guarded_pages.len(), 3, "the answer is for these");
}

#[tokio::test]
async fn the_run_that_follows_is_recorded_with_the_ending_unless_another_was_ordered() {
    let bed = Bed::new();
    for (ordered, expected) in [(None, RunKind::Move), (Some(RunKind::Full), RunKind::Full)] {
        let agent = format!("agent-{expected:?}");
        let index = bed.index(&agent).await.id;
        let run = bed.running(index, RunKind::Sweep).await;
        if let Some(kind) = ordered {
            let store = &bed.store;
            store.open_run(index, kind, false, true).await.unwrap();
        }
        let ending = RunEnd {
            then: Some(RunKind::Move),
            ..end(RunStatus::Succeeded, IndexStatus::Ok)
        };
        let over = bed.store.finish_run(run.id, &ending).await.unwrap();
        let next = bed.store.run(over.follow_up_run_id.unwrap()).await.unwrap();
        assert_eq!((next.kind, next.status), (expected, RunStatus::Pending));
    }
}

async fn succeeded(bed: &Bed, index: IndexId) -> Run {
    let run = bed.running(index, RunKind::Sweep).await.run_id;
    let ending = RunEnd {
        progress: Some(progress_at(bed.now())),
        ..end(RunStatus::Succeeded, IndexStatus::Ok)
    };
    bed.store.finish_run(run, &ending).await.unwrap()
}

#[tokio::test]
async fn answers_are_as_current_as_the_newest_run_that_no_clock_ahead_has_dated() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let as_of = async || {
        let of_index = bed.store.index(index).await.unwrap().as_of;
        let of_target = bed.store.query_target(index).await.unwrap().as_of;
        assert_eq!(of_target, of_index, "a question says the same");
        of_index
    };
    let first = succeeded(&bed, index).await;
    assert_eq!(as_of().await, first.finished_at);
    bed.clock.advance(TimeDelta::days(1));
    let ahead = succeeded(&bed, index).await;
    assert_eq!(as_of().await, ahead.finished_at);
    // The id, too, was made by the clock that was ahead.
    let far = "ffff0000-0000-7000-8000-000000000000";
    let rename = format!(
        "UPDATE sync_runs SET id = '{far}' WHERE id = '{}'",
        ahead.id
    );
    assert_eq!(bed.database.execute(&rename), 1);
    bed.clock.advance(TimeDelta::hours(-23));
    assert_eq!(as_of().await, first.finished_at);
    bed.store.reset_future_dates(bed.now()).await.unwrap();
    let state = bed.store.index_state(index).await.unwrap();
    assert_eq!(state.progress.synced_at, first.finished_at);
    assert_eq!(state.index.last_run.unwrap().id.to_string(), far);

    let failed = bed.running(index, RunKind::Delta).await.run_id;
    let ending = end(RunStatus::Failed, IndexStatus::Failed);
    bed.store.finish_run(failed, &ending).await.unwrap();
    let now = bed.store.index(index).await.unwrap();
    assert_eq!(
        now.last_run.unwrap().id,
        failed,
        "the newest is the one made last"
    );
    assert_eq!(as_of().await, first.finished_at);
    let last = succeeded(&bed, index).await;
    assert_eq!(as_of().await, last.finished_at);
    let listed = bed
        .store
        .runs(&RunFilter {
            limit: 9,
            ..RunFilter::default()
        })
        .await
        .unwrap();
    let ids: Vec<RunId> = listed.items.iter().map(|run| run.id).collect();
    assert_eq!(ids, [last.id, failed, far.parse().unwrap(), first.id]);
}

#[tokio::test]
async fn one_question_tells_which_indexes_have_an_open_run() {
    let bed = Bed::new();
    let (one, two) = (bed.index("one").await.id, bed.index("two").await.id);
    assert!(bed.store.open_runs().await.unwrap().is_empty());
    succeeded(&bed, one).await;
    let run = bed.running(two, RunKind::First).await;
    assert_eq!(bed.store.open_runs().await.unwrap(), [two].into());
    open(&bed, one, RunKind::Delta, false).await;
    bed.store.request_cancel(run.id).await.unwrap();
    assert_eq!(bed.store.open_runs().await.unwrap(), [one, two].into());
}
