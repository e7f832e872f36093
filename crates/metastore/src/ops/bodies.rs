//! Cached bodies.

use diesel::prelude::*;
use domain::PageId;
use domain::ports::store::BodyBrief;

use super::sites::SITE;
use crate::dialect::{Conn, IDS};
use crate::error::Done;
use crate::rows::{BodyRow, TextRow};
use crate::schema::{bodies, body_totals};

/// How much larger texts are than what is stored of them, at most of what was seen: for rows of which it was not noted yet.
const PACKED: i64 = 6;

pub(crate) fn get(conn: &mut Conn, ids: &[PageId]) -> Done<Vec<BodyRow>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let rows = bodies::table
            .filter(bodies::site_id.eq(SITE))
            .filter(bodies::page_id.eq_any(ids.iter().map(PageId::as_str)))
            .select(BodyRow::as_select());
        found.extend(rows.load::<BodyRow>(conn)?);
    }
    Ok(found)
}

pub(crate) fn texts(conn: &mut Conn, ids: &[PageId]) -> Done<Vec<TextRow>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let rows = bodies::table
            .filter(bodies::site_id.eq(SITE))
            .filter(bodies::page_id.eq_any(ids.iter().map(PageId::as_str)))
            .select(TextRow::as_select());
        found.extend(rows.load::<TextRow>(conn)?);
    }
    Ok(found)
}

pub(crate) fn briefs(conn: &mut Conn, ids: &[PageId]) -> Done<Vec<BodyBrief>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let rows: Vec<(String, i32, i64, i64)> = bodies::table
            .filter(bodies::site_id.eq(SITE))
            .filter(bodies::page_id.eq_any(ids.iter().map(PageId::as_str)))
            .select((
                bodies::page_id,
                bodies::version,
                bodies::stored_bytes,
                bodies::text_bytes,
            ))
            .load(conn)?;
        found.extend(rows.into_iter().map(|(page, version, stored, text)| {
            let bytes = if text > 0 { text } else { stored * PACKED };
            BodyBrief {
                page_id: page.into(),
                version,
                bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            }
        }));
    }
    Ok(found)
}

/// How many, and how many bytes as stored.
pub(crate) fn totals(conn: &mut Conn) -> Done<(i64, i64)> {
    let sites: Vec<(i64, i64)> = body_totals::table
        .select((body_totals::bodies, body_totals::stored_bytes))
        .load(conn)?;
    Ok(sites
        .into_iter()
        .fold((0, 0), |all, site| (all.0 + site.0, all.1 + site.1)))
}
