//! Items above pages that no listing names: folders, whiteboards, drafts, archived pages. Their restrictions count for all
//! below them, so they are asked for: those that nothing is known of first, then those that are known, the one not asked for
//! longest first. A page that answers 404 is a draft and restricts nobody. What else answers 404, or cannot be had, stays
//! unknown, and all below it out; a restriction that is known stands until that was answered twice.

use std::collections::{HashMap, HashSet};

use domain::PageId;
use domain::content::{ContentFacts, ContentKind, ContentStatus, Restriction, SourcePage};
use domain::page::{PageRecord, PageState, Standing};
use domain::ports::store::PageBrief;
use domain::tree::{Node, PageTree, Unseen, unseen};
use domain::vanish::is_confirmed;
use rand::seq::SliceRandom;

use super::facts::{self, Single};
use super::places::Places;
use crate::index::run::RunCtx;
use crate::index::run::context::{Budget, SeenSpace};
use crate::stop::RunError;

/// Containers may stand in containers; deeper than this is left for the next run.
const LEVELS: usize = 10;
/// What is said of an item whose own place is not known.
const NO_PLACE: &str =
    "it is not known yet what it stands in: search does not name a page below it";
/// Items above pages that are known, and that search does not name: so many are asked for again in a sweep, in each space.
const KNOWN_PER_SPACE: i64 = 50;

/// Completes the tree of a space.
pub(crate) async fn learn(
    ctx: &RunCtx,
    space: &SeenSpace,
    tree: &mut PageTree,
    briefs: &[PageBrief],
) -> Result<(), RunError> {
    let mut kinds = None;
    let mut places = Places::of(briefs);
    for _ in 0..LEVELS {
        let mut missing = tree.missing_parents();
        let in_vain: HashMap<PageId, Unseen> = ctx.find(|f| {
            let asked = |id: &PageId| Some((id.clone(), *f.unseen_above.get(id)?));
            missing.iter().filter_map(asked).collect()
        });
        missing.retain(|id| !in_vain.contains_key(id));
        let passed = in_vain.into_iter().filter(|(_, u)| *u == Unseen::PassOver);
        let mut passed: Vec<PageId> = passed.map(|(id, _)| id).collect();
        if missing.is_empty() {
            if passed.is_empty() {
                return Ok(());
            }
            places.pass_over(ctx, tree, passed).await?;
            continue;
        }
        let mut named: HashMap<PageId, ContentFacts> = match facts::of_ids(ctx, &missing).await {
            Ok(all) => all.named.into_iter().map(|f| (f.id.clone(), f)).collect(),
            Err(failure) => {
                let error = failure.recoverable()?;
                tracing::debug!(index = %ctx.index(), %error, "items above pages are not to be had in bulk");
                HashMap::new()
            }
        };
        if kinds.is_none() {
            let children = children_of_unknown(briefs);
            kinds = Some(kinds_of_parents(ctx, children).await?);
        }
        // Where there are more than may be asked for, none shall be the last in every run.
        missing.shuffle(&mut rand::rng());
        let mut found = Vec::new();
        for id in missing {
            let kind = kinds.as_ref().and_then(|kinds| kinds.get(&id)).copied();
            let known = match named.remove(&id) {
                Some(facts) => Single::Known(facts),
                None => {
                    let asked = kind.unwrap_or(ContentKind::Container);
                    facts::of_one(ctx, &ctx.new_above, asked, &id).await?
                }
            };
            match known {
                Single::Known(facts) => found.push(facts),
                Single::NotThere => {
                    let unseen = unseen(kind);
                    ctx.find(|f| f.unseen_above.insert(id.clone(), unseen));
                    match unseen {
                        Unseen::PassOver => passed.push(id),
                        Unseen::Unknown => ctx.asked_in_vain(&id, facts::NOT_THERE),
                    }
                }
                Single::Failed(why) => {
                    // Once in a run is enough.
                    ctx.find(|f| f.unseen_above.insert(id.clone(), Unseen::Unknown));
                    ctx.asked_in_vain(&id, &why);
                }
                Single::NotAsked => {}
            }
        }
        let answered = !passed.is_empty();
        places.pass_over(ctx, tree, passed).await?;
        places.tell(ctx, &mut found).await?;
        let mut learnt = Vec::new();
        for facts in found {
            let Some(above) = &facts.ancestors else {
                // Whatever it stands in may be restricted.
                ctx.find(|f| f.unseen_above.insert(facts.id.clone(), Unseen::Unknown));
                ctx.asked_in_vain(&facts.id, NO_PLACE);
                continue;
            };
            let node = Node {
                parent: above.last().cloned(),
                title: String::new(),
                restriction: facts.restriction,
            };
            tree.insert(facts.id.clone(), node);
            learnt.push(container(ctx, space, &facts));
        }
        keep(ctx, &learnt).await?;
        if learnt.is_empty() && !answered {
            return Ok(());
        }
    }
    Ok(())
}

/// Keeps what was learnt, but for items that have a row as what they are: a page may stand above others while its own listing
/// is still to come, or after it was removed.
async fn keep(ctx: &RunCtx, learnt: &[PageRecord]) -> Result<(), RunError> {
    let ids: Vec<PageId> = learnt.iter().map(|record| record.page_id.clone()).collect();
    let _rows = ctx.rows.lock().await;
    let pages: HashSet<PageId> = ctx
        .store()
        .pages_by_id(ctx.index(), &ids)
        .await?
        .into_iter()
        .filter(|record| record.kind != ContentKind::Container)
        .map(|record| record.page_id)
        .collect();
    let containers: Vec<PageRecord> = learnt
        .iter()
        .filter(|record| !pages.contains(&record.page_id))
        .cloned()
        .collect();
    ctx.store().save_pages(&containers, &[], Vec::new()).await?;
    Ok(())
}

/// Reads again what is known of items above pages that the walk over the space did not name, since a restriction of theirs may
/// have come or gone. One that is not there any more keeps its restriction until that was answered a second time; then a draft
/// leaves the tree, and of anything else it is not known any more.
pub(crate) async fn refresh(
    ctx: &RunCtx,
    briefs: &[PageBrief],
    named: &HashSet<PageId>,
) -> Result<(), RunError> {
    let above: HashSet<&PageId> = briefs.iter().filter_map(|b| b.parent_id.as_ref()).collect();
    let standing: Vec<&PageBrief> = briefs
        .iter()
        .filter(|b| b.kind == ContentKind::Container && b.state != PageState::Removed)
        .filter(|b| above.contains(&b.page_id))
        .collect();
    let unnamed: Vec<PageId> = standing
        .iter()
        .filter(|b| !named.contains(&b.page_id))
        .map(|b| b.page_id.clone())
        .collect();
    let mut there = named.clone();
    if !unnamed.is_empty() {
        let found = facts::of_ids(ctx, &unnamed).await?.named;
        there.extend(found.into_iter().map(|facts| facts.id));
    }
    let budget = Budget::new(KNOWN_PER_SPACE);
    let mut learnt = Vec::new();
    let mut asked = HashSet::new();
    let mut gone = HashSet::new();
    for id in longest_unasked(ctx, unnamed, &there).await? {
        match facts::of_one(ctx, &budget, ContentKind::Container, &id).await? {
            Single::Known(facts) => {
                there.insert(id.clone());
                learnt.push(facts);
            }
            Single::NotThere => {
                ctx.asked_in_vain(&id, facts::NOT_THERE);
                gone.insert(id.clone());
            }
            Single::Failed(why) => {
                ctx.asked_in_vain(&id, &why);
                continue;
            }
            Single::NotAsked => continue,
        }
        asked.insert(id);
    }
    Places::of(briefs).tell(ctx, &mut learnt).await?;
    facts::keep(ctx, &learnt).await?;
    let back = standing
        .iter()
        .filter(|b| b.vanished_at.is_some() && there.contains(&b.page_id))
        .map(|b| b.page_id.clone());
    let touched: HashSet<PageId> = asked.into_iter().chain(back).collect();
    note(ctx, briefs, touched, &gone).await
}

/// Those of these items that are not named otherwise, in the order in which they are asked for: of which least is known, then
/// the one asked for longest ago.
async fn longest_unasked(
    ctx: &RunCtx,
    unnamed: Vec<PageId>,
    named: &HashSet<PageId>,
) -> Result<Vec<PageId>, RunError> {
    let mut order = Vec::new();
    let records = ctx.records(&unnamed).await?.into_values();
    order.extend(
        records
            .filter(|r| !named.contains(&r.page_id))
            .map(|record| {
                let known = record.restriction != Restriction::Unknown;
                (known, record.facts.modified, record.page_id)
            }),
    );
    order.sort_unstable();
    Ok(order.into_iter().map(|(_, _, id)| id).collect())
}

/// Writes when items were asked for, and what their absence comes to.
async fn note(
    ctx: &RunCtx,
    briefs: &[PageBrief],
    touched: HashSet<PageId>,
    gone: &HashSet<PageId>,
) -> Result<(), RunError> {
    if touched.is_empty() {
        return Ok(());
    }
    let below = briefs
        .iter()
        .filter(|b| b.parent_id.as_ref().is_some_and(|p| gone.contains(p)))
        .map(|b| b.page_id.clone())
        .collect();
    let kinds = kinds_of_parents(ctx, below).await?;
    let touched: Vec<PageId> = touched.into_iter().collect();
    let now = ctx.now();
    let _rows = ctx.rows.lock().await;
    let mut records = ctx.store().pages_by_id(ctx.index(), &touched).await?;
    records.retain(|record| record.kind == ContentKind::Container);
    for record in &mut records {
        // Nobody edits a container in a way that a listing tells; its row says when it was asked for.
        record.facts.modified = now;
        if !gone.contains(&record.page_id) {
            record.vanished_at = None;
        } else if is_confirmed(record.vanished_at, now) {
            match unseen(kinds.get(&record.page_id).copied()) {
                Unseen::PassOver => record.standing = Standing::Gone,
                Unseen::Unknown => record.restriction = Restriction::Unknown,
            }
        } else {
            record.vanished_at.get_or_insert(now);
        }
    }
    ctx.store().save_pages(&records, &[], Vec::new()).await?;
    Ok(())
}

fn container(ctx: &RunCtx, space: &SeenSpace, facts: &ContentFacts) -> PageRecord {
    let parent = facts
        .ancestors
        .as_ref()
        .and_then(|above| above.last())
        .cloned();
    let now = ctx.now();
    let source = SourcePage {
        id: facts.id.clone(),
        kind: ContentKind::Container,
        status: ContentStatus::Current,
        title: String::new(),
        space_id: space.id.clone(),
        parent_kind: parent.as_ref().map(|_| ContentKind::Container),
        parent_id: parent,
        version: 0,
        modified: now,
        author: None,
        url: String::new(),
        body: None,
    };
    PageRecord {
        restriction: facts.restriction,
        labels: facts.labels.clone(),
        ..PageRecord::new(ctx.index(), &source, now)
    }
}

/// What has something above it that has no row.
fn children_of_unknown(briefs: &[PageBrief]) -> Vec<PageId> {
    let standing: HashSet<&PageId> = briefs
        .iter()
        .filter(|b| b.state != PageState::Removed)
        .map(|b| &b.page_id)
        .collect();
    briefs
        .iter()
        .filter(|b| b.parent_id.as_ref().is_some_and(|p| !standing.contains(p)))
        .map(|b| b.page_id.clone())
        .collect()
}

/// What stands above these items, as their own rows say.
async fn kinds_of_parents(
    ctx: &RunCtx,
    children: Vec<PageId>,
) -> Result<HashMap<PageId, ContentKind>, RunError> {
    let mut kinds = HashMap::new();
    for record in ctx.records(&children).await?.into_values() {
        // A container's row guesses.
        if record.kind == ContentKind::Container {
            continue;
        }
        if let (Some(parent), Some(kind)) = (record.facts.parent_id, record.facts.parent_kind) {
            kinds.insert(parent, kind);
        }
    }
    Ok(kinds)
}
