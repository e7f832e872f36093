//! Sessions of the web page: hashes only.

use diesel::prelude::*;
use domain::ports::store::PageSession;

use crate::convert::{db_time, id, time};
use crate::dialect::{self, Conn};
use crate::error::Done;
use crate::schema::page_sessions;

pub(crate) fn all(conn: &mut Conn) -> Done<Vec<PageSession>> {
    let rows: Vec<(String, chrono::NaiveDateTime, Option<String>)> =
        page_sessions::table.order(page_sessions::hash).load(conn)?;
    rows.into_iter()
        .map(|(hash, ends, token)| {
            Ok(PageSession {
                hash,
                until: time(ends),
                token: token
                    .map(|text| id("page_sessions.token_id", &text))
                    .transpose()?,
            })
        })
        .collect()
}

pub(crate) fn keep(conn: &mut Conn, session: &PageSession) -> Done<()> {
    diesel::insert_into(page_sessions::table)
        .values((
            page_sessions::hash.eq(&session.hash),
            page_sessions::ends_at.eq(db_time(session.until)),
            page_sessions::token_id.eq(session.token.map(|token| token.to_string())),
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
