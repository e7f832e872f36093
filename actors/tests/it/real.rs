//! The engine with the real Confluence client against the simulated site over HTTP, on the machine's own time: only the time
//! of day can be moved ahead.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use actors::{Backends, Engine, EngineParts, EngineSettings, SyncOrder};
use chrono::TimeDelta;
use confluence::{ConfluenceClient, ConfluenceConfig, RetryPolicy};
use domain::access::Access;
use domain::backoff::Backoff;
use domain::index::{BackendKind, IndexSettings, IndexSpace, RestrictedPages, SpaceState};
use domain::ports::clock::Clock;
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::source::ContentSource;
use domain::ports::store::{AdminStore, NewIndex, PageFilter, QueryStore, SyncStore};
use domain::run::{Run, RunStatus};
use domain::{DocumentId, IndexId, PageId, RunId, SpaceKey, Timestamp};
use metastore::{Metastore, MetastoreOptions};
use simulators::confluence::{Account, ConfluenceSim, Site, SpaceId, Wish};
use test_database::Database;

use crate::fakes::{FakeReader, FakeRetrieval};
use crate::truth::{Included, truth_of};
use crate::untouched::{Untouched, keep_house, newest_runs};

/// Nothing here takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The machine's time of day, moved ahead as told.
#[derive(Clone, Default)]
pub struct AheadClock(Arc<AtomicI64>);

impl Clock for AheadClock {
    fn now(&self) -> Timestamp {
        chrono::Utc::now() + TimeDelta::seconds(self.0.load(Ordering::SeqCst))
    }
}

pub fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    actix_rt::System::new().block_on(test());
}

pub struct Real {
    pub sim: ConfluenceSim,
    pub shelf: FakeRetrieval,
    pub store: Arc<Metastore>,
    pub engine: Engine,
    clock: AheadClock,
    pub settings: EngineSettings,
    // Goes after the store.
    _database: Database,
}

/// Waits of milliseconds, so that a test of many failures ends.
fn fast() -> RetryPolicy {
    RetryPolicy {
        backoff: Backoff {
            base: Duration::from_millis(2),
            cap: Duration::from_millis(10),
        },
        floor: Duration::from_millis(5),
        cap: Duration::from_millis(50),
        patience: Duration::from_secs(2),
        ..RetryPolicy::default()
    }
}

impl Real {
    pub async fn new(site: Site) -> Self {
        Self::with(site, EngineSettings::default()).await
    }

    pub async fn with(site: Site, settings: EngineSettings) -> Self {
        let account = Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin();
        let sim = ConfluenceSim::builder().account(account).site(site);
        let sim = sim.start().await.unwrap();
        let clock = AheadClock::default();
        let database = Database::new();
        let options = MetastoreOptions {
            clock: Arc::new(clock.clone()),
            pool_size: 5,
            ..MetastoreOptions::default()
        };
        let store = Arc::new(Metastore::open(&database.url(), options).unwrap());
        let shelf = FakeRetrieval::immediate();
        let engine = start(&sim, &store, &shelf, &clock, &settings).await;
        Self {
            sim,
            shelf,
            store,
            engine,
            clock,
            settings,
            _database: database,
        }
    }

    /// Stops the engine as a restart of the process does, and starts another on the same database.
    pub async fn restart(&mut self) {
        self.engine.drain(Duration::from_secs(10)).await;
        self.engine = start(
            &self.sim,
            &self.store,
            &self.shelf,
            &self.clock,
            &self.settings,
        )
        .await;
    }

    /// Time passes for the engine: what has to wait so long is due.
    pub fn ahead(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// An index of this wish; its first run begins at once.
    pub async fn index(&self, wish: &Wish) -> IndexId {
        self.index_for(wish, Access::Everyone).await
    }

    /// The same, which answers everyone alike or each person.
    pub async fn index_for(&self, wish: &Wish, access: Access) -> IndexId {
        let new = NewIndex {
            settings: IndexSettings {
                access,
                ..settings_of(wish)
            },
            spaces: spaces_of(wish),
        };
        let index = self.store.create_index(&new).await.unwrap();
        self.engine.index_changed(index.id);
        index.id
    }

    /// The index is wished otherwise from now on.
    pub async fn patch(&self, index: IndexId, wish: &Wish) {
        let (settings, spaces) = (settings_of(wish), spaces_of(wish));
        let updated = self
            .store
            .update_index(index, &settings.into(), &spaces)
            .await;
        updated.unwrap();
        self.engine.index_changed(index);
    }

    pub async fn ended(&self, run: RunId) -> Run {
        let began = Instant::now();
        loop {
            let run = self.store.run(run).await.unwrap();
            if !run.status.is_open() {
                return run;
            }
            assert!(began.elapsed() < TIMEOUT, "no end: {run:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until no run is open; answers the newest.
    pub async fn over(&self, index: IndexId) -> Run {
        let began = Instant::now();
        loop {
            let last = self.store.index(index).await.unwrap().last_run;
            if let Some(run) = last.filter(|run| !run.status.is_open()) {
                return run;
            }
            assert!(began.elapsed() < TIMEOUT, "no run came to its end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn order(&self, index: IndexId, full: Option<bool>) -> Run {
        let order = SyncOrder {
            full,
            dry_run: false,
        };
        let run = self.engine.sync(index, order).await.unwrap();
        self.ended(run.id).await
    }

    /// Asks for a plan, and compares what is held before and after.
    pub async fn plan(&self, index: IndexId) {
        self.over(index).await;
        keep_house(&self.store, self.clock.now()).await;
        let last = newest_runs(&self.store, index).await;
        let quiet = self.store.open_run_of(index).await.unwrap().is_none();
        let filter = PageFilter {
            limit: 500,
            ..PageFilter::default()
        };
        let pages = self.store.pages(index, &filter).await.unwrap().items;
        let ids: Vec<PageId> = pages.into_iter().map(|page| page.record.page_id).collect();
        let before = Untouched::now(&self.store, &self.shelf, index, &ids).await;
        let order = SyncOrder {
            full: None,
            dry_run: true,
        };
        let run = self.engine.sync(index, order).await.unwrap();
        let run = self.ended(run.id).await;
        let after = Untouched::now(&self.store, &self.shelf, index, &ids).await;
        // What failed may be tried again by itself, before it or behind it.
        if quiet && run.dry_run && newest_runs(&self.store, index).await == [run.id, last[0]] {
            assert_eq!(before, after, "{run:?}");
        }
    }

    pub async fn sweep(&self, index: IndexId) -> Run {
        self.order(index, None).await
    }

    /// Sweeps until nothing is owed, with the guard answered as by an administrator who knows.
    pub async fn settle(&self, index: IndexId) -> Run {
        let mut last = self.over(index).await;
        for _ in 0..6 {
            // Beyond every back-off of a page that failed once or twice.
            self.ahead(8 * 3600);
            last = self.sweep(index).await;
            if last.status == RunStatus::NeedsConfirmation {
                self.store.answer_guard(last.id, true).await.unwrap();
            }
        }
        last
    }

    /// What the store should hold, in words.
    pub fn truth(&self, wish: &Wish) -> BTreeMap<DocumentId, String> {
        let included = Included {
            comments: wish.comments,
            files: wish.attachments,
        };
        let (site, account) = (self.sim.site(), self.sim.account_id());
        truth_of(site, &account, &wish.members(&self.sim), included)
    }
}

/// A wish in the words of an index.
pub fn settings_of(wish: &Wish) -> IndexSettings {
    let words = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    IndexSettings {
        name: "Real".to_owned(),
        agent_id: "real".parse().unwrap(),
        confluence_spaces: wish
            .spaces
            .iter()
            .map(|(key, _)| SpaceKey::from(*key))
            .collect(),
        // Runs are ordered.
        interval_minutes: 500_000,
        quiet_hours: None,
        enabled: true,
        backend: BackendKind::Local,
        include_blog_posts: wish.blog_posts,
        include_comments: wish.comments,
        include_attachments: wish.attachments,
        labels: words(&wish.labels),
        exclude_labels: words(&wish.exclude_labels),
        root_page_ids: wish.roots.iter().map(ToString::to_string).collect(),
        access: Access::Everyone,
        restricted_pages: match wish.restricted {
            true => RestrictedPages::Include,
            false => RestrictedPages::Skip,
        },
    }
}

fn spaces_of(wish: &Wish) -> Vec<IndexSpace> {
    let seen = |(key, id): &(&str, SpaceId)| IndexSpace {
        key: SpaceKey::from(*key),
        id: Some(id.0.to_string().as_str().into()),
        current_key: Some(SpaceKey::from(*key)),
        alias: None,
        name: None,
        url: None,
        state: SpaceState::New,
        reason: None,
        pages: 0,
        last_sync_at: None,
    };
    wish.spaces.iter().map(seen).collect()
}

async fn start(
    sim: &ConfluenceSim,
    store: &Arc<Metastore>,
    shelf: &FakeRetrieval,
    clock: &AheadClock,
    settings: &EngineSettings,
) -> Engine {
    let base = sim.base_url().parse().unwrap();
    let token = ConfluenceSim::TOKEN.to_owned().into();
    let config = ConfluenceConfig {
        max_requests_per_second: 5000,
        request_timeout: Duration::from_millis(1500),
        retry: fast(),
        ..ConfluenceConfig::new(base, ConfluenceSim::EMAIL, token)
    };
    let source: Arc<dyn ContentSource> = Arc::new(ConfluenceClient::new(&config).unwrap());
    let backend: Arc<dyn RetrievalBackend> = Arc::new(shelf.clone());
    Engine::start_here(EngineParts {
        store: Arc::clone(store) as Arc<dyn SyncStore>,
        source,
        backends: Backends::from([(BackendKind::Local, backend)]),
        reader: Arc::new(FakeReader::default()),
        clock: Arc::new(clock.clone()),
        settings: settings.clone(),
    })
    .await
    .unwrap()
}
