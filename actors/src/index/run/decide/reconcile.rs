//! What the rows of a space say is to be done: breadcrumbs and inherited restrictions from the tree, each page's place, which
//! pages its document may name, and from that what the store is to hold ([`domain::desired`]).

use std::collections::{HashMap, HashSet};

use domain::access::Guards;
use domain::blocked;
use domain::content::{ContentKind, Restriction};
use domain::desired::{Around, Desired, Waits, desired};
use domain::guard::{Asked, Passage};
use domain::links::Naming;
use domain::page::{PageRecord, PageState};
use domain::ports::store::PageBrief;
use domain::scope::{Candidate, Place, Scope, is_kept_back, place};
use domain::tree::{Node, PageTree};
use domain::{PageId, SpaceId};

use super::namings::Namings;
use crate::index::run::RunCtx;
use crate::index::run::ask::parents;
use crate::index::run::context::SeenSpace;
use crate::index::run::text::convert::Links;
use crate::stop::RunError;

/// Rows decided in one transaction.
const CHUNK: usize = 250;

/// Which pages of the space are decided.
pub(crate) enum Which<'a> {
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
pub(crate) struct Reconciler<'a> {
    ctx: &'a RunCtx,
    space: &'a SeenSpace,
    scope: Scope<'a>,
    before: Option<Scope<'a>>,
    decided: HashSet<PageId>,
    /// Pages that a listing of this run named: only they are counted.
    count_all: bool,
    /// Whether a document waits until it is known which pages it may name.
    links: Links,
    /// Which pages of the space may be named.
    namings: Namings,
    /// Pages that belong and whose documents wait for that.
    unnamed: Vec<PageId>,
}

impl<'a> Reconciler<'a> {
    pub(crate) fn new(
        ctx: &'a RunCtx,
        space: &'a SeenSpace,
        count_all: bool,
        links: Links,
    ) -> Self {
        Self {
            ctx,
            space,
            scope: Scope::of(ctx.settings()),
            before: ctx.scope_before(&space.id),
            decided: HashSet::new(),
            count_all,
            links,
            namings: Namings::default(),
            unnamed: Vec::new(),
        }
    }

    pub(crate) async fn decide(&mut self, which: Which<'_>) -> Result<(), RunError> {
        let ctx = self.ctx;
        let briefs = ctx.store().briefs(ctx.index(), &self.space.id).await?;
        let mut tree = tree_of(&briefs);
        if ctx.needs_facts() && !matches!(which, Which::Decidable) {
            parents::learn(ctx, self.space, &mut tree, &briefs).await?;
        }
        self.namings = Namings::of(&briefs);
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
        // Those that point at pages behind them: these are decided now.
        for ids in std::mem::take(&mut self.unnamed).chunks(CHUNK) {
            ctx.stop.check()?;
            wrote |= self.chunk(ids, &tree, &which).await?;
        }
        let unnamed = std::mem::take(&mut self.unnamed);
        ctx.find(|f| f.unnamed.extend(unnamed));
        self.namings = Namings::default();
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
    ) -> Result<bool, RunError> {
        let ctx = self.ctx;
        let _rows = ctx.rows.lock().await;
        let records = ctx.store().pages_by_id(ctx.index(), ids).await?;
        let owners = self.owners(&records).await?;
        let asked = ctx.asked();
        // Where each stands first: pages point at one another.
        let mut placed = Vec::with_capacity(records.len());
        for before in records {
            let mut record = before.clone();
            let owner = owner_of(&before, &owners);
            let desired = self.place(&mut record, owner, tree, &asked);
            self.namings.note(&record);
            ctx.note_naming(before.naming(), &record);
            placed.push((before, record, desired));
        }
        let links = placed.iter().map(|(_, record, _)| &record.links);
        let elsewhere = self.namings.elsewhere(ctx, links).await?;
        let mut pages = Vec::new();
        let mut wanted = Vec::new();
        let mut unchanged = 0;
        let mut skipped = 0;
        for (before, mut record, mut desired) in placed {
            if desired == Desired::Wait(Waits::Body) {
                desired = self.name(&mut record, owner_of(&before, &owners), &elsewhere);
            }
            let (id, holding) = (&before.page_id, &before.holding);
            match &desired {
                Desired::Hold { hash } => {
                    let first = self.is_decided(id);
                    if holding.holds(hash) {
                        unchanged += i64::from(first);
                    } else {
                        wanted.push(record.wanted(Some(hash.clone())));
                    }
                }
                Desired::Drop { .. } => {
                    skipped += i64::from(self.is_decided(id));
                    if !holding.is_kept() && holding.want().is_some() {
                        wanted.push(record.wanted(None));
                    }
                }
                Desired::Wait(Waits::Body) => {
                    let unlinked =
                        record.markdown_hash.is_none() && !domain::change::needs_body(&record);
                    if unlinked {
                        ctx.find(|f| f.unlinked.insert(id.clone()));
                    }
                }
                Desired::Wait(Waits::Names) => {
                    record.links.clone_from(&before.links);
                    self.unnamed.push(id.clone());
                }
                Desired::Stay { .. } => {
                    if self.takes_names_back(&mut record, &elsewhere)
                        && let Some(hash) = ctx.names.hash(&record)
                    {
                        wanted.push(record.wanted(Some(hash)));
                    }
                }
                Desired::Hide { .. } | Desired::Wait(Waits::Owner | Waits::Facts(_)) => {}
            }
            if matches!(desired, Desired::Wait(_)) && holding.is_kept() {
                // The new path may lead through a page of which nobody knows yet who may read it, and the old one through one that it does
                // not stand below any more: what both name is told.
                record
                    .breadcrumb
                    .retain(|title| before.breadcrumb.contains(title));
            }
            record.decide(&desired);
            if record != before {
                pages.push(record);
            }
        }
        if !pages.is_empty() || !wanted.is_empty() {
            ctx.store().save_pages(&pages, &wanted, Vec::new()).await?;
            ctx.shared.fail_point("after_holdings_written");
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
        self.ctx.find(|f| {
            f.fresh_bodies.remove(id);
            f.unnamed.remove(id);
        });
        self.decided.insert(id.clone())
    }

    /// The pages that attachments among these records hang on.
    async fn owners(
        &self,
        records: &[PageRecord],
    ) -> Result<HashMap<PageId, PageRecord>, RunError> {
        let files = records
            .iter()
            .filter(|record| record.kind == ContentKind::Attachment);
        let ids: Vec<PageId> = files.filter_map(|r| r.facts.parent_id.clone()).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        self.ctx.records(&ids).await
    }

    /// Where it stands, whatever its document says: one that belongs waits for that ([`Waits::Body`]).
    fn place(
        &self,
        record: &mut PageRecord,
        owner: Option<&PageRecord>,
        tree: &PageTree,
        asked: &Asked,
    ) -> Desired {
        let ctx = self.ctx;
        record.breadcrumb = tree.breadcrumb(&record.page_id);
        if let Some(owner) = owner.filter(|owner| !owner.standing.is_out()) {
            // A file stands under the labels of its page.
            record.labels.clone_from(&owner.labels);
        }
        let facts_known = record.restriction != Restriction::Unknown;
        let candidate = Candidate {
            status: record.facts.status,
            labels: facts_known.then_some(record.labels.as_slice()),
            restriction: tree.effective_restriction(&record.page_id),
            under_root: self.scope.is_under_root(&record.page_id, tree),
        };
        let place = place(ctx.settings(), &candidate);
        match (ctx.settings().access.is_per_user(), &place) {
            (true, _) => record.guards = tree.guards(&record.page_id),
            // What was shown goes on to be, and what was away or elsewhere is not shown until that is known.
            (false, Place::Undecided(_)) => {}
            // Whoever may ask is shown all that is in the index.
            (false, _) => record.guards = Guards::Known(Vec::new()),
        }
        let belongs = place == Place::In;
        let around = Around {
            place,
            owner,
            needs_facts: ctx.needs_facts(),
            kept_back: is_kept_back(ctx.settings(), &candidate),
            retained: asked.retains(record, ctx.asks_again()),
            hash: None,
            names_are_known: true,
        };
        let desired = self.explained(desired(record, around, ctx.now()), record, tree);
        let id = &record.page_id;
        match &desired {
            Desired::Drop { .. } if record.holding.is_kept() => {
                let before = self.before.as_ref();
                let by_scope = before.is_some_and(|b| b.holds(id, &candidate, tree));
                // What the store never confirmed is no loss.
                let exempt = !record.holding.is_quotable() || by_scope && !record.has_no_text();
                let passage = if exempt {
                    Passage::Exempt
                } else {
                    Passage::Counted
                };
                ctx.find(|f| f.removals.insert(id.clone(), passage));
            }
            Desired::Wait(Waits::Body) => ctx.find(|f| {
                f.removals.remove(id);
            }),
            Desired::Stay { why: Some(why) } => {
                ctx.find(|f| f.removals.insert(id.clone(), Passage::Counted));
                record.retain(why, ctx.answered_at(), ctx.now());
            }
            _ => {}
        }
        record.belongs = belongs;
        record.decide(&desired);
        desired
    }

    /// What becomes of a page that belongs, with the pages that its document may name.
    fn name(
        &self,
        record: &mut PageRecord,
        owner: Option<&PageRecord>,
        elsewhere: &Namings,
    ) -> Desired {
        let ctx = self.ctx;
        let unknown = record.links.name(|id| self.naming(id, elsewhere));
        let around = Around {
            place: Place::In,
            owner,
            needs_facts: ctx.needs_facts(),
            kept_back: false,
            retained: false,
            hash: ctx.names.hash(record),
            names_are_known: !unknown || self.links != Links::AsKnown,
        };
        desired(record, around, ctx.now())
    }

    /// Whether the document of a page names one that may not be named any more; it does not after this.
    fn takes_names_back(&self, record: &mut PageRecord, elsewhere: &Namings) -> bool {
        let named = |id: &PageId| self.naming(id, elsewhere) == Naming::Named;
        record.links.keep_named(named)
    }

    fn naming(&self, id: &PageId, elsewhere: &Namings) -> Naming {
        let known = self.namings.get(id).or_else(|| {
            // Who may read this space need not read another.
            let hidden = self
                .ctx
                .settings()
                .access
                .is_per_user()
                .then_some(Naming::Hidden);
            hidden.or_else(|| elsewhere.get(id))
        });
        known.unwrap_or(Naming::Unknown)
    }
}

/// Decides single pages, and everything below those that moved, space by space.
pub(crate) async fn these(
    ctx: &RunCtx,
    moved: &HashSet<PageId>,
    touched: &HashSet<PageId>,
    links: Links,
) -> Result<(), RunError> {
    let all: Vec<PageId> = moved.union(touched).cloned().collect();
    let mut by_space: HashMap<SpaceId, (HashSet<PageId>, HashSet<PageId>)> = HashMap::new();
    for (id, record) in ctx.records(&all).await? {
        if record.state() == PageState::Removed {
            continue;
        }
        let (below, only) = by_space.entry(record.facts.space_id).or_default();
        if moved.contains(&id) {
            below.insert(id);
        } else {
            only.insert(id);
        }
    }
    for space in ctx.state.index.spaces.iter().filter_map(SeenSpace::of) {
        let Some((below, only)) = by_space.remove(&space.id) else {
            continue;
        };
        let mut reconciler = Reconciler::new(ctx, &space, false, links);
        if !below.is_empty() {
            reconciler.decide(Which::Below(&below)).await?;
        }
        if !only.is_empty() {
            reconciler.decide(Which::Only(&only)).await?;
        }
    }
    Ok(())
}

/// The page that an attachment hangs on.
fn owner_of<'a>(
    record: &PageRecord,
    owners: &'a HashMap<PageId, PageRecord>,
) -> Option<&'a PageRecord> {
    let parent = record.facts.parent_id.as_ref();
    parent.and_then(|id| owners.get(id))
}

/// The tree of the space's pages and of the containers above them; what stands above no page any more is left out, so that
/// nobody asks for it.
pub(crate) fn tree_of(briefs: &[PageBrief]) -> PageTree {
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
