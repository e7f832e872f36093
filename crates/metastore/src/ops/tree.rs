//! What stands above, below and around pages. Rows that may not be shown are walked through and never answered.

use std::collections::HashSet;

use diesel::prelude::*;
use domain::content::ContentKind;
use domain::ports::store::Around;
use domain::{IndexId, PageId, SpaceKey};

use super::listing::{ids_of_key, may_be_shown};
use crate::convert::rows;
use crate::dialect::{Conn, IDS};
use crate::error::Done;
use crate::schema::{page_links, synced_pages};

/// Pages of one title at most.
const OF_A_TITLE: usize = 100;
/// Folders on the way to the page above at most: a cycle ends.
const DEPTH: usize = 64;

/// See [`QueryStore::pages_under`](domain::ports::store::QueryStore::pages_under).
pub(crate) fn under(
    conn: &mut Conn,
    index: IndexId,
    page: &str,
    space: Option<&SpaceKey>,
) -> Done<HashSet<PageId>> {
    let mut level = shown(conn, index, &[page.to_owned()])?;
    if level.is_empty() {
        level = of_title(conn, index, page, space)?;
    }
    let mut all: HashSet<String> = level.iter().cloned().collect();
    while !level.is_empty() {
        level = below(conn, index, &level)?
            .into_iter()
            .map(|(id, _)| id)
            .filter(|id| all.insert(id.clone()))
            .collect();
    }
    let all: Vec<String> = all.into_iter().collect();
    Ok(shown(conn, index, &all)?
        .into_iter()
        .map(PageId::from)
        .collect())
}

/// Those of these pages that may be shown.
fn shown(conn: &mut Conn, index: IndexId, ids: &[String]) -> Done<Vec<String>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let part: Vec<String> = synced_pages::table
            .filter(synced_pages::index_id.eq(index.to_string()))
            .filter(synced_pages::page_id.eq_any(ids))
            .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
            .filter(may_be_shown(conn, index)?)
            .select(synced_pages::page_id)
            .load(conn)?;
        found.extend(part);
    }
    Ok(found)
}

fn of_title(
    conn: &mut Conn,
    index: IndexId,
    title: &str,
    space: Option<&SpaceKey>,
) -> Done<Vec<String>> {
    let mut query = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::title_lower.eq(title.to_lowercase()))
        .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
        .filter(may_be_shown(conn, index)?)
        .order(synced_pages::page_id)
        .select(synced_pages::page_id)
        .limit(rows(OF_A_TITLE))
        .into_boxed();
    if let Some(key) = space {
        query = query.filter(synced_pages::space_id.eq_any(ids_of_key(conn, index, key)?));
    }
    Ok(query.load(conn)?)
}

/// Ids and kinds of what is right below these.
fn below(conn: &mut Conn, index: IndexId, ids: &[String]) -> Done<Vec<(String, String)>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let part: Vec<(String, String)> = synced_pages::table
            .filter(synced_pages::index_id.eq(index.to_string()))
            .filter(synced_pages::parent_id.eq_any(ids))
            .select((synced_pages::page_id, synced_pages::kind))
            .load(conn)?;
        found.extend(part);
    }
    Ok(found)
}

/// See [`QueryStore::around`](domain::ports::store::QueryStore::around).
pub(crate) fn around(conn: &mut Conn, index: IndexId, page: &PageId, most: usize) -> Done<Around> {
    let mut parents = vec![page.to_string()];
    let mut level = parents.clone();
    let mut seen: HashSet<String> = HashSet::new();
    while !level.is_empty() {
        level = below(conn, index, &level)?
            .into_iter()
            .filter(|(_, kind)| kind == ContentKind::Container.as_str())
            .map(|(id, _)| id)
            .filter(|id| seen.insert(id.clone()))
            .collect();
        parents.extend(level.iter().cloned());
    }
    // Whatever is more than one statement holds is a page with thousands of folders.
    parents.truncate(IDS);
    let named = |conn: &mut Conn| -> Done<_> {
        Ok(synced_pages::table
            .filter(synced_pages::index_id.eq(index.to_string()))
            .filter(synced_pages::page_id.ne(page.to_string()))
            .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
            .filter(may_be_shown(conn, index)?)
            .order((synced_pages::title_lower, synced_pages::page_id))
            .select(synced_pages::page_id)
            .limit(rows(most)))
    };
    let children: Vec<String> = named(conn)?
        .filter(synced_pages::parent_id.eq_any(&parents))
        .load(conn)?;
    let pointing = page_links::table
        .filter(page_links::index_id.eq(index.to_string()))
        .filter(page_links::target_id.eq(page.to_string()))
        .select(page_links::page_id);
    let linked_from: Vec<String> = named(conn)?
        .filter(synced_pages::page_id.eq_any(pointing))
        .load(conn)?;
    let parent = page_above(conn, index, page)?;
    let parent = shown(conn, index, parent.as_slice())?.pop();
    let ids = |ids: Vec<String>| ids.into_iter().map(PageId::from).collect();
    Ok(Around {
        parent: parent.map(PageId::from),
        children: ids(children),
        linked_from: ids(linked_from),
    })
}

/// The page above, whatever may be said of it.
fn page_above(conn: &mut Conn, index: IndexId, page: &PageId) -> Done<Option<String>> {
    let mut below = page.to_string();
    for _ in 0..DEPTH {
        let above: Option<Option<String>> = synced_pages::table
            .find((index.to_string(), &below))
            .select(synced_pages::parent_id)
            .first(conn)
            .optional()?;
        let Some(above) = above.flatten() else {
            return Ok(None);
        };
        let kind: Option<String> = synced_pages::table
            .find((index.to_string(), &above))
            .select(synced_pages::kind)
            .first(conn)
            .optional()?;
        match kind {
            Some(kind) if kind == ContentKind::Container.as_str() => below = above,
            Some(_) => return Ok(Some(above)),
            None => return Ok(None),
        }
    }
    Ok(None)
}
