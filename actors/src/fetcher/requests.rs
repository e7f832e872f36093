//! The requests of a run as plain async functions: take a credit, send the message to the fetcher it belongs to, count,
//! wait out passing trouble.

use std::sync::Arc;
use std::time::Duration;

use domain::backoff::Backoff;
use domain::comments::{CommentPlace, SourceComment};
use domain::content::{
    Account, ContentFacts, ContentKind, ContentStatus, Person, SourceFile, SourcePage, Space,
};
use domain::ports::source::{
    Batch, CommentsQuery, ContentSource, Cursor, FactsQuery, ListQuery, Reach, SourceError,
};
use domain::{AccountId, Disposition, PageId, SpaceId, SpaceKey};
use tokio::sync::Semaphore;

use super::actor::Fetch;
use crate::counters::RunCounters;
use crate::credits::FetcherPool;
use crate::memory::{Held, TextMemory};
use crate::stop::{RunError, Stop};

/// How often a request is sent in all to fetchers that die. Passing trouble the client has met by itself, with tries and waits
/// of its own.
const TRIES: u32 = 3;
/// So many pauses longer than the client's patience are waited out for one request.
const PAUSES: u32 = 3;
/// A longer pause that the other side asks for ends the walk instead; the next run goes on. Quotas are refilled every hour.
const LONGEST_PAUSE: Duration = Duration::from_secs(3700);
/// Longer waits are told in the log.
const LONG: Duration = Duration::from_secs(60);

/// The way of one run to Confluence.
#[derive(Clone)]
pub(crate) struct Fetchers {
    source: Arc<dyn ContentSource>,
    pool: Arc<FetcherPool>,
    own: Arc<Semaphore>,
    texts: Arc<TextMemory>,
    counters: Arc<RunCounters>,
    stop: Stop,
}

impl Fetchers {
    pub(crate) const fn new(
        source: Arc<dyn ContentSource>,
        pool: Arc<FetcherPool>,
        own: Arc<Semaphore>,
        texts: Arc<TextMemory>,
        counters: Arc<RunCounters>,
        stop: Stop,
    ) -> Self {
        Self {
            source,
            pool,
            own,
            texts,
            counters,
            stop,
        }
    }

    pub(crate) async fn whoami(&self) -> Result<Account, RunError> {
        self.ask(|source| async move { source.whoami().await })
            .await
    }

    pub(crate) async fn spaces_by_id(&self, ids: &[SpaceId]) -> Result<Vec<Space>, RunError> {
        self.ask(|source| {
            let ids = ids.to_vec();
            async move { source.spaces_by_id(&ids).await }
        })
        .await
    }

    pub(crate) async fn spaces_by_key(&self, keys: &[SpaceKey]) -> Result<Vec<Space>, RunError> {
        self.ask(|source| {
            let keys = keys.to_vec();
            async move { source.spaces_by_key(&keys).await }
        })
        .await
    }

    /// One answer of a listing. Where it brings bodies, they may be in memory as long as the right to that is held.
    pub(crate) async fn list(
        &self,
        query: &ListQuery,
        cursor: Option<&Cursor>,
    ) -> Result<(Batch<SourcePage>, Held), RunError> {
        let most = query.bodies.unwrap_or(0);
        let listed = self.ask_times(TRIES, most, |source| {
            let (query, cursor) = (query.clone(), cursor.cloned());
            async move { source.list(&query, cursor.as_ref()).await }
        });
        let (batch, mut held) = listed.await?;
        held.shrink_to(bytes_of(&batch.items));
        Ok((batch, held))
    }

    /// Items by id, without bodies.
    pub(crate) async fn by_ids(
        &self,
        kind: ContentKind,
        ids: &[PageId],
        statuses: &'static [ContentStatus],
    ) -> Result<Vec<SourcePage>, RunError> {
        self.ask(|source| {
            let ids = ids.to_vec();
            async move { source.by_ids(kind, &ids, statuses, None).await }
        })
        .await
    }

    /// Items by id with their bodies, of at most so many bytes, and the right to have them in memory; tried once, since a batch that
    /// fails is halved rather than repeated.
    pub(crate) async fn bodies(
        &self,
        kind: ContentKind,
        ids: &[PageId],
        most: usize,
    ) -> Result<(Vec<SourcePage>, Held), RunError> {
        let asked = self.ask_times(1, most, |source| {
            let ids = ids.to_vec();
            let current = [ContentStatus::Current];
            async move { source.by_ids(kind, &ids, &current, Some(most)).await }
        });
        let (items, mut held) = asked.await?;
        held.shrink_to(bytes_of(&items));
        Ok((items, held))
    }

    pub(crate) async fn one(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<SourcePage>, RunError> {
        self.ask(|source| {
            let id = id.clone();
            async move { source.one(kind, &id).await }
        })
        .await
    }

    pub(crate) async fn facts(
        &self,
        query: &FactsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<ContentFacts>, RunError> {
        self.ask(|source| {
            let (query, cursor) = (query.clone(), cursor.cloned());
            async move { source.facts(&query, cursor.as_ref()).await }
        })
        .await
    }

    pub(crate) async fn facts_of(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<ContentFacts>, RunError> {
        self.ask(|source| {
            let id = id.clone();
            async move { source.facts_of(kind, &id).await }
        })
        .await
    }

    /// The rendered body of one page; tried once, since storage stands without it.
    pub(crate) async fn rendered(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<String>, RunError> {
        let asked = self.ask_times(1, 0, |source| {
            let id = id.clone();
            async move { source.rendered(kind, &id).await }
        });
        Ok(asked.await?.0)
    }

    pub(crate) async fn recent_comments(
        &self,
        place: CommentPlace,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, RunError> {
        self.ask(|source| {
            let cursor = cursor.cloned();
            async move { source.recent_comments(place, limit, cursor.as_ref()).await }
        })
        .await
    }

    pub(crate) async fn comments(
        &self,
        query: &CommentsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, RunError> {
        self.ask(|source| {
            let (query, cursor) = (query.clone(), cursor.cloned());
            async move { source.comments(&query, cursor.as_ref()).await }
        })
        .await
    }

    pub(crate) async fn comment(
        &self,
        place: CommentPlace,
        id: &PageId,
    ) -> Result<Option<SourceComment>, RunError> {
        self.ask(|source| {
            let id = id.clone();
            async move { source.comment(place, &id).await }
        })
        .await
    }

    pub(crate) async fn recent_files(
        &self,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, RunError> {
        self.ask(|source| {
            let cursor = cursor.cloned();
            async move { source.recent_files(limit, cursor.as_ref()).await }
        })
        .await
    }

    pub(crate) async fn files(
        &self,
        space: &SpaceKey,
        reach: Reach,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, RunError> {
        self.ask(|source| {
            let (space, cursor) = (space.clone(), cursor.cloned());
            async move { source.files(&space, reach, cursor.as_ref()).await }
        })
        .await
    }

    pub(crate) async fn file(&self, id: &PageId) -> Result<Option<SourceFile>, RunError> {
        self.ask(|source| {
            let id = id.clone();
            async move { source.file(&id).await }
        })
        .await
    }

    pub(crate) async fn download(
        &self,
        page: &PageId,
        file: &PageId,
        max_bytes: usize,
    ) -> Result<Vec<u8>, RunError> {
        self.ask(|source| {
            let (page, file) = (page.clone(), file.clone());
            async move { source.download(&page, &file, max_bytes).await }
        })
        .await
    }

    pub(crate) async fn people(&self, ids: &[AccountId]) -> Result<Vec<Person>, RunError> {
        self.ask(|source| {
            let ids = ids.to_vec();
            async move { source.people(&ids).await }
        })
        .await
    }

    async fn ask<T, F>(&self, request: impl Fn(Arc<dyn ContentSource>) -> F) -> Result<T, RunError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, SourceError>> + Send + 'static,
    {
        Ok(self.ask_times(TRIES, 0, request).await?.0)
    }

    /// Asks for an answer whose bodies have at most so many bytes. Room for them is taken before the credit: no fetcher waits for it.
    async fn ask_times<T, F>(
        &self,
        tries: u32,
        most: usize,
        request: impl Fn(Arc<dyn ContentSource>) -> F,
    ) -> Result<(T, Held), RunError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, SourceError>> + Send + 'static,
    {
        let (mut failures, mut pauses) = (0, 0);
        loop {
            let room = async {
                let held = self.texts.bodies.hold(most).await;
                (held, self.pool.lease(&self.own).await)
            };
            let (held, lease) = self.stop.unless_asked(room).await?;
            let mut died = false;
            let answer = match lease.fetcher() {
                Some(fetcher) => {
                    self.counters.request_to_confluence();
                    let request = Box::pin(request(Arc::clone(&self.source)));
                    let fetch = Fetch {
                        request,
                        lease,
                        held,
                    };
                    fetcher.send(fetch).await.unwrap_or_else(|_| {
                        died = true;
                        Err(fetcher_died())
                    })
                }
                None => {
                    died = true;
                    Err(fetcher_died())
                }
            };
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // The client has met passing trouble with its own tries and waits already; what is left to us is an actor that
            // died, and a pause longer than the client's patience.
            let wait = match (&error, error.disposition()) {
                (SourceError::RateLimited { .. }, Disposition::Retry { after })
                    if pauses < PAUSES && after <= LONGEST_PAUSE =>
                {
                    pauses += 1;
                    Backoff::REQUEST.wait(pauses, rand::random(), after)
                }
                (_, Disposition::Retry { after }) if died && failures + 1 < tries => {
                    failures += 1;
                    Backoff::REQUEST.wait(failures, rand::random(), after)
                }
                _ => return Err(RunError::Source(error)),
            };
            if wait > LONG {
                tracing::info!(%error, wait_s = wait.as_secs(), "the run waits");
            }
            self.stop.sleep(wait).await?;
        }
    }
}

fn bytes_of(items: &[SourcePage]) -> usize {
    let bodies = items.iter().filter_map(|item| item.body.as_ref());
    bodies.map(String::len).sum()
}

fn fetcher_died() -> SourceError {
    SourceError::Unavailable {
        what: "a request".to_owned(),
        detail: "the fetcher that worked on it ended".to_owned(),
    }
}
