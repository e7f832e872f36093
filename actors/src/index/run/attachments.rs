//! Files attached to pages, where the index wants them: documents of their own that follow their page in everything (place,
//! labels, restriction, whether it is there at all). What it costs: a poll asks once (newest first, until behind what is
//! known), a sweep once per 200 files of a space, and each file whose text can be read is one download per version. What cannot
//! be read is told by name and size before anything is fetched.
//!
//! As with comments, search names the files of a space but lags, and the list of the site does not but names the whole site.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};

use attachment_text::{Limits, supports};
use domain::change::{Change, Repeats, compare};
use domain::content::{ContentKind, Restriction, SourceFile, SourcePage};
use domain::document::markdown_hash;
use domain::guard::Passage;
use domain::page::{CachedBody, PageFacts, PageRecord, PageState, Standing};
use domain::part::Part;
use domain::ports::reader::{FetchedFile, MAX_MEMORY_BYTES, MAX_TIME, Unread};
use domain::ports::source::{Cursor, SourceError};
use domain::{Disposition, PageId, Timestamp};
use futures_util::{StreamExt, stream};

use super::context::SeenSpace;
use super::recent::{newest_first, watermark};
use super::vanish::{self, Asking};
use super::{RunCtx, retry};
use crate::shared::FILES_AT_ONCE;
use crate::stop::RunError;

/// The checkpoint that remembers the newest file seen.
pub(super) const WALK: &str = "attachments";
/// Raised when the same file gives other Markdown, so that kept texts are made anew. That fetches the files again: their bytes
/// are not kept.
pub(super) const EXTRACTOR: i32 = 1;
/// A version whose reading did not come to its end so often is left alone.
const MAX_LOST_READS: i32 = 2;
/// Rows in one step.
const CHUNK: usize = 250;
/// A walk whose cursor is refused is begun again so often.
const RESTARTS: u32 = 2;
/// So many questions for single files in a row without an answer: it is Confluence, not a file.
const FAILURES_IN_A_ROW: u32 = 5;

/// What is newer than search may know. Answers the files whose rows are others than before, and up to when files are known, to
/// be remembered when all of them were read.
pub(super) async fn poll(ctx: &RunCtx) -> Result<(Vec<PageId>, Option<Timestamp>), RunError> {
    let mut touched = Vec::new();
    let Some(since) = watermark(ctx, WALK).await? else {
        // Nothing is known yet: a sweep reads all of them, from here on polls go on.
        let mut newest = None;
        if ctx.run.kind.sweeps() {
            let answer = ctx.source.recent_files(1, None).await?;
            newest = answer.items.iter().map(|file| file.modified).max();
            newest = newest.or_else(|| ctx.find(|f| f.newest));
        }
        return Ok((touched, newest));
    };
    let window = ctx.window(WALK, Some(since));
    let newest = newest_first(
        ctx,
        window.floor,
        |file: &SourceFile| file.modified,
        async |limit, cursor| ctx.source.recent_files(limit, cursor.as_ref()).await,
        async |window| {
            touched.extend(record(ctx, window).await?.touched);
            Ok(())
        },
    )
    .await?;
    ctx.window_was_read(WALK, window);
    Ok((touched, newest.max(Some(since))))
}

/// Lists every file of a space and writes what changed; answers those that the complete walk did not name although their page
/// was `listed`: they are to be asked for.
pub(super) async fn of_space(
    ctx: &RunCtx,
    space: &SeenSpace,
    listed: &HashSet<PageId>,
) -> Result<BTreeMap<PageId, ContentKind>, RunError> {
    let mut seen = HashSet::new();
    let mut named = HashSet::new();
    let mut repeats = Repeats::default();
    let mut cursor: Option<Cursor> = None;
    let mut restarts = 0;
    loop {
        let files = ctx.source.files(&space.key, space.reach, cursor.as_ref());
        let answer = match files.await {
            Ok(answer) => answer,
            Err(failure) => {
                let error = failure.recoverable()?;
                if error.disposition() == Disposition::RestartWalk && restarts < RESTARTS {
                    restarts += 1;
                    cursor = None;
                    continue;
                }
                return Err(RunError::Source(error));
            }
        };
        // Search was seen to name a next answer behind an empty one: that is its end.
        let last = answer.next.is_none() || answer.items.is_empty() || answer.next == cursor;
        cursor = answer.next;
        let before = named.len();
        named.extend(answer.items.iter().map(|file| file.id.clone()));
        if !repeats.take(answer.items.len(), named.len() - before, named.len()) {
            let what = format!("the files of {}", space.given);
            return Err(RunError::Source(SourceError::endless(what)));
        }
        // One that hangs on nothing of this index now is missed.
        seen.extend(record(ctx, answer.items).await?.placed);
        if last {
            break;
        }
    }
    bring_along(ctx, space).await?;
    let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
    Ok(briefs
        .into_iter()
        .filter(|brief| brief.kind == ContentKind::Attachment && brief.state != PageState::Removed)
        .filter(|brief| !seen.contains(&brief.page_id))
        // Where the page itself was not listed, the file follows it.
        .filter(|brief| {
            brief
                .parent_id
                .as_ref()
                .is_some_and(|id| listed.contains(id))
        })
        .map(|brief| (brief.page_id, brief.kind))
        .collect())
}

/// Lets files go where their page went, so that one that the listing of this space did not name is missed here.
async fn bring_along(ctx: &RunCtx, space: &SeenSpace) -> Result<(), RunError> {
    loop {
        let _rows = ctx.rows.lock().await;
        let ids = ctx
            .store()
            .attachments_left_behind(ctx.index(), &space.id, CHUNK)
            .await?;
        if ids.is_empty() {
            return Ok(());
        }
        let mut files = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        for file in &mut files {
            file.facts.space_id = space.id.clone();
        }
        ctx.store().save_pages(&files, &[], &[]).await?;
    }
}

/// What an answer came to.
#[derive(Default)]
struct Recorded {
    /// Files whose row is another than before.
    touched: Vec<PageId>,
    /// Files that hang on pages of this index.
    placed: Vec<PageId>,
}

/// Writes files into rows, as far as they hang on pages of this index.
async fn record(ctx: &RunCtx, files: Vec<SourceFile>) -> Result<Recorded, RunError> {
    let ids: Vec<PageId> = files.iter().map(|file| file.id.clone()).collect();
    let pages: HashSet<PageId> = files.iter().filter_map(|file| file.page.clone()).collect();
    let pages: Vec<PageId> = pages.into_iter().collect();
    let mut recorded = Recorded::default();
    let mut changed = Vec::new();
    let mut new = 0;
    let _rows = ctx.rows.lock().await;
    let pages = by_id(ctx, &pages).await?;
    let known = by_id(ctx, &ids).await?;
    for file in files {
        let page = file.page.as_ref().and_then(|id| pages.get(id));
        let Some(page) = page.filter(|page| is_page(page)) else {
            continue;
        };
        recorded.placed.push(file.id.clone());
        let before = known.get(&file.id);
        let source = as_page(&file, page);
        let change = compare(before, &source);
        let same_file = before.is_some_and(|b| b.file.as_ref() == Some(&file.facts));
        if change == Change::Outdated || (change == Change::Unchanged && same_file) {
            continue;
        }
        new += i64::from(change == Change::New);
        let mut record = match before {
            Some(before) if change != Change::New => PageRecord {
                facts: PageFacts::from(&source),
                attempts: 0,
                next_try_at: None,
                lost_reads: 0,
                vanished_at: None,
                changed_at: ctx.now(),
                ..before.clone()
            },
            _ => PageRecord::new(ctx.index(), &source, ctx.now()),
        };
        // Nobody restricts a file by itself: its page does.
        record.restriction = Restriction::Open;
        record.file = Some(file.facts);
        record.standing = Standing::Undecided;
        record.reason = None;
        if let Some(reason) = refusal(&record) {
            leave_out(ctx, &mut record, reason);
        }
        recorded.touched.push(record.page_id.clone());
        changed.push(record);
    }
    if !changed.is_empty() {
        ctx.store().save_pages(&changed, &[], &[]).await?;
        ctx.shared.fail_point("after_files_recorded");
    }
    ctx.counters.count(|counts| counts.seen += new);
    Ok(recorded)
}

fn is_page(record: &PageRecord) -> bool {
    matches!(record.kind, ContentKind::Page | ContentKind::BlogPost)
        && record.state() != PageState::Removed
}

async fn by_id(ctx: &RunCtx, ids: &[PageId]) -> Result<HashMap<PageId, PageRecord>, RunError> {
    let mut found = HashMap::new();
    for ids in ids.chunks(500) {
        let records = ctx.store().pages_by_id(ctx.index(), ids).await?;
        found.extend(records.into_iter().map(|r| (r.page_id.clone(), r)));
    }
    Ok(found)
}

/// A file as an item of the tree, below its page.
fn as_page(file: &SourceFile, page: &PageRecord) -> SourcePage {
    SourcePage {
        id: file.id.clone(),
        kind: ContentKind::Attachment,
        status: file.status,
        title: file.name.clone(),
        space_id: page.facts.space_id.clone(),
        parent_id: file.page.clone(),
        parent_kind: Some(page.kind),
        version: file.version,
        modified: file.modified,
        author: None,
        url: file.url.clone(),
        body: None,
    }
}

/// Why a file is not even fetched, in words.
fn refusal(record: &PageRecord) -> Option<String> {
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
fn leave_out(ctx: &RunCtx, record: &mut PageRecord, reason: String) {
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

/// Fetches files and keeps their text.
pub(super) async fn fetch(ctx: &RunCtx, ids: &[PageId]) -> Result<(), RunError> {
    let refusals = AtomicU32::new(0);
    for ids in ids.chunks(CHUNK) {
        let records = by_id(ctx, ids).await?;
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
    if refusals.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW {
        let reason =
            "Confluence refuses downloads, as others of this run showed; it is asked for again";
        return retry::failed(ctx, &[id], reason).await;
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
    // Held until the file is settled. Never closed.
    let _turn = ctx.shared.files.acquire().await;
    ctx.stop.check()?;
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
                    retry::failed(ctx, &[id], &reason).await
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
                error => retry::failed(ctx, &[id], &format!("it cannot be fetched: {error}")).await,
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
            retry::failed(ctx, &[id], &reason).await
        }
        Ok(Err(Unread::Lost(reason))) => settle(ctx, &id, version, Err(left_alone(&reason))).await,
        Ok(Err(Unread::NotTried(reason))) => {
            count_read(ctx, &id, version, -1).await?;
            retry::failed(ctx, &[id], &reason).await
        }
        Err(stopped) => {
            count_read(ctx, &id, version, -1).await?;
            Err(stopped)
        }
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
    ctx.store().save_pages(&records, &[], &[]).await?;
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
                page_id: id.clone(),
                kind: ContentKind::Attachment,
                version,
                storage: String::new(),
                rendered: None,
                markdown,
                markdown_hash: hash,
                converter: EXTRACTOR,
            });
            ctx.find(|f| f.fresh_bodies.insert(id.clone()));
            ctx.counters.count(|counts| counts.fetched += 1);
        }
        Err(reason) => {
            leave_out(ctx, &mut record, reason);
            ctx.counters.count(|counts| counts.skipped += 1);
        }
    }
    ctx.store().save_pages(&[record], &[], &kept).await?;
    ctx.shared.fail_point("after_file_settled");
    Ok(())
}

/// As many of these files as this run may still ask for one by one. Nothing is concluded of the others: search, which left them
/// out, lags.
pub(super) fn affordable(ctx: &RunCtx, ids: &[PageId]) -> Vec<PageId> {
    let within = ids.iter().take_while(|_| ctx.file_looks.take());
    within.cloned().collect()
}

/// Files that the site is asked for one by one, as items of the tree. After several failures in a row nothing more is asked.
pub(super) async fn ask(ctx: &RunCtx, ids: &[PageId]) -> Result<Asking, RunError> {
    let mut all = Asking::default();
    let mut in_a_row = 0;
    let known = by_id(ctx, ids).await?;
    let pages = known.values().filter_map(|r| r.facts.parent_id.clone());
    let pages = by_id(ctx, &pages.collect::<Vec<_>>()).await?;
    for id in ids {
        if in_a_row >= FAILURES_IN_A_ROW || ctx.is_refused(Part::Files) {
            all.failed.insert(id.clone());
            continue;
        }
        let file = match ctx.source.file(id).await {
            Ok(file) => file,
            Err(failure) => {
                let error = failure.recoverable_for(Part::Files)?;
                let what = format!(
                    "{id}, which is no longer listed, could not be asked for; it stays as it is"
                );
                ctx.note_missing(Part::Files, &what, &error);
                in_a_row += 1;
                all.failed.insert(id.clone());
                continue;
            }
        };
        in_a_row = 0;
        let owner = |file: &SourceFile| pages.get(file.page.as_ref()?);
        if let Some(file) = file
            && let Some(page) = owner(&file)
        {
            all.found.insert(id.clone(), as_page(&file, page));
        }
    }
    Ok(all)
}

/// Lets files follow pages that are gone, hidden or out, before removals are written.
pub(super) async fn follow(ctx: &RunCtx) -> Result<(), RunError> {
    let mut after: Option<PageId> = None;
    loop {
        let ids = ctx
            .store()
            .stranded_attachments(ctx.index(), after.as_ref(), CHUNK)
            .await?;
        let Some(last) = ids.last().cloned() else {
            return Ok(());
        };
        after = Some(last);
        let _rows = ctx.rows.lock().await;
        let mut files = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        let parents: Vec<PageId> = files
            .iter()
            .filter_map(|file| file.facts.parent_id.clone())
            .collect();
        let parents = by_id(ctx, &parents).await?;
        let now = ctx.now();
        let mut wanted = Vec::new();
        files.retain_mut(|file| {
            let before = file.clone();
            let page = file.facts.parent_id.as_ref().and_then(|id| parents.get(id));
            let with_page = page.and_then(|p| ctx.find(|f| f.removals.get(&p.page_id).copied()));
            let stored = file.holding.is_kept();
            let passage = match page.map(|page| (page.state(), page)) {
                Some((PageState::Skipped, page)) => {
                    let why = page.reason.as_deref().unwrap_or("it does not belong");
                    file.standing = Standing::Skipped;
                    file.reason = Some(format!("its page stays out: {why}"));
                    if file.has_no_text() {
                        // Looked at again when the page comes in.
                        file.body_version = None;
                    }
                    let own = || match ctx.scope_changed_in(&page.facts.space_id) {
                        true => Passage::Exempt,
                        false => Passage::Counted,
                    };
                    stored.then(|| with_page.unwrap_or_else(own))
                }
                Some((PageState::Vanishing, _)) => {
                    vanish::hide(file, now, "its page is no longer shown");
                    with_page.filter(|_| stored)
                }
                Some((state, _)) if state != PageState::Removed => return false,
                _ => {
                    vanish::hide(file, now, "its page is gone");
                    stored.then_some(Passage::Exempt)
                }
            };
            match passage {
                Some(passage) => {
                    ctx.find(|f| f.removals.insert(file.page_id.clone(), passage));
                }
                // What the store does not hold needs no removal.
                None if !stored => {
                    let gone = page.is_none_or(|p| p.state() == PageState::Removed);
                    if file.standing == Standing::Hidden && (gone || with_page.is_some()) {
                        file.standing = Standing::Gone;
                    }
                    if file.holding.want().is_some() {
                        wanted.push(file.wanted(None));
                    }
                }
                None => {}
            }
            *file != before
        });
        if !files.is_empty() || !wanted.is_empty() {
            ctx.store().save_pages(&files, &wanted, &[]).await?;
            ctx.shared.fail_point("after_files_followed");
        }
    }
}
