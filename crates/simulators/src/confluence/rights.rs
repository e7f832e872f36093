//! Who may read what, at one moment or at several taken together: the yardstick of answers that rest on facts which were read one after
//! another.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{ContentId, Principal, SpaceId, Status};
use super::site::Site;

/// Whoever gets in somewhere: those who are named, or everybody.
#[derive(Clone, Default, Debug)]
struct Entry {
    everybody: bool,
    named: BTreeSet<Principal>,
}

impl Entry {
    /// Of a list that lets everybody in where it is not there.
    fn of(named: Option<&BTreeSet<Principal>>) -> Entry {
        Entry {
            everybody: named.is_none(),
            named: named.cloned().unwrap_or_default(),
        }
    }

    fn join(&mut self, other: &Entry) {
        self.everybody |= other.everybody;
        self.named.extend(other.named.iter().cloned());
    }
}

/// Where content stands, and whom it lets in itself.
#[derive(Clone, Debug)]
struct Place {
    spaces: BTreeSet<SpaceId>,
    parents: BTreeSet<Option<ContentId>>,
    entry: Entry,
}

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Rights {
    active: BTreeSet<String>,
    shown: BTreeMap<String, BTreeSet<String>>,
    members: BTreeMap<String, BTreeSet<String>>,
    spaces: BTreeMap<SpaceId, Entry>,
    places: BTreeMap<ContentId, Place>,
    /// What is not in the trash, where nobody reads.
    there: BTreeSet<ContentId>,
}

impl Rights {
    /// As they are now.
    pub fn now(site: &Site) -> Rights {
        let state = site.read();
        let mut rights = Rights::default();
        for user in state.users.values() {
            if user.account_status == "active" {
                rights.active.insert(user.account_id.clone());
            }
            let shown = rights.shown.entry(user.email.to_lowercase()).or_default();
            shown.insert(user.account_id.clone());
        }
        rights.shown.remove("");
        for group in state.groups.values() {
            let members = group.members.clone();
            rights.members.insert(group.id.clone(), members);
        }
        for space in state.spaces.values() {
            let entry = Entry::of(space.readers.as_ref());
            rights.spaces.insert(space.id, entry);
        }
        for content in state.contents.values() {
            if content.status != Status::Trashed {
                rights.there.insert(content.id);
            }
            let named = Some(&content.restriction.read).filter(|named| !named.is_empty());
            let place = Place {
                spaces: BTreeSet::from([content.space]),
                parents: BTreeSet::from([content.parent]),
                entry: Entry::of(named),
            };
            rights.places.insert(content.id, place);
        }
        rights
    }

    /// With these as well: what a reader may see at most who took some facts from here and others from there.
    pub fn join(&mut self, other: &Rights) {
        self.active.extend(other.active.iter().cloned());
        self.there.extend(other.there.iter().copied());
        for (mine, theirs) in [
            (&mut self.shown, &other.shown),
            (&mut self.members, &other.members),
        ] {
            for (key, accounts) in theirs {
                let known = mine.entry(key.clone()).or_default();
                known.extend(accounts.iter().cloned());
            }
        }
        for (id, entry) in &other.spaces {
            self.spaces.entry(*id).or_default().join(entry);
        }
        for (id, place) in &other.places {
            match self.places.get_mut(id) {
                Some(known) => {
                    known.spaces.extend(place.spaces.iter().copied());
                    known.parents.extend(place.parents.iter().copied());
                    known.entry.join(&place.entry);
                }
                None => {
                    self.places.insert(*id, place.clone());
                }
            }
        }
    }

    /// The accounts that show this address.
    pub fn accounts_of(&self, address: &str) -> BTreeSet<String> {
        let accounts = self.shown.get(&address.to_lowercase());
        accounts.cloned().unwrap_or_default()
    }

    /// Whether an account may read content: site, space, and every item on one of its ways to the top.
    pub fn may_read(&self, account: &str, content: ContentId) -> bool {
        let Some(place) = self.places.get(&content) else {
            return false;
        };
        let mut spaces = place.spaces.iter().filter_map(|id| self.spaces.get(id));
        self.there.contains(&content)
            && self.active.contains(account)
            && spaces.any(|entry| self.lets_in(account, entry))
            && self.gets_to(account, content, &mut BTreeSet::new())
    }

    fn gets_to(&self, account: &str, content: ContentId, seen: &mut BTreeSet<ContentId>) -> bool {
        // What is not there says nothing, and a circle of two moments leads to no top.
        let Some(place) = self.places.get(&content) else {
            return true;
        };
        seen.insert(content)
            && self.lets_in(account, &place.entry)
            && place.parents.iter().any(|parent| match parent {
                None => true,
                Some(parent) => self.gets_to(account, *parent, seen),
            })
    }

    fn lets_in(&self, account: &str, entry: &Entry) -> bool {
        entry.everybody
            || entry.named.iter().any(|principal| match principal {
                Principal::User(id) => id == account,
                Principal::Group(id) => {
                    let members = self.members.get(id);
                    members.is_some_and(|members| members.contains(account))
                }
            })
    }
}
