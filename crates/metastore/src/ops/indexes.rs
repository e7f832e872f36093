//! Indexes: settings, status, progress.

use std::collections::{BTreeSet, HashMap};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::prelude::*;
use domain::index::{Index, IndexPatch, IndexSettings, IndexSpace, IndexStatus, Moving};
use domain::ports::store::{IndexState, Listed, NewIndex, ObjectRole};
use domain::query::QueryTarget;
use domain::{AgentId, IndexId, ObjectId, Timestamp, TokenId};

use super::{access, objects, runs, spaces, tokens};
use crate::convert::{db_time, id, limit, opt_db_time, opt_time, rows, time};
use crate::cursor;
use crate::dialect::{Conn, IDS};
use crate::error::{Done, conflict, failed, not_found};
use crate::rows::{IndexRow, ObjectRow, SettingsChange, SpaceRow};
use crate::schema::{document_counts, events, holdings, indexes, synced_pages};

pub(crate) fn row(conn: &mut Conn, index: IndexId) -> Done<IndexRow> {
    indexes::table
        .find(index.to_string())
        .select(IndexRow::as_select())
        .first(conn)
        .optional()?
        .ok_or_else(|| not_found(format!("index {index}")).into())
}

pub(crate) fn state(conn: &mut Conn, index: IndexId, now: Timestamp) -> Done<IndexState> {
    let row = row(conn, index)?;
    compose_one(conn, row, now)
}

pub(crate) fn id_of_agent(conn: &mut Conn, agent: &AgentId) -> Done<IndexId> {
    let found: Option<String> = indexes::table
        .filter(indexes::agent_id.eq(agent.as_str()))
        .select(indexes::id)
        .first(conn)
        .optional()?;
    let found = found.ok_or_else(|| not_found(format!("index of agent {agent}")))?;
    id("indexes.id", &found)
}

/// The index as a question needs it.
pub(crate) fn target(conn: &mut Conn, index: IndexId, now: Timestamp) -> Done<QueryTarget> {
    let row = row(conn, index)?;
    let spaces = spaces_with_counts(conn, &[&row.id])?.remove(&row.id);
    let serving = objects::serving(conn, &row.id)?;
    let as_of = as_of(conn, &row, now)?;
    row.to_target(spaces.unwrap_or_default().spaces, &serving, as_of)
}

pub(crate) fn targets(conn: &mut Conn, now: Timestamp) -> Done<Vec<QueryTarget>> {
    let all = by_name(conn)?;
    let ids: Vec<&str> = all.iter().map(|row| row.id.as_str()).collect();
    let mut spaces = spaces_with_counts(conn, &ids)?;
    let objects = objects::in_use(conn, &ids)?;
    all.iter()
        .map(|row| {
            let spaces = spaces.remove(&row.id).unwrap_or_default().spaces;
            row.to_target(spaces, serving(&objects, row)?, as_of(conn, row, now)?)
        })
        .collect()
}

/// See [`Index::as_of`]. The runs are asked only where the row was written by a clock that was ahead.
fn as_of(conn: &mut Conn, row: &IndexRow, now: Timestamp) -> Done<Option<Timestamp>> {
    match opt_time(row.synced_at) {
        Some(ahead) if ahead > now => runs::synced_at(conn, &row.id, now),
        truthful => Ok(truthful),
    }
}

pub(crate) fn states(conn: &mut Conn, now: Timestamp) -> Done<Vec<IndexState>> {
    let all = by_name(conn)?;
    compose(conn, all, now)
}

fn by_name(conn: &mut Conn) -> Done<Vec<IndexRow>> {
    Ok(indexes::table
        .order((indexes::name_lower, indexes::id))
        .select(IndexRow::as_select())
        .load(conn)?)
}

pub(crate) fn page_of_list(
    conn: &mut Conn,
    after: Option<&str>,
    asked: usize,
    now: Timestamp,
) -> Done<Listed<Index>> {
    let limit = limit(asked);
    let mut query = indexes::table
        .order((indexes::name_lower, indexes::id))
        .select(IndexRow::as_select())
        .limit(rows(limit + 1))
        .into_boxed();
    if let Some(after) = after {
        let [name, id] = cursor::decode("indexes", after)?;
        query = query.filter(
            indexes::name_lower
                .gt(name.clone())
                .or(indexes::name_lower.eq(name).and(indexes::id.gt(id))),
        );
    }
    let mut found: Vec<IndexRow> = query.load(conn)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|last| cursor::encode("indexes", [&last.name_lower, &last.id]));
    let items = compose(conn, found, now)?
        .into_iter()
        .map(|s| s.index)
        .collect();
    Ok(Listed { items, next_cursor })
}

fn compose_one(conn: &mut Conn, row: IndexRow, now: Timestamp) -> Done<IndexState> {
    let missing = || not_found("such index");
    compose(conn, vec![row], now)?
        .pop()
        .ok_or_else(|| missing().into())
}

/// Adds spaces, counts, objects and last runs to index rows: three statements for all of them, one for each, and more for each
/// that moves.
fn compose(conn: &mut Conn, all: Vec<IndexRow>, now: Timestamp) -> Done<Vec<IndexState>> {
    let ids: Vec<&str> = all.iter().map(|row| row.id.as_str()).collect();
    let mut counted = spaces_with_counts(conn, &ids)?;
    let objects = objects::in_use(conn, &ids)?;
    all.iter()
        .map(|row| {
            let Counted { spaces, documents } = counted.remove(&row.id).unwrap_or_default();
            let last_run = runs::newest(conn, &row.id)?;
            let serving = serving(&objects, row)?;
            let filling = of_role(&objects, row, ObjectRole::Filling);
            let moving = filling.map(|filling| moving(conn, filling)).transpose()?;
            let as_of = as_of(conn, row, now)?;
            Ok(IndexState {
                index: row.to_index(spaces, documents, (last_run, as_of), serving, moving)?,
                progress: row.progress()?,
                serving: ObjectId(serving.id),
                filling: filling.map(|filling| ObjectId(filling.id)),
            })
        })
        .collect()
}

fn moving(conn: &mut Conn, filling: &ObjectRow) -> Done<Moving> {
    let counts = objects::move_counts(conn, ObjectId(filling.id))?;
    Ok(Moving {
        backend: filling.backend()?,
        remote: filling.remote()?,
        documents: counts.documents,
        searchable: counts.searchable,
        failed: counts.failed + counts.failed_again,
        since: time(filling.since),
    })
}

/// The object of an index that is for this, among those of many.
fn of_role<'a>(
    objects: &'a [ObjectRow],
    row: &IndexRow,
    role: ObjectRole,
) -> Option<&'a ObjectRow> {
    let mut of_index = objects.iter().filter(|object| object.index_id == row.id);
    of_index.find(|object| object.role == role.as_str())
}

/// The object that answers.
fn serving<'a>(objects: &'a [ObjectRow], row: &IndexRow) -> Done<&'a ObjectRow> {
    of_role(objects, row, ObjectRole::Serving)
        .ok_or_else(|| failed(format!("index {} has no store object", row.id)).into())
}

/// The spaces of an index, and its documents: what the store holds and an answer may quote.
#[derive(Default)]
struct Counted {
    spaces: Vec<IndexSpace>,
    /// Also those of spaces that the index has no longer.
    documents: i64,
}

/// By index. Nothing is counted here: the database keeps the numbers as rows change.
fn spaces_with_counts(conn: &mut Conn, ids: &[&str]) -> Done<HashMap<String, Counted>> {
    let kept: Vec<(String, String, i64)> = document_counts::table
        .filter(document_counts::index_id.eq_any(ids))
        .select((
            document_counts::index_id,
            document_counts::space_id,
            document_counts::documents,
        ))
        .load(conn)?;
    let mut by_space: HashMap<String, HashMap<String, i64>> = HashMap::new();
    for (index, space, documents) in kept {
        by_space.entry(index).or_default().insert(space, documents);
    }
    spaces::of_indexes(conn, ids)?
        .into_iter()
        .map(|(index, rows)| {
            let counts = by_space.remove(&index).unwrap_or_default();
            let of = |row: &SpaceRow| row.space_id.as_ref().and_then(|id| counts.get(id)).copied();
            let spaces = rows.iter().map(|row| row.to_space(of(row).unwrap_or(0)));
            let counted = Counted {
                spaces: spaces.collect::<Done<_>>()?,
                documents: counts.values().sum(),
            };
            Ok((index, counted))
        })
        .collect()
}

pub(crate) fn create(
    conn: &mut Conn,
    new: &NewIndex,
    editor: Option<TokenId>,
    now: Timestamp,
) -> Done<Index> {
    let id = IndexId::generate();
    agent_is_free(conn, id, &new.settings.agent_id)?;
    let row = IndexRow::new(id, &new.settings, now);
    diesel::insert_into(indexes::table)
        .values(&row)
        .execute(conn)?;
    let backend = new.settings.backend.as_str();
    objects::create(conn, &row.id, backend, ObjectRole::Serving, now)?;
    spaces::replace(conn, &row.id, &new.settings.confluence_spaces, &new.spaces)?;
    if let Some(editor) = editor {
        tokens::give(conn, editor, &row.id)?;
    }
    Ok(compose_one(conn, row, now)?.index)
}

fn agent_is_free(conn: &mut Conn, index: IndexId, agent: &AgentId) -> Done<()> {
    let taken: Option<String> = indexes::table
        .filter(indexes::agent_id.eq(agent.as_str()))
        .filter(indexes::id.ne(index.to_string()))
        .select(indexes::name)
        .first(conn)
        .optional()?;
    match taken {
        Some(name) => Err(conflict(format!(
            "the agent id {agent} belongs to the index \"{name}\""
        ))
        .into()),
        None => Ok(()),
    }
}

/// The change is applied to the settings as this transaction finds them: another one may have come first.
pub(crate) fn update(
    conn: &mut Conn,
    index: IndexId,
    patch: IndexPatch,
    seen: &[IndexSpace],
    now: Timestamp,
) -> Done<Index> {
    let old = row(conn, index)?;
    let kept = spaces::of_index(conn, &old.id)?;
    let backend = objects::serving(conn, &old.id)?.backend()?;
    let before = old.settings(
        &kept
            .iter()
            .map(|space| space.to_space(0))
            .collect::<Done<Vec<_>>>()?,
        backend,
    )?;
    let after = patch.apply(before.clone());
    agent_is_free(conn, index, &after.agent_id)?;

    let scope = old.scope_revision + i32::from(scope_of(&before) != scope_of(&after));
    let (status, next_run_at) = after_change(&old, &before, &after, db_time(now))?;
    let target = indexes::table.find(&old.id);
    diesel::update(target)
        .set((
            // Only a move changes the store, with everything that goes with it.
            SettingsChange::from(&after),
            indexes::scope_revision.eq(scope),
            indexes::status.eq(status.as_str()),
            indexes::next_run_at.eq(next_run_at),
            indexes::updated_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    if after.access.is_per_user() && !before.access.is_per_user() {
        access::forget(conn, &old.id)?;
    }
    if after.confluence_spaces != before.confluence_spaces {
        spaces::replace(conn, &old.id, &after.confluence_spaces, seen)?;
    }
    Ok(state(conn, index, now)?.index)
}

/// What decides which pages belong; order does not.
fn scope_of(settings: &IndexSettings) -> impl PartialEq + use<> {
    let set = |words: &[String]| words.iter().cloned().collect::<BTreeSet<_>>();
    let keys: BTreeSet<_> = settings.confluence_spaces.iter().cloned().collect();
    (
        keys,
        set(&settings.labels),
        set(&settings.exclude_labels),
        set(&settings.root_page_ids),
        settings.restricted_pages,
        settings.access.is_per_user(),
        settings.include_blog_posts,
        settings.include_comments,
        settings.include_attachments,
    )
}

/// Status and next run after a change of settings: switching off forgets the schedule, switching on makes a run due now,
/// a shorter interval brings the next one nearer.
fn after_change(
    old: &IndexRow,
    before: &IndexSettings,
    after: &IndexSettings,
    now: NaiveDateTime,
) -> Done<(IndexStatus, Option<NaiveDateTime>)> {
    let status = old.status()?;
    if !after.enabled {
        let status = match status {
            IndexStatus::Syncing => IndexStatus::Syncing,
            _ => IndexStatus::Disabled,
        };
        return Ok((status, None));
    }
    if !before.enabled {
        let status = match (status, old.synced_at) {
            (IndexStatus::Disabled, Some(_)) => IndexStatus::Ok,
            (IndexStatus::Disabled, None) => IndexStatus::New,
            (other, _) => other,
        };
        return Ok((status, Some(now)));
    }
    let next = if before.interval_minutes == after.interval_minutes {
        old.next_run_at
    } else {
        let within = now + TimeDelta::minutes(i64::from(after.interval_minutes));
        Some(old.next_run_at.map_or(within, |due| due.min(within)))
    };
    Ok((status, next))
}

/// Deletes some of what an index has much of; whether there is more.
pub(crate) fn delete_slice(conn: &mut Conn, index: IndexId, most: i64) -> Done<bool> {
    let row = row(conn, index)?;
    let objects = objects::in_use(conn, &[&row.id])?;
    let objects: Vec<i64> = objects.iter().map(|object| object.id).collect();
    let held = holdings::table
        .filter(holdings::object_id.eq_any(&objects))
        .select((holdings::object_id, holdings::page_id))
        .order((holdings::object_id, holdings::page_id))
        .limit(most);
    let pages = synced_pages::table
        .filter(synced_pages::index_id.eq(&row.id))
        .select(synced_pages::page_id)
        .limit(most);
    let numbers = events::table
        .filter(events::index_id.eq(&row.id))
        .select(events::seq)
        .limit(most);
    let held: Vec<(i64, String)> = held.load(conn)?;
    let pages: Vec<String> = pages.load(conn)?;
    let numbers: Vec<i64> = numbers.load(conn)?;
    for some in held.chunk_by(|a, b| a.0 == b.0) {
        // In order: everything up to the last of them.
        let rows = holdings::table.filter(holdings::object_id.eq(some[0].0));
        let last = some.last().map_or("", |(_, page)| page);
        diesel::delete(rows.filter(holdings::page_id.le(last))).execute(conn)?;
    }
    for ids in pages.chunks(IDS) {
        let rows = synced_pages::table.filter(synced_pages::index_id.eq(&row.id));
        diesel::delete(rows.filter(synced_pages::page_id.eq_any(ids))).execute(conn)?;
    }
    for ids in numbers.chunks(IDS) {
        diesel::delete(events::table.filter(events::seq.eq_any(ids))).execute(conn)?;
    }
    let full = |count: usize| i64::try_from(count).is_ok_and(|count| count == most);
    Ok(full(held.len()) || full(pages.len()) || full(numbers.len()))
}

/// Deletes an index and, by cascade, everything that belongs to it; the agent id is free with the commit.
pub(crate) fn delete(conn: &mut Conn, index: IndexId, now: Timestamp) -> Done<()> {
    let row = row(conn, index)?;
    objects::leave_all(conn, &row, now)?;
    diesel::delete(indexes::table.find(&row.id)).execute(conn)?;
    tokens::revoke_agents_without_index(conn)
}

pub(crate) fn set_status(
    conn: &mut Conn,
    index: IndexId,
    status: IndexStatus,
    reason: Option<&str>,
) -> Done<()> {
    let changed = diesel::update(indexes::table.find(index.to_string()))
        .set((
            indexes::status.eq(status.as_str()),
            indexes::status_reason.eq(reason),
        ))
        .execute(conn)?;
    one(changed, index)
}

pub(crate) fn set_next_run(conn: &mut Conn, index: IndexId, at: Option<Timestamp>) -> Done<()> {
    let changed = diesel::update(indexes::table.find(index.to_string()))
        .set(indexes::next_run_at.eq(opt_db_time(at)))
        .execute(conn)?;
    one(changed, index)
}

fn one(changed: usize, index: IndexId) -> Done<()> {
    if changed == 0 {
        Err(not_found(format!("index {index}")).into())
    } else {
        Ok(())
    }
}

/// The spaces' rows of an index, for those who only need ids and keys.
pub(crate) fn spaces_of(conn: &mut Conn, index: IndexId) -> Done<Vec<SpaceRow>> {
    spaces::of_index(conn, &index.to_string())
}
