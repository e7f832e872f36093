//! Sessions of MCP, so that they outlive their memory and the process.

use diesel::prelude::*;
use domain::Timestamp;
use domain::ports::store::KnownSession;

use crate::convert::{db_time, time};
use crate::dialect::{self, Conn};
use crate::error::Done;
use crate::schema::mcp_sessions;

pub(crate) fn all(conn: &mut Conn) -> Done<Vec<KnownSession>> {
    let rows: Vec<(String, String, chrono::NaiveDateTime)> = mcp_sessions::table
        .select((mcp_sessions::id, mcp_sessions::owner, mcp_sessions::used_at))
        .order((mcp_sessions::used_at, mcp_sessions::id))
        .load(conn)?;
    let known = |(id, owner, used_at)| KnownSession {
        id,
        owner,
        used_at: time(used_at),
    };
    Ok(rows.into_iter().map(known).collect())
}

pub(crate) fn keep(conn: &mut Conn, session: &KnownSession, opening: &str) -> Done<()> {
    diesel::insert_into(mcp_sessions::table)
        .values((
            mcp_sessions::id.eq(&session.id),
            mcp_sessions::owner.eq(&session.owner),
            mcp_sessions::opening.eq(opening),
            mcp_sessions::used_at.eq(db_time(session.used_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn opening(conn: &mut Conn, id: &str) -> Done<Option<String>> {
    let opening = mcp_sessions::table.find(id).select(mcp_sessions::opening);
    Ok(opening.first(conn).optional()?)
}

pub(crate) fn used(conn: &mut Conn, used: &[(String, Timestamp)]) -> Done<()> {
    for (id, at) in used {
        diesel::update(mcp_sessions::table.find(id))
            .set(mcp_sessions::used_at.eq(db_time(*at)))
            .execute(conn)?;
    }
    Ok(())
}

pub(crate) fn forget(conn: &mut Conn, ids: &[String]) -> Done<()> {
    for ids in ids.chunks(dialect::IDS) {
        diesel::delete(mcp_sessions::table.filter(mcp_sessions::id.eq_any(ids))).execute(conn)?;
    }
    Ok(())
}
