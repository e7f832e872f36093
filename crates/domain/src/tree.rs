//! The tree of a space as ids and titles: breadcrumbs, inherited restrictions, what stands below a root page.
//!
//! A small index in memory, built for a sweep and dropped after it. Cycles and absent parents are data, not errors.
//!
//! **Promise.** A restriction counts for everything below it, however deep: no chain is cut. Where a chain does not come to a top
//! (a parent that is not known, a cycle), who may read what hangs on it is unknown, never open.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use crate::PageId;
use crate::access::Guards;
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

/// A node, and what was found out about it.
#[derive(Clone, Debug)]
struct Placed {
    node: Node,
    readers: Cell<Readers>,
}

/// Who may read what hangs on an item, as far as somebody asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Readers {
    NotAsked,
    /// On the way up that is being walked.
    Asked,
    Known(Restriction),
}

/// The tree.
#[derive(Clone, Debug, Default)]
pub struct PageTree {
    nodes: HashMap<PageId, Placed>,
    /// Parents that are known not to be readable (404: drafts): passed over, they restrict nobody.
    passed_over: HashSet<PageId>,
    /// Somebody asked since the tree was changed last.
    asked: Cell<bool>,
}

/// No breadcrumb names more.
const MAX_BREADCRUMB: usize = 64;

impl PageTree {
    /// A tree of these items.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = (PageId, Node)>) -> Self {
        let placed = |(id, node)| (id, Placed::new(node));
        Self {
            nodes: nodes.into_iter().map(placed).collect(),
            ..Self::default()
        }
    }

    /// Puts an item in its place, or replaces it.
    pub fn insert(&mut self, id: PageId, node: Node) {
        self.forget_answers();
        self.nodes.insert(id, Placed::new(node));
    }

    /// Says that this parent answers 404 (a draft): it is passed over, not held against its children.
    pub fn pass_over(&mut self, id: PageId) {
        self.forget_answers();
        self.passed_over.insert(id);
    }

    fn forget_answers(&mut self) {
        if self.asked.replace(false) {
            for placed in self.nodes.values_mut() {
                placed.readers.set(Readers::NotAsked);
            }
        }
    }

    /// The item itself, if known.
    #[must_use]
    pub fn get(&self, id: &PageId) -> Option<&Node> {
        self.nodes.get(id).map(|placed| &placed.node)
    }

    fn parent<'a>(&'a self, id: &PageId) -> Option<&'a PageId> {
        self.get(id)?.parent.as_ref()
    }

    /// Ids from the parent up to the top; ends at an unknown parent, which is still named, and some time after a cycle was
    /// closed.
    fn chain<'a>(&'a self, id: &'a PageId) -> impl Iterator<Item = &'a PageId> {
        let mut next = self.parent(id);
        // Brent: whoever comes by a landmark again goes round in a circle.
        let (mut landmark, mut steps, mut moves_at) = (id, 0_usize, 1_usize);
        std::iter::from_fn(move || {
            let current = next.filter(|current| *current != landmark)?;
            steps += 1;
            if steps == moves_at {
                (landmark, steps, moves_at) = (current, 0, moves_at * 2);
            }
            next = self.parent(current);
            Some(current)
        })
    }

    /// Titles from the top of the space down to the parent of `id`, the nearest 64; items without a title are left out.
    #[must_use]
    pub fn breadcrumb(&self, id: &PageId) -> Vec<String> {
        let mut titles: Vec<String> = self
            .chain(id)
            .take(MAX_BREADCRUMB)
            .filter_map(|above| self.get(above))
            .filter(|node| !node.title.is_empty())
            .map(|node| node.title.clone())
            .collect();
        titles.reverse();
        titles
    }

    /// Who may read `id`: its own restriction and that of every item above it. Restricted anywhere is restricted;
    /// unknown anywhere (a parent that is not in the tree and a cycle included) is unknown: fail closed.
    ///
    /// Each item is looked at once, however many stand below it and are asked about.
    #[must_use]
    pub fn effective_restriction(&self, id: &PageId) -> Restriction {
        let Some(node) = self.get(id) else {
            return Restriction::Unknown;
        };
        self.asked.set(true);
        join(node.restriction, self.below(id))
    }

    /// Who may read what hangs on `id`: as [`effective_restriction`](Self::effective_restriction), but that an item that is
    /// passed over restricts nobody itself.
    fn below(&self, id: &PageId) -> Restriction {
        let mut way: Vec<(&PageId, &Placed)> = Vec::new();
        let mut next = Some(id);
        let mut readers = Restriction::Open;
        while let Some((id, placed)) = next.and_then(|id| self.nodes.get_key_value(id)) {
            match placed.readers.get() {
                Readers::Known(known) => {
                    readers = known;
                    next = None;
                }
                Readers::NotAsked => {
                    placed.readers.set(Readers::Asked);
                    way.push((id, placed));
                    next = placed.node.parent.as_ref();
                }
                Readers::Asked => {
                    // A cycle: what one of its items restricts, it restricts for all of them.
                    let from = way.iter().position(|(on_it, _)| *on_it == id);
                    let cycle = way.split_off(from.unwrap_or_default());
                    readers = cycle
                        .iter()
                        .map(|(id, placed)| self.own(id, placed))
                        .fold(Restriction::Unknown, join);
                    for (_, placed) in cycle {
                        placed.readers.set(Readers::Known(readers));
                    }
                    next = None;
                }
            }
        }
        if next.is_some_and(|unknown| !self.passed_over.contains(unknown)) {
            readers = Restriction::Unknown;
        }
        while let Some((id, placed)) = way.pop() {
            readers = join(self.own(id, placed), readers);
            placed.readers.set(Readers::Known(readers));
        }
        readers
    }

    /// The restricted items that `id` stands behind, itself included; unknown where its readers are.
    #[must_use]
    pub fn guards(&self, id: &PageId) -> Guards {
        if self.effective_restriction(id) == Restriction::Open {
            return Guards::Known(Vec::new());
        }
        let mut seen = HashSet::new();
        let mut items = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let passed_over = self.passed_over.contains(id);
            let Some(placed) = self.nodes.get(id) else {
                match passed_over {
                    true => break,
                    false => return Guards::Unknown,
                }
            };
            if !seen.insert(id) {
                // A cycle has no top.
                return Guards::Unknown;
            }
            match self.own(id, placed) {
                Restriction::Open => {}
                Restriction::Restricted => items.push(id.clone()),
                Restriction::Unknown => return Guards::Unknown,
            }
            next = placed.node.parent.as_ref();
        }
        items.sort();
        Guards::Known(items)
    }

    fn own(&self, id: &PageId, placed: &Placed) -> Restriction {
        if self.passed_over.contains(id) {
            Restriction::Open
        } else {
            placed.node.restriction
        }
    }

    /// Where it begins that nobody knows who may read `id`: itself, or the nearest item above it.
    #[must_use]
    pub fn unknown_from<'a>(&'a self, id: &'a PageId) -> Option<&'a PageId> {
        let is_unknown = |id: &PageId| {
            let known = self.nodes.get(id).map(|placed| placed.node.restriction);
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
            .filter_map(|placed| placed.node.parent.as_ref())
            .filter(|parent| {
                !self.nodes.contains_key(*parent) && !self.passed_over.contains(*parent)
            })
            .collect();
        let mut missing: Vec<PageId> = missing.into_iter().cloned().collect();
        missing.sort();
        missing
    }
}

impl Placed {
    fn new(node: Node) -> Self {
        Self {
            node,
            readers: Cell::new(Readers::NotAsked),
        }
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
    use proptest::prelude::*;

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
    fn a_page_stands_behind_every_restricted_item_on_its_way_up() {
        use Restriction::{Open, Restricted, Unknown};
        let mut tree = tree(&[
            ("a", None, Restricted),
            ("b", Some("a"), Open),
            ("c", Some("b"), Restricted),
            ("d", Some("gone"), Restricted),
            ("e", None, Open),
            ("f", Some("e"), Unknown),
            ("g", Some("g"), Restricted),
        ]);
        let behind =
            |items: &[&str]| Guards::Known(items.iter().map(|id| PageId::from(*id)).collect());
        let of = |tree: &PageTree, id: &str| tree.guards(&PageId::from(id));
        assert_eq!(of(&tree, "c"), behind(&["a", "c"]));
        assert_eq!(of(&tree, "b"), behind(&["a"]));
        assert_eq!(of(&tree, "e"), behind(&[]));
        for unknown in ["d", "f", "g", "zz"] {
            assert_eq!(of(&tree, unknown), Guards::Unknown, "{unknown}");
        }
        tree.pass_over(PageId::from("gone"));
        assert_eq!(of(&tree, "d"), behind(&["d"]));
    }

    /// A chain of pages, `0` at the top.
    fn chain_of(length: usize) -> PageTree {
        let id = |n: usize| PageId::from(n.to_string());
        PageTree::new((0..length).map(|n| {
            let node = Node {
                parent: n.checked_sub(1).map(id),
                title: format!("T{n}"),
                restriction: Restriction::Open,
            };
            (id(n), node)
        }))
    }

    #[test]
    fn a_restriction_counts_through_any_depth() {
        let id = |n: usize| PageId::from(n.to_string());
        for length in [2, 64, 65, 66, 200, 20_000] {
            let mut tree = chain_of(length);
            let count = |tree: &PageTree, wanted: Restriction| {
                let asked = (0..length)
                    .rev()
                    .map(|n| tree.effective_restriction(&id(n)));
                asked.filter(|found| *found == wanted).count()
            };
            assert_eq!(count(&tree, Restriction::Open), length);
            for (top, readers) in [(0, Restriction::Restricted), (1, Restriction::Unknown)] {
                let mut node = tree.get(&id(top)).unwrap().clone();
                node.restriction = readers;
                let mut tree = tree.clone();
                tree.insert(id(top), node);
                assert_eq!(count(&tree, readers), length - top, "{length} {readers:?}");
            }
            tree.insert(
                id(0),
                Node {
                    parent: Some(PageId::from("gone")),
                    title: String::new(),
                    restriction: Restriction::Open,
                },
            );
            assert_eq!(count(&tree, Restriction::Unknown), length);
            assert!(tree.is_under(&id(length - 1), &HashSet::from([id(0)])));
            assert!(tree.breadcrumb(&id(length - 1)).len() <= MAX_BREADCRUMB);
        }
    }

    #[test]
    fn a_cycle_is_unknown() {
        use Restriction::{Open, Restricted, Unknown};
        let round = |first: Restriction| {
            tree(&[
                ("a", Some("b"), first),
                ("b", Some("a"), Open),
                ("below", Some("b"), Open),
                ("self", Some("self"), Open),
            ])
        };
        for (first, readers) in [(Open, Unknown), (Restricted, Restricted)] {
            // Whoever is asked about first.
            for order in [["a", "b", "below"], ["below", "b", "a"]] {
                let tree = round(first);
                let found = order.map(|id| tree.effective_restriction(&PageId::from(id)));
                assert_eq!(found, [readers; 3], "{order:?}");
            }
        }
        let tree = round(Open);
        assert_eq!(tree.effective_restriction(&PageId::from("self")), Unknown);
        assert!(tree.breadcrumb(&PageId::from("a")).len() <= MAX_BREADCRUMB);
        assert!(!tree.is_under(&PageId::from("below"), &HashSet::from([PageId::from("x")])));
        assert!(tree.is_under(&PageId::from("below"), &HashSet::from([PageId::from("a")])));
    }

    /// The rule itself, step by step: at most as many steps as there are items.
    fn by_the_rule(
        nodes: &HashMap<PageId, Node>,
        passed_over: &HashSet<PageId>,
        id: &PageId,
    ) -> Restriction {
        let Some(own) = nodes.get(id) else {
            return Restriction::Unknown;
        };
        let mut readers = own.restriction;
        let mut next = own.parent.as_ref();
        for _ in 0..=nodes.len() {
            let Some(above) = next else {
                return readers;
            };
            let node = nodes.get(above);
            if !passed_over.contains(above) {
                readers = join(
                    readers,
                    node.map_or(Restriction::Unknown, |n| n.restriction),
                );
            }
            next = node.and_then(|node| node.parent.as_ref());
        }
        join(readers, Restriction::Unknown)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Trees, chains of up to 200, cycles, absent and passed-over parents; asked about in any order.
        #[test]
        fn every_item_is_judged_by_all_that_stands_above_it(
            parents in prop::collection::vec((0_u8..8, any::<prop::sample::Index>(), 0_u8..40), 1..220),
            passed in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
            order in any::<u64>(),
        ) {
            let id = |n: usize| PageId::from(n.to_string());
            let count = parents.len();
            let nodes: HashMap<PageId, Node> = parents
                .iter()
                .enumerate()
                .map(|(n, (shape, other, readers))| {
                    let parent = match shape {
                        0 => None,
                        1 => Some(id(other.index(count))),
                        2 => Some(id(count + 1)),
                        _ => n.checked_sub(1).map(id),
                    };
                    let restriction = match readers {
                        0 => Restriction::Restricted,
                        1 => Restriction::Unknown,
                        _ => Restriction::Open,
                    };
                    (id(n), Node { parent, title: String::new(), restriction })
                })
                .collect();
            let mut tree = PageTree::new(nodes.clone());
            let passed_over: HashSet<PageId> =
                passed.iter().map(|at| id(at.index(count + 2))).collect();
            for id in &passed_over {
                tree.pass_over(id.clone());
            }
            for n in 0..count {
                let asked = id((n.wrapping_mul(7919) ^ usize::try_from(order % 256).unwrap()) % count);
                let found = tree.effective_restriction(&asked);
                prop_assert_eq!(found, by_the_rule(&nodes, &passed_over, &asked), "{}", asked);
            }
            for root in 0..count.min(5) {
                let roots = HashSet::from([id(root)]);
                for n in 0..count {
                    let mut above = Some(id(n));
                    let mut under = false;
                    for _ in 0..=count {
                        let Some(at) = above else { break };
                        under |= roots.contains(&at);
                        above = nodes.get(&at).and_then(|node| node.parent.clone());
                    }
                    prop_assert_eq!(tree.is_under(&id(n), &roots), under);
                }
            }
        }
    }
}
