//! Comments of the index's pages, where it wants them: kept once for the site, folded into documents by the hash that a page's
//! row remembers. What it costs: a poll asks twice (newest first, until behind what is known); a sweep asks once per 200
//! comments of a space, and once per 50 that are new or changed; no request is made for a single page.
//!
//! Search answers for a whole space but lags behind; the lists of the site do not, but name the whole site. So what is new
//! comes from both, and that a comment is gone is believed only when the comment itself is asked for, or when two sweeps in a
//! row missed it.

use std::collections::{HashMap, HashSet};

use domain::change::Repeats;
use domain::comments::{
    CachedComment, CommentBrief, CommentPlace, Look, Missed, SourceComment, judge_missed,
};
use domain::content::{ContentKind, ContentStatus};
use domain::document::markdown_hash;
use domain::page::{PageState, Standing};
use domain::part::Part;
use domain::ports::source::{CommentsQuery, Cursor, MAX_COMMENTS, SourceError};
use domain::vanish::{CONFIRM_AFTER, is_suspiciously_empty};
use domain::{AccountId, Disposition, PageId, Timestamp};

use super::RunCtx;
use super::context::SeenSpace;
use super::convert::{CONVERTER, Links, RawBody, ask_for_people, convert};
use super::recent::{newest_first, watermark};
use crate::document::{authors, points_at, render_each};
use crate::stop::RunError;

/// The checkpoint that remembers the newest comment seen.
pub(super) const WALK: &str = "comments";
/// Pages folded in one step.
const CHUNK: usize = 250;
/// Missed comments that one poll looks at again.
const LOOKS_A_POLL: usize = 20;
/// A walk whose cursor is refused is begun again so often.
const RESTARTS: u32 = 2;

/// Takes comments out of documents when the index does not want them any more. The administrator's own choice: nothing is
/// removed but text.
pub(super) async fn leave_if_unwanted(ctx: &RunCtx) -> Result<(), RunError> {
    if ctx.settings().include_comments {
        return Ok(());
    }
    loop {
        // Those that were looked at are not named again.
        let ids = ctx
            .store()
            .pages_with_comments(ctx.index(), None, CHUNK)
            .await?;
        if ids.is_empty() {
            return Ok(());
        }
        write_rendered(ctx, &ids, &HashMap::new()).await?;
    }
}

/// Where comments stand before a run looks at pages: polled newest first since the last time. Answers the pages whose
/// comments may be others, and up to when comments are known, to be remembered when all of them were read.
pub(super) async fn poll(ctx: &RunCtx) -> Result<(HashSet<PageId>, Option<Timestamp>), RunError> {
    let mut pages = HashSet::new();
    let Some(since) = watermark(ctx, WALK).await? else {
        // Nothing is known yet: a sweep reads all of them, from here on polls go on.
        let mut newest = None;
        if ctx.run.kind.sweeps() {
            for place in CommentPlace::ALL {
                let answer = ctx.source.recent_comments(place, 1, None).await?;
                newest = newest.max(answer.items.iter().map(|item| item.modified).max());
            }
            newest = newest.or_else(|| ctx.find(|f| f.newest));
        }
        return Ok((pages, newest));
    };
    let mut newest = Some(since);
    let window = ctx.window(WALK, Some(since));
    for place in CommentPlace::ALL {
        let found = newest_first(
            ctx,
            window.floor,
            |item: &SourceComment| item.modified,
            async |limit, cursor| {
                ctx.source
                    .recent_comments(place, limit, cursor.as_ref())
                    .await
            },
            async |window| {
                pages.extend(take(ctx, window).await?);
                Ok(())
            },
        )
        .await?;
        newest = newest.max(found);
    }
    ctx.window_was_read(WALK, window);
    Ok((pages, newest))
}

/// Reads every comment of a space, compares with what is kept, forgets what is gone, and writes what each page's comments come
/// to now. Before pages are decided, so that each is uploaded once.
pub(super) async fn of_space(ctx: &RunCtx, space: &SeenSpace) -> Result<(), RunError> {
    let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
    let members: HashSet<PageId> = briefs
        .into_iter()
        .filter(|brief| {
            matches!(brief.kind, ContentKind::Page | ContentKind::BlogPost)
                && brief.state != PageState::Removed
        })
        .map(|brief| brief.page_id)
        .collect();
    let kept = ctx
        .store()
        .comment_briefs_in(ctx.index(), &space.id)
        .await?;
    let mut sweep = Sweep {
        ctx,
        members: &members,
        bodies: kept.is_empty(),
        kept: kept.into_iter().map(|b| (b.id.clone(), b)).collect(),
        places: HashMap::new(),
        wanted: Vec::new(),
    };
    sweep.walk(space).await?;
    sweep.fetch().await?;
    sweep.forget().await?;
    let old = sweep.kept.into_values();
    let old: HashSet<PageId> = old
        .filter(|brief| brief.converter < CONVERTER)
        .map(|brief| brief.page_id)
        .collect();
    convert_anew(ctx, &Vec::from_iter(old)).await?;
    let members: Vec<PageId> = members.into_iter().collect();
    refold(ctx, &members).await?;
    Ok(())
}

/// A walk over the comments of one space.
struct Sweep<'a> {
    ctx: &'a RunCtx,
    members: &'a HashSet<PageId>,
    kept: HashMap<PageId, CommentBrief>,
    /// Nothing is kept yet: texts come along.
    bodies: bool,
    /// Every comment that was named, and its page where that is known.
    places: HashMap<PageId, Option<PageId>>,
    /// New and changed ones, whose text is to be fetched.
    wanted: Vec<PageId>,
}

impl Sweep<'_> {
    async fn walk(&mut self, space: &SeenSpace) -> Result<(), RunError> {
        let query = CommentsQuery::Space {
            key: space.key.clone(),
            reach: space.reach,
            bodies: self.bodies,
        };
        let mut cursor: Option<Cursor> = None;
        let mut restarts = 0;
        let mut repeats = Repeats::default();
        loop {
            let answer = match self.ctx.source.comments(&query, cursor.as_ref()).await {
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
            let (items, before) = (answer.items.len(), self.places.len());
            self.compare(answer.items).await?;
            if last {
                return Ok(());
            }
            let named = self.places.len();
            if !repeats.take(items, named - before, named) {
                let what = format!("the comments of {}", space.given);
                return Err(RunError::Source(SourceError::endless(what)));
            }
        }
    }

    async fn compare(&mut self, items: Vec<SourceComment>) -> Result<(), RunError> {
        let mut changed = Vec::new();
        for mut item in items {
            let known = self.kept.get(&item.id);
            let above = || {
                let parent = item.parent.as_ref()?;
                let kept = || self.kept.get(parent).map(|brief| brief.page_id.clone());
                self.places.get(parent).cloned().flatten().or_else(kept)
            };
            let page = item
                .page
                .clone()
                .or_else(|| known.map(|brief| brief.page_id.clone()))
                .or_else(above);
            self.places.insert(item.id.clone(), page.clone());
            let elsewhere = page.as_ref().is_some_and(|id| !self.members.contains(id));
            if elsewhere || known.is_some_and(|brief| brief.is_as(&item)) {
                continue;
            }
            item.page = page;
            changed.push(item);
        }
        if self.bodies {
            take(self.ctx, changed).await?;
        } else {
            self.wanted.extend(changed.into_iter().map(|item| item.id));
        }
        Ok(())
    }

    async fn fetch(&mut self) -> Result<(), RunError> {
        for ids in std::mem::take(&mut self.wanted).chunks(MAX_COMMENTS) {
            let query = CommentsQuery::Ids(ids.to_vec(), self.ctx.reach());
            let mut cursor: Option<Cursor> = None;
            loop {
                let answer = self.ctx.source.comments(&query, cursor.as_ref()).await?;
                let last =
                    answer.next.is_none() || answer.items.is_empty() || answer.next == cursor;
                let mut items = answer.items;
                for item in &mut items {
                    let named = || self.places.get(&item.id).cloned().flatten();
                    item.page = item.page.take().or_else(named);
                }
                take(self.ctx, items).await?;
                if last {
                    break;
                }
                cursor = answer.next;
            }
        }
        Ok(())
    }

    /// Kept comments that the complete walk did not name: asked for one by one as far as the run's budget goes; beyond it
    /// they are forgotten when the next sweep misses them, too. What answers 404 is asked for once more before, by the next run.
    async fn forget(&mut self) -> Result<(), RunError> {
        let ctx = self.ctx;
        let now = ctx.now();
        let nothing_named = is_suspiciously_empty(self.places.len(), self.kept.len());
        let mut gone = Vec::new();
        let mut missed = Vec::new();
        let mut back = Vec::new();
        for brief in self.kept.values() {
            if self.places.contains_key(&brief.id) {
                if brief.absent_since.is_some() {
                    back.push(brief.id.clone());
                }
                continue;
            }
            let look = look_at(ctx, brief).await?;
            match judge_missed(look, nothing_named, brief.absent_since, now) {
                Missed::Keep => {}
                Missed::There => back.push(brief.id.clone()),
                Missed::Absent => missed.push(brief.id.clone()),
                Missed::Gone => gone.push(brief.id.clone()),
            }
        }
        for id in &gone {
            self.kept.remove(id);
        }
        let store = ctx.store();
        store.save_comments(&[], &gone).await?;
        store.mark_comments_absent(&missed, Some(now)).await?;
        store.mark_comments_absent(&back, None).await?;
        Ok(())
    }
}

/// Asks again for comments that a sweep missed a while ago, so that what was deleted is gone with the next poll; answers the
/// pages that lose some.
pub(super) async fn look_again(ctx: &RunCtx) -> Result<HashSet<PageId>, RunError> {
    let (store, now) = (ctx.store(), ctx.now());
    let missed = store
        .missed_comments(ctx.index(), now - CONFIRM_AFTER, LOOKS_A_POLL)
        .await?;
    let mut gone = Vec::new();
    let mut back = Vec::new();
    let mut pages = HashSet::new();
    for brief in missed {
        let look = look_at(ctx, &brief).await?;
        // No walk named anything here: only what is said of the comment itself counts.
        match judge_missed(look, true, brief.absent_since, now) {
            Missed::Gone => {
                gone.push(brief.id);
                pages.insert(brief.page_id);
            }
            Missed::There => back.push(brief.id),
            Missed::Keep | Missed::Absent => {}
        }
    }
    store.save_comments(&[], &gone).await?;
    store.mark_comments_absent(&back, None).await?;
    Ok(pages)
}

/// Asks for one comment that a walk did not name, while the run's budget for such lasts.
async fn look_at(ctx: &RunCtx, brief: &CommentBrief) -> Result<Look, RunError> {
    if ctx.is_refused(Part::Comments) || !ctx.comment_looks.take() {
        return Ok(Look::NotTaken);
    }
    Ok(match ctx.source.comment(brief.place, &brief.id).await {
        Ok(Some(there)) => match there.status {
            ContentStatus::Current | ContentStatus::Unknown => Look::There,
            _ => Look::Deleted,
        },
        Ok(None) => Look::NotThere,
        Err(failure) => {
            let error = failure.recoverable_for(Part::Comments)?;
            ctx.note_missing(Part::Comments, "one could not be asked for", &error);
            Look::Failed
        }
    })
}

/// Keeps comments that came with their texts, as far as they stand on pages of this index; answers those pages.
async fn take(ctx: &RunCtx, items: Vec<SourceComment>) -> Result<HashSet<PageId>, RunError> {
    if items.is_empty() {
        return Ok(HashSet::new());
    }
    let mut asked: Vec<PageId> = items.iter().map(|item| item.id.clone()).collect();
    asked.extend(items.iter().filter_map(|item| item.parent.clone()));
    let kept: HashMap<PageId, CommentBrief> = ctx
        .store()
        .comment_briefs(&asked)
        .await?
        .into_iter()
        .map(|brief| (brief.id.clone(), brief))
        .collect();
    let mut on: HashMap<PageId, PageId> = kept
        .values()
        .map(|brief| (brief.id.clone(), brief.page_id.clone()))
        .collect();
    // Newest first: a reply may come before what it replies to.
    let mut ordered: Vec<&SourceComment> = items.iter().collect();
    ordered.sort_by_key(|item| (item.id.as_str().len(), item.id.clone()));
    for item in ordered {
        let above = || item.parent.as_ref().and_then(|id| on.get(id)).cloned();
        if let Some(page) = item.page.clone().or_else(above) {
            on.insert(item.id.clone(), page);
        }
    }
    let pages: HashSet<PageId> = on.values().cloned().collect();
    let ids: Vec<PageId> = pages.into_iter().collect();
    let mut spaces = HashMap::new();
    for ids in ids.chunks(500) {
        let records = ctx.store().pages_by_id(ctx.index(), ids).await?;
        spaces.extend(
            records
                .into_iter()
                .filter(|record| record.kind != ContentKind::Container)
                .map(|record| (record.page_id, record.facts.space_id)),
        );
    }
    let mut pages = HashSet::new();
    let mut gone = Vec::new();
    let mut raw = Vec::new();
    let mut new: HashMap<PageId, (SourceComment, PageId)> = HashMap::new();
    for mut item in items {
        let Some(page) = on.get(&item.id).filter(|page| spaces.contains_key(*page)) else {
            continue;
        };
        pages.insert(page.clone());
        if !matches!(item.status, ContentStatus::Current | ContentStatus::Unknown) {
            gone.push(item.id);
            continue;
        }
        if kept.get(&item.id).is_some_and(|brief| brief.is_as(&item)) {
            continue;
        }
        // Without its text it is left for the next sweep.
        let Some(storage) = item.body.take() else {
            continue;
        };
        raw.push(RawBody {
            page: item.id.clone(),
            // Nothing that could be asked for in a rendered form.
            kind: ContentKind::Container,
            version: item.version,
            space: spaces[page].clone(),
            url: item.url.clone(),
            storage,
        });
        new.insert(item.id.clone(), (item, page.clone()));
    }
    // One that cannot be converted is left for the next sweep.
    let comments: Vec<CachedComment> = convert(ctx, raw, Links::Resolve)
        .await?
        .done
        .into_iter()
        .filter_map(|converted| {
            let (item, page_id) = new.remove(&converted.body.page_id)?;
            Some(CachedComment {
                id: item.id,
                page_id,
                parent: item.parent,
                place: item.place,
                version: item.version,
                modified: item.modified,
                author: item.author,
                standing: item.standing,
                quoted: item.quoted,
                url: item.url,
                storage: converted.body.storage,
                markdown: converted.body.markdown,
                converter: CONVERTER,
            })
        })
        .collect();
    ctx.store().save_comments(&comments, &gone).await?;
    if !comments.is_empty() {
        ctx.shared.fail_point("after_comments_saved");
    }
    Ok(pages)
}

/// Names of people. Those that are not known yet are asked for, each once a run: one that could not be had is asked for by the
/// next run, and the comments told anew.
async fn names_of(
    ctx: &RunCtx,
    people: &[AccountId],
) -> Result<HashMap<AccountId, String>, RunError> {
    let known = ctx.store().known_people(people).await?;
    let mut names: HashMap<AccountId, String> = known.into_iter().collect();
    let unnamed = people.iter().filter(|id| !names.contains_key(*id));
    let unnamed: Vec<AccountId> = unnamed
        .filter(|id| ctx.find(|f| f.people_asked.insert((*id).clone())))
        .cloned()
        .collect();
    ask_for_people(ctx, &unnamed, &mut names).await?;
    Ok(names)
}

/// Converts again what an older converter made of the comments of these pages.
pub(super) async fn convert_anew(ctx: &RunCtx, pages: &[PageId]) -> Result<(), RunError> {
    for pages in pages.chunks(CHUNK) {
        let records = ctx.store().pages_by_id(ctx.index(), pages).await?;
        let spaces: HashMap<PageId, _> = records
            .into_iter()
            .map(|record| (record.page_id, record.facts.space_id))
            .collect();
        let comments = ctx.store().comments_of(pages).await?;
        let mut comments: HashMap<PageId, CachedComment> = comments
            .into_iter()
            .filter(|comment| comment.converter < CONVERTER)
            .map(|comment| (comment.id.clone(), comment))
            .collect();
        let raw = comments
            .values()
            .filter_map(|comment| {
                Some(RawBody {
                    page: comment.id.clone(),
                    kind: ContentKind::Container,
                    version: comment.version,
                    space: spaces.get(&comment.page_id)?.clone(),
                    url: comment.url.clone(),
                    storage: comment.storage.clone(),
                })
            })
            .collect();
        // One that cannot be converted keeps what it was, and is tried by the next sweep.
        let converted: Vec<CachedComment> = convert(ctx, raw, Links::Resolve)
            .await?
            .done
            .into_iter()
            .filter_map(|converted| {
                Some(CachedComment {
                    markdown: converted.body.markdown,
                    converter: CONVERTER,
                    ..comments.remove(&converted.body.page_id)?
                })
            })
            .collect();
        ctx.store().save_comments(&converted, &[]).await?;
    }
    Ok(())
}

/// Writes into the rows of these pages what their comments come to; answers the pages where that is something else than
/// before.
pub(super) async fn refold(ctx: &RunCtx, pages: &[PageId]) -> Result<Vec<PageId>, RunError> {
    let mut changed = Vec::new();
    for ids in pages.chunks(CHUNK) {
        ctx.stop.check()?;
        let comments = ctx.store().comments_of(ids).await?;
        let names = names_of(ctx, &authors(&comments)).await?;
        let folded = render_each(comments, &names);
        changed.extend(write_rendered(ctx, ids, &folded).await?);
    }
    Ok(changed)
}

async fn write_rendered(
    ctx: &RunCtx,
    ids: &[PageId],
    folded: &HashMap<PageId, String>,
) -> Result<Vec<PageId>, RunError> {
    let _rows = ctx.rows.lock().await;
    let mut records = ctx.store().pages_by_id(ctx.index(), ids).await?;
    let now = ctx.now();
    records.retain_mut(|record| {
        let text = folded.get(&record.page_id);
        let hash = text.map(|text| markdown_hash(text));
        if record.comments_hash == hash {
            return false;
        }
        record.comments_hash = hash;
        let pages = text.map(|text| points_at(text)).unwrap_or_default();
        record.links.set_comments(pages);
        record.changed_at = now;
        // So that it is decided also when this run ends before that.
        if record.standing == Standing::Member {
            record.standing = Standing::Undecided;
        }
        true
    });
    if !records.is_empty() {
        ctx.store().save_pages(&records, &[], &[]).await?;
        ctx.shared.fail_point("after_comments_folded");
    }
    Ok(records.into_iter().map(|record| record.page_id).collect())
}
