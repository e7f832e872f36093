//! What a listing says of some items, written into their rows: one transaction an answer.

use std::collections::{HashMap, HashSet};

use domain::change::{Change, compare, needs_body};
use domain::content::{ContentKind, SourcePage};
use domain::failure::FailureCause;
use domain::page::{CachedBody, CachedText, PageFacts, PageRecord, PageState, Standing};
use domain::{PageId, RunId};

use super::convert::{Converted, Links, RawBody, convert};
use super::sections;
use crate::document::KeptText;
use crate::index::run::{RunCtx, retry};
use crate::stop::RunError;

/// What an answer came to.
#[derive(Default)]
pub(crate) struct Recorded {
    /// Met for the first time, or newer, or under other facts: to be decided again.
    pub(crate) touched: Vec<PageId>,
    /// Of those, the ones whose place or title changed: all below them has to be looked at, too.
    pub(crate) moved: Vec<PageId>,
    /// Nothing new about them.
    pub(crate) unchanged: usize,
}

/// An empty body on a page that had text is not believed this many times.
const DOUBTS: i32 = 3;

/// Writes items of an answer. Bodies that came along are converted first and kept.
pub(crate) async fn record(
    ctx: &RunCtx,
    mut items: Vec<SourcePage>,
    seen_in: Option<RunId>,
    links: Links,
) -> Result<Recorded, RunError> {
    // A page that moved out of the index's spaces between a listing and this answer keeps its row as it was: the sweep of its
    // old space misses it there, and decides.
    items.retain(|item| ctx.names.contains(&item.space_id));
    if items.is_empty() {
        return Ok(Recorded::default());
    }
    let raw = items
        .iter_mut()
        .filter_map(|item| {
            Some(RawBody {
                storage: item.body.take()?,
                page: item.id.clone(),
                kind: item.kind,
                version: item.version,
                space: item.space_id.clone(),
                url: item.url.clone(),
            })
        })
        .collect();
    let converted = convert(ctx, raw, links).await?;
    let mut bodies: HashMap<PageId, Converted> = converted
        .done
        .into_iter()
        .map(|converted| (converted.body.text.page_id.clone(), converted))
        .collect();
    let mut broken: HashMap<PageId, String> = converted
        .failed
        .into_iter()
        .map(|body| (body.page, body.reason))
        .collect();
    let doubtful = doubtful_bodies(ctx, &bodies).await?;
    let believed = bodies
        .values()
        .map(|converted| &converted.body.text)
        .filter(|text| !doubtful.contains(&text.page_id));
    sections::note_edits(ctx, &believed.collect::<Vec<_>>()).await?;

    let _rows = ctx.rows.lock().await;
    let ids: Vec<PageId> = items.iter().map(|item| item.id.clone()).collect();
    let mut known = ctx.records(&ids).await?;
    let mut recorded = Recorded::default();
    let mut pages = Vec::new();
    let mut kept = Vec::new();
    let mut failed = Vec::new();
    let mut fetched = 0;
    for item in &items {
        let before = known.remove(&item.id);
        let change = change_of(before.as_ref(), item);
        let mut record = after(ctx, before.as_ref(), item, change);
        if let Some(before) = &before {
            ctx.note_naming(before.naming(), &record);
        }
        let body = bodies.remove(&item.id);
        let mut took_body = false;
        if let Some(converted) = body
            && change != Change::Outdated
            && (needs_body(&record) || record.markdown_hash.is_none())
        {
            fetched += 1;
            if doubtful.contains(&item.id) && record.attempts < DOUBTS {
                doubt(ctx, &mut record);
                took_body = true;
            } else {
                take_body(ctx, &mut record, converted, &mut kept);
                took_body = true;
            }
        }
        if let Some(reason) = broken.remove(&item.id)
            && needs_body(&record)
            && !record.standing.is_out()
        {
            fetched += 1;
            retry::fail(ctx, &mut record, reason);
            failed.push(item.id.clone());
            took_body = true;
        }
        match change {
            Change::New | Change::Edited | Change::FactsOnly => {
                recorded.touched.push(item.id.clone());
                if before.as_ref().is_none_or(|b| placed_otherwise(b, &record)) {
                    recorded.moved.push(item.id.clone());
                }
            }
            Change::Unchanged | Change::Outdated => {
                recorded.unchanged += usize::from(!took_body);
            }
        }
        let seen_anew = seen_in.is_some() && record.seen_in_run != seen_in;
        if seen_anew {
            record.seen_in_run = seen_in;
        }
        if took_body || seen_anew || before.as_ref() != Some(&record) {
            pages.push(record);
        }
    }
    if !pages.is_empty() {
        ctx.store().save_pages(&pages, &[], kept).await?;
    }
    ctx.counters.count(|counts| counts.fetched += fetched);
    if !failed.is_empty() {
        retry::tell(ctx, &failed, FailureCause::Unconverted).await;
    }
    ctx.shared.fail_point("after_page_saved");
    Ok(recorded)
}

fn change_of(before: Option<&PageRecord>, item: &SourcePage) -> Change {
    match before {
        // It stood in the tree as something above a page; now it is listed as what it is.
        Some(record)
            if record.kind == ContentKind::Container && item.kind != ContentKind::Container =>
        {
            Change::New
        }
        before => compare(before, item),
    }
}

fn after(
    ctx: &RunCtx,
    before: Option<&PageRecord>,
    item: &SourcePage,
    change: Change,
) -> PageRecord {
    let now = ctx.now();
    let fresh = || PageRecord::new(ctx.index(), item, now);
    match (change, before) {
        (Change::Unchanged | Change::Outdated, Some(record)) => PageRecord {
            // It is listed, so that it was once not found says nothing any more.
            vanished_at: record
                .vanished_at
                .filter(|_| record.state() == PageState::Vanishing),
            ..record.clone()
        },
        (Change::Edited | Change::FactsOnly, Some(record)) => {
            let mut after = PageRecord {
                facts: PageFacts::from(item),
                // Whether a page that stays out may now come in is decided with its labels and restrictions.
                standing: if stays_out(record) {
                    record.standing
                } else {
                    Standing::Undecided
                },
                reason: record.reason.clone().filter(|_| stays_out(record)),
                attempts: 0,
                next_try_at: None,
                vanished_at: None,
                changed_at: now,
                ..record.clone()
            };
            if record.is_absent() || record.facts.space_id != item.space_id {
                after.forget_readers();
            }
            after
        }
        (Change::New, Some(record)) => PageRecord {
            labels: record.labels.clone(),
            restriction: match record.kind {
                ContentKind::Container => record.restriction,
                // It was away, as above.
                _ => domain::content::Restriction::Unknown,
            },
            // Its body may have been forgotten meanwhile; if not, it is taken from where it is kept.
            ..fresh()
        },
        (_, None) => fresh(),
    }
}

/// Whether a rule of the index keeps it out, or would but for the administrator's decision; that it is listed changes nothing.
fn stays_out(record: &PageRecord) -> bool {
    match record.standing {
        Standing::Skipped => true,
        Standing::Retained => record.vanished_at.is_none(),
        _ => false,
    }
}

fn placed_otherwise(before: &PageRecord, after: &PageRecord) -> bool {
    before.facts.title != after.facts.title
        || before.facts.parent_id != after.facts.parent_id
        || before.facts.space_id != after.facts.space_id
        || before.facts.status != after.facts.status
}

fn take_body(
    ctx: &RunCtx,
    record: &mut PageRecord,
    converted: Converted,
    kept: &mut Vec<CachedBody>,
) {
    KeptText::of(&converted.body.text).put_into(record);
    if !converted.complete {
        record.markdown_hash = None;
    }
    if record.standing == Standing::Failed {
        record.standing = Standing::Undecided;
    }
    if !matches!(record.standing, Standing::Skipped | Standing::Retained) {
        record.reason = None;
    }
    record.attempts = 0;
    record.next_try_at = None;
    let id = record.page_id.clone();
    ctx.find(|f| {
        if converted.complete {
            f.fresh_bodies.insert(id);
        } else {
            f.unlinked.insert(id);
        }
    });
    kept.push(converted.body);
}

fn doubt(ctx: &RunCtx, record: &mut PageRecord) {
    record.attempts += 1;
    record.reason = Some(
        "its newest version came empty, as live documents sometimes do while they are edited; the text before it is kept"
            .to_owned(),
    );
    record.next_try_at = Some(retry::next_try(ctx, record.attempts));
}

/// Pages whose new body is empty although the kept one has text.
async fn doubtful_bodies(
    ctx: &RunCtx,
    bodies: &HashMap<PageId, Converted>,
) -> Result<HashSet<PageId>, RunError> {
    let is_empty = |text: &CachedText| text.markdown.trim().is_empty();
    let empty = bodies.values().map(|converted| &converted.body.text);
    let mut doubtful = HashSet::new();
    for empty in empty.filter(|text| is_empty(text)) {
        let kept = ctx.store().texts(std::slice::from_ref(&empty.page_id));
        if kept.await?.iter().any(|text| !is_empty(text)) {
            doubtful.insert(empty.page_id.clone());
        }
    }
    Ok(doubtful)
}
