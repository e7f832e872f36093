//! People, groups and spaces.

use std::collections::BTreeSet;

use super::content::purge_one;
use super::{Site, escape};
use crate::confluence::model::{
    ContentId, EVERYONE_GROUP, Group, Kind, Principal, Space, SpaceId, Status, User,
};

impl Site {
    /// Adds an active user.
    pub fn add_user(&self, account_id: &str, display_name: &str, email: &str) {
        self.put_user(User {
            account_id: account_id.into(),
            display_name: display_name.into(),
            email: email.into(),
            account_status: "active".into(),
            time_zone: Some("Europe/Berlin".into()),
            is_admin: false,
        });
    }

    /// Adds or replaces a user.
    pub fn put_user(&self, user: User) {
        let mut state = self.write();
        let everyone = state
            .groups
            .entry(EVERYONE_GROUP.to_owned())
            .or_insert_with(|| Group {
                id: EVERYONE_GROUP.to_owned(),
                name: "confluence-users".into(),
                members: BTreeSet::new(),
            });
        if user.account_status == "active" {
            everyone.members.insert(user.account_id.clone());
        } else {
            everyone.members.remove(&user.account_id);
        }
        state.users.insert(user.account_id.clone(), user);
    }

    /// Shows another address with a user; `None` hides it.
    pub fn set_email(&self, account_id: &str, email: Option<&str>) {
        let mut state = self.write();
        let user = state.users.get_mut(account_id);
        let user = user.unwrap_or_else(|| panic!("no user {account_id}"));
        user.email = email.unwrap_or_default().to_owned();
    }

    /// Closes an account: the name and email go, the account id stays in versions and restrictions.
    pub fn close_user(&self, account_id: &str) {
        let mut state = self.write();
        if let Some(user) = state.users.get_mut(account_id) {
            user.display_name = "Former user".into();
            user.email = String::new();
            user.account_status = "closed".into();
        }
        if let Some(everyone) = state.groups.get_mut(EVERYONE_GROUP) {
            everyone.members.remove(account_id);
        }
    }

    /// Adds a group and returns its id.
    pub fn add_group(&self, name: &str, members: &[&str]) -> String {
        let mut state = self.write();
        let id = format!("6d1c40b1-0000-4000-8000-{:012x}", state.fresh_id());
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        state.groups.insert(
            id.clone(),
            Group {
                id: id.clone(),
                name: name.into(),
                members,
            },
        );
        id
    }

    /// Puts these people into a group, and everybody else out of it.
    pub fn set_members(&self, id: &str, members: &[&str]) {
        let mut state = self.write();
        let group = state.groups.get_mut(id);
        let group = group.unwrap_or_else(|| panic!("no group {id}"));
        group.members = members.iter().map(|m| (*m).to_owned()).collect();
        let name = group.name.clone();
        self.audit_group(&mut state, name, "Group membership changed");
    }

    /// Deletes a group; restrictions go on naming it.
    pub fn delete_group(&self, id: &str) {
        let mut state = self.write();
        if let Some(group) = state.groups.remove(id) {
            self.audit_group(&mut state, group.name, "Group deleted");
        }
    }

    /// Adds a space with a home page; a key that begins with `~` makes it a personal space.
    pub fn add_space(&self, key: &str, name: &str) -> SpaceId {
        let id = {
            let mut state = self.write();
            assert!(
                state.space_by_key(key).is_none(),
                "there is a space {key} already"
            );
            let id = SpaceId(state.fresh_id());
            let kind = if key.starts_with('~') {
                "personal"
            } else {
                "global"
            };
            state.spaces.insert(
                id,
                Space {
                    id,
                    key: key.into(),
                    alias: None,
                    name: name.into(),
                    kind: kind.into(),
                    archived: false,
                    description: String::new(),
                    author: self.author.clone(),
                    created_at: self.now(),
                    homepage: None,
                    readers: None,
                },
            );
            id
        };
        let body = format!("<p>Welcome to {}.</p>", escape(name));
        let home = self.create(
            Kind::Page,
            id,
            None,
            &format!("{name} Home"),
            &body,
            Status::Current,
        );
        self.with_space(key, |space| space.homepage = Some(home));
        id
    }

    /// The id of a space.
    pub fn space_id(&self, key: &str) -> SpaceId {
        self.read()
            .space_by_key(key)
            .unwrap_or_else(|| panic!("no space {key}"))
            .id
    }

    /// The home page of a space.
    pub fn homepage(&self, key: &str) -> ContentId {
        let state = self.read();
        let space = state
            .space_by_key(key)
            .unwrap_or_else(|| panic!("no space {key}"));
        space
            .homepage
            .unwrap_or_else(|| panic!("space {key} has no home page"))
    }

    /// Sets the plain description of a space.
    pub fn describe_space(&self, key: &str, description: &str) {
        self.with_space(key, |space| space.description = description.into());
    }

    /// Sets the type of a space, e.g. `knowledge_base`.
    pub fn set_space_type(&self, key: &str, kind: &str) {
        self.with_space(key, |space| space.kind = kind.into());
    }

    /// Archives a space: its pages stay readable by id.
    pub fn archive_space(&self, key: &str) {
        self.with_space(key, |space| space.archived = true);
    }

    /// Brings an archived space back.
    pub fn unarchive_space(&self, key: &str) {
        self.with_space(key, |space| space.archived = false);
    }

    /// Deletes a space with all it holds.
    pub fn delete_space(&self, key: &str) {
        let mut state = self.write();
        let id = state
            .space_by_key(key)
            .unwrap_or_else(|| panic!("no space {key}"))
            .id;
        let members: Vec<ContentId> = state
            .by_space
            .get(&id)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        for member in members {
            purge_one(&mut state, member, self.now());
        }
        state.by_space.remove(&id);
        state.spaces.remove(&id);
    }

    /// Gives a space another key; its id stays.
    pub fn rename_space_key(&self, key: &str, new_key: &str) {
        self.with_space(key, |space| space.key = new_key.into());
    }

    /// Gives a space another key as the site does it today: people see the new one in every address, while `key` of v2 stays.
    pub fn alias_space(&self, key: &str, alias: &str) {
        self.with_space(key, |space| space.alias = Some(alias.into()));
    }

    /// Gives a space another name.
    pub fn rename_space(&self, key: &str, name: &str) {
        self.with_space(key, |space| space.name = name.into());
    }

    /// Lets only these principals see a space; an empty list lets nobody.
    pub fn limit_space_to(&self, key: &str, readers: &[Principal]) {
        let readers = readers.iter().cloned().collect();
        self.with_space(key, |space| space.readers = Some(readers));
        self.audit_space(key, "Space permission removed");
    }

    /// Lets everyone on the site see a space again.
    pub fn open_space(&self, key: &str) {
        self.with_space(key, |space| space.readers = None);
        self.audit_space(key, "Space permission added");
    }

    fn with_space(&self, key: &str, change: impl FnOnce(&mut Space)) {
        let mut state = self.write();
        let space = state
            .spaces
            .values_mut()
            .find(|s| s.key.eq_ignore_ascii_case(key));
        change(space.unwrap_or_else(|| panic!("no space {key}")));
    }
}
