//! A store on a temporary file, a clock that tests set, and records to put in.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use domain::content::{ContentKind, ContentStatus, Restriction, SourcePage};
use domain::index::{
    BackendKind, Index, IndexProgress, IndexSettings, IndexSpace, IndexStatus, RestrictedPages,
    SpaceState,
};
use domain::page::{CachedBody, PageRecord, PageState};
use domain::ports::clock::Clock;
use domain::ports::store::{
    AdminStore, NewIndex, OpenedRun, OutboxEntry, OutboxOp, OutboxState, RunEnd, SyncStore,
};
use domain::run::{Counts, Requests, Run, RunKind, RunStatus};
use domain::{IndexId, PageId};
use metastore::{DatabaseUrl, Metastore, MetastoreOptions};

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
    pub folder: tempfile::TempDir,
}

/// With all six digits of its microseconds in use.
pub fn noon() -> DateTime<Utc> {
    "2026-03-04T12:00:00.123456Z".parse().unwrap()
}

impl Bed {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = SetClock(Arc::new(Mutex::new(noon())));
        let store = open(&url(&folder), &clock);
        Self {
            store,
            clock,
            folder,
        }
    }

    pub fn url(&self) -> DatabaseUrl {
        url(&self.folder)
    }

    /// A second handle, as another process would have it.
    pub fn second(&self) -> Metastore {
        open(&self.url(), &self.clock)
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub async fn index(&self, agent: &str) -> Index {
        let new = NewIndex {
            settings: settings(agent, &["ENG", "OPS"]),
            spaces: vec![space("ENG", "100"), space("OPS", "200")],
        };
        self.store.create_index(&new).await.unwrap()
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

    pub async fn save(&self, pages: &[PageRecord]) {
        self.store.save_pages(pages, &[], &[]).await.unwrap();
    }

    pub async fn page(&self, index: IndexId, id: &str) -> PageRecord {
        self.store
            .pages_by_id(index, &[id.into()])
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    pub async fn due(&self, index: IndexId) -> Vec<OutboxEntry> {
        self.store
            .outbox_due(index, self.now(), 1_000)
            .await
            .unwrap()
    }
}

fn url(folder: &tempfile::TempDir) -> DatabaseUrl {
    DatabaseUrl::of_file(folder.path().join("store.db"))
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
    }
}

pub fn space(key: &str, id: &str) -> IndexSpace {
    IndexSpace {
        key: key.into(),
        id: Some(id.into()),
        current_key: Some(key.into()),
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
    PageRecord {
        restriction: Restriction::Open,
        state,
        body_version: stored.then_some(3),
        markdown_hash: stored.then(|| "m".repeat(64)),
        stored_hash: stored.then(|| "s".repeat(64)),
        ..PageRecord::new(index, &source, noon())
    }
}

pub fn container(index: IndexId, id: &str) -> PageRecord {
    PageRecord {
        kind: ContentKind::Container,
        ..page(index, id, PageState::Pending)
    }
}

pub fn entry(page: &PageRecord, op: OutboxOp, hash: &str) -> OutboxEntry {
    OutboxEntry {
        index_id: page.index_id,
        page_id: page.page_id.clone(),
        kind: page.kind,
        op,
        hash: hash.to_owned(),
        state: OutboxState::Waiting,
        attempts: 0,
        next_attempt_at: noon(),
        last_error: None,
    }
}

pub fn body(id: &str, version: i32) -> CachedBody {
    let markdown = format!("Body of {id}, version {version}. ").repeat(10);
    CachedBody {
        page_id: id.into(),
        kind: ContentKind::Page,
        version,
        storage: format!("<p>{markdown}</p>"),
        markdown_hash: domain::document::markdown_hash(&markdown),
        markdown,
        converter: 1,
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
