//! A dry run: lists and compares, and says what a real run would do. Writes nothing but its own row.
//!
//! Pages met for the first time count as additions although their restrictions are not read: some of them may stay out.

use std::collections::{HashMap, HashSet};

use domain::change::{Change, compare};
use domain::content::{ContentKind, ContentStatus};
use domain::page::{PageRecord, PageState};
use domain::ports::source::{Cursor, ListOrder, ListQuery, MAX_BATCH};
use domain::run::RunPlan;
use domain::{PageId, cost};

use super::context::SeenSpace;
use super::{Halt, RunCtx};

/// Items that one answer of the bulk question for labels and restrictions is taken to hold.
const FACTS_AN_ANSWER: i64 = 100;

/// Looks at every space, and plans.
pub(super) async fn plan(ctx: &RunCtx) -> Result<RunPlan, Halt> {
    let mut plan = RunPlan::default();
    let spaces = ctx.visible_spaces();
    let mut listing_requests = 2;
    for space in &spaces {
        let mut seen = HashSet::new();
        for kind in ctx.kinds() {
            listing_requests += compare_space(ctx, space, *kind, &mut plan, &mut seen).await?;
        }
        plan.remove += absent(ctx, space, &seen).await?;
    }
    plan.remove += outside(ctx).await?;
    let seen = plan.add + plan.update + plan.unchanged;
    let bodies = ceil(plan.update + plan.add, batch());
    let facts = if ctx.needs_facts() {
        ceil(seen, FACTS_AN_ANSWER)
    } else {
        0
    };
    plan.confluence_requests = listing_requests + bodies + facts + attached(ctx, spaces.len());
    let backend = ctx.shared.backend(ctx.settings().backend);
    plan.cost = backend
        .as_ref()
        .and_then(|backend| backend.price(ctx.state.index.remote.as_ref()))
        .map(|price| cost::estimate(&price, plan.add, plan.update));
    let per_upload = backend.map_or(1, |b| b.capabilities().max_batch_documents.max(1));
    let per_upload = i64::try_from(per_upload).unwrap_or(1);
    plan.store_requests = ceil(plan.add + plan.update, per_upload) + ceil(plan.remove, per_upload);
    let a_minute = f64::from(ctx.shared.settings.requests_per_second.max(1)) * 60.0;
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let requests = plan.confluence_requests as f64;
    plan.minutes = (requests / a_minute * 100.0).round() / 100.0;
    Ok(plan)
}

/// Lists of comments and attachments: the newest of the site, and one answer a space at least. How many there are is not asked.
fn attached(ctx: &RunCtx, spaces: usize) -> i64 {
    let spaces = i64::try_from(spaces).unwrap_or(i64::MAX);
    let mut requests = 0;
    if ctx.settings().include_comments {
        requests += 2 + spaces;
    }
    if ctx.settings().include_attachments {
        requests += 1 + spaces;
    }
    requests
}

fn batch() -> i64 {
    i64::try_from(MAX_BATCH).unwrap_or(i64::MAX)
}

fn ceil(items: i64, a_request: i64) -> i64 {
    (items + a_request - 1) / a_request.max(1)
}

async fn compare_space(
    ctx: &RunCtx,
    space: &SeenSpace,
    kind: ContentKind,
    plan: &mut RunPlan,
    seen: &mut HashSet<PageId>,
) -> Result<i64, Halt> {
    let query = ListQuery {
        kind,
        spaces: vec![space.id.clone()],
        order: ListOrder::Id,
        statuses: vec![ContentStatus::Current],
        bodies: false,
        limit: MAX_BATCH,
    };
    let mut requests = 0;
    let mut cursor: Option<Cursor> = None;
    loop {
        let answer = ctx.source.list(&query, cursor.as_ref()).await?;
        requests += 1;
        let ids: Vec<PageId> = answer.items.iter().map(|item| item.id.clone()).collect();
        let known: HashMap<PageId, PageRecord> = ctx
            .store()
            .pages_by_id(ctx.index(), &ids)
            .await?
            .into_iter()
            .map(|record| (record.page_id.clone(), record))
            .collect();
        for item in &answer.items {
            if !seen.insert(item.id.clone()) {
                continue;
            }
            ctx.tally.count(|counts| counts.seen += 1);
            let record = known.get(&item.id);
            let skipped = record.is_some_and(|record| record.state == PageState::Skipped);
            match compare(record, item) {
                _ if skipped => ctx.tally.count(|counts| counts.skipped += 1),
                Change::New => plan.add += 1,
                Change::Edited | Change::FactsOnly => plan.update += 1,
                Change::Unchanged | Change::Outdated => plan.unchanged += 1,
            }
        }
        if answer.next.is_none() || answer.next == cursor {
            return Ok(requests);
        }
        cursor = answer.next;
    }
}

async fn absent(ctx: &RunCtx, space: &SeenSpace, seen: &HashSet<PageId>) -> Result<i64, Halt> {
    let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
    let absent = briefs
        .iter()
        .filter(|brief| ctx.kinds().contains(&brief.kind))
        .filter(|brief| brief.stored && !seen.contains(&brief.page_id));
    Ok(i64::try_from(absent.count()).unwrap_or(i64::MAX))
}

/// Stored pages of spaces that are no longer the index's.
async fn outside(ctx: &RunCtx) -> Result<i64, Halt> {
    let mut inside = 0;
    let all = ctx.state.index.spaces.iter().filter_map(SeenSpace::of);
    for space in all {
        let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
        let stored = briefs.iter().filter(|brief| brief.stored).count();
        inside += i64::try_from(stored).unwrap_or(0);
    }
    let stored = ctx.store().stored_pages(ctx.index()).await?;
    Ok((stored - inside).max(0))
}
