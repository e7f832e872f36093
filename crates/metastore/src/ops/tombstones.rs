//! Remote objects that are still to be removed.

use diesel::prelude::*;
use domain::Timestamp;
use domain::index::{BackendKind, Remote};
use domain::ports::store::Tombstone;

use crate::convert::{db_time, id, time, word};
use crate::dialect::{self, Conn};
use crate::error::{Done, not_found};
use crate::rows::{IndexRow, RemoteJson};
use crate::schema::tombstones;

/// What names a remote object within a store, whatever else is remembered about it.
fn object(remote: &Remote) -> String {
    format!("{} {}", remote.kind, remote.id)
}

/// Leaves a tombstone of an object of an index, due now.
pub(crate) fn put(
    conn: &mut Conn,
    index: &IndexRow,
    backend: BackendKind,
    remote: &Remote,
    now: Timestamp,
) -> Done<()> {
    dialect::put_tombstone(
        conn,
        [
            &index.id,
            backend.as_str(),
            &object(remote),
            &index.agent_id,
            &RemoteJson::write(remote),
        ],
        db_time(now),
    )
}

/// The object is in use again.
pub(crate) fn forget(
    conn: &mut Conn,
    index: &str,
    backend: BackendKind,
    remote: &Remote,
) -> Done<()> {
    diesel::delete(tombstones::table.find((index, backend.as_str(), object(remote))))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn due(conn: &mut Conn, now: Timestamp) -> Done<Vec<Tombstone>> {
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
                backend: word("tombstones.backend", &backend, BackendKind::parse)?,
                remote: RemoteJson::read("tombstones.remote", &remote)?,
                attempts,
                next_attempt_at: time(next),
            })
        })
        .collect()
}

pub(crate) fn settle(
    conn: &mut Conn,
    tombstone: &Tombstone,
    retry_at: Option<Timestamp>,
) -> Done<()> {
    let index = tombstone.index_id.to_string();
    let row = tombstones::table.find((
        &index,
        tombstone.backend.as_str(),
        object(&tombstone.remote),
    ));
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
