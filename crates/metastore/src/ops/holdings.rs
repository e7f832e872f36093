//! Holdings: every change goes through [`change`], which applies it as `domain` says and keeps the words of the pages in step.

use std::collections::{BTreeMap, HashMap};

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use domain::content::ContentKind;
use domain::history::noted;
use domain::holding::{Change, Holding, HoldingChange, Wanted};
use domain::page::{PageState, Standing};
use domain::ports::store::{ObjectRole, OpenCounts, OpenHolding, StuckRemovals};
use domain::{IndexId, ObjectId, PageId, Timestamp, WorkerId};

use super::history::{self, Noted};
use super::objects;
use crate::convert::{db_time, opt_time, rows, time, word};
use crate::dialect::{self, Conn, Db, IDS};
use crate::error::Done;
use crate::rows::{Derived, HoldingRow, NONE};
use crate::schema::{holdings, store_objects, synced_pages};

/// The rows of pages of which this object has something to quote: [`Holding::is_quotable`].
pub(crate) fn quotable(
    object: ObjectId,
) -> Box<dyn BoxableExpression<synced_pages::table, Db, SqlType = Bool>> {
    let held = holdings::table
        .filter(holdings::object_id.eq(object.0))
        .filter(holdings::page_id.eq(synced_pages::page_id))
        .filter(holdings::want.is_not_null())
        .filter(holdings::have.ne(NONE));
    Box::new(exists(held))
}

/// Applies changes in their order; answers of each whether it applied.
pub(crate) fn change(
    conn: &mut Conn,
    object: ObjectId,
    changes: &[HoldingChange],
    now: Timestamp,
) -> Done<Vec<bool>> {
    let owner = objects::find(conn, object)?;
    let mut ids: Vec<&str> = changes.iter().map(|c| c.page_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut known: HashMap<String, (ContentKind, Holding, chrono::NaiveDateTime)> = HashMap::new();
    for row in load(conn, object.0, &ids)? {
        let (page, since) = (row.page_id.clone(), row.since);
        let kind = word("holdings.kind", &row.kind, ContentKind::parse)?;
        known.insert(page, (kind, row.holding()?, since));
    }
    let present = db_time(now);
    let mut applied = Vec::with_capacity(changes.len());
    let mut touched: BTreeMap<&str, ()> = BTreeMap::new();
    let mut told = Vec::new();
    for HoldingChange {
        page_id,
        kind,
        change,
    } in changes
    {
        let (_, holding, since) = known
            .entry(page_id.to_string())
            .or_insert_with(|| (*kind, Holding::default(), present));
        let before = holding.clone();
        let applies = holding.apply(change, now);
        applied.push(applies);
        if let Some((change, reason)) = noted(&before, change).filter(|_| applies) {
            told.push(Noted {
                page: page_id.as_str(),
                kind: *kind,
                change,
                reason,
            });
        }
        if *holding != before {
            touched.insert(page_id.as_str(), ());
        }
        if holding.want() != before.want() {
            *since = present;
        }
    }
    let (gone, kept): (Vec<&str>, Vec<&str>) = touched
        .into_keys()
        .partition(|page| known[*page].1 == Holding::default());
    let written: Vec<HoldingRow> = kept
        .iter()
        .map(|page| {
            let (kind, holding, since) = &known[*page];
            HoldingRow::new((object.0, page, *kind), holding, *since)
        })
        .collect();
    dialect::put_holdings(conn, &written)?;
    let of_object = || holdings::table.filter(holdings::object_id.eq(object.0));
    for ids in gone.chunks(IDS) {
        diesel::delete(of_object().filter(holdings::page_id.eq_any(ids))).execute(conn)?;
    }
    if owner.role == ObjectRole::Serving.as_str() {
        let touched: Vec<(&str, &Holding)> = kept
            .into_iter()
            .chain(gone)
            .map(|page| (page, &known[page].1))
            .collect();
        derive(conn, &owner.index_id, &touched, present)?;
        // Another object that a move fills gets everything; what people ask for is what the index gained and lost.
        history::note(conn, &owner.index_id, told)?;
    }
    Ok(applied)
}

/// What the object that answers is to hold of pages of one index.
pub(crate) fn want(conn: &mut Conn, index: IndexId, wanted: &[Wanted], now: Timestamp) -> Done<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let serving = objects::serving(conn, &index.to_string())?;
    let changes: Vec<HoldingChange> = wanted
        .iter()
        .map(|wanted| HoldingChange {
            page_id: wanted.page_id.clone(),
            kind: wanted.kind,
            change: Change::Want(wanted.want.clone()),
        })
        .collect();
    change(conn, ObjectId(serving.id), &changes, now)?;
    Ok(())
}

fn load(conn: &mut Conn, object: i64, ids: &[&str]) -> Done<Vec<HoldingRow>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        found.extend(
            holdings::table
                .filter(holdings::object_id.eq(object))
                .filter(holdings::page_id.eq_any(ids))
                .select(HoldingRow::as_select())
                .load::<HoldingRow>(conn)?,
        );
    }
    Ok(found)
}

/// What the object that answers holds of pages of an index.
pub(crate) fn serving(
    conn: &mut Conn,
    index: &str,
    ids: &[&str],
) -> Done<HashMap<String, Holding>> {
    let Some(object) = objects::in_role(conn, index, ObjectRole::Serving)? else {
        return Ok(HashMap::new());
    };
    load(conn, object.id, ids)?
        .into_iter()
        .map(|row| Ok((row.page_id.clone(), row.holding()?)))
        .collect()
}

/// Writes what follows from how pages stand and from their holdings, after the holdings changed.
fn derive(
    conn: &mut Conn,
    index: &str,
    changed: &[(&str, &Holding)],
    now: chrono::NaiveDateTime,
) -> Done<()> {
    type Columns = (String, String, String, bool, bool);
    for some in changed.chunks(IDS) {
        let of_page: HashMap<&str, &Holding> = some.iter().copied().collect();
        let pages: Vec<Columns> = synced_pages::table
            .filter(synced_pages::index_id.eq(index))
            .filter(synced_pages::page_id.eq_any(of_page.keys()))
            .select((
                synced_pages::page_id,
                synced_pages::standing,
                synced_pages::state,
                synced_pages::kept,
                synced_pages::document,
            ))
            .load(conn)?;
        let mut groups: BTreeMap<Derived, Vec<&str>> = BTreeMap::new();
        for (page, standing, state, kept, document) in &pages {
            let standing = word("synced_pages.standing", standing, Standing::parse)?;
            let derived = Derived::of(standing, of_page[page.as_str()]);
            if (derived.state.as_str(), derived.kept, derived.document)
                != (state.as_str(), *kept, *document)
            {
                groups.entry(derived).or_default().push(page);
            }
        }
        for (derived, ids) in groups {
            let of_group = || {
                synced_pages::table
                    .filter(synced_pages::index_id.eq(index))
                    .filter(synced_pages::page_id.eq_any(&ids))
            };
            diesel::update(of_group())
                .set((
                    synced_pages::state.eq(derived.state.as_str()),
                    synced_pages::kept.eq(derived.kept),
                    synced_pages::document.eq(derived.document),
                ))
                .execute(conn)?;
            if derived.state == PageState::Removed {
                // From now on it is told as removed.
                diesel::update(of_group())
                    .set(synced_pages::changed_at.eq(now))
                    .execute(conn)?;
            }
        }
    }
    Ok(())
}

/// As [`derive()`], of every page of an index: another object answers, or the rows came from an older version.
pub(crate) fn derive_all(conn: &mut Conn, index: &str, now: chrono::NaiveDateTime) -> Done<()> {
    let none = Holding::default();
    let mut after = String::new();
    loop {
        let ids: Vec<String> = synced_pages::table
            .filter(synced_pages::index_id.eq(index))
            .filter(synced_pages::page_id.gt(&after))
            .order(synced_pages::page_id)
            .select(synced_pages::page_id)
            .limit(rows(IDS))
            .load(conn)?;
        let Some(last) = ids.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let held = serving(conn, index, &ids)?;
        let pages: Vec<(&str, &Holding)> = ids
            .into_iter()
            .map(|page| (page, held.get(page).unwrap_or(&none)))
            .collect();
        derive(conn, index, &pages, now)?;
    }
}

/// Rows to send now, those first that are due the longest.
pub(crate) fn due(
    conn: &mut Conn,
    object: ObjectId,
    (now, began): (Timestamp, Timestamp),
    limit: usize,
) -> Done<Vec<OpenHolding>> {
    let found: Vec<HoldingRow> = holdings::table
        .filter(holdings::object_id.eq(object.0))
        .filter(holdings::open)
        .filter(holdings::next_try_at.le(db_time(now)))
        .filter(
            holdings::failed_at
                .is_null()
                .or(holdings::failed_at.lt(db_time(began))),
        )
        .order((holdings::next_try_at, holdings::page_id))
        .limit(rows(limit))
        .select(HoldingRow::as_select())
        .load(conn)?;
    found.into_iter().map(TryInto::try_into).collect()
}

pub(crate) fn accepted(conn: &mut Conn, object: ObjectId, limit: usize) -> Done<Vec<OpenHolding>> {
    let found: Vec<HoldingRow> = holdings::table
        .filter(holdings::object_id.eq(object.0))
        .filter(holdings::open)
        .filter(holdings::accepted_at.is_not_null())
        .order(holdings::page_id)
        .limit(rows(limit))
        .select(HoldingRow::as_select())
        .load(conn)?;
    found.into_iter().map(TryInto::try_into).collect()
}

pub(crate) fn all(
    conn: &mut Conn,
    object: ObjectId,
    after: Option<&PageId>,
    limit: usize,
) -> Done<Vec<OpenHolding>> {
    let found: Vec<HoldingRow> = holdings::table
        .filter(holdings::object_id.eq(object.0))
        .filter(holdings::page_id.gt(after.map_or("", PageId::as_str)))
        .order(holdings::page_id)
        .limit(rows(limit))
        .select(HoldingRow::as_select())
        .load(conn)?;
    found.into_iter().map(TryInto::try_into).collect()
}

pub(crate) fn counts(conn: &mut Conn, object: ObjectId) -> Done<OpenCounts> {
    let open = || {
        holdings::table
            .filter(holdings::object_id.eq(object.0))
            .filter(holdings::open)
    };
    let oldest: Option<chrono::NaiveDateTime> = open()
        .select(diesel::dsl::min(holdings::since))
        .first(conn)?;
    Ok(OpenCounts {
        waiting: open()
            .filter(holdings::next_try_at.is_not_null())
            .count()
            .get_result(conn)?,
        claimed: open()
            .filter(holdings::claimed_by.is_not_null())
            .count()
            .get_result(conn)?,
        accepted: open()
            .filter(holdings::accepted_at.is_not_null())
            .count()
            .get_result(conn)?,
        oldest: oldest.map_or(0, |at| time(at).timestamp()),
    })
}

pub(crate) fn next_due(conn: &mut Conn, object: ObjectId) -> Done<Option<Timestamp>> {
    let next = holdings::table
        .filter(holdings::object_id.eq(object.0))
        .filter(holdings::open)
        .select(diesel::dsl::min(holdings::next_try_at))
        .first(conn)?;
    Ok(opt_time(next))
}

pub(crate) fn stuck_removals(conn: &mut Conn, index: IndexId) -> Done<Option<StuckRemovals>> {
    let Some(serving) = objects::in_role(conn, &index.to_string(), ObjectRole::Serving)? else {
        return Ok(None);
    };
    let stuck = || {
        holdings::table
            .filter(holdings::object_id.eq(serving.id))
            .filter(holdings::open)
            .filter(holdings::next_try_at.is_not_null())
            .filter(holdings::want.is_null())
            .filter(holdings::last_error.is_not_null())
    };
    let documents: i64 = stuck().count().get_result(conn)?;
    if documents == 0 {
        return Ok(None);
    }
    let last_error: Option<String> = stuck()
        .order((holdings::attempts.desc(), holdings::page_id))
        .select(holdings::last_error)
        .first(conn)?;
    Ok(Some(StuckRemovals {
        documents,
        last_error: last_error.unwrap_or_default(),
    }))
}

/// Takes back what workers have claimed that live no more.
pub(crate) fn release(conn: &mut Conn, living: &[WorkerId], now: Timestamp) -> Done<usize> {
    let living: Vec<String> = living.iter().map(ToString::to_string).collect();
    let claimed: Vec<HoldingRow> = holdings::table
        .filter(holdings::open)
        .filter(holdings::claimed_by.is_not_null())
        .filter(holdings::claimed_by.ne_all(living.into_iter().map(Some)))
        .select(HoldingRow::as_select())
        .load(conn)?;
    let number = claimed.len();
    let mut by_object: BTreeMap<i64, Vec<HoldingChange>> = BTreeMap::new();
    for row in claimed {
        let change = HoldingChange {
            kind: word("holdings.kind", &row.kind, ContentKind::parse)?,
            page_id: row.page_id.into(),
            change: Change::Release,
        };
        by_object.entry(row.object_id).or_default().push(change);
    }
    for (object, changes) in by_object {
        change(conn, ObjectId(object), &changes, now)?;
    }
    Ok(number)
}

/// The object is another one than before: it holds nothing, and everything that is wanted there is to be sent.
pub(crate) fn lose(conn: &mut Conn, object: ObjectId, now: Timestamp) -> Done<()> {
    let mut after: Option<PageId> = None;
    loop {
        let some = all(conn, object, after.as_ref(), IDS)?;
        let Some(last) = some.last() else {
            return Ok(());
        };
        after = Some(last.page_id.clone());
        let changes: Vec<HoldingChange> = some
            .into_iter()
            .map(|row| HoldingChange {
                page_id: row.page_id,
                kind: row.kind,
                change: Change::Lost,
            })
            .collect();
        change(conn, object, &changes, now)?;
    }
}

/// After an older version wrote the rows: of every index.
pub(crate) fn derive_everywhere(conn: &mut Conn, now: chrono::NaiveDateTime) -> Done<()> {
    let serving: Vec<String> = store_objects::table
        .filter(store_objects::role.eq(ObjectRole::Serving.as_str()))
        .select(store_objects::index_id)
        .load(conn)?;
    serving
        .iter()
        .try_for_each(|index| derive_all(conn, index, now))
}
