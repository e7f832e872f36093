//! Bodies of new and edited pages: taken from the cache where another index has them, else fetched by id in bulk; batches
//! halve where they are too large, down to the one page that cannot be had.

use std::collections::{HashMap, HashSet};

use domain::PageId;
use domain::change::{WithoutBody, without_body};
use domain::content::{ContentKind, ContentStatus};
use domain::page::Standing;
use domain::ports::source::{MAX_BATCH, SourceError};
use futures_util::{StreamExt, stream};

use super::convert::{Links, RawBody, convert, note_failed};
use super::listed::record;
use super::{files, reconvert};
use crate::document::KeptText;
use crate::index::run::pieces::Pieces;
use crate::index::run::{RunCtx, retry};
use crate::stop::RunError;

/// Ids looked up in one step.
const STEP: usize = 2_000;
/// Batches on their way at once; each may hold many megabytes.
const AT_ONCE: usize = 3;
/// So many requests in a row without an answer: it is Confluence, not a page.
const FAILURES_IN_A_ROW: u32 = 12;

/// Fetches what is due.
pub(crate) async fn fetch_due(ctx: &RunCtx) -> Result<(), RunError> {
    let mut tried: HashSet<PageId> = HashSet::new();
    loop {
        ctx.stop.check()?;
        // What this run has tried in vain is due later than now; should some be due all the same, others stand behind them.
        let due: Vec<(PageId, ContentKind)> = ctx
            .store()
            .pages_needing_body(ctx.index(), ctx.now(), STEP + tried.len())
            .await?
            .into_iter()
            .filter(|(id, _)| !tried.contains(id))
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        tried.extend(due.iter().map(|(id, _)| id.clone()));
        let due = adopt_cached(ctx, due).await?;
        let (attached, due): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|(_, kind)| *kind == ContentKind::Attachment);
        let attached: Vec<PageId> = attached.into_iter().map(|(id, _)| id).collect();
        let mut by_kind: HashMap<ContentKind, Vec<PageId>> = HashMap::new();
        for (id, kind) in due {
            by_kind.entry(kind).or_default().push(id);
        }
        let batches: Vec<(ContentKind, Vec<PageId>)> = by_kind
            .into_iter()
            .flat_map(|(kind, ids)| {
                ids.chunks(MAX_BATCH)
                    .map(|chunk| (kind, chunk.to_vec()))
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut fetches = stream::iter(batches)
            .map(|(kind, ids)| fetch(ctx, kind, ids))
            .buffer_unordered(AT_ONCE);
        while let Some(fetched) = fetches.next().await {
            fetched?;
        }
        drop(fetches);
        files::fetch(ctx, &attached).await?;
    }
}

/// Takes bodies that are kept already at the right version; answers the pages that remain.
async fn adopt_cached(
    ctx: &RunCtx,
    due: Vec<(PageId, ContentKind)>,
) -> Result<Vec<(PageId, ContentKind)>, RunError> {
    let mut remain = Vec::new();
    for due in due.chunks(MAX_BATCH) {
        let ids: Vec<PageId> = due.iter().map(|(id, _)| id.clone()).collect();
        let cached: HashMap<PageId, i32> = ctx
            .store()
            .cached_versions(&ids)
            .await?
            .into_iter()
            .collect();
        let rows = ctx.rows.lock().await;
        let mut records = ctx.records(&ids).await?;
        let fitting: Vec<PageId> = ids
            .iter()
            .filter(|id| {
                let version = records.get(*id).map(|record| record.facts.version);
                version.is_some() && version == cached.get(*id).copied()
            })
            .cloned()
            .collect();
        let (mut adopted, mut old) = (Vec::new(), Vec::new());
        if !fitting.is_empty() {
            for body in ctx.store().bodies(&fitting).await? {
                if let Some(mut record) = records.remove(&body.page_id) {
                    KeptText::of(&body).put_into(&mut record);
                    if reconvert::is_old(&body) {
                        old.push(body.page_id);
                    }
                    if record.standing == Standing::Failed {
                        record.standing = Standing::Undecided;
                    }
                    record.reason = None;
                    record.attempts = 0;
                    record.next_try_at = None;
                    adopted.push(record);
                }
            }
            ctx.store().save_pages(&adopted, &[], &[]).await?;
        }
        drop(rows);
        if !old.is_empty() {
            reconvert::these(ctx, &old).await?;
        }
        let adopted: HashSet<PageId> = adopted.into_iter().map(|record| record.page_id).collect();
        remain.extend(due.iter().filter(|(id, _)| !adopted.contains(id)).cloned());
        ctx.find(|f| f.fresh_bodies.extend(adopted));
    }
    Ok(remain)
}

async fn fetch(ctx: &RunCtx, kind: ContentKind, ids: Vec<PageId>) -> Result<(), RunError> {
    let mut pieces = Pieces::of(ids);
    while let Some(mut ids) = pieces.next() {
        let answer = ctx
            .source
            .bodies(kind, &ids, &[ContentStatus::Current])
            .await;
        let error = match answer {
            Ok(items) => {
                pieces.answered();
                let answered: HashMap<PageId, bool> = items
                    .iter()
                    .filter(|item| ctx.names.contains(&item.space_id))
                    .map(|item| (item.id.clone(), item.body.is_some()))
                    .collect();
                record(ctx, items, None, Links::Resolve).await?;
                ids.retain(|id| !answered.contains_key(id));
                not_answered(ctx, &ids).await?;
                still_without(ctx, &answered).await?;
                continue;
            }
            Err(failure) => failure.recoverable()?,
        };
        pieces.failed();
        let alone = pieces.halve(ids);
        if matches!(error, SourceError::RateLimited { .. })
            || error.disposition().is_passing() && pieces.failed_in_a_row() >= FAILURES_IN_A_ROW
        {
            return Err(RunError::Source(error));
        }
        if !alone.is_empty() {
            retry::failed(ctx, &alone, &format!("its body cannot be had: {error}")).await?;
        }
    }
    Ok(())
}

/// Left out of an answer in bulk: gone meanwhile, or a passing fault. The sweep finds out which.
async fn not_answered(ctx: &RunCtx, ids: &[PageId]) -> Result<(), RunError> {
    if ids.is_empty() {
        return Ok(());
    }
    retry::postpone(
        ctx,
        ids,
        "Confluence listed it and then did not give its body; it is asked for again",
    )
    .await
}

/// Named by an answer that should have brought their bodies, and still without: `answered` says of which a body came at all.
async fn still_without(ctx: &RunCtx, answered: &HashMap<PageId, bool>) -> Result<(), RunError> {
    let ids: Vec<PageId> = answered.keys().cloned().collect();
    let now = ctx.now();
    let (mut left_out, mut lagging) = (Vec::new(), Vec::new());
    for record in ctx.store().pages_by_id(ctx.index(), &ids).await? {
        match without_body(&record, answered[&record.page_id], now) {
            Some(WithoutBody::LeftOut) => left_out.push(record.page_id),
            Some(WithoutBody::OtherVersion) => lagging.push(record.page_id),
            None => {}
        }
    }
    if !left_out.is_empty() {
        retry::failed(
            ctx,
            &left_out,
            "Confluence named it without its body; it is asked for again",
        )
        .await?;
    }
    if !lagging.is_empty() {
        retry::postpone(
            ctx,
            &lagging,
            "Confluence gave another version than the newest that it listed; it is asked for again",
        )
        .await?;
    }
    Ok(())
}

/// Converts again what was kept before everything that it points at was listed.
pub(crate) async fn resolve_links(ctx: &RunCtx) -> Result<(), RunError> {
    let unlinked: Vec<PageId> = ctx
        .find(|f| std::mem::take(&mut f.unlinked))
        .into_iter()
        .collect();
    for ids in unlinked.chunks(MAX_BATCH) {
        ctx.stop.check()?;
        let records = ctx.records(ids).await?;
        let raw = ctx
            .store()
            .bodies(ids)
            .await?
            .into_iter()
            .filter_map(|body| {
                let record = records.get(&body.page_id)?;
                Some(RawBody::kept(body, &record.facts))
            })
            .collect();
        let converted = convert(ctx, raw, Links::Resolve).await?;
        note_failed(ctx, &converted.failed).await?;
        let converted = converted.done;
        let _rows = ctx.rows.lock().await;
        let mut records = ctx.store().pages_by_id(ctx.index(), ids).await?;
        let texts: HashMap<&PageId, KeptText> = converted
            .iter()
            .map(|c| (&c.body.page_id, KeptText::of(&c.body)))
            .collect();
        records.retain_mut(|record| {
            let fits = record.body_version == Some(record.facts.version);
            match texts.get(&record.page_id) {
                Some(text) if fits => {
                    text.put_into(record);
                    true
                }
                _ => false,
            }
        });
        let bodies: Vec<_> = converted.into_iter().map(|c| c.body).collect();
        ctx.store().save_pages(&records, &[], &bodies).await?;
        ctx.find(|f| {
            f.fresh_bodies
                .extend(records.into_iter().map(|record| record.page_id));
        });
    }
    Ok(())
}
