//! Comments in the page's foot and in its text, and the replies to them: the newest of the whole site by listing, all of a
//! space by CQL. Nothing is asked page by page.

use domain::comments::{CommentPlace, SourceComment, Standing};
use domain::content::ContentStatus;
use domain::ports::source::{Batch, CommentsQuery, Cursor, MAX_BATCH, MAX_COMMENTS, SourceError};
use domain::{AccountId, PageId, Timestamp};
use serde::Deserialize;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::content::found;
use crate::cql::{self, is_number};
use crate::endpoint;
use crate::wire::{Body, Links, Text, Version, address, moment};

/// Comments of one answer of search without their texts: its cap on answers with expansions.
const WITHOUT_BODIES: usize = 200;
/// Five of the eight expansions that one request may have.
const EXPAND: &str =
    "container,ancestors,version,extensions.inlineProperties,extensions.resolution";

/// A comment of v2.
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

fn status_of(word: Option<&str>) -> ContentStatus {
    word.map_or(ContentStatus::Unknown, ContentStatus::parse)
}

fn standing_of(word: Option<&str>) -> Standing {
    word.map_or(Standing::Open, Standing::parse)
}

fn id_of(text: Option<Text>) -> Option<PageId> {
    text.filter(|id| !id.0.is_empty())
        .map(|id| PageId::new(id.0))
}

fn storage_of(body: Option<Body>) -> Option<String> {
    body.and_then(|body| body.storage)
        .and_then(|storage| storage.value)
}

impl Item {
    fn into_comment(self, place: CommentPlace, base: &str) -> SourceComment {
        let version = self.version.unwrap_or_default();
        let modified = version.created_at.as_deref().and_then(moment);
        SourceComment {
            status: status_of(self.status.as_deref()),
            page: id_of(self.page_id).or_else(|| id_of(self.blog_post_id)),
            parent: id_of(self.parent_comment_id),
            place,
            version: version.number.unwrap_or(0),
            modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
            author: version
                .author_id
                .filter(|id| !id.is_empty())
                .map(AccountId::from),
            standing: standing_of(self.resolution_status.as_deref()),
            quoted: self
                .properties
                .and_then(|properties| properties.inline_original_selection),
            url: address(
                base,
                self.links.and_then(|links| links.webui).as_deref(),
                &self.id.0,
            ),
            body: storage_of(self.body),
            id: PageId::new(self.id.0),
        }
    }
}

/// A comment as search finds it.
#[derive(Deserialize, Debug)]
struct Found {
    id: Text,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    container: Option<Above>,
    ancestors: Option<Vec<Above>>,
    version: Option<FoundVersion>,
    extensions: Option<Extensions>,
    body: Option<Body>,
    #[serde(rename = "_links")]
    links: Option<Links>,
}

/// What a comment stands on, or replies to.
#[derive(Deserialize, Debug)]
struct Above {
    id: Option<Text>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Above {
    fn into_id(self, is_wanted: impl Fn(&str) -> bool) -> Option<PageId> {
        let wanted = self.kind.as_deref().is_some_and(is_wanted);
        wanted.then(|| id_of(self.id)).flatten()
    }
}

#[derive(Deserialize, Debug, Default)]
struct FoundVersion {
    number: Option<i32>,
    when: Option<String>,
    by: Option<Author>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Author {
    account_id: Option<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    location: Option<String>,
    inline_properties: Option<Inline>,
    resolution: Option<Resolution>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Inline {
    original_selection: Option<String>,
}

#[derive(Deserialize, Debug)]
struct Resolution {
    status: Option<String>,
}

const COMMENT: &str = "comment";

impl Found {
    fn into_comment(self, base: &str) -> SourceComment {
        let version = self.version.unwrap_or_default();
        let extensions = self.extensions.unwrap_or_default();
        let quoted = extensions
            .inline_properties
            .and_then(|inline| inline.original_selection)
            .filter(|text| !text.is_empty());
        let place = match extensions.location.as_deref() {
            Some("footer") => CommentPlace::Footer,
            // Settled inline comments have a location of that name.
            Some("inline" | "resolved") => CommentPlace::Inline,
            _ if quoted.is_some() => CommentPlace::Inline,
            _ => CommentPlace::Footer,
        };
        let above = self.ancestors.unwrap_or_default().into_iter().next_back();
        let mut parent = above.and_then(|above| above.into_id(|kind| kind == COMMENT));
        let mut page = None;
        if let Some(container) = self.container {
            // The container of a reply was seen to be the comment above it.
            if container.kind.as_deref() == Some(COMMENT) {
                parent = parent.or_else(|| id_of(container.id));
            } else {
                page = container.into_id(|kind| matches!(kind, "page" | "blogpost"));
            }
        }
        SourceComment {
            status: status_of(self.status.as_deref()),
            page,
            parent,
            place,
            version: version.number.unwrap_or(0),
            modified: version
                .when
                .as_deref()
                .and_then(moment)
                .unwrap_or(Timestamp::UNIX_EPOCH),
            author: version
                .by
                .and_then(|by| by.account_id)
                .filter(|id| !id.is_empty())
                .map(AccountId::from),
            standing: standing_of(
                extensions
                    .resolution
                    .and_then(|resolution| resolution.status)
                    .as_deref(),
            ),
            quoted,
            url: address(
                base,
                self.links.and_then(|links| links.webui).as_deref(),
                &self.id.0,
            ),
            body: storage_of(self.body),
            id: PageId::new(self.id.0),
        }
    }
}

impl ConfluenceClient {
    /// The newest comments of the whole site, newest first: what changed since a time is at its start.
    pub(crate) async fn newest_comments(
        &self,
        place: CommentPlace,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError> {
        let endpoint = match place {
            CommentPlace::Footer => &endpoint::FOOTER_COMMENTS,
            CommentPlace::Inline => &endpoint::INLINE_COMMENTS,
        };
        let call = Call::new(endpoint, &[])
            .with("sort", "-modified-date")
            .with("body-format", "storage")
            .limit(limit.clamp(1, MAX_BATCH));
        let page = self.transport.page::<Item>(&call, cursor).await?;
        let base = self.base(page.base);
        let items = page.items.into_iter();
        Ok(Batch {
            items: items.map(|item| item.into_comment(place, &base)).collect(),
            next: page.next,
        })
    }

    /// One answer of a walk by CQL.
    pub(crate) async fn comments_by(
        &self,
        query: &CommentsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError> {
        let (cql, reach, bodies) = match query {
            CommentsQuery::Space { key, reach, bodies } => {
                (cql::attached_in(key, COMMENT), *reach, *bodies)
            }
            CommentsQuery::Ids(ids, _) if ids.len() > MAX_COMMENTS => {
                return Err(SourceError::Rejected {
                    what: "comments by id".to_owned(),
                    detail: format!(
                        "{} are too many for one request; {MAX_COMMENTS} at most",
                        ids.len()
                    ),
                });
            }
            CommentsQuery::Ids(ids, reach) => match cql::these(ids) {
                Some(cql) => (cql, *reach, true),
                None => {
                    return Ok(Batch {
                        items: Vec::new(),
                        next: None,
                    });
                }
            },
        };
        let (expand, limit) = if bodies {
            (format!("{EXPAND},body.storage"), MAX_COMMENTS)
        } else {
            (EXPAND.to_owned(), WITHOUT_BODIES)
        };
        let page = self
            .searched::<Found>(reach, &cql, &expand, limit, cursor)
            .await?;
        let base = self.base(page.base);
        let items = page
            .items
            .into_iter()
            .filter(|item| item.kind.as_deref() == Some(COMMENT));
        Ok(Batch {
            items: items.map(|item| item.into_comment(&base)).collect(),
            next: page.next,
        })
    }

    /// One comment by its id.
    pub(crate) async fn one_comment(
        &self,
        place: CommentPlace,
        id: &PageId,
    ) -> Result<Option<SourceComment>, SourceError> {
        let endpoint = match place {
            CommentPlace::Footer => &endpoint::ONE_FOOTER_COMMENT,
            CommentPlace::Inline => &endpoint::ONE_INLINE_COMMENT,
        };
        if !is_number(id.as_str()) {
            return Ok(None);
        }
        let call = Call::new(endpoint, &[id.as_str()]).with("body-format", "storage");
        let item = found(self.transport.value::<Item>(&call).await)?;
        let base = self.base(None);
        Ok(item.map(|item| item.into_comment(place, &base)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_comment(json: &str) -> SourceComment {
        let found: Found = serde_json::from_str(json).unwrap();
        found.into_comment("https://x/wiki")
    }

    #[test]
    fn what_search_finds_is_read() {
        let root = found_comment(
            r#"{"id":"12","type":"comment","status":"current","title":"Re: P","container":{"id":"7","type":"page"},"ancestors":[],
                "version":{"number":2,"when":"2026-09-16T08:30:00.000Z","by":{"accountId":"a:1"}},
                "extensions":{"location":"resolved","inlineProperties":{"originalSelection":"the word","markerRef":"m"},
                  "resolution":{"status":"resolved","lastModifiedDate":"2026-09-16T08:30:00.000Z"}},
                "body":{"storage":{"value":"<p>yes</p>"}},"_links":{"webui":"/spaces/ENG/pages/7/P?focusedCommentId=12"}}"#,
        );
        assert_eq!(
            (root.page, root.parent, root.place),
            (Some("7".into()), None, CommentPlace::Inline)
        );
        assert_eq!(root.quoted.as_deref(), Some("the word"));
        assert_eq!(root.standing, Standing::Resolved);
        assert_eq!(
            (root.version, root.body.as_deref()),
            (2, Some("<p>yes</p>"))
        );
        assert_eq!(
            root.url,
            "https://x/wiki/spaces/ENG/pages/7/P?focusedCommentId=12"
        );

        let reply = found_comment(
            r#"{"id":13,"type":"comment","container":{"id":"12","type":"comment"},"version":null,"extensions":null}"#,
        );
        assert_eq!(
            (reply.page, reply.parent, reply.place),
            (None, Some("12".into()), CommentPlace::Footer)
        );
        let reply = found_comment(
            r#"{"id":14,"type":"comment","container":{"id":"7","type":"blogpost"},
                "ancestors":[{"id":"12","type":"comment"},{"id":"13","type":"comment"}],"extensions":{"location":"footer"}}"#,
        );
        assert_eq!(
            (reply.page, reply.parent),
            (Some("7".into()), Some("13".into()))
        );
    }
}
