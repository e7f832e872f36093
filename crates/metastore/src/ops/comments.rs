//! Kept comments.

use diesel::dsl::{Eq, Filter};
use diesel::prelude::*;
use domain::comments::CommentBrief;
use domain::{IndexId, PageId, SpaceId, Timestamp};

use super::sites::SITE;
use crate::convert::{db_time, opt_db_time, rows};
use crate::dialect::{self, Conn, IDS};
use crate::error::Done;
use crate::rows::{CommentBriefRow, CommentRow};
use crate::schema::{comments, synced_pages};

fn of_site() -> Filter<comments::table, Eq<comments::site_id, i32>> {
    comments::table.filter(comments::site_id.eq(SITE))
}

pub(crate) fn of_pages(conn: &mut Conn, pages: &[PageId]) -> Done<Vec<CommentRow>> {
    let mut found = Vec::new();
    for pages in pages.chunks(IDS) {
        found.extend(
            of_site()
                .filter(comments::page_id.eq_any(pages.iter().map(PageId::as_str)))
                .select(CommentRow::as_select())
                .load::<CommentRow>(conn)?,
        );
    }
    Ok(found)
}

pub(crate) fn briefs(conn: &mut Conn, ids: &[PageId]) -> Done<Vec<CommentBrief>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let part = of_site()
            .filter(comments::comment_id.eq_any(ids.iter().map(PageId::as_str)))
            .select(CommentBriefRow::as_select())
            .load::<CommentBriefRow>(conn)?;
        for row in part {
            found.push(row.try_into()?);
        }
    }
    Ok(found)
}

pub(crate) fn briefs_in(
    conn: &mut Conn,
    index: IndexId,
    space: &SpaceId,
) -> Done<Vec<CommentBrief>> {
    comments::table
        .inner_join(synced_pages::table.on(synced_pages::page_id.eq(comments::page_id)))
        .filter(comments::site_id.eq(SITE))
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::space_id.eq(space.as_str()))
        .select(CommentBriefRow::as_select())
        .load::<CommentBriefRow>(conn)?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
}

pub(crate) fn missed(
    conn: &mut Conn,
    index: IndexId,
    before: Timestamp,
    limit: usize,
) -> Done<Vec<CommentBrief>> {
    comments::table
        .inner_join(synced_pages::table.on(synced_pages::page_id.eq(comments::page_id)))
        .filter(comments::site_id.eq(SITE))
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(comments::absent_since.le(db_time(before)))
        .order(comments::absent_since)
        .limit(rows(limit))
        .select(CommentBriefRow::as_select())
        .load::<CommentBriefRow>(conn)?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
}

pub(crate) fn save(conn: &mut Conn, kept: &[CommentRow], gone: &[PageId]) -> Done<()> {
    dialect::put_comments(conn, kept)?;
    for gone in gone.chunks(IDS) {
        let ids = gone.iter().map(PageId::as_str);
        diesel::delete(of_site().filter(comments::comment_id.eq_any(ids))).execute(conn)?;
    }
    Ok(())
}

pub(crate) fn mark_absent(conn: &mut Conn, ids: &[PageId], since: Option<Timestamp>) -> Done<()> {
    for ids in ids.chunks(IDS) {
        let ids = ids.iter().map(PageId::as_str);
        diesel::update(of_site().filter(comments::comment_id.eq_any(ids)))
            .set(comments::absent_since.eq(opt_db_time(since)))
            .execute(conn)?;
    }
    Ok(())
}

pub(crate) fn pages_with(
    conn: &mut Conn,
    index: IndexId,
    after: Option<&PageId>,
    limit: usize,
) -> Done<Vec<PageId>> {
    let mut query = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::comments_hash.is_not_null())
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
