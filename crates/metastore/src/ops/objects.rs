//! Store objects: which of an index answers, which a move fills, and which are to be removed.

use diesel::prelude::*;
use domain::content::ContentKind;
use domain::holding::{Change, HoldingChange};
use domain::index::{BackendKind, Remote};
use domain::moving::{MoveCounts, is_another};
use domain::ports::store::{LeavingObject, MoveBegun, ObjectRole};
use domain::{IndexId, ObjectId, Timestamp};

use super::{holdings as holding_ops, indexes as index_ops, runs};
use crate::convert::{db_time, id, time, word};
use crate::dialect::{Conn, IDS};
use crate::error::{Done, conflict, not_found};
use crate::rows::{HoldingRow, IndexRow, ObjectRow, RemoteJson};
use crate::schema::{holdings, indexes, store_objects};

const SERVING: &str = ObjectRole::Serving.as_str();
const LEAVING: &str = ObjectRole::Leaving.as_str();

pub(crate) fn find(conn: &mut Conn, object: ObjectId) -> Done<ObjectRow> {
    store_objects::table
        .find(object.0)
        .select(ObjectRow::as_select())
        .first(conn)
        .optional()?
        .ok_or_else(|| {
            not_found("such store object (its index was deleted, or its move given up)").into()
        })
}

pub(crate) fn in_role(conn: &mut Conn, index: &str, role: ObjectRole) -> Done<Option<ObjectRow>> {
    Ok(store_objects::table
        .filter(store_objects::index_id.eq(index))
        .filter(store_objects::role.eq(role.as_str()))
        .filter(store_objects::role.ne(LEAVING))
        .select(ObjectRow::as_select())
        .first(conn)
        .optional()?)
}

pub(crate) fn serving(conn: &mut Conn, index: &str) -> Done<ObjectRow> {
    in_role(conn, index, ObjectRole::Serving)?
        .ok_or_else(|| not_found(format!("index {index}")).into())
}

/// Objects of these indexes that answer or are filled.
pub(crate) fn in_use(conn: &mut Conn, indexes: &[&str]) -> Done<Vec<ObjectRow>> {
    Ok(store_objects::table
        .filter(store_objects::index_id.eq_any(indexes))
        .filter(store_objects::role.ne(LEAVING))
        .select(ObjectRow::as_select())
        .load(conn)?)
}

/// A new object, not made yet.
pub(crate) fn create(
    conn: &mut Conn,
    index: &str,
    backend: &str,
    role: ObjectRole,
    now: Timestamp,
) -> Done<()> {
    diesel::insert_into(store_objects::table)
        .values((
            store_objects::index_id.eq(index),
            store_objects::backend.eq(backend),
            store_objects::role.eq(role.as_str()),
            store_objects::since.eq(db_time(now)),
            store_objects::attempts.eq(0),
        ))
        .execute(conn)?;
    Ok(())
}

/// See [`domain::ports::store::SyncStore::set_remote`].
pub(crate) fn set_remote(
    conn: &mut Conn,
    object: ObjectId,
    remote: &Remote,
    now: Timestamp,
) -> Done<()> {
    let row = find(conn, object)?;
    if row.role == LEAVING {
        return Err(not_found("such store object in use").into());
    }
    let backend = row.backend()?;
    let known = row.remote()?;
    if known.is_some_and(|known| is_another((backend, &known), (backend, remote))) {
        holding_ops::lose(conn, object, now)?;
    }
    is_in_use(conn, &row.index_id, backend, remote)?;
    diesel::update(store_objects::table.find(object.0))
        .set(store_objects::remote.eq(RemoteJson::write(remote)))
        .execute(conn)?;
    Ok(())
}

/// What was to be removed is in use again.
fn is_in_use(conn: &mut Conn, index: &str, backend: BackendKind, remote: &Remote) -> Done<()> {
    for row in leaving_of(conn, index)? {
        let same = match row.remote()? {
            Some(other) => !is_another((row.backend()?, &other), (backend, remote)),
            None => false,
        };
        if same {
            diesel::delete(store_objects::table.find(row.id)).execute(conn)?;
        }
    }
    Ok(())
}

fn leaving_of(conn: &mut Conn, index: &str) -> Done<Vec<ObjectRow>> {
    Ok(store_objects::table
        .filter(store_objects::index_id.eq(index))
        .filter(store_objects::role.eq(LEAVING))
        .select(ObjectRow::as_select())
        .load(conn)?)
}

/// An object of an index is to be removed; one that was never made is forgotten, unless it `may_be_made` all the same.
fn leave(
    conn: &mut Conn,
    index: &IndexRow,
    object: &ObjectRow,
    may_be_made: bool,
    now: Timestamp,
) -> Done<()> {
    let remote = object.remote()?;
    if let Some(remote) = &remote {
        is_in_use(conn, &index.id, object.backend()?, remote)?;
    }
    let target = store_objects::table.find(object.id);
    if remote.is_none() && !may_be_made {
        diesel::delete(target).execute(conn)?;
        return Ok(());
    }
    diesel::delete(holdings::table.filter(holdings::object_id.eq(object.id))).execute(conn)?;
    diesel::update(target)
        .set((
            store_objects::role.eq(LEAVING),
            store_objects::agent_id.eq(&index.agent_id),
            store_objects::since.eq(db_time(now)),
            store_objects::attempts.eq(0),
            store_objects::next_try_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    Ok(())
}

/// The index is deleted: what it has made, or may have made, is to be removed.
pub(crate) fn leave_all(conn: &mut Conn, index: &IndexRow, now: Timestamp) -> Done<()> {
    // Begun runs make objects; one may have died before it remembered what it made.
    let begun = runs::any_begun(conn, &index.id)?;
    let mut left: Vec<(BackendKind, Remote)> = Vec::new();
    for object in in_use(conn, &[&index.id])? {
        let backend = object.backend()?;
        let remote = object.remote()?;
        // Where an index is filled anew it is the same object.
        let again = remote.as_ref().is_some_and(|remote| {
            left.iter()
                .any(|(kind, other)| !is_another((*kind, other), (backend, remote)))
        });
        if again {
            diesel::delete(store_objects::table.find(object.id)).execute(conn)?;
            continue;
        }
        leave(conn, index, &object, begun, now)?;
        left.extend(remote.map(|remote| (backend, remote)));
    }
    Ok(())
}

/// Records that an index is to move; see [`domain::ports::store::SyncStore::begin_move`].
pub(crate) fn begin_move(
    conn: &mut Conn,
    index: IndexId,
    backend: BackendKind,
    now: Timestamp,
) -> Done<MoveBegun> {
    let row = index_ops::row(conn, index)?;
    if let Some(filling) = in_role(conn, &row.id, ObjectRole::Filling)? {
        if filling.backend()? == backend {
            return Ok(MoveBegun::Recorded);
        }
        abandon(conn, index, now)?;
    }
    let answers = serving(conn, &row.id)?;
    let open = runs::open_of(conn, index)?.is_some();
    diesel::update(indexes::table.find(&row.id))
        .set(indexes::updated_at.eq(db_time(now)))
        .execute(conn)?;
    // A run under way may be making the store object at this moment.
    if answers.remote.is_none() && !open {
        diesel::update(store_objects::table.find(answers.id))
            .set(store_objects::backend.eq(backend.as_str()))
            .execute(conn)?;
        return Ok(MoveBegun::AtOnce);
    }
    create(conn, &row.id, backend.as_str(), ObjectRole::Filling, now)?;
    Ok(MoveBegun::Recorded)
}

pub(crate) fn abandon(conn: &mut Conn, index: IndexId, now: Timestamp) -> Done<()> {
    let row = index_ops::row(conn, index)?;
    let Some(filling) = in_role(conn, &row.id, ObjectRole::Filling)? else {
        return Ok(());
    };
    if is_same(&serving(conn, &row.id)?, &filling)? {
        diesel::delete(store_objects::table.find(filling.id)).execute(conn)?;
        return Ok(());
    }
    leave(conn, &row, &filling, false, now)
}

fn is_same(one: &ObjectRow, other: &ObjectRow) -> Done<bool> {
    Ok(match (one.remote()?, other.remote()?) {
        (Some(a), Some(b)) => !is_another((one.backend()?, &a), (other.backend()?, &b)),
        _ => false,
    })
}

pub(crate) fn move_counts(conn: &mut Conn, filling: ObjectId) -> Done<MoveCounts> {
    let of_object = || {
        holdings::table
            .filter(holdings::object_id.eq(filling.0))
            .filter(holdings::want.is_not_null())
    };
    let failed: Vec<(i32, i64)> = of_object()
        .filter(holdings::open)
        .filter(holdings::attempts.gt(0))
        .filter(holdings::next_try_at.is_not_null())
        .group_by(holdings::attempts)
        .select((holdings::attempts, diesel::dsl::count_star()))
        .load(conn)?;
    let of = |again: bool| {
        let some = failed
            .iter()
            .filter(|(attempts, _)| (*attempts > 1) == again);
        some.map(|(_, number)| number).sum()
    };
    Ok(MoveCounts {
        documents: of_object().count().get_result(conn)?,
        searchable: of_object()
            .filter(diesel::dsl::not(holdings::open))
            .count()
            .get_result(conn)?,
        failed: of(false),
        failed_again: of(true),
    })
}

/// The object that was filled answers from now on. What is wanted of pages that it was not asked for in their newest form goes
/// there; what is on its way out of the old object never came into the new one.
pub(crate) fn complete_move(
    conn: &mut Conn,
    index: IndexId,
    filling: ObjectId,
    now: Timestamp,
) -> Done<()> {
    let row = index_ops::row(conn, index)?;
    let old = serving(conn, &row.id)?;
    let new = in_role(conn, &row.id, ObjectRole::Filling)?.filter(|new| new.id == filling.0);
    let Some(new) = new.filter(|new| new.remote.is_some()) else {
        return Err(conflict(format!("the move of index {index} was given up")).into());
    };
    carry_over(conn, &row.id, &old, filling, now)?;
    if is_same(&old, &new)? {
        diesel::delete(store_objects::table.find(old.id)).execute(conn)?;
    } else {
        leave(conn, &row, &old, false, now)?;
    }
    diesel::update(store_objects::table.find(new.id))
        .set(store_objects::role.eq(SERVING))
        .execute(conn)?;
    diesel::update(indexes::table.find(&row.id))
        .set(indexes::updated_at.eq(db_time(now)))
        .execute(conn)?;
    holding_ops::derive_all(conn, &row.id, db_time(now))
}

/// Documents that the old object was still to get are wanted of the new one.
fn carry_over(
    conn: &mut Conn,
    index: &str,
    old: &ObjectRow,
    filling: ObjectId,
    now: Timestamp,
) -> Done<()> {
    let open: Vec<HoldingRow> = holdings::table
        .filter(holdings::object_id.eq(old.id))
        .filter(holdings::open)
        .filter(holdings::next_try_at.is_not_null())
        .filter(holdings::want.is_not_null())
        .select(HoldingRow::as_select())
        .load(conn)?;
    for some in open.chunks(IDS) {
        let pages: Vec<&str> = some.iter().map(|row| row.page_id.as_str()).collect();
        let standing = super::pages::standings(conn, index, &pages)?;
        let mut changes = Vec::new();
        for row in some {
            if standing.get(&row.page_id).is_none_or(|s| s.is_out()) {
                continue;
            }
            changes.push(HoldingChange {
                page_id: row.page_id.as_str().into(),
                kind: word("holdings.kind", &row.kind, ContentKind::parse)?,
                change: Change::Want(row.want.clone()),
            });
        }
        holding_ops::change(conn, filling, &changes, now)?;
    }
    Ok(())
}

pub(crate) fn leaving(conn: &mut Conn) -> Done<Vec<LeavingObject>> {
    let found: Vec<ObjectRow> = store_objects::table
        .filter(store_objects::role.eq(LEAVING))
        .order((
            store_objects::next_try_at.is_not_null(),
            store_objects::next_try_at,
            store_objects::id,
        ))
        .select(ObjectRow::as_select())
        .load(conn)?;
    found
        .into_iter()
        .map(|row| {
            Ok(LeavingObject {
                id: ObjectId(row.id),
                index_id: id("store_objects.index_id", &row.index_id)?,
                agent_id: id(
                    "store_objects.agent_id",
                    row.agent_id.as_deref().unwrap_or_default(),
                )?,
                backend: row.backend()?,
                remote: row.remote()?,
                attempts: row.attempts,
                next_try_at: time(row.next_try_at.unwrap_or(row.since)),
            })
        })
        .collect()
}

pub(crate) fn settle_leaving(
    conn: &mut Conn,
    object: ObjectId,
    retry_at: Option<Timestamp>,
) -> Done<()> {
    let row = store_objects::table
        .filter(store_objects::id.eq(object.0))
        .filter(store_objects::role.eq(LEAVING));
    match retry_at {
        None => diesel::delete(row).execute(conn)?,
        Some(at) => diesel::update(row)
            .set((
                store_objects::attempts.eq(store_objects::attempts + 1),
                store_objects::next_try_at.eq(db_time(at)),
            ))
            .execute(conn)?,
    };
    Ok(())
}
