//! The end of a run: its status, what the index says of itself, what is kept for the next one.

use domain::blocked;
use domain::guard;
use domain::index::{IndexProgress, IndexSpace, IndexStatus, SpaceState};
use domain::part::Part;
use domain::ports::store::{IndexState, RunEnd, StoreError, StuckRemovals};
use domain::problem::Problem;
use domain::run::{Run, RunKind, RunStatus, final_status};
use domain::{SpaceKey, Timestamp, schedule};

use super::context::{Findings, RunCtx};
use super::execution::{Ended, Execution};
use super::spaces::mark_for_full_listing;
use crate::index::{announce, next_after_failure};
use crate::stop::RunError;

/// Closes the run's row, unless the engine stops.
pub(super) async fn finish(
    execution: Execution,
    outcome: Result<(), RunError>,
) -> Result<Ended, StoreError> {
    let shared = &execution.shared;
    if matches!(outcome, Err(RunError::Stopped)) && execution.stop.is_drain() {
        let (counts, requests) = execution.counters.told(execution.run.dry_run);
        let _ = shared
            .store
            .touch_run(execution.run.id, &counts, &requests, None)
            .await;
        return Ok(Ended::LeftOpen);
    }
    let index = execution.run.index_id;
    let Some(end) = conclude(&execution, outcome).await? else {
        // Deleted under the run: its rows are gone with it.
        shared.hub.forget(index, Some(execution.run.id));
        shared.forget_counters(execution.run.id);
        return Ok(Ended::Over);
    };
    if let Some(rehearsed) = &execution.rehearsed {
        let noted = shared
            .store
            .note_run_pages(execution.run.id, &rehearsed.pages);
        noted.await?;
    }
    shared.fail_point("before_run_finished");
    let run = match shared.store.finish_run(execution.run.id, &end).await {
        Ok(ended) => ended,
        Err(StoreError::Conflict { what }) => {
            tracing::error!(run = %execution.run.id, what, "the run was ended by somebody else");
            shared.hub.forget(index, Some(execution.run.id));
            shared.forget_counters(execution.run.id);
            return Ok(Ended::Over);
        }
        Err(error) => return Err(error),
    };
    tell(&execution, &run);
    shared.forget_counters(run.id);
    shared.hub.run_finished(&run).await;
    announce(shared, index).await;
    Ok(Ended::Over)
}

/// The one line about a run: what it was, what it did, what it cost, and what went wrong.
fn tell(execution: &Execution, run: &Run) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                index = %run.index_id, agent = %execution.before.index.settings.agent_id, run = %run.id,
                kind = run.kind.as_str(), status = run.status.as_str(), dry_run = run.dry_run,
                seconds = took(run).map(|took| took.as_seconds_f64()),
                seen = run.counts.seen, fetched = run.counts.fetched, uploaded = run.counts.uploaded,
                searchable = run.counts.searchable, deleted = run.counts.deleted, unchanged = run.counts.unchanged,
                skipped = run.counts.skipped, failed = run.counts.failed,
                confluence_requests = run.requests.confluence, store_requests = run.requests.store,
                code = run.error.as_ref().map(|error| error.code.as_str()),
                error = run.error.as_ref().map(|error| error.detail.as_str()), "a run is over"
            )
        };
    }
    match run.status {
        RunStatus::Failed | RunStatus::Partial | RunStatus::NeedsConfirmation => line!(warn),
        _ => line!(info),
    }
}

fn took(run: &Run) -> Option<chrono::TimeDelta> {
    Some(run.finished_at? - run.started_at?)
}

/// Records how the run leaves its spaces, and says how it ends; `None` when its index is deleted.
pub(super) async fn conclude(
    execution: &Execution,
    outcome: Result<(), RunError>,
) -> Result<Option<RunEnd>, StoreError> {
    let shared = &execution.shared;
    let index = execution.run.index_id;
    let findings = execution
        .ctx
        .as_ref()
        .map(|ctx| ctx.find(std::mem::take))
        .unwrap_or_default();
    let state = match shared.store.index_state(index).await {
        Ok(state) => state,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if let Some(ctx) = &execution.ctx {
        let spaces = spaces_after(ctx, &findings, shared.now());
        shared.store.record_spaces(index, &spaces).await?;
    }
    let (_, failed_pages) = shared.store.unsettled_pages(index).await?;
    let remains = Remains {
        failed_pages,
        removals: shared.store.stuck_removals(index).await?,
    };
    Ok(Some(end_of(
        execution, &state, outcome, &findings, &remains,
    )))
}

/// After every other run a move under way goes on; one that was asked for during the run of another begins.
fn move_is_next(execution: &Execution, state: &IndexState) -> bool {
    let Some(moving) = &state.index.moving else {
        return false;
    };
    let carried_on = execution.before.index.moving.as_ref();
    execution.shared.settings.scheduled
        && (execution.run.kind != RunKind::Move
            || carried_on.map(|m| m.since) != Some(moving.since))
}

/// Space rows as the run leaves them.
fn spaces_after(ctx: &RunCtx, findings: &Findings, now: Timestamp) -> Vec<IndexSpace> {
    let mut unlisted = ctx.spaces_before.unlisted.clone();
    let seen = &ctx.state.index.spaces;
    for space in seen.iter().filter(|s| findings.listed.contains(&s.key)) {
        unlisted.retain(|id| Some(id) != space.id.as_ref());
    }
    mark_for_full_listing(seen, &unlisted)
        .into_iter()
        .map(|mut space| {
            if findings.listed.contains(&space.key) {
                space.last_sync_at = Some(now);
            }
            if let Some(trouble) = findings.space_trouble.get(&space.key) {
                space.state = SpaceState::Failing;
                space.reason = Some(trouble.clone());
            }
            space
        })
        .collect()
}

/// What runs so far left undone, whichever run it was.
struct Remains {
    failed_pages: i64,
    removals: Option<StuckRemovals>,
}

fn end_of(
    execution: &Execution,
    state: &IndexState,
    outcome: Result<(), RunError>,
    findings: &Findings,
    remains: &Remains,
) -> RunEnd {
    let shared = &execution.shared;
    let (counts, requests) = execution.counters.told(execution.run.dry_run);
    let now = shared.now();
    let regular = (state.index.settings.enabled).then(|| shared.timetable(&state.index).next(now));
    let mut end = RunEnd {
        status: RunStatus::Failed,
        counts,
        requests,
        error: None,
        plan: None,
        index_status: IndexStatus::Failed,
        index_reason: None,
        progress: None,
        next_run_at: regular,
        then: schedule::called_for(
            &execution.before.progress,
            &state.progress,
            state.index.settings.enabled,
        )
        .or_else(|| move_is_next(execution, state).then_some(RunKind::Move)),
        notify: shared.settings.notify,
    };
    match outcome {
        Err(RunError::Stopped) => {
            end.status = RunStatus::Canceled;
            let words = if execution.run.kind == RunKind::Move {
                // Given up, or put off: the index is what it was.
                ""
            } else {
                "the last run was canceled"
            };
            (end.index_status, end.index_reason) = as_before(execution, state, words);
        }
        Err(failure) if execution.run.kind == RunKind::Move => {
            let error = failure.into_error();
            end.next_run_at = next_after_failure(shared, state, error.asks_to_wait());
            let error = error.problem();
            (end.index_status, end.index_reason) = as_before(
                execution,
                state,
                &format!("{MOVE_FAILED}: {}; the old store answers", error.detail),
            );
            end.error = Some(error);
        }
        Err(failure) => {
            let error = failure.into_error();
            end.next_run_at = next_after_failure(shared, state, error.asks_to_wait());
            let mut problem = error.problem();
            if error.asks_to_wait().is_some() {
                problem.detail.push_str("; the next run goes on then");
            }
            end.index_reason = Some(problem.detail.clone());
            end.error = Some(problem);
        }
        Ok(()) if execution.run.dry_run => {
            if let Some(rehearsed) = &execution.rehearsed {
                end.status = rehearsed.status;
                end.error.clone_from(&rehearsed.error);
                end.plan = Some(rehearsed.plan.clone());
            }
        }
        Ok(()) if execution.run.kind == RunKind::Move => end_move(execution, state, &mut end),
        Ok(()) => end_well(execution, state, findings, remains, &mut end),
    }
    if execution.run.dry_run {
        (end.index_status, end.index_reason) = as_before(execution, state, "");
        end.next_run_at = state.index.next_run_at.or(regular);
    }
    end
}

/// How soon after a run of a move that did not complete it the index is looked at again: a sync, and then the move.
const MOVE_ON: u32 = 1;

/// Begins the words about an index whose move does not get on.
const MOVE_FAILED: &str = "the move to another store does not get on";

/// A run of a move says nothing about how current the index is.
fn end_move(execution: &Execution, state: &IndexState, end: &mut RunEnd) {
    end.status = final_status(&end.counts, false, false);
    (end.index_status, end.index_reason) = as_before(execution, state, "");
    if let Some(why) = &execution.move_blocked_because {
        end.status = RunStatus::Partial;
        end.error = Some(Problem::new("move_incomplete", why.clone()));
        let timetable = execution.shared.timetable(&state.index);
        end.next_run_at = state.index.settings.enabled.then(|| {
            timetable
                .at_most_every(MOVE_ON)
                .next(execution.shared.now())
        });
        return;
    }
    end.next_run_at = state.index.next_run_at.or(end.next_run_at);
    let words = end.index_reason.as_deref();
    if words.is_some_and(|words| words.starts_with(MOVE_FAILED)) {
        (end.index_status, end.index_reason) = (IndexStatus::Ok, None);
    }
}

/// The run came to its end; that something is missing does not change that.
fn end_well(
    execution: &Execution,
    state: &IndexState,
    findings: &Findings,
    remains: &Remains,
    end: &mut RunEnd,
) {
    let visible = execution
        .ctx
        .as_ref()
        .map_or(0, |ctx| ctx.visible_spaces().len());
    let trouble = &findings.space_trouble;
    end.status = final_status(&end.counts, false, findings.guard.is_some());
    if visible == 0 && !state.index.spaces.is_empty() && findings.guard.is_none() {
        let words = "the account sees none of the index's spaces; nothing is removed for that. Check its permissions, or the index's spaces";
        end.error = Some(Problem::new("no_space_visible", words));
        return end_badly(execution, state, end);
    }
    let incomplete = incomplete(findings);
    if !incomplete.is_empty() {
        end.error = Some(Problem::new("incomplete", incomplete.join("; ")));
        if end.status == RunStatus::Succeeded {
            end.status = RunStatus::Partial;
        }
    }
    if !trouble.is_empty() || findings.poll_trouble.is_some() {
        let spaces = trouble
            .iter()
            .map(|(space, what)| format!("{space}: {what}"));
        let words: Vec<String> = findings
            .poll_trouble
            .iter()
            .cloned()
            .chain(spaces)
            .chain(incomplete)
            .collect();
        end.error = Some(Problem::new("confluence_unreachable", words.join("; ")));
        let nowhere = findings.poll_trouble.is_some() || trouble.len() >= visible;
        if nowhere && end.counts.seen == 0 {
            return end_badly(execution, state, end);
        }
        if end.status == RunStatus::Succeeded {
            end.status = RunStatus::Partial;
        }
    }
    if let Some(guard) = &findings.guard {
        end.error = Some(Problem::new("mass_deletion", guard.reason.clone()));
    }
    let now = execution.shared.now();
    let progress = progress_after(execution, findings, end.status, now);
    let reasons = reasons(execution, findings, remains, &progress);
    end.index_status = if progress.awaiting_confirmation.is_some() {
        IndexStatus::NeedsConfirmation
    } else if reasons.is_empty() && end.status == RunStatus::Succeeded {
        IndexStatus::Ok
    } else {
        IndexStatus::Degraded
    };
    end.progress = Some(progress);
    end.index_reason = (!reasons.is_empty()).then(|| reasons.join("; "));
}

/// What is missing of an index whose spaces were read, in words.
fn incomplete(findings: &Findings) -> Vec<String> {
    let parts = findings.missing.iter();
    parts
        .map(|(part, missing)| format!("{}: {}", part.in_words(), missing.why))
        .chain(blocked::in_words(&findings.blocked))
        .collect()
}

/// Nothing was learnt about the index; its error says why.
fn end_badly(execution: &Execution, state: &IndexState, end: &mut RunEnd) {
    end.status = RunStatus::Failed;
    end.index_reason = end.error.as_ref().map(|e| e.detail.clone());
    end.next_run_at = next_after_failure(&execution.shared, state, None);
}

fn reasons(
    execution: &Execution,
    findings: &Findings,
    remains: &Remains,
    progress: &IndexProgress,
) -> Vec<String> {
    let guarded = progress.guarded_pages.len();
    let mut reasons: Vec<String> = match &findings.guard {
        Some(stopped) => vec![stopped.reason.clone()],
        None if progress.awaiting_confirmation.is_some() => vec![format!(
            "the removal of {guarded} document(s) waits to be confirmed or refused"
        )],
        None if progress.deletions_refused => vec![guard::refusal_in_words(
            &progress.guarded_pages,
            progress.guard_answered_at,
        )],
        None => Vec::new(),
    };
    reasons.extend(findings.poll_trouble.clone());
    reasons.extend(incomplete(findings));
    let spaces = execution.ctx.iter().flat_map(|ctx| &ctx.state.index.spaces);
    for space in spaces {
        let trouble = findings.space_trouble.get(&space.key);
        if let Some(what) = trouble.or(space.reason.as_ref()) {
            reasons.push(format!("space {}: {what}", space.key));
        }
    }
    if let Some(stuck) = &remains.removals {
        reasons.push(format!(
            "{} document(s) that were to be removed are still in the store; no answer quotes them, and the removal is tried again. The store says: {}",
            stuck.documents, stuck.last_error
        ));
    }
    let failed_pages = remains.failed_pages;
    if failed_pages > 0 {
        reasons.push(format!(
            "{failed_pages} page(s) could not be fetched or stored; each says why and when it is tried again"
        ));
    }
    reasons
}

fn progress_after(
    execution: &Execution,
    findings: &Findings,
    status: RunStatus,
    now: Timestamp,
) -> IndexProgress {
    let Some(ctx) = &execution.ctx else {
        return execution.before.progress.clone();
    };
    let mut progress = ctx.state.progress.clone();
    let trouble = &findings.space_trouble;
    // A space that could not be read holds nobody back: its row says so, and the next run of any kind reads it whole.
    if findings.poll_trouble.is_none() {
        let newest = match (findings.newest, findings.newest_at_most) {
            (Some(newest), Some(most)) => Some(newest.min(most)),
            (newest, _) => newest,
        };
        progress.watermark = progress.watermark.max(newest);
    }
    if execution.run.kind.sweeps() {
        let read = |space: &&SpaceKey| !trouble.contains_key(*space);
        if trouble.is_empty() || findings.listed.iter().any(|space| read(&space)) {
            progress.last_sweep_at = Some(ctx.started_at);
        }
        // A space in trouble is listed whole by its own row, and what it still owes of a change of scope is exempt
        // from the guard as long as the settings before that are kept.
        progress.applied_scope_revision = progress.scope_revision;
    }
    if trouble.is_empty() && progress.applied_scope_revision == progress.scope_revision {
        progress.applied_settings = Some(ctx.settings().clone());
    }
    remember_question(execution, findings, &mut progress);
    if matches!(status, RunStatus::Succeeded | RunStatus::Partial) {
        progress.synced_at = Some(now);
    }
    progress
}

/// A new question replaces the old one and its answer. A complete sweep that asks nothing has carried out what was accepted,
/// and knows which of the refused ones are still gone.
fn remember_question(execution: &Execution, findings: &Findings, progress: &mut IndexProgress) {
    let refused = match &findings.guard {
        Some(stopped) if stopped.question.waits_already => return,
        Some(stopped) => {
            progress.awaiting_confirmation = Some(execution.run.id);
            progress.deletions_accepted = false;
            progress.deletions_refused = false;
            progress.guarded_pages.clone_from(&stopped.question.pages);
            return;
        }
        None if !execution.run.kind.sweeps()
            || !findings.space_trouble.is_empty()
            || findings.missing.contains_key(&Part::Files) =>
        {
            return;
        }
        None => &findings.refused,
    };
    progress.awaiting_confirmation = None;
    progress.deletions_accepted = false;
    progress.deletions_refused = !refused.is_empty();
    progress.guarded_pages.clone_from(refused);
}

/// The index stands as it did before a run that changed nothing, or not everything.
fn as_before(
    execution: &Execution,
    state: &IndexState,
    words: &str,
) -> (IndexStatus, Option<String>) {
    let before = &execution.before.index;
    match before.status {
        // Read while an earlier execution of the run had begun already.
        IndexStatus::Syncing if state.progress.synced_at.is_none() => (IndexStatus::New, None),
        IndexStatus::Syncing => (
            IndexStatus::Degraded,
            (!words.is_empty()).then(|| words.to_owned()),
        ),
        IndexStatus::Ok if !words.is_empty() => (IndexStatus::Degraded, Some(words.to_owned())),
        status => (status, before.status_reason.clone()),
    }
}
