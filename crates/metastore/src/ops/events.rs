//! Events: numbered by the database, never twice the same number.

use diesel::prelude::*;
use domain::event::{Event, EventKind, NewEvent};
use domain::{IndexId, Timestamp};

use super::history;
use crate::convert::{db_time, from_json, id, rows, time, word};
use crate::dialect::Conn;
use crate::error::Done;
use crate::schema::events;

pub(crate) fn append(conn: &mut Conn, event: NewEvent, now: Timestamp) -> Done<Event> {
    history::note_failed(conn, &event)?;
    let seq = diesel::insert_into(events::table)
        .values((
            events::at.eq(db_time(now)),
            events::kind.eq(event.kind.as_str()),
            events::index_id.eq(event.index_id.to_string()),
            events::run_id.eq(event.run_id.map(|run| run.to_string())),
            events::data.eq(event.data.to_string()),
        ))
        .returning(events::seq)
        .get_result(conn)?;
    Ok(Event {
        seq,
        at: now,
        event,
    })
}

#[derive(Queryable)]
struct Row {
    seq: i64,
    at: chrono::NaiveDateTime,
    kind: String,
    index_id: String,
    run_id: Option<String>,
    data: String,
}

impl TryFrom<Row> for Event {
    type Error = crate::error::Fault;
    fn try_from(row: Row) -> Done<Self> {
        Ok(Self {
            seq: row.seq,
            at: time(row.at),
            event: NewEvent {
                kind: word("events.kind", &row.kind, EventKind::parse)?,
                index_id: id("events.index_id", &row.index_id)?,
                run_id: row
                    .run_id
                    .map(|run| id("events.run_id", &run))
                    .transpose()?,
                data: from_json("events.data", &row.data)?,
            },
        })
    }
}

pub(crate) fn after(
    conn: &mut Conn,
    seq: i64,
    index: Option<IndexId>,
    limit: usize,
) -> Done<Vec<Event>> {
    let mut query = events::table
        .filter(events::seq.gt(seq))
        .order(events::seq)
        .limit(rows(limit))
        .into_boxed();
    if let Some(index) = index {
        query = query.filter(events::index_id.eq(index.to_string()));
    }
    let found: Vec<Row> = query.load(conn)?;
    found.into_iter().map(TryInto::try_into).collect()
}

pub(crate) fn range(conn: &mut Conn) -> Done<(i64, i64)> {
    // Two statements: the database answers each from an end of the table.
    let first: Option<i64> = events::table
        .select(diesel::dsl::min(events::seq))
        .first(conn)?;
    let last: Option<i64> = events::table
        .select(diesel::dsl::max(events::seq))
        .first(conn)?;
    Ok((first.unwrap_or(0), last.unwrap_or(0)))
}
