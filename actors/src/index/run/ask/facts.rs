//! Labels and own restrictions: in bulk by space or by ids, one by one only for the few that search does not know yet.

use std::collections::HashSet;

use domain::PageId;
use domain::content::{ContentFacts, ContentKind};
use domain::ports::source::{Cursor, FactsQuery};

use super::listing::Listing;
use crate::index::run::RunCtx;
use crate::index::run::context::{Budget, SeenSpace};
use crate::stop::RunError;

/// Ids that one question names.
const IDS: usize = 100;

/// What a 404 says of an item whose restrictions were asked for, in words.
pub(crate) const NOT_THERE: &str = "Confluence answers 404 when it is asked for its restrictions, as if it were not there or not to be seen by this account";

/// A walk over the facts of a whole space, answer by answer.
pub(crate) struct FactsWalk<'a> {
    ctx: &'a RunCtx,
    query: FactsQuery,
    listing: Listing,
    /// Whether an item of a kind that is listed was named.
    pub(crate) named_pages: bool,
    /// What was named so far.
    pub(crate) named: HashSet<PageId>,
}

impl<'a> FactsWalk<'a> {
    pub(crate) fn new(ctx: &'a RunCtx, space: &SeenSpace) -> Self {
        Self {
            ctx,
            query: FactsQuery::Space(space.key.clone(), space.reach),
            listing: Listing::of(format!("labels and restrictions of {}", space.given)),
            named_pages: false,
            named: HashSet::new(),
        }
    }

    /// Takes the next answer and writes it; `false` when the walk is over.
    pub(crate) async fn step(&mut self) -> Result<bool, RunError> {
        let (ctx, query) = (self.ctx, &self.query);
        let ask = async |at: Option<&Cursor>| ctx.source.facts(query, at).await;
        let Some(items) = self.listing.next(ask).await? else {
            return Ok(false);
        };
        let before = self.named.len();
        self.named.extend(items.iter().map(|item| item.id.clone()));
        let named = self.named.len();
        self.listing.named(items.len(), named - before, named)?;
        self.named_pages |= items.iter().any(|item| ctx.kinds().contains(&item.kind));
        keep(ctx, &items).await?;
        Ok(true)
    }
}

/// The facts of some items.
#[derive(Default)]
pub(crate) struct FactsOfIds {
    /// Those that search knows.
    pub(crate) named: Vec<ContentFacts>,
    /// Those whose labels or restriction are others than before.
    pub(crate) changed: Vec<PageId>,
}

/// Reads the facts of some items.
pub(crate) async fn told_of_ids(
    ctx: &RunCtx,
    ids: &[PageId],
) -> Result<Vec<ContentFacts>, RunError> {
    let mut all = Vec::new();
    for ids in ids.chunks(IDS) {
        let query = FactsQuery::Ids(ids.to_vec(), ctx.reach());
        let mut listing = Listing::of("labels and restrictions of items by their ids");
        let ask = async |at: Option<&Cursor>| ctx.source.facts(&query, at).await;
        while let Some(items) = listing.next(ask).await? {
            listing.named(items.len(), 0, ids.len())?;
            all.extend(items);
        }
    }
    Ok(all)
}

/// Reads the facts of some items and writes them.
pub(crate) async fn of_ids(ctx: &RunCtx, ids: &[PageId]) -> Result<FactsOfIds, RunError> {
    let named = told_of_ids(ctx, ids).await?;
    let changed = keep(ctx, &named).await?;
    Ok(FactsOfIds { named, changed })
}

/// Asks one by one for items whose restriction is not known yet, as far as the run's budget goes; answers those that are
/// known now.
pub(crate) async fn learn_unknown(
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
pub(crate) async fn of_one(
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
pub(crate) enum Single {
    Known(ContentFacts),
    NotThere,
    /// In words.
    Failed(String),
    /// The budget is used up.
    NotAsked,
}

/// Writes facts into rows; answers the ids whose labels or restriction changed.
pub(crate) async fn keep(ctx: &RunCtx, facts: &[ContentFacts]) -> Result<Vec<PageId>, RunError> {
    if facts.is_empty() {
        return Ok(Vec::new());
    }
    let _rows = ctx.rows.lock().await;
    let changed = ctx.store().record_facts(ctx.index(), facts).await?;
    ctx.shared.fail_point("after_facts_recorded");
    Ok(changed)
}
