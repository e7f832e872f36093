//! What the rows of a space say is to be done: breadcrumbs and inherited restrictions from the tree, each page's place, and
//! from that what the store is to hold ([`domain::desired`]).

use std::collections::{HashMap, HashSet};

use domain::PageId;
use domain::blocked;
use domain::content::{ContentKind, Restriction};
use domain::desired::{Around, Desired, Waits, desired};
use domain::guard::Passage;
use domain::page::{PageRecord, PageState};
use domain::ports::store::PageBrief;
use domain::scope::{Candidate, Scope, is_kept_back, place};
use domain::tree::{Node, PageTree};

use super::RunCtx;
use super::context::SeenSpace;
use crate::stop::Halt;

/// Rows decided in one transaction.
const CHUNK: usize = 250;

/// Which pages of the space are decided.
pub(super) enum Which<'a> {
    /// Every page.
    All,
    /// Every page of which all is known by now; the others later. For a long first sync, so that uploads begin.
    Decidable,
    /// These, and all that stands below them.
    Below(&'a HashSet<PageId>),
    /// These only.
    Only(&'a HashSet<PageId>),
}

/// Decides pages of one space over the course of a run; each page that needs nothing more is decided once.
pub(super) struct Reconciler<'a> {
    ctx: &'a RunCtx,
    space: &'a SeenSpace,
    scope: Scope<'a>,
    before: Option<Scope<'a>>,
    decided: HashSet<PageId>,
    /// Pages that a listing of this run named: only they are counted.
    count_all: bool,
}

impl<'a> Reconciler<'a> {
    pub(super) fn new(ctx: &'a RunCtx, space: &'a SeenSpace, count_all: bool) -> Self {
        Self {
            ctx,
            space,
            scope: Scope::of(ctx.settings()),
            before: ctx.scope_before(&space.id),
            decided: HashSet::new(),
            count_all,
        }
    }

    pub(super) async fn decide(&mut self, which: Which<'_>) -> Result<(), Halt> {
        let ctx = self.ctx;
        let briefs = ctx.store().briefs(ctx.index(), &self.space.id).await?;
        let mut tree = tree_of(&briefs);
        if ctx.needs_facts() && !matches!(which, Which::Decidable) {
            super::parents::learn(ctx, self.space, &mut tree, &briefs).await?;
        }
        let (files, pages): (Vec<PageBrief>, Vec<PageBrief>) = briefs
            .into_iter()
            .filter(|brief| self.is_candidate(brief, &tree, &which))
            .partition(|brief| brief.kind == ContentKind::Attachment);
        let ids = |briefs: Vec<PageBrief>| -> Vec<PageId> {
            briefs.into_iter().map(|brief| brief.page_id).collect()
        };
        let (files, pages) = (ids(files), ids(pages));
        // Files when the pages that they hang on are decided and written.
        let candidates = pages.chunks(CHUNK).chain(files.chunks(CHUNK));
        let mut wrote = false;
        for ids in candidates {
            ctx.stop.check()?;
            wrote |= self.chunk(ids, &tree, &which).await?;
        }
        if wrote {
            ctx.uploads.wake();
        }
        Ok(())
    }

    fn is_candidate(&self, brief: &PageBrief, tree: &PageTree, which: &Which<'_>) -> bool {
        if brief.kind == ContentKind::Container
            || matches!(brief.state, PageState::Removed | PageState::Vanishing)
        {
            return false;
        }
        match which {
            Which::All => !self.decided.contains(&brief.page_id),
            Which::Decidable => {
                !self.decided.contains(&brief.page_id)
                    && tree.effective_restriction(&brief.page_id) != Restriction::Unknown
            }
            Which::Below(ids) => tree.is_under(&brief.page_id, ids),
            Which::Only(ids) => ids.contains(&brief.page_id),
        }
    }

    async fn chunk(
        &mut self,
        ids: &[PageId],
        tree: &PageTree,
        which: &Which<'_>,
    ) -> Result<bool, Halt> {
        let ctx = self.ctx;
        let _rows = ctx.rows.lock().await;
        let records = ctx.store().pages_by_id(ctx.index(), ids).await?;
        let owners = self.owners(&records).await?;
        let (now, asked) = (ctx.now(), ctx.asked());
        let mut pages = Vec::new();
        let mut wanted = Vec::new();
        let mut unchanged = 0;
        let mut skipped = 0;
        for before in records {
            let mut record = before.clone();
            record.breadcrumb = tree.breadcrumb(&record.page_id);
            let parent = record.facts.parent_id.as_ref();
            let owner = parent.and_then(|id| owners.get(id));
            if let Some(owner) = owner.filter(|owner| !owner.standing.is_out()) {
                // A file stands under the labels of its page.
                record.labels.clone_from(&owner.labels);
            }
            let candidate = self.candidate(&record, tree);
            let around = Around {
                place: place(ctx.settings(), &candidate),
                owner,
                needs_facts: ctx.needs_facts(),
                kept_back: is_kept_back(ctx.settings(), &candidate),
                retained: asked.retains(&record, ctx.asks_again()),
                hash: ctx.names.hash(&record),
            };
            let (id, holding) = (&before.page_id, &before.holding);
            let desired = self.explained(desired(&record, around, now), &before, tree);
            match &desired {
                Desired::Hold { hash } => {
                    ctx.find(|f| f.removals.remove(id));
                    let first = self.is_decided(id);
                    if holding.is_settled() && holding.want() == Some(hash) {
                        unchanged += i64::from(first);
                    } else {
                        wanted.push(record.wanted(Some(hash.clone())));
                    }
                }
                Desired::Drop { .. } => {
                    skipped += i64::from(self.is_decided(id));
                    if holding.is_kept() {
                        let before = self.before.as_ref();
                        let by_scope = before.is_some_and(|b| b.holds(id, &candidate, tree));
                        // What the store never confirmed is no loss.
                        let exempt = !holding.is_quotable() || by_scope && !record.has_no_text();
                        let passage = if exempt {
                            Passage::Exempt
                        } else {
                            Passage::Counted
                        };
                        ctx.find(|f| f.removals.insert(id.clone(), passage));
                    } else if holding.want().is_some() {
                        wanted.push(record.wanted(None));
                    }
                }
                Desired::Wait(Waits::Body) => {
                    ctx.find(|f| f.removals.remove(id));
                    let unlinked =
                        record.markdown_hash.is_none() && !domain::change::needs_body(&record);
                    if unlinked {
                        ctx.find(|f| f.unlinked.insert(id.clone()));
                    }
                }
                Desired::Stay { why: Some(why) } => {
                    record.retain(why, ctx.answered_at(), now);
                    ctx.find(|f| f.removals.insert(id.clone(), Passage::Counted));
                }
                Desired::Stay { why: None } | Desired::Hide { .. } | Desired::Wait(_) => {}
            }
            record.decide(&desired);
            if record != before {
                pages.push(record);
            }
        }
        if !pages.is_empty() || !wanted.is_empty() {
            ctx.store().save_pages(&pages, &wanted, &[]).await?;
            ctx.shared.pass("after_holdings_written");
        }
        let counted = self.count_all && !matches!(which, Which::Only(_));
        ctx.counters.count(|counts| {
            counts.skipped += skipped;
            if counted {
                counts.unchanged += unchanged;
            }
        });
        Ok(!wanted.is_empty())
    }

    /// The decision, with what a page waits for where that was asked for in vain; such a page is noted, unless it is in the index
    /// already, and no longer when it is decided.
    fn explained(&self, desired: Desired, page: &PageRecord, tree: &PageTree) -> Desired {
        let id = &page.page_id;
        let waits = matches!(desired, Desired::Wait(Waits::Facts(_))) && !page.holding.is_kept();
        let at = tree.unknown_from(id).filter(|_| waits);
        self.ctx.find(|f| {
            let asked = at.and_then(|at| Some((at, f.in_vain.get(at)?)));
            let Some((at, answer)) = asked else {
                f.blocked.remove(id);
                return desired;
            };
            let why = blocked::why(id, at, answer);
            f.blocked.insert(id.clone(), at.clone());
            Desired::Wait(Waits::Facts(why))
        })
    }

    /// Nothing more is needed of a page, as its row stands; `false` when that was so before.
    fn is_decided(&mut self, id: &PageId) -> bool {
        self.ctx.find(|f| f.fresh_bodies.remove(id));
        self.decided.insert(id.clone())
    }

    /// The pages that attachments among these records hang on.
    async fn owners(&self, records: &[PageRecord]) -> Result<HashMap<PageId, PageRecord>, Halt> {
        let files = records
            .iter()
            .filter(|record| record.kind == ContentKind::Attachment);
        let ids: Vec<PageId> = files.filter_map(|r| r.facts.parent_id.clone()).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let ctx = self.ctx;
        let owners = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        Ok(owners.into_iter().map(|r| (r.page_id.clone(), r)).collect())
    }

    /// What decides its place.
    fn candidate<'r>(&self, record: &'r PageRecord, tree: &PageTree) -> Candidate<'r> {
        let facts_known = record.restriction != Restriction::Unknown;
        Candidate {
            status: record.facts.status,
            labels: facts_known.then_some(record.labels.as_slice()),
            restriction: tree.effective_restriction(&record.page_id),
            under_root: self.scope.is_under_root(&record.page_id, tree),
        }
    }
}

/// The tree of the space's pages and of the containers above them; what stands above no page any more is left out, so that
/// nobody asks for it.
pub(super) fn tree_of(briefs: &[PageBrief]) -> PageTree {
    let standing: HashMap<&PageId, &PageBrief> = briefs
        .iter()
        .filter(|brief| brief.state != PageState::Removed)
        .map(|brief| (&brief.page_id, brief))
        .collect();
    let mut nodes: HashMap<PageId, Node> = HashMap::with_capacity(standing.len());
    let pages = standing
        .values()
        .filter(|brief| brief.kind != ContentKind::Container)
        // A file asks for nobody above it.
        .filter(|brief| {
            let above = || {
                let parent = brief.parent_id.as_ref();
                parent.is_some_and(|id| standing.contains_key(id))
            };
            brief.kind != ContentKind::Attachment || above()
        });
    for page in pages {
        let mut next = Some(*page);
        while let Some(brief) = next {
            if nodes.contains_key(&brief.page_id) {
                break;
            }
            let node = Node {
                parent: brief.parent_id.clone(),
                title: brief.title.clone(),
                restriction: brief.restriction,
            };
            nodes.insert(brief.page_id.clone(), node);
            let parent = brief.parent_id.as_ref();
            next = parent.and_then(|id| standing.get(id).copied());
        }
    }
    PageTree::new(nodes)
}
