//! Runs: opening, progress, ending, and what an ending does to the index.

use std::collections::HashSet;

use diesel::dsl::{Filter, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use domain::index::IndexStatus;
use domain::ports::store::{Listed, OpenedRun, RunEnd, RunFilter};
use domain::problem::Problem;
use domain::run::{Counts, Requests, Run, RunKind, RunStatus};
use domain::{IndexId, RunId, Timestamp};

use super::{indexes as index_ops, notices};
use crate::convert::{db_time, limit, opt_db_time, rows, to_json};
use crate::cursor;
use crate::dialect::Conn;
use crate::error::{Done, conflict, not_found};
use crate::rows::{IndexRow, ProgressChange, RunRow};
use crate::schema::{indexes, sync_runs};

const OPEN: [&str; 3] = [
    RunStatus::Pending.as_str(),
    RunStatus::Running.as_str(),
    RunStatus::Canceling.as_str(),
];

/// Open runs, in the words of the index over them: it counts only where a query repeats its condition.
pub(crate) fn open_runs() -> Filter<sync_runs::table, SqlLiteral<Bool>> {
    sync_runs::table.filter(sql("status IN ('pending', 'running', 'canceling')"))
}

fn row(conn: &mut Conn, run: RunId) -> Done<RunRow> {
    sync_runs::table
        .find(run.to_string())
        .select(RunRow::as_select())
        .first(conn)
        .optional()?
        .ok_or_else(|| not_found(format!("run {run}")).into())
}

pub(crate) fn get(conn: &mut Conn, run: RunId) -> Done<Run> {
    row(conn, run)?.try_into()
}

fn open_row(conn: &mut Conn, index: &str) -> Done<Option<RunRow>> {
    Ok(sync_runs::table
        .filter(sync_runs::index_id.eq(index))
        .filter(sync_runs::status.eq_any(OPEN))
        .select(RunRow::as_select())
        .first(conn)
        .optional()?)
}

pub(crate) fn open_of(conn: &mut Conn, index: IndexId) -> Done<Option<Run>> {
    open_row(conn, &index.to_string())?
        .map(TryInto::try_into)
        .transpose()
}

pub(crate) fn all_open(conn: &mut Conn) -> Done<HashSet<IndexId>> {
    let open: Vec<String> = open_runs().select(sync_runs::index_id).load(conn)?;
    open.iter()
        .map(|index| crate::convert::id("sync_runs.index_id", index))
        .collect()
}

/// Whether a run that may have made something in a store was ever begun.
pub(crate) fn any_begun(conn: &mut Conn, index: &str) -> Done<bool> {
    let begun: i64 = sync_runs::table
        .filter(sync_runs::index_id.eq(index))
        .filter(sync_runs::dry_run.eq(false))
        .filter(sync_runs::started_at.is_not_null())
        .count()
        .get_result(conn)?;
    Ok(begun > 0)
}

/// The newest run that is not a dry one.
pub(crate) fn newest(conn: &mut Conn, index: &str) -> Done<Option<Run>> {
    sync_runs::table
        .filter(sync_runs::index_id.eq(index))
        .filter(sync_runs::dry_run.eq(false))
        .order(sync_runs::id.desc())
        .select(RunRow::as_select())
        .first(conn)
        .optional()?
        .map(TryInto::try_into)
        .transpose()
}

/// In a copy on which nobody else works: what only looked becomes the run that it speaks of.
pub(crate) fn make_real(conn: &mut Conn, dry_run: RunId) -> Done<()> {
    let row = sync_runs::table.find(dry_run.to_string());
    diesel::update(row)
        .set(sync_runs::dry_run.eq(false))
        .execute(conn)?;
    Ok(())
}

/// The id of the run that is recorded next: it sorts behind all others, whatever the clock said when those were made.
fn next_id(conn: &mut Conn) -> Done<RunId> {
    let newest: Option<String> = sync_runs::table
        .select(diesel::dsl::max(sync_runs::id))
        .first(conn)?;
    let newest = newest
        .map(|newest| crate::convert::id("sync_runs.id", &newest))
        .transpose()?;
    Ok(RunId::after(newest))
}

/// When the newest run ended that says how current answers are, and that did not end ahead of `now`.
pub(crate) fn synced_at(conn: &mut Conn, index: &str, now: Timestamp) -> Done<Option<Timestamp>> {
    let well = [RunStatus::Succeeded, RunStatus::Partial].map(RunStatus::as_str);
    let row: Option<RunRow> = sync_runs::table
        .filter(sync_runs::index_id.eq(index))
        .filter(sync_runs::dry_run.eq(false))
        .filter(sync_runs::status.eq_any(well))
        .filter(sync_runs::kind.ne(RunKind::Move.as_str()))
        .filter(sync_runs::finished_at.le(db_time(now)))
        .order(sync_runs::id.desc())
        .select(RunRow::as_select())
        .first(conn)
        .optional()?;
    let run: Option<Run> = row.map(TryInto::try_into).transpose()?;
    Ok(run.and_then(|run| run.synced_at(now)))
}

pub(crate) fn open(
    conn: &mut Conn,
    index: IndexId,
    kind: RunKind,
    dry_run: bool,
    queue_if_open: bool,
    now: Timestamp,
) -> Done<OpenedRun> {
    let index_row = index_ops::row(conn, index)?;
    if let Some(mut open) = open_row(conn, &index_row.id)? {
        if !queue_if_open {
            return Ok(OpenedRun::AlreadyOpen(open.try_into()?));
        }
        let noted = open.follow_up()?;
        if noted.is_none_or(|noted| kind.reach() > noted.reach()) {
            open.follow_up = Some(kind.as_str().to_owned());
            diesel::update(sync_runs::table.find(&open.id))
                .set(sync_runs::follow_up.eq(&open.follow_up))
                .execute(conn)?;
        }
        return Ok(OpenedRun::Queued(open.try_into()?));
    }
    let new = RunRow::pending(next_id(conn)?, index, kind, dry_run, now);
    diesel::insert_into(sync_runs::table)
        .values(&new)
        .execute(conn)?;
    Ok(OpenedRun::New(new.try_into()?))
}

fn may_become(row: &RunRow, next: RunStatus) -> Done<()> {
    let now = row.status()?;
    if now.may_become(next) {
        return Ok(());
    }
    Err(conflict(format!(
        "run {} is {} and cannot become {}",
        row.id,
        now.as_str(),
        next.as_str()
    ))
    .into())
}

pub(crate) fn start(conn: &mut Conn, run: RunId, now: Timestamp) -> Done<Run> {
    let row = row(conn, run)?;
    may_become(&row, RunStatus::Running)?;
    let now = db_time(now);
    diesel::update(sync_runs::table.find(&row.id))
        .set((
            sync_runs::status.eq(RunStatus::Running.as_str()),
            sync_runs::started_at.eq(now),
            sync_runs::heartbeat_at.eq(now),
        ))
        .execute(conn)?;
    // A dry run only looks: however it ends, the index stands as it stood.
    if !row.dry_run {
        diesel::update(indexes::table.find(&row.index_id))
            .set((
                indexes::status.eq(IndexStatus::Syncing.as_str()),
                indexes::status_reason.eq(None::<String>),
            ))
            .execute(conn)?;
    }
    get(conn, run)
}

/// Counters of a run as columns; a macro, since the type of such a tuple is better not spelled out.
macro_rules! numbers {
    ($counts:expr, $requests:expr) => {
        (
            sync_runs::seen.eq($counts.seen),
            sync_runs::fetched.eq($counts.fetched),
            sync_runs::uploaded.eq($counts.uploaded),
            sync_runs::searchable.eq($counts.searchable),
            sync_runs::deleted.eq($counts.deleted),
            sync_runs::unchanged.eq($counts.unchanged),
            sync_runs::skipped.eq($counts.skipped),
            sync_runs::failed.eq($counts.failed),
            sync_runs::requests_confluence.eq($requests.confluence),
            sync_runs::requests_store.eq($requests.store),
        )
    };
}

/// Writes the numbers of an open run; one that is over is answered as it stands.
pub(crate) fn touch(
    conn: &mut Conn,
    run: RunId,
    counts: &Counts,
    requests: &Requests,
    eta_seconds: Option<i64>,
    now: Timestamp,
) -> Done<Run> {
    diesel::update(sync_runs::table.find(run.to_string()))
        .filter(sync_runs::status.eq_any(OPEN))
        .set((
            numbers!(counts, requests),
            sync_runs::eta_seconds.eq(eta_seconds),
            sync_runs::heartbeat_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    get(conn, run)
}

pub(crate) fn finish(conn: &mut Conn, run: RunId, end: &RunEnd, now: Timestamp) -> Done<Run> {
    let row = row(conn, run)?;
    may_become(&row, end.status)?;
    if end.status.is_open() {
        return Err(conflict(format!("a run cannot end as {}", end.status.as_str())).into());
    }
    diesel::update(sync_runs::table.find(&row.id))
        .set((
            sync_runs::status.eq(end.status.as_str()),
            numbers!(end.counts, end.requests),
            sync_runs::finished_at.eq(db_time(now)),
            sync_runs::heartbeat_at.eq(db_time(now)),
            sync_runs::eta_seconds.eq(None::<i64>),
            sync_runs::follow_up.eq(None::<String>),
            sync_runs::error.eq(end.error.as_ref().map(to_json)),
            sync_runs::plan.eq(end.plan.as_ref().map(to_json)),
        ))
        .execute(conn)?;

    let index = index_ops::row(conn, parse_index(&row)?)?;
    // Settings may have changed under the run: an index that was switched off stays so.
    let status = match end.index_status {
        IndexStatus::Ok | IndexStatus::New if !index.enabled => IndexStatus::Disabled,
        status => status,
    };
    let next_run_at = end.next_run_at.filter(|_| index.enabled);
    diesel::update(indexes::table.find(&index.id))
        .set((
            indexes::status.eq(status.as_str()),
            indexes::status_reason.eq(&end.index_reason),
            indexes::next_run_at.eq(opt_db_time(next_run_at)),
        ))
        .execute(conn)?;
    if let Some(progress) = &end.progress {
        let change = keep_newer_answer(ProgressChange::new(progress), &row, &index);
        diesel::update(indexes::table.find(&index.id))
            .set(change)
            .execute(conn)?;
    }
    if let Some(at) = get(conn, run)?.synced_at(now) {
        // Answers say the very moment that the run says.
        diesel::update(indexes::table.find(&index.id))
            .set(indexes::synced_at.eq(db_time(at)))
            .execute(conn)?;
    }
    if let Some(kind) = row.follow_up()?.or(end.then) {
        follow(conn, &row, kind, None, now)?;
    }
    let run = get(conn, run)?;
    if end.notify {
        notices::put_news(conn, &run, &index, now)?;
    }
    Ok(run)
}

/// Records the run that takes over from one that is over, and names it there.
fn follow(
    conn: &mut Conn,
    over: &RunRow,
    kind: RunKind,
    follow_up: Option<RunKind>,
    now: Timestamp,
) -> Done<()> {
    let mut next = RunRow::pending(next_id(conn)?, parse_index(over)?, kind, false, now);
    next.follow_up = follow_up.map(|kind| kind.as_str().to_owned());
    diesel::insert_into(sync_runs::table)
        .values(&next)
        .execute(conn)?;
    diesel::update(sync_runs::table.find(&over.id))
        .set(sync_runs::follow_up_run_id.eq(&next.id))
        .execute(conn)?;
    Ok(())
}

/// The run read the guard's answer when it began. An answer given since then is not overwritten, unless this very run
/// asks anew.
fn keep_newer_answer(mut change: ProgressChange, run: &RunRow, index: &IndexRow) -> ProgressChange {
    let answered_since = match (index.guard_answered_at, run.started_at) {
        (Some(answered), Some(started)) => answered > started,
        _ => false,
    };
    if answered_since && change.awaiting_confirmation.as_deref() != Some(run.id.as_str()) {
        change
            .awaiting_confirmation
            .clone_from(&index.awaiting_confirmation);
        change.deletions_accepted = index.deletions_accepted;
        change.deletions_refused = index.deletions_refused;
        change.guarded_pages.clone_from(&index.guarded_pages);
    }
    change
}

fn parse_index(row: &RunRow) -> Done<IndexId> {
    crate::convert::id("sync_runs.index_id", &row.index_id)
}

/// Ends every run that was begun as interrupted, frees its index from `syncing`, and records what goes on in its place.
pub(crate) fn interrupt_open(conn: &mut Conn, now: Timestamp) -> Done<Vec<Run>> {
    let begun = [RunStatus::Running.as_str(), RunStatus::Canceling.as_str()];
    let open: Vec<RunRow> = sync_runs::table
        .filter(sync_runs::status.eq_any(begun))
        .order(sync_runs::id)
        .select(RunRow::as_select())
        .load(conn)?;
    let problem = to_json(&Problem::new(
        "run_stopped",
        "The process ended during this run; the next one goes on from what was recorded.",
    ));
    open.into_iter()
        .map(|row| {
            diesel::update(sync_runs::table.find(&row.id))
                .set((
                    sync_runs::status.eq(RunStatus::Interrupted.as_str()),
                    sync_runs::finished_at.eq(db_time(now)),
                    sync_runs::eta_seconds.eq(None::<i64>),
                    sync_runs::follow_up.eq(None::<String>),
                    sync_runs::error.eq(&problem),
                ))
                .execute(conn)?;
            free_index(conn, &row, now)?;
            let ordered = row.follow_up()?;
            if row.dry_run || row.status()? == RunStatus::Canceling {
                if let Some(kind) = ordered {
                    follow(conn, &row, kind, None, now)?;
                }
            } else {
                let run: Run = row.clone().try_into()?;
                let kind = run.kind.resumed_as();
                let still_asked = ordered.filter(|ordered| ordered.reach() > kind.reach());
                follow(conn, &row, kind, still_asked, now)?;
            }
            get(conn, crate::convert::id("sync_runs.id", &row.id)?)
        })
        .collect()
}

fn free_index(conn: &mut Conn, run: &RunRow, now: Timestamp) -> Done<()> {
    let index = index_ops::row(conn, parse_index(run)?)?;
    let next_run_at = if run.dry_run {
        // Nothing of the index is left undone.
        index.next_run_at
    } else {
        index.enabled.then(|| db_time(now))
    };
    let (status, reason) = if index.status()? != IndexStatus::Syncing {
        (index.status()?, index.status_reason)
    } else if !index.enabled {
        (IndexStatus::Disabled, None)
    } else if index.synced_at.is_none() {
        (IndexStatus::New, None)
    } else {
        let reason = "The process ended during the last run; the next one goes on.".to_owned();
        (IndexStatus::Degraded, Some(reason))
    };
    diesel::update(indexes::table.find(&index.id))
        .set((
            indexes::status.eq(status.as_str()),
            indexes::status_reason.eq(reason),
            indexes::next_run_at.eq(next_run_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// Asks an open run to stop; asking twice is asking once.
pub(crate) fn request_cancel(conn: &mut Conn, run: RunId) -> Done<Run> {
    let row = row(conn, run)?;
    if row.status()? != RunStatus::Canceling {
        may_become(&row, RunStatus::Canceling)?;
        diesel::update(sync_runs::table.find(&row.id))
            .set(sync_runs::status.eq(RunStatus::Canceling.as_str()))
            .execute(conn)?;
    }
    get(conn, run)
}

/// Runs, newest first: their ids sort by the time of their making.
pub(crate) fn list(conn: &mut Conn, filter: &RunFilter) -> Done<Listed<Run>> {
    let limit = limit(filter.limit);
    let mut query = sync_runs::table
        .order(sync_runs::id.desc())
        .select(RunRow::as_select())
        .limit(rows(limit + 1))
        .into_boxed();
    if let Some(indexes) = &filter.indexes {
        let ids: Vec<String> = indexes.iter().map(ToString::to_string).collect();
        query = query.filter(sync_runs::index_id.eq_any(ids));
    }
    if let Some(status) = filter.status {
        query = query.filter(sync_runs::status.eq(status.as_str()));
    }
    if let Some(after) = &filter.cursor {
        let [id] = cursor::decode("runs", after)?;
        query = query.filter(sync_runs::id.lt(id));
    }
    let mut found: Vec<RunRow> = query.load(conn)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|last| cursor::encode("runs", [&last.id]));
    let items = found
        .into_iter()
        .map(TryInto::try_into)
        .collect::<Done<_>>()?;
    Ok(Listed { items, next_cursor })
}
