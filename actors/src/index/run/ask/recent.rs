//! Polls newest first: pages of an index's spaces, and what hangs on pages (comments, files) over the whole site, since there is
//! no listing of it by space that does not lag; and the watermarks of the latter, one per index and kind, kept as checkpoints.

use domain::change::PollWalk;
use domain::ports::source::{Batch, Cursor, MAX_BATCH};
use domain::{Disposition, Timestamp};

use crate::index::run::RunCtx;
use crate::stop::RunError;

/// A quiet poll reads no more than this.
const FIRST_LIMIT: usize = 25;

/// Walks newest first until behind `floor`; answers the newest moment seen.
pub(crate) async fn newest_first<T>(
    ctx: &RunCtx,
    floor: Option<Timestamp>,
    modified: impl Fn(&T) -> Timestamp,
    mut ask: impl AsyncFnMut(usize, Option<Cursor>) -> Result<Batch<T>, RunError>,
    mut take: impl AsyncFnMut(Vec<T>) -> Result<(), RunError>,
) -> Result<Option<Timestamp>, RunError> {
    let mut walk = PollWalk::down_to(floor);
    let mut limit = FIRST_LIMIT;
    let mut cursor: Option<Cursor> = None;
    loop {
        let answer = match ask(limit, cursor.clone()).await {
            Ok(answer) => answer,
            Err(failure) => {
                let error = failure.recoverable()?;
                if error.disposition() == Disposition::Split && limit > 1 {
                    limit /= 2;
                    continue;
                }
                return Err(RunError::Source(error));
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
pub(crate) async fn watermark(ctx: &RunCtx, kind: &str) -> Result<Option<Timestamp>, RunError> {
    let mark = ctx.store().checkpoint(ctx.index(), kind).await?;
    Ok(mark.and_then(|Cursor(text)| text.parse().ok()))
}

/// Remembers that, once all of it was read.
pub(crate) async fn remember(
    ctx: &RunCtx,
    kind: &str,
    newest: Option<Timestamp>,
) -> Result<(), RunError> {
    if let Some(newest) = newest {
        ctx.shared.fail_point(&format!("before_{kind}_watermark"));
        let mark = Cursor(newest.to_rfc3339());
        ctx.store()
            .set_checkpoint(ctx.index(), kind, Some(&mark))
            .await?;
    }
    Ok(())
}
