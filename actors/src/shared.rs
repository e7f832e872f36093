//! What every actor of one engine shares: ports, settings, the hub, the addresses of workers.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Addr;
use domain::content::ContentKind;
use domain::event::NewEvent;
use domain::index::{BackendKind, Index};
use domain::overlap::Overlap;
use domain::pace::Tail;
use domain::ports::clock::Clock;
use domain::ports::reader::FileReader;
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::source::ContentSource;
use domain::ports::store::{StoreError, SyncStore};
use domain::run::Run;
use domain::schedule::Timetable;
use domain::{IndexId, ObjectId, PageId, RunId, SpaceId, SpaceKey, Timestamp, WorkerId};
use tokio_util::sync::CancellationToken;

use crate::counters::RunCounters;
use crate::credits::FetcherPool;
use crate::document::SpaceNames;
use crate::memory::TextMemory;
use crate::uploader::LlamaUploader;
use crate::{Backends, EngineError, EngineParts, EngineSettings, ProgressHub};

/// Guards the rows of one index: whoever reads pages and writes them back whole holds it meanwhile (database work only, never
/// the network), so that a run and the uploader do not undo one another.
pub(crate) type RowsLock = Arc<tokio::sync::Mutex<()>>;

/// Held by whoever has the turn.
type Turn = Arc<tokio::sync::Mutex<()>>;

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn SyncStore>,
    pub(crate) source: Arc<dyn ContentSource>,
    pub(crate) backends: Backends,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reader: Arc<dyn FileReader>,
    /// The memory that texts may take.
    pub(crate) texts: Arc<TextMemory>,
    pub(crate) settings: EngineSettings,
    pub(crate) hub: ProgressHub,
    pub(crate) fetchers: Arc<FetcherPool>,
    /// Raised once, when the engine stops.
    pub(crate) draining: CancellationToken,
    /// Held while remote objects are removed.
    pub(crate) removals: tokio::sync::Mutex<()>,
    /// Reads of files that began in this process and were not answered: it outlived those that were dropped.
    reads: Mutex<HashSet<(IndexId, PageId)>>,
    uploaders: Mutex<HashMap<BackendKind, Addr<LlamaUploader>>>,
    rows: Mutex<HashMap<IndexId, RowsLock>>,
    last_run_at: Mutex<Option<Timestamp>>,
    started: tokio::time::Instant,
    overlaps: Mutex<HashMap<(IndexId, &'static str), Overlap>>,
    counters: Mutex<HashMap<RunId, Arc<RunCounters>>>,
    workers: Mutex<HashMap<WorkerId, ObjectId>>,
    /// What each store took in the end of the last run that sent it something.
    tails: Mutex<HashMap<BackendKind, Tail>>,
    /// Held by whoever walks a space with bodies: what one index fetches and converts is there for the others.
    walks: Mutex<HashMap<(SpaceId, ContentKind), Turn>>,
}

impl Shared {
    pub(crate) fn new(parts: EngineParts) -> Arc<Self> {
        Arc::new(Self {
            hub: ProgressHub::new(Arc::clone(&parts.store)),
            fetchers: FetcherPool::new(parts.settings.fetchers),
            store: parts.store,
            source: parts.source,
            backends: parts.backends,
            clock: parts.clock,
            reader: parts.reader,
            texts: Arc::new(TextMemory::new(parts.settings.text_memory)),
            settings: parts.settings,
            draining: CancellationToken::new(),
            removals: tokio::sync::Mutex::default(),
            reads: Mutex::default(),
            uploaders: Mutex::default(),
            rows: Mutex::default(),
            last_run_at: Mutex::default(),
            started: tokio::time::Instant::now(),
            overlaps: Mutex::default(),
            counters: Mutex::default(),
            workers: Mutex::default(),
            tails: Mutex::default(),
            walks: Mutex::default(),
        })
    }

    /// The same engine over a private copy of the database and backends that only count. Nobody hears of what happens in it.
    pub(crate) fn rehearsal(&self, store: Arc<dyn SyncStore>, backends: Backends) -> Arc<Self> {
        Arc::new(Self {
            hub: ProgressHub::new(Arc::clone(&store)),
            fetchers: Arc::clone(&self.fetchers),
            store,
            source: Arc::clone(&self.source),
            backends,
            clock: Arc::clone(&self.clock),
            reader: Arc::clone(&self.reader),
            texts: Arc::clone(&self.texts),
            settings: self.settings.clone(),
            draining: self.draining.clone(),
            removals: tokio::sync::Mutex::default(),
            reads: Mutex::default(),
            uploaders: Mutex::default(),
            rows: Mutex::default(),
            last_run_at: Mutex::new(*lock(&self.last_run_at)),
            started: self.started,
            overlaps: Mutex::new(lock(&self.overlaps).clone()),
            counters: Mutex::default(),
            workers: Mutex::default(),
            tails: Mutex::default(),
            walks: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sees to it that nothing waits for a date that a clock wrote which was ahead: at the first run of a process, and at each
    /// that begins earlier than the one before it.
    pub(crate) async fn correct_clock_skew(&self) -> Result<(), StoreError> {
        let now = self.now();
        let set_back = {
            let mut last = lock(&self.last_run_at);
            let set_back = last.is_none_or(|last| now < last);
            *last = Some(now);
            set_back
        };
        if set_back {
            let rows = self.store.reset_future_dates(now).await?;
            if rows > 0 {
                tracing::warn!(
                    rows,
                    "the clock was set back; what waited for a later date is due now"
                );
            }
        }
        Ok(())
    }

    /// When scheduled runs of an index may start.
    pub(crate) fn timetable(&self, index: &Index) -> Timetable {
        Timetable {
            index: index.id,
            interval_minutes: index.settings.interval_minutes,
            quiet_hours: index.settings.quiet_hours.or(self.settings.quiet_hours),
        }
    }

    pub(crate) fn backend(&self, kind: BackendKind) -> Option<Arc<dyn RetrievalBackend>> {
        self.backends.get(&kind).cloned()
    }

    /// The store of an index's kind.
    ///
    /// # Errors
    /// [`EngineError::BackendMissing`] when it is not set up.
    pub(crate) fn backend_of(
        &self,
        index: IndexId,
        backend: BackendKind,
    ) -> Result<Arc<dyn RetrievalBackend>, EngineError> {
        self.backend(backend)
            .ok_or(EngineError::BackendMissing { index, backend })
    }

    pub(crate) fn uploader(&self, kind: BackendKind) -> Option<Addr<LlamaUploader>> {
        lock(&self.uploaders).get(&kind).cloned()
    }

    pub(crate) fn place_uploader(&self, kind: BackendKind, uploader: Addr<LlamaUploader>) {
        lock(&self.uploaders).insert(kind, uploader);
    }

    /// The workers end when their work is done; they hold this, so this must not hold them.
    pub(crate) fn release_uploaders(&self) {
        lock(&self.uploaders).clear();
    }

    pub(crate) fn rows_of(&self, index: IndexId) -> RowsLock {
        Arc::clone(lock(&self.rows).entry(index).or_default())
    }

    /// The turn to walk this kind of content of a space with bodies.
    pub(crate) fn walk_of(&self, space: &SpaceId, kind: ContentKind) -> Turn {
        let key = (space.clone(), kind);
        Arc::clone(lock(&self.walks).entry(key).or_default())
    }

    /// What the polls of one feed of an index remember of each other, with the time by a clock that only goes forward. A
    /// process that starts remembers nothing, and reads more.
    pub(crate) fn with_overlap<T>(
        &self,
        index: IndexId,
        feed: &'static str,
        look: impl FnOnce(&mut Overlap, Duration) -> T,
    ) -> T {
        let now = self.started.elapsed();
        look(lock(&self.overlaps).entry((index, feed)).or_default(), now)
    }

    /// The counters of a run: those that an actor left behind which died, or else from its row.
    pub(crate) fn counters_of(&self, run: &Run) -> Arc<RunCounters> {
        let mut all = lock(&self.counters);
        let fresh = || Arc::new(RunCounters::from(run.counts, run.requests));
        Arc::clone(all.entry(run.id).or_insert_with(fresh))
    }

    /// The run is over.
    pub(crate) fn forget_counters(&self, run: RunId) {
        lock(&self.counters).remove(&run);
    }

    /// What a store took in the end of the last run that sent it something.
    pub(crate) fn tail_of(&self, backend: BackendKind) -> Option<Tail> {
        lock(&self.tails).get(&backend).copied()
    }

    pub(crate) fn remember_tail(&self, backend: BackendKind, tail: Tail) {
        lock(&self.tails).insert(backend, tail);
    }

    /// A new upload worker of an object, known as living until it is dropped.
    pub(crate) fn worker_of(self: &Arc<Self>, object: ObjectId) -> LivingWorker {
        let id = WorkerId::generate();
        lock(&self.workers).insert(id, object);
        LivingWorker {
            shared: Arc::clone(self),
            id,
            object,
        }
    }

    /// Takes back what workers have claimed that live no more.
    pub(crate) async fn release_claims(&self) -> Result<usize, StoreError> {
        let living: Vec<WorkerId> = lock(&self.workers).keys().copied().collect();
        self.store.release_claims(&living).await
    }

    /// Names the first pages of a run that failed to those who watch.
    pub(crate) async fn publish_failed(
        &self,
        (index, run): (IndexId, RunId),
        counters: &RunCounters,
        ids: &[PageId],
    ) {
        let ids = &ids[..counters.name_failed(ids.len())];
        if ids.is_empty() {
            return;
        }
        let rows = async {
            let state = self.store.index_state(index).await?;
            let records = self.store.pages_by_id(index, ids).await?;
            Ok::<_, StoreError>((SpaceNames::of(&state.index), records))
        };
        let Ok((names, records)) = rows.await else {
            return;
        };
        for record in records {
            let key = names.key(&record.facts.space_id).cloned();
            let page = record.to_page(key.unwrap_or_else(|| SpaceKey::from("")));
            let event = NewEvent::page_failed(&page, index, run);
            self.hub.publish(event).await;
        }
    }

    /// The index is deleted: nobody guards its rows any more.
    pub(crate) fn forget(&self, index: IndexId) {
        lock(&self.rows).remove(&index);
        lock(&self.overlaps).retain(|(of, _), _| *of != index);
        self.hub.forget(index, None);
    }

    /// Notes that reading a file begins. Whether an earlier read of it was dropped in this process.
    pub(crate) fn begin_read(&self, index: IndexId, file: &PageId) -> bool {
        !lock(&self.reads).insert((index, file.clone()))
    }

    /// Whether a read of the file was dropped in this process, as when the run that asked for it ended.
    pub(crate) fn dropped_read(&self, index: IndexId, file: &PageId) -> bool {
        lock(&self.reads).contains(&(index, file.clone()))
    }

    /// The reader answered, or will not.
    pub(crate) fn end_read(&self, index: IndexId, file: &PageId) {
        lock(&self.reads).remove(&(index, file.clone()));
    }

    pub(crate) fn fail_point(&self, failpoint: &str) {
        self.settings.failpoints.fail_point(failpoint);
    }

    /// Passes the place of one page or file.
    pub(crate) fn fail_point_of(&self, failpoint: &str, id: &PageId) {
        self.settings.failpoints.fail_point_of(failpoint, id);
    }
}

/// An upload worker as long as it lives.
pub(crate) struct LivingWorker {
    shared: Arc<Shared>,
    id: WorkerId,
    object: ObjectId,
}

impl LivingWorker {
    pub(crate) const fn id(&self) -> WorkerId {
        self.id
    }

    /// Whether no other works on the same object.
    pub(crate) fn is_alone(&self) -> bool {
        let all = lock(&self.shared.workers);
        let mut others = all.iter().filter(|(id, _)| **id != self.id);
        !others.any(|(_, object)| *object == self.object)
    }
}

impl Drop for LivingWorker {
    fn drop(&mut self) {
        lock(&self.shared.workers).remove(&self.id);
    }
}

/// A panic while the lock was held leaves whole values behind: every critical section is one insert or lookup.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
