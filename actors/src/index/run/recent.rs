//! Polls newest first: pages of an index's spaces, and what hangs on pages (comments, files) over the whole site, since there is
//! no listing of it by space that does not lag; and the watermarks of the latter, one per index and kind, kept as checkpoints.

use domain::change::PollWalk;
use domain::ports::source::{Batch, Cursor, MAX_BATCH};
use domain::{Disposition, Timestamp};

use super::RunCtx;
use crate::stop::Halt;

/// A quiet poll reads no more than this.
const FIRST_LIMIT: usize = 25;

/// Walks newest first until behind `floor`; answers the newest moment seen.
pub(super) async fn newest_first<T>(
    ctx: &RunCtx,
    floor: Option<Timestamp>,
    modified: impl Fn(&T) -> Timestamp,
    mut ask: impl AsyncFnMut(usize, Option<Cursor>) -> Result<Batch<T>, Halt>,
    mut take: impl AsyncFnMut(Vec<T>) -> Result<(), Halt>,
) -> Result<Option<Timestamp>, Halt> {
    let mut walk = PollWalk::down_to(floor);
    let mut limit = FIRST_LIMIT;
    let mut cursor: Option<Cursor> = None;
    loop {
        let answer = match ask(limit, cursor.clone()).await {
            Ok(answer) => answer,
            Err(halt) => {
                let error = halt.only_this_part()?;
                if error.disposition() == Disposition::Split && limit > 1 {
                    limit /= 2;
                    continue;
                }
                return Err(Halt::Source(error));
            }
        };
        let window: Vec<T> = answer
            .items
            .into_iter()
            .filter(|item| walk.take(modified(item)))
            .collect();
        take(window).await?;
        if walk.may_stop() || answer.next.is_none() || answer.next == cursor {
            if walk.order_was_wrong() {
                tracing::warn!(index = %ctx.index(), "the newest did not come in order; the poll read to the end");
            }
            return Ok(walk.newest());
        }
        cursor = answer.next;
        limit = MAX_BATCH;
    }
}

/// Up to when an index knows this kind.
pub(super) async fn watermark(ctx: &RunCtx, kind: &str) -> Result<Option<Timestamp>, Halt> {
    let mark = ctx.store().checkpoint(ctx.index(), kind).await?;
    Ok(mark.and_then(|Cursor(text)| text.parse().ok()))
}

/// Remembers that, once all of it was read.
pub(super) async fn remember(
    ctx: &RunCtx,
    kind: &str,
    newest: Option<Timestamp>,
) -> Result<(), Halt> {
    if let Some(newest) = newest {
        ctx.shared.pass(&format!("before_{kind}_watermark"));
        let mark = Cursor(newest.to_rfc3339());
        ctx.store()
            .set_checkpoint(ctx.index(), kind, Some(&mark))
            .await?;
    }
    Ok(())
}
