//! Comments of the index's pages, where it wants them. What it costs: a poll asks twice (newest first, until behind what is
//! known); a sweep asks once per 200 comments of a space, and once per 50 that are new or changed; no request is made for a
//! single page.
//!
//! Search answers for a whole space but lags behind; the lists of the site do not, but name the whole site. So what is new
//! comes from both, and that a comment is gone is believed only when the comment itself is asked for, or when two sweeps in a
//! row missed it.

use std::collections::{HashMap, HashSet};

use domain::comments::{
    CachedComment, CommentBrief, CommentPlace, Look, Missed, SourceComment, judge_missed,
};
use domain::content::{ContentKind, ContentStatus};
use domain::page::PageState;
use domain::part::Part;
use domain::ports::source::{CommentsQuery, Cursor, MAX_COMMENTS};
use domain::vanish::{CONFIRM_AFTER, is_suspiciously_empty};
use domain::{PageId, Timestamp};

use super::listing::Listing;
use super::recent::{newest_first, watermark};
use crate::index::run::RunCtx;
use crate::index::run::context::SeenSpace;
use crate::index::run::text::comments::{convert_anew, render};
use crate::index::run::text::convert::{CONVERTER, Links, RawBody, convert};
use crate::stop::RunError;

/// The checkpoint that remembers the newest comment seen.
pub(crate) const WALK: &str = "comments";
/// Missed comments that one poll looks at again.
const LOOKS_A_POLL: usize = 20;

/// Where comments stand before a run looks at pages: polled newest first since the last time. Answers the pages whose
/// comments may be others, and up to when comments are known, to be remembered when all of them were read.
pub(crate) async fn poll(ctx: &RunCtx) -> Result<(HashSet<PageId>, Option<Timestamp>), RunError> {
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
pub(crate) async fn of_space(ctx: &RunCtx, space: &SeenSpace) -> Result<(), RunError> {
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
    render(ctx, &members).await?;
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
        let ctx = self.ctx;
        let mut listing = Listing::of(format!("the comments of {}", space.given));
        let ask = async |at: Option<&Cursor>| ctx.source.comments(&query, at).await;
        while let Some(items) = listing.next(ask).await? {
            let (items_named, before) = (items.len(), self.places.len());
            self.compare(items).await?;
            let named = self.places.len();
            listing.named(items_named, named - before, named)?;
        }
        Ok(())
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
            let ctx = self.ctx;
            let mut listing = Listing::of("comments by their ids");
            let ask = async |at: Option<&Cursor>| ctx.source.comments(&query, at).await;
            while let Some(mut items) = listing.next(ask).await? {
                listing.named(items.len(), 0, ids.len())?;
                for item in &mut items {
                    let named = || self.places.get(&item.id).cloned().flatten();
                    item.page = item.page.take().or_else(named);
                }
                take(self.ctx, items).await?;
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
pub(crate) async fn look_again(ctx: &RunCtx) -> Result<HashSet<PageId>, RunError> {
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
    let records = ctx.records(&ids).await?;
    let spaces: HashMap<PageId, _> = records
        .into_values()
        .filter(|record| record.kind != ContentKind::Container)
        .map(|record| (record.page_id, record.facts.space_id))
        .collect();
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
            let (item, page_id) = new.remove(&converted.body.text.page_id)?;
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
                markdown: converted.body.text.markdown,
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
