//! What versions of pages changed by heading.

use diesel::prelude::*;
use domain::sections::{KEPT_VERSIONS, SectionEdit};
use domain::{PageId, Timestamp};

use super::sites::SITE;
use crate::convert::{db_time, from_json, to_json};
use crate::dialect::{self, Conn, IDS};
use crate::error::Done;
use crate::schema::section_edits;

/// Keeps what changed; of each page only its newest versions stay.
pub(crate) fn note(conn: &mut Conn, edits: &[SectionEdit], now: Timestamp) -> Done<()> {
    for edit in edits {
        let page = edit.page_id.as_str();
        let changes = to_json(&edit.changes);
        dialect::put_section_edit(conn, (SITE, page), edit.version, &changes, db_time(now))?;
        let of_page = section_edits::table
            .filter(section_edits::site_id.eq(SITE))
            .filter(section_edits::page_id.eq(page));
        let newest_left_out: Option<i32> = of_page
            .order(section_edits::version.desc())
            .select(section_edits::version)
            .offset(KEPT_VERSIONS)
            .first(conn)
            .optional()?;
        if let Some(version) = newest_left_out {
            diesel::delete(of_page.filter(section_edits::version.le(version))).execute(conn)?;
        }
    }
    Ok(())
}

/// What was noted of these pages after a moment, of each page by version.
pub(crate) fn since(conn: &mut Conn, ids: &[PageId], after: Timestamp) -> Done<Vec<SectionEdit>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let rows: Vec<(String, i32, String)> = section_edits::table
            .filter(section_edits::site_id.eq(SITE))
            .filter(section_edits::page_id.eq_any(ids.iter().map(PageId::as_str)))
            .filter(section_edits::at.gt(db_time(after)))
            .order((section_edits::page_id, section_edits::version))
            .select((
                section_edits::page_id,
                section_edits::version,
                section_edits::changes,
            ))
            .load(conn)?;
        for (page, version, changes) in rows {
            found.push(SectionEdit {
                page_id: page.into(),
                version,
                changes: from_json("section_edits.changes", &changes)?,
            });
        }
    }
    Ok(found)
}
