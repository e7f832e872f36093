//! The outbox: what is to be sent, and what becomes of the page when it was.

use diesel::prelude::*;
use domain::page::PageState;
use domain::ports::store::{OutboxCounts, OutboxEntry, OutboxOp, OutboxOutcome};
use domain::{IndexId, Timestamp};

use crate::convert::{db_time, opt_time, rows, time, word};
use crate::dialect::Conn;
use crate::error::Done;
use crate::rows::{OutboxRow, is_document, op_word};
use crate::schema::{outbox, synced_pages};

const WAITING: &str = "waiting";
const ACCEPTED: &str = "accepted";

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

pub(crate) fn next_due(conn: &mut Conn, index: IndexId) -> Done<Option<Timestamp>> {
    let next = outbox::table
        .filter(outbox::index_id.eq(index.to_string()))
        .filter(outbox::state.eq(WAITING))
        .select(diesel::dsl::min(outbox::next_attempt_at))
        .first(conn)?;
    Ok(opt_time(next))
}

/// The row's and the page's columns that decide what an outcome means.
struct Pending<'a> {
    entry: &'a OutboxEntry,
    index: String,
    attempts: i32,
    state: PageState,
    reason: Option<String>,
    stored_hash: Option<String>,
}

/// Applies outcomes; each only where the row still asks for the same thing, so that an edit that came meanwhile is not lost.
pub(crate) fn settle(
    conn: &mut Conn,
    outcomes: &[(OutboxEntry, OutboxOutcome)],
    now: Timestamp,
) -> Done<()> {
    for (entry, outcome) in outcomes {
        if let Some(pending) = find(conn, entry)? {
            apply(conn, &pending, outcome, now)?;
        }
    }
    Ok(())
}

fn find<'a>(conn: &mut Conn, entry: &'a OutboxEntry) -> Done<Option<Pending<'a>>> {
    let index = entry.index_id.to_string();
    let attempts: Option<i32> = outbox::table
        .find((&index, entry.page_id.as_str()))
        .filter(outbox::op.eq(op_word(entry.op)))
        .filter(outbox::hash.eq(&entry.hash))
        .select(outbox::attempts)
        .first(conn)
        .optional()?;
    let Some(attempts) = attempts else {
        return Ok(None);
    };
    let page: Option<(String, Option<String>, Option<String>)> = synced_pages::table
        .find((&index, entry.page_id.as_str()))
        .select((
            synced_pages::state,
            synced_pages::reason,
            synced_pages::stored_hash,
        ))
        .first(conn)
        .optional()?;
    // A row without its page (pruned) settles like one whose page was removed.
    let (state, reason, stored_hash) =
        page.unwrap_or_else(|| (PageState::Removed.as_str().to_owned(), None, None));
    Ok(Some(Pending {
        entry,
        index,
        attempts,
        state: word("synced_pages.state", &state, PageState::parse)?,
        reason,
        stored_hash,
    }))
}

/// What a page is after its document arrived: a page that is on its way out stays so.
const fn arrived(state: PageState, next: PageState) -> PageState {
    match state {
        PageState::Vanishing | PageState::Removed | PageState::Skipped => state,
        _ => next,
    }
}

/// What a page is after its document left: one that came back meanwhile (`pending`) is still to be stored again.
const fn left(state: PageState) -> PageState {
    match state {
        PageState::Skipped | PageState::Pending => state,
        _ => PageState::Removed,
    }
}

fn apply(
    conn: &mut Conn,
    pending: &Pending<'_>,
    outcome: &OutboxOutcome,
    now: Timestamp,
) -> Done<()> {
    let Pending { entry, index, .. } = pending;
    let row = outbox::table.find((index, entry.page_id.as_str()));
    match (outcome, entry.op) {
        (OutboxOutcome::Accepted, op) => {
            diesel::update(row)
                .set((
                    outbox::state.eq(ACCEPTED),
                    outbox::accepted_at.eq(db_time(now)),
                    outbox::next_attempt_at.eq(db_time(now)),
                    outbox::last_error.eq(None::<String>),
                ))
                .execute(conn)?;
            if op == OutboxOp::Upsert {
                stored(conn, pending, PageState::Uploaded)?;
            }
        }
        (OutboxOutcome::Settled, OutboxOp::Upsert) => {
            diesel::delete(row).execute(conn)?;
            stored(conn, pending, PageState::Searchable)?;
        }
        (OutboxOutcome::Settled, OutboxOp::Delete) => {
            diesel::delete(row).execute(conn)?;
            diesel::update(synced_pages::table.find((index, entry.page_id.as_str())))
                .set((
                    synced_pages::state.eq(left(pending.state).as_str()),
                    synced_pages::stored_hash.eq(None::<String>),
                    synced_pages::document.eq(false),
                    synced_pages::attempts.eq(0),
                    synced_pages::next_try_at.eq(None::<chrono::NaiveDateTime>),
                    synced_pages::changed_at.eq(db_time(now)),
                ))
                .execute(conn)?;
        }
        (OutboxOutcome::Retry { reason, at }, op) => {
            let attempts = pending.attempts + 1;
            diesel::update(row)
                .set((
                    outbox::state.eq(WAITING),
                    outbox::accepted_at.eq(None::<chrono::NaiveDateTime>),
                    outbox::attempts.eq(attempts),
                    outbox::next_attempt_at.eq(db_time(*at)),
                    outbox::last_error.eq(reason),
                ))
                .execute(conn)?;
            // Why a page leaves says more than that its removal has to wait.
            let shown = match (op, &pending.reason) {
                (OutboxOp::Delete, Some(why)) => why,
                _ => reason,
            };
            diesel::update(synced_pages::table.find((index, entry.page_id.as_str())))
                .set((
                    synced_pages::reason.eq(shown),
                    synced_pages::attempts.eq(attempts),
                    synced_pages::next_try_at.eq(db_time(*at)),
                ))
                .execute(conn)?;
        }
        (OutboxOutcome::Failed { reason }, op) => {
            diesel::delete(row).execute(conn)?;
            // Accepted, and then not found or refused: the store may hold something under this id, but not this document.
            // Empty is no document's hash, so a retry stores it again and a removal still asks the store.
            let stored_hash = match &pending.stored_hash {
                Some(hash) if op == OutboxOp::Upsert && *hash == entry.hash => Some(String::new()),
                other => other.clone(),
            };
            let state = arrived(pending.state, PageState::Failed);
            diesel::update(synced_pages::table.find((index, entry.page_id.as_str())))
                .set((
                    synced_pages::state.eq(state.as_str()),
                    synced_pages::reason.eq(reason),
                    synced_pages::document.eq(is_document(state, stored_hash.as_deref())),
                    synced_pages::stored_hash.eq(stored_hash),
                    synced_pages::attempts.eq(pending.attempts + 1),
                    synced_pages::next_try_at.eq(None::<chrono::NaiveDateTime>),
                ))
                .execute(conn)?;
        }
    }
    Ok(())
}

/// The store has the entry's document now, whatever else happened to the page meanwhile.
fn stored(conn: &mut Conn, pending: &Pending<'_>, next: PageState) -> Done<()> {
    let page = synced_pages::table.find((&pending.index, pending.entry.page_id.as_str()));
    let state = arrived(pending.state, next);
    if state == next {
        diesel::update(page)
            .set((
                synced_pages::stored_hash.eq(&pending.entry.hash),
                synced_pages::document.eq(is_document(state, Some(&pending.entry.hash))),
                synced_pages::state.eq(state.as_str()),
                synced_pages::reason.eq(None::<String>),
                synced_pages::attempts.eq(0),
                synced_pages::next_try_at.eq(None::<chrono::NaiveDateTime>),
            ))
            .execute(conn)?;
    } else {
        diesel::update(page)
            .set(synced_pages::stored_hash.eq(&pending.entry.hash))
            .execute(conn)?;
    }
    Ok(())
}
