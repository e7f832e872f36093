//! Bodies of new and edited pages: taken from the cache where another index has them, else fetched by id in bulk, fewer at once
//! where those that are kept are large; batches halve where they are too large, down to the one page that cannot be had.

use std::collections::{HashMap, HashSet};

use domain::PageId;
use domain::change::{WithoutBody, without_body};
use domain::content::ContentKind;
use domain::failure::FailureCause;
use domain::page::Standing;
use domain::ports::source::{MAX_BATCH, SourceError};
use domain::ports::store::BodyBrief;
use domain::sizes::{self, Piece};
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
/// Batches on their way at once.
const AT_ONCE: usize = 3;
/// So many requests in a row without an answer: it is Confluence, not a page.
const FAILURES_IN_A_ROW: u32 = 12;

/// Pages that are to be fetched, with the size of the body that is kept of each.
type Due = Vec<(PageId, ContentKind, Option<usize>)>;

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
            .partition(|(_, kind, _)| *kind == ContentKind::Attachment);
        let attached: Vec<PageId> = attached.into_iter().map(|(id, ..)| id).collect();
        let mut by_kind: HashMap<ContentKind, Vec<_>> = HashMap::new();
        for (id, kind, size) in due {
            by_kind.entry(kind).or_default().push(((id, size), size));
        }
        let most = ctx.shared.texts.bodies.piece();
        let batches = by_kind.into_iter().flat_map(|(kind, bodies)| {
            let batches = sizes::batches(bodies, most).into_iter();
            batches.map(move |bodies| (kind, bodies))
        });
        let mut fetches = stream::iter(batches)
            .map(|(kind, bodies)| fetch(ctx, kind, bodies))
            .buffer_unordered(AT_ONCE);
        while let Some(fetched) = fetches.next().await {
            fetched?;
        }
        drop(fetches);
        files::fetch(ctx, &attached).await?;
    }
}

/// Takes bodies that are kept already at the right version; answers the pages that remain.
async fn adopt_cached(ctx: &RunCtx, due: Vec<(PageId, ContentKind)>) -> Result<Due, RunError> {
    let mut remain = Vec::new();
    for due in due.chunks(MAX_BATCH) {
        let ids: Vec<PageId> = due.iter().map(|(id, _)| id.clone()).collect();
        let cached = ctx.store().body_briefs(&ids).await?;
        let records = ctx.records(&ids).await?;
        let fits = |kept: &&BodyBrief| {
            let record = records.get(&kept.page_id);
            record.is_some_and(|record| record.facts.version == kept.version)
        };
        let fitting: Vec<PageId> = cached
            .iter()
            .filter(fits)
            .map(|kept| kept.page_id.clone())
            .collect();
        let mut adopted = HashSet::new();
        for piece in ctx.kept_in_pieces(&fitting).await? {
            adopted.extend(adopt(ctx, &piece).await?);
        }
        let sizes: HashMap<PageId, usize> = cached
            .into_iter()
            .map(|kept| (kept.page_id, kept.bytes))
            .collect();
        let others = due.iter().filter(|(id, _)| !adopted.contains(id));
        remain.extend(others.map(|(id, kind)| (id.clone(), *kind, sizes.get(id).copied())));
        ctx.find(|f| f.fresh_bodies.extend(adopted));
    }
    Ok(remain)
}

/// Writes into the rows of pages what is kept of their bodies; answers those where that is of the right version.
async fn adopt(ctx: &RunCtx, piece: &Piece<PageId>) -> Result<Vec<PageId>, RunError> {
    let (mut texts, mut old) = (HashMap::new(), Vec::new());
    {
        let _held = ctx.hold(piece.bytes).await?;
        for text in ctx.store().texts(&piece.items).await? {
            if reconvert::is_old(&text) {
                old.push(text.page_id.clone());
            }
            texts.insert(text.page_id.clone(), KeptText::of(&text));
        }
    }
    let rows = ctx.rows.lock().await;
    let mut adopted = Vec::new();
    for (id, mut record) in ctx.records(&piece.items).await? {
        let fits = |text: &&KeptText| text.version() == record.facts.version;
        let Some(text) = texts.get(&id).filter(fits) else {
            continue;
        };
        text.put_into(&mut record);
        if record.standing == Standing::Failed {
            record.standing = Standing::Undecided;
        }
        record.reason = None;
        record.attempts = 0;
        record.next_try_at = None;
        adopted.push(record);
    }
    ctx.store().save_pages(&adopted, &[], Vec::new()).await?;
    drop(rows);
    if !old.is_empty() {
        reconvert::these(ctx, &old).await?;
    }
    Ok(adopted.into_iter().map(|record| record.page_id).collect())
}

async fn fetch(
    ctx: &RunCtx,
    kind: ContentKind,
    bodies: Vec<(PageId, Option<usize>)>,
) -> Result<(), RunError> {
    let known: HashMap<PageId, Option<usize>> = bodies.iter().cloned().collect();
    let mut pieces = Pieces::of(bodies.into_iter().map(|(id, _)| id).collect());
    while let Some(mut ids) = pieces.next() {
        let sizes = ids.iter().map(|id| known.get(id).copied().flatten());
        let most = sizes::answer_bytes(sizes, ctx.shared.texts.bodies.piece());
        let mut answer = ctx.source.bodies(kind, &ids, most).await;
        if let (1, Err(RunError::Source(SourceError::TooLarge { .. }))) = (ids.len(), &answer) {
            // It may be large by itself: then it passes alone.
            answer = ctx.source.bodies(kind, &ids, usize::MAX).await;
        }
        let error = match answer {
            Ok((items, _held)) => {
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
            let reason = format!("its body cannot be had: {error}");
            retry::failed(ctx, &alone, (&error).into(), &reason).await?;
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
            FailureCause::SourceMissing,
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
        for piece in ctx.kept_in_pieces(ids).await? {
            let _held = ctx.hold(piece.bytes).await?;
            resolve(ctx, &piece.items).await?;
        }
    }
    Ok(())
}

async fn resolve(ctx: &RunCtx, ids: &[PageId]) -> Result<(), RunError> {
    let records = ctx.records(ids).await?;
    let raw = ctx
        .store()
        .bodies(ids)
        .await?
        .into_iter()
        .filter_map(|body| {
            let record = records.get(&body.text.page_id)?;
            Some(RawBody::kept(body, &record.facts))
        })
        .collect();
    let converted = convert(ctx, raw, Links::Resolve).await?;
    note_failed(ctx, &converted.failed).await?;
    let converted = converted.done;
    let _rows = ctx.rows.lock().await;
    let mut records = ctx.store().pages_by_id(ctx.index(), ids).await?;
    let texts: HashMap<PageId, KeptText> = converted
        .iter()
        .map(|c| (c.body.text.page_id.clone(), KeptText::of(&c.body.text)))
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
    let bodies = converted.into_iter().map(|c| c.body).collect();
    ctx.store().save_pages(&records, &[], bodies).await?;
    ctx.find(|f| {
        f.fresh_bodies
            .extend(records.into_iter().map(|record| record.page_id));
    });
    Ok(())
}
