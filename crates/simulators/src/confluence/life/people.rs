//! Who may read what: people, groups, restrictions and the permissions of spaces.

use rand::Rng;
use rand::seq::IndexedRandom as _;

use super::{COVERED, Life};
use crate::confluence::model::{ContentId, EVERYONE_GROUP, Kind, Principal, Status, User};
use crate::confluence::sim::ConfluenceSim;
use crate::confluence::site::Site;

/// The accounts of some people who use the site.
pub const PEOPLE: [&str; 5] = ["p:ann", "p:bob", "p:cat", "p:dan", "p:eve"];

/// The address that somebody of [`PEOPLE`] has.
#[must_use]
pub fn address_of(account: &str) -> String {
    format!("{}@example.org", account.trim_start_matches("p:"))
}

fn person(account: &str, active: bool) -> User {
    User {
        account_id: account.to_owned(),
        display_name: account.trim_start_matches("p:").to_owned(),
        email: if active {
            address_of(account)
        } else {
            String::new()
        },
        account_status: if active { "active" } else { "inactive" }.to_owned(),
        time_zone: None,
        is_admin: false,
    }
}

impl Life {
    /// Gives the site people, groups, and something that not everybody may read.
    pub fn begin_people(&mut self, sim: &ConfluenceSim) {
        let site = sim.site();
        for account in PEOPLE {
            site.put_user(person(account, true));
        }
        for name in ["Engineers", "Operators", "Managers"] {
            let members = self.some_people();
            site.add_group(name, &members);
        }
        for _ in 0..self.luck.random_range(2..9) {
            self.disturb_people(sim);
        }
    }

    /// One thing that changes who may read what.
    pub fn disturb_people(&mut self, sim: &ConfluenceSim) {
        let (site, account) = (sim.site(), sim.account_id());
        match self.luck.random_range(0..16) {
            0..=4 => {
                if let Some(item) = self.item(site) {
                    let sees = self.luck.random_bool(0.9);
                    let named = self.some_principals(site, Some(account).filter(|_| sees));
                    site.restrict(item, &named);
                }
            }
            5 | 6 => {
                if let Some(item) = self.item(site) {
                    site.unrestrict(item);
                }
            }
            7 | 8 => {
                if let Some(group) = self.group(site) {
                    let members = self.some_people();
                    site.set_members(&group, &members);
                }
            }
            9 | 10 => {
                let space = *COVERED.choose(&mut self.luck).unwrap_or(&COVERED[0]);
                let named = self.some_principals(site, Some(account));
                site.limit_space_to(space, &named);
            }
            11 => {
                let space = *COVERED.choose(&mut self.luck).unwrap_or(&COVERED[0]);
                site.open_space(space);
            }
            12 => {
                // Hidden, their own, or one that somebody else has too.
                let account = self.anybody();
                let shown = match self.luck.random_range(0..3) {
                    0 => None,
                    1 => Some(address_of(account)),
                    _ => Some(address_of(self.anybody())),
                };
                site.set_email(account, shown.as_deref());
            }
            13 => {
                let (account, active) = (self.anybody(), self.luck.random());
                site.put_user(person(account, active));
            }
            14 => {
                if let Some(group) = self.group(site) {
                    site.delete_group(&group);
                }
            }
            _ => {
                let (name, members) = (format!("Group {}", self.number()), self.some_people());
                site.add_group(&name, &members);
            }
        }
    }

    fn anybody(&mut self) -> &'static str {
        PEOPLE.choose(&mut self.luck).unwrap_or(&PEOPLE[0])
    }

    fn some_people(&mut self) -> Vec<&'static str> {
        let mut people = PEOPLE.to_vec();
        people.retain(|_| self.luck.random_bool(0.4));
        people
    }

    /// A group of the site's own making.
    fn group(&mut self, site: &Site) -> Option<String> {
        let mut groups = site.group_ids();
        groups.retain(|id| id != EVERYONE_GROUP);
        groups.choose(&mut self.luck).cloned()
    }

    /// A few people and groups, and this account.
    fn some_principals(&mut self, site: &Site, account: Option<String>) -> Vec<Principal> {
        let mut named: Vec<Principal> = account.into_iter().map(Principal::User).collect();
        for _ in 0..self.luck.random_range(1..3) {
            let group = self.group(site).filter(|_| self.luck.random_bool(0.6));
            named.push(match group {
                Some(group) => Principal::Group(group),
                None => Principal::User(self.anybody().to_owned()),
            });
        }
        named
    }

    /// A page or folder that can be restricted.
    fn item(&mut self, site: &Site) -> Option<ContentId> {
        let mut items = site.every_page();
        items.extend(site.every_folder());
        items.retain(|item| item.status == Status::Current && !self.kept.contains(&item.id));
        // Seldom a post: nothing stands below one.
        items.retain(|item| item.kind != Kind::BlogPost || self.luck.random_bool(0.3));
        items.choose(&mut self.luck).map(|item| item.id)
    }
}
