//! The cheap poll: what was modified since the watermark, newest first, over up to a hundred spaces a request.

use std::collections::HashSet;

use domain::content::{ContentKind, ContentStatus, SourcePage};
use domain::ports::source::{ListOrder, ListQuery, MAX_SPACES_PER_LISTING};
use domain::{PageId, SpaceId, Timestamp};

use super::recent::newest_first;
use crate::index::run::RunCtx;
use crate::index::run::context::SeenSpace;
use crate::index::run::text::convert::Links;
use crate::index::run::text::listed::{Recorded, record};
use crate::stop::RunError;

/// Polls one kind of content in all spaces; answers what it touched.
pub(crate) async fn poll(
    ctx: &RunCtx,
    spaces: &[SeenSpace],
    kind: ContentKind,
) -> Result<Recorded, RunError> {
    let mut all = Recorded::default();
    let window = ctx.window(kind.as_str(), ctx.state.progress.watermark);
    for spaces in spaces.chunks(MAX_SPACES_PER_LISTING) {
        let found = poll_chunk(ctx, spaces, kind, window.floor).await?;
        all.touched.extend(found.touched);
        all.moved.extend(found.moved);
        all.unchanged += found.unchanged;
    }
    ctx.window_was_read(kind.as_str(), window);
    Ok(all)
}

async fn poll_chunk(
    ctx: &RunCtx,
    spaces: &[SeenSpace],
    kind: ContentKind,
    floor: Option<Timestamp>,
) -> Result<Recorded, RunError> {
    let spaces: Vec<SpaceId> = spaces.iter().map(|space| space.id.clone()).collect();
    let mut all = Recorded::default();
    let mut seen: HashSet<PageId> = HashSet::new();
    let newest = newest_first(
        ctx,
        floor,
        |item: &SourcePage| item.modified,
        async |limit, cursor| {
            let query = ListQuery {
                kind,
                spaces: spaces.clone(),
                order: ListOrder::NewestFirst,
                statuses: vec![ContentStatus::Current, ContentStatus::Archived],
                bodies: None,
                limit,
            };
            let listed = ctx.source.list(&query, cursor.as_ref()).await;
            listed.map(|(batch, _)| batch)
        },
        async |mut window| {
            window.retain(|item| seen.insert(item.id.clone()));
            ctx.counters
                .count(|counts| counts.seen += i64::try_from(window.len()).unwrap_or(0));
            let recorded = record(ctx, window, None, Links::Resolve).await?;
            all.touched.extend(recorded.touched);
            all.moved.extend(recorded.moved);
            all.unchanged += recorded.unchanged;
            Ok(())
        },
    )
    .await?;
    ctx.find(|f| f.newest = f.newest.max(newest));
    let unchanged = i64::try_from(all.unchanged).unwrap_or(0);
    ctx.counters.count(|counts| counts.unchanged += unchanged);
    Ok(all)
}
