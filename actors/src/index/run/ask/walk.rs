//! One space from its first id to its last: with bodies where nothing of it is known, else to compare.

use std::collections::HashSet;
use std::time::Duration;

use domain::change::Repeats;
use domain::content::{ContentKind, ContentStatus, SourcePage};
use domain::page::PageState;
use domain::ports::source::{Batch, Cursor, ListOrder, ListQuery, MAX_BATCH, SourceError};
use domain::{Disposition, PageId, RunId, Timestamp};
use futures_util::future::join;
use serde::{Deserialize, Serialize};

use super::listing::Restarts;
use crate::index::run::RunCtx;
use crate::index::run::context::SeenSpace;
use crate::index::run::text::convert::Links;
use crate::index::run::text::listed::record;
use crate::stop::RunError;

/// What is newest in answers of a run's first minute bounds what may have changed behind its back; the overlap of polls is
/// ten times that.
const NEWEST_COUNTS_FOR: Duration = Duration::from_secs(60);

/// Where a walk with bodies is; kept, so that a restart resumes it.
#[derive(Serialize, Deserialize)]
struct Mark {
    /// Named in `seen_in_run` of everything that the walk has listed, over restarts.
    walk: RunId,
    /// The watermark that its beginning allows.
    newest: Option<Timestamp>,
    cursor: String,
}

/// Walks one kind of content of one space; answers what a walk that ended without error named.
pub(crate) async fn walk(
    ctx: &RunCtx,
    space: &SeenSpace,
    kind: ContentKind,
) -> Result<HashSet<PageId>, RunError> {
    let name = format!("list/{}/{}", kind.as_str(), space.id);
    let mark = mark(ctx, &name).await?;
    let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
    let known = briefs
        .iter()
        .any(|brief| brief.kind == kind && brief.state != PageState::Removed);
    let mut with_bodies = (mark.is_some() || !known) && !ctx.cached_spaces.contains(&space.id);
    let turn = ctx.shared.walk_of(&space.id, kind);
    let mut walking = None;
    if with_bodies {
        walking = turn.try_lock().ok();
        if walking.is_none() {
            // Another index fetches the same bodies now. When it is done, a listing tells which are still missing; a walk
            // that was interrupted goes on as it began.
            walking = Some(ctx.stop.unless_asked(turn.lock()).await?);
            with_bodies = mark.is_some();
        }
    }
    // Only a walk with bodies goes on from a mark, and ends it: without, everything is listed from the beginning.
    let mark = match mark {
        Some(_) if !with_bodies => {
            ctx.store().set_checkpoint(ctx.index(), &name, None).await?;
            None
        }
        mark => mark,
    };
    if !with_bodies {
        drop(walking.take());
    }
    let mut walk = Walk {
        ctx,
        space,
        kind,
        name,
        walk: ctx.run.id,
        with_bodies,
        limit: MAX_BATCH,
        suspect_items: 0,
        limit_before_split: MAX_BATCH,
        restarts: Restarts::default(),
        repeats: Repeats::default(),
        seen: HashSet::new(),
    };
    let mut cursor = None;
    if let Some(mark) = mark {
        walk.walk = mark.walk;
        cursor = Some(Cursor(mark.cursor));
        ctx.find(|f| f.newest_at_most = earlier(f.newest_at_most, mark.newest));
        walk.seen = briefs
            .into_iter()
            .filter(|brief| brief.kind == kind && brief.seen_in_run == Some(mark.walk))
            .map(|brief| brief.page_id)
            .collect();
        tracing::info!(index = %ctx.index(), space = %space.given, "a walk goes on where it was interrupted");
    } else {
        drop(briefs);
    }
    walk.go(cursor).await?;
    Ok(walk.seen)
}

async fn mark(ctx: &RunCtx, name: &str) -> Result<Option<Mark>, RunError> {
    let cursor = ctx.store().checkpoint(ctx.index(), name).await?;
    Ok(cursor.and_then(|Cursor(text)| serde_json::from_str(&text).ok()))
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

struct Walk<'a> {
    ctx: &'a RunCtx,
    space: &'a SeenSpace,
    kind: ContentKind,
    name: String,
    walk: RunId,
    with_bodies: bool,
    limit: usize,
    /// Something among so many of the next items makes answers fail; 0 when nothing is known of such.
    suspect_items: usize,
    /// How many items an answer had before that.
    limit_before_split: usize,
    restarts: Restarts,
    repeats: Repeats,
    /// What was named.
    seen: HashSet<PageId>,
}

impl Walk<'_> {
    async fn go(&mut self, from: Option<Cursor>) -> Result<(), RunError> {
        let mut at = from;
        let mut answer = self.next_answer(&mut at).await?;
        loop {
            let next = answer.next.take();
            if next.is_some() && next == at {
                return Err(RunError::Source(turns_in_a_circle(self.space)));
            }
            at = next;
            if at.is_none() {
                self.take(answer.items).await?;
                break;
            }
            // The next answer is on its way while this one is converted and written.
            let items = std::mem::take(&mut answer.items);
            let request = Request::of(self);
            let (taken, fetched) = join(self.take(items), request.get(at.as_ref())).await;
            taken?;
            self.remember(at.as_ref()).await?;
            answer = match fetched {
                Ok(answer) => {
                    self.passed(answer.items.len());
                    answer
                }
                // Smaller pieces, or from the beginning: without haste.
                Err(failure) => {
                    self.adapt(failure, &mut at)?;
                    self.next_answer(&mut at).await?
                }
            };
        }
        self.remember(None).await
    }

    /// One answer, in smaller pieces where it is too large.
    async fn next_answer(
        &mut self,
        at: &mut Option<Cursor>,
    ) -> Result<Batch<SourcePage>, RunError> {
        loop {
            match Request::of(self).get(at.as_ref()).await {
                Ok(answer) => {
                    self.passed(answer.items.len());
                    return Ok(answer);
                }
                Err(failure) => self.adapt(failure, at)?,
            }
            if self.limit == 0 {
                // One item cannot be had with its body: list it without; the body is tried by itself later.
                self.limit = 1;
                let request = Request {
                    bodies: false,
                    ..Request::of(self)
                };
                let answer = request.get(at.as_ref()).await;
                // It was this one: the others come as before.
                self.suspect_items = 0;
                self.limit = self.limit_before_split;
                return answer;
            }
        }
    }

    /// Answers grow again when what made them fail lies behind.
    fn passed(&mut self, items: usize) {
        self.suspect_items = self.suspect_items.saturating_sub(items);
        self.limit = match self.suspect_items {
            0 => (self.limit * 2).min(MAX_BATCH),
            suspect_items => self.limit.min(suspect_items),
        };
    }

    /// Decides how to go on after a failed request; the error where there is no way.
    fn adapt(&mut self, failure: RunError, at: &mut Option<Cursor>) -> Result<(), RunError> {
        let error = failure.recoverable()?;
        match error.disposition() {
            Disposition::Split if self.limit > 1 => {
                if self.suspect_items == 0 {
                    self.limit_before_split = self.limit;
                }
                self.suspect_items = self.limit;
                self.limit /= 2;
            }
            Disposition::Split if self.with_bodies => self.limit = 0,
            _ if self.restarts.allows(&error) => {
                tracing::warn!(index = %self.ctx.index(), space = %self.space.given, %error, "a walk begins again");
                *at = None;
            }
            _ => return Err(RunError::Source(error)),
        }
        Ok(())
    }

    async fn take(&mut self, items: Vec<SourcePage>) -> Result<(), RunError> {
        let ctx = self.ctx;
        ctx.shared.fail_point("after_listing_answer");
        let before = self.seen.len();
        self.seen.extend(items.iter().map(|item| item.id.clone()));
        let named = self.seen.len();
        let new = named - before;
        ctx.counters
            .count(|counts| counts.seen += i64::try_from(new).unwrap_or(0));
        if !self.repeats.take(items.len(), new, named) {
            return Err(RunError::Source(turns_in_a_circle(self.space)));
        }
        note_newest(ctx, &items);
        // Only a walk that may be resumed has to leave marks on every row.
        let seen_in = self.with_bodies.then_some(self.walk);
        record(ctx, items, seen_in, Links::AsKnown).await?;
        Ok(())
    }

    async fn remember(&self, at: Option<&Cursor>) -> Result<(), RunError> {
        if !self.with_bodies {
            return Ok(());
        }
        let ctx = self.ctx;
        let mark = at.map(|Cursor(cursor)| Mark {
            walk: self.walk,
            newest: ctx.find(|f| earlier(f.newest, f.newest_at_most)),
            cursor: cursor.clone(),
        });
        let mark = mark
            .and_then(|mark| serde_json::to_string(&mark).ok())
            .map(Cursor);
        ctx.store()
            .set_checkpoint(ctx.index(), &self.name, mark.as_ref())
            .await?;
        ctx.shared.fail_point("after_checkpoint");
        Ok(())
    }
}

/// One request of a walk, apart from the walk's state, so that it can be on its way meanwhile.
struct Request<'a> {
    ctx: &'a RunCtx,
    space: &'a SeenSpace,
    kind: ContentKind,
    bodies: bool,
    limit: usize,
}

impl<'a> Request<'a> {
    fn of(walk: &Walk<'a>) -> Self {
        Self {
            ctx: walk.ctx,
            space: walk.space,
            kind: walk.kind,
            bodies: walk.with_bodies,
            limit: walk.limit.max(1),
        }
    }

    async fn get(&self, at: Option<&Cursor>) -> Result<Batch<SourcePage>, RunError> {
        let query = ListQuery {
            kind: self.kind,
            spaces: vec![self.space.id.clone()],
            order: ListOrder::Id,
            statuses: vec![ContentStatus::Current],
            bodies: self.bodies,
            limit: self.limit,
        };
        self.ctx.source.list(&query, at).await
    }
}

fn note_newest(ctx: &RunCtx, items: &[SourcePage]) {
    if ctx.started.elapsed() <= NEWEST_COUNTS_FOR {
        let newest = items.iter().map(|item| item.modified).max();
        ctx.find(|f| f.newest = f.newest.max(newest));
    }
}

fn turns_in_a_circle(space: &SeenSpace) -> SourceError {
    SourceError::endless(format!("the pages of {}", space.given))
}

/// The newest modification in some spaces, before a long walk begins: one request a hundred spaces.
pub(crate) async fn newest_before(ctx: &RunCtx, spaces: &[SeenSpace]) -> Result<(), RunError> {
    for spaces in spaces.chunks(domain::ports::source::MAX_SPACES_PER_LISTING) {
        let query = ListQuery {
            kind: ContentKind::Page,
            spaces: spaces.iter().map(|space| space.id.clone()).collect(),
            order: ListOrder::NewestFirst,
            statuses: vec![ContentStatus::Current],
            bodies: false,
            limit: 1,
        };
        match ctx.source.list(&query, None).await {
            Ok(answer) => note_newest(ctx, &answer.items),
            Err(failure) => {
                // Without it the watermark stays behind: the next poll reads more, and misses nothing.
                let error = failure.recoverable()?;
                tracing::debug!(index = %ctx.index(), %error, "the newest modification is not known");
            }
        }
    }
    Ok(())
}
