//! Pages as REST, MCP and people see them; containers never are among them.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::Bool;
use domain::content::ContentKind;
use domain::page::{Page, PageRecord, PageState, PlacedPage};
use domain::ports::store::{Listed, PageFilter};
use domain::{IndexId, PageId, SpaceKey, Timestamp};

use super::outbox::WAITING;
use super::{indexes, spaces};
use crate::convert::{db_time, limit, rows};
use crate::cursor;
use crate::dialect::{Conn, Db};
use crate::error::{Done, conflict, not_found};
use crate::rows::PageRow;
use crate::schema::{outbox, synced_pages};

const BY_ID: &str = "pages";
const BY_CHANGE: &str = "changes";

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
        query = query.filter(may_be_shown());
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
    let items = found
        .into_iter()
        .map(|row| placed(row, &keys))
        .collect::<Done<_>>()?;
    Ok(Listed { items, next_cursor })
}

/// The rows to which [`PageRecord::may_be_shown`] says yes.
fn may_be_shown() -> Box<dyn BoxableExpression<synced_pages::table, Db, SqlType = Bool>> {
    let hidden = [PageState::Vanishing, PageState::Removed, PageState::Skipped];
    Box::new(
        synced_pages::stored_hash
            .is_not_null()
            .and(synced_pages::state.ne_all(hidden.map(PageState::as_str))),
    )
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

fn placed(row: PageRow, keys: &HashMap<String, SpaceKey>) -> Done<PlacedPage> {
    let record = PageRecord::try_from(row)?;
    let space = record.facts.space_id.as_str();
    // A space that no index knows any more is shown by its id.
    let space_key = keys.get(space).cloned().unwrap_or_else(|| space.into());
    Ok(PlacedPage { record, space_key })
}

/// Ids of the index's spaces that answer to a key, as it is now or as it was given; keys ignore case.
fn ids_of_key(conn: &mut Conn, index: IndexId, key: &SpaceKey) -> Done<Vec<String>> {
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
        ids(&|row| same(&row.space_key))
    } else {
        present
    })
}

fn row(conn: &mut Conn, index: IndexId, page: &PageId) -> Done<PageRow> {
    indexes::row(conn, index)?;
    synced_pages::table
        .find((index.to_string(), page.as_str()))
        .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
        .select(PageRow::as_select())
        .first(conn)
        .optional()?
        .ok_or_else(|| not_found(format!("page {page} in index {index}")).into())
}

pub(crate) fn one(conn: &mut Conn, index: IndexId, page: &PageId) -> Done<PlacedPage> {
    let row = row(conn, index, page)?;
    let keys = spaces::keys(conn, index)?;
    placed(row, &keys)
}

/// Makes a failed page, or one that waits for its next try, due now. Its outbox row too, where it has one: that alone where only
/// a removal waits.
pub(crate) fn retry(conn: &mut Conn, index: IndexId, page: &PageId, now: Timestamp) -> Done<Page> {
    let row = row(conn, index, page)?;
    let failed = row.state == PageState::Failed.as_str();
    let now = db_time(now);
    if !failed && row.next_try_at.is_none() {
        // A removal waits in its row, not in its page.
        if retry_sending(conn, &row, now)? > 0 {
            return Ok(one(conn, index, page)?.page());
        }
        return Err(conflict(format!(
            "page {page} is {}; only failed and waiting pages, and removals that wait, can be retried",
            row.state
        ))
        .into());
    }
    let state = if failed {
        PageState::Pending.as_str()
    } else {
        &row.state
    };
    diesel::update(synced_pages::table.find((&row.index_id, &row.page_id)))
        .set((
            synced_pages::state.eq(state),
            synced_pages::attempts.eq(0),
            synced_pages::next_try_at.eq(now),
        ))
        .execute(conn)?;
    retry_sending(conn, &row, now)?;
    Ok(one(conn, index, page)?.page())
}

/// Makes the page's outbox row due now, if one waits; answers how many did.
fn retry_sending(conn: &mut Conn, row: &PageRow, now: chrono::NaiveDateTime) -> Done<usize> {
    let waits = outbox::table
        .find((&row.index_id, &row.page_id))
        .filter(outbox::state.eq(WAITING));
    Ok(diesel::update(waits)
        .set((outbox::attempts.eq(0), outbox::next_attempt_at.eq(now)))
        .execute(conn)?)
}

/// The page with this title that an answer may quote; pages before blog posts.
pub(crate) fn by_title(
    conn: &mut Conn,
    index: IndexId,
    space: &SpaceKey,
    title: &str,
) -> Done<Option<PlacedPage>> {
    let ids = ids_of_key(conn, index, space)?;
    let found: Option<PageRow> = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::space_id.eq_any(ids))
        .filter(synced_pages::title_lower.eq(title.to_lowercase()))
        .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
        .filter(may_be_shown())
        .order((synced_pages::kind.desc(), synced_pages::page_id))
        .select(PageRow::as_select())
        .first(conn)
        .optional()?;
    let keys = spaces::keys(conn, index)?;
    found.map(|row| placed(row, &keys)).transpose()
}
