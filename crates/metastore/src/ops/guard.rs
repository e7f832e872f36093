//! The mass-deletion guard's question: its pages, its answer, and the way back from that.

use std::collections::BTreeSet;

use diesel::prelude::*;
use domain::guard::{self, Inquiry, InquiryState, SHOWN_OF_A_QUESTION};
use domain::index::IndexStatus;
use domain::page::Standing;
use domain::run::{Run, RunStatus};
use domain::{IndexId, PageId, RunId, Timestamp};

use super::{indexes as index_ops, listing, pages, runs};
use crate::convert::{db_time, opt_time};
use crate::dialect::{Conn, IDS};
use crate::error::{Done, conflict};
use crate::rows::IndexRow;
use crate::schema::{indexes, sync_runs};

/// Records the administrator's answer to the guard. Either way nothing waits any more: accepted removals happen with the
/// next sweep, refused ones not until the situation changes. A later run that found nothing new to ask may be answered in
/// place of the one that asked; an earlier one not, since it showed less. As long as the answer holds, the other one takes it back.
pub(crate) fn answer(
    conn: &mut Conn,
    run: RunId,
    accept: bool,
    by: Option<&str>,
    now: Timestamp,
) -> Done<Run> {
    let asked = runs::get(conn, run)?;
    let index = index_ops::row(conn, asked.index_id)?;
    may_answer(conn, &asked, &index, accept)?;
    let shown = index.progress()?.guarded_pages;
    if accept {
        withdraw(conn, asked.index_id, &shown, now)?;
    } else {
        retain(conn, asked.index_id, &shown, now)?;
    }
    diesel::update(indexes::table.find(&index.id))
        .set((
            indexes::awaiting_confirmation.eq(None::<String>),
            indexes::deletions_accepted.eq(accept),
            indexes::deletions_refused.eq(!accept),
            indexes::guard_answered_at.eq(db_time(now)),
            indexes::guard_answered_by.eq(by),
        ))
        .execute(conn)?;
    // While a run is under way, its end says how the index stands.
    let taken_back = index.awaiting_confirmation.is_none();
    let status = index.status()?;
    if status == IndexStatus::NeedsConfirmation || taken_back && status != IndexStatus::Syncing {
        let reason = if accept {
            "the removals were accepted; the next sweep carries them out".to_owned()
        } else {
            guard::refusal_in_words(&shown, Some(now))
        };
        let status = IndexStatus::Degraded;
        index_ops::set_status(conn, asked.index_id, status, Some(&reason))?;
    }
    runs::get(conn, run)
}

fn may_answer(conn: &mut Conn, run: &Run, index: &IndexRow, accept: bool) -> Done<()> {
    let id = run.id.to_string();
    let refused = |what: String| Err(conflict(what).into());
    let asking = match &index.awaiting_confirmation {
        Some(asking) => asking.clone(),
        None => match answered(conn, index)? {
            Some(_) if index.deletions_accepted == accept => {
                let word = if accept { "accepted" } else { "refused" };
                return refused(format!("the removals were {word} already"));
            }
            Some(asked) => asked,
            None => return refused(format!("run {id} waits for no confirmation")),
        },
    };
    if asking == id || asking < id && run.status == RunStatus::NeedsConfirmation {
        return Ok(());
    }
    refused(format!(
        "run {id} waits for no confirmation: run {asking} asked since, about other pages"
    ))
}

/// The run that asked what was answered, while the answer holds.
fn answered(conn: &mut Conn, index: &IndexRow) -> Done<Option<String>> {
    let holds = index.deletions_accepted || index.deletions_refused;
    if !holds || index.progress()?.guarded_pages.is_empty() {
        return Ok(None);
    }
    Ok(sync_runs::table
        .filter(sync_runs::index_id.eq(&index.id))
        .filter(sync_runs::dry_run.eq(false))
        .filter(sync_runs::status.eq(RunStatus::NeedsConfirmation.as_str()))
        .order(sync_runs::id.desc())
        .select(sync_runs::id)
        .first(conn)
        .optional()?)
}

/// Hidden pages that stay are in answers again. Those that are out by a rule of the index are decided by the next sweep, which
/// knows whether they are restricted.
fn retain(conn: &mut Conn, index: IndexId, shown: &BTreeSet<PageId>, now: Timestamp) -> Done<()> {
    each(conn, index, shown, |page| {
        let why = page.reason.clone().unwrap_or_default();
        page.standing == Standing::Hidden && page.retain(&why, now, now)
    })
}

/// Pages that stayed by an answer that is taken back are hidden, or out, as they were before it.
fn withdraw(conn: &mut Conn, index: IndexId, shown: &BTreeSet<PageId>, now: Timestamp) -> Done<()> {
    each(conn, index, shown, |page| page.withdraw_retention(now))
}

/// Writes those of the pages that `change` changes.
fn each(
    conn: &mut Conn,
    index: IndexId,
    shown: &BTreeSet<PageId>,
    mut change: impl FnMut(&mut domain::page::PageRecord) -> bool,
) -> Done<()> {
    let shown: Vec<PageId> = shown.iter().cloned().collect();
    for ids in shown.chunks(IDS) {
        let mut records = pages::by_id(conn, index, ids)?;
        records.retain_mut(&mut change);
        pages::put(conn, index, &records)?;
    }
    Ok(())
}

/// The question that waits, or whose answer holds.
pub(crate) fn inquiry(conn: &mut Conn, index: IndexId) -> Done<Option<Inquiry>> {
    let row = index_ops::row(conn, index)?;
    let progress = row.progress()?;
    let (run, state) = match progress.awaiting_confirmation {
        Some(run) => (run, InquiryState::Waiting),
        None => match answered(conn, &row)? {
            Some(run) => {
                let state = if row.deletions_accepted {
                    InquiryState::Accepted
                } else {
                    InquiryState::Refused
                };
                (crate::convert::id("sync_runs.id", &run)?, state)
            }
            None => return Ok(None),
        },
    };
    let waits = state == InquiryState::Waiting;
    let asked = runs::get(conn, run)?;
    let shown: Vec<PageId> = progress
        .guarded_pages
        .iter()
        .take(SHOWN_OF_A_QUESTION)
        .cloned()
        .collect();
    let pages = listing::by_ids(conn, index, &shown)?;
    Ok(Some(Inquiry {
        run_id: run,
        state,
        asked_at: asked.finished_at,
        reason: asked.error.map(|error| error.detail),
        answered_at: opt_time(row.guard_answered_at).filter(|_| !waits),
        answered_by: row.guard_answered_by.filter(|_| !waits),
        page_count: progress.guarded_pages.len(),
        pages: pages.iter().map(domain::page::PlacedPage::page).collect(),
    }))
}
