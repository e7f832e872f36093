//! Pages that a listing did not name, asked for by their ids.

use std::collections::{HashMap, HashSet};

use domain::PageId;
use domain::content::{ContentKind, ContentStatus, SourcePage};
use domain::ports::source::SourceError;

use super::files;
use crate::index::run::RunCtx;
use crate::index::run::pieces::Pieces;
use crate::stop::RunError;

const EVERYWHERE: &[ContentStatus] = &[
    ContentStatus::Current,
    ContentStatus::Archived,
    ContentStatus::Trashed,
    ContentStatus::Deleted,
];
/// So many questions in a row without an answer (one bad id among a full batch takes nine): it is Confluence, not a page.
const FAILURES_IN_A_ROW: u32 = 10;

/// What came of asking for some ids.
#[derive(Default)]
pub(crate) struct Asking {
    /// Those that are somewhere.
    pub(crate) found: HashMap<PageId, SourcePage>,
    /// Those of which nothing is known, since the question failed.
    pub(crate) failed: HashSet<PageId>,
}

/// What the source says of some ids, whatever their status. One id that cannot be answered costs the answers to no other.
pub(crate) async fn ask(
    ctx: &RunCtx,
    kind: ContentKind,
    ids: &[PageId],
) -> Result<Asking, RunError> {
    if kind == ContentKind::Attachment {
        return files::each(ctx, ids).await;
    }
    let mut all = Asking::default();
    let mut pieces = Pieces::of(ids.to_vec());
    while let Some(ids) = pieces.next() {
        if pieces.failed_in_a_row() >= FAILURES_IN_A_ROW {
            all.failed.extend(ids);
            continue;
        }
        match ctx.source.by_ids(kind, &ids, EVERYWHERE).await {
            Ok(items) => {
                pieces.answered();
                let items = items.into_iter().map(|item| (item.id.clone(), item));
                all.found.extend(items);
            }
            Err(failure) => {
                pieces.failed();
                let error = failure.recoverable()?;
                tracing::warn!(index = %ctx.index(), pages = ids.len(), %error, "pages that are no longer listed could not be asked for");
                if matches!(error, SourceError::RateLimited { .. }) {
                    all.failed.extend(ids);
                } else {
                    all.failed.extend(pieces.halve(ids));
                }
            }
        }
    }
    // A trashed page may answer only when it is asked for by itself.
    let mut in_a_row = 0;
    for id in ids {
        if all.found.contains_key(id) || all.failed.contains(id) {
            continue;
        }
        if in_a_row >= FAILURES_IN_A_ROW {
            all.failed.insert(id.clone());
            continue;
        }
        if !ctx.lookup_budget.take() {
            continue;
        }
        match ctx.source.one(kind, id).await {
            Ok(page) => {
                in_a_row = 0;
                if let Some(page) = page {
                    let page = SourcePage { body: None, ..page };
                    all.found.insert(id.clone(), page);
                }
            }
            Err(failure) => {
                let error = failure.recoverable()?;
                tracing::warn!(index = %ctx.index(), page = %id, %error, "a page that is no longer listed could not be asked for; it stays as it is");
                in_a_row += 1;
                all.failed.insert(id.clone());
            }
        }
    }
    Ok(all)
}
