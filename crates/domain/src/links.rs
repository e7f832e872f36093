//! Links between pages: which pages the text of a page points at, and which of them its document names.
//!
//! Bodies are converted once for all indexes of the site, and their links to pages are left open: the Markdown says which page
//! is meant, and what the author wrote. Title and address of that page are put in when a document is composed for an index.
//!
//! **Promise.** A document names a page (its title, its address as the site knows it) only if that page belongs in the same
//! index and nothing speaks against showing it ([`Naming::Named`]). Of every other page (restricted or below a restricted one,
//! left out by label or root, hidden, removed, of another index, or one whose readers are not known yet) the document says
//! what the author of the body wrote, and nothing more, whether there is such a page or not.
//! Which pages a document names is part of its hash. When a page may not be named any more, or may be from now on, the documents
//! that point at it are composed anew by the run that finds out, at the latest by the next sweep (one whose own newest body is
//! not to be had: as soon as it is). A new title of a page alone uploads no document that names it: those tell the title that it
//! had when they were composed.
//!
//! This module must not know how a link stands in Markdown.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::PageId;
use crate::access::Guards;
use crate::content::ContentKind;
use crate::page::PageState;

/// Whether documents of its index may name a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// It belongs, and nothing speaks against showing it.
    Named,
    /// It does not belong, or is hidden or gone.
    Hidden,
    /// It was never decided, or something that decides is not known yet.
    Unknown,
}

impl Naming {
    /// From what its row says: what it is, how far it has come, whether the store holds it, whether it was decided last that it
    /// belongs, and what it stands behind: one that is not for all who may read its space is named to nobody.
    #[must_use]
    pub fn of(
        kind: ContentKind,
        state: PageState,
        stored: bool,
        belongs: bool,
        guards: &Guards,
    ) -> Self {
        match (kind, state) {
            (ContentKind::Container | ContentKind::Attachment, _)
            | (_, PageState::Vanishing | PageState::Removed | PageState::Skipped) => Self::Hidden,
            _ if !(stored || belongs) => Self::Unknown,
            _ => match guards {
                Guards::Known(items) if items.is_empty() => Self::Named,
                Guards::Known(_) => Self::Hidden,
                Guards::Unknown => Self::Unknown,
            },
        }
    }
}

/// What is told of a page that a document names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageName {
    /// The page.
    pub id: PageId,
    /// Its present title.
    pub title: String,
    /// Its absolute address.
    pub url: String,
}

/// The pages that the text of a page points at, and those of them that its document names.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Links {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    body: BTreeSet<PageId>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    comments: BTreeSet<PageId>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    named: BTreeSet<PageId>,
}

impl Links {
    /// The body points at these pages now.
    pub fn set_body(&mut self, pages: BTreeSet<PageId>) {
        self.body = pages;
        self.forget_names();
    }

    /// The comments that the document holds point at these pages now.
    pub fn set_comments(&mut self, pages: BTreeSet<PageId>) {
        self.comments = pages;
        self.forget_names();
    }

    fn forget_names(&mut self) {
        let Self {
            body,
            comments,
            named,
        } = self;
        named.retain(|page| body.contains(page) || comments.contains(page));
    }

    /// Whether the text points at no page.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty() && self.comments.is_empty()
    }

    /// The pages that the text points at.
    pub fn pages(&self) -> impl Iterator<Item = &PageId> {
        self.body.union(&self.comments)
    }

    /// The pages that the document names.
    #[must_use]
    pub const fn named(&self) -> &BTreeSet<PageId> {
        &self.named
    }

    /// Decides which pages the document names; answers whether that is not known of some of them, which are not named.
    pub fn name(&mut self, naming: impl Fn(&PageId) -> Naming) -> bool {
        let mut unknown = false;
        let named = self.pages().filter(|page| match naming(page) {
            Naming::Named => true,
            Naming::Hidden => false,
            Naming::Unknown => {
                unknown = true;
                false
            }
        });
        self.named = named.cloned().collect();
        unknown
    }

    /// Takes back names; answers whether there was one to be taken back.
    pub fn keep_named(&mut self, may_be_named: impl Fn(&PageId) -> bool) -> bool {
        let before = self.named.len();
        self.named.retain(may_be_named);
        self.named.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(ids: &[&str]) -> BTreeSet<PageId> {
        ids.iter().map(|id| PageId::from(*id)).collect()
    }

    #[test]
    fn only_what_belongs_and_is_not_hidden_is_named() {
        use ContentKind::{Attachment, BlogPost, Container, Page};
        use PageState::{Failed, Pending, Removed, Searchable, Skipped, Uploaded, Vanishing};
        for state in PageState::ALL {
            let open = Guards::Known(vec![]);
            let of = |kind, stored, belongs| Naming::of(kind, state, stored, belongs, &open);
            let behind = Guards::Known(vec!["1".into()]);
            for (guards, naming) in [(Guards::Unknown, Naming::Unknown), (behind, Naming::Hidden)] {
                let of = Naming::of(Page, Searchable, true, true, &guards);
                assert_eq!(of, naming, "{guards:?}");
            }
            let may_be = matches!(state, Failed | Pending | Searchable | Uploaded);
            assert!(may_be || matches!(state, Removed | Skipped | Vanishing));
            let known = if may_be {
                Naming::Named
            } else {
                Naming::Hidden
            };
            let unknown = if may_be {
                Naming::Unknown
            } else {
                Naming::Hidden
            };
            for kind in [Page, BlogPost] {
                assert_eq!(of(kind, true, false), known, "{state:?}");
                assert_eq!(of(kind, false, true), known, "{state:?}");
                assert_eq!(of(kind, false, false), unknown, "{state:?}");
            }
            for kind in [Container, Attachment] {
                assert_eq!(of(kind, true, true), Naming::Hidden, "{state:?}");
            }
        }
    }

    #[test]
    fn names_go_with_what_points_at_them() {
        let mut links = Links::default();
        links.set_body(pages(&["1", "2", "3"]));
        links.set_comments(pages(&["3", "4"]));
        let naming = |page: &PageId| match page.as_str() {
            "2" => Naming::Hidden,
            "4" => Naming::Unknown,
            _ => Naming::Named,
        };
        assert!(links.name(naming), "of one it is not known");
        assert_eq!(links.named(), &pages(&["1", "3"]));
        assert!(!links.name(|_| Naming::Named));
        assert_eq!(links.named(), &pages(&["1", "2", "3", "4"]));
        links.set_body(pages(&["1"]));
        assert_eq!(
            links.named(),
            &pages(&["1", "3", "4"]),
            "comments name theirs"
        );
        links.set_comments(BTreeSet::new());
        assert_eq!(links.named(), &pages(&["1"]));
        assert!(!links.keep_named(|_| true));
        assert!(links.keep_named(|_| false) && links.named().is_empty());
    }
}
