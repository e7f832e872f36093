//! Items above pages that no listing names: folders, whiteboards, drafts, archived pages. Their restrictions count for all
//! below them, so they are asked for; what answers 404 is a draft and restricts nobody; what cannot be had stays unknown, and
//! all below it out.

use std::collections::{HashMap, HashSet};

use domain::PageId;
use domain::content::{ContentFacts, ContentKind, ContentStatus, SourcePage};
use domain::page::{PageRecord, PageState};
use domain::ports::store::PageBrief;
use domain::tree::{Node, PageTree};

use super::context::SeenSpace;
use super::facts::{self, Single};
use super::{Halt, RunCtx};

/// Containers may stand in containers; deeper than this is left for the next run.
const LEVELS: usize = 10;

/// Completes the tree of a space.
pub(super) async fn learn(
    ctx: &RunCtx,
    space: &SeenSpace,
    tree: &mut PageTree,
    briefs: &[PageBrief],
) -> Result<(), Halt> {
    for _ in 0..LEVELS {
        let missing = tree.missing_parents();
        if missing.is_empty() {
            return Ok(());
        }
        let before = missing.len();
        let mut named: HashMap<PageId, ContentFacts> = match facts::of_ids(ctx, &missing).await {
            Ok(all) => all.named.into_iter().map(|f| (f.id.clone(), f)).collect(),
            Err(halt) => {
                let error = halt.only_this_part()?;
                tracing::debug!(index = %ctx.index(), %error, "items above pages are not to be had in bulk");
                HashMap::new()
            }
        };
        let mut kinds = None;
        let mut learnt = Vec::new();
        for id in missing {
            let known = match named.remove(&id) {
                Some(facts) => Single::Known(facts),
                None => {
                    if kinds.is_none() {
                        kinds = Some(kinds_of_parents(ctx, briefs).await?);
                    }
                    let kind = kinds.as_ref().and_then(|kinds| kinds.get(&id)).copied();
                    facts::of_one(ctx, kind.unwrap_or(ContentKind::Container), &id).await?
                }
            };
            match known {
                Single::Known(facts) => {
                    let parent = facts.ancestors.as_ref().and_then(|above| above.last());
                    tree.insert(
                        id,
                        Node {
                            parent: parent.cloned(),
                            title: String::new(),
                            restriction: facts.restriction,
                        },
                    );
                    learnt.push(container(ctx, space, &facts));
                }
                Single::NotThere => tree.pass_over(id),
                Single::NotAsked => {}
            }
        }
        keep(ctx, &learnt).await?;
        if learnt.is_empty() && tree.missing_parents().len() == before {
            return Ok(());
        }
    }
    Ok(())
}

/// Keeps what was learnt, but for items that have a row as what they are: a page may stand above others while its own listing
/// is still to come, or after it was removed.
async fn keep(ctx: &RunCtx, learnt: &[PageRecord]) -> Result<(), Halt> {
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
    ctx.store().save_pages(&containers, &[], &[]).await?;
    Ok(())
}

/// Reads again what is known of items above pages that the walk over the space did not name, since a restriction of theirs may
/// have come or gone. One that is not there any more leaves the tree.
pub(super) async fn refresh(
    ctx: &RunCtx,
    briefs: &[PageBrief],
    named: &HashSet<PageId>,
) -> Result<(), Halt> {
    let above: HashSet<&PageId> = briefs.iter().filter_map(|b| b.parent_id.as_ref()).collect();
    let unnamed: Vec<PageId> = briefs
        .iter()
        .filter(|b| b.kind == ContentKind::Container && b.state != PageState::Removed)
        .filter(|b| above.contains(&b.page_id) && !named.contains(&b.page_id))
        .map(|b| b.page_id.clone())
        .collect();
    if unnamed.is_empty() {
        return Ok(());
    }
    let found = facts::of_ids(ctx, &unnamed).await?.named;
    let found: HashSet<PageId> = found.into_iter().map(|facts| facts.id).collect();
    let mut learnt = Vec::new();
    let mut gone = Vec::new();
    for id in unnamed {
        if found.contains(&id) {
            continue;
        }
        match facts::of_one(ctx, ContentKind::Container, &id).await? {
            Single::Known(facts) => learnt.push(facts),
            Single::NotThere => gone.push(id),
            Single::NotAsked => {}
        }
    }
    facts::keep(ctx, &learnt).await?;
    let _rows = ctx.rows.lock().await;
    let mut records = ctx.store().pages_by_id(ctx.index(), &gone).await?;
    for record in &mut records {
        record.state = PageState::Removed;
    }
    ctx.store().save_pages(&records, &[], &[]).await?;
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

/// What the parents of pages are, as the pages' own rows say.
async fn kinds_of_parents(
    ctx: &RunCtx,
    briefs: &[PageBrief],
) -> Result<HashMap<PageId, ContentKind>, Halt> {
    let known: HashSet<&PageId> = briefs.iter().map(|b| &b.page_id).collect();
    let children: Vec<PageId> = briefs
        .iter()
        .filter(|b| b.parent_id.as_ref().is_some_and(|p| !known.contains(p)))
        .map(|b| b.page_id.clone())
        .collect();
    let mut kinds = HashMap::new();
    for ids in children.chunks(500) {
        for record in ctx.store().pages_by_id(ctx.index(), ids).await? {
            if let (Some(parent), Some(kind)) = (record.facts.parent_id, record.facts.parent_kind) {
                kinds.insert(parent, kind);
            }
        }
    }
    Ok(kinds)
}
