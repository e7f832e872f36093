//! Files attached to pages: listings, and downloads from the host that keeps them.
//!
//! A download answers with a redirect to a signed address on another host. It is followed by hand, without credentials, to
//! known hosts only, with a bound in bytes. The address is short-lived and never kept.

use domain::content::{ContentKind, ContentStatus};
use domain::ports::source::{Batch, Cursor, MAX_BATCH, SourceError};
use domain::{AccountId, PageId, Timestamp};
use reqwest::StatusCode;
use serde::Deserialize;
use url::Url;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::comments::numbered;
use crate::config::is_loopback;
use crate::endpoint;
use crate::http::{read_bounded, root_cause};
use crate::wire::{Links, Text, Version, address, moment};

/// A file of a page or blog post.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// The id: `att98400`.
    pub id: PageId,
    /// Its life-cycle state.
    pub status: ContentStatus,
    /// The file name.
    pub title: String,
    /// The page that it belongs to.
    pub page: Option<PageId>,
    /// The blog post that it belongs to.
    pub blog_post: Option<PageId>,
    /// What the uploader's client called it; a claim, not a fact.
    pub media_type: Option<String>,
    /// Bytes, as Confluence says.
    pub size: Option<u64>,
    /// `version.number`, its own: replacing a file does not touch the page's.
    pub version: i32,
    /// `version.createdAt`.
    pub modified: Option<Timestamp>,
    /// Who uploaded this version.
    pub author: Option<AccountId>,
    /// Absolute address for people.
    pub url: String,
}

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

impl Item {
    fn into_attachment(self, base: &str) -> Attachment {
        let version = self.version.unwrap_or_default();
        let id = |text: Option<Text>| {
            text.filter(|id| !id.0.is_empty())
                .map(|id| PageId::new(id.0))
        };
        let page = id(self.page_id);
        let webui = self.links.and_then(|links| links.webui).or(self.webui_link);
        let shown = page.as_ref().map_or(self.id.0.as_str(), PageId::as_str);
        Attachment {
            status: self
                .status
                .as_deref()
                .map_or(ContentStatus::Unknown, ContentStatus::parse),
            title: self.title.unwrap_or_default(),
            blog_post: id(self.blog_post_id),
            media_type: self.media_type.filter(|kind| !kind.is_empty()),
            size: self.file_size,
            version: version.number.unwrap_or(0),
            modified: version.created_at.as_deref().and_then(moment),
            author: version
                .author_id
                .filter(|id| !id.is_empty())
                .map(AccountId::from),
            url: address(base, webui.as_deref(), shown),
            page,
            id: PageId::new(self.id.0),
        }
    }
}

/// Redirects followed at most.
const MAX_HOPS: usize = 3;

impl ConfluenceClient {
    /// One answer of the newest files of the whole site, newest first. 250 at most.
    ///
    /// # Errors
    /// As [`domain::ports::source::ContentSource::list`].
    pub async fn recent_attachments(
        &self,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<Attachment>, SourceError> {
        let call = Call::new(&endpoint::ATTACHMENTS, &[]).with("sort", "-modified-date");
        self.attachments(call.limit(limit.clamp(1, MAX_BATCH)), cursor)
            .await
    }

    /// One answer of the files of a page or blog post.
    ///
    /// # Errors
    /// `NotFound` when the page is gone or not allowed; else as [`domain::ports::source::ContentSource::list`].
    pub async fn attachments_of(
        &self,
        kind: ContentKind,
        id: &PageId,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<Attachment>, SourceError> {
        let endpoint = match kind {
            ContentKind::BlogPost => &endpoint::BLOGPOST_ATTACHMENTS,
            _ => &endpoint::PAGE_ATTACHMENTS,
        };
        let call = numbered(endpoint, id)?
            .with("sort", "created-date")
            .with("status", "current");
        self.attachments(call.limit(MAX_BATCH), cursor).await
    }

    async fn attachments(
        &self,
        call: Call,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<Attachment>, SourceError> {
        let page = self.transport.page::<Item>(&call, cursor).await?;
        let base = self.base(page.base);
        Ok(Batch {
            items: page
                .items
                .into_iter()
                .map(|item| item.into_attachment(&base))
                .collect(),
            next: page.next,
        })
    }

    /// The bytes of a file of `page` (a page's or a blog post's id), at most `max_bytes` of them.
    ///
    /// # Errors
    /// `NotFound` when it is gone or not allowed, `TooLarge` above the bound, `Rejected` when the site sends elsewhere than
    /// to a host for files.
    pub async fn download(
        &self,
        page: &PageId,
        attachment: &PageId,
        max_bytes: usize,
    ) -> Result<Vec<u8>, SourceError> {
        let call = Call::new(&endpoint::DOWNLOAD, &[page.as_str(), attachment.as_str()]);
        let mut target = self.transport.location(&call).await?;
        let what = call.what;
        for _ in 0..MAX_HOPS {
            let url = self.file_address(&what, &target)?;
            let unavailable = |error: &reqwest::Error| SourceError::Unavailable {
                what: what.clone(),
                detail: root_cause(error),
            };
            let mut response = self
                .media
                .get(url)
                .send()
                .await
                .map_err(|error| unavailable(&error))?;
            let status = response.status();
            if status.is_redirection() {
                let location = response
                    .headers()
                    .get("location")
                    .and_then(|value| value.to_str().ok());
                target = location.unwrap_or_default().to_owned();
                continue;
            }
            match status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Err(SourceError::NotFound { what }),
                // The signed address may have run out meanwhile: asking anew is the remedy.
                _ => {
                    return Err(SourceError::Unavailable {
                        what,
                        detail: format!("the host for files answers {status}"),
                    });
                }
            }
            let (bytes, whole) = read_bounded(&mut response, max_bytes)
                .await
                .map_err(|error| unavailable(&error))?;
            if !whole {
                let detail = format!("the file has more than {max_bytes} bytes");
                return Err(SourceError::TooLarge { what, detail });
            }
            return Ok(bytes);
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
