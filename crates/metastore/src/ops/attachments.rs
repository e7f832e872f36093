//! Attachments beside the pages that they hang on.

use diesel::prelude::*;
use domain::content::ContentKind;
use domain::page::PageState;
use domain::{IndexId, PageId, SpaceId};

use crate::convert::rows;
use crate::dialect::Conn;
use crate::error::Done;
use crate::schema::synced_pages;

const ATTACHMENT: &str = ContentKind::Attachment.as_str();

/// Those whose page is gone, hidden or out.
pub(crate) fn stranded(
    conn: &mut Conn,
    index: IndexId,
    after: Option<&PageId>,
    limit: usize,
) -> Done<Vec<PageId>> {
    let page = diesel::alias!(synced_pages as page);
    let standing = page
        .filter(
            page.field(synced_pages::index_id)
                .eq(synced_pages::index_id),
        )
        .filter(
            page.field(synced_pages::page_id)
                .nullable()
                .eq(synced_pages::parent_id),
        )
        .filter(page.field(synced_pages::state).ne_all([
            PageState::Removed.as_str(),
            PageState::Vanishing.as_str(),
            PageState::Skipped.as_str(),
        ]));
    let mut query = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::kind.eq(ATTACHMENT))
        .filter(synced_pages::state.ne(PageState::Removed.as_str()))
        .filter(diesel::dsl::not(diesel::dsl::exists(standing)))
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

/// Those whose page moved into this space without them.
pub(crate) fn left_behind(
    conn: &mut Conn,
    index: IndexId,
    space: &SpaceId,
    limit: usize,
) -> Done<Vec<PageId>> {
    let page = diesel::alias!(synced_pages as page);
    let here = page
        .filter(
            page.field(synced_pages::index_id)
                .eq(synced_pages::index_id),
        )
        .filter(
            page.field(synced_pages::page_id)
                .nullable()
                .eq(synced_pages::parent_id),
        )
        .filter(page.field(synced_pages::space_id).eq(space.as_str()));
    let ids: Vec<String> = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::kind.eq(ATTACHMENT))
        .filter(synced_pages::state.ne(PageState::Removed.as_str()))
        .filter(synced_pages::space_id.ne(space.as_str()))
        .filter(diesel::dsl::exists(here))
        .order(synced_pages::page_id)
        .select(synced_pages::page_id)
        .limit(rows(limit))
        .load(conn)?;
    Ok(ids.into_iter().map(Into::into).collect())
}
