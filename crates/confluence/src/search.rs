//! Confluence's own search, for the time when an index cannot answer.

use domain::content::LiveHit;
use domain::ports::source::SourceError;
use domain::{PageId, SpaceKey};
use serde::Deserialize;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::cql::{self, Match};
use crate::endpoint;
use crate::wire::{Links, Text, Version, absolute, address, kind_of, moment};

/// More hits than anyone reads.
const MAX_HITS: usize = 50;

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Row {
    content: Option<Content>,
    title: Option<String>,
    excerpt: Option<String>,
    url: Option<String>,
    result_global_container: Option<Place>,
    last_modified: Option<String>,
}

#[derive(Deserialize, Debug)]
struct Content {
    id: Text,
    #[serde(rename = "type")]
    kind: Option<String>,
    title: Option<String>,
    space: Option<SpaceRef>,
    version: Option<Version>,
    #[serde(rename = "_links")]
    links: Option<Links>,
}

#[derive(Deserialize, Debug)]
struct SpaceRef {
    key: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Place {
    display_url: Option<String>,
}

/// Takes out the marks that search puts around what matched.
fn plain(text: &str) -> String {
    let unmarked = text.replace("@@@hl@@@", "").replace("@@@endhl@@@", "");
    unmarked.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Row {
    fn into_hit(self, base: &str) -> Option<LiveHit> {
        let content = self.content?;
        let webui = content.links.and_then(|links| links.webui).or(self.url);
        let from_path = || {
            let path = self
                .result_global_container
                .as_ref()?
                .display_url
                .as_deref()?;
            path.trim_start_matches('/')
                .strip_prefix("spaces/")?
                .split('/')
                .next()
                .map(str::to_owned)
        };
        let version = content.version.unwrap_or_default();
        Some(LiveHit {
            kind: kind_of(content.kind.as_deref().unwrap_or("page")),
            title: plain(&content.title.or(self.title).unwrap_or_default()),
            space_key: SpaceKey::new(
                content
                    .space
                    .and_then(|space| space.key)
                    .or_else(from_path)?,
            ),
            url: webui.map_or_else(
                || address(base, None, &content.id.0),
                |path| absolute(base, &path),
            ),
            excerpt: plain(&self.excerpt.unwrap_or_default()),
            modified: version
                .when
                .or(self.last_modified)
                .as_deref()
                .and_then(moment),
            version: version.number,
            id: PageId::new(content.id.0),
        })
    }
}

impl ConfluenceClient {
    pub(crate) async fn find(
        &self,
        question: &str,
        spaces: &[SpaceKey],
        limit: usize,
    ) -> Result<Vec<LiveHit>, SourceError> {
        let words = cql::words(question);
        let limit = limit.min(MAX_HITS);
        if words.is_empty() || spaces.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut hits: Vec<LiveHit> = Vec::new();
        for wanted in [Match::All, Match::Any] {
            if hits.len() >= limit || (wanted == Match::Any && words.len() < 2) {
                break;
            }
            let call = Call::new(&endpoint::SEARCH, &[])
                .with("cql", cql::search(&words, spaces, wanted))
                .with("expand", "content.version,content.space")
                .with("excerpt", "highlight_unescaped")
                .limit(limit);
            let page = self.transport.page::<Row>(&call, None).await?;
            let base = self.base(page.base);
            for hit in page.items.into_iter().filter_map(|row| row.into_hit(&base)) {
                if hits.len() < limit && !hits.iter().any(|known| known.id == hit.id) {
                    hits.push(hit);
                }
            }
        }
        Ok(hits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_plain_and_addressable() {
        let row: Row = serde_json::from_str(
            r#"{"content":{"id":"12","type":"blogpost","status":"current","title":"VPN notes","_links":{"webui":"/spaces/~7/blog/12"}},
                "title":"@@@hl@@@VPN@@@endhl@@@ notes","excerpt":" about the\n @@@hl@@@VPN@@@endhl@@@ gateway","url":"/x",
                "resultGlobalContainer":{"title":"Ada","displayUrl":"/spaces/~7"},"lastModified":"2026-09-16T08:30:00.000Z"}"#,
        )
        .unwrap();
        let hit = row.into_hit("https://x/wiki").unwrap();
        assert_eq!(
            (hit.title.as_str(), hit.excerpt.as_str()),
            ("VPN notes", "about the VPN gateway")
        );
        assert_eq!(
            (hit.space_key.as_str(), hit.url.as_str()),
            ("~7", "https://x/wiki/spaces/~7/blog/12")
        );
        assert_eq!((hit.version, hit.modified.is_some()), (None, true));
        let row: Row = serde_json::from_str(r#"{"title":"a user","entityType":"user"}"#).unwrap();
        assert!(row.into_hit("https://x/wiki").is_none());
    }
}
