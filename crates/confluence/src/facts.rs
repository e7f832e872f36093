//! Labels, own read restrictions and ancestors: in bulk by CQL, or of one item without the lag of search.
//!
//! `ancestors.restrictions…` is never expanded: one draft among the ancestors turns the whole answer into a 404.
//! Restrictions that did not come are [`Restriction::Unknown`], never open.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use domain::PageId;
use domain::content::{ContentFacts, ContentKind, Restriction};
use domain::ports::source::{Batch, Cursor, FactsQuery, MAX_BATCH, Reach, SourceError};
use serde::Deserialize;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::content::found;
use crate::cql;
use crate::endpoint;
use crate::restrictions::{Operation, Readers};
use crate::wire::{Text, kind_of};

/// Items of one bulk answer. Search caps answers with expansions at 200; half of that leaves room for long lists of users.
pub(crate) const FACTS_PER_ANSWER: usize = 100;
/// Five of the eight expansions that one request may have.
pub(crate) const EXPAND: &str = "metadata.labels,restrictions.read.restrictions.user,restrictions.read.restrictions.group,ancestors";

/// Which of [`cql::CONTAINERS`] the site answers to is not known yet.
pub(crate) const UNTRIED: usize = usize::MAX;

#[derive(Deserialize, Debug)]
struct Item {
    id: Text,
    #[serde(rename = "type")]
    kind: Option<String>,
    metadata: Option<Metadata>,
    restrictions: Option<Operations>,
    ancestors: Option<Vec<Ancestor>>,
}

#[derive(Deserialize, Debug)]
struct Metadata {
    labels: Option<Labels>,
}

#[derive(Deserialize, Debug)]
struct Labels {
    results: Option<Vec<Label>>,
}

/// A label of either generation.
#[derive(Deserialize, Debug)]
struct Label {
    name: Option<String>,
    prefix: Option<String>,
}

#[derive(Deserialize, Debug)]
struct Operations {
    read: Option<Operation>,
}

#[derive(Deserialize, Debug)]
struct Ancestor {
    id: Text,
}

/// Names of the labels that are for everyone: favourites and the like (`my:`) are of one reader only.
fn names(labels: impl IntoIterator<Item = Label>) -> Vec<String> {
    let shared = labels
        .into_iter()
        .filter(|label| label.prefix.as_deref() != Some("my"));
    let names: BTreeSet<String> = shared
        .filter_map(|label| label.name)
        .filter(|name| !name.is_empty())
        .collect();
    names.into_iter().collect()
}

impl Item {
    /// What it says, and whom its restriction names as far as the lists go.
    fn into_facts(self) -> (ContentFacts, Readers) {
        let kind = kind_of(self.kind.as_deref().unwrap_or_default());
        let labels = self
            .metadata
            .and_then(|metadata| metadata.labels)
            .and_then(|labels| labels.results);
        let read = self.restrictions.and_then(|operations| operations.read);
        let restriction = match (&labels, kind) {
            // An expansion was dropped; what else was dropped nobody knows.
            (None, ContentKind::Page | ContentKind::BlogPost) => Restriction::Unknown,
            _ => read
                .as_ref()
                .map_or(Restriction::Unknown, Operation::restriction),
        };
        let named = read.filter(|_| restriction == Restriction::Restricted);
        let facts = ContentFacts {
            id: PageId::new(self.id.0),
            kind,
            labels: names(labels.unwrap_or_default()),
            restriction,
            readers: Vec::new(),
            ancestors: self.ancestors.map(|list| {
                list.into_iter()
                    .map(|item| PageId::new(item.id.0))
                    .collect()
            }),
        };
        (facts, named.map(|read| read.readers()).unwrap_or_default())
    }
}

impl ConfluenceClient {
    pub(crate) async fn bulk_facts(
        &self,
        query: &FactsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<ContentFacts>, SourceError> {
        let (ids, reach) = match query {
            FactsQuery::Space(space, reach) => return self.facts_in(space, *reach, cursor).await,
            FactsQuery::Ids(ids, reach) => (ids, *reach),
        };
        if ids.len() > FACTS_PER_ANSWER {
            return Err(SourceError::Rejected {
                what: "labels and restrictions by id".to_owned(),
                detail: format!(
                    "{} ids are too many for one request; {FACTS_PER_ANSWER} at most",
                    ids.len()
                ),
            });
        }
        match cql::these(ids) {
            Some(cql) => self.found_by(&cql, reach, cursor).await,
            None => Ok(Batch {
                items: Vec::new(),
                next: None,
            }),
        }
    }

    /// Asks for containers too, for as many types of them as the site does not refuse.
    async fn facts_in(
        &self,
        space: &domain::SpaceKey,
        reach: Reach,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<ContentFacts>, SourceError> {
        let known = self.containers.load(Ordering::Relaxed);
        let mut choice = if known == UNTRIED { 0 } else { known };
        loop {
            let cql = cql::everything_in(space, cql::CONTAINERS[choice]);
            match self.found_by(&cql, reach, cursor).await {
                Ok(batch) => {
                    // Only now is it known that the types were what the site refused.
                    self.containers.store(choice, Ordering::Relaxed);
                    return Ok(batch);
                }
                Err(SourceError::Rejected { .. })
                    if known == UNTRIED && choice + 1 < cql::CONTAINERS.len() =>
                {
                    choice += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One answer, in smaller pieces where the site cannot make a large one. The size is found again step by step.
    async fn found_by(
        &self,
        cql: &str,
        reach: Reach,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<ContentFacts>, SourceError> {
        loop {
            let limit = self.facts_limit.load(Ordering::Relaxed);
            match self
                .searched::<Item>(reach, cql, EXPAND, limit, cursor)
                .await
            {
                Ok(page) => {
                    let larger = (limit * 2).min(FACTS_PER_ANSWER);
                    self.facts_limit.fetch_max(larger, Ordering::Relaxed);
                    let mut items = Vec::with_capacity(page.items.len());
                    for item in page.items {
                        let (mut facts, named) = item.into_facts();
                        facts.readers = self.all_readers(&facts.id, named).await?;
                        items.push(facts);
                    }
                    return Ok(Batch {
                        items,
                        next: page.next,
                    });
                }
                Err(SourceError::TooLarge { .. }) if limit > 1 => {
                    tracing::debug!(limit, "the site cannot make so large an answer of facts");
                    self.facts_limit
                        .fetch_min((limit / 4).max(1), Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) async fn own_facts(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<ContentFacts>, SourceError> {
        if !cql::is_number(id.as_str()) {
            return Ok(None);
        }
        let Some(operation) = found(self.restriction_of(id, 0).await)? else {
            return Ok(None);
        };
        let labels = match kind {
            ContentKind::Page => {
                self.labels(Call::new(&endpoint::PAGE_LABELS, &[id.as_str()]))
                    .await?
            }
            ContentKind::BlogPost => {
                self.labels(Call::new(&endpoint::BLOGPOST_LABELS, &[id.as_str()]))
                    .await?
            }
            ContentKind::Attachment | ContentKind::Container => Some(Vec::new()),
        };
        let Some(labels) = labels else {
            return Ok(None);
        };
        let restriction = operation.restriction();
        let readers = match restriction {
            Restriction::Restricted => self.all_readers(id, operation.readers()).await?,
            Restriction::Open | Restriction::Unknown => Vec::new(),
        };
        Ok(Some(ContentFacts {
            id: id.clone(),
            kind,
            labels,
            restriction,
            readers,
            ancestors: None,
        }))
    }

    async fn labels(&self, call: Call) -> Result<Option<Vec<String>>, SourceError> {
        let page = found(self.transport.all::<Label>(&call.limit(MAX_BATCH)).await)?;
        Ok(page.map(|page| names(page.items)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(json: &str) -> ContentFacts {
        serde_json::from_str::<Item>(json).unwrap().into_facts().0
    }

    #[test]
    fn only_what_is_known_to_be_restricted_names_readers() {
        let read = r#""restrictions":{"read":{"restrictions":{"user":{"results":[{"accountId":"a"}]},"group":{"results":[]}}}}"#;
        let named = |json: String| {
            let item: Item = serde_json::from_str(&json).unwrap();
            item.into_facts().1.named.len()
        };
        let labels = r#""metadata":{"labels":{"results":[]}}"#;
        assert_eq!(
            named(format!(r#"{{"id":"1","type":"page",{labels},{read}}}"#)),
            1
        );
        assert_eq!(named(format!(r#"{{"id":"1","type":"page",{read}}}"#)), 0);
    }

    #[test]
    fn restrictions_are_read_and_fail_closed() {
        let labels = r#""metadata":{"labels":{"results":[]}}"#;
        let subjects = |user: &str, group: &str| {
            format!(
                r#"{{"id":"1","type":"page",{labels},"restrictions":{{"read":{{"restrictions":{{{user}{group}}}}}}}}}"#
            )
        };
        let none = r#""user":{"results":[],"size":0},"#;
        let table = [
            (subjects(none, r#""group":{"results":[],"size":0}"#), Restriction::Open),
            (subjects(none, r#""group":{"results":[{"name":"eng"}],"size":1}"#), Restriction::Restricted),
            (subjects(r#""user":{"results":[{"accountId":"a"}]},"#, r#""group":{"results":[]}"#), Restriction::Restricted),
            (subjects(r#""user":{"results":[{"accountId":"a"}]}"#, ""), Restriction::Restricted),
            (subjects(none, r#""group":{"results":[],"size":2}"#), Restriction::Restricted),
            (subjects(r#""user":{"results":[],"size":0}"#, ""), Restriction::Unknown),
            (subjects(none, r#""group":{}"#), Restriction::Unknown),
            (subjects("", ""), Restriction::Unknown),
            (format!(r#"{{"id":"1","type":"page",{labels},"restrictions":{{"read":{{}}}}}}"#), Restriction::Unknown),
            (format!(r#"{{"id":"1","type":"page",{labels}}}"#), Restriction::Unknown),
            (r#"{"id":"1","type":"page","restrictions":{"read":{"restrictions":{"user":{"results":[]},"group":{"results":[]}}}}}"#.to_owned(), Restriction::Unknown),
            (r#"{"id":"1","type":"folder","restrictions":{"read":{"restrictions":{"user":{"results":[]},"group":{"results":[]}}}}}"#.to_owned(), Restriction::Open),
        ];
        for (json, want) in table {
            assert_eq!(facts(&json).restriction, want, "{json}");
        }
    }

    #[test]
    fn labels_are_sorted_shared_and_single() {
        let facts = facts(
            r#"{"id":7,"type":"whiteboard","ancestors":[{"id":"1","type":"page"},{"id":2}],
                "metadata":{"labels":{"results":[{"prefix":"global","name":"b"},{"prefix":"my","name":"favourite"},
                {"prefix":"global","name":"a"},{"prefix":"team","name":"a"},{"name":null}]}}}"#,
        );
        assert_eq!(facts.labels, ["a", "b"]);
        assert_eq!(facts.kind, ContentKind::Container);
        assert_eq!(
            facts.ancestors,
            Some(vec![PageId::from("1"), PageId::from("2")])
        );
    }
}
