//! Runs that list everything: the first, sweeps, full ones. Spaces side by side, each from its listing over its labels and
//! restrictions to what the store is to hold of it; then whatever was not listed.

use std::collections::{BTreeMap, HashSet};

use domain::content::{ContentKind, ContentStatus, Restriction};
use domain::page::PageState;
use domain::part::Part;
use domain::ports::source::MAX_BATCH;
use domain::ports::store::PageBrief;
use domain::run::RunKind;
use domain::vanish::is_suspiciously_empty;
use domain::{PageId, Timestamp};
use futures_util::{StreamExt, stream};

use super::RunCtx;
use super::ask::facts::{self, FactsWalk};
use super::ask::recent::remember;
use super::ask::walk::{newest_before, walk};
use super::ask::{comments, files, parents, permissions};
use super::context::SeenSpace;
use super::decide::reconcile::{self, Reconciler, Which};
use super::decide::vanish::{self, Absence};
use super::text::convert::Links;
use super::text::listed::record;
use crate::stop::RunError;

/// Spaces walked side by side; each may hold two answers with bodies in memory.
const SIDE_BY_SIDE: usize = 4;
/// After so many items with known restrictions, what can be decided already is decided.
const DECIDE_AFTER: usize = 1_000;

/// Lists and compares every space.
pub(super) async fn sweep(ctx: &RunCtx, spaces: &[SeenSpace]) -> Result<(), RunError> {
    if ctx.state.progress.watermark.is_none() && !spaces.is_empty() {
        newest_before(ctx, spaces).await?;
    }
    let newest_comment = poll_comments(ctx, spaces).await?;
    let newest_file = poll_files(ctx, spaces).await?;
    let mut absent = each(ctx, spaces).await?;
    if !ctx.find(|f| f.missing.contains_key(&Part::Comments)) {
        remember(ctx, comments::WALK, newest_comment).await?;
    }
    if !ctx.find(|f| f.missing.contains_key(&Part::Files)) {
        remember(ctx, files::WALK, newest_file).await?;
    }
    absent.extend(of_gone_spaces(ctx).await?);
    let confirmed = vanish::confirm(ctx, absent, Absence::Counts).await?;
    reconcile::these(ctx, &confirmed.back, &HashSet::new(), Links::AsKnown).await
}

/// Lists and compares these spaces; answers what was not listed of them.
pub(super) async fn each(
    ctx: &RunCtx,
    spaces: &[SeenSpace],
) -> Result<BTreeMap<PageId, ContentKind>, RunError> {
    let mut absent = BTreeMap::new();
    let mut walks = stream::iter(spaces)
        .map(|space| one_space(ctx, space))
        .buffer_unordered(SIDE_BY_SIDE);
    while let Some(found) = walks.next().await {
        absent.extend(found?);
    }
    Ok(absent)
}

/// What is newer than search may know; answers up to when comments are known after a complete walk over all spaces.
async fn poll_comments(ctx: &RunCtx, spaces: &[SeenSpace]) -> Result<Option<Timestamp>, RunError> {
    if !ctx.settings().include_comments || spaces.is_empty() {
        return Ok(None);
    }
    // Where it fails, the walks over the spaces read all comments; the next poll reads more, and misses nothing.
    let polled = comments::poll(ctx).await;
    let polled = ctx.optional(Part::Comments, "the newest could not be listed", polled)?;
    Ok(polled.and_then(|(_, newest)| newest))
}

/// As [`poll_comments`], for attached files.
async fn poll_files(ctx: &RunCtx, spaces: &[SeenSpace]) -> Result<Option<Timestamp>, RunError> {
    if !ctx.settings().include_attachments || spaces.is_empty() {
        return Ok(None);
    }
    let polled = files::poll(ctx).await;
    let polled = ctx.optional(Part::Files, "the newest could not be listed", polled)?;
    Ok(polled.and_then(|(_, newest)| newest))
}

/// One space; what it did not list is answered. Trouble with it is noted, and no reason to stop.
async fn one_space(
    ctx: &RunCtx,
    space: &SeenSpace,
) -> Result<BTreeMap<PageId, ContentKind>, RunError> {
    let mut seen = HashSet::new();
    let mut empty = Vec::new();
    for kind in ctx.kinds() {
        let walked = walk(ctx, space, *kind).await;
        let Some(named) = ctx.of_space(space, "", walked)? else {
            return Ok(BTreeMap::new());
        };
        if named.is_empty() {
            empty.push(*kind);
        }
        seen.extend(named);
    }
    let mut absent = absent(ctx, space, &seen, &empty).await?;
    if ctx.run.kind == RunKind::Full {
        let checked = check_by_id(ctx, &seen).await;
        ctx.of_space(space, "", checked)?;
    }
    if ctx.settings().include_attachments && !ctx.is_refused(Part::Files) {
        let missing = files::of_space(ctx, space, &seen).await;
        let what = format!("those of {} could not be listed", space.given);
        absent.extend(
            ctx.optional(Part::Files, &what, missing)?
                .into_iter()
                .flatten(),
        );
    }
    if ctx.settings().include_comments && !ctx.is_refused(Part::Comments) {
        let read = comments::of_space(ctx, space).await;
        let what = format!("those in {} could not be read", space.given);
        ctx.optional(Part::Comments, &what, read)?;
    }
    let mut reconciler = Reconciler::new(ctx, space, true, Links::AsKnown);
    let mut learned = None;
    if ctx.needs_facts() {
        let began = ctx.now();
        let all = learn(ctx, space, &seen, &mut reconciler).await;
        let all = ctx.of_space(space, "labels and restrictions could not be read: ", all)?;
        learned = all.map(|()| began);
    }
    permissions::of_space(ctx, space).await?;
    reconciler.decide(Which::All).await?;
    if let (Some(began), true) = (learned, ctx.settings().access.is_per_user()) {
        // Not before: until all of it is decided, pages stand behind what was in their way when it was last read, however long ago.
        let (store, index) = (ctx.store(), ctx.index());
        store
            .restrictions_were_read(index, &space.id, began)
            .await?;
    }
    ctx.find(|f| f.listed.insert(space.given.clone()));
    Ok(absent)
}

/// Labels and restrictions of everything in the space. What search does not name, though it is listed, is asked for one by
/// one where nothing is known of it; the rest keeps what was known.
async fn learn(
    ctx: &RunCtx,
    space: &SeenSpace,
    seen: &HashSet<PageId>,
    reconciler: &mut Reconciler<'_>,
) -> Result<(), RunError> {
    let mut walk = FactsWalk::new(ctx, space);
    let mut decide_at = DECIDE_AFTER;
    while walk.step().await? {
        if walk.named.len() >= decide_at {
            reconciler.decide(Which::Decidable).await?;
            decide_at = walk.named.len() + DECIDE_AFTER.max(walk.named.len() / 2);
        }
    }
    if is_suspiciously_empty(seen.len(), usize::from(walk.named_pages)) {
        ctx.trouble_with(
            space,
            "its listing was empty although search names pages of it: nothing is concluded from that",
        );
    }
    if ctx.run.kind == RunKind::Full {
        let unnamed: Vec<PageId> = seen.difference(&walk.named).cloned().collect();
        facts::of_ids(ctx, &unnamed).await?;
    }
    let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
    parents::refresh(ctx, &briefs, &walk.named).await?;
    let unknown: Vec<(PageId, ContentKind)> = briefs
        .into_iter()
        .filter(|brief| brief.restriction == Restriction::Unknown && is_member(brief))
        .map(|brief| (brief.page_id, brief.kind))
        .collect();
    facts::learn_unknown(ctx, unknown).await.map(drop)
}

fn is_member(brief: &PageBrief) -> bool {
    brief.kind != ContentKind::Container
        && !matches!(brief.state, PageState::Removed | PageState::Vanishing)
}

/// What the rows of a space have that its complete listings did not name. A kind whose listing named nothing at all, although
/// pages of that kind are stored, is no reason to conclude anything, whatever the listings of other kinds named.
async fn absent(
    ctx: &RunCtx,
    space: &SeenSpace,
    seen: &HashSet<PageId>,
    empty: &[ContentKind],
) -> Result<BTreeMap<PageId, ContentKind>, RunError> {
    let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
    let members: Vec<PageBrief> = briefs
        .into_iter()
        .filter(|brief| brief.kind != ContentKind::Container && brief.state != PageState::Removed)
        .filter(|brief| ctx.kinds().contains(&brief.kind))
        .collect();
    let is_doubted = |kind: ContentKind| {
        let stored = members.iter().filter(|b| b.kind == kind && b.stored);
        empty.contains(&kind) && is_suspiciously_empty(0, stored.count())
    };
    let doubted: Vec<ContentKind> = empty.iter().copied().filter(|k| is_doubted(*k)).collect();
    let (doubtful, absent): (BTreeMap<_, _>, BTreeMap<_, _>) = members
        .into_iter()
        .filter(|brief| !seen.contains(&brief.page_id))
        .map(|brief| (brief.page_id, brief.kind))
        .partition(|(_, kind)| doubted.contains(kind));
    if doubtful.is_empty() {
        return Ok(absent);
    }
    let confirmed = vanish::confirm(ctx, doubtful, Absence::IsDoubted).await?;
    if confirmed.unexplained + confirmed.noted > 0 {
        ctx.trouble_with(
            space,
            "its listing was empty although pages of it are stored: nothing is concluded from that, and they are asked for again",
        );
    } else {
        // None of its pages is anywhere, twice: whether the space was emptied indeed only a person can say.
        ctx.find(|f| f.doubted.extend(confirmed.found_again));
    }
    Ok(absent)
}

/// Asks for every page by its id, and compares.
async fn check_by_id(ctx: &RunCtx, seen: &HashSet<PageId>) -> Result<(), RunError> {
    let ids: Vec<PageId> = seen.iter().cloned().collect();
    for ids in ids.chunks(MAX_BATCH) {
        for kind in ctx.kinds() {
            let items = ctx
                .source
                .by_ids(*kind, ids, &[ContentStatus::Current])
                .await?;
            record(ctx, items, None, Links::AsKnown).await?;
        }
    }
    Ok(())
}

/// Pages of spaces that are gone: whether they are anywhere is asked of each.
async fn of_gone_spaces(ctx: &RunCtx) -> Result<BTreeMap<PageId, ContentKind>, RunError> {
    let mut absent = BTreeMap::new();
    for space in ctx.spaces_before.gone.keys() {
        let briefs = ctx.store().briefs(ctx.index(), space).await?;
        let members = briefs
            .into_iter()
            .filter(|brief| ctx.kinds().contains(&brief.kind) && brief.state != PageState::Removed);
        absent.extend(members.map(|brief| (brief.page_id, brief.kind)));
    }
    Ok(absent)
}
