//! What links and mentions need: which page a title means and what people are called, across all indexes, since they are of one
//! site; and what documents of one index may tell of its pages.

use std::collections::BTreeSet;

use diesel::prelude::*;
use domain::content::{ContentKind, ContentStatus};
use domain::links::{Naming, PageName};
use domain::page::PageState;
use domain::{AccountId, IndexId, PageId, SpaceId};

use super::sites::{SITE, its_indexes};
use crate::convert::word;
use crate::dialect::{self, Conn, IDS};
use crate::error::Done;
use crate::rows::guards;
use crate::schema::{page_links, people, synced_pages};

pub(crate) fn by_title(conn: &mut Conn, wanted: &[(SpaceId, String)]) -> Done<Vec<Option<PageId>>> {
    wanted
        .iter()
        .map(|(space, title)| {
            let found: Option<String> = synced_pages::table
                .filter(synced_pages::index_id.eq_any(its_indexes()))
                .filter(synced_pages::space_id.eq(space.as_str()))
                .filter(synced_pages::title_lower.eq(title.to_lowercase()))
                .filter(synced_pages::status.eq(ContentStatus::Current.as_str()))
                .filter(synced_pages::state.ne(PageState::Removed.as_str()))
                .filter(synced_pages::state.ne(PageState::Vanishing.as_str()))
                .filter(
                    synced_pages::kind
                        .eq(ContentKind::Page.as_str())
                        .or(synced_pages::kind.eq(ContentKind::BlogPost.as_str())),
                )
                // Pages before blog posts, which may share a title.
                .order((synced_pages::kind.desc(), synced_pages::page_id))
                .select(synced_pages::page_id)
                .first(conn)
                .optional()?;
            Ok(found.map(PageId::from))
        })
        .collect()
}

/// Pages of an index by their titles, in any space, and every container.
pub(crate) fn titled_and_containers(
    conn: &mut Conn,
    index: IndexId,
    titles: &BTreeSet<String>,
) -> Done<Vec<(PageId, ContentKind)>> {
    let there = || {
        synced_pages::table
            .filter(synced_pages::index_id.eq(index.to_string()))
            .filter(synced_pages::state.ne(PageState::Removed.as_str()))
    };
    let mut rows: Vec<(String, String)> = there()
        .filter(synced_pages::kind.eq(ContentKind::Container.as_str()))
        .select((synced_pages::page_id, synced_pages::kind))
        .load(conn)?;
    let titles: Vec<String> = titles.iter().map(|title| title.to_lowercase()).collect();
    for titles in titles.chunks(IDS) {
        let pages: Vec<(String, String)> = there()
            .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
            .filter(synced_pages::title_lower.eq_any(titles))
            .select((synced_pages::page_id, synced_pages::kind))
            .load(conn)?;
        rows.extend(pages);
    }
    rows.into_iter()
        .map(|(id, kind)| {
            let kind = word("synced_pages.kind", &kind, ContentKind::parse)?;
            Ok((PageId::from(id), kind))
        })
        .collect()
}

#[derive(Queryable)]
struct NameRow {
    page_id: String,
    kind: String,
    state: String,
    stored: bool,
    belongs: bool,
    guards: Option<String>,
    title: String,
    url: String,
}

/// What documents of an index may tell of these pages, and whether they may.
fn named(conn: &mut Conn, index: IndexId, ids: &[PageId]) -> Done<Vec<(Naming, PageName)>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let rows: Vec<NameRow> = synced_pages::table
            .filter(synced_pages::index_id.eq(index.to_string()))
            .filter(synced_pages::page_id.eq_any(ids.iter().map(PageId::as_str)))
            .select((
                synced_pages::page_id,
                synced_pages::kind,
                synced_pages::state,
                synced_pages::kept,
                synced_pages::belongs,
                synced_pages::guards,
                synced_pages::title,
                synced_pages::url,
            ))
            .load(conn)?;
        for row in rows {
            let kind = word("synced_pages.kind", &row.kind, ContentKind::parse)?;
            let state = word("synced_pages.state", &row.state, PageState::parse)?;
            let name = PageName {
                id: row.page_id.into(),
                title: row.title,
                url: row.url,
            };
            let guards = guards("synced_pages.guards", row.guards.as_deref())?;
            let naming = Naming::of(kind, state, row.stored, row.belongs, &guards);
            found.push((naming, name));
        }
    }
    Ok(found)
}

pub(crate) fn naming(
    conn: &mut Conn,
    index: IndexId,
    ids: &[PageId],
) -> Done<Vec<(PageId, Naming)>> {
    let all = named(conn, index, ids)?.into_iter();
    Ok(all.map(|(naming, name)| (name.id, naming)).collect())
}

pub(crate) fn names(conn: &mut Conn, index: IndexId, ids: &[PageId]) -> Done<Vec<PageName>> {
    let all = named(conn, index, ids)?.into_iter();
    let named = all.filter(|(naming, _)| *naming == Naming::Named);
    Ok(named.map(|(_, name)| name).collect())
}

pub(crate) fn pointing_at(
    conn: &mut Conn,
    index: IndexId,
    targets: &BTreeSet<PageId>,
) -> Done<Vec<PageId>> {
    let targets: Vec<&str> = targets.iter().map(PageId::as_str).collect();
    let mut found = BTreeSet::new();
    for targets in targets.chunks(IDS) {
        let part: Vec<String> = page_links::table
            .filter(page_links::index_id.eq(index.to_string()))
            .filter(page_links::target_id.eq_any(targets))
            .select(page_links::page_id)
            .load(conn)?;
        found.extend(part.into_iter().map(PageId::from));
    }
    Ok(found.into_iter().collect())
}

pub(crate) fn people(conn: &mut Conn, ids: &[AccountId]) -> Done<Vec<(AccountId, String)>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let part: Vec<(String, String)> = people::table
            .filter(people::site_id.eq(SITE))
            .filter(people::account_id.eq_any(ids.iter().map(AccountId::as_str)))
            .select((people::account_id, people::display_name))
            .load(conn)?;
        found.extend(part.into_iter().map(|(id, name)| (id.into(), name)));
    }
    Ok(found)
}

pub(crate) fn remember_people(conn: &mut Conn, people: &[(AccountId, String)]) -> Done<()> {
    people
        .iter()
        .try_for_each(|(id, name)| dialect::put_person(conn, id.as_str(), name))
}
