//! What the rows of a space say is to be done: breadcrumbs and inherited restrictions from the tree, each page's place, which
//! pages its document may name, and from that the outbox. Nothing unchanged gets a row.

use std::collections::{HashMap, HashSet};

use domain::PageId;
use domain::content::{ContentKind, Restriction};
use domain::links::Naming;
use domain::page::{PageRecord, PageState};
use domain::ports::store::{OutboxEntry, OutboxOp, OutboxState, PageBrief};
use domain::scope::{Candidate, Place, Scope, place};
use domain::tree::{Node, PageTree};

use super::context::{Removal, SeenSpace};
use super::convert::Links;
use super::links::Namings;
use super::{Halt, RunCtx};

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
    /// Whether a document waits until it is known which pages it may name.
    links: Links,
    /// Which pages of the space may be named.
    namings: Namings,
    /// Pages that belong and whose documents wait for that.
    unnamed: Vec<PageId>,
}

impl<'a> Reconciler<'a> {
    pub(super) fn new(
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

    pub(super) async fn decide(&mut self, which: Which<'_>) -> Result<(), Halt> {
        let ctx = self.ctx;
        let briefs = ctx.store().briefs(ctx.index(), &self.space.id).await?;
        let mut tree = tree_of(&briefs);
        if ctx.needs_facts() && !matches!(which, Which::Decidable) {
            super::parents::learn(ctx, self.space, &mut tree, &briefs).await?;
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
            ctx.hint_uploader();
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
        // Where each stands first: pages point at one another.
        let mut placed = Vec::with_capacity(records.len());
        for before in records {
            let mut record = before.clone();
            record.breadcrumb = tree.breadcrumb(&record.page_id);
            let owner = record
                .facts
                .parent_id
                .as_ref()
                .and_then(|id| owners.get(id));
            let decision = if record.kind == ContentKind::Attachment {
                self.place_file(&mut record, owner, tree)
            } else {
                self.place_page(&mut record, tree)
            };
            self.namings.note(&record);
            ctx.note_naming(before.naming(), &record);
            placed.push((before, record, decision));
        }
        let links = placed.iter().map(|(_, record, _)| &record.links);
        let elsewhere = self.namings.elsewhere(ctx, links).await?;
        let mut pages = Vec::new();
        let mut outbox = Vec::new();
        let mut unchanged = 0;
        let mut skipped = 0;
        for (before, mut record, placement) in placed {
            let decision = match placement {
                Placement::Belongs => self.decide_member(&mut record, &elsewhere),
                Placement::StaysOut => Decision::StaysOut,
                Placement::Waits => Decision::Waits,
            };
            let id = record.page_id.clone();
            match decision {
                Decision::Store(entry) => {
                    outbox.push(entry);
                    self.is_decided(&id);
                }
                Decision::AsStored => unchanged += i64::from(self.is_decided(&id)),
                Decision::StaysOut => skipped += i64::from(self.is_decided(&id)),
                // The path may lead through a page of which nobody knows yet who may read it. What the store holds keeps the
                // path that it was stored under.
                Decision::Waits if record.stored_hash.is_some() => {
                    record.breadcrumb.clone_from(&before.breadcrumb);
                }
                Decision::Waits => {}
            }
            if record != before {
                pages.push(record);
            }
        }
        if !pages.is_empty() || !outbox.is_empty() {
            ctx.store().save_pages(&pages, &outbox, &[]).await?;
            ctx.shared.pass("after_outbox_written");
        }
        let counted = self.count_all && !matches!(which, Which::Only(_));
        ctx.tally.count(|counts| {
            counts.skipped += skipped;
            if counted {
                counts.unchanged += unchanged;
            }
        });
        Ok(!outbox.is_empty())
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

    /// A file stands where its page stands, under the page's labels and restriction.
    fn place_file(
        &self,
        record: &mut PageRecord,
        owner: Option<&PageRecord>,
        tree: &PageTree,
    ) -> Placement {
        let Some(owner) = owner else {
            return Placement::Waits;
        };
        let stands = !matches!(
            owner.state,
            PageState::Removed | PageState::Vanishing | PageState::Skipped
        );
        if !stands {
            // It follows when the run is about to end; its page may yet be decided otherwise.
            return Placement::Waits;
        }
        record.labels.clone_from(&owner.labels);
        if record.has_no_text() {
            if record.state == PageState::Skipped && record.stored_hash.is_some() {
                // Found when its row was written, perhaps by a run that did not come to its end.
                let removal = Removal {
                    exempt: false,
                    only_accepted: false,
                };
                self.ctx
                    .find(|f| f.removals.insert(record.page_id.clone(), removal));
            }
            return Placement::StaysOut;
        }
        if owner.restriction == Restriction::Unknown && self.ctx.needs_facts() {
            return Placement::Waits;
        }
        self.place_page(record, tree)
    }

    fn place_page(&self, record: &mut PageRecord, tree: &PageTree) -> Placement {
        let ctx = self.ctx;
        let restriction = tree.effective_restriction(&record.page_id);
        let facts_known = record.restriction != Restriction::Unknown;
        let candidate = Candidate {
            status: record.facts.status,
            labels: facts_known.then_some(record.labels.as_slice()),
            restriction,
            under_root: self.scope.is_under_root(&record.page_id, tree),
        };
        let place = place(ctx.settings(), &candidate);
        record.belongs = place == Place::In;
        match place {
            Place::Out(reason) => {
                record.state = PageState::Skipped;
                record.reason = Some(reason);
                record.attempts = 0;
                record.next_try_at = None;
                if record.stored_hash.is_some() {
                    let before = self.before.as_ref();
                    let exempt = before.is_some_and(|b| b.holds(&record.page_id, &candidate, tree));
                    let removal = Removal {
                        exempt,
                        only_accepted: false,
                    };
                    ctx.find(|f| f.removals.insert(record.page_id.clone(), removal));
                }
                Placement::StaysOut
            }
            Place::Undecided(reason) => {
                if record.stored_hash.is_none() {
                    if record.state != PageState::Failed {
                        record.state = PageState::Pending;
                    }
                    record.reason = Some(reason);
                }
                Placement::Waits
            }
            Place::In => {
                ctx.find(|f| f.removals.remove(&record.page_id));
                if record.state == PageState::Skipped {
                    record.state = PageState::Pending;
                    record.reason = None;
                }
                Placement::Belongs
            }
        }
    }

    fn decide_member(&mut self, record: &mut PageRecord, elsewhere: &Namings) -> Decision {
        let ctx = self.ctx;
        let now = ctx.now();
        let before = record.links.clone();
        let naming = |id: &PageId| self.namings.get(id).or_else(|| elsewhere.get(id));
        let unknown = record
            .links
            .name(|id| naming(id).unwrap_or(Naming::Unknown));
        let waits_for_its_try =
            record.state == PageState::Failed && record.next_try_at.is_some_and(|at| at > now);
        let Some(hash) = ctx.names.hash(record).filter(|_| !waits_for_its_try) else {
            // Its body is still to come, or it failed and its time has not come.
            let unlinked = record.markdown_hash.is_none() && !domain::change::needs_body(record);
            if unlinked {
                ctx.find(|f| f.unlinked.insert(record.page_id.clone()));
            }
            return Decision::Waits;
        };
        let failed = record.state == PageState::Failed;
        if record.stored_hash.as_ref() == Some(&hash) && !failed {
            if record.state == PageState::Pending {
                record.state = PageState::Searchable;
                record.reason = None;
            }
            return Decision::AsStored;
        }
        if unknown && self.links == Links::AsKnown {
            record.links = before;
            self.unnamed.push(record.page_id.clone());
            return Decision::Waits;
        }
        record.state = PageState::Pending;
        record.reason = None;
        Decision::Store(OutboxEntry {
            index_id: record.index_id,
            page_id: record.page_id.clone(),
            kind: record.kind,
            op: OutboxOp::Upsert,
            hash,
            state: OutboxState::Waiting,
            attempts: record.attempts,
            next_attempt_at: now,
            last_error: None,
        })
    }
}

/// Where a page stands, whatever its document says.
enum Placement {
    /// It belongs.
    Belongs,
    /// It does not belong, or no longer.
    StaysOut,
    /// Something that decides is still to come.
    Waits,
}

enum Decision {
    /// It goes to the store.
    Store(OutboxEntry),
    /// The store holds exactly this.
    AsStored,
    /// It does not belong, or no longer.
    StaysOut,
    /// Something is still to come.
    Waits,
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
