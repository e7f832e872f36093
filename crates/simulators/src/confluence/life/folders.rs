//! What people do to folders.

use rand::Rng;
use rand::seq::IndexedRandom as _;

use super::{COVERED, Life, SOMEBODY, chain, for_tree};
use crate::confluence::model::{Kind, Status};
use crate::confluence::sim::ConfluenceSim;
use crate::confluence::site::Site;

impl Life {
    /// A folder more, or something happens to one and to what stands in it.
    pub(super) fn disturb_folders(&mut self, sim: &ConfluenceSim) {
        let site = sim.site();
        let all = site.every_folder();
        let old = self.luck.random_bool(0.7);
        let Some(folder) = all.choose(&mut self.luck).filter(|_| old) else {
            return self.create_folder(site);
        };
        let id = folder.id;
        match self.luck.random_range(0..8) {
            0 => {
                let title = self.title();
                site.rename(id, &title);
            }
            1 | 2 => self.move_somewhere(site, folder),
            3 => {
                // Dissolved: what stood in it stands where it stood.
                for child in site.children(id) {
                    site.move_under(child, folder.parent);
                }
                site.trash(id);
            }
            4 => site.trash_tree(id),
            5 => for_tree(site, id, &|id| site.purge(id)),
            6 => site.restrict_to_user(id, SOMEBODY),
            _ if folder.restricted => site.unrestrict(id),
            _ => site.restrict_to_user(id, &sim.account_id()),
        }
    }

    /// With some pages in it.
    fn create_folder(&mut self, site: &Site) {
        let space = *COVERED.choose(&mut self.luck).unwrap_or(&COVERED[0]);
        let deep = self.luck.random_bool(0.5);
        let parent = self.parent_in(site, space, None).filter(|_| deep);
        let title = self.title();
        let folder = site.create_folder(space, parent, &title);
        for _ in 0..self.luck.random_range(0..4) {
            let inside = self.one_of(site, |page| {
                page.status == Status::Current && page.space_key == space && page.kind == Kind::Page
            });
            let (title, words) = (self.title(), self.words());
            match inside.filter(|page| !chain(site, folder).contains(&page.id)) {
                Some(page) if self.luck.random_bool(0.5) => {
                    site.move_under(page.id, Some(folder));
                }
                _ => {
                    site.create_page(space, Some(folder), &title, &words);
                }
            }
        }
    }
}
