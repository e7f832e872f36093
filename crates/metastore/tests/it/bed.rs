//! A store on a database of its own, a clock that tests set, and records to put in.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use domain::access::Guards;
use domain::content::{ContentKind, ContentStatus, Restriction, SourcePage};
use domain::failure::FailureCause;
use domain::holding::{Change, Flight, Have, Holding, HoldingChange, Outcome};
use domain::index::{
    BackendKind, Index, IndexProgress, IndexSettings, IndexSpace, IndexStatus, RestrictedPages,
    SpaceState,
};
use domain::page::{CachedBody, CachedText, PageRecord, PageState, Standing};
use domain::ports::clock::Clock;
use domain::ports::store::{AdminStore, NewIndex, OpenHolding, OpenedRun, RunEnd, SyncStore};
use domain::run::{Counts, Requests, Run, RunKind, RunStatus};
use domain::{IndexId, ObjectId, PageId, TokenId, WorkerId};
use metastore::{DatabaseUrl, Metastore, MetastoreOptions};
use test_database::Database;

/// A clock that stands until it is moved.
#[derive(Clone)]
pub struct SetClock(Arc<Mutex<DateTime<Utc>>>);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

impl SetClock {
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

pub struct Bed {
    pub store: Metastore,
    pub clock: SetClock,
    // Goes after the store.
    pub database: Database,
}

/// With all six digits of its microseconds in use.
pub fn noon() -> DateTime<Utc> {
    "2026-03-04T12:00:00.123456Z".parse().unwrap()
}

impl Bed {
    pub fn new() -> Self {
        Self::on(Database::new())
    }

    /// For what is about files.
    pub fn in_a_file() -> Self {
        Self::on(Database::in_a_file())
    }

    fn on(database: Database) -> Self {
        let clock = SetClock(Arc::new(Mutex::new(noon())));
        let store = open(&database.url(), &clock);
        Self {
            store,
            clock,
            database,
        }
    }

    pub fn url(&self) -> DatabaseUrl {
        self.database.url()
    }

    /// The folder of the file.
    pub fn folder(&self) -> &std::path::Path {
        self.database.path()
    }

    /// A second handle, as another process would have it.
    pub fn second(&self) -> Metastore {
        open(&self.url(), &self.clock)
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub async fn index(&self, agent: &str) -> Index {
        self.index_for(agent, None).await
    }

    pub async fn index_for(&self, agent: &str, editor: Option<TokenId>) -> Index {
        let new = NewIndex {
            settings: settings(agent, &["ENG", "OPS"]),
            spaces: vec![space("ENG", "100"), space("OPS", "200")],
        };
        self.store.create_index_for(&new, editor).await.unwrap()
    }

    pub async fn running(&self, index: IndexId, kind: RunKind) -> Run {
        let OpenedRun::New(run) = self
            .store
            .open_run(index, kind, false, false)
            .await
            .unwrap()
        else {
            panic!("a run was open already");
        };
        self.store.start_run(run.run_id).await.unwrap()
    }

    /// Saves pages, and has the object that answers hold what they say.
    pub async fn save(&self, pages: &[PageRecord]) {
        self.store.save_pages(pages, &[], Vec::new()).await.unwrap();
        for page in pages.iter().filter(|page| page.holding.may_hold()) {
            let object = self.serving(page.index_id).await;
            self.change(object, page, &steps(&page.holding)).await;
        }
    }

    /// The object that answers.
    pub async fn serving(&self, index: IndexId) -> ObjectId {
        self.store.index_state(index).await.unwrap().serving
    }

    /// Applies changes to the holding of a page; answers of each whether it applied.
    pub async fn change(
        &self,
        object: ObjectId,
        page: &PageRecord,
        changes: &[Change],
    ) -> Vec<bool> {
        let changes: Vec<HoldingChange> = changes
            .iter()
            .map(|change| HoldingChange {
                page_id: page.page_id.clone(),
                kind: page.kind,
                change: change.clone(),
            })
            .collect();
        self.store.change_holdings(object, &changes).await.unwrap()
    }

    /// What the database keeps of each page for its filters and counts is what follows from page and holding.
    pub async fn is_consistent(&self, index: IndexId) {
        let mut all = Vec::new();
        for state in PageState::ALL {
            let states = [state];
            let found = self.store.pages_in_states(index, &states, None, 10_000);
            let ids = found.await.unwrap();
            let pages = self.store.pages_by_id(index, &ids).await.unwrap();
            for page in &pages {
                assert_eq!(page.state(), state, "{page:?}");
            }
            all.extend(pages);
        }
        let count = |is: fn(&PageRecord) -> bool| {
            i64::try_from(all.iter().filter(|page| is(page)).count()).unwrap()
        };
        let shown = self.store.index(index).await.unwrap();
        assert_eq!(shown.document_count, count(PageRecord::is_document));
        let kept = self.store.stored_pages(index).await.unwrap();
        assert_eq!(kept, count(|page| page.holding.is_kept()));
    }

    pub async fn page(&self, index: IndexId, id: &str) -> PageRecord {
        self.store
            .pages_by_id(index, &[id.into()])
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    pub async fn due(&self, index: IndexId) -> Vec<OpenHolding> {
        let object = self.serving(index).await;
        let due = self
            .store
            .holdings_due(object, self.now(), self.now(), 1_000);
        due.await.unwrap()
    }
}

fn open(url: &DatabaseUrl, clock: &SetClock) -> Metastore {
    let options = MetastoreOptions {
        clock: Arc::new(clock.clone()),
        ..MetastoreOptions::default()
    };
    Metastore::open(url, options).unwrap()
}

pub fn settings(agent: &str, keys: &[&str]) -> IndexSettings {
    IndexSettings {
        name: format!("Index of {agent}"),
        agent_id: agent.parse().unwrap(),
        confluence_spaces: keys.iter().map(|key| (*key).into()).collect(),
        interval_minutes: 60,
        enabled: true,
        quiet_hours: None,
        backend: BackendKind::Local,
        include_blog_posts: false,
        include_comments: false,
        include_attachments: false,
        labels: Vec::new(),
        exclude_labels: Vec::new(),
        root_page_ids: Vec::new(),
        restricted_pages: RestrictedPages::Skip,
        access: domain::access::Access::default(),
    }
}

pub fn space(key: &str, id: &str) -> IndexSpace {
    IndexSpace {
        key: key.into(),
        id: Some(id.into()),
        current_key: Some(key.into()),
        alias: None,
        name: Some(format!("Space {key}")),
        url: Some(format!("https://x.atlassian.net/wiki/spaces/{key}")),
        state: SpaceState::Current,
        reason: None,
        pages: 0,
        last_sync_at: None,
    }
}

pub fn page(index: IndexId, id: &str, state: PageState) -> PageRecord {
    let source = SourcePage {
        id: id.into(),
        kind: ContentKind::Page,
        status: ContentStatus::Current,
        title: format!("Page {id}"),
        space_id: "100".into(),
        parent_id: None,
        parent_kind: None,
        version: 3,
        modified: noon(),
        author: None,
        url: format!("https://x.atlassian.net/wiki/spaces/ENG/pages/{id}"),
        body: None,
    };
    let stored = matches!(
        state,
        PageState::Uploaded | PageState::Searchable | PageState::Vanishing
    );
    let hash = "s".repeat(64);
    let holding = match state {
        PageState::Uploaded => holding([want(&hash), claim(&hash), said(&hash, Outcome::Accepted)]),
        _ if stored => held(&hash),
        _ => Holding::default(),
    };
    PageRecord {
        restriction: Restriction::Open,
        guards: Guards::Known(Vec::new()),
        standing: match state {
            PageState::Pending => Standing::Undecided,
            PageState::Uploaded | PageState::Searchable => Standing::Member,
            PageState::Failed => Standing::Failed,
            PageState::Skipped => Standing::Skipped,
            PageState::Vanishing => Standing::Hidden,
            PageState::Removed => Standing::Gone,
        },
        body_version: stored.then_some(3),
        markdown_hash: stored.then(|| "m".repeat(64)),
        holding,
        ..PageRecord::new(index, &source, noon())
    }
}

/// The worker of these tests.
pub fn worker() -> WorkerId {
    "00000000-0000-7000-8000-000000000001".parse().unwrap()
}

pub fn want(hash: &str) -> Change {
    Change::Want(Some(hash.to_owned()))
}

pub fn claim(hash: &str) -> Change {
    Change::Claim {
        worker: worker(),
        sent: Some(hash.to_owned()),
    }
}

pub fn said(hash: &str, outcome: Outcome) -> Change {
    Change::Outcome {
        worker: worker(),
        sent: Some(hash.to_owned()),
        outcome,
    }
}

/// The removal is sent, and that is what comes of it.
pub fn removal(outcome: Outcome) -> [Change; 2] {
    let (worker, sent) = (worker(), None);
    [
        Change::Claim {
            worker,
            sent: sent.clone(),
        },
        Change::Outcome {
            worker,
            sent,
            outcome,
        },
    ]
}

pub fn failed(reason: &str, next_try: DateTime<Utc>) -> Outcome {
    Outcome::Failed {
        cause: FailureCause::StoreRefused,
        reason: reason.to_owned(),
        next_try,
    }
}

/// What comes of changes at noon.
pub fn holding(changes: impl IntoIterator<Item = Change>) -> Holding {
    let mut holding = Holding::default();
    for change in changes {
        assert!(holding.apply(&change, noon()), "{change:?}");
    }
    holding
}

/// The store finds it.
pub fn held(hash: &str) -> Holding {
    holding([want(hash), claim(hash), said(hash, Outcome::Settled)])
}

/// How a holding comes about.
fn steps(to: &Holding) -> Vec<Change> {
    let hash = match (to.have(), to.want()) {
        (Have::Document(hash), _) => hash.clone(),
        (_, want) => want.unwrap_or("h").to_owned(),
    };
    let outcome = match to.flight() {
        Flight::Accepted(_) => Outcome::Accepted,
        _ => Outcome::Settled,
    };
    let mut steps = vec![want(&hash), claim(&hash), said(&hash, outcome)];
    if to.have() == &Have::Unknown {
        steps.pop();
        steps.push(said(&hash, Outcome::Accepted));
        steps.push(said(&hash, failed("gone", noon())));
    }
    steps.push(Change::Want(to.want().map(str::to_owned)));
    steps
}

pub fn container(index: IndexId, id: &str) -> PageRecord {
    PageRecord {
        kind: ContentKind::Container,
        ..page(index, id, PageState::Pending)
    }
}

pub fn body(id: &str, version: i32) -> CachedBody {
    let markdown = format!("Body of {id}, version {version}. ").repeat(10);
    CachedBody {
        storage: format!("<p>{markdown}</p>"),
        rendered: None,
        text: CachedText {
            page_id: id.into(),
            kind: ContentKind::Page,
            version,
            markdown_hash: domain::document::markdown_hash(&markdown),
            markdown,
            converter: 1,
        },
    }
}

pub fn end(status: RunStatus, index_status: IndexStatus) -> RunEnd {
    RunEnd {
        status,
        counts: Counts::default(),
        requests: Requests::default(),
        error: None,
        plan: None,
        index_status,
        index_reason: None,
        progress: None,
        next_run_at: None,
        then: None,
        notify: false,
    }
}

pub fn progress_at(at: DateTime<Utc>) -> IndexProgress {
    IndexProgress {
        watermark: Some(at),
        last_sweep_at: Some(at),
        synced_at: Some(at),
        ..IndexProgress::default()
    }
}

pub fn ids(ids: &[&str]) -> Vec<PageId> {
    ids.iter().map(|id| (*id).into()).collect()
}
