//! Forgetting what is old, in slices: no other writer waits for long.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::Timestamp;
use domain::audit::EntryKind;
use domain::page::PageState;
use domain::ports::store::StoreResult;
use domain::run::RunStatus;

use super::sites::{SITE, its_indexes};
use crate::convert::db_time;
use crate::dialect::{Conn, IDS};
use crate::error::Done;
use crate::handle::{Metastore, SLICE};
use crate::schema::{
    audit, bodies, comments, events, indexes, notices, section_edits, sync_runs, synced_pages,
};

/// Runs that are over (each index keeps its newest, and the one whose confirmation it awaits), events, notices, who did what, what
/// changed by heading, removed pages (of which the store holds nothing any more), and bodies and comments that no page of any index
/// needs. Objects that are to be removed
/// stay until they are gone, however long that takes.
pub(crate) async fn everything(store: &Metastore, before: Timestamp) -> StoreResult<()> {
    let before = db_time(before);
    store.write(move |conn| runs(conn, before)).await?;
    while store.write(move |conn| old_events(conn, before)).await? {}
    store.write(move |conn| old_notices(conn, before)).await?;
    while store
        .write(move |conn| old_audit(conn, EntryKind::Change, before))
        .await?
    {}
    while store.write(move |conn| removed_pages(conn, before)).await? {}
    while store
        .write(move |conn| old_section_edits(conn, before))
        .await?
    {}
    // Found by a reader, since that takes a look at every body; looked at once more where they are deleted.
    let unneeded = store.read(unneeded_bodies).await?;
    for ids in unneeded.chunks(IDS) {
        let ids = ids.to_vec();
        store.write(move |conn| delete_bodies(conn, &ids)).await?;
    }
    while store.write(unwanted_comments).await? {}
    Ok(())
}

fn old_events(conn: &mut Conn, before: NaiveDateTime) -> Done<bool> {
    let numbers: Vec<i64> = events::table
        .filter(events::at.lt(before))
        .select(events::seq)
        .order(events::seq)
        .limit(SLICE)
        .load(conn)?;
    for ids in numbers.chunks(IDS) {
        diesel::delete(events::table.filter(events::seq.eq_any(ids))).execute(conn)?;
    }
    Ok(is_slice(numbers.len()))
}

/// Who asked what, which has a time of its own.
pub(crate) async fn asked(store: &Metastore, before: Timestamp) -> StoreResult<()> {
    let before = db_time(before);
    while store
        .write(move |conn| old_audit(conn, EntryKind::Question, before))
        .await?
    {}
    Ok(())
}

fn old_audit(conn: &mut Conn, kind: EntryKind, before: NaiveDateTime) -> Done<bool> {
    let numbers: Vec<i64> = audit::table
        .filter(audit::kind.eq(kind.as_str()))
        .filter(audit::at.lt(before))
        .select(audit::id)
        .order(audit::at)
        .limit(SLICE)
        .load(conn)?;
    for ids in numbers.chunks(IDS) {
        diesel::delete(audit::table.filter(audit::id.eq_any(ids))).execute(conn)?;
    }
    Ok(is_slice(numbers.len()))
}

/// One a run at most: few.
fn old_notices(conn: &mut Conn, before: NaiveDateTime) -> Done<()> {
    diesel::delete(notices::table.filter(notices::at.lt(before))).execute(conn)?;
    Ok(())
}

fn old_section_edits(conn: &mut Conn, before: NaiveDateTime) -> Done<bool> {
    // Those of one moment were written together, a few at a time.
    let moments: Vec<NaiveDateTime> = section_edits::table
        .filter(section_edits::at.lt(before))
        .select(section_edits::at)
        .order(section_edits::at)
        .limit(SLICE)
        .load(conn)?;
    if let Some(last) = moments.last() {
        diesel::delete(section_edits::table.filter(section_edits::at.le(last))).execute(conn)?;
    }
    Ok(is_slice(moments.len()))
}

fn removed_pages(conn: &mut Conn, before: NaiveDateTime) -> Done<bool> {
    let mut rows: Vec<(String, String)> = synced_pages::table
        .filter(synced_pages::state.eq(PageState::Removed.as_str()))
        .filter(synced_pages::changed_at.lt(before))
        .select((synced_pages::index_id, synced_pages::page_id))
        .limit(SLICE)
        .load(conn)?;
    rows.sort();
    for of_index in rows.chunk_by(|a, b| a.0 == b.0) {
        for some in of_index.chunks(IDS) {
            let ids: Vec<&str> = some.iter().map(|(_, page)| page.as_str()).collect();
            let pages = synced_pages::table.filter(synced_pages::index_id.eq(&some[0].0));
            diesel::delete(pages.filter(synced_pages::page_id.eq_any(ids))).execute(conn)?;
        }
    }
    Ok(is_slice(rows.len()))
}

fn unneeded_bodies(conn: &mut Conn) -> Done<Vec<String>> {
    let needed = synced_pages::table
        .filter(synced_pages::index_id.eq_any(its_indexes()))
        .filter(synced_pages::state.ne(PageState::Removed.as_str()))
        .select(synced_pages::page_id);
    Ok(bodies::table
        .filter(bodies::site_id.eq(SITE))
        .filter(bodies::page_id.ne_all(needed))
        .select(bodies::page_id)
        .load(conn)?)
}

fn delete_bodies(conn: &mut Conn, ids: &[String]) -> Done<()> {
    let needed: Vec<String> = synced_pages::table
        .filter(synced_pages::index_id.eq_any(its_indexes()))
        .filter(synced_pages::state.ne(PageState::Removed.as_str()))
        .filter(synced_pages::page_id.eq_any(ids))
        .select(synced_pages::page_id)
        .load(conn)?;
    let still: Vec<&String> = ids.iter().filter(|id| !needed.contains(id)).collect();
    let of_site = bodies::table.filter(bodies::site_id.eq(SITE));
    diesel::delete(of_site.filter(bodies::page_id.eq_any(still))).execute(conn)?;
    Ok(())
}

fn unwanted_comments(conn: &mut Conn) -> Done<bool> {
    // Comments stay as long as an index that wants them holds their page.
    let wanted = synced_pages::table
        .inner_join(indexes::table.on(indexes::id.eq(synced_pages::index_id)))
        .filter(indexes::include_comments)
        .filter(indexes::site_id.eq(SITE))
        .filter(synced_pages::state.ne(PageState::Removed.as_str()))
        .select(synced_pages::page_id);
    let of_site = comments::table.filter(comments::site_id.eq(SITE));
    let pages: Vec<String> = of_site
        .filter(comments::page_id.ne_all(wanted))
        .select(comments::page_id)
        .distinct()
        .limit(SLICE)
        .load(conn)?;
    for ids in pages.chunks(IDS) {
        diesel::delete(of_site.filter(comments::page_id.eq_any(ids))).execute(conn)?;
    }
    Ok(is_slice(pages.len()))
}

fn is_slice(rows: usize) -> bool {
    i64::try_from(rows).is_ok_and(|rows| rows == SLICE)
}

fn runs(conn: &mut Conn, before: NaiveDateTime) -> Done<()> {
    let all: Vec<(String, Option<String>)> = indexes::table
        .select((indexes::id, indexes::awaiting_confirmation))
        .load(conn)?;
    for (index, awaited) in all {
        let newest: Option<String> = sync_runs::table
            .filter(sync_runs::index_id.eq(&index))
            .filter(sync_runs::dry_run.eq(false))
            .order(sync_runs::id.desc())
            .select(sync_runs::id)
            .first(conn)
            .optional()?;
        let keep: Vec<String> = newest.into_iter().chain(awaited).collect();
        diesel::delete(
            sync_runs::table
                .filter(sync_runs::index_id.eq(&index))
                .filter(sync_runs::finished_at.lt(before))
                .filter(sync_runs::status.ne_all([
                    RunStatus::Pending.as_str(),
                    RunStatus::Running.as_str(),
                    RunStatus::Canceling.as_str(),
                ]))
                .filter(sync_runs::id.ne_all(keep)),
        )
        .execute(conn)?;
    }
    Ok(())
}
