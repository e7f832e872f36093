//! The cheap poll: what was modified since the watermark, newest first, over up to a hundred spaces a request.

use std::collections::HashSet;

use domain::change::PollWalk;
use domain::content::{ContentKind, ContentStatus};
use domain::ports::source::{Cursor, ListOrder, ListQuery, MAX_BATCH, MAX_SPACES_PER_LISTING};
use domain::{PageId, Timestamp};

use super::context::SeenSpace;
use super::convert::Links;
use super::listed::{Recorded, record};
use super::{Halt, RunCtx};

/// A quiet poll reads no more than this.
const FIRST_LIMIT: usize = 25;

/// Polls one kind of content in all spaces; answers what it touched.
pub(super) async fn poll(
    ctx: &RunCtx,
    spaces: &[SeenSpace],
    kind: ContentKind,
) -> Result<Recorded, Halt> {
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
) -> Result<Recorded, Halt> {
    let mut walk = PollWalk::down_to(floor);
    let mut query = ListQuery {
        kind,
        spaces: spaces.iter().map(|space| space.id.clone()).collect(),
        order: ListOrder::NewestFirst,
        statuses: vec![ContentStatus::Current, ContentStatus::Archived],
        bodies: false,
        limit: FIRST_LIMIT,
    };
    let mut all = Recorded::default();
    let mut seen: HashSet<PageId> = HashSet::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let answer = match ctx.source.list(&query, cursor.as_ref()).await {
            Ok(answer) => answer,
            Err(halt) => {
                let error = halt.only_this_part()?;
                if error.disposition() == domain::Disposition::Split && query.limit > 1 {
                    query.limit /= 2;
                    continue;
                }
                return Err(Halt::Source(error));
            }
        };
        let window: Vec<_> = answer
            .items
            .into_iter()
            .filter(|item| walk.take(item.modified) && seen.insert(item.id.clone()))
            .collect();
        ctx.tally
            .count(|counts| counts.seen += i64::try_from(window.len()).unwrap_or(0));
        let recorded = record(ctx, window, None, Links::Resolve).await?;
        all.touched.extend(recorded.touched);
        all.moved.extend(recorded.moved);
        all.unchanged += recorded.unchanged;
        if walk.may_stop() || answer.next.is_none() || answer.next == cursor {
            break;
        }
        cursor = answer.next;
        query.limit = MAX_BATCH;
    }
    if walk.order_was_wrong() {
        tracing::warn!(index = %ctx.index(), "the newest pages did not come in order; the poll read to the end");
    }
    ctx.find(|f| f.newest = f.newest.max(walk.newest()));
    let unchanged = i64::try_from(all.unchanged).unwrap_or(0);
    ctx.tally.count(|counts| counts.unchanged += unchanged);
    Ok(all)
}
