//! Documents in, out and listed.

use std::collections::HashMap;

use domain::DocumentId;
use domain::document::{Document, keys};
use domain::index::Remote;
use domain::ports::retrieval::{BackendError, ItemOutcome, StoredDocument};
use futures_util::future::{join_all, try_join_all};
use reqwest::Method;
use serde_json::{Value, json};

use super::Pipelines;
use crate::answer::{Failure, blamed_items};
use crate::call::id_segment;

/// Documents on one page of the list. Their whole texts come with it.
const LIST_PAGE: u64 = 100;

fn to_wire(document: &Document) -> Value {
    json!({
        "id": document.id.as_str(),
        "text": document.text,
        "metadata": document.metadata,
        "excluded_embed_metadata_keys": keys::NOT_EMBEDDED,
        "excluded_llm_metadata_keys": [],
    })
}

impl Pipelines {
    /// Uploads documents. A document that the service finds wrong is told as refused and the others are sent again
    /// without it; where the service does not say which one it is, halves are tried.
    pub(crate) async fn upsert(
        &self,
        remote: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let mut outcomes: HashMap<usize, ItemOutcome> = HashMap::new();
        let mut open: Vec<Vec<usize>> = vec![(0..documents.len()).collect()];
        while let Some(batch) = open.pop() {
            if batch.is_empty() {
                continue;
            }
            match self.put(remote, documents, &batch).await {
                Ok(answer) => outcomes.extend(accepted(documents, &batch, &answer)),
                Err(Failure::Refused {
                    status: 400 | 422,
                    detail,
                    body,
                }) => {
                    let blamed: HashMap<usize, String> = blamed_items(&body).into_iter().collect();
                    let mut good = Vec::new();
                    for (position, at) in batch.iter().copied().enumerate() {
                        // A batch of one has nobody else to blame.
                        match blamed
                            .get(&position)
                            .or(Some(&detail).filter(|_| batch.len() == 1))
                        {
                            Some(reason) => {
                                let told =
                                    ItemOutcome::Refused(format!("the store refuses it: {reason}"));
                                outcomes.insert(at, told);
                            }
                            None => good.push(at),
                        }
                    }
                    if good.len() == batch.len() {
                        let (first, second) = good.split_at(good.len() / 2);
                        open.extend([first.to_vec(), second.to_vec()]);
                    } else {
                        open.push(good);
                    }
                }
                Err(Failure::Broken {
                    status: Some(500 | 502 | 504),
                    detail,
                }) if batch.len() > 1 => {
                    return Err(BackendError::TooLarge { detail });
                }
                Err(failure) => return Err(self.told(remote, failure)),
            }
        }
        let outcomes: Vec<ItemOutcome> = (0..documents.len())
            .map(|at| outcomes.remove(&at).unwrap_or(ItemOutcome::Accepted))
            .collect();
        let taken = documents
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| **outcome == ItemOutcome::Accepted);
        self.with_ingestion(remote, |ingestion| {
            taken.for_each(|(document, _)| ingestion.accepted(&document.id))
        });
        Ok(outcomes)
    }

    async fn put(
        &self,
        remote: &Remote,
        documents: &[Document],
        batch: &[usize],
    ) -> Result<Value, Failure> {
        let body: Vec<Value> = batch.iter().map(|at| to_wire(&documents[*at])).collect();
        self.http
            .send(
                &self
                    .below(Method::PUT, remote, ["documents"])
                    .json(&Value::Array(body)),
            )
            .await
    }

    /// Deletes one by one (the service has no other way), as many at once as the rate limiter lets through. When some fail,
    /// the first trouble is told and the ones that went through are deleted: asking again is safe.
    pub(crate) async fn delete(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let one = |id: &DocumentId| {
            let segment = id_segment(id.as_str());
            let call = self.below(Method::DELETE, remote, ["documents", segment.as_str()]);
            async move { self.http.send(&call).await }
        };
        let answers = join_all(ids.iter().map(one)).await;
        let mut missing = false;
        let mut outcomes = Vec::with_capacity(ids.len());
        for answer in answers {
            outcomes.push(match answer {
                Ok(_) => ItemOutcome::Accepted,
                Err(failure) if failure.is_not_found() => {
                    missing = true;
                    ItemOutcome::Accepted
                }
                Err(Failure::Refused {
                    status: 400 | 422,
                    detail,
                    ..
                }) => ItemOutcome::Refused(detail),
                Err(failure) => return Err(failure.at(self.http.host())),
            });
        }
        // 404 is said of a document and of a whole pipeline alike; one question tells which it was.
        if missing {
            self.http
                .send(&self.below(Method::GET, remote, ["status"]))
                .await
                .map_err(|failure| self.told(remote, failure))?;
        }
        self.with_ingestion(remote, |ingestion| {
            ids.iter().for_each(|id| ingestion.deleted(id))
        });
        Ok(outcomes)
    }

    /// One page of everything in the pipeline. Pages are windows of a list that moves up when documents vanish: the
    /// next one begins that much earlier, so that none is passed over.
    pub(crate) async fn list(
        &self,
        remote: &Remote,
        cursor: Option<&str>,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError> {
        let (skip, total_before) = cursor
            .and_then(Window::parse)
            .map_or((0, None), |at| (at.skip, Some(at.total)));
        let read = |skip: u64| {
            let call = self
                .below(Method::GET, remote, ["documents", "paginated"])
                .query("skip", skip)
                .query("limit", LIST_PAGE);
            async move {
                let answer = self
                    .http
                    .send(&call)
                    .await
                    .map_err(|failure| self.told(remote, failure))?;
                let documents = answer.get("documents").and_then(Value::as_array).cloned();
                let documents = documents.ok_or_else(|| BackendError::Unavailable {
                    detail: "a list of documents came without documents".to_owned(),
                })?;
                let total = answer.get("total_count").and_then(Value::as_u64);
                Ok::<_, BackendError>((documents, total))
            }
        };
        let (mut documents, mut total) = read(skip).await?;
        let vanished = total_before
            .zip(total)
            .map_or(0, |(before, now)| before.saturating_sub(now));
        let skip = skip.saturating_sub(vanished);
        if vanished > 0 {
            (documents, total) = read(skip).await?;
        }
        let end = skip + documents.len() as u64;
        let more = !documents.is_empty()
            && total.map_or(documents.len() as u64 == LIST_PAGE, |total| end < total);
        let next = more.then(|| {
            Window {
                skip: end,
                total: total.unwrap_or(0),
            }
            .to_string()
        });
        Ok((documents.iter().filter_map(to_stored).collect(), next))
    }

    /// Asks once for every document alike, and answers in the order of the ids.
    pub(super) async fn statuses(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<(DocumentId, Option<Value>)>, BackendError> {
        let one = |id: &DocumentId| {
            let segment = id_segment(id.as_str());
            let call = self.below(
                Method::GET,
                remote,
                ["documents", segment.as_str(), "status"],
            );
            let id = id.clone();
            async move {
                match self.http.send(&call).await {
                    Ok(status) => Ok((id, Some(status))),
                    Err(failure) if failure.is_not_found() => Ok((id, None)),
                    Err(failure) => Err(failure.at(self.http.host())),
                }
            }
        };
        try_join_all(ids.iter().map(one)).await
    }
}

/// A place in the paginated list, and how long the list was then.
struct Window {
    skip: u64,
    total: u64,
}

impl Window {
    fn parse(cursor: &str) -> Option<Self> {
        let (skip, total) = cursor.split_once('/')?;
        Some(Self {
            skip: skip.parse().ok()?,
            total: total.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.skip, self.total)
    }
}

/// The service answers with what it took. One that names documents and leaves some of ours out did not take those.
fn accepted(documents: &[Document], batch: &[usize], answer: &Value) -> Vec<(usize, ItemOutcome)> {
    let named: Vec<&str> = answer.as_array().map_or_else(Vec::new, |list| {
        list.iter()
            .filter_map(|document| document.get("id").and_then(Value::as_str))
            .collect()
    });
    let told = |at: usize| {
        if named.is_empty() || named.contains(&documents[at].id.as_str()) {
            ItemOutcome::Accepted
        } else {
            ItemOutcome::Refused("the store's answer does not name it".to_owned())
        }
    };
    batch.iter().map(|at| (*at, told(*at))).collect()
}

fn to_stored(document: &Value) -> Option<StoredDocument> {
    let of = |key: &str| {
        document
            .get("metadata")
            .and_then(|metadata| metadata.get(key))
            .and_then(Value::as_str)
    };
    Some(StoredDocument {
        id: DocumentId::new(document.get("id")?.as_str()?),
        hash: of(keys::HASH).map(str::to_owned),
        index: of(keys::INDEX).and_then(|index| index.parse().ok()),
    })
}
