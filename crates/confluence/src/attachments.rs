//! Files attached to pages: listings, and downloads from the host that keeps them.
//!
//! A download answers with a redirect to a signed address on another host. It is followed by hand, without credentials, to
//! known hosts only, with a bound in bytes. The address is short-lived and never kept.

use domain::content::{ContentStatus, FileFacts, SourceFile};
use domain::ports::source::{Batch, Cursor, MAX_BATCH, Reach, SourceError};
use domain::{PageId, SpaceKey, Timestamp};
use reqwest::StatusCode;
use serde::Deserialize;
use upstream::{Bounds, Broken, BrokenBy, Target, is_loopback};
use url::Url;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::content::found;
use crate::cql::{self, is_number};
use crate::endpoint;
use crate::wire::{Links, Text, Version, address, moment};

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: Text,
    status: Option<String>,
    title: Option<String>,
    page_id: Option<Text>,
    blog_post_id: Option<Text>,
    media_type: Option<String>,
    file_size: Option<u64>,
    webui_link: Option<String>,
    version: Option<Version>,
    #[serde(rename = "_links")]
    links: Option<Links>,
}

fn id_of(text: Option<Text>) -> Option<PageId> {
    text.filter(|id| !id.0.is_empty())
        .map(|id| PageId::new(id.0))
}

fn status_of(word: Option<&str>) -> ContentStatus {
    word.map_or(ContentStatus::Unknown, ContentStatus::parse)
}

/// v1 and v2 were seen to differ in the beginning of the id.
fn attachment_id(text: Text) -> PageId {
    match text.0.strip_prefix("att") {
        Some(_) => PageId::new(text.0),
        None => PageId::new(format!("att{}", text.0)),
    }
}

impl Item {
    fn into_file(self, base: &str) -> SourceFile {
        let version = self.version.unwrap_or_default();
        let page = id_of(self.page_id).or_else(|| id_of(self.blog_post_id));
        let webui = self.links.and_then(|links| links.webui).or(self.webui_link);
        let shown = page.as_ref().map_or(self.id.0.as_str(), PageId::as_str);
        let modified = version.created_at.as_deref().and_then(moment);
        SourceFile {
            status: status_of(self.status.as_deref()),
            name: self.title.unwrap_or_default(),
            version: version.number.unwrap_or(0),
            modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
            url: address(base, webui.as_deref(), shown),
            facts: FileFacts {
                media_type: self.media_type.filter(|kind| !kind.is_empty()),
                size: self.file_size,
            },
            page,
            id: attachment_id(self.id),
        }
    }
}

/// A file as search finds it.
#[derive(Deserialize, Debug)]
struct Found {
    id: Text,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    title: Option<String>,
    container: Option<Container>,
    version: Option<Version>,
    metadata: Option<Kind>,
    extensions: Option<Extensions>,
    #[serde(rename = "_links")]
    links: Option<Links>,
}

#[derive(Deserialize, Debug)]
struct Container {
    id: Option<Text>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Kind {
    media_type: Option<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    media_type: Option<String>,
    file_size: Option<u64>,
}

impl Found {
    fn into_file(self, base: &str) -> SourceFile {
        let version = self.version.unwrap_or_default();
        let extensions = self.extensions.unwrap_or_default();
        let on_page =
            |container: &Container| matches!(container.kind.as_deref(), Some("page" | "blogpost"));
        let page = self
            .container
            .filter(on_page)
            .and_then(|container| id_of(container.id));
        let shown = page.as_ref().map_or(self.id.0.as_str(), PageId::as_str);
        let media_type = extensions
            .media_type
            .or_else(|| self.metadata.and_then(|metadata| metadata.media_type));
        SourceFile {
            status: status_of(self.status.as_deref()),
            name: self.title.unwrap_or_default(),
            version: version.number.unwrap_or(0),
            modified: version
                .when
                .as_deref()
                .and_then(moment)
                .unwrap_or(Timestamp::UNIX_EPOCH),
            url: address(
                base,
                self.links.and_then(|links| links.webui).as_deref(),
                shown,
            ),
            facts: FileFacts {
                media_type: media_type.filter(|kind| !kind.is_empty()),
                size: extensions.file_size,
            },
            page,
            id: attachment_id(self.id),
        }
    }
}

const ATTACHMENT: &str = "attachment";
/// Files of one answer of search: its cap on answers with expansions.
const FOUND: usize = 200;
/// Redirects followed at most.
const MAX_HOPS: usize = 3;

impl ConfluenceClient {
    /// The newest files of the whole site, newest first: what changed since a time is at its start.
    pub(crate) async fn newest_files(
        &self,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError> {
        let call = Call::new(&endpoint::ATTACHMENTS, &[])
            .with("sort", "-modified-date")
            .limit(limit.clamp(1, MAX_BATCH));
        let page = self.transport.page::<Item>(&call, cursor).await?;
        let base = self.base(page.base);
        let items = page.items.into_iter();
        Ok(Batch {
            items: items.map(|item| item.into_file(&base)).collect(),
            next: page.next,
        })
    }

    /// One answer of a walk over the files of a space.
    pub(crate) async fn files_in(
        &self,
        space: &SpaceKey,
        reach: Reach,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError> {
        let cql = cql::attached_in(space, ATTACHMENT);
        let page = self
            .searched::<Found>(reach, &cql, "container,version", FOUND, cursor)
            .await?;
        let base = self.base(page.base);
        let items = page
            .items
            .into_iter()
            .filter(|item| item.kind.as_deref() == Some(ATTACHMENT));
        Ok(Batch {
            items: items.map(|item| item.into_file(&base)).collect(),
            next: page.next,
        })
    }

    /// One file by its id.
    pub(crate) async fn one_file(&self, id: &PageId) -> Result<Option<SourceFile>, SourceError> {
        let number = id.as_str().strip_prefix("att").unwrap_or(id.as_str());
        if !is_number(number) {
            return Ok(None);
        }
        let call = Call::new(&endpoint::ONE_ATTACHMENT, &[id.as_str()]);
        let item = found(self.transport.value::<Item>(&call).await)?;
        let base = self.base(None);
        Ok(item.map(|item| item.into_file(&base)))
    }

    /// The bytes of a file of `page` (a page's or a blog post's id), at most `max_bytes` of them.
    pub(crate) async fn fetch_file(
        &self,
        page: &PageId,
        attachment: &PageId,
        max_bytes: usize,
    ) -> Result<Vec<u8>, SourceError> {
        let call = Call::new(&endpoint::DOWNLOAD, &[page.as_str(), attachment.as_str()]);
        let what = call.what.clone();
        // Of the file itself nothing was read so far: this says nothing about its size.
        let of_the_answer = |error| match error {
            SourceError::TooLarge { what, detail } => SourceError::Rejected { what, detail },
            other => other,
        };
        let mut target = self
            .transport
            .location(&call)
            .await
            .map_err(of_the_answer)?;
        let bounds = Bounds {
            answer: max_bytes,
            error: 0,
        };
        for _ in 0..MAX_HOPS {
            let url = self.file_address(&what, &target)?;
            let media = Target::new("confluence", "download");
            let answer = match upstream::send(self.media.get(url), bounds, media).await {
                Ok(answer) => answer,
                Err(broken) if broken.by == BrokenBy::Length => {
                    let detail = format!("the file has more than {max_bytes} bytes");
                    return Err(SourceError::TooLarge { what, detail });
                }
                Err(Broken { detail, .. }) => {
                    return Err(SourceError::Unavailable { what, detail });
                }
            };
            match answer.status {
                StatusCode::OK => return Ok(answer.body),
                status if status.is_redirection() => {
                    let location = answer.headers.get("location");
                    let location = location.and_then(|value| value.to_str().ok());
                    target = location.unwrap_or_default().to_owned();
                }
                StatusCode::NOT_FOUND => return Err(SourceError::NotFound { what }),
                // The signed address may have run out meanwhile: asking anew is the remedy.
                status => {
                    return Err(SourceError::Unavailable {
                        what,
                        detail: format!("the host for files answers {status}"),
                    });
                }
            }
        }
        Err(SourceError::Rejected {
            what,
            detail: "the host for files sends on and on".to_owned(),
        })
    }

    fn file_address(&self, what: &str, target: &str) -> Result<Url, SourceError> {
        let refuse = |detail: String| SourceError::Rejected {
            what: what.to_owned(),
            detail,
        };
        let url = Url::parse(target)
            .map_err(|_| refuse("the redirect to the file is no address".to_owned()))?;
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let known = host == "api.media.atlassian.com" || host.ends_with(".media.atlassian.com");
        let allowed = (url.scheme() == "https" && known)
            || (self.transport.site.loopback && is_loopback(&url));
        if allowed {
            Ok(url)
        } else {
            Err(refuse(format!(
                "the redirect to the file leads to {host}, which is no host for files"
            )))
        }
    }
}
