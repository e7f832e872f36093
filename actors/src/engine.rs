//! The handle by which the service talks to the engine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Actor, Addr, MailboxError};
use actix_rt::ArbiterHandle;
use domain::access::{Asker, Explanation, Strangers, UnknownPerson};
use domain::index::{BackendKind, Index};
use domain::moving::{self, OnChange};
use domain::page::{Page, Shown};
use domain::ports::clock::Clock;
use domain::ports::reader::FileReader;
use domain::ports::source::ContentSource;
use domain::ports::store::{Listed, MoveBegun, OpenedRun, PageFilter, SyncStore};
use domain::query::{
    Answer, ChangedPage, Neighbourhood, PageQuery, PageText, QueryTarget, RetrievalQuery,
};
use domain::run::{Run, RunKind};
use domain::schedule::Timetable;
use domain::{IndexId, PageId, RunId, SpaceKey, Timestamp, schedule};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::answering::{
    AnswerPool, Explain, Fallback, ListPages, Look, LookAround, MayRead, ReadPage, RecentChanges,
    Search, Sources,
};
use crate::messages::{ActivateIndex, BeginDrain, CancelRun, GetStatus, IndexChanged};
use crate::scheduler::SchedulerActor;
use crate::shared::Shared;
use crate::{Backends, EngineError, EngineSettings, EngineStatus, ProgressHub};

/// How long the scheduler may take to say how the engine stands.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Threads on which questions are answered. What takes long in an answer is done elsewhere: by the database and the store on blocking
/// threads, by Confluence.
const ANSWERERS: usize = 2;

/// What the engine is made of.
#[derive(Clone)]
pub struct EngineParts {
    /// The database.
    pub store: Arc<dyn SyncStore>,
    /// Confluence.
    pub source: Arc<dyn ContentSource>,
    /// The retrieval stores.
    pub backends: Backends,
    /// Makes text of attached files.
    pub reader: Arc<dyn FileReader>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What the operator set.
    pub settings: EngineSettings,
}

/// How a run is asked for by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SyncOrder {
    /// `None`: a sweep. `Some(true)`: also re-check every version and label by id. `Some(false)`: only a poll.
    pub full: Option<bool>,
    /// Only look, change nothing.
    pub dry_run: bool,
}

/// The engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    scheduler: Addr<SchedulerActor>,
    answers: Arc<AnswerPool>,
    shared: Arc<Shared>,
    /// Ends the engine's threads.
    end: CancellationToken,
    /// For whom its questions are.
    asker: Asker,
    strangers: Arc<Mutex<Strangers>>,
}

impl Engine {
    /// Starts the engine on threads of its own: open runs of an earlier process become `interrupted` and their indexes are
    /// activated, so that they go on from their rows; the scheduler begins to look for due indexes.
    ///
    /// # Errors
    /// When the database cannot be used, or a thread not started.
    pub async fn start(parts: EngineParts) -> Result<Self, EngineError> {
        let (told, started) = oneshot::channel();
        let thread = std::thread::Builder::new().name("sync-engine".to_owned());
        let spawned = thread.spawn(move || {
            let system = actix_rt::System::new();
            system.block_on(async move {
                // Large answers are parsed on a thread of their own, so that the schedule goes on meanwhile.
                let workers = actix_rt::Arbiter::new();
                let answerers: [_; ANSWERERS] = std::array::from_fn(|_| actix_rt::Arbiter::new());
                let handles = answerers.each_ref().map(actix_rt::Arbiter::handle);
                let engine = Self::start_with(parts, workers.handle(), &handles).await;
                let end = engine.as_ref().ok().map(|engine| engine.end.clone());
                // Nobody waits any more: then the engine ends with this scope.
                let wanted = told.send(engine).is_ok();
                if let (true, Some(end)) = (wanted, end) {
                    end.cancelled().await;
                }
                workers.stop();
                for answerer in answerers {
                    answerer.stop();
                }
            });
        });
        spawned.map_err(|error| EngineError::Start {
            detail: error.to_string(),
        })?;
        started.await.map_err(|_| EngineError::Start {
            detail: "its thread ended at once".to_owned(),
        })?
    }

    /// As [`start`](Self::start), on the arbiter of the caller, whose clock may be a paused one.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn start_here(parts: EngineParts) -> Result<Self, EngineError> {
        let here = actix_rt::Arbiter::current();
        Self::start_with(parts, here.clone(), &[here]).await
    }

    async fn start_with(
        parts: EngineParts,
        workers: ArbiterHandle,
        answerers: &[ArbiterHandle],
    ) -> Result<Self, EngineError> {
        let strangers = Arc::default();
        let sources = Sources::of(&parts, &strangers);
        let shared = Shared::new(parts);
        // What workers of an earlier process had claimed; none of this one lives yet.
        shared.release_claims().await?;
        take_up_open_runs(&shared).await?;
        if shared.settings.scheduled {
            take_up_moves(&shared).await?;
        }
        let scheduler = SchedulerActor::new(Arc::clone(&shared), workers).start();
        Ok(Self {
            scheduler,
            answers: Arc::new(AnswerPool::start(sources, answerers)),
            shared,
            end: CancellationToken::new(),
            asker: Asker::Unnamed,
            strangers,
        })
    }

    /// Asks for a run now. It is recorded before this returns. With a run under way: that run, unless `full` is asked for and
    /// it is none (or the one under way only looks): then one follow-up is noted on it (`queued: true`).
    ///
    /// # Errors
    /// [`EngineError::NotFound`] without such an index; when the database cannot be used.
    pub async fn sync(&self, index: IndexId, order: SyncOrder) -> Result<Run, EngineError> {
        let store = &self.shared.store;
        let state = store.index_state(index).await?;
        let open = store.open_run_of(index).await?;
        let kind = match (&open, order.full) {
            (Some(open), Some(true)) if open.kind != RunKind::Move => RunKind::Full,
            _ => schedule::manual_kind(&state.progress, order.full),
        };
        let queue = open.as_ref().is_some_and(|open| {
            let more = order.full == Some(true) && open.kind != RunKind::Full
                // A move looks at nothing in Confluence.
                || open.kind == RunKind::Move;
            !order.dry_run && (more || open.dry_run)
        });
        let opened = store.open_run(index, kind, order.dry_run, queue).await?;
        self.scheduler.do_send(ActivateIndex(index));
        Ok(match opened {
            OpenedRun::New(run) | OpenedRun::AlreadyOpen(run) | OpenedRun::Queued(run) => run,
        })
    }

    /// Asks for a poll of what has just changed at the source. It is recorded before this returns. A run under way may have looked
    /// already: then one poll follows it.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub async fn poll(&self, index: IndexId) -> Result<Run, EngineError> {
        let store = &self.shared.store;
        let state = store.index_state(index).await?;
        let kind = schedule::manual_kind(&state.progress, Some(false));
        let opened = store.open_run(index, kind, false, true).await?;
        self.scheduler.do_send(ActivateIndex(index));
        Ok(match opened {
            OpenedRun::New(run) | OpenedRun::AlreadyOpen(run) | OpenedRun::Queued(run) => run,
        })
    }

    /// Moves an index to another store, or, with the store that it lives in, to the object that the settings ask for there
    /// now (or fills the same object anew). Recorded before this returns; the object that answers now does so until the
    /// new one is complete. Confluence is not asked for anything. `None`: there was nothing to move.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] without such an index; [`EngineError::BackendMissing`] when the store is not set up; when the
    /// database cannot be used.
    pub async fn move_index(
        &self,
        index: IndexId,
        backend: BackendKind,
    ) -> Result<Option<Run>, EngineError> {
        self.shared.backend_of(index, backend)?;
        let store = &self.shared.store;
        if store.begin_move(index, backend).await? == MoveBegun::AtOnce {
            self.index_changed(index);
            return Ok(None);
        }
        let opened = store.open_run(index, RunKind::Move, false, false).await?;
        tracing::info!(%index, %backend, "the index moves; its present store answers until the new one is complete");
        self.scheduler.do_send(ActivateIndex(index));
        self.index_changed(index);
        Ok(Some(match opened {
            OpenedRun::New(run) | OpenedRun::AlreadyOpen(run) | OpenedRun::Queued(run) => run,
        }))
    }

    /// Gives a move up: the index stays where it is, what was made elsewhere is removed. Nothing to give up is a success.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] without such an index; when the database cannot be used.
    pub async fn abandon_move(&self, index: IndexId) -> Result<(), EngineError> {
        let store = &self.shared.store;
        store.abandon_move(index).await?;
        if let Some(run) = store.open_run_of(index).await?
            && run.kind == RunKind::Move
        {
            self.cancel(run.id).await?;
        }
        self.index_changed(index);
        Ok(())
    }

    /// Says that the row of a run now is `canceling`: no new credits, work in flight settles, the rest waits in rows.
    ///
    /// # Errors
    /// [`EngineError::Busy`] when the engine has stopped.
    pub async fn cancel(&self, run: RunId) -> Result<(), EngineError> {
        let sent = self.scheduler.send(CancelRun(run)).await;
        sent.map_err(|error| busy(&error))
    }

    /// Says that rows of an index were written (created, changed, deleted, a page retried, the guard answered): look now. Also
    /// tells those who watch (`index_changed`). A new index begins its first run at once.
    pub fn index_changed(&self, index: IndexId) {
        self.scheduler.do_send(IndexChanged(index));
    }

    /// Answers a question from the index; when its store is down from Confluence's own search, when it is stale from both. An
    /// index that was never synced answers nothing.
    ///
    /// # Errors
    /// When neither the store nor Confluence answers; [`EngineError::Unverified`] under `VERIFY_ON_READ=strict`;
    /// [`EngineError::TooManyQuestions`], as of every question.
    pub async fn search(
        &self,
        index: IndexId,
        query: RetrievalQuery,
    ) -> Result<Answer, EngineError> {
        let fallback = Fallback::WhenDown;
        self.answers
            .ask(index, &self.asker, Search { query, fallback })
            .await
    }

    /// As [`search`](Self::search), and where that finds nothing (also before the first sync) from Confluence's own search.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub async fn search_or_live(
        &self,
        index: IndexId,
        query: RetrievalQuery,
    ) -> Result<Answer, EngineError> {
        let fallback = Fallback::WhenEmpty;
        self.answers
            .ask(index, &self.asker, Search { query, fallback })
            .await
    }

    /// A page with its text, if the index may quote it now.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] without such an index; [`EngineError::Unverified`] under `VERIFY_ON_READ=strict`; when the
    /// database cannot be used.
    pub async fn read_page(
        &self,
        index: IndexId,
        page: PageQuery,
    ) -> Result<Option<PageText>, EngineError> {
        self.answers.ask(index, &self.asker, ReadPage(page)).await
    }

    /// What stands around a page, as far as the index may quote it; nothing where it may not quote the page.
    ///
    /// # Errors
    /// As [`read_page`](Self::read_page).
    pub async fn around(&self, index: IndexId, page: PageId) -> Result<Neighbourhood, EngineError> {
        self.answers.ask(index, &self.asker, LookAround(page)).await
    }

    /// Pages of a list that the index may quote now; those that it may not are left out, so that there may be fewer than asked
    /// for.
    ///
    /// # Errors
    /// As [`read_page`](Self::read_page).
    pub async fn list_pages(
        &self,
        index: IndexId,
        filter: PageFilter,
    ) -> Result<Listed<Shown<Page>>, EngineError> {
        self.answers
            .ask(index, &self.asker, ListPages(filter))
            .await
    }

    /// Pages, also of one space only, that were added, edited or removed after a moment, newest first.
    ///
    /// # Errors
    /// As [`read_page`](Self::read_page).
    pub async fn recent_changes(
        &self,
        index: IndexId,
        since: Timestamp,
        space: Option<SpaceKey>,
        limit: usize,
    ) -> Result<Vec<ChangedPage>, EngineError> {
        let changes = RecentChanges {
            since,
            space,
            limit,
        };
        self.answers.ask(index, &self.asker, changes).await
    }

    /// The same engine, of which everything is asked for this person: what an index answers that is `per_user` differs by that.
    #[must_use]
    pub fn asked_for(&self, asker: Asker) -> Self {
        Self {
            asker,
            ..self.clone()
        }
    }

    /// The addresses that named nobody when somebody asked with them, since the start, newest first.
    #[must_use]
    pub fn strangers(&self) -> Vec<UnknownPerson> {
        let strangers = self.strangers.lock();
        strangers.unwrap_or_else(PoisonError::into_inner).list()
    }

    /// Whether the person for whom it is asked may read a page of an index, as far as restrictions and permissions go; of a page that the
    /// index does not have: no.
    ///
    /// # Errors
    /// As [`read_page`](Self::read_page).
    pub async fn may_read(&self, index: IndexId, page: PageId) -> Result<bool, EngineError> {
        self.answers.ask(index, &self.asker, MayRead(page)).await
    }

    /// An index as the person for whom it is asked sees it: of one that is `per_user` the spaces that the person may use, with the
    /// number of documents that the person may read.
    ///
    /// # Errors
    /// As [`read_page`](Self::read_page).
    pub async fn look(&self, index: IndexId) -> Result<QueryTarget, EngineError> {
        self.answers.ask(index, &self.asker, Look).await
    }

    /// Whether the person for whom it is asked may read a page of an index, and why; `None`: the index has no such page.
    ///
    /// # Errors
    /// As [`read_page`](Self::read_page).
    pub async fn explain(
        &self,
        index: IndexId,
        page: PageId,
    ) -> Result<Option<Explanation>, EngineError> {
        self.answers.ask(index, &self.asker, Explain(page)).await
    }

    /// How the engine stands; makes no request to anybody.
    pub async fn status(&self) -> EngineStatus {
        match self.scheduler.send(GetStatus).timeout(TIMEOUT).await {
            Ok(status) => status,
            Err(error) => EngineStatus {
                reasons: vec![format!("the scheduler does not answer: {error}")],
                ..EngineStatus::default()
            },
        }
    }

    /// When scheduled runs of an index may start.
    #[must_use]
    pub fn timetable(&self, index: &Index) -> Timetable {
        self.shared.timetable(index)
    }

    /// Events and newest counters.
    #[must_use]
    pub fn hub(&self) -> &ProgressHub {
        &self.shared.hub
    }

    /// Stops: no new work, what is in flight settles, the rest waits in rows. Returns when all is quiet or at the deadline.
    /// Runs under way stay open in the database and are `interrupted` by the next start.
    pub async fn drain(&self, deadline: Duration) {
        let quiet = self.scheduler.send(BeginDrain);
        if tokio::time::timeout(deadline, quiet).await.is_err() {
            tracing::warn!(
                "work was still in flight at the deadline; it is taken up at the next start"
            );
        }
        self.end.cancel();
    }
}

fn busy(error: &MailboxError) -> EngineError {
    EngineError::Busy {
        detail: format!("an actor does not answer: {error}"),
    }
}

/// Runs that an earlier process had begun are interrupted; the rows of those that go on in their place come with that.
async fn take_up_open_runs(shared: &Shared) -> Result<(), EngineError> {
    for run in shared.store.interrupt_open_runs().await? {
        shared.hub.run_finished(&run).await;
        if let Some(next) = run.follow_up_run_id {
            tracing::info!(index = %run.index_id, run = %run.id, %next, "a run of an earlier process was interrupted; another goes on from its rows");
        }
    }
    Ok(())
}

/// Moves that were recorded go on. An index that a changed setting asks to rebuild moves too where the administrator has agreed to
/// that beforehand; else it stays as it is, and the log says what a rebuild takes.
async fn take_up_moves(shared: &Shared) -> Result<(), EngineError> {
    let store = &shared.store;
    for state in store.index_states().await? {
        let index = &state.index;
        let kind = index.settings.backend;
        let Some(backend) = shared.backend(kind) else {
            continue;
        };
        match (
            moving::pending_rebuild(index, backend.as_ref()),
            shared.settings.on_change,
        ) {
            (Some(pending), OnChange::Ask) => {
                let how = moving::how_to_agree(index, &pending);
                tracing::warn!(index = %index.id, name = %index.settings.name, "index {:?}: {pending}; {how}", index.settings.name);
                continue;
            }
            (Some(pending), OnChange::Rebuild) => {
                tracing::warn!(index = %index.id, name = %index.settings.name, setting = pending.outgrown.setting, wanted = pending.outgrown.wanted, "a changed setting asks for another store object than the index has: it is rebuilt, and the present object answers until that is done");
                store.begin_move(index.id, kind).await?;
            }
            (None, _) if index.moving.is_none() => continue,
            (None, _) => {}
        }
        store
            .open_run(index.id, RunKind::Move, false, false)
            .await?;
    }
    Ok(())
}
