//! Who did what.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::Timestamp;
use domain::audit::{Entry, EntryFilter, EntryOutcome, NewEntry};
use domain::ports::store::Listed;

use crate::convert::{db_time, from_json, id, limit, rows, time, to_json, word};
use crate::cursor;
use crate::dialect::Conn;
use crate::error::Done;
use crate::schema::audit;

/// The name of the list in its cursors.
const LIST: &str = "audit";

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct Row {
    id: i64,
    at: NaiveDateTime,
    actor: String,
    token_id: Option<String>,
    address: Option<String>,
    action: String,
    outcome: String,
    index_id: Option<String>,
    subject: Option<String>,
    detail: Option<String>,
}

impl Row {
    fn entry(self) -> Done<Entry> {
        Ok(Entry {
            id: self.id,
            at: time(self.at),
            actor: self.actor,
            token_id: self
                .token_id
                .map(|text| id("audit.token_id", &text))
                .transpose()?,
            address: self.address,
            action: self.action,
            outcome: word("audit.outcome", &self.outcome, EntryOutcome::parse)?,
            index_id: self
                .index_id
                .map(|text| id("audit.index_id", &text))
                .transpose()?,
            subject: self.subject,
            detail: self
                .detail
                .map(|text| from_json("audit.detail", &text))
                .transpose()?,
        })
    }
}

pub(crate) fn note(conn: &mut Conn, new: &NewEntry, now: Timestamp) -> Done<()> {
    diesel::insert_into(audit::table)
        .values((
            audit::at.eq(db_time(now)),
            audit::actor.eq(&new.actor),
            audit::token_id.eq(new.token.map(|id| id.to_string())),
            audit::address.eq(&new.address),
            audit::action.eq(&new.action),
            audit::outcome.eq(new.outcome.as_str()),
            audit::index_id.eq(new.index.map(|id| id.to_string())),
            audit::subject.eq(&new.subject),
            audit::detail.eq(new.detail.as_ref().map(to_json)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn list(conn: &mut Conn, filter: &EntryFilter) -> Done<Listed<Entry>> {
    let limit = limit(filter.limit);
    let mut query = audit::table
        .order(audit::id.desc())
        .select(Row::as_select())
        .limit(rows(limit + 1))
        .into_boxed();
    if let Some(index) = filter.index {
        query = query.filter(audit::index_id.eq(index.to_string()));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit::action.eq(action));
    }
    if let Some(since) = filter.since {
        query = query.filter(audit::at.ge(db_time(since)));
    }
    if let Some(before) = &filter.cursor {
        let [number] = cursor::decode(LIST, before)?;
        query = query.filter(audit::id.lt(number.parse::<i64>().unwrap_or_default()));
    }
    let mut found: Vec<Row> = query.load(conn)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|last| cursor::encode(LIST, [&last.id.to_string()]));
    Ok(Listed {
        items: found.into_iter().map(Row::entry).collect::<Done<_>>()?,
        next_cursor,
    })
}
