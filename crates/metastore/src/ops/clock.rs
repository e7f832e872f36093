//! What a clock that was ahead has left behind.

use diesel::prelude::*;
use domain::Timestamp;

use crate::convert::db_time;
use crate::dialect::Conn;
use crate::error::Done;
use crate::schema::{comments, move_rows, outbox, synced_pages, tombstones};

/// No row waits longer than this.
const LONGEST_WAIT: chrono::TimeDelta = chrono::TimeDelta::hours(24);

/// Takes moments that lie further ahead than anything waits as now, and so those in the past that lie ahead.
pub(crate) fn bring_forward(conn: &mut Conn, now: Timestamp) -> Done<usize> {
    let (too_far, present) = (db_time(now + LONGEST_WAIT), db_time(now));
    let mut rows = diesel::update(outbox::table.filter(outbox::next_attempt_at.gt(too_far)))
        .set(outbox::next_attempt_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(move_rows::table.filter(move_rows::next_attempt_at.gt(too_far)))
        .set(move_rows::next_attempt_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(tombstones::table.filter(tombstones::next_attempt_at.gt(too_far)))
        .set(tombstones::next_attempt_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(synced_pages::table.filter(synced_pages::next_try_at.gt(too_far)))
        .set(synced_pages::next_try_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(synced_pages::table.filter(synced_pages::vanished_at.gt(present)))
        .set(synced_pages::vanished_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(comments::table.filter(comments::absent_since.gt(present)))
        .set(comments::absent_since.eq(present))
        .execute(conn)?;
    rows += diesel::update(outbox::table.filter(outbox::accepted_at.gt(present)))
        .set(outbox::accepted_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(move_rows::table.filter(move_rows::accepted_at.gt(present)))
        .set(move_rows::accepted_at.eq(present))
        .execute(conn)?;
    Ok(rows)
}
