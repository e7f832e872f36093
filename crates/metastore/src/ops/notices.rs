//! What the operator's webhook is told, until it is delivered.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::notice::{Delivery, Notice, after};
use domain::run::Run;
use domain::{RunId, Timestamp};

use crate::convert::{db_time, from_json, id, opt_time, rows, time, to_json};
use crate::dialect::{self, Conn};
use crate::error::Done;
use crate::rows::IndexRow;
use crate::schema::{notices, told};

/// A run ended: what is news of that is to be told.
pub(crate) fn put_news(conn: &mut Conn, run: &Run, index: &IndexRow, now: Timestamp) -> Done<()> {
    let before: Option<String> = told::table
        .find(&index.id)
        .select(told::state)
        .first(conn)
        .optional()?;
    let after = after(before.as_deref(), run);
    if after.is_news {
        put(conn, run, index, now)?;
    }
    match after.told {
        told if told == before => {}
        Some(state) => dialect::put_told(conn, &index.id, &state)?,
        None => {
            diesel::delete(told::table.find(&index.id)).execute(conn)?;
        }
    }
    Ok(())
}

fn put(conn: &mut Conn, run: &Run, index: &IndexRow, now: Timestamp) -> Done<()> {
    diesel::insert_into(notices::table)
        .values((
            notices::run_id.eq(run.id.to_string()),
            notices::run.eq(to_json(run)),
            notices::index_name.eq(&index.name),
            notices::agent_id.eq(&index.agent_id),
            notices::at.eq(db_time(now)),
            notices::attempts.eq(0),
            notices::next_try_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn due(conn: &mut Conn, now: Timestamp, limit: usize) -> Done<Vec<Notice>> {
    let found: Vec<(String, String, String, NaiveDateTime, i32)> = notices::table
        .filter(notices::next_try_at.le(db_time(now)))
        .order((notices::next_try_at, notices::run_id))
        .select((
            notices::run,
            notices::index_name,
            notices::agent_id,
            notices::at,
            notices::attempts,
        ))
        .limit(rows(limit))
        .load(conn)?;
    found
        .into_iter()
        .map(|(run, index_name, agent, at, attempts)| {
            Ok(Notice {
                run: from_json("notices.run", &run)?,
                index_name,
                agent_id: id("notices.agent_id", &agent)?,
                at: time(at),
                attempts,
            })
        })
        .collect()
}

pub(crate) fn next(conn: &mut Conn) -> Done<Option<Timestamp>> {
    let next: Option<NaiveDateTime> = notices::table
        .filter(notices::next_try_at.is_not_null())
        .select(diesel::dsl::min(notices::next_try_at))
        .first(conn)?;
    Ok(opt_time(next))
}

pub(crate) fn settle(conn: &mut Conn, run: RunId, delivery: &Delivery, now: Timestamp) -> Done<()> {
    let row = notices::table.find(run.to_string());
    match delivery {
        Delivery::Delivered => diesel::update(row)
            .set((
                notices::delivered_at.eq(db_time(now)),
                notices::next_try_at.eq(None::<NaiveDateTime>),
            ))
            .execute(conn)?,
        Delivery::Failed { reason, again } => diesel::update(row)
            .set((
                notices::attempts.eq(notices::attempts + 1),
                notices::last_error.eq(reason),
                notices::next_try_at.eq(again.map(db_time)),
            ))
            .execute(conn)?,
    };
    Ok(())
}
