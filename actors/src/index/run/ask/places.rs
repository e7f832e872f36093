//! Where items above pages stand: single answers tell nothing of it, but search names what a page below them stands in.

use std::collections::{HashMap, HashSet};

use domain::PageId;
use domain::content::{ContentFacts, ContentKind, Restriction};
use domain::page::PageState;
use domain::ports::store::PageBrief;
use domain::tree::{Node, PageTree};

use super::facts;
use crate::index::run::RunCtx;
use crate::stop::RunError;

/// So many pages are asked what they stand below, for an item above them: search may not know one of them yet.
const WITNESSES: usize = 3;

/// What items stand in that single answers tell nothing of: as search tells it of pages below them.
pub(super) struct Places<'a> {
    children: HashMap<&'a PageId, Vec<&'a PageBrief>>,
    /// What is known so far: the way to an item from the top.
    ways: HashMap<PageId, Vec<PageId>>,
}

impl<'a> Places<'a> {
    pub(super) fn of(briefs: &'a [PageBrief]) -> Self {
        let mut children: HashMap<_, Vec<_>> = HashMap::new();
        for brief in briefs.iter().filter(|b| b.state != PageState::Removed) {
            if let Some(parent) = &brief.parent_id {
                children.entry(parent).or_default().push(brief);
            }
        }
        let ways = HashMap::new();
        Self { children, ways }
    }

    /// Completes facts that do not tell what the item stands in.
    pub(super) async fn tell(
        &mut self,
        ctx: &RunCtx,
        facts: &mut [ContentFacts],
    ) -> Result<(), RunError> {
        let untold = facts.iter().filter(|f| f.ancestors.is_none());
        let unknown = untold.filter(|f| !self.ways.contains_key(&f.id));
        let witnesses = unknown.flat_map(|f| self.pages_below(&f.id)).collect();
        let told = Self::told(ctx, witnesses).await?;
        self.learn(told);
        for item in facts.iter_mut().filter(|f| f.ancestors.is_none()) {
            item.ancestors = self.ways.get(&item.id).cloned();
        }
        Ok(())
    }

    /// Puts what nobody can read (a draft, a page in the trash) in its place: it restricts nobody, but what is above it does. Search leaves it
    /// out of what a page below it stands in, and names the rest.
    pub(super) async fn pass_over(
        &self,
        ctx: &RunCtx,
        tree: &mut PageTree,
        unread: Vec<PageId>,
    ) -> Result<(), RunError> {
        let witnesses = unread.iter().flat_map(|id| self.pages_below(id)).collect();
        let told = Self::told(ctx, witnesses).await?;
        for id in unread {
            match told.iter().find_map(|page| self.way_above(&id, page)) {
                Some(way) => {
                    let node = Node {
                        parent: way.last().cloned(),
                        title: String::new(),
                        restriction: Restriction::Open,
                    };
                    tree.insert(id, node);
                }
                None => tree.pass_over(id),
            }
        }
        Ok(())
    }

    /// The way to an item from the top, by a page below it.
    fn way_above(&self, id: &PageId, page: &ContentFacts) -> Option<Vec<PageId>> {
        let hangs_on_it = |child: &PageId| {
            let mut children = self.children.get(id).into_iter().flatten();
            children.any(|brief| brief.page_id == *child)
        };
        let above = page.ancestors.as_ref()?;
        let ends = match hangs_on_it(&page.id) {
            true => above.len(),
            false => above.iter().position(hangs_on_it)?,
        };
        let way = above[..ends].iter().filter(|above| *above != id);
        Some(way.cloned().collect())
    }

    /// What search says of these pages; nothing where it cannot be asked.
    async fn told(ctx: &RunCtx, pages: Vec<PageId>) -> Result<Vec<ContentFacts>, RunError> {
        if pages.is_empty() {
            return Ok(Vec::new());
        }
        match facts::told_of_ids(ctx, &pages).await {
            Ok(told) => Ok(told),
            Err(failure) => {
                let error = failure.recoverable()?;
                tracing::debug!(index = %ctx.index(), %error, "what items above pages stand in is not to be had");
                Ok(Vec::new())
            }
        }
    }

    fn learn(&mut self, told: Vec<ContentFacts>) {
        for above in told.into_iter().filter_map(|page| page.ancestors) {
            for (n, id) in above.iter().enumerate() {
                self.ways.insert(id.clone(), above[..n].to_vec());
            }
        }
    }

    /// The nearest few pages below an item.
    fn pages_below(&self, id: &PageId) -> Vec<PageId> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            for child in self.children.get(id).into_iter().flatten() {
                if child.kind == ContentKind::Container {
                    open.push(&child.page_id);
                } else if found.len() < WITNESSES {
                    found.push(child.page_id.clone());
                }
            }
        }
        found
    }
}
