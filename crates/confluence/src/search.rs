//! Confluence's own search, for the time when an index cannot answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::content::LiveHit;
use domain::ports::source::SourceError;
use domain::rank::{Ranked, best_first};
use domain::{PageId, SpaceKey};
use quick_xml::escape::unescape;
use serde::Deserialize;
use upstream::{Circuit, CircuitBreaker};

use crate::ConfluenceClient;
use crate::call::Call;
use crate::cql::{self, Match};
use crate::endpoint;
use crate::transport::Transport;
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

/// Takes out the marks that search puts around what matched, and reads HTML's entities.
fn plain(text: &str) -> String {
    let unmarked = text.replace("@@@hl@@@", "").replace("@@@endhl@@@", "");
    let read = unescaped(&unmarked);
    read.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The longest entity has so many bytes.
const LONGEST_ENTITY: usize = 33;

/// Reads entities; an `&` that begins none stays.
fn unescaped(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        read.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(LONGEST_ENTITY).position(|b| b == b';');
        let entity = end.map(|end| &rest[..=end]);
        match entity.and_then(|entity| Some((entity, unescape(entity).ok()?))) {
            Some((entity, character)) => {
                read.push_str(&character);
                rest = &rest[entity.len()..];
            }
            None => {
                read.push('&');
                rest = &rest[1..];
            }
        }
    }
    read.push_str(rest);
    read
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
    /// Confluence's own search. Whoever waits for it does not wait for a site that is down again and again.
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
        let down = |detail: String| SourceError::Unavailable {
            what: endpoint::SEARCH.name.to_owned(),
            detail,
        };
        if let Circuit::Open { failures, probe } = self.live.breaker.state() {
            if probe {
                let (live, words, spaces) = (Arc::clone(&self.live), words, spaces.to_vec());
                tokio::spawn(async move { live.ask(&words, &spaces, limit).await.map(drop) });
            }
            return Err(down(format!(
                "the last {failures} searches were not answered. It is asked again beside the coming ones; asking again now changes \
                 nothing"
            )));
        }
        self.live.ask(&words, spaces, limit).await
    }
}

/// Whether a site that refuses a search so has answered it. What stands in front of a site that is down answers for it: with 5xx
/// (504 counts as too much at once elsewhere), or with a page of HTML.
const fn answers(error: &SourceError) -> bool {
    !matches!(
        error,
        SourceError::Unavailable { .. }
            | SourceError::NotConfluence { .. }
            | SourceError::TooLarge { .. }
    )
}

/// How long a search may take in all.
const LONGEST: Duration = Duration::from_secs(8);

/// What Confluence's own search needs.
pub(crate) struct Live {
    transport: Transport,
    breaker: CircuitBreaker,
    /// The site refuses the field that ranks; it is documented nowhere.
    no_ranking: AtomicBool,
}

impl Live {
    /// Over the transport for those who wait.
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport,
            breaker: CircuitBreaker::default(),
            no_ranking: AtomicBool::new(false),
        }
    }

    async fn ask(
        &self,
        words: &[String],
        spaces: &[SpaceKey],
        limit: usize,
    ) -> Result<Vec<LiveHit>, SourceError> {
        let asked = tokio::time::timeout(LONGEST, self.gathered(words, spaces, limit)).await;
        let found = asked.unwrap_or_else(|_| {
            Err(SourceError::Unavailable {
                what: endpoint::SEARCH.name.to_owned(),
                detail: format!("no answer within {} s", LONGEST.as_secs()),
            })
        });
        self.breaker.ended(found.as_ref().err().is_none_or(answers));
        let hits = found?;
        let texts: Vec<Ranked<'_>> = hits
            .iter()
            .map(|hit| Ranked {
                title: &hit.title,
                text: &hit.excerpt,
            })
            .collect();
        let order = best_first(&texts, words);
        let mut hits: Vec<Option<LiveHit>> = hits.into_iter().map(Some).collect();
        Ok(order
            .into_iter()
            .take(limit)
            .filter_map(|at| hits[at].take())
            .collect())
    }

    /// Rows to choose from: those of the field that ranks where there are enough of them, else of titles and texts with all words,
    /// then with any.
    async fn gathered(
        &self,
        words: &[String],
        spaces: &[SpaceKey],
        limit: usize,
    ) -> Result<Vec<LiveHit>, SourceError> {
        let mut hits: Vec<LiveHit> = Vec::new();
        let mut is_refused = false;
        for wanted in [Match::Ranked, Match::All, Match::Any] {
            let skipped = match wanted {
                Match::Ranked => self.no_ranking.load(Ordering::Relaxed),
                Match::All => false,
                Match::Any => words.len() < 2,
            };
            if skipped || hits.len() >= limit {
                continue;
            }
            let call = Call::new(&endpoint::SEARCH, &[])
                .with("cql", cql::search(words, spaces, wanted))
                .with("expand", "content.version,content.space")
                .with("excerpt", "highlight_unescaped")
                .limit(MAX_HITS);
            let page = match self.transport.page::<Row>(&call, None).await {
                Err(SourceError::Rejected { .. }) if wanted == Match::Ranked => {
                    is_refused = true;
                    continue;
                }
                page => page?,
            };
            // It is the field that is refused, and not the question, only where the same without it is answered.
            if is_refused {
                self.no_ranking.store(true, Ordering::Relaxed);
            }
            let base = self.transport.base(page.base);
            for hit in page.items.into_iter().filter_map(|row| row.into_hit(&base)) {
                if !hits.iter().any(|known| known.id == hit.id) {
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
    fn entities_are_read_and_other_ampersands_stay() {
        assert_eq!(
            plain("R&amp;D at AT&T, x &lt; y &hellip; &#8364;5 &#x41; &nope; a & b; c &nbsp;d"),
            "R&D at AT&T, x < y … €5 A &nope; a & b; c d"
        );
    }

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
