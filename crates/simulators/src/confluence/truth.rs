//! What is true on the site: the yardstick of model tests.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::model::{Content, ContentId, Kind, SpaceId, State, Status};
use super::site::Site;

/// A page or blog post as it really is.
#[derive(Clone, Debug, PartialEq)]
pub struct TruePage {
    /// Its id.
    pub id: ContentId,
    /// Page or blog post.
    pub kind: Kind,
    /// Where it stands in its life.
    pub status: Status,
    /// Number of its newest version.
    pub version: u32,
    /// Title.
    pub title: String,
    /// Body in storage format.
    pub body: String,
    /// Space.
    pub space_id: SpaceId,
    /// Key of the space.
    pub space_key: String,
    /// Name of the space.
    pub space_name: String,
    /// Whether the space is archived.
    pub space_archived: bool,
    /// Labels.
    pub labels: BTreeSet<String>,
    /// Whether it or an ancestor carries a view restriction.
    pub restricted: bool,
    /// Parent, if any.
    pub parent: Option<ContentId>,
    /// Titles of its ancestors from the top down.
    pub ancestors: Vec<String>,
    /// Time of the newest version.
    pub modified_at: DateTime<Utc>,
}

/// A comment or reply as it really is.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueComment {
    /// Its id.
    pub id: ContentId,
    /// The page or blog post.
    pub on: ContentId,
    /// What it replies to.
    pub parent: Option<ContentId>,
    /// How many comments it replies to, one above the other.
    pub depth: usize,
    /// The highlighted text, for inline comments.
    pub selection: Option<String>,
    /// `open`, `reopened`, `resolved` or `dangling`; means something for inline comments only.
    pub resolution: String,
    /// Display name of who wrote the newest version.
    pub author: String,
    /// Body in storage format.
    pub body: String,
    /// Time of the newest version.
    pub modified_at: DateTime<Utc>,
}

/// An attachment as it really is.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueFile {
    /// Its id.
    pub id: ContentId,
    /// The page or blog post.
    pub on: ContentId,
    /// File name.
    pub name: String,
    /// Media type, where there is one.
    pub media_type: Option<String>,
    /// Number of its newest version.
    pub version: u32,
    /// Whether it is in the trash.
    pub trashed: bool,
    /// The newest bytes.
    pub data: Vec<u8>,
}

impl Site {
    /// Bodies in storage format that comments had, and have no longer: deleted with them, or edited.
    pub fn unsaid(&self) -> BTreeSet<String> {
        self.read().unsaid.clone()
    }

    /// Every comment of the site, each followed by the replies to it, in the order of making.
    pub fn every_comment(&self) -> Vec<TrueComment> {
        let state = self.read();
        let mut all = Vec::with_capacity(state.comments.len());
        let mut open: Vec<(ContentId, usize)> = Vec::new();
        let below = |parent: Option<ContentId>, depth: usize| {
            let comments = state.comments.values().rev();
            let found = comments.filter(move |c| c.parent == parent);
            found.map(move |c| (c.id, depth)).collect::<Vec<_>>()
        };
        open.extend(below(None, 0));
        while let Some((id, depth)) = open.pop() {
            let comment = &state.comments[&id];
            let author = state.users.get(&comment.version.author);
            all.push(TrueComment {
                id,
                on: comment.on,
                parent: comment.parent,
                depth,
                selection: comment.selection.clone(),
                resolution: comment.resolution.clone(),
                author: author.map(|u| u.display_name.clone()).unwrap_or_default(),
                body: comment.version.body.to_string(),
                modified_at: comment.version.created_at,
            });
            open.extend(below(Some(id), depth + 1));
        }
        all
    }

    /// Every attachment of the site, by id.
    pub fn every_file(&self) -> Vec<TrueFile> {
        let state = self.read();
        let files = state.attachments.values();
        files
            .map(|file| TrueFile {
                id: file.id,
                on: file.on,
                name: file.name.clone(),
                media_type: file.media_type.clone(),
                version: file.version.number,
                trashed: file.trashed,
                data: file.data.to_vec(),
            })
            .collect()
    }

    /// The current pages (not blog posts) that this account may view, by id.
    pub fn truth_for(&self, account_id: &str) -> Vec<TruePage> {
        self.all_for(account_id)
            .into_iter()
            .filter(|p| p.kind == Kind::Page && p.status == Status::Current)
            .collect()
    }

    /// Every page and blog post of any status that this account may view, by id.
    pub fn all_for(&self, account_id: &str) -> Vec<TruePage> {
        let state = self.read();
        state
            .contents
            .values()
            .filter(|c| {
                matches!(c.kind, Kind::Page | Kind::BlogPost) && state.may_view(account_id, c)
            })
            .map(|c| true_page(&state, c))
            .collect()
    }

    /// Whether this account may read content, as the check of permissions says it: site, space and restrictions.
    pub fn may_read(&self, account_id: &str, id: ContentId) -> bool {
        let state = self.read();
        let content = state.contents.get(&id);
        content.is_some_and(|content| state.may_read(account_id, content))
    }

    /// Every page and blog post of any status, whoever may view it, by id.
    pub fn every_page(&self) -> Vec<TruePage> {
        let state = self.read();
        let pages = state.contents.values();
        pages
            .filter(|c| matches!(c.kind, Kind::Page | Kind::BlogPost))
            .map(|c| true_page(&state, c))
            .collect()
    }

    /// Every folder that is not in the trash, by id.
    pub fn every_folder(&self) -> Vec<TruePage> {
        let state = self.read();
        let all = state.contents.values();
        all.filter(|c| c.kind == Kind::Folder && c.status == Status::Current)
            .map(|c| true_page(&state, c))
            .collect()
    }

    /// What stands directly below, of any status.
    pub fn children(&self, id: ContentId) -> Vec<ContentId> {
        self.read().children_of(id)
    }

    /// One page or blog post, whoever may view it; none once purged.
    pub fn true_page(&self, id: ContentId) -> Option<TruePage> {
        let state = self.read();
        state.contents.get(&id).map(|c| true_page(&state, c))
    }

    /// The page or blog post with this title in a space, if there is one that is not in the trash.
    pub fn find(&self, space: &str, title: &str) -> Option<ContentId> {
        let state = self.read();
        let space = state.space_by_key(space)?.id;
        let found = state
            .contents
            .values()
            .find(|c| c.space == space && c.title() == title && c.status != Status::Trashed);
        found.map(|c| c.id)
    }

    /// Ids of all groups.
    pub fn group_ids(&self) -> Vec<String> {
        self.read().groups.keys().cloned().collect()
    }

    /// Keys of all spaces.
    pub fn space_keys(&self) -> Vec<String> {
        self.read().spaces.values().map(|s| s.key.clone()).collect()
    }
}

fn true_page(state: &State, content: &Content) -> TruePage {
    let space = state.spaces.get(&content.space);
    TruePage {
        id: content.id,
        kind: content.kind,
        status: content.status,
        version: content.latest().number,
        title: content.title().to_owned(),
        body: content.latest().body.to_string(),
        space_id: content.space,
        space_key: space.map(|s| s.key.clone()).unwrap_or_default(),
        space_name: space.map(|s| s.name.clone()).unwrap_or_default(),
        space_archived: space.is_some_and(|s| s.archived),
        labels: content.labels.clone(),
        restricted: state.is_restricted(content),
        parent: content.parent,
        ancestors: state
            .ancestors(content.id)
            .iter()
            .map(|a| a.title().to_owned())
            .collect(),
        modified_at: content.latest().created_at,
    }
}
