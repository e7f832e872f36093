//! A dry run: lists and compares, and says what a real run would do. Writes nothing but its own row.
//!
//! Labels and restrictions are those that are known: pages met for the first time count as additions unless they stand below a
//! page that is known to be restricted, so some of them may stay out.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::change::{Change, compare};
use domain::content::{ContentKind, ContentStatus, Restriction, SourcePage};
use domain::guard::{self, Passage};
use domain::page::{PageRecord, PageState};
use domain::ports::source::{Cursor, ListOrder, ListQuery, MAX_BATCH};
use domain::ports::store::PageBrief;
use domain::run::RunPlan;
use domain::scope::{Candidate, Place, Scope, place};
use domain::tree::{Node, PageTree};
use domain::vanish::{is_confirmed, is_suspiciously_empty};
use domain::{PageId, cost};

use super::RunCtx;
use super::context::SeenSpace;
use super::reconcile::tree_of;
use crate::stop::Halt;

/// Items that one answer of the bulk question for labels and restrictions is taken to hold.
const FACTS_AN_ANSWER: i64 = 100;

/// Looks at every space, and plans.
pub(super) async fn plan(ctx: &RunCtx) -> Result<RunPlan, Halt> {
    let mut forecast = Forecast::new(ctx);
    let spaces = ctx.visible_spaces();
    let mut listing_requests = 2;
    for space in &spaces {
        listing_requests += forecast.look_at(space).await?;
    }
    forecast.leave_gone_spaces().await?;
    forecast.leave_other_spaces().await?;
    let Forecast {
        mut plan,
        leaving,
        leaving_by_scope,
        ..
    } = forecast;
    plan.remove = count(leaving.len()) + leaving_by_scope;
    let stored = ctx.store().stored_pages(ctx.index()).await?;
    let most = ctx.shared.settings.max_delete_percent;
    let verdict = guard::judge(stored, &leaving, most, &ctx.asked());
    plan.needs_confirmation = verdict.question.is_some();
    let seen = plan.add + plan.update + plan.unchanged;
    let bodies = ceil(plan.update + plan.add, batch());
    let facts = if ctx.needs_facts() {
        ceil(seen, FACTS_AN_ANSWER)
    } else {
        0
    };
    plan.confluence_requests = listing_requests + bodies + facts + attached(ctx, spaces.len());
    let backend = ctx.shared.backend(ctx.settings().backend);
    plan.cost = backend
        .as_ref()
        .and_then(|backend| backend.price(ctx.state.index.remote.as_ref()))
        .map(|price| cost::estimate(&price, plan.add, plan.update));
    let per_upload = backend.map_or(1, |b| b.capabilities().max_batch_documents.max(1));
    let per_upload = i64::try_from(per_upload).unwrap_or(1);
    plan.store_requests = ceil(plan.add + plan.update, per_upload) + ceil(plan.remove, per_upload);
    let a_minute = f64::from(ctx.shared.settings.requests_per_second.max(1)) * 60.0;
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let requests = plan.confluence_requests as f64;
    plan.minutes = (requests / a_minute * 100.0).round() / 100.0;
    Ok(plan)
}

/// Lists of comments and attachments: the newest of the site, and one answer a space at least. How many there are is not asked.
fn attached(ctx: &RunCtx, spaces: usize) -> i64 {
    let spaces = i64::try_from(spaces).unwrap_or(i64::MAX);
    let mut requests = 0;
    if ctx.settings().include_comments {
        requests += 2 + spaces;
    }
    if ctx.settings().include_attachments {
        requests += 1 + spaces;
    }
    requests
}

fn batch() -> i64 {
    i64::try_from(MAX_BATCH).unwrap_or(i64::MAX)
}

fn ceil(items: i64, a_request: i64) -> i64 {
    (items + a_request - 1) / a_request.max(1)
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// What is known of a listed page, as far as the plan needs it.
struct Listed {
    id: PageId,
    change: Change,
    /// Where its labels were ever read.
    labels: Option<Vec<String>>,
    stored: bool,
}

/// The plan in the making.
struct Forecast<'a> {
    ctx: &'a RunCtx,
    plan: RunPlan,
    scope: Scope<'a>,
    /// Pages that the source would make leave: the guard judges them.
    leaving: BTreeMap<PageId, Passage>,
    /// Pages that leave by the administrator's own change of scope.
    leaving_by_scope: i64,
}

impl<'a> Forecast<'a> {
    fn new(ctx: &'a RunCtx) -> Self {
        Self {
            ctx,
            plan: RunPlan::default(),
            scope: Scope::of(ctx.settings()),
            leaving: BTreeMap::new(),
            leaving_by_scope: 0,
        }
    }

    /// Lists a space and plans for it; answers the requests that this took.
    async fn look_at(&mut self, space: &SeenSpace) -> Result<i64, Halt> {
        let ctx = self.ctx;
        let mut requests = 0;
        let mut listed = Vec::new();
        let mut nodes = Vec::new();
        let mut seen = HashSet::new();
        let mut believed: Vec<ContentKind> = Vec::new();
        let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
        for kind in ctx.kinds() {
            let before = listed.len();
            requests += list(ctx, space, *kind, &mut listed, &mut nodes, &mut seen).await?;
            let stored = briefs.iter().filter(|b| b.kind == *kind && b.stored);
            if !is_suspiciously_empty(listed.len() - before, stored.count()) {
                believed.push(*kind);
            }
        }
        let mut tree = tree_of(&briefs);
        for (id, mut node) in nodes {
            node.restriction = tree.get(&id).map_or(node.restriction, |n| n.restriction);
            tree.insert(id, node);
        }
        let mut gone: HashSet<PageId> = HashSet::new();
        let before = ctx.scope_before(&space.id);
        for page in &listed {
            if !self.stays(page, &tree, before.as_ref()) {
                gone.insert(page.id.clone());
            }
        }
        let absent = briefs.iter().filter(|brief| {
            brief.stored && believed.contains(&brief.kind) && !seen.contains(&brief.page_id)
        });
        for brief in absent {
            gone.insert(brief.page_id.clone());
            self.leaving.insert(brief.page_id.clone(), Passage::Counted);
        }
        self.follow(&briefs, &gone);
        Ok(requests)
    }

    /// Counts a listed page; answers whether it is in the index afterwards.
    fn stays(&mut self, page: &Listed, tree: &PageTree, before: Option<&Scope<'_>>) -> bool {
        let candidate = Candidate {
            status: ContentStatus::Current,
            labels: page.labels.as_deref(),
            restriction: tree.effective_restriction(&page.id),
            under_root: self.scope.is_under_root(&page.id, tree),
        };
        if matches!(place(self.ctx.settings(), &candidate), Place::Out(_)) {
            if !page.stored {
                self.ctx.counters.count(|counts| counts.skipped += 1);
            } else if before.is_some_and(|before| before.holds(&page.id, &candidate, tree)) {
                self.leaving_by_scope += 1;
            } else {
                self.leaving.insert(page.id.clone(), Passage::Counted);
            }
            return false;
        }
        match page.change {
            _ if !page.stored => self.plan.add += 1,
            Change::Edited | Change::FactsOnly => self.plan.update += 1,
            Change::New | Change::Unchanged | Change::Outdated => self.plan.unchanged += 1,
        }
        true
    }

    /// Kinds that the index holds no more leave, and files go where their pages go.
    fn follow(&mut self, briefs: &[PageBrief], gone: &HashSet<PageId>) {
        for brief in briefs.iter().filter(|brief| brief.stored) {
            if !self.ctx.holds(brief.kind) {
                self.leaving_by_scope += 1;
            } else if brief.kind == ContentKind::Attachment
                && brief.parent_id.as_ref().is_some_and(|id| gone.contains(id))
            {
                let page = brief.parent_id.as_ref();
                match page.and_then(|page| self.leaving.get(page).copied()) {
                    Some(passage) => {
                        self.leaving.insert(brief.page_id.clone(), passage);
                    }
                    None => self.leaving_by_scope += 1,
                }
            }
        }
    }

    /// Stored pages of spaces that the account does not see any more.
    async fn leave_gone_spaces(&mut self) -> Result<(), Halt> {
        let ctx = self.ctx;
        let gone = ctx.remembered.gone.iter();
        let confirmed = gone.filter(|(_, since)| is_confirmed(Some(**since), ctx.now()));
        for (space, _) in confirmed {
            let briefs = ctx.store().briefs(ctx.index(), space).await?;
            let of_kind = |brief: &&PageBrief| brief.stored && ctx.kinds().contains(&brief.kind);
            let gone = briefs.iter().filter(of_kind);
            let gone: HashSet<PageId> = gone.map(|brief| brief.page_id.clone()).collect();
            let passing = gone.iter().map(|id| (id.clone(), Passage::WithItsSpace));
            self.leaving.extend(passing);
            self.follow(&briefs, &gone);
        }
        Ok(())
    }

    /// Stored pages of spaces that are no longer the index's.
    async fn leave_other_spaces(&mut self) -> Result<(), Halt> {
        let ctx = self.ctx;
        let mut inside = 0;
        for space in ctx.state.index.spaces.iter().filter_map(SeenSpace::of) {
            let briefs = ctx.store().briefs(ctx.index(), &space.id).await?;
            inside += count(briefs.iter().filter(|brief| brief.stored).count());
        }
        let stored = ctx.store().stored_pages(ctx.index()).await?;
        self.leaving_by_scope += (stored - inside).max(0);
        Ok(())
    }
}

/// Lists one kind of content of a space; answers the number of requests.
async fn list(
    ctx: &RunCtx,
    space: &SeenSpace,
    kind: ContentKind,
    listed: &mut Vec<Listed>,
    nodes: &mut Vec<(PageId, Node)>,
    seen: &mut HashSet<PageId>,
) -> Result<i64, Halt> {
    let query = ListQuery {
        kind,
        spaces: vec![space.id.clone()],
        order: ListOrder::Id,
        statuses: vec![ContentStatus::Current],
        bodies: false,
        limit: MAX_BATCH,
    };
    let mut requests = 0;
    let mut cursor: Option<Cursor> = None;
    loop {
        let answer = ctx.source.list(&query, cursor.as_ref()).await?;
        requests += 1;
        let ids: Vec<PageId> = answer.items.iter().map(|item| item.id.clone()).collect();
        let mut known: HashMap<PageId, PageRecord> = ctx
            .store()
            .pages_by_id(ctx.index(), &ids)
            .await?
            .into_iter()
            .map(|record| (record.page_id.clone(), record))
            .collect();
        for item in answer.items {
            if !seen.insert(item.id.clone()) {
                continue;
            }
            ctx.counters.count(|counts| counts.seen += 1);
            let record = known
                .remove(&item.id)
                .filter(|record| record.state() != PageState::Removed);
            listed.push(Listed {
                id: item.id.clone(),
                change: compare(record.as_ref(), &item),
                stored: record.as_ref().is_some_and(|r| r.holding.is_kept()),
                labels: record
                    .filter(|record| record.restriction != Restriction::Unknown)
                    .map(|record| record.labels),
            });
            nodes.push((item.id.clone(), node(item)));
        }
        if answer.next.is_none() || answer.next == cursor {
            return Ok(requests);
        }
        cursor = answer.next;
    }
}

fn node(item: SourcePage) -> Node {
    Node {
        parent: item.parent_id,
        title: item.title,
        restriction: Restriction::Unknown,
    }
}
