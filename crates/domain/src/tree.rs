//! The tree of a space as ids and titles: breadcrumbs, inherited restrictions, what stands below a root page.
//!
//! A small index in memory, built for a sweep and dropped after it. Cycles and absent parents are data, not errors.

use std::collections::{HashMap, HashSet};

use crate::PageId;
use crate::content::{ContentKind, Restriction};

/// One item of the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// The item above it.
    pub parent: Option<PageId>,
    /// Its title; empty for containers whose title is not known.
    pub title: String,
    /// Its own restriction.
    pub restriction: Restriction,
}

/// The tree.
#[derive(Clone, Debug, Default)]
pub struct PageTree {
    nodes: HashMap<PageId, Node>,
    /// Parents that are known not to be readable (404: drafts): passed over, they restrict nobody.
    passed_over: HashSet<PageId>,
}

/// No breadcrumb is longer; also what ends a cycle.
const MAX_DEPTH: usize = 64;

impl PageTree {
    /// A tree of these items.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = (PageId, Node)>) -> Self {
        Self {
            nodes: nodes.into_iter().collect(),
            passed_over: HashSet::new(),
        }
    }

    /// Puts an item in its place, or replaces it.
    pub fn insert(&mut self, id: PageId, node: Node) {
        self.nodes.insert(id, node);
    }

    /// Says that this parent answers 404 (a draft): it is passed over, not held against its children.
    pub fn pass_over(&mut self, id: PageId) {
        self.passed_over.insert(id);
    }

    /// The item itself, if known.
    #[must_use]
    pub fn get(&self, id: &PageId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Ids from the parent up to the top; ends at an unknown parent, which is still named.
    fn chain<'a>(&'a self, id: &'a PageId) -> impl Iterator<Item = &'a PageId> {
        let mut next = self.nodes.get(id).and_then(|node| node.parent.as_ref());
        std::iter::from_fn(move || {
            let current = next?;
            next = self
                .nodes
                .get(current)
                .and_then(|node| node.parent.as_ref());
            Some(current)
        })
        .take(MAX_DEPTH)
    }

    /// Titles from the top of the space down to the parent of `id`; items without a title are left out.
    #[must_use]
    pub fn breadcrumb(&self, id: &PageId) -> Vec<String> {
        let mut titles: Vec<String> = self
            .chain(id)
            .filter_map(|above| self.nodes.get(above))
            .filter(|node| !node.title.is_empty())
            .map(|node| node.title.clone())
            .collect();
        titles.reverse();
        titles
    }

    /// Who may read `id`: its own restriction and that of every item above it. Restricted anywhere is restricted;
    /// unknown anywhere (a parent that is not in the tree included) is unknown: fail closed.
    #[must_use]
    pub fn effective_restriction(&self, id: &PageId) -> Restriction {
        let own = self
            .nodes
            .get(id)
            .map_or(Restriction::Unknown, |node| node.restriction);
        let above = self
            .chain(id)
            .filter(|above| !self.passed_over.contains(above))
            .map(|above| {
                self.nodes
                    .get(above)
                    .map_or(Restriction::Unknown, |node| node.restriction)
            });
        std::iter::once(own)
            .chain(above)
            .fold(Restriction::Open, join)
    }

    /// Where it begins that nobody knows who may read `id`: itself, or the nearest item above it.
    #[must_use]
    pub fn unknown_from<'a>(&'a self, id: &'a PageId) -> Option<&'a PageId> {
        let is_unknown = |id: &PageId| {
            let known = self.nodes.get(id).map(|node| node.restriction);
            known.is_none_or(|restriction| restriction == Restriction::Unknown)
        };
        std::iter::once(id)
            .chain(
                self.chain(id)
                    .filter(|above| !self.passed_over.contains(above)),
            )
            .find(|id| is_unknown(id))
    }

    /// Whether `id` is one of `roots` or stands below one; `true` without roots.
    #[must_use]
    pub fn is_under(&self, id: &PageId, roots: &HashSet<PageId>) -> bool {
        roots.is_empty() || roots.contains(id) || self.chain(id).any(|above| roots.contains(above))
    }

    /// Parents that items point to, that are neither in the tree nor passed over: to be asked for one by one.
    #[must_use]
    pub fn missing_parents(&self) -> Vec<PageId> {
        let missing: HashSet<&PageId> = self
            .nodes
            .values()
            .filter_map(|node| node.parent.as_ref())
            .filter(|parent| {
                !self.nodes.contains_key(*parent) && !self.passed_over.contains(*parent)
            })
            .collect();
        let mut missing: Vec<PageId> = missing.into_iter().cloned().collect();
        missing.sort();
        missing
    }
}

/// What a 404 says of an item above pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unseen {
    /// A draft, or a page in the trash: it restricts nobody.
    PassOver,
    /// Nothing: who may read what stands below it is not known.
    Unknown,
}

/// Judges an item above pages that answers 404, by what those pages call it. Only pages can be drafts; a folder, or what nobody
/// names, that is not there although pages stand in it proves nothing: fail closed.
#[must_use]
pub const fn unseen(kind: Option<ContentKind>) -> Unseen {
    match kind {
        Some(ContentKind::Page | ContentKind::BlogPost) => Unseen::PassOver,
        Some(ContentKind::Container | ContentKind::Attachment) | None => Unseen::Unknown,
    }
}

/// The stricter of two.
#[must_use]
pub const fn join(a: Restriction, b: Restriction) -> Restriction {
    match (a, b) {
        (Restriction::Restricted, _) | (_, Restriction::Restricted) => Restriction::Restricted,
        (Restriction::Unknown, _) | (_, Restriction::Unknown) => Restriction::Unknown,
        (Restriction::Open, Restriction::Open) => Restriction::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(items: &[(&str, Option<&str>, Restriction)]) -> PageTree {
        PageTree::new(items.iter().map(|(id, parent, restriction)| {
            let node = Node {
                parent: parent.map(PageId::from),
                title: id.to_uppercase(),
                restriction: *restriction,
            };
            (PageId::from(*id), node)
        }))
    }

    #[test]
    fn restrictions_are_inherited_from_every_ancestor() {
        use Restriction::{Open, Restricted, Unknown};
        let tree = tree(&[
            ("a", None, Restricted),
            ("b", Some("a"), Open),
            ("c", Some("b"), Open),
            ("d", Some("gone"), Open),
            ("e", None, Open),
            ("f", Some("e"), Unknown),
        ]);
        let of = |id: &str| tree.effective_restriction(&PageId::from(id));
        assert_eq!(
            [of("c"), of("d"), of("e"), of("f"), of("zz")],
            [Restricted, Unknown, Open, Unknown, Unknown]
        );
        let from = |id: &str| tree.unknown_from(&PageId::from(id)).cloned();
        assert_eq!(
            [from("c"), from("d"), from("f"), from("zz")],
            [
                None,
                Some("gone".into()),
                Some("f".into()),
                Some("zz".into())
            ]
        );
        assert_eq!(tree.missing_parents(), [PageId::from("gone")]);
        let mut tree = tree;
        tree.pass_over(PageId::from("gone"));
        assert_eq!(tree.effective_restriction(&PageId::from("d")), Open);
        assert_eq!(tree.unknown_from(&PageId::from("d")), None);
    }

    #[test]
    fn only_a_page_can_be_a_draft() {
        let table = [
            (Some(ContentKind::Page), Unseen::PassOver),
            (Some(ContentKind::BlogPost), Unseen::PassOver),
            (Some(ContentKind::Container), Unseen::Unknown),
            (Some(ContentKind::Attachment), Unseen::Unknown),
            (None, Unseen::Unknown),
        ];
        for (kind, want) in table {
            assert_eq!(unseen(kind), want, "{kind:?}");
        }
    }

    #[test]
    fn breadcrumbs_run_from_the_top() {
        let tree = tree(&[
            ("a", None, Restriction::Open),
            ("b", Some("a"), Restriction::Open),
            ("c", Some("b"), Restriction::Open),
        ]);
        assert_eq!(tree.breadcrumb(&PageId::from("c")), ["A", "B"]);
        assert!(tree.is_under(&PageId::from("c"), &HashSet::from([PageId::from("a")])));
        assert!(!tree.is_under(&PageId::from("a"), &HashSet::from([PageId::from("b")])));
    }

    #[test]
    fn a_cycle_ends() {
        let tree = tree(&[
            ("a", Some("b"), Restriction::Open),
            ("b", Some("a"), Restriction::Open),
        ]);
        assert_eq!(
            tree.effective_restriction(&PageId::from("a")),
            Restriction::Open
        );
        assert!(tree.breadcrumb(&PageId::from("a")).len() <= MAX_DEPTH);
    }
}
