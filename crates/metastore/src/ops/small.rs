//! Checkpoints and remembered values.

use diesel::prelude::*;
use domain::ports::source::Cursor;
use domain::{IndexId, Timestamp};

use crate::convert::db_time;
use crate::dialect::{self, Conn};
use crate::error::Done;
use crate::schema::{checkpoints, remembered};

pub(crate) fn checkpoint(conn: &mut Conn, index: IndexId, walk: &str) -> Done<Option<Cursor>> {
    let cursor: Option<String> = checkpoints::table
        .find((index.to_string(), walk))
        .select(checkpoints::cursor)
        .first(conn)
        .optional()?;
    Ok(cursor.map(Cursor))
}

pub(crate) fn set_checkpoint(
    conn: &mut Conn,
    index: IndexId,
    walk: &str,
    cursor: Option<&Cursor>,
    now: Timestamp,
) -> Done<()> {
    let index = index.to_string();
    match cursor {
        Some(cursor) => dialect::put_checkpoint(conn, &index, walk, &cursor.0, db_time(now)),
        None => {
            diesel::delete(checkpoints::table.find((index, walk))).execute(conn)?;
            Ok(())
        }
    }
}

/// Under this name a database says of which other one it is an unfinished copy.
pub(crate) const UNFINISHED_COPY: &str = "unfinished_copy_of";

pub(crate) fn remembered(conn: &mut Conn, name: &str) -> Done<Option<String>> {
    Ok(remembered::table
        .find(name)
        .select(remembered::value)
        .first(conn)
        .optional()?)
}

pub(crate) fn remember(conn: &mut Conn, name: &str, value: &str) -> Done<()> {
    dialect::put_remembered(conn, name, value)
}
