//! Whether a page belongs into an index: status, roots, labels, restrictions.

use std::collections::HashSet;

use crate::PageId;
use crate::content::{ContentStatus, Restriction};
use crate::index::{Admission, IndexSettings};
use crate::tree::PageTree;

/// What is known of a page when its place is decided.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Life-cycle state.
    pub status: ContentStatus,
    /// Its labels, sorted; `None` while they are not known.
    pub labels: Option<&'a [String]>,
    /// Its own restriction joined with those of all its ancestors.
    pub restriction: Restriction,
    /// Whether it is one of the root pages or stands below one; `true` without roots.
    pub under_root: bool,
}

/// What is decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// It belongs.
    In,
    /// It stays out, or leaves, for this reason.
    Out(String),
    /// Something that decides is not known yet: it is not uploaded, and what is stored stays until known.
    Undecided(String),
}

/// Decides the place of a page.
#[must_use]
pub fn place(settings: &IndexSettings, page: &Candidate<'_>) -> Place {
    if page.status != ContentStatus::Current {
        return Place::Out(format!("its status is {}", page.status.as_str()));
    }
    if !page.under_root {
        return Place::Out("outside the chosen root pages".to_owned());
    }
    if !settings.labels.is_empty() || !settings.exclude_labels.is_empty() {
        let Some(labels) = page.labels else {
            return Place::Undecided("its labels are not known yet".to_owned());
        };
        if let Some(label) = settings
            .exclude_labels
            .iter()
            .find(|label| labels.contains(label))
        {
            return Place::Out(format!("labelled {label}, which this index excludes"));
        }
        if !settings.labels.is_empty()
            && !settings.labels.iter().any(|label| labels.contains(label))
        {
            return Place::Out("has none of the chosen labels".to_owned());
        }
    }
    match settings.admits(page.restriction) {
        Admission::In => Place::In,
        Admission::Out => Place::Out("reading it is restricted to some people".to_owned()),
        Admission::Wait => Place::Undecided("who may read it is not known yet".to_owned()),
    }
}

/// Whether it is restricted, and the index leaves such pages out.
#[must_use]
pub fn is_kept_back(settings: &IndexSettings, page: &Candidate<'_>) -> bool {
    settings.admits(page.restriction) == Admission::Out
}

/// The settings of an index with its root pages, to be asked about many pages.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    settings: &'a IndexSettings,
    roots: HashSet<PageId>,
}

impl<'a> Scope<'a> {
    /// The scope that these settings ask for.
    #[must_use]
    pub fn of(settings: &'a IndexSettings) -> Self {
        let roots = settings.root_page_ids.iter();
        Self {
            settings,
            roots: roots.map(|id| PageId::from(id.as_str())).collect(),
        }
    }

    /// Whether a page is one of the root pages or stands below one; `true` without roots.
    #[must_use]
    pub fn is_under_root(&self, id: &PageId, tree: &PageTree) -> bool {
        tree.is_under(id, &self.roots)
    }

    /// Whether a page, as it is now, belongs by these settings, whatever the candidate says of other roots.
    #[must_use]
    pub fn holds(&self, id: &PageId, now: &Candidate<'_>, tree: &PageTree) -> bool {
        let under_root = self.is_under_root(id, tree);
        let candidate = Candidate { under_root, ..*now };
        place(self.settings, &candidate) == Place::In
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{BackendKind, RestrictedPages};
    use crate::tree::Node;

    fn settings() -> IndexSettings {
        IndexSettings {
            name: "n".into(),
            agent_id: "a".parse().unwrap(),
            confluence_spaces: vec!["ENG".into()],
            interval_minutes: 60,
            enabled: true,
            quiet_hours: None,
            backend: BackendKind::Local,
            include_blog_posts: false,
            include_comments: false,
            include_attachments: false,
            labels: vec![],
            exclude_labels: vec![],
            root_page_ids: vec![],
            restricted_pages: RestrictedPages::Skip,
            access: crate::access::Access::default(),
        }
    }

    #[test]
    fn a_scope_asks_for_its_own_roots() {
        let rooted = IndexSettings {
            root_page_ids: vec!["1".into()],
            ..settings()
        };
        let node = |parent: Option<&str>| Node {
            parent: parent.map(PageId::from),
            title: String::new(),
            restriction: Restriction::Open,
        };
        let items = [("1", None), ("2", Some("1")), ("3", None)];
        let tree = PageTree::new(items.map(|(id, parent)| (id.into(), node(parent))));
        let page = |under_root| Candidate {
            status: ContentStatus::Current,
            labels: None,
            restriction: Restriction::Open,
            under_root,
        };
        for (id, held) in [("1", true), ("2", true), ("3", false)] {
            // Whatever the present roots say of it.
            for under_root in [true, false] {
                let is = Scope::of(&rooted).holds(&id.into(), &page(under_root), &tree);
                assert_eq!(is, held, "{id}");
            }
        }
        let restricted = Candidate {
            restriction: Restriction::Restricted,
            ..page(true)
        };
        assert!(!Scope::of(&rooted).holds(&"1".into(), &restricted, &tree));
    }

    #[test]
    fn each_rule_decides_by_itself() {
        let open = settings();
        let labelled = IndexSettings {
            labels: vec!["a".into()],
            exclude_labels: vec!["x".into()],
            ..settings()
        };
        let vouched = IndexSettings {
            restricted_pages: RestrictedPages::Include,
            access: crate::access::Access::default(),
            ..settings()
        };
        let a = ["a".to_owned()];
        let ax = ["a".to_owned(), "x".to_owned()];
        let page = Candidate {
            status: ContentStatus::Current,
            labels: Some(&[]),
            restriction: Restriction::Open,
            under_root: true,
        };
        let is_in = |s: &IndexSettings, p: Candidate<'_>| place(s, &p) == Place::In;
        let is_out = |s: &IndexSettings, p: Candidate<'_>| matches!(place(s, &p), Place::Out(_));
        let waits =
            |s: &IndexSettings, p: Candidate<'_>| matches!(place(s, &p), Place::Undecided(_));
        assert!(is_in(&open, page));
        assert!(is_out(
            &open,
            Candidate {
                status: ContentStatus::Archived,
                ..page
            }
        ));
        assert!(is_out(
            &open,
            Candidate {
                under_root: false,
                ..page
            }
        ));
        assert!(is_out(
            &open,
            Candidate {
                restriction: Restriction::Restricted,
                ..page
            }
        ));
        assert!(waits(
            &open,
            Candidate {
                restriction: Restriction::Unknown,
                ..page
            }
        ));
        assert!(is_in(
            &vouched,
            Candidate {
                restriction: Restriction::Unknown,
                ..page
            }
        ));
        assert!(is_out(&labelled, page));
        assert!(is_in(
            &labelled,
            Candidate {
                labels: Some(&a),
                ..page
            }
        ));
        assert!(is_out(
            &labelled,
            Candidate {
                labels: Some(&ax),
                ..page
            }
        ));
        assert!(waits(
            &labelled,
            Candidate {
                labels: None,
                ..page
            }
        ));
    }
}
