//! A Confluence in memory: spaces, a tree of pages and folders, labels, restrictions, what the account may see, and faults.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::access::{Grantee, Member};
use domain::comments::{CommentPlace, SourceComment};
use domain::content::{
    Account, ContentFacts, ContentKind, ContentStatus, LiveHit, Person, Restriction, SourceFile,
    SourcePage, Space,
};
use domain::ports::source::{
    AccessCheck, AccessNeeds, Batch, CommentsQuery, ContentSource, Cursor, FactsQuery, ListOrder,
    ListQuery, Reach, SourceError, SourceHealth,
};
use domain::ports::store::AdminStore;
use domain::{AccountId, GroupId, PageId, SpaceId, SpaceKey, Timestamp};
use metastore::Metastore;

use super::TestClock;
use super::comments::{self, FakeComment};
use super::files::{self, FakeFile};

#[derive(Clone, Debug)]
pub struct FakePage {
    pub id: u64,
    pub kind: ContentKind,
    pub status: ContentStatus,
    pub title: String,
    pub space: String,
    pub parent: Option<u64>,
    pub version: i32,
    pub modified: Timestamp,
    pub body: String,
    pub labels: Vec<String>,
    pub restricted: bool,
    /// Restricted so that the account itself does not see it.
    pub hidden: bool,
    /// Search does not know it yet.
    pub lags: bool,
}

#[derive(Clone, Debug)]
pub struct FakeSpace {
    pub key: String,
    pub name: String,
    pub archived: bool,
    pub visible: bool,
}

/// What goes wrong with the next matching requests.
#[derive(Clone, Debug)]
pub enum Fault {
    Unavailable,
    TooLarge,
    BadCursor,
    NotFound,
    Forbidden,
    Unauthorized,
    Withdrawn,
    RateLimited(u64),
    Panic,
    /// An answer without items and without a next one, as if there were nothing.
    Empty,
}

#[derive(Default)]
pub struct Site {
    pub spaces: BTreeMap<String, FakeSpace>,
    pub pages: BTreeMap<u64, FakePage>,
    pub comments: BTreeMap<u64, FakeComment>,
    pub files: BTreeMap<u64, FakeFile>,
    next_id: u64,
    /// Requests made, in words.
    pub log: Vec<String>,
    faults: VecDeque<(String, usize, Fault)>,
    /// Rendered forms of pages; of others there is none.
    pub rendered: HashMap<u64, String>,
    /// Bodies of these cannot be had.
    pub poison: HashSet<u64>,
    /// Answers name these without their bodies.
    pub bodiless: HashSet<u64>,
    /// A question by id that names one of these goes wrong.
    pub refused: HashMap<u64, Fault>,
    /// Folders that answer 404 although pages stand in them, and that search does not name.
    pub unseen: HashSet<u64>,
    /// Whether search names folders.
    pub search_names_folders: bool,
    pub latency: Duration,
    /// Items in one answer of search.
    pub facts_limit: usize,
    /// Listings answer no more items at once than this, whatever is asked for.
    pub listing_limit: usize,
    /// Listings name a next answer behind the last, which leads to the beginning under a cursor never seen before.
    pub endless: bool,
    turns: i64,
    /// Counts the bodies that are in memory, where a test wants that.
    pub in_flight: Option<InFlight>,
}

/// Bodies that were asked for or answered and are not written yet, all of one size.
pub struct InFlight {
    store: Arc<Metastore>,
    body: usize,
    /// Bodies that were there before.
    before: i64,
    /// What the answers to the requests under way may have.
    promised: usize,
    answered: usize,
    /// The most at once.
    pub most: usize,
}

impl InFlight {
    pub async fn of(store: &Arc<Metastore>, body: usize) -> Self {
        Self {
            store: Arc::clone(store),
            body,
            before: store.disk_use().await.unwrap().bodies,
            promised: 0,
            answered: 0,
            most: 0,
        }
    }
}

#[derive(Clone)]
pub struct FakeConfluence {
    pub site: Arc<Mutex<Site>>,
    clock: TestClock,
}

impl FakeConfluence {
    pub fn new(clock: TestClock) -> Self {
        let site = Site {
            next_id: 1000,
            facts_limit: 100,
            listing_limit: usize::MAX,
            search_names_folders: true,
            ..Site::default()
        };
        Self {
            site: Arc::new(Mutex::new(site)),
            clock,
        }
    }

    pub fn with<T>(&self, change: impl FnOnce(&mut Site) -> T) -> T {
        change(&mut self.site.lock().unwrap())
    }

    pub fn space(&self, id: &str, key: &str) {
        self.with(|site| {
            let space = FakeSpace {
                key: key.to_owned(),
                name: format!("Space {key}"),
                archived: false,
                visible: true,
            };
            site.spaces.insert(id.to_owned(), space);
        });
    }

    pub fn add(&self, space: &str, parent: Option<u64>, title: &str, body: &str) -> u64 {
        self.add_kind(ContentKind::Page, space, parent, title, body)
    }

    pub fn add_kind(
        &self,
        kind: ContentKind,
        space: &str,
        parent: Option<u64>,
        title: &str,
        body: &str,
    ) -> u64 {
        let now = self.clock.true_now();
        self.with(|site| {
            site.next_id += 1;
            let id = site.next_id;
            site.pages.insert(
                id,
                FakePage {
                    id,
                    kind,
                    status: ContentStatus::Current,
                    title: title.to_owned(),
                    space: space.to_owned(),
                    parent,
                    version: 1,
                    modified: now,
                    body: body.to_owned(),
                    labels: Vec::new(),
                    restricted: false,
                    hidden: false,
                    lags: false,
                },
            );
            id
        })
    }

    pub fn change(&self, id: u64, change: impl FnOnce(&mut FakePage)) {
        self.with(|site| change(site.pages.get_mut(&id).unwrap()));
    }

    /// A new version with this body.
    pub fn edit(&self, id: u64, body: &str) {
        let now = self.clock.true_now();
        self.change(id, |page| {
            page.body = body.to_owned();
            page.version += 1;
            page.modified = now;
        });
    }

    pub fn rename(&self, id: u64, title: &str) {
        let now = self.clock.true_now();
        self.change(id, |page| {
            page.title = title.to_owned();
            page.version += 1;
            page.modified = now;
        });
    }

    pub fn purge(&self, id: u64) {
        self.with(|site| site.pages.remove(&id));
    }

    /// The next `times` requests whose words contain `what` go wrong.
    pub fn fail(&self, what: &str, times: usize, fault: Fault) {
        self.with(|site| site.faults.push_back((what.to_owned(), times, fault)));
    }

    pub fn heal(&self) {
        self.with(|site| site.faults.clear());
    }

    /// Requests since the last call.
    pub fn take_log(&self) -> Vec<String> {
        self.with(|site| std::mem::take(&mut site.log))
    }

    pub fn clock(&self) -> TestClock {
        self.clock
    }

    pub async fn request(&self, words: String) -> Result<bool, SourceError> {
        let (latency, fault) = self.with(|site| {
            site.log.push(words.clone());
            let at = site
                .faults
                .iter()
                .position(|(what, left, _)| *left > 0 && words.contains(what.as_str()));
            let fault = at.map(|at| {
                site.faults[at].1 -= 1;
                site.faults[at].2.clone()
            });
            (site.latency, fault)
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
}

impl FakeConfluence {
    /// A request for bodies begins.
    async fn promise(&self, most: Option<usize>) -> Option<Promise<'_>> {
        let most = most?;
        let (store, asked) = self.with(|site| {
            let counts = site.in_flight.as_mut()?;
            counts.promised += most;
            Some((Arc::clone(&counts.store), counts.promised + counts.answered))
        })?;
        let promise = Promise { site: self, most };
        // Read behind the others: no body is counted that is written already.
        let written = store.disk_use().await.unwrap().bodies;
        self.with(|site| {
            let counts = site.in_flight.as_mut().unwrap();
            let written = usize::try_from(written - counts.before).unwrap();
            let now = asked.saturating_sub(written * counts.body);
            counts.most = counts.most.max(now);
        });
        Some(promise)
    }
}

/// A request for bodies under way.
struct Promise<'a> {
    site: &'a FakeConfluence,
    most: usize,
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        let counted = |counts: &mut InFlight| counts.promised -= self.most;
        self.site.with(|site| site.in_flight.as_mut().map(counted));
    }
}

impl Fault {
    fn of(&self, what: String) -> SourceError {
        let detail = "a fault of the test".to_owned();
        match self {
            Self::Unavailable | Self::Empty => SourceError::Unavailable { what, detail },
            Self::TooLarge => SourceError::TooLarge { what, detail },
            Self::BadCursor => SourceError::BadCursor { what, detail },
            Self::NotFound => SourceError::NotFound { what },
            Self::Forbidden => SourceError::Forbidden { what, detail },
            Self::Unauthorized => SourceError::Unauthorized { what, detail },
            Self::Withdrawn => SourceError::Withdrawn { what },
            Self::RateLimited(seconds) => SourceError::RateLimited {
                what,
                retry_after: Duration::from_secs(*seconds),
            },
            Self::Panic => panic!("a bug in the source"),
        }
    }
}

impl Site {
    pub fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Whether a search that looks so far names what stands in a space.
    pub fn reaches(&self, space: &str, reach: &Reach) -> bool {
        *reach == Reach::ArchivedSpaces || !self.spaces[space].archived
    }

    pub fn visible(&self, page: &FakePage) -> bool {
        !page.hidden && self.spaces.get(&page.space).is_some_and(|s| s.visible)
    }

    pub fn ancestors(&self, id: u64) -> Vec<u64> {
        let mut above = Vec::new();
        let mut next = self.pages.get(&id).and_then(|page| page.parent);
        while let Some(id) = next {
            if above.len() > 1_000 {
                break;
            }
            above.push(id);
            next = self.pages.get(&id).and_then(|page| page.parent);
        }
        above.reverse();
        above
    }

    fn source(&self, page: &FakePage, body: bool) -> SourcePage {
        SourcePage {
            id: PageId::from(page.id.to_string()),
            kind: page.kind,
            status: page.status,
            title: page.title.clone(),
            space_id: SpaceId::from(page.space.as_str()),
            parent_id: page.parent.map(|id| PageId::from(id.to_string())),
            parent_kind: page.parent.map(|id| {
                self.pages
                    .get(&id)
                    .map_or(ContentKind::Page, |parent| parent.kind)
            }),
            version: page.version,
            modified: page.modified,
            author: None,
            url: format!(
                "https://wiki.example/wiki/spaces/{}/pages/{}",
                page.space, page.id
            ),
            body: (body && !self.bodiless.contains(&page.id)).then(|| page.body.clone()),
        }
    }

    fn facts(&self, page: &FakePage) -> ContentFacts {
        let mut labels = page.labels.clone();
        labels.sort();
        ContentFacts {
            id: PageId::from(page.id.to_string()),
            kind: page.kind,
            labels,
            restriction: if page.restricted {
                Restriction::Restricted
            } else {
                Restriction::Open
            },
            readers: Vec::new(),
            ancestors: Some(
                self.ancestors(page.id)
                    .into_iter()
                    .map(|id| PageId::from(id.to_string()))
                    .collect(),
            ),
        }
    }

    fn as_space(id: &str, space: &FakeSpace) -> Space {
        Space {
            id: SpaceId::from(id),
            key: SpaceKey::from(space.key.as_str()),
            alias: None,
            name: space.name.clone(),
            kind: "global".to_owned(),
            archived: space.archived,
            url: format!("https://wiki.example/wiki/spaces/{}", space.key),
        }
    }

    /// Gives these, if their bodies have no more bytes than the answer may have.
    fn answer(
        &mut self,
        most: Option<usize>,
        items: &[SourcePage],
        what: String,
    ) -> Result<(), SourceError> {
        let bytes = bytes_of(items);
        if most.is_some_and(|most| bytes > most) {
            let detail = format!("{bytes} bytes");
            return Err(SourceError::TooLarge { what, detail });
        }
        if let Some(counts) = &mut self.in_flight {
            counts.answered += bytes;
        }
        Ok(())
    }

    fn number(id: &PageId) -> u64 {
        id.as_str().parse().unwrap()
    }
}

/// Cuts one answer out of a whole list; the cursor is the order key of the last item given, as the site's own is.
fn cut(
    all: &[SourcePage],
    cursor: Option<&Cursor>,
    limit: usize,
    newest: bool,
) -> Batch<SourcePage> {
    let from = cursor.map_or(0, |Cursor(last)| {
        let last: (i64, u64) = serde_json::from_str(last).unwrap();
        let after = |item: &SourcePage| order_key(item, newest) > last;
        all.iter().position(after).unwrap_or(all.len())
    });
    let items: Vec<SourcePage> = all.iter().skip(from).take(limit).cloned().collect();
    let more = from + items.len() < all.len();
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor(serde_json::to_string(&order_key(last, newest)).unwrap()));
    Batch { items, next }
}

fn bytes_of(items: &[SourcePage]) -> usize {
    let bodies = items.iter().filter_map(|item| item.body.as_ref());
    bodies.map(String::len).sum()
}

fn order_key(item: &SourcePage, newest: bool) -> (i64, u64) {
    let id = Site::number(&item.id);
    if newest {
        (-item.modified.timestamp_micros(), id)
    } else {
        (0, id)
    }
}

#[async_trait]
impl ContentSource for FakeConfluence {
    async fn whoami(&self) -> Result<Account, SourceError> {
        self.request("whoami".to_owned()).await?;
        Ok(Account {
            id: AccountId::from("me"),
            display_name: "Sync".to_owned(),
        })
    }

    async fn access(&self, _: AccessNeeds, _: Option<&AccountId>) -> Vec<AccessCheck> {
        unreachable!("the engine never checks access")
    }

    async fn spaces_by_key(&self, keys: &[SpaceKey]) -> Result<Vec<Space>, SourceError> {
        let any = self.request("spaces by key".to_owned()).await?;
        Ok(self.with(|site| {
            site.spaces
                .iter()
                .filter(|(_, space)| any && space.visible)
                .filter(|(_, space)| keys.iter().any(|key| key.as_str() == space.key))
                .map(|(id, space)| Site::as_space(id, space))
                .collect()
        }))
    }

    async fn spaces_by_id(&self, ids: &[SpaceId]) -> Result<Vec<Space>, SourceError> {
        let any = self.request("spaces by id".to_owned()).await?;
        Ok(self.with(|site| {
            site.spaces
                .iter()
                .filter(|(_, space)| any && space.visible)
                .filter(|(id, _)| ids.iter().any(|wanted| wanted.as_str() == id.as_str()))
                .map(|(id, space)| Site::as_space(id, space))
                .collect()
        }))
    }

    async fn visible_spaces(&self) -> Result<Vec<Space>, SourceError> {
        let any = self.request("visible spaces".to_owned()).await?;
        Ok(self.with(|site| {
            site.spaces
                .iter()
                .filter(|(_, space)| any && space.visible)
                .map(|(id, space)| Site::as_space(id, space))
                .collect()
        }))
    }

    async fn list(
        &self,
        query: &ListQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourcePage>, SourceError> {
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
        let any = self.request(words.clone()).await?;
        if !any {
            return Ok(Batch {
                items: Vec::new(),
                next: None,
            });
        }
        self.with(|site| {
            if let [only] = query.spaces.as_slice()
                && !site.spaces.get(only.as_str()).is_some_and(|s| s.visible)
            {
                return Err(SourceError::NotFound { what: words });
            }
            let mut all: Vec<SourcePage> = site
                .pages
                .values()
                .filter(|page| page.kind == query.kind && site.visible(page))
                .filter(|page| query.statuses.contains(&page.status))
                .filter(|page| spaces.contains(&page.space.as_str()))
                .map(|page| site.source(page, query.bodies.is_some()))
                .collect();
            let newest = query.order == ListOrder::NewestFirst;
            all.sort_by_key(|item| order_key(item, newest));
            let limit = query.limit.min(site.listing_limit);
            let mut batch = cut(&all, cursor, limit, newest);
            if site.endless && batch.next.is_none() {
                site.turns += 1;
                let start = (i64::MIN + site.turns, 0);
                batch.next = Some(Cursor(serde_json::to_string(&start).unwrap()));
            }
            let poisoned = batch
                .items
                .iter()
                .any(|item| site.poison.contains(&Site::number(&item.id)));
            if query.bodies.is_some() && poisoned {
                return Err(SourceError::TooLarge {
                    what: words,
                    detail: "a poison page".to_owned(),
                });
            }
            site.answer(query.bodies, &batch.items, words)?;
            Ok(batch)
        })
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
        self.with(|site| {
            let refused = |id: &PageId| site.refused.get(&Site::number(id));
            if let Some(fault) = ids.iter().find_map(refused) {
                return Err(fault.of(words));
            }
            let found: Vec<&FakePage> = ids
                .iter()
                .filter_map(|id| site.pages.get(&Site::number(id)))
                .filter(|page| any && page.kind == kind && site.visible(page))
                .filter(|page| statuses.contains(&page.status))
                .collect();
            if bodies.is_some() && found.iter().any(|page| site.poison.contains(&page.id)) {
                return Err(SourceError::TooLarge {
                    what: words,
                    detail: "a poison page".to_owned(),
                });
            }
            let found: Vec<SourcePage> = found
                .into_iter()
                .map(|page| site.source(page, bodies.is_some()))
                .collect();
            site.answer(bodies, &found, words)?;
            Ok(found)
        })
    }

    async fn one(&self, kind: ContentKind, id: &PageId) -> Result<Option<SourcePage>, SourceError> {
        let words = format!("one {} {id}", kind.as_str());
        let any = self.request(words.clone()).await?;
        self.with(|site| {
            if let Some(fault) = site.refused.get(&Site::number(id)) {
                return Err(fault.of(words));
            }
            let page = site.pages.get(&Site::number(id));
            let there = page.filter(|page| any && site.visible(page));
            Ok(there.map(|page| site.source(page, true)))
        })
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
        let (FactsQuery::Space(_, reach) | FactsQuery::Ids(_, reach)) = query;
        let any = self.request(words).await?;
        Ok(self.with(|site| {
            let wanted = |page: &FakePage| match query {
                FactsQuery::Space(key, _) => {
                    let space = site.spaces.get(&page.space);
                    space.is_some_and(|space| space.key == key.as_str())
                }
                FactsQuery::Ids(ids, _) => ids.iter().any(|id| Site::number(id) == page.id),
            };
            let named =
                |page: &FakePage| page.kind != ContentKind::Container || site.search_names_folders;
            let all: Vec<ContentFacts> = site
                .pages
                .values()
                .filter(|page| any && !page.lags && page.status == ContentStatus::Current)
                .filter(|page| !site.unseen.contains(&page.id))
                .filter(|page| site.visible(page) && named(page) && wanted(page))
                .filter(|page| site.reaches(&page.space, reach))
                .map(|page| site.facts(page))
                .collect();
            let from: usize = cursor.map_or(0, |Cursor(text)| text.parse().unwrap());
            let items: Vec<ContentFacts> = all
                .iter()
                .skip(from)
                .take(site.facts_limit)
                .cloned()
                .collect();
            let at = from + items.len();
            let next = (at < all.len()).then(|| Cursor(at.to_string()));
            Batch { items, next }
        }))
    }

    async fn facts_of(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<ContentFacts>, SourceError> {
        let any = self
            .request(format!("facts of one {} {id}", kind.as_str()))
            .await?;
        Ok(self.with(|site| {
            let page = site.pages.get(&Site::number(id))?;
            let unseen = site.unseen.contains(&page.id) || page.status == ContentStatus::Draft;
            let there = any && site.visible(page) && !unseen;
            there.then(|| site.facts(page))
        }))
    }

    async fn recent_comments(
        &self,
        place: CommentPlace,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError> {
        comments::recent(self, place, limit, cursor).await
    }

    async fn comments(
        &self,
        query: &CommentsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError> {
        comments::by(self, query, cursor).await
    }

    async fn comment(
        &self,
        place: CommentPlace,
        id: &PageId,
    ) -> Result<Option<SourceComment>, SourceError> {
        comments::one(self, place, id).await
    }

    async fn recent_files(
        &self,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError> {
        files::recent(self, limit, cursor).await
    }

    async fn files(
        &self,
        space: &SpaceKey,
        reach: Reach,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError> {
        files::of_space(self, space, reach, cursor).await
    }

    async fn file(&self, id: &PageId) -> Result<Option<SourceFile>, SourceError> {
        files::one(self, id).await
    }

    async fn download(
        &self,
        page: &PageId,
        file: &PageId,
        max_bytes: usize,
    ) -> Result<Vec<u8>, SourceError> {
        files::download(self, page, file, max_bytes).await
    }

    async fn people(&self, ids: &[AccountId]) -> Result<Vec<Person>, SourceError> {
        self.request(format!("people {}", ids.len())).await?;
        Ok(ids
            .iter()
            .map(|id| Person {
                id: id.clone(),
                display_name: format!("Name of {id}"),
            })
            .collect())
    }

    async fn space_readers(&self, space: &SpaceId) -> Result<BTreeSet<Grantee>, SourceError> {
        self.request(format!("readers of {space}")).await?;
        Ok([Grantee::Licensed].into())
    }

    async fn group_members(&self, group: &GroupId) -> Result<Vec<Member>, SourceError> {
        self.request(format!("members of {group}")).await?;
        Ok(Vec::new())
    }

    async fn closed_accounts(&self, ids: &[AccountId]) -> Result<HashSet<AccountId>, SourceError> {
        self.request(format!("closed of {}", ids.len())).await?;
        Ok(HashSet::new())
    }

    async fn may_read(&self, person: &AccountId, item: &PageId) -> Result<bool, SourceError> {
        self.request(format!("may {person} read {item}")).await?;
        Ok(true)
    }

    async fn rendered(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<String>, SourceError> {
        self.request(format!("rendered {} {id}", kind.as_str()))
            .await?;
        let id = id.as_str().parse();
        Ok(self.with(|site| site.rendered.get(&id.ok()?).cloned()))
    }

    async fn search_live(
        &self,
        words: &str,
        spaces: &[SpaceKey],
        limit: usize,
    ) -> Result<Vec<LiveHit>, SourceError> {
        let any = self.request(format!("search {words}")).await?;
        Ok(self.with(|site| {
            site.pages
                .values()
                .filter(|page| any && page.status == ContentStatus::Current && site.visible(page))
                .filter(|page| page.body.contains(words))
                .filter_map(|page| {
                    let space = site.spaces.get(&page.space)?;
                    let key = SpaceKey::from(space.key.as_str());
                    spaces.contains(&key).then(|| LiveHit {
                        id: PageId::from(page.id.to_string()),
                        kind: page.kind,
                        title: page.title.clone(),
                        space_key: key,
                        url: format!("https://wiki.example/wiki/{}", page.id),
                        excerpt: page.body.clone(),
                        modified: Some(page.modified),
                        version: Some(page.version),
                    })
                })
                .take(limit)
                .collect()
        }))
    }

    fn health(&self) -> SourceHealth {
        SourceHealth::default()
    }
}
