//! What a simulated site consists of.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

/// Id of a page, blog post, folder, comment or attachment. Shown as a decimal string on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(pub u64);

/// Id of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceId(pub u64);

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SpaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a piece of content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A page.
    Page,
    /// A blog post: in a space, without a parent.
    BlogPost,
    /// A folder: may be a parent, has no body.
    Folder,
    /// A whiteboard: may be a parent, no body through the API.
    Whiteboard,
    /// A database: may be a parent, no body through the API.
    Database,
    /// A smart link in the tree.
    Embed,
}

impl Kind {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Page => "page",
            Kind::BlogPost => "blogpost",
            Kind::Folder => "folder",
            Kind::Whiteboard => "whiteboard",
            Kind::Database => "database",
            Kind::Embed => "embed",
        }
    }
}

/// Where content stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Published.
    Current,
    /// Unpublished; only its author sees it.
    Draft,
    /// Archived: kept, readable by id, in default lists of pages.
    Archived,
    /// In the trash.
    Trashed,
}

impl Status {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Status::Current => "current",
            Status::Draft => "draft",
            Status::Archived => "archived",
            Status::Trashed => "trashed",
        }
    }
}

/// Who a restriction or a space permission names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// A user by account id.
    User(String),
    /// A group by group id. It may name a group that no longer exists.
    Group(String),
}

/// A person or an app.
#[derive(Clone, Debug)]
pub struct User {
    /// Atlassian account id.
    pub account_id: String,
    /// Name shown.
    pub display_name: String,
    /// Empty when the profile hides it.
    pub email: String,
    /// `active`, `inactive`, `closed` or `unknown`.
    pub account_status: String,
    /// Zone, or none when hidden.
    pub time_zone: Option<String>,
    /// A Confluence administrator.
    pub is_admin: bool,
}

/// A group with its members' account ids.
#[derive(Clone, Debug)]
pub struct Group {
    /// Group id (UUID).
    pub id: String,
    /// Name; can be renamed.
    pub name: String,
    /// Account ids.
    pub members: BTreeSet<String>,
}

/// The group of everybody who may use the site: a space that names nobody is open to it.
pub const EVERYONE_GROUP: &str = "6d1c40b1-0000-4000-8000-0000000a11ed";

#[derive(Clone, Debug)]
pub(crate) struct Space {
    pub id: SpaceId,
    pub key: String,
    /// The key that people see, where the space was given another one.
    pub alias: Option<String>,
    pub name: String,
    pub kind: String,
    pub archived: bool,
    pub description: String,
    pub author: String,
    pub created_at: DateTime<Utc>,
    pub homepage: Option<ContentId>,
    /// None: everyone who may use the site.
    pub readers: Option<BTreeSet<Principal>>,
}

impl Space {
    /// The key that people see: the present alias.
    pub fn shown_key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.key)
    }

    /// Whether a word names the space, by either of its keys.
    pub fn is_named(&self, word: &str) -> bool {
        self.key.eq_ignore_ascii_case(word) || self.shown_key().eq_ignore_ascii_case(word)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct VersionRecord {
    pub number: u32,
    pub created_at: DateTime<Utc>,
    pub message: String,
    pub minor: bool,
    pub author: String,
    pub title: String,
    pub body: Arc<str>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Restriction {
    pub read: BTreeSet<Principal>,
    pub update: BTreeSet<Principal>,
}

#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub id: ContentId,
    pub kind: Kind,
    pub status: Status,
    pub space: SpaceId,
    pub parent: Option<ContentId>,
    pub position: Option<i32>,
    pub subtype: Option<String>,
    pub author: String,
    pub created_at: DateTime<Utc>,
    /// What `modified-date` sorts by; equals the last version's time unless a switch says otherwise.
    pub modified_at: DateTime<Utc>,
    /// Oldest first, never empty.
    pub versions: Vec<VersionRecord>,
    pub labels: BTreeSet<String>,
    pub restriction: Restriction,
    /// What the search index knew before each later change: (changed at, as it was before).
    pub indexed_before: Vec<(DateTime<Utc>, Option<Indexed>)>,
}

/// What search knows about a piece of content.
#[derive(Clone, Debug)]
pub(crate) struct Indexed {
    pub title: String,
    pub status: Status,
    pub space: SpaceId,
    pub parent: Option<ContentId>,
    pub labels: BTreeSet<String>,
    pub body: Arc<str>,
    pub modified_at: DateTime<Utc>,
}

impl Content {
    pub(crate) fn latest(&self) -> &VersionRecord {
        &self.versions[self.versions.len() - 1]
    }

    pub(crate) fn title(&self) -> &str {
        &self.latest().title
    }

    pub(crate) fn indexed(&self) -> Indexed {
        Indexed {
            title: self.latest().title.clone(),
            status: self.status,
            space: self.space,
            parent: self.parent,
            labels: self.labels.clone(),
            body: self.latest().body.clone(),
            modified_at: self.modified_at,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub id: ContentId,
    pub on: ContentId,
    pub parent: Option<ContentId>,
    /// The highlighted text, for inline comments.
    pub selection: Option<String>,
    pub resolution: String,
    pub trashed: bool,
    pub created_at: DateTime<Utc>,
    pub version: VersionRecord,
}

#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub id: ContentId,
    pub on: ContentId,
    pub name: String,
    pub media_type: Option<String>,
    pub comment: String,
    pub file_id: String,
    pub data: Arc<[u8]>,
    pub trashed: bool,
    pub labels: BTreeSet<String>,
    pub created_at: DateTime<Utc>,
    pub version: VersionRecord,
}

/// Everything on the site.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub next_id: u64,
    pub spaces: BTreeMap<SpaceId, Space>,
    pub contents: BTreeMap<ContentId, Content>,
    pub children: HashMap<ContentId, BTreeSet<ContentId>>,
    pub by_space: HashMap<SpaceId, BTreeSet<ContentId>>,
    pub comments: BTreeMap<ContentId, Comment>,
    /// Bodies of comments that were deleted or edited since.
    pub unsaid: BTreeSet<String>,
    pub attachments: BTreeMap<ContentId, Attachment>,
    pub users: BTreeMap<String, User>,
    pub groups: BTreeMap<String, Group>,
    pub label_ids: BTreeMap<String, u64>,
    /// Content purged while the search index may still know it: (id, purged at, as it was).
    pub purged: Vec<(ContentId, DateTime<Utc>, Indexed)>,
    /// What the audit log holds, oldest first.
    pub audit: Vec<AuditRecord>,
    /// Extra fields merged into a page's JSON, by page.
    pub overrides: BTreeMap<ContentId, Value>,
}

/// What the audit log says of one change: names, and no ids.
#[derive(Clone, Debug)]
pub(crate) struct AuditRecord {
    pub at: DateTime<Utc>,
    /// Account id.
    pub author: String,
    pub summary: &'static str,
    /// What was changed, by title or name.
    pub name: String,
    /// Of which kind that is.
    pub kind: &'static str,
    /// The name of the space that content stands in.
    pub space: Option<String>,
}

impl State {
    pub(crate) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn label_id(&self, name: &str) -> u64 {
        self.label_ids.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn space_by_key(&self, key: &str) -> Option<&Space> {
        self.spaces.values().find(|s| s.is_named(key))
    }

    /// Ancestors from the top down, the content itself left out; stops at a loop or a missing parent.
    pub(crate) fn ancestors(&self, id: ContentId) -> Vec<&Content> {
        let mut chain = Vec::new();
        let mut at = self.contents.get(&id).and_then(|c| c.parent);
        while let Some(parent) = at.and_then(|p| self.contents.get(&p)) {
            if chain.len() > 200 {
                break;
            }
            chain.push(parent);
            at = parent.parent;
        }
        chain.reverse();
        chain
    }

    pub(crate) fn user_is(&self, account: &str, principal: &Principal) -> bool {
        match principal {
            Principal::User(id) => id == account,
            Principal::Group(id) => self
                .groups
                .get(id)
                .is_some_and(|g| g.members.contains(account)),
        }
    }

    pub(crate) fn may_view_space(&self, account: &str, space: SpaceId) -> bool {
        self.spaces.get(&space).is_some_and(|s| match &s.readers {
            None => true,
            Some(readers) => readers.iter().any(|p| self.user_is(account, p)),
        })
    }

    /// Space permission, then the view restriction of the content and of every ancestor (intersection).
    pub(crate) fn may_view(&self, account: &str, content: &Content) -> bool {
        let passes = |c: &Content| {
            (c.restriction.read.is_empty()
                || c.restriction.read.iter().any(|p| self.user_is(account, p)))
                && (c.status != Status::Draft || c.author == account)
        };
        if !passes(content) || !self.may_view_space(account, content.space) {
            return false;
        }
        let (mut at, mut steps) = (content.parent, 0);
        while let Some(parent) = at.and_then(|p| self.contents.get(&p)) {
            // A draft parent hides itself, not the pages below it.
            let open = parent.restriction.read.is_empty()
                || parent
                    .restriction
                    .read
                    .iter()
                    .any(|p| self.user_is(account, p));
            steps += 1;
            if !open || steps > 200 {
                return false;
            }
            at = parent.parent;
        }
        true
    }

    /// What the check of permissions says: may use the site, and may view content that is not in the trash.
    pub(crate) fn may_read(&self, account: &str, content: &Content) -> bool {
        let user = self.users.get(account);
        user.is_some_and(|user| user.account_status == "active")
            && content.status != Status::Trashed
            && self.may_view(account, content)
    }

    /// Whether the content or an ancestor carries a view restriction.
    pub(crate) fn is_restricted(&self, content: &Content) -> bool {
        !content.restriction.read.is_empty()
            || self
                .ancestors(content.id)
                .iter()
                .any(|a| !a.restriction.read.is_empty())
    }

    pub(crate) fn link(&mut self, content: Content) {
        if let Some(parent) = content.parent {
            self.children.entry(parent).or_default().insert(content.id);
        }
        self.by_space
            .entry(content.space)
            .or_default()
            .insert(content.id);
        self.contents.insert(content.id, content);
    }

    pub(crate) fn unlink(&mut self, id: ContentId) -> Option<Content> {
        let content = self.contents.remove(&id)?;
        if let Some(siblings) = content.parent.and_then(|p| self.children.get_mut(&p)) {
            siblings.remove(&id);
        }
        if let Some(members) = self.by_space.get_mut(&content.space) {
            members.remove(&id);
        }
        Some(content)
    }

    pub(crate) fn child_count(&self, id: ContentId) -> usize {
        self.children.get(&id).map_or(0, BTreeSet::len)
    }

    pub(crate) fn children_of(&self, id: ContentId) -> Vec<ContentId> {
        self.children
            .get(&id)
            .map(|c| c.iter().copied().collect())
            .unwrap_or_default()
    }
}
