//! Comments in the page's foot and in its text, and the replies to them.

use domain::content::{ContentKind, ContentStatus};
use domain::ports::source::{Batch, Cursor, MAX_BATCH, SourceError};
use domain::{AccountId, PageId, Timestamp};
use serde::Deserialize;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::cql::is_number;
use crate::endpoint::{self, Endpoint};
use crate::wire::{Body, Links, Text, Version, address, moment};

/// Where comments stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommentPlace {
    /// Below the page.
    Footer,
    /// At a piece of its text.
    Inline,
}

/// A comment or a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comment {
    /// The id, among all content.
    pub id: PageId,
    /// Its life-cycle state.
    pub status: ContentStatus,
    /// The page that it belongs to; `None` for one of a blog post, and for replies where the answer leaves it out.
    pub page: Option<PageId>,
    /// The blog post that it belongs to.
    pub blog_post: Option<PageId>,
    /// The comment that it replies to.
    pub parent: Option<PageId>,
    /// `version.number`.
    pub version: i32,
    /// `version.createdAt`.
    pub modified: Option<Timestamp>,
    /// Who wrote it last.
    pub author: Option<AccountId>,
    /// `open`, `reopened`, `resolved`, `dangling`; inline comments only.
    pub resolution: Option<String>,
    /// The text that an inline comment stands at.
    pub quoted: Option<String>,
    /// Absolute address.
    pub url: String,
    /// Storage format.
    pub body: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: Text,
    status: Option<String>,
    page_id: Option<Text>,
    blog_post_id: Option<Text>,
    parent_comment_id: Option<Text>,
    version: Option<Version>,
    body: Option<Body>,
    resolution_status: Option<String>,
    properties: Option<Properties>,
    #[serde(rename = "_links")]
    links: Option<Links>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Properties {
    inline_original_selection: Option<String>,
}

impl Item {
    fn into_comment(self, base: &str) -> Comment {
        let version = self.version.unwrap_or_default();
        let id = |text: Option<Text>| {
            text.filter(|id| !id.0.is_empty())
                .map(|id| PageId::new(id.0))
        };
        Comment {
            status: self
                .status
                .as_deref()
                .map_or(ContentStatus::Unknown, ContentStatus::parse),
            page: id(self.page_id),
            blog_post: id(self.blog_post_id),
            parent: id(self.parent_comment_id),
            version: version.number.unwrap_or(0),
            modified: version.created_at.as_deref().and_then(moment),
            author: version
                .author_id
                .filter(|id| !id.is_empty())
                .map(AccountId::from),
            resolution: self.resolution_status,
            quoted: self
                .properties
                .and_then(|properties| properties.inline_original_selection),
            url: address(
                base,
                self.links.and_then(|links| links.webui).as_deref(),
                &self.id.0,
            ),
            body: self
                .body
                .and_then(|body| body.storage)
                .and_then(|storage| storage.value),
            id: PageId::new(self.id.0),
        }
    }
}

impl ConfluenceClient {
    /// One answer of the newest comments of the whole site, newest first: what changed since a time is at its start.
    /// A first `limit` of 10 to 25 is enough for a quiet site; 250 at most.
    ///
    /// # Errors
    /// As [`domain::ports::source::ContentSource::list`].
    pub async fn recent_comments(
        &self,
        place: CommentPlace,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<Comment>, SourceError> {
        let endpoint = match place {
            CommentPlace::Footer => &endpoint::FOOTER_COMMENTS,
            CommentPlace::Inline => &endpoint::INLINE_COMMENTS,
        };
        self.comments(
            Call::new(endpoint, &[]).with("sort", "-modified-date"),
            limit,
            cursor,
        )
        .await
    }

    /// One answer of the comments of a page or blog post, oldest first, without the replies.
    ///
    /// # Errors
    /// `NotFound` when the page is gone or not allowed; else as [`domain::ports::source::ContentSource::list`].
    pub async fn comments_of(
        &self,
        kind: ContentKind,
        id: &PageId,
        place: CommentPlace,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<Comment>, SourceError> {
        let endpoint: &'static Endpoint = match (kind, place) {
            (ContentKind::BlogPost, CommentPlace::Footer) => &endpoint::BLOGPOST_FOOTER_COMMENTS,
            (ContentKind::BlogPost, CommentPlace::Inline) => &endpoint::BLOGPOST_INLINE_COMMENTS,
            (_, CommentPlace::Footer) => &endpoint::PAGE_FOOTER_COMMENTS,
            (_, CommentPlace::Inline) => &endpoint::PAGE_INLINE_COMMENTS,
        };
        self.comments(
            numbered(endpoint, id)?.with("sort", "created-date"),
            MAX_BATCH,
            cursor,
        )
        .await
    }

    /// One answer of the replies to a comment, oldest first, one level deep.
    ///
    /// # Errors
    /// As [`comments_of`](Self::comments_of).
    pub async fn replies_to(
        &self,
        place: CommentPlace,
        comment: &PageId,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<Comment>, SourceError> {
        let endpoint = match place {
            CommentPlace::Footer => &endpoint::FOOTER_REPLIES,
            CommentPlace::Inline => &endpoint::INLINE_REPLIES,
        };
        self.comments(
            numbered(endpoint, comment)?.with("sort", "created-date"),
            MAX_BATCH,
            cursor,
        )
        .await
    }

    async fn comments(
        &self,
        call: Call,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<Comment>, SourceError> {
        let call = call
            .with("body-format", "storage")
            .limit(limit.clamp(1, MAX_BATCH));
        let page = self.transport.page::<Item>(&call, cursor).await?;
        let base = self.base(page.base);
        Ok(Batch {
            items: page
                .items
                .into_iter()
                .map(|item| item.into_comment(&base))
                .collect(),
            next: page.next,
        })
    }
}

/// A request about an item, unless its id cannot be one.
pub(crate) fn numbered(endpoint: &'static Endpoint, id: &PageId) -> Result<Call, SourceError> {
    let call = Call::new(endpoint, &[id.as_str()]);
    if is_number(id.as_str()) {
        Ok(call)
    } else {
        Err(SourceError::NotFound { what: call.what })
    }
}
