//! Forgetting what is old.

use diesel::prelude::*;
use domain::Timestamp;
use domain::page::PageState;
use domain::run::RunStatus;

use crate::convert::db_time;
use crate::dialect::Conn;
use crate::error::Done;
use crate::schema::{bodies, comments, events, indexes, outbox, sync_runs, synced_pages};

/// Runs that are over (each index keeps its newest, and the one whose confirmation it awaits), events, removed pages that
/// neither the store nor the outbox holds any more, and bodies and comments that no page of any index needs. Tombstones stay until
/// their object is gone, however long that takes.
pub(crate) fn everything(conn: &mut Conn, before: Timestamp) -> Done<()> {
    let before = db_time(before);
    runs(conn, before)?;
    diesel::delete(events::table.filter(events::at.lt(before))).execute(conn)?;

    let sending = diesel::dsl::exists(
        outbox::table
            .filter(outbox::index_id.eq(synced_pages::index_id))
            .filter(outbox::page_id.eq(synced_pages::page_id)),
    );
    diesel::delete(
        synced_pages::table
            .filter(synced_pages::state.eq(PageState::Removed.as_str()))
            .filter(synced_pages::changed_at.lt(before))
            .filter(synced_pages::stored_hash.is_null())
            .filter(diesel::dsl::not(sending)),
    )
    .execute(conn)?;

    let needed = synced_pages::table
        .filter(synced_pages::state.ne(PageState::Removed.as_str()))
        .select(synced_pages::page_id);
    diesel::delete(bodies::table.filter(bodies::page_id.ne_all(needed))).execute(conn)?;

    // Comments stay as long as an index that wants them holds their page.
    let wanted = synced_pages::table
        .inner_join(indexes::table.on(indexes::id.eq(synced_pages::index_id)))
        .filter(indexes::include_comments)
        .filter(synced_pages::state.ne(PageState::Removed.as_str()))
        .select(synced_pages::page_id);
    diesel::delete(comments::table.filter(comments::page_id.ne_all(wanted))).execute(conn)?;
    Ok(())
}

fn runs(conn: &mut Conn, before: chrono::NaiveDateTime) -> Done<()> {
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
