//! A better converter costs no crawl: kept bodies and comments are converted anew, once per index and version of the converter, by
//! the first run of any kind.

use std::collections::HashMap;

use domain::PageId;
use domain::content::ContentKind;
use domain::page::{CachedBody, CachedText, PageState};
use domain::ports::source::Cursor;

use super::comments;
use super::convert::{CONVERTER, Links, RawBody, convert, note_failed};
use super::files::EXTRACTOR;
use crate::document::KeptText;
use crate::index::run::RunCtx;
use crate::stop::RunError;

/// The checkpoint that remembers which converter the index has seen.
const WALK: &str = "converter";
/// Pages in one step.
const CHUNK: usize = 100;

/// Converts what an older converter made; what comes out otherwise is decided, and uploaded, by the run.
pub(crate) async fn all(ctx: &RunCtx) -> Result<(), RunError> {
    let done = Cursor(CONVERTER.to_string());
    if ctx.store().checkpoint(ctx.index(), WALK).await? == Some(done.clone()) {
        return Ok(());
    }
    let states: Vec<PageState> = PageState::ALL
        .into_iter()
        .filter(|state| *state != PageState::Removed)
        .collect();
    let mut after: Option<PageId> = None;
    loop {
        ctx.stop.check()?;
        let ids = ctx
            .store()
            .pages_in_states(ctx.index(), &states, after.as_ref(), CHUNK)
            .await?;
        let Some(last) = ids.last().cloned() else {
            break;
        };
        these(ctx, &ids).await?;
        after = Some(last);
    }
    ctx.store()
        .set_checkpoint(ctx.index(), WALK, Some(&done))
        .await?;
    Ok(())
}

/// Whether an older converter made the Markdown of a page.
pub(crate) fn is_old(text: &CachedText) -> bool {
    text.kind != ContentKind::Attachment && text.converter < CONVERTER
}

/// As [`all`], for the bodies and comments of these pages.
pub(crate) async fn these(ctx: &RunCtx, ids: &[PageId]) -> Result<(), RunError> {
    if ctx.settings().include_comments {
        comments::convert_anew(ctx, ids).await?;
        // Also what was converted already, for another index.
        let changed = comments::render(ctx, ids).await?;
        ctx.find(|f| f.fresh_bodies.extend(changed));
    }
    for piece in ctx.kept_in_pieces(ids).await? {
        let _held = ctx.hold(piece.bytes).await?;
        bodies(ctx, &piece.items).await?;
    }
    Ok(())
}

async fn bodies(ctx: &RunCtx, ids: &[PageId]) -> Result<(), RunError> {
    let records = ctx.records(ids).await?;
    let mut texts: HashMap<PageId, KeptText> = HashMap::new();
    let mut old = Vec::new();
    // Their bytes are not kept: they are fetched again.
    let mut files = Vec::new();
    for body in ctx.store().bodies(ids).await? {
        let text = &body.text;
        let Some(record) = records.get(&text.page_id) else {
            continue;
        };
        if text.kind == ContentKind::Attachment {
            if text.converter < EXTRACTOR {
                files.push(text.page_id.clone());
            }
            continue;
        }
        if !is_old(text) {
            // Converted already, for another index.
            texts.insert(text.page_id.clone(), KeptText::of(text));
            continue;
        }
        old.push(RawBody::kept(body, &record.facts));
    }
    let converted = convert(ctx, old, Links::Resolve).await?;
    // What an older converter made of them stays until they are tried again.
    note_failed(ctx, &converted.failed).await?;
    let bodies: Vec<CachedBody> = converted
        .done
        .into_iter()
        .map(|converted| converted.body)
        .collect();
    for body in &bodies {
        texts.insert(body.text.page_id.clone(), KeptText::of(&body.text));
    }
    let _rows = ctx.rows.lock().await;
    let mut changed = ctx.store().pages_by_id(ctx.index(), ids).await?;
    changed.retain_mut(|record| {
        if files.contains(&record.page_id) {
            record.body_version = None;
            return true;
        }
        let Some(text) = texts.get(&record.page_id) else {
            return false;
        };
        let other = record.body_version == Some(text.version())
            && record.markdown_hash.is_some()
            && text.differs_from(record);
        if other {
            text.put_into(record);
        }
        other
    });
    ctx.store().save_pages(&changed, &[], bodies).await?;
    ctx.find(|f| {
        let ids = changed.into_iter().map(|record| record.page_id);
        f.fresh_bodies.extend(ids.filter(|id| !files.contains(id)));
    });
    Ok(())
}
