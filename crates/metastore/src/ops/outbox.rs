//! The outbox: what is to be sent, and what waits for confirmation.

use diesel::prelude::*;
use domain::ports::store::{OutboxCounts, OutboxEntry, OutboxOp, StuckRemovals};
use domain::{IndexId, Timestamp};

use crate::convert::{db_time, opt_time, rows, time};
use crate::dialect::Conn;
use crate::error::Done;
use crate::rows::{OutboxRow, op_word};
use crate::schema::outbox;

pub(super) const WAITING: &str = "waiting";
pub(super) const ACCEPTED: &str = "accepted";

/// Rows to send now, those first that are due the longest.
pub(crate) fn due(
    conn: &mut Conn,
    index: IndexId,
    now: Timestamp,
    limit: usize,
) -> Done<Vec<OutboxEntry>> {
    let found: Vec<OutboxRow> = outbox::table
        .filter(outbox::index_id.eq(index.to_string()))
        .filter(outbox::state.eq(WAITING))
        .filter(outbox::next_attempt_at.le(db_time(now)))
        .order((outbox::next_attempt_at, outbox::page_id))
        .limit(rows(limit))
        .select(OutboxRow::as_select())
        .load(conn)?;
    found.into_iter().map(TryInto::try_into).collect()
}

pub(crate) fn accepted(conn: &mut Conn, index: IndexId, limit: usize) -> Done<Vec<OutboxEntry>> {
    let found: Vec<OutboxRow> = outbox::table
        .filter(outbox::index_id.eq(index.to_string()))
        .filter(outbox::state.eq(ACCEPTED))
        .order((outbox::next_attempt_at, outbox::page_id))
        .limit(rows(limit))
        .select(OutboxRow::as_select())
        .load(conn)?;
    found.into_iter().map(TryInto::try_into).collect()
}

pub(crate) fn counts(conn: &mut Conn, index: IndexId) -> Done<OutboxCounts> {
    let found: Vec<(String, i64, Option<chrono::NaiveDateTime>)> = outbox::table
        .filter(outbox::index_id.eq(index.to_string()))
        .group_by(outbox::state)
        .select((
            outbox::state,
            diesel::dsl::count_star(),
            diesel::dsl::min(outbox::created_at),
        ))
        .load(conn)?;
    let of = |state: &str| {
        found
            .iter()
            .find(|row| row.0 == state)
            .map_or(0, |row| row.1)
    };
    let oldest = found.iter().filter_map(|row| row.2).min();
    Ok(OutboxCounts {
        waiting: of(WAITING),
        accepted: of(ACCEPTED),
        oldest: oldest.map_or(0, |at| time(at).timestamp()),
    })
}

pub(crate) fn stuck_removals(conn: &mut Conn, index: IndexId) -> Done<Option<StuckRemovals>> {
    let stuck = || {
        outbox::table
            .filter(outbox::index_id.eq(index.to_string()))
            .filter(outbox::state.eq(WAITING))
            .filter(outbox::op.eq(op_word(OutboxOp::Delete)))
            .filter(outbox::last_error.is_not_null())
    };
    let documents: i64 = stuck().count().get_result(conn)?;
    if documents == 0 {
        return Ok(None);
    }
    let last_error: Option<String> = stuck()
        .order((outbox::attempts.desc(), outbox::page_id))
        .select(outbox::last_error)
        .first(conn)?;
    Ok(Some(StuckRemovals {
        documents,
        last_error: last_error.unwrap_or_default(),
    }))
}

pub(crate) fn next_due(conn: &mut Conn, index: IndexId) -> Done<Option<Timestamp>> {
    let next = outbox::table
        .filter(outbox::index_id.eq(index.to_string()))
        .filter(outbox::state.eq(WAITING))
        .select(diesel::dsl::min(outbox::next_attempt_at))
        .first(conn)?;
    Ok(opt_time(next))
}
