//! Page rows as the engine uses them.

use std::collections::HashMap;

use diesel::prelude::*;
use domain::content::{ContentKind, Restriction};
use domain::holding::{Holding, Wanted};
use domain::links::Naming;
use domain::page::{PageRecord, PageState, Standing};
use domain::ports::store::{DuePage, PageBrief, TriesOf};
use domain::{IndexId, PageId, SpaceId, Timestamp};

use super::{holdings, objects};
use crate::convert::{db_time, id, opt_time, rows, time, word};
use crate::dialect::{self, Conn, IDS};
use crate::error::Done;
use crate::rows::{BodyRow, PageRow, guards};
use crate::schema::{holdings as holdings_table, synced_pages};

const CONTAINER: &str = ContentKind::Container.as_str();

/// Rows in the order of the ids asked for is not promised.
pub(crate) fn by_id(conn: &mut Conn, index: IndexId, ids: &[PageId]) -> Done<Vec<PageRecord>> {
    let rows = rows_by_id(conn, index, ids)?;
    records(conn, index, rows)
}

/// Rows with what the object that answers holds of them.
pub(crate) fn records(
    conn: &mut Conn,
    index: IndexId,
    rows: Vec<PageRow>,
) -> Done<Vec<PageRecord>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.page_id.as_str()).collect();
    let mut held = holdings::serving(conn, &index.to_string(), &ids)?;
    rows.into_iter()
        .map(|row| {
            let holding = held.remove(&row.page_id).unwrap_or_default();
            row.record(holding)
        })
        .collect()
}

/// How pages stand by themselves.
pub(crate) fn standings(
    conn: &mut Conn,
    index: &str,
    ids: &[&str],
) -> Done<HashMap<String, Standing>> {
    let rows: Vec<(String, String)> = synced_pages::table
        .filter(synced_pages::index_id.eq(index))
        .filter(synced_pages::page_id.eq_any(ids))
        .select((synced_pages::page_id, synced_pages::standing))
        .load(conn)?;
    rows.into_iter()
        .map(|(page, standing)| {
            let standing = word("synced_pages.standing", &standing, Standing::parse)?;
            Ok((page, standing))
        })
        .collect()
}

pub(crate) fn rows_by_id(conn: &mut Conn, index: IndexId, ids: &[PageId]) -> Done<Vec<PageRow>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let ids = ids.iter().map(PageId::as_str);
        found.extend(
            synced_pages::table
                .filter(synced_pages::index_id.eq(index.to_string()))
                .filter(synced_pages::page_id.eq_any(ids))
                .select(PageRow::as_select())
                .load::<PageRow>(conn)?,
        );
    }
    Ok(found)
}

/// Rows, what is wanted of them, and bodies together, or nothing of them.
pub(crate) fn save(
    conn: &mut Conn,
    pages: &[PageRecord],
    wanted: &[Wanted],
    bodies: &[BodyRow],
    now: Timestamp,
) -> Done<()> {
    dialect::put_bodies(conn, bodies)?;
    for of_index in wanted.chunk_by(|a, b| a.index_id == b.index_id) {
        holdings::want(conn, of_index[0].index_id, of_index, now)?;
    }
    for of_index in pages.chunk_by(|a, b| a.index_id == b.index_id) {
        put(conn, of_index[0].index_id, of_index)?;
    }
    Ok(())
}

/// Pages of one index.
pub(crate) fn put(conn: &mut Conn, index: IndexId, pages: &[PageRecord]) -> Done<()> {
    let none = Holding::default();
    for pages in pages.chunks(IDS) {
        let ids: Vec<&str> = pages.iter().map(|page| page.page_id.as_str()).collect();
        let held = holdings::serving(conn, &index.to_string(), &ids)?;
        let rows: Vec<PageRow> = pages
            .iter()
            .map(|page| PageRow::new(page, held.get(page.page_id.as_str()).unwrap_or(&none)))
            .collect();
        dialect::put_pages(conn, &rows)?;
    }
    Ok(())
}

#[derive(Queryable)]
struct BriefRow {
    page_id: String,
    kind: String,
    parent_id: Option<String>,
    title: String,
    restriction: String,
    state: String,
    kept: bool,
    belongs: bool,
    guards: Option<String>,
    seen_in_run: Option<String>,
    vanished_at: Option<chrono::NaiveDateTime>,
}

/// Read row by row: of a large space only the answer itself is in memory.
pub(crate) fn briefs(conn: &mut Conn, index: IndexId, space: &SpaceId) -> Done<Vec<PageBrief>> {
    let cursor = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::space_id.eq(space.as_str()))
        .order(synced_pages::page_id)
        .select((
            synced_pages::page_id,
            synced_pages::kind,
            synced_pages::parent_id,
            synced_pages::title,
            synced_pages::restriction,
            synced_pages::state,
            synced_pages::kept,
            synced_pages::belongs,
            synced_pages::guards,
            synced_pages::seen_in_run,
            synced_pages::vanished_at,
        ))
        .load_iter::<BriefRow, diesel::connection::DefaultLoadingMode>(conn)?;
    let mut briefs = Vec::new();
    for row in cursor {
        let row = row?;
        let kind = word("synced_pages.kind", &row.kind, ContentKind::parse)?;
        let state = word("synced_pages.state", &row.state, PageState::parse)?;
        let guards = guards("synced_pages.guards", row.guards.as_deref())?;
        briefs.push(PageBrief {
            page_id: row.page_id.into(),
            kind,
            space_id: space.clone(),
            parent_id: row.parent_id.map(Into::into),
            title: row.title,
            restriction: Restriction::parse(&row.restriction),
            state,
            stored: row.kept,
            naming: Naming::of(kind, state, row.kept, row.belongs, &guards),
            seen_in_run: row
                .seen_in_run
                .map(|run| id("synced_pages.seen_in_run", &run))
                .transpose()?,
            vanished_at: opt_time(row.vanished_at),
        });
    }
    Ok(briefs)
}

pub(crate) fn in_states(
    conn: &mut Conn,
    index: IndexId,
    states: &[PageState],
    after: Option<&PageId>,
    limit: usize,
) -> Done<Vec<PageId>> {
    let states = states.iter().map(|state| state.as_str());
    let mut query = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::state.eq_any(states))
        .filter(synced_pages::kind.ne(CONTAINER))
        .order(synced_pages::page_id)
        .select(synced_pages::page_id)
        .limit(rows(limit))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(synced_pages::page_id.gt(after.as_str()));
    }
    let ids: Vec<String> = query.load(conn)?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Never tried, or due again.
pub(crate) fn needing_body(
    conn: &mut Conn,
    index: IndexId,
    now: Timestamp,
    limit: usize,
) -> Done<Vec<(PageId, ContentKind)>> {
    let found: Vec<(String, String)> = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::body_due)
        .filter(
            synced_pages::next_try_at
                .le(db_time(now))
                .or(synced_pages::next_try_at.is_null()),
        )
        .order(synced_pages::page_id)
        .select((synced_pages::page_id, synced_pages::kind))
        .limit(rows(limit))
        .load(conn)?;
    found
        .into_iter()
        .map(|(page, kind)| {
            let kind = word("synced_pages.kind", &kind, ContentKind::parse)?;
            Ok((page.into(), kind))
        })
        .collect()
}

/// To be decided: what is wanted already is only to be sent.
pub(crate) fn due(
    conn: &mut Conn,
    index: IndexId,
    now: Timestamp,
    after: Option<&PageId>,
    limit: usize,
) -> Done<Vec<DuePage>> {
    let states = [PageState::Pending, PageState::Failed].map(PageState::as_str);
    let serving = objects::serving(conn, &index.to_string())?;
    let wanted = holdings_table::table
        .filter(holdings_table::object_id.eq(serving.id))
        .filter(holdings_table::page_id.eq(synced_pages::page_id))
        .filter(holdings_table::want.is_not_null());
    let decided = synced_pages::standing
        .eq(Standing::Member.as_str())
        .and(diesel::dsl::exists(wanted));
    let found: Vec<(String, String, String)> = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::state.eq_any(states))
        .filter(synced_pages::page_id.gt(after.map_or("", PageId::as_str)))
        .filter(synced_pages::kind.ne(CONTAINER))
        .filter(
            synced_pages::next_try_at
                .le(db_time(now))
                .or(synced_pages::next_try_at.is_null()),
        )
        .filter(diesel::dsl::not(decided))
        .order(synced_pages::page_id)
        .select((
            synced_pages::page_id,
            synced_pages::kind,
            synced_pages::restriction,
        ))
        .limit(rows(limit))
        .load(conn)?;
    found
        .into_iter()
        .map(|(page, kind, restriction)| {
            Ok(DuePage {
                page_id: page.into(),
                kind: word("synced_pages.kind", &kind, ContentKind::parse)?,
                restriction: Restriction::parse(&restriction),
            })
        })
        .collect()
}

/// The earliest try of each index that was told for later than it asks.
pub(crate) fn next_tries(conn: &mut Conn, of: &[TriesOf]) -> Done<HashMap<IndexId, Timestamp>> {
    let mut tries = HashMap::new();
    for asked in of {
        let after = db_time(asked.after);
        let deciding: Option<chrono::NaiveDateTime> = synced_pages::table
            .filter(synced_pages::index_id.eq(asked.index.to_string()))
            .filter(synced_pages::next_try_at.gt(after))
            .filter(synced_pages::kind.ne(CONTAINER))
            .order(synced_pages::next_try_at)
            .select(synced_pages::next_try_at)
            .first(conn)
            .optional()?
            .flatten();
        let sending: Option<chrono::NaiveDateTime> = holdings_table::table
            .filter(holdings_table::object_id.eq(asked.serving.0))
            .filter(holdings_table::open)
            .filter(holdings_table::next_try_at.gt(after))
            .order(holdings_table::next_try_at)
            .select(holdings_table::next_try_at)
            .first(conn)
            .optional()?
            .flatten();
        if let Some(next) = [deciding, sending].into_iter().flatten().min() {
            tries.insert(asked.index, time(next));
        }
    }
    Ok(tries)
}

/// What the object that answers may hold and is to keep of an index, hidden pages too.
pub(crate) fn stored(conn: &mut Conn, index: IndexId) -> Done<i64> {
    Ok(synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::kept)
        .count()
        .get_result(conn)?)
}
