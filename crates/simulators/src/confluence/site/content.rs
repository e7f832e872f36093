//! The life of pages, blog posts and folders.

use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

use super::{Edit, Site};
use crate::confluence::model::{
    Content, ContentId, Indexed, Kind, Restriction, SpaceId, State, Status, VersionRecord,
};
use crate::confluence::switches::Orphans;

impl Site {
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

    pub(super) fn create(
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

    /// Changes content after noting for the search index what it was before.
    pub(super) fn with<T>(
        &self,
        id: ContentId,
        change: impl FnOnce(&mut Content, DateTime<Utc>) -> T,
    ) -> T {
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

    /// Moves content to the trash. What becomes of its children says [`Switches::orphans`](crate::confluence::Switches::orphans).
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

    /// Brings content back from the trash; as a new version if
    /// [`Switches::restore_bumps_version`](crate::confluence::Switches::restore_bumps_version) says so.
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
}

pub(super) fn purge_one(state: &mut State, id: ContentId, now: DateTime<Utc>) {
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
