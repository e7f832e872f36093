//! The site as tests and the demo change it, with the semantics the real one shows through its API.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::model::{
    Attachment, Comment, Content, ContentId, Group, Indexed, Kind, Principal, Restriction, Space,
    SpaceId, State, Status, User, VersionRecord,
};
use super::switches::{Orphans, Switches};
use crate::server::Clock;

/// A Confluence site without its server: spaces, content, people. Clones share the same site.
///
/// Methods that name something that is not there panic with its name: that is a mistake in the test, not a condition.
#[derive(Clone, Debug)]
pub struct Site {
    state: Arc<RwLock<State>>,
    switches: Arc<RwLock<Switches>>,
    clock: Clock,
    at: Option<DateTime<Utc>>,
    author: String,
}

/// What [`Site::edit_with`] changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// New title.
    pub title: Option<String>,
    /// New body in storage format.
    pub body: Option<String>,
    /// Marks the version as minor.
    pub minor: bool,
    /// Version message.
    pub message: String,
}

/// The account that acts when nobody else is named.
pub const DEFAULT_AUTHOR: &str = "557058:0c8b3a4e-author";

impl Default for Site {
    fn default() -> Self {
        Site::new()
    }
}

impl Site {
    /// An empty site on the machine's clock.
    pub fn new() -> Site {
        Site::with_clock(Clock::real())
    }

    /// An empty site on this clock.
    pub fn with_clock(clock: Clock) -> Site {
        let site = Site {
            state: Arc::new(RwLock::new(State {
                next_id: 98_304,
                ..State::default()
            })),
            switches: Arc::new(RwLock::new(Switches::default())),
            clock,
            at: None,
            author: DEFAULT_AUTHOR.to_owned(),
        };
        site.add_user(DEFAULT_AUTHOR, "Robin Author", "robin@example.com");
        site
    }

    /// The site's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The same site, acting at this moment instead of now: for content that is older than the test.
    pub fn at(&self, moment: DateTime<Utc>) -> Site {
        Site {
            at: Some(moment),
            ..self.clone()
        }
    }

    /// The same site, acting as this account.
    pub fn by(&self, account_id: &str) -> Site {
        Site {
            author: account_id.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The switches at this moment.
    pub fn switches(&self) -> Switches {
        self.switches
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Changes switches; the next request sees them.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(
            &mut self
                .switches
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
    }

    fn now(&self) -> DateTime<Utc> {
        self.at.unwrap_or_else(|| self.clock.now())
    }

    fn version(&self, number: u32, title: &str, body: &str) -> VersionRecord {
        VersionRecord {
            number,
            created_at: self.now(),
            message: String::new(),
            minor: false,
            author: self.author.clone(),
            title: title.to_owned(),
            body: body.into(),
        }
    }

    // ---- people ----

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
        self.write().users.insert(user.account_id.clone(), user);
    }

    /// Closes an account: the name and email go, the account id stays in versions and restrictions.
    pub fn close_user(&self, account_id: &str) {
        if let Some(user) = self.write().users.get_mut(account_id) {
            user.display_name = "Former user".into();
            user.email = String::new();
            user.account_status = "closed".into();
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

    /// Deletes a group; restrictions go on naming it.
    pub fn delete_group(&self, id: &str) {
        self.write().groups.remove(id);
    }

    // ---- spaces ----

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

    /// Gives a space another name.
    pub fn rename_space(&self, key: &str, name: &str) {
        self.with_space(key, |space| space.name = name.into());
    }

    /// Lets only these principals see a space; an empty list lets nobody.
    pub fn limit_space_to(&self, key: &str, readers: &[Principal]) {
        let readers = readers.iter().cloned().collect();
        self.with_space(key, |space| space.readers = Some(readers));
    }

    /// Lets everyone on the site see a space again.
    pub fn open_space(&self, key: &str) {
        self.with_space(key, |space| space.readers = None);
    }

    fn with_space(&self, key: &str, change: impl FnOnce(&mut Space)) {
        let mut state = self.write();
        let space = state
            .spaces
            .values_mut()
            .find(|s| s.key.eq_ignore_ascii_case(key));
        change(space.unwrap_or_else(|| panic!("no space {key}")));
    }

    // ---- content ----

    /// Publishes a page under a parent, or at the top of the space.
    pub fn create_page(
        &self,
        space: &str,
        parent: Option<ContentId>,
        title: &str,
        storage: &str,
    ) -> ContentId {
        self.create(
            Kind::Page,
            self.space_id(space),
            parent,
            title,
            storage,
            Status::Current,
        )
    }

    /// A page that its author has not published.
    pub fn create_draft(&self, space: &str, parent: Option<ContentId>, title: &str) -> ContentId {
        self.create(
            Kind::Page,
            self.space_id(space),
            parent,
            title,
            "",
            Status::Draft,
        )
    }

    /// A live doc (`subtype: live`).
    pub fn create_live_doc(
        &self,
        space: &str,
        parent: Option<ContentId>,
        title: &str,
        storage: &str,
    ) -> ContentId {
        let id = self.create_page(space, parent, title, storage);
        self.with(id, |c, _| c.subtype = Some("live".into()));
        id
    }

    /// A folder, whiteboard, database or embed: a parent without a body.
    pub fn create_container(
        &self,
        kind: Kind,
        space: &str,
        parent: Option<ContentId>,
        title: &str,
    ) -> ContentId {
        self.create(
            kind,
            self.space_id(space),
            parent,
            title,
            "",
            Status::Current,
        )
    }

    /// A folder.
    pub fn create_folder(&self, space: &str, parent: Option<ContentId>, title: &str) -> ContentId {
        self.create_container(Kind::Folder, space, parent, title)
    }

    /// A blog post.
    pub fn create_blog_post(&self, space: &str, title: &str, storage: &str) -> ContentId {
        self.create(
            Kind::BlogPost,
            self.space_id(space),
            None,
            title,
            storage,
            Status::Current,
        )
    }

    fn create(
        &self,
        kind: Kind,
        space: SpaceId,
        parent: Option<ContentId>,
        title: &str,
        storage: &str,
        status: Status,
    ) -> ContentId {
        let version = self.version(1, title, storage);
        let now = version.created_at;
        let mut state = self.write();
        if let Some(parent) = parent {
            assert!(
                state.contents.contains_key(&parent),
                "no content {parent} to be the parent of {title:?}"
            );
        }
        let id = ContentId(state.fresh_id());
        let position = parent.map(|p| i32::try_from(state.child_count(p)).unwrap_or(i32::MAX));
        state.link(Content {
            id,
            kind,
            status,
            space,
            parent,
            position,
            subtype: None,
            author: self.author.clone(),
            created_at: now,
            modified_at: now,
            versions: vec![version],
            labels: BTreeSet::new(),
            restriction: Restriction::default(),
            indexed_before: vec![(now, None)],
        });
        id
    }

    /// Fills a space with this many pages for measurements: a tree ten wide, some labels, bodies of about `body_bytes`.
    /// Returns their ids. The same arguments make the same pages.
    pub fn populate(&self, space: &str, pages: usize, body_bytes: usize) -> Vec<ContentId> {
        const WORDS: &[&str] = &[
            "deploy", "service", "queue", "invoice", "restart", "database", "replica", "customer",
            "backup", "release", "token", "schedule", "metric", "alert", "owner", "region",
            "cluster", "window", "review", "budget",
        ];
        let home = self.homepage(space);
        let mut ids: Vec<ContentId> = Vec::with_capacity(pages);
        let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut word = move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            WORDS[(seed >> 33) as usize % WORDS.len()]
        };
        for n in 0..pages {
            let parent = if n < 10 { home } else { ids[n / 10 - 1] };
            let mut body = format!("<h2>Part {n}</h2><p>");
            while body.len() < body_bytes {
                body.push_str(word());
                body.push(if body.len() % 97 < 8 { '.' } else { ' ' });
                if body.len() % 389 < 8 {
                    body.push_str("</p><p>");
                }
            }
            body.push_str("</p>");
            let title = format!("{space} {} {} {n}", word(), word());
            let id = self.create_page(space, Some(parent), &title, &body);
            if n % 7 == 0 {
                self.label(id, word());
            }
            ids.push(id);
        }
        ids
    }

    /// Changes content after noting for the search index what it was before.
    fn with<T>(&self, id: ContentId, change: impl FnOnce(&mut Content, DateTime<Utc>) -> T) -> T {
        let now = self.now();
        let mut state = self.write();
        let content = state
            .contents
            .get_mut(&id)
            .unwrap_or_else(|| panic!("no content {id}"));
        let before = content.indexed();
        content.indexed_before.push((now, Some(before)));
        if content.indexed_before.len() > 32 {
            content.indexed_before.remove(0);
        }
        change(content, now)
    }

    /// New body, version + 1.
    pub fn edit(&self, id: ContentId, storage: &str) {
        self.edit_with(
            id,
            Edit {
                body: Some(storage.into()),
                ..Edit::default()
            },
        );
    }

    /// New title, version + 1.
    pub fn rename(&self, id: ContentId, title: &str) {
        self.edit_with(
            id,
            Edit {
                title: Some(title.into()),
                ..Edit::default()
            },
        );
    }

    /// New title or body, version + 1.
    pub fn edit_with(&self, id: ContentId, edit: Edit) {
        let author = self.author.clone();
        self.with(id, |content, now| {
            let last = content.latest().clone();
            content.versions.push(VersionRecord {
                number: last.number + 1,
                created_at: now,
                message: edit.message,
                minor: edit.minor,
                author,
                title: edit.title.unwrap_or(last.title),
                body: edit.body.map_or(last.body, Into::into),
            });
            content.modified_at = now;
        });
    }

    /// Under another parent of the same space, or to the top of it.
    pub fn move_under(&self, id: ContentId, parent: Option<ContentId>) {
        let space = self.content(id).space;
        self.relocate(id, space, parent);
    }

    /// With all below it, to another space.
    pub fn move_to_space(&self, id: ContentId, space: &str, parent: Option<ContentId>) {
        self.relocate(id, self.space_id(space), parent);
    }

    fn relocate(&self, id: ContentId, space: SpaceId, parent: Option<ContentId>) {
        let switches = self.switches();
        if switches.moves_bump_version {
            self.edit_with(
                id,
                Edit {
                    message: "moved".into(),
                    ..Edit::default()
                },
            );
        } else if !switches.moves_keep_modified_date {
            self.with(id, |content, now| content.modified_at = now);
        } else {
            self.with(id, |_, _| ());
        }
        let mut state = self.write();
        let mut tree = vec![id];
        let mut at = 0;
        while at < tree.len() {
            tree.extend(state.children_of(tree[at]));
            at += 1;
        }
        assert!(
            parent.is_none_or(|p| !tree.contains(&p)),
            "{id} cannot move below itself"
        );
        for (depth, member) in tree.into_iter().enumerate() {
            if let Some(mut content) = state.unlink(member) {
                content.space = space;
                if depth == 0 {
                    content.parent = parent;
                    content.position =
                        parent.map(|p| i32::try_from(state.child_count(p)).unwrap_or(0));
                }
                state.link(content);
            }
        }
    }

    /// Archives content; children become archived as well only when archived themselves.
    pub fn archive(&self, id: ContentId) {
        self.set_status(id, Status::Archived);
    }

    /// Brings archived content back.
    pub fn unarchive(&self, id: ContentId) {
        self.set_status(id, Status::Current);
    }

    /// Moves content to the trash. What becomes of its children says [`Switches::orphans`].
    pub fn trash(&self, id: ContentId) {
        let orphans = self.switches().orphans;
        let (parent, children) = {
            let state = self.read();
            let content = state
                .contents
                .get(&id)
                .unwrap_or_else(|| panic!("no content {id}"));
            (content.parent, state.children_of(id))
        };
        self.set_status(id, Status::Trashed);
        for child in children {
            match orphans {
                Orphans::Archived => {
                    self.move_under(child, None);
                    self.set_status(child, Status::Archived);
                }
                Orphans::MoveUp => self.move_under(child, parent),
                Orphans::Trashed => self.trash(child),
                Orphans::Stay => {}
            }
        }
    }

    /// Moves content and all below it to the trash.
    pub fn trash_tree(&self, id: ContentId) {
        let children = self.read().children_of(id);
        for child in children {
            self.trash_tree(child);
        }
        self.set_status(id, Status::Trashed);
    }

    /// Brings content back from the trash; as a new version if [`Switches::restore_bumps_version`] says so.
    pub fn restore(&self, id: ContentId) {
        if self.switches().restore_bumps_version {
            self.edit_with(
                id,
                Edit {
                    message: "restored".into(),
                    ..Edit::default()
                },
            );
        }
        self.set_status(id, Status::Current);
    }

    /// Publishes a draft.
    pub fn publish(&self, id: ContentId) {
        self.set_status(id, Status::Current);
    }

    fn set_status(&self, id: ContentId, status: Status) {
        if self.switches().status_changes_bump_version {
            self.edit_with(
                id,
                Edit {
                    message: status.name().into(),
                    ..Edit::default()
                },
            );
        }
        self.with(id, |content, _| content.status = status);
    }

    /// Removes content for good, with its comments and attachments. Children lose their parent.
    pub fn purge(&self, id: ContentId) {
        let now = self.now();
        let mut state = self.write();
        assert!(state.contents.contains_key(&id), "no content {id}");
        for child in state.children_of(id) {
            if let Some(mut content) = state.unlink(child) {
                content.parent = None;
                state.link(content);
            }
        }
        purge_one(&mut state, id, now);
    }

    /// Lets only these principals view content (added to those named before). Version and dates stay.
    pub fn restrict(&self, id: ContentId, to: &[Principal]) {
        self.with(id, |content, _| {
            content.restriction.read.extend(to.iter().cloned())
        });
    }

    /// Lets only this user (and others named before) view content.
    pub fn restrict_to_user(&self, id: ContentId, account_id: &str) {
        self.restrict(id, &[Principal::User(account_id.into())]);
    }

    /// Lets only this group (and others named before) view content.
    pub fn restrict_to_group(&self, id: ContentId, group_id: &str) {
        self.restrict(id, &[Principal::Group(group_id.into())]);
    }

    /// Drops the view restriction.
    pub fn unrestrict(&self, id: ContentId) {
        self.with(id, |content, _| content.restriction.read.clear());
    }

    /// Restricts editing only: viewing stays open.
    pub fn restrict_editing(&self, id: ContentId, to: &[Principal]) {
        self.with(id, |content, _| {
            content.restriction.update.extend(to.iter().cloned())
        });
    }

    /// Adds a global label. Version and dates stay.
    pub fn label(&self, id: ContentId, name: &str) {
        {
            let mut state = self.write();
            if !state.label_ids.contains_key(name) {
                let label = state.fresh_id();
                state.label_ids.insert(name.to_owned(), label);
            }
            if let Some(attachment) = state.attachments.get_mut(&id) {
                attachment.labels.insert(name.to_owned());
                return;
            }
        }
        self.with(id, |content, _| {
            content.labels.insert(name.to_owned());
        });
    }

    /// Takes a label off.
    pub fn unlabel(&self, id: ContentId, name: &str) {
        self.with(id, |content, _| {
            content.labels.remove(name);
        });
    }

    /// Sets the tree position of content; `None` is what makes the default child order break.
    pub fn set_position(&self, id: ContentId, position: Option<i32>) {
        self.with(id, |content, _| content.position = position);
    }

    /// Merges these fields into every JSON object of this page: odd data on demand (`{"parentType": "star"}`).
    pub fn override_json(&self, id: ContentId, fields: Value) {
        self.write().overrides.insert(id, fields);
    }

    // ---- comments and attachments ----

    /// A footer comment on a page or blog post.
    pub fn comment(&self, on: ContentId, storage: &str) -> ContentId {
        self.add_comment(on, None, None, storage)
    }

    /// An inline comment on this text of a page.
    pub fn inline_comment(&self, on: ContentId, selection: &str, storage: &str) -> ContentId {
        self.add_comment(on, None, Some(selection.to_owned()), storage)
    }

    /// A reply to a comment of either sort.
    pub fn reply(&self, to: ContentId, storage: &str) -> ContentId {
        let (on, selection) = {
            let state = self.read();
            let comment = state
                .comments
                .get(&to)
                .unwrap_or_else(|| panic!("no comment {to}"));
            (comment.on, comment.selection.clone())
        };
        self.add_comment(on, Some(to), selection, storage)
    }

    fn add_comment(
        &self,
        on: ContentId,
        parent: Option<ContentId>,
        selection: Option<String>,
        storage: &str,
    ) -> ContentId {
        let title = format!("Re: {}", self.content(on).title());
        let version = self.version(1, &title, storage);
        let mut state = self.write();
        let id = ContentId(state.fresh_id());
        let created_at = version.created_at;
        let resolution = "open".to_owned();
        state.comments.insert(
            id,
            Comment {
                id,
                on,
                parent,
                selection,
                resolution,
                trashed: false,
                created_at,
                version,
            },
        );
        id
    }

    /// New text of a comment, version + 1.
    pub fn edit_comment(&self, id: ContentId, storage: &str) {
        let now = self.now();
        self.with_comment(id, |comment| {
            comment.version.number += 1;
            comment.version.created_at = now;
            comment.version.body = storage.into();
        });
    }

    /// Removes a comment and the replies below it.
    pub fn delete_comment(&self, id: ContentId) {
        let mut state = self.write();
        let mut doomed = vec![id];
        while let Some(next) = doomed.pop() {
            doomed.extend(
                state
                    .comments
                    .values()
                    .filter(|c| c.parent == Some(next))
                    .map(|c| c.id),
            );
            state.comments.remove(&next);
        }
    }

    /// Sets the resolution of an inline comment: `open`, `reopened`, `resolved`, `dangling`.
    pub fn resolve_comment(&self, id: ContentId, resolution: &str) {
        self.with_comment(id, |comment| comment.resolution = resolution.into());
    }

    fn with_comment(&self, id: ContentId, change: impl FnOnce(&mut Comment)) {
        change(
            self.write()
                .comments
                .get_mut(&id)
                .unwrap_or_else(|| panic!("no comment {id}")),
        );
    }

    /// Attaches a file to a page or blog post. An empty media type stands for one that is missing.
    pub fn attach(&self, on: ContentId, name: &str, media_type: &str, data: &[u8]) -> ContentId {
        let version = self.version(1, name, "");
        let mut state = self.write();
        assert!(
            state.contents.contains_key(&on),
            "no content {on} to attach {name} to"
        );
        let id = ContentId(state.fresh_id());
        let created_at = version.created_at;
        state.attachments.insert(
            id,
            Attachment {
                id,
                on,
                name: name.into(),
                media_type: (!media_type.is_empty()).then(|| media_type.to_owned()),
                comment: String::new(),
                file_id: format!("b0c5f2d4-0000-4000-8000-{:012x}", id.0),
                data: data.into(),
                trashed: false,
                labels: BTreeSet::new(),
                created_at,
                version,
            },
        );
        id
    }

    /// A new file under the same attachment: the attachment's version + 1, the page's stays.
    pub fn replace_attachment(&self, id: ContentId, data: &[u8]) {
        let now = self.now();
        self.with_attachment(id, |attachment| {
            attachment.version.number += 1;
            attachment.version.created_at = now;
            attachment.data = data.into();
        });
    }

    /// Moves an attachment to the trash.
    pub fn trash_attachment(&self, id: ContentId) {
        self.with_attachment(id, |attachment| attachment.trashed = true);
    }

    fn with_attachment(&self, id: ContentId, change: impl FnOnce(&mut Attachment)) {
        change(
            self.write()
                .attachments
                .get_mut(&id)
                .unwrap_or_else(|| panic!("no attachment {id}")),
        );
    }

    pub(crate) fn content(&self, id: ContentId) -> Content {
        self.read()
            .contents
            .get(&id)
            .unwrap_or_else(|| panic!("no content {id}"))
            .clone()
    }
}

fn purge_one(state: &mut State, id: ContentId, now: DateTime<Utc>) {
    if let Some(content) = state.unlink(id) {
        let known: Indexed = content.indexed();
        state.purged.push((id, now, known));
        state.comments.retain(|_, c| c.on != id);
        state.attachments.retain(|_, a| a.on != id);
        state.children.remove(&id);
        for space in state.spaces.values_mut() {
            if space.homepage == Some(id) {
                space.homepage = None;
            }
        }
    }
}

/// Escapes text for XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
