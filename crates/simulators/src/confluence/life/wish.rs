//! What an administrator wants of an index, in the words of the site, and what that index should then hold.

use rand::Rng;
use rand::seq::IndexedRandom as _;

use super::{COVERED, Life, MARK, OUTSIDE, chain};
use crate::confluence::model::{ContentId, Kind, SpaceId, Status};
use crate::confluence::sim::ConfluenceSim;
use crate::confluence::site::Site;
use crate::confluence::truth::{TrueComment, TrueFile, TruePage};

/// The choices of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// Spaces, by key as it was when they were chosen, and by identity.
    pub spaces: Vec<(&'static str, SpaceId)>,
    /// Blog posts as well.
    pub blog_posts: bool,
    /// Comments, in the documents of their pages.
    pub comments: bool,
    /// Attachments whose text can be read.
    pub attachments: bool,
    /// Only pages with one of these labels, if any are named.
    pub labels: Vec<&'static str>,
    /// No pages with one of these labels.
    pub exclude_labels: Vec<&'static str>,
    /// Only these pages and what stands below them, if any are named.
    pub roots: Vec<ContentId>,
    /// Restricted pages that the account can see, too.
    pub restricted: bool,
}

impl Wish {
    /// The pages of these spaces, and nothing else.
    pub fn of(site: &Site, keys: &[&'static str]) -> Wish {
        Wish {
            spaces: keys.iter().map(|key| (*key, site.space_id(key))).collect(),
            blog_posts: false,
            comments: false,
            attachments: false,
            labels: Vec::new(),
            exclude_labels: Vec::new(),
            roots: Vec::new(),
            restricted: false,
        }
    }

    /// The pages and posts that an index of this wish should hold, as the account of this simulator sees them.
    pub fn members(&self, sim: &ConfluenceSim) -> Vec<TruePage> {
        let site = sim.site();
        let mut pages = site.all_for(&sim.account_id());
        pages.retain(|page| self.wants(site, page));
        pages
    }

    fn wants(&self, site: &Site, page: &TruePage) -> bool {
        let has = |label: &&str| page.labels.contains(*label);
        page.status == Status::Current
            && (page.kind == Kind::Page || self.blog_posts)
            && self.spaces.iter().any(|(_, id)| *id == page.space_id)
            && (self.restricted || !page.restricted)
            && (self.labels.is_empty() || self.labels.iter().any(has))
            && !self.exclude_labels.iter().any(has)
            && (self.roots.is_empty()
                || chain(site, page.id)
                    .iter()
                    .any(|id| self.roots.contains(id)))
    }

    /// The comments that the document of this page should hold, in their order.
    pub fn comments_on(&self, site: &Site, page: ContentId) -> Vec<TrueComment> {
        let mut comments = site.every_comment();
        comments.retain(|comment| self.comments && comment.on == page);
        comments
    }

    /// The files of this page that should be documents.
    pub fn files_on(&self, site: &Site, page: ContentId) -> Vec<TrueFile> {
        let is_text = |file: &TrueFile| {
            let kind = file.media_type.as_deref();
            kind.is_some_and(|kind| kind.starts_with("text/"))
        };
        let mut files = site.every_file();
        files.retain(|file| self.attachments && file.on == page && !file.trashed && is_text(file));
        files
    }
}

impl Life {
    /// One choice is another from now on.
    pub fn reconsider(&mut self, site: &Site, wish: &mut Wish) {
        match self.luck.random_range(0..10) {
            0 | 1 => wish.blog_posts = !wish.blog_posts,
            2 | 3 => wish.comments = !wish.comments,
            4 | 5 => wish.attachments = !wish.attachments,
            6 => {
                // Seldom: almost nothing remains.
                let none = !wish.labels.is_empty() || self.luck.random_bool(0.7);
                wish.labels = if none { Vec::new() } else { vec![MARK] };
            }
            7 => {
                let none = !wish.exclude_labels.is_empty();
                wish.exclude_labels = if none { Vec::new() } else { vec![MARK] };
            }
            8 => {
                let none = !wish.roots.is_empty() || self.luck.random_bool(0.5);
                let root = self.one_of(site, |page| {
                    page.kind == Kind::Page && page.status == Status::Current
                });
                let root = root.filter(|_| !none);
                wish.roots = root.iter().map(|page| page.id).collect();
            }
            _ if self.luck.random_bool(0.5) => wish.restricted = !wish.restricted,
            _ => {
                let all = [COVERED[0], COVERED[1], OUTSIDE];
                let mut keys: Vec<&'static str> = all.to_vec();
                keys.retain(|_| self.luck.random_bool(0.6));
                if keys.is_empty() {
                    keys.push(*all.choose(&mut self.luck).unwrap_or(&OUTSIDE));
                }
                // A key may be another space's by now, and one that the account does not see is refused.
                if self.deleted {
                    return;
                }
                site.open_space(COVERED[1]);
                wish.spaces = keys.iter().map(|key| (*key, site.space_id(key))).collect();
            }
        }
    }
}
