//! One space from its first id to its last: with bodies where nothing of it is known, else to compare.

use std::collections::HashSet;
use std::time::Duration;

use domain::change::Repeats;
use domain::content::{ContentKind, ContentStatus, SourcePage};
use domain::page::PageState;
use domain::ports::source::{Batch, Cursor, ListOrder, ListQuery, MAX_BATCH, SourceError};
use domain::sizes::BodySizes;
use domain::{Disposition, PageId, RunId, Timestamp};
use futures_util::future::join;
use serde::{Deserialize, Serialize};

use super::listing::Restarts;
use crate::index::run::RunCtx;
use crate::index::run::context::SeenSpace;
use crate::index::run::text::convert::Links;
use crate::index::run::text::listed::record;
use crate::memory::Held;
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
        sizes: BodySizes::default(),
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
    /// Of the bodies that came.
    sizes: BodySizes,
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
            let (listed, held) = answer;
            if listed.next.is_some() && listed.next == at {
                return Err(RunError::Source(turns_in_a_circle(self.space)));
            }
            at = listed.next;
            if at.is_none() {
                self.take(listed.items, held).await?;
                break;
            }
            // The next answer is on its way while this one is converted and written.
            let request = Request::of(self);
            let taking = self.take(listed.items, held);
            let (taken, fetched) = join(taking, request.get(at.as_ref())).await;
            taken?;
            self.remember(at.as_ref()).await?;
            answer = match fetched {
                Ok(answer) => {
                    self.passed(&answer.0.items);
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
    ) -> Result<(Batch<SourcePage>, Held), RunError> {
        loop {
            match Request::of(self).get(at.as_ref()).await {
                Ok(answer) => {
                    self.passed(&answer.0.items);
                    return Ok(answer);
                }
                Err(failure) => self.adapt(failure, at)?,
            }
            if self.limit == 0 {
                // One item cannot be had with its body: list it without; the body is tried by itself later.
                self.limit = 1;
                let request = Request {
                    bodies: None,
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

    /// How many items the next answer may have: fewer where bodies are known to be large.
    fn most_items(&self) -> usize {
        let limit = self.limit.max(1);
        match self.with_bodies {
            true => limit.min(self.sizes.fitting(self.piece())),
            false => limit,
        }
    }

    fn piece(&self) -> usize {
        self.ctx.shared.texts.bodies.piece()
    }

    /// Answers grow again when what made them fail lies behind.
    fn passed(&mut self, items: &[SourcePage]) {
        let bodies = items.iter().filter_map(|item| item.body.as_ref());
        bodies.for_each(|body| self.sizes.note(1, body.len()));
        self.suspect_items = self.suspect_items.saturating_sub(items.len());
        self.limit = match self.suspect_items {
            0 => (self.limit * 2).min(MAX_BATCH),
            suspect_items => self.limit.min(suspect_items),
        };
    }

    /// Decides how to go on after a failed request; the error where there is no way.
    fn adapt(&mut self, failure: RunError, at: &mut Option<Cursor>) -> Result<(), RunError> {
        let error = failure.recoverable()?;
        let asked = self.most_items();
        match error.disposition() {
            Disposition::Split if asked > 1 => {
                if self.suspect_items == 0 {
                    self.limit_before_split = self.limit;
                }
                self.suspect_items = asked;
                self.limit = asked / 2;
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

    /// Writes what was listed; until then its bodies are in memory.
    async fn take(&mut self, items: Vec<SourcePage>, _held: Held) -> Result<(), RunError> {
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
    bodies: Option<usize>,
    limit: usize,
}

impl<'a> Request<'a> {
    fn of(walk: &Walk<'a>) -> Self {
        let limit = walk.most_items();
        let most = || walk.sizes.answer_bytes(limit, walk.piece());
        Self {
            ctx: walk.ctx,
            space: walk.space,
            kind: walk.kind,
            bodies: walk.with_bodies.then(most),
            limit,
        }
    }

    async fn get(&self, at: Option<&Cursor>) -> Result<(Batch<SourcePage>, Held), RunError> {
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
            bodies: None,
            limit: 1,
        };
        match ctx.source.list(&query, None).await {
            Ok((answer, _)) => note_newest(ctx, &answer.items),
            Err(failure) => {
                // Without it the watermark stays behind: the next poll reads more, and misses nothing.
                let error = failure.recoverable()?;
                tracing::debug!(index = %ctx.index(), %error, "the newest modification is not known");
            }
        }
    }
    Ok(())
}
