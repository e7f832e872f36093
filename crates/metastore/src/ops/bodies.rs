//! Cached bodies.

use diesel::prelude::*;
use domain::PageId;

use crate::dialect::{Conn, IDS};
use crate::error::Done;
use crate::rows::BodyRow;
use crate::schema::bodies;

pub(crate) fn get(conn: &mut Conn, ids: &[PageId]) -> Done<Vec<BodyRow>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        found.extend(
            bodies::table
                .filter(bodies::page_id.eq_any(ids.iter().map(PageId::as_str)))
                .select(BodyRow::as_select())
                .load::<BodyRow>(conn)?,
        );
    }
    Ok(found)
}

pub(crate) fn versions(conn: &mut Conn, ids: &[PageId]) -> Done<Vec<(PageId, i32)>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let part: Vec<(String, i32)> = bodies::table
            .filter(bodies::page_id.eq_any(ids.iter().map(PageId::as_str)))
            .select((bodies::page_id, bodies::version))
            .load(conn)?;
        found.extend(
            part.into_iter()
                .map(|(page, version)| (page.into(), version)),
        );
    }
    Ok(found)
}

/// How many, and how many bytes as stored; from a covering index.
pub(crate) fn totals(conn: &mut Conn) -> Done<(i64, i64)> {
    // Counted here: the databases disagree about the type of a sum of 64-bit numbers.
    let sizes = bodies::table
        .select(bodies::stored_bytes)
        .load_iter::<i64, diesel::connection::DefaultLoadingMode>(conn)?;
    let (mut count, mut bytes) = (0, 0);
    for size in sizes {
        count += 1;
        bytes += size?;
    }
    Ok((count, bytes))
}
