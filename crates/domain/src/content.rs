//! What Confluence says: accounts, spaces, pages as they are listed, bodies, and who may read them.
//!
//! Shapes follow the meaning of the answers of REST v2 and CQL, not their JSON; the client maps one to the other.

use serde::{Deserialize, Serialize};

use crate::access::Grantee;
use crate::{AccountId, PageId, SpaceId, SpaceKey, Timestamp};

/// Kinds of content that an index can hold, and the containers that only stand in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ContentKind {
    /// A page (live docs included).
    Page,
    /// A blog post.
    BlogPost,
    /// A file attached to a page.
    Attachment,
    /// Folder, whiteboard, database, embed or slide: has a place in the tree and may be restricted, but has no text.
    Container,
}

impl ContentKind {
    /// The word used in document ids and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::BlogPost => "blogpost",
            Self::Attachment => "attachment",
            Self::Container => "container",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Page,
            Self::BlogPost,
            Self::Attachment,
            Self::Container,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// `status` of a content item; unknown words are kept apart from every known one, never guessed at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentStatus {
    /// Published.
    Current,
    /// Archived: out of the tree, still readable by id.
    Archived,
    /// In the trash.
    Trashed,
    /// Purged, where the API still says so.
    Deleted,
    /// Never published.
    Draft,
    /// A word we do not know: no conclusion is drawn from it.
    Unknown,
}

impl ContentStatus {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Archived => "archived",
            Self::Trashed => "trashed",
            Self::Deleted => "deleted",
            Self::Draft => "draft",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word of the API; total, since new words appear without notice.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        [
            Self::Current,
            Self::Archived,
            Self::Trashed,
            Self::Deleted,
            Self::Draft,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
        .unwrap_or(Self::Unknown)
    }
}

/// Who the credentials are: `GET /wiki/rest/api/user/current`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The account id.
    pub id: AccountId,
    /// The name shown to people.
    pub display_name: String,
}

/// A person mentioned on a page: `POST /users-bulk`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The account id.
    pub id: AccountId,
    /// The name shown to people; "Former user" and the like for closed accounts.
    pub display_name: String,
}

/// A space as the account sees it: `GET /spaces`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Space {
    /// The identity.
    pub id: SpaceId,
    /// The key by which requests and searches name it.
    pub key: SpaceKey,
    /// The key that people see in addresses, where it is another one: a space that was given a new key keeps the old one as
    /// `key` (`currentActiveAlias` of v2).
    #[serde(default)]
    pub alias: Option<SpaceKey>,
    /// The name shown to people.
    pub name: String,
    /// `global`, `personal`, …; as the API says it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether the space is archived; its pages stay readable.
    pub archived: bool,
    /// Absolute address of the space.
    pub url: String,
}

/// A content item as a listing names it, with its body where the listing was asked for bodies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourcePage {
    /// The identity.
    pub id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// Its life-cycle state.
    pub status: ContentStatus,
    /// Its title: not an identity.
    pub title: String,
    /// The space it stands in now.
    pub space_id: SpaceId,
    /// The item above it in the tree: a page or a container; `None` at the top, or where the API says nothing.
    pub parent_id: Option<PageId>,
    /// What the parent is; `None` without a parent.
    pub parent_kind: Option<ContentKind>,
    /// `version.number`: counts edits and renames; not moves, labels or restrictions.
    pub version: i32,
    /// `version.createdAt`: the server's clock.
    pub modified: Timestamp,
    /// `version.authorId`, where given.
    pub author: Option<AccountId>,
    /// Absolute address of the page, for people.
    pub url: String,
    /// The body in storage format, if it was asked for and came. An empty body is `Some("")`.
    pub body: Option<String>,
}

/// A file attached to a page or blog post, as a listing names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// The identity: `att98400`.
    pub id: PageId,
    /// Its life-cycle state.
    pub status: ContentStatus,
    /// The file name.
    pub name: String,
    /// The page or blog post that it is attached to; `None` where the answer leaves it out.
    pub page: Option<PageId>,
    /// Its own version: replacing a file does not touch the page's.
    pub version: i32,
    /// When that version was uploaded: the server's clock.
    pub modified: Timestamp,
    /// Absolute address for people.
    pub url: String,
    /// What decides whether it is fetched.
    pub facts: FileFacts,
}

/// What is known of a file before it is fetched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileFacts {
    /// What the uploader's client called it; a claim, not a fact.
    pub media_type: Option<String>,
    /// Bytes, as Confluence says.
    pub size: Option<u64>,
}

/// Own read restriction of one item (not what it inherits).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restriction {
    /// Not known yet, or it could not be read: treated as restricted (fail closed).
    #[default]
    Unknown,
    /// The item itself names nobody: it inherits.
    Open,
    /// The item itself names users or groups.
    Restricted,
}

impl Restriction {
    /// The word kept in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Open => "open",
            Self::Restricted => "restricted",
        }
    }

    /// Reads the word kept in rows; anything else is [`Restriction::Unknown`].
    #[must_use]
    pub fn parse(word: &str) -> Self {
        [Self::Open, Self::Restricted]
            .into_iter()
            .find(|r| r.as_str() == word)
            .unwrap_or_default()
    }
}

/// Labels and own read restriction of one item: one row of the bulk CQL answer
/// (`/content/search?expand=metadata.labels,restrictions.read…,ancestors`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentFacts {
    /// The item.
    pub id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// Names of its labels, sorted.
    pub labels: Vec<String>,
    /// Its own read restriction.
    pub restriction: Restriction,
    /// Whom that names, sorted; empty unless it is restricted. Whoever is left out is not let in.
    pub readers: Vec<Grantee>,
    /// Ids of the items above it, from the top; may hold folders and drafts. `None` when the answer left them out.
    pub ancestors: Option<Vec<PageId>>,
}

/// One hit of a live CQL search, for the time when an index cannot answer.
#[derive(Clone, PartialEq, Debug)]
pub struct LiveHit {
    /// The page.
    pub id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// Its title.
    pub title: String,
    /// The space's present key.
    pub space_key: SpaceKey,
    /// Absolute address.
    pub url: String,
    /// The text that matched, with highlighting marks removed.
    pub excerpt: String,
    /// Last modification as search knows it.
    pub modified: Option<Timestamp>,
    /// Version, where given.
    pub version: Option<i32>,
}
