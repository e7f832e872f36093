//! The simulated Confluence as the engine meets it: through the real client, while the test's clock stands still.
//!
//! It tells each request in words, and makes those go wrong that a test names. How Confluence behaves only the simulator knows.

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use confluence::{ConfluenceClient, ConfluenceConfig};
use domain::access::{Grantee, Member};
use domain::comments::{CommentPlace, SourceComment};
use domain::content::{
    Account, ContentFacts, ContentKind, ContentStatus, LiveHit, Person, SourceFile, SourcePage,
    Space,
};
use domain::ports::source::{
    AccessCheck, AccessNeeds, Audited, Batch, CommentsQuery, ContentSource, Cursor, FactsQuery,
    ListQuery, Reach, SourceError, SourceHealth,
};
use domain::ports::store::AdminStore;
use domain::{AccountId, GroupId, PageId, SpaceId, SpaceKey, Timestamp};
use simulators::Clock;
use simulators::confluence::{Account as SimAccount, ConfluenceSim, ContentId, Orphans, Site};
use tokio::runtime::Runtime;

use super::TestClock;
use super::requests::{Fault, InFlight, Requests};

/// The time of the clients: the machine's own.
static CLIENTS: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// An account that is not the engine's.
const SOMEBODY: &str = "557058:somebody";

#[derive(Clone)]
pub struct SimulatedSource {
    sim: Arc<ConfluenceSim>,
    client: Arc<ConfluenceClient>,
    requests: Arc<Mutex<Requests>>,
    clock: TestClock,
}

/// The site, in the test's time.
impl Deref for SimulatedSource {
    type Target = Site;

    fn deref(&self) -> &Site {
        self.sim().site()
    }
}

impl SimulatedSource {
    pub fn new(clock: TestClock) -> Self {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let sim = ConfluenceSim::builder()
            .clock(Clock::manual(clock.true_now()))
            .public_url("https://wiki.example")
            .account(SimAccount::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin())
            .start_blocking()
            .unwrap();
        sim.switches(|switches| {
            switches.orphans = Orphans::Stay;
            switches.restore_bumps_version = false;
        });
        // At the gateway, so that addresses for people are the site's own.
        let base = sim.gateway_url().parse().unwrap();
        let token = ConfluenceSim::TOKEN.to_owned().into();
        let config = ConfluenceConfig {
            max_requests_per_second: 100_000,
            ..ConfluenceConfig::new(base, ConfluenceSim::EMAIL, token)
        };
        Self {
            client: Arc::new(ConfluenceClient::new(&config).unwrap()),
            sim: Arc::new(sim),
            requests: Arc::default(),
            clock,
        }
    }

    pub fn with<T>(&self, change: impl FnOnce(&mut Requests) -> T) -> T {
        change(&mut self.requests.lock().unwrap())
    }

    /// The simulator, in the test's time.
    pub fn sim(&self) -> &ConfluenceSim {
        self.sim.site().clock().set(self.clock.true_now());
        &self.sim
    }

    /// A space without a home page.
    pub fn space(&self, key: &str) {
        self.add_space(key, &format!("Space {key}"));
        self.purge(self.homepage(key));
    }

    /// Search knows something not yet, or it does.
    pub fn lag(&self, id: ContentId, lags: bool) {
        self.with(|requests| match lags {
            true => requests.lagging.insert(id),
            false => requests.lagging.remove(&id),
        });
    }

    /// Restricts a page to the account.
    pub fn close(&self, id: ContentId) {
        self.unrestrict(id);
        self.restrict_to_user(id, &self.sim.account_id());
    }

    /// Restricts a page to somebody else.
    pub fn hide(&self, id: ContentId) {
        self.unrestrict(id);
        self.restrict_to_user(id, SOMEBODY);
    }

    /// The next `times` requests whose words contain `what` go wrong.
    pub fn fail(&self, what: &str, times: usize, fault: Fault) {
        self.with(|requests| requests.faults.push_back((what.to_owned(), times, fault)));
    }

    pub fn heal(&self) {
        self.with(|requests| requests.faults.clear());
    }

    /// Requests since the last call.
    pub fn take_log(&self) -> Vec<String> {
        self.with(|requests| std::mem::take(&mut requests.log))
    }

    /// A request in words; whether its answer is the true one, not an empty one.
    async fn request(&self, words: String) -> Result<bool, SourceError> {
        let (latency, fault) = self.with(|requests| {
            requests.log.push(words.clone());
            let mut faults = requests.faults.iter_mut();
            let fault = faults.find(|(what, left, _)| *left > 0 && words.contains(what.as_str()));
            let fault = fault.map(|(_, left, fault)| {
                *left -= 1;
                fault.clone()
            });
            (requests.latency, fault)
        });
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match fault {
            None => Ok(true),
            Some(Fault::Empty) => Ok(false),
            Some(fault) => Err(fault.of(words)),
        }
    }

    /// What the client answers, or nothing where that is the fault.
    async fn ask<T: Send>(
        &self,
        words: String,
        nothing: T,
        answer: impl Future<Output = Result<T, SourceError>> + Send,
    ) -> Result<T, SourceError> {
        match self.request(words).await? {
            true => self.answer(answer),
            false => Ok(nothing),
        }
    }

    /// The client's answer. It comes in no time: this thread waits for it, and with it the test's clock.
    fn answer<T: Send>(&self, answer: impl Future<Output = T> + Send) -> T {
        self.sim();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| CLIENTS.block_on(answer));
            waiting.join().unwrap()
        })
    }

    fn refuse(&self, ids: &[PageId], words: &str) -> Result<(), SourceError> {
        self.with(|requests| {
            let refused = |id| requests.refused.get(&number(id));
            match ids.iter().find_map(refused) {
                Some(fault) => Err(fault.of(words.to_owned())),
                None => Ok(()),
            }
        })
    }

    /// Gives these with their bodies, if none of them is poison.
    fn with_bodies(&self, items: &[SourcePage], what: String) -> Result<(), SourceError> {
        self.with(|requests| {
            if items
                .iter()
                .any(|i| requests.poison.contains(&number(&i.id)))
            {
                let detail = "a poison page".to_owned();
                return Err(SourceError::TooLarge { what, detail });
            }
            if let Some(counts) = &mut requests.in_flight {
                let bodies = items.iter().filter_map(|item| item.body.as_ref());
                counts.answered += bodies.map(String::len).sum::<usize>();
            }
            Ok(())
        })
    }

    /// Takes out what search does not name.
    fn leave_out<T>(&self, items: &mut Vec<T>, id: impl Fn(&T) -> &PageId) {
        self.with(|requests| items.retain(|item| !requests.lagging.contains(&number(id(item)))));
    }

    /// A request for bodies begins.
    async fn promise(&self, most: Option<usize>) -> Option<Promise<'_>> {
        let most = most?;
        let (store, asked) = self.with(|requests| {
            let counts = requests.in_flight.as_mut()?;
            counts.promised += most;
            Some((Arc::clone(&counts.store), counts.promised + counts.answered))
        })?;
        let promise = Promise { site: self, most };
        // Read behind the others: no body is counted that is written already.
        let written = store.disk_use().await.unwrap().bodies;
        self.with(|requests| {
            let counts = requests.in_flight.as_mut().unwrap();
            let written = usize::try_from(written - counts.before).unwrap();
            let now = asked.saturating_sub(written * counts.body);
            counts.most = counts.most.max(now);
        });
        Some(promise)
    }
}

/// A request for bodies under way.
struct Promise<'a> {
    site: &'a SimulatedSource,
    most: usize,
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        let counted = |counts: &mut InFlight| counts.promised -= self.most;
        self.site
            .with(|requests| requests.in_flight.as_mut().map(counted));
    }
}

/// The number in an id; attachments have letters before it.
fn number(id: &PageId) -> ContentId {
    ContentId(id.as_str().trim_start_matches("att").parse().unwrap())
}

fn nothing<T>() -> Batch<T> {
    Batch {
        items: Vec::new(),
        next: None,
    }
}

#[async_trait]
impl ContentSource for SimulatedSource {
    async fn whoami(&self) -> Result<Account, SourceError> {
        self.request("whoami".to_owned()).await?;
        self.answer(self.client.whoami())
    }

    async fn access(&self, _: AccessNeeds, _: Option<&AccountId>) -> Vec<AccessCheck> {
        unreachable!("the engine never checks access")
    }

    async fn spaces_by_key(&self, keys: &[SpaceKey]) -> Result<Vec<Space>, SourceError> {
        let words = "spaces by key".to_owned();
        self.ask(words, Vec::new(), self.client.spaces_by_key(keys))
            .await
    }

    async fn spaces_by_id(&self, ids: &[SpaceId]) -> Result<Vec<Space>, SourceError> {
        let words = "spaces by id".to_owned();
        self.ask(words, Vec::new(), self.client.spaces_by_id(ids))
            .await
    }

    async fn visible_spaces(&self) -> Result<Vec<Space>, SourceError> {
        let words = "visible spaces".to_owned();
        self.ask(words, Vec::new(), self.client.visible_spaces())
            .await
    }

    async fn list(
        &self,
        query: &ListQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourcePage>, SourceError> {
        const AGAIN: &str = "again";
        let spaces: Vec<&str> = query.spaces.iter().map(SpaceId::as_str).collect();
        let words = format!(
            "list {} {:?} bodies={} limit={} {}",
            query.kind.as_str(),
            query.order,
            query.bodies.is_some(),
            query.limit,
            spaces.join(",")
        );
        let _promise = self.promise(query.bodies).await;
        if !self.request(words.clone()).await? {
            return Ok(nothing());
        }
        let limit = self.with(|requests| requests.listing_limit);
        let query = ListQuery {
            limit: query.limit.min(limit.unwrap_or(query.limit)),
            ..query.clone()
        };
        let cursor = cursor.filter(|cursor| !cursor.0.starts_with(AGAIN));
        let mut batch = self.answer(self.client.list(&query, cursor))?;
        self.with(|requests| {
            if requests.endless && batch.next.is_none() {
                requests.turns += 1;
                batch.next = Some(Cursor(format!("{AGAIN} {}", requests.turns)));
            }
        });
        if query.bodies.is_some() {
            self.with_bodies(&batch.items, words)?;
        }
        Ok(batch)
    }

    async fn by_ids(
        &self,
        kind: ContentKind,
        ids: &[PageId],
        statuses: &[ContentStatus],
        bodies: Option<usize>,
    ) -> Result<Vec<SourcePage>, SourceError> {
        let words = format!(
            "by ids {} bodies={} {}",
            kind.as_str(),
            bodies.is_some(),
            ids.len()
        );
        let _promise = self.promise(bodies).await;
        let any = self.request(words.clone()).await?;
        self.refuse(ids, &words)?;
        if !any {
            return Ok(Vec::new());
        }
        let found = self.answer(self.client.by_ids(kind, ids, statuses, bodies))?;
        if bodies.is_some() {
            self.with_bodies(&found, words)?;
        }
        Ok(found)
    }

    async fn one(&self, kind: ContentKind, id: &PageId) -> Result<Option<SourcePage>, SourceError> {
        let words = format!("one {} {id}", kind.as_str());
        let any = self.request(words.clone()).await?;
        self.refuse(std::slice::from_ref(id), &words)?;
        if !any {
            return Ok(None);
        }
        self.answer(self.client.one(kind, id))
    }

    async fn facts(
        &self,
        query: &FactsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<ContentFacts>, SourceError> {
        let words = match query {
            FactsQuery::Space(key, _) => format!("facts of space {key}"),
            FactsQuery::Ids(ids, _) => format!("facts of ids {}", ids.len()),
        };
        let mut batch = self
            .ask(words, nothing(), self.client.facts(query, cursor))
            .await?;
        self.leave_out(&mut batch.items, |facts| &facts.id);
        self.with(|requests| {
            batch.items.retain(|facts| {
                let folder = facts.kind == ContentKind::Container;
                !(folder && requests.folders_unnamed
                    || requests.unseen.contains(&number(&facts.id)))
            });
        });
        Ok(batch)
    }

    async fn facts_of(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<ContentFacts>, SourceError> {
        let words = format!("facts of one {} {id}", kind.as_str());
        let any = self.request(words).await?;
        if !any || self.with(|requests| requests.unseen.contains(&number(id))) {
            return Ok(None);
        }
        self.answer(self.client.facts_of(kind, id))
    }

    async fn recent_comments(
        &self,
        place: CommentPlace,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError> {
        let words = format!("newest {} comments limit={limit}", place.as_str());
        self.ask(
            words,
            nothing(),
            self.client.recent_comments(place, limit, cursor),
        )
        .await
    }

    async fn comments(
        &self,
        query: &CommentsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError> {
        let words = match query {
            CommentsQuery::Space { key, bodies, .. } => {
                format!("comments of space {key} bodies={bodies}")
            }
            CommentsQuery::Ids(ids, _) => format!("comments of ids {}", ids.len()),
        };
        let mut batch = self
            .ask(words, nothing(), self.client.comments(query, cursor))
            .await?;
        self.leave_out(&mut batch.items, |comment| &comment.id);
        Ok(batch)
    }

    async fn comment(
        &self,
        place: CommentPlace,
        id: &PageId,
    ) -> Result<Option<SourceComment>, SourceError> {
        let words = format!("one {} comment {id}", place.as_str());
        self.ask(words, None, self.client.comment(place, id)).await
    }

    async fn recent_files(
        &self,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError> {
        let words = format!("newest files limit={limit}");
        self.ask(words, nothing(), self.client.recent_files(limit, cursor))
            .await
    }

    async fn files(
        &self,
        space: &SpaceKey,
        reach: Reach,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError> {
        let words = format!("files of space {space}");
        let mut batch = self
            .ask(words, nothing(), self.client.files(space, reach, cursor))
            .await?;
        self.leave_out(&mut batch.items, |file| &file.id);
        Ok(batch)
    }

    async fn file(&self, id: &PageId) -> Result<Option<SourceFile>, SourceError> {
        let words = format!("one file {id}");
        self.ask(words, None, self.client.file(id)).await
    }

    async fn download(
        &self,
        page: &PageId,
        file: &PageId,
        max_bytes: usize,
    ) -> Result<Vec<u8>, SourceError> {
        self.request(format!("download {file}")).await?;
        self.answer(self.client.download(page, file, max_bytes))
    }

    async fn people(&self, ids: &[AccountId]) -> Result<Vec<Person>, SourceError> {
        self.request(format!("people {}", ids.len())).await?;
        self.answer(self.client.people(ids))
    }

    async fn space_readers(&self, space: &SpaceId) -> Result<BTreeSet<Grantee>, SourceError> {
        self.request(format!("readers of {space}")).await?;
        self.answer(self.client.space_readers(space))
    }

    async fn group_members(&self, group: &GroupId) -> Result<Vec<Member>, SourceError> {
        self.request(format!("members of {group}")).await?;
        self.answer(self.client.group_members(group))
    }

    async fn audited(&self, since: Timestamp) -> Result<Vec<Audited>, SourceError> {
        self.request("audited".to_owned()).await?;
        self.answer(self.client.audited(since))
    }

    async fn closed_accounts(&self, ids: &[AccountId]) -> Result<HashSet<AccountId>, SourceError> {
        self.request(format!("closed of {}", ids.len())).await?;
        self.answer(self.client.closed_accounts(ids))
    }

    async fn may_read(&self, person: &AccountId, item: &PageId) -> Result<bool, SourceError> {
        self.request(format!("may {person} read {item}")).await?;
        self.answer(self.client.may_read(person, item))
    }

    async fn rendered(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<String>, SourceError> {
        let words = format!("rendered {} {id}", kind.as_str());
        self.request(words).await?;
        Ok(self.with(|requests| requests.rendered.get(&number(id)).cloned()))
    }

    async fn search_live(
        &self,
        words: &str,
        spaces: &[SpaceKey],
        limit: usize,
    ) -> Result<Vec<LiveHit>, SourceError> {
        let hits = self.client.search_live(words, spaces, limit);
        self.ask(format!("search {words}"), Vec::new(), hits).await
    }

    fn health(&self) -> SourceHealth {
        SourceHealth::default()
    }
}
