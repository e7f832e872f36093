//! An index on its way to another store object: what that object is asked to hold, and the moment when it takes over.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::index::{BackendKind, Remote};
use domain::moving::{MoveCounts, MoveRow, MoveState, is_another};
use domain::ports::store::{MoveBegun, OutboxEntry, OutboxOp, OutboxOutcome};
use domain::run::RunStatus;
use domain::{IndexId, PageId, Timestamp};

use super::outbox::{ACCEPTED, WAITING};
use super::{indexes as index_ops, tombstones};
use crate::convert::{db_time, opt_time, rows as count};
use crate::dialect::{self, Conn, IDS};
use crate::error::{Done, conflict};
use crate::rows::{MovedRow, RemoteJson, op_word};
use crate::schema::{indexes, move_rows, sync_runs};

/// Records that an index is to move; see [`domain::ports::store::SyncStore::begin_move`].
pub(crate) fn begin(
    conn: &mut Conn,
    index: IndexId,
    backend: BackendKind,
    now: Timestamp,
) -> Done<MoveBegun> {
    let row = index_ops::row(conn, index)?;
    if let Some((to, _)) = row.moving_to()? {
        if to == backend {
            return Ok(MoveBegun::Recorded);
        }
        abandon(conn, index, now)?;
    }
    let open: i64 = sync_runs::table
        .filter(sync_runs::index_id.eq(&row.id))
        .filter(sync_runs::status.eq_any([
            RunStatus::Pending.as_str(),
            RunStatus::Running.as_str(),
            RunStatus::Canceling.as_str(),
        ]))
        .count()
        .get_result(conn)?;
    let target = indexes::table.find(&row.id);
    // A run under way may be making the store object at this moment.
    if row.remote.is_none() && open == 0 {
        diesel::update(target)
            .set((
                indexes::backend.eq(backend.as_str()),
                indexes::updated_at.eq(db_time(now)),
            ))
            .execute(conn)?;
        return Ok(MoveBegun::AtOnce);
    }
    diesel::update(target)
        .set((
            indexes::moving_to.eq(backend.as_str()),
            indexes::moving_remote.eq(None::<String>),
            indexes::moving_since.eq(db_time(now)),
            indexes::updated_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    Ok(MoveBegun::Recorded)
}

pub(crate) fn abandon(conn: &mut Conn, index: IndexId, now: Timestamp) -> Done<()> {
    let row = index_ops::row(conn, index)?;
    if let Some((backend, Some(remote))) = row.moving_to()? {
        let serving = row.remote()?;
        let own_backend = row.backend()?;
        let other = serving
            .as_ref()
            .is_none_or(|serving| is_another((own_backend, serving), (backend, &remote)));
        if other {
            tombstones::put(conn, &row, backend, &remote, now)?;
        }
    }
    forget(conn, &row.id)
}

/// No move is under way any more.
fn forget(conn: &mut Conn, index: &str) -> Done<()> {
    diesel::delete(move_rows::table.filter(move_rows::index_id.eq(index))).execute(conn)?;
    diesel::update(indexes::table.find(index))
        .set((
            indexes::moving_to.eq(None::<String>),
            indexes::moving_remote.eq(None::<String>),
            indexes::moving_since.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn set_remote(
    conn: &mut Conn,
    index: IndexId,
    backend: BackendKind,
    remote: &Remote,
) -> Done<()> {
    let row = index_ops::row(conn, index)?;
    let known = match row.moving_to()? {
        Some((to, known)) if to == backend => known,
        _ => {
            return Err(conflict(format!(
                "no move of index {index} to {backend} is under way"
            ))
            .into());
        }
    };
    let same = known
        .as_ref()
        .is_some_and(|known| !is_another((backend, known), (backend, remote)));
    if !same {
        diesel::delete(move_rows::table.filter(move_rows::index_id.eq(&row.id))).execute(conn)?;
    }
    tombstones::forget(conn, &row.id, backend, remote)?;
    diesel::update(indexes::table.find(&row.id))
        .set(indexes::moving_remote.eq(RemoteJson::write(remote)))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn rows(conn: &mut Conn, index: IndexId, ids: &[PageId]) -> Done<Vec<MoveRow>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let part: Vec<MovedRow> = move_rows::table
            .filter(move_rows::index_id.eq(index.to_string()))
            .filter(move_rows::page_id.eq_any(ids.iter().map(PageId::as_str)))
            .select(MovedRow::as_select())
            .load(conn)?;
        for row in part {
            found.push(row.try_into()?);
        }
    }
    Ok(found)
}

pub(crate) fn stage(conn: &mut Conn, entries: &[OutboxEntry]) -> Done<()> {
    let rows: Vec<MovedRow> = entries.iter().map(MovedRow::waiting).collect();
    dialect::put_moves(conn, &rows)
}

pub(crate) fn due(
    conn: &mut Conn,
    index: IndexId,
    now: Timestamp,
    limit: usize,
) -> Done<Vec<OutboxEntry>> {
    let found: Vec<MovedRow> = move_rows::table
        .filter(move_rows::index_id.eq(index.to_string()))
        .filter(move_rows::state.eq(WAITING))
        .filter(move_rows::next_attempt_at.le(db_time(now)))
        .order((move_rows::next_attempt_at, move_rows::page_id))
        .limit(count(limit))
        .select(MovedRow::as_select())
        .load(conn)?;
    found.iter().map(MovedRow::entry).collect()
}

pub(crate) fn accepted(conn: &mut Conn, index: IndexId, limit: usize) -> Done<Vec<OutboxEntry>> {
    let found: Vec<MovedRow> = move_rows::table
        .filter(move_rows::index_id.eq(index.to_string()))
        .filter(move_rows::state.eq(ACCEPTED))
        .order((move_rows::next_attempt_at, move_rows::page_id))
        .limit(count(limit))
        .select(MovedRow::as_select())
        .load(conn)?;
    found.iter().map(MovedRow::entry).collect()
}

pub(crate) fn next_due(conn: &mut Conn, index: IndexId) -> Done<Option<Timestamp>> {
    let next = move_rows::table
        .filter(move_rows::index_id.eq(index.to_string()))
        .filter(move_rows::state.eq(WAITING))
        .select(diesel::dsl::min(move_rows::next_attempt_at))
        .first(conn)?;
    Ok(opt_time(next))
}

/// Each only where the row still asks for the same thing.
pub(crate) fn settle(
    conn: &mut Conn,
    outcomes: &[(OutboxEntry, OutboxOutcome)],
    now: Timestamp,
) -> Done<()> {
    for (entry, outcome) in outcomes {
        let index = entry.index_id.to_string();
        let row = move_rows::table
            .find((&index, entry.page_id.as_str()))
            .filter(move_rows::op.eq(op_word(entry.op)))
            .filter(move_rows::hash.eq(&entry.hash))
            .filter(move_rows::state.eq_any([WAITING, ACCEPTED]));
        match (outcome, entry.op) {
            (OutboxOutcome::Settled, OutboxOp::Delete) => {
                // What was asked for before was deleted, too.
                diesel::delete(row).execute(conn)?;
            }
            (OutboxOutcome::Settled, OutboxOp::Upsert) => {
                diesel::update(row)
                    .set((
                        move_rows::state.eq(MoveState::Searchable.as_str()),
                        move_rows::last_error.eq(None::<String>),
                    ))
                    .execute(conn)?;
            }
            (OutboxOutcome::Accepted, _) => {
                diesel::update(row)
                    .set((
                        move_rows::state.eq(ACCEPTED),
                        move_rows::accepted_at.eq(db_time(now)),
                    ))
                    .execute(conn)?;
            }
            (OutboxOutcome::Retry { reason, at }, _) => {
                diesel::update(row)
                    .set((
                        move_rows::state.eq(WAITING),
                        move_rows::accepted_at.eq(None::<NaiveDateTime>),
                        move_rows::next_attempt_at.eq(db_time(*at)),
                        move_rows::last_error.eq(reason),
                    ))
                    .execute(conn)?;
            }
            (OutboxOutcome::Failed { reason, .. }, _) => {
                diesel::update(row)
                    .set((
                        move_rows::state.eq(MoveState::Failed.as_str()),
                        move_rows::attempts.eq(move_rows::attempts + 1),
                        move_rows::refusals.eq(move_rows::refusals + 1),
                        move_rows::last_error.eq(reason),
                    ))
                    .execute(conn)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn counts(conn: &mut Conn, index: &str) -> Done<MoveCounts> {
    let found: Vec<(String, i32, i64)> = move_rows::table
        .filter(move_rows::index_id.eq(index))
        .filter(move_rows::op.eq(op_word(OutboxOp::Upsert)))
        .group_by((move_rows::state, move_rows::refusals))
        .select((
            move_rows::state,
            move_rows::refusals,
            diesel::dsl::count_star(),
        ))
        .load(conn)?;
    let mut counts = MoveCounts::default();
    for (state, refusals, number) in found {
        counts.documents += number;
        match MoveState::parse(&state) {
            Some(MoveState::Searchable) => counts.searchable += number,
            Some(MoveState::Failed) if refusals < 2 => counts.failed += number,
            Some(MoveState::Failed) => counts.failed_again += number,
            _ => {}
        }
    }
    Ok(counts)
}

pub(crate) fn complete(
    conn: &mut Conn,
    index: IndexId,
    backend: BackendKind,
    remote: &Remote,
    now: Timestamp,
) -> Done<()> {
    let row = index_ops::row(conn, index)?;
    let under_way = matches!(row.moving_to()?, Some((to, Some(known)))
        if !is_another((to, &known), (backend, remote)));
    if !under_way {
        return Err(conflict(format!(
            "the move of index {index} to {} in {backend} was given up",
            remote.name
        ))
        .into());
    }
    dialect::take_over_pages(conn, &row.id, db_time(now))?;
    if let Some(old) = row.remote()?
        && is_another((row.backend()?, &old), (backend, remote))
    {
        tombstones::put(conn, &row, row.backend()?, &old, now)?;
    }
    tombstones::forget(conn, &row.id, backend, remote)?;
    diesel::update(indexes::table.find(&row.id))
        .set((
            indexes::backend.eq(backend.as_str()),
            indexes::remote.eq(RemoteJson::write(remote)),
            indexes::updated_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    forget(conn, &row.id)
}
