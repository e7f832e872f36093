//! What a clock that was ahead has left behind.

use diesel::prelude::*;
use domain::Timestamp;

use super::runs;
use crate::convert::{db_time, opt_db_time};
use crate::dialect::Conn;
use crate::error::Done;
use crate::schema::{comments, holdings, indexes, notices, store_objects, synced_pages};

/// No row waits longer than this.
const LONGEST_WAIT: chrono::TimeDelta = chrono::TimeDelta::hours(24);

/// Takes moments that lie further ahead than anything waits as now, and so those in the past that lie ahead. How current answers
/// are is what the newest run says that did not end ahead of now.
pub(crate) fn reset_future_dates(conn: &mut Conn, now: Timestamp) -> Done<usize> {
    let (too_far, present) = (db_time(now + LONGEST_WAIT), db_time(now));
    let mut rows = diesel::update(holdings::table.filter(holdings::next_try_at.gt(too_far)))
        .set(holdings::next_try_at.eq(present))
        .execute(conn)?;
    let objects = store_objects::table.filter(store_objects::next_try_at.gt(too_far));
    rows += diesel::update(objects)
        .set(store_objects::next_try_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(synced_pages::table.filter(synced_pages::next_try_at.gt(too_far)))
        .set(synced_pages::next_try_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(notices::table.filter(notices::next_try_at.gt(too_far)))
        .set(notices::next_try_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(synced_pages::table.filter(synced_pages::vanished_at.gt(present)))
        .set(synced_pages::vanished_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(comments::table.filter(comments::absent_since.gt(present)))
        .set(comments::absent_since.eq(present))
        .execute(conn)?;
    rows += diesel::update(holdings::table.filter(holdings::failed_at.gt(present)))
        .set(holdings::failed_at.eq(None::<chrono::NaiveDateTime>))
        .execute(conn)?;
    rows += diesel::update(holdings::table.filter(holdings::accepted_at.gt(present)))
        .set(holdings::accepted_at.eq(present))
        .execute(conn)?;
    rows += diesel::update(indexes::table.filter(indexes::guard_answered_at.gt(present)))
        .set(indexes::guard_answered_at.eq(present))
        .execute(conn)?;
    let ahead: Vec<String> = indexes::table
        .filter(indexes::synced_at.gt(present))
        .select(indexes::id)
        .load(conn)?;
    for index in &ahead {
        let truthful = runs::synced_at(conn, index, now)?;
        rows += diesel::update(indexes::table.find(index))
            .set(indexes::synced_at.eq(opt_db_time(truthful)))
            .execute(conn)?;
    }
    Ok(rows)
}
