//! Attached files to text: what cannot be read is told by name and size before anything is fetched; each file whose text can be
//! read is one download per version.

use std::sync::atomic::{AtomicU32, Ordering};

use attachment_text::{Limits, supports};
use domain::PageId;
use domain::content::ContentKind;
use domain::document::markdown_hash;
use domain::failure::FailureCause;
use domain::guard::Passage;
use domain::page::{CachedBody, CachedText, PageRecord, Standing};
use domain::part::Part;
use domain::ports::reader::{FetchedFile, MAX_MEMORY_BYTES, MAX_TIME, Unread};
use domain::ports::source::SourceError;
use futures_util::{StreamExt, stream};

use crate::index::run::{RunCtx, retry};
use crate::memory::FILES_AT_ONCE;
use crate::stop::RunError;

/// Raised when the same file gives other Markdown, so that kept texts are made anew. That fetches the files again: their bytes
/// are not kept.
pub(crate) const EXTRACTOR: i32 = 1;
/// A version whose reading did not come to its end so often is left alone.
const MAX_LOST_READS: i32 = 2;
/// Rows in one step.
const CHUNK: usize = 250;
/// So many downloads in a row that Confluence refuses as such: it is Confluence, not a file.
const REFUSALS_IN_A_ROW: u32 = 5;

/// Fetches files and keeps their text.
pub(crate) async fn fetch(ctx: &RunCtx, ids: &[PageId]) -> Result<(), RunError> {
    let refusals = AtomicU32::new(0);
    for ids in ids.chunks(CHUNK) {
        let records = ctx.records(ids).await?;
        let mut fetches = stream::iter(records.into_values())
            .map(|record| one(ctx, record, &refusals))
            .buffer_unordered(FILES_AT_ONCE);
        while let Some(fetched) = fetches.next().await {
            fetched?;
        }
    }
    Ok(())
}

/// Fetches one file. After several refusals in a row by Confluence of downloads as such no further one is tried.
async fn one(ctx: &RunCtx, record: PageRecord, refusals: &AtomicU32) -> Result<(), RunError> {
    let id = record.page_id.clone();
    let (Some(page), None) = (record.facts.parent_id.clone(), refusal(&record)) else {
        let reason = refusal(&record).unwrap_or_else(|| "it hangs on no page".to_owned());
        return settle(ctx, &id, record.facts.version, Err(reason)).await;
    };
    if refusals.load(Ordering::Relaxed) >= REFUSALS_IN_A_ROW {
        let reason =
            "Confluence refuses downloads, as others of this run showed; it is asked for again";
        return retry::failed(ctx, &[id], FailureCause::SourceRefused, reason).await;
    }
    if record.lost_reads >= MAX_LOST_READS && !ctx.shared.dropped_read(ctx.index(), &id) {
        // It took the process with it, or the process was ended meanwhile: nobody came back to say which.
        let reason = format!(
            "reading it did not come to its end within {} MiB of memory and {} s",
            MAX_MEMORY_BYTES >> 20,
            MAX_TIME.as_secs()
        );
        let version = record.facts.version;
        return settle(ctx, &id, version, Err(left_alone(&reason))).await;
    }
    // Held until the file is settled.
    let announced = record.file.as_ref().and_then(|file| file.size);
    let room = ctx.shared.texts.hold_file(announced);
    let _held = ctx.stop.unless_asked(room).await?;
    let limits = Limits::default();
    let bytes = match ctx.source.download(&page, &id, limits.max_bytes).await {
        Ok(bytes) => {
            refusals.store(0, Ordering::Relaxed);
            bytes
        }
        Err(failure) => {
            let error = failure.recoverable_for(Part::Files)?;
            if error.disposition().ends_run(None) {
                refusals.fetch_add(1, Ordering::Relaxed);
                ctx.note_missing(Part::Files, &format!("{id} could not be fetched"), &error);
            }
            return match error {
                SourceError::TooLarge { detail, .. } if fits(&record) => {
                    let reason = format!(
                        "Confluence or a proxy before it calls the file too large, although its announced size is within the limit: {detail}"
                    );
                    retry::failed(ctx, &[id], FailureCause::SourceTooLarge, &reason).await
                }
                SourceError::TooLarge { .. } => {
                    let reason = format!(
                        "the file is larger than {} MiB, and such files are not read",
                        limits.max_bytes >> 20
                    );
                    settle(ctx, &id, record.facts.version, Err(reason)).await
                }
                SourceError::NotFound { .. } => {
                    let reason =
                        "Confluence listed it and then did not give it; it is asked for again";
                    retry::postpone(ctx, &[id], reason).await
                }
                error => {
                    let reason = format!("it cannot be fetched: {error}");
                    retry::failed(ctx, &[id], (&error).into(), &reason).await
                }
            };
        }
    };
    let version = record.facts.version;
    let file = FetchedFile {
        media_type: record
            .file
            .and_then(|file| file.media_type)
            .unwrap_or_default(),
        name: record.facts.title,
        bytes,
    };
    let Some(lost) = begin_read(ctx, &id, version).await? else {
        return Ok(());
    };
    let read = ctx.stop.unless_asked(ctx.shared.reader.read(file)).await;
    ctx.shared.end_read(ctx.index(), &id);
    match read {
        Ok(Ok(text)) => settle(ctx, &id, version, Ok(text)).await,
        Ok(Err(Unread::NoText(reason))) => settle(ctx, &id, version, Err(reason)).await,
        Ok(Err(Unread::Lost(reason))) if lost < MAX_LOST_READS => {
            tracing::warn!(index = %ctx.index(), file = %id, reason, "a file could not be read; the others go on");
            let reason =
                format!("version {version} of {id} could not be read: {reason}; it is tried again");
            retry::failed(ctx, &[id], FailureCause::FileUnread, &reason).await
        }
        Ok(Err(Unread::Lost(reason))) => settle(ctx, &id, version, Err(left_alone(&reason))).await,
        Ok(Err(Unread::NotTried(reason))) => {
            count_read(ctx, &id, version, -1).await?;
            retry::failed(ctx, &[id], FailureCause::FileUnread, &reason).await
        }
        Err(stopped) => {
            count_read(ctx, &id, version, -1).await?;
            Err(stopped)
        }
    }
}

/// Why a file is not even fetched, in words.
pub(crate) fn refusal(record: &PageRecord) -> Option<String> {
    let file = record.file.clone().unwrap_or_default();
    let media_type = file.media_type.unwrap_or_default();
    if supports(&media_type, &record.facts.title).is_none() {
        let refusal = attachment_text::Refusal::Unsupported { media_type };
        return Some(refusal.to_string());
    }
    let max = Limits::default().max_bytes;
    let bytes = usize::try_from(file.size.unwrap_or(0)).unwrap_or(usize::MAX);
    (bytes > max).then(|| attachment_text::Refusal::TooLarge { bytes, max }.to_string())
}

/// Whether its announced size is within the limit.
fn fits(record: &PageRecord) -> bool {
    let announced = record.file.as_ref().and_then(|file| file.size);
    let max = u64::try_from(Limits::default().max_bytes).unwrap_or(u64::MAX);
    announced.is_some_and(|bytes| bytes <= max)
}

/// This version was looked at and has no text for us; the next may.
pub(crate) fn leave_out(ctx: &RunCtx, record: &mut PageRecord, reason: String) {
    record.standing = Standing::Skipped;
    record.reason = Some(reason);
    record.body_version = Some(record.facts.version);
    record.markdown_hash = None;
    record.attempts = 0;
    record.next_try_at = None;
    if record.holding.is_kept() {
        ctx.find(|f| f.removals.insert(record.page_id.clone(), Passage::Counted));
    }
}

/// Counts that reading a version begins, before it does, so that what ends the whole process counts too. A read that was dropped
/// in this process was none of the file's doing. Answers how many did not come to their end, with this one; `None` when the file
/// was replaced meanwhile.
async fn begin_read(ctx: &RunCtx, id: &PageId, version: i32) -> Result<Option<i32>, RunError> {
    let dropped = ctx.shared.begin_read(ctx.index(), id);
    let counted = count_read(ctx, id, version, i32::from(!dropped)).await?;
    ctx.shared.fail_point("after_read_counted");
    Ok(counted)
}

/// Why a file is tried no more.
fn left_alone(reason: &str) -> String {
    format!(
        "{reason}; that was so {MAX_LOST_READS} times, and this version is left alone: attach a smaller or simpler one"
    )
}

/// Counts reads of a version that did not come to their end; `None` when it was replaced meanwhile.
async fn count_read(
    ctx: &RunCtx,
    id: &PageId,
    version: i32,
    more: i32,
) -> Result<Option<i32>, RunError> {
    let _rows = ctx.rows.lock().await;
    let mut records = ctx
        .store()
        .pages_by_id(ctx.index(), std::slice::from_ref(id))
        .await?;
    records.retain(|record| record.facts.version == version);
    let Some(record) = records.first_mut() else {
        return Ok(None);
    };
    record.lost_reads += more;
    let lost = record.lost_reads;
    ctx.store().save_pages(&records, &[], Vec::new()).await?;
    Ok(Some(lost))
}

/// Keeps the text of a version, or why there is none.
async fn settle(
    ctx: &RunCtx,
    id: &PageId,
    version: i32,
    text: Result<String, String>,
) -> Result<(), RunError> {
    let _rows = ctx.rows.lock().await;
    let records = ctx
        .store()
        .pages_by_id(ctx.index(), std::slice::from_ref(id))
        .await?;
    // Replaced meanwhile: that version is fetched next.
    let Some(mut record) = records.into_iter().find(|r| r.facts.version == version) else {
        return Ok(());
    };
    let mut kept = Vec::new();
    record.lost_reads = 0;
    match text {
        Ok(markdown) => {
            let hash = markdown_hash(&markdown);
            record.body_version = Some(version);
            record.markdown_hash = Some(hash.clone());
            if record.standing == Standing::Failed {
                record.standing = Standing::Undecided;
            }
            record.reason = None;
            record.attempts = 0;
            record.next_try_at = None;
            kept.push(CachedBody {
                text: CachedText {
                    page_id: id.clone(),
                    kind: ContentKind::Attachment,
                    version,
                    markdown,
                    markdown_hash: hash,
                    converter: EXTRACTOR,
                },
                storage: String::new(),
                rendered: None,
            });
            ctx.find(|f| f.fresh_bodies.insert(id.clone()));
            ctx.counters.count(|counts| counts.fetched += 1);
        }
        Err(reason) => {
            leave_out(ctx, &mut record, reason);
            ctx.counters.count(|counts| counts.skipped += 1);
        }
    }
    ctx.store().save_pages(&[record], &[], kept).await?;
    ctx.shared.fail_point("after_file_settled");
    Ok(())
}
