//! Labels and own restrictions: in bulk by space or by ids, one by one only for the few that search does not know yet.

use std::collections::HashSet;

use domain::change::Repeats;
use domain::content::{ContentFacts, ContentKind};
use domain::ports::source::{Cursor, FactsQuery, SourceError};
use domain::{Disposition, PageId};

use super::RunCtx;
use super::context::{Budget, SeenSpace};
use crate::stop::RunError;

/// Ids that one question names.
const IDS: usize = 100;
/// A walk whose cursor is refused is begun again so often.
const RESTARTS: u32 = 2;

/// What a 404 says of an item whose restrictions were asked for, in words.
pub(super) const NOT_THERE: &str = "Confluence answers 404 when it is asked for its restrictions, as if it were not there or not to be seen by this account";

/// A walk over the facts of a whole space, answer by answer.
pub(super) struct FactsWalk<'a> {
    ctx: &'a RunCtx,
    query: FactsQuery,
    cursor: Option<Cursor>,
    restarts: u32,
    repeats: Repeats,
    over: bool,
    /// Whether an item of a kind that is listed was named.
    pub(super) named_pages: bool,
    /// What was named so far.
    pub(super) named: HashSet<PageId>,
}

impl<'a> FactsWalk<'a> {
    pub(super) fn new(ctx: &'a RunCtx, space: &SeenSpace) -> Self {
        Self {
            ctx,
            query: FactsQuery::Space(space.key.clone(), space.reach),
            cursor: None,
            restarts: 0,
            repeats: Repeats::default(),
            over: false,
            named_pages: false,
            named: HashSet::new(),
        }
    }

    /// Takes the next answer and writes it; `false` when the walk is over.
    pub(super) async fn step(&mut self) -> Result<bool, RunError> {
        if self.over {
            return Ok(false);
        }
        let ctx = self.ctx;
        let answer = match ctx.source.facts(&self.query, self.cursor.as_ref()).await {
            Ok(answer) => answer,
            Err(failure) => {
                let error = failure.recoverable()?;
                if error.disposition() == Disposition::RestartWalk && self.restarts < RESTARTS {
                    self.restarts += 1;
                    self.cursor = None;
                    return Ok(true);
                }
                return Err(RunError::Source(error));
            }
        };
        // Search was seen to name a next answer behind an empty one: that is its end.
        self.over = answer.next.is_none() || answer.items.is_empty() || answer.next == self.cursor;
        let before = self.named.len();
        self.named
            .extend(answer.items.iter().map(|item| item.id.clone()));
        let named = self.named.len();
        if !self.repeats.take(answer.items.len(), named - before, named) {
            let what = "labels and restrictions of a space".to_owned();
            return Err(RunError::Source(SourceError::endless(what)));
        }
        self.named_pages |= answer
            .items
            .iter()
            .any(|item| ctx.kinds().contains(&item.kind));
        keep(ctx, &answer.items).await?;
        self.cursor = answer.next;
        Ok(true)
    }
}

/// The facts of some items.
#[derive(Default)]
pub(super) struct FactsOfIds {
    /// Those that search knows.
    pub(super) named: Vec<ContentFacts>,
    /// Those whose labels or restriction are others than before.
    pub(super) changed: Vec<PageId>,
}

/// Reads the facts of some items and writes them.
pub(super) async fn of_ids(ctx: &RunCtx, ids: &[PageId]) -> Result<FactsOfIds, RunError> {
    let mut all = Vec::new();
    for ids in ids.chunks(IDS) {
        let query = FactsQuery::Ids(ids.to_vec(), ctx.reach());
        let mut cursor: Option<Cursor> = None;
        loop {
            let answer = ctx.source.facts(&query, cursor.as_ref()).await?;
            let last = answer.next.is_none() || answer.items.is_empty() || answer.next == cursor;
            all.extend(answer.items);
            if last {
                break;
            }
            cursor = answer.next;
        }
    }
    let changed = keep(ctx, &all).await?;
    Ok(FactsOfIds {
        named: all,
        changed,
    })
}

/// Asks one by one for items whose restriction is not known yet, as far as the run's budget goes; answers those that are
/// known now.
pub(super) async fn learn_unknown(
    ctx: &RunCtx,
    unknown: impl IntoIterator<Item = (PageId, ContentKind)>,
) -> Result<Vec<PageId>, RunError> {
    let mut learnt = Vec::new();
    for (id, kind) in unknown {
        match of_one(ctx, &ctx.single_facts, kind, &id).await? {
            Single::Known(facts) => learnt.push(facts),
            Single::NotThere => ctx.asked_in_vain(&id, NOT_THERE),
            Single::Failed(why) => ctx.asked_in_vain(&id, &why),
            Single::NotAsked => {}
        }
    }
    keep(ctx, &learnt).await
}

/// One item by a request of its own, while the budget for such lasts.
pub(super) async fn of_one(
    ctx: &RunCtx,
    budget: &Budget,
    kind: ContentKind,
    id: &PageId,
) -> Result<Single, RunError> {
    if !budget.take() {
        return Ok(Single::NotAsked);
    }
    match ctx.source.facts_of(kind, id).await {
        Ok(Some(facts)) => Ok(Single::Known(facts)),
        Ok(None) => Ok(Single::NotThere),
        Err(failure) => {
            // Not known: whoever asked takes it for restricted.
            let error = failure.recoverable()?;
            tracing::warn!(index = %ctx.index(), page = %id, %error, "labels and restrictions of one item could not be read");
            Ok(Single::Failed(error.to_string()))
        }
    }
}

/// What a question for one item came to.
pub(super) enum Single {
    Known(ContentFacts),
    NotThere,
    /// In words.
    Failed(String),
    /// The budget is used up.
    NotAsked,
}

/// Writes facts into rows; answers the ids whose labels or restriction changed.
pub(super) async fn keep(ctx: &RunCtx, facts: &[ContentFacts]) -> Result<Vec<PageId>, RunError> {
    if facts.is_empty() {
        return Ok(Vec::new());
    }
    let _rows = ctx.rows.lock().await;
    let changed = ctx.store().record_facts(ctx.index(), facts).await?;
    ctx.shared.fail_point("after_facts_recorded");
    Ok(changed)
}
