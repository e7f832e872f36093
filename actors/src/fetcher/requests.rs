//! The requests of a run as plain async functions: take a credit, send the message to the fetcher it belongs to, count,
//! wait out passing trouble.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use domain::access::{Grantee, Member};
use domain::backoff::Backoff;
use domain::comments::{CommentPlace, SourceComment};
use domain::content::{
    Account, ContentFacts, ContentKind, ContentStatus, Person, SourceFile, SourcePage, Space,
};
use domain::ports::source::{
    Audited, Batch, CommentsQuery, ContentSource, Cursor, FactsQuery, ListQuery, Reach, SourceError,
};
use domain::{AccountId, Disposition, GroupId, PageId, SpaceId, SpaceKey, Timestamp};
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

    /// Who may use a space.
    pub(crate) async fn space_readers(
        &self,
        space: &SpaceId,
    ) -> Result<BTreeSet<Grantee>, RunError> {
        self.ask(|source| {
            let space = space.clone();
            async move { source.space_readers(&space).await }
        })
        .await
    }

    /// Everybody in a group.
    pub(crate) async fn group_members(&self, group: &GroupId) -> Result<Vec<Member>, RunError> {
        self.ask(|source| {
            let group = group.clone();
            async move { source.group_members(&group).await }
        })
        .await
    }

    /// What the audit log holds since a moment.
    pub(crate) async fn audited(&self, since: Timestamp) -> Result<Vec<Audited>, RunError> {
        self.ask(|source| async move { source.audited(since).await })
            .await
    }

    /// Which of some accounts may not use the site any more.
    pub(crate) async fn closed_accounts(
        &self,
        ids: &[AccountId],
    ) -> Result<HashSet<AccountId>, RunError> {
        self.ask(|source| {
            let ids = ids.to_vec();
            async move { source.closed_accounts(&ids).await }
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

/// Questions that are passed on as they are. What they name is copied, since a fetcher may outlive who asked: what is borrowed
/// (`ref`), what may be (`opt`), and what is copied anyway (`val`).
macro_rules! questions {
    ($($name:ident($($how:ident $argument:ident: $given:ty),*) -> $answer:ty;)+) => {
        impl Fetchers {
            $(pub(crate) async fn $name(&self $(, $argument: $given)*) -> Result<$answer, RunError> {
                self.ask(|source| {
                    $(let $argument = questions!(@keep $how $argument);)*
                    async move { source.$name($(questions!(@lend $how $argument)),*).await }
                })
                .await
            })+
        }
    };
    (@keep ref $argument:ident) => { $argument.to_owned() };
    (@lend ref $argument:ident) => { &$argument };
    (@keep opt $argument:ident) => { $argument.cloned() };
    (@lend opt $argument:ident) => { $argument.as_ref() };
    (@keep val $argument:ident) => { $argument };
    (@lend val $argument:ident) => { $argument };
}

questions! {
    whoami() -> Account;
    spaces_by_id(ref ids: &[SpaceId]) -> Vec<Space>;
    spaces_by_key(ref keys: &[SpaceKey]) -> Vec<Space>;
    one(val kind: ContentKind, ref id: &PageId) -> Option<SourcePage>;
    facts(ref query: &FactsQuery, opt cursor: Option<&Cursor>) -> Batch<ContentFacts>;
    facts_of(val kind: ContentKind, ref id: &PageId) -> Option<ContentFacts>;
    recent_comments(val place: CommentPlace, val limit: usize, opt cursor: Option<&Cursor>) -> Batch<SourceComment>;
    comments(ref query: &CommentsQuery, opt cursor: Option<&Cursor>) -> Batch<SourceComment>;
    comment(val place: CommentPlace, ref id: &PageId) -> Option<SourceComment>;
    recent_files(val limit: usize, opt cursor: Option<&Cursor>) -> Batch<SourceFile>;
    files(ref space: &SpaceKey, val reach: Reach, opt cursor: Option<&Cursor>) -> Batch<SourceFile>;
    file(ref id: &PageId) -> Option<SourceFile>;
    download(ref page: &PageId, ref file: &PageId, val max_bytes: usize) -> Vec<u8>;
    people(ref ids: &[AccountId]) -> Vec<Person>;
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
