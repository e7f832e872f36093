//! The Confluence site that rows belong to. Today there is one; what is kept once for a site is written and read under its key here
//! and in the modules of those tables, and nowhere else.

use diesel::dsl::{Eq, Filter, Select};
use diesel::prelude::*;

use crate::dialect::Conn;
use crate::error::Done;
use crate::schema::{indexes, sites};

/// The site of everything.
pub(crate) const SITE: i32 = 1;

/// The indexes that cover spaces of the site.
pub(crate) fn its_indexes() -> Select<Filter<indexes::table, Eq<indexes::site_id, i32>>, indexes::id>
{
    indexes::table
        .filter(indexes::site_id.eq(SITE))
        .select(indexes::id)
}

/// Notes the address of the site; answers the one that was noted before, if it is another.
pub(crate) fn name(conn: &mut Conn, base_url: &str) -> Done<Option<String>> {
    let row = sites::table.find(SITE);
    let before: Option<String> = row.select(sites::base_url).first(conn)?;
    if before.as_deref() == Some(base_url) {
        return Ok(None);
    }
    diesel::update(row)
        .set(sites::base_url.eq(base_url))
        .execute(conn)?;
    Ok(before)
}
