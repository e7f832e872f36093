//! Confluence's own search, for the time when an index cannot answer. The account may see more than whoever asks the agent, so
//! every hit is judged by the same rules as a page of the index, and what is not known is left out.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::access::{Asker, View, Viewer};
use domain::answer::passes;
use domain::content::{ContentFacts, ContentKind, ContentStatus, LiveHit, Restriction};
use domain::index::space_named;
use domain::page::{Page, PageRecord, PageState};
use domain::ports::source::{FactsQuery, Reach};
use domain::query::{Filters, QueryResult, QueryTarget, ResultPage, RetrievalQuery};
use domain::scope::{Candidate, Place, place};
use domain::tree::join;
use domain::{PageId, SpaceKey};
use futures_util::future::join_all;

use super::Sources;
use super::quotable::Quotable;
use crate::EngineError;
use crate::index::run::reach_of;

/// Ids that one question for labels and restrictions names.
const IDS: usize = 100;
/// Items that search does not name (folders, what is newer than its index) and that are asked for one by one, at most.
const SINGLY: usize = 32;

/// Searches the index's spaces live, for so many hits at most.
pub(super) async fn search(
    sources: &Sources,
    (target, asker): (&QueryTarget, &Asker),
    query: &RetrievalQuery,
    limit: usize,
) -> Result<Vec<QueryResult>, EngineError> {
    let spaces: Vec<SpaceKey> = target
        .spaces
        .iter()
        .map(|space| space.present_key().clone())
        .filter(|key| query.filters.space.as_ref().is_none_or(|only| only == key))
        .collect();
    if spaces.is_empty() {
        return Ok(Vec::new());
    }
    let hits = sources
        .confluence
        .search_live(&query.text, &spaces, limit.min(IDS))
        .await?;
    let hits: Vec<LiveHit> = hits
        .into_iter()
        .filter_map(|hit| {
            // Search may name a renamed space by the key that people see.
            let space = space_named(&target.spaces, &hit.space_key)?;
            let space_key = space.present_key().clone();
            spaces
                .contains(&space_key)
                .then_some(LiveHit { space_key, ..hit })
        })
        .collect();
    let ids: Vec<PageId> = hits.iter().map(|hit| hit.id.clone()).collect();
    let judged = Judge::of(sources, (target, asker), &ids).await?;
    let count = hits.len().max(1);
    // The source knows better than the rows what is below a page.
    let others = Filters {
        under: None,
        readable: None,
        ..query.filters.clone()
    };
    let under = query.filters.under.as_ref();
    let is_under = |id: &PageId| {
        under.is_none_or(|under| under.holds(id) || judged.above(id).any(|id| under.holds(id)))
    };
    Ok(hits
        .into_iter()
        .enumerate()
        .filter_map(|(rank, hit)| {
            let page = judged.page(&hit)?;
            if !passes(&page, &others) || !is_under(&page.id) {
                return None;
            }
            #[expect(clippy::cast_precision_loss, reason = "a rank below a hundred")]
            let score = (count - rank) as f64 / count as f64;
            Some(QueryResult {
                text: hit.excerpt,
                score,
                page: ResultPage {
                    page,
                    section: None,
                    anchor: None,
                },
            })
        })
        .collect())
}

/// What is known of pages and of everything above them.
pub(super) struct Judge {
    rows: Quotable,
    facts: HashMap<PageId, ContentFacts>,
}

impl Judge {
    /// Asks the source for the pages, and for what stands above them as far as the rows do not know it.
    async fn of(
        sources: &Sources,
        whose: (&QueryTarget, &Asker),
        ids: &[PageId],
    ) -> Result<Self, EngineError> {
        Self::asking(sources, whose, ids, |record| {
            record.is_none_or(|record| record.restriction == Restriction::Unknown)
        })
        .await
    }

    /// Asks the source for the pages and for all that stands above them; the rows tell only what search does not name.
    pub(super) async fn afresh(
        sources: &Sources,
        whose: (&QueryTarget, &Asker),
        ids: &[PageId],
    ) -> Result<Self, EngineError> {
        Self::asking(sources, whose, ids, |_| true).await
    }

    async fn asking(
        sources: &Sources,
        whose: (&QueryTarget, &Asker),
        ids: &[PageId],
        wanted: impl Fn(Option<&PageRecord>) -> bool,
    ) -> Result<Self, EngineError> {
        let (target, asker) = whose;
        let reach = reach_of(&target.spaces);
        let mut facts = ask(sources, ids, reach).await?;
        let above: HashSet<PageId> = facts
            .values()
            .flat_map(|facts| facts.ancestors.iter().flatten())
            .filter(|id| !facts.contains_key(*id))
            .cloned()
            .collect();
        let above: Vec<PageId> = above.into_iter().collect();
        let mut rows: Vec<PageId> = ids.to_vec();
        rows.extend(above.iter().cloned());
        let rows = Quotable::read(sources, (target.id, asker), rows).await?;
        let unknown: Vec<PageId> = above
            .into_iter()
            .filter(|id| wanted(rows.record(id)))
            .collect();
        facts.extend(ask(sources, &unknown, reach).await?);
        Ok(Self { rows, facts })
    }

    /// Asks one by one for what search did not name of what stands above the pages.
    pub(super) async fn ask_for_the_rest(&mut self, sources: &Sources) {
        let above = self.facts.values().flat_map(|facts| &facts.ancestors);
        let missing: BTreeSet<&PageId> = above
            .flatten()
            .filter(|id| !self.facts.contains_key(*id))
            .collect();
        let asked = missing.into_iter().take(SINGLY).map(|id| {
            let kind = self.rows.record(id).map(|record| record.kind);
            sources
                .confluence
                .facts_of(kind.unwrap_or(ContentKind::Page), id)
        });
        for answer in join_all(asked).await {
            match answer {
                Ok(Some(facts)) => _ = self.facts.insert(facts.id.clone(), facts),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "who may read an item could not be asked; what stands below it stays out");
                }
            }
        }
    }

    /// What stands above a page, as far as the source has said so.
    fn above(&self, id: &PageId) -> impl Iterator<Item = &PageId> {
        let facts = self.facts.get(id);
        facts
            .and_then(|facts| facts.ancestors.as_ref())
            .into_iter()
            .flatten()
    }

    /// Whether the source has said now, of the page and of all that stands above it, that the reader may read it.
    pub(super) fn is_open(&self, id: &PageId) -> bool {
        let is_open = |id: &PageId| {
            let facts = self.facts.get(id);
            facts.filter(|facts| self.rows.viewer.meets(id, facts.restriction) == Restriction::Open)
        };
        is_open(id).is_some_and(|facts| match &facts.ancestors {
            Some(above) => above.iter().all(|id| is_open(id).is_some()),
            None => facts.kind == ContentKind::BlogPost,
        })
    }

    /// What stands in the way of the reader at one item.
    fn restriction_of(&self, id: &PageId) -> Restriction {
        let own = match self.facts.get(id) {
            Some(facts) => facts.restriction,
            None => {
                let record = self.rows.record(id);
                record.map_or(Restriction::Unknown, |record| record.restriction)
            }
        };
        self.rows.viewer.meets(id, own)
    }

    /// Who may read a page: its own restriction joined with those of all that stands above it. What stands above a page that
    /// search does not name is not known.
    pub(super) fn restriction(&self, id: &PageId) -> Restriction {
        let own = self.restriction_of(id);
        let facts = self.facts.get(id);
        match facts.and_then(|facts| facts.ancestors.as_ref()) {
            None => join(own, Restriction::Unknown),
            Some(above) => above
                .iter()
                .map(|id| self.restriction_of(id))
                .fold(own, join),
        }
    }

    /// Whether restrictions do not count, since the administrator vouches for everyone who asks.
    fn vouched_for(&self) -> bool {
        matches!(self.rows.viewer, Viewer::Everyone { guarded: true })
    }

    /// The hit as a page, if the index would hold it and the reader may read it.
    fn page(&self, hit: &LiveHit) -> Option<Page> {
        let settings = &self.rows.target.settings;
        let record = self.rows.record(&hit.id);
        let mut spaces = self.rows.target.spaces.iter();
        let space = spaces.find(|space| *space.present_key() == hit.space_key)?;
        let view = self.rows.viewer.view();
        let sees = |view: &View| space.id.as_ref().is_some_and(|id| view.sees_space(id));
        if !view.is_none_or(sees) {
            return None;
        }
        let hidden = record.is_some_and(|record| {
            matches!(
                record.state(),
                PageState::Vanishing | PageState::Removed | PageState::Skipped
            )
        });
        let wrong_kind = match hit.kind {
            ContentKind::Page => false,
            ContentKind::BlogPost => !settings.include_blog_posts,
            ContentKind::Attachment | ContentKind::Container => true,
        };
        if hidden || wrong_kind {
            return None;
        }
        let facts = self.facts.get(&hit.id);
        let ancestors: Option<&[PageId]> = match hit.kind {
            ContentKind::BlogPost => Some(&[]),
            _ => facts.and_then(|facts| facts.ancestors.as_deref()),
        };
        let restriction = match (self.vouched_for(), ancestors) {
            (true, _) => Restriction::Open,
            (false, None) => Restriction::Unknown,
            (false, Some(above)) => above
                .iter()
                .map(|id| self.restriction_of(id))
                .fold(self.restriction_of(&hit.id), join),
        };
        if view.is_some() && restriction != Restriction::Open {
            return None;
        }
        let roots = &settings.root_page_ids;
        let under_root = roots.is_empty()
            || roots.iter().any(|root| {
                root == hit.id.as_str()
                    || ancestors
                        .unwrap_or_default()
                        .iter()
                        .any(|above| above.as_str() == root)
            });
        let candidate = Candidate {
            status: ContentStatus::Current,
            labels: facts.map(|facts| facts.labels.as_slice()),
            restriction,
            under_root,
        };
        if place(settings, &candidate) != Place::In {
            return None;
        }
        Some(match record {
            Some(record) => newest(record.to_page(hit.space_key.clone()), hit),
            None => Page {
                id: hit.id.clone(),
                kind: hit.kind,
                title: hit.title.clone(),
                url: hit.url.clone(),
                space_key: hit.space_key.clone(),
                version: hit.version.unwrap_or_default(),
                last_modified: hit.modified.unwrap_or_default(),
                labels: facts.map(|facts| facts.labels.clone()).unwrap_or_default(),
                breadcrumb: Vec::new(),
                state: PageState::Pending,
                reason: None,
                attempts: 0,
                next_try_at: None,
            },
        })
    }
}

/// The page as the hit shows it, where that is newer than the row.
fn newest(page: Page, hit: &LiveHit) -> Page {
    match (hit.version, hit.modified) {
        (Some(version), Some(modified)) if version > page.version => Page {
            title: hit.title.clone(),
            url: hit.url.clone(),
            version,
            last_modified: modified,
            ..page
        },
        _ => page,
    }
}

async fn ask(
    sources: &Sources,
    ids: &[PageId],
    reach: Reach,
) -> Result<HashMap<PageId, ContentFacts>, EngineError> {
    let mut facts = HashMap::new();
    for ids in ids.chunks(IDS) {
        let mut cursor = None;
        loop {
            let query = FactsQuery::Ids(ids.to_vec(), reach);
            let answer = sources.confluence.facts(&query, cursor.as_ref()).await?;
            let last = answer.next.is_none() || answer.items.is_empty();
            facts.extend(answer.items.into_iter().map(|item| (item.id.clone(), item)));
            if last || answer.next == cursor {
                break;
            }
            cursor = answer.next;
        }
    }
    Ok(facts)
}
