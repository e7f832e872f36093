//! Who did what.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::Timestamp;
use domain::access::Email;
use domain::audit::{Entry, EntryFilter, EntryKind, EntryOutcome, NewEntry};
use domain::ports::store::Listed;

use crate::convert::{db_time, from_json, id, limit, rows, time, to_json, word};
use crate::cursor;
use crate::dialect::{Conn, on_either};
use crate::error::Done;
use crate::schema::audit;

/// The name of the list in its cursors.
const LIST: &str = "audit";
/// Entries that one statement keeps.
const BATCH: usize = 100;

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct Row {
    id: i64,
    at: NaiveDateTime,
    kind: String,
    actor: String,
    token_id: Option<String>,
    address: Option<String>,
    person: Option<String>,
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
            kind: word("audit.kind", &self.kind, EntryKind::parse)?,
            actor: self.actor,
            token_id: self
                .token_id
                .map(|text| id("audit.token_id", &text))
                .transpose()?,
            address: self.address,
            person: self.person,
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

#[derive(Insertable)]
#[diesel(table_name = audit, treat_none_as_default_value = false)]
struct NewRow<'a> {
    at: NaiveDateTime,
    kind: &'a str,
    actor: &'a str,
    token_id: Option<String>,
    address: Option<&'a str>,
    person: Option<&'a str>,
    action: &'a str,
    outcome: &'a str,
    index_id: Option<String>,
    subject: Option<&'a str>,
    detail: Option<String>,
}

/// Keeps entries, each with its time.
pub(crate) fn note(conn: &mut Conn, entries: &[(Timestamp, NewEntry)]) -> Done<()> {
    for batch in entries.chunks(BATCH) {
        let rows = batch.iter().map(|(at, new)| NewRow {
            at: db_time(*at),
            kind: new.kind.as_str(),
            actor: &new.actor,
            token_id: new.token.map(|id| id.to_string()),
            address: new.address.as_deref(),
            person: new.person.as_ref().map(Email::as_str),
            action: &new.action,
            outcome: new.outcome.as_str(),
            index_id: new.index.map(|id| id.to_string()),
            subject: new.subject.as_deref(),
            detail: new.detail.as_ref().map(to_json),
        });
        on_either!(conn => diesel::insert_into(audit::table).values(rows.collect::<Vec<_>>()).execute(conn))?;
    }
    Ok(())
}

pub(crate) fn list(conn: &mut Conn, filter: &EntryFilter) -> Done<Listed<Entry>> {
    let limit = limit(filter.limit);
    let mut query = audit::table
        .order(audit::id.desc())
        .select(Row::as_select())
        .limit(rows(limit + 1))
        .into_boxed();
    if let Some(kind) = filter.kind {
        query = query.filter(audit::kind.eq(kind.as_str()));
    }
    if let Some(person) = &filter.person {
        query = query.filter(audit::person.eq(person.as_str()));
    }
    if let Some(index) = filter.index {
        let index = index.to_string();
        // A question that several indexes answered names them beside its pages.
        let among_several = audit::index_id
            .is_null()
            .and(audit::kind.eq(EntryKind::Question.as_str()))
            .and(audit::detail.like(format!("%\"{index}\"%")));
        query = query.filter(audit::index_id.eq(index).or(among_several));
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
