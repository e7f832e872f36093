//! What becomes of outbox rows, and of their pages with them.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::page::{PageRecord, PageState};
use domain::ports::store::{OutboxEntry, OutboxOp, OutboxOutcome};
use domain::{IndexId, Timestamp};

use super::outbox::{ACCEPTED, WAITING};
use crate::convert::{db_time, opt_db_time, word};
use crate::dialect::{Conn, IDS};
use crate::error::Done;
use crate::rows::{is_document, op_word};
use crate::schema::{outbox, synced_pages};

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
    let mut pages = HashSet::with_capacity(outcomes.len());
    let distinct = outcomes
        .iter()
        .all(|(entry, _)| pages.insert((entry.index_id, &entry.page_id)));
    // Several outcomes of one page have an order; else many go together.
    let together = if distinct { IDS } else { 1 };
    let mut by_index: BTreeMap<IndexId, Vec<&(OutboxEntry, OutboxOutcome)>> = BTreeMap::new();
    for outcome in outcomes {
        by_index
            .entry(outcome.0.index_id)
            .or_default()
            .push(outcome);
    }
    for (index, outcomes) in by_index {
        for batch in outcomes.chunks(together) {
            settle_batch(conn, &index.to_string(), batch, now)?;
        }
    }
    Ok(())
}

/// Of one index, each page once.
fn settle_batch(
    conn: &mut Conn,
    index: &str,
    batch: &[&(OutboxEntry, OutboxOutcome)],
    now: Timestamp,
) -> Done<()> {
    let (mut uploaded, mut searchable) = (Vec::new(), Vec::new());
    for (pending, outcome) in find(conn, index, batch)? {
        match plain_arrival(&pending, outcome) {
            Some(PageState::Uploaded) => uploaded.push(pending.entry.page_id.as_str()),
            Some(_) => searchable.push(pending.entry.page_id.as_str()),
            None => apply(conn, &pending, outcome, now)?,
        }
    }
    if !uploaded.is_empty() {
        arrive(conn, index, &uploaded, PageState::Uploaded)?;
        diesel::update(rows_of(index, &uploaded))
            .set((
                outbox::state.eq(ACCEPTED),
                outbox::accepted_at.eq(db_time(now)),
                outbox::next_attempt_at.eq(db_time(now)),
                outbox::last_error.eq(None::<String>),
            ))
            .execute(conn)?;
    }
    if !searchable.is_empty() {
        arrive(conn, index, &searchable, PageState::Searchable)?;
        diesel::delete(rows_of(index, &searchable)).execute(conn)?;
    }
    Ok(())
}

/// The usual case, of which many go in one statement: a document that arrived, of a page that is not on its way out.
fn plain_arrival(pending: &Pending<'_>, outcome: &OutboxOutcome) -> Option<PageState> {
    let next = match outcome {
        OutboxOutcome::Accepted => PageState::Uploaded,
        OutboxOutcome::Settled => PageState::Searchable,
        OutboxOutcome::Retry { .. } | OutboxOutcome::Failed { .. } => return None,
    };
    let entry = pending.entry;
    let plain = entry.op == OutboxOp::Upsert
        && is_document(next, Some(&entry.hash))
        && arrived(pending.state, next) == next;
    plain.then_some(next)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn rows_of<'a>(index: &'a str, pages: &'a [&'a str]) -> _ {
    outbox::table
        .filter(outbox::index_id.eq(index))
        .filter(outbox::page_id.eq_any(pages))
}

/// The pages have the hashes of their rows from now on; before the rows go.
fn arrive(conn: &mut Conn, index: &str, pages: &[&str], next: PageState) -> Done<()> {
    let hash = outbox::table
        .filter(outbox::index_id.eq(synced_pages::index_id))
        .filter(outbox::page_id.eq(synced_pages::page_id))
        .select(outbox::hash)
        .single_value();
    diesel::update(
        synced_pages::table
            .filter(synced_pages::index_id.eq(index))
            .filter(synced_pages::page_id.eq_any(pages)),
    )
    .set((
        synced_pages::stored_hash.eq(hash),
        synced_pages::document.eq(true),
        synced_pages::state.eq(next.as_str()),
        synced_pages::reason.eq(None::<String>),
        synced_pages::attempts.eq(0),
        synced_pages::next_try_at.eq(None::<NaiveDateTime>),
    ))
    .execute(conn)?;
    Ok(())
}

type PageColumns = (String, String, Option<String>, Option<String>);

/// The rows that still ask for what their outcomes are about, with what decides of their pages.
fn find<'a>(
    conn: &mut Conn,
    index: &str,
    batch: &[&'a (OutboxEntry, OutboxOutcome)],
) -> Done<Vec<(Pending<'a>, &'a OutboxOutcome)>> {
    let ids: Vec<&str> = batch
        .iter()
        .map(|(entry, _)| entry.page_id.as_str())
        .collect();
    let rows: Vec<(String, String, String, i32)> = rows_of(index, &ids)
        .select((outbox::page_id, outbox::op, outbox::hash, outbox::attempts))
        .load(conn)?;
    let rows: HashMap<&str, _> = rows.iter().map(|row| (row.0.as_str(), row)).collect();
    let pages: Vec<PageColumns> = synced_pages::table
        .filter(synced_pages::index_id.eq(index))
        .filter(synced_pages::page_id.eq_any(&ids))
        .select((
            synced_pages::page_id,
            synced_pages::state,
            synced_pages::reason,
            synced_pages::stored_hash,
        ))
        .load(conn)?;
    let mut pages: HashMap<String, PageColumns> = pages
        .into_iter()
        .map(|page| (page.0.clone(), page))
        .collect();
    let mut found = Vec::with_capacity(rows.len());
    for (entry, outcome) in batch {
        let Some((_, op, hash, attempts)) = rows.get(entry.page_id.as_str()) else {
            continue;
        };
        if *op != op_word(entry.op) || *hash != entry.hash {
            continue;
        }
        // A row without its page (pruned) settles like one whose page was removed.
        let (state, reason, stored_hash) = match pages.remove(entry.page_id.as_str()) {
            Some((_, state, reason, hash)) => (
                word("synced_pages.state", &state, PageState::parse)?,
                reason,
                hash,
            ),
            None => (PageState::Removed, None, None),
        };
        let pending = Pending {
            entry,
            index: index.to_owned(),
            attempts: *attempts,
            state,
            reason,
            stored_hash,
        };
        found.push((pending, outcome));
    }
    Ok(found)
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
                    synced_pages::reason.eq(PageRecord::reason_it_left(pending.reason.as_deref())),
                    synced_pages::attempts.eq(0),
                    synced_pages::next_try_at.eq(None::<NaiveDateTime>),
                    synced_pages::changed_at.eq(db_time(now)),
                ))
                .execute(conn)?;
        }
        (OutboxOutcome::Retry { reason, at }, op) => {
            diesel::update(row)
                .set((
                    outbox::state.eq(WAITING),
                    outbox::accepted_at.eq(None::<NaiveDateTime>),
                    outbox::next_attempt_at.eq(db_time(*at)),
                    outbox::last_error.eq(reason),
                ))
                .execute(conn)?;
            // Why a page leaves says more than that its removal has to wait.
            let shown = match (op, &pending.reason) {
                (OutboxOp::Delete, Some(why)) => why,
                _ => reason,
            };
            // The row waits, not its page: a newer version of it may be due.
            diesel::update(synced_pages::table.find((index, entry.page_id.as_str())))
                .set(synced_pages::reason.eq(shown))
                .execute(conn)?;
        }
        (OutboxOutcome::Failed { reason, next_try }, OutboxOp::Delete) => {
            diesel::update(row)
                .set((
                    outbox::state.eq(WAITING),
                    outbox::accepted_at.eq(None::<NaiveDateTime>),
                    outbox::attempts.eq(pending.attempts + 1),
                    outbox::next_attempt_at.eq(db_time(*next_try)),
                    outbox::last_error.eq(reason),
                ))
                .execute(conn)?;
            let shown = PageRecord::reason_while_it_stays(pending.reason.as_deref(), reason);
            diesel::update(synced_pages::table.find((index, entry.page_id.as_str())))
                .set(synced_pages::reason.eq(shown))
                .execute(conn)?;
        }
        (OutboxOutcome::Failed { reason, next_try }, OutboxOp::Upsert) => {
            diesel::delete(row).execute(conn)?;
            // Accepted, and then not found or refused: the store may hold something under this id, but not this document.
            // Empty is no document's hash, so a retry stores it again and a removal still asks the store.
            let stored_hash = match &pending.stored_hash {
                Some(hash) if *hash == entry.hash => Some(String::new()),
                other => other.clone(),
            };
            let state = arrived(pending.state, PageState::Failed);
            let next_try = (state == PageState::Failed).then_some(*next_try);
            diesel::update(synced_pages::table.find((index, entry.page_id.as_str())))
                .set((
                    synced_pages::state.eq(state.as_str()),
                    synced_pages::reason.eq(reason),
                    synced_pages::document.eq(is_document(state, stored_hash.as_deref())),
                    synced_pages::stored_hash.eq(stored_hash),
                    synced_pages::attempts.eq(pending.attempts + 1),
                    synced_pages::next_try_at.eq(opt_db_time(next_try)),
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
                synced_pages::next_try_at.eq(None::<NaiveDateTime>),
            ))
            .execute(conn)?;
    } else {
        diesel::update(page)
            .set(synced_pages::stored_hash.eq(&pending.entry.hash))
            .execute(conn)?;
    }
    Ok(())
}
