//! Files attached to pages, where the index wants them: documents of their own that follow their page in everything (place,
//! labels, restriction, whether it is there at all). What it costs: a poll asks once (newest first, until behind what is
//! known), a sweep once per 200 files of a space.
//!
//! As with comments, search names the files of a space but lags, and the list of the site does not but names the whole site.

use std::collections::{BTreeMap, HashSet};

use domain::access::Guards;
use domain::change::{Change, compare};
use domain::content::{ContentKind, Restriction, SourceFile, SourcePage};
use domain::page::{PageFacts, PageRecord, PageState, Standing};
use domain::part::Part;
use domain::ports::source::Cursor;
use domain::{PageId, Timestamp};

use super::absent::Asking;
use super::listing::Listing;
use super::recent::{newest_first, watermark};
use crate::index::run::RunCtx;
use crate::index::run::context::SeenSpace;
use crate::index::run::text::files::{leave_out, refusal};
use crate::stop::RunError;

/// The checkpoint that remembers the newest file seen.
pub(crate) const WALK: &str = "attachments";
/// Rows in one step.
const CHUNK: usize = 250;
/// So many questions for single files in a row without an answer: it is Confluence, not a file.
const FAILURES_IN_A_ROW: u32 = 5;

/// What is newer than search may know. Answers the files whose rows are others than before, and up to when files are known, to
/// be remembered when all of them were read.
pub(crate) async fn poll(ctx: &RunCtx) -> Result<(Vec<PageId>, Option<Timestamp>), RunError> {
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
pub(crate) async fn of_space(
    ctx: &RunCtx,
    space: &SeenSpace,
    listed: &HashSet<PageId>,
) -> Result<BTreeMap<PageId, ContentKind>, RunError> {
    let mut seen = HashSet::new();
    let mut named = HashSet::new();
    let mut listing = Listing::of(format!("the files of {}", space.given));
    let (key, reach) = (&space.key, space.reach);
    let ask = async |at: Option<&Cursor>| ctx.source.files(key, reach, at).await;
    while let Some(files) = listing.next(ask).await? {
        let before = named.len();
        named.extend(files.iter().map(|file: &SourceFile| file.id.clone()));
        listing.named(files.len(), named.len() - before, named.len())?;
        // One that hangs on nothing of this index now is missed.
        seen.extend(record(ctx, files).await?.placed);
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
            file.guards = Guards::Unknown;
        }
        ctx.store().save_pages(&files, &[], Vec::new()).await?;
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
    let pages = ctx.records(&pages).await?;
    let known = ctx.records(&ids).await?;
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
        let moved = |b: &PageRecord| {
            b.facts.space_id != page.facts.space_id || b.facts.parent_id != file.page
        };
        if before.is_some_and(|b| b.is_absent() || moved(b)) {
            record.forget_readers();
        }
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
        ctx.store().save_pages(&changed, &[], Vec::new()).await?;
        ctx.shared.fail_point("after_files_recorded");
    }
    ctx.counters.count(|counts| counts.seen += new);
    Ok(recorded)
}

fn is_page(record: &PageRecord) -> bool {
    matches!(record.kind, ContentKind::Page | ContentKind::BlogPost)
        && record.state() != PageState::Removed
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

/// As many of these files as this run may still ask for one by one. Nothing is concluded of the others: search, which left them
/// out, lags.
pub(crate) fn affordable(ctx: &RunCtx, ids: &[PageId]) -> Vec<PageId> {
    let within = ids.iter().take_while(|_| ctx.file_looks.take());
    within.cloned().collect()
}

/// Files that the site is asked for one by one, as items of the tree. After several failures in a row nothing more is asked.
pub(crate) async fn each(ctx: &RunCtx, ids: &[PageId]) -> Result<Asking, RunError> {
    let mut all = Asking::default();
    let mut in_a_row = 0;
    let known = ctx.records(ids).await?;
    let pages = known.values().filter_map(|r| r.facts.parent_id.clone());
    let pages = ctx.records(&pages.collect::<Vec<_>>()).await?;
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
