//! What is put on content without a new version: restrictions, labels, comments, attachments.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Site;
use crate::confluence::model::{Attachment, Comment, ContentId, Principal};

impl Site {
    /// Lets only these principals view content (added to those named before). Version and dates stay.
    pub fn restrict(&self, id: ContentId, to: &[Principal]) {
        self.with(id, |content, _| {
            content.restriction.read.extend(to.iter().cloned())
        });
        self.audit_content(id, "Content restriction added");
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
        self.audit_content(id, "Content restriction removed");
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
        let mut before = String::new();
        self.with_comment(id, |comment| {
            comment.version.number += 1;
            comment.version.created_at = now;
            before = comment.version.body.to_string();
            comment.version.body = storage.into();
        });
        self.write().unsaid.insert(before);
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
            if let Some(comment) = state.comments.remove(&next) {
                state.unsaid.insert(comment.version.body.to_string());
            }
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

    /// Another name for an attachment: its version + 1.
    pub fn rename_attachment(&self, id: ContentId, name: &str) {
        let now = self.now();
        self.with_attachment(id, |attachment| {
            attachment.version.number += 1;
            attachment.version.created_at = now;
            attachment.version.title = name.into();
            attachment.name = name.into();
        });
    }

    /// Another media type for an attachment; its version stays.
    pub fn set_media_type(&self, id: ContentId, media_type: &str) {
        self.with_attachment(id, |attachment| {
            attachment.media_type = Some(media_type.into())
        });
    }

    /// Hangs an attachment on another page: its version + 1.
    pub fn move_attachment(&self, id: ContentId, to: ContentId) {
        let now = self.now();
        self.with_attachment(id, |attachment| {
            attachment.version.number += 1;
            attachment.version.created_at = now;
            attachment.on = to;
        });
    }

    /// Moves an attachment to the trash.
    pub fn trash_attachment(&self, id: ContentId) {
        self.with_attachment(id, |attachment| attachment.trashed = true);
    }

    /// Brings an attachment back from the trash.
    pub fn restore_attachment(&self, id: ContentId) {
        self.with_attachment(id, |attachment| attachment.trashed = false);
    }

    fn with_attachment(&self, id: ContentId, change: impl FnOnce(&mut Attachment)) {
        change(
            self.write()
                .attachments
                .get_mut(&id)
                .unwrap_or_else(|| panic!("no attachment {id}")),
        );
    }
}
