//! What links and mentions need: titles, addresses, names; across all indexes, since they are of one site.

use diesel::prelude::*;
use domain::content::{ContentKind, ContentStatus};
use domain::page::PageState;
use domain::{AccountId, PageId, SpaceId};

use crate::dialect::{self, Conn, IDS};
use crate::error::Done;
use crate::schema::{indexes, people, synced_pages};

pub(crate) type Link = (PageId, String, String);

pub(crate) fn by_title(conn: &mut Conn, wanted: &[(SpaceId, String)]) -> Done<Vec<Option<Link>>> {
    wanted
        .iter()
        .map(|(space, title)| {
            let found: Option<(String, String, String)> = synced_pages::table
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
                .select((
                    synced_pages::page_id,
                    synced_pages::title,
                    synced_pages::url,
                ))
                .first(conn)
                .optional()?;
            Ok(found.map(|(id, title, url)| (id.into(), title, url)))
        })
        .collect()
}

pub(crate) fn by_id(conn: &mut Conn, ids: &[PageId]) -> Done<Vec<Link>> {
    // The indexes are named so that the primary key serves; a page in two of them has the same title in both, or the
    // newer version wins.
    let living: Vec<String> = indexes::table.select(indexes::id).load(conn)?;
    let mut links: Vec<Link> = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let found: Vec<(String, String, String)> = synced_pages::table
            .filter(synced_pages::index_id.eq_any(&living))
            .filter(synced_pages::page_id.eq_any(ids.iter().map(PageId::as_str)))
            .filter(synced_pages::kind.ne(ContentKind::Container.as_str()))
            .order((synced_pages::page_id, synced_pages::version.desc()))
            .select((
                synced_pages::page_id,
                synced_pages::title,
                synced_pages::url,
            ))
            .load(conn)?;
        for (id, title, url) in found {
            if links.last().is_none_or(|(last, ..)| last.as_str() != id) {
                links.push((id.into(), title, url));
            }
        }
    }
    Ok(links)
}

pub(crate) fn people(conn: &mut Conn, ids: &[AccountId]) -> Done<Vec<(AccountId, String)>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let part: Vec<(String, String)> = people::table
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
