//! Cached bodies.

use diesel::prelude::*;
use domain::PageId;

use crate::dialect::{Conn, IDS};
use crate::error::Done;
use crate::rows::BodyRow;
use crate::schema::{bodies, body_totals};

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

/// How many, and how many bytes as stored.
pub(crate) fn totals(conn: &mut Conn) -> Done<(i64, i64)> {
    Ok(body_totals::table
        .select((body_totals::bodies, body_totals::stored_bytes))
        .first(conn)?)
}
