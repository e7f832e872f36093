//! One engine with everything around it, and what a test does with it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actors::{Backends, Engine, EngineError, EngineParts, EngineSettings, SyncOrder};
use domain::index::{BackendKind, Index, IndexSettings, IndexSpace, RestrictedPages, SpaceState};
use domain::page::{Page, PageRecord, PageState};
use domain::ports::clock::Clock;
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::store::{AdminStore, NewIndex, RunFilter, SyncStore};
use domain::query::{Answer, Filters, RetrievalQuery};
use domain::run::{Run, RunPlan, RunStatus};
use domain::{DocumentId, IndexId, PageId, RunId, SpaceKey};
use metastore::{Metastore, MetastoreOptions};
use simulators::confluence::ContentId;
use test_database::Database;

use crate::fakes::{FakeReader, FakeRetrieval, SimulatedSource, TestClock};
use crate::truth::{Included, assert_same, held_by, is_member, truth_of};

/// Runs a test on one thread whose clock jumps to the next timer as soon as nothing else is to be done.
pub fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F + 'static) {
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    });
    system.block_on(test());
}

pub struct Bench {
    pub clock: TestClock,
    pub reader: FakeReader,
    pub site: SimulatedSource,
    pub shelf: FakeRetrieval,
    /// A second store, of the kind LlamaCloud.
    pub cloud: FakeRetrieval,
    pub store: Arc<Metastore>,
    pub engine: Engine,
    pub settings: EngineSettings,
    // Goes after the store.
    pub database: Database,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(FakeRetrieval::immediate(), EngineSettings::default()).await
    }

    pub async fn with(shelf: FakeRetrieval, settings: EngineSettings) -> Self {
        Self::started(shelf, settings, async |parts, _| {
            Engine::start_here(parts).await
        })
        .await
    }

    /// The engine on threads of its own, as the service has it, with a clock made of the test's.
    pub async fn on_threads(clock: impl FnOnce(TestClock) -> Arc<dyn Clock>) -> Self {
        let settings = EngineSettings::default();
        Self::started(FakeRetrieval::immediate(), settings, async |parts, own| {
            Engine::start(EngineParts {
                clock: clock(own),
                ..parts
            })
            .await
        })
        .await
    }

    async fn started(
        shelf: FakeRetrieval,
        settings: EngineSettings,
        start: impl AsyncFnOnce(EngineParts, TestClock) -> Result<Engine, EngineError>,
    ) -> Self {
        let clock = TestClock::new();
        let database = Database::new();
        let options = MetastoreOptions {
            clock: Arc::new(clock),
            pool_size: 5,
            ..MetastoreOptions::default()
        };
        let store = Arc::new(Metastore::open(&database.url(), options).unwrap());
        let site = SimulatedSource::new(clock);
        site.space("ENG");
        let cloud = FakeRetrieval::cloud();
        let reader = FakeReader::default();
        let parts = parts(&store, &site, [&shelf, &cloud], &reader, clock, &settings);
        let engine = start(parts, clock).await.unwrap();
        Self {
            clock,
            reader,
            site,
            shelf,
            cloud,
            store,
            engine,
            settings,
            database,
        }
    }

    /// Stops the engine as a restart of the process does, and starts another on the same database.
    pub async fn restart(&mut self) {
        self.engine.drain(Duration::from_secs(10)).await;
        let shelves = [&self.shelf, &self.cloud];
        let (site, reader) = (&self.site, &self.reader);
        let parts = parts(
            &self.store,
            site,
            shelves,
            reader,
            self.clock,
            &self.settings,
        );
        self.engine = Engine::start_here(parts).await.unwrap();
    }

    pub fn index_settings(&self, agent: &str, spaces: &[&str]) -> IndexSettings {
        IndexSettings {
            name: format!("Index {agent}"),
            agent_id: agent.parse().unwrap(),
            confluence_spaces: spaces.iter().map(|key| SpaceKey::from(*key)).collect(),
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

    pub fn spaces_of(&self, settings: &IndexSettings) -> Vec<IndexSpace> {
        settings
            .confluence_spaces
            .iter()
            .map(|key| {
                let id = self.site.space_id(key.as_str()).to_string();
                IndexSpace {
                    key: key.clone(),
                    id: Some(id.as_str().into()),
                    current_key: Some(key.clone()),
                    alias: None,
                    name: None,
                    url: None,
                    state: SpaceState::New,
                    reason: None,
                    pages: 0,
                    last_sync_at: None,
                }
            })
            .collect()
    }

    /// Creates an index as the service does: rows first, then the hint.
    pub async fn create(&self, settings: IndexSettings) -> Index {
        let spaces = self.spaces_of(&settings);
        let index = self
            .store
            .create_index(&NewIndex { settings, spaces })
            .await
            .unwrap();
        self.engine.index_changed(index.id);
        index
    }

    pub async fn patch(&self, index: IndexId, change: impl FnOnce(&mut IndexSettings)) {
        let mut settings = self.index(index).await.settings;
        change(&mut settings);
        let spaces = self.spaces_of(&settings);
        self.store
            .update_index(index, &settings.into(), &spaces)
            .await
            .unwrap();
        self.engine.index_changed(index);
    }

    /// An index of the space ENG that has had its first sync.
    pub async fn synced(&self) -> Index {
        let index = self.create(self.index_settings("agent", &["ENG"])).await;
        let run = self.over(index.id).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
        self.site.take_log();
        index
    }

    pub async fn index(&self, index: IndexId) -> Index {
        self.store.index(index).await.unwrap()
    }

    /// Waits until no run is open any more; answers the newest.
    pub async fn over(&self, index: IndexId) -> Run {
        for _ in 0..20_000 {
            let last = self.index(index).await.last_run;
            if let Some(run) = last
                && !run.status.is_open()
                && self.store.open_run_of(index).await.unwrap().is_none()
            {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
        panic!("no run came to its end: {:?}", self.index(index).await);
    }

    /// All runs but the first, the newest first.
    pub async fn runs_after(&self, first: RunId) -> Vec<Run> {
        let filter = RunFilter {
            limit: 50,
            ..RunFilter::default()
        };
        let mut runs = self.store.runs(&filter).await.unwrap().items;
        runs.retain(|run| run.id > first);
        runs
    }

    pub async fn ended(&self, run: RunId) -> Run {
        for _ in 0..20_000 {
            let run = self.store.run(run).await.unwrap();
            if !run.status.is_open() {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
        panic!("the run did not end");
    }

    pub async fn order(&self, index: IndexId, full: Option<bool>) -> Run {
        let order = SyncOrder {
            full,
            dry_run: false,
        };
        let run = self.engine.sync(index, order).await.unwrap();
        self.ended(run.id).await
    }

    pub async fn sweep(&self, index: IndexId) -> Run {
        self.order(index, None).await
    }

    pub async fn delta(&self, index: IndexId) -> Run {
        self.order(index, Some(false)).await
    }

    /// What a dry run says.
    pub async fn plan(&self, index: IndexId) -> RunPlan {
        let order = SyncOrder {
            full: None,
            dry_run: true,
        };
        let run = self.engine.sync(index, order).await.unwrap();
        self.ended(run.id).await.plan.unwrap()
    }

    pub async fn page(&self, index: IndexId, id: ContentId) -> Page {
        let id = PageId::from(id.to_string());
        self.store.page(index, &id).await.unwrap().page()
    }

    /// The whole row of a page.
    pub async fn record(&self, index: IndexId, id: ContentId) -> PageRecord {
        let ids = [PageId::from(id.to_string())];
        let found = self.store.pages_by_id(index, &ids).await.unwrap();
        found.into_iter().next().unwrap()
    }

    pub async fn state(&self, index: IndexId, id: ContentId) -> PageState {
        self.page(index, id).await.state
    }

    pub async fn ask(&self, index: IndexId, text: &str) -> Answer {
        let query = RetrievalQuery {
            text: text.to_owned(),
            top_k: 8,
            filters: Filters::default(),
            room: 0,
        };
        self.engine.search(index, query).await.unwrap()
    }

    pub async fn finds(&self, index: IndexId, text: &str) -> Vec<String> {
        let answer = self.ask(index, text).await;
        let ids = answer.results.into_iter();
        ids.map(|result| result.page.page.id.to_string()).collect()
    }

    /// The ids of every page, post and file that the site has.
    pub fn all_ids(&self) -> Vec<PageId> {
        let pages = self.site.every_page().into_iter();
        let files = self.site.every_file().into_iter();
        let pages = pages.map(|page| page.id.to_string());
        let ids = pages.chain(files.map(|file| format!("att{}", file.id)));
        ids.map(PageId::from).collect()
    }

    /// How the words of a request begin to end that lists this space alone.
    pub fn listing(&self, key: &str) -> String {
        format!("limit=250 {}", self.site.space_id(key))
    }

    pub async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// What the store holds, in the same words.
    pub fn held(&self) -> BTreeMap<DocumentId, String> {
        held_by(&self.shelf)
    }

    /// The texts that the store should hold by the rules of the contract, worked out from the site alone.
    pub fn truth(&self, settings: &IndexSettings) -> BTreeMap<DocumentId, String> {
        let account = self.site.sim().account_id();
        let mut members = self.site.all_for(&account);
        members.retain(|page| is_member(&self.site, settings, page));
        let included = Included {
            comments: settings.include_comments,
            files: settings.include_attachments,
        };
        truth_of(&self.site, &account, &members, included)
    }

    pub async fn assert_true(&self, index: IndexId) {
        let settings = self.index(index).await.settings;
        assert_same(&self.held(), &self.truth(&settings), "the index");
        self.assert_consistent(index).await;
    }

    /// What the database keeps of pages for its filters and counts is what follows from their standing and their holdings.
    pub async fn assert_consistent(&self, index: IndexId) {
        let (mut documents, mut kept) = (0, 0);
        for state in PageState::ALL {
            let ids = self
                .store
                .pages_in_states(index, &[state], None, 100_000)
                .await
                .unwrap();
            for page in self.store.pages_by_id(index, &ids).await.unwrap() {
                assert_eq!(page.state(), state, "{page:?}");
                documents += i64::from(page.is_document());
                kept += i64::from(page.holding.is_kept());
            }
        }
        assert_eq!(self.index(index).await.document_count, documents);
        assert_eq!(self.store.stored_pages(index).await.unwrap(), kept);
    }
}

fn parts(
    store: &Arc<Metastore>,
    site: &SimulatedSource,
    shelves: [&FakeRetrieval; 2],
    reader: &FakeReader,
    clock: TestClock,
    settings: &EngineSettings,
) -> EngineParts {
    let backends: Backends = shelves
        .into_iter()
        .map(|shelf| {
            let backend: Arc<dyn RetrievalBackend> = Arc::new(shelf.clone());
            (shelf.kind, backend)
        })
        .collect();
    EngineParts {
        store: Arc::clone(store) as Arc<dyn SyncStore>,
        source: Arc::new(site.clone()),
        backends,
        reader: Arc::new(reader.clone()),
        clock: Arc::new(clock),
        settings: settings.clone(),
    }
}
