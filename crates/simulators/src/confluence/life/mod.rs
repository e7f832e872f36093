//! A site's life at random, the same for the same seed: what people do to it, and what goes wrong with its answers. For model
//! tests: whatever happened, [`Wish::members`] says what an index should hold in the end.

mod folders;
mod marks;
mod people;
mod wish;

pub use people::{PEOPLE, address_of};
pub use wish::Wish;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};

use crate::confluence::model::{ContentId, Kind, Principal, Status};
use crate::confluence::sim::ConfluenceSim;
use crate::confluence::site::Site;
use crate::confluence::truth::TruePage;
use crate::server::{Fault, Matcher, RetryAfter};

/// The spaces that an index of this life covers.
pub const COVERED: [&str; 2] = ["ENG", "OPS"];
/// A space beside them.
const OUTSIDE: &str = "ELSE";
/// Somebody whose restrictions hide a page from the account.
const SOMEBODY: &str = "somebody-else";

/// The label that pages get.
const MARK: &str = "marked";

/// See the module.
pub struct Life {
    luck: StdRng,
    /// A covered space is gone, and another has its key.
    deleted: bool,
    /// Nothing happens to these: a listing without any page concludes nothing.
    kept: Vec<ContentId>,
    written: u32,
}

impl Life {
    /// Gives an empty site three spaces with some pages.
    pub fn begin(site: &Site, seed: u64) -> Life {
        site.add_user(SOMEBODY, "Somebody Else", "somebody@example.com");
        let mut life = Life {
            luck: StdRng::seed_from_u64(seed),
            kept: Vec::new(),
            deleted: false,
            written: 0,
        };
        for key in [COVERED[0], COVERED[1], OUTSIDE] {
            site.add_space(key, &format!("Space {key}"));
            life.kept.push(site.homepage(key));
        }
        for _ in 0..life.luck.random_range(8..30) {
            life.create(site);
        }
        for _ in 0..life.luck.random_range(0..20) {
            life.disturb_comments(site);
            life.disturb_files(site);
        }
        life
    }

    /// The generator, for choices of the test's own.
    pub fn luck(&mut self) -> &mut StdRng {
        &mut self.luck
    }

    /// One thing that people do.
    pub fn disturb(&mut self, sim: &ConfluenceSim) {
        match self.luck.random_range(0..20) {
            0..=9 => self.disturb_pages(sim),
            10 => self.disturb_folders(sim),
            11 => self.disturb_spaces(sim.site()),
            12..=15 => self.disturb_comments(sim.site()),
            _ => self.disturb_files(sim.site()),
        }
    }

    fn disturb_pages(&mut self, sim: &ConfluenceSim) {
        let site = sim.site();
        let account = sim.account_id();
        let Some(page) = self.one_of(site, |page| page.status == Status::Current) else {
            return self.create(site);
        };
        let id = page.id;
        match self.luck.random_range(0..18) {
            0..=3 => {
                let words = self.words();
                site.edit(id, &words);
            }
            4 => {
                let title = self.title();
                site.rename(id, &title);
            }
            5 | 6 => self.move_somewhere(site, &page),
            7 => for_tree(site, id, &|id| site.archive(id)),
            8 => site.trash_tree(id),
            9 => site.trash(id),
            10 => for_tree(site, id, &|id| site.purge(id)),
            11 | 12 => {
                // Back, to the top of its space.
                if let Some(away) = self.one_of(site, |page| page.status != Status::Current) {
                    site.move_under(away.id, None);
                    match away.status {
                        Status::Archived => site.unarchive(away.id),
                        _ => site.restore(away.id),
                    }
                }
            }
            13 => site.restrict_to_user(id, &account),
            14 => site.restrict_to_user(id, SOMEBODY),
            15 => site.unrestrict(id),
            16 => {
                if page.labels.is_empty() {
                    site.label(id, MARK);
                } else {
                    site.unlabel(id, MARK);
                }
            }
            _ => self.create(site),
        }
    }

    /// A space is hidden from the account or archived, or shown or brought back.
    fn disturb_spaces(&mut self, site: &Site) {
        let spaces = [COVERED[0], COVERED[1], OUTSIDE];
        let space = *spaces.choose(&mut self.luck).unwrap_or(&OUTSIDE);
        match self.luck.random_range(0..4) {
            0 => site.limit_space_to(COVERED[1], &[Principal::User(SOMEBODY.into())]),
            1 => site.open_space(COVERED[1]),
            2 => site.archive_space(space),
            _ => site.unarchive_space(space),
        }
    }

    /// Deletes a covered space with all it holds, unless it is the only one that is wished for.
    pub fn delete_a_space(&mut self, site: &Site, wish: &Wish) {
        let is_only = wish.spaces.len() < 2;
        if !is_only && site.space_keys().iter().any(|key| key == COVERED[1]) {
            site.delete_space(COVERED[1]);
            self.deleted = true;
            // Its name is free for another space, which is not the one that was covered.
            site.add_space(COVERED[1], "Another space of that key");
            self.kept.push(site.homepage(COVERED[1]));
        }
    }

    /// Something that goes wrong with the next few answers. `patient`: also what makes a client wait for seconds.
    pub fn fault(&mut self, sim: &ConfluenceSim, patient: bool) {
        if self.luck.random_bool(0.06) {
            // Until it is calm.
            sim.switches(|switches| switches.missing_body = true);
            return;
        }
        let endpoint = [
            "*",
            "/api/v2/spaces",
            "/spaces/{id}/pages",
            "/api/v2/pages",
            "/pages/{id}",
            "/folders/{id}",
            "/content/search",
            "/user/current",
            "/user/bulk",
            "/footer-comments",
            "/inline-comments",
            "/inline-comments/{id}",
            "/api/v2/attachments",
            "/attachments/{id}",
            "/download",
        ];
        let matcher = Matcher::from(*endpoint.choose(&mut self.luck).unwrap_or(&"*"));
        let mut faults = vec![
            Fault::Status(500),
            Fault::Status(503),
            Fault::HtmlStatus(502),
            Fault::EmptyStatus(504),
            Fault::Html200,
            Fault::CutJson,
            Fault::CutBody,
            Fault::Reset,
            Fault::Slow(Duration::from_millis(50)),
            Fault::TransientNotFound,
            Fault::TransientForbidden,
            Fault::InvalidCursor,
            Fault::RepeatNext,
            Fault::EmptyListing,
            Fault::EmptyPage,
        ];
        if patient {
            faults.push(Fault::RateLimited(RetryAfter::Missing));
            faults.push(Fault::RateLimited(RetryAfter::Zero));
            faults.push(Fault::RateLimited(RetryAfter::Seconds(1)));
            faults.push(Fault::Unavailable(1));
        }
        let fault = faults.choose(&mut self.luck).cloned();
        let most = if patient { 8 } else { 3 };
        let (skip, times) = (
            self.luck.random_range(0..4),
            self.luck.random_range(1..most),
        );
        sim.fail_after(matcher, skip, times, fault.unwrap_or(Fault::Reset));
    }

    /// From here on every answer is true.
    pub fn calm(&self, sim: &ConfluenceSim) {
        sim.clear_faults();
        sim.site().set_switches(|switches| {
            switches.search_lag = Duration::ZERO;
            switches.missing_body = false;
        });
    }

    /// As [`calm`](Self::calm), and the account sees at least one of the spaces that are wished for: from seeing none nothing is
    /// concluded, so that would have no end to compare with.
    pub fn end(&self, sim: &ConfluenceSim, wish: &Wish) {
        self.calm(sim);
        for key in [COVERED[0], COVERED[1], OUTSIDE] {
            sim.site().unarchive_space(key);
        }
        if wish.spaces.iter().all(|(key, _)| *key == COVERED[1]) {
            sim.site().open_space(COVERED[1]);
        }
    }

    fn create(&mut self, site: &Site) {
        let spaces = [COVERED[0], COVERED[0], COVERED[1], OUTSIDE];
        let space = *spaces.choose(&mut self.luck).unwrap_or(&COVERED[0]);
        let deep = self.luck.random_bool(0.7);
        let parent = self.parent_in(site, space, None).filter(|_| deep);
        let (title, words) = (self.title(), self.words());
        if self.luck.random_bool(0.1) {
            site.create_blog_post(space, &title, &words);
            return;
        }
        let id = site.create_page(space, parent, &title, &words);
        match self.luck.random_range(0..10) {
            0 => site.label(id, MARK),
            1 => site.restrict_to_user(id, SOMEBODY),
            _ => {}
        }
    }

    fn move_somewhere(&mut self, site: &Site, page: &TruePage) {
        let spaces = [COVERED[0], COVERED[1], OUTSIDE];
        let space = *spaces.choose(&mut self.luck).unwrap_or(&COVERED[0]);
        let parent = match page.kind {
            Kind::BlogPost => None,
            _ => self.parent_in(site, space, Some(page.id)),
        };
        site.move_to_space(page.id, space, parent);
    }

    /// A page or folder of this space, which this one can stand below.
    fn parent_in(
        &mut self,
        site: &Site,
        space: &str,
        child: Option<ContentId>,
    ) -> Option<ContentId> {
        let mut all = site.every_page();
        all.extend(site.every_folder());
        all.retain(|above| {
            above.kind != Kind::BlogPost
                && above.status == Status::Current
                && above.space_key == space
                && !self.kept.contains(&above.id)
                && child.is_none_or(|child| !chain(site, above.id).contains(&child))
        });
        let above = all.choose(&mut self.luck)?;
        Some(above.id)
    }

    fn one_of(&mut self, site: &Site, fits: impl Fn(&TruePage) -> bool) -> Option<TruePage> {
        let all = site.every_page();
        let fitting: Vec<&TruePage> = all
            .iter()
            .filter(|page| !self.kept.contains(&page.id) && fits(page))
            .collect();
        fitting.choose(&mut self.luck).map(|page| (*page).clone())
    }

    fn number(&mut self) -> u32 {
        self.written += 1;
        self.written
    }

    fn title(&mut self) -> String {
        format!("Title {}", self.number())
    }

    fn words(&mut self) -> String {
        format!("<p>Words number {}.</p>", self.number())
    }
}

/// The page and all above it.
fn chain(site: &Site, id: ContentId) -> Vec<ContentId> {
    let mut chain = vec![id];
    while let Some(parent) = chain
        .last()
        .and_then(|id| site.true_page(*id))
        .and_then(|page| page.parent)
    {
        chain.push(parent);
    }
    chain
}

/// Does something to everything below a page, from the leaves up, and to the page.
fn for_tree(site: &Site, id: ContentId, act: &dyn Fn(ContentId)) {
    for child in site.children(id) {
        for_tree(site, child, act);
    }
    act(id);
}
