//! Sessions of the web page: hashes only.

use diesel::prelude::*;
use domain::Timestamp;

use crate::convert::{db_time, time};
use crate::dialect::{self, Conn};
use crate::error::Done;
use crate::schema::page_sessions;

pub(crate) fn all(conn: &mut Conn) -> Done<Vec<(String, Timestamp)>> {
    let rows: Vec<(String, chrono::NaiveDateTime)> =
        page_sessions::table.order(page_sessions::hash).load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(hash, ends)| (hash, time(ends)))
        .collect())
}

pub(crate) fn keep(conn: &mut Conn, hash: &str, ends: Timestamp) -> Done<()> {
    diesel::insert_into(page_sessions::table)
        .values((
            page_sessions::hash.eq(hash),
            page_sessions::ends_at.eq(db_time(ends)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn end(conn: &mut Conn, hashes: &[String]) -> Done<()> {
    for hashes in hashes.chunks(dialect::IDS) {
        diesel::delete(page_sessions::table.filter(page_sessions::hash.eq_any(hashes)))
            .execute(conn)?;
    }
    Ok(())
}
