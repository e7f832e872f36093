//! Checkpoints, tombstones and remembered values.

use diesel::prelude::*;
use domain::ports::source::Cursor;
use domain::ports::store::Tombstone;
use domain::{IndexId, Timestamp};

use crate::convert::{db_time, id, time, word};
use crate::dialect::{self, Conn};
use crate::error::{Done, not_found};
use crate::rows::RemoteJson;
use crate::schema::{checkpoints, remembered, tombstones};

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

pub(crate) fn clear_checkpoints(conn: &mut Conn, index: IndexId) -> Done<()> {
    diesel::delete(checkpoints::table.filter(checkpoints::index_id.eq(index.to_string())))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn tombstones_due(conn: &mut Conn, now: Timestamp) -> Done<Vec<Tombstone>> {
    type Row = (String, String, String, String, i32, chrono::NaiveDateTime);
    let found: Vec<Row> = tombstones::table
        .filter(tombstones::next_attempt_at.le(db_time(now)))
        .order((tombstones::next_attempt_at, tombstones::index_id))
        .select((
            tombstones::index_id,
            tombstones::agent_id,
            tombstones::backend,
            tombstones::remote,
            tombstones::attempts,
            tombstones::next_attempt_at,
        ))
        .load(conn)?;
    found
        .into_iter()
        .map(|(index, agent, backend, remote, attempts, next)| {
            Ok(Tombstone {
                index_id: id("tombstones.index_id", &index)?,
                agent_id: id("tombstones.agent_id", &agent)?,
                backend: word(
                    "tombstones.backend",
                    &backend,
                    domain::index::BackendKind::parse,
                )?,
                remote: RemoteJson::read("tombstones.remote", &remote)?,
                attempts,
                next_attempt_at: time(next),
            })
        })
        .collect()
}

pub(crate) fn settle_tombstone(
    conn: &mut Conn,
    index: IndexId,
    retry_at: Option<Timestamp>,
) -> Done<()> {
    let row = tombstones::table.find(index.to_string());
    let touched = match retry_at {
        None => diesel::delete(row).execute(conn)?,
        Some(at) => diesel::update(row)
            .set((
                tombstones::attempts.eq(tombstones::attempts + 1),
                tombstones::next_attempt_at.eq(db_time(at)),
            ))
            .execute(conn)?,
    };
    if touched == 0 && retry_at.is_some() {
        return Err(not_found(format!("tombstone of index {index}")).into());
    }
    Ok(())
}

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
