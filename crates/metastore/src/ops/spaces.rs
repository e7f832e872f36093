//! Spaces of indexes: by the key as given, followed by their id.

use std::collections::HashMap;

use diesel::prelude::*;
use domain::content::Space;
use domain::index::{IndexSpace, SpaceState};
use domain::{IndexId, SpaceKey};

use super::sites::its_indexes;
use crate::dialect::{self, Conn};
use crate::error::Done;
use crate::rows::SpaceRow;
use crate::schema::index_spaces;

pub(crate) fn of_index(conn: &mut Conn, index: &str) -> Done<Vec<SpaceRow>> {
    Ok(of_indexes(conn, &[index])?
        .remove(index)
        .unwrap_or_default())
}

/// Rows per index, in the order in which the administrator gave the keys.
pub(crate) fn of_indexes(conn: &mut Conn, ids: &[&str]) -> Done<HashMap<String, Vec<SpaceRow>>> {
    let all: Vec<SpaceRow> = index_spaces::table
        .filter(index_spaces::index_id.eq_any(ids))
        .order((index_spaces::index_id, index_spaces::position))
        .select(SpaceRow::as_select())
        .load(conn)?;
    let mut by_index: HashMap<String, Vec<SpaceRow>> = HashMap::new();
    for row in all {
        by_index.entry(row.index_id.clone()).or_default().push(row);
    }
    Ok(by_index)
}

/// Makes the rows those of exactly these keys. A key that has a row keeps it as it stands: what was seen of it outside of this
/// transaction may be older. Only where the row does not know the space yet does it take what was seen.
pub(crate) fn replace(
    conn: &mut Conn,
    index: &str,
    keys: &[SpaceKey],
    seen: &[IndexSpace],
) -> Done<()> {
    let mut old: HashMap<String, SpaceRow> = of_index(conn, index)?
        .into_iter()
        .map(|row| (row.space_key.clone(), row))
        .collect();
    let new: Vec<SpaceRow> = keys
        .iter()
        .enumerate()
        .map(|(position, key)| {
            let mut row = SpaceRow::unseen(index, position, key);
            if let Some(known) = old.remove(key.as_str()) {
                row = SpaceRow {
                    position: row.position,
                    ..known
                };
            }
            let seen = seen.iter().find(|space| space.key == *key);
            if let Some(seen) = seen.filter(|_| row.space_id.is_none()) {
                row.absorb(seen);
            }
            row
        })
        .collect();
    diesel::delete(index_spaces::table.filter(index_spaces::index_id.eq(index))).execute(conn)?;
    dialect::put_spaces(conn, &new)
}

/// Records what was seen; keys that the index no longer has are left out.
pub(crate) fn record(conn: &mut Conn, index: IndexId, seen: &[IndexSpace]) -> Done<()> {
    let mut rows = of_index(conn, &index.to_string())?;
    rows.retain_mut(|row| {
        let found = seen
            .iter()
            .find(|space| space.key.as_str() == row.space_key);
        if let Some(space) = found {
            row.absorb(space);
        }
        found.is_some()
    });
    dialect::put_spaces(conn, &rows)
}

/// Every space that was ever seen, once, by id.
pub(crate) fn known(conn: &mut Conn) -> Done<Vec<Space>> {
    let rows: Vec<SpaceRow> = index_spaces::table
        .filter(index_spaces::space_id.is_not_null())
        .filter(index_spaces::index_id.eq_any(its_indexes()))
        // Those that were never synchronized last: where nothing sorts is not the same in both databases.
        .order((
            index_spaces::space_id,
            index_spaces::last_sync_at.is_null(),
            index_spaces::last_sync_at.desc(),
        ))
        .select(SpaceRow::as_select())
        .load(conn)?;
    let mut spaces: Vec<Space> = Vec::new();
    for row in rows {
        let Some(id) = &row.space_id else { continue };
        if spaces.last().is_some_and(|last| last.id.as_str() == id) {
            continue;
        }
        let key = row.present_key();
        spaces.push(Space {
            id: id.as_str().into(),
            key: key.into(),
            alias: row.alias.clone().map(Into::into),
            name: row.name.clone().unwrap_or_else(|| key.to_owned()),
            kind: if key.starts_with('~') {
                "personal"
            } else {
                "global"
            }
            .to_owned(),
            archived: row.state == SpaceState::Archived.as_str(),
            url: row.url.clone().unwrap_or_default(),
        });
    }
    Ok(spaces)
}

/// Present keys by space id: of this index, and of others for pages whose space was taken out of it.
pub(crate) fn keys(conn: &mut Conn, index: IndexId) -> Done<HashMap<String, SpaceKey>> {
    let index = index.to_string();
    let rows: Vec<SpaceRow> = index_spaces::table
        .filter(index_spaces::space_id.is_not_null())
        .filter(index_spaces::index_id.eq_any(its_indexes()))
        .select(SpaceRow::as_select())
        .load(conn)?;
    let (own, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.index_id == index);
    Ok(others
        .into_iter()
        .chain(own)
        .filter_map(|row| Some((row.space_id.clone()?, row.present_key().into())))
        .collect())
}
