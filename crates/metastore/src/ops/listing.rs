//! Pages as REST, MCP and people see them; containers never are among them.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::Bool;
use domain::content::ContentKind;
use domain::holding::{Change, HoldingChange};
use domain::page::{Page, PageRecord, PageState, PlacedPage, Standing};
use domain::ports::store::{Listed, PageFilter};
use domain::{IndexId, ObjectId, PageId, SpaceKey, Timestamp};

use super::{holdings, indexes, objects, pages, spaces};
use crate::convert::{db_time, limit, rows};
use crate::cursor;
use crate::dialect::{Conn, Db};
use crate::error::{Done, conflict, not_found};
use crate::rows::PageRow;
use crate::schema::synced_pages;

const BY_ID: &str = "pages";
const BY_CHANGE: &str = "changes";

/// How many pages are pending, and how many failed.
pub(crate) fn unsettled(conn: &mut Conn, index: IndexId) -> Done<(i64, i64)> {
    let mut count = |state: PageState| {
        synced_pages::table
            .filter(synced_pages::index_id.eq(index.to_string()))
            .filter(synced_pages::state.eq(state.as_str()))
            .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
            .count()
            .get_result(conn)
    };
    Ok((count(PageState::Pending)?, count(PageState::Failed)?))
}

/// By id, or, when asked for changes, the newest change first.
pub(crate) fn list(
    conn: &mut Conn,
    index: IndexId,
    filter: &PageFilter,
) -> Done<Listed<PlacedPage>> {
    indexes::row(conn, index)?;
    let limit = limit(filter.limit);
    let mut query = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
        .select(PageRow::as_select())
        .limit(rows(limit + 1))
        .into_boxed();
    if !filter.states.is_empty() {
        let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        query = query.filter(synced_pages::state.eq_any(states));
    }
    if let Some(key) = &filter.space {
        query = query.filter(synced_pages::space_id.eq_any(ids_of_key(conn, index, key)?));
    }
    if let Some(part) = &filter.title {
        query = query.filter(
            synced_pages::title_lower
                .like(format!("%{}%", escaped(&part.to_lowercase())))
                .escape('\\'),
        );
    }
    if filter.shown {
        query = query.filter(may_be_shown(conn, index)?);
    }
    let by_change = filter.changed_after.is_some();
    if let Some(after) = filter.changed_after {
        query = query
            .filter(synced_pages::changed_at.gt(db_time(after)))
            .order((
                synced_pages::changed_at.desc(),
                synced_pages::page_id.desc(),
            ));
    } else {
        query = query.order(synced_pages::page_id);
    }
    match &filter.cursor {
        Some(cursor) if by_change => {
            let [at, page] = cursor::decode(BY_CHANGE, cursor)?;
            let at = cursor::read_time(&at)?;
            query = query.filter(
                synced_pages::changed_at.lt(at).or(synced_pages::changed_at
                    .eq(at)
                    .and(synced_pages::page_id.lt(page))),
            );
        }
        Some(cursor) => {
            let [page] = cursor::decode(BY_ID, cursor)?;
            query = query.filter(synced_pages::page_id.gt(page));
        }
        None => {}
    }
    let mut found: Vec<PageRow> = query.load(conn)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|last| {
        if by_change {
            cursor::encode(
                BY_CHANGE,
                [&cursor::time_part(last.changed_at), &last.page_id],
            )
        } else {
            cursor::encode(BY_ID, [&last.page_id])
        }
    });
    let keys = spaces::keys(conn, index)?;
    let records = pages::records(conn, index, found)?;
    let items = records
        .into_iter()
        .map(|page| placed(page, &keys))
        .collect();
    Ok(Listed { items, next_cursor })
}

/// The rows to which [`PageRecord::may_be_shown`] says yes.
pub(super) fn may_be_shown(
    conn: &mut Conn,
    index: IndexId,
) -> Done<Box<dyn BoxableExpression<synced_pages::table, Db, SqlType = Bool>>> {
    let serving = objects::serving(conn, &index.to_string())?;
    let hidden = [PageState::Vanishing, PageState::Removed, PageState::Skipped];
    Ok(Box::new(holdings::quotable(ObjectId(serving.id)).and(
        synced_pages::state.ne_all(hidden.map(PageState::as_str)),
    )))
}

/// The text with the wildcards of `LIKE` made plain.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

fn placed(record: PageRecord, keys: &HashMap<String, SpaceKey>) -> PlacedPage {
    let space = record.facts.space_id.as_str();
    // A space that no index knows any more is shown by its id.
    let space_key = keys.get(space).cloned().unwrap_or_else(|| space.into());
    PlacedPage { record, space_key }
}

/// Ids of the index's spaces that answer to a key: as it is now, else as people see it or as it was given; keys ignore case.
pub(super) fn ids_of_key(conn: &mut Conn, index: IndexId, key: &SpaceKey) -> Done<Vec<String>> {
    let rows = indexes::spaces_of(conn, index)?;
    let same = |text: &str| text.eq_ignore_ascii_case(key.as_str());
    let ids = |by: &dyn Fn(&crate::rows::SpaceRow) -> bool| -> Vec<String> {
        rows.iter()
            .filter(|row| by(row))
            .filter_map(|row| row.space_id.clone())
            .collect()
    };
    let present = ids(&|row| same(row.present_key()));
    Ok(if present.is_empty() {
        ids(&|row| same(&row.space_key) || row.alias.as_deref().is_some_and(same))
    } else {
        present
    })
}

fn record(conn: &mut Conn, index: IndexId, page: &PageId) -> Done<PageRecord> {
    indexes::row(conn, index)?;
    pages::by_id(conn, index, std::slice::from_ref(page))?
        .pop()
        .filter(|record| record.kind != ContentKind::Container)
        .ok_or_else(|| not_found(format!("page {page} in index {index}")).into())
}

pub(crate) fn one(conn: &mut Conn, index: IndexId, page: &PageId) -> Done<PlacedPage> {
    let record = record(conn, index, page)?;
    let keys = spaces::keys(conn, index)?;
    Ok(placed(record, &keys))
}

/// These pages, in the order of their ids; unknown ids and containers are left out.
pub(crate) fn by_ids(conn: &mut Conn, index: IndexId, ids: &[PageId]) -> Done<Vec<PlacedPage>> {
    let mut records = pages::by_id(conn, index, ids)?;
    records.retain(|record| record.kind != ContentKind::Container);
    records.sort_by(|a, b| a.page_id.cmp(&b.page_id));
    let keys = spaces::keys(conn, index)?;
    Ok(records
        .into_iter()
        .map(|record| placed(record, &keys))
        .collect())
}

/// Makes a failed page, or one that waits for its next try, due now; what is to be sent or removed of it, too.
pub(crate) fn retry(conn: &mut Conn, index: IndexId, page: &PageId, now: Timestamp) -> Done<Page> {
    let mut record = record(conn, index, page)?;
    let failed = record.standing == Standing::Failed;
    let waits = failed || record.next_try_at.is_some();
    if !waits && record.holding.next_try_at().is_none() {
        return Err(conflict(format!(
            "page {page} is {}; only failed and waiting pages, and removals that wait, can be retried",
            record.state().as_str()
        ))
        .into());
    }
    let sending = HoldingChange {
        page_id: page.clone(),
        kind: record.kind,
        change: Change::TryNow,
    };
    let serving = objects::serving(conn, &index.to_string())?;
    holdings::change(conn, ObjectId(serving.id), &[sending], now)?;
    if waits {
        if failed {
            record.standing = Standing::Undecided;
        }
        record.attempts = 0;
        record.next_try_at = Some(now);
        pages::put(conn, index, &[record])?;
    }
    Ok(one(conn, index, page)?.page())
}

/// The page with this title that an answer may quote; pages before blog posts.
pub(crate) fn by_title(
    conn: &mut Conn,
    index: IndexId,
    space: &SpaceKey,
    title: &str,
) -> Done<Option<PlacedPage>> {
    let ids = ids_of_key(conn, index, space)?;
    let shown = may_be_shown(conn, index)?;
    let found: Option<PageRow> = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::space_id.eq_any(ids))
        .filter(synced_pages::title_lower.eq(title.to_lowercase()))
        .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
        .filter(shown)
        .order((synced_pages::kind.desc(), synced_pages::page_id))
        .select(PageRow::as_select())
        .first(conn)
        .optional()?;
    let keys = spaces::keys(conn, index)?;
    let records = pages::records(conn, index, found.into_iter().collect())?;
    Ok(records
        .into_iter()
        .next()
        .map(|record| placed(record, &keys)))
}
