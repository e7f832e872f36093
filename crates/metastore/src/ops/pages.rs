//! Page rows as the engine uses them.

use diesel::prelude::*;
use domain::content::{ContentKind, Restriction};
use domain::links::Naming;
use domain::page::{PageRecord, PageState};
use domain::ports::store::PageBrief;
use domain::{IndexId, PageId, RunId, SpaceId, Timestamp};

use crate::convert::{db_time, id, opt_time, rows, word};
use crate::dialect::{self, Conn, IDS};
use crate::error::Done;
use crate::rows::{BodyRow, OutboxRow, PageRow};
use crate::schema::synced_pages;

const CONTAINER: &str = ContentKind::Container.as_str();

/// Rows in the order of the ids asked for is not promised.
pub(crate) fn by_id(conn: &mut Conn, index: IndexId, ids: &[PageId]) -> Done<Vec<PageRecord>> {
    rows_by_id(conn, index, ids)?
        .into_iter()
        .map(TryInto::try_into)
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

/// Rows, outbox and bodies together, or nothing of them.
pub(crate) fn save(
    conn: &mut Conn,
    pages: &[PageRow],
    outbox: &[OutboxRow],
    bodies: &[BodyRow],
) -> Done<()> {
    dialect::put_bodies(conn, bodies)?;
    dialect::put_pages(conn, pages)?;
    dialect::put_outbox(conn, outbox)
}

pub(crate) fn mark_seen(conn: &mut Conn, index: IndexId, run: RunId, ids: &[PageId]) -> Done<()> {
    for ids in ids.chunks(IDS) {
        let ids = ids.iter().map(PageId::as_str);
        diesel::update(
            synced_pages::table
                .filter(synced_pages::index_id.eq(index.to_string()))
                .filter(synced_pages::page_id.eq_any(ids)),
        )
        .set(synced_pages::seen_in_run.eq(run.to_string()))
        .execute(conn)?;
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
    stored_hash: Option<String>,
    belongs: bool,
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
            synced_pages::stored_hash,
            synced_pages::belongs,
            synced_pages::seen_in_run,
            synced_pages::vanished_at,
        ))
        .load_iter::<BriefRow, diesel::connection::DefaultLoadingMode>(conn)?;
    let mut briefs = Vec::new();
    for row in cursor {
        let row = row?;
        let kind = word("synced_pages.kind", &row.kind, ContentKind::parse)?;
        let state = word("synced_pages.state", &row.state, PageState::parse)?;
        let stored = row.stored_hash.is_some();
        briefs.push(PageBrief {
            page_id: row.page_id.into(),
            kind,
            space_id: space.clone(),
            parent_id: row.parent_id.map(Into::into),
            title: row.title,
            restriction: Restriction::parse(&row.restriction),
            state,
            stored,
            naming: Naming::of(kind, state, stored, row.belongs),
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

/// Everything that the store holds of an index, hidden pages too.
pub(crate) fn stored(conn: &mut Conn, index: IndexId) -> Done<i64> {
    Ok(synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::stored_hash.is_not_null())
        .count()
        .get_result(conn)?)
}
